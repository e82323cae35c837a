-- What a registry and a repository are called, and who may see them: what people read joins these views.

CREATE VIEW image_library._full_repository AS
  SELECT r.repository_id, r.registry_id, r.name AS repository, r.first_seen_at, g.name AS registry, g.host,
         concat_ws('/', nullif(g.prefix, ''), r.name) AS full_name,
         concat_ws('/', g.host, nullif(g.prefix, ''), r.name) AS place
  FROM image_library.repository r
  JOIN image_library.registry g USING (registry_id);
COMMENT ON VIEW image_library._full_repository IS
  'Internal: repositories with the names of their registries; full_name is prefix/repository, place host/prefix/repository as references write it';
GRANT SELECT ON image_library._full_repository TO image_library_agent;

CREATE VIEW image_library._visible_registry AS
  SELECT g.* FROM image_library.registry g
  WHERE g.registry_id <> ALL ((SELECT image_library._hidden_registries())::integer[]);
COMMENT ON VIEW image_library._visible_registry IS 'Internal: the registries that the acting role may see';
GRANT SELECT ON image_library._visible_registry TO image_library_agent;

CREATE VIEW image_library._visible_repository AS
  SELECT r.* FROM image_library._full_repository r
  WHERE r.registry_id <> ALL ((SELECT image_library._hidden_registries())::integer[]);
COMMENT ON VIEW image_library._visible_repository IS 'Internal: the repositories of registries that the acting role may see';

-- What belongs to a digest is seen by who sees a tag of it.
CREATE FUNCTION image_library._digest_visible(digest text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library.tag t JOIN image_library._visible_repository r USING (repository_id)
                 WHERE t.digest = _digest_visible.digest)
$$;
COMMENT ON FUNCTION image_library._digest_visible IS 'Internal: whether the acting role may see a digest';
GRANT EXECUTE ON FUNCTION image_library._digest_visible TO image_library_reader;

CREATE FUNCTION image_library._repository_visible(repository_id integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library._visible_repository r WHERE r.repository_id = _repository_visible.repository_id)
$$;
COMMENT ON FUNCTION image_library._repository_visible IS 'Internal: whether the acting role may see a repository';
GRANT EXECUTE ON FUNCTION image_library._repository_visible TO image_library_reader;

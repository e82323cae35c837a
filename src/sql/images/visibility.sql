-- Names of registries and repositories, and which roles may see them. Public views join these views.
-- nullif(x = ANY (hidden), true) IS NOT NULL is the same as x <> ALL (hidden), but the planner expects it to be true for
-- most rows, as it is.

CREATE VIEW image_library_internal.full_repository AS
  SELECT r.repository_id, r.registry_id, r.name AS repository, r.first_seen_at, g.name AS registry, g.host,
         concat_ws('/', nullif(g.prefix, ''), r.name) AS full_name,
         concat_ws('/', g.host, nullif(g.prefix, ''), r.name) AS place
  FROM image_library_internal.repository r
  JOIN image_library_internal.registry g USING (registry_id);
COMMENT ON VIEW image_library_internal.full_repository IS
  'Repositories with the names of their registries; full_name is prefix/repository, place host/prefix/repository as references write it';
GRANT SELECT ON image_library_internal.full_repository TO image_library_agent;

CREATE VIEW image_library_internal.visible_registry AS
  SELECT g.* FROM image_library_internal.registry g
  WHERE nullif(g.registry_id = ANY ((SELECT image_library_internal.hidden_registries())::integer[]), true) IS NOT NULL;
COMMENT ON VIEW image_library_internal.visible_registry IS 'The registries that the acting role may see';
GRANT SELECT ON image_library_internal.visible_registry TO image_library_agent;

CREATE VIEW image_library_internal.visible_repository AS
  SELECT r.* FROM image_library_internal.full_repository r
  WHERE nullif(r.registry_id = ANY ((SELECT image_library_internal.hidden_registries())::integer[]), true) IS NOT NULL;
COMMENT ON VIEW image_library_internal.visible_repository IS 'The repositories of registries that the acting role may see';

-- The facts of a digest are visible to every role that sees a tag of it.
CREATE FUNCTION image_library_internal.digest_visible(digest text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library_internal.tag t JOIN image_library_internal.visible_repository r USING (repository_id)
                 WHERE t.digest = digest_visible.digest)
$$;
COMMENT ON FUNCTION image_library_internal.digest_visible IS 'Whether the acting role may see a digest';
GRANT EXECUTE ON FUNCTION image_library_internal.digest_visible TO image_library_reader;

CREATE FUNCTION image_library_internal.repository_visible(repository_id integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library_internal.visible_repository r WHERE r.repository_id = repository_visible.repository_id)
$$;
COMMENT ON FUNCTION image_library_internal.repository_visible IS 'Whether the acting role may see a repository';
GRANT EXECUTE ON FUNCTION image_library_internal.repository_visible TO image_library_reader;

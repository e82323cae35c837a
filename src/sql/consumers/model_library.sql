-- Views and functions for model serving: approved, present, usable models.

CREATE VIEW image_library.model_library AS
  SELECT e.registry, e.repository, e.tag, e.digest,
         concat(e.place, ':', e.tag) AS reference, concat(e.place, ':', e.tag, '@', e.digest) AS pinned_reference,
         e.kind, e.approval, e.version, (SELECT p.platforms FROM image_library_internal.tag_platforms p WHERE p.repository_id = e.repository_id AND p.tag = e.tag) AS platforms,
         e.size_bytes, e.created_at,
         (SELECT t.first_seen_at FROM image_library_internal.tag t WHERE t.repository_id = e.repository_id AND t.name = e.tag) AS first_seen_at,
         (SELECT t.digest_changed_at FROM image_library_internal.tag t
          WHERE t.repository_id = e.repository_id AND t.name = e.tag) AS digest_changed_at,
         e.missing_since,
         ARRAY(SELECT h.name FROM image_library_internal.image_hm_tags h
               WHERE h.repository_id = e.repository_id AND h.tag = e.tag
               UNION SELECT unnest(e.system_tags) ORDER BY 1) AS hm_tags,
         e.title, e.description, (SELECT i.annotations FROM image_library_internal.image i WHERE i.digest = e.digest) AS annotations,
         (SELECT i.labels FROM image_library_internal.image i WHERE i.digest = e.digest) AS labels,
         e.publisher, e.model, e.model_version, e.format, e.task, e.gpu_count,
         e.deprecated_from
  FROM image_library_internal.usable_entries e
  WHERE e.kind = 'model';
COMMENT ON VIEW image_library.model_library IS 'Approved, present AI models, for model serving';
GRANT SELECT ON image_library.model_library TO image_library_reader;

-- A model card: published metadata (OCI image-spec, annotations.md) and facts of the library.
CREATE FUNCTION image_library_internal.published(annotations jsonb, labels jsonb, key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(nullif(annotations ->> ('org.opencontainers.image.' || key), ''),
                  nullif(labels ->> ('org.opencontainers.image.' || key), ''))
$$;
COMMENT ON FUNCTION image_library_internal.published IS 'Value of an OCI annotation, or of the label with that name';

CREATE FUNCTION image_library.model_card(reference text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found record := image_library_internal.find_image(reference);
  card jsonb;
BEGIN
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'reference', found.pinned_reference, 'approval', e.approval,
    'publisher', e.publisher, 'model', e.model, 'version', e.model_version, 'format', e.format, 'task', e.task,
    'title', e.title, 'description', e.description,
    'licenses', image_library_internal.published(i.annotations, i.labels, 'licenses'),
    'authors', image_library_internal.published(i.annotations, i.labels, 'authors'),
    'vendor', image_library_internal.published(i.annotations, i.labels, 'vendor'),
    'documentation', image_library_internal.published(i.annotations, i.labels, 'documentation'),
    'url', image_library_internal.published(i.annotations, i.labels, 'url'),
    'source', image_library_internal.published(i.annotations, i.labels, 'source'),
    'revision', image_library_internal.published(i.annotations, i.labels, 'revision'),
    'base', image_library_internal.published(i.annotations, i.labels, 'base.name'),
    'created_at', e.created_at, 'size_bytes', e.size_bytes, 'platforms', (SELECT nullif(p.platforms, '{}') FROM image_library_internal.tag_platforms p
                                                                                 WHERE p.repository_id = e.repository_id AND p.tag = e.tag),
    'gpu_count', e.gpu_count,
    'profiles', (SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(p)) - 'digest' ORDER BY p.gpu_count, p.name COLLATE "C")
                 FROM image_library.model_profiles p WHERE p.digest = e.digest),
    'conflicts', nullif(e.conflicts, '{}'), 'readme', m.readme))
  INTO card
  FROM image_library_internal.entry e
  JOIN image_library_internal.image i ON i.digest = e.digest
  LEFT JOIN image_library_internal.repository_readme m ON m.repository_id = e.repository_id
  WHERE e.repository_id = found.repository_id AND e.tag = found.tag AND e.digest = found.digest AND e.kind = 'model';
  IF card IS NULL THEN
    PERFORM image_library_internal.wrong_kind(reference, 'model');
  END IF;
  RETURN card;
END
$$;
COMMENT ON FUNCTION image_library.model_card IS
  'Facts of a model, which need not be approved: name, publisher, licence, requirements, and the README of its repository; unknown facts are left out';
GRANT EXECUTE ON FUNCTION image_library.model_card TO image_library_reader;

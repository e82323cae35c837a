-- Views and functions for model serving: approved, present, usable models.

CREATE VIEW image_library.model_library AS
  SELECT u.registry, u.repository, u.tag, u.digest, u.reference, u.pinned_reference, u.kind, u.approval, u.version, u.platforms,
         u.size_bytes, u.created_at, u.first_seen_at, u.digest_changed_at, u.missing_since, u.hm_tags, u.title, u.description,
         u.annotations, u.labels,
         u.publisher, u.model, u.model_version, u.format, u.task, u.gpu_count,
         u.deprecated_from, u.facts_from
  FROM image_library_internal.usable_images u
  WHERE u.kind = 'model';
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

CREATE FUNCTION image_library.model_card(reference text, registry text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found record := image_library_internal.find_image(reference, registry);
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
    'created_at', e.created_at, 'size_bytes', e.size_bytes, 'platforms', CASE WHEN found.moved_to IS NOT NULL THEN nullif(i.platforms, '{}') ELSE (SELECT nullif(p.platforms, '{}') FROM image_library_internal.tag_platforms p
                                                                                 WHERE p.repository_id = e.repository_id AND p.tag = e.tag) END,
    'gpu_count', e.gpu_count,
    'profiles', (SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(p)) - '{digest,registry,repository}'::text[] ORDER BY p.gpu_count, p.name COLLATE "C")
                 FROM image_library.model_profiles p
                 WHERE p.registry = found.registry AND p.repository = found.repository AND p.digest = e.digest),
    'facts_from', nullif(e.facts_from, '{}'),
    'conflicts', nullif(e.conflicts, '{}'), 'readme', m.readme))
  INTO card
  FROM image_library_internal.entry_of(found.repository_id, found.tag, found.digest) e
  JOIN image_library_internal.image i ON i.digest = e.digest
  LEFT JOIN image_library_internal.repository_readme m ON m.repository_id = e.repository_id
  WHERE e.kind = 'model';
  IF card IS NULL THEN
    PERFORM image_library_internal.wrong_kind(reference, 'model', registry);
  END IF;
  RETURN card;
END
$$;
COMMENT ON FUNCTION image_library.model_card IS
  'Facts of a model, which need not be approved: name, publisher, licence, requirements, and the README of its repository; unknown facts are left out';
GRANT EXECUTE ON FUNCTION image_library.model_card TO image_library_reader;

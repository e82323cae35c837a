-- What Postgres provisioning reads: approved, present, usable.

CREATE VIEW image_library.postgres_images WITH (security_barrier) AS
  SELECT g.name AS registry, e.repository, e.tag, e.digest,
         concat(concat_ws('/', g.host, nullif(g.prefix, ''), e.repository), ':', e.tag) AS reference,
         concat(concat_ws('/', g.host, nullif(g.prefix, ''), e.repository), ':', e.tag, '@', e.digest) AS pinned_reference,
         e.kind, e.approval, e.version, i.platforms, e.size_bytes, e.created_at, t.first_seen_at, t.digest_changed_at,
         e.missing_since,
         ARRAY(SELECT h.name FROM image_library._image_hm_tags h
               WHERE h.repository_id = e.repository_id AND h.tag = e.tag
               UNION SELECT unnest(e.system_tags) ORDER BY 1) AS hm_tags,
         e.title, e.description, i.annotations, i.labels,
         e.flavor, e.major_version, e.build_at, e.variant, e.os, e.features, e.extensions, e.conflicts
  FROM image_library.entry e
  JOIN image_library.registry g USING (registry_id)
  LEFT JOIN image_library.image i ON i.digest = e.digest
  LEFT JOIN image_library.tag t ON t.repository_id = e.repository_id AND t.name = e.tag
  WHERE e.kind = 'postgres' AND e.approval = 'approved' AND e.missing_since IS NULL AND e.usable_until > now()
    AND e.registry_id <> ALL ((SELECT image_library._hidden_registries())::integer[]);
COMMENT ON VIEW image_library.postgres_images IS 'Approved, present Postgres images: what provisioning may run';

CREATE VIEW image_library.postgres_latest WITH (security_barrier) AS
  SELECT DISTINCT ON (p.flavor, p.major_version, p.variant, p.os) p.*
  FROM image_library.postgres_images p
  WHERE p.flavor IS NOT NULL AND p.major_version IS NOT NULL
  ORDER BY p.flavor, p.major_version, p.variant, p.os, image_library.version_key(p.tag) DESC;
COMMENT ON VIEW image_library.postgres_latest IS
  'The newest approved image of each flavor, major version, variant and OS: newest minor, then newest build';

CREATE FUNCTION image_library.latest_postgres(flavor text, major integer, variant text DEFAULT NULL,
  min_extensions jsonb DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_reference text;
BEGIN
  IF flavor IS NULL OR flavor NOT IN ('postgresql', 'epas', 'pge') THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('unknown Postgres flavor "%s"', flavor),
      HINT = 'It is postgresql, epas or pge.';
  END IF;
  IF jsonb_typeof(min_extensions) <> 'object' THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = 'min_extensions must be an object of extension names and least versions',
      HINT = 'For example {"vector": "0.8"}.';
  END IF;
  SELECT p.pinned_reference INTO found_reference
  FROM image_library.postgres_images p
  WHERE p.flavor = latest_postgres.flavor AND p.major_version = major
    AND coalesce(p.variant, '') = coalesce(latest_postgres.variant, '')
    AND NOT EXISTS (
      SELECT FROM jsonb_each_text(coalesce(min_extensions, '{}')) AS wanted (name, version)
      WHERE NOT EXISTS (
        SELECT FROM image_library.image_extension x
        WHERE x.digest = p.digest AND x.name = wanted.name
          AND image_library.version_key(coalesce(nullif(x.version, ''), '0'))
              >= image_library.version_key(coalesce(nullif(wanted.version, ''), '0'))))
  ORDER BY image_library.version_key(p.tag) DESC
  LIMIT 1;
  IF found_reference IS NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'no_data_found',
      MESSAGE = format('no approved image of %s %s%s%s', flavor, major, ' variant ' || variant,
                       ' with extensions ' || min_extensions::text),
      HINT = 'See image_library.postgres_images and image_library.pending_images.';
  END IF;
  RETURN found_reference;
END
$$;
COMMENT ON FUNCTION image_library.latest_postgres(text, integer, text, jsonb) IS
  'The pinned reference of the newest approved image of a flavor and major version: never of another variant or major';

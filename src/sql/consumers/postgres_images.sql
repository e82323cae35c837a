-- Views and functions for Postgres provisioning: approved, present, usable images.

CREATE VIEW image_library.postgres_images AS
  SELECT u.registry, u.repository, u.tag, u.digest, u.reference, u.pinned_reference, u.kind, u.approval, u.version, u.platforms,
         u.size_bytes, u.created_at, u.first_seen_at, u.digest_changed_at, u.missing_since, u.hm_tags, u.title, u.description,
         u.annotations, u.labels,
         u.flavor, u.major_version, u.build_at, u.variant, u.os, u.features, u.extensions, u.conflicts,
         u.deprecated_from, u.contested,
         coalesce(u.annotations ->> 'org.opencontainers.image.base.name', u.labels ->> 'org.opencontainers.image.base.name') AS base_image
  FROM image_library_internal.usable_images u
  WHERE u.kind = 'postgres';
COMMENT ON VIEW image_library.postgres_images IS 'Approved, present Postgres images, for provisioning';
GRANT SELECT ON image_library.postgres_images TO image_library_reader;

CREATE VIEW image_library.postgres_latest WITH (security_barrier) AS
  SELECT p.*
  FROM image_library.postgres_images p
  WHERE (p.registry, p.repository, p.tag) IN (
    SELECT l.registry, l.repository, l.tag
    FROM (SELECT DISTINCT ON (e.flavor, e.major_version, coalesce(e.variant, ''), coalesce(e.os, '')) e.registry, e.repository, e.tag
          FROM image_library_internal.usable_entries e
          WHERE e.kind = 'postgres' AND e.flavor IS NOT NULL AND e.major_version IS NOT NULL AND NOT e.contested
          ORDER BY e.flavor, e.major_version, coalesce(e.variant, ''), coalesce(e.os, ''),
                   e.newest_key DESC, concat(e.place, ':', e.tag, '@', e.digest) COLLATE "C") l)
  ORDER BY p.flavor, p.major_version, p.variant NULLS FIRST, p.os NULLS FIRST;
COMMENT ON VIEW image_library.postgres_latest IS
  'Newest approved image of each flavor, major version, variant and OS: newest minor version, then newest build; without contested images';
GRANT SELECT ON image_library.postgres_latest TO image_library_reader;

CREATE FUNCTION image_library_internal.has_extensions(digest text, min_extensions jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (
    SELECT FROM jsonb_each_text(coalesce(min_extensions, '{}')) AS wanted (name, version)
    WHERE NOT EXISTS (
      SELECT FROM image_library_internal.image_extension x
      WHERE x.digest = has_extensions.digest AND x.name = wanted.name
        AND image_library.version_key(coalesce(nullif(x.version, ''), '0'))
            >= image_library.version_key(coalesce(nullif(wanted.version, ''), '0'))))
$$;
COMMENT ON FUNCTION image_library_internal.has_extensions IS
  'Whether an image has extensions, each in at least a version (null or empty: any)';

-- Without an OS the newest of all systems is chosen, as in cnpg_image_catalog, and a NOTICE tells if there was a
-- choice.
CREATE FUNCTION image_library.latest_postgres(flavor text, major integer, variant text DEFAULT NULL,
  min_extensions jsonb DEFAULT NULL, os text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known_flavor text := image_library_internal.flavor(flavor);
  latest record;
BEGIN
  IF jsonb_typeof(min_extensions) <> 'object' THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = 'min_extensions must be an object of extension names and least versions',
      HINT = 'For example {"vector": "0.8"}.';
  END IF;
  WITH candidate AS (
    SELECT concat(p.place, ':', p.tag, '@', p.digest) AS pinned_reference, p.newest_key, nullif(p.os, '') AS os, p.contested
    FROM image_library_internal.usable_entries p
    WHERE p.kind = 'postgres' AND p.flavor = known_flavor AND p.major_version = major
      AND coalesce(p.variant, '') = coalesce(latest_postgres.variant, '')
      AND (latest_postgres.os IS NULL OR coalesce(p.os, '') = latest_postgres.os)
      AND image_library_internal.has_extensions(p.digest, min_extensions)
  )
  SELECT c.pinned_reference, c.os,
         (SELECT array_agg(DISTINCT coalesce(o.os, 'unknown') COLLATE "C") FROM candidate o WHERE NOT o.contested) AS choices,
         c.contested
  INTO latest
  FROM candidate c
  ORDER BY c.contested, c.newest_key DESC, c.pinned_reference COLLATE "C"
  LIMIT 1;
  IF coalesce(latest.contested, true) THEN
    RAISE EXCEPTION USING
      ERRCODE = 'no_data_found',
      MESSAGE = format('no approved image of %s %s%s%s%s', known_flavor, major, ' variant ' || variant, ' on ' || os,
                       ' with extensions ' || min_extensions::text),
      DETAIL = coalesce(latest.pinned_reference || ' contradicts itself and is not picked.',
                        (SELECT 'Approved are ' || string_agg(there.choice, ', ') || '.'
                         FROM (SELECT DISTINCT concat_ws(' ', p.flavor, p.major_version, 'variant ' || nullif(p.variant, ''),
                                                         'on ' || nullif(p.os, '')) COLLATE "C" AS choice
                               FROM image_library.postgres_images p WHERE NOT p.contested AND p.major_version IS NOT NULL
                               ORDER BY 1 LIMIT 20) there),
                        'No Postgres image is approved.'),
      HINT = 'See image_library.postgres_images and image_library.' ||
             CASE WHEN latest.contested THEN 'classification_conflicts.' ELSE 'pending_images.' END;
  END IF;
  IF cardinality(latest.choices) > 1 THEN
    RAISE NOTICE USING
      MESSAGE = format('%s %s is approved on several systems: %s', known_flavor, major, array_to_string(latest.choices, ', ')),
      DETAIL = format('The newest was taken: %s.', coalesce(latest.os, 'unknown')),
      HINT = 'Say os =>, so that a cluster never moves to another: a new OS can change how text sorts.';
  END IF;
  RETURN latest.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.latest_postgres IS
  'Pinned reference of the newest approved image of a flavor and major version: newest minor version, then newest build. Never of another major version or variant (null: none), nor a contested one; without os the newest of all systems, with a NOTICE if there was a choice';
GRANT EXECUTE ON FUNCTION image_library.latest_postgres TO image_library_reader;

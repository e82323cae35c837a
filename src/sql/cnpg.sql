-- Postgres images for those who run them: CloudNativePG's catalogs and EDB's image field.
-- Source: postgresql.cnpg.io/v1 ImageCatalog (CloudNativePG documentation, "Image Catalog").

CREATE FUNCTION image_library._catalog_flavor(flavor text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known text := CASE lower(flavor COLLATE "C")
    WHEN 'postgresql' THEN 'postgresql' WHEN 'postgres' THEN 'postgresql' WHEN 'pg' THEN 'postgresql'
    WHEN 'epas' THEN 'epas' WHEN 'pge' THEN 'pge' WHEN 'pgextended' THEN 'pge' END;
BEGIN
  IF known IS NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('unknown flavor "%s"', left(coalesce(flavor, 'null'), 300)),
      HINT = 'Flavors are postgresql, epas and pge.';
  END IF;
  RETURN known;
END
$$;
COMMENT ON FUNCTION image_library._catalog_flavor(text) IS
  'Internal: a flavor in any of the spellings in use, as the library writes it';

CREATE FUNCTION image_library._catalog_candidates(flavor text, variant text, os text, repository text)
RETURNS SETOF image_library.postgres_images
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.*
  FROM image_library.postgres_images p
  WHERE p.flavor = _catalog_candidates.flavor
    AND p.major_version >= 10
    -- The operator trusts the major it is told, so an image that contradicts itself stays out.
    AND coalesce(substring(p.version FROM '^[0-9]+'), p.major_version::text) = p.major_version::text
    AND (_catalog_candidates.variant IS NULL OR coalesce(p.variant, '') = _catalog_candidates.variant)
    AND (_catalog_candidates.os IS NULL OR p.os = _catalog_candidates.os)
    AND (_catalog_candidates.repository IS NULL OR p.repository = _catalog_candidates.repository)
$$;
COMMENT ON FUNCTION image_library._catalog_candidates(text, text, text, text) IS
  'Internal: the approved Postgres images that a catalog may name; null means any';

-- Without a variant the plain images (no variant) are meant, where a major has such.
CREATE FUNCTION image_library._catalog_images(flavor text, variant text, os text, repository text)
RETURNS TABLE (major integer, pinned_reference text, variant_os text, image_os text, platforms text[], choices text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH candidate AS (
    SELECT c.major_version, c.tag, c.pinned_reference, c.os, c.platforms,
           coalesce(c.variant, '') AS variant,
           min(coalesce(c.variant, '') COLLATE "C") OVER (PARTITION BY c.major_version) AS least_variant
    FROM image_library._catalog_candidates(_catalog_images.flavor, _catalog_images.variant,
                                           _catalog_images.os, _catalog_images.repository) c
  ), meant AS (
    SELECT c.*, concat_ws(' ', coalesce(nullif(c.variant, ''), 'plain'), c.os) AS variant_os
    FROM candidate c
    WHERE c.least_variant <> '' OR c.variant = ''
  ), newest AS (
    SELECT DISTINCT ON (m.major_version) m.*
    FROM meant m
    ORDER BY m.major_version, image_library.version_key(m.tag) DESC, m.pinned_reference COLLATE "C"
  )
  SELECT n.major_version, n.pinned_reference, n.variant_os, n.os, n.platforms,
         ARRAY(SELECT DISTINCT m.variant_os COLLATE "C" FROM meant m WHERE m.major_version = n.major_version ORDER BY 1)
  FROM newest n
  ORDER BY n.major_version DESC
  LIMIT 8
$$;
COMMENT ON FUNCTION image_library._catalog_images(text, text, text, text) IS
  'Internal: the newest image of each of the 8 newest majors, with the variants and systems it was chosen from';

-- CloudNativePG extension images are no servers; their documented annotations say what they fit.
CREATE FUNCTION image_library._catalog_extensions(major integer, os text, platforms text[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_agg(jsonb_build_object('name', e.name, 'image', jsonb_build_object('reference', e.pinned_reference))
                   ORDER BY e.name COLLATE "C")
  FROM (
    SELECT DISTINCT ON (x.name) x.name, x.pinned_reference
    FROM (
      SELECT regexp_replace(i.repository, '^.*/', '') AS name, i.tag, i.pinned_reference, i.platforms,
             i.labels || i.annotations AS fact
      FROM image_library.images i
      WHERE i.kind = 'other' AND i.approval = 'approved' AND i.missing_since IS NULL
        AND (i.annotations ? 'io.cloudnativepg.image.base.pgmajor' OR i.labels ? 'io.cloudnativepg.image.base.pgmajor')
    ) x
    WHERE x.fact ->> 'io.cloudnativepg.image.base.pgmajor' = _catalog_extensions.major::text
      AND x.fact ->> 'io.cloudnativepg.image.base.os' = _catalog_extensions.os
      AND x.platforms && _catalog_extensions.platforms
      AND x.name ~ '^[a-z0-9]([-a-z0-9_]*[a-z0-9])?$' AND length(x.name) <= 59
    ORDER BY x.name, image_library.version_key(x.tag) DESC, x.pinned_reference COLLATE "C"
  ) e
$$;
COMMENT ON FUNCTION image_library._catalog_extensions(integer, text, text[]) IS
  'Internal: the newest approved image of every extension for a major, an OS and one of the platforms; null when none';

CREATE FUNCTION image_library.cnpg_image_catalog(name text, namespace text DEFAULT NULL,
  flavor text DEFAULT 'postgresql', variant text DEFAULT NULL, os text DEFAULT NULL, repository text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known_flavor text := image_library._catalog_flavor(flavor);
  metadata jsonb := image_library._kubernetes_metadata(name, namespace, 'subdomain');
  image record;
  images jsonb := '[]';
BEGIN
  FOR image IN
    SELECT c.* FROM image_library._catalog_images(known_flavor, variant, os, repository) c ORDER BY c.major
  LOOP
    IF cardinality(image.choices) > 1 THEN
      RAISE NOTICE USING
        MESSAGE = format('major %s is approved in several forms: %s', image.major, array_to_string(image.choices, ', ')),
        DETAIL = format('The newest build was taken: %s.', image.variant_os),
        HINT = 'Say variant => and os =>, so that a catalog never moves to another: a new OS can change how text sorts.';
    END IF;
    images := images || jsonb_strip_nulls(jsonb_build_object(
      'major', image.major,
      'image', image.pinned_reference,
      -- Extension images are built for community PostgreSQL, and mounted from 18 on.
      'extensions', CASE WHEN image.major >= 18 AND known_flavor = 'postgresql'
                         THEN image_library._catalog_extensions(image.major, image.image_os, image.platforms) END));
  END LOOP;
  IF images = '[]' THEN
    RAISE EXCEPTION USING
      ERRCODE = 'no_data_found',
      MESSAGE = format('no approved Postgres image for catalog "%s"', name),
      DETAIL = format('Looked for flavor %s, variant %s, OS %s, repository %s; a catalog must name at least one image.',
                      known_flavor, coalesce(nullif(variant, ''), CASE WHEN variant = '' THEN 'plain' ELSE 'any' END),
                      coalesce(os, 'any'), coalesce(repository, 'any')),
      HINT = 'See image_library.postgres_images for what is approved, and image_library.pending_images for what waits.';
  END IF;
  RETURN jsonb_build_object(
    'apiVersion', 'postgresql.cnpg.io/v1',
    'kind', CASE WHEN namespace IS NULL THEN 'ClusterImageCatalog' ELSE 'ImageCatalog' END,
    'metadata', metadata,
    'spec', jsonb_build_object('images', images));
END
$$;
COMMENT ON FUNCTION image_library.cnpg_image_catalog(text, text, text, text, text, text) IS
  'CloudNativePG ClusterImageCatalog, or ImageCatalog in a namespace: the newest approved image of each of the 8 newest
majors, pinned by digest; for 18 and later with the approved extension images of the same major and OS.
variant: null is the plain images where there are any, '''' only those; os and repository: null is any, and a
NOTICE tells when that left a choice';

CREATE FUNCTION image_library.edb_image(reference text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('url', p.reference, 'digest', p.digest)
  FROM image_library._approved_postgres(reference) p
$$;
COMMENT ON FUNCTION image_library.edb_image(text) IS
  'The image field of an EDB Postgres AI cluster, {"url": "host/repository:tag", "digest": "sha256:..."}, of an approved image';

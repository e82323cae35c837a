-- Postgres images for those who run them: CloudNativePG's catalogs and EDB's image field.
-- Source: postgresql.cnpg.io/v1 ImageCatalog (CloudNativePG documentation, "Image Catalog").

-- Without a variant or an OS the newest of all is chosen, and a NOTICE tells if there was a choice.
CREATE FUNCTION image_library_internal.catalog_images(flavor text, variant text, os text, repository text)
RETURNS TABLE (major integer, pinned_reference text, form text, image_os text, platforms text[], choices text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH candidate AS (
    SELECT p.repository_id, p.tag, p.major_version, concat(p.place, ':', p.tag, '@', p.digest) AS pinned_reference, p.os, p.newest_key,
           concat_ws(' ', coalesce(nullif(p.variant, ''), 'plain'), p.os) AS form
    FROM image_library_internal.usable_entries p
    WHERE p.kind = 'postgres' AND p.flavor = catalog_images.flavor
      AND p.major_version >= 10
      -- The operator relies on the major version in the catalog.
      AND NOT p.contested
      AND (catalog_images.variant IS NULL OR coalesce(p.variant, '') = catalog_images.variant)
      AND (catalog_images.os IS NULL OR p.os = catalog_images.os)
      AND (catalog_images.repository IS NULL OR p.repository = catalog_images.repository)
  ), newest AS (
    SELECT DISTINCT ON (c.major_version) c.*
    FROM candidate c
    ORDER BY c.major_version, c.newest_key DESC, c.pinned_reference COLLATE "C"
  )
  SELECT n.major_version, n.pinned_reference, n.form, n.os,
         (SELECT l.platforms FROM image_library_internal.tag_platforms l WHERE l.repository_id = n.repository_id AND l.tag = n.tag),
         ARRAY(SELECT DISTINCT c.form COLLATE "C" FROM candidate c WHERE c.major_version = n.major_version ORDER BY 1)
  FROM newest n
  ORDER BY n.major_version DESC
  LIMIT 8
$$;
COMMENT ON FUNCTION image_library_internal.catalog_images IS
  'Newest image of each of the 8 newest major versions (newest minor version, then newest build, then images without a variant), with the variants and systems it was chosen from';

-- CloudNativePG extension images are classified as other; their annotations tell which major version and OS they are
-- for. The query begins with approvals, which are few compared with tags.
CREATE FUNCTION image_library_internal.catalog_extensions(major integer, os text, platforms text[], settings jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH extension_image AS (
    SELECT x.name, t.name AS tag, l.platforms, c.j ->> 'major_version' AS major, c.j ->> 'os' AS os,
           concat(r.place, ':', t.name, '@', t.digest) AS pinned_reference
    FROM image_library_internal.approval a
    JOIN image_library_internal.image_extension x ON x.digest = a.digest
    JOIN image_library_internal.image i ON i.digest = a.digest
    JOIN image_library_internal.tag t ON t.repository_id = a.repository_id AND t.digest = a.digest
    JOIN image_library_internal.tag_platforms l ON l.repository_id = t.repository_id AND l.tag = t.name
    JOIN image_library_internal.visible_repository r ON r.repository_id = a.repository_id
    CROSS JOIN LATERAL (SELECT image_library_internal.own_facts(t.repository_id, t.name, t.digest) OFFSET 0) AS c (j)
    WHERE a.state = 'approved' AND image_library_internal.blocks(t.name, t.rule_id, t.missing_since, a, clock_timestamp()) = '{}'
      AND NOT EXISTS (SELECT FROM image_library_internal.entry e WHERE e.repository_id = t.repository_id AND e.tag = t.name)
      AND c.j ->> 'kind' = 'other' AND NOT (c.j ->> 'contested')::boolean
  ), newest AS (
    SELECT DISTINCT ON (x.name COLLATE "C") x.name, x.pinned_reference
    FROM extension_image x
    WHERE x.major = catalog_extensions.major::text AND x.os = catalog_extensions.os
      AND x.platforms && catalog_extensions.platforms
      AND x.name ~ '^[a-z0-9]([-a-z0-9_]*[a-z0-9])?$' AND length(x.name) <= 59
    ORDER BY x.name COLLATE "C", image_library.version_key(x.tag) DESC, x.pinned_reference COLLATE "C"
  )
  SELECT jsonb_agg(jsonb_build_object('name', n.name, 'image', jsonb_build_object('reference', n.pinned_reference))
                   || coalesce(settings -> n.name, '{}') ORDER BY n.name COLLATE "C")
  FROM newest n
$$;
COMMENT ON FUNCTION image_library_internal.catalog_extensions IS
  'Newest approved image of every extension for a major version, an OS and one of the platforms; null: none';

-- Paths and environment that an extension needs are in no annotation.
CREATE FUNCTION image_library_internal.extension_settings(settings jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $_$
DECLARE
  paths text[] := '{extension_control_path,dynamic_library_path,ld_library_path,bin_path}';
  wrong text;
BEGIN
  IF jsonb_typeof(settings) = 'object' THEN
    SELECT x.key INTO wrong FROM jsonb_each(settings) x
    WHERE CASE WHEN jsonb_typeof(x.value) <> 'object' THEN true
               ELSE x.value - paths - 'env' <> '{}'
                 OR jsonb_path_exists(x.value - 'env', 'strict $.* ? (@.type() != "array")')
                 OR jsonb_path_exists(x.value - 'env', 'lax $.*[*] ? (@.type() != "string" || @ == "")')
                 OR jsonb_typeof(x.value -> 'env') <> 'object'
                 OR EXISTS (SELECT FROM jsonb_each(CASE jsonb_typeof(x.value -> 'env') WHEN 'object' THEN x.value -> 'env' END) v
                            WHERE v.key !~ '^[a-zA-Z_][a-zA-Z0-9_]*$' OR jsonb_typeof(v.value) <> 'string' OR v.value = '""'
                               -- The operator replaces only ${image_root}; $${ is a literal ${.
                               OR strpos(replace(replace(v.value #>> '{}', '$${', ''), '${image_root}', ''), '${') > 0) END
    ORDER BY x.key COLLATE "C" LIMIT 1;
  ELSE
    wrong := jsonb_typeof(settings);
  END IF;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('invalid extension_settings: "%s"', left(wrong, 300)),
      DETAIL = 'Each extension may have extension_control_path, dynamic_library_path, ld_library_path and bin_path, lists of folders, '
               'and env, names with values in which ${image_root} is the folder of the image.',
      HINT = 'For example {"postgis": {"ld_library_path": ["system"], "env": {"PROJ_DATA": "${image_root}/share/proj"}}}.';
  END IF;
  RETURN (SELECT coalesce(jsonb_object_agg(x.key, x.value - 'env' || jsonb_strip_nulls(jsonb_build_object('env',
            (SELECT jsonb_agg(jsonb_build_object('name', v.key, 'value', v.value) ORDER BY v.key COLLATE "C")
             FROM jsonb_each(x.value -> 'env') v)))), '{}')
          FROM jsonb_each(settings) x);
END
$_$;
COMMENT ON FUNCTION image_library_internal.extension_settings IS
  'Settings of extensions as fields of a catalog; raises 22023 for what CloudNativePG would refuse';

CREATE FUNCTION image_library.cnpg_image_catalog(name text, namespace text DEFAULT NULL,
  flavor text DEFAULT 'postgresql', variant text DEFAULT NULL, os text DEFAULT NULL, repository text DEFAULT NULL,
  extension_settings jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known_flavor text := image_library_internal.flavor(flavor);
  settings jsonb := image_library_internal.extension_settings(coalesce(extension_settings, '{}'));
  metadata jsonb := image_library_internal.kubernetes_metadata(name, namespace, 'subdomain');
  image record;
  images jsonb := '[]';
BEGIN
  FOR image IN
    SELECT c.* FROM image_library_internal.catalog_images(known_flavor, variant, os, repository) c ORDER BY c.major
  LOOP
    IF cardinality(image.choices) > 1 THEN
      RAISE NOTICE USING
        MESSAGE = format('major %s is approved in several forms: %s', image.major, array_to_string(image.choices, ', ')),
        DETAIL = format('The newest was taken: %s.', image.form),
        HINT = 'Say variant => and os =>, so that a catalog never moves to another: a new OS can change how text sorts.';
    END IF;
    images := images || jsonb_strip_nulls(jsonb_build_object(
      'major', image.major,
      'image', image.pinned_reference,
      -- Extension images are built for community PostgreSQL, and can be mounted from version 18 on.
      'extensions', CASE WHEN image.major >= 18 AND known_flavor = 'postgresql'
                         THEN image_library_internal.catalog_extensions(image.major, image.image_os, image.platforms, settings) END));
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
COMMENT ON FUNCTION image_library.cnpg_image_catalog IS
  'CloudNativePG ClusterImageCatalog, or ImageCatalog with a namespace: the newest approved image of each of the 8 newest major versions, pinned by digest; for 18 and later with the approved extension images of the same major version and OS. variant ('''': none), os and repository limit the choice; a NOTICE tells if several variants or systems are left for a major version. extension_settings: paths and environment by extension';
GRANT EXECUTE ON FUNCTION image_library.cnpg_image_catalog TO image_library_reader;

CREATE FUNCTION image_library.edb_image(reference text, registry text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('url', p.reference, 'digest', p.digest)
  FROM image_library_internal.approved_postgres(reference, registry) p
$$;
COMMENT ON FUNCTION image_library.edb_image IS
  'The image field of an EDB Postgres AI cluster, {"url": "host/repository:tag", "digest": "sha256:..."}, for an approved image';
GRANT EXECUTE ON FUNCTION image_library.edb_image TO image_library_reader;

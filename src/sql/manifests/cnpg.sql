-- Postgres images for those who run them: CloudNativePG's catalogs and EDB's image field.
-- Source: postgresql.cnpg.io/v1 ImageCatalog (CloudNativePG documentation, "Image Catalog").

CREATE FUNCTION image_library_internal.catalog_images(asked image_library_internal.postgres_request, catalog text)
RETURNS TABLE (major integer, pinned_reference text, image_os text, platforms text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.major_version, p.pinned_reference, p.os,
         (SELECT l.platforms FROM image_library_internal.tag_platforms l WHERE l.repository_id = p.repository_id AND l.tag = p.tag)
  FROM image_library_internal.pick_postgres(asked, format(' for catalog "%s"', catalog)) p
  ORDER BY p.major_version DESC
  LIMIT 8
$$;
COMMENT ON FUNCTION image_library_internal.catalog_images IS
  'Newest image of each of the 8 newest major versions that a request allows; raises P0002, 42P09';

-- Extension images of one name may come from several repositories; which one is meant is never guessed.
CREATE FUNCTION image_library_internal.catalog_extensions(major integer, os text, platforms text[], settings jsonb,
  extension_repositories text[])
RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $_$
DECLARE
  candidates image_library_internal.extension_choice[] := ARRAY(
    SELECT c FROM image_library_internal.extension_choices(major, os, platforms, extension_repositories) c);
  several record;
BEGIN
  SELECT c.name, string_agg(c.pinned_reference, ', ' ORDER BY c.pinned_reference COLLATE "C") AS images INTO several
  FROM unnest(candidates) c
  GROUP BY c.name HAVING count(*) > 1
  ORDER BY c.name COLLATE "C" LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING
      ERRCODE = 'ambiguous_alias',
      MESSAGE = format('extension "%s" for PostgreSQL %s on %s is ambiguous: there is more than one repository', several.name, major, os),
      DETAIL = format('Candidates are %s.', several.images),
      HINT = 'Name the repositories of extension images with extension_repositories =>, such as ''{ghcr.io/cloudnative-pg/*}''.';
  END IF;
  RETURN (SELECT jsonb_agg(jsonb_build_object('name', c.name, 'image', jsonb_build_object('reference', c.pinned_reference))
                           || coalesce(settings -> c.name, '{}') ORDER BY c.name COLLATE "C")
          FROM unnest(candidates) c);
END
$_$;
COMMENT ON FUNCTION image_library_internal.catalog_extensions IS
  'Newest approved image of every extension for a major version, an OS and one of the platforms, from repositories (patterns of host/repository; null: all); null: none; raises 42P09';

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
  flavor text DEFAULT NULL, variant text DEFAULT NULL, os text DEFAULT NULL, repository text DEFAULT NULL,
  extension_settings jsonb DEFAULT '{}', registry text DEFAULT NULL, channel text DEFAULT NULL,
  extension_repositories text[] DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  settings jsonb := image_library_internal.extension_settings(coalesce(extension_settings, '{}'));
  metadata jsonb := image_library_internal.kubernetes_metadata(name, namespace, 'subdomain');
  asked image_library_internal.postgres_request := image_library_internal.new_postgres_request(
    CASE WHEN channel IS NULL THEN coalesce(flavor, 'postgresql') ELSE flavor END, NULL, variant, os, registry, repository, channel, NULL);
  image record;
  images jsonb := '[]';
BEGIN
  -- The operator takes no older ones.
  asked.first_major := 10;
  FOR image IN
    SELECT c.* FROM image_library_internal.catalog_images(asked, name) c ORDER BY c.major
  LOOP
    images := images || jsonb_strip_nulls(jsonb_build_object(
      'major', image.major,
      'image', image.pinned_reference,
      -- Extension images are built for community PostgreSQL, and can be mounted from version 18 on.
      'extensions', CASE WHEN image.major >= 18 AND asked.flavor = 'postgresql'
                         THEN image_library_internal.catalog_extensions(image.major, image.image_os, image.platforms, settings,
                                                                        extension_repositories) END));
  END LOOP;
  RETURN jsonb_build_object(
    'apiVersion', 'postgresql.cnpg.io/v1',
    'kind', CASE WHEN namespace IS NULL THEN 'ClusterImageCatalog' ELSE 'ImageCatalog' END,
    'metadata', metadata,
    'spec', jsonb_build_object('images', images));
END
$$;
COMMENT ON FUNCTION image_library.cnpg_image_catalog IS
  'CloudNativePG ClusterImageCatalog, or ImageCatalog with a namespace: the newest approved image of each of the 8 newest major versions, pinned by digest; for 18 and later with the approved extension images of the same major version and OS. flavor (postgresql, unless the channel has another), variant ('''': none), os, registry and repository, or a channel, limit the choice; if several repositories, variants or systems are left, the catalog is ambiguous (42P09). extension_settings: paths and environment by extension; extension_repositories: patterns of host/repository of extension images';
GRANT EXECUTE ON FUNCTION image_library.cnpg_image_catalog TO image_library_reader;

CREATE FUNCTION image_library.edb_image(reference text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('url', p.reference, 'digest', p.digest)
  FROM image_library_internal.approved_postgres(reference) p
$$;
COMMENT ON FUNCTION image_library.edb_image IS
  'The image field of an EDB Postgres AI cluster, {"url": "host/repository:tag", "digest": "sha256:..."}, for an approved image';
GRANT EXECUTE ON FUNCTION image_library.edb_image TO image_library_reader;

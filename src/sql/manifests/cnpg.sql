-- Postgres images for those who run them: CloudNativePG's catalogs and EDB's image field.
-- Source: postgresql.cnpg.io/v1 ImageCatalog (CloudNativePG documentation, "Image Catalog"; what its webhook of 1.30 checks in
-- extensions of a Cluster), and the labels of the catalogs that CloudNativePG publishes.

CREATE FUNCTION image_library_internal.catalog_images(asked image_library_internal.postgres_request, catalog text)
RETURNS TABLE (major integer, pinned_reference text, image_variant text, image_os text, platforms text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.major_version, p.pinned_reference, p.variant, p.os,
         (SELECT l.platforms FROM image_library_internal.tag_platforms l WHERE l.repository_id = p.repository_id AND l.tag = p.tag)
  FROM image_library_internal.pick_postgres(asked, format(' for catalog "%s"', catalog)) p
  ORDER BY p.major_version DESC
$$;
COMMENT ON FUNCTION image_library_internal.catalog_images IS
  'Newest image of each major version that a request allows; raises P0002, 42P09';

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
    PERFORM image_library_internal.fail(
      errcode => 'ambiguous_alias',
      message => format('extension "%s" for PostgreSQL %s on %s is ambiguous: there is more than one repository', several.name, major, os),
      detail => format('Candidates are %s.', several.images),
      hint => 'Name the repositories of extension images with extension_repositories =>, such as ''{ghcr.io/cloudnative-pg/*}''.');
  END IF;
  RETURN (SELECT jsonb_agg(jsonb_build_object('name', c.name, 'image', jsonb_build_object('reference', c.pinned_reference))
                           || coalesce(settings -> c.name, '{}') ORDER BY c.name COLLATE "C")
          FROM unnest(candidates) c);
END
$_$;
COMMENT ON FUNCTION image_library_internal.catalog_extensions IS
  'Newest approved image of every extension for a major version, an OS and one of the platforms, from repositories (patterns of host/repository; null: all); null: none; raises 42P09';

-- The operator joins a path with the folder of the image, so that it counts from there even with a leading slash.
CREATE FUNCTION image_library_internal.leaves_folder(path text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM (SELECT sum(CASE p.part WHEN '..' THEN -1 ELSE 1 END) OVER (ORDER BY p.position) AS depth
                 FROM unnest(string_to_array(path, '/')) WITH ORDINALITY AS p (part, position) WHERE p.part NOT IN ('', '.')) d
    WHERE d.depth < 0)
$$;
COMMENT ON FUNCTION image_library_internal.leaves_folder IS 'Whether a path leads out of the folder that it is joined with';

CREATE FUNCTION image_library_internal.is_extension_env(name text, value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT name ~ '^[a-zA-Z_][a-zA-Z0-9_]*$' AND jsonb_typeof(value) = 'string' AND value <> '""'
         -- Reserved for the operator, or set through bin_path and ld_library_path.
         AND upper(name COLLATE "C") !~ '^(CNPG_|PG)' AND upper(name COLLATE "C") NOT IN ('POD_NAME', 'NAMESPACE', 'CLUSTER_NAME')
         AND name NOT IN ('PATH', 'LD_LIBRARY_PATH')
         -- The operator replaces only ${image_root}; an even number of dollars stands for half as many.
         AND NOT EXISTS (SELECT FROM regexp_matches(value #>> '{}', E'(\\$+)\\{([^}]+)\\}', 'g') m
                         WHERE length(m[1]) % 2 = 1 AND m[2] <> 'image_root')
$$;
COMMENT ON FUNCTION image_library_internal.is_extension_env IS
  'Whether CloudNativePG accepts a variable of an extension: not reserved, with a value whose only placeholder is ${image_root}';

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
               WHEN x.value - paths - 'env' <> '{}'
                 OR jsonb_path_exists(x.value - 'env', 'strict $.* ? (@.type() != "array")')
                 OR jsonb_path_exists(x.value - 'env', 'lax $.*[*] ? (@.type() != "string" || @ == "")')
                 OR jsonb_typeof(x.value -> 'env') <> 'object' THEN true
               ELSE EXISTS (SELECT FROM jsonb_each(x.value - 'env') l
                            WHERE (SELECT count(*) <> count(DISTINCT p.path) OR bool_or(image_library_internal.leaves_folder(p.path))
                                   FROM jsonb_array_elements_text(l.value) AS p (path)))
                 OR EXISTS (SELECT FROM jsonb_each(x.value -> 'env') v WHERE NOT image_library_internal.is_extension_env(v.key, v.value)) END
    ORDER BY x.key COLLATE "C" LIMIT 1;
  ELSE
    wrong := jsonb_typeof(settings);
  END IF;
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid extension_settings: "%s"', left(wrong, 300)),
      detail => 'Each extension may have extension_control_path, dynamic_library_path, ld_library_path and bin_path, lists of different folders '
               'inside the image, and env, names with values in which ${image_root} is the folder of the image. CloudNativePG reserves PG*, CNPG_*, '
               'POD_NAME, NAMESPACE and CLUSTER_NAME; PATH and LD_LIBRARY_PATH are bin_path and ld_library_path.',
      hint => 'For example {"postgis": {"ld_library_path": ["system"], "env": {"PROJ_DATA": "${image_root}/share/proj"}}}.');
  END IF;
  RETURN (SELECT coalesce(jsonb_object_agg(x.key, x.value - 'env' || jsonb_strip_nulls(jsonb_build_object('env',
            (SELECT jsonb_agg(jsonb_build_object('name', v.key, 'value', v.value) ORDER BY v.key COLLATE "C")
             FROM jsonb_each(x.value -> 'env') v)))), '{}')
          FROM jsonb_each(settings) x);
END
$_$;
COMMENT ON FUNCTION image_library_internal.extension_settings IS
  'Settings of extensions as fields of a catalog; raises 22023 for what CloudNativePG would refuse';

CREATE FUNCTION image_library_internal.component_images(components jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF jsonb_typeof(components) <> 'object'
     OR EXISTS (SELECT FROM jsonb_each(CASE jsonb_typeof(components) WHEN 'object' THEN components END) c
                WHERE jsonb_typeof(c.value) <> 'string' OR c.key !~ '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid component_images: "%s"', left(components::text, 300)),
      detail => 'It is an object of references by key. A key has up to 63 lower-case letters, digits and dashes.',
      hint => 'For example {"pgbouncer": "ghcr.io/cloudnative-pg/pgbouncer:1.25.1"}.');
  END IF;
  IF (SELECT count(*) > 32 FROM jsonb_object_keys(components)) THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => 'a catalog has at most 32 component images');
  END IF;
  RETURN (SELECT jsonb_agg(jsonb_build_object('key', c.key, 'image', image_library.resolve(c.value)) ORDER BY c.key COLLATE "C")
          FROM jsonb_each_text(components) c);
END
$$;
COMMENT ON FUNCTION image_library_internal.component_images IS
  'componentImages of a catalog, approved and pinned by digest; null: none. Raises 22023 for what CloudNativePG would refuse, and the errors of resolve';

-- The labels by which CloudNativePG's own catalogs are selected. A label that is not the same for all images is left out,
-- and so is the date, which would make other bytes of an equal library.
CREATE FUNCTION image_library_internal.catalog_labels(flavor text, variants text[], systems text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_object_agg('images.cnpg.io/' || l.name, l.value) FILTER (WHERE l.value <> '' AND image_library_internal.is_label_value(l.value))
  FROM (VALUES ('family', flavor), ('publisher', 'image_library'),
               ('type', CASE WHEN variants[1] = ALL (variants) THEN variants[1] END),
               ('os', CASE WHEN systems[1] = ALL (systems) THEN systems[1] END)) l (name, value)
$$;
COMMENT ON FUNCTION image_library_internal.catalog_labels IS
  'Labels images.cnpg.io/* of a catalog: family, publisher, and type and OS where all images have the same';

CREATE FUNCTION image_library.cnpg_image_catalog(name text, namespace text DEFAULT NULL,
  flavor text DEFAULT NULL, variant text DEFAULT NULL, os text DEFAULT NULL, repository text DEFAULT NULL,
  extension_settings jsonb DEFAULT '{}', registry text DEFAULT NULL, channel text DEFAULT NULL,
  extension_repositories text[] DEFAULT NULL, majors integer[] DEFAULT NULL, component_images jsonb DEFAULT NULL,
  overrides jsonb DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  settings jsonb := image_library_internal.extension_settings(coalesce(extension_settings, '{}'));
  metadata jsonb := image_library_internal.kubernetes_metadata(name, namespace, 'subdomain');
  components jsonb := image_library_internal.component_images(component_images);
  asked image_library_internal.postgres_request := image_library_internal.new_postgres_request(
    CASE WHEN channel IS NULL THEN coalesce(flavor, 'postgresql') ELSE flavor END, NULL, variant, os, registry, repository, channel, NULL);
  image record;
  images jsonb := '[]';
  lacking text;
  variants text[];
  systems text[];
BEGIN
  -- The operator takes no older ones.
  asked.first_major := 10;
  asked.majors := majors;
  FOR image IN
    SELECT c.* FROM image_library_internal.catalog_images(asked, name) c ORDER BY c.major
  LOOP
    variants := variants || coalesce(image.image_variant, '');
    systems := systems || coalesce(image.image_os, '');
    images := images || jsonb_strip_nulls(jsonb_build_object(
      'major', image.major,
      'image', image.pinned_reference,
      -- Extension images are built for community PostgreSQL, and can be mounted from version 18 on.
      'extensions', CASE WHEN image.major >= 18 AND asked.flavor = 'postgresql'
                         THEN image_library_internal.catalog_extensions(image.major, image.image_os, image.platforms, settings,
                                                                        extension_repositories) END));
  END LOOP;
  IF majors <> '{}' THEN
    SELECT string_agg(m::text, ', ' ORDER BY m) INTO lacking
    FROM (SELECT unnest(majors) EXCEPT SELECT (i ->> 'major')::integer FROM jsonb_array_elements(images) i) l (m);
    IF lacking IS NOT NULL THEN
      RAISE NOTICE USING
        MESSAGE = format('catalog "%s" lacks major versions that were asked for: %s', name, lacking),
        DETAIL = 'No approved image of them is as asked for. A cluster that refers to the catalog needs its major version there.',
        HINT = 'See image_library.postgres_images and image_library.pending_images.';
    END IF;
  END IF;
  IF jsonb_array_length(images) > 8 THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('catalog "%s" would have %s major versions', name, jsonb_array_length(images)),
      detail => format('CloudNativePG allows 8 in a catalog, and there are: %s.',
                      (SELECT string_agg(i ->> 'major', ', ') FROM jsonb_array_elements(images) i)),
      hint => 'Say majors => those that the catalog should have.');
  END IF;
  RETURN image_library_internal.overridden(jsonb_build_object(
    'apiVersion', 'postgresql.cnpg.io/v1',
    'kind', CASE WHEN namespace IS NULL THEN 'ClusterImageCatalog' ELSE 'ImageCatalog' END,
    'metadata', metadata || jsonb_build_object('labels', image_library_internal.catalog_labels(asked.flavor, variants, systems)),
    'spec', jsonb_strip_nulls(jsonb_build_object('images', images, 'componentImages', components))), overrides);
END
$$;
COMMENT ON FUNCTION image_library.cnpg_image_catalog IS
  'CloudNativePG ClusterImageCatalog, or ImageCatalog with a namespace: the newest approved image of each major version (of majors; at most 8), pinned by digest; for 18 and later with the approved extension images of the same major version and OS. flavor (postgresql, unless the channel has another), variant ('''': none), os, registry and repository, or a channel, limit the choice; if several repositories, variants or systems are left, the catalog is ambiguous (42P09). extension_settings: paths and environment by extension; extension_repositories: patterns of host/repository of extension images. component_images: references by key, for a Pooler (CloudNativePG 1.29.2 and later). overrides: labels and annotations, merged in last';
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

-- Example policies. Functions with one argument can be added as they are; call the others from a function of your own.

CREATE FUNCTION image_library.has_age(image image_library.images, at_least interval) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT image.digest_changed_at <= now() - at_least $$;
COMMENT ON FUNCTION image_library.has_age IS
  'For policies: whether the tag has pointed at the image for at least a time, as seen by the library';
GRANT EXECUTE ON FUNCTION image_library.has_age TO image_library_reader;

CREATE FUNCTION image_library.has_annotations(image image_library.images, keys text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (SELECT FROM unnest(keys) k
                     WHERE coalesce(image.annotations ->> k, '') = '' AND coalesce(image.labels ->> k, '') = '')
$$;
COMMENT ON FUNCTION image_library.has_annotations IS
  'For policies: whether the image has a value for each of some annotations or labels';
GRANT EXECUTE ON FUNCTION image_library.has_annotations TO image_library_reader;

CREATE FUNCTION image_library.has_platforms(image image_library.images, platforms text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(image.platforms, '{}') @> platforms $$;
COMMENT ON FUNCTION image_library.has_platforms IS
  'For policies: whether the image has each of some platforms, such as linux/arm64';
GRANT EXECUTE ON FUNCTION image_library.has_platforms TO image_library_reader;

CREATE FUNCTION image_library.has_referrer(image image_library.images, artifact_types text[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  -- Referrers in another repository do not count, since other people may push there.
  SELECT EXISTS (SELECT FROM image_library.image_referrers x
                 WHERE x.digest = image.digest AND x.artifact_type LIKE ANY (artifact_types)
                   AND (x.repository IS NULL OR (x.registry, x.repository) = (image.registry, image.repository)))
$$;
COMMENT ON FUNCTION image_library.has_referrer IS
  'For policies: whether a referrer of one of these types (LIKE patterns) is listed for the image in its repository; it is not verified';
GRANT EXECUTE ON FUNCTION image_library.has_referrer TO image_library_reader;

-- Older tags of cosign (sha256-....sig) have a layer of type simplesigning.
CREATE FUNCTION image_library.is_signed(image image_library.images) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library.has_referrer(image, ARRAY[
    'application/vnd.dev.cosign.artifact.sig%', 'application/vnd.dev.cosign.simplesigning%',
    'application/vnd.dev.sigstore.bundle%', 'application/vnd.cncf.notary.signature%'])
$$;
COMMENT ON FUNCTION image_library.is_signed IS
  'Policy: whether a signature of cosign, Sigstore or Notary is listed for the image; it is not verified';
GRANT EXECUTE ON FUNCTION image_library.is_signed TO image_library_reader;

CREATE FUNCTION image_library.has_sbom(image image_library.images) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library.has_referrer(image, ARRAY[
    'application/spdx%', 'text/spdx%', 'application/vnd.cyclonedx%', 'application/vnd.syft%'])
$$;
COMMENT ON FUNCTION image_library.has_sbom IS
  'Policy: whether an SBOM (SPDX, CycloneDX, Syft) is listed for the image; it is not verified';
GRANT EXECUTE ON FUNCTION image_library.has_sbom TO image_library_reader;

CREATE FUNCTION image_library.is_from(image image_library.images, registries text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT image.registry = ANY (registries) $$;
COMMENT ON FUNCTION image_library.is_from IS
  'For policies: whether the image comes from one of some registries, given by name';
GRANT EXECUTE ON FUNCTION image_library.is_from TO image_library_reader;

CREATE FUNCTION image_library.has_features(image image_library.images, features text[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce((SELECT e.features @> has_features.features
                   FROM image_library_internal.entry e JOIN image_library_internal.visible_repository r USING (repository_id)
                   WHERE r.registry = image.registry AND r.repository = image.repository AND e.tag = image.tag), false)
$$;
COMMENT ON FUNCTION image_library.has_features IS
  'For policies: whether a Postgres image has each of some features, such as tde';
GRANT EXECUTE ON FUNCTION image_library.has_features TO image_library_reader;

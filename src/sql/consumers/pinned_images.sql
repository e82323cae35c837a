-- Facts of images by their pinned reference, also if their tags have moved.

-- postgres_images and model_library have a row for each tag that is present, with the digest that it points at now.
CREATE FUNCTION image_library_internal.pinned_image(reference text, kind text, in_registry text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, in_registry);
BEGIN
  RETURN (
    SELECT to_jsonb(e) || jsonb_build_object(
      'registry', image.registry, 'pinned_reference', image.pinned_reference, 'reference', split_part(image.pinned_reference, '@', 1),
      'platforms', i.platforms, 'first_seen_at', i.first_seen_at, 'annotations', i.annotations, 'labels', i.labels,
      'base_image', coalesce(i.annotations ->> 'org.opencontainers.image.base.name', i.labels ->> 'org.opencontainers.image.base.name'))
    FROM image_library_internal.entry_of(image.repository_id, image.tag, image.digest) e
    JOIN image_library_internal.image i ON i.digest = e.digest
    WHERE e.kind = pinned_image.kind);
END
$$;
COMMENT ON FUNCTION image_library_internal.pinned_image IS
  'Columns of postgres_images or model_library for an image whose tag has moved or is missing; null: it is of another kind';

CREATE FUNCTION image_library.find_postgres_image(reference text, registry text DEFAULT NULL) RETURNS SETOF image_library.postgres_images
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image image_library.postgres_images;
BEGIN
  IF image_library.is_usable(reference, registry) THEN
    image := jsonb_populate_record(image, image_library_internal.pinned_image(reference, 'postgres', registry));
    IF image.digest IS NOT NULL THEN
      RETURN NEXT image;
    END IF;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.find_postgres_image IS
  'Row as in postgres_images for a Postgres image that may be used, also if its tag has moved since; no row: it may not be used, is unknown or of another kind';
GRANT EXECUTE ON FUNCTION image_library.find_postgres_image TO image_library_reader;

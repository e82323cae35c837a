-- resolve: the pinned reference of an image that may be used now.

CREATE FUNCTION image_library.resolve(reference text, consumer text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference);
  current image_library_internal.approval;
  blocks text[];
  unusable record;
  decided record;
BEGIN
  SELECT * INTO current FROM image_library_internal.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  blocks := image_library_internal.blocks(image.tag, image.rule_id, image.missing_since, current, clock_timestamp());
  IF cardinality(blocks) > 0 THEN
    SELECT * INTO unusable FROM image_library_internal.why_blocked(blocks[1], image.missing_since, current);
    SELECT d.actor, d.reason INTO decided FROM image_library_internal.decision d WHERE d.decision_id = unusable.decision_id;
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('image "%s" may not be used: %s', reference, unusable.why),
      DETAIL = format('It is %s%s.', image.pinned_reference,
                      coalesce(', as decided by ' || decided.actor || coalesce(': ' || decided.reason, ''), '')),
      HINT = unusable.hint;
  END IF;
  IF consumer IS NOT NULL THEN
    PERFORM image_library_internal.check_consumer_policies(reference, image, consumer);
  END IF;
  IF current.deprecated_from IS NOT NULL THEN
    RAISE WARNING USING
      MESSAGE = format('image "%s" is deprecated: it may be used until %s', reference, current.deprecated_from),
      DETAIL = image_library_internal.decided_so(current.deprecation_id),
      HINT = 'Move to a newer image.';
  END IF;
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.resolve IS
  'Returns the pinned reference (host/repository:tag@digest) of an approved, present image, otherwise raises an error that tells why it may not be used. With a consumer also if a policy for it is not met. Warns if the image will be deprecated';
GRANT EXECUTE ON FUNCTION image_library.resolve TO image_library_reader;

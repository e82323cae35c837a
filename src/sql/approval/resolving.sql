-- Images that may be used now: resolve gives the pinned reference, is_usable asks without an error.

CREATE FUNCTION image_library.resolve(reference text, registry text DEFAULT NULL, consumer text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, registry);
  current image_library_internal.approval;
  blocks text[];
  unusable record;
  decided record;
  -- A role that writes a guarded table need not be one.
  is_reader boolean := image_library_internal.has_role('image_library_reader');
BEGIN
  SELECT * INTO current FROM image_library_internal.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  blocks := image_library_internal.blocks_of(image, current);
  IF cardinality(blocks) > 0 THEN
    SELECT * INTO unusable FROM image_library_internal.why_blocked(blocks[1], image.gone_since, current);
    SELECT d.actor, d.reason INTO decided FROM image_library_internal.decision d WHERE d.decision_id = unusable.decision_id;
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('image "%s" may not be used: %s', reference, unusable.why),
      detail => format('It is %s%s.', image.pinned_reference,
                      coalesce(', as decided by ' || decided.actor || coalesce(': ' || decided.reason, ''), '')),
      -- A digest can be approved by a tag that points at it only.
      hint => CASE WHEN image.moved_to IS NOT NULL AND blocks[1] IN ('pending', 'rejected', 'revoked', 'expired')
                   THEN 'Its tag has moved, so that it is not approved again: use what the tag points at now, once that is approved.'
                   ELSE unusable.hint END);
  END IF;
  IF consumer IS NOT NULL THEN
    -- An empty name would have no policies.
    PERFORM image_library_internal.check_consumer(consumer);
    PERFORM image_library_internal.check_consumer_policies(reference, image, consumer);
  END IF;
  IF image.gone_since IS NOT NULL THEN
    RAISE WARNING USING
      MESSAGE = format('image "%s" is missing from its registry since %s', reference, image.gone_since),
      DETAIL = format('It may be used %s, as image_library.missing_grace says.',
                      coalesce('until ' || (image.gone_since + image_library_internal.missing_grace())::text, 'without end')),
      HINT = 'Move to another image, or push this one again.';
  END IF;
  IF image.moved_to IS NOT NULL THEN
    RAISE NOTICE USING
      MESSAGE = format('tag "%s" of image "%s" has moved%s', image.tag, reference,
                       CASE WHEN is_reader THEN format(': it points at %s now', image.moved_to) END),
      DETAIL = 'The digest that the reference names is approved, and may be used.';
  END IF;
  IF current.deprecated_from IS NOT NULL THEN
    RAISE WARNING USING
      MESSAGE = format('image "%s" is deprecated: it may be used until %s', reference, current.deprecated_from),
      DETAIL = CASE WHEN is_reader THEN image_library_internal.decided_so(current.deprecation_id)
                    ELSE 'A member of image_library_reader is told more.' END,
      HINT = 'Move to a newer image.';
  END IF;
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.resolve IS
  'Returns the pinned reference (host/repository:tag@digest) of an approved, present image, otherwise raises an error that tells why it may not be used. A reference with a digest means that digest, also if its tag has moved (NOTICE) or is missing for less than image_library.missing_grace (WARNING). With a consumer the policies for it must be met too. Warns if the image will be deprecated';
GRANT EXECUTE ON FUNCTION image_library.resolve TO image_library_reader;

CREATE FUNCTION image_library.is_usable(reference text, registry text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record;
  current image_library_internal.approval;
BEGIN
  IF NOT image_library_internal.is_known(reference, registry) THEN
    RETURN false;
  END IF;
  image := image_library_internal.find_image(reference, registry);
  SELECT * INTO current FROM image_library_internal.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  RETURN image_library_internal.blocks_of(image, current) = '{}';
END
$$;
COMMENT ON FUNCTION image_library.is_usable IS
  'Whether resolve returns a pinned reference for an image now; false for an image that is not in the library';
GRANT EXECUTE ON FUNCTION image_library.is_usable TO image_library_reader;

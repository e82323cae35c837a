-- Asking for one image: the pinned reference of what may be used now.

CREATE FUNCTION image_library._why_unusable(image record, current image_library.approval,
  OUT why text, OUT hint text, OUT decision_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  decision_id := current.decision_id;
  IF image.tag IS NULL THEN
    why := 'no tag points at it any more';
    hint := 'See image_library.tag_history for what its tag points at now.';
  ELSIF image.rule_id IS NULL THEN
    why := 'no rule admits it';
    hint := 'See image_library.explain_tag.';
  ELSIF image.missing_since IS NOT NULL THEN
    why := 'it is missing from its registry';
    hint := format('It is gone since %s; see image_library.tag_history.', image.missing_since);
  ELSIF current.quarantined_at IS NOT NULL THEN
    why := 'it is in quarantine';
    hint := 'A curator ends that with image_library.release.';
    decision_id := current.quarantine_id;
  ELSIF coalesce(current.state, 'pending') <> 'approved' THEN
    why := format('it is %s', coalesce(current.state, 'pending'));
    hint := CASE coalesce(current.state, 'pending')
      WHEN 'pending' THEN 'A curator decides with image_library.approve or reject.'
      ELSE 'See image_library.decisions; a curator may reset it.' END;
  ELSIF image_library._is_expired(current) THEN
    why := format('its approval expired at %s', current.valid_until);
    hint := 'A curator may approve it again.';
  ELSIF current.deprecated_from <= clock_timestamp() THEN
    why := format('it is deprecated since %s', current.deprecated_from);
    hint := 'Use a newer image; a curator may end that with image_library.undeprecate.';
    decision_id := current.deprecation_id;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library._why_unusable(record, image_library.approval) IS
  'Internal: why an image that _find_image found may not be used now, what to do, and which decision says so; why is null: it may';

CREATE FUNCTION image_library.resolve(reference text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library._find_image(reference);
  current image_library.approval;
  unusable record;
  decided record;
BEGIN
  SELECT * INTO current FROM image_library.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  SELECT * INTO unusable FROM image_library._why_unusable(image, current);
  IF unusable.why IS NOT NULL THEN
    SELECT d.actor, d.reason INTO decided FROM image_library.decision d WHERE d.decision_id = unusable.decision_id;
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('image "%s" may not be used: %s', reference, unusable.why),
      DETAIL = format('It is %s%s.', image.pinned_reference,
                      coalesce(', as decided by ' || decided.actor || coalesce(': ' || decided.reason, ''), '')),
      HINT = unusable.hint;
  END IF;
  IF current.deprecated_from IS NOT NULL THEN
    RAISE WARNING USING
      MESSAGE = format('image "%s" is deprecated: it may be used until %s', reference, current.deprecated_from),
      DETAIL = image_library._decided_so(current.deprecation_id),
      HINT = 'Move to a newer image.';
  END IF;
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.resolve(text) IS
  'The pinned reference (host/repository:tag@digest) of an approved, present image; else an error that says why not. Warns of
what will be deprecated';

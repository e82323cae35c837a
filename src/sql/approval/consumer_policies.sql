-- Policies for the use of an image by one consumer. They are asked by resolve, and told by record_use.

CREATE FUNCTION image_library_internal.consumer_verdict(image record, consumer text,
  OUT required text[], OUT failures text[], OUT warnings text[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Few consumers have policies.
  IF NOT EXISTS (SELECT FROM image_library_internal.policy p WHERE p.enabled AND p.applies_to = 'consumer:' || consumer) THEN
    RETURN;
  END IF;
  SELECT coalesce(array_agg(DISTINCT o.policy) FILTER (WHERE o.effect = 'require'), '{}'),
         array_agg(DISTINCT format('"%s": %s', o.policy, o.reason)) FILTER (WHERE o.effect = 'require'),
         array_agg(DISTINCT format('"%s": %s', o.policy, o.reason)) FILTER (WHERE o.effect = 'warn')
  INTO required, failures, warnings
  FROM image_library_internal.policy_outcomes(image.registry, image.repository, image.digest, '{require,warn}', consumer, image.tag) o
  WHERE o.reason IS NOT NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.consumer_verdict IS
  'Required policies of a consumer that an image does not meet (null: it has no policies), and what is to be told of those and of the others';

CREATE FUNCTION image_library_internal.warn_of_policies(reference text, consumer text, told text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF cardinality(told) > 0 THEN
    RAISE WARNING USING
      MESSAGE = format('image "%s" does not meet every policy for "%s"', reference, consumer),
      DETAIL = array_to_string(told, E'\n'),
      HINT = 'See image_library.policy_failures and image_library.policies.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.warn_of_policies IS 'Warns of the policies of a consumer that an image does not meet';

CREATE FUNCTION image_library_internal.check_consumer_policies(reference text, image record, consumer text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  verdict record := image_library_internal.consumer_verdict(image, consumer);
BEGIN
  IF verdict.failures IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('image "%s" may not be used by "%s": it does not meet what policies require', reference, consumer),
      detail => array_to_string(verdict.failures, E'\n'),
      hint => 'See image_library.policy_failures and image_library.policies.');
  END IF;
  PERFORM image_library_internal.warn_of_policies(image.pinned_reference, consumer, verdict.warnings);
END
$$;
COMMENT ON FUNCTION image_library_internal.check_consumer_policies IS
  'Raises 55000 with the required policies of a consumer that an image does not meet, and warns of the others';

-- What runs is recorded whether or not it may. Drift shows the verdict of this time, since a view must not run
-- functions of users for each of its rows.
CREATE FUNCTION image_library_internal.note_consumer_policies(image record, consumer text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  verdict record := image_library_internal.consumer_verdict(image, consumer);
BEGIN
  IF verdict.required IS NULL THEN
    RETURN;
  END IF;
  UPDATE image_library_internal.image_use u SET unmet_policies = verdict.required, policies_checked_at = clock_timestamp()
  WHERE u.repository_id = image.repository_id AND u.digest = image.digest AND u.consumer = note_consumer_policies.consumer
    AND u.released_at IS NULL;
  PERFORM image_library_internal.warn_of_policies(image.pinned_reference, consumer, verdict.failures || verdict.warnings);
END
$$;
COMMENT ON FUNCTION image_library_internal.note_consumer_policies IS
  'Records which policies of its consumer an image in use does not meet, and warns of them';

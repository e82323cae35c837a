-- Whether an image may be used, and why not. resolve, approve, drift, history, manifests and guarded tables use this.

-- In the order in which errors tell them. An image without a row in approval is pending.
CREATE FUNCTION image_library_internal.blocks(tag text, rule_id bigint, missing_since timestamptz, approval image_library_internal.approval, at timestamptz)
RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_remove(ARRAY[
  CASE WHEN tag IS NULL THEN 'no tag' WHEN rule_id IS NULL THEN 'not admitted' END,
  CASE WHEN missing_since IS NOT NULL THEN 'missing' END,
  CASE WHEN (approval).quarantined_at IS NOT NULL THEN 'quarantined' END,
  CASE WHEN coalesce((approval).state, 'pending') <> 'approved' THEN coalesce((approval).state, 'pending') END,
  CASE WHEN (approval).state = 'approved' AND (approval).valid_until <= at THEN 'expired' END,
  CASE WHEN (approval).deprecated_from <= at THEN 'deprecated' END], NULL);
COMMENT ON FUNCTION image_library_internal.blocks IS
  'Reasons why an image may not be used at a time: no tag, not admitted, missing, quarantined, pending, rejected, revoked, expired, deprecated; empty: it may be used';
GRANT EXECUTE ON FUNCTION image_library_internal.blocks TO image_library_reader;

-- For the read model and for earlier times: a present image may be used at times before this one, as blocks says.
CREATE FUNCTION image_library_internal.usable_until(state text, valid_until timestamptz, deprecated_from timestamptz, quarantined boolean)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN quarantined OR coalesce(state, 'pending') <> 'approved' THEN '-infinity'
            ELSE least(coalesce(valid_until, 'infinity'), coalesce(deprecated_from, 'infinity')) END;
COMMENT ON FUNCTION image_library_internal.usable_until IS
  'Time until which an approval counts, that is until it expires or is deprecated; -infinity: it does not count';
GRANT EXECUTE ON FUNCTION image_library_internal.usable_until TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.waits_from(state text, valid_until timestamptz, quarantined boolean) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN quarantined THEN NULL WHEN coalesce(state, 'pending') = 'pending' THEN '-infinity' WHEN state = 'approved' THEN valid_until END;
COMMENT ON FUNCTION image_library_internal.waits_from IS
  'Time from which an image waits for a decision: -infinity if it is pending, else the end of its approval; null: it does not wait';
GRANT EXECUTE ON FUNCTION image_library_internal.waits_from TO image_library_agent;

CREATE FUNCTION image_library_internal.why_blocked(block text, missing_since timestamptz, approval image_library_internal.approval,
  OUT why text, OUT hint text, OUT decision_id bigint)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  decision_id := approval.decision_id;
  CASE block
    WHEN 'no tag' THEN
      why := 'no tag points at it any more';
      hint := 'See image_library.tag_history for what its tag points at now.';
    WHEN 'not admitted' THEN
      why := 'no rule admits it';
      hint := 'See image_library.explain_tag.';
    WHEN 'missing' THEN
      why := 'it is missing from its registry';
      hint := format('It is gone since %s; see image_library.tag_history.', missing_since);
    WHEN 'quarantined' THEN
      why := 'it is in quarantine';
      hint := 'A curator ends that with image_library.release.';
      decision_id := approval.quarantine_id;
    WHEN 'expired' THEN
      why := format('its approval expired at %s', approval.valid_until);
      hint := 'A curator may approve it again.';
    WHEN 'deprecated' THEN
      why := format('it is deprecated since %s', approval.deprecated_from);
      hint := 'Use a newer image; a curator may end that with image_library.undeprecate.';
      decision_id := approval.deprecation_id;
    ELSE
      why := format('it is %s', block);
      hint := CASE block WHEN 'pending' THEN 'A curator decides with image_library.approve or reject.'
                         ELSE 'See image_library.decisions; a curator may reset it.' END;
  END CASE;
END
$$;
COMMENT ON FUNCTION image_library_internal.why_blocked IS
  'Message, hint and decision for one of the blocks, for an error';

CREATE FUNCTION image_library_internal.missing_grace() RETURNS interval
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN image_library_internal.retention('image_library.missing_grace');
END
$$;
COMMENT ON FUNCTION image_library_internal.missing_grace IS
  'How long a pinned image may still be used that its registry does not have any more; null: without end';
GRANT EXECUTE ON FUNCTION image_library_internal.missing_grace TO image_library_reader;

-- The nodes of a cluster may have a pinned image although the registry does not have it any more. A tag that is gone
-- names nothing.
CREATE FUNCTION image_library_internal.blocks_of(image record, approval image_library_internal.approval) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN image_library_internal.blocks(image.tag, image.rule_id,
    CASE WHEN NOT image.pinned
           OR image.gone_since + image_library_internal.missing_grace() <= clock_timestamp() THEN image.gone_since END,
    approval, clock_timestamp());
END
$$;
COMMENT ON FUNCTION image_library_internal.blocks_of IS
  'Reasons why a result of find_image may not be used now; empty: it may be used';

-- An image of which only the config is unread may be approved by a person: pending_images shows the problem.
CREATE FUNCTION image_library_internal.check_read(reference text, registry_id integer, repository text, tag text, digest text)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = check_read.digest AND i.unread = 'manifest') THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot approve image "%s": its manifest could not be read', reference),
      detail => coalesce(
        (SELECT format('%s: %s', p.problem, p.detail) FROM image_library_internal.problem p
         WHERE p.registry_id = check_read.registry_id AND p.repository = check_read.repository AND p.tag = check_read.tag),
        'Nothing is known of it but the digest.'),
      hint => 'The next sync tries again; image_library.request_sync starts one.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_read IS
  'Raises 55000 if nothing is known of an image but its digest';

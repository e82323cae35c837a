-- Decisions: approve, reject, revoke, reset.

-- PL/pgSQL caches plans; bulk approval calls these functions once for each image. Without force_generic_plan the first five
-- decisions of a session would plan each statement. As an UPDATE has no LATERAL to its own table, the ways to join that
-- would read the whole repository are switched off, and with + 0 rows are found by digest also in a repository that had few
-- rows when the plan was made.
CREATE FUNCTION image_library_internal.refresh_entry_approval(repository_id integer, digests text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET jit = off
AS $$
BEGIN
  WITH decided AS (
    SELECT a.digest, a.state, a.deprecated_from,
           image_library_internal.usable_until(a.state, a.valid_until, a.deprecated_from, a.quarantined_at IS NOT NULL) AS usable_until,
           image_library_internal.waits_from(a.state, a.valid_until, a.quarantined_at IS NOT NULL) AS waits_from
    FROM unnest(digests) AS asked (digest)
    CROSS JOIN LATERAL (
      SELECT x.* FROM image_library_internal.approval x
      WHERE x.repository_id = refresh_entry_approval.repository_id AND x.digest = asked.digest OFFSET 0) a
  ), entries AS (
    UPDATE image_library_internal.entry e
    SET approval = d.state, usable_until = d.usable_until, deprecated_from = d.deprecated_from
    FROM decided d
    WHERE e.repository_id + 0 = refresh_entry_approval.repository_id AND e.digest = d.digest
      AND (e.approval, e.usable_until, e.deprecated_from) IS DISTINCT FROM (d.state, d.usable_until, d.deprecated_from)
  )
  UPDATE image_library_internal.tag t
  SET approval = d.state, waits_from = d.waits_from, waits_until = d.deprecated_from
  FROM decided d
  WHERE t.repository_id + 0 = refresh_entry_approval.repository_id AND t.digest = d.digest
    AND (t.approval, t.waits_from, t.waits_until) IS DISTINCT FROM (d.state, d.waits_from, d.deprecated_from);
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_entry_approval IS
  'Updates the approval in the read model and beside the tags for some digests';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_entry_approval TO image_library_agent;

-- If two sessions decide at the same time, the second waits here and then sees the decision of the first. If it has waited for
-- the tags already, no row needs to be added for others to wait for.
CREATE FUNCTION image_library_internal.lock_approval(repository_id integer, digest text, tags_locked boolean DEFAULT false)
RETURNS image_library_internal.approval
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  locked image_library_internal.approval;
BEGIN
  -- In a replica the statement below refuses.
  IF tags_locked AND current_setting('image_library.mode') <> 'replica' THEN
    SELECT a.* INTO locked
    FROM image_library_internal.approval a
    WHERE a.repository_id = lock_approval.repository_id AND a.digest = lock_approval.digest
    FOR UPDATE;
    IF NOT FOUND THEN
      locked.repository_id := repository_id;
      locked.digest := digest;
      locked.state := 'pending';
    END IF;
    RETURN locked;
  END IF;
  INSERT INTO image_library_internal.approval AS a (repository_id, digest, state)
  VALUES (lock_approval.repository_id, lock_approval.digest, 'pending')
  ON CONFLICT ON CONSTRAINT approval_pkey DO NOTHING
  RETURNING a.* INTO locked;
  IF NOT FOUND THEN
    SELECT a.* INTO STRICT locked
    FROM image_library_internal.approval a
    WHERE a.repository_id = lock_approval.repository_id AND a.digest = lock_approval.digest
    FOR UPDATE;
  END IF;
  RETURN locked;
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_approval IS
  'State of an image, which no other session can change until this transaction ends. tags_locked: the caller has locked a tag that points at it, and adds the row that there may not be yet; without one, decided_at is null';

-- Reasons are shown in terminals and logs.
CREATE FUNCTION image_library_internal.check_reason(reason text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF length(reason) > 10000 OR reason ~ E'[\\x01-\\x08\\x0B\\x0C\\x0E-\\x1F\\x7F-\\x9F]' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => CASE WHEN length(reason) > 10000 THEN format('the reason is too long: %s characters', length(reason))
                     ELSE 'the reason has control characters' END,
      hint => 'It may have 10000 characters, tabs and new lines among them.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_reason IS
  'Raises 22023 if a reason is too long or has control characters';

CREATE FUNCTION image_library_internal.lock_image(reference text, verb text, in_registry text) RETURNS record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, in_registry);
  unchanged boolean;
BEGIN
  PERFORM image_library_internal.require_team(format('%s image "%s"', verb, reference), image.repository_id, image.digest);
  PERFORM image_library_internal.lock_repository(image.registry_id, image.repository_id, for_batch => false);
  -- The decision is written beside these tags too. All transactions lock tags before approvals.
  SELECT bool_or(t.name = image.tag AND (t.rule_id, t.missing_since) IS NOT DISTINCT FROM (image.rule_id, image.missing_since))
  INTO unchanged
  FROM (SELECT x.name, x.rule_id, x.missing_since FROM image_library_internal.tag x
        WHERE x.repository_id = image.repository_id AND x.digest = image.digest ORDER BY x.name FOR NO KEY UPDATE) t;
  IF unchanged IS NULL THEN
    -- No tag that points at it keeps the image.
    PERFORM image_library_internal.keep_image(image.repository_id, image.digest, reference, in_registry);
  END IF;
  IF image.moved_to IS NOT NULL THEN
    unchanged := EXISTS (
      SELECT FROM image_library_internal.tag t
      WHERE t.repository_id = image.repository_id AND t.name = image.tag AND t.digest = image.moved_to
        AND (t.rule_id, t.missing_since) IS NOT DISTINCT FROM (image.rule_id, image.missing_since));
  END IF;
  -- Refuses the decision if a sync or a change of rules has changed the tag while this session waited for it.
  IF unchanged IS NOT TRUE AND image.tag IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot %s image "%s": it changed at this moment', verb, reference),
      detail => 'A sync moved its tag, or a change of rules decided on it anew.',
      hint => 'Look at the image again, then decide.');
  END IF;
  RETURN image;
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_image IS
  'Result of find_image, if the acting role may decide on it; locked against changes by syncs and rules';

CREATE FUNCTION image_library_internal.decided_so(decision_id bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('%s decided so at %s%s.', d.actor, d.decided_at, ': ' || d.reason)
  FROM image_library_internal.decision d WHERE d.decision_id = decided_so.decision_id
$$;
COMMENT ON FUNCTION image_library_internal.decided_so IS 'Description of a decision; null: there is none';

-- SELECT approve(reference) FROM pending_images ... calls this once for each tag of an image; the first call decides
-- for all.
CREATE FUNCTION image_library_internal.decided_just_now(registry_id integer, repository text, digest text, verb text,
  valid_until timestamptz DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  RETURN coalesce((
    SELECT d.statement_at = statement_timestamp() AND d.actor = session_user
           AND (d.action = verb AND d.valid_until IS NOT DISTINCT FROM decided_just_now.valid_until
                OR verb = 'approve' AND d.action = 'vote')
    FROM image_library_internal.decision d
    WHERE d.digest = decided_just_now.digest AND d.registry_id = decided_just_now.registry_id
      AND d.repository = decided_just_now.repository
    ORDER BY d.decision_id DESC LIMIT 1), false);
END
$$;
COMMENT ON FUNCTION image_library_internal.decided_just_now IS
  'Whether the session user has made this decision on the image in the running statement';

CREATE FUNCTION image_library_internal.decision_on(image record, action text, old_state text, new_state text, reason text)
RETURNS image_library_internal.decision
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  decision image_library_internal.decision;
BEGIN
  decision.registry_id := image.registry_id;
  decision.registry := image.registry;
  decision.repository := image.repository;
  decision.tag := image.tag;
  decision.digest := image.digest;
  decision.action := action;
  decision.old_state := old_state;
  decision.new_state := new_state;
  decision.reason := reason;
  RETURN decision;
END
$$;
COMMENT ON FUNCTION image_library_internal.decision_on IS 'A decision on an image, to be stored by tell_decision';
GRANT EXECUTE ON FUNCTION image_library_internal.decision_on TO image_library_agent;

CREATE FUNCTION image_library_internal.tell_decision(decision image_library_internal.decision) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  decision.decision_id := nextval('image_library_internal.decision_decision_id_seq');
  decision.actor := session_user;
  decision.decided_at := clock_timestamp();
  decision.statement_at := statement_timestamp();
  -- One that the library has made itself names every signer, or policy, that could be met.
  decision.reason := left(decision.reason, 10000);
  INSERT INTO image_library_internal.decision (decision_id, registry_id, registry, repository, tag, digest, old_state, new_state, actor,
                                      decided_at, reason, rule_id, policy, action, valid_until, deprecated_from, statement_at, origin)
  VALUES (decision.decision_id, decision.registry_id, decision.registry, decision.repository, decision.tag, decision.digest,
          decision.old_state, decision.new_state, decision.actor, decision.decided_at, decision.reason, decision.rule_id,
          decision.policy, decision.action, decision.valid_until, decision.deprecated_from, decision.statement_at, decision.origin);
  PERFORM image_library_internal.emit('image ' || CASE decision.action
      WHEN 'approve' THEN 'approved' WHEN 'vote' THEN 'voted for' WHEN 'reject' THEN 'rejected' WHEN 'revoke' THEN 'revoked'
      WHEN 'deprecate' THEN 'deprecated' WHEN 'undeprecate' THEN 'undeprecated' WHEN 'quarantine' THEN 'quarantined'
      WHEN 'release' THEN 'released' ELSE decision.action END,
    decision.registry_id, decision.registry, decision.repository, decision.tag, decision.digest,
    jsonb_build_object('decision_id', decision.decision_id, 'actor', decision.actor, 'reason', decision.reason));
  RETURN decision.decision_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.tell_decision IS
  'Adds a row to the decisions with the current time and the session user; returns its number';
GRANT EXECUTE ON FUNCTION image_library_internal.tell_decision TO image_library_agent;

CREATE FUNCTION image_library_internal.check_approvable(reference text, tag text, rule_id bigint, missing_since timestamptz,
  current image_library_internal.approval)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  blocks text[] := image_library_internal.blocks(tag, rule_id, missing_since, current, at);
  block text;
  told record;
BEGIN
  -- States that an approval would end do not prevent it.
  IF blocks <@ '{pending,rejected,revoked,expired}' THEN
    RETURN;
  END IF;
  SELECT b INTO block FROM unnest(blocks) WITH ORDINALITY AS u (b, n)
  WHERE b NOT IN ('pending', 'rejected', 'revoked', 'expired') ORDER BY n LIMIT 1;
  SELECT * INTO told FROM image_library_internal.why_blocked(block, missing_since, current);
  PERFORM image_library_internal.fail(
    errcode => 'object_not_in_prerequisite_state',
    message => format('cannot approve image "%s": %s', reference, told.why),
    detail => CASE block
      WHEN 'no tag' THEN 'Its tag points at another image now; see image_library.tag_history.'
      WHEN 'missing' THEN format('It is missing since %s.', missing_since)
      WHEN 'not admitted' THEN 'No enabled include rule takes the tag, or an exclude rule does.'
      ELSE image_library_internal.decided_so(told.decision_id) END,
    hint => CASE block
      WHEN 'quarantined' THEN 'Use image_library.release first.'
      WHEN 'deprecated' THEN 'Use image_library.undeprecate first.'
      WHEN 'not admitted' THEN told.hint
      ELSE 'Approve what its registry has now; see image_library.pending_images.' END);
END
$$;
COMMENT ON FUNCTION image_library_internal.check_approvable IS
  'Raises 55000 if an image cannot be approved, in any state';

CREATE FUNCTION image_library_internal.check_transition(reference text, verb text, new_state text, current image_library_internal.approval)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- An expired approval has the state approved, but waits for a decision like a pending image.
  states text[] := ARRAY[current.state] || CASE WHEN current.valid_until <= clock_timestamp() THEN '{pending}'::text[] ELSE '{}' END;
  allowed text[] := CASE new_state WHEN 'revoked' THEN '{approved}'::text[]
                                   WHEN 'pending' THEN '{approved,rejected,revoked}'
                                   ELSE '{pending}' END;
BEGIN
  IF states && allowed THEN
    RETURN;
  END IF;
  IF new_state = 'pending' AND EXISTS (
    SELECT FROM image_library_internal.approval_vote v WHERE v.repository_id = current.repository_id AND v.digest = current.digest)
  THEN
    RETURN;
  END IF;
  PERFORM image_library_internal.fail(
    errcode => 'object_not_in_prerequisite_state',
    message => format('cannot %s image "%s": it is %s', verb, reference, current.state),
    detail => coalesce(image_library_internal.decided_so(current.decision_id), 'Nobody has decided on it yet.'),
    hint => CASE WHEN current.state = new_state THEN 'Nothing needs to be done.'
                WHEN current.state = 'pending' THEN 'Only an approved image can be revoked; reject it instead.'
                WHEN current.state = 'approved' THEN 'Use image_library.revoke to take the approval back, or reset to decide anew.'
                ELSE 'Use image_library.reset first, to decide anew.' END);
END
$$;
COMMENT ON FUNCTION image_library_internal.check_transition IS
  'Raises 55000 if the state of an image does not allow a decision';

CREATE FUNCTION image_library_internal.decide(reference text, new_state text, reason text, in_registry text, valid_until timestamptz DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  verb text := CASE new_state WHEN 'approved' THEN 'approve' WHEN 'rejected' THEN 'reject'
                              WHEN 'revoked' THEN 'revoke' ELSE 'reset' END;
  image record := image_library_internal.lock_image(reference, verb, in_registry);
  -- lock_image has locked the tag, unless it points at another image. Whoever else adds approvals locks it too, or the
  -- repository, or the rules.
  current image_library_internal.approval := image_library_internal.lock_approval(image.repository_id, image.digest,
    tags_locked => image.tag IS NOT NULL AND image.moved_to IS NULL);
  demands record;
  votes record;
  people integer := 1;
  decision image_library_internal.decision;
BEGIN
  IF reason IS NOT NULL THEN
    PERFORM image_library_internal.check_reason(reason);
  END IF;
  -- Each decision is on a row.
  IF current.decided_at IS NOT NULL
     AND image_library_internal.decided_just_now(image.registry_id, image.repository, image.digest, verb, valid_until) THEN
    RETURN image.pinned_reference;
  END IF;
  demands := image_library_internal.demands_on(image.registry_id, image.repository_id, image.digest);
  -- Votes belong to a row, and policies are functions of users, which may decide too.
  IF current.decided_at IS NULL AND (demands.people OR demands.policies) THEN
    current := image_library_internal.lock_approval(image.repository_id, image.digest);
  END IF;
  IF new_state = 'approved' THEN
    PERFORM image_library_internal.check_approvable(reference, CASE WHEN image.moved_to IS NULL THEN image.tag END, image.rule_id, image.missing_since, current);
    IF demands.unread THEN
      PERFORM image_library_internal.check_read(reference, image.registry_id, image.repository, image.tag, image.digest);
    END IF;
  END IF;
  PERFORM image_library_internal.check_transition(reference, verb, new_state, current);
  IF new_state = 'approved' AND demands.signatures THEN
    PERFORM image_library_internal.check_signed(reference, image.repository_id, image.digest);
  END IF;
  IF new_state = 'approved' AND demands.policies THEN
    PERFORM image_library_internal.check_policies(reference, image.registry, image.repository, image.digest);
  END IF;
  decision := image_library_internal.decision_on(image, verb, current.state, new_state, reason);
  IF new_state = 'approved' THEN
    decision.valid_until := decide.valid_until;
  END IF;
  -- Otherwise one person is enough, and no rule is named.
  IF new_state = 'approved' AND (demands.people OR demands.votes) THEN
    SELECT * INTO votes
    FROM image_library_internal.count_votes(reference, image.repository_id, image.digest, decide.valid_until);
    decision.rule_id := votes.rule_id;
    decision.valid_until := votes.ends_at;
    people := votes.given;
    IF votes.given < votes.required THEN
      decision.action := 'vote';
      decision.new_state := current.state;
      PERFORM image_library_internal.tell_decision(decision);
      RETURN image.pinned_reference;
    END IF;
  END IF;
  decision.decision_id := image_library_internal.tell_decision(decision);
  IF current.decided_at IS NULL THEN
    INSERT INTO image_library_internal.approval (repository_id, digest, state, approvals, decision_id, valid_until)
    VALUES (image.repository_id, image.digest, decide.new_state, people, decision.decision_id, decision.valid_until);
  ELSE
    UPDATE image_library_internal.approval a
    SET state = decide.new_state, approvals = people, decision_id = decision.decision_id, decided_at = clock_timestamp(),
        valid_until = decision.valid_until,
        reset_at = CASE WHEN decide.new_state = 'pending' THEN clock_timestamp() END, signature_lost_at = NULL
    WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  END IF;
  IF demands.votes THEN
    DELETE FROM image_library_internal.approval_vote v WHERE v.repository_id = image.repository_id AND v.digest = image.digest;
  END IF;
  IF new_state IN ('approved', 'rejected') AND demands.requests THEN
    PERFORM image_library_internal.end_requests(image.repository_id, ARRAY[image.digest]);
  END IF;
  PERFORM image_library_internal.refresh_entry_approval(image.repository_id, ARRAY[image.digest]);
  IF new_state <> 'approved' THEN
    PERFORM image_library_internal.warn_of_users(image.repository_id, image.digest, image.pinned_reference);
  END IF;
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library_internal.decide IS
  'Makes a decision: state, row in decisions, read model; raises 55000 if the state does not allow it';

CREATE FUNCTION image_library.approve(reference text, reason text DEFAULT NULL, valid_until timestamptz DEFAULT NULL,
  registry text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF valid_until <= clock_timestamp() THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('valid_until is not in the future: %s', valid_until),
      hint => 'Use image_library.revoke to take an approval back.');
  END IF;
  RETURN image_library_internal.decide(reference, 'approved', reason, registry, valid_until);
END
$$;
COMMENT ON FUNCTION image_library.approve IS
  'Approves the image that a reference points at now, until valid_until (null: without end), or adds one of the approvals that its rule requires; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.approve TO image_library_curator;

CREATE FUNCTION image_library.reject(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN image_library_internal.decide(reference, 'rejected', reason, registry); END $$;
COMMENT ON FUNCTION image_library.reject IS 'Rejects a pending image; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.reject TO image_library_curator;

CREATE FUNCTION image_library.revoke(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN image_library_internal.decide(reference, 'revoked', reason, registry); END $$;
COMMENT ON FUNCTION image_library.revoke IS 'Revokes the approval of an image; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.revoke TO image_library_curator;

CREATE FUNCTION image_library.reset(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN image_library_internal.decide(reference, 'pending', reason, registry); END $$;
COMMENT ON FUNCTION image_library.reset IS 'Sets an image back to pending; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.reset TO image_library_curator;

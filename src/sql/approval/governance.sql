-- Approval by several people, deprecation and quarantine.

-- Of all rules that take a tag of the image, the strictest counts, whichever decides, and also for tags that are hidden
-- or missing now and may come back. So neither another rule nor an exclude rule can bypass it, and a rule approves on
-- arrival only if every rule that takes the image does, including those of other teams.
CREATE FUNCTION image_library_internal.required_approvals(repository_id integer, digests text[], without_tags text[] DEFAULT '{}')
RETURNS TABLE (digest text, required integer, rule_id bigint, separating_rule_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH tagged AS (
    SELECT t.digest, t.name
    FROM (SELECT DISTINCT u FROM unnest(digests) u) AS asked (digest)
    CROSS JOIN LATERAL (
      SELECT x.digest, x.name FROM image_library_internal.tag x
      WHERE x.repository_id = required_approvals.repository_id AND x.digest = asked.digest OFFSET 0) t
    WHERE t.name <> ALL (without_tags)
  ), taken AS (
    SELECT u.rule_id, d.tag, CASE u.approval WHEN 'auto' THEN 0 ELSE u.required_approvals END AS required, u.separate_requester
    FROM image_library_internal.visible_repository r
    JOIN image_library_internal.rule u ON u.registry_id = r.registry_id AND u.enabled AND u.action = 'include'
    -- The option newest is not considered here.
    CROSS JOIN LATERAL image_library_internal.decide_tags(jsonb_build_array(to_jsonb(u) - 'newest'), r.repository, ARRAY(SELECT n.name FROM tagged n)) d
    WHERE r.repository_id = required_approvals.repository_id
  )
  SELECT DISTINCT ON (asked.digest) asked.digest, coalesce(k.required, 1), k.rule_id,
         min(k.rule_id) FILTER (WHERE k.separate_requester) OVER (PARTITION BY asked.digest)
  FROM unnest(digests) AS asked (digest)
  LEFT JOIN tagged n ON n.digest = asked.digest
  LEFT JOIN taken k ON k.tag = n.name
  ORDER BY asked.digest, k.required DESC NULLS LAST, k.rule_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.required_approvals IS
  'Number of people who must approve images of a repository (0: every rule that takes one of their tags has approval => auto), the rule that requires it (null: no rule takes them), and one by which the approval of a requester does not count (null: none)';
GRANT EXECUTE ON FUNCTION image_library_internal.required_approvals TO image_library_reader, image_library_agent;

-- One look at the rules of the registry, instead of one decision for each rule and tag: most libraries ask for nothing.
CREATE FUNCTION image_library_internal.demands_on(registry_id integer, repository_id integer, digest text,
  OUT signatures boolean, OUT people boolean, OUT votes boolean, OUT policies boolean, OUT requests boolean, OUT unread boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  SELECT coalesce(bool_or(u.signed_by IS NOT NULL), false), coalesce(bool_or(u.required_approvals > 1 OR u.separate_requester), false),
         EXISTS (SELECT FROM image_library_internal.approval_vote v WHERE v.repository_id = demands_on.repository_id AND v.digest = demands_on.digest),
         EXISTS (SELECT FROM image_library_internal.policy p WHERE p.enabled AND p.effect <> 'auto_approve' AND p.applies_to NOT LIKE 'consumer:%'),
         EXISTS (SELECT FROM image_library_internal.approval_request q
                 WHERE q.repository_id = demands_on.repository_id AND q.digest = demands_on.digest AND q.ended_at IS NULL),
         EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = demands_on.digest AND i.unread IS NOT NULL)
  INTO signatures, people, votes, policies, requests, unread
  FROM image_library_internal.rule u
  WHERE u.registry_id = demands_on.registry_id AND u.enabled AND u.action = 'include';
END
$$;
COMMENT ON FUNCTION image_library_internal.demands_on IS
  'What an approval of an image may be asked for: whether a rule of its registry requires signatures, or several people or another one than the requester, whether there are votes on it, policies, and open requests for it, and whether a part of it could not be read. Where false, it need not be looked at';

CREATE FUNCTION image_library_internal.count_votes(reference text, repository_id integer, digest text, valid_until timestamptz,
  OUT given integer, OUT required integer, OUT rule_id bigint, OUT ends_at timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  me oid := to_regrole(quote_ident(session_user));
  voters name[];
  separating_rule_id bigint;
BEGIN
  SELECT q.required, q.rule_id, q.separating_rule_id INTO required, rule_id, separating_rule_id
  FROM image_library_internal.required_approvals(count_votes.repository_id, ARRAY[count_votes.digest]) q;
  IF separating_rule_id IS NOT NULL AND image_library_internal.is_requester(repository_id, digest, session_user, me) THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot approve image "%s": %s has requested its approval', reference, session_user),
      detail => format('By rule %s (separate_requester) the approval of a person who requested an image does not count.', separating_rule_id),
      hint => 'Somebody else must approve it.');
  END IF;
  -- Otherwise one person is enough, and no rule is named.
  IF required <= 1 THEN
    required := 1;
    rule_id := NULL;
  END IF;
  DELETE FROM image_library_internal.approval_vote v
  WHERE v.repository_id = count_votes.repository_id AND v.digest = count_votes.digest AND NOT image_library_internal.counts(v);
  -- The approval ends at the earliest of their times.
  SELECT count(*) + 1, least(count_votes.valid_until, min(v.valid_until)), array_agg(v.voter ORDER BY v.voter)
  INTO given, ends_at, voters
  FROM image_library_internal.approval_vote v
  WHERE v.repository_id = count_votes.repository_id AND v.digest = count_votes.digest
    AND v.voter <> session_user AND v.voter_id <> me;
  IF given >= required THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM image_library_internal.approval_vote v
             WHERE v.repository_id = count_votes.repository_id AND v.digest = count_votes.digest
               AND (v.voter = session_user OR v.voter_id = me)) THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot approve image "%s": %s has approved it already', reference, session_user),
      detail => format('Rule %s requires the approval of %s people, and has that of %s.', rule_id, required,
                      array_to_string(array_append(voters, session_user::name), ', ')),
      hint => 'Somebody else must approve it.');
  END IF;
  INSERT INTO image_library_internal.approval_vote (repository_id, digest, valid_until)
  VALUES (count_votes.repository_id, count_votes.digest, count_votes.valid_until);
  RAISE NOTICE USING
    MESSAGE = format('image "%s" has %s of %s approvals', reference, given, required),
    DETAIL = format('Rule %s requires so many people.', rule_id);
END
$$;
COMMENT ON FUNCTION image_library_internal.count_votes IS
  'Adds the approval of the session user to the votes on an image, stored while more are required; raises 55000 for a second vote, and for the requester where a rule separates them';

CREATE FUNCTION image_library_internal.approvals_of_requesters(repository_id integer, registry_id integer, repository text,
  approval image_library_internal.approval)
RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH made AS (
    SELECT d.decision_id, d.action, d.actor
    FROM image_library_internal.decision d
    WHERE d.digest = (approval).digest AND d.registry_id = approvals_of_requesters.registry_id
      AND d.repository = approvals_of_requesters.repository AND d.decision_id <= (approval).decision_id
  )
  SELECT count(DISTINCT m.actor) FROM made m
  WHERE m.action IN ('approve', 'vote')
    -- Votes since the decision before the last one.
    AND m.decision_id > coalesce((SELECT max(p.decision_id) FROM made p
                                  WHERE p.action IN ('approve', 'reject', 'revoke', 'reset') AND p.decision_id < (approval).decision_id), 0)
    AND image_library_internal.is_requester(approvals_of_requesters.repository_id, (approval).digest, m.actor, to_regrole(quote_ident(m.actor)))
$$;
COMMENT ON FUNCTION image_library_internal.approvals_of_requesters IS
  'Of the people whose approval made an image approved, the number of those who had requested it';
GRANT EXECUTE ON FUNCTION image_library_internal.approvals_of_requesters TO image_library_agent;

-- People who may push can give an approved digest a tag that requires more approvals. The image is then pending until
-- it has them.
CREATE FUNCTION image_library_internal.reset_by_stricter_rule(repository_id integer, new_tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  approved text[] := ARRAY(
    SELECT DISTINCT t.digest
    FROM unnest(new_tags) AS asked (name)
    CROSS JOIN LATERAL (
      SELECT x.digest FROM image_library_internal.tag x
      WHERE x.repository_id = reset_by_stricter_rule.repository_id AND x.name = asked.name OFFSET 0) t
    CROSS JOIN LATERAL (
      SELECT FROM image_library_internal.approval x
      WHERE x.repository_id = reset_by_stricter_rule.repository_id AND x.digest = t.digest AND x.state = 'approved' OFFSET 0) a);
  image record;
  decision image_library_internal.decision;
BEGIN
  IF cardinality(approved) = 0 THEN
    RETURN;
  END IF;
  FOR image IN
    SELECT DISTINCT ON (t.digest) r.registry_id, r.registry, r.repository, t.name AS tag, t.digest,
           asked.required, asked.rule_id, a.approvals, own.separated, asked.separating_rule_id
    FROM image_library_internal.full_repository r
    JOIN image_library_internal.tag t ON t.repository_id = r.repository_id AND t.name = ANY (new_tags)
    JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest AND a.state = 'approved'
    JOIN image_library_internal.required_approvals(reset_by_stricter_rule.repository_id, approved) asked ON asked.digest = t.digest
    JOIN image_library_internal.required_approvals(reset_by_stricter_rule.repository_id, approved, new_tags) before ON before.digest = t.digest
    -- Approvals of people who requested the image do not count under a tag whose rule separates them.
    CROSS JOIN LATERAL (
      SELECT asked.separating_rule_id IS NOT NULL AND before.separating_rule_id IS NULL
             AND image_library_internal.approvals_of_requesters(r.repository_id, r.registry_id, r.repository, a) > greatest(a.approvals - asked.required, 0) AS separated) own
    WHERE r.repository_id = reset_by_stricter_rule.repository_id
      -- If the rules required as many approvals before the new tags, the approval was made under an earlier rule, and
      -- stays.
      AND (asked.required > a.approvals AND (asked.required > before.required OR before.rule_id IS NULL) OR own.separated)
    ORDER BY t.digest, t.name
  LOOP
    decision := image_library_internal.decision_on(image, 'reset', 'approved', 'pending',
      CASE WHEN image.separated AND image.approvals >= image.required
           THEN format('under this tag rule %s does not count the approval of a person who requested the image', image.separating_rule_id)
           WHEN image.approvals = 0
           THEN format('under this tag rule %s requires the approval of a person, and it was approved by a rule', image.rule_id)
           ELSE format('under this tag rule %s requires the approval of %s people, and it has that of %s',
                       image.rule_id, image.required, image.approvals) END);
    decision.rule_id := CASE WHEN image.separated AND image.approvals >= image.required THEN image.separating_rule_id ELSE image.rule_id END;
    UPDATE image_library_internal.approval a
    SET state = 'pending', decision_id = image_library_internal.tell_decision(decision), decided_at = clock_timestamp(), valid_until = NULL,
        reset_at = clock_timestamp()
    WHERE a.repository_id = reset_by_stricter_rule.repository_id AND a.digest = image.digest;
    PERFORM image_library_internal.refresh_entry_approval(reset_by_stricter_rule.repository_id, ARRAY[image.digest]);
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.reset_by_stricter_rule IS
  'Sets approved images back to pending if a rule that takes a new tag of them requires more approvals than they have';
GRANT EXECUTE ON FUNCTION image_library_internal.reset_by_stricter_rule TO image_library_agent;

CREATE FUNCTION image_library_internal.check_mark(reference text, action text, current image_library_internal.approval) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  problem text := CASE
    WHEN action = 'deprecate' AND current.state <> 'approved' THEN format('it is %s', current.state)
    WHEN action = 'undeprecate' AND current.deprecated_from IS NULL THEN 'it is not deprecated'
    WHEN action = 'quarantine' AND current.quarantined_at IS NOT NULL THEN 'it is in quarantine'
    WHEN action = 'release' AND current.quarantined_at IS NULL THEN 'it is not in quarantine'
  END;
BEGIN
  IF problem IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot %s image "%s": %s', action, reference, problem),
      detail => CASE action
        WHEN 'deprecate' THEN coalesce(image_library_internal.decided_so(current.decision_id), 'Nobody has decided on it yet.')
        WHEN 'quarantine' THEN image_library_internal.decided_so(current.quarantine_id)
        ELSE 'There is nothing to end.' END,
      hint => CASE action WHEN 'deprecate' THEN 'Only an approved image can be deprecated.' ELSE 'Nothing needs to be done.' END);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_mark IS
  'Raises 55000 if deprecation or quarantine of an image cannot begin or end';

CREATE FUNCTION image_library_internal.mark(reference text, action text, reason text, in_registry text, effective timestamptz DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.lock_image(reference, action, in_registry);
  current image_library_internal.approval := image_library_internal.lock_approval(image.repository_id, image.digest);
  decision image_library_internal.decision;
BEGIN
  PERFORM image_library_internal.check_reason(reason);
  -- Deprecating again with another time is another decision.
  IF (action <> 'deprecate' OR current.deprecated_from = effective)
     AND image_library_internal.decided_just_now(image.registry_id, image.repository, image.digest, action) THEN
    RETURN image.pinned_reference;
  END IF;
  PERFORM image_library_internal.check_mark(reference, action, current);
  decision := image_library_internal.decision_on(image, action, current.state, current.state, reason);
  decision.deprecated_from := effective;
  decision.decision_id := image_library_internal.tell_decision(decision);
  CASE action
    WHEN 'deprecate' THEN
      current.deprecated_from := effective;
      current.deprecation_id := decision.decision_id;
    WHEN 'undeprecate' THEN
      current.deprecated_from := NULL;
      current.deprecation_id := NULL;
    WHEN 'quarantine' THEN
      current.quarantined_at := clock_timestamp();
      current.quarantine_id := decision.decision_id;
    WHEN 'release' THEN
      current.quarantined_at := NULL;
      current.quarantine_id := NULL;
  END CASE;
  UPDATE image_library_internal.approval a
  SET deprecated_from = current.deprecated_from, deprecation_id = current.deprecation_id,
      quarantined_at = current.quarantined_at, quarantine_id = current.quarantine_id
  WHERE a.repository_id = current.repository_id AND a.digest = current.digest;
  PERFORM image_library_internal.refresh_entry_approval(image.repository_id, ARRAY[image.digest]);
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library_internal.mark IS
  'Begins or ends deprecation or quarantine of an image: row in decisions, read model; the state stays';

CREATE FUNCTION image_library.deprecate(reference text, effective timestamptz, reason text DEFAULT NULL,
  registry text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF effective IS NULL OR NOT isfinite(effective) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('effective must be a time, not %s', coalesce(effective::text, 'null')),
      hint => 'Say from when the image may not be used any more.');
  END IF;
  RETURN image_library_internal.mark(reference, 'deprecate', reason, registry, effective);
END
$$;
COMMENT ON FUNCTION image_library.deprecate IS
  'Deprecates an approved image: consumers are warned before the effective time, from then on it is blocked; a second call changes the time. Returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.deprecate TO image_library_curator;

CREATE FUNCTION image_library.undeprecate(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN image_library_internal.mark(reference, 'undeprecate', reason, registry); END $$;
COMMENT ON FUNCTION image_library.undeprecate IS 'Ends the deprecation of an image; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.undeprecate TO image_library_curator;

CREATE FUNCTION image_library.quarantine(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN image_library_internal.mark(reference, 'quarantine', reason, registry); END $$;
COMMENT ON FUNCTION image_library.quarantine IS
  'Blocks an image at once, in any state, which is kept; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.quarantine TO image_library_curator;

CREATE FUNCTION image_library.release(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN image_library_internal.mark(reference, 'release', reason, registry); END $$;
COMMENT ON FUNCTION image_library.release IS
  'Ends the quarantine of an image, whose state counts again; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.release TO image_library_curator;

-- What approvals of another library change here. The stricter state wins, unless a person has decided here later.

CREATE FUNCTION image_library_internal.import_effect(imported image_library_internal.imported_image, repository_id integer,
  approval image_library_internal.approval, last image_library_internal.decision, OUT action text, OUT effect text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  there text := CASE WHEN (imported.approval ->> 'quarantined')::boolean THEN 'quarantined' ELSE imported.approval ->> 'state' END;
  decided_there timestamptz := (imported.approval ->> 'decided_at')::timestamptz;
  ends_at timestamptz := least((imported.approval ->> 'valid_until')::timestamptz, (imported.approval ->> 'deprecated_from')::timestamptz);
  is_own boolean := coalesce(last.origin ->> 'library' = imported.library, false);
  decided_here timestamptz := CASE WHEN is_own THEN (last.origin ->> 'decided_at')::timestamptz ELSE greatest(last.decided_at, approval.reset_at) END;
  here text := coalesce(approval.state, 'pending');
  needed record;
BEGIN
  effect := CASE
    WHEN there IS NULL THEN 'none: nobody has decided there'
    WHEN decided_there IS NULL THEN 'none: no time of the decision there'
    WHEN decided_here >= decided_there AND is_own THEN 'none: it is as there'
    WHEN here = there AND here <> 'pending' THEN 'none: it is as there'
    WHEN decided_here >= decided_there THEN format('none: %s here later', CASE here WHEN 'pending' THEN 'reset' ELSE here END)
    WHEN approval.quarantined_at IS NOT NULL THEN 'none: in quarantine here'
    WHEN there = 'approved' AND here IN ('rejected', 'revoked') THEN format('none: %s here', here)
    WHEN there = 'pending' AND NOT (is_own AND here = 'approved') THEN 'none: pending there'
    WHEN there = 'quarantined' AND here <> 'approved' THEN 'none: in quarantine there'
    WHEN there = 'approved' AND ends_at <= clock_timestamp() THEN 'none: the approval there has ended'
    WHEN there IN ('rejected', 'revoked') AND here IN ('rejected', 'revoked') THEN format('none: %s here', here) END;
  IF effect IS NOT NULL THEN
    RETURN;
  END IF;
  IF there <> 'approved' THEN
    action := CASE WHEN here <> 'approved' THEN 'reject' WHEN there = 'pending' THEN 'reset' ELSE 'revoke' END;
    effect := CASE action WHEN 'reject' THEN 'rejected' WHEN 'reset' THEN 'reset' ELSE 'revoked' END;
    RETURN;
  END IF;
  -- As for an approval of a person here.
  IF NOT EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = imported.digest AND i.unread IS NULL) THEN
    effect := 'waits: it could not be read here';
    RETURN;
  END IF;
  IF approval.deprecated_from <= clock_timestamp() THEN
    effect := 'none: deprecated here';
    RETURN;
  END IF;
  SELECT q.required, q.separating_rule_id INTO needed
  FROM image_library_internal.required_approvals(import_effect.repository_id, ARRAY[imported.digest]) q;
  IF needed.required > 1 OR needed.separating_rule_id IS NOT NULL THEN
    effect := 'waits: a rule here requires people to approve it';
    RETURN;
  END IF;
  action := 'approve';
  effect := 'approved';
END
$$;
COMMENT ON FUNCTION image_library_internal.import_effect IS
  'What an imported approval changes of the state here (action null: nothing), and a text for it; a later decision here stays, and approvals there do not end what is rejected, revoked or in quarantine here';
GRANT EXECUTE ON FUNCTION image_library_internal.import_effect TO image_library_agent;

CREATE FUNCTION image_library_internal.apply_import(imported image_library_internal.imported_image) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  place record;
  present text;
  current image_library_internal.approval;
  last image_library_internal.decision;
  found_effect record;
  decision image_library_internal.decision;
  unmet text;
BEGIN
  SELECT r.registry_id, r.registry, r.repository_id, r.repository, r.place, imported.digest AS digest, NULL::text AS tag INTO place
  FROM image_library_internal.full_repository r
  WHERE r.registry_id = imported.registry_id AND r.repository = imported.repository;
  IF NOT FOUND THEN
    RETURN 'waits: the repository is not here';
  END IF;
  PERFORM image_library_internal.lock_repository(place.registry_id, place.repository_id, for_batch => false);
  PERFORM FROM image_library_internal.image i WHERE i.digest = imported.digest FOR KEY SHARE;
  PERFORM FROM image_library_internal.tag t
  WHERE t.repository_id = place.repository_id AND t.digest = imported.digest ORDER BY t.name FOR NO KEY UPDATE;
  SELECT min(t.name) INTO present FROM image_library_internal.tag t
  WHERE t.repository_id = place.repository_id AND t.digest = imported.digest AND t.rule_id IS NOT NULL AND t.missing_since IS NULL;
  place.tag := present;
  SELECT a.* INTO current FROM image_library_internal.approval a WHERE a.repository_id = place.repository_id AND a.digest = imported.digest;
  SELECT d.* INTO last FROM image_library_internal.decision d
  WHERE d.digest = imported.digest AND d.registry_id = place.registry_id AND d.repository = place.repository AND d.action <> 'vote'
  ORDER BY d.decision_id DESC LIMIT 1;
  SELECT * INTO found_effect FROM image_library_internal.import_effect(imported, place.repository_id, current, last);
  IF found_effect.action IS NULL THEN
    RETURN found_effect.effect;
  END IF;
  IF present IS NULL AND (found_effect.action <> 'revoke' OR NOT EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = imported.digest)) THEN
    RETURN 'waits: no tag of the library points at it here';
  END IF;
  IF found_effect.action = 'approve' THEN
    SELECT string_agg(image_library_internal.requires_text(u.rule_id, u.signers), ', and ' ORDER BY u.rule_id) INTO unmet
    FROM image_library_internal.unsigned_images(place.repository_id, ARRAY[imported.digest]) u;
    IF unmet IS NOT NULL THEN
      RETURN left(format('waits: %s', unmet), 500);
    END IF;
    SELECT string_agg(DISTINCT o.policy, ', ') INTO unmet
    FROM image_library_internal.policy_outcomes(place.registry, place.repository, imported.digest, '{require}') o WHERE o.reason IS NOT NULL;
    IF unmet IS NOT NULL THEN
      RETURN left(format('waits: it does not meet policies here: %s', unmet), 500);
    END IF;
  END IF;
  current := image_library_internal.lock_approval(place.repository_id, imported.digest);
  decision := image_library_internal.decision_on(place, found_effect.action, current.state,
    CASE found_effect.action WHEN 'approve' THEN 'approved' WHEN 'reject' THEN 'rejected' WHEN 'revoke' THEN 'revoked' ELSE 'pending' END,
    -- As check_reason has it.
    left(regexp_replace(format('imported from library "%s": decided by %s at %s%s', imported.library, coalesce(imported.approval ->> 'actor', 'nobody'),
                               imported.approval ->> 'decided_at', ': ' || (imported.approval ->> 'reason')), E'[\\x01-\\x08\\x0B\\x0C\\x0E-\\x1F\\x7F-\\x9F]', '?', 'g'), 10000));
  decision.origin := jsonb_build_object('library', imported.library, 'registry', imported.registry_there, 'state', imported.approval -> 'state',
    'actor', imported.approval -> 'actor', 'decided_at', imported.approval -> 'decided_at', 'decision_id', imported.approval -> 'decision_id')
    || coalesce((SELECT jsonb_build_object('signed_by', b.signed_by) FROM image_library_internal.imported_bundle b
                 WHERE b.library = imported.library AND b.signed_by IS NOT NULL), '{}');
  IF found_effect.action = 'approve' THEN
    -- Whoever deprecated it there does not want it used later.
    decision.valid_until := least((imported.approval ->> 'valid_until')::timestamptz, (imported.approval ->> 'deprecated_from')::timestamptz);
  END IF;
  decision.decision_id := image_library_internal.tell_decision(decision);
  UPDATE image_library_internal.approval a
  SET state = decision.new_state, approvals = 1, decision_id = decision.decision_id, decided_at = clock_timestamp(), valid_until = decision.valid_until,
      reset_at = CASE WHEN decision.new_state = 'pending' THEN clock_timestamp() END, signature_lost_at = NULL
  WHERE a.repository_id = place.repository_id AND a.digest = imported.digest;
  DELETE FROM image_library_internal.approval_vote v WHERE v.repository_id = place.repository_id AND v.digest = imported.digest;
  IF decision.new_state IN ('approved', 'rejected') THEN
    PERFORM image_library_internal.end_requests(place.repository_id, ARRAY[imported.digest]);
  END IF;
  PERFORM image_library_internal.refresh_entry_approval(place.repository_id, ARRAY[imported.digest]);
  IF decision.old_state = 'approved' THEN
    PERFORM image_library_internal.warn_of_users(place.repository_id, imported.digest, concat(place.place, ':' || place.tag, '@', imported.digest));
  END IF;
  RETURN found_effect.effect;
END
$$;
COMMENT ON FUNCTION image_library_internal.apply_import IS
  'Applies the approval of an imported image, if the image is here; returns what it changed, or why nothing';
GRANT EXECUTE ON FUNCTION image_library_internal.apply_import TO image_library_agent;
GRANT EXECUTE ON FUNCTION image_library_internal.lock_approval TO image_library_agent;
GRANT SELECT, DELETE ON image_library_internal.approval_vote TO image_library_agent;

CREATE FUNCTION image_library_internal.apply_approvals(registry_id integer, after text[] DEFAULT NULL, most integer DEFAULT NULL,
  OUT changed bigint, OUT last text[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  waiting image_library_internal.imported_image;
  looked_at integer := 0;
  told text;
BEGIN
  changed := 0;
  FOR waiting IN
    SELECT m.* FROM image_library_internal.imported_image m
    WHERE m.registry_id = apply_approvals.registry_id
      AND (after IS NULL OR (m.repository, m.digest, m.library) > (after[1], after[2], after[3]))
      AND (m.effect IS NULL
           OR m.effect LIKE 'waits:%' AND EXISTS (SELECT FROM image_library_internal.repository r JOIN image_library_internal.tag t USING (repository_id)
                                                  WHERE r.registry_id = m.registry_id AND r.name = m.repository AND t.digest = m.digest))
    ORDER BY m.repository, m.digest, m.library
    LIMIT most
  LOOP
    told := image_library_internal.apply_import(waiting);
    UPDATE image_library_internal.imported_image m SET effect = told
    WHERE (m.library, m.registry_id, m.repository, m.digest) = (waiting.library, waiting.registry_id, waiting.repository, waiting.digest)
      AND m.effect IS DISTINCT FROM told;
    changed := changed + CASE WHEN told LIKE 'none:%' OR told LIKE 'waits:%' THEN 0 ELSE 1 END;
    looked_at := looked_at + 1;
  END LOOP;
  IF looked_at >= most THEN
    last := ARRAY[waiting.repository, waiting.digest, waiting.library];
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.apply_approvals IS
  'Applies the approvals of imported images of a registry that wait, at most so many, from the one after (repository, digest, library) on. Returns how many have changed something, and the last one if there may be more';
GRANT EXECUTE ON FUNCTION image_library_internal.apply_approvals TO image_library_agent;

CREATE FUNCTION image_library_internal.apply_imports(registry_id integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Before the approvals, which may need a signature.
  PERFORM image_library_internal.apply_evidence(registry_id);
  RETURN (SELECT a.changed FROM image_library_internal.apply_approvals(registry_id) a);
END
$$;
COMMENT ON FUNCTION image_library_internal.apply_imports IS
  'Stores the signatures and applies the approvals of imported images of a registry that wait, after an import; returns how many approvals have changed something';

CREATE FUNCTION image_library_internal.apply_some_imports(registry_id integer, after text[] DEFAULT NULL, most integer DEFAULT 500, most_bytes bigint DEFAULT 16777216)
RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  last text[];
BEGIN
  IF after[1] IS DISTINCT FROM 'approvals' THEN
    last := image_library_internal.apply_evidence(registry_id, after[2:], most, most_bytes);
    RETURN CASE WHEN last IS NULL THEN '{approvals}' ELSE array_prepend('evidence', last) END;
  END IF;
  SELECT a.last INTO last FROM image_library_internal.apply_approvals(registry_id, nullif(after[2:], '{}'), most) a;
  RETURN CASE WHEN last IS NOT NULL THEN array_prepend('approvals', last) END;
END
$$;
COMMENT ON FUNCTION image_library_internal.apply_some_imports IS
  'A portion of apply_imports, for the agent, which commits between them: after is what the call before has returned (null: the first one); null: it was the last one';
GRANT EXECUTE ON FUNCTION image_library_internal.apply_some_imports TO image_library_agent;

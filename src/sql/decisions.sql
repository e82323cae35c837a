-- Deciding: approve, reject, revoke, reset; and asking what was decided.

CREATE FUNCTION image_library._find_image(reference text,
  OUT registry_id integer, OUT registry text, OUT repository_id integer, OUT repository text, OUT tag text,
  OUT digest text, OUT rule_id bigint, OUT missing_since timestamptz, OUT pinned_reference text, OUT owner regrole)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked record;
  found_image record;
  candidates text[];
BEGIN
  SELECT * INTO asked FROM image_library._parse_reference(coalesce(reference, ''));
  IF asked.tag IS NULL AND asked.digest IS NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('image reference "%s" has neither tag nor digest', reference),
      HINT = 'Write host/repository:tag or host/repository@sha256:<digest>.';
  END IF;
  -- A digest alone stands for any of its tags, those that are there and admitted first.
  FOR found_image IN
    SELECT DISTINCT ON (t.repository_id) g.registry_id, g.name AS registry, t.repository_id, r.name AS repository,
           t.name AS tag, t.digest, t.rule_id, t.missing_since, g.owner,
           concat_ws('/', g.host, nullif(g.prefix, ''), r.name) AS name
    FROM image_library.registry g
    JOIN image_library.repository r USING (registry_id)
    JOIN image_library.tag t USING (repository_id)
    WHERE g.host = asked.host
      AND concat_ws('/', nullif(g.prefix, ''), r.name) = asked.repository
      AND (t.name = asked.tag OR (asked.tag IS NULL AND t.digest = asked.digest))
      AND g.registry_id <> ALL (image_library._hidden_registries())
    ORDER BY t.repository_id, t.rule_id IS NULL, t.missing_since IS NOT NULL, t.name
  LOOP
    candidates := candidates || format('%s in registry %s', found_image.repository, found_image.registry);
    registry_id := found_image.registry_id;
    registry := found_image.registry;
    repository_id := found_image.repository_id;
    repository := found_image.repository;
    tag := found_image.tag;
    digest := found_image.digest;
    rule_id := found_image.rule_id;
    missing_since := found_image.missing_since;
    owner := found_image.owner;
    pinned_reference := found_image.name || ':' || found_image.tag || '@' || found_image.digest;
  END LOOP;
  IF candidates IS NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'undefined_object',
      MESSAGE = format('image "%s" is not in the library', reference),
      HINT = 'See image_library.images; image_library.explain_tag tells why a tag is out.';
  END IF;
  IF cardinality(candidates) > 1 THEN
    RAISE EXCEPTION USING
      ERRCODE = 'ambiguous_alias',
      MESSAGE = format('image reference "%s" is ambiguous', reference),
      DETAIL = format('It may be %s.', array_to_string(candidates, ', or ')),
      HINT = 'Disable or drop one of the registries.';
  END IF;
  IF asked.digest IS NOT NULL AND asked.digest <> digest THEN
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('tag "%s" moved: it points at %s now', asked.tag, digest),
      DETAIL = format('Asked for was %s.', asked.digest),
      HINT = 'Look at the new image, or leave the tag out to mean the digest.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library._find_image(text) IS
  'Internal: the image that a reference means; raises 22023, 42704 unknown, 42P09 ambiguous, 55000 moved';

CREATE FUNCTION image_library._refresh_entry_approval(repository_id integer, digest text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE image_library.entry e
  SET approval = a.state, usable_until = image_library._usable_until(a)
  FROM image_library.approval a
  WHERE e.repository_id = _refresh_entry_approval.repository_id AND e.digest = _refresh_entry_approval.digest
    AND a.repository_id = e.repository_id AND a.digest = e.digest
    AND (e.approval, e.usable_until) IS DISTINCT FROM (a.state, image_library._usable_until(a))
$$;
COMMENT ON FUNCTION image_library._refresh_entry_approval(integer, text) IS
  'Internal: brings the read model of a digest up to date after a decision';

-- One decision, once it is allowed: the state, the row that tells it, the read model.
CREATE FUNCTION image_library._record_decision(registry text, repository text, tag text, repository_id integer,
  digest text, old_state text, new_state text, reason text, rule_id bigint, policy text)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id bigint;
BEGIN
  INSERT INTO image_library.decision AS d (registry, repository, tag, digest, old_state, new_state, reason, rule_id, policy)
  VALUES (_record_decision.registry, _record_decision.repository, _record_decision.tag, _record_decision.digest,
          _record_decision.old_state, _record_decision.new_state, _record_decision.reason,
          _record_decision.rule_id, _record_decision.policy)
  RETURNING d.decision_id INTO id;
  INSERT INTO image_library.approval AS a (repository_id, digest, state, decision_id)
  VALUES (_record_decision.repository_id, _record_decision.digest, _record_decision.new_state, id)
  ON CONFLICT ON CONSTRAINT approval_pkey DO UPDATE
  SET state = excluded.state, decision_id = excluded.decision_id, decided_at = excluded.decided_at;
  PERFORM image_library._refresh_entry_approval(_record_decision.repository_id, _record_decision.digest);
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library._record_decision(text, text, text, integer, text, text, text, text, bigint, text) IS
  'Internal: writes a decision and what follows from it';

CREATE FUNCTION image_library._decide(reference text, new_state text, reason text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record;
  current image_library.approval;
  decided record;
  verb text := CASE new_state WHEN 'approved' THEN 'approve' WHEN 'rejected' THEN 'reject'
                              WHEN 'revoked' THEN 'revoke' ELSE 'reset' END;
  allowed text[] := CASE new_state WHEN 'revoked' THEN '{approved}'::text[]
                                   WHEN 'pending' THEN '{approved,rejected,revoked}'
                                   ELSE '{pending}' END;
BEGIN
  SELECT * INTO image FROM image_library._find_image(reference);
  IF NOT image_library._has_role('image_library_admin') AND image.owner IS NOT NULL THEN
    PERFORM image_library._require_owner(format('%s image "%s"', verb, reference), image.owner);
  END IF;
  IF new_state = 'approved' AND image.missing_since IS NOT NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('cannot approve image "%s": it is missing from its registry', reference),
      DETAIL = format('It was last seen before %s.', image.missing_since);
  END IF;
  -- Of two sessions that decide at once the second waits here, and sees what the first decided.
  PERFORM pg_advisory_xact_lock(hashtextextended(image.repository_id || image.digest, 1768712034));
  SELECT * INTO current FROM image_library.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  current.state := coalesce(current.state, 'pending');
  IF current.state <> ALL (allowed) THEN
    SELECT d.actor, d.decided_at, d.reason INTO decided
    FROM image_library.decision d WHERE d.decision_id = current.decision_id;
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('cannot %s image "%s": it is %s', verb, reference, current.state),
      DETAIL = CASE WHEN decided.actor IS NULL THEN 'Nobody has decided on it yet.'
                    ELSE format('%s decided so%s.', decided.actor, ': ' || decided.reason) END,
      HINT = CASE WHEN current.state = 'pending' THEN 'Only an approved image can be revoked; reject it instead.'
                  WHEN current.state = new_state THEN 'Nothing needs to be done.'
                  ELSE 'Use image_library.reset first, to decide anew.' END;
  END IF;
  PERFORM image_library._record_decision(image.registry, image.repository, image.tag, image.repository_id,
                                         image.digest, current.state, new_state, reason, NULL, NULL);
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library._decide(text, text, text) IS 'Internal: one transition of an image''s approval';

CREATE FUNCTION image_library._approve_by_rule(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  arrived record;
BEGIN
  FOR arrived IN
    SELECT DISTINCT ON (t.digest) g.name AS registry, r.name AS repository, t.name AS tag, t.digest, u.rule_id
    FROM image_library.tag t
    JOIN image_library.repository r USING (repository_id)
    JOIN image_library.registry g USING (registry_id)
    JOIN image_library.rule u ON u.rule_id = t.rule_id
    WHERE t.repository_id = _approve_by_rule.repository_id AND t.name = ANY (_approve_by_rule.tags)
      AND u.approval = 'auto' AND t.missing_since IS NULL
      AND NOT EXISTS (SELECT FROM image_library.approval a
                      WHERE a.repository_id = t.repository_id AND a.digest = t.digest)
    ORDER BY t.digest, t.name
  LOOP
    PERFORM image_library._record_decision(
      arrived.registry, arrived.repository, arrived.tag, repository_id, arrived.digest, 'pending', 'approved',
      format('rule %s approves on arrival', arrived.rule_id), arrived.rule_id, NULL);
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library._approve_by_rule(integer, text[]) IS
  'Internal: approves what nobody has decided on where the deciding rule says approval => auto';

CREATE FUNCTION image_library.approve(reference text, reason text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library._decide(reference, 'approved', reason) $$;
COMMENT ON FUNCTION image_library.approve(text, text) IS
  'Approves the image that a reference means now; returns its pinned reference';

CREATE FUNCTION image_library.reject(reference text, reason text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library._decide(reference, 'rejected', reason) $$;
COMMENT ON FUNCTION image_library.reject(text, text) IS 'Rejects a pending image; returns its pinned reference';

CREATE FUNCTION image_library.revoke(reference text, reason text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library._decide(reference, 'revoked', reason) $$;
COMMENT ON FUNCTION image_library.revoke(text, text) IS 'Takes an approval back; returns the pinned reference';

CREATE FUNCTION image_library.reset(reference text, reason text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library._decide(reference, 'pending', reason) $$;
COMMENT ON FUNCTION image_library.reset(text, text) IS
  'Puts an image back to pending, to decide on it anew; returns its pinned reference';

CREATE FUNCTION image_library.resolve(reference text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record;
  current image_library.approval;
  decided record;
  why text;
  hint text;
BEGIN
  SELECT * INTO image FROM image_library._find_image(reference);
  SELECT * INTO current FROM image_library.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  IF image.rule_id IS NULL THEN
    why := 'no rule admits it';
    hint := 'See image_library.explain_tag.';
  ELSIF image.missing_since IS NOT NULL THEN
    why := 'it is missing from its registry';
    hint := format('It is gone since %s; see image_library.tag_history.', image.missing_since);
  ELSIF coalesce(current.state, 'pending') <> 'approved' THEN
    why := format('it is %s', coalesce(current.state, 'pending'));
    hint := CASE coalesce(current.state, 'pending')
      WHEN 'pending' THEN 'A curator decides with image_library.approve or reject.'
      ELSE 'See image_library.decisions; a curator may reset it.' END;
  ELSIF image_library._usable_until(current) <= now() THEN
    why := 'its approval does not count any more';
    hint := 'See image_library.pending_images.';
  END IF;
  IF why IS NOT NULL THEN
    SELECT d.actor, d.reason INTO decided FROM image_library.decision d WHERE d.decision_id = current.decision_id;
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('image "%s" may not be used: %s', reference, why),
      DETAIL = format('It is %s%s.', image.pinned_reference,
                      coalesce(', as decided by ' || decided.actor || coalesce(': ' || decided.reason, ''), '')),
      HINT = hint;
  END IF;
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.resolve(text) IS
  'The pinned reference (host/repository:tag@digest) of an approved, present image; else an error that says why not';

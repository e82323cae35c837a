-- Deciding: approve, reject, revoke, reset; and asking what was decided.

CREATE FUNCTION image_library._find_image(reference text,
  OUT registry_id integer, OUT registry text, OUT repository_id integer, OUT repository text, OUT tag text,
  OUT digest text, OUT rule_id bigint, OUT missing_since timestamptz, OUT pinned_reference text, OUT owners regrole[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
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
  -- A digest alone stands for any of its tags, those that are there and admitted first; without
  -- a tag of its own it is still what one pointed at before.
  FOR found_image IN
    SELECT DISTINCT ON (r.repository_id) g.registry_id, g.name AS registry, r.repository_id, r.name AS repository,
           t.name AS tag, t.digest, t.rule_id, t.missing_since, array_remove(ARRAY[u.owner, g.owner], NULL) AS owners,
           concat_ws('/', g.host, nullif(g.prefix, ''), r.name) AS name
    FROM image_library.registry g
    JOIN image_library.repository r
      ON r.registry_id = g.registry_id
     AND r.name = CASE WHEN g.prefix = '' THEN asked.repository
                       WHEN starts_with(asked.repository, g.prefix || '/')
                       THEN substr(asked.repository, length(g.prefix) + 2) END
    CROSS JOIN LATERAL (
      SELECT x.name, x.digest, x.rule_id, x.missing_since
      FROM image_library.tag x
      WHERE x.repository_id = r.repository_id AND x.name = asked.tag
      UNION ALL
      SELECT x.name, x.digest, x.rule_id, x.missing_since
      FROM image_library.tag x
      WHERE x.repository_id = r.repository_id AND asked.tag IS NULL AND x.digest = asked.digest
      UNION ALL
      SELECT NULL, p.digest, NULL, NULL
      FROM image_library.tag_period p
      WHERE p.repository_id = r.repository_id AND asked.tag IS NULL AND p.digest = asked.digest) t
    LEFT JOIN image_library.rule u ON u.rule_id = t.rule_id
    WHERE g.host = asked.host
      AND g.registry_id <> ALL (image_library._hidden_registries())
    ORDER BY r.repository_id, t.name IS NULL, t.rule_id IS NULL, t.missing_since IS NOT NULL, t.name
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
    owners := found_image.owners;
    pinned_reference := concat(found_image.name, ':' || found_image.tag, '@', found_image.digest);
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
      HINT = 'Drop one of the registries, which have the same images.';
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
  'Internal: the image that a reference means, without tag when none points at it any more; raises 22023, 42704 unknown, 42P09 ambiguous, 55000 moved';

-- PL/pgSQL keeps its plans: approving in bulk calls these functions once an image.
CREATE FUNCTION image_library._refresh_entry_approval(repository_id integer, digests text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  UPDATE image_library.entry e
  SET approval = a.state, usable_until = image_library._usable_until(a)
  FROM image_library.approval a
  WHERE e.repository_id = _refresh_entry_approval.repository_id AND e.digest = ANY (digests)
    AND a.repository_id = e.repository_id AND a.digest = e.digest
    AND (e.approval, e.usable_until) IS DISTINCT FROM (a.state, image_library._usable_until(a));
END
$$;
COMMENT ON FUNCTION image_library._refresh_entry_approval(integer, text[]) IS
  'Internal: brings the read model of some digests up to date after decisions';

-- Of two sessions that decide at once the second waits here, and sees what the first decided.
CREATE FUNCTION image_library._lock_approval(repository_id integer, digest text) RETURNS image_library.approval
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  locked image_library.approval;
BEGIN
  INSERT INTO image_library.approval (repository_id, digest, state)
  VALUES (_lock_approval.repository_id, _lock_approval.digest, 'pending')
  ON CONFLICT ON CONSTRAINT approval_pkey DO NOTHING;
  SELECT a.* INTO STRICT locked
  FROM image_library.approval a
  WHERE a.repository_id = _lock_approval.repository_id AND a.digest = _lock_approval.digest
  FOR UPDATE;
  RETURN locked;
END
$$;
COMMENT ON FUNCTION image_library._lock_approval(integer, text) IS
  'Internal: the state of an image, which no other session changes until this transaction ends';

CREATE FUNCTION image_library._decide(reference text, new_state text, reason text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library._find_image(reference);
  current image_library.approval;
  decided record;
  id bigint;
  verb text := CASE new_state WHEN 'approved' THEN 'approve' WHEN 'rejected' THEN 'reject'
                              WHEN 'revoked' THEN 'revoke' ELSE 'reset' END;
  allowed text[] := CASE new_state WHEN 'revoked' THEN '{approved}'::text[]
                                   WHEN 'pending' THEN '{approved,rejected,revoked}'
                                   ELSE '{pending}' END;
BEGIN
  IF cardinality(image.owners) > 0 THEN
    PERFORM image_library._require_owner(format('%s image "%s"', verb, reference), VARIADIC image.owners);
  END IF;
  IF new_state = 'approved' AND (image.tag IS NULL OR image.missing_since IS NOT NULL) THEN
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('cannot approve image "%s": %s', reference,
                       CASE WHEN image.tag IS NULL THEN 'no tag points at it any more'
                            ELSE 'it is missing from its registry' END),
      DETAIL = coalesce('It is missing since ' || image.missing_since || '.',
                        'Its tag points at another image now; see image_library.tag_history.'),
      HINT = 'Approve what its registry has now; see image_library.pending_images.';
  END IF;
  PERFORM image_library._lock_repository(image.registry_id, image.repository_id, for_batch => false);
  current := image_library._lock_approval(image.repository_id, image.digest);
  IF current.state <> ALL (allowed) THEN
    SELECT d.actor, d.decided_at, d.reason INTO decided
    FROM image_library.decision d WHERE d.decision_id = current.decision_id;
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('cannot %s image "%s": it is %s', verb, reference, current.state),
      DETAIL = CASE WHEN decided.actor IS NULL THEN 'Nobody has decided on it yet.'
                    ELSE format('%s decided so at %s%s.', decided.actor, decided.decided_at, ': ' || decided.reason) END,
      HINT = CASE WHEN current.state = new_state THEN 'Nothing needs to be done.'
                  WHEN current.state = 'pending' THEN 'Only an approved image can be revoked; reject it instead.'
                  ELSE 'Use image_library.reset first, to decide anew.' END;
  END IF;
  INSERT INTO image_library.decision AS d (registry, repository, tag, digest, old_state, new_state, reason)
  VALUES (image.registry, image.repository, image.tag, image.digest, current.state, new_state, _decide.reason)
  RETURNING d.decision_id INTO id;
  UPDATE image_library.approval a SET state = new_state, decision_id = id, decided_at = now()
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  PERFORM image_library._refresh_entry_approval(image.repository_id, ARRAY[image.digest]);
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library._decide(text, text, text) IS
  'Internal: one decision: the state, the row that tells it, the read model; raises 55000 where the state does not allow it';

CREATE FUNCTION image_library._approve_by_rule(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  approved_digests text[];
BEGIN
  WITH arrived AS (
    SELECT DISTINCT ON (t.digest) g.name AS registry, r.name AS repository, t.name AS tag, t.digest, u.rule_id
    FROM unnest(tags) AS asked (name)
    JOIN image_library.tag t ON t.repository_id = _approve_by_rule.repository_id AND t.name = asked.name
    JOIN image_library.repository r USING (repository_id)
    JOIN image_library.registry g USING (registry_id)
    JOIN image_library.rule u ON u.rule_id = t.rule_id
    WHERE u.approval = 'auto' AND t.missing_since IS NULL
      AND NOT EXISTS (SELECT FROM image_library.approval a
                      WHERE a.repository_id = t.repository_id AND a.digest = t.digest)
    ORDER BY t.digest, t.name
  ), approved AS (
    -- Whoever decides at the same time was first: the row is there, and nothing is written.
    INSERT INTO image_library.approval AS a (repository_id, digest, state, decision_id)
    SELECT _approve_by_rule.repository_id, n.digest, 'approved', nextval('image_library.decision_decision_id_seq')
    FROM arrived n ORDER BY n.digest
    ON CONFLICT ON CONSTRAINT approval_pkey DO NOTHING
    RETURNING a.digest, a.decision_id
  ), told AS (
    INSERT INTO image_library.decision AS d (decision_id, registry, repository, tag, digest, old_state, new_state, reason, rule_id)
    SELECT p.decision_id, n.registry, n.repository, n.tag, n.digest, 'pending', 'approved',
           format('rule %s approves on arrival', n.rule_id), n.rule_id
    FROM approved p JOIN arrived n ON n.digest = p.digest
    RETURNING d.digest
  )
  SELECT array_agg(d.digest) INTO approved_digests FROM told d;
  IF approved_digests IS NOT NULL THEN
    PERFORM image_library._refresh_entry_approval(repository_id, approved_digests);
  END IF;
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
  image record := image_library._find_image(reference);
  current image_library.approval;
  decided record;
  why text;
  hint text;
BEGIN
  SELECT * INTO current FROM image_library.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  IF image.tag IS NULL THEN
    why := 'no tag points at it any more';
    hint := 'See image_library.tag_history for what its tag points at now.';
  ELSIF image.rule_id IS NULL THEN
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

-- Approval on arrival by a rule, if there are no policies: see policy_approval.sql.

-- Without one, required_approvals is never 0.
CREATE FUNCTION image_library_internal.has_approving_rule(repository_id integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN EXISTS (
    SELECT FROM image_library_internal.repository r JOIN image_library_internal.rule u USING (registry_id)
    WHERE r.repository_id = has_approving_rule.repository_id AND u.enabled AND u.action = 'include' AND u.approval = 'auto');
END
$$;
COMMENT ON FUNCTION image_library_internal.has_approving_rule IS
  'Whether a rule of the registry that has a repository has approval => auto';
GRANT EXECUTE ON FUNCTION image_library_internal.has_approving_rule TO image_library_agent;

CREATE FUNCTION image_library_internal.approve_by_rule(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  undecided text[];
  approved_digests text[];
BEGIN
  -- Policies read the read model, which is written later: see approve_by_policy.
  IF image_library_internal.has_approval_policies() OR NOT image_library_internal.has_approving_rule(repository_id) THEN
    RETURN;
  END IF;
  -- A digest may be pending because of another tag of it, whose rule has been dropped.
  undecided := ARRAY(
    SELECT DISTINCT t.digest
    FROM unnest(tags) AS asked (name)
    JOIN image_library_internal.tag t ON t.repository_id = approve_by_rule.repository_id AND t.name = asked.name
    JOIN image_library_internal.image i ON i.digest = t.digest AND i.unread IS NULL
    WHERE NOT EXISTS (SELECT FROM image_library_internal.approval a WHERE a.repository_id = t.repository_id AND a.digest = t.digest
                      AND NOT (a.state = 'pending' AND a.signature_lost_at IS NOT NULL)));
  IF cardinality(undecided) > 0 AND image_library_internal.requires_signatures(repository_id) THEN
    undecided := ARRAY(SELECT u FROM unnest(undecided) u
                       EXCEPT SELECT s.digest FROM image_library_internal.unsigned_images(repository_id, undecided) s);
  END IF;
  IF cardinality(undecided) = 0 THEN
    RETURN;
  END IF;
  WITH arrived AS (
    SELECT DISTINCT ON (t.digest) r.registry_id, r.registry, r.repository, t.name AS tag, t.digest, t.rule_id
    FROM image_library_internal.required_approvals(approve_by_rule.repository_id, undecided) asked
    CROSS JOIN LATERAL (
      SELECT x.name, x.digest, x.rule_id FROM image_library_internal.tag x
      WHERE x.repository_id = approve_by_rule.repository_id AND x.digest = asked.digest
        AND x.rule_id IS NOT NULL AND x.missing_since IS NULL OFFSET 0) t
    JOIN image_library_internal.full_repository r ON r.repository_id = approve_by_rule.repository_id
    WHERE asked.required = 0
    ORDER BY t.digest, t.name
  ), approved AS (
    -- If another session has decided at the same time, its row exists, and nothing is written.
    INSERT INTO image_library_internal.approval AS a (repository_id, digest, state, approvals, decision_id)
    SELECT approve_by_rule.repository_id, n.digest, 'approved', 0, nextval('image_library_internal.decision_decision_id_seq')
    FROM arrived n ORDER BY n.digest
    ON CONFLICT ON CONSTRAINT approval_pkey DO UPDATE
    SET state = 'approved', approvals = 0, decision_id = excluded.decision_id, decided_at = excluded.decided_at, reset_at = NULL,
        signature_lost_at = NULL
    WHERE a.state = 'pending' AND a.signature_lost_at IS NOT NULL
    RETURNING a.digest, a.decision_id
  ), told AS (
    INSERT INTO image_library_internal.decision AS d (decision_id, registry_id, registry, repository, tag, digest, old_state, new_state,
                                             action, reason, rule_id)
    SELECT p.decision_id, n.registry_id, n.registry, n.repository, n.tag, n.digest, 'pending', 'approved', 'approve',
           format('rule %s approves on arrival', n.rule_id), n.rule_id
    FROM approved p JOIN arrived n ON n.digest = p.digest
    RETURNING d.*
  ), noticed AS (
    INSERT INTO image_library_internal.event (event, registry_id, registry, repository, tag, digest, detail)
    SELECT 'image approved', d.registry_id, d.registry, d.repository, d.tag, d.digest,
           jsonb_build_object('decision_id', d.decision_id, 'actor', d.actor, 'reason', d.reason)
    FROM told d ORDER BY d.tag COLLATE "C"
  )
  SELECT array_agg(d.digest) INTO approved_digests FROM told d;
  IF approved_digests IS NOT NULL THEN
    PERFORM image_library_internal.notify('image approved');
    PERFORM image_library_internal.end_requests(repository_id, approved_digests);
    PERFORM image_library_internal.refresh_entry_approval(repository_id, approved_digests);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.approve_by_rule IS
  'Approves images that nobody has decided on and that could be read if every rule that takes a tag of them has approval => auto';
GRANT EXECUTE ON FUNCTION image_library_internal.approve_by_rule TO image_library_agent;

-- Approval on arrival if there are policies: by a rule or by a policy, only if all required policies are met.

CREATE FUNCTION image_library_internal.has_approval_policies() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM image_library_internal.policy p WHERE p.enabled AND p.effect <> 'warn' AND p.applies_to NOT LIKE 'consumer:%');
END
$$;
COMMENT ON FUNCTION image_library_internal.has_approval_policies IS
  'Whether there are policies that affect approval on arrival';
GRANT EXECUTE ON FUNCTION image_library_internal.has_approval_policies TO image_library_agent;

CREATE FUNCTION image_library_internal.waiting_images(repository_id integer, tags text[])
RETURNS TABLE (registry_id integer, registry text, repository text, tag text, digest text, rule_id bigint, approvable boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH waiting AS (
    SELECT DISTINCT t.digest, a.digest IS NULL OR a.state = 'pending' AND a.signature_lost_at IS NOT NULL AS undecided
    FROM unnest(tags) AS asked (name)
    JOIN image_library_internal.tag t ON t.repository_id = waiting_images.repository_id AND t.name = asked.name
    JOIN image_library_internal.image i ON i.digest = t.digest AND i.unread IS NULL
    LEFT JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest
    WHERE a.digest IS NULL OR a.state = 'pending' OR a.state = 'approved' AND a.valid_until <= clock_timestamp()
  ), unsigned AS MATERIALIZED (
    SELECT s.digest FROM image_library_internal.unsigned_images(waiting_images.repository_id, ARRAY(SELECT u.digest FROM waiting u)) s
  )
  SELECT DISTINCT ON (t.digest) r.registry_id, r.registry, r.repository, t.name, t.digest, CASE WHEN asked.required = 0 THEN t.rule_id END,
         w.undecided AND (asked.required = 0
           OR asked.required = 1 AND EXISTS (SELECT FROM image_library_internal.policy p WHERE p.enabled AND p.effect = 'auto_approve'))
         AND NOT EXISTS (SELECT FROM unsigned u WHERE u.digest = t.digest)
  FROM waiting w
  JOIN image_library_internal.required_approvals(waiting_images.repository_id, ARRAY(SELECT u.digest FROM waiting u)) asked USING (digest)
  JOIN image_library_internal.tag t ON t.repository_id = waiting_images.repository_id AND t.digest = asked.digest
  JOIN image_library_internal.full_repository r USING (repository_id)
  WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL
  ORDER BY t.digest, t.name
$$;
COMMENT ON FUNCTION image_library_internal.waiting_images IS
  'Images of some tags that wait for a decision and could be read; approvable: nobody has decided on it, one approval is enough, of the rule if there is one, and it has the signature that a rule requires';
GRANT EXECUTE ON FUNCTION image_library_internal.waiting_images TO image_library_agent;

CREATE FUNCTION image_library_internal.policy_verdict(registry text, repository text, digest text,
  OUT unmet text[], OUT approving_policy text, OUT slow_policy text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  outcome record;
BEGIN
  unmet := '{}';
  FOR outcome IN
    SELECT o.policy, o.effect, bool_and(o.reason IS NULL) AS met, bool_or(o.reason LIKE 'it took longer than % ms') AS slow
    FROM image_library_internal.policy_outcomes(registry, repository, digest, '{require,auto_approve}') o
    GROUP BY 1, 2 ORDER BY 1
  LOOP
    IF outcome.slow THEN
      slow_policy := coalesce(slow_policy, outcome.policy);
    END IF;
    IF outcome.effect = 'require' THEN
      unmet := unmet || CASE WHEN NOT outcome.met THEN ARRAY[outcome.policy] ELSE '{}' END;
    ELSIF outcome.met THEN
      approving_policy := coalesce(approving_policy, outcome.policy);
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.policy_verdict IS
  'Required policies that an image does not meet, the first policy that approves it, and one that took too long';
GRANT EXECUTE ON FUNCTION image_library_internal.policy_verdict TO image_library_agent;

CREATE FUNCTION image_library_internal.approve_by_policy(repository_id integer, tags text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  image record;
  verdict record;
  decision image_library_internal.decision;
  approved_digests text[] := '{}';
BEGIN
  IF NOT image_library_internal.has_approval_policies() THEN
    RETURN 0;
  END IF;
  FOR image IN SELECT * FROM image_library_internal.waiting_images(repository_id, tags) LOOP
    SELECT * INTO verdict FROM image_library_internal.policy_verdict(image.registry, image.repository, image.digest);
    INSERT INTO image_library_internal.policy_verdict AS v (repository_id, digest, unmet)
    VALUES (approve_by_policy.repository_id, image.digest, verdict.unmet)
    ON CONFLICT ON CONSTRAINT policy_verdict_pkey DO UPDATE SET unmet = excluded.unmet, checked_at = excluded.checked_at;
    -- Otherwise each image of a large batch could take as long.
    IF verdict.slow_policy IS NOT NULL THEN
      RAISE WARNING USING
        MESSAGE = format('policy "%s" took too long: images that arrived with %s:%s were not approved', verdict.slow_policy,
                         image.repository, image.tag),
        HINT = 'Make it faster, or raise image_library.policy_timeout; then call image_library.apply_policies.';
      EXIT;
    END IF;
    CONTINUE WHEN NOT image.approvable OR verdict.unmet <> '{}' OR coalesce(image.rule_id::text, verdict.approving_policy) IS NULL;
    decision := image_library_internal.decision_on(image, 'approve', 'pending', 'approved',
      CASE WHEN image.rule_id IS NULL THEN format('policy "%s" approves', verdict.approving_policy)
           ELSE format('rule %s approves on arrival', image.rule_id) END);
    decision.rule_id := image.rule_id;
    IF image.rule_id IS NULL THEN
      decision.policy := verdict.approving_policy;
    END IF;
    INSERT INTO image_library_internal.approval (repository_id, digest, state, approvals, decision_id)
    VALUES (approve_by_policy.repository_id, image.digest, 'approved', CASE WHEN image.rule_id IS NULL THEN 1 ELSE 0 END,
            image_library_internal.tell_decision(decision))
    ON CONFLICT ON CONSTRAINT approval_pkey DO UPDATE
    SET state = 'approved', approvals = excluded.approvals, decision_id = excluded.decision_id, decided_at = excluded.decided_at,
        reset_at = NULL, signature_lost_at = NULL;
    approved_digests := approved_digests || image.digest;
  END LOOP;
  PERFORM image_library_internal.end_requests(repository_id, approved_digests);
  PERFORM image_library_internal.refresh_entry_approval(repository_id, approved_digests);
  RETURN cardinality(approved_digests);
END
$$;
COMMENT ON FUNCTION image_library_internal.approve_by_policy IS
  'Evaluates the policies for images that wait, and approves those that nobody has decided on if a rule or a policy approves and no policy refuses; returns their number. Called after the read model has the tags, since policies read it';
GRANT EXECUTE ON FUNCTION image_library_internal.approve_by_policy TO image_library_agent;

CREATE FUNCTION image_library.apply_policies(registry text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry;
  waiting record;
  approved bigint := 0;
BEGIN
  PERFORM image_library_internal.require_admin('apply policies');
  IF registry IS NOT NULL THEN
    of_registry := image_library_internal.find_registry(registry);
  END IF;
  FOR waiting IN
    SELECT r.registry_id, t.repository_id, array_agg(t.name) AS tags
    FROM image_library_internal.tag t JOIN image_library_internal.repository r USING (repository_id)
    WHERE (of_registry.registry_id IS NULL OR r.registry_id = of_registry.registry_id)
      AND t.rule_id IS NOT NULL AND t.missing_since IS NULL
      AND NOT EXISTS (SELECT FROM image_library_internal.approval a
                      WHERE a.repository_id = t.repository_id AND a.digest = t.digest
                        AND a.state <> 'pending' AND coalesce(a.state <> 'approved' OR a.valid_until > clock_timestamp(), true))
    GROUP BY 1, 2 ORDER BY 1, 2
  LOOP
    PERFORM image_library_internal.lock_repository(waiting.registry_id, waiting.repository_id, for_batch => true);
    approved := approved + image_library_internal.approve_by_policy(waiting.repository_id, waiting.tags);
  END LOOP;
  RETURN approved;
END
$$;
COMMENT ON FUNCTION image_library.apply_policies IS
  'Evaluates the policies again for images that wait, as on arrival, and approves those that nobody has decided on and that meet them; returns how many images were approved. For policies whose result changes with time, such as a minimum age';
GRANT EXECUTE ON FUNCTION image_library.apply_policies TO image_library_admin;

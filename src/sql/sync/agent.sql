-- Functions that the agent's C++ code calls, as role image_library_agent only.

CREATE FUNCTION image_library_internal.sync_targets(registry text, force boolean)
RETURNS TABLE (registry_id integer, name text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked image_library_internal.registry;
BEGIN
  PERFORM image_library_internal.require_read_committed();
  IF force AND NOT image_library_internal.sees_everything() THEN
    PERFORM image_library_internal.fail(
      errcode => 'insufficient_privilege',
      message => 'permission denied: sync a registry that asked to be left alone',
      detail => 'Registries refuse clients for longer that keep sending requests.',
      hint => 'Ask a member of image_library_admin, or sync without force.');
  END IF;
  IF registry IS NOT NULL THEN
    asked := image_library_internal.find_registry(registry);
    IF NOT asked.enabled THEN
      PERFORM image_library_internal.fail(
        errcode => 'object_not_in_prerequisite_state',
        message => format('registry "%s" is disabled', registry),
        hint => 'Enable it with image_library.enable_registry.');
    END IF;
  END IF;
  RETURN QUERY
    SELECT g.registry_id, g.name
    FROM image_library_internal.visible_registry g
    WHERE g.enabled AND (sync_targets.registry IS NULL OR g.name = sync_targets.registry)
    ORDER BY g.name;
END
$$;
COMMENT ON FUNCTION image_library_internal.sync_targets IS
  'Enabled registries that the caller may see, or the named one; raises an error if it cannot be synced';
GRANT EXECUTE ON FUNCTION image_library_internal.sync_targets TO image_library_agent;

CREATE FUNCTION image_library_internal.registry_config(registry_id integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object(
    'name', g.name, 'scheme', g.scheme, 'host', g.host, 'prefix', g.prefix, 'proxy', g.proxy, 'realm_hosts', g.realm_hosts,
    'ca_certificate', g.ca_certificate, 'allow_private', g.allow_private, 'client_certificate', c.certificate, 'client_key', c.key,
    'max_connections', g.max_connections, 'requests_per_second', g.requests_per_second, 'requests_per_run', g.requests_per_run,
    'reads_evidence', EXISTS (SELECT FROM image_library_internal.trust_anchor),
    'rules', rules.json, 'rules_fingerprint', image_library_internal.json_fingerprint(rules.json),
    'keys', image_library_internal.classification_keys(), 'keys_version', image_library_internal.classification_version(),
    'rules_version', image_library_internal.rules_version(g.registry_id), 'progress', coalesce(m.progress, ''),
    'head_refused', coalesce(m.head_refused_at > now() - interval '1 day', false),
    'referrers_refused', coalesce(m.referrers_refused_at > now() - interval '1 day', false),
    'conditional', CASE WHEN m.conditional_refused_at > now() - interval '1 day' THEN false WHEN m.conditional THEN true END)
  FROM image_library_internal.registry g
  CROSS JOIN LATERAL (SELECT coalesce(image_library_internal.rules_json(g.registry_id), '[]') AS json) rules
  LEFT JOIN image_library_internal.client_certificate c USING (registry_id)
  LEFT JOIN image_library_internal.registry_state m USING (registry_id)
  WHERE g.registry_id = registry_config.registry_id
$$;
COMMENT ON FUNCTION image_library_internal.registry_config IS
  'Configuration of a registry for a run, with its enabled rules, the keys of classification and the state that the last run stored';
GRANT EXECUTE ON FUNCTION image_library_internal.registry_config TO image_library_agent;

-- As MayHaveEvidence in src/sync/evidence_reader.cpp.
CREATE FUNCTION image_library_internal.may_have_evidence(artifact_type text, tag text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN tag LIKE '%.%' THEN tag LIKE '%.sig' OR tag LIKE '%.att'
            ELSE artifact_type LIKE 'application/vnd.dev.sigstore.bundle%' OR artifact_type LIKE 'application/vnd.dev.cosign.artifact.%'
                 OR artifact_type = 'application/vnd.cncf.notary.signature' OR artifact_type = 'application/vnd.dev.cosign.simplesigning.v1+json'
                 OR artifact_type = 'application/vnd.dsse.envelope.v1+json' END;
COMMENT ON FUNCTION image_library_internal.may_have_evidence IS
  'Whether a referrer of a type, in a tag (null: none), may be a signature that can be verified';
GRANT EXECUTE ON FUNCTION image_library_internal.may_have_evidence TO image_library_agent;

-- Approved and used images are asked about every day, pending images at growing intervals: signatures are mostly pushed
-- minutes after their image, and a policy may wait for them.
CREATE FUNCTION image_library_internal.due_referrers(registry_id integer, with_api boolean)
RETURNS TABLE (repository text, digest text, tags jsonb, known jsonb, absent jsonb, present jsonb, children jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.name, due.digest,
         (SELECT coalesce(jsonb_agg(DISTINCT x.tag), '[]') FROM image_library_internal.image_referrer x
          WHERE x.repository_id = due.repository_id AND x.digest = due.digest AND x.tag IS NOT NULL),
         (SELECT coalesce(jsonb_object_agg(x.referrer_digest, x.artifact_type), '{}') FROM image_library_internal.image_referrer x
          WHERE x.repository_id = due.repository_id AND x.digest = due.digest),
         coalesce(made_of.absent, '[]'), coalesce(made_of.present, '[]'), coalesce(children.digests, '[]')
  FROM (
    SELECT wanted.repository_id, wanted.digest, coalesce(max(c.checked_at), max(wanted.since)) AS last_at,
           bool_or(wanted.matters)
             AND coalesce(max(c.checked_at), max(wanted.since)) - max(wanted.since) >= interval '1 day' AS is_daily
    FROM (
      SELECT t.repository_id, t.digest, t.digest_changed_at AS since, true AS matters
      FROM image_library_internal.repository p
      JOIN image_library_internal.approval a USING (repository_id)
      JOIN image_library_internal.tag t ON t.repository_id = a.repository_id AND t.digest = a.digest
      WHERE p.registry_id = due_referrers.registry_id AND a.state = 'approved'
        AND t.rule_id IS NOT NULL AND t.missing_since IS NULL
      UNION ALL
      SELECT t.repository_id, t.digest, t.digest_changed_at, false
      FROM image_library_internal.repository p
      JOIN image_library_internal.tag t USING (repository_id)
      WHERE p.registry_id = due_referrers.registry_id AND t.digest_changed_at > now() - interval '3 days'
        AND t.rule_id IS NOT NULL AND t.missing_since IS NULL
      UNION ALL
      -- Signatures that were only listed until somebody was trusted or until there was space for them, and those that could not be read.
      SELECT t.repository_id, t.digest, t.digest_changed_at, false
      FROM image_library_internal.repository p
      JOIN image_library_internal.image_referrer x USING (repository_id)
      JOIN image_library_internal.tag t ON t.repository_id = x.repository_id AND t.digest = x.digest
      WHERE p.registry_id = due_referrers.registry_id AND EXISTS (SELECT FROM image_library_internal.trust_anchor)
        AND image_library_internal.may_have_evidence(x.artifact_type, x.tag)
        AND (SELECT coalesce(bool_or(e.retry AND (NOT e.over_limit OR (SELECT image_library_internal.has_evidence_room(due_referrers.registry_id)))), true)
             FROM image_library_internal.evidence e
             WHERE e.repository_id = x.repository_id AND e.digest = x.digest AND e.referrer_digest = x.referrer_digest AND e.imported_from = '')
        AND t.rule_id IS NOT NULL AND t.missing_since IS NULL
    ) wanted
    LEFT JOIN image_library_internal.referrer_check c USING (repository_id, digest)
    GROUP BY wanted.repository_id, wanted.digest
    HAVING coalesce(max(c.checked_at), max(wanted.since))
         + greatest(interval '10 minutes',
                    least(coalesce(max(c.checked_at), max(wanted.since)) - max(wanted.since),
                          CASE WHEN bool_or(wanted.matters) THEN interval '1 day' END)) <= now()
  ) due
  JOIN image_library_internal.repository r USING (repository_id)
  LEFT JOIN LATERAL (
    SELECT jsonb_agg(p.manifest_digest ORDER BY p.platform <> 'linux/amd64', p.manifest_digest) FILTER (WHERE NOT p.present) AS absent,
           jsonb_agg(p.manifest_digest ORDER BY p.manifest_digest) FILTER (WHERE p.present) AS present
    FROM image_library_internal.image_platform p WHERE p.digest = due.digest
    HAVING NOT bool_and(p.present)) made_of ON true
  LEFT JOIN LATERAL (
    SELECT jsonb_agg(c.manifest_digest ORDER BY c.place) AS digests
    FROM (SELECT p.manifest_digest, row_number() OVER (ORDER BY p.platform <> 'linux/amd64', p.manifest_digest) AS place
          FROM image_library_internal.image_platform p
          WHERE p.digest = due.digest AND p.manifest_digest <> p.digest AND p.present) c
    WHERE c.place <= 50) children ON due.is_daily
  WHERE with_api OR made_of.absent IS NOT NULL OR children.digests IS NOT NULL
     OR EXISTS (SELECT FROM image_library_internal.image_referrer x
                WHERE x.repository_id = due.repository_id AND x.digest = due.digest AND x.tag IS NOT NULL)
  ORDER BY due.last_at, 1, 2
  LIMIT 1000
$$;
COMMENT ON FUNCTION image_library_internal.due_referrers IS
  'A portion of the images whose referrers are to be asked for again, the one asked longest ago first; without an API those with referrer tags, or whose index named missing manifests. children: manifests of approved images that are checked every day';
GRANT EXECUTE ON FUNCTION image_library_internal.due_referrers TO image_library_agent;

CREATE FUNCTION image_library_internal.forget_other_problems(registry_id integer, repositories jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM image_library_internal.problem p
  WHERE p.registry_id = forget_other_problems.registry_id
    AND NOT EXISTS (SELECT FROM jsonb_array_elements_text(repositories) AS read (name) WHERE read.name = p.repository)
$$;
COMMENT ON FUNCTION image_library_internal.forget_other_problems IS
  'Removes problems of repositories that the rules do not ask for any more';
GRANT EXECUTE ON FUNCTION image_library_internal.forget_other_problems TO image_library_agent;

CREATE FUNCTION image_library_internal.known_repositories(registry_id integer)
RETURNS TABLE (name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.name FROM image_library_internal.repository r
  WHERE r.registry_id = known_repositories.registry_id
  ORDER BY r.name
$$;
COMMENT ON FUNCTION image_library_internal.known_repositories IS 'Repositories of a registry that were read before';
GRANT EXECUTE ON FUNCTION image_library_internal.known_repositories TO image_library_agent;

-- Between 1 second and 1 hour, whatever a registry asks for. If it gives no time, 30 seconds * 2^n after the n-th
-- consecutive run that its limit ended, plus or minus a quarter.
CREATE FUNCTION image_library_internal.remember(registry_id integer, limited boolean, retry_after bigint, progress text,
  head_refused boolean, referrers_refused boolean, conditional boolean)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO image_library_internal.registry_state AS m
    (registry_id, not_before, limited_runs, progress, head_refused_at, referrers_refused_at, conditional, conditional_refused_at)
  SELECT remember.registry_id,
         CASE WHEN limited THEN clock_timestamp() + CASE
           WHEN remember.retry_after > 0 THEN make_interval(secs => least(greatest(remember.retry_after, 1), 3600))
           ELSE (0.75 + 0.5 * random()) * least(interval '30 seconds' * 2 ^ least(coalesce(old.limited_runs, 0), 16), interval '1 hour')
         END END,
         CASE WHEN limited THEN coalesce(old.limited_runs, 0) + 1 ELSE 0 END,
         remember.progress,
         -- A time less than a day old is kept, since the request was not tried again.
         CASE WHEN head_refused THEN CASE WHEN old.head_refused_at > now() - interval '1 day' THEN old.head_refused_at ELSE now() END END,
         CASE WHEN referrers_refused THEN CASE WHEN old.referrers_refused_at > now() - interval '1 day' THEN old.referrers_refused_at ELSE now() END END,
         coalesce(remember.conditional, false),
         CASE WHEN NOT remember.conditional THEN CASE WHEN old.conditional_refused_at > now() - interval '1 day' THEN old.conditional_refused_at ELSE now() END END
  FROM (VALUES (1)) one
  LEFT JOIN image_library_internal.registry_state old ON old.registry_id = remember.registry_id
  ON CONFLICT ON CONSTRAINT registry_state_pkey DO UPDATE
  SET not_before = excluded.not_before, limited_runs = excluded.limited_runs, progress = excluded.progress,
      head_refused_at = excluded.head_refused_at, referrers_refused_at = excluded.referrers_refused_at,
      conditional = excluded.conditional, conditional_refused_at = excluded.conditional_refused_at
  WHERE (m.not_before, m.limited_runs, m.progress, m.head_refused_at, m.referrers_refused_at, m.conditional, m.conditional_refused_at)
        IS DISTINCT FROM (excluded.not_before, excluded.limited_runs, excluded.progress, excluded.head_refused_at,
                          excluded.referrers_refused_at, excluded.conditional, excluded.conditional_refused_at)
$$;
COMMENT ON FUNCTION image_library_internal.remember IS
  'Stores what the next run needs; retry_after in seconds, 0: the registry did not give a time; conditional: whether If-None-Match works, null: not known';
GRANT EXECUTE ON FUNCTION image_library_internal.remember TO image_library_agent;

CREATE FUNCTION image_library_internal.not_before(registry_id integer) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT m.not_before FROM image_library_internal.registry_state m
  WHERE m.registry_id = not_before.registry_id AND m.not_before > clock_timestamp()
$$;
COMMENT ON FUNCTION image_library_internal.not_before IS 'Time before which a registry wants no request; null: none';
GRANT EXECUTE ON FUNCTION image_library_internal.not_before TO image_library_agent;

CREATE FUNCTION image_library_internal.check_not_before(registry_id integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  not_before timestamptz := image_library_internal.not_before(registry_id);
BEGIN
  IF not_before IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('registry "%s" asked not to be asked before %s',
        (SELECT g.name FROM image_library_internal.registry g WHERE g.registry_id = check_not_before.registry_id), not_before),
      detail => 'It limits how many requests it answers, and counts those that it refuses too.',
      hint => 'Wait: the agent goes on by itself. An admin may ask all the same: CALL image_library.sync(..., force => true).');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_not_before IS 'Raises 55000 while a registry wants no request';
GRANT EXECUTE ON FUNCTION image_library_internal.check_not_before TO image_library_agent;

CREATE FUNCTION image_library_internal.next_sync_at(run_id bigint, outcome text)
RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- After a success the interval; after the first failure 30 s, doubled after each further one, up to the interval.
  -- Both plus or minus a tenth, so that not all registries are asked at the same time.
  -- After a cancel as before the run; whoever cancelled does not meet the agent at once.
  SELECT greatest(
    image_library_internal.not_before(g.registry_id),
    CASE WHEN next_sync_at.outcome = 'cancelled'
         THEN image_library_internal.due_at(g.sync_requested_at, before.answered_request, before.next_at) END,
    now() + (0.9 + 0.2 * random()) * CASE
      WHEN next_sync_at.outcome = 'cancelled' THEN interval '30 seconds'
      WHEN next_sync_at.outcome = 'failed' THEN
        least(g.sync_interval, interval '30 seconds' * 2 ^ least(image_library_internal.failures(g.registry_id), 16))
      ELSE g.sync_interval
    END)
  FROM image_library_internal.run this
  JOIN image_library_internal.registry g USING (registry_id)
  LEFT JOIN LATERAL (SELECT coalesce(r.answered_request, r.started_at) AS answered_request, r.next_at FROM image_library_internal.run r
                     WHERE r.registry_id = g.registry_id AND r.run_id < this.run_id
                     ORDER BY r.run_id DESC LIMIT 1) before ON true
  WHERE this.run_id = next_sync_at.run_id
$$;
COMMENT ON FUNCTION image_library_internal.next_sync_at IS
  'When a sync of a registry is due after a run, with backoff and jitter, and not before the registry allows it';
GRANT EXECUTE ON FUNCTION image_library_internal.next_sync_at TO image_library_agent;

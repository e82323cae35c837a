-- What an operator should look at now.

CREATE VIEW image_library.ending_approvals WITH (security_barrier) AS
  SELECT r.registry, r.repository, n.tag, a.digest, concat(r.place, ':' || n.tag, '@', a.digest) AS pinned_reference,
         least(a.valid_until, a.deprecated_from) AS ends_at,
         CASE WHEN a.valid_until <= a.deprecated_from OR a.deprecated_from IS NULL THEN 'expires' ELSE 'deprecated' END AS why,
         (SELECT count(*) FROM image_library_internal.image_use u
          WHERE u.repository_id = a.repository_id AND u.digest = a.digest AND u.released_at IS NULL) AS uses
  FROM image_library_internal.approval a
  JOIN image_library_internal.visible_repository r USING (repository_id)
  CROSS JOIN LATERAL (SELECT min(t.name) AS tag FROM image_library_internal.tag t WHERE t.repository_id = a.repository_id AND t.digest = a.digest) n
  WHERE a.state = 'approved' AND least(a.valid_until, a.deprecated_from) > (SELECT clock_timestamp()) AND a.quarantined_at IS NULL
    -- The planner knows how many have such times; of a time that it does not know it expects that a third are later.
    AND (a.valid_until IS NOT NULL OR a.deprecated_from IS NOT NULL);
COMMENT ON VIEW image_library.ending_approvals IS
  'Approved images that may not be used any more from a time on, since their approval expires or they are deprecated';
GRANT SELECT ON image_library.ending_approvals TO image_library_reader;

-- It runs with the rights of the caller, who is told of what the views show to that role. To compile the plan takes ten times
-- as long as to run it.
CREATE FUNCTION image_library.alerts(failures integer DEFAULT 3, overdue_after interval DEFAULT '1 hour', problems_after interval DEFAULT '1 day',
  pending_after interval DEFAULT '7 days', ends_within interval DEFAULT '14 days')
RETURNS TABLE (alert text, severity text, registry text, subject text, since timestamptz, detail text, hint text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
  WITH drifting AS MATERIALIZED (
    SELECT d.registry, d.repository, d.tag, d.digest, d.drift, d.usable, count(*) AS uses, min(d.detail) AS detail,
           min(concat(d.consumer, ' at ' || d.location)) AS consumer
    FROM image_library.drift d
    WHERE NOT d.usable OR d.drift IN ('missing', 'policy unmet', 'signature lost')
    GROUP BY 1, 2, 3, 4, 5, 6
  ), ending AS MATERIALIZED (
    SELECT e.* FROM image_library.ending_approvals e WHERE e.ends_at < (SELECT clock_timestamp()) + ends_within
  ), found (alert, severity, registry, subject, since, detail, hint) AS (
    -- While another worker tries, the state is working.
    SELECT 'agent', CASE WHEN s.state IN ('disabled', 'restoring') OR f.failing AND s.failures < alerts.failures THEN 'warning' ELSE 'critical' END,
           NULL, s.database, CASE WHEN f.failing THEN s.last_failed_at END, concat_ws(': ', s.last_error, CASE WHEN f.failing THEN s.last_failure END),
           'See image_library.agent_status() and the log of the server.'
    FROM image_library.agent_status() s CROSS JOIN LATERAL (SELECT s.state IN ('failing', 'working') AS failing) f
    WHERE s.last_error IS NOT NULL AND s.state NOT IN ('standby', 'replica')
    UNION ALL
    SELECT 'replication', 'critical', NULL, s.name, w.heard_at,
           CASE WHEN s.name IS NULL THEN 'no subscription brings what the hub decides'
                WHEN NOT s.enabled THEN 'the subscription is disabled: what the hub decides does not come'
                WHEN w.pid IS NULL THEN concat('the subscription has no worker: what the hub decides does not come; errors until now: ', e.apply_error_count)
                ELSE 'the hub has not been heard since then' END,
           'See pg_stat_subscription, and the log of this server.'
    FROM (VALUES (1)) AS one
    LEFT JOIN (SELECT s.oid, s.subname::text AS name, s.subenabled AS enabled
               FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
               WHERE EXISTS (SELECT FROM pg_subscription_rel r JOIN pg_class c ON c.oid = r.srrelid
                             WHERE r.srsubid = s.oid AND c.relnamespace = 'image_library_internal'::regnamespace)) s ON true
    LEFT JOIN LATERAL (SELECT p.pid, p.latest_end_time AS heard_at FROM pg_stat_subscription p
                       WHERE p.subid = s.oid AND p.relid IS NULL ORDER BY p.pid NULLS LAST LIMIT 1) w ON true
    LEFT JOIN pg_stat_subscription_stats e ON e.subid = s.oid
    WHERE EXISTS (SELECT FROM image_library.agent_status() a WHERE a.database = current_database() AND a.state = 'replica')
      AND (s.name IS NULL OR NOT s.enabled OR w.pid IS NULL OR w.heard_at < clock_timestamp() - overdue_after)
    UNION ALL
    SELECT 'registry failing', 'critical', s.registry, NULL, s.failing_since,
           format('%s runs in a row have failed: %s', s.consecutive_failures, s.last_error),
           'See image_library.check_registry.'
    FROM image_library.sync_status s WHERE s.state = 'failing' AND s.consecutive_failures >= alerts.failures
    UNION ALL
    SELECT 'sync overdue', 'critical', s.registry, NULL, s.next_sync_at, 'no process has begun the sync that is due',
           'See image_library.agent_status(); image_library.max_workers may be too small.'
    FROM image_library.sync_status s
    WHERE s.state NOT IN ('disabled', 'running', 'no rule') AND s.next_sync_at < clock_timestamp() - overdue_after 
      AND NOT EXISTS (SELECT FROM image_library.agent_status() a WHERE a.database = current_database() AND a.state IN ('standby', 'replica'))
    UNION ALL
    SELECT 'sync incomplete', 'warning', s.registry, NULL, coalesce(s.last_success_at, g.created_at),
           format('no run was complete since then: %s', s.last_error), 'See image_library.sync_problem; requests_per_run or image_library.run_timeout may be too small.'
    FROM image_library.sync_status s JOIN image_library.registries g ON g.name = s.registry
    WHERE s.state = 'partial' AND coalesce(s.last_success_at, g.created_at) < clock_timestamp() - greatest(problems_after, 4 * g.sync_interval)
    UNION ALL
    SELECT 'removals refused', 'warning', f.registry, f.repository, f.refused_at,
           format('tags that a listing lacks, and that were not marked missing: %s', cardinality(f.tags)),
           'See image_library.refused_removals; if the removal is real, call image_library.accept_removals.'
    FROM image_library.refused_removals f WHERE f.accepted_at IS NULL
    UNION ALL
    SELECT 'not read', CASE WHEN p.problem = 'digest mismatch' THEN 'critical' ELSE 'warning' END, p.registry, p.problem, min(p.first_seen_at),
           format('tags or repositories: %s, such as %s: %s', count(*), min(concat(p.repository, ':' || p.tag)), min(p.detail)),
           'See image_library.sync_problem.'
    FROM image_library.sync_problem p
    WHERE p.problem NOT IN ('unreadable annotation', 'annotations cut', 'removals refused')
    GROUP BY p.registry, p.problem
    -- These tell of somebody's act, so they do not pass.
    HAVING p.problem IN ('digest mismatch', 'immutable tag moved') OR min(p.first_seen_at) < clock_timestamp() - problems_after
    UNION ALL
    SELECT 'pending', 'warning', p.registry, NULL, min(p.since), format('tags of images that have waited for a decision for more than %s: %s', pending_after, count(*)),
           'See image_library.pending_images.'
    -- OFFSET 0: since is computed once a row.
    FROM (SELECT w.registry, w.since FROM image_library.pending_images w OFFSET 0) p WHERE p.since < clock_timestamp() - pending_after
    GROUP BY p.registry
    UNION ALL
    SELECT CASE e.why WHEN 'expires' THEN 'approval expires' ELSE 'deprecated' END, 'warning', e.registry, concat(e.repository, ':' || e.tag, '@', e.digest), NULL,
           format('it may be used until %s; uses now: %s', e.ends_at, e.uses),
           CASE e.why WHEN 'expires' THEN 'Approve it again after image_library.reset, or move to another image.' ELSE 'Move to another image.' END
    FROM ending e WHERE e.uses > 0
    UNION ALL
    SELECT 'approval expires', 'warning', e.registry, NULL, NULL, format('images that nobody has recorded a use of: %s, the first at %s', count(*), min(e.ends_at)),
           'See image_library.ending_approvals.'
    FROM ending e WHERE e.uses = 0 AND e.why = 'expires'
    GROUP BY e.registry
    UNION ALL
    SELECT 'blocked in use', 'critical', d.registry, concat(d.repository, ':' || d.tag, '@' || d.digest), NULL,
           format('%s; uses: %s, such as %s', d.detail, d.uses, d.consumer), 'See image_library.drift.'
    FROM drifting d WHERE NOT d.usable AND d.drift IN ('pending', 'rejected', 'revoked', 'not usable', 'not admitted', 'missing')
    UNION ALL
    SELECT 'unknown in use', 'warning', NULL, NULL, NULL,
           format('uses of images that the library does not know: %s, such as %s', sum(d.uses), min(concat(d.repository, ':' || d.tag, '@' || d.digest))),
           'See image_library.drift.'
    FROM drifting d WHERE d.drift = 'unknown'
    HAVING count(*) > 0
    UNION ALL
    SELECT CASE d.drift WHEN 'missing' THEN 'missing in use' WHEN 'signature lost' THEN 'signature lost in use' ELSE 'policy unmet' END, 'warning', d.registry, concat(d.repository, ':' || d.tag, '@' || d.digest), NULL,
           format('%s; uses: %s, such as %s', d.detail, d.uses, d.consumer), 'See image_library.drift.'
    FROM drifting d WHERE d.usable AND d.drift IN ('missing', 'policy unmet', 'signature lost')
    UNION ALL
    SELECT 'signature lost', 'warning', l.registry, NULL, min(l.lost_at),
           format('images that a person has approved and whose signature is not verified any more: %s, such as %s', count(*), min(l.pinned_reference)),
           'See image_library.lost_signatures; revoke them, or reset and approve them again.'
    FROM image_library.lost_signatures l WHERE l.approval = 'approved'
    GROUP BY l.registry
    UNION ALL
    SELECT 'signatures not stored', 'warning', s.registry, NULL, NULL,
           format('signatures take %s of %s; not verified and not stored: %s', pg_size_pretty(s.bytes), pg_size_pretty(s.limit_bytes), s.not_stored),
           'See image_library.image_signatures for whose they are, and signature_megabytes of image_library.alter_registry.'
    FROM image_library.signature_space s WHERE s.not_stored > 0
    UNION ALL
    SELECT 'owner dropped', 'warning', o.registry, o.subject, NULL, format('it belongs to role %s, which does not exist any more', o.owner::oid),
           format('Give it another owner, or none, with image_library.alter_%s: in a dump the number may become another role.', o.kind)
    FROM (SELECT g.name AS registry, NULL AS subject, g.owner, 'registry' AS kind FROM image_library.registries g
          UNION ALL SELECT r.registry, concat('rule ', r.rule_id), r.owner, 'rule' FROM image_library.rules r
          UNION ALL SELECT c.registry, concat('channel ', c.name), c.owner, 'channel' FROM image_library.channels c) o
    WHERE o.owner IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles a WHERE a.oid = o.owner)
    UNION ALL
    SELECT 'registry warning', 'warning', g.name, NULL, NULL, g.warning, 'It is what the registry tells its clients.'
    FROM image_library.registries g WHERE g.warning IS NOT NULL AND g.enabled
  )
  SELECT f.alert, f.severity, f.registry, f.subject, f.since, f.detail, f.hint
  FROM found f
  ORDER BY f.severity, f.since NULLS LAST, f.alert, f.registry, f.subject
$$;
COMMENT ON FUNCTION image_library.alerts IS
  'What an operator should look at now, critical before warning; no row: nothing. The arguments are limits: failed runs in a row, time a sync is overdue, time something could not be read, time an image is pending, time until an approval ends';
GRANT EXECUTE ON FUNCTION image_library.alerts TO image_library_reader;

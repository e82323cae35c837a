-- Public views. They run with the rights of their owner, so that no role needs a right to a table.

CREATE VIEW image_library.registries WITH (security_barrier) AS
  SELECT g.name, concat(g.scheme, '://', concat_ws('/', g.host, nullif(g.prefix, ''))) AS url, g.enabled,
         g.sync_interval, g.max_connections, g.requests_per_second, g.allow_private,
         g.ca_certificate IS NOT NULL AS own_ca,
         ARRAY(SELECT c.repository_prefix FROM image_library_internal.credential c
               WHERE c.registry_id = g.registry_id ORDER BY 1) AS credential_prefixes,
         g.owner, g.created_at, g.created_by, g.private, g.proxy, g.realm_hosts,
         EXISTS (SELECT FROM image_library_internal.client_certificate c WHERE c.registry_id = g.registry_id) AS client_certificate,
         n.token_server, n.warning, g.requests_per_run, g.signature_megabytes
  FROM image_library_internal.visible_registry g
  LEFT JOIN image_library_internal.registry_note n USING (registry_id);
COMMENT ON VIEW image_library.registries IS
  'Registries and their options, with the repository prefixes that have a credential';
GRANT SELECT ON image_library.registries TO image_library_reader;

CREATE VIEW image_library.rules WITH (security_barrier) AS
  SELECT r.rule_id, g.name AS registry, r.repositories, r.tags, r.exclude_tags, r.action, r.kind, r.approval,
         r.platforms, r.immutable_tags, r.newest, r.priority, r.enabled, r.owner, r.created_at, r.created_by,
         r.required_approvals, r.separate_requester, r.signed_by
  FROM image_library_internal.rule r
  JOIN image_library_internal.visible_registry g USING (registry_id);
COMMENT ON VIEW image_library.rules IS 'Repository rules, enabled and disabled';
GRANT SELECT ON image_library.rules TO image_library_reader;

CREATE VIEW image_library.repositories WITH (security_barrier) AS
  SELECT r.registry, r.repository, r.place AS reference,
         cardinality(l.tags) AS tags_listed, l.changed_at AS listing_changed_at,
         (SELECT count(*) FROM image_library_internal.tag t
          WHERE t.repository_id = r.repository_id AND t.rule_id IS NOT NULL AND t.missing_since IS NULL) AS tags,
         ARRAY(SELECT h.name FROM image_library_internal.hm_tag h
               JOIN image_library_internal.hm_tag_repository x USING (hm_tag_id)
               WHERE x.repository_id = r.repository_id ORDER BY 1) AS hm_tags,
         r.first_seen_at, m.readme,
         ARRAY(SELECT DISTINCT e.kind FROM image_library_internal.entry e
               WHERE e.repository_id = r.repository_id AND e.missing_since IS NULL ORDER BY 1) AS kinds,
         (SELECT e.description FROM image_library_internal.entry e
          WHERE e.repository_id = r.repository_id AND e.missing_since IS NULL AND e.description IS NOT NULL
          ORDER BY image_library.version_key(e.tag) DESC LIMIT 1) AS description
  FROM image_library_internal.visible_repository r
  LEFT JOIN image_library_internal.listing l USING (repository_id)
  LEFT JOIN image_library_internal.repository_readme m USING (repository_id);
COMMENT ON VIEW image_library.repositories IS
  'Repositories that were read, with the number of tags listed and in the library';
GRANT SELECT ON image_library.repositories TO image_library_reader;

CREATE FUNCTION image_library_internal.asked_platforms(rule_id bigint, platforms text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked text[] := (SELECT u.platforms FROM image_library_internal.rule u WHERE u.rule_id = asked_platforms.rule_id);
BEGIN
  IF asked IS NULL THEN
    RETURN platforms;
  END IF;
  RETURN ARRAY(SELECT p FROM unnest(platforms) p WHERE p = ANY (asked) ORDER BY p COLLATE "C");
END
$$;
COMMENT ON FUNCTION image_library_internal.asked_platforms IS
  'Those platforms of an image that a rule asks for; a function keeps its plan, so that a lookup of an image need not make it';
GRANT EXECUTE ON FUNCTION image_library_internal.asked_platforms TO image_library_reader, image_library_agent;

-- All platforms of an image are read, since another rule, possibly of another registry, may ask for others.
CREATE VIEW image_library_internal.tag_platforms AS
  SELECT t.repository_id, t.name AS tag,
         CASE WHEN u.platforms IS NULL THEN i.platforms
              ELSE ARRAY(SELECT p FROM unnest(i.platforms) p WHERE p = ANY (u.platforms) ORDER BY p COLLATE "C") END AS platforms
  FROM image_library_internal.tag t
  JOIN image_library_internal.image i ON i.digest = t.digest
  LEFT JOIN image_library_internal.rule u ON u.rule_id = t.rule_id;
COMMENT ON VIEW image_library_internal.tag_platforms IS
  'Platforms of an image that the rule which decides on its tag asks for';

-- Row level security of tag, repository and registry hides rows: conditions of users come after it at each of them. OFFSET
-- 0 keeps such conditions out of tables that do not know who may see a row; these are read for visible tags only, and
-- not at all where none of their columns is asked for. HAVING tells the planner that it is one row, so that the left join is
-- then left out of the plan: pending_images does the same.
CREATE VIEW image_library_internal.visible_tags AS
  SELECT t.repository_id, r.registry_id, g.name AS registry, g.host, concat_ws('/', g.host, nullif(g.prefix, ''), r.name) AS place,
         r.name AS repository, t.name AS tag, t.digest, t.first_seen_at, t.digest_changed_at, t.rule_id, t.missing_since,
         t.kind, t.approval, t.waits_from, t.waits_until, f.image, f.entry, f.decided
  FROM image_library_internal.tag t
  JOIN image_library_internal.repository r USING (repository_id)
  JOIN image_library_internal.registry g ON g.registry_id = r.registry_id
  LEFT JOIN LATERAL (
    SELECT (SELECT i FROM image_library_internal.image i WHERE i.digest = t.digest) AS image,
           (SELECT e FROM image_library_internal.entry e WHERE e.repository_id = t.repository_id AND e.tag = t.name) AS entry,
           (SELECT a FROM image_library_internal.approval a WHERE a.repository_id = t.repository_id AND a.digest = t.digest) AS decided
    HAVING true OFFSET 0) f ON true
  WHERE t.rule_id IS NOT NULL;
COMMENT ON VIEW image_library_internal.visible_tags IS
  'Stored data of view images, for registries that the acting role may see';

CREATE VIEW image_library.images AS
  SELECT t.registry, t.repository, t.tag, t.digest,
         concat(t.place, ':', t.tag) AS reference, concat(t.place, ':', t.tag, '@', t.digest) AS pinned_reference,
         t.kind, t.approval,
         coalesce((t.entry).version, (t.image).version) AS version,
         image_library_internal.asked_platforms(t.rule_id, (t.image).platforms) AS platforms,
         (t.image).size_bytes, (t.image).created_at, t.first_seen_at, t.digest_changed_at, t.missing_since,
         image_library_internal.hm_tags_of(t.repository_id, t.tag,
           coalesce((t.entry).system_tags, image_library_internal.system_tags(t.host, '{}'))) AS hm_tags,
         coalesce((t.entry).title, (t.image).title) AS title, coalesce((t.entry).description, (t.image).description) AS description,
         (t.image).annotations, (t.image).labels, (t.decided).deprecated_from, (t.decided).valid_until, (t.decided).quarantined_at,
         (t.image).media_type, nullif((t.image).created_text, '') AS created_text, (t.image).unread
  FROM image_library_internal.visible_tags t;
COMMENT ON VIEW image_library.images IS 'Images of the library: one row for each tag that the rules admit';
GRANT SELECT ON image_library.images TO image_library_reader, image_library_agent;

CREATE VIEW image_library.pending_images AS
  SELECT concat(t.place, ':', t.tag) AS reference, concat(t.place, ':', t.tag, '@', t.digest) AS pinned_reference,
         t.registry, t.repository, t.tag, t.digest, t.kind,
         CASE WHEN t.approval = 'approved' THEN 'expired'
              -- Not of f: a page looks these up for its rows only, after they were sorted.
              WHEN (SELECT a.reset_at FROM image_library_internal.approval a
                    WHERE a.repository_id = t.repository_id AND a.digest = t.digest AND a.reset_at IS NOT NULL) IS NOT NULL
              THEN 'reset'
              WHEN (SELECT true FROM image_library_internal.tag_period p
                    WHERE p.repository_id = t.repository_id AND p.tag = t.tag AND p.digest <> t.digest LIMIT 1)
              THEN 'tag moved'
              ELSE 'new' END AS why,
         coalesce(CASE WHEN t.approval = 'approved' THEN t.waits_from END,
                  (SELECT a.reset_at FROM image_library_internal.approval a
                   WHERE a.repository_id = t.repository_id AND a.digest = t.digest AND a.reset_at IS NOT NULL),
                  t.digest_changed_at) AS since,
         coalesce((t.entry).version, (t.image).version) AS version, (f.before).digest AS previous_digest,
         CASE WHEN (f.before).digest IS NOT NULL
              THEN coalesce((SELECT a.state FROM image_library_internal.approval a
                             WHERE a.repository_id = t.repository_id AND a.digest = (f.before).digest), 'pending') END AS previous_approval,
         coalesce(cardinality(f.voters), 0) AS votes,
         -- Few registries have rules that require more than one approval.
         CASE WHEN t.registry_id IN (SELECT u.registry_id FROM image_library_internal.rule u WHERE u.enabled AND u.required_approvals > 1)
              THEN (SELECT greatest(q.required, 1) FROM image_library_internal.required_approvals(t.repository_id, ARRAY[t.digest]) q) ELSE 1 END AS votes_needed,
         coalesce(f.voters, '{}') AS voters,
         (SELECT format('%s: %s', p.problem, p.detail) FROM image_library_internal.problem p
          WHERE p.registry_id = t.registry_id AND p.repository = t.repository AND p.tag = t.tag) AS problem,
         ARRAY(SELECT q.requester FROM image_library_internal.approval_request q
               WHERE q.repository_id = t.repository_id AND q.digest = t.digest AND q.ended_at IS NULL
               ORDER BY q.requested_at, q.requester) AS requesters,
         (SELECT min(q.requested_at) FROM image_library_internal.approval_request q
          WHERE q.repository_id = t.repository_id AND q.digest = t.digest AND q.ended_at IS NULL) AS requested_at,
         (SELECT q.reason FROM image_library_internal.approval_request q
          WHERE q.repository_id = t.repository_id AND q.digest = t.digest AND q.ended_at IS NULL AND q.reason IS NOT NULL
          ORDER BY q.requested_at, q.requester LIMIT 1) AS requested_reason,
         coalesce((t.entry).conflicts,
                  (SELECT x.conflicts FROM image_library_internal.other_conflict x WHERE x.repository_id = t.repository_id AND x.tag = t.tag),
                  '{}') AS conflicts,
         -- The verdict may know policies that are gone, and not those that were enabled since.
         CASE WHEN (f.verdict).checked_at >= f.policies_from
              THEN ARRAY(SELECT p.name FROM image_library_internal.policy p WHERE p.name = ANY ((f.verdict).unmet) AND p.enabled ORDER BY 1) END
           AS unmet_policies,
         CASE WHEN (f.verdict).checked_at >= f.policies_from THEN (f.verdict).checked_at END AS policies_checked_at,
         CASE WHEN t.registry_id IN (SELECT u.registry_id FROM image_library_internal.rule u WHERE u.enabled AND u.signed_by IS NOT NULL)
              THEN (SELECT string_agg(image_library_internal.requires_text(s.rule_id, s.signers), '; ')
                    FROM image_library_internal.unsigned_images(t.repository_id, ARRAY[t.digest]) s) END AS missing_signature
  FROM image_library_internal.visible_tags t
  LEFT JOIN LATERAL (
    SELECT (SELECT p FROM image_library_internal.tag_period p
            WHERE p.repository_id = t.repository_id AND p.tag = t.tag AND p.digest <> t.digest
            ORDER BY p.since DESC LIMIT 1) AS before,
           (SELECT array_agg(x.voter ORDER BY x.voter) FROM image_library_internal.approval_vote x
            WHERE x.repository_id = t.repository_id AND x.digest = t.digest AND image_library_internal.counts(x)) AS voters,
           (SELECT w FROM image_library_internal.policy_verdict w WHERE w.repository_id = t.repository_id AND w.digest = t.digest) AS verdict,
           coalesce((SELECT max(p.enabled_at) FROM image_library_internal.policy p
                     WHERE p.enabled AND p.effect = 'require' AND p.applies_to NOT LIKE 'consumer:%'), '-infinity') AS policies_from
    HAVING true OFFSET 0) f ON true
  WHERE t.missing_since IS NULL AND t.waits_from <= (SELECT clock_timestamp())
    AND (t.waits_until IS NULL OR t.waits_until > (SELECT clock_timestamp()));
COMMENT ON VIEW image_library.pending_images IS
  'Images that wait for a decision, and why: new, tag moved, expired or reset';
GRANT SELECT ON image_library.pending_images TO image_library_reader;

CREATE VIEW image_library.decisions WITH (security_barrier) AS
  SELECT d.decision_id, d.registry, d.repository, d.tag, d.digest, d.old_state, d.new_state, d.actor, d.decided_at,
         d.reason, d.rule_id, d.policy, d.action, d.valid_until, d.deprecated_from, d.transaction,
         CASE WHEN (SELECT image_library_internal.sees_everything()) THEN d.client_address END AS client_address,
         c.position AS chain_position, encode(c.previous_hash, 'hex') AS previous_hash, encode(c.row_hash, 'hex') AS row_hash,
         d.origin
  FROM image_library_internal.decision d
  LEFT JOIN image_library_internal.chain c ON c.log = 'decisions' AND c.number = d.decision_id
  -- It is not known any more whether a dropped registry was private, so only admins see its decisions.
  WHERE (SELECT image_library_internal.sees_everything())
     OR d.registry_id IN (SELECT g.registry_id FROM image_library_internal.visible_registry g);
COMMENT ON VIEW image_library.decisions IS
  'Decisions: who decided, when and why, and the state before and after; rows are never changed';
GRANT SELECT ON image_library.decisions TO image_library_reader;

CREATE VIEW image_library.tag_history WITH (security_barrier) AS
  SELECT r.registry, r.repository, p.tag, p.digest, tstzrange(p.since, p.until) AS valid
  FROM image_library_internal.tag_period p
  JOIN image_library_internal.visible_repository r USING (repository_id);
COMMENT ON VIEW image_library.tag_history IS 'Periods in which a tag pointed at a digest';
GRANT SELECT ON image_library.tag_history TO image_library_reader;

CREATE VIEW image_library.image_platforms WITH (security_barrier) AS
  SELECT p.digest, p.platform, p.os, p.architecture, p.variant, p.manifest_digest, p.config_digest, p.size_bytes, p.created_at,
         p.present
  FROM image_library_internal.image_platform p
  WHERE (SELECT image_library_internal.hidden_registries()) = '{}' OR image_library_internal.digest_visible(p.digest);
COMMENT ON VIEW image_library.image_platforms IS 'Platforms by image digest';
GRANT SELECT ON image_library.image_platforms TO image_library_reader;

CREATE VIEW image_library.image_extensions WITH (security_barrier) AS
  SELECT x.digest, x.name, x.version, x.description, r.registry, r.repository
  FROM image_library_internal.image_extension x
  JOIN image_library_internal.visible_repository r USING (repository_id);
COMMENT ON VIEW image_library.image_extensions IS 'PostgreSQL extensions by repository and image digest';
GRANT SELECT ON image_library.image_extensions TO image_library_reader;

CREATE VIEW image_library.model_profiles WITH (security_barrier) AS
  SELECT x.digest, x.name, x.engine, x.gpu, x."precision", x.tp, x.pp, x.gpu_count, x.qos, x.lora,
         x.buildable, x.gpu_memory_gb, x.disk_gb, r.registry, r.repository
  FROM image_library_internal.model_profile x
  JOIN image_library_internal.visible_repository r USING (repository_id);
COMMENT ON VIEW image_library.model_profiles IS
  'Profiles of a model by repository and image digest, according to the image, a curator or the vendor (see facts_from of model_library)';
GRANT SELECT ON image_library.model_profiles TO image_library_reader;

CREATE VIEW image_library.image_referrers WITH (security_barrier) AS
  SELECT DISTINCT ON (x.digest, x.referrer_digest, x.repository_id)
         x.digest, x.referrer_digest, x.artifact_type, x.size_bytes, x.annotations, x.source, x.first_seen_at,
         r.registry, r.repository
  FROM image_library_internal.image_referrer x
  LEFT JOIN image_library_internal.visible_repository r USING (repository_id)
  WHERE (SELECT image_library_internal.hidden_registries()) = '{}'
     OR image_library_internal.digest_visible(x.digest) AND (x.repository_id IS NULL OR r.repository_id IS NOT NULL)
  ORDER BY x.digest, x.referrer_digest, x.repository_id, x.first_seen_at, x.source;
COMMENT ON VIEW image_library.image_referrers IS
  'Signatures, SBOMs and attestations by image digest and the repository that lists them; they are not verified';
GRANT SELECT ON image_library.image_referrers TO image_library_reader;

CREATE VIEW image_library.hm_tags WITH (security_barrier) AS
  SELECT h.name, h.color,
         (SELECT count(*) FROM image_library_internal.hm_tag_repository x JOIN image_library_internal.visible_repository r USING (repository_id)
          WHERE x.hm_tag_id = h.hm_tag_id) AS repositories,
         (SELECT count(*) FROM image_library_internal.hm_tag_image x JOIN image_library_internal.visible_repository r USING (repository_id)
          WHERE x.hm_tag_id = h.hm_tag_id) AS image_tags,
         h.created_at, h.created_by
  FROM image_library_internal.hm_tag h;
COMMENT ON VIEW image_library.hm_tags IS
  'HM tags and how often they are used; without those that the library sets itself';
GRANT SELECT ON image_library.hm_tags TO image_library_reader;

CREATE VIEW image_library.sync_run WITH (security_barrier) AS
  SELECT r.run_id, g.name AS registry, r.cause, r.started_at, r.finished_at, r.outcome, r.error, r.requests, r.bytes,
         r.not_modified, r.retries, r.repositories, r.tags_seen, r.images_added, r.tags_moved, r.tags_missing,
         r.problems, r.next_at
  FROM image_library_internal.run r
  JOIN image_library_internal.visible_registry g USING (registry_id);
COMMENT ON VIEW image_library.sync_run IS
  'Runs of the agent: requests, findings and changes; no outcome while a run has not ended';
GRANT SELECT ON image_library.sync_run TO image_library_reader;

CREATE VIEW image_library.sync_problem WITH (security_barrier) AS
  SELECT g.name AS registry, p.repository, nullif(p.tag, '') AS tag, p.problem, p.detail, p.first_seen_at, p.last_seen_at
  FROM (SELECT p.registry_id, p.repository, p.tag, p.problem, p.detail, p.first_seen_at, p.last_seen_at FROM image_library_internal.problem p
        UNION ALL
        SELECT u.registry_id, u.repository, u.tag, 'unreadable annotation', u.detail, u.since, u.since
        FROM image_library_internal.unreadable_annotations u) p
  JOIN image_library_internal.visible_registry g USING (registry_id);
COMMENT ON VIEW image_library.sync_problem IS
  'What could not be read and why; a row is removed when it can be read; tag null: the whole repository';
GRANT SELECT ON image_library.sync_problem TO image_library_reader;

CREATE VIEW image_library.refused_removals WITH (security_barrier) AS
  SELECT r.registry, r.repository, f.tags, f.refused_at, f.accepted_at, f.accepted_by
  FROM image_library_internal.refused_removal f
  JOIN image_library_internal.visible_repository r USING (repository_id);
COMMENT ON VIEW image_library.refused_removals IS
  'Tags that a listing lacked, more than image_library.max_removal_percent allows; they are not marked missing unless accept_removals accepts it';
GRANT SELECT ON image_library.refused_removals TO image_library_reader;

CREATE VIEW image_library.sync_status WITH (security_barrier) AS
  SELECT g.name AS registry,
         CASE WHEN NOT g.enabled THEN 'disabled'
              WHEN running.pid IS NOT NULL THEN 'running'
              WHEN NOT includes.something THEN 'no rule'
              WHEN last.run_id IS NULL THEN 'never synced'
              WHEN last.outcome = 'failed' OR last.outcome IS NULL THEN 'failing'
              WHEN last.outcome = 'cancelled' AND failed.runs > 0 THEN 'failing'
              ELSE last.outcome END AS state,
         last.started_at AS last_started_at, last.finished_at AS last_finished_at,
         (SELECT max(r.finished_at) FROM image_library_internal.run r
          WHERE r.registry_id = g.registry_id AND r.outcome = 'complete') AS last_success_at,
         CASE WHEN g.enabled AND includes.something AND running.pid IS NULL THEN greatest(
           image_library_internal.due_at(g.sync_requested_at, coalesce(last.answered_request, last.started_at), last.next_at),
           m.not_before, g.created_at) END AS next_sync_at,
         counted.repositories, counted.tags,
         CASE WHEN last.outcome = 'cancelled' AND failed.runs > 0 THEN failed.error
              WHEN last.outcome IS DISTINCT FROM 'complete' THEN coalesce(last.error,
           CASE WHEN last.outcome = 'partial' THEN format('problems: %s, see image_library.sync_problem', last.problems)
                WHEN last.outcome IS NULL AND last.run_id IS NOT NULL AND running.pid IS NULL THEN 'interrupted' END)
         END AS last_error,
         failed.runs AS consecutive_failures,
         (SELECT count(*) FROM image_library_internal.problem p WHERE p.registry_id = g.registry_id) + coalesce(unreadable.number, 0) AS problems,
         CASE WHEN m.not_before > clock_timestamp() THEN m.not_before END AS not_before,
         failed.since AS failing_since
  FROM image_library_internal.visible_registry g
  LEFT JOIN image_library_internal.registry_state m USING (registry_id)
  -- Found once for all registries.
  LEFT JOIN (SELECT u.registry_id, count(*) AS number FROM image_library_internal.unreadable_annotations u GROUP BY 1) unreadable
    ON unreadable.registry_id = g.registry_id
  LEFT JOIN LATERAL (SELECT r.* FROM image_library_internal.run r WHERE r.registry_id = g.registry_id
                     ORDER BY r.run_id DESC LIMIT 1) last ON true
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(c.number) FILTER (WHERE c.kind IS NULL), 0) AS repositories,
           coalesce(sum(c.number) FILTER (WHERE c.kind IS NOT NULL), 0) AS tags
    FROM image_library_internal.counts c WHERE c.registry_id = g.registry_id) counted
  -- A standby does not see the primary's locks, nor a replica the hub's: there, a run that has not ended is taken to be running. So is
  -- one that has ended since this statement began.
  LEFT JOIN LATERAL (SELECT coalesce(image_library_internal.syncing_pid(g.registry_id),
                                     CASE WHEN last.run_id IS NOT NULL AND last.outcome IS NULL THEN
                                       CASE WHEN pg_is_in_recovery() OR (SELECT image_library_internal.is_replica())
                                                 OR image_library_internal.run_has_ended(last.run_id) THEN 0 END END) AS pid) running ON true
  -- As function failures counts them, which readers could not call here.
  CROSS JOIN LATERAL (SELECT count(*) AS runs, min(r.started_at) AS since, (array_agg(r.error ORDER BY r.run_id DESC))[1] AS error FROM image_library_internal.run r
                      WHERE r.registry_id = g.registry_id AND r.outcome = 'failed'
                        AND r.run_id > coalesce((SELECT max(ok.run_id) FROM image_library_internal.run ok
                                                 WHERE ok.registry_id = g.registry_id AND ok.outcome IN ('complete', 'partial')), 0)) failed
  CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM image_library_internal.rule r WHERE r.registry_id = g.registry_id
                                     AND r.enabled AND r.action = 'include') AS something) includes;
COMMENT ON VIEW image_library.sync_status IS
  'State of the sync of each registry: result of the last run, and when the next is due';
GRANT SELECT ON image_library.sync_status TO image_library_reader;

-- What postgres_images and model_library have in common.
CREATE VIEW image_library_internal.usable_images AS
  SELECT e.registry, e.repository, e.tag, e.digest,
         concat(e.place, ':', e.tag) AS reference, concat(e.place, ':', e.tag, '@', e.digest) AS pinned_reference,
         e.kind, e.approval, e.version, (SELECT p.platforms FROM image_library_internal.tag_platforms p WHERE p.repository_id = e.repository_id AND p.tag = e.tag) AS platforms,
         e.size_bytes, e.created_at,
         (SELECT t.first_seen_at FROM image_library_internal.tag t WHERE t.repository_id = e.repository_id AND t.name = e.tag) AS first_seen_at,
         (SELECT t.digest_changed_at FROM image_library_internal.tag t
          WHERE t.repository_id = e.repository_id AND t.name = e.tag) AS digest_changed_at,
         e.missing_since,
         image_library_internal.hm_tags_of(e.repository_id, e.tag, e.system_tags) COLLATE "default" AS hm_tags,
         e.title, e.description, (SELECT i.annotations FROM image_library_internal.image i WHERE i.digest = e.digest) AS annotations,
         (SELECT i.labels FROM image_library_internal.image i WHERE i.digest = e.digest) AS labels,
         e.publisher, e.model, e.model_version, e.format, e.task, e.gpu_count,
         e.flavor, e.major_version, e.build_at, e.variant, e.os, e.features, e.extensions, e.conflicts, e.contested,
         e.deprecated_from, e.facts_from
  FROM image_library_internal.usable_entries e;
COMMENT ON VIEW image_library_internal.usable_images IS 'Approved, present and usable images with the columns that people read';

-- Events: what is told, by whom it is seen, how it is followed, and how long it stays.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_reader IN ROLE image_library_reader;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true);
SELECT add_rule('local', '**') AS rule \gset
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}}');
SELECT alter_rule(:rule, approval => 'auto');
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "c"}, "18.1": {"image": "d"}}');
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}}');
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "18.1": {"image": "d"}}');
SELECT test.shown(revoke('localhost:5000/postgresql:18.1', 'no')), test.shown(quarantine('localhost:5000/postgresql:17.4'));
SELECT add_policy('signed', 'image_library.is_signed(images)'), disable_registry('local'), add_channel('prod', 'local', '{postgresql}');
SELECT event, registry, repository, tag, test.shown(digest) AS digest, test.shown((detail - '{decision_id,audit_id,actor}'::text[])::text) AS detail FROM events ORDER BY event_id;
-- Each decision and each change has its event, and the other way round.
SELECT count(*) AS without FROM decisions d FULL JOIN (SELECT (e.detail ->> 'decision_id')::bigint AS decision_id FROM events e WHERE e.detail ? 'decision_id') e USING (decision_id)
WHERE d.decision_id IS NULL OR e.decision_id IS NULL;
SELECT count(*) AS without FROM (SELECT * FROM audit WHERE object IN ('registry', 'rule', 'policy', 'channel')) a FULL JOIN (SELECT (e.detail ->> 'audit_id')::bigint AS audit_id FROM events e WHERE e.detail ? 'audit_id') e USING (audit_id)
WHERE a.audit_id IS NULL OR e.audit_id IS NULL;

-- A sync of 1,000 tags; this transaction is not over, so nothing of it is handed out yet.
SELECT test.sync('local', 'many', (SELECT jsonb_object_agg('1.' || n, jsonb_build_object('image', 'many ' || n)) FROM generate_series(1, 1000) n)) ->> 'tags_added' AS added;
SELECT count(*) AS events FROM events WHERE repository = 'many';
SELECT count(*) FROM events_since(0);
-- Rows that pg_dump brought from a server that was further on hold nothing back: they are told at once.
UPDATE event SET transaction = '4000000000000';
SELECT count(*) = (SELECT count(*) FROM events) AS all_told FROM events_since(0, 100000);
SELECT event_id AS seventh FROM events ORDER BY event_id OFFSET 6 LIMIT 1 \gset
SELECT count(*), min(event_id) > :seventh AS later FROM events_since(:seventh, 5);
SELECT count(*) AS none FROM events_since(0, 0);
-- A client that has no number yet has null, as max(event_id) of no row.
SELECT count(*) = (SELECT count(*) FROM events) AS all_told FROM events_since(NULL, 100000);
SELECT test.outcome_as('test_reader', 'SELECT count(*) > 0 FROM image_library.events_since(0)');

-- Retention: by settings, as the agent, a bounded number a run; what tells when a registry is due stays.
SELECT current_setting('image_library.event_retention') AS events, current_setting('image_library.run_retention') AS runs;
UPDATE event SET at = now() - interval '91 days' WHERE event_id <= (SELECT event_id FROM events ORDER BY event_id OFFSET 499 LIMIT 1);
SELECT count(*) AS before FROM events \gset
SELECT events FROM remove_old_history(0);
SELECT events FROM remove_old_history(400);
SELECT test.outcome_as('image_library_agent', 'SELECT image_library_internal.begin_run(1, ''test'')');
SELECT :before - count(*) AS purged FROM events;
INSERT INTO run (registry_id, cause, started_at, outcome) SELECT 1, 'old', now() - interval '100 days' + n * interval '1 hour', (ARRAY['complete', 'partial', 'complete', 'partial', 'failed', 'failed'])[n] FROM generate_series(1, 6) n;
SELECT * FROM purge_history();
SELECT run_id - (SELECT max(run_id) FROM run) AS run, cause, outcome FROM run WHERE cause = 'old' ORDER BY run_id;
SET LOCAL image_library.event_retention = '1d';
UPDATE event SET at = now() - interval '25 hours' WHERE event_id <= (SELECT event_id FROM events ORDER BY event_id OFFSET 2 LIMIT 1);
SELECT * FROM purge_history();
SET LOCAL image_library.event_retention = -1;
SET LOCAL image_library.run_retention = -1;
UPDATE event SET at = '2000-01-01';
SELECT * FROM purge_history();
SELECT test.outcome('SET LOCAL image_library.event_retention = ''soon''');
SELECT test.outcome_as('test_reader', 'SELECT image_library.purge_history()');
ROLLBACK;

-- Sync status: runs as the agent writes them, and when a registry is due.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', sync_interval => '1 hour', allow_private => true) AS registry \gset
SELECT registry, state, last_started_at, last_finished_at, last_success_at, next_sync_at <= now() AS due, repositories, tags, last_error, consecutive_failures, problems FROM sync_status;
-- Without a rule that includes something, nothing is due.
SELECT name FROM due_registries();
SELECT add_rule('local', '**', action => 'exclude') AS rule \gset
SELECT name FROM due_registries();
SELECT state, next_sync_at FROM sync_status;
SELECT alter_rule(:rule, action => 'include');
SELECT state, next_sync_at <= now() AS due FROM sync_status;
SELECT name, due_at FROM due_registries();

CREATE FUNCTION test.run(outcome text, error text DEFAULT NULL, next_in interval DEFAULT '1 hour') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  run bigint := image_library_internal.begin_run((SELECT registry_id FROM image_library_internal.registry), 'schedule');
BEGIN
  IF outcome IS NOT NULL THEN
    PERFORM image_library_internal.finish_run(run, outcome, error, '{"requests": 12, "bytes": 3400, "not_modified": 3, "retries": 1, "repositories": 2,
      "tags_seen": 7, "images_added": 5, "tags_moved": 1, "tags_missing": 2, "problems": 4}', now() + next_in);
  END IF;
END
$$;
SELECT test.run('complete');
SELECT registry, cause, finished_at >= started_at AS in_order, outcome, error, requests, bytes, not_modified, retries, repositories, tags_seen, images_added,
       tags_moved, tags_missing, problems FROM sync_run;
CREATE VIEW test.status AS SELECT state, last_success_at IS NOT NULL AS succeeded, next_sync_at > now() + interval '10 minutes' AS later, last_error, consecutive_failures FROM image_library.sync_status;
TABLE test.status;
SELECT count(*) AS due_now FROM due_registries() WHERE due_at <= now();
SELECT test.run('failed', 'connection refused', '1 minute'), test.run('failed', 'connection refused', '2 minutes');
TABLE test.status;
SELECT test.run('partial', '4 tags could not be read; see image_library.sync_problem');
TABLE test.status;
SELECT test.run('partial');
TABLE test.status;
SELECT test.run('complete');
TABLE test.status;
-- A run that a crash ended is told by the next one; until then it is due at once.
SELECT test.run(NULL);
TABLE test.status;
SELECT count(*) AS due_now FROM due_registries() WHERE due_at <= now();
SELECT test.run('complete');
SELECT outcome, error FROM sync_run ORDER BY run_id;
TABLE test.status;
-- A cancelled run is no failure, and hides none.
SELECT test.run('failed', 'connection refused', '1 minute'), test.run('cancelled', 'canceling statement due to user request');
TABLE test.status;
SELECT test.run('partial'), test.run('cancelled', 'canceling statement due to user request');
TABLE test.status;
SELECT test.run('complete');
-- Asked for: due at once.
SET LOCAL client_min_messages = warning;
SELECT request_sync('local');
SET LOCAL client_min_messages = notice;
SELECT count(*) AS due_now FROM due_registries() WHERE due_at <= clock_timestamp();
SELECT disable_registry('local');
SELECT state, next_sync_at FROM sync_status;
SELECT count(*) FROM due_registries();
SELECT enable_registry('local');
SELECT count(*) FROM due_registries();

-- Failures wait longer and longer, up to the interval, give or take a tenth; Retry-After is obeyed beyond it.
CREATE FUNCTION test.wait(outcome text) RETURNS interval LANGUAGE sql AS
  $$ SELECT image_library_internal.next_sync_at((SELECT max(run_id) FROM image_library_internal.run), outcome) - now() $$;
SELECT test.run('complete');
SELECT test.run(NULL);
SELECT test.wait('complete') BETWEEN '54 minutes' AND '66 minutes' AS complete, test.wait('partial') BETWEEN '54 minutes' AND '66 minutes' AS partial,
       test.wait('failed') BETWEEN '27 seconds' AND '33 seconds' AS first_failure;
-- After a cancel it is due as before, or in 30 seconds.
SELECT test.wait('cancelled') AS as_before;
SELECT count(test.run('failed', 'x')) FROM generate_series(1, 3);
SELECT test.run('cancelled', 'x', '-1 hour');
SELECT test.run(NULL);
SELECT test.wait('cancelled') BETWEEN '27 seconds' AND '33 seconds' AS soon;
SELECT test.wait('failed') BETWEEN '7.2 minutes' AND '8.8 minutes' AS after_interrupted_and_three;
SELECT count(test.run('failed', 'x')) FROM generate_series(1, 20);
SELECT test.run(NULL);
SELECT test.wait('failed') BETWEEN '54 minutes' AND '66 minutes' AS no_longer_than_the_interval;
SELECT consecutive_failures FROM sync_status;
-- What a registry asks for is kept, from 1 second to 1 hour; when it does not say, the waits grow.
CREATE FUNCTION test.limited(retry_after bigint) RETURNS interval LANGUAGE sql AS $$
  SELECT image_library_internal.remember((SELECT registry_id FROM image_library_internal.registry), true, retry_after, '', false, false, NULL);
  SELECT not_before - clock_timestamp() FROM image_library_internal.registry_state $$;
SELECT asked, waits BETWEEN wait - interval '1 second' AND wait AS obeyed
FROM (VALUES (1, interval '1 second'), (60, '1 minute'), (3600, '1 hour'), (1000000000, '1 hour')) AS v (asked, wait), LATERAL test.limited(asked) waits;
SELECT limited_runs FROM registry_state;
UPDATE registry_state SET limited_runs = 0;
SELECT n, waits BETWEEN interval '22 seconds' * 2 ^ n AND interval '38 seconds' * 2 ^ n AS grows FROM generate_series(0, 4) n, LATERAL test.limited(0 * n) waits;
SELECT bool_and(waits <= '75 minutes') AS bounded FROM generate_series(1, 30) n, LATERAL test.limited(0 * n) waits;
SELECT not_before > now() AS told, next_sync_at >= not_before AS not_due_before FROM sync_status;
SELECT test.run(NULL);
SELECT count(*) FILTER (WHERE due_at > now()) AS later FROM due_registries();
SET LOCAL client_min_messages = warning;
SELECT request_sync('local');
SET LOCAL client_min_messages = notice;
SELECT count(*) FILTER (WHERE due_at > now()) AS later FROM due_registries();
SELECT regexp_replace(test.outcome(format('SELECT check_not_before(%s)', registry_id)), '[0-9-]{10} [0-9:.]+\+00', '<time>') AS refused FROM registry;
SELECT test.outcome_as('test_curator', 'SELECT image_library_internal.sync_targets(NULL, true)') AS only_admins FROM (SELECT test.outcome('CREATE ROLE test_curator IN ROLE image_library_curator, image_library_agent')) made;
-- A run that was not limited ends it; what was found refused is so for a day, from when it was found.
SELECT remember(registry_id, false, 0, 'here', true, true, NULL) FROM registry;
SELECT not_before, limited_runs, progress, head_refused_at IS NOT NULL AS head, referrers_refused_at IS NOT NULL AS referrers FROM registry_state;
SELECT c ->> 'requests_per_run' AS requests_per_run, c ->> 'progress' AS progress, c -> 'head_refused' AS head_refused, c -> 'referrers_refused' AS referrers_refused FROM registry g, registry_config(g.registry_id) c;
UPDATE registry_state SET head_refused_at = now() - interval '20 hours', referrers_refused_at = now() - interval '25 hours';
SELECT c -> 'head_refused' AS head_refused, c -> 'referrers_refused' AS referrers_refused FROM registry g, registry_config(g.registry_id) c;
SELECT remember(registry_id, false, 0, '', true, false, true) FROM registry;
SELECT head_refused_at < now() - interval '19 hours' AS its_day_goes_on, referrers_refused_at, progress FROM registry_state;
SELECT conditional, conditional_refused_at IS NOT NULL AS refused, c -> 'conditional' AS used FROM registry_state m, registry_config(m.registry_id) c;
SELECT remember(registry_id, false, 0, '', true, false, false) FROM registry;
SELECT conditional, conditional_refused_at IS NOT NULL AS refused, c -> 'conditional' AS used FROM registry_state m, registry_config(m.registry_id) c;
UPDATE registry_state SET conditional_refused_at = now() - interval '25 hours';
SELECT c -> 'conditional' AS used FROM registry g, registry_config(g.registry_id) c;
SELECT remember(registry_id, false, 0, '', true, false, NULL) FROM registry;
SELECT conditional, conditional_refused_at FROM registry_state;
-- Problems with what no rule asks for any more are over; those with what a run reads are its own to end.
SELECT test.write_batch(registry_id, problem_of, '{"problems": [{"tag": "1", "problem": "malformed", "detail": "x"}]}') FROM registry, unnest('{a,b}'::text[]) problem_of;
SELECT forget_other_problems(registry_id, '["b"]') FROM registry;
SELECT repository, tag, problem FROM sync_problem;
SELECT split_part(test.outcome('SELECT begin_run(99, ''x'')'), ':', 1) AS no_registry, split_part(test.outcome('SELECT test.run(''good'')'), ':', 1) AS no_outcome;
ROLLBACK;

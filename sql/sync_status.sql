-- Sync status: runs as the agent writes them, and when a registry is due.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', sync_interval => '1 hour', allow_private => true) AS registry \gset
SELECT registry, state, last_started_at, last_finished_at, last_success_at, next_sync_at <= now() AS due, repositories, tags, last_error, consecutive_failures, problems FROM sync_status;
-- Without a rule that includes something, nothing is due.
SELECT name FROM _due_registries();
SELECT add_rule('local', '**', action => 'exclude') AS rule \gset
SELECT name FROM _due_registries();
SELECT alter_rule(:rule, action => 'include');
SELECT name, due_at FROM _due_registries();

CREATE FUNCTION test.run(outcome text, error text DEFAULT NULL, next_in interval DEFAULT '1 hour') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  run bigint := image_library._begin_run((SELECT registry_id FROM image_library.registry), 'schedule');
BEGIN
  IF outcome IS NOT NULL THEN
    PERFORM image_library._finish_run(run, outcome, error, '{"requests": 12, "bytes": 3400, "not_modified": 3, "retries": 1, "repositories": 2,
      "tags_seen": 7, "images_added": 5, "tags_moved": 1, "tags_missing": 2, "problems": 4}', now() + next_in);
  END IF;
END
$$;
SELECT test.run('complete');
SELECT registry, cause, finished_at >= started_at AS in_order, outcome, error, requests, bytes, not_modified, retries, repositories, tags_seen, images_added,
       tags_moved, tags_missing, problems FROM sync_run;
CREATE VIEW test.status AS SELECT state, last_success_at IS NOT NULL AS succeeded, next_sync_at > now() + interval '10 minutes' AS later, last_error, consecutive_failures FROM image_library.sync_status;
TABLE test.status;
SELECT count(*) AS due_now FROM _due_registries() WHERE due_at <= now();
SELECT test.run('failed', 'connection refused', '1 minute'), test.run('failed', 'connection refused', '2 minutes');
TABLE test.status;
SELECT test.run('partial', '4 tags could not be read; see image_library.sync_problem');
TABLE test.status;
SELECT test.run('complete');
TABLE test.status;
-- A run that a crash ended is told by the next one; until then it is due at once.
SELECT test.run(NULL);
TABLE test.status;
SELECT count(*) AS due_now FROM _due_registries() WHERE due_at <= now();
SELECT test.run('complete');
SELECT outcome, error FROM sync_run ORDER BY run_id;
TABLE test.status;
-- Asked for: due at once.
SET LOCAL client_min_messages = warning;
SELECT request_sync('local');
SET LOCAL client_min_messages = notice;
SELECT count(*) AS due_now FROM _due_registries() WHERE due_at <= clock_timestamp();
SELECT disable_registry('local');
SELECT state, next_sync_at FROM sync_status;
SELECT count(*) FROM _due_registries();
SELECT enable_registry('local');
SELECT count(*) FROM _due_registries();

-- Failures wait longer and longer, up to the interval, give or take a tenth; Retry-After is obeyed beyond it.
CREATE FUNCTION test.wait(outcome text, retry_after bigint DEFAULT NULL) RETURNS interval LANGUAGE sql AS
  $$ SELECT image_library._next_sync_at((SELECT max(run_id) FROM image_library.run), outcome, retry_after) - now() $$;
SELECT test.run('complete');
SELECT test.run(NULL);
SELECT test.wait('complete') BETWEEN '54 minutes' AND '66 minutes' AS complete, test.wait('partial') BETWEEN '54 minutes' AND '66 minutes' AS partial,
       test.wait('failed') BETWEEN '27 seconds' AND '33 seconds' AS first_failure, test.wait('complete', 7200) = '2 hours' AS retry_after, test.wait('complete', 1) > '54 minutes' AS short_retry_after;
SELECT count(test.run('failed', 'x')) FROM generate_series(1, 3);
SELECT test.run(NULL);
SELECT test.wait('failed') BETWEEN '7.2 minutes' AND '8.8 minutes' AS after_interrupted_and_three;
SELECT count(test.run('failed', 'x')) FROM generate_series(1, 20);
SELECT test.run(NULL);
SELECT test.wait('failed') BETWEEN '54 minutes' AND '66 minutes' AS no_longer_than_the_interval;
SELECT consecutive_failures FROM sync_status;
SELECT split_part(test.outcome('SELECT _begin_run(99, ''x'')'), ':', 1) AS no_registry, split_part(test.outcome('SELECT test.run(''good'')'), ':', 1) AS no_outcome;
ROLLBACK;

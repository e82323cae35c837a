-- Webhooks: what is read of each format, what is asked for, and what a hostile payload reaches.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE regress_hook IN ROLE image_library_webhook;
CREATE ROLE regress_reader IN ROLE image_library_reader;
SELECT count(add_registry(name, 'http://' || name || '.example/' || path, private => name = 'secret')) FROM (VALUES ('hub', ''), ('secret', ''), ('prefixed', 'team'), ('literal', '')) v (name, path);
SELECT count(add_rule(registry, repositories)) FROM (VALUES ('hub', 'team/**'), ('secret', '**'), ('prefixed', '**'), ('literal', 'team/app')) v (registry, repositories);
SELECT count(add_rule('hub', 'team/closed/**', action => 'exclude'));

-- Formats, in the shape that each registry documents.
CREATE TABLE test.sample (format text, what text, payload jsonb);
INSERT INTO test.sample VALUES
  ('distribution', 'push', '{"events": [{"action": "push", "target": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:1", "repository": "team/app", "tag": "1.0"}},
     {"action": "push", "target": {"mediaType": "application/octet-stream", "repository": "team/app"}}, {"action": "push", "target": {"repository": "team/app", "tag": "1.1"}}]}'),
  ('distribution', 'blobs', '{"events": [{"action": "push", "target": {"mediaType": "application/octet-stream", "repository": "team/app"}}, {"action": "mount", "target": {"repository": "team/b"}}]}'),
  ('distribution', 'pull', '{"events": [{"action": "pull", "target": {"repository": "team/app", "tag": "1.0"}}]}'),
  ('distribution', 'delete', '{"events": [{"action": "delete", "target": {"digest": "sha256:1", "repository": "team/app"}}]}'),
  ('harbor', 'push', '{"type": "PUSH_ARTIFACT", "occur_at": 1, "operator": "admin", "event_data": {"resources": [{"digest": "sha256:1", "tag": "1.0", "resource_url": "hub/team/app:1.0"}],
     "repository": {"date_created": 1, "name": "app", "namespace": "team", "repo_full_name": "team/app", "repo_type": "private"}}}'),
  ('harbor', 'cloud event', '{"specversion": "1.0", "type": "harbor.artifact.pushed", "data": {"resources": [{"digest": "sha256:1", "tag": "1.0"}], "repository": {"name": "app", "namespace": "team"}}}'),
  ('harbor', 'delete', '{"type": "DELETE_ARTIFACT", "event_data": {"resources": [{"digest": "sha256:1", "tag": "1.0"}], "repository": {"repo_full_name": "team/app"}}}'),
  ('harbor', 'scan', '{"type": "SCANNING_COMPLETED", "event_data": {"resources": [{"tag": "1.0"}], "repository": {"repo_full_name": "team/app"}}}'),
  ('ghcr', 'registry_package', '{"action": "published", "registry_package": {"name": "app", "namespace": "Team", "ecosystem": "CONTAINER", "package_type": "CONTAINER", "owner": {"login": "Team"},
     "package_version": {"container_metadata": {"tag": {"name": "1.0", "digest": "sha256:1"}}}}}'),
  ('ghcr', 'package', '{"action": "updated", "package": {"name": "App", "package_type": "container", "owner": {"login": "team"}, "package_version": {"container_metadata": {"tag": {"name": ""}}}}}'),
  ('ghcr', 'npm', '{"action": "published", "package": {"name": "app", "package_type": "npm", "owner": {"login": "team"}}}'),
  ('dockerhub', 'push', '{"callback_url": "https://x", "push_data": {"pushed_at": 1, "pusher": "x", "tag": "latest"}, "repository": {"name": "app", "namespace": "team", "repo_name": "team/app"}}'),
  ('quay', 'push', '{"name": "app", "repository": "team/app", "namespace": "team", "docker_url": "quay.io/team/app", "updated_tags": ["latest", "1.0"]}'),
  ('quay', 'no tags', '{"repository": "team/app"}');
SELECT format, what, e.* FROM test.sample s LEFT JOIN LATERAL webhook_events(s.format, s.payload) e ON true ORDER BY 1, 2, 3, 4;
SELECT format, what, test.outcome_and_back('regress_hook', format('SELECT string_agg(concat_ws('' '', repository, effect), ''; '') FROM image_library.handle_webhook(''hub'', %L, %L)', format, payload)) AS outcome
FROM test.sample ORDER BY 1, 2;

-- What is asked for. Requests for one repository are one row.
SELECT handle_webhook('hub', 'distribution', payload) FROM test.sample WHERE format = 'distribution' AND what = 'push';
SELECT handle_webhook('hub', 'quay', payload) FROM test.sample WHERE what = 'no tags';
SELECT handle_webhook('hub', 'dockerhub', payload) FROM test.sample WHERE format = 'dockerhub';
SELECT handle_webhook('hub', 'quay', jsonb_build_object('repository', name, 'updated_tags', '["1"]'::jsonb)) FROM unnest('{team/closed/app,alien/app,Team/App,team//app,"",../x,team/app:1}'::text[]) name WHERE name <> '';
SELECT handle_webhook('prefixed', 'quay', jsonb_build_object('repository', name)) FROM unnest('{team/app,app,teams/app,team}'::text[]) name;
SELECT handle_webhook('literal', 'quay', '{"repository": "team/app", "updated_tags": ["1"]}'), handle_webhook('literal', 'quay', '{"repository": "team/other"}');
SELECT registry, repository, tags, requests, waits, looked_at, problem FROM push_requests ORDER BY 1, 2;
SELECT disable_registry('literal');
SELECT handle_webhook('literal', 'quay', '{"repository": "team/app"}');
-- The agent looks at those, and at no whole registry; a registry that was never synced is synced as a whole.
SELECT name, whole FROM due_registries() ORDER BY 1;
\set counts '{"requests": 1, "bytes": 1, "not_modified": 1, "retries": 0, "repositories": 1, "tags_seen": 1, "images_added": 0, "tags_moved": 0, "tags_missing": 0, "problems": 0}'
SELECT begin_run(registry_id, 'schedule') AS run, registry_id AS hub FROM registry WHERE name = 'hub' \gset
SELECT finish_run(:run, 'partial', NULL, :'counts', clock_timestamp() + interval '1 hour');
SELECT name, whole, due_at <= clock_timestamp() AS now FROM due_registries() WHERE name = 'hub';
SELECT repository, tags FROM due_looks(:hub);
-- A request that comes during a look stays.
SELECT request FROM due_looks(:hub) WHERE repository = 'team/app' \gset
SELECT effect FROM handle_webhook('hub', 'quay', '{"repository": "team/app", "updated_tags": ["2.0"]}');
SELECT note_look(:hub, 'team/app', :'request', 0.004, NULL);
SELECT repository, tags, waits, problem FROM push_requests WHERE registry = 'hub';
-- Not before a second has passed, or ten times as long as the look took.
SELECT repository FROM due_looks(:hub);
SELECT name, whole, due_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '1 second' AS soon FROM due_registries() WHERE name = 'hub';
UPDATE repository_look SET looked_at = looked_at - interval '2 seconds' WHERE registry_id = :hub;
SELECT repository FROM due_looks(:hub);
UPDATE repository_look SET took = '1 minute' WHERE registry_id = :hub;
SELECT repository FROM due_looks(:hub);
UPDATE repository_look SET took = '0' WHERE registry_id = :hub;
-- A look that fails is repeated, later each time, and given up.
CREATE FUNCTION test.fail_look() RETURNS interval LANGUAGE plpgsql AS $$
BEGIN
  UPDATE image_library_internal.repository_look SET looked_at = '2000-01-01' WHERE repository = 'team/app';
  PERFORM image_library_internal.fail_looks(registry_id, 'connection refused') FROM image_library_internal.registry WHERE name = 'hub';
  RETURN (SELECT image_library_internal.look_due_at(q) - q.looked_at FROM image_library_internal.look_request q
          JOIN image_library_internal.registry g USING (registry_id) WHERE g.name = 'hub' AND q.repository = 'team/app' AND image_library_internal.request_waits(q));
END
$$;
SELECT n, test.fail_look() FROM generate_series(1, 7) n;
SELECT repository, waits, problem FROM push_requests WHERE registry = 'hub';
SELECT effect FROM handle_webhook('hub', 'quay', '{"repository": "team/app"}');
-- docker-registry tells of a push before it writes the tag: what began within a second of the request does not answer it.
CREATE FUNCTION test.look_that_began(after interval) RETURNS boolean LANGUAGE sql AS $$
  UPDATE image_library_internal.requested_repository SET requested_at = clock_timestamp() - interval '1 hour' WHERE repository = 'team/app';
  UPDATE image_library_internal.repository_look SET answered_request = '2000-01-01' WHERE repository = 'team/app';
  SELECT image_library_internal.note_look(registry_id, repository, (extract(epoch FROM requested_at) * 1000000)::bigint::text,
                                          extract(epoch FROM clock_timestamp() - requested_at - after), NULL)
  FROM image_library_internal.requested_repository JOIN image_library_internal.registry USING (registry_id) WHERE name = 'hub' AND repository = 'team/app';
  SELECT waits FROM image_library.push_requests WHERE registry = 'hub' AND repository = 'team/app'
$$;
SELECT test.look_that_began('0.5 s') AS waits, test.look_that_began('1.5 s') AS waits_no_more;
SELECT effect FROM handle_webhook('hub', 'quay', '{"repository": "team/app"}');
SELECT begin_run(:hub, 'schedule') AS run \gset
UPDATE run SET started_at = requested_at + interval '0.5 seconds' FROM requested_repository q WHERE run_id = :run AND q.registry_id = :hub AND q.repository = 'team/app';
SELECT finish_run(:run, 'complete', NULL, :'counts', clock_timestamp() + interval '1 hour');
SELECT repository, waits FROM push_requests WHERE registry = 'hub' ORDER BY 1;
UPDATE repository_look SET looked_at = '2000-01-01' WHERE repository = 'team/app';
-- A complete run of the registry answers what was requested before.
UPDATE requested_repository SET requested_at = requested_at - interval '2 seconds' WHERE registry_id = :hub;
SELECT begin_run(:hub, 'schedule') AS run \gset
SELECT effect FROM handle_webhook('hub', 'quay', '{"repository": "team/late"}');
SELECT finish_run(:run, 'complete', NULL, :'counts', clock_timestamp() + interval '1 hour');
SELECT repository, waits FROM push_requests WHERE registry = 'hub' ORDER BY 1;
-- A flood of names: so many rows and no more, then the whole registry, once.
SELECT effect, count(*) FROM (SELECT (handle_webhook('hub', 'quay', jsonb_build_object('repository', 'team/n' || n))).effect FROM generate_series(1, 1100) n) e GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM push_requests WHERE registry = 'hub';
SELECT name, whole, due_at > clock_timestamp() + interval '50 seconds' AS later FROM (SELECT g.name, true AS whole, g.sync_requested_at AS due_at FROM registry g WHERE g.name = 'hub') d;
-- What the agent has done goes with the request: a flood of other names each minute does not add up.
INSERT INTO repository_look (registry_id, repository) SELECT :hub, 'team/old' || n FROM generate_series(1, 1100) n;
SELECT note_look(:hub, 'team/n2', '1', 0.1, NULL);
SELECT count(*) FROM repository_look WHERE registry_id = :hub AND repository LIKE 'team/old%';
-- Of many tags the whole repository is read.
INSERT INTO repository_look (registry_id, repository, answered_request) SELECT registry_id, repository, requested_at FROM requested_repository WHERE repository = 'team/n1';
SELECT effect FROM handle_webhook('hub', 'quay', '{"repository": "team/n1", "updated_tags": ["1", "2"]}');
SELECT tags FROM push_requests WHERE repository = 'team/n1';
SELECT effect FROM handle_webhook('hub', 'quay', jsonb_build_object('repository', 'team/n1', 'updated_tags', (SELECT jsonb_agg(n::text) FROM generate_series(1, 150) n)));
SELECT tags FROM push_requests WHERE repository = 'team/n1';

-- Attacks. The role of a receiver may call this function and nothing else, and learns nothing.
SELECT call, test.outcome_as('regress_hook', call) FROM unnest(ARRAY[
  'SELECT count(*) FROM image_library.images', 'SELECT count(*) FROM image_library.push_requests', 'SELECT image_library.request_sync(''hub'')', 'CALL image_library.sync()',
  'SELECT * FROM image_library_internal.requested_repository', 'SELECT image_library_internal.request_look(NULL, ''a'', NULL)', 'SELECT image_library.resolve(''hub.example/team/app:1'')']) call;
SELECT test.outcome_as('regress_reader', $$SELECT count(*) FROM image_library.handle_webhook('hub', 'quay', '{}')$$);
SELECT test.outcome_as('regress_reader', $$SELECT string_agg(DISTINCT registry, ' ') FROM image_library.push_requests$$);
-- A private registry takes webhooks too; readers do not see that.
SELECT test.outcome_as('regress_hook', $$SELECT effect FROM image_library.handle_webhook('secret', 'quay', '{"repository": "a"}')$$);
SELECT test.outcome_as('regress_reader', $$SELECT count(*) FROM image_library.push_requests WHERE registry = 'secret'$$);
SELECT left(payload, 60) AS payload, f AS format, left(test.outcome_as('regress_hook', format('SELECT count(*) FROM image_library.handle_webhook(''hub'', %L, %L)', f, payload)), 40)
FROM unnest(ARRAY['null', '[]', '{}', '7', '"text"', '{"events": 7}', '{"events": [7, null, {"target": 7}, {"target": {"repository": 7}}]}', '{"event_data": [], "type": {}}', '{"repository": {}, "updated_tags": {}}',
  '{"registry_package": "x", "package": []}', '{"repository": ""}', '{"repository": "a", "updated_tags": [{"x": 1}, null, ["b"]]}']) payload,
  unnest('{distribution,harbor,ghcr,dockerhub,quay}'::text[]) f WHERE f IN ('distribution', 'quay') OR payload ~ 'package|event_data|^.repository';
SELECT test.outcome_as('regress_hook', format('SELECT count(*) FROM image_library.handle_webhook(%s)', arguments))
FROM unnest(ARRAY[$$'none', 'quay', '{}'$$, $$'hub', 'nexus', '{}'$$, $$'hub', NULL, '{}'$$, $$NULL, NULL, NULL$$, $$'hub', 'quay', NULL$$,
  $$'hub', 'quay', jsonb_build_object('repository', 'team/app', 'x', (SELECT jsonb_agg(n) FROM generate_series(1, 100000) n))$$,
  $$'hub', 'distribution', (SELECT jsonb_build_object('events', jsonb_agg(jsonb_build_object('target', jsonb_build_object('repository', 'team/x' || n)))) FROM generate_series(1, 101) n)$$,
  $$'https://user:password@hub', 'quay', '{}'$$]) arguments;
SELECT repository, tags FROM push_requests WHERE repository = 'a';
-- Names of a payload are text, and long ones are cut in what is shown.
SELECT length(repository), effect FROM handle_webhook('hub', 'quay', jsonb_build_object('repository', 'team/' || repeat('x', 1000)));
SELECT repository, effect FROM handle_webhook('hub', 'quay', $$"{}"$$::jsonb || '[{"repository": "x"}]') ;
SELECT effect FROM handle_webhook('hub', 'quay', $${"repository": "team/a'); DROP SCHEMA image_library CASCADE; --"}$$);
ROLLBACK;

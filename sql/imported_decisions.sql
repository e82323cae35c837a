-- The history of decisions of another library, which its bundle brings to be read.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
\set bundles :srcdir '/test/lib/bundles.sql'
\i :bundles
CREATE ROLE regress_reader IN ROLE image_library_reader;
CREATE ROLE regress_team IN ROLE image_library_curator;
SELECT count(add_registry(name, 'https://' || name || '.example')), count(add_rule(name, 'team/**')) FROM unnest('{hub,mirror}'::text[]) name;
SELECT test.sync(name, 'team/app', '{"1": {"image": "a"}, "2": {"image": "b"}}') FROM unnest('{hub,mirror}'::text[]) name;
SELECT approve('hub.example/team/app:1', 'notes read', valid_until => 'infinity'), approve('hub.example/team/app:2') \gset
SELECT revoke('hub.example/team/app:1', E'a hole\nin it'), deprecate('hub.example/team/app:2', now() + interval '30 days') \gset
CREATE TABLE test.bundle (number bigint GENERATED ALWAYS AS IDENTITY, line text);
INSERT INTO test.bundle (line) SELECT export_library('central', '{hub}');
CREATE VIEW test.parts AS SELECT number, substr(line, 66)::jsonb AS part, substr(line, 66)::jsonb ->> 1 AS section FROM test.bundle;
CREATE FUNCTION test.import() RETURNS text LANGUAGE sql AS $$
  SELECT 'decisions: ' || number FROM image_library.import_library('{"hub": "mirror"}', rules => false) WHERE what = 'decisions' $$;
CREATE FUNCTION test.changed(what text, change jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT regexp_replace(test.outcome(format('SELECT image_library.stage_bundle(%L)', test.forge(ARRAY(
    SELECT CASE section WHEN 'header' THEN jsonb_set(part, '{2,exported_at}', to_jsonb(clock_timestamp()))
           ELSE jsonb_set(part, '{2}', (part -> 2) || CASE number WHEN (SELECT min(number) FROM test.parts WHERE section = what) THEN change ELSE '{}' END) END
    FROM test.parts ORDER BY number)))), '\n.*', '') $$;

-- It is there, with what the library here made of it, and apart from it.
SELECT stage_bundle(ARRAY(SELECT line FROM test.bundle ORDER BY number)) > 0 AS staged;
SELECT test.import();
SELECT library, registry, repository, tag, test.shown(digest) AS digest, action, old_state, new_state, actor = session_user AS actor, decided_at <= now() + interval '1 minute' AS decided, reason, valid_until, deprecated_from IS NOT NULL AS deprecated, heard_from, signed_by
FROM imported_decisions ORDER BY decision_id;
SELECT registry, action, origin ->> 'library' AS library FROM decisions ORDER BY decision_id;
SELECT count(*) AS same FROM imported_decisions i JOIN decisions d USING (decision_id, actor, decided_at, action, digest) WHERE d.registry = 'hub';
-- Again: nothing changes.
CREATE TABLE test.before AS SELECT h.*, h.xmin::text AS version FROM imported_decision h;
SELECT stage_bundle(ARRAY(SELECT line FROM test.bundle ORDER BY number)) > 0 AS staged;
SELECT test.import();
SELECT count(*) AS changed FROM imported_decision h FULL JOIN test.before b USING (library, registry_id, decision_id) WHERE h.xmin::text IS DISTINCT FROM b.version;
-- Who sees it: as the registry here.
SELECT alter_registry('mirror', owner => 'regress_team', private => true);
SELECT role, test.outcome_as(role, 'SELECT count(*) FROM image_library.imported_decisions'), test.outcome_as(role, 'SELECT count(*) FROM image_library_internal.imported_decision') FROM unnest('{regress_reader,regress_team}'::text[]) role;
-- What is wrong refuses the bundle.
SELECT change, test.changed('decision', change) FROM unnest('{"{\"decision_id\": \"x\"}","{\"actor\": \"\"}","{\"decided_at\": \"now\"}","{\"decided_at\": null}","{\"decided_at\": \"2025-02-30T00:00:00Z\"}","{\"valid_until\": \"tomorrow\"}","{\"new_state\": \"blessed\"}","{\"action\": \"Approve!\"}","{\"digest\": \"x\"}","{\"registry\": 7}"}'::jsonb[]) change;
SELECT change, test.changed('decision', change) ~ '^[0-9]+$' AS staged, test.outcome('SELECT test.import()') FROM unnest(ARRAY['{"decided_at": "2999-01-01T00:00:00Z"}',
  '{"registry": "nope"}', (SELECT jsonb_build_object('decision_id', max((part #>> '{2,decision_id}')::bigint)) FROM test.parts WHERE section = 'decision')]::jsonb[]) change;
-- A reason that is longer than people may write is cut: a library of an earlier version wrote such ones.
SELECT test.changed('decision', jsonb_build_object('reason', repeat('x', 20000))) ~ '^[0-9]+$' AS staged;
SELECT test.import();
SELECT max(length(reason)) FROM imported_decisions;
-- Nor does the library write one itself, whatever it has to tell.
SELECT tell_decision(jsonb_populate_record(d, jsonb_build_object('reason', repeat('x', 20000)))) AS told FROM decision d ORDER BY decision_id LIMIT 1 \gset
SELECT length(reason) FROM decision WHERE decision_id = :told;
-- Of an image that the bundle does not have, nothing.
SELECT stage_bundle(test.forge(ARRAY(SELECT CASE section WHEN 'header' THEN jsonb_set(part, '{2,exported_at}', to_jsonb(clock_timestamp())) WHEN 'decision' THEN jsonb_set(part, '{2,digest}', to_jsonb(test.digest('x'))) ELSE part END
  FROM test.parts ORDER BY number))) > 0 AS staged;
SELECT test.import();
-- Many on one image: the last thousand.
SELECT stage_bundle(test.forge(ARRAY(
  SELECT jsonb_set(p.part, '{0}', to_jsonb(row_number() OVER (ORDER BY p.number, n)))
  FROM (SELECT number, 0 AS n, CASE section WHEN 'header' THEN jsonb_set(part, '{2,exported_at}', to_jsonb(clock_timestamp())) WHEN 'end' THEN jsonb_set(part, '{2,lines}', to_jsonb(number + 1100)) ELSE part END AS part FROM test.parts
        UNION ALL
        SELECT number, n, jsonb_set(part, '{2,decision_id}', to_jsonb(1000000 + n)) FROM (SELECT * FROM test.parts WHERE section = 'decision' ORDER BY number LIMIT 1) d, generate_series(1, 1100) n) p
  ORDER BY p.number, n))) > 0 AS staged;
SELECT test.import();
SELECT test.shown(digest) AS digest, count(*), min(decision_id) FROM imported_decisions GROUP BY 1 HAVING count(*) > 100;
-- The image goes with the next bundle, and its history with it; so does all of it with the registry.
SELECT stage_bundle(test.forge(ARRAY(
  SELECT jsonb_set(CASE section WHEN 'header' THEN jsonb_set(part, '{2,exported_at}', to_jsonb(clock_timestamp())) WHEN 'end' THEN jsonb_set(part, '{2,lines}', to_jsonb(row_number() OVER (ORDER BY number))) ELSE part END, '{0}', to_jsonb(row_number() OVER (ORDER BY number)))
  FROM test.parts WHERE section <> 'image' OR part #>> '{2,digest}' <> test.digest('a') ORDER BY number))) > 0 AS staged;
SELECT test.import();
SELECT test.shown(digest) AS digest, action FROM imported_decisions ORDER BY decision_id;
SELECT drop_registry('mirror', cascade => true);
SELECT count(*) FROM imported_decision;
ROLLBACK;

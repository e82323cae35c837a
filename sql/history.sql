-- The library as it was: what tags pointed at, and what had been decided on that.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE ROLE test_team;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true), add_registry('hidden', 'http://localhost:5001', allow_private => true, private => true, owner => 'test_team');
SELECT add_rule('local', '**'), add_rule('hidden', '**');
-- What happens in a transaction happens at one time: here each day of January 2024 is one, moved there once it is over.
CREATE FUNCTION test.day_is_over(day integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  night timestamptz := make_timestamptz(2024, 1, day, 12, 0, 0);
BEGIN
  SET LOCAL session_replication_role = replica;
  UPDATE tag_period SET since = night WHERE since > '2025-01-01';
  UPDATE tag_period SET until = night WHERE until > '2025-01-01';
  UPDATE decision SET decided_at = night WHERE decided_at > '2025-01-01';
  SET LOCAL session_replication_role = origin;
END
$$;
SELECT test.sync('local', 'postgresql', '{"17": {"image": "a"}, "17.4": {"image": "a"}}'), test.sync('hidden', 'postgresql', '{"17": {"image": "a"}}');
SELECT test.day_is_over(1);
SELECT test.shown(approve('localhost:5000/postgresql:17', valid_until => 'infinity')); SELECT test.day_is_over(2);
SELECT test.sync('local', 'postgresql', '{"17": {"image": "b"}, "17.4": {"image": "a"}}'); SELECT test.day_is_over(3);
SELECT test.shown(quarantine('localhost:5000/postgresql:17.4')); SELECT test.day_is_over(4);
SELECT test.shown(release('localhost:5000/postgresql:17.4')), test.shown(deprecate('localhost:5000/postgresql:17.4', '2024-01-06 12:00 UTC')); SELECT test.day_is_over(5);
SELECT test.shown(undeprecate('localhost:5000/postgresql:17.4')), test.shown(approve('localhost:5000/postgresql:17')), test.shown(reset('localhost:5000/postgresql:17')), test.shown(approve('localhost:5000/postgresql:17', 'again')); SELECT test.day_is_over(7);
SELECT test.sync('local', 'postgresql', '{"17": {"image": "b"}}'); SELECT test.day_is_over(8);
SELECT test.sync('local', 'postgresql', '{"17": {"image": "a"}, "17.4": {"image": "a"}}'); SELECT test.day_is_over(9);
SELECT test.shown(revoke('localhost:5000/postgresql:17', 'no more')); SELECT test.day_is_over(10);

SELECT day, l.tag, CASE l.digest WHEN test.digest('a') THEN 'a' WHEN test.digest('b') THEN 'b' END AS image, l.approval, l.usable
FROM generate_series(0, 10) day LEFT JOIN library_at(make_timestamptz(2024, 1, day + 1, 11, 0, 0)) l ON l.registry = 'local' ORDER BY day, l.tag;
-- The boundary belongs to what begins with it.
SELECT at, l.digest = test.digest('b') AS moved FROM unnest('{2024-01-03 11:59:59.999999 UTC,2024-01-03 12:00 UTC}'::timestamptz[]) at, library_at(at) l WHERE l.registry = 'local' AND l.tag = '17' ORDER BY at;
SELECT test.shown(l.reference), test.shown(l.pinned_reference), l.repository FROM library_at('2024-01-05') l WHERE registry = 'local' ORDER BY tag;
-- Now is what images show, but for what no rule takes.
SELECT count(*) AS different FROM (SELECT registry, repository, tag, digest, reference, pinned_reference, approval FROM library_at(clock_timestamp()) EXCEPT SELECT registry, repository, tag, digest, reference, pinned_reference, approval FROM images) d;
SELECT (SELECT count(*) FROM library_at('-infinity')) AS before, (SELECT count(*) FROM library_at(NULL)) AS never;
-- A private registry has no past either.
SELECT test.outcome_as('test_reader', 'SELECT string_agg(DISTINCT registry, '' '') FROM image_library.library_at(''2024-01-05'')'),
  (SELECT string_agg(DISTINCT registry, ' ' ORDER BY registry) FROM library_at('2024-01-05')) AS admins;

-- Periods of a tag never overlap, and follow each other; also when a tag moves, goes, comes back and moves again within a moment.
SELECT count(test.sync('local', 'busy', CASE n % 4 WHEN 3 THEN '{"x": {"image": "x"}}' ELSE jsonb_build_object('1', jsonb_build_object('image', 'busy ' || n % 4), 'x', '{"image": "x"}'::jsonb) END)) FROM generate_series(0, 39) n;
SELECT count(*) AS periods, count(*) FILTER (WHERE upper_inf(valid)) AS open, count(*) FILTER (WHERE isempty(valid)) AS empty FROM tag_history WHERE repository = 'busy' AND tag = '1';
SELECT count(*) AS overlaps FROM tag_history a JOIN tag_history b USING (registry, repository, tag) WHERE a.valid && b.valid AND a.valid <> b.valid;
SELECT test.outcome('INSERT INTO tag_period SELECT repository_id, tag, now(), NULL, digest FROM tag_period WHERE until IS NULL LIMIT 1');
-- The tags that an image had are found by its digest, and not by all periods of its repository: each decision asks for them.
SELECT test.sync('local', 'many', (SELECT jsonb_object_agg('1.' || i, jsonb_build_object('image', 'm' || i)) FROM generate_series(1, 500) i)) ->> 'tags_added' AS tags;
ANALYZE tag_period;
SELECT seq_tup_read + idx_tup_fetch AS before FROM pg_stat_xact_user_tables WHERE relname = 'tag_period' \gset
SELECT count(*) FROM rules_of_image((SELECT repository_id FROM repository WHERE name = 'many'), test.digest('m1'));
SELECT seq_tup_read + idx_tup_fetch - :before < 50 AS few_rows FROM pg_stat_xact_user_tables WHERE relname = 'tag_period';
ROLLBACK;

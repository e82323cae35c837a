-- What a sync asks of a repository: tags, problems and referrer tags in portions, and digests.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', '**') AS rule \gset
SELECT * FROM known_repository(:registry, 'app');
SELECT count(*) FROM known_tags(:registry, 'app', '', 10);
SELECT test.sync('local', 'app', '{"a": {"image": "a"}, "b": {"image": "b"}, "B": {"image": "b"}, "b.1": {"image": "c"}, "c": {"image": "a"}}') \g /dev/null
SELECT test.sync('local', 'web', '{"z": {"image": "c"}, "y": {"image": "d"}}') \g /dev/null
SELECT test.write_batch(:registry, 'app', test.batch('{"problems": [{"tag": "b", "problem": "malformed", "detail": "x"}, {"tag": "d", "problem": "denied", "detail": "x"}, {"tag": null, "problem": "busy", "detail": "x"}]}'));
SELECT test.write_batch(:registry, 'web', test.batch('{"problems": [{"tag": "b", "problem": "malformed", "detail": "x"}]}'));
UPDATE image SET unread = 'config' WHERE digest = test.digest('b');
SELECT has_tags, problem, tag_problems FROM known_repository(:registry, 'app');
SELECT has_tags, problem, tag_problems FROM known_repository(:registry, 'web');
-- By bytes, from a name on.
SELECT name, test.shown(digest) AS digest, missing, rule_id = :rule AS by_rule, fresh, unread FROM known_tags(:registry, 'app', '', 3);
SELECT name FROM known_tags(:registry, 'app', E'b\x01', 3);
SELECT count(*) FROM known_tags(:registry, 'app', 'd', 3);
SELECT * FROM known_problems(:registry, 'app', '', 1);
SELECT * FROM known_problems(:registry, 'app', E'b\x01', 3);
-- Stored; of this repository; whole.
SELECT place, here, whole FROM known_digests(:registry, '{app,app,app,web,app,none}',
  ARRAY[test.digest('a'), test.digest('b'), test.digest('d'), test.digest('d'), test.digest('nothing'), test.digest('a')]);
SELECT known_digests(:registry, '{}', '{}');
-- A digest of which a tag has only half.
SELECT place, digest = test.digest('a') AS found FROM known_subjects(:registry, 'app',
  ARRAY[test.digest('a'), left(test.digest('a'), 40), test.digest('b'), test.digest('d'), 'sha512:']);
-- Tags that only carry referrers.
SELECT test.write_batch(:registry, 'app', test.batch(jsonb_build_object('referrers', jsonb_agg(jsonb_build_object(
    'digest', test.digest('a'), 'referrer_digest', test.digest(n), 'artifact_type', 'x', 'size_bytes', 1, 'annotations', '{}'::jsonb, 'source', 'tag', 'tag', t)))))
FROM (VALUES ('r1', 's1'), ('r2', 's1'), ('r3', 's2'), ('r4', NULL)) v (n, t) \g /dev/null
SELECT known_referrer_tags(:registry, 'app', '', 1);
SELECT known_referrer_tags(:registry, 'app', E's1\x01', 5);
SELECT count(*) FROM known_referrer_tags(:registry, 'web', '', 5);
-- A portion reads its rows and no others, whatever the size of the repository.
INSERT INTO tag (repository_id, registry_id, name, digest, rule_id)
SELECT r.repository_id, r.registry_id, 'n' || lpad(n::text, 6, '0'), test.digest('a'), :rule
FROM repository r, generate_series(1, 20000) n WHERE r.name = 'web';
CREATE FUNCTION test.rows_read(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  before bigint := (SELECT sum(pg_stat_get_xact_tuples_fetched(c.oid)) FROM pg_class c WHERE c.relname IN ('tag', 'tag_pkey', 'image', 'image_pkey'));
BEGIN
  EXECUTE statement;
  RETURN (SELECT sum(pg_stat_get_xact_tuples_fetched(c.oid)) FROM pg_class c WHERE c.relname IN ('tag', 'tag_pkey', 'image', 'image_pkey')) - before;
END $$;
SELECT test.rows_read(format('SELECT * FROM known_tags(%s, ''web'', ''n010000'', 100)', :registry)) AS rows;
ROLLBACK;

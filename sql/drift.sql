-- Drift: each way in which what runs is not what should run, and nothing of what does.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE FUNCTION test.drift(consumer text) RETURNS TABLE (tag text, drift text, detail text) LANGUAGE sql AS $$
  SELECT d.tag, d.drift, test.shown(d.detail) FROM image_library.drift d WHERE d.consumer = drift.consumer ORDER BY 1, 2
$$;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true);
SELECT add_rule('local', '**') AS rule \gset
-- A tag that does not say its major: the annotations do.
SELECT test.sync('local', 'postgresql', '{"stable": {"image": "17", "annotations": {"org.enterprisedb.pg.major_version": "17"}}, "17.4-2503310734": {"image": "17.4"}, "17.5-2505220734": {"image": "17.5"}}');
SELECT count(approve(reference)) FROM images;
SELECT test.shown(record_use('localhost:5000/postgresql:stable', 'a')), test.shown(record_use('localhost:5000/postgresql:17.5-2505220734', 'b')), test.shown(record_use('localhost:5000/postgresql:17.4-2503310734', 'c'));
-- What runs what it should has no row; a newer minor is told of, not a pending one.
SELECT consumer, d.* FROM unnest('{a,b,c}'::text[]) consumer, test.drift(consumer) d;
SELECT test.sync('local', 'postgresql', '{"stable": {"image": "17", "annotations": {"org.enterprisedb.pg.major_version": "17"}}, "17.4-2503310734": {"image": "17.4"}, "17.5-2505220734": {"image": "17.5"}, "17.5-2506010734": {"image": "17.5 again"}}');
SELECT * FROM test.drift('b');
SELECT test.shown(approve('localhost:5000/postgresql:17.5-2506010734'));
SELECT * FROM test.drift('b');
-- A rolling tag is what it points at, not what it is called; one that moved on is behind by what runs.
SAVEPOINT rolling;
SELECT test.sync('local', 'mirror/postgresql', '{"17": {"image": "r4", "annotations": {"org.opencontainers.image.version": "17.4"}}, "17.4": {"image": "r4"}}');
SELECT count(approve(reference)) FROM pending_images WHERE repository = 'mirror/postgresql';
SELECT test.shown(record_use('localhost:5000/mirror/postgresql:17', 'r'));
SELECT * FROM test.drift('r');
SELECT test.sync('local', 'mirror/postgresql', '{"17": {"image": "r5", "annotations": {"org.opencontainers.image.version": "17.5"}}, "17.4": {"image": "r4"}, "17.5": {"image": "r5"}}');
SELECT count(approve(reference)) FROM pending_images WHERE repository = 'mirror/postgresql';
SELECT * FROM test.drift('r');
SELECT test.shown(record_use('localhost:5000/mirror/postgresql:17', 'r5'));
SELECT * FROM test.drift('r5');
ROLLBACK TO rolling;
-- The tag moved: to an older major; to the same; to an image that nobody has decided on.
SAVEPOINT moved;
SELECT test.sync('local', 'postgresql', '{"stable": {"image": "16", "annotations": {"org.enterprisedb.pg.major_version": "16"}}}');
SELECT * FROM test.drift('a');
ROLLBACK TO moved;
SELECT test.sync('local', 'postgresql', '{"stable": {"image": "18", "annotations": {"org.enterprisedb.pg.major_version": "18"}}}');
SELECT * FROM test.drift('a');
ROLLBACK TO moved;
-- Missing upstream; taken out by a rule; both with what was decided.
SELECT test.sync('local', 'postgresql', '{"17.5-2505220734": {"image": "17.5"}}');
SELECT consumer, d.* FROM unnest('{a,c}'::text[]) consumer, test.drift(consumer) d;
ROLLBACK TO moved;
SELECT disable_rule(:rule);
SELECT * FROM test.drift('a');
ROLLBACK TO moved;
-- Decided otherwise since, and marks that an approval has.
SELECT test.shown(revoke('localhost:5000/postgresql:stable'));
SELECT * FROM test.drift('a');
SELECT test.shown(reset('localhost:5000/postgresql:stable')), test.shown(reject('localhost:5000/postgresql:stable'));
SELECT * FROM test.drift('a');
ROLLBACK TO moved;
SELECT test.shown(reset('localhost:5000/postgresql:stable'));
SELECT * FROM test.drift('a');
ROLLBACK TO moved;
SELECT test.shown(quarantine('localhost:5000/postgresql:stable'));
SELECT * FROM test.drift('a');
ROLLBACK TO moved;
SET client_min_messages = error;
SELECT test.shown(deprecate('localhost:5000/postgresql:stable', now() + interval '1 day'));
SELECT tag, drift FROM test.drift('a');
SELECT test.shown(deprecate('localhost:5000/postgresql:stable', now()));
SELECT * FROM test.drift('a');
ROLLBACK TO moved;
RESET client_min_messages;
UPDATE approval SET valid_until = now() - interval '1 second' WHERE digest = test.digest('17');
SELECT * FROM test.drift('a');
SELECT test.outcome_as('test_reader', 'SELECT drift FROM image_library.drift WHERE consumer = ''a''');
-- What is released drifts no more; the use stays on record.
SELECT release_use('localhost:5000/postgresql:stable', 'a');
SELECT * FROM test.drift('a');
SELECT consumer, tag, released_at IS NOT NULL AS released FROM usage ORDER BY consumer;
ROLLBACK;

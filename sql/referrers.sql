-- What refers to images: by repository, with what a complete answer takes away, and when it is asked for again.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', '**');
SELECT test.sync('local', r, '{"1": {"image": "a"}}') FROM unnest('{app,mirror}'::text[]) r;
CREATE FUNCTION test.referrer(name text, tag text DEFAULT NULL, type text DEFAULT 'application/spdx+json') RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('digest', test.digest('a'), 'referrer_digest', test.digest(name), 'artifact_type', type, 'size_bytes', 9, 'annotations', '{}'::jsonb,
                            'source', CASE WHEN tag IS NULL THEN 'api' ELSE 'cosign tag' END, 'tag', tag) $$;
CREATE FUNCTION test.answer(repository text, referrers jsonb, tag text DEFAULT NULL, digest text DEFAULT test.digest('a')) RETURNS jsonb LANGUAGE sql AS $$
  SELECT image_library._write_batch((SELECT registry_id FROM image_library.registry), repository, test.batch(jsonb_build_object(
    'referrers', referrers, 'referrer_answers', jsonb_build_array(jsonb_build_object('digest', digest, 'tag', tag))))) $$;
CREATE VIEW test.known AS
  SELECT r.name AS repository, x.artifact_type, x.source, x.tag FROM image_library.image_referrer x LEFT JOIN image_library.repository r USING (repository_id) ORDER BY 1, 2, 4 NULLS FIRST;
SELECT test.answer('app', jsonb_build_array(test.referrer('s'), test.referrer('t', NULL, 'application/other'))), test.answer('mirror', jsonb_build_array(test.referrer('s')));
SELECT test.answer('app', jsonb_build_array(test.referrer('sig', 'sha256-a.sig', 'signature')), 'sha256-a.sig');
TABLE test.known;
-- One row a referrer, wherever it was found.
SELECT artifact_type, source FROM image_referrers ORDER BY 1;
-- What an answer lacks goes, in its own repository and from its own source only.
SELECT test.answer('app', jsonb_build_array(test.referrer('t', NULL, 'application/changed')));
TABLE test.known;
SELECT test.answer('app', '[]', 'sha256-a.sig', NULL);
SELECT test.answer('app', '[]');
TABLE test.known;
SELECT drop_registry('local');
SELECT count(*) FROM image_referrer;

-- Asked for again: new images ever less often, approved ones every day.
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', '**');
SELECT test.sync('local', 'app', '{"1": {"image": "a"}, "2": {"image": "b"}}');
CREATE FUNCTION test.due(since interval, checked interval DEFAULT NULL, with_api boolean DEFAULT true) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  UPDATE image_library.tag SET digest_changed_at = now() - since;
  DELETE FROM image_library.referrer_check;
  INSERT INTO image_library.referrer_check SELECT repository_id, digest, now() - checked FROM image_library.tag WHERE checked IS NOT NULL;
  RETURN coalesce((SELECT string_agg(t.name, ' ' ORDER BY t.name) FROM image_library._due_referrers((SELECT registry_id FROM image_library.registry), with_api) d
                   JOIN image_library.tag t USING (digest)), 'none');
END
$$;
SELECT approve('localhost:5000/app:1', 'good') IS NOT NULL AS approved;
SELECT test.due('5 minutes') AS just_read, test.due('11 minutes') AS first_time, test.due('1 hour', '20 minutes') AS not_yet, test.due('1 hour', '31 minutes') AS doubled,
       test.due('2 days', '25 hours') AS daily, test.due('2 days', '23 hours') AS not_daily, test.due('30 days') AS never_asked, test.due('30 days', '25 hours') AS approved_only;
SELECT test.due('1 hour', NULL, false) AS without_api;
SELECT test.answer('app', jsonb_build_array(test.referrer('sig', 'sha256-a.sig', 'signature')), 'sha256-a.sig');
SELECT test.due('1 hour', NULL, false) AS with_a_tag;
SELECT repository, test.shown(digest) AS digest, tags, test.shown(known::text) AS known FROM _due_referrers(:registry, false);
SELECT _write_batch(:registry, 'app', test.batch(jsonb_build_object('referrers_checked', jsonb_build_array(test.digest('a')))));
SELECT count(*) AS due FROM _due_referrers(:registry, false);
ROLLBACK;

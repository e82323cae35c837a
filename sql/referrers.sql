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
  SELECT test.write_batch((SELECT registry_id FROM image_library_internal.registry), repository, test.batch(jsonb_build_object(
    'referrers', referrers, 'referrer_answers', jsonb_build_array(jsonb_build_object('digest', digest, 'tag', tag))))) $$;
CREATE VIEW test.known AS
  SELECT r.name AS repository, x.artifact_type, x.source, x.tag FROM image_library_internal.image_referrer x LEFT JOIN image_library_internal.repository r USING (repository_id) ORDER BY 1, 2, 4 NULLS FIRST;
SELECT test.answer('app', jsonb_build_array(test.referrer('s'), test.referrer('t', NULL, 'application/other'))), test.answer('mirror', jsonb_build_array(test.referrer('s')));
SELECT test.answer('app', jsonb_build_array(test.referrer('sig', 'sha256-a.sig', 'signature')), 'sha256-a.sig');
TABLE test.known;
-- One row a referrer, wherever it was found.
SELECT repository, artifact_type, source FROM image_referrers ORDER BY 1, 2;
-- What an answer lacks goes, in its own repository and from its own source only.
SELECT test.answer('app', jsonb_build_array(test.referrer('t', NULL, 'application/changed')));
TABLE test.known;
-- What was read of a manifest once stays, though a later answer does not say it.
CREATE VIEW test.annotated AS SELECT annotations, size_bytes FROM image_library_internal.image_referrer WHERE referrer_digest = test.digest('t');
SELECT test.answer('app', jsonb_build_array(test.referrer('t') || '{"annotations": {"made": "by ci"}}'));
SELECT test.answer('app', jsonb_build_array(test.referrer('t') || '{"size_bytes": 10}'));
TABLE test.annotated;
SELECT test.answer('app', jsonb_build_array(test.referrer('t') || '{"annotations": {"made": "by hand"}}'));
TABLE test.annotated;
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
  UPDATE image_library_internal.tag SET digest_changed_at = now() - since;
  DELETE FROM image_library_internal.referrer_check;
  INSERT INTO image_library_internal.referrer_check SELECT repository_id, digest, now() - checked FROM image_library_internal.tag WHERE checked IS NOT NULL;
  RETURN coalesce((SELECT string_agg(t.name, ' ' ORDER BY t.name) FROM image_library_internal.due_referrers((SELECT registry_id FROM image_library_internal.registry), with_api) d
                   JOIN image_library_internal.tag t USING (digest)), 'none');
END
$$;
SELECT approve('localhost:5000/app:1', 'good') IS NOT NULL AS approved;
SELECT test.due('5 minutes') AS just_read, test.due('11 minutes') AS first_time, test.due('1 hour', '20 minutes') AS not_yet, test.due('1 hour', '31 minutes') AS doubled,
       test.due('2 days', '25 hours') AS daily, test.due('2 days', '23 hours') AS not_daily, test.due('30 days') AS never_asked, test.due('30 days', '25 hours') AS approved_only;
SELECT test.due('1 hour', NULL, false) AS without_api;
SELECT test.answer('app', jsonb_build_array(test.referrer('sig', 'sha256-a.sig', 'signature')), 'sha256-a.sig');
SELECT test.due('1 hour', NULL, false) AS with_a_tag;
SELECT repository, test.shown(digest) AS digest, tags, test.shown(known::text) AS known FROM due_referrers(:registry, false);
SELECT test.write_batch(:registry, 'app', test.batch(jsonb_build_object('referrers_checked', jsonb_build_array(test.digest('a')))));
SELECT count(*) AS due FROM due_referrers(:registry, false);

-- An index that named what was not there: asked about with or without an API, and taken over when it has come.
CREATE FUNCTION test.part(name text, architecture text, present boolean) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('platform', 'linux/' || architecture, 'os', 'linux', 'architecture', architecture, 'variant', '', 'manifest_digest', test.digest(name || architecture),
    'config_digest', CASE WHEN present THEN test.digest(name || ' config') ELSE '' END, 'size_bytes', CASE WHEN present THEN 1000 ELSE 0 END, 'created_at', NULL, 'present', present) $$;
CREATE FUNCTION test.facts(amd64 boolean, labels jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('labels', labels, 'size_bytes', CASE WHEN amd64 THEN 1000 ELSE 0 END,
    'platforms', jsonb_build_array(test.part('late', 'amd64', amd64), test.part('late', 'arm64', true), test.part('late', 'riscv64', false))) $$;
SELECT test.sync('local', r, jsonb_build_object('17.2', jsonb_build_object('image', 'late') || test.facts(false, '{}'))) FROM unnest('{team/db,team/copy}'::text[]) r;
CREATE VIEW test.incomplete AS
  SELECT d.repository, jsonb_array_length(d.absent) AS absent, jsonb_array_length(d.present) AS present,
         d.absent ->> 0 = test.digest('lateamd64') AS amd64_first
  FROM image_library_internal.due_referrers((SELECT registry_id FROM image_library_internal.registry), false) d WHERE d.digest = test.digest('late') ORDER BY 1;
TABLE test.incomplete;
UPDATE tag SET digest_changed_at = now() - interval '1 hour';
TABLE test.incomplete;
CREATE VIEW test.late AS
  SELECT e.repository, e.flavor, e.major_version, e.size_bytes, (SELECT string_agg(p.platform || ' ' || p.present, ', ' ORDER BY 1) FROM image_library_internal.image_platform p WHERE p.digest = e.digest) AS platforms
  FROM image_library_internal.entry e WHERE e.digest = test.digest('late') ORDER BY 1;
TABLE test.late;
CREATE FUNCTION test.completed(facts jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.write_batch((SELECT registry_id FROM image_library_internal.registry), 'team/db', test.batch(jsonb_build_object(
    'completed', jsonb_build_array(test.image('late', facts)), 'referrers_checked', jsonb_build_array(test.digest('late'))))) $$;
SELECT test.completed(test.facts(true, '{"org.enterprisedb.pg.flavor": "EDB Postgres Advanced", "org.enterprisedb.pg.major_version": "17"}'));
TABLE test.late;
-- What is checked waits for its time, in its repository; what is whole is not asked about for that.
TABLE test.incomplete;
SELECT test.completed(test.facts(true, '{"org.enterprisedb.pg.flavor": "EDB Postgres Advanced", "org.enterprisedb.pg.major_version": "17"}')
  || jsonb_build_object('platforms', jsonb_build_array(test.part('late', 'amd64', true))));
TABLE test.late;
TABLE test.incomplete;
-- So is what its index names and what could not be read before.
SELECT test.completed(test.facts(true, '{}') || jsonb_build_object('referrers', jsonb_build_array(jsonb_build_object('digest', test.digest('late'),
  'referrer_digest', test.digest('late bill'), 'artifact_type', 'bill', 'size_bytes', 9, 'annotations', '{}'::jsonb, 'source', 'index'))));
SELECT repository_id IS NULL AS of_the_index, artifact_type, source FROM image_referrer WHERE digest = test.digest('late');

-- Who reads an image first does not decide what is known of it: a registry that hides a platform is corrected by one that does not.
SELECT add_registry('honest', 'http://localhost:5001', allow_private => true) IS NOT NULL AS added;
SELECT add_rule('honest', '**') IS NOT NULL AS added;
CREATE VIEW test.hidden AS
  SELECT p.platform, p.present, i.labels, (SELECT whole FROM image_library_internal.known_images(ARRAY[i.digest])) AS whole
  FROM image_library_internal.image i JOIN image_library_internal.image_platform p USING (digest) WHERE i.digest = test.digest('late2') ORDER BY 1;
CREATE FUNCTION test.late2(registry text, amd64 boolean, arm64 boolean, labels jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.sync(registry, 'team/db', jsonb_build_object('18', jsonb_build_object('image', 'late2') || jsonb_build_object('labels', labels,
    'platforms', jsonb_build_array(test.part('late2', 'amd64', amd64), test.part('late2', 'arm64', arm64))))) $$;
SELECT test.late2('local', false, true, '{}');
TABLE test.hidden;
-- Not by one that hides another.
SELECT test.late2('honest', true, false, '{"whole": "no"}');
TABLE test.hidden;
SELECT test.late2('honest', true, true, '{"whole": "yes"}');
TABLE test.hidden;
SELECT test.late2('local', true, false, '{"whole": "no"}');
TABLE test.hidden;

-- A child that is gone is so only once no other repository has the image; it comes back when it is read again.
CREATE FUNCTION test.gone(registry text) RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.write_batch((SELECT g.registry_id FROM image_library_internal.registry g WHERE g.name = registry), 'team/db', test.batch(jsonb_build_object(
    'gone_children', jsonb_build_array(jsonb_build_object('image', test.digest('late2'), 'digest', test.digest('late2amd64')))))) $$;
SELECT test.gone('local');
TABLE test.hidden;
SELECT test.sync('honest', 'team/db', '{}');
SELECT test.gone('local');
TABLE test.hidden;
SELECT test.write_batch(:registry, 'team/db', test.batch(jsonb_build_object('completed',
  jsonb_build_array(test.image('late2', jsonb_build_object('platforms', jsonb_build_array(test.part('late2', 'amd64', true), test.part('late2', 'arm64', true))))))));
TABLE test.hidden;

-- Every day it is asked whether the children of approved images are there, with or without an API.
SELECT approve('localhost:5000/team/db:18', 'good') IS NOT NULL AS approved;
CREATE FUNCTION test.children(since interval, checked interval) RETURNS text LANGUAGE sql AS $$
  UPDATE image_library_internal.tag SET digest_changed_at = now() - since;
  DELETE FROM image_library_internal.referrer_check;
  INSERT INTO image_library_internal.referrer_check SELECT DISTINCT repository_id, digest, now() - checked FROM image_library_internal.tag;
  SELECT (SELECT string_agg(p.platform, ' ' ORDER BY c.place) FROM jsonb_array_elements_text(d.children) WITH ORDINALITY c (digest, place)
          JOIN image_library_internal.image_platform p ON p.manifest_digest = c.digest)
  FROM image_library_internal.due_referrers((SELECT registry_id FROM image_library_internal.registry WHERE name = 'local'), false) d WHERE d.digest = test.digest('late2') $$;
SELECT test.children('30 days', '25 hours') AS daily;
SELECT test.children('20 hours', '11 hours') AS new;
ROLLBACK;

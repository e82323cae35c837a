-- Signatures of images over an air gap: what was signed goes over, who is trusted does not.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
\set signed_images :srcdir '/test/lib/signed_images.sql'
\i :signed_images
\set bundles :srcdir '/test/lib/bundles.sql'
\i :bundles
CREATE VIEW test.signed AS
  SELECT test.shown(s.digest) AS digest, s.signer, s.verified, test.shown(s.reason) AS reason, s.listed, s.imported_from FROM image_library.image_signatures s WHERE s.registry = 'mirror' AND s.repository = 'team/app' ORDER BY 1, 2, 4;
-- As the agent does, which commits after each call; here one signature or approval at a time.
CREATE FUNCTION test.apply() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  mirror integer := (SELECT registry_id FROM image_library_internal.registry WHERE name = 'mirror');
  after text[];
  calls integer := 0;
BEGIN
  PERFORM set_config('role', 'image_library_agent', true);
  LOOP
    after := image_library_internal.apply_some_imports(mirror, after, 1);
    calls := calls + 1;
    EXIT WHEN after IS NULL OR calls = 50;
  END LOOP;
  PERFORM set_config('role', 'none', true);
  RETURN calls;
END
$$;
CREATE FUNCTION test.import() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(format('%s %s: %s', what, regexp_replace(effect, 'rule \d+', 'rule <n>'), number), ', ') FROM image_library.import_library('{"hub": "mirror"}', rules => false) WHERE what IN ('images', 'signatures') $$;

SELECT count(add_registry(name, 'https://' || name || '.example')), count(add_rule(name, 'team/**')) FROM unnest('{hub,mirror}'::text[]) name;
SELECT test.sync('hub', 'team/app', '{"1": {"image": "a"}, "2": {"image": "b"}}');
SELECT count(approve('hub.example/team/app:' || n)) FROM generate_series(1, 2) n;
-- One by release, one by team, one that is none, and one that was not read.
SELECT test.bring('hub', 'team/app', test.layer('a', 'release'), test.layer('b', 'team'), test.layer('b', 'release', more => '{"annotations": {"dev.cosignproject.cosign/signature": null}}'),
  test.layer('a', 'team', more => '{"document": null, "unread": "the layer has more than 1048576 bytes and is not read", "layer_digest": "sha256:0"}'));
SELECT count(add_rule('hub', 'late/**'));
SELECT test.sync('hub', 'late/app', '{"1": {"image": "a"}}');
SELECT test.bring('hub', 'late/app', test.layer('a', 'release'));
CREATE TABLE test.bundle (number bigint GENERATED ALWAYS AS IDENTITY, line text);
INSERT INTO test.bundle (line) SELECT export_library('central', '{hub}');
CREATE VIEW test.parts AS SELECT number, substr(line, 66)::jsonb AS part, substr(line, 66)::jsonb ->> 1 AS section FROM test.bundle;
SELECT string_agg(section, ' ' ORDER BY number) FROM test.parts WHERE section IN ('image', 'evidence', 'decision', 'end');
SELECT array_agg(DISTINCT k) AS keys, count(DISTINCT part) FROM test.parts, jsonb_object_keys(part -> 2) k WHERE section = 'evidence';
SELECT count(*) AS same FROM test.parts p JOIN evidence e ON e.document = decode(part #>> '{2,document}', 'base64') AND e.digest = part #>> '{2,digest}' AND e.referrer_digest = part #>> '{2,referrer_digest}' AND e.annotations = part #> '{2,annotations}' WHERE section = 'evidence';

-- A changed byte refuses the bundle, also where the hashes are made to fit.
SELECT min(number) AS first FROM test.parts WHERE section = 'evidence' AND part #>> '{2,repository}' = 'team/app' \gset
SELECT what, regexp_replace(test.outcome(format('SELECT image_library.stage_bundle(%L)', lines)), '\n.*', '') FROM (
  SELECT 'a byte of the document' AS what, ARRAY(SELECT CASE number WHEN :first THEN regexp_replace(line, '("document": "[^"]{9})(.)', '\1' || CASE WHEN line ~ '"document": "[^"]{9}A' THEN 'B' ELSE 'A' END) ELSE line END FROM test.bundle ORDER BY number) AS lines
  UNION ALL SELECT 'left out', ARRAY(SELECT line FROM test.bundle WHERE number <> :first ORDER BY number)) c;
SELECT what, regexp_replace(test.outcome(format('SELECT image_library.stage_bundle(%L)', test.forge(ARRAY(SELECT CASE number WHEN :first THEN jsonb_set(part, '{2}', (part -> 2) || change) ELSE part END FROM test.parts ORDER BY number)))), '\n.*', '') FROM (VALUES
  ('another document', '{"document": "e30="}'::jsonb), ('no base64', '{"document": "%%"}'), ('none', '{"document": null}'), ('too large', jsonb_build_object('document', encode(convert_to(repeat('x', 1048577), 'UTF8'), 'base64'))),
  ('digest', '{"layer_digest": "md5:0"}'), ('place', '{"place": 1.5}'), ('annotations', '{"annotations": []}'), ('many annotations', jsonb_build_object('annotations', jsonb_build_object('x', repeat('x', 100000)))),
  ('repository', '{"repository": "../x"}'), ('no referrer', '{"referrer_digest": "x"}')) v (what, change);
-- Of another registry than the header has.
SELECT stage_bundle(test.forge(ARRAY(SELECT CASE number WHEN :first THEN jsonb_set(part, '{2,registry}', '"nope"') ELSE part END FROM test.parts ORDER BY number))) > 0;
SELECT test.outcome($$SELECT * FROM image_library.import_library('{"hub": "mirror"}')$$);
SELECT count(*) AS nothing FROM imported_evidence;

-- The images are not here: their signatures wait with them. Then a sync brings them, and nobody is trusted.
SELECT stage_bundle(ARRAY(SELECT line FROM test.bundle ORDER BY number)) > 0;
SELECT test.import();
SELECT test.sync('mirror', 'team/app', '{"1": {"image": "a"}}');
SELECT test.apply();
TABLE test.signed;
SELECT count(*) AS waiting FROM imported_evidence;
-- Trust is of this side: a key for the mirror alone verifies there, at once.
SELECT add_trust_key('release', test.key('release'), '{mirror.example/**}');
TABLE test.signed;
SELECT registry, verified FROM image_signatures WHERE verified;
-- A rule here requires a signature: an imported approval does not go around it.
SELECT rule_id AS rule FROM rules WHERE registry = 'mirror' AND repositories::text LIKE '%team%' \gset
SELECT alter_rule(:rule, signed_by => '{release}');
SELECT test.sync('mirror', 'team/app', '{"1": {"image": "a"}, "2": {"image": "b"}}');
SELECT test.apply();
SELECT tags, regexp_replace(effect, 'rule \d+', 'rule <n>') AS effect FROM imported_images ORDER BY 1, 2;
SELECT tag, approval FROM images WHERE registry = 'mirror' ORDER BY 1;
TABLE test.signed;
-- A rule approves what waited for its signature.
SELECT count(add_rule('mirror', 'late/**', approval => 'auto', signed_by => '{release}'));
SELECT test.sync('mirror', 'late/app', '{"1": {"image": "a"}}');
SELECT approval FROM images WHERE registry = 'mirror' AND repository = 'late/app';
SELECT test.apply();
SELECT approval FROM images WHERE registry = 'mirror' AND repository = 'late/app';
-- Again: nothing changes.
CREATE TABLE test.before AS SELECT e.* FROM evidence e;
SELECT stage_bundle(ARRAY(SELECT line FROM test.bundle ORDER BY number)) > 0;
SELECT test.import();
SELECT count(*) AS changed FROM evidence e FULL JOIN test.before b USING (repository_id, digest, referrer_digest, place) WHERE to_jsonb(e) IS DISTINCT FROM to_jsonb(b);
-- The registry lists none of them: they stay. The agent asks for their manifests all the same, and what it finds takes their place.
SELECT test.write_batch(registry_id, 'team/app', test.batch(jsonb_build_object('referrer_answers', jsonb_build_array(
  jsonb_build_object('digest', test.digest('a'), 'referrers', '[]'::jsonb), jsonb_build_object('digest', test.digest('b'), 'referrers', '[]'::jsonb))))) FROM registry WHERE name = 'mirror';
SELECT count(*) FROM test.signed;
SELECT manifests, jsonb_array_length(layers) AS layers, bytes > 0 AS counted FROM registry, known_evidence(registry_id, 'team/app', test.digest('a')) WHERE name = 'mirror';
SELECT test.bring('mirror', 'team/app', test.layer('b', 'team', more => '{"document": null}'), test.layer('a', 'release', more => '{"document": null, "annotations": {}}'));
TABLE test.signed;
-- A newer bundle without them: what is not verified goes.
DELETE FROM evidence e USING repository r, registry g WHERE r.repository_id = e.repository_id AND g.registry_id = r.registry_id AND g.name = 'hub';
CREATE TABLE test.newer (number bigint GENERATED ALWAYS AS IDENTITY, line text);
INSERT INTO test.newer (line) SELECT export_library('central', '{hub}');
SELECT stage_bundle(ARRAY(SELECT line FROM test.newer ORDER BY number)) > 0;
SELECT test.import();
TABLE test.signed;
-- More than the agent would read, and of images that the bundle does not have.
SELECT stage_bundle(test.forge(ARRAY(SELECT jsonb_set(part, '{0}', to_jsonb(row_number() OVER (ORDER BY number, n))) FROM (
  SELECT number, 0 AS n, CASE section WHEN 'header' THEN jsonb_set(part, '{2,exported_at}', to_jsonb(clock_timestamp())) WHEN 'end' THEN jsonb_set(part, '{2,lines}', to_jsonb(number - 2 + 121)) ELSE part END AS part FROM test.parts WHERE number NOT IN (:first + 1, :first + 2)
  UNION ALL
  SELECT :first, n, jsonb_build_array(0, 'evidence', (SELECT part -> 2 FROM test.parts WHERE number = :first) || jsonb_build_object('digest', test.digest(CASE WHEN n > 110 THEN 'z' ELSE 'b' END), 'referrer_digest', test.digest('many ' || n))) FROM generate_series(1, 121) n) f
  ORDER BY number, n))) > 0;
SET LOCAL track_functions = 'all';
SELECT test.import();
-- The space that is left is added up once for all of them.
SELECT funcname, calls FROM pg_stat_xact_user_functions WHERE funcname IN ('add_evidence', 'evidence_room') ORDER BY 1;
RESET track_functions;
SELECT test.shown(digest) AS digest, imported_from, count(*) FROM image_signatures WHERE registry = 'mirror' AND repository = 'team/app' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) AS waiting FROM imported_evidence;
SELECT count(*) AS problems FROM verify_audit();

-- Two libraries bring the same signature, before anybody is trusted. One does not replace, remove or crowd out what the other has brought.
SELECT drop_trust_key('release');
DELETE FROM evidence;
SELECT test.sync('mirror', 'team/app', '{"1": {"image": "a"}}');
CREATE FUNCTION test.of_library(name text, at timestamptz, VARIADIC changes jsonb[]) RETURNS text LANGUAGE sql AS $$
  SELECT image_library.stage_bundle(test.forge(ARRAY[
      jsonb_build_array(1, 'header', jsonb_build_object('format', 1, 'library', name, 'exported_at', at, 'registries', '["mirror"]'::jsonb)),
      jsonb_build_array(2, 'image', jsonb_build_object('registry', 'mirror', 'repository', 'team/app', 'digest', test.digest('a'), 'tags', '["1"]'::jsonb, 'platforms', '[]'::jsonb, 'referrers', '[]'::jsonb, 'approval', NULL))]
    || ARRAY(SELECT jsonb_build_array(2 + n, 'evidence', (SELECT part -> 2 FROM test.parts WHERE section = 'evidence' AND part #>> '{2,digest}' = test.digest('a') LIMIT 1)
                                                       || '{"registry": "mirror", "repository": "team/app"}' || c) FROM unnest(changes) WITH ORDINALITY u (c, n) WHERE c IS NOT NULL)
    || jsonb_build_array(3 + cardinality(array_remove(changes, NULL)), 'end', jsonb_build_object('lines', 3 + cardinality(array_remove(changes, NULL))))));
  SELECT string_agg(concat_ws(' ', what, effect, number), ', ') FROM image_library.import_library(rules => false) WHERE what = 'signatures' $$;
SELECT test.of_library('honest', '2025-03-01Z', '{}');
SELECT test.of_library('hostile', '2025-03-01Z', VARIADIC '{"annotations": {}}'::jsonb || ARRAY(SELECT jsonb_build_object('place', n, 'annotations', '{}'::jsonb) FROM generate_series(1, 120) n));
SELECT imported_from, count(*) FROM test.signed GROUP BY 1 ORDER BY 1;
SAVEPOINT removed;
-- The same content: who leaves it out removes it for itself.
SELECT test.of_library('hostile', '2025-03-02Z', '{}');
SELECT test.of_library('hostile', '2025-03-03Z', NULL);
SELECT imported_from, count(*) FROM test.signed GROUP BY 1 ORDER BY 1;
ROLLBACK TO removed;
SELECT add_trust_key('release', test.key('release'));
SELECT imported_from, verified, count(*) FROM test.signed GROUP BY 1, 2 ORDER BY 1, 2;
-- Nor do they keep the agent from the signatures that the registry lists; a bundle has each once.
SELECT jsonb_array_length(manifests) AS manifests, bytes FROM registry, known_evidence(registry_id, 'team/app', test.digest('a')) WHERE name = 'mirror';
SELECT test.bring('mirror', 'team/app', test.layer('a', 'release'));
SELECT imported_from, verified, count(*) FROM test.signed GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*), count(DISTINCT (e ->> 'referrer_digest', e ->> 'place')) AS different FROM bundle_evidence(ARRAY(SELECT registry_id FROM registry WHERE name = 'mirror')) e;
ROLLBACK;

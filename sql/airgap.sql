-- Air gap: a bundle of one library, what another takes of it, and what it refuses.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE regress_admin IN ROLE image_library_admin;
CREATE ROLE regress_curator IN ROLE image_library_curator;
SELECT count(add_registry(name, 'https://' || name || '.example')) FROM unnest('{hub,mirror,other}'::text[]) name;
SELECT set_credential('hub', 'robot', 'a-secret-password');
SELECT count(add_rule('hub', repositories, approval => approval, newest => newest)) FROM (VALUES ('team/**', 'manual', NULL), ('auto/**', 'auto', 5)) v (repositories, approval, newest);
SELECT count(add_rule('mirror', 'team/**'));
CREATE FUNCTION test.fill(registry text, names text DEFAULT 'abcdefg') RETURNS void LANGUAGE sql AS $$
  SELECT test.sync(registry, 'team/app', (SELECT jsonb_object_agg('1.' || n, jsonb_build_object('image', substr(names, n, 1), 'referrers',
    CASE n WHEN 1 THEN jsonb_build_array(jsonb_build_object('digest', test.digest('a'), 'referrer_digest', test.digest('sig'), 'artifact_type', 'application/vnd.dev.sigstore.bundle.v0.3+json',
                                                           'size_bytes', 1, 'annotations', '{}'::jsonb, 'source', 'index')) ELSE '[]' END)) FROM generate_series(1, length(names)) n))
$$;
SELECT test.fill('hub');
CREATE FUNCTION test.ref(registry text, n integer) RETURNS text LANGUAGE sql AS $$ SELECT format('%s.example/team/app:1.%s', registry, n) $$;
SELECT count(approve(test.ref('hub', n), 'notes read', valid_until => CASE n WHEN 3 THEN now() + interval '1 year' END)) FROM generate_series(1, 5) n;
SELECT count(reject(test.ref('hub', 6), 'too old')), count(approve(test.ref('hub', 7)));
SELECT count(revoke(test.ref('hub', 4))), count(deprecate(test.ref('hub', 5), now() + interval '30 days'));
SELECT add_hm_tag('gold', '#ffd700'), tag_image(test.ref('hub', 1), 'gold'), tag_repository('hub', 'team/app', 'gold');
SELECT add_policy('signed', 'is_signed(images)', effect => 'warn');

-- The bundle: sections in their order, each line with a hash of all before it; no secret.
CREATE TABLE test.bundle (number bigint GENERATED ALWAYS AS IDENTITY, line text);
INSERT INTO test.bundle (line) SELECT export_library('central', '{hub}');
SELECT section, count(*), min(n) < max(n) OR count(*) = 1 AS apart FROM (SELECT number AS n, substr(line, 66)::jsonb ->> 1 AS section FROM test.bundle) b GROUP BY 1 ORDER BY min(n);
SELECT count(*) FROM test.bundle WHERE line ~ 'a-secret-password|robot';
SELECT bool_and(left(line, 64) = encode(sha256(convert_to(coalesce(before, repeat('0', 64)) || ' ' || substr(line, 66), 'UTF8')), 'hex')) AS chained
FROM (SELECT line, left(lag(line) OVER (ORDER BY number), 64) AS before FROM test.bundle) b;
SELECT c -> 'tags' AS tags, c #>> '{approval,state}' AS state, c #>> '{approval,actor}' = session_user AS actor, jsonb_array_length(c -> 'platforms') AS platforms, c -> 'referrers' -> 0 ->> 'source' AS referrer
FROM (SELECT substr(line, 66)::jsonb -> 2 AS c FROM test.bundle WHERE substr(line, 66)::jsonb ->> 1 = 'image') i ORDER BY 1;

-- Whatever is changed, nothing is staged of it and the line is named.
CREATE FUNCTION test.stage(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  lines text[] := ARRAY(SELECT line FROM test.bundle ORDER BY number);
BEGIN
  EXECUTE 'SELECT ' || change INTO lines USING lines;
  RETURN test.outcome(format('SELECT image_library.stage_bundle(%L)', lines));
END
$$;
SELECT what, regexp_replace(test.stage(change), '\n.*', '') FROM (VALUES
  ('a byte', $$$1[:4] || overlay($1[5] placing 'X' from 90) || $1[6:]$$),
  ('white space', $$$1[:4] || replace($1[5], '", ', '",  ') || $1[6:]$$),
  ('a hash', $$$1[:4] || overlay($1[5] placing 'f0f0' from 3) || $1[6:]$$),
  ('removed', $$$1[:4] || $1[6:]$$), ('doubled', $$$1[:5] || $1[5:]$$), ('moved', $$$1[:4] || $1[6] || $1[5] || $1[7:]$$), ('added', $$$1[:4] || 'x'::text || $1[5:]$$),
  ('null', $$$1[:4] || NULL::text || $1[5:]$$), ('empty line', $$$1 || ''::text$$), ('after the end', $$$1 || $1[cardinality($1)]$$), ('without its header', $$$1[2:]$$)) v (what, change);
SELECT count(*) FROM staged_line;
-- With hashes that fit: an admin who writes a bundle by hand.
\set bundles :srcdir '/test/lib/bundles.sql'
\i :bundles
\set header '[1, "header", {"format": 1, "library": "forged", "exported_at": "2025-01-01T00:00:00Z", "registries": ["hub"]}]'
\set approval '"platforms": [], "referrers": [], "tags": ["1"], "repository": "team/app", "registry": "hub"'
SELECT part, regexp_replace(test.outcome(format('SELECT image_library.stage_bundle(%L)', test.forge(ARRAY[:'header'::jsonb, part::jsonb]))), '\n.*', '') FROM unnest(ARRAY[
  '[2, "signature", {}]', '[2, "image", {}]', '[2, "image", []]', '[3, "rule", {"registry": "hub"}]', '[2, "header", {}]', '[2, "end", {"lines": 7}]', '[2, 7, {}]', '[2]', '{}', '[2, "rule", {}]',
  '[2, "image", {' || :'approval' || ', "digest": "sha256:x", "approval": null}]',
  '[2, "image", {' || :'approval' || ', "digest": "sha256:' || repeat('0', 64) || '", "approval": {"state": "blessed"}}]',
  '[2, "image", {' || :'approval' || ', "digest": "sha256:' || repeat('0', 64) || '", "approval": {"state": "approved", "decided_at": "tomorrow-ish"}}]',
  -- Times that mean something else later, or in another session.
  '[2, "image", {' || :'approval' || ', "digest": "sha256:' || repeat('0', 64) || '", "approval": {"state": "approved", "decided_at": "now"}}]',
  '[2, "image", {' || :'approval' || ', "digest": "sha256:' || repeat('0', 64) || '", "approval": {"state": "approved", "decided_at": "02/01/2025"}}]',
  '[2, "image", {' || :'approval' || ', "digest": "sha256:' || repeat('0', 64) || '", "approval": {"state": "approved", "decided_at": "2025-01-01T00:00:00"}}]',
  '[2, "image", {' || :'approval' || ', "digest": "sha256:' || repeat('0', 64) || '", "approval": {"state": "approved", "valid_until": "tomorrow"}}]']) part;
SELECT part, regexp_replace(test.outcome(format('SELECT image_library.stage_bundle(%L)', test.forge(ARRAY[part::jsonb]))), '\n.*', '') FROM unnest(ARRAY[
  '[1, "header", {"format": 2}]', '[1, "header", {"format": 1, "library": "a b", "exported_at": "2025-01-01", "registries": []}]', '[1, "end", {"lines": 1}]',
  '[1, "header", {"format": 1, "library": "x", "exported_at": "never", "registries": []}]', '[1, "header", {"format": 1, "library": "x", "exported_at": "now", "registries": []}]']) part;
SELECT test.outcome('SELECT * FROM image_library.import_library()');
-- The same image twice, and values of rules that no column takes.
SELECT stage_bundle(test.forge(ARRAY[:'header'::jsonb] || ARRAY(SELECT ('[' || n || ', "image", {' || :'approval' || ', "digest": "sha256:' || repeat('0', 64) || '", "approval": null}]')::jsonb FROM generate_series(2, 3) n) || '[4, "end", {"lines": 4}]'::jsonb));
SELECT test.outcome('SELECT * FROM image_library.import_library()');
SELECT part, regexp_replace(test.outcome(format('SELECT image_library.stage_bundle(%L)', test.forge(ARRAY[:'header'::jsonb, jsonb_build_array(2, 'rule', '{"registry": "hub", "repositories": "a"}'::jsonb || part::jsonb)]))), '\n.*', '')
FROM unnest('{"{\"newest\": \"x\"}","{\"newest\": 99999999999}","{\"tags\": \"x\"}","{\"immutable_tags\": []}","{\"platforms\": [[[[[[[[1]]]]]]]]}"}'::text[]) part;
DELETE FROM staged_line;
SELECT test.outcome('SELECT * FROM image_library.import_library()');

-- Staged in several calls; not whole, not the expected one, no counterpart here.
SELECT stage_bundle(ARRAY(SELECT line FROM test.bundle WHERE number <= 5 ORDER BY number));
SELECT test.outcome($$SELECT * FROM image_library.import_library('{"hub": "mirror"}')$$);
SELECT stage_bundle(ARRAY(SELECT line FROM test.bundle WHERE number > 5 ORDER BY number)) = (SELECT count(*) FROM test.bundle) AS whole;
SELECT regexp_replace(test.outcome($$SELECT * FROM image_library.import_library('{"hub": "mirror"}', expected_hash => repeat('0', 64))$$), '[0-9a-f]{64}', '<hash>');
SELECT map, test.outcome(format('SELECT * FROM image_library.import_library(%L)', map)) FROM unnest('{"{\"hub\": \"none\"}","{\"hub\": \"mirror\", \"nope\": \"x\"}","[]","{\"hub\": 7}"}'::text[]) map;
SELECT count(*) AS nothing FROM imported_image;

-- The mirror has some of the images, and people have decided here on some.
SELECT test.fill('mirror', 'abcde');
SELECT count(reject(test.ref('mirror', 1))), count(approve(test.ref('mirror', 4)));
-- A rule here wants two people, and a policy is not met: approvals wait.
SELECT rule_id AS mirror_rule FROM rules WHERE registry = 'mirror' \gset
SELECT alter_rule(:mirror_rule, required_approvals => 2);
CREATE FUNCTION test.never(image images) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN false;
SELECT left(line, 64) AS hash FROM test.bundle ORDER BY number DESC LIMIT 1 \gset
SELECT CASE what WHEN 'bundle' THEN regexp_replace(effect, 'of \d.*', 'of <time>') ELSE effect END AS effect, what, number FROM import_library('{"hub": "mirror"}', expected_hash => upper(:'hash'));
SELECT alter_rule(:mirror_rule, required_approvals => 1), add_policy('never', 'test.never(image_library.images)');
SELECT apply_imports(registry_id) FROM registry WHERE name = 'mirror';
SELECT effect, count(*) FROM imported_images GROUP BY 1 ORDER BY 1;
SELECT disable_policy('never');
-- So do they for a signature that a rule here requires.
SELECT add_trust_key('release', E'-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEuJt1j/chu+2HlOx8gw8ByF1rPCgNqN6B5yjil25kEeymKgPOsOVrFUkCwVGr7eMvGgHuwtIOa1Yj7+FbUyPo0w==\n-----END PUBLIC KEY-----');
SELECT alter_rule(:mirror_rule, signed_by => '{release}');
SELECT apply_imports(registry_id) FROM registry WHERE name = 'mirror';
SELECT replace(effect, 'rule ' || :mirror_rule, 'rule <mirror>') AS effect, count(*) FROM imported_images GROUP BY 1 ORDER BY 1;
SELECT alter_rule(:mirror_rule, signed_by => '{}');
SELECT apply_imports(registry_id) FROM registry WHERE name = 'mirror';
SELECT tag, approval, valid_until IS NOT NULL AS ends FROM images WHERE registry = 'mirror' ORDER BY 1;
SELECT tags, state, effect FROM imported_images ORDER BY tags;
SELECT tag, action, old_state, new_state, actor = session_user AS actor, test.shown(regexp_replace(regexp_replace(reason, 'by \S+ at \S+?(:? |$)', 'by <actor> at <time>\1'), '\d{4}-\S+', '<time>')) AS reason, origin ->> 'library' AS library, origin ->> 'registry' AS registry, origin ? 'actor' AS has_actor
FROM decisions WHERE origin IS NOT NULL ORDER BY tag;
SELECT repositories, approval, newest FROM rules WHERE registry = 'mirror' ORDER BY 1;
SELECT count(*) FROM staged_line;
SELECT count(*) AS problems FROM verify_audit();

-- Again: nothing changes. What waited is approved when a sync has read it.
SELECT stage_bundle(ARRAY(SELECT line FROM test.bundle ORDER BY number)) > 0;
SELECT max(decision_id) AS last FROM decision \gset
SELECT what, regexp_replace(effect, ', at .*', '') AS effect, number FROM import_library('{"hub": "mirror"}');
SELECT count(*) AS new_decisions FROM decision WHERE decision_id > :last;
SELECT test.fill('mirror');
SELECT apply_imports(registry_id) FROM registry WHERE name = 'mirror';
SELECT tags, state, effect FROM imported_images WHERE effect <> 'approved' OR tags = '{1.7}' ORDER BY tags;
-- An older bundle is refused; a newer one takes back what was taken back there, and a decision that a person made here later stays.
SELECT revoke(test.ref('hub', 2)), reset(test.ref('hub', 3)) \gset
SELECT revoke(test.ref('mirror', 5)) \gset
-- Whoever uses what is taken back is told, also when the agent imports it after a sync.
SELECT count(record_use(test.ref('mirror', n), 'cluster ' || n, 'here')) FROM generate_series(2, 3) n;
SELECT test.outcome_as('image_library_agent', format('SELECT image_library_internal.warn_of_users(%s, %L, ''in use'')', repository_id, test.digest('b'))) FROM repository JOIN registry USING (registry_id) WHERE registry.name = 'mirror';
CREATE TABLE test.newer (number bigint GENERATED ALWAYS AS IDENTITY, line text);
INSERT INTO test.newer (line) SELECT export_library('central', '{hub}');
SELECT stage_bundle(ARRAY(SELECT line FROM test.newer ORDER BY number)) > 0;
SELECT what, regexp_replace(effect, 'of \d.*', 'of <time>') AS effect, number FROM import_library('{"hub": "mirror"}', rules => false);
SELECT tag, approval FROM images WHERE registry = 'mirror' ORDER BY 1;
SELECT stage_bundle(ARRAY(SELECT line FROM test.bundle ORDER BY number)) > 0;
SELECT regexp_replace(test.outcome($$SELECT * FROM image_library.import_library('{"hub": "mirror"}')$$), '\d{4}-\S+', '<time>', 'g');
-- A bundle that is written by hand: texts of it are shown as text.
CREATE FUNCTION test.by_hand(exported_at timestamptz, decided_at timestamptz) RETURNS bigint LANGUAGE sql AS $$
SELECT image_library.stage_bundle(test.forge(ARRAY[jsonb_build_array(1, 'header', jsonb_build_object('format', 1, 'library', 'forged', 'exported_at', exported_at, 'registries', '["hub"]'::jsonb)),
  jsonb_build_array(2, 'image', jsonb_build_object('registry', 'hub', 'repository', 'team/app', 'digest', test.digest('g'), 'tags', '["1.7", "../x", 7, {}]'::jsonb, 'platforms', '7'::jsonb, 'referrers', '[[], 7, {"referrer_digest": {}}]'::jsonb,
    'approval', jsonb_build_object('state', 'revoked', 'decided_at', decided_at, 'actor', E'a\u001b[31m', 'reason', repeat(E'\u0007x', 9000)))), '[3, "end", {"lines": 3}]']))
$$;
SELECT test.by_hand('2999-01-01', '2999-01-01');
SELECT test.outcome($$SELECT * FROM image_library.import_library('{"hub": "mirror"}')$$);
SELECT test.by_hand(clock_timestamp(), '2999-01-01');
SELECT test.outcome($$SELECT * FROM image_library.import_library('{"hub": "mirror"}')$$);
SELECT test.by_hand(t, t) FROM clock_timestamp() t;
SELECT what, effect, number FROM import_library('{"hub": "mirror"}') WHERE what = 'images';
SELECT left(regexp_replace(reason, '\d{4}-\S+ ', '<time> '), 80) AS reason, length(reason) FROM decisions WHERE origin ->> 'library' = 'forged';
SELECT repository, missing, name FROM mirror_status('forged', 'mirror');
-- A signature that a rule here requires: an approval there does not replace it, and a rule that comes keeps its signers.
SELECT add_registry('strict', 'https://strict.example') IS NOT NULL AS added;
SELECT add_rule('strict', 'team/**', signed_by => '{release}') AS strict_rule \gset
SELECT test.fill('strict', 'h');
SELECT stage_bundle(test.forge(ARRAY['[1, "header", {"format": 1, "library": "unsigned", "exported_at": "2025-01-02T00:00:00Z", "registries": ["hub"]}]',
  '[2, "rule", {"registry": "hub", "repositories": "signed/**", "tags": ["*"], "action": "include", "kind": "auto", "priority": 100, "enabled": true, "required_approvals": 1, "signed_by": ["release"]}]',
  jsonb_build_array(3, 'image', jsonb_build_object('registry', 'hub', 'repository', 'team/app', 'digest', test.digest('h'), 'tags', '["1.1"]'::jsonb, 'platforms', '[{"present": "perhaps"}]'::jsonb, 'referrers', '[]'::jsonb,
    'approval', '{"state": "approved", "decided_at": "2025-01-01T00:00:00.5+00:00", "valid_until": "infinity", "deprecated_from": null}'::jsonb)), '[4, "end", {"lines": 4}]']));
SELECT what, replace(effect, :'strict_rule', '<n>') AS effect, number FROM import_library('{"hub": "strict"}') WHERE what IN ('rules', 'images');
SELECT tag, approval FROM images WHERE registry = 'strict';
SELECT repositories, approval, signed_by FROM rules WHERE registry = 'strict' ORDER BY 1;
SELECT test.outcome($$SELECT count(*) FROM image_library.mirror_status('unsigned', 'strict')$$);
-- When the rule does not require it any more, the approval there counts.
SELECT alter_rule(:strict_rule, signed_by => '{}'), apply_imports(registry_id) FROM registry WHERE name = 'strict';
SELECT tag, approval FROM images WHERE registry = 'strict';
-- Reset there: as after a reset by a person here, no rule approves it again because it had lost a signature.
UPDATE approval SET signature_lost_at = now() WHERE digest = test.digest('h');
SELECT alter_rule(:strict_rule, approval => 'auto');
SELECT stage_bundle(test.forge(ARRAY['[1, "header", {"format": 1, "library": "unsigned", "exported_at": "2025-01-04T00:00:00Z", "registries": ["hub"]}]',
  jsonb_build_array(2, 'image', jsonb_build_object('registry', 'hub', 'repository', 'team/app', 'digest', test.digest('h'), 'tags', '["1.1"]'::jsonb, 'platforms', '[]'::jsonb, 'referrers', '[]'::jsonb,
    'approval', '{"state": "pending", "decided_at": "2025-01-03T00:00:00Z"}'::jsonb)), '[3, "end", {"lines": 3}]']));
SELECT effect, number FROM import_library('{"hub": "strict"}') WHERE what = 'images';
SELECT test.fill('strict', 'h'), apply_rules(registry_id, :strict_rule) FROM registry WHERE name = 'strict';
SELECT tag, approval FROM images WHERE registry = 'strict';
-- Left out with null.
SELECT stage_bundle(ARRAY(SELECT line FROM test.newer ORDER BY number)) > 0;
SELECT what, number FROM import_library('{"hub": null}') WHERE what IN ('rules', 'images');
-- What a rule requires there it requires here too, of a signer whom somebody here trusts.
SELECT add_rule('hub', 'signed/**', signed_by => '{release}') IS NOT NULL AS added;
CREATE TABLE test.requiring (number bigint GENERATED ALWAYS AS IDENTITY, line text);
INSERT INTO test.requiring (line) SELECT export_library('central', '{hub}');
SAVEPOINT untrusted;
SELECT drop_trust_key('release');
SELECT stage_bundle(ARRAY(SELECT line FROM test.requiring ORDER BY number)) > 0;
SELECT test.outcome($$SELECT * FROM image_library.import_library('{"hub": "mirror"}')$$);
ROLLBACK TO untrusted;
SELECT stage_bundle(ARRAY(SELECT line FROM test.requiring ORDER BY number)) > 0;
SELECT what, number FROM import_library('{"hub": "mirror"}') WHERE what = 'rules';
SELECT repositories, approval, signed_by FROM rules WHERE registry = 'mirror' AND signed_by IS NOT NULL;

-- Lists for tools, and what the mirror lacks.
SELECT test.shown(l) FROM export_copy_list('hub', 'mirror.local:5000/copy') l;
SELECT test.shown(l) FROM export_copy_list('hub', 'mirror.local:5000/copy', 'regsync') l;
SELECT l FROM export_copy_list('hub', 'mirror.local', 'skopeo') l;
SELECT count(*) FROM export_copy_list('hub', 'mirror.local', only_approved => false);
SELECT arguments, test.outcome(format('SELECT count(*) FROM image_library.export_copy_list(%s)', arguments)) FROM unnest(ARRAY[$$'hub', 'mirror.local', 'oras'$$, $$'hub', E'x\n- evil'$$, $$'hub', NULL$$, $$'none', 'x'$$]) arguments;
SELECT test.fill('other', 'xb');
SELECT count(add_rule('other', 'team/**'));
SELECT repository, test.shown(digest) AS digest, missing, name FROM mirror_status('hub', 'mirror');
SELECT test.fill('other', 'x');
SELECT repository, test.shown(digest) AS digest, missing, name FROM mirror_status('hub', 'other');
SELECT test.outcome($$SELECT * FROM image_library.mirror_status('nowhere', 'mirror')$$);
SELECT test.fill('mirror', 'abcdex');
SELECT tags, missing, name FROM mirror_status('hub', 'mirror') s JOIN LATERAL (SELECT array_agg(tag) AS tags FROM images i WHERE i.registry = 'hub' AND i.digest = s.digest) t ON true;

-- Rights: admins only; a curator reads what came.
SELECT call, regexp_replace(test.outcome_as('regress_curator', call), '\n.*', '') FROM unnest(ARRAY['SELECT count(*) FROM image_library.export_library(''x'')', 'SELECT image_library.stage_bundle(''{}'')',
  'SELECT count(*) FROM image_library.import_library()', 'SELECT count(*) > 0 FROM image_library.imported_images', 'SELECT count(*) FROM image_library_internal.staged_line']) call;
-- What one admin has staged another does not import.
SELECT stage_bundle(ARRAY(SELECT line FROM test.newer ORDER BY number)) > 0;
SELECT name, test.outcome(format('SELECT count(*) FROM image_library.export_library(%L)', name)) FROM unnest('{"",a b,NULL}'::text[]) name;
SELECT test.outcome($$SELECT count(*) FROM image_library.export_library('x', '{none}')$$);
ROLLBACK;

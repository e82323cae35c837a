-- Signatures: who is trusted and where, what is verified, what rests on it and is taken back. The keys and signatures are data of
-- this test, made once with openssl (P-256, over cosign's text of images a and b).
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE ROLE test_curator IN ROLE image_library_curator;
CREATE ROLE test_admin IN ROLE image_library_admin;
CREATE ROLE test_team IN ROLE image_library_curator;
\set signed_images :srcdir '/test/lib/signed_images.sql'
\i :signed_images
CREATE VIEW test.signed AS
  SELECT s.repository, test.shown(s.digest) AS digest, s.format, s.signer, s.verified, test.shown(s.reason) AS reason, s.listed FROM image_library.image_signatures s ORDER BY 1, 2, 4, 6;
CREATE VIEW test.states AS
  SELECT i.repository, i.tag, i.approval, (SELECT test.shown(d.reason) FROM image_library.decisions d WHERE d.repository = i.repository AND d.digest = i.digest ORDER BY d.decision_id DESC LIMIT 1) AS reason,
         l.lost_at IS NOT NULL AS lost
  FROM image_library.images i LEFT JOIN image_library.lost_signatures l USING (registry, repository, digest) ORDER BY 1, 2;

-- Admins say who is trusted, readers see it, and mistakes name what is wrong.
SELECT statement, test.outcome_as('test_curator', 'SELECT image_library.' || statement) FROM unnest(ARRAY['add_trust_key(''k'', test.key(''release''))', 'drop_trust_key(''k'')',
  'add_trust_identity(''i'', ''https://example.com'', ''**'')', 'add_trust_authority(''x'', ''pem'')', 'set_trusted_root(''{}'')', 'drop_trusted_root()']) statement;
SELECT statement, test.outcome_as('test_admin', 'SELECT image_library.' || statement) FROM unnest(ARRAY[
  'add_trust_key(NULL, test.key(''release''))', 'add_trust_key('' k'', test.key(''release''))', 'add_trust_key(''k'', NULL)', 'add_trust_key(''k'', ''no key'')',
  'add_trust_key(''k'', repeat(''x'', 100001))',
  'add_trust_key(''k'', test.key(''release''), ''{}'')', 'add_trust_key(''k'', test.key(''release''), ''{regex:(}'')', 'add_trust_key(''k'', test.key(''release''), ARRAY[NULL])',
  'add_trust_identity(''i'', ''example.com'', ''**'')', 'add_trust_identity(''i'', ''https://example.com'', NULL)', 'drop_trust_key(''nobody'')', 'drop_trusted_root()']) statement;
SELECT count(*) FROM trusted_signers;
SELECT test.outcome_as('test_admin', 'SELECT image_library.add_trust_key(''release'', test.key(''release''))');
SELECT test.outcome_as('test_admin', 'SELECT image_library.add_trust_key(''release'', test.key(''team''))');
SELECT test.outcome_as('test_admin', 'SELECT image_library.drop_trust_identity(''release'')');
SELECT test.outcome_as('test_reader', 'SELECT name || '' '' || kind || '' '' || repositories::text || '' '' || (pem = test.key(''release'')) FROM image_library.trusted_signers');
SELECT action, object, name, new ->> 'kind' AS kind FROM audit WHERE object = 'trusted signer';
SELECT event, detail ->> 'signer' AS signer FROM events WHERE event LIKE 'trusted%';

-- The agent reads signatures only if somebody is trusted.
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT registry_config(registry_id) ->> 'reads_evidence' AS reads FROM registry;
SELECT test.outcome('SELECT add_rule(''local'', ''app'', signed_by => ''{release,nobody}'')');
SELECT test.outcome('SELECT add_rule(''local'', ''app'', action => ''exclude'', signed_by => ''{release}'')');
SELECT add_rule('local', 'app', approval => 'auto', signed_by => '{release}') AS rule \gset
SELECT add_rule('local', 'free', approval => 'auto') IS NOT NULL AS added;
SELECT test.sync('local', 'app', '{"1": {"image": "a"}, "2": {"image": "b"}}');
SELECT test.sync('local', 'free', '{"1": {"image": "a"}}');
-- An image waits for its signature, whoever would approve it.
TABLE test.states;
SELECT tag, why, missing_signature = format('rule %s requires a signature of release', :rule) AS says_so FROM pending_images;
SELECT reason FROM explain_tag('local', 'app', '1');
SELECT reason FROM explain_tag('local', 'app', '99');
SELECT regexp_replace(test.outcome('SELECT approve(''localhost:5000/app:1'')'), 'rule \d+', 'rule <n>');
-- What is no signature of it: that of another image, of an unknown key, a changed byte, none, a form that is not known, and one not read.
SELECT test.bring('local', 'app', test.layer('a', 'release', 'b'), test.layer('a', 'team'),
  test.layer('a', 'release', NULL, jsonb_build_object('place', 1, 'layer_digest', 'sha256:3', 'document', convert_to(replace(test.payload('a'), 'null', 'true'), 'UTF8'))),
  test.layer('a', 'release', NULL, '{"place": 2, "annotations": {}}'), test.layer('a', 'release', NULL, '{"place": 3, "format": "gpg"}'),
  test.layer('a', 'release', NULL, '{"place": 4, "document": null, "unread": "the layer has more than 1048576 bytes and is not read", "layer_digest": "sha256:0"}'),
  test.layer('a', 'release', NULL, '{"place": 5, "document": "\\xff00fe", "layer_digest": "sha256:1"}'));
TABLE test.signed;
TABLE test.states;
-- The signature comes, and approves what waited. A layer that is known comes without its bytes.
SELECT test.bring('local', 'app', test.layer('a', 'release', NULL, jsonb_build_object('document', NULL, 'referrer_digest', test.digest('late'))));
SELECT signer, verified, reason FROM test.signed WHERE verified;
TABLE test.states;
SELECT reason FROM explain_tag('local', 'app', '1');
-- In its repository only: that of another one does not count, though the image is the same.
SELECT test.bring('local', 'free', test.layer('b', 'release'));
SELECT tag, approval FROM test.states WHERE repository = 'app' AND tag = '2';
-- Who sees it.
SELECT test.outcome_as('test_reader', 'SELECT count(*) FROM image_library.image_signatures');
SELECT test.outcome_as('test_reader', 'SELECT count(*) FROM image_library_internal.evidence');
SELECT alter_registry('local', owner => 'test_team', private => true);
SELECT test.outcome_as('test_reader', 'SELECT count(*) FROM image_library.image_signatures'), test.outcome_as('test_team', 'SELECT count(*) > 0 FROM image_library.image_signatures');
SELECT alter_registry('local', owner => '-', private => false);

-- Only admins remove what a rule requires; a rule beside it does not help.
SELECT alter_registry('local', owner => 'test_team');
SELECT regexp_replace(test.outcome_as('test_team', format('SELECT image_library.alter_rule(%s, signed_by => ''{}'')', :rule)), 'rule \d+', 'rule <n>');
SELECT regexp_replace(test.outcome_as('test_team', format('SELECT image_library.drop_rule(%s)', :rule)), 'rule \d+', 'rule <n>');
SELECT test.outcome_as('test_team', 'SELECT image_library.add_rule(''local'', ''app'', approval => ''auto'', priority => 1) > 0');
SELECT tag, approval FROM test.states WHERE repository = 'app';
-- A tag that the rule takes, on an image that another rule approved.
SELECT add_rule('local', 'free', '{strict}', signed_by => '{release}', approval => 'auto') IS NOT NULL AS added;
SELECT test.sync('local', 'free', '{"1": {"image": "a"}, "strict": {"image": "a"}}');
SELECT tag, approval, regexp_replace(reason, 'rule \d+', 'rule <n>') AS reason FROM test.states WHERE repository = 'free';
SELECT test.bring('local', 'free', test.layer('a', 'release'));
SELECT tag, approval FROM test.states WHERE repository = 'free';

-- A key is dropped: what rested on it is pending again, with its reasons; what a person approved stays, and is told.
SELECT test.bring('local', 'app', test.layer('b', 'release'));
SELECT reset('localhost:5000/app:2') IS NOT NULL AS reset;
SELECT approve('localhost:5000/app:2', 'looked at it') IS NOT NULL AS approved;
SELECT record_use('localhost:5000/app:2', 'cluster') IS NOT NULL AS used;
SELECT coalesce(max(event_id), 0) AS before FROM events \gset
SELECT test.outcome_as('test_admin', 'SELECT image_library.drop_trust_key(''release'')');
SELECT repository, tag, approval, regexp_replace(reason, 'rule \d+', 'rule <n>') AS reason, lost FROM test.states;
SELECT count(*) FILTER (WHERE verified) AS verified, count(*) AS signatures FROM image_signatures;
SELECT event, repository, tag, detail ->> 'approval' AS approval FROM events WHERE event_id > :before AND event IN ('signature lost', 'image reset') ORDER BY event_id;
SELECT drift, usable FROM drift;
SELECT alert, severity, subject IS NOT NULL AS has_subject FROM alerts() WHERE alert LIKE 'signature%';
SELECT regexp_replace(test.outcome('SELECT approve(''localhost:5000/app:1'')'), 'rule \d+', 'rule <n>');
-- The rule names who is gone, and can be altered.
SELECT test.outcome(format('SELECT alter_rule(%s, priority => 50)', :rule));
-- It is trusted again: what waited is approved, without a request, and the loss is over.
SELECT add_trust_key('release', test.key('release'));
SELECT repository, tag, approval, regexp_replace(reason, 'rule \d+', 'rule <n>') AS reason, lost FROM test.states;
SELECT count(*) FROM drift;
-- What a person rejects after a loss is the person's.
SELECT drop_trust_key('release');
SELECT reject('localhost:5000/app:1', 'no') IS NOT NULL AS rejected;
SELECT add_trust_key('release', test.key('release'));
SELECT tag, approval FROM test.states WHERE repository = 'app';
SELECT reset('localhost:5000/app:1') IS NOT NULL AS reset;
SELECT drop_trust_key('release');
SELECT add_trust_key('release', test.key('release'));
SELECT tag, approval FROM test.states WHERE repository = 'app';

-- The same key by another name, however it is written, takes signatures from the first: that is told.
SAVEPOINT two_names;
SELECT add_trust_key('again', replace(test.key('release'), E'\n', E'\r\n'));
ROLLBACK TO two_names;

-- A key of one team does not sign for another. Two keys: either holds.
SELECT add_trust_key('team', test.key('team'), '{localhost:5000/app}');
SELECT test.bring('local', 'free', test.layer('a', 'team'));
SELECT repository, digest, signer FROM test.signed WHERE verified ORDER BY 1, 2, 3;
-- Where it signs only admins see: it may be in a private registry.
SELECT role, test.outcome_as(role, 'SELECT string_agg(concat(name, repositories), '' '' ORDER BY name) FROM image_library.trusted_signers') AS signers,
  test.outcome_as(role, 'SELECT count(*) FROM image_library.audit WHERE object = ''trusted signer'' AND concat(old, new) LIKE ''%localhost:5000/app%''') AS audit FROM unnest('{test_reader,test_curator,test_admin}'::text[]) role;
SAVEPOINT granted;
GRANT USAGE ON SCHEMA image_library_internal TO test_reader;
GRANT SELECT ON trust_anchor TO test_reader;
SELECT test.outcome_as('test_reader', 'SELECT string_agg(concat(name, repositories), '' '' ORDER BY name) FROM image_library_internal.trust_anchor');
ROLLBACK TO granted;
SELECT alter_rule(:rule, signed_by => '{release,team}');
SELECT approve('localhost:5000/app:1') IS NOT NULL AS approved;
SELECT drop_trust_key('release');
SELECT tag, approval, lost FROM test.states WHERE repository = 'app';
-- The registry moves: a scope is of places.
SELECT alter_registry('local', url => 'http://localhost:5001');
SELECT count(*) AS verified FROM image_signatures WHERE verified;
SELECT tag, approval, lost FROM test.states WHERE repository = 'app';
SELECT alter_registry('local', url => 'http://localhost:5000');
SELECT count(*) AS verified_by_the_agent FROM (SELECT verify_waiting(registry_id) FROM registry) x;
SELECT repository, digest, signer FROM test.signed WHERE verified ORDER BY 1, 2, 3;

-- Policies.
SELECT add_trust_key('release', test.key('release'));
SELECT v.repository, v.tag, is_signed_by(v, 'release') AS release, is_signed_by(v, 'team') AS team FROM images v ORDER BY 1, 2;
SELECT test.outcome('SELECT is_signed_by(v, ''nobody'') FROM images v'), test.outcome('SELECT is_signed_by(v, NULL) FROM images v');
SELECT add_rule('local', 'pol') IS NOT NULL AS added;
CREATE FUNCTION test.by_release(image images) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT image_library.is_signed_by(image, ''release'')';
SELECT add_policy('released', 'test.by_release(images)', effect => 'auto_approve');
SELECT test.sync('local', 'pol', '{"1": {"image": "a"}, "2": {"image": "b"}, "3": {"image": "c"}}');
SELECT test.bring('local', 'pol', test.layer('a', 'release'), test.layer('b', 'team'));
SELECT tag, approval, reason FROM test.states WHERE repository = 'pol';
-- An attestation of the signer is no signature.
UPDATE evidence SET predicate_type = 'https://cosign.sigstore.dev/attestation/vuln/v1' WHERE digest = test.digest('a') AND verified;
SELECT is_signed_by(v, 'release') AS signed FROM images v WHERE repository = 'pol' AND tag = '1';
UPDATE evidence SET predicate_type = 'https://sigstore.dev/cosign/sign/v1' WHERE digest = test.digest('a') AND verified;
SELECT is_signed_by(v, 'release') AS signed FROM images v WHERE repository = 'pol' AND tag = '1';
-- A policy that is not met for another reason takes nothing back; the loss of the signature does.
CREATE FUNCTION test.no(image images) RETURNS boolean LANGUAGE sql STABLE RETURN false;
SELECT add_policy('no', 'test.no(images)');
SELECT drop_trust_key('team');
SELECT tag, approval FROM test.states WHERE repository = 'pol';
SELECT drop_trust_key('release');
SELECT tag, approval, reason FROM test.states WHERE repository = 'pol';
SELECT add_trust_key('release', test.key('release'));
SELECT tag, approval FROM test.states WHERE repository = 'pol';
SELECT drop_policy('no');
SELECT apply_policies();
SELECT tag, approval FROM test.states WHERE repository = 'pol';

-- Provenance: what a trusted signer says, and nobody else.
UPDATE evidence SET predicate_type = 'https://slsa.dev/provenance/v1', provenance = jsonb_build_object('builder', 'https://github.com/org/builder/.github/workflows/build.yml@refs/tags/v1',
  'build_type', 'https://example.com/build', 'source', 'git+https://github.com/org/app@refs/heads/main',
  'materials', '[{"uri": "git+https://github.com/org/app", "digest": "gitCommit:abc"}, {"uri": "pkg:docker/debian@12", "digest": ""}]'::jsonb)
WHERE digest = test.digest('a') AND repository_id = (SELECT repository_id FROM repository WHERE name = 'pol');
SELECT repository, builder, source, build_type, signer, materials FROM image_provenance;
SELECT repository, uri, material_digest, signer FROM provenance_materials ORDER BY uri;
SELECT is_built_by(v, 'https://github.com/org/builder/**') AS built, is_built_by(v, 'https://github.com/org/builder/**', 'git+https://github.com/org/*@refs/heads/*') AS from_source,
       is_built_by(v, 'https://github.com/org/*') AS one_part, is_built_by(v, '**', 'git+https://github.com/other/**') AS other_source, is_built_by(v, '**', signer => 'release') AS by_signer
FROM images v WHERE repository = 'pol' AND tag IN ('1', '2') ORDER BY tag;
SELECT test.outcome('SELECT is_built_by(v, ''**'', signer => ''nobody'') FROM images v');
UPDATE evidence SET verified = false, signer = NULL WHERE provenance IS NOT NULL;
SELECT count(*) FROM image_provenance;
SELECT test.outcome('SELECT bool_or(is_built_by(v, ''**'')) FROM images v');
UPDATE evidence SET provenance = NULL, predicate_type = NULL;
SELECT drop_trust_key('release');
SELECT add_trust_key('release', test.key('release'));

-- One that has ended does not count from then on, before the agent has verified it again.
UPDATE evidence SET valid_until = '2025-06-15 15:06:40Z' WHERE verified;
SELECT DISTINCT format, signer, verified, reason, valid_until AT TIME ZONE 'UTC' AS until FROM image_signatures WHERE repository = 'pol';
SELECT bool_or(is_signed_by(v, 'release')) AS signed FROM images v;
SELECT tag, approval FROM test.states WHERE repository = 'pol' AND approval = 'approved';
-- Also in a transaction that began before.
SAVEPOINT ending;
UPDATE evidence SET valid_until = clock_timestamp() + interval '20 ms' WHERE verified;
SELECT pg_sleep(0.05);
SELECT count(*) > 0 AS verified FROM image_signatures WHERE verified AND repository = 'pol';
ROLLBACK TO ending;
-- Here the agent finds that it has not: nothing is taken back.
SELECT verify_ended(registry_id) FROM registry;
SELECT DISTINCT signer, verified, reason, valid_until FROM image_signatures WHERE repository = 'pol' AND verified;
SELECT tag, approval FROM test.states WHERE repository = 'pol' AND approval = 'approved';
-- What rested on one that has ended is taken back also when who signed it is dropped before the agent has looked.
UPDATE evidence SET valid_until = '2025-06-15 15:06:40Z' WHERE verified;
SELECT drop_trust_key('release');
SELECT tag, approval, reason FROM test.states WHERE repository = 'pol';
SELECT add_trust_key('release', test.key('release'));
SELECT tag, approval FROM test.states WHERE repository = 'pol' AND approval = 'approved';

-- What the registry lists no more: rubbish goes, a verified signature stays and counts.
SELECT test.write_batch((SELECT registry_id FROM registry), 'app', test.batch(jsonb_build_object('referrers', '[]'::jsonb,
  'referrer_answers', jsonb_build_array(jsonb_build_object('digest', test.digest('a')), jsonb_build_object('digest', test.digest('b'))))));
TABLE test.signed;
-- Listed again in another manifest, with the same layer: once is enough.
SELECT test.bring('local', 'app', test.layer('a', 'release', NULL, jsonb_build_object('referrer_digest', test.digest('again'))));
SELECT test.write_batch((SELECT registry_id FROM registry), 'app', test.batch(jsonb_build_object('referrers', '[]'::jsonb,
  'referrer_answers', jsonb_build_array(jsonb_build_object('digest', test.digest('a'), 'tag', 'gone.sig')))));
SELECT digest, listed, count(*) FROM test.signed WHERE repository = 'app' AND verified GROUP BY 1, 2 ORDER BY 1, 2;
-- What the agent knows of an image, so that it asks for nothing twice.
SELECT jsonb_array_length(k.manifests) AS manifests, jsonb_array_length(k.layers) AS layers, k.bytes = octet_length(test.payload('a')) AS one_document
FROM registry, known_evidence(registry_id, 'app', test.digest('a')) k;
SELECT test.bring('local', 'app', test.layer('b', 'team', NULL, '{"document": null, "layer_digest": "sha256:2", "unread": "the registry is down", "retry": true}'));
SELECT manifests ? test.digest('signature b team') AS known FROM registry, known_evidence(registry_id, 'app', test.digest('b'));
SELECT test.bring('local', 'app', test.layer('b', 'team'));
SELECT manifests ? test.digest('signature b team') AS known FROM registry, known_evidence(registry_id, 'app', test.digest('b'));
-- A layer that the agent left out because it was here, and that an import has removed since: it is asked for again.
SELECT test.bring('local', 'app', test.layer('b', 'team', NULL, jsonb_build_object('document', NULL, 'layer_digest', 'sha256:4', 'referrer_digest', test.digest('removed'))));
SELECT manifests ? test.digest('removed') AS known FROM registry, known_evidence(registry_id, 'app', test.digest('b'));
SELECT test.bring('local', 'app', test.layer('b', 'team', NULL, jsonb_build_object('layer_digest', 'sha256:4', 'referrer_digest', test.digest('removed'))));
SELECT manifests ? test.digest('removed') AS known FROM registry, known_evidence(registry_id, 'app', test.digest('b'));
DELETE FROM evidence WHERE referrer_digest = test.digest('removed');
DELETE FROM image_referrer WHERE referrer_digest = test.digest('removed');

-- Of very many signatures, those that may lose their signer are not verified from then on, until the agent has looked.
CREATE FUNCTION test.limit_at_once(signatures bigint, bytes bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION image_library_internal.most_verified_at_once(OUT signatures bigint, OUT bytes bigint) LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (%s::bigint, %s::bigint)', signatures, bytes);
END
$$;
SELECT test.limit_at_once(0, 1000000);
SELECT add_trust_key('second', test.key('release'));
SELECT drop_trust_key('release');
SELECT signer, verified, reason FROM test.signed WHERE repository = 'app' ORDER BY 1, 3;
SELECT repository, tag, approval FROM test.states WHERE approval = 'approved';
-- The agent verifies them in portions, of whole images.
SELECT count(DISTINCT (repository_id, digest)) AS images, count(*) AS waiting FROM evidence WHERE verified_at IS NULL;
SELECT verify_waiting(registry_id, 1) FROM registry;
SELECT count(DISTINCT (repository_id, digest)) AS images FROM evidence WHERE verified_at IS NULL;
SELECT verify_waiting(registry_id, 1000, 1) FROM registry;
SELECT count(DISTINCT (repository_id, digest)) AS images FROM evidence WHERE verified_at IS NULL;
SELECT verify_waiting(registry_id), verify_waiting(registry_id) FROM registry;
SELECT signer, verified FROM test.signed WHERE repository = 'app' AND verified;
-- Few, but large ones.
SELECT test.limit_at_once(100000, 100);
SELECT add_trust_key('release', test.key('release')), drop_trust_key('release');
SELECT count(*) > 0 AS waiting FROM evidence WHERE verified_at IS NULL;
SELECT verify_waiting(registry_id) FROM registry;
SELECT test.limit_at_once(100000, 1000000);
SELECT add_trust_key('release', test.key('release')), drop_trust_key('release');
SELECT count(*) AS waiting FROM evidence WHERE verified_at IS NULL;

-- What was right when it was set, and cannot be read any more: nothing is verified, and a sync goes on.
UPDATE trust_anchor SET material = 'broken' WHERE name = 'second';
SELECT test.bring('local', 'app', test.layer('a', 'release', NULL, jsonb_build_object('referrer_digest', test.digest('broken'))));
SELECT DISTINCT reason FROM test.signed WHERE NOT verified AND reason LIKE 'what is trusted%';
UPDATE trust_anchor SET material = test.key('release') WHERE name = 'second';

-- Those that a registry had listed before somebody was trusted are asked for.
DELETE FROM evidence;
DELETE FROM approval;
UPDATE image_referrer SET artifact_type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
UPDATE tag SET digest_changed_at = now() - interval '30 days';
SELECT count(*) > 0 AS asked FROM registry, due_referrers(registry_id, true);
SELECT drop_trust_key('second');
SELECT count(*) > 0 AS asked FROM registry, due_referrers(registry_id, true);
-- What rests with a registry goes with it.
SELECT drop_registry('local', cascade => true);
SELECT count(*) FROM evidence;
ROLLBACK;

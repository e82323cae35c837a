-- Space for signatures: a registry that lists very many does not fill the disk.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
\set signed_images :srcdir '/test/lib/signed_images.sql'
\i :signed_images
\set bundles :srcdir '/test/lib/bundles.sql'
\i :bundles
CREATE ROLE regress_reader IN ROLE image_library_reader;
CREATE ROLE regress_admin IN ROLE image_library_admin;
SELECT add_trust_key('release', test.key('release'));
SELECT name, test.outcome_as('regress_admin', format('SELECT image_library.add_registry(%L, ''https://%s.example'', signature_megabytes => %s)', name, name, megabytes))
FROM (VALUES ('none', '0'), ('none', 'NULL')) v (name, megabytes);
SELECT count(add_registry(name, 'https://' || name || '.example')), count(add_rule(name, '**')) FROM unnest('{hub,other}'::text[]) name;
SELECT test.outcome_as('regress_admin', 'SELECT image_library.alter_registry(''hub'', signature_megabytes => -1)');
SELECT test.outcome_as('regress_admin', 'SELECT image_library.alter_registry(''hub'', signature_megabytes => 1)');
SELECT test.outcome_as('regress_reader', 'SELECT signature_megabytes FROM image_library.registries WHERE name = ''hub''');
SELECT new FROM audit WHERE object = 'registry' AND action = 'changed';
CREATE FUNCTION test.large(subject text, n integer, bytes integer DEFAULT 400000) RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.layer(subject, 'release', NULL, jsonb_build_object('referrer_digest', test.digest('large ' || n), 'layer_digest', 'sha256:' || n, 'document', convert_to(repeat(n::text, bytes), 'UTF8'))) $$;
CREATE VIEW test.stored AS
  SELECT s.registry, test.shown(s.digest) AS digest, s.verified, test.shown(s.reason) AS reason, s.imported_from, count(*) FROM image_library.image_signatures s GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 4;
SELECT test.sync('hub', 'app', '{"1": {"image": "a"}, "2": {"image": "b"}}');
SELECT test.sync('other', 'app', '{"1": {"image": "a"}}');

-- What does not fit says so, and what does is kept, in one batch and in several; a small one still fits.
SELECT test.bring('hub', 'app', test.large('a', 1), test.large('a', 2), test.large('a', 3));
SELECT test.bring('hub', 'app', test.large('b', 4), test.layer('b', 'release'));
SELECT digest, verified, reason, count FROM test.stored;
SELECT test.outcome_as('regress_reader', 'SELECT string_agg(concat_ws('' '', registry, signatures, bytes, limit_bytes, not_stored), ''; '' ORDER BY registry) FROM image_library.signature_space');
SELECT alert, severity, registry, detail, hint FROM alerts() WHERE alert = 'signatures not stored';
-- Brought again, they take no more, and the space is added up once for those that are not stored; for what is stored it is not.
SET LOCAL track_functions = 'all';
SELECT test.bring('hub', 'app', test.large('a', 1), test.layer('b', 'release'));
SELECT funcname, calls FROM pg_stat_xact_user_functions WHERE funcname IN ('write_evidence', 'evidence_room') ORDER BY 1;
SELECT test.bring('hub', 'app', test.large('a', 1), test.large('a', 2), test.large('a', 3));
SELECT funcname, calls FROM pg_stat_xact_user_functions WHERE funcname IN ('write_evidence', 'evidence_room') ORDER BY 1;
RESET track_functions;
-- Another registry has its own space.
SELECT test.bring('other', 'app', test.large('a', 3));
SELECT registry, signatures, bytes, not_stored FROM signature_space ORDER BY 1;
-- The agent does not ask for them again while there is no space.
UPDATE image_referrer SET artifact_type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
UPDATE tag SET digest_changed_at = now() - interval '30 days';
SELECT jsonb_array_length(manifests) AS known FROM registry, known_evidence(registry_id, 'app', test.digest('a')) WHERE name = 'hub';
SELECT count(*) AS due FROM registry, due_referrers(registry_id, true) WHERE name = 'hub';
-- When an admin gives more, it does.
SELECT alter_registry('hub', signature_megabytes => 3);
SELECT jsonb_array_length(manifests) AS known FROM registry, known_evidence(registry_id, 'app', test.digest('a')) WHERE name = 'hub';
SELECT test.shown(digest) AS due FROM registry, due_referrers(registry_id, true) WHERE name = 'hub' ORDER BY 1;
SELECT test.bring('hub', 'app', test.large('a', 1), test.large('a', 2), test.large('a', 3), test.large('b', 4));
SELECT signatures, bytes, not_stored FROM signature_space WHERE registry = 'hub';
SELECT count(*) AS alerts FROM alerts() WHERE alert = 'signatures not stored';
-- Less than is stored: nothing is removed, and nothing new is stored, except what is verified.
SELECT alter_registry('hub', signature_megabytes => 1);
SELECT test.bring('hub', 'app', test.layer('a', 'team'));
SELECT signatures, bytes, not_stored FROM signature_space WHERE registry = 'hub';
SELECT test.bring('hub', 'app', test.layer('a', 'release'));
SELECT signatures, bytes, not_stored FROM signature_space WHERE registry = 'hub';
-- What retention removes gives its space back.
SELECT test.sync('hub', 'app', '{"1": {"image": "c"}, "2": {"image": "b"}}');
UPDATE tag_period SET until = now() - interval '400 days', since = now() - interval '401 days' WHERE until IS NOT NULL;
SELECT prune_periods(ARRAY[test.digest('a')], now() - interval '365 days');
SELECT signatures, bytes, not_stored FROM signature_space WHERE registry = 'hub';

-- Those of a bundle count too.
SELECT alter_registry('other', signature_megabytes => 1);
SELECT test.sync('other', 'app', '{"1": {"image": "a"}, "2": {"image": "b"}}');
CREATE FUNCTION test.import_signatures(library text, registry text, image text, VARIADIC layers jsonb[]) RETURNS text LANGUAGE sql AS $$
  SELECT image_library.stage_bundle(test.forge(ARRAY[
      jsonb_build_array(1, 'header', jsonb_build_object('format', 1, 'library', library, 'exported_at', clock_timestamp(), 'registries', jsonb_build_array(registry))),
      jsonb_build_array(2, 'image', jsonb_build_object('registry', registry, 'repository', 'app', 'digest', test.digest(image), 'tags', '["2"]'::jsonb, 'platforms', '[]'::jsonb, 'referrers', '[]'::jsonb, 'approval', NULL))]
    || ARRAY(SELECT jsonb_build_array(2 + n, 'evidence', (l - 'retry') || jsonb_build_object('registry', registry, 'repository', 'app',
        'layer_digest', 'sha256:' || encode(sha256((l ->> 'document')::bytea), 'hex'), 'document', translate(encode((l ->> 'document')::bytea, 'base64'), E'\n', ''))) FROM unnest(layers) WITH ORDINALITY u (l, n))
    || jsonb_build_array(3 + cardinality(layers), 'end', jsonb_build_object('lines', 3 + cardinality(layers)))));
  SELECT string_agg(concat_ws(' ', effect, number), ', ') FROM image_library.import_library(rules => false) WHERE what = 'signatures' $$;
SELECT test.import_signatures('central', 'other', 'b', test.large('b', 1), test.large('b', 2));
SELECT digest, reason, imported_from, count FROM test.stored WHERE registry = 'other';
SELECT signatures, bytes, not_stored FROM signature_space WHERE registry = 'other';
-- What is not stored stays with the bundle, and is not verified again and again while there is no space.
CREATE FUNCTION test.apply(registry text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  id integer := (SELECT g.registry_id FROM image_library_internal.registry g WHERE g.name = registry);
  before bigint := coalesce((SELECT sum(f.calls) FROM pg_stat_xact_user_functions f WHERE f.funcname = 'add_evidence'), 0);
  after text[];
  portions integer := 0;
BEGIN
  PERFORM set_config('track_functions', 'all', true), set_config('role', 'image_library_agent', true);
  LOOP
    after := image_library_internal.apply_some_imports(id, after, 1);
    portions := portions + 1;
    EXIT WHEN after IS NULL OR portions = 50;
  END LOOP;
  PERFORM set_config('role', 'none', true), set_config('track_functions', 'none', true);
  RETURN format('%s portions, %s looked at; %s wait', portions, coalesce((SELECT sum(f.calls) FROM pg_stat_xact_user_functions f WHERE f.funcname = 'add_evidence'), 0) - before,
    (SELECT count(*) FROM image_library_internal.imported_evidence));
END
$$;
SELECT test.apply('other');
-- As much as fits, an image at a time, when there is some; the rest waits on.
SELECT test.sync('other', 'app', '{"1": {"image": "a"}, "2": {"image": "b"}, "3": {"image": "c"}, "4": {"image": "d"}}');
SELECT test.import_signatures('second', 'other', 'c', test.large('c', 3), test.large('c', 4));
SELECT test.import_signatures('third', 'other', 'd', test.large('d', 5), test.large('d', 6));
SELECT alter_registry('other', signature_megabytes => 2);
SELECT test.apply('other');
SELECT test.apply('other');
SELECT signatures, bytes, not_stored FROM signature_space WHERE registry = 'other';
-- The next bundle replaces them. Those of which the image has as many as the agent would read wait no longer.
SELECT test.import_signatures('third', 'other', 'd', test.large('d', 6));
SELECT test.import_signatures('second', 'other', 'c', VARIADIC ARRAY(SELECT test.large('c', n, 1000000) FROM generate_series(1, 9) n));
SELECT test.apply('other');
SELECT alter_registry('other', signature_megabytes => 20);
SELECT test.apply('other');
SELECT digest, imported_from, count FROM test.stored WHERE registry = 'other';
SELECT signatures, bytes, not_stored FROM signature_space WHERE registry = 'other';

-- What cannot be verified takes all of the space: a signature of a trusted key is stored and counts all the same, of the registry and of a bundle.
SELECT count(add_registry('full', 'https://full.example', signature_megabytes => 1)), count(add_rule('full', '**', approval => 'auto', signed_by => '{release}'));
SELECT test.sync('full', 'app', '{"1": {"image": "a"}, "2": {"image": "b"}, "3": {"image": "c"}}');
SELECT test.bring('full', 'app', test.large('a', 1, 1048576));
SELECT test.bring('full', 'app', test.large('c', 2));
-- As cosign adds them: both are layers of one manifest.
SELECT test.bring('full', 'app', test.layer('a', 'release'), test.layer('a', 'team', more => jsonb_build_object('referrer_digest', test.digest('signature a release'), 'place', 1)));
SELECT test.import_signatures('honest', 'full', 'b', test.layer('b', 'release'), test.layer('b', 'team'));
SELECT digest, verified, reason, imported_from, count FROM test.stored WHERE registry = 'full';
SELECT signatures, bytes > limit_bytes AS beyond, not_stored FROM signature_space WHERE registry = 'full';
SELECT tag, approval FROM images WHERE registry = 'full' ORDER BY 1;
-- Somebody else is trusted, who may have signed what was not stored: it is read again. What turns out not to be verified is then not asked for any more.
UPDATE image_referrer SET artifact_type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
UPDATE tag SET digest_changed_at = now() - interval '30 days';
CREATE VIEW test.asked AS
  SELECT test.shown(d.digest) AS due, jsonb_array_length(k.manifests) AS known FROM registry g, due_referrers(g.registry_id, true) d, known_evidence(g.registry_id, 'app', d.digest) k WHERE g.name = 'full' ORDER BY 1;
TABLE test.asked;
SELECT add_trust_key('team', test.key('team'));
TABLE test.asked;
SELECT digest, reason, imported_from, count FROM test.stored WHERE registry = 'full' AND NOT verified;
SELECT test.bring('full', 'app', test.layer('a', 'team', more => jsonb_build_object('referrer_digest', test.digest('signature a release'), 'place', 1)), test.large('c', 2));
SELECT test.apply('full');
UPDATE image_referrer SET artifact_type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
TABLE test.asked;
SELECT digest, verified, reason, imported_from, count FROM test.stored WHERE registry = 'full';
-- A layer that could not be read is asked for again, also of an image that is old and not approved, and beside one that was read.
SELECT test.bring('full', 'app', test.layer('c', 'release', 'a', jsonb_build_object('referrer_digest', test.digest('large 2'), 'place', 1, 'layer_digest', 'sha256:4', 'document', NULL)));
UPDATE image_referrer SET artifact_type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
TABLE test.asked;
SELECT test.bring('full', 'app', test.layer('c', 'release', 'a', jsonb_build_object('referrer_digest', test.digest('large 2'), 'place', 1, 'layer_digest', 'sha256:4')));
UPDATE image_referrer SET artifact_type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
TABLE test.asked;
ROLLBACK;

-- Bundles that a key has signed. Keys and signatures are data of this test, made once with openssl (P-256 and Ed25519) over the hash of
-- a bundle that is written by hand and always the same.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE regress_curator IN ROLE image_library_curator;
SELECT count(add_registry('hub', 'https://hub.example')), count(add_rule('hub', 'team/**'));
CREATE FUNCTION test.forge(parts text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  hash text;
BEGIN
  FOR i IN 1 .. cardinality(parts) LOOP
    hash := image_library_internal.bundle_hash(hash, parts[i]::jsonb::text);
    RETURN NEXT hash || ' ' || parts[i]::jsonb::text;
  END LOOP;
END
$$;
CREATE FUNCTION test.stage(made timestamptz DEFAULT '2025-01-01T00:00:00Z') RETURNS text LANGUAGE sql AS $$
  SELECT 'lines: ' || image_library.stage_bundle(ARRAY(SELECT test.forge(ARRAY[
    format('[1, "header", {"format": 1, "library": "central", "exported_at": "%s", "exported_by": "ann", "registries": ["hub"]}]', to_char(made AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
    format('[2, "image", {"registry": "hub", "repository": "team/app", "digest": "%s", "tags": ["1"], "platforms": [], "referrers": [], "approval": {"state": "approved", "actor": "ann", "decided_at": "2024-12-31T00:00:00Z"}}]', test.digest('a')),
    '[3, "end", {"lines": 3}]'])))
$$;
CREATE FUNCTION test.key(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT E'-----BEGIN PUBLIC KEY-----\n' || CASE name
    WHEN 'central' THEN 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/CuV+QwrEikqO3ro05DjjR+wWAn7JLww8IysC0awJvIYvvXkg3fexXQNwg8SYyndpzDPBqRPf7ih/BfStLuJjQ=='
    WHEN 'other' THEN 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1U84ckzAxDwFtlOMzfRnNr5+jhZMi/CXocWi0ZDT1QRNjkkTfq5uQoiim9k8hVOZkvxhz7U8x7D1/+Jb2F0TAg=='
    WHEN 'edwards' THEN 'MCowBQYDK2VwAyEATpJyv2CRVd95i9coxdsBbukB3Uik4wZ5SinLx0iVIIU=' END || E'\n-----END PUBLIC KEY-----\n' $$;
-- Of the bundle of January, and of that of February; broken: over the hash and a line break.
CREATE FUNCTION test.signature(what text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE what
    WHEN 'january central' THEN 'MEUCIQDoeAguV7k87bwWoFVmf+JkM4VbuF3mALRjzX/fuiad3wIgLWrkRfXOEmK9ZY8gajBR9bXxg7evrq6gmw+SSUdEXKc='
    WHEN 'february central' THEN 'MEQCIC7wxQTj5VtLuY6sa9Xv2S2KBo5MjAUaPT6NMUT7NObtAiBeQElujgDrV0Y5hZKM0cXVCVYA3QXpgM8mJqYHeBbtwA=='
    WHEN 'february other' THEN 'MEQCIEmnWYgh9KgvYAwNFiR7/iuzrEmM1bOW1I8GKFXVVnaxAiApod4K2CVxHmu2ZHpZ7qkKELSlg7kidY+EGQWxMgl31Q=='
    WHEN 'february edwards' THEN 'WomJH/z8V3EdNfeM9rsez0Kxr0F1o/Gtr2Gm0GvowRRomDwQhtILrprG1awUx9CyiEMUXk70w8iBZPfjpfXrAw=='
    WHEN 'february broken' THEN 'MEYCIQCOoVeHjTLsTVgsJi+xaaZS3xWgmAqe62qGE1YU/yYRmQIhALKz6x4p2urfQ+y8qSVHBNDRlCzsJtdzxS+fU6Ev8D7j' END $$;
CREATE FUNCTION test.import(signature text DEFAULT NULL, key text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
  SELECT test.outcome(format('SELECT string_agg(what || '' '' || number, '', '') FROM image_library.import_library(signature => %L, key => %L)', signature, key)) $$;
CREATE VIEW test.imported AS SELECT library, exported_at AT TIME ZONE 'UTC' AS exported_at, signed_by, key_fingerprint = s.fingerprint AS is_its_fingerprint, required_key
  FROM image_library.imported_bundles b LEFT JOIN image_library.trusted_signers s ON s.name = b.signed_by;

-- A key that is not trusted, a signature without a key, a key without a signature: nothing is imported.
SELECT test.stage();
SELECT hash = '78d0d9a75c471689ddf2febfb43bc22868e9fb7a0ab44ec781fb34551685e73e' AS is_the_signed_hash FROM staged_line ORDER BY number DESC LIMIT 1;
SELECT test.import(test.signature('january central'), 'central');
SELECT count(add_trust_key(name, test.key(name), '{none.invalid/none}')) FROM unnest('{central,other,edwards}'::text[]) name;
SELECT add_trust_identity('person', 'https://issuer.example', '**');
SELECT what, test.import(signature, key) FROM (VALUES ('no key', test.signature('january central'), NULL), ('no signature', NULL, 'central'), ('an identity', test.signature('january central'), 'person'),
  ('no base64', '%%%', 'central'), ('empty', '', 'central'), ('long', repeat('A', 5000), 'central'), ('of another key', test.signature('january central'), 'other'),
  ('of another bundle', test.signature('february central'), 'central'), ('of another kind of key', test.signature('january central'), 'edwards'),
  ('a changed byte', overlay(test.signature('january central') placing 'x' from 20), 'central'), ('empty name', test.signature('january central'), '')) v (what, signature, key);
SELECT count(*) AS nothing FROM test.imported;
SELECT count(*) AS nothing FROM imported_images;
-- Without a signature, as long as none is required. A signature of the same bundle can be given later.
SELECT test.import();
TABLE test.imported;
SELECT test.stage();
SELECT test.import(test.signature('january central'), 'central');
TABLE test.imported;
SELECT repository, signed_by FROM imported_images;
-- From then on a signature by the same key is required.
SELECT test.stage('2025-02-01Z');
SELECT what, test.import(signature, key) FROM (VALUES ('unsigned', NULL, NULL), ('of another key', test.signature('february other'), 'other'), ('claimed', test.signature('february other'), 'central'),
  ('over a line break', test.signature('february broken'), 'central')) v (what, signature, key);
-- Whoever drops it is warned.
SELECT drop_trust_key('central'), drop_trust_key('other');
SELECT add_trust_key('other', test.key('other'), '{none.invalid/none}');
SELECT test.import(test.signature('february central'), 'central');
-- Another bundle by the same name.
SELECT add_trust_key('central', test.key('other'), '{none.invalid/none}');
SELECT test.import(test.signature('february central'), 'central');
SELECT drop_trust_key('central'), add_trust_key('central', test.key('central'), '{none.invalid/none}');
SELECT test.import(E'\n' || left(test.signature('february central'), 64) || E'\n' || substr(test.signature('february central'), 65) || E'\n', 'central');
TABLE test.imported;
-- An admin changes it: to another key, and to none.
SELECT library, key, test.outcome(format('SELECT image_library.set_bundle_key(%L, %L)', library, key)) FROM (VALUES ('central', 'nobody'), ('central', 'person'), ('a b', 'other'), (NULL, 'other')) v (library, key);
SELECT test.outcome_as('regress_curator', 'SELECT image_library.set_bundle_key(''central'', NULL)');
SELECT set_bundle_key('central', 'edwards'), set_bundle_key('later', 'other');
SELECT test.stage('2025-02-01Z');
SELECT test.import(test.signature('february central'), 'central');
SELECT test.import(test.signature('february edwards'), 'edwards');
TABLE test.imported ORDER BY 1;
SELECT set_bundle_key('central', NULL), set_bundle_key('nowhere', NULL);
SELECT test.stage('2025-02-01Z');
SELECT test.import();
SELECT set_bundle_key('central', 'edwards');
-- What was decided because of the bundle says who signed it.
SELECT test.sync('hub', 'team/app', '{"1": {"image": "a"}}');
SELECT apply_imports(registry_id) FROM registry;
SELECT tag, action, origin ->> 'library' AS library, origin ->> 'signed_by' AS signed_by FROM decisions;
SELECT action, name, coalesce(new ->> 'signed_by', new ->> 'key') AS key, old ->> 'key' AS old_key FROM audit WHERE object LIKE 'bundle%' ORDER BY audit_id;
SELECT test.outcome_as('regress_curator', 'SELECT count(*) FROM image_library.imported_bundles');
ROLLBACK;

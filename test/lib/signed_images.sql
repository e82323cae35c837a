\set ECHO none
-- For the SQL tests: keys, and signatures of images a and b by them, made once with openssl (P-256, over cosign's text).
CREATE FUNCTION test.key(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT E'-----BEGIN PUBLIC KEY-----\n' || CASE name
    WHEN 'release' THEN E'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEuJt1j/chu+2HlOx8gw8ByF1rPCgNqN6B5yjil25kEeymKgPOsOVrFUkCwVGr7eMvGgHuwtIOa1Yj7+FbUyPo0w=='
    WHEN 'team' THEN E'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhZcMKh3Af9KIV1EGK4sok4RcOIJV1sZMmWH58YiYIt5rjW3kLRf85TsjLaVld/e4qlNCi2/7RFBegYx4+v7xBQ==' END || E'\n-----END PUBLIC KEY-----\n' $$;
CREATE FUNCTION test.signature(image text, key text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE image || ' ' || key
    WHEN 'a release' THEN 'MEYCIQCfUbuApYhBqdbBBbG0TJt9lzYGBijkfI6WSZ7xJKaG4AIhAMB9q2lrxevDgn1HggjaOd8c4vTuP+2Dq+MkXFyHR6/b'
    WHEN 'a team' THEN 'MEYCIQCN1eI1ha3D9nNVnTZe/K30XVNxm6dTD4ZJUvv70GmGCgIhAL92akBbFaR43DvOZmqyShRD0kOWrNPt6vuYqITiLLrz'
    WHEN 'b release' THEN 'MEUCIC4Fzj9WbJQaIaSz6meDCeGflKJ86ewNzrFQwIou+kIXAiEA+m1rqlD1bIpoL4+6QWKuGqqkTSuSPj3hir7BJnbF2Ak='
    WHEN 'b team' THEN 'MEUCIHwm9l0YSC4haiwnNwvfvGUKzrsWQjlxeckklRBP8W0/AiEA2xtN9wQXuwQsG23PG7Gze9OCDX6+TrXprylevT00SMQ=' END $$;
-- What cosign signs for an image.
CREATE FUNCTION test.payload(image text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT format('{"critical":{"identity":{"docker-reference":"localhost:5000/app"},"image":{"docker-manifest-digest":"%s"},"type":"cosign container image signature"},"optional":null}', test.digest(image)) $$;
-- A layer of a signature for an image, as the agent brings it; by default what key has signed for that image.
CREATE FUNCTION test.layer(subject text, key text, signed text DEFAULT NULL, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('digest', test.digest(subject), 'referrer_digest', test.digest('signature ' || subject || ' ' || key), 'place', 0,
    'layer_digest', 'sha256:' || encode(sha256(convert_to(test.payload(coalesce(signed, subject)), 'UTF8')), 'hex'), 'format', 'simple signing',
    'document', convert_to(test.payload(coalesce(signed, subject)), 'UTF8'), 'retry', false,
    'annotations', jsonb_build_object('dev.cosignproject.cosign/signature', test.signature(coalesce(signed, subject), key))) || more $$;
CREATE FUNCTION test.bring(registry text, repository text, VARIADIC layers jsonb[]) RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.write_batch((SELECT g.registry_id FROM image_library_internal.registry g WHERE g.name = registry), repository, test.batch(jsonb_build_object(
    'evidence', to_jsonb(layers),
    'referrers', (SELECT jsonb_agg(DISTINCT jsonb_build_object('digest', l -> 'digest', 'referrer_digest', l -> 'referrer_digest', 'artifact_type', 'signature',
                                                      'size_bytes', 9, 'annotations', '{}'::jsonb, 'source', 'api')) FROM unnest(layers) l)))) $$;
\set ECHO all

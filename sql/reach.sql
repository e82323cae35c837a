-- How a registry may be reached: allowed hosts, a proxy, token servers, client certificates.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library

-- A certificate and two keys, made for this test and of use nowhere.
SELECT $pem$-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUHf+WxBnsdv2jkOgRUL48CAj/DicwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjQyMjA3MzBaGA8yMTI2MTAzMTIyMDcz
MFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABD2d
YbHiniq7Eogv+YgNtkSisBYgJtI0RV8AQ96QKLAlZsLbYzPNGQEF1LFfKDsgJu1U
/iiVfMCs63PWr8yF6CqjUzBRMB0GA1UdDgQWBBS2avFx12+S0RWTjsy2DZcIVfxQ
DzAfBgNVHSMEGDAWgBS2avFx12+S0RWTjsy2DZcIVfxQDzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCICUdALzch7PG49jjcKcuWLNHL9L4QGWGzIUV
+zcJ1W+QAiAzmAvUoPTsoJae3y14UNywV7b78vU1PlvlGEnBaEjp7g==
-----END CERTIFICATE-----
$pem$ AS certificate, $pem$-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgX150vhIRYaJKnvVH
kHMmKbN0L3wfzH12QhyjYmJfXGmhRANCAAQ9nWGx4p4quxKIL/mIDbZEorAWICbS
NEVfAEPekCiwJWbC22MzzRkBBdSxXyg7ICbtVP4olXzArOtz1q/Mhegq
-----END PRIVATE KEY-----
$pem$ AS key, $pem$-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwYPTajMybIc4GoIf
AZ/3d/h5tOV140OA3L5ei6NJIkGhRANCAAQt67v1M6Jz4klT/nGuypBBvFq9mY9h
ODB5wHOhzN1jp7FEjQ5isgn+wZb9kUxbjs1fjgzQHZUToyP2jV0koofh
-----END PRIVATE KEY-----
$pem$ AS other_key, $pem$-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhFI5MEaDMr/wICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEPVjQYwsJa8vyj8Hq9VStUUEgZDY
9f21PaAfY0mte6PkX9sID1UKaFAB7ZWFtGFcV9ZMuOCyKeaEdYtmOyt29LZVL530
2+Q22NvWrV/ordgwBy3jB5bM9qML73NJFpF6qIiqBufevdY4BiE8VW2K9GIy+lW1
AZK76Yrqm2c8wtLp0bEKTIJaJm67cDD7zYt+awhUrk+tFNhMZsbL2lkqvctO7HQ=
-----END ENCRYPTED PRIVATE KEY-----
$pem$ AS encrypted_key \gset

-- The hosts that a superuser allows: names, globs, ports; a registry elsewhere is refused when it is added.
SET image_library.allowed_hosts = '*.example.com, lab:5000, registry-1.docker.io';
SELECT url, test.outcome(format('SELECT add_registry(%L, %L) > 0', 'r' || n, url))
FROM unnest(ARRAY['https://registry.example.com/team', 'https://lab:5000', 'https://lab', 'https://docker.io', 'https://example.com', 'https://registry.example.com.evil.test',
  'https://10.0.0.1', 'https://ghcr.io']) WITH ORDINALITY AS u (url, n);
SELECT test.outcome('SELECT alter_registry(''r1'', url => ''https://ghcr.io'')');
SELECT setting, test.outcome(format('SET image_library.allowed_hosts = %L', setting)) FROM unnest(ARRAY['https://ghcr.io', 'ghcr.io/x', 'a, b c:5000, *', 'user@ghcr.io', '']) setting;
SET ROLE image_library_admin;
SELECT test.outcome('SET image_library.allowed_hosts = ''*''');
RESET ROLE;

-- A proxy: only to hosts that are allowed by name, since no address can be checked behind it.
RESET image_library.allowed_hosts;
SELECT test.outcome('SELECT add_registry(''behind'', ''https://ghcr.io'', proxy => ''http://proxy.example.com:3128'')');
SET image_library.allowed_hosts = 'ghcr.io';
SELECT test.outcome('SELECT add_registry(''behind'', ''https://ghcr.io'', proxy => ''http://proxy.example.com:3128'')');
SET image_library.allowed_hosts = 'ghcr.io, proxy.example.com:3128, [2001:db8::1], proxy';
SELECT proxy, test.outcome(format('SELECT alter_registry(''behind'', proxy => %L)', proxy)), (SELECT g.proxy FROM registries g WHERE name = 'behind') AS before
FROM (SELECT add_registry('behind', 'https://ghcr.io', proxy => 'HTTP://Proxy.Example.com:3128/')) a,
     unnest(ARRAY['proxy:3128', 'https://[2001:DB8::1]:3128', 'http://proxy.example.com', 'socks5://proxy:1080', 'http://user:sesame@proxy:3128', 'http://proxy:3128/x', 'http://proxy:0', 'x y:1', NULL, '']) proxy;
SELECT proxy FROM registries WHERE name = 'behind';
-- A proxy that is not allowed any more is not used, and no credential is read for it.
SELECT alter_registry('behind', proxy => 'http://proxy:3128');
SET image_library.allowed_hosts = 'ghcr.io';
SELECT test.outcome('SELECT refresh_listings(''behind'', ''{a}'')');
RESET image_library.allowed_hosts;

-- Token servers that get credentials.
SELECT hosts, test.outcome(format('SELECT alter_registry(''r1'', realm_hosts => %L)', hosts))
FROM unnest(ARRAY['{auth.example.org,"*.corp.example:8443"}', '{https://auth.example.org}', '{user:sesame@auth.example.org}', '{NULL}', '{""}']) hosts;
SELECT realm_hosts FROM registries WHERE name = 'r1';
SELECT alter_registry('r1', max_connections => 3);
SELECT realm_hosts FROM registries WHERE name = 'r1';
SELECT alter_registry('r1', realm_hosts => '{}');
SELECT realm_hosts, proxy, client_certificate FROM registries WHERE name = 'r1';

-- Client certificates: checked when they are set, shown to nobody.
SELECT what, test.outcome(format('SELECT set_client_certificate(%L, %L, %L)', registry, c, k))
FROM (VALUES ('right', 'r1', :'certificate', :'key'), ('again', 'r1', :'certificate', :'key'), ('another key', 'r1', :'certificate', :'other_key'),
  ('an encrypted key', 'r1', :'certificate', :'encrypted_key'), ('no certificate', 'r1', 'x', :'key'), ('no key', 'r1', :'certificate', 'secret'),
  ('exchanged', 'r1', :'key', :'certificate'), ('null', 'r1', NULL, NULL), ('unknown registry', 'nowhere', :'certificate', :'key')) t (what, registry, c, k);
SELECT client_certificate FROM registries WHERE name = 'r1';
SELECT role_name, test.outcome_as(role_name, 'SELECT count(*) FROM image_library_internal.client_certificate')
FROM unnest('{image_library_reader,image_library_curator,image_library_admin}'::text[]) role_name;
SELECT test.outcome_as('image_library_curator', 'SELECT image_library.set_client_certificate(''r1'', ''x'', ''y'')');
-- The audit tells that there is one, and that it was set anew.
SELECT action, object, name, registry, old - 'set_at' AS old, new - 'set_at' AS new FROM audit WHERE object = 'client certificate' ORDER BY audit_id;
SELECT count(*) AS told_secrets FROM audit_entry e WHERE e::text LIKE '%BEGIN%';
SELECT drop_client_certificate('r1');
SELECT test.outcome('SELECT drop_client_certificate(''r1'')'), test.outcome('SELECT drop_client_certificate(''nowhere'')');
SELECT client_certificate FROM registries WHERE name = 'r1';

-- What a registry says of itself is kept; another token server than before is told.
SELECT registry_id AS r1 FROM registry WHERE name = 'r1' \gset
SELECT note_registry(:r1, NULL, NULL), note_registry(:r1, 'auth.example.com', 'moves soon'), note_registry(:r1, 'auth.example.com', 'moves soon');
SELECT token_server, warning FROM registries WHERE name = 'r1';
SELECT note_registry(:r1, NULL, NULL);
SELECT token_server, warning FROM registries WHERE name = 'r1';
SELECT count(*) FROM events WHERE event = 'token server changed';
SELECT note_registry(:r1, 'auth.evil.test', NULL);
SELECT token_server, warning FROM registries WHERE name = 'r1';
SELECT registry, detail FROM events WHERE event = 'token server changed';

-- Docker Hub's official images are in library/, in rules as in references.
SELECT count(drop_registry(name)) FROM registries WHERE url = 'https://docker.io';
SELECT add_registry('hub', 'https://registry-1.docker.io') > 0 AS added;
SELECT url FROM registries WHERE name = 'hub';
SELECT pattern, test.outcome(format('SELECT add_rule(''hub'', %L) > 0', pattern)) FROM unnest('{postgres,postgre*,library/postgres,**,regex:postgres$}'::text[]) pattern;
SELECT test.outcome('SELECT add_rule(''r1'', ''postgres'') > 0');

-- What is refused is not repeated where it may hold a secret.
SELECT statement, o.outcome, o.outcome LIKE '%sesame%' AS repeated FROM unnest(ARRAY[
  'add_registry(''https://user:sesame@ghcr.io'', ''x'')', 'add_registry(''x'', ''https://ghcr.io/?token=sesame'')',
  'resolve(''user:sesame@ghcr.io/a:1'')', 'resolve(''https://user:sesame@ghcr.io/a:1'')', 'resolve(''ghcr.io/a:1?token=sesame'')',
  'approve(''user:sesame@ghcr.io/a:1'')', 'add_rule(''r1'', ''user:sesame@ghcr.io/a'')', 'set_readme(''r1'', ''user:sesame@ghcr.io/a'', ''x'')',
  'set_credential(''r1'', ''u'', ''p'', ''user:sesame@ghcr.io/a'')', 'set_credential_file(''r1'', ''https://user:sesame@ghcr.io'')',
  'record_use(''user:sesame@ghcr.io/a:1'', ''app'')', 'tag_image(''user:sesame@ghcr.io/a:1'', ''green'')',
  'alter_registry(''https://user:sesame@ghcr.io'', max_connections => 1)', 'request_sync(''https://user:sesame@ghcr.io'')']) statement,
  LATERAL (SELECT test.outcome('SELECT ' || statement)) AS o (outcome);
ROLLBACK;

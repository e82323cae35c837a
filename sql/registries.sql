-- Registries and credentials: what is taken, what is refused, and that nobody reads a secret.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library

-- A name that is not there is told in an empty library too.
SELECT f, test.outcome(format('SELECT %s', f))
FROM unnest(ARRAY['enable_registry(''nowhere'')', 'disable_registry(''nowhere'')', 'drop_registry(''nowhere'')',
  'drop_credential(''nowhere'')', 'request_sync(''nowhere'')']) f;

-- Every form of URL that is taken; those of one host overlap.
SET client_min_messages = warning;
SELECT add_registry('r' || n, url, allow_private => true), url
FROM unnest(ARRAY['https://registry.example.com', 'plain.example.com', 'plain.example.com/team/app',
  'https://registry.example.com:5000/', 'http://localhost:5000', 'HTTPS://Registry.Example.com/team',
  'https://registry.example.com/a/b//', 'https://docker.io', 'https://[::1]:5000/x', 'https://10.0.0.1/x',
  'https://secure.example.com:443', 'http://open.example.com:80']) WITH ORDINALITY AS u (url, n);
SELECT name, url FROM registries ORDER BY length(name), name;
RESET client_min_messages;

-- And those that are not.
SELECT url, test.outcome(format('SELECT add_registry(''bad'', %L)', url))
FROM unnest(ARRAY[NULL, '', ' ', 'https://', 'ftp://registry.example.com', 'https://user:secret@registry.example.com',
  'https://registry.example.com?x=1', 'https://registry.example.com#x', 'https://registry.example.com:0',
  'https://registry.example.com:65536', 'https://registry.example.com:x', 'https://registry.example.com/a b',
  'https://registry.example.com/Team', 'https://registry.example.com/../x', 'https://-x.example.com', 'https://x..example.com', 'https://ex ample.com',
  'https://registry.example.com/v2/%2e%2e', E'https://registry.example.com\r\nHost: x', 'https://[::1', 'file:///etc/passwd']) url;

-- Names and options.
SELECT name, test.outcome(format('SELECT add_registry(%L, ''https://registry.example.com'')', name))
FROM unnest(ARRAY[NULL, '', 'Big', 'a b', '-x', 'x/y', 'x;y', 'ü', E'x\n', repeat('x', 64), 'r1']) name;
SELECT options, test.outcome(format('SELECT add_registry(''bad'', ''https://registry.example.com'', %s)', options))
FROM unnest(ARRAY['sync_interval => NULL', 'sync_interval => ''9 s''', 'sync_interval => ''-1 day''', 'sync_interval => ''soon''',
  'max_connections => 0', 'max_connections => 65', 'max_connections => NULL', 'requests_per_second => 0',
  'requests_per_second => -1', 'requests_per_run => 0', 'ca_certificate => ''''', 'ca_certificate => ''-----BEGIN PRIVATE KEY-----''',
  'owner => ''nobody_of_that_name''']) options;
SELECT count(*) FROM registries WHERE name = 'bad';

-- Change what is given, and only that.
SELECT add_registry('edb', 'https://docker.enterprisedb.com/pgai-platform', sync_interval => '1 hour',
  requests_per_second => 10, ca_certificate => E'-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n');
SELECT alter_registry('edb', max_connections => 4);
SELECT url, sync_interval, max_connections, requests_per_second, own_ca, allow_private, owner FROM registries WHERE name = 'edb';
SELECT alter_registry('edb', url => 'docker.enterprisedb.com/pgai-platform-2', requests_per_second => 0, ca_certificate => '',
  allow_private => true, owner => 'image_library_curator');
SELECT url, sync_interval, max_connections, requests_per_second, own_ca, allow_private, owner FROM registries WHERE name = 'edb';
SELECT change, test.outcome(format('SELECT alter_registry(%s)', change))
FROM unnest(ARRAY['''nowhere'', max_connections => 4', '''edb'', url => ''ftp://x''', '''edb'', sync_interval => ''1 s''',
  '''edb'', max_connections => 100', '''edb'', requests_per_second => -1', '''edb'', ca_certificate => ''x''', 'NULL']) change;
SELECT url, sync_interval, max_connections, requests_per_second, own_ca FROM registries WHERE name = 'edb';

SELECT disable_registry('edb');
SELECT enabled FROM registries WHERE name = 'edb';
SELECT alter_registry('edb', requests_per_run => 500);
SELECT requests_per_run FROM registries WHERE name = 'edb';
SELECT alter_registry('edb', requests_per_run => 0), test.outcome('SELECT alter_registry(''edb'', requests_per_run => -1)');
SELECT requests_per_run FROM registries WHERE name = 'edb';
SELECT disable_registry('edb'), test.outcome('SELECT request_sync(''edb'')'), test.outcome('SELECT * FROM sync_targets(''edb'', false)');
SELECT enable_registry('edb');
SELECT enabled FROM registries WHERE name = 'edb';
SELECT f, test.outcome(format('SELECT %s(''nowhere'')', f))
FROM unnest('{enable_registry,disable_registry,drop_registry,request_sync}'::text[]) f;
SELECT test.outcome('SELECT * FROM sync_targets(''nowhere'', false)');

-- Credentials: an admin sets them, and sees only that there are some.
CREATE FUNCTION test.credentials(registry text) RETURNS TABLE (repository_prefix text, username text, password text, file text, variable text)
LANGUAGE sql AS $$
  SELECT c.* FROM image_library_internal.registry g,
    image_library_internal.credentials(g.registry_id, g.scheme, g.host, coalesce(g.proxy, ''), coalesce(g.ca_certificate, ''), to_jsonb(g.realm_hosts)) c
  WHERE g.name = credentials.registry $$;
-- Stores a file or variable that need not be there.
CREATE FUNCTION test.put_credential(registry text, username text, file text, variable text, below text DEFAULT '') RETURNS void
LANGUAGE sql AS $$
  INSERT INTO image_library_internal.credential AS c (registry_id, repository_prefix, username, file, variable)
  SELECT g.registry_id, below, put_credential.username, put_credential.file, put_credential.variable
  FROM image_library_internal.registry g WHERE g.name = put_credential.registry
  ON CONFLICT ON CONSTRAINT credential_pkey DO UPDATE
  SET username = excluded.username, password = NULL, file = excluded.file, variable = excluded.variable, set_at = excluded.set_at $$;
SELECT set_credential('edb', 'user', 'open sesame');
SELECT set_credential('edb', 'team', 'open team', 'team/app');
SELECT set_credential('edb', 'user', 'open again');
SELECT name, credential_prefixes FROM registries WHERE credential_prefixes <> '{}';
SELECT * FROM test.credentials('edb');
SELECT test.put_credential('edb', NULL, 'config.json', NULL);
SELECT * FROM test.credentials('edb');
SELECT test.put_credential('edb', 'user', NULL, 'IMAGE_LIBRARY_EDB'), test.put_credential('edb', 'team', NULL, 'IMAGE_LIBRARY_TEAM', 'team/app');
SELECT * FROM test.credentials('edb');
SELECT drop_credential('edb', 'team/app');
SELECT name, credential_prefixes FROM registries WHERE credential_prefixes <> '{}';
SELECT statement, test.outcome('SELECT ' || statement) FROM unnest(ARRAY[
  'set_credential(''nowhere'', ''u'', ''secret'')', 'set_credential(''edb'', '''', ''secret'')',
  'set_credential(''edb'', ''u'', NULL)', 'set_credential(''edb'', ''u'', ''secret'', ''Bad Prefix'')',
  'set_credential(''edb'', ''u'', ''secret'', NULL)', 'set_credential_file(''edb'', ''/etc/passwd'')',
  'set_credential_file(''edb'', ''../config.json'')', 'set_credential_file(''edb'', ''.hidden'')',
  'set_credential_file(''edb'', NULL)', 'set_credential_file(''edb'', ''absent.json'')', 'set_credential_file(''nowhere'', ''config.json'')',
  'set_credential_variable(''edb'', ''u'', ''PGPASSWORD'')', 'set_credential_variable(''edb'', ''u'', ''IMAGE_LIBRARY_'')',
  'set_credential_variable(''edb'', ''u'', ''IMAGE_LIBRARY_a'')', 'set_credential_variable(''edb'', ''u'', E''IMAGE_LIBRARY_A\n'')',
  'set_credential_variable(''edb'', ''u'', NULL)', 'set_credential_variable(''edb'', ''u'', ''IMAGE_LIBRARY_ABSENT'')', 'set_credential_variable(''edb'', '''', ''IMAGE_LIBRARY_A'')',
  'set_credential_variable(''nowhere'', ''u'', ''IMAGE_LIBRARY_A'')', 'set_credential_variable(''edb'', ''u'', ''IMAGE_LIBRARY_A'', ''Bad Prefix'')',
  'drop_credential(''edb'', ''team/app'')', 'drop_credential(''nowhere'')']) statement;
-- No error tells the secret, not even of a password that is too long.
SELECT test.outcome(format('SELECT set_credential(''edb'', ''u'', %L)', repeat('secret', 5000))) NOT LIKE '%secret%';

SELECT role_name, readable, test.outcome_as(role_name, 'SELECT count(*) FROM ' || readable)
FROM unnest('{image_library_reader,image_library_curator,image_library_admin}'::text[]) role_name,
     unnest(ARRAY['image_library_internal.credential', 'image_library_internal.credentials(1, '''', '''', '''', '''', ''[]'')']) readable
ORDER BY 1, 2;

-- Nor does who may read every table.
CREATE ROLE test_reads_all IN ROLE image_library_admin, pg_read_all_data;
SELECT count(*) > 0 AS some, test.outcome_as('test_reads_all', 'SELECT count(*) FROM image_library_internal.credential') AS seen,
  test.outcome_as('test_reads_all', 'SELECT count(*) > 0 FROM image_library_internal.registry') AS registries FROM credential;

-- Another way to a registry is none that its credentials were set for: they go, in the same transaction, and that is told.
CREATE FUNCTION test.keeps(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  was integer;
BEGIN
  PERFORM image_library.set_credential('bound', 'u', 'secret'), test.put_credential('bound', NULL, 'config.json', NULL, 'filed'),
    test.put_credential('bound', 'u', NULL, 'IMAGE_LIBRARY_BOUND', 'named');
  INSERT INTO image_library_internal.client_certificate (registry_id, certificate, key)
  SELECT registry_id, 'certificate', 'key' FROM image_library_internal.registry WHERE name = 'bound' ON CONFLICT DO NOTHING;
  was := (SELECT max(audit_id) FROM image_library.audit);
  EXECUTE format('SELECT image_library.alter_registry(''bound'', %s)', change);
  RETURN (SELECT format('%s credentials, %s certificates, audited: %s', (SELECT count(*) FROM test.credentials('bound')),
                        (SELECT count(*) FROM image_library_internal.client_certificate JOIN image_library_internal.registry USING (registry_id) WHERE name = 'bound'),
                        (SELECT string_agg(concat_ws(' ', a.action, a.object, a.old ->> 'kind'), ', ' ORDER BY a.object, a.old ->> 'kind') FROM image_library.audit a WHERE a.audit_id > was)));
END
$$;
SELECT E'-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----' AS ca, E'-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----' AS other_ca \gset
SELECT add_registry('bound', 'https://bound.example.com/team', proxy => 'http://proxy.example.com:3128') FROM set_config('image_library.allowed_hosts', '*.example.com', true);
SELECT change, test.keeps(change) FROM unnest(ARRAY[
  -- kept: the same again, another path, what takes something away, and what has nothing to do with the way
  'url => ''HTTPS://Bound.Example.com:443/team''', 'url => ''https://bound.example.com/other''', 'max_connections => 2', 'allow_private => true',
  'owner => ''image_library_curator'', private => true', 'proxy => ''http://proxy.example.com:3128/''',
  'proxy => ''''', 'ca_certificate => ''''', 'realm_hosts => ''{}''',
  -- gone
  'url => ''https://evil.example.com/team''', 'url => ''https://evil.example.com:8443/team''', 'url => ''http://evil.example.com:8443/team''',
  'proxy => ''http://evil.example.com:3128''', 'proxy => ''http://evil.example.com:3129''', 'proxy => ''https://evil.example.com:3129''',
  format('ca_certificate => %L', :'ca'), format('ca_certificate => %L', :'ca'), format('ca_certificate => %L', :'other_ca'),
  'realm_hosts => ''{a.example.com,b.example.com}''', 'realm_hosts => ''{b.example.com}''', 'realm_hosts => ''{a.example.com,b.example.com}''', 'realm_hosts => ''{*}''']) change;
SELECT alter_registry('bound', url => 'https://next.example.com'), alter_registry('bound', url => 'https://last.example.com');
-- A change that is refused takes nothing; one that is rolled back neither.
SELECT set_credential('bound', 'u', 'secret');
SELECT test.outcome('SELECT alter_registry(''bound'', url => ''https://elsewhere.test'')');
SAVEPOINT bound;
SELECT alter_registry('bound', url => 'https://other.example.com');
ROLLBACK TO bound;
SELECT count(*) FROM test.credentials('bound');
-- A run that knows the registry as it was gets none that were set since.
SELECT changed, count(c.repository_prefix) AS credentials
FROM image_library_internal.registry g, (VALUES ('nothing', '{}'::jsonb), ('scheme', '{"scheme": "http"}'), ('host', '{"host": "evil.example.com"}'), ('proxy', '{"proxy": ""}'),
    ('CA certificate', '{"ca": ""}'), ('realm_hosts', '{"realm_hosts": ["*", "x"]}')) v (changed, instead)
  LEFT JOIN LATERAL (SELECT jsonb_build_object('id', h.registry_id, 'scheme', h.scheme, 'host', h.host, 'proxy', h.proxy, 'ca', h.ca_certificate, 'realm_hosts', h.realm_hosts) || instead AS run
                     FROM image_library_internal.registry h WHERE h.name = 'bound') r ON true
  LEFT JOIN LATERAL credentials((run ->> 'id')::integer, run ->> 'scheme', run ->> 'host', run ->> 'proxy', run ->> 'ca', run -> 'realm_hosts') c ON true
WHERE g.name = 'bound' GROUP BY 1 ORDER BY 1;
SELECT drop_registry('bound');
RESET image_library.allowed_hosts;

-- Dropping: refused while people have decided on its images; with cascade the decisions stay.
SELECT add_rule('edb', 'postgresql');
SELECT test.sync('edb', 'postgresql', '{"17.4-2503310734": {"image": "a"}, "17.5-2505220734": {"image": "b"}}');
SELECT approve('docker.enterprisedb.com/pgai-platform-2/postgresql:17.4-2503310734', 'notes read') ~ '@sha256:';
SELECT test.outcome('SELECT drop_registry(''edb'')');
SELECT test.outcome('SELECT drop_registry(''edb'', cascade => true)');
SELECT registry, repository, tag, new_state, reason FROM decisions;
SELECT count(*) FROM credential;
SELECT count(*) FROM images;
-- Without decisions it goes at once; the name is free again.
SELECT drop_registry('r1'), add_registry('r1', 'https://registry.example.com') > 0;
ROLLBACK;

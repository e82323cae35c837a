-- Channels: what a provisioning flow names. The newest image is never taken from a mix of repositories, variants or systems.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_db_team;
CREATE ROLE test_db_curator IN ROLE image_library_curator, test_db_team;
CREATE ROLE test_curator IN ROLE image_library_curator;
CREATE ROLE test_admin IN ROLE image_library_admin;
CREATE ROLE test_reader IN ROLE image_library_reader;
SELECT add_registry('cnpg', 'https://ghcr.io/cloudnative-pg'), add_registry('edb', 'https://docker.enterprisedb.com/pgai-platform'),
       add_registry('mirror', 'https://mirror.example.com', owner => 'test_db_team', private => true);
SELECT add_rule('cnpg', '**', approval => 'auto'), add_rule('edb', '**', approval => 'auto'), add_rule('mirror', '**', approval => 'auto');
CREATE FUNCTION test.sync_tags(registry text, repository text, VARIADIC tags text[]) RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.sync(registry, repository, jsonb_object_agg(t, jsonb_build_object('image', concat(registry, repository, t)))) FROM unnest(tags) t
$$;
SELECT test.sync_tags('cnpg', 'postgresql', '17.5-202505010000-minimal-trixie', '17.6-202508010000-minimal-trixie', '17.6-202508010000-standard-trixie', '18.0-202509010000-minimal-trixie'),
       test.sync_tags('edb', 'postgresql', '17.4-2503310734', '17.7-2511010000', '17.7-2511010000-full'),
       test.sync_tags('edb', 'postgresql-testing', '17.9-2512010000'),
       test.sync_tags('mirror', 'team/postgresql', '17.8-202511010000-minimal-bookworm');

-- Two repositories have plain images of 17, so that none is picked; either is, if it is named.
SELECT asked, test.outcome(format('SELECT split_part(latest_postgres(%s), ''@'', 1)', asked))
FROM unnest(ARRAY['''postgresql'', 17', '''postgresql'', 17, registry => ''edb''', '''postgresql'', 17, repository => ''postgresql''', '''postgresql'', 17, registry => ''edb'', repository => ''postgresql-testing''',
  '''postgresql'', 17, ''minimal'', registry => ''cnpg''', '''postgresql'', 17, registry => ''cnpg''', '''postgresql'', 17, registry => ''none''', '''postgresql'', 17, registry => ''cnpg'', repository => ''none''']) asked;
SELECT registry, repository, major_version AS major, variant, os, tag FROM postgres_latest;

-- The one thing that a flow names.
SELECT add_channel('prod-17', 'edb', '{postgresql}', variant => '', versions => '17.*'),
       add_channel('edge-17', 'edb', '{postgresql*}', variant => '', versions => 'version:>=17 <18'),
       add_channel('cnpg', 'cnpg', '{postgresql}', variant => 'minimal', os => 'Trixie'),
       add_channel('open', 'cnpg', '{regex:^postgres}', flavor => 'PG', versions => '17.*'),
       add_channel('old', 'edb', '{postgresql}', versions => '<=17.4'),
       add_channel('none', 'edb', '{edb-*}', flavor => 'epas'),
       add_channel('team', 'mirror', '{team/**}');
SELECT name, registry, repositories, flavor, variant, os, versions, owner FROM channels ORDER BY name;
SELECT name, test.outcome(format('SELECT split_part(latest(%L), ''@'', 1)', name)) FROM channels ORDER BY name;
SELECT asked, test.outcome(format('SELECT split_part(latest_postgres(%s), ''@'', 1)', asked))
FROM unnest(ARRAY['''postgresql'', 18, channel => ''cnpg''', 'NULL, 17, channel => ''cnpg''', '''postgresql'', 18, channel => ''prod-17''', '''epas'', 17, channel => ''prod-17''',
  '''postgresql'', 17, ''standard'', channel => ''cnpg''', '''postgresql'', 17, os => ''bookworm'', channel => ''cnpg''', '''postgresql'', 17, ''standard'', channel => ''open''', '''postgresql'', 17, registry => ''edb'', channel => ''prod-17''']) asked;
SELECT jsonb_path_query_array(cnpg_image_catalog('c', channel => 'cnpg'), '$.spec.images[*].major') AS majors, cnpg_image_catalog('c', channel => 'edge-17') #>> '{spec,images,0,major}' AS edge,
       test.outcome('SELECT cnpg_image_catalog(''c'', channel => ''open'')') AS open, test.outcome('SELECT cnpg_image_catalog(''c'')') AS mixed;
SELECT test.outcome('SELECT latest(''nope'')'), test.outcome('SELECT latest(NULL)'), test.outcome('SELECT latest(''prod-17'', ''{"vector": null}'')'),
       test.outcome('SELECT latest(''prod-17'', ''{"vector": {"a": 1}}'')'), test.outcome('SELECT latest(''prod-17'', ''{"vector": true}'')');
-- What may not be used any more is left out at once, and the error tells what there is.
SAVEPOINT revoked;
SELECT count(revoke(reference)) FROM images WHERE registry = 'edb' AND tag = '17.7-2511010000';
SELECT split_part(latest('prod-17'), '@', 1) AS latest;
SELECT count(reset(reference)) FROM images WHERE registry = 'edb' AND tag = '17.4-2503310734';
SELECT test.outcome('SELECT latest(''prod-17'')'), test.outcome('SELECT latest(''old'')');
ROLLBACK TO revoked;

-- Wrong channels.
SELECT wrong, test.outcome(format('SELECT add_channel(%s)', wrong))
FROM unnest(ARRAY['''prod-17'', ''edb'', ''{x}''', '''Prod 17'', ''edb'', ''{x}''', 'NULL, ''edb'', ''{x}''', '''x'', ''none'', ''{x}''', '''x'', ''edb'', ''{}''', '''x'', ''edb'', NULL', '''x'', ''edb'', ''{{x},{y}}''',
  '''x'', ''edb'', ''{x,NULL}''', '''x'', ''edb'', ''{regex:(}''', '''x'', ''edb'', ''{x}'', ''oracle''', '''x'', ''edb'', ''{x}'', variant => ''a b''', '''x'', ''edb'', ''{x}'', os => ''''',
  '''x'', ''edb'', ''{x}'', versions => ''seventeen''', '''x'', ''edb'', ''{x}'', owner => ''4294967294''']) wrong;

-- Changes.
SELECT alter_channel('old', repositories => '{postgresql-testing}', versions => '-', variant => ''), alter_channel('cnpg', os => '-'), alter_channel('open', flavor => 'pge', variant => '-', os => '-', versions => '-', owner => 'test_db_team');
SELECT name, repositories, flavor, variant, os, versions, owner FROM channels WHERE name IN ('old', 'cnpg', 'open') ORDER BY name;
SELECT change, test.outcome(format('SELECT alter_channel(%s)', change)) FROM unnest(ARRAY['''nope''', '''old'', versions => ''x''', '''old'', repositories => ''{}''', '''old'', flavor => ''x''']) change;

-- Who may: admins, the team of the registry, the team of the channel; and only they see a channel of a private registry.
SELECT act, string_agg(concat(who, ': ', left(test.outcome_and_back(who, 'SELECT image_library.' || act), 25)), ', ' ORDER BY who)
FROM unnest(ARRAY['add_channel(''new'', ''edb'', ''{x}'')', 'add_channel(''new'', ''mirror'', ''{x}'')', 'alter_channel(''open'', os => ''trixie'')', 'alter_channel(''open'', owner => ''-'')', 'alter_channel(''team'', owner => ''-'')', 'drop_channel(''open'')', 'drop_channel(''old'')',
  'latest(''team'')']) act, unnest('{test_admin,test_curator,test_db_curator,test_reader}'::text[]) who GROUP BY act ORDER BY act;
SELECT who, test.outcome_as(who, 'SELECT string_agg(name, '' '' ORDER BY name) FROM image_library.channels') FROM unnest('{test_db_curator,test_reader}'::text[]) who;
-- The audit tells; a registry takes its channels along.
SELECT drop_channel('old'), drop_registry('mirror', cascade => true);
SELECT test.outcome('SELECT drop_channel(''old'')');
SELECT action, name, registry, old - '{channel_id,registry_id,created_at,created_by}'::text[] AS old, new - '{channel_id,registry_id,created_at,created_by}'::text[] AS new
FROM audit WHERE object = 'channel' AND action <> 'added' ORDER BY audit_id;

-- Names of extensions: any of them, in requests and in annotations.
CREATE FUNCTION test.extensions(list text) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('annotations', jsonb_build_object('org.enterprisedb.pgextensions', translate(encode(convert_to(list, 'UTF8'), 'base64'), E'\n', '')))
$$;
SELECT test.sync('edb', 'postgresql', jsonb_build_object(
  '16.1-2401010000', '{"image": "n1"}'::jsonb || test.extensions(E'pgvector,0.6.0,x\npg-cron,1.6,x\n'),
  '16.2-2402010000', '{"image": "n2"}'::jsonb || test.extensions(E'vector,0.7.0,x\nuuid-ossp,1.1,x\n'),
  '16.3-2403010000', '{"image": "n3"}'::jsonb || test.extensions(E'PostGIS,3.4.0,x\n')));
SELECT wanted, test.outcome(format('SELECT split_part(latest_postgres(''postgresql'', 16, min_extensions => %L), ''@'', 1)', wanted))
FROM unnest('{"{\"vector\": \"0.7\"}","{\"pgvector\": \"0.7\"}","{\"vector\": \"0.6\", \"pg_cron\": null}","{\"cron\": \"1\"}","{\"postgis\": \"3\"}","{\"uuid-ossp\": null}","{\"uuid_ossp\": null}","{\"vector\": \"0.8\"}"}'::text[]) wanted;
SELECT alias, extension, source IS NOT NULL AS has_source, is_default FROM extension_aliases ORDER BY alias COLLATE "C";
SELECT set_extension_alias('PG-Mine', 'mine', 'https://example.com'), set_extension_alias('pgvector', 'pgvector');
SELECT test.outcome('SELECT latest_postgres(''postgresql'', 16, min_extensions => ''{"vector": "0.6", "pg_cron": null}'')') AS overridden;
SELECT alias, extension, source, is_default FROM extension_aliases WHERE alias IN ('pg_mine', 'pgvector');
SELECT reset_extension_alias('pgvector'), test.outcome('SELECT reset_extension_alias(''pgvector'')');
SELECT wrong, test.outcome(format('SELECT set_extension_alias(%s)', wrong)) FROM unnest(ARRAY['NULL, ''x''', '''x'', ''''', '''a b'', ''x''']) wrong;
SELECT test.outcome_as('test_curator', 'SELECT image_library.set_extension_alias(''a'', ''b'')'), test.outcome_as('test_curator', 'SELECT image_library.reset_extension_alias(''a'')');
SELECT action, name, old - 'created_at' - 'created_by' AS old, new - 'created_at' - 'created_by' AS new FROM audit WHERE object = 'extension alias' ORDER BY audit_id;
ROLLBACK;

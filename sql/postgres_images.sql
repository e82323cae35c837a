-- What provisioning reads of Postgres images, with the annotations and labels of the field.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('edb', 'https://docker.enterprisedb.com/pgai-platform');
SELECT add_registry('cnpg', 'https://ghcr.io/cloudnative-pg');
SELECT add_rule('edb', '**'), add_rule('cnpg', '*');

-- EDB annotates the index; the extension list is CSV in base64.
CREATE FUNCTION test.edb(flavor text, major text, features text, created text, extensions text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql AS $$
  SELECT jsonb_build_object('created_at', created, 'annotations', jsonb_strip_nulls(jsonb_build_object(
    'org.enterprisedb.pg.flavor', flavor, 'org.enterprisedb.pg.major_version', major, 'org.enterprisedb.pg.features', features,
    'org.opencontainers.image.created', created,
    'org.enterprisedb.pgextensions', translate(encode(convert_to(extensions, 'UTF8'), 'base64'), E'\n', ''))))
$$;
SELECT test.sync('edb', 'postgresql', jsonb_build_object(
  '17.4-2503310734', '{"image": "p1"}'::jsonb || test.edb('pg', '17', NULL, '2025-03-31T07:34:00Z'),
  '17.4-2503310734-full', '{"image": "p2"}'::jsonb || test.edb('pg', '17', NULL, '2025-03-31T07:34:00Z', E'name,version,description\npgaudit,17.1,Session and object audit logging\npgvector,0.8.0,"Vector data type, ivfflat and hnsw"\n'),
  '17.4-2504010734', '{"image": "p3"}'::jsonb || test.edb('pg', '17', NULL, '2025-04-01T07:34:00Z'),
  '17.10-2603310734', '{"image": "p4"}'::jsonb || test.edb('pg', '17', NULL, '2026-03-31T07:34:00Z'),
  '17.10-2603310734-full', '{"image": "p5"}'::jsonb || test.edb('pg', '17', NULL, '2026-03-31T07:34:00Z', E'name,version,description\npgaudit,17.1,x\npgvector,0.10.0,x\n'),
  '18.3-2605132051', '{"image": "p6"}'::jsonb || test.edb('pg', '18', NULL, '2026-05-13T20:51:00Z'),
  'latest', '{"image": "p6"}'::jsonb || test.edb('pg', '18', NULL, '2026-05-13T20:51:00Z'),
  '16.8-2503310734', '{"image": "p7"}'::jsonb || test.edb('epas', '15', NULL, '2025-03-31T07:34:00Z'),
  '15.12-2503310734', '{"image": "p8", "annotations": {"org.enterprisedb.pgextensions": "no base64!"}}'::jsonb));
SELECT test.sync('edb', 'edb-postgres-advanced', jsonb_build_object(
  '17.4-2503310734', '{"image": "a1"}'::jsonb || test.edb('epas', '17', 'psr,tde', '2025-03-31T07:34:00Z'),
  '17.5-2505220734-full', '{"image": "a2"}'::jsonb || test.edb('epas', '17', 'psr,pgd,analytics,tde', '2025-05-22T07:34:00Z')));
SELECT test.sync('edb', 'edb-postgres-extended', jsonb_build_object(
  '17.4-2503310734', '{"image": "e1"}'::jsonb || test.edb('pgextended', '17', 'tde', '2025-03-31T07:34:00Z')));
SELECT test.sync('edb', 'edb-postgres-advanced-pgd', '{"16.2.0-5.4.1-1": {"image": "g1"}}');
SELECT test.sync('edb', 'tools/backup', '{"1.0": {"image": "t1"}}');
SELECT test.sync('cnpg', 'postgresql', '{
  "18.6-202608170814-minimal-trixie": {"image": "c1", "labels": {"org.opencontainers.image.version": "18.6", "org.opencontainers.image.title": "CloudNativePG PostgreSQL minimal"}},
  "18.6-202608170814-system-bookworm": {"image": "c2", "labels": {
    "org.opencontainers.image.description": "A system PostgreSQL 18.6 container image", "org.opencontainers.image.base.name": "docker.io/library/debian:bookworm-slim"}}, "18-minimal-trixie": {"image": "c1", "labels": {"org.opencontainers.image.version": "18.6"}}}');
SELECT test.sync('cnpg', 'pgvector', '{"0.8.6-202608201414-18-trixie": {"image": "v1", "annotations": {"io.cloudnativepg.image.base.name": "ghcr.io/cloudnative-pg/postgresql",
  "io.cloudnativepg.image.base.pgmajor": "18", "io.cloudnativepg.image.base.os": "trixie", "io.cloudnativepg.image.sql.version": "0.8.6"}}}');

-- What they are before anybody decided; nothing of it may run.
SELECT registry, repository, tag, kind, version, hm_tags FROM images ORDER BY registry, repository, version_key(tag);
SELECT count(*) FROM postgres_images;
SELECT test.outcome('SELECT latest_postgres(''postgresql'', 17)');

SELECT count(approve(i.reference)) FROM (SELECT DISTINCT ON (registry, repository, digest) reference FROM images WHERE kind = 'postgres') i;
SELECT registry, repository, tag, flavor, major_version AS major, version, build_at, variant, os, features, extensions, hm_tags, conflicts, contested
FROM postgres_images ORDER BY registry, repository, version_key(tag);
SELECT repository, kinds, tags, description FROM repositories ORDER BY registry, repository;
SELECT repository, tag, left(digest, 13) AS digest, left(pinned_reference, 80) AS pinned_reference, platforms, size_bytes, created_at, kind, approval, base_image
FROM postgres_images WHERE repository = 'edb-postgres-advanced' OR os = 'bookworm' ORDER BY registry, tag;
SELECT x.name, x.version, x.description, string_agg(DISTINCT i.tag, ' ') AS images
FROM image_extensions x JOIN images i USING (digest) GROUP BY 1, 2, 3 ORDER BY 1, 2;

-- The newest of each: minor before build, never another variant.
SELECT flavor, major_version AS major, variant, os, tag FROM postgres_latest ORDER BY 1, 2, 3, 4;
SELECT asked, test.outcome(format('SELECT latest_postgres(%s)', asked)) FROM unnest(ARRAY[
  '''postgresql'', 17', '''postgresql'', 17, ''full''', '''epas'', 17', '''epas'', 17, ''full''', '''pge'', 17', '''postgresql'', 18', '''postgresql'', 18, ''minimal''',
  '''postgresql'', 17, ''full'', ''{"pgvector": "0.8"}''', '''postgresql'', 17, ''full'', ''{"pgvector": "0.9", "pgaudit": "17"}''',
  '''postgresql'', 17, ''full'', ''{"pgvector": "0.11"}''', '''postgresql'', 17, NULL, ''{"pgvector": ""}''', '''postgresql'', 17, ''full'', ''{"pgvector": null}''', '''postgresql'', 9',
  '''postgresql'', NULL', '''epas'', 15', '''PG'', 18', '''oracle'', 17', 'NULL, 17', '''postgresql'', 17, NULL, ''[]''']) asked;

-- What is revoked, or gone, is out at once; the next one is the newest.
SELECT count(revoke('docker.enterprisedb.com/pgai-platform/postgresql:17.10-2603310734'));
SELECT test.outcome('SELECT latest_postgres(''postgresql'', 17)');
SELECT test.sync('edb', 'edb-postgres-extended', '{}');
SELECT count(*) FROM postgres_images WHERE flavor = 'pge';
SELECT test.outcome('SELECT latest_postgres(''pge'', 17)');

-- The keys are data: an admin adds one, and every image is read anew.
SELECT test.sync('edb', 'custom/pg', '{"17.4": {"image": "k1", "labels": {"com.example.flavor": "epas"}}}');
SELECT kind FROM images WHERE repository = 'custom/pg';
SELECT keys FROM annotation_keys WHERE purpose = 'flavor';
SELECT set_annotation_keys('flavor', '{org.enterprisedb.pg.flavor,com.example.flavor}');
SELECT kind FROM images WHERE repository = 'custom/pg';
SELECT reclassify();
SELECT purpose, keys, test.outcome(format('SELECT set_annotation_keys(%L, %L)', purpose, keys))
FROM (VALUES ('colour', '{a}'), ('flavor', '{}'), ('flavor', NULL), ('flavor', '{a,NULL}'), ('flavor', '{""}'), (NULL, '{a}')) bad (purpose, keys);
SELECT keys FROM annotation_keys WHERE purpose = 'flavor';

-- A rule may say what an image is.
SELECT add_rule('edb', 'tools/*', kind => 'postgres', priority => 1) IS NOT NULL;
SELECT kind FROM images WHERE repository = 'tools/backup';

-- Search: words are words, not patterns.
SELECT query, kind, (SELECT string_agg(concat_ws(' ', reference, s.kind, s.matched), ' | ') FROM search_images(query, kind, 3) s) AS found
FROM (VALUES ('postgresql 17.10', NULL), ('PGVECTOR 0.8', 'postgres'), ('advanced full', 'postgres'), ('backup', 'postgres'), ('backup', 'other'), ('%', NULL), ('_', NULL), ('\', NULL),
             ('transparent', NULL), ('nothing-of-that-name', NULL), (''' OR 1=1', NULL)) q (query, kind);
SELECT count(*) FROM search_images('postgresql', max_rows => 2);
SELECT asked, test.outcome(format('SELECT count(*) FROM search_images(%s)', asked))
FROM unnest(ARRAY['NULL', '''''', '''  ''', '''x'', ''container''', '''postgresql'', NULL, 0', '''postgresql'', NULL, -1', '''postgresql'', NULL, NULL']) asked;
ROLLBACK;

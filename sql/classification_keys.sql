-- The keys that classification reads are data, and what contradicts itself is shown.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('r', 'https://registry.example.com');
SELECT add_rule('r', '**');
SELECT test.sync('r', 'edb/postgresql', jsonb_build_object(
  '17.4', '{"image": "good"}'::jsonb,
  '17.5', '{"image": "broken base64", "annotations": {"org.enterprisedb.pgextensions": "&&&"}}'::jsonb,
  '17.6', jsonb_build_object('image', 'broken csv', 'annotations', jsonb_build_object('org.enterprisedb.pgextensions', encode('"no end', 'base64'))),
  '16.8', '{"image": "epas", "annotations": {"org.enterprisedb.pg.flavor": "epas", "org.enterprisedb.pg.major_version": "15"}}'::jsonb));
SELECT test.sync('r', 'pgvector', '{"0.8.1-202608201414-18-trixie": {"image": "extension", "annotations": {
  "io.cloudnativepg.image.base.pgmajor": "17", "io.cloudnativepg.image.base.os": "bookworm", "io.cloudnativepg.image.sql.version": "0.8.1"}}}');
SELECT registry, repository, tag, left(digest, 13) AS digest, kind, conflict FROM classification_conflicts ORDER BY repository, tag COLLATE "C", conflict;
-- What could not be read is among the problems of the registry too.
SELECT repository, tag, problem, detail FROM sync_problem ORDER BY tag;
SELECT problems FROM sync_status;
-- The images are in the library all the same.
SELECT tag, kind FROM images ORDER BY repository, tag COLLATE "C";
-- What is mended has no conflict, what no rule takes is not shown.
SELECT test.sync('r', 'pgvector', '{"0.8.1-202608201414-18-trixie": {"image": "mended", "annotations": {
  "io.cloudnativepg.image.base.pgmajor": "18", "io.cloudnativepg.image.base.os": "trixie", "io.cloudnativepg.image.sql.version": "0.8.1"}}}');
SELECT count(*) FROM classification_conflicts WHERE repository = 'pgvector';
SELECT add_rule('r', 'edb/*', tags => '{17.5}', action => 'exclude') IS NOT NULL;
SELECT DISTINCT tag FROM classification_conflicts ORDER BY tag;

-- A company's own keys come first, and are told from the library's own; every image is read anew.
SELECT test.sync('r', 'team/db', jsonb_build_object('v1', jsonb_build_object('image', 'own', 'labels', jsonb_build_object('com.example.pg', 'epas', 'com.example.pg.major', '16',
  'com.example.extensions', encode(E'pgaudit,16.0,x\n', 'base64')))));
SELECT kind FROM images WHERE repository = 'team/db';
SELECT set_annotation_keys('flavor', '{com.example.pg,org.enterprisedb.pg.flavor}'), set_annotation_keys('major_version', '{com.example.pg.major}'),
       set_annotation_keys('extensions', '{com.example.*}');
SELECT purpose, keys FROM annotation_keys WHERE NOT is_default ORDER BY purpose;
SELECT kind, e.flavor, e.major_version, e.extensions FROM image_library_internal.entry e WHERE repository = 'team/db';
SELECT name, version FROM image_extensions;
-- Back to the library's own, one at a time.
SELECT reset_annotation_keys('major_version');
SELECT purpose, keys FROM annotation_keys WHERE NOT is_default ORDER BY purpose;
SELECT e.flavor, e.major_version, (SELECT string_agg(conflict, '; ' ORDER BY conflict) FROM classification_conflicts c WHERE c.repository = e.repository) AS conflicts
FROM image_library_internal.entry e WHERE repository = 'team/db';
SELECT reset_annotation_keys('flavor'), reset_annotation_keys('extensions');
SELECT kind FROM images WHERE repository = 'team/db';
SELECT count(*) FROM annotation_keys WHERE NOT is_default;
SELECT test.outcome('SELECT reset_annotation_keys(''colour'')') AS unknown, test.outcome('SELECT reset_annotation_keys(NULL)') AS none;
-- pg_dump takes an admin's keys along: the table is marked, and the script writes no row of it.
SELECT 'image_library_internal.annotation_key'::regclass = ANY (extconfig) AS dumped FROM pg_extension WHERE extname = 'image_library';

-- Images that are neither Postgres nor models have title, description and version from the same keys, in views and in searches.
SELECT add_rule('r', 'tools/**') IS NOT NULL AS added;
SELECT test.sync('r', 'tools/backup', '{"1": {"image": "tool", "annotations": {"com.example.name": "Zebra", "com.example.what": "Saves", "com.example.release": "4.2", "org.opencontainers.image.title": "Horse"}}}') ->> 'tags_added' AS tags_added;
SELECT kind, title, description, version FROM images WHERE repository = 'tools/backup';
SELECT set_annotation_keys('title', '{com.example.name}'), set_annotation_keys('description', '{com.example.what}'), set_annotation_keys('version', '{com.example.release}');
SELECT kind, title, description, version FROM images WHERE repository = 'tools/backup';
SELECT (SELECT string_agg(title || ' ' || version, ',') FROM search_images('zebra')) AS zebra, (SELECT string_agg(title, ',') FROM search_images('saves')) AS saves, (SELECT count(*) FROM search_images('horse')) AS horse;
SELECT test.sync('r', 'tools/restore', '{"1": {"image": "tool2", "annotations": {"com.example.name": "Gnu"}}}') ->> 'tags_added' AS tags_added;
SELECT title FROM images WHERE repository = 'tools/restore';
SELECT reset_annotation_keys('title'), reset_annotation_keys('description'), reset_annotation_keys('version');
SELECT title, description, version, (SELECT count(*) FROM search_images('horse')) AS horse FROM images WHERE repository = 'tools/backup';
ROLLBACK;

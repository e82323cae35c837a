-- Images that have an extension, for a major version and an OS, as rows.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_team;
CREATE ROLE test_reader IN ROLE image_library_reader;
SELECT add_registry('cnpg', 'https://ghcr.io/cloudnative-pg'), add_registry('mirror', 'https://mirror.example.com:8443'), add_registry('edb', 'https://docker.enterprisedb.com/pgai-platform');
SELECT add_rule('cnpg', '**'), add_rule('mirror', '**'), add_rule('edb', '**');
CREATE FUNCTION test.extension(name text, major text, os text, version text) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('image', name, 'annotations', jsonb_build_object('io.cloudnativepg.image.base.name', format('ghcr.io/cloudnative-pg/postgresql:%s-minimal-%s', major, os),
    'io.cloudnativepg.image.base.pgmajor', major, 'io.cloudnativepg.image.base.os', os, 'io.cloudnativepg.image.sql.version', version))
$$;
SELECT test.sync('cnpg', 'pgvector', jsonb_build_object(
  '0.8.1-202608201414-18-trixie', test.extension('v1', '18', 'trixie', '0.8.1'), '0.8.10-202608201414-18-trixie', test.extension('v2', '18', 'trixie', '0.8.10'),
  '0.8.1-18-bookworm', test.extension('v3', '18', 'bookworm', '0.8.1'), '0.8.1-202608201414-19-trixie', test.extension('v4', '18', 'trixie', '0.8.1')));
SELECT test.sync('cnpg', 'postgis-extension', jsonb_build_object('3.6.1-202608201414-18-trixie', test.extension('g1', '18', 'trixie', '3.6.1')));
SELECT test.sync('cnpg', 'pg-ivm', jsonb_build_object('1.13-202608201414-18-trixie', test.extension('i1', '18', 'trixie', '1.13')));
SELECT test.sync('cnpg', 'postgresql', '{"18.6-202608170814-minimal-trixie": {"image": "p1"}}');
SELECT test.sync('edb', 'postgresql', jsonb_build_object('17.4-2503310734-full', jsonb_build_object('image', 'e1', 'annotations', jsonb_build_object(
  'org.enterprisedb.pgextensions', translate(encode(convert_to(E'name,version,description\npgaudit,17.1,Audit\npgvector,0.8.0,Vectors\n', 'UTF8'), 'base64'), E'\n', '')))));
SELECT count(*) AS before_approval FROM extension_images;
SELECT count(approve(reference)) FROM images;
SELECT extension, version, major_version AS major, os, how, flavor, variant, registry, repository, tag, platforms, published_as, description, contested FROM extension_images
ORDER BY extension, how, registry, repository, version_key(tag);
SELECT reference, test.shown(pinned_reference) AS pinned_reference, left(digest, 10) AS digest FROM extension_images WHERE extension = 'vector' AND major_version = 18 AND os = 'trixie' ORDER BY version_key(tag);

-- Only what may be used now; a tag that moves to another image, and a rule that changes, are followed.
SELECT count(revoke(reference)) FROM images WHERE tag = '0.8.10-202608201414-18-trixie';
SELECT test.sync('cnpg', 'pgvector', jsonb_build_object('0.8.1-202608201414-18-trixie', test.extension('v1', '18', 'trixie', '0.8.1'), '0.8.1-18-bookworm', test.extension('v5', '18', 'bookworm', '0.8.1')));
SELECT tag FROM extension_images WHERE extension = 'vector' AND how = 'image volume';
SELECT count(approve(reference)) FROM pending_images WHERE repository = 'pgvector';
SELECT tag FROM extension_images WHERE extension = 'vector' AND how = 'image volume' ORDER BY 1;
SAVEPOINT rule;
SELECT add_rule('cnpg', 'pgvector', kind => 'model', priority => 1) IS NOT NULL;
SELECT count(*) FROM extension_images WHERE repository = 'pgvector';
ROLLBACK TO rule;
SELECT add_rule('cnpg', 'pgvector', '{*bookworm}', action => 'exclude') IS NOT NULL;
SELECT tag FROM extension_images WHERE repository = 'pgvector';
SELECT count(*) AS stored FROM image_library_internal.extension_image;
SELECT reclassify();
SELECT count(*) AS stored FROM image_library_internal.extension_image;

-- An extension of two repositories is not mixed into a catalog.
SELECT test.sync('mirror', 'pgvector', jsonb_build_object('0.9.0-202608201414-18-trixie', test.extension('m1', '18', 'trixie', '0.9.0')));
SELECT count(approve(reference)) FROM pending_images WHERE registry = 'mirror';
SELECT test.outcome('SELECT cnpg_image_catalog(''c'', registry => ''cnpg'')');
SELECT repositories, split_part(e #>> '{image,reference}', '@', 1) AS image
FROM unnest('{"{ghcr.io/cloudnative-pg/*}","{mirror.example.com:8443/pgvector,*/*/pg-ivm}"}'::text[]) repositories,
     jsonb_path_query(cnpg_image_catalog('c', registry => 'cnpg', extension_repositories => repositories::text[]), '$.spec.images[*].extensions[*]') e;
-- The same image in a repository of another name, and under a rule of another kind: each repository has its own extensions.
SELECT test.sync('mirror', 'secret-vector', jsonb_build_object('0.8.1-18-bookworm', test.extension('v5', '18', 'bookworm', '0.8.1'))) ->> 'tags_added' AS tags_added;
SELECT add_rule('mirror', 'plain', kind => 'other', priority => 1) IS NOT NULL AS added;
SELECT test.sync('mirror', 'plain', '{"17.4": {"image": "e1"}}') ->> 'tags_added' AS tags_added;
SELECT registry, repository, name, version FROM image_extensions WHERE digest IN (test.digest('v5'), test.digest('e1')) ORDER BY 1, 2, 3;
SELECT image_library_internal.has_extensions(r.repository_id, test.digest('e1'), '{"pgaudit": "17"}') AS has_pgaudit, r.registry
FROM image_library_internal.visible_repository r WHERE repository IN ('postgresql', 'plain') AND registry <> 'cnpg' ORDER BY 2;
-- Of a private registry only its team and admins see them.
SELECT alter_registry('mirror', owner => 'test_team', private => true);
SELECT test.outcome_as('test_reader', 'SELECT count(*) FROM image_library.extension_images WHERE registry = ''mirror'''), count(*) FROM extension_images WHERE registry = 'mirror';
SELECT test.outcome_as('test_reader', 'SELECT string_agg(DISTINCT name, '','' ORDER BY name) FROM image_library.image_extensions');
SELECT test.outcome_as('test_reader', 'SELECT jsonb_array_length(image_library.cnpg_image_catalog(''c'', registry => ''cnpg'') #> ''{spec,images,0,extensions}'')');
ROLLBACK;

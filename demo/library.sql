\echo
\echo '-- A library in this database'
CREATE EXTENSION image_library;
SET search_path = image_library, public;

\echo
\echo '-- Connect a registry (it listens on loopback, so that must be allowed) and see what it can do'
\set url 'http://' :registry
SELECT add_registry('local', :'url', allow_private => true);

SELECT * FROM check_registry('local');
SELECT * FROM list_repositories('local');

\echo
\echo '-- What would a rule bring in? Nothing is written yet'
SELECT * FROM preview_rule('local', 'postgresql', tags => '{17.*}', refresh => true);

\echo
\echo '-- Postgres images: versions 16 and later, no snapshots; CloudNativePG and what extends it. Models: all under nim/ and models/'
SELECT add_rule('local', 'postgresql', tags => '{version:>=16}', exclude_tags => '{*-snapshot*}');
SELECT add_rule('local', 'edb-postgres-*');
SELECT add_rule('local', 'cloudnative-pg/**');
SELECT add_rule('local', '{nim,models}/**');

SELECT * FROM explain_tag('local', 'postgresql', '17.4-2503310734');

\echo
\echo '-- The agent does this by itself every 15 minutes and after a change; here it is done in the session'
CALL sync();

SELECT registry, state, repositories, tags, last_error FROM sync_status;

\echo
\echo '-- Nothing is approved by itself: everything waits'
SELECT repository, tag, kind, why, version FROM pending_images ORDER BY repository, tag;

\echo
\echo '-- Somebody who answers for it approves: one image, then a batch in ordinary SQL'
SELECT approve(reference, 'release notes read') FROM pending_images
WHERE repository = 'postgresql' AND tag = '17.4-2503310734';

SELECT count(approve(reference, 'first batch')) AS approved
FROM pending_images
WHERE tag NOT LIKE '16.%';

SELECT repository, left(tag, 24) AS tag, new_state, actor, reason FROM decisions ORDER BY decision_id LIMIT 3;

\echo
\echo '-- HM tags organize them'
SELECT add_hm_tag('production', '#1a7f37'), tag_repository('local', 'postgresql', 'production');

\echo
\echo '-- What Postgres provisioning reads'
SELECT tag, flavor, major_version AS major, version, variant, os, features, hm_tags
FROM postgres_images ORDER BY flavor, version_key(tag);

SELECT repository, tag, extensions[1:3] AS some_extensions
FROM postgres_images WHERE extensions <> '{}' ORDER BY repository, tag;

\echo
\echo '-- What model serving reads'
SELECT model, model_version AS version, format, publisher, gpu_count AS gpus, pg_size_pretty(size_bytes) AS size
FROM model_library ORDER BY format, model;

\echo
\echo '-- Which of them run on two H100, and how'
SELECT m.model, p.name AS profile, p.gpu_count AS gpus
FROM model_library m, fitting_profiles(m.reference, 'NVIDIA-H100-80GB-HBM3', 2) p;

\echo
\echo '-- A provisioning flow names a channel and gets the one image it may run, pinned by digest: the newest build of the newest minor'
SELECT add_channel('prod-17', 'local', '{postgresql}', variant => '', versions => '17.*');
SELECT latest('prod-17');

\echo
\echo '-- An application keeps its own table, and nothing gets into it that is not approved'
CREATE TABLE public.cluster (name text PRIMARY KEY, image text NOT NULL);
CREATE TRIGGER approved_images BEFORE INSERT OR UPDATE OF image ON cluster
  FOR EACH ROW EXECUTE FUNCTION require_approved('image');
INSERT INTO cluster VALUES ('billing', latest('prod-17'));
SELECT record_use(image, name, 'kubernetes/eu-1') FROM cluster;

\echo
\echo '-- CloudNativePG takes its catalog as it is: images and extensions pinned (kubectl apply -f -)'
\pset format unaligned
\pset tuples_only on
SELECT jsonb_pretty(cnpg_image_catalog('approved', os => 'trixie'));

\echo
\echo '-- So does KServe take a model, and EDB Postgres AI the image of a cluster'
SELECT kserve_inference_service(reference, namespace => 'models', image_pull_secrets => '{edb-cred}')
FROM model_library WHERE model = 'llama-3.1-8b-instruct';
SELECT edb_image(image) FROM cluster;
\pset format aligned
\pset tuples_only off

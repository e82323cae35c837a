\echo
\echo '-- A library in this database'
CREATE EXTENSION image_library;
SET search_path = image_library, public;

\echo
\echo '-- Connect a registry (it listens on loopback, so that must be allowed) and see what it can do'
\set url 'http://' :registry
SELECT add_registry('local', :'url', allow_private => true);

SELECT * FROM check_registry('local');

\echo
\echo '-- What would a rule bring in? Nothing is written yet'
SELECT * FROM preview_rule('local', 'postgresql', tags => '{17.*}', refresh => true);

\echo
\echo '-- Postgres images: versions 16 and later, no snapshots. Models: everything under nim/ and models/'
SELECT add_rule('local', 'postgresql', tags => '{version:>=16}', exclude_tags => '{*-snapshot*}');
SELECT add_rule('local', 'edb-postgres-*');
SELECT add_rule('local', '{nim,models}/**', kind => 'auto');

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

SELECT approve(reference, 'first batch')
FROM pending_images
WHERE kind IN ('postgres', 'model') AND tag NOT LIKE '16.%';

SELECT repository, left(tag, 24) AS tag, new_state, actor, reason FROM decisions ORDER BY decision_id LIMIT 5;

\echo
\echo '-- HM tags organize them'
SELECT add_hm_tag('production', '#1a7f37');
SELECT tag_repository('local', 'postgresql', 'production');

\echo
\echo '-- What Postgres provisioning reads'
SELECT repository, tag, flavor, major_version AS major, version, features, platforms, hm_tags
FROM postgres_images ORDER BY flavor, version_key(tag);

SELECT repository, tag, extensions[1:3] AS some_extensions
FROM postgres_images WHERE extensions <> '{}' ORDER BY repository, tag;

\echo
\echo '-- What model serving reads'
SELECT model, model_version AS version, format, publisher, gpu_count AS gpus, pg_size_pretty(size_bytes) AS size
FROM model_library ORDER BY format, model;

\echo
\echo '-- A provisioning flow asks for the one image it may run, pinned by digest'
SELECT resolve(:'registry' || '/postgresql:17.4-2503310734');

SET search_path = image_library, public;
CALL sync('local');

\echo
\echo '-- The approval stays with the digest that was approved; the new one waits'
SELECT tag, left(digest, 19) AS digest, approval FROM images
WHERE repository = 'postgresql' AND tag = '17.4-2503310734';

SELECT tag, why, left(digest, 19) AS digest, left(previous_digest, 19) AS previous_digest
FROM pending_images WHERE why = 'tag moved';

SELECT tag, left(digest, 19) AS digest, upper_inf(valid) AS now FROM tag_history
WHERE repository = 'postgresql' AND tag = '17.4-2503310734' ORDER BY valid;

\echo
\echo '-- So nobody gets the unknown build ...'
\set ON_ERROR_STOP off
\set SHOW_CONTEXT never
INSERT INTO cluster VALUES ('orders', :'registry' || '/postgresql:17.4-2503310734');

\echo
\echo '-- ... the approved one can still be deployed, by its digest ...'
SELECT name, is_usable(image) AS usable, left(resolve(image), 60) AS resolves_to FROM cluster;

\echo
\echo '-- ... and whoever runs the old one is told'
SELECT consumer, location, drift, detail FROM drift;

\echo
\echo '-- A bad image is revoked by its digest; the newest that is left is the latest, and the way out is one statement'
SELECT revoke(:'registry' || '/' || repository || '@' || digest, 'CVE-2026-0001') AS revoked FROM drift;
SELECT consumer, drift, detail FROM drift WHERE drift = 'revoked';
UPDATE cluster SET image = latest('prod-17') WHERE name = 'billing'
RETURNING name, image;

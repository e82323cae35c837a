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
\echo '-- So nobody gets the unknown build'
\set ON_ERROR_STOP off
SELECT resolve(:'registry' || '/postgresql:17.4-2503310734');
\set ON_ERROR_STOP on

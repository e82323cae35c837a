-- From 0.1 to 0.2, when all objects exist.

-- Until now the repository that was read last gave an extension image its name, in all repositories.
SELECT image_library_internal.refresh_extensions(ARRAY(
         SELECT c FROM image_library_internal.classified_tags(x.repository_id, x.tags) c))
FROM (SELECT repository_id, array_agg(tag) AS tags FROM image_library_internal.extension_image GROUP BY 1) x;

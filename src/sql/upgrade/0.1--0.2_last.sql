-- From 0.1 to 0.2, when all objects exist.

-- Until now the repository that was read last gave an extension image its name, in all repositories.
SELECT image_library_internal.refresh_entries(x.repository_id, array_agg(x.tag))
FROM image_library_internal.extension_image x GROUP BY x.repository_id;

-- pg_dump dumps all tables except those with secrets, those whose rows the script itself inserts, the counts, which triggers
-- write when tags are restored, those of the removal of old images, which begins anew, and bundles that are
-- staged.

DO $$
DECLARE
  relation record;
BEGIN
  FOR relation IN
    SELECT c.oid::regclass AS name
    FROM pg_class c
    WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind IN ('r', 'S')
      AND c.oid <> ALL (image_library_internal.secret_tables()::oid[])
      AND c.relname NOT IN ('shipped_model_fact', 'shipped_privilege', 'tag_count', 'filled_repository', 'pruning', 'prunable_image', 'staged_line')
    ORDER BY c.oid
  LOOP
    PERFORM pg_extension_config_dump(relation.name, '');
  END LOOP;
END
$$;

-- pg_dump dumps all tables except those with secrets, those whose rows the script itself inserts, and the counts, which
-- triggers write when tags are restored.

DO $$
DECLARE
  relation record;
BEGIN
  FOR relation IN
    SELECT c.oid::regclass AS name
    FROM pg_class c
    WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind IN ('r', 'S')
      AND c.relname NOT IN ('credential', 'client_certificate', 'shipped_model_fact', 'shipped_privilege', 'tag_count', 'filled_repository')
    ORDER BY c.oid
  LOOP
    PERFORM pg_extension_config_dump(relation.name, '');
  END LOOP;
END
$$;

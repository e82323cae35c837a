-- What pg_dump takes along: everything but secrets. The script itself writes no row.

DO $$
DECLARE
  relation record;
BEGIN
  FOR relation IN
    SELECT c.oid::regclass AS name
    FROM pg_class c
    WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind IN ('r', 'S')
      AND c.relname NOT IN ('credential', 'client_certificate')
    ORDER BY c.oid
  LOOP
    PERFORM pg_extension_config_dump(relation.name, '');
  END LOOP;
END
$$;

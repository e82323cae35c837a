-- In a replica every table is closed to all but logical replication, and everywhere to sessions that have switched the
-- other triggers off. Statement triggers: one call for each statement, and none for the rows that replication writes.
DO $$
DECLARE
  relation regclass;
BEGIN
  FOR relation IN
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.oid
  LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER refuse_in_replica BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.refuse_in_replica()', relation);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER refuse_in_replica', relation);
    EXECUTE format('COMMENT ON TRIGGER refuse_in_replica ON %s IS %L', relation, 'Refuses writes if image_library.mode is replica, or if other triggers do not run');
  END LOOP;
END
$$;

-- PostgreSQL writes through a simple view with the rights of the view's owner, who may write the tables. Only the owner may
-- write the views, and members of pg_write_all_data, which is not meant to govern the library.

CREATE FUNCTION image_library_internal.refuse_view_write() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.fail(
    errcode => 'insufficient_privilege',
    message => format('view %s.%s cannot be written', TG_TABLE_SCHEMA, TG_TABLE_NAME),
    hint => 'Functions of schema image_library change the library.');
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_view_write IS 'Raises 42501: views are read only, also for members of pg_write_all_data';

DO $$
DECLARE
  relation regclass;
BEGIN
  FOR relation IN
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace) AND c.relkind = 'v'
      AND pg_relation_is_updatable(c.oid, false) <> 0
    ORDER BY c.oid
  LOOP
    EXECUTE format('CREATE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON %s
                    FOR EACH ROW EXECUTE FUNCTION image_library_internal.refuse_view_write()', relation);
    EXECUTE format('COMMENT ON TRIGGER refuse_write ON %s IS %L', relation, 'Refuses writes');
  END LOOP;
END
$$;

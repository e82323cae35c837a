-- A view and a function of a user on each view of the library, and a view on each function but those that 060_upgrade.pl names.
-- The result is their number.
CREATE SCHEMA users;
CREATE MATERIALIZED VIEW users.copy AS SELECT * FROM image_library.images;
CREATE TABLE users.kept (image image_library.images, images image_library.postgres_images[]);
DO $$
DECLARE
  relation regclass;
  function record;
BEGIN
  FOR relation IN SELECT oid FROM pg_class WHERE relnamespace = 'image_library'::regnamespace AND relkind = 'v' LOOP
    EXECUTE format('CREATE VIEW users.view_%s AS SELECT * FROM %s', relation::oid, relation);
    EXECUTE format('CREATE FUNCTION users.function_%s(r %s) RETURNS text LANGUAGE sql RETURN r::text', relation::oid, relation);
  END LOOP;
  FOR function IN
    SELECT p.oid, p.proname AS name, (SELECT string_agg(format('NULL::%s', t::regtype), ', ') FROM unnest(p.proargtypes::oid[]) t) AS arguments
    FROM pg_proc p
    WHERE p.pronamespace = 'image_library'::regnamespace AND p.prokind = 'f' AND p.prorettype NOT IN ('void'::regtype, 'trigger'::regtype)
      AND p.proname <> ALL ('{:changed_functions}')
  LOOP
    EXECUTE format('CREATE VIEW users.view_%s AS SELECT * FROM image_library.%s(%s) AS result', function.oid, function.name, function.arguments);
  END LOOP;
END
$$;
SELECT count(*) FROM pg_class WHERE relnamespace = 'users'::regnamespace AND relkind = 'v';

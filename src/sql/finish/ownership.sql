-- Every object belongs to a role that is not a superuser, which limits the damage if a function with its owner's rights
-- is misused. No file that creates objects comes after this one.

DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT format('ALTER SCHEMA %I OWNER TO image_library_owner', n.nspname)
    FROM pg_namespace n WHERE n.nspname IN ('image_library', 'image_library_internal')
    UNION ALL
    SELECT format('ALTER %s %s OWNER TO image_library_owner', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
                  c.oid::regclass)
    FROM pg_class c WHERE c.relnamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace) AND c.relkind IN ('r', 'v', 'c')
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO image_library_owner', p.oid::regprocedure)
    FROM pg_proc p WHERE p.pronamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace)
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$;

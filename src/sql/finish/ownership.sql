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

-- Row level security does not apply to the owner of the tables.
GRANT SELECT ON image_library_internal.registry, image_library_internal.repository, image_library_internal.tag, image_library_internal.entry,
  image_library_internal.image, image_library_internal.approval TO image_library_views;
ALTER VIEW image_library_internal.usable_entries OWNER TO image_library_views;
ALTER VIEW image_library_internal.visible_tags OWNER TO image_library_views;
GRANT SELECT ON image_library_internal.usable_entries, image_library_internal.visible_tags TO image_library_owner;

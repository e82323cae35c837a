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

-- The rights that pg_dump takes for granted. The commands above have changed the owner in the rights of an object, but not
-- here: pg_dump would dump the rights of every object, and a dump could be restored only where all these objects exist.
UPDATE pg_init_privs i SET initprivs = o.acl
FROM (SELECT 'pg_class'::regclass AS class, c.oid, c.relnamespace AS schema, c.relacl AS acl FROM pg_class c
      UNION ALL SELECT 'pg_proc'::regclass, p.oid, p.pronamespace, p.proacl FROM pg_proc p
      UNION ALL SELECT 'pg_namespace'::regclass, n.oid, n.oid, n.nspacl FROM pg_namespace n) o
WHERE (i.classoid, i.objoid, i.objsubid) = (o.class, o.oid, 0) AND o.acl IS NOT NULL
  AND o.schema = ANY ('{image_library,image_library_internal}'::regnamespace[]);

-- Rights that concern all objects. GRANTs on single objects stand beside them; expected/catalog.out shows all rights.
-- Nothing is granted to PUBLIC, and no role except the agent may write a table.

REVOKE ALL ON ALL TABLES IN SCHEMA image_library, image_library_internal FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA image_library, image_library_internal FROM PUBLIC;

-- ALTER DEFAULT PRIVILEGES may have granted rights to other roles. With TRIGGER on a table a role could read its
-- secrets.
DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', o.object, a.grantee::regrole)
    FROM (
      SELECT format('SCHEMA %I', n.nspname), n.nspacl, n.nspowner FROM pg_namespace n WHERE n.nspname IN ('image_library', 'image_library_internal')
      UNION ALL
      SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass), c.relacl, c.relowner
      FROM pg_class c WHERE c.relnamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace) AND c.relkind IN ('r', 'v', 'S')
      UNION ALL
      SELECT format('ROUTINE %s', p.oid::regprocedure), p.proacl, p.proowner
      FROM pg_proc p WHERE p.pronamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace)
      UNION ALL
      SELECT format('TYPE %s', t.oid::regtype), t.typacl, t.typowner
      FROM pg_type t
      WHERE t.typnamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace) AND t.typtype IN ('c', 'd', 'e')
        AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
    ) AS o (object, acl, owner), LATERAL aclexplode(o.acl) AS a
    WHERE a.grantee <> o.owner AND a.grantee <> 0
      -- The rights of these roles are granted beside each object.
      AND a.grantee <> ALL ('{image_library_reader,image_library_curator,image_library_admin,image_library_webhook,image_library_agent}'::regrole[])
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA image_library TO image_library_reader, image_library_webhook, image_library_agent;
GRANT USAGE ON SCHEMA image_library_internal TO image_library_agent;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA image_library_internal TO image_library_agent;

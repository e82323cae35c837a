-- Roles, memberships, owners, grants and policies of the library, as statements. The end of the extension script stores them as
-- they are then, and repair_privileges executes those that are not in force any more: DROP OWNED takes grants and policies
-- away, DROP ROLE memberships, REASSIGN OWNED owners.

CREATE TABLE image_library_internal.shipped_privilege (
  position integer PRIMARY KEY,
  statement text NOT NULL UNIQUE
);
COMMENT ON TABLE image_library_internal.shipped_privilege IS
  'Roles, memberships, owners, grants and policies as the extension script has made them, in the order in which they can be restored';

CREATE FUNCTION image_library_internal.privileges_in_force() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
  WITH roles AS (
    SELECT r.oid, r.rolname AS name
    FROM pg_roles r
    WHERE r.rolname = ANY ('{image_library_reader,image_library_curator,image_library_admin,image_library_webhook,image_library_agent,image_library_owner,image_library_views}')
  ), objects AS (
    SELECT format('SCHEMA %I', n.nspname) AS object, format('SCHEMA %I', n.nspname) AS granted, n.nspowner AS owner, n.nspacl AS acl
    FROM pg_namespace n WHERE n.nspname IN ('image_library', 'image_library_internal')
    UNION ALL
    -- A sequence of an identity column belongs to the owner of its table.
    SELECT CASE c.relkind WHEN 'S' THEN NULL ELSE format('%s %s', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.oid::regclass) END,
           format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass), c.relowner, c.relacl
    FROM pg_class c WHERE c.relnamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace) AND c.relkind IN ('r', 'v', 'S')
    UNION ALL
    SELECT format('ROUTINE %s', p.oid::regprocedure), format('ROUTINE %s', p.oid::regprocedure), p.proowner, p.proacl
    FROM pg_proc p WHERE p.pronamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace)
    UNION ALL
    SELECT format('TYPE %s', t.oid::regtype), NULL, t.typowner, NULL
    FROM pg_type t
    WHERE t.typnamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace)
      AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')
  )
  SELECT s.statement
  FROM (
    SELECT 1 AS step, format('CREATE ROLE %I NOLOGIN', r.name) AS statement FROM roles r
    UNION ALL
    SELECT 2, format('COMMENT ON ROLE %I IS %L', r.name, shobj_description(r.oid, 'pg_authid'))
    FROM roles r WHERE shobj_description(r.oid, 'pg_authid') IS NOT NULL
    UNION ALL
    SELECT 3, format('GRANT %I TO %I', g.name, r.name)
    FROM pg_auth_members m JOIN roles g ON g.oid = m.roleid JOIN roles r ON r.oid = m.member
    UNION ALL
    SELECT 4, format('ALTER %s OWNER TO %I', o.object, r.name) FROM objects o JOIN roles r ON r.oid = o.owner WHERE o.object IS NOT NULL
    UNION ALL
    SELECT 5, format('GRANT %s ON %s TO %I', a.privilege_type, o.granted, r.name)
    FROM objects o CROSS JOIN LATERAL aclexplode(o.acl) AS a JOIN roles r ON r.oid = a.grantee
    WHERE a.grantee <> o.owner AND o.granted IS NOT NULL
    UNION ALL
    SELECT 6, format('CREATE POLICY %I ON %s FOR %s TO %I%s%s', p.polname, p.polrelid::regclass,
                     CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END, r.name,
                     ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
    FROM pg_policy p
    JOIN pg_class c ON c.oid = p.polrelid AND c.relnamespace = 'image_library_internal'::regnamespace
    JOIN roles r ON ARRAY[r.oid] = p.polroles
    UNION ALL
    SELECT 7, format('COMMENT ON POLICY %I ON %s IS %L', p.polname, p.polrelid::regclass, obj_description(p.oid, 'pg_policy'))
    FROM pg_policy p
    JOIN pg_class c ON c.oid = p.polrelid AND c.relnamespace = 'image_library_internal'::regnamespace
    WHERE obj_description(p.oid, 'pg_policy') IS NOT NULL
  ) s
  ORDER BY s.step, s.statement COLLATE "C"
$$;
COMMENT ON FUNCTION image_library_internal.privileges_in_force IS
  'Roles, memberships, owners, grants and policies of the library as they are, one statement for each, in the order in which they can be executed';

CREATE FUNCTION image_library_internal.repair_privileges() RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
DECLARE
  policy record;
  lacking text[];
  statement text;
BEGIN
  -- They are there for another role or with another condition.
  FOR policy IN
    SELECT p.polname AS name, p.polrelid::regclass AS relation
    FROM image_library_internal.shipped_privilege s
    JOIN pg_policy p ON starts_with(s.statement, format('CREATE POLICY %I ON %s FOR ', p.polname, p.polrelid::regclass))
    WHERE s.statement NOT IN (SELECT f FROM image_library_internal.privileges_in_force() f)
  LOOP
    EXECUTE format('DROP POLICY %I ON %s', policy.name, policy.relation);
  END LOOP;
  -- Not a loop over the table, whose owner could not be changed meanwhile.
  lacking := ARRAY(
    SELECT s.statement
    FROM image_library_internal.shipped_privilege s
    WHERE s.statement NOT IN (SELECT f FROM image_library_internal.privileges_in_force() f)
    ORDER BY s.position);
  FOREACH statement IN ARRAY lacking LOOP
    EXECUTE statement;
    RETURN NEXT statement;
  END LOOP;
  -- Of a role that was dropped pg_dump would dump the number: it compares with what the extension script has granted.
  UPDATE pg_init_privs i SET initprivs = o.acl
  FROM (SELECT 'pg_proc'::regclass, p.oid, p.proacl FROM pg_proc p
        UNION ALL SELECT 'pg_class'::regclass, c.oid, c.relacl FROM pg_class c
        UNION ALL SELECT 'pg_namespace'::regclass, n.oid, n.nspacl FROM pg_namespace n) AS o (class, id, acl)
  WHERE o.class = i.classoid AND o.id = i.objoid AND i.objsubid = 0 AND o.acl IS NOT NULL
    AND EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
                WHERE d.classid = i.classoid AND d.objid = i.objoid AND d.deptype = 'e' AND e.extname = 'image_library')
    AND EXISTS (SELECT FROM aclexplode(i.initprivs) a WHERE a.grantee <> 0 AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.grantee));
END
$$;
COMMENT ON FUNCTION image_library_internal.repair_privileges IS
  'Restores roles, memberships, owners, grants and policies of the library that DROP OWNED, DROP ROLE, REASSIGN OWNED or REVOKE have taken away; returns the statements that it has executed. For superusers; other grants stay';


-- Begin of every upgrade script, after the look at the module. It takes apart what scripts/upgrade_script builds again:
-- views become stubs without dependencies, triggers and policies go. Objects of users that depend on views and functions
-- of the library stay, with what they depend on.

CREATE VIEW pg_temp.upgrade_member AS
  SELECT d.classid, d.objid,
         CASE d.classid
           WHEN 'pg_namespace'::regclass THEN format('SCHEMA %I', n.nspname)
           WHEN 'pg_proc'::regclass THEN format('ROUTINE %s.%I', p.pronamespace::regnamespace, p.proname)
           WHEN 'pg_type'::regclass THEN format('TYPE %s.%I', t.typnamespace::regnamespace, t.typname)
           WHEN 'pg_class'::regclass THEN
             format('%s %s.%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.relnamespace::regnamespace, c.relname)
         END AS object,
         coalesce(n.nspacl, p.proacl, t.typacl, c.relacl) AS acl,
         coalesce(n.nspowner, p.proowner, t.typowner, c.relowner) AS owner,
         CASE d.classid WHEN 'pg_namespace'::regclass THEN 'n' WHEN 'pg_proc'::regclass THEN 'f' WHEN 'pg_type'::regclass THEN 'T'
           ELSE CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END END::"char" AS acl_kind
  FROM pg_depend d
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'image_library'
  LEFT JOIN pg_namespace n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
  LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
  LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
  LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('r', 'v', 'S', 'p')
  WHERE d.deptype = 'e'
    AND coalesce(n.oid, p.pronamespace, t.typnamespace, c.relnamespace) = ANY ('{image_library,image_library_internal}'::regnamespace[]);

-- Rights that administrators have granted, or revoked, since the objects were made: end.sql puts them back. A GRANT in an
-- upgrade script would make all rights of the object part of the extension, and pg_dump would leave them out.
CREATE TEMP TABLE upgrade_right AS
  SELECT object, privilege_type, is_grantable, CASE r.grantee WHEN 0 THEN 'PUBLIC' ELSE r.grantee::regrole::text END AS grantee,
         bool_or(is_now) AS granted
  FROM pg_temp.upgrade_member m
  LEFT JOIN pg_init_privs i ON i.classoid = m.classid AND i.objoid = m.objid AND i.objsubid = 0
  CROSS JOIN LATERAL (
    SELECT a.grantee, a.privilege_type, a.is_grantable, true AS is_now
    FROM aclexplode(coalesce(m.acl, acldefault(m.acl_kind, m.owner))) a WHERE a.grantee NOT IN (a.grantor, m.owner)
    UNION ALL
    SELECT a.grantee, a.privilege_type, a.is_grantable, false
    FROM aclexplode(coalesce(i.initprivs, m.acl, acldefault(m.acl_kind, m.owner))) a WHERE a.grantee NOT IN (a.grantor, m.owner)) r
  WHERE object IS NOT NULL AND (r.grantee = 0 OR EXISTS (SELECT FROM pg_roles o WHERE o.oid = r.grantee))
  GROUP BY 1, 2, 3, 4
  HAVING count(DISTINCT is_now) = 1;

DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT DISTINCT format('REVOKE ALL ON %s FROM %s CASCADE', m.object, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
    FROM pg_temp.upgrade_member m, aclexplode(coalesce(m.acl, acldefault(m.acl_kind, m.owner))) a
    WHERE m.object IS NOT NULL AND a.grantee <> m.owner AND NOT (m.acl IS NULL AND m.object LIKE 'TYPE%')
    UNION ALL
    SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
    FROM pg_trigger t
    JOIN pg_temp.upgrade_member f ON f.classid = 'pg_proc'::regclass AND f.objid = t.tgfoid
    JOIN pg_temp.upgrade_member r ON r.classid = 'pg_class'::regclass AND r.objid = t.tgrelid
    WHERE NOT t.tgisinternal
    UNION ALL
    SELECT format('DROP POLICY %I ON %s', p.polname, p.polrelid::regclass)
    FROM pg_policy p
    JOIN pg_temp.upgrade_member r ON r.classid = 'pg_class'::regclass AND r.objid = p.polrelid
    WHERE p.polname IN ('visible', 'viewed', 'agent')
    UNION ALL
    SELECT format('CREATE OR REPLACE VIEW %s AS SELECT %s', c.oid::regclass,
                  (SELECT string_agg(format('NULL::%s%s AS %I', format_type(a.atttypid, a.atttypmod),
                                            CASE WHEN a.attcollation <> 0 THEN ' COLLATE ' || a.attcollation::regcollation END, a.attname),
                                     ', ' ORDER BY a.attnum)
                   FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0))
    FROM pg_class c
    JOIN pg_temp.upgrade_member r ON r.classid = 'pg_class'::regclass AND r.objid = c.oid
    WHERE c.relkind = 'v'
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$;

-- Drops an object of the extension with those that depend on it, if they are functions and views of the extension too:
-- these come later in the script. Objects of users are an error, which names them.
CREATE FUNCTION pg_temp.upgrade_drop(gone_class regclass, gone oid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  dependent record;
  statement text;
  problem text;
  dependents text;
BEGIN
  FOR dependent IN
    SELECT DISTINCT m.classid AS class, m.objid AS id
    FROM pg_depend d
    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
    JOIN pg_temp.upgrade_member m ON m.classid = CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END
                                 AND m.objid = coalesce(w.ev_class, d.objid)
    LEFT JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
    WHERE d.deptype = 'n' AND (m.classid = 'pg_proc'::regclass OR c.relkind = 'v') AND (m.classid, m.objid) <> (gone_class, gone)
      AND (d.refclassid = gone_class AND d.refobjid = gone
           -- The type of the view's rows, and the types of arrays.
           OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (
             SELECT unnest(ARRAY[t.oid, t.typarray]) FROM pg_type t
             WHERE gone_class = 'pg_class'::regclass AND t.typrelid = gone OR gone_class = 'pg_type'::regclass AND t.oid = gone))
  LOOP
    PERFORM pg_temp.upgrade_drop(dependent.class, dependent.id);
  END LOOP;
  statement := CASE gone_class
    WHEN 'pg_proc'::regclass THEN (SELECT format('DROP ROUTINE %s', p.oid::regprocedure) FROM pg_proc p WHERE p.oid = gone)
    WHEN 'pg_type'::regclass THEN (SELECT format('DROP TYPE %s', t.oid::regtype) FROM pg_type t WHERE t.oid = gone)
    ELSE (SELECT format('DROP VIEW %s', c.oid::regclass) FROM pg_class c WHERE c.oid = gone) END;
  -- It may have been dropped with what it depends on.
  IF statement IS NOT NULL THEN
    EXECUTE statement;
  END IF;
EXCEPTION
  WHEN dependent_objects_still_exist THEN
    GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, dependents = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION USING
      ERRCODE = 'dependent_objects_still_exist',
      MESSAGE = problem,
      DETAIL = dependents,
      HINT = 'Drop these objects, run ALTER EXTENSION image_library UPDATE, and create them again.';
END
$$;

-- Replaces a function, view or type by one of the same name; the names of functions are unique. What cannot be replaced,
-- because the result or columns differ, is dropped and created. Without a statement it is dropped.
CREATE FUNCTION pg_temp.upgrade_replace(kind text, name text, statement text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  class regclass := CASE kind WHEN 'VIEW' THEN 'pg_class' WHEN 'TYPE' THEN 'pg_type' ELSE 'pg_proc' END;
  before oid[] := CASE kind
    WHEN 'VIEW' THEN array_remove(ARRAY[to_regclass(name)]::oid[], NULL)
    WHEN 'TYPE' THEN array_remove(ARRAY[to_regtype(name)]::oid[], NULL)
    ELSE ARRAY(SELECT p.oid FROM pg_proc p
               WHERE p.pronamespace = split_part(name, '.', 1)::regnamespace AND p.proname = split_part(name, '.', 2)) END;
BEGIN
  IF kind = 'TYPE' OR statement IS NULL THEN
    PERFORM pg_temp.upgrade_drop(class, b) FROM unnest(before) b;
    IF statement IS NOT NULL THEN
      EXECUTE statement;
    END IF;
    RETURN;
  END IF;
  BEGIN
    EXECUTE statement;
  EXCEPTION
    WHEN invalid_table_definition OR invalid_function_definition OR wrong_object_type OR datatype_mismatch THEN
      PERFORM pg_temp.upgrade_drop(class, b) FROM unnest(before) b;
      EXECUTE statement;
      RETURN;
  END;
  -- With other parameters it is another function.
  IF kind <> 'VIEW' AND EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = split_part(name, '.', 1)::regnamespace
                                AND p.proname = split_part(name, '.', 2) AND p.oid <> ALL (before)) THEN
    PERFORM pg_temp.upgrade_drop(class, b) FROM unnest(before) b;
  END IF;
END
$$;


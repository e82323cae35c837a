-- Every object of the extension in this database with what defines it, one a line: object, property, value. Two
-- databases whose library is the same give the same lines. Names, not OIDs; columns by their order.
SET search_path = pg_catalog;
SET quote_all_identifiers = off;
WITH extension AS (
  SELECT e.* FROM pg_extension e WHERE e.extname = 'image_library'
), member AS (
  SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS object FROM pg_depend d JOIN extension e ON d.refobjid = e.oid
  WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
), relation AS (
  -- Indexes and identity sequences are no members: they go with their table.
  SELECT c.*, pg_describe_object('pg_class'::regclass, c.oid, 0) AS object FROM pg_class c
  WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND c.relkind <> 't'
), told (object, property, value) AS (
  SELECT m.object, 'member', 'yes' FROM member m
  UNION ALL SELECT 'extension', 'version', extversion FROM extension
  UNION ALL SELECT 'extension', 'comment', obj_description(oid, 'pg_extension') FROM extension
  UNION ALL SELECT 'extension', 'schema', extnamespace::regnamespace::text || ' ' || extrelocatable FROM extension
  UNION ALL SELECT format('extension, dump of %s', coalesce(c.object, 'an object that is gone')), 'condition', quote_literal(x.condition)
    FROM extension, unnest(extconfig, extcondition) AS x (relation, condition) LEFT JOIN relation c ON c.oid = x.relation
  UNION ALL SELECT 'schema ' || nspname, 'owner', nspowner::regrole::text FROM pg_namespace WHERE nspname LIKE 'image\_library%'
  -- Relations: tables, views, indexes, sequences, composite types.
  UNION ALL SELECT object, p.property, p.value FROM relation c, LATERAL (VALUES
      ('kind', c.relkind::text), ('owner', c.relowner::regrole::text), ('persistence', c.relpersistence::text),
      ('options', array_to_string(ARRAY(SELECT unnest(c.reloptions) ORDER BY 1), ',')),
      ('row security', c.relrowsecurity || ' ' || c.relforcerowsecurity), ('replica identity', c.relreplident::text),
      ('definition', CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) WHEN 'i' THEN pg_get_indexdef(c.oid) END),
      ('sequence', (SELECT format('%s %s %s %s %s %s', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle)
                    FROM pg_sequence s WHERE s.seqrelid = c.oid)),
      ('belongs to', (SELECT pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) || ' ' || d.deptype::text FROM pg_depend d
                       WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')))
    ) AS p (property, value)
  UNION ALL
    SELECT format('column %s of %s', a.attname, c.object), p.property, p.value
    FROM relation c, LATERAL (SELECT a.*, row_number() OVER (ORDER BY a.attnum) AS place FROM pg_attribute a
                              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) a
    LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum,
    LATERAL (VALUES
      ('place', a.place::text), ('type', format_type(a.atttypid, a.atttypmod)), ('collation', nullif(a.attcollation, 0)::regcollation::text),
      ('not null', a.attnotnull::text), ('identity', a.attidentity::text), ('generated', a.attgenerated::text),
      ('storage', a.attstorage::text), ('compression', a.attcompression::text), ('statistics', (to_jsonb(a) ->> 'attstattarget')),
      ('rights', a.attacl::text), ('options', array_to_string(ARRAY(SELECT o FROM unnest(a.attoptions) o WHERE o LIKE 'n\_distinct%' ORDER BY 1), ',')),
      ('default', pg_get_expr(f.adbin, f.adrelid)), ('comment', col_description(c.oid, a.attnum))
    ) AS p (property, value)
    WHERE c.relkind <> 'i'
  UNION ALL
    SELECT format('constraint %s on %s', n.conname, c.object), p.property, p.value
    FROM pg_constraint n JOIN relation c ON c.oid = n.conrelid, LATERAL (VALUES
      ('definition', pg_get_constraintdef(n.oid)), ('state', n.convalidated || ' ' || n.condeferrable || ' ' || n.condeferred),
      ('comment', obj_description(n.oid, 'pg_constraint'))) AS p (property, value)
  UNION ALL
    SELECT format('trigger %s on %s', t.tgname, c.object), p.property, p.value
    FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid, LATERAL (VALUES
      ('definition', pg_get_triggerdef(t.oid)), ('enabled', t.tgenabled::text), ('comment', obj_description(t.oid, 'pg_trigger'))) AS p (property, value)
    WHERE NOT t.tgisinternal
  UNION ALL
    SELECT format('policy %s on %s', y.polname, c.object), p.property, p.value
    FROM pg_policy y JOIN relation c ON c.oid = y.polrelid, LATERAL (VALUES
      ('command', y.polcmd::text), ('permissive', y.polpermissive::text), ('roles', ARRAY(SELECT unnest(y.polroles)::regrole::text ORDER BY 1)::text),
      ('using', pg_get_expr(y.polqual, y.polrelid)), ('check', pg_get_expr(y.polwithcheck, y.polrelid)),
      ('comment', obj_description(y.oid, 'pg_policy'))) AS p (property, value)
  UNION ALL
    SELECT m.object, p.property, p.value FROM pg_proc f JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = f.oid, LATERAL (VALUES
      -- Body, SET, volatility, SECURITY DEFINER, cost, support, defaults of parameters ...
      ('definition', pg_get_functiondef(f.oid)), ('owner', f.proowner::regrole::text), ('result', pg_get_function_result(f.oid))) AS p (property, value)
  UNION ALL
    SELECT format('type %s.%s', t.typnamespace::regnamespace, t.typname), p.property, p.value
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid, LATERAL (VALUES
      ('kind', concat(t.typtype, c.relkind)), ('owner', t.typowner::regrole::text), ('not null', t.typnotnull::text), ('default', t.typdefault),
      ('base', nullif(t.typbasetype, 0)::regtype::text),
      ('labels', (SELECT string_agg(l.enumlabel, ',' ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = t.oid))) AS p (property, value)
    WHERE t.typnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[])
  -- Rights now, and those that pg_dump takes for granted.
  UNION ALL
    SELECT o.object, format('right of %s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END),
           string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END || ' from ' || a.grantor::regrole, ', ' ORDER BY a.privilege_type)
    FROM (SELECT object, relacl FROM relation UNION ALL
          SELECT m.object, f.proacl FROM pg_proc f JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = f.oid UNION ALL
          SELECT m.object, t.typacl FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid UNION ALL
          SELECT m.object, n.nspacl FROM pg_namespace n JOIN member m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid) AS o (object, acl),
         aclexplode(o.acl) a
    GROUP BY 1, 2
  UNION ALL
    SELECT pg_describe_object(i.classoid, i.objoid, i.objsubid), format('initial right of %s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END),
           string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ', ' ORDER BY a.privilege_type)
    FROM pg_init_privs i JOIN member m ON m.classid = i.classoid AND m.objid = i.objoid, aclexplode(i.initprivs) a
    -- The owner's own rights say nothing; they name the role that ran the script.
    WHERE a.grantee <> a.grantor
    GROUP BY 1, 2
  UNION ALL
    SELECT m.object, 'comment', obj_description(m.objid, c.relname) FROM member m JOIN pg_class c ON c.oid = m.classid
  -- Roles belong to the cluster.
  UNION ALL
    SELECT format('role %s', r.rolname), 'attributes', format('%s %s %s %s %s %s %s', r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin,
                                                             r.rolreplication, r.rolbypassrls) FROM pg_roles r WHERE r.rolname LIKE 'image\_library\_%'
)
SELECT object || E'\t' || property || E'\t' || regexp_replace(value, E'\\s*\n', '\\n', 'g') FROM told WHERE value IS NOT NULL ORDER BY 1;

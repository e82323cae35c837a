-- The schema itself: documented, pinned, and each object's rights decided. What is new changes this output.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
-- What people see of the library is theirs to use: no table, and nothing that no role but the owner's or the agent's may call.
SELECT c.relkind, c.relname AS not_for_people FROM pg_class c
WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind <> 'c' AND NOT has_table_privilege('image_library_reader', c.oid, 'SELECT') ORDER BY 2;
SELECT p.proname AS not_for_people FROM pg_proc p
WHERE p.pronamespace = 'image_library'::regnamespace AND NOT has_function_privilege('image_library_admin', p.oid, 'EXECUTE') ORDER BY 1;
CREATE VIEW test.routine AS
  SELECT p.oid::regprocedure::text AS signature, p.* FROM pg_proc p WHERE p.pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]);

-- Every object has a comment: relations, functions and procedures, the schema, the extension, the roles.
SELECT c.relkind, c.relname AS without_comment FROM pg_class c
WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND obj_description(c.oid, 'pg_class') IS NULL ORDER BY 2;
SELECT signature AS without_comment FROM test.routine r WHERE obj_description(r.oid, 'pg_proc') IS NULL ORDER BY 1;
SELECT t.typname AS without_comment FROM pg_type t
WHERE t.typnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND t.typtype IN ('e', 'd') AND obj_description(t.oid, 'pg_type') IS NULL ORDER BY 1;
SELECT (SELECT count(*) FROM pg_namespace n WHERE nspname LIKE 'image\_library%' AND obj_description(n.oid, 'pg_namespace') IS NULL) AS schemas_without_comment,
       (SELECT obj_description(e.oid, 'pg_extension') IS NOT NULL FROM pg_extension e WHERE e.extname = 'image_library') AS extension;
SELECT rolname, shobj_description(oid, 'pg_authid') IS NOT NULL AS comment, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls,
       ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid ORDER BY 1) AS member_of
FROM pg_roles r WHERE rolname LIKE 'image\_library\_%' ORDER BY 1;

-- Functions that are not C pin their search_path, or were parsed when they were made; all that run with their owner's rights pin it.
SELECT signature AS search_path_not_pinned FROM test.routine r JOIN pg_language l ON l.oid = r.prolang
WHERE (l.lanname IN ('plpgsql', 'sql') AND r.prosqlbody IS NULL OR r.prosecdef) AND NOT coalesce(r.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}' ORDER BY 1;
-- A function with its owner's rights takes and gives values of PostgreSQL's own types, and rows of them that are the library's:
-- with any other type comes code of a user (casts, operators, input and output functions, domains, defaults).
CREATE FUNCTION test.is_plain(asked oid) RETURNS boolean LANGUAGE sql AS $$
  SELECT CASE WHEN t.typtype = 'b' AND t.typelem <> 0 AND t.typcategory = 'A' THEN test.is_plain(t.typelem)
              WHEN t.typtype = 'c' THEN t.typnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[])
                AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped AND NOT test.is_plain(a.atttypid))
              ELSE t.typtype = 'b' AND t.typnamespace = 'pg_catalog'::regnamespace END
  FROM pg_type t WHERE t.oid = asked
$$;
-- (chain_row is the trigger of two tables of the library, which have such columns only; nobody may call it. The event
-- trigger has no row.)
SELECT r.signature AS definer, format_type(x.type, NULL) AS takes_or_gives FROM test.routine r,
  LATERAL (SELECT unnest(coalesce(r.proallargtypes, r.proargtypes::oid[])) UNION
           -- What it returns, where that is not told column by column.
           SELECT r.prorettype WHERE r.prorettype <> 'void'::regtype AND NOT (r.prorettype = 'record'::regtype AND r.proallargtypes IS NOT NULL)) AS x (type)
WHERE r.prosecdef AND NOT test.is_plain(x.type) ORDER BY 1, 2;
-- The check finds what it is for.
CREATE TYPE test.mood AS ENUM ('good');
CREATE TYPE test.pair AS (mood test.mood);
CREATE DOMAIN test.positive AS integer CHECK (VALUE > 0);
SELECT type, test.is_plain(type) FROM unnest('{text,text[],jsonb,regrole,image_library.images,test.mood,test.mood[],test.pair,test.positive,record,anyelement,trigger}'::regtype[]) type;
-- Nor does it run statements that it puts together, or look at the row of a trigger.
SELECT signature AS definer_with_dynamic_sql FROM test.routine WHERE prosecdef AND prosrc ~* '\mexecute\M' ORDER BY 1;
-- No object belongs to a superuser: what a definer could be made to do ends at the library.
SELECT DISTINCT o.what, o.owner::regrole, (SELECT rolsuper FROM pg_roles WHERE oid = o.owner) AS superuser
FROM (SELECT 'relations', relowner FROM pg_class WHERE relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) UNION ALL
      SELECT 'routines', proowner FROM pg_proc WHERE pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) UNION ALL
      SELECT 'types', typowner FROM pg_type WHERE typnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) UNION ALL
      SELECT 'schema', nspowner FROM pg_namespace WHERE nspname IN ('image_library', 'image_library_internal')) AS o (what, owner) ORDER BY 1;

-- CREATE EXTENSION does not look into function bodies: here each is made again with the look.
SET LOCAL check_function_bodies = on;
CREATE FUNCTION test.made_again(routine oid) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE pg_get_functiondef(routine);
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLERRM;
END
$$;
SELECT signature, test.made_again(r.oid) AS fault FROM test.routine r JOIN pg_language l ON l.oid = r.prolang
WHERE l.lanname IN ('plpgsql', 'sql') AND test.made_again(r.oid) IS NOT NULL ORDER BY 1;
-- plpgsql looks no deeper than its syntax: names that no relation has are found here.
SELECT r.signature, m[2] AS no_such_relation
FROM test.routine r, regexp_matches(r.prosrc, '(?:FROM|JOIN|INTO|UPDATE|USING)\s+(image_library(?:_internal)?)\.([a-z_]+)(?![a-z_]*\s*\()', 'g') m
WHERE to_regclass(m[1] || '.' || m[2]) IS NULL AND NOT EXISTS (SELECT FROM test.routine f WHERE f.pronamespace::regnamespace::text = m[1] AND f.proname = m[2]) ORDER BY 1, 2;
SELECT r.signature, m[2] AS no_such_routine
FROM test.routine r, regexp_matches(r.prosrc, '(image_library(?:_internal)?)\.([a-z_]+)\s*\(', 'g') m
WHERE r.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c')
  AND NOT EXISTS (SELECT FROM test.routine f WHERE f.pronamespace::regnamespace::text = m[1] AND f.proname = m[2]) AND to_regclass(m[1] || '.' || m[2]) IS NULL ORDER BY 1, 2;
-- The read model's rows are put together in the order of its columns.
SELECT column_name, told FROM (SELECT a.attname AS column_name, row_number() OVER (ORDER BY a.attnum) AS n FROM pg_attribute a
                               WHERE a.attrelid = 'image_library_internal.entry'::regclass AND a.attnum > 0) c
FULL JOIN (SELECT m[1] AS told, row_number() OVER () AS n FROM test.routine r, regexp_matches(r.prosrc, ' AS ([a-z_]+)(?=,?\n\s+\S)', 'g') m
           WHERE r.proname = 'wanted_entries' AND m[1] <> 'f') f USING (n) WHERE column_name IS DISTINCT FROM told;
-- C functions can be called with NULL only where they expect it.
SELECT signature AS c_function_not_strict FROM test.routine r JOIN pg_language l ON l.oid = r.prolang
WHERE l.lanname = 'c' AND NOT r.proisstrict AND r.pronargs > 0 ORDER BY 1;

-- Errors are raised by fail, whose context shows no internal functions; require_unchanged catches its own. fail knows
-- all conditions that functions name.
SELECT p.oid::regprocedure AS raises_by_itself FROM pg_proc p
WHERE p.pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND p.prosrc LIKE '%RAISE EXCEPTION%' ORDER BY 1;
-- A function parses its constants when it runs: a backslash in one without E means something else where
-- standard_conforming_strings is off.
SELECT p.oid::regprocedure AS backslash_without_e FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND l.lanname IN ('sql', 'plpgsql')
  AND position('\' IN regexp_replace(p.prosrc, '\mE''([^''\\]|\\.|'''')*''', '', 'g')) > 0 ORDER BY 1;
DO $$
DECLARE
  condition text;
BEGIN
  FOR condition IN
    SELECT DISTINCT m[1] FROM pg_proc p CROSS JOIN LATERAL regexp_matches(p.prosrc, 'errcode => ''(\w+)''', 'g') m
    WHERE p.pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[])
  LOOP
    BEGIN
      PERFORM image_library_internal.fail(errcode => condition, message => 'test');
    EXCEPTION
      WHEN internal_error THEN RAISE WARNING '%', SQLERRM;
      WHEN OTHERS THEN NULL;
    END;
  END LOOP;
END
$$;

-- Nothing is granted to PUBLIC, and every grant that there is.
SELECT c.relname, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND a.grantee = 0;
SELECT signature FROM test.routine r WHERE r.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(r.proacl) a WHERE a.grantee = 0) ORDER BY 1;
SELECT nspname FROM pg_namespace, aclexplode(nspacl) a WHERE nspname IN ('image_library', 'image_library_internal') AND a.grantee = 0;
CREATE FUNCTION test.granted(acl aclitem[]) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(replace(grantee, 'image_library_', '') || CASE WHEN privileges = 'EXECUTE' THEN '' ELSE ' ' || privileges END, ', ' ORDER BY grantee), 'nobody')
  FROM (SELECT a.grantee::regrole::text AS grantee, string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type COLLATE "C") AS privileges
        FROM aclexplode(acl) a WHERE a.grantee NOT IN (0, a.grantor) GROUP BY 1) g
$$;
SELECT c.relkind, c.relname, test.granted(c.relacl) AS granted_to FROM pg_class c
WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND c.relkind IN ('r', 'v', 'S') ORDER BY c.relkind, c.relname COLLATE "C";
SELECT regexp_replace(signature, 'image_library(_internal)?\.', '', 'g') AS routine, CASE WHEN prosecdef THEN 'owner' ELSE 'caller' END AS runs_as, test.granted(proacl) AS granted_to
FROM test.routine ORDER BY proname COLLATE "C", signature COLLATE "C";

-- Views people read run with their owner's rights, and keep functions in conditions from rows that they hide: those that have no
-- barrier of their own stand on a view that row level security filters.
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind = 'v'
  AND (NOT coalesce(c.reloptions, '{}') @> '{security_barrier=true}' OR c.reloptions::text LIKE '%security_invoker=true%') ORDER BY 1;
-- Every foreign key can be followed backwards by an index, or its table is small.
SELECT c.conrelid::regclass AS relation, c.conname AS foreign_key_without_index FROM pg_constraint c
WHERE c.connamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND c.contype = 'f'
  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey AND i.indpred IS NULL)
ORDER BY 1, 2;
-- Logical replication needs a key of every table; the upgrade script goes by the names of functions.
SELECT c.relname AS without_primary_key FROM pg_class c WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) ORDER BY 1;
SELECT pronamespace::regnamespace, proname AS not_unique FROM test.routine GROUP BY 1, 2 HAVING count(*) > 1;
-- pg_dump takes every table but the secrets, and what the script itself writes.
SELECT c.relname AS not_dumped FROM pg_class c WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND c.relkind = 'r'
  AND c.oid <> ALL ((SELECT e.extconfig FROM pg_extension e WHERE e.extname = 'image_library')::oid[]) ORDER BY 1;
ROLLBACK;

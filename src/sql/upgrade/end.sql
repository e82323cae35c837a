-- End of every upgrade script: the rights that administrators have set, and a look of the agent when this commits.

-- Objects of the old version have been dropped since finish/privileges.sql has noted the rights on them.
DELETE FROM image_library_internal.shipped_privilege s
WHERE s.statement NOT IN (SELECT f FROM image_library_internal.privileges_in_force() f);

CREATE TEMP TABLE upgrade_initial AS
  SELECT i.objoid, i.classoid, i.objsubid, i.initprivs
  FROM pg_init_privs i JOIN pg_temp.upgrade_member m ON (m.classid, m.objid) = (i.classoid, i.objoid);
DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT CASE WHEN r.granted
                THEN format('GRANT %s ON %s TO %s%s', r.privilege_type, r.object, r.grantee, CASE WHEN r.is_grantable THEN ' WITH GRANT OPTION' END)
                ELSE format('REVOKE %s ON %s FROM %s CASCADE', r.privilege_type, r.object, r.grantee) END
    FROM pg_temp.upgrade_right r
    WHERE EXISTS (SELECT FROM pg_temp.upgrade_member m WHERE m.object = r.object)
    ORDER BY r.granted
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$;
-- What the extension itself has granted, for pg_dump.
DELETE FROM pg_init_privs i USING pg_temp.upgrade_member m
WHERE (m.classid, m.objid) = (i.classoid, i.objoid)
  AND NOT EXISTS (SELECT FROM pg_temp.upgrade_initial n WHERE (n.classoid, n.objoid, n.objsubid) = (i.classoid, i.objoid, i.objsubid));
UPDATE pg_init_privs i SET initprivs = n.initprivs
FROM pg_temp.upgrade_initial n
WHERE (n.classoid, n.objoid, n.objsubid) = (i.classoid, i.objoid, i.objsubid) AND n.initprivs IS DISTINCT FROM i.initprivs;
DROP TABLE pg_temp.upgrade_initial, pg_temp.upgrade_right;
DROP VIEW pg_temp.upgrade_member;
DROP FUNCTION pg_temp.upgrade_replace, pg_temp.upgrade_drop;

SELECT image_library_internal.wake_agent();

-- What operators look at: alerts, and the repair of privileges. The agent itself is in test/t/060_operations.pl.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library

-- No alert, whatever the server of this test does with its agent.
CREATE VIEW test.alert AS
  SELECT alert, severity, registry, test.shown(subject) AS subject, since IS NOT NULL AS since, regexp_replace(test.shown(detail), '\d{4}-\d\d-\d\d [0-9:.+]+', '<time>', 'g') AS detail
  FROM image_library.alerts() WHERE alert <> 'agent';
SELECT add_registry('hub', 'https://hub.example.org'), add_rule('hub', '**');
SELECT test.sync('hub', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "17.6": {"image": "c"}, "17.7": {"image": "d"}, "17.8": {"image": "e"}}') IS NOT NULL;
TABLE test.alert;

-- Runs: two failures in a row are no alert, three are, and the first of them tells since when.
INSERT INTO run (registry_id, cause, started_at, finished_at, outcome, error, next_at)
SELECT registry_id, 'schedule', now() - n * interval '1 hour', now() - n * interval '1 hour', CASE n WHEN 9 THEN 'complete' ELSE 'failed' END,
       CASE WHEN n < 9 THEN 'the registry did not answer' END, now() + interval '1 hour'
FROM registry, unnest('{9,8,7}'::integer[]) n;
TABLE test.alert;
INSERT INTO run (registry_id, cause, started_at, finished_at, outcome, error, next_at)
SELECT registry_id, 'schedule', now() - interval '6 hours', now() - interval '6 hours', 'failed', 'the registry did not answer', now() - interval '2 hours' FROM registry;
TABLE test.alert;
SELECT now() - since AS failing_for FROM alerts(failures => 2) WHERE alert = 'registry failing';
SELECT count(*) FROM alerts(failures => 4, overdue_after => '3 hours') WHERE alert <> 'agent';
SELECT disable_registry('hub');
SELECT count(*) FROM alerts() WHERE alert = 'sync overdue';
SELECT enable_registry('hub');
INSERT INTO run (registry_id, cause, finished_at, outcome, error, next_at) SELECT registry_id, 'schedule', now(), 'partial', 'requests_per_run is used up', now() + interval '1 hour' FROM registry;
UPDATE registry SET created_at = created_at - interval '3 days';
UPDATE run SET finished_at = finished_at - interval '2 days' WHERE outcome = 'complete';
TABLE test.alert;
DELETE FROM run;
INSERT INTO run (registry_id, cause, finished_at, outcome, next_at) SELECT registry_id, 'schedule', now(), 'complete', now() + interval '1 hour' FROM registry;

-- What could not be read, for long; and at once what somebody did.
INSERT INTO problem (registry_id, repository, tag, problem, detail, first_seen_at)
SELECT registry_id, v.* FROM registry, (VALUES
  ('postgresql', '17.1', 'malformed', 'the manifest is not JSON', now() - interval '2 days'),
  ('postgresql', '17.2', 'malformed', 'the manifest is not JSON', now()),
  ('postgresql', '17.3', 'unreachable', 'no answer', now()),
  ('nim', '', 'denied', '401', now() - interval '2 days'),
  ('postgresql', '17.0', 'digest mismatch', 'the body has another digest', now())) v;
TABLE test.alert;
SELECT count(*) FROM alerts(problems_after => '3 days') WHERE alert = 'not read';
DELETE FROM problem;
SELECT write_removals(repository_id, '{16.1,16.2}') FROM repository;
TABLE test.alert;
SELECT accept_removals('hub', 'postgresql');
TABLE test.alert;
SELECT note_registry(registry_id, NULL, 'this registry is read-only from June') FROM registry;
TABLE test.alert;
SELECT note_registry(registry_id, NULL, NULL) FROM registry;

-- Decisions.
UPDATE tag SET digest_changed_at = now() - interval '8 days' WHERE name IN ('17.4', '17.5');
TABLE test.alert;
SELECT count(*) FROM alerts(pending_after => '30 days') WHERE alert = 'pending';
SELECT count(approve(reference, valid_until => now() + CASE tag WHEN '17.8' THEN interval '1 year' ELSE interval '10 days' END)) FROM pending_images;
SELECT count(record_use('hub.example.org/postgresql:' || tag, 'cluster ' || tag, 'berlin')) FROM unnest('{17.5,17.6,17.7}'::text[]) tag;
TABLE test.alert;
SELECT count(*) FROM alerts(ends_within => '9 days') WHERE alert = 'approval expires';
SELECT count(deprecate('hub.example.org/postgresql:17.6', now() + interval '5 days')), count(quarantine('hub.example.org/postgresql:17.7', 'CVE-2026-1')),
       count(revoke('hub.example.org/postgresql:17.5', 'withdrawn'));
SELECT record_use('other.example.org/redis:7', 'cache');
SELECT * FROM test.alert WHERE registry IS NULL OR subject IS NOT NULL;

-- A role is told of what it may see, and nobody else of anything.
CREATE ROLE team;
CREATE ROLE monitor IN ROLE image_library_reader;
CREATE ROLE member IN ROLE image_library_reader, team;
SELECT alter_registry('hub', owner => 'team', private => true);
SELECT test.outcome_as(role_name, $$SELECT count(*) FROM image_library.alerts() WHERE registry = 'hub'$$) FROM unnest('{monitor,member,team}'::text[]) role_name;
SELECT alter_registry('hub', private => false);

-- A role that is dropped leaves its number.
CREATE ROLE gone_team;
SELECT alter_registry('hub', owner => 'gone_team'), add_channel('gone', 'hub', '{postgresql}', owner => 'gone_team'), add_rule('hub', 'gone/**', owner => 'gone_team') > 0 AS rule;
SELECT count(*) FROM alerts() WHERE alert = 'owner dropped';
DROP ROLE gone_team;
SELECT alert, severity, registry, regexp_replace(subject, '\d+', 'N') AS subject, regexp_replace(detail, '\d+', 'N') AS detail, hint FROM alerts() WHERE alert = 'owner dropped';
SELECT alter_registry('hub', owner => '-'), drop_channel('gone'), drop_rule(rule_id) FROM rules WHERE repositories = 'gone/**';

-- agent_status says in a word what the agent does; what it is depends on the server of this test.
SELECT state = ANY ('{stopped,disabled,restoring,working,failing,idle,no worker slot,waiting}') AS state, launcher_started_at <= now() IS NOT FALSE AS started,
       cardinality(worker_pids) <= workers AS pids, waiting >= 0 IS NOT FALSE AS waiting FROM agent_status() WHERE database = current_database();

-- Privileges. What the script has made is in force, and stays so when it is repaired.
CREATE VIEW test.lacking AS
  SELECT s.statement FROM shipped_privilege s WHERE s.statement NOT IN (SELECT f FROM privileges_in_force() f) ORDER BY s.position;
TABLE test.lacking;
SELECT count(*) > 900 AS many FROM shipped_privilege;
SELECT count(*) FROM repair_privileges();
SET quote_all_identifiers = on;
SELECT count(*) FROM repair_privileges();
RESET quote_all_identifiers;
SELECT test.outcome_as('monitor', 'SELECT image_library_internal.repair_privileges()');
-- All of the catalogs that it concerns, to compare.
CREATE FUNCTION test.rights() RETURNS text LANGUAGE sql AS $$
  SELECT md5(string_agg(line, E'\n' ORDER BY line COLLATE "C")) FROM (
    SELECT concat_ws(' ', c.oid::regclass, c.relowner::regrole, a.grantee::regrole, a.privilege_type) FROM pg_class c LEFT JOIN aclexplode(c.relacl) a ON true
    WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[])
    UNION ALL SELECT concat_ws(' ', p.oid::regprocedure, p.proowner::regrole, a.grantee::regrole, a.privilege_type) FROM pg_proc p LEFT JOIN aclexplode(p.proacl) a ON true
    WHERE p.pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[])
    UNION ALL SELECT concat_ws(' ', n.nspname, n.nspowner::regrole, a.grantee::regrole, a.privilege_type) FROM pg_namespace n LEFT JOIN aclexplode(n.nspacl) a ON true
    WHERE n.nspname LIKE 'image\_library%'
    UNION ALL SELECT concat_ws(' ', t.oid::regtype, t.typowner::regrole) FROM pg_type t WHERE t.typnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[])
    UNION ALL SELECT concat_ws(' ', polname, polrelid::regclass, polcmd, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid), obj_description(oid, 'pg_policy'))
    FROM pg_policy
    UNION ALL SELECT concat_ws(' ', roleid::regrole, member::regrole) FROM pg_auth_members WHERE roleid::regrole::text LIKE 'image\_library%' AND member::regrole::text LIKE 'image\_library%'
    UNION ALL SELECT concat_ws(' ', rolname, rolsuper, rolcanlogin, shobj_description(oid, 'pg_authid')) FROM pg_roles WHERE rolname LIKE 'image\_library%') AS lines (line)
$$;
SELECT test.rights() AS rights \gset
-- All roles lose everything but what they own.
SELECT string_agg(rolname, ', ') AS roles FROM pg_roles WHERE rolname LIKE 'image\_library\_%' AND rolname <> ALL ('{image_library_owner,image_library_views}') \gset
DROP OWNED BY :roles;
SELECT test.outcome_as('monitor', 'SELECT count(*) FROM image_library.images');
SELECT count(*) > 300 AS many FROM test.lacking;
SELECT split_part(statement, ' ', 1) AS command, count(*) > 20 AS many FROM repair_privileges() AS statement GROUP BY 1 ORDER BY 1;
SELECT test.rights() = :'rights' AS as_before;
SELECT test.outcome_as('monitor', 'SELECT count(*) FROM image_library.images');
-- A role is dropped, with its memberships (PostgreSQL 17 and later refuse that). Logins that were members are to be granted it again.
DROP OWNED BY image_library_curator;
DO $$ BEGIN DROP ROLE image_library_curator; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $$;
SELECT count(*) > 20 AS many FROM repair_privileges();
SELECT count(*) AS of_dropped_roles FROM pg_init_privs, aclexplode(initprivs) a WHERE a.grantee <> 0 AND a.grantee NOT IN (SELECT oid FROM pg_roles);
SELECT test.rights() = :'rights' AS as_before;
-- Somebody else owns all of it, and right after that it is the library's again.
SET CONSTRAINTS ALL IMMEDIATE;
REASSIGN OWNED BY image_library_owner, image_library_views TO team;
SELECT DISTINCT split_part(statement, ' ', 1) || ' ' || split_part(statement, ' ', 2) AS command FROM test.lacking ORDER BY 1;
SELECT count(*) > 500 AS many FROM repair_privileges();
SELECT test.rights() = :'rights' AS as_before;
-- What a role may lose of its own.
REVOKE SELECT ON images FROM image_library_reader;
REVOKE USAGE ON SCHEMA image_library FROM image_library_reader;
REVOKE image_library_curator FROM image_library_admin;
SELECT repair_privileges();
-- Objects of the extension are not dropped with their owner.
SELECT test.outcome('DROP OWNED BY image_library_owner');
-- A role that has another name is made again, and policies are for it.
ALTER ROLE image_library_agent RENAME TO other_agent;
SELECT count(*) > 300 AS many FROM repair_privileges();
DROP OWNED BY other_agent;
SELECT test.rights() = :'rights' AS as_before;
-- Grants of others stay.
GRANT SELECT ON images TO team;
SELECT count(*) FROM repair_privileges();
SELECT has_table_privilege('team', 'images', 'SELECT');
ROLLBACK;

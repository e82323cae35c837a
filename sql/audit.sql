-- The audit: who changed how the library is governed, from what to what; secrets are not in it, and nobody changes it.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_admin LOGIN IN ROLE image_library_admin;
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE ROLE test_team IN ROLE image_library_reader;
CREATE VIEW test.audit AS SELECT audit_id, action, object, name, registry, old - '{created_at,created_by,set_at}'::text[] AS old, new - '{created_at,created_by,set_at}'::text[] AS new FROM audit;
CREATE FUNCTION test.news() RETURNS SETOF test.audit LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT * FROM test.audit a WHERE a.audit_id > coalesce(nullif(current_setting('test.seen', true), '')::bigint, 0) ORDER BY a.audit_id;
  PERFORM set_config('test.seen', (SELECT max(a.audit_id) FROM test.audit a)::text, true);
END
$$;

-- Registries and rules: what differs, and nothing for a change that changes nothing or that the agent notes for itself.
SELECT add_registry('local', 'http://localhost:5000', allow_private => true), add_registry('other', 'https://registry.example.com/x');
SELECT action, object, name, registry, old, new ->> 'host' AS host, new ? 'sync_requested_at' AS notes FROM test.news();
SELECT alter_registry('local', max_connections => 4, private => true, owner => 'test_team'), disable_registry('other'), disable_registry('other'), request_sync('local');
SELECT action, object, name, old, new FROM test.news();
SELECT add_rule('local', 'postgresql') AS rule \gset
SELECT alter_rule(:rule, priority => 7, tags => '{17.*}'), alter_rule(:rule, priority => 7);
SELECT disable_rule(:rule), enable_rule(:rule);
SELECT action, object, name = :'rule' AS numbered, registry, old, new - '{rule_id,registry_id}'::text[] AS new FROM test.news();

-- Credentials: that one was set, changed or dropped, and where; nothing of it.
SELECT set_credential('local', 'robot-0815', 'Secret-4711'), set_credential('local', 'robot-0815', 'Secret-4712'), set_credential('local', 'other-0815', 'Secret-4713', 'team');
SELECT drop_credential('local', 'team');
INSERT INTO credential (registry_id, repository_prefix, file) SELECT registry_id, 'team', '4714.json' FROM registry WHERE name = 'local';
UPDATE credential SET file = NULL, username = 'robot-0815', variable = 'IMAGE_LIBRARY_4715' WHERE repository_prefix = 'team';
SELECT action, object, name, registry, old, new FROM test.news();
SELECT count(*) AS told_secrets FROM audit_entry e WHERE e::text ~ '0815|471';

-- HM tags, what has them, annotation keys and policies.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}}');
SELECT add_hm_tag('green'), tag_repository('local', 'postgresql', 'green'), tag_image('localhost:5000/postgresql:17.4', 'green'), tag_image('localhost:5000/postgresql:17.4', 'green');
SELECT untag_image('localhost:5000/postgresql:17.4', 'green');
SELECT drop_hm_tag('green');
SELECT action, object, name, registry FROM test.news();
SELECT set_annotation_keys('title', '{a,b}'), reset_annotation_keys('title');
SELECT action, object, name, old, new FROM test.news();
SELECT add_policy('signed', 'image_library.is_signed(images)'), disable_policy('signed'), disable_policy('signed'), drop_policy('signed');
SELECT action, object, name, old - 'policy_id' AS old, new - 'policy_id' AS new FROM test.news();

-- Who: the session user, whatever role it has taken.
SET ROLE test_admin;
SELECT add_hm_tag('by role');
RESET ROLE;
SELECT name, actor = session_user AS session_user FROM audit ORDER BY audit_id DESC LIMIT 1;

-- What goes back leaves nothing; what is dropped takes its own along, each told, and the name of its registry stays.
SAVEPOINT before;
SELECT drop_rule(:rule);
ROLLBACK TO before;
SELECT count(*) FROM audit WHERE object = 'rule' AND action = 'dropped';
SELECT drop_registry('local');
SELECT action, object, name = :'rule' AS numbered, registry FROM audit WHERE action = 'dropped' AND registry = 'local' ORDER BY object, audit_id;

-- Who purged what, and how much it was.
UPDATE event SET at = now() - interval '31 days' WHERE event_id <= (SELECT event_id FROM events ORDER BY event_id OFFSET 2 LIMIT 1);
SELECT purge_events('30 days'), purge_history();
SELECT test.outcome_as('test_admin', 'SELECT image_library.purge_events(''1 day'')'), test.outcome_as('test_reader', 'SELECT image_library.purge_events(''1 day'')');
SELECT action, object, name, registry, old - 'events' AS old, (old ->> 'events')::integer AS events, new FROM test.news() WHERE action = 'purged';
SELECT test.outcome_as('test_reader', 'SELECT string_agg(DISTINCT object, '' '') FROM image_library.audit WHERE action = ''purged''');

-- Who sees it: of a private registry its team and admins, of one that is gone admins.
SELECT add_registry('hidden', 'http://localhost:5001', allow_private => true, owner => 'test_team', private => true);
SELECT role_name, test.outcome_as(role_name, 'SELECT string_agg(DISTINCT registry, '' '' ORDER BY registry) FROM image_library.audit') AS registries,
  test.outcome_as(role_name, 'SELECT string_agg(DISTINCT registry, '' '' ORDER BY registry) FROM image_library.events') AS told
FROM unnest('{test_reader,test_team,test_admin}'::text[]) role_name;

-- The tables say the same, should one be granted: also of a registry that is gone, and of what concerns none.
SAVEPOINT granted;
GRANT USAGE ON SCHEMA image_library_internal TO image_library_reader;
GRANT SELECT ON event, audit_entry TO image_library_reader;
SELECT role_name, relation, test.outcome_as(role_name, format('SELECT concat_ws('' '', count(*) FILTER (WHERE registry = ''local'') > 0, count(*) FILTER (WHERE registry = ''hidden'') > 0, count(*) FILTER (WHERE registry = ''other'') > 0, count(*) FILTER (WHERE registry_id IS NULL) > 0) FROM image_library_internal.%I', relation)) AS "dropped hidden other none"
FROM unnest('{test_reader,test_team,test_admin}'::text[]) role_name, unnest('{event,audit_entry}'::text[]) relation ORDER BY 2, 1;
ROLLBACK TO granted;

-- Nobody changes it. (Rows wait for the chain, which no TRUNCATE may interrupt.)
SET CONSTRAINTS ALL IMMEDIATE;
SELECT statement, test.outcome(statement) FROM unnest(ARRAY['UPDATE audit_entry SET actor = ''nobody''', 'DELETE FROM audit_entry', 'TRUNCATE audit_entry']) statement;
SELECT test.outcome_as('test_admin', 'DELETE FROM image_library_internal.audit_entry'), test.outcome_as('test_admin', 'INSERT INTO image_library_internal.audit_entry DEFAULT VALUES');
-- The rows that pg_dump restores were audited when they were made.
SELECT count(*) AS before FROM audit_entry \gset
SELECT set_config('search_path', '', true);
INSERT INTO image_library_internal.hm_tag (name, color) VALUES ('restored', 'red');
SET LOCAL search_path = image_library, image_library_internal, public;
SELECT count(*) - :before AS audited FROM audit_entry;
ROLLBACK;

-- Who may do what. Nothing is granted to PUBLIC, and every write goes through a function.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_nobody;
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE ROLE test_curator IN ROLE image_library_curator;
CREATE ROLE test_admin IN ROLE image_library_admin;
CREATE ROLE test_team;
CREATE ROLE test_member IN ROLE image_library_curator, test_team;
CREATE ROLE test_outsider IN ROLE test_team, image_library_reader;
SELECT add_registry('shared', 'http://localhost:5000', allow_private => true);
SELECT add_registry('teams', 'http://localhost:5001', allow_private => true, owner => 'test_team');
SELECT add_rule('shared', '**') AS shared_rule, add_rule('teams', '**') AS team_rule \gset
SELECT add_rule('shared', 'team/**', priority => 1, owner => 'test_team') AS owned_rule \gset
SELECT test.sync('shared', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}}'), test.sync('teams', 'postgresql', '{"17.4": {"image": "a"}}');
SELECT add_hm_tag('green');

-- Direct writes to every table and view, by every role.
-- (A view that cannot be updated says so, 55000, before rights are asked.)
SELECT role_name, c.relkind, outcome, count(*) > 20 AS many
FROM unnest('{test_nobody,test_reader,test_curator,test_member,test_admin}'::text[]) role_name,
  pg_class c,
  LATERAL unnest(ARRAY['INSERT INTO %s DEFAULT VALUES', 'DELETE FROM %s', 'TRUNCATE %s',
                       (SELECT format('UPDATE %%s SET %I = NULL', a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = 1)]) AS write (form),
  LATERAL (SELECT split_part(test.outcome_as(role_name, format(write.form, format('%s.%I', c.relnamespace::regnamespace, c.relname))), ':', 1)) AS o (outcome)
WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND c.relkind IN ('r', 'v') AND NOT (c.relkind = 'v' AND write.form LIKE 'TRUNCATE%')
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
-- Reading: views by readers, tables by nobody.
SELECT role_name, c.relkind, split_part(test.outcome_as(role_name, format('SELECT count(*) FROM %s.%I', c.relnamespace::regnamespace, c.relname)), ':', 1) = '42501' AS denied, count(*) > 10 AS many
FROM unnest('{test_nobody,test_reader,test_curator,test_admin}'::text[]) role_name, pg_class c
WHERE (c.relkind, c.relnamespace) IN (('r', 'image_library_internal'::regnamespace), ('v', 'image_library'::regnamespace))
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
-- That reading a view reads all of it: every column of every row, as a reader.
SELECT c.relname, test.outcome_as('test_reader', format('SELECT count(v.*::text) >= 0 FROM image_library.%I v', c.relname)) AS outcome
FROM pg_class c WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind = 'v'
  AND test.outcome_as('test_reader', format('SELECT count(v.*::text) >= 0 FROM image_library.%I v', c.relname)) <> 'true';

-- Denials that functions speak themselves.
SELECT test.outcome_as('test_curator', 'SELECT image_library.approve(''localhost:5001/postgresql:17.4'')');
SELECT test.outcome_as('test_curator', format('SELECT image_library.drop_rule(%s)', :team_rule));
SELECT test.outcome_as('test_curator', 'SELECT image_library.add_rule(''shared'', ''x'')');
SELECT test.outcome_as('test_outsider', 'SELECT image_library.approve(''localhost:5001/postgresql:17.4'')');
SELECT test.outcome_as('test_member', 'SELECT image_library.approve(''localhost:5001/postgresql:17.4'')');
-- A session that takes a lesser role has the lesser rights; a role that is no member does not act for the superuser who logged in.
SELECT test.outcome_as('image_library_reader', 'SELECT image_library.add_registry(''x'', ''https://registry.example.com'')');

-- What the owner's rights lend stays inside: no function of ours looks a name up where its caller may put one.
SET ROLE test_admin;
CREATE TEMP TABLE registry (registry_id integer);
CREATE TEMP TABLE pg_class (oid oid);
SET search_path = pg_temp, image_library, image_library_internal;
SELECT count(*) FROM image_library.registries;
SELECT alter_registry('shared', max_connections => 3);
RESET ROLE;
ROLLBACK;

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
  LATERAL unnest(ARRAY['INSERT INTO image_library.%I DEFAULT VALUES', 'DELETE FROM image_library.%I', 'TRUNCATE image_library.%I',
                       (SELECT format('UPDATE image_library.%%I SET %I = NULL', a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = 1)]) AS write (form),
  LATERAL (SELECT split_part(test.outcome_as(role_name, format(write.form, c.relname)), ':', 1)) AS o (outcome)
WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind IN ('r', 'v') AND NOT (c.relkind = 'v' AND write.form LIKE 'TRUNCATE%')
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
-- Reading: views by readers, tables by nobody.
SELECT role_name, c.relkind, split_part(test.outcome_as(role_name, format('SELECT count(*) FROM image_library.%I', c.relname)), ':', 1) = '42501' AS denied, count(*) > 10 AS many
FROM unnest('{test_nobody,test_reader,test_curator,test_admin}'::text[]) role_name, pg_class c
WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname NOT LIKE '\_%'
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
-- That reading a view reads all of it: every column of every row, as a reader.
SELECT c.relname, test.outcome_as('test_reader', format('SELECT count(v.*::text) >= 0 FROM image_library.%I v', c.relname)) AS outcome
FROM pg_class c WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind = 'v' AND c.relname NOT LIKE '\_%'
  AND test.outcome_as('test_reader', format('SELECT count(v.*::text) >= 0 FROM image_library.%I v', c.relname)) <> 'true';

-- What each role may call. -: denied by GRANT or by the function (42501); +: not denied.
SELECT statement,
       string_agg(CASE WHEN outcome LIKE '42501%' THEN '-' ELSE '+' END, ' ' ORDER BY position) AS "nobody reader curator member admin",
       string_agg(DISTINCT nullif(split_part(outcome, ':', 1), '42501'), ' ') FILTER (WHERE outcome ~ '^[0-9A-Z]{5}: ' AND outcome NOT LIKE '42501%') AS other_errors
FROM unnest(ARRAY[
  'resolve(''localhost:5000/postgresql:17.4'')', 'version_key(''17.4'')', 'latest_postgres(''postgresql'', 17)', 'count(*) FROM image_library.search_images(''a'')',
  'count(*) FROM image_library.explain_tag(''shared'', ''a'', ''b'')', 'count(*) FROM image_library.preview_rule(''shared'', ''postgresql'')',
  'approve(''localhost:5000/postgresql:17.4'')', 'reject(''localhost:5000/postgresql:17.4'')', 'revoke(''localhost:5000/postgresql:17.4'')', 'reset(''localhost:5000/postgresql:17.4'')',
  'approve(''localhost:5001/postgresql:17.4'')', 'reject(''localhost:5001/postgresql:17.4'')',
  'add_hm_tag(''blue'')', 'drop_hm_tag(''green'')', 'tag_repository(''shared'', ''postgresql'', ''green'')', 'untag_repository(''shared'', ''postgresql'', ''green'')',
  'tag_image(''localhost:5000/postgresql:17.4'', ''green'')', 'untag_image(''localhost:5000/postgresql:17.4'', ''green'')',
  'add_rule(''shared'', ''**'')', 'add_rule(''teams'', ''**'')', format('alter_rule(%s, priority => 7)', :shared_rule), format('alter_rule(%s, priority => 7)', :team_rule),
  format('alter_rule(%s, priority => 7)', :owned_rule), format('disable_rule(%s)', :shared_rule), format('disable_rule(%s)', :team_rule), format('enable_rule(%s)', :shared_rule),
  format('drop_rule(%s)', :shared_rule), format('drop_rule(%s)', :owned_rule), 'request_sync(''shared'')',
  'add_registry(''new'', ''https://registry.example.com'')', 'alter_registry(''shared'', max_connections => 3)', 'drop_registry(''shared'')', 'enable_registry(''shared'')',
  'disable_registry(''shared'')', 'set_credential(''shared'', ''u'', ''p'')', 'set_credential_file(''shared'', ''f'')', 'drop_credential(''shared'')',
  'set_annotation_keys(''title'', ''{a}'')', 'reclassify()',
  '_write_batch(1, ''a'', ''{}'')', '_credentials(1)', '_begin_run(1, ''x'')', '_decide(''localhost:5000/postgresql:17.4'', ''approved'', NULL)'
  ]) WITH ORDINALITY AS s (statement, number),
  unnest('{test_nobody,test_reader,test_curator,test_member,test_admin}'::text[]) WITH ORDINALITY AS r (role_name, position),
  LATERAL (SELECT test.outcome_and_back(role_name, 'SELECT image_library.' || regexp_replace(statement, '^count\(\*\) FROM image_library\.', ''))) AS o (outcome)
GROUP BY number, statement ORDER BY number;

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
SET search_path = pg_temp, image_library;
SELECT count(*) FROM image_library.registries;
SELECT alter_registry('shared', max_connections => 3);
RESET ROLE;
ROLLBACK;

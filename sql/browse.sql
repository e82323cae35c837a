-- Rules that can never match are refused with what was meant; a tag that is not there is told as that; browsing refuses what it cannot ask.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true), add_registry('edb', 'https://docker.enterprisedb.com/pgai-platform'),
       add_registry('hub', 'https://docker.io') \g /dev/null

-- Repositories: the host, the URL, a tag, a digest, upper case, slashes.
SELECT registry, pattern, test.outcome(format('SELECT add_rule(%L, %L)', registry, pattern))
FROM (VALUES ('local', 'localhost:5000/team/app'), ('local', 'localhost/team/app'), ('local', 'http://localhost:5000/team/*'), ('local', 'app:17'),
  ('local', 'localhost:5000/app:17.*'), ('local', 'app@' || test.digest('a')), ('local', 'Team/App'), ('local', '/team/**'), ('local', 'team//*'),
  ('local', 'other.example:5000/app'), ('local', 'https://user:sesame@localhost:5000/app'), ('local', 'regex:^localhost:5000/app'),
  ('edb', 'docker.enterprisedb.com/pgai-platform/postgresql'), ('edb', 'docker.enterprisedb.com/**'), ('edb', 'regex:^docker\.enterprisedb\.com/'),
  ('hub', 'docker.io/postgres'), ('hub', 'registry-1.docker.io/bitnami/*'), ('hub', 'postgres')) AS t (registry, pattern);
-- The registry's own prefix: refused, unless there is such a repository.
SELECT test.outcome('SELECT add_rule(''edb'', ''pgai-platform/postgresql'')');
SELECT test.outcome('SELECT add_rule(''edb'', ''pgai-platform/**'')');
SELECT test.outcome('SELECT add_rule(''edb'', ''pgai-platform-2/**'')') ~ '^\d+$' AS added;
SAVEPOINT known;
SELECT test.sync('edb', 'pgai-platform/postgresql', '{}');
SELECT test.outcome('SELECT add_rule(''edb'', ''pgai-platform/**'')') ~ '^\d+$' AS added;
ROLLBACK TO known;
-- Tags, and rules that take nothing.
SELECT pattern, test.outcome(format('SELECT add_rule(''local'', ''app'', ARRAY[%L])', pattern))
FROM unnest(ARRAY['app:17', '.4', '-full', test.digest('a'), 'version:>=18 <16', 'version:17.* >=18', repeat('x', 128) || '?', replace(test.digest('a'), ':', '-') || '.sig']) pattern;
SELECT value, test.outcome(format('SELECT add_rule(''local'', ''app'', %s)', value))
FROM unnest(ARRAY['''{17.*}'', exclude_tags => ''{17.*,18.*}''', 'exclude_tags => ''{*}''', '''{17.*}'', exclude_tags => ''{**}''']) value;
-- The same where a rule is changed or previewed; nothing is kept.
SELECT add_rule('local', 'app') AS rule \gset
SELECT test.outcome(format('SELECT alter_rule(%s, repositories => ''localhost:5000/app'')', :rule)) AS altered,
       test.outcome(format('SELECT preview_rule_change(%s, tags => ''{app:17}'')', :rule)) AS change_previewed,
       test.outcome('SELECT preview_rule(''local'', ''localhost:5000/app'')') AS previewed,
       test.outcome('SELECT preview_rule(''local'', ''localhost:5000/app'', refresh => true)') AS refreshed;
SELECT registry, repositories, tags FROM rules ORDER BY 1, 2;
-- A rule that an older version stored is still read.
UPDATE rule SET repositories = '/app/*' WHERE rule_id = :rule;
SELECT count(*) FROM decide_tags(rules_json((SELECT registry_id FROM registry WHERE name = 'local')), 'app', '{17}');
SELECT drop_rule(:rule);

-- A preview says what it cannot know.
SELECT count(*) FROM preview_rule('local', 'team/app');
SELECT count(*) FROM preview_rule('local', 'team/*');
SELECT count(*) FROM preview_rule('local', 'team/*', action => 'exclude');
SELECT add_rule('local', 'team/*') AS rule \gset
SELECT count(*) FROM preview_rule('local', 'team/*');
SELECT count(*) FROM preview_rule_change(:rule, repositories => 'nim/*');
SELECT count(*) FROM preview_rule_change(:rule, repositories => 'nim/a');
INSERT INTO run (registry_id, cause, started_at, finished_at, outcome, error) SELECT registry_id, 'call', clock_timestamp(), clock_timestamp(), 'partial', 'budget' FROM registry WHERE name = 'local';
SELECT count(*) FROM preview_rule('local', 'team/*');
UPDATE run SET error = NULL;
SELECT count(*) FROM preview_rule('local', 'team/*');
INSERT INTO problem (registry_id, repository, tag, problem, detail) SELECT registry_id, 'team/*', '', 'catalogue refused', 'status 403' FROM registry WHERE name = 'local';
SELECT count(*) FROM preview_rule('local', 'team/*');
DELETE FROM problem;
SELECT count(*) FROM preview_rule('local', 'nim/*');

-- A tag that is not there: never listed, not in the listing, listed and not read, a problem, gone.
CREATE VIEW test.explained AS SELECT tag, e.rule_id IS NULL AS last, matched, decides, reason
FROM unnest('{17.4,17.5,18.0,latest}'::text[]) WITH ORDINALITY t (tag, n), explain_tag('local', 'team/app', tag) WITH ORDINALITY e (rule_id, action, matched, decides, reason, place) ORDER BY n, place;
SELECT tag, last, test.shown(reason) AS reason FROM test.explained;
SELECT alter_rule(:rule, exclude_tags => '{latest}');
SELECT test.sync('local', 'team/app', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}}');
SELECT test.write_batch(registry_id, 'team/app', test.batch('{"listing": ["17.4", "17.5", "18.0", "latest"], "fingerprint": "x"}')) FROM registry WHERE name = 'local' \g /dev/null
SELECT tag, last, test.shown(reason) AS reason FROM test.explained;
SELECT test.write_batch(registry_id, 'team/app', test.batch('{"missing": ["17.5"], "listing": ["17.4", "18.0"], "fingerprint": "y", "problems": [{"tag": "18.0", "problem": "denied", "detail": "status 403"}]}')) FROM registry WHERE name = 'local' \g /dev/null
SELECT tag, last, test.shown(reason) AS reason FROM test.explained;
-- Without a rule there is an answer as well.
SELECT drop_rule(:rule);
SELECT * FROM explain_tag('local', 'team/app', '18.0');
SELECT * FROM explain_tag('local', 'team/app', '9');

-- What browsing refuses before it asks, and who may browse.
SELECT call, test.outcome('SELECT ' || call) FROM unnest(ARRAY['list_repositories(''nowhere'')', 'list_repositories(NULL)', 'list_repositories(''local'', ''localhost:5000/*'')',
  'list_repositories(''local'', ''regex:('')', 'list_repositories(''local'', max_rows => 0)', 'list_tags(''local'', NULL)', 'list_tags(''local'', ''team/*'')', 'list_tags(''local'', ''team/app:17'')',
  'list_tags(''local'', ''team/app'', ''version:>=18 <16'')', 'list_tags(''local'', ''team/app'', max_rows => -1)']) call;
SELECT role_name, call, test.outcome_as(role_name, 'SELECT image_library.' || call) FROM unnest('{image_library_reader,image_library_curator}'::text[]) role_name,
  unnest(ARRAY['list_repositories(''nowhere'')', 'list_tags(''nowhere'', ''app'')']) call;
ROLLBACK;

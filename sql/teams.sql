-- Teams: who may act on what. Private registries: who may not even know of it.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_db_team;
CREATE ROLE test_ai_team;
CREATE ROLE test_secret_team;
CREATE ROLE test_db_curator IN ROLE image_library_curator, test_db_team;
CREATE ROLE test_ai_curator IN ROLE image_library_curator, test_ai_team;
CREATE ROLE test_both_curator IN ROLE image_library_curator, test_db_team, test_ai_team;
CREATE ROLE test_secret_curator IN ROLE image_library_curator, test_secret_team;
CREATE ROLE test_secret_reader IN ROLE image_library_reader, test_secret_team;
CREATE ROLE test_curator IN ROLE image_library_curator;
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE ROLE test_admin IN ROLE image_library_admin;
SELECT add_registry('open', 'http://localhost:5000', allow_private => true), add_registry('owned', 'http://localhost:5001', allow_private => true, owner => 'test_db_team');
SELECT add_rule('open', 'free') AS free_rule, add_rule('open', 'db/**', owner => 'test_db_team') AS db_rule,
       add_rule('open', 'mixed', '{17*}', owner => 'test_db_team') AS mixed_db, add_rule('open', 'mixed', '{nim*}', owner => 'test_ai_team') AS mixed_ai,
       add_rule('owned', '**') AS owned_rule, add_rule('owned', 'nim', owner => 'test_ai_team', priority => 1) AS owned_ai \gset
SELECT test.sync('open', r, '{"17": {"image": "a"}}') IS NOT NULL FROM unnest('{free,db/pg}'::text[]) r;
SELECT test.sync('open', 'mixed', '{"17": {"image": "a"}, "nim": {"image": "b"}, "17x": {"image": "c"}, "nimx": {"image": "c"}}') IS NOT NULL;
SELECT test.sync('owned', r, '{"17": {"image": "a"}}') IS NOT NULL FROM unnest('{pg,nim}'::text[]) r;
SELECT add_hm_tag('green');

-- What each may decide: of nobody's everyone, of a rule's or registry's team its members, of two rules with one image who is in both.
SELECT image, string_agg(CASE WHEN approved LIKE '42501%' THEN '-' WHEN approved LIKE image || '@%' THEN '+' ELSE approved END, ' ' ORDER BY position) AS "curator db ai both admin: approve",
       string_agg(CASE WHEN quarantined LIKE '42501%' THEN '-' WHEN quarantined LIKE image || '@%' THEN '+' ELSE quarantined END, ' ' ORDER BY position) AS "quarantine",
       string_agg(CASE WHEN tagged LIKE '42501%' THEN '-' WHEN tagged = 'done' THEN '+' ELSE tagged END, ' ' ORDER BY position) AS "HM tag"
FROM unnest('{localhost:5000/free:17,localhost:5000/db/pg:17,localhost:5000/mixed:17,localhost:5000/mixed:nim,localhost:5000/mixed:17x,localhost:5001/pg:17,localhost:5001/nim:17}'::text[]) WITH ORDINALITY AS i (image, number),
  unnest('{test_curator,test_db_curator,test_ai_curator,test_both_curator,test_admin}'::text[]) WITH ORDINALITY AS r (who, position),
  LATERAL (SELECT test.outcome_and_back(who, format('SELECT image_library.approve(%L)', image)), test.outcome_and_back(who, format('SELECT image_library.quarantine(%L)', image)),
                  test.outcome_and_back(who, format('SELECT image_library.tag_image(%L, ''green'')', image))) AS o (approved, quarantined, tagged)
GROUP BY number, image ORDER BY number;
SELECT f, test.outcome_as('test_ai_curator', format('SELECT image_library.%s(''localhost:5000/db/pg:17'')', f)) FROM unnest('{approve,reject,revoke,reset,quarantine,release,undeprecate}'::text[]) f;
SELECT test.outcome_as('test_ai_curator', 'SELECT image_library.deprecate(''localhost:5001/pg@' || test.digest('a') || ''', now())');
SELECT test.outcome_as('test_ai_curator', 'SELECT image_library.tag_repository(''owned'', ''pg'', ''green'')'), test.outcome_as('test_db_curator', 'SELECT image_library.tag_repository(''owned'', ''pg'', ''green'')');
-- A rule's team changes how its rule works, not what it is about nor whose it is; who owns the registry changes all of it.
SELECT change, test.outcome_and_back('test_ai_curator', format('SELECT image_library.alter_rule(%s, %s)', :owned_ai, change)) AS rule_team,
       test.outcome_and_back('test_db_curator', format('SELECT image_library.alter_rule(%s, %s)', :owned_ai, change)) AS registry_team
FROM unnest(ARRAY['priority => 7', 'tags => ''{1*}''', 'repositories => ''**''', 'owner => ''test_db_team''', 'approval => ''auto''']) change;
-- Where another team has a rule, neither takes tags from the other.
SELECT change, test.outcome_and_back('test_ai_curator', format('SELECT image_library.alter_rule(%s, %s)', :mixed_ai, change)) AS one_team,
       test.outcome_and_back('test_both_curator', format('SELECT image_library.alter_rule(%s, %s)', :mixed_ai, change)) AS both_teams,
       test.outcome_and_back('test_admin', format('SELECT image_library.alter_rule(%s, %s)', :mixed_ai, change)) AS admin
FROM unnest(ARRAY['tags => ''{*}''', 'priority => 1', 'exclude_tags => ''{x}''', 'action => ''exclude''', 'kind => ''model''', 'newest => 3', 'approval => ''auto''']) change;
-- A rule that requires several approvals is the admins'.
SELECT alter_rule(:owned_ai, required_approvals => 2);
SELECT change, test.outcome_and_back('test_both_curator', format('SELECT image_library.%s', change)) AS curator, test.outcome_and_back('test_admin', format('SELECT image_library.%s', change)) AS admin
FROM unnest(ARRAY[format('alter_rule(%s, required_approvals => 1)', :owned_ai), format('alter_rule(%s, tags => ''{x}'')', :owned_ai), format('disable_rule(%s)', :owned_ai), format('drop_rule(%s)', :owned_ai)]) change;
-- An owner is a role that is there; '-' is none.
SELECT change, test.outcome_as('test_admin', 'SELECT image_library.' || change)
FROM unnest(ARRAY['add_registry(''new'', ''http://localhost:5009'', owner => ''4294967294'')', 'alter_registry(''owned'', owner => ''4294967294'')',
  'add_rule(''owned'', ''x'', owner => ''4294967294'')', format('alter_rule(%s, owner => ''4294967294'')', :owned_ai)]) change;
SAVEPOINT owned;
SELECT alter_registry('owned', owner => '-'), alter_rule(:owned_ai, owner => '-', required_approvals => 1);
SELECT name, owner FROM registries ORDER BY name;
SELECT owner FROM rules WHERE rule_id = :owned_ai;
SELECT test.shown(test.outcome_as('test_curator', 'SELECT image_library.approve(''localhost:5001/nim:17'')'));
ROLLBACK TO owned;

-- A private registry. What one sees without it is what one saw before it was there.
CREATE VIEW test.readable AS
  SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind = 'v' AND has_table_privilege('image_library_reader', c.oid, 'SELECT');
-- Every view as text, to be compared; ids of the rows stay.
CREATE FUNCTION test.everything() RETURNS TABLE (relname name, content text) LANGUAGE plpgsql AS $$
BEGIN
  FOR relname IN SELECT r.relname FROM test.readable r ORDER BY 1 LOOP
    EXECUTE format('SELECT coalesce(string_agg(v::text, E''\n'' ORDER BY v::text), '''') FROM image_library.%I v', relname) INTO content;
    RETURN NEXT;
  END LOOP;
END
$$;
GRANT SELECT ON test.readable TO PUBLIC;
CREATE TABLE test.before AS SELECT 'test_reader' AS who, e.* FROM test.everything() e WITH NO DATA;
GRANT ALL ON test.before TO PUBLIC;
SET ROLE test_reader;
INSERT INTO test.before SELECT 'test_reader', e.* FROM test.everything() e;
RESET ROLE;
SELECT count(*) > 20 AS many_views FROM test.before;
-- It has everything: images of its own and of others' digests, HM tags, decisions, a use, a problem, a run, a README, conflicts, referrers, a signature.
SELECT add_registry('secret', 'http://localhost:5002', allow_private => true, owner => 'test_secret_team', private => true) AS secret \gset
SELECT add_rule('secret', '**') AS secret_rule \gset
SELECT test.sync('secret', 'project/x', '{"17": {"image": "a"}, "18.1-2503310734": {"image": "s", "annotations": {"org.enterprisedb.pg.flavor": "epas", "org.enterprisedb.pg.major_version": "16"},
  "referrers": [{"digest": "sha256:043a718774c572bd8a25adbeb1bfcd5c0256ae11cecf9f9c3f925d0e52beaf89", "referrer_digest": "y", "artifact_type": "z", "size_bytes": 1, "annotations": {}, "source": "api"}]}}');
SELECT test.write_batch(:secret, 'project/x', test.batch('{"problems": [{"tag": "bad", "problem": "p", "detail": "d"}],
  "evidence": [{"digest": "sha256:043a718774c572bd8a25adbeb1bfcd5c0256ae11cecf9f9c3f925d0e52beaf89", "referrer_digest": "y", "place": 0, "layer_digest": "z", "format": "dsse",
    "document": "\\x00", "annotations": {}, "retry": false}]}'));
SELECT begin_run(:secret, 'call') IS NOT NULL;
SELECT tag_image('localhost:5002/project/x:17', 'green'), tag_repository('secret', 'project/x', 'green'), set_readme('secret', 'project/x', 'top');
SELECT approve('localhost:5002/project/x:17', 'ours') IS NOT NULL, record_use('localhost:5002/project/x:18.1-2503310734', 'cluster-a') IS NOT NULL;
CREATE FUNCTION test.differs(who text) RETURNS SETOF name LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('role', who, true);
  RETURN QUERY SELECT b.relname FROM test.before b JOIN test.everything() e USING (relname) WHERE b.content <> e.content ORDER BY 1;
  PERFORM set_config('role', 'none', true);
END
$$;
SELECT who, array(SELECT test.differs(who)) AS sees_more_in FROM unnest('{test_reader,test_curator,test_db_curator,test_secret_reader,test_secret_curator,test_admin}'::text[]) who;
-- The same answer as for what is not there: by name, by reference, by number; in search, and in what a call counts.
SELECT call, test.outcome_as('test_curator', call) = replace(replace(test.outcome_as('test_curator', there.nothing), 'nowhere', 'secret'), '5003', '5002') AS as_if_not_there,
       split_part(test.outcome_as('test_curator', call), E'\n', 1) AS outcome
FROM unnest(ARRAY['request_sync(''secret'')', 'check_registry(''secret'')', 'list_repositories(''secret'')', 'list_tags(''secret'', ''project/x'')', 'preview_rule(''secret'', ''**'', refresh => true)', 'preview_rule(''secret'', ''**'')', 'preview_rule(''secret'', ''project/x'', refresh => true)', 'explain_tag(''secret'', ''project/x'', ''17'')',
  'add_rule(''secret'', ''**'')', 'tag_repository(''secret'', ''project/x'', ''green'')', 'untag_repository(''secret'', ''project/x'', ''green'')', 'recent_tags(''secret'', ''project/x'')',
  'set_readme(''secret'', ''project/x'', ''mine'')', 'resolve(''localhost:5002/project/x:17'')', 'resolve(''localhost:5002/project/x@' || test.digest('s') || ''')', 'approve(''localhost:5002/project/x:17'')',
  'reject(''localhost:5002/project/x:17'')', 'revoke(''localhost:5002/project/x:17'')', 'reset(''localhost:5002/project/x:17'')', 'deprecate(''localhost:5002/project/x:17'', now())',
  'undeprecate(''localhost:5002/project/x:17'')', 'quarantine(''localhost:5002/project/x:17'')', 'release(''localhost:5002/project/x:17'')', 'tag_image(''localhost:5002/project/x:17'', ''green'')',
  'untag_image(''localhost:5002/project/x:17'', ''green'')', 'record_use(''localhost:5002/project/x:17'', ''me'')', 'release_use(''localhost:5002/project/x:17'', ''cluster-a'')',
  'count(*) FROM image_library.events_since(0) e WHERE e.registry = ''secret''', 'count(*) FROM image_library.search_images(''project'')', 'count(*) FROM image_library.search_images(''prject'')']) AS c (rest),
  LATERAL (SELECT 'SELECT ' || CASE WHEN rest LIKE 'count%' THEN '' ELSE 'image_library.' END || rest) AS calls (call),
  LATERAL (SELECT replace(replace(call, 'secret', 'nowhere'), '5002', '5003')) AS there (nothing);
SELECT call, test.outcome_as('test_curator', replace(call, '%', :'secret_rule')) = replace(test.outcome_as('test_curator', replace(call, '%', '999')), '999', :'secret_rule') AS as_if_not_there
FROM unnest(ARRAY['SELECT image_library.alter_rule(%)', 'SELECT image_library.drop_rule(%)', 'SELECT image_library.enable_rule(%)', 'SELECT image_library.disable_rule(%)', 'SELECT image_library.preview_rule_change(%)']) call;
-- CALL sync asks for its registries as its caller (the agent's rights do the work).
GRANT image_library_agent TO test_curator;
SELECT who, test.outcome_as(who, 'SELECT string_agg(name, '' '' ORDER BY name) FROM image_library_internal.sync_targets(NULL, false)') AS targets, test.outcome_as(who, 'SELECT name FROM image_library_internal.sync_targets(''secret'', false)') AS by_name
FROM unnest('{test_curator}'::text[]) who;
REVOKE image_library_agent FROM test_curator;
-- Its team works with it as with any other.
SELECT who, test.outcome_as(who, 'SELECT image_library.resolve(''localhost:5002/project/x:17'')') AS resolves,
       split_part(test.outcome_and_back(who, 'SELECT image_library.reset(''localhost:5002/project/x:17'')'), E'\n', 1) AS decides
FROM unnest('{test_secret_reader,test_secret_curator,test_admin}'::text[]) who;
SELECT test.outcome_as('test_secret_curator', 'SELECT count(*) FROM image_library.search_images(''project'')');

-- The tables say the same, should one be granted: row level security on each.
SELECT c.relname AS without_row_level_security FROM pg_class c
WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind = 'r' AND NOT c.relrowsecurity ORDER BY 1;
SAVEPOINT granted;
GRANT USAGE ON SCHEMA image_library_internal TO image_library_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA image_library_internal TO image_library_reader;
-- Of another library: its registries may be private there.
INSERT INTO staged_line (number, section, content, hash) VALUES (1, 'image', '{}', 'x');
CREATE FUNCTION test.counts(who text, relation text) RETURNS text LANGUAGE sql AS $$ SELECT test.outcome_as(who, format('SELECT count(*) FROM image_library_internal.%I', relation)) $$;
SELECT c.relname, test.counts('test_reader', relname) AS reader, test.counts('test_secret_reader', relname) AS secret_reader, test.counts('test_admin', relname) AS admin,
       test.counts('image_library_agent', relname) AS agent, test.counts('none', relname) AS owner
FROM pg_class c WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity AND c.relname NOT IN ('credential', 'shipped_privilege') ORDER BY c.relname COLLATE "C";
ROLLBACK TO granted;
-- The agent writes to private registries.
SET ROLE image_library_agent;
SELECT write_batches(:secret, ARRAY['project/y'], ARRAY[jsonb_populate_record(NULL::image_library_internal.batch, '{"images": [], "tags": [], "missing": [], "referrers": [], "listing": ["1"], "fingerprint": "f", "checked": [], "problems": []}')]);
RESET ROLE;
SELECT repository FROM repositories WHERE registry = 'secret' ORDER BY 1;

-- Private without an owner: admins only. Public again: everybody. Gone: what was decided is the admins' to see.
CREATE FUNCTION test.sees(who text) RETURNS text LANGUAGE sql AS $$
  SELECT test.outcome_as(who, 'SELECT format(''%s registries, %s decisions'', (SELECT count(*) FROM image_library.registries WHERE name = ''secret''), (SELECT count(*) FROM image_library.decisions WHERE registry = ''secret''))') $$;
SELECT alter_registry('open', private => true);
SELECT who, test.outcome_as(who, 'SELECT string_agg(name, '' '' ORDER BY name) FROM image_library.registries') FROM unnest('{test_reader,test_db_curator,test_secret_reader,test_admin}'::text[]) who;
SELECT name, private FROM registries ORDER BY name;
SELECT alter_registry('open', private => false), alter_registry('secret', private => false);
SELECT who, test.sees(who) FROM unnest('{test_reader,test_secret_reader,test_admin}'::text[]) who;
SELECT alter_registry('secret', private => true), drop_registry('secret', cascade => true);
SELECT add_registry('secret', 'http://localhost:5009', allow_private => true) IS NOT NULL;
SELECT who, test.sees(who) FROM unnest('{test_reader,test_secret_reader,test_admin}'::text[]) who;
ROLLBACK;

-- Rules with foresight: what a change would hide is told before, does what was told, and goes back as a whole.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', 'postgresql', '{17.*,18.*}') AS rule, add_rule('local', 'nim/**') AS nim_rule \gset
SELECT test.sync('local', 'postgresql', '{"16.8": {"image": "a"}, "17.4": {"image": "b"}, "17.5": {"image": "c"}, "18.0": {"image": "d"}, "18.0-full": {"image": "e"}}');
SELECT test.sync('local', 'nim/x', '{"1": {"image": "m"}}');
SELECT approve('localhost:5000/postgresql:17.4') IS NOT NULL, approve('localhost:5000/postgresql:18.0') IS NOT NULL, reject('localhost:5000/postgresql:17.5') IS NOT NULL,
       approve('localhost:5000/nim/x:1') IS NOT NULL;
SELECT record_use('localhost:5000/postgresql:17.5', 'cluster-a') IS NOT NULL, record_use('localhost:5000/postgresql:17.5', 'cluster-b') IS NOT NULL,
       record_use('localhost:5000/postgresql:18.0', 'cluster-c') IS NOT NULL, release_use('localhost:5000/postgresql:18.0', 'cluster-c') IS NOT NULL;

SELECT record_use('localhost:5000/postgresql:16.8', 'cluster-d');

-- What a new rule would do, with what was decided on the images; 16.8 was listed, never read.
SELECT * FROM preview_rule('local', 'postgresql', '{17.*}', action => 'exclude');
SELECT * FROM preview_rule('local', 'postgresql', '{*}');
SELECT tag, approval, used_by FROM preview_rule('local', 'postgresql', '{17.*}', action => 'exclude') WHERE effect = 'removed' AND (approval = 'approved' OR used_by > 0);
-- What a change, the end or the return of a rule would do.
SELECT * FROM preview_rule_change(:rule, tags => '{18.*}');
SELECT * FROM preview_rule_change(:rule, newest => 1);
SELECT * FROM preview_rule_change(:rule, repositories => 'nim/**');
SELECT * FROM preview_rule_change(:rule, dropped => true);
SELECT * FROM preview_rule_change(:rule, tags => '{18.*}', enabled => false);
SELECT * FROM preview_rule_change(:rule);
SELECT add_rule('local', 'postgresql', '{17.5}', priority => 200) AS other \gset
SELECT * FROM preview_rule_change(:rule, enabled => false);
SELECT disable_rule(:rule);
SELECT * FROM preview_rule_change(:rule, enabled => true);
SELECT * FROM preview_rule_change(:rule, tags => '{16.*}');
SELECT enable_rule(:rule), drop_rule(:other);
-- Bad input says what add_rule and alter_rule say.
SELECT change, test.outcome(format('SELECT preview_rule_change(%s)', change)) = test.outcome(format('SELECT alter_rule(%s)', change)) AS as_alter_rule,
       split_part(test.outcome(format('SELECT preview_rule_change(%s)', change)), E'\n', 1) AS outcome
FROM unnest(ARRAY['999', 'NULL', format('%s, tags => ''{regex:(}''', :rule), format('%s, repositories => ''[''', :rule), format('%s, newest => -1', :rule), format('%s, required_approvals => 0', :rule),
  format('%s, required_approvals => 2, approval => ''auto''', :rule)]) change;

-- Everything that a change of rules touches, and what consumers see.
CREATE FUNCTION test.state() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  relation name;
  part text;
  whole text := '';
BEGIN
  FOREACH relation IN ARRAY '{registry,rule,repository,listing,image,tag,tag_period,entry,approval,approval_vote,decision}'::name[] LOOP
    EXECUTE format('SELECT md5(coalesce(string_agg(x::text, E''\n'' ORDER BY x::text), '''')) FROM image_library_internal.%I x', relation) INTO part;
    whole := whole || relation || ' ' || part || E'\n';
  END LOOP;
  RETURN whole;
END
$$;
CREATE TABLE test.was AS SELECT test.state() AS state;
-- A preview writes nothing.
SELECT count(*) FROM preview_rule('local', '**', action => 'exclude');
SELECT count(*) FROM preview_rule_change(:rule, dropped => true);
SELECT state = test.state() AS unchanged FROM test.was;
-- What the preview said is what the change does.
CREATE FUNCTION test.kept_promise(promise text, change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  promised text;
  done text;
BEGIN
  EXECUTE format('SELECT string_agg(p.tag, '' '' ORDER BY p.tag) FROM %s p WHERE effect <> ''removed'' AND p.approval IS NOT NULL AND p.repository = ''postgresql''', promise) INTO promised;
  EXECUTE 'SELECT ' || change;
  SELECT string_agg(tag, ' ' ORDER BY tag) INTO done FROM images WHERE repository = 'postgresql';
  RAISE EXCEPTION USING ERRCODE = 'XX999', MESSAGE = CASE WHEN promised IS NOT DISTINCT FROM done THEN 'kept: ' ELSE 'BROKEN: ' || promised || ' but ' END || coalesce(done, 'nothing');
EXCEPTION WHEN SQLSTATE 'XX999' THEN
  RETURN SQLERRM;
END
$$;
SELECT change, test.kept_promise('preview_rule_change(' || change || ')', 'alter_rule(' || change || ')')
FROM unnest(ARRAY[format('%s, tags => ''{18.*}''', :rule), format('%s, newest => 1', :rule), format('%s, exclude_tags => ''{*-full,17.5}''', :rule), format('%s, action => ''exclude''', :rule)]) change;
SELECT test.kept_promise(format('preview_rule_change(%s, dropped => true)', :rule), format('drop_rule(%s)', :rule)),
       test.kept_promise(format('preview_rule_change(%s, enabled => false)', :rule), format('disable_rule(%s)', :rule)),
       test.kept_promise('preview_rule(''local'', ''postgresql'', ''{18.*}'', action => ''exclude'')', 'add_rule(''local'', ''postgresql'', ''{18.*}'', action => ''exclude'')');
SELECT state = test.state() AS unchanged FROM test.was;

-- A change of rules, what it decides anew, and the approvals that follow are one: all of it, or nothing.
SAVEPOINT change;
SELECT alter_rule(:rule, tags => '{version:>=16}', approval => 'auto', newest => 3);
SELECT drop_rule(:nim_rule);
SELECT revoke('localhost:5000/postgresql:17.4', 'too old') IS NOT NULL, deprecate('localhost:5000/postgresql:18.0', '2099-01-01') IS NOT NULL;
SELECT tag, approval FROM images ORDER BY tag;
SELECT string_agg(tag, ' ' ORDER BY tag) AS usable FROM postgres_images;
SELECT state = test.state() AS unchanged FROM test.was;
ROLLBACK TO change;
SELECT state = test.state() AS unchanged FROM test.was;
SELECT tag, approval FROM images ORDER BY tag;
-- The same when a later part fails: a rule that approves on arrival, then a decision that is not possible.
SELECT test.outcome(format('DO $do$ BEGIN PERFORM image_library.alter_rule(%s, approval => ''auto''); PERFORM image_library.approve(''localhost:5000/postgresql:17.5''); END $do$', :rule));
SELECT state = test.state() AS unchanged FROM test.was;
ROLLBACK;

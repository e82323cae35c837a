-- Governance: approvals by several people, approvals that end, deprecation, quarantine; and the record of each.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_alice IN ROLE image_library_curator;
CREATE ROLE test_bob IN ROLE image_library_curator;
CREATE ROLE test_carol IN ROLE image_library_curator;
CREATE ROLE test_reader IN ROLE image_library_reader;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', 'postgresql') AS rule \gset
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "16.8": {"image": "c"}}');
\set image 'localhost:5000/postgresql:17.4'
CREATE VIEW test.usable AS SELECT coalesce(string_agg(tag, ' ' ORDER BY tag), 'none') AS usable FROM postgres_images;
CREATE VIEW test.waiting AS SELECT tag, why, votes, votes_needed, voters FROM pending_images ORDER BY tag;
-- What was written since the last look, oldest first.
CREATE TABLE test.seen (decision_id bigint);
CREATE FUNCTION test.news() RETURNS TABLE (told text) LANGUAGE sql AS $$
  WITH news AS (INSERT INTO test.seen SELECT d.decision_id FROM decision d WHERE d.decision_id NOT IN (SELECT s.decision_id FROM test.seen s) RETURNING *)
  SELECT concat_ws(' | ', d.action, coalesce(d.tag, '-'), d.old_state || '>' || d.new_state, d.actor, coalesce(d.reason, '-'),
                   CASE WHEN d.rule_id IS NOT NULL THEN 'by rule' END, 'until ' || (d.valid_until - now()), 'from ' || CASE WHEN d.deprecated_from = now() THEN 'now' ELSE d.deprecated_from::date::text END)
  FROM news JOIN decision d USING (decision_id) ORDER BY decision_id
$$;
-- Who logs in is who decides, whatever functions run with.
CREATE FUNCTION test.as_session(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  PERFORM set_config('session_authorization', who, true);
  result := test.outcome(statement);
  RESET SESSION AUTHORIZATION;
  RETURN result;
END
$$;

-- An approval that ends: it counts until then and no longer, and waits for the next.
SELECT test.outcome(format('SELECT approve(%L, ''x'', %s)', :'image', e)) FROM unnest('{now(),now() - interval ''1 s'',''-infinity''}'::text[]) e;
SELECT count(*) FROM decisions;
SELECT test.as_session('test_alice', format('SELECT image_library.approve(%L, ''for a month'', now() + interval ''30 days'')', :'image'));
SELECT * FROM test.news();
SELECT tag, approval, valid_until = now() + interval '30 days' AS for_a_month FROM images WHERE valid_until IS NOT NULL;
SELECT usable, test.shown(resolve(:'image')) FROM test.usable;
SELECT test.outcome(format('SELECT approve(%L)', :'image')) ~ '55000: cannot approve .*: it is approved' AS not_twice;
-- (The end is moved, so that nobody has to wait for it, the read model follows as after any decision.)
CREATE FUNCTION test.ends(image text, at timestamptz) RETURNS void LANGUAGE sql AS $$
  UPDATE approval SET valid_until = at WHERE digest = test.digest(image);
  SELECT refresh_entry_approval(a.repository_id, ARRAY[a.digest]) FROM approval a WHERE digest = test.digest(image);
$$;
SELECT test.ends('a', clock_timestamp() + interval '1 hour');
SELECT usable, (SELECT count(*) FROM test.waiting WHERE tag = '17.4') AS waits FROM test.usable;
SELECT test.ends('a', now());
SELECT usable FROM test.usable;
SELECT test.outcome(format('SELECT resolve(%L)', :'image'));
SELECT tag, why, since = now() AS since_its_end, votes, votes_needed FROM pending_images WHERE tag = '17.4';
SELECT test.shown(approve(:'image', 'looked again'));
SELECT * FROM test.news();
SELECT usable, test.shown(resolve(:'image')) FROM test.usable;
SELECT valid_until FROM images WHERE tag = '17.4';
-- An expired image can be rejected, revoked and reset too.
SELECT verb, test.outcome_and_back(current_user, format('SELECT test.ends(''a'', now())')) IS NOT NULL AS back,
       (SELECT test.outcome_and_back(current_user, format('WITH e AS MATERIALIZED (SELECT test.ends(''a'', now())) SELECT %s(%L) FROM e', verb, :'image'))) AS outcome
FROM unnest('{reject,revoke,reset}'::text[]) verb;
SELECT count(*) FROM test.news();

-- Deprecation: a warning before, an error from then on; the approval stays.
SELECT test.outcome(format('SELECT deprecate(%L, %s, ''x'')', :'image', e)) FROM unnest(ARRAY['NULL', '''infinity''', '''-infinity''']) e;
SELECT test.outcome('SELECT deprecate(''localhost:5000/postgresql:17.5'', now())');
SELECT test.outcome(format('SELECT undeprecate(%L)', :'image'));
SELECT test.as_session('test_bob', format('SELECT image_library.deprecate(%L, ''2099-01-01'', ''17.5 is out'')', :'image'));
SELECT * FROM test.news();
SELECT usable FROM test.usable;
\set VERBOSITY terse
SELECT test.shown(resolve(:'image'));
\set VERBOSITY default
SELECT v.name, v.approval, v.deprecated_from
FROM (SELECT 'images' AS name, approval, deprecated_from FROM images WHERE tag = '17.4'
      UNION ALL SELECT 'postgres_images', approval, deprecated_from FROM postgres_images WHERE tag = '17.4'
      UNION ALL SELECT 'postgres_latest', approval, deprecated_from FROM postgres_latest WHERE tag = '17.4') v ORDER BY 1;
SELECT test.shown(deprecate(:'image', now(), 'CVE'));
SELECT * FROM test.news();
SELECT usable, (SELECT count(*) FROM pending_images WHERE tag = '17.4') AS waits FROM test.usable;
SELECT test.outcome(format('SELECT resolve(%L)', :'image'));
-- A new approval does not lift it unsaid.
SELECT reset(:'image') IS NOT NULL;
SELECT (SELECT count(*) FROM pending_images WHERE tag = '17.4') AS waits, test.outcome(format('SELECT approve(%L)', :'image'));
SELECT test.shown(undeprecate(:'image', 'false alarm')), test.shown(approve(:'image', 'again'));
SELECT * FROM test.news();
SELECT usable, test.shown(resolve(:'image')) FROM test.usable;
SELECT deprecated_from FROM images WHERE tag = '17.4';

-- Quarantine: stops at once whatever was decided, and gives back what was decided.
SELECT test.outcome(format('SELECT release(%L)', :'image'));
SELECT test.as_session('test_carol', format('SELECT image_library.quarantine(%L, ''scanner alarm'')', :'image'));
SELECT * FROM test.news();
SELECT usable FROM test.usable;
SELECT tag, approval, quarantined_at BETWEEN now() AND clock_timestamp() AS now FROM images WHERE quarantined_at IS NOT NULL;
SELECT test.outcome(format('SELECT %s(%L)', f, :'image')) FROM unnest('{resolve,quarantine}'::text[]) f;
-- Its state can change meanwhile, but not to approved.
SELECT reset(:'image', 'to look again') IS NOT NULL, (SELECT count(*) FROM pending_images WHERE tag = '17.4') AS waits;
SELECT test.outcome(format('SELECT approve(%L)', :'image'));
SELECT test.shown(release(:'image', 'no alarm'));
SELECT tag, why FROM pending_images WHERE tag = '17.4';
SELECT approve(:'image', 'third time') IS NOT NULL;
SELECT quarantine(:'image') IS NOT NULL, release(:'image') IS NOT NULL;
SELECT * FROM test.news();
SELECT usable FROM test.usable;
-- What nobody decided on yet goes into quarantine too: no rule approves it then, and it is new afterwards.
SELECT quarantine('localhost:5000/postgresql:16.8', 'unknown source') IS NOT NULL;
SELECT alter_rule(:rule, approval => 'auto');
SELECT tag, approval FROM images ORDER BY tag;
SELECT usable FROM test.usable;
SELECT alter_rule(:rule, approval => 'manual'), release('localhost:5000/postgresql:16.8') IS NOT NULL;
SELECT tag, why FROM pending_images;
-- The tag moves: the other image is not in quarantine; by the digest the first one still is.
SELECT quarantine('localhost:5000/postgresql:16.8', 'unknown source') IS NOT NULL;
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "16.8": {"image": "c2"}}');
SELECT tag, quarantined_at IS NOT NULL AS quarantined FROM images WHERE tag = '16.8';
SELECT release('localhost:5000/postgresql@' || test.digest('c')) LIKE '%@' || test.digest('c') AS by_digest;
SELECT count(*) > 0 FROM test.news();

-- Several people: the state stays until they are enough, nobody counts twice.
SELECT value, test.outcome(format('SELECT add_rule(''local'', ''nim/**'', %s)', value))
FROM unnest(ARRAY['required_approvals => 0', 'required_approvals => 11', 'required_approvals => NULL',
  'required_approvals => 2, approval => ''auto''', 'required_approvals => 2, action => ''exclude''']) value;
SELECT add_rule('local', 'postgresql', '{18.*}', priority => 1, required_approvals => 3) AS strict \gset
SELECT required_approvals FROM rules WHERE rule_id = :strict;
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "18.0": {"image": "d"}, "18.1": {"image": "e"}, "18.2": {"image": "f"}}');
\set image 'localhost:5000/postgresql:18.0'
SELECT * FROM test.waiting;
SET client_min_messages = warning;
SELECT who, test.as_session(who, format('SELECT image_library.approve(%L, ''as '' || session_user, now() + %L)', :'image', days || ' days'))
FROM (VALUES ('test_alice', 9), ('test_bob', 3)) v (who, days);
SELECT test.as_session('test_alice', format('SELECT image_library.approve(%L)', :'image'));
RESET client_min_messages;
SELECT * FROM test.waiting WHERE tag = '18.0';
SELECT approval FROM images WHERE tag = '18.0';
SELECT usable FROM test.usable;
SELECT test.outcome(format('SELECT resolve(%L)', :'image'));
-- Another role of the same person is the same person.
SELECT test.as_session('test_bob', format('SET ROLE image_library_curator; SELECT image_library.approve(%L)', :'image')) ~ 'test_bob has approved it already' AS same_person;
SELECT * FROM test.news();
-- The third; the approval counts as long as all of them meant it to.
SELECT test.as_session('test_carol', format('SELECT image_library.approve(%L, ''me too'')', :'image'));
SELECT * FROM test.news();
SELECT tag, approval, valid_until - now() AS ends_in FROM images WHERE tag = '18.0';
SELECT usable, (SELECT count(*) FROM approval_vote) AS votes_left FROM test.usable;
-- It expires, and everybody is asked again.
SELECT test.ends('d', now());
SELECT * FROM test.waiting WHERE tag = '18.0';
SET client_min_messages = warning;
SELECT test.as_session('test_alice', format('SELECT image_library.approve(%L)', :'image'));
RESET client_min_messages;
SELECT * FROM test.waiting WHERE tag = '18.0';
SELECT usable FROM test.usable;
SELECT * FROM test.news();
-- A vote that has ended by itself does not count, and can be given again.
UPDATE approval_vote SET valid_until = now();
SELECT * FROM test.waiting WHERE tag = '18.0';
SET client_min_messages = warning;
SELECT test.as_session('test_alice', format('SELECT image_library.approve(%L)', :'image')) ~ '18.0' AS voted;
RESET client_min_messages;
SELECT * FROM test.waiting WHERE tag = '18.0';
-- A rejection or a reset ends the vote.
SELECT test.as_session('test_bob', 'SELECT image_library.approve(''localhost:5000/postgresql:18.1'')') ~ '18.1' AS voted;
SELECT test.as_session('test_bob', 'SELECT image_library.reset(''localhost:5000/postgresql:18.1'', ''I was wrong'')') ~ '18.1' AS taken_back;
SELECT * FROM test.waiting WHERE tag = '18.1';
SELECT test.as_session('test_bob', 'SELECT image_library.approve(''localhost:5000/postgresql:18.1'')') ~ '18.1' AS voted;
SELECT test.as_session('test_alice', 'SELECT image_library.reject(''localhost:5000/postgresql:18.1'', ''no'')') ~ '18.1' AS rejected;
SELECT digest = test.digest('d') AS of_18_0, voter FROM approval_vote;
SELECT * FROM test.news();
-- No way around: another tag of the image that a rule takes with one approval, a rule of one's own, or one that approves on arrival.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "18.2": {"image": "f"}, "beta": {"image": "f"}, "18.3": {"image": "g"}, "19.0": {"image": "h"}}');
SELECT add_rule('local', 'postgresql', priority => 0) AS lax \gset
SELECT test.as_session('test_alice', 'SELECT image_library.approve(''localhost:5000/postgresql:beta'')') ~ 'beta' AS voted;
SELECT * FROM test.waiting WHERE tag IN ('beta', '18.2');
SELECT alter_rule(:lax, approval => 'auto');
SELECT tag, approval FROM images ORDER BY tag;
SELECT drop_rule(:lax);
-- Nor to hide the tag for which the rule asks, until the image is approved by another, nor that it is missing just now; nor to be renamed.
SELECT add_rule('local', 'postgresql', '{18.2}', action => 'exclude') AS hiding \gset
SELECT tag, votes_needed, voters FROM pending_images WHERE tag IN ('beta', '18.2');
SELECT drop_rule(:hiding);
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "beta": {"image": "f"}, "18.3": {"image": "g"}, "19.0": {"image": "h"}}') IS NOT NULL AS without_it;
SELECT tag, votes_needed, voters FROM pending_images WHERE tag IN ('beta', '18.2');
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "18.2": {"image": "f"}, "beta": {"image": "f"}, "18.3": {"image": "g"}, "19.0": {"image": "h"}}') IS NOT NULL AS back;
ALTER ROLE test_alice RENAME TO test_alison;
SELECT test.as_session('test_alison', 'SELECT image_library.approve(''localhost:5000/postgresql:beta'')') ~ 'test_alison has approved it already' AS same_person;
ALTER ROLE test_alison RENAME TO test_alice;
-- Who may not approve any more has not approved.
SAVEPOINT rights;
REVOKE image_library_curator FROM test_alice;
SELECT tag, votes, voters FROM pending_images WHERE tag IN ('beta', '18.2') ORDER BY tag;
SELECT test.as_session('test_bob', 'SELECT image_library.approve(''localhost:5000/postgresql:beta'')') ~ 'beta' AS voted;
SELECT voter FROM approval_vote WHERE digest = test.digest('f');
ROLLBACK TO rights;
-- A rule that asks for fewer: the next approval is enough, the same person's too.
SELECT alter_rule(:strict, required_approvals => 1);
SELECT * FROM test.waiting WHERE tag = '18.2';
SELECT test.as_session('test_alice', 'SELECT image_library.approve(''localhost:5000/postgresql:18.2'')') ~ '18.2' AS approved;
SELECT tag, approval FROM images WHERE tag IN ('beta', '18.2') ORDER BY tag;
SELECT count(*) > 0 FROM test.news();

-- Nothing can be decided on that is not there: nothing is written.
SELECT statement, test.outcome(statement) FROM unnest(ARRAY[
  'SELECT deprecate(''localhost:5000/postgresql'', now())', 'SELECT quarantine(''localhost:5000/other:1'')', 'SELECT release(NULL)',
  'SELECT undeprecate(''localhost:5000/postgresql:nothing'')', 'SELECT quarantine('''')']) statement;
-- Readers decide nothing, curators do.
SELECT f, test.outcome_as('test_reader', format('SELECT image_library.%s', f)) FROM unnest(ARRAY['deprecate(''a/b:c'', now())', 'undeprecate(''a/b:c'')', 'quarantine(''a/b:c'')', 'release(''a/b:c'')', 'approve(''a/b:c'', valid_until => now())']) f;
SELECT * FROM test.news();
-- The votes are nobody's to write.
SELECT test.outcome_as('test_alice', 'INSERT INTO image_library_internal.approval_vote VALUES (1, ''x'', ''test_bob'')');

-- Every decision moves from the state that the last one left.
SELECT count(*) AS decisions, count(*) FILTER (WHERE old_state <> previous) AS broken
FROM (SELECT old_state, lag(new_state, 1, 'pending') OVER (PARTITION BY repository, digest ORDER BY decision_id) AS previous FROM decisions) d;
-- A tag that needs several people, pushed onto what one person approved: it waits for them, under its other tags too.
SELECT add_registry('pushed', 'http://localhost:5002', allow_private => true), add_rule('pushed', '**');
SELECT add_rule('pushed', 'postgresql', '{17.*}', priority => 1, required_approvals => 2) AS two \gset
SELECT test.sync('pushed', 'postgresql', '{"scratch": {"image": "x"}, "17.1": {"image": "y"}}');
SET client_min_messages = warning;
SELECT test.as_session('test_alice', 'SELECT image_library.approve(''localhost:5002/postgresql:scratch'')');
SELECT test.as_session(who, 'SELECT image_library.approve(''localhost:5002/postgresql:17.1'')') FROM unnest('{test_alice,test_bob}'::text[]) who;
RESET client_min_messages;
SELECT test.sync('pushed', 'postgresql', '{"scratch": {"image": "x"}, "17.1": {"image": "y"}, "17.9": {"image": "x"}, "17": {"image": "x"}, "17.2": {"image": "y"}, "other": {"image": "y"}}');
SELECT tag, approval FROM images WHERE registry = 'pushed' ORDER BY tag;
SELECT tag, action, old_state, new_state, regexp_replace(reason, 'rule \d+', 'rule <two>') AS reason, rule_id = :two AS by_rule
FROM decisions WHERE registry = 'pushed' AND action = 'reset';
SELECT tag, why, votes, votes_needed FROM pending_images WHERE registry = 'pushed' ORDER BY tag;
-- What was approved before the rule stays, also when it gets another tag that the rule takes.
SELECT drop_rule(:two);
SELECT count(approve(reference)) FROM pending_images WHERE registry = 'pushed';
SELECT add_rule('pushed', 'postgresql', '{17*}', priority => 1, required_approvals => 2) IS NOT NULL AS added;
SELECT test.sync('pushed', 'postgresql', '{"scratch": {"image": "x"}, "17.1": {"image": "y"}, "17.9": {"image": "x"}, "17": {"image": "x"}, "17-again": {"image": "x"}}');
SELECT tag, approval FROM images WHERE registry = 'pushed' AND missing_since IS NULL ORDER BY tag;
ROLLBACK;

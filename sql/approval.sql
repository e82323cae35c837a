-- Approval: every transition, the record of it that nobody can change, and what resolve says.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', 'postgresql') AS rule \gset
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "16.8": {"image": "c"}, "hidden": {"image": "h"}}');
\set image 'localhost:5000/postgresql:17.4'

-- Reasons: long ones, and those with more in them than text.
SELECT to_jsonb(left(reason, 8)) AS reason, test.outcome(format('SELECT approve(%L, %L)', :'image', reason))
FROM (VALUES (repeat('x', 10001)), (E'\x1b[31mred'), (E'bell\x07'), (E'\u009b31m')) bad (reason);
SELECT count(*) FROM decisions;
SAVEPOINT reasons;
SELECT test.shown(approve(:'image', repeat('x', 9990) || E'\ttab\nline')), test.shown(revoke(:'image', ''));
SELECT length(reason) FROM decisions ORDER BY decision_id;
ROLLBACK TO reasons;

-- From each state, what each verb does. The table is the state machine.
CREATE FUNCTION test.transition(from_state text, verb text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  PERFORM CASE from_state WHEN 'approved' THEN approve('localhost:5000/postgresql:16.8', 'first')
                          WHEN 'rejected' THEN reject('localhost:5000/postgresql:16.8', 'first')
                          WHEN 'revoked' THEN approve('localhost:5000/postgresql:16.8', 'first') END;
  IF from_state = 'revoked' THEN PERFORM revoke('localhost:5000/postgresql:16.8', 'second'); END IF;
  -- As if it had been a statement before.
  SET LOCAL session_replication_role = replica;
  UPDATE decision SET statement_at = statement_at - interval '1 second';
  RESET session_replication_role;
  result := test.outcome(format('SELECT %s(''localhost:5000/postgresql:16.8'', ''third'')', verb));
  result := format(E'%s\n    then %s, %s decisions', result, (SELECT approval FROM images WHERE tag = '16.8'), (SELECT count(*) FROM decisions));
  RAISE EXCEPTION USING MESSAGE = result, ERRCODE = 'XX999';
EXCEPTION WHEN SQLSTATE 'XX999' THEN
  RETURN result;
END
$$;
SELECT from_state, verb, test.transition(from_state, verb)
FROM unnest('{pending,approved,rejected,revoked}'::text[]) from_state, unnest('{approve,reject,revoke,reset}'::text[]) verb
ORDER BY from_state COLLATE "C", verb COLLATE "C";

-- A decision is one row: who, when, why, from what to what.
SELECT test.shown(approve(:'image', 'release notes read'));
SELECT test.shown(revoke(:'image', 'CVE-2025-0001'));
SELECT test.shown(reset(:'image'));
SELECT test.shown(approve(:'image' || '@' || test.digest('a'), 'by tag and digest'));
SELECT test.shown(reject('localhost:5000/postgresql@' || test.digest('b'), 'by digest'));
SELECT registry, repository, tag, digest = test.digest('a') AS of_a, old_state, new_state, actor = session_user AS by_me,
       decided_at BETWEEN now() AND clock_timestamp() AS now, reason, rule_id, policy FROM decisions ORDER BY decision_id;
-- Nobody changes them, the superuser neither. (Rows wait for the chain, which no TRUNCATE may interrupt.)
SET CONSTRAINTS ALL IMMEDIATE;
SELECT statement, test.outcome(statement) FROM unnest(ARRAY['UPDATE decision SET reason = ''x''', 'DELETE FROM decision', 'TRUNCATE decision',
  'UPDATE decisions SET reason = ''x''', 'DELETE FROM decisions']) statement;
SELECT count(*) FROM decisions;

-- The actor is who logged in, whatever role acts.
CREATE ROLE test_curator IN ROLE image_library_curator;
SELECT test.outcome_as('test_curator', 'SELECT 1 FROM image_library.reset(''localhost:5000/postgresql:17.5'')');
SELECT old_state, new_state, actor = session_user AS session_user FROM decisions ORDER BY decision_id DESC LIMIT 1;

-- References that mean nothing.
SELECT reference, verb, test.outcome(format('SELECT %s(%L)', verb, reference))
FROM unnest(ARRAY[NULL, '', ' ', 'postgresql:', ':17.4', 'localhost:5000/Postgres:17', 'localhost:5000/postgresql', 'http://localhost:5000/postgresql:17.4',
  'localhost:5000/postgresql@sha256:abc', 'localhost:5000/postgresql@md5:00000000000000000000000000000000', 'localhost:5000/postgresql:a b',
  'localhost:5000/postgresql:99', 'localhost:5001/postgresql:17.4', 'localhost:5000/other:17.4', 'postgresql:17.4',
  'localhost:5000/postgresql@' || test.digest('nothing'), 'localhost:5000/postgresql:17.4@' || test.digest('b')]) reference,
  unnest('{approve,resolve}'::text[]) verb
ORDER BY reference COLLATE "C", verb COLLATE "C";

-- What resolve says of each state.
SELECT test.shown(resolve(:'image'));
SELECT test.outcome('SELECT resolve(''localhost:5000/postgresql:16.8'')');
SELECT test.shown(reject('localhost:5000/postgresql:16.8', 'too old'));
SELECT test.outcome('SELECT resolve(''localhost:5000/postgresql:16.8'')');
SELECT test.shown(approve('localhost:5000/postgresql:17.5'));
SELECT test.shown(revoke('localhost:5000/postgresql:17.5', 'broken'));
SELECT test.outcome('SELECT resolve(''localhost:5000/postgresql:17.5'')');
-- A tag that moved: by its name the new image waits; the approved digest may be used, and a NOTICE tells that it moved.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a2"}, "17.5": {"image": "b"}, "16.8": {"image": "c"}, "hidden": {"image": "h"}}');
SELECT test.outcome(format('SELECT resolve(%L)', :'image'));
SELECT test.outcome(format('SELECT resolve(%L)', :'image' || '@' || test.digest('a')));
SELECT test.outcome(format('SELECT approve(%L)', :'image' || '@' || test.digest('a')));
SELECT tag, why, previous_digest = test.digest('a') AS from_a, previous_approval FROM pending_images WHERE why <> 'new';
SELECT state FROM approval WHERE digest = test.digest('a');
SELECT test.outcome(format('SELECT %s(%L)', verb, 'localhost:5000/postgresql@' || test.digest('a')))
FROM unnest('{resolve,approve}'::text[]) verb;
-- Back at the approved digest it is usable at once.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "16.8": {"image": "c"}, "hidden": {"image": "h"}}');
SELECT test.shown(resolve(:'image'));
-- Missing, and not admitted.
SELECT test.sync('local', 'postgresql', '{"17.5": {"image": "b"}, "16.8": {"image": "c"}, "hidden": {"image": "h"}}');
SELECT test.outcome(format('SELECT resolve(%L)', :'image'));
SELECT test.shown(reset(:'image'));
SELECT test.outcome(format('SELECT approve(%L)', :'image'));
SELECT alter_rule(:rule, exclude_tags => '{hidden}');
SELECT test.outcome('SELECT resolve(''localhost:5000/postgresql:hidden'')');
SELECT test.outcome('SELECT approve(''localhost:5000/postgresql:hidden'')');

-- Bulk, and all or nothing.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "16.8": {"image": "c"}, "18.0": {"image": "d"}, "18.1": {"image": "e"}}');
SAVEPOINT bulk;
SELECT tag, test.shown(approve(reference, 'batch 7')) FROM pending_images WHERE tag LIKE '18.%' ORDER BY tag;
SELECT count(*) FROM postgres_images WHERE tag LIKE '18.%';
ROLLBACK TO bulk;
SELECT count(*) FROM postgres_images WHERE tag LIKE '18.%';
SELECT count(*) FROM decisions WHERE reason = 'batch 7';
SELECT test.outcome('SELECT approve(reference, ''batch 8'') FROM images WHERE tag IN (''16.8'', ''18.0'') ORDER BY tag DESC') ~ 'localhost';
SELECT test.outcome($$SELECT count(a) FROM (SELECT approve(reference, 'batch 8') a FROM images WHERE tag IN ('16.8', '18.0') ORDER BY tag DESC) bulk$$);
SELECT count(*) FROM decisions WHERE reason = 'batch 8';

-- Two tags of one digest have one state.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "16.8": {"image": "c"}, "18.0": {"image": "d"}, "18": {"image": "d"}}');
SELECT test.shown(approve('localhost:5000/postgresql:18'));
SELECT tag, approval FROM images WHERE tag LIKE '18%' ORDER BY tag;
SELECT tag, major_version FROM postgres_images ORDER BY tag;
-- One statement decides once, however many of the tags it names; the next one is told.
SELECT count(revoke(reference)) FROM images WHERE digest = test.digest('d');
SELECT count(reset(reference)) FROM images WHERE digest = test.digest('d');
SELECT count(approve(reference, 'batch 9')) FROM pending_images WHERE digest = test.digest('d');
SELECT count(quarantine(reference)) FROM images WHERE digest = test.digest('d');
SELECT count(release(reference)) FROM images WHERE digest = test.digest('d');
SELECT count(deprecate(reference, now() + interval '1 day')) FROM images WHERE digest = test.digest('d');
SELECT count(undeprecate(reference)) FROM images WHERE digest = test.digest('d');
SELECT old_state, action, new_state, count(*) FROM decisions WHERE digest = test.digest('d') GROUP BY 1, 2, 3 ORDER BY min(decision_id);
SELECT test.outcome($$SELECT count(approve(reference)) FROM (SELECT reference FROM images WHERE digest = test.digest('d') ORDER BY tag) i$$);

-- A rule that approves on arrival says so; what people decided stays.
SELECT add_rule('local', 'nim/**', approval => 'auto') AS auto_rule \gset
SELECT test.sync('local', 'nim/nvidia/nvclip', '{"1.0": {"image": "m"}, "latest": {"image": "m"}}');
SELECT tag, approval FROM images WHERE repository = 'nim/nvidia/nvclip' ORDER BY tag;
SELECT tag, old_state, new_state, reason, rule_id = :auto_rule AS by_rule FROM decisions WHERE repository = 'nim/nvidia/nvclip' ORDER BY decision_id;
SELECT test.shown(revoke('localhost:5000/nim/nvidia/nvclip:1.0', 'licence'));
SELECT test.sync('local', 'nim/nvidia/nvclip', '{"1.0": {"image": "m"}, "latest": {"image": "m"}}');
SELECT tag, approval FROM images WHERE repository = 'nim/nvidia/nvclip' ORDER BY tag;
SELECT test.sync('local', 'nim/nvidia/nvclip', '{"1.0": {"image": "m"}, "latest": {"image": "m2"}}');
SELECT tag, approval FROM images WHERE repository = 'nim/nvidia/nvclip' ORDER BY tag;
ROLLBACK;

-- The chain of decisions and audit rows: what is changed past the library shows, and the first row that does not fit is named.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_curator IN ROLE image_library_curator;
CREATE ROLE test_reader IN ROLE image_library_reader;
SELECT count(*) AS nothing FROM verify_audit();
SELECT * FROM audit_head();
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', 'postgresql') AS rule \gset
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "17.6": {"image": "c"}}');
SELECT count(approve(reference, 'batch 1')) FROM pending_images;
SELECT revoke('localhost:5000/postgresql:17.5', 'CVE') IS NOT NULL AS revoked;

-- Rows get their position when the transaction commits, here when that is asked for; rows of both logs follow each other.
SELECT count(*) FILTER (WHERE chain_position IS NULL) AS waiting, count(*) FROM decisions;
SELECT count(*) AS nothing FROM verify_audit();
SET CONSTRAINTS ALL IMMEDIATE;
SELECT c.position, c.log, octet_length(c.previous_hash) AS previous, octet_length(c.row_hash) AS hash,
       c.previous_hash = lag(c.row_hash) OVER (ORDER BY c.position) AS follows
FROM chain c ORDER BY 1;
SELECT bool_and(d.previous_hash = (SELECT encode(c.row_hash, 'hex') FROM chain c WHERE c.position = d.chain_position - 1)) AS hashes_shown,
       bool_and(d.transaction = pg_current_xact_id()) AS of_this_transaction, bool_and(d.client_address IS NOT DISTINCT FROM inet_client_addr()) AS address FROM decisions d;
SELECT position, row_hash = (SELECT row_hash FROM decisions WHERE action = 'revoke') AS last_row FROM audit_head();
SELECT count(*) AS nothing FROM verify_audit();

-- The hashes can be computed by anybody who knows the rows, and do not depend on settings of the session.
SET LOCAL timezone = 'Asia/Kolkata';
SET LOCAL datestyle = 'SQL, DMY';
SET LOCAL bytea_output = 'escape';
SELECT count(*) AS nothing FROM verify_audit();
SELECT add_hm_tag('green');
SELECT count(*) AS nothing FROM verify_audit();
SET LOCAL timezone = 'UTC';
SELECT bool_and(c.row_hash = sha256(c.previous_hash || convert_to(jsonb_build_array(c.position, c.log, jsonb_strip_nulls(to_jsonb(d)))::text, 'UTF8'))) AS as_documented
FROM chain c JOIN decision d ON c.log = 'decisions' AND c.number = d.decision_id;
-- Nulls are left out of the row only, not of the values in it.
SELECT bool_and(c.row_hash = sha256(c.previous_hash || convert_to(jsonb_build_array(c.position, c.log,
         (SELECT jsonb_object_agg(k, v) FROM jsonb_each(to_jsonb(e)) AS x (k, v) WHERE v <> 'null'))::text, 'UTF8'))) AS as_documented,
       bool_or(jsonb_strip_nulls(e.new) <> e.new) AS with_nulls
FROM chain c JOIN audit_entry e ON c.log = 'audit' AND c.number = e.audit_id;

-- A superuser who switches the triggers off: each change is told with its row. (Each is tried alone and taken back.)
CREATE TABLE test.head AS SELECT * FROM audit_head();
CREATE FUNCTION test.tampered(VARIADIC statements text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  statement text;
  found record;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOREACH statement IN ARRAY statements LOOP
    EXECUTE statement;
  END LOOP;
  SET LOCAL session_replication_role = origin;
  SELECT v.* INTO found FROM test.head h, verify_audit(h.position, h.row_hash) v;
  RAISE EXCEPTION USING ERRCODE = 'XX999', MESSAGE = CASE WHEN found.problem IS NULL THEN 'nothing' ELSE format('%s at %s (%s): %s', found.log, found.position,
    coalesce((SELECT d.tag || ' ' || d.action FROM decision d WHERE found.log = 'decisions' AND d.decision_id = found.number),
             (SELECT concat_ws(' ', e.action, e.object, e.name) FROM audit_entry e WHERE found.log = 'audit' AND e.audit_id = found.number), 'gone'), found.problem) END;
EXCEPTION WHEN SQLSTATE 'XX999' THEN
  RETURN SQLERRM;
END
$$;
SELECT test.tampered('SELECT');
SELECT change, test.tampered(change) FROM unnest(ARRAY[
  'UPDATE decision SET reason = ''batch 2'' WHERE tag = ''17.5'' AND action = ''approve''',
  'UPDATE decision SET reason = NULL WHERE tag = ''17.5'' AND action = ''approve''',
  'UPDATE decision SET actor = ''test_curator'' WHERE action = ''revoke''',
  'UPDATE decision SET decided_at = decided_at + interval ''1 microsecond'' WHERE tag = ''17.4''',
  'UPDATE decision SET client_address = ''192.0.2.1'' WHERE tag = ''17.4''',
  'UPDATE audit_entry SET new = new - ''priority'' WHERE object = ''rule''',
  'DELETE FROM decision WHERE action = ''revoke''',
  'DELETE FROM audit_entry WHERE object = ''rule''',
  'UPDATE decision SET decision_id = decision_id + 1000 WHERE tag = ''17.5'' AND action = ''approve''']) change;
-- The chain is changed too.
SELECT note, test.tampered(VARIADIC changes) FROM (VALUES
  ('removed from both', ARRAY['DELETE FROM chain WHERE log = ''decisions'' AND number = (SELECT max(decision_id) FROM decision)', 'DELETE FROM decision WHERE action = ''revoke''']),
  ('and renumbered', ARRAY['DELETE FROM chain WHERE log = ''decisions'' AND number = (SELECT max(decision_id) FROM decision)', 'DELETE FROM decision WHERE action = ''revoke''',
                           'UPDATE chain SET position = position - 1 WHERE position > (SELECT max(position) FROM chain WHERE log = ''decisions'')']),
  ('two change places', ARRAY['UPDATE decision SET decision_id = - decision_id',
                              'UPDATE decision SET decision_id = CASE decision_id WHEN -1 THEN 2 WHEN -2 THEN 1 ELSE - decision_id END']),
  ('the end is cut off', ARRAY['DELETE FROM chain WHERE position = (SELECT max(position) FROM chain)', 'DELETE FROM audit_entry WHERE object = ''HM tag''']),
  ('the first is removed', ARRAY['DELETE FROM chain WHERE position = 1', 'DELETE FROM audit_entry WHERE object = ''registry'''])) AS t (note, changes);
-- A row that was added with the triggers off has no place.
SELECT test.tampered('INSERT INTO decision (registry_id, registry, repository, tag, digest, old_state, new_state, action, actor, transaction)
  SELECT registry_id, registry, repository, ''17.4'', ''sha256:forged'', ''pending'', ''approved'', ''approve'', ''test_curator'', ''3'' FROM decision LIMIT 1');
-- What was not noted is no chain that was written anew.
SELECT given, test.outcome('SELECT verify_audit(' || given || ')') FROM unnest(ARRAY['3', 'NULL, repeat(''0'', 64)', '3, ''abc''', '3, ''''', '3, repeat(''g'', 64)']) given;
SELECT count(*) AS nothing FROM test.head h, verify_audit(h.position, upper(h.row_hash));
-- One who writes the whole chain anew passes, unless an earlier head was noted.
CREATE FUNCTION test.rewritten() RETURNS void LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
  link chain;
  hash bytea := '';
BEGIN
  FOR link IN SELECT * FROM chain ORDER BY position LOOP
    link.row_hash := chain_hash(hash, link.position, link.log, CASE link.log WHEN 'audit' THEN (SELECT to_jsonb(e) FROM audit_entry e WHERE e.audit_id = link.number)
                                                                 ELSE (SELECT to_jsonb(d) FROM decision d WHERE d.decision_id = link.number) END);
    UPDATE chain c SET previous_hash = hash, row_hash = link.row_hash WHERE c.position = link.position;
    hash := link.row_hash;
  END LOOP;
END
$$;
SELECT test.tampered('UPDATE decision SET reason = ''batch 2'' WHERE tag = ''17.5'' AND action = ''approve''', 'SELECT test.rewritten()');
SELECT test.tampered('UPDATE decision SET reason = ''batch 2'' WHERE tag = ''17.5'' AND action = ''approve''', 'SELECT test.rewritten()', 'UPDATE test.head SET row_hash = NULL, position = NULL');

-- Who may: readers verify, nobody writes.
SELECT role_name, test.outcome_as(role_name, 'SELECT count(*) FROM image_library.verify_audit()'), test.outcome_as(role_name, 'SELECT position FROM image_library.audit_head()')
FROM unnest('{test_reader,test_curator}'::text[]) role_name;
SELECT statement, test.outcome(statement) FROM unnest(ARRAY['UPDATE chain SET row_hash = ''''', 'DELETE FROM chain', 'TRUNCATE chain']) statement;
SELECT test.outcome_as('test_curator', 'DELETE FROM image_library_internal.chain');
-- Addresses are for admins.
SET session_replication_role = replica;
UPDATE decision SET client_address = '192.0.2.1';
RESET session_replication_role;
SELECT role_name, test.outcome_as(role_name, 'SELECT string_agg(DISTINCT host(client_address), '' '') FROM image_library.decisions') FROM unnest(ARRAY['test_reader', current_user]) role_name;
ROLLBACK;

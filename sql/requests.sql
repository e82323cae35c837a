-- Requests: who may ask that an image be approved, how a request ends, and that a requester does not approve where a rule separates them.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_alice IN ROLE image_library_curator;
CREATE ROLE test_bob IN ROLE image_library_curator;
CREATE ROLE test_carol IN ROLE image_library_curator;
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE ROLE test_team IN ROLE image_library_curator;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', 'postgresql') AS rule \gset
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17": {"image": "a"}, "17.5": {"image": "b"}, "17.6": {"image": "c"}, "16.1": {"image": "d"}, "16.2": {"image": "k"}}');
\set image 'localhost:5000/postgresql:17.4'
CREATE VIEW test.asked AS SELECT tag, why, requesters, requested_reason AS reason, requested_at BETWEEN now() AND clock_timestamp() AS now FROM pending_images WHERE requesters <> '{}' AND registry = 'local' ORDER BY tag;
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
CREATE FUNCTION test.requests(who text, image text, reason text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
  SELECT test.as_session(who, format('SELECT image_library.request_approval(%L, %L)', image, reason)) $$;
CREATE FUNCTION test.approves(who text, image text) RETURNS text LANGUAGE sql AS $$
  SELECT test.as_session(who, format('SELECT image_library.approve(%L)', image)) $$;

-- A reader asks, for the digest: every tag of it shows the request. Asking again changes nothing.
SELECT test.requests('test_reader', :'image', 'for the orders cluster');
SELECT test.requests('test_reader', 'localhost:5000/postgresql:17', 'again');
SELECT test.requests('test_alice', :'image');
SELECT * FROM test.asked;
SELECT event, tag, detail FROM events WHERE event = 'approval requested' ORDER BY event_id;
SELECT count(*) AS decisions FROM decisions;
-- What it cannot be for.
SELECT approve('localhost:5000/postgresql:17.5') IS NOT NULL AS approved, reject('localhost:5000/postgresql:17.6', 'no') IS NOT NULL AS rejected, quarantine('localhost:5000/postgresql:16.1', 'alarm') IS NOT NULL AS quarantined;
SELECT image, test.requests('test_reader', image) FROM unnest('{localhost:5000/postgresql:17.5,localhost:5000/postgresql:17.6,localhost:5000/postgresql:16.1,localhost:5000/postgresql:99,localhost:5000/postgresql}'::text[]) image;
SELECT test.as_session('test_reader', format('SELECT image_library.request_approval(%L, chr(7))', :'image'));
SELECT test.as_session('test_reader', 'INSERT INTO image_library_internal.approval_request DEFAULT VALUES');
SELECT release('localhost:5000/postgresql:16.1') IS NOT NULL AS released, reset('localhost:5000/postgresql:17.6') IS NOT NULL AS reset;
-- Not for images of a private registry that the reader does not see.
SELECT add_registry('hidden', 'http://localhost:5001', allow_private => true, owner => 'test_team', private => true), add_rule('hidden', '**');
SELECT test.sync('hidden', 'postgresql', '{"17.4": {"image": "h"}}') IS NOT NULL AS synced;
SELECT who, test.shown(test.requests(who, 'localhost:5001/postgresql:17.4')) FROM unnest('{test_reader,test_team}'::text[]) who;
-- A role has so many open requests and no more; those of others do not count.
SAVEPOINT flood;
INSERT INTO image (digest, media_type, artifact_type, config_type, config_digest, layer_types, platforms, size_bytes, created_text, annotations, labels, first_seen_at)
SELECT 'sha256:' || encode(sha256(n::text::bytea), 'hex'), '', '', '', '', '{}', '{}', 1, '', '{}', '{}', now() FROM generate_series(1, 9999) n;
INSERT INTO approval_request (repository_id, digest, requester, requester_id, tag)
SELECT 1, 'sha256:' || encode(sha256(n::text::bytea), 'hex'), 'test_reader', 'test_reader'::regrole, 'x' FROM generate_series(1, 9999) n;
SELECT test.requests('test_reader', 'localhost:5000/postgresql:17.6');
SELECT test.shown(test.requests('test_bob', 'localhost:5000/postgresql:17.6')) AS another;
ROLLBACK TO flood;

-- It ends with the decision on the image, by whom or what it may be; a vote, a reset or a mark does not end it.
SELECT quarantine(:'image') IS NOT NULL AS quarantined, release(:'image') IS NOT NULL AS released;
SELECT count(*) AS open FROM test.asked;
SELECT approve(:'image', 'as requested') IS NOT NULL AS approved;
SELECT count(*) AS open FROM approval_request WHERE ended_at IS NULL AND repository_id = 1;
SELECT reset(:'image') IS NOT NULL AS reset;
SELECT * FROM test.asked;
SELECT test.shown(test.requests('test_reader', :'image', 'once more'));
SELECT * FROM test.asked;
SELECT reject(:'image', 'no') IS NOT NULL AS rejected, reset(:'image') IS NOT NULL AS reset;
SELECT * FROM test.asked;
SELECT test.shown(test.requests('test_reader', 'localhost:5000/postgresql:16.2'));
SELECT alter_rule(:rule, approval => 'auto');
SELECT tag, approval FROM images WHERE tag = '16.2';
-- It does not keep a rule or a policy from approving, as a decision would.
SELECT count(*) AS open FROM approval_request WHERE ended_at IS NULL AND repository_id = 1;
SELECT alter_rule(:rule, approval => 'manual');

-- separate_requester: which rules have it, and who may take it away.
SELECT value, test.outcome(format('SELECT add_rule(''local'', ''nim/**'', separate_requester => true, %s)', value)) FROM unnest(ARRAY['approval => ''auto''', 'action => ''exclude''']) value;
SELECT alter_rule(:rule, separate_requester => true);
SELECT separate_requester FROM rules WHERE rule_id = :rule;
SELECT old, new FROM audit ORDER BY audit_id DESC LIMIT 1;
SELECT alter_rule(:rule, owner => 'test_team');
SELECT statement, test.as_session('test_team', 'SELECT image_library.' || statement) ~ '^42501' AS refused
FROM unnest(ARRAY[format('alter_rule(%s, separate_requester => false)', :rule), format('disable_rule(%s)', :rule), format('drop_rule(%s)', :rule)]) statement;
SELECT alter_rule(:rule, owner => '-');
SELECT count(*) > 0 AS previewed FROM preview_rule('local', 'postgresql', separate_requester => true);
SELECT count(*) > 0 AS previewed FROM preview_rule_change(:rule, separate_requester => false);

-- Who has requested it does not approve it; somebody else does. Without a request anybody may.
SELECT test.sync('local', 'postgresql', '{"18.0": {"image": "e"}, "18.1": {"image": "f"}, "18.2": {"image": "g"}, "18.3": {"image": "h2"}}') IS NOT NULL AS synced;
\set image 'localhost:5000/postgresql:18.0'
SELECT test.shown(test.requests('test_alice', :'image', 'mine'));
SELECT test.approves('test_alice', :'image');
SELECT test.approves('test_alice', 'localhost:5000/postgresql:18.1') LIKE 'localhost%' AS nobody_asked;
-- Nor in another role, under another name, or after a reset, a rejection, an approval that has ended.
SELECT test.as_session('test_alice', format('SET ROLE image_library_curator; SELECT image_library.approve(%L)', :'image')) ~ 'test_alice has requested' AS same_person;
ALTER ROLE test_alice RENAME TO test_alison;
SELECT test.approves('test_alison', :'image') ~ 'test_alison has requested' AS same_person;
ALTER ROLE test_alison RENAME TO test_alice;
SELECT test.as_session('test_alice', format('SELECT image_library.reject(%L)', :'image')) LIKE 'localhost%' AS rejected, test.as_session('test_alice', format('SELECT image_library.reset(%L)', :'image')) LIKE 'localhost%' AS reset;
SELECT test.approves('test_alice', :'image') ~ 'has requested' AS refused;
SELECT test.shown(test.approves('test_bob', :'image'));
UPDATE approval SET valid_until = now() WHERE digest = test.digest('e');
SELECT test.approves('test_alice', :'image') ~ 'has requested' AS refused;
SELECT test.approves('test_carol', :'image') LIKE 'localhost%' AS approved;
-- Other rules that take a tag of it do not change that, whichever decides; nor a tag that is hidden.
SELECT test.requests('test_alice', 'localhost:5000/postgresql:18.2') LIKE 'localhost%' AS requested;
SELECT add_rule('local', 'postgresql', priority => 1) AS lax \gset
SELECT test.approves('test_alice', 'localhost:5000/postgresql:18.2') ~ 'has requested' AS refused;
SELECT add_rule('local', 'postgresql', '{18.2}', action => 'exclude') AS hiding \gset
SELECT test.sync('local', 'postgresql', '{"18.2": {"image": "g"}, "beta": {"image": "g"}, "18.3": {"image": "h2"}}') IS NOT NULL AS synced;
SELECT test.approves('test_alice', 'localhost:5000/postgresql:beta') ~ 'has requested' AS refused;
SELECT drop_rule(:hiding), drop_rule(:lax);
-- With several people: a vote before the request, or before the rule, does not count.
SELECT alter_rule(:rule, required_approvals => 2, separate_requester => false);
SET client_min_messages = warning;
SELECT test.approves('test_alice', 'localhost:5000/postgresql:18.2') LIKE 'localhost%' AS voted;
SELECT test.requests('test_alice', 'localhost:5000/postgresql:18.2');
SELECT tag, voters FROM pending_images WHERE tag = '18.2';
SELECT alter_rule(:rule, separate_requester => true);
SELECT tag, voters, votes_needed FROM pending_images WHERE tag = '18.2';
SELECT test.approves('test_bob', 'localhost:5000/postgresql:18.2') LIKE 'localhost%' AS voted;
SELECT tag, approval FROM images WHERE tag = '18.2';
SELECT test.approves('test_carol', 'localhost:5000/postgresql:18.2') LIKE 'localhost%' AS voted;
SELECT tag, approval FROM images WHERE tag = '18.2';
RESET client_min_messages;
-- A policy is not a person: it may approve what was requested.
CREATE FUNCTION test.yes(image images) RETURNS boolean LANGUAGE sql STABLE RETURN true;
SELECT alter_rule(:rule, required_approvals => 1);
SELECT test.requests('test_alice', 'localhost:5000/postgresql:18.3') LIKE 'localhost%' AS requested;
SELECT add_policy('yes', 'test.yes(images)', effect => 'auto_approve'), apply_policies();
SELECT tag, approval, policy FROM images JOIN decisions USING (tag) WHERE tag = '18.3';
SELECT count(*) AS open FROM approval_request WHERE ended_at IS NULL AND repository_id = 1;
SELECT drop_policy('yes');

-- Approved by its requester under a rule without it, and then given a tag of a rule that has it: others decide.
SELECT add_registry('pushed', 'http://localhost:5002', allow_private => true), add_rule('pushed', '**');
SELECT add_rule('pushed', 'postgresql', '{17.*}', priority => 1, separate_requester => true) AS strict \gset
SELECT test.sync('pushed', 'postgresql', '{"scratch": {"image": "x"}, "other": {"image": "y"}, "third": {"image": "z"}}') IS NOT NULL AS synced;
SELECT who, test.requests('test_alice', 'localhost:5002/postgresql:' || tag) LIKE 'localhost%' AS requested, test.approves(who, 'localhost:5002/postgresql:' || tag) LIKE 'localhost%' AS approved
FROM (VALUES ('test_alice', 'scratch'), ('test_bob', 'other')) v (who, tag);
SELECT test.approves('test_alice', 'localhost:5002/postgresql:third') LIKE 'localhost%' AS without_request;
SELECT test.sync('pushed', 'postgresql', '{"scratch": {"image": "x"}, "other": {"image": "y"}, "third": {"image": "z"}, "17.1": {"image": "x"}, "17.2": {"image": "y"}, "17.3": {"image": "z"}}') IS NOT NULL AS synced;
SELECT tag, approval FROM images WHERE registry = 'pushed' ORDER BY tag;
SELECT tag, action, regexp_replace(reason, 'rule \d+', 'rule <strict>') AS reason, rule_id = :strict AS by_rule FROM decisions WHERE registry = 'pushed' AND action = 'reset';
SELECT test.approves('test_alice', 'localhost:5002/postgresql:scratch') ~ 'has requested' AS refused, test.approves('test_bob', 'localhost:5002/postgresql:scratch') LIKE 'localhost%' AS approved;

-- What is dropped takes its requests along.
SELECT drop_registry('pushed', cascade => true);
SELECT count(*) FROM approval_request q LEFT JOIN repository r USING (repository_id) WHERE r.repository_id IS NULL;
ROLLBACK;

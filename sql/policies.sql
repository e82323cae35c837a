-- Policies: what can be one, with whose rights it runs and for how long, and what it does to approvals.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE ROLE test_curator IN ROLE image_library_curator;
CREATE ROLE test_admin IN ROLE image_library_admin;
CREATE ROLE test_author IN ROLE image_library_reader;
GRANT USAGE, CREATE ON SCHEMA test TO test_author;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true);
SELECT add_rule('local', '**');
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a", "annotations": {"org.opencontainers.image.source": "x"}}, "17.5": {"image": "b"}, "latest": {"image": "b"}}');

-- What cannot be a policy.
CREATE FUNCTION test.yes(image images) RETURNS boolean LANGUAGE sql STABLE RETURN true;
CREATE FUNCTION test.no(image images) RETURNS boolean LANGUAGE sql STABLE RETURN false;
CREATE FUNCTION test.takes_text(image text) RETURNS boolean LANGUAGE sql STABLE RETURN true;
CREATE FUNCTION test.takes_two(image images, more text DEFAULT '') RETURNS boolean LANGUAGE sql STABLE RETURN true;
CREATE FUNCTION test.gives_text(image images) RETURNS text LANGUAGE sql STABLE RETURN 'true';
CREATE FUNCTION test.gives_rows(image images) RETURNS SETOF boolean LANGUAGE sql STABLE RETURN true;
CREATE PROCEDURE test.procedure(image images) LANGUAGE sql AS 'SELECT';
CREATE FUNCTION test.secret(image images) RETURNS boolean LANGUAGE sql STABLE RETURN true;
REVOKE ALL ON FUNCTION test.secret FROM PUBLIC;
SELECT statement, test.outcome_as('test_admin', 'SELECT image_library.add_policy(' || statement || ')') FROM unnest(ARRAY[
  '''p'', NULL', '''p'', ''test.takes_text(text)''', '''p'', ''test.takes_two(image_library.images, text)''', '''p'', ''test.gives_text(image_library.images)''',
  '''p'', ''test.gives_rows(image_library.images)''', '''p'', ''test.procedure(image_library.images)''', '''p'', ''test.secret(image_library.images)''',
  '''p'', ''test.nowhere(image_library.images)''', 'NULL, ''test.yes(image_library.images)''', ''' p'', ''test.yes(image_library.images)''',
  '''p'', ''test.yes(image_library.images)'', ''models''', '''p'', ''test.yes(image_library.images)'', NULL',
  '''p'', ''test.yes(image_library.images)'', ''all'', ''deny''']) statement;
SELECT count(*) FROM policies;
SELECT add_policy('p', 'test.yes(images)');
SELECT test.outcome('SELECT add_policy(''p'', ''test.no(image_library.images)'')');
SELECT statement, test.outcome('SELECT ' || statement) FROM unnest(ARRAY['enable_policy(''q'')', 'disable_policy(NULL)', 'drop_policy(''q'')']) statement;
-- Policies are an admin's; readers see them and ask them.
SELECT statement, test.outcome_as('test_curator', CASE WHEN starts_with(statement, 'call_policy') THEN 'SELECT image_library_internal.' ELSE 'SELECT image_library.' END || statement) FROM unnest(ARRAY['add_policy(''c'', ''test.yes(image_library.images)'')',
  'drop_policy(''p'')', 'apply_policies()', 'call_policy(1, i) FROM image_library.images i']) statement;
SELECT test.outcome_as('test_reader', 'SELECT count(*) FROM image_library.policies'), test.outcome_as('test_reader', 'SELECT count(*) FROM image_library.policy_failures(''localhost:5000/postgresql:17.4'')');
SELECT name, function, runs_as = session_user AS runs_as_me, applies_to, effect, enabled FROM policies;
SELECT statement, test.outcome('SELECT * FROM ' || statement) FROM unnest(ARRAY['policy_failures(''localhost:5000/postgresql:99'')', 'policy_failures(''localhost:5000/postgresql'')', 'policy_failures(NULL)']) statement;

-- Whose rights, and what it may do with them: those of its author, in an operation that cannot leave them, and nothing that lasts.
CREATE TABLE test.allowed (tag text);
CREATE TABLE test.trace (tag text);
INSERT INTO test.allowed VALUES ('17.4');
GRANT SELECT ON test.allowed TO test_author;
GRANT INSERT ON test.trace TO test_author;
SET ROLE test_author;
CREATE FUNCTION test.is_allowed(image images) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT current_user = ''test_author'' AND EXISTS (SELECT FROM test.allowed a WHERE a.tag = image.tag)';
CREATE FUNCTION test.writes(image images) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO test.trace VALUES (image.tag); RETURN true; END $$;
CREATE FUNCTION test.reads_registry(image images) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN EXISTS (SELECT FROM image_library_internal.credential); END $$;
CREATE FUNCTION test.leaves(image images) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RESET ROLE; RETURN true; END $$;
CREATE FUNCTION test.makes_table(image images) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE t (); RETURN true; END $$;
CREATE FUNCTION test.unqualified(image images) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT version_key(image.tag) IS NOT NULL';
CREATE FUNCTION test.says_nothing(image images) RETURNS boolean LANGUAGE sql STABLE RETURN NULL::boolean;
CREATE FUNCTION test.fails(image images) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT 1 / (length(image.tag) - length(image.tag)) = 1';
CREATE FUNCTION test.approves(image images) RETURNS boolean LANGUAGE sql AS 'SELECT image_library.approve(image.reference) IS NOT NULL';
RESET ROLE;
SET check_function_bodies = on;
SELECT count(add_policy(p.proname, p.oid::regprocedure)) FROM pg_proc p WHERE p.pronamespace = 'test'::regnamespace AND p.proowner = 'test_author'::regrole;
SELECT * FROM policy_failures('localhost:5000/postgresql:17.4');
SELECT count(*) AS written FROM test.trace;
SELECT policy FROM policy_failures('localhost:5000/postgresql:17.5') WHERE policy = 'is_allowed';
SELECT current_user = session_user AS rights_are_back, approval FROM images WHERE tag = '17.4';
SELECT count(drop_policy(name)) FROM policies WHERE runs_as = 'test_author';
-- With the planner's settings of a session, not those of the library's functions.
CREATE FUNCTION test.plans(image images) RETURNS boolean LANGUAGE sql STABLE
  AS 'SELECT (current_setting(''plan_cache_mode''), current_setting(''enable_seqscan''), current_setting(''jit'')) = (''auto'', ''on'', ''on'')';
SELECT add_policy('plans', 'test.plans(images)');
SELECT test.outcome($$SELECT image_library.approve('localhost:5000/postgresql:17.4')$$) AS approved;
SELECT reset('localhost:5000/postgresql:17.4') IS NOT NULL AS reset, drop_policy('plans');

-- For how long. What comes after is not cancelled, and a cancel that is not the policy's passes through.
CREATE FUNCTION test.sleeps(image images) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true FROM pg_sleep(60)';
CREATE FUNCTION test.spins(image images) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN LOOP END LOOP; END $$;
CREATE FUNCTION test.swallows(image images) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(60); RETURN true; EXCEPTION WHEN query_canceled THEN RETURN true; END $$;
SELECT add_policy('sleeps', 'test.sleeps(images)'), add_policy('spins', 'test.spins(images)'), add_policy('swallows', 'test.swallows(images)');
SET LOCAL image_library.policy_timeout = '50ms';
SELECT * FROM policy_failures('localhost:5000/postgresql:17.4');
SELECT pg_sleep(0.1) IS NOT NULL AS goes_on;
SELECT drop_policy('spins'), drop_policy('swallows');
SET LOCAL image_library.policy_timeout = '60s';
SET LOCAL statement_timeout = '100ms';
SELECT * FROM policy_failures('localhost:5000/postgresql:17.4');
SET LOCAL statement_timeout = 0;
SET LOCAL image_library.policy_timeout = '1s';
SELECT drop_policy('sleeps');

-- Advisory locks that a policy takes go with it; those of the session stay.
CREATE FUNCTION test.locks(image images) RETURNS boolean LANGUAGE sql AS $$
  SELECT pg_advisory_lock(1), pg_advisory_lock(2, 2), pg_advisory_lock(2, 2), pg_advisory_lock_shared(3), pg_advisory_xact_lock(4); SELECT true $$;
SELECT pg_advisory_lock(1), pg_advisory_lock(3);
SELECT add_policy('locks', 'test.locks(images)');
SELECT count(*) AS failures FROM policy_failures('localhost:5000/postgresql:17.4');
SELECT mode, objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND classid <> 'registry'::regclass ORDER BY 2;
SELECT pg_advisory_unlock_all(), drop_policy('locks');

-- require: nobody approves what it refuses; every tag of the digest must pass, and every policy that refuses is told.
CREATE FUNCTION test.is_numbered(image images) RETURNS boolean LANGUAGE sql STABLE RETURN image.tag <> 'latest';
SELECT add_policy('numbered', 'test.is_numbered(images)'), add_policy('no', 'test.no(images)'), add_policy('of models', 'test.no(images)', 'model'), add_policy('better', 'test.no(images)', 'postgres', 'warn');
SELECT test.outcome('SELECT approve(''localhost:5000/postgresql:17.5'')');
SELECT disable_policy('no');
SELECT test.outcome('SELECT approve(''localhost:5000/postgresql:17.5'')');
SELECT test.shown(approve('localhost:5000/postgresql:17.4'));
SELECT * FROM policy_failures('localhost:5000/postgresql:17.5');
SELECT tag, old_state, new_state, policy FROM decisions;
-- Another kind by a rule is no way around what is asked of the kind that it is.
SELECT add_policy('of databases', 'test.no(images)', 'postgres'), add_rule('local', 'postgresql', kind => 'other', priority => 1) AS another_kind \gset kind_
SELECT reset('localhost:5000/postgresql:17.4') IS NOT NULL AS reset;
SELECT kind, policy, reason FROM images, policy_failures(reference) WHERE tag = '17.4';
SELECT test.outcome('SELECT approve(''localhost:5000/postgresql:17.4'')');
SELECT drop_policy('of databases'), drop_rule(:kind_another_kind);
SELECT approve('localhost:5000/postgresql:17.4') IS NOT NULL AS approved;
-- A policy whose function is gone is not met; what is approved stays.
SELECT enable_policy('no'), drop_policy('numbered'), drop_policy('better');
DROP FUNCTION test.no(images);
SELECT name, function, runs_as FROM policies ORDER BY name;
SELECT test.outcome('SELECT approve(''localhost:5000/postgresql:17.5'')');
SELECT tag, approval, policy, reason FROM images, policy_failures(reference) WHERE tag = '17.4';
SELECT count(drop_policy(name)) FROM policies;
CREATE FUNCTION test.no(image images) RETURNS boolean LANGUAGE sql STABLE RETURN false;

-- auto_approve: on arrival, as the agent, and never past what is required; a rule's auto neither.
CREATE FUNCTION test.is_minor(image images) RETURNS boolean LANGUAGE sql STABLE RETURN image.kind = 'postgres' AND image.tag ~ '^18\.';
CREATE FUNCTION test.has_source(image images) RETURNS boolean LANGUAGE sql STABLE RETURN image_library.has_annotations(image, '{org.opencontainers.image.source}');
SELECT add_policy('minors', 'test.is_minor(images)', 'postgres', 'auto_approve'), add_policy('source', 'test.has_source(images)');
SELECT test.outcome_as('image_library_agent', $$SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "latest": {"image": "b"},
  "18.1": {"image": "c", "annotations": {"org.opencontainers.image.source": "x"}}, "18.2": {"image": "d"}, "19beta1": {"image": "e", "annotations": {"org.opencontainers.image.source": "x"}}}')$$);
SELECT tag, approval FROM images ORDER BY tag;
SELECT tag, new_state, policy, rule_id, reason FROM decisions ORDER BY decision_id;
SELECT tag FROM postgres_images ORDER BY tag;
SELECT event, tag, detail ->> 'reason' AS reason FROM events WHERE tag = '18.1' ORDER BY event_id;
SELECT add_registry('auto', 'http://localhost:5001', allow_private => true), add_rule('auto', 'auto/**', approval => 'auto') AS auto_rule \gset
SELECT test.outcome_as('image_library_agent', $$SELECT test.sync('auto', 'auto/postgresql', '{"17.4": {"image": "f"}, "17.5": {"image": "g", "annotations": {"org.opencontainers.image.source": "x"}}}')$$);
SELECT d.tag, d.new_state, d.policy, d.rule_id = :auto_rule AS by_rule, d.reason = format('rule %s approves on arrival', :auto_rule) AS says_so FROM decisions d WHERE repository = 'auto/postgresql';
-- What waits is asked again when somebody says so; what somebody decided on is not.
SELECT test.shown(reject('localhost:5000/postgresql:18.2', 'not this one'));
SELECT drop_policy('source'), apply_policies(), apply_policies('local');
SELECT repository, tag, approval FROM images WHERE tag ~ '^1[789]' ORDER BY 1, 2;
-- Several people are not replaced by a policy.
SELECT add_rule('local', 'careful/**', priority => 1, required_approvals => 2) IS NOT NULL AS added;
SELECT test.sync('local', 'careful/postgresql', '{"18.1": {"image": "h"}}'), apply_policies();
SELECT repository, approval FROM images WHERE repository = 'careful/postgresql';
-- A slow policy holds a batch up once.
SELECT add_policy('sleeps', 'test.sleeps(images)');
SET LOCAL image_library.policy_timeout = '50ms';
SELECT test.sync('auto', 'auto/many', (SELECT jsonb_object_agg('18.' || n, jsonb_build_object('image', 'many ' || n)) FROM generate_series(1, 100) n)) ->> 'tags_added' AS added;
SELECT count(*) FILTER (WHERE approval = 'approved') AS approved, count(*) FROM images WHERE repository = 'auto/many';
SELECT drop_policy('sleeps'), apply_policies('auto');

-- The shipped ones.
SELECT test.sync('local', 'epas', '{"17.4-tde": {"image": "i", "annotations": {"org.enterprisedb.pg.flavor": "epas", "org.enterprisedb.pg.major_version": "17", "org.enterprisedb.pg.features": "tde"},
  "referrers": [{"digest": "D", "referrer_digest": "sha256:1", "artifact_type": "application/vnd.dev.cosign.simplesigning.v1+json", "size_bytes": 1, "annotations": {}, "source": "cosign tag"},
                {"digest": "D", "referrer_digest": "sha256:2", "artifact_type": "application/vnd.cyclonedx+json", "size_bytes": 1, "annotations": {}, "source": "api"}]}}') IS NOT NULL AS synced;
UPDATE image_library_internal.image_referrer SET digest = test.digest('i') WHERE digest = 'D';
SELECT tag, has_age(i, '-1 hour') AS old, has_age(i, '1 day') AS older, has_annotations(i, '{org.enterprisedb.pg.flavor}') AS annotated, has_annotations(i, '{org.enterprisedb.pg.flavor,x}') AS more,
  has_platforms(i, '{linux/arm64}') AS arm, has_platforms(i, '{linux/arm64,linux/s390x}') AS both, is_signed(i) AS signed, has_sbom(i) AS sbom, has_referrer(i, '{application/sarif}') AS sarif,
  is_from(i, '{local,edb}') AS of_us, is_from(i, '{edb}') AS of_edb, has_features(i, '{tde}') AS tde, has_features(i, '{tde,other}') AS more_features
FROM images i WHERE tag IN ('17.4-tde', '17.5') AND repository IN ('epas', 'postgresql') ORDER BY tag;
SELECT add_policy('signed', 'image_library.is_signed(images)'), add_policy('sbom', 'image_library.has_sbom(images)');
SELECT repository, f.policy, f.reason FROM images, policy_failures(reference) f WHERE tag IN ('17.4-tde', '17.5') AND repository IN ('epas', 'postgresql') ORDER BY 1, 2;
ROLLBACK;

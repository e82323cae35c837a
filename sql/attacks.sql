-- Attacks: what a hostile reader, table owner, policy author, other team or publisher could try. One test each.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_mallory IN ROLE image_library_reader;
CREATE ROLE test_db_team;
CREATE ROLE test_ai_team;
CREATE ROLE test_db_curator IN ROLE image_library_curator, test_db_team;
CREATE ROLE test_ai_curator IN ROLE image_library_curator, test_ai_team;
CREATE ROLE test_curator IN ROLE image_library_curator;
CREATE FUNCTION test.states(of_repository text) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(tag || ' ' || approval, ', ' ORDER BY tag) FROM image_library.images WHERE repository = of_repository AND missing_since IS NULL
$$;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true), add_rule('local', 'postgresql');
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}}');
SELECT test.shown(approve('localhost:5000/postgresql:17.4'));

-- A reader guards a table with a column whose type has a cast to json: the cast is never called, and if it were, as the writer.
CREATE SCHEMA test_mallory AUTHORIZATION test_mallory;
CREATE TABLE test.called (as_role name);
GRANT INSERT ON test.called TO PUBLIC;
SET SESSION AUTHORIZATION test_mallory;
CREATE TYPE test_mallory.mood AS ENUM ('localhost:5000/postgresql:17.4', 'other');
CREATE FUNCTION test_mallory.to_json(test_mallory.mood) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO test.called VALUES (current_user);
  RETURN '"localhost:5000/postgresql:17.4"';
END
$$;
CREATE CAST (test_mallory.mood AS json) WITH FUNCTION test_mallory.to_json(test_mallory.mood);
CREATE TABLE test_mallory.guarded (image test_mallory.mood, beside test_mallory.mood);
CREATE TRIGGER guard BEFORE INSERT ON test_mallory.guarded FOR EACH ROW EXECUTE FUNCTION image_library.require_approved('image');
SELECT test.outcome($$INSERT INTO test_mallory.guarded VALUES ('localhost:5000/postgresql:17.4', 'other')$$);
SELECT test.outcome($$INSERT INTO test_mallory.guarded VALUES ('other', 'other')$$);
-- A domain whose check would run with more rights.
CREATE FUNCTION test_mallory.is_fine(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO test.called VALUES (current_user); RETURN true; END $$;
CREATE DOMAIN test_mallory.image AS text CHECK (test_mallory.is_fine(VALUE));
CREATE TABLE test_mallory.by_domain (image test_mallory.image);
CREATE TRIGGER guard BEFORE INSERT ON test_mallory.by_domain FOR EACH ROW EXECUTE FUNCTION image_library.require_approved('image');
INSERT INTO test_mallory.by_domain VALUES ('localhost:5000/postgresql:17.4@' || test.digest('a')) RETURNING test.shown(image) AS image;
RESET SESSION AUTHORIZATION;
SELECT DISTINCT as_role FROM test.called;

-- A generated column has no value when a BEFORE trigger looks; afterwards it is looked at.
CREATE TABLE test.generated (place text, image text GENERATED ALWAYS AS ('localhost:5000/postgresql:' || place) STORED);
CREATE TRIGGER guard BEFORE INSERT ON test.generated FOR EACH ROW EXECUTE FUNCTION require_approved('image');
SELECT test.outcome($$INSERT INTO test.generated VALUES ('17.5')$$);
DROP TRIGGER guard ON test.generated;
CREATE CONSTRAINT TRIGGER guard AFTER INSERT ON test.generated FOR EACH ROW EXECUTE FUNCTION require_approved('image');
SELECT test.outcome($$INSERT INTO test.generated VALUES ('17.5')$$);
SELECT test.outcome($$INSERT INTO test.generated VALUES ('17.4@' || test.digest('a'))$$);

-- The guard asks with its own rights: who writes the table needs none on the library, and gets none.
CREATE ROLE test_writer;
CREATE TABLE test.open (image text);
CREATE TRIGGER guard BEFORE INSERT ON test.open FOR EACH ROW EXECUTE FUNCTION require_approved('image');
GRANT INSERT ON test.open TO test_writer;
SELECT image, test.outcome_as('test_writer', format('INSERT INTO test.open VALUES (%L)', image))
FROM unnest(ARRAY['localhost:5000/postgresql:17.4@' || test.digest('a'), 'localhost:5000/postgresql:17.4', 'localhost:5000/postgresql:17.5', NULL]) image;
SELECT test.outcome_as('test_writer', 'SELECT image_library_internal.require_usable(''localhost:5000/postgresql:17.4'', true, '''')');

-- A rule that approves by itself beside one that does not: two tags of one digest, one taken by each, whichever comes first.
SELECT add_registry('both', 'http://localhost:5001', allow_private => true), add_rule('both', '*', '{dev*}', approval => 'auto') AS auto_rule, add_rule('both', '*', '{prod*}') AS manual_rule \gset
SELECT test.sync('both', 'at-once', '{"dev-1": {"image": "c"}, "prod-1": {"image": "c"}, "dev-2": {"image": "d"}}') ->> 'tags_added' AS tags_added;
SELECT test.states('at-once');
SELECT test.sync('both', 'later', '{"dev-1": {"image": "e"}}') ->> 'tags_added' AS tags_added;
SELECT test.states('later') AS before, test.sync('both', 'later', '{"dev-1": {"image": "e"}, "prod-1": {"image": "e"}}') ->> 'tags_added' AS pushed;
SELECT test.states('later'), (SELECT string_agg(action || coalesce(': ' || regexp_replace(reason, '\d+', 'N'), ''), '; ' ORDER BY decision_id) FROM decisions WHERE repository = 'later') AS decisions;
-- What a person approved stays so under both.
SELECT count(approve('localhost:5001/later:prod-1')), test.states('later') FROM generate_series(1, 1);
SELECT test.sync('both', 'later', '{"dev-1": {"image": "e"}, "prod-1": {"image": "e"}, "prod-2": {"image": "e"}}') ->> 'tags_added' AS pushed, test.states('later');
-- A rule of another team, in force or not before the other's; and one that takes the same tag.
SELECT add_registry('teams', 'http://localhost:5002', allow_private => true), add_rule('teams', 'mixed', '{a*}', approval => 'auto', owner => 'test_ai_team', priority => 1) AS ai_rule, add_rule('teams', 'mixed', '{*}', owner => 'test_db_team') AS db_rule \gset
SELECT test.sync('teams', 'mixed', '{"a1": {"image": "f"}}') ->> 'tags_added' AS tags_added, test.states('mixed');
SELECT alter_rule(:db_rule, approval => 'auto');
SELECT test.states('mixed');

-- A team's image is its own while its tag points elsewhere, is hidden, or is gone: nobody else ends a quarantine or a rejection.
SELECT add_rule('local', 'db', owner => 'test_db_team') AS db_only \gset
SELECT test.sync('local', 'db', '{"1": {"image": "g"}, "2": {"image": "h"}}') ->> 'tags_added' AS tags_added;
SELECT test.outcome_as('test_db_curator', 'SELECT image_library.quarantine(''localhost:5000/db:1'', ''leaks'')'), test.outcome_as('test_db_curator', 'SELECT image_library.reject(''localhost:5000/db:2'', ''no'')');
CREATE FUNCTION test.tries() RETURNS TABLE (who text, releases text, resets text) LANGUAGE sql AS $$
  SELECT w, left(test.outcome_and_back(w, 'SELECT image_library.release(''localhost:5000/db@' || test.digest('g') || ''')'), 16),
            left(test.outcome_and_back(w, 'SELECT image_library.reset(''localhost:5000/db@' || test.digest('h') || ''')'), 16)
  FROM unnest('{test_curator,test_ai_curator,test_db_curator}'::text[]) w
$$;
SELECT * FROM test.tries();
SELECT test.sync('local', 'db', '{"1": {"image": "g2"}, "2": {"image": "h2"}}') ->> 'tags_moved' AS moved;
SELECT * FROM test.tries();
SELECT disable_rule(:db_only), test.sync('local', 'db', '{}') ->> 'tags_missing' AS missing;
SELECT * FROM test.tries();

-- A transaction that began before an approval ended, or a deprecation began, does not go on using the image.
SELECT approve('localhost:5000/postgresql:17.5', valid_until => clock_timestamp() + interval '0.2 s') IS NOT NULL AS until_soon,
       deprecate('localhost:5000/postgresql:17.4', clock_timestamp() + interval '0.2 s') IS NOT NULL AS deprecated_soon;
SELECT pg_sleep_until(greatest((SELECT valid_until FROM images WHERE tag = '17.5' AND registry = 'local'), (SELECT deprecated_from FROM images WHERE tag = '17.4' AND registry = 'local')));
SELECT tag, regexp_replace(split_part(test.outcome(format('SELECT resolve(%L)', reference)), E'\n', 1), '(at|since) .*', '\1 <time>') AS resolve FROM images WHERE registry = 'local' AND repository = 'postgresql' ORDER BY tag;
SELECT count(*) AS usable FROM postgres_images WHERE registry = 'local' AND repository = 'postgresql';
SELECT tag, why FROM pending_images WHERE registry = 'local' AND repository = 'postgresql';
SELECT regexp_replace(test.outcome($$INSERT INTO test.open VALUES ('localhost:5000/postgresql:17.4')$$), 'since [^\n]*', 'since <time>', 'g') ~ '^55000: .* is deprecated' AS guarded;
-- Nor is a decision dated back to the start of its transaction, where history would show it too early.
SELECT max(decided_at) > now() AS dated_by_the_clock FROM decisions;

-- A policy that says its failure with the words of a cancel or of a conflict fails, and nothing else does.
SELECT undeprecate('localhost:5000/postgresql:17.4') IS NOT NULL AS undeprecated;
CREATE FUNCTION test.raises_40001(image images) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'try again'; END $$;
CREATE FUNCTION test.raises_57014(image images) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57014', MESSAGE = 'canceled'; END $$;
CREATE FUNCTION test.raises_40p01(image images) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01', MESSAGE = 'deadlock'; END $$;
SELECT count(add_policy(f, format('test.%s(images)', f)::regprocedure)) FROM unnest('{raises_40001,raises_57014,raises_40p01}'::text[]) f;
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "17.6": {"image": "i"}}') ->> 'tags_added' AS synced;
SELECT * FROM policy_failures('localhost:5000/postgresql:17.6');
SELECT count(drop_policy(name)) FROM policies;
-- A policy that asks for the policies of an image does not stop its own clock; the time it takes is the outer one's.
CREATE FUNCTION test.quick(image images) RETURNS boolean LANGUAGE sql STABLE RETURN true;
CREATE FUNCTION test.nests(image images) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF image.tag = '17.6' THEN
    PERFORM image_library.policy_failures('localhost:5000/postgresql:17.4');
    PERFORM pg_sleep(60);
  END IF;
  RETURN true;
END
$$;
CREATE FUNCTION test.nests_slow(image images) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF image.tag = '17.4' THEN
    PERFORM pg_sleep(60);
  ELSE
    PERFORM image_library.policy_failures('localhost:5000/postgresql:17.4');
  END IF;
  RETURN true;
END
$$;
SET LOCAL image_library.policy_timeout = '100ms';
SELECT add_policy('nests', 'test.nests(images)'), add_policy('quick', 'test.quick(images)');
SELECT * FROM policy_failures('localhost:5000/postgresql:17.6');
SELECT drop_policy('nests'), add_policy('nests slow', 'test.nests_slow(images)');
SELECT * FROM policy_failures('localhost:5000/postgresql:17.6');
SELECT count(drop_policy(name)) FROM policies;
RESET image_library.policy_timeout;
-- A cancel that is the caller's own goes through.
CREATE FUNCTION test.sleeps(image images) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN true; END $$;
SELECT add_policy('sleeps', 'test.sleeps(images)');
SET LOCAL image_library.policy_timeout = '60s';
SAVEPOINT timed;
SET LOCAL statement_timeout = '100ms';
SELECT policy_failures('localhost:5000/postgresql:17.6');
ROLLBACK TO timed;
RESET image_library.policy_timeout;
SELECT drop_policy('sleeps');

-- A policy sees what its owner sees, whoever approves: what is private to its team, and no more.
CREATE ROLE test_owner IN ROLE image_library_reader, test_db_team;
SELECT add_registry('secret', 'http://localhost:5003', allow_private => true, owner => 'test_db_team', private => true), add_rule('secret', '**');
SELECT test.sync('secret', 'known-good', '{"1": {"image": "i"}}') ->> 'tags_added' AS tags_added;
CREATE FUNCTION test.is_known(image images) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM image_library.images v WHERE v.registry = 'secret' AND v.digest = image.digest) $$;
ALTER FUNCTION test.is_known(images) OWNER TO test_owner;
GRANT USAGE ON SCHEMA test TO test_owner;
SELECT add_policy('known', 'test.is_known(images)');
SELECT who, test.outcome_as(who, 'SELECT count(*) FROM image_library.images WHERE registry = ''secret''') AS sees,
       split_part(test.outcome_and_back(who, 'SELECT image_library.approve(''localhost:5000/postgresql:17.6'')'), E'\n', 1) AS approves
FROM unnest('{test_curator,test_db_curator}'::text[]) who;
ALTER FUNCTION test.is_known(images) OWNER TO test_mallory;
SELECT split_part(test.outcome_and_back('test_db_curator', 'SELECT image_library.approve(''localhost:5000/postgresql:17.6'')'), E'\n', 1) AS owner_sees_nothing;
SELECT drop_policy('known');

-- A policy lives in a schema that only its owner may use, and is asked all the same.
CREATE SCHEMA test_closed AUTHORIZATION test_owner;
CREATE FUNCTION test_closed.is_known(image images) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT test.is_known(image) $$;
ALTER FUNCTION test_closed.is_known(images) OWNER TO test_owner;
ALTER FUNCTION test.is_known(images) OWNER TO test_owner;
SELECT add_policy('closed', 'test_closed.is_known(images)');
SELECT test.outcome_as('test_curator', 'SELECT string_agg(concat_ws('' '', name, function, runs_as), '', '') FROM image_library.policies'),
       split_part(test.outcome_and_back('test_curator', 'SELECT image_library.approve(''localhost:5000/postgresql:17.6'')'), E'\n', 1) AS approves;
SELECT drop_policy('closed');

-- A signature that only another repository lists signs nothing here.
CREATE FUNCTION test.signature(subject text) RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.batch(jsonb_build_object('referrers', jsonb_build_array(jsonb_build_object('digest', test.digest(subject), 'referrer_digest', test.digest('signature of ' || subject),
    'artifact_type', 'application/vnd.dev.cosign.artifact.sig.v1+json', 'size_bytes', 1, 'annotations', '{}'::jsonb, 'source', 'api'))))
$$;
SELECT add_registry('hostile', 'http://localhost:5004', allow_private => true) AS hostile, add_rule('hostile', '**') \gset
SELECT test.sync('hostile', 'postgresql', '{"17.6": {"image": "i"}}') ->> 'tags_added' AS tags_added, test.write_batch(:hostile, 'postgresql', test.signature('i')) IS NOT NULL AS signed;
SELECT registry, is_signed(i) FROM images i WHERE digest = test.digest('i') ORDER BY registry;
SELECT registry, repository, artifact_type FROM image_referrers WHERE digest = test.digest('i') ORDER BY 1;

-- The platforms that one rule wants do not take away what another registry's rule sees of the same digest.
SELECT add_registry('narrow', 'http://localhost:5005', allow_private => true), add_rule('narrow', '**', platforms => '{linux/arm64,linux/s390x}');
SELECT test.sync('narrow', 'postgresql', '{"17.6": {"image": "i"}}') ->> 'tags_added' AS tags_added;
SELECT registry, platforms FROM images WHERE digest = test.digest('i') ORDER BY registry;
SELECT count(approve(reference)) FROM images WHERE digest = test.digest('i') AND registry IN ('narrow', 'local');
SELECT registry, platforms FROM postgres_images WHERE digest = test.digest('i') ORDER BY registry;

-- Code of a table's owner that others make run, as autovacuum does too, is not run for them.
CREATE FUNCTION test_mallory.told(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% as %: private registries %, %', what, current_user,
    (SELECT count(*) FROM image_library.images WHERE registry = 'secret'), split_part(test.outcome('SELECT image_library.approve(''localhost:5000/postgresql:17.5'')'), E'\n', 1);
  RETURN what;
END
$$;
GRANT USAGE ON SCHEMA test, test_mallory TO PUBLIC;
GRANT image_library_curator TO test_mallory;
SET SESSION AUTHORIZATION test_mallory;
CREATE FUNCTION test_mallory.indexed(i integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN i; END $$;
CREATE TABLE test_mallory.kept (i integer PRIMARY KEY);
CREATE INDEX ON test_mallory.kept (test_mallory.indexed(i));
INSERT INTO test_mallory.kept VALUES (1);
CREATE OR REPLACE FUNCTION test_mallory.indexed(i integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM test_mallory.told('index'); RETURN i; END $$;
CREATE MATERIALIZED VIEW test_mallory.seen AS SELECT registry, tag FROM image_library.images WITH NO DATA;
CREATE MATERIALIZED VIEW test_mallory.asked AS SELECT test_mallory.told('materialized view') WITH NO DATA;
RESET SESSION AUTHORIZATION;
ANALYZE test_mallory.kept;
REFRESH MATERIALIZED VIEW test_mallory.seen;
SELECT count(*) > 0 AS filled, count(*) FILTER (WHERE registry = 'secret') AS private FROM test_mallory.seen;
REFRESH MATERIALIZED VIEW test_mallory.asked;
CREATE TABLE test.parent (i integer PRIMARY KEY);
INSERT INTO test.parent VALUES (1);
GRANT REFERENCES ON test.parent TO test_mallory;
SET SESSION AUTHORIZATION test_mallory;
CREATE TABLE test_mallory.child (i integer REFERENCES test.parent ON DELETE CASCADE);
INSERT INTO test_mallory.child VALUES (1);
CREATE FUNCTION test_mallory.deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM test_mallory.told('foreign key'); RETURN OLD; END $$;
CREATE TRIGGER deleted BEFORE DELETE ON test_mallory.child FOR EACH ROW EXECUTE FUNCTION test_mallory.deleted();
RESET SESSION AUTHORIZATION;
DELETE FROM test.parent;
-- A view inside a SECURITY DEFINER function shows what the function's owner may see, whoever calls it.
CREATE FUNCTION test_mallory.definer() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM image_library.images WHERE registry = ''secret''';
ALTER FUNCTION test_mallory.definer() OWNER TO test_mallory;
SELECT test_mallory.definer() AS mallory_sees, count(*) AS we_see FROM images WHERE registry = 'secret';

-- Uses of images that nobody may know of: a role outside the team finds the images of a private registry as unknown as those that
-- do not exist, in every answer and view, before and after; the team finds them known, and shows nothing of its own to others.
CREATE FUNCTION test.as(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  SET LOCAL client_min_messages = error;
  EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', who);
  result := test.outcome(statement);
  RESET SESSION AUTHORIZATION;
  RETURN result;
END
$$;
CREATE ROLE test_outsider IN ROLE image_library_reader;
CREATE ROLE test_friend IN ROLE image_library_reader;
CREATE FUNCTION test.seen(of_consumer text) RETURNS TABLE (who text, usage text, drift text) LANGUAGE sql AS $$
  SELECT w, test.as(w, format('SELECT string_agg(concat_ws('' '', registry, pinned_reference), '', '' ORDER BY pinned_reference) FROM image_library.usage WHERE consumer = %L AND released_at IS NULL', of_consumer)),
            test.as(w, format('SELECT string_agg(concat_ws('' '', repository, tag, drift), '', '' ORDER BY repository, tag, drift) FROM image_library.drift WHERE consumer = %L', of_consumer))
  FROM unnest('{test_outsider,test_friend,test_owner}'::text[]) w
$$;
SELECT reference, test.as('test_outsider', format('SELECT image_library.record_use(%L, ''probe'')', reference)) FROM unnest(ARRAY['localhost:5003/known-good:1', 'localhost:5003/known-good:2', 'localhost:5003/nothing:1', 'localhost:5003/known-good@' || test.digest('i')]) reference;
SELECT * FROM test.seen('probe');
SELECT reference, test.as('test_owner', format('SELECT image_library.record_use(%L, ''team'')', reference)) FROM unnest('{localhost:5003/known-good:1,localhost:5003/known-good:3}'::text[]) reference;
SELECT * FROM test.seen('team');
-- The same consumer name as the team's, and then the image comes to be known to the team.
SELECT test.as('test_outsider', 'SELECT image_library.record_use(''localhost:5003/known-good:3'', ''team'')');
SELECT test.sync('secret', 'known-good', '{"1": {"image": "i"}, "2": {"image": "j"}, "3": {"image": "k"}}') ->> 'tags_added' AS tags_added;
SELECT * FROM test.seen('probe');
SELECT * FROM test.seen('team');
SELECT reference, test.as('test_outsider', format('SELECT image_library.release_use(%L, %L)', reference, consumer)) FROM (VALUES ('localhost:5003/known-good:1', 'team'), ('localhost:5003/known-good:1', 'probe'), ('localhost:5003/nothing:1', 'probe'), ('localhost:5003/nothing:1', 'probe'), ('localhost:5003/known-good:2', 'none')) u (reference, consumer);
SELECT test.as('test_friend', 'SELECT image_library.release_use(''localhost:5003/known-good:2'', ''probe'')');
-- The limit of a role is its own.
INSERT INTO unknown_use (host, repository, tag, consumer, recorded_by) SELECT 'example.com', 'x', '1', i, 'test_outsider' FROM generate_series(1, 10000) i;
SELECT who, split_part(test.as(who, 'SELECT image_library.record_use(''example.com/x:1'', ''one more'')'), E'\n', 1) FROM unnest('{test_outsider,test_friend}'::text[]) who;

-- Who records uses without end keeps nobody from revoking.
INSERT INTO image_use (repository_id, tag, digest, consumer, location)
SELECT repository_id, tag, digest, i || repeat('x', 400), repeat('y', 400) FROM find_image('localhost:5000/postgresql:17.4'), generate_series(1, 10000) i;
SELECT split_part(test.outcome('SELECT image_library.record_use(''localhost:5000/postgresql:17.4'', ''one more'')'), E'\n', 1);
SET client_min_messages = error;
SELECT test.shown(revoke('localhost:5000/postgresql:17.4', 'CVE'));
RESET client_min_messages;
ROLLBACK;

-- Default privileges of whoever installs the extension open nothing of it.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE test_app;
DROP EXTENSION image_library CASCADE;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO test_app;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO test_app;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO test_app;
ALTER DEFAULT PRIVILEGES GRANT ALL ON ROUTINES TO test_app;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO test_app;
CREATE EXTENSION image_library;
SELECT count(*) > 0 AS kept, count(*) FILTER (WHERE acl::text LIKE '%test_app=%') AS open FROM (
  SELECT nspacl FROM pg_namespace WHERE nspname IN ('image_library', 'image_library_internal')
  UNION ALL SELECT relacl FROM pg_class WHERE relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[])
  UNION ALL SELECT proacl FROM pg_proc WHERE pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[])
  UNION ALL SELECT typacl FROM pg_type WHERE typnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[])) o (acl);
ROLLBACK;

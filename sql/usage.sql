-- Who runs what, what has drifted, the guard for users' own tables, and the events of all that.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true);
SELECT add_rule('local', '**');
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "17.5-2601010101": {"image": "c"}, "18.1": {"image": "d"}}');
SELECT count(approve(reference)) FROM images;

-- Uses: noted once each, whatever the state; released at a place or everywhere.
SELECT test.shown(record_use('localhost:5000/postgresql:17.4', 'orders', 'eu-1'));
SELECT test.shown(record_use('localhost:5000/postgresql:17.4', 'orders', 'eu-1'));
SELECT test.shown(record_use('localhost:5000/postgresql:17.4', 'orders', 'us-1')), test.shown(record_use('localhost:5000/postgresql:18.1', 'billing'));
SELECT repository, tag, consumer, location, released_at IS NULL AS runs, recorded_by = session_user AS by_me FROM usage ORDER BY tag, location;
SELECT statement, test.outcome('SELECT ' || statement) FROM unnest(ARRAY['record_use(''localhost:5000/postgresql:99'', ''x'')',
  'record_use(''localhost:5000/postgresql:17.4'', '' '')', 'record_use(''localhost:5000/postgresql:17.4'', E''a\nb'')', 'record_use(''localhost:5000/postgresql:17.4'', NULL)',
  'release_use(''localhost:5000/postgresql:99'', ''x'')']) statement;

-- An image that the library does not know: recorded once, shown, and known as soon as the library has it.
SELECT test.shown(record_use('localhost:5000/postgresql:19.1', 'future')), test.shown(record_use('localhost:5000/postgresql:19.1', 'future')), test.shown(record_use('postgres:17', 'hub', 'eu-1')), test.shown(record_use('localhost:5000/postgresql:17.4@' || test.digest('never read'), 'ahead')), test.shown(record_use('localhost:5000/postgresql@' || test.digest('f'), 'digest'));
SELECT registry, repository, tag, test.shown(digest) AS digest, test.shown(pinned_reference) AS pinned_reference, consumer, location FROM usage WHERE consumer IN ('future', 'hub', 'ahead', 'digest') ORDER BY consumer;
SELECT registry, repository, tag, consumer, location, drift, detail, usable FROM drift WHERE consumer IN ('future', 'hub', 'ahead', 'digest') ORDER BY consumer;
SELECT record_use('user:sesame@localhost:5000/postgresql:19.1', 'future');
SELECT release_use('localhost:5000/postgresql:17.4@' || test.digest('never read'), 'ahead');
SELECT release_use('docker.io/library/postgres:17', 'hub', 'us-1');
SELECT release_use('docker.io/library/postgres:17', 'hub');
SAVEPOINT known;
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "17.5-2601010101": {"image": "c"}, "18.1": {"image": "d"}, "19.1": {"image": "f"}}') ->> 'tags_added' AS added;
SELECT registry, repository, tag, test.shown(digest) AS digest, consumer, drift, detail, usable FROM drift WHERE consumer IN ('future', 'digest') ORDER BY consumer;
-- Whoever revokes is told, and a second record takes the place of the first.
SELECT test.shown(approve('localhost:5000/postgresql:19.1')), test.shown(revoke('localhost:5000/postgresql:19.1'));
SELECT test.shown(record_use('localhost:5000/postgresql:19.1', 'future'));
SELECT count(*) AS unknown FROM unknown_use WHERE consumer = 'future';
SELECT count(*) FROM usage WHERE consumer = 'future';
SELECT release_use('localhost:5000/postgresql:19.1', 'digest');
ROLLBACK TO known;
SELECT release_use('localhost:5000/postgresql:19.1', 'future'), release_use('localhost:5000/postgresql@' || test.digest('f'), 'digest');

-- Drift: a newer minor of the same major; then everything that can happen to what runs.
SELECT tag, consumer, location, drift, detail FROM drift ORDER BY 1, 2, 3, 4;
SELECT test.shown(revoke('localhost:5000/postgresql:17.4', 'a mistake'));
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "17.5-2601010101": {"image": "c"}, "18.1": {"image": "e"}}');
SELECT tag, consumer, location, drift, test.shown(detail) AS detail FROM drift ORDER BY 1, 2, 3, 4;
SELECT release_use('localhost:5000/postgresql:17.4', 'orders', 'eu-1'), release_use('localhost:5000/postgresql:17.4', 'orders');
SELECT count(*) FROM drift WHERE consumer = 'orders';

-- A use ends by who recorded it, a member of that role, or an admin.
CREATE ROLE test_app IN ROLE image_library_reader;
CREATE ROLE test_other IN ROLE image_library_reader;
CREATE ROLE test_colleague IN ROLE image_library_curator, test_app;
CREATE ROLE test_admin IN ROLE image_library_admin;
CREATE FUNCTION test.as(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', who);
  result := test.outcome(statement);
  RESET SESSION AUTHORIZATION;
  RETURN result;
END
$$;
SELECT who, place, test.shown(test.as(who, format('SELECT image_library.record_use(''localhost:5000/postgresql:17.5'', ''shop'', %L)', place)))
FROM (VALUES ('test_app', 'eu-1'), ('test_app', 'eu-2'), ('test_app', 'eu-3'), ('test_other', 'us-1')) u (who, place);
SELECT who, test.as(who, 'SELECT image_library.release_use(''localhost:5000/postgresql:17.5'', ''shop'', ''eu-1'')') FROM unnest('{test_other,test_colleague}'::text[]) who;
SELECT who, test.as(who, 'SELECT image_library.release_use(''localhost:5000/postgresql:17.5'', ''shop'')') FROM unnest('{test_app,test_app,test_admin,test_app}'::text[]) who;
SELECT location, recorded_by, released_at IS NULL AS runs FROM usage WHERE consumer = 'shop' ORDER BY location;

-- The guard: only what resolves gets in.
CREATE TABLE public.cluster (name text, image text);
CREATE TRIGGER approved BEFORE INSERT OR UPDATE OF image ON public.cluster FOR EACH ROW EXECUTE FUNCTION require_approved('image');
SELECT statement, test.outcome(statement) FROM unnest(ARRAY[
  'INSERT INTO public.cluster VALUES (''movable'', ''localhost:5000/postgresql:17.5'')',
  'INSERT INTO public.cluster VALUES (''good'', resolve(''localhost:5000/postgresql:17.5''))',
  'INSERT INTO public.cluster VALUES (''none'', NULL)',
  'INSERT INTO public.cluster VALUES (''revoked'', ''localhost:5000/postgresql:17.4'')',
  'INSERT INTO public.cluster VALUES (''pending'', ''localhost:5000/postgresql:18.1'')',
  'INSERT INTO public.cluster VALUES (''unknown'', ''localhost:5000/nothing:1'')',
  'INSERT INTO public.cluster VALUES (''junk'', ''; DROP TABLE cluster'')',
  'UPDATE public.cluster SET image = ''localhost:5000/postgresql:18.1'' WHERE name = ''good''',
  'UPDATE public.cluster SET name = ''better'' WHERE name = ''good''']) statement;
SELECT name, test.shown(image) AS image FROM public.cluster ORDER BY name;
CREATE TABLE public.later (name text, image text);
CREATE CONSTRAINT TRIGGER approved AFTER INSERT OR UPDATE ON public.later DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION require_approved('image');
INSERT INTO public.later VALUES ('early', 'localhost:5000/postgresql@' || test.digest('d')), ('later', 'localhost:5000/postgresql:18.1@' || test.digest('e'));
SELECT test.outcome('SET CONSTRAINTS ALL IMMEDIATE');
SELECT test.shown(approve('localhost:5000/postgresql:18.1'));
SELECT test.outcome('SET CONSTRAINTS ALL IMMEDIATE');
CREATE TRIGGER wrong BEFORE INSERT ON public.later FOR EACH ROW EXECUTE FUNCTION require_approved('picture');
SELECT test.outcome('INSERT INTO public.later VALUES (''x'', NULL)');
CREATE TRIGGER statement_level BEFORE INSERT ON public.cluster FOR EACH STATEMENT EXECUTE FUNCTION require_approved('image');
SELECT test.outcome('INSERT INTO public.cluster VALUES (''x'', NULL)');

-- Events: each once, and a sync that changes nothing tells nothing.
SELECT event, repository, tag, count(*) FROM events WHERE tag IN ('17.4', '18.1') GROUP BY 1, 2, 3 ORDER BY min(event_id);
SELECT count(*) AS events FROM events \gset before_
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "17.5-2601010101": {"image": "c"}, "18.1": {"image": "e"}}');
SELECT count(*) - :before_events AS new_events FROM events;
SELECT test.shown(detail::text) FROM events WHERE event = 'tag moved';
-- This transaction is not over: what it tells is not handed out yet.
SELECT count(*) FROM events_since(0);
SELECT test.outcome('SELECT purge_events(NULL)'), test.outcome('SELECT purge_events(''-1 day'')'), purge_events('1 day');
SELECT test.outcome_as('image_library_reader', 'SELECT purge_events()'), test.outcome_as('image_library_reader', 'SELECT count(*) > 0 FROM events'),
  test.outcome_as('image_library_reader', 'DELETE FROM image_library_internal.event');

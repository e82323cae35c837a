-- References: pinned ones whose tag has moved or is gone, registries that overlap, names without host, unknown ones.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE ROLE test_writer;
CREATE FUNCTION test.uses(of_consumer text) RETURNS TABLE (drift text, detail text, usable boolean) LANGUAGE sql AS $$
  SELECT d.drift, test.shown(d.detail), d.usable FROM image_library.drift d WHERE d.consumer = of_consumer ORDER BY 1, 2
$$;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true), add_rule('local', '**') AS rule \gset
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}}');
SELECT count(approve(reference)) FROM images;
\set tag 'localhost:5000/postgresql:17.4'
SELECT :'tag' || '@' || test.digest('a') AS pinned, 'localhost:5000/postgresql@' || test.digest('a') AS digest \gset
SELECT test.shown(record_use(:'tag', 'orders'));

-- The tag moves: the approved digest may be used, by every function that takes it, and a NOTICE tells.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a2"}, "17.5": {"image": "b"}}') ->> 'tags_moved' AS moved;
SELECT test.outcome(format('SELECT resolve(%L)', :'tag'));
SELECT test.shown(resolve(:'pinned')), test.shown(resolve(:'digest'));
SELECT is_usable(:'tag') AS tag, is_usable(:'pinned') AS pinned, is_usable(:'digest') AS digest, is_usable('localhost:5000/nothing:1') AS unknown;
SET client_min_messages = warning;
SELECT test.shown(edb_image(:'pinned')::text), edb_image(:'pinned') = edb_image(:'digest') AS by_digest;
SELECT registry, tag, test.shown(pinned_reference) AS pinned, reference, approval, major_version, version, platforms FROM find_postgres_image(:'pinned');
SELECT count(*) FROM postgres_images WHERE pinned_reference = :'pinned';
SELECT test.shown(record_use(:'pinned', 'billing')), release_use(:'pinned', 'billing');
SELECT * FROM test.uses('orders');
SELECT test.outcome(format('SELECT * FROM policy_failures(%L)', :'pinned'));
-- A model, and a kind that a rule sets.
SELECT add_rule('local', 'llama', kind => 'model', priority => 1) IS NOT NULL AS added;
SELECT test.sync('local', 'llama', '{"1": {"image": "m1"}}') ->> 'tags_added' AS added, test.shown(approve('localhost:5000/llama:1'));
SELECT test.sync('local', 'llama', '{"1": {"image": "m2"}}') ->> 'tags_moved' AS moved;
SELECT model_card('localhost:5000/llama:1@' || test.digest('m1')) ->> 'approval' AS approval,
       (image_library_internal.approved_model('localhost:5000/llama:1@' || test.digest('m1'))).model;
SELECT test.outcome(format('SELECT edb_image(%L)', 'localhost:5000/llama:1@' || test.digest('m1')));
RESET client_min_messages;
-- What ends it: each decision, by the reference of the moved digest; nothing approves it now.
CREATE FUNCTION test.after(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  SET LOCAL client_min_messages = error;
  EXECUTE statement;
  result := regexp_replace(split_part(test.outcome(format('SELECT image_library.resolve(%L)', current_setting('test.pinned'))), E'\n', 1), 'at .*|since .*', '<time>');
  RAISE EXCEPTION USING ERRCODE = 'XX999';
EXCEPTION WHEN SQLSTATE 'XX999' THEN
  RETURN result;
END
$$;
SELECT set_config('test.pinned', :'pinned', true) IS NOT NULL AS set;
SELECT split_part(statement, '(', 1) AS statement, test.after(format(statement, :'pinned', :rule)) FROM unnest(ARRAY['SELECT revoke(%L)', 'SELECT reset(%L)', 'SELECT quarantine(%L)', 'SELECT deprecate(%L, now())',
  'SELECT disable_rule(%2$s)', 'SELECT alter_rule(%2$s, exclude_tags => ''{17.4}'')', 'UPDATE approval SET valid_until = now() WHERE digest = test.digest(''a'')']) statement;
SELECT test.outcome(format('SELECT approve(%L)', :'pinned'));
SAVEPOINT expired;
UPDATE approval SET valid_until = 'epoch' WHERE digest = test.digest('a');
SELECT test.outcome(format('SELECT resolve(%L)', :'pinned'));
ROLLBACK TO expired;
SAVEPOINT revoked;
SELECT test.shown(revoke(:'digest', 'CVE'));
SELECT tag, action, reason FROM decisions WHERE digest = test.digest('a') ORDER BY decision_id DESC LIMIT 1;
SELECT test.outcome(format('SELECT approve(%L)', :'pinned'));
ROLLBACK TO revoked;
-- A tag that never pointed at the digest is an error, also if both are known.
SELECT test.outcome(format('SELECT resolve(%L)', 'localhost:5000/postgresql:17.5@' || test.digest('a')));
SELECT test.outcome(format('SELECT resolve(%L)', 'postgresql:17.5@' || test.digest('a')));

-- Gone upstream: the tag names nothing; its digest may be used until the grace ends, and without it not at all.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a2"}}') ->> 'tags_missing' AS missing;
UPDATE tag SET missing_since = '2026-01-01' WHERE name = '17.5';
SET LOCAL image_library.missing_grace = -1;
SELECT test.outcome('SELECT resolve(''localhost:5000/postgresql:17.5'')');
SELECT test.shown(resolve('localhost:5000/postgresql:17.5@' || test.digest('b')));
SET client_min_messages = error;
SELECT test.shown(record_use('localhost:5000/postgresql:17.5@' || test.digest('b'), 'gone'));
SELECT * FROM test.uses('gone');
SELECT edb_image('localhost:5000/postgresql:17.5@' || test.digest('b')) IS NOT NULL AS manifest;
SET LOCAL image_library.missing_grace = '1d';
SELECT test.outcome(format('SELECT resolve(%L)', 'localhost:5000/postgresql:17.5@' || test.digest('b')));
SELECT * FROM test.uses('gone');
UPDATE tag SET missing_since = now() - interval '23 hours' WHERE name = '17.5';
SELECT is_usable('localhost:5000/postgresql:17.5@' || test.digest('b')) AS within_grace, (SELECT usable FROM test.uses('gone')) AS drift;
SET LOCAL image_library.missing_grace = 0;
SELECT is_usable('localhost:5000/postgresql:17.5@' || test.digest('b')) AS without_grace, (SELECT usable FROM test.uses('gone')) AS drift;
-- The registry was asked for the digest itself: that counts, whatever its tag. An answer is replaced by the next one.
SELECT repository, test.shown(digest) AS digest, test.shown(tagged) AS tagged FROM due_untagged((SELECT registry_id FROM registry)) ORDER BY 1, 2;
SELECT note_untagged((SELECT registry_id FROM registry), 'postgresql', test.digest(name), found) FROM (VALUES ('a', false), ('b', true)) n (name, found);
SELECT count(*) FROM due_untagged((SELECT registry_id FROM registry)) WHERE repository = 'postgresql';
SELECT is_usable(:'pinned') AS moved_and_gone, is_usable('localhost:5000/postgresql:17.5@' || test.digest('b')) AS untagged, (SELECT count(*) FROM test.uses('gone')) AS drift;
SELECT * FROM test.uses('orders');
UPDATE untagged_check SET gone_since = '2026-01-01', checked_at = '2026-01-02' WHERE gone_since IS NOT NULL;
SELECT note_untagged((SELECT registry_id FROM registry), 'postgresql', test.digest('a'), false);
SELECT gone_since = '2026-01-01' AS still, checked_at = now() AS now FROM untagged_check WHERE digest = test.digest('a');
SELECT note_untagged((SELECT registry_id FROM registry), 'postgresql', test.digest('a'), true);
SELECT is_usable(:'pinned') AS came_back;
SELECT note_untagged((SELECT registry_id FROM registry), 'postgresql', test.digest('a'), false);
-- Present under another tag, it is not gone.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a2"}, "17.5-again": {"image": "b"}}') ->> 'tags_added' AS added;
SELECT is_usable('localhost:5000/postgresql:17.5@' || test.digest('b')) AS usable, (SELECT count(*) FROM test.uses('gone')) AS drift;
-- Moved, and then the tag is gone too.
SELECT test.sync('local', 'postgresql', '{"17.5-again": {"image": "b"}}') ->> 'tags_missing' AS missing;
SELECT is_usable(:'pinned') AS moved_and_gone;
SET LOCAL image_library.missing_grace = -1;
SELECT is_usable(:'pinned') AS moved_and_gone;
RESET image_library.missing_grace;
RESET client_min_messages;
SELECT test.outcome_as('test_reader', 'SET image_library.missing_grace = ''10y''');
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a2"}, "17.5": {"image": "b"}}') ->> 'tags_added' AS added;

SELECT count(*) FROM due_untagged((SELECT registry_id FROM registry)) WHERE digest = test.digest('b');
SELECT test.shown(digest) AS digest, gone_since IS NULL AS found FROM untagged_check;
DELETE FROM untagged_check;

-- The guard refuses a reference that may come to mean another image, or stores the pinned one.
CREATE TABLE public.cluster (name text, image text);
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF image ON public.cluster FOR EACH ROW EXECUTE FUNCTION require_approved('image');
SELECT image, test.outcome(format('INSERT INTO public.cluster VALUES (''x'', %L)', image))
FROM unnest(ARRAY['localhost:5000/postgresql:17.5', 'postgresql@' || test.digest('b'), 'localhost:5000/postgresql:17.5@' || test.digest('b'), :'pinned']) image;
DROP TRIGGER guard ON public.cluster;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF image ON public.cluster FOR EACH ROW EXECUTE FUNCTION require_approved('image', 'pin');
TRUNCATE public.cluster;
GRANT INSERT ON public.cluster TO test_writer;
INSERT INTO public.cluster VALUES ('tag', 'localhost:5000/postgresql:17.5'), ('short', 'postgresql:17.5'), ('none', NULL);
INSERT INTO public.cluster VALUES ('moved', :'pinned');
SELECT test.outcome_as('test_writer', $$INSERT INTO public.cluster VALUES ('writer', 'postgresql:17.5')$$);
-- Who is no reader is not told what the tag points at, nor who deprecated an image, and why.
SAVEPOINT told;
SELECT test.outcome_as('test_writer', format('INSERT INTO public.cluster VALUES (''writer'', %L)', :'pinned'));
SELECT deprecate(:'pinned', '2100-01-01', 'secret reason') IS NOT NULL AS deprecated;
SELECT test.outcome_as('test_writer', format('INSERT INTO public.cluster VALUES (''writer'', %L)', :'pinned'));
ROLLBACK TO told;
UPDATE public.cluster SET image = 'localhost:5000/postgresql:17.5' WHERE name = 'none';
SELECT name, test.shown(image) AS image FROM public.cluster ORDER BY name;
SELECT test.outcome($$INSERT INTO public.cluster VALUES ('pending', 'localhost:5000/postgresql:17.4')$$);
-- Types whose stored form is text; others are not written, nor is what does not fit.
CREATE DOMAIN public.image AS varchar(120) CHECK (VALUE LIKE 'localhost:5000/%');
CREATE DOMAIN public.elsewhere AS text CHECK (VALUE NOT LIKE '%@%');
CREATE FUNCTION test.pins(type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('CREATE TABLE public.typed (image %s)', type);
  CREATE TRIGGER guard BEFORE INSERT ON public.typed FOR EACH ROW EXECUTE FUNCTION require_approved('image', 'pin');
  result := test.outcome('INSERT INTO public.typed VALUES (''localhost:5000/postgresql:17.5'')');
  result := concat_ws(' ', result, (SELECT test.shown(image::text) FROM public.typed));
  DROP TABLE public.typed;
  RETURN result;
END
$$;
SELECT type, test.pins(type) FROM unnest('{text,varchar,varchar(102),varchar(101),public.image,public.elsewhere,char(120),json,name}'::text[]) type;
CREATE TABLE public.late (image text);
CREATE CONSTRAINT TRIGGER guard AFTER INSERT ON public.late FOR EACH ROW EXECUTE FUNCTION require_approved('image', 'pin');
SELECT test.outcome('INSERT INTO public.late VALUES (NULL)');
CREATE TABLE public.wrong (image text);
CREATE TRIGGER guard BEFORE INSERT ON public.wrong FOR EACH ROW EXECUTE FUNCTION require_approved('image', 'pins');
SELECT test.outcome('INSERT INTO public.wrong VALUES (NULL)');

-- Registries of one path are refused; one below the other is told, and decisions name the one they mean.
SELECT url, test.outcome(format('SELECT add_registry(''twin'', %L, allow_private => true) > 0', url)) FROM unnest('{http://localhost:5000,https://LOCALHOST:5000/,http://localhost:5000/team}'::text[]) url;
SELECT test.outcome($$SELECT alter_registry('twin', url => 'http://localhost:5000')$$), test.outcome($$SELECT alter_registry('twin', url => 'https://localhost:5000/team')$$);
SELECT add_rule('twin', '**') IS NOT NULL AS added, test.sync('twin', 'db', '{"1": {"image": "t"}}') ->> 'tags_added' AS twin, test.sync('local', 'team/db', '{"1": {"image": "t"}, "2": {"image": "u"}}') ->> 'tags_added' AS local;
SELECT test.outcome('SELECT resolve(''localhost:5000/team/db:1'')'), test.outcome('SELECT resolve(''localhost:5000/team/db:1'', ''nothing'')');
SELECT registry, test.shown(approve('localhost:5000/team/db:1', registry => registry)) FROM unnest('{local,twin}'::text[]) registry;
SELECT test.shown(revoke('localhost:5000/team/db:1', 'CVE', registry => 'local'));
SELECT test.shown(resolve('localhost:5000/team/db:1', 'twin')), is_usable('localhost:5000/team/db:1', 'local') AS local;
SELECT action, test.outcome(format('SELECT %s(%L, %sregistry => ''twin'') IS NOT NULL', action, 'localhost:5000/team/db:1', CASE action WHEN 'deprecate' THEN 'now() + interval ''1 day'', ' END))
FROM unnest('{quarantine,release,deprecate,undeprecate,reset,reject}'::text[]) action;
SELECT registry, approval FROM images WHERE digest = test.digest('t') ORDER BY 1;
SELECT add_hm_tag('green'), tag_image('localhost:5000/team/db:1', 'green', 'twin'), untag_image('localhost:5000/team/db:1', 'green', registry => 'twin');
SELECT count(*) FROM policy_failures('localhost:5000/team/db:1', 'twin');
-- Whoever uses it can say which registry too: manifests, fits, and guarded tables.
SELECT made, split_part(test.outcome('SELECT ' || made), E'\n', 1) AS outcome
FROM unnest(ARRAY['fits(''localhost:5000/team/db:1'', ''h100'', 1', 'count(*) FROM fitting_profiles(''localhost:5000/team/db:1'', ''h100'', 1', 'nim_cache(''localhost:5000/team/db:1''',
  'nim_service(''localhost:5000/team/db:1''', 'kserve_serving_runtime(''localhost:5000/team/db:1''', 'kserve_inference_service(''localhost:5000/team/db:1''']) f,
  LATERAL unnest(ARRAY[f || ')', f || ', registry => ''local'')', f || ', registry => ''twin'')']) made;
CREATE TABLE test.guarded_twin (image text);
CREATE TRIGGER guard BEFORE INSERT ON test.guarded_twin FOR EACH ROW EXECUTE FUNCTION require_approved('image', 'pin', 'twin');
SELECT test.outcome($$INSERT INTO test.guarded_twin VALUES ('localhost:5000/team/db:1')$$), (SELECT test.shown(image) FROM test.guarded_twin);
CREATE OR REPLACE TRIGGER guard BEFORE INSERT ON test.guarded_twin FOR EACH ROW EXECUTE FUNCTION require_approved('image', 'pin', 'local');
SELECT test.outcome($$INSERT INTO test.guarded_twin VALUES ('localhost:5000/team/db:1')$$);
CREATE OR REPLACE TRIGGER guard BEFORE INSERT ON test.guarded_twin FOR EACH ROW EXECUTE FUNCTION require_approved('image', 'pin', 'nothing');
SELECT test.outcome($$INSERT INTO test.guarded_twin VALUES ('localhost:5000/team/db:1')$$);
SELECT test.shown(record_use('localhost:5000/team/db:1', 'app', registry => 'twin')), release_use('localhost:5000/team/db:1', 'app', registry => 'local') AS local, release_use('localhost:5000/team/db:1', 'app', registry => 'twin') AS twin;
-- Registries of one path, as a restored library may have them.
UPDATE registry SET prefix = '' WHERE name = 'twin';
SELECT test.outcome($$SELECT alter_registry('twin', sync_interval => '1h')$$);
UPDATE registry SET prefix = 'team' WHERE name = 'twin';

-- Names without host: of the one registry that has the repository, by its name there or its whole path.
SELECT reference, test.outcome(format('SELECT resolve(%L)', reference)) FROM unnest(ARRAY['postgresql:17.5', 'postgresql@' || test.digest('b'), 'db:2', 'team/db:2', 'team/db:1', 'postgresql']) reference;
SELECT add_registry('other', 'https://registry.example.com') > 0 AS added, add_rule('other', '**') IS NOT NULL AS rule, test.sync('other', 'postgresql', '{"99": {"image": "z"}}') ->> 'tags_added' AS tags;
SELECT reference, test.outcome(format('SELECT resolve(%L)', reference)) FROM unnest('{postgresql:17.5,postgresql:99}'::text[]) reference;
SELECT test.shown(resolve('postgresql:17.5', registry => 'local'));
-- Docker Hub's, where it is in the library.
SELECT add_registry('hub', 'https://docker.io') > 0 AS added, add_rule('hub', '**') IS NOT NULL AS rule, test.sync('hub', 'library/postgresql', '{"17.5": {"image": "h"}}') ->> 'tags_added' AS tags;
SELECT split_part(test.outcome('SELECT resolve(''postgresql:17.5'')'), E'\n', 2) AS hub, split_part(test.outcome('SELECT resolve(''postgresql:99'')'), E'\n', 1) AS not_there;
-- A private registry makes nothing ambiguous for those who do not see it, and is not named to them.
SELECT add_registry('secret', 'https://secret.example.com', private => true) > 0 AS added, add_rule('secret', '**') IS NOT NULL AS rule, test.sync('secret', 'mine', '{"1": {"image": "s"}}') ->> 'tags_added' AS tags, test.sync('local', 'mine', '{"1": {"image": "l"}}') ->> 'tags_added' AS local;
SELECT who, test.outcome_as(who, 'SELECT image_library.resolve(''mine:1'')') FROM unnest('{postgres,test_reader}'::text[]) who;
SELECT test.outcome_as('test_reader', 'SELECT image_library.resolve(''secret.example.com/mine:2'')'), test.outcome_as('test_reader', 'SELECT image_library.resolve(''secret.example.com/min:1'')');

-- Did you mean.
SELECT reference, split_part(test.outcome(format('SELECT resolve(%L)', reference)), E'\n', 2) AS hint
FROM unnest(ARRAY['localhost:5000/postgresql:17', 'localhost:5000/postgresql:17.6', 'localhost:5000/postgresql:nothing-like-it', 'localhost:5000/postgresq:17.5', 'registry.example.org/postgresql:99',
  'localhost:5000/lama:1', 'lama:1', 'localhost:5000/entirely/else:1', 'localhost:5000/postgresql@' || test.digest('nothing'), repeat('a/', 120) || 'postgresql:17.5']) reference;

-- Null is an error of its own in every function that takes a reference.
SELECT f, test.outcome('SELECT * FROM ' || f) FROM unnest(ARRAY['resolve(NULL)', 'is_usable(NULL)', 'find_postgres_image(NULL)', 'approve(NULL)', 'reject(NULL)', 'revoke(NULL)', 'reset(NULL)', 'deprecate(NULL, now())', 'undeprecate(NULL)',
  'quarantine(NULL)', 'release(NULL)', 'tag_image(NULL, ''green'')', 'untag_image(NULL, ''green'')', 'policy_failures(NULL)', 'record_use(NULL, ''x'')', 'release_use(NULL, ''x'')', 'edb_image(NULL)', 'model_card(NULL)',
  'fits(NULL, ''h100'', 1)', 'fitting_profiles(NULL, ''h100'', 1)', 'nim_cache(NULL)', 'nim_service(NULL)', 'kserve_serving_runtime(NULL)', 'kserve_inference_service(NULL)']) f;
ROLLBACK;

-- A listing that lacks too much is refused until a person says that it is real; nothing is lost by it.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_team;
CREATE ROLE test_curator IN ROLE image_library_curator, test_team;
CREATE ROLE test_stranger IN ROLE image_library_curator;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true, owner => 'test_team') AS registry \gset
SELECT add_rule('local', 'app');
SELECT test.sync('local', 'app', '{"1": {"image": "a"}, "2": {"image": "b"}, "3": {"image": "c"}}');
SELECT approve('localhost:5000/app:1', 'good') IS NOT NULL AS approved;
SELECT test.outcome('SELECT accept_removals(''local'', ''app'')'), test.outcome('SELECT accept_removals(''local'', ''nothing'')'), test.outcome('SELECT accept_removals(''nowhere'', ''app'')'),
       test.outcome('SELECT accept_removals(NULL, NULL)');
-- As the agent writes it when a listing lacks them.
CREATE FUNCTION test.refuse(tags jsonb) RETURNS jsonb LANGUAGE sql AS
  $$ SELECT test.write_batch((SELECT registry_id FROM image_library_internal.registry), 'app', test.batch(jsonb_build_object('refused_removals', tags))) $$;
SELECT test.refuse('["1", "2"]');
SELECT registry, repository, tags, refused_at IS NOT NULL AS refused, accepted_at, accepted_by FROM refused_removals;
SELECT accepted, removals_refused FROM known_repository(:registry, 'app');
SELECT who, test.outcome_and_back(who, 'SELECT image_library.accept_removals(''local'', ''app'')') FROM unnest('{test_stranger,test_curator}'::text[]) who;
SELECT accept_removals('local', 'app');
SELECT tags, accepted_at IS NOT NULL AS accepted, accepted_by = session_user AS by_me FROM refused_removals;
SELECT accepted, removals_refused FROM known_repository(:registry, 'app');
SELECT action, object, name, registry, new ? 'accepted_at' AS told FROM audit WHERE object = 'removals';
-- Other tags are another question: what was said holds for what was shown.
SELECT test.refuse('["1", "2", "3"]');
SELECT tags, accepted_at FROM refused_removals;
-- The same tags again, unaccepted: the row is left alone.
SELECT refused_at AS before FROM refused_removal \gset
SELECT test.refuse('["1", "2", "3"]');
SELECT refused_at = :'before' AS untouched FROM refused_removal;
-- A listing that is believed ends it.
SELECT test.refuse('[]');
SELECT count(*) FROM refused_removals;
-- Missing tags keep their approval and their history, and come back with them.
SELECT test.sync('local', 'app', '{"3": {"image": "c"}}');
SELECT tag, missing_since IS NOT NULL AS missing, approval FROM images ORDER BY tag;
SELECT test.sync('local', 'app', '{"1": {"image": "a"}, "3": {"image": "c"}}');
SELECT tag, missing_since IS NOT NULL AS missing, approval FROM images ORDER BY tag;
SELECT tag, count(*) AS periods FROM tag_history GROUP BY tag ORDER BY tag;
-- A rule hides, and takes nothing away.
SELECT alter_rule((SELECT rule_id FROM rules), tags => '{3}');
SELECT count(*) AS shown, (SELECT count(*) FROM tag) AS kept, (SELECT count(*) FROM decisions) AS decided FROM images;
SELECT alter_rule((SELECT rule_id FROM rules), tags => '{*}');
SELECT tag, approval FROM images ORDER BY tag;
ROLLBACK;

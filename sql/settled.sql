-- Repositories of which a sync only looks at tags that may move while listing and rules stay: when it is stored, and when it ends.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', '**', immutable_tags => true) AS rule \gset
SELECT test.sync('local', 'app', '{"1": {"image": "a"}, "2": {"image": "b"}}') \g /dev/null
CREATE FUNCTION test.settle(tags integer) RETURNS text LANGUAGE sql AS $$
  SELECT test.write_batch(registry_id, 'app', test.batch(jsonb_build_object('settled', jsonb_build_object('fingerprint', 'f' || tags, 'tags', tags, 'movable', tags - 1))))
  FROM image_library_internal.registry;
  SELECT string_agg(format('%s %s %s, movable: %s', s.name, s.fingerprint, s.tags, s.movable), ', ')
  FROM image_library_internal.registry g, image_library_internal.settled_repositories(g.registry_id) s $$;
-- Not before every admitted tag is there.
SELECT test.settle(3);
SELECT test.settle(2);
-- The same again writes no row.
SELECT xmin AS before FROM settled_repository \gset
SELECT test.settle(2), (SELECT xmin = :'before' FROM settled_repository) AS same_row;
-- Nor while an image of it is not read, which ends it too.
UPDATE image SET unread = 'config' WHERE digest = test.digest('b');
SELECT test.settle(2);
SELECT count(*) FROM settled_repository;
UPDATE image SET unread = NULL;
SELECT test.settle(2);
-- A problem and a refused removal are the next run's to end.
SELECT test.write_batch(:registry, 'app', test.batch('{"problems": [{"tag": "1", "problem": "malformed", "detail": "x"}]}'));
SELECT count(*) FROM settled_repositories(:registry);
SELECT test.write_batch(:registry, 'app', test.batch('{"checked": ["1"]}'));
SELECT count(*) FROM settled_repositories(:registry);
SELECT test.write_batch(:registry, 'app', test.batch('{"refused_removals": ["1"]}')) \g /dev/null
SELECT count(*) FROM settled_repositories(:registry);
SELECT test.write_batch(:registry, 'app', test.batch('{"refused_removals": []}')) \g /dev/null
SELECT count(*) FROM settled_repositories(:registry);
-- What refers to its images does not end it; tags and listings do.
SELECT test.write_batch(:registry, 'app', test.batch(jsonb_build_object('referrers_checked', jsonb_build_array(test.digest('a'))))) \g /dev/null
SELECT count(*) FROM settled_repositories(:registry);
SELECT test.write_batch(:registry, 'app', test.batch('{"missing": ["2"]}')) \g /dev/null
SELECT count(*) FROM settled_repositories(:registry);
SELECT test.settle(1);
SELECT test.write_batch(:registry, 'app', test.batch('{"listing": ["1"], "fingerprint": "x"}')) \g /dev/null
SELECT count(*) FROM settled_repositories(:registry);
SELECT test.settle(1);
SELECT test.sync('local', 'app', '{"2": {"image": "c"}}') \g /dev/null
SELECT count(*) FROM settled_repositories(:registry);
-- The fingerprint of the rules is that of all that they say.
SELECT registry_config(:registry) ->> 'rules_fingerprint' AS before, registry_config(:registry) ->> 'rules_version' AS version \gset
SELECT alter_rule(:rule, immutable_tags => false);
SELECT registry_config(:registry) ->> 'rules_fingerprint' <> :'before' AS differs, registry_config(:registry) ->> 'rules_version' <> :'version' AS of_another_version;
SELECT alter_rule(:rule, immutable_tags => true);
SELECT registry_config(:registry) ->> 'rules_fingerprint' = :'before' AS the_same, registry_config(:registry) ->> 'rules_version' <> :'version' AS of_another_version;
-- A batch applies the rules to all tags only if they are of another version than those that decided on its own.
SELECT alter_rule(:rule, tags => '{2}') \g /dev/null
UPDATE tag SET rule_id = :rule;
CREATE FUNCTION test.list(more jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT test.write_batch(registry_id, 'app', test.batch('{"listing": ["1", "2"], "fingerprint": "y"}'::jsonb || more)) FROM image_library_internal.registry;
  SELECT string_agg(name || ' ' || (rule_id IS NOT NULL)::text, ', ' ORDER BY name) FROM image_library_internal.tag $$;
SELECT test.list('{}') AS the_same, test.list('{"rules_version": "other"}') AS another;
UPDATE tag SET rule_id = :rule;
SELECT test.list('{"rules_version": null}') AS unknown;
ROLLBACK;

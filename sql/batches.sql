-- Batches of several repositories in one call.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', 'auto/**', approval => 'auto') AS auto \gset
SELECT add_rule('local', 'app/**') AS rule \gset
-- Batches by repository, of a run that has read rules and keys as they are now.
CREATE FUNCTION test.write_batches(batches jsonb, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
  SELECT image_library_internal.write_batches(g.registry_id, array_agg(b.key ORDER BY b.key), array_agg(
    jsonb_populate_record(NULL::image_library_internal.batch, jsonb_build_object(
      'rules_version', image_library_internal.rules_version(g.registry_id), 'keys_version', image_library_internal.classification_version())
      || more || test.batch(b.value)) ORDER BY b.key))
  FROM image_library_internal.registry g CROSS JOIN jsonb_each(batches) b GROUP BY g.registry_id $$;
-- A batch with tags, each of an image of its own, named by the salt.
CREATE FUNCTION test.found(tags text[], salt text, rule_id bigint, facts jsonb DEFAULT '{}', classified jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('images', jsonb_agg(test.image(salt || t, facts)), 'listing', to_jsonb(tags), 'fingerprint', salt,
    'settled', jsonb_build_object('fingerprint', salt, 'tags', cardinality(tags), 'movable', 0),
    'tags', jsonb_agg(jsonb_build_object('name', t, 'digest', test.digest(salt || t), 'rule_id', rule_id, 'facts', classified)))
  FROM unnest(tags) t $$;
CREATE VIEW test.library AS
  SELECT r.name AS repository, t.name AS tag, test.shown(t.digest) AS digest, t.approval, t.missing_since IS NOT NULL AS missing, l.tags AS listed, s.tags AS settled
  FROM image_library_internal.repository r LEFT JOIN image_library_internal.tag t USING (repository_id)
  LEFT JOIN image_library_internal.listing l USING (repository_id) LEFT JOIN image_library_internal.settled_repository s USING (repository_id) ORDER BY 1, 2;

-- Each repository gets its own; of one that has only a problem, nothing else is known.
SELECT test.write_batches(jsonb_build_object('app/a', test.found('{1,2}', 'a', :rule), 'app/b', test.found('{1}', 'b', :rule),
  'auto/c', test.found('{1}', 'c', :auto), 'broken', '{"problems": [{"tag": null, "problem": "not found", "detail": "404"}]}'::jsonb)) AS written;
SELECT * FROM test.library;
SELECT repository, problem FROM image_library_internal.problem;
SELECT event, repository, tag FROM events WHERE tag IS NOT NULL ORDER BY event_id;
SELECT reference FROM search_images('app/b') ORDER BY 1;
SELECT repositories, tags, pending, approved FROM library_stats;

-- A tag that moves in one, and one that is missing in another.
SELECT test.write_batches(jsonb_build_object('app/a', test.found('{1}', 'new', :rule), 'app/b', '{"missing": ["1"], "listing": [], "fingerprint": "none"}'::jsonb)) AS written;
SELECT * FROM test.library WHERE repository LIKE 'app/%';
SELECT tag, test.shown(digest) AS digest, until IS NULL AS current FROM image_library_internal.tag_period ORDER BY repository_id, tag, since, digest;

-- What is refused in one is written of none.
SELECT test.outcome(format('SELECT test.write_batches(%L)', jsonb_build_object('app/a', test.found('{3}', 'fine', :rule), 'app/d',
  '{"tags": [{"name": "1", "digest": "sha256:unknown", "rule_id": 1}]}'::jsonb)));
SELECT count(*) AS tags FROM image_library_internal.tag WHERE name = '3';

-- Tags are as the batch has classified them, by the keys and rules that hold: this is no model otherwise.
CREATE FUNCTION test.told(place text, more jsonb DEFAULT '{}') RETURNS TABLE (kind text, model text, title text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM test.write_batches(jsonb_build_object(place, test.found('{1}', place, (SELECT max(rule_id) FROM image_library_internal.rule),
    '{"title": "told", "annotations": {"org.opencontainers.image.title": "stored"}}',
    '{"kind": "model", "model": "told", "features": [], "extensions": [], "profiles": [], "conflicts": [], "contested": false}')), more);
  RETURN QUERY SELECT t.kind, e.model, i.title FROM image_library_internal.tag t JOIN image_library_internal.repository r USING (repository_id)
    JOIN image_library_internal.image i ON i.digest = t.digest LEFT JOIN image_library_internal.entry e ON e.repository_id = t.repository_id AND e.tag = t.name WHERE r.name = place;
END
$$;
SELECT * FROM test.told('app/told');
SELECT * FROM test.told('app/other_keys', '{"keys_version": "before"}');
SELECT * FROM test.told('app/no_keys', '{"keys_version": null}');
SELECT * FROM test.told('app/other_rules', '{"rules_version": "before"}');
-- Of an image that is stored, the batch may have read less.
SELECT test.write_batches(jsonb_build_object('app/whole', test.found('{1}', 'shared', :rule)));
SELECT * FROM test.library WHERE repository = 'app/whole';
SELECT test.write_batches(jsonb_build_object('app/sparse', test.found('{1}', 'shared', :rule, '{"labels": {}}',
  '{"kind": "model", "model": "told", "features": [], "extensions": [], "profiles": [], "conflicts": [], "contested": false}')));
SELECT repository, kind FROM images WHERE repository IN ('app/whole', 'app/sparse') ORDER BY 1;
-- Together only what needs no other session, and does not take long.
SELECT test.outcome(format('SELECT test.write_batches(%L)', jsonb_build_object('app/a', '{}'::jsonb, 'app/b', jsonb_build_object('completed', jsonb_build_array(test.image('shared1'))))));
SELECT test.write_batches(jsonb_build_object('app/b', jsonb_build_object('completed', jsonb_build_array(test.image('shared1')))));
CREATE FUNCTION test.approves(image image_library.images) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
SELECT add_policy('slow', 'test.approves(image_library.images)');
SELECT test.outcome(format('SELECT test.write_batches(%L)', jsonb_build_object('app/a', test.found('{8}', 'p', :rule), 'app/b', test.found('{8}', 'q', :rule))));
SELECT test.write_batches(jsonb_build_object('app/b', test.found('{8}', 'q', :rule)));
SELECT drop_policy('slow');
-- Keys that were changed while the batch was under way.
SELECT classification_version() AS before \gset
SELECT set_annotation_keys('title', '{org.example.title}');
SELECT classification_version() <> :'before' AS differs;
SELECT * FROM test.told('app/changed', jsonb_build_object('keys_version', :'before'));
SELECT reset_annotation_keys('title');
SELECT classification_version() = :'before' AS same;
SELECT registry_config(:registry) -> 'keys' = classification_keys() AS keys, registry_config(:registry) ->> 'keys_version' = :'before' AS version;
ROLLBACK;

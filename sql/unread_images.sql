-- Images that could not be read, or not whole: what is stored of them, who approves them, how they are completed.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', '**', approval => 'auto');
CREATE FUNCTION test.nothing() RETURNS jsonb LANGUAGE sql AS $$
  SELECT '{"unread": "manifest", "media_type": "", "config_type": "", "config_digest": "", "layer_types": [], "platforms": [], "size_bytes": 0, "created_at": null}'::jsonb $$;
CREATE FUNCTION test.problem(repository text, tag text, problem text) RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.write_batch((SELECT registry_id FROM image_library_internal.registry), repository, test.batch(jsonb_build_object(
    'problems', jsonb_build_array(jsonb_build_object('tag', tag, 'problem', problem, 'detail', 'the registry''s words'))))) $$;
CREATE VIEW test.shown AS
  SELECT i.repository, i.tag, test.shown(i.digest) AS digest, i.unread, i.kind, i.approval, p.why, p.previous_approval, p.problem
  FROM images i LEFT JOIN pending_images p USING (registry, repository, tag) ORDER BY 1, 2;

-- A tag that a rule approved moves to what cannot be read: pending, and the approval stays with the old digest.
SELECT test.sync('local', 'app', '{"1": {"image": "a"}}');
SELECT test.sync('local', 'app', jsonb_build_object('1', '{"image": "b"}' || test.nothing()));
SELECT test.problem('app', '1', 'malformed');
TABLE test.shown;
SELECT test.shown(h.digest) AS digest, upper_inf(h.valid) AS now, a.state
FROM tag_history h LEFT JOIN image_library_internal.approval a USING (digest) ORDER BY lower(h.valid);
-- Nobody approves what nobody has read; it can be rejected.
SELECT test.outcome($$SELECT resolve('localhost:5000/app:1')$$);
SELECT test.outcome($$SELECT approve('localhost:5000/app:1', 'blindly')$$);
SELECT test.outcome_and_back('none', $$SELECT reject('localhost:5000/app:1', 'what is it')$$);
SELECT test.outcome('SELECT apply_policies()');
CREATE FUNCTION public.always(image image_library.images) RETURNS boolean LANGUAGE sql AS 'SELECT true';
SELECT add_policy('always', 'public.always(image_library.images)', effect => 'auto_approve');
SELECT apply_policies();
SELECT approval FROM images;
SELECT drop_policy('always');
SELECT test.outcome('SELECT reclassify()');

-- Completed by a later sync: the rule approves then, in every repository that has the image.
SELECT test.sync('local', 'copy', jsonb_build_object('1', '{"image": "b"}' || test.nothing()));
SELECT test.sync('local', 'copy', '{"1": {"image": "b", "labels": {"read": "yes"}}}');
SELECT repository, tag, unread, approval, labels, platforms, media_type FROM images ORDER BY 1;
SELECT problem FROM sync_problem;
SELECT test.sync('local', 'app', '{"1": {"image": "b"}}');
SELECT problem FROM sync_problem;

-- Without its config an image is what its manifest says. A rule does not approve it, a person may.
SELECT test.sync('local', 'llama', $$ {"3": {"image": "ollama", "unread": "config", "platforms": [],
  "config_type": "application/vnd.docker.container.image.v1+json", "layer_types": ["application/vnd.ollama.image.model"]}} $$);
SELECT test.problem('llama', '3', 'not found');
SELECT tag, unread, kind, approval, problem FROM test.shown WHERE repository = 'llama';
SELECT name, whole, unread FROM known_tags(:registry, 'llama'), known_images(ARRAY[test.digest('ollama')]);
SELECT test.outcome($$SELECT approve('localhost:5000/llama:3', 'labels do not matter')$$);
SELECT tag, format FROM model_library;
SELECT test.sync('local', 'llama', $$ {"3": {"image": "ollama", "labels": {"read": "yes"},
  "config_type": "application/vnd.docker.container.image.v1+json", "layer_types": ["application/vnd.ollama.image.model"]}} $$);
SELECT tag, unread, approval, labels, platforms FROM images WHERE repository = 'llama';

-- What was read is not lost to a repository that hides it.
SELECT test.sync('local', 'hider', jsonb_build_object('1', '{"image": "ollama"}' || test.nothing()));
SELECT test.sync('local', 'hider', jsonb_build_object('1', '{"image": "ollama", "unread": "config", "labels": {}}'::jsonb));
SELECT repository, unread, labels FROM images WHERE digest = test.digest('ollama') ORDER BY 1;
-- Little by little: first the manifest, then the config, and a platform is not lost for it.
SELECT test.sync('local', 'slow', jsonb_build_object('1', '{"image": "c"}' || test.nothing()));
SELECT test.sync('local', 'slow', '{"1": {"image": "c", "unread": "config"}}');
SELECT unread, platforms FROM images WHERE repository = 'slow';
CREATE FUNCTION test.found(name text, facts jsonb DEFAULT '{}') RETURNS batch_image LANGUAGE sql AS
  $$ SELECT jsonb_populate_record(NULL::image_library_internal.batch_image, test.image(name, facts)) $$;
SELECT is_more_complete(test.found('c')) AS whole, is_more_complete(test.found('c', '{"unread": "config"}')) AS same,
       is_more_complete(test.found('c', test.nothing())) AS less, is_more_complete(test.found('new')) AS unknown,
       is_more_complete(test.found('c', jsonb_build_object('platforms', jsonb_build_array(jsonb_build_object(
         'platform', 'linux/amd64', 'manifest_digest', test.digest('camd64'), 'present', false))))) AS without_a_platform;
SELECT test.sync('local', 'slow', '{"1": {"image": "c"}}');
SELECT unread, approval, platforms FROM images WHERE repository = 'slow';
ROLLBACK;

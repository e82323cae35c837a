-- Images that nothing names any more are removed with what belongs to them; what anybody decided on, asked for or uses stays.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true), add_registry('other', 'http://localhost:5001', allow_private => true);
SELECT count(disable_registry(name)) FROM registries;
SELECT add_rule('local', '**'), add_rule('other', '**');
CREATE FUNCTION test.move(repository text, image text, facts jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
  SELECT test.sync('local', repository, jsonb_build_object('1.0', jsonb_build_object('image', image) || facts)) ->> 'tags_moved' $$;
-- All history becomes two years older.
CREATE FUNCTION test.time_passes() RETURNS void LANGUAGE sql AS $$
  UPDATE tag_period SET since = since - interval '2 years', until = until - interval '2 years' $$;
-- Steps until nothing is left to do, with few images each.
CREATE FUNCTION test.prune(max_rows integer DEFAULT 3) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  pass bigint := begin_pruning('call');
BEGIN
  WHILE prune_step(pass, max_rows) LOOP NULL; END LOOP;
  RETURN (SELECT format('%s periods, %s images of %s', p.periods, p.images, p.checked) FROM pruning p WHERE p.pruning_id = pass AND p.finished_at IS NOT NULL);
END
$$;
CREATE FUNCTION test.kept(names text[]) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(n, ' ' ORDER BY n) FROM unnest(names) n WHERE EXISTS (SELECT FROM image i WHERE i.digest = test.digest(n)) $$;

-- A tag that moved 30 times. Of these images one was approved, one rejected, one approved and reset, one asked for, one used, one used and
-- released, one put in quarantine.
SELECT test.move('app', 'app1'); SELECT count(approve('localhost:5000/app:1.0'));
SELECT test.move('app', 'app2'); SELECT count(reject('localhost:5000/app:1.0'));
SELECT test.move('app', 'app3'); SELECT count(approve('localhost:5000/app:1.0')); SELECT count(reset('localhost:5000/app:1.0'));
SELECT test.move('app', 'app4'); SELECT count(request_approval('localhost:5000/app:1.0'));
SELECT test.move('app', 'app5'); SELECT count(record_use('localhost:5000/app:1.0', 'cluster'));
SELECT test.move('app', 'app6'); SELECT count(record_use('localhost:5000/app:1.0', 'old')); SELECT release_use('localhost:5000/app:1.0', 'old');
SELECT test.move('app', 'app7'); SELECT count(quarantine('localhost:5000/app:1.0', 'look'));
SELECT count(test.move('app', 'app' || n)) FROM generate_series(8, 10) n;
SELECT count(test.move('app', 'app' || n)) FROM generate_series(11, 30) n;
-- An image that another tag has too, one that another repository has, one that comes back, one whose tag is missing, one that no rule takes.
SELECT test.move('shared', 'shared'), test.move('shared', 'next'), test.sync('other', 'shared', '{"1.0": {"image": "shared"}}');
SELECT test.sync('local', 'two', '{"a": {"image": "two"}, "b": {"image": "two"}}'), test.sync('local', 'two', '{"a": {"image": "three"}, "b": {"image": "two"}}');
SELECT test.move('back', 'back1'), test.move('back', 'back2'), test.move('back', 'back1');
SELECT test.move('gone', 'gone'), test.sync('local', 'gone', '{}');
SELECT test.move('hidden', 'hidden'), add_rule('local', 'hidden', action => 'exclude');
-- What belongs to images: platforms, extensions, profiles, referrers, checks.
SELECT test.move('postgresql', 'pg1', '{"labels": {"extensions": "postgis 3.5"}, "annotations": {"io.cloudnativepg.image.base.pgmajor": "17"}}'), test.move('postgresql', 'pg2');
SELECT test.move('nim/nvidia/llama', 'llama1', '{"labels": {"com.nvidia.nim.model_download_protocol": "native-v1", "com.nvidia.nim.profiles": "vllm-bf16-tp4-pp1"}}'), test.move('nim/nvidia/llama', 'llama2');
INSERT INTO image_referrer (repository_id, digest, referrer_digest, artifact_type, size_bytes, annotations, source)
SELECT r.repository_id, test.digest(i), test.digest(i || ' signature'), 'signature', 1, '{}', 'api' FROM repository r, unnest('{pg1,pg2}'::text[]) i WHERE r.name = 'postgresql';
INSERT INTO referrer_check SELECT r.repository_id, test.digest('pg1'), now() FROM repository r WHERE r.name = 'postgresql';
INSERT INTO policy_verdict SELECT r.repository_id, test.digest('pg1'), '{}' FROM repository r WHERE r.name = 'postgresql';
SELECT count(*) > 0 AS profiles FROM model_profile WHERE digest = test.digest('llama1');

-- Nothing is old yet, and with -1 nothing ever is.
SELECT * FROM count_prunable(); SELECT test.prune();
SELECT test.time_passes();
SET LOCAL image_library.history_retention = -1;
SELECT * FROM count_prunable(); SELECT test.outcome('SELECT test.prune()'), due_pruning();
SET LOCAL image_library.history_retention = '1095d';
SELECT * FROM count_prunable(); SELECT test.prune();
RESET image_library.history_retention;
SHOW image_library.history_retention;
-- What moved since is recent.
SELECT test.move('app', 'app31'), test.move('app', 'app32');
SELECT (SELECT max(decision_id) FROM decision) AS decisions, (SELECT count(*) FROM audit_entry) AS audited \gset
SELECT * FROM count_prunable(); SELECT test.prune();
SELECT test.prune() AS again;
SELECT test.kept(ARRAY(SELECT 'app' || n FROM generate_series(1, 32) n)) AS apps;
SELECT test.kept('{shared,next,two,three,back1,back2,gone,hidden,pg1,pg2,llama1,llama2}');
SELECT (SELECT count(*) FROM image_platform WHERE digest NOT IN (SELECT digest FROM image)) AS platforms, (SELECT count(*) FROM image_extension WHERE digest NOT IN (SELECT digest FROM image)) AS extensions,
       (SELECT count(*) FROM model_profile WHERE digest NOT IN (SELECT digest FROM image)) AS profiles, (SELECT count(*) FROM image_referrer WHERE digest NOT IN (SELECT digest FROM image)) AS referrers,
       (SELECT count(*) FROM referrer_check WHERE digest NOT IN (SELECT digest FROM image)) AS checks, (SELECT count(*) FROM policy_verdict WHERE digest NOT IN (SELECT digest FROM image)) AS verdicts,
       (SELECT count(*) FROM prunable_image) AS marks, (SELECT count(*) FROM image_referrer) AS referrers_kept;
SELECT (SELECT max(decision_id) FROM decision) = :decisions AS same_decisions, (SELECT count(*) FROM audit_entry) = :audited AS same_audit;
-- The history of what is there, or was decided on, is there.
SELECT r.name, p.tag, count(*) FILTER (WHERE p.until IS NULL) AS now, count(*) FILTER (WHERE p.until IS NOT NULL) AS ended FROM tag_period p JOIN repository r USING (repository_id) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT right(resolve('localhost:5000/app@' || test.digest('app1')), 71) = test.digest('app1') AS resolved;
SELECT test.outcome($$SELECT resolve('localhost:5000/app@' || test.digest('app8'))$$);
SELECT count(*) AS images, count(*) FILTER (WHERE digest = test.digest('two')) AS two FROM images;
-- Searches find what they found.
SELECT count(*) FROM search_images('back');

-- A run that began before the mark may know the image: it stays until the run has ended.
SELECT test.time_passes();
SELECT begin_run(registry_id, 'call') AS run FROM registry WHERE name = 'local' \gset
SELECT test.prune(); SELECT test.kept('{app31}'), (SELECT count(*) FROM prunable_image) AS marks;
-- A run that begins then takes it for unknown, and brings it again.
SELECT begin_run(registry_id, 'call') AS later FROM registry WHERE name = 'other' \gset
SELECT count(*) AS known FROM known_images(ARRAY[test.digest('app31')]);
SELECT count(*) AS known FROM known_images(ARRAY[test.digest('app32')]);
UPDATE run SET outcome = 'complete' WHERE run_id = :run;
SELECT test.move('app', 'app31');
SELECT (SELECT count(*) FROM prunable_image) AS marks, (SELECT count(*) FROM known_images(ARRAY[test.digest('app31')])) AS known;
SELECT test.prune(); SELECT test.kept('{app31,app32}');
-- Of a run that has ended nothing is waited for. A tag that points at a marked image keeps it, also if no batch brought it.
SELECT test.time_passes();
SELECT test.prune() AS marked; SELECT count(*) AS marks FROM prunable_image;
UPDATE tag SET digest = test.digest('app32') WHERE digest = test.digest('app31');
UPDATE run SET outcome = 'complete' WHERE run_id = :later;
SELECT test.prune(); SELECT test.kept('{app31,app32}'), (SELECT count(*) FROM prunable_image) AS marks;

-- An image that no tag ever had goes, unless somebody decided on it, if only in a registry that was dropped since.
SELECT test.sync('other', 'decided', '{"1": {"image": "decided"}}'); SELECT count(reject('localhost:5001/decided:1')); SELECT count(drop_registry('other', cascade => true));
SELECT write_images((jsonb_populate_record(NULL::batch, jsonb_build_object('images', jsonb_build_array(test.image('lost'), test.image('decided'))))).images, classification_keys());
SELECT test.prune(); SELECT test.kept('{lost,decided}');
-- Uses that were recorded before the library knew the image keep it.
SELECT record_use('localhost:5000/late:1.0', 'cluster');
SELECT test.move('late', 'late1'), test.move('late', 'late2'), test.time_passes();
SELECT test.prune(); SELECT test.kept('{late1}');
SELECT release_use('localhost:5000/late:1.0', 'cluster'); SELECT test.prune(); SELECT test.kept('{late1}');

-- The agent passes once a day, and continues a pass that it has begun.
DELETE FROM pruning;
SELECT due_pruning() AS pass \gset
SELECT due_pruning() = :pass AS the_same, prune_step(:pass, 1) AS more, due_pruning() = :pass AS still;
SELECT prune_step(:pass, 1000) AS more; SELECT prune_step(:pass, 1000) AS over; SELECT due_pruning();
UPDATE pruning SET started_at = started_at - interval '1 day';
SELECT due_pruning() > :pass AS another;
SELECT cause, finished_at IS NOT NULL AS finished, images_checked > 0 AS checked FROM prune_run ORDER BY started_at;
SELECT test.outcome('CALL prune_images()');
SELECT test.outcome_as('image_library_curator', 'CALL prune_images()');
ROLLBACK;

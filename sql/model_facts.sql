-- Facts of models that no label carries: shipped ones, and those of curators. Whose facts reach which image.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_ai_team;
CREATE ROLE test_db_team;
CREATE ROLE test_secret_team;
CREATE ROLE test_ai_curator IN ROLE image_library_curator, test_ai_team;
CREATE ROLE test_db_curator IN ROLE image_library_curator, test_db_team;
CREATE ROLE test_secret_curator IN ROLE image_library_curator, test_secret_team;
CREATE ROLE test_curator IN ROLE image_library_curator;
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE ROLE test_admin IN ROLE image_library_admin;
SELECT add_registry('ngc', 'https://nvcr.io', owner => 'test_ai_team'), add_registry('mirror', 'https://harbor.example.com/proxy'),
       add_registry('team', 'https://team.example.com', owner => 'test_db_team'), add_registry('secret', 'https://secret.example.com', owner => 'test_secret_team', private => true);
SELECT add_rule(r, '**') FROM unnest('{ngc,mirror,team,secret}'::text[]) r;
\set nemotron nim/nvidia/llama-3.3-nemotron-super-49b-v1
-- As NVIDIA publishes it: the protocol is the only label.
SELECT test.sync('ngc', :'nemotron', '{"1.8.5": {"image": "n1", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1"}}}');
SELECT test.sync('mirror', :'nemotron', '{"1.8.5": {"image": "n1", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1"}}}');
-- The same image, and one that claims to be that model, at other places.
SELECT test.sync('team', 'tools/renamed', '{"1.8.5": {"image": "n1", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1"}}}');
SELECT test.sync('team', 'tools/claims', '{"1.8.5": {"image": "c1", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1", "com.nvidia.nim.publisher": "nvidia",
  "com.nvidia.nim.model": "nvidia/llama-3.3-nemotron-super-49b-v1", "org.opencontainers.image.source": "https://nvcr.io/nim/nvidia/llama-3.3-nemotron-super-49b-v1"}}}');
-- In a folder of the path, and with a kind that is no NIM: not the vendor's repository.
SELECT test.sync('team', 'nim/nvidia/llama-3.3-nemotron-super-49b-v1/more', '{"1.8.5": {"image": "c2", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1"}}}');
SELECT test.sync('team', :'nemotron', '{"1.8.5": {"image": "c3", "config_type": "application/vnd.kitops.modelkit.config.v1+json", "layer_types": ["application/vnd.kitops.modelkit.model.v1.tar"], "platforms": []}}');
SELECT count(approve(reference)) FROM images;
CREATE VIEW test.facts AS
  SELECT m.registry, m.repository, m.tag, m.task, m.gpu_count AS gpus, m.facts_from,
         (SELECT string_agg(p.name || ' ' || p.gpu_count, ', ' ORDER BY p.name COLLATE "C") FROM model_profiles p
          WHERE (p.registry, p.repository, p.digest) = (m.registry, m.repository, m.digest)) AS profiles
  FROM model_library m;
GRANT SELECT ON test.facts TO PUBLIC;
TABLE test.facts ORDER BY 1, 2, 3;
-- A manifest asks for them.
SELECT kserve_inference_service('nvcr.io/nim/nvidia/llama-3.3-nemotron-super-49b-v1:1.8.5') #> '{spec,predictor,model,resources,limits,nvidia.com/gpu}';
SELECT model_card('nvcr.io/nim/nvidia/llama-3.3-nemotron-super-49b-v1:1.8.5') - '{reference,created_at,size_bytes,platforms}'::text[];

-- What the image says counts before what is shipped, fact by fact.
SELECT test.sync('ngc', 'nim/nvidia/nvclip', '{"latest": {"image": "v1", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1", "com.nvidia.nim.gpu_count": "2"}}}');
SELECT test.sync('ngc', 'nim/openai/gpt-oss-20b', '{"2.0.0": {"image": "g1"}, "2.0.1": {"image": "g2"}, "2.0.9": {"image": "g3"}, "latest": {"image": "g4"}}');
SELECT test.sync('ngc', 'nim/nvidia/llama-3.3-nemotron-super-49b-v1.5', '{"1.14.0": {"image": "w1"}, "1.15.0": {"image": "w2"}, "latest": {"image": "w3"}}');
SELECT count(approve(reference)) FROM pending_images;
SELECT repository, tag, task, gpus, facts_from, (SELECT count(*) FROM regexp_matches(profiles, ',', 'g')) + 1 AS profiles
FROM test.facts WHERE registry = 'ngc' AND repository <> :'nemotron' ORDER BY 1, 2;
-- Every shipped row has an address as its source, and no profile needs fewer GPUs than the model.
SELECT count(*) > 10 AS many, bool_and(source ~ '^https://[a-z.]+/\S+$' AND read_on IS NOT NULL) AS with_source,
       bool_and(gpu_count IS NULL OR gpu_count <= ALL (ARRAY(SELECT (p ->> 'gpu_count')::integer FROM jsonb_array_elements(profiles) p))) AS agree
FROM model_facts WHERE origin = 'shipped';

-- A curator's facts count before both, at once and for this repository only.
SELECT set_model_facts('ngc', :'nemotron', gpu_count => 2, profiles => '[{"name": "vllm-fp8-tp2-pp1", "engine": "vllm", "gpu": "h100", "precision": "fp8", "tp": 2}]', reason => 'measured');
SELECT set_model_facts('ngc', 'nim/nvidia/nvclip', task => 'Image search', gpu_count => 1);
SELECT set_model_facts('ngc', 'nim/openai/gpt-oss-20b', gpu_count => 8, from_version => '2.0.1', before_version => '3'), set_model_facts('ngc', 'nim/openai/gpt-oss-20b', task => 'chat');
SELECT registry, repository, tag, task, gpus, facts_from FROM test.facts ORDER BY 1, 2, 3;
SELECT registry, repository, profiles FROM test.facts WHERE repository IN (:'nemotron', 'tools/renamed') ORDER BY 1;
SELECT set_model_facts('team', 'tools/renamed', profiles => '[{"gpu": "tpu", "gpu_count": 64, "gpu_memory_gb": 0.5}]');
SELECT registry, repository, profiles FROM test.facts WHERE repository IN (:'nemotron', 'tools/renamed') ORDER BY 1;
SELECT origin, registry, repository, model, from_version, before_version, task, gpu_count, profiles, reason, set_by IS NOT NULL AS set_by FROM model_facts WHERE origin = 'curator' ORDER BY 2, 3, 5;
-- A digest that the tag left has them as well, and a sync keeps them.
SELECT test.sync('ngc', :'nemotron', '{"1.8.5": {"image": "n9", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1"}}}');
SELECT set_model_facts('ngc', :'nemotron', profiles => '[{"name": "vllm-fp8-tp8-pp1", "tp": 8}]');
SELECT name, tp, pp, gpu_count, digest = test.digest('n9') AS new FROM model_profiles WHERE registry = 'ngc' AND repository = :'nemotron' ORDER BY new;
SELECT drop_model_facts('ngc', 'nim/openai/gpt-oss-20b', '2.0.1'), drop_model_facts('ngc', :'nemotron'), drop_model_facts('ngc', 'nim/nvidia/nvclip'), drop_model_facts('team', 'tools/renamed');
SELECT repository, tag, task, gpus, facts_from FROM test.facts WHERE registry IN ('ngc', 'team') ORDER BY 1, 2;
SELECT name, digest = test.digest('n9') AS new FROM model_profiles WHERE registry = 'ngc' AND repository = :'nemotron' ORDER BY new;
SELECT action, object, name, registry, old - '{set_at,set_by}'::text[] AS old, new - '{set_at,set_by}'::text[] AS new FROM audit WHERE object = 'model facts' AND name LIKE '%gpt%' ORDER BY audit_id;

-- Whether it fits: yes, no, or that it is not known, and why.
SET client_min_messages = notice;
CREATE FUNCTION test.fits(reference text, gpu text, gpu_count integer) RETURNS text LANGUAGE sql AS $$ SELECT coalesce(image_library.fits(reference, gpu, gpu_count)::text, 'unknown') $$;
\set ngc nvcr.io/nim
SELECT test.fits(:'ngc' || '/nvidia/llama-3.3-nemotron-super-49b-v1:1.8.5', gpu, n), gpu, n
FROM (VALUES ('l40s', 4), ('NVIDIA-L40S', 8), ('l40s', 3), ('h100', 4), ('h100', 1), ('l40s', 0)) v (gpu, n);
SELECT test.fits(:'ngc' || '/openai/gpt-oss-20b:2.0.0', gpu, n), gpu, n FROM (VALUES ('h100', 1), ('h100', 0)) v (gpu, n);
SELECT test.fits(:'ngc' || '/nvidia/llama-3.3-nemotron-super-49b-v1.5:latest', 'h100', 8);
SELECT set_model_facts('ngc', 'nim/openai/gpt-oss-20b', profiles => '[{"tp": 1, "gpu_memory_gb": 40}]');
SELECT test.fits(:'ngc' || '/openai/gpt-oss-20b:2.0.0', gpu, n), gpu, n FROM (VALUES ('h100', 1), ('a10g', 1), ('NVIDIA-A100-SXM4-40GB', 1), ('NVIDIA-H100-80GB-HBM3-MIG-1g.10gb', 1), ('NVIDIA-GH200-480GB', 1), ('tpu', 1)) v (gpu, n);
SELECT set_model_facts('ngc', 'nim/openai/gpt-oss-20b', profiles => '[]', gpu_count => 2);
SELECT test.fits(:'ngc' || '/openai/gpt-oss-20b:2.0.0', gpu, n), gpu, n FROM (VALUES ('h100', 1), ('h100', 2)) v (gpu, n);
SELECT set_model_facts('ngc', :'nemotron', gpu_count => 6);
SELECT test.fits(:'ngc' || '/nvidia/llama-3.3-nemotron-super-49b-v1:1.8.5', 'l40s', 4);
RESET client_min_messages;

-- Who may: admins, and curators in all the teams that own a part of the repository.
SELECT add_rule('mirror', 'shared/model', '{ai*}', owner => 'test_ai_team', priority => 1), add_rule('mirror', 'shared/model', '{db*}', owner => 'test_db_team', priority => 1);
SELECT test.sync('mirror', 'shared/model', '{"ai1": {"image": "s1", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1"}}, "db1": {"image": "s2"}}');
SELECT test.sync('secret', :'nemotron', '{"1.8.5": {"image": "n1", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1"}}}');
SELECT registry, repository, string_agg(CASE WHEN outcome LIKE '42501%' THEN '-' WHEN outcome LIKE '42704%' THEN '?' WHEN outcome = 'done' THEN '+' ELSE outcome END, ' ' ORDER BY number) AS "reader curator ai db secret admin"
FROM (VALUES ('ngc', :'nemotron'), ('mirror', :'nemotron'), ('team', 'tools/claims'), ('mirror', 'shared/model'), ('secret', :'nemotron')) p (registry, repository),
  unnest('{test_reader,test_curator,test_ai_curator,test_db_curator,test_secret_curator,test_admin}'::text[]) WITH ORDINALITY AS r (who, number),
  LATERAL (SELECT test.outcome_and_back(who, format('SELECT image_library.set_model_facts(%L, %L, gpu_count => 1)', registry, repository)) AS outcome) o
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT test.outcome_as('test_db_curator', format('SELECT image_library.set_model_facts(''ngc'', %L, gpu_count => 1)', :'nemotron'));
SELECT test.outcome_as('test_db_curator', format('SELECT image_library.drop_model_facts(''ngc'', %L)', :'nemotron'));
-- What is said of a private registry's model is its team's to see.
SELECT set_model_facts('secret', :'nemotron', task => 'secret task', profiles => '[{"name": "secret profile", "tp": 1}]');
SELECT who, test.outcome_as(who, 'SELECT count(*) FROM image_library.model_facts WHERE task ~ ''secret'' OR profiles::text ~ ''secret''') AS facts,
       test.outcome_as(who, 'SELECT count(*) FROM image_library.model_profiles WHERE name ~ ''secret''') AS profiles,
       test.outcome_as(who, 'SELECT count(*) FROM image_library.audit WHERE new::text ~ ''secret task''') AS audit
FROM unnest('{test_reader,test_ai_curator,test_secret_curator,test_admin}'::text[]) who;

-- What is refused.
SELECT arguments, test.outcome('SELECT image_library.set_model_facts(''ngc'', ''nim/nvidia/nvclip'', ' || arguments || ')') FROM unnest(ARRAY[
  'NULL', 'task => ''''', 'task => E''a\nb''', 'task => repeat(''x'', 101)', 'gpu_count => -1', 'gpu_count => 100000',
  'profiles => ''{}''', 'profiles => ''[1]''', 'profiles => ''[{}]''', 'profiles => ''[{"tp": 0}]''', 'profiles => ''[{"tp": 1.5}]''', 'profiles => ''[{"tp": "2"}]''',
  'profiles => ''[{"tp": 2, "pp": 2, "gpu_count": 2}]''', 'profiles => ''[{"tp": 2, "vram": 80}]''', 'profiles => ''[{"tp": 2, "qos": "best"}]''',
  'profiles => ''[{"tp": 2, "gpu_memory_gb": 0}]''', 'profiles => ''[{"tp": 2, "name": "a\u0007"}]''', 'profiles => ''[{"tp": 2, "name": ""}]''', 'profiles => ''[{"tp": 2}, {"gpu_count": 2}]''',
  'profiles => format(''[{"tp": 2, "name": "%s"}]'', repeat(''x'', 201))::jsonb',
  'gpu_count => 1, from_version => ''2'', before_version => ''1.9''', 'gpu_count => 1, from_version => repeat(''1'', 129)', 'gpu_count => 1, before_version => ''''',
  'gpu_count => 1, reason => repeat(''x'', 10001)']) arguments;
SELECT test.outcome('SELECT image_library.set_model_facts(''ngc'', ''nim/nvidia/nvclip'', profiles => (SELECT jsonb_agg(jsonb_build_object(''tp'', 1, ''name'', repeat(''x'', 190) || n)) FROM generate_series(1, 400) n))');
SELECT test.outcome('SELECT image_library.set_model_facts(''ngc'', ''nowhere'', gpu_count => 1)');
SELECT test.outcome('SELECT image_library.drop_model_facts(''ngc'', ''nim/nvidia/nvclip'')');
SELECT count(set_model_facts('ngc', 'nim/nvidia/nvclip', gpu_count => 1, from_version => n::text)) FROM generate_series(1, 100) n;
SELECT test.outcome('SELECT image_library.set_model_facts(''ngc'', ''nim/nvidia/nvclip'', gpu_count => 1, from_version => ''101'')');
SELECT drop_model_facts('ngc', 'nim/nvidia/nvclip');
-- No role writes the rows itself.
SELECT test.outcome_as('test_admin', 'UPDATE image_library_internal.shipped_model_fact SET gpu_count = 1');
ROLLBACK;

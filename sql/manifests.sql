-- What controllers accept: names they make longer ones from, how a model is read, environment, GPUs.
\getenv srcdir PG_ABS_SRCDIR
\set manifests :srcdir '/test/lib/manifests.sql'
\i :manifests

-- The longest name that a controller makes fits: names that are made are cut and keep apart by a hash, given ones are refused.
SELECT n, s #>> '{metadata,name}' AS name, length(s #>> '{metadata,name}') + length(n) + length('-predictor-') AS host
FROM unnest(ARRAY['ml', repeat('n', 30), repeat('n', 44)]) n, kserve_inference_service(:'long', namespace => n) s;
SELECT length(s #>> '{metadata,name}') FROM kserve_inference_service(:'long') s;
SELECT kserve_inference_service(:'nim', namespace => repeat('n', 45));
SELECT kserve_inference_service(:'nim', repeat('n', 48)) #>> '{metadata,name}', kserve_inference_service(:'nim', repeat('n', 42), repeat('s', 10)) #>> '{metadata,name}';
SELECT kserve_inference_service(:'nim', repeat('n', 49));
SELECT kserve_inference_service(:'nim', repeat('n', 43), repeat('s', 10));
SELECT length(nim_service(:'long') #>> '{metadata,name}'), length(nim_cache(:'long') #>> '{metadata,name}'),
       length(nim_service(:'long', inference_platform => 'kserve') #>> '{metadata,name}');
SELECT nim_service(:'nim', repeat('n', 59)) #>> '{metadata,name}', nim_cache(:'nim', repeat('n', 59)) #>> '{metadata,name}';
SELECT nim_service(:'nim', repeat('n', 60));
SELECT nim_cache(:'nim', repeat('n', 60));
SELECT nim_service(:'nim', repeat('n', 49), inference_platform => 'kserve');

-- The spec of a NIMCache is immutable: another digest is another cache, and the service names it.
CREATE TEMP TABLE was AS SELECT nim_cache(:'nim') #>> '{metadata,name}' AS cache, nim_service(:'nim') AS service;
BEGIN;
SELECT pg_temp.put('nvcr', 'nim/meta/llama', '1.0', :'image', :'tar', '{"com.nvidia.nim.gpu_count": "1"}');
SELECT approve(:'nim') IS NOT NULL;
SELECT was.cache <> c #>> '{metadata,name}' AS another, s #>> '{spec,storage,nimCache,name}' = c #>> '{metadata,name}' AS named,
       was.service #>> '{metadata,name}' = s #>> '{metadata,name}' AS same_service
FROM was, nim_cache(:'nim') c, nim_service(:'nim') s;
ROLLBACK;

-- The operator takes profiles whose tag contains the GPU; a node label becomes that. gpu_count is tp times pp.
SELECT gpu, n, c #> '{spec,source,ngc,model}' FROM (VALUES ('h100', 2), ('NVIDIA-H100-80GB-HBM3', NULL), ('L40', 4), ('NVIDIA-L40S', 2), (NULL, 1)) v (gpu, n),
  nim_cache(:'nim', gpu => gpu, gpu_count => n) c;
SELECT gpu, c #>> '{spec,source,ngc,model,gpus,0,product}' FROM unnest('{NVIDIA-A100-SXM4-80GB,Tesla-T4,NVIDIA-GH200-480GB,l40s,RTX6000_blackwell}'::text[]) gpu, nim_cache(:'long', gpu => gpu) c;
SELECT nim_cache(:'long', gpu => 'NVIDIA');
SET client_min_messages = notice;
SELECT nim_cache(:'nim', gpu => 'a100') #> '{spec,source,ngc,model}';
SELECT nim_cache(:'nim') #> '{spec,source,ngc}' ? 'model', nim_cache(:'nim', 'all', profiles => '{all}') #> '{spec,source,ngc,model}';
SET client_min_messages = warning;

-- A model is read by what its format holds, by its digest; a service that has no storage would be one of many models.
SELECT m.format, p - '{modelFormat,resources}'::text[], s #> '{spec,predictor,volumes}'
FROM model_library m, kserve_inference_service(m.reference) s, LATERAL (SELECT s #> '{spec,predictor,model}') x (p)
WHERE m.format <> 'ollama' AND m.repository NOT LIKE '%long%' ORDER BY m.format;
SELECT storage, s #>> '{spec,predictor,model,storageUri}' FROM unnest('{oci,oci+modelcar,oci+native,oci+fetch}'::text[]) storage,
  kserve_inference_service('hub.example/modelcar-granite:1', storage => storage) s;
SELECT kserve_inference_service(:'pack', storage => 'kit') #>> '{spec,predictor,model,storageUri}';
SELECT kserve_inference_service(:'pack', storage => 'oci');
SELECT kserve_inference_service(:'pack', storage => 'oci+fetch');
SELECT kserve_inference_service('hub.example/models/docker:1', storage => 'kit');
SELECT kserve_inference_service('hub.example/models/kit:1', storage => 'oci+native');
SELECT kserve_inference_service('hub.example/models/ollama:1');
SELECT kserve_inference_service('hub.example/modelcar-granite:1', storage => 'kit');
SELECT kserve_inference_service(:'nim', storage => 'oci');
SELECT kserve_serving_runtime(:'nim', server => 'hub.example/postgresql:1');
SELECT s #> '{spec,predictor,model}' ?& '{storage}', s #> '{spec,predictor,model,storage}' FROM kserve_inference_service(:'nim') s;

-- Environment: one source for a variable, with the fields that it has; what KServe refuses or reads a model from.
SELECT kserve_serving_runtime(:'nim', ngc_secret => NULL, env => '{"A": {"secretKeyRef": {"name": "a", "key": "b", "optional": true}}, "B": {"configMapKeyRef": {"name": "a", "key": "b"}},
  "C": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels[''app'']"}}, "D": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}, "E": 1, "F": true}')
  #> '{spec,containers,0,env}';
DO $do$
DECLARE
  e jsonb;
BEGIN
  FOREACH e IN ARRAY ARRAY['{"A": {}}', '{"A": null}', '{"A": []}', '{"A=B": "x"}', '{"": "x"}', '{"1A": "x"}', '{"A": {"value": "x"}}', '{"A": {"secretKeyRef": "x"}}',
    '{"A": {"secretKeyRef": {"name": "a"}}}', '{"A": {"secretKeyRef": {"name": "a", "key": "b", "namespace": "c"}}}', '{"A": {"secretKeyRef": {"name": "A!", "key": "b"}}}',
    '{"A": {"secretKeyRef": {"name": "a", "key": "b/c"}}}', '{"A": {"secretKeyRef": {"name": "a", "key": "b", "optional": "yes"}}}', '{"A": {"fieldRef": {"fieldPath": "spec.containers"}}}',
    '{"A": {"secretKeyRef": {"name": "a", "key": "b"}, "configMapKeyRef": {"name": "a", "key": "b"}}}', '{"A": {"resourceFieldRef": {"resource": "cpu"}}}', '{"A": {"fieldRef": {}}}',
    '{"PYTHONPATH": "/x"}', '{"STORAGE_URI": "s3://x"}']::jsonb[] LOOP
    BEGIN
      PERFORM kserve_inference_service('nvcr.example/nim/meta/llama:1.0', env => e);
      RAISE WARNING 'accepted by KServe: %', e;
    EXCEPTION WHEN invalid_parameter_value THEN NULL;
    END;
    BEGIN
      PERFORM kserve_serving_runtime('nvcr.example/nim/meta/llama:1.0', env => e);
      RAISE WARNING 'accepted in a runtime: %', e;
    EXCEPTION WHEN invalid_parameter_value THEN NULL;
    END;
    BEGIN
      PERFORM nim_service('nvcr.example/nim/meta/llama:1.0', env => e, inference_platform => 'kserve');
      RAISE WARNING 'accepted by the NIM Operator: %', e;
    EXCEPTION WHEN invalid_parameter_value THEN NULL;
    END;
  END LOOP;
END
$do$;
SELECT kserve_inference_service(:'nim', env => '{"PYTHONPATH": "/x"}');
SELECT kserve_inference_service(:'nim', env => '{"A": {"secretKeyRef": {"name": "a"}}}');
-- The operator alone has nothing against it.
SELECT nim_service(:'nim', env => '{"PYTHONPATH": "/x"}') #> '{spec,env}';

-- Node selectors are labels; without GPUs only the label of GPU nodes is left out.
SELECT kserve_inference_service(:'nim', node_selector => '{"bad key": "x"}');
SELECT kserve_inference_service(:'nim', node_selector => '{"zone": "a b"}');
SELECT kserve_inference_service(:'pack', node_selector => '{"nvidia.com/gpu": "true", "zone": "a"}') #> '{spec,predictor,nodeSelector}',
       kserve_inference_service(:'pack') #> '{spec,predictor}' ? 'nodeSelector', nim_service(:'nim', node_selector => 'null') -> 'spec' ? 'nodeSelector';
-- Half a CPU is 500m; half a byte is a slip.
SELECT kserve_serving_runtime(:'nim', cpu => '500m', memory => '1Gi') #>> '{spec,containers,0,resources,limits,cpu}';
SELECT kserve_serving_runtime(:'nim', memory => '500m');
SELECT nim_cache(:'nim', storage_size => '50m', gpu => 'h100');
DO $$ BEGIN PERFORM drop_registry(name, cascade => true) FROM registry WHERE name IN ('nvcr', 'hub'); END $$;

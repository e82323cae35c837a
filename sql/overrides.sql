-- Overrides: what users always set is merged in last, and nothing in them runs what nobody approved.
\getenv srcdir PG_ABS_SRCDIR
\set manifests :srcdir '/test/lib/manifests.sql'
\i :manifests

-- Objects are merged, null removes, lists are replaced; env, volumes and mounts are merged by name or path.
SELECT jsonb_pretty(kserve_serving_runtime(:'nim', ngc_secret => NULL, overrides => '{"metadata": {"labels": {"team": "search"}},
  "spec": {"nodeSelector": {"zone": "a"}, "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "nim"}}],
    "containers": [{"name": "kserve-container", "env": [{"name": "NIM_CACHE_PATH", "value": "/cache"}, {"name": "A", "value": "b"}],
      "volumeMounts": [{"name": "cache", "mountPath": "/cache"}], "resources": {"limits": {"cpu": null, "memory": "80Gi"}},
      "readinessProbe": {"httpGet": {"path": "/v1/health/ready", "port": 8000}}}]}}'));
SELECT s - 'apiVersion' FROM kserve_inference_service(:'pack', 'pack', overrides => '{"metadata": {"annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
  "spec": {"predictor": {"serviceAccountName": "models", "minReplicas": 1, "maxReplicas": 4, "scaleMetric": "concurrency", "scaleTarget": 8,
    "affinity": {"nodeAffinity": {}}, "volumes": [{"name": "tmp", "emptyDir": {}}], "model": {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}}}}') s;
SELECT (s -> 'spec') - '{image,resources,expose}'::text[] FROM nim_service(:'nim', overrides => '{"spec": {"replicas": null, "scale": {"enabled": true, "hpa": {"minReplicas": 1, "maxReplicas": 4}},
  "labels": {"team": "search"}, "tolerations": [{"key": "gpu", "operator": "Exists"}], "runtimeClassName": "nvidia"}}') s;
SELECT c #> '{spec,storage}' FROM nim_cache(:'nim', gpu => 'h100', storage_class => 'slow', overrides => '{"spec": {"storage": {"pvc": {"storageClass": "fast", "size": "1Ti"}}}}') c;
SELECT c -> 'metadata' FROM cnpg_image_catalog('a', overrides => '{"metadata": {"labels": {"images.cnpg.io/type": "own", "images.cnpg.io/publisher": null}, "annotations": {"note": "x"}}}') c;
SELECT nim_service(:'nim', overrides => o) = nim_service(:'nim') FROM unnest(ARRAY['null', '{}', NULL]::jsonb[]) o;

-- Requests and limits are compared as quantities, and mounts by their path.
SELECT r #> '{spec,containers,0,resources}', r #> '{spec,containers,0,volumeMounts}' FROM kserve_serving_runtime(:'nim', overrides => '{"spec": {"containers": [{
  "resources": {"limits": {"cpu": "12000m", "memory": "1Ti", "nvidia.com/gpu": 2}, "requests": {"memory": "1024Gi", "nvidia.com/gpu": "2"}},
  "volumeMounts": [{"name": "a", "mountPath": "/mnt/models-cache"}, {"name": "b", "mountPath": "/opt/nim/.cache"}, {"name": "c", "mountPath": "/etc/ssl/certs/ca.crt", "subPath": "ca.crt", "readOnly": true}]}]}}') r;
-- Every one of these would run, mount or name something that nobody approved, or take a name that the library gives.
CREATE FUNCTION pg_temp.accepted(kind text, overrides jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  made jsonb;
BEGIN
  made := CASE kind WHEN 'runtime' THEN kserve_serving_runtime('nvcr.example/nim/meta/llama:1.0', overrides => accepted.overrides)
    WHEN 'service' THEN kserve_inference_service('nvcr.example/nim/meta/llama:1.0', overrides => accepted.overrides)
    WHEN 'pack' THEN kserve_inference_service('hub.example/models/pack:1', overrides => accepted.overrides)
    WHEN 'nim' THEN nim_service('nvcr.example/nim/meta/llama:1.0', overrides => accepted.overrides)
    WHEN 'cache' THEN nim_cache('nvcr.example/nim/meta/llama:1.0', gpu => 'h100', overrides => accepted.overrides)
    WHEN 'catalog' THEN cnpg_image_catalog('a', overrides => accepted.overrides) END;
  RETURN made::text;
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN NULL;
END
$$;
SELECT kind, o, pg_temp.accepted(kind, o) FROM (VALUES
  ('{runtime,service,pack,nim,cache,catalog}'::text[], ARRAY['[]', '"x"', '1', '{"kind": "Pod"}', '{"apiVersion": "v1"}', '{"metadata": null}', '{"metadata": {"name": "x"}}', '{"metadata": {"namespace": "x"}}',
    '{"metadata": {"ownerReferences": []}}', '{"metadata": {"labels": null, "finalizers": ["x"]}}', '{"metadata.labels": {"a": "b"}}', '{"spec": null}', '{"spec": []}', '{"spec": "x"}', '{"status": {}}', '{"": {}}',
    '{"spec": {"image": "evil"}}', '{"spec": {"initContainers": [{"name": "x", "image": "evil"}]}}', '{"metadata": {"labels": {"bad key": "x"}}}', '{"metadata": {"labels": {"a": "b c"}}}', '{"metadata": {"labels": ["a"]}}',
    '{"metadata": {"annotations": {"a": 1}}}', '{"metadata": {"annotations": {"sidecar.istio.io/proxyImage": "evil"}}}', '{"metadata": {"annotations": {"internal.serving.kserve.io/storage-initializer-sourceuri": "s3://evil"}}}',
    '{"metadata": {"annotations": {"sidecar.istio.io/userVolume": "[{\"name\": \"x\", \"hostPath\": {\"path\": \"/\"}}]"}}}', '{"metadata": {"annotations": {"dapr.io/volume-mounts": "x:/x"}}}',
    '{"metadata": {"annotations": {"inject.istio.io/templates": "evil"}}}', '{"metadata": {"annotations": {"vault.hashicorp.com/agent-inject-command-x": "sh"}}}',
    '{"metadata": {"labels": {"internal.serving.kserve.io/localmodel": "evil"}}}']::jsonb[]),
  ('{runtime}', ARRAY['{"spec": {"containers": []}}', '{"spec": {"containers": null}}', '{"spec": {"containers": {"0": {"image": "evil"}}}}', '{"spec": {"containers": [{"image": "evil"}]}}', '{"spec": {"containers": [{"name": null, "env": []}]}}',
    '{"spec": {"containers": [{"name": "kserve-container", "image": "evil"}]}}', '{"spec": {"containers": [{"name": "evil", "env": []}]}}', '{"spec": {"containers": [{}, {"name": "evil", "image": "evil"}]}}', '{"spec": {"containers": [1]}}', '{"spec": {"containers": [[]]}}', '{"spec": {"containers": {}}}',
    '{"spec": {"containers.0.env": []}}', '{"spec": {"containers": [{"command": ["sh"]}]}}', '{"spec": {"containers": [{"args": ["x"]}]}}', '{"spec": {"containers": [{"lifecycle": {}}]}}', '{"spec": {"containers": [{"securityContext": {"privileged": true}}]}}',
    '{"spec": {"containers": [{"envFrom": []}]}}', '{"spec": {"containers": [{"imagePullPolicy": "Never"}]}}', '{"spec": {"containers": [{"livenessProbe": {"exec": {"command": ["sh"]}}}]}}', '{"spec": {"containers": [{"env": [{"name": "PYTHONPATH", "value": "/x"}]}]}}',
    '{"spec": {"containers": [{"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}]}}', '{"spec": {"containers": [{"env": {"A": "x"}}]}}', '{"spec": {"containers": [{"env": [{"name": "A"}, {"name": "A"}]}]}}',
    '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/mnt/models"}]}]}}', '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "//mnt/./models/"}]}]}}', '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/mnt/models/a"}]}]}}',
    '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/"}]}]}}', '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/tmp/../mnt/models"}]}]}}', '{"spec": {"containers": [{"volumeMounts": null}]}}',
    '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/tmp/a"}, {"name": "y", "mountPath": "/tmp/a"}]}]}}', '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/tmp/a", "subPathExpr": "$(A)"}]}]}}',
    '{"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}}', '{"spec": {"containers": [{"resources": {"limits": {"memory": "8Gi"}}}]}}', '{"spec": {"containers": [{"resources": {"limits": 1}}]}}',
    '{"spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "2"}}}]}}', '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/usr/bin"}]}]}}', '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/opt/nim"}]}]}}',
    '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/mnt"}]}]}}', '{"spec": {"containers": [{"volumeMounts": [{"name": "x", "mountPath": "/etc/ld.so.preload"}]}]}}', '{"spec": {"containers": [{"resources": {"claims": []}}]}}', '{"spec": {"workerSpec": {"containers": [{"image": "evil"}]}}}', '{"spec": {"supportedModelFormats": []}}',
    '{"spec": {"volumes": [{"name": "x", "image": {"reference": "evil"}}]}}', '{"spec": {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}}', '{"spec": {"volumes": [{"name": "x", "csi": {"driver": "image"}}]}}', '{"spec": {"volumes": [{"name": "x"}]}}',
    '{"spec": {"volumes": [{"name": "x", "emptyDir": {}, "image": {"reference": "evil"}}]}}', '{"spec": {"volumes": [{"name": "x", "ephemeral": {}}]}}', '{"spec": {"volumes": [{"name": "x", "projected": {}}]}}', '{"spec": {"volumes": null}}', '{"spec": {"volumes": [1]}}',
    '{"spec": {"volumes": {"name": "x"}}}', '{"spec": {"multiModel": true}}', '{"spec": {"builtInAdapter": {}}}', '{"spec": {"imagePullSecrets": []}}', '{"spec": {"hostIPC": true}}']::jsonb[]),
  ('{service,pack}', ARRAY['{"spec": {"predictor": null}}', '{"spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "evil"}]}}}', '{"spec": {"predictor": {"initContainers": []}}}', '{"spec": {"predictor": {"model": null}}}',
    '{"spec": {"predictor": {"model": {"image": "evil"}}}}', '{"spec": {"predictor": {"model": {"storageUri": "s3://evil"}}}}', '{"spec": {"predictor": {"storageUris": [{"uri": "s3://evil"}]}}}', '{"spec": {"predictor": {"model": {"storage": {"path": "evil"}}}}}',
    '{"spec": {"predictor": {"model": {"runtime": "evil"}}}}', '{"spec": {"predictor": {"model": {"modelFormat": {"name": "evil"}}}}}', '{"spec": {"predictor": {"model": {"runtimeVersion": "evil"}}}}', '{"spec": {"predictor": {"model": {"name": "evil"}}}}',
    '{"spec": {"predictor": {"model": {"command": ["sh"]}}}}', '{"spec": {"predictor": {"huggingface": {"image": "evil"}}}}', '{"spec": {"transformer": {"containers": [{"image": "evil"}]}}}', '{"spec": {"explainer": {}}}', '{"spec": {"canary": []}}',
    '{"spec": {"predictor": {"workerSpec": {}}}}', '{"spec": {"predictor": {"storageContainerName": "evil"}}}', '{"spec": {"predictor": {"volumes": [{"name": "model", "image": {"reference": "evil"}}]}}}', '{"spec": {"predictor": {"volumes": null}}}',
    '{"spec": {"predictor": {"model": {"volumeMounts": null}}}}', '{"spec": {"predictor": {"model": {"volumeMounts": [{"name": "x", "mountPath": "/mnt/models"}]}}}}', '{"spec": {"predictor": {"model": {"volumeMounts": [{"name": "x", "mountPath": "/mnt"}]}}}}',
    '{"spec": {"predictor": {"annotations": {"internal.serving.kserve.io/storage-initializer-sourceuri": "s3://evil"}}}}', '{"spec": {"predictor": {"model": {"env": [{"name": "STORAGE_URI", "value": "s3://evil"}]}}}}', '{"spec": {"predictor": {"hostNetwork": true}}}',
    '{"spec": {"predictor": {"minReplicas": 3, "maxReplicas": 2}}}', '{"spec": {"predictor": {"minReplicas": -1}}}', '{"spec": {"predictor": {"minReplicas": 1.5}}}', '{"spec": {"predictor": {"minReplicas": "1"}}}', '{"spec": {"predictor": {"tolerations": {}}}}',
    '{"spec": {"predictor": {"tolerations": [1]}}}', '{"spec": {"predictor": {"serviceAccountName": "Evil!"}}}', '{"spec": {"predictor": {"nodeSelector": {"a": 1}}}}', '{"spec": {"predictor": {"name": "x"}}}', '{"spec": {"predictor": {"logger": {"url": "http://evil"}}}}']::jsonb[]),
  ('{pack}', ARRAY['{"spec": {"predictor": {"volumes": [{"name": "model", "emptyDir": {}}]}}}', '{"spec": {"predictor": {"volumes": [{"name": "model", "persistentVolumeClaim": {"claimName": "evil"}}]}}}']::jsonb[]),
  ('{nim}', ARRAY['{"spec": {"image": {"repository": "evil"}}}', '{"spec": {"image": {"tag": "evil"}}}', '{"spec": {"image": null}}', '{"spec": {"sidecarContainers": [{"image": {"repository": "evil"}}]}}', '{"spec": {"command": ["sh"]}}', '{"spec": {"args": []}}',
    '{"spec": {"storage": null}}', '{"spec": {"storage": {"nimCache": {"name": "evil"}}}}', '{"spec": {"storage": {"nimCache": null, "pvc": {"name": "evil"}}}}', '{"spec": {"storage": {"hostPath": "/"}}}', '{"spec": {"multiNode": {}}}', '{"spec": {"inferencePlatform": "kserve"}}',
    '{"spec": {"scale": {"enabled": true, "hpa": {"maxReplicas": 2}}}}', '{"spec": {"replicas": null, "scale": {"enabled": true}}}', '{"spec": {"storage": {"sharedMemorySizeLimit": "0"}}}', '{"spec": {"livenessProbe": {"probe": {"exec": {"command": ["sh"]}}}}}', '{"spec": {"authSecret": "x"}}',
    '{"spec": {"annotations": {"a.b/image": "evil"}}}', '{"spec": {"expose": {"router": {"eppConfig": {"containerSpec": {"image": {"repository": "evil", "tag": "1"}}}}}}}', '{"spec": {"expose": {"router": [{"eppConfig": {}}]}}}',
    '{"spec": {"expose": {"eppConfig": {}}}}']::jsonb[]),
  ('{cache}', ARRAY['{"spec": {"source": null}}', '{"spec": {"source": {"ngc": {"modelPuller": "evil"}}}}', '{"spec": {"source": {"hf": {"modelPuller": "evil"}}}}', '{"spec": {"source": {"ngc": {"modelEndpoint": "evil"}}}}', '{"spec": {"storage": {"hostPath": "/"}}}',
    '{"spec": {"storage": {"pvc": null}}}', '{"spec": {"storage": {"pvc": {"create": false}}}}', '{"spec": {"storage": {"pvc": {"size": "big"}}}}', '{"spec": {"storage": {"pvc": {"volumeAccessMode": "All"}}}}', '{"spec": {"storage": {"pvc": {"image": "evil"}}}}', '{"spec": {"resources": {"cpu": "many"}}}']::jsonb[]),
  ('{catalog}', ARRAY['{"spec": {"images": []}}', '{"spec": {"images": [{"major": 17, "image": "evil"}]}}', '{"spec": {"componentImages": [{"key": "pgbouncer", "image": "evil"}]}}']::jsonb[])) v (kinds, list),
  unnest(kinds) kind, unnest(list) o
WHERE pg_temp.accepted(kind, o) IS NOT NULL;

-- The errors say what may be changed.
SELECT kserve_inference_service(:'pack', overrides => '{"spec": {"predictor": {"model": {"storageUri": "s3://evil"}}}}');
SELECT kserve_serving_runtime(:'nim', overrides => '{"spec": {"containers": [{"image": "evil"}]}}');
SELECT kserve_inference_service(:'pack', overrides => '{"spec": {"predictor": {"volumes": [{"name": "x", "image": {"reference": "evil"}}]}}}');
SELECT nim_service(:'nim', overrides => '{"metadata": {"annotations": {"sidecar.istio.io/proxyImage": "evil"}}}');
SELECT nim_service(:'nim', overrides => '{"spec": {"scale": {"enabled": true, "hpa": {"maxReplicas": 2}}}}');
SELECT kserve_serving_runtime(:'nim', overrides => '{"spec": {"containers": [{"resources": {"limits": {"memory": "8Gi"}}}]}}');
SELECT nim_service(:'nim', overrides => '[]');
SELECT cnpg_image_catalog('a', overrides => '{"spec": {"images": []}}');
SELECT nim_service(:'nim', overrides => jsonb_build_object('metadata', jsonb_build_object('annotations', jsonb_build_object('a', repeat('x', 70000)))));
SELECT nim_service(:'nim', overrides => '{"spec": {"expose": {"router": {"hostDomainName": "example.com", "gateway": {"namespace": "g", "name": "g"}}}}}') #> '{spec,expose}';
-- Deep ones are merged without running out of stack.
SELECT length((nim_service(:'nim', overrides => ('{"spec": {"affinity": ' || repeat('{"a":', 2000) || '{}' || repeat('}', 2000) || '}}')::jsonb))::text) > 10000;
-- An override of an image that may not be used makes no manifest.
SELECT revoke(:'nim', 'unsafe') IS NOT NULL;
SELECT nim_service(:'nim', overrides => '{"metadata": {"labels": {"a": "b"}}}');
DO $$ BEGIN PERFORM drop_registry(name, cascade => true) FROM registry WHERE name IN ('nvcr', 'hub'); END $$;

-- Manifests: every one is checked against the constraints of its CRD, by the little checker below.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET search_path = image_library, image_library_internal, public;

-- The part of OpenAPI that CRDs use. Objects are closed: a key that the kind does not have is a violation.
CREATE FUNCTION pg_temp.violations(value jsonb, schema jsonb, path text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
  key text;
  is_type text := jsonb_typeof(value);
BEGIN
  IF is_type <> schema ->> 'type' THEN
    RETURN NEXT format('%s: %s instead of %s', path, is_type, schema ->> 'type');
    RETURN;
  END IF;
  IF value #>> '{}' !~ (schema ->> 'pattern') THEN RETURN NEXT format('%s: %s', path, value); END IF;
  IF length(value #>> '{}') > (schema ->> 'maxLength')::int THEN RETURN NEXT path || ': too long'; END IF;
  IF NOT schema -> 'enum' @> value THEN RETURN NEXT format('%s: %s is not in the enum', path, value); END IF;
  IF is_type = 'string' AND value #>> '{}' = '' AND schema ? 'pattern' THEN RETURN NEXT path || ': empty'; END IF;
  IF is_type = 'number' AND (value::numeric NOT BETWEEN coalesce((schema ->> 'minimum')::numeric, 0)
                                                    AND coalesce((schema ->> 'maximum')::numeric, 2147483647) OR value::numeric % 1 <> 0) THEN
    RETURN NEXT format('%s: %s', path, value);
  END IF;
  IF is_type = 'array' THEN
    IF jsonb_array_length(value) NOT BETWEEN coalesce((schema ->> 'minItems')::int, 1)
                                         AND coalesce((schema ->> 'maxItems')::int, 1000) THEN
      RETURN NEXT format('%s: %s items', path, jsonb_array_length(value));
    END IF;
    IF (SELECT count(*) <> count(DISTINCT e -> (schema ->> 'unique')) FROM jsonb_array_elements(value) e
        WHERE schema ? 'unique') THEN
      RETURN NEXT format('%s: not unique by %s', path, schema ->> 'unique');
    END IF;
    RETURN QUERY SELECT v FROM jsonb_array_elements(value) WITH ORDINALITY AS e (e, n),
      LATERAL pg_temp.violations(e.e, schema -> 'items', format('%s[%s]', path, e.n - 1)) v;
  ELSIF is_type = 'object' AND schema ? 'properties' THEN
    FOR key IN SELECT jsonb_array_elements_text(schema -> 'required') LOOP
      IF NOT value ? key THEN RETURN NEXT format('%s.%s: required', path, key); END IF;
    END LOOP;
    FOR key IN SELECT k FROM jsonb_object_keys(value) k ORDER BY k COLLATE "C" LOOP
      IF schema -> 'properties' ? key THEN
        RETURN QUERY SELECT pg_temp.violations(value -> key, schema #> ARRAY['properties', key], path || '.' || key);
      ELSE
        RETURN NEXT format('%s.%s: unknown', path, key);
      END IF;
    END LOOP;
  ELSIF is_type = 'object' AND schema ? 'values' THEN
    RETURN QUERY SELECT v FROM jsonb_each(value) e, LATERAL pg_temp.violations(e.value, schema -> 'values', path || '.' || e.key) v;
  END IF;
END
$$;

CREATE TEMP TABLE crd (kind text PRIMARY KEY, schema jsonb NOT NULL);
-- Short forms of what comes often; $name stands for them.
CREATE FUNCTION pg_temp.define(kind text, api text, namespaced boolean, name_form text, spec text) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO crd SELECT kind, (
    SELECT replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(format(
      '{"type": "object", "required": ["apiVersion", "kind", "metadata", "spec"], "properties": {
        "apiVersion": {"type": "string", "enum": [%s]}, "kind": {"type": "string", "enum": [%s]},
        "metadata": {"type": "object", "required": ["name"], "properties": {"name": %s %s,
           "annotations": {"type": "object", "values": {"type": "string"}},
           "labels": {"type": "object", "values": {"type": "string", "pattern": "^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"}}}},
        "spec": %s}}', to_json(api), to_json(kind), name_form,
        CASE WHEN namespaced THEN ', "namespace": $label' ELSE '' END, spec),
      '$placement', '"nodeSelector": {"type": "object", "values": $text},
         "tolerations": {"type": "array", "items": {"type": "object", "properties": {"key": $text, "effect": {"type": "string",
         "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]}, "operator": {"type": "string", "enum": ["Exists", "Equal"]}}}}'),
      '$port', '{"type": "number", "minimum": 1, "maximum": 65535}'),
      '$texts', '{"type": "array", "items": $text}'),
      '$env', '{"type": "array", "unique": "name", "items": {"type": "object", "required": ["name"], "properties":
         {"name": {"type": "string", "pattern": "^[-._a-zA-Z][-._a-zA-Z0-9]*$"}, "value": $text, "valueFrom": {"type": "object"}}}}'),
      '$resources', '{"type": "object", "properties": {"limits": {"type": "object", "values": $quantity},
         "requests": {"type": "object", "values": $quantity}}}'),
      '$secrets', '{"type": "array", "items": {"type": "object", "required": ["name"], "properties": {"name": $subdomain}}}'),
      '$image', '{"type": "string", "pattern": "^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}@sha256:[0-9a-f]{64}$"}'),
      '$quantity', '{"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"}'),
      '$subdomain', '{"type": "string", "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"}'),
      '$label', '{"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}'),
      '$text', '{"type": "string"}'))::jsonb
$$;
SELECT pg_temp.define(kind, 'postgresql.cnpg.io/v1', kind = 'ImageCatalog', '$subdomain',
  '{"type": "object", "required": ["images"], "properties": {
     "componentImages": {"type": "array", "maxItems": 32, "unique": "key", "items": {"type": "object", "required": ["key", "image"],
       "properties": {"key": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}, "image": $image}}},
     "images": {"type": "array", "minItems": 1, "maxItems": 8, "unique": "major", "items": {
       "type": "object", "required": ["image", "major"], "properties": {"image": $image, "major": {"type": "number", "minimum": 10},
       "extensions": {"type": "array", "unique": "name", "items": {"type": "object", "required": ["name", "image"], "properties": {
          "name": {"type": "string", "maxLength": 59, "pattern": "^[a-z0-9]([-a-z0-9_]*[a-z0-9])?$"},
          "extension_control_path": $texts, "dynamic_library_path": $texts, "ld_library_path": $texts, "bin_path": $texts,
          "env": {"type": "array", "unique": "name", "items": {"type": "object", "required": ["name", "value"], "properties": {
             "name": {"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}, "value": {"type": "string", "pattern": "."}}}},
          "image": {"type": "object", "required": ["reference"], "properties": {"reference": $image}}}}}}}}}}')
FROM unnest('{ImageCatalog,ClusterImageCatalog}'::text[]) kind;
SELECT pg_temp.define(kind, 'serving.kserve.io/v1alpha1', kind = 'ServingRuntime', '$subdomain',
  '{"type": "object", "required": ["containers"], "properties": {
     "annotations": {"type": "object", "values": $text}, "imagePullSecrets": $secrets,
     "protocolVersions": {"type": "array", "items": {"type": "string", "enum": ["v1", "v2", "grpc-v1", "grpc-v2"]}},
     "supportedModelFormats": {"type": "array", "items": {"type": "object", "required": ["name"], "properties":
        {"name": $text, "version": $text, "autoSelect": {"type": "boolean"}, "priority": {"type": "number", "minimum": 1}}}},
     "volumes": {"type": "array", "unique": "name", "items": {"type": "object", "required": ["name"], "properties": {"name": $label,
        "emptyDir": {"type": "object", "properties": {"medium": {"type": "string", "enum": ["", "Memory"]}, "sizeLimit": $quantity}}}}},
     "containers": {"type": "array", "unique": "name", "items": {"type": "object", "required": ["name", "image"], "properties": {
        "name": {"type": "string", "enum": ["kserve-container"]}, "image": $image, "args": {"type": "array", "items": $text}, "env": $env,
        "ports": {"type": "array", "items": {"type": "object", "required": ["containerPort"], "properties":
           {"containerPort": $port, "protocol": {"type": "string", "enum": ["TCP"]}}}},
        "resources": $resources, "volumeMounts": {"type": "array", "items": {"type": "object", "required": ["name", "mountPath"],
           "properties": {"name": $label, "mountPath": $text}}}}}}}}')
FROM unnest('{ServingRuntime,ClusterServingRuntime}'::text[]) kind;
SELECT pg_temp.define('InferenceService', 'serving.kserve.io/v1beta1', true,
  '{"type": "string", "maxLength": 48, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"}',
  '{"type": "object", "required": ["predictor"], "properties": {"predictor": {"type": "object", "required": ["model"], "properties": {
     "minReplicas": {"type": "number", "minimum": 0}, "maxReplicas": {"type": "number", "minimum": 1}, "imagePullSecrets": $secrets,
     $placement,
     "volumes": {"type": "array", "unique": "name", "items": {"type": "object", "required": ["name", "image"], "properties": {"name": $label,
        "image": {"type": "object", "required": ["reference"], "properties": {"reference": $image,
           "pullPolicy": {"type": "string", "enum": ["IfNotPresent"]}}}}}},
     "model": {"type": "object", "required": ["modelFormat"], "properties": {
        "protocolVersion": {"type": "string", "enum": ["v1", "v2", "grpc-v1", "grpc-v2"]}, "storage": {"type": "object", "properties": {}},
        "volumeMounts": {"type": "array", "items": {"type": "object", "required": ["name", "mountPath"],
           "properties": {"name": $label, "mountPath": $text, "readOnly": {"type": "boolean"}}}},
        "modelFormat": {"type": "object", "required": ["name"], "properties": {"name": $text, "version": $text}},
        "runtime": $subdomain, "args": {"type": "array", "items": $text}, "env": $env, "resources": $resources,
        "storageUri": {"type": "string", "pattern": "^(oci|oci[+]native|oci[+]fetch|oci[+]modelcar|kit)://[^@ ]+@sha256:[0-9a-f]{64}$"}}}}}}}');
SELECT pg_temp.define('NIMService', 'apps.nvidia.com/v1alpha1', true, '{"type": "string", "maxLength": 59, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"}',
  '{"type": "object", "required": ["image"], "properties": {"authSecret": $subdomain, $placement,
     "image": {"type": "object", "required": ["repository", "tag"], "properties": {
        "repository": {"type": "string", "pattern": "^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+$"},
        "tag": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}@sha256:[0-9a-f]{64}$"},
        "pullPolicy": {"type": "string", "enum": ["Always", "IfNotPresent", "Never"]},
        "pullSecrets": {"type": "array", "items": $subdomain}}},
     "args": {"type": "array", "items": $text}, "env": $env, "resources": $resources,
     "replicas": {"type": "number", "minimum": 1},
     "inferencePlatform": {"type": "string", "enum": ["standalone", "kserve"]},
     "expose": {"type": "object", "properties": {"service": {"type": "object", "properties": {
        "type": {"type": "string", "enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, "port": $port}}}},
     "storage": {"type": "object", "properties": {"sharedMemorySizeLimit": $quantity,
        "nimCache": {"type": "object", "properties": {"name": $subdomain, "profile": $text}}}}}}');
SELECT pg_temp.define('NIMCache', 'apps.nvidia.com/v1alpha1', true, '{"type": "string", "maxLength": 59, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"}',
  '{"type": "object", "required": ["source", "storage"], "properties": {
     "source": {"type": "object", "required": ["ngc"], "properties": {"ngc": {"type": "object", "required": ["authSecret", "modelPuller"],
        "properties": {"authSecret": $subdomain, "modelPuller": $image, "pullSecret": $subdomain, "model": {"type": "object", "properties": {
           "profiles": {"type": "array", "items": $text}, "engine": $text, "precision": $text, "tensorParallelism": $text,
           "qosProfile": {"type": "string", "enum": ["latency", "throughput"]}, "gpus": {"type": "array", "items": {"type": "object", "properties": {"product": $text,
              "ids": {"type": "array", "items": $text}}}}}}}}}},
     "storage": {"type": "object", "properties": {"pvc": {"type": "object", "properties": {"create": {"type": "boolean"}, "name": $label,
        "storageClass": $subdomain, "size": $quantity,
        "volumeAccessMode": {"type": "string", "enum": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]}}}}}}}');

-- What the controllers derive and decide: names and host names of up to 63 characters, a service for many models, the runtime of a service.
CREATE FUNCTION pg_temp.derived(manifest jsonb) RETURNS SETOF text
LANGUAGE sql AS $$
  SELECT format('%s: %s characters', n, length(n))
  FROM (SELECT manifest #>> '{metadata,name}' AS name, coalesce(manifest #>> '{metadata,namespace}', 'default') AS namespace) m, LATERAL unnest(CASE
    WHEN manifest ->> 'kind' = 'InferenceService' OR manifest #>> '{spec,inferencePlatform}' = 'kserve'
      THEN ARRAY['isvc.' || name || '-predictor', name || '-predictor-' || namespace]
    WHEN manifest ->> 'kind' = 'NIMCache' THEN ARRAY[name || '-job', name || '-pod', name || '-pvc']
    WHEN manifest ->> 'kind' = 'NIMService' THEN ARRAY[name || '-ctr'] END) n
  WHERE length(n) > 63
  UNION ALL
  SELECT 'taken for a server of many models' WHERE manifest ->> 'kind' = 'InferenceService'
    AND NOT manifest #> '{spec,predictor,model}' ?| '{storageUri,storage}'
    AND manifest #>> '{spec,predictor,model,modelFormat,name}' <> 'huggingface'
$$;
CREATE FUNCTION pg_temp.chooses(service jsonb, runtime jsonb) RETURNS boolean
LANGUAGE sql AS $$
  SELECT CASE WHEN m ? 'runtime' THEN m ->> 'runtime' = runtime #>> '{metadata,name}' ELSE f -> 'autoSelect' = 'true' END
     AND f ->> 'name' = m #>> '{modelFormat,name}' AND coalesce(f ->> 'version' = m #>> '{modelFormat,version}', NOT m -> 'modelFormat' ? 'version')
     AND (m ? 'runtime' AND NOT m ? 'protocolVersion' OR NOT runtime -> 'spec' ? 'protocolVersions'
          OR runtime #> '{spec,protocolVersions}' ? coalesce(m ->> 'protocolVersion', 'v1'))
  FROM (SELECT service #> '{spec,predictor,model}' AS m, runtime #> '{spec,supportedModelFormats,0}' AS f) x
$$;

-- 'valid', or what is wrong.
CREATE FUNCTION pg_temp.verdict(manifest jsonb) RETURNS text
LANGUAGE sql AS $$
  SELECT coalesce((SELECT string_agg(v, E'\n') FROM (
                     SELECT v FROM crd c, LATERAL pg_temp.violations(manifest, c.schema, c.kind) v WHERE c.kind = manifest ->> 'kind'
                     UNION ALL SELECT pg_temp.derived(manifest)) x (v)),
                  CASE WHEN EXISTS (SELECT FROM crd c WHERE c.kind = manifest ->> 'kind')
                       THEN 'valid ' || (manifest ->> 'kind') ELSE 'unknown kind' END)
$$;

-- The checker finds what is wrong in the YAML of EDB's page "Configure a ServingRuntime": fields outside spec, a volume whose name is
-- inside emptyDir, a namespace on a cluster-scoped kind, an image that is not pinned ...
SELECT pg_temp.verdict('{"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime",
  "metadata": {"name": "nvidia-nim-llama-3.1-8b-instruct-1.3.3", "namespace": "default"},
  "spec": {"containers": [{"name": "kserve-container", "image": "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.3.3",
    "env": [{"name": "NIM_CACHE_PATH", "value": "/tmp"}, {"name": "NGC_API_KEY", "valueFrom": {"secretKeyRef": {"name": "nvidia-nim-secrets", "key": "NGC_API_KEY"}}}],
    "ports": [{"containerPort": 8000, "protocol": "TCP"}], "resources": {"limits": {"cpu": "12", "memory": "64Gi"}, "requests": {"cpu": "12", "memory": "64Gi"}},
    "volumeMounts": [{"mountPath": "/dev/shm", "name": "dshm"}]}]},
  "imagePullSecrets": [{"name": "edb-cred"}], "protocolVersions": ["v2", "grpc-v2"],
  "supportedModelFormats": [{"autoSelect": true, "name": "nvidia-nim-llama-3.1-8b-instruct", "priority": 1, "version": "1.3.3"}],
  "volumes": [{"emptyDir": {"medium": "Memory", "name": "dshm", "sizeLimit": "16Gi"}}]}');
SELECT pg_temp.verdict('{"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ServingRuntime", "metadata": {"name": "nim"}, "spec": {
  "containers": [], "volumes": [{"emptyDir": {"medium": "Memory", "name": "dshm", "sizeLimit": "16 Gi"}}]}}');
-- ... a major twice or too old, an empty list, names that Kubernetes refuses.
SELECT pg_temp.verdict(jsonb_build_object('apiVersion', 'postgresql.cnpg.io/v1', 'kind', 'ClusterImageCatalog',
  'metadata', '{"name": "Pg.Catalog"}'::jsonb, 'spec', jsonb_build_object('images', i)))
FROM unnest(ARRAY['[]', '[{"major": 9, "image": "a"}, {"major": 9, "image": "b"}]']::jsonb[]) i;
SELECT pg_temp.verdict('{"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "llama-3.1"},
  "spec": {"predictor": {}}}');

-- A library. The agent is not to ask these registries: it would still be at it in the next test.
BEGIN;
SELECT count(add_registry(name, url)) FROM (VALUES
  ('edb', 'https://docker.enterprisedb.com/pgai-platform'), ('ghcr', 'https://ghcr.io'), ('nvcr', 'https://nvcr.io')) r (name, url);
SELECT count(disable_registry(name)) FROM registry;
COMMIT;
SELECT count(add_rule(name, '**')) FROM registry WHERE name IN ('edb', 'ghcr', 'nvcr');
CREATE FUNCTION pg_temp.put(registry text, repository text, tag text, more jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS $$
  SELECT write_batches(g.registry_id, ARRAY[put.repository], ARRAY[jsonb_populate_record(NULL::image_library_internal.batch, jsonb_build_object('missing', '[]'::jsonb, 'referrers', '[]'::jsonb,
    'checked', '[]'::jsonb, 'problems', '[]'::jsonb, 'listing', NULL, 'fingerprint', '',
    'tags', jsonb_build_array(jsonb_build_object('name', put.tag, 'digest', d.digest, 'rule_id', u.rule_id)),
    'images', jsonb_build_array('{"media_type": "application/vnd.oci.image.index.v1+json", "artifact_type": "",
        "config_type": "application/vnd.oci.image.config.v1+json", "config_digest": "sha256:0", "size_bytes": 5368709120,
        "layer_types": ["application/vnd.oci.image.layer.v1.tar+gzip"], "created_at": null, "referrers": [],
        "annotations": {}, "labels": {}}'::jsonb
      || jsonb_build_object('digest', d.digest, 'platforms', (SELECT jsonb_agg(jsonb_build_object('platform', 'linux/' || a, 'os', 'linux',
           'architecture', a, 'variant', '', 'manifest_digest', 'sha256:' || a, 'config_digest', 'sha256:0', 'size_bytes', 1, 'created_at', NULL))
           FROM jsonb_array_elements_text(coalesce(more -> 'architectures', '["amd64", "arm64"]')) a))
      || (more - 'architectures'))))])
  FROM image_library_internal.registry g JOIN image_library_internal.rule u USING (registry_id),
       (SELECT 'sha256:' || encode(sha256(convert_to(concat(put.registry, put.repository, put.tag, more), 'UTF8')), 'hex') AS digest) d
  WHERE g.name = put.registry
$$;
CREATE FUNCTION pg_temp.put_extension(name text, tag text, major text, os text, architectures jsonb DEFAULT '["amd64", "arm64"]') RETURNS jsonb
LANGUAGE sql AS $$
  SELECT pg_temp.put('ghcr', 'cloudnative-pg/' || name, tag, jsonb_build_object('architectures', architectures, 'annotations', jsonb_build_object(
    'io.cloudnativepg.image.base.name', format('ghcr.io/cloudnative-pg/postgresql:%s-minimal-%s', major, os),
    'io.cloudnativepg.image.base.pgmajor', major, 'io.cloudnativepg.image.base.os', os,
    'io.cloudnativepg.image.sql.version', split_part(tag, '-', 1))))
$$;
SELECT count(pg_temp.put('edb', repository, tag, jsonb_build_object('annotations', jsonb_build_object(
    'org.enterprisedb.pg.flavor', flavor, 'org.enterprisedb.pg.major_version', major)))) FROM (VALUES
  ('postgresql', '17.4-2503191025', 'pg', '17'), ('postgresql', '17.4-2503310734', 'pg', '17'),
  ('postgresql', '17.10-2509010101', 'pg', '17'), ('postgresql', '17.10-2509010101-full', 'pg', '17'),
  ('postgresql', '16.8-2503191025', 'pg', '16'), ('postgresql', '99.1-2503191025', 'pg', '15'),
  ('edb-postgres-advanced', '18.3-2605132051', 'epas', '18')) v (repository, tag, flavor, major);
SELECT count(pg_temp.put('ghcr', 'cloudnative-pg/postgresql', tag)) FROM unnest(
  '{18.6-202608170814-minimal-trixie,18.6-202608170814-minimal-bookworm,18-minimal-trixie,18.5-202605010000-standard-trixie}'::text[]) tag;
SELECT count(pg_temp.put_extension(name, tag, major, os)) FROM (VALUES
  ('pgvector', '0.8.6-202608201414-18-trixie', '18', 'trixie'), ('pgvector', '0.8.10-202608201414-18-trixie', '18', 'trixie'),
  ('pgvector', '0.8.11-202608201414-18-bookworm', '18', 'bookworm'), ('pgvector', '0.8.12-202608201414-19-trixie', '19', 'trixie'),
  ('postgis', '3.6.0-202608201414-18-trixie', '18', 'trixie'), ('pgaudit', '18.0-202608201414-18-trixie', '18', 'trixie')) v (name, tag, major, os);
SELECT pg_temp.put_extension('timescaledb', '2.20.0-202608201414-18-trixie', '18', 'trixie', '["s390x"]');
SELECT count(pg_temp.put('nvcr', repository, tag, jsonb_build_object('architectures', '["amd64"]'::jsonb, 'labels', labels))) FROM (VALUES
  ('nim/meta/llama-3.1-8b-instruct', '1.3.3', '{"com.nvidia.nim.model_download_protocol": "native-v1", "com.nvidia.nim.profiles":
    "tensorrt_llm-h100-fp8-tp2-pp1-latency,tensorrt_llm-l40s-fp8-tp4-pp1-throughput,vllm-bf16-tp1-pp1-lora"}'::jsonb),
  ('nim/nvidia/llama-3.3-nemotron-super-49b-v1', '1.8.5', '{"com.nvidia.nim.gpu_count": "4"}'),
  ('nim/acme/3.5-very_long.model-name-that-goes-on-and-on-until-nobody-can-remember-what-it-was-called', '1.0.0', '{}'),
  ('nim/acme/waiting', '1.0.0', '{}')) v (repository, tag, labels);
SELECT pg_temp.put('ghcr', 'models/qwen2.5', '1.0.0', '{"artifact_type": "application/vnd.cncf.model.manifest.v1+json",
  "media_type": "application/vnd.oci.image.manifest.v1+json", "config_type": "application/vnd.cncf.model.config.v1+json",
  "layer_types": ["application/vnd.cncf.model.weight.v1.tar"], "architectures": []}');
SELECT pg_temp.put('ghcr', 'servers/vllm', 'v0.10.0');
SELECT count(approve(reference)) FROM images
WHERE registry IN ('edb', 'ghcr', 'nvcr') AND repository NOT IN ('nim/acme/waiting', 'cloudnative-pg/pgaudit');

-- CloudNativePG: 15 contradicts its tag, so it is left out; 17.10 is newer than 17.4; extensions of trixie for trixie.
SELECT pg_temp.verdict(cnpg_image_catalog('approved', repository => 'postgresql', variant => ''));
SELECT pg_temp.verdict(cnpg_image_catalog('approved', 'team-a', variant => 'minimal', os => 'trixie'));
SELECT jsonb_pretty(cnpg_image_catalog('postgresql', variant => 'minimal', os => 'trixie'));
SELECT i ->> 'major', i ->> 'image', i -> 'extensions' IS NOT NULL
FROM jsonb_array_elements(cnpg_image_catalog('approved', repository => 'postgresql', variant => '') #> '{spec,images}') i;
-- Nothing is mixed: repositories, variants, systems.
SELECT cnpg_image_catalog('approved');
SELECT cnpg_image_catalog('approved', variant => 'minimal');
SELECT i ->> 'image', i #>> '{extensions,0,name}', i #>> '{extensions,0,image,reference}'
FROM jsonb_array_elements(cnpg_image_catalog('approved', os => 'bookworm') #> '{spec,images}') i;
SELECT i ->> 'image' FROM jsonb_array_elements(cnpg_image_catalog('x', flavor => 'pg', variant => 'full', repository => 'postgresql') #> '{spec,images}') i;
SELECT i ->> 'major', i ? 'extensions' FROM jsonb_array_elements(cnpg_image_catalog('x', flavor => 'epas') #> '{spec,images}') i;
SELECT cnpg_image_catalog('a', os => 'bookworm')::text = cnpg_image_catalog('a', os => 'bookworm')::text;
-- The operator takes 8 majors at most: more is an error, and majors chooses.
BEGIN;
SELECT count(pg_temp.put('edb', 'postgresql', m || '.1-2509010101')) FROM generate_series(9, 19) m;
SELECT count(approve(reference)) FROM images WHERE tag LIKE '%.1-2509010101';
SELECT pg_temp.verdict(c), jsonb_path_query_array(c, '$.spec.images[*].major') FROM cnpg_image_catalog('some', registry => 'edb', variant => '', majors => '{10,18,99}') c;
SET LOCAL client_min_messages = notice;
SELECT cnpg_image_catalog('some', registry => 'edb', variant => '', majors => '{99,18,20,NULL}') #>> '{spec,images,0,major}';
SELECT cnpg_image_catalog('many', registry => 'edb', variant => '');
ROLLBACK;
SELECT cnpg_image_catalog('none', os => 'bookworm', majors => '{}');
SELECT cnpg_image_catalog('none', majors => '{11,12}');
-- Only the majors that are asked for can be ambiguous.
SELECT jsonb_path_query_array(c, '$.spec.images[*].major') FROM cnpg_image_catalog('one', registry => 'edb', majors => '{16}') c;
SELECT cnpg_image_catalog('all', registry => 'edb');
SELECT cnpg_image_catalog('none', flavor => 'pge');
SELECT cnpg_image_catalog('none', flavor => 'oracle');
SELECT cnpg_image_catalog('PG.Catalog', 'ns');
SELECT cnpg_image_catalog(E'a"\n- b: {}');
SELECT cnpg_image_catalog('a', 'name.space');
SELECT edb_image('docker.enterprisedb.com/pgai-platform/postgresql:17.10-2509010101');
SELECT edb_image('nvcr.io/nim/meta/llama-3.1-8b-instruct:1.3.3');
SELECT edb_image('ghcr.io/cloudnative-pg/pgaudit:18.0-202608201414-18-trixie');

-- What an extension needs besides its image is the caller's to say, and checked as the CRD does.
SELECT pg_temp.verdict(c), jsonb_path_query(c, '$.spec.images[*].extensions[*] ? (@.name == "postgis")') - 'image'
FROM cnpg_image_catalog('approved', variant => 'minimal', os => 'trixie', extension_settings => '{"postgis": {"ld_library_path": ["system"],
  "env": {"PROJ_DATA": "${image_root}/share/proj", "GDAL_DATA": "${image_root}/share/gdal", "LITERAL": "$${x}"}}, "nobody-has-it": {}}') c;
SELECT cnpg_image_catalog('a', os => 'bookworm', extension_settings => s) IS NOT NULL FROM (VALUES ('{}'::jsonb), (NULL), ('{"postgis": {"env": {}}}'),
  ('{"a": {"bin_path": ["/bin", "a/../b"], "env": {"A": "$$${image_root}", "B": "$${HOME}", "pathology": "${"}}}')) v (s);
-- Images of components are approved ones too.
SELECT pg_temp.verdict(c), c #> '{spec,componentImages}' FROM cnpg_image_catalog('a', os => 'bookworm', component_images => '{"pgbouncer": "ghcr.io/servers/vllm:v0.10.0"}') c;
SELECT cnpg_image_catalog('a', os => 'bookworm', component_images => '{"pgbouncer": "nvcr.io/nim/acme/waiting:1.0.0"}');
SELECT cnpg_image_catalog('a', os => 'bookworm', component_images => '{"PgBouncer": "ghcr.io/servers/vllm:v0.10.0"}');
SELECT cnpg_image_catalog('a', os => 'bookworm', component_images => jsonb_object_agg('k' || n, 'ghcr.io/servers/vllm:v0.10.0')) FROM generate_series(1, 33) n;
DO $do$
DECLARE
  s jsonb;
BEGIN
  FOREACH s IN ARRAY ARRAY['[]', '1', '{"a": 1}', '{"a": {"image": "x"}}', '{"a": {"bin_path": "x"}}', '{"a": {"bin_path": [1]}}', '{"a": {"bin_path": [""]}}',
    '{"a": {"bin_path": ["a", "a"]}}', '{"a": {"bin_path": ["a/../.."]}}', '{"a": {"ld_library_path": ["/../lib"]}}', '{"a": {"env": {"PGDATA": "x"}}}',
    '{"a": {"env": {"cnpg_x": "x"}}}', '{"a": {"env": {"POD_NAME": "x"}}}', '{"a": {"env": {"PATH": "x"}}}', '{"a": {"env": {"LD_LIBRARY_PATH": "x"}}}',
    '{"a": {"env": {"A": "$$${HOME}"}}}', '{"a": {"env": []}}', '{"a": {"env": {"A B": "x"}}}', '{"a": {"env": {"A": ""}}}', '{"a": {"env": {"A": 1}}}', '{"a": {"env": {"A": "${HOME}"}}}']::jsonb[] LOOP
    BEGIN
      PERFORM cnpg_image_catalog('a', extension_settings => s);
      RAISE WARNING 'accepted: %', s;
    EXCEPTION WHEN invalid_parameter_value THEN NULL;
    END;
  END LOOP;
END
$do$;
SELECT cnpg_image_catalog('a', extension_settings => '{"postgis": {"ld_library_path": "system"}}');

-- KServe.
\set nim nvcr.io/nim/meta/llama-3.1-8b-instruct:1.3.3
SELECT jsonb_pretty(kserve_serving_runtime(:'nim', image_pull_secrets => '{edb-cred}'));
SELECT jsonb_pretty(kserve_inference_service(:'nim', namespace => 'models', image_pull_secrets => '{edb-cred}'));
SELECT pg_temp.verdict(m) FROM unnest(ARRAY[
  kserve_serving_runtime(:'nim', image_pull_secrets => '{edb-cred}'),
  kserve_serving_runtime(:'nim', 'my.runtime', 'models', gpu_count => 2, cpu => '500m', memory => NULL, shm_size => NULL,
    args => '{--max-model-len,4096}', env => '{"A": "\"}], x: {", "B": 1, "HF": {"secretKeyRef": {"name": "hf", "key": "t"}}}'),
  kserve_serving_runtime('ghcr.io/models/qwen2.5:1.0.0', server => 'ghcr.io/servers/vllm:v0.10.0'),
  kserve_inference_service(:'nim'),
  kserve_inference_service(:'nim', 'llama', 'models', gpu_count => 8, min_replicas => 0, max_replicas => 3, cpu => '4',
    node_selector => '{"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}', args => '{a,b}', env => '{"A": "b"}'),
  kserve_inference_service('ghcr.io/models/qwen2.5:1.0.0'),
  kserve_inference_service('ghcr.io/models/qwen2.5:1.0.0', storage => 'kit', model_format => 'huggingface', gpu_count => 1)]) m;
-- KServe chooses the runtime that was made for a format, which it does by protocol as well.
SELECT pg_temp.chooses(s, r), s #> '{spec,predictor,model,protocolVersion}', pg_temp.chooses(s #- '{spec,predictor,model,protocolVersion}', r)
FROM kserve_inference_service('ghcr.io/models/qwen2.5:1.0.0') s, kserve_serving_runtime('ghcr.io/models/qwen2.5:1.0.0', server => 'ghcr.io/servers/vllm:v0.10.0') r;
SELECT pg_temp.chooses(s, r) FROM kserve_inference_service('ghcr.io/models/qwen2.5:1.0.0', protocol_version => 'v1') s,
  kserve_serving_runtime('ghcr.io/models/qwen2.5:1.0.0', server => 'ghcr.io/servers/vllm:v0.10.0', protocol_versions => '{v1}') r;
SELECT pg_temp.chooses(s, r) FROM kserve_inference_service(:'nim') s, kserve_serving_runtime(:'nim') r;
SELECT kserve_inference_service('ghcr.io/models/qwen2.5:1.0.0', protocol_version => 'openai');
SELECT kserve_serving_runtime(:'nim', protocol_versions => '{v2,NULL}');
-- A runtime and its service name each other; a value that looks like YAML or JSON stays a value.
SELECT r #>> '{metadata,name}' = s #>> '{spec,predictor,model,runtime}',
       r #> '{spec,supportedModelFormats,0,name}' = s #> '{spec,predictor,model,modelFormat,name}',
       r #> '{spec,containers,0,env}' @> '[{"name": "A", "value": "\"}], x: {"}]'
FROM kserve_serving_runtime(:'nim', env => '{"A": "\"}], x: {"}') r, kserve_inference_service(:'nim') s;
SELECT s #>> '{metadata,name}', s #> '{spec,predictor,model}' FROM kserve_inference_service('ghcr.io/models/qwen2.5:1.0.0') s;
SELECT s #>> '{metadata,name}', s #>> '{spec,predictor,model,resources,limits,nvidia.com/gpu}'
FROM unnest('{nvcr.io/nim/nvidia/llama-3.3-nemotron-super-49b-v1:1.8.5,nvcr.io/nim/acme/3.5-very_long.model-name-that-goes-on-and-on-until-nobody-can-remember-what-it-was-called:1.0.0}'::text[]) r,
     LATERAL kserve_inference_service(r) s;
SELECT kserve_serving_runtime('ghcr.io/models/qwen2.5:1.0.0');
SELECT kserve_serving_runtime('nvcr.io/nim/acme/waiting:1.0.0');
SELECT kserve_serving_runtime('docker.enterprisedb.com/pgai-platform/postgresql:17.10-2509010101');
SELECT kserve_serving_runtime('nvcr.io/nim/nobody/knows:1');
SELECT kserve_serving_runtime(:'nim', memory => '64 GB');
SELECT kserve_serving_runtime(:'nim', env => '["A"]');
SELECT kserve_serving_runtime(:'nim', env => '{"A B": "x"}');
SELECT kserve_inference_service(:'nim', 'llama-3.1');
SELECT kserve_inference_service(:'nim', gpu_count => -1);
SELECT kserve_inference_service(:'nim', min_replicas => 3, max_replicas => 2);
SELECT kserve_inference_service('ghcr.io/models/qwen2.5:1.0.0', storage => 'http');

-- NIM Operator.
SELECT jsonb_pretty(nim_service(:'nim', namespace => 'nim', image_pull_secrets => '{ngc-secret}'));
SELECT jsonb_pretty(nim_cache(:'nim', namespace => 'nim', gpu => 'h100', gpu_count => 2));
SELECT pg_temp.verdict(m) FROM unnest(ARRAY[
  nim_service(:'nim'),
  nim_service(:'nim', 'llama', 'nim', 2, '{a,b.c}', 'ngc', '4', '8Gi', NULL, 'cache', 'p', '{x}', '{"A": "b"}', 2, 9000, 'kserve'),
  nim_service('nvcr.io/nim/acme/3.5-very_long.model-name-that-goes-on-and-on-until-nobody-can-remember-what-it-was-called:1.0.0'),
  nim_cache(:'nim'),
  nim_cache(:'nim', 'llama', 'nim', 'ngc', 'pull', 'fast', '1Ti', 'ReadWriteOnce', '{tensorrt_llm-h100-fp8-tp2-pp1-latency}')]) m;
SELECT s #>> '{spec,storage,nimCache,name}' = c #>> '{metadata,name}',
       (s #>> '{spec,image,repository}') || ':' || (s #>> '{spec,image,tag}') = resolve(:'nim')
FROM nim_service(:'nim') s, nim_cache(:'nim') c;
SELECT nim_service('ghcr.io/models/qwen2.5:1.0.0');
SELECT nim_cache('ghcr.io/models/qwen2.5:1.0.0');
SELECT nim_cache(:'nim', profiles => '{a}', gpu => 'h100');
SELECT nim_cache(:'nim', profiles => '{all,a}');
SELECT nim_cache(:'nim', qos => 'balanced');
SELECT nim_service(:'nim', shm_size => '0Gi');
SELECT kserve_serving_runtime(:'nim', priority => 0);
SELECT nim_service(:'nim', replicas => 0);
SELECT nim_service(:'nim', node_selector => '{"gpu": 1}');
SELECT nim_service(:'nim', port => 65536);
-- Without a key, where the cache has all: the fields are left out.
SELECT nim_service(:'nim', ngc_secret => NULL, gpu_count => 0) -> 'spec' ?| '{authSecret,tolerations,nodeSelector}',
       kserve_serving_runtime(:'nim', ngc_secret => NULL) #>> '{spec,containers,0,env}';
SELECT revoke(:'nim', 'licence ended') IS NOT NULL;
SELECT nim_service(:'nim');

-- Two models that would have one name have two, and the older repository's stays as it was.
BEGIN;
SELECT count(pg_temp.put('nvcr', repository, '1.3.3')) FROM unnest('{nim/other/llama-3.1-8b-instruct,nim/other/llama-3_1-8b.instruct,nim/meta/1,nim/meta/2}'::text[]) repository;
SELECT count(pg_temp.put('nvcr', 'nim/meta/llama-3.1-8b-instruct', tag)) FROM unnest('{1.3.3-rtx,v1.3.3}'::text[]) tag;
SELECT reset(:'nim') IS NOT NULL;
SELECT count(approve(reference)) FROM images WHERE registry = 'nvcr' AND approval = 'pending' AND repository <> 'nim/acme/waiting';
CREATE TEMP TABLE made AS
  SELECT m.reference, x.made, x.made ->> 'kind' AS kind, x.made #>> '{metadata,name}' AS name
  FROM model_library m, unnest(ARRAY[kserve_serving_runtime(m.reference), kserve_inference_service(m.reference), nim_service(m.reference), nim_cache(m.reference)]) AS x (made)
  WHERE m.format = 'nim';
-- A service has the model's name and no version: the next version takes its place.
SELECT count(DISTINCT (kind, name)) = count(*) FILTER (WHERE kind <> 'InferenceService' OR reference !~ ':v1|rtx') AS distinct_names, bool_and(pg_temp.verdict(made) = 'valid ' || kind) AS valid,
       bool_and(name ~ '^[a-z]([-a-z0-9]*[a-z0-9])?$' AND length(name) <= 63) AS names_valid FROM made;
-- KServe refuses two runtimes of one format, version and priority.
SELECT count(DISTINCT (made #> '{spec,supportedModelFormats,0}')) = count(*) AS distinct_formats FROM made WHERE kind = 'ClusterServingRuntime';
SELECT count(*) FROM made r JOIN made s USING (reference) WHERE r.kind = 'ClusterServingRuntime' AND s.kind = 'InferenceService'
  AND (r.made #> '{spec,supportedModelFormats,0}') - '{autoSelect,priority}'::text[] <> s.made #> '{spec,predictor,model,modelFormat}';
SELECT reference, name FROM made WHERE kind = 'InferenceService' AND name ~ 'llama-3-1|^m-' ORDER BY reference;
SELECT count(*) FROM made s JOIN made c USING (reference) WHERE s.kind = 'NIMService' AND c.kind = 'NIMCache' AND s.made #>> '{spec,storage,nimCache,name}' <> c.name;
ROLLBACK;

-- What a label says is data: no name breaks out of its place, and none is longer than names are.
BEGIN;
SELECT count(pg_temp.put('nvcr', 'team/odd' || n, '1.0', jsonb_build_object('labels', jsonb_build_object('com.nvidia.nim.model', label, 'com.nvidia.nim.profiles', label))))
FROM (VALUES (1, E'evil"}, {"kind": "Pod"}\n---\nkind: Pod'), (2, repeat('long.', 10000)), (3, '🦙'), (4, '../../etc/passwd'), (5, '$(id) ${HOME} {{ .Values }}'), (6, '-'), (7, 'ÀÉ-Å')) l (n, label);
SELECT count(approve(reference)) FROM images WHERE repository LIKE 'team/odd%';
SELECT m.tag, m.repository, left(m.model, 40) AS model, length(m.model), r #>> '{metadata,name}', s #>> '{metadata,name}', c #>> '{metadata,name}',
       left(r #>> '{spec,supportedModelFormats,0,name}', 60), (SELECT string_agg(DISTINCT pg_temp.verdict(x), ', ') FROM unnest(ARRAY[r, s, n, c]) x)
FROM model_library m, kserve_serving_runtime(m.reference) r, kserve_inference_service(m.reference) s, nim_service(m.reference) n, nim_cache(m.reference) c
WHERE m.repository LIKE 'team/odd%' ORDER BY m.repository;
ROLLBACK;

-- The card of a model: what is known, whoever approved it or not.
SELECT jsonb_pretty(model_card('nvcr.io/nim/meta/llama-3.1-8b-instruct:1.3.3'));
SELECT model_card('nvcr.io/nim/acme/waiting:1.0.0') - 'reference';
SELECT model_card('docker.enterprisedb.com/pgai-platform/postgresql:17.10-2509010101');
SELECT model_card('nvcr.io/nim/nobody/knows:1');

-- What fits where, approved or not.
SELECT gpu, n, fits(:'nim', gpu, n) FROM (VALUES ('h100', 1), ('NVIDIA-H100-80GB-HBM3', 2), ('l40s', 0)) v (gpu, n);
SELECT v.gpu, n, name, tp * pp FROM (VALUES ('NVIDIA-H100-80GB-HBM3', 2), ('L40S', 4), ('a100', 8)) v (gpu, n),
  LATERAL fitting_profiles(:'nim', v.gpu, n) p;
SELECT fits('nvcr.io/nim/acme/waiting:1.0.0', 'h100', 8);
SELECT fits('nvcr.io/nim/nobody/knows:1', 'h100', 8);

-- Readers make manifests, and call nothing beneath them.
SET ROLE image_library_reader;
SELECT kserve_inference_service('ghcr.io/models/qwen2.5:1.0.0') ->> 'kind', cnpg_image_catalog('a', os => 'bookworm') ->> 'kind';
SELECT image_library_internal.approved_model('ghcr.io/models/qwen2.5:1.0.0');
RESET ROLE;
SELECT p.proname FROM pg_proc p WHERE p.pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[])
  AND proname ~ 'catalog|kserve|kubernetes|nim|model_|edb|fit|storage_uri|approved_' AND obj_description(p.oid, 'pg_proc') IS NULL;
DO $$ BEGIN PERFORM drop_registry(name, cascade => true) FROM registry WHERE name IN ('edb', 'ghcr', 'nvcr'); END $$;

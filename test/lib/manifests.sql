\set ECHO none
-- For the SQL tests of manifests: a library with models of several formats and a Postgres image, all approved.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET search_path = image_library, image_library_internal, public;

-- A library. The agent is not to ask these registries: it would still be at it in the next test.
BEGIN;
SELECT count(add_registry(name, 'https://' || name || '.example')) FROM unnest('{nvcr,hub}'::text[]) name;
SELECT count(disable_registry(name)) FROM registry;
COMMIT;
SELECT count(add_rule(name, '**')) FROM unnest('{nvcr,hub}'::text[]) name;
CREATE FUNCTION pg_temp.put(registry text, repository text, tag text, config_type text, layer_type text, labels jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS $$
  SELECT write_batches(g.registry_id, ARRAY[put.repository], ARRAY[jsonb_populate_record(NULL::image_library_internal.batch, jsonb_build_object('missing', '[]'::jsonb, 'referrers', '[]'::jsonb,
    'checked', '[]'::jsonb, 'problems', '[]'::jsonb, 'listing', NULL, 'fingerprint', '',
    'tags', jsonb_build_array(jsonb_build_object('name', put.tag, 'digest', d.digest, 'rule_id', u.rule_id)),
    'images', jsonb_build_array(jsonb_build_object('digest', d.digest, 'media_type', 'application/vnd.oci.image.manifest.v1+json',
      'artifact_type', '', 'config_type', config_type, 'config_digest', 'sha256:0', 'size_bytes', 1, 'layer_types', jsonb_build_array(layer_type),
      'created_at', NULL, 'referrers', '[]'::jsonb, 'annotations', '{}'::jsonb, 'labels', labels, 'platforms', '[{"platform": "linux/amd64",
        "os": "linux", "architecture": "amd64", "variant": "", "manifest_digest": "sha256:1", "config_digest": "sha256:0", "size_bytes": 1, "created_at": null}]'::jsonb))))])
  FROM image_library_internal.registry g JOIN image_library_internal.rule u USING (registry_id),
       (SELECT 'sha256:' || encode(sha256(convert_to(concat(put.registry, put.repository, put.tag, labels), 'UTF8')), 'hex') AS digest) d
  WHERE g.name = put.registry
$$;
\set image application/vnd.oci.image.config.v1+json
\set tar application/vnd.oci.image.layer.v1.tar+gzip
SELECT count(pg_temp.put('hub', repository, '1', config_type, layer_type)) FROM (VALUES
  ('models/pack', 'application/vnd.cncf.model.config.v1+json', 'application/vnd.cncf.model.weight.v1.raw'),
  ('models/kit', 'application/vnd.kitops.modelkit.config.v1+json', 'application/vnd.kitops.modelkit.model.v1.tar+gzip'),
  ('models/docker', 'application/vnd.docker.ai.model.config.v0.1+json', 'application/vnd.docker.ai.gguf.v3'),
  ('models/ollama', 'application/vnd.docker.container.image.v1+json', 'application/vnd.ollama.image.model'),
  ('modelcar-granite', 'application/vnd.oci.image.config.v1+json', 'application/vnd.oci.image.layer.v1.tar+gzip'),
  ('postgresql', 'application/vnd.oci.image.config.v1+json', 'application/vnd.oci.image.layer.v1.tar+gzip')) v (repository, config_type, layer_type);
SELECT pg_temp.put('hub', 'postgresql', '17.4', :'image', :'tar');
SELECT pg_temp.put('nvcr', 'nim/meta/llama', '1.0', :'image', :'tar', '{"com.nvidia.nim.model_download_protocol": "native-v1",
  "com.nvidia.nim.profiles": "tensorrt_llm-h100-fp8-tp2-pp1-latency,tensorrt_llm-l40s-fp8-tp2-pp2-throughput,vllm-bf16-tp1-pp1-lora"}');
SELECT pg_temp.put('nvcr', 'nim/meta/' || repeat('long-', 20) || 'name', '1.0', :'image', :'tar');
SELECT count(approve(reference)) FROM images WHERE registry IN ('nvcr', 'hub');
\set nim nvcr.example/nim/meta/llama:1.0
\set long 'nvcr.example/nim/meta/long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-name:1.0'
\set pack hub.example/models/pack:1
\set ECHO all

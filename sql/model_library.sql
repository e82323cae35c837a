-- What model serving reads, in the packagings of the field.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('ngc', 'https://nvcr.io');
SELECT add_registry('models', 'https://models.example.com');
SELECT add_rule('ngc', 'nim/**'), add_rule('models', '**');

SELECT test.sync('ngc', 'nim/nvidia/llama-3.3-nemotron-super-49b-v1', '{"1.8.5": {"image": "n1", "size_bytes": 21474836480, "labels": {
  "com.nvidia.nim.model_download_protocol": "native-v1", "com.nvidia.nim.model": "nvidia/llama-3.3-nemotron-super-49b-v1", "com.nvidia.nim.version": "1.8.5",
  "com.nvidia.nim.task": "text-generation", "com.nvidia.nim.gpu_count": "4", "org.opencontainers.image.title": "Llama 3.3 Nemotron Super 49B",
  "com.nvidia.nim.profiles": "tensorrt_llm-h100-fp8-tp2-pp1-latency,vllm-bf16-tp4-pp1-lora,tensorrt_llm-trtllm_buildable-bf16-tp1-pp1"}}}');
SELECT test.sync('ngc', 'nim/nvidia/nvclip', '{"latest": {"image": "n2", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1"}}}');
SELECT test.sync('models', 'cncf/qwen2.5', '{"7b": {"image": "m1", "artifact_type": "application/vnd.cncf.model.manifest.v1+json",
  "config_type": "application/vnd.cncf.model.config.v1+json", "layer_types": ["application/vnd.cncf.model.weight.v1.tar"], "platforms": [],
  "annotations": {"org.opencontainers.image.title": "Qwen2.5 7B Instruct"}}}');
SELECT test.sync('models', 'kitops/phi-4-mini', '{"2.1.0": {"image": "m2", "config_type": "application/vnd.kitops.modelkit.config.v1+json",
  "layer_types": ["application/vnd.kitops.modelkit.model.v1.tar"], "platforms": [], "annotations": {"org.opencontainers.image.description": "Phi-4 mini, tuned"}}}');
SELECT test.sync('models', 'ai/smollm2', '{"360m": {"image": "m3", "config_type": "application/vnd.docker.ai.model.config.v0.1+json",
  "layer_types": ["application/vnd.docker.ai.gguf.v3", "application/vnd.docker.ai.license"], "platforms": []}}');
SELECT test.sync('models', 'library/llama3.2', '{"1b": {"image": "m4", "media_type": "application/vnd.docker.distribution.manifest.v2+json",
  "config_type": "application/vnd.docker.container.image.v1+json", "layer_types": ["application/vnd.ollama.image.model", "application/vnd.ollama.image.template"], "platforms": []}}');
-- Not models: a chart, a signature, an SBOM, an ordinary image.
SELECT test.sync('models', 'charts/operator', '{"1.0.0": {"image": "o1", "config_type": "application/vnd.cncf.helm.config.v1+json", "layer_types": ["application/vnd.cncf.helm.chart.content.v1.tar+gzip"], "platforms": []}}');
SELECT test.sync('models', 'sigs', '{"s": {"image": "o2", "artifact_type": "application/vnd.dev.cosign.artifact.sig.v1+json", "config_type": "application/vnd.oci.empty.v1+json",
  "layer_types": ["application/vnd.dev.cosign.simplesigning.v1+json"], "platforms": []}}');
SELECT test.sync('models', 'app', '{"1": {"image": "o3"}}');

SELECT repository, tag, kind FROM images ORDER BY registry, repository;
SELECT count(*) FROM model_library;
SELECT count(approve(reference, 'evaluated')) FROM images;
SELECT registry, repository, tag, publisher, model, model_version, format, task, gpu_count, size_bytes, title, description, version
FROM model_library ORDER BY registry, repository;
SELECT i.repository, p.name, engine, gpu, "precision", tp, pp, p.gpu_count, qos, lora, buildable FROM model_profiles p JOIN images i USING (digest) ORDER BY p.name;
SELECT count(*) FROM postgres_images;

-- A model is not a Postgres image, nor the other way round; a rejected one is in neither.
SELECT count(revoke('nvcr.io/nim/nvidia/nvclip:latest', 'licence'));
SELECT count(*) FROM model_library WHERE repository = 'nim/nvidia/nvclip';
SELECT test.outcome('SELECT resolve(''nvcr.io/nim/nvidia/nvclip:latest'')');
SELECT reference, kind FROM search_images('nemotron', 'model');

-- A tag that moves takes its profiles along; the old image keeps its own.
SELECT test.sync('ngc', 'nim/nvidia/llama-3.3-nemotron-super-49b-v1', '{"1.8.5": {"image": "n3", "labels": {
  "com.nvidia.nim.model_download_protocol": "native-v1", "com.nvidia.nim.profiles": "vllm-bf16-tp8-pp1"}}}');
SELECT count(*) FROM model_library WHERE repository LIKE '%nemotron%';
SELECT p.name, p.gpu_count, p.digest = test.digest('n3') AS new FROM model_profiles p ORDER BY 1;
SELECT count(approve('nvcr.io/nim/nvidia/llama-3.3-nemotron-super-49b-v1:1.8.5'));
SELECT tag, gpu_count FROM model_library WHERE repository LIKE '%nemotron%';
ROLLBACK;

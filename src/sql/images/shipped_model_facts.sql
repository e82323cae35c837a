-- What vendors publish of their models. A row is here only if its source says so; what no source says is null.
-- Sources were read on 2026-11-26.

-- Model, versions, task, GPUs, source.
INSERT INTO image_library_internal.shipped_model_fact
  (model, from_version, before_version, task, gpu_count, profiles, source, read_on)
SELECT f.model, f.from_version, f.before_version, f.task, f.gpu_count, '[]', f.source, '2026-11-26'
FROM (VALUES
  ('nvidia/llama-3-3-nemotron-super-49b-v1', '', NULL, 'text-generation', 4,
   'https://www.enterprisedb.com/docs/edb-postgres-ai/1.3/hybrid-manager/ai-factory/deploy-with-hm-ui/'),
  ('nvidia/llama-3-2-nemoretriever-300m-embed-v1', '', NULL, 'text-embedding', 1,
   'https://www.enterprisedb.com/docs/edb-postgres-ai/1.3/hybrid-manager/ai-factory/deploy-with-hm-ui/'),
  ('nvidia/nvclip', '', NULL, 'image-embedding', 1,
   'https://www.enterprisedb.com/docs/edb-postgres-ai/1.3/hybrid-manager/ai-factory/deploy-with-hm-ui/'),
  ('baidu/paddleocr', '', NULL, 'ocr', 1,
   'https://www.enterprisedb.com/docs/edb-postgres-ai/1.3/hybrid-manager/ai-factory/deploy-with-hm-ui/'),
  ('nvidia/llama-3-2-nv-rerankqa-1b-v2', '', NULL, 'text-reranking', 1,
   'https://www.enterprisedb.com/docs/edb-postgres-ai/1.3/hybrid-manager/ai-factory/deploy-with-hm-ui/'),
  ('nvidia/llama-3-2-nv-embedqa-1b-v2', '', NULL, 'text-embedding', NULL,
   'https://docs.nvidia.com/nim/nemo-retriever/text-embedding/1.3.1/support-matrix.html'),
  ('nvidia/nemoretriever-ocr-v1', '', NULL, 'ocr', NULL,
   'https://docs.nvidia.com/nim/ingestion/image-ocr/1.0.0/support-matrix.html'),
  -- NVIDIA recommends a profile for each of these GPUs.
  ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '', NULL, 'text-generation', NULL,
   'https://docs.nvidia.com/rag/latest/model-profiles.html'),
  ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1', '1.14.1', 'text-generation', NULL,
   'https://docs.nvidia.com/rag/latest/model-profiles.html'),
  ('openai/gpt-oss-120b', '2.0.1', '2.0.2', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.1/reference/support-matrix.html'),
  ('openai/gpt-oss-20b', '2.0.1', '2.0.2', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.1/reference/support-matrix.html'),
  ('openai/gpt-oss-120b', '2.0.0', '2.0.1', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.0/reference/support-matrix.html'),
  ('openai/gpt-oss-20b', '2.0.0', '2.0.1', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.0/reference/support-matrix.html'),
  ('meta/llama-3-1-70b-instruct', '2.0.0', '2.0.1', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.0/reference/support-matrix.html'),
  ('meta/llama-3-1-8b-instruct', '2.0.0', '2.0.1', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.0/reference/support-matrix.html'),
  ('meta/llama-3-3-70b-instruct', '2.0.0', '2.0.1', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.0/reference/support-matrix.html')
) AS f (model, from_version, before_version, task, gpu_count, source);

-- Their profiles; without a source of its own a profile has that of the row above. NIM's names are given where they are
-- published. A configuration that names a number of GPUs and no parallelism has neither tp nor pp, but if it is of one GPU.
WITH published (model, from_version, name, engine, gpu, "precision", tp, gpu_count, qos, lora, gpu_memory_gb, disk_gb, source) AS (
  VALUES
    ('nvidia/llama-3-3-nemotron-super-49b-v1', '', NULL, NULL, 'l40s', NULL, NULL::integer, 4, NULL, false, NULL::numeric, NULL::numeric, NULL),
    ('nvidia/llama-3-2-nemoretriever-300m-embed-v1', '', NULL, NULL, 'l40s', NULL, 1, 1, NULL, false, NULL, NULL, NULL),
    ('nvidia/llama-3-2-nv-rerankqa-1b-v2', '', NULL, NULL, 'l40s', NULL, 1, 1, NULL, false, NULL, NULL, NULL),
    ('nvidia/llama-3-2-nv-rerankqa-1b-v2', '', NULL, NULL, NULL, 'fp16', 1, 1, NULL, false, 3.6, 9.5,
     'https://docs.nvidia.com/nim/nemo-retriever/text-reranking/1.4.0/support-matrix.html'),
    ('nvidia/llama-3-2-nv-embedqa-1b-v2', '', NULL, NULL, NULL, 'fp16', 1, 1, NULL, false, 3.6, 20.2, NULL),
    ('baidu/paddleocr', '', NULL, NULL, 'l40s', NULL, 1, 1, NULL, false, NULL, NULL, NULL),
    ('baidu/paddleocr', '', NULL, NULL, NULL, 'fp16', 1, 1, NULL, false, 1, 9,
     'https://docs.nvidia.com/nim/ingestion/table-extraction/1.1.0/support-matrix.html'),
    ('baidu/paddleocr', '', NULL, NULL, NULL, 'fp32', 1, 1, NULL, false, 1, 9,
     'https://docs.nvidia.com/nim/ingestion/table-extraction/1.1.0/support-matrix.html'),
    ('nvidia/nemoretriever-ocr-v1', '', NULL, NULL, NULL, 'fp32', 1, 1, NULL, false, 1, 9, NULL),
    ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1',
     'tensorrt_llm-h100_nvl-fp8-tp1-pp1-throughput-2321:10de-d347471b749e4e6b6e5956bb0f600b6646461c214cadadf6614baf305054a743-1',
     'tensorrt_llm', 'h100_nvl', 'fp8', 1, 1, 'throughput', false, NULL, NULL, NULL),
    ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1',
     'tensorrt_llm-h100-fp8-tp1-pp1-throughput-2330:10de-a5381c1be0b8ee66ad41e7dc7b4e6d2cffaa7a4e37ca05f57898817560b0bd2b-1',
     'tensorrt_llm', 'h100', 'fp8', 1, 1, 'throughput', false, NULL, NULL, NULL),
    -- Published for two A100 SXM.
    ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1',
     'vllm-bf16-tp2-pp1-32c3b968468aefcfb3ea1db5a16e3dc9d64395f02ef68a06175e8bbdb0038601',
     'vllm', 'a100', 'bf16', 2, 2, NULL, false, NULL, NULL, NULL),
    ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1',
     'tensorrt_llm-rtx6000_blackwell_sv-fp8-tp1-pp1-throughput-2bb5:10de-d21d6986d29d8abf555f35c9a4c8146c4b10595d9e57e6efabd4a026efcc0c4a-1',
     'tensorrt_llm', 'rtx6000_blackwell_sv', 'fp8', 1, 1, 'throughput', false, NULL, NULL,
     'https://github.com/NVIDIA-AI-Blueprints/rag/blob/05c804de7287a3d187ad27d737f67a8863c1add7/docs/model-profiles.md'),
    ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1',
     'tensorrt_llm-b200-fp8-tp2-pp1-throughput-2901:10de-d2ff2bbf26fdabe28afaf754ca8e5615ed337e19d873da15627c209849f51072-2',
     'tensorrt_llm', 'b200', 'fp8', 2, 2, 'throughput', false, NULL, NULL,
     'https://github.com/NVIDIA-AI-Blueprints/rag/blob/05c804de7287a3d187ad27d737f67a8863c1add7/docs/model-profiles.md')
  UNION ALL
    SELECT 'nvidia/nvclip', '', NULL, NULL, gpu, 'fp16', 1, 1, NULL, false, NULL, disk_gb,
           'https://docs.nvidia.com/nim/nvclip/latest/support-matrix.html'
    FROM (VALUES ('h100', 19.3), ('a100', 19.3), ('l40s', 19.3), ('l4', 19.3), ('a10g', 19.3), ('rtx_4090', 19.3), ('gh200', 11.5)) AS g (gpu, disk_gb)
  UNION ALL
    SELECT model, '2.0.1', format('vllm-mxfp4-tp%s-pp1', tp) || CASE WHEN lora THEN '-lora' ELSE '' END,
           'vllm', NULL, 'mxfp4', tp, tp, NULL, lora, NULL, NULL, NULL
    FROM unnest('{openai/gpt-oss-120b,openai/gpt-oss-20b}'::text[]) model,
         unnest('{1,2,4,8}'::integer[]) tp, unnest('{false,true}'::boolean[]) lora
  UNION ALL
    SELECT model, '2.0.0', format('vllm-mxfp4-tp%s-pp1', tp), 'vllm', NULL, 'mxfp4', tp, tp, NULL, false, NULL, NULL, NULL
    FROM unnest('{openai/gpt-oss-120b,openai/gpt-oss-20b}'::text[]) model, unnest('{1,2,4,8}'::integer[]) tp
  UNION ALL
    SELECT 'meta/llama-3-1-8b-instruct', '2.0.0', format('vllm-%s-tp1-pp1', bits) || CASE WHEN lora THEN '-lora' ELSE '' END,
           'vllm', NULL, bits, 1, 1, NULL, lora, NULL, NULL, NULL
    FROM unnest('{bf16,fp8}'::text[]) bits, unnest('{false,true}'::boolean[]) lora
  UNION ALL
    SELECT model, '2.0.0', format('vllm-bf16-tp%s-pp1', tp) || CASE WHEN lora THEN '-lora' ELSE '' END,
           'vllm', NULL, 'bf16', tp, tp, NULL, lora, NULL, NULL, NULL
    FROM unnest('{meta/llama-3-1-70b-instruct,meta/llama-3-3-70b-instruct}'::text[]) model,
         unnest('{2,4,8}'::integer[]) tp, unnest('{false,true}'::boolean[]) lora
)
UPDATE image_library_internal.shipped_model_fact f
SET profiles = p.profiles
FROM (
  SELECT model, from_version, jsonb_agg(checked || jsonb_strip_nulls(jsonb_build_object('source', source)) ORDER BY checked ->> 'name' COLLATE "C") AS profiles
  FROM published
  CROSS JOIN LATERAL (
    SELECT image_library_internal.checked_profiles(jsonb_build_array(jsonb_build_object(
      'name', name, 'engine', engine, 'gpu', gpu, 'precision', "precision", 'tp', tp, 'gpu_count', gpu_count, 'qos', qos,
      'lora', lora, 'gpu_memory_gb', gpu_memory_gb, 'disk_gb', disk_gb))) -> 0) AS c (checked)
  GROUP BY 1, 2) p
WHERE f.model = p.model AND f.from_version = p.from_version;

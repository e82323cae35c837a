-- Which GPUs a model fits.

-- A GPU is named as in profiles (h100) or as in node labels (NVIDIA-H100-80GB-HBM3).
CREATE FUNCTION image_library_internal.is_gpu(node_gpu text, profile_gpu text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(profile_gpu, '') = ''
    OR position(regexp_replace('-' || lower(profile_gpu COLLATE "C") || '-', '[^a-z0-9]+', '-', 'g')
                IN regexp_replace('-' || lower(node_gpu COLLATE "C") || '-', '[^a-z0-9]+', '-', 'g')) > 0
$$;
COMMENT ON FUNCTION image_library_internal.is_gpu IS
  'Whether the GPU of a node is that of a profile; a profile without a GPU is made for any';

-- Source: docs.nvidia.com/nim/large-language-models/latest/supported-models.html (GPUs) and, for L4 and the smaller A100,
-- docs.nvidia.com/nim/nemo-retriever/text-embedding/1.3.1/support-matrix.html, read on 2026-11-26.
CREATE FUNCTION image_library_internal.gpu_memory_gb(gpu text) RETURNS numeric
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(
    -- A slice of a GPU is labelled NVIDIA-H100-80GB-HBM3-MIG-1g.10gb; the size in GH200-480GB is that of the CPU's memory.
    (SELECT min(size[1]::numeric) FROM regexp_matches(gpu, '(?:^|[^0-9])([1-9][0-9]{0,3})GB(?![a-z])', 'gi') size
     WHERE NOT image_library_internal.is_gpu(gpu, 'gh200')),
    (SELECT min(known.memory)
     FROM (VALUES ('h200', 141), ('h100', 80), ('h20', 96), ('gh200', 96), ('a100', 40), ('l40s', 48), ('a10g', 24), ('l4', 24),
                  ('rtx-6000-ada', 48), ('rtx-pro-6000', 96), ('rtx-5090', 32), ('rtx-5080', 16), ('rtx-4090', 24), ('rtx-4080', 16)
          ) AS known (name, memory)
     WHERE image_library_internal.is_gpu(gpu, known.name)))
$$;
COMMENT ON FUNCTION image_library_internal.gpu_memory_gb IS
  'Memory of a GPU in GB, as its node label says, else the least that NVIDIA sells under the name; null: unknown';

-- Three values: null is unknown.
CREATE FUNCTION image_library_internal.suits(gpu text, profile_gpu text, needed_gb numeric) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN profile_gpu <> '' THEN image_library_internal.is_gpu(gpu, profile_gpu)
              ELSE image_library_internal.gpu_memory_gb(gpu) >= needed_gb END
$$;
COMMENT ON FUNCTION image_library_internal.suits IS
  'Whether a profile runs on GPUs of a type: it is made for the type, or for any with enough memory; null: it is not known how much memory is needed or there';

CREATE FUNCTION image_library.fitting_profiles(reference text, gpu text, gpu_count integer, registry text DEFAULT NULL)
RETURNS SETOF image_library.model_profiles
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- The image need not be approved.
  image record := image_library_internal.find_image(reference, registry);
BEGIN
  IF gpu IS NULL OR gpu_count IS NULL THEN
    RETURN;
  END IF;
  PERFORM image_library_internal.check_range('gpu_count', gpu_count, 0, 4096);
  RETURN QUERY
    SELECT p.* FROM image_library.model_profiles p
    WHERE p.registry = image.registry AND p.repository = image.repository AND p.digest = image.digest
      AND p.gpu_count <= fitting_profiles.gpu_count
      AND image_library_internal.suits(fitting_profiles.gpu, p.gpu, p.gpu_memory_gb) IS NOT FALSE
    ORDER BY p.gpu_count, p.name COLLATE "C";
END
$$;
COMMENT ON FUNCTION image_library.fitting_profiles IS
  'Profiles of a model for a number of GPUs of a type (h100, or the node label nvidia.com/gpu.product), fewest GPUs first; a profile for any GPU of which it is not known how much memory it needs is among them';
GRANT EXECUTE ON FUNCTION image_library.fitting_profiles TO image_library_reader;

CREATE FUNCTION image_library.fits(reference text, gpu text, gpu_count integer, registry text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, registry);
  model record;
  profiles record;
BEGIN
  IF gpu IS NULL OR gpu_count IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM image_library_internal.check_range('gpu_count', gpu_count, 0, 4096);
  SELECT e.gpu_count, e.facts_from INTO model
  FROM image_library_internal.entry_of(image.repository_id, image.tag, image.digest) e
  WHERE e.kind = 'model';
  SELECT count(*) > 0 AS are_known,
         coalesce(bool_or(v.suits AND v.enough), false) AS fit,
         -- The profile that would fit, if its memory were known.
         min(v.name) FILTER (WHERE v.suits IS NULL AND v.enough) AS perhaps,
         coalesce(bool_or(v.suits), false) AS name_the_gpu
  INTO profiles
  FROM (SELECT p.name, p.gpu_count <= fits.gpu_count AS enough, image_library_internal.suits(fits.gpu, p.gpu, p.gpu_memory_gb) AS suits
        FROM image_library.model_profiles p
        WHERE p.registry = image.registry AND p.repository = image.repository AND p.digest = image.digest) v;
  -- A curator who set the number alone means it before profiles that others list.
  IF gpu_count < model.gpu_count AND model.facts_from ->> 'gpu_count' = 'curator'
     AND model.facts_from ->> 'profiles' IS DISTINCT FROM 'curator' THEN
    RETURN false;
  END IF;
  IF profiles.fit OR model.gpu_count = 0 THEN
    RETURN true;
  END IF;
  -- The image or a curator lists all profiles; what vendors publish names some GPUs.
  IF gpu_count = 0 AND (profiles.are_known OR model.gpu_count IS NOT NULL)
     OR profiles.are_known AND profiles.perhaps IS NULL
        AND (profiles.name_the_gpu OR coalesce(model.facts_from ->> 'profiles', 'image') <> 'shipped')
     OR NOT profiles.are_known AND gpu_count < model.gpu_count THEN
    RETURN false;
  END IF;
  RAISE NOTICE USING
    MESSAGE = format('it is not known whether "%s" fits %s x %s', reference, gpu_count, gpu),
    DETAIL = CASE
      WHEN profiles.perhaps IS NOT NULL THEN format('Profile %s is made for any GPU with enough memory, and how much is needed or there is not known.', profiles.perhaps)
      WHEN profiles.are_known THEN 'What the vendor publishes does not name this GPU.'
      WHEN model.gpu_count IS NOT NULL THEN format('How many GPUs it needs is known (%s), and which ones is not.', model.gpu_count)
      ELSE 'No profile and no number of GPUs is known.' END,
    HINT = 'A curator tells with image_library.set_model_facts what the model needs.';
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library.fits IS
  'Whether a model has a profile that needs at most a number of GPUs of a type; null, with a NOTICE that says why, if it is not known: that is neither true nor false';
GRANT EXECUTE ON FUNCTION image_library.fits TO image_library_reader;

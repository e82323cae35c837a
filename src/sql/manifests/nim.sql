-- NVIDIA NIM Operator: services and caches. Which GPUs a model fits.
-- Source: apps.nvidia.com/v1alpha1 NIMService and NIMCache (NVIDIA NIM Operator documentation).

CREATE FUNCTION image_library_internal.nim(reference text, wanted text) RETURNS image_library.model_library
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.approved_model(reference);
BEGIN
  PERFORM image_library_internal.require_nim(model, wanted, 'Serve it with image_library.kserve_inference_service, or choose a model with format nim of image_library.model_library.');
  RETURN model;
END
$$;
COMMENT ON FUNCTION image_library_internal.nim IS 'An approved NIM; raises 22023 if it is not one';

CREATE FUNCTION image_library_internal.nim_name(model image_library.model_library) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.kubernetes_name(image_library_internal.model_name(model) || '-' || image_library_internal.model_release(model), 50)
$$;
COMMENT ON FUNCTION image_library_internal.nim_name IS
  'Name of a NIMService and its NIMCache, short enough for the suffixes that the operator adds';

CREATE FUNCTION image_library.nim_cache(reference text, name text DEFAULT NULL, namespace text DEFAULT NULL,
  ngc_secret text DEFAULT 'nvidia-nim-secrets', image_pull_secret text DEFAULT NULL,
  storage_class text DEFAULT NULL, storage_size text DEFAULT '50Gi', access_mode text DEFAULT 'ReadWriteMany',
  profiles text[] DEFAULT '{}', gpu text DEFAULT NULL, gpu_count integer DEFAULT NULL,
  engine text DEFAULT NULL, "precision" text DEFAULT NULL, qos text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.nim(reference, 'a NIMCache');
  selection jsonb := jsonb_strip_nulls(jsonb_build_object(
    'gpus', CASE WHEN gpu IS NOT NULL THEN jsonb_build_array(jsonb_build_object('product', gpu)) END,
    'tensorParallelism', image_library_internal.check_range('gpu_count', gpu_count, 1, 4096)::text,
    'engine', engine, 'precision', "precision", 'qosProfile', qos));
BEGIN
  IF cardinality(profiles) > 0 THEN
    IF selection <> '{}' THEN
      RAISE EXCEPTION USING
        ERRCODE = 'invalid_parameter_value',
        MESSAGE = 'profiles and what selects a profile exclude each other',
        HINT = 'Name profiles, or say gpu, gpu_count, engine, precision and qos.';
    END IF;
    IF 'all' = ANY (profiles) AND cardinality(profiles) > 1 THEN
      RAISE EXCEPTION USING
        ERRCODE = 'invalid_parameter_value',
        MESSAGE = 'profiles names others beside "all"',
        HINT = 'Name "all" alone, or the profiles.';
    END IF;
    selection := jsonb_build_object('profiles', image_library_internal.kubernetes_args(profiles));
  END IF;
  IF qos NOT IN ('latency', 'throughput') THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('unknown qos "%s"', left(qos, 300)),
      HINT = 'It is latency or throughput.';
  END IF;
  IF coalesce(access_mode, '') NOT IN ('ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod') THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('unknown access_mode "%s"', left(coalesce(access_mode, 'null'), 300)),
      HINT = 'It is ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod.';
  END IF;
  RETURN jsonb_build_object(
    'apiVersion', 'apps.nvidia.com/v1alpha1',
    'kind', 'NIMCache',
    'metadata', image_library_internal.kubernetes_metadata(coalesce(name, image_library_internal.nim_name(model)), namespace, 'service'),
    'spec', jsonb_build_object(
      'source', jsonb_build_object('ngc', jsonb_strip_nulls(jsonb_build_object(
        'modelPuller', model.pinned_reference,
        'authSecret', image_library_internal.check_kubernetes_name('NGC secret', ngc_secret, 'subdomain'),
        'pullSecret', CASE WHEN image_pull_secret IS NOT NULL
          THEN image_library_internal.check_kubernetes_name('image pull secret', image_pull_secret, 'subdomain') END,
        'model', nullif(selection, '{}')))),
      'storage', jsonb_build_object('pvc', jsonb_strip_nulls(jsonb_build_object(
        'create', true,
        'size', image_library_internal.kubernetes_quantity('storage_size', storage_size),
        'storageClass', CASE WHEN storage_class IS NOT NULL
          THEN image_library_internal.check_kubernetes_name('storage class', storage_class, 'subdomain') END,
        'volumeAccessMode', access_mode)))));
END
$$;
COMMENT ON FUNCTION image_library.nim_cache IS
  'NIMCache for an approved NIM, its model puller pinned by digest. It caches the given profiles (names or IDs), or those that gpu, gpu_count, engine, precision and qos select, else those that the operator chooses for the nodes';
GRANT EXECUTE ON FUNCTION image_library.nim_cache TO image_library_reader;

CREATE FUNCTION image_library.nim_service(reference text, name text DEFAULT NULL, namespace text DEFAULT NULL,
  gpu_count integer DEFAULT NULL, image_pull_secrets text[] DEFAULT '{}',
  ngc_secret text DEFAULT 'nvidia-nim-secrets', cpu text DEFAULT '12', memory text DEFAULT '64Gi',
  shm_size text DEFAULT '16Gi', nim_cache text DEFAULT NULL, profile text DEFAULT NULL,
  args text[] DEFAULT '{}', env jsonb DEFAULT '{}', replicas integer DEFAULT 1, port integer DEFAULT 8000,
  inference_platform text DEFAULT 'standalone', node_selector jsonb DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.nim(reference, 'a NIMService');
  cache_name text := coalesce(nim_cache, image_library_internal.nim_name(model));
  gpus integer := coalesce(gpu_count, model.gpu_count, 1);
BEGIN
  IF coalesce(inference_platform, '') NOT IN ('standalone', 'kserve') THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('unknown inference_platform "%s"', left(coalesce(inference_platform, 'null'), 300)),
      HINT = 'It is standalone or kserve.';
  END IF;
  RETURN jsonb_build_object(
    'apiVersion', 'apps.nvidia.com/v1alpha1',
    'kind', 'NIMService',
    'metadata', image_library_internal.kubernetes_metadata(coalesce(name, image_library_internal.nim_name(model)), namespace, 'service'),
    'spec', jsonb_strip_nulls(jsonb_build_object(
      -- The kind has no field for a digest. The operator writes repository:tag, so the digest is part of the tag:
      -- container runtimes pull repository:tag@digest by digest.
      'image', jsonb_strip_nulls(jsonb_build_object(
        'repository', image_library_internal.untagged(model.pinned_reference),
        'tag', model.tag || '@' || model.digest,
        'pullPolicy', 'IfNotPresent',
        'pullSecrets', (SELECT jsonb_agg(s -> 'name')
                        FROM jsonb_array_elements(image_library_internal.kubernetes_pull_secrets(image_pull_secrets)) s))),
      'authSecret', CASE WHEN ngc_secret IS NOT NULL
        THEN image_library_internal.check_kubernetes_name('NGC secret', ngc_secret, 'subdomain') END,
      'args', image_library_internal.kubernetes_args(args),
      'env', image_library_internal.kubernetes_env(coalesce(env, '{}')),
      'expose', jsonb_build_object('service', jsonb_build_object(
        'type', 'ClusterIP', 'port', image_library_internal.check_range('port', port, 1, 65535))),
      'inferencePlatform', inference_platform,
      'replicas', image_library_internal.check_range('replicas', replicas, 1, 1000),
      'resources', nullif(image_library_internal.kubernetes_resources(cpu, memory, gpus), '{}'),
      'storage', jsonb_build_object(
        'nimCache', jsonb_build_object('name', image_library_internal.check_kubernetes_name('nim_cache', cache_name, 'subdomain'),
                                       'profile', profile),
        'sharedMemorySizeLimit', image_library_internal.kubernetes_quantity('shm_size', shm_size))))
      || image_library_internal.gpu_placement(gpus, node_selector));
END
$$;
COMMENT ON FUNCTION image_library.nim_service IS
  'NIMService for an approved NIM, pinned by digest (in the tag, since the kind has no field for it). nim_cache: default is the cache that nim_cache() generates for the same reference. gpu_count: default is that of the image, else 1. ngc_secret: null if the cache has everything that the model needs (the field is optional in newer operators)';
GRANT EXECUTE ON FUNCTION image_library.nim_service TO image_library_reader;

-- A GPU is named as in profiles (h100) or as in node labels (NVIDIA-H100-80GB-HBM3).
CREATE FUNCTION image_library_internal.is_gpu(node_gpu text, profile_gpu text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(profile_gpu, '') = ''
    OR position(regexp_replace('-' || lower(profile_gpu COLLATE "C") || '-', '[^a-z0-9]+', '-', 'g')
                IN regexp_replace('-' || lower(node_gpu COLLATE "C") || '-', '[^a-z0-9]+', '-', 'g')) > 0
$$;
COMMENT ON FUNCTION image_library_internal.is_gpu IS
  'Whether the GPU of a node is that of a profile; a profile without a GPU runs on any';

CREATE FUNCTION image_library.fitting_profiles(reference text, gpu text, gpu_count integer)
RETURNS SETOF image_library.model_profiles
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- The image need not be approved.
  image_digest text := (image_library_internal.find_image(reference)).digest;
BEGIN
  PERFORM image_library_internal.check_range('gpu_count', gpu_count, 0, 4096);
  RETURN QUERY
    SELECT p.* FROM image_library.model_profiles p
    WHERE p.digest = image_digest
      AND p.tp::bigint * p.pp <= fitting_profiles.gpu_count
      AND image_library_internal.is_gpu(fitting_profiles.gpu, p.gpu)
    ORDER BY p.tp::bigint * p.pp, p.name COLLATE "C";
END
$$;
COMMENT ON FUNCTION image_library.fitting_profiles IS
  'Profiles of a model that run on a number of GPUs of a type (h100, or the node label nvidia.com/gpu.product), fewest GPUs first';
GRANT EXECUTE ON FUNCTION image_library.fitting_profiles TO image_library_reader;

CREATE FUNCTION image_library.fits(reference text, gpu text, gpu_count integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM image_library.fitting_profiles(reference, gpu, gpu_count)) $$;
COMMENT ON FUNCTION image_library.fits IS
  'Whether a model has a profile that needs at most a number of GPUs of a type (tp times pp); false if its metadata has no profiles';
GRANT EXECUTE ON FUNCTION image_library.fits TO image_library_reader;

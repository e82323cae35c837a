-- NVIDIA NIM Operator: services and caches.
-- Source: apps.nvidia.com/v1alpha1 NIMService and NIMCache (NVIDIA NIM Operator documentation, and what its webhooks and
-- controllers of 3.1 check, derive and match).

CREATE FUNCTION image_library_internal.nim(reference text, wanted text, in_registry text) RETURNS image_library.model_library
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.approved_model(reference, in_registry);
BEGIN
  PERFORM image_library_internal.require_nim(model, wanted, 'Serve it with image_library.kserve_inference_service, or choose a model with format nim of image_library.model_library.');
  RETURN model;
END
$$;
COMMENT ON FUNCTION image_library_internal.nim IS 'An approved NIM; raises 22023 if it is not one';

-- Of the name the operator makes the names of a container, -ctr, and of a Job, -job, whose pods have it as a label.
CREATE FUNCTION image_library_internal.nim_name(model image_library.model_library, room integer DEFAULT 59) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.kubernetes_name(image_library_internal.model_name(model) || '-' || image_library_internal.model_release(model), room)
$$;
COMMENT ON FUNCTION image_library_internal.nim_name IS
  'Name of a NIMService, short enough for the suffixes that the operator adds';

-- The spec of a NIMCache is immutable, and its model puller is the image: another digest is another cache.
CREATE FUNCTION image_library_internal.nim_cache_name(model image_library.model_library) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.nim_name(model, 50) || '-' || left(split_part(model.digest, ':', 2), 8)
$$;
COMMENT ON FUNCTION image_library_internal.nim_cache_name IS
  'Name of the NIMCache of an image, with the beginning of its digest';

-- The operator takes a profile whose gpu tag contains the given text, case aside. A node label is longer than the tag.
CREATE FUNCTION image_library_internal.gpu_product(model image_library.model_library, gpu text) RETURNS text
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  given text := lower(trim(gpu) COLLATE "C");
  tags text[] := ARRAY(SELECT DISTINCT lower(p.gpu COLLATE "C") FROM image_library.model_profiles p
                       WHERE p.registry = model.registry AND p.repository = model.repository AND p.digest = model.digest AND p.gpu <> '');
  product text;
BEGIN
  IF EXISTS (SELECT FROM unnest(tags) t WHERE strpos(t, given) > 0) AND given <> '' THEN
    RETURN given;
  END IF;
  SELECT t INTO product FROM unnest(tags) t WHERE image_library_internal.is_gpu(given, t)
  ORDER BY length(t) DESC, t COLLATE "C" LIMIT 1;
  -- Without profiles the type is the first part with letters and digits: h100 of NVIDIA-H100-80GB-HBM3.
  product := coalesce(product, (regexp_match(given, '(?:^|[^a-z0-9])([a-z]{1,3}[0-9]{1,4}[a-z]{0,2})(?:[^a-z0-9]|$)'))[1],
                      CASE WHEN given ~ '^[a-z0-9_]*[0-9][a-z0-9_]*$' THEN given END);
  IF product IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('cannot tell the type of GPU "%s"', left(gpu, 300)),
      detail => 'The NIM Operator takes the profiles whose tag gpu contains the given text.',
      hint => coalesce('This model has profiles for ' || nullif(array_to_string(tags, ', '), '') || '.', 'Name it as profiles do: h100, a100, l40s ...'));
  END IF;
  IF tags <> '{}' AND NOT EXISTS (SELECT FROM unnest(tags) t WHERE strpos(t, product) > 0) THEN
    RAISE NOTICE USING
      MESSAGE = format('no known profile of "%s" is for GPU "%s"', model.reference, product),
      DETAIL = format('The known profiles are for %s. Without one the operator caches nothing.', array_to_string(tags, ', ')),
      HINT = 'Leave gpu out to cache profiles that run on any GPU.';
  END IF;
  RETURN product;
END
$$;
COMMENT ON FUNCTION image_library_internal.gpu_product IS
  'GPU type in the words of profiles, for a type or a node label nvidia.com/gpu.product; raises 22023 if none can be told';

-- gpu_count counts the GPUs of a profile, tp times pp; the operator selects by tp alone.
CREATE FUNCTION image_library_internal.tensor_parallelism(model image_library.model_library, product text, gpu_count integer) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(CASE WHEN min(p.tp) = max(p.tp) THEN min(p.tp) END, image_library_internal.check_range('gpu_count', tensor_parallelism.gpu_count, 1, 4096))
  FROM image_library.model_profiles p
  WHERE p.registry = model.registry AND p.repository = model.repository AND p.digest = model.digest AND p.gpu_count = tensor_parallelism.gpu_count
    AND (product IS NULL OR strpos(lower(p.gpu COLLATE "C"), product) > 0)
$$;
COMMENT ON FUNCTION image_library_internal.tensor_parallelism IS
  'Tensor parallelism of the profiles that need a number of GPUs, that number if no profile tells; raises 22023 if it is out of range';

CREATE FUNCTION image_library.nim_cache(reference text, name text DEFAULT NULL, namespace text DEFAULT NULL,
  ngc_secret text DEFAULT 'nvidia-nim-secrets', image_pull_secret text DEFAULT NULL,
  storage_class text DEFAULT NULL, storage_size text DEFAULT '50Gi', access_mode text DEFAULT 'ReadWriteMany',
  profiles text[] DEFAULT '{}', gpu text DEFAULT NULL, gpu_count integer DEFAULT NULL,
  engine text DEFAULT NULL, "precision" text DEFAULT NULL, qos text DEFAULT NULL, overrides jsonb DEFAULT NULL,
  registry text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.nim(reference, 'a NIMCache', registry);
  product text := image_library_internal.gpu_product(model, gpu);
  cache_name text := coalesce(name, image_library_internal.nim_cache_name(model));
  selection jsonb := jsonb_strip_nulls(jsonb_build_object(
    'gpus', CASE WHEN gpu IS NOT NULL THEN jsonb_build_array(jsonb_build_object('product', product)) END,
    'tensorParallelism', image_library_internal.tensor_parallelism(model, product, gpu_count)::text,
    'engine', engine, 'precision', "precision", 'qosProfile', qos));
BEGIN
  IF cardinality(profiles) > 0 THEN
    IF selection <> '{}' THEN
      PERFORM image_library_internal.fail(
        errcode => 'invalid_parameter_value',
        message => 'profiles and what selects a profile exclude each other',
        hint => 'Name profiles, or say gpu, gpu_count, engine, precision and qos.');
    END IF;
    IF 'all' = ANY (profiles) AND cardinality(profiles) > 1 THEN
      PERFORM image_library_internal.fail(
        errcode => 'invalid_parameter_value',
        message => 'profiles names others beside "all"',
        hint => 'Name "all" alone, or the profiles.');
    END IF;
    selection := jsonb_build_object('profiles', image_library_internal.kubernetes_args(profiles));
  END IF;
  IF qos NOT IN ('latency', 'throughput') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown qos "%s"', left(qos, 300)),
      hint => 'It is latency or throughput.');
  END IF;
  IF NOT image_library_internal.is_access_mode(coalesce(access_mode, '')) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown access_mode "%s"', left(coalesce(access_mode, 'null'), 300)),
      hint => 'It is ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod.');
  END IF;
  IF selection = '{}' THEN
    RAISE NOTICE USING
      MESSAGE = format('NIMCache "%s" takes all profiles', cache_name),
      DETAIL = 'Nothing selects profiles. The operator then caches all profiles of the image, or those for any GPU of the cluster if the image tells.',
      HINT = 'Say gpu => and gpu_count =>, or name profiles; profiles => ''{all}'' asks for all.';
  END IF;
  RETURN image_library_internal.overridden(jsonb_build_object(
    'apiVersion', 'apps.nvidia.com/v1alpha1',
    'kind', 'NIMCache',
    'metadata', image_library_internal.kubernetes_metadata(cache_name, namespace, 'service', 59, 'the NIM Operator'),
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
        'volumeAccessMode', access_mode))))), overrides);
END
$$;
COMMENT ON FUNCTION image_library.nim_cache IS
  'NIMCache for an approved NIM, its model puller pinned by digest. It caches the given profiles (names or IDs), or those that gpu, gpu_count, engine, precision and qos select, else all (a NOTICE tells). The default name ends in the beginning of the digest, since the spec of a NIMCache is immutable: another selection needs another name. overrides: labels, annotations and other places that doc/model-serving.md lists, merged in last';
GRANT EXECUTE ON FUNCTION image_library.nim_cache TO image_library_reader;

CREATE FUNCTION image_library.nim_service(reference text, name text DEFAULT NULL, namespace text DEFAULT NULL,
  gpu_count integer DEFAULT NULL, image_pull_secrets text[] DEFAULT '{}',
  ngc_secret text DEFAULT 'nvidia-nim-secrets', cpu text DEFAULT '12', memory text DEFAULT '64Gi',
  shm_size text DEFAULT '16Gi', nim_cache text DEFAULT NULL, profile text DEFAULT NULL,
  args text[] DEFAULT '{}', env jsonb DEFAULT '{}', replicas integer DEFAULT 1, port integer DEFAULT 8000,
  inference_platform text DEFAULT 'standalone', node_selector jsonb DEFAULT NULL, overrides jsonb DEFAULT NULL,
  registry text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.nim(reference, 'a NIMService', registry);
  cache_name text := coalesce(nim_cache, image_library_internal.nim_cache_name(model));
  is_kserve boolean := coalesce(inference_platform = 'kserve', false);
  -- With KServe the operator makes an InferenceService of the same name.
  room integer := CASE WHEN is_kserve THEN image_library_internal.inference_service_room(namespace) ELSE 59 END;
  reserved text[] := CASE WHEN is_kserve THEN image_library_internal.kserve_reserved_env() ELSE '{}' END;
  gpus integer := coalesce(gpu_count, model.gpu_count, 1);
BEGIN
  IF coalesce(inference_platform, '') NOT IN ('standalone', 'kserve') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown inference_platform "%s"', left(coalesce(inference_platform, 'null'), 300)),
      hint => 'It is standalone or kserve.');
  END IF;
  RETURN image_library_internal.overridden(jsonb_build_object(
    'apiVersion', 'apps.nvidia.com/v1alpha1',
    'kind', 'NIMService',
    'metadata', image_library_internal.kubernetes_metadata(
      coalesce(name, image_library_internal.nim_name(model, CASE WHEN is_kserve
        THEN least(room, image_library_internal.inference_service_room(coalesce(namespace, 'default'))) ELSE room END)),
      namespace, 'service', room, CASE WHEN is_kserve THEN 'KServe' ELSE 'the NIM Operator' END),
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
      'env', image_library_internal.kubernetes_env(coalesce(env, '{}'), reserved),
      'expose', jsonb_build_object('service', jsonb_build_object(
        'type', 'ClusterIP', 'port', image_library_internal.check_range('port', port, 1, 65535))),
      'inferencePlatform', inference_platform,
      'replicas', image_library_internal.check_range('replicas', replicas, 1, 1000),
      'resources', nullif(image_library_internal.kubernetes_resources(cpu, memory, gpus), '{}'),
      'storage', jsonb_build_object(
        'nimCache', jsonb_build_object('name', image_library_internal.check_kubernetes_name('nim_cache', cache_name, 'subdomain'),
                                       'profile', profile),
        'sharedMemorySizeLimit', image_library_internal.kubernetes_quantity('shm_size', shm_size))))
      || image_library_internal.gpu_placement(gpus, node_selector)), overrides, reserved);
END
$$;
COMMENT ON FUNCTION image_library.nim_service IS
  'NIMService for an approved NIM, pinned by digest (in the tag, since the kind has no field for it). nim_cache: default is the cache that nim_cache() generates for the same reference. gpu_count: default is that of the image, else 1. ngc_secret: null if the cache has everything that the model needs (the field is optional in newer operators). overrides: labels, annotations and other places that doc/model-serving.md lists, merged in last (lists are replaced, env merged by name)';
GRANT EXECUTE ON FUNCTION image_library.nim_service TO image_library_reader;

-- Models for those who serve them: KServe's runtimes and services.
-- Source: serving.kserve.io v1alpha1 ServingRuntime and v1beta1 InferenceService (KServe documentation,
-- "Serving Runtimes", "Serving Models with OCI Images", and what its webhooks and controller of 0.20 check), EDB Postgres AI,
-- "Configure a ServingRuntime".

CREATE FUNCTION image_library_internal.model_title(model image_library.model_library) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(nullif(model.model, ''), regexp_replace(model.repository, '^.*/', '')) $$;
COMMENT ON FUNCTION image_library_internal.model_title IS
  'Name of a model, or the last part of the repository if no metadata gives one';

-- The repository that had the name first keeps it. Models of other private registries are not considered.
CREATE FUNCTION image_library_internal.model_name(model image_library.model_library) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.model_title(model) || CASE WHEN EXISTS (
    SELECT FROM image_library_internal.registry own
    JOIN image_library_internal.repository mine ON mine.registry_id = own.registry_id AND mine.name = model_name.model.repository
    JOIN image_library_internal.entry older ON older.repository_id < mine.repository_id
    JOIN image_library_internal.registry g ON g.registry_id = older.registry_id
    WHERE own.name = model_name.model.registry
      AND older.kind = 'model' AND image_library_internal.name_key(older.model) = image_library_internal.name_key(image_library_internal.model_title(model_name.model))
      AND (NOT g.private OR g.registry_id = own.registry_id))
    THEN '-' || left(md5(image_library_internal.untagged(model.reference)), 6) ELSE '' END
$$;
COMMENT ON FUNCTION image_library_internal.model_name IS
  'Name of a model, with a hash of its repository if an older repository has a model with that name';

-- 1.10.1 and 1.10.1-rtx are two images of one version; the tag latest contains no version.
CREATE FUNCTION image_library_internal.model_release(model image_library.model_library) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN coalesce(strpos(model.tag, nullif(model.model_version, '')), 1) > 0 THEN model.tag
              ELSE model.model_version END
$$;
COMMENT ON FUNCTION image_library_internal.model_release IS
  'What distinguishes the images of a model: the tag, or the version if the tag does not contain it';

CREATE FUNCTION image_library_internal.require_nim(model image_library.model_library, wanted text, instead text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF model.format IS DISTINCT FROM 'nim' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('%s needs a NIM, and "%s" is not one', wanted, model.reference),
      detail => format('Its format is %s: it holds a model, and no server.', coalesce(model.format, 'unknown')),
      hint => instead);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_nim IS
  'Raises 22023 unless a model is packaged as NVIDIA NIM';

-- A modelFormat connects a runtime with its services: that of a NIM is its own, a server supports every model of a
-- format. KServe refuses a second runtime with the same format, version and priority.
CREATE FUNCTION image_library_internal.model_format(model image_library.model_library) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE model.format WHEN 'nim' THEN 'nvidia-nim-' || regexp_replace(image_library_internal.model_name(model), '[^A-Za-z0-9._-]+', '-', 'g')
                           ELSE coalesce(model.format, 'model') END
$$;
COMMENT ON FUNCTION image_library_internal.model_format IS 'Name of the modelFormat of a model';

CREATE FUNCTION image_library_internal.nim_runtime_name(model image_library.model_library) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.kubernetes_name(
    'nvidia-nim-' || image_library_internal.model_name(model) || '-' || image_library_internal.model_release(model))
$$;
COMMENT ON FUNCTION image_library_internal.nim_runtime_name IS 'Default name of the runtime of a NIM';

CREATE FUNCTION image_library_internal.ngc_env(ngc_secret text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- Without network access the model is in the image's cache, and no key is needed.
  SELECT CASE WHEN ngc_secret IS NULL THEN '{}'::jsonb ELSE
    jsonb_build_object('NGC_API_KEY', jsonb_build_object('secretKeyRef', jsonb_build_object(
      'name', image_library_internal.check_kubernetes_name('NGC secret', ngc_secret, 'subdomain'), 'key', 'NGC_API_KEY'))) END
$$;
COMMENT ON FUNCTION image_library_internal.ngc_env IS
  'NGC_API_KEY from a Secret, in the form that kubernetes_env takes; null: none';

CREATE FUNCTION image_library_internal.kserve_protocols(versions text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM unnest(versions) v WHERE v IS NULL OR v NOT IN ('v1', 'v2', 'grpc-v1', 'grpc-v2')) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown protocol version in "%s"', left(versions::text, 300)),
      hint => 'KServe knows v1, v2, grpc-v1 and grpc-v2.');
  END IF;
  RETURN nullif(to_jsonb(versions), '[]');
END
$$;
COMMENT ON FUNCTION image_library_internal.kserve_protocols IS
  'Protocol versions as JSON; null when there are none; raises 22023 for one that KServe does not know';

-- A Deployment's pods have the label isvc.NAME-predictor, and the host name begins with NAME-predictor-NAMESPACE: 63 at most each.
CREATE FUNCTION image_library_internal.inference_service_room(namespace text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  room integer := least(48, 52 - coalesce(length(namespace), 0));
BEGIN
  IF room < 8 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('namespace "%s" is too long for an InferenceService', left(namespace, 300)),
      detail => 'KServe makes host names of up to 63 characters from the name of the service and its namespace.',
      hint => 'Use a namespace of up to 44 characters.');
  END IF;
  RETURN room;
END
$$;
COMMENT ON FUNCTION image_library_internal.inference_service_room IS
  'Longest name of an InferenceService in a namespace; raises 22023 if the namespace leaves none';

CREATE FUNCTION image_library.kserve_serving_runtime(reference text, name text DEFAULT NULL,
  namespace text DEFAULT NULL, server text DEFAULT NULL, gpu_count integer DEFAULT NULL,
  image_pull_secrets text[] DEFAULT '{}', ngc_secret text DEFAULT 'nvidia-nim-secrets',
  cpu text DEFAULT '12', memory text DEFAULT '64Gi', shm_size text DEFAULT '16Gi', port integer DEFAULT NULL,
  args text[] DEFAULT '{}', env jsonb DEFAULT '{}', protocol_versions text[] DEFAULT '{v2,grpc-v2}',
  priority integer DEFAULT 1, overrides jsonb DEFAULT NULL, registry text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.approved_model(reference, registry);
  is_nim boolean := coalesce(model.format = 'nim', false);
  image text := model.pinned_reference;
  given_env jsonb := coalesce(env, '{}');
  runtime_name text;
BEGIN
  IF server IS NOT NULL THEN
    -- Its service would not find the runtime: it names that of the NIM.
    IF is_nim THEN
      PERFORM image_library_internal.fail(
        errcode => 'invalid_parameter_value',
        message => format('"%s" is a NIM, which includes its server', model.reference),
        hint => 'Leave server out.');
    END IF;
    image := image_library.resolve(server);
    runtime_name := image_library_internal.kubernetes_name(
      image_library_internal.model_format(model) || '-' || regexp_replace(image_library_internal.untagged(image), '^.*/', ''));
  ELSE
    PERFORM image_library_internal.require_nim(model, 'a serving runtime without server', 'Say server => the reference of an approved image that serves this format.');
    runtime_name := image_library_internal.nim_runtime_name(model);
  END IF;
  IF is_nim THEN
    IF jsonb_typeof(given_env) = 'object' THEN
      given_env := '{"NIM_CACHE_PATH": "/tmp"}' || image_library_internal.ngc_env(ngc_secret) || given_env;
    END IF;
  END IF;
  port := image_library_internal.check_range('port', coalesce(port, CASE WHEN is_nim THEN 8000 ELSE 8080 END), 1, 65535);
  RETURN image_library_internal.overridden(jsonb_build_object(
    'apiVersion', 'serving.kserve.io/v1alpha1',
    'kind', CASE WHEN namespace IS NULL THEN 'ClusterServingRuntime' ELSE 'ServingRuntime' END,
    'metadata', image_library_internal.kubernetes_metadata(coalesce(name, runtime_name), namespace, 'subdomain'),
    'spec', jsonb_strip_nulls(jsonb_build_object(
      'annotations', jsonb_build_object('prometheus.kserve.io/path', CASE WHEN is_nim THEN '/v1/metrics' ELSE '/metrics' END,
                                        'prometheus.kserve.io/port', port::text),
      'containers', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
        'name', 'kserve-container',
        'image', image,
        'args', image_library_internal.kubernetes_args(args),
        'env', image_library_internal.kubernetes_env(given_env, image_library_internal.kserve_reserved_env()),
        'ports', jsonb_build_array(jsonb_build_object('containerPort', port, 'protocol', 'TCP')),
        'resources', nullif(image_library_internal.kubernetes_resources(cpu, memory, gpu_count), '{}'),
        'volumeMounts', CASE WHEN shm_size IS NOT NULL
                             THEN '[{"name": "dshm", "mountPath": "/dev/shm"}]'::jsonb END))),
      'imagePullSecrets', image_library_internal.kubernetes_pull_secrets(image_pull_secrets),
      'protocolVersions', image_library_internal.kserve_protocols(protocol_versions),
      'supportedModelFormats', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
        'name', image_library_internal.model_format(model),
        'version', CASE WHEN is_nim THEN image_library_internal.model_release(model) END,
        'autoSelect', true,
        'priority', image_library_internal.check_range('priority', priority, 1, 1000000)))),
      'volumes', CASE WHEN shm_size IS NOT NULL THEN jsonb_build_array(jsonb_build_object(
        'name', 'dshm', 'emptyDir', jsonb_build_object(
          'medium', 'Memory', 'sizeLimit', image_library_internal.kubernetes_quantity('shm_size', shm_size)))) END))),
    overrides, image_library_internal.kserve_reserved_env());
END
$$;
COMMENT ON FUNCTION image_library.kserve_serving_runtime IS
  'KServe ClusterServingRuntime, or ServingRuntime with a namespace, for an approved model, pinned by digest. A NIM includes its server; for other formats server is the reference of an approved server image. env: {"NAME": "value"}, or an object for valueFrom; it overrides the defaults. ngc_secret: null if the model needs no key. priority: KServe refuses two servers of a format with the same priority. overrides: labels, annotations and other places that doc/model-serving.md lists, merged in last (lists are replaced, env, volumes and volumeMounts merged)';
GRANT EXECUTE ON FUNCTION image_library.kserve_serving_runtime TO image_library_reader;

-- What a format holds decides how it can be read. KServe's oci:// runs the image beside the server, oci+native:// mounts it and
-- oci+fetch:// downloads it, and all take the folder /models, which only an ordinary image has. Other artifacts have no root
-- filesystem: CRI-O mounts their layers as files, by the name in org.opencontainers.image.title or org.cncf.model.filepath, and
-- containerd mounts none. KitOps packs archives without names, which only its own storage initializer reads.
CREATE FUNCTION image_library_internal.model_storage(model image_library.model_library, storage text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model_format text := coalesce(model.format, 'unknown');
  chosen text := coalesce(storage, CASE model_format WHEN 'modelcar' THEN 'oci' WHEN 'kitops' THEN 'kit' ELSE 'oci+native' END);
  problem text;
BEGIN
  IF chosen NOT IN ('oci', 'oci+modelcar', 'oci+native', 'oci+fetch', 'kit') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown storage "%s"', left(chosen, 300)),
      hint => 'It is oci (as KServe is configured), oci+modelcar (beside the server), oci+native (an image volume of the node), oci+fetch (downloaded), or kit (KitOps).');
  END IF;
  problem := CASE
    WHEN model_format = 'modelcar' THEN
      CASE chosen WHEN 'kit' THEN 'It is an ordinary image, and no ModelKit.' END
    WHEN chosen IN ('oci', 'oci+modelcar', 'oci+fetch') THEN
      'KServe reads the folder /models of an ordinary image this way, and this artifact has no files of an image.'
    WHEN chosen = 'kit' AND model_format NOT IN ('kitops', 'modelpack') THEN 'The KitOps storage initializer reads ModelKits and ModelPack.'
    WHEN chosen = 'oci+native' AND model_format IN ('kitops', 'ollama') THEN
      'A node mounts a layer as a file by the name in its annotations, and layers of this format have none.' END;
  IF problem IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('"%s" cannot be read by storage "%s"', model.reference, chosen),
      detail => format('Its format is %s. %s', model_format, problem),
      hint => CASE model_format WHEN 'modelcar' THEN 'Say storage => ''oci''.'
                         WHEN 'kitops' THEN 'Say storage => ''kit'', and install the ClusterStorageContainer of KitOps.'
                         WHEN 'ollama' THEN 'Serve it with Ollama, or approve the model in another format.'
                         ELSE 'Say storage => ''oci+native'', for nodes that mount artifacts (CRI-O 1.33 and later).' END);
  END IF;
  RETURN chosen;
END
$$;
COMMENT ON FUNCTION image_library_internal.model_storage IS
  'The given way to read a model, or that of its format; raises 22023 if the model cannot be read by it';

CREATE FUNCTION image_library.kserve_inference_service(reference text, name text DEFAULT NULL,
  namespace text DEFAULT NULL, runtime text DEFAULT NULL, gpu_count integer DEFAULT NULL,
  image_pull_secrets text[] DEFAULT '{}', cpu text DEFAULT NULL, memory text DEFAULT NULL,
  args text[] DEFAULT '{}', env jsonb DEFAULT '{}', storage text DEFAULT NULL, model_format text DEFAULT NULL,
  min_replicas integer DEFAULT NULL, max_replicas integer DEFAULT NULL,
  node_selector jsonb DEFAULT '{"nvidia.com/gpu": "true"}', protocol_version text DEFAULT NULL,
  overrides jsonb DEFAULT NULL, registry text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.approved_model(reference, registry);
  is_nim boolean := coalesce(model.format = 'nim', false);
  gpus integer := coalesce(gpu_count, model.gpu_count, CASE WHEN is_nim THEN 1 ELSE 0 END);
  room integer := image_library_internal.inference_service_room(namespace);
  service_name text := coalesce(name, image_library_internal.kubernetes_name(
    image_library_internal.model_name(model) || CASE WHEN gpus > 0 THEN format('-%sxgpu', gpus) ELSE '' END,
    -- Without a namespace it goes into the current one of kubectl, which often is "default".
    least(room, image_library_internal.inference_service_room(coalesce(namespace, 'default')))));
  runtime_name text := coalesce(runtime, CASE WHEN is_nim THEN image_library_internal.nim_runtime_name(model) END);
  storage_kind text := CASE WHEN NOT is_nim THEN image_library_internal.model_storage(model, storage) END;
  -- KServe's oci+native:// mounts the folder /models. An artifact that is no image has none, and is mounted whole.
  mounted boolean := coalesce(storage_kind = 'oci+native' AND model.format IS DISTINCT FROM 'modelcar', false);
BEGIN
  IF runtime_name IS NOT NULL THEN
    PERFORM image_library_internal.check_kubernetes_name('runtime', runtime_name, 'subdomain');
  END IF;
  IF is_nim AND storage IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('"%s" is a NIM, which brings its model', model.reference),
      hint => 'Leave storage out.');
  END IF;
  IF image_library_internal.check_range('min_replicas', min_replicas, 0, 1000)
     > image_library_internal.check_range('max_replicas', max_replicas, 1, 1000) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('min_replicas %s is more than max_replicas %s', min_replicas, max_replicas));
  END IF;
  PERFORM image_library_internal.kserve_protocols(array_remove(ARRAY[protocol_version], NULL));
  RETURN image_library_internal.overridden(jsonb_build_object(
    'apiVersion', 'serving.kserve.io/v1beta1',
    'kind', 'InferenceService',
    'metadata', image_library_internal.kubernetes_metadata(service_name, namespace, 'service', room, 'KServe') || CASE WHEN is_nim THEN
      '{"annotations": {"serving.kserve.io/enable-prometheus-scraping": "true",
                        "prometheus.kserve.io/port": "8000", "prometheus.kserve.io/path": "/v1/metrics"}}'::jsonb
      ELSE '{}' END,
    'spec', jsonb_build_object('predictor', jsonb_strip_nulls(jsonb_build_object(
      'minReplicas', min_replicas,
      'maxReplicas', max_replicas,
      'imagePullSecrets', image_library_internal.kubernetes_pull_secrets(image_pull_secrets),
      'volumes', CASE WHEN mounted THEN jsonb_build_array(jsonb_build_object('name', 'model', 'image',
        jsonb_build_object('reference', model.pinned_reference, 'pullPolicy', 'IfNotPresent'))) END,
      'model', jsonb_strip_nulls(jsonb_build_object(
        'modelFormat', jsonb_strip_nulls(jsonb_build_object(
          'name', coalesce(model_format, image_library_internal.model_format(model)),
          'version', CASE WHEN is_nim AND model_format IS NULL THEN image_library_internal.model_release(model) END)),
        'runtime', runtime_name,
        -- KServe chooses a runtime that has the protocol, and assumes v1, which kserve_serving_runtime does not declare.
        'protocolVersion', coalesce(protocol_version, CASE WHEN runtime_name IS NULL AND model_format IS NULL THEN 'v2' END),
        'storageUri', CASE WHEN NOT mounted THEN storage_kind || '://' || model.pinned_reference END,
        -- Without a storage KServe takes the service for a server of many models, and adds its agent.
        'storage', CASE WHEN is_nim OR mounted THEN '{}'::jsonb END,
        'volumeMounts', CASE WHEN mounted THEN '[{"name": "model", "mountPath": "/mnt/models", "readOnly": true}]'::jsonb END,
        'args', image_library_internal.kubernetes_args(args),
        'env', image_library_internal.kubernetes_env(coalesce(env, '{}'), image_library_internal.kserve_reserved_env()),
        'resources', nullif(image_library_internal.kubernetes_resources(cpu, memory, gpus), '{}')))))
      || image_library_internal.gpu_placement(gpus, node_selector))),
    overrides, image_library_internal.kserve_reserved_env());
END
$$;
COMMENT ON FUNCTION image_library.kserve_inference_service IS
  'KServe InferenceService for an approved model. A NIM runs on the runtime that kserve_serving_runtime generates for it; a model of another format is read by storage, pinned by digest: from storageUri oci:// for a modelcar and kit:// for KitOps, else from an image volume at /mnt/models (oci+native; the nodes must mount artifacts). gpu_count: default is that of the image, else 1 for a NIM. protocol_version: default v2 for a runtime of kserve_serving_runtime. overrides: labels, annotations and other places that doc/model-serving.md lists, merged in last (lists are replaced, env, volumes and volumeMounts merged)';
GRANT EXECUTE ON FUNCTION image_library.kserve_inference_service TO image_library_reader;

-- What the API server and the controllers check in labels, annotations and environment. Sources: Kubernetes, "Labels and
-- Selectors", "Annotations", core/v1 EnvVar and EnvVarSource; the webhooks of KServe (0.20) and CloudNativePG (1.30).

CREATE FUNCTION image_library_internal.is_qualified_name(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT name ~ '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'
         AND length(name) <= 317 AND name !~ E'\\.\\.[^/]*/'
$$;
COMMENT ON FUNCTION image_library_internal.is_qualified_name IS
  'Whether a text is a key of a label, an annotation or a resource: up to 63 characters, after a domain and a slash';

CREATE FUNCTION image_library_internal.is_label_value(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT value ~ '^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$' $$;
COMMENT ON FUNCTION image_library_internal.is_label_value IS 'Whether a text is a value of a label; it may be empty';

CREATE FUNCTION image_library_internal.check_labels(what text, labels jsonb, are_annotations boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text;
BEGIN
  IF jsonb_typeof(labels) <> 'object' OR jsonb_path_exists(labels, 'strict $.* ? (@.type() != "string")') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('%s must be a JSON object of texts', what),
      hint => 'For example {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}; null leaves it out.');
  END IF;
  SELECT l.key INTO wrong FROM jsonb_each_text(labels) l
  WHERE NOT image_library_internal.is_qualified_name(l.key)
     OR NOT are_annotations AND NOT image_library_internal.is_label_value(l.value)
  ORDER BY l.key COLLATE "C" LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid key or value in %s: "%s"', what, left(wrong, 300)),
      detail => 'Kubernetes would refuse it.',
      hint => CASE WHEN are_annotations THEN 'A key has up to 63 letters, digits, dashes, underscores and dots, after a domain and a slash if it has one.'
                  ELSE 'A key and a value have up to 63 letters, digits, dashes, underscores and dots; a key may begin with a domain and a slash.' END);
  END IF;
  RETURN labels;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_labels IS
  'The given labels, node selector or annotations; raises 22023 if Kubernetes would refuse them';

CREATE FUNCTION image_library_internal.is_env_source(source jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN jsonb_typeof(source) <> 'object' THEN false
    ELSE (SELECT count(*) = 1 AND bool_and(CASE
            WHEN jsonb_typeof(s.value) <> 'object' THEN false
            WHEN s.key IN ('secretKeyRef', 'configMapKeyRef') THEN
              s.value - '{name,key,optional}'::text[] = '{}' AND s.value ?& '{name,key}'
              AND jsonb_typeof(s.value -> 'name') = 'string'
              AND s.value ->> 'name' ~ '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' AND length(s.value ->> 'name') <= 253
              AND jsonb_typeof(s.value -> 'key') = 'string' AND s.value ->> 'key' ~ '^[-._a-zA-Z0-9]{1,253}$'
              AND s.value ->> 'key' NOT IN ('.', '..')
              AND coalesce(jsonb_typeof(s.value -> 'optional') = 'boolean', true)
            WHEN s.key = 'fieldRef' THEN
              s.value - '{apiVersion,fieldPath}'::text[] = '{}' AND coalesce(s.value ->> 'apiVersion' = 'v1', true)
              AND coalesce(s.value ->> 'fieldPath' ~
                E'^(metadata\\.(name|namespace|uid)|metadata\\.(labels|annotations)\\[''[^'']+''\\]|spec\\.(nodeName|serviceAccountName)|status\\.(hostIPs?|podIPs?))$', false)
            WHEN s.key = 'resourceFieldRef' THEN
              s.value - '{containerName,resource,divisor}'::text[] = '{}'
              AND coalesce(s.value ->> 'resource' ~ E'^(limits|requests)\\.(cpu|memory|ephemeral-storage|hugepages-[A-Za-z0-9]+)$', false)
            ELSE false END)
          FROM jsonb_each(source) s) END
$$;
COMMENT ON FUNCTION image_library_internal.is_env_source IS
  'Whether a value is a valueFrom: exactly one of secretKeyRef, configMapKeyRef, fieldRef and resourceFieldRef, with the fields that it has';

CREATE FUNCTION image_library_internal.check_env(variables jsonb, reserved text[] DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text;
BEGIN
  IF jsonb_typeof(variables) <> 'array' OR jsonb_path_exists(variables, 'strict $[*] ? (@.type() != "object")') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'the environment must be a JSON array of objects',
      hint => 'For example [{"name": "NIM_LOG_LEVEL", "value": "INFO"}].');
  END IF;
  SELECT coalesce(e.v ->> 'name', e.v::text) INTO wrong FROM jsonb_array_elements(variables) e (v)
  WHERE e.v - '{name,value,valueFrom}'::text[] <> '{}' OR e.v ?& '{value,valueFrom}'
     OR coalesce(e.v ->> 'name' !~ '^[-._a-zA-Z][-._a-zA-Z0-9]*$', true) OR jsonb_typeof(e.v -> 'name') <> 'string'
     OR jsonb_typeof(e.v -> 'value') <> 'string'
     OR NOT image_library_internal.is_env_source(e.v -> 'valueFrom')
  ORDER BY e.v ->> 'name' COLLATE "C" LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid environment variable "%s"', left(wrong, 300)),
      detail => 'A name has letters, digits, underscores, dots and dashes. A variable has a text, or one source: secretKeyRef or configMapKeyRef '
               'with name and key, fieldRef with fieldPath, or resourceFieldRef with resource.',
      hint => 'For example {"NIM_LOG_LEVEL": "INFO", "HF_TOKEN": {"secretKeyRef": {"name": "hf", "key": "token"}}}.');
  END IF;
  SELECT e.v ->> 'name' INTO wrong FROM jsonb_array_elements(variables) e (v)
  GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('environment variable "%s" is given twice', left(wrong, 300)));
  END IF;
  SELECT e.v ->> 'name' INTO wrong FROM jsonb_array_elements(variables) e (v) WHERE e.v ->> 'name' = ANY (reserved) LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('environment variable "%s" may not be set', wrong),
      detail => CASE wrong WHEN 'PYTHONPATH' THEN 'KServe refuses it, since it replaces the modules of the server.'
                          ELSE 'It names a model, and the model is the approved one.' END);
  END IF;
  RETURN variables;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_env IS
  'The given list of EnvVar; raises 22023 if Kubernetes or the controller would refuse it. reserved: names that may not be set';

CREATE FUNCTION image_library_internal.kserve_reserved_env() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{PYTHONPATH,STORAGE_URI}'::text[] $$;
COMMENT ON FUNCTION image_library_internal.kserve_reserved_env IS
  'Variables that KServe refuses (PYTHONPATH), or from which it reads another model (STORAGE_URI)';

CREATE FUNCTION image_library_internal.kubernetes_env(env jsonb, reserved text[] DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text;
BEGIN
  IF jsonb_typeof(env) <> 'object' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('env must be a JSON object, not %s', jsonb_typeof(env)),
      hint => 'For example {"NIM_LOG_LEVEL": "INFO", "HF_TOKEN": {"secretKeyRef": {"name": "hf", "key": "token"}}}.');
  END IF;
  SELECT e.key INTO wrong FROM jsonb_each(env) e WHERE jsonb_typeof(e.value) IN ('null', 'array')
  ORDER BY e.key COLLATE "C" LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid environment variable "%s"', left(wrong, 300)),
      hint => 'A value is a text, or an object for valueFrom.');
  END IF;
  RETURN image_library_internal.check_env(
    (SELECT jsonb_agg(jsonb_build_object('name', e.key,
              CASE jsonb_typeof(e.value) WHEN 'object' THEN 'valueFrom' ELSE 'value' END,
              CASE jsonb_typeof(e.value) WHEN 'object' THEN e.value ELSE to_jsonb(e.value #>> '{}') END)
            ORDER BY e.key COLLATE "C")
     FROM jsonb_each(env) e), reserved);
END
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_env IS
  '{"NAME": "value"} as a list of EnvVar, an object as its valueFrom; null if there are none';

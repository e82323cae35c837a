-- Parts that all manifests share: names, quantities, environment, and the approved image. Sources: Kubernetes API
-- conventions ("Object Names and IDs", resource.Quantity, core/v1 EnvVar).

CREATE FUNCTION image_library_internal.kubernetes_name(name text, max_length integer DEFAULT 63) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  made text := trim(BOTH '-' FROM image_library_internal.name_key(name));
BEGIN
  IF made !~ '^[a-z]' THEN
    made := rtrim('m-' || made, '-');
  END IF;
  -- A hash of the whole text distinguishes names that differ only in what is cut off or replaced.
  IF length(made) > max_length OR made = 'm' THEN
    made := rtrim(left(made, max_length - 7), '-') || '-' || left(md5(name), 6);
  END IF;
  RETURN made;
END
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_name IS
  'Name derived from a text that is valid for every kind of Kubernetes object (RFC 1035 label)';

-- A controller that makes longer names from this one leaves less than Kubernetes does: room, and maker says who.
CREATE FUNCTION image_library_internal.check_kubernetes_name(what text, name text, form text,
  room integer DEFAULT NULL, maker text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  max_length integer := least(room, CASE form WHEN 'subdomain' THEN 253 ELSE 63 END);
  pattern text := CASE form
    WHEN 'subdomain' THEN E'^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
    WHEN 'service' THEN '^[a-z]([-a-z0-9]*[a-z0-9])?$'
    ELSE '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' END;
BEGIN
  IF name IS NULL OR length(name) > max_length OR name !~ pattern THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid %s "%s"', what, left(coalesce(name, 'null'), 300)),
      detail => CASE WHEN length(name) > max_length AND maker IS NOT NULL
                    THEN format('It has %s characters, and %s makes longer names from it, which leaves %s.', length(name), maker, max_length)
                    ELSE 'Kubernetes would refuse it.' END,
      hint => format('Use up to %s lower-case letters, digits%s and dashes, beginning with a letter%s and ending with a letter or digit.%s',
                    max_length, CASE form WHEN 'subdomain' THEN ', dots' ELSE '' END,
                    CASE form WHEN 'service' THEN '' ELSE ' or digit' END,
                    coalesce(' For example "' || image_library_internal.kubernetes_name(nullif(name, ''), greatest(least(max_length, 63), 8)) || '".', '')));
  END IF;
  RETURN name;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_kubernetes_name IS
  'The given name; raises 22023 if it is not a label, subdomain (RFC 1123) or service name (RFC 1035), or longer than its controller allows';

CREATE FUNCTION image_library_internal.kubernetes_metadata(name text, namespace text, form text,
  room integer DEFAULT NULL, maker text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'name', image_library_internal.check_kubernetes_name('name', name, form, room, maker),
    'namespace', CASE WHEN namespace IS NOT NULL
                      THEN image_library_internal.check_kubernetes_name('namespace', namespace, 'label') END))
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_metadata IS
  'Metadata of a manifest, with a namespace when one is given';

CREATE FUNCTION image_library_internal.kubernetes_quantity(what text, quantity text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF quantity !~ E'^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$' OR quantity !~ '[1-9]' OR length(quantity) > 32
     -- A thousandth of a byte is a slip: 500m for 500M.
     OR quantity LIKE '%m' AND what ~ '(memory|storage|size|Limit)' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid %s "%s"', what, left(quantity, 300)),
      hint => 'Give a Kubernetes quantity such as ''12'', ''500m'' (half a CPU) or ''64Gi''; null leaves it out.');
  END IF;
  RETURN quantity;
END
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_quantity IS
  'The given quantity; raises 22023 if Kubernetes would refuse it';

CREATE FUNCTION image_library_internal.kubernetes_resources(cpu text, memory text, gpu_count integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- GPUs are an extended resource: a limit alone is also the request.
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'limits', nullif(jsonb_strip_nulls(jsonb_build_object(
      'cpu', image_library_internal.kubernetes_quantity('cpu', cpu),
      'memory', image_library_internal.kubernetes_quantity('memory', memory),
      'nvidia.com/gpu', nullif(image_library_internal.check_range('gpu_count', gpu_count, 0, 4096), 0)::text)), '{}'),
    'requests', nullif(jsonb_strip_nulls(jsonb_build_object('cpu', cpu, 'memory', memory)), '{}')))
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_resources IS
  'Resources of a container, without those that are null and without GPUs if there are none';

CREATE FUNCTION image_library_internal.gpu_placement(gpu_count integer, node_selector jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  selector jsonb := image_library_internal.check_labels('node_selector', nullif(node_selector, 'null'));
BEGIN
  IF gpu_count IS NULL OR gpu_count = 0 THEN
    -- Without GPUs a label of GPU nodes does not apply, what else was asked for does.
    RETURN jsonb_strip_nulls(jsonb_build_object('nodeSelector', nullif(selector - 'nvidia.com/gpu', '{}')));
  END IF;
  RETURN jsonb_strip_nulls(jsonb_build_object(
    'nodeSelector', nullif(selector, '{}'),
    'tolerations', '[{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]'::jsonb));
END
$$;
COMMENT ON FUNCTION image_library_internal.gpu_placement IS
  'nodeSelector and tolerations of a workload that needs GPUs; without GPUs what the selector says besides them';

CREATE FUNCTION image_library_internal.kubernetes_args(args text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF array_position(args, NULL) IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'args must not contain null');
  END IF;
  RETURN (SELECT jsonb_agg(a.arg ORDER BY a.position) FROM unnest(args) WITH ORDINALITY AS a (arg, position));
END
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_args IS
  'Arguments of a container as JSON; null when there are none';

CREATE FUNCTION image_library_internal.kubernetes_pull_secrets(names text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_agg(jsonb_build_object('name', image_library_internal.check_kubernetes_name('image pull secret', s.name, 'subdomain'))
                   ORDER BY s.position)
  FROM unnest(names) WITH ORDINALITY AS s (name, position)
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_pull_secrets IS
  'Names of Secrets as LocalObjectReferences; null when there are none';

CREATE FUNCTION image_library_internal.wrong_kind(reference text, wanted text, in_registry text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, in_registry);
  found_kind text := (SELECT e.kind FROM image_library_internal.entry_of(image.repository_id, image.tag, image.digest) e);
BEGIN
  PERFORM image_library_internal.fail(
    errcode => 'invalid_parameter_value',
    message => format('image "%s" is not a %s', reference, CASE wanted WHEN 'model' THEN 'model' ELSE 'Postgres image' END),
    detail => CASE found_kind
               WHEN 'postgres' THEN 'It is a Postgres image.'
               WHEN 'model' THEN 'It is a model.'
               ELSE 'It is neither a Postgres image nor a model.' END,
    hint => CASE wanted
             WHEN 'model' THEN 'Choose one of image_library.model_library, or say kind => ''model'' in the rule that brings it.'
             ELSE 'Choose one of image_library.postgres_images, or say kind => ''postgres'' in the rule that brings it.' END);
END
$$;
COMMENT ON FUNCTION image_library_internal.wrong_kind IS 'Raises 22023 with the actual kind of an approved image';

CREATE FUNCTION image_library_internal.approved_postgres(reference text, in_registry text DEFAULT NULL) RETURNS image_library.postgres_images
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  pinned text := image_library.resolve(reference, in_registry);
  image image_library.postgres_images;
BEGIN
  SELECT p.* INTO image FROM image_library.postgres_images p
  WHERE p.digest = split_part(pinned, '@', 2) AND p.pinned_reference = pinned AND (in_registry IS NULL OR p.registry = in_registry);
  IF NOT FOUND THEN
    image := jsonb_populate_record(NULL::image_library.postgres_images, image_library_internal.pinned_image(pinned, 'postgres', in_registry));
  END IF;
  IF image.digest IS NULL THEN
    PERFORM image_library_internal.wrong_kind(reference, 'postgres', in_registry);
  END IF;
  RETURN image;
END
$$;
COMMENT ON FUNCTION image_library_internal.approved_postgres IS
  'An approved Postgres image; raises the errors of resolve, or 22023 if it is not a Postgres image';

CREATE FUNCTION image_library_internal.approved_model(reference text, in_registry text DEFAULT NULL) RETURNS image_library.model_library
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  pinned text := image_library.resolve(reference, in_registry);
  image image_library.model_library;
BEGIN
  SELECT m.* INTO image FROM image_library.model_library m
  WHERE m.digest = split_part(pinned, '@', 2) AND m.pinned_reference = pinned AND (in_registry IS NULL OR m.registry = in_registry);
  IF NOT FOUND THEN
    image := jsonb_populate_record(NULL::image_library.model_library, image_library_internal.pinned_image(pinned, 'model', in_registry));
  END IF;
  IF image.digest IS NULL THEN
    PERFORM image_library_internal.wrong_kind(reference, 'model', in_registry);
  END IF;
  RETURN image;
END
$$;
COMMENT ON FUNCTION image_library_internal.approved_model IS
  'An approved model; raises the errors of resolve, or 22023 if it is not a model';

-- What the user of a manifest sets beside its parameters, merged in last. An override must not run what nobody approved, so
-- it reaches only the places that are listed here, and everything else is compared with the manifest as it was made.
-- Sources: RFC 7396 (JSON Merge Patch); the CRDs of KServe 0.20, NIM Operator 3.1 and CloudNativePG 1.30.

-- Paths as keys joined by dots; 0 is the only container of a runtime.
CREATE FUNCTION image_library_internal.overridable(kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT '{metadata.labels,metadata.annotations}'::text[] || CASE
    WHEN kind IN ('ServingRuntime', 'ClusterServingRuntime') THEN ARRAY(
      SELECT 'spec.' || p FROM unnest('{labels,annotations,affinity,tolerations,nodeSelector,schedulerName,volumes}'::text[]) p
      UNION ALL
      SELECT 'spec.containers.0.' || p
      FROM unnest('{env,resources,livenessProbe,readinessProbe,startupProbe,volumeMounts}'::text[]) p)
    WHEN kind = 'InferenceService' THEN ARRAY(
      SELECT 'spec.predictor.' || p FROM unnest('{labels,annotations,affinity,tolerations,nodeSelector,topologySpreadConstraints,
        serviceAccountName,automountServiceAccountToken,priorityClassName,runtimeClassName,schedulerName,terminationGracePeriodSeconds,
        minReplicas,maxReplicas,scaleTarget,scaleMetric,scaleMetricType,autoScaling,containerConcurrency,timeout,deploymentStrategy,
        volumes,model.env,model.resources,model.livenessProbe,model.readinessProbe,model.startupProbe,model.volumeMounts}'::text[]) p)
    WHEN kind = 'NIMService' THEN ARRAY(
      SELECT 'spec.' || p FROM unnest('{labels,annotations,env,resources,affinity,podAffinity,tolerations,nodeSelector,livenessProbe,
        readinessProbe,startupProbe,replicas,scale,expose,metrics,proxy,userID,groupID,runtimeClassName,schedulerName,priorityClassName,
        storage.sharedMemorySizeLimit,storage.readOnly}'::text[]) p)
    WHEN kind = 'NIMCache' THEN ARRAY(
      SELECT 'spec.' || p FROM unnest('{env,resources,tolerations,nodeSelector,proxy,userID,groupID,runtimeClassName,storage.pvc}'::text[]) p)
    ELSE '{}' END
$$;
COMMENT ON FUNCTION image_library_internal.overridable IS 'Places of a kind of manifest that overrides may change';

CREATE FUNCTION image_library_internal.override_beyond(overrides jsonb, allowed text[], place text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  key text;
  value jsonb;
  here text;
  beyond text;
BEGIN
  FOR key, value IN SELECT o.key, o.value FROM jsonb_each(overrides) o ORDER BY o.key COLLATE "C" LOOP
    here := concat_ws('.', place, key);
    CONTINUE WHEN here = ANY (allowed) AND key !~ '[.]';
    IF here = 'spec.containers' AND jsonb_path_exists(value, 'strict $ ? (@.type() == "array" && @.size() == 1)[0] ? (@.type() == "object")')
       AND coalesce(value #>> '{0,name}', 'kserve-container') = 'kserve-container' THEN
      value := (value -> 0) - 'name';
      here := 'spec.containers.0';
    END IF;
    IF key ~ '[.]' OR jsonb_typeof(value) <> 'object'
       OR NOT EXISTS (SELECT FROM unnest(allowed) a WHERE starts_with(a, here || '.')) THEN
      RETURN here;
    END IF;
    beyond := image_library_internal.override_beyond(value, allowed, here);
    IF beyond IS NOT NULL THEN
      RETURN beyond;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.override_beyond IS
  'First place in overrides that is not allowed; null: all are';

-- Lists whose elements have a key are merged by it, as Kubernetes does; all others are replaced, as RFC 7396 says.
CREATE FUNCTION image_library_internal.merge_list(target jsonb, patch jsonb, id text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(jsonb_agg(coalesce(p.element, t.element) ORDER BY t.position, p.position), '[]')
  FROM jsonb_array_elements(target) WITH ORDINALITY AS t (element, position)
  FULL JOIN jsonb_array_elements(patch) WITH ORDINALITY AS p (element, position) ON p.element ->> id = t.element ->> id
$$;
COMMENT ON FUNCTION image_library_internal.merge_list IS
  'A list with the elements of another: those with the same id take the place of the former, others follow';

CREATE FUNCTION image_library_internal.merge_patch(target jsonb, patch jsonb, place text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  merged jsonb := target;
  part text;
  value jsonb;
BEGIN
  IF jsonb_typeof(target) = 'array' AND jsonb_typeof(patch) = 'array' THEN
    RETURN CASE place
      WHEN 'env' THEN image_library_internal.merge_list(target, patch, 'name')
      WHEN 'volumes' THEN image_library_internal.merge_list(target, patch, 'name')
      WHEN 'volumeMounts' THEN image_library_internal.merge_list(target, patch, 'mountPath')
      WHEN 'containers' THEN jsonb_set(target, '{0}', image_library_internal.merge_patch(target -> 0, patch -> 0))
      ELSE patch END;
  END IF;
  IF jsonb_typeof(patch) <> 'object' OR jsonb_typeof(coalesce(target, 'null')) <> 'object' THEN
    RETURN jsonb_strip_nulls(patch);
  END IF;
  FOR part, value IN SELECT p.key, p.value FROM jsonb_each(patch) p LOOP
    merged := CASE WHEN value = 'null' THEN merged - part
                   ELSE merged || jsonb_build_object(part, image_library_internal.merge_patch(target -> part, value, part)) END;
  END LOOP;
  RETURN merged;
END
$$;
COMMENT ON FUNCTION image_library_internal.merge_patch IS
  'A document with a JSON merge patch applied (RFC 7396); env, volumes and volumeMounts are merged by name or path';

CREATE FUNCTION image_library_internal.mount_path(given text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '/' || array_to_string(ARRAY(SELECT p.part FROM unnest(string_to_array(given, '/')) WITH ORDINALITY AS p (part, position)
                                          WHERE p.part NOT IN ('', '.') ORDER BY p.position), '/') $$;
COMMENT ON FUNCTION image_library_internal.mount_path IS 'A path without empty parts';

-- Volumes bring storage, never an image or a file of the node. They are mounted where data is, never over the model or over what
-- the image runs.
CREATE FUNCTION image_library_internal.override_volumes_wrong(part text, list jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT left(e.v::text, 300) FROM jsonb_array_elements(list) WITH ORDINALITY AS e (v, position)
  WHERE EXISTS (SELECT FROM jsonb_array_elements(list) WITH ORDINALITY AS o (v, position)
                WHERE o.position < e.position
                  AND o.v ->> CASE part WHEN 'volumes' THEN 'name' ELSE 'mountPath' END = e.v ->> CASE part WHEN 'volumes' THEN 'name' ELSE 'mountPath' END)
     OR CASE WHEN jsonb_typeof(e.v) <> 'object' THEN true
    WHEN part = 'volumes' THEN
      coalesce(e.v ->> 'name' !~ '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', true)
      OR (SELECT count(*) <> 1 OR bool_or(k NOT IN ('emptyDir', 'persistentVolumeClaim', 'configMap', 'secret'))
          FROM jsonb_object_keys(e.v - 'name') k)
    ELSE e.v - '{name,mountPath,readOnly,subPath}'::text[] <> '{}'
      OR coalesce(e.v ->> 'mountPath' !~ '^/[^:]*$', true) OR e.v ->> 'mountPath' ~ E'(^|/)\\.\\.(/|$)'
      OR e.v ->> 'subPath' ~ E'(^/|(^|/)\\.\\.(/|$))'
      OR image_library_internal.mount_path(e.v ->> 'mountPath')
           !~ E'^/(mnt/(?!models(/|$))[^/]|(tmp|cache|data|run|dev/shm|var/(cache|run|tmp)|opt/nim/\\.cache|root/\\.cache|home/[^/]+/\\.cache|etc/(pki|ssl/certs))(/|$))' END
  LIMIT 1
$$;
COMMENT ON FUNCTION image_library_internal.override_volumes_wrong IS
  'First of a list of volumes or mounts that overrides may not have; null: all may be';

CREATE FUNCTION image_library_internal.quantity_value(quantity text) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (regexp_match(quantity, E'^[0-9]+(?:\\.[0-9]+)?'))[1]::numeric * CASE regexp_replace(quantity, '^[0-9.]+', '')
    WHEN 'm' THEN 0.001 WHEN 'k' THEN 1e3 WHEN 'M' THEN 1e6 WHEN 'G' THEN 1e9 WHEN 'T' THEN 1e12 WHEN 'P' THEN 1e15 WHEN 'E' THEN 1e18
    WHEN 'Ki' THEN 2 ^ 10::numeric WHEN 'Mi' THEN 2 ^ 20::numeric WHEN 'Gi' THEN 2 ^ 30::numeric WHEN 'Ti' THEN 2 ^ 40::numeric
    WHEN 'Pi' THEN 2 ^ 50::numeric WHEN 'Ei' THEN 2 ^ 60::numeric ELSE 1 END
$$;
COMMENT ON FUNCTION image_library_internal.quantity_value IS 'Value of a checked Kubernetes quantity';

CREATE FUNCTION image_library_internal.is_access_mode(mode text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT mode IN ('ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod') $$;
COMMENT ON FUNCTION image_library_internal.is_access_mode IS 'Whether Kubernetes has an access mode of volumes';

CREATE FUNCTION image_library_internal.check_overridden(place text, given jsonb, reserved text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  part text := regexp_replace(place, E'^.*\\.', '');
  wanted text := CASE
    WHEN part IN ('labels', 'annotations', 'nodeSelector', 'affinity', 'podAffinity', 'resources', 'livenessProbe', 'readinessProbe', 'startupProbe',
                  'autoScaling', 'deploymentStrategy', 'scale', 'expose', 'metrics', 'proxy', 'pvc') THEN 'object'
    WHEN part IN ('env', 'volumes', 'volumeMounts', 'tolerations', 'topologySpreadConstraints') THEN 'array'
    WHEN part IN ('automountServiceAccountToken', 'readOnly') THEN 'boolean'
    WHEN part IN ('terminationGracePeriodSeconds', 'minReplicas', 'maxReplicas', 'replicas', 'scaleTarget', 'containerConcurrency',
                  'timeout', 'userID', 'groupID') THEN 'number'
    ELSE 'string' END;
  wrong text;
BEGIN
  IF jsonb_typeof(given) <> wanted THEN
    wrong := format('It is a JSON %s, not a JSON %s.', jsonb_typeof(given), wanted);
  ELSIF part IN ('tolerations', 'topologySpreadConstraints') AND jsonb_path_exists(given, 'strict $[*] ? (@.type() != "object")') THEN
    wrong := 'It must be a list of objects.';
  ELSIF wanted = 'number' AND NOT jsonb_path_exists(given, '$ ? (@ >= 0 && @ <= 4294967295 && @.floor() == @)') THEN
    wrong := 'It must be a whole number, and not negative.';
  ELSIF part LIKE '%Probe' AND jsonb_path_exists(given, 'strict $.**.exec') THEN
    wrong := 'A probe asks over the network (httpGet, tcpSocket or grpc) and runs no command.';
  ELSIF part = 'annotations' THEN
    -- A webhook that adds a container takes its image, its volumes (istio's userVolume may be a path of the node), its template or
    -- what it runs from the annotations of the pod.
    SELECT format('The annotation "%s" brings another image, model, volume or command.', left(k, 300)) INTO wrong FROM jsonb_object_keys(given) k
    WHERE k ~* E'(image|user-?volume|volume-?mount|inject-command|inject\\.istio\\.io/templates)' OR starts_with(k, 'internal.serving.kserve.io/') LIMIT 1;
  ELSIF part = 'labels' THEN
    SELECT format('The label "%s" belongs to KServe: it brings another model.', left(k, 300)) INTO wrong FROM jsonb_object_keys(given) k
    WHERE starts_with(k, 'internal.serving.kserve.io/') LIMIT 1;
  ELSIF part = 'resources' AND (given - '{limits,requests,cpu,memory}'::text[] <> '{}' OR jsonb_path_exists(given, 'lax ($.keyvalue() ? (@.key == "limits" || @.key == "requests")).value ? (@.type() != "object")')) THEN
    wrong := 'It has limits and requests (of a NIMCache cpu and memory).';
  ELSIF part = 'expose' AND (given - '{service,ingress,router}'::text[] <> '{}'
         OR CASE WHEN jsonb_typeof(given -> 'router') = 'object' THEN (given -> 'router') - '{hostDomainName,annotations,ingress,gateway}'::text[] <> '{}'
                 ELSE given ? 'router' END) THEN
    -- eppConfig is a container with an image of its own.
    wrong := 'It has service, ingress and router, and a router hostDomainName, annotations, ingress and gateway.';
  ELSIF part = 'pvc' AND given - '{create,name,storageClass,size,volumeAccessMode,subPath,annotations}'::text[] <> '{}' THEN
    wrong := 'It has create, name, storageClass, size, volumeAccessMode, subPath and annotations.';
  ELSIF part = 'pvc' AND NOT coalesce(given -> 'create' = 'true', false) AND coalesce(given ->> 'name', '') = '' THEN
    wrong := 'It needs a name where it is not created.';
  ELSIF part = 'pvc' AND NOT image_library_internal.is_access_mode(given ->> 'volumeAccessMode') THEN
    wrong := 'volumeAccessMode is ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod.';
  END IF;
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid "%s" in overrides', place),
      detail => wrong);
  END IF;
  CASE
    WHEN part IN ('labels', 'nodeSelector') THEN PERFORM image_library_internal.check_labels(place, given);
    WHEN part = 'annotations' THEN PERFORM image_library_internal.check_labels(place, given, true);
    WHEN part = 'env' THEN PERFORM image_library_internal.check_env(given, reserved);
    WHEN part = 'resources' THEN
      PERFORM image_library_internal.kubernetes_quantity(q.key, q.value) FROM (
        SELECT * FROM jsonb_each_text(given - '{limits,requests}'::text[])
        UNION ALL SELECT * FROM jsonb_each_text(given -> 'limits') UNION ALL SELECT * FROM jsonb_each_text(given -> 'requests')) q
      WHERE q.value <> '0';
      SELECT r.key INTO wrong FROM jsonb_each_text(given -> 'requests') r JOIN jsonb_each_text(given -> 'limits') l USING (key)
      WHERE image_library_internal.quantity_value(r.value) > image_library_internal.quantity_value(l.value)
         OR key LIKE '%/%' AND image_library_internal.quantity_value(r.value) <> image_library_internal.quantity_value(l.value) LIMIT 1;
      IF FOUND THEN
        PERFORM image_library_internal.fail(
          errcode => 'invalid_parameter_value',
          message => format('invalid "%s" in overrides', place),
          detail => format('The request of %s is more than its limit, which Kubernetes would refuse.', wrong),
          hint => 'Override limits and requests together.');
      END IF;
    WHEN part = 'sharedMemorySizeLimit' THEN PERFORM image_library_internal.kubernetes_quantity(part, given #>> '{}');
    WHEN part = 'pvc' THEN PERFORM image_library_internal.kubernetes_quantity('size', given ->> 'size');
    WHEN part IN ('serviceAccountName', 'priorityClassName', 'runtimeClassName', 'schedulerName') THEN
      PERFORM image_library_internal.check_kubernetes_name(part, given #>> '{}', 'subdomain');
    ELSE NULL;
  END CASE;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_overridden IS
  'Raises 22023 if what a manifest has in a place after overrides would be refused, or would bring another image or model';

CREATE FUNCTION image_library_internal.overridden(manifest jsonb, overrides jsonb, reserved text[] DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  allowed text[] := image_library_internal.overridable(manifest ->> 'kind');
  place text;
  list jsonb;
  wrong text;
  merged jsonb;
  pinned jsonb := manifest;
  left_over jsonb;
BEGIN
  IF overrides IS NULL OR overrides = 'null' THEN
    RETURN manifest;
  END IF;
  IF jsonb_typeof(overrides) <> 'object' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('overrides must be a JSON object, not %s', jsonb_typeof(overrides)),
      hint => 'For example {"metadata": {"labels": {"team": "search"}}}.');
  END IF;
  IF octet_length(overrides::text) > 65536 THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('overrides are too large: %s bytes', octet_length(overrides::text)),
      hint => 'They may have up to 65536 bytes.');
  END IF;
  wrong := image_library_internal.override_beyond(overrides, allowed);
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('overrides may not change "%s" of the %s', left(wrong, 300), manifest ->> 'kind'),
      detail => format('They may change: %s.', array_to_string(allowed, ', ')),
      hint => 'Images, the model, the names and what runs are those of the approved image; the parameters of the function set them.');
  END IF;
  merged := image_library_internal.merge_patch(manifest, overrides);
  FOREACH place IN ARRAY allowed LOOP
    IF place ~ E'\\.volume(s|Mounts)$' THEN
      list := overrides #> string_to_array(place, '.');
      wrong := CASE WHEN jsonb_typeof(list) = 'array'
                    THEN image_library_internal.override_volumes_wrong(regexp_replace(place, E'^.*\\.', ''), list) END;
      -- What was made stays: above all the volume that is the model.
      IF wrong IS NOT NULL OR NOT coalesce(
           merged #> string_to_array(place, '.')
           @> jsonb_path_query_array(manifest #> string_to_array(place, '.'), '$[*] ? (exists(@.image) || @.mountPath starts with "/mnt/models")'), true)
         OR list = 'null' THEN
        PERFORM image_library_internal.fail(
          errcode => 'invalid_parameter_value',
          message => format('invalid "%s" in overrides%s', place, coalesce(': ' || wrong, '')),
          detail => 'A volume is an emptyDir, a persistentVolumeClaim, a configMap or a secret, mounted under /mnt (but for /mnt/models, where the model is), '
                   '/tmp, /cache, /data, /run, /dev/shm, /var/cache, /var/run, /var/tmp, /opt/nim/.cache, /root/.cache, /home/*/.cache, /etc/pki or /etc/ssl/certs. '
                   'The volumes of the manifest stay.');
      END IF;
    END IF;
    IF merged #> string_to_array(place, '.') IS NOT NULL THEN
      PERFORM image_library_internal.check_overridden(place, merged #> string_to_array(place, '.'), reserved);
    END IF;
  END LOOP;
  IF (merged #>> '{spec,predictor,minReplicas}')::numeric > (merged #>> '{spec,predictor,maxReplicas}')::numeric
     AND merged #>> '{spec,predictor,maxReplicas}' <> '0' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('minReplicas %s is more than maxReplicas %s', merged #>> '{spec,predictor,minReplicas}', merged #>> '{spec,predictor,maxReplicas}'));
  END IF;
  IF merged ->> 'kind' = 'NIMCache' AND merged #> '{spec,storage,pvc}' IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'overrides leave the NIMCache without storage',
      hint => 'Say {"spec": {"storage": {"pvc": {"create": false, "name": "..."}}}} to use a claim that is there.');
  END IF;
  IF merged #> '{spec,scale,enabled}' = 'true' AND (merged #> '{spec,replicas}' IS NOT NULL OR merged #> '{spec,scale,hpa}' IS NULL) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'a NIMService that scales has scale.hpa, and no replicas',
      hint => 'Say {"spec": {"replicas": null, "scale": {"enabled": true, "hpa": {"minReplicas": 1, "maxReplicas": 4}}}}.');
  END IF;
  -- Nothing outside those places may differ.
  left_over := merged;
  FOREACH place IN ARRAY allowed LOOP
    pinned := pinned #- string_to_array(place, '.');
    left_over := left_over #- string_to_array(place, '.');
  END LOOP;
  IF pinned <> left_over THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('overrides change what must stay of the %s', manifest ->> 'kind'));
  END IF;
  RETURN merged;
END
$$;
COMMENT ON FUNCTION image_library_internal.overridden IS
  'A manifest with overrides merged in; raises 22023 for an override outside overridable(), and for what Kubernetes would refuse';

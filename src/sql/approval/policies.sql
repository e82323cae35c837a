-- Policies: conditions that an image must meet before it may be approved, as SQL functions of users.

CREATE FUNCTION image_library_internal.call_policy(function oid, image image_library.images) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_call_policy';
COMMENT ON FUNCTION image_library_internal.call_policy IS
  'Calls a policy with the rights of its function''s owner, for at most image_library.policy_timeout; null: it is met, else the reason';
GRANT EXECUTE ON FUNCTION image_library_internal.call_policy TO image_library_agent;

-- Looked up in the catalog, since a regprocedure cast would require a right to the function's schema.
CREATE FUNCTION image_library_internal.policy_function(function text) RETURNS regprocedure
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.oid::regprocedure
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, parse_ident(function) AS name
  WHERE n.nspname = name[1] AND p.proname = name[2] AND p.pronargs = 1 AND p.proargtypes[0] = 'image_library.images'::regtype
$$;
COMMENT ON FUNCTION image_library_internal.policy_function IS 'Function of a policy; null: it does not exist any more';
GRANT EXECUTE ON FUNCTION image_library_internal.policy_function TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.check_policy_function(function regprocedure) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_function record;
BEGIN
  SELECT n.nspname, p.* INTO found_function
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE p.oid = function;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'a policy needs a function',
      hint => 'Name it with its argument: ''my_schema.my_policy(image_library.images)''.');
  END IF;
  IF found_function.prokind <> 'f' OR found_function.proretset OR found_function.pronargs <> 1
     OR found_function.proargtypes[0] <> 'image_library.images'::regtype
     OR found_function.prorettype <> 'boolean'::regtype THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_function_definition',
      message => format('function %s cannot be a policy', function),
      detail => 'A policy takes one argument of type image_library.images and returns boolean.',
      hint => 'Wrap it: CREATE FUNCTION my_schema.my_policy(image image_library.images) RETURNS boolean LANGUAGE sql STABLE RETURN ...');
  END IF;
  IF NOT has_function_privilege(image_library_internal.acting_role(), function::oid, 'EXECUTE') THEN
    PERFORM image_library_internal.fail(
      errcode => 'insufficient_privilege',
      message => format('permission denied for function %s', function),
      hint => format('Its owner may GRANT EXECUTE to %I.', image_library_internal.acting_role()));
  END IF;
  RETURN format('%I.%I', found_function.nspname, found_function.proname);
END
$$;
COMMENT ON FUNCTION image_library_internal.check_policy_function IS
  'Schema and name of a function that can be a policy and that the acting role may call; raises 22023, 42P13, 42501';

CREATE FUNCTION image_library.add_policy(name text, function regprocedure, applies_to text DEFAULT 'all', effect text DEFAULT 'require')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text;
BEGIN
  PERFORM image_library_internal.require_admin('add a policy');
  IF coalesce(name, '') !~ '^[^[:cntrl:]]{1,100}$' OR btrim(name) <> name THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid name of a policy: "%s"', name),
      hint => 'Use 1 to 100 characters, with no space at either end.');
  END IF;
  wrong := coalesce(
    CASE WHEN starts_with(applies_to, 'consumer:') THEN
      CASE WHEN NOT image_library_internal.is_consumer(substr(applies_to, length('consumer:') + 1)) THEN
             'applies_to names no consumer: write consumer:<name>, as record_use takes the name'
           WHEN effect = 'auto_approve' THEN 'a policy for a consumer does not approve: its effect is require or warn' END
    ELSE image_library_internal.wrong_value('applies_to', applies_to, array_prepend('all', image_library_internal.kinds())) END,
    image_library_internal.wrong_value('effect', effect, '{require,auto_approve,warn}'));
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(errcode => 'invalid_parameter_value', message => wrong);
  END IF;
  INSERT INTO image_library_internal.policy AS p (name, function, applies_to, effect)
  VALUES (add_policy.name, image_library_internal.check_policy_function(add_policy.function), add_policy.applies_to, add_policy.effect)
  ON CONFLICT ON CONSTRAINT policy_name_key DO NOTHING;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'duplicate_object',
      message => format('policy "%s" exists already', name));
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.add_policy IS
  'Adds a policy: a function of an image that returns boolean. Effect: require (an image for which it does not return true cannot be approved), auto_approve (an image for which it returns true is approved on arrival) or warn. Approved images stay approved. With applies_to => ''consumer:<name>'' it concerns the use by that consumer instead, see resolve and record_use';
GRANT EXECUTE ON FUNCTION image_library.add_policy TO image_library_admin;

CREATE FUNCTION image_library_internal.require_policy(what text, name text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin(what);
  IF NOT EXISTS (SELECT FROM image_library_internal.policy p WHERE p.name = require_policy.name) THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('policy "%s" does not exist', name),
      hint => 'See image_library.policies.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_policy IS
  'Raises 42501 unless the acting role is an admin, and 42704 for an unknown policy';

CREATE FUNCTION image_library.enable_policy(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_policy('enable a policy', name);
  UPDATE image_library_internal.policy p SET enabled = true, enabled_at = clock_timestamp() WHERE p.name = enable_policy.name AND NOT p.enabled;
END
$$;
COMMENT ON FUNCTION image_library.enable_policy IS 'Enables a policy, for decisions from then on';
GRANT EXECUTE ON FUNCTION image_library.enable_policy TO image_library_admin;

CREATE FUNCTION image_library.disable_policy(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_policy('disable a policy', name);
  UPDATE image_library_internal.policy p SET enabled = false WHERE p.name = disable_policy.name AND p.enabled;
END
$$;
COMMENT ON FUNCTION image_library.disable_policy IS 'Disables a policy';
GRANT EXECUTE ON FUNCTION image_library.disable_policy TO image_library_admin;

CREATE FUNCTION image_library.drop_policy(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_policy('drop a policy', name);
  DELETE FROM image_library_internal.policy p WHERE p.name = drop_policy.name;
END
$$;
COMMENT ON FUNCTION image_library.drop_policy IS 'Drops a policy; its function and earlier decisions stay';
GRANT EXECUTE ON FUNCTION image_library.drop_policy TO image_library_admin;

CREATE VIEW image_library.policies WITH (security_barrier) AS
  SELECT p.name, p.function,
         (SELECT f.proowner::regrole::text FROM pg_proc f WHERE f.oid = image_library_internal.policy_function(p.function)) AS runs_as,
         p.applies_to, p.effect, p.enabled, p.created_at, p.created_by
  FROM image_library_internal.policy p;
COMMENT ON VIEW image_library.policies IS 'Policies, enabled and disabled';
GRANT SELECT ON image_library.policies TO image_library_reader;

-- For the use of a digest that no present tag points at: what images would show for the tag that pointed at it.
CREATE FUNCTION image_library_internal.former_image(repository_id integer, tag text, digest text) RETURNS SETOF image_library.images
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_populate_record(NULL::image_library.images, jsonb_build_object(
    'registry', r.registry, 'repository', r.repository, 'tag', former_image.tag, 'digest', i.digest,
    'reference', concat(r.place, ':', former_image.tag), 'pinned_reference', concat(r.place, ':', former_image.tag, '@', i.digest),
    'kind', coalesce(f.facts ->> 'kind', 'other'), 'version', f.facts ->> 'version', 'approval', coalesce(a.state, 'pending'),
    'platforms', i.platforms, 'size_bytes', i.size_bytes, 'created_at', i.created_at, 'created_text', nullif(i.created_text, ''),
    'first_seen_at', i.first_seen_at, 'title', i.title, 'description', i.description, 'annotations', i.annotations, 'labels', i.labels,
    'media_type', i.media_type, 'hm_tags', '{}'::text[], 'deprecated_from', a.deprecated_from, 'valid_until', a.valid_until,
    'quarantined_at', a.quarantined_at,
    'digest_changed_at', (SELECT max(p.since) FROM image_library_internal.tag_period p
                          WHERE p.repository_id = r.repository_id AND p.tag = former_image.tag AND p.digest = i.digest)))
  FROM image_library_internal.full_repository r
  JOIN image_library_internal.image i ON i.digest = former_image.digest
  LEFT JOIN image_library_internal.approval a ON a.repository_id = r.repository_id AND a.digest = i.digest
  CROSS JOIN LATERAL image_library_internal.own_facts(r.repository_id, former_image.tag, i.digest) AS f (facts)
  WHERE r.repository_id = former_image.repository_id
$$;
COMMENT ON FUNCTION image_library_internal.former_image IS
  'Row as in images for a tag and a digest that it pointed at, without HM tags';
GRANT EXECUTE ON FUNCTION image_library_internal.former_image TO image_library_agent;

-- An approval belongs to the digest, so every tag that points at it must meet the policy. If a rule sets the kind of an
-- image, policies for the image's own kind still apply.
CREATE FUNCTION image_library_internal.policy_outcomes(registry text, repository text, digest text, effects text[],
  consumer text DEFAULT NULL, former_tag text DEFAULT NULL)
RETURNS TABLE (policy text, effect text, tag text, reason text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  WITH present AS (
    SELECT r.repository_id, v AS image
    FROM image_library_internal.full_repository r
    JOIN image_library.images v ON v.registry = r.registry AND v.repository = r.repository
    WHERE r.registry = policy_outcomes.registry AND r.repository = policy_outcomes.repository
      AND v.digest = policy_outcomes.digest AND v.missing_since IS NULL
  ), asked AS (
    SELECT p.name, p.effect, p.function, i.image
    FROM present i
    JOIN image_library_internal.policy p
      ON CASE WHEN consumer IS NOT NULL THEN p.applies_to = 'consumer:' || consumer
              ELSE p.applies_to IN ('all', (i.image).kind)
                   OR p.applies_to = image_library_internal.own_facts(i.repository_id, (i.image).tag, (i.image).digest) ->> 'kind' END
    WHERE p.enabled AND p.effect = ANY (effects)
    UNION ALL
    SELECT p.name, p.effect, p.function, former.image
    FROM image_library_internal.policy p
    LEFT JOIN (
      SELECT v AS image
      FROM image_library_internal.full_repository r
      CROSS JOIN LATERAL image_library_internal.former_image(r.repository_id, former_tag, policy_outcomes.digest) v
      WHERE r.registry = policy_outcomes.registry AND r.repository = policy_outcomes.repository) former ON true
    WHERE p.applies_to = 'consumer:' || consumer AND p.enabled AND p.effect = ANY (effects)
      AND NOT EXISTS (SELECT FROM present)
  )
  SELECT a.name, a.effect, (a.image).tag, called.reason
  FROM asked a
  CROSS JOIN LATERAL (SELECT image_library_internal.policy_function(a.function) AS function) f
  CROSS JOIN LATERAL (
    -- Without these call_policy, which is strict, would return null: met.
    SELECT CASE WHEN f.function IS NULL THEN format('function %s(image_library.images) does not exist', a.function)
                WHEN (a.image).digest IS NULL THEN 'the library does not know the image any more'
                ELSE image_library_internal.call_policy(f.function::oid, a.image) END AS reason) called
  ORDER BY 1, 3
$$;
COMMENT ON FUNCTION image_library_internal.policy_outcomes IS
  'Results of the enabled policies for each tag of an image, for approvals or for the use by a consumer; reason null: the policy is met';
GRANT EXECUTE ON FUNCTION image_library_internal.policy_outcomes TO image_library_agent;

CREATE FUNCTION image_library.policy_failures(reference text, registry text DEFAULT NULL, consumer text DEFAULT NULL)
RETURNS TABLE (policy text, effect text, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, registry);
BEGIN
  IF consumer IS NOT NULL THEN
    PERFORM image_library_internal.check_consumer(consumer);
  END IF;
  IF consumer IS NULL AND (image.rule_id IS NULL OR image.gone_since IS NOT NULL
     OR image.moved_to IS NOT NULL
        AND NOT EXISTS (SELECT FROM image_library.images v
                        WHERE v.registry = image.registry AND v.repository = image.repository AND v.digest = image.digest)) THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('no policy is asked of image "%s": it is not in the library now', reference),
      detail => 'No rule admits it, its registry does not have it any more, or no tag points at it.',
      hint => 'See image_library.images and image_library.tag_history.');
  END IF;
  RETURN QUERY
    SELECT DISTINCT o.policy, o.effect, o.reason
    FROM image_library_internal.policy_outcomes(image.registry, image.repository, image.digest, '{require,auto_approve,warn}', consumer, image.tag) o
    WHERE o.reason IS NOT NULL
    ORDER BY 1, 3;
END
$$;
COMMENT ON FUNCTION image_library.policy_failures IS
  'Enabled policies that an image does not meet, with effect and reason: those for approvals, or with a consumer those for its use; no row: it meets all';
GRANT EXECUTE ON FUNCTION image_library.policy_failures TO image_library_reader;

-- Functions of users do not get the setting of decide.
CREATE FUNCTION image_library_internal.check_policies(reference text, registry text, repository text, digest text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = auto
AS $$
DECLARE
  failures text[];
  warnings text[];
BEGIN
  IF NOT EXISTS (SELECT FROM image_library_internal.policy p WHERE p.enabled AND p.effect <> 'auto_approve' AND p.applies_to NOT LIKE 'consumer:%') THEN
    RETURN;
  END IF;
  SELECT array_agg(DISTINCT format('"%s": %s', o.policy, o.reason)) FILTER (WHERE o.effect = 'require'),
         array_agg(DISTINCT format('"%s": %s', o.policy, o.reason)) FILTER (WHERE o.effect = 'warn')
  INTO failures, warnings
  FROM image_library_internal.policy_outcomes(registry, repository, digest, '{require,warn}') o
  WHERE o.reason IS NOT NULL;
  IF failures IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot approve image "%s": it does not meet what policies require', reference),
      detail => array_to_string(failures, E'\n'),
      hint => 'See image_library.policy_failures and image_library.policies.');
  END IF;
  IF warnings IS NOT NULL THEN
    RAISE WARNING USING
      MESSAGE = format('image "%s" does not meet every policy', reference),
      DETAIL = array_to_string(warnings, E'\n');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_policies IS
  'Raises 55000 with the required policies that an image does not meet, and warns of the others';

-- Facts of models that no label carries: task, GPUs, profiles. The library ships what vendors publish of the models in
-- their repositories nim/<publisher>/<model>; curators set facts of a repository.

CREATE TABLE image_library_internal.shipped_model_fact (
  model text NOT NULL,
  from_version text NOT NULL,
  before_version text,
  task text,
  gpu_count integer,
  profiles jsonb NOT NULL,
  source text NOT NULL,
  read_on date NOT NULL,
  PRIMARY KEY (model, from_version)
);
COMMENT ON TABLE image_library_internal.shipped_model_fact IS
  'Facts of models as vendors publish them, each with its source; the extension''s script inserts the rows and pg_dump leaves them out';
COMMENT ON COLUMN image_library_internal.shipped_model_fact.model IS 'publisher/model, both as name_key gives them';
COMMENT ON COLUMN image_library_internal.shipped_model_fact.profiles IS 'Array of profiles as checked_profiles returns them; each may name a source of its own';
GRANT SELECT ON image_library_internal.shipped_model_fact TO image_library_agent;

-- They belong to a repository, whose team sets them: no label and no other team can change or borrow them.
CREATE TABLE image_library_internal.model_fact (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  from_version text NOT NULL,
  before_version text,
  task text,
  gpu_count integer,
  profiles jsonb,
  reason text,
  set_at timestamptz NOT NULL DEFAULT now(),
  set_by name NOT NULL DEFAULT session_user,
  PRIMARY KEY (repository_id, from_version)
);
COMMENT ON TABLE image_library_internal.model_fact IS 'Facts of the models of a repository, set by curators; null: not set';
COMMENT ON COLUMN image_library_internal.model_fact.from_version IS 'First model version that the facts are of; empty: any';
COMMENT ON COLUMN image_library_internal.model_fact.before_version IS 'First later model version that the facts are not of; null: none';
GRANT SELECT ON image_library_internal.model_fact TO image_library_agent;

CREATE FUNCTION image_library_internal.nim_model(full_name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.name_key(part[1]) || '/' || image_library_internal.name_key(part[2])
  FROM regexp_match(full_name, '(?:^|/)nim/([^/]+)/([^/]+)$') part
$$;
COMMENT ON FUNCTION image_library_internal.nim_model IS
  'publisher/model of a repository nim/<publisher>/<model>, below any prefix of a mirror, in the form of shipped_model_fact; null: it is no such repository';
GRANT EXECUTE ON FUNCTION image_library_internal.nim_model TO image_library_agent;

CREATE FUNCTION image_library_internal.is_version_between(version text, from_version text, before_version text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT from_version = '' AND before_version IS NULL
    OR coalesce(version <> '' AND image_library.version_key(version) >= image_library.version_key(from_version)
                AND (before_version IS NULL OR image_library.version_key(version) < image_library.version_key(before_version)), false)
$$;
COMMENT ON FUNCTION image_library_internal.is_version_between IS
  'Whether facts for a range of versions are of a version; an image without a version has only facts for all versions';
GRANT EXECUTE ON FUNCTION image_library_internal.is_version_between TO image_library_agent;

CREATE FUNCTION image_library_internal.least_gpu_count(profiles jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT min((p ->> 'gpu_count')::integer) FROM jsonb_array_elements(profiles) p $$;
COMMENT ON FUNCTION image_library_internal.least_gpu_count IS 'GPUs of the profile that needs the fewest; null: there is none';
GRANT EXECUTE ON FUNCTION image_library_internal.least_gpu_count TO image_library_agent;

-- Of each fact a curator's counts, then that of the image's own metadata, then the shipped one. Of several rows that one
-- counts whose range of versions begins last.
CREATE FUNCTION image_library_internal.with_model_facts(facts jsonb, repository_id integer, full_name text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT facts || jsonb_build_object(
    'task', coalesce(curated.task, facts ->> 'task', shipped.task),
    'gpu_count', coalesce(curated.gpu_count, image_library_internal.least_gpu_count(curated.profiles),
                          (facts ->> 'gpu_count')::integer,
                          shipped.gpu_count, image_library_internal.least_gpu_count(shipped.profiles)),
    'profiles', coalesce(curated.profiles, nullif(facts -> 'profiles', '[]'), shipped.profiles, '[]'),
    'facts_from', jsonb_strip_nulls(jsonb_build_object(
      'task', CASE WHEN curated.task IS NOT NULL THEN 'curator' WHEN facts ->> 'task' IS NOT NULL THEN 'image'
                   WHEN shipped.task IS NOT NULL THEN 'shipped' END,
      'gpu_count', CASE WHEN coalesce(curated.gpu_count, image_library_internal.least_gpu_count(curated.profiles)) IS NOT NULL THEN 'curator'
                        WHEN facts ->> 'gpu_count' IS NOT NULL THEN 'image'
                        WHEN coalesce(shipped.gpu_count, image_library_internal.least_gpu_count(shipped.profiles)) IS NOT NULL THEN 'shipped' END,
      'profiles', CASE WHEN curated.profiles IS NOT NULL THEN 'curator' WHEN facts -> 'profiles' <> '[]' THEN 'image'
                       WHEN shipped.profiles <> '[]' THEN 'shipped' END)))
  FROM (VALUES (true)) AS one_row
  LEFT JOIN LATERAL (
    SELECT f.* FROM image_library_internal.model_fact f
    WHERE f.repository_id = with_model_facts.repository_id
      AND image_library_internal.is_version_between(facts ->> 'model_version', f.from_version, f.before_version)
    ORDER BY f.from_version <> '' DESC, image_library.version_key(f.from_version) DESC, f.before_version IS NULL
    LIMIT 1) curated ON true
  LEFT JOIN LATERAL (
    SELECT f.* FROM image_library_internal.shipped_model_fact f
    WHERE facts ->> 'format' = 'nim' AND f.model = image_library_internal.nim_model(full_name)
      AND image_library_internal.is_version_between(facts ->> 'model_version', f.from_version, f.before_version)
    ORDER BY f.from_version <> '' DESC, image_library.version_key(f.from_version) DESC, f.before_version IS NULL
    LIMIT 1) shipped ON true
$$;
COMMENT ON FUNCTION image_library_internal.with_model_facts IS
  'Classification of a model with the facts of curators and vendors, and where each fact comes from (facts_from)';
GRANT EXECUTE ON FUNCTION image_library_internal.with_model_facts TO image_library_agent;

CREATE FUNCTION image_library_internal.checked_fact_text(what text, value text, longest integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF btrim(value) <> value OR value = '' OR length(value) > longest OR value ~ '[[:cntrl:]]' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid %s: "%s"', what, left(value, 100)),
      hint => format('Use 1 to %s characters on one line, with no space at either end.', longest));
  END IF;
  RETURN value;
END
$$;
COMMENT ON FUNCTION image_library_internal.checked_fact_text IS 'The given text; raises 22023 if a model fact may not have it; null is allowed';

-- A profile is an object with the keys of view model_profiles.
CREATE FUNCTION image_library_internal.checked_profiles(profiles jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  profile jsonb;
  wrong text;
  gpus integer;
  checked jsonb := '[]';
BEGIN
  IF profiles IS NULL THEN
    RETURN NULL;
  END IF;
  IF jsonb_typeof(profiles) <> 'array' OR octet_length(profiles::text) > 65536 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'the profiles of a model must be a JSON array of at most 64 KiB',
      hint => 'Write [{"name": "vllm-bf16-tp4-pp1", "engine": "vllm", "precision": "bf16", "tp": 4, "pp": 1}, ...].');
  END IF;
  FOR profile IN SELECT p FROM jsonb_array_elements(profiles) p LOOP
    wrong := CASE
      WHEN jsonb_typeof(profile) <> 'object' THEN 'it is no object'
      ELSE (
        SELECT format('%s must be %s', left(k.key, 100), coalesce(known.meaning, 'left out: there is no such key'))
        FROM jsonb_each(profile) k
        LEFT JOIN (VALUES
          ('name', 'string', '^.{1,200}$', 'a text of 1 to 200 characters'), ('engine', 'string', '^.{1,100}$', 'a text of 1 to 100 characters'),
          ('gpu', 'string', '^.{1,100}$', 'a text of 1 to 100 characters'), ('precision', 'string', '^.{1,100}$', 'a text of 1 to 100 characters'),
          ('qos', 'string', '^(latency|throughput|balanced)$', 'latency, throughput or balanced'),
          ('tp', 'number', '^[1-9][0-9]{0,2}$', 'a number from 1 to 999'), ('pp', 'number', '^[1-9][0-9]{0,2}$', 'a number from 1 to 999'),
          ('gpu_count', 'number', '^[1-9][0-9]{0,3}$', 'a number from 1 to 9999'),
          ('gpu_memory_gb', 'number', '^(?=.*[1-9])[0-9]{1,6}([.][0-9]{1,3})?$', 'a positive number of GB'),
          ('disk_gb', 'number', '^(?=.*[1-9])[0-9]{1,6}([.][0-9]{1,3})?$', 'a positive number of GB'),
          ('lora', 'boolean', '', 'true or false'), ('buildable', 'boolean', '', 'true or false')
        ) AS known (key, type, pattern, meaning) USING (key)
        WHERE jsonb_typeof(k.value) <> 'null'
          AND (known.key IS NULL OR jsonb_typeof(k.value) <> known.type
               OR (k.value #>> '{}') !~ known.pattern OR (k.value #>> '{}') ~ '[[:cntrl:]]')
        ORDER BY k.key LIMIT 1) END;
    IF wrong IS NULL THEN
      gpus := coalesce((profile ->> 'gpu_count')::integer, (profile ->> 'tp')::integer * coalesce((profile ->> 'pp')::integer, 1));
      wrong := CASE
        WHEN gpus IS NULL THEN 'it needs tp (and pp), or gpu_count'
        WHEN gpus <> (profile ->> 'tp')::integer * coalesce((profile ->> 'pp')::integer, 1) THEN 'gpu_count must be tp times pp' END;
    END IF;
    IF wrong IS NOT NULL THEN
      PERFORM image_library_internal.fail(
        errcode => 'invalid_parameter_value',
        message => format('invalid profile of a model: %s', wrong),
        detail => format('It is %s.', left(profile::text, 300)),
        hint => 'A profile may have name, engine, gpu, precision, tp, pp, gpu_count, qos, lora, buildable, gpu_memory_gb and disk_gb.');
    END IF;
    -- Support matrices have configurations without a name.
    checked := checked || jsonb_build_object(
      'name', coalesce(profile ->> 'name', concat_ws(' ', gpus, 'x', coalesce(profile ->> 'gpu', 'any GPU'), profile ->> 'precision', profile ->> 'qos')),
      'engine', profile -> 'engine', 'gpu', profile -> 'gpu', 'precision', profile -> 'precision',
      'tp', profile -> 'tp', 'pp', CASE WHEN profile ->> 'tp' IS NOT NULL THEN coalesce((profile ->> 'pp')::integer, 1) END,
      'gpu_count', gpus, 'qos', profile -> 'qos', 'lora', coalesce((profile ->> 'lora')::boolean, false),
      'buildable', coalesce((profile ->> 'buildable')::boolean, false),
      'gpu_memory_gb', profile -> 'gpu_memory_gb', 'disk_gb', profile -> 'disk_gb');
  END LOOP;
  SELECT p ->> 'name' INTO wrong FROM jsonb_array_elements(checked) p GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('two profiles of a model have the name "%s"', wrong),
      hint => 'Give each a name of its own.');
  END IF;
  RETURN jsonb_strip_nulls(checked);
END
$$;
COMMENT ON FUNCTION image_library_internal.checked_profiles IS
  'Profiles of a model with all their keys, and with a name if they had none; raises 22023; null is allowed';

-- A digest that a tag pointed at before keeps its profiles, so they are renewed as well.
CREATE FUNCTION image_library_internal.refresh_model_facts(repository_id integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.refresh_entries(repository_id, NULL);
  PERFORM image_library_internal.refresh_profiles(ARRAY(
    SELECT (r.repository_id, before.tag, before.digest, image_library_internal.with_model_facts(own.facts, r.repository_id, r.full_name))::image_library_internal.classified_tag
    FROM image_library_internal.full_repository r
    CROSS JOIN LATERAL (
      SELECT DISTINCT ON (p.digest) p.tag, p.digest FROM image_library_internal.tag_period p
      WHERE p.repository_id = r.repository_id
        AND NOT EXISTS (SELECT FROM image_library_internal.tag t WHERE t.repository_id = r.repository_id AND t.digest = p.digest)
      ORDER BY p.digest, p.since DESC) before
    CROSS JOIN LATERAL (SELECT image_library_internal.own_facts(r.repository_id, before.tag, before.digest) OFFSET 0) AS own (facts)
    WHERE r.repository_id = refresh_model_facts.repository_id AND own.facts ->> 'kind' = 'model'));
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_model_facts IS 'Updates the read model of a repository after a change of its models'' facts';

-- The facts are of all images of the repository, so a curator must be in the teams of all its parts.
CREATE FUNCTION image_library_internal.locked_model_repository(registry text, repository text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := image_library_internal.known_repository_id(registry, repository);
  owners regrole[];
BEGIN
  PERFORM image_library_internal.lock_repository(r.registry_id, id, for_batch => true)
  FROM image_library_internal.repository r WHERE r.repository_id = id;
  FOR owners IN
    SELECT DISTINCT array_remove(ARRAY[u.owner, g.owner], NULL)
    FROM image_library_internal.repository r
    JOIN image_library_internal.registry g USING (registry_id)
    LEFT JOIN image_library_internal.tag t USING (repository_id)
    LEFT JOIN image_library_internal.rule u ON u.rule_id = t.rule_id
    WHERE r.repository_id = id
  LOOP
    IF cardinality(owners) > 0 THEN
      PERFORM image_library_internal.require_owner(
        format('set model facts of repository "%s" of registry "%s"', repository, registry), VARIADIC owners);
    END IF;
  END LOOP;
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library_internal.locked_model_repository IS
  'Number of a repository, locked, whose model facts the acting role may set; raises 42704, 42501, 25000';

CREATE FUNCTION image_library.set_model_facts(registry text, repository text, task text DEFAULT NULL,
  gpu_count integer DEFAULT NULL, profiles jsonb DEFAULT NULL, from_version text DEFAULT '',
  before_version text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := image_library_internal.locked_model_repository(registry, repository);
BEGIN
  IF task IS NULL AND gpu_count IS NULL AND profiles IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'no fact is given',
      hint => 'Give task, gpu_count or profiles; image_library.drop_model_facts removes the facts of a repository.');
  END IF;
  from_version := coalesce(from_version, '');
  PERFORM image_library_internal.check_reason(reason);
  PERFORM image_library_internal.checked_fact_text('version of a model', nullif(from_version, ''), 128);
  PERFORM image_library_internal.checked_fact_text('version of a model', before_version, 128);
  IF from_version <> '' AND image_library.version_key(before_version) <= image_library.version_key(from_version) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('no version is from "%s" on and before "%s"', from_version, before_version));
  END IF;
  INSERT INTO image_library_internal.model_fact AS f (repository_id, from_version, before_version, task, gpu_count, profiles, reason)
  VALUES (id, set_model_facts.from_version, set_model_facts.before_version,
          image_library_internal.checked_fact_text('task of a model', lower(set_model_facts.task), 100),
          image_library_internal.check_range('gpu_count', set_model_facts.gpu_count, 0, 9999),
          image_library_internal.checked_profiles(set_model_facts.profiles),
          set_model_facts.reason)
  ON CONFLICT ON CONSTRAINT model_fact_pkey DO UPDATE
  SET before_version = excluded.before_version, task = excluded.task, gpu_count = excluded.gpu_count,
      profiles = excluded.profiles, reason = excluded.reason, set_at = excluded.set_at, set_by = excluded.set_by;
  IF (SELECT count(*) FROM image_library_internal.model_fact f WHERE f.repository_id = id) > 100 THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('repository "%s" of registry "%s" has model facts for 100 ranges of versions already', repository, registry),
      hint => 'Drop some with image_library.drop_model_facts.');
  END IF;
  PERFORM image_library_internal.refresh_model_facts(id);
END
$$;
COMMENT ON FUNCTION image_library.set_model_facts IS
  'Sets facts of the models of a repository that its images do not tell, or tell wrong, for all versions or from one version on and before another; replaces what was set with the same from_version. For curators in the teams that own the repository, and admins';
GRANT EXECUTE ON FUNCTION image_library.set_model_facts TO image_library_curator;

CREATE FUNCTION image_library.drop_model_facts(registry text, repository text, from_version text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := image_library_internal.locked_model_repository(registry, repository);
BEGIN
  DELETE FROM image_library_internal.model_fact f
  WHERE f.repository_id = id AND f.from_version = coalesce(drop_model_facts.from_version, f.from_version);
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('repository "%s" of registry "%s" has no such model facts', repository, registry),
      hint => 'See image_library.model_facts.');
  END IF;
  PERFORM image_library_internal.refresh_model_facts(id);
END
$$;
COMMENT ON FUNCTION image_library.drop_model_facts IS
  'Removes the facts that curators set of the models of a repository: those that begin with a version (empty: with none), or all';
GRANT EXECUTE ON FUNCTION image_library.drop_model_facts TO image_library_curator;

CREATE VIEW image_library.model_facts WITH (security_barrier) AS
  SELECT 'curator' AS origin, r.registry, r.repository, NULL::text AS model,
         f.from_version, f.before_version, f.task, f.gpu_count, f.profiles, f.reason,
         NULL::text AS source, NULL::date AS read_on, f.set_at, f.set_by
  FROM image_library_internal.model_fact f
  JOIN image_library_internal.visible_repository r USING (repository_id)
  UNION ALL
  SELECT 'shipped', NULL, NULL, f.model, f.from_version, f.before_version, f.task, f.gpu_count, f.profiles, NULL,
         f.source, f.read_on, NULL, NULL
  FROM image_library_internal.shipped_model_fact f;
COMMENT ON VIEW image_library.model_facts IS
  'Facts of models that come from rows: set by curators for a repository, or shipped, for repositories nim/<publisher>/<model>. Curators'' count before those of the image, and these before shipped ones';
GRANT SELECT ON image_library.model_facts TO image_library_reader;

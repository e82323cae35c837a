-- The read model: one narrow row for each Postgres or model tag that the rules admit, so that a page or lookup of a
-- consumer is one index scan. It is written in the transaction of the sync, decision or rule change that changes it.

-- The one order for choosing the newest image: newer version, then newer build, then images without a variant, then the
-- longest tag.
CREATE FUNCTION image_library_internal.newest_key(version text, build_at timestamptz, variant text, tag text) RETURNS bytea[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY[image_library.version_key(coalesce(version, '')),
               CASE WHEN build_at IS NULL THEN '' ELSE int8send((extract(epoch FROM build_at) * 1000000)::bigint) END,
               CASE WHEN coalesce(variant, '') = '' THEN E'\\x01' ELSE E'\\x00' END,
               image_library.version_key(tag)]::bytea[]
$$;
COMMENT ON FUNCTION image_library_internal.newest_key IS
  'A key that is larger for the newer of two images; its first element is the version, its second the build';
GRANT EXECUTE ON FUNCTION image_library_internal.newest_key TO image_library_agent;

CREATE TABLE image_library_internal.entry (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  tag text COLLATE "C" NOT NULL,
  registry_id integer NOT NULL,
  repository text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind <> 'other' AND kind = ANY (image_library_internal.kinds())),
  approval text NOT NULL,
  usable_until timestamptz NOT NULL,
  missing_since timestamptz,
  title text,
  description text,
  version text,
  newest_key bytea[] NOT NULL,
  size_bytes bigint NOT NULL,
  created_at timestamptz,
  flavor text,
  major_version integer,
  build_at timestamptz,
  variant text,
  os text,
  features text[] NOT NULL,
  extensions text[] NOT NULL,
  publisher text,
  model text,
  model_version text,
  format text,
  task text,
  gpu_count integer,
  system_tags text[] NOT NULL,
  conflicts text[] NOT NULL,
  deprecated_from timestamptz,
  contested boolean NOT NULL,
  facts_from jsonb,
  PRIMARY KEY (repository_id, tag)
);
CREATE INDEX entry_digest ON image_library_internal.entry (digest, repository_id);
CREATE INDEX entry_usable ON image_library_internal.entry (kind, repository, tag)
  WHERE approval = 'approved' AND missing_since IS NULL;
CREATE INDEX entry_conflicts ON image_library_internal.entry (repository_id, tag) WHERE conflicts <> '{}';
CREATE INDEX entry_newest ON image_library_internal.entry (flavor, major_version, coalesce(variant, ''), repository_id)
  WHERE approval = 'approved' AND missing_since IS NULL AND kind = 'postgres';
CREATE INDEX entry_latest ON image_library_internal.entry
  (repository_id, flavor, major_version, coalesce(variant, ''), coalesce(os, ''), newest_key DESC)
  WHERE approval = 'approved' AND missing_since IS NULL AND kind = 'postgres';
-- Compares names of models as Kubernetes names do: llama-3.1 and llama_3.1 are equal.
CREATE FUNCTION image_library_internal.name_key(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT regexp_replace(lower(name COLLATE "C"), '[^a-z0-9]+', '-', 'g') $$;
COMMENT ON FUNCTION image_library_internal.name_key IS 'Letters, digits and dashes of a name, to compare names';
GRANT EXECUTE ON FUNCTION image_library_internal.name_key TO image_library_agent;
CREATE INDEX entry_model_name ON image_library_internal.entry (image_library_internal.name_key(model)) WHERE kind = 'model';
COMMENT ON TABLE image_library_internal.entry IS 'Read model of postgres_images and model_library';
COMMENT ON COLUMN image_library_internal.entry.contested IS
  'Whether there are contradictions on flavor, major version, version, variant or OS; such an image is not chosen automatically';
COMMENT ON COLUMN image_library_internal.entry.newest_key IS
  'Result of newest_key; of several images the one with the largest key is the newest';
COMMENT ON COLUMN image_library_internal.entry.facts_from IS
  'Where task, gpu_count and profiles of a model come from: curator, image or shipped';
COMMENT ON COLUMN image_library_internal.entry.usable_until IS 'Time until which the approval counts';
COMMENT ON COLUMN image_library_internal.entry.conflicts IS 'Contradictions between annotations, tag and repository';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.entry TO image_library_agent;

-- The name of an extension image is that of its repository, and a rule may set another kind: so an image may have others in
-- another repository.
CREATE TABLE image_library_internal.image_extension (
  digest text COLLATE "C" NOT NULL REFERENCES image_library_internal.image ON DELETE CASCADE,
  name text NOT NULL,
  version text,
  description text,
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  PRIMARY KEY (repository_id, digest, name)
);
CREATE INDEX image_extension_digest ON image_library_internal.image_extension (digest);
CREATE INDEX image_extension_name ON image_library_internal.image_extension (name);
COMMENT ON TABLE image_library_internal.image_extension IS
  'PostgreSQL extensions in an image of a repository, according to its annotations';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.image_extension TO image_library_agent;

-- Profiles also come from facts of the repository (see model_facts.sql), so a digest may have others in another one.
CREATE TABLE image_library_internal.model_profile (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL REFERENCES image_library_internal.image ON DELETE CASCADE,
  name text NOT NULL,
  engine text,
  gpu text,
  "precision" text,
  tp integer,
  pp integer,
  gpu_count integer NOT NULL,
  qos text,
  lora boolean NOT NULL,
  buildable boolean NOT NULL,
  gpu_memory_gb numeric,
  disk_gb numeric,
  PRIMARY KEY (repository_id, digest, name)
);
CREATE INDEX model_profile_digest ON image_library_internal.model_profile (digest);
COMMENT ON TABLE image_library_internal.model_profile IS
  'Profiles of a model in a repository: engine, GPU, precision, parallelism; tp and pp are null if only the number of GPUs is published';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.model_profile TO image_library_agent;

CREATE TYPE image_library_internal.classified_tag AS (repository_id integer, tag text, digest text, facts jsonb);
COMMENT ON TYPE image_library_internal.classified_tag IS 'A tag and the classification of its image';

CREATE FUNCTION image_library_internal.classified_tags(repository_id integer, tags text[])
RETURNS SETOF image_library_internal.classified_tag
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  keys jsonb := image_library_internal.classification_keys();
BEGIN
  RETURN QUERY
    SELECT r.repository_id, t.name, t.digest,
           CASE WHEN c.facts ->> 'kind' = 'model'
                THEN image_library_internal.with_model_facts(c.facts, r.repository_id, r.full_name) ELSE c.facts END
    FROM image_library_internal.full_repository r
    CROSS JOIN unnest(tags) AS asked (name)
    -- OFFSET 0: tables are read by key, and each image is classified once.
    CROSS JOIN LATERAL (
      SELECT x.name, x.digest, x.rule_id FROM image_library_internal.tag x
      WHERE x.repository_id = classified_tags.repository_id AND x.name = asked.name OFFSET 0) t
    CROSS JOIN LATERAL (
      SELECT m.artifact_type, m.config_type, m.layer_types, m.annotations, m.labels FROM image_library_internal.image m
      WHERE m.digest = t.digest OFFSET 0) i
    LEFT JOIN LATERAL (SELECT v.kind FROM image_library_internal.rule v WHERE v.rule_id = t.rule_id OFFSET 0) u ON true
    CROSS JOIN LATERAL (SELECT image_library_internal.classify(
      r.full_name, t.name, i.artifact_type, i.config_type, i.layer_types, i.annotations, i.labels, keys,
      coalesce(u.kind, 'auto')) OFFSET 0) AS c (facts)
    WHERE r.repository_id = classified_tags.repository_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.classified_tags IS
  'Classification of the images of some tags of a repository, from their stored facts, with the facts of models that come from rows';
GRANT EXECUTE ON FUNCTION image_library_internal.classified_tags TO image_library_agent;

CREATE FUNCTION image_library_internal.own_facts(repository_id integer, tag text, digest text, kind text DEFAULT 'auto') RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.classify(
    r.full_name, own_facts.tag, i.artifact_type, i.config_type, i.layer_types,
    i.annotations, i.labels, image_library_internal.classification_keys(), own_facts.kind)
  FROM image_library_internal.full_repository r
  JOIN image_library_internal.image i ON i.digest = own_facts.digest
  WHERE r.repository_id = own_facts.repository_id
$$;
COMMENT ON FUNCTION image_library_internal.own_facts IS
  'Classification of an image for a tag that points, or pointed, at it, by default without the kind that a rule sets';
GRANT EXECUTE ON FUNCTION image_library_internal.own_facts TO image_library_agent;

CREATE FUNCTION image_library_internal.wanted_entries(classified image_library_internal.classified_tag[])
RETURNS SETOF image_library_internal.entry
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  RETURN QUERY
  -- In the order of the table's columns; sql/catalog.sql compares the names.
  SELECT t.repository_id AS repository_id,
         t.name AS tag,
         r.registry_id AS registry_id,
         r.repository AS repository,
         c.digest AS digest,
         c.facts ->> 'kind' AS kind,
         -- An image without a decision is pending.
         coalesce(a.state, 'pending') AS approval,
         image_library_internal.usable_until(a.state, a.valid_until, a.deprecated_from, a.quarantined_at IS NOT NULL) AS usable_until,
         t.missing_since AS missing_since,
         c.facts ->> 'title' AS title,
         c.facts ->> 'description' AS description,
         c.facts ->> 'version' AS version,
         image_library_internal.newest_key(c.facts ->> 'version', (c.facts ->> 'build_at')::timestamptz, c.facts ->> 'variant', t.name) AS newest_key,
         i.size_bytes AS size_bytes,
         i.created_at AS created_at,
         c.facts ->> 'flavor' AS flavor,
         (c.facts ->> 'major_version')::integer AS major_version,
         (c.facts ->> 'build_at')::timestamptz AS build_at,
         c.facts ->> 'variant' AS variant,
         c.facts ->> 'os' AS os,
         f.features AS features,
         ARRAY(SELECT concat_ws(' ', e ->> 'name', e ->> 'version') FROM jsonb_array_elements(c.facts -> 'extensions') e) AS extensions,
         c.facts ->> 'publisher' AS publisher,
         c.facts ->> 'model' AS model,
         c.facts ->> 'model_version' AS model_version,
         c.facts ->> 'format' AS format,
         c.facts ->> 'task' AS task,
         (c.facts ->> 'gpu_count')::integer AS gpu_count,
         image_library_internal.system_tags(r.host, f.features) AS system_tags,
         ARRAY(SELECT jsonb_array_elements_text(c.facts -> 'conflicts')) AS conflicts,
         a.deprecated_from AS deprecated_from,
         (c.facts ->> 'contested')::boolean AS contested,
         c.facts -> 'facts_from' AS facts_from
  FROM unnest(classified) c
  CROSS JOIN LATERAL (
    SELECT x.* FROM image_library_internal.full_repository x WHERE x.repository_id = c.repository_id OFFSET 0) r
  CROSS JOIN LATERAL (SELECT ARRAY(SELECT jsonb_array_elements_text(c.facts -> 'features'))) AS f (features)
  CROSS JOIN LATERAL (
    SELECT x.* FROM image_library_internal.tag x
    WHERE x.repository_id = c.repository_id AND x.name = c.tag OFFSET 0) t
  CROSS JOIN LATERAL (
    SELECT m.size_bytes, m.created_at FROM image_library_internal.image m WHERE m.digest = c.digest OFFSET 0) i
  LEFT JOIN LATERAL (
    SELECT y.* FROM image_library_internal.approval y
    WHERE y.repository_id = c.repository_id AND y.digest = c.digest OFFSET 0) a ON true
  WHERE t.rule_id IS NOT NULL AND c.facts ->> 'kind' <> 'other';
END
$$;
COMMENT ON FUNCTION image_library_internal.wanted_entries IS
  'Rows of the read model, computed from tags, images, rules and approvals';
GRANT EXECUTE ON FUNCTION image_library_internal.wanted_entries TO image_library_agent;

-- The read model has a row for each tag. For a digest that its tag does not point at any more, it is computed.
CREATE FUNCTION image_library_internal.entry_of(repository_id integer, tag text, digest text)
RETURNS SETOF image_library_internal.entry
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT e.*
  FROM image_library_internal.entry e
  WHERE e.repository_id = entry_of.repository_id AND e.tag = entry_of.tag AND e.digest = entry_of.digest
  UNION ALL
  SELECT w.*
  FROM image_library_internal.tag t
  LEFT JOIN image_library_internal.rule u ON u.rule_id = t.rule_id
  JOIN image_library_internal.full_repository r ON r.repository_id = t.repository_id
  CROSS JOIN LATERAL (
    SELECT image_library_internal.own_facts(t.repository_id, t.name, entry_of.digest, coalesce(u.kind, 'auto')) OFFSET 0) AS own (facts)
  CROSS JOIN LATERAL image_library_internal.wanted_entries(ARRAY[
    (t.repository_id, t.name, entry_of.digest, CASE WHEN own.facts ->> 'kind' = 'model'
                                   THEN image_library_internal.with_model_facts(own.facts, r.repository_id, r.full_name) ELSE own.facts END)
      ::image_library_internal.classified_tag]) w
  WHERE t.repository_id = entry_of.repository_id AND t.name = entry_of.tag AND t.digest <> entry_of.digest
$$;
COMMENT ON FUNCTION image_library_internal.entry_of IS
  'Row of the read model for a digest that a tag points, or pointed, at; no row: it is neither a Postgres image nor a model, or its tag is hidden';

-- As an UPDATE has no LATERAL to its own table, the ways to join that would read the whole repository are switched off.
CREATE FUNCTION image_library_internal.refresh_tags(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET jit = off
AS $$
BEGIN
  UPDATE image_library_internal.tag t
  SET kind = n.kind, approval = n.approval, waits_from = n.waits_from, waits_until = n.waits_until
  FROM (SELECT t.name, coalesce(e.kind, 'other') AS kind, coalesce(a.state, 'pending') AS approval,
               image_library_internal.waits_from(a.state, a.valid_until, a.quarantined_at IS NOT NULL) AS waits_from,
               a.deprecated_from AS waits_until
        FROM unnest(tags) AS asked (name)
        CROSS JOIN LATERAL (
          SELECT x.name, x.digest FROM image_library_internal.tag x
          WHERE x.repository_id = refresh_tags.repository_id AND x.name = asked.name OFFSET 0) t
        LEFT JOIN LATERAL (
          SELECT x.kind FROM image_library_internal.entry x
          WHERE x.repository_id = refresh_tags.repository_id AND x.tag = t.name OFFSET 0) e ON true
        LEFT JOIN LATERAL (
          SELECT x.* FROM image_library_internal.approval x
          WHERE x.repository_id = refresh_tags.repository_id AND x.digest = t.digest OFFSET 0) a ON true
        OFFSET 0) n
  WHERE t.repository_id = refresh_tags.repository_id AND t.name = n.name
    AND (t.kind, t.approval, t.waits_from, t.waits_until) IS DISTINCT FROM (n.kind, n.approval, n.waits_from, n.waits_until);
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_tags IS
  'Updates kind and approval beside some tags of a repository; equal rows are not written';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_tags TO image_library_agent;

CREATE FUNCTION image_library_internal.write_entries(classified image_library_internal.classified_tag[], are_new boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  tags image_library_internal.tag_place[];
  wanted image_library_internal.entry[] := '{}';
  have_entries boolean;
  have_extensions boolean;
  have_profiles boolean;
  have_conflicts boolean;
BEGIN
  SELECT array_agg((c.repository_id, c.tag)::image_library_internal.tag_place), coalesce(bool_or(c.facts ->> 'kind' <> 'other'), false), coalesce(bool_or(c.facts -> 'extensions' <> '[]'), false),
         coalesce(bool_or(c.facts -> 'profiles' <> '[]'), false), coalesce(bool_or(c.facts -> 'conflicts' <> '[]'), false)
  INTO tags, have_entries, have_extensions, have_profiles, have_conflicts
  FROM unnest(classified) c;
  IF have_entries THEN
    wanted := ARRAY(SELECT w FROM image_library_internal.wanted_entries(classified) w);
  END IF;
  IF NOT are_new AND EXISTS (
    SELECT FROM unnest(tags) a
    CROSS JOIN LATERAL (SELECT FROM image_library_internal.entry e
                        WHERE e.repository_id = a.repository_id AND e.tag = a.tag OFFSET 0) there) THEN
    -- EXECUTE makes a plan for these arrays: to join two of them well, it needs their sizes.
    EXECUTE 'DELETE FROM image_library_internal.entry e
             USING unnest($1) a LEFT JOIN unnest($2) w ON w.repository_id = a.repository_id AND w.tag = a.tag
             WHERE e.repository_id = a.repository_id AND e.tag = a.tag AND e IS DISTINCT FROM w'
    USING tags, wanted;
  END IF;
  IF have_entries THEN
    INSERT INTO image_library_internal.entry (repository_id, tag, registry_id, repository, digest, kind, approval, usable_until,
                                     missing_since, title, description, version, newest_key, size_bytes, created_at,
                                     flavor, major_version, build_at, variant, os, features, extensions, publisher,
                                     model, model_version, format, task, gpu_count, system_tags, conflicts,
                                     deprecated_from, contested, facts_from)
    SELECT w.repository_id, w.tag, w.registry_id, w.repository, w.digest, w.kind, w.approval, w.usable_until,
           w.missing_since, w.title, w.description, w.version, w.newest_key, w.size_bytes, w.created_at, w.flavor,
           w.major_version, w.build_at, w.variant, w.os, w.features, w.extensions, w.publisher, w.model,
           w.model_version, w.format, w.task, w.gpu_count, w.system_tags, w.conflicts, w.deprecated_from, w.contested,
           w.facts_from
    FROM unnest(wanted) w
    LEFT JOIN LATERAL (
      SELECT x.tag FROM image_library_internal.entry x
      WHERE x.repository_id = w.repository_id AND x.tag = w.tag OFFSET 0) e ON true
    WHERE e.tag IS NULL;
  END IF;
  -- New tags have no rows that are to be removed.
  IF have_extensions OR NOT are_new THEN
    PERFORM image_library_internal.refresh_extensions(classified);
    PERFORM image_library_internal.refresh_extension_images(classified);
  END IF;
  IF have_profiles OR NOT are_new THEN
    PERFORM image_library_internal.refresh_profiles(classified);
  END IF;
  IF have_conflicts OR NOT are_new THEN
    PERFORM image_library_internal.refresh_conflicts(classified);
  END IF;
  PERFORM image_library_internal.refresh_text(tags, have_entries OR have_extensions);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_entries IS
  'Updates the read model for classified tags, also of several repositories; equal rows are not written. are_new: the tags were not there before';
GRANT EXECUTE ON FUNCTION image_library_internal.write_entries TO image_library_agent;

CREATE FUNCTION image_library_internal.refresh_entries(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  asked text[] := coalesce(tags, ARRAY(SELECT t.name FROM image_library_internal.tag t
                                       WHERE t.repository_id = refresh_entries.repository_id));
BEGIN
  PERFORM image_library_internal.write_entries(
    ARRAY(SELECT c FROM image_library_internal.classified_tags(refresh_entries.repository_id, asked) c), are_new => false);
  PERFORM image_library_internal.refresh_tags(repository_id, asked);
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_entries IS
  'Updates the read model for some tags (null: all) of a repository; equal rows are not written';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_entries TO image_library_agent;

-- Images that are not Postgres servers (CloudNativePG extension images) have extensions too.
CREATE FUNCTION image_library_internal.refresh_extensions(classified image_library_internal.classified_tag[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  wanted image_library_internal.image_extension[] := ARRAY(
    SELECT (c.digest, e ->> 'name', e ->> 'version', e ->> 'description', c.repository_id)::image_library_internal.image_extension
    FROM (SELECT DISTINCT ON (repository_id, digest) repository_id, digest, facts FROM unnest(classified) ORDER BY repository_id, digest, tag) c
    CROSS JOIN jsonb_array_elements(c.facts -> 'extensions') e);
BEGIN
  IF EXISTS (SELECT FROM unnest(classified) c
             CROSS JOIN LATERAL (SELECT FROM image_library_internal.image_extension x
                                 WHERE x.repository_id = c.repository_id AND x.digest = c.digest OFFSET 0) there) THEN
    EXECUTE 'DELETE FROM image_library_internal.image_extension x
             USING (SELECT DISTINCT c.repository_id, c.digest FROM unnest($1) c) AS asked
             WHERE x.repository_id = asked.repository_id AND x.digest = asked.digest
               AND NOT EXISTS (SELECT FROM unnest($2) w
                               WHERE w.digest = x.digest AND w.name = x.name AND w IS NOT DISTINCT FROM x)'
    USING classified, wanted;
  END IF;
  INSERT INTO image_library_internal.image_extension (digest, name, version, description, repository_id)
  SELECT w.digest, w.name, w.version, w.description, w.repository_id FROM unnest(wanted) w ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_extensions IS
  'Updates the extensions of the digests that some tags point at';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_extensions TO image_library_agent;

CREATE FUNCTION image_library_internal.refresh_profiles(classified image_library_internal.classified_tag[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  wanted image_library_internal.model_profile[] := ARRAY(
    SELECT (c.repository_id, c.digest, e ->> 'name', e ->> 'engine', e ->> 'gpu', e ->> 'precision', (e ->> 'tp')::integer,
            (e ->> 'pp')::integer, coalesce((e ->> 'gpu_count')::integer, (e ->> 'tp')::integer * (e ->> 'pp')::integer),
            e ->> 'qos', (e ->> 'lora')::boolean, (e ->> 'buildable')::boolean,
            (e ->> 'gpu_memory_gb')::numeric, (e ->> 'disk_gb')::numeric)::image_library_internal.model_profile
    FROM (SELECT DISTINCT ON (repository_id, digest) repository_id, digest, facts FROM unnest(classified) ORDER BY repository_id, digest, tag) c
    CROSS JOIN jsonb_array_elements(c.facts -> 'profiles') e);
BEGIN
  IF EXISTS (SELECT FROM unnest(classified) c
             CROSS JOIN LATERAL (SELECT FROM image_library_internal.model_profile x
                                 WHERE x.repository_id = c.repository_id AND x.digest = c.digest OFFSET 0) there) THEN
    EXECUTE 'DELETE FROM image_library_internal.model_profile x
             USING (SELECT DISTINCT c.repository_id, c.digest FROM unnest($1) c) AS asked
             WHERE x.repository_id = asked.repository_id AND x.digest = asked.digest
               AND NOT EXISTS (SELECT FROM unnest($2) w
                               WHERE w.digest = x.digest AND w.name = x.name AND w IS NOT DISTINCT FROM x)'
    USING classified, wanted;
  END IF;
  INSERT INTO image_library_internal.model_profile (repository_id, digest, name, engine, gpu, "precision", tp, pp, gpu_count, qos, lora,
                                                    buildable, gpu_memory_gb, disk_gb)
  SELECT w.repository_id, w.digest, w.name, w.engine, w.gpu, w."precision", w.tp, w.pp, w.gpu_count, w.qos, w.lora, w.buildable,
         w.gpu_memory_gb, w.disk_gb
  FROM unnest(wanted) w ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_profiles IS
  'Updates the profiles of the models that some tags point at';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_profiles TO image_library_agent;

-- Row level security hides the rows of private registries here, not a security barrier: with a barrier no index gives the
-- order of a page.
CREATE VIEW image_library_internal.usable_entries AS
  SELECT e.*, g.name AS registry, concat_ws('/', g.host, nullif(g.prefix, ''), e.repository) AS place
  FROM image_library_internal.entry e
  JOIN image_library_internal.registry g USING (registry_id)
  WHERE e.approval = 'approved' AND e.missing_since IS NULL AND e.usable_until > (SELECT clock_timestamp());
COMMENT ON VIEW image_library_internal.usable_entries IS 'Approved, present and usable entries of registries that the acting role may see';

-- For functions that choose: they look at repositories that the acting role may see. Without row level security, an index
-- finds what comes after a group: COALESCE is not leakproof.
CREATE VIEW image_library_internal.pickable_entries AS
  SELECT e.repository_id, e.tag, e.digest, e.flavor, e.major_version, e.variant, e.os, e.newest_key
  FROM image_library_internal.entry e
  WHERE e.kind = 'postgres' AND e.approval = 'approved' AND e.missing_since IS NULL AND e.usable_until > (SELECT clock_timestamp())
    AND e.flavor IS NOT NULL AND e.major_version IS NOT NULL AND NOT e.contested;
COMMENT ON VIEW image_library_internal.pickable_entries IS
  'Approved, present and usable Postgres images of all registries that may be chosen automatically';

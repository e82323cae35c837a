-- The read model: one narrow row a Postgres or model tag that the rules admit, so that a consumer's page or lookup
-- is one index scan. Written in the transaction of the sync, decision or rule change that it follows from.

CREATE TABLE image_library.entry (
  repository_id integer NOT NULL REFERENCES image_library.repository ON DELETE CASCADE,
  tag text COLLATE "C" NOT NULL,
  registry_id integer NOT NULL,
  repository text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('postgres', 'model')),
  approval text NOT NULL,
  usable_until timestamptz NOT NULL,
  missing_since timestamptz,
  title text,
  description text,
  version text,
  version_key bytea NOT NULL,
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
  PRIMARY KEY (repository_id, tag)
);
CREATE INDEX entry_digest ON image_library.entry (digest);
CREATE INDEX entry_usable ON image_library.entry (kind, repository, tag)
  WHERE approval = 'approved' AND missing_since IS NULL;
CREATE INDEX entry_newest ON image_library.entry (flavor, major_version, variant, version_key DESC)
  WHERE approval = 'approved' AND missing_since IS NULL AND kind = 'postgres';
COMMENT ON TABLE image_library.entry IS 'Read model of postgres_images and model_library';
COMMENT ON COLUMN image_library.entry.usable_until IS 'An approval counts until then';
COMMENT ON COLUMN image_library.entry.conflicts IS 'Where annotations, tag and repository contradict each other';

CREATE TABLE image_library.image_extension (
  digest text COLLATE "C" NOT NULL REFERENCES image_library.image ON DELETE CASCADE,
  name text NOT NULL,
  version text,
  description text,
  PRIMARY KEY (digest, name)
);
CREATE INDEX image_extension_name ON image_library.image_extension (name);
COMMENT ON TABLE image_library.image_extension IS 'PostgreSQL extensions in an image, as its annotations say';

CREATE TABLE image_library.model_profile (
  digest text COLLATE "C" NOT NULL REFERENCES image_library.image ON DELETE CASCADE,
  name text NOT NULL,
  engine text,
  gpu text,
  "precision" text,
  tp integer NOT NULL,
  pp integer NOT NULL,
  qos text,
  lora boolean NOT NULL,
  PRIMARY KEY (digest, name)
);
COMMENT ON TABLE image_library.model_profile IS 'Ways to run a model: engine, GPU, precision, parallelism';

-- The state of approval as it counts now: an image that nobody decided on is pending.
CREATE FUNCTION image_library._wanted_entries(repository_id integer, tags text[])
RETURNS SETOF image_library.entry
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.repository_id, t.name, r.registry_id, r.name, t.digest, c.j ->> 'kind',
         coalesce(a.state, 'pending'), image_library._usable_until(a), t.missing_since,
         c.j ->> 'title', c.j ->> 'description', c.j ->> 'version', image_library.version_key(t.name),
         i.size_bytes, i.created_at,
         c.j ->> 'flavor', (c.j ->> 'major_version')::integer, (c.j ->> 'build_at')::timestamptz,
         c.j ->> 'variant', c.j ->> 'os',
         ARRAY(SELECT jsonb_array_elements_text(c.j -> 'features')),
         ARRAY(SELECT concat_ws(' ', e ->> 'name', e ->> 'version') FROM jsonb_array_elements(c.j -> 'extensions') e),
         c.j ->> 'publisher', c.j ->> 'model', c.j ->> 'model_version', c.j ->> 'format', c.j ->> 'task',
         (c.j ->> 'gpu_count')::integer,
         array_remove(ARRAY[
           CASE WHEN g.host = 'docker.enterprisedb.com' THEN 'EDB Official' END,
           CASE WHEN c.j -> 'features' ? 'tde' THEN 'Transparent Data Encryption' END], NULL),
         ARRAY(SELECT jsonb_array_elements_text(c.j -> 'conflicts'))
  FROM image_library.tag t
  JOIN image_library.repository r USING (repository_id)
  JOIN image_library.registry g USING (registry_id)
  JOIN image_library.image i ON i.digest = t.digest
  JOIN image_library.rule u ON u.rule_id = t.rule_id
  LEFT JOIN image_library.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest
  CROSS JOIN LATERAL (SELECT image_library._classify(
    concat_ws('/', nullif(g.prefix, ''), r.name), t.name, i.media_type, i.artifact_type, i.config_type,
    i.layer_types, i.annotations, i.labels, i.size_bytes, image_library._classification_keys(), u.kind)
    OFFSET 0) AS c (j)
  WHERE t.repository_id = _wanted_entries.repository_id
    AND (_wanted_entries.tags IS NULL OR t.name = ANY (_wanted_entries.tags))
    AND c.j ->> 'kind' <> 'other'
$$;
COMMENT ON FUNCTION image_library._wanted_entries(integer, text[]) IS
  'Internal: the entries that follow from tags, images, rules and approvals';

CREATE FUNCTION image_library._refresh_entries(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wanted image_library.entry[] := ARRAY(SELECT w FROM image_library._wanted_entries(repository_id, tags) w);
BEGIN
  DELETE FROM image_library.entry e
  WHERE e.repository_id = _refresh_entries.repository_id
    AND (_refresh_entries.tags IS NULL OR e.tag = ANY (_refresh_entries.tags))
    AND NOT EXISTS (SELECT FROM unnest(wanted) w WHERE w.tag = e.tag);
  DELETE FROM image_library.entry e USING unnest(wanted) w
  WHERE e.repository_id = w.repository_id AND e.tag = w.tag AND e IS DISTINCT FROM w;
  INSERT INTO image_library.entry
  SELECT w.* FROM unnest(wanted) w
  WHERE NOT EXISTS (SELECT FROM image_library.entry e WHERE e.repository_id = w.repository_id AND e.tag = w.tag);
  PERFORM image_library._refresh_details(repository_id, tags);
END
$$;
COMMENT ON FUNCTION image_library._refresh_entries(integer, text[]) IS
  'Internal: brings the read model of some tags (null: all) of a repository up to date; rows that do not differ are left alone';

-- Extensions and profiles belong to the digest; what is no database image (a CloudNativePG extension image) has some too.
CREATE FUNCTION image_library._refresh_details(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  details jsonb;
BEGIN
  SELECT jsonb_agg(jsonb_build_object('digest', d.digest, 'extensions', d.j -> 'extensions', 'profiles', d.j -> 'profiles'))
  INTO details
  FROM (
    SELECT DISTINCT ON (t.digest) t.digest, image_library._classify(
      concat_ws('/', nullif(g.prefix, ''), r.name), t.name, i.media_type, i.artifact_type, i.config_type,
      i.layer_types, i.annotations, i.labels, i.size_bytes, image_library._classification_keys(), 'auto') AS j
    FROM image_library.tag t
    JOIN image_library.repository r USING (repository_id)
    JOIN image_library.registry g USING (registry_id)
    JOIN image_library.image i ON i.digest = t.digest
    WHERE t.repository_id = _refresh_details.repository_id
      AND (_refresh_details.tags IS NULL OR t.name = ANY (_refresh_details.tags))
    ORDER BY t.digest, t.name
  ) d;

  DELETE FROM image_library.image_extension x
  USING jsonb_to_recordset(details) AS d (digest text, extensions jsonb)
  WHERE x.digest = d.digest
    AND NOT EXISTS (SELECT FROM jsonb_array_elements(d.extensions) e
                    WHERE e ->> 'name' = x.name AND e ->> 'version' IS NOT DISTINCT FROM x.version
                      AND e ->> 'description' IS NOT DISTINCT FROM x.description);
  INSERT INTO image_library.image_extension (digest, name, version, description)
  SELECT d.digest, e ->> 'name', e ->> 'version', e ->> 'description'
  FROM jsonb_to_recordset(details) AS d (digest text, extensions jsonb)
  CROSS JOIN jsonb_array_elements(d.extensions) e
  WHERE NOT EXISTS (SELECT FROM image_library.image_extension x WHERE x.digest = d.digest AND x.name = e ->> 'name')
  ON CONFLICT DO NOTHING;

  DELETE FROM image_library.model_profile x
  USING jsonb_to_recordset(details) AS d (digest text, profiles jsonb)
  WHERE x.digest = d.digest
    AND NOT EXISTS (SELECT FROM jsonb_array_elements(d.profiles) e WHERE e ->> 'name' = x.name);
  INSERT INTO image_library.model_profile (digest, name, engine, gpu, "precision", tp, pp, qos, lora)
  SELECT d.digest, e ->> 'name', e ->> 'engine', e ->> 'gpu', e ->> 'precision', (e ->> 'tp')::integer,
         (e ->> 'pp')::integer, e ->> 'qos', (e ->> 'lora')::boolean
  FROM jsonb_to_recordset(details) AS d (digest text, profiles jsonb)
  CROSS JOIN jsonb_array_elements(d.profiles) e
  WHERE NOT EXISTS (SELECT FROM image_library.model_profile x WHERE x.digest = d.digest AND x.name = e ->> 'name')
  ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library._refresh_details(integer, text[]) IS
  'Internal: extensions and model profiles of the digests that some tags point at';

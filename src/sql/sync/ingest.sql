-- Writing what a sync found: one call for each batch, in one transaction; equal rows are not written.

CREATE FUNCTION image_library_internal.repository_id(registry_id integer, repository text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer;
BEGIN
  SELECT r.repository_id INTO id FROM image_library_internal.repository r
  WHERE r.registry_id = repository_id.registry_id AND r.name = repository;
  IF id IS NULL THEN
    INSERT INTO image_library_internal.repository AS r (registry_id, name)
    VALUES (repository_id.registry_id, repository_id.repository)
    ON CONFLICT ON CONSTRAINT repository_registry_id_name_key DO UPDATE SET name = excluded.name
    RETURNING r.repository_id INTO id;
  END IF;
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library_internal.repository_id IS 'Number of a repository, which is added if it is new';
GRANT EXECUTE ON FUNCTION image_library_internal.repository_id TO image_library_agent;

-- A batch that brings a tag and a decision on its digest do not see each other before they commit, so one waits for the
-- other.
CREATE FUNCTION image_library_internal.lock_repository(registry_id integer, repository_id integer, for_batch boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_read_committed();
  PERFORM image_library_internal.lock_rules_of(registry_id, exclusive => false);
  IF for_batch THEN
    PERFORM FROM image_library_internal.repository r WHERE r.repository_id = lock_repository.repository_id FOR NO KEY UPDATE;
  ELSE
    PERFORM FROM image_library_internal.repository r WHERE r.repository_id = lock_repository.repository_id FOR SHARE;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_repository IS
  'Locks a repository, so that batches and decisions run one after the other, and no rule changes meanwhile';
GRANT EXECUTE ON FUNCTION image_library_internal.lock_repository TO image_library_agent;

-- PL/pgSQL keeps the plans of a batch. They are generic, and must stay good while tables grow: what is read of a table
-- for the rows of an array is read by key, which LATERAL, OFFSET 0 and enable_seqscan leave no choice about. Without jit =
-- off, a table that has to be read as a whole would be so dear to the planner that the plan is compiled.
CREATE FUNCTION image_library_internal.read_images(images jsonb) RETURNS SETOF image_library_internal.image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  keys jsonb := image_library_internal.classification_keys();
BEGIN
  RETURN QUERY
    SELECT n.digest, n.media_type, n.artifact_type, n.config_type, n.config_digest,
           ARRAY(SELECT jsonb_array_elements_text(n.layer_types)),
           ARRAY(SELECT DISTINCT p ->> 'platform' COLLATE "C" FROM jsonb_array_elements(n.platforms) p ORDER BY 1),
           n.size_bytes, n.created_at, coalesce(n.created_text, ''), n.annotations, n.labels,
           told.title, told.description, told.version, now(), n.unread
    FROM jsonb_to_recordset(images) AS n (
      digest text, media_type text, artifact_type text, config_type text, config_digest text, layer_types jsonb,
      platforms jsonb, size_bytes bigint, created_at timestamptz, created_text text, annotations jsonb, labels jsonb,
      unread text)
    CROSS JOIN LATERAL image_library_internal.published_texts(n.annotations, n.labels, keys) told
    -- Sorted, so that two syncs of the same images do not deadlock.
    ORDER BY n.digest COLLATE "C";
END
$$;
COMMENT ON FUNCTION image_library_internal.read_images IS 'Images of a batch as rows, by digest';
GRANT EXECUTE ON FUNCTION image_library_internal.read_images TO image_library_agent;

CREATE FUNCTION image_library_internal.write_platforms(images jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  INSERT INTO image_library_internal.image_platform
    (digest, manifest_digest, platform, os, architecture, variant, config_digest, size_bytes, created_at, present)
  SELECT n.digest, p.manifest_digest, p.platform, p.os, p.architecture, p.variant, p.config_digest,
         p.size_bytes, p.created_at, coalesce(p.present, true)
  FROM jsonb_to_recordset(images) AS n (digest text, platforms jsonb)
  CROSS JOIN jsonb_to_recordset(n.platforms) AS p (
    platform text, os text, architecture text, variant text, manifest_digest text, config_digest text,
    size_bytes bigint, created_at timestamptz, present boolean)
  ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_platforms IS 'Stores the platforms of the new images of a batch';
GRANT EXECUTE ON FUNCTION image_library_internal.write_platforms TO image_library_agent;

CREATE FUNCTION image_library_internal.write_images(batch jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  added bigint;
BEGIN
  PERFORM image_library_internal.unmark_images(batch -> 'images');
  INSERT INTO image_library_internal.image (digest, media_type, artifact_type, config_type, config_digest, layer_types, platforms,
    size_bytes, created_at, created_text, annotations, labels, title, description, version, first_seen_at, unread)
  SELECT n.digest, n.media_type, n.artifact_type, n.config_type, n.config_digest, n.layer_types, n.platforms,
         n.size_bytes, n.created_at, n.created_text, n.annotations, n.labels, n.title, n.description, n.version, n.first_seen_at, n.unread
  FROM image_library_internal.read_images(batch -> 'images') n
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS added = ROW_COUNT;
  PERFORM image_library_internal.write_platforms(batch -> 'images');

  -- Referrers that an image's own index names apply to every repository that has the image.
  INSERT INTO image_library_internal.image_referrer (digest, referrer_digest, artifact_type, size_bytes, annotations, source)
  SELECT r.digest, r.referrer_digest, r.artifact_type, r.size_bytes, r.annotations, r.source
  FROM jsonb_array_elements(batch -> 'images') i
  CROSS JOIN jsonb_to_recordset(i -> 'referrers') AS r (
    digest text, referrer_digest text, artifact_type text, size_bytes bigint, annotations jsonb, source text)
  WHERE i -> 'referrers' <> '[]'
  ON CONFLICT DO NOTHING;
  RETURN added;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_images IS
  'Stores the new images of a batch, with what their indexes name';
GRANT EXECUTE ON FUNCTION image_library_internal.write_images TO image_library_agent;

CREATE FUNCTION image_library_internal.is_more_complete(image jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (now_unread < was_unread OR now_unread = was_unread AND came) AND NOT went
  FROM image_library_internal.image i
  CROSS JOIN LATERAL (
    SELECT array_position('{config,manifest}', image ->> 'unread') AS now, array_position('{config,manifest}', i.unread) AS was) u
  CROSS JOIN LATERAL (SELECT coalesce(u.now, 0) AS now_unread, coalesce(u.was, 0) AS was_unread) rank
  CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(NOT p.present AND NOT n.absent), false) AS came, coalesce(bool_or(p.present AND n.absent), false) AS went
    FROM image_library_internal.image_platform p
    CROSS JOIN LATERAL (
      SELECT EXISTS (SELECT FROM jsonb_to_recordset(image -> 'platforms') AS read (manifest_digest text, present boolean)
                     WHERE read.manifest_digest = p.manifest_digest AND NOT read.present) AS absent) n
    WHERE p.digest = i.digest) platforms
  WHERE i.digest = image ->> 'digest'
$$;
COMMENT ON FUNCTION image_library_internal.is_more_complete IS
  'Whether more of an image was read than is stored, or manifests that the stored one lacks, and none was lost; null: it is not stored';
GRANT EXECUTE ON FUNCTION image_library_internal.is_more_complete TO image_library_agent;

-- Adds what an image lacked when it was first read. Platforms that were present stay present.
CREATE FUNCTION image_library_internal.complete_images(images jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  place record;
BEGIN
  -- Locks all repositories that have the images, in the order in which every function locks several repositories.
  FOR place IN
    SELECT DISTINCT r.registry_id, r.repository_id
    FROM jsonb_array_elements(images) i
    JOIN image_library_internal.tag t ON t.digest = i ->> 'digest' JOIN image_library_internal.repository r USING (repository_id)
    ORDER BY 1, 2
  LOOP
    PERFORM image_library_internal.lock_repository(place.registry_id, place.repository_id, for_batch => true);
  END LOOP;
  DELETE FROM image_library_internal.image_platform p
  USING jsonb_array_elements(images) n JOIN image_library_internal.image i ON i.digest = n ->> 'digest'
  WHERE p.digest = i.digest AND (NOT p.present OR i.unread IS NOT NULL);
  PERFORM image_library_internal.write_platforms(images);
  UPDATE image_library_internal.image i
  SET media_type = n.media_type, unread = n.unread, artifact_type = n.artifact_type, config_type = n.config_type, config_digest = n.config_digest,
      layer_types = n.layer_types, size_bytes = n.size_bytes, created_at = n.created_at, created_text = n.created_text,
      annotations = n.annotations, labels = n.labels, title = n.title, description = n.description, version = n.version,
      platforms = ARRAY(SELECT DISTINCT p.platform COLLATE "C" FROM image_library_internal.image_platform p
                        WHERE p.digest = i.digest ORDER BY 1)
  FROM image_library_internal.read_images(images) n
  WHERE i.digest = n.digest;
  FOR place IN
    SELECT t.repository_id, array_agg(t.name) AS tags
    FROM jsonb_array_elements(images) i JOIN image_library_internal.tag t ON t.digest = i ->> 'digest'
    GROUP BY 1 ORDER BY 1
  LOOP
    PERFORM image_library_internal.approve_by_rule(place.repository_id, place.tags);
    PERFORM image_library_internal.refresh_entries(place.repository_id, place.tags);
    PERFORM image_library_internal.approve_by_policy(place.repository_id, place.tags);
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.complete_images IS
  'Stores what could not be read or did not exist when an image was first read, classifies the image again, and lets rules approve it';
GRANT EXECUTE ON FUNCTION image_library_internal.complete_images TO image_library_agent;

-- The manifest may exist in another repository that has the image, so only the last repository with the image can mark
-- it as not present.
CREATE FUNCTION image_library_internal.write_gone_children(repository_id integer, gone_children jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE image_library_internal.image_platform p SET present = false
  FROM jsonb_to_recordset(gone_children) AS gone (image text, digest text)
  WHERE p.digest = gone.image AND p.manifest_digest = gone.digest AND p.present AND p.manifest_digest <> p.digest
    AND NOT EXISTS (SELECT FROM image_library_internal.tag t
                    WHERE t.digest IN (gone.image, gone.digest) AND t.missing_since IS NULL
                      AND t.repository_id <> write_gone_children.repository_id)
$$;
COMMENT ON FUNCTION image_library_internal.write_gone_children IS
  'Marks manifests that an index names as not present if a repository does not have them any more, unless another repository has the image';
GRANT EXECUTE ON FUNCTION image_library_internal.write_gone_children TO image_library_agent;

CREATE FUNCTION image_library_internal.write_referrers(repository_id integer, batch jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- A complete answer removes the referrers that it lacks. For a tag that is no longer listed, all referrers that it
  -- held are removed.
  DELETE FROM image_library_internal.image_referrer x
  USING jsonb_to_recordset(batch -> 'referrer_answers') AS a (digest text, tag text)
  WHERE x.repository_id = write_referrers.repository_id AND x.tag IS NOT DISTINCT FROM a.tag
    AND (x.digest = a.digest OR a.digest IS NULL)
    AND NOT EXISTS (SELECT FROM jsonb_to_recordset(batch -> 'referrers') AS r (digest text, referrer_digest text, tag text)
                    WHERE r.digest = x.digest AND r.referrer_digest = x.referrer_digest AND r.tag IS NOT DISTINCT FROM x.tag);
  INSERT INTO image_library_internal.image_referrer AS x
    (repository_id, digest, referrer_digest, artifact_type, size_bytes, annotations, source, tag)
  SELECT DISTINCT ON (r.digest, r.referrer_digest, r.tag)
         write_referrers.repository_id, r.digest, r.referrer_digest, r.artifact_type, r.size_bytes, r.annotations, r.source, r.tag
  FROM jsonb_to_recordset(batch -> 'referrers') AS r (
    digest text, referrer_digest text, artifact_type text, size_bytes bigint, annotations jsonb, source text, tag text)
  ORDER BY r.digest, r.referrer_digest, r.tag
  ON CONFLICT ON CONSTRAINT image_referrer_digest_referrer_digest_repository_id_tag_key DO UPDATE
  -- Annotations that were read from a manifest are not in every later answer, and do not change.
  SET artifact_type = excluded.artifact_type, size_bytes = excluded.size_bytes,
      annotations = CASE excluded.annotations WHEN '{}' THEN x.annotations ELSE excluded.annotations END
  WHERE (x.artifact_type, x.size_bytes) IS DISTINCT FROM (excluded.artifact_type, excluded.size_bytes)
     OR excluded.annotations NOT IN ('{}', x.annotations);
  INSERT INTO image_library_internal.referrer_check AS c (repository_id, digest, checked_at)
  SELECT write_referrers.repository_id, checked.digest, clock_timestamp()
  FROM jsonb_array_elements_text(batch -> 'referrers_checked') AS checked (digest)
  ON CONFLICT ON CONSTRAINT referrer_check_pkey DO UPDATE SET checked_at = excluded.checked_at;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_referrers IS
  'Stores the referrers of images that a batch found in a repository, and removes those that a complete answer lacks';
GRANT EXECUTE ON FUNCTION image_library_internal.write_referrers TO image_library_agent;

CREATE FUNCTION image_library_internal.write_removals(repository_id integer, refused text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF cardinality(refused) = 0 THEN
    DELETE FROM image_library_internal.refused_removal f WHERE f.repository_id = write_removals.repository_id;
    RETURN;
  END IF;
  INSERT INTO image_library_internal.refused_removal AS f (repository_id, tags)
  VALUES (write_removals.repository_id, refused)
  ON CONFLICT ON CONSTRAINT refused_removal_pkey DO UPDATE
  SET tags = excluded.tags, refused_at = excluded.refused_at, accepted_at = NULL, accepted_by = NULL
  WHERE f.tags <> excluded.tags OR f.accepted_at IS NOT NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_removals IS
  'Stores the tags whose removal was refused until a person accepts it; no tags: the listing was accepted';
GRANT EXECUTE ON FUNCTION image_library_internal.write_removals TO image_library_agent;

CREATE TYPE image_library_internal.found_tag AS (name text, digest text, rule_id bigint);
COMMENT ON TYPE image_library_internal.found_tag IS 'A tag of a batch and the digest that the registry has for it';

-- Arrays are joined with the tables by key, so that the cost of a batch does not depend on the size of the repository.
CREATE FUNCTION image_library_internal.write_periods(repository_id integer, arrived image_library_internal.found_tag[], missing text[],
  at timestamptz)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  ended text[] := ARRAY(
    SELECT now.name
    FROM (SELECT f.name, f.digest FROM unnest(arrived) f
          UNION ALL
          SELECT m.name, NULL FROM unnest(missing) m (name)) AS now
    CROSS JOIN LATERAL (
      SELECT p.digest FROM image_library_internal.tag_period p
      WHERE p.repository_id = write_periods.repository_id AND p.tag = now.name AND p.until IS NULL OFFSET 0) open
    WHERE open.digest IS DISTINCT FROM now.digest);
  moved text;
BEGIN
  FOREACH moved IN ARRAY ended LOOP
    UPDATE image_library_internal.tag_period p SET until = greatest(at, p.since + interval '1 microsecond')
    WHERE p.repository_id = write_periods.repository_id AND p.tag = moved AND p.until IS NULL;
  END LOOP;
  INSERT INTO image_library_internal.tag_period (repository_id, tag, since, digest)
  SELECT write_periods.repository_id, f.name,
         greatest(at, (SELECT max(p.until) FROM image_library_internal.tag_period p
                       WHERE p.repository_id = write_periods.repository_id AND p.tag = f.name)),
         f.digest
  FROM unnest(arrived) f
  LEFT JOIN LATERAL (
    SELECT p.tag FROM image_library_internal.tag_period p
    WHERE p.repository_id = write_periods.repository_id AND p.tag = f.name AND p.until IS NULL OFFSET 0) open ON true
  WHERE open.tag IS NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_periods IS
  'Ends the periods of tags that moved or are missing, and begins those of the digests that tags point at now';
GRANT EXECUTE ON FUNCTION image_library_internal.write_periods TO image_library_agent;

CREATE FUNCTION image_library_internal.write_tags(repository_id integer, batch jsonb,
  OUT tags_added bigint, OUT tags_moved bigint, OUT tags_missing bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  arrived image_library_internal.found_tag[] := ARRAY(
    -- A rule that was dropped since the run began does not decide.
    SELECT (n.name, n.digest, r.rule_id)::image_library_internal.found_tag
    FROM jsonb_to_recordset(batch -> 'tags') AS n (name text, digest text, rule_id bigint)
    LEFT JOIN LATERAL (
      SELECT u.rule_id FROM image_library_internal.rule u WHERE u.rule_id = n.rule_id AND u.enabled OFFSET 0) r ON true
    ORDER BY n.name COLLATE "C");
  arrived_names text[] := ARRAY(SELECT f.name FROM unnest(arrived) f);
  missing text[] := ARRAY(SELECT jsonb_array_elements_text(batch -> 'missing'));
  pointed_anew text[];
  gone text;
BEGIN
  PERFORM image_library_internal.write_periods(repository_id, arrived, missing, at);
  PERFORM image_library_internal.emit_tags(repository_id, arrived, missing);

  SELECT count(*) FILTER (WHERE t.digest IS NULL), count(*) FILTER (WHERE t.digest <> f.digest),
         coalesce(array_agg(f.name) FILTER (WHERE t.digest IS DISTINCT FROM f.digest), '{}')
  INTO tags_added, tags_moved, pointed_anew
  FROM unnest(arrived) f
  LEFT JOIN LATERAL (
    SELECT x.digest FROM image_library_internal.tag x
    WHERE x.repository_id = write_tags.repository_id AND x.name = f.name OFFSET 0) t ON true;

  INSERT INTO image_library_internal.tag AS t (repository_id, registry_id, name, digest, rule_id, first_seen_at, digest_changed_at)
  SELECT r.repository_id, r.registry_id, f.name, f.digest, f.rule_id, at, at
  FROM unnest(arrived) f CROSS JOIN image_library_internal.repository r
  WHERE r.repository_id = write_tags.repository_id
  ON CONFLICT ON CONSTRAINT tag_pkey DO UPDATE
  SET digest = excluded.digest,
      rule_id = excluded.rule_id,
      missing_since = NULL,
      digest_changed_at = CASE WHEN t.digest = excluded.digest THEN t.digest_changed_at ELSE at END
  WHERE (t.digest, t.rule_id, t.missing_since) IS DISTINCT FROM (excluded.digest, excluded.rule_id, NULL);

  tags_missing := 0;
  FOREACH gone IN ARRAY missing LOOP
    UPDATE image_library_internal.tag t SET missing_since = at
    WHERE t.repository_id = write_tags.repository_id AND t.name = gone AND t.missing_since IS NULL;
    tags_missing := tags_missing + CASE WHEN FOUND THEN 1 ELSE 0 END;
  END LOOP;

  PERFORM image_library_internal.reset_by_stricter_rule(write_tags.repository_id, pointed_anew);
  PERFORM image_library_internal.approve_by_rule(write_tags.repository_id, arrived_names);
  PERFORM image_library_internal.refresh_entries(write_tags.repository_id, arrived_names || missing);
  PERFORM image_library_internal.approve_by_policy(write_tags.repository_id, arrived_names);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_tags IS
  'Stores new, moved, returned and missing tags of a batch, their history, read model and approval by rule';
GRANT EXECUTE ON FUNCTION image_library_internal.write_tags TO image_library_agent;

CREATE FUNCTION image_library_internal.write_problems(registry_id integer, repository text, batch jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM image_library_internal.problem p
  USING jsonb_array_elements_text(batch -> 'checked') AS checked (tag)
  WHERE p.registry_id = write_problems.registry_id AND p.repository = write_problems.repository
    AND p.tag = checked.tag;
  INSERT INTO image_library_internal.problem AS p (registry_id, repository, tag, problem, detail)
  SELECT DISTINCT ON (n.tag) write_problems.registry_id, write_problems.repository, coalesce(n.tag, ''), n.problem, n.detail
  FROM jsonb_to_recordset(batch -> 'problems') AS n (tag text, problem text, detail text)
  ORDER BY n.tag
  ON CONFLICT ON CONSTRAINT problem_pkey DO UPDATE
  SET problem = excluded.problem, detail = excluded.detail, last_seen_at = excluded.last_seen_at
  WHERE (p.problem, p.detail) IS DISTINCT FROM (excluded.problem, excluded.detail);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_problems IS
  'Stores the problems of a batch, and ends those that the batch names as checked';
GRANT EXECUTE ON FUNCTION image_library_internal.write_problems TO image_library_agent;

CREATE FUNCTION image_library_internal.write_batch(registry_id integer, repository text, batch jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer;
  incomplete text[];
  completed jsonb;
  images_added bigint;
  counts record;
BEGIN
  PERFORM image_library_internal.write_problems(registry_id, repository, batch);
  -- Problems alone do not add a repository that was never read.
  IF NOT EXISTS (SELECT FROM unnest('{completed,tags,missing,referrers,referrer_answers,referrers_checked,gone_children}'::text[]) part
                 WHERE jsonb_array_length(batch -> part) > 0)
     AND batch ->> 'listing' IS NULL AND batch ->> 'refused_removals' IS NULL AND batch ->> 'settled' IS NULL THEN
    RETURN '{}';
  END IF;
  -- An image of which something was not read is completed, also from another repository that has more of it.
  incomplete := ARRAY(SELECT k.digest
                      FROM image_library_internal.known_images(jsonb_path_query_array(batch, '$.images[*].digest')) k WHERE NOT k.whole);
  completed := coalesce(batch -> 'completed', '[]');
  IF cardinality(incomplete) > 0 THEN
    SELECT completed || coalesce(jsonb_agg(i.image), '[]') INTO completed
    FROM jsonb_array_elements(batch -> 'images') AS i (image)
    WHERE i.image ->> 'digest' = ANY (incomplete) AND image_library_internal.is_more_complete(i.image);
  END IF;
  IF jsonb_array_length(completed) > 0 THEN
    PERFORM image_library_internal.complete_images(completed);
  END IF;
  id := image_library_internal.repository_id(registry_id, repository);
  PERFORM image_library_internal.lock_repository(registry_id, id, for_batch => true);
  images_added := image_library_internal.write_images(batch);
  IF jsonb_array_length(batch -> 'gone_children') > 0 THEN
    PERFORM image_library_internal.write_gone_children(id, batch -> 'gone_children');
  END IF;
  IF EXISTS (SELECT FROM unnest('{referrers,referrer_answers,referrers_checked}'::text[]) part
             WHERE jsonb_array_length(batch -> part) > 0) THEN
    PERFORM image_library_internal.write_referrers(id, batch);
  END IF;
  IF batch ->> 'refused_removals' IS NOT NULL THEN
    PERFORM image_library_internal.write_removals(id, ARRAY(SELECT jsonb_array_elements_text(batch -> 'refused_removals')));
  END IF;
  SELECT * INTO counts FROM image_library_internal.write_tags(id, batch);
  IF batch ->> 'listing' IS NOT NULL THEN
    INSERT INTO image_library_internal.listing AS l (repository_id, tags, fingerprint)
    VALUES (id, ARRAY(SELECT jsonb_array_elements_text(batch -> 'listing')), batch ->> 'fingerprint')
    ON CONFLICT ON CONSTRAINT listing_pkey DO UPDATE
    SET tags = excluded.tags, fingerprint = excluded.fingerprint, changed_at = excluded.changed_at
    WHERE l.fingerprint <> excluded.fingerprint;
    -- The option newest of rules depends on the whole listing.
    PERFORM image_library_internal.decide_repository(id, image_library_internal.rules_json(registry_id), NULL);
  END IF;
  PERFORM image_library_internal.write_settled(id, batch);
  RETURN jsonb_build_object('images_added', images_added, 'tags_added', counts.tags_added,
                            'tags_moved', counts.tags_moved, 'tags_missing', counts.tags_missing);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_batch IS
  'Stores what a sync found in one repository; returns the numbers of new rows';
GRANT EXECUTE ON FUNCTION image_library_internal.write_batch TO image_library_agent;

-- Writing the images of a batch: facts of a digest are stored once, and completed when more of it could be read.

-- PL/pgSQL keeps the plans of a batch. They are generic, and must stay good while tables grow: what is read of a table
-- for the rows of an array is read by key, which LATERAL, OFFSET 0 and enable_seqscan leave no choice about. Without jit =
-- off, a table that has to be read as a whole would be so dear to the planner that the plan is compiled.

-- One statement, which begins once for each batch: with many small repositories, that is most of the time. Rows are sorted,
-- so that two syncs of the same images do not deadlock.
CREATE FUNCTION image_library_internal.write_images(images image_library_internal.batch_image[], keys jsonb, have_texts boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  added bigint;
BEGIN
  PERFORM image_library_internal.unmark_images(ARRAY(SELECT n.digest FROM unnest(images) n));
  WITH platforms AS (
    INSERT INTO image_library_internal.image_platform
      (digest, manifest_digest, platform, os, architecture, variant, config_digest, size_bytes, created_at, present)
    SELECT n.digest, p.manifest_digest, p.platform, p.os, p.architecture, p.variant, p.config_digest,
           p.size_bytes, p.created_at, coalesce(p.present, true)
    FROM unnest(images) n CROSS JOIN unnest(n.platforms) p
    ORDER BY n.digest COLLATE "C"
    ON CONFLICT DO NOTHING
  ), chains AS (
    INSERT INTO image_library_internal.image_chain (digest, chain_ids, top)
    SELECT n.digest, n.chain_ids, n.chain_ids[cardinality(n.chain_ids)]
    FROM unnest(images) n
    WHERE cardinality(n.chain_ids) > 0
    ORDER BY n.digest COLLATE "C"
    ON CONFLICT DO NOTHING
  ), referrers AS (
    -- Those that an image's own index names apply to every repository that has the image.
    INSERT INTO image_library_internal.image_referrer (digest, referrer_digest, artifact_type, size_bytes, annotations, source)
    SELECT r.digest, r.referrer_digest, r.artifact_type, r.size_bytes, r.annotations, r.source
    FROM unnest(images) n CROSS JOIN unnest(n.referrers) r
    ORDER BY n.digest COLLATE "C"
    ON CONFLICT DO NOTHING
  )
  INSERT INTO image_library_internal.image (digest, media_type, artifact_type, config_type, config_digest, layer_types, platforms,
    size_bytes, created_at, created_text, annotations, labels, title, description, version, first_seen_at, unread)
  SELECT n.digest, n.media_type, n.artifact_type, n.config_type, n.config_digest, n.layer_types,
         ARRAY(SELECT DISTINCT p.platform COLLATE "C" FROM unnest(n.platforms) p ORDER BY 1),
         n.size_bytes, n.created_at, coalesce(n.created_text, ''), n.annotations, n.labels,
         CASE WHEN have_texts THEN n.title ELSE told.title END, CASE WHEN have_texts THEN n.description ELSE told.description END,
         CASE WHEN have_texts THEN n.version ELSE told.version END, now(), n.unread
  FROM unnest(images) n
  -- A strict function is not called without an argument; a condition would be checked after the call from PostgreSQL 17 on.
  CROSS JOIN LATERAL image_library_internal.published_texts(
    CASE WHEN NOT have_texts THEN n.annotations END, n.labels, keys) told
  ORDER BY n.digest COLLATE "C"
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS added = ROW_COUNT;
  RETURN added;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_images IS
  'Stores the new images of a batch, with their platforms, layers and what their indexes name; returns the number of those that were not there. have_texts: their texts are those by the keys';
GRANT EXECUTE ON FUNCTION image_library_internal.write_images TO image_library_agent;

CREATE FUNCTION image_library_internal.is_more_complete(image image_library_internal.batch_image) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (now_unread < was_unread OR now_unread = was_unread AND came) AND NOT went
  FROM image_library_internal.image i
  CROSS JOIN LATERAL (
    SELECT coalesce(array_position('{config,manifest}', (image).unread), 0) AS now_unread,
           coalesce(array_position('{config,manifest}', i.unread), 0) AS was_unread) rank
  CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(NOT p.present AND NOT n.absent), false) AS came, coalesce(bool_or(p.present AND n.absent), false) AS went
    FROM image_library_internal.image_platform p
    CROSS JOIN LATERAL (
      SELECT EXISTS (SELECT FROM unnest((image).platforms) read
                     WHERE read.manifest_digest = p.manifest_digest AND NOT read.present) AS absent) n
    WHERE p.digest = i.digest) platforms
  WHERE i.digest = (image).digest
$$;
COMMENT ON FUNCTION image_library_internal.is_more_complete IS
  'Whether more of an image was read than is stored, or manifests that the stored one lacks, and none was lost; null: it is not stored';
GRANT EXECUTE ON FUNCTION image_library_internal.is_more_complete TO image_library_agent;

-- Adds what an image lacked when it was first read. Platforms that were present stay present.
CREATE FUNCTION image_library_internal.complete_images(images image_library_internal.batch_image[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  place record;
  keys jsonb;
BEGIN
  -- Locks all repositories that have the images, in the order in which every function locks several repositories.
  FOR place IN
    SELECT DISTINCT r.registry_id, r.repository_id
    FROM unnest(images) i
    JOIN image_library_internal.tag t ON t.digest = i.digest JOIN image_library_internal.repository r USING (repository_id)
    ORDER BY 1, 2
  LOOP
    PERFORM image_library_internal.lock_repository(place.registry_id, place.repository_id, for_batch => true);
  END LOOP;
  keys := image_library_internal.classification_keys();
  DELETE FROM image_library_internal.image_platform p
  USING unnest(images) n JOIN image_library_internal.image i ON i.digest = n.digest
  WHERE p.digest = i.digest AND (NOT p.present OR i.unread IS NOT NULL);
  PERFORM image_library_internal.write_images(images, keys);
  UPDATE image_library_internal.image i
  SET media_type = n.media_type, unread = n.unread, artifact_type = n.artifact_type, config_type = n.config_type, config_digest = n.config_digest,
      layer_types = n.layer_types, size_bytes = n.size_bytes, created_at = n.created_at, created_text = coalesce(n.created_text, ''),
      annotations = n.annotations, labels = n.labels, title = told.title, description = told.description, version = told.version,
      platforms = ARRAY(SELECT DISTINCT p.platform COLLATE "C" FROM image_library_internal.image_platform p
                        WHERE p.digest = i.digest ORDER BY 1)
  FROM unnest(images) n
  CROSS JOIN LATERAL image_library_internal.published_texts(n.annotations, n.labels, keys) told
  WHERE i.digest = n.digest;
  FOR place IN
    SELECT t.repository_id, array_agg(t.name) AS tags
    FROM unnest(images) i JOIN image_library_internal.tag t ON t.digest = i.digest
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

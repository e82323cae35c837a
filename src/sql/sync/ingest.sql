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

-- The manifest may exist in another repository that has the image, so only the last repository with the image can mark
-- it as not present.
CREATE FUNCTION image_library_internal.write_gone_children(repository_id integer,
  gone_children image_library_internal.gone_child[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE image_library_internal.image_platform p SET present = false
  FROM unnest(gone_children) gone
  WHERE p.digest = gone.image AND p.manifest_digest = gone.digest AND p.present AND p.manifest_digest <> p.digest
    AND NOT EXISTS (SELECT FROM image_library_internal.tag t
                    WHERE t.digest IN (gone.image, gone.digest) AND t.missing_since IS NULL
                      AND t.repository_id <> write_gone_children.repository_id)
$$;
COMMENT ON FUNCTION image_library_internal.write_gone_children IS
  'Marks manifests that an index names as not present if a repository does not have them any more, unless another repository has the image';
GRANT EXECUTE ON FUNCTION image_library_internal.write_gone_children TO image_library_agent;

CREATE FUNCTION image_library_internal.write_referrers(repository_id integer, batch image_library_internal.batch) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- A complete answer removes the referrers that it lacks. For a tag that is no longer listed, all referrers that it
  -- held are removed.
  DELETE FROM image_library_internal.image_referrer x
  USING unnest(batch.referrer_answers) a
  WHERE x.repository_id = write_referrers.repository_id AND x.tag IS NOT DISTINCT FROM a.tag
    AND (x.digest = a.digest OR a.digest IS NULL)
    AND NOT EXISTS (SELECT FROM unnest(batch.referrers) r
                    WHERE r.digest = x.digest AND r.referrer_digest = x.referrer_digest AND r.tag IS NOT DISTINCT FROM x.tag);
  INSERT INTO image_library_internal.image_referrer AS x
    (repository_id, digest, referrer_digest, artifact_type, size_bytes, annotations, source, tag)
  SELECT DISTINCT ON (r.digest, r.referrer_digest, r.tag)
         write_referrers.repository_id, r.digest, r.referrer_digest, r.artifact_type, r.size_bytes, r.annotations, r.source, r.tag
  FROM unnest(batch.referrers) r
  ORDER BY r.digest, r.referrer_digest, r.tag
  ON CONFLICT ON CONSTRAINT image_referrer_digest_referrer_digest_repository_id_tag_key DO UPDATE
  -- Annotations that were read from a manifest are not in every later answer, and do not change.
  SET artifact_type = excluded.artifact_type, size_bytes = excluded.size_bytes,
      annotations = CASE excluded.annotations WHEN '{}' THEN x.annotations ELSE excluded.annotations END
  WHERE (x.artifact_type, x.size_bytes) IS DISTINCT FROM (excluded.artifact_type, excluded.size_bytes)
     OR excluded.annotations NOT IN ('{}', x.annotations);
  INSERT INTO image_library_internal.referrer_check AS c (repository_id, digest, checked_at)
  SELECT write_referrers.repository_id, checked.digest, clock_timestamp()
  FROM unnest(batch.referrers_checked) AS checked (digest)
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

CREATE FUNCTION image_library_internal.write_problems(registry_id integer, repository text, problems image_library_internal.batch_problem[],
  checked text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM image_library_internal.problem p
  USING unnest(checked) AS fine (tag)
  WHERE p.registry_id = write_problems.registry_id AND p.repository = write_problems.repository
    AND p.tag = fine.tag;
  INSERT INTO image_library_internal.problem AS p (registry_id, repository, tag, problem, detail)
  SELECT DISTINCT ON (n.tag) write_problems.registry_id, write_problems.repository, coalesce(n.tag, ''), n.problem, n.detail
  FROM unnest(problems) n
  ORDER BY n.tag
  ON CONFLICT ON CONSTRAINT problem_pkey DO UPDATE
  SET problem = excluded.problem, detail = excluded.detail, last_seen_at = excluded.last_seen_at
  WHERE (p.problem, p.detail) IS DISTINCT FROM (excluded.problem, excluded.detail);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_problems IS
  'Stores the problems of a batch, and ends those that the batch names as checked';
GRANT EXECUTE ON FUNCTION image_library_internal.write_problems TO image_library_agent;

CREATE FUNCTION image_library_internal.write_batch(registry_id integer, repository text, batch image_library_internal.batch) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer;
  keys jsonb;
  incomplete text[];
  completed image_library_internal.batch_image[];
  images_added bigint;
  counts record;
  signed_images text[] := '{}';
  answered text[] := '{}';
BEGIN
  IF cardinality(batch.evidence) > 0 THEN
    PERFORM image_library_internal.lock_trust(exclusive => false);
  END IF;
  IF cardinality(batch.problems) > 0 OR cardinality(batch.checked) > 0 THEN
    PERFORM image_library_internal.write_problems(registry_id, repository, batch.problems, batch.checked);
  END IF;
  -- Problems alone do not add a repository that was never read.
  IF NOT coalesce(cardinality(batch.completed) > 0 OR cardinality(batch.tags) > 0 OR cardinality(batch.missing) > 0
                  OR cardinality(batch.referrers) > 0 OR cardinality(batch.referrer_answers) > 0
                  OR cardinality(batch.referrers_checked) > 0 OR cardinality(batch.gone_children) > 0 OR cardinality(batch.evidence) > 0 OR batch.listing IS NOT NULL OR batch.refused_removals IS NOT NULL OR batch.settled IS NOT NULL, false) THEN
    RETURN '{}';
  END IF;
  -- An image of which something was not read is completed, also from another repository that has more of it.
  completed := batch.completed;
  incomplete := ARRAY(SELECT k.digest
                      FROM image_library_internal.known_images(ARRAY(SELECT n.digest FROM unnest(batch.images) n)) k WHERE NOT k.whole);
  IF incomplete <> '{}' THEN
    completed := completed || ARRAY(
      SELECT n FROM unnest(batch.images) n WHERE n.digest = ANY (incomplete) AND image_library_internal.is_more_complete(n));
  END IF;
  IF cardinality(completed) > 0 THEN
    PERFORM image_library_internal.complete_images(completed);
  END IF;
  id := image_library_internal.repository_id(registry_id, repository);
  PERFORM image_library_internal.lock_repository(registry_id, id, for_batch => true);
  -- Not before the lock, which set_annotation_keys takes too.
  keys := image_library_internal.classification_keys();
  images_added := 0;
  IF cardinality(batch.images) > 0 THEN
    images_added := image_library_internal.write_images(batch.images, keys);
  END IF;
  IF cardinality(batch.gone_children) > 0 THEN
    PERFORM image_library_internal.write_gone_children(id, batch.gone_children);
  END IF;
  IF cardinality(batch.referrer_answers) > 0 THEN
    answered := image_library_internal.answered_images(id, batch.referrer_answers);
  END IF;
  IF cardinality(batch.referrers) > 0 OR cardinality(batch.referrer_answers) > 0 OR cardinality(batch.referrers_checked) > 0 THEN
    PERFORM image_library_internal.write_referrers(id, batch);
  END IF;
  -- Before the tags, which rules and policies approve.
  IF cardinality(batch.evidence) > 0 THEN
    signed_images := image_library_internal.write_evidence(id, batch.evidence);
  END IF;
  IF cardinality(answered) > 0 THEN
    PERFORM image_library_internal.forget_evidence(id, answered);
  END IF;
  IF batch.refused_removals IS NOT NULL THEN
    PERFORM image_library_internal.write_removals(id, batch.refused_removals);
  END IF;
  counts := image_library_internal.write_tags(id, batch.tags, coalesce(batch.missing, '{}'), keys);
  IF cardinality(signed_images) > 0 THEN
    PERFORM image_library_internal.approve_signed(id, signed_images);
  END IF;
  IF batch.listing IS NOT NULL THEN
    INSERT INTO image_library_internal.listing AS l (repository_id, tags, fingerprint)
    VALUES (id, batch.listing, batch.fingerprint)
    ON CONFLICT ON CONSTRAINT listing_pkey DO UPDATE
    SET tags = excluded.tags, fingerprint = excluded.fingerprint, changed_at = excluded.changed_at
    WHERE l.fingerprint <> excluded.fingerprint;
  END IF;
  -- Rules that changed since the run began may take other tags. The option newest depends on the whole listing.
  IF cardinality(batch.tags) > 0 OR batch.listing IS NOT NULL THEN
    IF batch.rules_version IS DISTINCT FROM image_library_internal.rules_version(registry_id)
       OR batch.listing IS NOT NULL AND EXISTS (
         SELECT FROM image_library_internal.rule u WHERE u.registry_id = write_batch.registry_id AND u.enabled AND u.newest IS NOT NULL) THEN
      PERFORM image_library_internal.decide_repository(id, image_library_internal.rules_json(registry_id), NULL);
    END IF;
  END IF;
  PERFORM image_library_internal.write_settled(id, batch.settled,
    coalesce(cardinality(batch.tags) > 0 OR cardinality(batch.missing) > 0 OR batch.listing IS NOT NULL, false));
  RETURN jsonb_build_object('images_added', images_added, 'tags_added', counts.tags_added,
                            'tags_moved', counts.tags_moved, 'tags_missing', counts.tags_missing);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_batch IS
  'Stores what a sync found in one repository; returns the numbers of new rows';
GRANT EXECUTE ON FUNCTION image_library_internal.write_batch TO image_library_agent;

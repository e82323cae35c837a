-- Writing what a sync found, in one transaction: one set of statements for the batches of several repositories, since with
-- small ones the statements are most of the time. Equal rows are not written.

CREATE FUNCTION image_library_internal.repository_ids(registry_id integer, repositories text[]) RETURNS integer[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  ids integer[];
BEGIN
  FOR attempt IN 1 .. 2 LOOP
    ids := ARRAY(
      SELECT (SELECT r.repository_id FROM image_library_internal.repository r
              WHERE r.registry_id = repository_ids.registry_id AND r.name = asked.name)
      FROM unnest(repositories) WITH ORDINALITY AS asked (name, place)
      ORDER BY asked.place);
    EXIT WHEN array_position(ids, NULL) IS NULL;
    INSERT INTO image_library_internal.repository AS r (registry_id, name)
    SELECT repository_ids.registry_id, asked.name
    FROM unnest(repositories, ids) AS asked (name, id)
    WHERE asked.id IS NULL
    ORDER BY asked.name COLLATE "C"
    ON CONFLICT ON CONSTRAINT repository_registry_id_name_key DO UPDATE SET name = excluded.name;
  END LOOP;
  RETURN ids;
END
$$;
COMMENT ON FUNCTION image_library_internal.repository_ids IS 'Numbers of repositories, in the places of their names; new ones are added';
GRANT EXECUTE ON FUNCTION image_library_internal.repository_ids TO image_library_agent;

-- A batch that brings a tag and a decision on its digest do not see each other before they commit, so one waits for the
-- other.
CREATE FUNCTION image_library_internal.lock_repository(registry_id integer, repository_id integer, for_batch boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
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

CREATE FUNCTION image_library_internal.refuse_together(reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.fail(
    errcode => 'lock_not_available',
    message => format('could not write batches of several repositories together: %s', reason),
    detail => 'All of them would be locked meanwhile.',
    hint => 'Write each of them alone.');
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_together IS
  'Raises 55P03: batches of several repositories are written together only while none waits for another session';
GRANT EXECUTE ON FUNCTION image_library_internal.refuse_together TO image_library_agent;

-- While one of several repositories is locked by another session, the caller would hold the others: it fails at once, and
-- tries each alone.
CREATE FUNCTION image_library_internal.lock_repositories(registry_id integer, repositories integer[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF cardinality(repositories) = 1 THEN
    PERFORM image_library_internal.lock_repository(registry_id, repositories[1], for_batch => true);
    RETURN;
  END IF;
  PERFORM image_library_internal.require_read_committed();
  PERFORM image_library_internal.lock_rules_of(registry_id, exclusive => false);
  PERFORM FROM image_library_internal.repository r WHERE r.repository_id = ANY (repositories) ORDER BY r.repository_id FOR NO KEY UPDATE NOWAIT;
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_repositories IS
  'Locks repositories of a registry for a batch as lock_repository does; raises 55P03 if they are several and another session has locked one of them';
GRANT EXECUTE ON FUNCTION image_library_internal.lock_repositories TO image_library_agent;

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

-- What few batches have. Signatures come before the tags, which rules and policies approve.
CREATE FUNCTION image_library_internal.write_additions(repository_id integer, batch image_library_internal.batch) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  signed_images text[] := '{}';
  answered text[] := '{}';
BEGIN
  IF cardinality(batch.gone_children) > 0 THEN
    PERFORM image_library_internal.write_gone_children(repository_id, batch.gone_children);
  END IF;
  IF cardinality(batch.referrer_answers) > 0 THEN
    answered := image_library_internal.answered_images(repository_id, batch.referrer_answers);
  END IF;
  IF cardinality(batch.referrers) > 0 OR cardinality(batch.referrer_answers) > 0 OR cardinality(batch.referrers_checked) > 0 THEN
    PERFORM image_library_internal.write_referrers(repository_id, batch);
  END IF;
  IF cardinality(batch.evidence) > 0 THEN
    signed_images := image_library_internal.write_evidence(repository_id, batch.evidence);
  END IF;
  IF cardinality(answered) > 0 THEN
    PERFORM image_library_internal.forget_evidence(repository_id, answered);
  END IF;
  IF batch.refused_removals IS NOT NULL THEN
    PERFORM image_library_internal.write_removals(repository_id, batch.refused_removals);
  END IF;
  RETURN signed_images;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_additions IS
  'Stores what a batch has beside images, tags and the listing; returns the digests of images that have a new verified signature';
GRANT EXECUTE ON FUNCTION image_library_internal.write_additions TO image_library_agent;

CREATE FUNCTION image_library_internal.write_listings(listings image_library_internal.listing[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  INSERT INTO image_library_internal.listing AS l (repository_id, tags, fingerprint, changed_at)
  SELECT n.repository_id, n.tags, n.fingerprint, n.changed_at FROM unnest(listings) n
  ON CONFLICT ON CONSTRAINT listing_pkey DO UPDATE
  SET tags = excluded.tags, fingerprint = excluded.fingerprint, changed_at = excluded.changed_at
  WHERE l.fingerprint <> excluded.fingerprint;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_listings IS 'Stores the tags that listings of repositories have';
GRANT EXECUTE ON FUNCTION image_library_internal.write_listings TO image_library_agent;

-- Rules that changed since the run began may take other tags. The option newest depends on the whole listing.
CREATE FUNCTION image_library_internal.decide_stale(registry_id integer, version text, repositories integer[], versions text[],
  listed integer[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  stale integer[] := '{}';
  id integer;
  rules jsonb;
BEGIN
  IF listed <> '{}' AND EXISTS (
    SELECT FROM image_library_internal.rule u WHERE u.registry_id = decide_stale.registry_id AND u.enabled AND u.newest IS NOT NULL) THEN
    stale := listed;
  END IF;
  FOR place IN 1 .. cardinality(repositories) LOOP
    IF versions[place] IS DISTINCT FROM version AND repositories[place] <> ALL (stale) THEN
      stale := stale || repositories[place];
    END IF;
  END LOOP;
  FOREACH id IN ARRAY stale LOOP
    rules := coalesce(rules, image_library_internal.rules_json(registry_id));
    PERFORM image_library_internal.decide_repository(id, rules, NULL);
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.decide_stale IS
  'Applies the rules, of a version, to repositories whose tags were read by another one, and to those with a new listing (listed) if that matters to a rule';
GRANT EXECUTE ON FUNCTION image_library_internal.decide_stale TO image_library_agent;

CREATE FUNCTION image_library_internal.has_additions(batch image_library_internal.batch) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(cardinality((batch).gone_children) > 0 OR cardinality((batch).referrers) > 0 OR cardinality((batch).referrer_answers) > 0
                OR cardinality((batch).referrers_checked) > 0 OR cardinality((batch).evidence) > 0 OR (batch).refused_removals IS NOT NULL, false);
COMMENT ON FUNCTION image_library_internal.has_additions IS 'Whether write_additions has something to store of a batch';
GRANT EXECUTE ON FUNCTION image_library_internal.has_additions TO image_library_agent;

-- Batches are gathered in arrays, by expressions that PL/pgSQL evaluates without a plan: a statement over an array is planned
-- each time, unless plan_cache_mode says otherwise, also to all functions that are called.
CREATE FUNCTION image_library_internal.write_batches(registry_id integer, repositories text[], batches image_library_internal.batch[]) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  batch image_library_internal.batch;
  names text[] := '{}';
  places integer[] := '{}';
  ids integer[];
  id integer;
  added integer;
  images image_library_internal.batch_image[] := '{}';
  completed image_library_internal.batch_image[] := '{}';
  tags image_library_internal.batch_tag[] := '{}';
  tags_of integer[] := '{}';
  missing image_library_internal.tag_place[] := '{}';
  listings image_library_internal.listing[] := '{}';
  listed integer[] := '{}';
  decided integer[] := '{}';
  rules_versions text[] := '{}';
  keys_versions text[] := '{}';
  settled image_library_internal.settled_repository[] := '{}';
  over integer[] := '{}';
  have_evidence boolean := false;
  additions integer[] := '{}';
  keys jsonb;
  version text;
  have_texts boolean;
  have_facts boolean;
  incomplete text[];
  images_added bigint := 0;
  signed image_library_internal.image_place[] := '{}';
  signed_in record;
  counts record;
BEGIN
  IF cardinality(batches) > 1 AND image_library_internal.has_approval_policies() THEN
    PERFORM image_library_internal.refuse_together('policies are evaluated for each image, which may take long');
  END IF;
  FOR place IN 1 .. cardinality(batches) LOOP
    have_evidence := have_evidence OR cardinality((batches[place]).evidence) > 0;
  END LOOP;
  IF have_evidence THEN
    PERFORM image_library_internal.lock_trust(exclusive => false);
  END IF;
  FOR place IN 1 .. cardinality(batches) LOOP
    batch := batches[place];
    IF cardinality(batch.problems) > 0 OR cardinality(batch.checked) > 0 THEN
      PERFORM image_library_internal.write_problems(registry_id, repositories[place], batch.problems, batch.checked);
    END IF;
    -- Problems alone do not add a repository that was never read.
    IF image_library_internal.has_additions(batch)
       OR coalesce(cardinality(batch.completed) > 0 OR cardinality(batch.tags) > 0 OR cardinality(batch.missing) > 0
                   OR batch.listing IS NOT NULL OR batch.settled IS NOT NULL, false) THEN
      places := places || place;
      names := names || repositories[place];
      images := images || batch.images;
      completed := completed || batch.completed;
    END IF;
  END LOOP;
  IF places = '{}' THEN
    RETURN '{}';
  END IF;
  -- An image of which something was not read is completed, also from another repository that has more of it.
  incomplete := image_library_internal.incomplete_images(images);
  IF incomplete <> '{}' THEN
    completed := completed || ARRAY(
      SELECT i FROM unnest(images) i WHERE i.digest = ANY (incomplete) AND image_library_internal.is_more_complete(i));
  END IF;
  IF cardinality(completed) > 0 THEN
    IF cardinality(batches) > 1 THEN
      PERFORM image_library_internal.refuse_together('an image is completed, for which all repositories that have it are locked');
    END IF;
    PERFORM image_library_internal.complete_images(completed);
  END IF;
  ids := image_library_internal.repository_ids(registry_id, names);
  PERFORM image_library_internal.lock_repositories(registry_id, ids);
  FOR n IN 1 .. cardinality(places) LOOP
    batch := batches[places[n]];
    id := ids[n];
    IF image_library_internal.has_additions(batch) THEN
      additions := additions || n;
    END IF;
    IF cardinality(batch.tags) > 0 THEN
      tags := tags || batch.tags;
      tags_of := tags_of || array_fill(id, ARRAY[cardinality(batch.tags)]);
    END IF;
    IF cardinality(batch.missing) > 0 THEN
      missing := missing || ARRAY(SELECT (id, m)::image_library_internal.tag_place FROM unnest(batch.missing) m);
    END IF;
    IF batch.listing IS NOT NULL THEN
      listings := listings || (id, batch.listing, batch.fingerprint, now())::image_library_internal.listing;
      listed := listed || id;
    END IF;
    IF cardinality(batch.tags) > 0 OR batch.listing IS NOT NULL THEN
      decided := decided || id;
      rules_versions := rules_versions || batch.rules_version;
    END IF;
    IF cardinality(batch.tags) > 0 OR cardinality(batch.missing) > 0 OR batch.listing IS NOT NULL THEN
      over := over || id;
    END IF;
    IF batch.settled IS NOT NULL THEN
      settled := settled || (id, (batch.settled).fingerprint, (batch.settled).tags, (batch.settled).movable)::image_library_internal.settled_repository;
    END IF;
    keys_versions := keys_versions || batch.keys_version;
  END LOOP;
  -- Not before the lock, which set_annotation_keys and changes of rules take too.
  keys := image_library_internal.classification_keys();
  version := image_library_internal.rules_version(registry_id);
  have_texts := coalesce(image_library_internal.classification_version() = ALL (keys_versions), false);
  IF cardinality(images) > 0 THEN
    images_added := image_library_internal.write_images(images, keys, have_texts);
  END IF;
  -- A rule may say what kind its images are. Of an image that was there, what is stored counts: the batch may have read less.
  have_facts := have_texts AND coalesce(version = ALL (rules_versions), false) AND images_added = cardinality(images);
  FOREACH added IN ARRAY additions LOOP
    signed := signed || ARRAY(
      SELECT (ids[added], d)::image_library_internal.image_place
      FROM unnest(image_library_internal.write_additions(ids[added], batches[places[added]])) d);
  END LOOP;
  counts := image_library_internal.write_tags(tags, tags_of, have_facts, missing, keys);
  IF signed <> '{}' THEN
    FOR signed_in IN SELECT s.repository_id, array_agg(s.digest) AS digests FROM unnest(signed) s GROUP BY 1 ORDER BY 1 LOOP
      PERFORM image_library_internal.approve_signed(signed_in.repository_id, signed_in.digests);
    END LOOP;
  END IF;
  IF listings <> '{}' THEN
    PERFORM image_library_internal.write_listings(listings);
  END IF;
  IF decided <> '{}' THEN
    PERFORM image_library_internal.decide_stale(registry_id, version, decided, rules_versions, listed);
  END IF;
  IF settled <> '{}' OR over <> '{}' THEN
    PERFORM image_library_internal.write_settled(settled, over);
  END IF;
  RETURN jsonb_build_object('images_added', images_added, 'tags_added', counts.tags_added,
                            'tags_moved', counts.tags_moved, 'tags_missing', counts.tags_missing);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_batches IS
  'Stores what a sync found in repositories, each with its batch in the same place; returns the numbers of new rows';
GRANT EXECUTE ON FUNCTION image_library_internal.write_batches TO image_library_agent;

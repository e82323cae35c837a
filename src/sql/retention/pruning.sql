-- An image is removed in steps, each a transaction of its own, so that none of them is lost that somebody needs:
--
--   1. A step locks images that no other transaction refers to at this moment, and removes what is too old of the history
--      of their tags. Images that nothing names then are marked.
--   2. A later step notes the last run: runs that begin from now on see the mark.
--   3. When the runs until then have ended, a step locks the image again, looks again whether anything names it, and
--      removes it.
--
-- A run takes a marked image for unknown: if a tag points at it again, the batch brings the image, and removes the mark.

-- PL/pgSQL keeps the plans. LATERAL with LIMIT reads each table by key, whatever its size.

-- What keeps history of a tag and a digest whatever its age. Decisions keep it in every repository, also of a dropped registry.
CREATE FUNCTION image_library_internal.old_periods(digests text[], ended_before timestamptz) RETURNS SETOF image_library_internal.tag_period
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  RETURN QUERY
    SELECT p.*
    FROM unnest(digests) AS asked (digest)
    CROSS JOIN LATERAL (SELECT x.* FROM image_library_internal.tag_period x WHERE x.digest = asked.digest AND x.until < ended_before OFFSET 0) p
    LEFT JOIN LATERAL (SELECT true AS kept FROM image_library_internal.decision d WHERE d.digest = asked.digest LIMIT 1) decided ON true
    LEFT JOIN LATERAL (SELECT true AS kept FROM image_library_internal.approval a
                       WHERE a.repository_id = p.repository_id AND a.digest = p.digest LIMIT 1) state ON true
    LEFT JOIN LATERAL (SELECT true AS kept FROM image_library_internal.approval_request q
                       WHERE q.repository_id = p.repository_id AND q.digest = p.digest LIMIT 1) requested ON true
    LEFT JOIN LATERAL (SELECT true AS kept FROM image_library_internal.image_use u
                       WHERE u.repository_id = p.repository_id AND u.digest = p.digest LIMIT 1) used ON true
    LEFT JOIN LATERAL (SELECT true AS kept FROM image_library_internal.full_repository r
                       JOIN image_library_internal.unknown_use x ON x.host = r.host AND x.repository = r.full_name AND x.released_at IS NULL
                       WHERE r.repository_id = p.repository_id AND (x.digest = p.digest OR x.tag = p.tag) LIMIT 1) used_unknown ON true
    WHERE num_nonnulls(decided.kept, state.kept, requested.kept, used.kept, used_unknown.kept) = 0;
END
$$;
COMMENT ON FUNCTION image_library_internal.old_periods IS
  'History of some images that ended before a time, unless somebody decided on the image, asked for its approval or uses it';
GRANT EXECUTE ON FUNCTION image_library_internal.old_periods TO image_library_agent;

CREATE FUNCTION image_library_internal.unnamed_images(digests text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  RETURN ARRAY(
    SELECT asked.digest
    FROM unnest(digests) AS asked (digest)
    LEFT JOIN LATERAL (SELECT true AS here FROM image_library_internal.tag t WHERE t.digest = asked.digest LIMIT 1) tagged ON true
    LEFT JOIN LATERAL (SELECT true AS here FROM image_library_internal.tag_period p WHERE p.digest = asked.digest LIMIT 1) was_tagged ON true
    LEFT JOIN LATERAL (SELECT true AS here FROM image_library_internal.decision d WHERE d.digest = asked.digest LIMIT 1) decided ON true
    LEFT JOIN LATERAL (SELECT true AS here FROM image_library_internal.approval a WHERE a.digest = asked.digest LIMIT 1) state ON true
    LEFT JOIN LATERAL (SELECT true AS here FROM image_library_internal.approval_request q WHERE q.digest = asked.digest LIMIT 1) requested ON true
    LEFT JOIN LATERAL (SELECT true AS here FROM image_library_internal.image_use u WHERE u.digest = asked.digest LIMIT 1) used ON true
    WHERE num_nonnulls(tagged.here, was_tagged.here, decided.here, state.here, requested.here, used.here) = 0);
END
$$;
COMMENT ON FUNCTION image_library_internal.unnamed_images IS
  'Those of some images that no tag, history, decision, request or use names';
GRANT EXECUTE ON FUNCTION image_library_internal.unnamed_images TO image_library_agent;

-- Whoever refers to an image locks its row FOR KEY SHARE, by a foreign key or like record_use, until it commits.
CREATE FUNCTION image_library_internal.lock_unused_images(digests text[]) RETURNS text[]
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY(SELECT i.digest FROM image_library_internal.image i
               WHERE i.digest = ANY (digests) ORDER BY i.digest FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION image_library_internal.lock_unused_images IS
  'Locks those of some images that no other transaction has locked, and returns them';
GRANT EXECUTE ON FUNCTION image_library_internal.lock_unused_images TO image_library_agent;

CREATE FUNCTION image_library_internal.keep_image(repository_id integer, digest text, reference text, in_registry text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM image_library_internal.image i WHERE i.digest = keep_image.digest FOR KEY SHARE;
  -- It may have been removed since it was found.
  IF NOT FOUND OR NOT EXISTS (SELECT FROM image_library_internal.tag t
                              WHERE t.repository_id = keep_image.repository_id AND t.digest = keep_image.digest)
                  AND NOT EXISTS (SELECT FROM image_library_internal.tag_period p
                                  WHERE p.repository_id = keep_image.repository_id AND p.digest = keep_image.digest) THEN
    PERFORM image_library_internal.find_image(reference, in_registry);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.keep_image IS
  'Prevents that an image which was found is removed with its history before this transaction has ended; raises the error of find_image if it is gone';

CREATE FUNCTION image_library_internal.unmark_images(digests text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  -- Nothing is marked most of the time.
  IF EXISTS (SELECT FROM image_library_internal.prunable_image) THEN
    DELETE FROM image_library_internal.prunable_image p
    WHERE p.digest = ANY (digests);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.unmark_images IS
  'Removes the marks of the images of a batch, before it stores them; waits for a step that removes one of them at this moment';
GRANT EXECUTE ON FUNCTION image_library_internal.unmark_images TO image_library_agent;

CREATE FUNCTION image_library_internal.prune_periods(digests text[], ended_before timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  old text[] := ARRAY(SELECT DISTINCT o.digest FROM image_library_internal.old_periods(digests, ended_before) o);
  removed image_library_internal.tag_period[];
  number bigint;
BEGIN
  IF old = '{}' THEN
    RETURN 0;
  END IF;
  old := image_library_internal.lock_unused_images(old);
  -- A new statement sees what was committed before the lock.
  WITH gone AS (
    DELETE FROM image_library_internal.tag_period p USING image_library_internal.old_periods(old, ended_before) o
    WHERE p.repository_id = o.repository_id AND p.tag = o.tag AND p.since = o.since
    RETURNING p)
  SELECT coalesce(array_agg(g.p), '{}'), count(*) INTO removed, number FROM gone g;
  -- What was noted of an image in a repository that does not name it any more.
  removed := ARRAY(
    SELECT DISTINCT ON (r.repository_id, r.digest) r
    FROM unnest(removed) r
    LEFT JOIN LATERAL (SELECT true AS here FROM image_library_internal.tag t
                       WHERE t.repository_id = r.repository_id AND t.digest = r.digest LIMIT 1) tagged ON true
    LEFT JOIN LATERAL (SELECT true AS here FROM image_library_internal.tag_period p
                       WHERE p.repository_id = r.repository_id AND p.digest = r.digest LIMIT 1) was_tagged ON true
    WHERE num_nonnulls(tagged.here, was_tagged.here) = 0);
  DELETE FROM image_library_internal.referrer_check x USING unnest(removed) r WHERE x.repository_id = r.repository_id AND x.digest = r.digest;
  DELETE FROM image_library_internal.policy_verdict x USING unnest(removed) r WHERE x.repository_id = r.repository_id AND x.digest = r.digest;
  DELETE FROM image_library_internal.evidence x USING unnest(removed) r WHERE x.repository_id = r.repository_id AND x.digest = r.digest;
  DELETE FROM image_library_internal.untagged_check x USING unnest(removed) r WHERE x.repository_id = r.repository_id AND x.digest = r.digest;
  RETURN number;
END
$$;
COMMENT ON FUNCTION image_library_internal.prune_periods IS
  'Removes old history of some images, with what was noted of an image in a repository that does not name it any more; returns the number of periods';
GRANT EXECUTE ON FUNCTION image_library_internal.prune_periods TO image_library_agent;

CREATE FUNCTION image_library_internal.mark_images(digests text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  marked bigint;
BEGIN
  INSERT INTO image_library_internal.prunable_image (digest)
  SELECT unnamed.digest
  FROM unnest(image_library_internal.unnamed_images(digests)) AS unnamed (digest)
  -- A mark that a batch is removing is not made again.
  LEFT JOIN LATERAL (SELECT x.digest FROM image_library_internal.prunable_image x WHERE x.digest = unnamed.digest OFFSET 0) there ON true
  WHERE there.digest IS NULL
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS marked = ROW_COUNT;
  RETURN marked;
END
$$;
COMMENT ON FUNCTION image_library_internal.mark_images IS 'Marks those of some images that nothing names; returns how many are new';
GRANT EXECUTE ON FUNCTION image_library_internal.mark_images TO image_library_agent;

CREATE FUNCTION image_library_internal.note_marks() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE image_library_internal.prunable_image p SET after_run = coalesce((SELECT max(r.run_id) FROM image_library_internal.run r), 0)
  WHERE p.digest = ANY (ARRAY(SELECT m.digest FROM image_library_internal.prunable_image m WHERE m.after_run IS NULL FOR UPDATE SKIP LOCKED))
$$;
COMMENT ON FUNCTION image_library_internal.note_marks IS 'Notes the last run beside marks that are committed: later runs see them';
GRANT EXECUTE ON FUNCTION image_library_internal.note_marks TO image_library_agent;

CREATE FUNCTION image_library_internal.removable_images(max_rows integer) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY(SELECT p.digest FROM image_library_internal.prunable_image p
               WHERE p.after_run < coalesce((SELECT min(r.run_id) FROM image_library_internal.run r WHERE r.outcome IS NULL), p.after_run + 1)
                 AND NOT image_library_internal.looks_are_going_on()
               ORDER BY p.digest LIMIT max_rows)
$$;
COMMENT ON FUNCTION image_library_internal.removable_images IS 'Marked images that no run knows which is going on';
GRANT EXECUTE ON FUNCTION image_library_internal.removable_images TO image_library_agent;

CREATE FUNCTION image_library_internal.remove_images(max_rows integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  chosen text[] := image_library_internal.removable_images(max_rows);
  unnamed text[];
  removed bigint;
BEGIN
  IF chosen = '{}' THEN
    RETURN 0;
  END IF;
  -- A batch that brings an image again removes its mark first, and waits for this step or makes it skip the image.
  chosen := ARRAY(SELECT p.digest FROM image_library_internal.prunable_image p
                  WHERE p.digest = ANY (chosen) ORDER BY p.digest FOR UPDATE SKIP LOCKED);
  unnamed := image_library_internal.lock_unused_images(chosen);
  unnamed := image_library_internal.unnamed_images(unnamed);
  DELETE FROM image_library_internal.image_referrer x WHERE x.digest = ANY (unnamed);
  -- Platforms, extensions and profiles follow by their foreign keys.
  DELETE FROM image_library_internal.image i WHERE i.digest = ANY (unnamed);
  GET DIAGNOSTICS removed = ROW_COUNT;
  -- The marks of these, of those that are named again, and of images that were dropped with their registry. One that is
  -- locked now stays marked.
  DELETE FROM image_library_internal.prunable_image p
  WHERE p.digest = ANY (chosen)
    AND (p.digest = ANY (unnamed) OR p.digest <> ALL (image_library_internal.unnamed_images(chosen))
         OR NOT EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = p.digest));
  RETURN removed;
END
$$;
COMMENT ON FUNCTION image_library_internal.remove_images IS
  'Removes marked images, with what belongs to them, unless something names them again or another transaction has them locked';
GRANT EXECUTE ON FUNCTION image_library_internal.remove_images TO image_library_agent;

CREATE FUNCTION image_library_internal.begin_pruning(cause text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id bigint;
BEGIN
  IF image_library_internal.retention('image_library.history_retention') IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => 'history is kept for ever: image_library.history_retention is -1',
      hint => 'Set it to the time for which history is kept, such as 365d.');
  END IF;
  UPDATE image_library_internal.pruning p SET finished_at = clock_timestamp() WHERE p.finished_at IS NULL;
  DELETE FROM image_library_internal.pruning p WHERE p.started_at < now() - image_library_internal.retention('image_library.run_retention');
  INSERT INTO image_library_internal.pruning AS p (cause) VALUES (begin_pruning.cause) RETURNING p.pruning_id INTO id;
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library_internal.begin_pruning IS 'Begins a pass over the library, and ends one that was left; returns its number';
GRANT EXECUTE ON FUNCTION image_library_internal.begin_pruning TO image_library_agent;

CREATE FUNCTION image_library_internal.due_pruning() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  last image_library_internal.pruning;
BEGIN
  IF image_library_internal.retention('image_library.history_retention') IS NULL
     OR NOT EXISTS (SELECT FROM image_library_internal.image)
     -- A dump that is being restored has images already, and no registry yet.
     OR NOT EXISTS (SELECT FROM image_library_internal.registry) THEN
    RETURN NULL;
  END IF;
  SELECT * INTO last FROM image_library_internal.pruning p ORDER BY p.pruning_id DESC LIMIT 1;
  IF last.finished_at IS NULL AND last.cause = 'schedule' THEN
    RETURN last.pruning_id;
  ELSIF coalesce(last.started_at + interval '1 day' <= clock_timestamp(), true) THEN
    RETURN image_library_internal.begin_pruning('schedule');
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.due_pruning IS
  'The pass that the agent continues, or a new one if the last began a day ago; null: nothing is due, the library is empty, or image_library.history_retention is -1';
GRANT EXECUTE ON FUNCTION image_library_internal.due_pruning TO image_library_agent;

CREATE FUNCTION image_library_internal.prune_step(pruning_id bigint, max_rows integer DEFAULT 200) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  pass image_library_internal.pruning;
  ended_before timestamptz := now() - image_library_internal.retention('image_library.history_retention');
  digests text[];
  old_periods bigint;
  marked bigint;
  removed bigint;
  more boolean;
BEGIN
  PERFORM image_library_internal.require_read_committed();
  SELECT * INTO pass FROM image_library_internal.pruning p
  WHERE p.pruning_id = prune_step.pruning_id AND p.finished_at IS NULL FOR UPDATE SKIP LOCKED;
  IF NOT FOUND OR ended_before IS NULL THEN
    RETURN false;
  END IF;
  PERFORM image_library_internal.note_marks();
  removed := image_library_internal.remove_images(max_rows);
  digests := ARRAY(SELECT i.digest FROM image_library_internal.image i WHERE i.digest > pass.last_digest ORDER BY i.digest LIMIT max_rows);
  old_periods := image_library_internal.prune_periods(digests, ended_before);
  marked := image_library_internal.mark_images(digests);
  more := cardinality(digests) = max_rows OR marked > 0 OR removed > 0;
  UPDATE image_library_internal.pruning p
  SET last_digest = coalesce(digests[cardinality(digests)], p.last_digest), checked = p.checked + cardinality(digests),
      periods = p.periods + old_periods, images = p.images + removed, finished_at = CASE WHEN NOT more THEN clock_timestamp() END
  WHERE p.pruning_id = pass.pruning_id;
  RETURN more;
END
$$;
COMMENT ON FUNCTION image_library_internal.prune_step IS
  'Removes old history of some images, marks those that nothing names, and removes marked ones; false: the pass is over, or another session works on it';
GRANT EXECUTE ON FUNCTION image_library_internal.prune_step TO image_library_agent;

CREATE FUNCTION image_library_internal.count_prunable(OUT periods bigint, OUT images bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH old AS MATERIALIZED (
    SELECT o.digest, count(*) AS number
    FROM image_library_internal.old_periods(
      ARRAY(SELECT i.digest FROM image_library_internal.image i),
      now() - image_library_internal.retention('image_library.history_retention')) o
    GROUP BY 1
  )
  SELECT (SELECT coalesce(sum(o.number), 0) FROM old o),
         (SELECT count(*)
          FROM image_library_internal.image i LEFT JOIN old o USING (digest)
          WHERE image_library_internal.retention('image_library.history_retention') IS NOT NULL
            AND NOT EXISTS (SELECT FROM image_library_internal.tag t WHERE t.digest = i.digest)
            AND coalesce(o.number, 0) = (SELECT count(*) FROM image_library_internal.tag_period p WHERE p.digest = i.digest)
            AND NOT EXISTS (SELECT FROM image_library_internal.decision d WHERE d.digest = i.digest)
            AND NOT EXISTS (SELECT FROM image_library_internal.approval a WHERE a.digest = i.digest)
            AND NOT EXISTS (SELECT FROM image_library_internal.approval_request q WHERE q.digest = i.digest)
            AND NOT EXISTS (SELECT FROM image_library_internal.image_use u WHERE u.digest = i.digest))
$$;
COMMENT ON FUNCTION image_library_internal.count_prunable IS 'What a pass would remove now';
GRANT EXECUTE ON FUNCTION image_library_internal.count_prunable TO image_library_agent;

-- The trigger of the chain is deferred, which the agent's statements may not do: here it runs at once.
CREATE FUNCTION image_library_internal.audit_pruning(pruning_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  SET CONSTRAINTS image_library_internal.chain IMMEDIATE;
  PERFORM image_library_internal.audit_purge('images', jsonb_build_object(
    'history_retention', image_library_internal.retention('image_library.history_retention'), 'periods', p.periods, 'images', p.images))
  FROM image_library_internal.pruning p WHERE p.pruning_id = audit_pruning.pruning_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.audit_pruning IS 'Writes the audit entry of a pass that a person called';
GRANT EXECUTE ON FUNCTION image_library_internal.audit_pruning TO image_library_agent;

CREATE PROCEDURE image_library.prune_images(dry_run boolean DEFAULT false)
LANGUAGE c AS 'MODULE_PATHNAME', 'image_library_prune_images';
COMMENT ON PROCEDURE image_library.prune_images IS
  'Removes history of tags that is older than image_library.history_retention, and images that no tag, history, decision, request or use names, as the agent does once a day; commits as it goes, is recorded in the audit. dry_run: tells the numbers, and removes nothing';
GRANT EXECUTE ON PROCEDURE image_library.prune_images TO image_library_admin;

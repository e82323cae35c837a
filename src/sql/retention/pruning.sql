-- An image is removed in steps, each a transaction of its own, so that none of them is lost that somebody needs:
--
--   1. A step locks images that no other transaction refers to at this moment, and removes what is too old of the history
--      of their tags. Images that nothing names then are marked.
--   2. A later step notes the last run: runs that begin from now on see the mark.
--   3. When the runs until then have ended, a step locks the image again, looks again whether anything names it, and
--      removes it.
--
-- A run takes a marked image for unknown: if a tag points at it again, the batch brings the image, and removes the mark.

-- Of the pair of repository and digest. Decisions keep an image in every repository, also of a dropped registry.
CREATE FUNCTION image_library_internal.keeps_history(repository_id integer, tag text, digest text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library_internal.decision d WHERE d.digest = keeps_history.digest)
      OR EXISTS (SELECT FROM image_library_internal.approval a
                 WHERE a.repository_id = keeps_history.repository_id AND a.digest = keeps_history.digest)
      OR EXISTS (SELECT FROM image_library_internal.approval_request q
                 WHERE q.repository_id = keeps_history.repository_id AND q.digest = keeps_history.digest)
      OR EXISTS (SELECT FROM image_library_internal.image_use u
                 WHERE u.repository_id = keeps_history.repository_id AND u.digest = keeps_history.digest)
      OR EXISTS (SELECT FROM image_library_internal.full_repository r
                 JOIN image_library_internal.unknown_use x ON x.host = r.host AND x.repository = r.full_name AND x.released_at IS NULL
                 WHERE r.repository_id = keeps_history.repository_id AND (x.digest = keeps_history.digest OR x.tag = keeps_history.tag))
$$;
COMMENT ON FUNCTION image_library_internal.keeps_history IS
  'Whether the history of a tag and a digest is kept whatever its age: somebody decided on the image, asked for its approval or uses it';
GRANT EXECUTE ON FUNCTION image_library_internal.keeps_history TO image_library_agent;

CREATE FUNCTION image_library_internal.is_named(digest text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library_internal.tag t WHERE t.digest = is_named.digest)
      OR EXISTS (SELECT FROM image_library_internal.tag_period p WHERE p.digest = is_named.digest)
      OR EXISTS (SELECT FROM image_library_internal.decision d WHERE d.digest = is_named.digest)
      OR EXISTS (SELECT FROM image_library_internal.approval a WHERE a.digest = is_named.digest)
      OR EXISTS (SELECT FROM image_library_internal.approval_request q WHERE q.digest = is_named.digest)
      OR EXISTS (SELECT FROM image_library_internal.image_use u WHERE u.digest = is_named.digest)
$$;
COMMENT ON FUNCTION image_library_internal.is_named IS
  'Whether a tag, its history, a decision, a request or a use names an image';
GRANT EXECUTE ON FUNCTION image_library_internal.is_named TO image_library_agent;

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

CREATE FUNCTION image_library_internal.unmark_images(images jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  -- Nothing is marked most of the time.
  IF EXISTS (SELECT FROM image_library_internal.prunable_image) THEN
    DELETE FROM image_library_internal.prunable_image p
    WHERE p.digest = ANY (ARRAY(SELECT i ->> 'digest' FROM jsonb_array_elements(images) i));
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
  old text[];
  removed bigint;
BEGIN
  old := ARRAY(
    SELECT DISTINCT p.digest
    FROM unnest(digests) AS asked (digest)
    CROSS JOIN LATERAL (SELECT x.* FROM image_library_internal.tag_period x WHERE x.digest = asked.digest AND x.until < ended_before OFFSET 0) p
    WHERE NOT image_library_internal.keeps_history(p.repository_id, p.tag, p.digest));
  IF old = '{}' THEN
    RETURN 0;
  END IF;
  old := image_library_internal.lock_unused_images(old);
  -- A new statement sees what was committed before the lock.
  DELETE FROM image_library_internal.tag_period p
  WHERE p.digest = ANY (old) AND p.until < ended_before AND NOT image_library_internal.keeps_history(p.repository_id, p.tag, p.digest);
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END
$$;
COMMENT ON FUNCTION image_library_internal.prune_periods IS
  'Removes the history of some images that ended before a time, unless somebody decided on them, asked for them or uses them';
GRANT EXECUTE ON FUNCTION image_library_internal.prune_periods TO image_library_agent;

CREATE FUNCTION image_library_internal.mark_images(digests text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  marked bigint;
BEGIN
  INSERT INTO image_library_internal.prunable_image (digest)
  SELECT asked.digest
  FROM unnest(digests) AS asked (digest)
  LEFT JOIN LATERAL (SELECT x.digest FROM image_library_internal.prunable_image x WHERE x.digest = asked.digest OFFSET 0) there ON true
  WHERE there.digest IS NULL AND NOT image_library_internal.is_named(asked.digest)
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
  unnamed := ARRAY(SELECT u FROM unnest(unnamed) u WHERE NOT image_library_internal.is_named(u));
  DELETE FROM image_library_internal.image_referrer x WHERE x.digest = ANY (unnamed);
  DELETE FROM image_library_internal.referrer_check x WHERE x.digest = ANY (unnamed);
  DELETE FROM image_library_internal.policy_verdict x WHERE x.digest = ANY (unnamed);
  DELETE FROM image_library_internal.untagged_check x WHERE x.digest = ANY (unnamed);
  -- Platforms, extensions and profiles follow by their foreign keys.
  DELETE FROM image_library_internal.image i WHERE i.digest = ANY (unnamed);
  GET DIAGNOSTICS removed = ROW_COUNT;
  -- Also the marks of those that are named again or were removed; one that is locked now stays marked.
  DELETE FROM image_library_internal.prunable_image p
  WHERE p.digest = ANY (chosen) AND (p.digest = ANY (unnamed) OR image_library_internal.is_named(p.digest)
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
  IF image_library_internal.retention('image_library.history_retention') IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT * INTO last FROM image_library_internal.pruning p ORDER BY p.pruning_id DESC LIMIT 1;
  IF last.finished_at IS NULL AND last.pruning_id IS NOT NULL THEN
    RETURN last.pruning_id;
  ELSIF coalesce(last.started_at + interval '1 day' <= clock_timestamp(), true) THEN
    RETURN image_library_internal.begin_pruning('schedule');
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.due_pruning IS
  'The pass that the agent continues, or a new one if the last began a day ago; null: nothing is due, or image_library.history_retention is -1';
GRANT EXECUTE ON FUNCTION image_library_internal.due_pruning TO image_library_agent;

CREATE FUNCTION image_library_internal.prune_step(pruning_id bigint, max_rows integer DEFAULT 500) RETURNS boolean
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
    SELECT p.repository_id, p.tag, p.digest FROM image_library_internal.tag_period p
    WHERE p.until < now() - image_library_internal.retention('image_library.history_retention')
      AND NOT image_library_internal.keeps_history(p.repository_id, p.tag, p.digest)
  ), old_of AS (
    SELECT o.digest, count(*) AS number FROM old o GROUP BY 1
  )
  SELECT (SELECT count(*) FROM old),
         (SELECT count(*)
          FROM image_library_internal.image i LEFT JOIN old_of o USING (digest)
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

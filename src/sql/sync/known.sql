-- What the agent asks of a repository that it reads. Tags are asked for in portions by name: there may be very many.

-- In PL/pgSQL, which keeps the plans: they are called once for each repository or portion. Plans read by key, however small
-- the tables were when they were made.
CREATE FUNCTION image_library_internal.known_repository(registry_id integer, repository text)
RETURNS TABLE (fingerprint text, has_tags boolean, problem text, tag_problems boolean, removals_refused boolean, accepted jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT l.fingerprint,
           EXISTS (SELECT FROM image_library_internal.tag t WHERE t.repository_id = r.repository_id OFFSET 0),
           (SELECT p.problem FROM image_library_internal.problem p
            WHERE p.registry_id = known_repository.registry_id AND p.repository = known_repository.repository AND p.tag = ''),
           EXISTS (SELECT FROM image_library_internal.problem p
                   WHERE p.registry_id = known_repository.registry_id AND p.repository = known_repository.repository AND p.tag > '' OFFSET 0),
           f.repository_id IS NOT NULL,
           CASE WHEN f.accepted_at IS NULL THEN '[]' ELSE to_jsonb(f.tags) END
    FROM (VALUES (1)) one
    LEFT JOIN image_library_internal.repository r
      ON r.registry_id = known_repository.registry_id AND r.name = known_repository.repository
    LEFT JOIN image_library_internal.listing l USING (repository_id)
    LEFT JOIN image_library_internal.refused_removal f USING (repository_id);
END
$$;
COMMENT ON FUNCTION image_library_internal.known_repository IS
  'Fingerprint of the last complete listing, whether tags were read before, the problem of the repository, whether tags have any, removals';
GRANT EXECUTE ON FUNCTION image_library_internal.known_repository TO image_library_agent;

CREATE FUNCTION image_library_internal.known_tags(registry_id integer, repository text, from_name text DEFAULT '', most integer DEFAULT NULL)
RETURNS TABLE (name text, digest text, missing boolean, rule_id bigint, fresh boolean, unread boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  id integer := (SELECT r.repository_id FROM image_library_internal.repository r
                 WHERE r.registry_id = known_tags.registry_id AND r.name = known_tags.repository);
BEGIN
  RETURN QUERY
    SELECT t.name, t.digest, t.missing_since IS NOT NULL, coalesce(t.rule_id, 0),
           coalesce(t.digest_changed_at >= (SELECT n.started_at FROM image_library_internal.run n
                                            WHERE n.registry_id = known_tags.registry_id
                                            ORDER BY n.run_id DESC LIMIT 1), false),
           (SELECT true FROM image_library_internal.image i WHERE i.digest = t.digest AND i.unread IS NOT NULL) IS NOT NULL
    FROM image_library_internal.tag t
    WHERE t.repository_id = id AND t.name >= from_name
    ORDER BY t.name
    LIMIT most;
END
$$;
COMMENT ON FUNCTION image_library_internal.known_tags IS
  'Tags of a repository that were read before, from a name on, sorted by bytes; most: how many, null: all; fresh: read by the current run; unread: something of the image could not be read';
GRANT EXECUTE ON FUNCTION image_library_internal.known_tags TO image_library_agent;

CREATE FUNCTION image_library_internal.known_problems(registry_id integer, repository text, from_name text, most integer)
RETURNS TABLE (tag text, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT p.tag, p.problem
    FROM image_library_internal.problem p
    WHERE p.registry_id = known_problems.registry_id AND p.repository = known_problems.repository
      AND p.tag >= from_name AND p.tag > ''
    ORDER BY p.tag
    LIMIT most;
END
$$;
COMMENT ON FUNCTION image_library_internal.known_problems IS
  'Problems on record of the tags of a repository, from a name on, sorted by bytes';
GRANT EXECUTE ON FUNCTION image_library_internal.known_problems TO image_library_agent;

CREATE FUNCTION image_library_internal.known_referrer_tags(registry_id integer, repository text, from_name text, most integer)
RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  id integer := (SELECT r.repository_id FROM image_library_internal.repository r
                 WHERE r.registry_id = known_referrer_tags.registry_id AND r.name = known_referrer_tags.repository);
BEGIN
  RETURN QUERY
    SELECT DISTINCT x.tag
    FROM image_library_internal.image_referrer x
    WHERE x.repository_id = id AND x.tag >= from_name
    ORDER BY x.tag
    LIMIT most;
END
$$;
COMMENT ON FUNCTION image_library_internal.known_referrer_tags IS
  'Tags of a repository that only carry referrers, as far as they were read, from a name on, sorted by bytes';
GRANT EXECUTE ON FUNCTION image_library_internal.known_referrer_tags TO image_library_agent;

-- An image that another registry or repository has may lack manifests that this one has; here: the repository has it already.
CREATE FUNCTION image_library_internal.known_digests(registry_id integer, repositories text[], digests text[])
RETURNS TABLE (place bigint, here boolean, whole boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  RETURN QUERY
    SELECT wanted.place, i.here, i.whole
    FROM unnest(repositories, digests) WITH ORDINALITY AS wanted (repository, digest, place)
    CROSS JOIN LATERAL (
      SELECT m.unread IS NULL AND NOT EXISTS (
               SELECT FROM image_library_internal.image_platform p WHERE p.digest = m.digest AND NOT p.present) AS whole,
             m.unread IS NULL AND (
               SELECT count(*) FROM (
                 SELECT FROM image_library_internal.tag t
                 WHERE t.digest = m.digest
                   AND t.repository_id = (SELECT r.repository_id FROM image_library_internal.repository r
                                          WHERE r.registry_id = known_digests.registry_id AND r.name = wanted.repository)
                 LIMIT 1) one) > 0 AS here
      FROM image_library_internal.image m
      -- One that may be removed at any time is read again: see retention/pruning.sql.
      WHERE m.digest = wanted.digest AND NOT EXISTS (SELECT FROM image_library_internal.prunable_image u WHERE u.digest = m.digest)
      OFFSET 0) i;
END
$$;
COMMENT ON FUNCTION image_library_internal.known_digests IS
  'Those of the given digests, by their places, whose image is stored, whether the repository in the same place has a tag for it and all of it was read, and whether it is whole';
GRANT EXECUTE ON FUNCTION image_library_internal.known_digests TO image_library_agent;

CREATE FUNCTION image_library_internal.known_subjects(registry_id integer, repository text, subjects text[])
RETURNS TABLE (place bigint, digest text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  id integer := (SELECT r.repository_id FROM image_library_internal.repository r
                 WHERE r.registry_id = known_subjects.registry_id AND r.name = known_subjects.repository);
BEGIN
  RETURN QUERY
    SELECT wanted.place, found.digest
    FROM unnest(subjects) WITH ORDINALITY AS wanted (subject, place)
    CROSS JOIN LATERAL (
      -- Digits come before g.
      SELECT t.digest FROM image_library_internal.tag t
      WHERE t.digest >= wanted.subject COLLATE "C" AND t.digest < (wanted.subject || 'g') COLLATE "C" AND t.repository_id = id
        AND NOT EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = t.digest AND i.unread IS NOT NULL)
      LIMIT 1) found;
END
$$;
COMMENT ON FUNCTION image_library_internal.known_subjects IS
  'For each subject, a digest or the beginning of one, by its place, an image that the repository has a tag for and that was read';
GRANT EXECUTE ON FUNCTION image_library_internal.known_subjects TO image_library_agent;

-- PL/pgSQL keeps the plan, which must stay good while the table grows: by key, one digest at a time.
CREATE FUNCTION image_library_internal.known_images(digests text[])
RETURNS TABLE (digest text, whole boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  RETURN QUERY
    SELECT i.digest, i.whole
    FROM unnest(digests) AS wanted (digest)
    CROSS JOIN LATERAL (
      SELECT m.digest, m.unread IS NULL AND NOT EXISTS (
        SELECT FROM image_library_internal.image_platform p WHERE p.digest = m.digest AND NOT p.present) AS whole
      FROM image_library_internal.image m
      -- One that may be removed at any time is read again: see retention/pruning.sql.
      WHERE m.digest = wanted.digest AND NOT EXISTS (SELECT FROM image_library_internal.prunable_image u WHERE u.digest = m.digest)
      OFFSET 0) i;
END
$$;
COMMENT ON FUNCTION image_library_internal.known_images IS
  'Those of the given digests whose image is stored, and whether all of it was read, and all manifests that its index names were there';
GRANT EXECUTE ON FUNCTION image_library_internal.known_images TO image_library_agent;

CREATE FUNCTION image_library_internal.incomplete_images(images image_library_internal.batch_image[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN ARRAY(SELECT k.digest FROM image_library_internal.known_images(ARRAY(SELECT i.digest FROM unnest(images) i)) k WHERE NOT k.whole);
END
$$;
COMMENT ON FUNCTION image_library_internal.incomplete_images IS 'Those images of a batch that are stored, and not whole';
GRANT EXECUTE ON FUNCTION image_library_internal.incomplete_images TO image_library_agent;

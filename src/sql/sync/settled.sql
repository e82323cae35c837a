-- Repositories of which a sync only looks at tags that may move, while their listing and the rules stay.

CREATE TABLE image_library_internal.settled_repository (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  fingerprint text COLLATE "C" NOT NULL,
  tags bigint NOT NULL,
  movable bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE image_library_internal.settled_repository IS
  'Repositories whose listed tags are all read, and whose tags are all listed: a run that lists the same reads no row of tags that do not move, and the others once';
COMMENT ON COLUMN image_library_internal.settled_repository.fingerprint IS
  'Digest of the listing and the rules for which that is so';
COMMENT ON COLUMN image_library_internal.settled_repository.tags IS 'Number of tags that the rules admit';
COMMENT ON COLUMN image_library_internal.settled_repository.movable IS 'Number of these that may move, by their rules';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.settled_repository TO image_library_agent;

CREATE FUNCTION image_library_internal.settled_repositories(registry_id integer)
RETURNS TABLE (name text, fingerprint text, tags bigint, movable bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.name, s.fingerprint, s.tags, s.movable
  FROM image_library_internal.repository r
  JOIN image_library_internal.settled_repository s USING (repository_id)
  WHERE r.registry_id = settled_repositories.registry_id
    -- A run ends problems that are over, and asks for removals that were accepted.
    AND NOT EXISTS (SELECT FROM image_library_internal.problem p WHERE p.registry_id = r.registry_id AND p.repository = r.name)
    AND NOT EXISTS (SELECT FROM image_library_internal.refused_removal f WHERE f.repository_id = r.repository_id)
$$;
COMMENT ON FUNCTION image_library_internal.settled_repositories IS
  'Repositories of a registry in which a run only looks at tags that may move if listing and rules have this fingerprint';
GRANT EXECUTE ON FUNCTION image_library_internal.settled_repositories TO image_library_agent;

-- The caller knows that every present tag is listed. If as many tags are present and whole as are admitted, those are the
-- admitted ones.
CREATE FUNCTION image_library_internal.write_settled(settled image_library_internal.settled_repository[], over integer[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  is_settled image_library_internal.settled_repository[] := ARRAY(
    SELECT s
    FROM unnest(settled) s
    WHERE s.tags = (
      SELECT count(*) FROM image_library_internal.tag t
      WHERE t.repository_id = s.repository_id AND t.missing_since IS NULL AND t.rule_id IS NOT NULL
        -- By key, with a sublink that is no join: see images.sql.
        AND (SELECT true FROM image_library_internal.image i WHERE i.digest = t.digest AND i.unread IS NOT NULL) IS NULL));
BEGIN
  -- Also of a listing that comes back later: a tag that was missing in between may be another one.
  DELETE FROM image_library_internal.settled_repository s
  USING unnest(over || ARRAY(SELECT x.repository_id FROM unnest(settled) x)) AS ended (repository_id)
  WHERE s.repository_id = ended.repository_id AND NOT EXISTS (SELECT FROM unnest(is_settled) x WHERE x.repository_id = s.repository_id);
  INSERT INTO image_library_internal.settled_repository AS s (repository_id, fingerprint, tags, movable)
  SELECT x.repository_id, x.fingerprint, x.tags, x.movable FROM unnest(is_settled) x
  ON CONFLICT ON CONSTRAINT settled_repository_pkey DO UPDATE
  SET fingerprint = excluded.fingerprint, tags = excluded.tags, movable = excluded.movable
  WHERE (s.fingerprint, s.tags, s.movable) IS DISTINCT FROM (excluded.fingerprint, excluded.tags, excluded.movable);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_settled IS
  'Stores which repositories are settled, except those of which an admitted tag is not there or not whole; ends it for these and for those that are over';
GRANT EXECUTE ON FUNCTION image_library_internal.write_settled TO image_library_agent;

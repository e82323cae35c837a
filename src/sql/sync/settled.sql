-- Repositories in which a sync has nothing to do while their listing and the rules stay.

CREATE TABLE image_library_internal.settled_repository (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  fingerprint text COLLATE "C" NOT NULL,
  tags bigint NOT NULL
);
COMMENT ON TABLE image_library_internal.settled_repository IS
  'Repositories whose listed tags are all read and do not move, by their rules: a run that lists the same reads no row of their tags';
COMMENT ON COLUMN image_library_internal.settled_repository.fingerprint IS
  'Digest of the listing and the rules for which that is so';
COMMENT ON COLUMN image_library_internal.settled_repository.tags IS 'Number of tags that the rules admit';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.settled_repository TO image_library_agent;

CREATE FUNCTION image_library_internal.settled_repositories(registry_id integer)
RETURNS TABLE (name text, fingerprint text, tags bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.name, s.fingerprint, s.tags
  FROM image_library_internal.repository r
  JOIN image_library_internal.settled_repository s USING (repository_id)
  WHERE r.registry_id = settled_repositories.registry_id
    -- A run ends problems that are over, and asks for removals that were accepted.
    AND NOT EXISTS (SELECT FROM image_library_internal.problem p WHERE p.registry_id = r.registry_id AND p.repository = r.name)
    AND NOT EXISTS (SELECT FROM image_library_internal.refused_removal f WHERE f.repository_id = r.repository_id)
$$;
COMMENT ON FUNCTION image_library_internal.settled_repositories IS
  'Repositories of a registry in which a run has nothing to do if listing and rules have this fingerprint';
GRANT EXECUTE ON FUNCTION image_library_internal.settled_repositories TO image_library_agent;

-- The caller knows that every present tag is listed, and that the rules of all admitted tags say that tags do not move.
-- If as many tags are present and whole as are admitted, those are the admitted ones.
CREATE FUNCTION image_library_internal.write_settled(repository_id integer, settled image_library_internal.settled, is_over boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  IF settled IS NULL THEN
    -- Also of a listing that comes back later: a tag that was missing in between may be another one.
    DELETE FROM image_library_internal.settled_repository s
    WHERE s.repository_id = write_settled.repository_id AND is_over;
    RETURN;
  END IF;
  INSERT INTO image_library_internal.settled_repository AS s (repository_id, fingerprint, tags)
  SELECT write_settled.repository_id, settled.fingerprint, settled.tags
  WHERE settled.tags = (
    SELECT count(*) FROM image_library_internal.tag t
    WHERE t.repository_id = write_settled.repository_id AND t.missing_since IS NULL AND t.rule_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = t.digest AND i.unread IS NOT NULL))
  ON CONFLICT ON CONSTRAINT settled_repository_pkey DO UPDATE
  SET fingerprint = excluded.fingerprint, tags = excluded.tags
  WHERE (s.fingerprint, s.tags) IS DISTINCT FROM (excluded.fingerprint, excluded.tags);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_settled IS
  'Stores that a run has nothing to do in a repository while listing and rules stay, unless an admitted tag is not there or not whole; ends it when tags or the listing change';
GRANT EXECUTE ON FUNCTION image_library_internal.write_settled TO image_library_agent;

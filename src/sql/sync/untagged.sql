-- Approved images that no tag points at any more: whether their registry still has them.

CREATE TABLE image_library_internal.untagged_check (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL,
  checked_at timestamptz NOT NULL DEFAULT now(),
  gone_since timestamptz,
  PRIMARY KEY (repository_id, digest)
);
COMMENT ON TABLE image_library_internal.untagged_check IS
  'When the registry was last asked for an approved image that no tag points at; no row: never';
COMMENT ON COLUMN image_library_internal.untagged_check.gone_since IS
  'When the registry first did not have it; null: it had it when it was last asked';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.untagged_check TO image_library_agent;

CREATE FUNCTION image_library_internal.due_untagged(registry_id integer)
RETURNS TABLE (repository text, digest text, tagged text)
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  -- An image that has a tag again is a new case when it loses that one.
  WITH tagged_again AS (
    DELETE FROM image_library_internal.untagged_check c
    USING image_library_internal.repository r
    WHERE r.registry_id = due_untagged.registry_id AND c.repository_id = r.repository_id
      AND EXISTS (SELECT FROM image_library_internal.tag t
                  WHERE t.repository_id = c.repository_id AND t.digest = c.digest AND t.missing_since IS NULL))
  SELECT r.name, a.digest,
         coalesce((SELECT t.digest FROM image_library_internal.tag t
                   WHERE t.repository_id = r.repository_id AND t.missing_since IS NULL AND t.rule_id IS NOT NULL
                   ORDER BY t.name LIMIT 1), '')
  FROM image_library_internal.repository r
  JOIN image_library_internal.approval a ON a.repository_id = r.repository_id AND a.state = 'approved'
  LEFT JOIN image_library_internal.untagged_check c ON c.repository_id = a.repository_id AND c.digest = a.digest
  WHERE r.registry_id = due_untagged.registry_id
    AND coalesce(c.checked_at + interval '1 day' <= now(), true)
    AND NOT EXISTS (SELECT FROM image_library_internal.tag t
                    WHERE t.repository_id = a.repository_id AND t.digest = a.digest AND t.missing_since IS NULL)
    -- Of tags that no rule admits nothing is used.
    AND EXISTS (SELECT FROM image_library_internal.tag_period p
                JOIN image_library_internal.tag t ON t.repository_id = p.repository_id AND t.name = p.tag
                WHERE p.repository_id = a.repository_id AND p.digest = a.digest AND t.rule_id IS NOT NULL)
  ORDER BY c.checked_at NULLS FIRST, 1, 2
  LIMIT 200
$$;
COMMENT ON FUNCTION image_library_internal.due_untagged IS
  'Approved images that no tag points at and that the registry was not asked for in a day; tagged: digest of a tag of the repository, empty: none. Forgets what was asked about those that have a tag again';
GRANT EXECUTE ON FUNCTION image_library_internal.due_untagged TO image_library_agent;

CREATE FUNCTION image_library_internal.note_untagged(registry_id integer, repository text, digest text, found boolean) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO image_library_internal.untagged_check AS c (repository_id, digest, gone_since)
  SELECT r.repository_id, note_untagged.digest, CASE WHEN NOT found THEN clock_timestamp() END
  FROM image_library_internal.repository r
  WHERE r.registry_id = note_untagged.registry_id AND r.name = note_untagged.repository
  ON CONFLICT ON CONSTRAINT untagged_check_pkey
  DO UPDATE SET checked_at = now(), gone_since = CASE WHEN NOT found THEN coalesce(c.gone_since, excluded.gone_since) END
$$;
COMMENT ON FUNCTION image_library_internal.note_untagged IS 'Stores whether the registry had an image that no tag points at';
GRANT EXECUTE ON FUNCTION image_library_internal.note_untagged TO image_library_agent;

-- What could be deleted from a registry. Nothing here deletes.

CREATE FUNCTION image_library.cleanup_candidates(registry text, unused_for interval DEFAULT '30 days')
RETURNS TABLE (repository text, digest text, tags text[], size_bytes bigint, unused_since timestamptz, reason text, referrers text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
BEGIN
  IF unused_for IS NULL OR unused_for < interval '0' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'unused_for must be an interval that is not negative',
      hint => 'For example ''30 days''.');
  END IF;
  RETURN QUERY
    WITH held AS (
      -- Every digest that a tag of the repository points at, or pointed at.
      SELECT r.repository_id, r.repository, r.full_name, p.digest, max(coalesce(p.until, 'infinity')) AS until,
             array_agg(DISTINCT p.tag ORDER BY p.tag) FILTER (WHERE p.until IS NULL) AS tags
      FROM image_library_internal.full_repository r
      JOIN image_library_internal.tag_period p USING (repository_id)
      WHERE r.registry_id = of_registry.registry_id
      GROUP BY 1, 2, 3, 4
    ), judged AS (
      SELECT h.*, a.state, a.decided_at,
             CASE WHEN h.tags IS NULL THEN h.until ELSE a.decided_at END AS since
      FROM held h
      LEFT JOIN image_library_internal.approval a ON a.repository_id = h.repository_id AND a.digest = h.digest
      -- A tag that nobody has rejected is somebody's.
      WHERE CASE WHEN h.tags IS NULL THEN coalesce(a.state, 'pending') <> 'approved' ELSE a.state IN ('rejected', 'revoked') END
    ), free AS (
      SELECT j.* FROM judged j
      WHERE j.since < clock_timestamp() - unused_for
        -- The registry does not have it any more.
        AND NOT EXISTS (SELECT FROM image_library_internal.untagged_check c WHERE c.repository_id = j.repository_id AND c.digest = j.digest AND c.gone_since IS NOT NULL)
        -- Somebody runs it, by this name or by that of another repository that has it; or waits for a decision on it.
        AND NOT EXISTS (SELECT FROM image_library_internal.image_use u WHERE u.digest = j.digest AND (u.released_at IS NULL OR u.released_at > clock_timestamp() - unused_for))
        AND NOT EXISTS (SELECT FROM image_library_internal.unknown_use u
                        WHERE u.released_at IS NULL AND (u.digest = j.digest OR u.host = of_registry.host AND u.repository = j.full_name AND u.tag = ANY (j.tags)))
        AND NOT EXISTS (SELECT FROM image_library_internal.approval_request q WHERE q.repository_id = j.repository_id AND q.digest = j.digest AND q.ended_at IS NULL)
        AND NOT EXISTS (SELECT FROM image_library_internal.approval_vote v WHERE v.repository_id = j.repository_id AND v.digest = j.digest)
    ), needed AS (
      -- What stays in the repository needs its manifests and what refers to it.
      SELECT h.repository_id, c.manifest_digest AS digest
      FROM held h JOIN image_library_internal.image_platform c ON c.digest = h.digest AND c.manifest_digest <> c.digest
      WHERE NOT EXISTS (SELECT FROM free f WHERE f.repository_id = h.repository_id AND f.digest = h.digest)
      UNION
      SELECT h.repository_id, x.referrer_digest
      FROM held h JOIN image_library_internal.image_referrer x ON x.digest = h.digest AND (x.repository_id = h.repository_id OR x.repository_id IS NULL)
      WHERE NOT EXISTS (SELECT FROM free f WHERE f.repository_id = h.repository_id AND f.digest = h.digest)
    )
    SELECT f.repository, f.digest, coalesce(f.tags, '{}'), i.size_bytes, f.since,
           CASE WHEN f.tags IS NULL THEN 'no tag points at it' ELSE f.state END,
           coalesce((SELECT array_agg(DISTINCT x.referrer_digest ORDER BY x.referrer_digest) FROM image_library_internal.image_referrer x
                     WHERE x.digest = f.digest AND x.repository_id = f.repository_id), '{}')
    FROM free f
    JOIN image_library_internal.image i ON i.digest = f.digest
    WHERE NOT EXISTS (SELECT FROM needed n WHERE n.repository_id = f.repository_id AND n.digest = f.digest)
    ORDER BY i.size_bytes DESC, 1, 2;
END
$$;
COMMENT ON FUNCTION image_library.cleanup_candidates IS
  'Images of a registry that nothing needs: no tag points at them, or they are rejected or revoked, since unused_for; nobody runs, approves or asks for them, and no image that stays has them as a part or as a referrer. size_bytes: at most what a deletion frees, since layers are shared; referrers: what would then refer to nothing. Deletes nothing';
GRANT EXECUTE ON FUNCTION image_library.cleanup_candidates TO image_library_reader;

-- Signatures that end by themselves: with their expiry, or with their certificate.

-- A portion, as verify_waiting.
CREATE FUNCTION image_library_internal.verify_ended(registry_id integer, most_signatures integer DEFAULT 1000) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  due jsonb;
  images image_library_internal.signed_image[];
  image image_library_internal.signed_image;
  of_repository record;
  gained text[];
BEGIN
  IF NOT EXISTS (SELECT FROM image_library_internal.evidence e JOIN image_library_internal.repository r USING (repository_id)
                 WHERE r.registry_id = verify_ended.registry_id AND e.verified AND e.valid_until <= now()) THEN
    RETURN false;
  END IF;
  PERFORM image_library_internal.lock_trust(exclusive => false);
  PERFORM image_library_internal.lock_rules_of(registry_id, exclusive => true);
  -- In this transaction they count again for a moment, so that what ends with them can be told.
  WITH ended AS (
    UPDATE image_library_internal.evidence e SET valid_until = NULL, verified_at = NULL
    FROM (SELECT x.repository_id, x.digest, x.referrer_digest, x.place, x.imported_from
          FROM image_library_internal.evidence x JOIN image_library_internal.repository r USING (repository_id)
          WHERE r.registry_id = verify_ended.registry_id AND x.verified AND x.valid_until <= now()
          ORDER BY x.valid_until LIMIT most_signatures) d
    WHERE e.repository_id = d.repository_id AND e.digest = d.digest AND e.referrer_digest = d.referrer_digest AND e.place = d.place
      AND e.imported_from = d.imported_from
    RETURNING e.repository_id, e.digest
  )
  SELECT jsonb_agg(DISTINCT jsonb_build_object('repository_id', e.repository_id, 'digest', e.digest)) INTO due FROM ended e;
  images := image_library_internal.with_conditions(ARRAY(
    SELECT (verify_ended.registry_id, e.repository_id, e.digest, coalesce(a.state = 'approved', false),
            coalesce(a.approvals = 0 OR d.policy IS NOT NULL, false), '{}'::text[])::image_library_internal.signed_image
    FROM jsonb_to_recordset(due) AS e (repository_id integer, digest text)
    LEFT JOIN image_library_internal.approval a ON a.repository_id = e.repository_id AND a.digest = e.digest
    LEFT JOIN image_library_internal.decision d USING (decision_id)
    ORDER BY e.repository_id, e.digest));
  FOR of_repository IN
    SELECT i.repository_id, array_agg(i.digest) AS digests FROM unnest(images) i GROUP BY 1 ORDER BY 1
  LOOP
    -- Others that wait to be verified are among them.
    gained := image_library_internal.verify_rows(of_repository.repository_id, of_repository.digests, '{}', false);
    FOR image IN SELECT i.* FROM unnest(images) i WHERE i.repository_id = of_repository.repository_id AND i.approved LOOP
      PERFORM image_library_internal.take_back(image, 'a signature has ended');
    END LOOP;
    PERFORM image_library_internal.approve_signed(of_repository.repository_id, gained);
  END LOOP;
  RETURN true;
END
$$;
COMMENT ON FUNCTION image_library_internal.verify_ended IS
  'Verifies some of the signatures in a registry again that have ended since they were verified, and takes back what rested on them; false: none has';
GRANT EXECUTE ON FUNCTION image_library_internal.verify_ended TO image_library_agent;

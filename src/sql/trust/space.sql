-- Space for signatures. A registry may list as many as it likes, and each is kept to be verified again: their bytes are limited.
-- Those that are verified are stored all the same, so that what nobody has signed does not keep them out; limits of each image bound them.

CREATE FUNCTION image_library_internal.evidence_room(registry_id integer) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN (SELECT g.signature_megabytes * 1048576::bigint - coalesce((
                   SELECT sum(e.bytes) FROM image_library_internal.repository r JOIN image_library_internal.evidence e USING (repository_id)
                   WHERE r.registry_id = g.registry_id), 0)
          FROM image_library_internal.registry g WHERE g.registry_id = evidence_room.registry_id);
END
$$;
COMMENT ON FUNCTION image_library_internal.evidence_room IS
  'Bytes of signatures that are not verified that can still be stored of a registry; negative: verified ones are over the limit, or it was lowered';
GRANT EXECUTE ON FUNCTION image_library_internal.evidence_room TO image_library_agent;

-- What was over the limit is asked for again when the largest signature fits.
CREATE FUNCTION image_library_internal.has_evidence_room(registry_id integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.evidence_room(has_evidence_room.registry_id) >= 1048576 $$;
COMMENT ON FUNCTION image_library_internal.has_evidence_room IS 'Whether any signature can still be stored of a registry, also one that is not verified';
GRANT EXECUTE ON FUNCTION image_library_internal.has_evidence_room TO image_library_agent;

CREATE FUNCTION image_library_internal.without_document(evidence image_library_internal.evidence) RETURNS image_library_internal.evidence
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  evidence.document := NULL;
  evidence.over_limit := true;
  evidence.retry := true;
  evidence.unread := (
    SELECT format('the signatures of registry "%s" take %s MiB, the most that is stored; this one is not verified, and is not stored', g.name, g.signature_megabytes)
    FROM image_library_internal.repository r JOIN image_library_internal.registry g USING (registry_id)
    WHERE r.repository_id = evidence.repository_id);
  RETURN evidence;
END
$$;
COMMENT ON FUNCTION image_library_internal.without_document IS 'A row of evidence that is over the limit of its registry';
GRANT EXECUTE ON FUNCTION image_library_internal.without_document TO image_library_agent;

-- Before those that are not verified are verified again: these are not stored, so they are read again, by the agent and out of bundles.
CREATE FUNCTION image_library_internal.read_again(registry_id integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE image_library_internal.evidence e SET over_limit = false, unread = why, reason = why
  FROM image_library_internal.repository r
  CROSS JOIN (VALUES ('there was no space for it, and it was not read again since what is trusted has changed')) v (why)
  WHERE e.over_limit AND r.repository_id = e.repository_id
    AND (read_again.registry_id IS NULL OR r.registry_id = read_again.registry_id);
END
$$;
COMMENT ON FUNCTION image_library_internal.read_again IS
  'Lets signatures that are not stored because of the limit be read again whatever space there is, after somebody is trusted who may have signed them: those of a registry, or all (null)';
GRANT EXECUTE ON FUNCTION image_library_internal.read_again TO image_library_agent;

CREATE VIEW image_library.signature_space WITH (security_barrier) AS
  SELECT g.name AS registry, s.signatures, s.bytes, g.signature_megabytes * 1048576::bigint AS limit_bytes, s.not_stored
  FROM image_library_internal.visible_registry g
  CROSS JOIN LATERAL (
    SELECT count(*) AS signatures, coalesce(sum(e.bytes), 0)::bigint AS bytes, count(*) FILTER (WHERE e.over_limit) AS not_stored
    FROM image_library_internal.repository r JOIN image_library_internal.evidence e USING (repository_id)
    WHERE r.registry_id = g.registry_id) s;
COMMENT ON VIEW image_library.signature_space IS
  'Space that the signatures and attestations of each registry take, and its limit, beyond which only verified ones are stored: signature_megabytes of alter_registry';
GRANT SELECT ON image_library.signature_space TO image_library_reader;

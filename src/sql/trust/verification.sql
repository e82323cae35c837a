-- Verification of stored signatures, by the module alone.

CREATE FUNCTION image_library_internal.check_anchors(anchors jsonb) RETURNS void
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_check_anchors';
COMMENT ON FUNCTION image_library_internal.check_anchors IS
  'Raises 22023 if a key, certificate, pattern or trusted root cannot be used, and names it';

CREATE FUNCTION image_library_internal.verify_evidence(anchors jsonb, format text, document bytea, annotations jsonb, subject text,
  OUT verified boolean, OUT reason text, OUT signer text, OUT issuer text, OUT certificate_subject text, OUT signed_at timestamptz,
  OUT log_index bigint, OUT predicate_type text, OUT provenance jsonb, OUT valid_until timestamptz)
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_verify_evidence';
COMMENT ON FUNCTION image_library_internal.verify_evidence IS
  'Whether one of the anchors signed the subject, a digest; raises no error for a signature, whatever it is';
GRANT EXECUTE ON FUNCTION image_library_internal.verify_evidence TO image_library_agent;

CREATE FUNCTION image_library_internal.anchors_json(anchors image_library_internal.trust_anchor[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object(
    'keys', coalesce(jsonb_agg(anchor.json ORDER BY a.name) FILTER (WHERE a.kind = 'key'), '[]'),
    'identities', coalesce(jsonb_agg(anchor.json ORDER BY a.name) FILTER (WHERE a.kind = 'identity'), '[]'),
    'authorities', coalesce(jsonb_agg(anchor.json ORDER BY a.name) FILTER (WHERE a.kind = 'authority'), '[]'),
    'trusted_root', max(a.material) FILTER (WHERE a.kind = 'root'))
  FROM unnest(anchors) a
  CROSS JOIN LATERAL (SELECT jsonb_build_object('name', a.name, 'material', a.material, 'issuer', a.issuer, 'subject', a.subject,
                                                 'signing_authority', a.signing_authority) AS json) anchor
$$;
COMMENT ON FUNCTION image_library_internal.anchors_json IS 'Trust anchors as check_anchors and verify_evidence take them';
GRANT EXECUTE ON FUNCTION image_library_internal.anchors_json TO image_library_agent;

CREATE FUNCTION image_library_internal.trusted_in(repository_id integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN image_library_internal.anchors_json(ARRAY(
    SELECT a
    FROM image_library_internal.full_repository r
    CROSS JOIN image_library_internal.trust_anchor a
    WHERE r.repository_id = trusted_in.repository_id
      AND (a.repositories = '{**}'
           OR EXISTS (SELECT FROM image_library_internal.matching_names(a.repositories, 'place', ARRAY[r.place])))));
END
$$;
COMMENT ON FUNCTION image_library_internal.trusted_in IS
  'What is trusted in a repository, as verify_evidence takes it: anchors that are not for it are left out';
GRANT EXECUTE ON FUNCTION image_library_internal.trusted_in TO image_library_agent;

-- Not STRICT, and not inlined: the document is read only here.
CREATE FUNCTION image_library_internal.with_verdict(evidence image_library_internal.evidence, anchors jsonb)
RETURNS image_library_internal.evidence
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v record;
BEGIN
  evidence.verified_at := clock_timestamp();
  evidence.bytes := coalesce(octet_length(evidence.document), 0);
  evidence.over_limit := coalesce(evidence.over_limit, false);
  IF evidence.document IS NULL THEN
    evidence.verified := false;
    evidence.reason := coalesce(evidence.unread, 'the signature was not read');
    evidence.signer := NULL;
    evidence.valid_until := NULL;
    RETURN evidence;
  END IF;
  SELECT * INTO v
  FROM image_library_internal.verify_evidence(anchors, evidence.format, evidence.document, evidence.annotations, evidence.digest);
  evidence.verified := v.verified;
  evidence.reason := coalesce(v.reason, CASE WHEN v.verified THEN 'verified' ELSE 'not verified' END);
  evidence.signer := v.signer;
  evidence.issuer := v.issuer;
  evidence.subject := v.certificate_subject;
  evidence.signed_at := v.signed_at;
  evidence.log_index := v.log_index;
  evidence.predicate_type := v.predicate_type;
  evidence.provenance := v.provenance;
  evidence.valid_until := v.valid_until;
  RETURN evidence;
END
$$;
COMMENT ON FUNCTION image_library_internal.with_verdict IS 'A row of evidence, verified now against some anchors';
GRANT EXECUTE ON FUNCTION image_library_internal.with_verdict TO image_library_agent;

-- Key 0 of the locks on rules: no registry has that number. Taken before any lock on rules and repositories.
CREATE FUNCTION image_library_internal.lock_trust(exclusive boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_read_committed();
  PERFORM image_library_internal.lock_rules_of(0, exclusive);
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_trust IS
  'Prevents changes of what is trusted until the transaction ends, so that no signature is verified against what was trusted before; exclusive: for such a change';
GRANT EXECUTE ON FUNCTION image_library_internal.lock_trust TO image_library_agent;

-- Attestations say something of an image, such as which vulnerabilities it has; they are no consent to it.
CREATE FUNCTION image_library_internal.is_signature(predicate_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(predicate_type, '') IN ('', 'https://sigstore.dev/cosign/sign/v1');
COMMENT ON FUNCTION image_library_internal.is_signature IS
  'Whether evidence with a predicate type is a signature, and not an attestation';
GRANT EXECUTE ON FUNCTION image_library_internal.is_signature TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.has_ended(valid_until timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(valid_until <= statement_timestamp(), false);
COMMENT ON FUNCTION image_library_internal.has_ended IS
  'Whether a signature that was verified does not count any more, whether or not the agent has verified it again';
GRANT EXECUTE ON FUNCTION image_library_internal.has_ended TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.shown_reason(reason text, verified boolean, valid_until timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN verified AND image_library_internal.has_ended(valid_until)
            THEN format('%s; it ended at %s UTC', reason, to_char(valid_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'))
            ELSE reason END;
COMMENT ON FUNCTION image_library_internal.shown_reason IS 'Reason of a verdict, or since when it does not hold any more';
GRANT EXECUTE ON FUNCTION image_library_internal.shown_reason TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.has_signature(repository_id integer, digest text, signers text[]) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN EXISTS (
    SELECT FROM image_library_internal.evidence e
    WHERE e.repository_id = has_signature.repository_id AND e.digest = has_signature.digest AND e.verified
      AND e.signer = ANY (signers) AND image_library_internal.is_signature(e.predicate_type) AND NOT image_library_internal.has_ended(e.valid_until));
END
$$;
COMMENT ON FUNCTION image_library_internal.has_signature IS
  'Whether a repository has a verified signature of an image by one of some signers';
GRANT EXECUTE ON FUNCTION image_library_internal.has_signature TO image_library_agent;

CREATE TYPE image_library_internal.known_layer AS (referrer_digest text, layer_digest text, retry boolean, over_limit boolean, imported boolean, bytes bigint);
COMMENT ON TYPE image_library_internal.known_layer IS 'A row of evidence without its document; bytes null: it has none';

CREATE FUNCTION image_library_internal.known_evidence(registry_id integer, repository text, subject text)
RETURNS TABLE (manifests jsonb, layers jsonb, bytes bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT (SELECT coalesce(jsonb_agg(m.referrer_digest), '[]')
            FROM (SELECT e.referrer_digest FROM unnest(known.rows) e
                  WHERE NOT e.imported
                  GROUP BY 1
                  -- Not for nothing, while there is no space for it.
                  HAVING NOT bool_or(e.retry AND (NOT e.over_limit OR (SELECT image_library_internal.has_evidence_room(known_evidence.registry_id))))) m),
           (SELECT coalesce(jsonb_agg(DISTINCT e.layer_digest), '[]') FROM unnest(known.rows) e WHERE e.bytes IS NOT NULL),
           (SELECT coalesce(sum(l.bytes), 0)::bigint FROM (SELECT DISTINCT e.layer_digest, e.bytes FROM unnest(known.rows) e WHERE NOT e.imported) l)
    FROM (SELECT ARRAY(
            SELECT (e.referrer_digest, e.layer_digest, e.retry, e.over_limit, e.imported_from <> '', nullif(e.bytes, 0))::image_library_internal.known_layer
            FROM image_library_internal.repository r JOIN image_library_internal.evidence e USING (repository_id)
            WHERE r.registry_id = known_evidence.registry_id AND r.name = known_evidence.repository
              AND e.digest = known_evidence.subject)) AS known (rows);
END
$$;
COMMENT ON FUNCTION image_library_internal.known_evidence IS
  'Manifests of signatures of an image of which nothing is to be read again, layers whose documents are stored, and their bytes';
GRANT EXECUTE ON FUNCTION image_library_internal.known_evidence TO image_library_agent;

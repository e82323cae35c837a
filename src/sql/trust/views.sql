-- Verified signatures and attestations for people and policies.

CREATE VIEW image_library.image_signatures WITH (security_barrier) AS
  SELECT r.registry, r.repository, e.digest, e.format, CASE WHEN NOT ended THEN e.signer END AS signer, e.verified AND NOT ended AS verified,
         image_library_internal.shown_reason(e.reason, e.verified, e.valid_until) AS reason, e.signed_at AS at, e.log_index, e.issuer, e.subject,
         nullif(e.predicate_type, '') AS predicate_type, e.referrer_digest, e.layer_digest,
         image_library_internal.is_listed(e.repository_id, e.digest, e.referrer_digest) AS listed, e.first_seen_at, e.verified_at,
         nullif(e.imported_from, '') AS imported_from, e.valid_until
  FROM image_library_internal.evidence e
  JOIN image_library_internal.visible_repository r USING (repository_id)
  CROSS JOIN LATERAL image_library_internal.has_ended(e.valid_until) ended;
COMMENT ON VIEW image_library.image_signatures IS
  'Signatures and attestations of images in the repository that lists them: whether somebody who is trusted made them, and if not why not. Without any trusted signer they are not read';
GRANT SELECT ON image_library.image_signatures TO image_library_reader;

CREATE VIEW image_library.image_provenance WITH (security_barrier) AS
  SELECT r.registry, r.repository, e.digest, nullif(e.provenance ->> 'builder', '') AS builder, nullif(e.provenance ->> 'source', '') AS source,
         nullif(e.provenance ->> 'build_type', '') AS build_type, e.signer, e.signed_at AS at, e.predicate_type,
         jsonb_array_length(e.provenance -> 'materials') AS materials, e.referrer_digest
  FROM image_library_internal.evidence e
  JOIN image_library_internal.visible_repository r USING (repository_id)
  WHERE e.verified AND e.provenance IS NOT NULL AND NOT image_library_internal.has_ended(e.valid_until);
COMMENT ON VIEW image_library.image_provenance IS
  'How images were built, by verified attestations of SLSA provenance: what their signers say';
GRANT SELECT ON image_library.image_provenance TO image_library_reader;

CREATE VIEW image_library.provenance_materials WITH (security_barrier) AS
  SELECT r.registry, r.repository, e.digest, m.material ->> 'uri' AS uri, nullif(m.material ->> 'digest', '') AS material_digest,
         e.signer, e.referrer_digest
  FROM image_library_internal.evidence e
  JOIN image_library_internal.visible_repository r USING (repository_id)
  CROSS JOIN LATERAL jsonb_array_elements(e.provenance -> 'materials') AS m (material)
  WHERE e.verified AND e.provenance IS NOT NULL AND NOT image_library_internal.has_ended(e.valid_until);
COMMENT ON VIEW image_library.provenance_materials IS
  'What images were built from, by verified attestations of SLSA provenance';
GRANT SELECT ON image_library.provenance_materials TO image_library_reader;

CREATE VIEW image_library.lost_signatures WITH (security_barrier) AS
  SELECT r.registry, r.repository, n.tag, a.digest, concat(r.place, ':' || n.tag, '@', a.digest) AS pinned_reference, a.state AS approval,
         a.signature_lost_at AS lost_at
  FROM image_library_internal.approval a
  JOIN image_library_internal.visible_repository r USING (repository_id)
  CROSS JOIN LATERAL (SELECT min(t.name) AS tag FROM image_library_internal.tag t WHERE t.repository_id = a.repository_id AND t.digest = a.digest) n
  WHERE a.signature_lost_at IS NOT NULL;
COMMENT ON VIEW image_library.lost_signatures IS
  'Images whose approval rested on a signature that is not verified any more: pending, where a rule or policy had approved them; approved, where a person had';
GRANT SELECT ON image_library.lost_signatures TO image_library_reader;

CREATE FUNCTION image_library.is_signed_by(image image_library.images, signer text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.check_signers(ARRAY[signer]);
  -- Signatures in another repository do not count: the signer may not be trusted for this one.
  RETURN EXISTS (SELECT FROM image_library.image_signatures s
                 WHERE s.registry = image.registry AND s.repository = image.repository AND s.digest = image.digest
                   AND s.verified AND s.signer = is_signed_by.signer AND image_library_internal.is_signature(s.predicate_type));
END
$$;
COMMENT ON FUNCTION image_library.is_signed_by IS
  'For policies: whether the image has a verified signature by a trusted signer, given by name, in its repository; attestations do not count. Raises 42704 for an unknown name';
GRANT EXECUTE ON FUNCTION image_library.is_signed_by TO image_library_reader;

CREATE FUNCTION image_library.is_built_by(image image_library.images, builder text, source text DEFAULT '**', signer text DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF signer IS NOT NULL THEN
    PERFORM image_library_internal.check_signers(ARRAY[signer]);
  END IF;
  RETURN EXISTS (
    SELECT FROM image_library.image_provenance p
    WHERE p.registry = image.registry AND p.repository = image.repository AND p.digest = image.digest
      AND (is_built_by.signer IS NULL OR p.signer = is_built_by.signer)
      AND EXISTS (SELECT FROM image_library_internal.matching_names(ARRAY[is_built_by.builder], 'text', ARRAY[coalesce(p.builder, '')]))
      AND (is_built_by.source = '**'
           OR EXISTS (SELECT FROM image_library_internal.matching_names(ARRAY[is_built_by.source], 'text', ARRAY[coalesce(p.source, '')]))));
END
$$;
COMMENT ON FUNCTION image_library.is_built_by IS
  'For policies: whether verified provenance says that a builder, from a source, both patterns, has built the image. Any trusted signer may say so; with signer only this one';
GRANT EXECUTE ON FUNCTION image_library.is_built_by TO image_library_reader;

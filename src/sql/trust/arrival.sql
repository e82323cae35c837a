-- Signatures of a batch: stored with their verdicts, and what waited for them is approved.

CREATE FUNCTION image_library_internal.write_evidence(repository_id integer, layers image_library_internal.batch_evidence[]) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  anchors jsonb := image_library_internal.trusted_in(repository_id);
  layer image_library_internal.evidence;
  judged image_library_internal.evidence;
  room bigint;
  stored integer;
  verified text[] := '{}';
BEGIN
  FOR layer IN
    SELECT DISTINCT ON (n.digest, n.referrer_digest, n.place)
           write_evidence.repository_id, n.digest, n.referrer_digest, n.place, n.layer_digest, n.format,
           -- A layer is sent once, whichever places have it.
           coalesce(n.document,
                    CASE WHEN n.unread IS NULL THEN coalesce(
                      (SELECT x.document FROM unnest(layers) x
                       WHERE x.digest = n.digest AND x.layer_digest = n.layer_digest AND x.document IS NOT NULL LIMIT 1),
                      (SELECT e.document FROM image_library_internal.evidence e
                       WHERE e.repository_id = write_evidence.repository_id AND e.digest = n.digest
                         AND e.layer_digest = n.layer_digest AND e.document IS NOT NULL LIMIT 1)) END),
           n.annotations, n.unread, n.retry, now(), false, '', NULL, NULL, NULL, NULL::timestamptz, NULL::bigint, NULL, NULL::jsonb,
           NULL::timestamptz, '', 0, false, NULL::timestamptz
    FROM unnest(layers) n
    ORDER BY n.digest, n.referrer_digest, n.place
  LOOP
    -- The agent has left out a layer that was here, and is here no more: an import has removed it.
    layer.retry := layer.retry OR (layer.document IS NULL AND layer.unread IS NULL);
    SELECT e.bytes INTO stored FROM image_library_internal.evidence e
    WHERE e.repository_id = layer.repository_id AND e.digest = layer.digest AND e.referrer_digest = layer.referrer_digest AND e.place = layer.place
      AND e.imported_from = '';
    judged := image_library_internal.with_verdict(layer, anchors);
    IF judged.document IS NOT NULL AND NOT judged.verified AND coalesce(stored, 0) = 0 THEN
      -- Added up for the first document that is new and not verified: most batches bring none.
      room := coalesce(room, (SELECT image_library_internal.evidence_room(r.registry_id) FROM image_library_internal.repository r
                              WHERE r.repository_id = layer.repository_id));
      IF judged.bytes > room THEN
        judged := image_library_internal.with_verdict(image_library_internal.without_document(layer), anchors);
      END IF;
    END IF;
    layer := judged;
    INSERT INTO image_library_internal.evidence AS e SELECT layer.*
    ON CONFLICT ON CONSTRAINT evidence_pkey DO UPDATE
    SET document = excluded.document, unread = excluded.unread, retry = excluded.retry, annotations = excluded.annotations,
        verified = excluded.verified, reason = excluded.reason, signer = excluded.signer, issuer = excluded.issuer,
        subject = excluded.subject, signed_at = excluded.signed_at, log_index = excluded.log_index,
        predicate_type = excluded.predicate_type, provenance = excluded.provenance, verified_at = excluded.verified_at, valid_until = excluded.valid_until,
        bytes = excluded.bytes, over_limit = excluded.over_limit
    -- What is there is the same: a manifest never changes. It may have been unread.
    WHERE e.document IS NULL AND (excluded.document IS NOT NULL OR e.unread IS DISTINCT FROM excluded.unread);
    IF FOUND THEN
      room := room - layer.bytes;
      IF layer.verified THEN
        verified := verified || layer.digest;
      END IF;
    END IF;
    IF layer.document IS NOT NULL THEN
      -- What a bundle says is in the manifest gives way to what is, unless it is verified.
      DELETE FROM image_library_internal.evidence e
      WHERE e.repository_id = layer.repository_id AND e.digest = layer.digest AND e.referrer_digest = layer.referrer_digest AND e.place = layer.place
        AND e.imported_from <> '' AND (layer.verified OR NOT e.verified);
    END IF;
  END LOOP;
  RETURN verified;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_evidence IS
  'Stores and verifies signatures that a batch found in a repository; returns the digests of images that have a new verified one';
GRANT EXECUTE ON FUNCTION image_library_internal.write_evidence TO image_library_agent;

-- Before the answers are written: a tag that is gone tells no image, but the library knows whose referrers it held.
CREATE FUNCTION image_library_internal.answered_images(repository_id integer, answers image_library_internal.referrer_answer[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM image_library_internal.evidence e WHERE e.repository_id = answered_images.repository_id) THEN
    RETURN '{}';
  END IF;
  RETURN ARRAY(
    SELECT a.digest FROM unnest(answers) a WHERE a.digest IS NOT NULL
    UNION
    SELECT held.digest
    FROM unnest(answers) a
    CROSS JOIN LATERAL (
      SELECT x.digest FROM image_library_internal.image_referrer x
      WHERE x.repository_id = answered_images.repository_id AND x.tag = a.tag OFFSET 0) held
    WHERE a.digest IS NULL);
END
$$;
COMMENT ON FUNCTION image_library_internal.answered_images IS
  'Images that answers to what refers to them are about, if signatures are stored in the repository';
GRANT EXECUTE ON FUNCTION image_library_internal.answered_images TO image_library_agent;

-- A signature does not become wrong because its copy in the registry is removed: one that is verified stays, unless the same
-- layer is listed in another manifest, as after another signature was added to a tag of cosign.
CREATE FUNCTION image_library_internal.forget_evidence(repository_id integer, digests text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  DELETE FROM image_library_internal.evidence e
  USING (SELECT DISTINCT u FROM unnest(digests) u) AS asked (digest)
  WHERE e.repository_id = forget_evidence.repository_id AND e.digest = asked.digest
    -- Those of a bundle were never listed here.
    AND e.imported_from = '' AND NOT image_library_internal.is_listed(e.repository_id, e.digest, e.referrer_digest)
    AND (NOT e.verified OR EXISTS (
      SELECT FROM image_library_internal.evidence o
      WHERE o.repository_id = e.repository_id AND o.digest = e.digest AND o.layer_digest = e.layer_digest AND o.signer = e.signer
        AND o.referrer_digest <> e.referrer_digest AND image_library_internal.is_listed(o.repository_id, o.digest, o.referrer_digest)));
END
$$;
COMMENT ON FUNCTION image_library_internal.forget_evidence IS
  'Removes signatures of images that the registry does not list any more, except verified ones and those that an import brought';
GRANT EXECUTE ON FUNCTION image_library_internal.forget_evidence TO image_library_agent;

CREATE FUNCTION image_library_internal.is_listed(repository_id integer, digest text, referrer_digest text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library_internal.image_referrer x
                 WHERE x.digest = is_listed.digest AND x.referrer_digest = is_listed.referrer_digest
                   AND x.repository_id = is_listed.repository_id)
$$;
COMMENT ON FUNCTION image_library_internal.is_listed IS 'Whether a repository lists a referrer of an image';
GRANT EXECUTE ON FUNCTION image_library_internal.is_listed TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.present_tags(repository_id integer, digests text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  RETURN ARRAY(
    SELECT DISTINCT t.name
    FROM unnest(digests) AS asked (digest)
    CROSS JOIN LATERAL (
      SELECT x.name FROM image_library_internal.tag x
      WHERE x.digest = asked.digest AND x.repository_id = present_tags.repository_id
        AND x.rule_id IS NOT NULL AND x.missing_since IS NULL OFFSET 0) t
    ORDER BY 1);
END
$$;
COMMENT ON FUNCTION image_library_internal.present_tags IS 'Admitted, present tags of some images';
GRANT EXECUTE ON FUNCTION image_library_internal.present_tags TO image_library_agent;

CREATE FUNCTION image_library_internal.approve_signed(repository_id integer, digests text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tags text[] := image_library_internal.present_tags(repository_id, digests);
  image record;
BEGIN
  IF cardinality(tags) = 0 THEN
    RETURN;
  END IF;
  PERFORM image_library_internal.approve_by_rule(repository_id, tags);
  PERFORM image_library_internal.approve_by_policy(repository_id, tags);
  -- A person has approved these, and they had lost the signature.
  FOR image IN
    SELECT a.digest FROM image_library_internal.approval a
    WHERE a.repository_id = approve_signed.repository_id AND a.digest = ANY (digests)
      AND a.state = 'approved' AND a.signature_lost_at IS NOT NULL
  LOOP
    IF image_library_internal.unmet_conditions(repository_id, image.digest) = '{}' THEN
      UPDATE image_library_internal.approval a SET signature_lost_at = NULL
      WHERE a.repository_id = approve_signed.repository_id AND a.digest = image.digest;
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.approve_signed IS
  'Lets rules and policies approve images that have a verified signature now; called after the read model has their tags';
GRANT EXECUTE ON FUNCTION image_library_internal.approve_signed TO image_library_agent;

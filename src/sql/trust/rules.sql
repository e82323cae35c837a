-- Rules that require a signature (signed_by).

CREATE FUNCTION image_library_internal.check_signers(signers text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  unknown text := (SELECT left(string_agg(CASE WHEN s IS NULL THEN 'null' ELSE format('"%s"', left(s, 100)) END, ', ' ORDER BY s), 500) FROM unnest(signers) s
                   WHERE NOT EXISTS (SELECT FROM image_library_internal.trust_anchor a WHERE a.name = s AND a.kind <> 'root'));
BEGIN
  IF unknown IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('no trusted signer is called %s', unknown),
      hint => 'See image_library.trusted_signers; image_library.add_trust_key, add_trust_identity and add_trust_authority add one.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_signers IS 'Raises 42704 for names that no trust anchor has';

CREATE FUNCTION image_library_internal.requires_signatures(repository_id integer) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM image_library_internal.repository r JOIN image_library_internal.rule u USING (registry_id)
                 WHERE r.repository_id = requires_signatures.repository_id AND u.enabled AND u.action = 'include' AND u.signed_by IS NOT NULL);
END
$$;
COMMENT ON FUNCTION image_library_internal.requires_signatures IS
  'Whether a rule of the registry that has a repository requires a signature';
GRANT EXECUTE ON FUNCTION image_library_internal.requires_signatures TO image_library_agent;

-- As with required_approvals, all rules count that take a tag of the image, whichever decides, and also hidden and missing
-- tags: neither another rule nor an exclude rule bypasses one.
CREATE FUNCTION image_library_internal.unsigned_images(repository_id integer, digests text[], without_tags text[] DEFAULT '{}')
RETURNS TABLE (digest text, rule_id bigint, signers text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  IF NOT image_library_internal.requires_signatures(repository_id) THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH tagged AS (
    SELECT t.digest, t.name
    FROM (SELECT DISTINCT u FROM unnest(digests) u) AS asked (digest)
    CROSS JOIN LATERAL (
      SELECT x.digest, x.name FROM image_library_internal.tag x
      WHERE x.repository_id = unsigned_images.repository_id AND x.digest = asked.digest OFFSET 0) t
    WHERE t.name <> ALL (without_tags)
  )
  SELECT DISTINCT ON (n.digest, u.rule_id) n.digest, u.rule_id, u.signed_by
  FROM image_library_internal.visible_repository r
  JOIN image_library_internal.rule u ON u.registry_id = r.registry_id AND u.enabled AND u.action = 'include' AND u.signed_by IS NOT NULL
  -- The option newest is not considered here.
  CROSS JOIN LATERAL image_library_internal.decide_tags(jsonb_build_array(to_jsonb(u) - 'newest'), r.repository, ARRAY(SELECT t.name FROM tagged t)) d
  JOIN tagged n ON n.name = d.tag
  WHERE r.repository_id = unsigned_images.repository_id
    AND NOT image_library_internal.has_signature(r.repository_id, n.digest, u.signed_by)
  ORDER BY n.digest, u.rule_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.unsigned_images IS
  'Images of a repository that lack a verified signature which a rule that takes one of their tags requires, with each such rule';
GRANT EXECUTE ON FUNCTION image_library_internal.unsigned_images TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.requires_text(rule_id bigint, signers text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN format('rule %s requires a signature of %s', rule_id, array_to_string(signers, ' or '));
COMMENT ON FUNCTION image_library_internal.requires_text IS 'What a rule requires, as people read it';
GRANT EXECUTE ON FUNCTION image_library_internal.requires_text TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.check_signed(reference text, repository_id integer, digest text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  required text[] := ARRAY(SELECT image_library_internal.requires_text(u.rule_id, u.signers)
                           FROM image_library_internal.unsigned_images(check_signed.repository_id, ARRAY[check_signed.digest]) u);
  known text;
BEGIN
  IF required = '{}' THEN
    RETURN;
  END IF;
  SELECT string_agg(line, E'\n') INTO known
  FROM (SELECT DISTINCT format('%s: %s', e.format, CASE WHEN e.verified AND NOT image_library_internal.has_ended(e.valid_until) THEN format('signed by %s%s', e.signer, ', ' || nullif(e.predicate_type, '')) ELSE image_library_internal.shown_reason(e.reason, e.verified, e.valid_until) END) AS line
        FROM image_library_internal.evidence e
        WHERE e.repository_id = check_signed.repository_id AND e.digest = check_signed.digest ORDER BY 1 LIMIT 10) lines;
  PERFORM image_library_internal.fail(
    errcode => 'object_not_in_prerequisite_state',
    message => format('cannot approve image "%s": %s', reference, array_to_string(required, ', and ')),
    detail => coalesce('Its signatures: ' || known, 'The library has no signature of it.'),
    hint => 'See image_library.image_signatures. A new signature is read by the agent within minutes.');
END
$$;
COMMENT ON FUNCTION image_library_internal.check_signed IS
  'Raises 55000 if an image lacks a verified signature that a rule requires';

-- People who may push can give an approved digest a tag of a rule that requires a signature.
CREATE FUNCTION image_library_internal.reset_unsigned(repository_id integer, new_tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  approved text[];
  lacking record;
BEGIN
  IF NOT image_library_internal.requires_signatures(repository_id) THEN
    RETURN;
  END IF;
  approved := ARRAY(
    SELECT DISTINCT t.digest
    FROM unnest(new_tags) AS asked (name)
    CROSS JOIN LATERAL (
      SELECT x.digest FROM image_library_internal.tag x
      WHERE x.repository_id = reset_unsigned.repository_id AND x.name = asked.name OFFSET 0) t
    CROSS JOIN LATERAL (
      SELECT FROM image_library_internal.approval x
      WHERE x.repository_id = reset_unsigned.repository_id AND x.digest = t.digest AND x.state = 'approved' OFFSET 0) a);
  IF cardinality(approved) = 0 THEN
    RETURN;
  END IF;
  FOR lacking IN
    SELECT DISTINCT ON (u.digest) u.digest, u.rule_id, u.signers
    FROM image_library_internal.unsigned_images(reset_unsigned.repository_id, approved) u
    -- What lacked it before the new tags was approved under an earlier rule, and stays.
    WHERE NOT EXISTS (SELECT FROM image_library_internal.unsigned_images(reset_unsigned.repository_id, ARRAY[u.digest], new_tags) b
                      WHERE b.rule_id = u.rule_id)
    ORDER BY u.digest, u.rule_id
  LOOP
    PERFORM image_library_internal.reset_approval(repository_id, lacking.digest,
      'under a new tag ' || image_library_internal.requires_text(lacking.rule_id, lacking.signers), lacking.rule_id);
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.reset_unsigned IS
  'Sets approved images back to pending if a rule that takes a new tag of them requires a signature that they do not have';
GRANT EXECUTE ON FUNCTION image_library_internal.reset_unsigned TO image_library_agent;

CREATE FUNCTION image_library_internal.reset_approval(repository_id integer, digest text, reason text, rule_id bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record;
  decision image_library_internal.decision;
BEGIN
  SELECT r.registry_id, r.registry, r.repository, r.place,
         (SELECT min(t.name) FROM image_library_internal.tag t
          WHERE t.repository_id = r.repository_id AND t.digest = reset_approval.digest AND t.missing_since IS NULL) AS tag,
         reset_approval.digest AS digest
  INTO image
  FROM image_library_internal.full_repository r WHERE r.repository_id = reset_approval.repository_id;
  decision := image_library_internal.decision_on(image, 'reset', 'approved', 'pending', reason);
  decision.rule_id := reset_approval.rule_id;
  UPDATE image_library_internal.approval a
  SET state = 'pending', decision_id = image_library_internal.tell_decision(decision), decided_at = clock_timestamp(), valid_until = NULL,
      reset_at = clock_timestamp(), signature_lost_at = clock_timestamp()
  WHERE a.repository_id = reset_approval.repository_id AND a.digest = reset_approval.digest;
  PERFORM image_library_internal.refresh_entry_approval(reset_approval.repository_id, ARRAY[reset_approval.digest]);
END
$$;
COMMENT ON FUNCTION image_library_internal.reset_approval IS
  'Sets an approved image back to pending because it lacks a signature; rules and policies may approve it when it has one';
GRANT EXECUTE ON FUNCTION image_library_internal.reset_approval TO image_library_agent;

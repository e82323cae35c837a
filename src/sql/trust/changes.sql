-- Changes of what is trusted. Signatures are verified again in the same transaction; what rested on one that is not verified
-- any more is taken back.

CREATE FUNCTION image_library_internal.unmet_conditions(repository_id integer, digest text) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  unmet text[] := ARRAY(SELECT image_library_internal.requires_text(u.rule_id, u.signers)
                        FROM image_library_internal.unsigned_images(unmet_conditions.repository_id, ARRAY[unmet_conditions.digest]) u);
BEGIN
  IF NOT image_library_internal.has_approval_policies() THEN
    RETURN unmet;
  END IF;
  RETURN unmet || ARRAY(
    SELECT DISTINCT format('policy "%s" %s', o.policy,
             CASE o.effect WHEN 'require' THEN 'is not met' ELSE 'does not approve it' END)
    FROM image_library_internal.full_repository r
    CROSS JOIN LATERAL image_library_internal.policy_outcomes(r.registry, r.repository, unmet_conditions.digest, '{require,auto_approve}') o
    LEFT JOIN image_library_internal.approval a ON a.repository_id = r.repository_id AND a.digest = unmet_conditions.digest
    LEFT JOIN image_library_internal.decision d USING (decision_id)
    WHERE r.repository_id = unmet_conditions.repository_id AND o.reason IS NOT NULL
      -- Of the policies that approve, only the one that did.
      AND (o.effect = 'require' OR o.policy = d.policy)
    ORDER BY 1);
END
$$;
COMMENT ON FUNCTION image_library_internal.unmet_conditions IS
  'Why an image would not be approved now: signatures that rules require, required policies, and the policy that approved it';
GRANT EXECUTE ON FUNCTION image_library_internal.unmet_conditions TO image_library_agent;

CREATE TYPE image_library_internal.signed_image AS (
  registry_id integer, repository_id integer, digest text, approved boolean, automatic boolean, unmet text[]);
COMMENT ON TYPE image_library_internal.signed_image IS
  'An image with signatures that a change of trust may concern: whether it is approved, by a rule or policy alone (automatic), and unmet_conditions before the change';

-- What does not hold before a change is no loss. Signatures that have ended, and that the agent has not verified again yet,
-- count here: the caller has removed their end.
CREATE FUNCTION image_library_internal.with_conditions(images image_library_internal.signed_image[]) RETURNS image_library_internal.signed_image[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image image_library_internal.signed_image;
BEGIN
  FOR n IN 1 .. cardinality(images) LOOP
    image := images[n];
    IF image.approved THEN
      image.unmet := image_library_internal.unmet_conditions(image.repository_id, image.digest);
      images[n] := image;
    END IF;
  END LOOP;
  RETURN images;
END
$$;
COMMENT ON FUNCTION image_library_internal.with_conditions IS
  'Images with the conditions that approved ones do not meet now (unmet), for take_back';
GRANT EXECUTE ON FUNCTION image_library_internal.with_conditions TO image_library_agent;

CREATE FUNCTION image_library_internal.verify_rows(repository_id integer, digests text[], signers text[], unverified boolean) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  anchors jsonb := image_library_internal.trusted_in(repository_id);
  layer image_library_internal.evidence;
  changed text[] := '{}';
  was boolean;
BEGIN
  FOR layer IN
    SELECT e.* FROM image_library_internal.evidence e
    WHERE e.repository_id = verify_rows.repository_id AND (digests IS NULL OR e.digest = ANY (digests))
      AND (e.signer = ANY (signers) OR unverified AND NOT e.verified OR e.verified_at IS NULL)
    FOR UPDATE
  LOOP
    was := layer.verified;
    layer := image_library_internal.with_verdict(layer, anchors);
    UPDATE image_library_internal.evidence e
    SET verified = layer.verified, reason = layer.reason, signer = layer.signer, issuer = layer.issuer, subject = layer.subject,
        signed_at = layer.signed_at, log_index = layer.log_index, predicate_type = layer.predicate_type, provenance = layer.provenance,
        verified_at = layer.verified_at, valid_until = layer.valid_until
    WHERE e.repository_id = layer.repository_id AND e.digest = layer.digest AND e.referrer_digest = layer.referrer_digest AND e.place = layer.place
      AND e.imported_from = layer.imported_from
      AND (e.verified_at IS NULL OR (e.verified, e.reason, e.signer, e.valid_until) IS DISTINCT FROM (layer.verified, layer.reason, layer.signer, layer.valid_until));
    IF layer.verified AND NOT was THEN
      changed := changed || layer.digest;
    END IF;
  END LOOP;
  RETURN changed;
END
$$;
COMMENT ON FUNCTION image_library_internal.verify_rows IS
  'Verifies signatures in a repository again: those by some signers, those not verified, and those that wait for it; returns the digests of images that have a verified one which they had not';
GRANT EXECUTE ON FUNCTION image_library_internal.verify_rows TO image_library_agent;

CREATE FUNCTION image_library_internal.take_back(image image_library_internal.signed_image, why text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lost text[] := ARRAY(SELECT u FROM unnest(image_library_internal.unmet_conditions(image.repository_id, image.digest)) u
                       WHERE u <> ALL (image.unmet));
  at record;
BEGIN
  IF lost = '{}' THEN
    RETURN NULL;
  END IF;
  SELECT r.registry_id, r.registry, r.repository, r.place, image_library_internal.present_tags(r.repository_id, ARRAY[image.digest]) AS tags INTO at
  FROM image_library_internal.full_repository r WHERE r.repository_id = image.repository_id;
  IF image.automatic THEN
    PERFORM image_library_internal.reset_approval(image.repository_id, image.digest, concat(why, ': ', array_to_string(lost, ', ')));
  ELSE
    UPDATE image_library_internal.approval a SET signature_lost_at = clock_timestamp()
    WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  END IF;
  PERFORM image_library_internal.emit('signature lost', at.registry_id, at.registry, at.repository, at.tags[1], image.digest,
    jsonb_build_object('actor', session_user, 'reason', why, 'unmet', lost, 'approval', CASE WHEN image.automatic THEN 'reset' ELSE 'kept' END));
  RETURN CASE WHEN image.automatic THEN concat(at.place, ':' || at.tags[1], '@', image.digest) END;
END
$$;
COMMENT ON FUNCTION image_library_internal.take_back IS
  'After a change of trust: sets an image back to pending that a rule or policy approved because of a signature, and returns its reference; one that a person approved is marked';
GRANT EXECUTE ON FUNCTION image_library_internal.take_back TO image_library_agent;

-- Up to so many signatures are verified in the transaction of the change. Of more, those that could lose their signer are
-- not verified from then on, and the agent verifies them, in portions.
CREATE FUNCTION image_library_internal.most_verified_at_once(OUT signatures bigint, OUT bytes bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (100000::bigint, 268435456::bigint);
COMMENT ON FUNCTION image_library_internal.most_verified_at_once IS
  'Signatures that a change of trust verifies itself: their number, and the bytes of their documents';

CREATE FUNCTION image_library_internal.signed_images(signers text[], unverified boolean) RETURNS SETOF image_library_internal.signed_image
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry integer;
BEGIN
  -- As a change of rules does: batches and decisions wait, and those that hold locks are waited for.
  FOR of_registry IN
    SELECT DISTINCT r.registry_id
    FROM image_library_internal.evidence e JOIN image_library_internal.repository r USING (repository_id)
    WHERE e.signer = ANY (signers) OR unverified AND NOT e.verified
    ORDER BY 1
  LOOP
    PERFORM image_library_internal.lock_rules(of_registry);
  END LOOP;
  RETURN QUERY
    SELECT r.registry_id, r.repository_id, e.digest, coalesce(a.state = 'approved', false),
           coalesce(a.approvals = 0 OR d.policy IS NOT NULL, false), '{}'::text[]
    FROM (SELECT DISTINCT x.repository_id, x.digest FROM image_library_internal.evidence x
          WHERE x.signer = ANY (signers) OR unverified AND NOT x.verified) e
    JOIN image_library_internal.repository r USING (repository_id)
    LEFT JOIN image_library_internal.approval a ON a.repository_id = e.repository_id AND a.digest = e.digest
    LEFT JOIN image_library_internal.decision d USING (decision_id)
    ORDER BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION image_library_internal.signed_images IS
  'Images with signatures by some signers, or that are not verified; locks the rules of their registries';

-- removed: name of an anchor; added: one that is not there. Both: it is replaced.
CREATE FUNCTION image_library_internal.change_trust(removed text, added image_library_internal.trust_anchor, losers text[], why text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gains boolean := added.name IS NOT NULL;
  images image_library_internal.signed_image[];
  image image_library_internal.signed_image;
  of_repository record;
  at_once boolean;
  gained text[];
  taken_back text;
BEGIN
  images := ARRAY(SELECT s FROM image_library_internal.signed_images(losers, gains) s);
  IF losers <> '{}' THEN
    UPDATE image_library_internal.evidence e SET valid_until = NULL
    WHERE e.verified AND e.signer = ANY (losers) AND image_library_internal.has_ended(e.valid_until);
    images := image_library_internal.with_conditions(images);
  END IF;
  DELETE FROM image_library_internal.trust_anchor a WHERE a.name = removed;
  IF gains THEN
    INSERT INTO image_library_internal.trust_anchor (name, kind, material, issuer, subject, repositories, signing_authority)
    VALUES (added.name, added.kind, added.material, added.issuer, added.subject, added.repositories, coalesce(added.signing_authority, false));
    PERFORM image_library_internal.read_again(NULL);
  END IF;
  SELECT count(*) <= m.signatures AND coalesce(sum(octet_length(e.document)), 0) <= m.bytes INTO at_once
  FROM image_library_internal.most_verified_at_once() m
  LEFT JOIN image_library_internal.evidence e ON e.signer = ANY (losers) OR gains AND NOT e.verified
  GROUP BY m.signatures, m.bytes;
  IF NOT at_once THEN
    UPDATE image_library_internal.evidence e
    SET verified = false, signer = NULL, provenance = NULL, reason = 'what is trusted has changed, and the agent has not verified it again yet',
        verified_at = NULL
    WHERE e.signer = ANY (losers) OR gains AND NOT e.verified;
  END IF;
  FOR of_repository IN
    SELECT i.registry_id, i.repository_id, array_agg(i.digest) AS digests FROM unnest(images) i GROUP BY 1, 2 ORDER BY 1, 2
  LOOP
    gained := '{}';
    IF at_once THEN
      gained := image_library_internal.verify_rows(of_repository.repository_id, of_repository.digests, losers, gains);
    END IF;
    FOR image IN SELECT i.* FROM unnest(images) i WHERE i.repository_id = of_repository.repository_id AND i.approved AND losers <> '{}' LOOP
      taken_back := image_library_internal.take_back(image, why);
      IF taken_back IS NOT NULL THEN
        PERFORM image_library_internal.warn_of_users(image.repository_id, image.digest, taken_back);
      END IF;
    END LOOP;
    PERFORM image_library_internal.approve_signed(of_repository.repository_id, CASE WHEN losers <> '{}' THEN of_repository.digests ELSE gained END);
  END LOOP;
  -- Signatures that were only listed are read; those that wait are verified.
  UPDATE image_library_internal.registry g SET sync_requested_at = clock_timestamp()
  WHERE g.enabled AND (gains OR NOT at_once);
  PERFORM image_library_internal.wake_agent();
END
$$;
COMMENT ON FUNCTION image_library_internal.change_trust IS
  'Removes and adds a trust anchor, verifies again the signatures by the signers that may lose (losers), and where one is added those that are not verified, and takes back what rested on a signature';

-- A portion, so that batches and decisions do not wait long for the locks.
CREATE FUNCTION image_library_internal.verify_waiting(registry_id integer, most_signatures integer DEFAULT 1000, most_bytes bigint DEFAULT 16777216)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  waiting record;
BEGIN
  IF NOT EXISTS (SELECT FROM image_library_internal.evidence x JOIN image_library_internal.repository r USING (repository_id)
                 WHERE r.registry_id = verify_waiting.registry_id AND x.verified_at IS NULL) THEN
    RETURN false;
  END IF;
  PERFORM image_library_internal.lock_trust(exclusive => false);
  PERFORM image_library_internal.lock_rules_of(registry_id, exclusive => true);
  FOR waiting IN
    SELECT c.repository_id, array_agg(c.digest) AS digests
    FROM (SELECT i.repository_id, i.digest, coalesce(sum(i.signatures) OVER before, 0) AS signatures, coalesce(sum(i.bytes) OVER before, 0) AS bytes
          FROM (SELECT x.repository_id, x.digest, count(*) AS signatures, coalesce(sum(octet_length(x.document)), 0) AS bytes
                FROM image_library_internal.evidence x JOIN image_library_internal.repository r USING (repository_id)
                WHERE r.registry_id = verify_waiting.registry_id AND x.verified_at IS NULL
                GROUP BY 1, 2 ORDER BY 1, 2 LIMIT most_signatures) i
          WINDOW before AS (ORDER BY i.repository_id, i.digest ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) c
    WHERE c.signatures < most_signatures AND c.bytes < most_bytes
    GROUP BY 1 ORDER BY 1
  LOOP
    PERFORM image_library_internal.approve_signed(waiting.repository_id,
      image_library_internal.verify_rows(waiting.repository_id, waiting.digests, '{}', false));
  END LOOP;
  RETURN true;
END
$$;
COMMENT ON FUNCTION image_library_internal.verify_waiting IS
  'Verifies some of the signatures in a registry that a change of trust left to the agent, whole images of them, and lets rules and policies approve; false: none waits';
GRANT EXECUTE ON FUNCTION image_library_internal.verify_waiting TO image_library_agent;

-- Signers may be trusted for certain hosts and paths only.
CREATE FUNCTION image_library_internal.verify_moved_registry() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.lock_trust(exclusive => true);
  PERFORM image_library_internal.change_trust(NULL, NULL,
    ARRAY(SELECT a.name FROM image_library_internal.trust_anchor a WHERE a.repositories <> '{**}'),
    format('registry "%s" has another URL', NEW.name));
  PERFORM image_library_internal.read_again(NEW.registry_id);
  UPDATE image_library_internal.evidence e SET verified_at = NULL
  FROM image_library_internal.repository r
  WHERE r.registry_id = NEW.registry_id AND e.repository_id = r.repository_id AND NOT e.verified;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.verify_moved_registry IS
  'Verifies signatures again after the host or path of a registry has changed';
CREATE TRIGGER verify_again AFTER UPDATE OF host, prefix ON image_library_internal.registry
  FOR EACH ROW WHEN ((OLD.host, OLD.prefix) IS DISTINCT FROM (NEW.host, NEW.prefix))
  EXECUTE FUNCTION image_library_internal.verify_moved_registry();
COMMENT ON TRIGGER verify_again ON image_library_internal.registry IS 'Verifies signatures again';

-- Requests: people who may not decide ask that a pending image be approved.

-- Rows are kept when a request has ended, so that a requester of an image is never one of the people who approve it
-- where a rule has separate_requester, also not after a reset or when the approval has expired.
CREATE TABLE image_library_internal.approval_request (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL REFERENCES image_library_internal.image,
  requester name COLLATE "C" NOT NULL DEFAULT session_user,
  requester_id oid NOT NULL DEFAULT to_regrole(quote_ident(session_user)),
  tag text COLLATE "C" NOT NULL,
  reason text,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  PRIMARY KEY (repository_id, digest, requester)
);
CREATE INDEX approval_request_digest ON image_library_internal.approval_request (digest);
CREATE INDEX approval_request_open ON image_library_internal.approval_request (requester) WHERE ended_at IS NULL;
COMMENT ON TABLE image_library_internal.approval_request IS
  'Requests that an image be approved; one row for each image and person';
COMMENT ON COLUMN image_library_internal.approval_request.requester_id IS
  'OID of the role, so that a renamed role is the same person';
COMMENT ON COLUMN image_library_internal.approval_request.ended_at IS
  'When the image was approved or rejected; null: the request is open';
GRANT SELECT, UPDATE ON image_library_internal.approval_request TO image_library_agent;

CREATE FUNCTION image_library_internal.is_requester(repository_id integer, digest text, person name, person_id oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library_internal.approval_request q
                 WHERE q.repository_id = is_requester.repository_id AND q.digest = is_requester.digest
                   AND (q.requester = person OR q.requester_id = person_id))
$$;
COMMENT ON FUNCTION image_library_internal.is_requester IS
  'Whether a person, by name or OID, has ever requested the approval of an image';
GRANT EXECUTE ON FUNCTION image_library_internal.is_requester TO image_library_agent;

-- A row that its requester keeps locked does not make the decision wait: it stays open, for the time after a reset.
CREATE FUNCTION image_library_internal.end_requests(repository_id integer, digests text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  UPDATE image_library_internal.approval_request q SET ended_at = clock_timestamp()
  FROM (SELECT o.digest, o.requester FROM image_library_internal.approval_request o
        WHERE o.repository_id = end_requests.repository_id AND o.digest = ANY (digests) AND o.ended_at IS NULL
        FOR NO KEY UPDATE SKIP LOCKED) ending
  WHERE q.repository_id = end_requests.repository_id AND q.digest = ending.digest AND q.requester = ending.requester;
END
$$;
COMMENT ON FUNCTION image_library_internal.end_requests IS 'Ends the requests for images that were approved or rejected';
GRANT EXECUTE ON FUNCTION image_library_internal.end_requests TO image_library_agent;

CREATE FUNCTION image_library_internal.check_requestable(reference text, image record) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  current image_library_internal.approval;
  blocks text[];
  told record;
BEGIN
  SELECT * INTO current FROM image_library_internal.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  blocks := image_library_internal.blocks(CASE WHEN image.moved_to IS NULL THEN image.tag END, image.rule_id, image.gone_since, current,
    clock_timestamp());
  IF blocks NOT IN ('{pending}', '{expired}') THEN
    SELECT * INTO told FROM image_library_internal.why_blocked(blocks[1], image.gone_since, current);
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot request the approval of image "%s": %s', reference, CASE WHEN blocks = '{}' THEN 'it is approved' ELSE told.why END),
      detail => coalesce(image_library_internal.decided_so(CASE WHEN blocks = '{}' THEN current.decision_id ELSE told.decision_id END), ''),
      hint => CASE WHEN blocks = '{}' THEN 'Nothing needs to be done: image_library.resolve returns its pinned reference.' ELSE told.hint END);
  END IF;
  IF EXISTS (SELECT FROM image_library_internal.approval_vote v
             WHERE v.repository_id = image.repository_id AND v.digest = image.digest
               AND (v.voter = session_user OR v.voter_id = to_regrole(quote_ident(session_user)))) THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot request the approval of image "%s": %s has approved it', reference, session_user),
      hint => 'It waits for the approval of others: see image_library.pending_images.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_requestable IS
  'Raises 55000 unless an image waits for a decision, and the session user has not approved it';

-- Without a lock on the image, since a reader who leaves a transaction open must not make those who decide wait. A
-- request that commits after a decision on the image is an open request for the time after a reset.
CREATE FUNCTION image_library.request_approval(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, registry);
BEGIN
  PERFORM image_library_internal.check_reason(reason);
  PERFORM image_library_internal.check_requestable(reference, image);
  PERFORM image_library_internal.keep_image(image.repository_id, image.digest, reference, registry);
  -- Not left to the conflict below, which would lock the row.
  IF EXISTS (SELECT FROM image_library_internal.approval_request q
             WHERE q.repository_id = image.repository_id AND q.digest = image.digest AND q.requester = session_user AND q.ended_at IS NULL) THEN
    RETURN image.pinned_reference;
  END IF;
  -- A limit for each role, so that no role can fill the table.
  IF EXISTS (SELECT FROM image_library_internal.approval_request q WHERE q.requester = session_user AND q.ended_at IS NULL OFFSET 9999) THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('"%s" has requested the approval of 10000 images already', session_user),
      hint => 'A request ends when the image is approved or rejected, also one that no tag points at any more.');
  END IF;
  INSERT INTO image_library_internal.approval_request AS q (repository_id, digest, tag, reason)
  VALUES (image.repository_id, image.digest, image.tag, request_approval.reason)
  ON CONFLICT ON CONSTRAINT approval_request_pkey DO UPDATE
  SET tag = excluded.tag, reason = excluded.reason, requested_at = excluded.requested_at, ended_at = NULL
  WHERE q.ended_at IS NOT NULL;
  IF FOUND THEN
    PERFORM image_library_internal.emit('approval requested', image.registry_id, image.registry, image.repository, image.tag, image.digest,
      jsonb_build_object('actor', session_user, 'reason', reason));
  END IF;
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.request_approval IS
  'Asks that a pending image be approved, until it is approved or rejected; pending_images shows who asked and why. A second request of the same person changes nothing. Returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.request_approval TO image_library_reader;

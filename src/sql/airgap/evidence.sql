-- Signatures of images in bundles. Only what was signed goes over the gap: who is trusted is decided on each side.

CREATE TABLE image_library_internal.imported_evidence (
  library text COLLATE "C" NOT NULL,
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  repository text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  referrer_digest text COLLATE "C" NOT NULL,
  place integer NOT NULL,
  layer_digest text COLLATE "C" NOT NULL,
  format text NOT NULL,
  document bytea NOT NULL,
  annotations jsonb NOT NULL,
  line bigint NOT NULL,
  PRIMARY KEY (registry_id, repository, digest, referrer_digest, place, library)
);
COMMENT ON TABLE image_library_internal.imported_evidence IS
  'Signatures of the last bundle of each library whose images are not here yet, or that are not stored in evidence because of the limit of the registry (over_limit there); columns as in evidence';
COMMENT ON COLUMN image_library_internal.imported_evidence.line IS 'Line of the bundle';
GRANT SELECT, DELETE ON image_library_internal.imported_evidence TO image_library_agent;

CREATE VIEW image_library_internal.waiting_evidence AS
  SELECT w.library, w.registry_id, w.repository, w.digest, w.referrer_digest, w.place, coalesce(e.over_limit, false) AS over_limit
  FROM image_library_internal.imported_evidence w
  LEFT JOIN image_library_internal.repository r ON r.registry_id = w.registry_id AND r.name = w.repository
  LEFT JOIN image_library_internal.evidence e
    ON e.repository_id = r.repository_id AND e.digest = w.digest AND e.referrer_digest = w.referrer_digest AND e.place = w.place AND e.imported_from = w.library;
COMMENT ON VIEW image_library_internal.waiting_evidence IS
  'Keys of imported_evidence. over_limit: verified before, and not stored for want of space';
GRANT SELECT ON image_library_internal.waiting_evidence TO image_library_agent;

-- As the agent limits what it reads of a registry.
CREATE FUNCTION image_library_internal.most_evidence(OUT of_image integer, OUT document_bytes integer, OUT image_bytes integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (100, 1048576, 8388608);
COMMENT ON FUNCTION image_library_internal.most_evidence IS
  'Limits on signatures in bundles: number of an image, bytes of one, bytes of all of an image';
GRANT EXECUTE ON FUNCTION image_library_internal.most_evidence TO image_library_agent;

CREATE FUNCTION image_library_internal.bundle_evidence(registries integer[]) RETURNS SETOF jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('registry', r.registry, 'repository', r.repository, 'digest', e.digest, 'referrer_digest', e.referrer_digest, 'place', e.place,
           'layer_digest', e.layer_digest, 'format', e.format, 'document', translate(encode(e.document, 'base64'), E'\n', ''), 'annotations', e.annotations)
  FROM (SELECT x.repository_id, x.digest, x.referrer_digest, x.place, x.imported_from, row_number() OVER of_image AS rank, sum(x.bytes) OVER of_image AS bytes
        FROM (SELECT DISTINCT ON (v.repository_id, v.digest, v.referrer_digest, v.place)
                     v.repository_id, v.digest, v.referrer_digest, v.place, v.imported_from, v.verified, v.first_seen_at, v.bytes
              FROM image_library_internal.bundle_images(registries) n
              JOIN image_library_internal.evidence v USING (repository_id, digest)
              WHERE v.document IS NOT NULL
              -- Of what several have brought, what is verified, else what the registry has shown.
              ORDER BY v.repository_id, v.digest, v.referrer_digest, v.place, v.verified DESC, v.imported_from) x
        WINDOW of_image AS (PARTITION BY x.repository_id, x.digest ORDER BY x.verified DESC, x.first_seen_at, x.referrer_digest, x.place)) o
  JOIN image_library_internal.evidence e USING (repository_id, digest, referrer_digest, place, imported_from)
  JOIN image_library_internal.full_repository r USING (repository_id)
  CROSS JOIN image_library_internal.most_evidence() m
  WHERE o.rank <= m.of_image AND o.bytes <= m.image_bytes
  ORDER BY o.repository_id, o.digest, o.rank
$$;
COMMENT ON FUNCTION image_library_internal.bundle_evidence IS
  'Signatures and attestations of the images of a bundle that were read, verified ones first';

CREATE FUNCTION image_library_internal.document_problem(document text, layer_digest text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  bytes bytea := decode(document, 'base64');
BEGIN
  RETURN CASE
    WHEN octet_length(bytes) > (SELECT m.document_bytes FROM image_library_internal.most_evidence() m) THEN 'has a signature of more than 1 MiB'
    WHEN layer_digest <> CASE WHEN layer_digest LIKE 'sha512:%' THEN 'sha512:' || encode(sha512(bytes), 'hex') ELSE 'sha256:' || encode(sha256(bytes), 'hex') END
      THEN 'has a signature with another digest than it says' END;
END
$$;
COMMENT ON FUNCTION image_library_internal.document_problem IS
  'What is wrong with a document of a signature in a bundle, in base64; null: nothing; raises 22023 for what is not base64';

CREATE FUNCTION image_library_internal.import_evidence(library text, registries jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM image_library_internal.imported_evidence w WHERE w.library = import_evidence.library;
  INSERT INTO image_library_internal.imported_evidence (library, registry_id, repository, digest, referrer_digest, place, layer_digest, format, document, annotations, line)
  SELECT DISTINCT ON (m.registry_id, m.repository, m.digest, s.content ->> 'referrer_digest', (s.content ->> 'place')::integer)
         m.library, m.registry_id, m.repository, m.digest, s.content ->> 'referrer_digest', (s.content ->> 'place')::integer, s.content ->> 'layer_digest',
         s.content ->> 'format', decode(s.content ->> 'document', 'base64'), s.content -> 'annotations', s.number
  FROM image_library_internal.staged_line s
  JOIN image_library_internal.imported_image m
    ON m.library = import_evidence.library AND m.registry_id = (registries ->> (s.content ->> 'registry'))::integer
   AND m.repository = s.content ->> 'repository' AND m.digest = s.content ->> 'digest'
  WHERE s.staged_by = session_user AND s.section = 'evidence'
  ORDER BY m.registry_id, m.repository, m.digest, s.content ->> 'referrer_digest', (s.content ->> 'place')::integer, s.number;
  -- Who has signed has signed: what is verified stays, as when a registry lists it no more.
  DELETE FROM image_library_internal.evidence e
  USING image_library_internal.repository r
  WHERE e.imported_from = import_evidence.library AND NOT e.verified AND r.repository_id = e.repository_id
    AND NOT EXISTS (SELECT FROM image_library_internal.imported_evidence w
                    WHERE w.registry_id = r.registry_id AND w.repository = r.name AND w.digest = e.digest AND w.referrer_digest = e.referrer_digest
                      AND w.place = e.place AND w.library = import_evidence.library);
END
$$;
COMMENT ON FUNCTION image_library_internal.import_evidence IS
  'Stores the signatures of a staged bundle, of images of the bundle alone, for apply_evidence; those of the bundle before that it lacks go, except verified ones';

CREATE FUNCTION image_library_internal.add_evidence(imported image_library_internal.imported_evidence, repository_id integer, anchors jsonb,
  INOUT room bigint, OUT new_verified boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  layer image_library_internal.evidence;
  judged image_library_internal.evidence;
  stored record;
  replaced bigint;
BEGIN
  new_verified := false;
  SELECT count(*) AS number, coalesce(sum(octet_length(e.document)), 0) + octet_length(imported.document) AS bytes INTO stored
  FROM image_library_internal.evidence e
  WHERE e.repository_id = add_evidence.repository_id AND e.digest = imported.digest AND e.imported_from = imported.library
    AND (e.referrer_digest, e.place) <> (imported.referrer_digest, imported.place);
  -- What the registry has shown is in the manifest, whatever a bundle says.
  IF EXISTS (SELECT FROM image_library_internal.evidence e
             WHERE e.repository_id = add_evidence.repository_id AND e.digest = imported.digest AND e.referrer_digest = imported.referrer_digest
               AND e.place = imported.place AND e.imported_from = '' AND e.document IS NOT NULL) THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM image_library_internal.most_evidence() m WHERE stored.number >= m.of_image OR stored.bytes > m.image_bytes) THEN
    -- More space for the registry does not help it.
    DELETE FROM image_library_internal.evidence e
    WHERE e.repository_id = add_evidence.repository_id AND e.digest = imported.digest AND e.referrer_digest = imported.referrer_digest
      AND e.place = imported.place AND e.imported_from = imported.library AND e.over_limit;
    RETURN;
  END IF;
  layer.repository_id := repository_id;
  layer.digest := imported.digest;
  layer.referrer_digest := imported.referrer_digest;
  layer.place := imported.place;
  layer.layer_digest := imported.layer_digest;
  layer.format := imported.format;
  layer.document := imported.document;
  layer.annotations := imported.annotations;
  layer.imported_from := imported.library;
  -- What the manifest has is read where a registry lists it.
  layer.retry := true;
  layer.first_seen_at := now();
  replaced := coalesce((
    SELECT e.bytes FROM image_library_internal.evidence e
    WHERE e.repository_id = layer.repository_id AND e.digest = layer.digest AND e.referrer_digest = layer.referrer_digest AND e.place = layer.place
      AND e.imported_from = layer.imported_from), 0);
  judged := image_library_internal.with_verdict(layer, anchors);
  IF NOT judged.verified AND judged.bytes > room + replaced THEN
    judged := image_library_internal.with_verdict(image_library_internal.without_document(layer), anchors);
  END IF;
  layer := judged;
  INSERT INTO image_library_internal.evidence AS e SELECT layer.*
  ON CONFLICT ON CONSTRAINT evidence_pkey DO UPDATE
  SET layer_digest = excluded.layer_digest, format = excluded.format, document = excluded.document, annotations = excluded.annotations,
      verified = excluded.verified, reason = excluded.reason, signer = excluded.signer, issuer = excluded.issuer, subject = excluded.subject,
      signed_at = excluded.signed_at, log_index = excluded.log_index, predicate_type = excluded.predicate_type, provenance = excluded.provenance,
      verified_at = excluded.verified_at, valid_until = excluded.valid_until, bytes = excluded.bytes, over_limit = excluded.over_limit,
      unread = excluded.unread
  -- What is verified stays.
  WHERE NOT e.verified AND (excluded.document IS NOT NULL OR e.document IS NULL)
    AND (e.layer_digest, e.format, e.annotations, e.document, e.unread)
        IS DISTINCT FROM (excluded.layer_digest, excluded.format, excluded.annotations, excluded.document, excluded.unread);
  IF FOUND THEN
    room := room + replaced - layer.bytes;
    new_verified := layer.verified;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.add_evidence IS
  'Stores a signature of a bundle with its verdict, unless the registry has shown it, or the library has brought as many of the image as the agent would read. room: evidence_room before and after it; new_verified: whether a verified one is new';
GRANT EXECUTE ON FUNCTION image_library_internal.add_evidence TO image_library_agent;

CREATE FUNCTION image_library_internal.apply_evidence(registry_id integer, after text[] DEFAULT NULL, most_signatures integer DEFAULT NULL, most_bytes bigint DEFAULT NULL)
RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record;
  waiting image_library_internal.imported_evidence;
  anchors jsonb;
  in_repository integer;
  signed text[] := '{}';
  signatures integer := 0;
  bytes bigint := 0;
  -- Added up once: under these locks nobody else stores signatures of the registry.
  room bigint;
  new_verified boolean;
BEGIN
  IF NOT EXISTS (SELECT FROM image_library_internal.waiting_evidence w
                 WHERE w.registry_id = apply_evidence.registry_id
                   AND (NOT w.over_limit OR (SELECT image_library_internal.has_evidence_room(apply_evidence.registry_id)))) THEN
    RETURN NULL;
  END IF;
  -- As verify_waiting.
  PERFORM image_library_internal.lock_trust(exclusive => false);
  PERFORM image_library_internal.lock_rules_of(registry_id, exclusive => true);
  room := image_library_internal.evidence_room(registry_id);
  FOR image IN
    SELECT r.repository_id, w.repository, w.digest
    FROM (SELECT DISTINCT x.repository, x.digest FROM image_library_internal.waiting_evidence x
          WHERE x.registry_id = apply_evidence.registry_id AND (after IS NULL OR (x.repository, x.digest) > (after[1], after[2]))
            -- The largest fits, as in has_evidence_room.
            AND (NOT x.over_limit OR room >= 1048576)) w
    JOIN image_library_internal.repository r ON r.registry_id = apply_evidence.registry_id AND r.name = w.repository
    WHERE EXISTS (SELECT FROM image_library_internal.tag t WHERE t.repository_id = r.repository_id AND t.digest = w.digest)
    ORDER BY w.repository, w.digest
  LOOP
    EXIT WHEN signatures >= most_signatures OR bytes >= most_bytes;
    after := ARRAY[image.repository, image.digest];
    IF image.repository_id IS DISTINCT FROM in_repository THEN
      IF signed <> '{}' THEN
        PERFORM image_library_internal.approve_signed(in_repository, signed);
      END IF;
      signed := '{}';
      in_repository := image.repository_id;
      anchors := image_library_internal.trusted_in(in_repository);
    END IF;
    FOR waiting IN
      SELECT w.* FROM image_library_internal.imported_evidence w
      WHERE w.registry_id = apply_evidence.registry_id AND w.repository = image.repository AND w.digest = image.digest
      ORDER BY w.library, w.line
    LOOP
      signatures := signatures + 1;
      bytes := bytes + octet_length(waiting.document);
      SELECT a.room, a.new_verified INTO room, new_verified
      FROM image_library_internal.add_evidence(waiting, in_repository, anchors, room) a;
      IF new_verified THEN
        signed := signed || image.digest;
      END IF;
    END LOOP;
    DELETE FROM image_library_internal.imported_evidence w
    WHERE w.registry_id = apply_evidence.registry_id AND w.repository = image.repository AND w.digest = image.digest
      -- What is not stored for want of space is kept until there is some.
      AND NOT EXISTS (SELECT FROM image_library_internal.evidence e
                      WHERE e.repository_id = image.repository_id AND e.digest = w.digest AND e.referrer_digest = w.referrer_digest
                        AND e.place = w.place AND e.imported_from = w.library AND e.over_limit);
  END LOOP;
  IF signed <> '{}' THEN
    PERFORM image_library_internal.approve_signed(in_repository, signed);
  END IF;
  -- Fewer than fit: they were the last ones.
  RETURN CASE WHEN signatures >= most_signatures OR bytes >= most_bytes THEN after END;
END
$$;
COMMENT ON FUNCTION image_library_internal.apply_evidence IS
  'Verifies the signatures of bundles of which the image is in a registry now, against what is trusted here, and lets rules and policies approve: whole images from the one after (repository, digest) on, until the limits are reached. Returns the last image, or null: there are no more';
GRANT EXECUTE ON FUNCTION image_library_internal.apply_evidence TO image_library_agent;

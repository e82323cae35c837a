-- What an admin trusts, and signatures as registries have them (evidence), each with what its verification found.

CREATE TABLE image_library_internal.trust_anchor (
  name text COLLATE "C" PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('key', 'identity', 'authority', 'root')),
  material text,
  issuer text,
  subject text,
  repositories text[] NOT NULL DEFAULT '{**}',
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by name NOT NULL DEFAULT session_user,
  signing_authority boolean NOT NULL DEFAULT false,
  CHECK ((material IS NULL) = (kind = 'identity')),
  CHECK ((issuer IS NULL) = (kind <> 'identity')),
  CHECK ((subject IS NULL) = (kind IN ('key', 'root')))
);
CREATE UNIQUE INDEX trust_anchor_root ON image_library_internal.trust_anchor (kind) WHERE kind = 'root';
COMMENT ON TABLE image_library_internal.trust_anchor IS
  'Who is trusted to sign: public keys, identities of certificates, authorities of Notation, and the trusted root of Sigstore';
COMMENT ON COLUMN image_library_internal.trust_anchor.material IS
  'PEM of a key or of the certificates of an authority; JSON of the trusted root';
COMMENT ON COLUMN image_library_internal.trust_anchor.issuer IS 'OpenID Connect issuer of an identity';
COMMENT ON COLUMN image_library_internal.trust_anchor.subject IS
  'Pattern of the subject of an identity''s certificate, or of the certificates of an authority';
COMMENT ON COLUMN image_library_internal.trust_anchor.signing_authority IS
  'Whether signers of an authority may state the time of signing themselves, so that signatures outlive their certificates';
COMMENT ON COLUMN image_library_internal.trust_anchor.repositories IS
  'Patterns of host/repository, of one of which a repository must be for the signer to count there';
GRANT SELECT ON image_library_internal.trust_anchor TO image_library_agent;

CREATE TABLE image_library_internal.evidence (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL,
  referrer_digest text COLLATE "C" NOT NULL,
  place integer NOT NULL,
  layer_digest text COLLATE "C" NOT NULL,
  format text NOT NULL,
  document bytea,
  annotations jsonb NOT NULL,
  unread text,
  retry boolean NOT NULL,
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  verified boolean NOT NULL,
  reason text NOT NULL,
  signer text COLLATE "C",
  issuer text,
  subject text,
  signed_at timestamptz,
  log_index bigint,
  predicate_type text,
  provenance jsonb,
  verified_at timestamptz,
  imported_from text COLLATE "C" NOT NULL DEFAULT '',
  bytes integer NOT NULL,
  over_limit boolean NOT NULL,
  valid_until timestamptz,
  -- Libraries do not write each other's rows.
  PRIMARY KEY (repository_id, digest, referrer_digest, place, imported_from),
  CHECK (verified = (signer IS NOT NULL)),
  CHECK (bytes = coalesce(octet_length(document), 0)),
  CHECK (NOT over_limit OR document IS NULL)
);
CREATE INDEX evidence_signer ON image_library_internal.evidence (signer, repository_id) WHERE verified;
CREATE INDEX evidence_imported ON image_library_internal.evidence (imported_from) WHERE imported_from <> '';
CREATE INDEX evidence_ending ON image_library_internal.evidence (valid_until) WHERE verified AND valid_until IS NOT NULL;
CREATE INDEX evidence_waiting ON image_library_internal.evidence (repository_id) WHERE verified_at IS NULL;
-- Space is added up without a look at the rows.
CREATE INDEX evidence_space ON image_library_internal.evidence (repository_id) INCLUDE (bytes, over_limit);
COMMENT ON TABLE image_library_internal.evidence IS
  'Layers of signatures and attestations, so that they can be verified again without a request; for the repository that lists them';
COMMENT ON COLUMN image_library_internal.evidence.digest IS 'Image that the registry lists the signature for';
COMMENT ON COLUMN image_library_internal.evidence.place IS 'Number of the layer in the manifest';
COMMENT ON COLUMN image_library_internal.evidence.format IS
  'simple signing, dsse, sigstore bundle, notation jws or notation cose';
COMMENT ON COLUMN image_library_internal.evidence.annotations IS 'Annotations of the layer that belong to the signature';
COMMENT ON COLUMN image_library_internal.evidence.unread IS 'Why the document was not read';
COMMENT ON COLUMN image_library_internal.evidence.retry IS 'Whether the agent asks for the document again';
COMMENT ON COLUMN image_library_internal.evidence.bytes IS 'Bytes of the document; 0: there is none';
COMMENT ON COLUMN image_library_internal.evidence.over_limit IS
  'Whether the document is not stored because it is not verified and over the limit of the registry (signature_megabytes)';
COMMENT ON COLUMN image_library_internal.evidence.signer IS 'Name of the trust anchor that verified it; null: not verified';
COMMENT ON COLUMN image_library_internal.evidence.verified_at IS
  'When it was verified, with whatever result; null: the agent verifies it when the next run begins';
COMMENT ON COLUMN image_library_internal.evidence.valid_until IS
  'When a verified signature ends, by its own expiry or with its certificate: it does not count from then on, and the agent verifies it again; null: no end is known';
COMMENT ON COLUMN image_library_internal.evidence.imported_from IS
  'Library whose bundle brought it; empty: the registry did. The agent asks a registry that lists it all the same (retry)';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.evidence TO image_library_agent;

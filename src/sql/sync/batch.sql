-- What a sync found in a repository, as the C++ code gives it to write_batches: one value, so that no document is written and
-- parsed again on the way.

CREATE TYPE image_library_internal.batch_platform AS (
  platform text, os text, architecture text, variant text, manifest_digest text, config_digest text, size_bytes bigint,
  created_at timestamptz, present boolean);
COMMENT ON TYPE image_library_internal.batch_platform IS 'A platform of an image of a batch; present null: it is there';

CREATE TYPE image_library_internal.batch_referrer AS (
  digest text, referrer_digest text, artifact_type text, size_bytes bigint, annotations jsonb, source text, tag text);
COMMENT ON TYPE image_library_internal.batch_referrer IS 'A referrer of a batch: columns as in image_referrer';

CREATE TYPE image_library_internal.batch_image AS (
  digest text, media_type text, artifact_type text, config_type text, config_digest text, layer_types text[], size_bytes bigint,
  created_at timestamptz, created_text text, annotations jsonb, labels jsonb, unread text,
  platforms image_library_internal.batch_platform[], referrers image_library_internal.batch_referrer[], chain_ids bytea[]);
COMMENT ON TYPE image_library_internal.batch_image IS
  'An image of a batch, with its platforms, the referrers that its own index names, and the chain IDs of its layers';

CREATE TYPE image_library_internal.batch_tag AS (name text, digest text, rule_id bigint);
COMMENT ON TYPE image_library_internal.batch_tag IS 'A tag of a batch and the digest that the registry has for it';

CREATE TYPE image_library_internal.image_place AS (repository_id integer, digest text);
COMMENT ON TYPE image_library_internal.image_place IS 'An image of a repository';

CREATE TYPE image_library_internal.referrer_answer AS (digest text, tag text);
COMMENT ON TYPE image_library_internal.referrer_answer IS
  'A complete answer to what refers to a digest (null: to all that the tag held); tag null: of the API';

CREATE TYPE image_library_internal.gone_child AS (image text, digest text);
COMMENT ON TYPE image_library_internal.gone_child IS 'A manifest that an index names and that a repository does not have any more';

CREATE TYPE image_library_internal.batch_problem AS (tag text, problem text, detail text);
COMMENT ON TYPE image_library_internal.batch_problem IS 'A problem of a batch; tag null: of the repository';

CREATE TYPE image_library_internal.batch_evidence AS (
  digest text, referrer_digest text, place integer, layer_digest text, format text, document bytea, annotations jsonb, unread text, retry boolean);
COMMENT ON TYPE image_library_internal.batch_evidence IS
  'A layer of a signature: columns as in evidence; without document and unread the library or another row has the document';

CREATE TYPE image_library_internal.settled AS (fingerprint text, tags bigint, movable bigint);
COMMENT ON TYPE image_library_internal.settled IS 'What settled_repository has of a repository';

CREATE TYPE image_library_internal.batch AS (
  images image_library_internal.batch_image[],
  completed image_library_internal.batch_image[],
  tags image_library_internal.batch_tag[],
  missing text[],
  referrers image_library_internal.batch_referrer[],
  referrer_answers image_library_internal.referrer_answer[],
  referrers_checked text[],
  gone_children image_library_internal.gone_child[],
  refused_removals text[],
  listing text[],
  fingerprint text,
  rules_version text,
  settled image_library_internal.settled,
  checked text[],
  problems image_library_internal.batch_problem[],
  evidence image_library_internal.batch_evidence[]);
COMMENT ON TYPE image_library_internal.batch IS
  'What a sync writes of a repository: see struct Batch in src/sync/batch.h. A null array is as an empty one; refused_removals, listing and settled null: nothing to write of them';
COMMENT ON COLUMN image_library_internal.batch.rules_version IS 'Version of the rules that decided on the tags of the listing; null: not known';

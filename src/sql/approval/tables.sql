-- Approval belongs to a digest in a repository, so that a tag that moves shows the state of the new digest.

CREATE TABLE image_library_internal.approval (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL REFERENCES image_library_internal.image,
  state text NOT NULL CHECK (state = ANY (image_library_internal.states())),
  approvals integer NOT NULL DEFAULT 1,
  decision_id bigint,
  decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  valid_until timestamptz,
  reset_at timestamptz,
  deprecated_from timestamptz,
  deprecation_id bigint,
  quarantined_at timestamptz,
  quarantine_id bigint,
  signature_lost_at timestamptz,
  PRIMARY KEY (repository_id, digest),
  CHECK ((deprecated_from IS NULL) = (deprecation_id IS NULL)),
  CHECK ((quarantined_at IS NULL) = (quarantine_id IS NULL))
);
CREATE INDEX approval_digest ON image_library_internal.approval (digest);
-- What few images have, so that nobody reads all of them to find these.
CREATE INDEX approval_reset ON image_library_internal.approval (repository_id, digest) WHERE reset_at IS NOT NULL;
CREATE INDEX approval_valid_until ON image_library_internal.approval (valid_until) WHERE valid_until IS NOT NULL;
CREATE INDEX approval_deprecated_from ON image_library_internal.approval (deprecated_from) WHERE deprecated_from IS NOT NULL;
CREATE INDEX approval_signature_lost ON image_library_internal.approval (repository_id, digest) WHERE signature_lost_at IS NOT NULL;
COMMENT ON TABLE image_library_internal.approval IS
  'State of a digest in a repository; no row: pending since it was found';
COMMENT ON COLUMN image_library_internal.approval.approvals IS
  'Number of people who approved the image; a policy counts as one, a rule with approval => auto as none';
COMMENT ON COLUMN image_library_internal.approval.decision_id IS 'Last decision on the state; null: none';
COMMENT ON COLUMN image_library_internal.approval.valid_until IS 'When the approval ends; null: never';
COMMENT ON COLUMN image_library_internal.approval.reset_at IS
  'When the image was set back to pending, until the next decision';
COMMENT ON COLUMN image_library_internal.approval.deprecated_from IS
  'Time from which the image is blocked; consumers are warned before; null: not deprecated';
COMMENT ON COLUMN image_library_internal.approval.deprecation_id IS 'Decision that deprecated the image';
COMMENT ON COLUMN image_library_internal.approval.quarantined_at IS
  'When the image was put in quarantine, which blocks it in any state; null: not in quarantine';
COMMENT ON COLUMN image_library_internal.approval.quarantine_id IS 'Decision that put the image in quarantine';
COMMENT ON COLUMN image_library_internal.approval.signature_lost_at IS
  'When a signature that the approval rests on stopped being verified. Pending: a rule or policy approves again once there is one; approved: by a person, who keeps it';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.approval TO image_library_agent;

CREATE TABLE image_library_internal.approval_vote (
  repository_id integer NOT NULL,
  digest text COLLATE "C" NOT NULL,
  voter name COLLATE "C" NOT NULL DEFAULT session_user,
  voter_id oid NOT NULL DEFAULT to_regrole(quote_ident(session_user)),
  voted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  valid_until timestamptz,
  PRIMARY KEY (repository_id, digest, voter),
  FOREIGN KEY (repository_id, digest) REFERENCES image_library_internal.approval ON DELETE CASCADE
);
COMMENT ON TABLE image_library_internal.approval_vote IS
  'Approvals of an image that needs the approval of several people, while more are required; one row for each person';
COMMENT ON COLUMN image_library_internal.approval_vote.voter_id IS
  'OID of the role, so that a renamed role is the same person';

-- The name is looked up first, since the OID may be that of another role in a restored database. A renamed role is
-- found by its OID.
CREATE FUNCTION image_library_internal.counts(vote image_library_internal.approval_vote) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN coalesce(vote.valid_until > clock_timestamp(), true)
         AND image_library_internal.has_rights_of(
           (SELECT r.rolname FROM pg_roles r WHERE r.oid = coalesce(to_regrole(quote_ident(vote.voter))::oid, vote.voter_id)),
           to_regrole('image_library_curator'))
         AND NOT (image_library_internal.is_requester(vote.repository_id, vote.digest, vote.voter, vote.voter_id)
                  AND EXISTS (SELECT FROM image_library_internal.required_approvals(vote.repository_id, ARRAY[vote.digest]) q
                              WHERE q.separating_rule_id IS NOT NULL));
END
$$;
COMMENT ON FUNCTION image_library_internal.counts IS
  'Whether a vote is still valid and its voter may still approve, and is not the requester where a rule separates them';
GRANT EXECUTE ON FUNCTION image_library_internal.counts TO image_library_reader;

-- See policies.sql.
CREATE TABLE image_library_internal.policy (
  policy_id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  function text NOT NULL,
  applies_to text NOT NULL CHECK (applies_to = ANY (array_prepend('all', image_library_internal.kinds())) OR applies_to LIKE 'consumer:_%'),
  effect text NOT NULL CHECK (effect IN ('require', 'auto_approve', 'warn')),
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by name NOT NULL DEFAULT session_user,
  enabled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK (applies_to NOT LIKE 'consumer:%' OR effect <> 'auto_approve')
);
COMMENT ON TABLE image_library_internal.policy IS
  'Policies; each is a function that takes a row of image_library.images';
COMMENT ON COLUMN image_library_internal.policy.applies_to IS
  'all, a kind of images, or consumer:<name>: not asked of approvals but of the use by that consumer';
COMMENT ON COLUMN image_library_internal.policy.enabled_at IS 'When it was added or last enabled; verdicts from before do not know it';
COMMENT ON COLUMN image_library_internal.policy.function IS
  'Schema and name of the function, which takes an image; if it does not exist any more the policy is not met';
GRANT SELECT ON image_library_internal.policy TO image_library_agent;

-- For pending_images, which must not run functions of users for each of its rows.
CREATE TABLE image_library_internal.policy_verdict (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL,
  unmet text[] NOT NULL,
  checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (repository_id, digest)
);
COMMENT ON TABLE image_library_internal.policy_verdict IS
  'Required policies that an image did not meet when they were last evaluated, on arrival or by apply_policies, while it waited';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.policy_verdict TO image_library_agent;

CREATE TABLE image_library_internal.decision (
  decision_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  registry_id integer NOT NULL,
  registry text NOT NULL,
  repository text NOT NULL,
  tag text,
  digest text NOT NULL,
  old_state text NOT NULL CHECK (old_state = ANY (image_library_internal.states())),
  new_state text NOT NULL CHECK (new_state = ANY (image_library_internal.states())),
  actor name NOT NULL DEFAULT session_user,
  decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  reason text,
  rule_id bigint,
  policy text,
  action text NOT NULL CHECK (action IN (
    'approve', 'vote', 'reject', 'revoke', 'reset', 'deprecate', 'undeprecate', 'quarantine', 'release')),
  valid_until timestamptz,
  deprecated_from timestamptz,
  statement_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  client_address inet DEFAULT inet_client_addr(),
  origin jsonb
);
CREATE INDEX decision_image ON image_library_internal.decision (digest, decision_id);
CREATE INDEX decision_transaction ON image_library_internal.decision (transaction);
COMMENT ON TABLE image_library_internal.decision IS 'Decisions; rows are added and never changed';
COMMENT ON COLUMN image_library_internal.decision.registry_id IS
  'Registry of the image; roles that may see it may see the row; numbers are not reused';
COMMENT ON COLUMN image_library_internal.decision.action IS
  'Action; vote is an approval where more people are required';
COMMENT ON COLUMN image_library_internal.decision.transaction IS
  'Transaction that wrote the row, in the server that did: pg_dump restores it as it was';
COMMENT ON COLUMN image_library_internal.decision.client_address IS
  'Address of the client; null: a local socket, or the agent';
COMMENT ON COLUMN image_library_internal.decision.origin IS
  'Of an imported decision: the library that it comes from, and who decided there and when; null: it was made here';
COMMENT ON COLUMN image_library_internal.decision.statement_at IS
  'Start of the statement that decided; a statement decides once on an image, even if it names several of its tags';
GRANT SELECT, INSERT ON image_library_internal.decision TO image_library_agent;

CREATE FUNCTION image_library_internal.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.fail(
    errcode => 'insufficient_privilege',
    message => format('rows of %s.%s are never changed or removed', TG_TABLE_SCHEMA, TG_TABLE_NAME),
    hint => 'A new decision is a new row.');
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_change IS 'Keeps a table append-only, also for its owner';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON image_library_internal.decision
  FOR EACH ROW EXECUTE FUNCTION image_library_internal.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON image_library_internal.decision
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.refuse_change();
COMMENT ON TRIGGER append_only ON image_library_internal.decision IS 'Refuses UPDATE and DELETE';
COMMENT ON TRIGGER append_only_truncate ON image_library_internal.decision IS 'Refuses TRUNCATE';

-- Decisions of other libraries: what their bundles say was decided there, apart from the decisions here.

CREATE TABLE image_library_internal.imported_decision (
  library text COLLATE "C" NOT NULL,
  registry_id integer NOT NULL,
  decision_id bigint NOT NULL,
  repository text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  tag text,
  action text NOT NULL,
  old_state text NOT NULL,
  new_state text NOT NULL,
  actor text NOT NULL,
  decided_at timestamptz NOT NULL,
  reason text,
  rule_id bigint,
  policy text,
  valid_until timestamptz,
  deprecated_from timestamptz,
  heard_from text,
  PRIMARY KEY (library, registry_id, decision_id),
  -- It goes with the image of the bundle that it is about.
  FOREIGN KEY (registry_id, repository, digest, library) REFERENCES image_library_internal.imported_image ON DELETE CASCADE
);
CREATE INDEX imported_decision_image ON image_library_internal.imported_decision (registry_id, repository, digest, library);
COMMENT ON TABLE image_library_internal.imported_decision IS
  'Decisions on the images of the last bundle of each library, as it tells them; nothing here rests on them. registry_id is the registry here';
COMMENT ON COLUMN image_library_internal.imported_decision.decision_id IS 'Number of the decision in that library';
COMMENT ON COLUMN image_library_internal.imported_decision.rule_id IS 'Number of the rule in that library';
COMMENT ON COLUMN image_library_internal.imported_decision.heard_from IS 'Library from which that one had imported the decision';

CREATE FUNCTION image_library_internal.most_decisions() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 1000;
COMMENT ON FUNCTION image_library_internal.most_decisions IS 'Number of decisions on an image that are stored of a bundle, the last ones';

CREATE FUNCTION image_library_internal.bundle_decision_problem(content jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN NOT coalesce(
      image_library_internal.is_repository_name(content ->> 'repository') AND content ->> 'digest' ~ '^[a-z0-9+._-]{1,30}:[0-9a-f]{32,128}$'
      AND content ->> 'decision_id' ~ '^[0-9]{1,18}$' AND coalesce(content ->> 'rule_id', '0') ~ '^[0-9]{1,18}$' AND content ->> 'action' ~ '^[a-z ]{1,30}$'
      AND content ->> 'old_state' = ANY (image_library_internal.states()) AND content ->> 'new_state' = ANY (image_library_internal.states())
      AND length(content ->> 'actor') BETWEEN 1 AND 63 AND content ->> 'decided_at' <> ''
      AND length(coalesce(content ->> 'tag', '')) <= 128
      AND length(coalesce(content ->> 'policy', '')) <= 1000 AND length(coalesce(content #>> '{origin,library}', '')) <= 63, false)
    THEN 'has an invalid decision' END
$$;
COMMENT ON FUNCTION image_library_internal.bundle_decision_problem IS 'What is wrong with a decision in a bundle; null: nothing';

CREATE FUNCTION image_library_internal.import_decisions(library text, registries jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  WITH brought AS MATERIALIZED (
    SELECT n.*
    FROM (SELECT m.library, m.registry_id, (s.content ->> 'decision_id')::bigint AS decision_id, m.repository, m.digest, s.content,
                 row_number() OVER (PARTITION BY m.registry_id, m.repository, m.digest ORDER BY (s.content ->> 'decision_id')::bigint DESC) AS rank
          FROM image_library_internal.staged_line s
          JOIN image_library_internal.imported_image m
            ON m.library = import_decisions.library AND m.registry_id = (registries ->> (s.content ->> 'registry'))::integer
           AND m.repository = s.content ->> 'repository' AND m.digest = s.content ->> 'digest'
          WHERE s.staged_by = session_user AND s.section = 'decision') n
    WHERE n.rank <= image_library_internal.most_decisions()
  ), gone AS (
    DELETE FROM image_library_internal.imported_decision h
    WHERE h.library = import_decisions.library
      AND NOT EXISTS (SELECT FROM brought b WHERE b.registry_id = h.registry_id AND b.decision_id = h.decision_id)
  )
  INSERT INTO image_library_internal.imported_decision AS h
    (library, registry_id, decision_id, repository, digest, tag, action, old_state, new_state, actor, decided_at, reason, rule_id, policy,
     valid_until, deprecated_from, heard_from)
  SELECT b.library, b.registry_id, b.decision_id, b.repository, b.digest, b.content ->> 'tag', b.content ->> 'action', b.content ->> 'old_state',
         b.content ->> 'new_state', b.content ->> 'actor', (b.content ->> 'decided_at')::timestamptz, left(b.content ->> 'reason', 10000),
         (b.content ->> 'rule_id')::bigint, b.content ->> 'policy', (b.content ->> 'valid_until')::timestamptz,
         (b.content ->> 'deprecated_from')::timestamptz, b.content #>> '{origin,library}'
  FROM brought b
  ON CONFLICT ON CONSTRAINT imported_decision_pkey DO UPDATE
  SET repository = excluded.repository, digest = excluded.digest, tag = excluded.tag, action = excluded.action, old_state = excluded.old_state,
      new_state = excluded.new_state, actor = excluded.actor, decided_at = excluded.decided_at, reason = excluded.reason, rule_id = excluded.rule_id,
      policy = excluded.policy, valid_until = excluded.valid_until, deprecated_from = excluded.deprecated_from, heard_from = excluded.heard_from
  WHERE h IS DISTINCT FROM excluded;
  RETURN (SELECT count(*) FROM image_library_internal.imported_decision h WHERE h.library = import_decisions.library);
END
$$;
COMMENT ON FUNCTION image_library_internal.import_decisions IS
  'Stores the decisions on images of a staged bundle in place of those of the bundle before; returns their number';

CREATE VIEW image_library.imported_decisions WITH (security_barrier) AS
  SELECT h.library, g.name AS registry, h.repository, h.tag, h.digest, h.action, h.old_state, h.new_state, h.actor, h.decided_at, h.reason,
         h.rule_id, h.policy, h.valid_until, h.deprecated_from, h.decision_id, h.heard_from, b.signed_by
  FROM image_library_internal.imported_decision h
  JOIN image_library_internal.visible_registry g USING (registry_id)
  LEFT JOIN image_library_internal.imported_bundle b USING (library);
COMMENT ON VIEW image_library.imported_decisions IS
  'Decisions in other libraries on the images of their last bundles, as these bundles tell them: who decided there, when and why. What was decided here because of them is in decisions';
GRANT SELECT ON image_library.imported_decisions TO image_library_reader;

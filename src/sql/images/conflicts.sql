-- Contradictions in the metadata of images, recorded with the classification.

-- The read model has the contradictions of Postgres and model images. This table has those of all other images.
CREATE TABLE image_library_internal.other_conflict (
  repository_id integer NOT NULL,
  tag text COLLATE "C" NOT NULL,
  conflicts text[] NOT NULL,
  PRIMARY KEY (repository_id, tag),
  FOREIGN KEY (repository_id, tag) REFERENCES image_library_internal.tag (repository_id, name) ON DELETE CASCADE
);
COMMENT ON TABLE image_library_internal.other_conflict IS
  'Contradictions in images that are neither Postgres nor model, such as extension images';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.other_conflict TO image_library_agent;

CREATE FUNCTION image_library_internal.refresh_conflicts(classified image_library_internal.classified_tag[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  wanted image_library_internal.other_conflict[] := ARRAY(
    SELECT (c.repository_id, c.tag,
            ARRAY(SELECT jsonb_array_elements_text(c.facts -> 'conflicts')))::image_library_internal.other_conflict
    FROM unnest(classified) c
    WHERE c.facts ->> 'kind' = 'other' AND c.facts -> 'conflicts' <> '[]');
BEGIN
  IF EXISTS (SELECT FROM unnest(classified) c
             CROSS JOIN LATERAL (SELECT FROM image_library_internal.other_conflict x
                                 WHERE x.repository_id = c.repository_id AND x.tag = c.tag OFFSET 0) there) THEN
    -- EXECUTE makes a plan for these arrays: to join two of them well, it needs their sizes.
    EXECUTE 'DELETE FROM image_library_internal.other_conflict x
             USING unnest($1) c LEFT JOIN unnest($2) w ON w.repository_id = c.repository_id AND w.tag = c.tag
             WHERE x.repository_id = c.repository_id AND x.tag = c.tag AND x IS DISTINCT FROM w'
    USING classified, wanted;
  END IF;
  INSERT INTO image_library_internal.other_conflict (repository_id, tag, conflicts)
  SELECT w.repository_id, w.tag, w.conflicts FROM unnest(wanted) w ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_conflicts IS
  'Updates the contradictions of tags that have no row in the read model';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_conflicts TO image_library_agent;

CREATE VIEW image_library_internal.conflicts AS
  SELECT e.repository_id, e.tag, e.kind, unnest(e.conflicts) AS conflict
  FROM image_library_internal.entry e WHERE e.conflicts <> '{}'
  UNION ALL
  SELECT x.repository_id, x.tag, 'other', unnest(x.conflicts) FROM image_library_internal.other_conflict x;
COMMENT ON VIEW image_library_internal.conflicts IS 'Contradictions and unreadable values of all images';

-- A value that could not be read is also a problem of the sync. The phrases are those of the classifier.
CREATE VIEW image_library_internal.unreadable_annotations AS
  SELECT r.registry_id, r.name AS repository, t.name AS tag, c.conflict AS detail,
         coalesce(t.digest_changed_at, t.first_seen_at) AS since
  FROM image_library_internal.conflicts c
  JOIN image_library_internal.tag t ON t.repository_id = c.repository_id AND t.name = c.tag
  JOIN image_library_internal.repository r ON r.repository_id = t.repository_id
  WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL AND c.conflict ~ E' is (no|not|unknown)\\M';
COMMENT ON VIEW image_library_internal.unreadable_annotations IS 'Annotations and labels that were left out because they could not be read';

CREATE VIEW image_library.classification_conflicts WITH (security_barrier) AS
  SELECT r.registry, r.repository, t.name AS tag, t.digest, found.kind, found.conflict
  FROM image_library_internal.conflicts found
  JOIN image_library_internal.tag t ON t.repository_id = found.repository_id AND t.name = found.tag
  JOIN image_library_internal.visible_repository r ON r.repository_id = t.repository_id
  WHERE t.rule_id IS NOT NULL;
COMMENT ON VIEW image_library.classification_conflicts IS
  'Contradictions between annotations, labels, tag, repository and rule, and values that could not be read; one row for each';
GRANT SELECT ON image_library.classification_conflicts TO image_library_reader;

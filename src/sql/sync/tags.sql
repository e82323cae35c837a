-- Writing the tags of some repositories, with their history, events, read model and approval by rule. Rows of an array are
-- joined with the tables by key, so that the cost does not depend on the size of the repositories: see images.sql.

CREATE TYPE image_library_internal.arrived_tag AS (
  repository_id integer, name text, digest text, rule_id bigint, previous text, was_missing boolean, facts jsonb);
COMMENT ON TYPE image_library_internal.arrived_tag IS
  'A tag of a batch, the digest that the library had for it (previous; null: the tag is new), and the classification of its image';

CREATE FUNCTION image_library_internal.arrived_tags(tags image_library_internal.batch_tag[], repositories integer[], have_facts boolean,
  keys jsonb)
RETURNS SETOF image_library_internal.arrived_tag
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  RETURN QUERY
    -- A rule that was dropped since the run began does not decide.
    SELECT f.repository_id, f.name, f.digest, u.rule_id, t.digest, t.missing_since IS NOT NULL,
           CASE WHEN own.facts ->> 'kind' = 'model'
                THEN image_library_internal.with_model_facts(own.facts, r.repository_id, r.full_name) ELSE own.facts END
    FROM unnest(tags, repositories) AS n (name, digest, rule_id, facts, repository_id)
    CROSS JOIN LATERAL (
      SELECT n.repository_id, n.name, n.digest, n.rule_id, CASE WHEN have_facts THEN n.facts END AS facts) f
    CROSS JOIN LATERAL (
      SELECT x.repository_id, x.full_name FROM image_library_internal.full_repository x
      WHERE x.repository_id = f.repository_id OFFSET 0) r
    LEFT JOIN LATERAL (
      SELECT v.rule_id, v.kind FROM image_library_internal.rule v WHERE v.rule_id = f.rule_id AND v.enabled OFFSET 0) u ON true
    LEFT JOIN LATERAL (
      SELECT x.digest, x.missing_since FROM image_library_internal.tag x
      WHERE x.repository_id = f.repository_id AND x.name = f.name OFFSET 0) t ON true
    LEFT JOIN LATERAL (
      SELECT m.digest, m.artifact_type, m.config_type, m.layer_types, m.annotations, m.labels FROM image_library_internal.image m
      WHERE m.digest = f.digest AND f.facts IS NULL OFFSET 0) i ON true
    -- An image that is not stored has no facts, and the foreign key refuses the tag.
    LEFT JOIN LATERAL (SELECT image_library_internal.classify(
      r.full_name, f.name, i.artifact_type, i.config_type, i.layer_types, i.annotations, i.labels, keys,
      coalesce(u.kind, 'auto')) WHERE i.digest IS NOT NULL OFFSET 0) AS c (facts) ON true
    CROSS JOIN LATERAL (SELECT coalesce(f.facts, c.facts)) AS own (facts)
    ORDER BY f.repository_id, f.name COLLATE "C";
END
$$;
COMMENT ON FUNCTION image_library_internal.arrived_tags IS
  'Tags of batches, compared with those of the library and classified, by repository and name; called after the images are stored. repositories: of the tags in the same places; have_facts: they are classified already';
GRANT EXECUTE ON FUNCTION image_library_internal.arrived_tags TO image_library_agent;

CREATE FUNCTION image_library_internal.end_periods(tags image_library_internal.tag_place[], at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  ended image_library_internal.tag_place;
BEGIN
  FOREACH ended IN ARRAY tags LOOP
    UPDATE image_library_internal.tag_period p SET until = greatest(at, p.since + interval '1 microsecond')
    WHERE p.repository_id = ended.repository_id AND p.tag = ended.tag AND p.until IS NULL;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.end_periods IS 'Ends the periods of tags that moved or are missing';
GRANT EXECUTE ON FUNCTION image_library_internal.end_periods TO image_library_agent;

-- One statement, which begins once for each batch: see images.sql. It sees the tags as they were before: those that are
-- missing already are not told again.
CREATE FUNCTION image_library_internal.write_arrived(arrived image_library_internal.arrived_tag[],
  missing image_library_internal.tag_place[], at timestamptz, OUT events text[], OUT have_approved integer[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  WITH periods AS (
    INSERT INTO image_library_internal.tag_period (repository_id, tag, since, digest)
    SELECT f.repository_id, f.name,
           CASE WHEN f.previous IS NULL THEN at
                ELSE greatest(at, (SELECT max(p.until) FROM image_library_internal.tag_period p
                                   WHERE p.repository_id = f.repository_id AND p.tag = f.name)) END,
           f.digest
    FROM unnest(arrived) f
    WHERE f.previous IS DISTINCT FROM f.digest OR f.was_missing
  ), happened AS (
    SELECT CASE WHEN f.previous IS NULL THEN 'tag added'
                WHEN f.previous <> f.digest THEN 'tag moved'
                WHEN f.was_missing THEN 'tag returned' END AS event,
           f.repository_id, f.name AS tag, f.digest, f.previous
    FROM unnest(arrived) f
    UNION ALL
    SELECT 'tag missing', m.repository_id, t.name, t.digest, NULL
    FROM unnest(missing) m
    CROSS JOIN LATERAL (
      SELECT x.name, x.digest FROM image_library_internal.tag x
      WHERE x.repository_id = m.repository_id AND x.name = m.tag AND x.missing_since IS NULL OFFSET 0) t
  ), told AS (
    INSERT INTO image_library_internal.event AS e (event, registry_id, registry, repository, tag, digest, detail)
    SELECT h.event, g.registry_id, g.name, r.name, h.tag, h.digest,
           CASE WHEN h.event = 'tag moved' THEN jsonb_build_object('previous_digest', h.previous) ELSE '{}' END
    FROM happened h
    JOIN image_library_internal.repository r ON r.repository_id = h.repository_id
    JOIN image_library_internal.registry g USING (registry_id)
    WHERE h.event IS NOT NULL
    ORDER BY r.repository_id, h.tag COLLATE "C"
    RETURNING e.event
  ), written AS (
    -- Kind and approval as refresh_tags would write them, so that it need not write each row again.
    INSERT INTO image_library_internal.tag AS t (repository_id, registry_id, name, digest, rule_id, first_seen_at, digest_changed_at,
                                                 kind, approval, waits_from, waits_until)
    SELECT r.repository_id, r.registry_id, f.name, f.digest, f.rule_id, at, at,
           CASE WHEN f.rule_id IS NULL THEN 'other' ELSE coalesce(f.facts ->> 'kind', 'other') END, coalesce(a.state, 'pending'),
           image_library_internal.waits_from(a.state, a.valid_until, a.quarantined_at IS NOT NULL), a.deprecated_from
    FROM unnest(arrived) f
    CROSS JOIN LATERAL (
      SELECT x.repository_id, x.registry_id FROM image_library_internal.repository x
      WHERE x.repository_id = f.repository_id OFFSET 0) r
    LEFT JOIN LATERAL (
      SELECT y.state, y.valid_until, y.quarantined_at, y.deprecated_from FROM image_library_internal.approval y
      WHERE y.repository_id = f.repository_id AND y.digest = f.digest OFFSET 0) a ON true
    ON CONFLICT ON CONSTRAINT tag_pkey DO UPDATE
    SET digest = excluded.digest, rule_id = excluded.rule_id, missing_since = NULL,
        digest_changed_at = CASE WHEN t.digest = excluded.digest THEN t.digest_changed_at ELSE at END,
        kind = excluded.kind, approval = excluded.approval, waits_from = excluded.waits_from, waits_until = excluded.waits_until
    WHERE (t.digest, t.rule_id, t.missing_since, t.kind, t.approval, t.waits_from, t.waits_until)
          IS DISTINCT FROM (excluded.digest, excluded.rule_id, NULL, excluded.kind, excluded.approval, excluded.waits_from, excluded.waits_until)
    RETURNING t.repository_id, t.approval
  )
  SELECT ARRAY(SELECT DISTINCT o.event FROM told o),
         ARRAY(SELECT DISTINCT w.repository_id FROM written w WHERE w.approval = 'approved' ORDER BY 1)
  INTO events, have_approved;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_arrived IS
  'Stores new, moved and returned tags of a batch, begins the periods of the digests that they point at now, and writes events for them and for missing ones; returns which, and the repositories where the image of a tag that was written is approved';
GRANT EXECUTE ON FUNCTION image_library_internal.write_arrived TO image_library_agent;

CREATE FUNCTION image_library_internal.write_tags(tags image_library_internal.batch_tag[], repositories integer[], have_facts boolean,
  missing image_library_internal.tag_place[], keys jsonb, OUT tags_added bigint, OUT tags_moved bigint, OUT tags_missing bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  arrived image_library_internal.arrived_tag[] := ARRAY(
    SELECT f FROM image_library_internal.arrived_tags(tags, repositories, have_facts, keys) f);
  moved image_library_internal.tag_place[];
  classified image_library_internal.classified_tag[];
  written record;
  event text;
  gone image_library_internal.tag_place;
  place record;
BEGIN
  SELECT count(*) FILTER (WHERE f.previous IS NULL),
         coalesce(array_agg((f.repository_id, f.name)::image_library_internal.tag_place) FILTER (WHERE f.previous <> f.digest), '{}'),
         array_agg((f.repository_id, f.name, f.digest, f.facts)::image_library_internal.classified_tag)
  INTO tags_added, moved, classified
  FROM unnest(arrived) f;
  tags_moved := cardinality(moved);
  IF cardinality(moved) > 0 OR cardinality(missing) > 0 THEN
    PERFORM image_library_internal.end_periods(moved || missing, at);
  END IF;
  written := image_library_internal.write_arrived(arrived, missing, at);
  FOREACH event IN ARRAY written.events LOOP
    PERFORM image_library_internal.notify(event);
  END LOOP;
  tags_missing := 0;
  FOREACH gone IN ARRAY missing LOOP
    UPDATE image_library_internal.tag t SET missing_since = at
    WHERE t.repository_id = gone.repository_id AND t.name = gone.tag AND t.missing_since IS NULL;
    tags_missing := tags_missing + CASE WHEN FOUND THEN 1 ELSE 0 END;
  END LOOP;
  -- New images are not approved, unless another tag had them before.
  FOR place IN
    SELECT f.repository_id, array_agg(f.name) AS pointed_anew
    FROM unnest(arrived) f
    WHERE f.repository_id = ANY (written.have_approved) AND f.previous IS DISTINCT FROM f.digest
    GROUP BY f.repository_id ORDER BY f.repository_id
  LOOP
    PERFORM image_library_internal.reset_by_stricter_rule(place.repository_id, place.pointed_anew);
    PERFORM image_library_internal.reset_unsigned(place.repository_id, place.pointed_anew);
  END LOOP;
  -- Policies read the read model, and so come after it.
  IF NOT image_library_internal.has_approval_policies() THEN
    FOR place IN SELECT f.repository_id, array_agg(f.name) AS names FROM unnest(arrived) f GROUP BY 1 ORDER BY 1 LOOP
      PERFORM image_library_internal.approve_by_rule(place.repository_id, place.names);
    END LOOP;
  END IF;
  IF cardinality(arrived) > 0 THEN
    PERFORM image_library_internal.write_entries(classified, are_new => tags_added = cardinality(arrived));
  END IF;
  FOR place IN SELECT m.repository_id, array_agg(m.tag) AS names FROM unnest(missing) m GROUP BY 1 ORDER BY 1 LOOP
    PERFORM image_library_internal.refresh_entries(place.repository_id, place.names);
  END LOOP;
  IF image_library_internal.has_approval_policies() THEN
    FOR place IN SELECT f.repository_id, array_agg(f.name) AS names FROM unnest(arrived) f GROUP BY 1 ORDER BY 1 LOOP
      PERFORM image_library_internal.approve_by_policy(place.repository_id, place.names);
    END LOOP;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_tags IS
  'Stores new, moved, returned and missing tags of some repositories, their history, events, read model and approval by rule';
GRANT EXECUTE ON FUNCTION image_library_internal.write_tags TO image_library_agent;

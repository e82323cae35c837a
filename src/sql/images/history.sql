-- The library at an earlier time.

CREATE TYPE image_library.historic_image AS (
  registry text, repository text, tag text, digest text, reference text, pinned_reference text, approval text, usable boolean);
COMMENT ON TYPE image_library.historic_image IS 'A row of library_at';
COMMENT ON COLUMN image_library.historic_image.digest IS 'Digest that the tag pointed at at that time';
COMMENT ON COLUMN image_library.historic_image.approval IS 'State of the digest at that time';
COMMENT ON COLUMN image_library.historic_image.usable IS
  'Whether the image could be used at that time: approved, not expired, not deprecated, not in quarantine';

-- Decisions of a transaction may have the same time; their numbers are in the order in which they were made.
CREATE FUNCTION image_library_internal.decided_at(at timestamptz,
  OUT registry_id integer, OUT repository text, OUT digest text, OUT approval text, OUT usable boolean)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT last.registry_id, last.repository, last.digest, last.new_state,
         image_library_internal.usable_until(last.new_state, last.valid_until, last.deprecated_from, coalesce(last.marks[1] = 'quarantine', false)) > at
  FROM (
    SELECT d.registry_id, d.repository, d.digest,
           (array_agg(d.new_state ORDER BY d.decision_id DESC))[1] AS new_state,
           (array_agg(d.valid_until ORDER BY d.decision_id DESC)
              FILTER (WHERE d.action IN ('approve', 'reject', 'revoke', 'reset')))[1] AS valid_until,
           (array_agg(d.deprecated_from ORDER BY d.decision_id DESC)
              FILTER (WHERE d.action IN ('deprecate', 'undeprecate')))[1] AS deprecated_from,
           array_agg(d.action ORDER BY d.decision_id DESC)
             FILTER (WHERE d.action IN ('quarantine', 'release')) AS marks
    FROM image_library_internal.decision d
    WHERE d.decided_at <= at
    GROUP BY d.registry_id, d.repository, d.digest) last
$$;
COMMENT ON FUNCTION image_library_internal.decided_at IS 'State of each image at a time';

CREATE FUNCTION image_library.library_at(at timestamptz) RETURNS SETOF image_library.historic_image
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.registry, r.repository, p.tag, p.digest, concat(r.place, ':', p.tag), concat(r.place, ':', p.tag, '@', p.digest),
         coalesce(d.approval, 'pending'), coalesce(d.usable, false)
  FROM image_library_internal.tag_period p
  JOIN image_library_internal.visible_repository r USING (repository_id)
  LEFT JOIN image_library_internal.decided_at(at) d
    ON d.registry_id = r.registry_id AND d.repository = r.repository AND d.digest = p.digest
  WHERE p.since <= at AND coalesce(p.until > at, true)
  ORDER BY r.registry, r.repository, p.tag
$$;
COMMENT ON FUNCTION image_library.library_at IS
  'Tags that existed at a time, with the digest that each pointed at and its state at that time. Tags that a rule had hidden are included; the audit has the rules of that time';
GRANT EXECUTE ON FUNCTION image_library.library_at TO image_library_reader;

-- Verification of the chain of decisions and audit rows.

CREATE FUNCTION image_library.audit_head(OUT "position" bigint, OUT row_hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.position, encode(c.row_hash, 'hex') FROM image_library_internal.chain c ORDER BY c.position DESC LIMIT 1
$$;
COMMENT ON FUNCTION image_library.audit_head IS
  'Last position of the chain of decisions and audit rows, and its hash; null: the chain is empty. Note both in another system, and give them to verify_audit later: a chain alone does not show that its end was cut off';
GRANT EXECUTE ON FUNCTION image_library.audit_head TO image_library_reader;

-- Rows that this transaction has written are in the chain when it commits.
CREATE FUNCTION image_library.verify_audit(head_position bigint DEFAULT NULL, head_hash text DEFAULT NULL)
RETURNS TABLE (log text, number bigint, "position" bigint, problem text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
  -- What is not a noted head would look like a chain that was written anew.
  SELECT image_library_internal.fail(
    errcode => 'invalid_parameter_value',
    message => 'head_position and head_hash must be what audit_head has returned',
    detail => 'The hash has 64 hexadecimal digits.',
    hint => 'Give both, or none to verify the chain alone.')
  WHERE (head_position IS NULL) <> (head_hash IS NULL) OR head_hash !~ '^[0-9A-Fa-f]{64}$';
  WITH logged AS (
    SELECT 'decisions' AS log, d.decision_id AS number, d.transaction, to_jsonb(d) AS content FROM image_library_internal.decision d
    UNION ALL
    SELECT 'audit', e.audit_id, e.transaction, to_jsonb(e) FROM image_library_internal.audit_entry e
  ), links AS (
    SELECT c.*, lag(c.position, 1, 0::bigint) OVER w AS position_before, lag(c.row_hash, 1, ''::bytea) OVER w AS hash_before
    FROM image_library_internal.chain c
    WINDOW w AS (ORDER BY c.position)
  ), problems AS (
    SELECT coalesce(k.log, l.log) AS log, coalesce(k.number, l.number) AS number, k.position,
           CASE WHEN k.position IS NULL THEN 'it is not in the chain: it was added past the library'
                WHEN k.position <> k.position_before + 1 THEN 'rows before it were removed from the chain'
                WHEN k.previous_hash <> k.hash_before THEN 'it does not follow the row before it: one of them was added, removed or moved'
                WHEN l.number IS NULL THEN 'it was removed'
                WHEN k.row_hash <> image_library_internal.chain_hash(k.previous_hash, k.position, k.log, l.content) THEN 'it was changed' END AS problem
    FROM links k FULL JOIN logged l ON l.log = k.log AND l.number = k.number
    WHERE k.position IS NOT NULL OR l.transaction IS DISTINCT FROM pg_current_xact_id_if_assigned()
    UNION ALL
    SELECT c.log, c.number, noted.position,
           CASE WHEN c.position IS NULL THEN 'the chain ends before this position: its end was removed'
                ELSE 'the chain has another hash here than the one noted: it was written anew' END
    FROM (SELECT head_position, head_hash) AS noted (position, hash)
    LEFT JOIN image_library_internal.chain c USING (position)
    WHERE encode(c.row_hash, 'hex') IS DISTINCT FROM lower(noted.hash)
  )
  SELECT p.log, p.number, p.position, p.problem FROM problems p
  WHERE p.problem IS NOT NULL
  ORDER BY p.position NULLS LAST, p.log, p.number LIMIT 1
$$;
COMMENT ON FUNCTION image_library.verify_audit IS
  'First row of decisions or audit that does not fit the chain of hashes, and why; no row: all fit. With a position and hash that audit_head has returned earlier also whether the chain still has them; raises 22023 for one without the other';
GRANT EXECUTE ON FUNCTION image_library.verify_audit TO image_library_reader;

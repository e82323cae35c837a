-- The chain of decisions and audit rows: each row has the hash of the one before it, so that a later change of any of
-- them shows. audit/verify.sql compares.

CREATE TABLE image_library_internal.chain (
  position bigint PRIMARY KEY CHECK (position > 0),
  log text NOT NULL CHECK (log IN ('decisions', 'audit')),
  number bigint NOT NULL,
  previous_hash bytea NOT NULL,
  row_hash bytea NOT NULL,
  UNIQUE (log, number)
);
COMMENT ON TABLE image_library_internal.chain IS
  'Order and hashes of the rows of decision and audit_entry, from 1 without a gap; rows are added when their transaction commits, and never changed';
COMMENT ON COLUMN image_library_internal.chain.number IS 'decision_id or audit_id';
COMMENT ON COLUMN image_library_internal.chain.previous_hash IS 'row_hash of the position before; empty for the first';
COMMENT ON COLUMN image_library_internal.chain.row_hash IS 'SHA-256 of previous_hash, position, log and all columns of the row: see chain_hash';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON image_library_internal.chain
  FOR EACH ROW EXECUTE FUNCTION image_library_internal.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON image_library_internal.chain
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.refuse_change();
COMMENT ON TRIGGER append_only ON image_library_internal.chain IS 'Refuses UPDATE and DELETE';
COMMENT ON TRIGGER append_only_truncate ON image_library_internal.chain IS 'Refuses TRUNCATE';

-- Columns that are null are left out, so that a nullable column that a later version adds does not change the hashes.
-- Times in jsonb depend on the setting timezone, which the callers set to UTC.
CREATE FUNCTION image_library_internal.chain_hash(previous_hash bytea, "position" bigint, log text, logged jsonb) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- The same for a row without values in values, at a third of the time.
  IF NOT logged @? '$.* ? (@.type() == "object" || @.type() == "array")' THEN
    RETURN sha256(previous_hash || convert_to(jsonb_build_array(position, log, jsonb_strip_nulls(logged))::text, 'UTF8'));
  END IF;
  RETURN (
    SELECT sha256(previous_hash || convert_to(jsonb_build_array(position, log, jsonb_object_agg(c.key, c.value))::text, 'UTF8'))
    FROM jsonb_each(logged) c WHERE c.value <> 'null');
END
$$;
COMMENT ON FUNCTION image_library_internal.chain_hash IS
  'Hash of a row of decision or audit_entry at its position: of the hash before it and the text of a JSON array [position, log, {column: value}]';

-- The primary key makes two transactions that append at the same time follow each other: one waits for the other, and
-- takes the next position. A transaction that keeps its first snapshot gets 40001 instead. A row that has its place
-- keeps it. A plan that was made when the table was small would read all of it for each row.
CREATE FUNCTION image_library_internal.append_to_chain(log text, number bigint, logged jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  head image_library_internal.chain;
BEGIN
  LOOP
    SELECT c.* INTO head FROM image_library_internal.chain c ORDER BY c.position DESC LIMIT 1;
    head.position := coalesce(head.position, 0) + 1;
    head.previous_hash := coalesce(head.row_hash, '');
    head.row_hash := image_library_internal.chain_hash(head.previous_hash, head.position, log, logged);
    INSERT INTO image_library_internal.chain (position, log, number, previous_hash, row_hash)
    VALUES (head.position, append_to_chain.log, append_to_chain.number, head.previous_hash, head.row_hash)
    ON CONFLICT DO NOTHING;
    EXIT WHEN FOUND OR EXISTS (
      SELECT FROM image_library_internal.chain c WHERE c.log = append_to_chain.log AND c.number = append_to_chain.number);
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.append_to_chain IS 'Adds a row of decision or audit_entry to the chain, unless it is there';

CREATE FUNCTION image_library_internal.refuse_prepare() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_refuse_prepare';
COMMENT ON FUNCTION image_library_internal.refuse_prepare IS
  'Makes PREPARE TRANSACTION an error in this transaction: a prepared one would keep the end of the chain locked, for as long as nobody ends it';

-- Runs when the transaction commits, so that a transaction that is open for long does not make others wait.
CREATE FUNCTION image_library_internal.chain_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  logged jsonb := to_jsonb(NEW);
BEGIN
  PERFORM image_library_internal.refuse_prepare();
  PERFORM image_library_internal.append_to_chain(TG_ARGV[0], (logged ->> TG_ARGV[1])::bigint, logged);
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.chain_row IS 'Adds a new row of decision or audit_entry to the chain';

-- The agent's statements are security-restricted operations, in which PostgreSQL defers no trigger. It calls
-- chain_decisions as the last statement of each of its transactions instead. Scripts of pg_dump run with an empty
-- search_path, and bring the chain along.
CREATE CONSTRAINT TRIGGER chain AFTER INSERT ON image_library_internal.decision
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (current_user <> 'image_library_agent' AND current_setting('search_path') NOT IN ('', '""'))
  EXECUTE FUNCTION image_library_internal.chain_row('decisions', 'decision_id');
COMMENT ON TRIGGER chain ON image_library_internal.decision IS 'Adds the row to the chain when the transaction commits';

CREATE FUNCTION image_library_internal.chain_decisions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
BEGIN
  PERFORM image_library_internal.append_to_chain('decisions', d.decision_id, to_jsonb(d))
  FROM (SELECT o.* FROM image_library_internal.decision o
        WHERE o.transaction = pg_current_xact_id() ORDER BY o.decision_id) d;
END
$$;
COMMENT ON FUNCTION image_library_internal.chain_decisions IS 'Adds the decisions of this transaction to the chain';
GRANT EXECUTE ON FUNCTION image_library_internal.chain_decisions TO image_library_agent;

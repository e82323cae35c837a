\set ECHO none
-- For tests of imports: a bundle, changed in one place at a time, with hashes that fit.

-- Paths of all values of a JSON text, to some depth.
CREATE FUNCTION test.paths(value jsonb, at text[] DEFAULT '{}') RETURNS SETOF text[] LANGUAGE plpgsql AS $$
BEGIN
  RETURN NEXT at;
  IF jsonb_typeof(value) = 'object' THEN
    RETURN QUERY SELECT p FROM jsonb_each(value) e (k, v), test.paths(v, at || k) p;
  ELSIF jsonb_typeof(value) = 'array' THEN
    RETURN QUERY SELECT p FROM jsonb_array_elements(value) WITH ORDINALITY e (v, n), test.paths(v, at || (n - 1)::text) p WHERE n = 1;
  END IF;
END
$$;

CREATE FUNCTION test.mutants() RETURNS SETOF jsonb LANGUAGE sql AS $$
  SELECT v::jsonb FROM unnest(ARRAY['null', 'true', '0', '-1', '1.5', '1e300', '99999999999999999999', '""', '"x"', '"NaN"', '"infinity"', '"-infinity"', '"294277-01-01T00:00:00Z"',
    '"0001-01-01T00:00:00+99:99"', '"now"', '"\u0001\u001f\u007f"', '"%s %I {} $1 \\ ''"', '"regex:("', '"approved"', '[]', '{}', '[null]', '["x", 1, {}]', '{"x": [{}]}', '[[["x"], ["y", "z"]]]']) v
  UNION ALL SELECT to_jsonb(repeat('x', 100000))
  UNION ALL SELECT (repeat('[', 3000) || repeat(']', 3000))::jsonb
$$;

-- Bundle of such parts, numbered anew: arrays of a section and an object.
CREATE FUNCTION test.numbered(parts jsonb[]) RETURNS jsonb[] LANGUAGE sql AS $$
  SELECT array_agg(jsonb_build_array(n, p -> 0, CASE p ->> 0 WHEN 'end' THEN jsonb_build_object('lines', n) ELSE p -> 1 END) ORDER BY n) FROM unnest(parts) WITH ORDINALITY u (p, n)
$$;

-- 'taken' or 'refused', and for any other error what it is: the library's own errors have no context within it. Nothing of it stays.
CREATE FUNCTION test.attempt(parts jsonb[], map jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  message text;
  context text;
BEGIN
  PERFORM image_library.stage_bundle(test.forge(parts));
  PERFORM image_library.import_library(map);
  RAISE EXCEPTION USING ERRCODE = 'XX999';
EXCEPTION
  WHEN SQLSTATE 'XX999' THEN RETURN 'taken';
  WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT;
    RETURN CASE WHEN context ~ '^SQL statement "SELECT image_library[.](stage_bundle|import_library)[(]' THEN 'refused' ELSE concat_ws(' ', SQLSTATE, left(message, 200), '-', split_part(context, E'\n', 1)) END;
END
$$;
\set ECHO all

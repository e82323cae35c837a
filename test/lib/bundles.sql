\set ECHO none
-- For the SQL tests: lines of a bundle with hashes that fit, as an admin could write them by hand.
CREATE FUNCTION test.forge(parts jsonb[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  hash text;
  lines text[] := '{}';
BEGIN
  FOR i IN 1 .. cardinality(parts) LOOP
    hash := image_library_internal.bundle_hash(hash, parts[i]::text);
    lines := lines || (hash || ' ' || parts[i]::text);
  END LOOP;
  RETURN lines;
END
$$;
\set ECHO all

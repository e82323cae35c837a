-- What the planner expects a view to cost stays below jit_above_cost in a small library: compiling takes longer than reading it.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE FUNCTION test.dear() RETURNS TABLE (name name, cost numeric) LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  SET LOCAL ROLE test_reader;
  FOR name IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind = 'v' ORDER BY 1 LOOP
    CONTINUE WHEN NOT has_table_privilege('image_library.' || name, 'SELECT');
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT * FROM image_library.%I', name) INTO plan;
    cost := plan -> 0 -> 'Plan' ->> 'Total Cost';
    IF cost >= (SELECT boot_val::numeric FROM pg_settings s WHERE s.name = 'jit_above_cost') THEN
      RETURN NEXT;
    END IF;
  END LOOP;
  RESET ROLE;
END
$$;
-- Tables of which PostgreSQL knows nothing yet: autovacuum counts no table with fewer than 50 rows.
SELECT * FROM test.dear();

SELECT add_registry('local', 'http://localhost:5000', allow_private => true) IS NOT NULL AS added;
SELECT add_rule('local', '**') IS NOT NULL AS added;
\set facts '{"annotations": {"org.opencontainers.image.title": "postgresql", "org.opencontainers.image.version": "17.5"}}'
SELECT count(test.write_batch((SELECT registry_id FROM image_library_internal.registry), repository, jsonb_build_object(
  'images', (SELECT jsonb_agg(test.image(repository || n, facts)) FROM generate_series(1, 25) n),
  'tags', (SELECT jsonb_agg(jsonb_build_object('name', '17.' || n, 'digest', test.digest(repository || n),
                                               'rule_id', (SELECT min(rule_id) FROM image_library_internal.rule))) FROM generate_series(1, 25) n))))
FROM (SELECT 'postgresql/postgresql' || r, jsonb :'facts' FROM generate_series(1, 10) r UNION ALL
      SELECT 'app' || r, '{}' FROM generate_series(1, 10) r) AS written (repository, facts);
SELECT count(approve(p.reference)) FROM (SELECT reference FROM pending_images ORDER BY 1 DESC LIMIT 100) p;
SELECT count(record_use(i.pinned_reference, 'shop', 'here')) FROM (SELECT pinned_reference FROM postgres_images ORDER BY 1 LIMIT 20) i;
SELECT * FROM test.dear();
DO $$
DECLARE
  relation regclass;
BEGIN
  FOR relation IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind = 'r' LOOP
    EXECUTE format('ANALYZE %s', relation);
  END LOOP;
END
$$;
SELECT * FROM test.dear();
-- The check finds what it is for.
SET LOCAL cpu_tuple_cost = 100000;
SELECT count(*) > 10 AS found FROM test.dear();
ROLLBACK;

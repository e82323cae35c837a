-- Pages come in the order of an index, for a role that may not see everything: nothing sorts the whole library.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_team;
CREATE ROLE test_reader IN ROLE image_library_reader;
SELECT add_registry('open', 'https://registry.example.com'), add_registry('closed', 'https://hush.example.com', private => true, owner => 'test_team');
-- With everything else switched off: what is left is what the indexes can give.
SET LOCAL enable_sort = off;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
CREATE FUNCTION test.plan(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  SET LOCAL ROLE test_reader;
  FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP
    RETURN NEXT line;
  END LOOP;
  RESET ROLE;
END
$$;
CREATE FUNCTION test.reads(statement text, OUT sorts text, OUT by_index text) LANGUAGE sql AS $$
  SELECT string_agg(DISTINCT trim(regexp_replace(p, '->', '')), ', ') FILTER (WHERE p ~ '(->|^)\s*(Incremental )?Sort$'),
         string_agg(DISTINCT m[1], ', ') FROM test.plan(statement) p LEFT JOIN LATERAL regexp_matches(p, 'Index (?:Only )?Scan using (\w+) on (?:tag|entry|repository) \w+$') m ON true
$$;
SELECT name, r.* FROM (VALUES
  ('postgres_images', 'SELECT registry, repository, tag, digest FROM image_library.postgres_images ORDER BY repository, tag LIMIT 50'),
  ('model_library', 'SELECT registry, repository, tag, digest FROM image_library.model_library ORDER BY repository, tag LIMIT 50'),
  ('images', 'SELECT registry, repository, tag, digest, approval FROM image_library.images ORDER BY repository, tag LIMIT 50'),
  ('pending_images', 'SELECT registry, repository, tag, digest, why FROM image_library.pending_images ORDER BY repository, tag LIMIT 50'),
  ('lookup', 'SELECT * FROM image_library.images WHERE registry = ''open'' AND repository = ''x'' AND tag = ''1'''),
  ('by digest', 'SELECT registry, repository, tag FROM image_library.images WHERE digest = ''sha256:0''')) q (name, statement), test.reads(statement) r;
-- The next page begins at its place in the index.
SELECT p FROM test.plan('SELECT repository, tag FROM image_library.postgres_images WHERE (repository, tag) > (''team50'', '''') ORDER BY repository, tag LIMIT 50') p WHERE p ~ 'Index Cond.*ROW';
-- What no column asks for is not read.
SELECT count(*) AS facts_read FROM test.plan('SELECT repository, tag, kind, approval FROM image_library.images') p WHERE p ~ ' on (image|entry|approval)\M';
ROLLBACK;

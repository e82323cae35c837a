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
-- In images and pending_images, repository and tag come from two tables: with a condition on the repository too, a page begins there.
SELECT DISTINCT trim(p) AS page_of FROM unnest('{images,pending_images}'::text[]) v, test.plan(format('SELECT repository, tag FROM image_library.%s WHERE repository >= ''team50'' AND (repository, tag) > (''team50'', ''17'') ORDER BY repository, tag LIMIT 50', v)) p WHERE p ~ 'Index Cond: \(name >=';
-- What no column asks for is not read.
SELECT count(*) AS facts_read FROM test.plan('SELECT repository, tag, kind, approval FROM image_library.images') p WHERE p ~ ' on (image|entry|approval)\M';
-- Nor is it joined or planned: tag, repository and registry are two joins.
SELECT v AS page_of, (SELECT count(*) FROM test.plan(format('SELECT registry, repository, tag, digest FROM image_library.%s', v)) p WHERE p ~ 'Nested Loop') AS joins,
       (SELECT count(*) FROM test.plan(format('SELECT * FROM image_library.%s', v)) p WHERE p ~ 'Nested Loop') AS joins_of_all_columns
FROM unnest('{images,pending_images}'::text[]) v;

-- The newest of each group is found by the index: what is read does not grow with the tags.
SET LOCAL enable_sort = on;
SET LOCAL enable_bitmapscan = on;
SET LOCAL enable_hashjoin = on;
SET LOCAL enable_mergejoin = on;
SELECT add_rule('open', '**', approval => 'auto'), add_rule('closed', '**', approval => 'auto');
SELECT count(test.sync(registry, repository, (SELECT jsonb_object_agg(format('%s.%s-bookworm', 16 + n % 2, n), jsonb_build_object('image', repository || n)) FROM generate_series(1, 40) n)))
FROM (VALUES ('open', 'team/postgresql'), ('open', 'other/postgresql'), ('open', 'team/service'), ('closed', 'hidden/postgresql')) r (registry, repository);
-- Rows of a table that a statement reads, with an index or without; the first run fills caches.
CREATE FUNCTION test.rows_read(relation regclass, statement text, OUT result text, OUT rows_read bigint) LANGUAGE plpgsql AS $$
BEGIN
  result := test.outcome_as('test_reader', statement);
  SELECT -(x.seq_tup_read + x.idx_tup_fetch) INTO rows_read FROM pg_stat_xact_user_tables x WHERE x.relid = relation;
  result := test.outcome_as('test_reader', statement);
  SELECT rows_read + x.seq_tup_read + x.idx_tup_fetch INTO rows_read FROM pg_stat_xact_user_tables x WHERE x.relid = relation;
END
$$;
-- Words of one or two letters read only repositories that can have them.
SELECT word, r.* FROM (VALUES ('qz'), ('q'), ('16')) w (word),
  test.rows_read('image_library_internal.tag', format('SELECT count(*) FROM image_library.search_images(%L)', word)) r;
ANALYZE image_library_internal.entry;
SET LOCAL enable_sort = off;
SET LOCAL enable_bitmapscan = off;
SELECT name, r.result, r.rows_read <= most AS few_read FROM (VALUES
  ('postgres_latest', 12, 'SELECT string_agg(concat_ws('' '', repository, tag), '', '') FROM image_library.postgres_latest'),
  ('one repository', 6, 'SELECT string_agg(tag, '', '') FROM image_library.postgres_latest WHERE registry = ''open'' AND repository = ''team/postgresql'''),
  ('latest_postgres', 2, 'SELECT split_part(image_library.latest_postgres(''postgresql'', 17, repository => ''team/postgresql''), ''@'', 1)'),
  ('ambiguous', 6, 'SELECT image_library.latest_postgres(''postgresql'', 17)')) q (name, most, statement), test.rows_read('image_library_internal.entry', statement) r;
-- The function that postgres_latest calls tells nothing of hidden repositories.
GRANT USAGE ON SCHEMA image_library_internal TO test_reader;
SELECT repository_id AS hidden FROM image_library_internal.repository WHERE name = 'hidden/postgresql' \gset
SELECT test.outcome_as('test_reader', format('SELECT count(*) FROM image_library_internal.newest_tags(%s)', :hidden)) AS seen_by_reader, count(*) AS seen_by_admin FROM image_library_internal.newest_tags(:hidden);
ROLLBACK;

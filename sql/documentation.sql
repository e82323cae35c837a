-- \d+ reads like documentation: every column that people read says what it means, every trigger what it refuses.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE VIEW test.described AS
  SELECT c.relname, a.attname, col_description(c.oid, a.attnum) AS meaning
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
  WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind = 'v';
SELECT count(*) > 150 AS many FROM test.described WHERE meaning IS NOT NULL;
SELECT relname, attname AS without_meaning FROM test.described WHERE meaning IS NULL ORDER BY 1, 2;
-- Comments are phrases without a full stop, and no line of them breaks.
SELECT relname, attname, meaning FROM test.described WHERE meaning ~ '\.$' AND meaning !~ '\.\.\.$' OR meaning ~ E'\n' ORDER BY 1, 2;
SELECT t.tgname AS without_meaning FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND NOT t.tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL;
SELECT t.typname AS without_meaning FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid
WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND c.relkind = 'c' AND obj_description(t.oid, 'pg_type') IS NULL;
ROLLBACK;

-- What a batch costs: in function calls and in rows that are read, which depend neither on time nor on the machine.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SET LOCAL track_functions = 'all';
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
-- Rows of a batch: tags from..until of a repository, whose images are named by the salt.
CREATE FUNCTION test.tags(first integer, last integer, salt text, facts jsonb, missing text[] DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.batch(jsonb_build_object(
    'images', jsonb_agg(test.image(salt || n, facts)), 'missing', missing,
    'tags', jsonb_agg(jsonb_build_object('name', '17.' || n, 'digest', test.digest(salt || n), 'rule_id', (SELECT min(rule_id) FROM image_library_internal.rule)))))
  FROM generate_series(first, last) n $$;
CREATE FUNCTION test.write(repository text, batch jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.write_batch((SELECT registry_id FROM image_library_internal.registry), repository, batch) $$;
CREATE FUNCTION test.calls(repository text, batch jsonb) RETURNS TABLE (funcname name, calls bigint) LANGUAGE plpgsql AS $$
DECLARE
  before jsonb := (SELECT jsonb_object_agg(f.funcid, f.calls) FROM pg_stat_xact_user_functions f);
BEGIN
  PERFORM test.write(repository, batch);
  RETURN QUERY SELECT f.funcname, f.calls - coalesce((before ->> f.funcid::text)::bigint, 0)
  FROM pg_stat_xact_user_functions f WHERE f.schemaname LIKE 'image_library%' AND f.calls > coalesce((before ->> f.funcid::text)::bigint, 0);
END
$$;
CREATE FUNCTION test.rows_read(statement text, OUT without_index bigint, OUT by_index bigint) LANGUAGE plpgsql AS $$
DECLARE
  parts text[] := '{tag,tag_period,image,image_platform,entry,approval,image_extension,model_profile,other_conflict,extension_image,image_use,unknown_use}';
  seq bigint;
  idx bigint;
BEGIN
  SELECT sum(t.seq_tup_read), sum(t.idx_tup_fetch) INTO seq, idx FROM pg_stat_xact_user_tables t WHERE t.relname = ANY (parts);
  EXECUTE statement;
  SELECT sum(t.seq_tup_read) - seq, sum(t.idx_tup_fetch) - idx INTO without_index, by_index FROM pg_stat_xact_user_tables t WHERE t.relname = ANY (parts);
END
$$;
\set postgres '{"annotations": {"org.opencontainers.image.title": "postgresql", "org.opencontainers.image.version": "17.5"}}'
SELECT add_rule('local', '**');

-- Calls that a batch makes once for each image; all others are the same for 40 images as for 2. The batch before makes the plans.
SELECT test.write('first', test.tags(1, 1, 'first', '{}'));
CREATE TABLE test.few AS SELECT * FROM test.calls('app', test.tags(1, 2, 'few', '{}'));
CREATE TABLE test.many AS SELECT * FROM test.calls('other', test.tags(1, 40, 'many', '{}'));
SELECT funcname, (m.calls - coalesce(f.calls, 0)) / 38.0 AS calls_an_image
FROM test.many m FULL JOIN test.few f USING (funcname) WHERE m.calls IS DISTINCT FROM f.calls ORDER BY 1;
-- What there is no rule, policy or row for is not looked for.
SELECT funcname, calls FROM test.many
WHERE funcname IN ('required_approvals', 'undecided_images', 'is_more_complete', 'complete_images', 'write_gone_children', 'write_referrers')
ORDER BY 1;

-- The plans of the batches before are kept. Rows are read by key all the same, whatever the size of the repository.
SELECT test.write('postgresql/postgresql', test.tags(1, 1500, 'pg', :'postgres'));
\set read 'SELECT r.without_index, r.by_index < 100 AS few_by_index FROM test.rows_read(format(''SELECT test.write(%L, %L)'', '
:read 'postgresql/postgresql', test.tags(2000, 2000, 'new', :'postgres'))) r;
:read 'postgresql/postgresql', test.tags(7, 7, 'moved', :'postgres'))) r;
:read 'postgresql/postgresql', test.tags(7, 7, 'moved', :'postgres', '{17.8}'))) r;
-- A decision in the same transaction, before there are statistics.
SELECT approve('localhost:5000/postgresql/postgresql:17.8' || n) IS NOT NULL AS approved FROM generate_series(1, 3) n;
SELECT r.without_index, r.by_index < 100 AS few_by_index FROM test.rows_read($$SELECT image_library.approve('localhost:5000/postgresql/postgresql:17.9')$$) r;
-- Nor is anything looked for that nobody demands of it: rules for several people or with signatures, owners, policies, requests.
CREATE TABLE test.before AS SELECT f.funcid, f.calls FROM pg_stat_xact_user_functions f;
CREATE VIEW test.written AS SELECT t.relname, t.n_tup_ins AS inserted, t.n_tup_upd AS updated FROM pg_stat_xact_user_tables t WHERE t.schemaname = 'image_library_internal';
CREATE TABLE test.written_before AS SELECT * FROM test.written;
SELECT approve('localhost:5000/postgresql/postgresql:17.10') IS NOT NULL AS approved;
SELECT f.funcname FROM pg_stat_xact_user_functions f LEFT JOIN test.before b USING (funcid)
WHERE f.calls > coalesce(b.calls, 0) AND f.funcname IN ('approve', 'required_approvals', 'rules_of_image', 'check_signed', 'unsigned_images', 'check_policies',
  'count_votes', 'end_requests', 'check_read', 'keep_image', 'require_owner') ORDER BY 1;
-- Each row is written once.
SELECT relname, w.inserted - b.inserted AS inserted, w.updated - b.updated AS updated
FROM test.written w JOIN test.written_before b USING (relname) WHERE (w.inserted, w.updated) <> (b.inserted, b.updated) ORDER BY 1;
SELECT r.without_index, r.by_index < 100 AS few_by_index FROM test.rows_read($$SELECT image_library.revoke('localhost:5000/postgresql/postgresql:17.9')$$) r;
SELECT tag, test.shown(digest) AS digest, approval, missing_since IS NOT NULL AS missing
FROM image_library_internal.entry WHERE tag IN ('17.7', '17.8', '17.2000') ORDER BY 1;

-- A page of pending images looks up why for its 50 rows, not for all of the repository, which it sorts.
SELECT count(*) > 1400 AS many FROM pending_images WHERE repository = 'postgresql/postgresql';
SELECT r.without_index, r.by_index < 2000 AS few_by_index FROM test.rows_read(
  $$SELECT count(why) FROM (SELECT why FROM image_library.pending_images WHERE repository = 'postgresql/postgresql' ORDER BY repository, tag LIMIT 50) p$$) r;
ROLLBACK;

-- Counts that are kept, and what waits for a decision, equal what counting and asking finds, whatever happens to tags.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('a', 'http://localhost:5000', allow_private => true), add_registry('b', 'http://localhost:5001', allow_private => true);
SELECT add_rule('a', '**'), add_rule('b', '**', exclude_tags => '{nightly*}', approval => 'auto');
CREATE VIEW test.counted AS
  SELECT t.registry_id, t.kind, t.approval, count(*) AS number FROM tag t WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL GROUP BY 1, 2, 3
  UNION ALL
  SELECT t.registry_id, NULL, NULL, count(DISTINCT t.repository_id) FROM tag t WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL GROUP BY 1;
CREATE VIEW test.kept AS
  SELECT registry_id, kind, approval, sum(number) AS number FROM counts GROUP BY 1, 2, 3 HAVING sum(number) <> 0;
-- Columns of tag, from the tables that they are taken from.
CREATE VIEW test.stale AS
  SELECT t.repository_id, t.name FROM tag t JOIN repository r USING (repository_id) LEFT JOIN entry e ON e.repository_id = t.repository_id AND e.tag = t.name
  LEFT JOIN approval a ON a.repository_id = t.repository_id AND a.digest = t.digest
  WHERE (t.registry_id, t.kind, t.approval) IS DISTINCT FROM (r.registry_id, coalesce(e.kind, 'other'), coalesce(a.state, 'pending'))
     OR t.rule_id IS NOT NULL AND t.missing_since IS NULL
        AND (blocks(t.name, t.rule_id, t.missing_since, a, clock_timestamp()) IN ('{pending}', '{expired}'))
            <> EXISTS (SELECT FROM pending_images p JOIN registries g ON g.name = p.registry JOIN registry x ON x.name = g.name
                       WHERE x.registry_id = t.registry_id AND p.repository = r.name AND p.tag = t.name);
CREATE FUNCTION test.drift() RETURNS bigint LANGUAGE sql AS $$
  SELECT (SELECT count(*) FROM ((TABLE test.counted EXCEPT TABLE test.kept) UNION ALL (TABLE test.kept EXCEPT TABLE test.counted)) d) + (SELECT count(*) FROM test.stale)
$$;
CREATE FUNCTION test.one_of(things text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT things[1 + floor(random() * cardinality(things))::integer] $$;
CREATE TABLE test.done (step text, succeeded boolean, drift bigint);
-- Random steps, of which some are refused: an image that is approved is not approved again.
CREATE FUNCTION test.step(n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  registry text := test.one_of('{a,b}');
  repository text := test.one_of('{db/postgresql,nim/meta/llama,app/one,app/two}');
  asked text;
  step text := test.one_of('{sync,sync,sync,approve,approve,approve,reject,revoke,reset,quarantine,release,deprecate,until,rule,facts}');
  statement text;
  result text;
BEGIN
  SELECT i.reference INTO asked FROM images i ORDER BY random() LIMIT 1;
  statement := CASE step
    WHEN 'sync' THEN format('SELECT test.sync(%L, %L, %L)', registry, repository, coalesce((
      SELECT jsonb_object_agg(tag, jsonb_build_object('image', repository || floor(random() * 8))
        || CASE WHEN repository ~ 'postgresql' AND random() < 0.7 THEN '{"annotations": {"org.enterprisedb.pg.flavor": "pg", "org.enterprisedb.pg.major_version": "17", "org.opencontainers.image.version": "17.1"}}' ELSE '{}'::jsonb END)
      FROM unnest('{17.1,17.2,17.3,nightly-1,nightly-2,dev}'::text[]) tag WHERE random() < 0.6), '{}'))
    WHEN 'until' THEN format('SELECT approve(%L, valid_until => clock_timestamp() + interval ''5 ms'')', asked)
    WHEN 'deprecate' THEN format('SELECT deprecate(%L, clock_timestamp() + interval ''%s'')', asked, test.one_of('{1 ms,1 day}'))
    WHEN 'rule' THEN format('SELECT %s(%s)', test.one_of('{disable_rule,enable_rule,enable_rule}'), (SELECT rule_id FROM rule ORDER BY random() LIMIT 1))
    WHEN 'facts' THEN format('SELECT alter_rule(%s, kind => %L)', (SELECT rule_id FROM rule ORDER BY random() LIMIT 1), test.one_of('{auto,postgres,model,other}'))
    ELSE format('SELECT %s(%L)', step, asked) END;
  result := test.outcome(statement);
  -- What is compared below is not read at the same moment: no approval may end in between.
  IF step IN ('until', 'deprecate') THEN
    PERFORM pg_sleep(0.01);
  END IF;
  INSERT INTO test.done VALUES (step, result !~ '^[0-9A-Z]{5}: ', test.drift());
END
$$;
SELECT setseed(0.5);
SET client_min_messages = error;
DO $$ BEGIN FOR n IN 1..250 LOOP PERFORM test.step(n); END LOOP; END $$;
RESET client_min_messages;
SELECT DISTINCT step FROM test.done WHERE succeeded ORDER BY 1;
SELECT step, drift FROM test.done WHERE drift <> 0;
SELECT count(*) > 3 AS groups, bool_or(kind = 'postgres') AS postgres, bool_or(approval = 'approved') AS approved FROM test.kept;
-- The views show them.
SELECT s.registry, s.tags = count(i.tag) AS tags, s.repositories = count(DISTINCT i.repository) AS repositories, s.pending = count(*) FILTER (WHERE i.approval = 'pending') AS pending,
       s.postgres_images = count(*) FILTER (WHERE i.kind = 'postgres') AS postgres, s.approved_models = count(*) FILTER (WHERE i.kind = 'model' AND i.approval = 'approved') AS approved_models
FROM library_stats s LEFT JOIN images i ON (i.registry = s.registry OR s.registry IS NULL) AND i.missing_since IS NULL GROUP BY s.registry, s.tags, s.repositories, s.pending, s.postgres_images, s.approved_models ORDER BY 1;
SELECT s.registry, (s.tags, s.repositories) = (l.tags, l.repositories) AS status FROM sync_status s JOIN library_stats l USING (registry) ORDER BY 1;
-- Folding and counting anew change no sum; the rows stay few by themselves.
SELECT fold_counts();
SELECT test.drift(), count(*) = count(DISTINCT (registry_id, kind, approval)) AS folded FROM tag_count;
INSERT INTO tag_count (registry_id, kind, approval, number) SELECT registry_id, 'other', 'pending', 1000 FROM registry;
SELECT test.drift() > 0 AS wrong, recount();
SELECT test.drift();
DO $$ BEGIN FOR n IN 1..450 LOOP UPDATE tag SET approval = CASE approval WHEN 'rejected' THEN 'revoked' ELSE 'rejected' END WHERE name = '17.1'; END LOOP; END $$;
SELECT count(*) < 420 AS few, (SELECT count(*) FROM ((TABLE test.counted EXCEPT TABLE test.kept) UNION ALL (TABLE test.kept EXCEPT TABLE test.counted)) d) AS drift FROM tag_count;
-- Nothing of a dropped registry is left.
SELECT drop_registry('a', cascade => true);
SELECT count(*) FROM test.kept k WHERE k.registry_id NOT IN (SELECT registry_id FROM registry);
SELECT count(*) FROM filled_repository f WHERE f.repository_id NOT IN (SELECT repository_id FROM repository);
SELECT count(*) AS differences FROM ((TABLE test.counted EXCEPT TABLE test.kept) UNION ALL (TABLE test.kept EXCEPT TABLE test.counted)) d;
ROLLBACK;

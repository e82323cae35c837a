-- Nothing of a private registry reaches a function that a reader puts into a condition, however cheap it says it is.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SET LOCAL jit = off;
CREATE ROLE test_team;
CREATE ROLE test_reader IN ROLE image_library_reader;
SELECT add_registry('open', 'https://registry.example.com'), add_registry('closed', 'https://hush.example.com', private => true, owner => 'test_team');
SELECT count(add_rule(r, '**', approval => a)) FROM unnest('{open,closed}'::text[]) r, unnest('{auto}'::text[]) a;
-- What only the private registry has is called hush.
CREATE FUNCTION test.facts(name text) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('annotations', jsonb_build_object('org.enterprisedb.pg.flavor', 'pg', 'org.enterprisedb.pg.major_version', '16', 'com.example.own', name,
    'org.opencontainers.image.title', name, 'org.opencontainers.image.version', '16.1', 'org.enterprisedb.pg.features', name,
    'org.enterprisedb.pgextensions', translate(encode(convert_to(name || ',1.0,' || name, 'UTF8'), 'base64'), E'\n', '')), 'labels', jsonb_build_object('own', name))
$$;
CREATE FUNCTION test.fill(registry text, name text) RETURNS void LANGUAGE sql AS $$
  SELECT test.sync(registry, name || '/db', jsonb_build_object('17.4', jsonb_build_object('image', name) || test.facts(name), name, jsonb_build_object('image', name || '2') || test.facts(name)));
  SELECT test.sync(registry, 'nim/' || name || '/model', jsonb_build_object(name, jsonb_build_object('image', name || '3', 'labels', jsonb_build_object(
    'com.nvidia.nim.profiles', 'vllm-' || name || '-bf16-tp1-pp1', 'com.nvidia.nim.task', name))));
  SELECT test.sync(registry, 'apps/' || name, jsonb_build_object(name, jsonb_build_object('image', name || '4', 'annotations', jsonb_build_object('org.opencontainers.image.title', name))));
$$;
SELECT test.fill('open', 'plain'), test.fill('closed', 'hush');
SELECT count(set_readme(registry, repository, repository)), count(record_use(reference, repository, tag)) FROM images;
SELECT add_channel('plain', 'open', '{plain/db}'), add_channel('hush', 'closed', '{hush/db}');
-- Everybody sees that an HM tag exists, and not of what.
SELECT add_hm_tag('red');
SELECT tag_repository(registry, repository, 'red') FROM images WHERE repository LIKE '%/db' ORDER BY reference;

CREATE TABLE test.told (relation text, word text);
GRANT INSERT, SELECT ON test.told TO PUBLIC;
CREATE FUNCTION test.tells(relation text, value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
  INSERT INTO test.told VALUES (relation, value);
  RETURN true;
END
$$;
-- Strict, so that an outer join may become an inner one, and the condition move.
CREATE FUNCTION test.tells_strictly(relation text, value text) RETURNS boolean STRICT LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
  INSERT INTO test.told VALUES (relation, value);
  RETURN true;
END
$$;
-- Each column of each view that a reader may read, alone and with what makes a planner change its mind.
CREATE FUNCTION test.ask(settings text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  asked record;
  number bigint := 0;
BEGIN
  PERFORM set_config(s, 'off', true) FROM string_to_table(settings, ',') s WHERE s <> '';
  SET LOCAL ROLE test_reader;
  FOR asked IN
    SELECT c.oid::regclass AS view, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind = 'v' AND has_table_privilege(c.oid, 'SELECT')
    ORDER BY c.relname COLLATE "C", a.attnum
  LOOP
    EXECUTE format('SELECT count(*) FROM %s x WHERE test.tells(%L, x.%I::text)', asked.view, asked.view, asked.attname);
    EXECUTE format('SELECT 1 FROM %s x WHERE test.tells(%L, x.%I::text) ORDER BY x.%3$I LIMIT 1', asked.view, asked.view, asked.attname);
    EXECUTE format('SELECT count(*) FROM %s x JOIN (VALUES (1), (2)) y (n) ON test.tells_strictly(%L, x.%I::text)', asked.view, asked.view, asked.attname);
    EXECUTE format('SELECT 1 FROM %s x LEFT JOIN %1$s y ON test.tells_strictly(%2$L, y.%3$I::text) WHERE test.tells_strictly(%2$L, x.%3$I::text) ORDER BY x.%3$I, y.%3$I LIMIT 1', asked.view, asked.view, asked.attname);
    number := number + 1;
  END LOOP;
  RESET ROLE;
  PERFORM set_config(s, 'on', true) FROM string_to_table(settings, ',') s WHERE s <> '';
  RETURN number;
END
$$;
SELECT test.ask('') > 200 AS asked, test.ask('enable_hashjoin,enable_mergejoin') > 200 AS by_loops, test.ask('enable_nestloop,enable_indexscan,enable_memoize') > 200 AS by_hashes;
SELECT count(*) FILTER (WHERE word LIKE '%plain%') > 100 AS of_the_open_registry, count(DISTINCT relation) FILTER (WHERE word LIKE '%plain%') AS views FROM test.told;
SELECT DISTINCT relation, word FROM test.told WHERE word LIKE '%hush%';
-- A view that has no barrier reads tables as image_library_views, to which row level security applies. It reads these two only for tags
-- that are visible, behind OFFSET 0.
SELECT DISTINCT v.oid::regclass AS without_barrier, v.relowner::regrole AS reads_as, t.oid::regclass AS unfiltered
FROM pg_class v JOIN pg_rewrite w ON w.ev_class = v.oid JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class t ON t.oid = d.refobjid AND t.relkind = 'r'
WHERE v.relkind = 'v' AND v.relowner = 'image_library_views'::regrole
  AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polroles = ARRAY['image_library_views'::regrole::oid] AND pg_get_expr(p.polqual, p.polrelid) ~ 'hidden_registries') ORDER BY 1, 3;
-- Row level security cannot be switched off; a plan that is kept shows each role its own; what may not be seen is not counted.
SET LOCAL row_security = off;
SELECT v AS view, test.outcome_as('test_reader', format('SELECT string_agg(DISTINCT registry, '','') FROM image_library.%s', v)) AS sees
FROM unnest('{images,postgres_images,model_library,pending_images,tag_history}'::text[]) v;
RESET row_security;
PREPARE kept AS SELECT registry, count(*) FROM images GROUP BY 1 ORDER BY 1;
EXECUTE kept;
SET LOCAL ROLE test_reader;
EXECUTE kept;
RESET ROLE;
EXECUTE kept;
SELECT test.outcome_as('test_reader', 'SELECT string_agg(concat_ws('' '', registry, repositories, tags), '', '' ORDER BY registry) FROM image_library.library_stats') AS stats,
       test.outcome_as('test_reader', 'SELECT string_agg(concat_ws('' '', registry, repositories, tags), '', '') FROM image_library.sync_status') AS status,
       test.outcome_as('test_reader', 'SELECT count(*) FROM image_library.search_images(''hush'')') AS found, test.outcome_as('test_reader', 'SELECT count(*) FROM image_library.search_images(''hushh'')') AS similar,
       test.outcome_as('test_reader', 'SELECT count(*) FROM image_library.search_images(''plaim'')') AS similar_of_its_own;
SELECT test.outcome_as('test_reader', by_digest) AS reader_by_digest, test.outcome(by_digest) AS admin_by_digest
FROM (SELECT format('SELECT count(*) FROM image_library.search_images(%L)', min(i.digest)) AS by_digest FROM images i WHERE registry = 'closed') a;
-- Nobody is the role that the views read as, nor may read what it reads.
SELECT count(*) AS members FROM pg_auth_members WHERE 'image_library_views'::regrole IN (roleid, member);
SELECT test.outcome_as('test_reader', 'SELECT * FROM image_library_internal.visible_tags') AS reads;
-- Its own team's members are told.
CREATE ROLE test_member IN ROLE image_library_reader, test_team;
SELECT test.outcome_as('test_member', $$SELECT count(*) FROM image_library.postgres_images WHERE repository = 'hush/db'$$) AS member,
       test.outcome_as('test_reader', $$SELECT count(*) FROM image_library.postgres_images WHERE repository = 'hush/db'$$) AS reader;
ROLLBACK;

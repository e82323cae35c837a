-- Advice: what could be deleted, which image was built on which, end of life.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE regress_reader IN ROLE image_library_reader;
CREATE ROLE regress_admin IN ROLE image_library_admin;
SELECT count(add_registry(name, 'https://' || name || '.example', private => name = 'secret')) FROM unnest('{hub,other,secret}'::text[]) name;
SELECT count(add_rule(name, '**')) FROM unnest('{hub,other,secret}'::text[]) name;
-- An image with layers, by their names.
CREATE FUNCTION test.chain(layers text) RETURNS text[] LANGUAGE sql AS $$ SELECT array_agg(test.digest(left(layers, n)) ORDER BY n) FROM generate_series(1, length(layers)) n $$;
CREATE FUNCTION test.put(registry text, repository text, images jsonb) RETURNS void LANGUAGE sql AS $$
  SELECT test.sync(registry, repository, (SELECT jsonb_object_agg(i.key, jsonb_build_object('image', concat(repository, i.value ->> 0), 'chain_ids', test.chain(i.value ->> 1), 'size_bytes', 1000 * length(i.value ->> 1))
    || coalesce(i.value -> 2, '{}')) FROM jsonb_each(images) i))
$$;
SELECT test.put('hub', 'base/debian', '{"12": ["d1", "a"]}'), test.put('hub', 'base/python', '{"3": ["p1", "ab"]}'), test.put('secret', 'hidden', '{"1": ["h1", "abx"]}');
SELECT test.put('hub', 'team/app', '{"1.0": ["v1", "abc"], "1.1": ["v2", "abcd"], "2.0": ["v3", "abxy"], "none": ["v4", "q"], "same": ["v5", "ab"]}');
SELECT repository, tag, base_repository, base_tag, layers, layers_on_top, base_outdated FROM lineage ORDER BY 1, 2;
SELECT test.outcome_as('regress_reader', $$SELECT string_agg(concat_ws(' ', tag, base_repository, base_tag), ', ' ORDER BY tag) FROM image_library.lineage WHERE repository = 'team/app'$$);
-- Where thousands of images have the same layers, a base is found with few rows read, not with all of them for each image.
CREATE FUNCTION test.rows_read(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  before bigint;
BEGIN
  SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) INTO before FROM pg_stat_xact_user_tables WHERE schemaname = 'image_library_internal' AND relname IN ('image_chain', 'tag_period', 'tag');
  EXECUTE statement;
  RETURN (SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) - before FROM pg_stat_xact_user_tables WHERE schemaname = 'image_library_internal' AND relname IN ('image_chain', 'tag_period', 'tag'));
END
$$;
SAVEPOINT many;
SELECT test.put('hub', 'many/bases', (SELECT jsonb_object_agg('b' || n, jsonb_build_array('b' || n, 'mn')) FROM generate_series(1, 500) n)),
       test.put('hub', 'many/apps', (SELECT jsonb_object_agg('a' || n, jsonb_build_array('a' || n, 'mno')) FROM generate_series(1, 20) n));
ANALYZE image_library_internal.image_chain, image_library_internal.tag_period, image_library_internal.tag, image_library_internal.repository;
SELECT count(*), count(DISTINCT base_digest) AS bases, min(base_repository) AS base_repository, min(layers_on_top) AS on_top FROM lineage WHERE repository = 'many/apps';
SELECT test.rows_read($r$SELECT count(*) FROM image_library.lineage WHERE repository = 'many/apps'$r$) < 20 * 400 AS few_rows;
ROLLBACK TO many;
SELECT repository, tag, approval, layers_on_top, in_use FROM descendants('hub.example/base/python:3') ORDER BY 1, 2;
SELECT record_use('hub.example/team/app:2.0', 'cluster');
SELECT repository, tag, layers_on_top, in_use FROM descendants('hub.example/base/debian:12', registry => 'hub') ORDER BY 1, 2;
SELECT test.outcome_as('regress_reader', $$SELECT string_agg(repository || ':' || tag, ' ' ORDER BY 1) FROM image_library.descendants('hub.example/base/debian:12')$$);
DELETE FROM image_chain WHERE digest = test.digest('team/appv4');
SELECT reference, test.outcome(format('SELECT count(*) FROM image_library.descendants(%L)', reference)) FROM unnest('{hub.example/team/app:none,hub.example/nothing:1,NULL,hub.example/team/app:1.1}'::text[]) reference;
-- The base moves on: its tag points at another image, and the old one is still the base.
SELECT test.put('hub', 'base/python', '{"3": ["p2", "az"]}');
SELECT repository, tag, base_reference LIKE '%base/python:3@' || test.digest('base/pythonp1') AS of_old, base_digest_now = test.digest('base/pythonp2') AS is_new FROM base_outdated ORDER BY 1, 2;
SELECT test.put('hub', 'base/python', '{}');
SELECT repository, tag, base_digest_now FROM base_outdated WHERE base_reference LIKE '%python%' ORDER BY 1, 2;

-- Cleanup: nothing that is approved, used, asked for, tagged, or a part of what stays.
SELECT test.put('other', 'app', '{"1": ["a", "q"], "2": ["b", "qq"], "3": ["c", "qqq"], "4": ["d", "qqqq"], "5": ["e", "q"], "6": ["f", "q"], "7": ["g", "q"], "8": ["i", "q"]}');
SELECT count(approve('other.example/app:' || n)) FROM unnest('{1,8}'::int[]) n;
SELECT reject('other.example/app:2'), reject('other.example/app:7'), record_use('other.example/app:7', 'cluster') \gset
SELECT record_use('other.example/app:3', 'cluster') \gset
SELECT request_approval('other.example/app:5', 'please') \gset
-- The tags 3 to 6 and 8 go elsewhere. The child of the index at 9 is what 6 pointed at; 4 is a referrer of it.
SELECT test.put('other', 'app', jsonb_build_object('1', '["a", "q"]'::jsonb, '2', '["b", "qq"]'::jsonb, '7', '["g", "q"]'::jsonb, '9', jsonb_build_array('x', 'q', jsonb_build_object('platforms', jsonb_build_array(jsonb_build_object(
  'platform', 'linux/amd64', 'os', 'linux', 'architecture', 'amd64', 'variant', '', 'manifest_digest', test.digest('appf'), 'config_digest', 'sha256:0', 'size_bytes', 1, 'created_at', NULL)),
  'referrers', jsonb_build_array(jsonb_build_object('digest', test.digest('appx'), 'referrer_digest', test.digest('appd'), 'artifact_type', 'a', 'size_bytes', 1, 'annotations', '{}'::jsonb, 'source', 'index'))))));
SELECT tag, missing_since IS NOT NULL AS missing FROM images WHERE registry = 'other' ORDER BY 1;
-- Nothing is old enough yet.
SELECT count(*) FROM cleanup_candidates('other');
CREATE FUNCTION test.candidates() RETURNS TABLE (tags text[], was text, size_bytes bigint, reason text) LANGUAGE sql AS $$
  SELECT c.tags, (SELECT string_agg(tag, ' ') FROM image_library_internal.tag_period p WHERE p.digest = c.digest), c.size_bytes, c.reason FROM image_library.cleanup_candidates('other', '0') c
$$;
TABLE images LIMIT 0;
SELECT pg_sleep(0.01);
SELECT * FROM test.candidates();
-- Released, ended, dropped: then they are candidates.
SELECT release_use('other.example/app@' || test.digest('appc'), 'cluster'), release_use('other.example/app:7', 'cluster');
UPDATE image_use SET released_at = released_at - interval '1 day';
UPDATE approval_request SET ended_at = now();
DELETE FROM tag_period WHERE tag = '9';
SELECT * FROM test.candidates();
SELECT arguments, test.outcome(format('SELECT count(*) FROM image_library.cleanup_candidates(%s)', arguments)) FROM unnest(ARRAY[$$'none'$$, $$'other', '-1 day'$$, $$'other', NULL$$]) arguments;
SELECT test.outcome_as('regress_reader', $$SELECT count(*) FROM image_library.cleanup_candidates('secret')$$);

-- End of life.
SELECT product, version, ends_on, is_default FROM end_of_life WHERE version IN ('13', '17', 'bookworm') ORDER BY 1, 2;
SELECT set_end_of_life('postgresql', '17', '2020-01-01', 'our own plan'), set_end_of_life('epas', '16', '2031-01-01');
SELECT product, version, ends_on, source, is_default FROM end_of_life WHERE NOT is_default OR version = '17' ORDER BY 1, 2;
SELECT action, object, name FROM audit WHERE object = 'end of life' ORDER BY audit_id;
SELECT test.put('hub', 'postgresql', '{"17.4-2503310734": ["pg17", "q"], "18.3-2605132051-standard-trixie": ["pg18", "q"], "13.20-2503310734": ["pg13", "q"]}');
SELECT count(approve(reference)) FROM pending_images WHERE registry = 'hub' AND repository = 'postgresql';
SELECT count(record_use(reference, 'cluster')) FROM images WHERE registry = 'hub' AND repository = 'postgresql';
SELECT tag, drift, detail, usable, end_of_life FROM drift WHERE repository = 'postgresql' ORDER BY 1, 2;
SELECT set_end_of_life('postgresql', '17', NULL);
SELECT tag, drift, end_of_life FROM drift WHERE repository = 'postgresql' AND tag LIKE '17%';
SELECT set_end_of_life('os', 'trixie', '2021-01-01');
SELECT tag, drift, detail, end_of_life FROM drift WHERE repository = 'postgresql' AND tag LIKE '18%';
SELECT arguments, regexp_replace(test.outcome_as(role, format('SELECT image_library.set_end_of_life(%s)', arguments)), '\n.*', '') FROM (VALUES
  ('regress_admin', $$'oracle', '19', '2030-01-01'$$), ('regress_admin', $$'os', E'a\nb', '2030-01-01'$$), ('regress_admin', $$'os', 'x', '2030-01-01', E'\x1b'$$), ('regress_admin', $$NULL, NULL, NULL$$), ('regress_admin', $$'os', 'noble', '2029-05-31'$$),
  ('regress_reader', $$'os', 'noble', '2029-05-31'$$)) v (role, arguments);
ROLLBACK;

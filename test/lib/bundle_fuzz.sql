-- Run by test/deep/bundles.pl after library.sql, bundles.sql and bundle_mutations.sql.
SELECT count(add_registry(name, 'https://' || name || '.example')) FROM unnest('{hub,mirror}'::text[]) name;
SELECT add_trust_key('release', test.key('release'));
SELECT add_rule('hub', 'team/**', platforms => '{linux/amd64}', newest => 5, signed_by => '{release}'), add_rule('hub', 'other', tags => '{regex:^1}', exclude_tags => '{version:>=2}', action => 'include');
SELECT add_rule('mirror', '**');
CREATE FUNCTION test.fill(registry text) RETURNS void LANGUAGE sql AS $$
  SELECT test.sync(registry, 'team/app', jsonb_build_object('1', '{"image": "a"}'::jsonb, '2', '{"image": "b"}'::jsonb));
  SELECT test.bring(registry, 'team/app', test.layer('a', 'release'), test.layer('b', 'release')); $$;
SELECT test.fill('hub'), test.fill('mirror');
SELECT approve('hub.example/team/app:1', 'read', valid_until => now() + interval '1 year'), approve('hub.example/team/app:2');
SELECT deprecate('hub.example/team/app:1', now() + interval '90 days'), add_hm_tag('gold', '#ffd700'), tag_image('hub.example/team/app:1', 'gold'), tag_repository('hub', 'team/app', 'gold');
SELECT add_policy('signed', 'is_signed(images)', effect => 'warn');
CREATE TABLE test.part (number bigint GENERATED ALWAYS AS IDENTITY, part jsonb);
INSERT INTO test.part (part) SELECT (substr(line, 66)::jsonb) - 0 FROM export_library('central', '{hub}') line;
DELETE FROM evidence WHERE repository_id = (SELECT repository_id FROM repository JOIN registry USING (registry_id) WHERE registry.name = 'mirror');
SELECT 'bundle: ' || test.attempt(test.numbered(ARRAY(SELECT part FROM test.part ORDER BY number)), '{"hub": "mirror"}');
CREATE TABLE test.fuzzed AS
  WITH changed AS (
    SELECT p.number, p.part ->> 0 AS section, 'path ' || t.path::text || ' ' || left(v::text, 40) AS change, CASE t.path WHEN '{}' THEN jsonb_build_array(p.part -> 0, v) ELSE jsonb_set(p.part, '{1}' || t.path, v) END AS part
    FROM (SELECT DISTINCT ON (part ->> 0, part #>> '{1,tag}' IS NULL) * FROM test.part ORDER BY part ->> 0, part #>> '{1,tag}' IS NULL, number) p, test.paths(p.part -> 1) t (path), test.mutants() v
    -- What is not read, and what differs only in depth.
    WHERE (cardinality(t.path) < 2 OR t.path[1] NOT IN ('facts', 'extensions', 'profiles')) AND (cardinality(t.path) < 2 OR length(v::text) < 1000)
    UNION ALL
    SELECT p.number, p.part ->> 0, 'without ' || t.path::text, p.part #- ('{1}' || t.path)
    FROM (SELECT DISTINCT ON (part ->> 0) * FROM test.part ORDER BY part ->> 0, number) p, test.paths(p.part -> 1) t (path) WHERE t.path <> '{}'
    UNION ALL
    SELECT p.number, p.part ->> 0, 'section ' || s, jsonb_set(p.part, '{0}', to_jsonb(s)) FROM test.part p, unnest(image_library_internal.bundle_sections()) s
    UNION ALL
    SELECT p.number, p.part ->> 0, 'left out', NULL FROM test.part p
    UNION ALL
    SELECT p.number, p.part ->> 0, 'twice', 'null' FROM test.part p
  )
  SELECT c.section, c.change, test.attempt(test.numbered(ARRAY(
           SELECT e FROM test.part o, unnest(CASE WHEN o.number <> c.number THEN ARRAY[o.part] WHEN c.part IS NULL THEN '{}' WHEN c.part = 'null' THEN ARRAY[o.part, o.part] ELSE ARRAY[c.part] END) e
           ORDER BY o.number)), '{"hub": "mirror"}') AS result
  FROM changed c;
SELECT 'changed: ' || count(*) FROM test.fuzzed;
SELECT result, count(*) FROM test.fuzzed WHERE result IN ('taken', 'refused') GROUP BY 1 ORDER BY 1;
SELECT format('raw: %s %s %s times: %s', section, left(min(change), 100), count(*), result) FROM test.fuzzed WHERE result NOT IN ('taken', 'refused') GROUP BY section, result ORDER BY 1;

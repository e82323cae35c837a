-- A search by keys finds what comparing every image finds, in the same order, whether a word is rare, common, short or in hosts and HM tags.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('a', 'https://docker.enterprisedb.com/pgai'), add_registry('b', 'https://registry.example.com');
SELECT add_rule('a', '**'), add_rule('b', '**');
SELECT count(test.sync(registry, CASE WHEN n % 7 = 0 THEN 'db/postgresql' ELSE 'team' || n % 5 || '/app' END || '-' || n, jsonb_build_object(
  '17.' || n, jsonb_build_object('image', registry || n) || CASE WHEN n % 14 = 0 THEN '{"annotations": {"org.enterprisedb.pg.flavor": "pg", "org.opencontainers.image.description": "Straße and tools"}}' ELSE '{}' END::jsonb,
  'nightly_' || n % 3, jsonb_build_object('image', registry || n || 'x'))))
FROM unnest('{a,b}'::text[]) registry, generate_series(1, 350) n;
SELECT add_hm_tag('Blue-Team');
SELECT count(tag_repository(registry, repository, 'Blue-Team')) FROM repositories WHERE repository LIKE '%-77';
SELECT count(tag_image(reference, 'Blue-Team')) FROM images WHERE tag LIKE '17.%' AND repository LIKE '%-88';
CREATE FUNCTION test.compared(asked text[]) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT x.reference || x.matched FROM (
    SELECT concat(r.place, ':', t.name) AS reference, CASE WHEN n.part THEN 'repository' ELSE 'text' END AS matched, n.*, r.repository, r.registry, t.missing_since, t.name
    FROM tag t JOIN full_repository r USING (repository_id) LEFT JOIN entry e ON e.repository_id = t.repository_id AND e.tag = t.name
    CROSS JOIN LATERAL (SELECT lower(concat_ws(' ', r.place, array_to_string(system_tags(r.host, '{}'), ' '), (SELECT string_agg(h.name, ' ') FROM hm_tag_repository x JOIN hm_tag h USING (hm_tag_id) WHERE x.repository_id = r.repository_id)) COLLATE "C") AS about,
        lower(CASE WHEN e.tag IS NULL THEN concat_ws(' ', t.name, v.names) ELSE entry_text(e, v.names) END COLLATE "C") AS own
      FROM (SELECT string_agg(h.name, ' ') AS names FROM hm_tag_image x JOIN hm_tag h USING (hm_tag_id) WHERE x.repository_id = t.repository_id AND x.tag = t.name) v) s
    CROSS JOIN LATERAL (SELECT (SELECT bool_and(strpos(' ' || translate(lower(r.repository), '/-_.', '    ') || ' ', ' ' || w || ' ') > 0) FROM unnest(asked) w) AS whole,
                               (SELECT bool_and(strpos(lower(r.repository), w) > 0) FROM unnest(asked) w) AS part) n
    WHERE t.rule_id IS NOT NULL AND (SELECT bool_and(strpos(s.about, w) > 0 OR strpos(s.own, w) > 0) FROM unnest(asked) w)) x
  ORDER BY x.whole DESC, x.part DESC, x.repository, x.registry, x.missing_since IS NOT NULL, version_key(x.name) DESC LIMIT 50
$$;
SELECT array_to_string(asked, ' ') AS words, n.found, n.same FROM unnest(ARRAY['postgresql', 'app', 'app-12', 'team3/app-1', 'team4 nightly_2', '17.3', '17.349', 'nightly_1 postgresql', 'ght', 'gh', 't', 'enterprisedb.com/pgai/db',
  'example.com/team1/app-6', 'edb official', 'blue-team', 'blue-team nightly_2', 'blue 17.8', 'straße', 'tools 14', 'postgresql-350', '%', '_', '1', 'nothing-like-it', 'postgresql nothing-like-it', 'b/p', '/']) q
CROSS JOIN LATERAL (SELECT string_to_array(q, ' ')) w (asked)
CROSS JOIN LATERAL (
  SELECT count(s) AS found, coalesce(array_agg(s.reference || s.matched), '{}') = ARRAY(SELECT test.compared(asked)) AS same FROM search(asked, NULL, 50) s) n;
-- Keys follow what tags come to say, and are not written again for what they have.
SELECT test.sync('b', 'team1/app-1', '{"17.1": {"image": "b1"}, "zzyzx": {"image": "new"}}') IS NOT NULL AS synced;
SELECT reference FROM search_images('zzy');
SELECT x.ctid AS place FROM repository_text x JOIN repository r USING (repository_id) WHERE r.name = 'team1/app-1' ORDER BY r.registry_id DESC LIMIT 1 \gset
SELECT refresh_text(ARRAY[(repository_id, 'zzyzx')::image_library_internal.tag_place], false) FROM repository WHERE name = 'team1/app-1' ORDER BY registry_id DESC LIMIT 1;
SELECT count(*) AS same_row FROM repository_text WHERE ctid = :'place';
SELECT text_keys('{}', '{ab,abc,ABCD,NULL}') AS keys, text_keys('{1,6382179}', '{abc}') AS added, text_keys('{}', '{}') AS none;
-- References are found as people paste them, with a digest or without.
SELECT count(*) > 10 AS some, count(*) FILTER (WHERE NOT EXISTS (SELECT FROM search_images(i.reference) s WHERE s.reference = i.reference)) AS not_found,
       count(*) FILTER (WHERE NOT EXISTS (SELECT FROM search_images(upper(i.pinned_reference)) s WHERE s.reference = i.reference)) AS not_found_pinned
FROM (SELECT * FROM images ORDER BY registry, repository, tag LIMIT 20) i;
-- A digest finds what has it, whatever is before it; one that no image has finds nothing, and a reference with it what it names.
SELECT digest AS asked, split_part(pinned_reference, '@', 1) AS reference FROM images ORDER BY registry, repository, tag LIMIT 1 \gset
SELECT count(*) > 0 AS found, bool_and(s.digest = :'asked' AND s.matched = 'digest') AS by_digest FROM search_images(' ' || upper(:'asked')) s;
SELECT count(*) > 0 AS found, bool_and(s.digest = :'asked') AS by_digest FROM search_images('gone.example.com/app:1@' || :'asked') s;
SELECT (SELECT count(*) FROM search_images('sha256:' || repeat('0', 64))) AS of_none,
       (SELECT count(*) > 0 FROM search_images(:'reference' || '@sha256:' || repeat('0', 64))) AS by_place,
       (SELECT count(*) FROM search_images(:'asked', 'model')) = (SELECT count(*) FROM images WHERE digest = :'asked' AND kind = 'model') AS of_kind,
       (SELECT count(*) FROM search_images(:'asked', max_rows => 0)) AS no_rows;
-- Where backslashes are escapes in plain constants, words are split and found as ever.
SELECT count(*) AS found, md5(string_agg(m::text, '')) AS same FROM search_images('17.3 tools') m \gset
SET standard_conforming_strings = off;
SELECT count(*) = :found AS found, md5(string_agg(m::text, '')) = :'same' AS same, count(*) > 0 AS some FROM search_images('17.3 tools') m;
SELECT count(*) > 0 AS found FROM search_images('nightly_2');
RESET standard_conforming_strings;
ROLLBACK;

-- The newest image: newest minor, then newest build of it; never of another flavor, major, variant, or OS that was asked for.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('edb', 'https://docker.enterprisedb.com/pgai-platform'), add_registry('cnpg', 'https://ghcr.io/cloudnative-pg');
SELECT add_rule('edb', '**', approval => 'auto'), add_rule('cnpg', '**', approval => 'auto');
-- The images tell nothing but by their tags; the name of an image is its tag.
CREATE FUNCTION test.sync_tags(registry text, repository text, VARIADIC tags text[]) RETURNS jsonb LANGUAGE sql AS $$
  SELECT test.sync(registry, repository, jsonb_object_agg(t, jsonb_build_object('image', repository || ':' || t))) FROM unnest(tags) t
$$;
-- 17.10 is after 17.4; of 17.4 there is a build that is newer than 17.10, and the full variant has a minor more.
SELECT test.sync_tags('edb', 'postgresql', '17.4-2503310734', '17.4-2605010000', '17.10-2509010101', '17.10-2509020202', '17.11-2511010101-full',
  '17.4-2503310734-full', '17', 'latest', '9.6.24-2101010101', '18.3-2605132051', '18beta1-2505010000');
SELECT test.sync_tags('edb', 'edb-postgres-advanced', '17.12-2602010101');
SELECT flavor, major_version AS major, variant, os, tag FROM postgres_latest ORDER BY 1, 2, 3, 4;
SELECT asked, test.outcome(format('SELECT split_part(latest_postgres(%s), ''@'', 1)', asked))
FROM unnest(ARRAY['''postgresql'', 17', '''postgresql'', 17, ''full''', '''postgresql'', 18', '''epas'', 17', '''pge'', 17', '''postgresql'', 9', '''postgresql'', 19']) asked;
-- Prereleases are before their release.
SELECT test.sync_tags('edb', 'postgresql', '18beta1-2505010000', '18rc1-2509010000');
SELECT split_part(latest_postgres('postgresql', 18), '@', 1) AS latest;

-- Several systems: the one that is asked for; otherwise nothing is picked.
SELECT test.sync('edb', 'postgresql', '{}'), test.sync('edb', 'edb-postgres-advanced', '{}');
SELECT test.sync_tags('cnpg', 'postgresql', '18.5-202608170814-minimal-trixie', '18.6-202608170814-minimal-bookworm', '18.6-202608150000-minimal-trixie',
  '18.6-202608170814-standard-trixie', '18-minimal-trixie', '18-minimal-bookworm', '17.6-202608170814-minimal-bullseye');
SELECT flavor, major_version AS major, variant, os, tag FROM postgres_latest ORDER BY 1, 2, 3, 4;
SELECT latest_postgres('postgresql', 18, 'minimal');
SELECT cnpg_image_catalog('c', variant => 'minimal');
SELECT split_part(latest_postgres('postgresql', 18, 'minimal', os => 'trixie'), '@', 1) AS trixie,
       split_part(latest_postgres('postgresql', 18, 'minimal', os => 'bookworm'), '@', 1) AS bookworm,
       split_part(latest_postgres('postgresql', 17, 'minimal'), '@', 1) AS no_choice;
SELECT test.outcome('SELECT latest_postgres(''postgresql'', 18, ''minimal'', os => ''ubi9'')') AS no_such_os,
       test.outcome('SELECT latest_postgres(''postgresql'', 18)') AS no_plain_image;
-- The same build on two systems: always the same choice.
SELECT test.sync_tags('cnpg', 'postgresql', '18.6-202608170814-minimal-trixie', '18.6-202608170814-minimal-bookworm');
SELECT split_part(latest_postgres('postgresql', 18, 'minimal', os => os), '@', 1) AS latest FROM unnest('{trixie,bookworm}'::text[]) os;
-- A tag that names no system stands for the one that another tag of the same image names.
SELECT test.sync('cnpg', 'postgresql', '{"18.6": {"image": "six"}, "18.6-trixie": {"image": "six"}, "18.5-trixie": {"image": "five"}}');
SELECT split_part(latest_postgres('postgresql', 18), '@', 1) AS latest, split_part(latest_postgres('postgresql', 18, os => 'trixie'), '@', 1) AS trixie;
SELECT test.sync('cnpg', 'postgresql', '{"18.7": {"image": "seven"}, "18.6-trixie": {"image": "six"}}');
SELECT test.outcome('SELECT latest_postgres(''postgresql'', 18)');
ROLLBACK;

-- Finding images, counting them, and what a repository says of itself.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('edb', 'https://docker.enterprisedb.com/pgai-platform');
SELECT add_registry('hub', 'https://registry.example.com');
SELECT add_registry('empty', 'https://empty.example.com');
SELECT add_rule('edb', '**'), add_rule('hub', '**', exclude_tags => '{hidden}');
SELECT test.sync('edb', 'postgresql', jsonb_build_object(
  '17.4-2503310734', '{"image": "p1", "created_at": "2025-03-31T07:34:00Z"}'::jsonb,
  '17.10-2603310734', '{"image": "p2", "created_at": "2026-03-31T07:34:00Z"}'::jsonb,
  '17.10-2603310734-full', jsonb_build_object('image', 'p3', 'created_at', '2026-03-31T07:34:00Z', 'annotations', jsonb_build_object(
    'org.enterprisedb.pgextensions', encode(E'pgvector,0.8.0,Vector data type\npgaudit,17.1,Auditing\n', 'base64')))));
SELECT test.sync('edb', 'edb-postgres-advanced', '{"17.5-2505220734": {"image": "a1", "created_at": "2025-05-22T07:34:00Z",
  "annotations": {"org.enterprisedb.pg.flavor": "epas", "org.enterprisedb.pg.major_version": "17", "org.enterprisedb.pg.features": "tde"}}}');
SELECT test.sync('hub', 'nim/nvidia/llama-3.3-nemotron-super-49b-v1', '{"1.8.5": {"image": "m1", "created_at": "2026-01-01T00:00:00Z"}}');
SELECT test.sync('hub', 'tools/backup', '{
  "1.9": {"image": "t1", "created_at": "2025-02-01T00:00:00Z", "annotations": {"org.opencontainers.image.title": "Nightly 100% backup_tool"}},
  "1.10": {"image": "t2", "created_at": "2025-02-01T00:00:00Z"}, "2.0-rc1": {"image": "t3", "created_at": null},
  "hidden": {"image": "t4"}}');
SELECT test.sync('hub', 'tools/backup-postgresql-operator', '{"1.0": {"image": "o1"}}');

-- Every word must be there; whole words of the name lead, parts follow, then what only the text has.
CREATE FUNCTION test.found(query text, kind text DEFAULT NULL, max_rows integer DEFAULT 50) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(concat_ws(' ', s.repository || ':' || s.tag, s.matched), E'\n') FROM search_images(query, kind, max_rows) s
$$;
SELECT query, test.found(query) FROM unnest(ARRAY['postgresql', 'POSTGRES', 'postgresql 17.10', '17.10 full', 'pgvector', 'vector 0.8', 'nvidia',
  'docker.enterprisedb.com epas', 'transparent data', 'edb official', 'nightly backup', 'hidden', '1.10']) query;
-- A word that nothing has stands for the one most like it; one that is there stands for itself.
SELECT query, test.found(query) FROM unnest(ARRAY['pgvektor', 'nemotorn', 'postgrsql 17.4', 'postgresql 99', 'zzzzzz', 'ab']) query;
-- Words are data.
SELECT query, test.found(query) FROM unnest(ARRAY['%', '100%', '_', 'backup_tool', '\', ''' OR 1=1 --', '$$', '.*', E'tab\tbackup', '"']) query;
SELECT kind, test.found('17.4', kind), test.found('backup', kind, 2) FROM unnest(ARRAY['postgres', 'model', 'other']) kind;
-- The rows say what they found, and filters are SQL.
SELECT reference, registry, kind, approval, version, title, publisher, missing_since, left(digest, 13) AS digest FROM search_images('backup') WHERE approval = 'pending' AND title IS NOT NULL;
SELECT reference, publisher FROM search_images('nemotron') WHERE kind = 'model';
-- HM tags of a tag and of a repository; a missing tag comes last.
SELECT add_hm_tag('team-ml', 'blue'), add_hm_tag('beta');
SELECT tag_repository('hub', 'nim/nvidia/llama-3.3-nemotron-super-49b-v1', 'team-ml'), tag_image('registry.example.com/tools/backup:1.9', 'beta');
SELECT query, test.found(query) FROM unnest(ARRAY['team-ml', 'beta', 'beta backup', 'beta nemotron']) query;
SELECT test.sync('edb', 'postgresql', '{"17.4-2503310734": {"image": "p1"}, "17.10-2603310734-full": {"image": "p3"}}');
SELECT test.found('postgresql', 'postgres');
SELECT asked, test.outcome(format('SELECT count(*) FROM search_images(%s)', asked)) FROM unnest(ARRAY['NULL', ''''' ', '''  ''', '''x'', ''container''',
  'repeat(''x'', 1001)', '''postgresql'', NULL, 0', '''postgresql'', NULL, -1', '''postgresql'', NULL, NULL', '''postgresql'', max_rows => 1']) asked;

-- The newest tags of a repository: by creation, then by version; what has no time by when it was first seen.
SELECT tag, kind, created_at FROM recent_tags('hub', 'tools/backup');
SELECT tag FROM recent_tags('hub', 'tools/backup', 2);
SELECT tag FROM recent_tags('edb', 'postgresql');
SELECT asked, test.outcome(format('SELECT count(*) FROM recent_tags(%s)', asked))
FROM unnest(ARRAY['''hub'', ''none''', '''none'', ''none''', '''hub'', NULL', '''hub'', ''tools/backup'', 0', '''hub'', ''tools/backup'', -1']) asked;

-- How much there is; the total has no registry.
SELECT count(approve(reference)) FROM pending_images WHERE kind IN ('postgres', 'model');
SELECT count(revoke('docker.enterprisedb.com/pgai-platform/edb-postgres-advanced:17.5-2505220734')), count(reject('registry.example.com/tools/backup:1.9'));
SELECT * FROM library_stats ORDER BY registry NULLS LAST;
SELECT (SELECT tags FROM library_stats WHERE registry IS NULL) = (SELECT count(*) FROM images WHERE missing_since IS NULL) AS same_as_images,
       (SELECT postgres_images FROM library_stats WHERE registry IS NULL) = (SELECT count(*) FROM images WHERE missing_since IS NULL AND kind = 'postgres') AS same_postgres;

-- README texts: of known repositories, of some size, by curators, and where a team owns the registry by its curators.
SELECT set_readme('edb', 'postgresql', E'# PostgreSQL\n\nUse `17`, *not* latest.');
SELECT registry, repository, readme FROM repositories WHERE readme IS NOT NULL;
SELECT set_readme('edb', 'postgresql', 'Second');
SELECT readme FROM repositories WHERE repository = 'postgresql';
SELECT asked, test.outcome(format('SELECT set_readme(%s)', asked))
FROM unnest(ARRAY['''edb'', ''none'', ''x''', '''none'', ''postgresql'', ''x''', '''edb'', ''postgresql'', repeat(''x'', 65537)', '''edb'', ''postgresql'', repeat(''x'', 65536)',
  '''edb'', ''postgresql'', repeat(''ü'', 32769)', '''edb'', ''postgresql'', E'' \n''']) asked;
SELECT count(*) FROM repositories WHERE readme IS NOT NULL;
CREATE ROLE finding_team;
CREATE ROLE finding_outsider IN ROLE image_library_curator;
CREATE ROLE finding_member IN ROLE image_library_curator, finding_team;
CREATE ROLE finding_reader IN ROLE image_library_reader;
SELECT alter_registry('hub', owner => 'finding_team');
SELECT role, test.outcome_as(role, 'SELECT set_readme(''hub'', ''tools/backup'', ''by ' || role || ''')') AS owned,
       test.outcome_as(role, 'SELECT set_readme(''edb'', ''postgresql'', ''by ' || role || ''')') AS owned_by_nobody,
       test.outcome_as(role, 'SELECT count(*) FROM image_library.search_images(''backup'')') AS search,
       test.outcome_as(role, 'SELECT count(*) FROM image_library.recent_tags(''hub'', ''tools/backup'')') AS recent,
       test.outcome_as(role, 'SELECT tags FROM image_library.library_stats WHERE registry IS NULL') AS stats,
       test.outcome_as(role, 'SELECT count(*) FROM image_library.classification_conflicts') AS conflicts,
       test.outcome_as(role, 'SELECT image_library.reset_annotation_keys(''os'')') AS keys
FROM unnest('{finding_outsider,finding_member,finding_reader}'::text[]) role;
ROLLBACK;

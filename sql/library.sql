-- The library: what a sync writes, what it leaves alone, and how tags move, go and come back.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT add_rule('local', '**', exclude_tags => '{*-snapshot}') AS rule \gset
\set first '{"17.4-2503310734": {"image": "a"}, "17.5-2505220734": {"image": "b", "annotations": {"org.opencontainers.image.title": "Postgres"}}, "17-snapshot": {"image": "s"}}'
SELECT test.sync('local', 'postgresql', :'first');
SELECT registry, repository, tag, digest = test.digest(CASE tag WHEN '17.4-2503310734' THEN 'a' ELSE 'b' END) AS as_found, reference,
       pinned_reference = reference || '@' || digest AS pinned, kind, approval, version, platforms, size_bytes, created_at, missing_since, hm_tags,
       title, description, annotations, labels
FROM images ORDER BY tag;
SELECT registry, repository, reference, tags_listed, tags, hm_tags FROM repositories;
SELECT platform, os, architecture, variant, size_bytes, count(*) FROM image_platforms GROUP BY 1, 2, 3, 4, 5 ORDER BY 1;

-- The same batch again changes no row: no version of any row is new. (A row that is written moves in its table.)
CREATE FUNCTION test.row_versions() RETURNS TABLE (relation text, versions text) LANGUAGE plpgsql AS $$
BEGIN
  FOR relation IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind = 'r' ORDER BY 1 LOOP
    EXECUTE format('SELECT md5(string_agg(concat(ctid, xmin, cmin), '' '' ORDER BY ctid)) FROM image_library_internal.%I', relation) INTO versions;
    RETURN NEXT;
  END LOOP;
END
$$;
CREATE TEMP TABLE before AS SELECT * FROM test.row_versions();
SELECT count(*) > 10 AS tables, count(versions) >= 9 AS with_rows FROM before;
SELECT test.sync('local', 'postgresql', :'first');
SELECT relation AS changed FROM test.row_versions() n JOIN before USING (relation) WHERE n.versions IS DISTINCT FROM before.versions;
-- That this would be seen: one moved tag.
SELECT test.sync('local', 'postgresql', '{"17.4-2503310734": {"image": "c"}, "17.5-2505220734": {"image": "b"}, "17-snapshot": {"image": "s"}}');
SELECT relation AS changed FROM test.row_versions() n JOIN before USING (relation) WHERE n.versions IS DISTINCT FROM before.versions;
SELECT tag, digest = test.digest('c') AS moved, digest_changed_at > first_seen_at AS told, approval FROM images ORDER BY tag;
SELECT tag, why, previous_digest = test.digest('a') AS from_a, previous_approval FROM pending_images ORDER BY tag;

-- Gone and back, with its history and its approval; its facts were kept.
SELECT approve('localhost:5000/postgresql:17.4-2503310734') = 'localhost:5000/postgresql:17.4-2503310734@' || test.digest('c');
SELECT test.sync('local', 'postgresql', '{"17.5-2505220734": {"image": "b"}, "17-snapshot": {"image": "s"}}');
SELECT tag, approval, missing_since IS NOT NULL AS missing FROM images ORDER BY tag;
SELECT count(*) FROM postgres_images;
SELECT tag FROM pending_images;
SELECT tags_listed, tags FROM repositories;
SELECT test.sync('local', 'postgresql', '{"17.5-2505220734": {"image": "b"}, "17-snapshot": {"image": "s"}}');
SELECT test.sync('local', 'postgresql', '{"17.4-2503310734": {"image": "c"}, "17.5-2505220734": {"image": "b"}}');
SELECT tag, approval, missing_since IS NOT NULL AS missing FROM images ORDER BY tag;
SELECT tag FROM postgres_images;
SELECT tag, CASE digest WHEN test.digest('a') THEN 'a' WHEN test.digest('b') THEN 'b' WHEN test.digest('c') THEN 'c' END AS image,
       upper_inf(valid) AS now, NOT isempty(valid) AS lasted FROM tag_history ORDER BY tag, valid;
-- Periods of a tag do not overlap.
SELECT count(*) AS overlapping FROM tag_history a JOIN tag_history b
  ON a.repository = b.repository AND a.tag = b.tag AND lower(a.valid) < lower(b.valid) AND a.valid && b.valid;
-- Missing and back as another image in one step.
SELECT test.sync('local', 'postgresql', '{"17.5-2505220734": {"image": "b"}}');
SELECT test.sync('local', 'postgresql', '{"17.4-2503310734": {"image": "a"}, "17.5-2505220734": {"image": "b"}}');
SELECT tag, approval, missing_since IS NULL AS present FROM images ORDER BY tag;
SELECT tag, CASE digest WHEN test.digest('a') THEN 'a' WHEN test.digest('c') THEN 'c' END AS image, upper_inf(valid) AS now
FROM tag_history WHERE tag LIKE '17.4%' ORDER BY valid;

-- One image under two names of two repositories is stored once, and approved by repository.
SELECT test.sync('local', 'team/postgresql', '{"17.4": {"image": "c"}, "17": {"image": "c"}}');
SELECT count(*) FROM image WHERE digest = test.digest('c');
SELECT repository, tag, approval FROM images WHERE digest = test.digest('c') ORDER BY 1, 2;
SELECT count(*) FROM image_platforms WHERE digest = test.digest('c');

-- Referrers, with an image and alone.
SELECT test.write_batch(:registry, 'team/postgresql', test.batch(jsonb_build_object('referrers', jsonb_build_array(jsonb_build_object(
  'digest', test.digest('c'), 'referrer_digest', test.digest('signature'), 'artifact_type', 'application/vnd.dev.sigstore.bundle.v0.3+json',
  'size_bytes', 7, 'annotations', '{"a": "b"}'::jsonb, 'source', 'referrers')))));
SELECT digest = test.digest('c') AS of_c, artifact_type, size_bytes, annotations, source FROM image_referrers;

-- Problems appear, change, and end when the tag reads well.
SELECT test.write_batch(:registry, 'broken', test.batch('{"problems": [{"tag": null, "problem": "not found", "detail": "404"}]}'));
SELECT test.write_batch(:registry, 'postgresql', test.batch('{"problems": [{"tag": "bad", "problem": "digest mismatch", "detail": "x"},
  {"tag": "worse", "problem": "too large", "detail": "5 MiB"}]}'));
SELECT registry, repository, tag, problem, detail, last_seen_at >= first_seen_at FROM sync_problem ORDER BY repository, tag;
SELECT count(*) FROM repositories WHERE repository = 'broken';
SELECT test.write_batch(:registry, 'postgresql', test.batch('{"problems": [{"tag": "worse", "problem": "manifest unknown", "detail": "404"}], "checked": ["bad"]}'));
SELECT repository, tag, problem, detail FROM sync_problem ORDER BY repository, tag;
SELECT test.write_batch(:registry, 'postgresql', test.batch('{"checked": ["worse"]}'));
SELECT test.write_batch(:registry, 'broken', test.batch('{"checked": [""]}'));
SELECT count(*) FROM sync_problem;

-- A problem with a tag leaves what is known of it as it is.
SELECT test.write_batch(:registry, 'postgresql', test.batch('{"problems": [{"tag": "17.4-2503310734", "problem": "timeout", "detail": "x"}]}'));
SELECT tag, approval, missing_since IS NULL AS present FROM images WHERE repository = 'postgresql' ORDER BY tag;

-- What is neither Postgres nor a model has its version in both views.
SELECT test.sync('local', 'tools/proxy', '{"stable": {"image": "x", "annotations": {"org.opencontainers.image.version": "3.1"}}}');
SELECT i.kind, i.version, p.version AS pending_version FROM images i JOIN pending_images p USING (registry, repository, tag) WHERE repository = 'tools/proxy';

-- What names no stored image cannot be written, and leaves nothing.
SELECT test.outcome(format('SELECT test.write_batch(%s, ''new'', test.batch(''{"tags": [{"name": "x", "digest": "sha256:1", "rule_id": %s}]}''))', :registry, :rule));
SELECT count(*) FROM repositories WHERE repository = 'new';
ROLLBACK;

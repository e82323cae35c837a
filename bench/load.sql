-- A library of :tags tags in :repositories repositories, loaded past the functions: of 20 tags two are of Postgres
-- images and one of a model. Four of five are approved. Needs an empty library, and a superuser.
SET client_min_messages = warning;
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
-- Neither triggers nor foreign keys.
SET session_replication_role = replica;

INSERT INTO image_library_internal.registry (name, scheme, host, prefix, sync_interval, max_connections, allow_private, private)
SELECT 'registry' || n, 'https', 'registry' || n || '.example.com', '', interval '15 min', 16, false, false FROM generate_series(1, 4) n
UNION ALL SELECT 'private', 'https', 'private.example.com', '', interval '15 min', 16, false, true;
INSERT INTO image_library_internal.rule (registry_id, repositories, tags, exclude_tags, action, kind, approval, immutable_tags, priority)
SELECT registry_id, '**', '{*}', '{}', 'include', 'auto', 'manual', true, 100 FROM image_library_internal.registry;

INSERT INTO image_library_internal.repository (registry_id, name)
SELECT g.registry_id,
       format('team%s/%s%s', lpad((n % 97)::text, 2, '0'),
              CASE WHEN n % 20 < 2 THEN 'postgresql' WHEN n % 20 = 2 THEN 'llama' ELSE 'service' END, lpad(n::text, 6, '0'))
FROM generate_series(1, :repositories) n
JOIN image_library_internal.registry g ON g.name = CASE WHEN n % 50 = 0 THEN 'private' ELSE 'registry' || (n % 4 + 1) END;

-- Indexes other than those of keys are built when the rows are there.
CREATE TEMP TABLE built_later AS
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i
WHERE i.indrelid IN ('image_library_internal.image'::regclass, 'image_library_internal.tag'::regclass, 'image_library_internal.tag_period'::regclass,
                     'image_library_internal.approval'::regclass, 'image_library_internal.entry'::regclass)
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
SELECT format('DROP INDEX %s', name) FROM built_later \gexec

CREATE TEMP TABLE generated AS
SELECT r.repository_id, r.registry_id, r.name AS repository, n,
       format('%s.%s-%s', 14 + n % 5, n / 5 % 100, lpad((n * 7919 % 1000000)::text, 6, '0')) AS tag,
       CASE WHEN r.name LIKE '%postgresql%' THEN 'postgres' WHEN r.name LIKE '%llama%' THEN 'model' ELSE 'other' END AS kind,
       'sha256:' || encode(sha256(convert_to(r.repository_id || ':' || n, 'UTF8')), 'hex') AS digest,
       CASE WHEN n % 5 < 4 THEN 'approved' ELSE 'pending' END AS approval,
       timestamptz '2025-01-01Z' + n * interval '1 minute' AS created_at
FROM image_library_internal.repository r CROSS JOIN generate_series(1, :tags / :repositories) n
-- A sync writes one repository after the other.
ORDER BY r.repository_id, n;

INSERT INTO image_library_internal.listing (repository_id, tags, fingerprint)
SELECT repository_id, array_agg(tag ORDER BY tag COLLATE "C"), 'bench' FROM generated GROUP BY 1;
INSERT INTO image_library_internal.image (digest, media_type, artifact_type, config_type, config_digest, layer_types, platforms, size_bytes,
  created_at, annotations, labels, title, version)
SELECT digest, 'application/vnd.oci.image.manifest.v1+json', '', 'application/vnd.oci.image.config.v1+json', digest,
       '{application/vnd.oci.image.layer.v1.tar+gzip}', '{linux/amd64}', 100000000 + n, created_at,
       CASE WHEN kind = 'other' THEN '{}'::jsonb
            ELSE jsonb_build_object('org.opencontainers.image.title', repository, 'org.opencontainers.image.version', tag) END,
       jsonb_build_object('maintainer', 'team@example.org', 'org.opencontainers.image.revision', left(digest, 47)), repository, split_part(tag, '-', 1)
FROM generated;
INSERT INTO image_library_internal.image_platform (digest, manifest_digest, platform, os, architecture, variant, config_digest, size_bytes)
SELECT digest, digest, 'linux/amd64', 'linux', 'amd64', '', digest, 100000000 FROM generated;
INSERT INTO image_library_internal.tag (repository_id, registry_id, name, digest, rule_id, first_seen_at, digest_changed_at, kind, approval,
  waits_from)
SELECT g.repository_id, registry_id, g.tag, g.digest, u.rule_id, g.created_at, g.created_at, g.kind, g.approval,
       CASE g.approval WHEN 'pending' THEN '-infinity'::timestamptz END
FROM generated g JOIN image_library_internal.rule u USING (registry_id);
INSERT INTO image_library_internal.tag_period (repository_id, tag, since, digest)
SELECT repository_id, tag, created_at, digest FROM generated;
INSERT INTO image_library_internal.approval (repository_id, digest, state, decided_at)
SELECT repository_id, digest, 'approved', created_at FROM generated WHERE approval = 'approved';
INSERT INTO image_library_internal.entry (repository_id, tag, registry_id, repository, digest, kind, approval, usable_until, title, version,
  newest_key, size_bytes, created_at, flavor, major_version, build_at, variant, os, features, extensions, publisher, model, format, gpu_count,
  system_tags, conflicts, contested)
SELECT repository_id, tag, registry_id, repository, digest, kind, approval,
       CASE approval WHEN 'approved' THEN timestamptz 'infinity' ELSE '-infinity' END, repository, split_part(tag, '-', 1),
       image_library_internal.newest_key(split_part(tag, '-', 1), created_at, 'standard', tag), 100000000, created_at,
       CASE kind WHEN 'postgres' THEN 'postgresql' END, CASE kind WHEN 'postgres' THEN 14 + n % 5 END, created_at,
       CASE kind WHEN 'postgres' THEN 'standard' END, CASE kind WHEN 'postgres' THEN 'bookworm' END, '{}', '{}',
       CASE kind WHEN 'model' THEN 'meta' END, CASE kind WHEN 'model' THEN 'llama-' || repository_id END,
       CASE kind WHEN 'model' THEN 'nim' END, CASE kind WHEN 'model' THEN 1 END, '{}', '{}', false
FROM generated WHERE kind <> 'other';
INSERT INTO image_library_internal.run (registry_id, cause, started_at, finished_at, outcome, decided, next_at)
SELECT registry_id, 'schedule', now() - interval '1 minute', now(), 'complete', true, now() + interval '1 hour' FROM image_library_internal.registry;
DROP TABLE generated;
SELECT definition FROM built_later \gexec
SELECT image_library_internal.recount();
SELECT count(image_library_internal.refresh_text(ARRAY(
         SELECT (t.repository_id, t.name)::image_library_internal.tag_place FROM image_library_internal.tag t WHERE t.repository_id = r.repository_id), true))
FROM image_library_internal.repository r;
VACUUM ANALYZE;
CREATE ROLE bench_reader LOGIN IN ROLE image_library_reader;
CREATE ROLE bench_curator LOGIN IN ROLE image_library_curator;
CREATE TABLE public.one_row (n integer);
GRANT SELECT, INSERT, UPDATE ON public.one_row TO PUBLIC;
CREATE FUNCTION public.newest_or_error(flavor text, major integer, variant text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN image_library.latest_postgres(flavor, major, variant);
EXCEPTION
  WHEN ambiguous_alias THEN RETURN SQLERRM;
END
$$;

-- Which Postgres image is the newest of those that are asked for. latest_postgres, latest and catalogs choose here, and
-- never between repositories, variants or systems: where several are left, that is an error.

CREATE TYPE image_library_internal.postgres_request AS (
  flavor text, major integer, variant text, os text, versions text, registry text, repository text, channel text,
  repository_ids integer[], min_extensions jsonb, first_major integer, majors integer[]);
COMMENT ON TYPE image_library_internal.postgres_request IS
  'What kind of Postgres image is asked for; null: any; variant '''': without a variant; repository_ids: those of registry, repository or channel; first_major: only this and newer major versions; majors: only these';

CREATE TYPE image_library_internal.postgres_choice AS (
  major_version integer, variant text, os text, registry text, repository text, repository_id integer, tag text,
  digest text, pinned_reference text, newest_key bytea[]);
COMMENT ON TYPE image_library_internal.postgres_choice IS
  'The newest image of a repository, major version, variant and OS';

CREATE FUNCTION image_library_internal.new_postgres_request(flavor text, major integer, variant text, os text, registry text,
  repository text, channel text, min_extensions jsonb)
RETURNS image_library_internal.postgres_request
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked image_library_internal.postgres_request;
  named image_library_internal.channel;
  wrong text;
BEGIN
  IF jsonb_typeof(min_extensions) <> 'object'
     OR jsonb_path_exists(min_extensions, 'strict $.* ? (@.type() != "string" && @.type() != "number" && @.type() != "null")') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'min_extensions must be an object of extension names and least versions',
      hint => 'For example {"vector": "0.8", "pgaudit": null}; null means any version.');
  END IF;
  asked.major := major;
  asked.variant := variant;
  asked.os := lower(os);
  asked.min_extensions := nullif(min_extensions, '{}');
  IF channel IS NULL THEN
    asked.flavor := image_library_internal.flavor(flavor);
    asked.registry := CASE WHEN registry IS NOT NULL THEN (image_library_internal.find_registry(registry)).name END;
    asked.repository := repository;
    IF num_nonnulls(registry, repository) > 0 THEN
      asked.repository_ids := ARRAY(
        SELECT r.repository_id FROM image_library_internal.visible_repository r
        WHERE (asked.registry IS NULL OR r.registry = asked.registry) AND (asked.repository IS NULL OR r.repository = asked.repository));
      IF asked.repository_ids = '{}' AND repository IS NOT NULL THEN
        PERFORM image_library_internal.fail(
          errcode => 'undefined_object',
          message => format('repository "%s"%s is not in the library', repository, ' of registry ' || asked.registry),
          hint => 'See image_library.repositories; names are relative to the prefix of the registry.');
      END IF;
    END IF;
    RETURN asked;
  END IF;
  named := image_library_internal.find_channel(channel);
  asked.flavor := CASE WHEN flavor IS NULL THEN named.flavor ELSE image_library_internal.flavor(flavor) END;
  wrong := CASE
    WHEN num_nonnulls(registry, repository) > 0 THEN
      format('channel "%s" has a registry and repositories of its own; name either these or the channel', channel)
    WHEN asked.flavor <> named.flavor THEN format('channel "%s" is of flavor %s, not %s', channel, named.flavor, asked.flavor)
    WHEN asked.variant <> named.variant THEN
      format('channel "%s" is of variant "%s", not "%s"', channel, named.variant, asked.variant)
    WHEN asked.os <> named.os THEN format('channel "%s" is for %s, not %s', channel, named.os, asked.os) END;
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(errcode => 'invalid_parameter_value', message => wrong, hint => 'See image_library.channels.');
  END IF;
  asked.channel := named.name;
  asked.variant := coalesce(asked.variant, named.variant);
  asked.os := coalesce(asked.os, named.os);
  asked.versions := named.versions;
  asked.repository_ids := ARRAY(
    SELECT r.repository_id
    FROM image_library_internal.repository r
    JOIN image_library_internal.matching_names(named.repositories, 'repository', ARRAY(
           SELECT n.name FROM image_library_internal.repository n WHERE n.registry_id = named.registry_id)) m ON m.name = r.name
    WHERE r.registry_id = named.registry_id);
  RETURN asked;
END
$$;
COMMENT ON FUNCTION image_library_internal.new_postgres_request IS
  'A request for images of a flavor, or for those of a channel; raises 22023, 42704';

CREATE FUNCTION image_library_internal.request_text(asked image_library_internal.postgres_request) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT concat_ws(' ', asked.flavor, asked.major, nullif(array_to_string(asked.majors, ', ', 'null'), ''), 'variant ' || nullif(asked.variant, ''), 'on ' || asked.os,
                   'in registry ' || asked.registry, 'in repository ' || asked.repository, 'in channel ' || asked.channel,
                   'with extensions ' || asked.min_extensions::text)
$$;
COMMENT ON FUNCTION image_library_internal.request_text IS 'A request as errors tell it';

CREATE FUNCTION image_library_internal.requested_versions(asked image_library_internal.postgres_request) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN asked.versions IS NOT NULL THEN ARRAY(
    SELECT m.name
    FROM image_library_internal.matching_names(ARRAY['version:' || asked.versions], 'tag', ARRAY(
           SELECT DISTINCT e.version FROM image_library_internal.entry e
           WHERE e.kind = 'postgres' AND e.repository_id = ANY (asked.repository_ids) AND e.version IS NOT NULL)) m) END
$$;
COMMENT ON FUNCTION image_library_internal.requested_versions IS
  'Versions in the repositories of a request that are in its range, such as 17.*; null: it has no range';

-- Each step goes from a repository to the next one by the index entry_newest.
CREATE FUNCTION image_library_internal.repositories_with_postgres(asked image_library_internal.postgres_request) RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  last_major integer := coalesce(asked.major, 2147483647);
BEGIN
  RETURN ARRAY(
    WITH RECURSIVE place AS (
      SELECT greatest(asked.major, asked.first_major, 0) AS major_version, coalesce(asked.variant, '') AS variant, -1 AS repository_id
      UNION ALL
      SELECT n.*
      FROM place p
      CROSS JOIN LATERAL (
        SELECT e.major_version, coalesce(e.variant, ''), e.repository_id
        FROM image_library_internal.pickable_entries e
        WHERE e.flavor = asked.flavor AND e.major_version <= last_major
          AND (e.major_version, coalesce(e.variant, ''), e.repository_id)
              -- From another variant to the one that is asked for, of this major version or the next.
              > (CASE WHEN p.variant > asked.variant THEN p.major_version + 1 ELSE p.major_version END,
                 coalesce(asked.variant, p.variant),
                 CASE WHEN p.variant <> asked.variant THEN -1 ELSE p.repository_id END)
        ORDER BY e.major_version, coalesce(e.variant, ''), e.repository_id LIMIT 1) n
      WHERE (p.variant > asked.variant) IS NOT TRUE OR p.major_version < last_major)
    SELECT DISTINCT p.repository_id
    FROM place p
    JOIN image_library_internal.visible_repository r USING (repository_id)
    WHERE p.variant = coalesce(asked.variant, p.variant) AND p.major_version = ANY (coalesce(asked.majors, ARRAY[p.major_version])));
END
$$;
COMMENT ON FUNCTION image_library_internal.repositories_with_postgres IS
  'Repositories that have an image of the flavor, major versions and variant of a request';

CREATE TYPE image_library_internal.postgres_group AS (
  repository_id integer, major_version integer, variant text, os text, tag text, digest text, newest_key bytea[]);
COMMENT ON TYPE image_library_internal.postgres_group IS
  'The newest image of a repository, major version, variant and OS that its tag names';

-- Each step goes from a group to the next one by the index entry_latest, in all repositories.
CREATE FUNCTION image_library_internal.postgres_groups(asked image_library_internal.postgres_request, repositories integer[])
RETURNS SETOF image_library_internal.postgres_group
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  first_major integer := greatest(asked.major, asked.first_major, 0);
  last_major integer := coalesce(asked.major, 2147483647);
BEGIN
  RETURN QUERY
    WITH RECURSIVE newest AS (
      SELECT f.*
      FROM unnest(repositories) AS r (repository_id)
      CROSS JOIN LATERAL (
        SELECT e.repository_id, e.major_version, coalesce(e.variant, '') AS variant, coalesce(e.os, '') AS os, e.tag, e.digest, e.newest_key
        FROM image_library_internal.pickable_entries e
        WHERE e.repository_id = r.repository_id AND e.flavor = asked.flavor AND e.major_version BETWEEN first_major AND last_major
        ORDER BY e.major_version, coalesce(e.variant, ''), coalesce(e.os, ''), e.newest_key DESC LIMIT 1) f
      UNION ALL
      SELECT n.*
      FROM newest l
      CROSS JOIN LATERAL (
        SELECT e.repository_id, e.major_version, coalesce(e.variant, ''), coalesce(e.os, ''), e.tag, e.digest, e.newest_key
        FROM image_library_internal.pickable_entries e
        WHERE e.repository_id = l.repository_id AND e.flavor = asked.flavor AND e.major_version <= last_major
          AND (e.major_version, coalesce(e.variant, ''), coalesce(e.os, '')) > (l.major_version, l.variant, l.os)
        ORDER BY e.major_version, coalesce(e.variant, ''), coalesce(e.os, ''), e.newest_key DESC LIMIT 1) n)
    SELECT l.repository_id, l.major_version, l.variant, l.os, l.tag::text, l.digest::text, l.newest_key
    FROM newest l
    WHERE l.variant = coalesce(asked.variant, l.variant) AND l.major_version = ANY (coalesce(asked.majors, ARRAY[l.major_version]));
END
$$;
COMMENT ON FUNCTION image_library_internal.postgres_groups IS
  'Newest image of each repository, major version, variant and named OS, of those that a request asks for; regardless of its versions, extensions and OS';

-- An image may have tags that name its system and others that do not: it is on the system that one of them names. Only
-- repositories that have both kinds, and requests that depend on more than the group, need every image.
CREATE FUNCTION image_library_internal.postgres_choices(asked image_library_internal.postgres_request)
RETURNS SETOF image_library_internal.postgres_choice
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  versions text[] := CASE WHEN asked.versions IS NOT NULL THEN image_library_internal.requested_versions(asked) END;
  repositories integer[] := coalesce(asked.repository_ids, image_library_internal.repositories_with_postgres(asked));
  every_image integer[] := repositories;
  groups image_library_internal.postgres_group[] := '{}';
BEGIN
  IF asked.versions IS NULL AND asked.min_extensions IS NULL THEN
    groups := ARRAY(SELECT g FROM image_library_internal.postgres_groups(asked, repositories) g);
    every_image := ARRAY(SELECT g.repository_id FROM unnest(groups) g GROUP BY 1 HAVING bool_or(g.os = '') AND bool_or(g.os <> ''));
  END IF;
  RETURN QUERY
    SELECT g.major_version, g.variant, g.os, r.registry, r.repository::text, g.repository_id, g.tag, g.digest,
           concat(r.place, ':', g.tag, '@', g.digest), g.newest_key
    FROM unnest(groups) g
    JOIN image_library_internal.visible_repository r USING (repository_id)
    WHERE g.repository_id <> ALL (every_image) AND g.os = coalesce(asked.os, g.os);
  IF every_image = '{}' THEN
    RETURN;
  END IF;
  RETURN QUERY
    WITH candidate AS (
      SELECT e.major_version, coalesce(e.variant, '') AS variant,
             coalesce(nullif(e.os, ''), CASE WHEN min(nullif(e.os, '')) OVER same = max(nullif(e.os, '')) OVER same
                                             THEN min(nullif(e.os, '')) OVER same END, '') AS os,
             e.registry, e.repository, e.repository_id, e.tag, e.digest,
             concat(e.place, ':', e.tag, '@', e.digest) AS pinned_reference, e.newest_key
      FROM image_library_internal.usable_entries e
      WHERE e.kind = 'postgres' AND e.flavor = asked.flavor AND NOT e.contested
        AND e.major_version BETWEEN greatest(asked.major, asked.first_major, 0) AND coalesce(asked.major, 2147483647)
        AND (asked.majors IS NULL OR e.major_version = ANY (asked.majors))
        AND (asked.variant IS NULL OR coalesce(e.variant, '') = asked.variant)
        AND e.repository_id = ANY (every_image)
        AND (versions IS NULL OR e.version = ANY (versions))
      WINDOW same AS (PARTITION BY e.repository_id, e.digest)
    )
    SELECT DISTINCT ON (c.major_version, c.registry, c.repository, c.variant, c.os) c.major_version, c.variant, c.os, c.registry,
           c.repository::text, c.repository_id, c.tag::text, c.digest::text, c.pinned_reference, c.newest_key
    FROM candidate c
    WHERE (asked.os IS NULL OR c.os = asked.os)
      AND (asked.min_extensions IS NULL OR image_library_internal.has_extensions(c.repository_id, c.digest, asked.min_extensions))
    ORDER BY c.major_version, c.registry, c.repository, c.variant, c.os, c.newest_key DESC, c.pinned_reference COLLATE "C";
END
$$;
COMMENT ON FUNCTION image_library_internal.postgres_choices IS
  'Newest approved image of each repository, major version, variant and OS that a request allows; none that is contested';

-- Tells what there is instead: an image that contradicts itself, images that may not be used, other approved images.
CREATE FUNCTION image_library_internal.no_postgres_detail(asked image_library_internal.postgres_request, OUT detail text, OUT hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  contested text;
  unusable text;
  versions text[] := image_library_internal.requested_versions(asked);
BEGIN
  SELECT string_agg(format('%s %s', counted.images, counted.state), ', ' ORDER BY counted.state),
         min(counted.contested COLLATE "C")
  INTO unusable, contested
  FROM (
    SELECT s.state, count(*) AS images, max(s.contested COLLATE "C") AS contested
    FROM (
      SELECT CASE WHEN e.missing_since IS NOT NULL THEN 'missing'
                  WHEN e.approval <> 'approved' THEN e.approval
                  WHEN e.usable_until <= clock_timestamp() THEN 'approved, but blocked' END AS state,
             CASE WHEN e.contested AND e.approval = 'approved' AND e.missing_since IS NULL AND e.usable_until > clock_timestamp()
                  THEN concat(r.place, ':', e.tag, '@', e.digest) END AS contested
      FROM image_library_internal.entry e
      JOIN image_library_internal.visible_repository r USING (repository_id)
      WHERE e.kind = 'postgres' AND e.flavor = asked.flavor AND (asked.major IS NULL OR e.major_version = asked.major)
        AND (asked.majors IS NULL OR e.major_version = ANY (asked.majors))
        AND (asked.variant IS NULL OR coalesce(e.variant, '') = asked.variant) AND (asked.os IS NULL OR coalesce(e.os, '') = asked.os)
        AND (asked.repository_ids IS NULL OR e.repository_id = ANY (asked.repository_ids))
        AND (versions IS NULL OR e.version = ANY (versions))) s
    WHERE s.state IS NOT NULL OR s.contested IS NOT NULL
    GROUP BY s.state) counted;
  detail := coalesce(contested || ' contradicts itself and is not picked.',
    concat_ws(' ',
      'Images that may not be used: ' || unusable || '.',
      coalesce('Approved are ' || (
        SELECT string_agg(there.choice, ', ' ORDER BY there.choice)
        FROM (SELECT DISTINCT concat_ws(' ', e.flavor, e.major_version, 'variant ' || nullif(e.variant, ''),
                                        'on ' || nullif(e.os, '')) COLLATE "C" AS choice
              FROM image_library_internal.usable_entries e
              WHERE e.kind = 'postgres' AND NOT e.contested AND e.major_version IS NOT NULL
                AND (asked.repository_ids IS NULL OR e.repository_id = ANY (asked.repository_ids))
              ORDER BY 1 LIMIT 20) there) || '.',
        CASE WHEN asked.repository_ids IS NULL THEN 'No Postgres image is approved.' ELSE 'No Postgres image of these repositories is approved.' END)));
  hint := 'See image_library.postgres_images and image_library.' ||
          CASE WHEN contested IS NOT NULL THEN 'classification_conflicts.' ELSE 'pending_images.' END;
END
$$;
COMMENT ON FUNCTION image_library_internal.no_postgres_detail IS 'Detail and hint for an error that a request found no image';

CREATE FUNCTION image_library_internal.pick_postgres(asked image_library_internal.postgres_request, for_whom text DEFAULT '')
RETURNS SETOF image_library_internal.postgres_choice
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  choices image_library_internal.postgres_choice[] := ARRAY(SELECT c FROM image_library_internal.postgres_choices(asked) c);
  told record;
  several_repositories boolean := asked.channel IS NULL AND (SELECT count(DISTINCT c.repository_id) > 1 FROM unnest(choices) c);
  several record;
BEGIN
  IF choices = '{}' THEN
    told := image_library_internal.no_postgres_detail(asked);
    PERFORM image_library_internal.fail(
      errcode => 'no_data_found',
      message => concat('no approved image of ', image_library_internal.request_text(asked), for_whom),
      detail => told.detail,
      hint => told.hint);
  END IF;
  SELECT bool_or(m.variants > 1) AS variants, bool_or(m.systems > 1) AS systems,
         array_agg(m.major_version) FILTER (WHERE m.variants > 1 OR m.systems > 1) AS majors
  INTO several
  FROM (SELECT c.major_version, count(DISTINCT c.variant) AS variants, count(DISTINCT c.os) AS systems
        FROM unnest(choices) c GROUP BY c.major_version) m;
  IF several_repositories OR several.variants OR several.systems THEN
    PERFORM image_library_internal.fail(
      errcode => 'ambiguous_alias',
      message => format('%s%s is ambiguous: several %s have it', image_library_internal.request_text(asked), for_whom,
        concat_ws(', ', CASE WHEN several_repositories THEN 'repositories' END, CASE WHEN several.variants THEN 'variants' END,
                  CASE WHEN several.systems THEN 'operating systems' END)),
      detail => image_library_internal.choices_text(ARRAY(
        SELECT c FROM unnest(choices) c WHERE several_repositories OR c.major_version = ANY (several.majors))),
      hint => concat_ws(' ',
        CASE WHEN several_repositories THEN 'Name registry => and repository =>, or channel => (see image_library.channels).' END,
        CASE WHEN several.variants THEN format('Say variant =>%s ('''' for none).', ' in image_library.alter_channel for ' || asked.channel) END,
        CASE WHEN several.systems THEN
          format('Say os =>%s, so that a cluster never moves to another: a new OS can change how text sorts.',
                 ' in image_library.alter_channel for ' || asked.channel) END));
  END IF;
  RETURN QUERY
    SELECT DISTINCT ON (c.major_version) c.*
    FROM unnest(choices) c
    ORDER BY c.major_version, c.newest_key DESC, c.pinned_reference COLLATE "C";
END
$$;
COMMENT ON FUNCTION image_library_internal.pick_postgres IS
  'Newest image of each major version that a request allows; raises P0002 if there is none, 42P09 if several repositories (unless a channel joins them), variants or systems are left';

CREATE FUNCTION image_library_internal.choices_text(choices image_library_internal.postgres_choice[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT 'Candidates are ' || string_agg(format('in registry %s, repository %s: %s', r.registry, r.repository, r.tags), '; '
                                         ORDER BY r.registry COLLATE "C", r.repository COLLATE "C") || '.'
  FROM (SELECT c.registry, c.repository,
               string_agg(concat(c.tag, ' (' || nullif(concat_ws(', ', 'variant ' || nullif(c.variant, ''),
                            CASE WHEN c.os <> '' THEN 'on ' || c.os WHEN c.system_told THEN 'operating system unknown' END), '') || ')'),
                          ', ' ORDER BY c.number)
               || CASE WHEN max(c.number) > 20 THEN ' ...' ELSE '' END AS tags
        FROM (SELECT x.*, bool_or(x.os <> '') OVER () AS system_told,
                     row_number() OVER (PARTITION BY x.registry, x.repository ORDER BY x.major_version, x.variant, x.os) AS number
              FROM unnest(choices) x) c
        WHERE c.number <= 21
        GROUP BY c.registry, c.repository
        ORDER BY 1, 2
        LIMIT 20) r
$$;
COMMENT ON FUNCTION image_library_internal.choices_text IS 'The candidates of an ambiguous request, as the detail of its error';

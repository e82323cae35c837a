-- Image references: which image of the library a reference names.

CREATE FUNCTION image_library_internal.parse_image_reference(reference text,
  OUT host text, OUT repository text, OUT tag text, OUT digest text, OUT short_name text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parsed record;
BEGIN
  IF reference IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'null_value_not_allowed',
      message => 'the image reference is null',
      hint => 'Write host/repository:tag or host/repository@sha256:<digest>.');
  END IF;
  -- Not selected: an assignment costs a tenth.
  parsed := image_library_internal.parse_reference(reference);
  host := parsed.host;
  repository := parsed.repository;
  tag := parsed.tag;
  digest := parsed.digest;
  short_name := parsed.short_name;
  IF tag IS NULL AND digest IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('image reference "%s" has neither tag nor digest', reference),
      hint => 'Write host/repository:tag or host/repository@sha256:<digest>.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.parse_image_reference IS
  'The parts of a reference to an image; raises 22023, 22004 for null';

CREATE FUNCTION image_library_internal.untagged(reference text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT regexp_replace(split_part(reference, '@', 1), ':[^:/]*$', '') $$;
COMMENT ON FUNCTION image_library_internal.untagged IS 'Host/repository of a reference';

-- A reference without host is first one to Docker Hub, as everywhere. Otherwise it is read as the name of a repository,
-- relative to its registry or in full. Tags do not count: a registry that is added later may make a name ambiguous, and
-- never gives it another meaning.
CREATE FUNCTION image_library_internal.referenced_repositories(host text, repository text, short_name text, in_registry text)
RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  repositories integer[];
BEGIN
  IF in_registry IS NOT NULL THEN
    PERFORM image_library_internal.find_registry(in_registry);
  END IF;
  repositories := ARRAY(
    SELECT r.repository_id
    FROM image_library_internal.visible_registry g
    -- Not compared with the place of the repository, so that the index on the names is used.
    JOIN image_library_internal.repository r
      ON r.registry_id = g.registry_id
     AND r.name = CASE WHEN g.prefix = '' THEN referenced_repositories.repository
                       WHEN starts_with(referenced_repositories.repository, g.prefix || '/')
                       THEN substr(referenced_repositories.repository, length(g.prefix) + 2) END
    WHERE g.host = referenced_repositories.host AND (in_registry IS NULL OR g.name = in_registry)
    ORDER BY r.repository_id);
  IF repositories <> '{}' OR short_name IS NULL THEN
    RETURN repositories;
  END IF;
  RETURN ARRAY(
    SELECT r.repository_id
    FROM image_library_internal.visible_registry g
    CROSS JOIN LATERAL (
      SELECT short_name AS name
      UNION
      SELECT substr(short_name, length(g.prefix) + 2) WHERE g.prefix <> '' AND starts_with(short_name, g.prefix || '/')) n
    JOIN image_library_internal.repository r ON r.registry_id = g.registry_id AND r.name = n.name
    WHERE (in_registry IS NULL OR g.name = in_registry)
      AND EXISTS (SELECT FROM image_library_internal.tag t WHERE t.repository_id = r.repository_id)
    ORDER BY r.repository_id);
END
$$;
COMMENT ON FUNCTION image_library_internal.referenced_repositories IS
  'Repositories that a reference may name; short_name is its name if it has no host, in_registry limits them to a registry (null: all); raises 42704';

-- A digest that its tag no longer points at is found by the tag's history: an approval belongs to the digest.
CREATE FUNCTION image_library_internal.candidates(repositories integer[], asked_tag text, asked_digest text,
  OUT registry_id integer, OUT registry text, OUT repository_id integer, OUT repository text, OUT tag text,
  OUT digest text, OUT rule_id bigint, OUT missing_since timestamptz, OUT pinned_reference text,
  OUT pinned boolean, OUT moved_to text, OUT gone_since timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  IF asked_digest IS NULL THEN
    RETURN QUERY
      SELECT r.registry_id, r.registry, r.repository_id, r.repository, t.name, t.digest, t.rule_id, t.missing_since,
             concat(r.place, ':', t.name, '@', t.digest), false, NULL::text, t.missing_since
      FROM image_library_internal.full_repository r
      CROSS JOIN LATERAL (
        SELECT x.name, x.digest, x.rule_id, x.missing_since FROM image_library_internal.tag x
        WHERE x.repository_id = r.repository_id AND x.name = asked_tag OFFSET 0) t
      WHERE r.repository_id = ANY (repositories)
      ORDER BY r.repository_id;
    RETURN;
  END IF;
  RETURN QUERY
    SELECT DISTINCT ON (r.repository_id) r.registry_id, r.registry, r.repository_id, r.repository, t.name, t.digest, t.rule_id, t.missing_since,
           concat(r.place, ':' || t.name, '@', t.digest), true, t.moved_to, there.gone_since
    FROM image_library_internal.full_repository r
    CROSS JOIN LATERAL (
      SELECT x.name, asked_digest AS digest, x.rule_id, x.missing_since,
             CASE WHEN x.digest <> asked_digest THEN x.digest END AS moved_to, NULL::timestamptz AS until
      FROM image_library_internal.tag x
      WHERE x.repository_id = r.repository_id AND x.name = asked_tag
        AND (x.digest = asked_digest
             OR EXISTS (SELECT FROM image_library_internal.tag_period p
                        WHERE p.repository_id = r.repository_id AND p.tag = x.name AND p.digest = asked_digest))
      UNION ALL
      -- A digest alone means any of its tags, admitted and present ones first.
      SELECT x.name, x.digest, x.rule_id, x.missing_since, NULL, NULL
      FROM image_library_internal.tag x
      WHERE x.repository_id = r.repository_id AND asked_tag IS NULL AND x.digest = asked_digest
      UNION ALL
      -- If none points at it any more, it means the one that last did.
      SELECT x.name, p.digest, x.rule_id, x.missing_since, x.digest, p.until
      FROM image_library_internal.tag_period p
      LEFT JOIN image_library_internal.tag x ON x.repository_id = p.repository_id AND x.name = p.tag
      WHERE p.repository_id = r.repository_id AND asked_tag IS NULL AND p.digest = asked_digest
        AND x.digest IS DISTINCT FROM p.digest) t
    -- The registry has the digest as long as a tag that is present points at it. Otherwise it was asked for it.
    CROSS JOIN LATERAL (
      SELECT CASE WHEN tags.present THEN NULL WHEN c.checked_at IS NOT NULL THEN c.gone_since
                  ELSE coalesce(tags.missing_since, t.missing_since) END AS gone_since
      FROM (SELECT bool_or(x.missing_since IS NULL) AS present, max(x.missing_since) AS missing_since
            FROM image_library_internal.tag x
            WHERE x.repository_id = r.repository_id AND x.digest = t.digest) tags
      LEFT JOIN image_library_internal.untagged_check c ON c.repository_id = r.repository_id AND c.digest = t.digest) there
    WHERE r.repository_id = ANY (repositories)
    ORDER BY r.repository_id, t.name IS NULL, t.rule_id IS NULL, t.moved_to IS NOT NULL, t.missing_since IS NOT NULL,
             t.until DESC NULLS FIRST, t.name;
END
$$;
COMMENT ON FUNCTION image_library_internal.candidates IS
  'Images of repositories that a tag, a digest or both name, one for each repository. pinned: a digest is named; moved_to: digest at which its tag points instead; gone_since: since when the registry does not have it, as far as is known';

CREATE FUNCTION image_library_internal.distance(a text, b text, at_most integer) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_distance';
COMMENT ON FUNCTION image_library_internal.distance IS
  'Number of characters to insert, delete or replace to make one text of another (Levenshtein); a larger number than at_most if it is more';

-- Errors name what was probably meant. Only a part of a large library is compared.
CREATE FUNCTION image_library_internal.did_you_mean(repositories integer[], host text, repository text, short_name text, tag text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH asked AS (
    SELECT coalesce(short_name, concat(did_you_mean.host, '/', did_you_mean.repository)) AS name,
           regexp_replace(did_you_mean.repository, '^.*/', '') AS last
  ), tags AS (
    SELECT concat(r.place, ':', t.name) AS reference,
           row_number() OVER (ORDER BY n.begins DESC, CASE WHEN NOT n.begins THEN n.distance END,
                                       image_library.version_key(t.name) DESC, r.place, t.name) AS n
    FROM (SELECT x.repository_id, x.name FROM image_library_internal.tag x
          WHERE x.repository_id = ANY (repositories) AND x.rule_id IS NOT NULL AND x.missing_since IS NULL LIMIT 10000) t
    JOIN image_library_internal.full_repository r USING (repository_id)
    CROSS JOIN LATERAL (SELECT starts_with(t.name, did_you_mean.tag) AS begins,
                               image_library_internal.distance(t.name, did_you_mean.tag, 1 + length(did_you_mean.tag) / 4) AS distance) n
    WHERE n.begins OR n.distance <= 1 + length(did_you_mean.tag) / 4
  ), repositories AS (
    SELECT concat(r.place, ':' || there.name) AS reference,
           row_number() OVER (ORDER BY there.name IS NULL, n.last, n.whole, r.place) AS n
    FROM (SELECT v.* FROM image_library_internal.visible_repository v
          WHERE did_you_mean.repositories = '{}'
            AND EXISTS (SELECT FROM image_library_internal.tag x WHERE x.repository_id = v.repository_id AND x.rule_id IS NOT NULL)
          LIMIT 10000) r
    CROSS JOIN asked
    CROSS JOIN LATERAL (SELECT image_library_internal.distance(regexp_replace(r.repository, '^.*/', ''), asked.last, 1 + length(asked.last) / 4) AS last,
                               image_library_internal.distance(r.place, asked.name, 1 + length(asked.name) / 2) AS whole) n
    LEFT JOIN image_library_internal.tag there
      ON there.repository_id = r.repository_id AND there.name = did_you_mean.tag AND there.rule_id IS NOT NULL
    WHERE n.last <= 1 + length(asked.last) / 4
  )
  SELECT format('Did you mean %s? ', string_agg(c.reference, ' or ' ORDER BY c.n))
  FROM (SELECT * FROM tags WHERE n <= 3 UNION ALL SELECT * FROM repositories WHERE n <= 3) c
  HAVING count(*) > 0
$$;
COMMENT ON FUNCTION image_library_internal.did_you_mean IS
  'Question that names the closest tags of some repositories, or the closest repositories if there are none, for the hint of an error; null: nothing is close';

CREATE FUNCTION image_library_internal.refuse_ambiguous(reference text, places text[], registries text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.fail(
    errcode => 'ambiguous_alias',
    message => format('image reference "%s" is ambiguous', reference),
    detail => format('It may be %s.', (SELECT string_agg(format('%s in registry %s', c.place, c.registry), ', or ' ORDER BY c.place, c.registry)
                                      FROM unnest(places, registries) AS c (place, registry))),
    hint => format(CASE WHEN (SELECT count(DISTINCT p) FROM unnest(places) p) > 1 THEN 'Write the host and the whole repository, or say registry => %L.'
                       ELSE 'Say registry => %L; in a query over a view, registry => registry.' END, (SELECT min(r COLLATE "C") FROM unnest(registries) r)));
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_ambiguous IS 'Raises 42P09 with the images that a reference may name';

CREATE FUNCTION image_library_internal.find_image(reference text, in_registry text DEFAULT NULL,
  OUT registry_id integer, OUT registry text, OUT repository_id integer, OUT repository text, OUT tag text,
  OUT digest text, OUT rule_id bigint, OUT missing_since timestamptz, OUT pinned_reference text,
  OUT pinned boolean, OUT moved_to text, OUT gone_since timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  asked record := image_library_internal.parse_image_reference(reference);
  repositories integer[] := image_library_internal.referenced_repositories(asked.host, asked.repository, asked.short_name, in_registry);
  places text[];
  registries text[];
BEGIN
  IF cardinality(repositories) > 1 THEN
    -- By the name alone; with a host, the registries that have the image count.
    SELECT array_agg(r.place), array_agg(r.registry) INTO places, registries
    FROM image_library_internal.full_repository r
    WHERE r.repository_id = ANY (repositories) AND r.place <> concat(asked.host, '/', asked.repository);
    IF places IS NOT NULL THEN
      PERFORM image_library_internal.refuse_ambiguous(reference, places, registries);
    END IF;
    SELECT array_agg(image_library_internal.untagged(c.pinned_reference)), array_agg(c.registry) INTO places, registries
    FROM image_library_internal.candidates(repositories, asked.tag, asked.digest) c;
    IF cardinality(registries) > 1 THEN
      PERFORM image_library_internal.refuse_ambiguous(reference, places, registries);
    END IF;
  END IF;
  SELECT c.registry_id, c.registry, c.repository_id, c.repository, c.tag, c.digest, c.rule_id, c.missing_since, c.pinned_reference,
         c.pinned, c.moved_to, c.gone_since
  INTO registry_id, registry, repository_id, repository, tag, digest, rule_id, missing_since, pinned_reference, pinned, moved_to, gone_since
  FROM image_library_internal.candidates(repositories, asked.tag, asked.digest) c;
  IF NOT FOUND THEN
    PERFORM image_library_internal.refuse_unknown(reference, repositories, asked);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.find_image IS
  'Image that a reference names, also if its tag has moved since; in_registry tells apart registries that overlap; raises 22004, 22023, 42704 unknown, 42P09 ambiguous, 55000 the tag never pointed at the digest';

CREATE FUNCTION image_library_internal.refuse_unknown(reference text, repositories integer[], asked record) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tag_now text;
  place text := concat(asked.host, '/', asked.repository);
BEGIN
  -- A reference without host that names one repository.
  IF cardinality(repositories) = 1 THEN
    SELECT r.place INTO place FROM image_library_internal.full_repository r WHERE r.repository_id = repositories[1];
  END IF;
  IF asked.tag IS NOT NULL AND asked.digest IS NOT NULL THEN
    SELECT c.digest INTO tag_now FROM image_library_internal.candidates(repositories, asked.tag, NULL) c LIMIT 1;
    IF tag_now IS NOT NULL THEN
      PERFORM image_library_internal.fail(
        errcode => 'object_not_in_prerequisite_state',
        message => format('tag "%s" has never pointed at %s', asked.tag, asked.digest),
        detail => format('In repository %s it points at %s.', place, tag_now),
        hint => 'Write the tag of the digest, or leave the tag out to mean the digest.');
    END IF;
  END IF;
  PERFORM image_library_internal.fail(
    errcode => 'undefined_object',
    message => format('image "%s"%s is not in the library', reference,
      CASE WHEN NOT starts_with(reference, place) THEN format(', which is of %s,', place) END),
    hint => coalesce(image_library_internal.did_you_mean(repositories, asked.host, asked.repository, asked.short_name, asked.tag), '')
           || 'See image_library.images; image_library.explain_tag tells why a tag is out.');
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_unknown IS
  'Raises 42704 with what is similar to a reference, or 55000 if its tag never pointed at its digest';

CREATE FUNCTION image_library_internal.is_known(reference text, in_registry text DEFAULT NULL) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM image_library_internal.parse_image_reference(reference) a
    CROSS JOIN LATERAL image_library_internal.candidates(
      image_library_internal.referenced_repositories(a.host, a.repository, a.short_name, in_registry), a.tag, a.digest))
$$;
COMMENT ON FUNCTION image_library_internal.is_known IS 'Whether a reference names images of the library; raises 22004, 22023';

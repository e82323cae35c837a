-- Finding images: search by words, the newest tags of a repository, and how much there is.

CREATE TYPE image_library.found_image AS (
  reference text, registry text, repository text, tag text, digest text, kind text, approval text, version text,
  title text, publisher text, missing_since timestamptz, matched text);
COMMENT ON TYPE image_library.found_image IS 'A row of search_images';
COMMENT ON COLUMN image_library.found_image.matched IS
  'Where the words are: repository (all in its name), text (names, titles, HM tags, extensions ...) or similar (words like them)';

-- As pg_trgm reads a word, without need of pg_trgm: two blanks before it, one after.
CREATE FUNCTION image_library._trigrams(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY(SELECT DISTINCT substr('  ' || word || ' ', n, 3) FROM generate_series(1, length(word) + 1) n)
$$;
COMMENT ON FUNCTION image_library._trigrams(text) IS 'Internal: the trigrams of a word';

CREATE FUNCTION image_library._similarity(a text[], b text[]) RETURNS real
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT s.shared / (cardinality(a) + cardinality(b) - s.shared)::real
  FROM (SELECT count(*) FROM unnest(a) t WHERE t = ANY (b)) AS s (shared)
$$;
COMMENT ON FUNCTION image_library._similarity(text[], text[]) IS
  'Internal: how much of two sets of trigrams is shared, from 0 to 1';

-- Words are data: what LIKE would take for wildcards is escaped.
CREATE FUNCTION image_library._like_pattern(word text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '%' || replace(replace(replace(word, '\', '\\'), '%', '\%'), '_', '\_') || '%' $$;
COMMENT ON FUNCTION image_library._like_pattern(text) IS 'Internal: the pattern for LIKE of what has a word';

-- Repositories are few beside tags: what their names have of the words is asked once, and tags only for the rest.
-- Titles of images that are neither Postgres nor model are not in the read model, so they are read on demand.
CREATE FUNCTION image_library._search(words text[], kind text, other_titles boolean, max_rows integer)
RETURNS SETOF image_library.found_image
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH asked AS (
    SELECT ARRAY(SELECT image_library._like_pattern(w) FROM unnest(words) w) AS patterns,
           ARRAY(SELECT image_library._like_pattern(' ' || w || ' ') FROM unnest(words) w) AS whole
  ), named AS MATERIALIZED (
    SELECT r.repository_id, g.name AS registry, g.host, r.name,
           concat_ws('/', g.host, nullif(g.prefix, ''), r.name) AS reference,
           lower(r.name COLLATE "default") LIKE ALL (asked.patterns) AS in_name,
           ' ' || translate(lower(r.name COLLATE "default"), '/-_.', '    ') || ' ' LIKE ALL (asked.whole) AS in_words,
           ARRAY(SELECT p FROM unnest(asked.patterns) p WHERE about.text NOT LIKE p) AS missing
    FROM image_library.repository r
    JOIN image_library.registry g USING (registry_id)
    CROSS JOIN asked
    CROSS JOIN LATERAL (
      SELECT lower(concat_ws(' ', concat_ws('/', g.host, nullif(g.prefix, ''), r.name),
        (SELECT string_agg(h.name, ' ') FROM image_library.hm_tag_repository x JOIN image_library.hm_tag h USING (hm_tag_id)
         WHERE x.repository_id = r.repository_id),
        array_to_string(image_library._system_tags(g.host, '{}'), ' ')) COLLATE "default")) AS about (text)
    WHERE g.registry_id <> ALL (image_library._hidden_registries())
  ), given AS MATERIALIZED (
    SELECT x.repository_id, x.tag, string_agg(h.name, ' ') AS hm_tags
    FROM image_library.hm_tag_image x JOIN image_library.hm_tag h USING (hm_tag_id)
    GROUP BY 1, 2
  ), found AS (
    SELECT n.registry, n.reference || ':' || t.name AS reference, n.name AS repository, n.in_name, n.in_words, t.repository_id,
           t.name AS tag, t.digest, t.missing_since, coalesce(e.kind, 'other') AS kind, e.version, e.title, e.publisher,
           e.approval
    FROM named n
    JOIN image_library.tag t USING (repository_id)
    LEFT JOIN image_library.entry e ON e.repository_id = t.repository_id AND e.tag = t.name
    LEFT JOIN given v ON v.repository_id = t.repository_id AND v.tag = t.name
    LEFT JOIN image_library.image i ON other_titles AND e.tag IS NULL AND i.digest = t.digest
    WHERE t.rule_id IS NOT NULL
      AND (_search.kind IS NULL OR coalesce(e.kind, 'other') = _search.kind)
      AND (n.missing = '{}'
           OR lower(concat_ws(' ', t.name, v.hm_tags, e.title, e.description, e.publisher, e.model, e.flavor, e.variant, e.os,
                              e.format, e.task, array_to_string(e.extensions, ' '), array_to_string(e.features, ' '),
                              array_to_string(e.system_tags, ' '),
                              i.annotations ->> 'org.opencontainers.image.title',
                              i.annotations ->> 'org.opencontainers.image.description',
                              i.labels ->> 'org.opencontainers.image.title',
                              i.labels ->> 'org.opencontainers.image.description') COLLATE "default") LIKE ALL (n.missing))
    ORDER BY n.in_words DESC, n.in_name DESC, t.missing_since IS NOT NULL, n.name, n.registry,
             image_library.version_key(t.name) DESC
    LIMIT max_rows
  )
  SELECT f.reference, f.registry, f.repository, f.tag, f.digest, f.kind, coalesce(f.approval, a.state, 'pending'),
         coalesce(f.version, i.annotations ->> 'org.opencontainers.image.version',
                  i.labels ->> 'org.opencontainers.image.version'),
         coalesce(f.title, i.annotations ->> 'org.opencontainers.image.title', i.labels ->> 'org.opencontainers.image.title'),
         f.publisher, f.missing_since, CASE WHEN f.in_name THEN 'repository' ELSE 'text' END
  FROM found f
  LEFT JOIN image_library.image i ON i.digest = f.digest
  LEFT JOIN image_library.approval a ON a.repository_id = f.repository_id AND a.digest = f.digest
  ORDER BY f.in_words DESC, f.in_name DESC, f.missing_since IS NOT NULL, f.repository, f.registry,
           image_library.version_key(f.tag) DESC
$$;
COMMENT ON FUNCTION image_library._search(text[], text, boolean, integer) IS
  'Internal: images that have every one of some words in lower case, best first';

CREATE FUNCTION image_library._similar_words(words text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH name AS (
    SELECT r.name COLLATE "default" AS text FROM image_library.repository r
    WHERE r.registry_id <> ALL (image_library._hidden_registries())
    UNION SELECT x.name FROM image_library.image_extension x
    UNION SELECT h.name FROM image_library.hm_tag h
    UNION SELECT unnest(ARRAY[e.title, e.publisher, e.model, e.flavor, e.variant, e.task]) FROM image_library.entry e
    WHERE e.registry_id <> ALL (image_library._hidden_registries())
  ), known AS MATERIALIZED (
    SELECT DISTINCT w AS word, image_library._trigrams(w) AS trigrams
    FROM name, regexp_split_to_table(lower(name.text), '[^[:alnum:].]+') w
    WHERE length(w) BETWEEN 3 AND 63
  )
  SELECT array_agg(coalesce(best.word, a.word) ORDER BY a.position)
  FROM unnest(words) WITH ORDINALITY AS a (word, position)
  LEFT JOIN LATERAL (
    SELECT k.word
    FROM known k, image_library._similarity(k.trigrams, image_library._trigrams(a.word)) s
    WHERE s >= 0.3 AND length(a.word) <= 63
      -- A word that is somewhere is meant as it is.
      AND NOT EXISTS (SELECT FROM known same WHERE strpos(same.word, a.word) > 0)
    ORDER BY s DESC, k.word LIMIT 1) best ON true
$$;
COMMENT ON FUNCTION image_library._similar_words(text[]) IS
  'Internal: words of the library in place of those it does not have, where they share trigrams enough';

CREATE FUNCTION image_library.search_images(query text, kind text DEFAULT NULL, max_rows integer DEFAULT 50)
RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  words text[] := ARRAY(SELECT DISTINCT w FROM regexp_split_to_table(lower(btrim(left(query, 1000))), '\s+') w WHERE w <> '');
  similar_words text[];
  images image_library.found_image[];
BEGIN
  IF cardinality(words) = 0 OR length(query) > 1000 THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = CASE WHEN length(query) > 1000 THEN 'the search is longer than 1000 characters' ELSE 'the search has no word' END,
      HINT = 'Write words of a repository, tag, title, HM tag, publisher or extension.';
  END IF;
  IF search_images.kind NOT IN ('postgres', 'model', 'other') THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('unknown kind "%s"', search_images.kind),
      HINT = 'It is postgres, model or other.';
  END IF;
  max_rows := greatest(coalesce(max_rows, 50), 0);
  images := ARRAY(SELECT s FROM image_library._search(words, search_images.kind, false, max_rows) s);
  IF cardinality(images) < max_rows AND coalesce(search_images.kind, 'other') = 'other' THEN
    images := ARRAY(SELECT s FROM image_library._search(words, search_images.kind, true, max_rows) s);
  END IF;
  IF cardinality(images) > 0 OR max_rows = 0 THEN
    RETURN QUERY SELECT i.* FROM unnest(images) i;
    RETURN;
  END IF;
  similar_words := image_library._similar_words(words);
  IF similar_words <> words THEN
    RETURN QUERY
      SELECT s.reference, s.registry, s.repository, s.tag, s.digest, s.kind, s.approval, s.version, s.title, s.publisher,
             s.missing_since, 'similar'
      FROM image_library._search(similar_words, search_images.kind, true, max_rows) s;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.search_images(text, text, integer) IS
  'Images that have every word of the query, or a part of a word, in host, repository, tag, title, description, HM tags, publisher,
model, flavor, variant, task, extensions or features. Best first: whole words of the repository''s name, parts of it, elsewhere;
then present before missing, and newest first. Where nothing has a word, the word most like it stands in (matched = similar)';

CREATE FUNCTION image_library.recent_tags(registry text, repository text, max_rows integer DEFAULT 10)
RETURNS SETOF image_library.images
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library._known_repository_id(registry, repository);
  RETURN QUERY
    SELECT i.* FROM image_library.images i
    WHERE i.registry = recent_tags.registry AND i.repository = recent_tags.repository AND i.missing_since IS NULL
    ORDER BY coalesce(i.created_at, i.first_seen_at) DESC, image_library.version_key(i.tag) DESC
    LIMIT greatest(coalesce(max_rows, 10), 0);
END
$$;
COMMENT ON FUNCTION image_library.recent_tags(text, text, integer) IS
  'The newest present tags of a repository as rows of images: by creation as published, else as first seen, then by version';

CREATE VIEW image_library.library_stats WITH (security_barrier) AS
  SELECT g.name AS registry,
         count(DISTINCT t.repository_id) AS repositories,
         count(t.name) AS tags,
         count(*) FILTER (WHERE e.kind = 'postgres') AS postgres_images,
         count(*) FILTER (WHERE e.kind = 'model') AS models,
         count(t.name) FILTER (WHERE e.kind IS NULL) AS others,
         count(t.name) FILTER (WHERE coalesce(a.state, 'pending') = 'pending') AS pending,
         count(*) FILTER (WHERE a.state = 'approved') AS approved,
         count(*) FILTER (WHERE a.state = 'rejected') AS rejected,
         count(*) FILTER (WHERE a.state = 'revoked') AS revoked,
         count(*) FILTER (WHERE a.state = 'approved' AND e.kind = 'postgres') AS approved_postgres_images,
         count(*) FILTER (WHERE a.state = 'approved' AND e.kind = 'model') AS approved_models
  FROM image_library.registry g
  LEFT JOIN image_library.repository r USING (registry_id)
  LEFT JOIN image_library.tag t
    ON t.repository_id = r.repository_id AND t.rule_id IS NOT NULL AND t.missing_since IS NULL
  LEFT JOIN image_library.entry e ON e.repository_id = t.repository_id AND e.tag = t.name
  LEFT JOIN image_library.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest
  WHERE g.registry_id <> ALL ((SELECT image_library._hidden_registries())::integer[])
  GROUP BY GROUPING SETS ((g.name), ());
COMMENT ON VIEW image_library.library_stats IS
  'How many image tags are there and in which state, by registry; registry null is the total';

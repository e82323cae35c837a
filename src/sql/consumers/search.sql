-- Search by words, newest tags of a repository, statistics.

CREATE TYPE image_library.found_image AS (
  reference text, registry text, repository text, tag text, digest text, kind text, approval text, version text,
  title text, publisher text, missing_since timestamptz, matched text);
COMMENT ON TYPE image_library.found_image IS 'A row of search_images';
COMMENT ON COLUMN image_library.found_image.matched IS
  'Where the words were found: repository (all in its name), text (names, titles, HM tags, extensions ...) or similar (similar words)';

-- The trigrams that pg_trgm extracts from a word: with two blanks before it and one after. The library does not require
-- pg_trgm, since that is in another package of the server, and few words are compared here: those of a search that
-- found nothing, and repository names.
CREATE FUNCTION image_library_internal.trigrams(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY(SELECT DISTINCT substr('  ' || word || ' ', n, 3) FROM generate_series(1, length(word) + 1) n)
$$;
COMMENT ON FUNCTION image_library_internal.trigrams IS 'The trigrams of a word';

-- Escapes the wildcards of LIKE.
CREATE FUNCTION image_library_internal.like_pattern(word text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '%' || replace(replace(replace(word, '\', '\\'), '%', '\%'), '_', '\_') || '%' $$;
COMMENT ON FUNCTION image_library_internal.like_pattern IS 'LIKE pattern for texts that contain a word';

CREATE TYPE image_library_internal.named_repository AS (
  repository_id integer, registry text, repository text, reference text, in_name boolean, missing text[]);
COMMENT ON TYPE image_library_internal.named_repository IS
  'A repository, and the patterns of a search that its name, host and HM tags do not match';

-- ASCII case folding compares bytes, which is fast; tags and names are ASCII. A search of many tags spends most of its
-- time here.
CREATE FUNCTION image_library_internal.named_repositories(patterns text[], whole text[])
RETURNS SETOF image_library_internal.named_repository
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.repository_id, r.registry, r.repository, r.place, folded.name LIKE ALL (patterns),
         ARRAY(SELECT p FROM unnest(patterns) p WHERE about.text NOT LIKE p)
  FROM image_library_internal.visible_repository r
  CROSS JOIN LATERAL (SELECT lower(r.repository COLLATE "C")) AS folded (name)
  CROSS JOIN LATERAL (
    SELECT lower(concat_ws(' ', r.place,
      (SELECT string_agg(h.name, ' ') FROM image_library_internal.hm_tag_repository x JOIN image_library_internal.hm_tag h USING (hm_tag_id)
       WHERE x.repository_id = r.repository_id),
      array_to_string(image_library_internal.system_tags(r.host, '{}'), ' ')) COLLATE "C")) AS about (text)
  ORDER BY ' ' || translate(folded.name, '/-_.', '    ') || ' ' LIKE ALL (whole) DESC, folded.name LIKE ALL (patterns) DESC,
           r.repository, r.registry
$$;
COMMENT ON FUNCTION image_library_internal.named_repositories IS
  'All repositories, those first whose names have the words as whole words, then those that have them as parts';

-- One repository after the other, best first, so that a search ends when it has enough rows. Words found in the name of
-- the repository are not looked for in its tags.
CREATE FUNCTION image_library_internal.search(words text[], kind text, max_rows integer) RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  named image_library_internal.named_repository;
  wanted integer := max_rows;
  found_rows integer;
BEGIN
  FOR named IN
    SELECT n.* FROM image_library_internal.named_repositories(
      ARRAY(SELECT image_library_internal.like_pattern(w) FROM unnest(words) w),
      ARRAY(SELECT image_library_internal.like_pattern(' ' || w || ' ') FROM unnest(words) w)) n
  LOOP
    EXIT WHEN wanted <= 0;
    RETURN QUERY
      SELECT (named.reference || ':' || t.name)::text, named.registry, named.repository, t.name::text, t.digest::text,
             coalesce(e.kind, 'other'), coalesce(e.approval, a.state, 'pending'),
             coalesce(e.version, i.version),
             coalesce(e.title, i.title),
             e.publisher, t.missing_since, CASE WHEN named.in_name THEN 'repository' ELSE 'text' END
      FROM (SELECT t.*
            FROM image_library_internal.tag t
            LEFT JOIN image_library_internal.entry e ON e.repository_id = t.repository_id AND e.tag = t.name
            LEFT JOIN (SELECT x.tag, string_agg(h.name, ' ') AS hm_tags
                       FROM image_library_internal.hm_tag_image x JOIN image_library_internal.hm_tag h USING (hm_tag_id)
                       WHERE x.repository_id = named.repository_id GROUP BY x.tag) v ON v.tag = t.name
            WHERE t.repository_id = named.repository_id AND t.rule_id IS NOT NULL
              AND (search.kind IS NULL OR coalesce(e.kind, 'other') = search.kind)
              AND (named.missing = '{}'
                   OR lower(CASE WHEN e.tag IS NULL THEN concat_ws(' ', t.name, v.hm_tags)
                                 ELSE image_library_internal.entry_text(e, v.hm_tags) END COLLATE "C") LIKE ALL (named.missing))
            ORDER BY t.missing_since IS NOT NULL, image_library.version_key(t.name) DESC
            LIMIT wanted) t
      LEFT JOIN image_library_internal.entry e ON e.repository_id = t.repository_id AND e.tag = t.name
      LEFT JOIN image_library_internal.image i ON i.digest = t.digest
      LEFT JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest
      ORDER BY t.missing_since IS NOT NULL, image_library.version_key(t.name) DESC;
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    wanted := wanted - found_rows;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.search IS
  'Images that have every one of some lower-case words in the read model and names, best first';

CREATE FUNCTION image_library_internal.entry_text(e image_library_internal.entry, hm_tags text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT concat_ws(' ', e.tag, hm_tags, e.title, e.description, e.publisher, e.model, e.flavor, e.variant, e.os, e.format, e.task,
                   array_to_string(e.extensions, ' '), array_to_string(e.features, ' '), array_to_string(e.system_tags, ' '))
$$;
COMMENT ON FUNCTION image_library_internal.entry_text IS 'Text of a Postgres or model image that a search looks at';

-- Titles of images that are neither Postgres nor models are not in the read model; their words have an index.
CREATE FUNCTION image_library_internal.title_words(title text, description text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT to_tsvector('simple', left(concat_ws(' ', title, description), 2000)) $$;
COMMENT ON FUNCTION image_library_internal.title_words IS 'The words of title and description';
GRANT EXECUTE ON FUNCTION image_library_internal.title_words TO image_library_agent;
CREATE INDEX image_title ON image_library_internal.image USING gin (image_library_internal.title_words(title, description));

CREATE FUNCTION image_library_internal.search_titles(words text[], max_rows integer) RETURNS SETOF image_library.found_image
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH asked AS (
    SELECT string_agg(quote_literal(l.lexeme) || ':*', ' & ')::tsquery AS every_word,
           string_agg(quote_literal(l.lexeme) || ':*', ' | ')::tsquery AS any_word
    FROM unnest(words) w, unnest(to_tsvector('simple', w)) l
  )
  SELECT n.reference || ':' || t.name, n.registry, n.repository, t.name, t.digest, 'other', coalesce(a.state, 'pending'),
         i.version, i.title, NULL::text, t.missing_since, 'text'
  FROM (SELECT c.digest FROM asked, LATERAL (
          SELECT i.digest FROM image_library_internal.image i
          WHERE image_library_internal.title_words(i.title, i.description) @@ asked.every_word LIMIT 10000) c
        UNION
        -- Of words that are in many titles only some images are tried, since the names may have the other words.
        SELECT c.digest FROM asked, LATERAL (
          SELECT i.digest FROM image_library_internal.image i
          WHERE image_library_internal.title_words(i.title, i.description) @@ asked.any_word LIMIT 10000) c) candidate
  JOIN image_library_internal.image i ON i.digest = candidate.digest
  JOIN image_library_internal.tag t ON t.digest = i.digest
  JOIN image_library_internal.named_repositories(ARRAY(SELECT image_library_internal.like_pattern(w) FROM unnest(words) w), '{}') n USING (repository_id)
  LEFT JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest
  WHERE t.rule_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM image_library_internal.entry e WHERE e.repository_id = t.repository_id AND e.tag = t.name)
    AND lower(concat_ws(' ', t.name, i.title, i.description) COLLATE "C") LIKE ALL (n.missing)
  ORDER BY t.missing_since IS NOT NULL, n.repository, n.registry, image_library.version_key(t.name) DESC
  LIMIT max_rows
$$;
COMMENT ON FUNCTION image_library_internal.search_titles IS
  'Images other than Postgres and models with title or description words that begin with some of the words, and names that have the others';

CREATE FUNCTION image_library_internal.search_everywhere(words text[], kind text, max_rows integer) RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  images image_library.found_image[] := ARRAY(SELECT s FROM image_library_internal.search(words, kind, max_rows) s);
BEGIN
  RETURN QUERY SELECT i.* FROM unnest(images) i;
  IF cardinality(images) < max_rows AND coalesce(kind, 'other') = 'other' THEN
    RETURN QUERY
      SELECT t.* FROM image_library_internal.search_titles(words, max_rows) t
      WHERE NOT EXISTS (SELECT FROM unnest(images) i WHERE i.registry = t.registry AND i.reference = t.reference)
      LIMIT max_rows - cardinality(images);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.search_everywhere IS
  'Images that have every one of some words, those found by name before those found by title';

CREATE FUNCTION image_library_internal.similar_words(words text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH name AS (
    SELECT r.repository AS text FROM image_library_internal.visible_repository r
    UNION SELECT x.name FROM image_library_internal.image_extension x
    WHERE image_library_internal.hidden_registries() = '{}' OR image_library_internal.digest_visible(x.digest)
    UNION SELECT h.name FROM image_library_internal.hm_tag h
    UNION SELECT unnest(ARRAY[e.title, e.publisher, e.model, e.flavor, e.variant, e.task])
    FROM (SELECT DISTINCT e.title, e.publisher, e.model, e.flavor, e.variant, e.task
          FROM image_library_internal.entry e JOIN image_library_internal.visible_repository r USING (repository_id)) e
  ), known AS MATERIALIZED (
    SELECT DISTINCT w COLLATE "C" AS word
    FROM name, regexp_split_to_table(lower(name.text COLLATE "C"), '[^[:alnum:].]+') w
    WHERE length(w) BETWEEN 3 AND 63 AND w ~ '[^0-9.]'
  ), asked AS MATERIALIZED (
    SELECT a.word, a.position, image_library_internal.trigrams(a.word) AS trigrams
    FROM unnest(words) WITH ORDINALITY AS a (word, position)
    -- A word that the library has is not replaced.
    WHERE length(a.word) <= 63 AND NOT EXISTS (SELECT FROM known k WHERE strpos(k.word, a.word) > 0)
  ), likest AS (
    SELECT DISTINCT ON (a.position) a.position, k.word
    FROM asked a
    CROSS JOIN known k
    CROSS JOIN LATERAL (
      SELECT count(*) AS trigrams, count(*) FILTER (WHERE t.trigram = ANY (a.trigrams)) AS shared
      FROM (SELECT DISTINCT substr('  ' || k.word || ' ', n, 3) AS trigram FROM generate_series(1, length(k.word) + 1) n) t) own
    WHERE own.shared >= 0.3 * (own.trigrams + cardinality(a.trigrams) - own.shared)
    ORDER BY a.position, own.shared::real / (own.trigrams + cardinality(a.trigrams) - own.shared) DESC, k.word
  )
  SELECT array_agg(coalesce(l.word, w.word) ORDER BY w.position)
  FROM unnest(words) WITH ORDINALITY AS w (word, position)
  LEFT JOIN likest l ON l.position = w.position
$$;
COMMENT ON FUNCTION image_library_internal.similar_words IS
  'Similar words of the library, by trigrams, for words that it does not have';

CREATE FUNCTION image_library.search_images(query text, kind text DEFAULT NULL, max_rows integer DEFAULT 50)
RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  words text[] := ARRAY(SELECT DISTINCT w FROM regexp_split_to_table(lower(left(query, 1000) COLLATE "C"), '\s+') w WHERE w <> '');
  similar_words text[];
BEGIN
  IF cardinality(words) = 0 OR length(query) > 1000 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => CASE WHEN length(query) > 1000 THEN 'the search is longer than 1000 characters' ELSE 'the search has no word' END,
      hint => 'Write words of a repository, tag, title, HM tag, publisher or extension.');
  END IF;
  IF search_images.kind <> ALL (image_library_internal.kinds()) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown kind "%s"', search_images.kind),
      hint => format('It is %s.', image_library_internal.one_of(image_library_internal.kinds())));
  END IF;
  max_rows := greatest(coalesce(max_rows, 50), 0);
  RETURN QUERY SELECT s.* FROM image_library_internal.search_everywhere(words, search_images.kind, max_rows) s;
  IF FOUND OR max_rows = 0 THEN
    RETURN;
  END IF;
  similar_words := image_library_internal.similar_words(words);
  IF similar_words <> words THEN
    RETURN QUERY
      SELECT s.reference, s.registry, s.repository, s.tag, s.digest, s.kind, s.approval, s.version, s.title, s.publisher,
             s.missing_since, 'similar'
      FROM image_library_internal.search_everywhere(similar_words, search_images.kind, max_rows) s;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.search_images IS
  'Images that have every word of the query, whole or as a part, in host, repository, tag, title, description, HM tags, publisher, model, flavor, variant, task, extensions or features. Order: whole words of the repository''s name, parts of it, others; within a repository present before missing, newest first. Titles of images that are neither Postgres nor models are found by the beginnings of their words. ASCII letters match regardless of case. If no image has a word, the most similar word is used (matched = similar)';
GRANT EXECUTE ON FUNCTION image_library.search_images TO image_library_reader;

CREATE FUNCTION image_library.recent_tags(registry text, repository text, max_rows integer DEFAULT 10)
RETURNS SETOF image_library.images
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.known_repository_id(registry, repository);
  RETURN QUERY
    SELECT i.* FROM image_library.images i
    WHERE i.registry = recent_tags.registry AND i.repository = recent_tags.repository AND i.missing_since IS NULL
    ORDER BY coalesce(i.created_at, i.first_seen_at) DESC, image_library.version_key(i.tag) DESC
    LIMIT greatest(coalesce(max_rows, 10), 0);
END
$$;
COMMENT ON FUNCTION image_library.recent_tags IS
  'Newest present tags of a repository as rows of images: by published creation time, else by the time first seen, then by version';
GRANT EXECUTE ON FUNCTION image_library.recent_tags TO image_library_reader;

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
  FROM image_library_internal.visible_registry g
  LEFT JOIN image_library_internal.repository r USING (registry_id)
  LEFT JOIN image_library_internal.tag t
    ON t.repository_id = r.repository_id AND t.rule_id IS NOT NULL AND t.missing_since IS NULL
  LEFT JOIN image_library_internal.entry e ON e.repository_id = t.repository_id AND e.tag = t.name
  LEFT JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest
  GROUP BY GROUPING SETS ((g.name), ());
COMMENT ON VIEW image_library.library_stats IS 'Number of image tags by registry and state; registry null: the total';
GRANT SELECT ON image_library.library_stats TO image_library_reader;

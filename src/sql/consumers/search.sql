-- Search by words, newest tags of a repository, statistics.

CREATE TYPE image_library.found_image AS (
  reference text, registry text, repository text, tag text, digest text, kind text, approval text, version text,
  title text, publisher text, missing_since timestamptz, matched text);
COMMENT ON TYPE image_library.found_image IS 'A row of search_images';
COMMENT ON COLUMN image_library.found_image.matched IS
  'Where the words were found: repository (all in its name), text (names, titles, HM tags, extensions ...), digest or similar (similar words)';

-- Escapes the wildcards of LIKE.
CREATE FUNCTION image_library_internal.like_pattern(word text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '%' || replace(replace(replace(word, E'\\', E'\\\\'), '%', E'\\%'), '_', E'\\_') || '%' $$;
COMMENT ON FUNCTION image_library_internal.like_pattern IS 'LIKE pattern for texts that contain a word';

CREATE TYPE image_library_internal.named_repository AS (
  repository_id integer, registry text, repository text, reference text, in_name boolean, missing text[]);
COMMENT ON TYPE image_library_internal.named_repository IS
  'A repository, and the patterns of a search that its name, host and HM tags do not match';

CREATE FUNCTION image_library_internal.asked_keys(words text[]) RETURNS integer[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.short_keys(image_library_internal.text_keys('{}', words),
                                           ARRAY(SELECT w FROM unnest(words) w WHERE octet_length(w) < 3))
$$;
COMMENT ON FUNCTION image_library_internal.asked_keys IS 'Keys that the texts must have in which some words are found';

-- Words of names, hosts and HM tags are compared, the others have keys. A word with a slash may begin in the host and end in
-- the name, so its parts count.
CREATE FUNCTION image_library_internal.search_keys(words text[]) RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  elsewhere text := lower(concat_ws(' ',
    (SELECT string_agg(concat_ws('/', g.host, nullif(g.prefix, '')), ' ') FROM image_library_internal.visible_registry g),
    (SELECT string_agg(h.name, ' ') FROM image_library_internal.hm_tag h),
    (SELECT string_agg(array_to_string(image_library_internal.system_tags(g.host, '{}'), ' '), ' ') FROM image_library_internal.visible_registry g)) COLLATE "C");
  parts text[];
BEGIN
  parts := ARRAY(SELECT p FROM unnest(words) w, string_to_table(w, '/') p WHERE p <> '' AND strpos(elsewhere, p) = 0);
  RETURN image_library_internal.asked_keys(parts);
END
$$;
COMMENT ON FUNCTION image_library_internal.search_keys IS
  'Keys that a repository must have to have all of some lower-case words; empty: they do not tell';

-- ASCII case folding compares bytes, which is fast; tags and names are ASCII.
CREATE FUNCTION image_library_internal.name_words(name text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN string_to_array(translate(lower(name COLLATE "C"), '/-_.', '    '), ' ');
COMMENT ON FUNCTION image_library_internal.name_words IS 'The words of a repository''s name in lower case';
GRANT EXECUTE ON FUNCTION image_library_internal.name_words TO image_library_agent;
CREATE INDEX repository_words ON image_library_internal.repository USING gin (image_library_internal.name_words(name));

CREATE FUNCTION image_library_internal.name_keys(name text) RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN image_library_internal.short_keys(image_library_internal.text_keys('{}', ARRAY[name]), ARRAY[name]);
COMMENT ON FUNCTION image_library_internal.name_keys IS 'Keys of a repository''s name';
GRANT EXECUTE ON FUNCTION image_library_internal.name_keys TO image_library_agent;
CREATE INDEX repository_name_keys ON image_library_internal.repository USING gin (image_library_internal.name_keys(name));

CREATE FUNCTION image_library_internal.missing_patterns(repository_id integer, place text, host text, patterns text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  about text := lower(concat_ws(' ', place,
    (SELECT string_agg(h.name, ' ') FROM image_library_internal.hm_tag_repository x JOIN image_library_internal.hm_tag h USING (hm_tag_id)
     WHERE x.repository_id = missing_patterns.repository_id),
    array_to_string(image_library_internal.system_tags(host, '{}'), ' ')) COLLATE "C");
BEGIN
  RETURN ARRAY(SELECT p FROM unnest(patterns) p WHERE about NOT LIKE p);
END
$$;
COMMENT ON FUNCTION image_library_internal.missing_patterns IS 'Patterns that name, host and HM tags of a repository do not match';

CREATE FUNCTION image_library_internal.named_repositories(words text[], among integer[])
RETURNS SETOF image_library_internal.named_repository
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  patterns text[] := ARRAY(SELECT image_library_internal.like_pattern(w) FROM unnest(words) w);
BEGIN
  RETURN QUERY
    SELECT r.repository_id, r.registry, r.repository::text, r.place, lower(r.repository COLLATE "C") LIKE ALL (patterns),
           image_library_internal.missing_patterns(r.repository_id, r.place, r.host, patterns)
    FROM image_library_internal.visible_repository r
    WHERE r.repository_id = ANY (among)
    ORDER BY image_library_internal.name_words(r.repository) @> words DESC,
             lower(r.repository COLLATE "C") LIKE ALL (patterns) DESC, r.repository, r.registry;
END
$$;
COMMENT ON FUNCTION image_library_internal.named_repositories IS
  'Some repositories, those first whose names have the words as whole words, then those that have them as parts';

-- Words found in the name of the repository are not looked for in its tags.
CREATE FUNCTION image_library_internal.search_repository(named image_library_internal.named_repository, kind text, max_rows integer)
RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN QUERY
    SELECT (named.reference || ':' || t.name)::text, named.registry, named.repository, t.name::text, t.digest::text,
           t.kind, t.approval, coalesce(e.version, i.version), coalesce(e.title, i.title),
           e.publisher, t.missing_since, CASE WHEN named.in_name THEN 'repository' ELSE 'text' END
    -- Sorted first, so that texts are looked at until there are enough.
    FROM (SELECT t.*
          FROM (SELECT x.*, x.missing_since IS NOT NULL AS gone, image_library.version_key(x.name) AS version_key
                FROM image_library_internal.tag x
                WHERE x.repository_id = named.repository_id AND x.rule_id IS NOT NULL
                  AND (search_repository.kind IS NULL OR x.kind = search_repository.kind)
                ORDER BY gone, version_key DESC OFFSET 0) t
          WHERE named.missing = '{}'
             OR lower((SELECT coalesce((SELECT image_library_internal.entry_text(e, v.hm_tags) FROM image_library_internal.entry e
                                        WHERE e.repository_id = t.repository_id AND e.tag = t.name), concat_ws(' ', t.name, v.hm_tags))
                       FROM (SELECT string_agg(h.name, ' ') AS hm_tags
                             FROM image_library_internal.hm_tag_image x JOIN image_library_internal.hm_tag h USING (hm_tag_id)
                             WHERE x.repository_id = t.repository_id AND x.tag = t.name) v) COLLATE "C") LIKE ALL (named.missing)
          ORDER BY t.gone, t.version_key DESC
          LIMIT max_rows) t
    LEFT JOIN image_library_internal.entry e ON e.repository_id = t.repository_id AND e.tag = t.name
    LEFT JOIN image_library_internal.image i ON i.digest = t.digest
    ORDER BY t.gone, t.version_key DESC;
END
$$;
COMMENT ON FUNCTION image_library_internal.search_repository IS
  'Images of a repository that have the words which its name, host and HM tags lack';

CREATE FUNCTION image_library_internal.search_among(words text[], kind text, among integer[], max_rows integer)
RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  named image_library_internal.named_repository;
  wanted integer := max_rows;
  found_rows integer;
  place integer := 1;
  step integer := 2;  -- the first ones may be enough
BEGIN
  WHILE place <= cardinality(among) LOOP
    FOR named IN SELECT n.* FROM image_library_internal.named_repositories(words, among[place:place + step - 1]) n LOOP
      IF wanted <= 0 THEN
        RETURN;
      END IF;
      RETURN QUERY SELECT s.* FROM image_library_internal.search_repository(named, kind, wanted) s;
      GET DIAGNOSTICS found_rows = ROW_COUNT;
      wanted := wanted - found_rows;
    END LOOP;
    place := place + step;
    step := 20;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.search_among IS 'Images of some repositories, which are sorted, that have every one of some words';

-- One repository after the other, best first, so that a search ends when it has enough rows. If few repositories can have
-- the words, these are sorted. If not, whole words of names have an index, and then all names are read in their order.
CREATE FUNCTION image_library_internal.search(words text[], kind text, max_rows integer) RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  patterns text[] := ARRAY(SELECT image_library_internal.like_pattern(w) FROM unnest(words) w);
  in_name boolean;
  asked integer[] := image_library_internal.search_keys(words);
  among integer[];
  last_name text;
  step integer;
  wanted integer := max_rows;
  found_rows integer;
BEGIN
  IF asked <> '{}' THEN
    among := ARRAY(SELECT x.repository_id FROM image_library_internal.repository_text x WHERE x.keys @> asked LIMIT 500);
  END IF;
  IF cardinality(among) < 500 THEN
    RETURN QUERY SELECT s.* FROM image_library_internal.search_among(words, kind, ARRAY(
      SELECT r.repository_id FROM image_library_internal.visible_repository r
      WHERE r.repository_id = ANY (among)
      ORDER BY image_library_internal.name_words(r.repository) @> words DESC, lower(r.repository COLLATE "C") LIKE ALL (patterns) DESC,
               r.repository, r.registry), max_rows) s;
    RETURN;
  END IF;
  RETURN QUERY SELECT s.* FROM image_library_internal.search_among(words, kind, ARRAY(
    SELECT r.repository_id FROM image_library_internal.visible_repository r
    WHERE image_library_internal.name_words(r.repository) @> words ORDER BY r.repository, r.registry), wanted) s;
  GET DIAGNOSTICS found_rows = ROW_COUNT;
  wanted := wanted - found_rows;
  -- Then parts of words of names, then others. Names are read in their order: a part that many have is found soon.
  FOREACH in_name IN ARRAY '{true,false}'::boolean[] LOOP
    last_name := '';
    step := 50;
    WHILE wanted > 0 LOOP
      SELECT max(r.name), array_agg(r.repository_id ORDER BY r.name, g.name)
               FILTER (WHERE lower(r.name COLLATE "C") LIKE ALL (patterns) = in_name
                         AND NOT image_library_internal.name_words(r.name) @> words)
      INTO last_name, among
      FROM (SELECT r.repository_id, r.registry_id, r.name FROM image_library_internal.repository r
            WHERE r.name > last_name ORDER BY r.name FETCH FIRST step ROWS WITH TIES) r
      LEFT JOIN image_library_internal.visible_registry g USING (registry_id);
      EXIT WHEN last_name IS NULL;
      IF NOT in_name AND asked <> '{}' THEN
        among := ARRAY(SELECT i.id FROM unnest(among) WITH ORDINALITY AS i (id, n)
                       JOIN image_library_internal.repository_text x ON x.repository_id = i.id
                       WHERE x.keys @> asked ORDER BY i.n);
      END IF;
      RETURN QUERY SELECT s.* FROM image_library_internal.search_among(words, kind, among, wanted) s;
      GET DIAGNOSTICS found_rows = ROW_COUNT;
      wanted := wanted - found_rows;
      -- If few names can have the words, the index knows these.
      IF in_name AND wanted > 0 AND step = 50 THEN
        among := ARRAY(SELECT r.repository_id FROM image_library_internal.repository r
                       WHERE image_library_internal.name_keys(r.name) @> image_library_internal.asked_keys(words) LIMIT 500);
        IF cardinality(among) < 500 THEN
          RETURN QUERY SELECT s.* FROM image_library_internal.search_among(words, kind, ARRAY(
            SELECT r.repository_id FROM image_library_internal.visible_repository r
            WHERE r.repository_id = ANY (among) AND r.repository > last_name AND lower(r.repository COLLATE "C") LIKE ALL (patterns)
              AND NOT image_library_internal.name_words(r.repository) @> words ORDER BY r.repository, r.registry), wanted) s;
          GET DIAGNOSTICS found_rows = ROW_COUNT;
          wanted := wanted - found_rows;
          EXIT;
        END IF;
      END IF;
      step := 250;
    END LOOP;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.search IS
  'Images that have every one of some lower-case words in the read model and names, best first';

-- Titles of images that are neither Postgres nor models are not in the read model; their words have an index. In PL/pgSQL,
-- which keeps the plan.
CREATE FUNCTION image_library_internal.title_words(title text, description text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN to_tsvector('simple', left(concat_ws(' ', title, description), 2000));
END
$$;
COMMENT ON FUNCTION image_library_internal.title_words IS 'The words of title and description';
GRANT EXECUTE ON FUNCTION image_library_internal.title_words TO image_library_agent;
CREATE INDEX image_title ON image_library_internal.image USING gin (image_library_internal.title_words(title, description));

CREATE FUNCTION image_library_internal.search_titles(words text[], max_rows integer) RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  every_word tsquery;
  any_word tsquery;
  candidates text[];
BEGIN
  SELECT string_agg(quote_literal(l.lexeme) || ':*', ' & ')::tsquery, string_agg(quote_literal(l.lexeme) || ':*', ' | ')::tsquery
  INTO every_word, any_word
  FROM unnest(words) w, unnest(to_tsvector('simple', w)) l;
  candidates := ARRAY(
    (SELECT i.digest FROM image_library_internal.image i
     WHERE image_library_internal.title_words(i.title, i.description) @@ every_word LIMIT 10000)
    UNION
    -- Of words that are in many titles only some images are tried, since the names may have the other words.
    (SELECT i.digest FROM image_library_internal.image i
     WHERE image_library_internal.title_words(i.title, i.description) @@ any_word LIMIT 10000));
  IF candidates = '{}' THEN
    RETURN;
  END IF;
  RETURN QUERY
    SELECT n.reference || ':' || t.name, n.registry, n.repository, t.name::text, t.digest::text, 'other', t.approval,
           i.version, i.title, NULL::text, t.missing_since, 'text'
    FROM image_library_internal.image i
    JOIN image_library_internal.tag t ON t.digest = i.digest
    JOIN image_library_internal.named_repositories(words, ARRAY(
           SELECT DISTINCT x.repository_id FROM image_library_internal.tag x WHERE x.digest = ANY (candidates))) n USING (repository_id)
    WHERE i.digest = ANY (candidates) AND t.rule_id IS NOT NULL AND t.kind = 'other'
      AND lower(concat_ws(' ', t.name, i.title, i.description) COLLATE "C") LIKE ALL (n.missing)
    ORDER BY t.missing_since IS NOT NULL, n.repository, n.registry, image_library.version_key(t.name) DESC
    LIMIT max_rows;
END
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
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  hidden integer[] := image_library_internal.hidden_registries();
  hm_tag_words text[] := ARRAY(SELECT w FROM image_library_internal.hm_tag h, image_library_internal.known_words(ARRAY[h.name]) w);
  similar_words text[] := words;
  asked text;
  likest text;
  keys integer[];
BEGIN
  FOR n IN 1..cardinality(words) LOOP
    asked := words[n];
    CONTINUE WHEN length(asked) > 63;
    keys := image_library_internal.word_keys(asked);
    -- A word that the library has is not replaced.
    CONTINUE WHEN EXISTS (SELECT FROM unnest(hm_tag_words) w WHERE strpos(w, asked) > 0)
      -- Words of one and two bytes have no such key, and an index that is asked for none is read as a whole.
      OR CASE WHEN octet_length(asked) < 3
              THEN EXISTS (SELECT FROM image_library_internal.search_word k WHERE strpos(k.word, asked) > 0 AND k.registry_id <> ALL (hidden))
              ELSE EXISTS (SELECT FROM image_library_internal.search_word k
                           WHERE image_library_internal.word_keys(k.word) @> image_library_internal.text_keys('{}', ARRAY[asked])
                             AND strpos(k.word, asked) > 0 AND k.registry_id <> ALL (hidden)) END;
    SELECT c.word INTO likest
    FROM (SELECT k.word FROM image_library_internal.search_word k
          WHERE image_library_internal.word_keys(k.word) && keys AND k.registry_id <> ALL (hidden)
          UNION
          SELECT w FROM unnest(hm_tag_words) w) c
    -- As pg_trgm compares: the trigrams of both among those of either.
    CROSS JOIN LATERAL (SELECT cardinality(image_library_internal.text_keys(keys, ARRAY['  ' || c.word || ' ']))::real AS of_either,
                               cardinality(image_library_internal.word_keys(c.word)) AS of_word) t
    WHERE cardinality(keys) + t.of_word - t.of_either >= 0.3 * t.of_either
    ORDER BY (cardinality(keys) + t.of_word - t.of_either) / t.of_either DESC, c.word LIMIT 1;
    similar_words[n] := coalesce(likest, asked);
  END LOOP;
  RETURN similar_words;
END
$$;
COMMENT ON FUNCTION image_library_internal.similar_words IS
  'Similar words of the library, by trigrams, for words that it does not have';

CREATE FUNCTION image_library_internal.search_digest(digest text, kind text, max_rows integer) RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN QUERY
    SELECT (r.place || ':' || t.name)::text, r.registry, r.repository::text, t.name::text, t.digest::text, t.kind, t.approval,
           coalesce(e.version, i.version), coalesce(e.title, i.title), e.publisher, t.missing_since, 'digest'
    FROM image_library_internal.tag t
    JOIN image_library_internal.image i ON i.digest = t.digest
    JOIN image_library_internal.visible_repository r ON r.repository_id = t.repository_id
    LEFT JOIN image_library_internal.entry e ON e.repository_id = t.repository_id AND e.tag = t.name
    WHERE t.digest = search_digest.digest AND t.rule_id IS NOT NULL AND (search_digest.kind IS NULL OR t.kind = search_digest.kind)
    ORDER BY t.missing_since IS NOT NULL, r.repository, r.registry, image_library.version_key(t.name) DESC
    LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION image_library_internal.search_digest IS 'Images with a digest, present ones first';

CREATE FUNCTION image_library.search_images(query text, kind text DEFAULT NULL, max_rows integer DEFAULT 50)
RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked text := lower(left(query, 1000) COLLATE "C");
  digest text := substring(asked, E'^\\s*(?:\\S+@)?(sha(?:256|512):[0-9a-f]+)\\s*$');
  -- Of a reference, as people paste it, the place is a word and the tag is one.
  words text[] := ARRAY(SELECT DISTINCT p FROM regexp_split_to_table(asked, E'\\s+') w,
                          regexp_split_to_table(regexp_replace(w, '(^|@)sha(256|512):[0-9a-f]+$', ''), ':(?=[^/:]+$)') p WHERE p <> '');
  similar_words text[];
BEGIN
  IF cardinality(words) = 0 AND digest IS NULL OR length(query) > 1000 THEN
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
  IF digest IS NOT NULL THEN
    RETURN QUERY SELECT s.* FROM image_library_internal.search_digest(digest, search_images.kind, max_rows) s;
    IF FOUND OR cardinality(words) = 0 THEN
      RETURN;
    END IF;
  END IF;
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
  'Images that have every word of the query, whole or as a part, in host, repository, tag, title, description, HM tags, publisher, model, flavor, variant, task, extensions or features. Order: whole words of the repository''s name, parts of it, others; within a repository present before missing, newest first. Titles of images that are neither Postgres nor models are found by the beginnings of their words. ASCII letters match regardless of case; a reference is found by its place and its tag, a digest or a reference with one by the digest if an image has it. If no image has a word, the most similar word is used (matched = similar)';
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
         coalesce(sum(c.number) FILTER (WHERE c.kind IS NULL), 0) AS repositories,
         coalesce(sum(c.number) FILTER (WHERE c.kind IS NOT NULL), 0) AS tags,
         coalesce(sum(c.number) FILTER (WHERE c.kind = 'postgres'), 0) AS postgres_images,
         coalesce(sum(c.number) FILTER (WHERE c.kind = 'model'), 0) AS models,
         coalesce(sum(c.number) FILTER (WHERE c.kind = 'other'), 0) AS others,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'pending'), 0) AS pending,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'approved'), 0) AS approved,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'rejected'), 0) AS rejected,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'revoked'), 0) AS revoked,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'approved' AND c.kind = 'postgres'), 0) AS approved_postgres_images,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'approved' AND c.kind = 'model'), 0) AS approved_models
  FROM image_library_internal.visible_registry g
  LEFT JOIN image_library_internal.counts c USING (registry_id)
  GROUP BY GROUPING SETS ((g.name), ());
COMMENT ON VIEW image_library.library_stats IS 'Number of image tags by registry and state; registry null: the total';
GRANT SELECT ON image_library.library_stats TO image_library_reader;

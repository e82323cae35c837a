-- What a search looks at, by repository: most repositories cannot have a word, and are not read.

-- Three neighbouring bytes each, so that parts of words are found. pg_trgm has the same for texts, and is in another package.
CREATE FUNCTION image_library_internal.text_keys(known integer[], texts text[]) RETURNS integer[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_text_keys';
COMMENT ON FUNCTION image_library_internal.text_keys IS
  'Keys of some texts and those known already: a text contains another one only if it has all its keys. ASCII letters regardless of case';
GRANT EXECUTE ON FUNCTION image_library_internal.text_keys TO image_library_agent;

CREATE FUNCTION image_library_internal.short_keys(known integer[], texts text[]) RETURNS integer[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_short_keys';
COMMENT ON FUNCTION image_library_internal.short_keys IS
  'As text_keys, for words of one and two bytes: keys of single bytes and of two neighbouring ones';
GRANT EXECUTE ON FUNCTION image_library_internal.short_keys TO image_library_agent;

CREATE TABLE image_library_internal.repository_text (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  keys integer[] NOT NULL
);
CREATE INDEX repository_text_keys ON image_library_internal.repository_text USING gin (keys);
COMMENT ON TABLE image_library_internal.repository_text IS
  'Keys of the texts that a search looks at: name, tags and their entries. Keys of texts that are gone stay: what is found by them is read and compared';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.repository_text TO image_library_agent;

-- Without SET it is inlined: a search calls it for each tag.
CREATE FUNCTION image_library_internal.entry_text(e image_library_internal.entry, hm_tags text) RETURNS text
LANGUAGE sql STABLE
RETURN concat_ws(' ', e.tag, hm_tags, e.title, e.description, e.publisher, e.model, e.flavor, e.variant, e.os, e.format, e.task,
                 array_to_string(e.extensions, ' '), array_to_string(e.features, ' '), array_to_string(e.system_tags, ' '));
COMMENT ON FUNCTION image_library_internal.entry_text IS 'Text of a Postgres or model image that a search looks at';
GRANT EXECUTE ON FUNCTION image_library_internal.entry_text TO image_library_agent;

-- Words for a search that finds nothing: see similar_words.
CREATE FUNCTION image_library_internal.word_keys(word text) RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN image_library_internal.text_keys('{}', ARRAY['  ' || word || ' ']);
COMMENT ON FUNCTION image_library_internal.word_keys IS 'Keys of a word with two blanks before it and one after, as pg_trgm compares words';
GRANT EXECUTE ON FUNCTION image_library_internal.word_keys TO image_library_agent;

-- In PL/pgSQL, which keeps the plan: it is called once a batch.
CREATE FUNCTION image_library_internal.known_words(texts text[]) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY
    SELECT DISTINCT w COLLATE "C"
    FROM regexp_split_to_table(lower(array_to_string(texts, ' ') COLLATE "C"), '[^[:alnum:].]+') w
    WHERE length(w) BETWEEN 3 AND 63 AND w ~ '[^0-9.]' ORDER BY 1;
END
$$;
COMMENT ON FUNCTION image_library_internal.known_words IS 'The words of some texts that may stand for similar ones, in lower case';
GRANT EXECUTE ON FUNCTION image_library_internal.known_words TO image_library_agent;

CREATE TABLE image_library_internal.search_word (
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  word text COLLATE "C" NOT NULL,
  PRIMARY KEY (registry_id, word)
);
CREATE INDEX search_word_keys ON image_library_internal.search_word USING gin (image_library_internal.word_keys(word));
COMMENT ON TABLE image_library_internal.search_word IS
  'Words of names, titles, publishers, models and extensions, by registry; words that are gone stay';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.search_word TO image_library_agent;

CREATE FUNCTION image_library_internal.refresh_text(repository_id integer, tags text[], have_more boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  of_registry integer;
  texts text[];
  names text[];
  known integer[];
  now integer[];
BEGIN
  SELECT r.registry_id, CASE WHEN x.keys IS NULL THEN ARRAY[r.name]::text[] ELSE '{}' END, coalesce(x.keys, '{}')
  INTO of_registry, names, known
  FROM image_library_internal.repository r
  LEFT JOIN image_library_internal.repository_text x ON x.repository_id = r.repository_id
  WHERE r.repository_id = refresh_text.repository_id;
  texts := tags || names;
  IF have_more THEN
    SELECT texts || coalesce(array_agg(image_library_internal.entry_text(e, NULL)), '{}'),
           names || coalesce(array_agg(concat_ws(' ', e.title, e.publisher, e.model, e.flavor, e.variant, e.task)), '{}')
    INTO texts, names
    FROM unnest(tags) AS asked (tag)
    CROSS JOIN LATERAL (
      SELECT x.* FROM image_library_internal.entry x
      WHERE x.repository_id = refresh_text.repository_id AND x.tag = asked.tag OFFSET 0) e;
    names := names || ARRAY(
      SELECT x.name
      FROM unnest(tags) AS asked (tag)
      CROSS JOIN LATERAL (
        SELECT y.digest FROM image_library_internal.tag y
        WHERE y.repository_id = refresh_text.repository_id AND y.name = asked.tag OFFSET 0) t
      CROSS JOIN LATERAL (
        SELECT y.name FROM image_library_internal.image_extension y
        WHERE y.repository_id = refresh_text.repository_id AND y.digest = t.digest OFFSET 0) x);
  END IF;
  IF names <> '{}' THEN
    -- A new word need not have new keys.
    INSERT INTO image_library_internal.search_word (registry_id, word)
    SELECT of_registry, w
    FROM image_library_internal.known_words(names) w
    LEFT JOIN LATERAL (
      SELECT k.word FROM image_library_internal.search_word k WHERE k.registry_id = of_registry AND k.word = w OFFSET 0) k ON true
    WHERE k.word IS NULL
    ON CONFLICT DO NOTHING;
  END IF;
  now := image_library_internal.short_keys(image_library_internal.text_keys(known, texts), texts);
  IF known = now THEN
    RETURN;
  END IF;
  INSERT INTO image_library_internal.repository_text AS x (repository_id, keys) VALUES (refresh_text.repository_id, now)
  ON CONFLICT ON CONSTRAINT repository_text_pkey DO UPDATE SET keys = excluded.keys;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_text IS
  'Adds the keys of some tags of a repository to what a search looks at. have_more: and those of their entries and extensions';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_text TO image_library_agent;

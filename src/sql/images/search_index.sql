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

CREATE FUNCTION image_library_internal.known_words(texts text[]) RETURNS SETOF text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT DISTINCT w COLLATE "C"
  FROM regexp_split_to_table(lower(array_to_string(texts, ' ') COLLATE "C"), '[^[:alnum:].]+') w
  WHERE length(w) BETWEEN 3 AND 63 AND w ~ '[^0-9.]' ORDER BY 1
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

CREATE FUNCTION image_library_internal.refresh_text(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  known integer[] := (SELECT x.keys FROM image_library_internal.repository_text x WHERE x.repository_id = refresh_text.repository_id);
  texts text[] := tags || ARRAY(
    SELECT image_library_internal.entry_text(e, NULL) FROM image_library_internal.entry e
    WHERE e.repository_id = refresh_text.repository_id AND e.tag = ANY (tags)) || ARRAY(
    SELECT r.name FROM image_library_internal.repository r WHERE r.repository_id = refresh_text.repository_id AND known IS NULL);
  now integer[] := image_library_internal.short_keys(image_library_internal.text_keys(coalesce(known, '{}'), texts), texts);
BEGIN
  -- A new word need not have new keys.
  INSERT INTO image_library_internal.search_word (registry_id, word)
  SELECT r.registry_id, w
  FROM image_library_internal.repository r
  CROSS JOIN LATERAL image_library_internal.known_words(
    CASE WHEN known IS NULL THEN ARRAY[r.name]::text[] ELSE '{}' END
    || ARRAY(SELECT DISTINCT x FROM image_library_internal.entry e, unnest(ARRAY[e.title, e.publisher, e.model, e.flavor, e.variant, e.task]) x
             WHERE e.repository_id = r.repository_id AND e.tag = ANY (tags) AND x IS NOT NULL)
    || ARRAY(SELECT DISTINCT x.name FROM image_library_internal.tag t JOIN image_library_internal.image_extension x USING (digest)
             WHERE t.repository_id = r.repository_id AND t.name = ANY (tags))) w
  WHERE r.repository_id = refresh_text.repository_id
    AND NOT EXISTS (SELECT FROM image_library_internal.search_word k WHERE k.registry_id = r.registry_id AND k.word = w)
  ON CONFLICT DO NOTHING;
  IF known = now THEN
    RETURN;
  END IF;
  INSERT INTO image_library_internal.repository_text AS x (repository_id, keys) VALUES (refresh_text.repository_id, now)
  ON CONFLICT ON CONSTRAINT repository_text_pkey DO UPDATE SET keys = excluded.keys;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_text IS 'Adds the keys of some tags of a repository to what a search looks at';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_text TO image_library_agent;

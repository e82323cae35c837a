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

CREATE TYPE image_library_internal.new_text AS (repository_id integer, registry_id integer, known integer[], texts text[], names text[]);
COMMENT ON TYPE image_library_internal.new_text IS
  'What a search looks at of a repository: keys that it has (null: none yet), texts for keys, and those of them that similar words are taken from';

CREATE FUNCTION image_library_internal.refresh_text(tags image_library_internal.tag_place[], have_more boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  found image_library_internal.new_text[] := ARRAY(
    SELECT (r.repository_id, r.registry_id, x.keys, a.tags || own.names || e.texts, own.names || e.names || n.names)::image_library_internal.new_text
    FROM (SELECT p.repository_id, array_agg(p.tag) AS tags FROM unnest(tags) p GROUP BY p.repository_id) a
    CROSS JOIN LATERAL (
      SELECT y.repository_id, y.registry_id, y.name FROM image_library_internal.repository y
      WHERE y.repository_id = a.repository_id OFFSET 0) r
    LEFT JOIN LATERAL (
      SELECT y.keys FROM image_library_internal.repository_text y WHERE y.repository_id = a.repository_id OFFSET 0) x ON true
    CROSS JOIN LATERAL (SELECT CASE WHEN x.keys IS NULL THEN ARRAY[r.name]::text[] ELSE '{}' END) AS own (names)
    CROSS JOIN LATERAL (
      SELECT coalesce(array_agg(image_library_internal.entry_text(y, NULL)), '{}') AS texts,
             coalesce(array_agg(concat_ws(' ', y.title, y.publisher, y.model, y.flavor, y.variant, y.task)), '{}') AS names
      FROM unnest(a.tags) AS asked (tag)
      CROSS JOIN LATERAL (
        SELECT z.* FROM image_library_internal.entry z
        WHERE z.repository_id = a.repository_id AND z.tag = asked.tag OFFSET 0) y
      WHERE have_more) e
    CROSS JOIN LATERAL (
      SELECT ARRAY(
        SELECT z.name
        FROM unnest(a.tags) AS asked (tag)
        CROSS JOIN LATERAL (
          SELECT y.digest FROM image_library_internal.tag y
          WHERE y.repository_id = a.repository_id AND y.name = asked.tag OFFSET 0) t
        CROSS JOIN LATERAL (
          SELECT y.name FROM image_library_internal.image_extension y
          WHERE y.repository_id = a.repository_id AND y.digest = t.digest OFFSET 0) z
        WHERE have_more)) AS n (names));
BEGIN
  -- A new word need not have new keys.
  IF EXISTS (SELECT FROM unnest(found) f WHERE f.names <> '{}') THEN
    INSERT INTO image_library_internal.search_word (registry_id, word)
    SELECT f.registry_id, w
    FROM (SELECT t.registry_id, array_agg(u) AS names FROM unnest(found) t CROSS JOIN unnest(t.names) u GROUP BY t.registry_id) f
    CROSS JOIN LATERAL image_library_internal.known_words(f.names) w
    LEFT JOIN LATERAL (
      SELECT k.word FROM image_library_internal.search_word k WHERE k.registry_id = f.registry_id AND k.word = w OFFSET 0) k ON true
    WHERE k.word IS NULL
    ON CONFLICT DO NOTHING;
  END IF;
  INSERT INTO image_library_internal.repository_text AS x (repository_id, keys)
  SELECT f.repository_id, now.keys
  FROM unnest(found) f
  CROSS JOIN LATERAL (
    SELECT image_library_internal.short_keys(image_library_internal.text_keys(coalesce(f.known, '{}'), f.texts), f.texts) OFFSET 0) AS now (keys)
  WHERE f.known IS DISTINCT FROM now.keys
  ON CONFLICT ON CONSTRAINT repository_text_pkey DO UPDATE SET keys = excluded.keys;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_text IS
  'Adds the keys of some tags, also of several repositories, to what a search looks at. have_more: and those of their entries and extensions';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_text TO image_library_agent;

-- What model serving reads: approved, present, usable models.

CREATE VIEW image_library.model_library WITH (security_barrier) AS
  SELECT g.name AS registry, e.repository, e.tag, e.digest,
         concat(concat_ws('/', g.host, nullif(g.prefix, ''), e.repository), ':', e.tag) AS reference,
         concat(concat_ws('/', g.host, nullif(g.prefix, ''), e.repository), ':', e.tag, '@', e.digest) AS pinned_reference,
         e.kind, e.approval, e.version, i.platforms, e.size_bytes, e.created_at, t.first_seen_at, t.digest_changed_at,
         e.missing_since,
         ARRAY(SELECT h.name FROM image_library._image_hm_tags h
               WHERE h.repository_id = e.repository_id AND h.tag = e.tag
               UNION SELECT unnest(e.system_tags) ORDER BY 1) AS hm_tags,
         e.title, e.description, i.annotations, i.labels,
         e.publisher, e.model, e.model_version, e.format, e.task, e.gpu_count
  FROM image_library.entry e
  JOIN image_library.registry g USING (registry_id)
  LEFT JOIN image_library.image i ON i.digest = e.digest
  LEFT JOIN image_library.tag t ON t.repository_id = e.repository_id AND t.name = e.tag
  WHERE e.kind = 'model' AND e.approval = 'approved' AND e.missing_since IS NULL AND e.usable_until > now()
    AND e.registry_id <> ALL ((SELECT image_library._hidden_registries())::integer[]);
COMMENT ON VIEW image_library.model_library IS 'Approved, present AI models: what serving may run';

CREATE FUNCTION image_library.search_images(query text, kind text DEFAULT NULL, max_rows integer DEFAULT 50)
RETURNS TABLE (reference text, kind_found text, approval text, version text, title text, matched text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  words text[] := ARRAY(SELECT lower(w) FROM regexp_split_to_table(btrim(coalesce(query, '')), '\s+') w WHERE w <> '');
BEGIN
  IF cardinality(words) = 0 THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = 'the search has no word',
      HINT = 'Write words of a repository, tag, title, HM tag, publisher or extension.';
  END IF;
  IF search_images.kind NOT IN ('postgres', 'model', 'other') THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('unknown kind "%s"', search_images.kind),
      HINT = 'It is postgres, model or other.';
  END IF;
  RETURN QUERY
    SELECT i.reference, i.kind, i.approval, i.version, i.title,
           CASE WHEN i.repository ILIKE ALL (w.patterns) THEN 'repository' ELSE 'text' END
    FROM image_library.images i
    LEFT JOIN image_library.repository r
      ON r.name = i.repository
     AND r.registry_id = (SELECT g.registry_id FROM image_library.registry g WHERE g.name = i.registry)
    LEFT JOIN image_library.entry e ON e.repository_id = r.repository_id AND e.tag = i.tag
    CROSS JOIN LATERAL (
      -- Words are data: what LIKE would take for wildcards is escaped.
      SELECT ARRAY(SELECT '%' || replace(replace(replace(word, '\', '\\'), '%', '\%'), '_', '\_') || '%'
                   FROM unnest(words) word) AS patterns) w
    WHERE (search_images.kind IS NULL OR i.kind = search_images.kind)
      AND concat_ws(' ', i.repository, i.tag, i.title, i.description, array_to_string(i.hm_tags, ' '), e.publisher, e.model,
                    e.flavor, array_to_string(e.extensions, ' ')) ILIKE ALL (w.patterns)
    ORDER BY (i.repository ILIKE ALL (w.patterns)) DESC, i.missing_since IS NOT NULL, i.repository,
             image_library.version_key(i.tag) DESC
    LIMIT greatest(max_rows, 0);
END
$$;
COMMENT ON FUNCTION image_library.search_images(text, text, integer) IS
  'Images whose names, title, HM tags, publisher or extensions have every word of the query';

-- Image references: which image of the library a reference names.

CREATE FUNCTION image_library_internal.find_image(reference text,
  OUT registry_id integer, OUT registry text, OUT repository_id integer, OUT repository text, OUT tag text,
  OUT digest text, OUT rule_id bigint, OUT missing_since timestamptz, OUT pinned_reference text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  asked record;
  found_image record;
  candidates text[];
BEGIN
  SELECT * INTO asked FROM image_library_internal.parse_reference(coalesce(reference, ''));
  IF asked.tag IS NULL AND asked.digest IS NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('image reference "%s" has neither tag nor digest', reference),
      HINT = 'Write host/repository:tag or host/repository@sha256:<digest>.';
  END IF;
  -- A digest alone means any of its tags, present and admitted ones first. If no tag points at it any more, it means a
  -- digest that a tag pointed at before.
  FOR found_image IN
    SELECT DISTINCT ON (r.repository_id) r.registry_id, g.name AS registry, r.repository_id, r.name AS repository,
           t.name AS tag, t.digest, t.rule_id, t.missing_since, concat_ws('/', asked.host, asked.repository) AS place
    FROM image_library_internal.visible_registry g
    -- Not compared with the place of the repository, so that the index on the names is used.
    JOIN image_library_internal.repository r
      ON r.registry_id = g.registry_id
     AND r.name = CASE WHEN g.prefix = '' THEN asked.repository
                       WHEN starts_with(asked.repository, g.prefix || '/')
                       THEN substr(asked.repository, length(g.prefix) + 2) END
    CROSS JOIN LATERAL (
      SELECT x.name, x.digest, x.rule_id, x.missing_since
      FROM image_library_internal.tag x
      WHERE x.repository_id = r.repository_id AND x.name = asked.tag
      UNION ALL
      SELECT x.name, x.digest, x.rule_id, x.missing_since
      FROM image_library_internal.tag x
      WHERE x.repository_id = r.repository_id AND asked.tag IS NULL AND x.digest = asked.digest
      UNION ALL
      SELECT NULL, p.digest, NULL, NULL
      FROM image_library_internal.tag_period p
      WHERE p.repository_id = r.repository_id AND asked.tag IS NULL AND p.digest = asked.digest) t
    WHERE g.host = asked.host
    ORDER BY r.repository_id, t.name IS NULL, t.rule_id IS NULL, t.missing_since IS NOT NULL, t.name
  LOOP
    candidates := candidates || format('%s in registry %s', found_image.repository, found_image.registry);
    registry_id := found_image.registry_id;
    registry := found_image.registry;
    repository_id := found_image.repository_id;
    repository := found_image.repository;
    tag := found_image.tag;
    digest := found_image.digest;
    rule_id := found_image.rule_id;
    missing_since := found_image.missing_since;
    pinned_reference := concat(found_image.place, ':' || found_image.tag, '@', found_image.digest);
  END LOOP;
  IF candidates IS NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'undefined_object',
      MESSAGE = format('image "%s"%s is not in the library', reference,
        CASE WHEN NOT starts_with(reference, asked.host) THEN format(', which is of %s/%s,', asked.host, asked.repository) END),
      HINT = 'See image_library.images; image_library.explain_tag tells why a tag is out.';
  END IF;
  IF cardinality(candidates) > 1 THEN
    RAISE EXCEPTION USING
      ERRCODE = 'ambiguous_alias',
      MESSAGE = format('image reference "%s" is ambiguous', reference),
      DETAIL = format('It may be %s.', array_to_string(candidates, ', or ')),
      HINT = 'Drop one of the registries, which have the same images.';
  END IF;
  IF asked.digest IS NOT NULL AND asked.digest <> digest THEN
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('tag "%s" moved: it points at %s now', asked.tag, digest),
      DETAIL = format('Asked for was %s.', asked.digest),
      HINT = 'Look at the new image, or leave the tag out to mean the digest.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.find_image IS
  'Image that a reference names, without a tag if none points at it any more; raises 22023, 42704 unknown, 42P09 ambiguous, 55000 moved';

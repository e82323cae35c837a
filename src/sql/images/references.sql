-- Image references: which image of the library a reference names.

-- A digest that its tag no longer points at is found by the tag's history: an approval belongs to the digest.
CREATE FUNCTION image_library_internal.candidates(reference text,
  OUT registry_id integer, OUT registry text, OUT repository_id integer, OUT repository text, OUT tag text,
  OUT digest text, OUT rule_id bigint, OUT missing_since timestamptz, OUT pinned_reference text,
  OUT pinned boolean, OUT moved_to text, OUT gone_since timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  asked record;
BEGIN
  SELECT * INTO asked FROM image_library_internal.parse_reference(reference);
  RETURN QUERY
    SELECT DISTINCT ON (r.repository_id) r.registry_id, g.name, r.repository_id, r.name, t.name, t.digest, t.rule_id, t.missing_since,
           concat(asked.host, '/', asked.repository, ':' || t.name, '@', t.digest),
           asked.digest IS NOT NULL, t.moved_to,
           CASE WHEN asked.digest IS NULL THEN t.missing_since ELSE there.gone_since END
    FROM image_library_internal.visible_registry g
    -- Not compared with the place of the repository, so that the index on the names is used.
    JOIN image_library_internal.repository r
      ON r.registry_id = g.registry_id
     AND r.name = CASE WHEN g.prefix = '' THEN asked.repository
                       WHEN starts_with(asked.repository, g.prefix || '/')
                       THEN substr(asked.repository, length(g.prefix) + 2) END
    CROSS JOIN LATERAL (
      SELECT x.name, coalesce(asked.digest, x.digest) AS digest, x.rule_id, x.missing_since,
             CASE WHEN x.digest <> asked.digest THEN x.digest END AS moved_to, NULL::timestamptz AS until
      FROM image_library_internal.tag x
      WHERE x.repository_id = r.repository_id AND x.name = asked.tag
        AND (asked.digest IS NULL OR x.digest = asked.digest
             OR EXISTS (SELECT FROM image_library_internal.tag_period p
                        WHERE p.repository_id = r.repository_id AND p.tag = x.name AND p.digest = asked.digest))
      UNION ALL
      -- A digest alone means any of its tags, admitted and present ones first.
      SELECT x.name, x.digest, x.rule_id, x.missing_since, NULL, NULL
      FROM image_library_internal.tag x
      WHERE x.repository_id = r.repository_id AND asked.tag IS NULL AND x.digest = asked.digest
      UNION ALL
      -- If none points at it any more, it means the one that last did.
      SELECT x.name, p.digest, x.rule_id, x.missing_since, x.digest, p.until
      FROM image_library_internal.tag_period p
      LEFT JOIN image_library_internal.tag x ON x.repository_id = p.repository_id AND x.name = p.tag
      WHERE p.repository_id = r.repository_id AND asked.tag IS NULL AND p.digest = asked.digest
        AND x.digest IS DISTINCT FROM p.digest) t
    -- The registry has the digest as long as a tag that is present points at it.
    CROSS JOIN LATERAL (
      SELECT CASE WHEN bool_or(x.missing_since IS NULL) THEN NULL
                  ELSE coalesce(max(x.missing_since), t.missing_since) END AS gone_since
      FROM image_library_internal.tag x
      WHERE x.repository_id = r.repository_id AND x.digest = t.digest) there
    WHERE g.host = asked.host
    ORDER BY r.repository_id, t.name IS NULL, t.rule_id IS NULL, t.moved_to IS NOT NULL, t.missing_since IS NOT NULL,
             t.until DESC NULLS FIRST, t.name;
END
$$;
COMMENT ON FUNCTION image_library_internal.candidates IS
  'Images that a reference may name, one for each repository. pinned: the reference names a digest; moved_to: digest at which its tag points instead; gone_since: since when the registry does not have it, as far as is known';

CREATE FUNCTION image_library_internal.find_image(reference text,
  OUT registry_id integer, OUT registry text, OUT repository_id integer, OUT repository text, OUT tag text,
  OUT digest text, OUT rule_id bigint, OUT missing_since timestamptz, OUT pinned_reference text,
  OUT pinned boolean, OUT moved_to text, OUT gone_since timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked record;
  found_image record;
  names text[];
  tag_now text;
BEGIN
  SELECT * INTO asked FROM image_library_internal.parse_reference(coalesce(reference, ''));
  IF asked.tag IS NULL AND asked.digest IS NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('image reference "%s" has neither tag nor digest', reference),
      HINT = 'Write host/repository:tag or host/repository@sha256:<digest>.';
  END IF;
  FOR found_image IN SELECT * FROM image_library_internal.candidates(reference) LOOP
    names := names || format('%s in registry %s', found_image.repository, found_image.registry);
    registry_id := found_image.registry_id;
    registry := found_image.registry;
    repository_id := found_image.repository_id;
    repository := found_image.repository;
    tag := found_image.tag;
    digest := found_image.digest;
    rule_id := found_image.rule_id;
    missing_since := found_image.missing_since;
    pinned_reference := found_image.pinned_reference;
    pinned := found_image.pinned;
    moved_to := found_image.moved_to;
    gone_since := found_image.gone_since;
  END LOOP;
  IF names IS NULL THEN
    IF asked.tag IS NOT NULL AND asked.digest IS NOT NULL THEN
      SELECT c.digest INTO tag_now
      FROM image_library_internal.candidates(format('%s/%s:%s', asked.host, asked.repository, asked.tag)) c LIMIT 1;
    END IF;
    IF tag_now IS NOT NULL THEN
      RAISE EXCEPTION USING
        ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('tag "%s" has never pointed at %s', asked.tag, asked.digest),
        DETAIL = format('It points at %s.', tag_now),
        HINT = 'Write the tag of the digest, or leave the tag out to mean the digest.';
    END IF;
    RAISE EXCEPTION USING
      ERRCODE = 'undefined_object',
      MESSAGE = format('image "%s"%s is not in the library', reference,
        CASE WHEN NOT starts_with(reference, asked.host) THEN format(', which is of %s/%s,', asked.host, asked.repository) END),
      HINT = 'See image_library.images; image_library.explain_tag tells why a tag is out.';
  END IF;
  IF cardinality(names) > 1 THEN
    RAISE EXCEPTION USING
      ERRCODE = 'ambiguous_alias',
      MESSAGE = format('image reference "%s" is ambiguous', reference),
      DETAIL = format('It may be %s.', array_to_string(names, ', or ')),
      HINT = 'Drop one of the registries, which have the same images.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.find_image IS
  'Image that a reference names, also if its tag has moved since; raises 22023, 42704 unknown, 42P09 ambiguous, 55000 the tag never pointed at the digest';

CREATE FUNCTION image_library_internal.is_known(reference text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM image_library_internal.candidates(reference)) $$;
COMMENT ON FUNCTION image_library_internal.is_known IS 'Whether a reference names an image of the library; raises 22023';

-- Mirrors: lists for tools that copy images, and what a mirror lacks.

CREATE FUNCTION image_library_internal.images_to_copy(registry_id integer, only_approved boolean)
RETURNS TABLE (repository_id integer, repository text, place text, digest text, tags text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.repository_id, r.repository, r.place, t.digest, array_agg(t.name ORDER BY t.name)
  FROM image_library_internal.full_repository r
  JOIN image_library_internal.tag t USING (repository_id)
  LEFT JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest
  WHERE r.registry_id = images_to_copy.registry_id
    AND (image_library_internal.blocks(t.name, t.rule_id, t.missing_since, a, clock_timestamp()) = '{}'
         OR NOT only_approved AND t.rule_id IS NOT NULL AND t.missing_since IS NULL)
  GROUP BY 1, 2, 3, 4
$$;
COMMENT ON FUNCTION image_library_internal.images_to_copy IS
  'Images of a registry that a mirror is to have: those that may be used, or all that rules take';

CREATE FUNCTION image_library.export_copy_list(registry text, target text, format text DEFAULT 'plain', only_approved boolean DEFAULT true)
RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  wrong text := image_library_internal.wrong_value('format', format, '{plain,regsync,skopeo}');
BEGIN
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(errcode => 'invalid_parameter_value', message => wrong);
  END IF;
  IF length(target) > 500 OR coalesce(target, '') !~ '^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._/-]+[a-z0-9]+)*)?$' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'invalid target of a copy list',
      hint => 'Write the host of the mirror, with a port and a path if it has them: mirror.local:5000/hub.');
  END IF;
  IF format = 'skopeo' THEN
    -- skopeo sync gives no tag to what it copies by digest.
    RETURN QUERY SELECT to_jsonb(of_registry.host)::text || ':' UNION ALL SELECT '  images:';
    RETURN QUERY
      SELECT CASE l.n WHEN 0 THEN '    ' || to_jsonb(concat_ws('/', nullif(of_registry.prefix, ''), i.repository))::text || ':' ELSE '      - ' || to_jsonb(l.tag)::text END
      FROM (SELECT c.repository, array_agg(tag ORDER BY tag) AS tags
            FROM image_library_internal.images_to_copy(of_registry.registry_id, only_approved) c, unnest(c.tags) tag GROUP BY 1) i
      CROSS JOIN LATERAL (SELECT 0::bigint AS n, NULL::text AS tag UNION ALL SELECT n, t FROM unnest(i.tags) WITH ORDINALITY u (t, n)) l
      ORDER BY i.repository, l.n;
    RETURN;
  END IF;
  IF format = 'regsync' THEN
    RETURN QUERY SELECT 'version: 1' UNION ALL SELECT 'sync:';
    RETURN QUERY
      SELECT concat('  - {source: ', to_jsonb(concat(i.place, '@', i.digest)), ', target: ', to_jsonb(concat(target, '/', i.repository, ':', tag)),
                    ', type: image, digestTags: true, referrers: true}')
      FROM image_library_internal.images_to_copy(of_registry.registry_id, only_approved) i, unnest(i.tags) tag
      ORDER BY i.repository, tag;
    RETURN;
  END IF;
  RETURN QUERY
    SELECT l.line
    FROM image_library_internal.images_to_copy(of_registry.registry_id, only_approved) i
    CROSS JOIN LATERAL (
      SELECT 1 AS part, concat(i.place, '@', i.digest, ' ', target, '/', i.repository, ':', tag) AS line FROM unnest(i.tags) tag
      UNION
      SELECT 2, CASE WHEN x.tag IS NULL THEN concat(i.place, '@', x.referrer_digest, ' ', target, '/', i.repository, '@', x.referrer_digest)
                     ELSE concat(i.place, ':', x.tag, ' ', target, '/', i.repository, ':', x.tag) END
      FROM image_library_internal.image_referrer x WHERE x.repository_id = i.repository_id AND x.digest = i.digest) l
    ORDER BY i.repository, l.part, l.line;
END
$$;
COMMENT ON FUNCTION image_library.export_copy_list IS
  'Lines for a tool that copies the usable images of a registry to a mirror: plain (source and destination, the source pinned by digest, referrers too), regsync (its YAML, pinned) or skopeo (YAML of skopeo sync, by tag). only_approved => false: all that rules take';
GRANT EXECUTE ON FUNCTION image_library.export_copy_list TO image_library_reader;

CREATE FUNCTION image_library.mirror_status(source text, target text) RETURNS TABLE (repository text, digest text, missing text, name text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  mirror image_library_internal.registry := image_library_internal.find_registry(target);
  source_id integer := (SELECT g.registry_id FROM image_library_internal.visible_registry g WHERE g.name = source);
BEGIN
  IF source_id IS NULL AND NOT EXISTS (SELECT FROM image_library_internal.imported_bundle b WHERE b.library = source) THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('there is neither a registry nor an imported library "%s"', image_library_internal.without_secrets(coalesce(source, ''))),
      hint => 'See image_library.registries and image_library.imported_images.');
  END IF;
  RETURN QUERY
    WITH expected AS (
      SELECT i.repository, i.digest, i.tags,
             ARRAY(SELECT concat_ws(' ', p.platform, p.manifest_digest) FROM image_library_internal.image_platform p
                   WHERE p.digest = i.digest AND p.present) AS platforms,
             ARRAY(SELECT x.referrer_digest FROM image_library_internal.image_referrer x
                   WHERE x.digest = i.digest AND (x.repository_id IS NULL OR x.repository_id = i.repository_id)) AS referrers
      FROM image_library_internal.images_to_copy(source_id, true) i
      UNION ALL
      SELECT m.repository, m.digest, m.tags,
             ARRAY(SELECT concat_ws(' ', p ->> 'platform', p ->> 'manifest_digest') FROM jsonb_path_query(m.platforms, 'lax $[*]') p WHERE p -> 'present' = 'true'),
             ARRAY(SELECT x ->> 'referrer_digest' FROM jsonb_path_query(m.referrers, 'lax $[*]') x)
      FROM image_library_internal.imported_image m
      WHERE source_id IS NULL AND m.library = source AND m.registry_id = mirror.registry_id AND m.approval ->> 'state' = 'approved'
        AND (m.approval ->> 'quarantined')::boolean IS NOT TRUE AND m.tags <> '{}'
    ), compared AS (
      SELECT e.*, r.repository_id,
             EXISTS (SELECT FROM image_library_internal.tag t WHERE t.repository_id = r.repository_id AND t.digest = e.digest AND t.missing_since IS NULL) AS is_here
      FROM expected e
      LEFT JOIN image_library_internal.repository r ON r.registry_id = mirror.registry_id AND r.name = e.repository
    )
    SELECT c.repository, c.digest, 'image', NULL::text FROM compared c WHERE NOT c.is_here
    UNION ALL
    SELECT c.repository, c.digest, 'tag', tag FROM compared c, unnest(c.tags) tag
    WHERE c.is_here AND NOT EXISTS (SELECT FROM image_library_internal.tag t
                                    WHERE t.repository_id = c.repository_id AND t.name = tag AND t.digest = c.digest AND t.missing_since IS NULL)
    UNION ALL
    SELECT c.repository, c.digest, 'platform', p FROM compared c, unnest(c.platforms) p
    WHERE c.is_here AND NOT EXISTS (SELECT FROM image_library_internal.image_platform h
                                    WHERE h.digest = c.digest AND h.present AND concat_ws(' ', h.platform, h.manifest_digest) = p)
    UNION ALL
    SELECT DISTINCT c.repository, c.digest, 'referrer', x FROM compared c, unnest(c.referrers) x
    WHERE c.is_here AND NOT EXISTS (SELECT FROM image_library_internal.image_referrer h
                                    WHERE h.digest = c.digest AND h.referrer_digest = x AND (h.repository_id IS NULL OR h.repository_id = c.repository_id))
    ORDER BY 1, 2, 3, 4;
END
$$;
COMMENT ON FUNCTION image_library.mirror_status IS
  'What a mirror (a registry here) lacks of the usable images of another registry here, or of an imported library: image, tag, platform or referrer (a signature, an SBOM); no row: nothing, as of the last sync of the mirror';
GRANT EXECUTE ON FUNCTION image_library.mirror_status TO image_library_reader;

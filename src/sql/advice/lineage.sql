-- Which image was built on which: images that begin with all layers of another one.

-- A tag of an image: where it is now, else where it was last.
CREATE FUNCTION image_library_internal.place_of_image(digest text,
  OUT registry text, OUT repository text, OUT tag text, OUT reference text, OUT digest_now text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.registry, r.repository, p.tag, concat(r.place, ':', p.tag, '@', p.digest), CASE WHEN t.missing_since IS NULL THEN t.digest END
  FROM image_library_internal.tag_period p
  JOIN image_library_internal.visible_repository r USING (repository_id)
  LEFT JOIN image_library_internal.tag t ON t.repository_id = p.repository_id AND t.name = p.tag
  WHERE p.digest = place_of_image.digest
  ORDER BY p.until DESC NULLS FIRST, r.registry, r.repository, p.tag
  LIMIT 1
$$;
COMMENT ON FUNCTION image_library_internal.place_of_image IS
  'A tag that points at an image, or pointed at it last, in registries that the acting role may see, and the digest that the tag points at now';
GRANT EXECUTE ON FUNCTION image_library_internal.place_of_image TO image_library_reader;

-- Very many images can have the same layers: a few of them are compared, and all tables are read by key, a row at a time.
CREATE FUNCTION image_library_internal.base_of(digest text, OUT base_digest text, OUT layers integer, OUT base_layers integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
  chain bytea[] := (SELECT c.chain_ids FROM image_library_internal.image_chain c WHERE c.digest = base_of.digest);
  repositories integer[];
  same text[] := '{}';
BEGIN
  layers := cardinality(chain);
  base_layers := layers;
  WHILE base_layers > 1 AND same = '{}' LOOP
    base_layers := base_layers - 1;
    same := ARRAY(
      SELECT k.digest
      FROM (SELECT x.digest FROM image_library_internal.image_chain x WHERE x.top = chain[base_layers] ORDER BY x.digest OFFSET 0) k
      -- Also one that no tag points at any more.
      CROSS JOIN LATERAL (SELECT FROM image_library_internal.tag_period p JOIN image_library_internal.visible_repository r USING (repository_id)
                          WHERE p.digest = k.digest LIMIT 1) seen
      LIMIT 100);
  END LOOP;
  IF same = '{}' THEN
    base_layers := NULL;
    RETURN;
  END IF;
  repositories := ARRAY(SELECT DISTINCT p.repository_id FROM image_library_internal.tag_period p WHERE p.digest = base_of.digest);
  -- Of images with the same layers one of another repository, and one that a tag points at.
  SELECT k.digest INTO base_digest
  FROM unnest(same) AS k (digest)
  CROSS JOIN LATERAL (
    SELECT max(coalesce(p.until, 'infinity')) AS until, bool_or(p.repository_id = ANY (repositories)) AS is_beside
    FROM image_library_internal.tag_period p WHERE p.digest = k.digest OFFSET 0) n
  ORDER BY n.is_beside, n.until DESC, k.digest COLLATE "C" LIMIT 1;
END
$$;
COMMENT ON FUNCTION image_library_internal.base_of IS
  'The image of the library that has the most layers of those that an image begins with, the number of layers of both; no base: null. Of more than 100 images with the same layers, the first 100 by digest are compared';
GRANT EXECUTE ON FUNCTION image_library_internal.base_of TO image_library_reader;

CREATE VIEW image_library.lineage WITH (security_barrier) AS
  SELECT r.registry, r.repository, t.name AS tag, t.digest, p.registry AS base_registry, p.repository AS base_repository, p.tag AS base_tag,
         b.base_digest, p.reference AS base_reference, b.layers, b.layers - b.base_layers AS layers_on_top,
         p.digest_now IS DISTINCT FROM b.base_digest AS base_outdated, p.digest_now AS base_digest_now
  FROM image_library_internal.tag t
  JOIN image_library_internal.visible_repository r USING (repository_id)
  CROSS JOIN LATERAL image_library_internal.base_of(t.digest) b
  CROSS JOIN LATERAL image_library_internal.place_of_image(b.base_digest) p
  WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL AND b.base_digest IS NOT NULL;
COMMENT ON VIEW image_library.lineage IS
  'Images that begin with all layers of another image of the library, their base; of several the one with the most layers';
GRANT SELECT ON image_library.lineage TO image_library_reader;

CREATE VIEW image_library.base_outdated WITH (security_barrier) AS
  SELECT l.registry, l.repository, l.tag, l.digest, l.base_reference, l.base_digest_now, l.layers_on_top
  FROM image_library.lineage l WHERE l.base_outdated;
COMMENT ON VIEW image_library.base_outdated IS
  'Images whose base has been replaced: its tag points at another image now, or is gone (base_digest_now null)';
GRANT SELECT ON image_library.base_outdated TO image_library_reader;

CREATE FUNCTION image_library.descendants(reference text, registry text DEFAULT NULL)
RETURNS TABLE (descendant_registry text, repository text, tag text, digest text, pinned_reference text, approval text, layers_on_top integer, in_use boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  base record := image_library_internal.find_image(reference, registry);
  chain image_library_internal.image_chain;
  number integer;
BEGIN
  SELECT c.* INTO chain FROM image_library_internal.image_chain c WHERE c.digest = base.digest;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('the layers of image "%s" are not known', image_library_internal.without_secrets(reference)),
      hint => 'It is no container image, has more than 200 layers, or was read before layers were stored: see doc/advice.md.');
  END IF;
  number := cardinality(chain.chain_ids);
  RETURN QUERY
    SELECT r.registry, r.repository, t.name, t.digest, concat(r.place, ':', t.name, '@', t.digest), t.approval, cardinality(k.chain_ids) - number,
           EXISTS (SELECT FROM image_library_internal.image_use u WHERE u.repository_id = t.repository_id AND u.digest = t.digest AND u.released_at IS NULL)
    FROM image_library_internal.image_chain k
    JOIN image_library_internal.tag t ON t.digest = k.digest
    JOIN image_library_internal.visible_repository r USING (repository_id)
    WHERE k.chain_ids[number] = chain.top AND cardinality(k.chain_ids) > number AND t.rule_id IS NOT NULL AND t.missing_since IS NULL
    ORDER BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION image_library.descendants IS
  'Images that begin with all layers of an image, such as those that a bad base has spread to, directly or through others';
GRANT EXECUTE ON FUNCTION image_library.descendants TO image_library_reader;

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

CREATE FUNCTION image_library_internal.base_of(digest text, OUT base_digest text, OUT layers integer, OUT base_layers integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT b.digest, cardinality(c.chain_ids), b.place
  FROM image_library_internal.image_chain c
  LEFT JOIN LATERAL (
    SELECT k.digest, l.place::integer AS place
    FROM unnest(c.chain_ids) WITH ORDINALITY l (id, place)
    JOIN image_library_internal.image_chain k ON k.top = l.id
    WHERE l.place < cardinality(c.chain_ids)
      -- Also one that no tag points at any more.
      AND EXISTS (SELECT FROM image_library_internal.tag_period p JOIN image_library_internal.visible_repository r USING (repository_id) WHERE p.digest = k.digest)
    -- Of images with the same layers one of another repository, and one that a tag points at.
    ORDER BY l.place DESC,
             EXISTS (SELECT FROM image_library_internal.tag_period mine JOIN image_library_internal.tag_period p USING (repository_id)
                     WHERE mine.digest = base_of.digest AND p.digest = k.digest),
             (SELECT max(coalesce(p.until, 'infinity')) FROM image_library_internal.tag_period p WHERE p.digest = k.digest) DESC NULLS LAST, k.digest
    LIMIT 1) b ON true
  WHERE c.digest = base_of.digest
$$;
COMMENT ON FUNCTION image_library_internal.base_of IS
  'The image of the library that has the most layers of those that an image begins with, the number of layers of both; no base: null';
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

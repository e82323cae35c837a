-- Images that have an extension, for a major version and an OS: extension images, and servers that include it.

-- The query begins with extension images, which are few compared with tags.
CREATE VIEW image_library_internal.usable_extension_images WITH (security_barrier) AS
  SELECT x.repository_id, r.registry, r.repository, r.place, x.tag, x.digest, x.major_version, x.os, x.contested, i.created_at
  FROM image_library_internal.extension_image x
  JOIN image_library_internal.visible_repository r USING (repository_id)
  JOIN image_library_internal.tag t ON t.repository_id = x.repository_id AND t.name = x.tag AND t.digest = x.digest
  JOIN image_library_internal.image i ON i.digest = x.digest
  JOIN image_library_internal.approval a ON a.repository_id = x.repository_id AND a.digest = x.digest
  WHERE a.state = 'approved'
    AND image_library_internal.blocks(t.name, t.rule_id, t.missing_since, a, (SELECT clock_timestamp())) = '{}';
COMMENT ON VIEW image_library_internal.usable_extension_images IS
  'Approved, present and usable extension images of registries that the acting role may see';

-- The union is a subquery, since the barrier of a view that is a union itself does not hold: the planner flattens it.
CREATE VIEW image_library.extension_images WITH (security_barrier) AS
  SELECT x.extension, x.version, x.major_version, x.os, x.how, x.flavor, x.variant, x.registry, x.repository, x.tag, x.digest,
         concat(x.place, ':', x.tag) AS reference, concat(x.place, ':', x.tag, '@', x.digest) AS pinned_reference,
         (SELECT p.platforms FROM image_library_internal.tag_platforms p WHERE p.repository_id = x.repository_id AND p.tag = x.tag) AS platforms,
         x.published_as, x.description, x.created_at, x.contested
  FROM (
    SELECT n.extension, n.version, n.name AS published_as, n.description, 'image volume' AS how, NULL::text AS flavor, NULL::text AS variant,
           e.major_version, e.os, e.registry, e.repository, e.place, e.repository_id, e.tag, e.digest, e.created_at, e.contested
    FROM image_library_internal.usable_extension_images e
    JOIN image_library_internal.named_extensions n USING (repository_id, digest)
    UNION ALL
    SELECT n.extension, n.version, n.name, n.description, 'included', e.flavor, e.variant,
           e.major_version, e.os, e.registry, e.repository, e.place, e.repository_id, e.tag, e.digest, e.created_at, e.contested
    FROM image_library_internal.usable_entries e
    JOIN image_library_internal.named_extensions n USING (repository_id, digest)
    WHERE e.kind = 'postgres') x;
COMMENT ON VIEW image_library.extension_images IS
  'Approved, present images that have an extension: one row for each extension and tag, with the major version and OS that it is built for. how: image volume (a CloudNativePG extension image) or included (a Postgres image)';
GRANT SELECT ON image_library.extension_images TO image_library_reader;

CREATE TYPE image_library_internal.extension_choice AS (name text, repository_id integer, pinned_reference text);
COMMENT ON TYPE image_library_internal.extension_choice IS 'The newest image of an extension in a repository';

CREATE FUNCTION image_library_internal.extension_choices(major integer, os text, platforms text[], repositories text[])
RETURNS SETOF image_library_internal.extension_choice
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $_$
DECLARE
  places text[];
BEGIN
  IF repositories IS NOT NULL THEN
    places := ARRAY(SELECT m.name FROM image_library_internal.matching_names(repositories, 'place',
                      ARRAY(SELECT r.place FROM image_library_internal.visible_repository r)) m);
  END IF;
  RETURN QUERY
    SELECT DISTINCT ON (x.name COLLATE "C", e.repository_id)
           x.name, e.repository_id, concat(e.place, ':', e.tag, '@', e.digest)
    FROM image_library_internal.usable_extension_images e
    JOIN image_library_internal.image_extension x USING (repository_id, digest)
    JOIN image_library_internal.tag_platforms l ON l.repository_id = e.repository_id AND l.tag = e.tag
    WHERE e.major_version = extension_choices.major AND e.os = extension_choices.os AND NOT e.contested
      AND (places IS NULL OR e.place = ANY (places))
      AND l.platforms && extension_choices.platforms
      -- The operator takes no other names.
      AND x.name ~ '^[a-z0-9]([-a-z0-9_]*[a-z0-9])?$' AND length(x.name) <= 59
    ORDER BY x.name COLLATE "C", e.repository_id, image_library.version_key(e.tag) DESC, e.tag;
END
$_$;
COMMENT ON FUNCTION image_library_internal.extension_choices IS
  'Newest approved image of every extension in each repository, for a major version, an OS and one of the platforms; repositories: patterns of host/repository (null: all)';

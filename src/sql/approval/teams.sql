-- Teams: curators may decide on what their team owns; every curator may decide on what nobody owns.

-- The deciding rule of every tag that points, or pointed, at an image, including hidden tags and disabled rules. So the
-- owners of an image do not depend on where its tags point at the moment.
CREATE FUNCTION image_library_internal.rules_of_image(repository_id integer, digest text) RETURNS TABLE (rule_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH had AS (
    SELECT p.tag FROM image_library_internal.tag_period p
    WHERE p.repository_id = rules_of_image.repository_id AND p.digest = rules_of_image.digest
    UNION
    SELECT t.name FROM image_library_internal.tag t
    WHERE t.repository_id = rules_of_image.repository_id AND t.digest = rules_of_image.digest
  ), decided AS (
    SELECT h.tag, t.rule_id
    FROM had h
    LEFT JOIN LATERAL (
      SELECT x.rule_id FROM image_library_internal.tag x
      WHERE x.repository_id = rules_of_image.repository_id AND x.name = h.tag OFFSET 0) t ON true
  )
  SELECT d.rule_id FROM decided d WHERE d.rule_id IS NOT NULL
  UNION
  SELECT c.rule_id
  FROM image_library_internal.repository r
  CROSS JOIN LATERAL image_library_internal.decide_tags(
    (SELECT coalesce(jsonb_agg(to_jsonb(u) - '{enabled,newest}'::text[] ORDER BY u.priority, u.rule_id), '[]')
     FROM image_library_internal.rule u WHERE u.registry_id = r.registry_id AND u.action = 'include'),
    r.name, ARRAY(SELECT d.tag FROM decided d WHERE d.rule_id IS NULL)) c
  WHERE r.repository_id = rules_of_image.repository_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.rules_of_image IS
  'The rules whose teams own an image in a repository';

-- An image is owned by the registry's team and by the teams of the rules that decide on its tags. A curator must be in
-- the teams of all these rules. Otherwise the tag of one rule could be used to decide on images of another.
CREATE FUNCTION image_library_internal.require_team(what text, repository_id integer, digest text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  owners regrole[];
BEGIN
  -- Most images are nobody's: their rules need not be looked for.
  IF NOT EXISTS (SELECT FROM image_library_internal.repository r JOIN image_library_internal.registry g USING (registry_id)
                 WHERE r.repository_id = require_team.repository_id
                   AND (g.owner IS NOT NULL
                        OR EXISTS (SELECT FROM image_library_internal.rule u WHERE u.registry_id = g.registry_id AND u.owner IS NOT NULL))) THEN
    RETURN;
  END IF;
  FOR owners IN
    SELECT DISTINCT array_remove(ARRAY[u.owner, g.owner], NULL)
    FROM image_library_internal.repository r
    JOIN image_library_internal.registry g USING (registry_id)
    LEFT JOIN LATERAL image_library_internal.rules_of_image(r.repository_id, require_team.digest) i ON true
    LEFT JOIN image_library_internal.rule u ON u.rule_id = i.rule_id
    WHERE r.repository_id = require_team.repository_id
  LOOP
    IF cardinality(owners) > 0 THEN
      PERFORM image_library_internal.require_owner(what, VARIADIC owners);
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_team IS
  'Raises 42501 unless the acting role may decide on an image: it is in the teams that own it, or nobody owns it';

CREATE FUNCTION image_library_internal.require_repository_team(what text, repository_id integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  owners regrole[] := ARRAY(
    SELECT g.owner
    FROM image_library_internal.repository r JOIN image_library_internal.registry g USING (registry_id)
    WHERE r.repository_id = require_repository_team.repository_id AND g.owner IS NOT NULL
    UNION
    SELECT u.owner
    FROM image_library_internal.tag t JOIN image_library_internal.rule u USING (rule_id)
    WHERE t.repository_id = require_repository_team.repository_id AND u.owner IS NOT NULL);
BEGIN
  IF cardinality(owners) > 0 THEN
    PERFORM image_library_internal.require_owner(what, VARIADIC owners);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_repository_team IS
  'Raises 42501 unless the acting role may organize a repository: it is in a team that owns a part of it, or nobody owns it';

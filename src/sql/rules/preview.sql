-- Previews of rules, and explanation of why a tag is in the library or not.

CREATE TYPE image_library.previewed_tag AS (
  repository text, tag text, effect text, approval text, used_by bigint);
COMMENT ON TYPE image_library.previewed_tag IS 'Row of preview_rule and preview_rule_change';
COMMENT ON COLUMN image_library.previewed_tag.effect IS 'Effect of the change on the tag: added, removed or kept';
COMMENT ON COLUMN image_library.previewed_tag.approval IS
  'State of the image that the tag points at; null: the tag was never read';
COMMENT ON COLUMN image_library.previewed_tag.used_by IS
  'Number of uses of the tag in image_library.usage, with any of its digests';

-- The future rules are the present ones without taken_out and with put_in. Repositories that none of these takes do not
-- change.
CREATE FUNCTION image_library_internal.preview(registry_id integer, taken_out image_library_internal.rule[], put_in image_library_internal.rule[])
RETURNS SETOF image_library.previewed_tag
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rules_now jsonb := image_library_internal.rules_json(registry_id);
  rules_then jsonb := (
    SELECT coalesce(jsonb_agg(rule ORDER BY (rule ->> 'priority')::integer, (rule ->> 'rule_id')::bigint), '[]')
    FROM (SELECT n FROM jsonb_array_elements(rules_now) n
          WHERE (n ->> 'rule_id')::bigint NOT IN (SELECT o.rule_id FROM unnest(taken_out) o)
          UNION ALL
          SELECT to_jsonb(p) FROM unnest(put_in) p WHERE p.enabled) AS later (rule));
  takes_repository jsonb := (SELECT jsonb_agg(jsonb_build_object('repositories', c.repositories))
                             FROM unnest(taken_out || put_in) c);
BEGIN
  RETURN QUERY
    SELECT r.name, decided.tag, decided.effect,
           CASE WHEN t.name IS NOT NULL THEN coalesce(a.state, 'pending') END,
           (SELECT count(*) FROM image_library_internal.image_use u
            WHERE u.repository_id = r.repository_id AND u.tag = decided.tag AND u.released_at IS NULL)
    FROM image_library_internal.repository r
    JOIN image_library_internal.listing l USING (repository_id)
    CROSS JOIN LATERAL (
      SELECT d.tag,
             CASE WHEN old.tag IS NULL THEN 'added' WHEN new.tag IS NULL THEN 'removed' ELSE 'kept' END
      FROM image_library_internal.decide_tags(rules_now, r.name, l.tags) old
      FULL JOIN image_library_internal.decide_tags(rules_then, r.name, l.tags) new ON new.tag = old.tag
      CROSS JOIN LATERAL (SELECT coalesce(old.tag, new.tag)) AS d (tag)
    ) AS decided (tag, effect)
    LEFT JOIN image_library_internal.tag t ON t.repository_id = r.repository_id AND t.name = decided.tag
    LEFT JOIN image_library_internal.approval a ON a.repository_id = r.repository_id AND a.digest = t.digest
    WHERE r.registry_id = preview.registry_id
      AND EXISTS (SELECT FROM image_library_internal.decide_tags(takes_repository, r.name, '{any}'))
    ORDER BY r.name, image_library.version_key(decided.tag);
END
$$;
COMMENT ON FUNCTION image_library_internal.preview IS
  'Tags of the last listings that the rules would take if some rules were removed and others (those enabled) added';

CREATE FUNCTION image_library.preview_rule(registry text, repositories text, tags text[] DEFAULT '{*}',
  exclude_tags text[] DEFAULT '{}', action text DEFAULT 'include', kind text DEFAULT 'auto',
  approval text DEFAULT 'manual', platforms text[] DEFAULT NULL, immutable_tags boolean DEFAULT false,
  newest integer DEFAULT NULL, priority integer DEFAULT 100, owner regrole DEFAULT NULL,
  refresh boolean DEFAULT false, required_approvals integer DEFAULT 1, separate_requester boolean DEFAULT false)
RETURNS SETOF image_library.previewed_tag
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  previewed image_library_internal.rule;
BEGIN
  previewed := image_library_internal.new_rule(jsonb_build_object(
    -- The new rule would be the newest one.
    'rule_id', 9223372036854775807, 'registry_id', of_registry.registry_id, 'repositories', repositories, 'tags', tags,
    'exclude_tags', exclude_tags, 'action', action, 'kind', kind, 'approval', approval, 'platforms', platforms,
    'immutable_tags', immutable_tags, 'newest', newest, 'priority', priority, 'required_approvals', required_approvals,
    'separate_requester', separate_requester));
  IF image_library_internal.is_repository_name(repositories) THEN
    IF refresh THEN
      PERFORM image_library_internal.require_owner(format('list a repository of registry "%s"', registry), of_registry.owner);
      PERFORM image_library_internal.refresh_listing(registry, repositories);
    ELSIF NOT EXISTS (
      SELECT FROM image_library_internal.repository r JOIN image_library_internal.listing l USING (repository_id)
      WHERE r.registry_id = of_registry.registry_id AND r.name = repositories)
    THEN
      RAISE NOTICE USING
        MESSAGE = format('repository "%s" of registry "%s" was never listed', repositories, registry),
        HINT = 'Use refresh => true to list it now.';
    END IF;
  END IF;
  RETURN QUERY SELECT * FROM image_library_internal.preview(of_registry.registry_id, '{}', ARRAY[previewed]);
END
$$;
COMMENT ON FUNCTION image_library.preview_rule IS
  'Shows what add_rule with these parameters would do to the last listings: tags added, removed or kept, the state of their images, and how many consumers use them. Writes nothing, except the listing with refresh';
GRANT EXECUTE ON FUNCTION image_library.preview_rule TO image_library_reader;

CREATE FUNCTION image_library.preview_rule_change(rule_id bigint, repositories text DEFAULT NULL, tags text[] DEFAULT NULL,
  exclude_tags text[] DEFAULT NULL, action text DEFAULT NULL, kind text DEFAULT NULL, approval text DEFAULT NULL,
  platforms text[] DEFAULT NULL, immutable_tags boolean DEFAULT NULL, newest integer DEFAULT NULL,
  priority integer DEFAULT NULL, owner regrole DEFAULT NULL, required_approvals integer DEFAULT NULL,
  enabled boolean DEFAULT NULL, dropped boolean DEFAULT false, separate_requester boolean DEFAULT NULL)
RETURNS SETOF image_library.previewed_tag
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  old image_library_internal.rule := image_library_internal.find_rule(rule_id);
  change jsonb := jsonb_build_object(
    'repositories', repositories, 'tags', tags, 'exclude_tags', exclude_tags, 'action', action, 'kind', kind, 'approval', approval,
    'platforms', platforms, 'immutable_tags', immutable_tags, 'newest', newest, 'priority', priority, 'enabled', enabled,
    'owner', owner, 'required_approvals', required_approvals, 'separate_requester', separate_requester);
BEGIN
  RETURN QUERY
    SELECT *
    FROM image_library_internal.preview(old.registry_id, ARRAY[old],
      CASE WHEN dropped THEN '{}' ELSE ARRAY[image_library_internal.altered_rule(old, change)] END);
END
$$;
COMMENT ON FUNCTION image_library.preview_rule_change IS
  'Shows what alter_rule with these parameters, enable_rule or disable_rule (enabled) or drop_rule (dropped) would do to the last listings of the repositories that the rule takes or would take. Writes nothing';
GRANT EXECUTE ON FUNCTION image_library.preview_rule_change TO image_library_reader;

CREATE FUNCTION image_library.explain_tag(registry text, repository text, tag text)
RETURNS TABLE (rule_id bigint, action text, matched boolean, decides boolean, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  listed text[];
BEGIN
  IF NOT image_library_internal.is_repository_name(coalesce(repository, '')) OR NOT image_library_internal.is_tag(coalesce(tag, '')) THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('"%s:%s" is not a repository and tag', repository, tag);
  END IF;
  SELECT l.tags INTO listed
  FROM image_library_internal.repository r JOIN image_library_internal.listing l USING (repository_id)
  WHERE r.registry_id = of_registry.registry_id AND r.name = explain_tag.repository;
  RETURN QUERY
    SELECT e.rule_id, e.action, e.matched, e.decides, e.reason
    FROM image_library_internal.explain_decision(image_library_internal.rules_json(of_registry.registry_id),
                                    explain_tag.repository, explain_tag.tag,
                                    CASE WHEN explain_tag.tag = ANY (listed) THEN listed
                                         ELSE coalesce(listed, '{}') || explain_tag.tag END) e;
END
$$;
COMMENT ON FUNCTION image_library.explain_tag IS
  'Shows for each rule whether it matches a tag, whether it decides, and why';
GRANT EXECUTE ON FUNCTION image_library.explain_tag TO image_library_reader;

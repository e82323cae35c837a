-- What a rule would do, and why a tag is in the library or out of it.

CREATE FUNCTION image_library.preview_rule(registry text, repositories text, tags text[] DEFAULT '{*}',
  exclude_tags text[] DEFAULT '{}', action text DEFAULT 'include', kind text DEFAULT 'auto',
  approval text DEFAULT 'manual', platforms text[] DEFAULT NULL, immutable_tags boolean DEFAULT false,
  newest integer DEFAULT NULL, priority integer DEFAULT 100, owner regrole DEFAULT NULL,
  refresh boolean DEFAULT false)
RETURNS TABLE (repository text, tag text, effect text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library.registry := image_library._registry(registry);
  previewed image_library.rule;
  rules_now jsonb := image_library._rules_json(of_registry.registry_id);
  rules_then jsonb;
  takes_repository jsonb := jsonb_build_array(jsonb_build_object('repositories', repositories));
  literal boolean := image_library._is_repository_name(repositories);
BEGIN
  -- It would be the youngest rule.
  previewed.rule_id := 9223372036854775807;
  previewed.registry_id := of_registry.registry_id;
  previewed.repositories := repositories;
  previewed.tags := tags;
  previewed.exclude_tags := coalesce(exclude_tags, '{}');
  previewed.action := action;
  previewed.kind := kind;
  previewed.approval := approval;
  previewed.platforms := platforms;
  previewed.immutable_tags := coalesce(immutable_tags, false);
  previewed.newest := newest;
  previewed.priority := priority;
  PERFORM image_library._check_rule(previewed);
  rules_then := rules_now || jsonb_build_array(to_jsonb(previewed));
  IF literal THEN
    IF refresh THEN
      PERFORM image_library._require_owner(format('list a repository of registry "%s"', registry), of_registry.owner);
      PERFORM image_library._refresh_listing(registry, repositories);
    ELSIF NOT EXISTS (
      SELECT FROM image_library.repository r JOIN image_library.listing l USING (repository_id)
      WHERE r.registry_id = of_registry.registry_id AND r.name = repositories)
    THEN
      RAISE NOTICE USING
        MESSAGE = format('repository "%s" of registry "%s" was never listed', repositories, registry),
        HINT = 'Use refresh => true to list it now.';
    END IF;
  END IF;
  RETURN QUERY
    SELECT r.name, decided.tag, decided.effect
    FROM image_library.repository r
    JOIN image_library.listing l USING (repository_id)
    CROSS JOIN LATERAL (
      SELECT d.tag,
             CASE WHEN old.tag IS NULL THEN 'added' WHEN new.tag IS NULL THEN 'removed' ELSE 'kept' END
      FROM image_library._decide_tags(rules_now, r.name, l.tags) old
      FULL JOIN image_library._decide_tags(rules_then, r.name, l.tags) new ON new.tag = old.tag
      CROSS JOIN LATERAL (SELECT coalesce(old.tag, new.tag)) AS d (tag)
    ) AS decided (tag, effect)
    WHERE r.registry_id = of_registry.registry_id
      AND EXISTS (SELECT FROM image_library._decide_tags(takes_repository, r.name, '{any}'))
    ORDER BY r.name, image_library.version_key(decided.tag);
END
$$;
COMMENT ON FUNCTION image_library.preview_rule(text, text, text[], text[], text, text, text, text[], boolean, integer, integer, regrole, boolean) IS
  'What add_rule with these parameters would do to the last listings of the repositories it takes: tags added, removed or kept. Writes nothing, but the listing with refresh';

CREATE FUNCTION image_library.explain_tag(registry text, repository text, tag text)
RETURNS TABLE (rule_id bigint, action text, matched boolean, decides boolean, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library.registry := image_library._registry(registry);
  listed text[];
BEGIN
  IF NOT image_library._is_repository_name(coalesce(repository, '')) OR NOT image_library._is_tag(coalesce(tag, '')) THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('"%s:%s" is not a repository and tag', repository, tag);
  END IF;
  SELECT l.tags INTO listed
  FROM image_library.repository r JOIN image_library.listing l USING (repository_id)
  WHERE r.registry_id = of_registry.registry_id AND r.name = explain_tag.repository;
  RETURN QUERY
    SELECT e.rule_id, e.action, e.matched, e.decides, e.reason
    FROM image_library._explain_tag(image_library._rules_json(of_registry.registry_id),
                                    explain_tag.repository, explain_tag.tag,
                                    CASE WHEN explain_tag.tag = ANY (listed) THEN listed
                                         ELSE coalesce(listed, '{}') || explain_tag.tag END) e;
END
$$;
COMMENT ON FUNCTION image_library.explain_tag(text, text, text) IS
  'Every rule tried on a tag: whether it matched, whether it decides, and why';

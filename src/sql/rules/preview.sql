-- Previews of rules.

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
  repository record;
  unknown text[];
BEGIN
  -- A query for each repository: in one for all of them, what the executor takes for each would add up.
  FOR repository IN
    SELECT r.repository_id, r.name, l.tags
    FROM image_library_internal.repository r
    JOIN image_library_internal.listing l USING (repository_id)
    WHERE r.registry_id = preview.registry_id
    ORDER BY r.name
  LOOP
    CONTINUE WHEN NOT EXISTS (SELECT FROM image_library_internal.decide_tags(takes_repository, repository.name, '{any}'));
    unknown := image_library_internal.unknown_tags_in_use(repository.repository_id);
    RETURN QUERY
      SELECT repository.name, d.tag,
             CASE WHEN old.tag IS NULL THEN 'added' WHEN new.tag IS NULL THEN 'removed' ELSE 'kept' END,
             CASE WHEN t.name IS NOT NULL THEN coalesce(a.state, 'pending') END,
             (SELECT count(*) FROM image_library_internal.image_use u
              WHERE u.repository_id = repository.repository_id AND u.tag = d.tag AND u.released_at IS NULL)
            + (SELECT count(*) FROM unnest(unknown) x (tag) WHERE x.tag = d.tag)
      FROM image_library_internal.decide_tags(rules_now, repository.name, repository.tags) old
      FULL JOIN image_library_internal.decide_tags(rules_then, repository.name, repository.tags) new ON new.tag = old.tag
      CROSS JOIN LATERAL (SELECT coalesce(old.tag, new.tag)) AS d (tag)
      LEFT JOIN image_library_internal.tag t ON t.repository_id = repository.repository_id AND t.name = d.tag
      LEFT JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest
      ORDER BY image_library.version_key(d.tag);
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.preview IS
  'Tags of the last listings that the rules would take if some rules were removed and others (those enabled) added';

-- Of a wildcard only repositories that a sync or a preview has listed are shown.
CREATE FUNCTION image_library_internal.tell_unlisted(of_registry image_library_internal.registry, repositories text, action text)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF image_library_internal.is_repository_name(repositories) THEN
    IF NOT EXISTS (
      SELECT FROM image_library_internal.repository r JOIN image_library_internal.listing l USING (repository_id)
      WHERE r.registry_id = of_registry.registry_id AND r.name = repositories)
    THEN
      RAISE NOTICE USING
        MESSAGE = format('repository "%s" of registry "%s" was never listed', repositories, of_registry.name),
        HINT = 'Use image_library.preview_rule with refresh => true to list it now.';
    END IF;
  -- An exclude rule matters for what is in the library only, which is listed.
  ELSIF action = 'include' AND NOT EXISTS (
    SELECT FROM image_library_internal.rule u JOIN image_library_internal.run s USING (registry_id)
    WHERE u.registry_id = of_registry.registry_id AND u.enabled AND u.action = 'include'
      AND u.repositories = ANY (ARRAY[tell_unlisted.repositories, '**'])
      -- A partial run without an error went through all repositories.
      AND (s.outcome = 'complete' OR s.outcome = 'partial' AND s.error IS NULL) AND s.started_at >= coalesce(of_registry.rules_changed_at, '-infinity')
      -- A catalogue that was refused is a problem of the pattern.
      AND NOT EXISTS (SELECT FROM image_library_internal.problem p
                      WHERE p.registry_id = u.registry_id AND p.repository = u.repositories AND p.tag = ''))
  THEN
    RAISE NOTICE USING
      MESSAGE = format('repositories of registry "%s" that match "%s" may be missing: no complete sync has looked for them',
                       of_registry.name, repositories),
      HINT = 'Use image_library.preview_rule with refresh => true to list them now.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.tell_unlisted IS
  'Tells by a NOTICE that a preview cannot show everything, since repositories were never listed';

CREATE FUNCTION image_library_internal.matching_repositories(of_registry image_library_internal.registry, pattern text) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  names text[] := ARRAY(SELECT image_library_internal.live_repositories(of_registry.name, pattern));
BEGIN
  IF cardinality(names) = 0 THEN
    RAISE NOTICE USING
      MESSAGE = format('registry "%s" lists no repository that matches "%s"', of_registry.name, pattern),
      HINT = 'A catalogue may show only a part of the registry; image_library.list_tags needs none.';
  END IF;
  RETURN names;
END
$$;
COMMENT ON FUNCTION image_library_internal.matching_repositories IS
  'Repositories that a live registry lists and a pattern matches; tells by a NOTICE when there are none';

CREATE FUNCTION image_library_internal.refresh_matching(of_registry image_library_internal.registry, repositories text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most CONSTANT integer := 200;
  matching text[];
  chosen text[];
  problems text[];
BEGIN
  IF image_library_internal.is_repository_name(repositories) THEN
    PERFORM image_library_internal.check_repository_pattern(repositories, of_registry.host, of_registry.prefix);
    PERFORM FROM image_library_internal.refresh_listings(of_registry.name, ARRAY[repositories]);
    RETURN;
  END IF;
  PERFORM image_library_internal.check_repositories(of_registry.registry_id, repositories);
  matching := image_library_internal.matching_repositories(of_registry, repositories);
  -- Those that were never listed come first, so that the next call goes on where this one ends.
  chosen := ARRAY(SELECT m.name
                  FROM unnest(matching) m (name)
                  LEFT JOIN image_library_internal.repository r ON r.registry_id = of_registry.registry_id AND r.name = m.name
                  LEFT JOIN image_library_internal.listing l USING (repository_id)
                  ORDER BY l.repository_id IS NOT NULL, m.name COLLATE "C" LIMIT most);
  problems := ARRAY(SELECT format('%s: %s', x.repository, x.problem)
                    FROM image_library_internal.refresh_listings(of_registry.name, chosen) x
                    WHERE x.problem IS NOT NULL ORDER BY x.repository COLLATE "C");
  IF cardinality(problems) > 0 THEN
    RAISE NOTICE USING
      MESSAGE = format('%s of %s repositories could not be listed', cardinality(problems), cardinality(chosen)),
      DETAIL = array_to_string(problems[1:10], E'\n') || CASE WHEN cardinality(problems) > 10 THEN E'\n...' ELSE '' END;
  END IF;
  IF cardinality(matching) > most THEN
    RAISE NOTICE USING
      MESSAGE = format('%s repositories match "%s": %s of them were listed now', cardinality(matching), repositories, most),
      HINT = 'Call it again to list others, or narrow the pattern.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_matching IS
  'Lists the named repository, or up to 200 that a pattern matches, and tells which could not be listed';

CREATE FUNCTION image_library.preview_rule(registry text, repositories text, tags text[] DEFAULT '{*}',
  exclude_tags text[] DEFAULT '{}', action text DEFAULT 'include', kind text DEFAULT 'auto',
  approval text DEFAULT 'manual', platforms text[] DEFAULT NULL, immutable_tags boolean DEFAULT false,
  newest integer DEFAULT NULL, priority integer DEFAULT 100, owner regrole DEFAULT NULL,
  refresh boolean DEFAULT false, required_approvals integer DEFAULT 1, separate_requester boolean DEFAULT false,
  signed_by text[] DEFAULT NULL)
RETURNS SETOF image_library.previewed_tag
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  previewed image_library_internal.rule;
BEGIN
  IF refresh THEN
    PERFORM image_library_internal.require_owner(format('list repositories of registry "%s"', registry), of_registry.owner);
    PERFORM image_library_internal.refresh_matching(of_registry, coalesce(repositories, ''));
  END IF;
  previewed := image_library_internal.new_rule(jsonb_build_object(
    -- The new rule would be the newest one.
    'rule_id', 9223372036854775807, 'registry_id', of_registry.registry_id, 'repositories', repositories, 'tags', tags,
    'exclude_tags', exclude_tags, 'action', action, 'kind', kind, 'approval', approval, 'platforms', platforms,
    'immutable_tags', immutable_tags, 'newest', newest, 'priority', priority, 'required_approvals', required_approvals,
    'separate_requester', separate_requester, 'signed_by', signed_by));
  IF refresh IS NOT TRUE THEN
    PERFORM image_library_internal.tell_unlisted(of_registry, repositories, action);
  END IF;
  RETURN QUERY SELECT * FROM image_library_internal.preview(of_registry.registry_id, '{}', ARRAY[previewed]);
END
$$;
COMMENT ON FUNCTION image_library.preview_rule IS
  'Shows what add_rule with these parameters would do to the last listings: tags added, removed or kept, the state of their images, and how many consumers use them. With refresh the repositories are listed first: the named one, or up to 200 that the pattern matches. Writes nothing, except their listings with refresh';
GRANT EXECUTE ON FUNCTION image_library.preview_rule TO image_library_reader;

CREATE FUNCTION image_library.preview_rule_change(rule_id bigint, repositories text DEFAULT NULL, tags text[] DEFAULT NULL,
  exclude_tags text[] DEFAULT NULL, action text DEFAULT NULL, kind text DEFAULT NULL, approval text DEFAULT NULL,
  platforms text[] DEFAULT NULL, immutable_tags boolean DEFAULT NULL, newest integer DEFAULT NULL,
  priority integer DEFAULT NULL, owner regrole DEFAULT NULL, required_approvals integer DEFAULT NULL,
  enabled boolean DEFAULT NULL, dropped boolean DEFAULT false, separate_requester boolean DEFAULT NULL,
  signed_by text[] DEFAULT NULL)
RETURNS SETOF image_library.previewed_tag
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  old image_library_internal.rule := image_library_internal.find_rule(rule_id);
  change jsonb := jsonb_build_object(
    'repositories', repositories, 'tags', tags, 'exclude_tags', exclude_tags, 'action', action, 'kind', kind, 'approval', approval,
    'platforms', platforms, 'immutable_tags', immutable_tags, 'newest', newest, 'priority', priority, 'enabled', enabled,
    'owner', owner, 'required_approvals', required_approvals, 'separate_requester', separate_requester, 'signed_by', signed_by);
  changed image_library_internal.rule[] := '{}';
BEGIN
  IF dropped IS NOT TRUE THEN
    changed := ARRAY[image_library_internal.altered_rule(old, change)];
    IF repositories IS NOT NULL THEN
      PERFORM image_library_internal.tell_unlisted(g, repositories, coalesce(preview_rule_change.action, old.action))
      FROM image_library_internal.registry g WHERE g.registry_id = old.registry_id;
    END IF;
  END IF;
  RETURN QUERY SELECT * FROM image_library_internal.preview(old.registry_id, ARRAY[old], changed);
END
$$;
COMMENT ON FUNCTION image_library.preview_rule_change IS
  'Shows what alter_rule with these parameters, enable_rule or disable_rule (enabled) or drop_rule (dropped) would do to the last listings of the repositories that the rule takes or would take. Writes nothing';
GRANT EXECUTE ON FUNCTION image_library.preview_rule_change TO image_library_reader;

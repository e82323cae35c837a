-- What a registry has, asked live, and why a tag is in the library or not.

CREATE FUNCTION image_library_internal.tell_cut(shown integer, whole integer, what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF whole > shown THEN
    RAISE NOTICE USING
      MESSAGE = format('%s of %s %s are shown', shown, whole, what),
      HINT = 'Narrow the pattern, or raise max_rows.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.tell_cut IS 'Tells by a NOTICE that a result is not complete';

-- Curators may ask, as they may call check_registry: the answer is what the credential of the registry sees.
CREATE FUNCTION image_library.list_repositories(registry text, pattern text DEFAULT '**', max_rows integer DEFAULT 1000)
RETURNS TABLE (repository text, in_library boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  names text[];
BEGIN
  max_rows := coalesce(image_library_internal.check_range('max_rows', max_rows, 1, 2147483647), 1000);
  pattern := coalesce(pattern, '**');
  PERFORM image_library_internal.check_repositories(of_registry.registry_id, pattern);
  names := image_library_internal.matching_repositories(of_registry, pattern);
  PERFORM image_library_internal.tell_cut(max_rows, cardinality(names), 'repositories');
  RETURN QUERY
    SELECT n.name,
           EXISTS (SELECT FROM image_library_internal.repository r JOIN image_library_internal.tag t USING (repository_id)
                   WHERE r.registry_id = of_registry.registry_id AND r.name = n.name
                     AND t.rule_id IS NOT NULL AND t.missing_since IS NULL)
    FROM unnest(names[1:max_rows]) WITH ORDINALITY AS n (name, place)
    ORDER BY n.place;
END
$$;
COMMENT ON FUNCTION image_library.list_repositories IS
  'Asks the live registry for its repositories that match a pattern, and tells which have images in the library. Needs no rule, stores nothing';
GRANT EXECUTE ON FUNCTION image_library.list_repositories TO image_library_curator;

CREATE FUNCTION image_library.list_tags(registry text, repository text, pattern text DEFAULT '*', max_rows integer DEFAULT 1000)
RETURNS TABLE (tag text, in_library boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  names text[];
BEGIN
  max_rows := coalesce(image_library_internal.check_range('max_rows', max_rows, 1, 2147483647), 1000);
  pattern := coalesce(pattern, '*');
  PERFORM image_library_internal.check_repository_pattern(coalesce(repository, ''), of_registry.host, of_registry.prefix);
  IF NOT image_library_internal.is_repository_name(coalesce(repository, '')) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('"%s" is not the name of a repository', repository),
      hint => 'Find names with image_library.list_repositories.');
  END IF;
  PERFORM image_library_internal.check_tag_pattern(pattern);
  names := ARRAY(SELECT n.tag FROM image_library_internal.live_tags(registry, repository, pattern) n (tag)
                 ORDER BY image_library.version_key(n.tag) DESC, n.tag COLLATE "C" DESC);
  PERFORM image_library_internal.tell_cut(max_rows, cardinality(names), 'tags');
  RETURN QUERY
    SELECT n.name,
           EXISTS (SELECT FROM image_library_internal.repository r JOIN image_library_internal.tag t USING (repository_id)
                   WHERE r.registry_id = of_registry.registry_id AND r.name = list_tags.repository AND t.name = n.name
                     AND t.rule_id IS NOT NULL AND t.missing_since IS NULL)
    FROM unnest(names[1:max_rows]) WITH ORDINALITY AS n (name, place)
    ORDER BY n.place;
END
$$;
COMMENT ON FUNCTION image_library.list_tags IS
  'Asks the live registry for the tags of a repository that match a pattern, newest version first, and tells which are in the library. Needs no rule and no catalogue, stores nothing';
GRANT EXECUTE ON FUNCTION image_library.list_tags TO image_library_curator;

-- What rules say of a tag is no answer to whoever asks for one that is not there.
CREATE FUNCTION image_library_internal.why_absent(registry_id integer, repository text, tag text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN t.missing_since IS NOT NULL THEN format('the tag is gone from the registry since %s', t.missing_since)
    WHEN t.name IS NOT NULL THEN NULL
    WHEN p.problem IS NOT NULL THEN format('it could not be read: %s (%s)', p.problem, p.detail)
    WHEN l.tags IS NULL THEN format('repository "%s" was never listed, so it is not known whether it has the tag', why_absent.repository)
    WHEN why_absent.tag <> ALL (l.tags) THEN format('the last listing of repository "%s" does not have the tag', why_absent.repository)
    WHEN EXISTS (SELECT FROM image_library_internal.decide_tags(
                   image_library_internal.rules_json(why_absent.registry_id), why_absent.repository, l.tags) d
                 WHERE d.tag = why_absent.tag)
      THEN 'the tag is listed, and is read by the next sync'
    ELSE 'the tag is listed, and no rule takes it' END
  FROM (VALUES (why_absent.registry_id, why_absent.repository)) AS asked (registry_id, name)
  LEFT JOIN image_library_internal.repository r USING (registry_id, name)
  LEFT JOIN image_library_internal.listing l USING (repository_id)
  LEFT JOIN image_library_internal.tag t ON t.repository_id = r.repository_id AND t.name = why_absent.tag
  LEFT JOIN LATERAL (
    SELECT x.problem, x.detail FROM image_library_internal.problem x
    WHERE x.registry_id = why_absent.registry_id AND x.repository = why_absent.repository AND x.tag IN ('', why_absent.tag)
    ORDER BY x.tag DESC LIMIT 1) p ON true
$$;
COMMENT ON FUNCTION image_library_internal.why_absent IS
  'Why a tag is not in the library whatever its rules say; null: it is there';

CREATE FUNCTION image_library_internal.signature_note(registry_id integer, repository text, tag text, rule_id bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN t.digest IS NULL THEN format('; a signature of %s is required', array_to_string(u.signed_by, ' or '))
    WHEN image_library_internal.has_signature(t.repository_id, t.digest, u.signed_by)
      THEN format('; the required signature of %s is verified', array_to_string(u.signed_by, ' or '))
    ELSE format('; a signature of %s is required for an approval, and none is verified', array_to_string(u.signed_by, ' or ')) END
  FROM image_library_internal.rule u
  LEFT JOIN image_library_internal.repository r ON r.registry_id = u.registry_id AND r.name = signature_note.repository
  LEFT JOIN image_library_internal.tag t ON t.repository_id = r.repository_id AND t.name = signature_note.tag
  WHERE u.rule_id = signature_note.rule_id AND u.registry_id = signature_note.registry_id AND u.signed_by IS NOT NULL
$$;
COMMENT ON FUNCTION image_library_internal.signature_note IS
  'What explain_tag adds for a rule that requires a signature; null: it does not';

CREATE FUNCTION image_library.explain_tag(registry text, repository text, tag text)
RETURNS TABLE (rule_id bigint, action text, matched boolean, decides boolean, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  listed text[];
  absent text;
BEGIN
  -- What is no name of a repository here is told as add_rule tells it; a name that is known is none of that.
  IF repository <> '' AND NOT EXISTS (SELECT FROM image_library_internal.repository r
                                      WHERE r.registry_id = of_registry.registry_id AND r.name = explain_tag.repository) THEN
    PERFORM image_library_internal.check_repository_pattern(repository, of_registry.host, of_registry.prefix);
  END IF;
  IF NOT image_library_internal.is_repository_name(coalesce(repository, '')) OR NOT image_library_internal.is_tag(coalesce(tag, '')) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('"%s:%s" is not a repository and tag', repository, tag),
      hint => 'Name both without patterns: image_library.list_repositories and list_tags find names.');
  END IF;
  SELECT l.tags INTO listed
  FROM image_library_internal.repository r JOIN image_library_internal.listing l USING (repository_id)
  WHERE r.registry_id = of_registry.registry_id AND r.name = explain_tag.repository;
  RETURN QUERY
    SELECT e.rule_id, e.action, e.matched, e.decides,
           concat(e.reason, CASE WHEN e.matched THEN image_library_internal.signature_note(of_registry.registry_id, explain_tag.repository, explain_tag.tag, e.rule_id) END)
    FROM image_library_internal.explain_decision(image_library_internal.rules_json(of_registry.registry_id),
                                    explain_tag.repository, explain_tag.tag,
                                    CASE WHEN explain_tag.tag = ANY (listed) THEN listed
                                         ELSE coalesce(listed, '{}') || explain_tag.tag END) e;
  absent := image_library_internal.why_absent(of_registry.registry_id, repository, tag);
  IF absent IS NOT NULL THEN
    RETURN QUERY SELECT NULL::bigint, NULL::text, false, false, absent;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.explain_tag IS
  'Shows for each rule whether it matches a tag, whether it decides, and why; a last row without rule says why the tag is not there';
GRANT EXECUTE ON FUNCTION image_library.explain_tag TO image_library_reader;

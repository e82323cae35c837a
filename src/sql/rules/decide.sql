-- Application of rules to the known tags. Tags that no rule takes are hidden, never removed.

CREATE FUNCTION image_library_internal.decide_repository(repository_id integer, rules jsonb, altered_rule_id bigint)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  repository text;
  listed text[];
  touched text[];
BEGIN
  SELECT r.name, l.tags INTO repository, listed
  FROM image_library_internal.repository r LEFT JOIN image_library_internal.listing l USING (repository_id)
  WHERE r.repository_id = decide_repository.repository_id;
  WITH known AS (
    SELECT t.name, t.missing_since IS NOT NULL AS missing
    FROM image_library_internal.tag t WHERE t.repository_id = decide_repository.repository_id
  ), present AS (
    SELECT unnest(listed) AS name UNION SELECT k.name FROM known k WHERE NOT k.missing
  ), decided AS (
    SELECT d.tag, d.rule_id
    FROM image_library_internal.decide_tags(rules, repository, ARRAY(SELECT p.name FROM present p)) d
    UNION ALL
    -- Missing tags are decided separately, so that they do not count among the newest.
    SELECT d.tag, d.rule_id
    FROM image_library_internal.decide_tags(rules, repository, ARRAY(
      SELECT k.name FROM known k WHERE k.missing EXCEPT SELECT p.name FROM present p)) d
  ), changed AS (
    UPDATE image_library_internal.tag t SET rule_id = d.rule_id
    FROM known k LEFT JOIN decided d ON d.tag = k.name
    WHERE t.repository_id = decide_repository.repository_id AND t.name = k.name
      AND t.rule_id IS DISTINCT FROM d.rule_id
    RETURNING t.name
  )
  SELECT array_agg(t.name) INTO touched
  FROM (SELECT c.name FROM changed c
        UNION
        -- The altered rule may still decide on the tag, with another kind or approval.
        SELECT t.name FROM image_library_internal.tag t
        WHERE t.repository_id = decide_repository.repository_id AND t.rule_id = altered_rule_id) t;
  IF touched IS NOT NULL THEN
    PERFORM image_library_internal.approve_by_rule(repository_id, touched);
    PERFORM image_library_internal.refresh_entries(repository_id, touched);
    PERFORM image_library_internal.approve_by_policy(repository_id, touched);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.decide_repository IS
  'Determines the rule that decides on each known tag of a repository, by its last listing; writes changes only';
GRANT EXECUTE ON FUNCTION image_library_internal.decide_repository TO image_library_agent;

CREATE FUNCTION image_library_internal.decide_registry(registry_id integer, altered_rule_id bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rules_now jsonb;
  id integer;
BEGIN
  -- Prevents a concurrent change of rules, which this transaction would not see: see lock_rules.
  PERFORM image_library_internal.lock_rules_of(registry_id, exclusive => false);
  rules_now := image_library_internal.rules_json(registry_id);
  FOR id IN
    SELECT r.repository_id FROM image_library_internal.repository r
    WHERE r.registry_id = decide_registry.registry_id
      AND EXISTS (SELECT FROM image_library_internal.tag t WHERE t.repository_id = r.repository_id)
    ORDER BY r.repository_id
  LOOP
    PERFORM image_library_internal.lock_repository(registry_id, id, for_batch => true);
    PERFORM image_library_internal.decide_repository(id, rules_now, altered_rule_id);
    -- Images that waited because of a rule that has been dropped, or has approval => auto now, may also be approved
    -- through tags of other rules.
    PERFORM image_library_internal.approve_by_rule(id, ARRAY(
      SELECT t.name FROM image_library_internal.tag t
      WHERE t.repository_id = id AND t.rule_id IS NOT NULL AND t.missing_since IS NULL));
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.decide_registry IS
  'Applies the rules to every known tag of a registry; for tags of the altered rule also kind and approval';
GRANT EXECUTE ON FUNCTION image_library_internal.decide_registry TO image_library_agent;

-- Who may do what, in one place. Nothing is granted to PUBLIC, and no role may write a table but the agent.

REVOKE ALL ON ALL TABLES IN SCHEMA image_library FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA image_library FROM PUBLIC;

-- ALTER DEFAULT PRIVILEGES may have granted more to whomever: with TRIGGER on a table its secrets would be theirs.
DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', o.object, a.grantee::regrole)
    FROM (
      SELECT 'SCHEMA image_library', n.nspacl, n.nspowner FROM pg_namespace n WHERE n.oid = 'image_library'::regnamespace
      UNION ALL
      SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass), c.relacl, c.relowner
      FROM pg_class c WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind IN ('r', 'v', 'S')
      UNION ALL
      SELECT format('ROUTINE %s', p.oid::regprocedure), p.proacl, p.proowner
      FROM pg_proc p WHERE p.pronamespace = 'image_library'::regnamespace
      UNION ALL
      SELECT format('TYPE %s', t.oid::regtype), t.typacl, t.typowner
      FROM pg_type t
      WHERE t.typnamespace = 'image_library'::regnamespace AND t.typtype IN ('c', 'd', 'e')
        AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
    ) AS o (object, acl, owner), LATERAL aclexplode(o.acl) AS a
    WHERE a.grantee <> o.owner AND a.grantee <> 0
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA image_library TO image_library_reader, image_library_agent;

-- Readers: every view, and functions that only tell.
GRANT SELECT ON
  image_library.registries, image_library.rules, image_library.repositories, image_library.images,
  image_library.pending_images, image_library.decisions, image_library.tag_history, image_library.image_platforms,
  image_library.image_extensions, image_library.image_referrers, image_library.model_profiles,
  image_library.hm_tags, image_library.annotation_keys, image_library.sync_run, image_library.sync_problem,
  image_library.sync_status, image_library.postgres_images, image_library.postgres_latest, image_library.model_library,
  image_library.classification_conflicts, image_library.library_stats, image_library.events, image_library.usage,
  image_library.drift, image_library.policies, image_library.audit, image_library.refused_removals
TO image_library_reader;
GRANT EXECUTE ON FUNCTION
  image_library.version_key(text),
  image_library.agent_status(),
  image_library.resolve(text),
  image_library.events_since(bigint, integer), image_library.library_at(timestamptz),
  image_library.policy_failures(text),
  image_library.has_age(image_library.images, interval), image_library.has_annotations(image_library.images, text[]),
  image_library.has_platforms(image_library.images, text[]), image_library.has_referrer(image_library.images, text[]),
  image_library.is_signed(image_library.images), image_library.has_sbom(image_library.images),
  image_library.is_from(image_library.images, text[]), image_library.has_features(image_library.images, text[]),
  -- An application says what it runs, and guards its own tables.
  image_library.record_use(text, text, text), image_library.release_use(text, text, text),
  image_library.require_approved(),
  image_library.latest_postgres(text, integer, text, jsonb, text),
  image_library.search_images(text, text, integer), image_library.recent_tags(text, text, integer),
  image_library.explain_tag(text, text, text),
  image_library.preview_rule(text, text, text[], text[], text, text, text, text[], boolean, integer, integer, regrole, boolean, integer),
  image_library.preview_rule_change(bigint, text, text[], text[], text, text, text, text[], boolean, integer, integer, regrole, integer, boolean, boolean),
  -- Manifests, and what fits where.
  image_library.cnpg_image_catalog(text, text, text, text, text, text, jsonb), image_library.edb_image(text),
  image_library.kserve_serving_runtime(text, text, text, text, integer, text[], text, text, text, text, integer, text[], jsonb, text[], integer),
  image_library.kserve_inference_service(text, text, text, text, integer, text[], text, text, text[], jsonb, text, text, integer, integer, jsonb),
  image_library.nim_cache(text, text, text, text, text, text, text, text, text[], text, integer, text, text, text),
  image_library.nim_service(text, text, text, integer, text[], text, text, text, text, text, text, text[], jsonb, integer, integer, text, jsonb),
  image_library.model_card(text),
  image_library.fits(text, text, integer), image_library.fitting_profiles(text, text, integer),
  -- Called by the views, and told by them.
  image_library._viewer(), image_library._registries_hidden_from(name), image_library._hidden_registries(),
  image_library._sees_everything(),
  image_library._digest_visible(text), image_library._repository_visible(integer), image_library._known_registries(),
  image_library._required_approvals(integer, text[], text[]), image_library._usable_until(text, timestamptz, timestamptz, boolean),
  image_library._counts(image_library.approval_vote),
  image_library._blocks(text, bigint, timestamptz, image_library.approval, timestamptz),
  image_library._system_tags(text, text[]),
  image_library._default_annotation_keys(),
  image_library._syncing_pid(integer),
  image_library._due_at(timestamptz, timestamptz, timestamptz),
  image_library._policy_function(text), image_library._postgres_image(integer, text, text)
TO image_library_reader;

-- Curators: decisions, HM tags, syncs, and the rules of what their team owns (the functions check that).
GRANT EXECUTE ON ROUTINE
  image_library.approve(text, text, timestamptz), image_library.reject(text, text),
  image_library.revoke(text, text), image_library.reset(text, text),
  image_library.deprecate(text, timestamptz, text), image_library.undeprecate(text, text),
  image_library.quarantine(text, text), image_library.release(text, text),
  image_library.add_hm_tag(text, text), image_library.drop_hm_tag(text),
  image_library.tag_repository(text, text, text), image_library.untag_repository(text, text, text),
  image_library.set_readme(text, text, text),
  image_library.tag_image(text, text), image_library.untag_image(text, text),
  image_library.add_rule(text, text, text[], text[], text, text, text, text[], boolean, integer, integer, regrole, integer),
  image_library.alter_rule(bigint, text, text[], text[], text, text, text, text[], boolean, integer, integer, regrole, integer),
  image_library.enable_rule(bigint), image_library.disable_rule(bigint), image_library.drop_rule(bigint),
  image_library.sync(text, boolean), image_library.request_sync(text), image_library.check_registry(text),
  image_library.accept_removals(text, text)
TO image_library_curator;

-- Admins: registries, credentials, the agent, classification.
GRANT EXECUTE ON FUNCTION
  image_library.add_registry(text, text, interval, integer, integer, text, boolean, regrole, boolean, text, text[], integer),
  image_library.alter_registry(text, text, interval, integer, integer, text, boolean, regrole, boolean, text, text[], integer),
  image_library.drop_registry(text, boolean),
  image_library.enable_registry(text), image_library.disable_registry(text),
  image_library.set_credential(text, text, text, text),
  image_library.set_credential_file(text, text, text),
  image_library.set_credential_variable(text, text, text, text),
  image_library.drop_credential(text, text),
  image_library.set_client_certificate(text, text, text), image_library.drop_client_certificate(text),
  image_library.start_worker(), image_library.purge_events(interval), image_library.purge_history(),
  image_library.add_policy(text, regprocedure, text, text), image_library.drop_policy(text),
  image_library.enable_policy(text), image_library.disable_policy(text), image_library.apply_policies(text),
  image_library.set_annotation_keys(text, text[]), image_library.reset_annotation_keys(text), image_library.reclassify()
TO image_library_admin;

-- The agent: reads what a run needs, writes what a run finds.
GRANT SELECT ON image_library.registry, image_library.credential, image_library.client_certificate, image_library.rule, image_library.annotation_key,
  image_library.annotation_keys
TO image_library_agent;
GRANT SELECT, INSERT, UPDATE, DELETE ON
  image_library.repository, image_library.listing, image_library.image, image_library.image_platform,
  image_library.image_referrer, image_library.image_extension, image_library.model_profile, image_library.tag,
  image_library.tag_period, image_library.entry, image_library.approval, image_library.run, image_library.problem,
  image_library.registry_state, image_library.referrer_check, image_library.refused_removal, image_library.other_conflict
TO image_library_agent;
GRANT SELECT, INSERT, UPDATE ON image_library.registry_note TO image_library_agent;
GRANT SELECT, INSERT ON image_library.decision, image_library.event TO image_library_agent;
GRANT DELETE ON image_library.event TO image_library_agent;
GRANT SELECT ON image_library.policy, image_library.images, image_library._full_repository, image_library._visible_registry TO image_library_agent;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA image_library TO image_library_agent;
GRANT EXECUTE ON FUNCTION
  image_library._sync_targets(text, boolean), image_library._sees_everything(), image_library._registry(text), image_library._without_secrets(text), image_library._registry_config(integer),
  image_library._credentials(integer, text, text, text, text, jsonb), image_library._rules_json(integer),
  image_library._known_repository(integer, text), image_library._known_tags(integer, text),
  image_library._known_images(jsonb), image_library._known_repositories(integer), image_library._forget_other_problems(integer, jsonb),
  image_library._begin_run(integer, text), image_library._finish_run(bigint, text, text, jsonb, timestamptz),
  image_library._note_registry(integer, text, text), image_library._apply_changed_rules(bigint),
  image_library._is_more_complete(jsonb), image_library._write_gone_children(integer, jsonb),
  image_library._next_sync_at(bigint, text), image_library._not_before(integer), image_library._check_not_before(integer),
  image_library._remember(integer, boolean, bigint, text, boolean, boolean), image_library._due_referrers(integer, boolean),
  image_library._write_referrers(integer, jsonb), image_library._write_removals(integer, text[]), image_library._due_registries(),
  image_library._syncing_pid(integer), image_library._due_at(timestamptz, timestamptz, timestamptz), image_library._viewer(), image_library._registries_hidden_from(name),
  image_library._hidden_registries(), image_library._repository_id(integer, text), image_library._keeps_snapshot(), image_library._require_read_committed(),
  image_library._lock_rules_of(integer, boolean), image_library._lock_repository(integer, integer, boolean),
  image_library._write_batch(integer, text, jsonb),
  image_library._write_images(jsonb), image_library._complete_images(jsonb),
  image_library._read_images(jsonb), image_library._read_platforms(jsonb), image_library._write_tags(integer, jsonb),
  image_library._emit_tags(integer, image_library._found_tag[], text[]), image_library._notify(text),
  image_library._emit(text, integer, text, text, text, text, jsonb),
  image_library._write_periods(integer, image_library._found_tag[], text[], timestamptz),
  image_library._write_problems(integer, text, jsonb), image_library._refresh_entries(integer, text[]),
  image_library._classified_tags(integer, text[]),
  image_library._own_facts(integer, text, text), image_library._wanted_entries(integer, image_library._classified_tag[]),
  image_library._refresh_extensions(image_library._classified_tag[]),
  image_library._refresh_conflicts(integer, image_library._classified_tag[]),
  image_library._refresh_profiles(image_library._classified_tag[]), image_library._system_tags(text, text[]),
  image_library._purge_history(integer), image_library._retention(text), image_library._is_tag(text),
  image_library._has_approval_policies(), image_library._approve_by_policy(integer, text[]),
  image_library._undecided_images(integer, text[]), image_library._policy_verdict(text, text, text),
  image_library._policy_outcomes(text, text, text, text[]), image_library._policy_function(text),
  image_library._call_policy(oid, image_library.images), image_library._tell_decision(image_library.decision),
  image_library._decision_on(record, text, text, text, text),
  image_library._refresh_entry_approval(integer, text[]), image_library._usable_until(text, timestamptz, timestamptz, boolean),
  image_library._approve_by_rule(integer, text[]), image_library._reset_by_stricter_rule(integer, text[]), image_library._required_approvals(integer, text[], text[]), image_library._decide_repository(integer, jsonb, bigint),
  image_library._decide_registry(integer, bigint), image_library._decide_tags(jsonb, text, text[]),
  image_library._default_annotation_keys(),
  image_library._classify(text, text, text, text, text, text[], jsonb, jsonb, bigint, jsonb, text),
  image_library._classification_keys(), image_library.version_key(text),
  -- Indexes call them.
  image_library._newest_key(text, timestamptz, text, text),
  image_library._title_words(jsonb, jsonb), image_library._title_text(jsonb, jsonb), image_library._name_key(text)
TO image_library_agent;

-- Webhooks of registries. Nothing of a payload is believed: it names repositories and tags, which the agent then reads from the
-- registry.

CREATE FUNCTION image_library_internal.webhook_formats() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{distribution,harbor,ghcr,dockerhub,quay}'::text[];
COMMENT ON FUNCTION image_library_internal.webhook_formats IS 'Formats of payloads that handle_webhook reads';

-- In lax mode a path finds nothing where a payload has another shape.
CREATE FUNCTION image_library_internal.webhook_events(format text, payload jsonb) RETURNS TABLE (repository text, tag text, change text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT e #>> '{target,repository}', e #>> '{target,tag}',
         CASE e ->> 'action' WHEN 'delete' THEN 'delete'
           -- Blobs, and manifests without a tag, move no tag.
           WHEN 'push' THEN CASE WHEN e #>> '{target,tag}' <> '' THEN 'push' ELSE 'none' END ELSE 'none' END
  FROM jsonb_path_query(payload, 'lax $.events[*]') e
  WHERE format = 'distribution'
  UNION ALL
  SELECT coalesce(d #>> '{repository,repo_full_name}', (d #>> '{repository,namespace}') || '/' || (d #>> '{repository,name}')), t.tag #>> '{}',
         CASE WHEN kind ~* E'^PUSH_ARTIFACT$|artifact\\.pushed$' THEN 'push' WHEN kind ~* E'^DELETE_ARTIFACT$|artifact\\.deleted$|retention' THEN 'delete' ELSE 'none' END
  FROM (SELECT coalesce(payload -> 'event_data', payload -> 'data') AS d, payload ->> 'type' AS kind) p
  -- Without resources the whole repository is meant.
  LEFT JOIN LATERAL jsonb_path_query(d, 'lax $.resources[*].tag') AS t (tag) ON true
  WHERE format = 'harbor'
  UNION ALL
  SELECT lower(coalesce(p.package #>> '{owner,login}', p.package ->> 'namespace')) || '/' || lower(p.package ->> 'name'),
         p.package #>> '{package_version,container_metadata,tag,name}',
         -- Packages of npm and others come along where a whole organization is watched.
         CASE WHEN lower(coalesce(p.package ->> 'package_type', p.package ->> 'ecosystem', 'container')) NOT IN ('container', 'docker') THEN 'none'
              WHEN payload ->> 'action' IN ('published', 'updated')
              THEN CASE WHEN p.package #>> '{package_version,container_metadata,tag,name}' <> '' THEN 'push' ELSE 'none' END
              WHEN payload ->> 'action' = 'deleted' THEN 'delete' ELSE 'none' END
  FROM (SELECT coalesce(payload -> 'registry_package', payload -> 'package') AS package) p
  WHERE format = 'ghcr'
  UNION ALL
  SELECT payload #>> '{repository,repo_name}', payload #>> '{push_data,tag}', 'push'
  WHERE format = 'dockerhub'
  UNION ALL
  SELECT payload ->> 'repository', t.tag #>> '{}', 'push'
  FROM (VALUES (1)) one LEFT JOIN LATERAL jsonb_path_query(payload, 'lax $.updated_tags[*]') AS t (tag) ON true
  WHERE format = 'quay'
$$;
COMMENT ON FUNCTION image_library_internal.webhook_events IS
  'Repositories and tags that a payload names, with what it says of them: push, delete, or none (nothing that changes a tag)';

CREATE FUNCTION image_library_internal.request_look(of_registry image_library_internal.registry, repository text, tags text[]) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most_rows CONSTANT integer := 1000;
  most_tags CONSTANT integer := 100;
  waited boolean;
  last_run record;
BEGIN
  SELECT image_library_internal.request_waits(q) INTO waited
  FROM image_library_internal.look_request q
  WHERE q.registry_id = of_registry.registry_id AND q.repository = request_look.repository;
  IF NOT FOUND AND most_rows <= (SELECT count(*) FROM image_library_internal.requested_repository q WHERE q.registry_id = of_registry.registry_id) THEN
    DELETE FROM image_library_internal.requested_repository q USING image_library_internal.repository_look l
    WHERE q.registry_id = of_registry.registry_id AND l.registry_id = q.registry_id AND l.repository = q.repository
      AND l.answered_request >= q.requested_at AND l.looked_at < clock_timestamp() - interval '1 minute';
    IF NOT FOUND THEN
      -- Not more often than once a minute: a flood of names must not keep the agent at one registry.
      SELECT coalesce(r.answered_request, r.started_at) AS answered_request, r.finished_at INTO last_run FROM image_library_internal.run r
      WHERE r.registry_id = of_registry.registry_id ORDER BY r.run_id DESC LIMIT 1;
      UPDATE image_library_internal.registry g
      SET sync_requested_at = greatest(clock_timestamp(), last_run.finished_at + interval '1 minute')
      WHERE g.registry_id = of_registry.registry_id AND coalesce(g.sync_requested_at <= last_run.answered_request, g.sync_requested_at IS NULL);
      RETURN 'whole registry requested';
    END IF;
  END IF;
  IF cardinality(tags) > most_tags THEN
    tags := NULL;
  END IF;
  INSERT INTO image_library_internal.requested_repository AS q (registry_id, repository, tags, requested_at)
  VALUES (of_registry.registry_id, request_look.repository, request_look.tags, clock_timestamp())
  ON CONFLICT ON CONSTRAINT requested_repository_pkey DO UPDATE
  SET requested_at = greatest(excluded.requested_at, q.requested_at + interval '1 microsecond'), requests = q.requests + 1,
      tags = CASE WHEN EXISTS (SELECT FROM image_library_internal.repository_look l
                               WHERE l.registry_id = q.registry_id AND l.repository = q.repository AND l.answered_request >= q.requested_at) THEN excluded.tags
                  WHEN q.tags IS NULL OR excluded.tags IS NULL OR cardinality(q.tags || excluded.tags) > 2 * most_tags THEN NULL
                  ELSE ARRAY(SELECT DISTINCT t FROM unnest(q.tags || excluded.tags) t ORDER BY 1) END;
  RETURN CASE WHEN waited THEN 'requested already' ELSE 'requested' END;
END
$$;
COMMENT ON FUNCTION image_library_internal.request_look IS
  'Asks the agent to look at tags of a repository (null: at all of it), or at the whole registry if too many repositories wait; returns what was done';

CREATE FUNCTION image_library.handle_webhook(registry text, format text, payload jsonb) RETURNS TABLE (repository text, effect text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most_bytes CONSTANT integer := 1048576;
  most_repositories CONSTANT integer := 100;
  of_registry image_library_internal.registry;
  named record;
  taken text[];
  asked boolean := false;
BEGIN
  PERFORM image_library_internal.require_read_committed();
  -- Whoever may call this needs no right to see the registry.
  SELECT g.* INTO of_registry FROM image_library_internal.registry g WHERE g.name = handle_webhook.registry;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('registry "%s" does not exist', image_library_internal.without_secrets(coalesce(handle_webhook.registry, ''))),
      hint => 'Name a registry that is connected with image_library.add_registry.');
  END IF;
  IF handle_webhook.format IS NULL OR handle_webhook.format <> ALL (image_library_internal.webhook_formats()) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown format of webhooks: "%s"', left(coalesce(handle_webhook.format, ''), 100)),
      hint => format('The format is %s.', image_library_internal.one_of(image_library_internal.webhook_formats())));
  END IF;
  -- As it is in memory: in a table it may be compressed.
  IF pg_column_size(payload #> '{}') > most_bytes THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('payload of a webhook is too large: %s bytes', pg_column_size(payload #> '{}')),
      detail => format('At most %s bytes are read.', most_bytes));
  END IF;
  taken := ARRAY(
    SELECT DISTINCT e.repository FROM image_library_internal.webhook_events(handle_webhook.format, payload) e
    WHERE e.repository <> '' LIMIT most_repositories + 1);
  IF taken = '{}' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('the payload names no repository in the format "%s"', handle_webhook.format),
      detail => format('Formats are %s.', image_library_internal.one_of(image_library_internal.webhook_formats())),
      hint => 'Check which registry sends it, and for which events: see doc/webhooks.md.');
  END IF;
  IF cardinality(taken) > most_repositories THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('payload of a webhook names more than %s repositories', most_repositories),
      hint => 'Ask for a sync of the registry with image_library.request_sync.');
  END IF;
  taken := ARRAY(
    SELECT m.name FROM image_library_internal.matching_names(
      ARRAY(SELECT u.repositories FROM image_library_internal.rule u
            WHERE u.registry_id = of_registry.registry_id AND u.enabled AND u.action = 'include'),
      'repository',
      ARRAY(SELECT n.name FROM (SELECT CASE WHEN of_registry.prefix = '' THEN t WHEN starts_with(t, of_registry.prefix || '/')
                                       THEN substr(t, length(of_registry.prefix) + 2) END AS name FROM unnest(taken) t) n
            WHERE image_library_internal.is_repository_name(n.name))) m);
  FOR named IN
    SELECT e.repository AS given, n.name, image_library_internal.is_repository_name(n.name) AS valid,
           CASE WHEN bool_and(e.change = 'none') THEN 'none'
                WHEN bool_or(e.change = 'delete' OR e.change = 'push' AND image_library_internal.is_tag(e.tag) IS NOT TRUE) THEN 'whole'
                ELSE 'tags' END AS part,
           array_agg(DISTINCT e.tag) FILTER (WHERE e.change = 'push') AS tags
    FROM image_library_internal.webhook_events(handle_webhook.format, payload) e
    CROSS JOIN LATERAL (SELECT CASE WHEN of_registry.prefix = '' THEN e.repository
                                    WHEN starts_with(e.repository, of_registry.prefix || '/') THEN substr(e.repository, length(of_registry.prefix) + 2) END AS name) n
    WHERE e.repository <> ''
    GROUP BY 1, 2 ORDER BY 1
  LOOP
    handle_webhook.repository := left(coalesce(named.name, named.given), 300);
    handle_webhook.effect := CASE
      WHEN named.name IS NULL THEN 'ignored: outside the registry''s path'
      WHEN NOT named.valid THEN 'ignored: not a repository name'
      WHEN named.part = 'none' THEN 'ignored: no tag has changed'
      WHEN named.name <> ALL (taken) THEN 'ignored: no rule takes it'
      WHEN NOT of_registry.enabled THEN 'ignored: the registry is disabled' END;
    IF handle_webhook.effect IS NULL THEN
      handle_webhook.effect := image_library_internal.request_look(of_registry, named.name, CASE named.part WHEN 'tags' THEN named.tags END);
      asked := true;
    END IF;
    RETURN NEXT;
  END LOOP;
  IF asked THEN
    PERFORM image_library_internal.wake_agent();
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.handle_webhook IS
  'Takes what a registry sent to its webhook, and asks the agent to look now at the repositories that it names and that rules take; says what it did with each. format: distribution, harbor, ghcr, dockerhub or quay. Of the payload only names are used: the agent reads the rest from the registry';
GRANT EXECUTE ON FUNCTION image_library.handle_webhook TO image_library_admin, image_library_webhook;

-- What the agent's C++ asks of the library. Run as image_library_agent, and by nobody else.

CREATE FUNCTION image_library._sync_targets(registry text)
RETURNS TABLE (registry_id integer, name text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked image_library.registry;
BEGIN
  PERFORM image_library._require_read_committed();
  IF registry IS NOT NULL THEN
    asked := image_library._registry(registry);
    IF NOT asked.enabled THEN
      RAISE EXCEPTION USING
        ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('registry "%s" is disabled', registry),
        HINT = 'Enable it with image_library.enable_registry.';
    END IF;
  END IF;
  RETURN QUERY
    SELECT g.registry_id, g.name
    FROM image_library.registry g
    WHERE g.enabled AND (_sync_targets.registry IS NULL OR g.name = _sync_targets.registry)
      AND g.registry_id <> ALL (image_library._hidden_registries())
    ORDER BY g.name;
END
$$;
COMMENT ON FUNCTION image_library._sync_targets(text) IS
  'Internal: the enabled registries that the caller may see, or the one that is named; raises when it cannot be synced';

CREATE FUNCTION image_library._registry_config(registry_id integer)
RETURNS TABLE (name text, scheme text, host text, prefix text, max_connections integer,
               requests_per_second integer, ca_certificate text, allow_private boolean, rules jsonb,
               client_certificate text, client_key text, proxy text, realm_hosts jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT g.name, g.scheme, g.host, g.prefix, g.max_connections, g.requests_per_second,
         g.ca_certificate, g.allow_private, image_library._rules_json(g.registry_id),
         c.certificate, c.key, g.proxy, to_jsonb(g.realm_hosts)
  FROM image_library.registry g
  LEFT JOIN image_library.client_certificate c USING (registry_id)
  WHERE g.registry_id = _registry_config.registry_id
$$;
COMMENT ON FUNCTION image_library._registry_config(integer) IS
  'Internal: a registry as a run needs it, with its enabled rules';

CREATE FUNCTION image_library._known_repository(registry_id integer, repository text)
RETURNS TABLE (fingerprint text, problem_tags jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (SELECT l.fingerprint
          FROM image_library.repository r JOIN image_library.listing l USING (repository_id)
          WHERE r.registry_id = _known_repository.registry_id
            AND r.name = _known_repository.repository),
         (SELECT coalesce(jsonb_agg(p.tag), '[]')
          FROM image_library.problem p
          WHERE p.registry_id = _known_repository.registry_id
            AND p.repository = _known_repository.repository)
$$;
COMMENT ON FUNCTION image_library._known_repository(integer, text) IS
  'Internal: fingerprint of the last complete listing, and the tags with a problem on record (empty: the repository)';

CREATE FUNCTION image_library._known_tags(registry_id integer, repository text)
RETURNS TABLE (name text, digest text, missing boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.name, t.digest, t.missing_since IS NOT NULL
  FROM image_library.repository r JOIN image_library.tag t USING (repository_id)
  WHERE r.registry_id = _known_tags.registry_id AND r.name = _known_tags.repository
  ORDER BY t.name
$$;
COMMENT ON FUNCTION image_library._known_tags(integer, text) IS
  'Internal: the tags of a repository that were read before, sorted by bytes';

CREATE FUNCTION image_library._known_images(digests jsonb)
RETURNS TABLE (digest text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT i.digest
  FROM jsonb_array_elements_text(digests) AS wanted (digest)
  JOIN image_library.image i ON i.digest = wanted.digest
$$;
COMMENT ON FUNCTION image_library._known_images(jsonb) IS
  'Internal: those of some digests whose image is stored';

CREATE FUNCTION image_library._known_repositories(registry_id integer)
RETURNS TABLE (name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.name FROM image_library.repository r
  WHERE r.registry_id = _known_repositories.registry_id
  ORDER BY r.name
$$;
COMMENT ON FUNCTION image_library._known_repositories(integer) IS
  'Internal: the repositories of a registry that were seen before';

CREATE FUNCTION image_library._next_sync_at(run_id bigint, outcome text, retry_after bigint)
RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- A success waits the interval; the n-th failure in a row 30 s * 2^n up to the interval. Both give
  -- or take a tenth, so that registries and servers do not march in step.
  SELECT now() + greatest(
    make_interval(secs => _next_sync_at.retry_after),
    (0.9 + 0.2 * random()) * CASE
      WHEN _next_sync_at.outcome = 'failed' THEN least(g.sync_interval, interval '30 seconds' * 2 ^ least(f.failures, 16))
      ELSE g.sync_interval
    END)
  FROM image_library.run this
  JOIN image_library.registry g USING (registry_id)
  CROSS JOIN LATERAL (
    SELECT count(*) AS failures
    FROM image_library.run r
    WHERE r.registry_id = g.registry_id AND r.outcome = 'failed'
      AND r.run_id > coalesce((SELECT max(ok.run_id) FROM image_library.run ok
                               WHERE ok.registry_id = g.registry_id AND ok.outcome <> 'failed'), 0)
  ) f
  WHERE this.run_id = _next_sync_at.run_id
$$;
COMMENT ON FUNCTION image_library._next_sync_at(bigint, text, bigint) IS
  'Internal: when a registry is due again after a run, with backoff, jitter and the Retry-After (seconds) it asked for';

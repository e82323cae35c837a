-- Repositories that somebody has asked the agent to look at, without a sync of their whole registry. Webhooks ask: see
-- webhooks.sql.

CREATE TABLE image_library_internal.requested_repository (
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  repository text COLLATE "C" NOT NULL,
  tags text[] COLLATE "C",
  requested_at timestamptz NOT NULL,
  requests bigint NOT NULL DEFAULT 1,
  PRIMARY KEY (registry_id, repository)
);
COMMENT ON TABLE image_library_internal.requested_repository IS
  'Repositories that the agent was asked to look at, one row for each, however often it was asked';
COMMENT ON COLUMN image_library_internal.requested_repository.tags IS 'Tags to look at; null: the whole repository';
GRANT SELECT, UPDATE, DELETE ON image_library_internal.requested_repository TO image_library_agent;

-- Apart, so that the agent writes no row that the transaction of a webhook has locked.
CREATE TABLE image_library_internal.repository_look (
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  repository text COLLATE "C" NOT NULL,
  answered_request timestamptz,
  looked_at timestamptz,
  took interval NOT NULL DEFAULT '0',
  failures integer NOT NULL DEFAULT 0,
  problem text,
  PRIMARY KEY (registry_id, repository)
);
COMMENT ON TABLE image_library_internal.repository_look IS 'What the agent has done about requested repositories; it alone writes here';
COMMENT ON COLUMN image_library_internal.repository_look.answered_request IS
  'requested_at of the last request that was answered; earlier than requested_at: the repository waits';
COMMENT ON COLUMN image_library_internal.repository_look.took IS
  'Duration of the last look; the next one comes after ten times as long, so that pushes do not keep the agent and the registry busy';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.repository_look TO image_library_agent;

CREATE VIEW image_library_internal.look_request AS
  SELECT q.registry_id, q.repository, q.tags, q.requested_at, q.requests, l.answered_request, l.looked_at,
         coalesce(l.took, '0') AS took, coalesce(l.failures, 0) AS failures, l.problem
  FROM image_library_internal.requested_repository q
  LEFT JOIN image_library_internal.repository_look l USING (registry_id, repository);
COMMENT ON VIEW image_library_internal.look_request IS 'Requested repositories with what the agent has done about them';
GRANT SELECT ON image_library_internal.look_request TO image_library_agent;

CREATE FUNCTION image_library_internal.request_waits(request image_library_internal.look_request) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce((request).answered_request < (request).requested_at, true);
COMMENT ON FUNCTION image_library_internal.request_waits IS 'Whether a requested repository has not been looked at since the last request';
GRANT EXECUTE ON FUNCTION image_library_internal.request_waits TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.look_due_at(request image_library_internal.look_request) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
RETURN greatest((request).requested_at,
                (request).looked_at + greatest(interval '1 second' * 2 ^ least((request).failures, 9), least((request).took * 10, interval '10 minutes')));
COMMENT ON FUNCTION image_library_internal.look_due_at IS
  'When a requested repository is looked at: at once, or one second after the last look, ten times as long as that took, or after a failure twice as long each time';
GRANT EXECUTE ON FUNCTION image_library_internal.look_due_at TO image_library_agent;

CREATE FUNCTION image_library_internal.next_look_at(registry_id integer) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT min(image_library_internal.look_due_at(q)) FROM image_library_internal.look_request q
  WHERE q.registry_id = next_look_at.registry_id AND image_library_internal.request_waits(q)
$$;
COMMENT ON FUNCTION image_library_internal.next_look_at IS 'When the first requested repository of a registry is to be looked at; null: none waits';
GRANT EXECUTE ON FUNCTION image_library_internal.next_look_at TO image_library_agent;

CREATE FUNCTION image_library_internal.due_looks(registry_id integer) RETURNS TABLE (repository text, request text, tags jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT q.repository, (extract(epoch FROM q.requested_at) * 1000000)::bigint::text, to_jsonb(q.tags)
  FROM image_library_internal.look_request q
  WHERE q.registry_id = due_looks.registry_id AND image_library_internal.request_waits(q)
    AND image_library_internal.look_due_at(q) <= clock_timestamp()
  ORDER BY q.requested_at, q.repository
$$;
COMMENT ON FUNCTION image_library_internal.due_looks IS
  'Requested repositories of a registry that are to be looked at now; request: its time, in microseconds';
GRANT EXECUTE ON FUNCTION image_library_internal.due_looks TO image_library_agent;

CREATE FUNCTION image_library_internal.forget_looks(registry_id integer) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM image_library_internal.repository_look l
  WHERE l.registry_id = forget_looks.registry_id AND NOT EXISTS (
    SELECT FROM image_library_internal.requested_repository q WHERE q.registry_id = l.registry_id AND q.repository = l.repository)
$$;
COMMENT ON FUNCTION image_library_internal.forget_looks IS
  'Removes what the agent has done about repositories whose request is gone; a webhook removes requests and leaves this to the agent';
GRANT EXECUTE ON FUNCTION image_library_internal.forget_looks TO image_library_agent;

CREATE FUNCTION image_library_internal.answered_by(began_at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- docker-registry tells of a push before it writes the tag.
RETURN began_at - interval '1 second';
COMMENT ON FUNCTION image_library_internal.answered_by IS
  'Time up to which requests are answered by a look or a run that began then: what was pushed a moment before may not be there yet';
GRANT EXECUTE ON FUNCTION image_library_internal.answered_by TO image_library_agent;

-- A request that came while the agent looked, or within a second before, stays. After six failures the next sync of the registry is
-- left to find what was pushed.
CREATE FUNCTION image_library_internal.note_look(registry_id integer, repository text, request text, seconds double precision, problem text)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO image_library_internal.repository_look AS l (registry_id, repository, looked_at, took, problem, failures, answered_request)
  SELECT q.registry_id, q.repository, seen.looked_at, make_interval(secs => seconds), note_look.problem,
         CASE WHEN note_look.problem IS NULL THEN 0 ELSE 1 END,
         CASE WHEN note_look.problem IS NULL AND seen.request <= image_library_internal.answered_by(seen.looked_at - make_interval(secs => seconds))
              THEN seen.request END
  FROM image_library_internal.requested_repository q,
       (SELECT clock_timestamp() AS looked_at, timestamptz 'epoch' + interval '1 microsecond' * note_look.request::bigint AS request) seen
  WHERE q.registry_id = note_look.registry_id AND q.repository = note_look.repository
  ON CONFLICT ON CONSTRAINT repository_look_pkey DO UPDATE
  SET looked_at = excluded.looked_at, took = excluded.took, problem = excluded.problem,
      failures = CASE WHEN excluded.problem IS NULL OR l.failures >= 6 THEN 0 ELSE l.failures + 1 END,
      answered_request = CASE WHEN l.failures >= 5 AND excluded.problem IS NOT NULL
                              THEN timestamptz 'epoch' + interval '1 microsecond' * note_look.request::bigint
                              ELSE coalesce(excluded.answered_request, l.answered_request) END;
  SELECT image_library_internal.forget_looks(note_look.registry_id)
$$;
COMMENT ON FUNCTION image_library_internal.note_look IS
  'Stores that a requested repository was looked at, how long that took, and why it failed (null: it did not)';
GRANT EXECUTE ON FUNCTION image_library_internal.note_look TO image_library_agent;

CREATE FUNCTION image_library_internal.fail_looks(registry_id integer, problem text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.note_look(fail_looks.registry_id, d.repository, d.request, 0, fail_looks.problem)
  FROM image_library_internal.due_looks(fail_looks.registry_id) d
$$;
COMMENT ON FUNCTION image_library_internal.fail_looks IS 'Stores why none of the requested repositories of a registry could be looked at';
GRANT EXECUTE ON FUNCTION image_library_internal.fail_looks TO image_library_agent;

-- A session that has asked again and keeps its transaction open is not waited for: that is a new request anyway.
CREATE FUNCTION image_library_internal.answer_looks(registry_id integer, run_started_at timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO image_library_internal.repository_look (registry_id, repository, answered_request)
  SELECT w.registry_id, w.repository, w.requested_at FROM image_library_internal.look_request w
  WHERE w.registry_id = answer_looks.registry_id AND w.requested_at <= image_library_internal.answered_by(run_started_at) AND image_library_internal.request_waits(w)
  ON CONFLICT ON CONSTRAINT repository_look_pkey DO UPDATE SET answered_request = excluded.answered_request, failures = 0, problem = NULL;
  DELETE FROM image_library_internal.requested_repository q
  WHERE q.registry_id = answer_looks.registry_id AND q.repository IN (
    SELECT o.repository FROM image_library_internal.requested_repository o JOIN image_library_internal.repository_look l USING (registry_id, repository)
    WHERE o.registry_id = answer_looks.registry_id AND l.answered_request >= o.requested_at AND o.requested_at < now() - interval '1 day' FOR UPDATE OF o SKIP LOCKED);
  SELECT image_library_internal.forget_looks(answer_looks.registry_id)
$$;
COMMENT ON FUNCTION image_library_internal.answer_looks IS
  'Ends the requests that a complete run of the registry has answered, and removes those that were answered a day ago';
GRANT EXECUTE ON FUNCTION image_library_internal.answer_looks TO image_library_agent;

CREATE FUNCTION image_library_internal.looks_are_going_on() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'userlock' AND l.classid = 1 AND l.granted
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND NOT EXISTS (SELECT FROM image_library_internal.run r WHERE r.registry_id::oid = l.objid AND r.outcome IS NULL))
$$;
COMMENT ON FUNCTION image_library_internal.looks_are_going_on IS
  'Whether a process reads requested repositories: it holds the lock of a registry that no run is going on in';
GRANT EXECUTE ON FUNCTION image_library_internal.looks_are_going_on TO image_library_agent;

CREATE VIEW image_library.push_requests WITH (security_barrier) AS
  SELECT g.name AS registry, q.repository, q.tags, q.requested_at, q.requests, image_library_internal.request_waits(q) AS waits,
         q.looked_at, q.problem
  FROM image_library_internal.look_request q
  JOIN image_library_internal.visible_registry g USING (registry_id);
COMMENT ON VIEW image_library.push_requests IS
  'Repositories that handle_webhook has asked the agent to look at in the last day, and whether it has';
GRANT SELECT ON image_library.push_requests TO image_library_reader;

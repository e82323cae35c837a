\echo Use "CREATE EXTENSION image_library" to load this file. \quit

-- If a schema with one of these names exists already, the installation fails, so that no object of another role is in
-- it.
CREATE SCHEMA image_library;
COMMENT ON SCHEMA image_library IS
  'A governed library of container images: registries, rules, images, approvals, and the views that consumers read';
CREATE SCHEMA image_library_internal;
COMMENT ON SCHEMA image_library_internal IS 'Tables and internal functions of image_library; its views and functions are in schema image_library';

SET LOCAL search_path = pg_catalog, pg_temp;

DO $$
BEGIN
  IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
    RAISE EXCEPTION USING
      ERRCODE = 'feature_not_supported',
      MESSAGE = 'image_library needs a database with encoding UTF8',
      DETAIL = pg_catalog.format('This database is encoded in %s.', pg_catalog.getdatabaseencoding()),
      HINT = 'Create one with CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0.';
  END IF;
END
$$;
-- Roles belong to the cluster: CREATE EXTENSION in a second database uses the existing ones, DROP EXTENSION keeps them.
DO $$
DECLARE
  role_name text;
  purpose text;
BEGIN
  FOR role_name, purpose IN VALUES
    ('image_library_reader', 'reads the views of image_library'),
    ('image_library_curator', 'approves images, gives HM tags, rules the repositories that its team owns'),
    ('image_library_admin', 'connects registries, keeps credentials, rules everything in image_library'),
    ('image_library_agent', 'the rights that the sync agent works with; nobody logs in as it'),
    ('image_library_owner', 'owns the objects of image_library, so that they have no superuser''s rights; nobody is a member'),
    ('image_library_views', 'owns the views of image_library that row level security filters; nobody is a member')
  LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
      EXECUTE format('COMMENT ON ROLE %I IS %L', role_name, purpose);
    END IF;
  END LOOP;
  IF NOT pg_has_role('image_library_curator', 'image_library_reader', 'MEMBER') THEN
    GRANT image_library_reader TO image_library_curator;
  END IF;
  IF NOT pg_has_role('image_library_admin', 'image_library_curator', 'MEMBER') THEN
    GRANT image_library_curator TO image_library_admin;
  END IF;
END
$$;
-- The values that kinds, states and other options may have, and the range of numbers. Tables and functions check them, and errors name them.

CREATE FUNCTION image_library_internal.kinds() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{postgres,model,other}'::text[];
COMMENT ON FUNCTION image_library_internal.kinds IS 'The kinds of images';
GRANT EXECUTE ON FUNCTION image_library_internal.kinds TO image_library_agent;

CREATE FUNCTION image_library_internal.states() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{pending,approved,rejected,revoked}'::text[];
COMMENT ON FUNCTION image_library_internal.states IS 'The states of an approval';
GRANT EXECUTE ON FUNCTION image_library_internal.states TO image_library_agent;

CREATE FUNCTION image_library_internal.one_of(allowed text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT array_to_string(allowed[:cardinality(allowed) - 1], ', ') || ' or ' || allowed[cardinality(allowed)] $$;
COMMENT ON FUNCTION image_library_internal.one_of IS 'Values as an error names them: a, b or c';

CREATE FUNCTION image_library_internal.wrong_value(option text, value text, allowed text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('%s must be %s, not "%s"', option, image_library_internal.one_of(allowed), value)
  WHERE value IS NULL OR value <> ALL (allowed)
$$;
COMMENT ON FUNCTION image_library_internal.wrong_value IS
  'The message about an option whose value is not one of those allowed; null: it is one of them';

CREATE FUNCTION image_library_internal.check_range(what text, number integer, low integer, high integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF number NOT BETWEEN low AND high THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('%s is out of range: %s', what, number),
      hint => CASE high WHEN 2147483647 THEN format('It must be at least %s.', low) ELSE format('It must be from %s to %s.', low, high) END);
  END IF;
  RETURN number;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_range IS
  'The given number; raises 22023 if it is out of range; null is allowed';
-- C++ functions that have no other subject: parsers, rules, and control of the agent.

-- Not RAISE, whose errors show the user which internal functions were running.
CREATE FUNCTION image_library_internal.fail(errcode text, message text, detail text DEFAULT NULL, hint text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_fail';
COMMENT ON FUNCTION image_library_internal.fail IS
  'Raises an error; its context names the functions of users, and none of this extension';
GRANT EXECUTE ON FUNCTION image_library_internal.fail TO image_library_agent;

CREATE FUNCTION image_library_internal.decide_tags(rules jsonb, repository text, tags text[])
RETURNS TABLE (tag text, rule_id bigint)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_decide_tags';
COMMENT ON FUNCTION image_library_internal.decide_tags IS
  'The tags that the rules admit, each with the include rule that decides';
GRANT EXECUTE ON FUNCTION image_library_internal.decide_tags TO image_library_agent;

CREATE FUNCTION image_library_internal.explain_decision(rules jsonb, repository text, tag text, tags text[])
RETURNS TABLE (rule_id bigint, action text, matched boolean, decides boolean, reason text)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_explain_tag';
COMMENT ON FUNCTION image_library_internal.explain_decision IS 'Result of each rule for a tag';

CREATE FUNCTION image_library_internal.check_repository_pattern(pattern text, host text, prefix text)
RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_check_repository_pattern';
COMMENT ON FUNCTION image_library_internal.check_repository_pattern IS
  'Raises 22023 or 2201B when a pattern is wrong, or can match no repository of the registry with this host and prefix';

CREATE FUNCTION image_library_internal.check_tag_pattern(pattern text)
RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_check_tag_pattern';
COMMENT ON FUNCTION image_library_internal.check_tag_pattern IS
  'Raises 22023 or 2201B when a pattern is wrong, or can match no tag';

CREATE FUNCTION image_library_internal.matching_names(patterns text[], subject text, names text[])
RETURNS TABLE (name text, pattern text)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_matching_names';
COMMENT ON FUNCTION image_library_internal.matching_names IS
  'The names of repositories, tags or places (host/repository) that match any of some patterns, each with the first one; raises 22023 or 2201B';

CREATE FUNCTION image_library_internal.parse_reference(reference text, OUT host text, OUT repository text, OUT tag text, OUT digest text,
  OUT short_name text)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_parse_reference';
COMMENT ON FUNCTION image_library_internal.parse_reference IS
  'The parts of an image reference; short_name is its name as written if it has no host; raises 22023';

CREATE FUNCTION image_library_internal.parse_registry_url(url text, OUT scheme text, OUT host text, OUT prefix text)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_parse_registry_url';
COMMENT ON FUNCTION image_library_internal.parse_registry_url IS
  'The parts of a registry''s URL; raises 22023';

CREATE FUNCTION image_library_internal.parse_proxy_url(url text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_parse_proxy_url';
COMMENT ON FUNCTION image_library_internal.parse_proxy_url IS
  'A proxy as scheme://host:port; raises 22023';

CREATE FUNCTION image_library_internal.is_host_pattern(host text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_is_host_pattern';
COMMENT ON FUNCTION image_library_internal.is_host_pattern IS
  'Whether a text is a host, or a glob of hosts, with a port or without';

CREATE FUNCTION image_library_internal.without_secrets(refused text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_without_secrets';
COMMENT ON FUNCTION image_library_internal.without_secrets IS
  'The part of a refused text that an error may repeat: without user, password, query and fragment of a URL';
GRANT EXECUTE ON FUNCTION image_library_internal.without_secrets TO image_library_agent;

CREATE FUNCTION image_library_internal.require_allowed_host(scheme text, host text, proxy text) RETURNS void
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_require_allowed_host';
COMMENT ON FUNCTION image_library_internal.require_allowed_host IS
  'Raises 42501 if image_library.allowed_hosts does not allow the host of a registry or of its proxy';

CREATE FUNCTION image_library_internal.check_client_certificate(certificate text, key text) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_check_client_certificate';
COMMENT ON FUNCTION image_library_internal.check_client_certificate IS
  'Raises 22023 if a client certificate and its key are invalid or do not match';

CREATE FUNCTION image_library_internal.is_repository_name(name text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_is_repository_name';
COMMENT ON FUNCTION image_library_internal.is_repository_name IS
  'Whether a text is a repository name of the OCI distribution-spec';

CREATE FUNCTION image_library_internal.is_tag(name text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_is_tag';
COMMENT ON FUNCTION image_library_internal.is_tag IS
  'Whether a text is a tag of the OCI distribution-spec';
GRANT EXECUTE ON FUNCTION image_library_internal.is_tag TO image_library_agent;

CREATE FUNCTION image_library.version_key(tag text) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_version_key';
COMMENT ON FUNCTION image_library.version_key IS
  'Key that sorts tags as versions: ORDER BY version_key(tag) puts 17.10 after 17.4, and builds in order of time';
GRANT EXECUTE ON FUNCTION image_library.version_key TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.classify(repository text, tag text, artifact_type text, config_type text,
  layer_types text[], annotations jsonb, labels jsonb, keys jsonb, forced_kind text)
RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_classify';
COMMENT ON FUNCTION image_library_internal.classify IS
  'Kind and facts of an image, from its stored metadata and the documented keys';
GRANT EXECUTE ON FUNCTION image_library_internal.classify TO image_library_agent;

CREATE FUNCTION image_library_internal.default_annotation_keys() RETURNS TABLE (purpose text, "position" integer, key text)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_default_annotation_keys';
COMMENT ON FUNCTION image_library_internal.default_annotation_keys IS
  'The default annotation and label keys, as publishers document them';
GRANT EXECUTE ON FUNCTION image_library_internal.default_annotation_keys TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.flavor(flavor text) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_flavor';
COMMENT ON FUNCTION image_library_internal.flavor IS
  'Flavor in the spelling of the library, from any spelling in use; raises 22023';

CREATE FUNCTION image_library_internal.published_texts(annotations jsonb, labels jsonb, keys jsonb,
  OUT title text, OUT description text, OUT version text)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_published_texts';
COMMENT ON FUNCTION image_library_internal.published_texts IS
  'Title, description and version that the keys find in annotations, else in labels';
GRANT EXECUTE ON FUNCTION image_library_internal.published_texts TO image_library_agent;

CREATE PROCEDURE image_library.sync(registry text DEFAULT NULL, force boolean DEFAULT false)
LANGUAGE c AS 'MODULE_PATHNAME', 'image_library_sync';
COMMENT ON PROCEDURE image_library.sync IS
  'Syncs a registry, or all enabled ones, in this session; commits during the sync and reports its progress as NOTICE. force (admins only): also syncs a registry that asked to be left alone for a while';
GRANT EXECUTE ON PROCEDURE image_library.sync TO image_library_curator;

CREATE FUNCTION image_library.start_worker() RETURNS integer
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_start_worker';
COMMENT ON FUNCTION image_library.start_worker IS
  'Starts the agent until the next restart of the server, if the library is not preloaded; returns its process ID';
GRANT EXECUTE ON FUNCTION image_library.start_worker TO image_library_admin;

CREATE FUNCTION image_library_internal.wake_agent() RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_wake_agent';
COMMENT ON FUNCTION image_library_internal.wake_agent IS
  'Tells the agent, when this transaction commits, that a sync may be due';

CREATE FUNCTION image_library_internal.wake_after_change() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_wake_after_change';
COMMENT ON FUNCTION image_library_internal.wake_after_change IS
  'Tells the agent, when this transaction commits, that a sync may be due; in a session that restores a dump, when the session ends';

CREATE FUNCTION image_library.agent_status()
RETURNS TABLE (launcher_pid integer, preloaded boolean, database text, workers integer, due_at timestamptz, failures integer,
  last_failed_at timestamptz, last_failure text, last_error text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_agent_status';
COMMENT ON FUNCTION image_library.agent_status IS
  'Whether the agent runs, and for this database (members of pg_read_all_stats: for each with a library) its workers, when the next one is due, how many in a row have failed, the last failure (its text for admins), and what prevents the agent from working';
GRANT EXECUTE ON FUNCTION image_library.agent_status TO image_library_reader;

CREATE FUNCTION image_library.check_registry(name text)
RETURNS TABLE (step text, ok boolean, detail text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_check_registry';
COMMENT ON FUNCTION image_library.check_registry IS
  'Checks a live registry, one row for each step: what it supports, and what to correct before a sync. Stores nothing';
GRANT EXECUTE ON FUNCTION image_library.check_registry TO image_library_curator;

CREATE FUNCTION image_library_internal.live_repositories(registry text, pattern text) RETURNS SETOF text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_live_repositories';
COMMENT ON FUNCTION image_library_internal.live_repositories IS
  'Repositories that the catalogue of a live registry has and a pattern matches';

CREATE FUNCTION image_library_internal.live_tags(registry text, repository text, pattern text) RETURNS SETOF text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_live_tags';
COMMENT ON FUNCTION image_library_internal.live_tags IS
  'Tags that a live registry lists of a repository and a pattern matches';

CREATE FUNCTION image_library_internal.refresh_listings(registry text, repositories text[])
RETURNS TABLE (repository text, problem text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_refresh_listings';
COMMENT ON FUNCTION image_library_internal.refresh_listings IS
  'Lists repositories now and stores the listings; returns what could not be listed and why (null: it was). Of a single repository that is an error';

CREATE FUNCTION image_library_internal.check_credential(registry_id integer, repository_prefix text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_check_credential';
COMMENT ON FUNCTION image_library_internal.check_credential IS
  'Raises 22023 or 22000 if the file or environment variable of a credential cannot be used for its registry';

CREATE FUNCTION image_library_internal.hide_statement() RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_hide_statement';
COMMENT ON FUNCTION image_library_internal.hide_statement IS
  'Removes the text of the running statement from pg_stat_activity, pg_stat_statements and the log';

CREATE FUNCTION image_library_internal.lock_rules_of(registry_id integer, exclusive boolean) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_lock_rules';
COMMENT ON FUNCTION image_library_internal.lock_rules_of IS
  'Prevents changes of a registry''s rules until the transaction ends; exclusive: no other transaction holds this lock';
GRANT EXECUTE ON FUNCTION image_library_internal.lock_rules_of TO image_library_agent;
-- The acting role, and checks of its rights.

CREATE FUNCTION image_library_internal.acting_role() RETURNS name
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_acting_role';
COMMENT ON FUNCTION image_library_internal.acting_role IS
  'Role on whose behalf a function of the library runs; raises 42501 if that cannot be determined';

CREATE FUNCTION image_library_internal.viewer() RETURNS name
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_viewer';
COMMENT ON FUNCTION image_library_internal.viewer IS 'Role that reads a view';
GRANT EXECUTE ON FUNCTION image_library_internal.viewer TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.has_role(role_name name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_has_role(image_library_internal.acting_role(), role_name, 'MEMBER') $$;
COMMENT ON FUNCTION image_library_internal.has_role IS 'Whether the acting role is a member of a role';

CREATE FUNCTION image_library_internal.require_admin(what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT image_library_internal.has_role('image_library_admin') THEN
    PERFORM image_library_internal.fail(
      errcode => 'insufficient_privilege',
      message => format('permission denied: %s', what),
      detail => format('Role "%s" is not a member of image_library_admin.', image_library_internal.acting_role()),
      hint => 'Ask an admin, or a grant of image_library_admin.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_admin IS 'Raises 42501 unless the acting role is an admin';

CREATE FUNCTION image_library_internal.require_owner(what text, VARIADIC owners regrole[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  owner regrole;
BEGIN
  IF image_library_internal.has_role('image_library_admin') THEN
    RETURN;
  END IF;
  IF image_library_internal.has_role('image_library_curator') THEN
    FOREACH owner IN ARRAY owners LOOP
      IF owner IS NOT NULL AND pg_has_role(image_library_internal.acting_role(), owner::oid, 'MEMBER') THEN
        RETURN;
      END IF;
    END LOOP;
  END IF;
  PERFORM image_library_internal.fail(
    errcode => 'insufficient_privilege',
    message => format('permission denied: %s', what),
    detail => format('Role "%s" is neither a member of image_library_admin, nor a curator whose team owns it%s.',
                    image_library_internal.acting_role(),
                    coalesce((SELECT ' (' || string_agg(o::text, ', ') || ')' FROM unnest(owners) o WHERE o IS NOT NULL), '')),
    hint => 'Ask an admin, or a member of the team that owns it.');
END
$$;
COMMENT ON FUNCTION image_library_internal.require_owner IS
  'Raises 42501 unless the acting role is an admin, or a curator in one of the owning teams';

CREATE FUNCTION image_library_internal.checked_owner(owner regrole) RETURNS regrole
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- regrole accepts a number without checking that such a role exists.
  IF owner <> '-'::regrole AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = owner) THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('role with number %s does not exist', owner::oid),
      hint => 'Name a role as owner, or ''-'' for none.');
  END IF;
  RETURN owner;
END
$$;
COMMENT ON FUNCTION image_library_internal.checked_owner IS 'The given owner; raises 42704 if there is no such role';

-- PL/pgSQL keeps its plan for the session: every statement that reads a view calls this.
CREATE FUNCTION image_library_internal.registries_hidden_from(viewer name) RETURNS integer[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_has_role(viewer, 'image_library_admin', 'MEMBER') THEN
    RETURN '{}';
  END IF;
  RETURN ARRAY(SELECT g.registry_id FROM image_library_internal.registry g
               WHERE g.private AND NOT coalesce(pg_has_role(viewer, g.owner::oid, 'MEMBER'), false)
               ORDER BY 1);
END
$$;
COMMENT ON FUNCTION image_library_internal.registries_hidden_from IS
  'Private registries of whose team a role is not a member; none for admins';
GRANT EXECUTE ON FUNCTION image_library_internal.registries_hidden_from TO image_library_reader, image_library_agent;

-- Not SECURITY DEFINER, since viewer() must see the calling role. The SQL-standard body is parsed at creation, so that
-- the caller needs no right to the internal schema. Without SET it is inlined.
CREATE FUNCTION image_library_internal.hidden_registries() RETURNS integer[]
LANGUAGE sql STABLE
RETURN image_library_internal.registries_hidden_from(image_library_internal.viewer());
COMMENT ON FUNCTION image_library_internal.hidden_registries IS
  'Private registries of whose team the viewer is not a member; none for admins';
GRANT EXECUTE ON FUNCTION image_library_internal.hidden_registries TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.sees_everything() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN pg_has_role(image_library_internal.viewer(), 'image_library_admin', 'MEMBER');
COMMENT ON FUNCTION image_library_internal.sees_everything IS 'Whether the viewer may see rows of dropped registries';
GRANT EXECUTE ON FUNCTION image_library_internal.sees_everything TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.keeps_snapshot() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT current_setting('transaction_isolation') IN ('repeatable read', 'serializable') $$;
COMMENT ON FUNCTION image_library_internal.keeps_snapshot IS
  'Whether this transaction does not see what others have committed since it began';
GRANT EXECUTE ON FUNCTION image_library_internal.keeps_snapshot TO image_library_agent;

-- A session that waited for a lock must see what others committed meanwhile. Otherwise it would write outdated rows to
-- the read model.
CREATE FUNCTION image_library_internal.require_read_committed() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF current_setting('transaction_read_only')::boolean THEN
    PERFORM image_library_internal.fail(
      errcode => 'read_only_sql_transaction',
      message => CASE WHEN pg_is_in_recovery() THEN 'image_library is governed on the primary, and this server is a standby'
                      ELSE 'image_library is governed in transactions that are not read only' END,
      hint => CASE WHEN pg_is_in_recovery() THEN 'Connect to the primary.' ELSE 'Use BEGIN READ WRITE; see default_transaction_read_only.' END);
  END IF;
  IF image_library_internal.keeps_snapshot() THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_transaction_state',
      message => 'image_library is governed in transactions of isolation level read committed',
      detail => format('This one is %s: it does not see what was decided since it began.', current_setting('transaction_isolation')),
      hint => 'Use BEGIN ISOLATION LEVEL READ COMMITTED; see default_transaction_isolation.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_read_committed IS
  'Raises 25000 in a transaction that keeps its first snapshot, and 25006 in one that is read only';
GRANT EXECUTE ON FUNCTION image_library_internal.require_read_committed TO image_library_agent;
-- Registries, and the tables of their credentials.

CREATE TABLE image_library_internal.registry (
  registry_id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  scheme text NOT NULL CHECK (scheme IN ('https', 'http')),
  host text COLLATE "C" NOT NULL,
  prefix text COLLATE "C" NOT NULL,
  sync_interval interval NOT NULL CHECK (sync_interval >= interval '10 seconds'),
  max_connections integer NOT NULL CHECK (max_connections BETWEEN 1 AND 64),
  requests_per_second integer CHECK (requests_per_second > 0),
  requests_per_run integer CHECK (requests_per_run > 0),
  ca_certificate text,
  allow_private boolean NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  owner regrole,
  private boolean NOT NULL DEFAULT false,
  proxy text,
  realm_hosts text[] NOT NULL DEFAULT '{}',
  sync_requested_at timestamptz,
  rules_changed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by name NOT NULL DEFAULT session_user
);
COMMENT ON TABLE image_library_internal.registry IS 'Registries that the agent reads';
COMMENT ON COLUMN image_library_internal.registry.prefix IS 'Path of the URL; repositories are named relative to it';
COMMENT ON COLUMN image_library_internal.registry.host IS 'Host as in references, with the port if there is one';
COMMENT ON COLUMN image_library_internal.registry.ca_certificate IS
  'PEM; replaces the certificate store of the system for this registry';
COMMENT ON COLUMN image_library_internal.registry.rules_changed_at IS
  'When the rules last changed; a run that began before used older rules';
COMMENT ON COLUMN image_library_internal.registry.owner IS
  'Role that owns it: curators who are members of it may act on it; null: admins may, and every curator may make decisions';
COMMENT ON COLUMN image_library_internal.registry.private IS
  'Whether only admins and members of the owner see the registry';
COMMENT ON COLUMN image_library_internal.registry.allow_private IS 'Whether loopback and private addresses are allowed';
COMMENT ON COLUMN image_library_internal.registry.proxy IS
  'HTTP proxy for this registry; proxies of the environment are not used';
COMMENT ON COLUMN image_library_internal.registry.realm_hosts IS
  'Token servers that get the credentials, in addition to those of the registry''s own host and organization';
COMMENT ON COLUMN image_library_internal.registry.requests_per_run IS
  'Maximum number of requests of a run; the next run continues where one stopped; null: no limit';
GRANT SELECT ON image_library_internal.registry TO image_library_agent;

-- Whatever changes the table wakes the agent: functions, a restore, COPY.
CREATE TRIGGER wake_agent AFTER INSERT OR UPDATE OR DELETE ON image_library_internal.registry
FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.wake_after_change();
COMMENT ON TRIGGER wake_agent ON image_library_internal.registry IS 'Tells the agent that a sync may be due';
ALTER TABLE image_library_internal.registry ENABLE ALWAYS TRIGGER wake_agent;

-- A table of its own, since it changes with every run: changes of options do not wait for it, and it is not audited.
CREATE TABLE image_library_internal.registry_state (
  registry_id integer PRIMARY KEY REFERENCES image_library_internal.registry ON DELETE CASCADE,
  not_before timestamptz,
  limited_runs integer NOT NULL DEFAULT 0,
  progress text NOT NULL DEFAULT '',
  head_refused_at timestamptz,
  referrers_refused_at timestamptz,
  conditional boolean NOT NULL DEFAULT false,
  conditional_refused_at timestamptz
);
COMMENT ON TABLE image_library_internal.registry_state IS
  'What the agent stores about a registry from one run to the next';
COMMENT ON COLUMN image_library_internal.registry_state.not_before IS
  'Time before which the registry wants no request; null: none';
COMMENT ON COLUMN image_library_internal.registry_state.limited_runs IS
  'Number of consecutive runs that a limit of the registry ended';
COMMENT ON COLUMN image_library_internal.registry_state.progress IS
  'Where the next run continues after one that a limit ended; empty: at the beginning';
COMMENT ON COLUMN image_library_internal.registry_state.head_refused_at IS
  'When HEAD was found not to work; it is tried again after a day';
COMMENT ON COLUMN image_library_internal.registry_state.referrers_refused_at IS
  'When the referrers API was found to be absent; it is tried again after a day';
COMMENT ON COLUMN image_library_internal.registry_state.conditional IS
  'True: the ETags of manifests are their digests, so tags are checked with If-None-Match';
COMMENT ON COLUMN image_library_internal.registry_state.conditional_refused_at IS
  'When a manifest that had not changed was sent in spite of If-None-Match; it is tried again after a day';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.registry_state TO image_library_agent;

-- Not marked for pg_dump, and granted to nobody.
CREATE TABLE image_library_internal.credential (
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  repository_prefix text COLLATE "C" NOT NULL,
  username text,
  password text,
  file text,
  variable text,
  set_at timestamptz NOT NULL DEFAULT now(),
  set_by name NOT NULL DEFAULT session_user,
  PRIMARY KEY (registry_id, repository_prefix),
  CHECK (num_nonnulls(password, file, variable) = 1 AND (file IS NULL) = (username IS NOT NULL))
);
COMMENT ON TABLE image_library_internal.credential IS
  'Credentials, or the files and environment variables that hold them: no role may read this table, pg_dump leaves its rows out';
COMMENT ON COLUMN image_library_internal.credential.repository_prefix IS
  'Prefix of the repositories that the credential is for; the longest match is used, empty: all';
COMMENT ON COLUMN image_library_internal.credential.file IS
  'Name of a docker config.json in image_library.credentials_dir';
COMMENT ON COLUMN image_library_internal.credential.variable IS
  'Environment variable of the server that holds the password';
GRANT SELECT ON image_library_internal.credential TO image_library_agent;

-- Not marked for pg_dump, and granted to nobody.
CREATE TABLE image_library_internal.client_certificate (
  registry_id integer PRIMARY KEY REFERENCES image_library_internal.registry ON DELETE CASCADE,
  certificate text NOT NULL,
  key text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT now(),
  set_by name NOT NULL DEFAULT session_user
);
COMMENT ON TABLE image_library_internal.client_certificate IS
  'Client certificates for mutual TLS: no role may read this table, pg_dump leaves its rows out';
COMMENT ON COLUMN image_library_internal.client_certificate.certificate IS
  'PEM; intermediate certificates follow the client certificate';
COMMENT ON COLUMN image_library_internal.client_certificate.key IS 'Private key in PEM form, not encrypted';
GRANT SELECT ON image_library_internal.client_certificate TO image_library_agent;

CREATE FUNCTION image_library_internal.find_registry(registry text) RETURNS image_library_internal.registry
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_registry image_library_internal.registry;
BEGIN
  SELECT g.* INTO found_registry
  FROM image_library_internal.visible_registry g
  WHERE g.name = registry;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('registry "%s" does not exist', image_library_internal.without_secrets(registry)),
      hint => 'See image_library.registries, or connect it with image_library.add_registry.');
  END IF;
  RETURN found_registry;
END
$$;
COMMENT ON FUNCTION image_library_internal.find_registry IS 'The registry with the given name; raises 42704';
GRANT EXECUTE ON FUNCTION image_library_internal.find_registry TO image_library_agent;

-- A secret is set for the registry as it is now: this lock makes a concurrent alter_registry wait, or waits for it.
CREATE FUNCTION image_library_internal.lock_registry(registry text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := (image_library_internal.find_registry(registry)).registry_id;
BEGIN
  PERFORM FROM image_library_internal.registry g WHERE g.registry_id = id FOR SHARE;
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_registry IS
  'Number of a registry, which cannot be altered until this transaction ends';

-- Checks the same as the table's constraints, with better error messages.
CREATE FUNCTION image_library_internal.check_registry_options(sync_interval interval, max_connections integer,
  requests_per_second integer, ca_certificate text, requests_per_run integer)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF sync_interval IS NULL OR sync_interval < interval '10 seconds' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('sync_interval is too short: %s', coalesce(sync_interval::text, 'null')),
      hint => 'It must be at least 10 seconds; registries limit how often they may be asked.');
  END IF;
  IF max_connections IS NULL OR max_connections NOT BETWEEN 1 AND 64 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('max_connections is out of range: %s', coalesce(max_connections::text, 'null')),
      hint => 'It must be from 1 to 64.');
  END IF;
  IF requests_per_second < 1 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('requests_per_second is out of range: %s', requests_per_second),
      hint => 'It must be at least 1; null means no limit.');
  END IF;
  IF requests_per_run < 1 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('requests_per_run is out of range: %s', requests_per_run),
      hint => 'It must be at least 1; null means no limit.');
  END IF;
  IF ca_certificate NOT LIKE '%-----BEGIN CERTIFICATE-----%-----END CERTIFICATE-----%' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'ca_certificate is not a certificate in PEM form',
      hint => 'It begins with -----BEGIN CERTIFICATE----- and ends with -----END CERTIFICATE-----.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_registry_options IS
  'Raises 22023 when an option of a registry is out of range';

CREATE FUNCTION image_library_internal.check_realm_hosts(realm_hosts text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text;
BEGIN
  SELECT coalesce(h, 'null') INTO wrong FROM unnest(realm_hosts) h
  WHERE image_library_internal.is_host_pattern(h) IS NOT TRUE LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid host in realm_hosts: "%s"', image_library_internal.without_secrets(wrong)),
      hint => 'Write hosts of token servers, such as auth.example.org or *.example.org, without https://.');
  END IF;
  RETURN coalesce(realm_hosts, '{}');
END
$$;
COMMENT ON FUNCTION image_library_internal.check_realm_hosts IS 'The given hosts; raises 22023 if one is invalid';

-- Two registries of one path would hold each image twice, and decisions on one of them would not count for the other. One
-- below the other is a choice, as for a team's own part of a registry.
CREATE FUNCTION image_library_internal.check_path(name text, host text, prefix text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  other record;
BEGIN
  -- Registries of one host are added one after the other.
  PERFORM pg_advisory_xact_lock('image_library_internal.registry'::regclass::oid::integer, hashtext(check_path.host));
  SELECT g.name INTO other FROM image_library_internal.registry g
  WHERE g.host = check_path.host AND g.prefix = check_path.prefix AND g.name <> check_path.name ORDER BY g.registry_id LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'duplicate_object',
      message => format('registry "%s" has the path %s already', other.name, concat_ws('/', host, nullif(prefix, ''))),
      hint => format('Add rules to registry "%s", or give one of them a path below the other''s.', other.name));
  END IF;
  FOR other IN
    SELECT g.name, concat_ws('/', g.host, nullif(g.prefix, '')) AS path FROM image_library_internal.registry g
    WHERE g.host = check_path.host AND g.name <> check_path.name
      AND (g.prefix = '' OR check_path.prefix = ''
           OR starts_with(g.prefix, check_path.prefix || '/') OR starts_with(check_path.prefix, g.prefix || '/'))
    ORDER BY g.name
  LOOP
    RAISE NOTICE USING
      MESSAGE = format('the paths of registries "%s" and "%s" overlap', name, other.name),
      DETAIL = format('They are %s and %s.', concat_ws('/', host, nullif(prefix, '')), other.path),
      HINT = 'An image that both take is in the library twice; functions tell them apart by registry =>.';
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_path IS
  'Raises 42710 if another registry has the same host and prefix, and tells which ones overlap';

CREATE FUNCTION image_library.add_registry(name text, url text, sync_interval interval DEFAULT '15 min',
  max_connections integer DEFAULT 16, requests_per_second integer DEFAULT NULL, ca_certificate text DEFAULT NULL,
  allow_private boolean DEFAULT false, owner regrole DEFAULT NULL, private boolean DEFAULT false,
  proxy text DEFAULT NULL, realm_hosts text[] DEFAULT '{}',
  requests_per_run integer DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parsed record;
  new_id integer;
BEGIN
  PERFORM image_library_internal.require_admin('add a registry');
  IF name IS NULL OR name !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid registry name "%s"', image_library_internal.without_secrets(name)),
      hint => 'Use up to 63 lower-case letters, digits, dots, dashes and underscores.');
  END IF;
  SELECT * INTO parsed FROM image_library_internal.parse_registry_url(coalesce(url, ''));
  PERFORM image_library_internal.check_registry_options(sync_interval, max_connections, requests_per_second, ca_certificate,
                                                requests_per_run);
  proxy := image_library_internal.parse_proxy_url(nullif(proxy, ''));
  PERFORM image_library_internal.require_allowed_host(parsed.scheme, parsed.host, coalesce(proxy, ''));
  INSERT INTO image_library_internal.registry (name, scheme, host, prefix, sync_interval, max_connections,
                                      requests_per_second, ca_certificate, allow_private, owner, private,
                                      proxy, realm_hosts, requests_per_run)
  VALUES (add_registry.name, parsed.scheme, parsed.host, parsed.prefix, add_registry.sync_interval,
          add_registry.max_connections, add_registry.requests_per_second, add_registry.ca_certificate,
          coalesce(add_registry.allow_private, false), nullif(image_library_internal.checked_owner(add_registry.owner), '-'::regrole),
          coalesce(add_registry.private, false),
          add_registry.proxy, image_library_internal.check_realm_hosts(add_registry.realm_hosts), add_registry.requests_per_run)
  ON CONFLICT ON CONSTRAINT registry_name_key DO NOTHING
  RETURNING registry_id INTO new_id;
  IF new_id IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'duplicate_object',
      message => format('registry "%s" exists already', name),
      hint => 'Change it with image_library.alter_registry.');
  END IF;
  PERFORM image_library_internal.check_path(name, parsed.host, parsed.prefix);
  RETURN new_id;
END
$$;
COMMENT ON FUNCTION image_library.add_registry IS
  'Connects a registry and returns its number. A path in the URL is a prefix of its repositories, which no other registry may have; a private registry is visible to members of its owner only';
GRANT EXECUTE ON FUNCTION image_library.add_registry TO image_library_admin;

-- An admin must not obtain the secret of another admin by sending it elsewhere: secrets that were set for one way to
-- reach a registry are removed when that changes. Removing a proxy or CA certificate does not let anybody else see the
-- secrets.
CREATE FUNCTION image_library_internal.drop_secrets(was image_library_internal.registry, is_now image_library_internal.registry) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  other_way text[] := array_remove(ARRAY[
    CASE WHEN was.scheme <> is_now.scheme OR was.host <> is_now.host THEN 'scheme, host or port' END,
    CASE WHEN is_now.proxy IS NOT NULL AND is_now.proxy IS DISTINCT FROM was.proxy THEN 'proxy' END,
    CASE WHEN is_now.ca_certificate IS NOT NULL AND is_now.ca_certificate IS DISTINCT FROM was.ca_certificate
         THEN 'CA certificate' END], NULL);
  -- Token servers get passwords, but never the client certificate.
  more_hosts boolean := NOT is_now.realm_hosts <@ was.realm_hosts;
  credentials bigint := 0;
  certificates bigint := 0;
BEGIN
  IF cardinality(other_way) > 0 OR more_hosts THEN
    DELETE FROM image_library_internal.credential c WHERE c.registry_id = was.registry_id;
    GET DIAGNOSTICS credentials = ROW_COUNT;
  END IF;
  IF cardinality(other_way) > 0 THEN
    DELETE FROM image_library_internal.client_certificate c WHERE c.registry_id = was.registry_id;
    GET DIAGNOSTICS certificates = ROW_COUNT;
  END IF;
  IF credentials + certificates > 0 THEN
    RAISE NOTICE USING
      MESSAGE = format('%s of registry "%s" removed',
                       concat_ws(' and ', CASE WHEN credentials > 0 THEN 'credentials' END,
                                 CASE WHEN certificates > 0 THEN 'client certificate' END), is_now.name),
      DETAIL = format('Secrets are kept only for the way to a registry that they were set for; changed: %s.',
                      array_to_string(other_way || CASE WHEN more_hosts THEN ARRAY['realm_hosts'] END, ', ')),
      HINT = 'Set again what it needs, with ' || concat_ws(' and ',
        CASE WHEN credentials > 0 THEN 'image_library.set_credential, set_credential_file or set_credential_variable' END,
        CASE WHEN certificates > 0 THEN 'image_library.set_client_certificate' END) || '.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.drop_secrets IS
  'Removes the credentials and client certificate of a registry that is now reached in another way than the one they were set for';

CREATE FUNCTION image_library.alter_registry(name text, url text DEFAULT NULL, sync_interval interval DEFAULT NULL,
  max_connections integer DEFAULT NULL, requests_per_second integer DEFAULT NULL, ca_certificate text DEFAULT NULL,
  allow_private boolean DEFAULT NULL, owner regrole DEFAULT NULL, private boolean DEFAULT NULL,
  proxy text DEFAULT NULL, realm_hosts text[] DEFAULT NULL,
  requests_per_run integer DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  old image_library_internal.registry;
  altered image_library_internal.registry;
  parsed record;
BEGIN
  PERFORM image_library_internal.require_admin(format('alter registry "%s"', name));
  old := image_library_internal.find_registry(name);
  -- Locked, so that each of two concurrent changes sees the result of the other.
  SELECT g.* INTO STRICT old FROM image_library_internal.registry g WHERE g.registry_id = old.registry_id FOR NO KEY UPDATE;
  SELECT * INTO parsed
  FROM image_library_internal.parse_registry_url(
    coalesce(url, old.scheme || '://' || old.host || '/' || old.prefix));
  sync_interval := coalesce(sync_interval, old.sync_interval);
  max_connections := coalesce(max_connections, old.max_connections);
  -- 0 and '' remove the value.
  requests_per_second := nullif(coalesce(requests_per_second, old.requests_per_second), 0);
  requests_per_run := nullif(coalesce(requests_per_run, old.requests_per_run), 0);
  ca_certificate := nullif(coalesce(ca_certificate, old.ca_certificate), '');
  PERFORM image_library_internal.check_registry_options(sync_interval, max_connections, requests_per_second, ca_certificate,
                                                requests_per_run);
  proxy := image_library_internal.parse_proxy_url(nullif(coalesce(proxy, old.proxy), ''));
  PERFORM image_library_internal.require_allowed_host(parsed.scheme, parsed.host, coalesce(proxy, ''));
  IF (parsed.host, parsed.prefix) <> (old.host, old.prefix) THEN
    PERFORM image_library_internal.check_path(name, parsed.host, parsed.prefix);
  END IF;
  UPDATE image_library_internal.registry g
  SET scheme = parsed.scheme, host = parsed.host, prefix = parsed.prefix,
      sync_interval = alter_registry.sync_interval,
      max_connections = alter_registry.max_connections,
      requests_per_second = alter_registry.requests_per_second,
      requests_per_run = alter_registry.requests_per_run,
      ca_certificate = alter_registry.ca_certificate,
      allow_private = coalesce(alter_registry.allow_private, old.allow_private),
      owner = nullif(coalesce(image_library_internal.checked_owner(alter_registry.owner), old.owner), '-'::regrole),
      private = coalesce(alter_registry.private, old.private),
      proxy = alter_registry.proxy,
      realm_hosts = image_library_internal.check_realm_hosts(coalesce(alter_registry.realm_hosts, old.realm_hosts)),
      sync_requested_at = clock_timestamp()
  WHERE g.registry_id = old.registry_id
  RETURNING g.* INTO altered;
  PERFORM image_library_internal.drop_secrets(old, altered);
END
$$;
COMMENT ON FUNCTION image_library.alter_registry IS
  'Changes the options of a registry that are given; requests_per_second => 0, requests_per_run => 0, ca_certificate => '''', proxy => '''', realm_hosts => ''{}'' and owner => ''-'' remove the value. Another scheme, host, port, proxy or CA certificate, or a new host in realm_hosts, removes its credentials';
GRANT EXECUTE ON FUNCTION image_library.alter_registry TO image_library_admin;

CREATE FUNCTION image_library.enable_registry(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin(format('enable registry "%s"', name));
  UPDATE image_library_internal.registry g SET enabled = true
  WHERE g.registry_id = (image_library_internal.find_registry(enable_registry.name)).registry_id AND NOT g.enabled;
END
$$;
COMMENT ON FUNCTION image_library.enable_registry IS 'Enables the sync of a registry';
GRANT EXECUTE ON FUNCTION image_library.enable_registry TO image_library_admin;

CREATE FUNCTION image_library.disable_registry(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin(format('disable registry "%s"', name));
  UPDATE image_library_internal.registry g SET enabled = false
  WHERE g.registry_id = (image_library_internal.find_registry(disable_registry.name)).registry_id AND g.enabled;
END
$$;
COMMENT ON FUNCTION image_library.disable_registry IS 'Disables the sync of a registry; its images stay in the library';
GRANT EXECUTE ON FUNCTION image_library.disable_registry TO image_library_admin;

-- Rows that belong to digests are removed with the last registry that had the digest.
CREATE FUNCTION image_library_internal.drop_images(digests text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM image_library_internal.image i
  WHERE i.digest = ANY (digests)
    AND NOT EXISTS (SELECT FROM image_library_internal.tag t WHERE t.digest = i.digest)
    AND NOT EXISTS (SELECT FROM image_library_internal.tag_period p WHERE p.digest = i.digest)
    AND NOT EXISTS (SELECT FROM image_library_internal.approval a WHERE a.digest = i.digest);
  DELETE FROM image_library_internal.image_referrer x
  WHERE x.digest = ANY (digests)
    AND NOT EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = x.digest)
$$;
COMMENT ON FUNCTION image_library_internal.drop_images IS 'Removes those of the given images that nothing refers to';

CREATE FUNCTION image_library.drop_registry(name text, cascade boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  dropped image_library_internal.registry;
  decided bigint;
  digests text[];
BEGIN
  PERFORM image_library_internal.require_admin(format('drop registry "%s"', name));
  dropped := image_library_internal.find_registry(name);
  SELECT count(*) INTO decided
  FROM image_library_internal.repository r JOIN image_library_internal.approval a USING (repository_id)
  WHERE r.registry_id = dropped.registry_id;
  IF decided > 0 AND NOT coalesce(cascade, false) THEN
    PERFORM image_library_internal.fail(
      errcode => 'dependent_objects_still_exist',
      message => format('cannot drop registry "%s": people have decided on %s of its images', name, decided),
      detail => 'Its images and their approvals would go; the rows of image_library.decisions stay.',
      hint => 'Use image_library.disable_registry to stop syncing it, or drop_registry(..., cascade => true).');
  END IF;
  digests := ARRAY(SELECT DISTINCT p.digest
                   FROM image_library_internal.repository r JOIN image_library_internal.tag_period p USING (repository_id)
                   WHERE r.registry_id = dropped.registry_id);
  DELETE FROM image_library_internal.registry g WHERE g.registry_id = dropped.registry_id;
  PERFORM image_library_internal.drop_images(digests);
END
$$;
COMMENT ON FUNCTION image_library.drop_registry IS
  'Drops a registry with its rules, credentials and images; raises an error if there are decisions, unless cascade';
GRANT EXECUTE ON FUNCTION image_library.drop_registry TO image_library_admin;
-- Functions for credentials; their tables are in registry/registries.

CREATE FUNCTION image_library_internal.check_repository_prefix(repository_prefix text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF repository_prefix IS NULL OR (repository_prefix <> '' AND NOT image_library_internal.is_repository_name(repository_prefix)) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid repository prefix "%s"', image_library_internal.without_secrets(repository_prefix)),
      hint => 'It is the beginning of repository names, such as team/app; empty is for all.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_repository_prefix IS 'Raises 22023 if a repository prefix is invalid';

CREATE FUNCTION image_library.set_credential(registry text, username text, password text,
  repository_prefix text DEFAULT '')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.hide_statement();
  PERFORM image_library_internal.require_admin(format('set a credential of registry "%s"', registry));
  PERFORM image_library_internal.check_repository_prefix(repository_prefix);
  IF coalesce(username, '') = '' OR password IS NULL OR length(password) > 16384 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'a credential needs a username and a password of at most 16384 characters');
  END IF;
  INSERT INTO image_library_internal.credential AS c (registry_id, repository_prefix, username, password)
  VALUES (image_library_internal.lock_registry(set_credential.registry), set_credential.repository_prefix,
          set_credential.username, set_credential.password)
  ON CONFLICT ON CONSTRAINT credential_pkey DO UPDATE
  SET username = excluded.username, password = excluded.password, file = NULL, variable = NULL,
      set_at = excluded.set_at, set_by = excluded.set_by;
END
$$;
COMMENT ON FUNCTION image_library.set_credential IS
  'Stores the username and password (or token) for a registry, or for the repositories under a prefix';
GRANT EXECUTE ON FUNCTION image_library.set_credential TO image_library_admin;

CREATE FUNCTION image_library.set_credential_file(registry text, file text, repository_prefix text DEFAULT '')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer;
BEGIN
  PERFORM image_library_internal.require_admin(format('set a credential of registry "%s"', registry));
  PERFORM image_library_internal.check_repository_prefix(repository_prefix);
  IF file IS NULL OR file !~ '^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid name of a credential file: "%s"', image_library_internal.without_secrets(file)),
      hint => 'Name a docker config.json in the folder of image_library.credentials_dir, without a path.');
  END IF;
  id := image_library_internal.lock_registry(registry);
  INSERT INTO image_library_internal.credential AS c (registry_id, repository_prefix, file)
  VALUES (id, set_credential_file.repository_prefix, set_credential_file.file)
  ON CONFLICT ON CONSTRAINT credential_pkey DO UPDATE
  SET username = NULL, password = NULL, file = excluded.file, variable = NULL,
      set_at = excluded.set_at, set_by = excluded.set_by;
  -- Read as a run reads it: what is wrong is told now, and nothing is stored then.
  PERFORM image_library_internal.check_credential(id, repository_prefix);
END
$$;
COMMENT ON FUNCTION image_library.set_credential_file IS
  'Uses a docker config.json in image_library.credentials_dir for the credentials of a registry; raises an error if the file has none for its host';
GRANT EXECUTE ON FUNCTION image_library.set_credential_file TO image_library_admin;

CREATE FUNCTION image_library.set_credential_variable(registry text, username text, variable text,
  repository_prefix text DEFAULT '')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer;
BEGIN
  PERFORM image_library_internal.require_admin(format('set a credential of registry "%s"', registry));
  PERFORM image_library_internal.check_repository_prefix(repository_prefix);
  IF coalesce(username, '') = '' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'a credential needs a username');
  END IF;
  -- Other variables of the server's environment must not be sent anywhere.
  IF variable IS NULL OR variable !~ '^IMAGE_LIBRARY_[A-Z0-9_]{1,200}$' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid name of an environment variable for a credential: "%s"', image_library_internal.without_secrets(variable)),
      hint => 'Its name begins with IMAGE_LIBRARY_ and has upper-case letters, digits and underscores.');
  END IF;
  id := image_library_internal.lock_registry(registry);
  INSERT INTO image_library_internal.credential AS c (registry_id, repository_prefix, username, variable)
  VALUES (id, set_credential_variable.repository_prefix, set_credential_variable.username, set_credential_variable.variable)
  ON CONFLICT ON CONSTRAINT credential_pkey DO UPDATE
  SET username = excluded.username, password = NULL, file = NULL, variable = excluded.variable,
      set_at = excluded.set_at, set_by = excluded.set_by;
  -- Read as a run reads it: what is wrong is told now, and nothing is stored then.
  PERFORM image_library_internal.check_credential(id, repository_prefix);
END
$$;
COMMENT ON FUNCTION image_library.set_credential_variable IS
  'Uses an environment variable of the server, IMAGE_LIBRARY_..., for the password of a registry, or of the repositories under a prefix; the variable of the same name with _HOSTS lists the hosts that may get it. Raises an error if it is not set, or the registry''s host is not among them';
GRANT EXECUTE ON FUNCTION image_library.set_credential_variable TO image_library_admin;

CREATE FUNCTION image_library.drop_credential(registry text, repository_prefix text DEFAULT '') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin(format('drop a credential of registry "%s"', registry));
  DELETE FROM image_library_internal.credential c
  WHERE c.registry_id = (image_library_internal.find_registry(drop_credential.registry)).registry_id
    AND c.repository_prefix = drop_credential.repository_prefix;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('registry "%s" has no credential for repository prefix "%s"', registry, repository_prefix));
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.drop_credential IS 'Removes a credential';
GRANT EXECUTE ON FUNCTION image_library.drop_credential TO image_library_admin;

CREATE FUNCTION image_library.set_client_certificate(registry text, certificate text, key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.hide_statement();
  PERFORM image_library_internal.require_admin(format('set the client certificate of registry "%s"', registry));
  PERFORM image_library_internal.check_client_certificate(coalesce(certificate, ''), coalesce(key, ''));
  INSERT INTO image_library_internal.client_certificate AS c (registry_id, certificate, key)
  VALUES (image_library_internal.lock_registry(set_client_certificate.registry),
          set_client_certificate.certificate, set_client_certificate.key)
  ON CONFLICT ON CONSTRAINT client_certificate_pkey DO UPDATE
  SET certificate = excluded.certificate, key = excluded.key, set_at = excluded.set_at, set_by = excluded.set_by;
END
$$;
COMMENT ON FUNCTION image_library.set_client_certificate IS
  'Stores the client certificate and private key (PEM) for a registry; they are sent to its host only';
GRANT EXECUTE ON FUNCTION image_library.set_client_certificate TO image_library_admin;

CREATE FUNCTION image_library.drop_client_certificate(registry text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin(format('drop the client certificate of registry "%s"', registry));
  DELETE FROM image_library_internal.client_certificate c
  WHERE c.registry_id = (image_library_internal.find_registry(drop_client_certificate.registry)).registry_id;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('registry "%s" has no client certificate', registry));
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.drop_client_certificate IS 'Removes the client certificate of a registry';
GRANT EXECUTE ON FUNCTION image_library.drop_client_certificate TO image_library_admin;

-- One statement reads the registry and its credentials from the same snapshot: a run that began before the registry was
-- altered gets no credentials that were set since.
CREATE FUNCTION image_library_internal.credentials(registry_id integer, scheme text, host text, proxy text, ca_certificate text,
  realm_hosts jsonb)
RETURNS TABLE (repository_prefix text, username text, password text, file text, variable text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.repository_prefix, c.username, c.password, c.file, c.variable
  FROM image_library_internal.credential c
  JOIN image_library_internal.registry g USING (registry_id)
  WHERE g.registry_id = credentials.registry_id
    AND g.scheme = credentials.scheme AND g.host = credentials.host
    AND coalesce(g.proxy, '') = credentials.proxy AND coalesce(g.ca_certificate, '') = credentials.ca_certificate
    AND to_jsonb(g.realm_hosts) = credentials.realm_hosts
  ORDER BY c.repository_prefix
$$;
COMMENT ON FUNCTION image_library_internal.credentials IS
  'Credentials of a registry, for the agent; none if the registry is now reached in another way than the run knows';
GRANT EXECUTE ON FUNCTION image_library_internal.credentials TO image_library_agent;
-- Repository rules: which repositories and tags belong to the library.

CREATE TABLE image_library_internal.rule (
  rule_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  repositories text NOT NULL,
  tags text[] NOT NULL,
  exclude_tags text[] NOT NULL,
  action text NOT NULL CHECK (action IN ('include', 'exclude')),
  kind text NOT NULL CHECK (kind = ANY (array_prepend('auto', image_library_internal.kinds()))),
  approval text NOT NULL CHECK (approval IN ('manual', 'auto')),
  platforms text[],
  immutable_tags boolean NOT NULL,
  newest integer CHECK (newest > 0),
  priority integer NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  owner regrole,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by name NOT NULL DEFAULT session_user,
  required_approvals integer NOT NULL DEFAULT 1 CHECK (required_approvals BETWEEN 1 AND 10),
  separate_requester boolean NOT NULL DEFAULT false
);
CREATE INDEX rule_registry ON image_library_internal.rule (registry_id);
COMMENT ON TABLE image_library_internal.rule IS
  'Repository rules; of several include rules the one with the lowest priority, then the oldest, decides';
COMMENT ON COLUMN image_library_internal.rule.required_approvals IS
  'Number of people who must approve an image; of several rules that take it the largest number counts';
COMMENT ON COLUMN image_library_internal.rule.separate_requester IS
  'Whether the approval of a person who requested an image does not count; one rule that takes it is enough';
GRANT SELECT ON image_library_internal.rule TO image_library_agent;
CREATE TRIGGER wake_agent AFTER INSERT OR UPDATE OR DELETE ON image_library_internal.rule
FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.wake_after_change();
COMMENT ON TRIGGER wake_agent ON image_library_internal.rule IS 'Tells the agent that a sync may be due';
ALTER TABLE image_library_internal.rule ENABLE ALWAYS TRIGGER wake_agent;

CREATE FUNCTION image_library_internal.rules_json(registry_id integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.priority, r.rule_id), '[]')
  FROM image_library_internal.rule r
  WHERE r.registry_id = rules_json.registry_id AND r.enabled
$$;
COMMENT ON FUNCTION image_library_internal.rules_json IS 'The enabled rules of a registry, as decide_tags takes them';
GRANT EXECUTE ON FUNCTION image_library_internal.rules_json TO image_library_agent;

CREATE FUNCTION image_library_internal.check_repositories(registry_id integer, repositories text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := (
    SELECT g FROM image_library_internal.registry g WHERE g.registry_id = check_repositories.registry_id);
  below text;
BEGIN
  PERFORM image_library_internal.check_repository_pattern(repositories, of_registry.host, of_registry.prefix);
  -- As in references, `postgres` means `docker.io/library/postgres`.
  IF repositories !~ '/|^regex:|\*\*' AND of_registry.host = 'docker.io' AND of_registry.prefix = '' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('no repository of Docker Hub is called "%s"', repositories),
      hint => format('Official images are in library/: write "library/%s".', repositories));
  END IF;
  -- Names are relative to the prefix. A repository host/team/team/app may exist, but then it is known.
  below := of_registry.prefix || '/';
  IF of_registry.prefix <> '' AND starts_with(repositories, below)
     AND NOT EXISTS (SELECT FROM image_library_internal.repository r
                     WHERE r.registry_id = of_registry.registry_id AND starts_with(r.name, below)) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid repository pattern "%s"', repositories),
      detail => format('It begins with the path of the registry''s URL: repositories are named relative to %s://%s/%s.',
                      of_registry.scheme, of_registry.host, of_registry.prefix),
      hint => format('Write "%s". If there is a repository %s/%s%s, list it first with image_library.preview_rule and refresh => true.',
                    substr(repositories, length(below) + 1), of_registry.host, below, repositories));
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_repositories IS
  'Raises 22023 or 2201B when a pattern is wrong, or can match no repository of the registry';

CREATE FUNCTION image_library_internal.check_rule(rule image_library_internal.rule) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  pattern text;
  problem text;
BEGIN
  PERFORM image_library_internal.check_repositories(rule.registry_id, coalesce(rule.repositories, ''));
  problem := (
    SELECT string_agg(CASE WHEN array_ndims(l.list) > 1 THEN format('%s must be a list, not an array of arrays', l.field)
                           ELSE format('%s has %s elements, at most 1000 are allowed', l.field, cardinality(l.list)) END, '; ')
    FROM (VALUES ('tags', rule.tags), ('exclude_tags', rule.exclude_tags), ('platforms', rule.platforms)) l (field, list)
    WHERE array_ndims(l.list) > 1 OR cardinality(l.list) > 1000);
  IF problem IS NOT NULL THEN
    PERFORM image_library_internal.fail(errcode => 'invalid_parameter_value', message => 'invalid rule: ' || problem);
  END IF;
  IF cardinality(coalesce(rule.tags, '{}')) = 0 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'a rule needs at least one tag pattern',
      hint => 'Use ''{*}'' for all tags.');
  END IF;
  FOREACH pattern IN ARRAY rule.tags || coalesce(rule.exclude_tags, '{}') LOOP
    PERFORM image_library_internal.check_tag_pattern(coalesce(pattern, ''));
  END LOOP;
  IF rule.tags <@ coalesce(rule.exclude_tags, '{}') OR rule.exclude_tags && '{*,**}' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'invalid rule: exclude_tags takes away all that tags has',
      hint => 'Leave exclude_tags out; to exclude tags that other rules take, use action => ''exclude''.');
  END IF;
  FOREACH pattern IN ARRAY coalesce(rule.platforms, '{}') LOOP
    IF pattern IS NULL OR pattern !~ '^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$' THEN
      PERFORM image_library_internal.fail(
        errcode => 'invalid_parameter_value',
        message => format('invalid platform "%s"', pattern),
        hint => 'Write os/architecture or os/architecture/variant, such as linux/amd64 or linux/arm/v7.');
    END IF;
  END LOOP;
  problem := coalesce(
    image_library_internal.wrong_value('action', rule.action, '{include,exclude}'),
    image_library_internal.wrong_value('kind', rule.kind, array_prepend('auto', image_library_internal.kinds())),
    image_library_internal.wrong_value('approval', rule.approval, '{manual,auto}'),
    CASE
      WHEN rule.newest NOT BETWEEN 1 AND 1000000000 THEN format('newest must be from 1 to 1000000000, not %s', rule.newest)
      WHEN rule.priority IS NULL THEN 'priority must not be null'
      WHEN rule.required_approvals IS NULL OR rule.required_approvals NOT BETWEEN 1 AND 10 THEN
        format('required_approvals must be from 1 to 10, not %s', coalesce(rule.required_approvals::text, 'null'))
      WHEN rule.required_approvals > 1 AND (rule.approval, rule.action) <> ('manual', 'include') THEN
        'required_approvals is for include rules with approval => ''manual'''
      WHEN rule.separate_requester AND (rule.approval, rule.action) <> ('manual', 'include') THEN
        'separate_requester is for include rules with approval => ''manual'''
    END);
  IF problem IS NOT NULL THEN
    PERFORM image_library_internal.fail(errcode => 'invalid_parameter_value', message => 'invalid rule: ' || problem);
  END IF;
  -- What the agent could not read would end every sync of the registry: its own reader has the last word.
  PERFORM FROM image_library_internal.decide_tags(jsonb_build_array(to_jsonb(rule) || '{"enabled": true}'), '', '{}');
END
$$;
COMMENT ON FUNCTION image_library_internal.check_rule IS 'Raises 22023 or 2201B when a rule is wrong';

-- Options are passed by name, so that a new option is added to the table, the signatures and check_rule, but to no list
-- of positions.
CREATE FUNCTION image_library_internal.new_rule(options jsonb) RETURNS image_library_internal.rule
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  made image_library_internal.rule := jsonb_populate_record(NULL::image_library_internal.rule, options);
BEGIN
  made.exclude_tags := coalesce(made.exclude_tags, '{}');
  made.immutable_tags := coalesce(made.immutable_tags, false);
  made.separate_requester := coalesce(made.separate_requester, false);
  made.enabled := true;
  PERFORM image_library_internal.check_rule(made);
  RETURN made;
END
$$;
COMMENT ON FUNCTION image_library_internal.new_rule IS
  'A rule with the given options, checked, not stored; raises 22023 or 2201B';

CREATE FUNCTION image_library_internal.find_rule(rule_id bigint) RETURNS image_library_internal.rule
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_rule image_library_internal.rule;
BEGIN
  SELECT r.* INTO found_rule
  FROM image_library_internal.rule r JOIN image_library_internal.visible_registry g USING (registry_id)
  WHERE r.rule_id = find_rule.rule_id;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('rule %s does not exist', coalesce(rule_id::text, 'null')),
      hint => 'See image_library.rules.');
  END IF;
  RETURN found_rule;
END
$$;
COMMENT ON FUNCTION image_library_internal.find_rule IS 'The rule with the given number; raises 42704';

CREATE FUNCTION image_library_internal.require_rule_owner(what text, rule image_library_internal.rule) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- A role that may approve alone must not remove the requirement that others approve too.
  IF rule.required_approvals > 1 OR rule.separate_requester THEN
    PERFORM image_library_internal.require_admin(what);
  END IF;
  PERFORM image_library_internal.require_owner(what, rule.owner,
    (SELECT g.owner FROM image_library_internal.registry g WHERE g.registry_id = rule.registry_id));
END
$$;
COMMENT ON FUNCTION image_library_internal.require_rule_owner IS
  'Raises 42501 unless the acting role may change the rule; only admins may change one that requires several approvals or separates the requester';

CREATE FUNCTION image_library_internal.lock_rules(registry_id integer) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.require_read_committed();
  SELECT FROM image_library_internal.registry g WHERE g.registry_id = lock_rules.registry_id FOR NO KEY UPDATE;
  -- The change must see what a batch or a decision is about to commit: see lock_repository.
  SELECT image_library_internal.lock_rules_of(registry_id, exclusive => true)
$$;
COMMENT ON FUNCTION image_library_internal.lock_rules IS
  'Locks the rules of a registry, so that a change of them waits for other changes, batches and decisions';

-- Waits until no other session changes rules of the registry. The registry's row is locked first everywhere.
CREATE FUNCTION image_library_internal.lock_rule(rule_id bigint) RETURNS image_library_internal.rule
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.lock_rules((image_library_internal.find_rule(rule_id)).registry_id);
  RETURN image_library_internal.find_rule(rule_id);
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_rule IS
  'The rule with the given number, which no other session can change until this transaction ends; raises 42704';

CREATE FUNCTION image_library_internal.apply_rules(registry_id integer, altered_rule_id bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.lock_rules(registry_id);
  PERFORM image_library_internal.decide_registry(registry_id, altered_rule_id);
  UPDATE image_library_internal.registry g
  SET rules_changed_at = clock_timestamp(), sync_requested_at = clock_timestamp()
  WHERE g.registry_id = apply_rules.registry_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.apply_rules IS
  'Applies changed rules to every known tag in the same transaction, and requests a sync';

CREATE FUNCTION image_library.add_rule(registry text, repositories text, tags text[] DEFAULT '{*}',
  exclude_tags text[] DEFAULT '{}', action text DEFAULT 'include', kind text DEFAULT 'auto',
  approval text DEFAULT 'manual', platforms text[] DEFAULT NULL, immutable_tags boolean DEFAULT false,
  newest integer DEFAULT NULL, priority integer DEFAULT 100, owner regrole DEFAULT NULL,
  required_approvals integer DEFAULT 1, separate_requester boolean DEFAULT false)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  new_rule image_library_internal.rule;
BEGIN
  PERFORM image_library_internal.require_owner(format('add a rule to registry "%s"', registry), of_registry.owner);
  new_rule := image_library_internal.new_rule(jsonb_build_object(
    'registry_id', of_registry.registry_id, 'repositories', repositories, 'tags', tags, 'exclude_tags', exclude_tags, 'action', action,
    'kind', kind, 'approval', approval, 'platforms', platforms, 'immutable_tags', immutable_tags, 'newest', newest,
    'priority', priority, 'owner', nullif(image_library_internal.checked_owner(owner), '-'::regrole), 'required_approvals', required_approvals,
    'separate_requester', separate_requester));
  INSERT INTO image_library_internal.rule AS r (registry_id, repositories, tags, exclude_tags, action, kind, approval,
                                       platforms, immutable_tags, newest, priority, owner, required_approvals, separate_requester)
  VALUES (new_rule.registry_id, new_rule.repositories, new_rule.tags, new_rule.exclude_tags, new_rule.action,
          new_rule.kind, new_rule.approval, new_rule.platforms, new_rule.immutable_tags, new_rule.newest,
          new_rule.priority, new_rule.owner, new_rule.required_approvals, new_rule.separate_requester)
  RETURNING r.rule_id INTO new_rule.rule_id;
  PERFORM image_library_internal.apply_rules(of_registry.registry_id);
  RETURN new_rule.rule_id;
END
$$;
COMMENT ON FUNCTION image_library.add_rule IS
  'Adds a rule, applies it at once to the known tags, and returns its number. Patterns are globs, regex: or version:';
GRANT EXECUTE ON FUNCTION image_library.add_rule TO image_library_curator;

CREATE FUNCTION image_library_internal.altered_rule(rule image_library_internal.rule, change jsonb) RETURNS image_library_internal.rule
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  altered image_library_internal.rule := jsonb_populate_record(rule, jsonb_strip_nulls(change));
BEGIN
  -- An empty array, 0 and '-' remove the value.
  altered.platforms := nullif(altered.platforms, '{}');
  altered.newest := nullif(altered.newest, 0);
  altered.owner := nullif(altered.owner, '-'::regrole);
  PERFORM image_library_internal.check_rule(altered);
  RETURN altered;
END
$$;
COMMENT ON FUNCTION image_library_internal.altered_rule IS
  'The rule with the given options changed (null: unchanged), checked; raises 22023 or 2201B';

-- The team of a rule may not extend it to other repositories, or to the tags of another team's rule.
CREATE FUNCTION image_library_internal.check_rule_scope(old image_library_internal.rule, changed image_library_internal.rule) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  registry_owner regrole := (SELECT g.owner FROM image_library_internal.registry g WHERE g.registry_id = old.registry_id);
BEGIN
  IF (changed.repositories, changed.owner) IS DISTINCT FROM (old.repositories, old.owner) THEN
    PERFORM image_library_internal.require_owner(format('change repositories or owner of rule %s', old.rule_id), registry_owner);
  END IF;
  IF (changed.tags, changed.exclude_tags, changed.action, changed.priority)
       IS DISTINCT FROM (old.tags, old.exclude_tags, old.action, old.priority)
     AND EXISTS (SELECT FROM image_library_internal.rule u
                 WHERE u.registry_id = old.registry_id AND u.owner IS NOT NULL
                   AND NOT coalesce(pg_has_role(image_library_internal.acting_role(), u.owner::oid, 'MEMBER'), false)) THEN
    PERFORM image_library_internal.require_owner(
      format('change which tags rule %s takes, in a registry with rules of other teams', old.rule_id), registry_owner);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_rule_scope IS
  'Raises 42501 if only admins and the team of the registry may make a change of a rule';

CREATE FUNCTION image_library.alter_rule(rule_id bigint, repositories text DEFAULT NULL, tags text[] DEFAULT NULL,
  exclude_tags text[] DEFAULT NULL, action text DEFAULT NULL, kind text DEFAULT NULL, approval text DEFAULT NULL,
  platforms text[] DEFAULT NULL, immutable_tags boolean DEFAULT NULL, newest integer DEFAULT NULL,
  priority integer DEFAULT NULL, owner regrole DEFAULT NULL, required_approvals integer DEFAULT NULL,
  separate_requester boolean DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  old image_library_internal.rule := image_library_internal.lock_rule(rule_id);
  changed image_library_internal.rule;
BEGIN
  PERFORM image_library_internal.require_rule_owner(format('alter rule %s', rule_id), old);
  changed := image_library_internal.altered_rule(old, jsonb_build_object(
    'repositories', repositories, 'tags', tags, 'exclude_tags', exclude_tags, 'action', action, 'kind', kind, 'approval', approval,
    'platforms', platforms, 'immutable_tags', immutable_tags, 'newest', newest, 'priority', priority,
    'owner', image_library_internal.checked_owner(owner), 'required_approvals', required_approvals,
    'separate_requester', separate_requester));
  PERFORM image_library_internal.check_rule_scope(old, changed);
  UPDATE image_library_internal.rule r
  SET repositories = changed.repositories, tags = changed.tags, exclude_tags = changed.exclude_tags,
      action = changed.action, kind = changed.kind, approval = changed.approval, platforms = changed.platforms,
      immutable_tags = changed.immutable_tags, newest = changed.newest, priority = changed.priority,
      owner = changed.owner, required_approvals = changed.required_approvals, separate_requester = changed.separate_requester
  WHERE r.rule_id = alter_rule.rule_id;
  PERFORM image_library_internal.apply_rules(changed.registry_id, rule_id);
END
$$;
COMMENT ON FUNCTION image_library.alter_rule IS
  'Changes the options of a rule that are given, and applies it; newest => 0, platforms => ''{}'' and owner => ''-'' remove the value';
GRANT EXECUTE ON FUNCTION image_library.alter_rule TO image_library_curator;

CREATE FUNCTION image_library_internal.set_rule_enabled(rule_id bigint, enabled boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  changed image_library_internal.rule := image_library_internal.lock_rule(rule_id);
BEGIN
  PERFORM image_library_internal.require_rule_owner(
    format('%s rule %s', CASE WHEN enabled THEN 'enable' ELSE 'disable' END, rule_id), changed);
  UPDATE image_library_internal.rule r SET enabled = set_rule_enabled.enabled
  WHERE r.rule_id = set_rule_enabled.rule_id AND r.enabled <> set_rule_enabled.enabled;
  IF FOUND THEN
    PERFORM image_library_internal.apply_rules(changed.registry_id);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.set_rule_enabled IS 'Enables or disables a rule';

CREATE FUNCTION image_library.enable_rule(rule_id bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.set_rule_enabled(rule_id, true) $$;
COMMENT ON FUNCTION image_library.enable_rule IS 'Enables a rule and applies it';
GRANT EXECUTE ON FUNCTION image_library.enable_rule TO image_library_curator;

CREATE FUNCTION image_library.disable_rule(rule_id bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.set_rule_enabled(rule_id, false) $$;
COMMENT ON FUNCTION image_library.disable_rule IS
  'Disables a rule: tags that no other rule takes are hidden until it is enabled again';
GRANT EXECUTE ON FUNCTION image_library.disable_rule TO image_library_curator;

CREATE FUNCTION image_library.drop_rule(rule_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  dropped image_library_internal.rule := image_library_internal.lock_rule(rule_id);
BEGIN
  PERFORM image_library_internal.require_rule_owner(format('drop rule %s', rule_id), dropped);
  DELETE FROM image_library_internal.rule r WHERE r.rule_id = drop_rule.rule_id;
  PERFORM image_library_internal.apply_rules(dropped.registry_id);
END
$$;
COMMENT ON FUNCTION image_library.drop_rule IS
  'Drops a rule: tags that no other rule takes are hidden; images, approvals and history stay';
GRANT EXECUTE ON FUNCTION image_library.drop_rule TO image_library_curator;
-- Repositories, their listings, images by digest, tags. Keys begin with the repository; facts of a digest are stored
-- once, under the digest.

CREATE TABLE image_library_internal.repository (
  repository_id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL,
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (registry_id, name)
);
CREATE INDEX repository_name ON image_library_internal.repository (name);
COMMENT ON TABLE image_library_internal.repository IS 'Repositories, named relative to their registry''s prefix';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.repository TO image_library_agent;

CREATE TABLE image_library_internal.listing (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  tags text[] COLLATE "C" NOT NULL,
  fingerprint text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE image_library_internal.listing IS
  'The last complete listing of each repository, with all its tags; preview_rule reads it';
COMMENT ON COLUMN image_library_internal.listing.fingerprint IS
  'Digest of the sorted tags; an equal listing is not written again';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.listing TO image_library_agent;

CREATE TABLE image_library_internal.image (
  digest text COLLATE "C" PRIMARY KEY,
  media_type text NOT NULL,
  artifact_type text NOT NULL,
  config_type text NOT NULL,
  config_digest text COLLATE "C" NOT NULL,
  layer_types text[] NOT NULL,
  platforms text[] NOT NULL,
  size_bytes bigint NOT NULL,
  created_at timestamptz,
  created_text text NOT NULL DEFAULT '',
  annotations jsonb NOT NULL,
  labels jsonb NOT NULL,
  title text,
  description text,
  version text,
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  unread text CHECK (unread IN ('manifest', 'config'))
);
COMMENT ON TABLE image_library_internal.image IS
  'Facts of a digest, read once since manifest and config never change; read again if something of it could not be read or did not exist';
COMMENT ON COLUMN image_library_internal.image.unread IS
  'What of the image could not be read: manifest (only its digest is known) or config (labels are not known); null: nothing';
COMMENT ON COLUMN image_library_internal.image.title IS
  'Title found by the keys of image_library.annotation_keys, as description and version are';
COMMENT ON COLUMN image_library_internal.image.created_text IS
  'Creation time as published, if it is not a valid time; else empty';
COMMENT ON COLUMN image_library_internal.image.size_bytes IS
  'Compressed size of config and layers on the primary platform (linux/amd64, else the first) in bytes';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.image TO image_library_agent;

CREATE TABLE image_library_internal.image_platform (
  digest text COLLATE "C" NOT NULL REFERENCES image_library_internal.image ON DELETE CASCADE,
  manifest_digest text COLLATE "C" NOT NULL,
  platform text NOT NULL,
  os text NOT NULL,
  architecture text NOT NULL,
  variant text NOT NULL,
  config_digest text COLLATE "C" NOT NULL,
  size_bytes bigint NOT NULL,
  created_at timestamptz,
  present boolean NOT NULL DEFAULT true,
  PRIMARY KEY (digest, manifest_digest)
);
COMMENT ON TABLE image_library_internal.image_platform IS
  'Platforms of an image: the children of its index, or the image itself';
COMMENT ON COLUMN image_library_internal.image_platform.present IS
  'False: the index names it, and the registry did not have it, or no repository has it any more';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.image_platform TO image_library_agent;

CREATE TABLE image_library_internal.image_referrer (
  repository_id integer REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL,
  referrer_digest text COLLATE "C" NOT NULL,
  artifact_type text NOT NULL,
  size_bytes bigint NOT NULL,
  annotations jsonb NOT NULL,
  source text NOT NULL,
  tag text COLLATE "C",
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (digest, referrer_digest, repository_id, tag)
);
CREATE INDEX image_referrer_tag ON image_library_internal.image_referrer (repository_id, tag);
COMMENT ON TABLE image_library_internal.image_referrer IS
  'Signatures, SBOMs and attestations that refer to a digest; they are claims of those who may push, and are not verified';
COMMENT ON COLUMN image_library_internal.image_referrer.repository_id IS
  'Repository that lists the referrer; null: the image''s own index lists it';
COMMENT ON COLUMN image_library_internal.image_referrer.size_bytes IS 'Size of the referrer''s manifest in bytes';
COMMENT ON COLUMN image_library_internal.image_referrer.tag IS
  'Fallback or cosign tag that holds the referrer; null: the API or the index lists it';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.image_referrer TO image_library_agent;

CREATE TABLE image_library_internal.referrer_check (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL,
  checked_at timestamptz NOT NULL,
  PRIMARY KEY (repository_id, digest)
);
COMMENT ON TABLE image_library_internal.referrer_check IS
  'When the referrers of an image were last asked for again; no row: only when its tag was read';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.referrer_check TO image_library_agent;

CREATE TABLE image_library_internal.tag (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  registry_id integer NOT NULL,
  name text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL REFERENCES image_library_internal.image,
  rule_id bigint,
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  digest_changed_at timestamptz NOT NULL DEFAULT now(),
  missing_since timestamptz,
  kind text NOT NULL DEFAULT 'other',
  approval text NOT NULL DEFAULT 'pending',
  waits_from timestamptz DEFAULT '-infinity',
  waits_until timestamptz,
  PRIMARY KEY (repository_id, name)
);
CREATE INDEX tag_digest ON image_library_internal.tag (digest, repository_id);
-- New images are asked about again for some days (due_referrers).
CREATE INDEX tag_changed ON image_library_internal.tag (digest_changed_at);
CREATE INDEX tag_waits ON image_library_internal.tag (repository_id, name)
  WHERE waits_from IS NOT NULL AND rule_id IS NOT NULL AND missing_since IS NULL;
COMMENT ON TABLE image_library_internal.tag IS 'Tags that the agent has read, each with the digest it points at now';
COMMENT ON COLUMN image_library_internal.tag.registry_id IS
  'Registry of the repository, so that row level security looks at no other table';
COMMENT ON COLUMN image_library_internal.tag.rule_id IS 'Include rule that decides; null: the tag is hidden';
COMMENT ON COLUMN image_library_internal.tag.missing_since IS
  'When a complete listing first lacked the tag and its manifest did not exist; the history stays';
COMMENT ON COLUMN image_library_internal.tag.kind IS
  'Kind of the image and, in the next columns, its approval in the repository: refresh_tags keeps them, for pages and counts';
COMMENT ON COLUMN image_library_internal.tag.waits_from IS
  'Time from which the image waits for a decision: -infinity if it is pending, else the end of its approval; null: it does not wait';
COMMENT ON COLUMN image_library_internal.tag.waits_until IS
  'Time from which the image does not wait any more since it is deprecated';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.tag TO image_library_agent;

CREATE TABLE image_library_internal.tag_period (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  tag text COLLATE "C" NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  until timestamptz,
  digest text COLLATE "C" NOT NULL,
  PRIMARY KEY (repository_id, tag, since),
  CHECK (until > since)
);
CREATE UNIQUE INDEX tag_period_current ON image_library_internal.tag_period (repository_id, tag) WHERE until IS NULL;
CREATE INDEX tag_period_digest ON image_library_internal.tag_period (digest, repository_id);
COMMENT ON TABLE image_library_internal.tag_period IS
  'Periods in which a tag pointed at a digest; a present tag has one open period';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.tag_period TO image_library_agent;

CREATE TABLE image_library_internal.refused_removal (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  tags text[] COLLATE "C" NOT NULL,
  refused_at timestamptz NOT NULL DEFAULT now(),
  accepted_at timestamptz,
  accepted_by name
);
COMMENT ON TABLE image_library_internal.refused_removal IS
  'Tags that the last listing of a repository lacked and that were not marked missing, because they were too many; removed when a listing is accepted';
COMMENT ON COLUMN image_library_internal.refused_removal.accepted_at IS
  'When the removal was accepted; the next listing may mark these tags missing';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.refused_removal TO image_library_agent;
-- Names of registries and repositories, and which roles may see them. Public views join these views.
-- nullif(x = ANY (hidden), true) IS NOT NULL is the same as x <> ALL (hidden), but the planner expects it to be true for
-- most rows, as it is.

CREATE VIEW image_library_internal.full_repository AS
  SELECT r.repository_id, r.registry_id, r.name AS repository, r.first_seen_at, g.name AS registry, g.host,
         concat_ws('/', nullif(g.prefix, ''), r.name) AS full_name,
         concat_ws('/', g.host, nullif(g.prefix, ''), r.name) AS place
  FROM image_library_internal.repository r
  JOIN image_library_internal.registry g USING (registry_id);
COMMENT ON VIEW image_library_internal.full_repository IS
  'Repositories with the names of their registries; full_name is prefix/repository, place host/prefix/repository as references write it';
GRANT SELECT ON image_library_internal.full_repository TO image_library_agent;

CREATE VIEW image_library_internal.visible_registry AS
  SELECT g.* FROM image_library_internal.registry g
  WHERE nullif(g.registry_id = ANY ((SELECT image_library_internal.hidden_registries())::integer[]), true) IS NOT NULL;
COMMENT ON VIEW image_library_internal.visible_registry IS 'The registries that the acting role may see';
GRANT SELECT ON image_library_internal.visible_registry TO image_library_agent;

CREATE VIEW image_library_internal.visible_repository AS
  SELECT r.* FROM image_library_internal.full_repository r
  WHERE nullif(r.registry_id = ANY ((SELECT image_library_internal.hidden_registries())::integer[]), true) IS NOT NULL;
COMMENT ON VIEW image_library_internal.visible_repository IS 'The repositories of registries that the acting role may see';

-- The facts of a digest are visible to every role that sees a tag of it.
CREATE FUNCTION image_library_internal.digest_visible(digest text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library_internal.tag t JOIN image_library_internal.visible_repository r USING (repository_id)
                 WHERE t.digest = digest_visible.digest)
$$;
COMMENT ON FUNCTION image_library_internal.digest_visible IS 'Whether the acting role may see a digest';
GRANT EXECUTE ON FUNCTION image_library_internal.digest_visible TO image_library_reader;

CREATE FUNCTION image_library_internal.repository_visible(repository_id integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library_internal.visible_repository r WHERE r.repository_id = repository_visible.repository_id)
$$;
COMMENT ON FUNCTION image_library_internal.repository_visible IS 'Whether the acting role may see a repository';
GRANT EXECUTE ON FUNCTION image_library_internal.repository_visible TO image_library_reader;
-- Numbers of tags and repositories, kept so that nobody counts them. Changes are rows of their own that are summed: sessions
-- that decide at the same time do not wait for each other. The trigger is on the one table that is counted, so that no
-- function can forget it.

CREATE TABLE image_library_internal.tag_count (
  change_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  kind text NOT NULL,
  approval text NOT NULL,
  number integer NOT NULL
);
CREATE INDEX tag_count_registry ON image_library_internal.tag_count (registry_id);
COMMENT ON TABLE image_library_internal.tag_count IS
  'Numbers of present, admitted tags by registry, kind and approval; several rows of a group are added up';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.tag_count TO image_library_agent;

CREATE TABLE image_library_internal.filled_repository (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  registry_id integer NOT NULL
);
COMMENT ON TABLE image_library_internal.filled_repository IS 'Repositories that have a present, admitted tag';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.filled_repository TO image_library_agent;

CREATE VIEW image_library_internal.counts AS
  SELECT c.registry_id, c.kind, c.approval, c.number::bigint AS number FROM image_library_internal.tag_count c
  UNION ALL
  SELECT f.registry_id, NULL, NULL, count(*) FROM image_library_internal.filled_repository f GROUP BY f.registry_id;
COMMENT ON VIEW image_library_internal.counts IS
  'Numbers of present, admitted tags by registry, kind and approval, to be added up; kind null: of repositories that have such tags';

CREATE FUNCTION image_library_internal.fold_counts() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  WITH folded AS (
    DELETE FROM image_library_internal.tag_count c
    -- What another session folds is left to it.
    WHERE c.change_id = ANY (ARRAY(SELECT l.change_id FROM image_library_internal.tag_count l FOR UPDATE SKIP LOCKED))
    RETURNING c.registry_id, c.kind, c.approval, c.number
  )
  INSERT INTO image_library_internal.tag_count (registry_id, kind, approval, number)
  SELECT f.registry_id, f.kind, f.approval, sum(f.number) FROM folded f GROUP BY 1, 2, 3 HAVING sum(f.number) <> 0
$$;
COMMENT ON FUNCTION image_library_internal.fold_counts IS 'Adds up the rows of the counts';
GRANT EXECUTE ON FUNCTION image_library_internal.fold_counts TO image_library_agent;

CREATE FUNCTION image_library_internal.write_counts(changed image_library_internal.tag_count[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  fold boolean;
BEGIN
  IF changed = '{}' THEN
    RETURN;
  END IF;
  WITH written AS (
    INSERT INTO image_library_internal.tag_count AS c (registry_id, kind, approval, number)
    SELECT x.registry_id, x.kind, x.approval, x.number
    FROM unnest(changed) x
    -- None of a registry that is being dropped.
    WHERE EXISTS (SELECT FROM image_library_internal.registry g WHERE g.registry_id = x.registry_id)
    RETURNING c.change_id
  )
  SELECT bool_or(w.change_id % 200 = 0) INTO fold FROM written w;
  IF fold THEN
    PERFORM image_library_internal.fold_counts();
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_counts IS 'Adds changes to the counts';
GRANT EXECUTE ON FUNCTION image_library_internal.write_counts TO image_library_agent;

CREATE FUNCTION image_library_internal.note_emptied(repositories integer[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  DELETE FROM image_library_internal.filled_repository f
  WHERE f.repository_id = ANY (repositories)
    AND NOT EXISTS (SELECT FROM image_library_internal.tag t
                    WHERE t.repository_id = f.repository_id AND t.rule_id IS NOT NULL AND t.missing_since IS NULL);
END
$$;
COMMENT ON FUNCTION image_library_internal.note_emptied IS 'Notes which of some repositories have no present, admitted tag any more';
GRANT EXECUTE ON FUNCTION image_library_internal.note_emptied TO image_library_agent;

-- Three functions, since each kind of statement has other transition tables.
CREATE FUNCTION image_library_internal.count_inserted() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.write_counts(ARRAY(
    SELECT (0, n.registry_id, n.kind, n.approval, count(*))::image_library_internal.tag_count
    FROM new_tags n WHERE n.rule_id IS NOT NULL AND n.missing_since IS NULL
    GROUP BY n.registry_id, n.kind, n.approval));
  INSERT INTO image_library_internal.filled_repository (repository_id, registry_id)
  SELECT DISTINCT n.repository_id, n.registry_id
  FROM new_tags n WHERE n.rule_id IS NOT NULL AND n.missing_since IS NULL
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.count_inserted IS 'Keeps the counts after a statement that adds tags';

CREATE FUNCTION image_library_internal.count_deleted() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.write_counts(ARRAY(
    SELECT (0, o.registry_id, o.kind, o.approval, -count(*))::image_library_internal.tag_count
    FROM old_tags o WHERE o.rule_id IS NOT NULL AND o.missing_since IS NULL
    GROUP BY o.registry_id, o.kind, o.approval));
  PERFORM image_library_internal.note_emptied(ARRAY(SELECT DISTINCT o.repository_id FROM old_tags o));
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.count_deleted IS 'Keeps the counts after a statement that removes tags';

CREATE FUNCTION image_library_internal.count_updated() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  hidden integer[];
BEGIN
  PERFORM image_library_internal.write_counts(ARRAY(
    SELECT (0, x.registry_id, x.kind, x.approval, sum(x.number))::image_library_internal.tag_count
    FROM (SELECT n.registry_id, n.kind, n.approval, 1 AS number FROM new_tags n WHERE n.rule_id IS NOT NULL AND n.missing_since IS NULL
          UNION ALL
          SELECT o.registry_id, o.kind, o.approval, -1 FROM old_tags o WHERE o.rule_id IS NOT NULL AND o.missing_since IS NULL) x
    GROUP BY x.registry_id, x.kind, x.approval HAVING sum(x.number) <> 0));
  INSERT INTO image_library_internal.filled_repository (repository_id, registry_id)
  SELECT DISTINCT n.repository_id, n.registry_id
  FROM new_tags n
  WHERE n.rule_id IS NOT NULL AND n.missing_since IS NULL
    AND NOT EXISTS (SELECT FROM image_library_internal.filled_repository f WHERE f.repository_id = n.repository_id)
  ON CONFLICT DO NOTHING;
  hidden := ARRAY(SELECT DISTINCT n.repository_id FROM new_tags n WHERE n.rule_id IS NULL OR n.missing_since IS NOT NULL);
  IF hidden <> '{}' THEN
    PERFORM image_library_internal.note_emptied(hidden);
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.count_updated IS 'Keeps the counts after a statement that changes tags';

CREATE TRIGGER count_inserted AFTER INSERT ON image_library_internal.tag REFERENCING NEW TABLE AS new_tags
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.count_inserted();
CREATE TRIGGER count_updated AFTER UPDATE ON image_library_internal.tag REFERENCING OLD TABLE AS old_tags NEW TABLE AS new_tags
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.count_updated();
CREATE TRIGGER count_deleted AFTER DELETE ON image_library_internal.tag REFERENCING OLD TABLE AS old_tags
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.count_deleted();
COMMENT ON TRIGGER count_inserted ON image_library_internal.tag IS 'Counts new tags';
COMMENT ON TRIGGER count_updated ON image_library_internal.tag IS 'Counts tags that changed';
COMMENT ON TRIGGER count_deleted ON image_library_internal.tag IS 'Counts tags that are gone';

CREATE FUNCTION image_library_internal.recount() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  LOCK TABLE image_library_internal.tag IN SHARE MODE;
  DELETE FROM image_library_internal.tag_count;
  DELETE FROM image_library_internal.filled_repository;
  INSERT INTO image_library_internal.tag_count (registry_id, kind, approval, number)
  SELECT t.registry_id, t.kind, t.approval, count(*) FROM image_library_internal.tag t
  WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL GROUP BY 1, 2, 3;
  INSERT INTO image_library_internal.filled_repository (repository_id, registry_id)
  SELECT DISTINCT t.repository_id, t.registry_id FROM image_library_internal.tag t WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL;
$$;
COMMENT ON FUNCTION image_library_internal.recount IS
  'Counts all tags anew, where rows were written without triggers, as by logical replication';
-- Image references: which image of the library a reference names.

CREATE FUNCTION image_library_internal.parse_image_reference(reference text,
  OUT host text, OUT repository text, OUT tag text, OUT digest text, OUT short_name text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF reference IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'null_value_not_allowed',
      message => 'the image reference is null',
      hint => 'Write host/repository:tag or host/repository@sha256:<digest>.');
  END IF;
  SELECT p.host, p.repository, p.tag, p.digest, p.short_name INTO host, repository, tag, digest, short_name
  FROM image_library_internal.parse_reference(reference) p;
  IF tag IS NULL AND digest IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('image reference "%s" has neither tag nor digest', reference),
      hint => 'Write host/repository:tag or host/repository@sha256:<digest>.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.parse_image_reference IS
  'The parts of a reference to an image; raises 22023, 22004 for null';

CREATE FUNCTION image_library_internal.untagged(reference text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT regexp_replace(split_part(reference, '@', 1), ':[^:/]*$', '') $$;
COMMENT ON FUNCTION image_library_internal.untagged IS 'Host/repository of a reference';

-- A reference without host is first one to Docker Hub, as everywhere. Otherwise it is read as the name of a repository,
-- relative to its registry or in full. Tags do not count: a registry that is added later may make a name ambiguous, and
-- never gives it another meaning.
CREATE FUNCTION image_library_internal.referenced_repositories(host text, repository text, short_name text, in_registry text)
RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  repositories integer[];
BEGIN
  IF in_registry IS NOT NULL THEN
    PERFORM image_library_internal.find_registry(in_registry);
  END IF;
  repositories := ARRAY(
    SELECT r.repository_id
    FROM image_library_internal.visible_registry g
    -- Not compared with the place of the repository, so that the index on the names is used.
    JOIN image_library_internal.repository r
      ON r.registry_id = g.registry_id
     AND r.name = CASE WHEN g.prefix = '' THEN referenced_repositories.repository
                       WHEN starts_with(referenced_repositories.repository, g.prefix || '/')
                       THEN substr(referenced_repositories.repository, length(g.prefix) + 2) END
    WHERE g.host = referenced_repositories.host AND (in_registry IS NULL OR g.name = in_registry)
    ORDER BY r.repository_id);
  IF repositories <> '{}' OR short_name IS NULL THEN
    RETURN repositories;
  END IF;
  RETURN ARRAY(
    SELECT r.repository_id
    FROM image_library_internal.visible_registry g
    CROSS JOIN LATERAL (
      SELECT short_name AS name
      UNION
      SELECT substr(short_name, length(g.prefix) + 2) WHERE g.prefix <> '' AND starts_with(short_name, g.prefix || '/')) n
    JOIN image_library_internal.repository r ON r.registry_id = g.registry_id AND r.name = n.name
    WHERE (in_registry IS NULL OR g.name = in_registry)
      AND EXISTS (SELECT FROM image_library_internal.tag t WHERE t.repository_id = r.repository_id)
    ORDER BY r.repository_id);
END
$$;
COMMENT ON FUNCTION image_library_internal.referenced_repositories IS
  'Repositories that a reference may name; short_name is its name if it has no host, in_registry limits them to a registry (null: all); raises 42704';

-- A digest that its tag no longer points at is found by the tag's history: an approval belongs to the digest.
CREATE FUNCTION image_library_internal.candidates(repositories integer[], asked_tag text, asked_digest text,
  OUT registry_id integer, OUT registry text, OUT repository_id integer, OUT repository text, OUT tag text,
  OUT digest text, OUT rule_id bigint, OUT missing_since timestamptz, OUT pinned_reference text,
  OUT pinned boolean, OUT moved_to text, OUT gone_since timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN QUERY
    SELECT DISTINCT ON (r.repository_id) r.registry_id, r.registry, r.repository_id, r.repository, t.name, t.digest, t.rule_id, t.missing_since,
           concat(r.place, ':' || t.name, '@', t.digest), asked_digest IS NOT NULL, t.moved_to,
           CASE WHEN asked_digest IS NULL THEN t.missing_since ELSE there.gone_since END
    FROM image_library_internal.full_repository r
    CROSS JOIN LATERAL (
      SELECT x.name, coalesce(asked_digest, x.digest) AS digest, x.rule_id, x.missing_since,
             CASE WHEN x.digest <> asked_digest THEN x.digest END AS moved_to, NULL::timestamptz AS until
      FROM image_library_internal.tag x
      WHERE x.repository_id = r.repository_id AND x.name = asked_tag
        AND (asked_digest IS NULL OR x.digest = asked_digest
             OR EXISTS (SELECT FROM image_library_internal.tag_period p
                        WHERE p.repository_id = r.repository_id AND p.tag = x.name AND p.digest = asked_digest))
      UNION ALL
      -- A digest alone means any of its tags, admitted and present ones first.
      SELECT x.name, x.digest, x.rule_id, x.missing_since, NULL, NULL
      FROM image_library_internal.tag x
      WHERE x.repository_id = r.repository_id AND asked_tag IS NULL AND x.digest = asked_digest
      UNION ALL
      -- If none points at it any more, it means the one that last did.
      SELECT x.name, p.digest, x.rule_id, x.missing_since, x.digest, p.until
      FROM image_library_internal.tag_period p
      LEFT JOIN image_library_internal.tag x ON x.repository_id = p.repository_id AND x.name = p.tag
      WHERE p.repository_id = r.repository_id AND asked_tag IS NULL AND p.digest = asked_digest
        AND x.digest IS DISTINCT FROM p.digest) t
    -- The registry has the digest as long as a tag that is present points at it. Otherwise it was asked for it.
    CROSS JOIN LATERAL (
      SELECT CASE WHEN tags.present THEN NULL WHEN c.checked_at IS NOT NULL THEN c.gone_since
                  ELSE coalesce(tags.missing_since, t.missing_since) END AS gone_since
      FROM (SELECT bool_or(x.missing_since IS NULL) AS present, max(x.missing_since) AS missing_since
            FROM image_library_internal.tag x
            WHERE x.repository_id = r.repository_id AND x.digest = t.digest) tags
      LEFT JOIN image_library_internal.untagged_check c ON c.repository_id = r.repository_id AND c.digest = t.digest) there
    WHERE r.repository_id = ANY (repositories)
    ORDER BY r.repository_id, t.name IS NULL, t.rule_id IS NULL, t.moved_to IS NOT NULL, t.missing_since IS NOT NULL,
             t.until DESC NULLS FIRST, t.name;
END
$$;
COMMENT ON FUNCTION image_library_internal.candidates IS
  'Images of repositories that a tag, a digest or both name, one for each repository. pinned: a digest is named; moved_to: digest at which its tag points instead; gone_since: since when the registry does not have it, as far as is known';

CREATE FUNCTION image_library_internal.distance(a text, b text, at_most integer) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_distance';
COMMENT ON FUNCTION image_library_internal.distance IS
  'Number of characters to insert, delete or replace to make one text of another (Levenshtein); a larger number than at_most if it is more';

-- Errors name what was probably meant. Only a part of a large library is compared.
CREATE FUNCTION image_library_internal.did_you_mean(repositories integer[], host text, repository text, short_name text, tag text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH asked AS (
    SELECT coalesce(short_name, concat(did_you_mean.host, '/', did_you_mean.repository)) AS name,
           regexp_replace(did_you_mean.repository, '^.*/', '') AS last
  ), tags AS (
    SELECT concat(r.place, ':', t.name) AS reference,
           row_number() OVER (ORDER BY n.begins DESC, CASE WHEN NOT n.begins THEN n.distance END,
                                       image_library.version_key(t.name) DESC, r.place, t.name) AS n
    FROM (SELECT x.repository_id, x.name FROM image_library_internal.tag x
          WHERE x.repository_id = ANY (repositories) AND x.rule_id IS NOT NULL AND x.missing_since IS NULL LIMIT 10000) t
    JOIN image_library_internal.full_repository r USING (repository_id)
    CROSS JOIN LATERAL (SELECT starts_with(t.name, did_you_mean.tag) AS begins,
                               image_library_internal.distance(t.name, did_you_mean.tag, 1 + length(did_you_mean.tag) / 4) AS distance) n
    WHERE n.begins OR n.distance <= 1 + length(did_you_mean.tag) / 4
  ), repositories AS (
    SELECT concat(r.place, ':' || there.name) AS reference,
           row_number() OVER (ORDER BY there.name IS NULL, n.last, n.whole, r.place) AS n
    FROM (SELECT v.* FROM image_library_internal.visible_repository v
          WHERE did_you_mean.repositories = '{}'
            AND EXISTS (SELECT FROM image_library_internal.tag x WHERE x.repository_id = v.repository_id AND x.rule_id IS NOT NULL)
          LIMIT 10000) r
    CROSS JOIN asked
    CROSS JOIN LATERAL (SELECT image_library_internal.distance(regexp_replace(r.repository, '^.*/', ''), asked.last, 1 + length(asked.last) / 4) AS last,
                               image_library_internal.distance(r.place, asked.name, 1 + length(asked.name) / 2) AS whole) n
    LEFT JOIN image_library_internal.tag there
      ON there.repository_id = r.repository_id AND there.name = did_you_mean.tag AND there.rule_id IS NOT NULL
    WHERE n.last <= 1 + length(asked.last) / 4
  )
  SELECT format('Did you mean %s? ', string_agg(c.reference, ' or ' ORDER BY c.n))
  FROM (SELECT * FROM tags WHERE n <= 3 UNION ALL SELECT * FROM repositories WHERE n <= 3) c
  HAVING count(*) > 0
$$;
COMMENT ON FUNCTION image_library_internal.did_you_mean IS
  'Question that names the closest tags of some repositories, or the closest repositories if there are none, for the hint of an error; null: nothing is close';

CREATE FUNCTION image_library_internal.refuse_ambiguous(reference text, places text[], registries text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.fail(
    errcode => 'ambiguous_alias',
    message => format('image reference "%s" is ambiguous', reference),
    detail => format('It may be %s.', (SELECT string_agg(format('%s in registry %s', c.place, c.registry), ', or ' ORDER BY c.place, c.registry)
                                      FROM unnest(places, registries) AS c (place, registry))),
    hint => CASE WHEN (SELECT count(DISTINCT p) FROM unnest(places) p) > 1 THEN 'Write the host and the whole repository, or say '
                ELSE 'Say ' END || format('registry => ''%s''.', (SELECT min(r COLLATE "C") FROM unnest(registries) r)));
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_ambiguous IS 'Raises 42P09 with the images that a reference may name';

CREATE FUNCTION image_library_internal.find_image(reference text, in_registry text DEFAULT NULL,
  OUT registry_id integer, OUT registry text, OUT repository_id integer, OUT repository text, OUT tag text,
  OUT digest text, OUT rule_id bigint, OUT missing_since timestamptz, OUT pinned_reference text,
  OUT pinned boolean, OUT moved_to text, OUT gone_since timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  asked record := image_library_internal.parse_image_reference(reference);
  repositories integer[] := image_library_internal.referenced_repositories(asked.host, asked.repository, asked.short_name, in_registry);
  found_image record;
  places text[] := '{}';
  registries text[] := '{}';
BEGIN
  IF cardinality(repositories) > 1 THEN
    -- By the name alone; with a host, the registries that have the image count.
    SELECT array_agg(r.place), array_agg(r.registry) INTO places, registries
    FROM image_library_internal.full_repository r
    WHERE r.repository_id = ANY (repositories) AND r.place <> concat(asked.host, '/', asked.repository);
    IF places IS NOT NULL THEN
      PERFORM image_library_internal.refuse_ambiguous(reference, places, registries);
    END IF;
  END IF;
  FOR found_image IN SELECT * FROM image_library_internal.candidates(repositories, asked.tag, asked.digest) LOOP
    places := places || image_library_internal.untagged(found_image.pinned_reference);
    registries := registries || found_image.registry;
    registry_id := found_image.registry_id;
    registry := found_image.registry;
    repository_id := found_image.repository_id;
    repository := found_image.repository;
    tag := found_image.tag;
    digest := found_image.digest;
    rule_id := found_image.rule_id;
    missing_since := found_image.missing_since;
    pinned_reference := found_image.pinned_reference;
    pinned := found_image.pinned;
    moved_to := found_image.moved_to;
    gone_since := found_image.gone_since;
  END LOOP;
  IF registry_id IS NULL THEN
    PERFORM image_library_internal.refuse_unknown(reference, repositories, asked);
  END IF;
  IF cardinality(registries) > 1 THEN
    PERFORM image_library_internal.refuse_ambiguous(reference, places, registries);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.find_image IS
  'Image that a reference names, also if its tag has moved since; in_registry tells apart registries that overlap; raises 22004, 22023, 42704 unknown, 42P09 ambiguous, 55000 the tag never pointed at the digest';

CREATE FUNCTION image_library_internal.refuse_unknown(reference text, repositories integer[], asked record) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tag_now text;
  place text := concat(asked.host, '/', asked.repository);
BEGIN
  IF asked.tag IS NOT NULL AND asked.digest IS NOT NULL THEN
    SELECT c.digest INTO tag_now FROM image_library_internal.candidates(repositories, asked.tag, NULL) c LIMIT 1;
    IF tag_now IS NOT NULL THEN
      PERFORM image_library_internal.fail(
        errcode => 'object_not_in_prerequisite_state',
        message => format('tag "%s" has never pointed at %s', asked.tag, asked.digest),
        detail => format('It points at %s.', tag_now),
        hint => 'Write the tag of the digest, or leave the tag out to mean the digest.');
    END IF;
  END IF;
  -- A reference without host that names one repository.
  IF cardinality(repositories) = 1 THEN
    SELECT r.place INTO place FROM image_library_internal.full_repository r WHERE r.repository_id = repositories[1];
  END IF;
  PERFORM image_library_internal.fail(
    errcode => 'undefined_object',
    message => format('image "%s"%s is not in the library', reference,
      CASE WHEN NOT starts_with(reference, place) THEN format(', which is of %s,', place) END),
    hint => coalesce(image_library_internal.did_you_mean(repositories, asked.host, asked.repository, asked.short_name, asked.tag), '')
           || 'See image_library.images; image_library.explain_tag tells why a tag is out.');
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_unknown IS
  'Raises 42704 with what is similar to a reference, or 55000 if its tag never pointed at its digest';

CREATE FUNCTION image_library_internal.is_known(reference text, in_registry text DEFAULT NULL) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM image_library_internal.parse_image_reference(reference) a
    CROSS JOIN LATERAL image_library_internal.candidates(
      image_library_internal.referenced_repositories(a.host, a.repository, a.short_name, in_registry), a.tag, a.digest))
$$;
COMMENT ON FUNCTION image_library_internal.is_known IS 'Whether a reference names images of the library; raises 22004, 22023';
-- The keys that classification reads. An admin can change them; images are classified again from stored facts.

CREATE TABLE image_library_internal.annotation_key (
  purpose text COLLATE "C" NOT NULL,
  position integer NOT NULL,
  key text NOT NULL,
  PRIMARY KEY (purpose, position)
);
COMMENT ON TABLE image_library_internal.annotation_key IS
  'Annotation and label keys that an admin has set, by purpose; a purpose without rows has the default keys';
GRANT SELECT ON image_library_internal.annotation_key TO image_library_agent;

-- The first key that an image has decides.
CREATE VIEW image_library.annotation_keys WITH (security_barrier) AS
  SELECT d.purpose, coalesce(own.keys, d.keys) AS keys, own.keys IS NULL AS is_default
  FROM (SELECT k.purpose, array_agg(k.key ORDER BY k."position") AS keys
        FROM image_library_internal.default_annotation_keys() k GROUP BY k.purpose) d
  LEFT JOIN (SELECT k.purpose, array_agg(k.key ORDER BY k.position) AS keys
             FROM image_library_internal.annotation_key k GROUP BY k.purpose) own USING (purpose);
COMMENT ON VIEW image_library.annotation_keys IS
  'Annotation and label keys that classification reads, the preferred one first';
GRANT SELECT ON image_library.annotation_keys TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.classification_keys() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN (SELECT jsonb_object_agg(k.purpose, k.keys) FROM image_library.annotation_keys k);
END
$$;
COMMENT ON FUNCTION image_library_internal.classification_keys IS 'The keys in the form that classify takes';
GRANT EXECUTE ON FUNCTION image_library_internal.classification_keys TO image_library_agent;

CREATE FUNCTION image_library.set_annotation_keys(purpose text, keys text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin('change annotation keys');
  IF NOT EXISTS (SELECT FROM image_library_internal.default_annotation_keys() k WHERE k.purpose = set_annotation_keys.purpose) THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('there is no purpose "%s" of annotation keys', purpose),
      hint => 'See image_library.annotation_keys.');
  END IF;
  IF cardinality(keys) = 0 OR EXISTS (SELECT FROM unnest(keys) k WHERE coalesce(k, '') = '' OR length(k) > 256) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'annotation keys must be one or more texts of 1 to 256 characters',
      hint => 'Use null to return to the keys of the library.');
  END IF;
  DELETE FROM image_library_internal.annotation_key k WHERE k.purpose = set_annotation_keys.purpose;
  INSERT INTO image_library_internal.annotation_key (purpose, position, key)
  SELECT set_annotation_keys.purpose, k.position, k.key
  FROM unnest(keys) WITH ORDINALITY AS k (key, position);
  PERFORM image_library_internal.classify_all();
END
$$;
COMMENT ON FUNCTION image_library.set_annotation_keys IS
  'Sets the annotation and label keys for a purpose, the preferred one first (null: the default), and classifies every image again';
GRANT EXECUTE ON FUNCTION image_library.set_annotation_keys TO image_library_admin;

CREATE FUNCTION image_library.reset_annotation_keys(purpose text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library.set_annotation_keys(purpose, NULL) $$;
COMMENT ON FUNCTION image_library.reset_annotation_keys IS
  'Restores the default keys for a purpose, and classifies every image again';
GRANT EXECUTE ON FUNCTION image_library.reset_annotation_keys TO image_library_admin;

CREATE FUNCTION image_library_internal.classify_all() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  repository image_library_internal.repository;
BEGIN
  FOR repository IN SELECT r.* FROM image_library_internal.repository r ORDER BY r.registry_id, r.repository_id LOOP
    PERFORM image_library_internal.lock_repository(repository.registry_id, repository.repository_id, for_batch => true);
    PERFORM image_library_internal.refresh_entries(repository.repository_id, NULL);
  END LOOP;
  UPDATE image_library_internal.image i
  SET title = told.title, description = told.description, version = told.version
  FROM image_library_internal.image n
  CROSS JOIN LATERAL image_library_internal.published_texts(
    n.annotations, n.labels, (SELECT image_library_internal.classification_keys())) told
  WHERE i.digest = n.digest
    AND (i.title, i.description, i.version) IS DISTINCT FROM (told.title, told.description, told.version);
END
$$;
COMMENT ON FUNCTION image_library_internal.classify_all IS 'Classifies every image from its stored facts';

CREATE FUNCTION image_library.reclassify() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin('classify images anew');
  PERFORM image_library_internal.classify_all();
END
$$;
COMMENT ON FUNCTION image_library.reclassify IS
  'Classifies every image again from its stored facts, without a request to a registry';
GRANT EXECUTE ON FUNCTION image_library.reclassify TO image_library_admin;
-- Approval belongs to a digest in a repository, so that a tag that moves shows the state of the new digest.

CREATE TABLE image_library_internal.approval (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL REFERENCES image_library_internal.image,
  state text NOT NULL CHECK (state = ANY (image_library_internal.states())),
  approvals integer NOT NULL DEFAULT 1,
  decision_id bigint,
  decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  valid_until timestamptz,
  reset_at timestamptz,
  deprecated_from timestamptz,
  deprecation_id bigint,
  quarantined_at timestamptz,
  quarantine_id bigint,
  PRIMARY KEY (repository_id, digest),
  CHECK ((deprecated_from IS NULL) = (deprecation_id IS NULL)),
  CHECK ((quarantined_at IS NULL) = (quarantine_id IS NULL))
);
CREATE INDEX approval_digest ON image_library_internal.approval (digest);
COMMENT ON TABLE image_library_internal.approval IS
  'State of a digest in a repository; no row: pending since it was found';
COMMENT ON COLUMN image_library_internal.approval.approvals IS
  'Number of people who approved the image; a policy counts as one, a rule with approval => auto as none';
COMMENT ON COLUMN image_library_internal.approval.decision_id IS 'Last decision on the state; null: none';
COMMENT ON COLUMN image_library_internal.approval.valid_until IS 'When the approval ends; null: never';
COMMENT ON COLUMN image_library_internal.approval.reset_at IS
  'When the image was set back to pending, until the next decision';
COMMENT ON COLUMN image_library_internal.approval.deprecated_from IS
  'Time from which the image is blocked; consumers are warned before; null: not deprecated';
COMMENT ON COLUMN image_library_internal.approval.deprecation_id IS 'Decision that deprecated the image';
COMMENT ON COLUMN image_library_internal.approval.quarantined_at IS
  'When the image was put in quarantine, which blocks it in any state; null: not in quarantine';
COMMENT ON COLUMN image_library_internal.approval.quarantine_id IS 'Decision that put the image in quarantine';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.approval TO image_library_agent;

CREATE TABLE image_library_internal.approval_vote (
  repository_id integer NOT NULL,
  digest text COLLATE "C" NOT NULL,
  voter name COLLATE "C" NOT NULL DEFAULT session_user,
  voter_id oid NOT NULL DEFAULT to_regrole(quote_ident(session_user)),
  voted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  valid_until timestamptz,
  PRIMARY KEY (repository_id, digest, voter),
  FOREIGN KEY (repository_id, digest) REFERENCES image_library_internal.approval ON DELETE CASCADE
);
COMMENT ON TABLE image_library_internal.approval_vote IS
  'Approvals of an image that needs the approval of several people, while more are required; one row for each person';
COMMENT ON COLUMN image_library_internal.approval_vote.voter_id IS
  'OID of the role, so that a renamed role is the same person';

-- The name is looked up first, since the OID may be that of another role in a restored database. A renamed role is
-- found by its OID.
CREATE FUNCTION image_library_internal.counts(vote image_library_internal.approval_vote) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN coalesce(vote.valid_until > clock_timestamp(), true)
         AND pg_has_role(coalesce(to_regrole(quote_ident(vote.voter))::oid, vote.voter_id), 'image_library_curator', 'MEMBER')
         AND NOT (image_library_internal.is_requester(vote.repository_id, vote.digest, vote.voter, vote.voter_id)
                  AND EXISTS (SELECT FROM image_library_internal.required_approvals(vote.repository_id, ARRAY[vote.digest]) q
                              WHERE q.separating_rule_id IS NOT NULL));
END
$$;
COMMENT ON FUNCTION image_library_internal.counts IS
  'Whether a vote is still valid and its voter may still approve, and is not the requester where a rule separates them';
GRANT EXECUTE ON FUNCTION image_library_internal.counts TO image_library_reader;

-- See policies.sql.
CREATE TABLE image_library_internal.policy (
  policy_id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  function text NOT NULL,
  applies_to text NOT NULL CHECK (applies_to = ANY (array_prepend('all', image_library_internal.kinds())) OR applies_to LIKE 'consumer:_%'),
  effect text NOT NULL CHECK (effect IN ('require', 'auto_approve', 'warn')),
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by name NOT NULL DEFAULT session_user,
  enabled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK (applies_to NOT LIKE 'consumer:%' OR effect <> 'auto_approve')
);
COMMENT ON TABLE image_library_internal.policy IS
  'Policies; each is a function that takes a row of image_library.images';
COMMENT ON COLUMN image_library_internal.policy.applies_to IS
  'all, a kind of images, or consumer:<name>: not asked of approvals but of the use by that consumer';
COMMENT ON COLUMN image_library_internal.policy.enabled_at IS 'When it was added or last enabled; verdicts from before do not know it';
COMMENT ON COLUMN image_library_internal.policy.function IS
  'Schema and name of the function, which takes an image; if it does not exist any more the policy is not met';
GRANT SELECT ON image_library_internal.policy TO image_library_agent;

-- For pending_images, which must not run functions of users for each of its rows.
CREATE TABLE image_library_internal.policy_verdict (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL,
  unmet text[] NOT NULL,
  checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (repository_id, digest)
);
COMMENT ON TABLE image_library_internal.policy_verdict IS
  'Required policies that an image did not meet when they were last evaluated, on arrival or by apply_policies, while it waited';
GRANT SELECT, INSERT, UPDATE ON image_library_internal.policy_verdict TO image_library_agent;

CREATE TABLE image_library_internal.decision (
  decision_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  registry_id integer NOT NULL,
  registry text NOT NULL,
  repository text NOT NULL,
  tag text,
  digest text NOT NULL,
  old_state text NOT NULL CHECK (old_state = ANY (image_library_internal.states())),
  new_state text NOT NULL CHECK (new_state = ANY (image_library_internal.states())),
  actor name NOT NULL DEFAULT session_user,
  decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  reason text,
  rule_id bigint,
  policy text,
  action text NOT NULL CHECK (action IN (
    'approve', 'vote', 'reject', 'revoke', 'reset', 'deprecate', 'undeprecate', 'quarantine', 'release')),
  valid_until timestamptz,
  deprecated_from timestamptz,
  statement_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  client_address inet DEFAULT inet_client_addr()
);
CREATE INDEX decision_image ON image_library_internal.decision (digest, decision_id);
CREATE INDEX decision_transaction ON image_library_internal.decision (transaction);
COMMENT ON TABLE image_library_internal.decision IS 'Decisions; rows are added and never changed';
COMMENT ON COLUMN image_library_internal.decision.registry_id IS
  'Registry of the image; roles that may see it may see the row; numbers are not reused';
COMMENT ON COLUMN image_library_internal.decision.action IS
  'Action; vote is an approval where more people are required';
COMMENT ON COLUMN image_library_internal.decision.transaction IS
  'Transaction that wrote the row, in the server that did: pg_dump restores it as it was';
COMMENT ON COLUMN image_library_internal.decision.client_address IS
  'Address of the client; null: a local socket, or the agent';
COMMENT ON COLUMN image_library_internal.decision.statement_at IS
  'Start of the statement that decided; a statement decides once on an image, even if it names several of its tags';
GRANT SELECT, INSERT ON image_library_internal.decision TO image_library_agent;

CREATE FUNCTION image_library_internal.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.fail(
    errcode => 'insufficient_privilege',
    message => format('rows of %s.%s are never changed or removed', TG_TABLE_SCHEMA, TG_TABLE_NAME),
    hint => 'A new decision is a new row.');
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_change IS 'Keeps a table append-only, also for its owner';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON image_library_internal.decision
  FOR EACH ROW EXECUTE FUNCTION image_library_internal.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON image_library_internal.decision
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.refuse_change();
COMMENT ON TRIGGER append_only ON image_library_internal.decision IS 'Refuses UPDATE and DELETE';
COMMENT ON TRIGGER append_only_truncate ON image_library_internal.decision IS 'Refuses TRUNCATE';
-- Whether an image may be used, and why not. resolve, approve, drift, history, manifests and guarded tables use this.

-- In the order in which errors tell them. An image without a row in approval is pending.
CREATE FUNCTION image_library_internal.blocks(tag text, rule_id bigint, missing_since timestamptz, approval image_library_internal.approval, at timestamptz)
RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_remove(ARRAY[
  CASE WHEN tag IS NULL THEN 'no tag' WHEN rule_id IS NULL THEN 'not admitted' END,
  CASE WHEN missing_since IS NOT NULL THEN 'missing' END,
  CASE WHEN (approval).quarantined_at IS NOT NULL THEN 'quarantined' END,
  CASE WHEN coalesce((approval).state, 'pending') <> 'approved' THEN coalesce((approval).state, 'pending') END,
  CASE WHEN (approval).state = 'approved' AND (approval).valid_until <= at THEN 'expired' END,
  CASE WHEN (approval).deprecated_from <= at THEN 'deprecated' END], NULL);
COMMENT ON FUNCTION image_library_internal.blocks IS
  'Reasons why an image may not be used at a time: no tag, not admitted, missing, quarantined, pending, rejected, revoked, expired, deprecated; empty: it may be used';
GRANT EXECUTE ON FUNCTION image_library_internal.blocks TO image_library_reader;

-- For the read model and for earlier times: a present image may be used at times before this one, as blocks says.
CREATE FUNCTION image_library_internal.usable_until(state text, valid_until timestamptz, deprecated_from timestamptz, quarantined boolean)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN quarantined OR coalesce(state, 'pending') <> 'approved' THEN '-infinity'
            ELSE least(coalesce(valid_until, 'infinity'), coalesce(deprecated_from, 'infinity')) END;
COMMENT ON FUNCTION image_library_internal.usable_until IS
  'Time until which an approval counts, that is until it expires or is deprecated; -infinity: it does not count';
GRANT EXECUTE ON FUNCTION image_library_internal.usable_until TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.waits_from(state text, valid_until timestamptz, quarantined boolean) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN quarantined THEN NULL WHEN coalesce(state, 'pending') = 'pending' THEN '-infinity' WHEN state = 'approved' THEN valid_until END;
COMMENT ON FUNCTION image_library_internal.waits_from IS
  'Time from which an image waits for a decision: -infinity if it is pending, else the end of its approval; null: it does not wait';
GRANT EXECUTE ON FUNCTION image_library_internal.waits_from TO image_library_agent;

CREATE FUNCTION image_library_internal.why_blocked(block text, missing_since timestamptz, approval image_library_internal.approval,
  OUT why text, OUT hint text, OUT decision_id bigint)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  decision_id := approval.decision_id;
  CASE block
    WHEN 'no tag' THEN
      why := 'no tag points at it any more';
      hint := 'See image_library.tag_history for what its tag points at now.';
    WHEN 'not admitted' THEN
      why := 'no rule admits it';
      hint := 'See image_library.explain_tag.';
    WHEN 'missing' THEN
      why := 'it is missing from its registry';
      hint := format('It is gone since %s; see image_library.tag_history.', missing_since);
    WHEN 'quarantined' THEN
      why := 'it is in quarantine';
      hint := 'A curator ends that with image_library.release.';
      decision_id := approval.quarantine_id;
    WHEN 'expired' THEN
      why := format('its approval expired at %s', approval.valid_until);
      hint := 'A curator may approve it again.';
    WHEN 'deprecated' THEN
      why := format('it is deprecated since %s', approval.deprecated_from);
      hint := 'Use a newer image; a curator may end that with image_library.undeprecate.';
      decision_id := approval.deprecation_id;
    ELSE
      why := format('it is %s', block);
      hint := CASE block WHEN 'pending' THEN 'A curator decides with image_library.approve or reject.'
                         ELSE 'See image_library.decisions; a curator may reset it.' END;
  END CASE;
END
$$;
COMMENT ON FUNCTION image_library_internal.why_blocked IS
  'Message, hint and decision for one of the blocks, for an error';

CREATE FUNCTION image_library_internal.missing_grace() RETURNS interval
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN image_library_internal.retention('image_library.missing_grace');
END
$$;
COMMENT ON FUNCTION image_library_internal.missing_grace IS
  'How long a pinned image may still be used that its registry does not have any more; null: without end';
GRANT EXECUTE ON FUNCTION image_library_internal.missing_grace TO image_library_reader;

-- The nodes of a cluster may have a pinned image although the registry does not have it any more. A tag that is gone
-- names nothing.
CREATE FUNCTION image_library_internal.blocks_of(image record, approval image_library_internal.approval) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN image_library_internal.blocks(image.tag, image.rule_id,
    CASE WHEN NOT image.pinned
           OR image.gone_since + image_library_internal.missing_grace() <= clock_timestamp() THEN image.gone_since END,
    approval, clock_timestamp());
END
$$;
COMMENT ON FUNCTION image_library_internal.blocks_of IS
  'Reasons why a result of find_image may not be used now; empty: it may be used';

-- An image of which only the config is unread may be approved by a person: pending_images shows the problem.
CREATE FUNCTION image_library_internal.check_read(reference text, registry_id integer, repository text, tag text, digest text)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = check_read.digest AND i.unread = 'manifest') THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot approve image "%s": its manifest could not be read', reference),
      detail => coalesce(
        (SELECT format('%s: %s', p.problem, p.detail) FROM image_library_internal.problem p
         WHERE p.registry_id = check_read.registry_id AND p.repository = check_read.repository AND p.tag = check_read.tag),
        'Nothing is known of it but the digest.'),
      hint => 'The next sync tries again; image_library.request_sync starts one.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_read IS
  'Raises 55000 if nothing is known of an image but its digest';
-- The chain of decisions and audit rows: each row has the hash of the one before it, so that a later change of any of
-- them shows. audit/verify.sql compares.

CREATE TABLE image_library_internal.chain (
  position bigint PRIMARY KEY CHECK (position > 0),
  log text NOT NULL CHECK (log IN ('decisions', 'audit')),
  number bigint NOT NULL,
  previous_hash bytea NOT NULL,
  row_hash bytea NOT NULL,
  UNIQUE (log, number)
);
COMMENT ON TABLE image_library_internal.chain IS
  'Order and hashes of the rows of decision and audit_entry, from 1 without a gap; rows are added when their transaction commits, and never changed';
COMMENT ON COLUMN image_library_internal.chain.number IS 'decision_id or audit_id';
COMMENT ON COLUMN image_library_internal.chain.previous_hash IS 'row_hash of the position before; empty for the first';
COMMENT ON COLUMN image_library_internal.chain.row_hash IS 'SHA-256 of previous_hash, position, log and all columns of the row: see chain_hash';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON image_library_internal.chain
  FOR EACH ROW EXECUTE FUNCTION image_library_internal.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON image_library_internal.chain
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.refuse_change();
COMMENT ON TRIGGER append_only ON image_library_internal.chain IS 'Refuses UPDATE and DELETE';
COMMENT ON TRIGGER append_only_truncate ON image_library_internal.chain IS 'Refuses TRUNCATE';

-- Columns that are null are left out, so that a nullable column that a later version adds does not change the hashes.
-- Times in jsonb depend on the setting timezone, which the callers set to UTC.
CREATE FUNCTION image_library_internal.chain_hash(previous_hash bytea, "position" bigint, log text, logged jsonb) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT sha256(previous_hash || convert_to(jsonb_build_array(position, log, jsonb_object_agg(c.key, c.value))::text, 'UTF8'))
  FROM jsonb_each(logged) c WHERE c.value <> 'null'
$$;
COMMENT ON FUNCTION image_library_internal.chain_hash IS
  'Hash of a row of decision or audit_entry at its position: of the hash before it and the text of a JSON array [position, log, {column: value}]';

-- The primary key makes two transactions that append at the same time follow each other: one waits for the other, and
-- takes the next position. A transaction that keeps its first snapshot gets 40001 instead. A row that has its place
-- keeps it.
CREATE FUNCTION image_library_internal.append_to_chain(log text, number bigint, logged jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  head record;
BEGIN
  WHILE NOT EXISTS (SELECT FROM image_library_internal.chain c WHERE c.log = append_to_chain.log AND c.number = append_to_chain.number) LOOP
    SELECT c.position, c.row_hash INTO head FROM image_library_internal.chain c ORDER BY c.position DESC LIMIT 1;
    head.position := coalesce(head.position, 0) + 1;
    head.row_hash := coalesce(head.row_hash, '');
    INSERT INTO image_library_internal.chain (position, log, number, previous_hash, row_hash)
    VALUES (head.position, append_to_chain.log, append_to_chain.number, head.row_hash,
            image_library_internal.chain_hash(head.row_hash, head.position, append_to_chain.log, logged))
    ON CONFLICT ON CONSTRAINT chain_pkey DO NOTHING;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.append_to_chain IS 'Adds a row of decision or audit_entry to the chain, unless it is there';

CREATE FUNCTION image_library_internal.refuse_prepare() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_refuse_prepare';
COMMENT ON FUNCTION image_library_internal.refuse_prepare IS
  'Makes PREPARE TRANSACTION an error in this transaction: a prepared one would keep the end of the chain locked, for as long as nobody ends it';

-- Runs when the transaction commits, so that a transaction that is open for long does not make others wait.
CREATE FUNCTION image_library_internal.chain_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
BEGIN
  PERFORM image_library_internal.refuse_prepare();
  PERFORM image_library_internal.append_to_chain(TG_ARGV[0], (to_jsonb(NEW) ->> TG_ARGV[1])::bigint, to_jsonb(NEW));
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.chain_row IS 'Adds a new row of decision or audit_entry to the chain';

-- The agent's statements are security-restricted operations, in which PostgreSQL defers no trigger. It calls
-- chain_decisions as the last statement of each of its transactions instead. Scripts of pg_dump run with an empty
-- search_path, and bring the chain along.
CREATE CONSTRAINT TRIGGER chain AFTER INSERT ON image_library_internal.decision
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (current_user <> 'image_library_agent' AND current_setting('search_path') NOT IN ('', '""'))
  EXECUTE FUNCTION image_library_internal.chain_row('decisions', 'decision_id');
COMMENT ON TRIGGER chain ON image_library_internal.decision IS 'Adds the row to the chain when the transaction commits';

CREATE FUNCTION image_library_internal.chain_decisions() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
  SELECT image_library_internal.append_to_chain('decisions', d.decision_id, to_jsonb(d))
  FROM (SELECT o.* FROM image_library_internal.decision o
        WHERE o.transaction = pg_current_xact_id() ORDER BY o.decision_id) d
$$;
COMMENT ON FUNCTION image_library_internal.chain_decisions IS 'Adds the decisions of this transaction to the chain';
GRANT EXECUTE ON FUNCTION image_library_internal.chain_decisions TO image_library_agent;
-- Approved images that no tag points at any more: whether their registry still has them.

CREATE TABLE image_library_internal.untagged_check (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL,
  checked_at timestamptz NOT NULL DEFAULT now(),
  gone_since timestamptz,
  PRIMARY KEY (repository_id, digest)
);
COMMENT ON TABLE image_library_internal.untagged_check IS
  'When the registry was last asked for an approved image that no tag points at; no row: never';
COMMENT ON COLUMN image_library_internal.untagged_check.gone_since IS
  'When the registry first did not have it; null: it had it when it was last asked';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.untagged_check TO image_library_agent;

CREATE FUNCTION image_library_internal.due_untagged(registry_id integer)
RETURNS TABLE (repository text, digest text, tagged text)
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  -- An image that has a tag again is a new case when it loses that one.
  WITH tagged_again AS (
    DELETE FROM image_library_internal.untagged_check c
    USING image_library_internal.repository r
    WHERE r.registry_id = due_untagged.registry_id AND c.repository_id = r.repository_id
      AND EXISTS (SELECT FROM image_library_internal.tag t
                  WHERE t.repository_id = c.repository_id AND t.digest = c.digest AND t.missing_since IS NULL))
  SELECT r.name, a.digest,
         coalesce((SELECT t.digest FROM image_library_internal.tag t
                   WHERE t.repository_id = r.repository_id AND t.missing_since IS NULL AND t.rule_id IS NOT NULL
                   ORDER BY t.name LIMIT 1), '')
  FROM image_library_internal.repository r
  JOIN image_library_internal.approval a ON a.repository_id = r.repository_id AND a.state = 'approved'
  LEFT JOIN image_library_internal.untagged_check c ON c.repository_id = a.repository_id AND c.digest = a.digest
  WHERE r.registry_id = due_untagged.registry_id
    AND coalesce(c.checked_at + interval '1 day' <= now(), true)
    AND NOT EXISTS (SELECT FROM image_library_internal.tag t
                    WHERE t.repository_id = a.repository_id AND t.digest = a.digest AND t.missing_since IS NULL)
    -- Of tags that no rule admits nothing is used.
    AND EXISTS (SELECT FROM image_library_internal.tag_period p
                JOIN image_library_internal.tag t ON t.repository_id = p.repository_id AND t.name = p.tag
                WHERE p.repository_id = a.repository_id AND p.digest = a.digest AND t.rule_id IS NOT NULL)
  ORDER BY c.checked_at NULLS FIRST, 1, 2
  LIMIT 200
$$;
COMMENT ON FUNCTION image_library_internal.due_untagged IS
  'Approved images that no tag points at and that the registry was not asked for in a day; tagged: digest of a tag of the repository, empty: none. Forgets what was asked about those that have a tag again';
GRANT EXECUTE ON FUNCTION image_library_internal.due_untagged TO image_library_agent;

CREATE FUNCTION image_library_internal.note_untagged(registry_id integer, repository text, digest text, found boolean) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO image_library_internal.untagged_check AS c (repository_id, digest, gone_since)
  SELECT r.repository_id, note_untagged.digest, CASE WHEN NOT found THEN clock_timestamp() END
  FROM image_library_internal.repository r
  WHERE r.registry_id = note_untagged.registry_id AND r.name = note_untagged.repository
  ON CONFLICT ON CONSTRAINT untagged_check_pkey
  DO UPDATE SET checked_at = now(), gone_since = CASE WHEN NOT found THEN coalesce(c.gone_since, excluded.gone_since) END
$$;
COMMENT ON FUNCTION image_library_internal.note_untagged IS 'Stores whether the registry had an image that no tag points at';
GRANT EXECUTE ON FUNCTION image_library_internal.note_untagged TO image_library_agent;
-- The read model: one narrow row for each Postgres or model tag that the rules admit, so that a page or lookup of a
-- consumer is one index scan. It is written in the transaction of the sync, decision or rule change that changes it.

-- The one order for choosing the newest image: newer version, then newer build, then images without a variant, then the
-- longest tag.
CREATE FUNCTION image_library_internal.newest_key(version text, build_at timestamptz, variant text, tag text) RETURNS bytea[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY[image_library.version_key(coalesce(version, '')),
               CASE WHEN build_at IS NULL THEN '' ELSE int8send((extract(epoch FROM build_at) * 1000000)::bigint) END,
               CASE WHEN coalesce(variant, '') = '' THEN '\x01' ELSE '\x00' END,
               image_library.version_key(tag)]::bytea[]
$$;
COMMENT ON FUNCTION image_library_internal.newest_key IS
  'A key that is larger for the newer of two images; its first element is the version, its second the build';
GRANT EXECUTE ON FUNCTION image_library_internal.newest_key TO image_library_agent;

CREATE TABLE image_library_internal.entry (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  tag text COLLATE "C" NOT NULL,
  registry_id integer NOT NULL,
  repository text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind <> 'other' AND kind = ANY (image_library_internal.kinds())),
  approval text NOT NULL,
  usable_until timestamptz NOT NULL,
  missing_since timestamptz,
  title text,
  description text,
  version text,
  newest_key bytea[] NOT NULL,
  size_bytes bigint NOT NULL,
  created_at timestamptz,
  flavor text,
  major_version integer,
  build_at timestamptz,
  variant text,
  os text,
  features text[] NOT NULL,
  extensions text[] NOT NULL,
  publisher text,
  model text,
  model_version text,
  format text,
  task text,
  gpu_count integer,
  system_tags text[] NOT NULL,
  conflicts text[] NOT NULL,
  deprecated_from timestamptz,
  contested boolean NOT NULL,
  facts_from jsonb,
  PRIMARY KEY (repository_id, tag)
);
CREATE INDEX entry_digest ON image_library_internal.entry (digest, repository_id);
CREATE INDEX entry_usable ON image_library_internal.entry (kind, repository, tag)
  WHERE approval = 'approved' AND missing_since IS NULL;
CREATE INDEX entry_conflicts ON image_library_internal.entry (repository_id, tag) WHERE conflicts <> '{}';
CREATE INDEX entry_newest ON image_library_internal.entry (flavor, major_version, variant, newest_key DESC)
  WHERE approval = 'approved' AND missing_since IS NULL AND kind = 'postgres';
CREATE INDEX entry_latest ON image_library_internal.entry
  (repository_id, flavor, major_version, coalesce(variant, ''), coalesce(os, ''), newest_key DESC)
  WHERE approval = 'approved' AND missing_since IS NULL AND kind = 'postgres';
-- Compares names of models as Kubernetes names do: llama-3.1 and llama_3.1 are equal.
CREATE FUNCTION image_library_internal.name_key(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT regexp_replace(lower(name COLLATE "C"), '[^a-z0-9]+', '-', 'g') $$;
COMMENT ON FUNCTION image_library_internal.name_key IS 'Letters, digits and dashes of a name, to compare names';
GRANT EXECUTE ON FUNCTION image_library_internal.name_key TO image_library_agent;
CREATE INDEX entry_model_name ON image_library_internal.entry (image_library_internal.name_key(model)) WHERE kind = 'model';
COMMENT ON TABLE image_library_internal.entry IS 'Read model of postgres_images and model_library';
COMMENT ON COLUMN image_library_internal.entry.contested IS
  'Whether there are contradictions on flavor, major version, version, variant or OS; such an image is not chosen automatically';
COMMENT ON COLUMN image_library_internal.entry.newest_key IS
  'Result of newest_key; of several images the one with the largest key is the newest';
COMMENT ON COLUMN image_library_internal.entry.facts_from IS
  'Where task, gpu_count and profiles of a model come from: curator, image or shipped';
COMMENT ON COLUMN image_library_internal.entry.usable_until IS 'Time until which the approval counts';
COMMENT ON COLUMN image_library_internal.entry.conflicts IS 'Contradictions between annotations, tag and repository';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.entry TO image_library_agent;

CREATE TABLE image_library_internal.image_extension (
  digest text COLLATE "C" NOT NULL REFERENCES image_library_internal.image ON DELETE CASCADE,
  name text NOT NULL,
  version text,
  description text,
  PRIMARY KEY (digest, name)
);
CREATE INDEX image_extension_name ON image_library_internal.image_extension (name);
COMMENT ON TABLE image_library_internal.image_extension IS
  'PostgreSQL extensions in an image, according to its annotations';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.image_extension TO image_library_agent;

-- Profiles also come from facts of the repository (see model_facts.sql), so a digest may have others in another one.
CREATE TABLE image_library_internal.model_profile (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL REFERENCES image_library_internal.image ON DELETE CASCADE,
  name text NOT NULL,
  engine text,
  gpu text,
  "precision" text,
  tp integer,
  pp integer,
  gpu_count integer NOT NULL,
  qos text,
  lora boolean NOT NULL,
  buildable boolean NOT NULL,
  gpu_memory_gb numeric,
  disk_gb numeric,
  PRIMARY KEY (repository_id, digest, name)
);
CREATE INDEX model_profile_digest ON image_library_internal.model_profile (digest);
COMMENT ON TABLE image_library_internal.model_profile IS
  'Profiles of a model in a repository: engine, GPU, precision, parallelism; tp and pp are null if only the number of GPUs is published';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.model_profile TO image_library_agent;

CREATE TYPE image_library_internal.classified_tag AS (tag text, digest text, facts jsonb);
COMMENT ON TYPE image_library_internal.classified_tag IS 'A tag and the classification of its image';

CREATE FUNCTION image_library_internal.classified_tags(repository_id integer, tags text[])
RETURNS SETOF image_library_internal.classified_tag
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  keys jsonb := image_library_internal.classification_keys();
BEGIN
  RETURN QUERY
    SELECT t.name, t.digest, CASE WHEN c.facts ->> 'kind' = 'model'
                                  THEN image_library_internal.with_model_facts(c.facts, r.repository_id, r.full_name) ELSE c.facts END
    FROM image_library_internal.full_repository r
    CROSS JOIN unnest(tags) AS asked (name)
    -- OFFSET 0: tables are read by key, and each image is classified once.
    CROSS JOIN LATERAL (
      SELECT x.name, x.digest, x.rule_id FROM image_library_internal.tag x
      WHERE x.repository_id = classified_tags.repository_id AND x.name = asked.name OFFSET 0) t
    CROSS JOIN LATERAL (
      SELECT m.artifact_type, m.config_type, m.layer_types, m.annotations, m.labels FROM image_library_internal.image m
      WHERE m.digest = t.digest OFFSET 0) i
    LEFT JOIN LATERAL (SELECT v.kind FROM image_library_internal.rule v WHERE v.rule_id = t.rule_id OFFSET 0) u ON true
    CROSS JOIN LATERAL (SELECT image_library_internal.classify(
      r.full_name, t.name, i.artifact_type, i.config_type, i.layer_types, i.annotations, i.labels, keys,
      coalesce(u.kind, 'auto')) OFFSET 0) AS c (facts)
    WHERE r.repository_id = classified_tags.repository_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.classified_tags IS
  'Classification of the images of some tags of a repository, from their stored facts, with the facts of models that come from rows';
GRANT EXECUTE ON FUNCTION image_library_internal.classified_tags TO image_library_agent;

CREATE FUNCTION image_library_internal.own_facts(repository_id integer, tag text, digest text, kind text DEFAULT 'auto') RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.classify(
    r.full_name, own_facts.tag, i.artifact_type, i.config_type, i.layer_types,
    i.annotations, i.labels, image_library_internal.classification_keys(), own_facts.kind)
  FROM image_library_internal.full_repository r
  JOIN image_library_internal.image i ON i.digest = own_facts.digest
  WHERE r.repository_id = own_facts.repository_id
$$;
COMMENT ON FUNCTION image_library_internal.own_facts IS
  'Classification of an image for a tag that points, or pointed, at it, by default without the kind that a rule sets';
GRANT EXECUTE ON FUNCTION image_library_internal.own_facts TO image_library_agent;

CREATE FUNCTION image_library_internal.wanted_entries(repository_id integer, classified image_library_internal.classified_tag[])
RETURNS SETOF image_library_internal.entry
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  RETURN QUERY
  -- In the order of the table's columns; sql/catalog.sql compares the names.
  SELECT t.repository_id AS repository_id,
         t.name AS tag,
         r.registry_id AS registry_id,
         r.repository AS repository,
         c.digest AS digest,
         c.facts ->> 'kind' AS kind,
         -- An image without a decision is pending.
         coalesce(a.state, 'pending') AS approval,
         image_library_internal.usable_until(a.state, a.valid_until, a.deprecated_from, a.quarantined_at IS NOT NULL) AS usable_until,
         t.missing_since AS missing_since,
         c.facts ->> 'title' AS title,
         c.facts ->> 'description' AS description,
         c.facts ->> 'version' AS version,
         image_library_internal.newest_key(c.facts ->> 'version', (c.facts ->> 'build_at')::timestamptz, c.facts ->> 'variant', t.name) AS newest_key,
         i.size_bytes AS size_bytes,
         i.created_at AS created_at,
         c.facts ->> 'flavor' AS flavor,
         (c.facts ->> 'major_version')::integer AS major_version,
         (c.facts ->> 'build_at')::timestamptz AS build_at,
         c.facts ->> 'variant' AS variant,
         c.facts ->> 'os' AS os,
         f.features AS features,
         ARRAY(SELECT concat_ws(' ', e ->> 'name', e ->> 'version') FROM jsonb_array_elements(c.facts -> 'extensions') e) AS extensions,
         c.facts ->> 'publisher' AS publisher,
         c.facts ->> 'model' AS model,
         c.facts ->> 'model_version' AS model_version,
         c.facts ->> 'format' AS format,
         c.facts ->> 'task' AS task,
         (c.facts ->> 'gpu_count')::integer AS gpu_count,
         image_library_internal.system_tags(r.host, f.features) AS system_tags,
         ARRAY(SELECT jsonb_array_elements_text(c.facts -> 'conflicts')) AS conflicts,
         a.deprecated_from AS deprecated_from,
         (c.facts ->> 'contested')::boolean AS contested,
         c.facts -> 'facts_from' AS facts_from
  FROM image_library_internal.full_repository r
  CROSS JOIN unnest(classified) c
  CROSS JOIN LATERAL (SELECT ARRAY(SELECT jsonb_array_elements_text(c.facts -> 'features'))) AS f (features)
  CROSS JOIN LATERAL (
    SELECT x.* FROM image_library_internal.tag x
    WHERE x.repository_id = wanted_entries.repository_id AND x.name = c.tag OFFSET 0) t
  CROSS JOIN LATERAL (
    SELECT m.size_bytes, m.created_at FROM image_library_internal.image m WHERE m.digest = c.digest OFFSET 0) i
  LEFT JOIN LATERAL (
    SELECT y.* FROM image_library_internal.approval y
    WHERE y.repository_id = wanted_entries.repository_id AND y.digest = c.digest OFFSET 0) a ON true
  WHERE r.repository_id = wanted_entries.repository_id AND t.rule_id IS NOT NULL AND c.facts ->> 'kind' <> 'other';
END
$$;
COMMENT ON FUNCTION image_library_internal.wanted_entries IS
  'Rows of the read model, computed from tags, images, rules and approvals';
GRANT EXECUTE ON FUNCTION image_library_internal.wanted_entries TO image_library_agent;

-- The read model has a row for each tag. For a digest that its tag does not point at any more, it is computed.
CREATE FUNCTION image_library_internal.entry_of(repository_id integer, tag text, digest text)
RETURNS SETOF image_library_internal.entry
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT e.*
  FROM image_library_internal.entry e
  WHERE e.repository_id = entry_of.repository_id AND e.tag = entry_of.tag AND e.digest = entry_of.digest
  UNION ALL
  SELECT w.*
  FROM image_library_internal.tag t
  LEFT JOIN image_library_internal.rule u ON u.rule_id = t.rule_id
  JOIN image_library_internal.full_repository r ON r.repository_id = t.repository_id
  CROSS JOIN LATERAL (
    SELECT image_library_internal.own_facts(t.repository_id, t.name, entry_of.digest, coalesce(u.kind, 'auto')) OFFSET 0) AS own (facts)
  CROSS JOIN LATERAL image_library_internal.wanted_entries(t.repository_id, ARRAY[
    (t.name, entry_of.digest, CASE WHEN own.facts ->> 'kind' = 'model'
                                   THEN image_library_internal.with_model_facts(own.facts, r.repository_id, r.full_name) ELSE own.facts END)
      ::image_library_internal.classified_tag]) w
  WHERE t.repository_id = entry_of.repository_id AND t.name = entry_of.tag AND t.digest <> entry_of.digest
$$;
COMMENT ON FUNCTION image_library_internal.entry_of IS
  'Row of the read model for a digest that a tag points, or pointed, at; no row: it is neither a Postgres image nor a model, or its tag is hidden';

CREATE FUNCTION image_library_internal.refresh_tags(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
  UPDATE image_library_internal.tag t
  SET kind = n.kind, approval = n.approval, waits_from = n.waits_from, waits_until = n.waits_until
  FROM (SELECT t.name, coalesce(e.kind, 'other') AS kind, coalesce(a.state, 'pending') AS approval,
               image_library_internal.waits_from(a.state, a.valid_until, a.quarantined_at IS NOT NULL) AS waits_from,
               a.deprecated_from AS waits_until
        FROM unnest(tags) AS asked (name)
        JOIN image_library_internal.tag t ON t.repository_id = refresh_tags.repository_id AND t.name = asked.name
        LEFT JOIN image_library_internal.entry e ON e.repository_id = t.repository_id AND e.tag = t.name
        LEFT JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest) n
  WHERE t.repository_id = refresh_tags.repository_id AND t.name = n.name
    AND (t.kind, t.approval, t.waits_from, t.waits_until) IS DISTINCT FROM (n.kind, n.approval, n.waits_from, n.waits_until);
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_tags IS
  'Updates kind and approval beside some tags of a repository; equal rows are not written';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_tags TO image_library_agent;

CREATE FUNCTION image_library_internal.refresh_entries(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  asked text[] := coalesce(tags, ARRAY(SELECT t.name FROM image_library_internal.tag t
                                       WHERE t.repository_id = refresh_entries.repository_id));
  classified image_library_internal.classified_tag[] :=
    ARRAY(SELECT c FROM image_library_internal.classified_tags(repository_id, asked) c);
  wanted image_library_internal.entry[] := ARRAY(SELECT w FROM image_library_internal.wanted_entries(repository_id, classified) w);
BEGIN
  IF EXISTS (SELECT FROM unnest(asked) AS a (tag)
             CROSS JOIN LATERAL (SELECT FROM image_library_internal.entry e
                                 WHERE e.repository_id = refresh_entries.repository_id AND e.tag = a.tag OFFSET 0) there) THEN
    -- EXECUTE makes a plan for these arrays: to join two of them well, it needs their sizes.
    EXECUTE 'DELETE FROM image_library_internal.entry e
             USING unnest($2) AS a (tag) LEFT JOIN unnest($3) w ON w.tag = a.tag
             WHERE e.repository_id = $1 AND e.tag = a.tag AND e IS DISTINCT FROM w'
    USING refresh_entries.repository_id, asked, wanted;
  END IF;
  INSERT INTO image_library_internal.entry (repository_id, tag, registry_id, repository, digest, kind, approval, usable_until,
                                   missing_since, title, description, version, newest_key, size_bytes, created_at,
                                   flavor, major_version, build_at, variant, os, features, extensions, publisher,
                                   model, model_version, format, task, gpu_count, system_tags, conflicts,
                                   deprecated_from, contested, facts_from)
  SELECT w.repository_id, w.tag, w.registry_id, w.repository, w.digest, w.kind, w.approval, w.usable_until,
         w.missing_since, w.title, w.description, w.version, w.newest_key, w.size_bytes, w.created_at, w.flavor,
         w.major_version, w.build_at, w.variant, w.os, w.features, w.extensions, w.publisher, w.model,
         w.model_version, w.format, w.task, w.gpu_count, w.system_tags, w.conflicts, w.deprecated_from, w.contested,
         w.facts_from
  FROM unnest(wanted) w
  LEFT JOIN LATERAL (
    SELECT x.tag FROM image_library_internal.entry x
    WHERE x.repository_id = refresh_entries.repository_id AND x.tag = w.tag OFFSET 0) e ON true
  WHERE e.tag IS NULL;
  PERFORM image_library_internal.refresh_extensions(classified);
  PERFORM image_library_internal.refresh_profiles(repository_id, classified);
  PERFORM image_library_internal.refresh_conflicts(repository_id, classified);
  PERFORM image_library_internal.refresh_extension_images(repository_id, classified);
  PERFORM image_library_internal.refresh_tags(repository_id, asked);
  PERFORM image_library_internal.refresh_text(repository_id, asked);
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_entries IS
  'Updates the read model for some tags (null: all) of a repository; equal rows are not written';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_entries TO image_library_agent;

-- Extensions belong to the digest. Images that are not Postgres servers (CloudNativePG extension images)
-- have extensions too.
CREATE FUNCTION image_library_internal.refresh_extensions(classified image_library_internal.classified_tag[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  wanted image_library_internal.image_extension[] := ARRAY(
    SELECT (c.digest, e ->> 'name', e ->> 'version', e ->> 'description')::image_library_internal.image_extension
    FROM (SELECT DISTINCT ON (digest) digest, facts FROM unnest(classified) ORDER BY digest, tag) c
    CROSS JOIN jsonb_array_elements(c.facts -> 'extensions') e);
BEGIN
  IF EXISTS (SELECT FROM unnest(classified) c
             CROSS JOIN LATERAL (SELECT FROM image_library_internal.image_extension x WHERE x.digest = c.digest OFFSET 0) there) THEN
    EXECUTE 'DELETE FROM image_library_internal.image_extension x
             USING (SELECT DISTINCT c.digest FROM unnest($1) c) AS asked
             WHERE x.digest = asked.digest
               AND NOT EXISTS (SELECT FROM unnest($2) w
                               WHERE w.digest = x.digest AND w.name = x.name AND w IS NOT DISTINCT FROM x)'
    USING classified, wanted;
  END IF;
  INSERT INTO image_library_internal.image_extension (digest, name, version, description)
  SELECT w.digest, w.name, w.version, w.description FROM unnest(wanted) w ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_extensions IS
  'Updates the extensions of the digests that some tags point at';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_extensions TO image_library_agent;

CREATE FUNCTION image_library_internal.refresh_profiles(repository_id integer, classified image_library_internal.classified_tag[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  wanted image_library_internal.model_profile[] := ARRAY(
    SELECT (refresh_profiles.repository_id, c.digest, e ->> 'name', e ->> 'engine', e ->> 'gpu', e ->> 'precision', (e ->> 'tp')::integer,
            (e ->> 'pp')::integer, coalesce((e ->> 'gpu_count')::integer, (e ->> 'tp')::integer * (e ->> 'pp')::integer),
            e ->> 'qos', (e ->> 'lora')::boolean, (e ->> 'buildable')::boolean,
            (e ->> 'gpu_memory_gb')::numeric, (e ->> 'disk_gb')::numeric)::image_library_internal.model_profile
    FROM (SELECT DISTINCT ON (digest) digest, facts FROM unnest(classified) ORDER BY digest, tag) c
    CROSS JOIN jsonb_array_elements(c.facts -> 'profiles') e);
BEGIN
  IF EXISTS (SELECT FROM unnest(classified) c
             CROSS JOIN LATERAL (SELECT FROM image_library_internal.model_profile x
                                 WHERE x.repository_id = refresh_profiles.repository_id AND x.digest = c.digest OFFSET 0) there) THEN
    EXECUTE 'DELETE FROM image_library_internal.model_profile x
             USING (SELECT DISTINCT c.digest FROM unnest($2) c) AS asked
             WHERE x.repository_id = $1 AND x.digest = asked.digest
               AND NOT EXISTS (SELECT FROM unnest($3) w
                               WHERE w.digest = x.digest AND w.name = x.name AND w IS NOT DISTINCT FROM x)'
    USING refresh_profiles.repository_id, classified, wanted;
  END IF;
  INSERT INTO image_library_internal.model_profile (repository_id, digest, name, engine, gpu, "precision", tp, pp, gpu_count, qos, lora,
                                                    buildable, gpu_memory_gb, disk_gb)
  SELECT w.repository_id, w.digest, w.name, w.engine, w.gpu, w."precision", w.tp, w.pp, w.gpu_count, w.qos, w.lora, w.buildable,
         w.gpu_memory_gb, w.disk_gb
  FROM unnest(wanted) w ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_profiles IS
  'Updates the profiles of the models that some tags point at';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_profiles TO image_library_agent;

-- Row level security hides the rows of private registries here, not a security barrier: with a barrier no index gives the
-- order of a page.
CREATE VIEW image_library_internal.usable_entries AS
  SELECT e.*, g.name AS registry, concat_ws('/', g.host, nullif(g.prefix, ''), e.repository) AS place
  FROM image_library_internal.entry e
  JOIN image_library_internal.registry g USING (registry_id)
  WHERE e.approval = 'approved' AND e.missing_since IS NULL AND e.usable_until > (SELECT clock_timestamp());
COMMENT ON VIEW image_library_internal.usable_entries IS 'Approved, present and usable entries of registries that the acting role may see';
-- What a search looks at, by repository: most repositories cannot have a word, and are not read.

-- Three neighbouring bytes each, so that parts of words are found. pg_trgm has the same for texts, and is in another package.
CREATE FUNCTION image_library_internal.text_keys(known integer[], texts text[]) RETURNS integer[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_text_keys';
COMMENT ON FUNCTION image_library_internal.text_keys IS
  'Keys of some texts and those known already: a text contains another one only if it has all its keys. ASCII letters regardless of case';
GRANT EXECUTE ON FUNCTION image_library_internal.text_keys TO image_library_agent;

CREATE TABLE image_library_internal.repository_text (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  keys integer[] NOT NULL
);
CREATE INDEX repository_text_keys ON image_library_internal.repository_text USING gin (keys);
COMMENT ON TABLE image_library_internal.repository_text IS
  'Keys of the texts that a search looks at: name, tags and their entries. Keys of texts that are gone stay: what is found by them is read and compared';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.repository_text TO image_library_agent;

CREATE FUNCTION image_library_internal.entry_text(e image_library_internal.entry, hm_tags text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT concat_ws(' ', e.tag, hm_tags, e.title, e.description, e.publisher, e.model, e.flavor, e.variant, e.os, e.format, e.task,
                   array_to_string(e.extensions, ' '), array_to_string(e.features, ' '), array_to_string(e.system_tags, ' '))
$$;
COMMENT ON FUNCTION image_library_internal.entry_text IS 'Text of a Postgres or model image that a search looks at';
GRANT EXECUTE ON FUNCTION image_library_internal.entry_text TO image_library_agent;

-- Words for a search that finds nothing: see similar_words.
CREATE FUNCTION image_library_internal.word_keys(word text) RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN image_library_internal.text_keys('{}', ARRAY['  ' || word || ' ']);
COMMENT ON FUNCTION image_library_internal.word_keys IS 'Keys of a word with two blanks before it and one after, as pg_trgm compares words';
GRANT EXECUTE ON FUNCTION image_library_internal.word_keys TO image_library_agent;

CREATE FUNCTION image_library_internal.known_words(texts text[]) RETURNS SETOF text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT DISTINCT w COLLATE "C"
  FROM regexp_split_to_table(lower(array_to_string(texts, ' ') COLLATE "C"), '[^[:alnum:].]+') w
  WHERE length(w) BETWEEN 3 AND 63 AND w ~ '[^0-9.]' ORDER BY 1
$$;
COMMENT ON FUNCTION image_library_internal.known_words IS 'The words of some texts that may stand for similar ones, in lower case';
GRANT EXECUTE ON FUNCTION image_library_internal.known_words TO image_library_agent;

CREATE TABLE image_library_internal.search_word (
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  word text COLLATE "C" NOT NULL,
  PRIMARY KEY (registry_id, word)
);
CREATE INDEX search_word_keys ON image_library_internal.search_word USING gin (image_library_internal.word_keys(word));
COMMENT ON TABLE image_library_internal.search_word IS
  'Words of names, titles, publishers, models and extensions, by registry; words that are gone stay';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.search_word TO image_library_agent;

CREATE FUNCTION image_library_internal.refresh_text(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  known integer[] := (SELECT x.keys FROM image_library_internal.repository_text x WHERE x.repository_id = refresh_text.repository_id);
  now integer[] := image_library_internal.text_keys(coalesce(known, '{}'), tags || ARRAY(
    SELECT image_library_internal.entry_text(e, NULL) FROM image_library_internal.entry e
    WHERE e.repository_id = refresh_text.repository_id AND e.tag = ANY (tags)) || ARRAY(
    SELECT r.name FROM image_library_internal.repository r WHERE r.repository_id = refresh_text.repository_id AND known IS NULL));
BEGIN
  -- A new word need not have new keys.
  INSERT INTO image_library_internal.search_word (registry_id, word)
  SELECT r.registry_id, w
  FROM image_library_internal.repository r
  CROSS JOIN LATERAL image_library_internal.known_words(
    CASE WHEN known IS NULL THEN ARRAY[r.name]::text[] ELSE '{}' END
    || ARRAY(SELECT DISTINCT x FROM image_library_internal.entry e, unnest(ARRAY[e.title, e.publisher, e.model, e.flavor, e.variant, e.task]) x
             WHERE e.repository_id = r.repository_id AND e.tag = ANY (tags) AND x IS NOT NULL)
    || ARRAY(SELECT DISTINCT x.name FROM image_library_internal.tag t JOIN image_library_internal.image_extension x USING (digest)
             WHERE t.repository_id = r.repository_id AND t.name = ANY (tags))) w
  WHERE r.repository_id = refresh_text.repository_id
    AND NOT EXISTS (SELECT FROM image_library_internal.search_word k WHERE k.registry_id = r.registry_id AND k.word = w)
  ON CONFLICT DO NOTHING;
  IF known = now THEN
    RETURN;
  END IF;
  INSERT INTO image_library_internal.repository_text AS x (repository_id, keys) VALUES (refresh_text.repository_id, now)
  ON CONFLICT ON CONSTRAINT repository_text_pkey DO UPDATE SET keys = excluded.keys;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_text IS 'Adds the keys of some tags of a repository to what a search looks at';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_text TO image_library_agent;
-- Facts of models that no label carries: task, GPUs, profiles. The library ships what vendors publish of the models in
-- their repositories nim/<publisher>/<model>; curators set facts of a repository.

CREATE TABLE image_library_internal.shipped_model_fact (
  model text NOT NULL,
  from_version text NOT NULL,
  before_version text,
  task text,
  gpu_count integer,
  profiles jsonb NOT NULL,
  source text NOT NULL,
  read_on date NOT NULL,
  PRIMARY KEY (model, from_version)
);
COMMENT ON TABLE image_library_internal.shipped_model_fact IS
  'Facts of models as vendors publish them, each with its source; the extension''s script inserts the rows and pg_dump leaves them out';
COMMENT ON COLUMN image_library_internal.shipped_model_fact.model IS 'publisher/model, both as name_key gives them';
COMMENT ON COLUMN image_library_internal.shipped_model_fact.profiles IS 'Array of profiles as checked_profiles returns them; each may name a source of its own';
GRANT SELECT ON image_library_internal.shipped_model_fact TO image_library_agent;

-- They belong to a repository, whose team sets them: no label and no other team can change or borrow them.
CREATE TABLE image_library_internal.model_fact (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  from_version text NOT NULL,
  before_version text,
  task text,
  gpu_count integer,
  profiles jsonb,
  reason text,
  set_at timestamptz NOT NULL DEFAULT now(),
  set_by name NOT NULL DEFAULT session_user,
  PRIMARY KEY (repository_id, from_version)
);
COMMENT ON TABLE image_library_internal.model_fact IS 'Facts of the models of a repository, set by curators; null: not set';
COMMENT ON COLUMN image_library_internal.model_fact.from_version IS 'First model version that the facts are of; empty: any';
COMMENT ON COLUMN image_library_internal.model_fact.before_version IS 'First later model version that the facts are not of; null: none';
GRANT SELECT ON image_library_internal.model_fact TO image_library_agent;

CREATE FUNCTION image_library_internal.nim_model(full_name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.name_key(part[1]) || '/' || image_library_internal.name_key(part[2])
  FROM regexp_match(full_name, '(?:^|/)nim/([^/]+)/([^/]+)$') part
$$;
COMMENT ON FUNCTION image_library_internal.nim_model IS
  'publisher/model of a repository nim/<publisher>/<model>, below any prefix of a mirror, in the form of shipped_model_fact; null: it is no such repository';
GRANT EXECUTE ON FUNCTION image_library_internal.nim_model TO image_library_agent;

CREATE FUNCTION image_library_internal.is_version_between(version text, from_version text, before_version text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT from_version = '' AND before_version IS NULL
    OR coalesce(version <> '' AND image_library.version_key(version) >= image_library.version_key(from_version)
                AND (before_version IS NULL OR image_library.version_key(version) < image_library.version_key(before_version)), false)
$$;
COMMENT ON FUNCTION image_library_internal.is_version_between IS
  'Whether facts for a range of versions are of a version; an image without a version has only facts for all versions';
GRANT EXECUTE ON FUNCTION image_library_internal.is_version_between TO image_library_agent;

CREATE FUNCTION image_library_internal.least_gpu_count(profiles jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT min((p ->> 'gpu_count')::integer) FROM jsonb_array_elements(profiles) p $$;
COMMENT ON FUNCTION image_library_internal.least_gpu_count IS 'GPUs of the profile that needs the fewest; null: there is none';
GRANT EXECUTE ON FUNCTION image_library_internal.least_gpu_count TO image_library_agent;

-- Of each fact a curator's counts, then that of the image's own metadata, then the shipped one. Of several rows that one
-- counts whose range of versions begins last.
CREATE FUNCTION image_library_internal.with_model_facts(facts jsonb, repository_id integer, full_name text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT facts || jsonb_build_object(
    'task', coalesce(curated.task, facts ->> 'task', shipped.task),
    'gpu_count', coalesce(curated.gpu_count, image_library_internal.least_gpu_count(curated.profiles),
                          (facts ->> 'gpu_count')::integer,
                          shipped.gpu_count, image_library_internal.least_gpu_count(shipped.profiles)),
    'profiles', coalesce(curated.profiles, nullif(facts -> 'profiles', '[]'), shipped.profiles, '[]'),
    'facts_from', jsonb_strip_nulls(jsonb_build_object(
      'task', CASE WHEN curated.task IS NOT NULL THEN 'curator' WHEN facts ->> 'task' IS NOT NULL THEN 'image'
                   WHEN shipped.task IS NOT NULL THEN 'shipped' END,
      'gpu_count', CASE WHEN coalesce(curated.gpu_count, image_library_internal.least_gpu_count(curated.profiles)) IS NOT NULL THEN 'curator'
                        WHEN facts ->> 'gpu_count' IS NOT NULL THEN 'image'
                        WHEN coalesce(shipped.gpu_count, image_library_internal.least_gpu_count(shipped.profiles)) IS NOT NULL THEN 'shipped' END,
      'profiles', CASE WHEN curated.profiles IS NOT NULL THEN 'curator' WHEN facts -> 'profiles' <> '[]' THEN 'image'
                       WHEN shipped.profiles <> '[]' THEN 'shipped' END)))
  FROM (VALUES (true)) AS one_row
  LEFT JOIN LATERAL (
    SELECT f.* FROM image_library_internal.model_fact f
    WHERE f.repository_id = with_model_facts.repository_id
      AND image_library_internal.is_version_between(facts ->> 'model_version', f.from_version, f.before_version)
    ORDER BY f.from_version <> '' DESC, image_library.version_key(f.from_version) DESC, f.before_version IS NULL
    LIMIT 1) curated ON true
  LEFT JOIN LATERAL (
    SELECT f.* FROM image_library_internal.shipped_model_fact f
    WHERE facts ->> 'format' = 'nim' AND f.model = image_library_internal.nim_model(full_name)
      AND image_library_internal.is_version_between(facts ->> 'model_version', f.from_version, f.before_version)
    ORDER BY f.from_version <> '' DESC, image_library.version_key(f.from_version) DESC, f.before_version IS NULL
    LIMIT 1) shipped ON true
$$;
COMMENT ON FUNCTION image_library_internal.with_model_facts IS
  'Classification of a model with the facts of curators and vendors, and where each fact comes from (facts_from)';
GRANT EXECUTE ON FUNCTION image_library_internal.with_model_facts TO image_library_agent;

CREATE FUNCTION image_library_internal.checked_fact_text(what text, value text, longest integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF btrim(value) <> value OR value = '' OR length(value) > longest OR value ~ '[[:cntrl:]]' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid %s: "%s"', what, left(value, 100)),
      hint => format('Use 1 to %s characters on one line, with no space at either end.', longest));
  END IF;
  RETURN value;
END
$$;
COMMENT ON FUNCTION image_library_internal.checked_fact_text IS 'The given text; raises 22023 if a model fact may not have it; null is allowed';

-- A profile is an object with the keys of view model_profiles.
CREATE FUNCTION image_library_internal.checked_profiles(profiles jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  profile jsonb;
  wrong text;
  gpus integer;
  checked jsonb := '[]';
BEGIN
  IF profiles IS NULL THEN
    RETURN NULL;
  END IF;
  IF jsonb_typeof(profiles) <> 'array' OR octet_length(profiles::text) > 65536 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'the profiles of a model must be a JSON array of at most 64 KiB',
      hint => 'Write [{"name": "vllm-bf16-tp4-pp1", "engine": "vllm", "precision": "bf16", "tp": 4, "pp": 1}, ...].');
  END IF;
  FOR profile IN SELECT p FROM jsonb_array_elements(profiles) p LOOP
    wrong := CASE
      WHEN jsonb_typeof(profile) <> 'object' THEN 'it is no object'
      ELSE (
        SELECT format('%s must be %s', left(k.key, 100), coalesce(known.meaning, 'left out: there is no such key'))
        FROM jsonb_each(profile) k
        LEFT JOIN (VALUES
          ('name', 'string', '^.{1,200}$', 'a text of 1 to 200 characters'), ('engine', 'string', '^.{1,100}$', 'a text of 1 to 100 characters'),
          ('gpu', 'string', '^.{1,100}$', 'a text of 1 to 100 characters'), ('precision', 'string', '^.{1,100}$', 'a text of 1 to 100 characters'),
          ('qos', 'string', '^(latency|throughput|balanced)$', 'latency, throughput or balanced'),
          ('tp', 'number', '^[1-9][0-9]{0,2}$', 'a number from 1 to 999'), ('pp', 'number', '^[1-9][0-9]{0,2}$', 'a number from 1 to 999'),
          ('gpu_count', 'number', '^[1-9][0-9]{0,3}$', 'a number from 1 to 9999'),
          ('gpu_memory_gb', 'number', '^(?=.*[1-9])[0-9]{1,6}([.][0-9]{1,3})?$', 'a positive number of GB'),
          ('disk_gb', 'number', '^(?=.*[1-9])[0-9]{1,6}([.][0-9]{1,3})?$', 'a positive number of GB'),
          ('lora', 'boolean', '', 'true or false'), ('buildable', 'boolean', '', 'true or false')
        ) AS known (key, type, pattern, meaning) USING (key)
        WHERE jsonb_typeof(k.value) <> 'null'
          AND (known.key IS NULL OR jsonb_typeof(k.value) <> known.type
               OR (k.value #>> '{}') !~ known.pattern OR (k.value #>> '{}') ~ '[[:cntrl:]]')
        ORDER BY k.key LIMIT 1) END;
    IF wrong IS NULL THEN
      gpus := coalesce((profile ->> 'gpu_count')::integer, (profile ->> 'tp')::integer * coalesce((profile ->> 'pp')::integer, 1));
      wrong := CASE
        WHEN gpus IS NULL THEN 'it needs tp (and pp), or gpu_count'
        WHEN gpus <> (profile ->> 'tp')::integer * coalesce((profile ->> 'pp')::integer, 1) THEN 'gpu_count must be tp times pp' END;
    END IF;
    IF wrong IS NOT NULL THEN
      PERFORM image_library_internal.fail(
        errcode => 'invalid_parameter_value',
        message => format('invalid profile of a model: %s', wrong),
        detail => format('It is %s.', left(profile::text, 300)),
        hint => 'A profile may have name, engine, gpu, precision, tp, pp, gpu_count, qos, lora, buildable, gpu_memory_gb and disk_gb.');
    END IF;
    -- Support matrices have configurations without a name.
    checked := checked || jsonb_build_object(
      'name', coalesce(profile ->> 'name', concat_ws(' ', gpus, 'x', coalesce(profile ->> 'gpu', 'any GPU'), profile ->> 'precision', profile ->> 'qos')),
      'engine', profile -> 'engine', 'gpu', profile -> 'gpu', 'precision', profile -> 'precision',
      'tp', profile -> 'tp', 'pp', CASE WHEN profile ->> 'tp' IS NOT NULL THEN coalesce((profile ->> 'pp')::integer, 1) END,
      'gpu_count', gpus, 'qos', profile -> 'qos', 'lora', coalesce((profile ->> 'lora')::boolean, false),
      'buildable', coalesce((profile ->> 'buildable')::boolean, false),
      'gpu_memory_gb', profile -> 'gpu_memory_gb', 'disk_gb', profile -> 'disk_gb');
  END LOOP;
  SELECT p ->> 'name' INTO wrong FROM jsonb_array_elements(checked) p GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('two profiles of a model have the name "%s"', wrong),
      hint => 'Give each a name of its own.');
  END IF;
  RETURN jsonb_strip_nulls(checked);
END
$$;
COMMENT ON FUNCTION image_library_internal.checked_profiles IS
  'Profiles of a model with all their keys, and with a name if they had none; raises 22023; null is allowed';

-- A digest that a tag pointed at before keeps its profiles, so they are renewed as well.
CREATE FUNCTION image_library_internal.refresh_model_facts(repository_id integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.refresh_entries(repository_id, NULL);
  PERFORM image_library_internal.refresh_profiles(repository_id, ARRAY(
    SELECT (before.tag, before.digest, image_library_internal.with_model_facts(own.facts, r.repository_id, r.full_name))::image_library_internal.classified_tag
    FROM image_library_internal.full_repository r
    CROSS JOIN LATERAL (
      SELECT DISTINCT ON (p.digest) p.tag, p.digest FROM image_library_internal.tag_period p
      WHERE p.repository_id = r.repository_id
        AND NOT EXISTS (SELECT FROM image_library_internal.tag t WHERE t.repository_id = r.repository_id AND t.digest = p.digest)
      ORDER BY p.digest, p.since DESC) before
    CROSS JOIN LATERAL (SELECT image_library_internal.own_facts(r.repository_id, before.tag, before.digest) OFFSET 0) AS own (facts)
    WHERE r.repository_id = refresh_model_facts.repository_id AND own.facts ->> 'kind' = 'model'));
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_model_facts IS 'Updates the read model of a repository after a change of its models'' facts';

-- The facts are of all images of the repository, so a curator must be in the teams of all its parts.
CREATE FUNCTION image_library_internal.locked_model_repository(registry text, repository text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := image_library_internal.known_repository_id(registry, repository);
  owners regrole[];
BEGIN
  PERFORM image_library_internal.lock_repository(r.registry_id, id, for_batch => true)
  FROM image_library_internal.repository r WHERE r.repository_id = id;
  FOR owners IN
    SELECT DISTINCT array_remove(ARRAY[u.owner, g.owner], NULL)
    FROM image_library_internal.repository r
    JOIN image_library_internal.registry g USING (registry_id)
    LEFT JOIN image_library_internal.tag t USING (repository_id)
    LEFT JOIN image_library_internal.rule u ON u.rule_id = t.rule_id
    WHERE r.repository_id = id
  LOOP
    IF cardinality(owners) > 0 THEN
      PERFORM image_library_internal.require_owner(
        format('set model facts of repository "%s" of registry "%s"', repository, registry), VARIADIC owners);
    END IF;
  END LOOP;
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library_internal.locked_model_repository IS
  'Number of a repository, locked, whose model facts the acting role may set; raises 42704, 42501, 25000';

CREATE FUNCTION image_library.set_model_facts(registry text, repository text, task text DEFAULT NULL,
  gpu_count integer DEFAULT NULL, profiles jsonb DEFAULT NULL, from_version text DEFAULT '',
  before_version text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := image_library_internal.locked_model_repository(registry, repository);
BEGIN
  IF task IS NULL AND gpu_count IS NULL AND profiles IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'no fact is given',
      hint => 'Give task, gpu_count or profiles; image_library.drop_model_facts removes the facts of a repository.');
  END IF;
  from_version := coalesce(from_version, '');
  PERFORM image_library_internal.check_reason(reason);
  PERFORM image_library_internal.checked_fact_text('version of a model', nullif(from_version, ''), 128);
  PERFORM image_library_internal.checked_fact_text('version of a model', before_version, 128);
  IF from_version <> '' AND image_library.version_key(before_version) <= image_library.version_key(from_version) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('no version is from "%s" on and before "%s"', from_version, before_version));
  END IF;
  INSERT INTO image_library_internal.model_fact AS f (repository_id, from_version, before_version, task, gpu_count, profiles, reason)
  VALUES (id, set_model_facts.from_version, set_model_facts.before_version,
          image_library_internal.checked_fact_text('task of a model', lower(set_model_facts.task), 100),
          image_library_internal.check_range('gpu_count', set_model_facts.gpu_count, 0, 9999),
          image_library_internal.checked_profiles(set_model_facts.profiles),
          set_model_facts.reason)
  ON CONFLICT ON CONSTRAINT model_fact_pkey DO UPDATE
  SET before_version = excluded.before_version, task = excluded.task, gpu_count = excluded.gpu_count,
      profiles = excluded.profiles, reason = excluded.reason, set_at = excluded.set_at, set_by = excluded.set_by;
  IF (SELECT count(*) FROM image_library_internal.model_fact f WHERE f.repository_id = id) > 100 THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('repository "%s" of registry "%s" has model facts for 100 ranges of versions already', repository, registry),
      hint => 'Drop some with image_library.drop_model_facts.');
  END IF;
  PERFORM image_library_internal.refresh_model_facts(id);
END
$$;
COMMENT ON FUNCTION image_library.set_model_facts IS
  'Sets facts of the models of a repository that its images do not tell, or tell wrong, for all versions or from one version on and before another; replaces what was set with the same from_version. For curators in the teams that own the repository, and admins';
GRANT EXECUTE ON FUNCTION image_library.set_model_facts TO image_library_curator;

CREATE FUNCTION image_library.drop_model_facts(registry text, repository text, from_version text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := image_library_internal.locked_model_repository(registry, repository);
BEGIN
  DELETE FROM image_library_internal.model_fact f
  WHERE f.repository_id = id AND f.from_version = coalesce(drop_model_facts.from_version, f.from_version);
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('repository "%s" of registry "%s" has no such model facts', repository, registry),
      hint => 'See image_library.model_facts.');
  END IF;
  PERFORM image_library_internal.refresh_model_facts(id);
END
$$;
COMMENT ON FUNCTION image_library.drop_model_facts IS
  'Removes the facts that curators set of the models of a repository: those that begin with a version (empty: with none), or all';
GRANT EXECUTE ON FUNCTION image_library.drop_model_facts TO image_library_curator;

CREATE VIEW image_library.model_facts WITH (security_barrier) AS
  SELECT 'curator' AS origin, r.registry, r.repository, NULL::text AS model,
         f.from_version, f.before_version, f.task, f.gpu_count, f.profiles, f.reason,
         NULL::text AS source, NULL::date AS read_on, f.set_at, f.set_by
  FROM image_library_internal.model_fact f
  JOIN image_library_internal.visible_repository r USING (repository_id)
  UNION ALL
  SELECT 'shipped', NULL, NULL, f.model, f.from_version, f.before_version, f.task, f.gpu_count, f.profiles, NULL,
         f.source, f.read_on, NULL, NULL
  FROM image_library_internal.shipped_model_fact f;
COMMENT ON VIEW image_library.model_facts IS
  'Facts of models that come from rows: set by curators for a repository, or shipped, for repositories nim/<publisher>/<model>. Curators'' count before those of the image, and these before shipped ones';
GRANT SELECT ON image_library.model_facts TO image_library_reader;
-- What vendors publish of their models. A row is here only if its source says so; what no source says is null.
-- Sources were read on 2026-11-26.

-- Model, versions, task, GPUs, source.
INSERT INTO image_library_internal.shipped_model_fact
  (model, from_version, before_version, task, gpu_count, profiles, source, read_on)
SELECT f.model, f.from_version, f.before_version, f.task, f.gpu_count, '[]', f.source, '2026-11-26'
FROM (VALUES
  ('nvidia/llama-3-3-nemotron-super-49b-v1', '', NULL, 'text-generation', 4,
   'https://www.enterprisedb.com/docs/edb-postgres-ai/1.3/hybrid-manager/ai-factory/deploy-with-hm-ui/'),
  ('nvidia/llama-3-2-nemoretriever-300m-embed-v1', '', NULL, 'text-embedding', 1,
   'https://www.enterprisedb.com/docs/edb-postgres-ai/1.3/hybrid-manager/ai-factory/deploy-with-hm-ui/'),
  ('nvidia/nvclip', '', NULL, 'image-embedding', 1,
   'https://www.enterprisedb.com/docs/edb-postgres-ai/1.3/hybrid-manager/ai-factory/deploy-with-hm-ui/'),
  ('baidu/paddleocr', '', NULL, 'ocr', 1,
   'https://www.enterprisedb.com/docs/edb-postgres-ai/1.3/hybrid-manager/ai-factory/deploy-with-hm-ui/'),
  ('nvidia/llama-3-2-nv-rerankqa-1b-v2', '', NULL, 'text-reranking', 1,
   'https://www.enterprisedb.com/docs/edb-postgres-ai/1.3/hybrid-manager/ai-factory/deploy-with-hm-ui/'),
  ('nvidia/llama-3-2-nv-embedqa-1b-v2', '', NULL, 'text-embedding', NULL,
   'https://docs.nvidia.com/nim/nemo-retriever/text-embedding/1.3.1/support-matrix.html'),
  ('nvidia/nemoretriever-ocr-v1', '', NULL, 'ocr', NULL,
   'https://docs.nvidia.com/nim/ingestion/image-ocr/1.0.0/support-matrix.html'),
  -- NVIDIA recommends a profile for each of these GPUs.
  ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '', NULL, 'text-generation', NULL,
   'https://docs.nvidia.com/rag/latest/model-profiles.html'),
  ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1', '1.14.1', 'text-generation', NULL,
   'https://docs.nvidia.com/rag/latest/model-profiles.html'),
  ('openai/gpt-oss-120b', '2.0.1', '2.0.2', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.1/reference/support-matrix.html'),
  ('openai/gpt-oss-20b', '2.0.1', '2.0.2', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.1/reference/support-matrix.html'),
  ('openai/gpt-oss-120b', '2.0.0', '2.0.1', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.0/reference/support-matrix.html'),
  ('openai/gpt-oss-20b', '2.0.0', '2.0.1', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.0/reference/support-matrix.html'),
  ('meta/llama-3-1-70b-instruct', '2.0.0', '2.0.1', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.0/reference/support-matrix.html'),
  ('meta/llama-3-1-8b-instruct', '2.0.0', '2.0.1', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.0/reference/support-matrix.html'),
  ('meta/llama-3-3-70b-instruct', '2.0.0', '2.0.1', 'text-generation', NULL,
   'https://docs.nvidia.com/nim/large-language-models/2.0.0/reference/support-matrix.html')
) AS f (model, from_version, before_version, task, gpu_count, source);

-- Their profiles; without a source of its own a profile has that of the row above. NIM's names are given where they are
-- published. A configuration that names a number of GPUs and no parallelism has neither tp nor pp, but if it is of one GPU.
WITH published (model, from_version, name, engine, gpu, "precision", tp, gpu_count, qos, lora, gpu_memory_gb, disk_gb, source) AS (
  VALUES
    ('nvidia/llama-3-3-nemotron-super-49b-v1', '', NULL, NULL, 'l40s', NULL, NULL::integer, 4, NULL, false, NULL::numeric, NULL::numeric, NULL),
    ('nvidia/llama-3-2-nemoretriever-300m-embed-v1', '', NULL, NULL, 'l40s', NULL, 1, 1, NULL, false, NULL, NULL, NULL),
    ('nvidia/llama-3-2-nv-rerankqa-1b-v2', '', NULL, NULL, 'l40s', NULL, 1, 1, NULL, false, NULL, NULL, NULL),
    ('nvidia/llama-3-2-nv-rerankqa-1b-v2', '', NULL, NULL, NULL, 'fp16', 1, 1, NULL, false, 3.6, 9.5,
     'https://docs.nvidia.com/nim/nemo-retriever/text-reranking/1.4.0/support-matrix.html'),
    ('nvidia/llama-3-2-nv-embedqa-1b-v2', '', NULL, NULL, NULL, 'fp16', 1, 1, NULL, false, 3.6, 20.2, NULL),
    ('baidu/paddleocr', '', NULL, NULL, 'l40s', NULL, 1, 1, NULL, false, NULL, NULL, NULL),
    ('baidu/paddleocr', '', NULL, NULL, NULL, 'fp16', 1, 1, NULL, false, 1, 9,
     'https://docs.nvidia.com/nim/ingestion/table-extraction/1.1.0/support-matrix.html'),
    ('baidu/paddleocr', '', NULL, NULL, NULL, 'fp32', 1, 1, NULL, false, 1, 9,
     'https://docs.nvidia.com/nim/ingestion/table-extraction/1.1.0/support-matrix.html'),
    ('nvidia/nemoretriever-ocr-v1', '', NULL, NULL, NULL, 'fp32', 1, 1, NULL, false, 1, 9, NULL),
    ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1',
     'tensorrt_llm-h100_nvl-fp8-tp1-pp1-throughput-2321:10de-d347471b749e4e6b6e5956bb0f600b6646461c214cadadf6614baf305054a743-1',
     'tensorrt_llm', 'h100_nvl', 'fp8', 1, 1, 'throughput', false, NULL, NULL, NULL),
    ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1',
     'tensorrt_llm-h100-fp8-tp1-pp1-throughput-2330:10de-a5381c1be0b8ee66ad41e7dc7b4e6d2cffaa7a4e37ca05f57898817560b0bd2b-1',
     'tensorrt_llm', 'h100', 'fp8', 1, 1, 'throughput', false, NULL, NULL, NULL),
    -- Published for two A100 SXM.
    ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1',
     'vllm-bf16-tp2-pp1-32c3b968468aefcfb3ea1db5a16e3dc9d64395f02ef68a06175e8bbdb0038601',
     'vllm', 'a100', 'bf16', 2, 2, NULL, false, NULL, NULL, NULL),
    ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1',
     'tensorrt_llm-rtx6000_blackwell_sv-fp8-tp1-pp1-throughput-2bb5:10de-d21d6986d29d8abf555f35c9a4c8146c4b10595d9e57e6efabd4a026efcc0c4a-1',
     'tensorrt_llm', 'rtx6000_blackwell_sv', 'fp8', 1, 1, 'throughput', false, NULL, NULL,
     'https://github.com/NVIDIA-AI-Blueprints/rag/blob/05c804de7287a3d187ad27d737f67a8863c1add7/docs/model-profiles.md'),
    ('nvidia/llama-3-3-nemotron-super-49b-v1-5', '1.13.1',
     'tensorrt_llm-b200-fp8-tp2-pp1-throughput-2901:10de-d2ff2bbf26fdabe28afaf754ca8e5615ed337e19d873da15627c209849f51072-2',
     'tensorrt_llm', 'b200', 'fp8', 2, 2, 'throughput', false, NULL, NULL,
     'https://github.com/NVIDIA-AI-Blueprints/rag/blob/05c804de7287a3d187ad27d737f67a8863c1add7/docs/model-profiles.md')
  UNION ALL
    SELECT 'nvidia/nvclip', '', NULL, NULL, gpu, 'fp16', 1, 1, NULL, false, NULL, disk_gb,
           'https://docs.nvidia.com/nim/nvclip/latest/support-matrix.html'
    FROM (VALUES ('h100', 19.3), ('a100', 19.3), ('l40s', 19.3), ('l4', 19.3), ('a10g', 19.3), ('rtx_4090', 19.3), ('gh200', 11.5)) AS g (gpu, disk_gb)
  UNION ALL
    SELECT model, '2.0.1', format('vllm-mxfp4-tp%s-pp1', tp) || CASE WHEN lora THEN '-lora' ELSE '' END,
           'vllm', NULL, 'mxfp4', tp, tp, NULL, lora, NULL, NULL, NULL
    FROM unnest('{openai/gpt-oss-120b,openai/gpt-oss-20b}'::text[]) model,
         unnest('{1,2,4,8}'::integer[]) tp, unnest('{false,true}'::boolean[]) lora
  UNION ALL
    SELECT model, '2.0.0', format('vllm-mxfp4-tp%s-pp1', tp), 'vllm', NULL, 'mxfp4', tp, tp, NULL, false, NULL, NULL, NULL
    FROM unnest('{openai/gpt-oss-120b,openai/gpt-oss-20b}'::text[]) model, unnest('{1,2,4,8}'::integer[]) tp
  UNION ALL
    SELECT 'meta/llama-3-1-8b-instruct', '2.0.0', format('vllm-%s-tp1-pp1', bits) || CASE WHEN lora THEN '-lora' ELSE '' END,
           'vllm', NULL, bits, 1, 1, NULL, lora, NULL, NULL, NULL
    FROM unnest('{bf16,fp8}'::text[]) bits, unnest('{false,true}'::boolean[]) lora
  UNION ALL
    SELECT model, '2.0.0', format('vllm-bf16-tp%s-pp1', tp) || CASE WHEN lora THEN '-lora' ELSE '' END,
           'vllm', NULL, 'bf16', tp, tp, NULL, lora, NULL, NULL, NULL
    FROM unnest('{meta/llama-3-1-70b-instruct,meta/llama-3-3-70b-instruct}'::text[]) model,
         unnest('{2,4,8}'::integer[]) tp, unnest('{false,true}'::boolean[]) lora
)
UPDATE image_library_internal.shipped_model_fact f
SET profiles = p.profiles
FROM (
  SELECT model, from_version, jsonb_agg(checked || jsonb_strip_nulls(jsonb_build_object('source', source)) ORDER BY checked ->> 'name' COLLATE "C") AS profiles
  FROM published
  CROSS JOIN LATERAL (
    SELECT image_library_internal.checked_profiles(jsonb_build_array(jsonb_build_object(
      'name', name, 'engine', engine, 'gpu', gpu, 'precision', "precision", 'tp', tp, 'gpu_count', gpu_count, 'qos', qos,
      'lora', lora, 'gpu_memory_gb', gpu_memory_gb, 'disk_gb', disk_gb))) -> 0) AS c (checked)
  GROUP BY 1, 2) p
WHERE f.model = p.model AND f.from_version = p.from_version;
-- Writing what a sync found: one call for each batch, in one transaction; equal rows are not written.

CREATE FUNCTION image_library_internal.repository_id(registry_id integer, repository text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer;
BEGIN
  SELECT r.repository_id INTO id FROM image_library_internal.repository r
  WHERE r.registry_id = repository_id.registry_id AND r.name = repository;
  IF id IS NULL THEN
    INSERT INTO image_library_internal.repository AS r (registry_id, name)
    VALUES (repository_id.registry_id, repository_id.repository)
    ON CONFLICT ON CONSTRAINT repository_registry_id_name_key DO UPDATE SET name = excluded.name
    RETURNING r.repository_id INTO id;
  END IF;
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library_internal.repository_id IS 'Number of a repository, which is added if it is new';
GRANT EXECUTE ON FUNCTION image_library_internal.repository_id TO image_library_agent;

-- A batch that brings a tag and a decision on its digest do not see each other before they commit, so one waits for the
-- other.
CREATE FUNCTION image_library_internal.lock_repository(registry_id integer, repository_id integer, for_batch boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_read_committed();
  PERFORM image_library_internal.lock_rules_of(registry_id, exclusive => false);
  IF for_batch THEN
    PERFORM FROM image_library_internal.repository r WHERE r.repository_id = lock_repository.repository_id FOR NO KEY UPDATE;
  ELSE
    PERFORM FROM image_library_internal.repository r WHERE r.repository_id = lock_repository.repository_id FOR SHARE;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_repository IS
  'Locks a repository, so that batches and decisions run one after the other, and no rule changes meanwhile';
GRANT EXECUTE ON FUNCTION image_library_internal.lock_repository TO image_library_agent;

-- PL/pgSQL keeps the plans of a batch. They are generic, and must stay good while tables grow: what is read of a table
-- for the rows of an array is read by key, which LATERAL, OFFSET 0 and enable_seqscan leave no choice about. Without jit =
-- off, a table that has to be read as a whole would be so dear to the planner that the plan is compiled.
CREATE FUNCTION image_library_internal.read_images(images jsonb) RETURNS SETOF image_library_internal.image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  keys jsonb := image_library_internal.classification_keys();
BEGIN
  RETURN QUERY
    SELECT n.digest, n.media_type, n.artifact_type, n.config_type, n.config_digest,
           ARRAY(SELECT jsonb_array_elements_text(n.layer_types)),
           ARRAY(SELECT DISTINCT p ->> 'platform' COLLATE "C" FROM jsonb_array_elements(n.platforms) p ORDER BY 1),
           n.size_bytes, n.created_at, coalesce(n.created_text, ''), n.annotations, n.labels,
           told.title, told.description, told.version, now(), n.unread
    FROM jsonb_to_recordset(images) AS n (
      digest text, media_type text, artifact_type text, config_type text, config_digest text, layer_types jsonb,
      platforms jsonb, size_bytes bigint, created_at timestamptz, created_text text, annotations jsonb, labels jsonb,
      unread text)
    CROSS JOIN LATERAL image_library_internal.published_texts(n.annotations, n.labels, keys) told
    -- Sorted, so that two syncs of the same images do not deadlock.
    ORDER BY n.digest COLLATE "C";
END
$$;
COMMENT ON FUNCTION image_library_internal.read_images IS 'Images of a batch as rows, by digest';
GRANT EXECUTE ON FUNCTION image_library_internal.read_images TO image_library_agent;

CREATE FUNCTION image_library_internal.write_platforms(images jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  INSERT INTO image_library_internal.image_platform
    (digest, manifest_digest, platform, os, architecture, variant, config_digest, size_bytes, created_at, present)
  SELECT n.digest, p.manifest_digest, p.platform, p.os, p.architecture, p.variant, p.config_digest,
         p.size_bytes, p.created_at, coalesce(p.present, true)
  FROM jsonb_to_recordset(images) AS n (digest text, platforms jsonb)
  CROSS JOIN jsonb_to_recordset(n.platforms) AS p (
    platform text, os text, architecture text, variant text, manifest_digest text, config_digest text,
    size_bytes bigint, created_at timestamptz, present boolean)
  ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_platforms IS 'Stores the platforms of the new images of a batch';
GRANT EXECUTE ON FUNCTION image_library_internal.write_platforms TO image_library_agent;

CREATE FUNCTION image_library_internal.write_images(batch jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  added bigint;
BEGIN
  INSERT INTO image_library_internal.image (digest, media_type, artifact_type, config_type, config_digest, layer_types, platforms,
    size_bytes, created_at, created_text, annotations, labels, title, description, version, first_seen_at, unread)
  SELECT n.digest, n.media_type, n.artifact_type, n.config_type, n.config_digest, n.layer_types, n.platforms,
         n.size_bytes, n.created_at, n.created_text, n.annotations, n.labels, n.title, n.description, n.version, n.first_seen_at, n.unread
  FROM image_library_internal.read_images(batch -> 'images') n
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS added = ROW_COUNT;
  PERFORM image_library_internal.write_platforms(batch -> 'images');

  -- Referrers that an image's own index names apply to every repository that has the image.
  INSERT INTO image_library_internal.image_referrer (digest, referrer_digest, artifact_type, size_bytes, annotations, source)
  SELECT r.digest, r.referrer_digest, r.artifact_type, r.size_bytes, r.annotations, r.source
  FROM jsonb_array_elements(batch -> 'images') i
  CROSS JOIN jsonb_to_recordset(i -> 'referrers') AS r (
    digest text, referrer_digest text, artifact_type text, size_bytes bigint, annotations jsonb, source text)
  WHERE i -> 'referrers' <> '[]'
  ON CONFLICT DO NOTHING;
  RETURN added;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_images IS
  'Stores the new images of a batch, with what their indexes name';
GRANT EXECUTE ON FUNCTION image_library_internal.write_images TO image_library_agent;

CREATE FUNCTION image_library_internal.is_more_complete(image jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (now_unread < was_unread OR now_unread = was_unread AND came) AND NOT went
  FROM image_library_internal.image i
  CROSS JOIN LATERAL (
    SELECT array_position('{config,manifest}', image ->> 'unread') AS now, array_position('{config,manifest}', i.unread) AS was) u
  CROSS JOIN LATERAL (SELECT coalesce(u.now, 0) AS now_unread, coalesce(u.was, 0) AS was_unread) rank
  CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(NOT p.present AND NOT n.absent), false) AS came, coalesce(bool_or(p.present AND n.absent), false) AS went
    FROM image_library_internal.image_platform p
    CROSS JOIN LATERAL (
      SELECT EXISTS (SELECT FROM jsonb_to_recordset(image -> 'platforms') AS read (manifest_digest text, present boolean)
                     WHERE read.manifest_digest = p.manifest_digest AND NOT read.present) AS absent) n
    WHERE p.digest = i.digest) platforms
  WHERE i.digest = image ->> 'digest'
$$;
COMMENT ON FUNCTION image_library_internal.is_more_complete IS
  'Whether more of an image was read than is stored, or manifests that the stored one lacks, and none was lost; null: it is not stored';
GRANT EXECUTE ON FUNCTION image_library_internal.is_more_complete TO image_library_agent;

-- Adds what an image lacked when it was first read. Platforms that were present stay present.
CREATE FUNCTION image_library_internal.complete_images(images jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  place record;
BEGIN
  -- Locks all repositories that have the images, in the order in which every function locks several repositories.
  FOR place IN
    SELECT DISTINCT r.registry_id, r.repository_id
    FROM jsonb_array_elements(images) i
    JOIN image_library_internal.tag t ON t.digest = i ->> 'digest' JOIN image_library_internal.repository r USING (repository_id)
    ORDER BY 1, 2
  LOOP
    PERFORM image_library_internal.lock_repository(place.registry_id, place.repository_id, for_batch => true);
  END LOOP;
  DELETE FROM image_library_internal.image_platform p
  USING jsonb_array_elements(images) n JOIN image_library_internal.image i ON i.digest = n ->> 'digest'
  WHERE p.digest = i.digest AND (NOT p.present OR i.unread IS NOT NULL);
  PERFORM image_library_internal.write_platforms(images);
  UPDATE image_library_internal.image i
  SET media_type = n.media_type, unread = n.unread, artifact_type = n.artifact_type, config_type = n.config_type, config_digest = n.config_digest,
      layer_types = n.layer_types, size_bytes = n.size_bytes, created_at = n.created_at, created_text = n.created_text,
      annotations = n.annotations, labels = n.labels, title = n.title, description = n.description, version = n.version,
      platforms = ARRAY(SELECT DISTINCT p.platform COLLATE "C" FROM image_library_internal.image_platform p
                        WHERE p.digest = i.digest ORDER BY 1)
  FROM image_library_internal.read_images(images) n
  WHERE i.digest = n.digest;
  FOR place IN
    SELECT t.repository_id, array_agg(t.name) AS tags
    FROM jsonb_array_elements(images) i JOIN image_library_internal.tag t ON t.digest = i ->> 'digest'
    GROUP BY 1 ORDER BY 1
  LOOP
    PERFORM image_library_internal.approve_by_rule(place.repository_id, place.tags);
    PERFORM image_library_internal.refresh_entries(place.repository_id, place.tags);
    PERFORM image_library_internal.approve_by_policy(place.repository_id, place.tags);
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.complete_images IS
  'Stores what could not be read or did not exist when an image was first read, classifies the image again, and lets rules approve it';
GRANT EXECUTE ON FUNCTION image_library_internal.complete_images TO image_library_agent;

-- The manifest may exist in another repository that has the image, so only the last repository with the image can mark
-- it as not present.
CREATE FUNCTION image_library_internal.write_gone_children(repository_id integer, gone_children jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE image_library_internal.image_platform p SET present = false
  FROM jsonb_to_recordset(gone_children) AS gone (image text, digest text)
  WHERE p.digest = gone.image AND p.manifest_digest = gone.digest AND p.present AND p.manifest_digest <> p.digest
    AND NOT EXISTS (SELECT FROM image_library_internal.tag t
                    WHERE t.digest IN (gone.image, gone.digest) AND t.missing_since IS NULL
                      AND t.repository_id <> write_gone_children.repository_id)
$$;
COMMENT ON FUNCTION image_library_internal.write_gone_children IS
  'Marks manifests that an index names as not present if a repository does not have them any more, unless another repository has the image';
GRANT EXECUTE ON FUNCTION image_library_internal.write_gone_children TO image_library_agent;

CREATE FUNCTION image_library_internal.write_referrers(repository_id integer, batch jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- A complete answer removes the referrers that it lacks. For a tag that is no longer listed, all referrers that it
  -- held are removed.
  DELETE FROM image_library_internal.image_referrer x
  USING jsonb_to_recordset(batch -> 'referrer_answers') AS a (digest text, tag text)
  WHERE x.repository_id = write_referrers.repository_id AND x.tag IS NOT DISTINCT FROM a.tag
    AND (x.digest = a.digest OR a.digest IS NULL)
    AND NOT EXISTS (SELECT FROM jsonb_to_recordset(batch -> 'referrers') AS r (digest text, referrer_digest text, tag text)
                    WHERE r.digest = x.digest AND r.referrer_digest = x.referrer_digest AND r.tag IS NOT DISTINCT FROM x.tag);
  INSERT INTO image_library_internal.image_referrer AS x
    (repository_id, digest, referrer_digest, artifact_type, size_bytes, annotations, source, tag)
  SELECT DISTINCT ON (r.digest, r.referrer_digest, r.tag)
         write_referrers.repository_id, r.digest, r.referrer_digest, r.artifact_type, r.size_bytes, r.annotations, r.source, r.tag
  FROM jsonb_to_recordset(batch -> 'referrers') AS r (
    digest text, referrer_digest text, artifact_type text, size_bytes bigint, annotations jsonb, source text, tag text)
  ORDER BY r.digest, r.referrer_digest, r.tag
  ON CONFLICT ON CONSTRAINT image_referrer_digest_referrer_digest_repository_id_tag_key DO UPDATE
  -- Annotations that were read from a manifest are not in every later answer, and do not change.
  SET artifact_type = excluded.artifact_type, size_bytes = excluded.size_bytes,
      annotations = CASE excluded.annotations WHEN '{}' THEN x.annotations ELSE excluded.annotations END
  WHERE (x.artifact_type, x.size_bytes) IS DISTINCT FROM (excluded.artifact_type, excluded.size_bytes)
     OR excluded.annotations NOT IN ('{}', x.annotations);
  INSERT INTO image_library_internal.referrer_check AS c (repository_id, digest, checked_at)
  SELECT write_referrers.repository_id, checked.digest, clock_timestamp()
  FROM jsonb_array_elements_text(batch -> 'referrers_checked') AS checked (digest)
  ON CONFLICT ON CONSTRAINT referrer_check_pkey DO UPDATE SET checked_at = excluded.checked_at;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_referrers IS
  'Stores the referrers of images that a batch found in a repository, and removes those that a complete answer lacks';
GRANT EXECUTE ON FUNCTION image_library_internal.write_referrers TO image_library_agent;

CREATE FUNCTION image_library_internal.write_removals(repository_id integer, refused text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF cardinality(refused) = 0 THEN
    DELETE FROM image_library_internal.refused_removal f WHERE f.repository_id = write_removals.repository_id;
    RETURN;
  END IF;
  INSERT INTO image_library_internal.refused_removal AS f (repository_id, tags)
  VALUES (write_removals.repository_id, refused)
  ON CONFLICT ON CONSTRAINT refused_removal_pkey DO UPDATE
  SET tags = excluded.tags, refused_at = excluded.refused_at, accepted_at = NULL, accepted_by = NULL
  WHERE f.tags <> excluded.tags OR f.accepted_at IS NOT NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_removals IS
  'Stores the tags whose removal was refused until a person accepts it; no tags: the listing was accepted';
GRANT EXECUTE ON FUNCTION image_library_internal.write_removals TO image_library_agent;

CREATE TYPE image_library_internal.found_tag AS (name text, digest text, rule_id bigint);
COMMENT ON TYPE image_library_internal.found_tag IS 'A tag of a batch and the digest that the registry has for it';

-- Arrays are joined with the tables by key, so that the cost of a batch does not depend on the size of the repository.
CREATE FUNCTION image_library_internal.write_periods(repository_id integer, arrived image_library_internal.found_tag[], missing text[],
  at timestamptz)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  ended text[] := ARRAY(
    SELECT now.name
    FROM (SELECT f.name, f.digest FROM unnest(arrived) f
          UNION ALL
          SELECT m.name, NULL FROM unnest(missing) m (name)) AS now
    CROSS JOIN LATERAL (
      SELECT p.digest FROM image_library_internal.tag_period p
      WHERE p.repository_id = write_periods.repository_id AND p.tag = now.name AND p.until IS NULL OFFSET 0) open
    WHERE open.digest IS DISTINCT FROM now.digest);
  moved text;
BEGIN
  FOREACH moved IN ARRAY ended LOOP
    UPDATE image_library_internal.tag_period p SET until = greatest(at, p.since + interval '1 microsecond')
    WHERE p.repository_id = write_periods.repository_id AND p.tag = moved AND p.until IS NULL;
  END LOOP;
  INSERT INTO image_library_internal.tag_period (repository_id, tag, since, digest)
  SELECT write_periods.repository_id, f.name,
         greatest(at, (SELECT max(p.until) FROM image_library_internal.tag_period p
                       WHERE p.repository_id = write_periods.repository_id AND p.tag = f.name)),
         f.digest
  FROM unnest(arrived) f
  LEFT JOIN LATERAL (
    SELECT p.tag FROM image_library_internal.tag_period p
    WHERE p.repository_id = write_periods.repository_id AND p.tag = f.name AND p.until IS NULL OFFSET 0) open ON true
  WHERE open.tag IS NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_periods IS
  'Ends the periods of tags that moved or are missing, and begins those of the digests that tags point at now';
GRANT EXECUTE ON FUNCTION image_library_internal.write_periods TO image_library_agent;

CREATE FUNCTION image_library_internal.write_tags(repository_id integer, batch jsonb,
  OUT tags_added bigint, OUT tags_moved bigint, OUT tags_missing bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  at timestamptz := clock_timestamp();
  arrived image_library_internal.found_tag[] := ARRAY(
    -- A rule that was dropped since the run began does not decide.
    SELECT (n.name, n.digest, r.rule_id)::image_library_internal.found_tag
    FROM jsonb_to_recordset(batch -> 'tags') AS n (name text, digest text, rule_id bigint)
    LEFT JOIN LATERAL (
      SELECT u.rule_id FROM image_library_internal.rule u WHERE u.rule_id = n.rule_id AND u.enabled OFFSET 0) r ON true
    ORDER BY n.name COLLATE "C");
  arrived_names text[] := ARRAY(SELECT f.name FROM unnest(arrived) f);
  missing text[] := ARRAY(SELECT jsonb_array_elements_text(batch -> 'missing'));
  pointed_anew text[];
  gone text;
BEGIN
  PERFORM image_library_internal.write_periods(repository_id, arrived, missing, at);
  PERFORM image_library_internal.emit_tags(repository_id, arrived, missing);

  SELECT count(*) FILTER (WHERE t.digest IS NULL), count(*) FILTER (WHERE t.digest <> f.digest),
         coalesce(array_agg(f.name) FILTER (WHERE t.digest IS DISTINCT FROM f.digest), '{}')
  INTO tags_added, tags_moved, pointed_anew
  FROM unnest(arrived) f
  LEFT JOIN LATERAL (
    SELECT x.digest FROM image_library_internal.tag x
    WHERE x.repository_id = write_tags.repository_id AND x.name = f.name OFFSET 0) t ON true;

  INSERT INTO image_library_internal.tag AS t (repository_id, registry_id, name, digest, rule_id, first_seen_at, digest_changed_at)
  SELECT r.repository_id, r.registry_id, f.name, f.digest, f.rule_id, at, at
  FROM unnest(arrived) f CROSS JOIN image_library_internal.repository r
  WHERE r.repository_id = write_tags.repository_id
  ON CONFLICT ON CONSTRAINT tag_pkey DO UPDATE
  SET digest = excluded.digest,
      rule_id = excluded.rule_id,
      missing_since = NULL,
      digest_changed_at = CASE WHEN t.digest = excluded.digest THEN t.digest_changed_at ELSE at END
  WHERE (t.digest, t.rule_id, t.missing_since) IS DISTINCT FROM (excluded.digest, excluded.rule_id, NULL);

  tags_missing := 0;
  FOREACH gone IN ARRAY missing LOOP
    UPDATE image_library_internal.tag t SET missing_since = at
    WHERE t.repository_id = write_tags.repository_id AND t.name = gone AND t.missing_since IS NULL;
    tags_missing := tags_missing + CASE WHEN FOUND THEN 1 ELSE 0 END;
  END LOOP;

  PERFORM image_library_internal.reset_by_stricter_rule(write_tags.repository_id, pointed_anew);
  PERFORM image_library_internal.approve_by_rule(write_tags.repository_id, arrived_names);
  PERFORM image_library_internal.refresh_entries(write_tags.repository_id, arrived_names || missing);
  PERFORM image_library_internal.approve_by_policy(write_tags.repository_id, arrived_names);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_tags IS
  'Stores new, moved, returned and missing tags of a batch, their history, read model and approval by rule';
GRANT EXECUTE ON FUNCTION image_library_internal.write_tags TO image_library_agent;

CREATE FUNCTION image_library_internal.write_problems(registry_id integer, repository text, batch jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM image_library_internal.problem p
  USING jsonb_array_elements_text(batch -> 'checked') AS checked (tag)
  WHERE p.registry_id = write_problems.registry_id AND p.repository = write_problems.repository
    AND p.tag = checked.tag;
  INSERT INTO image_library_internal.problem AS p (registry_id, repository, tag, problem, detail)
  SELECT DISTINCT ON (n.tag) write_problems.registry_id, write_problems.repository, coalesce(n.tag, ''), n.problem, n.detail
  FROM jsonb_to_recordset(batch -> 'problems') AS n (tag text, problem text, detail text)
  ORDER BY n.tag
  ON CONFLICT ON CONSTRAINT problem_pkey DO UPDATE
  SET problem = excluded.problem, detail = excluded.detail, last_seen_at = excluded.last_seen_at
  WHERE (p.problem, p.detail) IS DISTINCT FROM (excluded.problem, excluded.detail);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_problems IS
  'Stores the problems of a batch, and ends those that the batch names as checked';
GRANT EXECUTE ON FUNCTION image_library_internal.write_problems TO image_library_agent;

CREATE FUNCTION image_library_internal.write_batch(registry_id integer, repository text, batch jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer;
  incomplete text[];
  completed jsonb;
  images_added bigint;
  counts record;
BEGIN
  PERFORM image_library_internal.write_problems(registry_id, repository, batch);
  -- Problems alone do not add a repository that was never read.
  IF NOT EXISTS (SELECT FROM unnest('{completed,tags,missing,referrers,referrer_answers,referrers_checked,gone_children}'::text[]) part
                 WHERE jsonb_array_length(batch -> part) > 0)
     AND batch ->> 'listing' IS NULL AND batch ->> 'refused_removals' IS NULL AND batch ->> 'settled' IS NULL THEN
    RETURN '{}';
  END IF;
  -- An image of which something was not read is completed, also from another repository that has more of it.
  incomplete := ARRAY(SELECT k.digest
                      FROM image_library_internal.known_images(jsonb_path_query_array(batch, '$.images[*].digest')) k WHERE NOT k.whole);
  completed := coalesce(batch -> 'completed', '[]');
  IF cardinality(incomplete) > 0 THEN
    SELECT completed || coalesce(jsonb_agg(i.image), '[]') INTO completed
    FROM jsonb_array_elements(batch -> 'images') AS i (image)
    WHERE i.image ->> 'digest' = ANY (incomplete) AND image_library_internal.is_more_complete(i.image);
  END IF;
  IF jsonb_array_length(completed) > 0 THEN
    PERFORM image_library_internal.complete_images(completed);
  END IF;
  id := image_library_internal.repository_id(registry_id, repository);
  PERFORM image_library_internal.lock_repository(registry_id, id, for_batch => true);
  images_added := image_library_internal.write_images(batch);
  IF jsonb_array_length(batch -> 'gone_children') > 0 THEN
    PERFORM image_library_internal.write_gone_children(id, batch -> 'gone_children');
  END IF;
  IF EXISTS (SELECT FROM unnest('{referrers,referrer_answers,referrers_checked}'::text[]) part
             WHERE jsonb_array_length(batch -> part) > 0) THEN
    PERFORM image_library_internal.write_referrers(id, batch);
  END IF;
  IF batch ->> 'refused_removals' IS NOT NULL THEN
    PERFORM image_library_internal.write_removals(id, ARRAY(SELECT jsonb_array_elements_text(batch -> 'refused_removals')));
  END IF;
  SELECT * INTO counts FROM image_library_internal.write_tags(id, batch);
  IF batch ->> 'listing' IS NOT NULL THEN
    INSERT INTO image_library_internal.listing AS l (repository_id, tags, fingerprint)
    VALUES (id, ARRAY(SELECT jsonb_array_elements_text(batch -> 'listing')), batch ->> 'fingerprint')
    ON CONFLICT ON CONSTRAINT listing_pkey DO UPDATE
    SET tags = excluded.tags, fingerprint = excluded.fingerprint, changed_at = excluded.changed_at
    WHERE l.fingerprint <> excluded.fingerprint;
    -- The option newest of rules depends on the whole listing.
    PERFORM image_library_internal.decide_repository(id, image_library_internal.rules_json(registry_id), NULL);
  END IF;
  PERFORM image_library_internal.write_settled(id, batch);
  RETURN jsonb_build_object('images_added', images_added, 'tags_added', counts.tags_added,
                            'tags_moved', counts.tags_moved, 'tags_missing', counts.tags_missing);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_batch IS
  'Stores what a sync found in one repository; returns the numbers of new rows';
GRANT EXECUTE ON FUNCTION image_library_internal.write_batch TO image_library_agent;
-- Events: a log that clients can read from any position, and a NOTIFY that tells when to read it.

-- The transaction needs its ID before the event gets its number. Otherwise events_since could skip the event.
CREATE TABLE image_library_internal.event (
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  event_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  event text NOT NULL,
  registry_id integer,
  registry text,
  repository text,
  tag text,
  digest text,
  detail jsonb NOT NULL
);
COMMENT ON TABLE image_library_internal.event IS
  'Events of the library, written in the transaction in which they happen';
COMMENT ON COLUMN image_library_internal.event.transaction IS
  'Transaction that wrote the event, which is returned when every older transaction has ended';
GRANT SELECT, INSERT, DELETE ON image_library_internal.event TO image_library_agent;

-- PostgreSQL merges equal notifications of a transaction, so that a sync of 1,000 tags sends one for each kind of
-- event.
CREATE FUNCTION image_library_internal.notify(event text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  -- Every role that listens sees the payload, so it contains no names.
  SELECT pg_notify('image_library', jsonb_build_object('event', event)::text)
$$;
COMMENT ON FUNCTION image_library_internal.notify IS 'Notifies the listeners when this transaction commits';
GRANT EXECUTE ON FUNCTION image_library_internal.notify TO image_library_agent;

CREATE FUNCTION image_library_internal.emit(event text, registry_id integer, registry text, repository text, tag text,
  digest text, detail jsonb DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO image_library_internal.event (event, registry_id, registry, repository, tag, digest, detail)
  VALUES (emit.event, emit.registry_id, emit.registry, emit.repository, emit.tag, emit.digest, jsonb_strip_nulls(emit.detail));
  PERFORM image_library_internal.notify(event);
END
$$;
COMMENT ON FUNCTION image_library_internal.emit IS 'Writes one event';
GRANT EXECUTE ON FUNCTION image_library_internal.emit TO image_library_agent;

-- Called before the tags are written: compares the new tags with the stored ones.
CREATE FUNCTION image_library_internal.emit_tags(repository_id integer, arrived image_library_internal.found_tag[], missing text[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  told text;
BEGIN
  FOR told IN
    WITH happened AS (
      SELECT CASE WHEN t.digest IS NULL THEN 'tag added'
                  WHEN t.digest <> f.digest THEN 'tag moved'
                  WHEN t.missing_since IS NOT NULL THEN 'tag returned' END AS event,
             f.name AS tag, f.digest, t.digest AS previous
      FROM unnest(arrived) f
      LEFT JOIN LATERAL (
        SELECT x.digest, x.missing_since FROM image_library_internal.tag x
        WHERE x.repository_id = emit_tags.repository_id AND x.name = f.name OFFSET 0) t ON true
      UNION ALL
      SELECT 'tag missing', t.name, t.digest, NULL
      FROM unnest(missing) m (name)
      CROSS JOIN LATERAL (
        SELECT x.name, x.digest FROM image_library_internal.tag x
        WHERE x.repository_id = emit_tags.repository_id AND x.name = m.name AND x.missing_since IS NULL OFFSET 0) t
    ), written AS (
      INSERT INTO image_library_internal.event AS e (event, registry_id, registry, repository, tag, digest, detail)
      SELECT h.event, g.registry_id, g.name, r.name, h.tag, h.digest,
             CASE WHEN h.event = 'tag moved' THEN jsonb_build_object('previous_digest', h.previous) ELSE '{}' END
      FROM happened h
      JOIN image_library_internal.repository r ON r.repository_id = emit_tags.repository_id
      JOIN image_library_internal.registry g USING (registry_id)
      WHERE h.event IS NOT NULL
      ORDER BY h.tag COLLATE "C"
      RETURNING e.event
    )
    SELECT DISTINCT w.event FROM written w
  LOOP
    PERFORM image_library_internal.notify(told);
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.emit_tags IS
  'Writes events for the new, moved, returned and missing tags of a batch';
GRANT EXECUTE ON FUNCTION image_library_internal.emit_tags TO image_library_agent;

CREATE VIEW image_library.events WITH (security_barrier) AS
  SELECT e.event_id, e.at, e.event, e.registry, e.repository, e.tag, e.digest, e.detail
  FROM image_library_internal.event e
  -- As with decisions, only admins see events of dropped registries.
  WHERE e.registry_id IS NULL OR (SELECT image_library_internal.sees_everything())
     OR e.registry_id IN (SELECT g.registry_id FROM image_library_internal.visible_registry g);
COMMENT ON VIEW image_library.events IS 'Log of events; events_since returns those after a number';
GRANT SELECT ON image_library.events TO image_library_reader;

CREATE FUNCTION image_library.events_since(sequence bigint, max_rows integer DEFAULT 1000)
RETURNS SETOF image_library.events
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  -- Numbers are assigned before transactions commit. An event is held back while an older transaction runs, so that a
  -- client that continues from its last number misses none.
  SELECT v.*
  FROM image_library.events v
  JOIN image_library_internal.event e USING (event_id)
  WHERE v.event_id > events_since.sequence
    AND v.event_id < coalesce(
      (SELECT min(later.event_id) FROM image_library_internal.event later
       WHERE later.event_id > events_since.sequence
         AND later.transaction >= pg_snapshot_xmin(pg_current_snapshot())
         -- A transaction ID in the future was restored by pg_dump from another server, or is that of the current
         -- transaction.
         AND (later.transaction < pg_snapshot_xmax(pg_current_snapshot())
              OR later.transaction = pg_current_xact_id_if_assigned())), 9223372036854775807)
  ORDER BY v.event_id
  LIMIT greatest(coalesce(max_rows, 1000), 0)
$$;
COMMENT ON FUNCTION image_library.events_since IS
  'Events after a number, oldest first; an event is returned only when no older transaction can add one before it. Begin with 0';
GRANT EXECUTE ON FUNCTION image_library.events_since TO image_library_reader;

-- The module defines the settings. In a session that has not loaded it, current_setting returns the text of
-- postgresql.conf, without the unit.
CREATE FUNCTION image_library_internal.retention(setting text) RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.is_tag('loads the module');
  RETURN nullif(current_setting(setting), '-1')::interval;
END
$$;
COMMENT ON FUNCTION image_library_internal.retention IS
  'Value of a setting that is a time; null: -1, without end';
GRANT EXECUTE ON FUNCTION image_library_internal.retention TO image_library_agent;

-- Limited, so that a run does not take long; the next run removes more.
CREATE FUNCTION image_library_internal.remove_old_history(max_rows integer DEFAULT 10000, OUT events bigint, OUT runs bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  events_until timestamptz := now() - image_library_internal.retention('image_library.event_retention');
  runs_until timestamptz := now() - image_library_internal.retention('image_library.run_retention');
BEGIN
  DELETE FROM image_library_internal.event e
  USING (SELECT o.event_id, o.at FROM image_library_internal.event o ORDER BY o.event_id
         LIMIT CASE WHEN (SELECT f.at FROM image_library_internal.event f ORDER BY f.event_id LIMIT 1) < events_until
                    THEN max_rows ELSE 0 END) oldest
  WHERE e.event_id = oldest.event_id AND oldest.at < events_until;
  GET DIAGNOSTICS events = ROW_COUNT;
  -- The last run, the last one that did not fail, and those since determine what is due and how long to wait.
  DELETE FROM image_library_internal.run r
  USING (SELECT k.registry_id, max(k.run_id) AS last, max(k.run_id) FILTER (WHERE k.outcome IN ('complete', 'partial')) AS last_good,
                max(k.run_id) FILTER (WHERE k.outcome = 'complete') AS last_complete
         FROM image_library_internal.run k GROUP BY 1) kept
  WHERE r.registry_id = kept.registry_id AND r.started_at < runs_until AND r.run_id < kept.last
    AND r.run_id < coalesce(kept.last_good, 0) AND r.run_id <> coalesce(kept.last_complete, 0);
  GET DIAGNOSTICS runs = ROW_COUNT;
END
$$;
COMMENT ON FUNCTION image_library_internal.remove_old_history IS
  'Removes events, up to a number, and runs that are older than image_library.event_retention and run_retention';
GRANT EXECUTE ON FUNCTION image_library_internal.remove_old_history TO image_library_agent;

CREATE FUNCTION image_library.purge_history(OUT events bigint, OUT runs bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin('purge history');
  SELECT p.events, p.runs INTO events, runs FROM image_library_internal.remove_old_history(2147483647) p;
  PERFORM image_library_internal.audit_purge('history', jsonb_build_object(
    'event_retention', image_library_internal.retention('image_library.event_retention'), 'events', events,
    'run_retention', image_library_internal.retention('image_library.run_retention'), 'runs', runs));
END
$$;
COMMENT ON FUNCTION image_library.purge_history IS
  'Removes events and runs older than image_library.event_retention and run_retention now, as the agent does when a run begins; recorded in the audit';
GRANT EXECUTE ON FUNCTION image_library.purge_history TO image_library_admin;

CREATE FUNCTION image_library.purge_events(older_than interval DEFAULT '90 days') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  purged bigint;
BEGIN
  PERFORM image_library_internal.require_admin('purge events');
  IF older_than IS NULL OR older_than < interval '0' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('cannot purge events older than %s', coalesce(older_than::text, 'null')));
  END IF;
  DELETE FROM image_library_internal.event e WHERE e.at < now() - older_than;
  GET DIAGNOSTICS purged = ROW_COUNT;
  PERFORM image_library_internal.audit_purge('events', jsonb_build_object('older_than', older_than, 'events', purged));
  RETURN purged;
END
$$;
COMMENT ON FUNCTION image_library.purge_events IS
  'Removes events older than an interval; returns their number; recorded in the audit';
GRANT EXECUTE ON FUNCTION image_library.purge_events TO image_library_admin;
-- Token servers and warnings of registries, as seen in syncs.

CREATE TABLE image_library_internal.registry_note (
  registry_id integer PRIMARY KEY REFERENCES image_library_internal.registry ON DELETE CASCADE,
  token_server text,
  warning text,
  noted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE image_library_internal.registry_note IS 'Token server and warning of a registry, from the last sync';
COMMENT ON COLUMN image_library_internal.registry_note.token_server IS
  'Host of the token server; a change is reported as an event';
COMMENT ON COLUMN image_library_internal.registry_note.warning IS 'Text of the last Warning header';
GRANT SELECT, INSERT, UPDATE ON image_library_internal.registry_note TO image_library_agent;

CREATE FUNCTION image_library_internal.note_registry(registry_id integer, token_server text, warning text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known image_library_internal.registry_note;
BEGIN
  SELECT n.* INTO known FROM image_library_internal.registry_note n WHERE n.registry_id = note_registry.registry_id;
  token_server := coalesce(token_server, known.token_server);
  -- A warning that the last run did not see is removed.
  IF known.registry_id IS NOT NULL AND (known.token_server, known.warning) IS NOT DISTINCT FROM (token_server, warning)
     OR known.registry_id IS NULL AND coalesce(token_server, warning) IS NULL THEN
    RETURN;
  END IF;
  INSERT INTO image_library_internal.registry_note AS n (registry_id, token_server, warning)
  VALUES (note_registry.registry_id, note_registry.token_server, note_registry.warning)
  ON CONFLICT ON CONSTRAINT registry_note_pkey DO UPDATE
  SET token_server = excluded.token_server, warning = excluded.warning, noted_at = excluded.noted_at;
  -- A token server gives access to everything that it issues tokens for, so a change is reported.
  IF known.token_server <> token_server THEN
    PERFORM image_library_internal.emit('token server changed', g.registry_id, g.name, NULL, NULL, NULL,
      jsonb_build_object('previous', known.token_server, 'token_server', note_registry.token_server))
    FROM image_library_internal.registry g WHERE g.registry_id = note_registry.registry_id;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.note_registry IS
  'Stores token server and warning of a registry from a run; writes an event if the token server has changed';
GRANT EXECUTE ON FUNCTION image_library_internal.note_registry TO image_library_agent;
-- Decisions: approve, reject, revoke, reset.

-- PL/pgSQL caches plans; bulk approval calls these functions once for each image.
CREATE FUNCTION image_library_internal.refresh_entry_approval(repository_id integer, digests text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  UPDATE image_library_internal.entry e
  SET approval = a.state, usable_until = image_library_internal.usable_until(a.state, a.valid_until, a.deprecated_from, a.quarantined_at IS NOT NULL), deprecated_from = a.deprecated_from
  FROM image_library_internal.approval a
  WHERE e.repository_id = refresh_entry_approval.repository_id AND e.digest = ANY (digests)
    AND a.repository_id = e.repository_id AND a.digest = e.digest
    AND (e.approval, e.usable_until, e.deprecated_from)
        IS DISTINCT FROM (a.state, image_library_internal.usable_until(a.state, a.valid_until, a.deprecated_from, a.quarantined_at IS NOT NULL), a.deprecated_from);
  UPDATE image_library_internal.tag t
  SET approval = a.state, waits_from = image_library_internal.waits_from(a.state, a.valid_until, a.quarantined_at IS NOT NULL),
      waits_until = a.deprecated_from
  FROM image_library_internal.approval a
  WHERE t.repository_id = refresh_entry_approval.repository_id AND t.digest = ANY (digests)
    AND a.repository_id = t.repository_id AND a.digest = t.digest
    AND (t.approval, t.waits_from, t.waits_until)
        IS DISTINCT FROM (a.state, image_library_internal.waits_from(a.state, a.valid_until, a.quarantined_at IS NOT NULL), a.deprecated_from);
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_entry_approval IS
  'Updates the approval in the read model and beside the tags for some digests';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_entry_approval TO image_library_agent;

-- If two sessions decide at the same time, the second waits here and then sees the decision of the first.
CREATE FUNCTION image_library_internal.lock_approval(repository_id integer, digest text) RETURNS image_library_internal.approval
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  locked image_library_internal.approval;
BEGIN
  INSERT INTO image_library_internal.approval (repository_id, digest, state)
  VALUES (lock_approval.repository_id, lock_approval.digest, 'pending')
  ON CONFLICT ON CONSTRAINT approval_pkey DO NOTHING;
  SELECT a.* INTO STRICT locked
  FROM image_library_internal.approval a
  WHERE a.repository_id = lock_approval.repository_id AND a.digest = lock_approval.digest
  FOR UPDATE;
  RETURN locked;
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_approval IS
  'State of an image, which no other session can change until this transaction ends';

-- Reasons are shown in terminals and logs.
CREATE FUNCTION image_library_internal.check_reason(reason text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF length(reason) > 10000 OR reason ~ '[\x01-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => CASE WHEN length(reason) > 10000 THEN format('the reason is too long: %s characters', length(reason))
                     ELSE 'the reason has control characters' END,
      hint => 'It may have 10000 characters, tabs and new lines among them.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_reason IS
  'Raises 22023 if a reason is too long or has control characters';

CREATE FUNCTION image_library_internal.lock_image(reference text, verb text, in_registry text) RETURNS record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, in_registry);
BEGIN
  PERFORM image_library_internal.require_team(format('%s image "%s"', verb, reference), image.repository_id, image.digest);
  PERFORM image_library_internal.lock_repository(image.registry_id, image.repository_id, for_batch => false);
  -- The decision is written beside these tags too. All transactions lock tags before approvals.
  PERFORM FROM image_library_internal.tag t
  WHERE t.repository_id = image.repository_id AND t.digest = image.digest ORDER BY t.name FOR NO KEY UPDATE;
  -- Refuses the decision if a sync or a change of rules has changed the tag while this session waited for it.
  PERFORM FROM image_library_internal.tag t
  WHERE t.repository_id = image.repository_id AND t.name = image.tag AND t.digest = coalesce(image.moved_to, image.digest)
    AND (t.rule_id, t.missing_since) IS NOT DISTINCT FROM (image.rule_id, image.missing_since);
  IF NOT FOUND AND image.tag IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot %s image "%s": it changed at this moment', verb, reference),
      detail => 'A sync moved its tag, or a change of rules decided on it anew.',
      hint => 'Look at the image again, then decide.');
  END IF;
  RETURN image;
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_image IS
  'Result of find_image, if the acting role may decide on it; locked against changes by syncs and rules';

CREATE FUNCTION image_library_internal.decided_so(decision_id bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('%s decided so at %s%s.', d.actor, d.decided_at, ': ' || d.reason)
  FROM image_library_internal.decision d WHERE d.decision_id = decided_so.decision_id
$$;
COMMENT ON FUNCTION image_library_internal.decided_so IS 'Description of a decision; null: there is none';

-- SELECT approve(reference) FROM pending_images ... calls this once for each tag of an image; the first call decides
-- for all.
CREATE FUNCTION image_library_internal.decided_just_now(registry_id integer, repository text, digest text, verb text,
  valid_until timestamptz DEFAULT NULL)
RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce((
    SELECT d.statement_at = statement_timestamp() AND d.actor = session_user
           AND (d.action = verb AND d.valid_until IS NOT DISTINCT FROM decided_just_now.valid_until
                OR verb = 'approve' AND d.action = 'vote')
    FROM image_library_internal.decision d
    WHERE d.digest = decided_just_now.digest AND d.registry_id = decided_just_now.registry_id
      AND d.repository = decided_just_now.repository
    ORDER BY d.decision_id DESC LIMIT 1), false)
$$;
COMMENT ON FUNCTION image_library_internal.decided_just_now IS
  'Whether the session user has made this decision on the image in the running statement';

CREATE FUNCTION image_library_internal.decision_on(image record, action text, old_state text, new_state text, reason text)
RETURNS image_library_internal.decision
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  decision image_library_internal.decision;
BEGIN
  decision.registry_id := image.registry_id;
  decision.registry := image.registry;
  decision.repository := image.repository;
  decision.tag := image.tag;
  decision.digest := image.digest;
  decision.action := action;
  decision.old_state := old_state;
  decision.new_state := new_state;
  decision.reason := reason;
  RETURN decision;
END
$$;
COMMENT ON FUNCTION image_library_internal.decision_on IS 'A decision on an image, to be stored by tell_decision';
GRANT EXECUTE ON FUNCTION image_library_internal.decision_on TO image_library_agent;

CREATE FUNCTION image_library_internal.tell_decision(decision image_library_internal.decision) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  decision.decision_id := nextval('image_library_internal.decision_decision_id_seq');
  decision.actor := session_user;
  decision.decided_at := clock_timestamp();
  decision.statement_at := statement_timestamp();
  INSERT INTO image_library_internal.decision (decision_id, registry_id, registry, repository, tag, digest, old_state, new_state, actor,
                                      decided_at, reason, rule_id, policy, action, valid_until, deprecated_from, statement_at)
  VALUES (decision.decision_id, decision.registry_id, decision.registry, decision.repository, decision.tag, decision.digest,
          decision.old_state, decision.new_state, decision.actor, decision.decided_at, decision.reason, decision.rule_id,
          decision.policy, decision.action, decision.valid_until, decision.deprecated_from, decision.statement_at);
  PERFORM image_library_internal.emit('image ' || CASE decision.action
      WHEN 'approve' THEN 'approved' WHEN 'vote' THEN 'voted for' WHEN 'reject' THEN 'rejected' WHEN 'revoke' THEN 'revoked'
      WHEN 'deprecate' THEN 'deprecated' WHEN 'undeprecate' THEN 'undeprecated' WHEN 'quarantine' THEN 'quarantined'
      WHEN 'release' THEN 'released' ELSE decision.action END,
    decision.registry_id, decision.registry, decision.repository, decision.tag, decision.digest,
    jsonb_build_object('decision_id', decision.decision_id, 'actor', decision.actor, 'reason', decision.reason));
  RETURN decision.decision_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.tell_decision IS
  'Adds a row to the decisions with the current time and the session user; returns its number';
GRANT EXECUTE ON FUNCTION image_library_internal.tell_decision TO image_library_agent;

CREATE FUNCTION image_library_internal.check_approvable(reference text, tag text, rule_id bigint, missing_since timestamptz,
  current image_library_internal.approval)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- States that an approval would end do not prevent it.
  block text := (SELECT b FROM unnest(image_library_internal.blocks(tag, rule_id, missing_since, current, clock_timestamp())) WITH ORDINALITY AS u (b, n)
                 WHERE b NOT IN ('pending', 'rejected', 'revoked', 'expired') ORDER BY n LIMIT 1);
  told record;
BEGIN
  IF block IS NULL THEN
    RETURN;
  END IF;
  SELECT * INTO told FROM image_library_internal.why_blocked(block, missing_since, current);
  PERFORM image_library_internal.fail(
    errcode => 'object_not_in_prerequisite_state',
    message => format('cannot approve image "%s": %s', reference, told.why),
    detail => CASE block
      WHEN 'no tag' THEN 'Its tag points at another image now; see image_library.tag_history.'
      WHEN 'missing' THEN format('It is missing since %s.', missing_since)
      WHEN 'not admitted' THEN 'No enabled include rule takes the tag, or an exclude rule does.'
      ELSE image_library_internal.decided_so(told.decision_id) END,
    hint => CASE block
      WHEN 'quarantined' THEN 'Use image_library.release first.'
      WHEN 'deprecated' THEN 'Use image_library.undeprecate first.'
      WHEN 'not admitted' THEN told.hint
      ELSE 'Approve what its registry has now; see image_library.pending_images.' END);
END
$$;
COMMENT ON FUNCTION image_library_internal.check_approvable IS
  'Raises 55000 if an image cannot be approved, in any state';

CREATE FUNCTION image_library_internal.check_transition(reference text, verb text, new_state text, current image_library_internal.approval)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- An expired approval has the state approved, but waits for a decision like a pending image.
  states text[] := ARRAY[current.state] || CASE WHEN current.valid_until <= clock_timestamp() THEN '{pending}'::text[] ELSE '{}' END;
  allowed text[] := CASE new_state WHEN 'revoked' THEN '{approved}'::text[]
                                   WHEN 'pending' THEN '{approved,rejected,revoked}'
                                   ELSE '{pending}' END;
BEGIN
  IF states && allowed OR new_state = 'pending' AND EXISTS (
    SELECT FROM image_library_internal.approval_vote v WHERE v.repository_id = current.repository_id AND v.digest = current.digest)
  THEN
    RETURN;
  END IF;
  PERFORM image_library_internal.fail(
    errcode => 'object_not_in_prerequisite_state',
    message => format('cannot %s image "%s": it is %s', verb, reference, current.state),
    detail => coalesce(image_library_internal.decided_so(current.decision_id), 'Nobody has decided on it yet.'),
    hint => CASE WHEN current.state = new_state THEN 'Nothing needs to be done.'
                WHEN current.state = 'pending' THEN 'Only an approved image can be revoked; reject it instead.'
                ELSE 'Use image_library.reset first, to decide anew.' END);
END
$$;
COMMENT ON FUNCTION image_library_internal.check_transition IS
  'Raises 55000 if the state of an image does not allow a decision';

CREATE FUNCTION image_library_internal.decide(reference text, new_state text, reason text, in_registry text, valid_until timestamptz DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  verb text := CASE new_state WHEN 'approved' THEN 'approve' WHEN 'rejected' THEN 'reject'
                              WHEN 'revoked' THEN 'revoke' ELSE 'reset' END;
  image record := image_library_internal.lock_image(reference, verb, in_registry);
  current image_library_internal.approval := image_library_internal.lock_approval(image.repository_id, image.digest);
  votes record;
  people integer := 1;
  decision image_library_internal.decision;
BEGIN
  PERFORM image_library_internal.check_reason(reason);
  IF image_library_internal.decided_just_now(image.registry_id, image.repository, image.digest, verb, valid_until) THEN
    RETURN image.pinned_reference;
  END IF;
  IF new_state = 'approved' THEN
    PERFORM image_library_internal.check_approvable(reference, CASE WHEN image.moved_to IS NULL THEN image.tag END, image.rule_id, image.missing_since, current);
    PERFORM image_library_internal.check_read(reference, image.registry_id, image.repository, image.tag, image.digest);
  END IF;
  PERFORM image_library_internal.check_transition(reference, verb, new_state, current);
  IF new_state = 'approved' THEN
    PERFORM image_library_internal.check_policies(reference, image.registry, image.repository, image.digest);
  END IF;
  decision := image_library_internal.decision_on(image, verb, current.state, new_state, reason);
  IF new_state = 'approved' THEN
    SELECT * INTO votes
    FROM image_library_internal.count_votes(reference, image.repository_id, image.digest, decide.valid_until);
    decision.rule_id := votes.rule_id;
    decision.valid_until := votes.ends_at;
    people := votes.given;
    IF votes.given < votes.required THEN
      decision.action := 'vote';
      decision.new_state := current.state;
      PERFORM image_library_internal.tell_decision(decision);
      RETURN image.pinned_reference;
    END IF;
  END IF;
  decision.decision_id := image_library_internal.tell_decision(decision);
  UPDATE image_library_internal.approval a
  SET state = decide.new_state, approvals = people, decision_id = decision.decision_id, decided_at = clock_timestamp(),
      valid_until = decision.valid_until,
      reset_at = CASE WHEN decide.new_state = 'pending' THEN clock_timestamp() END
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  DELETE FROM image_library_internal.approval_vote v WHERE v.repository_id = image.repository_id AND v.digest = image.digest;
  IF new_state IN ('approved', 'rejected') THEN
    PERFORM image_library_internal.end_requests(image.repository_id, ARRAY[image.digest]);
  END IF;
  PERFORM image_library_internal.refresh_entry_approval(image.repository_id, ARRAY[image.digest]);
  IF new_state <> 'approved' THEN
    PERFORM image_library_internal.warn_of_users(image.repository_id, image.digest, image.pinned_reference);
  END IF;
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library_internal.decide IS
  'Makes a decision: state, row in decisions, read model; raises 55000 if the state does not allow it';

-- Without one, required_approvals is never 0.
CREATE FUNCTION image_library_internal.has_approving_rule(repository_id integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN EXISTS (
    SELECT FROM image_library_internal.repository r JOIN image_library_internal.rule u USING (registry_id)
    WHERE r.repository_id = has_approving_rule.repository_id AND u.enabled AND u.action = 'include' AND u.approval = 'auto');
END
$$;
COMMENT ON FUNCTION image_library_internal.has_approving_rule IS
  'Whether a rule of the registry that has a repository has approval => auto';
GRANT EXECUTE ON FUNCTION image_library_internal.has_approving_rule TO image_library_agent;

CREATE FUNCTION image_library_internal.approve_by_rule(repository_id integer, tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  undecided text[];
  approved_digests text[];
BEGIN
  -- Policies read the read model, which is written later: see approve_by_policy.
  IF image_library_internal.has_approval_policies() OR NOT image_library_internal.has_approving_rule(repository_id) THEN
    RETURN;
  END IF;
  -- A digest may be pending because of another tag of it, whose rule has been dropped.
  undecided := ARRAY(
    SELECT DISTINCT t.digest
    FROM unnest(tags) AS asked (name)
    JOIN image_library_internal.tag t ON t.repository_id = approve_by_rule.repository_id AND t.name = asked.name
    JOIN image_library_internal.image i ON i.digest = t.digest AND i.unread IS NULL
    WHERE NOT EXISTS (SELECT FROM image_library_internal.approval a WHERE a.repository_id = t.repository_id AND a.digest = t.digest));
  IF cardinality(undecided) = 0 THEN
    RETURN;
  END IF;
  WITH arrived AS (
    SELECT DISTINCT ON (t.digest) r.registry_id, r.registry, r.repository, t.name AS tag, t.digest, t.rule_id
    FROM image_library_internal.required_approvals(approve_by_rule.repository_id, undecided) asked
    CROSS JOIN LATERAL (
      SELECT x.name, x.digest, x.rule_id FROM image_library_internal.tag x
      WHERE x.repository_id = approve_by_rule.repository_id AND x.digest = asked.digest
        AND x.rule_id IS NOT NULL AND x.missing_since IS NULL OFFSET 0) t
    JOIN image_library_internal.full_repository r ON r.repository_id = approve_by_rule.repository_id
    WHERE asked.required = 0
    ORDER BY t.digest, t.name
  ), approved AS (
    -- If another session has decided at the same time, its row exists, and nothing is written.
    INSERT INTO image_library_internal.approval AS a (repository_id, digest, state, approvals, decision_id)
    SELECT approve_by_rule.repository_id, n.digest, 'approved', 0, nextval('image_library_internal.decision_decision_id_seq')
    FROM arrived n ORDER BY n.digest
    ON CONFLICT ON CONSTRAINT approval_pkey DO NOTHING
    RETURNING a.digest, a.decision_id
  ), told AS (
    INSERT INTO image_library_internal.decision AS d (decision_id, registry_id, registry, repository, tag, digest, old_state, new_state,
                                             action, reason, rule_id)
    SELECT p.decision_id, n.registry_id, n.registry, n.repository, n.tag, n.digest, 'pending', 'approved', 'approve',
           format('rule %s approves on arrival', n.rule_id), n.rule_id
    FROM approved p JOIN arrived n ON n.digest = p.digest
    RETURNING d.*
  ), noticed AS (
    INSERT INTO image_library_internal.event (event, registry_id, registry, repository, tag, digest, detail)
    SELECT 'image approved', d.registry_id, d.registry, d.repository, d.tag, d.digest,
           jsonb_build_object('decision_id', d.decision_id, 'actor', d.actor, 'reason', d.reason)
    FROM told d ORDER BY d.tag COLLATE "C"
  )
  SELECT array_agg(d.digest) INTO approved_digests FROM told d;
  IF approved_digests IS NOT NULL THEN
    PERFORM image_library_internal.notify('image approved');
    PERFORM image_library_internal.end_requests(repository_id, approved_digests);
    PERFORM image_library_internal.refresh_entry_approval(repository_id, approved_digests);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.approve_by_rule IS
  'Approves images that nobody has decided on and that could be read if every rule that takes a tag of them has approval => auto';
GRANT EXECUTE ON FUNCTION image_library_internal.approve_by_rule TO image_library_agent;

CREATE FUNCTION image_library.approve(reference text, reason text DEFAULT NULL, valid_until timestamptz DEFAULT NULL,
  registry text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF valid_until <= clock_timestamp() THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('valid_until is not in the future: %s', valid_until),
      hint => 'Use image_library.revoke to take an approval back.');
  END IF;
  RETURN image_library_internal.decide(reference, 'approved', reason, registry, valid_until);
END
$$;
COMMENT ON FUNCTION image_library.approve IS
  'Approves the image that a reference points at now, until valid_until (null: without end), or adds one of the approvals that its rule requires; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.approve TO image_library_curator;

CREATE FUNCTION image_library.reject(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.decide(reference, 'rejected', reason, registry) $$;
COMMENT ON FUNCTION image_library.reject IS 'Rejects a pending image; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.reject TO image_library_curator;

CREATE FUNCTION image_library.revoke(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.decide(reference, 'revoked', reason, registry) $$;
COMMENT ON FUNCTION image_library.revoke IS 'Revokes the approval of an image; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.revoke TO image_library_curator;

CREATE FUNCTION image_library.reset(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.decide(reference, 'pending', reason, registry) $$;
COMMENT ON FUNCTION image_library.reset IS 'Sets an image back to pending; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.reset TO image_library_curator;
-- Approval by several people, deprecation and quarantine.

-- Of all rules that take a tag of the image, the strictest counts, whichever decides, and also for tags that are hidden
-- or missing now and may come back. So neither another rule nor an exclude rule can bypass it, and a rule approves on
-- arrival only if every rule that takes the image does, including those of other teams.
CREATE FUNCTION image_library_internal.required_approvals(repository_id integer, digests text[], without_tags text[] DEFAULT '{}')
RETURNS TABLE (digest text, required integer, rule_id bigint, separating_rule_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH tagged AS (
    SELECT t.digest, t.name
    FROM image_library_internal.tag t
    WHERE t.repository_id = required_approvals.repository_id AND t.digest = ANY (digests) AND t.name <> ALL (without_tags)
  ), taken AS (
    SELECT u.rule_id, d.tag, CASE u.approval WHEN 'auto' THEN 0 ELSE u.required_approvals END AS required, u.separate_requester
    FROM image_library_internal.visible_repository r
    JOIN image_library_internal.rule u ON u.registry_id = r.registry_id AND u.enabled AND u.action = 'include'
    -- The option newest is not considered here.
    CROSS JOIN LATERAL image_library_internal.decide_tags(jsonb_build_array(to_jsonb(u) - 'newest'), r.repository, ARRAY(SELECT n.name FROM tagged n)) d
    WHERE r.repository_id = required_approvals.repository_id
  )
  SELECT DISTINCT ON (asked.digest) asked.digest, coalesce(k.required, 1), k.rule_id,
         min(k.rule_id) FILTER (WHERE k.separate_requester) OVER (PARTITION BY asked.digest)
  FROM unnest(digests) AS asked (digest)
  LEFT JOIN tagged n ON n.digest = asked.digest
  LEFT JOIN taken k ON k.tag = n.name
  ORDER BY asked.digest, k.required DESC NULLS LAST, k.rule_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.required_approvals IS
  'Number of people who must approve images of a repository (0: every rule that takes one of their tags has approval => auto), the rule that requires it (null: no rule takes them), and one by which the approval of a requester does not count (null: none)';
GRANT EXECUTE ON FUNCTION image_library_internal.required_approvals TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.count_votes(reference text, repository_id integer, digest text, valid_until timestamptz,
  OUT given integer, OUT required integer, OUT rule_id bigint, OUT ends_at timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  me oid := to_regrole(quote_ident(session_user));
  voters name[];
  separating_rule_id bigint;
BEGIN
  SELECT q.required, q.rule_id, q.separating_rule_id INTO required, rule_id, separating_rule_id
  FROM image_library_internal.required_approvals(count_votes.repository_id, ARRAY[count_votes.digest]) q;
  IF separating_rule_id IS NOT NULL AND image_library_internal.is_requester(repository_id, digest, session_user, me) THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot approve image "%s": %s has requested its approval', reference, session_user),
      detail => format('By rule %s (separate_requester) the approval of a person who requested an image does not count.', separating_rule_id),
      hint => 'Somebody else must approve it.');
  END IF;
  -- Otherwise one person is enough, and no rule is named.
  IF required <= 1 THEN
    required := 1;
    rule_id := NULL;
  END IF;
  DELETE FROM image_library_internal.approval_vote v
  WHERE v.repository_id = count_votes.repository_id AND v.digest = count_votes.digest AND NOT image_library_internal.counts(v);
  -- The approval ends at the earliest of their times.
  SELECT count(*) + 1, least(count_votes.valid_until, min(v.valid_until)), array_agg(v.voter ORDER BY v.voter)
  INTO given, ends_at, voters
  FROM image_library_internal.approval_vote v
  WHERE v.repository_id = count_votes.repository_id AND v.digest = count_votes.digest
    AND v.voter <> session_user AND v.voter_id <> me;
  IF given >= required THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM image_library_internal.approval_vote v
             WHERE v.repository_id = count_votes.repository_id AND v.digest = count_votes.digest
               AND (v.voter = session_user OR v.voter_id = me)) THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot approve image "%s": %s has approved it already', reference, session_user),
      detail => format('Rule %s requires the approval of %s people, and has that of %s.', rule_id, required,
                      array_to_string(array_append(voters, session_user::name), ', ')),
      hint => 'Somebody else must approve it.');
  END IF;
  INSERT INTO image_library_internal.approval_vote (repository_id, digest, valid_until)
  VALUES (count_votes.repository_id, count_votes.digest, count_votes.valid_until);
  RAISE NOTICE USING
    MESSAGE = format('image "%s" has %s of %s approvals', reference, given, required),
    DETAIL = format('Rule %s requires so many people.', rule_id);
END
$$;
COMMENT ON FUNCTION image_library_internal.count_votes IS
  'Adds the approval of the session user to the votes on an image, stored while more are required; raises 55000 for a second vote, and for the requester where a rule separates them';

CREATE FUNCTION image_library_internal.approvals_of_requesters(repository_id integer, registry_id integer, repository text,
  approval image_library_internal.approval)
RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH made AS (
    SELECT d.decision_id, d.action, d.actor
    FROM image_library_internal.decision d
    WHERE d.digest = (approval).digest AND d.registry_id = approvals_of_requesters.registry_id
      AND d.repository = approvals_of_requesters.repository AND d.decision_id <= (approval).decision_id
  )
  SELECT count(DISTINCT m.actor) FROM made m
  WHERE m.action IN ('approve', 'vote')
    -- Votes since the decision before the last one.
    AND m.decision_id > coalesce((SELECT max(p.decision_id) FROM made p
                                  WHERE p.action IN ('approve', 'reject', 'revoke', 'reset') AND p.decision_id < (approval).decision_id), 0)
    AND image_library_internal.is_requester(approvals_of_requesters.repository_id, (approval).digest, m.actor, to_regrole(quote_ident(m.actor)))
$$;
COMMENT ON FUNCTION image_library_internal.approvals_of_requesters IS
  'Of the people whose approval made an image approved, the number of those who had requested it';
GRANT EXECUTE ON FUNCTION image_library_internal.approvals_of_requesters TO image_library_agent;

-- People who may push can give an approved digest a tag that requires more approvals. The image is then pending until
-- it has them.
CREATE FUNCTION image_library_internal.reset_by_stricter_rule(repository_id integer, new_tags text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  approved text[] := ARRAY(
    SELECT DISTINCT t.digest
    FROM unnest(new_tags) AS asked (name)
    CROSS JOIN LATERAL (
      SELECT x.digest FROM image_library_internal.tag x
      WHERE x.repository_id = reset_by_stricter_rule.repository_id AND x.name = asked.name OFFSET 0) t
    CROSS JOIN LATERAL (
      SELECT FROM image_library_internal.approval x
      WHERE x.repository_id = reset_by_stricter_rule.repository_id AND x.digest = t.digest AND x.state = 'approved' OFFSET 0) a);
  image record;
  decision image_library_internal.decision;
BEGIN
  IF cardinality(approved) = 0 THEN
    RETURN;
  END IF;
  FOR image IN
    SELECT DISTINCT ON (t.digest) r.registry_id, r.registry, r.repository, t.name AS tag, t.digest,
           asked.required, asked.rule_id, a.approvals, own.separated, asked.separating_rule_id
    FROM image_library_internal.full_repository r
    JOIN image_library_internal.tag t ON t.repository_id = r.repository_id AND t.name = ANY (new_tags)
    JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest AND a.state = 'approved'
    JOIN image_library_internal.required_approvals(reset_by_stricter_rule.repository_id, approved) asked ON asked.digest = t.digest
    JOIN image_library_internal.required_approvals(reset_by_stricter_rule.repository_id, approved, new_tags) before ON before.digest = t.digest
    -- Approvals of people who requested the image do not count under a tag whose rule separates them.
    CROSS JOIN LATERAL (
      SELECT asked.separating_rule_id IS NOT NULL AND before.separating_rule_id IS NULL
             AND image_library_internal.approvals_of_requesters(r.repository_id, r.registry_id, r.repository, a) > greatest(a.approvals - asked.required, 0) AS separated) own
    WHERE r.repository_id = reset_by_stricter_rule.repository_id
      -- If the rules required as many approvals before the new tags, the approval was made under an earlier rule, and
      -- stays.
      AND (asked.required > a.approvals AND (asked.required > before.required OR before.rule_id IS NULL) OR own.separated)
    ORDER BY t.digest, t.name
  LOOP
    decision := image_library_internal.decision_on(image, 'reset', 'approved', 'pending',
      CASE WHEN image.separated AND image.approvals >= image.required
           THEN format('under this tag rule %s does not count the approval of a person who requested the image', image.separating_rule_id)
           WHEN image.approvals = 0
           THEN format('under this tag rule %s requires the approval of a person, and it was approved by a rule', image.rule_id)
           ELSE format('under this tag rule %s requires the approval of %s people, and it has that of %s',
                       image.rule_id, image.required, image.approvals) END);
    decision.rule_id := CASE WHEN image.separated AND image.approvals >= image.required THEN image.separating_rule_id ELSE image.rule_id END;
    UPDATE image_library_internal.approval a
    SET state = 'pending', decision_id = image_library_internal.tell_decision(decision), decided_at = clock_timestamp(), valid_until = NULL,
        reset_at = clock_timestamp()
    WHERE a.repository_id = reset_by_stricter_rule.repository_id AND a.digest = image.digest;
    PERFORM image_library_internal.refresh_entry_approval(reset_by_stricter_rule.repository_id, ARRAY[image.digest]);
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.reset_by_stricter_rule IS
  'Sets approved images back to pending if a rule that takes a new tag of them requires more approvals than they have';
GRANT EXECUTE ON FUNCTION image_library_internal.reset_by_stricter_rule TO image_library_agent;

CREATE FUNCTION image_library_internal.check_mark(reference text, action text, current image_library_internal.approval) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  problem text := CASE
    WHEN action = 'deprecate' AND current.state <> 'approved' THEN format('it is %s', current.state)
    WHEN action = 'undeprecate' AND current.deprecated_from IS NULL THEN 'it is not deprecated'
    WHEN action = 'quarantine' AND current.quarantined_at IS NOT NULL THEN 'it is in quarantine'
    WHEN action = 'release' AND current.quarantined_at IS NULL THEN 'it is not in quarantine'
  END;
BEGIN
  IF problem IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot %s image "%s": %s', action, reference, problem),
      detail => CASE action
        WHEN 'deprecate' THEN coalesce(image_library_internal.decided_so(current.decision_id), 'Nobody has decided on it yet.')
        WHEN 'quarantine' THEN image_library_internal.decided_so(current.quarantine_id)
        ELSE 'There is nothing to end.' END,
      hint => CASE action WHEN 'deprecate' THEN 'Only an approved image can be deprecated.' ELSE 'Nothing needs to be done.' END);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_mark IS
  'Raises 55000 if deprecation or quarantine of an image cannot begin or end';

CREATE FUNCTION image_library_internal.mark(reference text, action text, reason text, in_registry text, effective timestamptz DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.lock_image(reference, action, in_registry);
  current image_library_internal.approval := image_library_internal.lock_approval(image.repository_id, image.digest);
  decision image_library_internal.decision;
BEGIN
  PERFORM image_library_internal.check_reason(reason);
  -- Deprecating again with another time is another decision.
  IF (action <> 'deprecate' OR current.deprecated_from = effective)
     AND image_library_internal.decided_just_now(image.registry_id, image.repository, image.digest, action) THEN
    RETURN image.pinned_reference;
  END IF;
  PERFORM image_library_internal.check_mark(reference, action, current);
  decision := image_library_internal.decision_on(image, action, current.state, current.state, reason);
  decision.deprecated_from := effective;
  decision.decision_id := image_library_internal.tell_decision(decision);
  CASE action
    WHEN 'deprecate' THEN
      current.deprecated_from := effective;
      current.deprecation_id := decision.decision_id;
    WHEN 'undeprecate' THEN
      current.deprecated_from := NULL;
      current.deprecation_id := NULL;
    WHEN 'quarantine' THEN
      current.quarantined_at := clock_timestamp();
      current.quarantine_id := decision.decision_id;
    WHEN 'release' THEN
      current.quarantined_at := NULL;
      current.quarantine_id := NULL;
  END CASE;
  UPDATE image_library_internal.approval a
  SET deprecated_from = current.deprecated_from, deprecation_id = current.deprecation_id,
      quarantined_at = current.quarantined_at, quarantine_id = current.quarantine_id
  WHERE a.repository_id = current.repository_id AND a.digest = current.digest;
  PERFORM image_library_internal.refresh_entry_approval(image.repository_id, ARRAY[image.digest]);
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library_internal.mark IS
  'Begins or ends deprecation or quarantine of an image: row in decisions, read model; the state stays';

CREATE FUNCTION image_library.deprecate(reference text, effective timestamptz, reason text DEFAULT NULL,
  registry text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF effective IS NULL OR NOT isfinite(effective) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('effective must be a time, not %s', coalesce(effective::text, 'null')),
      hint => 'Say from when the image may not be used any more.');
  END IF;
  RETURN image_library_internal.mark(reference, 'deprecate', reason, registry, effective);
END
$$;
COMMENT ON FUNCTION image_library.deprecate IS
  'Deprecates an approved image: consumers are warned before the effective time, from then on it is blocked; a second call changes the time. Returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.deprecate TO image_library_curator;

CREATE FUNCTION image_library.undeprecate(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.mark(reference, 'undeprecate', reason, registry) $$;
COMMENT ON FUNCTION image_library.undeprecate IS 'Ends the deprecation of an image; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.undeprecate TO image_library_curator;

CREATE FUNCTION image_library.quarantine(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.mark(reference, 'quarantine', reason, registry) $$;
COMMENT ON FUNCTION image_library.quarantine IS
  'Blocks an image at once, in any state, which is kept; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.quarantine TO image_library_curator;

CREATE FUNCTION image_library.release(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.mark(reference, 'release', reason, registry) $$;
COMMENT ON FUNCTION image_library.release IS
  'Ends the quarantine of an image, whose state counts again; returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.release TO image_library_curator;
-- Requests: people who may not decide ask that a pending image be approved.

-- Rows are kept when a request has ended, so that a requester of an image is never one of the people who approve it
-- where a rule has separate_requester, also not after a reset or when the approval has expired.
CREATE TABLE image_library_internal.approval_request (
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  digest text COLLATE "C" NOT NULL REFERENCES image_library_internal.image,
  requester name COLLATE "C" NOT NULL DEFAULT session_user,
  requester_id oid NOT NULL DEFAULT to_regrole(quote_ident(session_user)),
  tag text COLLATE "C" NOT NULL,
  reason text,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  PRIMARY KEY (repository_id, digest, requester)
);
CREATE INDEX approval_request_digest ON image_library_internal.approval_request (digest);
CREATE INDEX approval_request_open ON image_library_internal.approval_request (requester) WHERE ended_at IS NULL;
COMMENT ON TABLE image_library_internal.approval_request IS
  'Requests that an image be approved; one row for each image and person';
COMMENT ON COLUMN image_library_internal.approval_request.requester_id IS
  'OID of the role, so that a renamed role is the same person';
COMMENT ON COLUMN image_library_internal.approval_request.ended_at IS
  'When the image was approved or rejected; null: the request is open';
GRANT SELECT, UPDATE ON image_library_internal.approval_request TO image_library_agent;

CREATE FUNCTION image_library_internal.is_requester(repository_id integer, digest text, person name, person_id oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM image_library_internal.approval_request q
                 WHERE q.repository_id = is_requester.repository_id AND q.digest = is_requester.digest
                   AND (q.requester = person OR q.requester_id = person_id))
$$;
COMMENT ON FUNCTION image_library_internal.is_requester IS
  'Whether a person, by name or OID, has ever requested the approval of an image';
GRANT EXECUTE ON FUNCTION image_library_internal.is_requester TO image_library_agent;

-- A row that its requester keeps locked does not make the decision wait: it stays open, for the time after a reset.
CREATE FUNCTION image_library_internal.end_requests(repository_id integer, digests text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE image_library_internal.approval_request q SET ended_at = clock_timestamp()
  FROM (SELECT o.digest, o.requester FROM image_library_internal.approval_request o
        WHERE o.repository_id = end_requests.repository_id AND o.digest = ANY (digests) AND o.ended_at IS NULL
        FOR NO KEY UPDATE SKIP LOCKED) ending
  WHERE q.repository_id = end_requests.repository_id AND q.digest = ending.digest AND q.requester = ending.requester
$$;
COMMENT ON FUNCTION image_library_internal.end_requests IS 'Ends the requests for images that were approved or rejected';
GRANT EXECUTE ON FUNCTION image_library_internal.end_requests TO image_library_agent;

CREATE FUNCTION image_library_internal.check_requestable(reference text, image record) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  current image_library_internal.approval;
  blocks text[];
  told record;
BEGIN
  SELECT * INTO current FROM image_library_internal.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  blocks := image_library_internal.blocks(CASE WHEN image.moved_to IS NULL THEN image.tag END, image.rule_id, image.gone_since, current,
    clock_timestamp());
  IF blocks NOT IN ('{pending}', '{expired}') THEN
    SELECT * INTO told FROM image_library_internal.why_blocked(blocks[1], image.gone_since, current);
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot request the approval of image "%s": %s', reference, CASE WHEN blocks = '{}' THEN 'it is approved' ELSE told.why END),
      detail => coalesce(image_library_internal.decided_so(CASE WHEN blocks = '{}' THEN current.decision_id ELSE told.decision_id END), ''),
      hint => CASE WHEN blocks = '{}' THEN 'Nothing needs to be done: image_library.resolve returns its pinned reference.' ELSE told.hint END);
  END IF;
  IF EXISTS (SELECT FROM image_library_internal.approval_vote v
             WHERE v.repository_id = image.repository_id AND v.digest = image.digest
               AND (v.voter = session_user OR v.voter_id = to_regrole(quote_ident(session_user)))) THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot request the approval of image "%s": %s has approved it', reference, session_user),
      hint => 'It waits for the approval of others: see image_library.pending_images.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_requestable IS
  'Raises 55000 unless an image waits for a decision, and the session user has not approved it';

-- Without a lock on the image, since a reader who leaves a transaction open must not make those who decide wait. A
-- request that commits after a decision on the image is an open request for the time after a reset.
CREATE FUNCTION image_library.request_approval(reference text, reason text DEFAULT NULL, registry text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, registry);
BEGIN
  PERFORM image_library_internal.check_reason(reason);
  PERFORM image_library_internal.check_requestable(reference, image);
  -- Not left to the conflict below, which would lock the row.
  IF EXISTS (SELECT FROM image_library_internal.approval_request q
             WHERE q.repository_id = image.repository_id AND q.digest = image.digest AND q.requester = session_user AND q.ended_at IS NULL) THEN
    RETURN image.pinned_reference;
  END IF;
  -- A limit for each role, so that no role can fill the table.
  IF EXISTS (SELECT FROM image_library_internal.approval_request q WHERE q.requester = session_user AND q.ended_at IS NULL OFFSET 9999) THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('"%s" has requested the approval of 10000 images already', session_user),
      hint => 'A request ends when the image is approved or rejected, also one that no tag points at any more.');
  END IF;
  INSERT INTO image_library_internal.approval_request AS q (repository_id, digest, tag, reason)
  VALUES (image.repository_id, image.digest, image.tag, request_approval.reason)
  ON CONFLICT ON CONSTRAINT approval_request_pkey DO UPDATE
  SET tag = excluded.tag, reason = excluded.reason, requested_at = excluded.requested_at, ended_at = NULL
  WHERE q.ended_at IS NOT NULL;
  IF FOUND THEN
    PERFORM image_library_internal.emit('approval requested', image.registry_id, image.registry, image.repository, image.tag, image.digest,
      jsonb_build_object('actor', session_user, 'reason', reason));
  END IF;
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.request_approval IS
  'Asks that a pending image be approved, until it is approved or rejected; pending_images shows who asked and why. A second request of the same person changes nothing. Returns the pinned reference';
GRANT EXECUTE ON FUNCTION image_library.request_approval TO image_library_reader;
-- Images that may be used now: resolve gives the pinned reference, is_usable asks without an error.

CREATE FUNCTION image_library.resolve(reference text, registry text DEFAULT NULL, consumer text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, registry);
  current image_library_internal.approval;
  blocks text[];
  unusable record;
  decided record;
  -- A role that writes a guarded table need not be one.
  is_reader boolean := image_library_internal.has_role('image_library_reader');
BEGIN
  SELECT * INTO current FROM image_library_internal.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  blocks := image_library_internal.blocks_of(image, current);
  IF cardinality(blocks) > 0 THEN
    SELECT * INTO unusable FROM image_library_internal.why_blocked(blocks[1], image.gone_since, current);
    SELECT d.actor, d.reason INTO decided FROM image_library_internal.decision d WHERE d.decision_id = unusable.decision_id;
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('image "%s" may not be used: %s', reference, unusable.why),
      detail => format('It is %s%s.', image.pinned_reference,
                      coalesce(', as decided by ' || decided.actor || coalesce(': ' || decided.reason, ''), '')),
      -- A digest can be approved by a tag that points at it only.
      hint => CASE WHEN image.moved_to IS NOT NULL AND blocks[1] IN ('pending', 'rejected', 'revoked', 'expired')
                   THEN 'Its tag has moved, so that it is not approved again: use what the tag points at now, once that is approved.'
                   ELSE unusable.hint END);
  END IF;
  IF consumer IS NOT NULL THEN
    -- An empty name would have no policies.
    PERFORM image_library_internal.check_consumer(consumer);
    PERFORM image_library_internal.check_consumer_policies(reference, image, consumer);
  END IF;
  IF image.gone_since IS NOT NULL THEN
    RAISE WARNING USING
      MESSAGE = format('image "%s" is missing from its registry since %s', reference, image.gone_since),
      DETAIL = format('It may be used %s, as image_library.missing_grace says.',
                      coalesce('until ' || (image.gone_since + image_library_internal.missing_grace())::text, 'without end')),
      HINT = 'Move to another image, or push this one again.';
  END IF;
  IF image.moved_to IS NOT NULL THEN
    RAISE NOTICE USING
      MESSAGE = format('tag "%s" of image "%s" has moved%s', image.tag, reference,
                       CASE WHEN is_reader THEN format(': it points at %s now', image.moved_to) END),
      DETAIL = 'The digest that the reference names is approved, and may be used.';
  END IF;
  IF current.deprecated_from IS NOT NULL THEN
    RAISE WARNING USING
      MESSAGE = format('image "%s" is deprecated: it may be used until %s', reference, current.deprecated_from),
      DETAIL = CASE WHEN is_reader THEN image_library_internal.decided_so(current.deprecation_id)
                    ELSE 'A member of image_library_reader is told more.' END,
      HINT = 'Move to a newer image.';
  END IF;
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.resolve IS
  'Returns the pinned reference (host/repository:tag@digest) of an approved, present image, otherwise raises an error that tells why it may not be used. A reference with a digest means that digest, also if its tag has moved (NOTICE) or is missing for less than image_library.missing_grace (WARNING). With a consumer the policies for it must be met too. Warns if the image will be deprecated';
GRANT EXECUTE ON FUNCTION image_library.resolve TO image_library_reader;

CREATE FUNCTION image_library.is_usable(reference text, registry text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record;
  current image_library_internal.approval;
BEGIN
  IF NOT image_library_internal.is_known(reference, registry) THEN
    RETURN false;
  END IF;
  image := image_library_internal.find_image(reference, registry);
  SELECT * INTO current FROM image_library_internal.approval a
  WHERE a.repository_id = image.repository_id AND a.digest = image.digest;
  RETURN image_library_internal.blocks_of(image, current) = '{}';
END
$$;
COMMENT ON FUNCTION image_library.is_usable IS
  'Whether resolve returns a pinned reference for an image now; false for an image that is not in the library';
GRANT EXECUTE ON FUNCTION image_library.is_usable TO image_library_reader;
-- Teams: curators may decide on what their team owns; every curator may decide on what nobody owns.

-- The deciding rule of every tag that points, or pointed, at an image, including hidden tags and disabled rules. So the
-- owners of an image do not depend on where its tags point at the moment.
CREATE FUNCTION image_library_internal.rules_of_image(repository_id integer, digest text) RETURNS TABLE (rule_id bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH had AS (
    SELECT p.tag FROM image_library_internal.tag_period p
    WHERE p.repository_id = rules_of_image.repository_id AND p.digest = rules_of_image.digest
    UNION
    SELECT t.name FROM image_library_internal.tag t
    WHERE t.repository_id = rules_of_image.repository_id AND t.digest = rules_of_image.digest
  ), decided AS (
    SELECT h.tag, t.rule_id
    FROM had h
    LEFT JOIN image_library_internal.tag t ON t.repository_id = rules_of_image.repository_id AND t.name = h.tag
  )
  SELECT d.rule_id FROM decided d WHERE d.rule_id IS NOT NULL
  UNION
  SELECT c.rule_id
  FROM image_library_internal.repository r
  CROSS JOIN LATERAL image_library_internal.decide_tags(
    (SELECT coalesce(jsonb_agg(to_jsonb(u) - '{enabled,newest}'::text[] ORDER BY u.priority, u.rule_id), '[]')
     FROM image_library_internal.rule u WHERE u.registry_id = r.registry_id AND u.action = 'include'),
    r.name, ARRAY(SELECT d.tag FROM decided d WHERE d.rule_id IS NULL)) c
  WHERE r.repository_id = rules_of_image.repository_id
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
  refresh boolean DEFAULT false, required_approvals integer DEFAULT 1, separate_requester boolean DEFAULT false)
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
    'separate_requester', separate_requester));
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

CREATE FUNCTION image_library.explain_tag(registry text, repository text, tag text)
RETURNS TABLE (rule_id bigint, action text, matched boolean, decides boolean, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  listed text[];
  absent text;
BEGIN
  IF NOT image_library_internal.is_repository_name(coalesce(repository, '')) OR NOT image_library_internal.is_tag(coalesce(tag, '')) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('"%s:%s" is not a repository and tag', repository, tag));
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
  absent := image_library_internal.why_absent(of_registry.registry_id, repository, tag);
  IF absent IS NOT NULL THEN
    RETURN QUERY SELECT NULL::bigint, NULL::text, false, false, absent;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.explain_tag IS
  'Shows for each rule whether it matches a tag, whether it decides, and why; a last row without rule says why the tag is not there';
GRANT EXECUTE ON FUNCTION image_library.explain_tag TO image_library_reader;
-- HM tags: names with a colour for repositories and image tags. They have no effect on anything else.

CREATE TABLE image_library_internal.hm_tag (
  hm_tag_id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  color text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by name NOT NULL DEFAULT session_user
);
COMMENT ON TABLE image_library_internal.hm_tag IS 'HM tags';

CREATE TABLE image_library_internal.hm_tag_repository (
  hm_tag_id integer NOT NULL REFERENCES image_library_internal.hm_tag ON DELETE CASCADE,
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  PRIMARY KEY (repository_id, hm_tag_id)
);
CREATE INDEX hm_tag_repository_hm_tag ON image_library_internal.hm_tag_repository (hm_tag_id);
COMMENT ON TABLE image_library_internal.hm_tag_repository IS 'HM tags of repositories';

CREATE TABLE image_library_internal.hm_tag_image (
  hm_tag_id integer NOT NULL REFERENCES image_library_internal.hm_tag ON DELETE CASCADE,
  repository_id integer NOT NULL,
  tag text COLLATE "C" NOT NULL,
  PRIMARY KEY (repository_id, tag, hm_tag_id),
  FOREIGN KEY (repository_id, tag) REFERENCES image_library_internal.tag (repository_id, name) ON DELETE CASCADE
);
CREATE INDEX hm_tag_image_hm_tag ON image_library_internal.hm_tag_image (hm_tag_id);
COMMENT ON TABLE image_library_internal.hm_tag_image IS 'HM tags of image tags';

CREATE FUNCTION image_library_internal.hm_tag_id(hm_tag text) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer;
BEGIN
  SELECT h.hm_tag_id INTO id FROM image_library_internal.hm_tag h WHERE h.name = hm_tag;
  IF id IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('HM tag "%s" does not exist', hm_tag),
      hint => 'See image_library.hm_tags, or add it with image_library.add_hm_tag.');
  END IF;
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library_internal.hm_tag_id IS 'The number of an HM tag; raises 42704';

CREATE FUNCTION image_library.add_hm_tag(name text, color text DEFAULT 'gray') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(name, '') !~ '^[^[:cntrl:]]{1,100}$' OR btrim(name) <> name THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid name of an HM tag: "%s"', name),
      hint => 'Use 1 to 100 characters, with no space at either end.');
  END IF;
  -- Names that look like those of the library's own tags are refused as well.
  IF lower(regexp_replace(name, '[^[:alnum:]]', '', 'g')) IN ('edbofficial', 'transparentdataencryption') THEN
    PERFORM image_library_internal.fail(
      errcode => 'reserved_name',
      message => format('HM tag "%s" is given by the system', name));
  END IF;
  IF coalesce(color, '') !~ '^(#[0-9A-Fa-f]{6}|#[0-9A-Fa-f]{3}|[A-Za-z]{3,30})$' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid color "%s"', color),
      hint => 'Use a name such as green, or #rrggbb.');
  END IF;
  INSERT INTO image_library_internal.hm_tag AS h (name, color) VALUES (add_hm_tag.name, add_hm_tag.color)
  ON CONFLICT ON CONSTRAINT hm_tag_name_key DO NOTHING;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'duplicate_object',
      message => format('HM tag "%s" exists already', name));
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.add_hm_tag IS 'Adds an HM tag; the color is a name or #rrggbb';
GRANT EXECUTE ON FUNCTION image_library.add_hm_tag TO image_library_curator;

CREATE FUNCTION image_library.drop_hm_tag(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := image_library_internal.hm_tag_id(name);
BEGIN
  -- The assignments are not checked, since the error would reveal private registries.
  IF (SELECT h.created_by FROM image_library_internal.hm_tag h WHERE h.hm_tag_id = id) <> session_user THEN
    PERFORM image_library_internal.require_admin(format('drop HM tag "%s", which somebody else made', name));
  END IF;
  DELETE FROM image_library_internal.hm_tag h WHERE h.hm_tag_id = id;
END
$$;
COMMENT ON FUNCTION image_library.drop_hm_tag IS
  'Drops an HM tag and removes it from everything that has it; for the role that added it, and admins';
GRANT EXECUTE ON FUNCTION image_library.drop_hm_tag TO image_library_curator;

CREATE FUNCTION image_library_internal.known_repository_id(registry text, repository text) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer;
BEGIN
  SELECT r.repository_id INTO id FROM image_library_internal.repository r
  WHERE r.registry_id = (image_library_internal.find_registry(known_repository_id.registry)).registry_id
    AND r.name = known_repository_id.repository;
  IF id IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('repository "%s" of registry "%s" is not in the library', image_library_internal.without_secrets(repository), registry),
      hint => 'A rule must take it, and it must have been synced.');
  END IF;
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library_internal.known_repository_id IS 'The number of a repository; raises 42704';

CREATE FUNCTION image_library_internal.organized_repository_id(registry text, repository text) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := image_library_internal.known_repository_id(registry, repository);
BEGIN
  PERFORM image_library_internal.require_repository_team(format('organize repository "%s" of registry "%s"', repository, registry), id);
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library_internal.organized_repository_id IS
  'Number of a repository to which the acting role may give HM tags; raises 42704, 42501';

CREATE FUNCTION image_library.tag_repository(registry text, repository text, hm_tag text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO image_library_internal.hm_tag_repository (hm_tag_id, repository_id)
  VALUES (image_library_internal.hm_tag_id(hm_tag), image_library_internal.organized_repository_id(registry, repository))
  ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION image_library.tag_repository IS 'Adds an HM tag to a repository';
GRANT EXECUTE ON FUNCTION image_library.tag_repository TO image_library_curator;

CREATE FUNCTION image_library.untag_repository(registry text, repository text, hm_tag text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM image_library_internal.hm_tag_repository
  WHERE hm_tag_id = image_library_internal.hm_tag_id(hm_tag)
    AND repository_id = image_library_internal.organized_repository_id(registry, repository)
$$;
COMMENT ON FUNCTION image_library.untag_repository IS 'Removes an HM tag from a repository';
GRANT EXECUTE ON FUNCTION image_library.untag_repository TO image_library_curator;

CREATE FUNCTION image_library_internal.find_tag(reference text, in_registry text, OUT repository_id integer, OUT tag text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  SELECT i.repository_id, i.tag INTO repository_id, tag FROM image_library_internal.find_image(reference, in_registry) i;
  PERFORM image_library_internal.require_repository_team(format('organize image "%s"', reference), repository_id);
  IF (image_library_internal.parse_reference(reference)).tag IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('image reference "%s" has no tag', reference),
      hint => 'HM tags are given to the tags of images: write host/repository:tag.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.find_tag IS
  'Tag that a reference names and to which the acting role may give HM tags; raises what find_image raises, 42501';

CREATE FUNCTION image_library.tag_image(reference text, hm_tag text, registry text DEFAULT NULL) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO image_library_internal.hm_tag_image (hm_tag_id, repository_id, tag)
  SELECT image_library_internal.hm_tag_id(hm_tag), i.repository_id, i.tag
  FROM image_library_internal.find_tag(reference, registry) i
  ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION image_library.tag_image IS 'Adds an HM tag to an image tag; it stays if the tag moves';
GRANT EXECUTE ON FUNCTION image_library.tag_image TO image_library_curator;

CREATE FUNCTION image_library.untag_image(reference text, hm_tag text, registry text DEFAULT NULL) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM image_library_internal.hm_tag_image h
  USING image_library_internal.find_tag(reference, registry) i
  WHERE h.hm_tag_id = image_library_internal.hm_tag_id(hm_tag) AND h.repository_id = i.repository_id AND h.tag = i.tag
$$;
COMMENT ON FUNCTION image_library.untag_image IS 'Removes an HM tag from an image tag';
GRANT EXECUTE ON FUNCTION image_library.untag_image TO image_library_curator;

-- A view, not a function: inside public views it runs with the rights of their owner.
CREATE VIEW image_library_internal.image_hm_tags AS
  SELECT x.repository_id, x.tag, h.name
  FROM image_library_internal.hm_tag_image x JOIN image_library_internal.hm_tag h USING (hm_tag_id)
  UNION
  SELECT x.repository_id, t.name, h.name
  FROM image_library_internal.hm_tag_repository x
  JOIN image_library_internal.hm_tag h USING (hm_tag_id)
  JOIN image_library_internal.tag t USING (repository_id);
COMMENT ON VIEW image_library_internal.image_hm_tags IS 'HM tags of image tags, their own and their repository''s';

CREATE FUNCTION image_library_internal.system_tags(host text, features text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_remove(ARRAY[
  CASE WHEN host = 'docker.enterprisedb.com' THEN 'EDB Official' END,
  CASE WHEN 'tde' = ANY (features) THEN 'Transparent Data Encryption' END], NULL);
COMMENT ON FUNCTION image_library_internal.system_tags IS
  'HM tags that the library sets itself, by the host of a registry and the features of an image';
GRANT EXECUTE ON FUNCTION image_library_internal.system_tags TO image_library_reader, image_library_agent;
-- README texts of repositories, set by curators.

CREATE TABLE image_library_internal.repository_readme (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  readme text NOT NULL CHECK (octet_length(readme) <= 65536),
  set_at timestamptz NOT NULL DEFAULT now(),
  set_by name NOT NULL DEFAULT session_user
);
COMMENT ON TABLE image_library_internal.repository_readme IS 'README texts of repositories, at most 64 KiB each';

CREATE FUNCTION image_library.set_readme(registry text, repository text, readme text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := image_library_internal.known_repository_id(registry, repository);
BEGIN
  PERFORM image_library_internal.require_repository_team(format('set the README of repository "%s"', repository), id);
  IF octet_length(readme) > 65536 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('the README of repository "%s" is too long: %s bytes', repository, octet_length(readme)),
      hint => 'It may have 65536 bytes.');
  END IF;
  IF coalesce(btrim(readme, E' \t\r\n'), '') = '' THEN
    DELETE FROM image_library_internal.repository_readme x WHERE x.repository_id = id;
    RETURN;
  END IF;
  INSERT INTO image_library_internal.repository_readme AS x (repository_id, readme) VALUES (id, set_readme.readme)
  ON CONFLICT ON CONSTRAINT repository_readme_pkey DO UPDATE
  SET readme = excluded.readme, set_at = excluded.set_at, set_by = excluded.set_by
  WHERE x.readme <> excluded.readme;
END
$$;
COMMENT ON FUNCTION image_library.set_readme IS
  'Sets the README of a repository, usually Markdown, at most 64 KiB; null or blank removes it';
GRANT EXECUTE ON FUNCTION image_library.set_readme TO image_library_curator;
-- Contradictions in the metadata of images, recorded with the classification.

-- The read model has the contradictions of Postgres and model images. This table has those of all other images.
CREATE TABLE image_library_internal.other_conflict (
  repository_id integer NOT NULL,
  tag text COLLATE "C" NOT NULL,
  conflicts text[] NOT NULL,
  PRIMARY KEY (repository_id, tag),
  FOREIGN KEY (repository_id, tag) REFERENCES image_library_internal.tag (repository_id, name) ON DELETE CASCADE
);
COMMENT ON TABLE image_library_internal.other_conflict IS
  'Contradictions in images that are neither Postgres nor model, such as extension images';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.other_conflict TO image_library_agent;

CREATE FUNCTION image_library_internal.refresh_conflicts(repository_id integer, classified image_library_internal.classified_tag[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  wanted image_library_internal.other_conflict[] := ARRAY(
    SELECT (refresh_conflicts.repository_id, c.tag,
            ARRAY(SELECT jsonb_array_elements_text(c.facts -> 'conflicts')))::image_library_internal.other_conflict
    FROM unnest(classified) c
    WHERE c.facts ->> 'kind' = 'other' AND c.facts -> 'conflicts' <> '[]');
BEGIN
  IF EXISTS (SELECT FROM unnest(classified) c
             CROSS JOIN LATERAL (SELECT FROM image_library_internal.other_conflict x
                                 WHERE x.repository_id = refresh_conflicts.repository_id AND x.tag = c.tag OFFSET 0) there) THEN
    -- EXECUTE makes a plan for these arrays: to join two of them well, it needs their sizes.
    EXECUTE 'DELETE FROM image_library_internal.other_conflict x
             USING unnest($2) c LEFT JOIN unnest($3) w ON w.tag = c.tag
             WHERE x.repository_id = $1 AND x.tag = c.tag AND x IS DISTINCT FROM w'
    USING refresh_conflicts.repository_id, classified, wanted;
  END IF;
  INSERT INTO image_library_internal.other_conflict (repository_id, tag, conflicts)
  SELECT w.repository_id, w.tag, w.conflicts FROM unnest(wanted) w ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_conflicts IS
  'Updates the contradictions of tags of a repository that have no row in the read model';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_conflicts TO image_library_agent;

CREATE VIEW image_library_internal.conflicts AS
  SELECT e.repository_id, e.tag, e.kind, unnest(e.conflicts) AS conflict
  FROM image_library_internal.entry e WHERE e.conflicts <> '{}'
  UNION ALL
  SELECT x.repository_id, x.tag, 'other', unnest(x.conflicts) FROM image_library_internal.other_conflict x;
COMMENT ON VIEW image_library_internal.conflicts IS 'Contradictions and unreadable values of all images';

-- A value that could not be read is also a problem of the sync. The phrases are those of the classifier.
CREATE VIEW image_library_internal.unreadable_annotations AS
  SELECT r.registry_id, r.name AS repository, t.name AS tag, c.conflict AS detail,
         coalesce(t.digest_changed_at, t.first_seen_at) AS since
  FROM image_library_internal.conflicts c
  JOIN image_library_internal.tag t ON t.repository_id = c.repository_id AND t.name = c.tag
  JOIN image_library_internal.repository r ON r.repository_id = t.repository_id
  WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL AND c.conflict ~ ' is (no|not|unknown)\M';
COMMENT ON VIEW image_library_internal.unreadable_annotations IS 'Annotations and labels that were left out because they could not be read';

CREATE VIEW image_library.classification_conflicts WITH (security_barrier) AS
  SELECT r.registry, r.repository, t.name AS tag, t.digest, found.kind, found.conflict
  FROM image_library_internal.conflicts found
  JOIN image_library_internal.tag t ON t.repository_id = found.repository_id AND t.name = found.tag
  JOIN image_library_internal.visible_repository r ON r.repository_id = t.repository_id
  WHERE t.rule_id IS NOT NULL;
COMMENT ON VIEW image_library.classification_conflicts IS
  'Contradictions between annotations, labels, tag, repository and rule, and values that could not be read; one row for each';
GRANT SELECT ON image_library.classification_conflicts TO image_library_reader;
-- Images that carry an extension instead of a server: CloudNativePG mounts them as image volumes. They are of kind other,
-- so the read model does not have them; their major version and OS are recorded with the classification.

CREATE TABLE image_library_internal.extension_image (
  repository_id integer NOT NULL,
  tag text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  major_version integer,
  os text,
  contested boolean NOT NULL,
  PRIMARY KEY (repository_id, tag),
  FOREIGN KEY (repository_id, tag) REFERENCES image_library_internal.tag (repository_id, name) ON DELETE CASCADE
);
CREATE INDEX extension_image_major ON image_library_internal.extension_image (major_version, os);
COMMENT ON TABLE image_library_internal.extension_image IS
  'Extension images: for which major version and OS each is built; image_extension has the extension';
COMMENT ON COLUMN image_library_internal.extension_image.contested IS
  'Whether annotations and tag contradict each other; such an image is not chosen automatically';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.extension_image TO image_library_agent;

CREATE FUNCTION image_library_internal.refresh_extension_images(repository_id integer, classified image_library_internal.classified_tag[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  wanted image_library_internal.extension_image[] := ARRAY(
    SELECT (refresh_extension_images.repository_id, c.tag, c.digest, (c.facts ->> 'major_version')::integer, c.facts ->> 'os',
            (c.facts ->> 'contested')::boolean)::image_library_internal.extension_image
    FROM unnest(classified) c
    WHERE c.facts ->> 'kind' = 'other' AND c.facts -> 'extensions' <> '[]');
BEGIN
  IF EXISTS (SELECT FROM unnest(classified) c
             CROSS JOIN LATERAL (SELECT FROM image_library_internal.extension_image x
                                 WHERE x.repository_id = refresh_extension_images.repository_id AND x.tag = c.tag OFFSET 0) there) THEN
    -- EXECUTE makes a plan for these arrays: to join two of them well, it needs their sizes.
    EXECUTE 'DELETE FROM image_library_internal.extension_image x
             USING unnest($2) c LEFT JOIN unnest($3) w ON w.tag = c.tag
             WHERE x.repository_id = $1 AND x.tag = c.tag AND x IS DISTINCT FROM w'
    USING refresh_extension_images.repository_id, classified, wanted;
  END IF;
  INSERT INTO image_library_internal.extension_image (repository_id, tag, digest, major_version, os, contested)
  SELECT w.repository_id, w.tag, w.digest, w.major_version, w.os, w.contested FROM unnest(wanted) w ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_extension_images IS
  'Updates for which major version and OS the extension images of some tags are built';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_extension_images TO image_library_agent;
-- Recorded uses of images, also of those that the library does not know.

CREATE TABLE image_library_internal.image_use (
  image_use_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  repository_id integer NOT NULL REFERENCES image_library_internal.repository ON DELETE CASCADE,
  tag text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  consumer text NOT NULL,
  location text,
  used_since timestamptz NOT NULL DEFAULT now(),
  released_at timestamptz,
  recorded_by name NOT NULL DEFAULT session_user,
  unmet_policies text[] NOT NULL DEFAULT '{}',
  policies_checked_at timestamptz
);
CREATE INDEX image_use_repository ON image_library_internal.image_use (repository_id, digest);
CREATE UNIQUE INDEX image_use_current ON image_library_internal.image_use (repository_id, tag, digest, consumer, coalesce(location, ''))
  WHERE released_at IS NULL;
COMMENT ON TABLE image_library_internal.image_use IS 'Uses of digests, as consumers recorded them';
COMMENT ON COLUMN image_library_internal.image_use.unmet_policies IS
  'Required policies for the consumer that the image did not meet when the use was last recorded';
COMMENT ON COLUMN image_library_internal.image_use.policies_checked_at IS 'When policies for the consumer were evaluated; null: it had none';

CREATE FUNCTION image_library_internal.is_consumer(consumer text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(btrim(consumer) <> '' AND length(consumer) <= 500 AND consumer !~ '[[:cntrl:]]', false)
$$;
COMMENT ON FUNCTION image_library_internal.is_consumer IS 'Whether a text can be the name of a consumer';

CREATE FUNCTION image_library_internal.check_consumer(consumer text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT image_library_internal.is_consumer(consumer) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'the name of a consumer is empty, too long, or has control characters',
      hint => 'Name what runs the image, as record_use takes it, in at most 500 characters.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_consumer IS 'Raises 22023 if a text cannot be the name of a consumer';

-- Uses of unknown images are matched with images when they are read, for the role that reads them: a role that may not see
-- a private registry finds its images unknown, before and after.
CREATE TABLE image_library_internal.unknown_use (
  unknown_use_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  registry_id integer REFERENCES image_library_internal.registry ON DELETE CASCADE,
  host text COLLATE "C" NOT NULL,
  repository text COLLATE "C" NOT NULL,
  tag text COLLATE "C",
  digest text COLLATE "C",
  consumer text NOT NULL,
  location text,
  used_since timestamptz NOT NULL DEFAULT now(),
  released_at timestamptz,
  recorded_by name NOT NULL DEFAULT session_user,
  CHECK (num_nonnulls(tag, digest) > 0)
);
CREATE UNIQUE INDEX unknown_use_current ON image_library_internal.unknown_use
  (host, repository, coalesce(tag, ''), coalesce(digest, ''), consumer, coalesce(location, ''), recorded_by)
  WHERE released_at IS NULL;
CREATE INDEX unknown_use_registry ON image_library_internal.unknown_use (registry_id);
CREATE INDEX unknown_use_recorder ON image_library_internal.unknown_use (recorded_by) WHERE released_at IS NULL;
COMMENT ON TABLE image_library_internal.unknown_use IS
  'Uses of images that the library did not know when they were recorded; repository is the whole path';
COMMENT ON COLUMN image_library_internal.unknown_use.registry_id IS
  'Registry whose path has the image, of those that the recording role saw: only roles that may see it see the row; null: none, every reader sees it';

CREATE FUNCTION image_library_internal.record_unknown_use(asked record, repositories integer[], in_registry text, consumer text, location text)
RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_host text := asked.host;
  path text := asked.repository;
  shown text;
BEGIN
  -- A reference without host that names one repository.
  IF cardinality(repositories) = 1 THEN
    SELECT r.host, r.full_name INTO found_host, path FROM image_library_internal.full_repository r WHERE r.repository_id = repositories[1];
  END IF;
  shown := concat(found_host, '/', path, ':' || asked.tag, '@' || asked.digest);
  IF EXISTS (SELECT FROM image_library_internal.unknown_use u
             WHERE u.recorded_by = session_user AND u.released_at IS NULL OFFSET 9999) THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('"%s" has recorded 10000 uses of unknown images already', session_user),
      hint => 'Release those that have ended: see image_library.usage and image_library.release_use.');
  END IF;
  INSERT INTO image_library_internal.unknown_use (registry_id, host, repository, tag, digest, consumer, location)
  SELECT (SELECT g.registry_id FROM image_library_internal.visible_registry g
          WHERE g.host = found_host AND (in_registry IS NULL OR g.name = in_registry)
            AND (g.prefix = '' OR starts_with(path, g.prefix || '/'))
          ORDER BY length(g.prefix) DESC, g.registry_id LIMIT 1),
         found_host, path, asked.tag, asked.digest, record_unknown_use.consumer, record_unknown_use.location
  ON CONFLICT DO NOTHING;
  RAISE NOTICE USING
    MESSAGE = format('image "%s" is not in the library: its use is recorded as unknown', shown),
    HINT = 'See image_library.drift.';
  RETURN shown;
END
$$;
COMMENT ON FUNCTION image_library_internal.record_unknown_use IS
  'Records the use of an image that the library does not know, with a NOTICE; returns its reference';

-- A use by tag alone counts for the digest that the tag pointed at then, or first after.
CREATE VIEW image_library_internal.visible_use AS
  SELECT r.registry, u.repository_id, r.repository, r.place, u.tag, u.digest, u.consumer, u.location, u.used_since, u.released_at,
         u.recorded_by, u.unmet_policies, u.policies_checked_at
  FROM image_library_internal.image_use u
  JOIN image_library_internal.visible_repository r USING (repository_id)
  UNION ALL
  SELECT m.registry, m.repository_id, coalesce(m.repository, concat(x.host, '/', x.repository)), concat(x.host, '/', x.repository),
         coalesce(m.tag, x.tag), coalesce(m.digest, x.digest), x.consumer, x.location, x.used_since, x.released_at, x.recorded_by, '{}', NULL
  FROM image_library_internal.unknown_use x
  LEFT JOIN LATERAL (
    SELECT g.name AS registry, r.repository_id, r.name AS repository, p.tag, p.digest
    FROM image_library_internal.visible_registry g
    JOIN image_library_internal.repository r
      ON r.registry_id = g.registry_id
     AND r.name = CASE WHEN g.prefix = '' THEN x.repository
                       WHEN starts_with(x.repository, g.prefix || '/') THEN substr(x.repository, length(g.prefix) + 2) END
    JOIN image_library_internal.tag_period p
      ON p.repository_id = r.repository_id AND p.tag = coalesce(x.tag, p.tag)
     AND CASE WHEN x.digest IS NULL THEN coalesce(p.until > x.used_since, true) ELSE p.digest = x.digest END
    WHERE g.host = x.host
    ORDER BY length(g.prefix) DESC, g.registry_id, CASE WHEN x.digest IS NULL THEN p.since END, p.until DESC NULLS FIRST, p.tag
    LIMIT 1) m ON true
  WHERE x.registry_id IS NULL OR x.registry_id <> ALL ((SELECT image_library_internal.hidden_registries())::integer[]);
COMMENT ON VIEW image_library_internal.visible_use IS
  'Recorded uses that the acting role may see; repository_id null: it knows no such image';

-- By the path of the repository, so that bulk decisions need not match every use.
CREATE FUNCTION image_library_internal.users_of(repository_id integer, digest text) RETURNS TABLE (consumer text, location text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT u.consumer, u.location
  FROM image_library_internal.image_use u
  WHERE u.repository_id = users_of.repository_id AND u.digest = users_of.digest AND u.released_at IS NULL
  UNION ALL
  SELECT x.consumer, x.location
  FROM image_library_internal.full_repository r
  JOIN image_library_internal.unknown_use x ON x.host = r.host AND x.repository = r.full_name AND x.released_at IS NULL
  WHERE r.repository_id = users_of.repository_id
    AND (x.registry_id IS NULL OR x.registry_id <> ALL ((SELECT image_library_internal.hidden_registries())::integer[]))
    AND (x.digest = users_of.digest
         OR x.digest IS NULL
            AND EXISTS (SELECT FROM image_library_internal.tag_period p
                        WHERE p.repository_id = r.repository_id AND p.tag = x.tag AND p.digest = users_of.digest
                          AND coalesce(p.until > x.used_since, true)))
$$;
COMMENT ON FUNCTION image_library_internal.users_of IS 'Consumers of an image, also those that recorded it before the library knew it';

CREATE FUNCTION image_library_internal.unknown_tags_in_use(repository_id integer) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(array_agg(x.tag), '{}')
  FROM image_library_internal.full_repository r
  JOIN image_library_internal.unknown_use x ON x.host = r.host AND x.repository = r.full_name AND x.released_at IS NULL
  WHERE r.repository_id = unknown_tags_in_use.repository_id AND x.tag IS NOT NULL
    AND (x.registry_id IS NULL OR x.registry_id <> ALL ((SELECT image_library_internal.hidden_registries())::integer[]))
$$;
COMMENT ON FUNCTION image_library_internal.unknown_tags_in_use IS
  'Tags of a repository that consumers use and that the library did not know when they recorded it; one for each use';

CREATE FUNCTION image_library_internal.may_release(recorded_by name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.has_role('image_library_admin')
         OR EXISTS (SELECT FROM pg_roles r
                    WHERE r.rolname = may_release.recorded_by
                      AND (pg_has_role(session_user, r.oid, 'MEMBER') OR pg_has_role(image_library_internal.acting_role(), r.oid, 'MEMBER')))
$$;
COMMENT ON FUNCTION image_library_internal.may_release IS
  'Whether the acting role may end a use: it recorded it, is a member of the role that did, or is an admin';
-- Recording of uses of images, their drift, and the trigger function for users' own tables.

CREATE FUNCTION image_library.record_use(reference text, consumer text, location text DEFAULT NULL, registry text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked record := image_library_internal.parse_image_reference(reference);
  repositories integer[] := image_library_internal.referenced_repositories(asked.host, asked.repository, asked.short_name, registry);
  image record;
  recorded_since timestamptz;
BEGIN
  IF NOT image_library_internal.is_consumer(consumer) OR length(location) > 500 OR location ~ '[[:cntrl:]]' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'a use needs a consumer; consumer and location have at most 500 characters, and no control characters',
      hint => 'Name what runs the image, such as a cluster or an inference service.');
  END IF;
  IF NOT EXISTS (SELECT FROM image_library_internal.candidates(repositories, asked.tag, asked.digest)) THEN
    RETURN image_library_internal.record_unknown_use(asked, repositories, registry, consumer, location);
  END IF;
  image := image_library_internal.find_image(reference, registry);
  -- A limit for each role, so that no role can prevent others from recording uses.
  IF EXISTS (SELECT FROM image_library_internal.image_use u
             WHERE u.repository_id = image.repository_id AND u.digest = image.digest AND u.released_at IS NULL
               AND u.recorded_by = session_user
             OFFSET 9999) THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('"%s" has recorded 10000 uses of image "%s" already', session_user, image_library_internal.without_secrets(reference)),
      hint => 'Release those that have ended: see image_library.usage and image_library.release_use.');
  END IF;
  -- What the role recorded before the library knew the image.
  WITH known AS (
    DELETE FROM image_library_internal.unknown_use x
    USING image_library_internal.full_repository r
    WHERE r.repository_id = image.repository_id AND x.host = r.host AND x.repository = r.full_name AND x.released_at IS NULL
      AND coalesce(x.tag = image.tag, true) AND coalesce(x.digest = image.digest, true)
      AND x.consumer = record_use.consumer AND x.location IS NOT DISTINCT FROM record_use.location AND x.recorded_by = session_user
    RETURNING x.used_since)
  SELECT min(k.used_since) INTO recorded_since FROM known k;
  INSERT INTO image_library_internal.image_use (repository_id, tag, digest, consumer, location, used_since)
  VALUES (image.repository_id, image.tag, image.digest, record_use.consumer, record_use.location, coalesce(recorded_since, now()))
  ON CONFLICT DO NOTHING;
  PERFORM image_library_internal.note_consumer_policies(image, consumer);
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.record_use IS
  'Records that a consumer runs an image, in any state, also one that the library does not know, and warns of policies for the consumer that it does not meet; returns the pinned reference, of an unknown image the reference as given';
GRANT EXECUTE ON FUNCTION image_library.record_use TO image_library_reader;

CREATE FUNCTION image_library.release_use(reference text, consumer text, location text DEFAULT NULL, registry text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked record := image_library_internal.parse_image_reference(reference);
  repositories integer[] := image_library_internal.referenced_repositories(asked.host, asked.repository, asked.short_name, registry);
  known boolean := EXISTS (SELECT FROM image_library_internal.candidates(repositories, asked.tag, asked.digest));
  image record;
  found_in integer;
  released bigint := 0;
  released_unknown bigint;
  recorders text;
BEGIN
  IF known THEN
    image := image_library_internal.find_image(reference, registry);
    UPDATE image_library_internal.image_use u SET released_at = now()
    WHERE u.repository_id = image.repository_id AND u.digest = image.digest AND u.released_at IS NULL
      AND u.consumer = release_use.consumer
      AND (release_use.location IS NULL OR u.location = release_use.location)
      AND image_library_internal.may_release(u.recorded_by);
    GET DIAGNOSTICS released = ROW_COUNT;
    found_in := image.repository_id;
    asked.tag := image.tag;
    asked.digest := image.digest;
  END IF;
  IF cardinality(repositories) = 1 THEN
    SELECT r.host, r.full_name INTO asked.host, asked.repository
    FROM image_library_internal.full_repository r WHERE r.repository_id = repositories[1];
  END IF;
  UPDATE image_library_internal.unknown_use u SET released_at = now()
  WHERE u.host = asked.host AND u.repository = asked.repository AND u.released_at IS NULL
    -- What was recorded of a known image may lack the tag or the digest.
    AND CASE WHEN known THEN coalesce(u.tag = asked.tag, true) AND coalesce(u.digest = asked.digest, true)
             ELSE (u.tag, u.digest) IS NOT DISTINCT FROM (asked.tag, asked.digest) END
    AND u.consumer = release_use.consumer
    AND (release_use.location IS NULL OR u.location = release_use.location)
    AND (u.registry_id IS NULL OR u.registry_id <> ALL (image_library_internal.hidden_registries()))
    AND image_library_internal.may_release(u.recorded_by);
  GET DIAGNOSTICS released_unknown = ROW_COUNT;
  released := released + released_unknown;
  IF released = 0 THEN
    SELECT string_agg(DISTINCT format('"%s"', u.recorded_by), ', ') INTO recorders
    FROM image_library_internal.visible_use u
    WHERE u.released_at IS NULL AND u.consumer = release_use.consumer
      AND (release_use.location IS NULL OR u.location = release_use.location)
      AND CASE WHEN known THEN u.repository_id = found_in AND u.digest = asked.digest
               ELSE u.place = concat(asked.host, '/', asked.repository)
                    AND (u.tag, u.digest) IS NOT DISTINCT FROM (asked.tag, asked.digest) END;
    IF recorders IS NOT NULL THEN
      PERFORM image_library_internal.fail(
        errcode => 'insufficient_privilege',
        message => format('permission denied: release the use of image "%s" by "%s"', image_library_internal.without_secrets(reference), consumer),
        detail => format('It was recorded by %s.', recorders),
        hint => 'Who recorded a use, a member of that role, or a member of image_library_admin may release it.');
    END IF;
    IF NOT known THEN
      PERFORM image_library_internal.find_image(reference, registry);
    END IF;
  END IF;
  RETURN released;
END
$$;
COMMENT ON FUNCTION image_library.release_use IS
  'Records that a consumer does not run an image any more, at a location or at all of them; returns how many of the caller''s uses ended, for admins of all uses';
GRANT EXECUTE ON FUNCTION image_library.release_use TO image_library_reader;

CREATE VIEW image_library.usage WITH (security_barrier) AS
  SELECT u.registry, u.repository, u.tag, u.digest, concat(u.place, ':' || u.tag, '@' || u.digest) AS pinned_reference,
         u.consumer, u.location, u.used_since, u.released_at, u.recorded_by
  FROM image_library_internal.visible_use u;
COMMENT ON VIEW image_library.usage IS
  'Images that consumers run, or ran, as they recorded it; registry is null for those that the library does not know';
GRANT SELECT ON image_library.usage TO image_library_reader;

-- The image in use may be one that no tag points at any more. It is classified from its facts, with the tag that
-- pointed at it.
CREATE FUNCTION image_library_internal.postgres_image(repository_id integer, tag text, digest text,
  OUT flavor text, OUT major_version integer, OUT variant text, OUT os text, OUT newest_key bytea[])
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.facts ->> 'flavor', (c.facts ->> 'major_version')::integer, c.facts ->> 'variant', c.facts ->> 'os',
         image_library_internal.newest_key(c.facts ->> 'version', (c.facts ->> 'build_at')::timestamptz, c.facts ->> 'variant', postgres_image.tag)
  FROM image_library_internal.visible_repository r
  CROSS JOIN LATERAL image_library_internal.own_facts(r.repository_id, postgres_image.tag, postgres_image.digest) AS c (facts)
  WHERE r.repository_id = postgres_image.repository_id AND c.facts ->> 'kind' = 'postgres'
$$;
COMMENT ON FUNCTION image_library_internal.postgres_image IS
  'Facts of the Postgres image that a tag points, or pointed, at; no row: it is not a Postgres image';
GRANT EXECUTE ON FUNCTION image_library_internal.postgres_image TO image_library_reader;

CREATE VIEW image_library.drift WITH (security_barrier) AS
  SELECT u.registry, u.repository, u.tag, u.digest, u.consumer, u.location, d.drift, d.detail, runs_on.blocks = '{}' AS usable
  FROM image_library_internal.visible_use u
  LEFT JOIN image_library_internal.tag t ON t.repository_id = u.repository_id AND t.name = u.tag
  LEFT JOIN image_library_internal.approval a ON a.repository_id = u.repository_id AND a.digest = u.digest
  LEFT JOIN image_library_internal.entry e ON e.repository_id = u.repository_id AND e.tag = u.tag
  LEFT JOIN LATERAL (
    SELECT e.flavor, e.major_version, e.variant, e.os, e.newest_key WHERE e.digest = u.digest AND e.kind = 'postgres'
    UNION ALL
    SELECT p.* FROM image_library_internal.postgres_image(u.repository_id, u.tag, u.digest) p WHERE t.digest <> u.digest
  ) runs ON true
  -- As in candidates.
  CROSS JOIN LATERAL (
    SELECT CASE WHEN tags.present THEN NULL WHEN c.checked_at IS NOT NULL THEN c.gone_since
                ELSE coalesce(tags.missing_since, t.missing_since) END AS since
    FROM (SELECT bool_or(x.missing_since IS NULL) AS present, max(x.missing_since) AS missing_since
          FROM image_library_internal.tag x WHERE x.repository_id = u.repository_id AND x.digest = u.digest) tags
    LEFT JOIN image_library_internal.untagged_check c ON c.repository_id = u.repository_id AND c.digest = u.digest) gone
  CROSS JOIN LATERAL (
    SELECT gone.since + (SELECT image_library_internal.missing_grace()) AS missing_until) grace
  CROSS JOIN LATERAL (
    SELECT image_library_internal.blocks(t.name, t.rule_id, CASE WHEN grace.missing_until <= clock_timestamp() THEN gone.since END,
                                         a, clock_timestamp()) AS blocks) runs_on
  CROSS JOIN LATERAL (
    SELECT 'tag moved' AS drift, 'the tag points at ' || t.digest || ' now' AS detail WHERE t.digest <> u.digest
    UNION ALL
    SELECT 'unknown', 'the library does not know the image' WHERE u.repository_id IS NULL
    UNION ALL
    SELECT CASE WHEN b IN ('quarantined', 'expired', 'deprecated') THEN 'not usable' ELSE b END,
           CASE b WHEN 'quarantined' THEN 'the image is in quarantine'
                  WHEN 'deprecated' THEN 'the image is deprecated'
                  WHEN 'expired' THEN 'the approval has expired'
                  WHEN 'missing' THEN 'the registry has the image no more' || CASE WHEN 'missing' = ANY (runs_on.blocks) THEN ''
                                      ELSE coalesce('; it may be used until ' || grace.missing_until, '') END
                  WHEN 'not admitted' THEN 'no rule takes the tag'
                  ELSE 'the image is ' || b END
    FROM unnest(image_library_internal.blocks(t.name, t.rule_id, gone.since, a, clock_timestamp())) b
    -- For an image that is not approved, the state is reported and nothing else.
    WHERE u.repository_id IS NOT NULL AND b <> 'no tag' AND (a.state = 'approved' OR b NOT IN ('quarantined', 'deprecated'))
    UNION ALL
    SELECT 'policy unmet', format('policy "%s" for the consumer was not met at %s', p.name, u.policies_checked_at)
    FROM image_library_internal.policy p WHERE p.name = ANY (u.unmet_policies) AND p.enabled AND p.applies_to = 'consumer:' || u.consumer
    UNION ALL
    SELECT 'deprecated', 'the image may be used until ' || a.deprecated_from WHERE a.deprecated_from > clock_timestamp()
    UNION ALL
    SELECT 'major downgrade', format('the tag was PostgreSQL %s and is %s now', runs.major_version, e.major_version)
    WHERE t.digest <> u.digest AND e.kind = 'postgres' AND e.major_version < runs.major_version
    UNION ALL
    -- Of the same flavor, major version, variant and OS; another tag of the same build is not newer.
    (SELECT CASE WHEN newer.newest_key[1] = runs.newest_key[1] THEN 'newer build' ELSE 'newer minor' END, newer.tag || ' is approved'
     FROM image_library_internal.usable_entries newer
     WHERE newer.kind = 'postgres' AND newer.repository_id = u.repository_id AND newer.digest <> u.digest
       AND newer.flavor = runs.flavor AND newer.major_version = runs.major_version
       AND newer.variant IS NOT DISTINCT FROM runs.variant AND newer.os IS NOT DISTINCT FROM runs.os
       AND NOT newer.contested
       AND (newer.newest_key[1] > runs.newest_key[1]
            OR newer.newest_key[1] = runs.newest_key[1] AND runs.newest_key[2] <> '' AND newer.newest_key[2] > runs.newest_key[2])
     ORDER BY newer.newest_key DESC LIMIT 1)
  ) d
  WHERE u.released_at IS NULL;
COMMENT ON VIEW image_library.drift IS 'Images in use for which there is something to know: one row for each reason; usable tells whether the image may still be used';
GRANT SELECT ON image_library.drift TO image_library_reader;

CREATE FUNCTION image_library_internal.warn_of_users(repository_id integer, digest text, reference text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  total bigint;
  users text;
BEGIN
  SELECT count(*) INTO total FROM image_library_internal.users_of(warn_of_users.repository_id, warn_of_users.digest);
  IF total > 0 THEN
    SELECT string_agg(named.text, ', ' ORDER BY named.text) INTO users
    FROM (SELECT concat(left(u.consumer, 100), ' at ' || left(u.location, 100)) AS text
          FROM image_library_internal.users_of(warn_of_users.repository_id, warn_of_users.digest) u
          ORDER BY u.consumer, u.location LIMIT 20) named;
    RAISE WARNING USING
      MESSAGE = format('image "%s" is in use by %s', reference, users)
                || CASE WHEN total > 20 THEN format(' and %s more', total - 20) ELSE '' END,
      HINT = 'See image_library.drift.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.warn_of_users IS 'Warns the role that revokes an image which is in use';

-- The subtransaction releases the locks, so that decisions do not wait for the transaction that uses the image.
CREATE FUNCTION image_library_internal.require_unchanged(reference text, in_registry text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, in_registry);
BEGIN
  PERFORM FROM image_library_internal.tag t WHERE t.repository_id = image.repository_id AND t.name = image.tag FOR SHARE;
  PERFORM FROM image_library_internal.approval a WHERE a.repository_id = image.repository_id AND a.digest = image.digest FOR SHARE;
  RAISE EXCEPTION USING ERRCODE = 'IL000';
EXCEPTION WHEN SQLSTATE 'IL000' THEN
  NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_unchanged IS
  'Raises 40001 if an image has changed since the snapshot of a transaction that keeps its first snapshot';

CREATE FUNCTION image_library_internal.require_usable(image text, pin boolean, in_registry text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  is_reader boolean := image_library_internal.has_role('image_library_reader');
  asked record := image_library_internal.parse_image_reference(image);
  pinned text;
BEGIN
  in_registry := nullif(in_registry, '');
  IF image_library_internal.keeps_snapshot() THEN
    PERFORM image_library_internal.require_unchanged(image, in_registry);
  END IF;
  IF is_reader THEN
    pinned := image_library.resolve(image, in_registry);
  ELSE
    BEGIN
      pinned := image_library.resolve(image, in_registry);
    EXCEPTION WHEN OTHERS THEN
      -- Only readers may see who decided and why.
      PERFORM image_library_internal.fail(errcode => SQLSTATE, message => SQLERRM, hint => 'A member of image_library_reader is told more.');
    END;
  END IF;
  IF pin THEN
    RETURN pinned;
  END IF;
  IF asked.digest IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('image "%s" is not named by its digest', image),
      detail => concat('Its tag may point at another image later.', CASE WHEN is_reader THEN format(' Now it is %s.', pinned) END),
      hint => 'Store the reference that image_library.resolve returns, or let the trigger do it: require_approved(''column'', ''pin'').');
  END IF;
  -- Container runtimes would read it as an image of Docker Hub.
  IF image_library_internal.untagged(pinned) <> concat(asked.host, '/', asked.repository) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('image "%s" does not name its registry', image),
      detail => concat('Container runtimes read such a name as one of Docker Hub.', CASE WHEN is_reader THEN format(' It is %s.', pinned) END),
      hint => 'Store the reference that image_library.resolve returns, or let the trigger do it: require_approved(''column'', ''pin'').');
  END IF;
  RETURN image;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_usable IS
  'Reference to store for an image (in_registry empty: of any registry): pinned, or as given, which must name a digest; raises the errors of resolve, and 40001 in a transaction with an older snapshot of the image; called by require_approved';

CREATE FUNCTION image_library.require_approved() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'image_library_require_approved';
COMMENT ON FUNCTION image_library.require_approved IS
  'Trigger function for your own tables: the named column accepts only images that resolve, by a reference with a digest. With a second argument ''pin'', in a BEFORE trigger, it stores the pinned reference of one without. A third argument names the registry, which is needed where the paths of several overlap';
GRANT EXECUTE ON FUNCTION image_library.require_approved TO image_library_reader;
-- Runs of the agent, and problems found in them.

CREATE TABLE image_library_internal.run (
  run_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  cause text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  outcome text CHECK (outcome IN ('complete', 'partial', 'failed', 'cancelled')),
  error text,
  requests bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  not_modified bigint NOT NULL DEFAULT 0,
  retries bigint NOT NULL DEFAULT 0,
  repositories bigint NOT NULL DEFAULT 0,
  tags_seen bigint NOT NULL DEFAULT 0,
  images_added bigint NOT NULL DEFAULT 0,
  tags_moved bigint NOT NULL DEFAULT 0,
  tags_missing bigint NOT NULL DEFAULT 0,
  problems bigint NOT NULL DEFAULT 0,
  next_at timestamptz,
  decided boolean NOT NULL DEFAULT false
);
CREATE INDEX run_registry ON image_library_internal.run (registry_id, run_id DESC);
CREATE INDEX run_unfinished ON image_library_internal.run (registry_id) WHERE outcome IS NULL;
COMMENT ON TABLE image_library_internal.run IS
  'Runs of the agent, one row for each run over a registry; the last one determines what is due next';
COMMENT ON COLUMN image_library_internal.run.outcome IS
  'complete, partial, failed, or cancelled by whoever had it run, which says nothing of the registry; null: it has not ended';
COMMENT ON COLUMN image_library_internal.run.decided IS
  'Whether rules that had changed before the run were applied to the known tags';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.run TO image_library_agent;

CREATE TABLE image_library_internal.problem (
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  repository text COLLATE "C" NOT NULL,
  tag text COLLATE "C" NOT NULL,
  problem text NOT NULL,
  detail text NOT NULL,
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (registry_id, repository, tag)
);
COMMENT ON TABLE image_library_internal.problem IS
  'What a sync skipped and why; a row is removed when the tag can be read again, or no rule asks for it any more';
COMMENT ON COLUMN image_library_internal.problem.tag IS 'Tag; empty: the whole repository';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.problem TO image_library_agent;

CREATE FUNCTION image_library_internal.failures(registry_id integer) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT count(*)
  FROM image_library_internal.run r
  WHERE r.registry_id = failures.registry_id AND r.outcome = 'failed'
    AND r.run_id > coalesce((SELECT max(ok.run_id) FROM image_library_internal.run ok
                             WHERE ok.registry_id = failures.registry_id AND ok.outcome IN ('complete', 'partial')), 0)
$$;
COMMENT ON FUNCTION image_library_internal.failures IS
  'Number of failed runs of a registry since the last one that was complete or partial; cancelled runs do not count';
GRANT EXECUTE ON FUNCTION image_library_internal.failures TO image_library_agent;

CREATE FUNCTION image_library_internal.begin_run(registry_id integer, cause text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id bigint;
BEGIN
  -- The caller holds the registry's lock, so a run that has not ended was interrupted by a crash.
  UPDATE image_library_internal.run r SET finished_at = clock_timestamp(), outcome = 'failed', error = 'interrupted'
  WHERE r.registry_id = begin_run.registry_id AND r.outcome IS NULL;
  INSERT INTO image_library_internal.run AS r (registry_id, cause) VALUES (begin_run.registry_id, begin_run.cause)
  RETURNING r.run_id INTO id;
  PERFORM image_library_internal.remove_old_history();
  RETURN id;
END
$$;
COMMENT ON FUNCTION image_library_internal.begin_run IS 'Adds the row of a run; returns its number';
GRANT EXECUTE ON FUNCTION image_library_internal.begin_run TO image_library_agent;

-- Called in a transaction of its own: if it fails because of locks of other sessions, the run is recorded as failed.
CREATE FUNCTION image_library_internal.apply_changed_rules(run_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := (SELECT r.registry_id FROM image_library_internal.run r WHERE r.run_id = apply_changed_rules.run_id);
BEGIN
  -- Rules may have changed while an earlier run applied the rules as they were before.
  IF (SELECT g.rules_changed_at FROM image_library_internal.registry g WHERE g.registry_id = id)
     > coalesce((SELECT max(r.started_at) FROM image_library_internal.run r WHERE r.registry_id = id AND r.decided), '-infinity') THEN
    PERFORM image_library_internal.decide_registry(id);
  END IF;
  UPDATE image_library_internal.run r SET decided = true WHERE r.run_id = apply_changed_rules.run_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.apply_changed_rules IS
  'Applies rules that have changed since an earlier run to the known tags';
GRANT EXECUTE ON FUNCTION image_library_internal.apply_changed_rules TO image_library_agent;

CREATE FUNCTION image_library_internal.end_interrupted_runs(failed_registry integer, failure text, failed_at timestamptz)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  -- Due at once after the first interruption. One that follows a failure waits as after any other.
  UPDATE image_library_internal.run r
  SET finished_at = clock_timestamp(), outcome = 'failed',
      error = concat_ws(': ', 'interrupted',
                        CASE WHEN r.registry_id = failed_registry AND failed_at >= r.started_at THEN nullif(failure, '') END),
      next_at = CASE WHEN (SELECT b.outcome = 'failed' FROM image_library_internal.run b
                           WHERE b.registry_id = r.registry_id AND b.run_id < r.run_id ORDER BY b.run_id DESC LIMIT 1)
                     THEN image_library_internal.next_sync_at(r.run_id, 'failed') ELSE clock_timestamp() END
  WHERE r.outcome IS NULL AND image_library_internal.syncing_pid(r.registry_id) IS NULL
$$;
COMMENT ON FUNCTION image_library_internal.end_interrupted_runs IS
  'Ends the runs that no process works on any more; the arguments are the last failure of a worker in this database';
GRANT EXECUTE ON FUNCTION image_library_internal.end_interrupted_runs TO image_library_agent;

CREATE FUNCTION image_library_internal.finish_run(run_id bigint, outcome text, error text, counts jsonb, next_at timestamptz)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE image_library_internal.run r
  SET finished_at = clock_timestamp(), outcome = finish_run.outcome, error = finish_run.error,
      next_at = finish_run.next_at,
      requests = (counts ->> 'requests')::bigint, bytes = (counts ->> 'bytes')::bigint,
      not_modified = (counts ->> 'not_modified')::bigint, retries = (counts ->> 'retries')::bigint,
      repositories = (counts ->> 'repositories')::bigint, tags_seen = (counts ->> 'tags_seen')::bigint,
      images_added = (counts ->> 'images_added')::bigint, tags_moved = (counts ->> 'tags_moved')::bigint,
      tags_missing = (counts ->> 'tags_missing')::bigint, problems = (counts ->> 'problems')::bigint
  WHERE r.run_id = finish_run.run_id
$$;
COMMENT ON FUNCTION image_library_internal.finish_run IS 'Stores the result of a run';
GRANT EXECUTE ON FUNCTION image_library_internal.finish_run TO image_library_agent;

CREATE FUNCTION image_library_internal.syncing_pid(registry_id integer) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT l.pid FROM pg_locks l
  WHERE l.locktype = 'userlock' AND l.classid = 1 AND l.objid = syncing_pid.registry_id::oid AND l.granted
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
  LIMIT 1
$$;
COMMENT ON FUNCTION image_library_internal.syncing_pid IS 'Process that is syncing a registry';
GRANT EXECUTE ON FUNCTION image_library_internal.syncing_pid TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.due_at(requested_at timestamptz, last_started_at timestamptz, last_next_at timestamptz)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN last_started_at IS NULL THEN '-infinity'
    WHEN requested_at > last_started_at THEN requested_at
    ELSE coalesce(last_next_at, '-infinity') END
$$;
COMMENT ON FUNCTION image_library_internal.due_at IS
  'When a sync of a registry is due; at once if it was never synced, a sync was requested, or its run was interrupted';
GRANT EXECUTE ON FUNCTION image_library_internal.due_at TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.due_registries() RETURNS TABLE (registry_id integer, name text, due_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- A registry that failed comes after others that became due up to five minutes later, so that registries which do not
  -- answer keep no others waiting.
  SELECT g.registry_id, g.name, due.at
  FROM image_library_internal.registry g
  LEFT JOIN LATERAL (SELECT r.started_at, r.next_at, r.outcome FROM image_library_internal.run r
                     WHERE r.registry_id = g.registry_id ORDER BY r.run_id DESC LIMIT 1) last ON true
  CROSS JOIN LATERAL (SELECT greatest(image_library_internal.due_at(g.sync_requested_at, last.started_at, last.next_at),
                                      image_library_internal.not_before(g.registry_id)) AS at) due
  WHERE g.enabled AND coalesce(image_library_internal.syncing_pid(g.registry_id), pg_backend_pid()) = pg_backend_pid()
    AND EXISTS (SELECT FROM image_library_internal.rule r
                WHERE r.registry_id = g.registry_id AND r.enabled AND r.action = 'include')
  ORDER BY due.at > clock_timestamp(),
           greatest(due.at, g.created_at) + CASE WHEN last.outcome = 'failed' THEN interval '5 minutes' ELSE interval '0' END, 1
$$;
COMMENT ON FUNCTION image_library_internal.due_registries IS
  'Enabled registries with a rule that no other session is syncing, in the order in which they are to be synced: what is due comes first';
GRANT EXECUTE ON FUNCTION image_library_internal.due_registries TO image_library_agent;

CREATE FUNCTION image_library.request_sync(registry text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked image_library_internal.registry := image_library_internal.find_registry(registry);
BEGIN
  IF NOT asked.enabled THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('registry "%s" is disabled', registry),
      hint => 'Enable it with image_library.enable_registry.');
  END IF;
  UPDATE image_library_internal.registry g SET sync_requested_at = clock_timestamp() WHERE g.registry_id = asked.registry_id;
  IF image_library_internal.not_before(asked.registry_id) IS NOT NULL THEN
    RAISE NOTICE USING
      MESSAGE = format('registry "%s" asked not to be asked before %s', registry, image_library_internal.not_before(asked.registry_id)),
      HINT = 'The agent syncs it then.';
  END IF;
  IF NOT EXISTS (SELECT FROM image_library.agent_status() s WHERE s.launcher_pid IS NOT NULL) THEN
    RAISE NOTICE USING
      MESSAGE = 'the agent is not running',
      HINT = 'Call image_library.start_worker(), or CALL image_library.sync() to sync in this session.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.request_sync IS
  'Asks the agent to sync a registry at once, when this transaction commits';
GRANT EXECUTE ON FUNCTION image_library.request_sync TO image_library_curator;

CREATE FUNCTION image_library.accept_removals(registry text, repository text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  waiting bigint;
BEGIN
  PERFORM image_library_internal.require_owner(format('accept removals in registry "%s"', registry), of_registry.owner);
  UPDATE image_library_internal.refused_removal f SET accepted_at = now(), accepted_by = session_user
  FROM image_library_internal.repository r
  WHERE r.repository_id = f.repository_id AND r.registry_id = of_registry.registry_id
    AND r.name = accept_removals.repository
  RETURNING cardinality(f.tags) INTO waiting;
  IF waiting IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('no removal waits in repository "%s" of registry "%s"', repository, registry),
      hint => 'See image_library.refused_removals.');
  END IF;
  UPDATE image_library_internal.registry g SET sync_requested_at = clock_timestamp() WHERE g.registry_id = of_registry.registry_id;
  RETURN waiting;
END
$$;
COMMENT ON FUNCTION image_library.accept_removals IS
  'Accepts that the tags which the last listing of a repository lacked are removed: the next sync marks those of them missing that the registry does not have, and no others. Returns their number';
GRANT EXECUTE ON FUNCTION image_library.accept_removals TO image_library_curator;
-- Functions that the agent's C++ code calls, as role image_library_agent only.

CREATE FUNCTION image_library_internal.sync_targets(registry text, force boolean)
RETURNS TABLE (registry_id integer, name text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked image_library_internal.registry;
BEGIN
  PERFORM image_library_internal.require_read_committed();
  IF force AND NOT image_library_internal.sees_everything() THEN
    PERFORM image_library_internal.fail(
      errcode => 'insufficient_privilege',
      message => 'permission denied: sync a registry that asked to be left alone',
      detail => 'Registries refuse clients for longer that keep sending requests.',
      hint => 'Ask a member of image_library_admin, or sync without force.');
  END IF;
  IF registry IS NOT NULL THEN
    asked := image_library_internal.find_registry(registry);
    IF NOT asked.enabled THEN
      PERFORM image_library_internal.fail(
        errcode => 'object_not_in_prerequisite_state',
        message => format('registry "%s" is disabled', registry),
        hint => 'Enable it with image_library.enable_registry.');
    END IF;
  END IF;
  RETURN QUERY
    SELECT g.registry_id, g.name
    FROM image_library_internal.visible_registry g
    WHERE g.enabled AND (sync_targets.registry IS NULL OR g.name = sync_targets.registry)
    ORDER BY g.name;
END
$$;
COMMENT ON FUNCTION image_library_internal.sync_targets IS
  'Enabled registries that the caller may see, or the named one; raises an error if it cannot be synced';
GRANT EXECUTE ON FUNCTION image_library_internal.sync_targets TO image_library_agent;

CREATE FUNCTION image_library_internal.registry_config(registry_id integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object(
    'name', g.name, 'scheme', g.scheme, 'host', g.host, 'prefix', g.prefix, 'proxy', g.proxy, 'realm_hosts', g.realm_hosts,
    'ca_certificate', g.ca_certificate, 'allow_private', g.allow_private, 'client_certificate', c.certificate, 'client_key', c.key,
    'max_connections', g.max_connections, 'requests_per_second', g.requests_per_second, 'requests_per_run', g.requests_per_run,
    'rules', rules.json, 'rules_fingerprint', encode(sha256(convert_to(rules.json::text, 'UTF8')), 'hex'), 'progress', coalesce(m.progress, ''),
    'head_refused', coalesce(m.head_refused_at > now() - interval '1 day', false),
    'referrers_refused', coalesce(m.referrers_refused_at > now() - interval '1 day', false),
    'conditional', CASE WHEN m.conditional_refused_at > now() - interval '1 day' THEN false WHEN m.conditional THEN true END)
  FROM image_library_internal.registry g
  CROSS JOIN LATERAL (SELECT coalesce(image_library_internal.rules_json(g.registry_id), '[]') AS json) rules
  LEFT JOIN image_library_internal.client_certificate c USING (registry_id)
  LEFT JOIN image_library_internal.registry_state m USING (registry_id)
  WHERE g.registry_id = registry_config.registry_id
$$;
COMMENT ON FUNCTION image_library_internal.registry_config IS
  'Configuration of a registry for a run, with its enabled rules and the state that the last run stored';
GRANT EXECUTE ON FUNCTION image_library_internal.registry_config TO image_library_agent;

CREATE FUNCTION image_library_internal.known_repository(registry_id integer, repository text)
RETURNS TABLE (fingerprint text, problems jsonb, referrer_tags jsonb, removals_refused boolean, accepted jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT l.fingerprint,
         (SELECT coalesce(jsonb_object_agg(p.tag, p.problem), '{}')
          FROM image_library_internal.problem p
          WHERE p.registry_id = known_repository.registry_id AND p.repository = known_repository.repository),
         (SELECT coalesce(jsonb_agg(DISTINCT x.tag), '[]')
          FROM image_library_internal.image_referrer x WHERE x.repository_id = r.repository_id AND x.tag IS NOT NULL),
         f.repository_id IS NOT NULL,
         CASE WHEN f.accepted_at IS NULL THEN '[]' ELSE to_jsonb(f.tags) END
  FROM (VALUES (1)) one
  LEFT JOIN image_library_internal.repository r
    ON r.registry_id = known_repository.registry_id AND r.name = known_repository.repository
  LEFT JOIN image_library_internal.listing l USING (repository_id)
  LEFT JOIN image_library_internal.refused_removal f USING (repository_id)
$$;
COMMENT ON FUNCTION image_library_internal.known_repository IS
  'Fingerprint of the last complete listing, problems by tag (empty: the repository), tags of referrers, removals';
GRANT EXECUTE ON FUNCTION image_library_internal.known_repository TO image_library_agent;

CREATE FUNCTION image_library_internal.known_tags(registry_id integer, repository text)
RETURNS TABLE (name text, digest text, missing boolean, rule_id bigint, fresh boolean, unread boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.name, t.digest, t.missing_since IS NOT NULL, coalesce(t.rule_id, 0),
         coalesce(t.digest_changed_at >= (SELECT n.started_at FROM image_library_internal.run n
                                          WHERE n.registry_id = known_tags.registry_id
                                          ORDER BY n.run_id DESC LIMIT 1), false),
         EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = t.digest AND i.unread IS NOT NULL)
  FROM image_library_internal.repository r JOIN image_library_internal.tag t USING (repository_id)
  WHERE r.registry_id = known_tags.registry_id AND r.name = known_tags.repository
  ORDER BY t.name
$$;
COMMENT ON FUNCTION image_library_internal.known_tags IS
  'Tags of a repository that were read before, sorted by bytes; fresh: read by the current run; unread: something of the image could not be read';
GRANT EXECUTE ON FUNCTION image_library_internal.known_tags TO image_library_agent;

-- Approved and used images are asked about every day, pending images at growing intervals: signatures are mostly pushed
-- minutes after their image, and a policy may wait for them.
CREATE FUNCTION image_library_internal.due_referrers(registry_id integer, with_api boolean)
RETURNS TABLE (repository text, digest text, tags jsonb, known jsonb, absent jsonb, present jsonb, children jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.name, due.digest,
         (SELECT coalesce(jsonb_agg(DISTINCT x.tag), '[]') FROM image_library_internal.image_referrer x
          WHERE x.repository_id = due.repository_id AND x.digest = due.digest AND x.tag IS NOT NULL),
         (SELECT coalesce(jsonb_object_agg(x.referrer_digest, x.artifact_type), '{}') FROM image_library_internal.image_referrer x
          WHERE x.repository_id = due.repository_id AND x.digest = due.digest),
         coalesce(made_of.absent, '[]'), coalesce(made_of.present, '[]'), coalesce(children.digests, '[]')
  FROM (
    SELECT wanted.repository_id, wanted.digest, coalesce(max(c.checked_at), max(wanted.since)) AS last_at,
           bool_or(wanted.matters)
             AND coalesce(max(c.checked_at), max(wanted.since)) - max(wanted.since) >= interval '1 day' AS is_daily
    FROM (
      SELECT t.repository_id, t.digest, t.digest_changed_at AS since, true AS matters
      FROM image_library_internal.repository p
      JOIN image_library_internal.approval a USING (repository_id)
      JOIN image_library_internal.tag t ON t.repository_id = a.repository_id AND t.digest = a.digest
      WHERE p.registry_id = due_referrers.registry_id AND a.state = 'approved'
        AND t.rule_id IS NOT NULL AND t.missing_since IS NULL
      UNION ALL
      SELECT t.repository_id, t.digest, t.digest_changed_at, false
      FROM image_library_internal.repository p
      JOIN image_library_internal.tag t USING (repository_id)
      WHERE p.registry_id = due_referrers.registry_id AND t.digest_changed_at > now() - interval '3 days'
        AND t.rule_id IS NOT NULL AND t.missing_since IS NULL
    ) wanted
    LEFT JOIN image_library_internal.referrer_check c USING (repository_id, digest)
    GROUP BY wanted.repository_id, wanted.digest
    HAVING coalesce(max(c.checked_at), max(wanted.since))
         + greatest(interval '10 minutes',
                    least(coalesce(max(c.checked_at), max(wanted.since)) - max(wanted.since),
                          CASE WHEN bool_or(wanted.matters) THEN interval '1 day' END)) <= now()
  ) due
  JOIN image_library_internal.repository r USING (repository_id)
  LEFT JOIN LATERAL (
    SELECT jsonb_agg(p.manifest_digest ORDER BY p.platform <> 'linux/amd64', p.manifest_digest) FILTER (WHERE NOT p.present) AS absent,
           jsonb_agg(p.manifest_digest ORDER BY p.manifest_digest) FILTER (WHERE p.present) AS present
    FROM image_library_internal.image_platform p WHERE p.digest = due.digest
    HAVING NOT bool_and(p.present)) made_of ON true
  LEFT JOIN LATERAL (
    SELECT jsonb_agg(c.manifest_digest ORDER BY c.place) AS digests
    FROM (SELECT p.manifest_digest, row_number() OVER (ORDER BY p.platform <> 'linux/amd64', p.manifest_digest) AS place
          FROM image_library_internal.image_platform p
          WHERE p.digest = due.digest AND p.manifest_digest <> p.digest AND p.present) c
    WHERE c.place <= 50) children ON due.is_daily
  WHERE with_api OR made_of.absent IS NOT NULL OR children.digests IS NOT NULL
     OR EXISTS (SELECT FROM image_library_internal.image_referrer x
                WHERE x.repository_id = due.repository_id AND x.digest = due.digest AND x.tag IS NOT NULL)
  ORDER BY due.last_at, 1, 2
  LIMIT 200
$$;
COMMENT ON FUNCTION image_library_internal.due_referrers IS
  'Images whose referrers are to be asked for again, the one asked longest ago first; without an API those with referrer tags, or whose index named missing manifests. children: manifests of approved images that are checked every day';
GRANT EXECUTE ON FUNCTION image_library_internal.due_referrers TO image_library_agent;

-- PL/pgSQL keeps the plan, which must stay good while the table grows: by key, one digest at a time.
CREATE FUNCTION image_library_internal.known_images(digests jsonb)
RETURNS TABLE (digest text, whole boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
  RETURN QUERY
    SELECT i.digest, i.whole
    FROM jsonb_array_elements_text(digests) AS wanted (digest)
    CROSS JOIN LATERAL (
      SELECT m.digest, m.unread IS NULL AND NOT EXISTS (
        SELECT FROM image_library_internal.image_platform p WHERE p.digest = m.digest AND NOT p.present) AS whole
      FROM image_library_internal.image m WHERE m.digest = wanted.digest OFFSET 0) i;
END
$$;
COMMENT ON FUNCTION image_library_internal.known_images IS
  'Those of the given digests whose image is stored, and whether all of it was read, and all manifests that its index names were there';
GRANT EXECUTE ON FUNCTION image_library_internal.known_images TO image_library_agent;

CREATE FUNCTION image_library_internal.forget_other_problems(registry_id integer, repositories jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM image_library_internal.problem p
  WHERE p.registry_id = forget_other_problems.registry_id
    AND NOT EXISTS (SELECT FROM jsonb_array_elements_text(repositories) AS read (name) WHERE read.name = p.repository)
$$;
COMMENT ON FUNCTION image_library_internal.forget_other_problems IS
  'Removes problems of repositories that the rules do not ask for any more';
GRANT EXECUTE ON FUNCTION image_library_internal.forget_other_problems TO image_library_agent;

CREATE FUNCTION image_library_internal.known_repositories(registry_id integer)
RETURNS TABLE (name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.name FROM image_library_internal.repository r
  WHERE r.registry_id = known_repositories.registry_id
  ORDER BY r.name
$$;
COMMENT ON FUNCTION image_library_internal.known_repositories IS 'Repositories of a registry that were read before';
GRANT EXECUTE ON FUNCTION image_library_internal.known_repositories TO image_library_agent;

-- Between 1 second and 1 hour, whatever a registry asks for. If it gives no time, 30 seconds * 2^n after the n-th
-- consecutive run that its limit ended, plus or minus a quarter.
CREATE FUNCTION image_library_internal.remember(registry_id integer, limited boolean, retry_after bigint, progress text,
  head_refused boolean, referrers_refused boolean, conditional boolean)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO image_library_internal.registry_state AS m
    (registry_id, not_before, limited_runs, progress, head_refused_at, referrers_refused_at, conditional, conditional_refused_at)
  SELECT remember.registry_id,
         CASE WHEN limited THEN clock_timestamp() + CASE
           WHEN remember.retry_after > 0 THEN make_interval(secs => least(greatest(remember.retry_after, 1), 3600))
           ELSE (0.75 + 0.5 * random()) * least(interval '30 seconds' * 2 ^ least(coalesce(old.limited_runs, 0), 16), interval '1 hour')
         END END,
         CASE WHEN limited THEN coalesce(old.limited_runs, 0) + 1 ELSE 0 END,
         remember.progress,
         -- A time less than a day old is kept, since the request was not tried again.
         CASE WHEN head_refused THEN CASE WHEN old.head_refused_at > now() - interval '1 day' THEN old.head_refused_at ELSE now() END END,
         CASE WHEN referrers_refused THEN CASE WHEN old.referrers_refused_at > now() - interval '1 day' THEN old.referrers_refused_at ELSE now() END END,
         coalesce(remember.conditional, false),
         CASE WHEN NOT remember.conditional THEN CASE WHEN old.conditional_refused_at > now() - interval '1 day' THEN old.conditional_refused_at ELSE now() END END
  FROM (VALUES (1)) one
  LEFT JOIN image_library_internal.registry_state old ON old.registry_id = remember.registry_id
  ON CONFLICT ON CONSTRAINT registry_state_pkey DO UPDATE
  SET not_before = excluded.not_before, limited_runs = excluded.limited_runs, progress = excluded.progress,
      head_refused_at = excluded.head_refused_at, referrers_refused_at = excluded.referrers_refused_at,
      conditional = excluded.conditional, conditional_refused_at = excluded.conditional_refused_at
  WHERE (m.not_before, m.limited_runs, m.progress, m.head_refused_at, m.referrers_refused_at, m.conditional, m.conditional_refused_at)
        IS DISTINCT FROM (excluded.not_before, excluded.limited_runs, excluded.progress, excluded.head_refused_at,
                          excluded.referrers_refused_at, excluded.conditional, excluded.conditional_refused_at)
$$;
COMMENT ON FUNCTION image_library_internal.remember IS
  'Stores what the next run needs; retry_after in seconds, 0: the registry did not give a time; conditional: whether If-None-Match works, null: not known';
GRANT EXECUTE ON FUNCTION image_library_internal.remember TO image_library_agent;

CREATE FUNCTION image_library_internal.not_before(registry_id integer) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT m.not_before FROM image_library_internal.registry_state m
  WHERE m.registry_id = not_before.registry_id AND m.not_before > clock_timestamp()
$$;
COMMENT ON FUNCTION image_library_internal.not_before IS 'Time before which a registry wants no request; null: none';
GRANT EXECUTE ON FUNCTION image_library_internal.not_before TO image_library_agent;

CREATE FUNCTION image_library_internal.check_not_before(registry_id integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  not_before timestamptz := image_library_internal.not_before(registry_id);
BEGIN
  IF not_before IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('registry "%s" asked not to be asked before %s',
        (SELECT g.name FROM image_library_internal.registry g WHERE g.registry_id = check_not_before.registry_id), not_before),
      detail => 'It limits how many requests it answers, and counts those that it refuses too.',
      hint => 'Wait: the agent goes on by itself. An admin may ask all the same: CALL image_library.sync(..., force => true).');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_not_before IS 'Raises 55000 while a registry wants no request';
GRANT EXECUTE ON FUNCTION image_library_internal.check_not_before TO image_library_agent;

CREATE FUNCTION image_library_internal.next_sync_at(run_id bigint, outcome text)
RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- After a success the interval; after the first failure 30 s, doubled after each further one, up to the interval.
  -- Both plus or minus a tenth, so that not all registries are asked at the same time.
  -- After a cancel as before the run; whoever cancelled does not meet the agent at once.
  SELECT greatest(
    image_library_internal.not_before(g.registry_id),
    CASE WHEN next_sync_at.outcome = 'cancelled'
         THEN image_library_internal.due_at(g.sync_requested_at, before.started_at, before.next_at) END,
    now() + (0.9 + 0.2 * random()) * CASE
      WHEN next_sync_at.outcome = 'cancelled' THEN interval '30 seconds'
      WHEN next_sync_at.outcome = 'failed' THEN
        least(g.sync_interval, interval '30 seconds' * 2 ^ least(image_library_internal.failures(g.registry_id), 16))
      ELSE g.sync_interval
    END)
  FROM image_library_internal.run this
  JOIN image_library_internal.registry g USING (registry_id)
  LEFT JOIN LATERAL (SELECT r.started_at, r.next_at FROM image_library_internal.run r
                     WHERE r.registry_id = g.registry_id AND r.run_id < this.run_id
                     ORDER BY r.run_id DESC LIMIT 1) before ON true
  WHERE this.run_id = next_sync_at.run_id
$$;
COMMENT ON FUNCTION image_library_internal.next_sync_at IS
  'When a sync of a registry is due after a run, with backoff and jitter, and not before the registry allows it';
GRANT EXECUTE ON FUNCTION image_library_internal.next_sync_at TO image_library_agent;
-- Repositories in which a sync has nothing to do while their listing and the rules stay.

CREATE TABLE image_library_internal.settled_repository (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  fingerprint text COLLATE "C" NOT NULL,
  tags bigint NOT NULL
);
COMMENT ON TABLE image_library_internal.settled_repository IS
  'Repositories whose listed tags are all read and do not move, by their rules: a run that lists the same reads no row of their tags';
COMMENT ON COLUMN image_library_internal.settled_repository.fingerprint IS
  'Digest of the listing and the rules for which that is so';
COMMENT ON COLUMN image_library_internal.settled_repository.tags IS 'Number of tags that the rules admit';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.settled_repository TO image_library_agent;

CREATE FUNCTION image_library_internal.settled_repositories(registry_id integer)
RETURNS TABLE (name text, fingerprint text, tags bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.name, s.fingerprint, s.tags
  FROM image_library_internal.repository r
  JOIN image_library_internal.settled_repository s USING (repository_id)
  WHERE r.registry_id = settled_repositories.registry_id
    -- A run ends problems that are over, and asks for removals that were accepted.
    AND NOT EXISTS (SELECT FROM image_library_internal.problem p WHERE p.registry_id = r.registry_id AND p.repository = r.name)
    AND NOT EXISTS (SELECT FROM image_library_internal.refused_removal f WHERE f.repository_id = r.repository_id)
$$;
COMMENT ON FUNCTION image_library_internal.settled_repositories IS
  'Repositories of a registry in which a run has nothing to do if listing and rules have this fingerprint';
GRANT EXECUTE ON FUNCTION image_library_internal.settled_repositories TO image_library_agent;

-- The caller knows that every present tag is listed, and that the rules of all admitted tags say that tags do not move.
-- If as many tags are present and whole as are admitted, those are the admitted ones.
CREATE FUNCTION image_library_internal.write_settled(repository_id integer, batch jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  settled_tags bigint := (batch #>> '{settled,tags}')::bigint;
BEGIN
  IF settled_tags IS NULL THEN
    -- Also of a listing that comes back later: a tag that was missing in between may be another one.
    DELETE FROM image_library_internal.settled_repository s
    WHERE s.repository_id = write_settled.repository_id
      AND (jsonb_array_length(batch -> 'tags') > 0 OR jsonb_array_length(batch -> 'missing') > 0 OR batch ->> 'listing' IS NOT NULL);
    RETURN;
  END IF;
  INSERT INTO image_library_internal.settled_repository AS s (repository_id, fingerprint, tags)
  SELECT write_settled.repository_id, batch #>> '{settled,fingerprint}', settled_tags
  WHERE settled_tags = (
    SELECT count(*) FROM image_library_internal.tag t
    WHERE t.repository_id = write_settled.repository_id AND t.missing_since IS NULL AND t.rule_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = t.digest AND i.unread IS NOT NULL))
  ON CONFLICT ON CONSTRAINT settled_repository_pkey DO UPDATE
  SET fingerprint = excluded.fingerprint, tags = excluded.tags
  WHERE (s.fingerprint, s.tags) IS DISTINCT FROM (excluded.fingerprint, excluded.tags);
END
$$;
COMMENT ON FUNCTION image_library_internal.write_settled IS
  'Stores that a run has nothing to do in a repository while listing and rules stay, unless an admitted tag is not there or not whole; ends it when tags or the listing change';
GRANT EXECUTE ON FUNCTION image_library_internal.write_settled TO image_library_agent;
-- Public views. They run with the rights of their owner, so that no role needs a right to a table.

CREATE VIEW image_library.registries WITH (security_barrier) AS
  SELECT g.name, concat(g.scheme, '://', concat_ws('/', g.host, nullif(g.prefix, ''))) AS url, g.enabled,
         g.sync_interval, g.max_connections, g.requests_per_second, g.allow_private,
         g.ca_certificate IS NOT NULL AS own_ca,
         ARRAY(SELECT c.repository_prefix FROM image_library_internal.credential c
               WHERE c.registry_id = g.registry_id ORDER BY 1) AS credential_prefixes,
         g.owner, g.created_at, g.created_by, g.private, g.proxy, g.realm_hosts,
         EXISTS (SELECT FROM image_library_internal.client_certificate c WHERE c.registry_id = g.registry_id) AS client_certificate,
         n.token_server, n.warning, g.requests_per_run
  FROM image_library_internal.visible_registry g
  LEFT JOIN image_library_internal.registry_note n USING (registry_id);
COMMENT ON VIEW image_library.registries IS
  'Registries and their options, with the repository prefixes that have a credential';
GRANT SELECT ON image_library.registries TO image_library_reader;

CREATE VIEW image_library.rules WITH (security_barrier) AS
  SELECT r.rule_id, g.name AS registry, r.repositories, r.tags, r.exclude_tags, r.action, r.kind, r.approval,
         r.platforms, r.immutable_tags, r.newest, r.priority, r.enabled, r.owner, r.created_at, r.created_by,
         r.required_approvals, r.separate_requester
  FROM image_library_internal.rule r
  JOIN image_library_internal.visible_registry g USING (registry_id);
COMMENT ON VIEW image_library.rules IS 'Repository rules, enabled and disabled';
GRANT SELECT ON image_library.rules TO image_library_reader;

CREATE VIEW image_library.repositories WITH (security_barrier) AS
  SELECT r.registry, r.repository, r.place AS reference,
         cardinality(l.tags) AS tags_listed, l.changed_at AS listing_changed_at,
         (SELECT count(*) FROM image_library_internal.tag t
          WHERE t.repository_id = r.repository_id AND t.rule_id IS NOT NULL AND t.missing_since IS NULL) AS tags,
         ARRAY(SELECT h.name FROM image_library_internal.hm_tag h
               JOIN image_library_internal.hm_tag_repository x USING (hm_tag_id)
               WHERE x.repository_id = r.repository_id ORDER BY 1) AS hm_tags,
         r.first_seen_at, m.readme,
         ARRAY(SELECT DISTINCT e.kind FROM image_library_internal.entry e
               WHERE e.repository_id = r.repository_id AND e.missing_since IS NULL ORDER BY 1) AS kinds,
         (SELECT e.description FROM image_library_internal.entry e
          WHERE e.repository_id = r.repository_id AND e.missing_since IS NULL AND e.description IS NOT NULL
          ORDER BY image_library.version_key(e.tag) DESC LIMIT 1) AS description
  FROM image_library_internal.visible_repository r
  LEFT JOIN image_library_internal.listing l USING (repository_id)
  LEFT JOIN image_library_internal.repository_readme m USING (repository_id);
COMMENT ON VIEW image_library.repositories IS
  'Repositories that were read, with the number of tags listed and in the library';
GRANT SELECT ON image_library.repositories TO image_library_reader;

-- All platforms of an image are read, since another rule, possibly of another registry, may ask for others.
CREATE VIEW image_library_internal.tag_platforms AS
  SELECT t.repository_id, t.name AS tag,
         CASE WHEN u.platforms IS NULL THEN i.platforms
              ELSE ARRAY(SELECT p FROM unnest(i.platforms) p WHERE p = ANY (u.platforms) ORDER BY p COLLATE "C") END AS platforms
  FROM image_library_internal.tag t
  JOIN image_library_internal.image i ON i.digest = t.digest
  LEFT JOIN image_library_internal.rule u ON u.rule_id = t.rule_id;
COMMENT ON VIEW image_library_internal.tag_platforms IS
  'Platforms of an image that the rule which decides on its tag asks for';

-- Row level security of tag, repository and registry hides rows: conditions of users come after it at each of them. OFFSET
-- 0 keeps such conditions out of tables that do not know who may see a row; these are read for visible tags only, and
-- not at all where none of their columns is asked for.
CREATE VIEW image_library_internal.visible_tags AS
  SELECT t.repository_id, r.registry_id, g.name AS registry, g.host, concat_ws('/', g.host, nullif(g.prefix, ''), r.name) AS place,
         r.name AS repository, t.name AS tag, t.digest, t.first_seen_at, t.digest_changed_at, t.rule_id, t.missing_since,
         t.kind, t.approval, t.waits_from, t.waits_until, f.image, f.entry, f.decided
  FROM image_library_internal.tag t
  JOIN image_library_internal.repository r USING (repository_id)
  JOIN image_library_internal.registry g ON g.registry_id = r.registry_id
  CROSS JOIN LATERAL (
    SELECT (SELECT i FROM image_library_internal.image i WHERE i.digest = t.digest) AS image,
           (SELECT e FROM image_library_internal.entry e WHERE e.repository_id = t.repository_id AND e.tag = t.name) AS entry,
           (SELECT a FROM image_library_internal.approval a WHERE a.repository_id = t.repository_id AND a.digest = t.digest) AS decided
    OFFSET 0) f
  WHERE t.rule_id IS NOT NULL;
COMMENT ON VIEW image_library_internal.visible_tags IS
  'Stored data of view images, for registries that the acting role may see';

CREATE VIEW image_library.images AS
  SELECT t.registry, t.repository, t.tag, t.digest,
         concat(t.place, ':', t.tag) AS reference, concat(t.place, ':', t.tag, '@', t.digest) AS pinned_reference,
         t.kind, t.approval,
         coalesce((t.entry).version, (t.image).version) AS version,
         coalesce((SELECT ARRAY(SELECT p FROM unnest((t.image).platforms) p WHERE p = ANY (u.platforms) ORDER BY p COLLATE "C")
                   FROM image_library_internal.rule u WHERE u.rule_id = t.rule_id AND u.platforms IS NOT NULL),
                  (t.image).platforms) AS platforms,
         (t.image).size_bytes, (t.image).created_at, t.first_seen_at, t.digest_changed_at, t.missing_since,
         ARRAY(SELECT h.name FROM image_library_internal.hm_tag_image x JOIN image_library_internal.hm_tag h USING (hm_tag_id)
               WHERE x.repository_id = t.repository_id AND x.tag = t.tag
               UNION
               SELECT h.name FROM image_library_internal.hm_tag_repository x JOIN image_library_internal.hm_tag h USING (hm_tag_id)
               WHERE x.repository_id = t.repository_id
               UNION SELECT unnest(coalesce((t.entry).system_tags, image_library_internal.system_tags(t.host, '{}'))) ORDER BY 1) AS hm_tags,
         coalesce((t.entry).title, (t.image).title) AS title, coalesce((t.entry).description, (t.image).description) AS description,
         (t.image).annotations, (t.image).labels, (t.decided).deprecated_from, (t.decided).valid_until, (t.decided).quarantined_at,
         (t.image).media_type, nullif((t.image).created_text, '') AS created_text, (t.image).unread
  FROM image_library_internal.visible_tags t;
COMMENT ON VIEW image_library.images IS 'Images of the library: one row for each tag that the rules admit';
GRANT SELECT ON image_library.images TO image_library_reader, image_library_agent;

CREATE VIEW image_library.pending_images AS
  SELECT concat(t.place, ':', t.tag) AS reference, concat(t.place, ':', t.tag, '@', t.digest) AS pinned_reference,
         t.registry, t.repository, t.tag, t.digest, t.kind,
         CASE WHEN t.approval = 'approved' THEN 'expired'
              WHEN (t.decided).reset_at IS NOT NULL THEN 'reset'
              WHEN (f.before).digest IS NOT NULL THEN 'tag moved'
              ELSE 'new' END AS why,
         coalesce(CASE WHEN t.approval = 'approved' THEN t.waits_from END, (t.decided).reset_at, t.digest_changed_at) AS since,
         (t.entry).version, (f.before).digest AS previous_digest,
         CASE WHEN (f.before).digest IS NOT NULL
              THEN coalesce((SELECT a.state FROM image_library_internal.approval a
                             WHERE a.repository_id = t.repository_id AND a.digest = (f.before).digest), 'pending') END AS previous_approval,
         coalesce(cardinality(f.voters), 0) AS votes,
         -- Few registries have rules that require more than one approval.
         CASE WHEN t.registry_id IN (SELECT u.registry_id FROM image_library_internal.rule u WHERE u.enabled AND u.required_approvals > 1)
              THEN (SELECT greatest(q.required, 1) FROM image_library_internal.required_approvals(t.repository_id, ARRAY[t.digest]) q) ELSE 1 END AS votes_needed,
         coalesce(f.voters, '{}') AS voters,
         (SELECT format('%s: %s', p.problem, p.detail) FROM image_library_internal.problem p
          WHERE p.registry_id = t.registry_id AND p.repository = t.repository AND p.tag = t.tag) AS problem,
         ARRAY(SELECT q.requester FROM image_library_internal.approval_request q
               WHERE q.repository_id = t.repository_id AND q.digest = t.digest AND q.ended_at IS NULL
               ORDER BY q.requested_at, q.requester) AS requesters,
         (SELECT min(q.requested_at) FROM image_library_internal.approval_request q
          WHERE q.repository_id = t.repository_id AND q.digest = t.digest AND q.ended_at IS NULL) AS requested_at,
         (SELECT q.reason FROM image_library_internal.approval_request q
          WHERE q.repository_id = t.repository_id AND q.digest = t.digest AND q.ended_at IS NULL AND q.reason IS NOT NULL
          ORDER BY q.requested_at, q.requester LIMIT 1) AS requested_reason,
         coalesce((t.entry).conflicts,
                  (SELECT x.conflicts FROM image_library_internal.other_conflict x WHERE x.repository_id = t.repository_id AND x.tag = t.tag),
                  '{}') AS conflicts,
         -- The verdict may know policies that are gone, and not those that were enabled since.
         CASE WHEN (f.verdict).checked_at >= f.policies_from
              THEN ARRAY(SELECT p.name FROM image_library_internal.policy p WHERE p.name = ANY ((f.verdict).unmet) AND p.enabled ORDER BY 1) END
           AS unmet_policies,
         CASE WHEN (f.verdict).checked_at >= f.policies_from THEN (f.verdict).checked_at END AS policies_checked_at
  FROM image_library_internal.visible_tags t
  CROSS JOIN LATERAL (
    SELECT (SELECT p FROM image_library_internal.tag_period p
            WHERE p.repository_id = t.repository_id AND p.tag = t.tag AND p.digest <> t.digest
            ORDER BY p.since DESC LIMIT 1) AS before,
           (SELECT array_agg(x.voter ORDER BY x.voter) FROM image_library_internal.approval_vote x
            WHERE x.repository_id = t.repository_id AND x.digest = t.digest AND image_library_internal.counts(x)) AS voters,
           (SELECT w FROM image_library_internal.policy_verdict w WHERE w.repository_id = t.repository_id AND w.digest = t.digest) AS verdict,
           coalesce((SELECT max(p.enabled_at) FROM image_library_internal.policy p
                     WHERE p.enabled AND p.effect = 'require' AND p.applies_to NOT LIKE 'consumer:%'), '-infinity') AS policies_from
    OFFSET 0) f
  WHERE t.missing_since IS NULL AND t.waits_from <= (SELECT clock_timestamp())
    AND (t.waits_until IS NULL OR t.waits_until > (SELECT clock_timestamp()));
COMMENT ON VIEW image_library.pending_images IS
  'Images that wait for a decision, and why: new, tag moved, expired or reset';
GRANT SELECT ON image_library.pending_images TO image_library_reader;

CREATE VIEW image_library.decisions WITH (security_barrier) AS
  SELECT d.decision_id, d.registry, d.repository, d.tag, d.digest, d.old_state, d.new_state, d.actor, d.decided_at,
         d.reason, d.rule_id, d.policy, d.action, d.valid_until, d.deprecated_from, d.transaction,
         CASE WHEN (SELECT image_library_internal.sees_everything()) THEN d.client_address END AS client_address,
         c.position AS chain_position, encode(c.previous_hash, 'hex') AS previous_hash, encode(c.row_hash, 'hex') AS row_hash
  FROM image_library_internal.decision d
  LEFT JOIN image_library_internal.chain c ON c.log = 'decisions' AND c.number = d.decision_id
  -- It is not known any more whether a dropped registry was private, so only admins see its decisions.
  WHERE (SELECT image_library_internal.sees_everything())
     OR d.registry_id IN (SELECT g.registry_id FROM image_library_internal.visible_registry g);
COMMENT ON VIEW image_library.decisions IS
  'Decisions: who decided, when and why, and the state before and after; rows are never changed';
GRANT SELECT ON image_library.decisions TO image_library_reader;

CREATE VIEW image_library.tag_history WITH (security_barrier) AS
  SELECT r.registry, r.repository, p.tag, p.digest, tstzrange(p.since, p.until) AS valid
  FROM image_library_internal.tag_period p
  JOIN image_library_internal.visible_repository r USING (repository_id);
COMMENT ON VIEW image_library.tag_history IS 'Periods in which a tag pointed at a digest';
GRANT SELECT ON image_library.tag_history TO image_library_reader;

CREATE VIEW image_library.image_platforms WITH (security_barrier) AS
  SELECT p.digest, p.platform, p.os, p.architecture, p.variant, p.manifest_digest, p.config_digest, p.size_bytes, p.created_at,
         p.present
  FROM image_library_internal.image_platform p
  WHERE (SELECT image_library_internal.hidden_registries()) = '{}' OR image_library_internal.digest_visible(p.digest);
COMMENT ON VIEW image_library.image_platforms IS 'Platforms by image digest';
GRANT SELECT ON image_library.image_platforms TO image_library_reader;

CREATE VIEW image_library.image_extensions WITH (security_barrier) AS
  SELECT x.digest, x.name, x.version, x.description
  FROM image_library_internal.image_extension x
  WHERE (SELECT image_library_internal.hidden_registries()) = '{}' OR image_library_internal.digest_visible(x.digest);
COMMENT ON VIEW image_library.image_extensions IS 'PostgreSQL extensions by image digest';
GRANT SELECT ON image_library.image_extensions TO image_library_reader;

CREATE VIEW image_library.model_profiles WITH (security_barrier) AS
  SELECT x.digest, x.name, x.engine, x.gpu, x."precision", x.tp, x.pp, x.gpu_count, x.qos, x.lora,
         x.buildable, x.gpu_memory_gb, x.disk_gb, r.registry, r.repository
  FROM image_library_internal.model_profile x
  JOIN image_library_internal.visible_repository r USING (repository_id);
COMMENT ON VIEW image_library.model_profiles IS
  'Profiles of a model by repository and image digest, according to the image, a curator or the vendor (see facts_from of model_library)';
GRANT SELECT ON image_library.model_profiles TO image_library_reader;

CREATE VIEW image_library.image_referrers WITH (security_barrier) AS
  SELECT DISTINCT ON (x.digest, x.referrer_digest, x.repository_id)
         x.digest, x.referrer_digest, x.artifact_type, x.size_bytes, x.annotations, x.source, x.first_seen_at,
         r.registry, r.repository
  FROM image_library_internal.image_referrer x
  LEFT JOIN image_library_internal.visible_repository r USING (repository_id)
  WHERE (SELECT image_library_internal.hidden_registries()) = '{}'
     OR image_library_internal.digest_visible(x.digest) AND (x.repository_id IS NULL OR r.repository_id IS NOT NULL)
  ORDER BY x.digest, x.referrer_digest, x.repository_id, x.first_seen_at, x.source;
COMMENT ON VIEW image_library.image_referrers IS
  'Signatures, SBOMs and attestations by image digest and the repository that lists them; they are not verified';
GRANT SELECT ON image_library.image_referrers TO image_library_reader;

CREATE VIEW image_library.hm_tags WITH (security_barrier) AS
  SELECT h.name, h.color,
         (SELECT count(*) FROM image_library_internal.hm_tag_repository x JOIN image_library_internal.visible_repository r USING (repository_id)
          WHERE x.hm_tag_id = h.hm_tag_id) AS repositories,
         (SELECT count(*) FROM image_library_internal.hm_tag_image x JOIN image_library_internal.visible_repository r USING (repository_id)
          WHERE x.hm_tag_id = h.hm_tag_id) AS image_tags,
         h.created_at, h.created_by
  FROM image_library_internal.hm_tag h;
COMMENT ON VIEW image_library.hm_tags IS
  'HM tags and how often they are used; without those that the library sets itself';
GRANT SELECT ON image_library.hm_tags TO image_library_reader;

CREATE VIEW image_library.sync_run WITH (security_barrier) AS
  SELECT r.run_id, g.name AS registry, r.cause, r.started_at, r.finished_at, r.outcome, r.error, r.requests, r.bytes,
         r.not_modified, r.retries, r.repositories, r.tags_seen, r.images_added, r.tags_moved, r.tags_missing,
         r.problems, r.next_at
  FROM image_library_internal.run r
  JOIN image_library_internal.visible_registry g USING (registry_id);
COMMENT ON VIEW image_library.sync_run IS
  'Runs of the agent: requests, findings and changes; no outcome while a run has not ended';
GRANT SELECT ON image_library.sync_run TO image_library_reader;

CREATE VIEW image_library.sync_problem WITH (security_barrier) AS
  SELECT g.name AS registry, p.repository, nullif(p.tag, '') AS tag, p.problem, p.detail, p.first_seen_at, p.last_seen_at
  FROM (SELECT p.registry_id, p.repository, p.tag, p.problem, p.detail, p.first_seen_at, p.last_seen_at FROM image_library_internal.problem p
        UNION ALL
        SELECT u.registry_id, u.repository, u.tag, 'unreadable annotation', u.detail, u.since, u.since
        FROM image_library_internal.unreadable_annotations u) p
  JOIN image_library_internal.visible_registry g USING (registry_id);
COMMENT ON VIEW image_library.sync_problem IS
  'What could not be read and why; a row is removed when it can be read; tag null: the whole repository';
GRANT SELECT ON image_library.sync_problem TO image_library_reader;

CREATE VIEW image_library.refused_removals WITH (security_barrier) AS
  SELECT r.registry, r.repository, f.tags, f.refused_at, f.accepted_at, f.accepted_by
  FROM image_library_internal.refused_removal f
  JOIN image_library_internal.visible_repository r USING (repository_id);
COMMENT ON VIEW image_library.refused_removals IS
  'Tags that a listing lacked, more than image_library.max_removal_percent allows; they are not marked missing unless accept_removals accepts it';
GRANT SELECT ON image_library.refused_removals TO image_library_reader;

CREATE VIEW image_library.sync_status WITH (security_barrier) AS
  SELECT g.name AS registry,
         CASE WHEN NOT g.enabled THEN 'disabled'
              WHEN running.pid IS NOT NULL THEN 'running'
              WHEN NOT includes.something THEN 'no rule'
              WHEN last.run_id IS NULL THEN 'never synced'
              WHEN last.outcome = 'failed' OR last.outcome IS NULL THEN 'failing'
              WHEN last.outcome = 'cancelled' AND failed.runs > 0 THEN 'failing'
              ELSE last.outcome END AS state,
         last.started_at AS last_started_at, last.finished_at AS last_finished_at,
         (SELECT max(r.finished_at) FROM image_library_internal.run r
          WHERE r.registry_id = g.registry_id AND r.outcome = 'complete') AS last_success_at,
         CASE WHEN g.enabled AND includes.something AND running.pid IS NULL THEN greatest(
           image_library_internal.due_at(g.sync_requested_at, last.started_at, last.next_at),
           m.not_before, g.created_at) END AS next_sync_at,
         counted.repositories, counted.tags,
         CASE WHEN last.outcome = 'cancelled' AND failed.runs > 0 THEN failed.error
              WHEN last.outcome IS DISTINCT FROM 'complete' THEN coalesce(last.error,
           CASE WHEN last.outcome = 'partial' THEN format('problems: %s, see image_library.sync_problem', last.problems)
                WHEN last.outcome IS NULL AND last.run_id IS NOT NULL AND running.pid IS NULL THEN 'interrupted' END)
         END AS last_error,
         failed.runs AS consecutive_failures,
         (SELECT count(*) FROM image_library_internal.problem p WHERE p.registry_id = g.registry_id)
         + (SELECT count(*) FROM image_library_internal.unreadable_annotations u WHERE u.registry_id = g.registry_id) AS problems,
         CASE WHEN m.not_before > clock_timestamp() THEN m.not_before END AS not_before
  FROM image_library_internal.visible_registry g
  LEFT JOIN image_library_internal.registry_state m USING (registry_id)
  LEFT JOIN LATERAL (SELECT r.* FROM image_library_internal.run r WHERE r.registry_id = g.registry_id
                     ORDER BY r.run_id DESC LIMIT 1) last ON true
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(c.number) FILTER (WHERE c.kind IS NULL), 0) AS repositories,
           coalesce(sum(c.number) FILTER (WHERE c.kind IS NOT NULL), 0) AS tags
    FROM image_library_internal.counts c WHERE c.registry_id = g.registry_id) counted
  -- A standby does not see the primary's locks: there, a run that has not ended is taken to be running.
  LEFT JOIN LATERAL (SELECT coalesce(image_library_internal.syncing_pid(g.registry_id),
                                     CASE WHEN pg_is_in_recovery() AND last.run_id IS NOT NULL AND last.outcome IS NULL THEN 0 END) AS pid) running ON true
  -- As function failures counts them, which readers could not call here.
  CROSS JOIN LATERAL (SELECT count(*) AS runs, (array_agg(r.error ORDER BY r.run_id DESC))[1] AS error FROM image_library_internal.run r
                      WHERE r.registry_id = g.registry_id AND r.outcome = 'failed'
                        AND r.run_id > coalesce((SELECT max(ok.run_id) FROM image_library_internal.run ok
                                                 WHERE ok.registry_id = g.registry_id AND ok.outcome IN ('complete', 'partial')), 0)) failed
  CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM image_library_internal.rule r WHERE r.registry_id = g.registry_id
                                     AND r.enabled AND r.action = 'include') AS something) includes;
COMMENT ON VIEW image_library.sync_status IS
  'State of the sync of each registry: result of the last run, and when the next is due';
GRANT SELECT ON image_library.sync_status TO image_library_reader;

-- What postgres_images and model_library have in common.
CREATE VIEW image_library_internal.usable_images AS
  SELECT e.registry, e.repository, e.tag, e.digest,
         concat(e.place, ':', e.tag) AS reference, concat(e.place, ':', e.tag, '@', e.digest) AS pinned_reference,
         e.kind, e.approval, e.version, (SELECT p.platforms FROM image_library_internal.tag_platforms p WHERE p.repository_id = e.repository_id AND p.tag = e.tag) AS platforms,
         e.size_bytes, e.created_at,
         (SELECT t.first_seen_at FROM image_library_internal.tag t WHERE t.repository_id = e.repository_id AND t.name = e.tag) AS first_seen_at,
         (SELECT t.digest_changed_at FROM image_library_internal.tag t
          WHERE t.repository_id = e.repository_id AND t.name = e.tag) AS digest_changed_at,
         e.missing_since,
         ARRAY(SELECT h.name FROM image_library_internal.image_hm_tags h
               WHERE h.repository_id = e.repository_id AND h.tag = e.tag
               UNION SELECT unnest(e.system_tags) ORDER BY 1) AS hm_tags,
         e.title, e.description, (SELECT i.annotations FROM image_library_internal.image i WHERE i.digest = e.digest) AS annotations,
         (SELECT i.labels FROM image_library_internal.image i WHERE i.digest = e.digest) AS labels,
         e.publisher, e.model, e.model_version, e.format, e.task, e.gpu_count,
         e.flavor, e.major_version, e.build_at, e.variant, e.os, e.features, e.extensions, e.conflicts, e.contested,
         e.deprecated_from, e.facts_from
  FROM image_library_internal.usable_entries e;
COMMENT ON VIEW image_library_internal.usable_images IS 'Approved, present and usable images with the columns that people read';
-- Names of PostgreSQL extensions. Annotations, packages and repositories often have another name than CREATE EXTENSION.

CREATE TABLE image_library_internal.extension_alias (
  alias text COLLATE "C" PRIMARY KEY,
  extension text NOT NULL,
  source text,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by name NOT NULL DEFAULT session_user
);
COMMENT ON TABLE image_library_internal.extension_alias IS
  'Other names of extensions that an admin has set; they come before the default ones';
COMMENT ON COLUMN image_library_internal.extension_alias.alias IS
  'In lower case and with underscores instead of dashes';
COMMENT ON COLUMN image_library_internal.extension_alias.source IS 'Where this is published';

-- Names that differ only in case or by - instead of _ need no row, unless the extension itself has a dash.
CREATE FUNCTION image_library_internal.default_extension_aliases() RETURNS TABLE (alias text, extension text, source text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  VALUES
    ('pgvector', 'vector', 'https://github.com/cloudnative-pg/postgres-extensions-containers, pgvector/metadata.hcl: sql_name'),
    ('pgvectorscale', 'vectorscale', 'https://pigsty.io/ext/e/vectorscale: package pgvectorscale'),
    ('pg_vectorize', 'vectorize', 'https://pigsty.io/ext/cate/rag: package pg_vectorize'),
    ('pg_timeseries', 'timeseries', 'https://pigsty.io/ext/list/deb/: package pg_timeseries'),
    ('timescaledb_oss', 'timescaledb', 'https://github.com/cloudnative-pg/postgres-extensions-containers, timescaledb-oss/metadata.hcl: sql_name'),
    ('timescaledb_tsl', 'timescaledb', 'https://pigsty.io/ext/list/deb/: package postgresql-17-timescaledb-tsl'),
    ('postgis_3', 'postgis', 'Debian packages postgresql-15-postgis-3 and postgresql-15-postgis-3-scripts'),
    ('postgis_extension', 'postgis', 'https://github.com/cloudnative-pg/postgres-extensions-containers, postgis/metadata.hcl: image_name, sql_name'),
    ('repack', 'pg_repack', 'Debian package postgresql-15-repack: pg_repack.control'),
    ('pgrepack', 'pg_repack', 'https://github.com/cloudnative-pg/postgres-extensions-containers, folder pgrepack'),
    ('cron', 'pg_cron', 'Debian package postgresql-15-cron: pg_cron.control'),
    ('partman', 'pg_partman', 'Debian package postgresql-15-partman: pg_partman.control'),
    ('pldebugger', 'pldbgapi', 'Debian package postgresql-15-pldebugger: pldbgapi.control'),
    ('uuid_ossp', 'uuid-ossp', 'https://www.postgresql.org/docs/current/uuid-ossp.html');
END;
COMMENT ON FUNCTION image_library_internal.default_extension_aliases IS
  'Well-known other names of extensions, as their publishers document them';
GRANT EXECUTE ON FUNCTION image_library_internal.default_extension_aliases TO image_library_reader;

CREATE VIEW image_library.extension_aliases WITH (security_barrier) AS
  SELECT a.alias, a.extension, a.source, false AS is_default FROM image_library_internal.extension_alias a
  UNION ALL
  SELECT d.alias, d.extension, d.source, true FROM image_library_internal.default_extension_aliases() d
  WHERE NOT EXISTS (SELECT FROM image_library_internal.extension_alias a WHERE a.alias = d.alias);
COMMENT ON VIEW image_library.extension_aliases IS
  'Other names of extensions, as packages, repositories and annotations have them';
GRANT SELECT ON image_library.extension_aliases TO image_library_reader;

CREATE FUNCTION image_library_internal.alias_key(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(lower(name COLLATE "C"), '-', '_');
COMMENT ON FUNCTION image_library_internal.alias_key IS 'A name of an extension as aliases have it';
GRANT EXECUTE ON FUNCTION image_library_internal.alias_key TO image_library_reader;

CREATE FUNCTION image_library.set_extension_alias(alias text, extension text, source text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  key text := image_library_internal.alias_key(btrim(alias));
BEGIN
  PERFORM image_library_internal.require_admin('set the alias of an extension');
  extension := btrim(extension);
  IF coalesce(key, '') !~ '^[^[:cntrl:][:space:]]{1,255}$' OR coalesce(extension, '') !~ '^[^[:cntrl:][:space:]]{1,63}$' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'an alias needs another name and the name of an extension',
      hint => 'For example set_extension_alias(''pgvector'', ''vector'').');
  END IF;
  INSERT INTO image_library_internal.extension_alias AS a (alias, extension, source)
  VALUES (key, extension, set_extension_alias.source)
  ON CONFLICT ON CONSTRAINT extension_alias_pkey DO UPDATE SET extension = EXCLUDED.extension, source = EXCLUDED.source;
END
$$;
COMMENT ON FUNCTION image_library.set_extension_alias IS
  'Sets another name of an extension, in place of the default one; an alias of itself stands for no other extension';
GRANT EXECUTE ON FUNCTION image_library.set_extension_alias TO image_library_admin;

CREATE FUNCTION image_library.reset_extension_alias(alias text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin('remove the alias of an extension');
  DELETE FROM image_library_internal.extension_alias a
  WHERE a.alias = image_library_internal.alias_key(btrim(reset_extension_alias.alias));
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('no alias "%s" of an extension was set', alias),
      hint => 'See image_library.extension_aliases; default ones can be overridden with image_library.set_extension_alias.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.reset_extension_alias IS 'Removes an alias that an admin has set; the default one, if there is one, counts again';
GRANT EXECUTE ON FUNCTION image_library.reset_extension_alias TO image_library_admin;

-- A view, since it is joined to many images.
CREATE VIEW image_library_internal.named_extensions AS
  SELECT x.digest, x.name, coalesce(a.extension, image_library_internal.alias_key(x.name)) AS extension, x.version, x.description
  FROM image_library_internal.image_extension x
  LEFT JOIN image_library.extension_aliases a ON a.alias = image_library_internal.alias_key(x.name);
COMMENT ON VIEW image_library_internal.named_extensions IS
  'Extensions of images with the name that CREATE EXTENSION takes';

CREATE FUNCTION image_library_internal.has_extensions(digest text, min_extensions jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (
    SELECT FROM jsonb_each_text(coalesce(min_extensions, '{}')) AS wanted (name, version)
    LEFT JOIN image_library.extension_aliases a ON a.alias = image_library_internal.alias_key(wanted.name)
    WHERE NOT EXISTS (
      SELECT FROM image_library_internal.named_extensions x
      WHERE x.digest = has_extensions.digest
        AND x.extension = coalesce(a.extension, image_library_internal.alias_key(wanted.name))
        AND image_library.version_key(coalesce(nullif(x.version, ''), '0'))
            >= image_library.version_key(coalesce(nullif(wanted.version, ''), '0'))))
$$;
COMMENT ON FUNCTION image_library_internal.has_extensions IS
  'Whether an image has extensions, by any of their names, each in at least a version (null or empty: any)';
-- Channels: what a provisioning flow names when it wants the newest image.

CREATE TABLE image_library_internal.channel (
  channel_id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  repositories text[] NOT NULL,
  flavor text NOT NULL,
  variant text,
  os text,
  versions text,
  owner regrole,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by name NOT NULL DEFAULT session_user
);
CREATE INDEX channel_registry ON image_library_internal.channel (registry_id);
COMMENT ON TABLE image_library_internal.channel IS
  'Channels: named selections of Postgres images, of which latest, latest_postgres and catalogs take the newest';
COMMENT ON COLUMN image_library_internal.channel.variant IS
  'Variant of the images; empty: images without a variant; null: any, as long as there is only one';
COMMENT ON COLUMN image_library_internal.channel.os IS
  'Operating system of the images; null: any, as long as there is only one';
COMMENT ON COLUMN image_library_internal.channel.versions IS
  'Range of versions in the library''s version order, as after version: in a rule; null: all';

CREATE VIEW image_library.channels WITH (security_barrier) AS
  SELECT c.name, g.name AS registry, c.repositories, c.flavor, c.variant, c.os, c.versions, c.owner, c.created_at, c.created_by
  FROM image_library_internal.channel c
  JOIN image_library_internal.visible_registry g USING (registry_id);
COMMENT ON VIEW image_library.channels IS 'Channels: named selections of Postgres images, of which the newest is taken';
GRANT SELECT ON image_library.channels TO image_library_reader;

CREATE FUNCTION image_library_internal.find_channel(channel text) RETURNS image_library_internal.channel
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_channel image_library_internal.channel;
BEGIN
  SELECT c.* INTO found_channel
  FROM image_library_internal.channel c JOIN image_library_internal.visible_registry g USING (registry_id)
  WHERE c.name = channel;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('channel "%s" does not exist', channel),
      detail => (SELECT 'Channels are ' || string_agg(named.name, ', ') || '.'
                FROM (SELECT c.name FROM image_library_internal.channel c JOIN image_library_internal.visible_registry g USING (registry_id)
                      ORDER BY c.name LIMIT 20) named),
      hint => 'See image_library.channels, or add it with image_library.add_channel.');
  END IF;
  RETURN found_channel;
END
$$;
COMMENT ON FUNCTION image_library_internal.find_channel IS 'The channel with the given name; raises 42704';

CREATE FUNCTION image_library_internal.checked_channel(made image_library_internal.channel) RETURNS image_library_internal.channel
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $_$
DECLARE
  pattern text;
  problem text := CASE
    WHEN made.name IS NULL OR made.name !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
      format('name must be up to 63 lower-case letters, digits, dots, dashes and underscores, not "%s"', left(made.name, 100))
    WHEN array_ndims(made.repositories) IS DISTINCT FROM 1 OR cardinality(made.repositories) > 1000 THEN
      'repositories must be a list of 1 to 1000 patterns'
    WHEN made.variant !~ '^[A-Za-z0-9._-]{0,128}$' THEN format('there is no variant "%s"', left(made.variant, 100))
    WHEN made.os !~ '^[a-z0-9._-]{1,64}$' THEN format('there is no operating system "%s"', left(made.os, 100)) END;
BEGIN
  IF problem IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'invalid channel: ' || problem,
      hint => 'See the columns of image_library.postgres_images for repositories, variants and systems.');
  END IF;
  FOREACH pattern IN ARRAY made.repositories LOOP
    PERFORM image_library_internal.check_repositories(made.registry_id, coalesce(pattern, ''));
  END LOOP;
  made.flavor := image_library_internal.flavor(made.flavor);
  -- Written as in a rule, or as the range alone.
  made.versions := CASE WHEN starts_with(made.versions, 'version:') THEN substr(made.versions, 9) ELSE made.versions END;
  IF made.versions IS NOT NULL THEN
    PERFORM image_library_internal.check_tag_pattern('version:' || made.versions);
  END IF;
  RETURN made;
END
$_$;
COMMENT ON FUNCTION image_library_internal.checked_channel IS
  'The channel as it is stored, with the flavor in the library''s spelling; raises 22023 or 2201B when it is wrong';

CREATE FUNCTION image_library_internal.tell_of_empty_channel(made image_library_internal.channel) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM image_library_internal.matching_names(made.repositories, 'repository', ARRAY(
                   SELECT r.name FROM image_library_internal.repository r WHERE r.registry_id = made.registry_id))) THEN
    RAISE NOTICE USING
      MESSAGE = format('channel "%s" has no images yet: no repository that was read is one of %s', made.name,
                       array_to_string(made.repositories, ', ')),
      HINT = 'Repositories are named relative to the prefix of the registry; see image_library.repositories.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.tell_of_empty_channel IS
  'Raises a NOTICE if no known repository is in a channel';

CREATE FUNCTION image_library.add_channel(name text, registry text, repositories text[], flavor text DEFAULT 'postgresql',
  variant text DEFAULT NULL, os text DEFAULT NULL, versions text DEFAULT NULL, owner regrole DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry := image_library_internal.find_registry(registry);
  made image_library_internal.channel;
BEGIN
  PERFORM image_library_internal.require_owner(format('add a channel to registry "%s"', registry), of_registry.owner);
  made := image_library_internal.checked_channel(jsonb_populate_record(NULL::image_library_internal.channel, jsonb_build_object(
    'name', name, 'registry_id', of_registry.registry_id, 'repositories', repositories, 'flavor', flavor, 'variant', variant,
    'os', lower(os), 'versions', versions, 'owner', nullif(image_library_internal.checked_owner(owner), '-'::regrole))));
  INSERT INTO image_library_internal.channel AS c (name, registry_id, repositories, flavor, variant, os, versions, owner)
  VALUES (made.name, made.registry_id, made.repositories, made.flavor, made.variant, made.os, made.versions, made.owner)
  ON CONFLICT ON CONSTRAINT channel_name_key DO NOTHING;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'duplicate_object',
      message => format('channel "%s" exists already', name),
      hint => 'Change it with image_library.alter_channel.');
  END IF;
  PERFORM image_library_internal.tell_of_empty_channel(made);
END
$$;
COMMENT ON FUNCTION image_library.add_channel IS
  'Adds a channel: the Postgres images of a flavor in repositories of a registry (names or patterns), of which latest(name) returns the newest. variant ('''': none), os and versions (a range such as 17.* or >=16 <18) limit it';
GRANT EXECUTE ON FUNCTION image_library.add_channel TO image_library_curator;

-- Locked, so that each of two concurrent changes sees the result of the other.
CREATE FUNCTION image_library_internal.lock_channel(what text, channel text) RETURNS image_library_internal.channel
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  locked image_library_internal.channel := image_library_internal.find_channel(channel);
BEGIN
  SELECT c.* INTO locked FROM image_library_internal.channel c WHERE c.channel_id = locked.channel_id FOR UPDATE;
  IF NOT FOUND THEN
    locked := image_library_internal.find_channel(channel);
  END IF;
  PERFORM image_library_internal.require_owner(format('%s channel "%s"', what, channel), locked.owner,
    (SELECT g.owner FROM image_library_internal.registry g WHERE g.registry_id = locked.registry_id));
  RETURN locked;
END
$$;
COMMENT ON FUNCTION image_library_internal.lock_channel IS
  'The channel with the given name, which no other session can change until this transaction ends; raises 42704, or 42501 unless the acting role is an admin or in the team of the channel or its registry';

CREATE FUNCTION image_library.alter_channel(name text, repositories text[] DEFAULT NULL, flavor text DEFAULT NULL,
  variant text DEFAULT NULL, os text DEFAULT NULL, versions text DEFAULT NULL, owner regrole DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  old image_library_internal.channel := image_library_internal.lock_channel('alter', name);
  changed image_library_internal.channel;
BEGIN
  -- The team of a channel may not give it away.
  IF owner IS NOT NULL THEN
    PERFORM image_library_internal.require_owner(format('change the owner of channel "%s"', name),
      (SELECT g.owner FROM image_library_internal.registry g WHERE g.registry_id = old.registry_id));
  END IF;
  changed := jsonb_populate_record(old, jsonb_strip_nulls(jsonb_build_object(
    'repositories', repositories, 'flavor', flavor, 'variant', variant, 'os', lower(os), 'versions', versions,
    'owner', image_library_internal.checked_owner(owner))));
  -- '-' removes the value; '' is a variant.
  changed.variant := nullif(changed.variant, '-');
  changed.os := nullif(changed.os, '-');
  changed.versions := nullif(changed.versions, '-');
  changed.owner := nullif(changed.owner, '-'::regrole);
  changed := image_library_internal.checked_channel(changed);
  UPDATE image_library_internal.channel c
  SET repositories = changed.repositories, flavor = changed.flavor, variant = changed.variant, os = changed.os,
      versions = changed.versions, owner = changed.owner
  WHERE c.channel_id = old.channel_id;
  PERFORM image_library_internal.tell_of_empty_channel(changed);
END
$$;
COMMENT ON FUNCTION image_library.alter_channel IS
  'Changes the options of a channel that are given; ''-'' removes variant, os, versions or owner';
GRANT EXECUTE ON FUNCTION image_library.alter_channel TO image_library_curator;

CREATE FUNCTION image_library.drop_channel(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  dropped image_library_internal.channel := image_library_internal.lock_channel('drop', name);
BEGIN
  DELETE FROM image_library_internal.channel c WHERE c.channel_id = dropped.channel_id;
END
$$;
COMMENT ON FUNCTION image_library.drop_channel IS 'Drops a channel; its images stay';
GRANT EXECUTE ON FUNCTION image_library.drop_channel TO image_library_curator;
-- Which Postgres image is the newest of those that are asked for. latest_postgres, latest and catalogs choose here, and
-- never between repositories, variants or systems: where several are left, that is an error.

CREATE TYPE image_library_internal.postgres_request AS (
  flavor text, major integer, variant text, os text, versions text, registry text, repository text, channel text,
  repository_ids integer[], min_extensions jsonb, first_major integer, majors integer[]);
COMMENT ON TYPE image_library_internal.postgres_request IS
  'What kind of Postgres image is asked for; null: any; variant '''': without a variant; repository_ids: those of registry, repository or channel; first_major: only this and newer major versions; majors: only these';

CREATE TYPE image_library_internal.postgres_choice AS (
  major_version integer, variant text, os text, registry text, repository text, repository_id integer, tag text,
  digest text, pinned_reference text, newest_key bytea[]);
COMMENT ON TYPE image_library_internal.postgres_choice IS
  'The newest image of a repository, major version, variant and OS';

CREATE FUNCTION image_library_internal.new_postgres_request(flavor text, major integer, variant text, os text, registry text,
  repository text, channel text, min_extensions jsonb)
RETURNS image_library_internal.postgres_request
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked image_library_internal.postgres_request;
  named image_library_internal.channel;
  wrong text;
BEGIN
  IF jsonb_typeof(min_extensions) <> 'object'
     OR jsonb_path_exists(min_extensions, 'strict $.* ? (@.type() != "string" && @.type() != "number" && @.type() != "null")') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'min_extensions must be an object of extension names and least versions',
      hint => 'For example {"vector": "0.8", "pgaudit": null}; null means any version.');
  END IF;
  asked.major := major;
  asked.variant := variant;
  asked.os := lower(os);
  asked.min_extensions := nullif(min_extensions, '{}');
  IF channel IS NULL THEN
    asked.flavor := image_library_internal.flavor(flavor);
    asked.registry := CASE WHEN registry IS NOT NULL THEN (image_library_internal.find_registry(registry)).name END;
    asked.repository := repository;
    IF num_nonnulls(registry, repository) > 0 THEN
      asked.repository_ids := ARRAY(
        SELECT r.repository_id FROM image_library_internal.visible_repository r
        WHERE (asked.registry IS NULL OR r.registry = asked.registry) AND (asked.repository IS NULL OR r.repository = asked.repository));
      IF asked.repository_ids = '{}' AND repository IS NOT NULL THEN
        PERFORM image_library_internal.fail(
          errcode => 'undefined_object',
          message => format('repository "%s"%s is not in the library', repository, ' of registry ' || asked.registry),
          hint => 'See image_library.repositories; names are relative to the prefix of the registry.');
      END IF;
    END IF;
    RETURN asked;
  END IF;
  named := image_library_internal.find_channel(channel);
  asked.flavor := CASE WHEN flavor IS NULL THEN named.flavor ELSE image_library_internal.flavor(flavor) END;
  wrong := CASE
    WHEN num_nonnulls(registry, repository) > 0 THEN
      format('channel "%s" has a registry and repositories of its own; name either these or the channel', channel)
    WHEN asked.flavor <> named.flavor THEN format('channel "%s" is of flavor %s, not %s', channel, named.flavor, asked.flavor)
    WHEN asked.variant <> named.variant THEN
      format('channel "%s" is of variant "%s", not "%s"', channel, named.variant, asked.variant)
    WHEN asked.os <> named.os THEN format('channel "%s" is for %s, not %s', channel, named.os, asked.os) END;
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(errcode => 'invalid_parameter_value', message => wrong, hint => 'See image_library.channels.');
  END IF;
  asked.channel := named.name;
  asked.variant := coalesce(asked.variant, named.variant);
  asked.os := coalesce(asked.os, named.os);
  asked.versions := named.versions;
  asked.repository_ids := ARRAY(
    SELECT r.repository_id
    FROM image_library_internal.repository r
    JOIN image_library_internal.matching_names(named.repositories, 'repository', ARRAY(
           SELECT n.name FROM image_library_internal.repository n WHERE n.registry_id = named.registry_id)) m ON m.name = r.name
    WHERE r.registry_id = named.registry_id);
  RETURN asked;
END
$$;
COMMENT ON FUNCTION image_library_internal.new_postgres_request IS
  'A request for images of a flavor, or for those of a channel; raises 22023, 42704';

CREATE FUNCTION image_library_internal.request_text(asked image_library_internal.postgres_request) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT concat_ws(' ', asked.flavor, asked.major, nullif(array_to_string(asked.majors, ', ', 'null'), ''), 'variant ' || nullif(asked.variant, ''), 'on ' || asked.os,
                   'in registry ' || asked.registry, 'in repository ' || asked.repository, 'in channel ' || asked.channel,
                   'with extensions ' || asked.min_extensions::text)
$$;
COMMENT ON FUNCTION image_library_internal.request_text IS 'A request as errors tell it';

CREATE FUNCTION image_library_internal.requested_versions(asked image_library_internal.postgres_request) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN asked.versions IS NOT NULL THEN ARRAY(
    SELECT m.name
    FROM image_library_internal.matching_names(ARRAY['version:' || asked.versions], 'tag', ARRAY(
           SELECT DISTINCT e.version FROM image_library_internal.entry e
           WHERE e.kind = 'postgres' AND e.repository_id = ANY (asked.repository_ids) AND e.version IS NOT NULL)) m) END
$$;
COMMENT ON FUNCTION image_library_internal.requested_versions IS
  'Versions in the repositories of a request that are in its range, such as 17.*; null: it has no range';

-- An image may have tags that name its system and others that do not: it is on the system that one of them names.
CREATE FUNCTION image_library_internal.postgres_choices(asked image_library_internal.postgres_request)
RETURNS SETOF image_library_internal.postgres_choice
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  versions text[] := image_library_internal.requested_versions(asked);
BEGIN
  RETURN QUERY
    WITH candidate AS (
      SELECT e.major_version, coalesce(e.variant, '') AS variant,
             coalesce(nullif(e.os, ''), CASE WHEN min(nullif(e.os, '')) OVER same = max(nullif(e.os, '')) OVER same
                                             THEN min(nullif(e.os, '')) OVER same END, '') AS os,
             e.registry, e.repository, e.repository_id, e.tag, e.digest,
             concat(e.place, ':', e.tag, '@', e.digest) AS pinned_reference, e.newest_key
      FROM image_library_internal.usable_entries e
      WHERE e.kind = 'postgres' AND e.flavor = asked.flavor AND NOT e.contested
        AND (asked.major IS NULL OR e.major_version = asked.major) AND e.major_version >= coalesce(asked.first_major, 0)
        AND (asked.majors IS NULL OR e.major_version = ANY (asked.majors))
        AND (asked.variant IS NULL OR coalesce(e.variant, '') = asked.variant)
        AND (asked.repository_ids IS NULL OR e.repository_id = ANY (asked.repository_ids))
        AND (versions IS NULL OR e.version = ANY (versions))
      WINDOW same AS (PARTITION BY e.repository_id, e.digest)
    )
    SELECT DISTINCT ON (c.major_version, c.registry, c.repository, c.variant, c.os) c.major_version, c.variant, c.os, c.registry,
           c.repository::text, c.repository_id, c.tag::text, c.digest::text, c.pinned_reference, c.newest_key
    FROM candidate c
    WHERE (asked.os IS NULL OR c.os = asked.os)
      AND (asked.min_extensions IS NULL OR image_library_internal.has_extensions(c.digest, asked.min_extensions))
    ORDER BY c.major_version, c.registry, c.repository, c.variant, c.os, c.newest_key DESC, c.pinned_reference COLLATE "C";
END
$$;
COMMENT ON FUNCTION image_library_internal.postgres_choices IS
  'Newest approved image of each repository, major version, variant and OS that a request allows; none that is contested';

-- Tells what there is instead: an image that contradicts itself, images that may not be used, other approved images.
CREATE FUNCTION image_library_internal.no_postgres_detail(asked image_library_internal.postgres_request, OUT detail text, OUT hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  contested text;
  unusable text;
  versions text[] := image_library_internal.requested_versions(asked);
BEGIN
  SELECT string_agg(format('%s %s', counted.images, counted.state), ', ' ORDER BY counted.state),
         min(counted.contested COLLATE "C")
  INTO unusable, contested
  FROM (
    SELECT s.state, count(*) AS images, max(s.contested COLLATE "C") AS contested
    FROM (
      SELECT CASE WHEN e.missing_since IS NOT NULL THEN 'missing'
                  WHEN e.approval <> 'approved' THEN e.approval
                  WHEN e.usable_until <= clock_timestamp() THEN 'approved, but blocked' END AS state,
             CASE WHEN e.contested AND e.approval = 'approved' AND e.missing_since IS NULL AND e.usable_until > clock_timestamp()
                  THEN concat(r.place, ':', e.tag, '@', e.digest) END AS contested
      FROM image_library_internal.entry e
      JOIN image_library_internal.visible_repository r USING (repository_id)
      WHERE e.kind = 'postgres' AND e.flavor = asked.flavor AND (asked.major IS NULL OR e.major_version = asked.major)
        AND (asked.majors IS NULL OR e.major_version = ANY (asked.majors))
        AND (asked.variant IS NULL OR coalesce(e.variant, '') = asked.variant) AND (asked.os IS NULL OR coalesce(e.os, '') = asked.os)
        AND (asked.repository_ids IS NULL OR e.repository_id = ANY (asked.repository_ids))
        AND (versions IS NULL OR e.version = ANY (versions))) s
    WHERE s.state IS NOT NULL OR s.contested IS NOT NULL
    GROUP BY s.state) counted;
  detail := coalesce(contested || ' contradicts itself and is not picked.',
    concat_ws(' ',
      'Images that may not be used: ' || unusable || '.',
      coalesce('Approved are ' || (
        SELECT string_agg(there.choice, ', ' ORDER BY there.choice)
        FROM (SELECT DISTINCT concat_ws(' ', p.flavor, p.major_version, 'variant ' || nullif(p.variant, ''),
                                        'on ' || nullif(p.os, '')) COLLATE "C" AS choice
              FROM image_library.postgres_images p WHERE NOT p.contested AND p.major_version IS NOT NULL
              ORDER BY 1 LIMIT 20) there) || '.',
        'No Postgres image is approved.')));
  hint := 'See image_library.postgres_images and image_library.' ||
          CASE WHEN contested IS NOT NULL THEN 'classification_conflicts.' ELSE 'pending_images.' END;
END
$$;
COMMENT ON FUNCTION image_library_internal.no_postgres_detail IS 'Detail and hint for an error that a request found no image';

CREATE FUNCTION image_library_internal.pick_postgres(asked image_library_internal.postgres_request, for_whom text DEFAULT '')
RETURNS SETOF image_library_internal.postgres_choice
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  choices image_library_internal.postgres_choice[] := ARRAY(SELECT c FROM image_library_internal.postgres_choices(asked) c);
  told record;
  several_repositories boolean := asked.channel IS NULL AND (SELECT count(DISTINCT c.repository_id) > 1 FROM unnest(choices) c);
  several record;
BEGIN
  IF choices = '{}' THEN
    told := image_library_internal.no_postgres_detail(asked);
    PERFORM image_library_internal.fail(
      errcode => 'no_data_found',
      message => concat('no approved image of ', image_library_internal.request_text(asked), for_whom),
      detail => told.detail,
      hint => told.hint);
  END IF;
  SELECT bool_or(m.variants > 1) AS variants, bool_or(m.systems > 1) AS systems,
         array_agg(m.major_version) FILTER (WHERE m.variants > 1 OR m.systems > 1) AS majors
  INTO several
  FROM (SELECT c.major_version, count(DISTINCT c.variant) AS variants, count(DISTINCT c.os) AS systems
        FROM unnest(choices) c GROUP BY c.major_version) m;
  IF several_repositories OR several.variants OR several.systems THEN
    PERFORM image_library_internal.fail(
      errcode => 'ambiguous_alias',
      message => format('%s%s is ambiguous: several %s have it', image_library_internal.request_text(asked), for_whom,
        concat_ws(', ', CASE WHEN several_repositories THEN 'repositories' END, CASE WHEN several.variants THEN 'variants' END,
                  CASE WHEN several.systems THEN 'operating systems' END)),
      detail => image_library_internal.choices_text(ARRAY(
        SELECT c FROM unnest(choices) c WHERE several_repositories OR c.major_version = ANY (several.majors))),
      hint => concat_ws(' ',
        CASE WHEN several_repositories THEN 'Name registry => and repository =>, or channel => (see image_library.channels).' END,
        CASE WHEN several.variants THEN format('Say variant =>%s ('''' for none).', ' in image_library.alter_channel for ' || asked.channel) END,
        CASE WHEN several.systems THEN
          format('Say os =>%s, so that a cluster never moves to another: a new OS can change how text sorts.',
                 ' in image_library.alter_channel for ' || asked.channel) END));
  END IF;
  RETURN QUERY
    SELECT DISTINCT ON (c.major_version) c.*
    FROM unnest(choices) c
    ORDER BY c.major_version, c.newest_key DESC, c.pinned_reference COLLATE "C";
END
$$;
COMMENT ON FUNCTION image_library_internal.pick_postgres IS
  'Newest image of each major version that a request allows; raises P0002 if there is none, 42P09 if several repositories (unless a channel joins them), variants or systems are left';

CREATE FUNCTION image_library_internal.choices_text(choices image_library_internal.postgres_choice[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT 'Candidates are ' || string_agg(format('in registry %s, repository %s: %s', r.registry, r.repository, r.tags), '; '
                                         ORDER BY r.registry COLLATE "C", r.repository COLLATE "C") || '.'
  FROM (SELECT c.registry, c.repository,
               string_agg(concat(c.tag, ' (' || nullif(concat_ws(', ', 'variant ' || nullif(c.variant, ''),
                            CASE WHEN c.os <> '' THEN 'on ' || c.os WHEN c.system_told THEN 'operating system unknown' END), '') || ')'),
                          ', ' ORDER BY c.number)
               || CASE WHEN max(c.number) > 20 THEN ' ...' ELSE '' END AS tags
        FROM (SELECT x.*, bool_or(x.os <> '') OVER () AS system_told,
                     row_number() OVER (PARTITION BY x.registry, x.repository ORDER BY x.major_version, x.variant, x.os) AS number
              FROM unnest(choices) x) c
        WHERE c.number <= 21
        GROUP BY c.registry, c.repository
        ORDER BY 1, 2
        LIMIT 20) r
$$;
COMMENT ON FUNCTION image_library_internal.choices_text IS 'The candidates of an ambiguous request, as the detail of its error';
-- Views and functions for Postgres provisioning: approved, present, usable images.

CREATE VIEW image_library.postgres_images AS
  SELECT u.registry, u.repository, u.tag, u.digest, u.reference, u.pinned_reference, u.kind, u.approval, u.version, u.platforms,
         u.size_bytes, u.created_at, u.first_seen_at, u.digest_changed_at, u.missing_since, u.hm_tags, u.title, u.description,
         u.annotations, u.labels,
         u.flavor, u.major_version, u.build_at, u.variant, u.os, u.features, u.extensions, u.conflicts,
         u.deprecated_from, u.contested,
         coalesce(u.annotations ->> 'org.opencontainers.image.base.name', u.labels ->> 'org.opencontainers.image.base.name') AS base_image
  FROM image_library_internal.usable_images u
  WHERE u.kind = 'postgres';
COMMENT ON VIEW image_library.postgres_images IS 'Approved, present Postgres images, for provisioning';
GRANT SELECT ON image_library.postgres_images TO image_library_reader;

CREATE VIEW image_library.postgres_latest WITH (security_barrier) AS
  SELECT p.*
  FROM image_library_internal.visible_repository r
  -- Each repository has its images in this order in the index entry_latest.
  CROSS JOIN LATERAL (
    SELECT DISTINCT ON (e.flavor, e.major_version, coalesce(e.variant, ''), coalesce(e.os, '')) e.tag
    FROM image_library_internal.usable_entries e
    WHERE e.repository_id = r.repository_id AND e.kind = 'postgres' AND e.flavor IS NOT NULL AND e.major_version IS NOT NULL
      AND NOT e.contested
    ORDER BY e.flavor, e.major_version, coalesce(e.variant, ''), coalesce(e.os, ''), e.newest_key DESC) l
  JOIN image_library.postgres_images p ON p.registry = r.registry AND p.repository = r.repository AND p.tag = l.tag
  ORDER BY p.registry, p.repository, p.flavor, p.major_version, p.variant NULLS FIRST, p.os NULLS FIRST;
COMMENT ON VIEW image_library.postgres_latest IS
  'Newest approved image of each registry, repository, flavor, major version, variant and OS: newest minor version, then newest build; without contested images';
GRANT SELECT ON image_library.postgres_latest TO image_library_reader;

CREATE FUNCTION image_library.latest_postgres(flavor text, major integer, variant text DEFAULT NULL,
  min_extensions jsonb DEFAULT NULL, os text DEFAULT NULL, registry text DEFAULT NULL, repository text DEFAULT NULL,
  channel text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF major IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'null_value_not_allowed',
      message => 'major must not be null',
      hint => 'A major version is never chosen automatically.');
  END IF;
  -- Without a channel and a variant, an image without a variant is asked for.
  RETURN (SELECT p.pinned_reference
          FROM image_library_internal.pick_postgres(image_library_internal.new_postgres_request(
                 flavor, major, CASE WHEN channel IS NULL THEN coalesce(variant, '') ELSE variant END, os, registry, repository,
                 channel, min_extensions)) p);
END
$$;
COMMENT ON FUNCTION image_library.latest_postgres IS
  'Pinned reference of the newest approved image of a flavor and major version: newest minor version, then newest build. Never of another major version or variant (null: none, or that of the channel), nor a contested one. If several repositories or systems have such images, registry, repository and os, or a channel, must tell which is meant (42P09)';
GRANT EXECUTE ON FUNCTION image_library.latest_postgres TO image_library_reader;

CREATE FUNCTION image_library.latest(channel text, min_extensions jsonb DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  picked image_library_internal.postgres_choice[];
BEGIN
  IF channel IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'null_value_not_allowed',
      message => 'channel must not be null',
      hint => 'See image_library.channels.');
  END IF;
  picked := ARRAY(SELECT p FROM image_library_internal.pick_postgres(
    image_library_internal.new_postgres_request(NULL, NULL, NULL, NULL, NULL, NULL, channel, min_extensions)) p);
  IF cardinality(picked) > 1 THEN
    PERFORM image_library_internal.fail(
      errcode => 'ambiguous_alias',
      message => format('channel "%s" is ambiguous: it has more than one major version', channel),
      detail => image_library_internal.choices_text(picked),
      hint => 'Set versions => of the channel with image_library.alter_channel, such as ''17.*'', or call image_library.latest_postgres with a major version and channel =>.');
  END IF;
  RETURN picked[1].pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.latest IS
  'Pinned reference of the newest approved image of a channel: newest minor version, then newest build. Raises 42P09 if the channel has several major versions, variants or systems, P0002 if no image of it may be used';
GRANT EXECUTE ON FUNCTION image_library.latest TO image_library_reader;
-- Images that have an extension, for a major version and an OS: extension images, and servers that include it.

-- The query begins with extension images, which are few compared with tags.
CREATE VIEW image_library_internal.usable_extension_images WITH (security_barrier) AS
  SELECT x.repository_id, r.registry, r.repository, r.place, x.tag, x.digest, x.major_version, x.os, x.contested, i.created_at
  FROM image_library_internal.extension_image x
  JOIN image_library_internal.visible_repository r USING (repository_id)
  JOIN image_library_internal.tag t ON t.repository_id = x.repository_id AND t.name = x.tag AND t.digest = x.digest
  JOIN image_library_internal.image i ON i.digest = x.digest
  JOIN image_library_internal.approval a ON a.repository_id = x.repository_id AND a.digest = x.digest
  WHERE a.state = 'approved'
    AND image_library_internal.blocks(t.name, t.rule_id, t.missing_since, a, (SELECT clock_timestamp())) = '{}';
COMMENT ON VIEW image_library_internal.usable_extension_images IS
  'Approved, present and usable extension images of registries that the acting role may see';

-- The union is a subquery, since the barrier of a view that is a union itself does not hold: the planner flattens it.
CREATE VIEW image_library.extension_images WITH (security_barrier) AS
  SELECT x.extension, x.version, x.major_version, x.os, x.how, x.flavor, x.variant, x.registry, x.repository, x.tag, x.digest,
         concat(x.place, ':', x.tag) AS reference, concat(x.place, ':', x.tag, '@', x.digest) AS pinned_reference,
         (SELECT p.platforms FROM image_library_internal.tag_platforms p WHERE p.repository_id = x.repository_id AND p.tag = x.tag) AS platforms,
         x.published_as, x.description, x.created_at, x.contested
  FROM (
    SELECT n.extension, n.version, n.name AS published_as, n.description, 'image volume' AS how, NULL::text AS flavor, NULL::text AS variant,
           e.major_version, e.os, e.registry, e.repository, e.place, e.repository_id, e.tag, e.digest, e.created_at, e.contested
    FROM image_library_internal.usable_extension_images e
    JOIN image_library_internal.named_extensions n USING (digest)
    UNION ALL
    SELECT n.extension, n.version, n.name, n.description, 'included', e.flavor, e.variant,
           e.major_version, e.os, e.registry, e.repository, e.place, e.repository_id, e.tag, e.digest, e.created_at, e.contested
    FROM image_library_internal.usable_entries e
    JOIN image_library_internal.named_extensions n USING (digest)
    WHERE e.kind = 'postgres') x;
COMMENT ON VIEW image_library.extension_images IS
  'Approved, present images that have an extension: one row for each extension and tag, with the major version and OS that it is built for. how: image volume (a CloudNativePG extension image) or included (a Postgres image)';
GRANT SELECT ON image_library.extension_images TO image_library_reader;

CREATE TYPE image_library_internal.extension_choice AS (name text, repository_id integer, pinned_reference text);
COMMENT ON TYPE image_library_internal.extension_choice IS 'The newest image of an extension in a repository';

CREATE FUNCTION image_library_internal.extension_choices(major integer, os text, platforms text[], repositories text[])
RETURNS SETOF image_library_internal.extension_choice
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $_$
DECLARE
  places text[];
BEGIN
  IF repositories IS NOT NULL THEN
    places := ARRAY(SELECT m.name FROM image_library_internal.matching_names(repositories, 'place',
                      ARRAY(SELECT r.place FROM image_library_internal.visible_repository r)) m);
  END IF;
  RETURN QUERY
    SELECT DISTINCT ON (x.name COLLATE "C", e.repository_id)
           x.name, e.repository_id, concat(e.place, ':', e.tag, '@', e.digest)
    FROM image_library_internal.usable_extension_images e
    JOIN image_library_internal.image_extension x USING (digest)
    JOIN image_library_internal.tag_platforms l ON l.repository_id = e.repository_id AND l.tag = e.tag
    WHERE e.major_version = extension_choices.major AND e.os = extension_choices.os AND NOT e.contested
      AND (places IS NULL OR e.place = ANY (places))
      AND l.platforms && extension_choices.platforms
      -- The operator takes no other names.
      AND x.name ~ '^[a-z0-9]([-a-z0-9_]*[a-z0-9])?$' AND length(x.name) <= 59
    ORDER BY x.name COLLATE "C", e.repository_id, image_library.version_key(e.tag) DESC, e.tag;
END
$_$;
COMMENT ON FUNCTION image_library_internal.extension_choices IS
  'Newest approved image of every extension in each repository, for a major version, an OS and one of the platforms; repositories: patterns of host/repository (null: all)';
-- Views and functions for model serving: approved, present, usable models.

CREATE VIEW image_library.model_library AS
  SELECT u.registry, u.repository, u.tag, u.digest, u.reference, u.pinned_reference, u.kind, u.approval, u.version, u.platforms,
         u.size_bytes, u.created_at, u.first_seen_at, u.digest_changed_at, u.missing_since, u.hm_tags, u.title, u.description,
         u.annotations, u.labels,
         u.publisher, u.model, u.model_version, u.format, u.task, u.gpu_count,
         u.deprecated_from, u.facts_from
  FROM image_library_internal.usable_images u
  WHERE u.kind = 'model';
COMMENT ON VIEW image_library.model_library IS 'Approved, present AI models, for model serving';
GRANT SELECT ON image_library.model_library TO image_library_reader;

-- A model card: published metadata (OCI image-spec, annotations.md) and facts of the library.
CREATE FUNCTION image_library_internal.published(annotations jsonb, labels jsonb, key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(nullif(annotations ->> ('org.opencontainers.image.' || key), ''),
                  nullif(labels ->> ('org.opencontainers.image.' || key), ''))
$$;
COMMENT ON FUNCTION image_library_internal.published IS 'Value of an OCI annotation, or of the label with that name';

CREATE FUNCTION image_library.model_card(reference text, registry text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found record := image_library_internal.find_image(reference, registry);
  card jsonb;
BEGIN
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'reference', found.pinned_reference, 'approval', e.approval,
    'publisher', e.publisher, 'model', e.model, 'version', e.model_version, 'format', e.format, 'task', e.task,
    'title', e.title, 'description', e.description,
    'licenses', image_library_internal.published(i.annotations, i.labels, 'licenses'),
    'authors', image_library_internal.published(i.annotations, i.labels, 'authors'),
    'vendor', image_library_internal.published(i.annotations, i.labels, 'vendor'),
    'documentation', image_library_internal.published(i.annotations, i.labels, 'documentation'),
    'url', image_library_internal.published(i.annotations, i.labels, 'url'),
    'source', image_library_internal.published(i.annotations, i.labels, 'source'),
    'revision', image_library_internal.published(i.annotations, i.labels, 'revision'),
    'base', image_library_internal.published(i.annotations, i.labels, 'base.name'),
    'created_at', e.created_at, 'size_bytes', e.size_bytes, 'platforms', CASE WHEN found.moved_to IS NOT NULL THEN nullif(i.platforms, '{}') ELSE (SELECT nullif(p.platforms, '{}') FROM image_library_internal.tag_platforms p
                                                                                 WHERE p.repository_id = e.repository_id AND p.tag = e.tag) END,
    'gpu_count', e.gpu_count,
    'profiles', (SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(p)) - '{digest,registry,repository}'::text[] ORDER BY p.gpu_count, p.name COLLATE "C")
                 FROM image_library.model_profiles p
                 WHERE p.registry = found.registry AND p.repository = found.repository AND p.digest = e.digest),
    'facts_from', nullif(e.facts_from, '{}'),
    'conflicts', nullif(e.conflicts, '{}'), 'readme', m.readme))
  INTO card
  FROM image_library_internal.entry_of(found.repository_id, found.tag, found.digest) e
  JOIN image_library_internal.image i ON i.digest = e.digest
  LEFT JOIN image_library_internal.repository_readme m ON m.repository_id = e.repository_id
  WHERE e.kind = 'model';
  IF card IS NULL THEN
    PERFORM image_library_internal.wrong_kind(reference, 'model', registry);
  END IF;
  RETURN card;
END
$$;
COMMENT ON FUNCTION image_library.model_card IS
  'Facts of a model, which need not be approved: name, publisher, licence, requirements, and the README of its repository; unknown facts are left out';
GRANT EXECUTE ON FUNCTION image_library.model_card TO image_library_reader;
-- Facts of images by their pinned reference, also if their tags have moved.

-- postgres_images and model_library have a row for each tag that is present, with the digest that it points at now.
CREATE FUNCTION image_library_internal.pinned_image(reference text, kind text, in_registry text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, in_registry);
BEGIN
  RETURN (
    SELECT to_jsonb(e) || jsonb_build_object(
      'registry', image.registry, 'pinned_reference', image.pinned_reference, 'reference', split_part(image.pinned_reference, '@', 1),
      'platforms', i.platforms, 'first_seen_at', i.first_seen_at, 'annotations', i.annotations, 'labels', i.labels,
      'base_image', coalesce(i.annotations ->> 'org.opencontainers.image.base.name', i.labels ->> 'org.opencontainers.image.base.name'))
    FROM image_library_internal.entry_of(image.repository_id, image.tag, image.digest) e
    JOIN image_library_internal.image i ON i.digest = e.digest
    WHERE e.kind = pinned_image.kind);
END
$$;
COMMENT ON FUNCTION image_library_internal.pinned_image IS
  'Columns of postgres_images or model_library for an image whose tag has moved or is missing; null: it is of another kind';

CREATE FUNCTION image_library.find_postgres_image(reference text, registry text DEFAULT NULL) RETURNS SETOF image_library.postgres_images
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image image_library.postgres_images;
BEGIN
  IF image_library.is_usable(reference, registry) THEN
    image := jsonb_populate_record(image, image_library_internal.pinned_image(reference, 'postgres', registry));
    IF image.digest IS NOT NULL THEN
      RETURN NEXT image;
    END IF;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.find_postgres_image IS
  'Row as in postgres_images for a Postgres image that may be used, also if its tag has moved since; no row: it may not be used, is unknown or of another kind';
GRANT EXECUTE ON FUNCTION image_library.find_postgres_image TO image_library_reader;
-- Search by words, newest tags of a repository, statistics.

CREATE TYPE image_library.found_image AS (
  reference text, registry text, repository text, tag text, digest text, kind text, approval text, version text,
  title text, publisher text, missing_since timestamptz, matched text);
COMMENT ON TYPE image_library.found_image IS 'A row of search_images';
COMMENT ON COLUMN image_library.found_image.matched IS
  'Where the words were found: repository (all in its name), text (names, titles, HM tags, extensions ...) or similar (similar words)';

-- Escapes the wildcards of LIKE.
CREATE FUNCTION image_library_internal.like_pattern(word text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '%' || replace(replace(replace(word, '\', '\\'), '%', '\%'), '_', '\_') || '%' $$;
COMMENT ON FUNCTION image_library_internal.like_pattern IS 'LIKE pattern for texts that contain a word';

CREATE TYPE image_library_internal.named_repository AS (
  repository_id integer, registry text, repository text, reference text, in_name boolean, missing text[]);
COMMENT ON TYPE image_library_internal.named_repository IS
  'A repository, and the patterns of a search that its name, host and HM tags do not match';

-- Words of names, hosts and HM tags are compared, the others have keys. A word with a slash may begin in the host and end in
-- the name, so its parts count.
CREATE FUNCTION image_library_internal.search_keys(words text[]) RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  elsewhere text := lower(concat_ws(' ',
    (SELECT string_agg(concat_ws('/', g.host, nullif(g.prefix, '')), ' ') FROM image_library_internal.visible_registry g),
    (SELECT string_agg(h.name, ' ') FROM image_library_internal.hm_tag h),
    (SELECT string_agg(array_to_string(image_library_internal.system_tags(g.host, '{tde}'), ' '), ' ') FROM image_library_internal.visible_registry g)) COLLATE "C");
BEGIN
  RETURN image_library_internal.text_keys('{}', ARRAY(
    SELECT p FROM unnest(words) w, string_to_table(w, '/') p WHERE p <> '' AND strpos(elsewhere, p) = 0));
END
$$;
COMMENT ON FUNCTION image_library_internal.search_keys IS
  'Keys that a repository must have to have all of some lower-case words; empty: they do not tell';

-- ASCII case folding compares bytes, which is fast; tags and names are ASCII.
CREATE FUNCTION image_library_internal.name_words(name text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN string_to_array(translate(lower(name COLLATE "C"), '/-_.', '    '), ' ');
COMMENT ON FUNCTION image_library_internal.name_words IS 'The words of a repository''s name in lower case';
GRANT EXECUTE ON FUNCTION image_library_internal.name_words TO image_library_agent;
CREATE INDEX repository_words ON image_library_internal.repository USING gin (image_library_internal.name_words(name));

CREATE FUNCTION image_library_internal.missing_patterns(repository_id integer, place text, host text, patterns text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  about text := lower(concat_ws(' ', place,
    (SELECT string_agg(h.name, ' ') FROM image_library_internal.hm_tag_repository x JOIN image_library_internal.hm_tag h USING (hm_tag_id)
     WHERE x.repository_id = missing_patterns.repository_id),
    array_to_string(image_library_internal.system_tags(host, '{}'), ' ')) COLLATE "C");
BEGIN
  RETURN ARRAY(SELECT p FROM unnest(patterns) p WHERE about NOT LIKE p);
END
$$;
COMMENT ON FUNCTION image_library_internal.missing_patterns IS 'Patterns that name, host and HM tags of a repository do not match';

CREATE FUNCTION image_library_internal.named_repositories(words text[], among integer[])
RETURNS SETOF image_library_internal.named_repository
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  patterns text[] := ARRAY(SELECT image_library_internal.like_pattern(w) FROM unnest(words) w);
BEGIN
  RETURN QUERY
    SELECT r.repository_id, r.registry, r.repository::text, r.place, lower(r.repository COLLATE "C") LIKE ALL (patterns),
           image_library_internal.missing_patterns(r.repository_id, r.place, r.host, patterns)
    FROM image_library_internal.visible_repository r
    WHERE r.repository_id = ANY (among)
    ORDER BY image_library_internal.name_words(r.repository) @> words DESC,
             lower(r.repository COLLATE "C") LIKE ALL (patterns) DESC, r.repository, r.registry;
END
$$;
COMMENT ON FUNCTION image_library_internal.named_repositories IS
  'Some repositories, those first whose names have the words as whole words, then those that have them as parts';

-- Words found in the name of the repository are not looked for in its tags.
CREATE FUNCTION image_library_internal.search_repository(named image_library_internal.named_repository, kind text, max_rows integer)
RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN QUERY
    SELECT (named.reference || ':' || t.name)::text, named.registry, named.repository, t.name::text, t.digest::text,
           t.kind, t.approval, coalesce(e.version, i.version), coalesce(e.title, i.title),
           e.publisher, t.missing_since, CASE WHEN named.in_name THEN 'repository' ELSE 'text' END
    FROM (SELECT t.*
          FROM image_library_internal.tag t
          LEFT JOIN image_library_internal.entry e ON e.repository_id = t.repository_id AND e.tag = t.name
          LEFT JOIN (SELECT x.tag, string_agg(h.name, ' ') AS hm_tags
                     FROM image_library_internal.hm_tag_image x JOIN image_library_internal.hm_tag h USING (hm_tag_id)
                     WHERE x.repository_id = named.repository_id GROUP BY x.tag) v ON v.tag = t.name
          WHERE t.repository_id = named.repository_id AND t.rule_id IS NOT NULL
            AND (search_repository.kind IS NULL OR t.kind = search_repository.kind)
            AND (named.missing = '{}'
                 OR lower(CASE WHEN e.tag IS NULL THEN concat_ws(' ', t.name, v.hm_tags)
                               ELSE image_library_internal.entry_text(e, v.hm_tags) END COLLATE "C") LIKE ALL (named.missing))
          ORDER BY t.missing_since IS NOT NULL, image_library.version_key(t.name) DESC
          LIMIT max_rows) t
    LEFT JOIN image_library_internal.entry e ON e.repository_id = t.repository_id AND e.tag = t.name
    LEFT JOIN image_library_internal.image i ON i.digest = t.digest
    ORDER BY t.missing_since IS NOT NULL, image_library.version_key(t.name) DESC;
END
$$;
COMMENT ON FUNCTION image_library_internal.search_repository IS
  'Images of a repository that have the words which its name, host and HM tags lack';

CREATE FUNCTION image_library_internal.search_among(words text[], kind text, among integer[], max_rows integer)
RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  named image_library_internal.named_repository;
  wanted integer := max_rows;
  found_rows integer;
BEGIN
  FOR place IN 1..coalesce(cardinality(among), 0) BY 20 LOOP
    FOR named IN SELECT n.* FROM image_library_internal.named_repositories(words, among[place:place + 19]) n LOOP
      IF wanted <= 0 THEN
        RETURN;
      END IF;
      RETURN QUERY SELECT s.* FROM image_library_internal.search_repository(named, kind, wanted) s;
      GET DIAGNOSTICS found_rows = ROW_COUNT;
      wanted := wanted - found_rows;
    END LOOP;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.search_among IS 'Images of some repositories, which are sorted, that have every one of some words';

-- One repository after the other, best first, so that a search ends when it has enough rows. If few repositories can have
-- the words, these are sorted. If not, whole words of names have an index, and then all names are read in their order.
CREATE FUNCTION image_library_internal.search(words text[], kind text, max_rows integer) RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  patterns text[] := ARRAY(SELECT image_library_internal.like_pattern(w) FROM unnest(words) w);
  in_name boolean;
  asked integer[] := image_library_internal.search_keys(words);
  among integer[];
  last_name text;
  wanted integer := max_rows;
  found_rows integer;
BEGIN
  IF asked <> '{}' THEN
    among := ARRAY(SELECT x.repository_id FROM image_library_internal.repository_text x WHERE x.keys @> asked LIMIT 500);
  END IF;
  IF cardinality(among) < 500 THEN
    RETURN QUERY SELECT s.* FROM image_library_internal.search_among(words, kind, ARRAY(
      SELECT r.repository_id FROM image_library_internal.visible_repository r
      WHERE r.repository_id = ANY (among)
      ORDER BY image_library_internal.name_words(r.repository) @> words DESC, lower(r.repository COLLATE "C") LIKE ALL (patterns) DESC,
               r.repository, r.registry), max_rows) s;
    RETURN;
  END IF;
  RETURN QUERY SELECT s.* FROM image_library_internal.search_among(words, kind, ARRAY(
    SELECT r.repository_id FROM image_library_internal.visible_repository r
    WHERE image_library_internal.name_words(r.repository) @> words ORDER BY r.repository, r.registry), wanted) s;
  GET DIAGNOSTICS found_rows = ROW_COUNT;
  wanted := wanted - found_rows;
  -- Then parts of words of names, then others.
  FOREACH in_name IN ARRAY '{true,false}'::boolean[] LOOP
    last_name := '';
    WHILE wanted > 0 LOOP
      SELECT max(r.name), array_agg(r.repository_id ORDER BY r.name, g.name)
               FILTER (WHERE lower(r.name COLLATE "C") LIKE ALL (patterns) = in_name
                         AND NOT image_library_internal.name_words(r.name) @> words)
      INTO last_name, among
      FROM (SELECT r.repository_id, r.registry_id, r.name FROM image_library_internal.repository r
            WHERE r.name > last_name ORDER BY r.name FETCH FIRST 250 ROWS WITH TIES) r
      LEFT JOIN image_library_internal.visible_registry g USING (registry_id);
      EXIT WHEN last_name IS NULL;
      IF NOT in_name AND asked <> '{}' THEN
        among := ARRAY(SELECT i.id FROM unnest(among) WITH ORDINALITY AS i (id, n)
                       JOIN image_library_internal.repository_text x ON x.repository_id = i.id
                       WHERE x.keys @> asked ORDER BY i.n);
      END IF;
      RETURN QUERY SELECT s.* FROM image_library_internal.search_among(words, kind, among, wanted) s;
      GET DIAGNOSTICS found_rows = ROW_COUNT;
      wanted := wanted - found_rows;
    END LOOP;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.search IS
  'Images that have every one of some lower-case words in the read model and names, best first';

-- Titles of images that are neither Postgres nor models are not in the read model; their words have an index.
CREATE FUNCTION image_library_internal.title_words(title text, description text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT to_tsvector('simple', left(concat_ws(' ', title, description), 2000)) $$;
COMMENT ON FUNCTION image_library_internal.title_words IS 'The words of title and description';
GRANT EXECUTE ON FUNCTION image_library_internal.title_words TO image_library_agent;
CREATE INDEX image_title ON image_library_internal.image USING gin (image_library_internal.title_words(title, description));

CREATE FUNCTION image_library_internal.search_titles(words text[], max_rows integer) RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  every_word tsquery;
  any_word tsquery;
  candidates text[];
BEGIN
  SELECT string_agg(quote_literal(l.lexeme) || ':*', ' & ')::tsquery, string_agg(quote_literal(l.lexeme) || ':*', ' | ')::tsquery
  INTO every_word, any_word
  FROM unnest(words) w, unnest(to_tsvector('simple', w)) l;
  candidates := ARRAY(
    (SELECT i.digest FROM image_library_internal.image i
     WHERE image_library_internal.title_words(i.title, i.description) @@ every_word LIMIT 10000)
    UNION
    -- Of words that are in many titles only some images are tried, since the names may have the other words.
    (SELECT i.digest FROM image_library_internal.image i
     WHERE image_library_internal.title_words(i.title, i.description) @@ any_word LIMIT 10000));
  IF candidates = '{}' THEN
    RETURN;
  END IF;
  RETURN QUERY
    SELECT n.reference || ':' || t.name, n.registry, n.repository, t.name::text, t.digest::text, 'other', t.approval,
           i.version, i.title, NULL::text, t.missing_since, 'text'
    FROM image_library_internal.image i
    JOIN image_library_internal.tag t ON t.digest = i.digest
    JOIN image_library_internal.named_repositories(words, ARRAY(
           SELECT DISTINCT x.repository_id FROM image_library_internal.tag x WHERE x.digest = ANY (candidates))) n USING (repository_id)
    WHERE i.digest = ANY (candidates) AND t.rule_id IS NOT NULL AND t.kind = 'other'
      AND lower(concat_ws(' ', t.name, i.title, i.description) COLLATE "C") LIKE ALL (n.missing)
    ORDER BY t.missing_since IS NOT NULL, n.repository, n.registry, image_library.version_key(t.name) DESC
    LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION image_library_internal.search_titles IS
  'Images other than Postgres and models with title or description words that begin with some of the words, and names that have the others';

CREATE FUNCTION image_library_internal.search_everywhere(words text[], kind text, max_rows integer) RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  images image_library.found_image[] := ARRAY(SELECT s FROM image_library_internal.search(words, kind, max_rows) s);
BEGIN
  RETURN QUERY SELECT i.* FROM unnest(images) i;
  IF cardinality(images) < max_rows AND coalesce(kind, 'other') = 'other' THEN
    RETURN QUERY
      SELECT t.* FROM image_library_internal.search_titles(words, max_rows) t
      WHERE NOT EXISTS (SELECT FROM unnest(images) i WHERE i.registry = t.registry AND i.reference = t.reference)
      LIMIT max_rows - cardinality(images);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.search_everywhere IS
  'Images that have every one of some words, those found by name before those found by title';

CREATE FUNCTION image_library_internal.similar_words(words text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  hidden integer[] := image_library_internal.hidden_registries();
  hm_tag_words text[] := ARRAY(SELECT w FROM image_library_internal.hm_tag h, image_library_internal.known_words(ARRAY[h.name]) w);
  similar_words text[] := words;
  asked text;
  likest text;
  keys integer[];
BEGIN
  FOR n IN 1..cardinality(words) LOOP
    asked := words[n];
    CONTINUE WHEN length(asked) > 63;
    keys := image_library_internal.word_keys(asked);
    -- A word that the library has is not replaced.
    CONTINUE WHEN EXISTS (SELECT FROM unnest(hm_tag_words) w WHERE strpos(w, asked) > 0)
      OR EXISTS (SELECT FROM image_library_internal.search_word k
                 WHERE image_library_internal.word_keys(k.word) @> image_library_internal.text_keys('{}', ARRAY[asked])
                   AND strpos(k.word, asked) > 0 AND k.registry_id <> ALL (hidden));
    SELECT c.word INTO likest
    FROM (SELECT k.word FROM image_library_internal.search_word k
          WHERE image_library_internal.word_keys(k.word) && keys AND k.registry_id <> ALL (hidden)
          UNION
          SELECT w FROM unnest(hm_tag_words) w) c
    -- As pg_trgm compares: the trigrams of both among those of either.
    CROSS JOIN LATERAL (SELECT cardinality(image_library_internal.text_keys(keys, ARRAY['  ' || c.word || ' ']))::real AS of_either,
                               cardinality(image_library_internal.word_keys(c.word)) AS of_word) t
    WHERE cardinality(keys) + t.of_word - t.of_either >= 0.3 * t.of_either
    ORDER BY (cardinality(keys) + t.of_word - t.of_either) / t.of_either DESC, c.word LIMIT 1;
    similar_words[n] := coalesce(likest, asked);
  END LOOP;
  RETURN similar_words;
END
$$;
COMMENT ON FUNCTION image_library_internal.similar_words IS
  'Similar words of the library, by trigrams, for words that it does not have';

CREATE FUNCTION image_library.search_images(query text, kind text DEFAULT NULL, max_rows integer DEFAULT 50)
RETURNS SETOF image_library.found_image
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  words text[] := ARRAY(SELECT DISTINCT w FROM regexp_split_to_table(lower(left(query, 1000) COLLATE "C"), '\s+') w WHERE w <> '');
  similar_words text[];
BEGIN
  IF cardinality(words) = 0 OR length(query) > 1000 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => CASE WHEN length(query) > 1000 THEN 'the search is longer than 1000 characters' ELSE 'the search has no word' END,
      hint => 'Write words of a repository, tag, title, HM tag, publisher or extension.');
  END IF;
  IF search_images.kind <> ALL (image_library_internal.kinds()) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown kind "%s"', search_images.kind),
      hint => format('It is %s.', image_library_internal.one_of(image_library_internal.kinds())));
  END IF;
  max_rows := greatest(coalesce(max_rows, 50), 0);
  RETURN QUERY SELECT s.* FROM image_library_internal.search_everywhere(words, search_images.kind, max_rows) s;
  IF FOUND OR max_rows = 0 THEN
    RETURN;
  END IF;
  similar_words := image_library_internal.similar_words(words);
  IF similar_words <> words THEN
    RETURN QUERY
      SELECT s.reference, s.registry, s.repository, s.tag, s.digest, s.kind, s.approval, s.version, s.title, s.publisher,
             s.missing_since, 'similar'
      FROM image_library_internal.search_everywhere(similar_words, search_images.kind, max_rows) s;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.search_images IS
  'Images that have every word of the query, whole or as a part, in host, repository, tag, title, description, HM tags, publisher, model, flavor, variant, task, extensions or features. Order: whole words of the repository''s name, parts of it, others; within a repository present before missing, newest first. Titles of images that are neither Postgres nor models are found by the beginnings of their words. ASCII letters match regardless of case. If no image has a word, the most similar word is used (matched = similar)';
GRANT EXECUTE ON FUNCTION image_library.search_images TO image_library_reader;

CREATE FUNCTION image_library.recent_tags(registry text, repository text, max_rows integer DEFAULT 10)
RETURNS SETOF image_library.images
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.known_repository_id(registry, repository);
  RETURN QUERY
    SELECT i.* FROM image_library.images i
    WHERE i.registry = recent_tags.registry AND i.repository = recent_tags.repository AND i.missing_since IS NULL
    ORDER BY coalesce(i.created_at, i.first_seen_at) DESC, image_library.version_key(i.tag) DESC
    LIMIT greatest(coalesce(max_rows, 10), 0);
END
$$;
COMMENT ON FUNCTION image_library.recent_tags IS
  'Newest present tags of a repository as rows of images: by published creation time, else by the time first seen, then by version';
GRANT EXECUTE ON FUNCTION image_library.recent_tags TO image_library_reader;

CREATE VIEW image_library.library_stats WITH (security_barrier) AS
  SELECT g.name AS registry,
         coalesce(sum(c.number) FILTER (WHERE c.kind IS NULL), 0) AS repositories,
         coalesce(sum(c.number) FILTER (WHERE c.kind IS NOT NULL), 0) AS tags,
         coalesce(sum(c.number) FILTER (WHERE c.kind = 'postgres'), 0) AS postgres_images,
         coalesce(sum(c.number) FILTER (WHERE c.kind = 'model'), 0) AS models,
         coalesce(sum(c.number) FILTER (WHERE c.kind = 'other'), 0) AS others,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'pending'), 0) AS pending,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'approved'), 0) AS approved,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'rejected'), 0) AS rejected,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'revoked'), 0) AS revoked,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'approved' AND c.kind = 'postgres'), 0) AS approved_postgres_images,
         coalesce(sum(c.number) FILTER (WHERE c.approval = 'approved' AND c.kind = 'model'), 0) AS approved_models
  FROM image_library_internal.visible_registry g
  LEFT JOIN image_library_internal.counts c USING (registry_id)
  GROUP BY GROUPING SETS ((g.name), ());
COMMENT ON VIEW image_library.library_stats IS 'Number of image tags by registry and state; registry null: the total';
GRANT SELECT ON image_library.library_stats TO image_library_reader;
-- What the API server and the controllers check in labels, annotations and environment. Sources: Kubernetes, "Labels and
-- Selectors", "Annotations", core/v1 EnvVar and EnvVarSource; the webhooks of KServe (0.20) and CloudNativePG (1.30).

CREATE FUNCTION image_library_internal.is_qualified_name(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT name ~ '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'
         AND length(name) <= 317 AND name !~ '\.\.[^/]*/'
$$;
COMMENT ON FUNCTION image_library_internal.is_qualified_name IS
  'Whether a text is a key of a label, an annotation or a resource: up to 63 characters, after a domain and a slash';

CREATE FUNCTION image_library_internal.is_label_value(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT value ~ '^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$' $$;
COMMENT ON FUNCTION image_library_internal.is_label_value IS 'Whether a text is a value of a label; it may be empty';

CREATE FUNCTION image_library_internal.check_labels(what text, labels jsonb, are_annotations boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text;
BEGIN
  IF jsonb_typeof(labels) <> 'object' OR jsonb_path_exists(labels, 'strict $.* ? (@.type() != "string")') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('%s must be a JSON object of texts', what),
      hint => 'For example {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}; null leaves it out.');
  END IF;
  SELECT l.key INTO wrong FROM jsonb_each_text(labels) l
  WHERE NOT image_library_internal.is_qualified_name(l.key)
     OR NOT are_annotations AND NOT image_library_internal.is_label_value(l.value)
  ORDER BY l.key COLLATE "C" LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid key or value in %s: "%s"', what, left(wrong, 300)),
      detail => 'Kubernetes would refuse it.',
      hint => CASE WHEN are_annotations THEN 'A key has up to 63 letters, digits, dashes, underscores and dots, after a domain and a slash if it has one.'
                  ELSE 'A key and a value have up to 63 letters, digits, dashes, underscores and dots; a key may begin with a domain and a slash.' END);
  END IF;
  RETURN labels;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_labels IS
  'The given labels, node selector or annotations; raises 22023 if Kubernetes would refuse them';

CREATE FUNCTION image_library_internal.is_env_source(source jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN jsonb_typeof(source) <> 'object' THEN false
    ELSE (SELECT count(*) = 1 AND bool_and(CASE
            WHEN jsonb_typeof(s.value) <> 'object' THEN false
            WHEN s.key IN ('secretKeyRef', 'configMapKeyRef') THEN
              s.value - '{name,key,optional}'::text[] = '{}' AND s.value ?& '{name,key}'
              AND jsonb_typeof(s.value -> 'name') = 'string'
              AND s.value ->> 'name' ~ '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' AND length(s.value ->> 'name') <= 253
              AND jsonb_typeof(s.value -> 'key') = 'string' AND s.value ->> 'key' ~ '^[-._a-zA-Z0-9]{1,253}$'
              AND s.value ->> 'key' NOT IN ('.', '..')
              AND coalesce(jsonb_typeof(s.value -> 'optional') = 'boolean', true)
            WHEN s.key = 'fieldRef' THEN
              s.value - '{apiVersion,fieldPath}'::text[] = '{}' AND coalesce(s.value ->> 'apiVersion' = 'v1', true)
              AND coalesce(s.value ->> 'fieldPath' ~
                '^(metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\[''[^'']+''\]|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?))$', false)
            WHEN s.key = 'resourceFieldRef' THEN
              s.value - '{containerName,resource,divisor}'::text[] = '{}'
              AND coalesce(s.value ->> 'resource' ~ '^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-[A-Za-z0-9]+)$', false)
            ELSE false END)
          FROM jsonb_each(source) s) END
$$;
COMMENT ON FUNCTION image_library_internal.is_env_source IS
  'Whether a value is a valueFrom: exactly one of secretKeyRef, configMapKeyRef, fieldRef and resourceFieldRef, with the fields that it has';

CREATE FUNCTION image_library_internal.check_env(variables jsonb, reserved text[] DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text;
BEGIN
  IF jsonb_typeof(variables) <> 'array' OR jsonb_path_exists(variables, 'strict $[*] ? (@.type() != "object")') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'the environment must be a JSON array of objects',
      hint => 'For example [{"name": "NIM_LOG_LEVEL", "value": "INFO"}].');
  END IF;
  SELECT coalesce(e.v ->> 'name', e.v::text) INTO wrong FROM jsonb_array_elements(variables) e (v)
  WHERE e.v - '{name,value,valueFrom}'::text[] <> '{}' OR e.v ?& '{value,valueFrom}'
     OR coalesce(e.v ->> 'name' !~ '^[-._a-zA-Z][-._a-zA-Z0-9]*$', true) OR jsonb_typeof(e.v -> 'name') <> 'string'
     OR jsonb_typeof(e.v -> 'value') <> 'string'
     OR NOT image_library_internal.is_env_source(e.v -> 'valueFrom')
  ORDER BY e.v ->> 'name' COLLATE "C" LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid environment variable "%s"', left(wrong, 300)),
      detail => 'A name has letters, digits, underscores, dots and dashes. A variable has a text, or one source: secretKeyRef or configMapKeyRef '
               'with name and key, fieldRef with fieldPath, or resourceFieldRef with resource.',
      hint => 'For example {"NIM_LOG_LEVEL": "INFO", "HF_TOKEN": {"secretKeyRef": {"name": "hf", "key": "token"}}}.');
  END IF;
  SELECT e.v ->> 'name' INTO wrong FROM jsonb_array_elements(variables) e (v)
  GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('environment variable "%s" is given twice', left(wrong, 300)));
  END IF;
  SELECT e.v ->> 'name' INTO wrong FROM jsonb_array_elements(variables) e (v) WHERE e.v ->> 'name' = ANY (reserved) LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('environment variable "%s" may not be set', wrong),
      detail => CASE wrong WHEN 'PYTHONPATH' THEN 'KServe refuses it, since it replaces the modules of the server.'
                          ELSE 'It names a model, and the model is the approved one.' END);
  END IF;
  RETURN variables;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_env IS
  'The given list of EnvVar; raises 22023 if Kubernetes or the controller would refuse it. reserved: names that may not be set';

CREATE FUNCTION image_library_internal.kserve_reserved_env() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{PYTHONPATH,STORAGE_URI}'::text[] $$;
COMMENT ON FUNCTION image_library_internal.kserve_reserved_env IS
  'Variables that KServe refuses (PYTHONPATH), or from which it reads another model (STORAGE_URI)';

CREATE FUNCTION image_library_internal.kubernetes_env(env jsonb, reserved text[] DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text;
BEGIN
  IF jsonb_typeof(env) <> 'object' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('env must be a JSON object, not %s', jsonb_typeof(env)),
      hint => 'For example {"NIM_LOG_LEVEL": "INFO", "HF_TOKEN": {"secretKeyRef": {"name": "hf", "key": "token"}}}.');
  END IF;
  SELECT e.key INTO wrong FROM jsonb_each(env) e WHERE jsonb_typeof(e.value) IN ('null', 'array')
  ORDER BY e.key COLLATE "C" LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid environment variable "%s"', left(wrong, 300)),
      hint => 'A value is a text, or an object for valueFrom.');
  END IF;
  RETURN image_library_internal.check_env(
    (SELECT jsonb_agg(jsonb_build_object('name', e.key,
              CASE jsonb_typeof(e.value) WHEN 'object' THEN 'valueFrom' ELSE 'value' END,
              CASE jsonb_typeof(e.value) WHEN 'object' THEN e.value ELSE to_jsonb(e.value #>> '{}') END)
            ORDER BY e.key COLLATE "C")
     FROM jsonb_each(env) e), reserved);
END
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_env IS
  '{"NAME": "value"} as a list of EnvVar, an object as its valueFrom; null if there are none';
-- Parts that all manifests share: names, quantities, environment, and the approved image. Sources: Kubernetes API
-- conventions ("Object Names and IDs", resource.Quantity, core/v1 EnvVar).

CREATE FUNCTION image_library_internal.kubernetes_name(name text, max_length integer DEFAULT 63) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  made text := trim(BOTH '-' FROM image_library_internal.name_key(name));
BEGIN
  IF made !~ '^[a-z]' THEN
    made := rtrim('m-' || made, '-');
  END IF;
  -- A hash of the whole text distinguishes names that differ only in what is cut off or replaced.
  IF length(made) > max_length OR made = 'm' THEN
    made := rtrim(left(made, max_length - 7), '-') || '-' || left(md5(name), 6);
  END IF;
  RETURN made;
END
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_name IS
  'Name derived from a text that is valid for every kind of Kubernetes object (RFC 1035 label)';

-- A controller that makes longer names from this one leaves less than Kubernetes does: room, and maker says who.
CREATE FUNCTION image_library_internal.check_kubernetes_name(what text, name text, form text,
  room integer DEFAULT NULL, maker text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  max_length integer := least(room, CASE form WHEN 'subdomain' THEN 253 ELSE 63 END);
  pattern text := CASE form
    WHEN 'subdomain' THEN '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
    WHEN 'service' THEN '^[a-z]([-a-z0-9]*[a-z0-9])?$'
    ELSE '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' END;
BEGIN
  IF name IS NULL OR length(name) > max_length OR name !~ pattern THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid %s "%s"', what, left(coalesce(name, 'null'), 300)),
      detail => CASE WHEN length(name) > max_length AND maker IS NOT NULL
                    THEN format('It has %s characters, and %s makes longer names from it, which leaves %s.', length(name), maker, max_length)
                    ELSE 'Kubernetes would refuse it.' END,
      hint => format('Use up to %s lower-case letters, digits%s and dashes, beginning with a letter%s and ending with a letter or digit.%s',
                    max_length, CASE form WHEN 'subdomain' THEN ', dots' ELSE '' END,
                    CASE form WHEN 'service' THEN '' ELSE ' or digit' END,
                    coalesce(' For example "' || image_library_internal.kubernetes_name(nullif(name, ''), greatest(least(max_length, 63), 8)) || '".', '')));
  END IF;
  RETURN name;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_kubernetes_name IS
  'The given name; raises 22023 if it is not a label, subdomain (RFC 1123) or service name (RFC 1035), or longer than its controller allows';

CREATE FUNCTION image_library_internal.kubernetes_metadata(name text, namespace text, form text,
  room integer DEFAULT NULL, maker text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'name', image_library_internal.check_kubernetes_name('name', name, form, room, maker),
    'namespace', CASE WHEN namespace IS NOT NULL
                      THEN image_library_internal.check_kubernetes_name('namespace', namespace, 'label') END))
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_metadata IS
  'Metadata of a manifest, with a namespace when one is given';

CREATE FUNCTION image_library_internal.kubernetes_quantity(what text, quantity text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF quantity !~ '^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$' OR quantity !~ '[1-9]' OR length(quantity) > 32
     -- A thousandth of a byte is a slip: 500m for 500M.
     OR quantity LIKE '%m' AND what ~ '(memory|storage|size|Limit)' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid %s "%s"', what, left(quantity, 300)),
      hint => 'Give a Kubernetes quantity such as ''12'', ''500m'' (half a CPU) or ''64Gi''; null leaves it out.');
  END IF;
  RETURN quantity;
END
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_quantity IS
  'The given quantity; raises 22023 if Kubernetes would refuse it';

CREATE FUNCTION image_library_internal.kubernetes_resources(cpu text, memory text, gpu_count integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- GPUs are an extended resource: a limit alone is also the request.
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'limits', nullif(jsonb_strip_nulls(jsonb_build_object(
      'cpu', image_library_internal.kubernetes_quantity('cpu', cpu),
      'memory', image_library_internal.kubernetes_quantity('memory', memory),
      'nvidia.com/gpu', nullif(image_library_internal.check_range('gpu_count', gpu_count, 0, 4096), 0)::text)), '{}'),
    'requests', nullif(jsonb_strip_nulls(jsonb_build_object('cpu', cpu, 'memory', memory)), '{}')))
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_resources IS
  'Resources of a container, without those that are null and without GPUs if there are none';

CREATE FUNCTION image_library_internal.gpu_placement(gpu_count integer, node_selector jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  selector jsonb := image_library_internal.check_labels('node_selector', nullif(node_selector, 'null'));
BEGIN
  IF gpu_count IS NULL OR gpu_count = 0 THEN
    -- Without GPUs a label of GPU nodes does not apply, what else was asked for does.
    RETURN jsonb_strip_nulls(jsonb_build_object('nodeSelector', nullif(selector - 'nvidia.com/gpu', '{}')));
  END IF;
  RETURN jsonb_strip_nulls(jsonb_build_object(
    'nodeSelector', nullif(selector, '{}'),
    'tolerations', '[{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]'::jsonb));
END
$$;
COMMENT ON FUNCTION image_library_internal.gpu_placement IS
  'nodeSelector and tolerations of a workload that needs GPUs; without GPUs what the selector says besides them';

CREATE FUNCTION image_library_internal.kubernetes_args(args text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF array_position(args, NULL) IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'args must not contain null');
  END IF;
  RETURN (SELECT jsonb_agg(a.arg ORDER BY a.position) FROM unnest(args) WITH ORDINALITY AS a (arg, position));
END
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_args IS
  'Arguments of a container as JSON; null when there are none';

CREATE FUNCTION image_library_internal.kubernetes_pull_secrets(names text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_agg(jsonb_build_object('name', image_library_internal.check_kubernetes_name('image pull secret', s.name, 'subdomain'))
                   ORDER BY s.position)
  FROM unnest(names) WITH ORDINALITY AS s (name, position)
$$;
COMMENT ON FUNCTION image_library_internal.kubernetes_pull_secrets IS
  'Names of Secrets as LocalObjectReferences; null when there are none';

CREATE FUNCTION image_library_internal.wrong_kind(reference text, wanted text, in_registry text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, in_registry);
  found_kind text := (SELECT e.kind FROM image_library_internal.entry_of(image.repository_id, image.tag, image.digest) e);
BEGIN
  PERFORM image_library_internal.fail(
    errcode => 'invalid_parameter_value',
    message => format('image "%s" is not a %s', reference, CASE wanted WHEN 'model' THEN 'model' ELSE 'Postgres image' END),
    detail => CASE found_kind
               WHEN 'postgres' THEN 'It is a Postgres image.'
               WHEN 'model' THEN 'It is a model.'
               ELSE 'It is neither a Postgres image nor a model.' END,
    hint => CASE wanted
             WHEN 'model' THEN 'Choose one of image_library.model_library, or say kind => ''model'' in the rule that brings it.'
             ELSE 'Choose one of image_library.postgres_images, or say kind => ''postgres'' in the rule that brings it.' END);
END
$$;
COMMENT ON FUNCTION image_library_internal.wrong_kind IS 'Raises 22023 with the actual kind of an approved image';

CREATE FUNCTION image_library_internal.approved_postgres(reference text, in_registry text DEFAULT NULL) RETURNS image_library.postgres_images
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  pinned text := image_library.resolve(reference, in_registry);
  image image_library.postgres_images;
BEGIN
  SELECT p.* INTO image FROM image_library.postgres_images p
  WHERE p.digest = split_part(pinned, '@', 2) AND p.pinned_reference = pinned AND (in_registry IS NULL OR p.registry = in_registry);
  IF NOT FOUND THEN
    image := jsonb_populate_record(NULL::image_library.postgres_images, image_library_internal.pinned_image(pinned, 'postgres', in_registry));
  END IF;
  IF image.digest IS NULL THEN
    PERFORM image_library_internal.wrong_kind(reference, 'postgres', in_registry);
  END IF;
  RETURN image;
END
$$;
COMMENT ON FUNCTION image_library_internal.approved_postgres IS
  'An approved Postgres image; raises the errors of resolve, or 22023 if it is not a Postgres image';

CREATE FUNCTION image_library_internal.approved_model(reference text, in_registry text DEFAULT NULL) RETURNS image_library.model_library
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  pinned text := image_library.resolve(reference, in_registry);
  image image_library.model_library;
BEGIN
  SELECT m.* INTO image FROM image_library.model_library m
  WHERE m.digest = split_part(pinned, '@', 2) AND m.pinned_reference = pinned AND (in_registry IS NULL OR m.registry = in_registry);
  IF NOT FOUND THEN
    image := jsonb_populate_record(NULL::image_library.model_library, image_library_internal.pinned_image(pinned, 'model', in_registry));
  END IF;
  IF image.digest IS NULL THEN
    PERFORM image_library_internal.wrong_kind(reference, 'model', in_registry);
  END IF;
  RETURN image;
END
$$;
COMMENT ON FUNCTION image_library_internal.approved_model IS
  'An approved model; raises the errors of resolve, or 22023 if it is not a model';
-- What the user of a manifest sets beside its parameters, merged in last. An override must not run what nobody approved, so
-- it reaches only the places that are listed here, and everything else is compared with the manifest as it was made.
-- Sources: RFC 7396 (JSON Merge Patch); the CRDs of KServe 0.20, NIM Operator 3.1 and CloudNativePG 1.30.

-- Paths as keys joined by dots; 0 is the only container of a runtime.
CREATE FUNCTION image_library_internal.overridable(kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT '{metadata.labels,metadata.annotations}'::text[] || CASE
    WHEN kind IN ('ServingRuntime', 'ClusterServingRuntime') THEN ARRAY(
      SELECT 'spec.' || p FROM unnest('{labels,annotations,affinity,tolerations,nodeSelector,schedulerName,volumes}'::text[]) p
      UNION ALL
      SELECT 'spec.containers.0.' || p
      FROM unnest('{env,resources,livenessProbe,readinessProbe,startupProbe,volumeMounts}'::text[]) p)
    WHEN kind = 'InferenceService' THEN ARRAY(
      SELECT 'spec.predictor.' || p FROM unnest('{labels,annotations,affinity,tolerations,nodeSelector,topologySpreadConstraints,
        serviceAccountName,automountServiceAccountToken,priorityClassName,runtimeClassName,schedulerName,terminationGracePeriodSeconds,
        minReplicas,maxReplicas,scaleTarget,scaleMetric,scaleMetricType,autoScaling,containerConcurrency,timeout,deploymentStrategy,
        volumes,model.env,model.resources,model.livenessProbe,model.readinessProbe,model.startupProbe,model.volumeMounts}'::text[]) p)
    WHEN kind = 'NIMService' THEN ARRAY(
      SELECT 'spec.' || p FROM unnest('{labels,annotations,env,resources,affinity,podAffinity,tolerations,nodeSelector,livenessProbe,
        readinessProbe,startupProbe,replicas,scale,expose,metrics,proxy,userID,groupID,runtimeClassName,schedulerName,priorityClassName,
        storage.sharedMemorySizeLimit,storage.readOnly}'::text[]) p)
    WHEN kind = 'NIMCache' THEN ARRAY(
      SELECT 'spec.' || p FROM unnest('{env,resources,tolerations,nodeSelector,proxy,userID,groupID,runtimeClassName,storage.pvc}'::text[]) p)
    ELSE '{}' END
$$;
COMMENT ON FUNCTION image_library_internal.overridable IS 'Places of a kind of manifest that overrides may change';

CREATE FUNCTION image_library_internal.override_beyond(overrides jsonb, allowed text[], place text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  key text;
  value jsonb;
  here text;
  beyond text;
BEGIN
  FOR key, value IN SELECT o.key, o.value FROM jsonb_each(overrides) o ORDER BY o.key COLLATE "C" LOOP
    here := concat_ws('.', place, key);
    CONTINUE WHEN here = ANY (allowed) AND key !~ '[.]';
    IF here = 'spec.containers' AND jsonb_path_exists(value, 'strict $ ? (@.type() == "array" && @.size() == 1)[0] ? (@.type() == "object")')
       AND coalesce(value #>> '{0,name}', 'kserve-container') = 'kserve-container' THEN
      value := (value -> 0) - 'name';
      here := 'spec.containers.0';
    END IF;
    IF key ~ '[.]' OR jsonb_typeof(value) <> 'object'
       OR NOT EXISTS (SELECT FROM unnest(allowed) a WHERE starts_with(a, here || '.')) THEN
      RETURN here;
    END IF;
    beyond := image_library_internal.override_beyond(value, allowed, here);
    IF beyond IS NOT NULL THEN
      RETURN beyond;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.override_beyond IS
  'First place in overrides that is not allowed; null: all are';

-- Lists whose elements have a key are merged by it, as Kubernetes does; all others are replaced, as RFC 7396 says.
CREATE FUNCTION image_library_internal.merge_list(target jsonb, patch jsonb, id text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(jsonb_agg(coalesce(p.element, t.element) ORDER BY t.position, p.position), '[]')
  FROM jsonb_array_elements(target) WITH ORDINALITY AS t (element, position)
  FULL JOIN jsonb_array_elements(patch) WITH ORDINALITY AS p (element, position) ON p.element ->> id = t.element ->> id
$$;
COMMENT ON FUNCTION image_library_internal.merge_list IS
  'A list with the elements of another: those with the same id take the place of the former, others follow';

CREATE FUNCTION image_library_internal.merge_patch(target jsonb, patch jsonb, place text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  merged jsonb := target;
  part text;
  value jsonb;
BEGIN
  IF jsonb_typeof(target) = 'array' AND jsonb_typeof(patch) = 'array' THEN
    RETURN CASE place
      WHEN 'env' THEN image_library_internal.merge_list(target, patch, 'name')
      WHEN 'volumes' THEN image_library_internal.merge_list(target, patch, 'name')
      WHEN 'volumeMounts' THEN image_library_internal.merge_list(target, patch, 'mountPath')
      WHEN 'containers' THEN jsonb_set(target, '{0}', image_library_internal.merge_patch(target -> 0, patch -> 0))
      ELSE patch END;
  END IF;
  IF jsonb_typeof(patch) <> 'object' OR jsonb_typeof(coalesce(target, 'null')) <> 'object' THEN
    RETURN jsonb_strip_nulls(patch);
  END IF;
  FOR part, value IN SELECT p.key, p.value FROM jsonb_each(patch) p LOOP
    merged := CASE WHEN value = 'null' THEN merged - part
                   ELSE merged || jsonb_build_object(part, image_library_internal.merge_patch(target -> part, value, part)) END;
  END LOOP;
  RETURN merged;
END
$$;
COMMENT ON FUNCTION image_library_internal.merge_patch IS
  'A document with a JSON merge patch applied (RFC 7396); env, volumes and volumeMounts are merged by name or path';

CREATE FUNCTION image_library_internal.mount_path(given text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '/' || array_to_string(ARRAY(SELECT p.part FROM unnest(string_to_array(given, '/')) WITH ORDINALITY AS p (part, position)
                                          WHERE p.part NOT IN ('', '.') ORDER BY p.position), '/') $$;
COMMENT ON FUNCTION image_library_internal.mount_path IS 'A path without empty parts';

-- Volumes bring storage, never an image or a file of the node. They are mounted where data is, never over the model or over what
-- the image runs.
CREATE FUNCTION image_library_internal.override_volumes_wrong(part text, list jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT left(e.v::text, 300) FROM jsonb_array_elements(list) WITH ORDINALITY AS e (v, position)
  WHERE EXISTS (SELECT FROM jsonb_array_elements(list) WITH ORDINALITY AS o (v, position)
                WHERE o.position < e.position
                  AND o.v ->> CASE part WHEN 'volumes' THEN 'name' ELSE 'mountPath' END = e.v ->> CASE part WHEN 'volumes' THEN 'name' ELSE 'mountPath' END)
     OR CASE WHEN jsonb_typeof(e.v) <> 'object' THEN true
    WHEN part = 'volumes' THEN
      coalesce(e.v ->> 'name' !~ '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', true)
      OR (SELECT count(*) <> 1 OR bool_or(k NOT IN ('emptyDir', 'persistentVolumeClaim', 'configMap', 'secret'))
          FROM jsonb_object_keys(e.v - 'name') k)
    ELSE e.v - '{name,mountPath,readOnly,subPath}'::text[] <> '{}'
      OR coalesce(e.v ->> 'mountPath' !~ '^/[^:]*$', true) OR e.v ->> 'mountPath' ~ '(^|/)\.\.(/|$)'
      OR e.v ->> 'subPath' ~ '(^/|(^|/)\.\.(/|$))'
      OR image_library_internal.mount_path(e.v ->> 'mountPath')
           !~ '^/(mnt/(?!models(/|$))[^/]|(tmp|cache|data|run|dev/shm|var/(cache|run|tmp)|opt/nim/\.cache|root/\.cache|home/[^/]+/\.cache|etc/(pki|ssl/certs))(/|$))' END
  LIMIT 1
$$;
COMMENT ON FUNCTION image_library_internal.override_volumes_wrong IS
  'First of a list of volumes or mounts that overrides may not have; null: all may be';

CREATE FUNCTION image_library_internal.quantity_value(quantity text) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (regexp_match(quantity, '^[0-9]+(?:\.[0-9]+)?'))[1]::numeric * CASE regexp_replace(quantity, '^[0-9.]+', '')
    WHEN 'm' THEN 0.001 WHEN 'k' THEN 1e3 WHEN 'M' THEN 1e6 WHEN 'G' THEN 1e9 WHEN 'T' THEN 1e12 WHEN 'P' THEN 1e15 WHEN 'E' THEN 1e18
    WHEN 'Ki' THEN 2 ^ 10::numeric WHEN 'Mi' THEN 2 ^ 20::numeric WHEN 'Gi' THEN 2 ^ 30::numeric WHEN 'Ti' THEN 2 ^ 40::numeric
    WHEN 'Pi' THEN 2 ^ 50::numeric WHEN 'Ei' THEN 2 ^ 60::numeric ELSE 1 END
$$;
COMMENT ON FUNCTION image_library_internal.quantity_value IS 'Value of a checked Kubernetes quantity';

CREATE FUNCTION image_library_internal.is_access_mode(mode text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT mode IN ('ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod') $$;
COMMENT ON FUNCTION image_library_internal.is_access_mode IS 'Whether Kubernetes has an access mode of volumes';

CREATE FUNCTION image_library_internal.check_overridden(place text, given jsonb, reserved text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  part text := regexp_replace(place, '^.*\.', '');
  wanted text := CASE
    WHEN part IN ('labels', 'annotations', 'nodeSelector', 'affinity', 'podAffinity', 'resources', 'livenessProbe', 'readinessProbe', 'startupProbe',
                  'autoScaling', 'deploymentStrategy', 'scale', 'expose', 'metrics', 'proxy', 'pvc') THEN 'object'
    WHEN part IN ('env', 'volumes', 'volumeMounts', 'tolerations', 'topologySpreadConstraints') THEN 'array'
    WHEN part IN ('automountServiceAccountToken', 'readOnly') THEN 'boolean'
    WHEN part IN ('terminationGracePeriodSeconds', 'minReplicas', 'maxReplicas', 'replicas', 'scaleTarget', 'containerConcurrency',
                  'timeout', 'userID', 'groupID') THEN 'number'
    ELSE 'string' END;
  wrong text;
BEGIN
  IF jsonb_typeof(given) <> wanted THEN
    wrong := format('It is a JSON %s, not a JSON %s.', jsonb_typeof(given), wanted);
  ELSIF part IN ('tolerations', 'topologySpreadConstraints') AND jsonb_path_exists(given, 'strict $[*] ? (@.type() != "object")') THEN
    wrong := 'It must be a list of objects.';
  ELSIF wanted = 'number' AND NOT jsonb_path_exists(given, '$ ? (@ >= 0 && @ <= 4294967295 && @.floor() == @)') THEN
    wrong := 'It must be a whole number, and not negative.';
  ELSIF part LIKE '%Probe' AND jsonb_path_exists(given, 'strict $.**.exec') THEN
    wrong := 'A probe asks over the network (httpGet, tcpSocket or grpc) and runs no command.';
  ELSIF part = 'annotations' THEN
    -- A webhook that adds a container takes its image, its volumes (istio's userVolume may be a path of the node), its template or
    -- what it runs from the annotations of the pod.
    SELECT format('The annotation "%s" brings another image, model, volume or command.', left(k, 300)) INTO wrong FROM jsonb_object_keys(given) k
    WHERE k ~* '(image|user-?volume|volume-?mount|inject-command|inject\.istio\.io/templates)' OR starts_with(k, 'internal.serving.kserve.io/') LIMIT 1;
  ELSIF part = 'labels' THEN
    SELECT format('The label "%s" belongs to KServe: it brings another model.', left(k, 300)) INTO wrong FROM jsonb_object_keys(given) k
    WHERE starts_with(k, 'internal.serving.kserve.io/') LIMIT 1;
  ELSIF part = 'resources' AND (given - '{limits,requests,cpu,memory}'::text[] <> '{}' OR jsonb_path_exists(given, 'lax ($.keyvalue() ? (@.key == "limits" || @.key == "requests")).value ? (@.type() != "object")')) THEN
    wrong := 'It has limits and requests (of a NIMCache cpu and memory).';
  ELSIF part = 'expose' AND (given - '{service,ingress,router}'::text[] <> '{}'
         OR CASE WHEN jsonb_typeof(given -> 'router') = 'object' THEN (given -> 'router') - '{hostDomainName,annotations,ingress,gateway}'::text[] <> '{}'
                 ELSE given ? 'router' END) THEN
    -- eppConfig is a container with an image of its own.
    wrong := 'It has service, ingress and router, and a router hostDomainName, annotations, ingress and gateway.';
  ELSIF part = 'pvc' AND given - '{create,name,storageClass,size,volumeAccessMode,subPath,annotations}'::text[] <> '{}' THEN
    wrong := 'It has create, name, storageClass, size, volumeAccessMode, subPath and annotations.';
  ELSIF part = 'pvc' AND NOT coalesce(given -> 'create' = 'true', false) AND coalesce(given ->> 'name', '') = '' THEN
    wrong := 'It needs a name where it is not created.';
  ELSIF part = 'pvc' AND NOT image_library_internal.is_access_mode(given ->> 'volumeAccessMode') THEN
    wrong := 'volumeAccessMode is ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod.';
  END IF;
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid "%s" in overrides', place),
      detail => wrong);
  END IF;
  CASE
    WHEN part IN ('labels', 'nodeSelector') THEN PERFORM image_library_internal.check_labels(place, given);
    WHEN part = 'annotations' THEN PERFORM image_library_internal.check_labels(place, given, true);
    WHEN part = 'env' THEN PERFORM image_library_internal.check_env(given, reserved);
    WHEN part = 'resources' THEN
      PERFORM image_library_internal.kubernetes_quantity(q.key, q.value) FROM (
        SELECT * FROM jsonb_each_text(given - '{limits,requests}'::text[])
        UNION ALL SELECT * FROM jsonb_each_text(given -> 'limits') UNION ALL SELECT * FROM jsonb_each_text(given -> 'requests')) q
      WHERE q.value <> '0';
      SELECT r.key INTO wrong FROM jsonb_each_text(given -> 'requests') r JOIN jsonb_each_text(given -> 'limits') l USING (key)
      WHERE image_library_internal.quantity_value(r.value) > image_library_internal.quantity_value(l.value)
         OR key LIKE '%/%' AND image_library_internal.quantity_value(r.value) <> image_library_internal.quantity_value(l.value) LIMIT 1;
      IF FOUND THEN
        PERFORM image_library_internal.fail(
          errcode => 'invalid_parameter_value',
          message => format('invalid "%s" in overrides', place),
          detail => format('The request of %s is more than its limit, which Kubernetes would refuse.', wrong),
          hint => 'Override limits and requests together.');
      END IF;
    WHEN part = 'sharedMemorySizeLimit' THEN PERFORM image_library_internal.kubernetes_quantity(part, given #>> '{}');
    WHEN part = 'pvc' THEN PERFORM image_library_internal.kubernetes_quantity('size', given ->> 'size');
    WHEN part IN ('serviceAccountName', 'priorityClassName', 'runtimeClassName', 'schedulerName') THEN
      PERFORM image_library_internal.check_kubernetes_name(part, given #>> '{}', 'subdomain');
    ELSE NULL;
  END CASE;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_overridden IS
  'Raises 22023 if what a manifest has in a place after overrides would be refused, or would bring another image or model';

CREATE FUNCTION image_library_internal.overridden(manifest jsonb, overrides jsonb, reserved text[] DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  allowed text[] := image_library_internal.overridable(manifest ->> 'kind');
  place text;
  list jsonb;
  wrong text;
  merged jsonb;
  pinned jsonb := manifest;
  left_over jsonb;
BEGIN
  IF overrides IS NULL OR overrides = 'null' THEN
    RETURN manifest;
  END IF;
  IF jsonb_typeof(overrides) <> 'object' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('overrides must be a JSON object, not %s', jsonb_typeof(overrides)),
      hint => 'For example {"metadata": {"labels": {"team": "search"}}}.');
  END IF;
  IF octet_length(overrides::text) > 65536 THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('overrides are too large: %s bytes', octet_length(overrides::text)),
      hint => 'They may have up to 65536 bytes.');
  END IF;
  wrong := image_library_internal.override_beyond(overrides, allowed);
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('overrides may not change "%s" of the %s', left(wrong, 300), manifest ->> 'kind'),
      detail => format('They may change: %s.', array_to_string(allowed, ', ')),
      hint => 'Images, the model, the names and what runs are those of the approved image; the parameters of the function set them.');
  END IF;
  merged := image_library_internal.merge_patch(manifest, overrides);
  FOREACH place IN ARRAY allowed LOOP
    IF place ~ '\.volume(s|Mounts)$' THEN
      list := overrides #> string_to_array(place, '.');
      wrong := CASE WHEN jsonb_typeof(list) = 'array'
                    THEN image_library_internal.override_volumes_wrong(regexp_replace(place, '^.*\.', ''), list) END;
      -- What was made stays: above all the volume that is the model.
      IF wrong IS NOT NULL OR NOT coalesce(
           merged #> string_to_array(place, '.')
           @> jsonb_path_query_array(manifest #> string_to_array(place, '.'), '$[*] ? (exists(@.image) || @.mountPath starts with "/mnt/models")'), true)
         OR list = 'null' THEN
        PERFORM image_library_internal.fail(
          errcode => 'invalid_parameter_value',
          message => format('invalid "%s" in overrides%s', place, coalesce(': ' || wrong, '')),
          detail => 'A volume is an emptyDir, a persistentVolumeClaim, a configMap or a secret, mounted under /mnt (but for /mnt/models, where the model is), '
                   '/tmp, /cache, /data, /run, /dev/shm, /var/cache, /var/run, /var/tmp, /opt/nim/.cache, /root/.cache, /home/*/.cache, /etc/pki or /etc/ssl/certs. '
                   'The volumes of the manifest stay.');
      END IF;
    END IF;
    IF merged #> string_to_array(place, '.') IS NOT NULL THEN
      PERFORM image_library_internal.check_overridden(place, merged #> string_to_array(place, '.'), reserved);
    END IF;
  END LOOP;
  IF (merged #>> '{spec,predictor,minReplicas}')::numeric > (merged #>> '{spec,predictor,maxReplicas}')::numeric
     AND merged #>> '{spec,predictor,maxReplicas}' <> '0' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('minReplicas %s is more than maxReplicas %s', merged #>> '{spec,predictor,minReplicas}', merged #>> '{spec,predictor,maxReplicas}'));
  END IF;
  IF merged ->> 'kind' = 'NIMCache' AND merged #> '{spec,storage,pvc}' IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'overrides leave the NIMCache without storage',
      hint => 'Say {"spec": {"storage": {"pvc": {"create": false, "name": "..."}}}} to use a claim that is there.');
  END IF;
  IF merged #> '{spec,scale,enabled}' = 'true' AND (merged #> '{spec,replicas}' IS NOT NULL OR merged #> '{spec,scale,hpa}' IS NULL) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'a NIMService that scales has scale.hpa, and no replicas',
      hint => 'Say {"spec": {"replicas": null, "scale": {"enabled": true, "hpa": {"minReplicas": 1, "maxReplicas": 4}}}}.');
  END IF;
  -- Nothing outside those places may differ.
  left_over := merged;
  FOREACH place IN ARRAY allowed LOOP
    pinned := pinned #- string_to_array(place, '.');
    left_over := left_over #- string_to_array(place, '.');
  END LOOP;
  IF pinned <> left_over THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('overrides change what must stay of the %s', manifest ->> 'kind'));
  END IF;
  RETURN merged;
END
$$;
COMMENT ON FUNCTION image_library_internal.overridden IS
  'A manifest with overrides merged in; raises 22023 for an override outside overridable(), and for what Kubernetes would refuse';
-- Postgres images for those who run them: CloudNativePG's catalogs and EDB's image field.
-- Source: postgresql.cnpg.io/v1 ImageCatalog (CloudNativePG documentation, "Image Catalog"; what its webhook of 1.30 checks in
-- extensions of a Cluster), and the labels of the catalogs that CloudNativePG publishes.

CREATE FUNCTION image_library_internal.catalog_images(asked image_library_internal.postgres_request, catalog text)
RETURNS TABLE (major integer, pinned_reference text, image_variant text, image_os text, platforms text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.major_version, p.pinned_reference, p.variant, p.os,
         (SELECT l.platforms FROM image_library_internal.tag_platforms l WHERE l.repository_id = p.repository_id AND l.tag = p.tag)
  FROM image_library_internal.pick_postgres(asked, format(' for catalog "%s"', catalog)) p
  ORDER BY p.major_version DESC
$$;
COMMENT ON FUNCTION image_library_internal.catalog_images IS
  'Newest image of each major version that a request allows; raises P0002, 42P09';

-- Extension images of one name may come from several repositories; which one is meant is never guessed.
CREATE FUNCTION image_library_internal.catalog_extensions(major integer, os text, platforms text[], settings jsonb,
  extension_repositories text[])
RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $_$
DECLARE
  candidates image_library_internal.extension_choice[] := ARRAY(
    SELECT c FROM image_library_internal.extension_choices(major, os, platforms, extension_repositories) c);
  several record;
BEGIN
  SELECT c.name, string_agg(c.pinned_reference, ', ' ORDER BY c.pinned_reference COLLATE "C") AS images INTO several
  FROM unnest(candidates) c
  GROUP BY c.name HAVING count(*) > 1
  ORDER BY c.name COLLATE "C" LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'ambiguous_alias',
      message => format('extension "%s" for PostgreSQL %s on %s is ambiguous: there is more than one repository', several.name, major, os),
      detail => format('Candidates are %s.', several.images),
      hint => 'Name the repositories of extension images with extension_repositories =>, such as ''{ghcr.io/cloudnative-pg/*}''.');
  END IF;
  RETURN (SELECT jsonb_agg(jsonb_build_object('name', c.name, 'image', jsonb_build_object('reference', c.pinned_reference))
                           || coalesce(settings -> c.name, '{}') ORDER BY c.name COLLATE "C")
          FROM unnest(candidates) c);
END
$_$;
COMMENT ON FUNCTION image_library_internal.catalog_extensions IS
  'Newest approved image of every extension for a major version, an OS and one of the platforms, from repositories (patterns of host/repository; null: all); null: none; raises 42P09';

-- The operator joins a path with the folder of the image, so that it counts from there even with a leading slash.
CREATE FUNCTION image_library_internal.leaves_folder(path text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (
    SELECT FROM (SELECT sum(CASE p.part WHEN '..' THEN -1 ELSE 1 END) OVER (ORDER BY p.position) AS depth
                 FROM unnest(string_to_array(path, '/')) WITH ORDINALITY AS p (part, position) WHERE p.part NOT IN ('', '.')) d
    WHERE d.depth < 0)
$$;
COMMENT ON FUNCTION image_library_internal.leaves_folder IS 'Whether a path leads out of the folder that it is joined with';

CREATE FUNCTION image_library_internal.is_extension_env(name text, value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT name ~ '^[a-zA-Z_][a-zA-Z0-9_]*$' AND jsonb_typeof(value) = 'string' AND value <> '""'
         -- Reserved for the operator, or set through bin_path and ld_library_path.
         AND upper(name COLLATE "C") !~ '^(CNPG_|PG)' AND upper(name COLLATE "C") NOT IN ('POD_NAME', 'NAMESPACE', 'CLUSTER_NAME')
         AND name NOT IN ('PATH', 'LD_LIBRARY_PATH')
         -- The operator replaces only ${image_root}; an even number of dollars stands for half as many.
         AND NOT EXISTS (SELECT FROM regexp_matches(value #>> '{}', '(\$+)\{([^}]+)\}', 'g') m
                         WHERE length(m[1]) % 2 = 1 AND m[2] <> 'image_root')
$$;
COMMENT ON FUNCTION image_library_internal.is_extension_env IS
  'Whether CloudNativePG accepts a variable of an extension: not reserved, with a value whose only placeholder is ${image_root}';

-- Paths and environment that an extension needs are in no annotation.
CREATE FUNCTION image_library_internal.extension_settings(settings jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $_$
DECLARE
  paths text[] := '{extension_control_path,dynamic_library_path,ld_library_path,bin_path}';
  wrong text;
BEGIN
  IF jsonb_typeof(settings) = 'object' THEN
    SELECT x.key INTO wrong FROM jsonb_each(settings) x
    WHERE CASE WHEN jsonb_typeof(x.value) <> 'object' THEN true
               WHEN x.value - paths - 'env' <> '{}'
                 OR jsonb_path_exists(x.value - 'env', 'strict $.* ? (@.type() != "array")')
                 OR jsonb_path_exists(x.value - 'env', 'lax $.*[*] ? (@.type() != "string" || @ == "")')
                 OR jsonb_typeof(x.value -> 'env') <> 'object' THEN true
               ELSE EXISTS (SELECT FROM jsonb_each(x.value - 'env') l
                            WHERE (SELECT count(*) <> count(DISTINCT p.path) OR bool_or(image_library_internal.leaves_folder(p.path))
                                   FROM jsonb_array_elements_text(l.value) AS p (path)))
                 OR EXISTS (SELECT FROM jsonb_each(x.value -> 'env') v WHERE NOT image_library_internal.is_extension_env(v.key, v.value)) END
    ORDER BY x.key COLLATE "C" LIMIT 1;
  ELSE
    wrong := jsonb_typeof(settings);
  END IF;
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid extension_settings: "%s"', left(wrong, 300)),
      detail => 'Each extension may have extension_control_path, dynamic_library_path, ld_library_path and bin_path, lists of different folders '
               'inside the image, and env, names with values in which ${image_root} is the folder of the image. CloudNativePG reserves PG*, CNPG_*, '
               'POD_NAME, NAMESPACE and CLUSTER_NAME; PATH and LD_LIBRARY_PATH are bin_path and ld_library_path.',
      hint => 'For example {"postgis": {"ld_library_path": ["system"], "env": {"PROJ_DATA": "${image_root}/share/proj"}}}.');
  END IF;
  RETURN (SELECT coalesce(jsonb_object_agg(x.key, x.value - 'env' || jsonb_strip_nulls(jsonb_build_object('env',
            (SELECT jsonb_agg(jsonb_build_object('name', v.key, 'value', v.value) ORDER BY v.key COLLATE "C")
             FROM jsonb_each(x.value -> 'env') v)))), '{}')
          FROM jsonb_each(settings) x);
END
$_$;
COMMENT ON FUNCTION image_library_internal.extension_settings IS
  'Settings of extensions as fields of a catalog; raises 22023 for what CloudNativePG would refuse';

CREATE FUNCTION image_library_internal.component_images(components jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF jsonb_typeof(components) <> 'object'
     OR EXISTS (SELECT FROM jsonb_each(CASE jsonb_typeof(components) WHEN 'object' THEN components END) c
                WHERE jsonb_typeof(c.value) <> 'string' OR c.key !~ '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid component_images: "%s"', left(components::text, 300)),
      detail => 'It is an object of references by key. A key has up to 63 lower-case letters, digits and dashes.',
      hint => 'For example {"pgbouncer": "ghcr.io/cloudnative-pg/pgbouncer:1.25.1"}.');
  END IF;
  IF (SELECT count(*) > 32 FROM jsonb_object_keys(components)) THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => 'a catalog has at most 32 component images');
  END IF;
  RETURN (SELECT jsonb_agg(jsonb_build_object('key', c.key, 'image', image_library.resolve(c.value)) ORDER BY c.key COLLATE "C")
          FROM jsonb_each_text(components) c);
END
$$;
COMMENT ON FUNCTION image_library_internal.component_images IS
  'componentImages of a catalog, approved and pinned by digest; null: none. Raises 22023 for what CloudNativePG would refuse, and the errors of resolve';

-- The labels by which CloudNativePG's own catalogs are selected. A label that is not the same for all images is left out,
-- and so is the date, which would make other bytes of an equal library.
CREATE FUNCTION image_library_internal.catalog_labels(flavor text, variants text[], systems text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_object_agg('images.cnpg.io/' || l.name, l.value) FILTER (WHERE l.value <> '' AND image_library_internal.is_label_value(l.value))
  FROM (VALUES ('family', flavor), ('publisher', 'image_library'),
               ('type', CASE WHEN variants[1] = ALL (variants) THEN variants[1] END),
               ('os', CASE WHEN systems[1] = ALL (systems) THEN systems[1] END)) l (name, value)
$$;
COMMENT ON FUNCTION image_library_internal.catalog_labels IS
  'Labels images.cnpg.io/* of a catalog: family, publisher, and type and OS where all images have the same';

CREATE FUNCTION image_library.cnpg_image_catalog(name text, namespace text DEFAULT NULL,
  flavor text DEFAULT NULL, variant text DEFAULT NULL, os text DEFAULT NULL, repository text DEFAULT NULL,
  extension_settings jsonb DEFAULT '{}', registry text DEFAULT NULL, channel text DEFAULT NULL,
  extension_repositories text[] DEFAULT NULL, majors integer[] DEFAULT NULL, component_images jsonb DEFAULT NULL,
  overrides jsonb DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  settings jsonb := image_library_internal.extension_settings(coalesce(extension_settings, '{}'));
  metadata jsonb := image_library_internal.kubernetes_metadata(name, namespace, 'subdomain');
  components jsonb := image_library_internal.component_images(component_images);
  asked image_library_internal.postgres_request := image_library_internal.new_postgres_request(
    CASE WHEN channel IS NULL THEN coalesce(flavor, 'postgresql') ELSE flavor END, NULL, variant, os, registry, repository, channel, NULL);
  image record;
  images jsonb := '[]';
  lacking text;
  variants text[];
  systems text[];
BEGIN
  -- The operator takes no older ones.
  asked.first_major := 10;
  asked.majors := majors;
  FOR image IN
    SELECT c.* FROM image_library_internal.catalog_images(asked, name) c ORDER BY c.major
  LOOP
    variants := variants || coalesce(image.image_variant, '');
    systems := systems || coalesce(image.image_os, '');
    images := images || jsonb_strip_nulls(jsonb_build_object(
      'major', image.major,
      'image', image.pinned_reference,
      -- Extension images are built for community PostgreSQL, and can be mounted from version 18 on.
      'extensions', CASE WHEN image.major >= 18 AND asked.flavor = 'postgresql'
                         THEN image_library_internal.catalog_extensions(image.major, image.image_os, image.platforms, settings,
                                                                        extension_repositories) END));
  END LOOP;
  IF majors <> '{}' THEN
    SELECT string_agg(m::text, ', ' ORDER BY m) INTO lacking
    FROM (SELECT unnest(majors) EXCEPT SELECT (i ->> 'major')::integer FROM jsonb_array_elements(images) i) l (m);
    IF lacking IS NOT NULL THEN
      RAISE NOTICE USING
        MESSAGE = format('catalog "%s" lacks major versions that were asked for: %s', name, lacking),
        DETAIL = 'No approved image of them is as asked for. A cluster that refers to the catalog needs its major version there.',
        HINT = 'See image_library.postgres_images and image_library.pending_images.';
    END IF;
  END IF;
  IF jsonb_array_length(images) > 8 THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('catalog "%s" would have %s major versions', name, jsonb_array_length(images)),
      detail => format('CloudNativePG allows 8 in a catalog, and there are: %s.',
                      (SELECT string_agg(i ->> 'major', ', ') FROM jsonb_array_elements(images) i)),
      hint => 'Say majors => those that the catalog should have.');
  END IF;
  RETURN image_library_internal.overridden(jsonb_build_object(
    'apiVersion', 'postgresql.cnpg.io/v1',
    'kind', CASE WHEN namespace IS NULL THEN 'ClusterImageCatalog' ELSE 'ImageCatalog' END,
    'metadata', metadata || jsonb_build_object('labels', image_library_internal.catalog_labels(asked.flavor, variants, systems)),
    'spec', jsonb_strip_nulls(jsonb_build_object('images', images, 'componentImages', components))), overrides);
END
$$;
COMMENT ON FUNCTION image_library.cnpg_image_catalog IS
  'CloudNativePG ClusterImageCatalog, or ImageCatalog with a namespace: the newest approved image of each major version (of majors; at most 8), pinned by digest; for 18 and later with the approved extension images of the same major version and OS. flavor (postgresql, unless the channel has another), variant ('''': none), os, registry and repository, or a channel, limit the choice; if several repositories, variants or systems are left, the catalog is ambiguous (42P09). extension_settings: paths and environment by extension; extension_repositories: patterns of host/repository of extension images. component_images: references by key, for a Pooler (CloudNativePG 1.29.2 and later). overrides: labels and annotations, merged in last';
GRANT EXECUTE ON FUNCTION image_library.cnpg_image_catalog TO image_library_reader;

CREATE FUNCTION image_library.edb_image(reference text, registry text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('url', p.reference, 'digest', p.digest)
  FROM image_library_internal.approved_postgres(reference, registry) p
$$;
COMMENT ON FUNCTION image_library.edb_image IS
  'The image field of an EDB Postgres AI cluster, {"url": "host/repository:tag", "digest": "sha256:..."}, for an approved image';
GRANT EXECUTE ON FUNCTION image_library.edb_image TO image_library_reader;
-- Models for those who serve them: KServe's runtimes and services.
-- Source: serving.kserve.io v1alpha1 ServingRuntime and v1beta1 InferenceService (KServe documentation,
-- "Serving Runtimes", "Serving Models with OCI Images", and what its webhooks and controller of 0.20 check), EDB Postgres AI,
-- "Configure a ServingRuntime".

CREATE FUNCTION image_library_internal.model_title(model image_library.model_library) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(nullif(model.model, ''), regexp_replace(model.repository, '^.*/', '')) $$;
COMMENT ON FUNCTION image_library_internal.model_title IS
  'Name of a model, or the last part of the repository if no metadata gives one';

-- The repository that had the name first keeps it. Models of other private registries are not considered.
CREATE FUNCTION image_library_internal.model_name(model image_library.model_library) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.model_title(model) || CASE WHEN EXISTS (
    SELECT FROM image_library_internal.registry own
    JOIN image_library_internal.repository mine ON mine.registry_id = own.registry_id AND mine.name = model_name.model.repository
    JOIN image_library_internal.entry older ON older.repository_id < mine.repository_id
    JOIN image_library_internal.registry g ON g.registry_id = older.registry_id
    WHERE own.name = model_name.model.registry
      AND older.kind = 'model' AND image_library_internal.name_key(older.model) = image_library_internal.name_key(image_library_internal.model_title(model_name.model))
      AND (NOT g.private OR g.registry_id = own.registry_id))
    THEN '-' || left(md5(image_library_internal.untagged(model.reference)), 6) ELSE '' END
$$;
COMMENT ON FUNCTION image_library_internal.model_name IS
  'Name of a model, with a hash of its repository if an older repository has a model with that name';

-- 1.10.1 and 1.10.1-rtx are two images of one version; the tag latest contains no version.
CREATE FUNCTION image_library_internal.model_release(model image_library.model_library) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN coalesce(strpos(model.tag, nullif(model.model_version, '')), 1) > 0 THEN model.tag
              ELSE model.model_version END
$$;
COMMENT ON FUNCTION image_library_internal.model_release IS
  'What distinguishes the images of a model: the tag, or the version if the tag does not contain it';

CREATE FUNCTION image_library_internal.require_nim(model image_library.model_library, wanted text, instead text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF model.format IS DISTINCT FROM 'nim' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('%s needs a NIM, and "%s" is not one', wanted, model.reference),
      detail => format('Its format is %s: it holds a model, and no server.', coalesce(model.format, 'unknown')),
      hint => instead);
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_nim IS
  'Raises 22023 unless a model is packaged as NVIDIA NIM';

-- A modelFormat connects a runtime with its services: that of a NIM is its own, a server supports every model of a
-- format. KServe refuses a second runtime with the same format, version and priority.
CREATE FUNCTION image_library_internal.model_format(model image_library.model_library) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE model.format WHEN 'nim' THEN 'nvidia-nim-' || regexp_replace(image_library_internal.model_name(model), '[^A-Za-z0-9._-]+', '-', 'g')
                           ELSE coalesce(model.format, 'model') END
$$;
COMMENT ON FUNCTION image_library_internal.model_format IS 'Name of the modelFormat of a model';

CREATE FUNCTION image_library_internal.nim_runtime_name(model image_library.model_library) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.kubernetes_name(
    'nvidia-nim-' || image_library_internal.model_name(model) || '-' || image_library_internal.model_release(model))
$$;
COMMENT ON FUNCTION image_library_internal.nim_runtime_name IS 'Default name of the runtime of a NIM';

CREATE FUNCTION image_library_internal.ngc_env(ngc_secret text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- Without network access the model is in the image's cache, and no key is needed.
  SELECT CASE WHEN ngc_secret IS NULL THEN '{}'::jsonb ELSE
    jsonb_build_object('NGC_API_KEY', jsonb_build_object('secretKeyRef', jsonb_build_object(
      'name', image_library_internal.check_kubernetes_name('NGC secret', ngc_secret, 'subdomain'), 'key', 'NGC_API_KEY'))) END
$$;
COMMENT ON FUNCTION image_library_internal.ngc_env IS
  'NGC_API_KEY from a Secret, in the form that kubernetes_env takes; null: none';

CREATE FUNCTION image_library_internal.kserve_protocols(versions text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM unnest(versions) v WHERE v IS NULL OR v NOT IN ('v1', 'v2', 'grpc-v1', 'grpc-v2')) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown protocol version in "%s"', left(versions::text, 300)),
      hint => 'KServe knows v1, v2, grpc-v1 and grpc-v2.');
  END IF;
  RETURN nullif(to_jsonb(versions), '[]');
END
$$;
COMMENT ON FUNCTION image_library_internal.kserve_protocols IS
  'Protocol versions as JSON; null when there are none; raises 22023 for one that KServe does not know';

-- A Deployment's pods have the label isvc.NAME-predictor, and the host name begins with NAME-predictor-NAMESPACE: 63 at most each.
CREATE FUNCTION image_library_internal.inference_service_room(namespace text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  room integer := least(48, 52 - coalesce(length(namespace), 0));
BEGIN
  IF room < 8 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('namespace "%s" is too long for an InferenceService', left(namespace, 300)),
      detail => 'KServe makes host names of up to 63 characters from the name of the service and its namespace.',
      hint => 'Use a namespace of up to 44 characters.');
  END IF;
  RETURN room;
END
$$;
COMMENT ON FUNCTION image_library_internal.inference_service_room IS
  'Longest name of an InferenceService in a namespace; raises 22023 if the namespace leaves none';

CREATE FUNCTION image_library.kserve_serving_runtime(reference text, name text DEFAULT NULL,
  namespace text DEFAULT NULL, server text DEFAULT NULL, gpu_count integer DEFAULT NULL,
  image_pull_secrets text[] DEFAULT '{}', ngc_secret text DEFAULT 'nvidia-nim-secrets',
  cpu text DEFAULT '12', memory text DEFAULT '64Gi', shm_size text DEFAULT '16Gi', port integer DEFAULT NULL,
  args text[] DEFAULT '{}', env jsonb DEFAULT '{}', protocol_versions text[] DEFAULT '{v2,grpc-v2}',
  priority integer DEFAULT 1, overrides jsonb DEFAULT NULL, registry text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.approved_model(reference, registry);
  is_nim boolean := coalesce(model.format = 'nim', false);
  image text := model.pinned_reference;
  given_env jsonb := coalesce(env, '{}');
  runtime_name text;
BEGIN
  IF server IS NOT NULL THEN
    -- Its service would not find the runtime: it names that of the NIM.
    IF is_nim THEN
      PERFORM image_library_internal.fail(
        errcode => 'invalid_parameter_value',
        message => format('"%s" is a NIM, which includes its server', model.reference),
        hint => 'Leave server out.');
    END IF;
    image := image_library.resolve(server);
    runtime_name := image_library_internal.kubernetes_name(
      image_library_internal.model_format(model) || '-' || regexp_replace(image_library_internal.untagged(image), '^.*/', ''));
  ELSE
    PERFORM image_library_internal.require_nim(model, 'a serving runtime without server', 'Say server => the reference of an approved image that serves this format.');
    runtime_name := image_library_internal.nim_runtime_name(model);
  END IF;
  IF is_nim THEN
    IF jsonb_typeof(given_env) = 'object' THEN
      given_env := '{"NIM_CACHE_PATH": "/tmp"}' || image_library_internal.ngc_env(ngc_secret) || given_env;
    END IF;
  END IF;
  port := image_library_internal.check_range('port', coalesce(port, CASE WHEN is_nim THEN 8000 ELSE 8080 END), 1, 65535);
  RETURN image_library_internal.overridden(jsonb_build_object(
    'apiVersion', 'serving.kserve.io/v1alpha1',
    'kind', CASE WHEN namespace IS NULL THEN 'ClusterServingRuntime' ELSE 'ServingRuntime' END,
    'metadata', image_library_internal.kubernetes_metadata(coalesce(name, runtime_name), namespace, 'subdomain'),
    'spec', jsonb_strip_nulls(jsonb_build_object(
      'annotations', jsonb_build_object('prometheus.kserve.io/path', CASE WHEN is_nim THEN '/v1/metrics' ELSE '/metrics' END,
                                        'prometheus.kserve.io/port', port::text),
      'containers', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
        'name', 'kserve-container',
        'image', image,
        'args', image_library_internal.kubernetes_args(args),
        'env', image_library_internal.kubernetes_env(given_env, image_library_internal.kserve_reserved_env()),
        'ports', jsonb_build_array(jsonb_build_object('containerPort', port, 'protocol', 'TCP')),
        'resources', nullif(image_library_internal.kubernetes_resources(cpu, memory, gpu_count), '{}'),
        'volumeMounts', CASE WHEN shm_size IS NOT NULL
                             THEN '[{"name": "dshm", "mountPath": "/dev/shm"}]'::jsonb END))),
      'imagePullSecrets', image_library_internal.kubernetes_pull_secrets(image_pull_secrets),
      'protocolVersions', image_library_internal.kserve_protocols(protocol_versions),
      'supportedModelFormats', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
        'name', image_library_internal.model_format(model),
        'version', CASE WHEN is_nim THEN image_library_internal.model_release(model) END,
        'autoSelect', true,
        'priority', image_library_internal.check_range('priority', priority, 1, 1000000)))),
      'volumes', CASE WHEN shm_size IS NOT NULL THEN jsonb_build_array(jsonb_build_object(
        'name', 'dshm', 'emptyDir', jsonb_build_object(
          'medium', 'Memory', 'sizeLimit', image_library_internal.kubernetes_quantity('shm_size', shm_size)))) END))),
    overrides, image_library_internal.kserve_reserved_env());
END
$$;
COMMENT ON FUNCTION image_library.kserve_serving_runtime IS
  'KServe ClusterServingRuntime, or ServingRuntime with a namespace, for an approved model, pinned by digest. A NIM includes its server; for other formats server is the reference of an approved server image. env: {"NAME": "value"}, or an object for valueFrom; it overrides the defaults. ngc_secret: null if the model needs no key. priority: KServe refuses two servers of a format with the same priority. overrides: labels, annotations and other places that doc/model-serving.md lists, merged in last (lists are replaced, env, volumes and volumeMounts merged)';
GRANT EXECUTE ON FUNCTION image_library.kserve_serving_runtime TO image_library_reader;

-- What a format holds decides how it can be read. KServe's oci:// runs the image beside the server, oci+native:// mounts it and
-- oci+fetch:// downloads it, and all take the folder /models, which only an ordinary image has. Other artifacts have no root
-- filesystem: CRI-O mounts their layers as files, by the name in org.opencontainers.image.title or org.cncf.model.filepath, and
-- containerd mounts none. KitOps packs archives without names, which only its own storage initializer reads.
CREATE FUNCTION image_library_internal.model_storage(model image_library.model_library, storage text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model_format text := coalesce(model.format, 'unknown');
  chosen text := coalesce(storage, CASE model_format WHEN 'modelcar' THEN 'oci' WHEN 'kitops' THEN 'kit' ELSE 'oci+native' END);
  problem text;
BEGIN
  IF chosen NOT IN ('oci', 'oci+modelcar', 'oci+native', 'oci+fetch', 'kit') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown storage "%s"', left(chosen, 300)),
      hint => 'It is oci (as KServe is configured), oci+modelcar (beside the server), oci+native (an image volume of the node), oci+fetch (downloaded), or kit (KitOps).');
  END IF;
  problem := CASE
    WHEN model_format = 'modelcar' THEN
      CASE chosen WHEN 'kit' THEN 'It is an ordinary image, and no ModelKit.' END
    WHEN chosen IN ('oci', 'oci+modelcar', 'oci+fetch') THEN
      'KServe reads the folder /models of an ordinary image this way, and this artifact has no files of an image.'
    WHEN chosen = 'kit' AND model_format NOT IN ('kitops', 'modelpack') THEN 'The KitOps storage initializer reads ModelKits and ModelPack.'
    WHEN chosen = 'oci+native' AND model_format IN ('kitops', 'ollama') THEN
      'A node mounts a layer as a file by the name in its annotations, and layers of this format have none.' END;
  IF problem IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('"%s" cannot be read by storage "%s"', model.reference, chosen),
      detail => format('Its format is %s. %s', model_format, problem),
      hint => CASE model_format WHEN 'modelcar' THEN 'Say storage => ''oci''.'
                         WHEN 'kitops' THEN 'Say storage => ''kit'', and install the ClusterStorageContainer of KitOps.'
                         WHEN 'ollama' THEN 'Serve it with Ollama, or approve the model in another format.'
                         ELSE 'Say storage => ''oci+native'', for nodes that mount artifacts (CRI-O 1.33 and later).' END);
  END IF;
  RETURN chosen;
END
$$;
COMMENT ON FUNCTION image_library_internal.model_storage IS
  'The given way to read a model, or that of its format; raises 22023 if the model cannot be read by it';

CREATE FUNCTION image_library.kserve_inference_service(reference text, name text DEFAULT NULL,
  namespace text DEFAULT NULL, runtime text DEFAULT NULL, gpu_count integer DEFAULT NULL,
  image_pull_secrets text[] DEFAULT '{}', cpu text DEFAULT NULL, memory text DEFAULT NULL,
  args text[] DEFAULT '{}', env jsonb DEFAULT '{}', storage text DEFAULT NULL, model_format text DEFAULT NULL,
  min_replicas integer DEFAULT NULL, max_replicas integer DEFAULT NULL,
  node_selector jsonb DEFAULT '{"nvidia.com/gpu": "true"}', protocol_version text DEFAULT NULL,
  overrides jsonb DEFAULT NULL, registry text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.approved_model(reference, registry);
  is_nim boolean := coalesce(model.format = 'nim', false);
  gpus integer := coalesce(gpu_count, model.gpu_count, CASE WHEN is_nim THEN 1 ELSE 0 END);
  room integer := image_library_internal.inference_service_room(namespace);
  service_name text := coalesce(name, image_library_internal.kubernetes_name(
    image_library_internal.model_name(model) || CASE WHEN gpus > 0 THEN format('-%sxgpu', gpus) ELSE '' END,
    -- Without a namespace it goes into the current one of kubectl, which often is "default".
    least(room, image_library_internal.inference_service_room(coalesce(namespace, 'default')))));
  runtime_name text := coalesce(runtime, CASE WHEN is_nim THEN image_library_internal.nim_runtime_name(model) END);
  storage_kind text := CASE WHEN NOT is_nim THEN image_library_internal.model_storage(model, storage) END;
  -- KServe's oci+native:// mounts the folder /models. An artifact that is no image has none, and is mounted whole.
  mounted boolean := coalesce(storage_kind = 'oci+native' AND model.format IS DISTINCT FROM 'modelcar', false);
BEGIN
  IF runtime_name IS NOT NULL THEN
    PERFORM image_library_internal.check_kubernetes_name('runtime', runtime_name, 'subdomain');
  END IF;
  IF is_nim AND storage IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('"%s" is a NIM, which brings its model', model.reference),
      hint => 'Leave storage out.');
  END IF;
  IF image_library_internal.check_range('min_replicas', min_replicas, 0, 1000)
     > image_library_internal.check_range('max_replicas', max_replicas, 1, 1000) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('min_replicas %s is more than max_replicas %s', min_replicas, max_replicas));
  END IF;
  PERFORM image_library_internal.kserve_protocols(array_remove(ARRAY[protocol_version], NULL));
  RETURN image_library_internal.overridden(jsonb_build_object(
    'apiVersion', 'serving.kserve.io/v1beta1',
    'kind', 'InferenceService',
    'metadata', image_library_internal.kubernetes_metadata(service_name, namespace, 'service', room, 'KServe') || CASE WHEN is_nim THEN
      '{"annotations": {"serving.kserve.io/enable-prometheus-scraping": "true",
                        "prometheus.kserve.io/port": "8000", "prometheus.kserve.io/path": "/v1/metrics"}}'::jsonb
      ELSE '{}' END,
    'spec', jsonb_build_object('predictor', jsonb_strip_nulls(jsonb_build_object(
      'minReplicas', min_replicas,
      'maxReplicas', max_replicas,
      'imagePullSecrets', image_library_internal.kubernetes_pull_secrets(image_pull_secrets),
      'volumes', CASE WHEN mounted THEN jsonb_build_array(jsonb_build_object('name', 'model', 'image',
        jsonb_build_object('reference', model.pinned_reference, 'pullPolicy', 'IfNotPresent'))) END,
      'model', jsonb_strip_nulls(jsonb_build_object(
        'modelFormat', jsonb_strip_nulls(jsonb_build_object(
          'name', coalesce(model_format, image_library_internal.model_format(model)),
          'version', CASE WHEN is_nim AND model_format IS NULL THEN image_library_internal.model_release(model) END)),
        'runtime', runtime_name,
        -- KServe chooses a runtime that has the protocol, and assumes v1, which kserve_serving_runtime does not declare.
        'protocolVersion', coalesce(protocol_version, CASE WHEN runtime_name IS NULL AND model_format IS NULL THEN 'v2' END),
        'storageUri', CASE WHEN NOT mounted THEN storage_kind || '://' || model.pinned_reference END,
        -- Without a storage KServe takes the service for a server of many models, and adds its agent.
        'storage', CASE WHEN is_nim OR mounted THEN '{}'::jsonb END,
        'volumeMounts', CASE WHEN mounted THEN '[{"name": "model", "mountPath": "/mnt/models", "readOnly": true}]'::jsonb END,
        'args', image_library_internal.kubernetes_args(args),
        'env', image_library_internal.kubernetes_env(coalesce(env, '{}'), image_library_internal.kserve_reserved_env()),
        'resources', nullif(image_library_internal.kubernetes_resources(cpu, memory, gpus), '{}')))))
      || image_library_internal.gpu_placement(gpus, node_selector))),
    overrides, image_library_internal.kserve_reserved_env());
END
$$;
COMMENT ON FUNCTION image_library.kserve_inference_service IS
  'KServe InferenceService for an approved model. A NIM runs on the runtime that kserve_serving_runtime generates for it; a model of another format is read by storage, pinned by digest: from storageUri oci:// for a modelcar and kit:// for KitOps, else from an image volume at /mnt/models (oci+native; the nodes must mount artifacts). gpu_count: default is that of the image, else 1 for a NIM. protocol_version: default v2 for a runtime of kserve_serving_runtime. overrides: labels, annotations and other places that doc/model-serving.md lists, merged in last (lists are replaced, env, volumes and volumeMounts merged)';
GRANT EXECUTE ON FUNCTION image_library.kserve_inference_service TO image_library_reader;
-- NVIDIA NIM Operator: services and caches.
-- Source: apps.nvidia.com/v1alpha1 NIMService and NIMCache (NVIDIA NIM Operator documentation, and what its webhooks and
-- controllers of 3.1 check, derive and match).

CREATE FUNCTION image_library_internal.nim(reference text, wanted text, in_registry text) RETURNS image_library.model_library
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.approved_model(reference, in_registry);
BEGIN
  PERFORM image_library_internal.require_nim(model, wanted, 'Serve it with image_library.kserve_inference_service, or choose a model with format nim of image_library.model_library.');
  RETURN model;
END
$$;
COMMENT ON FUNCTION image_library_internal.nim IS 'An approved NIM; raises 22023 if it is not one';

-- Of the name the operator makes the names of a container, -ctr, and of a Job, -job, whose pods have it as a label.
CREATE FUNCTION image_library_internal.nim_name(model image_library.model_library, room integer DEFAULT 59) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.kubernetes_name(image_library_internal.model_name(model) || '-' || image_library_internal.model_release(model), room)
$$;
COMMENT ON FUNCTION image_library_internal.nim_name IS
  'Name of a NIMService, short enough for the suffixes that the operator adds';

-- The spec of a NIMCache is immutable, and its model puller is the image: another digest is another cache.
CREATE FUNCTION image_library_internal.nim_cache_name(model image_library.model_library) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.nim_name(model, 50) || '-' || left(split_part(model.digest, ':', 2), 8)
$$;
COMMENT ON FUNCTION image_library_internal.nim_cache_name IS
  'Name of the NIMCache of an image, with the beginning of its digest';

-- The operator takes a profile whose gpu tag contains the given text, case aside. A node label is longer than the tag.
CREATE FUNCTION image_library_internal.gpu_product(model image_library.model_library, gpu text) RETURNS text
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  given text := lower(trim(gpu) COLLATE "C");
  tags text[] := ARRAY(SELECT DISTINCT lower(p.gpu COLLATE "C") FROM image_library.model_profiles p
                       WHERE p.registry = model.registry AND p.repository = model.repository AND p.digest = model.digest AND p.gpu <> '');
  product text;
BEGIN
  IF EXISTS (SELECT FROM unnest(tags) t WHERE strpos(t, given) > 0) AND given <> '' THEN
    RETURN given;
  END IF;
  SELECT t INTO product FROM unnest(tags) t WHERE image_library_internal.is_gpu(given, t)
  ORDER BY length(t) DESC, t COLLATE "C" LIMIT 1;
  -- Without profiles the type is the first part with letters and digits: h100 of NVIDIA-H100-80GB-HBM3.
  product := coalesce(product, (regexp_match(given, '(?:^|[^a-z0-9])([a-z]{1,3}[0-9]{1,4}[a-z]{0,2})(?:[^a-z0-9]|$)'))[1],
                      CASE WHEN given ~ '^[a-z0-9_]*[0-9][a-z0-9_]*$' THEN given END);
  IF product IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('cannot tell the type of GPU "%s"', left(gpu, 300)),
      detail => 'The NIM Operator takes the profiles whose tag gpu contains the given text.',
      hint => coalesce('This model has profiles for ' || nullif(array_to_string(tags, ', '), '') || '.', 'Name it as profiles do: h100, a100, l40s ...'));
  END IF;
  IF tags <> '{}' AND NOT EXISTS (SELECT FROM unnest(tags) t WHERE strpos(t, product) > 0) THEN
    RAISE NOTICE USING
      MESSAGE = format('no known profile of "%s" is for GPU "%s"', model.reference, product),
      DETAIL = format('The known profiles are for %s. Without one the operator caches nothing.', array_to_string(tags, ', ')),
      HINT = 'Leave gpu out to cache profiles that run on any GPU.';
  END IF;
  RETURN product;
END
$$;
COMMENT ON FUNCTION image_library_internal.gpu_product IS
  'GPU type in the words of profiles, for a type or a node label nvidia.com/gpu.product; raises 22023 if none can be told';

-- gpu_count counts the GPUs of a profile, tp times pp; the operator selects by tp alone.
CREATE FUNCTION image_library_internal.tensor_parallelism(model image_library.model_library, product text, gpu_count integer) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(CASE WHEN min(p.tp) = max(p.tp) THEN min(p.tp) END, image_library_internal.check_range('gpu_count', tensor_parallelism.gpu_count, 1, 4096))
  FROM image_library.model_profiles p
  WHERE p.registry = model.registry AND p.repository = model.repository AND p.digest = model.digest AND p.gpu_count = tensor_parallelism.gpu_count
    AND (product IS NULL OR strpos(lower(p.gpu COLLATE "C"), product) > 0)
$$;
COMMENT ON FUNCTION image_library_internal.tensor_parallelism IS
  'Tensor parallelism of the profiles that need a number of GPUs, that number if no profile tells; raises 22023 if it is out of range';

CREATE FUNCTION image_library.nim_cache(reference text, name text DEFAULT NULL, namespace text DEFAULT NULL,
  ngc_secret text DEFAULT 'nvidia-nim-secrets', image_pull_secret text DEFAULT NULL,
  storage_class text DEFAULT NULL, storage_size text DEFAULT '50Gi', access_mode text DEFAULT 'ReadWriteMany',
  profiles text[] DEFAULT '{}', gpu text DEFAULT NULL, gpu_count integer DEFAULT NULL,
  engine text DEFAULT NULL, "precision" text DEFAULT NULL, qos text DEFAULT NULL, overrides jsonb DEFAULT NULL,
  registry text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.nim(reference, 'a NIMCache', registry);
  product text := image_library_internal.gpu_product(model, gpu);
  cache_name text := coalesce(name, image_library_internal.nim_cache_name(model));
  selection jsonb := jsonb_strip_nulls(jsonb_build_object(
    'gpus', CASE WHEN gpu IS NOT NULL THEN jsonb_build_array(jsonb_build_object('product', product)) END,
    'tensorParallelism', image_library_internal.tensor_parallelism(model, product, gpu_count)::text,
    'engine', engine, 'precision', "precision", 'qosProfile', qos));
BEGIN
  IF cardinality(profiles) > 0 THEN
    IF selection <> '{}' THEN
      PERFORM image_library_internal.fail(
        errcode => 'invalid_parameter_value',
        message => 'profiles and what selects a profile exclude each other',
        hint => 'Name profiles, or say gpu, gpu_count, engine, precision and qos.');
    END IF;
    IF 'all' = ANY (profiles) AND cardinality(profiles) > 1 THEN
      PERFORM image_library_internal.fail(
        errcode => 'invalid_parameter_value',
        message => 'profiles names others beside "all"',
        hint => 'Name "all" alone, or the profiles.');
    END IF;
    selection := jsonb_build_object('profiles', image_library_internal.kubernetes_args(profiles));
  END IF;
  IF qos NOT IN ('latency', 'throughput') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown qos "%s"', left(qos, 300)),
      hint => 'It is latency or throughput.');
  END IF;
  IF NOT image_library_internal.is_access_mode(coalesce(access_mode, '')) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown access_mode "%s"', left(coalesce(access_mode, 'null'), 300)),
      hint => 'It is ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod.');
  END IF;
  IF selection = '{}' THEN
    RAISE NOTICE USING
      MESSAGE = format('NIMCache "%s" takes all profiles', cache_name),
      DETAIL = 'Nothing selects profiles. The operator then caches all profiles of the image, or those for any GPU of the cluster if the image tells.',
      HINT = 'Say gpu => and gpu_count =>, or name profiles; profiles => ''{all}'' asks for all.';
  END IF;
  RETURN image_library_internal.overridden(jsonb_build_object(
    'apiVersion', 'apps.nvidia.com/v1alpha1',
    'kind', 'NIMCache',
    'metadata', image_library_internal.kubernetes_metadata(cache_name, namespace, 'service', 59, 'the NIM Operator'),
    'spec', jsonb_build_object(
      'source', jsonb_build_object('ngc', jsonb_strip_nulls(jsonb_build_object(
        'modelPuller', model.pinned_reference,
        'authSecret', image_library_internal.check_kubernetes_name('NGC secret', ngc_secret, 'subdomain'),
        'pullSecret', CASE WHEN image_pull_secret IS NOT NULL
          THEN image_library_internal.check_kubernetes_name('image pull secret', image_pull_secret, 'subdomain') END,
        'model', nullif(selection, '{}')))),
      'storage', jsonb_build_object('pvc', jsonb_strip_nulls(jsonb_build_object(
        'create', true,
        'size', image_library_internal.kubernetes_quantity('storage_size', storage_size),
        'storageClass', CASE WHEN storage_class IS NOT NULL
          THEN image_library_internal.check_kubernetes_name('storage class', storage_class, 'subdomain') END,
        'volumeAccessMode', access_mode))))), overrides);
END
$$;
COMMENT ON FUNCTION image_library.nim_cache IS
  'NIMCache for an approved NIM, its model puller pinned by digest. It caches the given profiles (names or IDs), or those that gpu, gpu_count, engine, precision and qos select, else all (a NOTICE tells). The default name ends in the beginning of the digest, since the spec of a NIMCache is immutable: another selection needs another name. overrides: labels, annotations and other places that doc/model-serving.md lists, merged in last';
GRANT EXECUTE ON FUNCTION image_library.nim_cache TO image_library_reader;

CREATE FUNCTION image_library.nim_service(reference text, name text DEFAULT NULL, namespace text DEFAULT NULL,
  gpu_count integer DEFAULT NULL, image_pull_secrets text[] DEFAULT '{}',
  ngc_secret text DEFAULT 'nvidia-nim-secrets', cpu text DEFAULT '12', memory text DEFAULT '64Gi',
  shm_size text DEFAULT '16Gi', nim_cache text DEFAULT NULL, profile text DEFAULT NULL,
  args text[] DEFAULT '{}', env jsonb DEFAULT '{}', replicas integer DEFAULT 1, port integer DEFAULT 8000,
  inference_platform text DEFAULT 'standalone', node_selector jsonb DEFAULT NULL, overrides jsonb DEFAULT NULL,
  registry text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  model image_library.model_library := image_library_internal.nim(reference, 'a NIMService', registry);
  cache_name text := coalesce(nim_cache, image_library_internal.nim_cache_name(model));
  is_kserve boolean := coalesce(inference_platform = 'kserve', false);
  -- With KServe the operator makes an InferenceService of the same name.
  room integer := CASE WHEN is_kserve THEN image_library_internal.inference_service_room(namespace) ELSE 59 END;
  reserved text[] := CASE WHEN is_kserve THEN image_library_internal.kserve_reserved_env() ELSE '{}' END;
  gpus integer := coalesce(gpu_count, model.gpu_count, 1);
BEGIN
  IF coalesce(inference_platform, '') NOT IN ('standalone', 'kserve') THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('unknown inference_platform "%s"', left(coalesce(inference_platform, 'null'), 300)),
      hint => 'It is standalone or kserve.');
  END IF;
  RETURN image_library_internal.overridden(jsonb_build_object(
    'apiVersion', 'apps.nvidia.com/v1alpha1',
    'kind', 'NIMService',
    'metadata', image_library_internal.kubernetes_metadata(
      coalesce(name, image_library_internal.nim_name(model, CASE WHEN is_kserve
        THEN least(room, image_library_internal.inference_service_room(coalesce(namespace, 'default'))) ELSE room END)),
      namespace, 'service', room, CASE WHEN is_kserve THEN 'KServe' ELSE 'the NIM Operator' END),
    'spec', jsonb_strip_nulls(jsonb_build_object(
      -- The kind has no field for a digest. The operator writes repository:tag, so the digest is part of the tag:
      -- container runtimes pull repository:tag@digest by digest.
      'image', jsonb_strip_nulls(jsonb_build_object(
        'repository', image_library_internal.untagged(model.pinned_reference),
        'tag', model.tag || '@' || model.digest,
        'pullPolicy', 'IfNotPresent',
        'pullSecrets', (SELECT jsonb_agg(s -> 'name')
                        FROM jsonb_array_elements(image_library_internal.kubernetes_pull_secrets(image_pull_secrets)) s))),
      'authSecret', CASE WHEN ngc_secret IS NOT NULL
        THEN image_library_internal.check_kubernetes_name('NGC secret', ngc_secret, 'subdomain') END,
      'args', image_library_internal.kubernetes_args(args),
      'env', image_library_internal.kubernetes_env(coalesce(env, '{}'), reserved),
      'expose', jsonb_build_object('service', jsonb_build_object(
        'type', 'ClusterIP', 'port', image_library_internal.check_range('port', port, 1, 65535))),
      'inferencePlatform', inference_platform,
      'replicas', image_library_internal.check_range('replicas', replicas, 1, 1000),
      'resources', nullif(image_library_internal.kubernetes_resources(cpu, memory, gpus), '{}'),
      'storage', jsonb_build_object(
        'nimCache', jsonb_build_object('name', image_library_internal.check_kubernetes_name('nim_cache', cache_name, 'subdomain'),
                                       'profile', profile),
        'sharedMemorySizeLimit', image_library_internal.kubernetes_quantity('shm_size', shm_size))))
      || image_library_internal.gpu_placement(gpus, node_selector)), overrides, reserved);
END
$$;
COMMENT ON FUNCTION image_library.nim_service IS
  'NIMService for an approved NIM, pinned by digest (in the tag, since the kind has no field for it). nim_cache: default is the cache that nim_cache() generates for the same reference. gpu_count: default is that of the image, else 1. ngc_secret: null if the cache has everything that the model needs (the field is optional in newer operators). overrides: labels, annotations and other places that doc/model-serving.md lists, merged in last (lists are replaced, env merged by name)';
GRANT EXECUTE ON FUNCTION image_library.nim_service TO image_library_reader;
-- Which GPUs a model fits.

-- A GPU is named as in profiles (h100) or as in node labels (NVIDIA-H100-80GB-HBM3).
CREATE FUNCTION image_library_internal.is_gpu(node_gpu text, profile_gpu text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(profile_gpu, '') = ''
    OR position(regexp_replace('-' || lower(profile_gpu COLLATE "C") || '-', '[^a-z0-9]+', '-', 'g')
                IN regexp_replace('-' || lower(node_gpu COLLATE "C") || '-', '[^a-z0-9]+', '-', 'g')) > 0
$$;
COMMENT ON FUNCTION image_library_internal.is_gpu IS
  'Whether the GPU of a node is that of a profile; a profile without a GPU is made for any';

-- Source: docs.nvidia.com/nim/large-language-models/latest/supported-models.html (GPUs) and, for L4 and the smaller A100,
-- docs.nvidia.com/nim/nemo-retriever/text-embedding/1.3.1/support-matrix.html, read on 2026-11-26.
CREATE FUNCTION image_library_internal.gpu_memory_gb(gpu text) RETURNS numeric
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(
    -- A slice of a GPU is labelled NVIDIA-H100-80GB-HBM3-MIG-1g.10gb; the size in GH200-480GB is that of the CPU's memory.
    (SELECT min(size[1]::numeric) FROM regexp_matches(gpu, '(?:^|[^0-9])([1-9][0-9]{0,3})GB(?![a-z])', 'gi') size
     WHERE NOT image_library_internal.is_gpu(gpu, 'gh200')),
    (SELECT min(known.memory)
     FROM (VALUES ('h200', 141), ('h100', 80), ('h20', 96), ('gh200', 96), ('a100', 40), ('l40s', 48), ('a10g', 24), ('l4', 24),
                  ('rtx-6000-ada', 48), ('rtx-pro-6000', 96), ('rtx-5090', 32), ('rtx-5080', 16), ('rtx-4090', 24), ('rtx-4080', 16)
          ) AS known (name, memory)
     WHERE image_library_internal.is_gpu(gpu, known.name)))
$$;
COMMENT ON FUNCTION image_library_internal.gpu_memory_gb IS
  'Memory of a GPU in GB, as its node label says, else the least that NVIDIA sells under the name; null: unknown';

-- Three values: null is unknown.
CREATE FUNCTION image_library_internal.suits(gpu text, profile_gpu text, needed_gb numeric) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN profile_gpu <> '' THEN image_library_internal.is_gpu(gpu, profile_gpu)
              ELSE image_library_internal.gpu_memory_gb(gpu) >= needed_gb END
$$;
COMMENT ON FUNCTION image_library_internal.suits IS
  'Whether a profile runs on GPUs of a type: it is made for the type, or for any with enough memory; null: it is not known how much memory is needed or there';

CREATE FUNCTION image_library.fitting_profiles(reference text, gpu text, gpu_count integer, registry text DEFAULT NULL)
RETURNS SETOF image_library.model_profiles
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- The image need not be approved.
  image record := image_library_internal.find_image(reference, registry);
BEGIN
  IF gpu IS NULL OR gpu_count IS NULL THEN
    RETURN;
  END IF;
  PERFORM image_library_internal.check_range('gpu_count', gpu_count, 0, 4096);
  RETURN QUERY
    SELECT p.* FROM image_library.model_profiles p
    WHERE p.registry = image.registry AND p.repository = image.repository AND p.digest = image.digest
      AND p.gpu_count <= fitting_profiles.gpu_count
      AND image_library_internal.suits(fitting_profiles.gpu, p.gpu, p.gpu_memory_gb) IS NOT FALSE
    ORDER BY p.gpu_count, p.name COLLATE "C";
END
$$;
COMMENT ON FUNCTION image_library.fitting_profiles IS
  'Profiles of a model for a number of GPUs of a type (h100, or the node label nvidia.com/gpu.product), fewest GPUs first; a profile for any GPU of which it is not known how much memory it needs is among them';
GRANT EXECUTE ON FUNCTION image_library.fitting_profiles TO image_library_reader;

CREATE FUNCTION image_library.fits(reference text, gpu text, gpu_count integer, registry text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, registry);
  model record;
  profiles record;
BEGIN
  IF gpu IS NULL OR gpu_count IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM image_library_internal.check_range('gpu_count', gpu_count, 0, 4096);
  SELECT e.gpu_count, e.facts_from INTO model
  FROM image_library_internal.entry_of(image.repository_id, image.tag, image.digest) e
  WHERE e.kind = 'model';
  SELECT count(*) > 0 AS are_known,
         coalesce(bool_or(v.suits AND v.enough), false) AS fit,
         -- The profile that would fit, if its memory were known.
         min(v.name) FILTER (WHERE v.suits IS NULL AND v.enough) AS perhaps,
         coalesce(bool_or(v.suits), false) AS name_the_gpu
  INTO profiles
  FROM (SELECT p.name, p.gpu_count <= fits.gpu_count AS enough, image_library_internal.suits(fits.gpu, p.gpu, p.gpu_memory_gb) AS suits
        FROM image_library.model_profiles p
        WHERE p.registry = image.registry AND p.repository = image.repository AND p.digest = image.digest) v;
  -- A curator who set the number alone means it before profiles that others list.
  IF gpu_count < model.gpu_count AND model.facts_from ->> 'gpu_count' = 'curator'
     AND model.facts_from ->> 'profiles' IS DISTINCT FROM 'curator' THEN
    RETURN false;
  END IF;
  IF profiles.fit OR model.gpu_count = 0 THEN
    RETURN true;
  END IF;
  -- The image or a curator lists all profiles; what vendors publish names some GPUs.
  IF gpu_count = 0 AND (profiles.are_known OR model.gpu_count IS NOT NULL)
     OR profiles.are_known AND profiles.perhaps IS NULL
        AND (profiles.name_the_gpu OR coalesce(model.facts_from ->> 'profiles', 'image') <> 'shipped')
     OR NOT profiles.are_known AND gpu_count < model.gpu_count THEN
    RETURN false;
  END IF;
  RAISE NOTICE USING
    MESSAGE = format('it is not known whether "%s" fits %s x %s', reference, gpu_count, gpu),
    DETAIL = CASE
      WHEN profiles.perhaps IS NOT NULL THEN format('Profile %s is made for any GPU with enough memory, and how much is needed or there is not known.', profiles.perhaps)
      WHEN profiles.are_known THEN 'What the vendor publishes does not name this GPU.'
      WHEN model.gpu_count IS NOT NULL THEN format('How many GPUs it needs is known (%s), and which ones is not.', model.gpu_count)
      ELSE 'No profile and no number of GPUs is known.' END,
    HINT = 'A curator tells with image_library.set_model_facts what the model needs.';
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library.fits IS
  'Whether a model has a profile that needs at most a number of GPUs of a type; null, with a NOTICE that says why, if it is not known: that is neither true nor false';
GRANT EXECUTE ON FUNCTION image_library.fits TO image_library_reader;
-- Policies: conditions that an image must meet before it may be approved, as SQL functions of users.

CREATE FUNCTION image_library_internal.call_policy(function oid, image image_library.images) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_call_policy';
COMMENT ON FUNCTION image_library_internal.call_policy IS
  'Calls a policy with the rights of its function''s owner, for at most image_library.policy_timeout; null: it is met, else the reason';
GRANT EXECUTE ON FUNCTION image_library_internal.call_policy TO image_library_agent;

-- Looked up in the catalog, since a regprocedure cast would require a right to the function's schema.
CREATE FUNCTION image_library_internal.policy_function(function text) RETURNS regprocedure
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.oid::regprocedure
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, parse_ident(function) AS name
  WHERE n.nspname = name[1] AND p.proname = name[2] AND p.pronargs = 1 AND p.proargtypes[0] = 'image_library.images'::regtype
$$;
COMMENT ON FUNCTION image_library_internal.policy_function IS 'Function of a policy; null: it does not exist any more';
GRANT EXECUTE ON FUNCTION image_library_internal.policy_function TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.check_policy_function(function regprocedure) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_function record;
BEGIN
  SELECT n.nspname, p.* INTO found_function
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE p.oid = function;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'a policy needs a function',
      hint => 'Name it with its argument: ''my_schema.my_policy(image_library.images)''.');
  END IF;
  IF found_function.prokind <> 'f' OR found_function.proretset OR found_function.pronargs <> 1
     OR found_function.proargtypes[0] <> 'image_library.images'::regtype
     OR found_function.prorettype <> 'boolean'::regtype THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_function_definition',
      message => format('function %s cannot be a policy', function),
      detail => 'A policy takes one argument of type image_library.images and returns boolean.',
      hint => 'Wrap it: CREATE FUNCTION my_schema.my_policy(image image_library.images) RETURNS boolean LANGUAGE sql STABLE RETURN ...');
  END IF;
  IF NOT has_function_privilege(image_library_internal.acting_role(), function::oid, 'EXECUTE') THEN
    PERFORM image_library_internal.fail(
      errcode => 'insufficient_privilege',
      message => format('permission denied for function %s', function),
      hint => format('Its owner may GRANT EXECUTE to %I.', image_library_internal.acting_role()));
  END IF;
  RETURN format('%I.%I', found_function.nspname, found_function.proname);
END
$$;
COMMENT ON FUNCTION image_library_internal.check_policy_function IS
  'Schema and name of a function that can be a policy and that the acting role may call; raises 22023, 42P13, 42501';

CREATE FUNCTION image_library.add_policy(name text, function regprocedure, applies_to text DEFAULT 'all', effect text DEFAULT 'require')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text;
BEGIN
  PERFORM image_library_internal.require_admin('add a policy');
  IF coalesce(name, '') !~ '^[^[:cntrl:]]{1,100}$' OR btrim(name) <> name THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('invalid name of a policy: "%s"', name),
      hint => 'Use 1 to 100 characters, with no space at either end.');
  END IF;
  wrong := coalesce(
    CASE WHEN starts_with(applies_to, 'consumer:') THEN
      CASE WHEN NOT image_library_internal.is_consumer(substr(applies_to, length('consumer:') + 1)) THEN
             'applies_to names no consumer: write consumer:<name>, as record_use takes the name'
           WHEN effect = 'auto_approve' THEN 'a policy for a consumer does not approve: its effect is require or warn' END
    ELSE image_library_internal.wrong_value('applies_to', applies_to, array_prepend('all', image_library_internal.kinds())) END,
    image_library_internal.wrong_value('effect', effect, '{require,auto_approve,warn}'));
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(errcode => 'invalid_parameter_value', message => wrong);
  END IF;
  INSERT INTO image_library_internal.policy AS p (name, function, applies_to, effect)
  VALUES (add_policy.name, image_library_internal.check_policy_function(add_policy.function), add_policy.applies_to, add_policy.effect)
  ON CONFLICT ON CONSTRAINT policy_name_key DO NOTHING;
  IF NOT FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'duplicate_object',
      message => format('policy "%s" exists already', name));
  END IF;
END
$$;
COMMENT ON FUNCTION image_library.add_policy IS
  'Adds a policy: a function of an image that returns boolean. Effect: require (an image for which it does not return true cannot be approved), auto_approve (an image for which it returns true is approved on arrival) or warn. Approved images stay approved. With applies_to => ''consumer:<name>'' it concerns the use by that consumer instead, see resolve and record_use';
GRANT EXECUTE ON FUNCTION image_library.add_policy TO image_library_admin;

CREATE FUNCTION image_library_internal.require_policy(what text, name text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin(what);
  IF NOT EXISTS (SELECT FROM image_library_internal.policy p WHERE p.name = require_policy.name) THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('policy "%s" does not exist', name),
      hint => 'See image_library.policies.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_policy IS
  'Raises 42501 unless the acting role is an admin, and 42704 for an unknown policy';

CREATE FUNCTION image_library.enable_policy(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_policy('enable a policy', name);
  UPDATE image_library_internal.policy p SET enabled = true, enabled_at = clock_timestamp() WHERE p.name = enable_policy.name AND NOT p.enabled;
END
$$;
COMMENT ON FUNCTION image_library.enable_policy IS 'Enables a policy, for decisions from then on';
GRANT EXECUTE ON FUNCTION image_library.enable_policy TO image_library_admin;

CREATE FUNCTION image_library.disable_policy(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_policy('disable a policy', name);
  UPDATE image_library_internal.policy p SET enabled = false WHERE p.name = disable_policy.name AND p.enabled;
END
$$;
COMMENT ON FUNCTION image_library.disable_policy IS 'Disables a policy';
GRANT EXECUTE ON FUNCTION image_library.disable_policy TO image_library_admin;

CREATE FUNCTION image_library.drop_policy(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_policy('drop a policy', name);
  DELETE FROM image_library_internal.policy p WHERE p.name = drop_policy.name;
END
$$;
COMMENT ON FUNCTION image_library.drop_policy IS 'Drops a policy; its function and earlier decisions stay';
GRANT EXECUTE ON FUNCTION image_library.drop_policy TO image_library_admin;

CREATE VIEW image_library.policies WITH (security_barrier) AS
  SELECT p.name, p.function,
         (SELECT f.proowner::regrole::text FROM pg_proc f WHERE f.oid = image_library_internal.policy_function(p.function)) AS runs_as,
         p.applies_to, p.effect, p.enabled, p.created_at, p.created_by
  FROM image_library_internal.policy p;
COMMENT ON VIEW image_library.policies IS 'Policies, enabled and disabled';
GRANT SELECT ON image_library.policies TO image_library_reader;

-- For the use of a digest that no present tag points at: what images would show for the tag that pointed at it.
CREATE FUNCTION image_library_internal.former_image(repository_id integer, tag text, digest text) RETURNS SETOF image_library.images
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_populate_record(NULL::image_library.images, jsonb_build_object(
    'registry', r.registry, 'repository', r.repository, 'tag', former_image.tag, 'digest', i.digest,
    'reference', concat(r.place, ':', former_image.tag), 'pinned_reference', concat(r.place, ':', former_image.tag, '@', i.digest),
    'kind', coalesce(f.facts ->> 'kind', 'other'), 'version', f.facts ->> 'version', 'approval', coalesce(a.state, 'pending'),
    'platforms', i.platforms, 'size_bytes', i.size_bytes, 'created_at', i.created_at, 'created_text', nullif(i.created_text, ''),
    'first_seen_at', i.first_seen_at, 'title', i.title, 'description', i.description, 'annotations', i.annotations, 'labels', i.labels,
    'media_type', i.media_type, 'hm_tags', '{}'::text[], 'deprecated_from', a.deprecated_from, 'valid_until', a.valid_until,
    'quarantined_at', a.quarantined_at,
    'digest_changed_at', (SELECT max(p.since) FROM image_library_internal.tag_period p
                          WHERE p.repository_id = r.repository_id AND p.tag = former_image.tag AND p.digest = i.digest)))
  FROM image_library_internal.full_repository r
  JOIN image_library_internal.image i ON i.digest = former_image.digest
  LEFT JOIN image_library_internal.approval a ON a.repository_id = r.repository_id AND a.digest = i.digest
  CROSS JOIN LATERAL image_library_internal.own_facts(r.repository_id, former_image.tag, i.digest) AS f (facts)
  WHERE r.repository_id = former_image.repository_id
$$;
COMMENT ON FUNCTION image_library_internal.former_image IS
  'Row as in images for a tag and a digest that it pointed at, without HM tags';
GRANT EXECUTE ON FUNCTION image_library_internal.former_image TO image_library_agent;

-- An approval belongs to the digest, so every tag that points at it must meet the policy. If a rule sets the kind of an
-- image, policies for the image's own kind still apply.
CREATE FUNCTION image_library_internal.policy_outcomes(registry text, repository text, digest text, effects text[],
  consumer text DEFAULT NULL, former_tag text DEFAULT NULL)
RETURNS TABLE (policy text, effect text, tag text, reason text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  WITH present AS (
    SELECT r.repository_id, v AS image
    FROM image_library_internal.full_repository r
    JOIN image_library.images v ON v.registry = r.registry AND v.repository = r.repository
    WHERE r.registry = policy_outcomes.registry AND r.repository = policy_outcomes.repository
      AND v.digest = policy_outcomes.digest AND v.missing_since IS NULL
  ), asked AS (
    SELECT p.name, p.effect, p.function, i.image
    FROM present i
    JOIN image_library_internal.policy p
      ON CASE WHEN consumer IS NOT NULL THEN p.applies_to = 'consumer:' || consumer
              ELSE p.applies_to IN ('all', (i.image).kind)
                   OR p.applies_to = image_library_internal.own_facts(i.repository_id, (i.image).tag, (i.image).digest) ->> 'kind' END
    WHERE p.enabled AND p.effect = ANY (effects)
    UNION ALL
    SELECT p.name, p.effect, p.function, former.image
    FROM image_library_internal.policy p
    LEFT JOIN (
      SELECT v AS image
      FROM image_library_internal.full_repository r
      CROSS JOIN LATERAL image_library_internal.former_image(r.repository_id, former_tag, policy_outcomes.digest) v
      WHERE r.registry = policy_outcomes.registry AND r.repository = policy_outcomes.repository) former ON true
    WHERE p.applies_to = 'consumer:' || consumer AND p.enabled AND p.effect = ANY (effects)
      AND NOT EXISTS (SELECT FROM present)
  )
  SELECT a.name, a.effect, (a.image).tag, called.reason
  FROM asked a
  CROSS JOIN LATERAL (SELECT image_library_internal.policy_function(a.function) AS function) f
  CROSS JOIN LATERAL (
    -- Without these call_policy, which is strict, would return null: met.
    SELECT CASE WHEN f.function IS NULL THEN format('function %s(image_library.images) does not exist', a.function)
                WHEN (a.image).digest IS NULL THEN 'the library does not know the image any more'
                ELSE image_library_internal.call_policy(f.function::oid, a.image) END AS reason) called
  ORDER BY 1, 3
$$;
COMMENT ON FUNCTION image_library_internal.policy_outcomes IS
  'Results of the enabled policies for each tag of an image, for approvals or for the use by a consumer; reason null: the policy is met';
GRANT EXECUTE ON FUNCTION image_library_internal.policy_outcomes TO image_library_agent;

CREATE FUNCTION image_library.policy_failures(reference text, registry text DEFAULT NULL, consumer text DEFAULT NULL)
RETURNS TABLE (policy text, effect text, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, registry);
BEGIN
  IF consumer IS NOT NULL THEN
    PERFORM image_library_internal.check_consumer(consumer);
  END IF;
  IF consumer IS NULL AND (image.rule_id IS NULL OR image.gone_since IS NOT NULL
     OR image.moved_to IS NOT NULL
        AND NOT EXISTS (SELECT FROM image_library.images v
                        WHERE v.registry = image.registry AND v.repository = image.repository AND v.digest = image.digest)) THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('no policy is asked of image "%s": it is not in the library now', reference),
      detail => 'No rule admits it, its registry does not have it any more, or no tag points at it.',
      hint => 'See image_library.images and image_library.tag_history.');
  END IF;
  RETURN QUERY
    SELECT DISTINCT o.policy, o.effect, o.reason
    FROM image_library_internal.policy_outcomes(image.registry, image.repository, image.digest, '{require,auto_approve,warn}', consumer, image.tag) o
    WHERE o.reason IS NOT NULL
    ORDER BY 1, 3;
END
$$;
COMMENT ON FUNCTION image_library.policy_failures IS
  'Enabled policies that an image does not meet, with effect and reason: those for approvals, or with a consumer those for its use; no row: it meets all';
GRANT EXECUTE ON FUNCTION image_library.policy_failures TO image_library_reader;

CREATE FUNCTION image_library_internal.check_policies(reference text, registry text, repository text, digest text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  failures text[];
  warnings text[];
BEGIN
  IF NOT EXISTS (SELECT FROM image_library_internal.policy p WHERE p.enabled AND p.effect <> 'auto_approve' AND p.applies_to NOT LIKE 'consumer:%') THEN
    RETURN;
  END IF;
  SELECT array_agg(DISTINCT format('"%s": %s', o.policy, o.reason)) FILTER (WHERE o.effect = 'require'),
         array_agg(DISTINCT format('"%s": %s', o.policy, o.reason)) FILTER (WHERE o.effect = 'warn')
  INTO failures, warnings
  FROM image_library_internal.policy_outcomes(registry, repository, digest, '{require,warn}') o
  WHERE o.reason IS NOT NULL;
  IF failures IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot approve image "%s": it does not meet what policies require', reference),
      detail => array_to_string(failures, E'\n'),
      hint => 'See image_library.policy_failures and image_library.policies.');
  END IF;
  IF warnings IS NOT NULL THEN
    RAISE WARNING USING
      MESSAGE = format('image "%s" does not meet every policy', reference),
      DETAIL = array_to_string(warnings, E'\n');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_policies IS
  'Raises 55000 with the required policies that an image does not meet, and warns of the others';
-- Policies for the use of an image by one consumer. They are asked by resolve, and told by record_use.

CREATE FUNCTION image_library_internal.consumer_verdict(image record, consumer text,
  OUT required text[], OUT failures text[], OUT warnings text[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Few consumers have policies.
  IF NOT EXISTS (SELECT FROM image_library_internal.policy p WHERE p.enabled AND p.applies_to = 'consumer:' || consumer) THEN
    RETURN;
  END IF;
  SELECT coalesce(array_agg(DISTINCT o.policy) FILTER (WHERE o.effect = 'require'), '{}'),
         array_agg(DISTINCT format('"%s": %s', o.policy, o.reason)) FILTER (WHERE o.effect = 'require'),
         array_agg(DISTINCT format('"%s": %s', o.policy, o.reason)) FILTER (WHERE o.effect = 'warn')
  INTO required, failures, warnings
  FROM image_library_internal.policy_outcomes(image.registry, image.repository, image.digest, '{require,warn}', consumer, image.tag) o
  WHERE o.reason IS NOT NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.consumer_verdict IS
  'Required policies of a consumer that an image does not meet (null: it has no policies), and what is to be told of those and of the others';

CREATE FUNCTION image_library_internal.warn_of_policies(reference text, consumer text, told text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF cardinality(told) > 0 THEN
    RAISE WARNING USING
      MESSAGE = format('image "%s" does not meet every policy for "%s"', reference, consumer),
      DETAIL = array_to_string(told, E'\n'),
      HINT = 'See image_library.policy_failures and image_library.policies.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.warn_of_policies IS 'Warns of the policies of a consumer that an image does not meet';

CREATE FUNCTION image_library_internal.check_consumer_policies(reference text, image record, consumer text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  verdict record := image_library_internal.consumer_verdict(image, consumer);
BEGIN
  IF verdict.failures IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('image "%s" may not be used by "%s": it does not meet what policies require', reference, consumer),
      detail => array_to_string(verdict.failures, E'\n'),
      hint => 'See image_library.policy_failures and image_library.policies.');
  END IF;
  PERFORM image_library_internal.warn_of_policies(image.pinned_reference, consumer, verdict.warnings);
END
$$;
COMMENT ON FUNCTION image_library_internal.check_consumer_policies IS
  'Raises 55000 with the required policies of a consumer that an image does not meet, and warns of the others';

-- What runs is recorded whether or not it may. Drift shows the verdict of this time, since a view must not run
-- functions of users for each of its rows.
CREATE FUNCTION image_library_internal.note_consumer_policies(image record, consumer text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  verdict record := image_library_internal.consumer_verdict(image, consumer);
BEGIN
  IF verdict.required IS NULL THEN
    RETURN;
  END IF;
  UPDATE image_library_internal.image_use u SET unmet_policies = verdict.required, policies_checked_at = clock_timestamp()
  WHERE u.repository_id = image.repository_id AND u.digest = image.digest AND u.consumer = note_consumer_policies.consumer
    AND u.released_at IS NULL;
  PERFORM image_library_internal.warn_of_policies(image.pinned_reference, consumer, verdict.failures || verdict.warnings);
END
$$;
COMMENT ON FUNCTION image_library_internal.note_consumer_policies IS
  'Records which policies of its consumer an image in use does not meet, and warns of them';
-- Approval on arrival if there are policies: by a rule or by a policy, only if all required policies are met.

CREATE FUNCTION image_library_internal.has_approval_policies() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM image_library_internal.policy p WHERE p.enabled AND p.effect <> 'warn' AND p.applies_to NOT LIKE 'consumer:%');
END
$$;
COMMENT ON FUNCTION image_library_internal.has_approval_policies IS
  'Whether there are policies that affect approval on arrival';
GRANT EXECUTE ON FUNCTION image_library_internal.has_approval_policies TO image_library_agent;

CREATE FUNCTION image_library_internal.waiting_images(repository_id integer, tags text[])
RETURNS TABLE (registry_id integer, registry text, repository text, tag text, digest text, rule_id bigint, approvable boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH waiting AS (
    SELECT DISTINCT t.digest, a.digest IS NULL AS undecided
    FROM unnest(tags) AS asked (name)
    JOIN image_library_internal.tag t ON t.repository_id = waiting_images.repository_id AND t.name = asked.name
    JOIN image_library_internal.image i ON i.digest = t.digest AND i.unread IS NULL
    LEFT JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest
    WHERE a.digest IS NULL OR a.state = 'pending' OR a.state = 'approved' AND a.valid_until <= clock_timestamp()
  )
  SELECT DISTINCT ON (t.digest) r.registry_id, r.registry, r.repository, t.name, t.digest, CASE WHEN asked.required = 0 THEN t.rule_id END,
         w.undecided AND (asked.required = 0
           OR asked.required = 1 AND EXISTS (SELECT FROM image_library_internal.policy p WHERE p.enabled AND p.effect = 'auto_approve'))
  FROM waiting w
  JOIN image_library_internal.required_approvals(waiting_images.repository_id, ARRAY(SELECT u.digest FROM waiting u)) asked USING (digest)
  JOIN image_library_internal.tag t ON t.repository_id = waiting_images.repository_id AND t.digest = asked.digest
  JOIN image_library_internal.full_repository r USING (repository_id)
  WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL
  ORDER BY t.digest, t.name
$$;
COMMENT ON FUNCTION image_library_internal.waiting_images IS
  'Images of some tags that wait for a decision and could be read; approvable: nobody has decided on it, and one approval is enough, of the rule if there is one';
GRANT EXECUTE ON FUNCTION image_library_internal.waiting_images TO image_library_agent;

CREATE FUNCTION image_library_internal.policy_verdict(registry text, repository text, digest text,
  OUT unmet text[], OUT approving_policy text, OUT slow_policy text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  outcome record;
BEGIN
  unmet := '{}';
  FOR outcome IN
    SELECT o.policy, o.effect, bool_and(o.reason IS NULL) AS met, bool_or(o.reason LIKE 'it took longer than % ms') AS slow
    FROM image_library_internal.policy_outcomes(registry, repository, digest, '{require,auto_approve}') o
    GROUP BY 1, 2 ORDER BY 1
  LOOP
    IF outcome.slow THEN
      slow_policy := coalesce(slow_policy, outcome.policy);
    END IF;
    IF outcome.effect = 'require' THEN
      unmet := unmet || CASE WHEN NOT outcome.met THEN ARRAY[outcome.policy] ELSE '{}' END;
    ELSIF outcome.met THEN
      approving_policy := coalesce(approving_policy, outcome.policy);
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library_internal.policy_verdict IS
  'Required policies that an image does not meet, the first policy that approves it, and one that took too long';
GRANT EXECUTE ON FUNCTION image_library_internal.policy_verdict TO image_library_agent;

CREATE FUNCTION image_library_internal.approve_by_policy(repository_id integer, tags text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  image record;
  verdict record;
  decision image_library_internal.decision;
  approved_digests text[] := '{}';
BEGIN
  IF NOT image_library_internal.has_approval_policies() THEN
    RETURN 0;
  END IF;
  FOR image IN SELECT * FROM image_library_internal.waiting_images(repository_id, tags) LOOP
    SELECT * INTO verdict FROM image_library_internal.policy_verdict(image.registry, image.repository, image.digest);
    INSERT INTO image_library_internal.policy_verdict AS v (repository_id, digest, unmet)
    VALUES (approve_by_policy.repository_id, image.digest, verdict.unmet)
    ON CONFLICT ON CONSTRAINT policy_verdict_pkey DO UPDATE SET unmet = excluded.unmet, checked_at = excluded.checked_at;
    -- Otherwise each image of a large batch could take as long.
    IF verdict.slow_policy IS NOT NULL THEN
      RAISE WARNING USING
        MESSAGE = format('policy "%s" took too long: images that arrived with %s:%s were not approved', verdict.slow_policy,
                         image.repository, image.tag),
        HINT = 'Make it faster, or raise image_library.policy_timeout; then call image_library.apply_policies.';
      EXIT;
    END IF;
    CONTINUE WHEN NOT image.approvable OR verdict.unmet <> '{}' OR coalesce(image.rule_id::text, verdict.approving_policy) IS NULL;
    decision := image_library_internal.decision_on(image, 'approve', 'pending', 'approved',
      CASE WHEN image.rule_id IS NULL THEN format('policy "%s" approves', verdict.approving_policy)
           ELSE format('rule %s approves on arrival', image.rule_id) END);
    decision.rule_id := image.rule_id;
    IF image.rule_id IS NULL THEN
      decision.policy := verdict.approving_policy;
    END IF;
    INSERT INTO image_library_internal.approval (repository_id, digest, state, approvals, decision_id)
    VALUES (approve_by_policy.repository_id, image.digest, 'approved', CASE WHEN image.rule_id IS NULL THEN 1 ELSE 0 END,
            image_library_internal.tell_decision(decision));
    approved_digests := approved_digests || image.digest;
  END LOOP;
  PERFORM image_library_internal.end_requests(repository_id, approved_digests);
  PERFORM image_library_internal.refresh_entry_approval(repository_id, approved_digests);
  RETURN cardinality(approved_digests);
END
$$;
COMMENT ON FUNCTION image_library_internal.approve_by_policy IS
  'Evaluates the policies for images that wait, and approves those that nobody has decided on if a rule or a policy approves and no policy refuses; returns their number. Called after the read model has the tags, since policies read it';
GRANT EXECUTE ON FUNCTION image_library_internal.approve_by_policy TO image_library_agent;

CREATE FUNCTION image_library.apply_policies(registry text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  of_registry image_library_internal.registry;
  waiting record;
  approved bigint := 0;
BEGIN
  PERFORM image_library_internal.require_admin('apply policies');
  IF registry IS NOT NULL THEN
    of_registry := image_library_internal.find_registry(registry);
  END IF;
  FOR waiting IN
    SELECT r.registry_id, t.repository_id, array_agg(t.name) AS tags
    FROM image_library_internal.tag t JOIN image_library_internal.repository r USING (repository_id)
    WHERE (of_registry.registry_id IS NULL OR r.registry_id = of_registry.registry_id)
      AND t.rule_id IS NOT NULL AND t.missing_since IS NULL
      AND NOT EXISTS (SELECT FROM image_library_internal.approval a
                      WHERE a.repository_id = t.repository_id AND a.digest = t.digest
                        AND a.state <> 'pending' AND coalesce(a.state <> 'approved' OR a.valid_until > clock_timestamp(), true))
    GROUP BY 1, 2 ORDER BY 1, 2
  LOOP
    PERFORM image_library_internal.lock_repository(waiting.registry_id, waiting.repository_id, for_batch => true);
    approved := approved + image_library_internal.approve_by_policy(waiting.repository_id, waiting.tags);
  END LOOP;
  RETURN approved;
END
$$;
COMMENT ON FUNCTION image_library.apply_policies IS
  'Evaluates the policies again for images that wait, as on arrival, and approves those that nobody has decided on and that meet them; returns how many images were approved. For policies whose result changes with time, such as a minimum age';
GRANT EXECUTE ON FUNCTION image_library.apply_policies TO image_library_admin;
-- Example policies. Functions with one argument can be added as they are; call the others from a function of your own.

CREATE FUNCTION image_library.has_age(image image_library.images, at_least interval) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT image.digest_changed_at <= now() - at_least $$;
COMMENT ON FUNCTION image_library.has_age IS
  'For policies: whether the tag has pointed at the image for at least a time, as seen by the library';
GRANT EXECUTE ON FUNCTION image_library.has_age TO image_library_reader;

CREATE FUNCTION image_library.has_annotations(image image_library.images, keys text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (SELECT FROM unnest(keys) k
                     WHERE coalesce(image.annotations ->> k, '') = '' AND coalesce(image.labels ->> k, '') = '')
$$;
COMMENT ON FUNCTION image_library.has_annotations IS
  'For policies: whether the image has a value for each of some annotations or labels';
GRANT EXECUTE ON FUNCTION image_library.has_annotations TO image_library_reader;

CREATE FUNCTION image_library.has_platforms(image image_library.images, platforms text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(image.platforms, '{}') @> platforms $$;
COMMENT ON FUNCTION image_library.has_platforms IS
  'For policies: whether the image has each of some platforms, such as linux/arm64';
GRANT EXECUTE ON FUNCTION image_library.has_platforms TO image_library_reader;

CREATE FUNCTION image_library.has_referrer(image image_library.images, artifact_types text[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  -- Referrers in another repository do not count, since other people may push there.
  SELECT EXISTS (SELECT FROM image_library.image_referrers x
                 WHERE x.digest = image.digest AND x.artifact_type LIKE ANY (artifact_types)
                   AND (x.repository IS NULL OR (x.registry, x.repository) = (image.registry, image.repository)))
$$;
COMMENT ON FUNCTION image_library.has_referrer IS
  'For policies: whether a referrer of one of these types (LIKE patterns) is listed for the image in its repository; it is not verified';
GRANT EXECUTE ON FUNCTION image_library.has_referrer TO image_library_reader;

-- Older tags of cosign (sha256-....sig) have a layer of type simplesigning.
CREATE FUNCTION image_library.is_signed(image image_library.images) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library.has_referrer(image, ARRAY[
    'application/vnd.dev.cosign.artifact.sig%', 'application/vnd.dev.cosign.simplesigning%',
    'application/vnd.dev.sigstore.bundle%', 'application/vnd.cncf.notary.signature%'])
$$;
COMMENT ON FUNCTION image_library.is_signed IS
  'Policy: whether a signature of cosign, Sigstore or Notary is listed for the image; it is not verified';
GRANT EXECUTE ON FUNCTION image_library.is_signed TO image_library_reader;

CREATE FUNCTION image_library.has_sbom(image image_library.images) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library.has_referrer(image, ARRAY[
    'application/spdx%', 'text/spdx%', 'application/vnd.cyclonedx%', 'application/vnd.syft%'])
$$;
COMMENT ON FUNCTION image_library.has_sbom IS
  'Policy: whether an SBOM (SPDX, CycloneDX, Syft) is listed for the image; it is not verified';
GRANT EXECUTE ON FUNCTION image_library.has_sbom TO image_library_reader;

CREATE FUNCTION image_library.is_from(image image_library.images, registries text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT image.registry = ANY (registries) $$;
COMMENT ON FUNCTION image_library.is_from IS
  'For policies: whether the image comes from one of some registries, given by name';
GRANT EXECUTE ON FUNCTION image_library.is_from TO image_library_reader;

CREATE FUNCTION image_library.has_features(image image_library.images, features text[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce((SELECT e.features @> has_features.features
                   FROM image_library_internal.entry e JOIN image_library_internal.visible_repository r USING (repository_id)
                   WHERE r.registry = image.registry AND r.repository = image.repository AND e.tag = image.tag), false)
$$;
COMMENT ON FUNCTION image_library.has_features IS
  'For policies: whether a Postgres image has each of some features, such as tde';
GRANT EXECUTE ON FUNCTION image_library.has_features TO image_library_reader;
-- The library at an earlier time.

CREATE TYPE image_library.historic_image AS (
  registry text, repository text, tag text, digest text, reference text, pinned_reference text, approval text, usable boolean);
COMMENT ON TYPE image_library.historic_image IS 'A row of library_at';
COMMENT ON COLUMN image_library.historic_image.digest IS 'Digest that the tag pointed at at that time';
COMMENT ON COLUMN image_library.historic_image.approval IS 'State of the digest at that time';
COMMENT ON COLUMN image_library.historic_image.usable IS
  'Whether the image could be used at that time: approved, not expired, not deprecated, not in quarantine';

-- Decisions of a transaction may have the same time; their numbers are in the order in which they were made.
CREATE FUNCTION image_library_internal.decided_at(at timestamptz,
  OUT registry_id integer, OUT repository text, OUT digest text, OUT approval text, OUT usable boolean)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT last.registry_id, last.repository, last.digest, last.new_state,
         image_library_internal.usable_until(last.new_state, last.valid_until, last.deprecated_from, coalesce(last.marks[1] = 'quarantine', false)) > at
  FROM (
    SELECT d.registry_id, d.repository, d.digest,
           (array_agg(d.new_state ORDER BY d.decision_id DESC))[1] AS new_state,
           (array_agg(d.valid_until ORDER BY d.decision_id DESC)
              FILTER (WHERE d.action IN ('approve', 'reject', 'revoke', 'reset')))[1] AS valid_until,
           (array_agg(d.deprecated_from ORDER BY d.decision_id DESC)
              FILTER (WHERE d.action IN ('deprecate', 'undeprecate')))[1] AS deprecated_from,
           array_agg(d.action ORDER BY d.decision_id DESC)
             FILTER (WHERE d.action IN ('quarantine', 'release')) AS marks
    FROM image_library_internal.decision d
    WHERE d.decided_at <= at
    GROUP BY d.registry_id, d.repository, d.digest) last
$$;
COMMENT ON FUNCTION image_library_internal.decided_at IS 'State of each image at a time';

CREATE FUNCTION image_library.library_at(at timestamptz) RETURNS SETOF image_library.historic_image
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.registry, r.repository, p.tag, p.digest, concat(r.place, ':', p.tag), concat(r.place, ':', p.tag, '@', p.digest),
         coalesce(d.approval, 'pending'), coalesce(d.usable, false)
  FROM image_library_internal.tag_period p
  JOIN image_library_internal.visible_repository r USING (repository_id)
  LEFT JOIN image_library_internal.decided_at(at) d
    ON d.registry_id = r.registry_id AND d.repository = r.repository AND d.digest = p.digest
  WHERE p.since <= at AND coalesce(p.until > at, true)
  ORDER BY r.registry, r.repository, p.tag
$$;
COMMENT ON FUNCTION image_library.library_at IS
  'Tags that existed at a time, with the digest that each pointed at and its state at that time. Tags that a rule had hidden are included; the audit has the rules of that time';
GRANT EXECUTE ON FUNCTION image_library.library_at TO image_library_reader;
-- The audit of changes of registries, rules and other settings. Decisions on images have their own table.

CREATE TABLE image_library_internal.audit_entry (
  audit_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  actor name NOT NULL DEFAULT session_user,
  action text NOT NULL CHECK (action IN ('added', 'changed', 'dropped', 'purged')),
  object text NOT NULL,
  name text NOT NULL,
  registry_id integer,
  registry text,
  old jsonb,
  new jsonb,
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  client_address inet DEFAULT inet_client_addr(),
  CHECK ((old IS NULL) = (action = 'added') AND (new IS NULL) = (action IN ('dropped', 'purged')))
);
CREATE INDEX audit_entry_registry ON image_library_internal.audit_entry (registry_id, audit_id);
COMMENT ON TABLE image_library_internal.audit_entry IS
  'Changes of registries, rules, channels, credentials, HM tags, policies, model facts, annotation keys and aliases of extensions, and purges by a person; rows are added and never changed';
COMMENT ON COLUMN image_library_internal.audit_entry.actor IS
  'Session user, also inside SECURITY DEFINER functions and after SET ROLE';
COMMENT ON COLUMN image_library_internal.audit_entry.transaction IS
  'Transaction that wrote the row, in the server that did: pg_dump restores it as it was';
COMMENT ON COLUMN image_library_internal.audit_entry.client_address IS
  'Address of the client; null: a local socket, or the agent';
COMMENT ON COLUMN image_library_internal.audit_entry.registry_id IS
  'Registry of the object; roles that may see it may see the row; null: none';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON image_library_internal.audit_entry
  FOR EACH ROW EXECUTE FUNCTION image_library_internal.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON image_library_internal.audit_entry
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.refuse_change();
COMMENT ON TRIGGER append_only ON image_library_internal.audit_entry IS 'Refuses UPDATE and DELETE';
COMMENT ON TRIGGER append_only_truncate ON image_library_internal.audit_entry IS 'Refuses TRUNCATE';
CREATE CONSTRAINT TRIGGER chain AFTER INSERT ON image_library_internal.audit_entry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (current_setting('search_path') NOT IN ('', '""'))
  EXECUTE FUNCTION image_library_internal.chain_row('audit', 'audit_id');
COMMENT ON TRIGGER chain ON image_library_internal.audit_entry IS 'Adds the row to the chain when the transaction commits';

-- Of a secret only the columns named here are audited, so that a column added later is treated as secret.
CREATE FUNCTION image_library_internal.audited(object text, changed jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE object
    WHEN 'credential' THEN jsonb_build_object('repository_prefix', changed -> 'repository_prefix',
      'kind', CASE WHEN changed ->> 'file' IS NOT NULL THEN 'file'
                   WHEN changed ->> 'variable' IS NOT NULL THEN 'variable' ELSE 'password' END, 'set_at', changed -> 'set_at')
    WHEN 'client certificate' THEN jsonb_build_object('set_at', changed -> 'set_at')
    -- Changes that the agent makes are not audited.
    ELSE changed - '{sync_requested_at,rules_changed_at,enabled_at}'::text[] END
$$;
COMMENT ON FUNCTION image_library_internal.audited IS
  'Values of a row that the audit stores; for a credential neither user name, secret, file nor variable, for a client certificate only the time';

CREATE FUNCTION image_library_internal.audited_registry(changed jsonb, OUT registry_id integer, OUT registry text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  registry_id := coalesce((changed ->> 'registry_id')::integer,
    (SELECT r.registry_id FROM image_library_internal.repository r WHERE r.repository_id = (changed ->> 'repository_id')::integer));
  -- A dropped registry takes its rules and credentials along; their entries keep its name.
  registry := coalesce(
    (SELECT g.name FROM image_library_internal.registry g WHERE g.registry_id = audited_registry.registry_id),
    (SELECT e.registry FROM image_library_internal.audit_entry e WHERE e.registry_id = audited_registry.registry_id
     ORDER BY e.audit_id DESC LIMIT 1));
END
$$;
COMMENT ON FUNCTION image_library_internal.audited_registry IS 'Registry that a changed row belongs to; null: none';

CREATE FUNCTION image_library_internal.audited_name(object text, changed jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE object
    WHEN 'rule' THEN changed ->> 'rule_id'
    WHEN 'model facts' THEN (
      SELECT concat_ws(' ', r.name, nullif(changed ->> 'from_version', ''))
      FROM image_library_internal.repository r WHERE r.repository_id = (changed ->> 'repository_id')::integer)
    WHEN 'removals' THEN (SELECT r.name FROM image_library_internal.repository r WHERE r.repository_id = (changed ->> 'repository_id')::integer)
    WHEN 'credential' THEN concat_ws('/', (image_library_internal.audited_registry(changed)).registry, nullif(changed ->> 'repository_prefix', ''))
    WHEN 'client certificate' THEN (image_library_internal.audited_registry(changed)).registry
    WHEN 'extension alias' THEN changed ->> 'alias'
    WHEN 'annotation key' THEN concat_ws(' ', changed ->> 'purpose', changed ->> 'position')
    WHEN 'HM tag of' THEN (
      SELECT format('%s: %s', h.name, concat_ws(':', r.name, changed ->> 'tag'))
      FROM image_library_internal.hm_tag h, image_library_internal.repository r
      WHERE h.hm_tag_id = (changed ->> 'hm_tag_id')::integer AND r.repository_id = (changed ->> 'repository_id')::integer)
    ELSE changed ->> 'name' END
$$;
COMMENT ON FUNCTION image_library_internal.audited_name IS
  'Name of a changed row; null: it is dropped together with an object that has its own entry';

CREATE FUNCTION image_library_internal.write_audit() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  kind text := TG_ARGV[0];
  changed jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
  called text := image_library_internal.audited_name(kind, changed);
  done text := CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'UPDATE' THEN 'changed' ELSE 'dropped' END;
  was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN image_library_internal.audited(kind, to_jsonb(OLD)) END;
  is_now jsonb := CASE WHEN TG_OP <> 'DELETE' THEN image_library_internal.audited(kind, to_jsonb(NEW)) END;
  of_registry record := image_library_internal.audited_registry(changed);
  id bigint;
BEGIN
  -- If a credential is set again, the audited columns may be equal.
  IF called IS NULL OR was = is_now AND kind NOT IN ('credential', 'client certificate') THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' AND kind NOT IN ('credential', 'client certificate') THEN
    SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, is_now -> o.key) INTO was, is_now
    FROM jsonb_each(was) o WHERE o.value <> is_now -> o.key;
  END IF;
  IF kind = 'registry' THEN
    of_registry.registry := called;
  END IF;
  INSERT INTO image_library_internal.audit_entry AS e (action, object, name, registry_id, registry, old, new)
  VALUES (done, kind, called, of_registry.registry_id, of_registry.registry, was, is_now)
  RETURNING e.audit_id INTO id;
  IF kind IN ('registry', 'rule', 'policy', 'channel') THEN
    PERFORM image_library_internal.emit(kind || ' ' || done, of_registry.registry_id, of_registry.registry, NULL, NULL, NULL,
      jsonb_build_object('audit_id', id, 'actor', session_user, 'rule_id', changed -> 'rule_id',
                         'policy', CASE kind WHEN 'policy' THEN called END, 'channel', CASE kind WHEN 'channel' THEN called END));
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_audit IS
  'Writes the audit entry of a changed row, and the event of a changed registry, rule, policy or channel';

CREATE FUNCTION image_library_internal.audit_purge(object text, purged jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO image_library_internal.audit_entry (action, object, name, old) VALUES ('purged', audit_purge.object, audit_purge.object, purged)
$$;
COMMENT ON FUNCTION image_library_internal.audit_purge IS
  'Writes the audit entry of a purge by a person: what, older than which time, and how many rows';

DO $$
DECLARE
  relation text;
  object text;
BEGIN
  FOR relation, object IN VALUES
    ('registry', 'registry'), ('rule', 'rule'), ('credential', 'credential'), ('client_certificate', 'client certificate'), ('annotation_key', 'annotation key'),
    ('hm_tag', 'HM tag'), ('hm_tag_repository', 'HM tag of'), ('hm_tag_image', 'HM tag of'), ('policy', 'policy'),
    ('channel', 'channel'), ('extension_alias', 'extension alias'), ('model_fact', 'model facts')
  LOOP
    -- Scripts of pg_dump run with an empty search_path. What they restore was audited when it was made.
    EXECUTE format(
      'CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON image_library_internal.%I FOR EACH ROW
       WHEN (current_setting(''search_path'') NOT IN ('''', ''""'')) EXECUTE FUNCTION image_library_internal.write_audit(%L)', relation, object);
    EXECUTE format('COMMENT ON TRIGGER audit ON image_library_internal.%I IS %L', relation, 'Records the change in audit_entry');
  END LOOP;
END
$$;

CREATE TRIGGER audit AFTER UPDATE OF accepted_at ON image_library_internal.refused_removal
  FOR EACH ROW WHEN (NEW.accepted_at IS NOT NULL) EXECUTE FUNCTION image_library_internal.write_audit('removals');
COMMENT ON TRIGGER audit ON image_library_internal.refused_removal IS 'Records in audit_entry who accepted a removal';

CREATE VIEW image_library.audit WITH (security_barrier) AS
  SELECT e.audit_id, e.at, e.actor, e.action, e.object, e.name, e.registry, e.old, e.new, e.transaction,
         CASE WHEN (SELECT image_library_internal.sees_everything()) THEN e.client_address END AS client_address,
         c.position AS chain_position, encode(c.previous_hash, 'hex') AS previous_hash, encode(c.row_hash, 'hex') AS row_hash
  FROM image_library_internal.audit_entry e
  LEFT JOIN image_library_internal.chain c ON c.log = 'audit' AND c.number = e.audit_id
  -- It is not known any more whether a dropped registry was private, so only admins see its entries.
  WHERE e.registry_id IS NULL OR (SELECT image_library_internal.sees_everything())
     OR e.registry_id IN (SELECT g.registry_id FROM image_library_internal.visible_registry g);
COMMENT ON VIEW image_library.audit IS
  'Changes of registries, rules, channels, credentials (without their content), HM tags, policies, model facts, annotation keys and aliases of extensions: who made them, old and new values; purges of events and history';
GRANT SELECT ON image_library.audit TO image_library_reader;
-- Verification of the chain of decisions and audit rows.

CREATE FUNCTION image_library.audit_head(OUT "position" bigint, OUT row_hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.position, encode(c.row_hash, 'hex') FROM image_library_internal.chain c ORDER BY c.position DESC LIMIT 1
$$;
COMMENT ON FUNCTION image_library.audit_head IS
  'Last position of the chain of decisions and audit rows, and its hash; null: the chain is empty. Note both in another system, and give them to verify_audit later: a chain alone does not show that its end was cut off';
GRANT EXECUTE ON FUNCTION image_library.audit_head TO image_library_reader;

-- Rows that this transaction has written are in the chain when it commits.
CREATE FUNCTION image_library.verify_audit(head_position bigint DEFAULT NULL, head_hash text DEFAULT NULL)
RETURNS TABLE (log text, number bigint, "position" bigint, problem text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
  WITH logged AS (
    SELECT 'decisions' AS log, d.decision_id AS number, d.transaction, to_jsonb(d) AS content FROM image_library_internal.decision d
    UNION ALL
    SELECT 'audit', e.audit_id, e.transaction, to_jsonb(e) FROM image_library_internal.audit_entry e
  ), links AS (
    SELECT c.*, lag(c.position, 1, 0::bigint) OVER w AS position_before, lag(c.row_hash, 1, ''::bytea) OVER w AS hash_before
    FROM image_library_internal.chain c
    WINDOW w AS (ORDER BY c.position)
  ), problems AS (
    SELECT coalesce(k.log, l.log) AS log, coalesce(k.number, l.number) AS number, k.position,
           CASE WHEN k.position IS NULL THEN 'it is not in the chain: it was added past the library'
                WHEN k.position <> k.position_before + 1 THEN 'rows before it were removed from the chain'
                WHEN k.previous_hash <> k.hash_before THEN 'it does not follow the row before it: one of them was added, removed or moved'
                WHEN l.number IS NULL THEN 'it was removed'
                WHEN k.row_hash <> image_library_internal.chain_hash(k.previous_hash, k.position, k.log, l.content) THEN 'it was changed' END AS problem
    FROM links k FULL JOIN logged l ON l.log = k.log AND l.number = k.number
    WHERE k.position IS NOT NULL OR l.transaction IS DISTINCT FROM pg_current_xact_id_if_assigned()
    UNION ALL
    SELECT c.log, c.number, noted.position,
           CASE WHEN c.position IS NULL THEN 'the chain ends before this position: its end was removed'
                ELSE 'the chain has another hash here than the one noted: it was written anew' END
    FROM (SELECT head_position, head_hash) AS noted (position, hash)
    LEFT JOIN image_library_internal.chain c USING (position)
    WHERE encode(c.row_hash, 'hex') IS DISTINCT FROM lower(noted.hash)
  )
  SELECT p.log, p.number, p.position, p.problem FROM problems p
  WHERE p.problem IS NOT NULL
  ORDER BY p.position NULLS LAST, p.log, p.number LIMIT 1
$$;
COMMENT ON FUNCTION image_library.verify_audit IS
  'First row of decisions or audit that does not fit the chain of hashes, and why; no row: all fit. With a position and hash that audit_head has returned earlier also whether the chain still has them';
GRANT EXECUTE ON FUNCTION image_library.verify_audit TO image_library_reader;
-- Private registries. Views and functions leave out what the acting role may not see. Row level security has the same
-- effect on the tables, so that a grant on one of them reveals nothing. It does not apply to the owner of the tables,
-- and the agent sees all rows. Views that must give rows in the order of an index have no security barrier: they belong
-- to image_library_views, to which it applies.

CREATE FUNCTION image_library_internal.known_registries() RETURNS integer[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY(SELECT g.registry_id FROM image_library_internal.visible_registry g ORDER BY 1)
$$;
COMMENT ON FUNCTION image_library_internal.known_registries IS 'Registries that exist and that the acting role may see';
GRANT EXECUTE ON FUNCTION image_library_internal.known_registries TO image_library_reader;

DO $$
DECLARE
  relation record;
  condition text;
BEGIN
  FOR relation IN
    SELECT c.oid::regclass AS name,
           ARRAY(SELECT a.attname FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attname IN ('registry_id', 'repository_id', 'digest')) AS columns
    FROM pg_class c
    WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind = 'r'
    ORDER BY c.oid
  LOOP
    condition := CASE
      WHEN relation.columns = '{}' THEN 'true'
      -- These rows outlive the registry. Then it is not known any more whether it was private, so only admins see them.
      WHEN relation.name = ANY ('{image_library_internal.decision,image_library_internal.event,image_library_internal.audit_entry}'::regclass[]) THEN
        'registry_id IS NULL OR (SELECT image_library_internal.sees_everything())
         OR registry_id = ANY ((SELECT image_library_internal.known_registries())::integer[])'
      WHEN 'registry_id' = ANY (relation.columns) THEN
        -- As in visible_registry.
        'nullif(registry_id = ANY ((SELECT image_library_internal.hidden_registries())::integer[]), true) IS NOT NULL'
      -- Referrers that an image's own index names belong to no repository.
      WHEN relation.name = 'image_library_internal.image_referrer'::regclass THEN
        'image_library_internal.digest_visible(digest) AND (repository_id IS NULL OR image_library_internal.repository_visible(repository_id))'
      WHEN 'repository_id' = ANY (relation.columns) THEN
        'image_library_internal.repository_visible(repository_id)'
      ELSE 'image_library_internal.digest_visible(digest)' END;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation.name);
    -- No role may read secrets, not even a member of pg_read_all_data.
    IF relation.name <> ALL ('{image_library_internal.credential,image_library_internal.client_certificate}'::regclass[]) THEN
      EXECUTE format('CREATE POLICY visible ON %s FOR SELECT TO image_library_reader USING (%s)', relation.name, condition);
      EXECUTE format('COMMENT ON POLICY visible ON %s IS %L', relation.name,
                     CASE condition WHEN 'true' THEN 'Every reader' ELSE 'Rows of registries that the acting role may see' END);
    END IF;
    IF relation.name = ANY ('{image_library_internal.registry,image_library_internal.repository,image_library_internal.tag,image_library_internal.entry}'::regclass[]) THEN
      EXECUTE format('CREATE POLICY viewed ON %s FOR SELECT TO image_library_views USING (%s)', relation.name, condition);
      EXECUTE format('COMMENT ON POLICY viewed ON %s IS %L', relation.name, 'Views show rows of registries that the acting role may see');
    ELSIF relation.name = ANY ('{image_library_internal.image,image_library_internal.approval}'::regclass[]) THEN
      EXECUTE format('CREATE POLICY viewed ON %s FOR SELECT TO image_library_views USING (true)', relation.name);
      EXECUTE format('COMMENT ON POLICY viewed ON %s IS %L', relation.name, 'Views read these rows for tags that the acting role may see');
    END IF;
    EXECUTE format('CREATE POLICY agent ON %s TO image_library_agent USING (true) WITH CHECK (true)', relation.name);
    EXECUTE format('COMMENT ON POLICY agent ON %s IS %L', relation.name, 'The agent reads and writes for every registry');
  END LOOP;
END
$$;
-- Comments of the columns of the views. A name means the same in every view, unless a row for that view says otherwise.

DO $$
DECLARE
  relation text;
  word text;
  meaning text;
BEGIN
  FOR relation, word, meaning IN
    SELECT DISTINCT ON (c.oid, a.attnum) c.oid::regclass, a.attname, w.meaning
    FROM (VALUES
      ('accepted_at', '{refused_removals}', 'When the removal was accepted; the next sync marks the tags missing'),
      ('accepted_by', '{refused_removals}', 'Role that accepted the removal'),
      ('action', '{rules}', 'include or exclude; a tag that an exclude rule takes is not in the library, even if an include rule takes it'),
      ('action', '{decisions}', 'approve, vote (an approval where more people are required), reject, revoke, reset, deprecate, undeprecate, quarantine or release'),
      ('actor', '{decisions}', 'Session user, also inside SECURITY DEFINER functions and after SET ROLE'),
      ('alias', '{extension_aliases}', 'Other name of the extension, in lower case and with underscores instead of dashes'),
      ('allow_private', '{registries}', 'Whether loopback and private addresses are allowed'),
      ('annotations', NULL, 'Annotations of the manifest or index, as published'),
      ('approval', NULL, 'State of the digest in this repository: pending, approved, rejected or revoked'),
      ('approval', '{rules}', 'manual, or auto: images are approved on arrival'),
      ('approved', '{library_stats}', 'Tags of approved images'),
      ('approved_models', '{library_stats}', 'Tags of approved models'),
      ('approved_postgres_images', '{library_stats}', 'Tags of approved Postgres images'),
      ('architecture', '{image_platforms}', 'CPU architecture in the spelling of Go: amd64, arm64 ...'),
      ('artifact_type', '{image_referrers}', 'Media type of the referrer, such as that of an SPDX document or a Sigstore bundle'),
      ('build_at', NULL, 'Time of the build, according to the tag'),
      ('base_image', '{postgres_images,postgres_latest}', 'Image that this one was built on, according to the publisher'),
      ('buildable', '{model_profiles}', 'Whether an engine for the GPU is built at the first start'),
      ('bytes', '{sync_run}', 'Bytes of response bodies'),
      ('cause', '{sync_run}', 'schedule (the agent) or call (a session)'),
      ('chain_position', '{decisions,audit}', 'Position in the chain of decisions and audit rows; null: the transaction has not ended'),
      ('client_address', '{decisions,audit}', 'Address of the client, for admins; null: a local socket, or the agent'),
      ('client_certificate', '{registries}', 'Whether a client certificate and key are stored'),
      ('color', '{hm_tags}', 'A name, or #rrggbb'),
      ('config_digest', '{image_platforms}', 'Digest of the platform''s config'),
      ('conflict', '{classification_conflicts}', 'What is contradictory, or could not be read'),
      ('conflicts', NULL, 'Contradictions between annotations, tag and repository'),
      ('consecutive_failures', '{sync_status}', 'Number of failed runs since the last one that was complete or partial; cancelled runs do not count'),
      ('contested', '{postgres_images,postgres_latest,extension_images}', 'Whether there are contradictions on flavor, major version, version, variant or OS (see conflicts); such an image is not chosen automatically'),
      ('created_at', NULL, 'When it was added'),
      ('created_at', '{images,postgres_images,postgres_latest,extension_images,model_library,image_platforms}', 'Creation time according to the publisher; first_seen_at is the library''s own time'),
      ('created_by', NULL, 'Role that added it'),
      ('created_text', '{images}', 'Creation time as published, if it is not a valid time'),
      ('credential_prefixes', '{registries}', 'Repository prefixes that have a credential; empty text: all repositories'),
      ('decided_at', '{decisions}', 'Time of the decision'),
      ('decision_id', '{decisions}', 'Number of the decision, ascending'),
      ('deprecated_from', NULL, 'Time from which the image is blocked; consumers are warned before; null: not deprecated'),
      ('deprecated_from', '{decisions}', 'Time from which the image is deprecated, for action deprecate'),
      ('description', NULL, 'Description according to the publisher'),
      ('description', '{repositories}', 'Description of the newest Postgres or model image, according to the publisher'),
      ('detail', '{sync_problem}', 'Description of the problem'),
      ('digest', NULL, 'Digest of the manifest or index, which identifies the image'),
      ('digest_changed_at', NULL, 'When the tag was last found to point at another digest'),
      ('enabled', '{registries}', 'Whether the agent syncs the registry'),
      ('enabled', '{rules}', 'Whether the rule is enabled'),
      ('engine', '{model_profiles}', 'Inference engine: tensorrt_llm, vllm, sglang ...'),
      ('error', '{sync_run}', 'Why the run failed or was not complete'),
      ('exclude_tags', '{rules}', 'Patterns of tags that the rule leaves out'),
      ('extension', '{extension_aliases,extension_images}', 'Name of the extension, as CREATE EXTENSION takes it'),
      ('extensions', NULL, 'Extensions as "name version"; image_extensions has one row for each'),
      ('features', NULL, 'Features according to the annotations: psr, pgd, analytics, tde'),
      ('finished_at', '{sync_run}', 'End of the run; null: the run has not ended'),
      ('first_seen_at', NULL, 'When a sync first found it'),
      ('flavor', NULL, 'postgresql (community), epas or pge'),
      ('format', NULL, 'Format of the model: nim, modelpack, kitops, docker-model, ollama ...'),
      ('gpu', '{model_profiles}', 'GPU that the profile is made for; null: any'),
      ('gpu_count', '{model_library}', 'Number of GPUs that the model needs, else that of the profile that needs the fewest; null: unknown'),
      ('gpu_count', '{model_profiles}', 'Number of GPUs needed: tp times pp, if these are known'),
      ('hm_tags', NULL, 'HM tags of the tag and of its repository, and those that the library sets itself'),
      ('how', '{extension_images}', 'image volume: the image holds the extension alone, for CloudNativePG to mount; included: a Postgres image that has it'),
      ('image_tags', '{hm_tags}', 'Number of image tags that have the HM tag'),
      ('images_added', '{sync_run}', 'Number of digests that were new to the library'),
      ('immutable_tags', '{rules}', 'Whether tags never move: known tags are not asked for again'),
      ('is_default', '{extension_aliases}', 'Whether the alias is one of the library, not set by an admin'),
      ('is_default', '{annotation_keys}', 'Whether the keys are the defaults of the library, not set by an admin'),
      ('keys', '{annotation_keys}', 'Annotation and label keys, the preferred one first; * matches any text'),
      ('kind', NULL, 'postgres, model or other'),
      ('kind', '{rules}', 'auto: as classified from the image; postgres, model or other set the kind'),
      ('labels', NULL, 'Labels of the image config, as published; many are inherited from base images'),
      ('last_error', '{sync_status}', 'Why the last run was not complete'),
      ('last_finished_at', '{sync_status}', 'End of the last run'),
      ('kinds', '{repositories}', 'Kinds of its images, of postgres and model; empty: only others'),
      ('last_seen_at', '{sync_problem}', 'When the problem last changed'),
      ('last_started_at', '{sync_status}', 'Start of the last run'),
      ('last_success_at', '{sync_status}', 'End of the last complete run'),
      ('listing_changed_at', '{repositories}', 'When the list of tags last changed'),
      ('lora', '{model_profiles}', 'Whether the profile is for LoRA adapters'),
      ('major_version', NULL, 'Major version of PostgreSQL'),
      ('manifest_digest', '{image_platforms}', 'Digest of the platform''s own manifest'),
      ('max_connections', '{registries}', 'Maximum number of connections at the same time'),
      ('media_type', '{images}', 'Media type of the manifest or index; of Docker''s schema 1 only the digest is stored'),
      ('missing_since', NULL, 'When the tag was first found missing in the registry; null: it is present'),
      ('model', NULL, 'Name of the model'),
      ('models', '{library_stats}', 'Tags of AI models'),
      ('model_version', NULL, 'Version of the model'),
      ('name', NULL, 'Name, as functions take it'),
      ('name', '{image_extensions}', 'Name of the extension, as CREATE EXTENSION takes it'),
      ('name', '{model_profiles}', 'Name of the profile, according to the publisher; a configuration without a name is described: 4 x l40s'),
      ('new_state', '{decisions}', 'State after the decision'),
      ('newest', '{rules}', 'Number of newest tags, by version order, that the rule takes; null: all'),
      ('next_at', '{sync_run}', 'When the next sync of the registry is due'),
      ('next_sync_at', '{sync_status}', 'When the next sync is due; null: the registry is disabled, has no rule, or is being synced'),
      ('not_before', '{sync_status}', 'Time before which the registry wants no request; null: none'),
      ('not_modified', '{sync_run}', 'Number of tags that point at the same digest as before'),
      ('old_state', '{decisions}', 'State before the decision'),
      ('os', '{image_platforms}', 'Operating system in the spelling of Go: linux, windows'),
      ('os', NULL, 'Operating system of the image: bookworm, trixie, ubi9 ...'),
      ('others', '{library_stats}', 'Tags of images that are neither Postgres nor models'),
      ('outcome', '{sync_run}', 'complete, partial (see sync_problem), failed, or cancelled by whoever had it run; null: the run has not ended'),
      ('own_ca', '{registries}', 'Whether the registry has its own CA certificate, which replaces the certificate store of the system'),
      ('owner', NULL, 'Role that owns it: curators who are members of it may act on it; null: admins may, and every curator may make decisions'),
      ('pending', '{library_stats}', 'Tags of images that nobody has decided on'),
      ('pinned_reference', NULL, 'host/repository:tag@digest: the tag with the digest that it points at now'),
      ('platform', '{image_platforms}', 'os/architecture, or os/architecture/variant'),
      ('platforms', NULL, 'Platforms that the rule asks for, as os/architecture (/variant); image_platforms has all'),
      ('platforms', '{rules}', 'Platforms of an image that are shown; null: all'),
      ('policies_checked_at', '{pending_images}', 'When the policies were evaluated for the image; null: not since it waits, or since a policy was enabled'),
      ('policy', '{decisions}', 'Policy that decided; null: none'),
      ('postgres_images', '{library_stats}', 'Tags of Postgres images'),
      ('pp', '{model_profiles}', 'Pipeline parallelism: number of GPUs in sequence; null: only gpu_count is known'),
      ('precision', '{model_profiles}', 'Numeric precision: fp8, bf16, int4 ...'),
      ('present', '{image_platforms}', 'False: the index names the platform, and the registry does not have it'),
      ('previous_approval', '{pending_images}', 'State of the previous digest'),
      ('previous_digest', '{pending_images}', 'Digest that the tag pointed at before'),
      ('previous_hash', '{decisions,audit}', 'Hash of the row before it in the chain; empty for the first'),
      ('row_hash', '{decisions,audit}', 'SHA-256 of the row and of the hash before it: see verify_audit'),
      ('transaction', '{decisions,audit}', 'Number of the transaction that wrote the row'),
      ('priority', '{rules}', 'If several include rules take a tag, the one with the lowest number, then the oldest, decides'),
      ('private', '{registries}', 'Whether only admins and members of the owner see the registry'),
      ('problem', '{sync_problem}', 'Kind of the problem'),
      ('problem', '{pending_images}', 'What could not be read of the image, or was found on the tag, as in sync_problem; null: nothing'),
      ('problems', '{sync_run}', 'Number of problems found in the run'),
      ('problems', '{sync_status}', 'Number of rows of the registry in sync_problem'),
      ('publisher', NULL, 'Publisher of the model'),
      ('proxy', '{registries}', 'HTTP proxy for its requests; null: none'),
      ('published_as', '{extension_images}', 'Name of the extension in the annotations or the repository'),
      ('purpose', '{annotation_keys}', 'Fact that the keys give'),
      ('quarantined_at', '{images}', 'When the image was put in quarantine, which blocks it in any state; null: not in quarantine'),
      ('qos', '{model_profiles}', 'Optimization target: latency, throughput or balanced'),
      ('readme', '{repositories}', 'README that a curator has set; null: none'),
      ('realm_hosts', '{registries}', 'Token servers that get the credentials, in addition to those of the registry''s own organization'),
      ('reason', '{decisions}', 'Reason given by the actor'),
      ('rejected', '{library_stats}', 'Tags of rejected images'),
      ('revoked', '{library_stats}', 'Tags of images whose approval was taken back'),
      ('reference', NULL, 'host/repository:tag, as container runtimes take it'),
      ('reference', '{repositories}', 'host/repository'),
      ('refused_at', '{refused_removals}', 'When the listing that lacks the tags was first seen'),
      ('referrer_digest', '{image_referrers}', 'Digest of the artifact that refers to the image'),
      ('registry', NULL, 'Name of the registry'),
      ('registry', '{library_stats}', 'Name of the registry; null: the total of all'),
      ('registry', '{image_referrers}', 'Registry that lists the referrer; null: the image''s own index lists it'),
      ('repository', '{image_referrers}', 'Repository that lists the referrer; null: the image''s own index lists it'),
      ('repositories', '{channels}', 'Names or patterns of the repositories whose images it has'),
      ('repositories', '{hm_tags}', 'Number of repositories that have the HM tag'),
      ('repositories', '{library_stats}', 'Number of repositories with a tag in the library'),
      ('repositories', '{rules}', 'Pattern of repository names'),
      ('repositories', '{sync_run}', 'Number of repositories that were read'),
      ('repositories', '{sync_status}', 'Number of repositories with a tag in the library'),
      ('repository', NULL, 'Repository name, relative to the registry''s prefix'),
      ('requests', '{sync_run}', 'Number of HTTP requests, including retries'),
      ('requests_per_run', '{registries}', 'Maximum number of requests of a run; the next run continues where one stopped; null: no limit'),
      ('requests_per_second', '{registries}', 'Maximum number of requests per second; null: no limit'),
      ('required_approvals', '{rules}', 'Number of people who must approve an image'),
      ('requested_at', '{pending_images}', 'When the approval was first requested; null: nobody has'),
      ('requested_reason', '{pending_images}', 'Reason of the first request that has one'),
      ('requesters', '{pending_images}', 'People who have requested the approval of the image, the first one first'),
      ('retries', '{sync_run}', 'Number of requests that were sent again'),
      ('rule_id', '{rules}', 'Number of the rule, as functions take it'),
      ('rule_id', '{decisions}', 'Rule that decided; null: none'),
      ('run_id', '{sync_run}', 'Number of the run, ascending'),
      ('since', '{pending_images}', 'Time since which the image has been waiting'),
      ('size_bytes', NULL, 'Compressed size in bytes for linux/amd64, otherwise for the first platform'),
      ('size_bytes', '{image_platforms}', 'Compressed size of config and layers in bytes'),
      ('size_bytes', '{image_referrers}', 'Size of the referrer''s manifest in bytes'),
      ('source', '{extension_aliases}', 'Where the two names are published'),
      ('source', '{image_referrers}', 'How the referrer was found: the referrers API, a fallback tag ...'),
      ('started_at', '{sync_run}', 'Start of the run'),
      ('separate_requester', '{rules}', 'Whether the approval of a person who requested an image does not count'),
      ('state', '{sync_status}', 'disabled, running, no rule (no rule includes anything, so there is nothing to sync), never synced, complete, partial, cancelled or failing'),
      ('sync_interval', '{registries}', 'Interval between syncs'),
      ('tag', NULL, 'Name of the tag'),
      ('tag', '{decisions}', 'Tag that the decision named; null: only the digest was named'),
      ('tag', '{sync_problem}', 'Tag with the problem; null: the problem concerns the whole repository'),
      ('tags', '{library_stats}', 'Number of present tags in the library'),
      ('tags', '{repositories}', 'Number of present tags in the library'),
      ('tags', '{refused_removals}', 'Tags that the listing lacked; they are not marked missing'),
      ('tags', '{rules}', 'Patterns of tags that the rule takes'),
      ('tags', '{sync_status}', 'Number of tags in the library'),
      ('tags_listed', '{repositories}', 'Number of tags in the last complete listing'),
      ('tags_missing', '{sync_run}', 'Number of tags that were found missing'),
      ('tags_moved', '{sync_run}', 'Number of tags that were found to point at another digest'),
      ('tags_seen', '{sync_run}', 'Number of listed tags that the rules take'),
      ('task', NULL, 'Task of the model, according to the publisher'),
      ('title', NULL, 'Title according to the publisher'),
      ('token_server', '{registries}', 'Host that issues tokens for the registry; null: none is needed, or the registry has not been synced'),
      ('tp', '{model_profiles}', 'Tensor parallelism: number of GPUs side by side; null: only gpu_count is known'),
      ('unmet_policies', '{pending_images}', 'Required policies that the image did not meet at policies_checked_at; null: not evaluated, see apply_policies'),
      ('url', '{registries}', 'URL of the registry; a path is a prefix of its repositories'),
      ('unread', '{images}', 'What of the image could not be read, see sync_problem: manifest (only the digest is known) or config (labels are not known); null: nothing'),
      ('valid', '{tag_history}', 'Period in which the tag pointed at the digest; periods of a tag do not overlap'),
      ('valid_until', '{images,decisions}', 'When the approval ends; null: never'),
      ('os', '{channels}', 'Operating system of its images; null: any, as long as there is only one'),
      ('variant', '{channels}', 'Variant of its images; empty: images without a variant; null: any, as long as there is only one'),
      ('variant', '{image_platforms}', 'Variant of the architecture, such as v7'),
      ('variant', NULL, 'Variant of the image: minimal, standard, full ...; null: none'),
      ('version', NULL, 'Version according to the annotations or the tag'),
      ('version', '{extension_images}', 'Version of the extension; null: unknown'),
      ('versions', '{channels}', 'Range of the versions of its images; null: all'),
      ('version', '{image_extensions}', 'Default version of the extension; null: unknown'),
      ('voters', '{pending_images}', 'People who have approved the image, while more are required'),
      ('votes', '{pending_images}', 'Number of people who have approved the image'),
      ('votes_needed', '{pending_images}', 'Number of people who must approve the image'),
      ('at', '{events}', 'Time of the event'),
      ('consumer', '{usage,drift}', 'Name of the consumer that runs the image, chosen by the caller of record_use'),
      ('detail', '{drift}', 'Description of the drift'),
      ('detail', '{events}', 'Further data of the event, as jsonb'),
      ('registry', '{usage,drift}', 'Name of the registry; null: the library does not know the image'),
      ('repository', '{usage,drift}', 'Repository; of an image that the library does not know with its host'),
      ('usable', '{drift}', 'Whether the image may still be used, as resolve says of its pinned reference'),
      ('drift', '{drift}', 'tag moved, pending, rejected, revoked, not usable, policy unmet, deprecated, missing, not admitted, major downgrade, newer build or newer minor'),
      ('event', '{events}', 'tag added, moved, missing or returned; image approved, rejected, revoked ...; approval requested; registry, rule, policy or channel added, changed, dropped'),
      ('event_id', '{events}', 'Number of the event, ascending'),
      ('location', '{usage,drift}', 'Where the consumer runs'),
      ('recorded_by', '{usage}', 'Role that recorded the use'),
      ('released_at', '{usage}', 'When the use ended; null: the image is in use'),
      ('used_since', '{usage}', 'When the use was recorded'),
      ('action', '{audit}', 'added, changed, dropped, or purged (events and history, by a person)'),
      ('actor', '{audit}', 'Session user, also inside SECURITY DEFINER functions and after SET ROLE'),
      ('at', '{audit}', 'Time of the change'),
      ('audit_id', '{audit}', 'Number of the change, ascending'),
      ('name', '{audit}', 'Name of the object, or the number of a rule'),
      ('new', '{audit}', 'New values, for a change those that differ; null: the object was dropped'),
      ('object', '{audit}', 'registry, rule, credential, client certificate, HM tag, HM tag of (something), policy, model facts, annotation key, channel, extension alias, removals (of a repository, accepted), events or history'),
      ('old', '{audit}', 'Old values, for a change those that differ, for a purge the age and number of rows; null: the object is new'),
      ('registry', '{audit}', 'Registry that the object belongs to; null: none'),
      ('applies_to', '{policies}', 'Kind of the images that the policy applies to: all, postgres, model or other; or consumer:<name>: the use by that consumer'),
      ('effect', '{policies}', 'require, auto_approve or warn'),
      ('enabled', '{policies}', 'Whether the policy is enabled'),
      ('function', '{policies}', 'Schema and name of the function'),
      ('name', '{policies}', 'Name of the policy'),
      ('runs_as', '{policies}', 'Owner of the function, whose rights it runs with; null: the function does not exist any more'),
      ('before_version', '{model_facts}', 'First later model version that the facts are not of; null: none'),
      ('disk_gb', '{model_profiles}', 'Disk space that container and model need, in GB, as published; null: unknown'),
      ('facts_from', '{model_library}', 'Where task, gpu_count and profiles come from: curator (set_model_facts), image (its labels and annotations), or shipped (what the vendor publishes)'),
      ('from_version', '{model_facts}', 'First model version that the facts are of; empty: any'),
      ('gpu_count', '{model_facts}', 'Number of GPUs that the model needs; null: that of the profile that needs the fewest'),
      ('gpu_memory_gb', '{model_profiles}', 'Memory that a GPU must have, in GB, as published; null: unknown'),
      ('model', '{model_facts}', 'Publisher and model of the repositories nim/<publisher>/<model> that the facts are of, in small letters, digits and dashes; null: the facts are of repository'),
      ('origin', '{model_facts}', 'curator, or shipped'),
      ('profiles', '{model_facts}', 'Profiles, with the keys of view model_profiles and a source if it is not that of the row; null: not set'),
      ('read_on', '{model_facts}', 'When the source was read'),
      ('reason', '{model_facts}', 'Reason given by the curator'),
      ('registry', '{model_facts}', 'Registry of the repository; null: the facts are of every repository with the model''s path'),
      ('repository', '{model_facts}', 'Repository that the facts are of; null: every repository with the model''s path'),
      ('set_at', '{model_facts}', 'When the facts were set'),
      ('set_by', '{model_facts}', 'Role that set the facts'),
      ('source', '{model_facts}', 'Where the vendor publishes the facts'),
      ('task', '{model_facts}', 'Task of the model; null: not set'),
      ('warning', '{registries}', 'Text of the registry''s last Warning header; null: none'),
      ('why', '{pending_images}', 'Why the image waits: new, tag moved, expired or reset')
    ) AS w (word, views, meaning)
    JOIN pg_attribute a ON a.attname = w.word AND a.attnum > 0
    JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind = 'v'
      AND (w.views IS NULL OR c.relname = ANY (w.views::text[]))
    ORDER BY c.oid, a.attnum, w.views IS NULL
  LOOP
    EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', relation, word, meaning);
  END LOOP;
END
$$;
-- Rights that concern all objects. GRANTs on single objects stand beside them; expected/catalog.out shows all rights.
-- Nothing is granted to PUBLIC, and no role except the agent may write a table.

REVOKE ALL ON ALL TABLES IN SCHEMA image_library, image_library_internal FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA image_library, image_library_internal FROM PUBLIC;

-- ALTER DEFAULT PRIVILEGES may have granted rights to other roles. With TRIGGER on a table a role could read its
-- secrets.
DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', o.object, a.grantee::regrole)
    FROM (
      SELECT format('SCHEMA %I', n.nspname), n.nspacl, n.nspowner FROM pg_namespace n WHERE n.nspname IN ('image_library', 'image_library_internal')
      UNION ALL
      SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass), c.relacl, c.relowner
      FROM pg_class c WHERE c.relnamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace) AND c.relkind IN ('r', 'v', 'S')
      UNION ALL
      SELECT format('ROUTINE %s', p.oid::regprocedure), p.proacl, p.proowner
      FROM pg_proc p WHERE p.pronamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace)
      UNION ALL
      SELECT format('TYPE %s', t.oid::regtype), t.typacl, t.typowner
      FROM pg_type t
      WHERE t.typnamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace) AND t.typtype IN ('c', 'd', 'e')
        AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
    ) AS o (object, acl, owner), LATERAL aclexplode(o.acl) AS a
    WHERE a.grantee <> o.owner AND a.grantee <> 0
      -- The rights of these roles are granted beside each object.
      AND a.grantee <> ALL ('{image_library_reader,image_library_curator,image_library_admin,image_library_agent}'::regrole[])
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA image_library TO image_library_reader, image_library_agent;
GRANT USAGE ON SCHEMA image_library_internal TO image_library_agent;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA image_library_internal TO image_library_agent;
-- pg_dump dumps all tables except those with secrets, the one whose rows the script itself inserts, and the counts, which
-- triggers write when tags are restored.

DO $$
DECLARE
  relation record;
BEGIN
  FOR relation IN
    SELECT c.oid::regclass AS name
    FROM pg_class c
    WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind IN ('r', 'S')
      AND c.relname NOT IN ('credential', 'client_certificate', 'shipped_model_fact', 'tag_count', 'filled_repository')
    ORDER BY c.oid
  LOOP
    PERFORM pg_extension_config_dump(relation.name, '');
  END LOOP;
END
$$;
-- Every object belongs to a role that is not a superuser, which limits the damage if a function with its owner's rights
-- is misused. No file that creates objects comes after this one.

DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT format('ALTER SCHEMA %I OWNER TO image_library_owner', n.nspname)
    FROM pg_namespace n WHERE n.nspname IN ('image_library', 'image_library_internal')
    UNION ALL
    SELECT format('ALTER %s %s OWNER TO image_library_owner', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
                  c.oid::regclass)
    FROM pg_class c WHERE c.relnamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace) AND c.relkind IN ('r', 'v', 'c')
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO image_library_owner', p.oid::regprocedure)
    FROM pg_proc p WHERE p.pronamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace)
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$;

-- Row level security does not apply to the owner of the tables.
GRANT SELECT ON image_library_internal.registry, image_library_internal.repository, image_library_internal.tag, image_library_internal.entry,
  image_library_internal.image, image_library_internal.approval TO image_library_views;
ALTER VIEW image_library_internal.usable_entries OWNER TO image_library_views;
ALTER VIEW image_library_internal.visible_tags OWNER TO image_library_views;
GRANT SELECT ON image_library_internal.usable_entries, image_library_internal.visible_tags TO image_library_owner;
-- The agent looks at the database when this commits. Every upgrade script ends in the same way: what made workers fail
-- may be gone.

SELECT image_library_internal.wake_agent();

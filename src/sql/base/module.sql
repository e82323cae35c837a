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
  'The names of repositories, tags or places (host/repository), or any texts, that match any of some patterns, each with the first one; raises 22023 or 2201B';
GRANT EXECUTE ON FUNCTION image_library_internal.matching_names TO image_library_agent;

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

CREATE FUNCTION image_library_internal.worker_failure(registry_id integer, since timestamptz) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_worker_failure';
COMMENT ON FUNCTION image_library_internal.worker_failure IS
  'Why the last worker of this database that failed while it was syncing the registry did so, if that was at that time or later; else NULL';
GRANT EXECUTE ON FUNCTION image_library_internal.worker_failure TO image_library_agent;

CREATE FUNCTION image_library.agent_status()
RETURNS TABLE (launcher_pid integer, preloaded boolean, database text, workers integer, due_at timestamptz, failures integer,
  last_failed_at timestamptz, last_failure text, last_error text, state text, launcher_started_at timestamptz, worker_pids integer[], waiting integer)
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_agent_status';
COMMENT ON FUNCTION image_library.agent_status IS
  'Whether the agent runs and since when, how many databases wait for a worker, and for this database (members of pg_read_all_stats: for each with a library) its state, its workers, when the next one is due, how many in a row have failed, the last failure (its text for admins), and what prevents the agent from working';
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

-- Functions that connect, change and remove registries.

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
      message => format('registry %s does not exist', coalesce('"' || image_library_internal.without_secrets(registry) || '"', 'null')),
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
  requests_per_second integer, ca_certificate text, requests_per_run integer, signature_megabytes integer)
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
  IF signature_megabytes IS NULL OR signature_megabytes < 1 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('signature_megabytes is out of range: %s', coalesce(signature_megabytes::text, 'null')),
      hint => 'It must be at least 1.');
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
  requests_per_run integer DEFAULT NULL, signature_megabytes integer DEFAULT 1024)
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
                                                requests_per_run, signature_megabytes);
  proxy := image_library_internal.parse_proxy_url(nullif(proxy, ''));
  PERFORM image_library_internal.require_allowed_host(parsed.scheme, parsed.host, coalesce(proxy, ''));
  INSERT INTO image_library_internal.registry (name, scheme, host, prefix, sync_interval, max_connections,
                                      requests_per_second, ca_certificate, allow_private, owner, private,
                                      proxy, realm_hosts, requests_per_run, signature_megabytes)
  VALUES (add_registry.name, parsed.scheme, parsed.host, parsed.prefix, add_registry.sync_interval,
          add_registry.max_connections, add_registry.requests_per_second, add_registry.ca_certificate,
          coalesce(add_registry.allow_private, false), nullif(image_library_internal.checked_owner(add_registry.owner), '-'::regrole),
          coalesce(add_registry.private, false),
          add_registry.proxy, image_library_internal.check_realm_hosts(add_registry.realm_hosts), add_registry.requests_per_run,
          add_registry.signature_megabytes)
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
  requests_per_run integer DEFAULT NULL, signature_megabytes integer DEFAULT NULL)
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
  -- Another host changes what is trusted there; a change of trust locks in this order.
  IF url IS NOT NULL THEN
    PERFORM image_library_internal.lock_trust(exclusive => true);
  END IF;
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
  signature_megabytes := coalesce(signature_megabytes, old.signature_megabytes);
  PERFORM image_library_internal.check_registry_options(sync_interval, max_connections, requests_per_second, ca_certificate,
                                                requests_per_run, signature_megabytes);
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
      signature_megabytes = alter_registry.signature_megabytes,
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

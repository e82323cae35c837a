-- Functions for credentials; their tables are in registry/tables.

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

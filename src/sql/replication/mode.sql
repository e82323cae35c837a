-- A hub and its locations: a location has the library by logical replication, and nothing else writes it there.

CREATE FUNCTION image_library_internal.refuse_in_replica() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'image_library_refuse_in_replica';
COMMENT ON FUNCTION image_library_internal.refuse_in_replica IS
  'Raises 25006 if image_library.mode is replica, and 55000 if session_replication_role is replica, unless the session is a superuser''s or a worker of logical replication';

CREATE FUNCTION image_library_internal.is_replica() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.is_tag('loads the module');
  RETURN current_setting('image_library.mode') = 'replica';
END
$$;
COMMENT ON FUNCTION image_library_internal.is_replica IS 'Whether the library comes from a hub (image_library.mode is replica)';
GRANT EXECUTE ON FUNCTION image_library_internal.is_replica TO image_library_reader;

-- Their columns never leave the server: not in dumps, in no publication that holds a secret, readable by no role.
CREATE FUNCTION image_library_internal.secret_tables() RETURNS regclass[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{image_library_internal.credential,image_library_internal.client_certificate}'::regclass[] $$;
COMMENT ON FUNCTION image_library_internal.secret_tables IS 'Tables with passwords and private keys';

-- The acting role, and checks of its rights.
-- Functions that a decision calls are in PL/pgSQL, which keeps their plans: one in SQL with SET is parsed and planned again
-- in each transaction. One with RETURN becomes a part of the expression that calls it.

CREATE FUNCTION image_library_internal.acting_role() RETURNS name
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_acting_role';
COMMENT ON FUNCTION image_library_internal.acting_role IS
  'Role on whose behalf a function of the library runs; raises 42501 if that cannot be determined';

CREATE FUNCTION image_library_internal.viewer() RETURNS name
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'image_library_viewer';
COMMENT ON FUNCTION image_library_internal.viewer IS 'Role that reads a view';
GRANT EXECUTE ON FUNCTION image_library_internal.viewer TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.has_rights_of(member name, role regrole) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_has_rights_of';
COMMENT ON FUNCTION image_library_internal.has_rights_of IS
  'Whether a role has the rights of another, or may take them by SET ROLE: a membership without both, which PostgreSQL 16 allows, gives none; null: there is no other role';
GRANT EXECUTE ON FUNCTION image_library_internal.has_rights_of TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.has_role(role_name name) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN coalesce(image_library_internal.has_rights_of(image_library_internal.acting_role(), to_regrole(quote_ident(role_name))), false);
END
$$;
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
      IF owner IS NOT NULL AND image_library_internal.has_rights_of(image_library_internal.acting_role(), owner) THEN
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
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  IF image_library_internal.has_rights_of(viewer, to_regrole('image_library_admin')) THEN
    RETURN '{}';
  END IF;
  RETURN ARRAY(SELECT g.registry_id FROM image_library_internal.registry g
               WHERE g.private AND NOT coalesce(image_library_internal.has_rights_of(viewer, g.owner), false)
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
RETURN coalesce(image_library_internal.has_rights_of(image_library_internal.viewer(), to_regrole('image_library_admin')), false);
COMMENT ON FUNCTION image_library_internal.sees_everything IS 'Whether the viewer may see rows of dropped registries';
GRANT EXECUTE ON FUNCTION image_library_internal.sees_everything TO image_library_reader, image_library_agent;

CREATE FUNCTION image_library_internal.keeps_snapshot() RETURNS boolean
LANGUAGE sql STABLE
RETURN current_setting('transaction_isolation') IN ('repeatable read', 'serializable');
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

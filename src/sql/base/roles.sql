-- Roles belong to the cluster: CREATE EXTENSION in a second database uses the existing ones, DROP EXTENSION keeps them.
DO $$
DECLARE
  role_name text;
  purpose text;
  users text;
BEGIN
  FOR role_name, purpose IN VALUES
    ('image_library_reader', 'reads the views of image_library'),
    ('image_library_curator', 'approves images, gives HM tags, rules the repositories that its team owns'),
    ('image_library_admin', 'connects registries, keeps credentials, rules everything in image_library'),
    ('image_library_webhook', 'passes on what registries send to their webhooks, and may do nothing else'),
    ('image_library_agent', 'the rights that the sync agent works with; nobody logs in as it'),
    ('image_library_owner', 'owns the objects of image_library, so that they have no superuser''s rights; nobody is a member'),
    ('image_library_views', 'owns the views of image_library that row level security filters; nobody is a member')
  LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
      EXECUTE format('COMMENT ON ROLE %I IS %L', role_name, purpose);
    END IF;
  END LOOP;
  -- Roles that were there before may have been created by whoever may create roles, who then has the library.
  FOR role_name, users IN
    SELECT r.rolname, CASE WHEN r.rolcanlogin THEN r.rolname ELSE m.names END
    FROM pg_roles r
    CROSS JOIN LATERAL (
      SELECT string_agg(quote_ident(o.rolname), ', ' ORDER BY o.rolname) AS names
      FROM pg_auth_members a JOIN pg_roles o ON o.oid = a.member WHERE a.roleid = r.oid AND NOT o.rolsuper) m
    WHERE r.rolname IN ('image_library_owner', 'image_library_agent', 'image_library_views') AND (r.rolcanlogin OR m.names IS NOT NULL)
  LOOP
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('role "%s" can be used by %s', role_name, users),
      DETAIL = 'Whoever can use it can change everything in the library, past its functions.',
      HINT = 'Make it NOLOGIN, and revoke it from its members; or drop it, and CREATE EXTENSION creates it.';
  END LOOP;
  FOR role_name, users IN
    SELECT r.rolname, string_agg(quote_ident(o.rolname), ', ' ORDER BY o.rolname)
    FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles o ON o.oid = a.member
    WHERE r.rolname IN ('image_library_reader', 'image_library_curator', 'image_library_admin', 'image_library_webhook')
      AND a.admin_option AND NOT o.rolsuper
    GROUP BY r.rolname
  LOOP
    RAISE WARNING USING
      MESSAGE = format('role "%s" can be granted by %s', role_name, users),
      HINT = format('If that is not meant: REVOKE ADMIN OPTION FOR %I FROM %s.', role_name, users);
  END LOOP;
  IF NOT pg_has_role('image_library_curator', 'image_library_reader', 'MEMBER') THEN
    GRANT image_library_reader TO image_library_curator;
  END IF;
  IF NOT pg_has_role('image_library_admin', 'image_library_curator', 'MEMBER') THEN
    GRANT image_library_curator TO image_library_admin;
  END IF;
END
$$;

-- What a hub publishes. Everything but secrets, and what the extension script itself writes.

CREATE FUNCTION image_library_internal.published_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.oid::regclass FROM pg_class c
  WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.oid <> ALL (image_library_internal.secret_tables()::oid[]) AND c.relname NOT IN ('shipped_model_fact', 'shipped_privilege', 'staged_line')
  ORDER BY c.relname
$$;
COMMENT ON FUNCTION image_library_internal.published_tables IS 'Tables that create_publication publishes';

-- Publications FOR ALL TABLES and FOR TABLES IN SCHEMA have every table, the secret ones too.
CREATE FUNCTION image_library_internal.publications_of_secrets() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(DISTINCT format('"%s"', p.pubname), ', ')
  FROM pg_publication p CROSS JOIN LATERAL pg_get_publication_tables(p.pubname) t
  WHERE t.relid = ANY (image_library_internal.secret_tables()::oid[])
$$;
COMMENT ON FUNCTION image_library_internal.publications_of_secrets IS 'Names of the publications that have a table with secrets; null: none';

CREATE FUNCTION image_library_internal.refuse_published_secret() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  publications text := image_library_internal.publications_of_secrets();
BEGIN
  PERFORM image_library_internal.require_read_committed();
  IF publications IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot store a secret: publication %s would send it to its subscribers', publications),
      detail => format('The publication has table %s.%s.', TG_TABLE_SCHEMA, TG_TABLE_NAME),
      hint => 'Publish the tables of image_library.create_publication instead, or name a file or variable: see image_library.set_credential_file.');
  END IF;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_published_secret IS 'Raises 55000 if a publication has a table with secrets';
CREATE TRIGGER refuse_published_secret BEFORE INSERT OR UPDATE ON image_library_internal.credential
  FOR EACH ROW WHEN (NEW.password IS NOT NULL) EXECUTE FUNCTION image_library_internal.refuse_published_secret();
CREATE TRIGGER refuse_published_secret BEFORE INSERT OR UPDATE ON image_library_internal.client_certificate
  FOR EACH ROW EXECUTE FUNCTION image_library_internal.refuse_published_secret();
COMMENT ON TRIGGER refuse_published_secret ON image_library_internal.credential IS 'Refuses a password while a publication would send it';
COMMENT ON TRIGGER refuse_published_secret ON image_library_internal.client_certificate IS 'Refuses a private key while a publication would send it';

-- The other order: the secret was there before the publication. A superuser who means it disables the event trigger.
CREATE FUNCTION image_library_internal.refuse_publication_of_secrets() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  publications text := image_library_internal.publications_of_secrets();
  passwords bigint;
  certificates bigint;
BEGIN
  IF publications IS NULL THEN
    RETURN;
  END IF;
  PERFORM image_library_internal.require_read_committed();
  -- Waits for transactions that store a secret; others wait for this one, and then see the publication.
  LOCK TABLE image_library_internal.credential, image_library_internal.client_certificate IN SHARE MODE;
  SELECT count(*) INTO passwords FROM image_library_internal.credential c WHERE c.password IS NOT NULL;
  SELECT count(*) INTO certificates FROM image_library_internal.client_certificate;
  IF passwords + certificates > 0 THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('publication %s would send the secrets of image_library to its subscribers', publications),
      detail => format('Passwords: %s, client certificates: %s.', passwords, certificates),
      hint => 'Publish the library with image_library.create_publication, and other tables by name. Without secrets in the database any publication is allowed: see image_library.set_credential_file and drop_credential.');
  END IF;
  RAISE NOTICE USING
    MESSAGE = format('publication %s has the tables for secrets of image_library, which are empty of them', publications),
    DETAIL = 'While it exists, set_credential and set_client_certificate are refused.',
    HINT = 'image_library.create_publication publishes the library without them.';
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_publication_of_secrets IS
  'Raises 55000 if a publication has the tables with secrets, and there are secrets in them';
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtname = 'image_library_secrets') THEN
    CREATE EVENT TRIGGER image_library_secrets ON ddl_command_end
      WHEN TAG IN ('CREATE PUBLICATION', 'ALTER PUBLICATION') EXECUTE FUNCTION image_library_internal.refuse_publication_of_secrets();
  END IF;
END
$$;
COMMENT ON EVENT TRIGGER image_library_secrets IS 'Refuses publications that would send the secrets of image_library';

-- With the rights of the caller, who must be a superuser: only those may publish tables of another role.
CREATE FUNCTION image_library.create_publication(name text DEFAULT 'image_library', subscriber regrole DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tables text[];
BEGIN
  IF EXISTS (SELECT FROM pg_roles r WHERE r.oid = subscriber AND NOT (r.rolsuper OR r.rolreplication AND r.rolbypassrls)) THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('role %s cannot replicate the library', subscriber),
      detail => 'Its tables have row level security, which would leave rows out of the first copy.',
      hint => format('ALTER ROLE %s REPLICATION BYPASSRLS.', subscriber));
  END IF;
  tables := ARRAY(SELECT format('%s', t) FROM image_library_internal.published_tables() t);
  IF EXISTS (SELECT FROM pg_publication p WHERE p.pubname = create_publication.name AND p.puballtables) THEN
    PERFORM image_library_internal.fail(
      errcode => 'duplicate_object',
      message => format('publication "%s" exists already, FOR ALL TABLES', name),
      hint => 'Name another one, or drop it.');
  ELSIF EXISTS (SELECT FROM pg_publication p WHERE p.pubname = create_publication.name) THEN
    EXECUTE format('ALTER PUBLICATION %I SET TABLE %s', name, array_to_string(tables, ', '));
  ELSE
    EXECUTE format('CREATE PUBLICATION %I FOR TABLE %s', name, array_to_string(tables, ', '));
  END IF;
  IF subscriber IS NOT NULL THEN
    EXECUTE format('GRANT USAGE ON SCHEMA image_library_internal TO %s', subscriber);
    EXECUTE format('GRANT SELECT ON %s TO %s', array_to_string(tables, ', '), subscriber);
  END IF;
  RETURN cardinality(tables);
END
$$;
COMMENT ON FUNCTION image_library.create_publication IS
  'Publishes the library for locations that subscribe: all its tables but those with secrets. An existing publication gets the tables of this version, as after an upgrade. subscriber: the role that subscribers log in with, which gets the right to read them. Returns the number of tables; for superusers';
GRANT EXECUTE ON FUNCTION image_library.create_publication TO image_library_admin;

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
  SELECT x.repository_id, x.digest, x.name, coalesce(a.extension, image_library_internal.alias_key(x.name)) AS extension, x.version,
         x.description
  FROM image_library_internal.image_extension x
  LEFT JOIN image_library.extension_aliases a ON a.alias = image_library_internal.alias_key(x.name);
COMMENT ON VIEW image_library_internal.named_extensions IS
  'Extensions of images with the name that CREATE EXTENSION takes';

CREATE FUNCTION image_library_internal.has_extensions(repository_id integer, digest text, min_extensions jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (
    SELECT FROM jsonb_each_text(coalesce(min_extensions, '{}')) AS wanted (name, version)
    LEFT JOIN image_library.extension_aliases a ON a.alias = image_library_internal.alias_key(wanted.name)
    WHERE NOT EXISTS (
      SELECT FROM image_library_internal.named_extensions x
      WHERE x.repository_id = has_extensions.repository_id AND x.digest = has_extensions.digest
        AND x.extension = coalesce(a.extension, image_library_internal.alias_key(wanted.name))
        AND image_library.version_key(coalesce(nullif(x.version, ''), '0'))
            >= image_library.version_key(coalesce(nullif(wanted.version, ''), '0'))))
$$;
COMMENT ON FUNCTION image_library_internal.has_extensions IS
  'Whether an image of a repository has extensions, by any of their names, each in at least a version (null or empty: any)';

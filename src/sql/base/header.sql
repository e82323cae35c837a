\echo Use "CREATE EXTENSION image_library" to load this file. \quit

SET LOCAL search_path = pg_catalog, pg_temp;

-- The server may still run the module of an older version: it loads another one when it starts.
DO $$
BEGIN
  CREATE FUNCTION pg_temp.require_module() RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'image_library_require_module';
EXCEPTION
  WHEN undefined_function THEN
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = 'the server still runs the module of an older version of image_library',
      HINT = 'Restart the server, then run the command again.';
END
$$;
SELECT pg_temp.require_module();
DROP FUNCTION pg_temp.require_module();

-- If a schema with one of these names exists already, the installation fails, so that no object of another role is in
-- it.
CREATE SCHEMA image_library;
COMMENT ON SCHEMA image_library IS
  'A governed library of container images: registries, rules, images, approvals, and the views that consumers read';
CREATE SCHEMA image_library_internal;
COMMENT ON SCHEMA image_library_internal IS 'Tables and internal functions of image_library; its views and functions are in schema image_library';

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

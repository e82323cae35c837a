-- Errors: their context names the functions of users, and no internal ones.
\set ON_ERROR_STOP off
SELECT image_library.resolve('registry.example.com/nothing:1');
SELECT image_library.reject('registry.example.com/nothing:1');
SELECT image_library.resolve('registry.example.com/UPPER:1');
SELECT image_library.add_registry('errors', 'ftp://registry.example.com');

CREATE SCHEMA test;
CREATE FUNCTION test.provision(reference text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN image_library.resolve(reference);
END
$$;
CREATE FUNCTION test.resolve(reference text) RETURNS text LANGUAGE sql AS $$
  SELECT test.provision(reference);
  SELECT image_library.resolve(reference);
$$;
-- A function of the same name as ours, and one that is called like our schema.
CREATE FUNCTION test."image_library.x"(reference text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  context text;
BEGIN
  PERFORM test.resolve(reference);
EXCEPTION WHEN undefined_object THEN
  GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
  RETURN context;
END
$$;
SELECT test.provision('registry.example.com/nothing:1');
SELECT test.resolve('registry.example.com/nothing:1');
SELECT test."image_library.x"('registry.example.com/nothing:1');
DO $$ BEGIN PERFORM image_library.reject('registry.example.com/nothing:1'); END $$;

-- A trigger for users' tables.
CREATE TABLE test.cluster (image text);
CREATE TRIGGER approved BEFORE INSERT ON test.cluster FOR EACH ROW EXECUTE FUNCTION image_library.require_approved('image');
COPY test.cluster FROM stdin;
registry.example.com/nothing:1
\.
-- For those who look for an error of the library itself. Called before too, so that PostgreSQL has nothing to tell of its caches.
\set VERBOSITY terse
SELECT count(*) > 0 AS all_is_shown FROM regexp_matches(test."image_library.x"('registry.example.com/nothing:1'), 'image_library_internal.find_image');
SET client_min_messages = debug1;
SELECT count(*) > 0 AS all_is_shown FROM regexp_matches(test."image_library.x"('registry.example.com/nothing:1'), 'image_library_internal.find_image');
RESET client_min_messages;
\set VERBOSITY default
SET client_min_messages = warning;
DROP SCHEMA test CASCADE;
RESET client_min_messages;

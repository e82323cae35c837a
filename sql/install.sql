-- Installing: more than one database, again after a drop, and where it is refused.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off
SELECT current_database() AS first_database \gset
DROP EXTENSION image_library;
SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'image\_library%';
SELECT string_agg(rolname, ' ' ORDER BY rolname) AS roles_stay FROM pg_roles WHERE rolname LIKE 'image\_library\_%';
CREATE EXTENSION image_library;
SELECT image_library.add_registry('local', 'http://localhost:5000', allow_private => true);
DROP EXTENSION image_library;
CREATE EXTENSION image_library;
SELECT count(*) FROM image_library.registries;

-- A second database finds the roles, and has a library of its own.
CREATE DATABASE image_library_second ENCODING 'UTF8' TEMPLATE template0;
\c image_library_second
SET client_min_messages = warning;
CREATE EXTENSION image_library;
SELECT image_library.add_registry('second', 'https://registry.example.com');
SELECT name FROM image_library.registries;
SELECT rolname FROM pg_roles WHERE rolname LIKE 'image\_library\_%' ORDER BY 1;
-- It is where it is: not relocatable, in its own schema.
CREATE SCHEMA elsewhere;
ALTER EXTENSION image_library SET SCHEMA elsewhere;
CREATE EXTENSION image_library;
-- Parts cannot be taken from it.
DROP TABLE image_library_internal.tag;
DROP VIEW image_library.images;
\c :first_database
SELECT count(*) FROM image_library.registries;
DROP DATABASE image_library_second;

-- No schema of the database's owner is needed, and none that he drops takes it along.
CREATE ROLE test_owner;
CREATE DATABASE image_library_owned OWNER test_owner ENCODING 'UTF8' TEMPLATE template0;
\c image_library_owned
SET client_min_messages = warning;
CREATE EXTENSION image_library;
SELECT extnamespace::regnamespace AS schema FROM pg_extension WHERE extname = 'image_library';
SELECT image_library.add_registry('kept', 'https://registry.example.com');
SET ROLE test_owner;
DROP SCHEMA public CASCADE;
RESET ROLE;
SELECT name FROM image_library.registries;
DROP EXTENSION image_library;
CREATE EXTENSION image_library;
SELECT count(*) FROM image_library.registries;
\c :first_database
DROP DATABASE image_library_owned;
DROP ROLE test_owner;

-- Another encoding is refused, and leaves nothing.
CREATE DATABASE image_library_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0;
\c image_library_ascii
\set SHOW_CONTEXT never
CREATE EXTENSION image_library;
\echo :SQLSTATE
SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'image\_library%';
SELECT count(*) FROM pg_extension WHERE extname = 'image_library';
\c :first_database
DROP DATABASE image_library_ascii;

-- A schema of that name made by someone else stops it: nobody's objects become ours.
DROP EXTENSION image_library;
CREATE SCHEMA image_library;
CREATE EXTENSION image_library;
CREATE EXTENSION image_library SCHEMA public;
DROP SCHEMA image_library;
-- Only a superuser installs it.
CREATE ROLE test_owner;
SELECT format('GRANT CREATE ON DATABASE %I TO test_owner', current_database()) AS command \gset
:command;
SET ROLE test_owner;
CREATE EXTENSION image_library;
RESET ROLE;
SELECT format('REVOKE CREATE ON DATABASE %I FROM test_owner', current_database()) AS command \gset
:command;
DROP ROLE test_owner;
CREATE EXTENSION image_library;
SELECT extversion IS NOT NULL AS installed FROM pg_extension WHERE extname = 'image_library';

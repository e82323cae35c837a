-- Attacks with what PostgreSQL itself offers: predefined roles, settings, options of memberships, roles that are there before the extension.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_team;
CREATE ROLE test_curator IN ROLE image_library_curator;
CREATE ROLE test_writes_all IN ROLE pg_write_all_data;
CREATE ROLE test_reader_writes_all IN ROLE image_library_reader, pg_write_all_data;
CREATE ROLE test_admin_writes_all IN ROLE image_library_admin, pg_write_all_data;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true), add_registry('secret', 'http://localhost:5001', allow_private => true, owner => 'test_team', private => true), add_rule('local', '**'), add_rule('secret', '**');
SELECT test.sync(name, 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}}') ->> 'tags_added' AS tags_added FROM unnest('{local,secret}'::text[]) name;
SELECT count(approve(reference)) FROM images WHERE tag = '17.4';
SELECT add_hm_tag('green');

-- A member of pg_write_all_data writes no table, because of row level security, and no view, through which it would write the table as its owner.
CREATE FUNCTION test.writes(role_name name) RETURNS TABLE (relation regclass, write text, outcome text) LANGUAGE plpgsql AS $$
DECLARE
  statement text;
  written bigint;
BEGIN
  FOR relation, write, statement IN
    SELECT c.oid, w.name, format(w.form, c.oid::regclass, a.attname)
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1,
    LATERAL (VALUES ('insert', 'INSERT INTO %s DEFAULT VALUES'), ('update', 'UPDATE %s SET %I = NULL'), ('delete', 'DELETE FROM %s')) AS w (name, form)
    WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND c.relkind IN ('r', 'v')
    ORDER BY c.relkind, c.relname, w.name
  LOOP
    BEGIN
      PERFORM set_config('role', role_name, true);
      EXECUTE statement;
      GET DIAGNOSTICS written = ROW_COUNT;
      outcome := 'written: ' || written;
    EXCEPTION WHEN OTHERS THEN
      outcome := SQLSTATE;
    END;
    PERFORM set_config('role', 'none', true);
    -- 55000: a view that no statement can write; class 23: a constraint, which is checked before row level security.
    IF outcome NOT IN ('written: 0', '42501', '55000') AND NOT (outcome LIKE '23%' AND write = 'insert') THEN
      RETURN NEXT;
    END IF;
  END LOOP;
END
$$;
SELECT role_name, w.* FROM unnest('{test_writes_all,test_reader_writes_all,test_admin_writes_all}'::name[]) role_name, test.writes(role_name) w;
SELECT test.outcome_as('test_reader_writes_all', $$INSERT INTO image_library.events (event) VALUES ('image approved')$$);
SELECT test.outcome_as('test_reader_writes_all', $$DELETE FROM image_library.events$$);
SELECT test.outcome_as('test_reader_writes_all', $$DELETE FROM image_library_internal.pickable_entries$$);

-- A curator who may switch triggers off decides nothing past the audit and the chain.
SAVEPOINT granted;
GRANT SET ON PARAMETER session_replication_role TO test_curator;
SET SESSION AUTHORIZATION test_curator;
SET LOCAL session_replication_role = replica;
SELECT test.outcome($$SELECT image_library.approve('localhost:5000/postgresql:17.5')$$);
SELECT test.outcome($$SELECT image_library.record_use('localhost:5000/postgresql:17.4', 'cluster')$$);
SET LOCAL session_replication_role = origin;
SELECT test.outcome($$SELECT image_library.record_use('localhost:5000/postgresql:17.4', 'cluster')$$);
ROLLBACK TO granted;

-- A policy means the same whatever its caller has set.
CREATE FUNCTION test.is_no_minor(image images) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN image.tag !~ '^17\.\d$'; END $$;
CREATE FUNCTION test.settings(image images) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', (SELECT string_agg(concat_ws(' ', name, setting), ', ' ORDER BY name) FROM pg_settings WHERE name = ANY (
    '{standard_conforming_strings,transform_null_equals,array_nulls,DateStyle,IntervalStyle,TimeZone,bytea_output,extra_float_digits,row_security,quote_all_identifiers,default_text_search_config,gin_fuzzy_search_limit,plpgsql.check_asserts}'));
END
$$;
CREATE FUNCTION test.asserts(image images) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN ASSERT image.tag <> '17.5', 'is 17.5'; RETURN true; END $$;
SELECT add_policy('asserts', 'test.asserts(images)'), add_policy('no minor', 'test.is_no_minor(images)'), add_policy('settings', 'test.settings(images)');
SAVEPOINT odd;
SET LOCAL escape_string_warning = off;
SET LOCAL standard_conforming_strings = off;
SET LOCAL transform_null_equals = on;
SET LOCAL array_nulls = off;
SET LOCAL datestyle = 'German';
SET LOCAL intervalstyle = 'iso_8601';
SET LOCAL timezone = '<far>-167';
SET LOCAL bytea_output = 'escape';
SET LOCAL extra_float_digits = -15;
SET LOCAL quote_all_identifiers = on;
SET LOCAL default_text_search_config = 'pg_catalog.english';
SET LOCAL gin_fuzzy_search_limit = 1;
SET LOCAL plpgsql.check_asserts = off;
-- What PL/pgSQL has read so in this session does not count.
SELECT test.is_no_minor(i) FROM images i WHERE registry = 'local' AND tag = '17.5';
SELECT policy, reason FROM policy_failures('localhost:5000/postgresql:17.5');
SELECT test.outcome_as('test_curator', $$SELECT image_library.approve('localhost:5000/postgresql:17.5')$$) LIKE '55000: %"no minor": it returned false%' AS refused;
SHOW standard_conforming_strings;
SHOW timezone;
ROLLBACK TO odd;
SELECT count(drop_policy(name)) FROM policies;

-- Since PostgreSQL 16 a membership may give nothing, as that of who has created a role with CREATEROLE. Before, it is none at all.
CREATE ROLE test_suspended IN ROLE image_library_curator;
DO $$
BEGIN
  IF current_setting('server_version_num')::integer >= 160000 THEN
    GRANT test_team, image_library_admin TO test_suspended;
    EXECUTE 'GRANT test_team, image_library_admin TO test_suspended WITH INHERIT FALSE, SET FALSE, ADMIN FALSE';
  END IF;
END
$$;
SELECT who, test.outcome_as(who, 'SELECT string_agg(name, '', '' ORDER BY name) FROM image_library.registries') AS registries,
       split_part(test.outcome_as(who, 'SELECT image_library.resolve(''localhost:5001/postgresql:17.4'')'), E'\n', 1) AS resolves,
       split_part(test.outcome_and_back(who, 'SELECT image_library.revoke(''localhost:5001/postgresql:17.4'')'), E'\n', 1) AS revokes,
       split_part(test.outcome_and_back(who, 'SELECT image_library.drop_registry(''local'', true)'), E'\n', 1) AS drops
FROM unnest('{test_suspended}'::text[]) who;
-- One that must be taken by SET ROLE counts, as ever.
CREATE ROLE test_member NOINHERIT IN ROLE image_library_curator, test_team;
SELECT image_library_internal.has_rights_of('test_member', 'test_team'), image_library_internal.has_rights_of('test_suspended', 'test_team'), image_library_internal.has_rights_of('test_team', 4294967295::oid);

-- Roles of the library that somebody has created before it, to own it later.
SET CONSTRAINTS ALL IMMEDIATE;
SET LOCAL client_min_messages = warning;
DROP EXTENSION image_library CASCADE;
SAVEPOINT before;
GRANT image_library_owner TO test_curator;
CREATE EXTENSION image_library;
ROLLBACK TO before;
ALTER ROLE image_library_agent LOGIN;
CREATE EXTENSION image_library;
ROLLBACK TO before;
GRANT image_library_admin TO test_curator WITH ADMIN OPTION;
CREATE EXTENSION image_library;
ROLLBACK;

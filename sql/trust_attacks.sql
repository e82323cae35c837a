-- Attacks on signatures, bundles, webhooks and advice: inputs that are very long, empty or of strange values, and what an error says of them.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
\set signed_images :srcdir '/test/lib/signed_images.sql'
\i :signed_images
CREATE ROLE regress_admin IN ROLE image_library_admin;
CREATE ROLE regress_reader IN ROLE image_library_reader;
CREATE ROLE regress_owner IN ROLE image_library_curator;
SELECT count(add_registry(name, 'https://' || name || '.example', private => name = 'secret', owner => CASE name WHEN 'secret' THEN 'regress_owner'::regrole END)), count(add_rule(name, 'team/**')) FROM unnest('{hub,secret}'::text[]) name;
SELECT add_trust_key('release', test.key('release'));
SELECT test.sync(name, 'team/app', '{"1": {"image": "a"}}') FROM unnest('{hub,secret}'::text[]) name;
SELECT test.bring(name, 'team/app', test.layer('a', 'release')) FROM unnest('{hub,secret}'::text[]) name;
-- An error of the library itself, or what else it is. Neither message, detail nor hint has the input in full.
CREATE FUNCTION test.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  message text; detail text; hint text; context text;
BEGIN
  PERFORM set_config('role', 'regress_admin', true);
  EXECUTE statement;
  PERFORM set_config('role', 'none', true);
  RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
  PERFORM set_config('role', 'none', true);
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
  RETURN CASE WHEN length(concat(message, detail, hint)) > 1000 THEN format('%s: %s characters', SQLSTATE, length(concat(message, detail, hint)))
    WHEN context NOT LIKE 'SQL statement "' || pg_catalog.left(statement, 20) || '%' THEN concat_ws(' ', 'raw', SQLSTATE, message, split_part(context, E'\n', 1))
    ELSE concat(SQLSTATE, ': ', regexp_replace(message, 'x{20,}', 'x..', 'g')) END;
END
$$;
-- 100 MB of text, null, and what no such value is.
SELECT left(call, 70) AS call, test.refused('SELECT image_library.' || call) FROM unnest(ARRAY[
  $$add_trust_key('k', repeat('x', 10000000))$$, $$add_trust_key(repeat('x', 10000000), test.key('team'))$$, $$add_trust_key(repeat('x', 101), NULL)$$,
  $$add_trust_key('k', test.key('team'), ARRAY[repeat('x', 1000000)])$$, $$add_trust_key('k', test.key('team'), array_fill('x'::text, '{100000}'))$$, $$add_trust_key('k', test.key('team'), '{{a},{b}}')$$,
  $$add_trust_identity('i', repeat('x', 1000000), 'a')$$, $$add_trust_identity('i', 'https://x', repeat('x', 1000000))$$, $$add_trust_identity('i', 'https://x', 'regex:(')$$,
  $$add_trust_authority('a', repeat('x', 1000000))$$, $$set_trusted_root(NULL)$$, $$set_trusted_root(to_json(repeat('x', 10000000)))$$, $$set_trusted_root('[]')$$,
  $$set_trusted_root((repeat('[', 3000) || repeat(']', 3000))::json)$$, $$drop_trust_key(repeat('x', 1000000))$$, $$drop_trust_key(NULL)$$,
  $$set_bundle_key(repeat('x', 1000000), 'release')$$, $$set_bundle_key('central', repeat('x', 1000000))$$, $$stage_bundle(NULL)$$, $$stage_bundle('{}')$$, $$stage_bundle('{NULL}')$$, $$stage_bundle('{{a},{b}}')$$,
  $$stage_bundle(ARRAY[repeat('x', 10000000)])$$, $$stage_bundle(ARRAY[repeat('0', 64) || ' [1, ' || repeat('[', 1000000)])$$, $$export_library(repeat('x', 1000000))$$, $$export_library('x', '{NULL}')$$,
  $$export_library('x', ARRAY[repeat('x', 1000000)])$$, $$import_library(NULL, NULL, NULL, NULL, NULL)$$, $$import_library(expected_hash => repeat('x', 1000000))$$,
  $$import_library(signature => repeat('x', 1000000), key => repeat('x', 1000000))$$, $$export_copy_list('hub', repeat('x', 1000000))$$, $$export_copy_list(NULL, NULL, NULL)$$, $$mirror_status(NULL, NULL)$$,
  $$mirror_status(repeat('x', 1000000), 'hub')$$, $$handle_webhook(repeat('x', 1000000), 'quay', '{}')$$, $$handle_webhook('hub', repeat('x', 1000000), '{}')$$,
  $$handle_webhook('hub', 'quay', jsonb_build_object('repository', repeat('x', 10000000)))$$, $$handle_webhook('hub', 'quay', jsonb_build_object('repository', repeat('x', 1000000)))$$,
  $$handle_webhook('hub', 'quay', jsonb_build_object('repository', (repeat('[', 3000) || repeat(']', 3000))::jsonb))$$, $$descendants(NULL)$$, $$descendants(repeat('x', 1000000))$$,
  $$cleanup_candidates(NULL)$$, $$cleanup_candidates('hub', '178000000 years')$$, $$cleanup_candidates('hub', '-1 day')$$,
  $$set_end_of_life('postgresql', '15', 'infinity')$$, $$set_end_of_life('postgresql', '15', '-infinity')$$, $$set_end_of_life('postgresql', '15', NULL)$$, $$set_end_of_life('postgresql', repeat('x', 1000000), now()::date)$$,
  $$alter_registry('hub', signature_megabytes => 2147483647)$$, $$add_rule('hub', 'x', signed_by => ARRAY[repeat('x', 1000000)])$$, $$add_rule('hub', 'x', signed_by => '{{release}}')$$]) call;
SELECT test.refused('SELECT ' || call) FROM unnest(ARRAY[
  $$image_library.is_signed_by(NULL, 'release')$$, $$image_library.is_signed_by(i, NULL) FROM image_library.images i$$, $$image_library.is_built_by(i, NULL) FROM image_library.images i$$, $$image_library.is_built_by(i, '**', NULL) FROM image_library.images i$$,
  $$image_library.is_built_by(i, 'regex:(') FROM image_library.images i$$, $$image_library.is_signed_by(i, repeat('x', 1000000)) FROM image_library.images i$$]) call;
-- Dates that never come, and always were.
SELECT test.refused('SELECT count(*) FROM image_library.drift'), test.refused('SELECT count(*) FROM image_library.end_of_life');
SELECT set_end_of_life('postgresql', '15', '-infinity');
SELECT test.refused('SELECT count(drift) FROM image_library.drift'), to_char('-infinity'::date, 'YYYY-MM-DD') AS shown;
-- A payload that is small in its table and large in memory.
CREATE TABLE test.payload AS SELECT jsonb_build_object('repository', 'team/app', 'padding', repeat('x', 3000000)) AS payload;
GRANT SELECT ON test.payload TO PUBLIC;
SELECT pg_column_size(payload) < 1048576 AS is_small FROM test.payload;
SELECT test.refused($$SELECT image_library.handle_webhook('hub', 'quay', payload) FROM test.payload$$);
-- A row of a private registry that a reader makes up tells nothing.
SELECT test.outcome_as('regress_reader', $$SELECT image_library.is_signed_by(jsonb_populate_record(NULL::image_library.images, jsonb_build_object('registry', name, 'repository', 'team/app', 'digest', test.digest('a'))), 'release') FROM unnest('{secret}'::text[]) name$$);
SELECT test.outcome_as('regress_owner', $$SELECT image_library.is_signed_by(jsonb_populate_record(NULL::image_library.images, jsonb_build_object('registry', name, 'repository', 'team/app', 'digest', test.digest('a'))), 'release') FROM unnest('{secret}'::text[]) name$$);
-- Objects of the caller take no one's place: neither in his search path nor among the temporary ones.
CREATE SCHEMA regress_trap;
GRANT USAGE ON SCHEMA regress_trap TO PUBLIC;
CREATE FUNCTION regress_trap.left(text, integer) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION regress_trap.octet_length(bytea) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION regress_trap.coalesced(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR regress_trap.= (FUNCTION = regress_trap.coalesced, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR regress_trap.-> (FUNCTION = jsonb_object_field, LEFTARG = jsonb, RIGHTARG = text);
CREATE TEMP TABLE evidence (repository_id integer);
CREATE TEMP TABLE trust_anchor (name text);
SELECT format('SELECT image_library.add_trust_key(''team'', %L)', test.key('team')) AS add_team \gset
SET LOCAL search_path = regress_trap, pg_temp, image_library, image_library_internal, pg_catalog;
SELECT test.refused(:'add_team'), test.refused($$SELECT image_library.drop_trust_key('team')$$), test.refused($$SELECT count(*) FROM image_library.export_library('x')$$),
  test.refused($$SELECT count(*) FROM image_library.handle_webhook('hub', 'quay', '{"repository": "team/app"}')$$), test.refused($$SELECT count(*) FROM image_library.lineage$$), test.refused($$SELECT count(*) FROM image_library.signature_space$$),
  test.refused($$SELECT count(*) FROM image_library.mirror_status('hub', 'secret')$$), test.refused($$SELECT count(*) FROM image_library.cleanup_candidates('hub')$$);
SET LOCAL search_path = image_library, image_library_internal, public;
-- Every function of these parts has its own search path, if it is not inlined with names that were resolved when it was made.
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('image_library'::regnamespace, 'image_library_internal'::regnamespace)
  AND p.prosecdef AND NOT coalesce(p.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}' ORDER BY 1;
-- The owner of a registry and whoever has staged a bundle are dropped.
SELECT test.outcome_as('regress_admin', $$SELECT image_library.stage_bundle(ARRAY(SELECT image_library.export_library('x'))) > 0$$);
DROP OWNED BY regress_owner;
DROP ROLE regress_owner;
SELECT test.refused($$SELECT count(*) FROM image_library.export_library('x')$$), test.refused($$SELECT count(*) FROM image_library.registries$$), test.refused($$SELECT count(*) FROM image_library.signature_space$$);
ROLLBACK;

\set ECHO none
-- For the SQL tests: a fresh extension in a transaction that is rolled back at the end of the
-- test, so that a test leaves nothing and the agent sees nothing of it, and helpers in schema test.
\set ON_ERROR_ROLLBACK on
\pset format unaligned
\pset footer off
\pset null null
\set SHOW_CONTEXT never
SET client_min_messages = warning;
BEGIN;
DROP EXTENSION IF EXISTS image_library CASCADE;
CREATE EXTENSION image_library;
CREATE SCHEMA test;
GRANT USAGE ON SCHEMA test TO PUBLIC;
SET LOCAL search_path = image_library, image_library_internal, public;
SET LOCAL timezone = 'UTC';
RESET client_min_messages;

-- Digests short, times masked, and what RE2 says, since its versions word it differently.
CREATE FUNCTION test.shown(shown_text text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT regexp_replace(
    regexp_replace(regexp_replace(shown_text, '(sha256:[0-9a-f]{6})[0-9a-f]{58}', '\1..', 'g'),
                   '[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d [0-9:.]+ \d{4} UTC', '<time>', 'g'),
    'RE2 says: [^\n]+\.', 'RE2 says: <reason>.', 'g')
$$;

-- Result of a statement: its first value, 'done', or its error with detail and hint.
CREATE FUNCTION test.outcome(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  result text;
  message text;
  detail text;
  hint text;
BEGIN
  IF statement ~* '^(select|table|with|values)' THEN
    EXECUTE statement INTO result;
  ELSE
    EXECUTE statement;
  END IF;
  RETURN coalesce(test.shown(nullif(result, '')), 'done');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN test.shown(format('%s: %s', SQLSTATE, message)
    || coalesce(E'\n    DETAIL: ' || nullif(detail, ''), '') || coalesce(E'\n    HINT: ' || nullif(hint, ''), ''));
END
$$;

-- The same, executed as another role.
CREATE FUNCTION test.outcome_as(role_name text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  PERFORM set_config('role', role_name, true);
  result := test.outcome(statement);
  PERFORM set_config('role', 'none', true);
  RETURN result;
END
$$;

-- The same, and the changes of the statement are rolled back.
CREATE FUNCTION test.outcome_and_back(role_name text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  result := test.outcome_as(role_name, statement);
  RAISE EXCEPTION USING ERRCODE = 'XX999';
EXCEPTION WHEN SQLSTATE 'XX999' THEN
  RETURN result;
END
$$;

-- The digest of an image, from a name that the tests use for it.
CREATE FUNCTION test.digest(name text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT 'sha256:' || encode(sha256(convert_to(name, 'UTF8')), 'hex') $$;

-- Facts of an image as a sync reads them; the argument facts replaces some of them.
CREATE FUNCTION test.image(name text, facts jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS $$
  SELECT jsonb_build_object(
    'digest', test.digest(name),
    'media_type', 'application/vnd.oci.image.index.v1+json',
    'artifact_type', '',
    'config_type', 'application/vnd.oci.image.config.v1+json',
    'config_digest', test.digest(name || ' config'),
    'layer_types', '["application/vnd.oci.image.layer.v1.tar+gzip"]'::jsonb,
    'size_bytes', 1000,
    'created_at', '2025-03-31T07:34:00Z',
    'annotations', '{}'::jsonb,
    'labels', '{}'::jsonb,
    'platforms', (
      SELECT jsonb_agg(jsonb_build_object(
        'platform', 'linux/' || architecture, 'os', 'linux', 'architecture', architecture, 'variant', '',
        'manifest_digest', test.digest(name || architecture), 'config_digest', test.digest(name || ' config'),
        'size_bytes', 1000, 'created_at', '2025-03-31T07:34:00Z'))
      FROM unnest('{amd64,arm64}'::text[]) architecture),
    'referrers', '[]'::jsonb) || facts
$$;

CREATE FUNCTION test.batch(parts jsonb) RETURNS jsonb
LANGUAGE sql AS $$
  SELECT '{"images": [], "tags": [], "missing": [], "referrers": [], "listing": null, "fingerprint": "",
           "checked": [], "problems": []}'::jsonb || parts
$$;

-- A batch from JSON, with the names of the type; of a run that has read the rules as they are now.
CREATE FUNCTION test.write_batch(registry_id integer, repository text, parts jsonb) RETURNS jsonb
LANGUAGE sql AS $$
  SELECT image_library_internal.write_batches(registry_id, ARRAY[repository], ARRAY[jsonb_populate_record(NULL::image_library_internal.batch,
    jsonb_build_object('rules_version', image_library_internal.rules_version(registry_id)) || parts)])
$$;

-- Writes the same as a sync of a repository: tags_found has, by tag, the image's name and its facts.
CREATE FUNCTION test.sync(registry text, repository text, tags_found jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  id integer := (SELECT g.registry_id FROM image_library_internal.registry g WHERE g.name = registry);
  listed text[] := ARRAY(SELECT jsonb_object_keys(tags_found) COLLATE "C" ORDER BY 1);
  images jsonb;
  tags jsonb;
BEGIN
  SELECT coalesce(jsonb_agg(test.image(tags_found -> d.tag ->> 'image', (tags_found -> d.tag) - 'image')), '[]'),
         coalesce(jsonb_agg(jsonb_build_object('name', d.tag, 'digest', test.digest(tags_found -> d.tag ->> 'image'),
                                               'rule_id', d.rule_id)), '[]')
  INTO images, tags
  FROM image_library_internal.decide_tags(image_library_internal.rules_json(id), repository, listed) d;
  RETURN test.write_batch(id, repository, test.batch(jsonb_build_object(
    'images', images, 'tags', tags, 'listing', listed, 'fingerprint', test.digest(listed::text), 'checked', listed,
    'missing', (SELECT coalesce(jsonb_agg(k.name), '[]') FROM image_library_internal.known_tags(id, repository) k
                WHERE NOT k.missing AND k.name <> ALL (listed)))));
END
$$;
\set ECHO all

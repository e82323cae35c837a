-- Bundles from another library: their lines are verified when they are staged, and nothing is imported before all are there.

CREATE TABLE image_library_internal.staged_line (
  staged_by name COLLATE "C" NOT NULL DEFAULT session_user,
  number bigint NOT NULL,
  section text NOT NULL,
  content jsonb NOT NULL,
  hash text NOT NULL,
  PRIMARY KEY (staged_by, number)
);
COMMENT ON TABLE image_library_internal.staged_line IS
  'Lines of bundles that admins have staged and not imported yet, verified; one bundle for each of them';

CREATE TABLE image_library_internal.imported_bundle (
  library text COLLATE "C" PRIMARY KEY,
  exported_at timestamptz NOT NULL,
  exported_by text,
  hash text NOT NULL,
  lines bigint NOT NULL,
  imported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  imported_by name NOT NULL DEFAULT session_user,
  signed_by text,
  key_fingerprint text,
  CHECK ((signed_by IS NULL) = (key_fingerprint IS NULL))
);
COMMENT ON TABLE image_library_internal.imported_bundle IS 'The last bundle that was imported from each library; older ones are refused';
COMMENT ON COLUMN image_library_internal.imported_bundle.signed_by IS
  'Trusted key that verified the signature of the bundle; null: it was imported without one';
COMMENT ON COLUMN image_library_internal.imported_bundle.key_fingerprint IS
  'SHA-256 of that key''s PEM at the time, as in trusted_signers';
GRANT SELECT ON image_library_internal.imported_bundle TO image_library_agent;

CREATE TABLE image_library_internal.imported_image (
  library text COLLATE "C" NOT NULL,
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  repository text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  registry_there text NOT NULL,
  tags text[] COLLATE "C" NOT NULL,
  platforms jsonb NOT NULL,
  referrers jsonb NOT NULL,
  approval jsonb,
  effect text,
  PRIMARY KEY (registry_id, repository, digest, library)
);
COMMENT ON TABLE image_library_internal.imported_image IS
  'Images of the last bundle of each library: what belongs to them, and the approval there; registry_id is the registry here';
COMMENT ON COLUMN image_library_internal.imported_image.effect IS 'What the approval there has changed here, or why nothing; null: not tried yet';
GRANT SELECT, UPDATE ON image_library_internal.imported_image TO image_library_agent;

CREATE FUNCTION image_library_internal.check_library_name(library text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(library, '') !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'invalid name of a library',
      hint => 'Use up to 63 letters, digits, dots, dashes and underscores.');
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_library_name IS 'Raises 22023 if a text cannot be the name of a library';

CREATE FUNCTION image_library_internal.refuse_bundle(line bigint, why text, hint text DEFAULT 'Nothing was imported. Copy the bundle again, or export it again.')
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.fail(
    errcode => 'invalid_parameter_value',
    message => CASE WHEN line IS NULL THEN format('invalid bundle: %s', why) ELSE format('invalid bundle: line %s %s', line, why) END,
    hint => hint);
END
$$;
COMMENT ON FUNCTION image_library_internal.refuse_bundle IS 'Raises 22023 with the line of a bundle that cannot be taken, and why';

-- What import_library reads of a section. Everything else of the content is kept out.
CREATE FUNCTION image_library_internal.bundle_line_problem(number bigint, section text, content jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN jsonb_typeof(content) IS DISTINCT FROM 'object' THEN 'has no object'
    WHEN (number = 1) <> (section = 'header') THEN CASE number WHEN 1 THEN 'is not a header' ELSE 'is a second header' END
    WHEN section = 'header' AND content ->> 'format' IS DISTINCT FROM '1' THEN format('has format %s, and this version of image_library reads format 1', content ->> 'format')
    WHEN section <> ALL (image_library_internal.bundle_sections()) THEN
      format('has section "%s", which this version of image_library does not know: update it here, or export with this version', left(section, 100))
    WHEN section = 'header' AND NOT coalesce(content ->> 'library' ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' AND jsonb_typeof(content -> 'exported_at') = 'string'
           AND jsonb_typeof(content -> 'registries') = 'array', false) THEN 'has an invalid header'
    WHEN section IN ('rule', 'image', 'hm_tag_of', 'evidence', 'decision') AND jsonb_typeof(content -> 'registry') IS DISTINCT FROM 'string' THEN 'names no registry'
    WHEN section = 'image' AND NOT coalesce(
           image_library_internal.is_repository_name(content ->> 'repository') AND content ->> 'digest' ~ '^[a-z0-9+._-]{1,30}:[0-9a-f]{32,128}$'
           AND jsonb_typeof(content -> 'tags') = 'array' AND (content -> 'platforms') IS NOT NULL AND (content -> 'referrers') IS NOT NULL
           AND (jsonb_typeof(content -> 'approval') = 'null' OR content #>> '{approval,state}' = ANY (image_library_internal.states())), false) THEN 'has an invalid image'
    -- Such as now: it would be another time whenever it is read, or another one in a session with other settings.
    WHEN EXISTS (
      SELECT FROM (VALUES (content #>> '{exported_at}', false), (content #>> '{approval,decided_at}', false),
                          (content #>> '{approval,valid_until}', true), (content #>> '{approval,deprecated_from}', true),
                          (content #>> '{decided_at}', false), (content #>> '{valid_until}', true), (content #>> '{deprecated_from}', true)) t (value, may_be_endless)
      WHERE NOT (value ~ E'^\\d{4,6}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d(:\\d\\d)*)$' OR may_be_endless AND value = 'infinity'))
      THEN 'has a time that is not in the form 2025-01-31T00:00:00Z'
    WHEN section = 'evidence' AND NOT coalesce(
           image_library_internal.is_repository_name(content ->> 'repository') AND content ->> 'digest' ~ '^[a-z0-9+._-]{1,30}:[0-9a-f]{32,128}$'
           AND content ->> 'referrer_digest' ~ '^[a-z0-9+._-]{1,30}:[0-9a-f]{32,128}$' AND content ->> 'layer_digest' ~ '^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$'
           AND content ->> 'place' ~ '^[0-9]{1,9}$' AND content ->> 'format' ~ '^[a-z0-9 ]{1,50}$' AND jsonb_typeof(content -> 'document') = 'string'
           AND jsonb_typeof(content -> 'annotations') = 'object' AND length((content -> 'annotations')::text) <= 100000, false) THEN 'has an invalid signature'
    WHEN section = 'decision' AND image_library_internal.bundle_decision_problem(content) IS NOT NULL
      THEN image_library_internal.bundle_decision_problem(content)
    WHEN section = 'end' AND content ->> 'lines' IS DISTINCT FROM number::text THEN 'ends a bundle with another number of lines' END
$$;
COMMENT ON FUNCTION image_library_internal.bundle_line_problem IS 'What is wrong with a line of a bundle; null: nothing';

CREATE FUNCTION image_library_internal.bundle_rule(content jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT content - '{rule_id,owner,created_at,created_by,registry,registry_id}'::text[] $$;
COMMENT ON FUNCTION image_library_internal.bundle_rule IS 'What is imported of a rule in a bundle, by name of the column';

CREATE FUNCTION image_library.stage_bundle(lines text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  last image_library_internal.staged_line;
  at bigint;
  line text;
  content text;
  part jsonb;
  problem text;
BEGIN
  PERFORM image_library_internal.require_admin('import a library');
  PERFORM image_library_internal.require_read_committed();
  -- Of one admin, one session stages at a time.
  PERFORM pg_advisory_xact_lock('image_library_internal.staged_line'::regclass::oid::integer, hashtext(session_user));
  SELECT s.* INTO last FROM image_library_internal.staged_line s WHERE s.staged_by = session_user ORDER BY s.number DESC LIMIT 1;
  FOREACH line IN ARRAY coalesce(lines, '{}') LOOP
    -- The first line of a bundle begins anew.
    IF line ~ E'^[0-9a-f]{64} \\[1, ' THEN
      DELETE FROM image_library_internal.staged_line s WHERE s.staged_by = session_user;
      last := NULL;
    END IF;
    at := coalesce(last.number, 0) + 1;
    IF last.section = 'end' THEN
      PERFORM image_library_internal.refuse_bundle(at, 'follows the end');
    END IF;
    IF line IS NULL OR line !~ E'^[0-9a-f]{64} \\[' THEN
      PERFORM image_library_internal.refuse_bundle(at, 'is no line of a bundle');
    END IF;
    content := substr(line, 66);
    IF left(line, 64) <> image_library_internal.bundle_hash(last.hash, content) THEN
      PERFORM image_library_internal.refuse_bundle(at, 'or one before it was changed, moved, removed or added: its hash does not fit');
    END IF;
    BEGIN
      part := content::jsonb;
    EXCEPTION
      WHEN OTHERS THEN PERFORM image_library_internal.refuse_bundle(at, 'is not JSON');
    END;
    IF part ->> 0 IS DISTINCT FROM at::text OR jsonb_typeof(part -> 1) IS DISTINCT FROM 'string' OR jsonb_array_length(part) <> 3 THEN
      PERFORM image_library_internal.refuse_bundle(at, format('has number %s', left(coalesce(part ->> 0, 'null'), 30)));
    END IF;
    problem := image_library_internal.bundle_line_problem(at, part ->> 1, part -> 2);
    IF problem IS NOT NULL THEN
      PERFORM image_library_internal.refuse_bundle(at, problem);
    END IF;
    BEGIN
      PERFORM (part #>> '{2,exported_at}')::timestamptz, (part #>> '{2,approval,decided_at}')::timestamptz, (part #>> '{2,approval,valid_until}')::timestamptz,
              (part #>> '{2,approval,deprecated_from}')::timestamptz, (part #>> '{2,decided_at}')::timestamptz, (part #>> '{2,valid_until}')::timestamptz,
              (part #>> '{2,deprecated_from}')::timestamptz, (part #>> '{2,approval,quarantined}')::boolean, (part #>> '{2,enabled}')::boolean;
      IF part ->> 1 = 'rule' THEN
        PERFORM jsonb_populate_record(NULL::image_library_internal.rule, image_library_internal.bundle_rule(part -> 2));
      ELSIF part ->> 1 = 'evidence' THEN
        problem := image_library_internal.document_problem(part #>> '{2,document}', part #>> '{2,layer_digest}');
      END IF;
    EXCEPTION
      WHEN data_exception OR program_limit_exceeded THEN PERFORM image_library_internal.refuse_bundle(at, 'has an invalid value: ' || left(SQLERRM, 200));
    END;
    IF problem IS NOT NULL THEN
      PERFORM image_library_internal.refuse_bundle(at, problem);
    END IF;
    INSERT INTO image_library_internal.staged_line (number, section, content, hash)
    VALUES (at, part ->> 1, part -> 2, left(line, 64)) RETURNING * INTO last;
  END LOOP;
  RETURN coalesce(last.number, 0);
END
$$;
COMMENT ON FUNCTION image_library.stage_bundle IS
  'Takes lines of export_library, in their order, in one call or several, and verifies them; the first line of a bundle begins anew. Returns the number of lines that are staged. import_library imports them';
GRANT EXECUTE ON FUNCTION image_library.stage_bundle TO image_library_admin;

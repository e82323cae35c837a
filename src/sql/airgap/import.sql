-- Import of a staged bundle: all of it or nothing.

-- Registries have other names and URLs here. They are never made by an import: which hosts are asked, and with which credential, is
-- decided here.
CREATE FUNCTION image_library_internal.bundle_registries(header jsonb, registry_map jsonb) RETURNS TABLE (there text, registry_id integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  unknown text;
  all_unknown text;
BEGIN
  IF jsonb_typeof(registry_map) IS DISTINCT FROM 'object' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'registry_map is not a JSON object',
      hint => 'Write {"name in the bundle": "name here"}, with null for a registry that is left out.');
  END IF;
  SELECT k INTO unknown FROM jsonb_object_keys(registry_map) k WHERE NOT header -> 'registries' ? k LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('registry_map names registry "%s", which the bundle does not have', left(unknown, 100)),
      detail => format('It has: %s.', left(header ->> 'registries', 1000)));
  END IF;
  SELECT min(n COLLATE "C"),
         string_agg(concat(format('"%s"', n), format(' (registry_map says "%s", which is not connected here)', registry_map ->> n)), ', '
                    ORDER BY n COLLATE "C")
  INTO unknown, all_unknown
  FROM jsonb_array_elements_text(header -> 'registries') n
  WHERE coalesce(registry_map -> n, '""') <> 'null'
    AND NOT EXISTS (SELECT FROM image_library_internal.registry g WHERE g.name = coalesce(registry_map ->> n, n));
  IF unknown IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('registry "%s" of the bundle has no counterpart here', left(unknown, 100)),
      detail => format('Without one are: %s.', left(all_unknown, 1000)),
      hint => 'Connect the mirror with image_library.add_registry and name it in registry_map: {"name in the bundle": "name here"}; null leaves a registry out.');
  END IF;
  RETURN QUERY
    SELECT n, g.registry_id
    FROM jsonb_array_elements_text(header -> 'registries') n
    JOIN image_library_internal.registry g ON g.name = CASE WHEN registry_map ? n THEN registry_map ->> n ELSE n END;
END
$$;
COMMENT ON FUNCTION image_library_internal.bundle_registries IS
  'Registries here for those of a bundle; raises 42704 if one is missing';

CREATE FUNCTION image_library_internal.import_rules(registries jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  line record;
  made image_library_internal.rule;
  touched integer[] := '{}';
  added bigint := 0;
BEGIN
  FOR line IN
    SELECT s.number, s.content, (registries ->> (s.content ->> 'registry'))::integer AS registry_id
    FROM image_library_internal.staged_line s
    WHERE s.staged_by = session_user AND s.section = 'rule' AND registries ? (s.content ->> 'registry') ORDER BY s.number
  LOOP
    -- What is pushed to the mirror is not approved by itself because it was so there: approvals come with the bundle.
    made := image_library_internal.new_rule(image_library_internal.bundle_rule(line.content)
      || jsonb_build_object('registry_id', line.registry_id, 'approval', 'manual'));
    made.enabled := coalesce((line.content ->> 'enabled')::boolean, false);
    IF EXISTS (
      SELECT FROM image_library_internal.rule u
      WHERE (u.registry_id, u.repositories, u.tags, u.exclude_tags, u.action, u.kind, u.platforms, u.immutable_tags, u.newest, u.priority)
            IS NOT DISTINCT FROM (made.registry_id, made.repositories, made.tags, made.exclude_tags, made.action, made.kind, made.platforms,
                                  made.immutable_tags, made.newest, made.priority)) THEN
      CONTINUE;
    END IF;
    INSERT INTO image_library_internal.rule (registry_id, repositories, tags, exclude_tags, action, kind, approval, platforms, immutable_tags, newest,
                                             priority, enabled, required_approvals, separate_requester, signed_by)
    VALUES (made.registry_id, made.repositories, made.tags, made.exclude_tags, made.action, made.kind, made.approval, made.platforms,
            made.immutable_tags, made.newest, made.priority, made.enabled, made.required_approvals, made.separate_requester, made.signed_by);
    touched := touched || line.registry_id;
    added := added + 1;
  END LOOP;
  PERFORM image_library_internal.apply_rules(g) FROM (SELECT DISTINCT unnest(touched) AS g ORDER BY 1) t;
  RETURN added;
END
$$;
COMMENT ON FUNCTION image_library_internal.import_rules IS
  'Adds the rules of a staged bundle that are not here, with approval => manual and without owner; returns their number. Rules here are never changed';

CREATE FUNCTION image_library_internal.import_hm_tags(registries jsonb, OUT added bigint, OUT given bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  counted bigint;
BEGIN
  SELECT count(image_library.add_hm_tag(s.content ->> 'name', s.content ->> 'color')) INTO added
  FROM image_library_internal.staged_line s
  WHERE s.staged_by = session_user AND s.section = 'hm_tag'
    AND NOT EXISTS (SELECT FROM image_library_internal.hm_tag h WHERE h.name = s.content ->> 'name');
  WITH assigned AS (
    SELECT h.hm_tag_id, r.repository_id, s.content ->> 'tag' AS tag
    FROM image_library_internal.staged_line s
    JOIN image_library_internal.hm_tag h ON h.name = s.content ->> 'hm_tag'
    JOIN image_library_internal.repository r ON r.registry_id = (registries ->> (s.content ->> 'registry'))::integer AND r.name = s.content ->> 'repository'
    WHERE s.staged_by = session_user AND s.section = 'hm_tag_of'
  ), of_repositories AS (
    INSERT INTO image_library_internal.hm_tag_repository (hm_tag_id, repository_id)
    SELECT a.hm_tag_id, a.repository_id FROM assigned a WHERE a.tag IS NULL ON CONFLICT DO NOTHING RETURNING 1
  ), of_images AS (
    INSERT INTO image_library_internal.hm_tag_image (hm_tag_id, repository_id, tag)
    SELECT a.hm_tag_id, a.repository_id, t.name FROM assigned a
    JOIN image_library_internal.tag t ON t.repository_id = a.repository_id AND t.name = a.tag ON CONFLICT DO NOTHING RETURNING 1
  )
  SELECT (SELECT count(*) FROM of_repositories) + (SELECT count(*) FROM of_images) INTO counted;
  given := counted;
END
$$;
COMMENT ON FUNCTION image_library_internal.import_hm_tags IS
  'Adds the HM tags of a staged bundle, and gives them to the repositories and tags that are here';

CREATE FUNCTION image_library_internal.import_images(library text, registries jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM image_library_internal.imported_image m
  WHERE m.library = import_images.library
    AND NOT EXISTS (SELECT FROM image_library_internal.staged_line s
                    WHERE s.staged_by = session_user AND s.section = 'image' AND (registries ->> (s.content ->> 'registry'))::integer = m.registry_id
                      AND s.content ->> 'repository' = m.repository AND s.content ->> 'digest' = m.digest);
  INSERT INTO image_library_internal.imported_image AS m (library, registry_id, repository, digest, registry_there, tags, platforms, referrers, approval)
  SELECT import_images.library, (registries ->> (s.content ->> 'registry'))::integer, s.content ->> 'repository', s.content ->> 'digest',
         s.content ->> 'registry', ARRAY(SELECT t FROM jsonb_array_elements_text(s.content -> 'tags') t WHERE image_library_internal.is_tag(t) ORDER BY t),
         coalesce(nullif(s.content -> 'platforms', 'null'), '[]'), coalesce(nullif(s.content -> 'referrers', 'null'), '[]'), nullif(s.content -> 'approval', 'null')
  FROM image_library_internal.staged_line s
  WHERE s.staged_by = session_user AND s.section = 'image' AND registries ? (s.content ->> 'registry')
  ON CONFLICT ON CONSTRAINT imported_image_pkey DO UPDATE
  SET registry_there = excluded.registry_there, tags = excluded.tags, platforms = excluded.platforms, referrers = excluded.referrers,
      approval = excluded.approval, effect = CASE WHEN m.approval IS NOT DISTINCT FROM excluded.approval THEN m.effect END
  WHERE (m.registry_there, m.tags, m.platforms, m.referrers, m.approval)
        IS DISTINCT FROM (excluded.registry_there, excluded.tags, excluded.platforms, excluded.referrers, excluded.approval);
END
$$;
COMMENT ON FUNCTION image_library_internal.import_images IS 'Stores the images of a staged bundle in place of those of the bundle before';

CREATE FUNCTION image_library_internal.check_bundle(header image_library_internal.staged_line, last image_library_internal.staged_line, expected_hash text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  before image_library_internal.imported_bundle;
  wrong bigint;
  twice record;
BEGIN
  IF header.number IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => 'no bundle is staged',
      hint => 'Give its lines to image_library.stage_bundle first, as the same user.');
  ELSIF last.section <> 'end' THEN
    PERFORM image_library_internal.refuse_bundle(last.number + 1, 'is missing: the bundle has no end');
  ELSIF last.hash <> lower(expected_hash) THEN
    PERFORM image_library_internal.refuse_bundle(NULL, format('its hash is %s, not the expected one', last.hash),
      'Nothing was imported. Compare with the hash that was signed or told where the bundle was made.');
  END IF;
  SELECT b.* INTO before FROM image_library_internal.imported_bundle b WHERE b.library = header.content ->> 'library';
  IF before.exported_at > (header.content ->> 'exported_at')::timestamptz
     OR before.exported_at = (header.content ->> 'exported_at')::timestamptz AND before.hash <> last.hash THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('the bundle of library "%s" is older than the one imported last', before.library),
      detail => format('It is of %s, the last one of %s.', header.content ->> 'exported_at', before.exported_at),
      hint => 'Nothing was imported: an old bundle would bring back approvals that were taken back since.');
  END IF;
  -- A decision of the future would win over every decision that is made here until then.
  IF (header.content ->> 'exported_at')::timestamptz > clock_timestamp() + interval '1 hour' THEN
    PERFORM image_library_internal.refuse_bundle(1, format('is of the future: %s', header.content ->> 'exported_at'), 'Nothing was imported. Compare the clocks of both servers.');
  END IF;
  SELECT min(s.number) INTO wrong FROM image_library_internal.staged_line s
  WHERE s.staged_by = session_user AND s.section IN ('image', 'decision')
    AND coalesce(s.content #>> '{approval,decided_at}', s.content ->> 'decided_at')::timestamptz > (header.content ->> 'exported_at')::timestamptz;
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.refuse_bundle(wrong, 'has a decision that is later than the bundle');
  END IF;
  SELECT min(s.number) INTO wrong FROM image_library_internal.staged_line s
  WHERE s.staged_by = session_user AND s.section IN ('image', 'rule', 'hm_tag_of', 'evidence', 'decision') AND NOT header.content -> 'registries' ? (s.content ->> 'registry');
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.refuse_bundle(wrong, 'names a registry that the header does not have');
  END IF;
  SELECT r.number, r.section, r.first_number INTO twice
  FROM (SELECT s.number, s.section, first_value(s.number) OVER same AS first_number
        FROM image_library_internal.staged_line s
        WHERE s.staged_by = session_user AND s.section IN ('image', 'evidence', 'decision')
        WINDOW same AS (PARTITION BY s.section, s.content ->> 'registry', CASE s.section WHEN 'decision' THEN '' ELSE s.content ->> 'repository' END,
                                     CASE s.section WHEN 'decision' THEN '' ELSE s.content ->> 'digest' END, s.content ->> 'referrer_digest',
                                     CASE s.section WHEN 'evidence' THEN (s.content ->> 'place')::bigint WHEN 'decision' THEN (s.content ->> 'decision_id')::bigint END
                        ORDER BY s.number)) r
  WHERE r.number <> r.first_number ORDER BY r.number LIMIT 1;
  IF FOUND THEN
    PERFORM image_library_internal.refuse_bundle(twice.number,
      format('has the %s that line %s has', CASE twice.section WHEN 'evidence' THEN 'signature' ELSE twice.section END, twice.first_number));
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_bundle IS 'Raises 55000 or 22023 unless a staged bundle is whole, the expected one, and not older than the last one';

CREATE FUNCTION image_library.import_library(registry_map jsonb DEFAULT '{}', expected_hash text DEFAULT NULL, rules boolean DEFAULT true,
  signature text DEFAULT NULL, key text DEFAULT NULL)
RETURNS TABLE (what text, effect text, number bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  header image_library_internal.staged_line;
  last image_library_internal.staged_line;
  source text;
  registries jsonb;
  before text;
  fingerprint text;
  hm_tags record;
BEGIN
  PERFORM image_library_internal.require_admin('import a library');
  PERFORM image_library_internal.require_read_committed();
  PERFORM pg_advisory_xact_lock('image_library_internal.imported_bundle'::regclass::oid::integer, 0);
  SELECT s.* INTO header FROM image_library_internal.staged_line s WHERE s.staged_by = session_user AND s.number = 1;
  SELECT s.* INTO last FROM image_library_internal.staged_line s WHERE s.staged_by = session_user ORDER BY s.number DESC LIMIT 1;
  PERFORM image_library_internal.check_bundle(header, last, expected_hash);
  source := header.content ->> 'library';
  -- Before the locks on rules and repositories.
  PERFORM image_library_internal.lock_trust(exclusive => false);
  fingerprint := image_library_internal.check_bundle_signature(source, last.hash, signature, key);
  SELECT coalesce(jsonb_object_agg(r.there, r.registry_id), '{}') INTO registries
  FROM image_library_internal.bundle_registries(header.content, coalesce(registry_map, '{}')) r;
  IF (SELECT count(DISTINCT v) <> count(*) FROM jsonb_each_text(registries) e (k, v)) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'two registries of the bundle are the same registry here',
      hint => 'Map each to a registry of its own, or leave one out with null.');
  END IF;
  SELECT format('imported before, at %s', b.imported_at) INTO before FROM image_library_internal.imported_bundle b WHERE b.library = source AND b.hash = last.hash;
  INSERT INTO image_library_internal.imported_bundle AS b (library, exported_at, exported_by, hash, lines, signed_by, key_fingerprint)
  VALUES (source, (header.content ->> 'exported_at')::timestamptz, left(header.content ->> 'exported_by', 63), last.hash, last.number, key, fingerprint)
  ON CONFLICT ON CONSTRAINT imported_bundle_pkey DO UPDATE
  SET exported_at = excluded.exported_at, exported_by = excluded.exported_by, hash = excluded.hash, lines = excluded.lines,
      imported_at = clock_timestamp(), imported_by = session_user, signed_by = excluded.signed_by, key_fingerprint = excluded.key_fingerprint
  WHERE b.hash <> excluded.hash OR excluded.signed_by IS NOT NULL AND (b.signed_by, b.key_fingerprint) IS DISTINCT FROM (excluded.signed_by, excluded.key_fingerprint);
  IF key IS NOT NULL THEN
    INSERT INTO image_library_internal.bundle_key AS k (library, key) VALUES (source, import_library.key) ON CONFLICT DO NOTHING;
  END IF;
  RETURN QUERY SELECT 'bundle', coalesce(before, format('of library "%s", of %s', source, header.content ->> 'exported_at')), last.number;
  IF rules THEN
    RETURN QUERY SELECT 'rules', 'added', image_library_internal.import_rules(registries);
  END IF;
  SELECT * INTO hm_tags FROM image_library_internal.import_hm_tags(registries);
  RETURN QUERY VALUES ('HM tags', 'added', hm_tags.added), ('HM tags', 'given', hm_tags.given);
  -- A policy is a function: it comes with CREATE FUNCTION and add_policy.
  RETURN QUERY
    SELECT 'policies', format('not here: %s', string_agg(s.content ->> 'name', ', ' ORDER BY s.number)), count(*)
    FROM image_library_internal.staged_line s
    WHERE s.staged_by = session_user AND s.section = 'policy' AND (s.content ->> 'enabled')::boolean
      AND NOT EXISTS (SELECT FROM image_library_internal.policy p WHERE p.name = s.content ->> 'name')
    HAVING count(*) > 0;
  PERFORM image_library_internal.import_images(source, registries);
  PERFORM image_library_internal.import_evidence(source, registries);
  RETURN QUERY SELECT 'decisions', 'to read in imported_decisions', image_library_internal.import_decisions(source, registries);
  PERFORM image_library_internal.apply_imports(v::integer) FROM jsonb_each_text(registries) e (k, v) ORDER BY v::integer;
  RETURN QUERY
    SELECT 'images', m.effect, count(*) FROM image_library_internal.imported_image m WHERE m.library = source GROUP BY 2 ORDER BY 2;
  RETURN QUERY
    SELECT 'signatures', CASE WHEN e.verified THEN 'verified' ELSE 'not verified' END, count(*)
    FROM image_library_internal.evidence e WHERE e.imported_from = source GROUP BY 2 ORDER BY 2 DESC;
  RETURN QUERY
    SELECT 'signatures', 'wait for their image', count(*) FROM image_library_internal.waiting_evidence w WHERE w.library = source AND NOT w.over_limit HAVING count(*) > 0;
  DELETE FROM image_library_internal.staged_line s WHERE s.staged_by = session_user;
END
$$;
COMMENT ON FUNCTION image_library.import_library IS
  'Imports the bundle that stage_bundle has taken: approvals and signatures of images that are here, decisions on images to read, HM tags, rules that are not here (with approval => manual). registry_map: names here for the registries of the bundle, null leaves one out; expected_hash: the hash of the bundle, as told elsewhere; signature: base64 of the signature of that hash, by the trusted key that is named by key, without which bundles of this library are refused from then on (see set_bundle_key). What belongs to images that are not here waits for a sync. Returns what changed, as numbers';
GRANT EXECUTE ON FUNCTION image_library.import_library TO image_library_admin;

CREATE VIEW image_library.imported_images WITH (security_barrier) AS
  SELECT m.library, g.name AS registry, m.repository, m.digest, m.tags, m.approval ->> 'state' AS state, m.approval ->> 'actor' AS decided_by,
         (m.approval ->> 'decided_at')::timestamptz AS decided_at, m.approval ->> 'reason' AS reason, m.effect, b.signed_by
  FROM image_library_internal.imported_image m
  JOIN image_library_internal.visible_registry g USING (registry_id)
  LEFT JOIN image_library_internal.imported_bundle b USING (library);
COMMENT ON VIEW image_library.imported_images IS
  'Images of the bundles that were imported from other libraries, with the decision there and what it changed here';
GRANT SELECT ON image_library.imported_images TO image_library_reader;

CREATE VIEW image_library.imported_bundles WITH (security_barrier) AS
  SELECT library, b.exported_at, b.exported_by, b.hash, b.lines, b.imported_at, b.imported_by, b.signed_by, b.key_fingerprint, k.key AS required_key
  FROM image_library_internal.imported_bundle b
  FULL JOIN image_library_internal.bundle_key k USING (library);
COMMENT ON VIEW image_library.imported_bundles IS
  'The last bundle of each library, who signed it, and the key that its bundles must be signed with; without a bundle: a key was set before the first one';
GRANT SELECT ON image_library.imported_bundles TO image_library_reader;

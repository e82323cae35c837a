-- Export of the library as a bundle of lines, for a library that no network reaches.
--
-- A line is `<hash> <json>`. The hash is the SHA-256 of the hash before it (of the first line: 64 zeros), a space and the JSON text, in
-- hexadecimal, so that no byte of the bundle can be changed, and no line moved, without a change of the hash of the last line. The JSON is
-- an array: the number of the line, a section, and an object.

CREATE FUNCTION image_library_internal.bundle_sections() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{header,registry,rule,hm_tag,hm_tag_of,policy,image,evidence,decision,end}'::text[];
COMMENT ON FUNCTION image_library_internal.bundle_sections IS 'Sections of a bundle that this version reads, in their order';

CREATE FUNCTION image_library_internal.bundle_hash(previous_hash text, content text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT encode(sha256(convert_to(coalesce(previous_hash, repeat('0', 64)) || ' ' || content, 'UTF8')), 'hex') $$;
COMMENT ON FUNCTION image_library_internal.bundle_hash IS 'Hash of a line of a bundle; previous_hash null: the line is the first';

CREATE FUNCTION image_library_internal.bundle_images(registries integer[]) RETURNS TABLE (repository_id integer, digest text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.repository_id, t.digest FROM image_library_internal.tag t WHERE t.registry_id = ANY (registries) AND t.rule_id IS NOT NULL
  UNION
  SELECT a.repository_id, a.digest FROM image_library_internal.approval a JOIN image_library_internal.repository r USING (repository_id)
  WHERE r.registry_id = ANY (registries)
$$;
COMMENT ON FUNCTION image_library_internal.bundle_images IS 'Images that a bundle has: those that rules take, and those that were decided on';

CREATE FUNCTION image_library_internal.bundle_image(repository_id integer, digest text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
  SELECT jsonb_build_object(
    'registry', r.registry, 'repository', r.repository, 'digest', i.digest,
    'tags', coalesce((SELECT jsonb_agg(t.name ORDER BY t.name) FROM image_library_internal.tag t
                      WHERE t.repository_id = r.repository_id AND t.digest = i.digest AND t.rule_id IS NOT NULL AND t.missing_since IS NULL), '[]'),
    'facts', to_jsonb(i) - '{digest,platforms}'::text[],
    'platforms', (SELECT jsonb_agg(to_jsonb(p) - 'digest' ORDER BY p.platform, p.manifest_digest) FROM image_library_internal.image_platform p WHERE p.digest = i.digest),
    'extensions', (SELECT jsonb_agg(to_jsonb(x) - '{digest,repository_id}'::text[] ORDER BY x.name) FROM image_library_internal.image_extension x
                   WHERE x.repository_id = r.repository_id AND x.digest = i.digest),
    'profiles', (SELECT jsonb_agg(to_jsonb(m) - '{digest,repository_id}'::text[] ORDER BY m.name) FROM image_library_internal.model_profile m
                 WHERE m.repository_id = r.repository_id AND m.digest = i.digest),
    'referrers', (SELECT jsonb_agg(to_jsonb(x) - '{digest,repository_id,referrer_id,first_seen_at}'::text[] ORDER BY x.referrer_digest, x.tag)
                  FROM image_library_internal.image_referrer x
                  WHERE x.digest = i.digest AND (x.repository_id = r.repository_id OR x.repository_id IS NULL)),
    'approval', (
      SELECT jsonb_build_object('state', a.state, 'valid_until', a.valid_until, 'deprecated_from', a.deprecated_from, 'quarantined', a.quarantined_at IS NOT NULL,
               'decided_at', coalesce(greatest(d.decided_at, a.reset_at), a.decided_at), 'actor', d.actor, 'reason', d.reason, 'rule_id', d.rule_id,
               'policy', d.policy, 'decision_id', d.decision_id)
      FROM image_library_internal.approval a LEFT JOIN image_library_internal.decision d ON d.decision_id = a.decision_id
      WHERE a.repository_id = r.repository_id AND a.digest = i.digest))
  FROM image_library_internal.full_repository r, image_library_internal.image i
  WHERE r.repository_id = bundle_image.repository_id AND i.digest = bundle_image.digest
$$;
COMMENT ON FUNCTION image_library_internal.bundle_image IS 'An image of a repository with its facts and approval, for a bundle';

-- Secrets are in tables of their own, which this does not read.
CREATE FUNCTION image_library_internal.bundle_content(library text, registries integer[]) RETURNS TABLE (section text, content jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
BEGIN
  RETURN QUERY
    SELECT 'header', jsonb_build_object('format', 1, 'library', library, 'exported_at', clock_timestamp(), 'exported_by', session_user,
      'chain_position', (SELECT max(c.position) FROM image_library_internal.chain c),
      'registries', (SELECT coalesce(jsonb_agg(g.name ORDER BY g.name), '[]') FROM image_library_internal.registry g WHERE g.registry_id = ANY (registries)));
  RETURN QUERY
    SELECT 'registry', to_jsonb(g) - '{registry_id,sync_requested_at,rules_changed_at,owner,proxy}'::text[] || jsonb_build_object('owner', g.owner::text)
    FROM image_library_internal.registry g WHERE g.registry_id = ANY (registries) ORDER BY g.name;
  RETURN QUERY
    SELECT 'rule', to_jsonb(u) - '{registry_id,owner}'::text[] || jsonb_build_object('registry', g.name, 'owner', u.owner::text)
    FROM image_library_internal.rule u JOIN image_library_internal.registry g USING (registry_id)
    WHERE u.registry_id = ANY (registries) ORDER BY u.rule_id;
  RETURN QUERY
    SELECT 'hm_tag', jsonb_build_object('name', h.name, 'color', h.color) FROM image_library_internal.hm_tag h ORDER BY h.name;
  RETURN QUERY
    SELECT 'hm_tag_of', jsonb_build_object('hm_tag', h.name, 'registry', r.registry, 'repository', r.repository, 'tag', x.tag)
    FROM (SELECT hm_tag_id, repository_id, NULL::text AS tag FROM image_library_internal.hm_tag_repository
          UNION ALL SELECT hm_tag_id, repository_id, tag FROM image_library_internal.hm_tag_image) x
    JOIN image_library_internal.hm_tag h USING (hm_tag_id)
    JOIN image_library_internal.full_repository r USING (repository_id)
    WHERE r.registry_id = ANY (registries) ORDER BY r.registry, r.repository, x.tag, h.name;
  RETURN QUERY
    SELECT 'policy', jsonb_build_object('name', p.name, 'function', p.function, 'applies_to', p.applies_to, 'effect', p.effect, 'enabled', p.enabled)
    FROM image_library_internal.policy p ORDER BY p.name;
  RETURN QUERY
    SELECT 'image', image_library_internal.bundle_image(n.repository_id, n.digest)
    FROM image_library_internal.bundle_images(registries) n
    ORDER BY n.repository_id, n.digest;
  RETURN QUERY SELECT 'evidence', e FROM image_library_internal.bundle_evidence(registries) e;
  RETURN QUERY
    SELECT 'decision', to_jsonb(d) - '{registry_id,transaction,client_address,statement_at}'::text[]
    FROM image_library_internal.decision d WHERE d.registry_id = ANY (registries) ORDER BY d.decision_id;
END
$$;
COMMENT ON FUNCTION image_library_internal.bundle_content IS 'Content of a bundle but its end, in the order of the sections';

CREATE FUNCTION image_library.export_library(library text, registries text[] DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  chosen integer[];
  part record;
  number bigint := 0;
  hash text;
  content text;
BEGIN
  PERFORM image_library_internal.require_admin('export the library');
  PERFORM image_library_internal.check_library_name(library);
  chosen := ARRAY(SELECT g.registry_id FROM image_library_internal.registry g WHERE registries IS NULL);
  IF registries IS NOT NULL THEN
    chosen := ARRAY(SELECT (image_library_internal.find_registry(name)).registry_id FROM unnest(registries) name);
  END IF;
  FOR part IN
    SELECT c.section, c.content FROM image_library_internal.bundle_content(library, chosen) c
    UNION ALL
    SELECT 'end', NULL
  LOOP
    number := number + 1;
    content := jsonb_build_array(number, part.section,
      CASE part.section WHEN 'end' THEN jsonb_build_object('lines', number) ELSE part.content END)::text;
    hash := image_library_internal.bundle_hash(hash, content);
    RETURN NEXT hash || ' ' || content;
  END LOOP;
END
$$;
COMMENT ON FUNCTION image_library.export_library IS
  'The library as lines for stage_bundle and import_library in another one: registries without secrets, rules, HM tags, policies, images with facts and signatures, approvals and decisions. library: a name for this library, under which others know what comes from it; registries: null: all. The first word of the last line is the hash of all';
GRANT EXECUTE ON FUNCTION image_library.export_library TO image_library_admin;

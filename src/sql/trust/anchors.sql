-- Who is trusted, set by admins. Nothing is trusted by default.

CREATE FUNCTION image_library_internal.checked_anchor(anchor image_library_internal.trust_anchor) RETURNS image_library_internal.trust_anchor
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- Longer than any in use.
  longest integer := CASE anchor.kind WHEN 'root' THEN 4000000 ELSE 100000 END;
  problem text := CASE
    WHEN coalesce(anchor.name, '') !~ '^[^[:cntrl:]]{1,100}$' OR btrim(anchor.name) <> anchor.name
      THEN format('invalid name of a trusted signer: "%s"', left(anchor.name, 100))
    WHEN anchor.kind = 'identity' AND (coalesce(anchor.issuer, '') !~ '^https?://[^[:space:][:cntrl:]]+$' OR length(anchor.issuer) > 1000)
      THEN format('identity "%s": the issuer must be the URL of an OpenID Connect issuer, not "%s"', anchor.name, left(anchor.issuer, 100))
    WHEN anchor.kind IN ('identity', 'authority') AND (coalesce(anchor.subject, '') !~ '^[^[:cntrl:]]+$' OR length(anchor.subject) > 1000)
      THEN format('%s "%s": the subject must be a pattern of 1 to 1000 characters', anchor.kind, anchor.name)
    WHEN anchor.kind <> 'identity' AND coalesce(anchor.material, '') = ''
      THEN format('%s "%s" is empty', CASE anchor.kind WHEN 'root' THEN 'trusted root' ELSE anchor.kind END, anchor.name)
    WHEN length(anchor.material) > longest
      THEN format('%s "%s" is longer than %s characters', CASE anchor.kind WHEN 'root' THEN 'trusted root' ELSE anchor.kind END, anchor.name, longest)
    WHEN anchor.repositories IS NULL OR cardinality(anchor.repositories) NOT BETWEEN 1 AND 1000 OR array_ndims(anchor.repositories) > 1
         OR array_position(anchor.repositories, NULL) IS NOT NULL
      THEN format('%s "%s": repositories must be a list of 1 to 1000 patterns', anchor.kind, anchor.name) END;
BEGIN
  IF problem IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => problem,
      hint => CASE WHEN problem LIKE 'invalid name%' THEN 'Use 1 to 100 characters, with no space at either end.'
                   WHEN problem LIKE '%patterns' THEN 'Use ''{**}'' for all repositories, or host/path such as ''{registry.example.com/team/**}''.' END);
  END IF;
  PERFORM FROM image_library_internal.matching_names(anchor.repositories, 'place', '{example.com/name}');
  PERFORM image_library_internal.check_anchors(image_library_internal.anchors_json(ARRAY[anchor]));
  RETURN anchor;
END
$$;
COMMENT ON FUNCTION image_library_internal.checked_anchor IS 'The given trust anchor; raises 22023 or 2201B if it is wrong, and names it';

CREATE FUNCTION image_library_internal.add_anchor(anchor image_library_internal.trust_anchor) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known text;
  same text;
BEGIN
  PERFORM image_library_internal.require_admin('change who is trusted to sign');
  anchor := image_library_internal.checked_anchor(anchor);
  PERFORM image_library_internal.lock_trust(exclusive => true);
  SELECT a.kind INTO known FROM image_library_internal.trust_anchor a WHERE a.name = anchor.name;
  IF FOUND THEN
    PERFORM image_library_internal.fail(
      errcode => 'duplicate_object',
      message => format('trusted signer "%s" exists already', anchor.name),
      detail => format('It is of kind %s. Names are unique among keys, identities and authorities.', known),
      hint => 'To replace it, drop it and add it again in one transaction.');
  END IF;
  SELECT string_agg(format('"%s"', a.name), ', ' ORDER BY a.name) INTO same
  FROM image_library_internal.trust_anchor a
  WHERE a.kind = 'key' AND anchor.kind = 'key'
    AND regexp_replace(a.material, '-----[^-]*-----|[[:space:]]', '', 'g') = regexp_replace(anchor.material, '-----[^-]*-----|[[:space:]]', '', 'g');
  IF same IS NOT NULL THEN
    RAISE NOTICE USING
      MESSAGE = format('key "%s" is trusted already, as %s', anchor.name, same),
      DETAIL = 'Where both names are trusted, a signature counts for one of them only, and not for rules that require the other.',
      HINT = 'Trust a key by one name, or give its names different repositories.';
  END IF;
  PERFORM image_library_internal.change_trust(NULL, anchor, '{}', format('%s "%s" is trusted', anchor.kind, anchor.name));
END
$$;
COMMENT ON FUNCTION image_library_internal.add_anchor IS 'Adds a trust anchor; raises 42501, 42710, and as checked_anchor does';

CREATE FUNCTION image_library_internal.drop_anchor(kind text, name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rules text;
  libraries text;
BEGIN
  PERFORM image_library_internal.require_admin('change who is trusted to sign');
  PERFORM image_library_internal.lock_trust(exclusive => true);
  IF NOT EXISTS (SELECT FROM image_library_internal.trust_anchor a WHERE a.name = drop_anchor.name AND a.kind = drop_anchor.kind) THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => CASE kind WHEN 'root' THEN 'no trusted root is set' ELSE format('trusted %s "%s" does not exist', kind, left(name, 100)) END,
      hint => 'See image_library.trusted_signers.');
  END IF;
  SELECT string_agg(u.rule_id::text, ', ' ORDER BY u.rule_id) INTO rules
  FROM image_library_internal.rule u WHERE drop_anchor.name = ANY (u.signed_by);
  IF rules IS NOT NULL THEN
    RAISE WARNING USING
      MESSAGE = format('rules require a signature of "%s", which is not trusted any more: %s', name, rules),
      HINT = 'Images that only it has signed are not approved any more; see image_library.alter_rule.';
  END IF;
  -- No reason to refuse: a key that others have got must be dropped at once, and without it nothing is imported.
  SELECT string_agg(format('"%s"', b.library), ', ' ORDER BY b.library) INTO libraries
  FROM image_library_internal.bundle_key b WHERE b.key = drop_anchor.name AND drop_anchor.kind = 'key';
  IF libraries IS NOT NULL THEN
    RAISE WARNING USING
      MESSAGE = format('bundles of these libraries must be signed with "%s", which is not trusted any more: %s', name, libraries),
      HINT = 'They are refused until it is trusted again; see image_library.set_bundle_key.';
  END IF;
  PERFORM image_library_internal.change_trust(name, NULL,
    CASE kind WHEN 'root' THEN ARRAY(SELECT a.name FROM image_library_internal.trust_anchor a) ELSE ARRAY[name] END,
    CASE kind WHEN 'root' THEN 'the trusted root was dropped' ELSE format('%s "%s" is not trusted any more', kind, name) END);
END
$$;
COMMENT ON FUNCTION image_library_internal.drop_anchor IS 'Drops a trust anchor; raises 42501, 42704';

CREATE FUNCTION image_library.add_trust_key(name text, pem text, repositories text[] DEFAULT '{**}') RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.add_anchor(jsonb_populate_record(NULL::image_library_internal.trust_anchor, jsonb_build_object(
    'name', name, 'kind', 'key', 'material', pem, 'repositories', repositories)))
$$;
COMMENT ON FUNCTION image_library.add_trust_key IS
  'Trusts signatures of a public key (PEM: ECDSA P-256 or P-384, Ed25519, RSA), in repositories of which host/path matches one of the patterns; signatures that are stored are verified at once';
GRANT EXECUTE ON FUNCTION image_library.add_trust_key TO image_library_admin;

CREATE FUNCTION image_library.add_trust_identity(name text, issuer text, subject text, repositories text[] DEFAULT '{**}') RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.add_anchor(jsonb_populate_record(NULL::image_library_internal.trust_anchor, jsonb_build_object(
    'name', name, 'kind', 'identity', 'issuer', issuer, 'subject', subject, 'repositories', repositories)))
$$;
COMMENT ON FUNCTION image_library.add_trust_identity IS
  'Trusts keyless signatures with a certificate of this OpenID Connect issuer (exactly) for a subject that the pattern matches, such as a workflow or an e-mail address; needs set_trusted_root';
GRANT EXECUTE ON FUNCTION image_library.add_trust_identity TO image_library_admin;

CREATE FUNCTION image_library.add_trust_authority(name text, pem text, subject text DEFAULT '**', repositories text[] DEFAULT '{**}',
  signing_authority boolean DEFAULT false)
RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT image_library_internal.add_anchor(jsonb_populate_record(NULL::image_library_internal.trust_anchor, jsonb_build_object(
    'name', name, 'kind', 'authority', 'material', pem, 'subject', subject, 'repositories', repositories,
    'signing_authority', signing_authority)))
$$;
COMMENT ON FUNCTION image_library.add_trust_authority IS
  'Trusts signatures of Notation with certificates of a root (PEM), for a subject (distinguished name) that the pattern matches. signing_authority: its signers may state the time of signing themselves';
GRANT EXECUTE ON FUNCTION image_library.add_trust_authority TO image_library_admin;

CREATE FUNCTION image_library.set_trusted_root(root json) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  anchor image_library_internal.trust_anchor;
BEGIN
  PERFORM image_library_internal.require_admin('change who is trusted to sign');
  anchor.name := 'trusted root';
  anchor.kind := 'root';
  anchor.material := root::text;
  anchor.repositories := '{**}';
  anchor := image_library_internal.checked_anchor(anchor);
  PERFORM image_library_internal.lock_trust(exclusive => true);
  IF EXISTS (SELECT FROM image_library_internal.trust_anchor a WHERE a.name = anchor.name AND a.kind <> 'root') THEN
    PERFORM image_library_internal.fail(
      errcode => 'duplicate_object',
      message => 'a trusted signer is called "trusted root"',
      hint => 'Drop it, and add it with another name.');
  END IF;
  PERFORM image_library_internal.change_trust(anchor.name, anchor,
    ARRAY(SELECT a.name FROM image_library_internal.trust_anchor a), 'the trusted root has changed');
END
$$;
COMMENT ON FUNCTION image_library.set_trusted_root IS
  'Sets, or replaces, the trusted root of Sigstore (trusted_root.json): certificate authorities, logs and timestamp authorities of keyless signatures. Nothing is fetched';
GRANT EXECUTE ON FUNCTION image_library.set_trusted_root TO image_library_admin;

CREATE FUNCTION image_library.drop_trust_key(name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.drop_anchor('key', name) $$;
COMMENT ON FUNCTION image_library.drop_trust_key IS
  'Ends the trust in a public key: its signatures are verified no more, and what rules or policies approved because of one is pending again';
GRANT EXECUTE ON FUNCTION image_library.drop_trust_key TO image_library_admin;

CREATE FUNCTION image_library.drop_trust_identity(name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.drop_anchor('identity', name) $$;
COMMENT ON FUNCTION image_library.drop_trust_identity IS 'Ends the trust in an identity, see drop_trust_key';
GRANT EXECUTE ON FUNCTION image_library.drop_trust_identity TO image_library_admin;

CREATE FUNCTION image_library.drop_trust_authority(name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.drop_anchor('authority', name) $$;
COMMENT ON FUNCTION image_library.drop_trust_authority IS 'Ends the trust in an authority of Notation, see drop_trust_key';
GRANT EXECUTE ON FUNCTION image_library.drop_trust_authority TO image_library_admin;

CREATE FUNCTION image_library.drop_trusted_root() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library_internal.drop_anchor('root', 'trusted root') $$;
COMMENT ON FUNCTION image_library.drop_trusted_root IS
  'Removes the trusted root of Sigstore: keyless signatures are verified no more, see drop_trust_key';
GRANT EXECUTE ON FUNCTION image_library.drop_trusted_root TO image_library_admin;

-- Places of private registries can be among the patterns.
CREATE VIEW image_library.trusted_signers WITH (security_barrier) AS
  SELECT a.name, a.kind, a.issuer, a.subject,
         CASE WHEN a.repositories = '{**}' OR (SELECT image_library_internal.sees_everything()) THEN a.repositories END AS repositories, CASE WHEN a.kind <> 'root' THEN a.material END AS pem,
         encode(sha256(convert_to(a.material, 'UTF8')), 'hex') AS fingerprint, a.created_at, a.created_by, a.signing_authority
  FROM image_library_internal.trust_anchor a;
COMMENT ON VIEW image_library.trusted_signers IS
  'Who is trusted to sign images, and where: keys, identities, authorities of Notation, and the trusted root of Sigstore';
GRANT SELECT ON image_library.trusted_signers TO image_library_reader;

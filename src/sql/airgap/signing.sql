-- Signatures of bundles: made outside of the database over the hash of the last line, verified before anything is imported.

CREATE TABLE image_library_internal.bundle_key (
  library text COLLATE "C" PRIMARY KEY,
  key text COLLATE "C" NOT NULL
);
COMMENT ON TABLE image_library_internal.bundle_key IS
  'Trusted keys that must have signed the bundles of a library: the first one that did, or one that an admin set';

CREATE FUNCTION image_library_internal.signature_problem(pem text, signed_text text, signature text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'image_library_signature_problem';
COMMENT ON FUNCTION image_library_internal.signature_problem IS
  'Why a signature, in base64, is not one of a public key over a text; null: it is';

CREATE FUNCTION image_library_internal.check_bundle_signature(library text, hash text, signature text, key text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  required text := (SELECT k.key FROM image_library_internal.bundle_key k WHERE k.library = check_bundle_signature.library);
  pem text := (SELECT a.material FROM image_library_internal.trust_anchor a WHERE a.name = check_bundle_signature.key AND a.kind = 'key');
  problem text;
BEGIN
  IF required <> coalesce(key, '') THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('bundles of library "%s" must be signed with key "%s"', library, required),
      detail => CASE WHEN key IS NULL THEN 'No key is given.' ELSE format('The given key is "%s".', left(key, 100)) END,
      hint => 'Nothing was imported. Give signature and key; image_library.set_bundle_key changes which key is required.');
  END IF;
  IF (signature IS NULL) <> (key IS NULL) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => CASE WHEN key IS NULL THEN 'a signature of a bundle is given without the key that made it' ELSE format('key "%s" is given without a signature of the bundle', left(key, 100)) END,
      hint => 'Nothing was imported. Give both: signature as base64 text, and key as the name of a trusted key.');
  END IF;
  IF key IS NULL THEN
    RETURN NULL;
  END IF;
  IF pem IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('trusted key "%s" does not exist', left(key, 100)),
      hint => 'Nothing was imported. See image_library.trusted_signers, and add the key with image_library.add_trust_key.');
  END IF;
  problem := image_library_internal.signature_problem(pem, hash, signature);
  IF problem IS NOT NULL THEN
    PERFORM image_library_internal.refuse_bundle(NULL, format('it is not signed with key "%s": %s', key, problem),
      format('Nothing was imported. What must be signed is the hash of its last line, without a line break: %s', hash));
  END IF;
  RETURN encode(sha256(convert_to(pem, 'UTF8')), 'hex');
END
$$;
COMMENT ON FUNCTION image_library_internal.check_bundle_signature IS
  'Fingerprint of the key that signed the hash of a bundle, null without a key; raises 22023, 42704, or 55000 if the library''s bundles need another key';

CREATE FUNCTION image_library.set_bundle_key(library text, key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin('change which key signs bundles');
  PERFORM image_library_internal.check_library_name(library);
  -- In the order of import_library.
  PERFORM pg_advisory_xact_lock('image_library_internal.imported_bundle'::regclass::oid::integer, 0);
  PERFORM image_library_internal.lock_trust(exclusive => false);
  IF key IS NULL THEN
    DELETE FROM image_library_internal.bundle_key k WHERE k.library = set_bundle_key.library;
    RETURN;
  END IF;
  IF NOT EXISTS (SELECT FROM image_library_internal.trust_anchor a WHERE a.name = set_bundle_key.key AND a.kind = 'key') THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('trusted key "%s" does not exist', left(key, 100)),
      hint => 'See image_library.trusted_signers, and add the key with image_library.add_trust_key.');
  END IF;
  INSERT INTO image_library_internal.bundle_key AS k (library, key) VALUES (set_bundle_key.library, set_bundle_key.key)
  ON CONFLICT ON CONSTRAINT bundle_key_pkey DO UPDATE SET key = excluded.key WHERE k.key <> excluded.key;
END
$$;
COMMENT ON FUNCTION image_library.set_bundle_key IS
  'Sets the trusted key that must have signed the bundles of a library, given by name; null: none is required. The first import with a key sets it too';
GRANT EXECUTE ON FUNCTION image_library.set_bundle_key TO image_library_admin;

-- The keys that classification reads. An admin can change them; images are classified again from stored facts.

CREATE TABLE image_library_internal.annotation_key (
  purpose text COLLATE "C" NOT NULL,
  position integer NOT NULL,
  key text NOT NULL,
  PRIMARY KEY (purpose, position)
);
COMMENT ON TABLE image_library_internal.annotation_key IS
  'Annotation and label keys that an admin has set, by purpose; a purpose without rows has the default keys';
GRANT SELECT ON image_library_internal.annotation_key TO image_library_agent;

-- The first key that an image has decides.
CREATE VIEW image_library.annotation_keys WITH (security_barrier) AS
  SELECT d.purpose, coalesce(own.keys, d.keys) AS keys, own.keys IS NULL AS is_default
  FROM (SELECT k.purpose, array_agg(k.key ORDER BY k."position") AS keys
        FROM image_library_internal.default_annotation_keys() k GROUP BY k.purpose) d
  LEFT JOIN (SELECT k.purpose, array_agg(k.key ORDER BY k.position) AS keys
             FROM image_library_internal.annotation_key k GROUP BY k.purpose) own USING (purpose);
COMMENT ON VIEW image_library.annotation_keys IS
  'Annotation and label keys that classification reads, the preferred one first';
GRANT SELECT ON image_library.annotation_keys TO image_library_reader, image_library_agent;

-- PL/pgSQL calls an immutable function once, when it makes the plan.
CREATE FUNCTION image_library_internal.default_classification_keys() RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_object_agg(d.purpose, d.keys)
  FROM (SELECT k.purpose, array_agg(k.key ORDER BY k."position") AS keys
        FROM image_library_internal.default_annotation_keys() k GROUP BY k.purpose) d
$$;
COMMENT ON FUNCTION image_library_internal.default_classification_keys IS 'The default keys in the form that classify takes';
GRANT EXECUTE ON FUNCTION image_library_internal.default_classification_keys TO image_library_agent;

CREATE FUNCTION image_library_internal.classification_keys() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM image_library_internal.annotation_key) THEN
    RETURN (SELECT jsonb_object_agg(k.purpose, k.keys) FROM image_library.annotation_keys k);
  END IF;
  RETURN image_library_internal.default_classification_keys();
END
$$;
COMMENT ON FUNCTION image_library_internal.classification_keys IS 'The keys in the form that classify takes';
GRANT EXECUTE ON FUNCTION image_library_internal.classification_keys TO image_library_agent;

CREATE FUNCTION image_library_internal.classification_version() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM image_library_internal.annotation_key) THEN
    RETURN image_library_internal.json_fingerprint(image_library_internal.classification_keys());
  END IF;
  RETURN image_library_internal.json_fingerprint(image_library_internal.default_classification_keys());
END
$$;
COMMENT ON FUNCTION image_library_internal.classification_version IS 'A text that differs if the keys differ';
GRANT EXECUTE ON FUNCTION image_library_internal.classification_version TO image_library_agent;

CREATE FUNCTION image_library.set_annotation_keys(purpose text, keys text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin('change annotation keys');
  IF NOT EXISTS (SELECT FROM image_library_internal.default_annotation_keys() k WHERE k.purpose = set_annotation_keys.purpose) THEN
    PERFORM image_library_internal.fail(
      errcode => 'undefined_object',
      message => format('there is no purpose "%s" of annotation keys', purpose),
      hint => 'See image_library.annotation_keys.');
  END IF;
  IF cardinality(keys) = 0 OR EXISTS (SELECT FROM unnest(keys) k WHERE coalesce(k, '') = '' OR length(k) > 256) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'annotation keys must be one or more texts of 1 to 256 characters',
      hint => 'Use null to return to the keys of the library.');
  END IF;
  -- A batch that is not committed, of a new repository for one, is classified by the keys that it has read.
  PERFORM image_library_internal.lock_rules(g.registry_id)
  FROM (SELECT r.registry_id FROM image_library_internal.registry r ORDER BY 1) g;
  DELETE FROM image_library_internal.annotation_key k WHERE k.purpose = set_annotation_keys.purpose;
  INSERT INTO image_library_internal.annotation_key (purpose, position, key)
  SELECT set_annotation_keys.purpose, k.position, k.key
  FROM unnest(keys) WITH ORDINALITY AS k (key, position);
  PERFORM image_library_internal.classify_all();
END
$$;
COMMENT ON FUNCTION image_library.set_annotation_keys IS
  'Sets the annotation and label keys for a purpose, the preferred one first (null: the default), and classifies every image again';
GRANT EXECUTE ON FUNCTION image_library.set_annotation_keys TO image_library_admin;

CREATE FUNCTION image_library.reset_annotation_keys(purpose text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT image_library.set_annotation_keys(purpose, NULL) $$;
COMMENT ON FUNCTION image_library.reset_annotation_keys IS
  'Restores the default keys for a purpose, and classifies every image again';
GRANT EXECUTE ON FUNCTION image_library.reset_annotation_keys TO image_library_admin;

CREATE FUNCTION image_library_internal.classify_all() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  repository image_library_internal.repository;
BEGIN
  FOR repository IN SELECT r.* FROM image_library_internal.repository r ORDER BY r.registry_id, r.repository_id LOOP
    PERFORM image_library_internal.lock_repository(repository.registry_id, repository.repository_id, for_batch => true);
    PERFORM image_library_internal.refresh_entries(repository.repository_id, NULL);
  END LOOP;
  UPDATE image_library_internal.image i
  SET title = told.title, description = told.description, version = told.version
  FROM image_library_internal.image n
  CROSS JOIN LATERAL image_library_internal.published_texts(
    n.annotations, n.labels, (SELECT image_library_internal.classification_keys())) told
  WHERE i.digest = n.digest
    AND (i.title, i.description, i.version) IS DISTINCT FROM (told.title, told.description, told.version);
END
$$;
COMMENT ON FUNCTION image_library_internal.classify_all IS 'Classifies every image from its stored facts';

CREATE FUNCTION image_library.reclassify() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.require_admin('classify images anew');
  PERFORM image_library_internal.classify_all();
END
$$;
COMMENT ON FUNCTION image_library.reclassify IS
  'Classifies every image again from its stored facts, without a request to a registry';
GRANT EXECUTE ON FUNCTION image_library.reclassify TO image_library_admin;

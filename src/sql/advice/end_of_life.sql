-- End of life of PostgreSQL's major versions and of operating systems, as published.

CREATE TABLE image_library_internal.end_of_life_date (
  product text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  ends_on date NOT NULL,
  source text,
  set_at timestamptz NOT NULL DEFAULT now(),
  set_by name NOT NULL DEFAULT session_user,
  PRIMARY KEY (product, version)
);
COMMENT ON TABLE image_library_internal.end_of_life_date IS 'Dates that admins have set, in place of the published ones';

-- Debian's dates are those of its long term support, Ubuntu's those of standard support.
CREATE FUNCTION image_library_internal.default_end_of_life() RETURNS TABLE (product text, version text, ends_on date, source text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT v.product, v.version, v.ends_on::date, v.source
  FROM (VALUES
    ('postgresql', '10', '2022-11-10', 'https://www.postgresql.org/support/versioning/'),
    ('postgresql', '11', '2023-11-09', 'https://www.postgresql.org/support/versioning/'),
    ('postgresql', '12', '2024-11-21', 'https://www.postgresql.org/support/versioning/'),
    ('postgresql', '13', '2025-11-13', 'https://www.postgresql.org/support/versioning/'),
    ('postgresql', '14', '2026-11-12', 'https://www.postgresql.org/support/versioning/'),
    ('postgresql', '15', '2027-11-11', 'https://www.postgresql.org/support/versioning/'),
    ('postgresql', '16', '2028-11-09', 'https://www.postgresql.org/support/versioning/'),
    ('postgresql', '17', '2029-11-08', 'https://www.postgresql.org/support/versioning/'),
    ('postgresql', '18', '2030-11-14', 'https://www.postgresql.org/support/versioning/'),
    ('os', 'stretch', '2022-06-30', 'https://wiki.debian.org/LTS'),
    ('os', 'buster', '2024-06-30', 'https://wiki.debian.org/LTS'),
    ('os', 'bullseye', '2026-08-31', 'https://wiki.debian.org/LTS'),
    ('os', 'bookworm', '2028-06-30', 'https://wiki.debian.org/LTS'),
    ('os', 'trixie', '2030-06-30', 'https://wiki.debian.org/LTS'),
    ('os', 'ubi7', '2024-06-30', 'https://access.redhat.com/support/policy/updates/errata'),
    ('os', 'ubi8', '2029-05-31', 'https://access.redhat.com/support/policy/updates/errata'),
    ('os', 'ubi9', '2032-05-31', 'https://access.redhat.com/support/policy/updates/errata'),
    ('os', 'ubi10', '2035-05-31', 'https://access.redhat.com/support/policy/updates/errata')) v (product, version, ends_on, source);
END;
COMMENT ON FUNCTION image_library_internal.default_end_of_life IS 'End of life as published; of flavors other than community PostgreSQL none';
GRANT EXECUTE ON FUNCTION image_library_internal.default_end_of_life TO image_library_reader;

CREATE VIEW image_library.end_of_life WITH (security_barrier) AS
  SELECT e.product, e.version, e.ends_on, e.source, false AS is_default FROM image_library_internal.end_of_life_date e
  UNION ALL
  SELECT d.product, d.version, d.ends_on, d.source, true FROM image_library_internal.default_end_of_life() d
  WHERE NOT EXISTS (SELECT FROM image_library_internal.end_of_life_date e WHERE (e.product, e.version) = (d.product, d.version));
COMMENT ON VIEW image_library.end_of_life IS
  'When support ends: of PostgreSQL''s major versions, by flavor, and of operating systems, as published or as an admin has set it; drift reads it';
GRANT SELECT ON image_library.end_of_life TO image_library_reader;

CREATE FUNCTION image_library.set_end_of_life(product text, version text, ends_on date, source text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text := image_library_internal.wrong_value('product', product, '{postgresql,epas,pge,os}');
BEGIN
  PERFORM image_library_internal.require_admin('set an end of life');
  IF wrong IS NULL AND coalesce(version, '') !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
    wrong := 'version is not a major version or the name of an operating system';
  ELSIF wrong IS NULL AND (length(source) > 1000 OR source ~ '[[:cntrl:]]') THEN
    wrong := 'source is longer than 1000 characters or has control characters';
  END IF;
  IF wrong IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => wrong,
      hint => 'For example set_end_of_life(''postgresql'', ''17'', ''2029-11-08''), or set_end_of_life(''os'', ''bookworm'', ''2028-06-30'').');
  END IF;
  IF ends_on IS NULL THEN
    DELETE FROM image_library_internal.end_of_life_date e WHERE e.product = set_end_of_life.product AND e.version = set_end_of_life.version;
    RETURN;
  END IF;
  INSERT INTO image_library_internal.end_of_life_date AS e (product, version, ends_on, source)
  VALUES (set_end_of_life.product, set_end_of_life.version, set_end_of_life.ends_on, set_end_of_life.source)
  ON CONFLICT ON CONSTRAINT end_of_life_date_pkey DO UPDATE
  SET ends_on = excluded.ends_on, source = excluded.source, set_at = now(), set_by = session_user;
END
$$;
COMMENT ON FUNCTION image_library.set_end_of_life IS
  'Sets when support of a product ends, in place of the published date: postgresql, epas or pge with a major version, or os with a name as in images; ends_on null: the published date counts again';
GRANT EXECUTE ON FUNCTION image_library.set_end_of_life TO image_library_admin;

-- README texts of repositories, set by curators.

CREATE TABLE image_library_internal.repository_readme (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  readme text NOT NULL CHECK (octet_length(readme) <= 65536),
  set_at timestamptz NOT NULL DEFAULT now(),
  set_by name NOT NULL DEFAULT session_user
);
COMMENT ON TABLE image_library_internal.repository_readme IS 'README texts of repositories, at most 64 KiB each';

CREATE FUNCTION image_library.set_readme(registry text, repository text, readme text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id integer := image_library_internal.known_repository_id(registry, repository);
BEGIN
  PERFORM image_library_internal.require_repository_team(format('set the README of repository "%s"', repository), id);
  IF octet_length(readme) > 65536 THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('the README of repository "%s" is too long: %s bytes', repository, octet_length(readme)),
      hint => 'It may have 65536 bytes.');
  END IF;
  IF coalesce(btrim(readme, E' \t\r\n'), '') = '' THEN
    DELETE FROM image_library_internal.repository_readme x WHERE x.repository_id = id;
    RETURN;
  END IF;
  INSERT INTO image_library_internal.repository_readme AS x (repository_id, readme) VALUES (id, set_readme.readme)
  ON CONFLICT ON CONSTRAINT repository_readme_pkey DO UPDATE
  SET readme = excluded.readme, set_at = excluded.set_at, set_by = excluded.set_by
  WHERE x.readme <> excluded.readme;
END
$$;
COMMENT ON FUNCTION image_library.set_readme IS
  'Sets the README of a repository, usually Markdown, at most 64 KiB; null or blank removes it';
GRANT EXECUTE ON FUNCTION image_library.set_readme TO image_library_curator;

-- Token servers and warnings of registries, as seen in syncs.

CREATE TABLE image_library_internal.registry_note (
  registry_id integer PRIMARY KEY REFERENCES image_library_internal.registry ON DELETE CASCADE,
  token_server text,
  warning text,
  noted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE image_library_internal.registry_note IS 'Token server and warning of a registry, from the last sync';
COMMENT ON COLUMN image_library_internal.registry_note.token_server IS
  'Host of the token server; a change is reported as an event';
COMMENT ON COLUMN image_library_internal.registry_note.warning IS 'Text of the last Warning header';
GRANT SELECT, INSERT, UPDATE ON image_library_internal.registry_note TO image_library_agent;

CREATE FUNCTION image_library_internal.note_registry(registry_id integer, token_server text, warning text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known image_library_internal.registry_note;
BEGIN
  SELECT n.* INTO known FROM image_library_internal.registry_note n WHERE n.registry_id = note_registry.registry_id;
  token_server := coalesce(token_server, known.token_server);
  -- A warning that the last run did not see is removed.
  IF known.registry_id IS NOT NULL AND (known.token_server, known.warning) IS NOT DISTINCT FROM (token_server, warning)
     OR known.registry_id IS NULL AND coalesce(token_server, warning) IS NULL THEN
    RETURN;
  END IF;
  INSERT INTO image_library_internal.registry_note AS n (registry_id, token_server, warning)
  VALUES (note_registry.registry_id, note_registry.token_server, note_registry.warning)
  ON CONFLICT ON CONSTRAINT registry_note_pkey DO UPDATE
  SET token_server = excluded.token_server, warning = excluded.warning, noted_at = excluded.noted_at;
  -- A token server gives access to everything that it issues tokens for, so a change is reported.
  IF known.token_server <> token_server THEN
    PERFORM image_library_internal.emit('token server changed', g.registry_id, g.name, NULL, NULL, NULL,
      jsonb_build_object('previous', known.token_server, 'token_server', note_registry.token_server))
    FROM image_library_internal.registry g WHERE g.registry_id = note_registry.registry_id;
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.note_registry IS
  'Stores token server and warning of a registry from a run; writes an event if the token server has changed';
GRANT EXECUTE ON FUNCTION image_library_internal.note_registry TO image_library_agent;

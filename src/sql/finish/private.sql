-- Private registries. Views and functions leave out what the acting role may not see. Row level security has the same
-- effect on the tables, so that a grant on one of them reveals nothing. It does not apply to the owner of the tables,
-- and the agent sees all rows. Views that must give rows in the order of an index have no security barrier: they belong
-- to image_library_views, to which it applies.

CREATE FUNCTION image_library_internal.known_registries() RETURNS integer[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY(SELECT g.registry_id FROM image_library_internal.visible_registry g ORDER BY 1)
$$;
COMMENT ON FUNCTION image_library_internal.known_registries IS 'Registries that exist and that the acting role may see';
GRANT EXECUTE ON FUNCTION image_library_internal.known_registries TO image_library_reader;

DO $$
DECLARE
  relation record;
  condition text;
BEGIN
  FOR relation IN
    SELECT c.oid::regclass AS name,
           ARRAY(SELECT a.attname FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attname IN ('registry_id', 'repository_id', 'digest')) AS columns
    FROM pg_class c
    WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind = 'r'
    ORDER BY c.oid
  LOOP
    condition := CASE
      -- Lines of another library, whose registries may be private there.
      WHEN relation.name = 'image_library_internal.staged_line'::regclass THEN '(SELECT image_library_internal.sees_everything())'
      -- Where it counts may name private places: view trusted_signers shows the rest of it.
      WHEN relation.name = 'image_library_internal.trust_anchor'::regclass THEN
        'repositories = ''{**}'' OR (SELECT image_library_internal.sees_everything())'
      WHEN relation.columns = '{}' THEN 'true'
      -- These rows outlive the registry. Then it is not known any more whether it was private, so only admins see them.
      WHEN relation.name = ANY ('{image_library_internal.decision,image_library_internal.event,image_library_internal.audit_entry}'::regclass[]) THEN
        'registry_id IS NULL OR (SELECT image_library_internal.sees_everything())
         OR registry_id = ANY ((SELECT image_library_internal.known_registries())::integer[])'
      WHEN 'registry_id' = ANY (relation.columns) THEN
        -- As in visible_registry.
        'nullif(registry_id = ANY ((SELECT image_library_internal.hidden_registries())::integer[]), true) IS NOT NULL'
      -- Referrers that an image's own index names belong to no repository.
      WHEN relation.name = 'image_library_internal.image_referrer'::regclass THEN
        'image_library_internal.digest_visible(digest) AND (repository_id IS NULL OR image_library_internal.repository_visible(repository_id))'
      WHEN 'repository_id' = ANY (relation.columns) THEN
        'image_library_internal.repository_visible(repository_id)'
      ELSE 'image_library_internal.digest_visible(digest)' END;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation.name);
    -- No role may read secrets, not even a member of pg_read_all_data.
    IF relation.name <> ALL (image_library_internal.secret_tables()) THEN
      EXECUTE format('CREATE POLICY visible ON %s FOR SELECT TO image_library_reader USING (%s)', relation.name, condition);
      EXECUTE format('COMMENT ON POLICY visible ON %s IS %L', relation.name,
                     CASE condition WHEN 'true' THEN 'Every reader' ELSE 'Rows of registries that the acting role may see' END);
    END IF;
    IF relation.name = ANY ('{image_library_internal.registry,image_library_internal.repository,image_library_internal.tag,image_library_internal.entry}'::regclass[]) THEN
      EXECUTE format('CREATE POLICY viewed ON %s FOR SELECT TO image_library_views USING (%s)', relation.name, condition);
      EXECUTE format('COMMENT ON POLICY viewed ON %s IS %L', relation.name, 'Views show rows of registries that the acting role may see');
    ELSIF relation.name = ANY ('{image_library_internal.image,image_library_internal.approval}'::regclass[]) THEN
      EXECUTE format('CREATE POLICY viewed ON %s FOR SELECT TO image_library_views USING (true)', relation.name);
      EXECUTE format('COMMENT ON POLICY viewed ON %s IS %L', relation.name, 'Views read these rows for tags that the acting role may see');
    END IF;
    EXECUTE format('CREATE POLICY agent ON %s TO image_library_agent USING (true) WITH CHECK (true)', relation.name);
    EXECUTE format('COMMENT ON POLICY agent ON %s IS %L', relation.name, 'The agent reads and writes for every registry');
  END LOOP;
END
$$;

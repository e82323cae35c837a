-- Numbers of tags and repositories, kept so that nobody counts them. Changes are rows of their own that are summed: sessions
-- that decide at the same time do not wait for each other. The trigger is on the one table that is counted, so that no
-- function can forget it.

CREATE TABLE image_library_internal.tag_count (
  change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  registry_id integer NOT NULL REFERENCES image_library_internal.registry ON DELETE CASCADE,
  kind text NOT NULL,
  approval text NOT NULL,
  number integer NOT NULL
);
CREATE INDEX tag_count_registry ON image_library_internal.tag_count (registry_id);
COMMENT ON TABLE image_library_internal.tag_count IS
  'Numbers of present, admitted tags by registry, kind and approval; several rows of a group are added up';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.tag_count TO image_library_agent;

CREATE TABLE image_library_internal.filled_repository (
  repository_id integer PRIMARY KEY REFERENCES image_library_internal.repository ON DELETE CASCADE,
  registry_id integer NOT NULL
);
COMMENT ON TABLE image_library_internal.filled_repository IS 'Repositories that have a present, admitted tag';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.filled_repository TO image_library_agent;

CREATE VIEW image_library_internal.counts AS
  SELECT c.registry_id, c.kind, c.approval, c.number::bigint AS number FROM image_library_internal.tag_count c
  UNION ALL
  SELECT f.registry_id, NULL, NULL, count(*) FROM image_library_internal.filled_repository f GROUP BY f.registry_id;
COMMENT ON VIEW image_library_internal.counts IS
  'Numbers of present, admitted tags by registry, kind and approval, to be added up; kind null: of repositories that have such tags';

CREATE FUNCTION image_library_internal.fold_counts() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  WITH folded AS (
    DELETE FROM image_library_internal.tag_count c
    -- What another session folds is left to it.
    WHERE c.change_id = ANY (ARRAY(SELECT l.change_id FROM image_library_internal.tag_count l FOR UPDATE SKIP LOCKED))
    RETURNING c.registry_id, c.kind, c.approval, c.number
  )
  INSERT INTO image_library_internal.tag_count (registry_id, kind, approval, number)
  SELECT f.registry_id, f.kind, f.approval, sum(f.number) FROM folded f GROUP BY 1, 2, 3 HAVING sum(f.number) <> 0
$$;
COMMENT ON FUNCTION image_library_internal.fold_counts IS 'Adds up the rows of the counts';
GRANT EXECUTE ON FUNCTION image_library_internal.fold_counts TO image_library_agent;

CREATE FUNCTION image_library_internal.write_counts(changed image_library_internal.tag_count[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  fold boolean;
BEGIN
  IF changed = '{}' THEN
    RETURN;
  END IF;
  WITH written AS (
    INSERT INTO image_library_internal.tag_count AS c (registry_id, kind, approval, number)
    SELECT x.registry_id, x.kind, x.approval, x.number
    FROM unnest(changed) x
    -- None of a registry that is being dropped.
    WHERE EXISTS (SELECT FROM image_library_internal.registry g WHERE g.registry_id = x.registry_id)
    RETURNING c.change_id
  )
  SELECT bool_or(w.change_id % 200 = 0) INTO fold FROM written w;
  IF fold THEN
    PERFORM image_library_internal.fold_counts();
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.write_counts IS 'Adds changes to the counts';
GRANT EXECUTE ON FUNCTION image_library_internal.write_counts TO image_library_agent;

CREATE FUNCTION image_library_internal.note_emptied(repositories integer[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  DELETE FROM image_library_internal.filled_repository f
  WHERE f.repository_id = ANY (repositories)
    AND NOT EXISTS (SELECT FROM image_library_internal.tag t
                    WHERE t.repository_id = f.repository_id AND t.rule_id IS NOT NULL AND t.missing_since IS NULL);
END
$$;
COMMENT ON FUNCTION image_library_internal.note_emptied IS 'Notes which of some repositories have no present, admitted tag any more';
GRANT EXECUTE ON FUNCTION image_library_internal.note_emptied TO image_library_agent;

-- Three functions, since each kind of statement has other transition tables.
CREATE FUNCTION image_library_internal.count_inserted() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.write_counts(ARRAY(
    SELECT (0, n.registry_id, n.kind, n.approval, count(*))::image_library_internal.tag_count
    FROM new_tags n WHERE n.rule_id IS NOT NULL AND n.missing_since IS NULL
    GROUP BY n.registry_id, n.kind, n.approval));
  INSERT INTO image_library_internal.filled_repository (repository_id, registry_id)
  SELECT DISTINCT n.repository_id, n.registry_id
  FROM new_tags n WHERE n.rule_id IS NOT NULL AND n.missing_since IS NULL
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.count_inserted IS 'Keeps the counts after a statement that adds tags';

CREATE FUNCTION image_library_internal.count_deleted() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM image_library_internal.write_counts(ARRAY(
    SELECT (0, o.registry_id, o.kind, o.approval, -count(*))::image_library_internal.tag_count
    FROM old_tags o WHERE o.rule_id IS NOT NULL AND o.missing_since IS NULL
    GROUP BY o.registry_id, o.kind, o.approval));
  PERFORM image_library_internal.note_emptied(ARRAY(SELECT DISTINCT o.repository_id FROM old_tags o));
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.count_deleted IS 'Keeps the counts after a statement that removes tags';

CREATE FUNCTION image_library_internal.count_updated() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  hidden integer[];
BEGIN
  PERFORM image_library_internal.write_counts(ARRAY(
    SELECT (0, x.registry_id, x.kind, x.approval, sum(x.number))::image_library_internal.tag_count
    FROM (SELECT n.registry_id, n.kind, n.approval, 1 AS number FROM new_tags n WHERE n.rule_id IS NOT NULL AND n.missing_since IS NULL
          UNION ALL
          SELECT o.registry_id, o.kind, o.approval, -1 FROM old_tags o WHERE o.rule_id IS NOT NULL AND o.missing_since IS NULL) x
    GROUP BY x.registry_id, x.kind, x.approval HAVING sum(x.number) <> 0));
  INSERT INTO image_library_internal.filled_repository (repository_id, registry_id)
  SELECT DISTINCT n.repository_id, n.registry_id
  FROM new_tags n
  WHERE n.rule_id IS NOT NULL AND n.missing_since IS NULL
    AND NOT EXISTS (SELECT FROM image_library_internal.filled_repository f WHERE f.repository_id = n.repository_id)
  ON CONFLICT DO NOTHING;
  hidden := ARRAY(SELECT DISTINCT n.repository_id FROM new_tags n WHERE n.rule_id IS NULL OR n.missing_since IS NOT NULL);
  IF hidden <> '{}' THEN
    PERFORM image_library_internal.note_emptied(hidden);
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.count_updated IS 'Keeps the counts after a statement that changes tags';

CREATE TRIGGER count_inserted AFTER INSERT ON image_library_internal.tag REFERENCING NEW TABLE AS new_tags
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.count_inserted();
CREATE TRIGGER count_updated AFTER UPDATE ON image_library_internal.tag REFERENCING OLD TABLE AS old_tags NEW TABLE AS new_tags
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.count_updated();
CREATE TRIGGER count_deleted AFTER DELETE ON image_library_internal.tag REFERENCING OLD TABLE AS old_tags
  FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.count_deleted();
COMMENT ON TRIGGER count_inserted ON image_library_internal.tag IS 'Counts new tags';
COMMENT ON TRIGGER count_updated ON image_library_internal.tag IS 'Counts tags that changed';
COMMENT ON TRIGGER count_deleted ON image_library_internal.tag IS 'Counts tags that are gone';

CREATE FUNCTION image_library_internal.recount() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
  LOCK TABLE image_library_internal.tag IN SHARE MODE;
  DELETE FROM image_library_internal.tag_count;
  DELETE FROM image_library_internal.filled_repository;
  INSERT INTO image_library_internal.tag_count (registry_id, kind, approval, number)
  SELECT t.registry_id, t.kind, t.approval, count(*) FROM image_library_internal.tag t
  WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL GROUP BY 1, 2, 3;
  INSERT INTO image_library_internal.filled_repository (repository_id, registry_id)
  SELECT DISTINCT t.repository_id, t.registry_id FROM image_library_internal.tag t WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL;
$$;
COMMENT ON FUNCTION image_library_internal.recount IS
  'Counts all tags anew, where rows were written without triggers, as by logical replication';

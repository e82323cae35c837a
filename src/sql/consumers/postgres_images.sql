-- Views and functions for Postgres provisioning: approved, present, usable images.

CREATE VIEW image_library.postgres_images AS
  SELECT u.registry, u.repository, u.tag, u.digest, u.reference, u.pinned_reference, u.kind, u.approval, u.version, u.platforms,
         u.size_bytes, u.created_at, u.first_seen_at, u.digest_changed_at, u.missing_since, u.hm_tags, u.title, u.description,
         u.annotations, u.labels,
         u.flavor, u.major_version, u.build_at, u.variant, u.os, u.features, u.extensions, u.conflicts,
         u.deprecated_from, u.contested,
         coalesce(u.annotations ->> 'org.opencontainers.image.base.name', u.labels ->> 'org.opencontainers.image.base.name') AS base_image
  FROM image_library_internal.usable_images u
  WHERE u.kind = 'postgres';
COMMENT ON VIEW image_library.postgres_images IS 'Approved, present Postgres images, for provisioning';
GRANT SELECT ON image_library.postgres_images TO image_library_reader;

-- Goes from a group to the next one by the index entry_latest. Read as a view, the steps would be planned as if they were many.
CREATE FUNCTION image_library_internal.newest_tags(repository_id integer) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 5 COST 10 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  IF EXISTS (SELECT FROM image_library_internal.repository r JOIN image_library_internal.registry g USING (registry_id)
             WHERE r.repository_id = newest_tags.repository_id AND g.private)
     AND NOT image_library_internal.repository_visible(newest_tags.repository_id) THEN
    RETURN;
  END IF;
  RETURN QUERY
    WITH RECURSIVE newest AS (
      (SELECT e.flavor, e.major_version, coalesce(e.variant, '') AS variant, coalesce(e.os, '') AS os, e.tag
       FROM image_library_internal.pickable_entries e
       WHERE e.repository_id = newest_tags.repository_id
       ORDER BY e.flavor, e.major_version, coalesce(e.variant, ''), coalesce(e.os, ''), e.newest_key DESC LIMIT 1)
      UNION ALL
      SELECT n.*
      FROM newest l
      CROSS JOIN LATERAL (
        SELECT e.flavor, e.major_version, coalesce(e.variant, ''), coalesce(e.os, ''), e.tag
        FROM image_library_internal.pickable_entries e
        WHERE e.repository_id = newest_tags.repository_id
          AND (e.flavor, e.major_version, coalesce(e.variant, ''), coalesce(e.os, '')) > (l.flavor, l.major_version, l.variant, l.os)
        ORDER BY e.flavor, e.major_version, coalesce(e.variant, ''), coalesce(e.os, ''), e.newest_key DESC LIMIT 1) n)
    SELECT w.tag::text FROM newest w;
END
$$;
COMMENT ON FUNCTION image_library_internal.newest_tags IS
  'Tags of the newest usable images of a repository: one for each flavor, major version, variant and OS; none if the acting role may not see the repository';
GRANT EXECUTE ON FUNCTION image_library_internal.newest_tags TO image_library_reader;

CREATE VIEW image_library.postgres_latest WITH (security_barrier) AS
  -- Registry and repository of r, so that conditions on them come first.
  SELECT r.registry, r.repository, p.tag, p.digest, p.reference, p.pinned_reference, p.kind, p.approval, p.version, p.platforms, p.size_bytes,
         p.created_at, p.first_seen_at, p.digest_changed_at, p.missing_since, p.hm_tags, p.title, p.description, p.annotations, p.labels,
         p.flavor, p.major_version, p.build_at, p.variant, p.os, p.features, p.extensions, p.conflicts, p.deprecated_from, p.contested,
         p.base_image
  FROM image_library_internal.visible_repository r
  CROSS JOIN LATERAL image_library_internal.newest_tags(r.repository_id) AS l (tag)
  CROSS JOIN LATERAL (
    SELECT i.* FROM image_library.postgres_images i
    WHERE i.registry = r.registry AND i.repository = r.repository AND i.tag = l.tag OFFSET 0) p
  -- Most repositories have no Postgres image. EXISTS says the same, but the planner expects it of every second one.
  WHERE r.repository_id = (SELECT e.repository_id FROM image_library_internal.entry e
                           WHERE e.repository_id = r.repository_id AND e.kind = 'postgres' AND e.approval = 'approved' AND e.missing_since IS NULL
                           LIMIT 1)
  ORDER BY r.registry, r.repository, p.flavor, p.major_version, p.variant NULLS FIRST, p.os NULLS FIRST;
COMMENT ON VIEW image_library.postgres_latest IS
  'Newest approved image of each registry, repository, flavor, major version, variant and OS: newest minor version, then newest build; without contested images';
GRANT SELECT ON image_library.postgres_latest TO image_library_reader;

CREATE FUNCTION image_library.latest_postgres(flavor text, major integer, variant text DEFAULT NULL,
  min_extensions jsonb DEFAULT NULL, os text DEFAULT NULL, registry text DEFAULT NULL, repository text DEFAULT NULL,
  channel text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF major IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'null_value_not_allowed',
      message => 'major must not be null',
      hint => 'A major version is never chosen automatically.');
  END IF;
  -- Without a channel and a variant, an image without a variant is asked for.
  RETURN (SELECT p.pinned_reference
          FROM image_library_internal.pick_postgres(image_library_internal.new_postgres_request(
                 flavor, major, CASE WHEN channel IS NULL THEN coalesce(variant, '') ELSE variant END, os, registry, repository,
                 channel, min_extensions)) p);
END
$$;
COMMENT ON FUNCTION image_library.latest_postgres IS
  'Pinned reference of the newest approved image of a flavor and major version: newest minor version, then newest build. Never of another major version or variant (null: none, or that of the channel), nor a contested one. If several repositories or systems have such images, registry, repository and os, or a channel, must tell which is meant (42P09)';
GRANT EXECUTE ON FUNCTION image_library.latest_postgres TO image_library_reader;

CREATE FUNCTION image_library.latest(channel text, min_extensions jsonb DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  picked image_library_internal.postgres_choice[];
BEGIN
  IF channel IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'null_value_not_allowed',
      message => 'channel must not be null',
      hint => 'See image_library.channels.');
  END IF;
  picked := ARRAY(SELECT p FROM image_library_internal.pick_postgres(
    image_library_internal.new_postgres_request(NULL, NULL, NULL, NULL, NULL, NULL, channel, min_extensions)) p);
  IF cardinality(picked) > 1 THEN
    PERFORM image_library_internal.fail(
      errcode => 'ambiguous_alias',
      message => format('channel "%s" is ambiguous: it has more than one major version', channel),
      detail => image_library_internal.choices_text(picked),
      hint => 'Set versions => of the channel with image_library.alter_channel, such as ''17.*'', or call image_library.latest_postgres with a major version and channel =>.');
  END IF;
  RETURN picked[1].pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.latest IS
  'Pinned reference of the newest approved image of a channel: newest minor version, then newest build. Raises 42P09 if the channel has several major versions, variants or systems, P0002 if no image of it may be used';
GRANT EXECUTE ON FUNCTION image_library.latest TO image_library_reader;

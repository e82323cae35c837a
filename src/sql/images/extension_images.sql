-- Images that carry an extension instead of a server: CloudNativePG mounts them as image volumes. They are of kind other,
-- so the read model does not have them; their major version and OS are recorded with the classification.

CREATE TABLE image_library_internal.extension_image (
  repository_id integer NOT NULL,
  tag text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  major_version integer,
  os text,
  contested boolean NOT NULL,
  PRIMARY KEY (repository_id, tag),
  FOREIGN KEY (repository_id, tag) REFERENCES image_library_internal.tag (repository_id, name) ON DELETE CASCADE
);
CREATE INDEX extension_image_major ON image_library_internal.extension_image (major_version, os);
COMMENT ON TABLE image_library_internal.extension_image IS
  'Extension images: for which major version and OS each is built; image_extension has the extension';
COMMENT ON COLUMN image_library_internal.extension_image.contested IS
  'Whether annotations and tag contradict each other; such an image is not chosen automatically';
GRANT SELECT, INSERT, UPDATE, DELETE ON image_library_internal.extension_image TO image_library_agent;

CREATE FUNCTION image_library_internal.refresh_extension_images(classified image_library_internal.classified_tag[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  wanted image_library_internal.extension_image[] := ARRAY(
    SELECT (c.repository_id, c.tag, c.digest, (c.facts ->> 'major_version')::integer, c.facts ->> 'os',
            (c.facts ->> 'contested')::boolean)::image_library_internal.extension_image
    FROM unnest(classified) c
    WHERE c.facts ->> 'kind' = 'other' AND c.facts -> 'extensions' <> '[]');
BEGIN
  IF EXISTS (SELECT FROM unnest(classified) c
             CROSS JOIN LATERAL (SELECT FROM image_library_internal.extension_image x
                                 WHERE x.repository_id = c.repository_id AND x.tag = c.tag OFFSET 0) there) THEN
    -- EXECUTE makes a plan for these arrays: to join two of them well, it needs their sizes.
    EXECUTE 'DELETE FROM image_library_internal.extension_image x
             USING unnest($1) c LEFT JOIN unnest($2) w ON w.repository_id = c.repository_id AND w.tag = c.tag
             WHERE x.repository_id = c.repository_id AND x.tag = c.tag AND x IS DISTINCT FROM w'
    USING classified, wanted;
  END IF;
  INSERT INTO image_library_internal.extension_image (repository_id, tag, digest, major_version, os, contested)
  SELECT w.repository_id, w.tag, w.digest, w.major_version, w.os, w.contested FROM unnest(wanted) w ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_extension_images IS
  'Updates for which major version and OS the extension images of some tags are built';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_extension_images TO image_library_agent;

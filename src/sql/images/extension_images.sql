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

CREATE FUNCTION image_library_internal.refresh_extension_images(repository_id integer, classified image_library_internal.classified_tag[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  wanted image_library_internal.extension_image[] := ARRAY(
    SELECT (refresh_extension_images.repository_id, c.tag, c.digest, (c.facts ->> 'major_version')::integer, c.facts ->> 'os',
            (c.facts ->> 'contested')::boolean)::image_library_internal.extension_image
    FROM unnest(classified) c
    WHERE c.facts ->> 'kind' = 'other' AND c.facts -> 'extensions' <> '[]');
BEGIN
  DELETE FROM image_library_internal.extension_image x
  USING unnest(classified) c LEFT JOIN unnest(wanted) w ON w.tag = c.tag
  WHERE x.repository_id = refresh_extension_images.repository_id AND x.tag = c.tag AND x IS DISTINCT FROM w;
  INSERT INTO image_library_internal.extension_image (repository_id, tag, digest, major_version, os, contested)
  SELECT w.repository_id, w.tag, w.digest, w.major_version, w.os, w.contested FROM unnest(wanted) w ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION image_library_internal.refresh_extension_images IS
  'Updates for which major version and OS the extension images of some tags are built';
GRANT EXECUTE ON FUNCTION image_library_internal.refresh_extension_images TO image_library_agent;

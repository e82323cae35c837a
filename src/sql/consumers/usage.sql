-- Recording of uses of images, their drift, and the trigger function for users' own tables.

CREATE FUNCTION image_library.record_use(reference text, consumer text, location text DEFAULT NULL, registry text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked record := image_library_internal.parse_image_reference(reference);
  repositories integer[] := image_library_internal.referenced_repositories(asked.host, asked.repository, asked.short_name, registry);
  image record;
  recorded_since timestamptz;
BEGIN
  IF NOT image_library_internal.is_consumer(consumer) OR length(location) > 500 OR location ~ '[[:cntrl:]]' THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => 'a use needs a consumer; consumer and location have at most 500 characters, and no control characters',
      hint => 'Name what runs the image, such as a cluster or an inference service.');
  END IF;
  IF NOT EXISTS (SELECT FROM image_library_internal.candidates(repositories, asked.tag, asked.digest)) THEN
    RETURN image_library_internal.record_unknown_use(asked, repositories, registry, consumer, location);
  END IF;
  image := image_library_internal.find_image(reference, registry);
  PERFORM image_library_internal.keep_image(image.repository_id, image.digest, reference, registry);
  -- A limit for each role, so that no role can prevent others from recording uses.
  IF EXISTS (SELECT FROM image_library_internal.image_use u
             WHERE u.repository_id = image.repository_id AND u.digest = image.digest AND u.released_at IS NULL
               AND u.recorded_by = session_user
             OFFSET 9999) THEN
    PERFORM image_library_internal.fail(
      errcode => 'program_limit_exceeded',
      message => format('"%s" has recorded 10000 uses of image "%s" already', session_user, image_library_internal.without_secrets(reference)),
      hint => 'Release those that have ended: see image_library.usage and image_library.release_use.');
  END IF;
  -- What the role recorded before the library knew the image.
  WITH known AS (
    DELETE FROM image_library_internal.unknown_use x
    USING image_library_internal.full_repository r
    WHERE r.repository_id = image.repository_id AND x.host = r.host AND x.repository = r.full_name AND x.released_at IS NULL
      AND coalesce(x.tag = image.tag, true) AND coalesce(x.digest = image.digest, true)
      AND x.consumer = record_use.consumer AND x.location IS NOT DISTINCT FROM record_use.location AND x.recorded_by = session_user
    RETURNING x.used_since)
  SELECT min(k.used_since) INTO recorded_since FROM known k;
  INSERT INTO image_library_internal.image_use (repository_id, tag, digest, consumer, location, used_since)
  VALUES (image.repository_id, image.tag, image.digest, record_use.consumer, record_use.location, coalesce(recorded_since, now()))
  ON CONFLICT DO NOTHING;
  PERFORM image_library_internal.note_consumer_policies(image, consumer);
  RETURN image.pinned_reference;
END
$$;
COMMENT ON FUNCTION image_library.record_use IS
  'Records that a consumer runs an image, in any state, also one that the library does not know, and warns of policies for the consumer that it does not meet; returns the pinned reference, of an unknown image the reference as given';
GRANT EXECUTE ON FUNCTION image_library.record_use TO image_library_reader;

CREATE FUNCTION image_library.release_use(reference text, consumer text, location text DEFAULT NULL, registry text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked record := image_library_internal.parse_image_reference(reference);
  repositories integer[] := image_library_internal.referenced_repositories(asked.host, asked.repository, asked.short_name, registry);
  known boolean := EXISTS (SELECT FROM image_library_internal.candidates(repositories, asked.tag, asked.digest));
  image record;
  found_in integer;
  released bigint := 0;
  released_unknown bigint;
  recorders text;
BEGIN
  IF known THEN
    image := image_library_internal.find_image(reference, registry);
    UPDATE image_library_internal.image_use u SET released_at = now()
    WHERE u.repository_id = image.repository_id AND u.digest = image.digest AND u.released_at IS NULL
      AND u.consumer = release_use.consumer
      AND (release_use.location IS NULL OR u.location = release_use.location)
      AND image_library_internal.may_release(u.recorded_by);
    GET DIAGNOSTICS released = ROW_COUNT;
    found_in := image.repository_id;
    asked.tag := image.tag;
    asked.digest := image.digest;
  END IF;
  IF cardinality(repositories) = 1 THEN
    SELECT r.host, r.full_name INTO asked.host, asked.repository
    FROM image_library_internal.full_repository r WHERE r.repository_id = repositories[1];
  END IF;
  UPDATE image_library_internal.unknown_use u SET released_at = now()
  WHERE u.host = asked.host AND u.repository = asked.repository AND u.released_at IS NULL
    -- What was recorded of a known image may lack the tag or the digest.
    AND CASE WHEN known THEN coalesce(u.tag = asked.tag, true) AND coalesce(u.digest = asked.digest, true)
             ELSE (u.tag, u.digest) IS NOT DISTINCT FROM (asked.tag, asked.digest) END
    AND u.consumer = release_use.consumer
    AND (release_use.location IS NULL OR u.location = release_use.location)
    AND (u.registry_id IS NULL OR u.registry_id <> ALL (image_library_internal.hidden_registries()))
    AND image_library_internal.may_release(u.recorded_by);
  GET DIAGNOSTICS released_unknown = ROW_COUNT;
  released := released + released_unknown;
  IF released = 0 THEN
    SELECT string_agg(DISTINCT format('"%s"', u.recorded_by), ', ') INTO recorders
    FROM image_library_internal.visible_use u
    WHERE u.released_at IS NULL AND u.consumer = release_use.consumer
      AND (release_use.location IS NULL OR u.location = release_use.location)
      AND CASE WHEN known THEN u.repository_id = found_in AND u.digest = asked.digest
               ELSE u.place = concat(asked.host, '/', asked.repository)
                    AND (u.tag, u.digest) IS NOT DISTINCT FROM (asked.tag, asked.digest) END;
    IF recorders IS NOT NULL THEN
      PERFORM image_library_internal.fail(
        errcode => 'insufficient_privilege',
        message => format('permission denied: release the use of image "%s" by "%s"', image_library_internal.without_secrets(reference), consumer),
        detail => format('It was recorded by %s.', recorders),
        hint => 'Who recorded a use, a member of that role, or a member of image_library_admin may release it.');
    END IF;
    IF NOT known THEN
      PERFORM image_library_internal.find_image(reference, registry);
    END IF;
  END IF;
  RETURN released;
END
$$;
COMMENT ON FUNCTION image_library.release_use IS
  'Records that a consumer does not run an image any more, at a location or at all of them; returns how many of the caller''s uses ended, for admins of all uses';
GRANT EXECUTE ON FUNCTION image_library.release_use TO image_library_reader;

CREATE VIEW image_library.usage WITH (security_barrier) AS
  SELECT u.registry, u.repository, u.tag, u.digest, concat(u.place, ':' || u.tag, '@' || u.digest) AS pinned_reference,
         u.consumer, u.location, u.used_since, u.released_at, u.recorded_by
  FROM image_library_internal.visible_use u;
COMMENT ON VIEW image_library.usage IS
  'Images that consumers run, or ran, as they recorded it; registry is null for those that the library does not know';
GRANT SELECT ON image_library.usage TO image_library_reader;

-- The image in use may be one that no tag points at any more. It is classified from its facts, with the tag that
-- pointed at it.
CREATE FUNCTION image_library_internal.postgres_image(repository_id integer, tag text, digest text,
  OUT flavor text, OUT major_version integer, OUT variant text, OUT os text, OUT newest_key bytea[])
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.facts ->> 'flavor', (c.facts ->> 'major_version')::integer, c.facts ->> 'variant', c.facts ->> 'os',
         image_library_internal.newest_key(c.facts ->> 'version', (c.facts ->> 'build_at')::timestamptz, c.facts ->> 'variant', postgres_image.tag)
  FROM image_library_internal.visible_repository r
  CROSS JOIN LATERAL image_library_internal.own_facts(r.repository_id, postgres_image.tag, postgres_image.digest) AS c (facts)
  WHERE r.repository_id = postgres_image.repository_id AND c.facts ->> 'kind' = 'postgres'
$$;
COMMENT ON FUNCTION image_library_internal.postgres_image IS
  'Facts of the Postgres image that a tag points, or pointed, at; no row: it is not a Postgres image';
GRANT EXECUTE ON FUNCTION image_library_internal.postgres_image TO image_library_reader;

CREATE VIEW image_library.drift WITH (security_barrier) AS
  SELECT u.registry, u.repository, u.tag, u.digest, u.consumer, u.location, d.drift, d.detail, runs_on.blocks = '{}' AS usable,
         life.ends_on AS end_of_life
  FROM image_library_internal.visible_use u
  LEFT JOIN image_library_internal.tag t ON t.repository_id = u.repository_id AND t.name = u.tag
  LEFT JOIN image_library_internal.approval a ON a.repository_id = u.repository_id AND a.digest = u.digest
  LEFT JOIN image_library_internal.entry e ON e.repository_id = u.repository_id AND e.tag = u.tag
  LEFT JOIN LATERAL (
    SELECT e.flavor, e.major_version, e.variant, e.os, e.newest_key WHERE e.digest = u.digest AND e.kind = 'postgres'
    UNION ALL
    SELECT p.* FROM image_library_internal.postgres_image(u.repository_id, u.tag, u.digest) p WHERE t.digest <> u.digest
  ) runs ON true
  LEFT JOIN LATERAL (
    SELECT l.ends_on, CASE l.product WHEN 'os' THEN l.version ELSE concat_ws(' ', l.product, l.version) END AS what
    FROM image_library.end_of_life l
    WHERE l.product = runs.flavor AND l.version = runs.major_version::text OR l.product = 'os' AND l.version = runs.os
    ORDER BY l.ends_on LIMIT 1) life ON true
  -- As in candidates.
  CROSS JOIN LATERAL (
    SELECT CASE WHEN tags.present THEN NULL WHEN c.checked_at IS NOT NULL THEN c.gone_since
                ELSE coalesce(tags.missing_since, t.missing_since) END AS since
    FROM (SELECT bool_or(x.missing_since IS NULL) AS present, max(x.missing_since) AS missing_since
          FROM image_library_internal.tag x WHERE x.repository_id = u.repository_id AND x.digest = u.digest) tags
    LEFT JOIN image_library_internal.untagged_check c ON c.repository_id = u.repository_id AND c.digest = u.digest) gone
  CROSS JOIN LATERAL (
    SELECT gone.since + (SELECT image_library_internal.missing_grace()) AS missing_until) grace
  CROSS JOIN LATERAL (
    SELECT image_library_internal.blocks(t.name, t.rule_id, CASE WHEN grace.missing_until <= clock_timestamp() THEN gone.since END,
                                         a, clock_timestamp()) AS blocks) runs_on
  CROSS JOIN LATERAL (
    SELECT 'tag moved' AS drift, 'the tag points at ' || t.digest || ' now' AS detail WHERE t.digest <> u.digest
    UNION ALL
    SELECT 'unknown', 'the library does not know the image' WHERE u.repository_id IS NULL
    UNION ALL
    SELECT CASE WHEN b IN ('quarantined', 'expired', 'deprecated') THEN 'not usable' ELSE b END,
           CASE b WHEN 'quarantined' THEN 'the image is in quarantine'
                  WHEN 'deprecated' THEN 'the image is deprecated'
                  WHEN 'expired' THEN 'the approval has expired'
                  WHEN 'missing' THEN 'the registry has the image no more' || CASE WHEN 'missing' = ANY (runs_on.blocks) THEN ''
                                      ELSE coalesce('; it may be used until ' || grace.missing_until, '') END
                  WHEN 'not admitted' THEN 'no rule takes the tag'
                  ELSE 'the image is ' || b END
    FROM unnest(image_library_internal.blocks(t.name, t.rule_id, gone.since, a, clock_timestamp())) b
    -- For an image that is not approved, the state is reported and nothing else.
    WHERE u.repository_id IS NOT NULL AND b <> 'no tag' AND (a.state = 'approved' OR b NOT IN ('quarantined', 'deprecated'))
    UNION ALL
    SELECT 'policy unmet', format('policy "%s" for the consumer was not met at %s', p.name, u.policies_checked_at)
    FROM image_library_internal.policy p WHERE p.name = ANY (u.unmet_policies) AND p.enabled AND p.applies_to = 'consumer:' || u.consumer
    UNION ALL
    SELECT 'signature lost', format('a person has approved it, and a signature that this rests on is not verified any more since %s', a.signature_lost_at)
    WHERE a.state = 'approved' AND a.signature_lost_at IS NOT NULL
    UNION ALL
    SELECT 'deprecated', 'the image may be used until ' || a.deprecated_from WHERE a.deprecated_from > clock_timestamp()
    UNION ALL
    SELECT 'end of life', format('support of %s ended on %s', life.what, to_char(life.ends_on, 'YYYY-MM-DD')) WHERE life.ends_on <= current_date
    UNION ALL
    SELECT 'major downgrade', format('the tag was PostgreSQL %s and is %s now', runs.major_version, e.major_version)
    WHERE t.digest <> u.digest AND e.kind = 'postgres' AND e.major_version < runs.major_version
    UNION ALL
    -- Of the same flavor, major version, variant and OS; another tag of the same build is not newer.
    (SELECT CASE WHEN newer.newest_key[1] = runs.newest_key[1] THEN 'newer build' ELSE 'newer minor' END, newer.tag || ' is approved'
     FROM image_library_internal.usable_entries newer
     WHERE newer.kind = 'postgres' AND newer.repository_id = u.repository_id AND newer.digest <> u.digest
       AND newer.flavor = runs.flavor AND newer.major_version = runs.major_version
       AND newer.variant IS NOT DISTINCT FROM runs.variant AND newer.os IS NOT DISTINCT FROM runs.os
       AND NOT newer.contested
       AND (newer.newest_key[1] > runs.newest_key[1]
            OR newer.newest_key[1] = runs.newest_key[1] AND runs.newest_key[2] <> '' AND newer.newest_key[2] > runs.newest_key[2])
     ORDER BY newer.newest_key DESC LIMIT 1)
  ) d
  WHERE u.released_at IS NULL;
COMMENT ON VIEW image_library.drift IS 'Images in use for which there is something to know: one row for each reason; usable tells whether the image may still be used';
GRANT SELECT ON image_library.drift TO image_library_reader;

CREATE FUNCTION image_library_internal.warn_of_users(repository_id integer, digest text, reference text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  total bigint;
  users text;
BEGIN
  SELECT count(*) INTO total FROM image_library_internal.users_of(warn_of_users.repository_id, warn_of_users.digest);
  IF total > 0 THEN
    SELECT string_agg(named.text, ', ' ORDER BY named.text) INTO users
    FROM (SELECT concat(left(u.consumer, 100), ' at ' || left(u.location, 100)) AS text
          FROM image_library_internal.users_of(warn_of_users.repository_id, warn_of_users.digest) u
          ORDER BY u.consumer, u.location LIMIT 20) named;
    RAISE WARNING USING
      MESSAGE = format('image "%s" is in use by %s', reference, users)
                || CASE WHEN total > 20 THEN format(' and %s more', total - 20) ELSE '' END,
      HINT = 'See image_library.drift.';
  END IF;
END
$$;
COMMENT ON FUNCTION image_library_internal.warn_of_users IS 'Warns the role that revokes an image which is in use';
GRANT EXECUTE ON FUNCTION image_library_internal.warn_of_users TO image_library_agent;

-- The subtransaction releases the locks, so that decisions do not wait for the transaction that uses the image.
CREATE FUNCTION image_library_internal.require_unchanged(reference text, in_registry text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  image record := image_library_internal.find_image(reference, in_registry);
BEGIN
  PERFORM FROM image_library_internal.tag t WHERE t.repository_id = image.repository_id AND t.name = image.tag FOR SHARE;
  PERFORM FROM image_library_internal.approval a WHERE a.repository_id = image.repository_id AND a.digest = image.digest FOR SHARE;
  RAISE EXCEPTION USING ERRCODE = 'IL000';
EXCEPTION WHEN SQLSTATE 'IL000' THEN
  NULL;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_unchanged IS
  'Raises 40001 if an image has changed since the snapshot of a transaction that keeps its first snapshot';

CREATE FUNCTION image_library_internal.require_usable(image text, pin boolean, in_registry text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  is_reader boolean := image_library_internal.has_role('image_library_reader');
  asked record := image_library_internal.parse_image_reference(image);
  pinned text;
BEGIN
  in_registry := nullif(in_registry, '');
  IF image_library_internal.keeps_snapshot() THEN
    PERFORM image_library_internal.require_unchanged(image, in_registry);
  END IF;
  IF is_reader THEN
    pinned := image_library.resolve(image, in_registry);
  ELSE
    BEGIN
      pinned := image_library.resolve(image, in_registry);
    EXCEPTION WHEN OTHERS THEN
      -- Only readers may see who decided and why.
      PERFORM image_library_internal.fail(errcode => SQLSTATE, message => SQLERRM, hint => 'A member of image_library_reader is told more.');
    END;
  END IF;
  IF pin THEN
    RETURN pinned;
  END IF;
  IF asked.digest IS NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('image "%s" is not named by its digest', image),
      detail => concat('Its tag may point at another image later.', CASE WHEN is_reader THEN format(' Now it is %s.', pinned) END),
      hint => 'Store the reference that image_library.resolve returns, or let the trigger do it: require_approved(''column'', ''pin'').');
  END IF;
  -- Container runtimes would read it as an image of Docker Hub.
  IF image_library_internal.untagged(pinned) <> concat(asked.host, '/', asked.repository) THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('image "%s" does not name its registry', image),
      detail => concat('Container runtimes read such a name as one of Docker Hub.', CASE WHEN is_reader THEN format(' It is %s.', pinned) END),
      hint => 'Store the reference that image_library.resolve returns, or let the trigger do it: require_approved(''column'', ''pin'').');
  END IF;
  RETURN image;
END
$$;
COMMENT ON FUNCTION image_library_internal.require_usable IS
  'Reference to store for an image (in_registry empty: of any registry): pinned, or as given, which must name a digest; raises the errors of resolve, and 40001 in a transaction with an older snapshot of the image; called by require_approved';

CREATE FUNCTION image_library.require_approved() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'image_library_require_approved';
COMMENT ON FUNCTION image_library.require_approved IS
  'Trigger function for your own tables: the named column accepts only images that resolve, by a reference with a digest. With a second argument ''pin'', in a BEFORE trigger, it stores the pinned reference of one without. A third argument names the registry, which is needed where the paths of several overlap';
GRANT EXECUTE ON FUNCTION image_library.require_approved TO image_library_reader;

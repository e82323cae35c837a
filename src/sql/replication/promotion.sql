-- A location becomes the hub.

-- Identity columns count on this server only; replicated rows have numbers of the hub's. Numbers of rows that are gone
-- are in the logs, and are not given again: decisions of a dropped private registry would be those of a new one.
CREATE FUNCTION image_library_internal.catch_up_sequences() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  identity record;
  used bigint;
  moved bigint := 0;
BEGIN
  FOR identity IN
    SELECT c.oid::regclass AS relation, a.attname AS column_name, d.objid::regclass AS sequence
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> ''
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum
                    AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
    WHERE c.relnamespace = 'image_library_internal'::regnamespace
    ORDER BY c.relname
  LOOP
    EXECUTE format('SELECT max(%I) FROM %s', identity.column_name, identity.relation) INTO used;
    used := greatest(used, CASE identity.column_name
      WHEN 'registry_id' THEN (SELECT greatest((SELECT max(d.registry_id) FROM image_library_internal.decision d),
                                               (SELECT max(e.registry_id) FROM image_library_internal.audit_entry e),
                                               (SELECT max(v.registry_id) FROM image_library_internal.event v)))
      WHEN 'rule_id' THEN (SELECT greatest((SELECT max(d.rule_id) FROM image_library_internal.decision d),
                                           (SELECT max(e.name::bigint) FROM image_library_internal.audit_entry e
                                            WHERE e.object = 'rule' AND e.name ~ E'^\\d{1,18}$')))
      END);
    IF used >= (SELECT CASE WHEN s.last_value IS NULL THEN 1 ELSE s.last_value + 1 END FROM pg_sequences s
                WHERE format('%I.%I', s.schemaname, s.sequencename)::regclass = identity.sequence) THEN
      PERFORM setval(identity.sequence, used);
      moved := moved + 1;
    END IF;
  END LOOP;
  RETURN moved;
END
$$;
COMMENT ON FUNCTION image_library_internal.catch_up_sequences IS
  'Sets the sequences of identity columns after the numbers that rows have; returns how many were behind';

CREATE FUNCTION image_library.promote_replica() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  subscription text;
  moved bigint;
BEGIN
  PERFORM image_library_internal.require_admin('promote a replica');
  IF image_library_internal.is_replica() THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => 'cannot promote the library: image_library.mode is "replica"',
      detail => 'A superuser decides that this database is the hub: two hubs would go apart.',
      hint => 'Drop the subscription, set image_library.mode to primary, reload, and call this again.');
  END IF;
  SELECT format('"%s"', s.subname) INTO subscription
  FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid JOIN pg_class c ON c.oid = r.srrelid
  WHERE c.relnamespace = 'image_library_internal'::regnamespace LIMIT 1;
  IF subscription IS NOT NULL THEN
    PERFORM image_library_internal.fail(
      errcode => 'object_not_in_prerequisite_state',
      message => format('cannot promote the library: subscription %s still writes it', subscription),
      hint => 'Drop it. If the old hub is gone: ALTER SUBSCRIPTION ... DISABLE, ALTER SUBSCRIPTION ... SET (slot_name = NONE), DROP SUBSCRIPTION.');
  END IF;
  moved := image_library_internal.catch_up_sequences();
  PERFORM image_library_internal.recount();
  IF moved > 0 THEN
    INSERT INTO image_library_internal.audit_entry (action, object, name, old, new)
    VALUES ('changed', 'library', current_database(), '{"mode": "replica"}', '{"mode": "primary"}');
  END IF;
  PERFORM image_library_internal.wake_agent();
  RETURN moved;
END
$$;
COMMENT ON FUNCTION image_library.promote_replica IS
  'Makes a location the hub, when its subscription is dropped and image_library.mode is primary: new rows get numbers after the replicated ones, counts are made anew, the audit says who promoted, and the agent starts. Returns how many sequences were behind; 0: it was the hub already';
GRANT EXECUTE ON FUNCTION image_library.promote_replica TO image_library_admin;

-- The values that kinds, states and other options may have, and the range of numbers. Tables and functions check them, and errors name them.

-- In PL/pgSQL, as CHECK constraints call these in each statement that writes: one in SQL is planned each time.
CREATE FUNCTION image_library_internal.kinds() RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN '{postgres,model,other}'::text[]; END $$;
COMMENT ON FUNCTION image_library_internal.kinds IS 'The kinds of images';
GRANT EXECUTE ON FUNCTION image_library_internal.kinds TO image_library_agent;

CREATE FUNCTION image_library_internal.states() RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN '{pending,approved,rejected,revoked}'::text[]; END $$;
COMMENT ON FUNCTION image_library_internal.states IS 'The states of an approval';
GRANT EXECUTE ON FUNCTION image_library_internal.states TO image_library_agent;

CREATE FUNCTION image_library_internal.one_of(allowed text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT array_to_string(allowed[:cardinality(allowed) - 1], ', ') || ' or ' || allowed[cardinality(allowed)] $$;
COMMENT ON FUNCTION image_library_internal.one_of IS 'Values as an error names them: a, b or c';

CREATE FUNCTION image_library_internal.wrong_value(option text, value text, allowed text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('%s must be %s, not "%s"', option, image_library_internal.one_of(allowed), value)
  WHERE value IS NULL OR value <> ALL (allowed)
$$;
COMMENT ON FUNCTION image_library_internal.wrong_value IS
  'The message about an option whose value is not one of those allowed; null: it is one of them';

CREATE FUNCTION image_library_internal.check_range(what text, number integer, low integer, high integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF number NOT BETWEEN low AND high THEN
    PERFORM image_library_internal.fail(
      errcode => 'invalid_parameter_value',
      message => format('%s is out of range: %s', what, number),
      hint => CASE high WHEN 2147483647 THEN format('It must be at least %s.', low) ELSE format('It must be from %s to %s.', low, high) END);
  END IF;
  RETURN number;
END
$$;
COMMENT ON FUNCTION image_library_internal.check_range IS
  'The given number; raises 22023 if it is out of range; null is allowed';

CREATE FUNCTION image_library_internal.json_fingerprint(value jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN encode(sha256(convert_to(value::text, 'UTF8')), 'hex');
END
$$;
COMMENT ON FUNCTION image_library_internal.json_fingerprint IS 'A text that differs if anything that a value says differs';
GRANT EXECUTE ON FUNCTION image_library_internal.json_fingerprint TO image_library_agent;

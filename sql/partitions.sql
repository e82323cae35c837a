-- The large tables, partitioned by hash in a copy of the schema: their keys permit it. What does not is listed.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('local', 'http://localhost:5000', allow_private => true) AS registry \gset
SELECT count(disable_registry('local')), count(add_rule('local', '**'));
SELECT count(test.sync('local', 'app-' || n, format('{"1": {"image": "i%s"}, "2": {"image": "j%s"}}', n % 7, n)::jsonb)) FROM generate_series(1, 30) n;
SELECT count(test.sync('local', 'nim/nvidia/m' || n, format('{"1": {"image": "m%s", "labels": {"com.nvidia.nim.model_download_protocol": "native-v1", "com.nvidia.nim.profiles": "vllm-bf16-tp4-pp1"}}}', n)::jsonb)) FROM generate_series(1, 5) n;
SELECT count(approve(reference)) FROM images WHERE tag = '1';

-- What a repository has by its number, what a digest has by the digest. In the order in which they refer to each other.
CREATE TABLE test.part (n serial, relation regclass, key name);
INSERT INTO test.part (relation, key)
SELECT ('image_library_internal.' || r)::regclass, k FROM (VALUES
  ('digest', '{image,image_platform,prunable_image}'::text[]),
  ('repository_id', '{tag,tag_period,listing,entry,approval,approval_vote,approval_request,referrer_check,policy_verdict,untagged_check,image_extension,model_profile,extension_image,other_conflict,hm_tag_image,repository_text,settled_repository}')) AS l (k, relations), unnest(relations) r;
CREATE SCHEMA part;
CREATE FUNCTION test.partition(relation regclass, key name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  copy text := 'part.' || (SELECT relname FROM pg_class WHERE oid = relation);
BEGIN
  EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY) PARTITION BY HASH (%I)', copy, relation, key);
  FOR n IN 0 .. 3 LOOP
    EXECUTE format('CREATE TABLE %s_%s PARTITION OF %s FOR VALUES WITH (MODULUS 4, REMAINDER %s)', copy, n, copy, n);
  END LOOP;
  RETURN NULL;
EXCEPTION WHEN feature_not_supported OR invalid_table_definition THEN
  RETURN SQLERRM;
END
$$;
SELECT relation::text, key, test.partition(relation, key) AS refused FROM test.part ORDER BY n;
-- The foreign keys too: between these tables, and to those that stay whole.
CREATE FUNCTION test.add_foreign_key(relation regclass, name name, definition text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  other regclass := (SELECT confrelid FROM pg_constraint WHERE conrelid = relation AND conname = name);
BEGIN
  IF EXISTS (SELECT FROM test.part p WHERE p.relation = other) THEN
    definition := regexp_replace(definition, 'REFERENCES (image_library_internal\.)?', 'REFERENCES part.');
  END IF;
  EXECUTE format('ALTER TABLE part.%s ADD CONSTRAINT %I %s', (SELECT relname FROM pg_class WHERE oid = relation), name, definition);
END
$$;
SELECT count(test.add_foreign_key(p.relation, c.conname, pg_get_constraintdef(c.oid))) AS foreign_keys FROM test.part p JOIN pg_constraint c ON c.conrelid = p.relation AND c.contype = 'f';
DO $$ DECLARE p record; BEGIN
  FOR p IN SELECT relation, relname FROM test.part JOIN pg_class c ON c.oid = relation ORDER BY n LOOP
    EXECUTE format('INSERT INTO part.%I SELECT * FROM %s', p.relname, p.relation);
  END LOOP;
END $$;
SELECT (SELECT count(*) FROM part.tag) = (SELECT count(*) FROM tag) AS tags, (SELECT count(*) FROM part.image) = (SELECT count(*) FROM image) AS images,
       (SELECT count(*) FROM part.entry) = (SELECT count(*) FROM entry) AS entries, (SELECT count(*) FROM part.approval) = (SELECT count(*) FROM approval) AS approvals,
       (SELECT count(DISTINCT tableoid) FROM part.tag) AS partitions;

-- The statements of a batch work on them: a conflict with the constraint by its name, statement triggers with transition tables, cascades.
INSERT INTO part.tag AS t (repository_id, registry_id, name, digest) SELECT repository_id, registry_id, name, test.digest('i0') FROM tag WHERE name = '1'
ON CONFLICT ON CONSTRAINT tag_pkey DO UPDATE SET digest = excluded.digest WHERE t.digest <> excluded.digest;
CREATE TRIGGER count_updated AFTER UPDATE ON part.tag REFERENCING OLD TABLE AS old_tags NEW TABLE AS new_tags FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.count_updated();
CREATE TRIGGER refuse_in_replica BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON part.tag FOR EACH STATEMENT EXECUTE FUNCTION image_library_internal.refuse_in_replica();
UPDATE part.tag SET kind = 'other' WHERE name = '2';
SELECT test.outcome($$INSERT INTO part.tag_period (repository_id, tag, digest) SELECT repository_id, tag, digest FROM part.tag_period WHERE until IS NULL LIMIT 1$$) LIKE '23505:%' AS one_open_period;
SELECT test.outcome($$INSERT INTO part.tag (repository_id, registry_id, name, digest) SELECT repository_id, 1, 'x', 'sha256:none' FROM repository LIMIT 1$$) LIKE '23503:%' AS needs_image;
SELECT test.outcome($$DELETE FROM part.image$$) LIKE '23503:%' AS image_is_kept;
SET CONSTRAINTS ALL IMMEDIATE;
DELETE FROM part.tag t USING repository r WHERE r.repository_id = t.repository_id AND r.name = 'app-1';
-- A repository is in one partition of each table, and the lookups of a batch read that one.
CREATE FUNCTION test.relations_read(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN (SELECT count(DISTINCT r) FROM jsonb_path_query(plan, '$.**."Relation Name"') r);
END
$$;
SELECT test.relations_read('SELECT FROM part.tag WHERE repository_id = 3 AND name = $$1$$') AS tag, test.relations_read('SELECT FROM part.tag_period WHERE repository_id = 3 AND tag = $$1$$ AND until IS NULL') AS period,
       test.relations_read('SELECT FROM part.image WHERE digest = $$a$$') AS image, test.relations_read('SELECT FROM part.entry WHERE repository_id = 3') AS entry;
-- By digest alone a tag is looked for in all.
SELECT test.relations_read('SELECT FROM part.tag WHERE digest = $$a$$') AS every_partition;

-- What does not hold. The primary keys of these logs are numbers alone: they can be partitioned by ranges of the number, and not by repository.
SELECT r, test.partition(('image_library_internal.' || r)::regclass, k) AS refused FROM (VALUES ('decision', 'registry_id'), ('event', 'registry_id'), ('image_use', 'repository_id'), ('run', 'registry_id'), ('tag_count', 'registry_id'), ('repository', 'registry_id')) AS l (r, k);
-- Citus wants a foreign key between distributed tables to have the distribution column on both sides: these would be left out there.
SELECT p.relation::text, c.conname, o.relation::text AS refers_to
FROM test.part p JOIN pg_constraint c ON c.conrelid = p.relation AND c.contype = 'f' JOIN test.part o ON o.relation = c.confrelid
WHERE NOT EXISTS (SELECT FROM unnest(c.conkey, c.confkey) AS k (here, there) JOIN pg_attribute a ON a.attrelid = p.relation AND a.attnum = k.here JOIN pg_attribute b ON b.attrelid = o.relation AND b.attnum = k.there
                  WHERE a.attname = p.key AND b.attname = o.key) ORDER BY 1, 2;
ROLLBACK;

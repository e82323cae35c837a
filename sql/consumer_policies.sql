-- What policies say of images that wait, and policies for the use by one consumer.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
CREATE ROLE test_reader IN ROLE image_library_reader;
CREATE ROLE test_author IN ROLE image_library_reader;
GRANT USAGE, CREATE ON SCHEMA test TO test_author;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true);
SELECT add_rule('local', '**') AS rule \gset
CREATE TABLE test.signed (tag text);
GRANT SELECT ON test.signed TO test_author;
SET ROLE test_author;
CREATE FUNCTION test.is_signed(image images) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT current_user = ''test_author'' AND EXISTS (SELECT FROM test.signed s WHERE s.tag = image.tag)';
CREATE FUNCTION test.fails(image images) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT 1 / (length(image.tag) - length(image.tag)) = 1';
RESET ROLE;
CREATE FUNCTION test.no(image images) RETURNS boolean LANGUAGE sql STABLE RETURN false;
CREATE FUNCTION test.sleeps(image images) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true FROM pg_sleep(60)';
CREATE VIEW test.waiting AS
  SELECT tag, conflicts, unmet_policies AS unmet, policies_checked_at BETWEEN now() AND clock_timestamp() AS checked FROM pending_images ORDER BY tag;

-- No policy, no verdict. Contradictions are shown.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b", "annotations": {"org.enterprisedb.pg.major_version": "16"}}}');
SELECT * FROM test.waiting;
SELECT array_agg(conflict) AS conflicts FROM classification_conflicts WHERE tag = '17.5';
-- What is there already has none until the policies are applied; what arrives has one.
SELECT add_policy('signed', 'test.is_signed(images)'), add_policy('better', 'test.no(images)', effect => 'warn'), add_policy('broken', 'test.fails(images)', 'model');
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b", "annotations": {"org.enterprisedb.pg.major_version": "16"}}, "17.6": {"image": "c"}}') IS NOT NULL AS synced;
SELECT tag, unmet, checked FROM test.waiting;
SELECT apply_policies();
SELECT tag, unmet, checked FROM test.waiting;
-- It is of its time; the names are those of policies that still count.
INSERT INTO test.signed VALUES ('17.4');
SELECT tag, unmet FROM test.waiting;
SELECT apply_policies();
SELECT tag, unmet FROM test.waiting;
SELECT disable_policy('signed');
SELECT tag, unmet FROM test.waiting;
SELECT enable_policy('signed');
SELECT tag, unmet, checked FROM test.waiting;
SELECT apply_policies();
SELECT tag, unmet FROM test.waiting;
SELECT add_policy('no', 'test.no(images)');
SELECT tag, unmet FROM test.waiting;
SELECT drop_policy('no');
-- The view runs no function of a user: a policy that never ends holds nobody up.
SELECT add_policy('sleeps', 'test.sleeps(images)');
SET LOCAL statement_timeout = '20s';
SELECT count(*) FROM (SELECT * FROM pending_images OFFSET 0) p;
SET LOCAL statement_timeout = 0;
SELECT drop_policy('sleeps');
-- Also for images that somebody had decided on, and without approving them; a vote and a reset are no approval.
SELECT approve('localhost:5000/postgresql:17.4') IS NOT NULL AS approved, reset('localhost:5000/postgresql:17.4') IS NOT NULL AS reset;
CREATE FUNCTION test.yes(image images) RETURNS boolean LANGUAGE sql STABLE RETURN true;
DELETE FROM test.signed;
SELECT add_policy('yes', 'test.yes(images)', effect => 'auto_approve'), apply_policies();
SELECT tag, unmet FROM test.waiting;
INSERT INTO test.signed VALUES ('17.4'), ('17.6');
SELECT apply_policies();
SELECT tag, unmet FROM test.waiting;
SELECT tag, policy FROM decisions ORDER BY decision_id DESC LIMIT 1;
SELECT drop_policy('signed'), drop_policy('better'), drop_policy('broken'), drop_policy('yes');

-- Policies for a consumer: what can be one.
SELECT arguments, test.outcome(format('SELECT add_policy(''p'', ''test.yes(image_library.images)'', %s)', arguments))
FROM unnest(ARRAY['''consumer:''', '''consumer: ''', '''consumer''', '''consumer:a' || chr(10) || 'b''', '''consumer:payments'', ''auto_approve''', '''consumer:payments'', ''deny''']) arguments;
SELECT add_policy('signed', 'test.is_signed(images)', 'consumer:payments'), add_policy('better', 'test.no(images)', 'consumer:payments', 'warn'), add_policy('of orders', 'test.no(images)', 'consumer:orders');
SELECT name, applies_to, effect FROM policies ORDER BY name;
-- They are not asked of approvals, neither by people nor on arrival.
SELECT test.sync('local', 'other', '{"1.0": {"image": "o"}}') IS NOT NULL AS synced, apply_policies();
SELECT unmet_policies, policies_checked_at FROM pending_images WHERE repository = 'other';
SELECT approve('localhost:5000/other:1.0') LIKE 'localhost%' AS approved, approve('localhost:5000/postgresql:17.5') LIKE 'localhost%' AS approved, approve('localhost:5000/postgresql:17.4') LIKE 'localhost%' AS approved;
SELECT alter_rule(:rule, approval => 'auto');
SELECT test.sync('local', 'other', '{"1.0": {"image": "o"}, "1.1": {"image": "o2"}}') IS NOT NULL AS synced;
SELECT tag, approval FROM images WHERE repository = 'other' ORDER BY tag;
-- resolve asks them for the consumer that it is told, and tells which is not met.
\set VERBOSITY terse
SELECT consumer, tag, test.outcome(format('SELECT image_library.resolve(%L, consumer => %L)', 'localhost:5000/postgresql:' || tag, consumer))
FROM unnest('{payments,orders,shop,NULL}'::text[]) consumer, unnest('{17.4,17.5}'::text[]) tag ORDER BY consumer, tag;
SELECT test.outcome_as('test_reader', 'SELECT image_library.resolve(''localhost:5000/postgresql:17.5'', consumer => ''payments'')');
-- Every tag of the image must meet them, as for approvals; an error is no yes.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17.5": {"image": "b"}, "17.6": {"image": "c"}, "17": {"image": "a"}}') IS NOT NULL AS synced;
SELECT test.outcome('SELECT image_library.resolve(''localhost:5000/postgresql:17.4'', consumer => ''payments'')');
SELECT * FROM policy_failures('localhost:5000/postgresql:17.4', consumer => 'payments');
SELECT * FROM policy_failures('localhost:5000/postgresql:17.4', consumer => 'shop');
-- A name that no policy can have is a mistake, such as a variable that is not set.
SELECT test.outcome('SELECT resolve(''localhost:5000/postgresql:17.4'', consumer => '''')');
SELECT test.outcome('SELECT count(*) FROM policy_failures(''localhost:5000/postgresql:17.4'', consumer => '' '')');
SELECT * FROM policy_failures('localhost:5000/postgresql:17.4');
INSERT INTO test.signed VALUES ('17');
SELECT test.outcome('SELECT image_library.resolve(''localhost:5000/postgresql:17.4'', consumer => ''payments'')');
SELECT add_policy('broken', 'test.fails(images)', 'consumer:shop'), add_policy('slow', 'test.sleeps(images)', 'consumer:shop');
SET LOCAL image_library.policy_timeout = '50ms';
SELECT test.outcome('SELECT image_library.resolve(''localhost:5000/postgresql:17.4'', consumer => ''shop'')');
SELECT drop_policy('slow');

-- record_use records what runs and warns; drift shows the verdict of that time, and does not ask again.
SELECT test.shown(record_use('localhost:5000/postgresql:17.5', 'payments', 'prod'));
SELECT test.shown(record_use('localhost:5000/postgresql:17.4', 'payments', 'prod'));
SELECT test.shown(record_use('localhost:5000/postgresql:17.5', 'nobody', 'prod'));
SELECT test.outcome_as('test_reader', 'SELECT image_library.record_use(''localhost:5000/postgresql:17.4'', ''shop'')') LIKE 'localhost%' AS recorded;
CREATE VIEW test.unmet AS SELECT tag, consumer, drift, regexp_replace(detail, ' at .*', ' at <time>') AS detail FROM drift WHERE drift = 'policy unmet' ORDER BY consumer, tag, detail;
SELECT * FROM test.unmet;
INSERT INTO test.signed VALUES ('17.5');
SELECT * FROM test.unmet WHERE consumer = 'payments';
SELECT test.shown(record_use('localhost:5000/postgresql:17.5', 'payments', 'prod'));
SELECT * FROM test.unmet WHERE consumer = 'payments';
SELECT count(*) AS uses FROM usage WHERE consumer = 'payments';
SELECT drop_policy('broken');
SELECT * FROM test.unmet;
-- A digest whose tag has moved stays usable; its policies are asked of the tag that pointed at it.
SELECT pinned_reference AS pinned FROM images WHERE tag = '17.5' \gset
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a"}, "17": {"image": "a"}, "17.5": {"image": "b2"}}') IS NOT NULL AS synced;
SELECT test.outcome(format('SELECT image_library.resolve(%L, consumer => ''payments'')', :'pinned'));
CREATE FUNCTION test.knows(image images) RETURNS boolean LANGUAGE sql STABLE
  RETURN image.tag = '17.5' AND image.kind = 'postgres' AND image.approval = 'approved' AND image.registry = 'local' AND image.size_bytes IS NOT NULL
    AND image.pinned_reference LIKE 'localhost:5000/postgresql:17.5@' || image.digest AND image.digest_changed_at IS NOT NULL;
SELECT add_policy('knows', 'test.knows(images)', 'consumer:payments'), add_policy('former', 'test.no(images)', 'consumer:payments');
SELECT * FROM policy_failures(:'pinned', consumer => 'payments');
SELECT test.outcome(format('SELECT image_library.resolve(%L, consumer => ''payments'')', :'pinned'));
DELETE FROM test.signed;
SELECT test.shown(record_use(:'pinned', 'payments', 'prod'));
SELECT * FROM test.unmet;
ROLLBACK;

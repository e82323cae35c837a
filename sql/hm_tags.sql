-- HM tags: they organize, and change nothing else.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT statement, test.outcome('SELECT ' || statement) FROM unnest(ARRAY['drop_hm_tag(''none'')', 'tag_repository(''none'', ''a'', ''none'')',
  'tag_image(''localhost:5000/a:1'', ''none'')', 'untag_image(''localhost:5000/a:1'', ''none'')', 'untag_repository(''none'', ''a'', ''none'')']) statement;
SELECT add_registry('local', 'http://localhost:5000', allow_private => true);
SELECT add_rule('local', '**');
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "a", "annotations": {"org.enterprisedb.pg.features": "tde"}}, "17.5": {"image": "b"}}');
SELECT test.sync('local', 'app', '{"1": {"image": "c"}}');

SELECT add_hm_tag('production', '#1a7f37'), add_hm_tag('team red', 'red'), add_hm_tag('grey one'), add_hm_tag('Ärzte', '#abc');
SELECT name, color, repositories, image_tags, created_by = session_user AS by_me FROM hm_tags ORDER BY name COLLATE "C";
SELECT name, color, test.outcome(format('SELECT add_hm_tag(%L, %L)', name, color))
FROM (VALUES (NULL, 'red'), ('', 'red'), (' x', 'red'), ('x ', 'red'), (E'x\ny', 'red'), (repeat('x', 101), 'red'), ('EDB Official', 'red'),
  ('Transparent Data Encryption', 'red'), ('edb  official', 'red'), ('EDB-Official', 'red'), ('production', 'red'), ('x', NULL), ('x', ''), ('x', '#12'), ('x', '#12345g'), ('x', 'red;')) bad (name, color);

SELECT tag_repository('local', 'postgresql', 'production'), tag_image('localhost:5000/postgresql:17.4', 'team red'), tag_image('localhost:5000/app:1', 'grey one');
SELECT tag_repository('local', 'postgresql', 'production'), tag_image('localhost:5000/postgresql:17.4', 'team red');
SELECT repository, tag, hm_tags FROM images ORDER BY 1, 2;
SELECT repository, hm_tags FROM repositories ORDER BY 1;
SELECT name, repositories, image_tags FROM hm_tags ORDER BY name COLLATE "C";
SELECT count(approve(reference)) FROM images WHERE repository = 'postgresql';
SELECT tag, hm_tags FROM postgres_images ORDER BY tag;

SELECT statement, test.outcome('SELECT ' || statement) FROM unnest(ARRAY['tag_repository(''local'', ''nothing'', ''production'')',
  'tag_repository(''nowhere'', ''postgresql'', ''production'')', 'tag_repository(''local'', ''postgresql'', ''no such'')',
  'tag_image(''localhost:5000/postgresql:99'', ''production'')', 'tag_image(''localhost:5000/postgresql'', ''production'')',
  'tag_image(''localhost:5000/postgresql:17.4'', ''no such'')', 'untag_image(''localhost:5000/postgresql:17.4'', ''no such'')',
  'untag_repository(''local'', ''nothing'', ''production'')', 'drop_hm_tag(''no such'')', 'drop_hm_tag(NULL)']) statement;

-- An image tag keeps them when it moves, and when it comes back.
SELECT test.sync('local', 'postgresql', '{"17.4": {"image": "z"}}');
SELECT tag, hm_tags, approval FROM images WHERE repository = 'postgresql' ORDER BY tag;
SELECT untag_image('localhost:5000/postgresql:17.4', 'team red'), untag_repository('local', 'postgresql', 'production');
SELECT untag_image('localhost:5000/postgresql:17.4', 'team red');
SELECT repository, tag, hm_tags FROM images ORDER BY 1, 2;
-- Its maker and admins take it from everything; another curator would take it from what other teams own.
CREATE ROLE test_curator IN ROLE image_library_curator;
CREATE ROLE test_admin IN ROLE image_library_admin;
UPDATE hm_tag SET created_by = 'test_curator' WHERE name = 'grey one';
SELECT test.outcome_as('test_curator', 'SELECT image_library.drop_hm_tag(''grey one'')');
SELECT test.outcome_as('test_admin', 'SELECT image_library.drop_hm_tag(''grey one'')');
SELECT repository, tag, hm_tags FROM images ORDER BY 1, 2;
SELECT name FROM hm_tags ORDER BY name COLLATE "C";
-- Decisions know nothing of them.
SELECT count(*) FROM decisions;
ROLLBACK;

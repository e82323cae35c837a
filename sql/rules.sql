-- Rules: what is refused, what they admit, and what a change of them does to the tags that are known.
\getenv srcdir PG_ABS_SRCDIR
\set library :srcdir '/test/lib/library.sql'
\i :library
SELECT add_registry('edb', 'https://docker.enterprisedb.com/pgai-platform');

-- Bad patterns of repositories, of tags, and other bad values.
SELECT left(pattern, 40), left(test.outcome(format('SELECT add_rule(''edb'', %L)', pattern)), 300)
FROM unnest(ARRAY[NULL, '', 'regex:', 'regex:(', 'regex:a{1001}', 'regex:(?=x)', 'version:>=16', '[a', '{a', 'a}',
  '\', '/a', 'a//b', 'a/', 'Upper', 'a b', E'a\nb', 'ü', repeat('x', 1025)]) pattern;
SELECT pattern, test.outcome(format('SELECT add_rule(''edb'', ''postgresql'', tags => ARRAY[%L])', pattern))
FROM unnest(ARRAY[NULL, '', 'regex:[', 'regex:(?<!x)y', 'version:', 'version:x', 'version:>=', 'version:=>16', '[a', '{a',
  'a b', 'a/b']) pattern;
SELECT pattern, test.outcome(format('SELECT add_rule(''edb'', ''postgresql'', exclude_tags => ARRAY[''ok'', %L])', pattern))
FROM unnest(ARRAY[NULL, 'regex:*', 'version:<']) pattern;
SELECT value, test.outcome(format('SELECT add_rule(''edb'', ''postgresql'', %s)', value))
FROM unnest(ARRAY['tags => ''{}''', 'tags => NULL', 'action => ''allow''', 'action => NULL', 'kind => ''database''', 'kind => NULL',
  'approval => ''yes''', 'approval => NULL', 'platforms => ''{linux}''', 'platforms => ''{LINUX/AMD64}''', 'platforms => ''{NULL}''',
  'newest => 0', 'newest => -1', 'newest => 1000000001', 'tags => ''{{a,b},{c,d}}''', 'exclude_tags => ''{{a,b}}''',
  'platforms => ''{{linux/amd64,linux/arm64}}''', 'tags => array_fill(''x''::text, ''{1001}'')', 'priority => NULL', 'owner => ''nobody_of_that_name''']) value;
SELECT test.outcome('SELECT add_rule(''nowhere'', ''postgresql'')'), test.outcome('SELECT add_rule(NULL, ''postgresql'')');
SELECT f, test.outcome(format('SELECT %s(99)', f)), test.outcome(format('SELECT %s(NULL)', f))
FROM unnest('{alter_rule,drop_rule,enable_rule,disable_rule}'::text[]) f;
SELECT count(*) FROM rule;
-- Limits that are just kept are read by the agent too, also of a rule that is altered or disabled.
SELECT add_rule('edb', 'postgresql', tags => array_fill('x'::text, '{1000}'), newest => 1000000000, priority => -2147483648) AS rule \gset
SELECT change, test.outcome(format('SELECT alter_rule(%s, %s)', :rule, change))
FROM unnest(ARRAY['newest => 2147483647', 'tags => ''{{a,b}}''', 'exclude_tags => ''{{a},{b}}''', 'platforms => ''{{linux/amd64}}''',
  'exclude_tags => ''[5:6]={a,b}''']) change;
SELECT disable_rule(:rule);
SELECT test.outcome(format('SELECT alter_rule(%s, newest => 2147483647)', :rule));
SELECT test.outcome('SELECT preview_rule(''edb'', ''postgresql'', ''{{a,b}}'')');
SELECT count(*) AS decided FROM decide_tags((SELECT jsonb_agg(to_jsonb(r) || '{"enabled": true}') FROM rule r), 'postgresql', '{a}');
SELECT drop_rule(:rule);

-- A repository of a sync's making: what each of them has is told beside its patterns.
SELECT add_rule('edb', 'postgresql') AS rule \gset
SELECT test.sync('edb', 'postgresql', (SELECT jsonb_object_agg(tag, jsonb_build_object('image', tag)) FROM unnest(ARRAY[
  '15.12-2503310734', '16.8-2503310734', '17.4-2503310734', '17.4-2504010734', '17.4-2503310734-full', '17.10-2603310734', '18.0-2509250734',
  'latest', '17-snapshot', 'sha256-0000000000000000000000000000000000000000000000000000000000000000.sig']) tag));
CREATE FUNCTION test.admitted() RETURNS text LANGUAGE sql AS
  $$ SELECT coalesce(string_agg(tag, ' ' ORDER BY version_key(tag)), 'nothing') FROM images $$;
SELECT test.admitted();
SELECT drop_rule(:rule);
SELECT test.admitted();
SELECT change, test.outcome(format('SELECT add_rule(''edb'', %s)', change)) ~ '^[0-9]+$' AS added, test.admitted(),
       test.outcome('SELECT drop_rule((SELECT max(rule_id) FROM rule))') AS dropped
FROM unnest(ARRAY['''postgresql''', '''postgres*''', '''**''', '''*''', '''edb/**''', '''regex:gresql''', '''regex:^gresql''',
  '''postgresql'', ''{17.*}''', '''postgresql'', ''{version:>=16 <18}''', '''postgresql'', ''{version:>=17.4 <17.10}''',
  '''postgresql'', ''{regex:^1[67]\.}''', '''postgresql'', ''{16.*,18.*}''', '''postgresql'', ''{1[5-6].*}''', '''postgresql'', ''{LATEST}''',
  '''postgresql'', exclude_tags => ''{*-snapshot*,latest}''', '''postgresql'', ''{17.*}'', newest => 2',
  '''postgresql'', ''{version:>=16}'', exclude_tags => ''{*-full}'', newest => 1']) change;

-- Of several includes the lowest priority number, then the oldest, decides; an exclude rule takes out.
SELECT add_rule('edb', 'postgresql', '{17.*}', priority => 100) AS first \gset
SELECT add_rule('edb', 'postgresql', '{17.*}', priority => 100) AS second \gset
SELECT add_rule('edb', 'postgresql', '{17.10*}', priority => 50) AS third \gset
SELECT add_rule('edb', 'postgresql', '{*-full}', action => 'exclude', priority => 1000) AS fourth \gset
SELECT t.name, CASE t.rule_id WHEN :first THEN 'first' WHEN :second THEN 'second' WHEN :third THEN 'third' END AS decides
FROM tag t WHERE rule_id IS NOT NULL ORDER BY version_key(name);
SELECT e.rule_id - :first AS rule, action, matched, decides, reason FROM explain_tag('edb', 'postgresql', '17.10-2603310734') e ORDER BY 1;
SELECT e.rule_id - :first AS rule, action, matched, decides, reason FROM explain_tag('edb', 'postgresql', '17.4-2503310734-full') e ORDER BY 1;
SELECT e.rule_id - :first AS rule, action, matched, decides, reason FROM explain_tag('edb', 'other/name', 'never-seen') e ORDER BY 1;
SELECT asked, test.outcome('SELECT explain_tag(' || asked || ')') FROM unnest(ARRAY['''nowhere'', ''a'', ''b''',
  '''edb'', ''Bad'', ''b''', '''edb'', ''docker.enterprisedb.com/pgai-platform/postgresql'', ''b''', '''edb'', ''postgresql:17.4'', ''b''', '''edb'', ''a*'', ''b''',
  '''edb'', ''a'', ''b c''', '''edb'', NULL, NULL']) asked;

-- Enable, disable, alter: what was hidden comes back with its history and its approval.
SELECT approve('docker.enterprisedb.com/pgai-platform/postgresql:17.10-2603310734') IS NOT NULL;
SELECT disable_rule(:third);
SELECT t.name, CASE t.rule_id WHEN :first THEN 'first' WHEN :second THEN 'second' WHEN :third THEN 'third' END AS decides
FROM tag t WHERE rule_id IS NOT NULL ORDER BY version_key(name);
SELECT disable_rule(:first), disable_rule(:second);
SELECT test.admitted(), (SELECT count(*) FROM postgres_images) AS for_provisioning;
SELECT rule_id - :first AS rule, enabled FROM rules ORDER BY 1;
SELECT enable_rule(:second);
SELECT test.admitted(), (SELECT string_agg(tag, ' ') FROM postgres_images) AS for_provisioning;
SELECT alter_rule(:second, tags => '{16.*,17.10*}', kind => 'other');
SELECT test.admitted(), (SELECT count(*) FROM postgres_images) AS for_provisioning, (SELECT string_agg(kind, ' ') FROM images) AS kinds;
SELECT alter_rule(:second, kind => 'auto', newest => 1, priority => 7, platforms => '{linux/amd64}', immutable_tags => true,
  exclude_tags => '{x}', approval => 'auto', owner => 'image_library_curator');
SELECT repositories, tags, exclude_tags, action, kind, approval, platforms, immutable_tags, newest, priority, enabled, owner
FROM rules WHERE rule_id = :second;
SELECT alter_rule(:second, newest => 0, platforms => '{}', exclude_tags => '{}', approval => 'manual');
SELECT repositories, tags, exclude_tags, action, kind, approval, platforms, immutable_tags, newest, priority, enabled, owner
FROM rules WHERE rule_id = :second;
SELECT change, test.outcome(format('SELECT alter_rule(%s, %s)', :second, change))
FROM unnest(ARRAY['repositories => ''regex:(''', 'tags => ''{}''', 'tags => ''{version:}''', 'action => ''x''', 'newest => -1']) change;
SELECT repositories, tags, action, newest FROM rules WHERE rule_id = :second;
SELECT disable_rule(:second);

-- Preview: what the rule would do to the last listing; nothing is written.
SELECT add_rule('edb', 'postgresql', '{17.4-*}') AS base \gset
SELECT * FROM preview_rule('edb', 'postgresql', '{17.*}');
SELECT * FROM preview_rule('edb', 'postgresql', '{17.4-2503*}', action => 'exclude');
SELECT * FROM preview_rule('edb', '**', '{version:>=18}', newest => 1);
SELECT * FROM preview_rule('edb', 'nim/nvidia/nvclip');
SELECT * FROM preview_rule('edb', 'nim/**');
SELECT asked, test.outcome('SELECT preview_rule(' || asked || ')') FROM unnest(ARRAY['''nowhere'', ''a''', '''edb'', ''regex:(''',
  '''edb'', ''a'', ''{version:}''', '''edb'', ''a'', newest => 0']) asked;
SELECT count(*) FROM rules WHERE enabled;

-- A referrer's tag is never taken: it carries signatures, no image.
SELECT name FROM tag WHERE name ~ '^sha256-[0-9a-f]{64}';
ROLLBACK;

# pg_dump and restore: the library, its approvals and its history are equal; secrets are absent.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;

my $registry = DockerRegistry->new(mode => 'open');
$registry->push_samples;
my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/file.json", '{"auths": {"registry.example.com": {"username": "robot", "password": "Secret-4712"}}}');
my $node = ImageLibrary::node('main', "image_library.enabled = off\nimage_library.credentials_dir = '$folder'");
$node->value(sprintf q{
	CREATE ROLE team;
	SELECT image_library.add_registry('local', '%s', allow_private => true, owner => 'team');
	SELECT image_library.set_credential('local', 'robot', 'Secret-0815');
	SELECT image_library.add_rule('local', '**');
	SELECT image_library.add_hm_tag('production', '#00ff00');
	SELECT image_library.add_channel('prod', 'local', '{postgresql}', versions => '17.*'), image_library.set_extension_alias('mine', 'theirs')}, $registry->url);
$node->value(q{CALL image_library.sync()});
$node->value(q{
	SELECT image_library.tag_repository('local', 'postgresql', 'production');
	SELECT image_library.approve(reference, 'before the dump') FROM image_library.pending_images WHERE kind <> 'other';
	SELECT image_library.revoke(reference, 'and one back') FROM image_library.postgres_images ORDER BY reference LIMIT 1});
# --- everything that governs it
$node->value(q{
	SET search_path = image_library, image_library_internal, public;
	SELECT add_registry('secret', 'https://registry.example.com', owner => 'team', private => true);
	SELECT set_credential_file('secret', 'file.json'), set_credential('secret', 'robot', 'Secret-4711', 'nim');
	CREATE SCHEMA governance;
	CREATE FUNCTION governance.is_local(image images) RETURNS boolean LANGUAGE sql STABLE RETURN image_library.is_from(image, '{local}');
	SELECT add_policy('local only', 'governance.is_local(image_library.images)'), add_policy('signed', 'is_signed(images)', 'model', 'warn');
	SELECT disable_policy('signed');
	SELECT alter_rule(rule_id, required_approvals => 2) FROM rules WHERE repositories = '**';
	SELECT approve(reference, 'one of two', now() + interval '1 year') FROM pending_images ORDER BY reference LIMIT 1;
	SELECT quarantine(reference, 'scanner alarm') FROM postgres_images ORDER BY reference LIMIT 1;
	SELECT deprecate(reference, now() + interval '1 year', 'old') FROM postgres_images ORDER BY reference LIMIT 1;
	SELECT record_use(reference, 'cluster-1', 'prod'), record_use(reference, 'cluster-2') FROM postgres_images ORDER BY reference LIMIT 1;
	SELECT release_use(reference, 'cluster-2') FROM postgres_images ORDER BY reference LIMIT 1;
	SELECT tag_image(reference, 'production') FROM postgres_images ORDER BY reference LIMIT 1;
	SELECT set_readme('local', 'postgresql', 'Read me.'), set_annotation_keys('title', '{com.example.title,org.opencontainers.image.title}');
	SELECT set_model_facts('local', 'nim/meta/llama-3.1-8b-instruct', task => 'chat', profiles => '[{"name": "vllm-bf16-tp2-pp1", "tp": 2}]', reason => 'measured');
	SELECT drop_rule(add_rule('local', 'other/**')), add_hm_tag('gone');
	SELECT drop_hm_tag('gone');
	CREATE TABLE cluster (image text);
	CREATE TRIGGER guard BEFORE INSERT ON cluster FOR EACH ROW EXECUTE FUNCTION require_approved('image')});

my $file = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $file, 'postgres' ], 'pg_dump');
unlike(slurp_file($file), qr/Secret-|robot|file\.json/, 'no secret is in the dump');
unlike(slurp_file($file), qr/^(GRANT|REVOKE) /m, 'nor rights that the extension itself grants');
$node->value('CREATE DATABASE restored');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-f', $file, 'restored' ],
	'restore into a fresh database');

my $rows = 0;
for my $view (split /\n/, $node->value(q{
	SELECT relname FROM pg_class WHERE relnamespace = 'image_library'::regnamespace AND relkind = 'v'
	ORDER BY relname}))
{
	my $all = qq{SELECT md5(coalesce(string_agg(v::text, E'\\n' ORDER BY v::text), '')), count(*) FROM image_library.$view v};
	# Whether a credential is set is the one thing that a dump does not take along.
	$all = q{SELECT name, url, owner FROM image_library.registries} if $view eq 'registries';
	is($node->safe_psql('restored', $all), $node->value($all), "$view is equal");
	++$rows if $node->value($all) !~ /\|0$/;
}
cmp_ok($rows, '>=', 24, 'views with rows were compared');
for my $told ('library_at(now())', 'library_at(now() - interval \'1 hour\')', 'events_since(0)', 'search_images(\'postgresql\')')
{
	my $all = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM image_library.$told t";
	is($node->safe_psql('restored', $all), $node->value($all), "$told is equal");
}
for my $table (split /\n/, $node->value(q{
	SELECT relname FROM pg_class WHERE relnamespace = 'image_library_internal'::regnamespace AND relkind = 'r' AND relname <> 'credential'
	ORDER BY relname}))
{
	my $all = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM image_library_internal.$table t";
	# Triggers count when tags are restored; the rows of a group are added up.
	$all = 'SELECT registry_id, kind, approval, sum(number) FROM image_library_internal.tag_count GROUP BY 1, 2, 3 HAVING sum(number) <> 0 ORDER BY 1, 2, 3'
		if $table eq 'tag_count';
	is($node->safe_psql('restored', $all), $node->value($all), "table $table is equal");
}
for my $database ('postgres', 'restored')
{
	is($node->safe_psql($database, q{SELECT * FROM image_library.verify_audit()}), '', "the chain holds in $database");
}
is($node->safe_psql('restored', q{SELECT * FROM image_library.audit_head()}), $node->value(q{SELECT * FROM image_library.audit_head()}),
	'and ends as before');
is($node->safe_psql('restored', q{SELECT image_library.policy_failures(reference) FROM image_library.postgres_images LIMIT 1}),
	'', 'policies are asked as before');
$node->safe_psql('restored', q{SELECT image_library.add_hm_tag('later', 'red')});
pass('sequences go on where they were');
is($node->safe_psql('restored', q{SELECT * FROM image_library.verify_audit()}), '', 'the chain goes on');
is($node->safe_psql('restored', q{SELECT count(*) FROM image_library_internal.credential}), '0', 'no credential came along');
$node->safe_psql('restored', q{CALL image_library.sync()});
is($node->safe_psql('restored', q{SELECT images_added FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1}),
	'0', 'the restored library knows every image');

# --- data alone, by several jobs, as doc/operations.md says: triggers count and wake the agent otherwise
my ($jobs) = slurp_file("$FindBin::RealBin/../../doc/operations.md") =~ /^```\n(pg_restore --schema-only.*?)^```$/ms or die;
command_ok([ 'pg_dump', '-Fc', '-h', $node->host, '-p', $node->port, '-f', "$folder/lib.dump", 'postgres' ], 'a dump for pg_restore');
$node->value('CREATE DATABASE lib');
local ($ENV{PGHOST}, $ENV{PGPORT}) = ($node->host, $node->port);
command_ok([ 'bash', '-ec', "cd $folder; $jobs" ], 'restore of data alone, by several jobs');
my $counts = q{SELECT registry, tags, approved, pending, repositories FROM image_library.library_stats ORDER BY 1 NULLS FIRST};
is($node->safe_psql('lib', $counts), $node->value($counts), 'the counts are equal');
is($node->safe_psql('lib', q{SELECT * FROM image_library.audit_head()}), $node->value(q{SELECT * FROM image_library.audit_head()}), 'and so is the chain');

$node->stop;
$registry->stop;
done_testing();

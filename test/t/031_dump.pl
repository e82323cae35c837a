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
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
$node->value(sprintf q{
	CREATE ROLE team;
	SELECT image_library.add_registry('local', '%s', allow_private => true, owner => 'team');
	SELECT image_library.set_credential('local', 'robot', 'Secret-0815');
	SELECT image_library.add_rule('local', '**');
	SELECT image_library.add_hm_tag('production', '#00ff00')}, $registry->url);
$node->value(q{CALL image_library.sync()});
$node->value(q{
	SELECT image_library.tag_repository('local', 'postgresql', 'production');
	SELECT image_library.approve(reference, 'before the dump') FROM image_library.pending_images WHERE kind <> 'other';
	SELECT image_library.revoke(reference, 'and one back') FROM image_library.postgres_images ORDER BY reference LIMIT 1});

my $file = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $file, 'postgres' ], 'pg_dump');
unlike(slurp_file($file), qr/Secret-0815/, 'the secret is not in the dump');
$node->value('CREATE DATABASE restored');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-f', $file, 'restored' ],
	'restore into a fresh database');

for my $view (split /\n/, $node->value(q{
	SELECT relname FROM pg_class WHERE relnamespace = 'image_library'::regnamespace AND relkind = 'v'
	ORDER BY relname}))
{
	my $all = qq{SELECT md5(coalesce(string_agg(v::text, E'\\n' ORDER BY v::text), '')), count(*) FROM image_library.$view v};
	# Whether a credential is set is the one thing that a dump does not take along.
	$all = q{SELECT name, url, owner FROM image_library.registries} if $view eq 'registries';
	is($node->safe_psql('restored', $all), $node->value($all), "$view is equal");
}
$node->safe_psql('restored', q{SELECT image_library.add_hm_tag('later', 'red')});
pass('sequences go on where they were');
is($node->safe_psql('restored', q{SELECT count(*) FROM image_library.credential}), '0', 'no credential came along');
$node->safe_psql('restored', q{CALL image_library.sync()});
is($node->safe_psql('restored', q{SELECT images_added FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1}),
	'0', 'the restored library knows every image');

$node->stop;
$registry->stop;
done_testing();

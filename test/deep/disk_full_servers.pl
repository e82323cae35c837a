# Run by disk_full, which mounts the file systems: the agent fails with a clear reason, nothing that was decided is lost,
# and it goes on by itself when there is space.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;

my $disks = $ENV{SMALL_DISKS} or plan skip_all => 'test/deep/disk_full runs this with small disks';
my $registry = FaultRegistry->new({ repositories => { map { ("team$_/app" => { map { ("1.$_" => {}) } 1 .. 40 }) } 1 .. 10 } });
my $more = FaultRegistry->new({ repositories => { map { ("more$_/app" => { map { ("2.$_" => {}) } 1 .. 100 }) } 1 .. 10 } });

sub start
{
	my ($name, @extra) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8', @extra ]);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'image_library'\nrestart_after_crash = on\nmin_wal_size = 32MB\nmax_wal_size = 48MB\nwal_keep_size = 0\nautovacuum = off");
	$node->start;
	return $node;
}

sub connect_registry
{
	my ($name, $url) = @_;
	return qq{SELECT image_library.add_registry('$name', '$url', allow_private => true, sync_interval => '1 day'); SELECT image_library.add_rule('$name', '**')};
}

# Leaves no byte on a disk.
sub fill
{
	my ($disk) = @_;
	system "dd if=/dev/zero of=$disk/filler bs=64k 2>/dev/null; dd if=/dev/zero of=$disk/filler2 bs=1k 2>/dev/null";
}
sub make_room { unlink map { "$disks/$_[0]/$_" } qw(filler filler2) }

# --- under the tables
{
	my $node = start('data');
	$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disks/data'");
	$node->safe_psql('postgres', 'CREATE DATABASE library TABLESPACE small');
	$node->safe_psql('library', 'CREATE EXTENSION image_library; ' . connect_registry('first', $registry->url));
	ok($node->poll_query_until('library', q{SELECT state = 'complete' FROM image_library.sync_status}), 'a library on a small disk');
	$node->safe_psql('library', q{SELECT image_library.approve(reference) FROM image_library.images LIMIT 20});
	fill("$disks/data");
	# What fits into pages that exist already can be written.
	$node->psql('library', connect_registry('second', $more->url));
	ok($node->poll_query_until('library', q{SELECT (SELECT bool_or(last_failure ~ 'No space left') FROM image_library.agent_status() WHERE database = 'library')
		OR EXISTS (SELECT FROM image_library.sync_run WHERE error ~ 'No space left')}), 'the agent tells that the disk is full');
	is($node->safe_psql('library', q{SELECT count(*) FROM image_library.images WHERE approval = 'approved'}), '20', 'reads go on');
	make_room('data');
	$node->safe_psql('library', connect_registry('second', $more->url)) if $node->safe_psql('library', q{SELECT count(*) FROM image_library.registries}) eq '1';
	ok($node->poll_query_until('library', q{SELECT count(*) = 2 AND bool_and(state = 'complete') FROM image_library.sync_status}), 'with space it goes on by itself');
	is($node->safe_psql('library', q{SELECT count(*) FROM image_library.images}), '1400', 'and stores every image');
	is($node->safe_psql('library', 'SELECT * FROM image_library.verify_audit()'), '', 'the chain of decisions and audit rows holds');
	unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'no process has crashed');
	$node->stop;
}

# --- under the WAL: PostgreSQL stops, and starts when there is space
{
	my $node = start('wal', "--waldir=$disks/wal/pg_wal");
	$node->safe_psql('postgres', 'CREATE EXTENSION image_library; ' . connect_registry('first', $registry->url));
	ok($node->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status}), 'a library with its WAL on a small disk');
	$node->safe_psql('postgres', q{SELECT image_library.approve(reference) FROM image_library.images LIMIT 20});
	# Segments are kept, so that another one is needed and no old one is used again.
	$node->safe_psql('postgres', $_) for 'CREATE TABLE filling (line text)', q{ALTER SYSTEM SET wal_keep_size = '1GB'}, 'SELECT pg_reload_conf()';
	fill("$disks/wal");
	$node->psql('postgres', connect_registry('second', $more->url));
	for (1 .. 60)
	{
		last if ($node->psql('postgres', 'INSERT INTO filling SELECT repeat(md5(n::text), 30) FROM generate_series(1, 20000) n'))[0] != 0;
	}
	like(slurp_file($node->logfile), qr/No space left on device/, 'the disk is full');
	make_room('wal');
	ok($node->poll_query_until('postgres', 'SELECT true'), 'PostgreSQL runs again');
	$node->safe_psql('postgres', $_) for 'ALTER SYSTEM RESET wal_keep_size', 'SELECT pg_reload_conf()', 'CHECKPOINT';
	$node->psql('postgres', connect_registry('second', $more->url)) if $node->safe_psql('postgres', q{SELECT count(*) FROM image_library.registries}) eq '1';
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 AND bool_and(state = 'complete') FROM image_library.sync_status}), 'the agent goes on by itself');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM image_library.images}), '1400', 'every image is there');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM image_library.images WHERE approval = 'approved'}), '20', 'and every decision');
	is($node->safe_psql('postgres', 'SELECT * FROM image_library.verify_audit()'), '', 'the chain holds');
	$node->stop;
}
$registry->stop;
$more->stop;
done_testing();

# Whatever gives a database something to sync wakes the agent: CREATE EXTENSION, COPY, a restored dump, a sync that somebody ends.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use HangingRegistry;
use ImageLibrary;

my $registry = FaultRegistry->new({ repositories => { 'team/app' => { '1.0' => {}, '1.1' => {} } } });
my $node = ImageLibrary::node('main');
$node->value(sprintf q{
	SELECT image_library.add_registry('local', '%s', allow_private => true);
	SELECT image_library.add_rule('local', '**')}, $registry->url);
my $synced = q{SELECT state = 'complete' FROM image_library.sync_status};
ok($node->poll_query_until('postgres', $synced), 'the library is synced');

# --- CREATE EXTENSION
$node->value('CREATE DATABASE copied');
is($node->value(q{SELECT count(*) FROM image_library.agent_status() WHERE database = 'copied'}), '0', 'a database without a library is not the agent\'s');
$node->safe_psql('copied', 'BEGIN; CREATE EXTENSION image_library; ROLLBACK');
is($node->value(q{SELECT count(*) FROM image_library.agent_status() WHERE database = 'copied'}), '0', 'nor is one whose CREATE EXTENSION was rolled back');
$node->safe_psql('copied', 'CREATE EXTENSION image_library');
is($node->value(q{SELECT count(*) FROM image_library.agent_status() WHERE database = 'copied'}), '1', 'CREATE EXTENSION wakes the agent');

# --- COPY into the tables
my $folder = PostgreSQL::Test::Utils::tempdir();
$node->value("COPY image_library_internal.$_ TO '$folder/$_'") for qw(registry rule);
$node->safe_psql('copied', "COPY image_library_internal.$_ FROM '$folder/$_'") for qw(registry rule);
ok($node->poll_query_until('copied', $synced), 'a registry that COPY has added is synced');

# --- a dump that is restored: not before all of it is there, for COPY meets what a sync has written
my $dump = "$folder/dump.sql";
command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump, 'postgres' ], 'pg_dump');
$node->value('CREATE DATABASE restored');
my ($in, $out, $err) = ("\\set ON_ERROR_STOP on\n\\i $dump\n\\echo all is there\n", '', '');
my $session = IPC::Run::start([ 'psql', '-X', '-q', '-h', $node->host, '-p', $node->port, 'restored' ], \$in, \$out, \$err,
	IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
$session->pump until $out =~ /all is there/;
is($err, '', 'the dump is restored');
my $runs = q{SELECT count(*) FROM image_library.sync_run};
my $restored_runs = $node->value($runs);
like($node->safe_psql('restored', q{SELECT last_error FROM image_library.agent_status()}), qr/restores a dump/, 'agent_status tells that the agent waits for the session');
$node->safe_psql('restored', q{SELECT image_library.request_sync('local')});
$node->value(q{SELECT image_library.request_sync('local')});
ok($node->poll_query_until('postgres', "SELECT count(*) > $restored_runs FROM image_library.sync_run WHERE outcome IS NOT NULL"), 'another database is synced meanwhile');
is($node->safe_psql('restored', $runs), $restored_runs, 'the restored one is not');
$in .= "\\q\n";
$session->finish;
ok($node->poll_query_until('restored', "SELECT count(*) > $restored_runs FROM image_library.sync_run WHERE outcome = 'complete'"),
	'a restored library is synced once the session that restored it has ended');
is($node->safe_psql('restored', q{SELECT images_added FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1}), '0', 'and knows every image');

# --- pg_restore
command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-Fc', '-f', "$folder/dump", 'postgres' ], 'pg_dump');
$node->value('CREATE DATABASE again');
$restored_runs = $node->value($runs);
command_ok([ 'pg_restore', '-h', $node->host, '-p', $node->port, '-e', '-d', 'again', "$folder/dump" ], 'pg_restore');
$node->safe_psql('again', q{UPDATE image_library_internal.registry SET sync_requested_at = clock_timestamp()});
ok($node->poll_query_until('again', "SELECT count(*) > $restored_runs FROM image_library.sync_run WHERE outcome = 'complete'"), 'an UPDATE past the functions wakes the agent too');

# --- CALL sync that is ended: a worker that looked meanwhile has left the registry out
my $hanging = HangingRegistry->new;
$node->value('ALTER SYSTEM SET image_library.enabled = off');
$node->reload;
$node->value('CREATE DATABASE called');
$node->safe_psql('called', sprintf q{CREATE EXTENSION image_library;
	SELECT image_library.add_registry('hanging', '%s', allow_private => true), image_library.add_rule('hanging', 'team/app')}, $hanging->url);
for my $end (qw(cancel terminate))
{
	my $call = IPC::Run::start([ 'psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-c', q{CALL image_library.sync('hanging')}, 'called' ],
		\undef, \$out, \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	ok($node->poll_query_until('called', q{SELECT count(*) = 1 FROM image_library.sync_run WHERE cause = 'call' AND outcome IS NULL}), "$end: a session syncs");
	$node->value('ALTER SYSTEM RESET image_library.enabled');
	$node->reload;
	$node->safe_psql('called', 'UPDATE image_library_internal.registry SET name = name');
	ok($node->poll_query_until('called', q{SELECT workers = 0 AND due_at IS NULL FROM image_library.agent_status() WHERE database = 'called'}),
		"$end: the agent has nothing to do meanwhile");
	is($node->value("SELECT count(pg_${end}_backend(pid)) FROM pg_stat_activity WHERE query ~ '^CALL image_library.sync: '"), '1', "$end: the session");
	$call->finish;
	ok($node->poll_query_until('called', $end eq 'cancel' ? q{SELECT due_at IS NOT NULL FROM image_library.agent_status() WHERE database = 'called'}
			: q{SELECT count(*) = 1 FROM image_library.sync_run WHERE cause = 'schedule' AND outcome IS NULL}),
		"$end: the agent knows when the registry is due");
}

$node->stop;
$hanging->stop;
$registry->stop;
done_testing();

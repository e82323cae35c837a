# The agent's life: it is obeyed at once while a registry hangs, and stands in nobody's way.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use HangingRegistry;
use ImageLibrary;

# A second on a quiet machine; CI's are not.
my $at_once = 5;

my $registry = HangingRegistry->new;
my $node = ImageLibrary::node('main');
my $url = $registry->url;

my $worker_pid =
  q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'image_library worker'};

sub add_hanging
{
	my ($database) = @_;
	$node->safe_psql($database, qq{
		SELECT image_library.add_registry('hanging', '$url', allow_private => true);
		SELECT image_library.add_rule('hanging', 'team/app');
		SELECT image_library.request_sync('hanging')});
}

sub wait_for_worker
{
	my ($database) = @_;
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'image_library worker'
		 AND datname = '$database' AND query LIKE 'syncing registry%'")
	  or die 'no worker started';
	usleep 300_000;    # well into the request
	# Another one may look whether something else is due.
	return $node->safe_psql('postgres', "$worker_pid AND datname = '$database' AND query LIKE 'syncing registry%'");
}

sub gone_within
{
	my ($pid, $since, $what) = @_;
	ok( $node->poll_query_until(
			'postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"),
		"$what ends the worker");
	cmp_ok(time - $since, '<', $at_once, "$what ends the worker at once");
}

# --- idle: no connection
ok($node->poll_query_until('postgres',
		q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'image_library launcher'}),
	'the launcher runs');
my $is_waiting_for = $node->safe_psql('postgres', 'SHOW server_version_num') >= 170000
  ? sub { "wait_event = '$_[0]'" } : sub { q{wait_event = 'Extension'} };
ok($node->poll_query_until('postgres',
		q{SELECT bool_and(} . $is_waiting_for->('ImageLibraryLauncher')
		  . q{) FROM pg_stat_activity WHERE backend_type = 'image_library launcher'}),
	'the launcher tells what it waits for');
# One has looked for what is due.
ok($node->poll_query_until('postgres', q{SELECT workers = 0 AND due_at IS NULL FROM image_library.agent_status()}), 'nothing is due');
is($node->safe_psql('postgres', $worker_pid), '', 'no worker is connected while nothing is due');
$node->safe_psql('postgres', 'CREATE DATABASE idle');
$node->safe_psql('idle', 'CREATE EXTENSION image_library');
$node->poll_query_until('postgres',
	q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'image_library worker'});
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE idle');
pass('CREATE DATABASE ... TEMPLATE works between syncs');
$node->safe_psql('postgres', 'DROP DATABASE idle');
pass('plain DROP DATABASE works between syncs');

# --- no transaction while waiting on the network
add_hanging('postgres');
my $pid = wait_for_worker('postgres');
# It looks now and then whether the extension is still there.
my $open = "SELECT xact_start FROM pg_stat_activity WHERE pid = $pid AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)";
my ($first, $second) = map { $node->safe_psql('postgres', $open) } 1 .. 2;
ok($first eq '' || $second ne $first, 'no transaction stays open during a request') or diag($first);
ok($node->poll_query_until('postgres',
		'SELECT ' . $is_waiting_for->('ImageLibraryRegistry') . " FROM pg_stat_activity WHERE pid = $pid"),
	'the worker tells what it waits for');
is($node->safe_psql('postgres',
		q{SELECT state FROM image_library.sync_status WHERE registry = 'hanging'}),
	'running', 'sync_status says that a sync is running');

# --- SIGTERM
my $since = time;
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
gone_within($pid, $since, 'SIGTERM');

# --- one registry's trouble does not stop the work of another database, nor DROP EXTENSION
$node->safe_psql('copy', q{SELECT count(*) FROM image_library.images});
add_hanging('copy');
$pid = wait_for_worker('copy');
$since = time;
$node->safe_psql('copy', 'DROP EXTENSION image_library CASCADE');
gone_within($pid, $since, 'DROP EXTENSION');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'without a crash');

# --- DROP DATABASE WITH (FORCE)
$node->safe_psql('copy', 'CREATE EXTENSION image_library');
add_hanging('copy');
$pid = wait_for_worker('copy');
$since = time;
$node->safe_psql('postgres', 'DROP DATABASE copy WITH (FORCE)');
gone_within($pid, $since, 'DROP DATABASE WITH (FORCE)');

# --- kill -9 restarts the server and loses nothing that was committed
my $decisions = $node->safe_psql('postgres', 'SELECT count(*) FROM image_library.decisions');
# A registry without an interrupted run: after a second one the agent waits longer than a test should. A worker may be at the old one
# again.
$node->safe_psql('postgres', q{SELECT image_library.disable_registry('hanging')});
$node->poll_query_until('postgres', q{SELECT count(pg_terminate_backend(pid)) = 0 FROM pg_stat_activity WHERE backend_type = 'image_library worker'});
$node->safe_psql('postgres', q{SELECT image_library.drop_registry('hanging', cascade => true)});
add_hanging('postgres');
$pid = wait_for_worker('postgres');
# The worker does not wait until its commits are on disk.
$node->safe_psql('postgres', 'CHECKPOINT');
my $log = -s $node->logfile;
kill 'KILL', $pid;
$node->wait_for_log(qr/all server processes terminated; reinitializing/, $log);
$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
  or die 'the server did not come back';
is($node->safe_psql('postgres', 'SELECT count(*) FROM image_library.decisions'),
	$decisions, 'the library is there after kill -9');
$pid = wait_for_worker('postgres');
ok($pid, 'the agent comes back by itself');
is($node->safe_psql('postgres',
		q{SELECT outcome || ': ' || error FROM image_library.sync_run WHERE outcome IS NOT NULL ORDER BY run_id DESC LIMIT 1}),
	'failed: interrupted', 'the interrupted run is told');

# --- a cancelled foreground sync
my ($ret, $out, $err) = $node->psql('postgres',
	q{SET statement_timeout = '2s'; CALL image_library.sync('hanging')});
like($err, qr/is being synced by another session: waiting for it/, 'a registry is not synced twice at once');
like($err, qr/canceling statement due to statement timeout/, 'and who waits can be canceled');
$node->safe_psql('postgres', q{SELECT image_library.disable_registry('hanging')});
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$node->poll_query_until('postgres',
	"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
$node->safe_psql('postgres', qq{
	SELECT image_library.add_registry('slow', '$url/slow', allow_private => true, sync_interval => '1 day')});
$node->append_conf('postgresql.conf', 'image_library.enabled = off');
$node->reload;
$since = time;
($ret, $out, $err) = $node->psql('postgres', q{
	SET statement_timeout = '1s';
	CALL image_library.sync('slow')});
like($err, qr/canceling statement due to statement timeout/, 'CALL sync can be canceled');
cmp_ok(time - $since, '<', 1 + $at_once, 'and ends at once');

# --- fast shutdown
$node->append_conf('postgresql.conf', 'image_library.enabled = on');
$node->reload;
$node->safe_psql('postgres', q{SELECT image_library.enable_registry('hanging'), image_library.request_sync('hanging')});
wait_for_worker('postgres');
$since = time;
$node->stop('fast');
cmp_ok(time - $since, '<', 2 * $at_once, 'a fast shutdown is fast');

# --- without preloading
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->start;
($ret, $out, $err) = $node->psql('postgres', 'SELECT last_error FROM image_library.agent_status()');
like($out, qr/start_worker/, 'agent_status says how to start the agent');
is($node->safe_psql('postgres', q{SELECT s.state, s.launcher_started_at, a.severity FROM image_library.agent_status() s, image_library.alerts() a WHERE a.alert = 'agent'}),
	'stopped||critical', 'that it does not run is a critical alert');
my $launcher = $node->safe_psql('postgres', 'SELECT image_library.start_worker()');
cmp_ok($launcher, '>', 0, 'start_worker starts the agent');
is($node->safe_psql('postgres', 'SELECT launcher_pid FROM image_library.agent_status()'),
	$launcher, 'agent_status knows it');
$node->safe_psql('postgres', q{SELECT image_library.request_sync('hanging')});
ok(wait_for_worker('postgres'), 'and it syncs');
is($node->safe_psql('postgres', 'SELECT image_library.start_worker()'),
	$launcher, 'start_worker does not start a second one');

# --- launcher and workers end together: what they did is begun again
$node->safe_psql('postgres', 'CREATE DATABASE single');
$node->safe_psql('single', qq{CREATE EXTENSION image_library;
	SELECT image_library.add_registry('single', '$url/single', allow_private => true), image_library.add_rule('single', 'team/app')});
my $runs = q{SELECT count(*) = %d AND (SELECT due_at IS NULL FROM image_library.agent_status() WHERE database = 'single') FROM image_library.sync_run};
ok($node->poll_query_until('single', sprintf $runs, 1), 'the only registry of a database is synced, and nothing else is due there');
$node->safe_psql('postgres', q{SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE backend_type LIKE 'image_library%'});
# Otherwise PostgreSQL starts the launcher after ten seconds. It wakes the agent for this database only.
$node->safe_psql('postgres', 'SELECT image_library.start_worker()');
ok($node->poll_query_until('single', sprintf $runs, 2), 'the next launcher has it synced');

$node->stop('immediate');
$registry->stop;
done_testing();

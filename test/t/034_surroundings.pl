# What a database and its users may set is no trouble to the agent: isolation levels, policies that do not end.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my $registry = FaultRegistry->new({ repositories => { 'team/app' => { '1.0' => {}, '1.1' => {} } } });
my $node = ImageLibrary::node('main', q{default_transaction_isolation = 'serializable'});

# --- the agent takes the isolation level that it needs; people are told which they need
like($node->error(sprintf q{SELECT image_library.add_registry('local', '%s', allow_private => true), image_library.add_rule('local', '**')}, $registry->url),
	qr/^ERROR:  25000.*HINT:.*READ COMMITTED/s, 'rules do not change in a serializable transaction');
$node->value(sprintf q{BEGIN ISOLATION LEVEL READ COMMITTED;
	SELECT image_library.add_registry('local', '%s', allow_private => true); SELECT image_library.add_rule('local', '**'); COMMIT}, $registry->url);
ok($node->poll_query_until('postgres', q{SELECT outcome = 'complete' FROM image_library.sync_run ORDER BY run_id LIMIT 1}),
	'the agent syncs where transactions are serializable');
is($node->value('SELECT count(*) FROM image_library.images'), '2', 'and what it found is there');
like($node->error(q{CALL image_library.sync('local')}), qr/^ERROR:  25000.*HINT:.*READ COMMITTED/s, 'CALL sync says what it needs');

# --- a policy that takes every cancel for nothing costs one run and one session, not the server
my $stubborn = q{
	CREATE OR REPLACE FUNCTION public.%s(image image_library.images) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
	  LOOP
	    BEGIN
	      PERFORM pg_sleep(60);
	    EXCEPTION WHEN query_canceled THEN
	      NULL;
	    END;
	  END LOOP;
	END $$};
my $failures = q{SELECT DISTINCT f.policy, f.reason FROM image_library.images i, image_library.policy_failures(i.reference) f WHERE registry = '%s'};
my $why = qr/it is not called until it is replaced: it ended a process/;

sub add_stubborn
{
	my ($name) = @_;
	$node->value(sprintf "$stubborn; SELECT image_library.add_policy('%s', 'public.%s(image_library.images)')", $name, $name, $name);
}
sub limited { return "SET image_library.policy_timeout = '20ms'; " . sprintf $failures, 'local' }

add_stubborn('stubborn');
my ($ret, $out, $err) = $node->psql('postgres', limited());
like($err, qr/terminating connection/, 'a policy that cannot be cancelled ends');
is($node->value(q{SELECT count(*) FROM pg_stat_activity WHERE query ~ 'policy_failures' AND pid <> pg_backend_pid()}), '0', 'and nothing is left of it');
is($node->value('SELECT approval FROM image_library.images WHERE tag = $$1.0$$'), 'pending', 'nor is anything approved');
like($node->value(limited()), $why, 'the next session that asks does not end');
like($node->error(q{BEGIN ISOLATION LEVEL READ COMMITTED; SELECT image_library.approve(reference) FROM image_library.images; COMMIT}), qr/^ERROR:  55000.*$why/s, 'who approves is told');
$node->value(q{CREATE OR REPLACE FUNCTION public.stubborn(image image_library.images) RETURNS boolean LANGUAGE sql RETURN true});
is($node->value(limited()), '', 'a function that is replaced is called again');
$node->value(sprintf $stubborn, 'stubborn');
($ret, $out, $err) = $node->psql('postgres', limited());
like($err, qr/terminating connection/, 'and ends the process again when it is as before');
$node->value(q{SELECT image_library.drop_policy('stubborn')});

# --- in the agent: the run after the interrupted one stores everything
add_stubborn('obstinate');
$node->append_conf('postgresql.conf', "image_library.policy_timeout = '50ms'");
$node->reload;
my $second = FaultRegistry->new({ repositories => { 'team/app' => { '2.0' => {}, '2.1' => {} } } });
$node->value(sprintf q{BEGIN ISOLATION LEVEL READ COMMITTED;
	SELECT image_library.add_registry('second', '%s', allow_private => true);
	SELECT image_library.add_rule('second', '**', approval => 'auto'); COMMIT}, $second->url);
ok($node->poll_query_until('postgres', q{SELECT outcome = 'complete' FROM image_library.sync_run WHERE registry = 'second' ORDER BY run_id DESC LIMIT 1}),
	'the agent syncs all the same');
like($node->value(q{SELECT outcome, error FROM image_library.sync_run WHERE registry = 'second' ORDER BY run_id}), qr/^failed\|interrupted: terminating .*\ncomplete\|$/,
	'one run was interrupted');
is($node->value(q{SELECT tag, approval FROM image_library.images WHERE registry = 'second' ORDER BY tag}), "2.0|pending\n2.1|pending",
	'its images are there, and pending');
is($node->value(q{SELECT state FROM image_library.sync_status WHERE registry = 'second'}), 'complete', 'sync_status is as after any run');
like($node->value(sprintf $failures, 'second'), $why, 'policy_failures tells why');
$node->value(q{CREATE OR REPLACE FUNCTION public.obstinate(image image_library.images) RETURNS boolean LANGUAGE sql RETURN true});
is($node->value(q{BEGIN ISOLATION LEVEL READ COMMITTED; SELECT image_library.apply_policies('second'); COMMIT}), '2', 'with a function that ends they are approved');
$node->value(q{SELECT image_library.drop_policy('obstinate')});

# --- what ends a session while a policy runs says nothing of the policy
$node->value(q{
	CREATE FUNCTION public.patient(image image_library.images) RETURNS boolean LANGUAGE sql AS 'SELECT true FROM pg_sleep(600)';
	SELECT image_library.add_policy('patient', 'public.patient(image_library.images)')});
my ($stdout, $stderr) = ('', '');
my $session = IPC::Run::start([ 'psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-c',
		q{SET image_library.policy_timeout = '10min'; /* patiently */ SELECT image_library.policy_failures(reference) FROM image_library.images}, 'postgres' ],
	\undef, \$stdout, \$stderr);
ok($node->poll_query_until('postgres', q{SELECT count(pg_terminate_backend(pid)) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}),
	'a session is terminated while its policy runs');
$session->finish;
like($node->value(limited()), qr/^patient\|it took longer than 20 ms$/, 'the policy is called again');
$node->value(q{SELECT image_library.drop_policy('patient')});

$node->stop;
$second->stop;
$registry->stop;
done_testing();

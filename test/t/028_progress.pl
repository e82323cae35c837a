# How far a sync is, in pg_stat_activity, notices and the log; and syncs that are cancelled.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use HangingRegistry;
use ImageLibrary;

my %repositories = map { sprintf('team/app%02d', $_) => { '1.0' => {} } } 1 .. 50;
my $registry = FaultRegistry->new({ repositories => \%repositories });
my $hanging = HangingRegistry->new;
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
$node->value(sprintf q{
	SELECT image_library.add_registry('many', '%s', allow_private => true), image_library.add_registry('hanging', '%s', allow_private => true);
	SELECT image_library.add_rule('many', 'team/**'), image_library.add_rule('hanging', 'team/app')}, $registry->url, $hanging->url);

sub status { return $node->value("SELECT state, consecutive_failures, last_error FROM image_library.sync_status WHERE registry = '$_[0]'") }
sub last_run { return $node->value("SELECT run_id, outcome, error FROM image_library.sync_run WHERE registry = '$_[0]' ORDER BY run_id DESC LIMIT 1") }

# --- a line now and then, and one at the end
my ($status, $out, $err) = $node->psql('postgres', q{CALL image_library.sync('many')});
my @notices = $err =~ /NOTICE:  (.*)/g;
cmp_ok(scalar @notices, '<', 50, 'fifty repositories do not give fifty notices');
like($notices[-1], qr/^registry "many", run 1: 50 repositories, 50 tags, 50 images added, 0 tags moved, 0 missing, 0 problems, \d+ requests \(\d+\/s\)$/,
	'the last one has the counts and the rate');

# --- pg_stat_activity while a registry hangs, without a word of the statement
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/begun/, qq{\\echo begun\nSELECT 'a secret'; CALL image_library.sync('hanging');\n});
my $activity = q{SELECT query FROM pg_stat_activity WHERE query ~ '^CALL image_library.sync: '};
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM ($activity) a"), 'CALL sync shows how far it is');
like($node->value($activity), qr/^CALL image_library\.sync: registry "hanging", run 2: finding repositories, 0 tags, .* \d+ requests \(\d+\/s\)$/,
	'with the registry, the run and the counts');

# --- who asked just before it ends: the lock of the run is gone when it is looked for
my ($holder, $asker) = map { $node->background_psql('postgres', on_error_die => 1) } 1 .. 2;
$holder->query_safe('SELECT pg_advisory_lock(1)');
$asker->query_until(qr/begun/, q{\echo begun
	SELECT (SELECT concat_ws(' ', 'state:', s.state, s.last_error, s.next_sync_at) FROM image_library.sync_status s WHERE s.registry = 'hanging' AND held.now IS NOT NULL)
	FROM (SELECT pg_advisory_lock_shared(1)::text AS now OFFSET 0) held;
});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted}), 'a session asks for the state, and has to wait');

# --- cancelled: no failure, and due as before
sub wait_after { return "SELECT next_at - finished_at FROM image_library.sync_run WHERE run_id = $_[0]" }
is($node->value(q{SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query ~ '^CALL image_library.sync: '}), '1', 'a cancel');
ok($node->poll_query_until('postgres', q{SELECT outcome IS NOT NULL FROM image_library.sync_run WHERE run_id = 2}), 'ends the run');
is(last_run('hanging'), '2|cancelled|canceling statement due to user request', 'which is cancelled');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'userlock'}), 'nobody syncs any more');
$holder->query_safe('SELECT pg_advisory_unlock(1)');
like($asker->query_until(qr/state: .*\n/, ''), qr/^state: running$/m, 'the state is as it was when the session asked, and not that of an interrupted run');
$_->quit for $holder, $asker;
is($node->value('SELECT requests > 0 FROM image_library.sync_run WHERE run_id = 2'), 't', 'its row tells what it had done');
is(status('hanging'), 'cancelled|0|canceling statement due to user request', 'and no failure of the registry');
is($node->value('SELECT (' . wait_after(2) . q{) > '20 seconds'}), 't', 'the agent does not begin at that moment');
is($node->value(q{SELECT count(*) FROM pg_stat_activity WHERE query ~ '^CALL image_library.sync: '}), '0', 'the statement has its own text again');
$session->quit;
($status, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '1s'; CALL image_library.sync()});
like($err, qr/canceling statement due to statement timeout/, 'a timeout');
is(last_run('hanging'), '3|cancelled|canceling statement due to statement timeout', 'is a cancel as well');
$node->value(q{SELECT image_library.request_sync('many')});
$registry->profile({ repositories => \%repositories, faults => [ { path => '/v2/.*', action => 'hang' } ] });
($status, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '1s'; CALL image_library.sync('many')});
like(last_run('many'), qr/^4\|cancelled/, 'a cancel of a registry that was synced before');
is($node->value('SELECT (' . wait_after(4) . q{) < '1 minute'}), 't', 'it is due because of the request, as before');
($status, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '1s'; CALL image_library.sync('many')});
is($node->value('SELECT (' . wait_after(5) . q{) < '1 minute'}), 't', 'and so after the next cancel');

# --- a failure before is still one, and is told with database, registry and run
$registry->profile({ repositories => \%repositories, faults => [ { path => '/v2/.*', status => 500 } ] });
$node->append_conf('postgresql.conf', 'image_library.enabled = on');
$node->value(q{SELECT image_library.disable_registry('hanging')});
$node->reload;
$node->value(q{SELECT image_library.request_sync('many')});
ok($node->poll_query_until('postgres', q{SELECT outcome = 'failed' FROM image_library.sync_run WHERE run_id = 6}), 'a run of the agent fails');
ok($node->wait_for_log(qr/LOG:  image_library could not sync: database "postgres", registry "many", run 6\n.*DETAIL:  /),
	'the log names database, registry and run');
$node->append_conf('postgresql.conf', 'image_library.enabled = off');
$node->reload;
$registry->profile({ repositories => \%repositories, faults => [ { path => '/v2/.*', action => 'hang' } ] });
($status, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '1s'; CALL image_library.sync('many')});
like(last_run('many'), qr/^\d+\|cancelled/, 'a cancel after a failure');
like(status('many'), qr/^failing\|[1-9]/, 'does not hide it');

# --- a worker says how far it is
$node->value(q{SELECT image_library.disable_registry('many'), image_library.enable_registry('hanging'), image_library.request_sync('hanging')});
$node->append_conf('postgresql.conf', 'image_library.enabled = on');
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'image_library worker'
		AND query ~ '^syncing registry "hanging", run \d+: finding repositories, 0 tags'}), 'a worker says how far it is');

$hanging->stop;
$node->stop('immediate');
$registry->stop;
done_testing();

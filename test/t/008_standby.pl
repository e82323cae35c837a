# On a standby the library is read; what writes says that it needs the primary; after promotion the agent works.
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

my $registry = FaultRegistry->new({ repositories => { 'team/app' => { '1.0' => {}, '1.1' => {} } } });
my $hanging = HangingRegistry->new;
my $primary = ImageLibrary::node('primary', "wal_level = replica\nmax_wal_senders = 4\nmax_replication_slots = 4\nhot_standby = on");
append_to_file($primary->data_dir . '/pg_hba.conf', "local replication all trust\n");
$primary->reload;
$primary->value(sprintf q{
	SELECT image_library.add_registry('local', '%s', allow_private => true);
	SELECT image_library.add_rule('local', '**');
	CREATE ROLE curator LOGIN IN ROLE image_library_curator}, $registry->url);
ok($primary->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status}), 'the primary syncs');
my $reference = $primary->value(q{SELECT min(reference) FROM image_library.images});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_worker_processes = 8');
$standby->start;
bless $standby, 'ImageLibrary::Node';

# --- a run that is in progress on the primary
$primary->value(sprintf q{
	SELECT image_library.add_registry('hanging', '%s', allow_private => true);
	SELECT image_library.add_rule('hanging', 'team/app')}, $hanging->url);
ok($primary->poll_query_until('postgres', q{SELECT state = 'running' FROM image_library.sync_status WHERE registry = 'hanging'}), 'a sync runs on the primary');
$primary->value('SELECT 1');
ok($standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM image_library.sync_run WHERE outcome IS NULL}), 'the standby has its row');
is($standby->value(q{SELECT state, last_error, next_sync_at, consecutive_failures FROM image_library.sync_status WHERE registry = 'hanging'}), 'running|||0',
	'sync_status on the standby says that it is running');

# --- what writes
my $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'image_library%'};
my $where = sprintf 'this server receives from host "%s", port %d', $primary->host, $primary->port;
for my $statement ('SELECT image_library.start_worker()', q{CALL image_library.sync()}, q{CALL image_library.sync('local')})
{
	$standby->poll_query_until('postgres', q{SELECT sender_host IS NOT NULL FROM pg_stat_wal_receiver});
	like($standby->error("SET statement_timeout = '30s'; $statement"), qr/^ERROR:  25006: cannot \w+(?: the agent)? on a standby.*HINT:  Run it on the primary: \Q$where\E/s,
		"$statement names the primary");
}
my ($ret, $out, $err) = $standby->psql('postgres', q{CALL image_library.sync()}, extra_params => [ '-U', 'curator' ]);
like($err, qr/HINT:  Run it on the primary\. /, 'but not for a role that may not see pg_stat_wal_receiver');
for (1 .. 9)
{
	$standby->psql('postgres', 'SELECT image_library.start_worker()');
}
is($standby->value($workers), '0', 'nothing of the agent runs on a standby');
for my $statement (
	q{request_sync('local')}, q{accept_removals('local', 'team/app')}, q{add_registry('other', 'https://other.example.com')}, q{add_rule('local', 'x')},
	q{disable_rule(1)}, q{enable_registry('local')}, q{set_credential('local', 'me', 'secret')}, "approve('$reference')", "revoke('$reference')", "quarantine('$reference')",
	"record_use('$reference', 'cluster')", q{add_hm_tag('production')}, q{set_readme('local', 'team/app', 'x')}, q{preview_rule('local', 'team/app', refresh => true)},
	q{drop_registry('local', true)})
{
	my $error = $standby->error("SELECT image_library.$statement");
	like($error, qr/^ERROR:  25006/, "$statement on a standby is an error that tells why") or diag($error);
}
like($standby->error("SELECT image_library.approve('$reference')"), qr/on the primary, and this server is a standby.*HINT:  Connect to the primary/s,
	'a decision says where to decide');
is($standby->value(q{SELECT bool_and(ok) FROM image_library.check_registry('local') WHERE step = 'reach'}), 't', 'check_registry works: it writes nothing');
is($standby->value(q{SELECT count(*) FROM image_library.list_tags('local', 'team/app')}), '2', 'and list_tags');
is($standby->value(q{SELECT count(*) FROM image_library.images}), '2', 'the library is read');
is($standby->value(q{SELECT launcher_pid, failures FROM image_library.agent_status()}), '|0', 'agent_status says that the agent does not run');
like($standby->value(q{SELECT last_error FROM image_library.agent_status()}), qr/standby/, 'and why');
is($standby->value(q{SELECT state, (SELECT count(*) FROM image_library.alerts() WHERE alert IN ('agent', 'sync overdue')) FROM image_library.agent_status()}), 'standby|0',
	'which is no alert');

# --- promotion
$primary->stop('immediate');
$standby->promote;
ok($standby->poll_query_until('postgres', q{SELECT launcher_pid IS NOT NULL FROM image_library.agent_status()}), 'after a promotion the agent starts by itself');
$standby->value(q{SELECT image_library.request_sync('local')});
ok($standby->poll_query_until('postgres', q{SELECT count(*) >= 2 FROM image_library.sync_run WHERE registry = 'local' AND outcome = 'complete'}), 'and syncs');
ok($standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM image_library.sync_run WHERE registry = 'hanging' AND error = 'interrupted'}),
	'a run that the primary did not finish is told as interrupted');

$standby->stop('immediate');
$hanging->stop;
$registry->stop;
done_testing();

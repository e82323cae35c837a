# No worker slot is free: told once, and cured by itself.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use HangingRegistry;
use ImageLibrary;

my $registry = HangingRegistry->new;
my $url = $registry->url;
# The logical replication launcher and ours take both slots.
my $node = ImageLibrary::node('main', 'max_worker_processes = 2');
$node->safe_psql('postgres', qq{
	SELECT image_library.add_registry('hanging', '$url', allow_private => true);
	SELECT image_library.add_rule('hanging', 'team/app');
	SELECT image_library.request_sync('hanging')});
ok($node->poll_query_until('postgres',
		q{SELECT last_error LIKE 'no worker slot is free%' FROM image_library.agent_status()}),
	'agent_status says that no worker slot is free');
is($node->safe_psql('postgres', q{SELECT s.state, a.severity, a.detail = s.last_error FROM image_library.agent_status() s, image_library.alerts() a WHERE a.alert = 'agent'}),
	'no worker slot|critical|t', 'which is a critical alert');
my $log = slurp_file($node->logfile);
like($log, qr/image_library could not start a worker.*Raise max_worker_processes/s, 'so does the log');
is(() = $log =~ /could not start a worker/g, 1, 'once');
$node->stop('fast');
$registry->stop;
done_testing();

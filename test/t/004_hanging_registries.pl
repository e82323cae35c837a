# Registries that do not answer keep others waiting for a short time only.
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

my $hanging = HangingRegistry->new;
my $registry = FaultRegistry->new({ repositories => { 'team/app' => { '1.0' => {} } } });
my $node = ImageLibrary::node('main', 'image_library.max_workers = 2');
my ($nowhere, $url) = ($hanging->url, $registry->url);
my $gave_up = 'did not answer for \d+ seconds while others waited for a worker';

sub add
{
	my ($database, $name, $at) = @_;
	$node->safe_psql($database, qq{
		SELECT image_library.add_registry('$name', '$at', allow_private => true, sync_interval => '1 day');
		SELECT image_library.add_rule('$name', 'team/app')});
}

# --- all workers are taken by registries that hang when an honest one comes
add('postgres', "hanging$_", "$nowhere/$_") for 1 .. 3;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM image_library.sync_status WHERE state = 'running'}), 'two registries hang');
add('postgres', 'honest', $url);
ok($node->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status WHERE registry = 'honest'}), 'an honest registry is synced');
is($node->value(qq{SELECT count(*) FILTER (WHERE error ~ '$gave_up') > 0, count(*) FILTER (WHERE error !~ '$gave_up') FROM image_library.sync_run WHERE registry ~ 'hanging' AND outcome = 'failed'}),
	't|0', 'before any of the others has used up its attempts');

# --- another database has its turn too
$node->value('CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION image_library');
$node->value(qq{SELECT image_library.add_registry('hanging_' || n, '$nowhere/new' || n, allow_private => true), image_library.add_rule('hanging_' || n, 'team/app')
	FROM generate_series(1, 60) n});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM image_library.sync_status WHERE state = 'running'}), 'two hang again');
add('other', 'honest', $url);
ok($node->poll_query_until('other', q{SELECT state = 'complete' FROM image_library.sync_status}), 'a registry of another database is synced');
is($node->value(qq{SELECT count(*) FROM image_library.sync_run WHERE registry ~ 'hanging' AND outcome = 'failed' AND error !~ '$gave_up'}),
	'0', 'before any of the others has used up its attempts');
cmp_ok($node->value(q{SELECT count(*) FROM image_library.sync_status WHERE registry ~ 'hanging_' AND state <> 'never synced'}), '<', 30,
	'before the registries of the first database, which were all due before it');
$node->value(q{SELECT image_library.drop_registry(name) FROM image_library.registries WHERE name ~ 'hanging_'});

# --- among registries that are due, those that failed come last, but not behind everything for ever
is($node->value(q{SELECT string_agg(name, ' ') FROM image_library_internal.due_registries() WHERE due_at > now()}) =~ /honest/ ? 1 : 0, 1, 'the honest registry is due later');
$node->append_conf('postgresql.conf', 'image_library.enabled = off');
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT count(pg_terminate_backend(pid)) = 0 FROM pg_stat_activity WHERE backend_type = 'image_library worker'}),
	'no worker runs');
my $first = q{SELECT name FROM image_library_internal.due_registries() LIMIT 1};
$node->value(q{UPDATE image_library_internal.registry SET sync_requested_at = clock_timestamp() - CASE WHEN name = 'honest' THEN interval '0' ELSE interval '4 min' END});
$node->value(q{UPDATE image_library_internal.run SET started_at = '-infinity', answered_request = '-infinity', outcome = coalesce(outcome, 'failed')});
is($node->value($first), 'honest', 'one that answers is synced first');
$node->value(q{UPDATE image_library_internal.registry SET sync_requested_at = clock_timestamp() - CASE WHEN name = 'honest' THEN interval '0' ELSE interval '6 min' END;
	UPDATE image_library_internal.registry SET created_at = '-infinity'});
like($node->value($first), qr/hanging/, 'but not if others have waited for long');

$node->stop('immediate');
$registry->stop;
$hanging->stop;
done_testing();

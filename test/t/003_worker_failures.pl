# A worker that ends badly: the registry is synced again by itself, later each time, and people are told.
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

my $registry = FaultRegistry->new({ repositories => { map { ("team$_/app" => { '1.0' => {} }) } 1 .. 4 } });
my $slow = FaultRegistry->new({ limits => { latency => 0.2 }, repositories => { 'team/app' => { map { ("3.$_" => {}) } 1 .. 8 } } });
my $node = ImageLibrary::node('main');
my $url = $registry->url;

sub add
{
	my ($name, $at) = @_;
	$node->value(qq{SELECT image_library.add_registry('$name', '$at', allow_private => true, sync_interval => '1 day');
		SELECT image_library.add_rule('$name', '**')});
}

sub complete
{
	my ($names) = @_;
	return $node->poll_query_until('postgres', "SELECT bool_and(state = 'complete') FROM image_library.sync_status WHERE registry ~ '$names'");
}

# --- terminated in the middle of a run, the only one that is due
add('slow', $slow->url);

sub terminate
{
	return $node->poll_query_until('postgres', q{SELECT count(pg_terminate_backend(pid, 10000)) = 1 FROM pg_stat_activity
		WHERE query LIKE 'syncing registry "slow"%' AND EXISTS (SELECT FROM image_library.sync_run WHERE outcome IS NULL)});
}
my $outcomes = q{SELECT string_agg(outcome || coalesce(': ' || error, ''), ', ' ORDER BY run_id) FROM image_library.sync_run WHERE registry = 'slow'};
my $terminated = 'terminating background worker "image_library worker" due to administrator command';
ok(terminate(), 'a worker is terminated');
ok(complete('slow'), 'another one does its work');
is($node->value($outcomes), "failed: interrupted: $terminated, complete", 'the run tells why it ended');
# Only a worker that was started after the failure ends it, and the other one may have been there.
ok($node->poll_query_until('postgres', 'SELECT failures = 0 AND workers = 0 FROM image_library.agent_status()'), 'the failures in a row are over');
is($node->value(q{SELECT last_failed_at IS NOT NULL, last_failure FROM image_library.agent_status()}), "t|$terminated", 'agent_status tells why');
$node->value(q{SELECT image_library.request_sync('slow')});
ok(terminate(), 'again');
$node->value(q{CALL image_library.sync('slow')});
is($node->value($outcomes), "failed: interrupted: $terminated, complete, failed: interrupted: $terminated, complete",
	'a session that syncs next tells it too');
$node->value(q{SELECT image_library.request_sync('slow')});
ok($node->poll_query_until('postgres', 'SELECT failures = 0 FROM image_library.agent_status()'), 'a worker is well again');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 3 FROM image_library.sync_run WHERE registry = 'slow' AND outcome = 'complete'}), 'and syncs');

# --- two workers fail at once; who has asked, and was given no worker yet, does not wait for that
my $hanging = HangingRegistry->new;
add("hanging$_", $hanging->url . "/$_") for 1 .. 2;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM image_library.sync_run WHERE registry ~ 'hanging' AND outcome IS NULL}), 'two workers wait for registries');
$node->value('ALTER SYSTEM SET image_library.enabled = off');
$node->reload;
# Asked again each time, until the launcher has read the setting.
ok($node->poll_query_until('postgres', q{SELECT workers = 2 AND due_at IS NOT NULL FROM image_library.agent_status() WHERE (SELECT image_library.request_sync('hanging1')) IS NOT NULL}),
	'the agent has no more');
is($node->value(q{SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE query LIKE 'syncing registry "hanging%'}), '2', 'both are terminated');
ok($node->poll_query_until('postgres', q{SELECT failures = 2 AND workers = 0 FROM image_library.agent_status()}), 'both have failed');
is($node->value('SELECT due_at <= last_failed_at FROM image_library.agent_status()'), 't', 'the next one is due at once');
# As the next worker does.
$node->value('SELECT image_library_internal.end_interrupted_runs()');
is($node->value(q{SELECT string_agg(error, ', ') FROM image_library.sync_run WHERE registry ~ 'hanging'}), "interrupted: $terminated, interrupted: $terminated",
	'each run tells why it ended');
$node->value(q{SELECT image_library.drop_registry(name, cascade => true) FROM image_library.registries WHERE name ~ 'hanging'});
$node->value('ALTER SYSTEM RESET image_library.enabled');
$node->reload;
ok($node->poll_query_until('postgres', 'SELECT failures = 0 AND workers = 0 FROM image_library.agent_status()'), 'without these registries all is well');
$hanging->stop;

# --- what a database sets is no trouble
my $settings = $node->value(q{SELECT string_agg(format('ALTER DATABASE postgres SET %s = %L', s, v), E';\n') FROM (VALUES
	('default_transaction_read_only', 'on'), ('default_transaction_isolation', 'serializable'), ('default_transaction_deferrable', 'on'),
	('row_security', 'off'), ('session_replication_role', 'replica'), ('lock_timeout', '1'), ('search_path', 'public'), ('datestyle', 'SQL, DMY'),
	('intervalstyle', 'sql_standard'), ('bytea_output', 'escape'), ('extra_float_digits', '-15'), ('array_nulls', 'off'),
	('transform_null_equals', 'on'), ('role', 'pg_monitor'), ('idle_in_transaction_session_timeout', '1'), ('transaction_timeout', '100'),
	('restrict_nonsystem_relation_kind', 'view, foreign-table'), ('client_encoding', 'LATIN1'), ('timezone', 'Asia/Kathmandu'), ('backslash_quote', 'off'),
	('quote_all_identifiers', 'on'), ('check_function_bodies', 'off'), ('plan_cache_mode', 'force_generic_plan'), ('force_parallel_mode', 'on'),
	('debug_parallel_query', 'on'), ('parallel_setup_cost', '0'), ('parallel_tuple_cost', '0'), ('min_parallel_table_scan_size', '0'),
	('enable_indexscan', 'off'), ('join_collapse_limit', '1'), ('temp_tablespaces', 'none_such'), ('work_mem', '64'), ('standard_conforming_strings', 'off'),
	('plpgsql.variable_conflict', 'use_variable'), ('plpgsql.extra_errors', 'all')) f (s, v)
	-- Some exist in some versions only.
	WHERE s LIKE 'plpgsql.%' OR current_setting(s, true) IS NOT NULL});
my @newer = grep { $node->value("SELECT current_setting('" . s/=.*//r . "', true) IS NOT NULL") eq 't' } qw(transaction_timeout=0 restrict_nonsystem_relation_kind=);
$node->value($settings);
$node->connect_ok('dbname=postgres', 'the settings are in force', sql => 'SHOW default_transaction_read_only', expected_stdout => qr/^on$/);
{
	# Sessions of this test go by what they ask for.
	local $ENV{PGOPTIONS} = join ' ', map { "-c $_" } 'default_transaction_isolation=read\\ committed', qw(role=none row_security=on
		session_replication_role=origin default_transaction_read_only=off idle_in_transaction_session_timeout=0 lock_timeout=0 client_encoding=UTF8 standard_conforming_strings=on), @newer;
	add("set$_", "$url/team$_") for 1 .. 4;
	ok(complete('set'), 'the agent syncs whatever the database sets');
	is($node->value(q{SELECT failures FROM image_library.agent_status()}), '0', 'and no worker fails');
	like($node->error(q{SET default_transaction_read_only = on; CALL image_library.sync('set1')}),
		qr/^ERROR:  25006: cannot execute CALL image_library\.sync\(\) in a read-only transaction/, 'CALL sync says that the session is read only');
	is($node->error(q{SET row_security = off; CALL image_library.sync('set1')}), '', 'row_security = off does not stop it');
	is($node->value(q{BEGIN; SET LOCAL row_security = off; SELECT bool_and(ok) FROM image_library.check_registry('set1') WHERE step = 'reach'; SHOW row_security; ROLLBACK}),
		"t\noff", 'nor check_registry, which leaves it as it is');
	$node->value('ALTER DATABASE postgres RESET ALL');
}

# --- an error that every worker meets, with several registries due
my $errors = qr/ERROR:  function image_library_internal\.begin_run\([^)]*\) does not exist/;
$node->value(q{ALTER FUNCTION image_library_internal.begin_run RENAME TO begin_no_run});
my $offset = -s $node->logfile;
$node->value(q{SELECT image_library.request_sync(registry) FROM image_library.sync_status});
ok($node->poll_query_until('postgres', q{SELECT failures >= 3 FROM image_library.agent_status()}), 'workers fail');
my ($failures, $in_log) = ($node->value('SELECT failures FROM image_library.agent_status()'), scalar(() = slurp_file($node->logfile, $offset) =~ /$errors/g));
cmp_ok($in_log, '<=', $failures + 3, 'not more are started than image_library.max_workers at a time') or diag("$in_log errors, $failures failures");
is($node->value(q{SELECT due_at - last_failed_at >= '10 s', last_failure ~ 'begin_run', last_error ~ 'workers in a row have failed' FROM image_library.agent_status()}),
	't|t|t', 'the next one waits longer, and agent_status tells the reason');
is($node->value(q{SELECT count(*) FROM image_library.sync_status WHERE next_sync_at > now()}), '0', 'every registry is still due');

# --- a reader sees no texts of errors, and nothing of other databases
$node->value(q{CREATE ROLE reader LOGIN IN ROLE image_library_reader; CREATE DATABASE other});
$node->safe_psql('other', 'CREATE EXTENSION image_library');
is($node->value(q{SELECT string_agg(database, ' ' ORDER BY database) FROM image_library.agent_status()}), 'other postgres', 'a superuser sees each database with a library');
is($node->safe_psql('postgres', q{SELECT database, failures > 0, last_failed_at IS NOT NULL, last_failure FROM image_library.agent_status()}, extra_params => [ '-U', 'reader' ]),
	'postgres|t|t|', 'a reader sees its own');

# --- repaired: who asks does not wait
$node->value(q{ALTER FUNCTION image_library_internal.begin_no_run RENAME TO begin_run});
$node->value(q{SELECT image_library.request_sync('slow')});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 4 FROM image_library.sync_run WHERE registry = 'slow' AND outcome = 'complete'}), 'it syncs again');
ok($node->poll_query_until('postgres', q{SELECT bool_and(failures = 0) AND bool_or(last_failure ~ 'begin_run') FROM image_library.agent_status()}),
	'the failures in a row are over, the last one is still told');

# --- interrupted again and again: the registry waits, as after other failures
$node->value(q{
	INSERT INTO image_library_internal.run (registry_id, cause, outcome, finished_at)
	SELECT registry_id, 'schedule', v, now() FROM image_library_internal.registry, unnest('{failed,failed,failed,NULL}'::text[]) v WHERE name = 'set1'});
$node->value(q{SELECT image_library.request_sync('set2')});
ok($node->poll_query_until('postgres', q{SELECT last_error = 'interrupted' AND next_sync_at - last_finished_at > '1 min' AND state = 'failing'
	FROM image_library.sync_status WHERE registry = 'set1'}), 'a run that is interrupted after failures is due later');

$node->stop;
$_->stop for $slow, $registry;
done_testing();

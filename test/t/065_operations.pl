# What operators rely on: the log, settings that take effect without a restart, the state of the agent, the queries of the dashboard
# and the statements that doc/operations.md tells them to execute.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use HangingRegistry;
use ImageLibrary;

my $root = "$FindBin::RealBin/../..";
my $registry = FaultRegistry->new({ repositories => { 'postgresql' => { map { $_ => {} } qw(17.4 17.5) } } });
my $slow = FaultRegistry->new({ limits => { latency => 0.3 }, repositories => { 'team/app' => { map { ("3.$_" => {}) } 1 .. 6 } } });
my $node = ImageLibrary::node('main', "log_line_prefix = '%b|'");

# What the processes of the agent have logged since the last call, without the type of the process.
my $read = 0;
sub logged
{
	my @lines = slurp_file($node->logfile, $read) =~ /^image_library \w+\|(.*)$/mg;
	$read = -s $node->logfile;
	return @lines;
}
sub setting
{
	my ($name, $value) = @_;
	$node->value(sprintf 'ALTER SYSTEM SET image_library.%s = %s', $name, $value);
	$node->value('SELECT pg_reload_conf()');
}
# The next run of the agent has ended, with this outcome.
sub synced
{
	my ($outcome, $what) = @_;
	my $last = $node->value(q{SELECT coalesce(max(run_id), 0) FROM image_library.sync_run WHERE registry = 'edb'});
	$node->value(q{SELECT image_library.request_sync('edb')});
	ok($node->poll_query_until('postgres', qq{SELECT outcome = '$outcome' FROM image_library.sync_run WHERE registry = 'edb' AND run_id > $last ORDER BY run_id LIMIT 1}), $what);
}

sub slurp_dump
{
	my ($database) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/dump';
	$node->command_ok([ 'pg_dump', '--schema-only', '--file', $file, $node->connstr($database) ], 'a dump');
	return slurp_file($file);
}

# --- a quiet log
ok($node->poll_query_until('postgres', q{SELECT state = 'idle' FROM image_library.agent_status()}), 'the agent is idle where nothing is due');
is(join("\n", logged()), 'LOG:  image_library launcher started', 'the log tells that the agent has started');
$node->value(sprintf q{SELECT image_library.add_registry('edb', '%s', allow_private => true, sync_interval => '1 day'), image_library.add_rule('edb', '**')}, $registry->url);
ok($node->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status}), 'a registry is synced');
synced('complete', 'and again');
is(join("\n", logged()), '', 'of syncs that go well the log has nothing');
is($node->value('SELECT count(*) FROM image_library.alerts()'), '0', 'and there is no alert');

# --- settings take effect without a restart
is($node->value(q{SELECT count(*) > 9 AS many, count(*) FILTER (WHERE context NOT IN ('sighup', 'superuser')) FROM pg_settings WHERE name LIKE 'image\_library.%'}), 't|0',
	'no setting needs a restart');
my %values = (run_timeout => "'2h'", max_removal_percent => '40', policy_timeout => "'2s'", event_retention => "'30d'", run_retention => "'40d'", missing_grace => "'3d'",
	credentials_dir => "'/srv/credentials'", allowed_hosts => "'*.example.org'");
my $session = join "\n", 'SELECT pg_sleep(0);', (map { "ALTER SYSTEM SET image_library.$_ = $values{$_};" } sort keys %values), 'SELECT pg_reload_conf();',
	('SELECT pg_sleep(0.2);') x 10, (map { "SHOW image_library.$_;" } sort keys %values);
my @shown = (split /\n/, $node->value($session))[ -keys %values .. -1 ];
is_deeply(\@shown, [ map { $values{$_} =~ tr/'//dr } sort keys %values ], 'sessions that are connected take new values');
$node->value("ALTER SYSTEM RESET image_library.$_") for keys %values;
$node->value('SELECT pg_reload_conf()');

setting('enabled', 'off');
ok($node->poll_query_until('postgres', q{SELECT state = 'disabled' FROM image_library.agent_status()}), 'the agent can be disabled');
is($node->value(q{SELECT alert, severity, detail FROM image_library.alerts()}), 'agent|warning|image_library.enabled is off', 'which is an alert');
$node->value(q{SELECT image_library.request_sync('edb')});
setting('enabled', 'on');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 3 FROM image_library.sync_run WHERE outcome = 'complete'}), 'and enabled, when it does what was asked for');

# An agent that was started before the change asks no other host.
setting('allowed_hosts', "'elsewhere.example.org'");
$node->value(q{UPDATE image_library_internal.run SET started_at = started_at - interval '2 days', finished_at = finished_at - interval '2 days'});
setting('run_retention', "'1d'");
synced('failed', 'allowed_hosts is obeyed by the next run');
is($node->value(q{SELECT count(*) FROM image_library.sync_run WHERE outcome = 'complete'}), '1', 'and run_retention, but for the last run that was complete');
# The log has it after the row.
$node->wait_for_log(qr/image_library could not sync:/, $read);
my @lines = logged();
my $pattern = qr/^LOG:  image_library could not sync: database "postgres", registry "edb", run \d+$/;
is(scalar(grep { /$pattern/ } @lines), 1, 'a run that failed is one line of the log');
is(join("\n", grep { !/$pattern|^(?:DETAIL|HINT):/ && !/parameter "image_library/ } @lines), '', 'with its detail and hint, and nothing else');
like(join("\n", @lines), qr/^DETAIL:  .*\bhost\b/m, 'that tell why');
setting('allowed_hosts', "''");
synced('complete', 'the registry is synced again');
$node->wait_for_log(qr/image_library could sync again:/, $read);
@lines = grep { !/parameter "image_library/ } logged();
like(join("\n", @lines), qr/^LOG:  image_library could sync again: database "postgres", registry "edb", run \d+\nDETAIL:  Runs before it that failed: \d+\.$/, 'which the log tells, and since how many runs');

# --- what the agent does
$node->value(sprintf q{SELECT image_library.add_registry('slow', '%s', allow_private => true), image_library.add_rule('slow', 'team/app')}, $slow->url);
ok($node->poll_query_until('postgres', q{SELECT s.state = 'working' AND s.workers = 1 AND s.worker_pids = ARRAY(SELECT a.pid FROM pg_stat_activity a WHERE a.backend_type = 'image_library worker')
	AND s.launcher_pid = (SELECT a.pid FROM pg_stat_activity a WHERE a.backend_type = 'image_library launcher' AND a.backend_start <= s.launcher_started_at)
	FROM image_library.agent_status() s}), 'agent_status tells which processes work');
ok($node->poll_query_until('postgres', q{SELECT state = 'idle' AND workers = 0 AND worker_pids = '{}' AND waiting = 0 FROM image_library.agent_status()}), 'and that they have ended');

# --- the dashboard
$node->value('CREATE ROLE grafana LOGIN IN ROLE image_library_reader');
$node->value(q{SELECT count(image_library.approve(reference, 'tested')) FROM image_library.pending_images WHERE tag <> '17.5'});
$node->value(sprintf q{SELECT image_library.record_use('%s/postgresql:17.5', 'cluster')}, $registry->host);
my $dashboard = decode_json(slurp_file("$root/doc/grafana/image_library.json"));
my @panels = @{ $dashboard->{panels} };
cmp_ok(scalar @panels, '>=', 15, 'the dashboard has panels');
my %used;
for my $panel (@panels)
{
	my ($x, $y, $w, $h) = @{ $panel->{gridPos} }{qw(x y w h)};
	my $overlap = $x + $w > 24;
	for my $row ($y .. $y + $h - 1) { $overlap ||= $used{"$row $_"}++ for $x .. $x + $w - 1 }
	my ($target) = @{ $panel->{targets} };
	# As Grafana expands its macros and variables.
	my $sql = $target->{rawSql};
	$sql =~ s/\$__timeFilter\((\w+)\)/$1 BETWEEN now() - interval '1 day' AND now()/g;
	$sql =~ s/\$__timeGroupAlias\((\w+), '(\w+)'\)/to_timestamp(floor(extract(epoch FROM $1) \/ extract(epoch FROM interval '$2')) * extract(epoch FROM interval '$2')) AS "time"/g;
	$sql =~ s/\$\{registry:sqlstring\}/'edb','slow'/g;
	my ($out, $error) = ('', '');
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$error, extra_params => [ '--username' => 'grafana', '--no-align', '-P', 'footer=off', '--set=ON_ERROR_STOP=1', '-P', 'tuples_only=off' ]);
	my ($columns) = split /\n/, $out;
	my $lacks_time = $target->{format} eq 'time_series' && ($columns // '') !~ /^time\|/;
	ok($error eq '' && !$overlap && !$lacks_time && $panel->{description}, "panel: $panel->{title}") or diag("$sql\n$error$out");
	is(($out =~ tr/\n//) > 0, 1, '- it shows something') if $panel->{title} !~ /^(?:Alerts|What could not be read|Processes)/;
}
my ($variable) = grep { $_->{name} eq 'registry' } @{ $dashboard->{templating}{list} };
is($node->safe_psql('postgres', $variable->{query}, extra_params => [ '-U', 'grafana' ]), "edb\nslow", 'the list of registries');

# --- the variables of psql
my %variable = slurp_file("$root/doc/psqlrc") =~ /^\\set (\w+) '(.*)'$/mg;
for my $name (sort keys %variable)
{
	my $error = $node->error("\\i $root/doc/psqlrc\n\\set registry edb\n\\set repository postgresql\n\\set words postgresql\n:$name");
	is($error, '', "psql: :$name");
}

# --- doc/operations.md: every statement is one that this version executes, if not always in this situation
my $document = slurp_file("$root/doc/operations.md");
my ($when) = $document =~ /^## Settings without a restart\n(.*?)^## /ms;
is($node->value(sprintf q{SELECT string_agg(name, ' ') FROM pg_settings WHERE name LIKE 'image\_library.%%' AND name <> ALL ('{%s}')}, join ',', $when =~ /`(image_library\.\w+)`/g),
	'', 'it tells when each setting takes effect');
my @statements = map { split /;[^\S\n]*(?:--[^\n]*)?\n/ } $document =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @statements, '>=', 15, 'the document has statements');
for my $statement (grep { /\S/ } @statements)
{
	my $wrapped = $statement =~ /^\s*(?:CALL|CREATE ROLE)/ ? $statement : "BEGIN;\n$statement;\nROLLBACK";
	my $error = $node->error($wrapped);
	# What it creates may be there.
	unlike($error, qr/^ERROR:  (?:42(?!710)|0A)/, $statement =~ s/\s+/ /gr) or diag($error);
}

# --- a role that was dropped; PostgreSQL 17 and later let it lose its rights only
$node->value('CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION image_library');
$node->safe_psql($_, 'DROP OWNED BY image_library_reader, image_library_agent') for qw(postgres other);
$node->error('DROP ROLE image_library_reader, image_library_agent');
ok($node->poll_query_until('postgres', q{SELECT state = 'failing' AND last_failure IS NOT NULL FROM image_library.agent_status() WHERE database = 'postgres' AND (SELECT image_library.request_sync('edb')) IS NOT NULL}),
	'without its role the agent fails');
like($node->value(q{SELECT severity, subject, since IS NOT NULL, detail FROM image_library.alerts(failures => 1) WHERE subject = 'postgres'}),
	qr/^critical\|postgres\|t\|.* failed, see last_failure: (?:role "image_library_agent" does not exist|permission denied .*)$/, 'which is an alert');
is($node->value(q{SELECT severity FROM image_library.alerts(failures => 1000) WHERE subject = 'postgres'}), 'warning', 'a warning for the first few times');
$node->safe_psql($_, 'SELECT count(*) FROM image_library_internal.repair_privileges()') for qw(postgres other);
$node->value('GRANT image_library_reader TO grafana');
unlike(slurp_dump('postgres'), qr/(?:TO|FROM) "?\d/, 'a dump names roles that exist');
is($node->safe_psql('postgres', 'SELECT count(*) FROM image_library.images', extra_params => [ '-U', 'grafana' ]), '8', 'after a repair readers read');
synced('complete', 'and the agent syncs');
is($node->safe_psql('other', q{SELECT count(*) FROM image_library_internal.repair_privileges()}), '0', 'in each database');

# --- workers at once
my $hanging = HangingRegistry->new;
setting('max_workers', 1);
$node->safe_psql($_, sprintf q{SELECT image_library.add_registry('hanging', '%s', allow_private => true), image_library.add_rule('hanging', 'team/app')}, $hanging->url) for qw(postgres other);
ok($node->poll_query_until('postgres', q{SELECT count(*) FILTER (WHERE state = 'working') = 1 AND count(*) FILTER (WHERE state = 'waiting' AND waiting = 1) = 1 FROM image_library.agent_status()}),
	'one worker is busy, and another database waits');
setting('max_workers', 2);
ok($node->poll_query_until('postgres', q{SELECT count(*) FILTER (WHERE state = 'working') = 2 AND max(waiting) = 0 FROM image_library.agent_status()}), 'until max_workers is raised');
$node->stop('fast');
$hanging->stop;

done_testing();

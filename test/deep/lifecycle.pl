# Databases and extensions that come and go while syncs run, connections that are used up, an immediate shutdown, and
# many databases (DATABASES, default 100).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use FaultRegistry;
use ImageLibrary;

my $databases = $ENV{DATABASES} // 100;
# Slow enough that a sync is under way whenever something happens to it.
my $slow = FaultRegistry->new({ limits => { latency => 0.3 }, repositories => { map { ("team$_/app" => { map { ("1.$_" => {}) } 1 .. 5 }) } 1 .. 4 } });
my $quick = FaultRegistry->new({ repositories => { 'team/app' => { '1.0' => {}, '1.1' => {} } } });
my $node = ImageLibrary::node('main', q{
fsync = off
max_connections = 20
max_worker_processes = 16
image_library.max_workers = 6});
my $psql = [ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port ];

sub connect_registry
{
	my ($url, $more) = @_;
	$more //= '';
	return qq{SELECT image_library.add_registry('local', '$url', allow_private => true, sync_interval => '1 day'$more); SELECT image_library.add_rule('local', '**');};
}

sub is_syncing
{
	my ($database) = @_;
	return $node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = '$database' AND backend_type = 'image_library worker' AND query ~ 'syncing'");
}

sub is_complete
{
	my ($database) = @_;
	return $node->poll_query_until($database, q{SELECT state = 'complete' FROM image_library.sync_status});
}

# --- create, drop and create again, in several databases at the same time, while they are synced
my @names = map { "coming$_" } 1 .. 5;
$node->value("CREATE DATABASE $_") for @names;
my @sessions;
for my $name (@names)
{
	my $rounds = '';
	# The pauses differ, so that each step of a sync is met.
	for my $round (1 .. 6)
	{
		$rounds .= sprintf "CREATE EXTENSION image_library; %s SELECT pg_sleep(%s); DROP EXTENSION image_library CASCADE;\n",
			connect_registry($slow->url, ', max_connections => 2'), 0.05 + 0.4 * rand;
	}
	my ($output, $errors) = ('', '');
	push @sessions, { errors => \$errors, run => IPC::Run::start([ @$psql, $name ], '<', \$rounds, '>', \$output, '2>', \$errors) };
}
for my $session (@sessions)
{
	$session->{run}->finish;
	${ $session->{errors} } =~ s/^NOTICE.*\n//mg;
	is(${ $session->{errors} }, '', 'CREATE and DROP EXTENSION go on while syncs run');
}
for my $name (@names)
{
	$node->safe_psql($name, 'CREATE EXTENSION image_library; ' . connect_registry($slow->url));
}
ok(is_complete($_), "$_ is synced in the end") for @names;
is($node->safe_psql($_, 'SELECT count(*) FROM image_library.images'), '20', 'it has every image') for @names;

# --- a database as a template, and without one
my ($first, $second) = @names;
$node->value("CREATE DATABASE copied TEMPLATE $first");
is($node->safe_psql('copied', 'SELECT count(*) FROM image_library.images'), '20', 'a copy has the library');
$node->safe_psql('copied', q{SELECT image_library.request_sync('local')});
ok(is_syncing('copied'), 'the agent syncs a copy');
my ($ret, $out, $err) = $node->psql('postgres', 'CREATE DATABASE copied_again TEMPLATE copied');
like($ret == 0 ? 'created' : $err, qr/^created$|source database "copied" is being accessed by other users/,
	'CREATE DATABASE of one that is being synced waits for the sync, or says why not');
ok(is_complete('copied'), 'the sync goes on');
($ret, $out, $err) = (1, '', '');
for (1 .. 20)
{
	($ret, $out, $err) = $node->psql('postgres', 'CREATE DATABASE idle_again TEMPLATE copied');
	last if $ret == 0;
}
is($ret, 0, 'after it CREATE DATABASE works') or diag($err);

# --- DROP DATABASE during a sync
$node->safe_psql($second, q{SELECT image_library.request_sync('local')});
ok(is_syncing($second), 'a database is synced');
($ret, $out, $err) = $node->psql('postgres', "DROP DATABASE $second");
like($ret == 0 ? 'dropped' : $err, qr/^dropped$|is being accessed by other users/, 'DROP DATABASE waits for the sync, or says why not');
if ($ret != 0)
{
	$node->safe_psql($second, q{SELECT image_library.request_sync('local')});
	is_syncing($second);
	my $begin = time;
	$node->value("DROP DATABASE $second WITH (FORCE)");
	cmp_ok(time - $begin, '<', 30, 'DROP DATABASE WITH (FORCE) ends the sync');
}
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM image_library.agent_status() WHERE database = '$second'"), 'the agent has forgotten the database');

# --- every connection is in use: the agent needs none of them
my $keeper = $node->background_psql('postgres');
my @idle;
# As the limit is reached, a session is refused.
while (my $session = eval { $node->background_psql('postgres') }) { push @idle, $session }
cmp_ok(scalar @idle, '>', 10, 'connections are taken');
$keeper->query_safe(connect_registry($quick->url));
my $state = '';
for (1 .. 600)
{
	$state = $keeper->query_safe('SELECT state FROM image_library.sync_status');
	last if $state eq 'complete';
	usleep 100_000;
}
is($state, 'complete', 'the agent syncs while none is left');
$_->quit for @idle, $keeper;

# --- immediate shutdown during a sync
$node->safe_psql($first, q{SELECT image_library.request_sync('local')});
ok(is_syncing($first), 'a database is synced');
my $decided = $node->safe_psql($first, q{SELECT image_library.approve(reference) FROM (SELECT reference FROM image_library.images ORDER BY reference LIMIT 3) i});
$node->stop('immediate');
$node->start;
ok($node->poll_query_until($first, q{SELECT outcome = 'complete' FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1}), 'after the restart it is synced again');
like($node->safe_psql($first, q{SELECT outcome || ': ' || error FROM image_library.sync_run WHERE outcome <> 'complete' ORDER BY run_id DESC LIMIT 1}), qr/^failed: interrupted/,
	'the run that was interrupted says so');
is($node->safe_psql($first, q{SELECT count(*) FROM image_library.images WHERE approval = 'approved'}), '3', 'decisions are kept');
is($node->safe_psql($first, 'SELECT * FROM image_library.verify_audit()'), '', 'and their chain holds');

# --- many databases
$node->value('CREATE DATABASE many');
$node->safe_psql('many', 'CREATE EXTENSION image_library; ' . connect_registry($quick->url));
ok(is_complete('many'), 'one of many is synced');
for my $number (1 .. $databases)
{
	# A worker may be there for a moment.
	for (1 .. 20) { last if ($node->psql('postgres', "CREATE DATABASE many$number TEMPLATE many STRATEGY file_copy"))[0] == 0 }
	$node->safe_psql("many$number", q{SELECT image_library.request_sync('local')});
}
my $synced = 0;
for my $number (1 .. $databases)
{
	++$synced if $node->poll_query_until("many$number", q{SELECT count(*) = 2 FROM image_library.sync_run WHERE outcome = 'complete'});
}
is($synced, $databases, "$databases databases are synced");
is($node->value('SELECT count(*) FROM image_library.agent_status() WHERE last_error IS NOT NULL'), '0', 'and none has trouble');

my $log = slurp_file($node->logfile);
unlike($log, qr/terminated by signal|PANIC|TRAP/, 'no process has crashed');
$node->stop;
$slow->stop;
$quick->stop;
done_testing();

# The agent and eight people at work while tags, rules and registries change and everything is killed now and then; at the
# end the library must be what the model of the test says, and nothing may have grown, waited or blocked meanwhile.
#
#   SOAK_MINUTES=30   how long    SOAK_SEED=1   which choices    SOAK_KEEP=folder   keeps what the processes wrote
#
# Afterwards the test makes defects, which each of its checks must find.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use List::Util qw(max min);
use POSIX qw(_exit);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use ImageLibrary;
use Soak::Checks;
use Soak::Connection;
use Soak::Journal;
use Soak::Model;
use Soak::Sessions;
use Soak::Watch;
use Soak::World;

my $minutes = $ENV{SOAK_MINUTES} // 30;
my $seed = $ENV{SOAK_SEED} // time ^ $$;
$seed = int $seed;
# test/run shows lines with three blanks.
sub say_of_run { return diag '  ', @_ }
say_of_run("SOAK_SEED=$seed, $minutes minutes");
srand $seed;

my $folder = $ENV{SOAK_KEEP} // PostgreSQL::Test::Utils::tempdir('soak');
my $node = ImageLibrary::node('main', q{
fsync = off
max_connections = 40
max_worker_processes = 16
image_library.max_workers = 3
# A repository may lose most of its few tags at once.
image_library.max_removal_percent = 100
autovacuum_naptime = 1
autovacuum_vacuum_threshold = 20
autovacuum_vacuum_scale_factor = 0
autovacuum_analyze_threshold = 20
autovacuum_analyze_scale_factor = 0
log_autovacuum_min_duration = 0
log_statement = none
log_error_verbosity = verbose
log_line_prefix = '%m|%p|%e|%b|%a|'
log_lock_waits = on
deadlock_timeout = 1s});
my $model = Soak::Model->new;
my $world = Soak::World->new(node => $node, model => $model);
my @registries = $world->registries;
my $people = 8;

# --- registries, people, and the rules that nobody changes
my @fixed_rules;
sub connect_registries
{
	my ($database) = @_;
	my @rules;
	for my $registry (@registries)
	{
		$node->safe_psql($database, sprintf q{SELECT image_library.add_registry('%s', '%s', allow_private => true, sync_interval => '10 s')}, $registry, $world->url($registry));
		for my $rule ({ repositories => 'regex:^[^a]', approval => 'manual', priority => 500 }, { repositories => 'auto/*', approval => 'auto', priority => 1 })
		{
			my $id = $node->safe_psql($database, qq{SELECT image_library.add_rule('$registry', '$rule->{repositories}', approval => '$rule->{approval}', priority => $rule->{priority})});
			push @rules, { registry => $registry, tags => ['*'], exclude_tags => [], action => 'include', kind => 'auto', enabled => 1, %$rule, id => $id };
		}
	}
	return @rules;
}
$node->value("CREATE ROLE person$_ LOGIN IN ROLE image_library_admin") for 1 .. $people;
@fixed_rules = connect_registries('postgres');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 3 FROM image_library.sync_run WHERE outcome = 'complete' AND run_id <= 3}), 'everything is synced once');

# --- the processes
my $stop = "$folder/stop";
my $end = time + 60 * $minutes;
# The last fifth has no restart, so that processes live long enough to show what they keep.
my $calm_from = $end - 12 * $minutes;
my %children;
my $restarting = "$folder/restarting";

sub in_background
{
	my ($name, $work) = @_;
	my $pid = fork() // die "could not fork: $!";
	if ($pid)
	{
		$children{$pid} = $name;
		return;
	}
	# prove waits for every process that holds its pipes.
	open STDIN, '<', '/dev/null';
	open STDOUT, '>>', "$folder/$name.out";
	open STDERR, '>>', "$folder/$name.out";
	eval { $work->(); 1 } or do { print STDERR $@; _exit(1) };
	_exit(0);
}
sub wait_for_children
{
	my (@names) = @_;
	my @died;
	for my $pid (keys %children)
	{
		next unless grep { $_ eq $children{$pid} } @names;
		waitpid $pid, 0;
		push @died, "$children{$pid}: " . slurp_file("$folder/$children{$pid}.out") if $?;
		delete $children{$pid};
	}
	return @died;
}

# One session that syncs again and again, and removes history that is a minute old or over.
sub sync_and_prune
{
	srand $seed * 100 + 99;
	my $journal = Soak::Journal->new("$folder/sync.journal");
	my $connection = Soak::Connection->new($node, name => 'soak sync');
	while (time < $end)
	{
		$connection->connect if !$connection->is_open;
		my $statement = rand() < 0.25
		  ? sprintf(q{SET image_library.history_retention = %s; CALL image_library.prune_images()}, rand() < 0.5 ? '0' : q{'1min'})
		  : sprintf(q{CALL image_library.sync('%s', force => true)}, $registries[ rand @registries ]);
		my $answer = $connection->ask($statement);
		$journal->write({ what => $answer->{state}, statement => $statement, text => join ' ', map { "$_->{state} $_->{text}" } @{ $answer->{errors} } });
		usleep 1_000_000 * rand 1.5;
	}
	$connection->disconnect;
	return;
}

my $log_from = -s $node->logfile;
my @people = map { "person$_" } 1 .. $people;
in_background('watch', sub { Soak::Watch::run(node => $node, journal => "$folder/watch.journal", stop => $stop) });
in_background('sync', \&sync_and_prune);
for my $number (1 .. $people)
{
	in_background("person$number", sub {
		Soak::Sessions::run(node => $node, number => $number, registries => \@registries, journal => "$folder/person$number.journal", seed => $seed, end => $end) });
}

# --- the world: what happens on average every so many seconds
my %every = (change_tags => 1.5, change_faults => 12, kill_registry => 40, terminate_worker => 12, terminate_person => 15, terminate_launcher => 150, crash => 90, restart => 75);
my %next = map { $_ => time + rand $every{$_} } sort keys %every;
while (time < $end)
{
	my ($what) = sort { $next{$a} <=> $next{$b} } sort keys %next;
	usleep 1_000_000 * min(1, max(0, $next{$what} - time, 0.01));
	next if $next{$what} > time;
	$next{$what} = time + $every{$what} * (0.5 + rand);
	next if time > $calm_from && $what =~ /^(crash|restart|terminate_person|terminate_launcher)$/;
	$world->$what;
}

# --- the end: faults stop, people leave, the agent settles
my @died = wait_for_children(@people, 'sync');
$world->end_faults;
is(join("\n", @died), '', 'every session came to its end');
my $count = $world->count;
say_of_run(join ', ', map { "$_: $count->{$_}" } sort keys %$count);
my $session = Soak::Connection->new($node, name => 'soak watch, checks');
$session->connect;
$session->value(q{SELECT image_library.request_sync(name) FROM image_library.registries});
my $asked_at = $session->value('SELECT clock_timestamp()');
ok($node->poll_query_until('postgres', qq{
	SELECT count(DISTINCT registry) = 3 FROM image_library.sync_run WHERE outcome = 'complete' AND started_at > '$asked_at'}), 'the agent settles')
  or diag $session->value(q{SELECT string_agg(s::text, ' ') FROM image_library.sync_status s}), $session->value(q{SELECT string_agg(s::text, ' ') FROM image_library.sync_problem s});
$session->value('ALTER SYSTEM SET image_library.enabled = off; SELECT pg_reload_conf()');
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'image_library worker'});

# --- what the people wrote down
my (%last_rule, @unexpected, %refusals);
for my $person (@people)
{
	for my $line (Soak::Journal->new("$folder/$person.journal")->read)
	{
		if ($line->{what} eq 'decision') { push @{ $model->{decisions} }, $line }
		elsif ($line->{what} eq 'rule') { $last_rule{$person} = $line->{rule} }
		elsif ($line->{what} eq 'refusal') { ++$refusals{ substr $line->{text}, 0, 5 } }
		else { push @unexpected, "$person: $line->{text}" }
	}
}
$model->{rules} = [ @fixed_rules, grep { defined } @last_rule{@people} ];
my %became;
++$became{ $_->{became} } for @{ $model->{decisions} };
say_of_run('decisions: ', join(', ', map { "$became{$_} $_" } sort keys %became), '; refusals: ', join(', ', map { "$refusals{$_} $_" } sort keys %refusals));
is(few(@unexpected), '', 'people get no answer that they cannot have');
cmp_ok($became{committed} // 0, '>', 50 * $minutes, 'they decide');
cmp_ok($became{'rolled back'} // 0, '>', 0, 'and roll back');

# Otherwise nothing of it has been tested.
my %runs = map { split /\|/ } split /\n/, $node->value('SELECT outcome, count(*) FROM image_library.sync_run GROUP BY 1');
my $pruned = $node->value('SELECT coalesce(sum(images_removed), 0) FROM image_library.prune_run');
say_of_run('runs: ', join(', ', map { "$runs{$_} $_" } sort keys %runs), "; images pruned: $pruned");
SKIP:
{
	skip 'a soak this short need not have all of it', 2 if $minutes < 5;
	cmp_ok(min(map { $runs{$_} // 0 } qw(complete partial failed)), '>', 0, 'runs were complete, partial and failed');
	cmp_ok($pruned, '>', 0, 'images were pruned');
}

# --- the library and the model
my $checks = Soak::Checks->new(session => $session, model => $model, hosts => { map { $world->host($_) => $_ } @registries },
	automatic => { map { $_->{id} => 1 } grep { $_->{approval} eq 'auto' } @fixed_rules });
sub few { my (@lines) = @_; return join "\n  ", @lines > 20 ? (@lines[ 0 .. 19 ], 'and ' . (@lines - 20) . ' more') : @lines }
for my $name (@Soak::Checks::names)
{
	$checks->rows('BEGIN');
	my @findings = $checks->findings($name);
	$checks->rows('ROLLBACK');
	is(few(@findings), '', "the library: $name");
}
cmp_ok(scalar keys %{ $model->admitted }, '>', 50, 'the model has tags');

# --- a fresh library with the same rules
$session->value('CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION image_library');
connect_registries('fresh');
for my $rule (sort { $a->{id} <=> $b->{id} } grep { defined } @last_rule{@people})
{
	$node->safe_psql('fresh', qq{SELECT image_library.add_rule('$rule->{registry}', } . Soak::Sessions::_options($rule) . ')');
	$node->safe_psql('fresh', 'SELECT image_library.disable_rule(max(rule_id)) FROM image_library.rules') if !$rule->{enabled};
}
$node->safe_psql('fresh', "CALL image_library.sync('$_')") for @registries;
my $content = q{SELECT registry, repository, tag, digest, kind, version, platforms, size_bytes, created_at, title, description, annotations, labels
	FROM image_library.images WHERE missing_since IS NULL ORDER BY registry, repository, tag COLLATE "C"};
is($node->safe_psql('postgres', $content), $node->safe_psql('fresh', $content), 'the library equals that of a fresh sync');

# --- what was watched
sub watched
{
	my (%found, @memory, %longest);
	for (Soak::Journal->new("$folder/watch.journal")->read)
	{
		if ($_->{what} eq 'memory') { push @memory, $_ }
		elsif ($_->{what} eq 'longest') { for my $what (qw(transaction lock lost)) { $longest{$what} = max($longest{$what} // 0, $_->{$what}) } ++$found{looks} }
		elsif ($_->{what} eq 'vacuum') { ++$found{vacuums} }
		else { push @{ $found{ $_->{what} } }, $_->{text} }
	}
	return (\%found, \@memory, \%longest);
}
my ($found, $memory, $longest) = watched();
say_of_run(sprintf '%d looks; longest transaction %.1f s, wait for a lock %.1f s; the machine lost at most %.1f s in 15 s', $found->{looks}, @$longest{qw(transaction lock lost)});
is(few(@{ $found->{$_} // [] }), '', "no $_ over $Soak::Watch::most_seconds s") for qw(transaction lock);
is(few(@{ $found->{autovacuum} // [] }), '', 'autovacuum waits for nobody');
for my $kind (sort keys %Soak::Watch::most_growth)
{
	my ($grown, $told) = Soak::Watch::growth($kind, @$memory);
	is($grown, '', 'private memory, ' . ($told // $kind));
}
my $log = slurp_file($node->logfile, $log_from);
is(few(Soak::Watch::log_findings($log)), '', 'the log has no error that should not be there');
my $vacuums = () = $log =~ /automatic vacuum of table "postgres\.image_library_internal\./g;
cmp_ok($vacuums, '>', 3 * $minutes, "autovacuum was at work ($vacuums tables)");
is(join(' ', glob($node->data_dir . '/core*'), glob($node->data_dir . '/*/core*')), '', 'no core');

# --- the checks find defects
for my $name (@Soak::Checks::names)
{
	is(join(', ', $checks->overlooked($name)), '', "the check \"$name\" finds its defects");
}
# Each longer than the bound; a session of people, which the watch looks at.
my $defect = Soak::Connection->new($node, name => 'soak person, defect');
$defect->connect;
my $other = Soak::Connection->new($node, name => 'soak person, other defect');
$other->connect;
my $seconds = $Soak::Watch::most_seconds + 5 + $longest->{lost};
$defect->value(q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM image_library.images; LOCK TABLE image_library_internal.tag});
$other->value("SET statement_timeout = '${seconds}s'");
is($other->ask('SELECT count(*) FROM image_library.images')->{state}, 'error', 'a lock is waited for');
$defect->value('ROLLBACK');
is($defect->ask(q{DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'defect'; END $$})->{state}, 'error', 'an error is logged');
$log = slurp_file($node->logfile, $log_from);
like(few(Soak::Watch::log_findings($log)), qr/XX000\|client backend\|soak person, defect\|ERROR/, 'the check of the log finds it');
isnt(join('', Soak::Watch::log_findings('x|1|00000|postmaster||LOG:  server process (PID 1) was terminated by signal 11: Segmentation fault')), '', 'and a crash');
isnt(join('', Soak::Watch::log_findings('x|1|57P01|client backend||PANIC:  defect')), '', 'and a PANIC');
isnt(join('', Soak::Watch::log_findings('x|1|57014|autovacuum worker||ERROR:  canceling autovacuum task')), '', 'and an autovacuum that had to give way');
# A session that keeps more and more.
for (1 .. 30)
{
	$defect->value(sprintf q{PREPARE p%d AS SELECT '%s'}, $_, 'x' x 400_000);
	usleep 700_000;
}
append_to_file($stop, '');
is(join("\n", wait_for_children('watch')), '', 'the watch came to its end');
my $before = { map { $_ => scalar @{ $found->{$_} // [] } } qw(transaction lock) };
my $samples = @$memory;
($found, $memory) = watched();
cmp_ok(scalar @{ $found->{$_} // [] }, '>', $before->{$_}, "the watch finds a $_") for qw(transaction lock);
my $backend = $defect->backend;
my ($first, $last) = Soak::Watch::thirds(grep { $_->{pid} == $backend } @$memory[ $samples .. $#$memory ]);
cmp_ok($last - $first, '>', $Soak::Watch::most_growth{person}, 'and a session that grows');

$defect->disconnect;
$other->disconnect;
$session->disconnect;
$node->stop;
$world->stop;
done_testing();

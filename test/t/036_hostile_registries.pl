# Registries that send as much as they may: the memory of a sync stays small, and the want of it is an error.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use JSON::PP;
use FaultRegistry;
use ImageLibrary;

# Mebibytes of private memory of a session that syncs.
my $most = 64;

my $children = [ map { "linux/a$_" } 1 .. 40 ];
my $size = (4 << 20) - 64;
my $honest = { map { ("1.$_" => {}) } 0 .. 9 };
my $registry = FaultRegistry->new({});
my $node = ImageLibrary::node('main', 'image_library.enabled = off');

# A session that is told what to do, and how much it takes meanwhile.
sub session
{
	my $self = { in => '', out => '', err => '', peak => 0 };
	$self->{process} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$self->{in} .= "SELECT 'pid ' || pg_backend_pid();\n";
	$self->{process}->pump until $self->{out} =~ /^pid (\d+)$/m;
	$self->{pid} = $1;
	return $self;
}

# Private memory of the session's backend in kB.
sub private
{
	my ($self) = @_;
	open my $rollup, '<', "/proc/$self->{pid}/smaps_rollup" or return 0;
	my $sum = 0;
	while (<$rollup>) { $sum += $1 if /^Private_(?:Clean|Dirty):\s+(\d+) kB/ }
	return $sum;
}

# Runs a statement to its end; returns its errors.
sub run
{
	my ($self, $sql) = @_;
	$self->{err} = '';
	$self->{in} .= "$sql;\n\\echo done\n";
	until ($self->{out} =~ s/^done\n//m)
	{
		$self->{process}->pump_nb;
		my $now = private($self);
		$self->{peak} = $now if $now > $self->{peak};
		sleep 0.005;
	}
	return join "\n", grep { /^(psql:\S+ )?(ERROR|FATAL|PANIC|server closed)/ } split /\n/, $self->{err};
}

sub finish
{
	my ($self) = @_;
	$self->{in} .= "\\q\n";
	$self->{process}->finish;
	return;
}

# Adds a registry with this profile, and repository honest/app beside what is hostile in it: each with
# a rule of its own, or with one for all where they are too many.
sub hostile
{
	my ($name, $repositories, %sections) = @_;
	my @rules = keys %$repositories > 100 ? 'bad/*' : sort keys %$repositories;
	$registry->profile({ repositories => { 'honest/app' => $honest, %$repositories }, %sections });
	$node->value(sprintf q{
		SELECT image_library.add_registry('%1$s', '%2$s/', allow_private => true, max_connections => 64);
		SELECT image_library.add_rule('%1$s', r, array['[0-9]*']) FROM unnest(array['honest/app', %3$s]) r},
		$name, $registry->url, join ', ', map { "'$_'" } @rules);
	return;
}
sub forget { $node->value("SELECT image_library.drop_registry('$_[0]', true)") }

my %cases = (
	'forty children, one large annotation each' =>
	  [ { 'bad/a' => { map { ("$_" => { manifest => 'index', platforms => $children, size => $size, revision => $_ }) } 1 .. 3 } } ],
	'forty children of very many annotations' =>
	  [ { 'bad/a' => { 1 => { manifest => 'index', platforms => $children, size => $size, filler => 'annotations' } } } ],
	'forty children of very many objects' =>
	  [ { 'bad/a' => { 1 => { manifest => 'index', platforms => $children, size => $size, filler => 'objects' } } }, '', qr/too large/ ],
	'large images in many tags' =>
	  [ { map { my $r = $_; ("bad/$r" => { map { ("$_" => { size => $size, revision => "$r$_" }) } 1 .. 20 }) } qw(a b c d) } ],
	'referrers without end, each of 2 MB' =>
	  [ { 'bad/a' => { map { ("$_" => { revision => $_ }) } 1 .. 4 } }, { referrers => { api => 200, endless => 2_000_000 } } ],
	'a list of 8 MB' =>
	  [ { 'bad/a' => { 1 => {} } }, { lists => { many => 120_000, many_length => 64, page_size => 1_000_000, ignore_n => JSON::PP::true } } ],
	'lists without end' =>
	  [ { map { ("bad/$_" => { 1 => {} }) } 1 .. 12 }, { lists => { endless => [ 'bad/.*', 55_000 ], many_length => 115 } }, qr/too large/ ],
	'long challenges and tokens' =>
	  [ { map { ("bad/$_" => {}) } 1 .. 600 },
		{ auth => { scheme => 'bearer', anonymous => JSON::PP::true, scopes => { catalog => '' }, long => [ 'bad/.*', 28_000, 28_000, 60_000 ] } },
		qr/unexpected answer/ ],
	'very many challenges and tokens as long as they may be' =>
	  [ { map { ("bad/$_" => {}) } 1 .. 4000 },
		{ auth => { scheme => 'bearer', anonymous => JSON::PP::true, scopes => { catalog => '' }, long => [ 'bad/.*', 2048, 1024, 16_384 ] } } ],
	'a list of very many objects' =>
	  [ { 'bad/a' => { 1 => {} } }, { faults => [ { path => '/v2/bad/a/tags/list.*', status => 200,
		body => '{"name":"bad/a","tags":[' . '{},' x 2_700_000 . '{}]}' } ] }, qr/too large/ ]);

for my $case (sort keys %cases)
{
	my ($repositories, $sections, $problem) = @{ $cases{$case} };
	hostile('hostile', $repositories, %{ $sections || {} });
	my $session = session();
	# What is listed is written as well: here only the reading of it counts.
	my $only_read = $case eq 'a list of 8 MB';
	is(run($session, q{SELECT * FROM image_library.check_registry('hostile')}), '', "$case: a check is no error");
	is(run($session, q{CALL image_library.sync('hostile')}), '', "$case: nor is a sync") unless $only_read;
	# What is too large is an error to whoever browses, or a notice.
	my ($one) = sort keys %$repositories;
	for my $call (q{list_repositories('hostile')}, "list_tags('hostile', '$one')", $only_read ? () : q{preview_rule('hostile', 'bad/*', refresh => true)})
	{
		unlike(run($session, "SELECT count(*) FROM image_library.$call"), qr/FATAL|PANIC|server closed/, "$case: $call does no harm");
	}
	cmp_ok(int($session->{peak} / 1024), '<', $most, "$case: they take less than $most MiB");
	note("$case: " . int($session->{peak} / 1024) . ' MiB at most');
	finish($session);
	my $problems = $node->value(q{SELECT string_agg(DISTINCT problem, ' ') FROM image_library.sync_problem});
	like($problems, $problem, "$case: what is too large is on record") if $problem;
	is($node->value(q{SELECT count(*) FROM image_library.images WHERE repository = 'honest/app'}), '10',
		"$case: the honest repository beside it is complete")
	  unless $only_read;
	forget('hostile');
}

# --- less memory than a sync needs
my $started = $node->value('SELECT pg_postmaster_start_time()');
my $bystander = session();
hostile('hungry', { 'bad/a' => { map { ("$_" => { manifest => 'index', platforms => $children, size => $size, revision => $_ }) } 1 .. 8 } });
my %ends;
for my $more (0, 2, 4, 6, 8, 12, 24, 48, 96, 768)
{
	my $session = session();
	run($session, q{SELECT * FROM image_library.check_registry('hungry')});    # what is loaded once is loaded
	my ($now) = slurp_file("/proc/$session->{pid}/status") =~ /^VmSize:\s+(\d+) kB/m;
	system_or_bail('prlimit', '--pid', $session->{pid}, '--as=' . ($now + 1024 * $more) * 1024);
	my $error = run($session, q{CALL image_library.sync('hungry', force => true)});
	$ends{ $error =~ /53200/ ? 'out of memory' : $error eq '' ? 'no error' : $error }++;
	is(run($session, 'SELECT 1'), '', "with $more MiB more the session goes on");
	finish($session);
}
note(join ', ', map { "$_: $ends{$_}" } sort keys %ends);
ok($ends{'out of memory'}, 'with too little memory a sync ends in error 53200');
ok($ends{'no error'}, 'with enough of it, in none');
is(join(' ', grep { !/^(out of memory|no error)$/ } sort keys %ends), '', 'and in no other');
is($node->value('SELECT pg_postmaster_start_time()'), $started, 'the server has not restarted');
is(run($bystander, 'SELECT 1'), '', 'and another session lives');
finish($bystander);

$node->stop;
$registry->stop;
done_testing();

# kill -9 of the worker or of the server between any two requests of a sync: no approval is lost, and
# the library ends as a fresh sync's. CRASHES sets how often (default 200), SEED which.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use FaultRegistry;
use ImageLibrary;

my $crashes = $ENV{CRASHES} // 200;
my $seed = $ENV{SEED} // 20261123;
srand $seed;
diag "seed $seed";

my $repository_count = 5;
my %repositories;
for my $r (1 .. $repository_count)
{
	$repositories{"team/app$r"}{"1.$_"} = {} for 1 .. 6;
}
my $registry = FaultRegistry->new({ repositories => \%repositories });
my $url = $registry->url;
# One connection: the request that the registry does not answer is the only one under way.
my $connect = qq{
	SELECT image_library.add_registry('faulty', '$url', allow_private => true, max_connections => 1);
	SELECT image_library.add_rule('faulty', 'team/*')};
my $node = ImageLibrary::node('main', q{
fsync = off
full_page_writes = off
shared_buffers = 16MB
max_connections = 20
autovacuum = off});
$node->value($connect);
$node->value(q{CALL image_library.sync('faulty')});

# What a statement returns, undef when the server is not there to be asked; psql may be gone before
# it has read the statement.
sub ask
{
	my ($sql) = @_;
	my ($ret, $out) = eval { $node->psql('postgres', $sql) };
	return defined $ret && $ret == 0 ? $out // '' : undef;
}

sub wait_until_up
{
	my $end = time + 60;
	while (time < $end)
	{
		return if defined ask('SELECT 1');
		usleep 20_000;
	}
	die 'the server did not come back';
}

# The requests since the last kill that have a status like this.
my @seen;
sub forget_requests { $registry->take; @seen = () }
sub seen { push @seen, @{ $registry->take }; return scalar grep { $_->{status} =~ $_[0] } @seen }

sub worker_pid
{
	return ask(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'image_library worker' LIMIT 1}) // '';
}

# kill -9 of the postmaster and all its children; returns when they are gone.
sub kill_server
{
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/ or die 'no postmaster';
	my @children = split ' ', slurp_file("/proc/$postmaster/task/$postmaster/children");
	$node->kill9;
	kill 'KILL', @children;
	my $end = time + 60;
	for my $pid ($postmaster, @children)
	{
		usleep 5_000 while is_running($pid) && time < $end;
	}
	# Whom nobody has waited for yet still answers signals, and would hold these locks.
	unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
}

sub is_running
{
	open my $file, '<', "/proc/$_[0]/stat" or return 0;
	return (<$file> // 'Z') !~ /\) [ZX] /;
}

my @approved;
sub approve
{
	my $reference = ask(q{SELECT image_library.approve(reference, 'crash test')
		FROM (SELECT reference FROM image_library.pending_images ORDER BY random() LIMIT 1) p});
	push @approved, $reference if ($reference // '') ne '';
}

my %killed = (worker => 0, server => 0);
my %where;
for my $round (1 .. $crashes)
{
	# Upstream moves on: rebuilt, new and deleted tags.
	for (1 .. 3)
	{
		my $tags = $repositories{ 'team/app' . (1 + int rand $repository_count) };
		$tags->{ '1.' . (1 + int rand 6) } = { revision => $round };
		$tags->{"2.$round"} = {};
		my @new = grep { /^2/ } keys %$tags;
		delete $tags->{ $new[ rand @new ] } if @new > 2;
	}
	# About as many requests as a sync takes: the last ones may let it end.
	my $at = int rand 75;
	$registry->profile({
		repositories => \%repositories,
		faults => [ { path => '.*', after => $at, times => 1, action => 'hang' } ] });
	ask(q{SELECT image_library.request_sync('faulty')});
	approve();
	# A worker that came back by itself may wait for an answer since the last round.
	my $end = time + 3;
	my $ended = 0;
	until (seen(qr/hang/) || time > $end)
	{
		# A sync that needed fewer requests is over when its worker is gone.
		last if @seen && worker_pid() eq '' && ++$ended > 1;
		usleep 5_000;
	}
	++$where{ (grep { $_->{status} eq 'hang' } @seen) ? $seen[-1]{method} . ' ' . ($seen[-1]{path} =~ m{/(_catalog|tags|manifests|blobs|referrers)} ? $1 : 'v2') : 'after the last request' };
	# A worker that has ended meanwhile cannot be killed; the server always can.
	my $pid = $round % 2 ? worker_pid() : '';
	if ($pid ne '' && kill 'KILL', $pid)
	{
		++$killed{worker};
		forget_requests();
	}
	else
	{
		kill_server();
		++$killed{server};
		forget_requests();
		$node->start;
	}
	wait_until_up();
}
cmp_ok($killed{worker}, '>=', $crashes / 4, "the worker was killed $killed{worker} times");
is($killed{worker} + $killed{server}, $crashes, "and the server $killed{server} times");
note join ', ', map { "$_: $where{$_}" } sort keys %where;
cmp_ok(scalar keys %where, '>=', 4, 'at requests of every kind') if $crashes >= 50;
cmp_ok(scalar @approved, '>', $crashes / 4, scalar @approved . ' images were approved meanwhile');

# --- the approvals
my $digests = join ', ', map { my ($digest) = /@(.*)/; "('$digest')" } @approved;
is($node->value("SELECT count(*) FROM (VALUES $digests) a (digest) WHERE NOT EXISTS (
		SELECT FROM image_library.decisions d WHERE d.digest = a.digest AND d.new_state = 'approved')"),
	'0', 'every approval that was answered is there');
is($node->value("SELECT count(*) FROM image_library.images i JOIN (VALUES $digests) a (digest) USING (digest)
		WHERE i.approval <> 'approved'"), '0', 'and holds');

# --- the library, beside a fresh one
$node->append_conf('postgresql.conf', 'image_library.enabled = off');
$registry->profile({ repositories => \%repositories });
$node->restart;
is($node->error(q{CALL image_library.sync('faulty')}), '', 'it syncs to the end');
$node->value('CREATE DATABASE fresh');
$node->safe_psql('fresh', "CREATE EXTENSION image_library; $connect");
$node->safe_psql('fresh', q{CALL image_library.sync('faulty')});
my $content = q{
	SELECT registry, repository, tag, digest, kind, version, platforms, size_bytes, created_at, annotations, labels
	FROM image_library.images WHERE missing_since IS NULL ORDER BY repository, tag COLLATE "C"};
is($node->value($content), $node->safe_psql('fresh', $content), 'the library equals that of a fresh sync');
is($node->value(q{SELECT repository, tags_listed FROM image_library.repositories ORDER BY 1}),
	$node->safe_psql('fresh', q{SELECT repository, tags_listed FROM image_library.repositories ORDER BY 1}),
	'and so do its listings');
is($node->value(q{SELECT count(*) FROM image_library.tag_history h JOIN image_library.images i USING (registry, repository, tag)
	WHERE upper_inf(h.valid) AND h.digest <> i.digest}), '0', 'history and library agree');
is($node->value(q{SELECT * FROM image_library.verify_audit()}), '', 'the chain of decisions and audit rows holds');
is($node->value(q{SELECT count(*) FROM image_library.sync_run WHERE outcome IS NULL}), '0', 'no run is left open');
is($node->value(q{SELECT count(*) FROM image_library.sync_problem}), '0', 'nor a problem');

$node->stop;
$registry->stop;
done_testing();

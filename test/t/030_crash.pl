# kill -9 at random moments of a sync: no approval is lost, and the library ends as a fresh sync's.
# CRASHES sets how often (default 15).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use FaultRegistry;
use ImageLibrary;

my $crashes = $ENV{CRASHES} // 15;
my $seed = $ENV{SEED} // 20261123;
srand $seed;
diag "seed $seed";

my %repositories;
for my $r (1 .. 12)
{
	$repositories{"team/app$r"}{"1.$_"} = {} for 1 .. 20;
}
my $registry = FaultRegistry->new({ repositories => \%repositories });
my $url = $registry->url;
my $connect = qq{
	SELECT image_library.add_registry('faulty', '$url', allow_private => true, max_connections => 4);
	SELECT image_library.add_rule('faulty', 'team/*')};
my $node = ImageLibrary::node('main');
$node->value($connect);
$node->value(q{CALL image_library.sync('faulty')});

sub wait_until_up
{
	for (1 .. 300)
	{
		return if $node->psql('postgres', 'SELECT 1') == 0;
		usleep 100_000;
	}
	die 'the server did not come back';
}

my @approved;
my $killed = 0;
for my $round (1 .. $crashes)
{
	# Upstream moves on: rebuilt and new tags.
	for (1 .. 6)
	{
		my $repository = 'team/app' . (1 + int rand 12);
		$repositories{$repository}{ '1.' . (1 + int rand 20) } = { revision => $round };
		$repositories{$repository}{"2.$round"} = {};
	}
	$registry->profile({ repositories => \%repositories });
	$node->psql('postgres', q{SELECT image_library.request_sync('faulty')});
	usleep int(rand 900_000);
	my ($ret, $out) = $node->psql('postgres',
		q{SELECT image_library.approve(reference, 'crash test')
		  FROM (SELECT reference FROM image_library.pending_images ORDER BY random() LIMIT 1) p});
	push @approved, $out if $ret == 0 && $out ne '';
	my $pid = $node->safe_psql('postgres',
		q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'image_library worker' LIMIT 1});
	if ($pid ne '')
	{
		$killed += kill 'KILL', $pid;
		usleep 50_000;
		wait_until_up();
	}
	elsif ($round % 5 == 0)
	{
		$node->stop('immediate');
		$node->start;
		++$killed;
	}
}
cmp_ok($killed, '>=', $crashes / 5, "$killed crashes hit");
cmp_ok(scalar @approved, '>', 0, 'some images were approved meanwhile');

# --- the approvals
for my $reference (@approved)
{
	my ($digest) = $reference =~ /@(.*)/;
	is($node->value("SELECT count(*) FROM image_library.decisions WHERE digest = '$digest' AND new_state = 'approved'"),
		'1', 'an approval that was answered is there');
}

# --- the library, beside a fresh one
$node->append_conf('postgresql.conf', 'image_library.enabled = off');
$node->reload;
is($node->error(q{CALL image_library.sync('faulty')}), '', 'it syncs to the end');
$node->value('CREATE DATABASE fresh');
$node->safe_psql('fresh', "CREATE EXTENSION image_library; $connect");
$node->safe_psql('fresh', q{CALL image_library.sync('faulty')});
my $content = q{
	SELECT registry, repository, tag, digest, kind, version, platforms, size_bytes, created_at, annotations, labels,
	       missing_since IS NULL
	FROM image_library.images ORDER BY repository, tag COLLATE "C"};
is($node->value($content), $node->safe_psql('fresh', $content), 'the library equals that of a fresh sync');
is($node->value(q{SELECT repository, tags_listed, tags FROM image_library.repositories ORDER BY 1}),
	$node->safe_psql('fresh', q{SELECT repository, tags_listed, tags FROM image_library.repositories ORDER BY 1}),
	'and so do its listings');
is($node->value(q{SELECT count(*) FROM image_library.tag_history h JOIN image_library.images i USING (registry, repository, tag)
	WHERE upper_inf(h.valid) AND h.digest <> i.digest}), '0', 'history and library agree');
is($node->value(q{SELECT count(*) FROM image_library.sync_run WHERE outcome IS NULL}), '0', 'no run is left open');

$node->stop;
$registry->stop;
done_testing();

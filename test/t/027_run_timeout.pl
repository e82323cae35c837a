# A registry that is slow has its turn, and the next run goes on where it stopped.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my $registry = FaultRegistry->new({ limits => { latency => 0.2 },
	repositories => { map { ("team/$_" => { '1.{0..5}' => {} }) } qw(a b c d) } });
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
$node->value(sprintf q{
	SELECT image_library.add_registry('slow', '%s', allow_private => true, max_connections => 2);
	SELECT image_library.add_rule('slow', 'team/*')}, $registry->url);
sub last_run { return $node->value('SELECT outcome FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1') }
sub images { return $node->value('SELECT count(*) FROM image_library.images') }

my ($out, $err);
$node->psql('postgres', q{SET image_library.run_timeout = '1s'; CALL image_library.sync('slow')}, stderr => \$err);
like($err, qr/WARNING:  registry "slow" was synced in part\nDETAIL:  .*the run took longer than image_library.run_timeout\nHINT:  The next run goes on/, 'a run that takes too long says so');
is(last_run(), 'partial', 'it is partial');
like($node->value('SELECT last_error FROM image_library.sync_status'), qr/image_library\.run_timeout/, 'sync_status tells');
is($node->value('SELECT next_sync_at > now() FROM image_library.sync_status'), 't', 'the registry is due again, after others');
is($node->value(q{SELECT count(*) FROM image_library.sync_problem WHERE problem = 'unreachable'}), '0', 'that is no problem of an image');
my $before = images();
cmp_ok($before, '<', 24, 'not everything was read');
my $runs = 1;
for (; $runs < 30 && $before < 24; $runs++)
{
	$node->psql('postgres', q{SET image_library.run_timeout = '2s'; CALL image_library.sync('slow')});
	cmp_ok(images(), '>=', $before, "run $runs keeps what was there");
	$before = images();
}
is($before, 24, "after $runs runs everything is there");
is($node->value('SHOW image_library.run_timeout'), '1h', 'an hour is the default');
$node->psql('postgres', q{SET image_library.run_timeout = 0; CALL image_library.sync('slow')}, stderr => \$err);
is(last_run(), 'complete', 'and 0 sets no limit');
is($node->value('SELECT count(*) FROM image_library.sync_problem'), '0', 'nothing is on record');

$node->stop;
$registry->stop;
done_testing();

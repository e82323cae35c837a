# Tags that move to what cannot be read: the library shows them as the registry has them, and nobody approves them unseen.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my %tags = map { $_ => {} } qw(1.0 2.0);
my %denied = ('3.0' => {});
my %repositories = ('team/app' => \%tags, 'team/denied' => \%denied);
my $registry = FaultRegistry->new({ repositories => \%repositories });
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
my $place = $registry->host . '/team/app';
$node->value(sprintf q{
	SELECT image_library.add_registry('r', '%s', allow_private => true);
	SELECT image_library.add_rule('r', name, approval => 'auto') FROM unnest('{team/app,team/denied}'::text[]) name}, $registry->url);

sub serve { $registry->profile({ repositories => \%repositories, faults => [@_] }) }
sub sync { is($node->error(q{CALL image_library.sync('r', force => true)}), '', shift) }
sub outcome { return $node->value('SELECT outcome FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1') }
sub digest { return $node->value("SELECT digest FROM image_library.images WHERE tag = '$_[0]'") }
sub image { return $node->value("SELECT approval, unread, labels <> '{}' FROM image_library.images WHERE tag = '$_[0]'") }
sub pending
{
	return $node->value("SELECT why, previous_approval, problem FROM image_library.pending_images WHERE tag = '$_[0]'");
}

sync('the first sync');
is(image('1.0'), 'approved||t', 'the rule approves what can be read');
my %before = map { $_ => digest($_) } qw(1.0 2.0 3.0);

# --- a config that is not there, a manifest that is none, a manifest that the registry denies
$tags{'1.0'} = { manifest => 'lost_config' };
$tags{'2.0'} = { manifest => 'not_json' };
$denied{'3.0'} = { revision => 'b' };
serve({ method => 'GET', path => '/v2/team/denied/manifests/.*', status => 403 });
sync('a sync of images that cannot be read');
is(outcome(), 'partial', 'the run is partial');
isnt(digest($_), $before{$_}, "$_ shows the digest that its registry has now") for sort keys %before;
is(image('1.0'), 'pending|config|f', 'an image without its config is kept, and no rule approves it');
is(image('2.0'), 'pending|manifest|f', 'nothing is known of the one that is no manifest');
is(image('3.0'), 'pending|manifest|f', 'nor of the one that is denied');
like(pending('1.0'), qr/^tag moved\|approved\|not found: .*blob/, 'it waits, and why');
like(pending('2.0'), qr/^tag moved\|approved\|malformed: /, 'so does the other');
like(pending('3.0'), qr/^tag moved\|approved\|denied: /, 'and the third');
is($node->value(qq{SELECT count(*) FROM image_library_internal.approval WHERE state = 'approved' AND digest IN ('@{[join "','", values %before]}')}),
	'3', 'approvals stay with the digests before');
is($node->value(q{SELECT count(*) FROM image_library.tag_history WHERE upper_inf(valid)}), '3', 'the periods before are closed');
like($node->error("SELECT image_library.approve('$place:2.0', 'unseen')"),
	qr/^ERROR:  55000: cannot approve image "[^"]*": its manifest could not be read.*DETAIL:  malformed.*HINT/s, 'nobody approves it unseen');

# --- they stay so, and are not written again
my $written = q{SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM (SELECT xmin FROM image_library_internal.problem
	UNION ALL SELECT xmin FROM image_library_internal.image UNION ALL SELECT xmin FROM image_library_internal.tag) r (x)};
my $rows = $node->value($written);
serve({ method => 'GET', path => '/v2/team/denied/manifests/.*', status => 403 });
sync('the next sync tries again');
is($node->value($written), $rows, 'and what stays as it is is not written again');

# --- until they can be read
my $digest = digest('3.0');
serve();
sync('a sync once one of them can be read');
is(digest('3.0'), $digest, 'its digest is the same');
is(image('3.0'), 'approved||t', 'it is read, and the rule approves it');
is($node->value(q{SELECT string_agg(tag, ' ' ORDER BY tag) FROM image_library.sync_problem}), '1.0 2.0', 'its problem is over');

# --- a person may approve what lacks its config only
is($node->error("SELECT image_library.approve('$place:1.0', 'I know it')"), '', 'a person may approve what lacks its config');
is($node->value("SELECT image_library.resolve('$place:1.0')"), "$place:1.0\@" . digest('1.0'), 'and it is used');

# --- a new tag that is too large: HEAD tells its digest
$tags{'4.0'} = { manifest => 'huge' };
serve();
sync('a sync with a manifest that is too large');
is(image('4.0'), 'pending|manifest|f', 'it is in the library too');
like(pending('4.0'), qr/^new\|\|too large: /, 'and waits as new');

# --- a registry in trouble has not said that an image cannot be read
$denied{'3.0'} = { revision => 'c' };
serve({ method => 'GET', path => '/v2/team/denied/manifests/.*', status => 500 });
sync('a sync of a registry that fails');
is(digest('3.0'), $digest, 'the tag stays, at first');
sync('the same again');
isnt(digest('3.0'), $digest, 'it moves once the trouble lasts');
like(pending('3.0'), qr/^tag moved\|approved\|server error: /, 'and says why nothing is known of it');

$node->stop;
$registry->stop;
done_testing();

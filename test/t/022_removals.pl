# Nothing is lost: caches with a dead upstream, repositories that vanish, and removals that are real.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my %all = ('team/app' => { map { ("1.$_" => {}) } 0 .. 7 });
my $registry = FaultRegistry->new({ repositories => \%all });
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
$node->value(sprintf q{
	SELECT image_library.add_registry('r', '%s', allow_private => true);
	SELECT image_library.add_rule('r', 'team/app')}, $registry->url);
sub sync { return $node->error(q{CALL image_library.sync('r', force => true)}) }
sub present { return $node->value(q{SELECT string_agg(tag, ' ' ORDER BY tag) FROM image_library.images WHERE missing_since IS NULL}) }
my $everything = join ' ', map { "1.$_" } 0 .. 7;

is(sync(), '', 'the first sync');
$node->value(sprintf q{SELECT image_library.approve('%s/team/app:1.0', 'good')}, $registry->host);
is(present(), $everything, 'all tags are there');

# --- a pull-through cache with a dead upstream: 200 with what it holds, 404 for the rest
my %cached = ('team/app' => { '1.0' => {}, '1.1' => {} });
$registry->profile({ repositories => \%cached });
sync();
is(present(), $everything, 'nothing is removed');
is($node->value('SELECT array_length(tags, 1) FROM image_library.refused_removals'), '6', 'what was refused is shown');
like($node->value('SELECT problem || detail FROM image_library.sync_problem'), qr/removals refused.*lacks 6 of 8/, 'and told as a problem');
my $stamp = $node->value('SELECT xmin FROM image_library_internal.problem');
sync();
is($node->value('SELECT xmin FROM image_library_internal.problem'), $stamp, 'once');

# --- the upstream is back
$registry->profile({ repositories => \%all });
is(sync(), '', 'the upstream is back');
is($node->value('SELECT count(*) FROM image_library.refused_removals'), '0', 'and nothing waits any more');
like($node->error(q{SELECT image_library.accept_removals('r', 'team/app')}), qr/^ERROR:  55000: no removal waits/, 'nothing to accept');

# --- a registry that says 404 or 401 for the whole repository
for my $status (404, 401, 403)
{
	$registry->profile({ repositories => \%all, faults => [ { path => '/v2/team/app/.*', status => $status } ] });
	sync();
	is(present(), $everything, "a repository that answers $status loses nothing");
}

# --- it was real: deleted by digest, and docker-registry takes every tag of a digest along
$registry->profile({ repositories => \%cached });
sync();
is($node->value(q{SELECT image_library.accept_removals('r', 'team/app')}), '6', 'a person says that they are gone');
sync();
is(present(), '1.0 1.1', 'now they are');
is($node->value('SELECT count(*) FROM image_library.refused_removals'), '0', 'that was for one sync');
is($node->value(q{SELECT string_agg(actor || ' ' || object || ' ' || name, ',') FROM image_library.audit WHERE object = 'removals'}),
	$node->value('SELECT session_user') . ' removals team/app', 'the audit tells who');

# --- the last tag too: a complete listing without any, tags: null
$registry->profile({ repositories => { 'team/app' => {} } });
sync();
is(present(), '1.0 1.1', 'again it takes a person');
$node->value(q{SELECT image_library.accept_removals('r', 'team/app')});
sync();
is($node->value('SELECT count(*) FROM image_library.images WHERE missing_since IS NULL'), '0', 'the repository is empty');
is($node->value('SELECT count(*) FROM image_library.images'), '8', 'its tags are kept as missing');

# --- they come back with approvals and history
$registry->profile({ repositories => \%all });
is(sync(), '', 'pushed again');
is(present(), $everything, 'all tags are back');
is($node->value(q{SELECT approval FROM image_library.images WHERE tag = '1.0'}), 'approved', 'with their approval');
is($node->value(q{SELECT count(*) FROM image_library.tag_history WHERE tag = '1.0'}), '2', 'and their history');

# --- a tag moves, and the registry removes the approved image that it pointed at: the digest may be used for the grace
my $pinned = $node->value(q{SELECT pinned_reference FROM image_library.images WHERE tag = '1.0'});
my $gone = q{SELECT count(*) FROM image_library_internal.untagged_check WHERE gone_since IS NOT NULL};
is($node->value($gone), '0', 'what a tag points at is not asked for by its digest');
$registry->profile({ repositories => { 'team/app' => { %{ $all{'team/app'} }, '1.0' => { revision => 2 } } } });
is(sync(), '', 'a tag moves');
is($node->value($gone), '1', 'the registry was asked for the approved image');
is($node->value("SELECT image_library.is_usable('$pinned')"), 't', 'which may still be used');
is($node->value("SET image_library.missing_grace = 0; SELECT image_library.is_usable('$pinned')"), 'f', 'until the grace ends');

$node->stop;
$registry->stop;
done_testing();

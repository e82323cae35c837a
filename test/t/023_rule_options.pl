# What the options of a rule keep from being asked for: newest, immutable_tags; platforms keep nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my $repositories = { 'team/app' => { map { ("1.$_" => {}) } qw(1 2 9 10 11) }, 'team/fixed' => { '1.0' => {}, '1.1' => {}, '1.2' => {} },
	'team/index' => { '1.0' => { manifest => 'index', platforms => [qw(linux/amd64 linux/arm64 linux/s390x)] } } };
my $registry = FaultRegistry->new({ repositories => $repositories });
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
$node->value(sprintf q{
	SELECT image_library.add_registry('r', '%s', allow_private => true);
	SELECT image_library.add_rule('r', 'team/app', newest => 2);
	SELECT image_library.add_rule('r', 'team/index', platforms => '{linux/arm64}');
	SELECT image_library.add_rule('r', 'team/fixed', immutable_tags => true)}, $registry->url);
my $seen = 0;
# Tags of a repository whose manifest was asked for since the last call.
sub asked
{
	my ($repository) = @_;
	my @all = @{ $registry->requests };
	my %tags = map { $_->{path} =~ m{/v2/\Q$repository\E/manifests/([^:]+)$} ? ($1 => 1) : () } @all[ $seen .. $#all ];
	return join ' ', sort keys %tags;
}
sub sync
{
	$seen = @{ $registry->requests };
	return $node->error(q{CALL image_library.sync('r')});
}
sub tags { return $node->value("SELECT string_agg(tag, ' ' ORDER BY image_library.version_key(tag)) FROM image_library.images WHERE repository = '$_[0]' AND missing_since IS NULL") }

is(sync(), '', 'it syncs');
is(tags('team/app'), '1.10 1.11', 'the two newest by version');
is(asked('team/app'), '1.10 1.11', 'no other was asked for');
is(tags('team/fixed'), '1.0 1.1 1.2', 'immutable tags are read once');
is( $node->value(q{SELECT string_agg(p.platform, ' ' ORDER BY p.platform) FROM image_library_internal.image_platform p
		JOIN image_library_internal.tag t USING (digest) JOIN image_library_internal.repository r USING (repository_id) WHERE r.name = 'team/index'}),
	'linux/amd64 linux/arm64 linux/s390x', 'the facts of a digest are all of its platforms, whatever the rule of a reader says');
is(sync(), '', 'again');
is(asked('team/fixed'), '', 'and not asked for again');
is(asked('team/app'), '1.10 1.11', 'the others are');

$repositories->{'team/app'}{'1.12'} = {};
$repositories->{'team/fixed'}{'1.0'} = { revision => '2' };
$registry->profile({ repositories => $repositories });
is(sync(), '', 'a newer one comes');
is(tags('team/app'), '1.11 1.12', 'it takes the place of the oldest');
is(asked('team/app'), '1.11 1.12', 'which is not asked for any more');
is(asked('team/fixed'), '', 'that an immutable tag moved is not seen');
is($node->value('SELECT count(*) FROM image_library_internal.tag'), '7', 'hidden, not deleted');

# It is seen when the tag goes and comes back.
my $other = delete $repositories->{'team/fixed'}{'1.0'};
$registry->profile({ repositories => $repositories });
sync();
is(tags('team/fixed'), '1.1 1.2', 'it is gone');
$repositories->{'team/fixed'}{'1.0'} = $other;
$registry->profile({ repositories => $repositories });
is(sync(), '', 'and comes back with another digest');
is(tags('team/fixed'), '1.0 1.1 1.2', 'it is in the library');
is($node->value(q{SELECT tag || ' ' || problem FROM image_library.sync_problem}), '1.0 immutable tag moved', 'and the broken promise is told');
is($node->value('SELECT outcome FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1'), 'complete', 'which keeps nothing from being read');
sync();
is($node->value('SELECT count(*) FROM image_library.sync_problem'), '1', 'as long as the rule says so');

$node->stop;
$registry->stop;
done_testing();

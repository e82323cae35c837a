# What registries send on their worst day: one image's trouble stays that image's, and the words help.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my %bad = map { $_ => { manifest => $_ } }
  qw(nul utf8 not_json deep both schema1 huge endless_config wrong_digest lost_config);
my %good = map { $_ => {} } qw(1.0 1.1 1.2);
my $repositories = { 'team/bad' => { %bad, %good }, 'team/good' => {%good} };
my $registry = FaultRegistry->new({ repositories => $repositories });
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
$node->value(sprintf q{
	SELECT image_library.add_registry('faulty', '%s', allow_private => true);
	SELECT image_library.add_rule('faulty', 'team/*')}, $registry->url);

sub with_faults { $registry->profile({ repositories => $repositories, faults => [@_] }) }
# Whatever the registry asked for before: each kind of trouble is a test of its own.
sub sync { return $node->error(q{CALL image_library.sync('faulty', force => true)}) }
sub status { return $node->value('SELECT state, last_error FROM image_library.sync_status') }
sub present { return $node->value('SELECT count(*) FROM image_library.images WHERE missing_since IS NULL') }

# --- images that cannot be read
is(sync(), '', 'a sync of bad images is no error');
is($node->value('SELECT outcome, problems FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1'),
	'partial|8', 'the run is partial: eight images cannot be read');
is( $node->value(q{SELECT string_agg(tag || '=' || problem, ' ' ORDER BY tag COLLATE "C") FROM image_library.sync_problem}),
	'both=malformed deep=malformed endless_config=too large huge=too large lost_config=not found '
	  . 'not_json=malformed nul=malformed utf8=malformed wrong_digest=digest mismatch',
	'each is on record with what is wrong');
is($node->value(q{SELECT string_agg(tag, ' ' ORDER BY tag) FROM image_library.images WHERE repository = 'team/good'}),
	'1.0 1.1 1.2', 'the other repository is synced');
is($node->value(q{SELECT string_agg(tag, ' ' ORDER BY tag) FROM image_library.images WHERE repository = 'team/bad'}),
	'1.0 1.1 1.2 both deep endless_config huge lost_config not_json nul schema1 utf8 wrong_digest', 'and every tag of the bad one is there');
is($node->value(q{SELECT string_agg(tag || '=' || unread, ' ' ORDER BY tag COLLATE "C") FROM image_library.images WHERE unread IS NOT NULL}),
	'both=manifest deep=manifest endless_config=config huge=manifest lost_config=config not_json=manifest nul=manifest utf8=manifest',
	'with what could not be read: of schema 1 the digest is kept, a wrong header is only told');
# From now on they are read by the digest that HEAD told, and errors say so.
sync();
my $problems = $node->value('SELECT string_agg(xmin::text, $$ $$ ORDER BY tag) FROM image_library_internal.problem');
sync();
is($node->value('SELECT string_agg(xmin::text, $$ $$ ORDER BY tag) FROM image_library_internal.problem'),
	$problems, 'a problem that stays is not written again');

# --- one is mended
$repositories->{'team/bad'}{nul} = {};
with_faults();
sync();
is($node->value(q{SELECT count(*) FROM image_library.sync_problem WHERE tag = 'nul'}), '0', 'a problem ends when the image reads well');
is($node->value(q{SELECT count(*) FROM image_library.images WHERE tag = 'nul'}), '1', 'and the image is there');

# --- a moved tag whose new digest lies
delete @{ $repositories->{'team/bad'} }{ keys %bad };
$repositories->{'team/good'}{'1.0'} = { manifest => 'wrong_digest' };
with_faults();
sync();
is($node->value(q{SELECT tag || ' ' || problem FROM image_library.sync_problem WHERE repository = 'team/good'}),
	'1.0 digest mismatch', 'a body that does not hash to its digest is refused');
$repositories->{'team/good'}{'1.0'} = {};
with_faults();
sync();
my $images = present();

# --- the registry's own trouble: nothing is removed, the words help
my @troubles = (
	[ '401', { status => 401 }, qr/authentication|401/ ],
	[ '403', { status => 403 }, qr/denied|403/ ],
	[ '404 everywhere', { status => 404 }, qr/404|not found|no registry/i ],
	[ '429', { status => 429, headers => { 'Retry-After' => '120' } }, qr/limits requests/ ],
	[ '500', { status => 500 }, qr/500|server/i ],
	[ '503', { status => 503 }, qr/503|server/i ],
	[ 'a cut connection', { action => 'close' }, qr/connection|empty reply|closed/i ],
	[ 'a login page', { status => 200, headers => { 'Content-Type' => 'text/html' }, body => '<html>' }, qr/JSON|answer/i ],
);
for (@troubles)
{
	my ($what, $fault, $words) = @$_;
	with_faults({ path => '/v2/.*', %$fault });
	my $error = sync();
	like($error, $words, "$what: the error says so");
	like(status(), $words, "$what: so does sync_status");
	is(present(), $images, "$what: nothing is removed");
}
is($node->value(q{SELECT next_sync_at > last_finished_at FROM image_library.sync_status}), 't', 'the next try waits');

# --- trouble in the middle of a listing or a body
with_faults({ path => '/v2/team/good/tags/list.*', status => 500 });
sync();
like(status(), qr/^partial/, 'one repository that cannot be listed makes the run partial');
is(present(), $images, 'nothing is removed');
$repositories->{'team/good'}{'2.0'} = {};
with_faults({ method => 'GET', path => '/v2/team/good/manifests/2.0', action => 'truncate', times => 1 });
sync();
is($node->value(q{SELECT count(*) FROM image_library.images WHERE tag = '2.0'}), '1', 'a cut body is read again');

# --- listings that lie: tags vanish, but HEAD still finds them
with_faults({ path => '/v2/team/good/tags/list.*', status => 200, body => '{"name":"team/good","tags":["1.0","1.1","1.2"]}' });
sync();
is(present(), $images + 1, 'a tag that HEAD still finds is not missing');
# --- a listing that shrinks too far
with_faults({ path => '/v2/team/good/tags/list.*', status => 200, body => '{"name":"team/good","tags":null}' });
sync();
is(present(), $images + 1, 'a listing that lost everything removes nothing');
like($node->value(q{SELECT detail FROM image_library.sync_problem WHERE repository = 'team/good'}),
	qr/lacks 4 of 4 known tags.*accept_removals/, 'and is reported');
with_faults();
is(sync(), '', 'all is well again');
is($node->value('SELECT repository || $$ $$ || problem FROM image_library.sync_problem'), 'team/bad removals refused',
	'and the only problem left is that the bad tags were deleted');

# --- SQL's own bad input leaves no row
my $before = $node->value('SELECT count(*) FROM image_library_internal.registry');
for my $url ('ftp://example.org', 'https://user:secret@example.org', 'https://exa mple.org', 'https://example.org/?x=1', '')
{
	like($node->error("SELECT image_library.add_registry('bad', '$url')"), qr/^ERROR:  22023.*HINT/s, "URL '$url' is refused with a hint");
}
unlike($node->error(q{SELECT image_library.add_registry('bad', 'https://user:secret@example.org')}), qr/secret/, 'a password in a URL is not repeated');
is($node->value('SELECT count(*) FROM image_library_internal.registry'), $before, 'no row is left');
like($node->error(q{CALL image_library.sync('nowhere')}), qr/^ERROR:  42704.*HINT/s, 'an unknown registry');
like($node->error(q{BEGIN; CALL image_library.sync()}), qr/^ERROR:  2D000.*HINT/s, 'sync in a transaction block');

# --- addresses that are refused
$node->value(sprintf q{SELECT image_library.add_registry('inward', '%s/inward')}, $registry->url);
like($node->error(q{CALL image_library.sync('inward')}), qr/HINT:.*allow_private/s, 'loopback needs allow_private');
$node->value(q{SELECT image_library.add_registry('metadata', 'http://169.254.169.254', allow_private => true)});
like($node->error(q{CALL image_library.sync('metadata')}), qr/^ERROR:  (08006|42501).*link-local|metadata/s, 'link-local never is allowed');

$node->stop;
$registry->stop;
done_testing();

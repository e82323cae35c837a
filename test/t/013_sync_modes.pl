# Syncs from docker-registry in the modes that other tests do not have: client certificates over IPv6,
# read-only; blobs elsewhere; a cache that has lost its upstream.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use BlobStore;
use DockerRegistry;
use ImageLibrary;
use PrivateCa;

my $origin = DockerRegistry->new(mode => 'open');
my $pushed = $origin->push_samples;
my $node = ImageLibrary::node('main', 'image_library.enabled = off');

sub sync { return $node->error("CALL image_library.sync('$_[0]')") }

# `repository:tag digest` of what is there, without what hangs on other images.
sub library
{
	my ($registry) = @_;
	return $node->value(qq{SELECT string_agg(line, E'\\n' ORDER BY line COLLATE "C")
		FROM (SELECT repository || ':' || tag || ' ' || digest AS line FROM image_library.images
		      WHERE registry = '$registry' AND missing_since IS NULL) lines});
}

sub samples
{
	my ($pattern) = @_;
	return join "\n", sort map { "$_ $pushed->{$_}" } grep { !/:sha256-/ && /$pattern/ } keys %$pushed;
}

# --- client certificates, IPv6, read-only
my $corporate = DockerRegistry->new(mode => 'mtls+ipv6+readonly', storage => $origin);
my $ca = $corporate->ca;
$node->value(sprintf q{
	SELECT image_library.add_registry('corporate', '%s', allow_private => true, ca_certificate => $$%s$$);
	SELECT image_library.add_rule('corporate', '**')}, $corporate->url, $ca);
like(sync('corporate'), qr/^ERROR:  08006: could not sync registry "corporate".*certificate/si,
	'mtls: without a certificate the error says what is wanted');
my ($key, $certificate) = map { slurp_file($_) } PrivateCa->new(PostgreSQL::Test::Utils::tempdir())->issue('stranger', 'clientAuth');
$node->value("SELECT image_library.set_client_certificate('corporate', \$\$$certificate\$\$, \$\$$key\$\$)");
like(sync('corporate'), qr/^ERROR:  08006: could not sync registry "corporate".*certificate/si,
	'mtls: one from another authority is refused');
($key, $certificate) = map { slurp_file($_) } $corporate->client_key, $corporate->client_certificate;
$node->value("SELECT image_library.set_client_certificate('corporate', \$\$$certificate\$\$, \$\$$key\$\$)");
is(sync('corporate'), '', 'mtls: it syncs with the right one');
is(library('corporate'), samples('.'), 'mtls+ipv6+readonly: the library holds what was pushed');
my $host = $corporate->host;
is( $node->value(q{SELECT DISTINCT split_part(reference, '/', 1) FROM image_library.images WHERE registry = 'corporate'}),
	$host, 'ipv6: references name the address in brackets');
$node->value(q{SELECT image_library.approve(reference) FROM image_library.images
	WHERE registry = 'corporate' AND repository = 'postgresql' AND tag = '17.4-2503310734'});
is( $node->value("SELECT image_library.resolve('$host/postgresql:17.4-2503310734')"),
	"$host/postgresql:17.4-2503310734\@" . $pushed->{'postgresql:17.4-2503310734'}, 'ipv6: and resolve');
is_deeply([ grep { $_->{method} !~ /^(GET|HEAD)$/ } @{ $corporate->requests } ], [],
	'readonly: nothing but GET and HEAD was asked');
$node->value(q{SELECT image_library.drop_client_certificate('corporate')});
like(sync('corporate'), qr/certificate/, 'mtls: a dropped certificate is not used');
is(library('corporate'), samples('.'), 'mtls: and nothing is lost');

# --- blobs in another place, which must not see the credential
my $store = BlobStore->new($origin);
my $redirecting = DockerRegistry->new(mode => 'token+redirect', storage => $origin, target => $store);
$node->value(sprintf q{
	SELECT image_library.add_registry('redirecting', '%s', allow_private => true);
	SELECT image_library.set_credential('redirecting', '%s', '%s');
	SELECT image_library.add_rule('redirecting', 'postgresql');
	SELECT image_library.add_rule('redirecting', 'edb-postgres-advanced')},
	$redirecting->url, $redirecting->user, $redirecting->password);
# Known from elsewhere, no image would be read again.
$node->value(q{SELECT image_library.drop_registry('corporate', cascade => true)});
is(sync('redirecting'), '', 'redirect: it syncs');
is(library('redirecting'), samples('^(postgresql|edb-postgres-advanced):'), 'redirect: the library holds what was pushed');
my @asked = @{ $store->requests };
cmp_ok(scalar @asked, '>=', 5, 'redirect: blobs were read from the other place');
is_deeply([ grep { $_->{status} != 200 } @asked ], [], 'redirect: and were there');
is_deeply([ grep { exists $_->{headers}{authorization} } @asked ], [], 'redirect: it saw no Authorization');
is_deeply([ grep { "@{[ %{ $_->{headers} } ]}" =~ /s3cret|Bearer|Basic/ || $_->{path} =~ /s3cret/ } @asked ], [],
	'redirect: nor a secret elsewhere');
isnt($node->value(q{SELECT labels->>'org.opencontainers.image.title' FROM image_library.images
	WHERE registry = 'redirecting' AND labels <> '{}' LIMIT 1}), undef, 'redirect: what the blobs say is in the library');

# --- a cache: its upstream goes, and then its store
my $cache = DockerRegistry->new(mode => 'proxy', upstream => $origin);
$node->value(sprintf q{
	SELECT image_library.add_registry('cache', '%s', allow_private => true);
	SELECT image_library.add_rule('cache', 'postgresql', approval => 'auto')}, $cache->url);
is(sync('cache'), '', 'proxy: it syncs through the cache');
my $all = samples('^postgresql:');
is(library('cache'), $all, 'proxy: the library holds what the upstream has');
$origin->stop;
sync('cache');
is(library('cache'), $all, 'proxy: nothing is missing while the upstream is down');
$origin->start;
$cache->forget;
my ($kept) = map { s/.*://r } grep { /^postgresql:/ && !/:sha256-/ } sort keys %$pushed;
my %accept = (headers => { Accept => 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json' });
HTTP::Tiny->new->get($cache->url . "/v2/postgresql/manifests/$kept", \%accept);
$origin->stop;
my $listed = HTTP::Tiny->new->get($cache->url . '/v2/postgresql/tags/list');
is($listed->{status}, 200, 'proxy: a cache without upstream answers 200');
my @tags = @{ decode_json($listed->{content})->{tags} // [] };
cmp_ok(scalar @tags, '<', (split /\n/, $all) / 2, 'proxy: with the few tags that it happens to have');
is(HTTP::Tiny->new->head($cache->url . '/v2/postgresql/manifests/17.4-2503310734', \%accept)->{status}, 404,
	'proxy: and 404 for the others');
sync('cache');
is(library('cache'), $all, 'proxy: nothing is missing for that');
is($node->value(q{SELECT count(*) FROM image_library.postgres_images WHERE registry = 'cache' AND approval <> 'approved'}), '0',
	'proxy: nor less approved');
like($node->value(q{SELECT string_agg(detail, ' ') FROM image_library.sync_problem WHERE registry = 'cache'}),
	qr/lacks \d+ of \d+ known tags/, 'proxy: but it is told');
$origin->start;
is(sync('cache'), '', 'proxy: with its upstream back');
is(library('cache'), $all, 'proxy: all is as it was');
is($node->value(q{SELECT count(*) FROM image_library.sync_problem WHERE registry = 'cache'}), '0', 'proxy: the problem is over');

$node->stop;
$_->stop for $cache, $redirecting, $store, $corporate, $origin;
done_testing();

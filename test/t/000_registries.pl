# The registries that the other tests read from do what their modes say, in skopeo's eyes.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::RealBin/../lib";
use IO::Socket::INET;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;

my $sample = 'postgresql:17.4-2503310734';

# The output of skopeo, or undef when it fails.
sub skopeo
{
	my ($out, $err) = run_command([ 'skopeo', @_ ]);
	return $? == 0 ? $out : undef;
}

sub inspect
{
	my ($registry, $name, @options) = @_;
	my $out = skopeo('inspect', '--no-tags', @options, 'docker://' . $registry->host . "/$name");
	return defined $out ? decode_json($out)->{Digest} : undef;
}

# The digest of the manifest's bytes, also of what skopeo does not understand as an image.
sub raw_digest
{
	my ($registry, $name, @options) = @_;
	my $out = skopeo('inspect', '--raw', @options, 'docker://' . $registry->host . "/$name");
	return defined $out ? 'sha256:' . sha256_hex($out) : undef;
}

my $open = DockerRegistry->new(mode => 'open');
my $pushed = $open->push_samples;
cmp_ok(scalar keys %$pushed, '>=', 18, 'the samples are pushed');
is($open->ca, undef, 'no TLS, no CA');
is_deeply($open->push_samples, $pushed, 'a second push gives the same digests');
for my $name (sort keys %$pushed)
{
	is(raw_digest($open, $name, $open->skopeo_options), $pushed->{$name}, "open: $name");
	# Models and charts as artifacts are no images to skopeo.
	next if $name =~ /^(models|charts)\/|:sha256-/;
	is(inspect($open, $name, $open->skopeo_options), $pushed->{$name}, "open: the image $name");
}

my %by_repository;
push @{ $by_repository{ s/:.*//r } }, s/.*://r for keys %$pushed;
for my $mode (qw(htpasswd token))
{
	my $registry = DockerRegistry->new(mode => $mode, anonymous => ['charts/postgres']);
	is_deeply($registry->push_samples, $pushed, "$mode: the samples are pushed");
	for my $repository (sort keys %by_repository)
	{
		my $listed = skopeo('list-tags', $registry->skopeo_options,
			'docker://' . $registry->host . "/$repository");
		is_deeply([ sort @{ decode_json($listed // '{"Tags":[]}')->{Tags} } ],
			[ sort @{ $by_repository{$repository} } ], "$mode: tags of $repository");
	}
	is(inspect($registry, $sample, $registry->skopeo_options), $pushed->{$sample}, "$mode: $sample");
	my @anonymous = $registry->skopeo_tls_options;
	is(inspect($registry, $sample, @anonymous), undef, "$mode: not without credentials");
	is(inspect($registry, $sample, @anonymous, '--creds', 'robot:wrong'), undef,
		"$mode: not with a wrong password");
	next unless $mode eq 'token';
	my $public = 'charts/postgres:16.5.0';
	is(raw_digest($registry, $public, @anonymous), $pushed->{$public},
		'token: a public repository needs no credentials');
	my @asked = @{ $registry->token_requests };
	ok((grep { !defined $_->{user} && $_->{status} == 200 } @asked), 'token: anonymous requests');
	ok((grep { $_->{status} == 401 } @asked), 'token: refused requests');
	ok( (grep { "@{ $_->{scopes} }" =~ /^repository:postgresql:/ && $_->{user} eq 'robot' }
			grep { defined $_->{user} } @asked),
		'token: requests with a scope');
}

# --- what is pushed to a tag, and deleted
my $moved = $open->push_samples('--move', split /:/, $sample);
isnt($moved->{$sample}, $pushed->{$sample}, 'a tag moves');
is(inspect($open, $sample, $open->skopeo_options), $moved->{$sample}, 'to the new digest');
isnt($open->push_samples('--move', split /:/, $sample)->{$sample}, $moved->{$sample}, 'and again');
$open->push_samples('--delete', 'postgresql', '16.8-2503191025');
is(inspect($open, 'postgresql:16.8-2503191025', $open->skopeo_options), undef, 'a tag is deleted');

# --- modes on one storage
my $readonly = DockerRegistry->new(mode => 'readonly', storage => $open);
ok(!eval { $readonly->push_samples('--delete', split /:/, $sample) }, 'readonly: a deletion fails');
like($@, qr/DELETE .* 405/, 'readonly: as not allowed');
is(inspect($readonly, $sample, $readonly->skopeo_options),
	inspect($open, $sample, $open->skopeo_options), 'readonly: nothing is deleted');
my $proxy = DockerRegistry->new(mode => 'proxy', upstream => $open);
is(inspect($proxy, 'postgresql:18.3-2605132051', $proxy->skopeo_options),
	$pushed->{'postgresql:18.3-2605132051'}, 'proxy: reads from its upstream');
my $redirect = DockerRegistry->new(mode => 'redirect', storage => $open, target => 'http://127.0.0.1:9');
is(inspect($redirect, 'postgresql:18.3-2605132051', $redirect->skopeo_options), undef,
	'redirect: the config is elsewhere');
ok((grep { $_->{status} == 307 } @{ $redirect->requests }), 'redirect: by 307');

# --- TLS on both sides
my $mtls = DockerRegistry->new(mode => 'mtls');
my $few = $mtls->push_samples('--only', 'postgresql:17.*');
is_deeply([ sort grep { !/:sha256-/ } keys %$few ], [ sort grep { /^postgresql:17/ } keys %$pushed ],
	'mtls: some of the samples are pushed');
is(scalar(grep { /:sha256-/ } keys %$few), 2, 'with what is attached to them');
is(inspect($mtls, $sample, $mtls->skopeo_options), $pushed->{$sample}, "mtls: $sample");
ok( unlink($mtls->certificates . '/client.key', $mtls->certificates . '/client.cert') == 2
	  && !defined inspect($mtls, $sample, $mtls->skopeo_options),
	'mtls: not without a certificate');

# --- restarts and requests
my $before = @{ $open->requests };
$open->restart;
inspect($open, 'postgresql:18.3-2605132051', $open->skopeo_options);
my @requests = @{ $open->requests };
ok( (grep { $_->{method} eq 'GET' && $_->{path} eq '/v2/postgresql/manifests/18.3-2605132051' && $_->{status} == 200 }
		@requests[ $before .. $#requests ]),
	'requests are on record across a restart');
$open->stop;
ok(!IO::Socket::INET->new(PeerAddr => $open->host), 'a stopped registry refuses connections');

done_testing();

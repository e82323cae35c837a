# Debian's docker-registry on loopback, in several modes.
package DockerRegistry;

use strict;
use warnings;
use FindBin;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);
use PrivateCa;
use ServerProcess;
use TokenServer;

my $true = JSON::PP::true;

# What each mode adds to the configuration; a configuration in JSON is YAML too.
my %modes = (
	open => sub { },
	ipv6 => sub { },
	htpasswd => \&_require_password,
	token => \&_require_token,
	mtls => \&_require_certificate,
	readonly => sub { $_[1]{storage}{maintenance}{readonly}{enabled} = $true },
	proxy => sub { $_[1]{proxy}{remoteurl} = $_[0]{upstream}->url },
	redirect => sub {
		$_[1]{middleware}{storage} = [ { name => 'redirect', options => { baseurl => ref $_[0]{target} ? $_[0]{target}->url : $_[0]{target} } } ];
	});

# mode, or several as in 'token+redirect':
#   open      http, everybody may push
#   htpasswd  https from a private CA, Basic authentication
#   token     http, Bearer authentication with a TokenServer; anonymous => [repositories],
#             lifetime => seconds
#   mtls      https that asks for a certificate of the private CA: client_key, client_certificate
#   readonly  like open, pushes are refused
#   proxy     pull-through cache of upstream => another DockerRegistry
#   redirect  like open, blobs are redirected to target => a BlobStore or an URL
#   ipv6      at [::1]
# storage => another DockerRegistry: serves what that one stores.
# notify => { url, secret }: posts its events there.
sub new
{
	my ($class, %options) = @_;
	my $mode = $options{mode} // 'open';
	my $self = bless {
		%options,
		mode => $mode,
		scheme => 'http',
		user => 'robot',
		password => 's3cret',
		address => $mode =~ /\bipv6\b/ ? '[::1]' : '127.0.0.1',
		folder => PostgreSQL::Test::Utils::tempdir('registry_' . $mode =~ tr/+/_/r)
	}, $class;
	$self->{data} = $options{storage} ? $options{storage}{data} : "$self->{folder}/data";
	$self->{access_log} = "$self->{folder}/access.log";
	my %configuration = (
		version => '0.1',
		log => { level => 'error' },
		storage => {
			filesystem => { rootdirectory => $self->{data} },
			delete => { enabled => $true }
		},
		http => {});
	$configuration{notifications}{endpoints} = [ {
		name => 'webhook', url => $options{notify}{url}, timeout => '5s', threshold => 3, backoff => '1s',
		headers => { Authorization => [ "Bearer $options{notify}{secret}" ] } } ] if $options{notify};
	for (split /\+/, $mode)
	{
		my $configure = $modes{$_} or die "unknown mode of a registry: $_";
		$configure->($self, \%configuration);
	}
	$self->{configuration} = \%configuration;
	$self->{port} = PostgreSQL::Test::Cluster::get_free_port();
	$self->start;
	return $self;
}

sub start
{
	my ($self) = @_;
	my $file = "$self->{folder}/registry.yml";
	$self->{configuration}{http}{addr} = $self->host;
	unlink $file;
	append_to_file($file, encode_json($self->{configuration}));
	$self->{process} = ServerProcess->start(
		command => [ 'docker-registry', 'serve', $file ],
		output => $self->{access_log},
		errors => "$self->{folder}/registry.log");
	$self->{process}->wait_for_port($self->{port}, $self->{address} =~ tr/[]//dr)
	  or die 'docker-registry did not start: ' . slurp_file("$self->{folder}/registry.log");
	return;
}

# Ends the registry; its port refuses connections until start.
sub stop
{
	my ($self) = @_;
	$self->{process}->stop;
	return;
}

# Deletes everything that it stores, as a cache may; its URL stays.
sub forget
{
	my ($self) = @_;
	$self->stop;
	$self->{configuration}{storage}{filesystem}{rootdirectory} = $self->{data} =
	  PostgreSQL::Test::Utils::tempdir('registry_data');
	$self->start;
	return;
}

sub restart { $_[0]->stop; $_[0]->start; return }

sub host { return "$_[0]{address}:$_[0]{port}" }
sub url { return "$_[0]{scheme}://" . $_[0]->host }
sub user { return $_[0]{user} }
sub password { return $_[0]{password} }
sub folder { return $_[0]{folder} }
sub data { return $_[0]{data} }
sub client_key { return $_[0]{client_key} }
sub client_certificate { return $_[0]{client_certificate} }
# For skopeo: a folder with the CA and, in mode mtls, the client's certificate.
sub certificates { return "$_[0]{folder}/certificates" }

# The CA's certificate as PEM text; undef without TLS.
sub ca { return $_[0]{ca} && $_[0]{ca}->certificate }
sub ca_file { return $_[0]{ca} && $_[0]{ca}->file }

# Pushes the sample catalogue, or does what the arguments of samples.py say. Returns
# { 'repository:tag' => digest }.
sub push_samples
{
	my ($self, @arguments) = @_;
	my @command = ('python3', '-B', "$FindBin::RealBin/../registry/samples.py", $self->url);
	push @command, '--ca', $self->ca_file if $self->{ca};
	push @command, '--user', "$self->{user}:$self->{password}" if $self->{needs_user};
	push @command, '--certificate', $self->client_certificate, '--key', $self->client_key
	  if $self->{client_key};
	my ($out, $err) = run_command([ @command, @arguments ]);
	die "could not push the samples: $err" if $? != 0;
	return { map { (split / /)[ 0, 1 ] } split /\n/, $out };
}

# Pushes small images: [repository, tag, content], and deletes those without content, see plain.py. Returns the digests.
sub push_plain
{
	my ($self, @images) = @_;
	my $lines = join '', map { "@$_\n" } @images;
	my @command = ('python3', '-B', "$FindBin::RealBin/../registry/plain.py", $self->url);
	push @command, '--user', "$self->{user}:$self->{password}" if $self->{needs_user};
	my ($out, $err) = ('', '');
	IPC::Run::run(\@command, '<', \$lines, '>', \$out, '2>', \$err) or die "could not push: $err";
	return map { (split / /)[2] } split /\n/, $out;
}

# Options that skopeo needs to read this registry, and those of them that are about TLS.
sub skopeo_options
{
	my ($self) = @_;
	my @options = $self->skopeo_tls_options;
	push @options, '--creds', "$self->{user}:$self->{password}" if $self->{needs_user};
	return @options;
}

sub skopeo_tls_options
{
	my ($self) = @_;
	return $self->{ca} ? ('--cert-dir', $self->certificates) : ('--tls-verify=false');
}

# Every request since the registry was made, those of push_samples too: [{method, path, status}].
sub requests
{
	my ($self) = @_;
	# The line of a request may follow its answer by a moment.
	my $size = -1;
	until ($size == -s $self->{access_log})
	{
		$size = -s $self->{access_log};
		usleep 50_000;
	}
	my @requests;
	for (split /\n/, slurp_file($self->{access_log}))
	{
		next unless /"([A-Z]+) (\S+) HTTP\/[0-9.]+" (\d+) /;
		push @requests, { method => $1, path => $2, status => $3 };
	}
	return \@requests;
}

# The requests that the token server got, see TokenServer.
sub token_requests { return $_[0]{token_server}->requests }
sub token_server { return $_[0]{token_server} }

sub _folder
{
	my ($self, $name) = @_;
	my $folder = "$self->{folder}/$name";
	mkdir $folder or die "could not make $folder: $!";
	return $folder;
}

sub _use_tls
{
	my ($self, $configuration) = @_;
	# skopeo reads every .crt of a folder as a CA, so this one holds nothing else.
	my $keys = $self->_folder('keys');
	$self->{ca} = PrivateCa->new($keys);
	my ($key, $certificate) = $self->{ca}->issue('registry', 'serverAuth');
	append_to_file($self->_folder('certificates') . '/ca.crt', $self->ca);
	$configuration->{http}{tls} = { certificate => $certificate, key => $key };
	$self->{scheme} = 'https';
}

sub _require_password
{
	my ($self, $configuration) = @_;
	_use_tls($self, $configuration);
	my ($line, $err) = run_command([ 'htpasswd', '-nbB', $self->{user}, $self->{password} ]);
	die "htpasswd: $err" if $? != 0;
	my $file = "$self->{folder}/htpasswd";
	append_to_file($file, "$line\n");
	$configuration->{auth}{htpasswd} = { realm => 'image_library test', path => $file };
	$self->{needs_user} = 1;
}

sub _require_token
{
	my ($self, $configuration) = @_;
	my ($key, $certificate) = PrivateCa::token_signer($self->_folder('keys'), 'token');
	$self->{token_server} = TokenServer->new(
		folder => $self->{folder}, key => $key, certificate => $certificate,
		map { ($_ => $self->{$_}) } qw(user password anonymous lifetime));
	$configuration->{auth}{token} = {
		realm => $self->{token_server}->realm,
		service => $TokenServer::service,
		issuer => $TokenServer::issuer,
		rootcertbundle => $certificate
	};
	$self->{needs_user} = 1;
}

sub _require_certificate
{
	my ($self, $configuration) = @_;
	_use_tls($self, $configuration);
	$configuration->{http}{tls}{clientcas} = [ $self->ca_file ];
	@$self{qw(client_key client_certificate)} = $self->{ca}->issue('client', 'clientAuth');
	link $self->{client_key}, $self->certificates . '/client.key' or die "could not link: $!";
	link $self->{client_certificate}, $self->certificates . '/client.cert' or die "could not link: $!";
}

1;

# The token server of a registry with Bearer authentication, as a process of the test.
package TokenServer;

use strict;
use warnings;
use FindBin;
use Journal;
use PostgreSQL::Test::Utils;
use ServerProcess;

our $service = 'image_library test registry';
our $issuer = 'image_library test issuer';

# folder for its files; key and certificate to sign with; user and password of the one account;
# anonymous: repositories that everybody may pull; lifetime of tokens in seconds.
sub new
{
	my ($class, %options) = @_;
	my $self = bless {%options}, $class;
	my $folder = $options{folder};
	$self->{journal} = "$folder/token.journal";
	append_to_file($self->{journal}, '');
	$self->{process} = ServerProcess->start(
		command => [
			'python3', '-B', "$FindBin::RealBin/../registry/token_server.py",
			'--key', $options{key}, '--certificate', $options{certificate},
			'--issuer', $issuer, '--service', $service, '--journal', $self->{journal},
			'--user', "$options{user}:$options{password}",
			'--lifetime', $options{lifetime} // 300,
			map { ('--anonymous', $_) } @{ $options{anonymous} // [] }
		],
		output => "$folder/token.port",
		errors => "$folder/token.log");
	$self->{port} = $self->{process}->wait_for(sub {
			return -s "$folder/token.port" && slurp_file("$folder/token.port") =~ /^(\d+)\n/ ? $1 : 0;
	}) or die 'the token server did not start: ' . slurp_file("$folder/token.log");
	return $self;
}

sub realm { return "http://127.0.0.1:$_[0]{port}/token" }

# The requests that it got: [{method, path, user, service, scopes, status}].
sub requests { return scalar Journal::requests($_[0]{journal}) }

sub stop { $_[0]{process}->stop }

1;

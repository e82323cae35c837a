# The fault-injecting registry of test/registry, as a process of the test.
package FaultRegistry;

use strict;
use warnings;
use FindBin;
use JSON::PP;
use PostgreSQL::Test::Utils;
use ServerProcess;

# profile: what fault_registry.py takes, as a Perl structure.
sub new
{
	my ($class, $profile) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $self = bless { folder => $folder, journal => "$folder/journal", changes => 0 }, $class;
	append_to_file($self->{journal}, '');
	$self->profile($profile);
	$self->{process} = ServerProcess->start(
		command => [
			'python3', '-B', "$FindBin::RealBin/../registry/fault_registry.py",
			"$folder/profile.json", $self->{journal}
		],
		output => "$folder/port",
		errors => "$folder/errors");
	$self->{port} = $self->{process}->wait_for(sub {
			return -s "$folder/port" && slurp_file("$folder/port") =~ /^(\d+)\n/ ? $1 : 0;
	}) or die 'the registry did not start: ' . slurp_file("$folder/errors");
	return $self;
}

sub url { return "http://127.0.0.1:$_[0]{port}" }
sub host { return "127.0.0.1:$_[0]{port}" }

# Changes how it behaves from the next request on.
sub profile
{
	my ($self, $profile) = @_;
	my $file = "$self->{folder}/profile.json";
	open my $out, '>', "$file.new" or die "could not write $file: $!";
	print $out encode_json($profile);
	close $out;
	rename "$file.new", $file or die "could not rename $file: $!";
}

# What it was asked since it started: [{time, method, path, headers, status}].
sub requests { return [ map { decode_json($_) } split /\n/, slurp_file($_[0]{journal}) ] }

sub stop { $_[0]{process}->stop }

1;

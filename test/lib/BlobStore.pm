# The object store of test/registry/blob_store.py, as a process of the test.
package BlobStore;

use strict;
use warnings;
use FindBin;
use Journal;
use PostgreSQL::Test::Utils;
use ServerProcess;

# storage: the DockerRegistry whose blobs it serves.
sub new
{
	my ($class, $storage) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir('blob_store');
	my $self = bless { journal => "$folder/journal" }, $class;
	append_to_file($self->{journal}, '');
	$self->{process} = ServerProcess->start(
		command => [
			'python3', '-B', "$FindBin::RealBin/../registry/blob_store.py", $self->{journal},
			$storage->data
		],
		output => "$folder/port",
		errors => "$folder/errors");
	$self->{port} = $self->{process}->wait_for(sub {
			return -s "$folder/port" && slurp_file("$folder/port") =~ /^(\d+)\n/ ? $1 : 0;
	}) or die 'the blob store did not start: ' . slurp_file("$folder/errors");
	return $self;
}

sub url { return "http://127.0.0.1:$_[0]{port}" }

# The requests that it got: [{method, path, headers, status}].
sub requests { return scalar Journal::requests($_[0]{journal}) }

sub stop { $_[0]{process}->stop }

1;

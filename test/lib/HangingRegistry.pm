# A registry that accepts every connection and never answers.
package HangingRegistry;

use strict;
use warnings;
use IO::Socket::INET;

sub new
{
	my ($class) = @_;
	my $listener = IO::Socket::INET->new(
		Listen => 64,
		LocalAddr => '127.0.0.1',
		ReuseAddr => 1) or die "could not listen: $!";
	my $pid = fork() // die "could not fork: $!";
	if ($pid == 0)
	{
		# prove waits for every process that holds its pipes.
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		my @connections;
		while (my $connection = $listener->accept)
		{
			push @connections, $connection;
		}
		exec '/bin/true';
	}
	return bless { pid => $pid, port => $listener->sockport, owner => $$ }, $class;
}

sub url { return "http://127.0.0.1:$_[0]{port}" }

sub stop
{
	my ($self) = @_;
	return unless $self->{pid} && $self->{owner} == $$;
	kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	$self->{pid} = 0;
}

sub DESTROY { local $?; $_[0]->stop }

1;

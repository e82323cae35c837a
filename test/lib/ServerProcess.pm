# A server that a test starts: a child process that is ended when the test ends.
package ServerProcess;

use strict;
use warnings;
use IO::Socket::IP;
use POSIX qw(WNOHANG);
use Time::HiRes qw(time usleep);

my @running;

# command: [program, arguments]; output and errors: files they are appended to.
sub start
{
	my ($class, %options) = @_;
	my $pid = fork() // die "could not fork: $!";
	if ($pid == 0)
	{
		# prove waits for every process that holds its pipes, so the child must not keep them.
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', $options{output} or POSIX::_exit(126);
		open STDERR, '>>', $options{errors} or POSIX::_exit(126);
		exec { $options{command}[0] } @{ $options{command} } or POSIX::_exit(127);
	}
	my $self = bless { pid => $pid, owner => $$ }, $class;
	push @running, $self;
	return $self;
}

sub pid { return $_[0]{pid} }

sub is_running
{
	my ($self) = @_;
	return 0 unless $self->{pid};
	return 1 if waitpid($self->{pid}, WNOHANG) == 0;
	$self->{pid} = 0;
	return 0;
}

# Waits until condition->() is true, whose value is returned; undef when the process ends before or
# 30 seconds pass.
sub wait_for
{
	my ($self, $condition) = @_;
	my $end = time + 30;
	while (time < $end)
	{
		my $value = $condition->();
		return $value if $value;
		return undef unless $self->is_running;
		usleep 20_000;
	}
	return undef;
}

# Waits until it accepts connections at the port; address: 127.0.0.1 unless given.
sub wait_for_port
{
	my ($self, $port, $address) = @_;
	return $self->wait_for(sub {
		return IO::Socket::IP->new(PeerAddr => $address // '127.0.0.1', PeerPort => $port, Timeout => 1);
	});
}

# Ends the process at once and waits until it is gone; nothing when it is gone already.
sub stop
{
	my ($self) = @_;
	# A forked child of the test has a copy of this object, but not this child.
	if ($self->{owner} == $$ && $self->is_running)
	{
		kill 'KILL', $self->{pid};
		waitpid $self->{pid}, 0;
		$self->{pid} = 0;
	}
	@running = grep { $_ != $self } @running;
}

END
{
	local $?;
	# A copy: stop takes the process out of the list.
	my @left = @running;
	$_->stop for @left;
}

1;

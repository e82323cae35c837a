# A session in psql that may lose its server, and says what became of each statement.
package Soak::Connection;

use strict;
use warnings;
use IO::Select;
use IPC::Open3;
use Time::HiRes qw(time usleep);

# node: a PostgreSQL::Test::Cluster; options: user, name (application_name), database.
sub new
{
	my ($class, $node, %options) = @_;
	return bless { node => $node, name => 'soak', user => 'postgres', database => 'postgres', %options, number => 0 }, $class;
}

# Waits until the server accepts connections; dies after 120 seconds.
sub connect
{
	my ($self) = @_;
	my $end = time + 120;
	until ($self->_open)
	{
		die "$self->{name} could not connect: $self->{said}\n" if time > $end;
		usleep 100_000;
	}
	return;
}

sub _open
{
	my ($self) = @_;
	$self->disconnect;
	local %ENV = (%ENV, PGAPPNAME => $self->{name}, PGOPTIONS => '-c client_min_messages=error', PGCONNECT_TIMEOUT => 30);
	$self->{pid} = open3(my $in, my $out, undef, 'psql', '-XAtq', '-F', '|', '-h', $self->{node}->host, '-p', $self->{node}->port,
		'-U', $self->{user}, '-d', $self->{database}, '-f', '-');
	$in->autoflush(1);
	@$self{qw(in out buffer)} = ($in, $out, '');
	my $answer = $self->ask("\\set VERBOSITY verbose\nSELECT pg_backend_pid()");
	$self->{said} = join ' ', map { $_->{text} } @{ $answer->{errors} };
	$self->{backend} = $answer->{rows}[0] // '';
	return $answer->{state} eq 'ok' && $self->{backend} =~ /^\d+$/;
}

sub backend { return $_[0]{backend} }
sub is_open { return defined $_[0]{pid} }

# Sends statements and waits for their end. Returns { state, rows, errors, from, to }. state: ok; error, of one of the
# statements at least; lost, when nobody can say what the server has done. errors: [{ state (SQLSTATE), text }].
sub ask
{
	my ($self, $sql, $limit) = @_;
	my %answer = (from => time, rows => [], errors => []);
	my $end_mark = 'end ' . ++$self->{number};
	{
		local $SIG{PIPE} = 'IGNORE';
		print { $self->{in} } "$sql;\n\\echo $end_mark\n";
	}
	my $in_error = 0;
	while (1)
	{
		my $line = $self->_line($answer{from} + ($limit // 300));
		if (!defined $line)
		{
			$self->disconnect;
			$answer{state} = 'lost';
			last;
		}
		last if $line eq $end_mark;
		if ($line =~ /(?:ERROR|FATAL|PANIC):  (\w{5}): (.*)/)
		{
			push @{ $answer{errors} }, { state => $1, text => $2 };
			$in_error = 1;
		}
		elsif ($in_error && $line =~ /^(DETAIL|HINT|CONTEXT|LOCATION|QUERY|STATEMENT):|^\t|^$/ || $line =~ /^psql:/)
		{
			$answer{errors}[-1]{text} .= " / $line" if $in_error && $line =~ /^(DETAIL|CONTEXT)/;
			push @{ $answer{errors} }, { state => '08006', text => $line } if $line =~ /^psql:.*connection|error: /;
		}
		elsif ($in_error && $line =~ /^(PL\/pgSQL|SQL) (function|statement)/) { }
		else
		{
			push @{ $answer{rows} }, $line;
		}
	}
	$answer{to} = time;
	$answer{state} //= @{ $answer{errors} } ? 'error' : 'ok';
	# An administrator's command ended it: psql reads on only to find that the connection is gone.
	if ($answer{state} eq 'error' && grep { $_->{state} =~ /^(57P0[1-4]|08)/ } @{ $answer{errors} })
	{
		$self->disconnect;
		$answer{state} = 'lost';
	}
	return \%answer;
}

# The first value; dies when there is an error.
sub value
{
	my ($self, $sql) = @_;
	my $answer = $self->ask($sql);
	die "$self->{name}: $sql: $answer->{state} " . join(' ', map { "$_->{state} $_->{text}" } @{ $answer->{errors} }) . "\n"
	  if $answer->{state} ne 'ok';
	return wantarray ? @{ $answer->{rows} } : $answer->{rows}[0] // '';
}

sub _line
{
	my ($self, $until) = @_;
	while ($self->{buffer} !~ /\n/)
	{
		my $left = $until - time;
		die "$self->{name}: a statement did not end in time\n" if $left <= 0;
		next unless IO::Select->new($self->{out})->can_read($left);
		sysread($self->{out}, $self->{buffer}, 65536, length $self->{buffer}) or return undef;
	}
	$self->{buffer} =~ s/^(.*?)\n//s;
	return $1;
}

sub disconnect
{
	my ($self) = @_;
	return unless $self->{pid};
	close $self->{in};
	close $self->{out};
	waitpid $self->{pid}, 0;
	delete @$self{qw(pid in out backend)};
	return;
}

1;

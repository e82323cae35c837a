# Looks at the server all along: transactions, snapshots, locks, autovacuum, private memory. Findings are times over a bound
# to which is added what the machine itself lost meanwhile.
package Soak::Watch;

use strict;
use warnings;
use List::Util qw(sum0 max);
use Time::HiRes qw(time usleep);
use Soak::Connection;
use Soak::Journal;

our $most_seconds = 5;
my $pause = 0.5;

# Everything but the sessions of the watch and of the test itself works on the library.
my $activity = q{
	SELECT a.pid, a.backend_type, a.application_name, round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 2),
	       a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL, coalesce(a.wait_event, ''),
	       CASE WHEN a.backend_type = 'autovacuum worker' AND a.wait_event_type = 'Lock' THEN cardinality(pg_blocking_pids(a.pid)) ELSE 0 END,
	       coalesce((SELECT round(extract(epoch FROM clock_timestamp() - min(l.waitstart))::numeric, 2) FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted), 0),
	       left(translate(a.query, E'\n|', '  '), 80)
	FROM pg_stat_activity a
	WHERE a.backend_type = 'image_library launcher'
	   OR a.datname = 'postgres' AND a.application_name NOT LIKE 'soak watch%' AND a.application_name NOT LIKE '%.pl'};

# Runs until time end, or until the file stop is there. node, journal (file), stop.
sub run
{
	my (%options) = @_;
	my $journal = Soak::Journal->new($options{journal});
	my $connection = Soak::Connection->new($options{node}, name => 'soak watch');
	my (@lost_time, $looked_at);
	until (-e $options{stop})
	{
		if (!$connection->is_open)
		{
			$connection->connect;
			undef $looked_at;
		}
		my $answer = $connection->ask($activity);
		next if $answer->{state} ne 'ok';
		# How much later than meant this look came, and how long the question itself took, is time that everybody has lost.
		push @lost_time, [ $answer->{to}, max(0, $answer->{to} - ($looked_at // $answer->{from}) - $pause) ];
		$looked_at = $answer->{to};
		@lost_time = grep { $_->[0] > $looked_at - 15 } @lost_time;
		_look($journal, $answer, sum0(map { $_->[1] } @lost_time));
		usleep 1_000_000 * $pause;
	}
	$connection->disconnect;
	return;
}

sub _look
{
	my ($journal, $answer, $lost) = @_;
	my %longest = (transaction => 0, lock => 0);
	for (@{ $answer->{rows} })
	{
		my ($pid, $type, $name, $open, $holds, $event, $blockers, $waited, $query) = split /\|/;
		# A procedure that has committed has a transaction at once, which holds nothing before its next statement.
		my $counts = $open ne '' && $type !~ /^autovacuum/ && ($holds eq 't' || $type ne 'client backend');
		my %seconds = (transaction => $counts ? $open : 0, lock => $waited);
		for my $what (sort keys %seconds)
		{
			$longest{$what} = max($longest{$what}, $seconds{$what});
			next if $seconds{$what} <= $most_seconds + $lost;
			$journal->write({ what => $type =~ /^autovacuum/ ? 'autovacuum' : $what, at => time,
				text => "$type $name: $seconds{$what} s, $event, $query (the machine lost " . sprintf('%.1f', $lost) . ' s)' });
		}
		my $memory = private_memory($pid);
		$journal->write({ what => 'memory', at => time, pid => $pid + 0, kind => _kind($type, $name), kb => $memory }) if $memory;
		$journal->write({ what => 'vacuum' }) if $type eq 'autovacuum worker';
	}
	$journal->write({ what => 'longest', %longest, lost => $lost });
	return;
}

sub _kind
{
	my ($type, $name) = @_;
	return 'launcher' if $type eq 'image_library launcher';
	return 'worker' if $type =~ /^image_library/;
	return $name =~ /^soak sync/ ? 'sync' : $name =~ /^soak person/ ? 'person' : 'other';
}

# Memory in kB that a process shares with nobody.
sub private_memory
{
	my ($pid) = @_;
	open my $file, '<', "/proc/$pid/smaps_rollup" or return 0;
	return sum0(map { /^Private_(?:Clean|Dirty):\s+(\d+)/ ? $1 : () } <$file>);
}

# Growth in kB allowed from the first to the last third: of the peaks of workers in the whole time, and of other processes in
# the longest life of one of them, after the time in which its caches fill.
our %most_growth = (worker => 2048, launcher => 512, sync => 4096, person => 2048);
my ($fills, $least_seconds) = (90, 90);

# samples: [{ at, pid, kind, kb }]. Returns a text of what grew, or '', and what was compared.
sub growth
{
	my ($kind, @samples) = @_;
	my %of_pid;
	push @{ $of_pid{ $_->{pid} } }, $_ for grep { $_->{kind} eq $kind } @samples;
	if ($kind eq 'worker')
	{
		@samples = sort { $a->{at} <=> $b->{at} } map { (sort { $b->{kb} <=> $a->{kb} } @$_)[0] } values %of_pid;
	}
	else
	{
		my ($longest) = sort { _span(@$b) <=> _span(@$a) } values %of_pid;
		@samples = grep { $_->{at} > $longest->[0]{at} + $fills } @{ $longest // [] };
		return ('', "$kind: none lived long enough to judge") if _span(@samples) < $least_seconds;
	}
	return ("$kind: there are only " . @samples . ' samples') if @samples < 9;
	my ($first, $last) = thirds(@samples);
	my $told = sprintf '%s: %d kB, then %d kB (%d samples in %d s)', $kind, $first, $last, scalar @samples, _span(@samples);
	return ($last - $first > $most_growth{$kind} ? $told : '', $told);
}

sub _span { return @_ ? $_[-1]{at} - $_[0]{at} : 0 }

# The middle values in kB of the first and the last third.
sub thirds
{
	my (@samples) = @_;
	my $third = int(@samples / 3);
	return map { _middle(map { $_->{kb} } @$_) } [ @samples[ 0 .. $third - 1 ] ], [ @samples[ -$third .. -1 ] ];
}

sub _middle { my @sorted = sort { $a <=> $b } @_; return $sorted[ @sorted / 2 ] }

# --- the log

# What may be there at level ERROR and above, with the reason.
my @expected = (
	[ qr/^57P01$/, 'backends and workers are terminated' ],
	[ qr/^57P0[23]$/, 'an immediate stop or crash, and clients that come while the server starts' ],
	[ qr/^(55000|P0002|42704|55P03|25P02)$/, 'answers to people, who write down those that are none', qr/^soak person/ ],
	[ qr/^(08006|08001|08P01|08000|55000|57014)$/, 'CALL sync says that the registry does not answer', qr/^soak sync/ ],
);

# Lines of the log that should not be there. text: of the log with the prefix %m|%p|%e|%b|%a|.
sub log_findings
{
	my ($text) = @_;
	my @findings;
	for (split /\n/, $text)
	{
		push @findings, $_ if /was terminated by signal (\d+)/ && $1 != 9;
		push @findings, $_ if /TRAP:|stack smashing|double free|malloc\(\)|canceling autovacuum task/;
		my ($state, $type, $name, $level) = /^[^|]+\|\d+\|(\w{5})\|([^|]*)\|([^|]*)\|(ERROR|FATAL|PANIC):/ or next;
		next if $level ne 'PANIC' && grep { $state =~ $_->[0] && (!$_->[2] || $name =~ $_->[2]) } @expected;
		push @findings, $_;
	}
	return @findings;
}

1;

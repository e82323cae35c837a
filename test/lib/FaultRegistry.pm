# The fault-injecting registry of test/registry, as a process of the test.
package FaultRegistry;

use strict;
use warnings;
use FindBin;
use HTTP::Tiny;
use JSON::PP;
use Journal;
use PostgreSQL::Test::Utils;
use ServerProcess;
use Test::More ();

my $source = "$FindBin::RealBin/../registry";

# profile: what fault_registry.py takes, as a Perl structure. ca: a PrivateCa, for TLS.
sub new
{
	my ($class, $profile, %options) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $self = bless { folder => $folder, journal => "$folder/journal", taken => 0 }, $class;
	append_to_file($self->{journal}, '');
	$self->profile($profile);
	my ($key, $certificate) = $options{ca} ? $options{ca}->issue('faulty', 'serverAuth') : ();
	$self->{scheme} = $key ? 'https' : 'http';
	$self->{process} = ServerProcess->start(
		command => [
			'python3', '-B', "$source/fault_registry.py", "$folder/profile.json", $self->{journal},
			$key ? ('--certificate', $certificate, '--key', $key) : ()
		],
		output => "$folder/ports",
		errors => "$folder/errors");
	my $ports = $self->{process}->wait_for(sub {
			return -s "$folder/ports" && slurp_file("$folder/ports") =~ /^(\d+ \d+)\n/ ? $1 : 0;
	}) or die 'the registry did not start: ' . slurp_file("$folder/errors");
	@$self{qw(port other_port)} = split / /, $ports;
	return $self;
}

# A profile of test/registry/profiles, its values without their sources.
sub recorded
{
	my ($name) = @_;
	return _plain(decode_json(slurp_file("$source/profiles/$name.json")));
}

sub _plain
{
	my ($value) = @_;
	return [ map { _plain($_) } @$value ] if ref $value eq 'ARRAY';
	return $value unless ref $value eq 'HASH';
	return _plain($value->{value}) if exists $value->{value} && exists $value->{checked_live};
	return { map { $_ => _plain($value->{$_}) } keys %$value };
}

sub url { return "$_[0]{scheme}://" . $_[0]->host }
sub host { return "127.0.0.1:$_[0]{port}" }
# The second listener: token server of another origin, object store.
sub other_host { return "127.0.0.1:$_[0]{other_port}" }

# Changes its behaviour from the next request on, and resets tokens, counts and content.
sub profile
{
	my ($self, $profile) = @_;
	my $file = "$self->{folder}/profile.json";
	open my $out, '>', "$file.new" or die "could not write $file: $!";
	print $out encode_json($profile);
	close $out;
	rename "$file.new", $file or die "could not rename $file: $!";
}

# { repository => { tag => digest } } as the registry has it now; http only.
sub truth
{
	my ($self) = @_;
	my $answer = HTTP::Tiny->new->get('http://' . $self->other_host . '/truth');
	die "no truth: $answer->{status} $answer->{content}" unless $answer->{success};
	return decode_json($answer->{content});
}

# The requests that it got since it started: [{time, listener, peer, tls, method, path, headers, status}],
# names of headers in lower case.
sub requests { return scalar Journal::requests($_[0]{journal}) }

# The requests that it got since the last call of take.
sub take
{
	my ($self) = @_;
	(my $requests, $self->{taken}) = Journal::requests($self->{journal}, $self->{taken});
	return $requests;
}

# `METHOD path` of requests; of the second listener with its name before. Sorted: requests run side
# by side.
sub lines
{
	my ($requests) = @_;
	return [ sort map { ($_->{listener} eq 'other' ? 'other ' : '') . "$_->{method} $_->{path}" }
		  @$requests ];
}

# Tests that exactly these requests came since the last call of take.
sub asked_exactly
{
	my ($self, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return Test::More::is_deeply(lines($self->take), [ sort @$expected ], $name);
}

sub stop { $_[0]{process}->stop }

1;

# Clouds' passwords live for hours: one that is renewed while a sync runs is taken up by the same sync, from the
# table and from a credential file.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Run;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use FaultRegistry;
use ImageLibrary;

my %profile = (
	repositories => { 'team/app' => { map { ("1.$_" => {}) } 1 .. 12 } },
	limits => { latency => 0.1 },
	auth => { scheme => 'basic', users => { AWS => 'password-1' } });
my $registry = FaultRegistry->new(\%profile);
my $folder = PostgreSQL::Test::Utils::tempdir();
my $node = ImageLibrary::node('main', "image_library.enabled = off\nimage_library.credentials_dir = '$folder'");
$node->value(sprintf q{
	SELECT image_library.add_registry('cloud', '%s', allow_private => true, max_connections => 1);
	SELECT image_library.add_rule('cloud', 'team/app');
	SELECT image_library.set_credential('cloud', 'AWS', 'password-1')}, $registry->url);

# Syncs, and calls renew when the registry has been asked a few times. Returns what psql said of it.
sub sync_while
{
	my ($renew) = @_;
	my $asked = @{ $registry->requests };
	my ($stdout, $stderr) = ('', '');
	my $session = IPC::Run::start(
		[ 'psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-c', q{CALL image_library.sync('cloud')}, 'postgres' ],
		\undef, \$stdout, \$stderr);
	my $patience = 600;
	usleep 50_000 while @{ $registry->requests } < $asked + 4 && $patience-- > 0;
	$renew->();
	$session->finish;
	return $stderr;
}

# The registry takes the new password only, from its next request on.
sub expect_password
{
	my ($password) = @_;
	$profile{auth}{users}{AWS} = $password;
	$registry->profile(\%profile);
}

sub outcome { return $node->value('SELECT outcome, problems FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1') }
# Passwords that were sent, in the order of their first use.
sub passwords
{
	my %seen;
	return join ' ', grep { !$seen{$_}++ }
	  map { ($_->{headers}{authorization} // $_->{headers}{Authorization} // '') =~ /^Basic (.+)/ ? decode_base64($1) =~ s/^AWS://r : () }
	  @{ $registry->requests };
}

my $said = sync_while(sub {
	$node->value(q{SELECT image_library.set_credential('cloud', 'AWS', 'password-2')});
	expect_password('password-2');
});
unlike($said, qr/ERROR|WARNING/, 'a sync whose password expires goes on with the one that is set meanwhile');
is(outcome(), 'complete|0', 'it is complete');
is($node->value('SELECT count(*) FROM image_library.images'), '12', 'nothing was left out');
is(passwords(), 'password-1 password-2', 'first the old password was sent, then the new one');

# --- the same by a credential file
sub write_file
{
	my ($password) = @_;
	my $auth = encode_base64("AWS:$password", '');
	open my $out, '>', "$folder/new.json" or die "could not write: $!";
	print $out sprintf '{"auths": {"%s": {"auth": "%s"}}}', $registry->host, $auth;
	close $out;
	rename "$folder/new.json", "$folder/cloud.json" or die "could not rename: $!";
}
write_file('password-2');
$node->value(q{SELECT image_library.set_credential_file('cloud', 'cloud.json')});
$said = sync_while(sub { write_file('password-3'); expect_password('password-3') });
unlike($said, qr/ERROR|WARNING/, 'a credential file that is written anew is read again');
is(outcome(), 'complete|0', 'the sync is complete');
is(passwords(), 'password-1 password-2 password-3', 'with the password of the new file');

# --- and when nobody renews it
$said = sync_while(sub { expect_password('password-4') });
like(outcome(), qr/^(partial|failed)\|[1-9]/, 'without a new password the sync is not complete');
is($node->value(q{SELECT string_agg(DISTINCT problem, ' ') FROM image_library.sync_problem}), 'denied', 'what it could not read is told as denied');
is($node->value('SELECT count(*) FROM image_library.images WHERE missing_since IS NULL'), '12', 'and nothing is removed');

$node->stop;
$registry->stop;
done_testing();

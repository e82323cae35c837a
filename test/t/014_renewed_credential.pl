# Clouds' passwords live for hours: one that is renewed while a sync runs is taken up by the same sync, from the
# table and from a credential file. One that is set for another host is not; one of an environment variable goes only
# where that says.
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
$ENV{IMAGE_LIBRARY_CLOUD} = 'password-5';
$ENV{IMAGE_LIBRARY_CLOUD_HOSTS} = 'nowhere.example.com, registry.corp.example, ' . $registry->host;
$ENV{IMAGE_LIBRARY_BARE} = 'password-6';
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

# As it is after a restore, or when file and environment have changed since it was set.
sub put_credential
{
	my ($to, $kind, $what) = @_;
	my $username = $kind eq 'variable' ? q{'AWS'} : 'NULL';
	$node->value(qq{
		DELETE FROM image_library_internal.credential USING image_library_internal.registry g WHERE g.registry_id = credential.registry_id AND g.name = '$to';
		INSERT INTO image_library_internal.credential (registry_id, repository_prefix, username, $kind)
		SELECT registry_id, '', $username, '$what' FROM image_library_internal.registry WHERE name = '$to'});
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

# --- an environment variable of the server: read at use, sent only where its _HOSTS says
expect_password('password-5');
$node->value(q{SELECT image_library.set_credential_variable('cloud', 'AWS', 'IMAGE_LIBRARY_CLOUD')});
$node->value(q{CALL image_library.sync('cloud')});
is(outcome(), 'complete|0', 'a password of an environment variable does');
unlike($node->value(q{SELECT string_agg(c::text, '') FROM image_library_internal.credential c}), qr/password-5/, 'and is stored nowhere');
my $other = FaultRegistry->new({ repositories => { 'team/app' => { '1.0' => {} } }, auth => { scheme => 'basic', users => {} } });
for (
	[ 'IMAGE_LIBRARY_ABSENT', qr/credential of registry "elsewhere" cannot be read: environment variable "IMAGE_LIBRARY_ABSENT" is not set.*HINT:.*restart/s ],
	[ 'IMAGE_LIBRARY_BARE', qr/"IMAGE_LIBRARY_BARE_HOSTS" does not name host/ ],
	[ 'IMAGE_LIBRARY_CLOUD', qr/"IMAGE_LIBRARY_CLOUD_HOSTS" does not name host "127\.0\.0\.1:\d+"/ ])
{
	my ($variable, $error) = @$_;
	$node->value(sprintf q{SELECT image_library.drop_registry('elsewhere')}) if $node->value(q{SELECT count(*) FROM image_library.registries WHERE name = 'elsewhere'});
	$node->value(sprintf q{
		SELECT image_library.add_registry('elsewhere', '%s', allow_private => true);
		SELECT image_library.add_rule('elsewhere', 'team/app')}, $other->url);
	like($node->error("SELECT image_library.set_credential_variable('elsewhere', 'AWS', '$variable')"), $error, "$variable is refused when it is set");
	put_credential('elsewhere', variable => $variable);
	like($node->error(q{CALL image_library.sync('elsewhere')}), $error, "and by a sync, where it is not for the host");
}
is(scalar @{ $other->requests }, 0, 'and no request is sent without it');

# --- nor where others on the network could read it, whoever is named
append_to_file("$folder/corp.json", '{"auths": {"registry.corp.example": {"username": "AWS", "password": "password-5"}}}');
$node->value(q{SELECT image_library.add_registry('corp', 'http://registry.corp.example'); SELECT image_library.add_rule('corp', 'team/app')});
for ([ q{set_credential_variable('corp', 'AWS', 'IMAGE_LIBRARY_CLOUD')}, 'environment variable "IMAGE_LIBRARY_CLOUD"' ],
	[ q{set_credential_file('corp', 'corp.json')}, 'credential file "corp.json"' ])
{
	my ($call, $source) = @$_;
	my $error = qr/credential of registry "corp" cannot be sent to "http:\/\/registry\.corp\.example": what $source holds goes over https only.*HINT:.*set_credential/s;
	like($node->error("SELECT image_library.$call"), $error, "$call is refused where others could read it");
	put_credential('corp', $source =~ /^(?:environment )?(?:credential )?(variable|file) "(.+)"/);
	like($node->error(q{CALL image_library.sync('corp')}), $error, "over http nothing of $source is sent");
}
$node->value(q{SELECT image_library.drop_registry('corp'), image_library.drop_registry('elsewhere')});

# --- a sync runs while the registry is moved, and a password is set for where it is now
expect_password('password-5');
$said = sync_while(sub {
	$node->value(sprintf q{
		SELECT image_library.alter_registry('cloud', url => '%s');
		SELECT image_library.set_credential('cloud', 'AWS', 'password-7')}, $other->url);
	expect_password('password-7');
});
is(passwords(), 'password-1 password-2 password-3 password-5', 'the old host gets no password that was set for the new one');
like(outcome(), qr/^(partial|failed)\|/, 'the sync of the old host is not complete');

$node->stop;
$other->stop;
$registry->stop;
done_testing();

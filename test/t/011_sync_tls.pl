# A sync from a docker-registry with TLS from a private CA and basic authentication.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;
use PrivateCa;

my $registry = DockerRegistry->new(mode => 'htpasswd');
$registry->push_samples;
my $node = ImageLibrary::node('main', "image_library.enabled = off\nlog_statement = all\nlog_min_duration_statement = 0");
my ($url, $ca, $user, $password) = ($registry->url, $registry->ca, $registry->user, $registry->password);

$node->value(qq{
	SELECT image_library.add_registry('corporate', '$url', allow_private => true);
	SELECT image_library.add_rule('corporate', 'postgresql')});

sub sync_error { return $node->error(q{CALL image_library.sync('corporate')}) }

# --- every way to be refused tells what to do
like(sync_error(), qr/^ERROR:  08006: could not sync registry "corporate".*certificate/si,
	'a certificate of an unknown CA is refused');
$node->value(qq{SELECT image_library.alter_registry('corporate', ca_certificate => \$\$$ca\$\$)});
like(sync_error(), qr/denied or absent.*HINT:.*set a credential/s, 'without a credential the error says what to do');
$node->value(qq{SELECT image_library.set_credential('corporate', '$user', 'wrong-Secret-4711')});
like(sync_error(), qr/denied|unauthorized/i, 'a wrong password is told');
unlike(sync_error(), qr/wrong-Secret-4711/, 'and not quoted');
is($node->value(q{SELECT state, consecutive_failures > 0 FROM image_library.sync_status}),
	'failing|t', 'sync_status says that it fails');

# --- with all in place it works
$node->value(qq{SELECT image_library.set_credential('corporate', '$user', '$password')});
$node->value(q{CALL image_library.sync('corporate')});
is($node->value(q{SELECT state, last_error FROM image_library.sync_status}), 'complete|', 'it syncs');
cmp_ok($node->value('SELECT count(*) FROM image_library.images'), '>=', 5, 'images are there');
is($node->value(q{SELECT string_agg(step || ' ' || ok, ', ') FROM image_library.check_registry('corporate')}),
	'reach true, tls true, auth true, catalogue true, tags true, pages true, head true, digest true, etag true, manifest true, '
	  . 'referrers true, limits true, clock true', 'check_registry is content');

# --- no secret anywhere, a key that is taken or refused neither
my ($key, $certificate) =
  map { slurp_file($_) } PrivateCa->new(PostgreSQL::Test::Utils::tempdir())->issue('client', 'clientAuth');
$node->value(qq{SELECT image_library.set_client_certificate('corporate', '$certificate', '$key')});
like($node->error(qq{SELECT image_library.set_client_certificate('corporate', '$key', '$key')}),
	qr/^ERROR:  22023: client certificate is not/, 'a key for a certificate is refused');
is($node->error(q{CALL image_library.sync('corporate')}), '', 'a registry that asks for no certificate does not mind');
my $secret = qr/\Q$password\E|wrong-Secret-4711|BEGIN PRIVATE KEY/;
unlike(slurp_file($node->logfile), $secret, 'no password in the log, whatever is logged');
unlike($node->value(q{SELECT string_agg(query, ' ') FROM pg_stat_activity}), $secret, 'nor in pg_stat_activity');
my ($dump) = run_command([ 'pg_dump', '-h', $node->host, '-p', $node->port, 'postgres' ]);
unlike($dump, $secret, 'nor in a dump');
like($dump, qr/corporate/, 'which has the registry');
for my $role (qw(reader curator admin agent))
{
	for my $table (qw(credential client_certificate))
	{
		like($node->error("SET ROLE image_library_$role; TABLE image_library_internal.$table"),
			$role eq 'agent' ? qr/^$/ : qr/42501/, "$table and $role");
	}
}

# --- a credential file instead
my $folder = PostgreSQL::Test::Utils::tempdir();
my $auth = `printf '%s' '$user:$password' | base64 -w0`;
append_to_file("$folder/corporate.json", qq({"auths": {"@{[ $registry->host ]}": {"auth": "$auth"}}}));
$node->append_conf('postgresql.conf', "image_library.credentials_dir = '$folder'");
$node->reload;
$node->value(q{
	SELECT image_library.drop_credential('corporate');
	SELECT image_library.set_credential_file('corporate', 'corporate.json')});
is($node->error(q{CALL image_library.sync('corporate')}), '', 'a credential file does as well');
rename "$folder/corporate.json", "$folder/elsewhere.json" or die "could not rename: $!";
like(sync_error(), qr/could not open credential file "corporate.json": No such file or directory.*HINT/s, 'a file that is gone is told');
rename "$folder/elsewhere.json", "$folder/corporate.json" or die "could not rename: $!";

# --- a file is checked when it is set: it says what is wrong, quotes nothing, and what was set stays
my $host = $registry->host;
my %broken = (
	'none.json' => [ undef, qr/could not open credential file "none\.json": No such file or directory.*HINT: .*credentials_dir/s ],
	'broken.json' => [ qq({"auths": {"$host": {"auth": "$auth"}), qr/credential file "broken\.json" is not JSON.*HINT: .*config\.json/s ],
	'empty.json' => [ '{}', qr/credential file "empty\.json" has no entry for host "\Q$host\E"/ ],
	'other.json' => [ qq({"auths": {"other.example": {"auth": "$auth"}}}), qr/"other\.json" has no entry for host "\Q$host\E"/ ],
	'helper.json' => [ qq({"auths": {"$host": {}}, "credsStore": "desktop"}), qr/leaves passwords to a credential helper/ ],
	'plain.json' => [ qq({"auths": {"$host": {"auth": "$password"}}}), qr/no password for host/ ],
	'large.json' => [ ' ' x 300_000, qr/larger than 262144 bytes/ ]);
for my $file (sort keys %broken)
{
	my ($content, $error) = @{ $broken{$file} };
	append_to_file("$folder/$file", $content) if defined $content;
	my $told = $node->error("SELECT image_library.set_credential_file('corporate', '$file')");
	like($told, $error, "$file is refused");
	unlike($told, qr/\Q$password\E|\Q$auth\E|other\.example/, 'nothing of it is told');
}
mkdir "$folder/folder.json" or die "could not make a folder: $!";
symlink '/etc/passwd', "$folder/link.json" or die "could not link: $!";
system_or_bail('mkfifo', "$folder/pipe.json");
append_to_file("$folder/closed.json", '{}');
chmod 0, "$folder/closed.json";
my %special = ('folder.json' => 'not a regular file', 'pipe.json' => 'not a regular file', 'link.json' => 'symbolic link',
	# Root reads everything.
	'closed.json' => $> == 0 ? 'no entry' : 'Permission denied');
like($node->error("SELECT image_library.set_credential_file('corporate', '$_')"), qr/22023:.*$special{$_}/s, "$_ is refused") for sort keys %special;
$node->value(q{CREATE ROLE governor LOGIN IN ROLE image_library_admin; CREATE ROLE decider LOGIN IN ROLE image_library_curator});
for my $path ('/etc/passwd', '../corporate.json', "$folder/corporate.json", './corporate.json')
{
	like($node->error("SET SESSION AUTHORIZATION governor; SELECT image_library.set_credential_file('corporate', '$path')"),
		qr/22023: +invalid name of a credential file/, "an admin does not learn whether $path is there");
}
like($node->error(q{SET SESSION AUTHORIZATION decider; SELECT image_library.set_credential_file('corporate', 'none.json')}), qr/42501:/,
	'who is no admin learns of no file');
like($node->error(q{SET SESSION AUTHORIZATION governor; SELECT image_library_internal.check_credential(1, '')}), qr/42501:/, 'nor does anybody behind the back');
is($node->error(q{SET SESSION AUTHORIZATION governor; SELECT image_library.set_credential_file('corporate', 'corporate.json')}), '', 'an admin may set a file');
is($node->error(q{CALL image_library.sync('corporate')}), '', 'what was set is still used');
like($node->error(q{SET image_library.credentials_dir = ''; SELECT image_library.set_credential_file('corporate', 'corporate.json')}),
	qr/no folder is set.*HINT: .*credentials_dir/s, 'without a folder no file can be set');

# --- the registry goes down, and comes back
$node->value(qq{SELECT image_library.set_credential('corporate', '$user', '$password')});
my $images = $node->value('SELECT count(*) FROM image_library.images WHERE missing_since IS NULL');
$registry->stop;
like(sync_error(), qr/could not sync registry "corporate".*(refused|connect)/si, 'a registry that is down is told');
is($node->value('SELECT count(*) FROM image_library.images WHERE missing_since IS NULL'), $images, 'nothing is removed');
$registry->start;
is($node->error(q{CALL image_library.sync('corporate')}), '', 'it syncs again when it is back');

$node->stop;
$registry->stop;
done_testing();

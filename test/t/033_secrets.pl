# No secret leaves its place, whatever goes wrong and whatever is logged: not to the log, an error, a
# view, pg_stat_activity, a dump, or a host that it is not for.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;
use PrivateCa;

my %secret = (
	password => 'Passw0rd-4b1d77',
	file => 'File-t0ken-c95e02',
	identity => 'Identity-t0ken-7e31aa',
	rotated => 'Identity-t0ken-7e31aa+',
	wrong => 'Wr0ng-passw0rd-11f8',
	mistyped => 'Mistyped-s3cret-90ab');
my $ca = PrivateCa->new(PostgreSQL::Test::Utils::tempdir());
my ($key_file, $certificate_file) = $ca->issue('agent', 'clientAuth');
my ($key, $certificate, $authority) = map { slurp_file($_) } $key_file, $certificate_file, $ca->file;
# Any line of the key would do.
$secret{key} = (split /\n/, $key)[1];
# As they travel, and what they are exchanged for; a signed URL is as good as what it leads to.
$secret{basic} = substr encode_base64("robot:$secret{password}", ''), 8, 20;
$secret{file_basic} = substr encode_base64("robot:$secret{file}", ''), 8, 20;
$secret{access} = 'issued-token-';
$secret{signature} = '5ecret-signature';
my $secrets = join '|', map { quotemeta } values %secret;
my $any = qr/$secrets/;

my %content = (repositories => { 'team/app' => { '1.{0..4}' => {} } });
my %bearer = (
	scheme => 'bearer',
	users => { robot => $secret{password}, filed => $secret{file} },
	realm => '{base}/token',
	post => 200,
	identity_tokens => { $secret{identity} => 'robot' },
	rotate => 1);
my $registry = FaultRegistry->new({ %content, auth => {%bearer} }, ca => $ca);
my $node = ImageLibrary::node('main', q{
image_library.enabled = off
log_statement = all
log_min_messages = debug1
log_min_error_statement = debug1
log_min_duration_statement = 0
log_parameter_max_length_on_error = -1
log_error_verbosity = verbose
track_activity_query_size = 16kB});
my $url = $registry->url;

# --- every error is kept, with what a client sees
my @told;
sub try
{
	my ($sql) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	push @told, $out // '', $err // '';
	# psql repeats the statement of a syntax error; that is between a user and his terminal.
	return $err // '';
}
sub sync { return try(q{CALL image_library.sync('secretive', force => true)}) }

# --- setting them, rightly and wrongly
$node->value("SELECT image_library.add_registry('secretive', '$url', allow_private => true, ca_certificate => \$\$$authority\$\$);
	SELECT image_library.add_rule('secretive', 'team/app')");
is(try("SELECT image_library.set_credential('secretive', 'robot', '$secret{password}')"), '', 'a credential is set');
is(try("SELECT image_library.set_client_certificate('secretive', \$\$$certificate\$\$, \$\$$key\$\$)"), '', 'and a certificate');
like(try("SELECT image_library.set_credential('nowhere', 'robot', '$secret{mistyped}')"), qr/does not exist/, 'for a registry that is not there');
like(try("SELECT image_library.set_credential('secretive', '', '$secret{mistyped}')"), qr/needs a username/, 'without a user');
like(try("SELECT image_library.set_credential('secretive', 'robot', '$secret{mistyped}', '/../')"), qr/ERROR/, 'for no prefix');
like(try("SELECT image_library.set_client_certificate('secretive', \$\$$certificate\$\$, 'no key $secret{mistyped}')"), qr/ERROR/, 'no key');
like(try("SELECT image_library.set_client_certificate('secretive', 'nothing', \$\$$key\$\$)"), qr/ERROR/, 'no certificate');
like(try("PREPARE p (text) AS SELECT image_library.set_credential('nowhere', 'robot', \$1); EXECUTE p ('$secret{mistyped}')"),
	qr/does not exist/, 'by a prepared statement');
is(try("PREPARE p (text) AS SELECT image_library.set_credential('secretive', 'robot', \$1); EXECUTE p ('$secret{password}')"), '',
	'which may be right as well');
like(try("DO \$do\$ BEGIN PERFORM image_library.set_credential('nowhere', 'robot', '$secret{mistyped}'); END \$do\$"),
	qr/does not exist/, 'in a block');
my $script = PostgreSQL::Test::Utils::tempdir() . '/parameters.sql';
append_to_file($script, "SELECT image_library.set_credential('nowhere', 'robot', :secret);\n");
my (undef, $parameters) = run_command([ 'pgbench', '-n', '-t', 1, '-M', 'extended', '-f', $script, '-D', "secret=$secret{mistyped}",
	'-h', $node->host, '-p', $node->port, 'postgres' ]);
like($parameters, qr/does not exist/, 'by a parameter');
push @told, $parameters;
like(try("SET ROLE image_library_reader; SELECT image_library.set_credential('secretive', 'robot', '$secret{mistyped}')"),
	qr/42501/, 'by somebody who may not');
like(try("SELECT image_library.add_registry('$_', 'https://robot:$secret{mistyped}\@example.org/x')"), qr/22023/, 'in a URL')
  for 'url', 'other';
like(try("SELECT image_library.alter_registry('secretive', proxy => 'http://robot:$secret{mistyped}\@127.0.0.1:1')"), qr/ERROR/, 'in the URL of a proxy');

# --- syncs, and all that can go wrong in them
unlike(sync(), qr/ERROR/, 'it syncs');
my %troubles = (
	'a wrong password' => { auth => { %bearer, users => { robot => 'another' } } },
	'Basic instead' => { auth => { scheme => 'basic', users => { robot => 'another' } } },
	'no token for that' => { auth => { %bearer, refused_scopes => { '.*' => 403 } } },
	'a token server that fails' => { auth => { %bearer, refused_scopes => { '.*' => 500 } } },
	'one that answers nothing' => { auth => { %bearer, answer => 'neither' } },
	'one that redirects' => { auth => { %bearer, token_redirect => '{localhost}/token' } },
	'one that says too much' => { auth => { %bearer, token_padding => 100_000 } },
	'one elsewhere' => { auth => { %bearer, realm => '{localhost}/token', anonymous => 1 } },
	'one at a metadata address' => { auth => { %bearer, realm => 'http://169.254.169.254/token' } },
	'one without TLS' => { auth => { %bearer, realm => 'http://127.0.0.1:1/token' } },
	'never enough' => { auth => { %bearer, insufficient => ['.*'] } },
	'tokens that are used up' => { auth => { %bearer, uses => 2 } },
	'blobs elsewhere' => { auth => {%bearer}, redirects => { blobs => { to => '{localhost}/store/{path}?X-Amz-Signature=5ecret-signature' } } },
	'blobs nowhere' => { auth => {%bearer}, redirects => { blobs => { to => '{localhost}/nowhere?X-Amz-Signature=5ecret-signature' } } },
	'blobs behind a user' => { auth => {%bearer}, redirects => { blobs => { to => 'https://u:5ecret-signature@127.0.0.1:1/x' } } },
	'blobs in files' => { auth => {%bearer}, redirects => { blobs => { to => 'file:///etc/passwd?X-Amz-Signature=5ecret-signature' } } },
	'manifests elsewhere' => { auth => {%bearer}, redirects => { manifests => { to => '{localhost}/store/{path}?X-Amz-Signature=5ecret-signature' } } },
	map { ("$_->[0]" => { auth => {%bearer}, faults => [ { path => $_->[1], %{ $_->[2] } } ] }) } (
		[ 'an error that repeats what it was told', '/v2/.*', { status => 403, body => qq({"errors":[{"code":"DENIED","message":"not you: Basic $secret{basic} $secret{password}"}]}) } ],
		[ 'a token server that repeats it', '/token.*', { status => 401, body => qq({"details":"$secret{password}"}) } ],
		[ 'a limit', '/v2/team.*', { status => 429, headers => { 'Retry-After' => '9999' } } ],
		[ 'a registry that fails', '/v2/team.*', { status => 500 } ],
		[ 'a cut connection', '/v2/team.*', { action => 'close' } ],
		[ 'a reset connection', '/token.*', { action => 'reset' } ],
		[ 'half a body', '/v2/team.*', { action => 'truncate' } ],
		[ 'no JSON', '/v2/team.*', { status => 200, body => "<html>$secret{password}" } ],
		[ 'no JSON from the token server', '/token.*', { status => 200, body => "<html>$secret{password}" } ]));
my $version = 0;
for my $what (sort keys %troubles)
{
	# New images each time, so that there is something to read.
	$content{repositories}{'team/app'} = { '1.{0..4}' => { revision => ++$version } };
	$registry->profile({ %content, %{ $troubles{$what} } });
	sync();
	try(q{SELECT * FROM image_library.check_registry('secretive')});
	pass("trouble: $what");
}

# --- the other kinds of credential
$registry->profile({ %content, auth => {%bearer} });
is(try("SELECT image_library.set_credential('secretive', '<token>', '$secret{identity}')"), '', 'an identity token is set');
unlike(sync(), qr/ERROR/, 'and does');
$content{repositories}{'team/app'}{'2.0'} = {};
$registry->profile({ %content, auth => { %bearer, post => 405 } });
sync();
my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/config.json", sprintf '{"auths": {"%s": {"auth": "%s"}}}', $registry->host, encode_base64("filed:$secret{file}", ''));
append_to_file("$folder/broken.json", sprintf '{"auths": {"%s": {"auth": "%s"}', $registry->host, encode_base64("filed:$secret{file}", ''));
$node->append_conf('postgresql.conf', "image_library.credentials_dir = '$folder'");
$node->reload;
is(try(q{SELECT image_library.drop_credential('secretive'); SELECT image_library.set_credential_file('secretive', 'config.json')}), '', 'a file is set');
unlike(sync(), qr/ERROR/, 'and does');
like(try(q{SELECT image_library.set_credential_file('secretive', 'broken.json')}), qr/ERROR/, 'a broken file is refused');
rename "$folder/config.json", "$folder/kept.json" or die "could not rename: $!";
rename "$folder/broken.json", "$folder/config.json" or die "could not rename: $!";
like(sync(), qr/ERROR/, 'and told when it becomes broken later');
rename "$folder/kept.json", "$folder/config.json" or die "could not rename: $!";
$registry->profile({ %content, auth => { %bearer, users => {} } });
is(try(q{SELECT image_library.set_credential_file('secretive', 'config.json')}), '', 'a file that is refused');
like(sync(), qr/denied/, 'is told');
is(try("SELECT image_library.set_credential('secretive', 'robot', '$secret{wrong}')"), '', 'a wrong password is set');
like(sync(), qr/denied/, 'and is told');

# --- where they may not be
sub without { my ($text, $where) = @_; my @found = $text =~ /.{0,60}(?:$any).{0,20}/g; is("@found[0 .. ($#found > 2 ? 2 : $#found)]", '', $where) }
cmp_ok(length join('', @told), '>', 5_000, 'errors were told');
without(join("\n", @told), 'no secret in an error');
my $log = slurp_file($node->logfile);
like($log, qr/hidden by image_library/, 'the log has the statements');
without($log, 'no secret in the log');
for my $view (split /\n/, $node->value(q{
	SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND relkind IN ('v', 'r', 'm')
	  AND relname NOT IN ('credential', 'client_certificate') ORDER BY 1}))
{
	without($node->value("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM $view t"), "no secret in $view");
}
without($node->value(q{SELECT string_agg(query, E'\n') FROM pg_stat_activity}), 'nor in pg_stat_activity');
for my $role (qw(reader curator admin))
{
	like($node->error("SET ROLE image_library_$role; SELECT * FROM image_library_internal.$_"), qr/42501/, "$role does not read $_")
	  for qw(credential client_certificate);
}
for my $options ([], ['--data-only'], [ '--schema-only' ])
{
	my ($dump) = run_command([ 'pg_dump', @$options, '-h', $node->host, '-p', $node->port, 'postgres' ]);
	without($dump, "no secret in a dump @$options");
	like($dump, qr/secretive/, 'of the library') if !@$options;
}

# --- hosts that they are not for: everything but the registry and its token server
my @requests = @{ $registry->requests };
my @elsewhere = grep { $_->{headers}{host} =~ /^localhost/ } @requests;
cmp_ok(scalar @elsewhere, '>', 5, 'other hosts were asked');
delete $secret{signature};
$secrets = join '|', map { quotemeta } values %secret;
my @carrying = grep {
	join(' ', $_->{path}, $_->{body} // '', %{ $_->{headers} }) =~ /$secrets|basic |bearer /i
} @elsewhere;
is_deeply([ map { "$_->{method} $_->{path}" } @carrying ], [], 'and saw no secret');
ok((grep { ($_->{headers}{authorization} // '') =~ /^Basic / } @requests), 'the token server did');
is_deeply([ grep { $_->{path} =~ /$secrets/ } @requests ], [], 'no secret in any URL');
ok((grep { ($_->{body} // '') =~ /refresh_token=Identity/ } @requests), 'identity tokens are exchanged in a body');

$node->stop;
without(slurp_file($node->logfile), 'nor in the log of the end');
$registry->stop;
done_testing();

# Every role logs in and tries every way to change something, and every function there is. What each may do is decided in
# test/lib/rights.txt: a function without a decision fails here.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Digest::SHA qw(sha256);
use MIME::Base64;
use Test::More;
use FaultRegistry;
use ImageLibrary;
use PrivateCa;

my $registry = FaultRegistry->new({ repositories => {
	'postgresql' => { map { $_ => {} } qw(17.4 17.5 17.6 17.7) },
	'nim/nvidia/llama' => { '1.0' => {} } } });
my $host = $registry->host;
my $ca = PrivateCa->new(PostgreSQL::Test::Utils::tempdir());
my ($key_file, $certificate_file) = $ca->issue('client', 'clientAuth');
my ($key, $certificate) = map { slurp_file($_) } $key_file, $certificate_file;
my ($public) = run_command([ 'openssl', 'pkey', '-in', $key_file, '-pubout' ]);
# A trusted root needs a log.
(my $log = $public) =~ s/-----[A-Z ]+-----|\n//g;
my $root = sprintf '{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1", "tlogs": [{"baseUrl": "https://log.example.com",
	"hashAlgorithm": "SHA2_256", "publicKey": {"rawBytes": "%s", "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": {"start": "2020-01-01T00:00:00Z"}},
	"logId": {"keyId": "%s"}}]}', $log, encode_base64(sha256(decode_base64($log)), '');
my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/file.json", qq({"auths": {"$host": {"username": "user", "password": "secret"}}}));
$ENV{IMAGE_LIBRARY_LOCAL} = 'secret';
$ENV{IMAGE_LIBRARY_LOCAL_HOSTS} = $host;
my $node = ImageLibrary::node('main', "image_library.enabled = off\nimage_library.credentials_dir = '$folder'");
$node->value(sprintf(q{
	SET search_path = image_library, image_library_internal, public;
	CREATE ROLE team;
	CREATE ROLE nobody LOGIN;
	CREATE ROLE reader LOGIN IN ROLE image_library_reader;
	CREATE ROLE curator LOGIN IN ROLE image_library_curator;
	CREATE ROLE member LOGIN IN ROLE image_library_curator, team;
	CREATE ROLE outsider LOGIN IN ROLE image_library_reader, team;
	CREATE ROLE admin LOGIN IN ROLE image_library_admin;
	SELECT add_registry('local', '%s', allow_private => true, owner => 'team');
	SELECT add_rule('local', 'nim/**', kind => 'model');
	SELECT add_rule('local', 'postgresql')}, $registry->url));
$node->value(q{CALL image_library.sync('local')});
$node->value(sprintf q{
	SET search_path = image_library, image_library_internal, public;
	SELECT set_credential('local', 'user', 'secret');
	SELECT set_client_certificate('local', '%2$s', '%3$s');
	SELECT add_trust_key('signer', '%4$s'), add_trust_authority('an authority', '%5$s'), add_trust_identity('an identity', 'https://example.com', '**');
	SELECT set_trusted_root('%6$s');
	SELECT add_policy('signed', 'is_signed(images)', effect => 'warn');
	SELECT add_hm_tag('green');
	SELECT add_channel('channel', 'local', '{postgresql}');
	SELECT write_removals((repository_ids(registry_id, '{unruled}'))[1], '{1,2}') FROM registry;
	SELECT tag_image('%1$s/postgresql:17.7', 'green'), tag_repository('local', 'nim/nvidia/llama', 'green');
	SELECT count(approve(reference)) FROM pending_images WHERE tag <> '17.5';
	INSERT INTO image_chain SELECT digest, '{"\\\\x00"}', '\\x00' FROM image;
	SELECT quarantine('%1$s/postgresql:17.6'), deprecate('%1$s/postgresql:17.7', now() + interval '1 year')}, $host, $certificate, $key, $public, $ca->certificate, $root);
my ($rule, $digest) = split /\|/, $node->value(q{
	SELECT u.rule_id, i.digest FROM image_library.rules u, image_library.images i
	WHERE u.repositories = 'postgresql' AND i.tag = '17.4'});

# --- the decisions
my %stands_for = (HOST => $host, RULE => $rule, DIGEST => $digest, CERTIFICATE => $certificate, KEY => $key,
	PUBLIC => $public, ROOT => $root =~ tr/\n\t/ /r, AUTHORITY => $ca->certificate);
my (%least, %call);
for (split /\n/, slurp_file("$FindBin::RealBin/../lib/rights.txt"))
{
	next if /^(#|$)/;
	my ($level, $name, $call) = /^(\w+) (\w+)(?: (.+))?$/ or die "not a decision: $_";
	die "$name is decided twice" if $least{$name};
	$call =~ s/\b([A-Z]+)\b/$stands_for{$1} \/\/ $1/ge if defined $call;
	($least{$name}, $call{$name}) = ($level, $call);
}
my @functions = split /\n/, $node->value(q{
	SELECT DISTINCT proname FROM pg_proc
	WHERE pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND prokind IN ('f', 'p') ORDER BY 1});
is(join("\n", grep { !$least{$_} } @functions), '', 'the rights to every function are decided in test/lib/rights.txt');
my %exists = map { $_ => 1 } @functions;
is(join("\n", grep { !$exists{$_} } sort keys %least), '', 'and to none that is gone');
is($node->value(q{
	SELECT count(*) FROM pg_proc WHERE pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND prokind NOT IN ('f', 'p')}),
	'0', 'there are no aggregates, whose rights would be decided nowhere');

# A call of a function whatever its arguments: denied before they are looked at. (A subquery each, or a strict function of
# constants would be known without a call.)
my %nulls = map { split /\|/, $_, 2 } split /\n/, $node->value(q{
	SELECT DISTINCT ON (proname) proname, format('%s %s.%I(%s)', CASE prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END,
		pronamespace::regnamespace, proname, (SELECT string_agg(CASE WHEN provariadic <> 0 AND a.n = pronargs THEN 'VARIADIC ' ELSE '' END
		                             || CASE WHEN a.type = 'record'::regtype THEN '(SELECT ROW(NULL))' ELSE format('(SELECT NULL::%s)', a.type::regtype) END, ', '
		                            ORDER BY a.n)
		          FROM unnest(proargtypes::oid[]) WITH ORDINALITY a (type, n)))
	FROM pg_proc WHERE pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND prorettype <> 'trigger'::regtype});

is($node->value(q{
	SELECT string_agg(a.grantee::regrole::text, ' ') FROM pg_namespace, aclexplode(nspacl) a
	WHERE nspname = 'image_library_internal' AND a.grantee <> nspowner}), 'image_library_agent', 'internals are for the agent');
# From here on each object denies by itself.
$node->value('GRANT USAGE ON SCHEMA image_library_internal TO PUBLIC');

# What statements give to whoever logs in as a role, each in a transaction that is rolled back: a list of [SQLSTATE, message].
sub outcomes
{
	my ($role, @statements) = @_;
	my $script = "SET client_min_messages = error;\nSET search_path = image_library, image_library_internal, public;\n\\o /dev/null\n";
	# Without a transaction: CALL sync commits.
	$script .= (/^CALL/ ? "$_;\n\\echo :SQLSTATE :LAST_ERROR_MESSAGE\n" : "BEGIN;\n$_;\n\\echo :SQLSTATE :LAST_ERROR_MESSAGE\nROLLBACK;\n")
		for @statements;
	$script =~ s/\\echo :SQLSTATE :LAST_ERROR_MESSAGE/\\if :ERROR\n\\echo :SQLSTATE :LAST_ERROR_MESSAGE\n\\else\n\\echo 00000\n\\endif/g;
	my ($stdout, $stderr) = ('', '');
	$node->psql('postgres', $script, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0,
		extra_params => [ '--username' => $role ]);
	my @lines = split /\n/, $stdout;
	is(scalar @lines, scalar @statements, "$role had an answer to each of " . @statements . ' statements')
		or diag($stdout . $stderr);
	return map { [ split / /, $_, 2 ] } @lines;
}

# --- every function, by every role
my %rank = (nobody => 0, reader => 1, outsider => 1, curator => 2, member => 2, admin => 3);
my %needed = (reader => 1, curator => 2, admin => 3);
# Without USAGE on the schema nothing in it is found by its bare name.
my %unseen = map { $_ => $_ eq 'nobody' ? qr/^42(883|P01|704)$/ : qr/^$/ } keys %rank;
# What a curator may do whatever the team: the rest asks for the owner's.
my %any_team = map { $_ => 1 } qw(add_hm_tag drop_hm_tag check_registry list_repositories list_tags request_sync sync);
for my $role (sort keys %rank)
{
	my @tried = grep { $least{$_} ne 'trigger' } @functions;
	my @wrong;
	my $allowed = 0;
	my @given = outcomes($role, map { $call{$_} // $nulls{$_} } @tried);
	for my $i (0 .. $#tried)
	{
		my ($function, $state) = ($tried[$i], $given[$i][0]);
		my $may = defined $needed{ $least{$function} } && $rank{$role} >= $needed{ $least{$function} };
		$may = 0 if $role eq 'curator' && $least{$function} eq 'curator' && !$any_team{$function};
		++$allowed if $may;
		push @wrong, "$function: $given[$i][0] " . ($given[$i][1] // '')
			if $state ne ($may ? '00000' : $state =~ $unseen{$role} ? $state : '42501');
	}
	is(join("\n", @wrong), '', "$role may call $allowed functions, and is denied the other " . (@tried - $allowed));
}

# --- every table, view, sequence and type, past the functions
my @relations = map { [ split /\|/ ] } split /\n/, $node->value(q{
	SELECT c.relname, c.relkind, (SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = 1)
	FROM pg_class c WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND c.relkind IN ('r', 'v', 'm', 'S', 'p', 'f') ORDER BY 1});
cmp_ok(scalar @relations, '>', 50, 'there are tables, views and sequences');
my @writes;
for (@relations)
{
	my ($name, $kind, $column) = @$_;
	if ($kind eq 'S')
	{
		push @writes, "SELECT nextval('$name')", "SELECT setval('$name', 1)", "SELECT last_value FROM $name", "ALTER SEQUENCE $name RESTART";
		next;
	}
	my $is = $kind eq 'v' ? 'VIEW' : 'TABLE';
	push @writes, "UPDATE $name SET $column = $column", "DELETE FROM $name", "DROP $is $name", "COMMENT ON $is $name IS 'x'",
		"CREATE RULE r AS ON INSERT TO $name DO INSTEAD NOTHING";
	# Of views, readers may read those that are for them.
	push @writes, "SELECT FROM $name", "GRANT ALL ON $name TO PUBLIC", "INSERT INTO $name DEFAULT VALUES", "TRUNCATE $name",
		"COPY $name FROM PROGRAM 'true'", "LOCK TABLE $name IN SHARE MODE",
		"ALTER TABLE $name DISABLE TRIGGER ALL", "ALTER TABLE $name DISABLE ROW LEVEL SECURITY", "CREATE INDEX ON $name ($column)",
		"CREATE TRIGGER t AFTER INSERT ON $name FOR EACH STATEMENT EXECUTE FUNCTION require_approved('x')" if $kind ne 'v';
}
push @writes, 'CREATE TABLE image_library.mine ()', 'CREATE TABLE image_library_internal.mine ()', 'CREATE FUNCTION image_library.mine() RETURNS int LANGUAGE sql RETURN 1',
	'DROP EXTENSION image_library CASCADE', 'ALTER SCHEMA image_library RENAME TO mine', 'DROP SCHEMA image_library CASCADE', 'DROP SCHEMA image_library_internal CASCADE',
	'ALTER FUNCTION approve(text, text, timestamptz, text) RESET ALL', 'SET ROLE image_library_agent', 'GRANT image_library_admin TO CURRENT_USER';
for my $role (sort keys %rank)
{
	my @given = outcomes($role, @writes);
	my @wrong = map { "$writes[$_]: @{ $given[$_] }" }
		grep { my $state = $given[$_][0]; $state ne '42501' && $state !~ $unseen{$role}
			# A view that takes no writes says so before rights are asked.
			&& !($state eq '55000' && $writes[$_] =~ /^(UPDATE|DELETE)/) } 0 .. $#writes;
	is(join("\n", @wrong), '', "$role can write or alter nothing past the functions: " . @writes . ' ways');
}

# --- what lends its owner's rights lends nothing else
is($node->value(q{
	SELECT string_agg(oid::regprocedure::text, ' ') FROM pg_proc
	WHERE pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c')
	  AND prosqlbody IS NULL
	  AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(proconfig, '{}'))}), '', 'every function pins its search_path');
is($node->value(q{
	SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
	WHERE p.pronamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND a.grantee = 0}), '', 'PUBLIC may call none');
is($node->value(q{
	SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
	WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND a.grantee = 0}), '', 'nor read anything');
is($node->value(q{
	SELECT string_agg(DISTINCT a.grantee::regrole::text, ' ') FROM pg_class c, aclexplode(c.relacl) a
	WHERE c.relnamespace = ANY ('{image_library,image_library_internal}'::regnamespace[]) AND a.privilege_type <> 'SELECT' AND a.grantee <> c.relowner}),
	'image_library_agent', 'and only the agent may write a table');
is($node->value(q{
	SELECT string_agg(c.relname, ' ') FROM pg_class c WHERE c.relnamespace = 'image_library'::regnamespace AND c.relkind = 'v'
	  AND has_table_privilege('image_library_reader', c.oid, 'SELECT')
	  AND NOT 'security_barrier=true' = ANY (coalesce(c.reloptions, '{}'))
	  -- Row level security filters these; sql/barriers.sql asks every column of every view.
	  AND c.relname NOT IN ('images', 'pending_images', 'postgres_images', 'model_library')}), '', 'every view that is read is a security barrier');

$node->stop;
$registry->stop;
done_testing();

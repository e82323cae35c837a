# Passwords in the texts of statements: however the call is written or wrapped, and whether it works or fails, they are
# neither in the log (as text, CSV or JSON), nor in pg_stat_statements, auto_explain's plans or pg_stat_activity.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ImageLibrary;
use PrivateCa;

my $node = ImageLibrary::node('main', q{
shared_preload_libraries = 'pg_stat_statements, auto_explain, image_library'
image_library.enabled = off
logging_collector = on
log_destination = 'stderr,csvlog,jsonlog'
log_statement = all
log_min_messages = debug1
log_min_error_statement = debug1
log_min_duration_statement = 0
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_error_verbosity = verbose
debug_print_parse = on
debug_print_plan = on
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
pg_stat_statements.track = all
pg_stat_statements.track_utility = on});
my $ca = PrivateCa->new(PostgreSQL::Test::Utils::tempdir());
my ($key_file, $certificate_file) = $ca->issue('agent', 'clientAuth');
my ($key, $certificate) = map { slurp_file($_) } $key_file, $certificate_file;
$node->value(q{
	CREATE EXTENSION pg_stat_statements;
	SELECT image_library.add_registry('edb', 'https://registry.example.com');
	CREATE FUNCTION public.keep(secret text) RETURNS void LANGUAGE plpgsql AS
	  $$ BEGIN PERFORM image_library.set_credential('edb', 'u', secret); END $$;
	CREATE FUNCTION public.keep_by_sql(secret text) RETURNS void LANGUAGE sql AS
	  $$ SELECT image_library.set_credential('edb', 'u', secret) $$;
	CREATE FUNCTION public.keep_in_secret(secret text) RETURNS void LANGUAGE plpgsql AS
	  $$ BEGIN EXECUTE format('SELECT image_library.%s(%L, %L, %L)', 'set_' || 'credential', 'edb', 'u', secret); END $$;
	CREATE SCHEMA image_library_tools;
	CREATE FUNCTION image_library_tools.keep(secret text) RETURNS void LANGUAGE sql AS
	  $$ SELECT image_library.set_credential('edb', 'u', secret) $$;
	CREATE PROCEDURE public.call_keep(secret text) LANGUAGE plpgsql AS $$ BEGIN PERFORM public.keep(secret); END $$;
	CREATE FUNCTION public.keep_row() RETURNS trigger LANGUAGE plpgsql AS
	  $$ BEGIN PERFORM public.keep_in_secret(NEW.secret); RETURN NEW; END $$;
	CREATE TABLE public.before_row (secret text, small integer CHECK (small < 5));
	CREATE TABLE public.after_row (secret text);
	CREATE TRIGGER keep BEFORE INSERT ON public.before_row FOR EACH ROW EXECUTE FUNCTION public.keep_row();
	CREATE TRIGGER keep AFTER INSERT ON public.after_row FOR EACH ROW EXECUTE FUNCTION public.keep_row()});

# --- what is tried: SQLSTATE of the last statement, and the statements with PASSWORD_ for the password
my $call = q{image_library.set_credential('edb', 'u', 'PASSWORD_')};
my @spelled = (
	[ 'plain', '00000', "SELECT $call" ],
	[ 'upper case', '00000', q{SELECT IMAGE_LIBRARY.SET_CREDENTIAL('edb', 'u', 'PASSWORD_')} ],
	[ 'quoted', '00000', q{SELECT "image_library"."set_credential"('edb', 'u', 'PASSWORD_')} ],
	[ 'escaped', '00000', q{SELECT image_library.U&"set\005fcredential"('edb', 'u', 'PASSWORD_')} ],
	[ 'escaped otherwise', '00000', q{SELECT image_library.U&"!0073et_credential" UESCAPE '!' ('edb', 'u', 'PASSWORD_')} ],
	[ 'with comments', '00000', q{SELECT image_library./* a */set_credential/* b */('edb', 'u', /* c */ 'PASSWORD_')} ],
	[ 'by names', '00000', q{SELECT image_library.set_credential(password => 'PASSWORD_', username => 'u', registry => 'edb')} ],
	[ 'of a row', '00000', q{SELECT image_library.set_credential('edb', 'u', v) FROM (VALUES ('PASSWORD_')) s (v)} ],
	[ 'in FROM', '00000', qq{SELECT * FROM $call} ],
	[ 'as a statement among others', '00000', qq{SELECT 1\\; SELECT $call\\; SELECT 2} ],
	[ 'in EXPLAIN', '00000', qq{EXPLAIN (ANALYZE, VERBOSE) SELECT $call} ],
	[ 'in CREATE TABLE AS', '00000', qq{CREATE TABLE public.kept AS SELECT 1 AS one FROM $call} ],
	[ 'in a cursor', '00000', qq{BEGIN; DECLARE c CURSOR FOR SELECT $call; FETCH c; COMMIT} ],
	[ 'in COPY', '00000', qq{COPY (SELECT $call) TO STDOUT} ],
	[ 'in a DO block', '00000', qq{DO \$\$ BEGIN PERFORM $call; END \$\$} ],
	[ 'in a DO block of a plain string', '00000', q{DO 'BEGIN PERFORM image_library.set_credential(''edb'', ''u'', ''PASSWORD_''); END'} ],
	[ 'in a DO block with escapes', '00000', q{DO E'BEGIN PERFORM image_library.set\x5fcredential(\'edb\', \'u\', \'PASSWORD_\'); END'} ],
	[ 'in EXECUTE', '00000', q{DO $$ BEGIN EXECUTE format('SELECT image_library.%I(%L, %L, %L)', 'set_credential', 'edb', 'u', 'PASSWORD_'); END $$} ],
	[ 'prepared', '00000', qq{PREPARE p AS SELECT $call; EXECUTE p} ],
	[ 'prepared, with statistics that are reset', '00000', qq{PREPARE p AS SELECT $call; SELECT pg_stat_statements_reset(); EXECUTE p} ],
	[ 'prepared with a parameter', '00000', q{PREPARE p (text) AS SELECT image_library.set_credential('edb', 'u', $1); EXECUTE p ('PASSWORD_')} ],
	[ 'prepared, and explained', '00000', q{PREPARE p (text) AS SELECT image_library.set_credential('edb', 'u', $1); EXPLAIN (ANALYZE, VERBOSE) EXECUTE p ('PASSWORD_')} ],
	[ 'prepared, with another name', '00000', q{PREPARE "P q" (text) AS SELECT image_library.set_credential('edb', 'u', $1); CREATE TABLE public.executed AS EXECUTE/**/"P q" ('PASSWORD_'); EXPLAIN EXECUTE "P q" ('PASSWORD_')} ],
	[ 'prepared with a wrapper', '00000', q{PREPARE p (text) AS SELECT public.keep($1); EXECUTE p ('PASSWORD_')} ],
	[ 'in the body of a function', '00000', qq{CREATE OR REPLACE FUNCTION public.f() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN PERFORM $call; END \$\$; SELECT public.f()} ],
	[ 'in an SQL function', '00000', qq{CREATE OR REPLACE FUNCTION public.g() RETURNS void LANGUAGE sql AS \$\$ SELECT $call \$\$; SELECT public.g()} ],
	[ 'in a view', '00000', qq{CREATE OR REPLACE VIEW public.v AS SELECT 1 AS one FROM $call; SELECT * FROM public.v} ],
	[ 'a key', '00000', qq{SELECT image_library.set_client_certificate('edb', \$\$$certificate\$\$, \$\$PRIVATE_KEY_\$\$)} ],
	# failing
	[ 'for no registry', '42704', q{SELECT image_library.set_credential('nowhere', 'u', 'PASSWORD_')} ],
	[ 'with an argument too much', '42883', q{SELECT image_library.set_credential('edb', 'u', 'PASSWORD_', '', 1)} ],
	[ 'mistyped', '42883', q{SELECT image_library.set_credentials('edb', 'u', 'PASSWORD_')} ],
	[ 'of another type', '22P02', q{SELECT image_library.set_credential('edb', 'u', ('PASSWORD_'::integer)::text)} ],
	[ 'of another type, when it runs', '22P02', q{SELECT image_library.set_credential('edb', 'u', v::integer::text) FROM (VALUES ('PASSWORD_')) s (v)} ],
	[ 'with wrong quotes', '42703', q{SELECT image_library.set_credential('edb', 'u', "PASSWORD_")} ],
	[ 'without a comma', '42601', q{SELECT image_library.set_credential('edb', 'u' 'PASSWORD_')} ],
	[ 'after the error', '42601', q{SELECT image_library.set_credential('edb', 'u',, 'PASSWORD_')} ],
	[ 'in an aborted transaction', '25P02', qq{BEGIN; SELECT 1/0; SELECT $call} ],
	[ 'divided by zero', '22012', q{SELECT 1 / v, image_library.set_credential('edb', 'u', 'PASSWORD_') FROM (VALUES (0)) s (v)} ],
	[ 'in a DO block that fails', '42704', q{DO $$ BEGIN PERFORM image_library.set_credential('nowhere', 'u', 'PASSWORD_'); END $$} ],
	[ 'in a DO block that fails later', '22012', qq{DO \$\$ BEGIN PERFORM $call; PERFORM 1 / 0; END \$\$} ],
	[ 'in a DO block that does not parse', '42601', qq{DO \$\$ BEGIN PERFORM $call; PERFORM; 'PASSWORD_' END \$\$} ],
	[ 'prepared, for no registry', '42704', q{PREPARE p (text) AS SELECT image_library.set_credential('nowhere', 'u', $1); EXECUTE p ('PASSWORD_')} ],
	[ 'prepared, with an argument that fails', '22012', q{PREPARE p (text, integer) AS SELECT image_library.set_credential('edb', 'u', $1); EXECUTE p ('PASSWORD_', 1 / 0)} ],
	[ 'by somebody who may not', '42501', qq{SET ROLE image_library_reader; SELECT $call} ],
	[ 'in the URL of a registry', '22023', q{SELECT image_library.ADD_REGISTRY('other', 'https://robot:PASSWORD_@registry.example.com')} ],
	[ 'in a URL without a scheme', '22023', q{SELECT image_library.alter_registry('edb', 'robot:PASSWORD_@registry.example.com')} ]);
# What only running it shows. log_statement and debug_print_parse log these before that.
my @found_out = (
	[ 'by a wrapper', '00000', q{SELECT public.keep('PASSWORD_')} ],
	[ 'by a wrapper in a schema of a similar name', '00000', q{SELECT image_library_tools.keep('PASSWORD_')} ],
	[ 'by a wrapper in SQL', '00000', q{SELECT public.keep_by_sql('PASSWORD_')} ],
	[ 'by a wrapper that puts the name together', '00000', q{SELECT public.keep_in_secret('PASSWORD_')} ],
	[ 'by a wrapper of it', '00000', q{DO $$ BEGIN PERFORM public.keep_in_secret('PASSWORD_'); END $$} ],
	[ 'by CALL', '00000', q{CALL public.call_keep('PASSWORD_')} ],
	[ 'by EXPLAIN of it', '00000', q{EXPLAIN (ANALYZE, VERBOSE) SELECT public.keep_in_secret('PASSWORD_')} ],
	[ 'by CREATE TABLE AS', '00000', q{CREATE TABLE public.made AS SELECT 1 AS one FROM public.keep_in_secret('PASSWORD_')} ],
	[ 'by COPY', '00000', q{COPY (SELECT public.keep_in_secret('PASSWORD_')) TO STDOUT} ],
	[ 'by a name that a DO block puts together', '00000', q{DO $$ BEGIN EXECUTE 'SELECT image_library.set_' || 'credential(''edb'', ''u'', ''PASSWORD_'')'; END $$} ],
	[ 'and an error after it', '22012', q{DO $$ BEGIN EXECUTE 'SELECT image_library.set_' || 'credential(''edb'', ''u'', ''PASSWORD_'')'; PERFORM 1 / 0; END $$} ],
	[ 'by a trigger', '00000', q{INSERT INTO public.before_row VALUES ('PASSWORD_')} ],
	[ 'by a trigger, and a row that is refused', '23514', q{INSERT INTO public.before_row VALUES ('PASSWORD_', 7)} ],
	[ 'by a trigger after the row', '00000', q{INSERT INTO public.after_row VALUES ('PASSWORD_')} ]);
# By the extended protocol: what is in the text, and what is a parameter.
my @extended = (
	[ 'a literal', qr/processed: 1\/1/, $call ],
	[ 'a parameter', qr/processed: 1\/1/, q{image_library.set_credential('edb', 'u', :secret)} ],
	[ 'a parameter of a wrapper', qr/processed: 1\/1/, q{public.keep(:secret)} ],
	[ 'a parameter of a quoted name', qr/processed: 1\/1/, q{image_library."set_credential"('edb', 'u', :secret)} ],
	[ 'a parameter that fails', qr/does not exist/, q{image_library.set_credential('nowhere', 'u', :secret)} ],
	[ 'a parameter of another type', qr/invalid input/, q{image_library.set_credential('edb', 'u', (:secret)::integer::text)} ]);

my ($number, $activity, %password) = (0, '');
sub password
{
	my ($what) = @_;
	my $password = sprintf 'Pw%03dx%06x', ++$number, 7_654_321 * $number % 0xffffff;
	$password{$password} = $what;
	return $password;
}
# Its state, as a script says it, and what others see of the session afterwards.
sub try
{
	my ($what, $expected, $sql, $prefix) = @_;
	my $password = password($what);
	$sql =~ s/PASSWORD_/$password/g;
	$sql =~ s/PRIVATE_KEY_/$key/g;
	my $others = q{SELECT string_agg(query, chr(10)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()};
	my $look = sprintf q{\! psql -XAtq -h '%s' -p %s -c "%s" postgres}, $node->host, $node->port, $others;
	my ($stdout, $stderr) = ('', '');
	$node->psql('postgres', ($prefix // '') . "$sql;\n\\echo SQLSTATE :SQLSTATE\n$look\n", stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
	my ($state) = $stdout =~ /^SQLSTATE (\w+)/m;
	is($state // "none: $stderr", $expected, "$what: it has its outcome");
	$activity .= $stdout =~ s/^.*^SQLSTATE \w+//msr;
}
try(@$_) for @spelled;
try(@$_, "SET log_statement = none;\nSET debug_print_parse = off;\nSET debug_print_plan = off;\n") for @found_out;
my $script = PostgreSQL::Test::Utils::tempdir() . '/script.sql';
for my $mode (qw(extended prepared))
{
	for (@extended)
	{
		my ($what, $expected, $sql) = @$_;
		my $password = password("$mode, $what");
		$sql =~ s/PASSWORD_/$password/g;
		unlink $script;
		append_to_file($script, "SELECT $sql;\n");
		my ($out, $err) = run_command([ 'pgbench', '-n', '-t', 1, '-M', $mode, '-f', $script, '-D', "secret=$password",
			'-h', $node->host, '-p', $node->port, 'postgres' ]);
		like("$out$err", $expected, "$mode, $what: it has its outcome");
	}
}

# --- where they may not be
my $statistics = $node->value(q{SELECT string_agg(query, chr(10)) FROM pg_stat_statements});
like($statistics, qr/hidden by image_library/, 'the statistics have statements that were hidden');
like($statistics, qr/set_credential\(\$1, \$2, \$3\)/, 'and those whose constants are taken out');
like($activity, qr/hidden by image_library/, 'others see that a statement is hidden');
$node->stop;
my %log = map { $_ => slurp_file($_) } $node->logfile, glob($node->data_dir . '/log/*');
cmp_ok(scalar(grep { length } values %log), '>=', 3, 'there are logs of each kind');
my $logged = join '', values %log;
like($logged, qr/statement: <hidden by image_library/, 'the logs have statements that were hidden');
like($logged, qr/SELECT image_library\.add_registry\('edb'/, 'and others as they are');
my $whole = join '|', map { quotemeta } sort keys %password;
for ([ 'the log', $logged ], [ 'pg_stat_statements', $statistics ], [ 'pg_stat_activity', $activity ])
{
	my ($where, $text) = @$_;
	my %told;
	$told{ $password{$1} } //= substr($text, $-[0] > 200 ? $-[0] - 200 : 0, 260) while $text =~ /($whole)/g;
	is(join("\n", map { "$_: $told{$_}" } sort keys %told), '', "no password is in $where");
	my $line = (split /\n/, $key)[1];
	unlike($text, qr/\Q$line\E/, "nor a key in $where");
}
# debug_print_parse shows constants as numbers.
my ($some) = sort keys %password;
my $numbers = join ' ', map { ord } split //, $some;
unlike($logged, qr/\b\Q$numbers\E\b/, 'nor as numbers in a tree');

# --- texts of DO blocks are kept from what is loaded before
unlike($logged, qr/pg_stat_statements is loaded after/, 'the order is as it should be');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'image_library, pg_stat_statements'\nlogging_collector = off");
$node->start;
like(slurp_file($node->logfile), qr/WARNING:.*pg_stat_statements is loaded after image_library.*HINT:.*last/s, 'another order is told');
$node->stop;
done_testing();

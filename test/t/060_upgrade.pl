# ALTER EXTENSION UPDATE: the upgraded schema equals a fresh one, object by object, and the rows are as before.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ImageLibrary;
use Installation;

my $source = "$FindBin::Bin/../..";
my $scripts = "$source/src/sql/upgrade";

# --- versions
my ($version) = slurp_file("$source/image_library.control") =~ /default_version = '(.*)'/ or die;
my ($old) = slurp_file("$source/Makefile") =~ /^UPGRADE_FROM = (\S+)/m or die;
like(slurp_file("$source/Makefile"), qr/^EXTVERSION = \Q$version\E$/m, "Makefile: version $version");
is(() = slurp_file("$source/META.json") =~ /"version": "\Q$version\E\.\d+",?\n/g, 2, 'META.json');
like(slurp_file("$source/src/core/release.h"), qr/kRelease\[\] = "\Q$version\E"/, 'the module');
like(slurp_file("$source/CHANGELOG.md"), qr/\A# Changes\n\n## \Q$version\E /, 'CHANGELOG.md begins with it');

# --- C functions of the old version: the new module must serve them until ALTER EXTENSION UPDATE has run
my $installation = Installation->new;
my $old_script = slurp_file("$scripts/image_library--$old.sql");
my $new_script = $installation->read_script("image_library--$version.sql");
my %new = c_functions($new_script);
my %before = c_functions($old_script);
cmp_ok(scalar keys %before, '>=', 30, 'C functions are found');
# The module gives as many columns as the SQL object has, from the first on.
is(join("\n", grep { defined $new{$_} && $new{$_} ne $before{$_} && index($new{$_}, $before{$_} =~ s/\) $/,/r) != 0 } sort keys %before),
	'', 'a C function with other parameters or another result has another symbol; only columns may be added, at the end');

sub c_functions
{
	my ($script) = @_;
	my %declared;
	while ($script =~ /^CREATE (?:FUNCTION|PROCEDURE) [a-z_.]+(\([^;]*?)LANGUAGE c [^;]*?AS 'MODULE_PATHNAME', '(\w+)'/gms)
	{
		my ($declaration, $symbol) = ($1, $2);
		$declared{$symbol} = $declaration =~ s/\s+/ /gr;
	}
	return %declared;
}

# --- a library of the old version
$installation->write_script("image_library--$old.sql", $old_script);
write_changed_version();
my $node = PostgreSQL::Test::Cluster->new('main', install_path => $installation->path);
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'image_library'\nfsync = off");
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(old fresh changed);
$node->safe_psql('old', slurp_file("$source/test/upgrade/library-$old.sql"));
$node->safe_psql('fresh', 'CREATE EXTENSION image_library');

# Reads work, and the agent tells what to do.
$node->poll_query_until('old', q{SELECT last_failure IS NOT NULL FROM image_library.agent_status() WHERE database = 'old'}) or die;
my ($told) = $node->safe_psql('old', q{SELECT last_error FROM image_library.agent_status() WHERE database = 'old'});
is($told, "extension image_library is of version $old in database \"old\", and the server runs its module of version $version: "
	. 'Run ALTER EXTENSION image_library UPDATE in that database.', 'agent_status tells what to do');
my ($out, $err) = ('', '');
$node->psql('old', 'CALL image_library.sync()', stderr => \$err);
like($err, qr/is of version \Q$old\E.*\nHINT:  Run ALTER EXTENSION image_library UPDATE/, 'CALL sync too');
like(slurp_file($node->logfile), qr/ERROR:  extension image_library is of version \Q$old\E in database "old", .*\n.*HINT:  Run ALTER EXTENSION/,
	'the log too, with the database');
is($node->safe_psql('old', 'SELECT count(*) FROM image_library.sync_run'), '1', 'nothing is synced');
cmp_ok($node->safe_psql('old', 'SELECT count(*) FROM approved'), '>', 10, 'reads go on, with resolve');
$node->safe_psql('old', q{SELECT image_library.reject(reference, 'before the upgrade') FROM image_library.pending_images ORDER BY reference LIMIT 1});
is($node->safe_psql('old', q{SELECT reason FROM image_library.decisions ORDER BY decision_id DESC LIMIT 1}), 'before the upgrade', 'decisions go on');

# --- ALTER EXTENSION UPDATE, with a view and a function of a user on every view, and on every function but those that CHANGELOG.md names
my ($changed_functions) = slurp_file("$source/CHANGELOG.md") =~ /^- Functions with other parameters or results: ([^:.]*)/m or die;
my $on_all = slurp_file("$FindBin::Bin/../upgrade/users.sql");
$on_all =~ s/:changed_functions/join ',', $changed_functions =~ m{`(\w+)`}g/e;
cmp_ok($node->safe_psql('old', $on_all), '>=', 80, 'users have built on every view and function');
my @tables = split /\n/, $node->safe_psql('old', q{
	SELECT c.oid::regclass || ' ' || string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum)
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind = 'r' GROUP BY c.oid ORDER BY 1});
$node->safe_psql('postgres', 'ALTER SYSTEM SET image_library.enabled = off');
$node->reload;
my %rows_before = rows('old');
my $head = $node->safe_psql('old', 'SELECT * FROM image_library.audit_head()');
my $rights = rights_of_users('old');
$node->safe_psql('old', 'ALTER EXTENSION image_library UPDATE');
is($node->safe_psql('old', q{SELECT extversion FROM pg_extension WHERE extname = 'image_library'}), $version, "upgraded from $old to $version");
is($node->safe_psql('old', q{REFRESH MATERIALIZED VIEW users.copy; SELECT count(*) = (SELECT count(*) FROM image_library.images) FROM users.copy}), 't', 'what users have built is there, and works');
is(differences('old'), '', 'the upgraded schema equals a fresh one');
my %rows_after = rows('old');
is($rows_after{$_}, $rows_before{$_}, "$_: the same rows") for sort keys %rows_before;
is(shipped_privileges('old'), shipped_privileges('fresh'), 'repair_privileges restores the rights of the new version only');
is($node->safe_psql('old', 'SELECT * FROM image_library.verify_audit()'), '', 'the chain of decisions and audit rows holds');
is($node->safe_psql('old', 'SELECT * FROM image_library.audit_head()'), $head, 'and ends as before');
is(rights_of_users('old'), $rights, 'what administrators have granted and revoked is as before, and in a dump');
$node->safe_psql('old', q{
	SELECT image_library.add_hm_tag('later'), image_library.enable_registry('local'), public.labels(i), governance.is_local(i) FROM image_library.images i LIMIT 1});
is($node->safe_psql('old', 'SELECT * FROM image_library.verify_audit()'), '', 'the chain goes on');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET image_library.enabled');
$node->reload;
$node->poll_query_until('old', 'SELECT count(*) > 1 FROM image_library.sync_run') or die;
pass('the agent works in it, without a restart');

# --- what the script of the next versions may have to do: see write_changed_version
$node->safe_psql('changed', q{
	CREATE EXTENSION image_library VERSION '0.0';
	CREATE VIEW mine AS SELECT * FROM image_library.images;
	CREATE FUNCTION mine(image_library.images) RETURNS text LANGUAGE sql AS 'SELECT $1.tag';
	ALTER EXTENSION image_library UPDATE});
is(differences('changed'), '', 'every kind of change: the schema equals a fresh one');

is($node->safe_psql('changed', 'SELECT name FROM image_library.hm_tags'), 'made last', 'the last part by hand runs when all objects exist');

# Objects of users that depend on what cannot be replaced are named.
$node->safe_psql('postgres', q{CREATE EXTENSION image_library VERSION '0.0'; CREATE VIEW mine AS SELECT old_column FROM image_library.hm_tags});
$err = '';
$node->psql('postgres', 'ALTER EXTENSION image_library UPDATE', stderr => \$err);
like($err, qr/cannot drop view image_library.hm_tags because other objects depend on it\nDETAIL:  view (public\.)?mine depends on .*\nHINT:  Drop these objects, run ALTER EXTENSION/,
	'a dependent view is named');
is($node->safe_psql('postgres', 'SELECT extversion FROM pg_extension WHERE extname = \'image_library\''), '0.0', 'and nothing is upgraded');

# --- a table that is changed without the part that is written by hand
$node->safe_psql('fresh', 'ALTER TABLE image_library_internal.rule ADD COLUMN forgotten text');
like(differences('old'), qr/^only in a fresh one: column forgotten of table image_library_internal.rule: type text$/m, 'a forgotten column is named');

# --- new SQL, old module: here one that has no function of the extension
$node->stop;
$installation->replace_module(Installation::config('pkglibdir') . '/dict_snowball.so');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->start;
for my $command ('CREATE EXTENSION image_library', 'ALTER EXTENSION image_library UPDATE')
{
	my $database = $command =~ /^CREATE/ ? 'template1' : 'postgres';
	$err = '';
	$node->psql($database, $command, stderr => \$err);
	like($err, qr/^psql:.*ERROR:  the server still runs the module of an older version of image_library\nHINT:  Restart the server/m, "$command needs the new module");
}
$node->stop;
done_testing();

# What repair_privileges restores.
sub shipped_privileges
{
	return $node->safe_psql($_[0], 'SELECT statement FROM image_library_internal.shipped_privilege ORDER BY statement COLLATE "C"');
}

# The lines of test/lib/schema.sql in which a database differs from database fresh.
sub differences
{
	my ($database) = @_;
	my %lines = map {
		my $node_lines = $node->safe_psql($_, slurp_file("$source/test/lib/schema.sql"));
		$_ => [ split /\n/, $node_lines ];
	} ($database, 'fresh');
	cmp_ok(scalar @{ $lines{fresh} }, '>', 10000, 'the schema is described');
	my %in_fresh = map { $_ => 1 } @{ $lines{fresh} };
	my %in_upgraded = map { $_ => 1 } @{ $lines{$database} };
	# The rights of users are compared by rights_of_users.
	my @different = grep { !/\tright of (grafana|image_library_reader)\t|\tright of image_library_curator\t/ || $database ne 'old' }
		((map { "only in the upgraded one: $_" } grep { !$in_fresh{$_} } @{ $lines{$database} }),
		 (map { "only in a fresh one: $_" } grep { !$in_upgraded{$_} } @{ $lines{fresh} }));
	return join "\n", map { my ($object, $property, $value) = split /\t/; "$object: $property " . substr $value // '', 0, 300 } @different;
}

# Number and hash of the rows of each table, in the columns that the old version has.
sub rows
{
	my ($database) = @_;
	my %rows;
	for (@tables)
	{
		my ($table, $columns) = split / /, $_, 2;
		# The script itself fills it.
		next if $table eq 'image_library_internal.shipped_model_fact';
		$rows{$table} = $node->safe_psql($database,
			"SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM (SELECT $columns FROM $table) t");
	}
	return %rows;
}

# GRANT and REVOKE of a dump that concern what administrators have set in test/upgrade.
sub rights_of_users
{
	my ($database) = @_;
	my ($dump, $error) = run_command([ "$installation->{bindir}/pg_dump", '-h', $node->host, '-p', $node->port, '-s', $database ]);
	my @rights = grep { /^(GRANT|REVOKE)/ && /grafana|GRANT .* image_library_internal\.tag TO image_library_reader|REVOKE .*FUNCTION image_library\.revoke\(.* FROM image_library_curator/ } split /\n/, $dump;
	is(scalar @rights, 5, 'rights of users are found') or diag($dump);
	return join "\n", @rights;
}

# Version 0.0 is the present one with changes of all kinds taken back, and a generated script that makes them.
sub write_changed_version
{
	my $script = $new_script;
	my $change = sub {
		my ($what, $by) = @_;
		$script =~ s/$what/$by/ or die "the install script has no $what any more: let this test change another object";
	};
	# A function that views use has other parameters; a view has other columns; a function returns other columns.
	$change->(qr/(?<=FUNCTION image_library_internal.system_tags\()host text, features text\[\]/, 'host text, features text[], old_parameter text DEFAULT NULL');
	$change->(qr/(?<=CREATE VIEW image_library.hm_tags) WITH \(security_barrier\) AS\n  SELECT/, " AS SELECT 'old'::text AS old_column,");
	$change->(qr/FUNCTION image_library\.verify_audit\([^)]*\)\nRETURNS TABLE \(\K/, 'old_column text, ');
	# A parameter has another name, a type another attribute, an index other columns.
	$change->(qr/(?<=FUNCTION image_library_internal.is_repository_name\()name text/, 'old_name text');
	$change->(qr/(?<=CREATE TYPE image_library.found_image AS \()/, 'old_attribute integer,');
	$change->(qr/(?<=CREATE INDEX repository_name ON image_library_internal.repository \()name/, 'registry_id');
	# A table, a trigger and a comment are new.
	$change->(qr/^CREATE TABLE image_library_internal.referrer_check \(.*?\n\);\n/ms, '');
	$script =~ s/^(COMMENT ON (TABLE|COLUMN)|GRANT SELECT[A-Z, ]* ON) image_library_internal\.referrer_check\b.*?;\n//gms;
	$change->(qr/^CREATE CONSTRAINT TRIGGER chain AFTER INSERT ON image_library_internal.decision.*?^COMMENT ON TRIGGER chain ON image_library_internal.decision.*?;\n/ms, '');
	# By hand: a column is new, and a table is made anew.
	$change->(qr/^  referrer_id bigint [^\n]*\n/m, '');
	$change->(qr/^COMMENT ON COLUMN image_library_internal.image_referrer.referrer_id IS.*?;\n/ms, '');
	$change->(qr/(?<=^CREATE TABLE image_library_internal.other_conflict \()/m, 'old_column integer,');
	# A function, a view that uses it, an index and rights are gone.
	$change->(qr/^(?=CREATE FUNCTION image_library_internal.known_registries)/m, <<'SQL');
CREATE FUNCTION image_library_internal.old_function() RETURNS integer LANGUAGE sql RETURN 1;
CREATE VIEW image_library.old_view AS SELECT image_library_internal.old_function() AS one;
CREATE FUNCTION image_library.old_reader(image_library.old_view) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE TYPE image_library_internal.old_type AS (one integer);
CREATE INDEX old_index ON image_library_internal.event (event_id);
GRANT EXECUTE ON FUNCTION image_library.audit_head TO image_library_agent;
GRANT SELECT ON image_library_internal.event TO image_library_curator;
SQL
	my $folder = PostgreSQL::Test::Utils::tempdir();
	append_to_file("$folder/image_library--0.0.sql", $script);
	append_to_file("$folder/0.0--$version.sql", <<'SQL');
ALTER TABLE image_library_internal.image_referrer ADD COLUMN referrer_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY;
ALTER EXTENSION image_library DROP TABLE image_library_internal.other_conflict;
DROP TABLE image_library_internal.other_conflict;
SQL
	append_to_file("$folder/0.0--${version}_last.sql", "SELECT image_library.add_hm_tag('made last');\n");
	append_to_file("$folder/new.sql", $new_script);
	append_to_file("$folder/$_", slurp_file("$scripts/$_")) for qw(begin.sql end.sql);
	my ($upgrade, $error) = run_command([ "$source/scripts/upgrade_script", "$folder/image_library--0.0.sql", "$folder/0.0--$version.sql", "$folder/new.sql" ]);
	is($error, '', 'an upgrade script is made');
	$installation->write_script('image_library--0.0.sql', $script);
	$installation->write_script("image_library--0.0--$version.sql", "$upgrade\n");
}

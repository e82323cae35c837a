# plpgsql_check reads the body of every PL/pgSQL function: statements that do not plan, columns and
# variables that do not exist, assignments that lose a type.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ImageLibrary;

my $node = ImageLibrary::node('main');

SKIP:
{
	# Debian's package is for Debian's PostgreSQL.
	skip 'plpgsql_check is not installed for this PostgreSQL', 1
	  if $node->value(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'plpgsql_check'}) eq '0';
	$node->value('CREATE EXTENSION plpgsql_check');

	# A trigger function is checked with each table that calls it; one that users call, with a table of theirs.
	$node->value(q{
		CREATE TABLE users_table (image text);
		CREATE TRIGGER require_approved BEFORE INSERT ON users_table
			FOR EACH ROW EXECUTE FUNCTION image_library.require_approved('image')});
	my $functions = q{
		SELECT p.oid, p.prorettype, t.tgrelid, t.tgoldtable, t.tgnewtable, p.prosrc, p.oid::regprocedure::text AS name
		FROM pg_proc p
		JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
		JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'image_library'
		LEFT JOIN LATERAL (SELECT DISTINCT tgrelid, tgnewtable, tgoldtable FROM pg_trigger WHERE tgfoid = p.oid AND NOT tgisinternal) t
			ON p.prorettype = 'trigger'::regtype};
	my $findings = $node->value(qq{
		SELECT f.name, c.lineno, c.level, c.message, c.detail
		FROM ($functions) f
		CROSS JOIN LATERAL plpgsql_check_function_tb(f.oid, coalesce(f.tgrelid, 0),
			oldtable => f.tgoldtable, newtable => f.tgnewtable,
			fatal_errors => false, other_warnings => true, extra_warnings => false, performance_warnings => false) c
		WHERE (f.prorettype <> 'trigger'::regtype OR f.tgrelid IS NOT NULL)
		-- It knows no columns of parameters of type record, and takes a literal for a text.
		  AND coalesce(c.detail, '') <> 'The tuple structure of a not-yet-assigned record is indeterminate.'
		  AND coalesce(c.detail, '') NOT LIKE 'cast "text" value to %'
		-- What ends with fail() does not return.
		  AND NOT (c.message = 'control reached end of function without RETURN'
		    AND f.prosrc ~ '[.]fail[(][^;]*;[[:space:]]*END[[:space:]]*\$')});
	is($findings, '', 'nothing is found');
	cmp_ok($node->value("SELECT count(*) FROM ($functions) f"), '>', 50, 'the functions of the extension were read');
}
done_testing();

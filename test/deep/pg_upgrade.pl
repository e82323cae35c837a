# pg_upgrade of a library from an older major version of PostgreSQL to a newer one. It needs two that have the extension
# installed: the one of the test, and any other below /usr/lib/postgresql, or in the folders that POSTGRES_INSTALLATIONS
# names, separated by colons (each has bin).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;

my %bin;
chomp(my $own = `pg_config --bindir`);
for my $folder ($own, map { "$_/bin" } split(/:/, $ENV{POSTGRES_INSTALLATIONS} // ''), glob '/usr/lib/postgresql/*')
{
	next unless -x "$folder/pg_config" && -x "$folder/postgres" && -x "$folder/pg_upgrade";
	my ($modules, $shared, $version) = map { my $told = `$folder/pg_config --$_`; chomp $told; $told } qw(pkglibdir sharedir version);
	my ($major) = $version =~ /PostgreSQL (\d+)/ or next;
	$bin{$major} //= $folder if -e "$modules/image_library.so" && -e "$shared/extension/image_library.control";
}
my ($old, $new) = (sort { $a <=> $b } keys %bin)[ 0, -1 ];
plan skip_all => "pg_upgrade needs the extension in two major versions of PostgreSQL; it is in: @{[ sort keys %bin ]}" if keys %bin < 2;

my $registry = FaultRegistry->new({ repositories => { 'team/app' => { map { ("1.$_" => {}) } 0 .. 9 } } });
my $conf = "shared_preload_libraries = 'image_library'\nfsync = off\n";
my $before = cluster($old, 'before');
$before->append_conf('postgresql.conf', $conf);
$before->start;
$before->safe_psql('postgres', sprintf q{
	CREATE EXTENSION image_library;
	SELECT image_library.add_registry('local', '%s', allow_private => true, sync_interval => '1 day');
	SELECT image_library.set_credential('local', 'robot', 'Secret-4711');
	SELECT image_library.add_rule('local', '**')}, $registry->url);
ok($before->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status}), "synced in PostgreSQL $old");
$before->safe_psql('postgres', q{SELECT image_library.approve(reference, 'before') FROM image_library.images ORDER BY tag LIMIT 4});
my %told = map { $_ => $before->safe_psql('postgres', $_) } (
	'SELECT * FROM image_library.images ORDER BY reference', 'SELECT * FROM image_library.decisions ORDER BY decision_id',
	'SELECT * FROM image_library.audit ORDER BY audit_id', 'SELECT * FROM image_library.rules', 'SELECT * FROM image_library.audit_head()',
	'SELECT * FROM image_library.tag_history ORDER BY tag');
my $schema = schema($before);
$before->stop;

my $after = cluster($new, 'after');
$after->append_conf('postgresql.conf', $conf);
command_ok([ "$bin{$new}/pg_upgrade", '--no-sync', '-d', $before->data_dir, '-D', $after->data_dir, '-b', $bin{$old}, '-B', $bin{$new},
		'-s', $before->host, '-p', $before->port, '-P', $after->port ], "pg_upgrade from $old to $new");
$after->start;
is($after->safe_psql('postgres', $_), $told{$_}, $_) for sort keys %told;
is(schema($after), $schema, 'the objects of the extension are the same');
is($after->safe_psql('postgres', 'SELECT * FROM image_library.verify_audit()'), '', 'the chain of decisions and audit rows holds');
is($after->safe_psql('postgres', q{SELECT username FROM image_library_internal.credential}), 'robot', 'credentials come along');
ok($after->poll_query_until('postgres', q{SELECT launcher_pid IS NOT NULL FROM image_library.agent_status()}), 'the agent runs');
$after->safe_psql('postgres', q{SELECT image_library.request_sync('local')});
ok($after->poll_query_until('postgres', q{SELECT count(*) > 1 FROM image_library.sync_run WHERE outcome = 'complete'}), 'and syncs');
is($after->safe_psql('postgres', 'SELECT images_added FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1'), '0', 'it knows every image');
$after->stop;
$registry->stop;
done_testing();

sub cluster
{
	my ($major, $name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => $bin{$major} =~ s{/bin$}{}r);
	# Of 18 on with checksums unless told otherwise; both clusters must agree.
	$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8', $major >= 18 ? '--no-data-checksums' : () ]);
	return $node;
}

# Names, kinds, owners and rights: texts of definitions differ from version to version.
sub schema
{
	my ($node) = @_;
	return $node->safe_psql('postgres', q{
		SELECT pg_describe_object(d.classid, d.objid, 0), coalesce(c.relowner, p.proowner)::regrole,
		       (SELECT string_agg(a.grantee::regrole || ' ' || a.privilege_type, ',' ORDER BY a.grantee::regrole::text, a.privilege_type)
		        FROM aclexplode(coalesce(c.relacl, p.proacl)) a WHERE a.privilege_type <> 'MAINTAIN')
		FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'image_library'
		LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
		LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
		WHERE d.deptype = 'e' ORDER BY 1});
}

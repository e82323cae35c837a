# pg_upgrade of a library, from the oldest to the newest major version of PostgreSQL that has the extension: the one of
# the test, those below /usr/lib/postgresql, and those in the folders that POSTGRES_INSTALLATIONS names, separated by
# colons (each has bin). With one version only, to a new cluster of the same version, which pg_upgrade allows.
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
SKIP:
{
	skip "only PostgreSQL $old has the extension: upgrade to the same version", 1 if $old == $new;
	pass("from PostgreSQL $old to $new");
}

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
my $initial_rights = initial_rights($before);
$before->stop;

my $after = cluster($new, 'after');
$after->append_conf('postgresql.conf', $conf);
command_ok([ "$bin{$new}/pg_upgrade", '--no-sync', '-d', $before->data_dir, '-D', $after->data_dir, '-b', $bin{$old}, '-B', $bin{$new},
		'-s', $before->host, '-p', $before->port, '-P', $after->port ], "pg_upgrade from $old to $new");
$after->start;
is($after->safe_psql('postgres', $_), $told{$_}, $_) for sort keys %told;
is(different($initial_rights, initial_rights($after)), '', 'pg_dump takes the same rights for granted');
is(different($schema, schema($after)), '', 'the objects of the extension are the same');
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

# The lines that only one of two texts has.
sub different
{
	my ($before, $after) = @_;
	my ($old_lines, $new_lines) = map { my %lines = map { $_ => 1 } split /\n/; \%lines } $before, $after;
	return join "\n", (map { "- $_" } grep { !$new_lines->{$_} } sort keys %$old_lines), (map { "+ $_" } grep { !$old_lines->{$_} } sort keys %$new_lines);
}

sub initial_rights
{
	my ($node) = @_;
	return $node->safe_psql('postgres', q{
		SELECT pg_describe_object(i.classoid, i.objoid, i.objsubid), ARRAY(SELECT format('%s %s %s', a.grantor::regrole, a.grantee::regrole, a.privilege_type) FROM aclexplode(i.initprivs) a WHERE a.grantee <> a.grantor ORDER BY 1)
		FROM pg_init_privs i JOIN pg_depend d ON (d.classid, d.objid) = (i.classoid, i.objoid) AND d.deptype = 'e'
		JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'image_library'
		WHERE EXISTS (SELECT FROM aclexplode(i.initprivs) a WHERE a.grantee <> a.grantor) ORDER BY 1});
}

# Names, kinds, owners and rights of others than the owner: texts of definitions differ from version to version.
sub schema
{
	my ($node) = @_;
	return $node->safe_psql('postgres', q{
		SELECT pg_describe_object(d.classid, d.objid, 0), coalesce(c.relowner, p.proowner)::regrole,
		       (SELECT string_agg(a.grantee::regrole || ' ' || a.privilege_type, ',' ORDER BY a.grantee::regrole::text, a.privilege_type)
		        FROM aclexplode(coalesce(c.relacl, p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee <> a.grantor)
		FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'image_library'
		LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
		LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
		LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
		-- ALTER EXTENSION ... ADD, which pg_upgrade uses, makes types of rows and arrays members by themselves from 17 on.
		WHERE d.deptype = 'e' AND coalesce(t.typcategory <> 'A' AND coalesce((SELECT relkind FROM pg_class x WHERE x.oid = t.typrelid), 'c') = 'c', true) ORDER BY 1});
}

# What is distributed: META.json, the zip for PGXN, the root of an extension image. The Debian packages are built by test/deep/package.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";
my $folder = PostgreSQL::Test::Utils::tempdir();

sub output
{
	my (@command) = @_;
	my ($out, $error) = ('', '');
	my $ok = IPC::Run::run(\@command, '>', \$out, '2>', \$error);
	return $ok ? $out : "failed: $out$error";
}
sub bytes { return output('sha256sum', $_[0]) =~ s/ .*//sr }

# --- META.json conforms to the PGXN Meta Spec, and the check finds what does not
is(output("$root/scripts/check_meta", "$root/META.json"), '', 'META.json conforms to the PGXN Meta Spec');
my $meta = decode_json(slurp_file("$root/META.json"));
system('cp', '-r', "$root/README.md", "$folder/");
mkdir "$folder/src";
append_to_file("$folder/src/x.sql", '');
my %good = (%$meta, provides => { image_library => { file => 'src/x.sql', version => '0.1.0' } });
sub faults_of
{
	my (%changes) = @_;
	my %changed = (%good, %changes);
	delete @changed{ grep { !defined $changed{$_} } keys %changed };
	unlink "$folder/META.json";
	append_to_file("$folder/META.json", encode_json(\%changed));
	return output("$root/scripts/check_meta", "$folder/META.json") =~ s/^failed: //r =~ s/\n$//r;
}
is(faults_of(), '', 'the check accepts what conforms');
for (
	[ 'license: is missing', license => undef ],
	[ 'version: is not a semantic version such as 1.2.3', version => '0.1' ],
	[ 'license[0]: is not a license of the specification', license => 'PostgreSQL' ],
	[ 'maintainer: is empty', maintainer => [] ],
	[ 'provides.image_library.file: is not a file of the distribution', provides => { image_library => { file => 'src/y.sql', version => '0.1.0' } } ],
	[ 'provides.image_library.version: is missing', provides => { image_library => { file => 'src/x.sql' } } ],
	[ 'release_status: is not stable, testing or unstable', release_status => 'beta' ],
	[ 'prereqs.runtime.needs: is not the name of a relation (requires, recommends, suggests, conflicts)', prereqs => { runtime => { needs => { PostgreSQL => '15.0.0' } } } ],
	[ 'prereqs.runtime.requires.PostgreSQL: is not a version, or a range such as >= 1.2.3, < 2.0.0', prereqs => { runtime => { requires => { PostgreSQL => '15' } } } ],
	[ 'resources.homepage: is not a URL', resources => { homepage => 'example.org' } ],
	[ 'tags[1]: is not a tag of at most 255 characters without / and \\', tags => [ 'oci', 'a/b' ] ],
	[ 'meta-spec.version: is not 1.0.0', 'meta-spec' => { version => '2.0.0' } ],
	[ 'licence: is no field of the specification', licence => 'mit' ])
{
	my ($fault, %changes) = @$_;
	is(faults_of(%changes), $fault, $fault);
}

# --- one version everywhere
my ($version) = slurp_file("$root/Makefile") =~ /^EXTVERSION = (\S+)$/m;
my ($before) = slurp_file("$root/Makefile") =~ /^UPGRADE_FROM = (\S+)$/m;
is($meta->{version}, "$version.0", 'META.json has the version of the Makefile');
is($meta->{provides}{image_library}{version}, "$version.0", '- of the extension too');
like(slurp_file("$root/image_library.control"), qr/^default_version = '\Q$version\E'$/m, 'and so has the control file');
like(slurp_file("$root/CMakeLists.txt"), qr/project\(image_library VERSION \Q$version\E /, 'CMakeLists.txt');
like(slurp_file("$root/debian/changelog"), qr/\Aimage-library \(\Q$version\E-\d+\) /, 'debian/changelog');
like(slurp_file("$root/CHANGELOG.md"), qr/^## \Q$version\E\b/m, 'CHANGELOG.md');
my @in_document = slurp_file("$root/doc/packages.md") =~ /\bimage[_-]library[-:](\d+\.\d+)/g;
is(join(' ', @in_document), join(' ', ($version) x @in_document), 'doc/packages.md');

# --- the zip of a commit: the tests may run in a copy without its history
my $tree = "$folder/tree";
my @git = ('git', '-C', $tree, '-c', 'user.name=test', '-c', 'user.email=test@example.org');
mkdir $tree;
system("cd '$root' && tar -c --exclude=./.git --exclude=./tmp_check --exclude='*.o' --exclude=./build . | tar -x -C '$tree'") == 0 or die;
for my $command ([qw(init -q)], [qw(add -A)], [qw(commit -q -m), 'as it is'])
{
	system(@git, @$command) == 0 or die "git @$command failed";
}
mkdir "$folder/$_" for qw(first second);
{
	local $ENV{TZ} = 'Asia/Tokyo';
	like(output("$tree/scripts/dist", "$folder/first"), qr{/first/image_library-\Q$version\E\.0\.zip\n$}, 'make dist makes a zip');
}
output("$tree/scripts/dist", "$folder/second");
my $zip = "image_library-$version.0.zip";
is(bytes("$folder/first/$zip"), bytes("$folder/second/$zip"), 'the same commit gives the same bytes');
my %files = map { $_ => 1 } split /\n/, output('python3', '-c', 'import sys, zipfile; print("\n".join(zipfile.ZipFile(sys.argv[1]).namelist()))', "$folder/first/$zip");
is(join(' ', grep { !$files{"image_library-$version.0/$_"} } 'META.json', 'Makefile', 'image_library.control', 'README.md', 'LICENSE', $meta->{provides}{image_library}{file},
		$meta->{provides}{image_library}{docfile}), '', 'it has the files that PGXN looks for');

# --- the root of an extension image, of what is installed here
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
$ENV{SOURCE_DATE_EPOCH} = 1700000000;
is(output("$root/scripts/image_root", '/', $pg_config, "$folder/image$_"), '', 'the root of an extension image') for 1, 2;
chomp(my $listed = output('find', "$folder/image1", '-mindepth', 1, '-printf', '%P\n'));
my @listed = split /\n/, $listed;
# Of other versions there may be scripts too.
is(join(' ', sort grep { m{^(?:lib|share)\b} && (!/--/ || /--(?:\Q$before\E|\Q$version\E)\.sql$/) } @listed),
	join(' ', qw(lib lib/image_library.so share share/extension), map { "share/extension/image_library$_" } "--$before--$version.sql", "--$before.sql", "--$version.sql", '.control'),
	'it has module and scripts, also those of the version before and of the upgrade');
my @bundled = map { m{^system/(.*)} } @listed;
is(join(' ', grep { /^libcurl\.so/ || /^libre2\.so/ || /^libsimdjson\.so/ } sort @bundled) =~ s/\.so\.\S+//gr, 'libcurl libre2 libsimdjson', 'and the libraries that the server lacks');
is(join(' ', grep { /^(?:ld-linux|libc|libm|libpthread)[-.]/ } @bundled), '', 'but no C library');
cmp_ok(scalar(grep { m{^licenses/[^/]+/(?:copyright|LICENSE)$} } @listed), '>', 3, 'with licenses');
{
	local $ENV{LD_LIBRARY_PATH} = "$folder/image1/system";
	my @found = output('ldd', "$folder/image1/lib/image_library.so") =~ m{=> \Q$folder\E/image1/system/(\S+)}g;
	is(join(' ', sort @found), join(' ', sort @bundled), 'the module finds each of them, and needs each');
}
is(output('sh', '-c', "tar -C '$folder/image1' --sort=name -c . | sha256sum"), output('sh', '-c', "tar -C '$folder/image2' --sort=name -c . | sha256sum"), 'the same every time');
like(output("$root/scripts/image_root", '/', $pg_config, "$folder/image1"), qr/is not empty$/, 'an existing folder is not overwritten');

done_testing();

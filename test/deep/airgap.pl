# Two libraries with an air gap between: a bundle goes over as a file, images go by skopeo and the list for it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;

my $hub = DockerRegistry->new;
my $far = DockerRegistry->new;
$hub->push_samples('--only', 'postgresql:17.*');
my $central = ImageLibrary::node('central');
my $site = ImageLibrary::node('site', 'image_library.enabled = off');
my $folder = PostgreSQL::Test::Utils::tempdir();
my ($list, $bundle) = ("$folder/list", "$folder/bundle");

$central->value(sprintf q{
	SELECT image_library.add_registry('hub', '%s', allow_private => true);
	SELECT image_library.set_credential('hub', 'robot', 'Passw0rd-of-the-hub');
	SELECT image_library.add_rule('hub', '**')}, $hub->url);
ok($central->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status}), 'the central library is synced');
$central->value(q{SELECT image_library.approve(reference, 'reviewed') FROM image_library.images WHERE repository = 'postgresql' AND tag LIKE '17%'});
my $approved = $central->value(q{SELECT count(*) FROM image_library.images WHERE approval = 'approved'});
cmp_ok($approved, '>', 1, 'images are approved');
$central->value(qq{COPY (SELECT line FROM image_library.export_library('central') line) TO '$bundle'});
unlike(slurp_file($bundle), qr/Passw0rd/, 'the bundle has no secret');
my $hash = $central->value(q{SELECT 1}) && (split / /, (split /\n/, slurp_file($bundle))[-1])[0];

# --- signed there, verified here: openssl signs the hash of the last line
append_to_file("$folder/hash", $hash);
command_ok([ 'openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', "$folder/key" ], 'a key');
command_ok([ 'openssl', 'pkey', '-in', "$folder/key", '-pubout', '-out', "$folder/key.pub" ], 'its public part');
command_ok([ 'openssl', 'dgst', '-sha256', '-sign', "$folder/key", '-out', "$folder/signature", "$folder/hash" ], 'the hash is signed');
command_ok([ 'openssl', 'base64', '-in', "$folder/signature", '-out', "$folder/signature.txt" ], 'as text');
my ($key, $signature) = (slurp_file("$folder/key.pub"), slurp_file("$folder/signature.txt"));
$site->value("SELECT image_library.add_trust_key('central', '$key', '{none.invalid/none}')");

# --- over the gap: \copy, stage_bundle, import_library
sub import_bundle
{
	my ($file, $import) = @_;
	return $site->error(qq{
		BEGIN;
		CREATE TEMP TABLE bundle (number bigint GENERATED ALWAYS AS IDENTITY, line text) ON COMMIT DROP;
		\\copy bundle (line) FROM '$file'
		SELECT image_library.stage_bundle(lines)
		FROM (SELECT array_agg(line ORDER BY number) AS lines FROM bundle GROUP BY (number - 1) / 7 ORDER BY min(number) OFFSET 0) b;
		COMMIT;} . ($import // qq{SELECT * FROM image_library.import_library('{"hub": "mirror"}', signature => '$signature', key => 'central')}));
}
my $mirror = sprintf q{SELECT image_library.add_registry('mirror', '%s/copy', allow_private => true)}, $far->url;
like(import_bundle($bundle), qr/42704: registry "hub" of the bundle has no counterpart here|no counterpart/, 'without a mirror nothing is imported');
$site->value($mirror);
is(import_bundle($bundle), '', 'the bundle is imported');
is($site->value(q{SELECT count(*) FROM image_library.decisions}), '0', 'no decision without the images');
is($site->value(q{SELECT count(DISTINCT digest) FROM image_library.mirror_status('central', 'mirror') WHERE missing = 'image'}),
	$central->value(q{SELECT count(DISTINCT digest) FROM image_library.images WHERE approval = 'approved'}), 'every approved image is missing in the mirror');

# --- a changed, missing or moved line in the file
my @lines = split /\n/, slurp_file($bundle);
sub damaged
{
	my ($name, @damaged) = @_;
	append_to_file("$folder/$name", join('', map { "$_\n" } @damaged));
	like(import_bundle("$folder/$name"), qr/22023: invalid bundle: line \d+/, "$name: refused");
}
my @changed = @lines;
$changed[9] =~ s/[0-9](?=[^0-9]*$)/$& eq '7' ? 8 : 7/e;
damaged('changed', @changed);
damaged('short', @lines[0 .. $#lines - 1]);
damaged('moved', @lines[0 .. 3], $lines[5], $lines[4], @lines[6 .. $#lines]);

# --- the images go over
$central->value(sprintf q{COPY (SELECT l FROM image_library.export_copy_list('hub', '%s/copy') l) TO '%s'}, $far->host, $list);
my @copies = map { [ split / / ] } split /\n/, slurp_file($list);
cmp_ok(scalar @copies, '>=', $approved, 'the list has every approved tag');
my $left_out = pop @copies;
# skopeo 1.9 converts a list of referrers, which it refuses to do while digests are preserved; those of images must be.
sub copy
{
	my ($from, $to) = @_;
	my @options = $to =~ /:sha256-[0-9a-f]{64}$/ ? () : '--preserve-digests';
	return run_log([ 'skopeo', 'copy', '--quiet', '--all', @options, '--src-tls-verify=false', '--dest-tls-verify=false', "docker://$from", "docker://$to" ]);
}
ok(copy(@$_), "copied: $_->[1]") for @copies;
my $sync = q{CALL image_library.sync('mirror')};
my $decided = $site->value($sync . q{; SELECT count(*) FROM image_library.decisions WHERE origin ->> 'library' = 'central'});
cmp_ok($decided, '>', 0, 'a sync of the mirror brings the images, and with them their approvals');
is($site->value(q{SELECT string_agg(DISTINCT origin ->> 'registry', ' ') FROM image_library.decisions}), 'hub', 'which say where they come from');
my $status = q{SELECT string_agg(DISTINCT missing, ' ') FROM image_library.mirror_status('central', 'mirror')};
like($site->value($status), qr/image|tag|referrer/, 'what was not copied is missing');
ok(copy(@$left_out), 'the last one is copied');
$site->value($sync);
is($site->value($status), '', 'nothing is missing');
is($site->value(q{SELECT count(*) FROM image_library.images WHERE approval = 'approved'}), $approved, 'every image is approved here');
is($site->value(q{SELECT string_agg(DISTINCT effect, ' ') FROM image_library.imported_images WHERE state = 'approved'}), 'approved', 'by the import');
my $tag = $site->value(q{SELECT reference FROM image_library.images WHERE approval = 'approved' ORDER BY 1 LIMIT 1});
like($site->value("SELECT image_library.resolve('$tag')"), qr/\@sha256:/, 'and can be used');
is(import_bundle($bundle), '', 'imported again');
is($site->value(q{SELECT count(*) FROM image_library.decisions}), $site->value(q{SELECT count(*) FROM image_library.images WHERE approval = 'approved'}) > 0 ? $site->value(q{SELECT count(DISTINCT digest) FROM image_library.decisions}) : 'none', 'nothing is decided twice');

# --- taken back there, taken back here; a dump of the site has it all
$central->value(q{SELECT image_library.revoke(reference, 'a hole') FROM image_library.images WHERE approval = 'approved' ORDER BY 1 LIMIT 1});
my $newer = "$folder/newer";
$central->value(qq{COPY (SELECT line FROM image_library.export_library('central') line) TO '$newer'});
my $unsigned = q{SELECT * FROM image_library.import_library('{"hub": "mirror"}')};
like(import_bundle($newer, $unsigned), qr/55000: bundles of library "central" must be signed with key "central"/, 'a newer bundle without a signature is refused');
like(import_bundle($newer), qr/22023: invalid bundle: it is not signed with key "central"/, 'with the signature of another one too');
$site->value(q{SELECT image_library.set_bundle_key('central', NULL)});
is(import_bundle($newer, $unsigned), '', 'a newer bundle, when no signature is required any more');
is($site->value(q{SELECT count(*) FROM image_library.images WHERE approval = 'revoked'}) > 0, 1, 'revokes here too');
like(import_bundle($bundle), qr/55000: the bundle of library "central" is older/, 'the older one is refused');
is($site->value(q{SELECT count(*) FROM image_library.verify_audit()}), '0', 'the chain of decisions is whole');
is($site->value(q{SELECT string_agg(action, ' ' ORDER BY audit_id) FROM image_library.audit WHERE object = 'bundle'}), 'added changed', 'imports are audited');

$central->stop;
$site->stop;
$hub->stop;
$far->stop;
done_testing();

# Keyless signatures and those of Notation, from a real registry through the agent to what rests on them. Signing material is
# made by signed_samples, a program of CMake that shares the unit tests' authorities and logs.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;

my $samples = $ENV{SIGNED_SAMPLES} // "$FindBin::RealBin/../../build/signed_samples";
plan skip_all => 'build/signed_samples is not there: run cmake -S . -B build && cmake --build build --target signed_samples'
  unless -x $samples;

my $registry = DockerRegistry->new(mode => 'open');
my $folder = PostgreSQL::Test::Utils::tempdir();
# A tag for each kind of signature, and one without any.
my @kinds = qw(rekor1 rekor2 message1 message2 stranger outsider provenance
  notation notation-stranger notation-ended notation-stamped notation-expired);
my @digests = $registry->push_plain(map { [ 'app', $_, $_ ] } @kinds, 'none');
sub file { return slurp_file("$folder/$_[0]") }
sub run
{
	my ($out, $err) = run_command([@_]);
	die "$_[0] failed: $err" if $? != 0;
	return;
}
# Makes signatures, and pushes them for the tags that are called as their kinds.
sub sign
{
	my ($repository, %digest) = @_;
	run($samples, $folder, %digest);
	run('python3', '-B', "$FindBin::RealBin/../registry/sign.py", '--document', "$folder/$_.json", $registry->url, $repository, $_) for sort keys %digest;
	return;
}
my %digest;
@digest{@kinds} = @digests;
sign('app', %digest);

my $issuer = 'https://issuer.test';
my $workflow = 'https://git.test/team/app/.build.yml@refs/heads/main';
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
sub sync { return $node->error(q{CALL image_library.sync('local')}) }
sub approved
{
	return $node->value(q{SELECT coalesce(string_agg(tag, ' ' ORDER BY tag COLLATE "C"), 'none')
		FROM image_library.images WHERE repository = 'app' AND approval = 'approved'});
}
sub approval { return $node->value("SELECT approval FROM image_library.images WHERE tag = '$_[0]'") }
# A column of the signature of the image with this tag.
sub of
{
	my ($tag, $column) = @_;
	return $node->value(qq{SELECT $column FROM image_library.image_signatures s JOIN image_library.images i USING (registry, repository, digest) WHERE tag = '$tag'});
}
sub root { return sprintf q{SELECT image_library.set_trusted_root('%s')}, file($_[0]) }
my $asked;
sub asked { return scalar(@{ $registry->requests }) - $asked }

# --- identities and authorities, but no trusted root yet
$node->value(sprintf q{
	SELECT image_library.add_registry('local', '%s', allow_private => true);
	SELECT image_library.add_trust_identity('builder', '%s', 'https://git.test/team/*/.build.yml@refs/heads/*');
	SELECT image_library.add_trust_authority('company', '%s', 'CN=release*');
	SELECT image_library.add_rule('local', '**', approval => 'auto', signed_by => '{builder,company}')},
	$registry->url, $issuer, file('authority.pem'));
is(sync(), '', 'it syncs');
is($node->value('SELECT outcome, error FROM image_library.sync_run'), 'complete|', 'the run is complete');
is($node->value('SELECT count(*) FROM image_library.image_signatures'), scalar(@kinds), 'each signature is read');
is(approved(), 'notation', 'one of Notation needs no trusted root');
is(of('rekor1', 'reason'), 'the signature is by a certificate, and no trusted root is installed', 'a keyless one does, and says so');
is(of('notation', 'format, verified, signer, issuer, subject, at, reason'),
	'notation jws|t|company|CN=notation root|CN=release team||signed by CN=release team of the trusted authority "company"', 'who signed is told');
is(of('notation-stranger', 'reason'), 'signed by CN=stranger, which the authority is not trusted for', 'another subject of the authority does not count');
is(of('notation-expired', 'reason'), 'the signature expired at 2025-06-15 15:06:40 UTC', 'nor a signature that has expired');
is(of($_, 'reason') =~ s/ at 20.*//r, 'the certificate was not valid', "nor one whose certificate has ended: $_") for qw(notation-ended notation-stamped);

# --- a trusted root of another instance, and then the right one: without a request
$asked = @{ $registry->requests };
is($node->error(root('other_root.json')), '', 'a trusted root is set');
is(approved(), 'notation outsider', 'it is of another instance, whose signatures count now');
is(of($_, 'reason'), 'the transparency log is not in the trusted root', "the log of the others is not in it: $_") for qw(rekor1 rekor2);
is($node->error(root('trusted_root.json')), '', 'it is replaced');
is(approved(), 'message1 message2 notation notation-stamped rekor1 rekor2', 'signatures that are stored are verified and approve, and the other instance counts no more');
is(asked(), 0, 'and the registry is not asked');
is(of('rekor1', q{format, verified, signer, issuer, subject, at AT TIME ZONE 'UTC', log_index, predicate_type}),
	"sigstore bundle|t|builder|$issuer|$workflow|2025-06-15 15:06:40|1004|", 'an entry of Rekor v1 says when');
is(of('rekor2', q{signer, at AT TIME ZONE 'UTC', log_index}), 'builder|2025-06-15 15:06:45|4', 'with Rekor v2 the timestamp does');
is(of('rekor2', 'reason'), qq{signed by $workflow of $issuer, the trusted identity "builder"}, 'who signed is told');
is(of('notation-stamped', q{signer, at AT TIME ZONE 'UTC'}), 'company|2025-06-15 15:06:43', 'a timestamp lets a signature of Notation outlive its certificate');
is(of('stranger', 'verified, issuer, subject, reason'),
	"f|$issuer|https://git.test/stranger/app/.build.yml\@refs/heads/main|"
	  . "signed by https://git.test/stranger/app/.build.yml\@refs/heads/main of $issuer, which is no trusted identity", 'another identity does not count, and is told');
is(of('outsider', 'verified, reason'), 'f|the transparency log is not in the trusted root', 'nor one of another instance that claims to be the same');

# --- policies and provenance
is($node->value(q{SELECT string_agg(tag, ' ' ORDER BY tag COLLATE "C") FROM image_library.images i WHERE image_library.is_signed_by(i, 'builder')}),
	'message1 message2 rekor1 rekor2', 'is_signed_by knows them');
is($node->value(q{SELECT builder, source, build_type, signer, at AT TIME ZONE 'UTC', predicate_type, materials FROM image_library.image_provenance}),
	'https://builder.test/v1|git+https://git.test/team/app|https://example.com/build/v1|builder|2025-06-15 15:06:45|https://slsa.dev/provenance/v1|1',
	'a keyless attestation is provenance');
is($node->value(q{SELECT image_library.is_built_by(i, 'https://builder.test/*', 'git+https://git.test/team/*', 'builder'), image_library.is_signed_by(i, 'builder')
	FROM image_library.images i WHERE tag = 'provenance'}), 't|f', 'which policies ask for, and no signature');

# --- what people see who approve
my $said = $node->error(qq{SELECT image_library.approve('@{[$registry->host]}/app:stranger')});
like($said, qr/ERROR:  55000: cannot approve image "\S+\/app:stranger\S*": rule \d+ requires a signature of builder or company\n/, 'a person cannot approve it either');
like($said, qr/DETAIL:  Its signatures: sigstore bundle: signed by \S+ of \S+, which is no trusted identity\n/, 'and reads why');
like($node->error(qq{SELECT image_library.approve('@{[$registry->host]}/app:none')}), qr/DETAIL:  The library has no signature of it\./, 'or that there is none');
my $pem = file('authority.pem') =~ s/\n[^-\n]+\n/\n/r;
like($node->error("SELECT image_library.add_trust_authority('broken', '$pem')"), qr/22023: trust authority "broken" cannot be used: a certificate is malformed/, 'a broken certificate is refused');
my $broken = file('trusted_root.json') =~ s/SHA2_256/SHA2_384/r;
like($node->error("SELECT image_library.set_trusted_root('$broken')"), qr/22023: trusted root cannot be used: tlogs\[0\]: its hash algorithm is not SHA2_256/, 'and a root, with the part that is wrong');

# --- trust ends
is($node->error(q{SELECT image_library.drop_trust_authority('company')}) , '', 'an authority is dropped');
is(approved(), 'message1 message2 rekor1 rekor2', 'what rested on it is pending');
is(of('notation', 'verified, reason'), 'f|the signature is of Notation, and no authority is trusted', 'and says why');
$node->value(sprintf q{SELECT image_library.add_trust_authority('others', '%s')}, file('other_authority.pem'));
is(of('notation', 'reason'), 'the certificate is not from a trusted authority', 'another authority does not count');
$node->value(sprintf q{SELECT image_library.add_trust_authority('company', '%s')}, file('authority.pem'));
is(approved(), 'message1 message2 notation notation-stamped notation-stranger rekor1 rekor2', 'added again, for any subject, it approves');
is($node->error('SELECT image_library.drop_trusted_root()'), '', 'the trusted root is dropped');
is(approved(), 'notation notation-stranger', 'and what needed it');
$node->value(root('trusted_root.json'));
is($node->error(q{SELECT image_library.drop_trust_identity('builder')}), '', 'an identity is dropped');
is(approved(), 'notation notation-stamped notation-stranger', 'and what it had signed');
is($node->value(q{SELECT count(*) FROM image_library.image_provenance}), '0', 'its provenance too');
is($node->value(q{SELECT string_agg(DISTINCT detail ->> 'reason', '; ') FROM image_library.events WHERE event = 'signature lost'}),
	'authority "company" is not trusted any more; identity "builder" is not trusted any more; the trusted root has changed; the trusted root was dropped', 'events say what had changed');
is(asked(), 0, 'all of it without a request');

# --- a signature that ends by itself, ten seconds after it was made
$node->value(q{SELECT image_library.drop_rule(rule_id) FROM image_library.rules});
$node->value(q{SELECT image_library.drop_trust_authority(name) FROM image_library.trusted_signers WHERE kind = 'authority'});
my @ending = $registry->push_plain([ 'ending', 'notation-ending', 'ending' ]);
sign('ending', 'notation-ending' => $ending[0]);
$node->value(sprintf q{SELECT image_library.add_trust_authority('brief', '%s')}, file('authority.pem'));
$node->value(q{SELECT image_library.add_rule('local', 'ending', approval => 'auto', signed_by => '{brief}')});
is(sync(), '', 'it syncs');
is(approval('notation-ending'), 'approved', 'until then it counts');
$asked = @{ $registry->requests };
ok($node->poll_query_until('postgres', q{SELECT valid_until <= now() FROM image_library.image_signatures WHERE repository = 'ending'}), 'it ends');
is(of('notation-ending', 'verified, signer') , 'f|', 'from then on it does not');
like(of('notation-ending', 'reason'), qr/^signed by CN=release team of the trusted authority "brief"; it ended at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/, 'and is shown as ended');
is($node->value(q{SELECT image_library.is_signed_by(i, 'brief') FROM image_library.images i WHERE repository = 'ending'}), 'f', 'nor for policies');
is(sync(), '', 'the agent begins a run');
is(approval('notation-ending'), 'pending', 'what rested on it is taken back');
like(of('notation-ending', 'reason'), qr/^the signature expired at /, 'it is verified again');
is($node->value(q{SELECT detail ->> 'reason' FROM image_library.events WHERE event = 'signature lost' AND repository = 'ending'}), 'a signature has ended', 'an event tells');
is(join(' ', map { $_->{path} } grep { $_->{path} =~ m{/blobs/} } @{ $registry->requests }[ $asked .. $#{ $registry->requests } ]), '', 'no signature is fetched again');
$node->stop;
done_testing();

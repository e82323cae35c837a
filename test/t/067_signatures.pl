# Signatures from a real registry: read by the agent, verified, and what rests on them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;

my $registry = DockerRegistry->new(mode => 'open');
my $host = $registry->host;
my $folder = PostgreSQL::Test::Utils::tempdir();
my (%key, %public);
for my $name (qw(release team stranger))
{
	$key{$name} = "$folder/$name.key";
	run_command([ qw(openssl ecparam -name prime256v1 -genkey -noout -out), $key{$name} ]);
	($public{$name}) = run_command([ qw(openssl pkey -pubout -in), $key{$name} ]);
}
# sign('app', '1.0', [keys], options of sign.py)
sub sign
{
	my ($repository, $tag, $keys, @options) = @_;
	my ($out, $err) = run_command([ 'python3', '-B', "$FindBin::RealBin/../registry/sign.py", @options,
		(map { ('--key', $key{$_}) } @$keys), $registry->url, $repository, $tag ]);
	die "could not sign: $err" if $? != 0;
	return;
}

$registry->push_plain(
	[ 'app', '1-tag', 'one' ], [ 'app', '2-bundle', 'two' ], [ 'app', '3-altered', 'three' ], [ 'app', '4-replayed', 'four' ],
	[ 'app', '5-stranger', 'five' ], [ 'app', '6-late', 'six' ], [ 'app', '7-many', 'seven' ], [ 'app', '8-huge', 'eight' ],
	[ 'app', '9-none', 'nine' ], [ 'other', '1-copy', 'one' ], [ 'other', '2-signed', 'two' ]);
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
$node->value(sprintf q{
	SELECT image_library.add_registry('local', '%s', allow_private => true);
	SELECT image_library.add_trust_key('release', '%s')}, $registry->url, $public{release});
$node->value(q{SELECT image_library.add_rule('local', '**', approval => 'auto', signed_by => '{release}')});
sub sync { return $node->error(q{CALL image_library.sync('local')}) }
sub digest { return $node->value("SELECT digest FROM image_library.images WHERE repository = '$_[0]' AND tag = '$_[1]'") }
sub approved
{
	return $node->value(q{SELECT coalesce(string_agg(repository || ':' || tag, ' ' ORDER BY repository, tag COLLATE "C"), 'none')
		FROM image_library.images WHERE approval = 'approved'});
}
sub reasons
{
	my ($repository, $tag) = @_;
	return $node->value(qq{SELECT string_agg(DISTINCT s.reason, '; ') FROM image_library.image_signatures s JOIN image_library.images i USING (registry, repository, digest)
		WHERE repository = '$repository' AND i.tag = '$tag'});
}

# --- signatures come with their images
sign('app', '1-tag', [ 'stranger', 'release' ]);
sign('app', '2-bundle', ['release'], '--bundle');
sign('app', '3-altered', ['release'], '--altered');
sign('app', '5-stranger', ['stranger']);
sign('app', '7-many', ['stranger'], '--copies', 1000);
sign('app', '8-huge', ['release'], '--size', 1 << 30);
is(sync(), '', 'it syncs');
is($node->value('SELECT outcome, error FROM image_library.sync_run'), 'complete|', 'the run is complete');
is(approved(), 'app:1-tag app:2-bundle', 'images with a verified signature are approved on arrival, and no other');
is($node->value(q{SELECT string_agg(DISTINCT format || ' ' || coalesce(signer, 'nobody'), ', ' ORDER BY format || ' ' || coalesce(signer, 'nobody'))
	FROM image_library.image_signatures}), 'sigstore bundle release, simple signing nobody, simple signing release', 'a tag of cosign and a bundle are verified');
like(reasons('app', '5-stranger'), qr/not by a trusted key/, 'one by a stranger is not');
is($node->value(q{SELECT count(*) FROM image_library.image_signatures s JOIN image_library.images i USING (registry, repository, digest) WHERE i.tag = '7-many'}),
	'21', 'of 1,000 signatures twenty are read');
like(reasons('app', '7-many'), qr/more than 20 signatures/, 'which is told');
like(reasons('app', '8-huge'), qr/more than 1048576 bytes and is not read/, 'a layer that is said to have 1 GB is not read');
isnt(reasons('app', '3-altered'), '', 'the altered one is there');
is($node->value(q{SELECT count(*) FROM image_library.image_signatures WHERE signer IS NULL AND verified}), '0', 'nothing is verified by nobody');
is($node->value(q{SELECT missing_signature LIKE 'rule % requires a signature of release' FROM image_library.pending_images WHERE tag = '9-none'}), 't', 'what waits says for what');

# --- nothing is asked for twice
my $asked = @{ $registry->requests };
is(sync(), '', 'it syncs again');
$node->value(q{UPDATE image_library_internal.tag SET digest_changed_at = now() - interval '1 hour'});
is(sync(), '', 'and asks for referrers again');
is(join(' ', map { $_->{path} } grep { $_->{path} =~ m{/blobs/} } @{ $registry->requests }[ $asked .. $#{ $registry->requests } ]), '', 'no signature is fetched again');

# --- a signature of another image, another repository, and one that comes late
sign('app', '4-replayed', ['release'], '--of', digest('app', '1-tag'));
sign('app', '6-late', ['release']);
sign('other', '2-signed', ['release']);
is(sync(), '', 'it syncs');
is(approved(), 'app:1-tag app:2-bundle app:6-late other:2-signed', 'a signature that comes later approves what waited for it');
like(reasons('app', '4-replayed'), qr/for another image/, 'a signature of another image is none of this one');
is($node->value(q{SELECT approval FROM image_library.images WHERE repository = 'other' AND tag = '1-copy'}), 'pending', 'nor is that of another repository');

# --- a key is dropped, and comes back with a scope
is($node->error(q{SELECT image_library.drop_trust_key('release')}), '', 'a key is dropped');
is(approved(), 'none', 'what rested on it is pending again');
is($node->value(q{SELECT count(*) FROM image_library.events WHERE event = 'signature lost'}), '4', 'with an event each');
$node->value(sprintf q{SELECT image_library.add_trust_key('release', '%s', '{%s/other}')}, $public{release}, $host);
is(approved(), 'other:2-signed', 'trusted for one repository, it approves there');
$node->value(q{SELECT image_library.drop_trust_key('release')});
$node->value(sprintf q{SELECT image_library.add_trust_key('release', '%s')}, $public{release});
is(approved(), 'app:1-tag app:2-bundle app:6-late other:2-signed', 'trusted everywhere again, without a request');

# --- an attestation: provenance, and no consent
sign('app', '9-none', ['release'], '--provenance');
$node->value(q{UPDATE image_library_internal.tag SET digest_changed_at = now() - interval '1 hour'; DELETE FROM image_library_internal.referrer_check});
is(sync(), '', 'it syncs');
is($node->value(q{SELECT builder, source, build_type, signer, materials FROM image_library.image_provenance}),
	'https://example.com/builder@v1|git+https://example.com/team/app|https://example.com/build/v1|release|1', 'provenance is a row');
is($node->value(q{SELECT uri, material_digest FROM image_library.provenance_materials}), 'git+https://example.com/team/app|gitCommit:' . '0' x 40, 'and its materials');
is($node->value(q{SELECT is_built, signed FROM image_library.images i, image_library.is_built_by(i, 'https://example.com/builder@*', 'git+https://example.com/team/*', 'release') is_built,
	image_library.is_signed_by(i, 'release') signed WHERE tag = '9-none'}), 't|f', 'which policies ask for');
is($node->value(q{SELECT approval FROM image_library.images WHERE tag = '9-none'}), 'pending', 'it is no signature');

# --- what waits is verified and applied in portions, each a transaction of its own
$node->value(q{
	INSERT INTO image_library_internal.evidence (repository_id, digest, referrer_digest, place, layer_digest, format, document, annotations, retry, verified, reason, bytes, over_limit)
		SELECT min(repository_id), 'sha256:' || n, 'waiting', 0, 'l', 'simple signing', '{}', '{}', false, false, '', 2, false FROM image_library_internal.repository, generate_series(1, 2500) n GROUP BY n;
	INSERT INTO image_library_internal.imported_image (library, registry_id, repository, digest, registry_there, tags, platforms, referrers)
		SELECT 'central', registry_id, 'app', 'sha256:' || n, 'hub', '{}', '[]', '[]' FROM image_library_internal.registry, generate_series(1, 1200) n});
is(sync(), '', 'it syncs');
is($node->value(q{SELECT count(*), count(verified_at), count(DISTINCT xmin::text) > 2 FROM image_library_internal.evidence WHERE referrer_digest = 'waiting'}), '2500|2500|t', 'signatures that wait');
is($node->value(q{SELECT count(*), count(effect), count(DISTINCT xmin::text) > 2 FROM image_library_internal.imported_image}), '1200|1200|t', 'approvals that wait');

# --- trust that comes after the signatures
$node->value(q{SELECT image_library.drop_registry('local', cascade => true); SELECT image_library.drop_trust_key('release')});
$node->value(sprintf q{SELECT image_library.add_registry('local', '%s', allow_private => true); SELECT image_library.add_rule('local', 'app')}, $registry->url);
$asked = @{ $registry->requests };
is(sync(), '', 'it syncs without trust');
is($node->value('SELECT count(*) FROM image_library.image_signatures'), '0', 'no signature is read');
cmp_ok($node->value('SELECT count(*) FROM image_library.image_referrers'), '>', 5, 'they are listed');
$node->value(sprintf q{SELECT image_library.add_trust_key('release', '%s')}, $public{release});
$node->value(q{UPDATE image_library_internal.tag SET digest_changed_at = now() - interval '30 days'});
is(sync(), '', 'it syncs');
is($node->value(q{SELECT string_agg(i.tag, ' ' ORDER BY i.tag) FROM image_library.images i WHERE image_library.is_signed_by(i, 'release')}),
	'1-tag 2-bundle 6-late', 'those listed before are read and verified');
$node->stop;
done_testing();

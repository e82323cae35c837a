# Signatures and SBOMs: by the API and by fallback tags, later than their image, and taken away again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my $node = ImageLibrary::node('main', 'image_library.enabled = off');
sub kinds { return $node->value(q{SELECT string_agg(DISTINCT artifact_type, ' ' ORDER BY artifact_type) FROM image_library.image_referrers}) }
# Time passes: what was read is old enough to be asked about again.
sub later
{
	$node->value(q{UPDATE image_library_internal.tag SET digest_changed_at = now() - interval '1 hour';
		UPDATE image_library_internal.referrer_check SET checked_at = now() - interval '35 minutes'});
}

for my $api (1, 0)
{
	my $name = $api ? 'api' : 'tags';
	my %profile = (referrers => $api ? { api => 200 } : { fallback => 'good' });
	my $image = { referrers => ['application/spdx+json'] };
	my $registry = FaultRegistry->new({ %profile, repositories => { 'team/app' => { '1.0' => $image } } });
	$node->value(sprintf q{SELECT image_library.add_registry('%s', '%s', allow_private => true); SELECT image_library.add_rule('%1$s', 'team/app')}, $name, $registry->url);
	my $sync = sub { return $node->error("CALL image_library.sync('$name')") };
	is($sync->(), '', "$name: it syncs");
	is(kinds(), 'application/spdx+json', "$name: an SBOM is known with its image");
	is($node->value('SELECT count(*) FROM image_library.images'), '1', "$name: what carries it is no image of the library");
	my $asked = @{ $registry->requests };
	$sync->();
	is(scalar(grep { $_->{path} =~ /referrers|sha256-/ } @{ $registry->requests }[ $asked .. $#{ $registry->requests } ]),
		0, "$name: nobody asks again at once");

	$image->{referrers} = [ 'application/spdx+json', 'application/signature' ];
	$registry->profile({ %profile, repositories => { 'team/app' => { '1.0' => $image } } });
	later();
	$sync->();
	is(kinds(), 'application/signature application/spdx+json', "$name: a signature that came later is found");

	$registry->profile({ %profile, repositories => { 'team/app' => { '1.0' => $image } },
		faults => [ { path => '/v2/team/app/(referrers/.*|manifests/sha256-.*)', status => 403 } ] });
	later();
	$sync->();
	is($registry->requests->[-1]{status}, '403', "$name: a refusal");
	is(kinds(), 'application/signature application/spdx+json', "$name: takes nothing away");

	$image->{referrers} = ['application/signature'];
	$registry->profile({ %profile, repositories => { 'team/app' => { '1.0' => $image } } });
	later();
	$sync->();
	is(kinds(), 'application/signature', "$name: what was taken away is gone");
	$node->value("SELECT image_library.drop_registry('$name')");
	is($node->value('SELECT count(*) FROM image_library_internal.image_referrer'), '0', "$name: with the registry they go");
	$registry->stop;
}
$node->stop;
done_testing();

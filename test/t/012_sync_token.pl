# A sync from a docker-registry with token authentication: one token a scope.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;

my $registry = DockerRegistry->new(mode => 'token');
$registry->push_samples;
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
my ($url, $user, $password) = ($registry->url, $registry->user, $registry->password);
my $ca = $registry->ca;
$node->value(qq{
	SELECT image_library.add_registry('token', '$url', allow_private => true}
	  . (defined $ca ? qq{, ca_certificate => \$\$$ca\$\$} : '') . q{);
	SELECT image_library.add_rule('token', 'postgresql');
	SELECT image_library.add_rule('token', 'edb-postgres-advanced')});

# --- anonymous: denied or absent, and that is no reason to remove anything
$node->error(q{CALL image_library.sync('token')});
is($node->value(q{SELECT count(*) FROM image_library.images}), '0', 'nothing is read without a credential');
is($node->value(q{SELECT state FROM image_library.sync_status}), 'failing', 'so the sync has failed');
like($node->value(q{SELECT string_agg(problem, ',') FROM image_library.sync_problem}), qr/denied/, 'the problem is told');

$node->value(qq{SELECT image_library.set_credential('token', '$user', '$password')});
my $before = scalar @{ $registry->token_requests };
is($node->error(q{CALL image_library.sync('token')}), '', 'it syncs with a credential');
is($node->value(q{SELECT count(*) FROM image_library.sync_problem}), '0', 'the problems are over');
cmp_ok($node->value('SELECT count(*) FROM image_library.images'), '>=', 7, 'images are there');
my @tokens = @{ $registry->token_requests };
@tokens = @tokens[ $before .. $#tokens ];
cmp_ok(scalar @tokens, '<=', 2, 'one token a scope, however many requests');

$node->stop;
$registry->stop;
done_testing();

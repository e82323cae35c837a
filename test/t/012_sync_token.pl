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

# --- check_registry says why, before and after
sub checks { return $node->value(q{SELECT step, ok, detail FROM image_library.check_registry('token')}) }
my $checks = checks();
like($checks, qr/^auth\|t\|bearer with tokens of 127\.0\.0\.1, no credential is set$/m, 'check_registry tells who gives the tokens');
like($checks, qr/^tags\|f\|.*denied or absent.*set a credential/m, 'and that a credential is missing');
unlike($checks, qr/^manifest/m, 'what it could not look at it does not tell');
$node->value(qq{SELECT image_library.set_credential('token', '$user', '$password')});
$checks = checks();
unlike($checks, qr/\|f\|/, 'with a credential nothing is wrong') or diag($checks);
like($checks, qr/^manifest\|t\|\S+ is sha256:/m, 'it reads an image');
unlike($checks, qr/\Q$password\E/, 'and tells no password');
my $before = scalar @{ $registry->token_requests };
is($node->error(q{CALL image_library.sync('token')}), '', 'it syncs with a credential');
is($node->value(q{SELECT count(*) FROM image_library.sync_problem}), '0', 'the problems are over');
cmp_ok($node->value('SELECT count(*) FROM image_library.images'), '>=', 7, 'images are there');
my @tokens = @{ $registry->token_requests };
@tokens = @tokens[ $before .. $#tokens ];
cmp_ok(scalar @tokens, '<=', 2, 'one token a scope, however many requests');
is($node->value(q{SELECT token_server ~ '^127\.0\.0\.1:\d+$' FROM image_library.registries}), 't', 'the token server is noted');

$node->stop;
$registry->stop;
done_testing();

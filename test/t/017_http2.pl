# Many requests over few connections: one where the registry speaks HTTP/2, several where it does not.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;

my $open = DockerRegistry->new(mode => 'open');
$open->push_plain(map { [ 'app/web', "v$_", "v$_" ] } 1 .. 40);
my $registry = DockerRegistry->new(mode => 'htpasswd', storage => $open);
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
my ($url, $ca, $user, $password) = ($registry->url, $registry->ca, $registry->user, $registry->password);
$node->value(qq{
	SELECT image_library.add_registry('corporate', '$url', allow_private => true, ca_certificate => \$\$$ca\$\$);
	SELECT image_library.set_credential('corporate', '$user', '$password');
	SELECT image_library.add_rule('corporate', 'app/web')});

# What a sync asked: the protocols, the requests and the connections that they came by.
sub sync
{
	my ($http2) = @_;
	my $http = $registry->{configuration}{http};
	$http->{http2} = { disabled => $http2 ? \0 : \1 };
	$registry->{configuration}{log}{level} = 'info';
	my $log = "$registry->{folder}/registry.log";
	my ($before, $lines) = (-s $log, scalar @{ $registry->requests });
	$registry->restart;
	is($node->error(q{CALL image_library.sync('corporate')}), '', 'a sync');
	my @access = split /\n/, slurp_file($registry->{access_log});
	my %protocols = map { /"[A-Z]+ \S+ (HTTP\/[0-9.]+)"/ ? ($1 => 1) : () } @access[ $lines .. $#access ];
	my @ports = substr(slurp_file($log), $before) =~ /"response completed".*?http\.request\.remoteaddr="127\.0\.0\.1:(\d+)"|http\.request\.remoteaddr="127\.0\.0\.1:(\d+)".*?"response completed"/g;
	my %connections = map { $_ => 1 } grep { defined } @ports;
	return (join(' ', sort keys %protocols), scalar(@{ $registry->requests }) - $lines, scalar keys %connections);
}

my ($protocols, $requests, $connections) = sync(1);
is($protocols, 'HTTP/2.0', 'a registry that speaks HTTP/2 is spoken to in it');
cmp_ok($requests, '>', 80, 'many requests');
is($connections, 1, 'over one connection');
is($node->value('SELECT count(*) FROM image_library.images'), 40, 'all images are there');

($protocols, $requests, $connections) = sync(0);
is($protocols, 'HTTP/1.1', 'one that does not in HTTP/1.1');
cmp_ok($requests, '>', 40, 'many requests');
cmp_ok($connections, '>', 1, 'over several connections');
cmp_ok($connections, '<=', 16, 'not more than may be in flight');

done_testing();

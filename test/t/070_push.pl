# Pushes: docker-registry tells the receiver of doc/, which asks the agent to look at once.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../lib";
use HTTP::Tiny;
use IO::Select;
use IO::Socket::IP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;
use ServerProcess;

my $node = ImageLibrary::node('main');
$node->value('CREATE ROLE hook LOGIN IN ROLE image_library_webhook');
my $folder = PostgreSQL::Test::Utils::tempdir();
my $secret = 'a secret of the registry and the receiver';
append_to_file("$folder/secret", "$secret\n");
my $port = PostgreSQL::Test::Cluster::get_free_port();
local @ENV{qw(PGHOST PGPORT PGDATABASE PGUSER)} = ($node->host, $node->port, 'postgres', 'hook');
my $receiver = ServerProcess->start(
	command => [ 'python3', '-B', "$FindBin::RealBin/../../doc/webhook_receiver.py", '--port', $port, '--secret-file', "$folder/secret", '--token-in-url' ],
	output => "$folder/output", errors => "$folder/errors");
delete @ENV{qw(PGHOST PGPORT PGDATABASE PGUSER)};
$receiver->wait_for_port($port) or die 'the receiver did not start: ' . slurp_file("$folder/errors");
my $registry = DockerRegistry->new(notify => { url => "http://127.0.0.1:$port/hub/distribution", secret => $secret });
$registry->push_plain(map { [ "team/$_", '1.0', $_ ] } qw(app other));
$node->value(sprintf q{
	SELECT image_library.add_registry('hub', '%s', sync_interval => '1 day', allow_private => true);
	SELECT image_library.add_rule('hub', 'team/**')}, $registry->url);
ok($node->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status}), 'the registry is synced');
# sync_status has no time while the agent looks.
my $schedule = q{SELECT next_at FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1};
my $runs = q{SELECT count(*) FROM image_library.sync_run};
my ($next, $number) = ($node->value($schedule), $node->value($runs));
my $tags = q{SELECT string_agg(concat_ws(' ', repository, tag, CASE WHEN missing_since IS NOT NULL THEN 'missing' END), ', ' ORDER BY 1) FROM image_library.images};
my $settled = q{SELECT count(*) > 0 AND NOT bool_or(waits) FROM image_library.push_requests};
ok($node->poll_query_until('postgres', q{SELECT NOT bool_or(waits) FROM image_library.push_requests HAVING count(*) > 0 UNION ALL SELECT true WHERE NOT EXISTS (SELECT FROM image_library.push_requests)}), 'nothing waits');

# --- a new tag, a new repository, a tag that moves
sub sees
{
	my ($condition, $name) = @_;
	ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM image_library.images WHERE $condition)"), $name)
		or diag($node->value('SELECT * FROM image_library.push_requests') . slurp_file("$folder/errors"));
}
$registry->push_plain([ 'team/app', '1.1', 'new' ]);
sees(q{(repository, tag) = ('team/app', '1.1')}, 'a pushed tag comes without a sync');
$registry->push_plain([ 'team/young', '1.0', 'young' ], [ 'alien/app', '1.0', 'alien' ]);
sees(q{(repository, tag) = ('team/young', '1.0')}, 'and a new repository that a rule takes');
$registry->push_plain([ 'team/app', '1.0', 'moved' ]);
sees(q{(repository, tag) = ('team/app', '1.0') AND labels ->> 'content' = 'moved'}, 'and a tag that moved');
is($node->value($runs), $number, 'no run of the registry was made');
is($node->value($schedule), $next, 'and its schedule stays');
ok($node->poll_query_until('postgres', $settled), 'every request is answered');
is($node->value(q{SELECT string_agg(repository, ' ' ORDER BY repository) FROM image_library.push_requests WHERE repository <> 'team/other'}), 'team/app team/young', 'of what rules take only');
is($node->value(q{SELECT count(*) FROM image_library.push_requests WHERE repository LIKE 'alien%'}), '0', 'no other repository is asked for');
is($node->value(q{SELECT count(*) FROM image_library.tag_history WHERE (repository, tag) = ('team/app', '1.0')}), '2', 'the history has the move');

# --- an image that is deleted
my $http = HTTP::Tiny->new(timeout => 20);
my $digest = $node->value(q{SELECT digest FROM image_library.images WHERE (repository, tag) = ('team/app', '1.1')});
is($http->delete($registry->url . "/v2/team/app/manifests/$digest")->{status}, 202, 'an image is deleted');
sees(q{(repository, tag) = ('team/app', '1.1') AND missing_since IS NOT NULL}, 'its tag is missing');

# --- a name that the registry does not have leaves no problem, and the agent goes on
my $url = "http://127.0.0.1:$port/hub";
my %header = (Authorization => "Bearer $secret");
sub post { my ($to, $body, %more) = @_; return $http->post($to, { content => $body, headers => { %header, %more } }) }
my $answer = post("$url/quay", '{"repository": "team/made-up", "updated_tags": ["1.0"]}');
is("$answer->{status} " . $answer->{content} =~ s/\n//r, '202 [{"repository":"team/made-up","effect":"requested"}]', 'a name that rules take is asked for');
ok($node->poll_query_until('postgres', q{SELECT NOT waits OR problem IS NOT NULL FROM image_library.push_requests WHERE repository = 'team/made-up'}), 'the agent looks');
is($node->value(q{SELECT count(*) FROM image_library.sync_problem}), '0', 'which is no problem of the registry');

# --- during a run of the registry, and while the agent is off
$node->value(q{ALTER SYSTEM SET image_library.enabled = off});
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'image_library worker'}), 'the agent is off');
$registry->push_plain([ 'team/app', '2.0', 'later' ]);
ok($node->poll_query_until('postgres', q{SELECT waits FROM image_library.push_requests WHERE repository = 'team/app'}), 'a request waits');
$node->value(q{ALTER SYSTEM RESET image_library.enabled});
$node->reload;
sees(q{(repository, tag) = ('team/app', '2.0')}, 'and is answered when the agent is on again');

# --- DROP DATABASE finds no worker that stays
$node->value('CREATE DATABASE dropped');
$node->safe_psql('dropped', sprintf q{
	CREATE EXTENSION image_library;
	SELECT image_library.add_registry('hub', '%s', sync_interval => '1 day', allow_private => true);
	SELECT image_library.add_rule('hub', 'team/**')}, $registry->url);
ok($node->poll_query_until('dropped', q{SELECT state = 'complete' FROM image_library.sync_status}), 'another database is synced');
$node->safe_psql('dropped', q{SELECT image_library.handle_webhook('hub', 'quay', '{"repository": "team/app"}')});
ok($node->poll_query_until('dropped', q{SELECT NOT waits FROM image_library.push_requests}), 'it has looked at a push');
is($node->error('DROP DATABASE dropped'), '', 'and can be dropped at once');

# --- the receiver believes nobody
is(post("$url/distribution", '{"events": []}', Authorization => $_ )->{status}, 401, 'a wrong secret: ' . length $_) for '', 'x', "${secret}x", substr($secret, 0, -1);
is($http->post("$url/distribution", { content => '{}' })->{status}, 401, 'no secret');
is(post("$url/quay", '{"repository": "team/app"}', Authorization => $secret)->{status}, 202, 'the secret alone, as Harbor sends it');
is($http->post("$url/quay?token=" . ($secret =~ s/ /+/gr), { content => '{"repository": "team/app"}' })->{status}, 202, 'in the URL, if that is allowed');
my $body = '{"action": "published", "registry_package": {"name": "app", "package_type": "CONTAINER", "owner": {"login": "Team"},'
  . ' "package_version": {"container_metadata": {"tag": {"name": "1.0"}}}}}';
my $signed = sub { my ($key) = @_; return $http->post("$url/ghcr", { content => $body, headers => { 'X-Hub-Signature-256' => 'sha256=' . hmac_sha256_hex($body, $key) } }) };
is($signed->($secret)->{status}, 202, 'a signature of GitHub');
is($signed->('another key')->{status}, 401, 'a wrong signature');
is($http->post("$url/ghcr", { content => "$body ", headers => { %header, 'X-Hub-Signature-256' => 'sha256=' . hmac_sha256_hex($body, $secret) } })->{status}, 401,
	'a signature of another body, beside the secret');
is(post("$url/ghcr", '{"zen": "x"}', 'X-GitHub-Event' => 'ping')->{status}, 202, 'a ping');
is(post("$url/$_->[0]", $_->[1])->{status}, 400, "refused: $_->[2]") for
  [ 'distribution', '{', 'no JSON' ], [ 'distribution', '[' x 100000, 'deep JSON' ], [ 'distribution', '{}', 'no repository' ],
  [ 'unknown', '{}', 'unknown format' ], [ 'quay', '{"repository": "a\\u0000b"}', 'a zero byte' ], [ 'quay', '{"repository": 7, "x": "\\ud800"}', 'half a character' ];
is(post("$url/../distribution", '{}')->{status}, 404, 'another path');
is(post("http://127.0.0.1:$port/none/quay", '{"repository": "team/app"}')->{status}, 400, 'no such registry');
my $large = IO::Socket::IP->new(PeerAddr => '127.0.0.1', PeerPort => $port);
print $large "POST /hub/quay HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n";
like(scalar <$large>, qr/ 413 /, 'too large');
is($http->get($url)->{status}, 501, 'GET');
my $other_port = PostgreSQL::Test::Cluster::get_free_port();
my $impatient = ServerProcess->start(
	command => [ 'python3', '-B', "$FindBin::RealBin/../../doc/webhook_receiver.py", '--port', $other_port, '--secret-file', "$folder/secret", '--request-timeout', 1 ],
	output => "$folder/output", errors => "$folder/errors_of_other");
$impatient->wait_for_port($other_port) or die 'the receiver did not start: ' . slurp_file("$folder/errors_of_other");
my $slow = IO::Socket::IP->new(PeerAddr => '127.0.0.1', PeerPort => $other_port);
my $ended = 0;
{
	local $SIG{PIPE} = 'IGNORE';
	syswrite $slow, "POST /hub/quay HTTP/1.1\r\nX: ";
	for (1 .. 100)
	{
		syswrite $slow, 'x';
		last if $ended = IO::Select->new($slow)->can_read(0.2);
	}
}
ok($ended, 'a request that comes byte by byte is ended');
$impatient->stop;
my $hostile = q{team/x'); SELECT 1; \\! touch } . "$folder/owned" . qq{\n\\! touch $folder/owned\n:'x' \$\$};
is(post("$url/quay", JSON::PP->new->encode({ repository => $hostile }))->{status}, 202, 'SQL and commands of psql in a name');
ok(!-e "$folder/owned", 'are text');
like(slurp_file("$folder/errors"), qr/22023/, 'what is refused is logged');
unlike(slurp_file("$folder/errors"), qr/\Q$secret\E/, 'and no secret');
is($node->value(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'webhook_receiver'}), '1', 'one connection serves all');
$node->stop('immediate');
$node->start;
my $again = '';
for (1 .. 100)
{
	last if ($again = post("$url/quay", '{"repository": "team/app"}')->{status}) == 202;
	select undef, undef, undef, 0.1;
}
is($again, 202, 'after a crash of the server it connects again');

$receiver->stop;
$node->stop;
$registry->stop;
done_testing();

# Before there is a rule: what a registry has is asked live, previews list it, and what cannot be listed is told.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use FaultRegistry;
use HangingRegistry;
use ImageLibrary;

my $node = ImageLibrary::node('main', 'image_library.enabled = off');
sub notices
{
	my ($sql) = @_;
	my ($stdout, $stderr) = ('', '');
	$node->psql('postgres', $sql, stdout => \$stdout, stderr => \$stderr);
	return "$stdout\n$stderr";
}
sub connect_registry
{
	my ($name, $url, $options) = @_;
	return $node->value(qq{SELECT image_library.add_registry('$name', '$url', allow_private => true} . ($options // '') . ')');
}

# --- a registry that lists its repositories
my $open = DockerRegistry->new;
$open->push_samples;
connect_registry('open', $open->url);
my $all = $node->value(q{SELECT string_agg(repository, ' ') FROM image_library.list_repositories('open')});
like($all, qr/\bpostgresql\b/, 'the repositories are shown without a rule');
is($all, join(' ', sort split / /, $all), 'sorted');
is($node->value(q{SELECT DISTINCT repository ~ '^nim/' FROM image_library.list_repositories('open', 'nim/**')}), 't', 'and those of a pattern');
my $count = split / /, $all;
like(notices(q{SELECT * FROM image_library.list_repositories('open', max_rows => 2)}), qr/^[^|\n]+\|f\n[^|\n]+\|f\n.*NOTICE: +2 of $count repositories are shown\n.*HINT/s,
	'a cut is told');
my $tags = $node->value(q{SELECT string_agg(tag, ' ') FROM image_library.list_tags('open', 'postgresql')});
like($tags, qr/17\.4-2503310734 .*16\./, 'tags come with the newest version first');
is($node->value(q{SELECT string_agg(DISTINCT split_part(tag, '.', 1), ' ') FROM image_library.list_tags('open', 'postgresql', 'version:17.*')}), '17', 'of a pattern');
is($node->value(q{SELECT count(*) FROM image_library.repositories}), '0', 'nothing is stored');
like($node->error(q{SELECT * FROM image_library.list_tags('open', 'nowhere/app')}), qr/42704: +repository "nowhere\/app" was not found.*HINT/s, 'a repository that is not there');

# --- a preview of a wildcard: it says that it knows nothing, and lists when it is told to
like(notices(q{SELECT * FROM image_library.preview_rule('open', 'nim/**')}), qr/^\n.*NOTICE:.*match "nim\/\*\*" may be missing.*HINT:.*refresh => true/s, 'a wildcard that was never listed is told');
like(notices(q{SELECT repository, tag, effect FROM image_library.preview_rule('open', 'nim/**', refresh => true)}), qr/^nim\/\S+\|\S+\|added\n/, 'with refresh it is listed');
unlike($node->value(q{SELECT string_agg(repository, ' ') FROM image_library.repositories}), qr/postgresql/, 'only what the pattern matches');
like(notices("SELECT * FROM image_library.$_"), qr/^\n.*lists no repository that matches "nothing\/\*\*"\n.*HINT/, "nothing matches: $_")
  for q{preview_rule('open', 'nothing/**', refresh => true)}, q{list_repositories('open', 'nothing/**')};
$node->value(q{SELECT image_library.add_rule('open', 'nim/**')});
is($node->error(q{CALL image_library.sync('open')}), '', 'the rule is synced');
unlike(notices(q{SELECT * FROM image_library.preview_rule('open', 'nim/**', '{1.*}')}), qr/NOTICE/, 'after a sync of the wildcard a preview is whole');
is($node->value(q{SELECT DISTINCT in_library FROM image_library.list_repositories('open', 'nim/**')}), 't', 'what is in the library is told');
is($node->value(q{SELECT DISTINCT in_library FROM image_library.list_tags('open', 'postgresql')}), 'f', 'and what is not');
my ($repository, $tag) = split /\|/, $node->value(q{SELECT repository, tag FROM image_library.images ORDER BY 1, 2 LIMIT 1});
is($node->value(qq{SELECT in_library FROM image_library.list_tags('open', '$repository', '$tag')}), 't', 'tag by tag');

# --- the registry's URL has a path: names are relative, and the path again is taken for a mistake unless it is there
connect_registry('below', $open->url . '/nim');
is($node->value(q{SELECT count(*) FILTER (WHERE repository ~ '^nim/') || ' ' || (count(*) > 0) FROM image_library.list_repositories('below')}), '0 true', 'names are relative');
like($node->error(q{SELECT image_library.add_rule('below', 'nim/nvidia/**')}), qr/22023:.*HINT: +Write "nvidia\/\*\*"\./s, 'the path again is refused');
my $twice = FaultRegistry->new({ repositories => { 'team/team/app' => { 1 => {} }, 'team/other' => { 1 => {} } } });
connect_registry('twice', $twice->url . '/team');
like($node->error(q{SELECT image_library.add_rule('twice', 'team/app')}), qr/HINT: +Write "app"\. If there is a repository .*\/team\/team\/app, list it first/, 'it may be there all the same');
like($node->error(q{SELECT image_library.preview_rule('twice', 'team/absent', refresh => true)}), qr/"team\/absent" was not found/, 'what is not there is not listed');
is($node->value(q{SELECT repository, tag FROM image_library.preview_rule('twice', 'team/app', refresh => true)}), 'team/app|1', 'what is there is');
like($node->value(q{SELECT image_library.add_rule('twice', 'team/app')}), qr/^\d+$/, 'and may be a rule then');

# --- tokens: with the credential of the registry only
my $token = DockerRegistry->new(mode => 'token');
$token->push_samples;
connect_registry('token', $token->url);
like($node->error(q{SELECT * FROM image_library.list_repositories('token')}), qr/42501:.*denied or absent.*HINT: .*list_tags/s, 'without a credential the catalogue is denied');
like($node->error(q{SELECT * FROM image_library.list_tags('token', 'postgresql')}), qr/42501:.*denied or absent.*HINT: .*set a credential/s, 'and so are tags');
$node->value(sprintf q{SELECT image_library.set_credential('token', '%s', '%s')}, $token->user, $token->password);
like($node->value(q{SELECT string_agg(repository, ' ') FROM image_library.list_repositories('token')}), qr/postgresql/, 'with it the catalogue is shown');
like($node->value(q{SELECT string_agg(tag, ' ') FROM image_library.list_tags('token', 'postgresql')}), qr/17\.4/, 'and tags are');

# --- a catalogue that is refused, and repositories that are
my %repositories = (map({ ("team/app-$_" => { 1 => {}, 2 => {} }) } 1 .. 3), 'secret/app' => { 1 => {} });
my $faulty = FaultRegistry->new({ repositories => \%repositories, lists => { catalog => 403 } });
connect_registry('faulty', $faulty->url);
for my $status (401, 403, 404, 405)
{
	$faulty->profile({ repositories => \%repositories, lists => { catalog => $status } });
	like($node->error(q{SELECT * FROM image_library.list_repositories('faulty')}), qr/could not read repositories of registry.*status $status.*HINT: .*list_tags/s, "a catalogue with status $status");
	like($node->error(q{SELECT * FROM image_library.preview_rule('faulty', 'team/*', refresh => true)}), qr/could not read repositories.*HINT/s, 'is told by a preview too');
}
is($node->value(q{SELECT string_agg(tag, ' ') FROM image_library.list_tags('faulty', 'team/app-1')}), '2 1', 'tags of a named repository are shown without it');
$faulty->profile({ repositories => \%repositories, faults => [ { path => '/v2/team/app-2/tags/list.*', status => 403, body => 'no' } ] });
my $preview = notices(q{SELECT repository, tag FROM image_library.preview_rule('faulty', 'team/*', refresh => true)});
like($preview, qr/^team\/app-1\|1\nteam\/app-1\|2\nteam\/app-3\|1\nteam\/app-3\|2\n/, 'one that is refused does not keep the others');
like($preview, qr/NOTICE: +1 of 3 repositories could not be listed\n.*DETAIL: +team\/app-2: .*denied/, 'and is told');

# --- a wildcard over very many repositories: some at a time, those that are not known first
my %many = map { (sprintf('many/%03d', $_) => { 1 => {} }) } 1 .. 205;
$faulty->profile({ repositories => \%many });
like(notices(q{SELECT count(*) FROM image_library.preview_rule('faulty', 'many/*', refresh => true)}), qr/^200\n.*NOTICE: +205 repositories match "many\/\*": 200 of them were listed now\n.*HINT: +Call it again/s, 'a preview lists 200');
like(notices(q{SELECT count(*) FROM image_library.preview_rule('faulty', 'many/*', refresh => true)}), qr/^205\n/, 'the next one the rest');

# --- limits: requests_per_run, not_before, allowed hosts, a registry that hangs
$node->value(q{SELECT image_library.alter_registry('faulty', requests_per_run => 5)});
like($node->error(q{SELECT image_library.preview_rule('faulty', 'many/*', refresh => true)}), qr/53400: .*the budget of 5 requests per run is used up.*HINT: +Nothing is kept/s, 'the budget of a run holds');
$node->value(q{SELECT image_library.alter_registry('faulty', requests_per_run => 0);
	INSERT INTO image_library_internal.registry_state (registry_id, not_before) SELECT registry_id, now() + interval '1 hour' FROM image_library_internal.registry WHERE name = 'faulty'});
$faulty->take;
for my $call (q{list_repositories('faulty')}, q{list_tags('faulty', 'many/001')}, q{preview_rule('faulty', 'many/*', refresh => true)})
{
	like($node->error("SELECT * FROM image_library.$call"), qr/55000:.*asked not to be asked before/, "$call waits for not_before");
}
$node->value(q{DELETE FROM image_library_internal.registry_state});
for my $call (q{list_repositories('faulty')}, q{list_tags('faulty', 'many/001')})
{
	like($node->error("SET image_library.allowed_hosts = 'registry.example.com'; SELECT * FROM image_library.$call"), qr/42501:/, "$call asks allowed hosts only");
}
is(scalar @{ $faulty->take }, 0, 'none of these asked the registry');
my $hanging = HangingRegistry->new;
connect_registry('hanging', $hanging->url);
for my $call (q{list_repositories('hanging')}, q{list_tags('hanging', 'a')}, q{preview_rule('hanging', 'a/*', refresh => true)})
{
	like($node->error("SET statement_timeout = '1s'; SELECT * FROM image_library.$call"), qr/57014:/, "$call can be interrupted");
}

# --- who may ask: a curator who sees the registry; nobody learns of a private one
$node->value(q{
	CREATE ROLE reader LOGIN IN ROLE image_library_reader; CREATE ROLE curator LOGIN IN ROLE image_library_curator;
	CREATE ROLE team; CREATE ROLE member LOGIN IN ROLE image_library_curator, team;
	SELECT image_library.alter_registry('open', private => true, owner => 'team')});
sub as { my ($role, $sql) = @_; return $node->error("SET SESSION AUTHORIZATION $role; $sql") }
$open->requests;
my $asked = scalar @{ $open->requests };
for my $call (q{list_repositories('open')}, q{list_tags('open', 'postgresql')})
{
	like(as('reader', "SELECT * FROM image_library.$call"), qr/42501:/, "a reader may not call $call");
	like(as('curator', "SELECT * FROM image_library.$call"), qr/42704: +registry "open" does not exist/, "a curator of another team is told of nothing by $call");
}
like(as('curator', q{SELECT * FROM image_library.preview_rule('open', '**', refresh => true)}), qr/42704:/, 'nor by a preview');
like(as('reader', q{SELECT * FROM image_library.preview_rule('token', '**', refresh => true)}), qr/42501:/, 'a reader may not have a registry listed');
like(as('curator', q{SELECT * FROM image_library.preview_rule('token', '**', refresh => true)}), qr/42501:/, 'nor may a curator of whom it is not');
is(scalar @{ $open->requests }, $asked, 'and the registry is not asked');
is(as('member', q{SELECT * FROM image_library.list_repositories('open')}), '', 'its team may');
like(as('curator', q{SELECT image_library_internal.refresh_listings('token', '{a}')}), qr/42501:/, 'the functions behind are for nobody');

$node->stop;
$_->stop for $open, $twice, $token, $faulty, $hanging;
done_testing();

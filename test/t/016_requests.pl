# How many requests a sync sends, by the registry's own access log, beside the fewest that tell the same.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;

my $node = ImageLibrary::node('main', 'image_library.enabled = off');

# What a sync of one registry asked, as `METHOD path status` without what differs between registries.
sub sync
{
	my ($name, $registry) = @_;
	my $before = @{ $registry->requests };
	is($node->error("CALL image_library.sync('$name')"), '', "$name: a sync");
	my @all = @{ $registry->requests };
	is($node->value("SELECT requests FROM image_library.sync_run WHERE registry = '$name' ORDER BY run_id DESC LIMIT 1"),
		@all - $before + ($_[2] // 0), 'its row counts what the registry does');
	return map { "$_->{method} $_->{path} $_->{status}" =~ s/sha256:\K([0-9a-f]{6})[0-9a-f]+/$1/r } @all[ $before .. $#all ];
}

# --- a first sync: the lists, two requests an image and one for the referrers API, which this registry lacks
my $registry = DockerRegistry->new(mode => 'open');
my ($repositories, $tags) = (12, 25);
my @images = map { my $r = $_; map { [ "app/r$r", "v$_", "r${r}v$_" ] } 1 .. $tags } 1 .. $repositories;
# A repository of as many tags as a page has may have more of them.
push @images, map { [ 'whole/page', "v$_", 'one' ] } 1 .. 100;
# Tags that share their images with others.
push @images, map { [ 'app/shared', "v$_", "r1v$_" ] } 1 .. $tags;
$registry->push_plain(@images);
$node->value(sprintf q{
	SELECT image_library.add_registry('open', '%s', allow_private => true);
	SELECT image_library.add_rule('open', '**', immutable_tags => true)}, $registry->url);
my @asked = sync('open', $registry);
my $new = $repositories * $tags + 1;
is(scalar(grep { m{/referrers/} } @asked), 1, 'one request finds out that there is no referrers API');
is(scalar(grep { m{/_catalog} } @asked), 1, 'one page of the catalogue');
is(scalar(grep { m{/app/\w+/tags/list} } @asked), $repositories + 1, 'one page of a list');
is(scalar(grep { m{/blobs/} } @asked), $new, 'each config once');
# The ping; the catalogue and lists; of every tag its manifest, of every image its config.
my $fewest = 1 + 1 + $repositories + 2 + @images + $new;
cmp_ok(scalar @asked, '<=', 1.02 * $fewest, "a first sync sends few requests more than $fewest");

# --- nothing has changed: no row of a tag is read, and none is written but the run's
my $rows = q{SELECT string_agg(format('%s %s', s.relname, s.n_tup_ins + s.n_tup_upd + s.n_tup_del), E'\n' ORDER BY s.relname),
		sum(coalesce(s.seq_tup_read, 0) + coalesce(s.idx_tup_fetch, 0)) FILTER (WHERE s.relname IN ('listing', 'image'))
	FROM pg_stat_all_tables s WHERE s.schemaname = 'image_library_internal' AND s.relname <> 'run'};
$node->value('SELECT pg_stat_force_next_flush()');
my $stored = $node->value($rows);
@asked = sync('open', $registry);
$node->value('SELECT pg_stat_force_next_flush()');
is($node->value($rows), $stored, 'an unchanged sweep writes no row but that of its run, and reads no listing');
is($node->value('SELECT not_modified FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1'), scalar @images, 'its row counts the tags');
is(scalar(grep { !m{/tags/list} } @asked), 2, 'tags that do not move are not asked for')
  or diag(join "\n", @asked);
is(scalar(grep { m{/app/} } @asked), $repositories + 1, 'an unchanged repository is one request');
cmp_ok(scalar @asked, '<=', 1 + 1 + $repositories + 2 + 1, 'the list of a full page is asked for twice');

# --- tags that may move: one request each, without a body
$node->value(q{SELECT image_library.alter_rule(rule_id, immutable_tags => false) FROM image_library.rules});
@asked = sync('open', $registry);
my @checks = grep { m{/manifests/} } @asked;
is(scalar @checks, scalar @images, 'an unchanged tag is one request');
is_deeply([ grep { !/^HEAD/ && !/ 304$/ } @checks ], [], 'without a body');
is(scalar(grep { m{/(blobs|referrers)/} } @asked), 0, 'and nothing else');

# --- tags that moved
$registry->push_plain([ 'app/r1', 'v1', 'new' ], [ 'app/r2', 'v2', 'r1v2' ]);
@asked = sync('open', $registry);
my @of_moved = grep { m{/app/r1/(manifests/v1 |manifests/sha256|blobs)} } @asked;
is(scalar @of_moved, 2, 'a tag that moved to a new image: its manifest and its config') or diag(join "\n", @of_moved);
@of_moved = grep { m{/app/r2/(manifests/v2 |manifests/sha256|blobs)} } @asked;
is(scalar @of_moved, 1, 'a tag that moved to a known digest: its manifest') or diag(join "\n", @of_moved);
is(scalar(grep { m{/(manifests|blobs)/} } @asked), @images + 1, 'and the others are one request each');
is($node->value(q{SELECT tags_moved FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1}), '2', 'both moved');

# --- a token for each scope, whatever the number of requests, and no request is denied for want of one
my $token = DockerRegistry->new(mode => 'token', storage => $registry);
$node->value(sprintf q{
	SELECT image_library.add_registry('token', '%s', allow_private => true);
	SELECT image_library.add_rule('token', r, immutable_tags => true) FROM unnest('{app/r1,app/r2,app/r3,app/r4}'::text[]) r;
	SELECT image_library.set_credential('token', '%s', '%s')}, $token->url, $token->user, $token->password);
for my $run ('first', 'second')
{
	my $before = @{ $token->token_requests };
	@asked = sync('token', $token, 4);
	my @tokens = @{ $token->token_requests };
	@tokens = @tokens[ $before .. $#tokens ];
	is_deeply([ sort map { @{ $_->{scopes} } } @tokens ], [ map { "repository:app/r$_:pull" } 1 .. 4 ], "$run sync: one token a scope");
	is(scalar(grep { / 401$/ } @asked), 1, 'only the ping is answered with a challenge');
}

$node->stop;
$_->stop for $registry, $token;
done_testing();

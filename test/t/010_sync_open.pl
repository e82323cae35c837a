# A sync from an open docker-registry, with skopeo as the oracle.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;

my $registry = DockerRegistry->new(mode => 'open');
$registry->push_samples;
my $host = $registry->host;
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
$node->safe_psql('postgres', sprintf(q{
	SELECT image_library.add_registry('local', '%s', allow_private => true);
	SELECT image_library.add_rule('local', '**')}, $registry->url));
$node->safe_psql('postgres', q{CALL image_library.sync('local')});
is($node->safe_psql('postgres', 'SELECT outcome, error FROM image_library.sync_run'),
	'complete|', 'the run is complete');
my $classified = q{SELECT count(*), md5(string_agg(x, ' ' ORDER BY x)) FROM (
	SELECT e::text FROM image_library_internal.entry e UNION ALL SELECT x::text FROM image_library_internal.image_extension x
	UNION ALL SELECT x::text FROM image_library_internal.extension_image x UNION ALL SELECT p::text FROM image_library_internal.model_profile p
	UNION ALL SELECT c::text FROM image_library_internal.other_conflict c UNION ALL SELECT i::text FROM image_library_internal.image i) AS stored (x)};
my $as_read = $node->value($classified);
cmp_ok((split /[|]/, $as_read)[0], '>', 40, 'they have facts');
$node->value(q{SELECT image_library.reclassify()});
is($node->value($classified), $as_read, 'and the database classifies them alike');
is($node->safe_psql('postgres', 'SELECT count(*) FROM image_library.sync_problem'),
	'0', 'no problem is on record');

sub skopeo
{
	my ($out) = run_command([ 'skopeo', @_ ]);
	return decode_json($out);
}

# --- every tag, and no other
my $listed = '';
my @repositories = split /\n/, $node->safe_psql('postgres',
	q{SELECT DISTINCT repository FROM image_library.images ORDER BY 1});
cmp_ok(scalar @repositories, '>=', 8, 'the catalogue was read');
for my $repository (@repositories)
{
	my $oracle = skopeo('list-tags', '--tls-verify=false', "docker://$host/$repository");
	my @tags = sort grep { !/^sha256-/ } @{ $oracle->{Tags} };
	is( $node->safe_psql('postgres',
			qq{SELECT string_agg(tag, ' ' ORDER BY tag COLLATE "C") FROM image_library.images
			   WHERE repository = '$repository'}),
		join(' ', @tags), "the tags of $repository");
}

# --- digest, platform, labels, size and created of every image that runs somewhere
my @images = split /\n/, $node->safe_psql('postgres', q{
	SELECT repository || ' ' || tag FROM image_library.images
	-- skopeo does not read the config of Ollama's models.
	WHERE 'linux/amd64' = ANY (platforms) AND repository <> 'models/llama3.2' ORDER BY 1});
cmp_ok(scalar @images, '>=', 6, 'some images run on linux/amd64');
for (@images)
{
	my ($repository, $tag) = split / /;
	my $oracle = skopeo('inspect', '--no-tags', '--tls-verify=false',
		'--override-os', 'linux', '--override-arch', 'amd64', "docker://$host/$repository:$tag");
	my $ours = decode_json($node->safe_psql('postgres', qq{
		SELECT jsonb_build_object('digest', digest, 'labels', labels, 'size', size_bytes,
			'platforms', platforms)
		FROM image_library.images WHERE repository = '$repository' AND tag = '$tag'}));
	is($ours->{digest}, $oracle->{Digest}, "digest of $repository:$tag");
	is_deeply($ours->{labels}, $oracle->{Labels} // {}, "labels of $repository:$tag");

	my ($raw) = run_command([ 'skopeo', 'inspect', '--raw', '--tls-verify=false',
		"docker://$host/$repository:$tag" ]);
	my $manifest = decode_json($raw);
	my @platforms = ('linux/amd64');
	if ($manifest->{manifests})
	{
		my @children = grep { $_->{platform}{os} ne 'unknown' } @{ $manifest->{manifests} };
		@platforms = sort map { join '/', grep { defined } @{ $_->{platform} }{qw(os architecture variant)} } @children;
		my ($child) = grep { $_->{platform}{architecture} eq 'amd64' } @children;
		($raw) = run_command([ 'skopeo', 'inspect', '--raw', '--tls-verify=false',
			"docker://$host/$repository\@$child->{digest}" ]);
		$manifest = decode_json($raw);
	}
	is_deeply([ sort @{ $ours->{platforms} } ], \@platforms, "platforms of $repository:$tag");
	my $size = $manifest->{config}{size};
	$size += $_->{size} for @{ $manifest->{layers} };
	is($ours->{size}, $size, "size of $repository:$tag");
}

# --- layers, by what skopeo says of a config
my $config = decode_json((run_command([ 'skopeo', 'inspect', '--config', '--tls-verify=false', "docker://$host/postgresql:17.4-2503310734" ]))[0]);
my @chain;
push @chain, @chain ? 'sha256:' . sha256_hex("$chain[-1] $_") : $_ for @{ $config->{rootfs}{diff_ids} };
cmp_ok(scalar @chain, '>', 0, 'the image has layers');
is($node->safe_psql('postgres', q{
	SELECT string_agg('sha256:' || encode(l.id, 'hex'), ' ' ORDER BY l.place)
	FROM image_library.images i JOIN image_library_internal.image_chain c USING (digest), unnest(c.chain_ids) WITH ORDINALITY l (id, place)
	WHERE (i.repository, i.tag) = ('postgresql', '17.4-2503310734')}), "@chain", 'chain IDs of the layers');

# --- what it is for: the main job's views have something to show after approval
$node->safe_psql('postgres', q{SELECT image_library.approve(reference) FROM image_library.pending_images});
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM image_library.postgres_images'), '>=', 6,
	'postgres_images');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM image_library.model_library'), '>=', 4,
	'model_library');
is( $node->safe_psql('postgres', qq{SELECT image_library.resolve('$host/postgresql:17.4-2503310734')}),
	"$host/postgresql:17.4-2503310734\@"
	  . skopeo('inspect', '--no-tags', '--tls-verify=false', "docker://$host/postgresql:17.4-2503310734")->{Digest},
	'resolve pins what skopeo sees');

# --- a second sync reads no body and writes nothing
my $stored = q{SELECT string_agg(format('%s %s %s', c.oid::regclass, pg_relation_size(c.oid),
		(SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_all_tables s WHERE s.relid = c.oid)), E'\n' ORDER BY c.oid)
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = 'image_library_internal' AND c.relkind = 'r' AND c.relname <> 'run'};
$node->safe_psql('postgres', 'SELECT pg_stat_force_next_flush()');
my $before = $node->safe_psql('postgres', $stored);
my $seen = scalar @{ $registry->requests };
$node->safe_psql('postgres', q{CALL image_library.sync('local')});
$node->safe_psql('postgres', 'SELECT pg_stat_force_next_flush()');
is($node->safe_psql('postgres', $stored), $before, 'the second sync writes no row but its run');
my @requests = @{ $registry->requests };
is_deeply([ grep { $_->{path} =~ m{/(manifests|blobs)/} && $_->{method} ne 'HEAD' && $_->{status} != 304 } @requests[ $seen .. $#requests ] ],
	[], 'the second sync reads no manifest and no config');

# --- a tag moves upstream
$registry->push_samples('--move', 'postgresql', '17.4-2503310734');
$node->safe_psql('postgres', q{CALL image_library.sync('local')});
is( $node->safe_psql('postgres', q{
		SELECT i.approval, p.why, (SELECT count(*) FROM image_library.tag_history h
			WHERE h.repository = i.repository AND h.tag = i.tag)
		FROM image_library.images i JOIN image_library.pending_images p USING (repository, tag)
		WHERE i.repository = 'postgresql' AND i.tag = '17.4-2503310734'}),
	'pending|tag moved|2', 'the new digest waits, the history is kept');
my ($ret, $out, $err) = $node->psql('postgres', qq{SELECT image_library.resolve('$host/postgresql:17.4-2503310734')});
like($err, qr/pending/, 'and is not handed out');

# --- a tag is deleted upstream, then pushed again
$registry->push_samples('--delete', 'postgresql', '16.8-2503191025');
$node->safe_psql('postgres', q{CALL image_library.sync('local')});
is( $node->safe_psql('postgres', q{
		SELECT missing_since IS NOT NULL, approval FROM image_library.images
		WHERE repository = 'postgresql' AND tag = '16.8-2503191025'}),
	't|approved', 'a deleted tag is missing, and keeps its approval');
is($node->safe_psql('postgres', q{SELECT count(*) FROM image_library.postgres_images WHERE tag = '16.8-2503191025'}),
	'0', 'and is not offered');
$registry->push_samples;
$node->safe_psql('postgres', q{CALL image_library.sync('local')});
is( $node->safe_psql('postgres', q{
		SELECT missing_since IS NULL, approval FROM image_library.images
		WHERE repository = 'postgresql' AND tag = '16.8-2503191025'}),
	't|approved', 'it comes back with its approval');

$node->stop;
$registry->stop;
done_testing();

# An application that provisions clusters: its own table, guarded by the library; a client that
# listens; a job that finds who runs an old minor.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use DockerRegistry;
use ImageLibrary;

my $registry = DockerRegistry->new(mode => 'open');
$registry->push_samples('--only', 'postgresql:*');
my $host = $registry->host;
my $node = ImageLibrary::node('main', 'image_library.enabled = off');

sub push_tags
{
	run_command([ 'python3', '-B', "$FindBin::RealBin/../registry/operands.py",
		$registry->url, 'postgresql', @_ ]);
	die 'could not push' if $? != 0;
	$node->value(q{SET track_functions = 'all'; CALL image_library.sync('local')});
	return;
}

sub approve
{
	my ($tag) = @_;
	return $node->value(qq{SELECT image_library.approve('$host/postgresql:$tag', 'tested')});
}

# Runs as the application's role, which may read the library and nothing else.
sub app { return $node->value("SET ROLE app; $_[0]") }
sub app_error { return $node->error("SET ROLE app;\n$_[0]") }

$node->value(sprintf(q{
	SELECT image_library.add_registry('local', '%s', allow_private => true);
	SELECT image_library.add_rule('local', 'postgresql');
	CREATE ROLE app LOGIN IN ROLE image_library_reader;
	CREATE SCHEMA app AUTHORIZATION app}, $registry->url));
push_tags('17.10-2509010101', '17.4-2509150101', '17.11-2511010101-full');
is($node->value(q{SELECT coalesce(sum(calls) FILTER (WHERE funcname IN ('classify', 'published_texts')), 0),
	sum(calls) FILTER (WHERE funcname = 'write_batches') > 0 FROM pg_stat_user_functions}),
	'0|t', 'new images are classified where they are read');

# --- the application's schema: what is not approved does not get in, whoever writes
$node->value(q{
	CREATE TABLE app.cluster (name text PRIMARY KEY, image text NOT NULL, replicas integer NOT NULL DEFAULT 1,
		held_because text);
	CREATE TRIGGER approved_images BEFORE INSERT OR UPDATE OF image ON app.cluster
		FOR EACH ROW EXECUTE FUNCTION image_library.require_approved('image');
	CREATE VIEW app.behind AS
		SELECT c.name, running.version AS runs, latest.version AS latest, latest.pinned_reference AS upgrade_to
		FROM app.cluster c
		CROSS JOIN LATERAL image_library.find_postgres_image(c.image) running
		JOIN image_library.postgres_latest latest
			ON latest.registry = running.registry AND latest.repository = running.repository AND latest.flavor = running.flavor AND latest.major_version = running.major_version
			AND coalesce(latest.variant, '') = coalesce(running.variant, '') AND coalesce(latest.os, '') = coalesce(running.os, '')
		WHERE image_library.version_key(latest.version) > image_library.version_key(running.version);
	CREATE VIEW app.unapproved AS
		SELECT c.name, c.image FROM app.cluster c
		WHERE NOT image_library.is_usable(c.image);
	GRANT SELECT, INSERT, UPDATE ON app.cluster TO app;
	GRANT SELECT ON app.behind, app.unapproved TO app});

my $old = approve('17.4-2503310734');
is(app(q{SELECT image_library.latest_postgres('postgresql', 17)}), $old, 'the only approved image is the latest');
app(q{INSERT INTO app.cluster VALUES ('orders', image_library.latest_postgres('postgresql', 17))});
is(app(q{SELECT image FROM app.cluster}), $old, 'an approved image gets in, pinned');
like($old, qr{^\Q$host\E/postgresql:17\.4-2503310734\@sha256:[0-9a-f]{64}$}, 'by digest');

my $pending = $node->value(q{SELECT pinned_reference FROM image_library.images WHERE tag = '17.10-2509010101'});
like(app_error("INSERT INTO app.cluster VALUES ('sneaky', '$pending')"), qr/pending/, 'a pending image is refused, and why');
like(app_error("UPDATE app.cluster SET image = '$pending'"), qr/pending/, 'by an update too');
isnt(app_error("INSERT INTO app.cluster VALUES ('typo', '$host/postgresql:17.99')"), '', 'an unknown image is refused');
isnt(app_error("INSERT INTO app.cluster VALUES ('empty', '')"), '', 'and no image at all');
isnt($node->error("INSERT INTO app.cluster VALUES ('super', '$pending')"), '', 'a superuser has no way around');
is(app(q{UPDATE app.cluster SET replicas = 3 RETURNING replicas}), '3', 'other columns are the application\'s');
is(app(q{SELECT string_agg(name, ' ') FROM app.cluster}), 'orders', 'nothing else got in');

# --- the newest: 17.10 is after 17.4, however new a build of 17.4 is; variants and majors stay apart
my $newer_build = approve('17.4-2509150101');
is(app(q{SELECT image_library.latest_postgres('postgresql', 17)}), $newer_build, 'a newer build of the same minor');
is(app('SELECT count(*) FROM app.behind'), '0', 'a build is no minor: nobody is behind');
my $latest = approve('17.10-2509010101');
my $full = approve('17.4-2503310734-full');
my $eighteen = approve('18.3-2605132051');
my $latest_full = approve('17.11-2511010101-full');
is(app(q{SELECT image_library.latest_postgres('postgresql', 17)}), $latest, '17.10 is newer than 17.4');
is(app(q{SELECT image_library.latest_postgres('postgresql', 17, 'full')}), $latest_full, 'the full variant has its own');
is(app(q{SELECT image_library.latest_postgres('postgresql', 18)}), $eighteen, 'and so has a major');

# --- the job: who runs an image behind the latest minor
app("INSERT INTO app.cluster VALUES ('billing', '$latest'), ('audit', '$full'), ('new', '$eighteen'), ('later', '$newer_build')");
is( app(q{SELECT name, runs, latest, upgrade_to FROM app.behind ORDER BY name}),
	join("\n", "audit|17.4|17.11|$latest_full", "later|17.4|17.10|$latest", "orders|17.4|17.10|$latest"),
	'the job finds who is behind, and with what to upgrade');
app(q{UPDATE app.cluster c SET image = b.upgrade_to FROM app.behind b WHERE b.name = c.name});
is(app('SELECT count(*) FROM app.behind'), '0', 'the upgrade passes the guard, and nobody is behind');

# --- a client that listens, and holds what may not run any more
my $client = $node->background_psql('postgres');
$client->query_safe('SET ROLE app; LISTEN image_library');

# What the client was told until now; waits for something at most so many seconds.
sub heard
{
	my ($seconds) = @_;
	my $text = '';
	for (1 .. $seconds * 20)
	{
		$text .= $client->query('SELECT 1');
		last if $text =~ /Asynchronous notification "image_library"/;
		usleep 50_000;
	}
	return $text;
}

$node->value("BEGIN; SELECT image_library.revoke('$latest', 'a mistake'); ROLLBACK");
unlike(heard(1), qr/notification/, 'what is rolled back is not told');
$node->value("SELECT image_library.revoke('$latest', 'CVE-2026-0001')");
my $told = heard($PostgreSQL::Test::Utils::timeout_default);
like($told, qr/Asynchronous notification "image_library" with payload "\{.*\}"/, 'a revoke is told, as JSON');
$client->query_safe(q{UPDATE app.cluster c SET held_because = 'its image is not approved any more'
	FROM app.unapproved u WHERE u.name = c.name});
is(app(q{SELECT string_agg(name, ' ' ORDER BY name) FROM app.cluster WHERE held_because IS NOT NULL}),
	'billing later orders', 'the client holds every cluster on the revoked image');
$client->quit;

is(app(q{SELECT image_library.latest_postgres('postgresql', 17)}), $newer_build, 'the latest is the one before');
like(app_error("INSERT INTO app.cluster VALUES ('late', '$latest')"), qr/revoked/, 'a revoked image does not get in');
app(q{UPDATE app.cluster SET image = image_library.latest_postgres('postgresql', 17), held_because = NULL
	WHERE held_because IS NOT NULL});
is(app('SELECT count(*) FROM app.unapproved'), '0', 'and the way back is one statement');

$node->stop;
$registry->stop;
done_testing();

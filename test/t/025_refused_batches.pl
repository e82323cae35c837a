# What the database refuses is one tag's trouble; what ends a registry's run is that registry's.
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

# --- more than fits into one value of jsonb
my $text = 'x' x 60000;
my $large = FaultRegistry->new({ repositories => { 'team/small' => { '1.{0..2}' => {} },
	'team/large' => { '1.{0..74}' => { annotations => { map { ($_ => $text) } 1 .. 62 } } } } });
$node->value(sprintf q{
	SELECT image_library.add_registry('large', '%s', allow_private => true);
	SELECT image_library.add_rule('large', 'team/*')}, $large->url);
is($node->error(q{CALL image_library.sync('large')}), '', '75 images of 3.7 MB are synced');
is($node->value('SELECT count(*) FROM image_library.images'), '78', 'all of them are stored');
is($node->value('SELECT count(*), min(problem), max(problem) FROM image_library.sync_problem'), '75|annotations cut|annotations cut',
	'with as many of their annotations as are kept, which is on record');
$node->value(q{SELECT image_library.drop_registry('large', cascade => true)});

# --- an image that the database refuses
my %tags = map { ("1.$_" => { annotations => { n => "$_" } }) } 0 .. 19;
my $registry = FaultRegistry->new({ repositories => { 'team/app' => \%tags, 'team/other' => { '1.0' => {} } } });
$node->value(sprintf q{
	SELECT image_library.add_registry('b', '%s', allow_private => true);
	SELECT image_library.add_rule('b', 'team/*');
	ALTER TABLE image_library_internal.image ADD CONSTRAINT refused CHECK (annotations ->> 'n' IS DISTINCT FROM '7')}, $registry->url);
is($node->error(q{CALL image_library.sync('b')}), '', 'a refused image ends no run');
is($node->value('SELECT outcome, problems FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1'), 'partial|1', 'which is partial');
is($node->value('SELECT repository, tag, problem FROM image_library.sync_problem'), 'team/app|1.7|not stored', 'it is on record');
like($node->value('SELECT detail FROM image_library.sync_problem'), qr/violates check constraint "refused"/, 'with what the database said');
is($node->value('SELECT count(*) FROM image_library.images'), '20', 'every other tag is stored');
$registry->take;
$node->error(q{CALL image_library.sync('b')});
is(join(' ', grep { m{^GET .*/manifests/} } @{ FaultRegistry::lines($registry->take) }),
	'GET /v2/team/app/manifests/1.7', 'which is alone in being read again');
$node->value('ALTER TABLE image_library_internal.image DROP CONSTRAINT refused');
is($node->error(q{CALL image_library.sync('b')}), '', 'once it is not refused any more');
is($node->value('SELECT count(*) FROM image_library.images'), '21', 'it is stored too');
is($node->value('SELECT count(*) FROM image_library.sync_problem'), '0', 'and the problem is over');

# --- one registry's run that the database ends
my $other = FaultRegistry->new({ repositories => { 'team/late' => { '1.0' => {} } } });
$node->value(sprintf q{
	SELECT image_library.add_registry('c', '%s', allow_private => true);
	SELECT image_library.add_rule('c', 'team/*');
	CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF EXISTS (SELECT FROM image_library_internal.registry g WHERE g.registry_id = NEW.registry_id AND g.name = 'b') THEN
			RAISE EXCEPTION USING ERRCODE = 'internal_error', MESSAGE = 'the disk is gone', HINT = 'Find it.';
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER fail BEFORE INSERT ON image_library_internal.repository FOR EACH ROW EXECUTE FUNCTION public.fail()}, $other->url);
$registry->profile({ repositories => { 'team/app' => \%tags, 'team/other' => { '1.0' => {} }, 'team/new' => { '1.0' => {} } } });
my ($out, $err);
is($node->psql('postgres', 'CALL image_library.sync()', stdout => \$out, stderr => \$err), 0, 'a sync of all registries goes on');
like($err, qr/WARNING:  could not sync registry "b"\nDETAIL:  the disk is gone\nHINT:  Find it\./, 'a warning names the one that failed');
is($node->value(q{SELECT count(*) FROM image_library.images WHERE registry = 'c'}), '1', 'the next one is synced');
is($node->value(q{SELECT state, last_error FROM image_library.sync_status WHERE registry = 'b'}), 'failing|the disk is gone', 'sync_status tells');
is($node->value(q{SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'}), '0', 'no lock is left');
like($node->error(q{CALL image_library.sync('b')}), qr/^ERROR:  XX000: the disk is gone/, 'by name it is an error');
$node->value('DROP TRIGGER fail ON image_library_internal.repository');
is($node->error('CALL image_library.sync()'), '', 'all is well again');
is($node->value(q{SELECT count(*) FROM image_library.images WHERE repository = 'team/new'}), '1', 'and everything there');
# A cancel ends them all.
like($node->error(q{SET statement_timeout = '1ms'; CALL image_library.sync()}), qr/^ERROR:  57014/, 'a cancel ends them all');

$node->stop;
$_->stop for $large, $registry, $other;
done_testing();

# The agent removes old history and images that nothing names, once a day; an admin can call it; an image that comes back is
# read again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

sub build { return { repositories => { 'team/app' => { 'nightly' => { annotations => { build => "$_[0]" } }, '1.0' => {} } } } }
my $registry = FaultRegistry->new(build(1));
my $node = ImageLibrary::node('main');
$node->value(sprintf q{
	SELECT image_library.add_registry('local', '%s', allow_private => true, sync_interval => '1 day');
	SELECT image_library.add_rule('local', '**');
	CREATE ROLE admin LOGIN IN ROLE image_library_admin;
	CREATE VIEW digests AS SELECT digest FROM image_library_internal.image}, $registry->url);
ok($node->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status}), 'a sync');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM image_library.prune_run WHERE finished_at IS NOT NULL AND images_removed = 0}),
	'the agent looks for old history after it');

sub sync
{
	my ($build) = @_;
	$registry->profile(build($build));
	$node->value(q{CALL image_library.sync('local')});
	return $node->value(q{SELECT digest FROM image_library.images WHERE tag = 'nightly'});
}
my $first = $node->value(q{SELECT digest FROM image_library.images WHERE tag = 'nightly'});
my $last;
$last = sync($_) for 2 .. 6;
is($node->value('SELECT count(*) FROM digests'), '7', 'a tag that moved five times left its images');
# The worker that the last sync has woken must not begin in the middle of what follows.
ok($node->poll_query_until('postgres', q{SELECT workers = 0 AND due_at > now() FROM image_library.agent_status()}), 'no worker is left');
my $log = -s $node->logfile;
my $grow_old = q{UPDATE image_library_internal.tag_period SET since = since - interval '2 years', until = until - interval '2 years'};
$node->value($grow_old);
$node->value(q{
	UPDATE image_library_internal.pruning SET started_at = started_at - interval '1 day';
	SELECT image_library.request_sync('local')});
ok($node->poll_query_until('postgres', q{SELECT images_removed = 5 FROM image_library.prune_run WHERE finished_at IS NOT NULL ORDER BY started_at DESC LIMIT 1}),
	'a day later the agent removes them');
is($node->value('SELECT count(*) FROM digests'), '2', 'what tags point at stays');
ok($node->wait_for_log(qr/image_library removed 5 images, and 5 periods of the history of tags/, $log), 'the log says so');

# --- an image that was removed comes back, and one that is only marked
is(sync(1), $first, 'a tag that moves back to a removed image has it again');
is($node->value(q{SELECT annotations ->> 'build' FROM image_library.images WHERE tag = 'nightly'}), '1', 'with what the registry says of it');
$node->value($grow_old);
$node->value(sprintf q{INSERT INTO image_library_internal.prunable_image (digest, after_run) VALUES ('%s', 0)}, $last);
is(sync(6), $last, 'a tag that moves back to a marked image has it');
is($node->value('SELECT count(*) FROM image_library_internal.prunable_image'), '0', 'and the mark is gone');
is($node->value('SELECT string_agg(problem, $$ $$) FROM image_library.sync_problem'), '', 'without a problem');

# --- called by an admin
$node->value($grow_old);
my ($ret, $stdout, $stderr) = $node->psql('postgres', 'CALL image_library.prune_images(dry_run => true)', extra_params => [ '-U', 'admin' ]);
like($stderr, qr/NOTICE:  would be removed: 1 images, and \d+ periods/, 'a dry run tells the numbers');
is($node->value('SELECT count(*) FROM digests'), '3', 'and removes nothing');
($ret, $stdout, $stderr) = $node->psql('postgres', 'CALL image_library.prune_images()', extra_params => [ '-U', 'admin' ]);
like($stderr, qr/NOTICE:  removed: 1 images, and \d+ periods/, 'an admin has them removed');
is($node->value('SELECT count(*) FROM digests'), '2', 'they are gone');
is($node->value(q{SELECT actor, action, object, old ->> 'images' FROM image_library.audit ORDER BY audit_id DESC LIMIT 1}), 'admin|purged|images|1', 'the audit has it');
is($node->value('SELECT count(*) FROM image_library.verify_audit()'), '0', 'in the chain');

like($node->error('SET image_library.history_retention = -1; CALL image_library.prune_images()'), qr/^ERROR:  55000: history is kept for ever/,
	'without a retention there is nothing to call');

$node->stop('immediate');
$registry->stop;
done_testing();

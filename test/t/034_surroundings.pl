# What a database and its users may set is no trouble to the agent: isolation levels, policies that do not end.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my $registry = FaultRegistry->new({ repositories => { 'team/app' => { '1.0' => {}, '1.1' => {} } } });
my $node = ImageLibrary::node('main', q{default_transaction_isolation = 'serializable'});

# --- the agent takes the isolation level that it needs; people are told which they need
like($node->error(sprintf q{SELECT image_library.add_registry('local', '%s', allow_private => true), image_library.add_rule('local', '**')}, $registry->url),
	qr/^ERROR:  25000.*HINT:.*READ COMMITTED/s, 'rules do not change in a serializable transaction');
$node->value(sprintf q{BEGIN ISOLATION LEVEL READ COMMITTED;
	SELECT image_library.add_registry('local', '%s', allow_private => true); SELECT image_library.add_rule('local', '**'); COMMIT}, $registry->url);
ok($node->poll_query_until('postgres', q{SELECT outcome = 'complete' FROM image_library.sync_run ORDER BY run_id LIMIT 1}),
	'the agent syncs where transactions are serializable');
is($node->value('SELECT count(*) FROM image_library.images'), '2', 'and what it found is there');
like($node->error(q{CALL image_library.sync('local')}), qr/^ERROR:  25000.*HINT:.*READ COMMITTED/s, 'CALL sync says what it needs');

# --- a policy that takes every cancel for nothing costs the session, not the server
$node->value(q{
	CREATE FUNCTION public.stubborn(image image_library.images) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
	  LOOP
	    BEGIN
	      PERFORM pg_sleep(60);
	    EXCEPTION WHEN query_canceled THEN
	      NULL;
	    END;
	  END LOOP;
	END $$;
	SELECT image_library.add_policy('stubborn', 'public.stubborn(image_library.images)')});
my ($ret, $out, $err) = $node->psql('postgres', q{
	SET image_library.policy_timeout = '20ms';
	SELECT image_library.policy_failures(reference) FROM image_library.images});
like($err, qr/terminating connection/, 'a policy that cannot be cancelled ends');
is($node->value(q{SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT image_library.policy_failures'}), '0', 'and nothing is left of it');
is($node->value('SELECT approval FROM image_library.images WHERE tag = $$1.0$$'), 'pending', 'nor is anything approved');

$node->stop;
$registry->stop;
done_testing();

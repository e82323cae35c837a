# An open transaction with a decision in it keeps one repository waiting, and nobody else.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my $repositories = { 'team/approved' => { '1.0' => {} }, 'team/other' => { '1.0' => {} } };
my $registry = FaultRegistry->new({ repositories => $repositories });
my $node = ImageLibrary::node('main', "image_library.enabled = off\nlog_lock_waits = on");
$node->value(sprintf q{
	SELECT image_library.add_registry('r', '%s', allow_private => true);
	SELECT image_library.add_rule('r', 'team/*')}, $registry->url);
$node->value(q{CALL image_library.sync('r')});
my $host = $registry->host;

my $person = $node->background_psql('postgres', on_error_die => 1);
sub problems { return $node->value(q{SELECT string_agg(concat_ws(' ', repository, tag, problem), ',') FROM image_library.sync_problem}) }
sub new_tags { return $node->value(q{SELECT string_agg(repository, ' ' ORDER BY repository) FROM image_library.images WHERE tag = '2.0'}) }

# A signature that waits to be verified again, for which the agent needs the locks of all decisions.
sub wait_for_verification
{
	$node->value(q{
		DELETE FROM image_library_internal.evidence;
		INSERT INTO image_library_internal.evidence (repository_id, digest, referrer_digest, place, layer_digest, format, document, annotations, retry, verified, reason, bytes, over_limit)
			SELECT repository_id, 'sha256:1', 'waiting', 0, 'l', 'simple signing', '{}', '{}', false, false, '', 2, false FROM image_library_internal.repository WHERE name = 'team/other'});
	return;
}
sub waiting { return $node->value(q{SELECT count(*) FROM image_library_internal.evidence WHERE verified_at IS NULL}) }

my %decision = (CALL => 'approve', 'the agent' => 'revoke');
for my $who ('CALL', 'the agent')
{
	$person->query_safe('BEGIN');
	$person->query_safe("SELECT image_library.$decision{$who}('$host/team/approved:1.0', 'being looked at')");
	$repositories->{$_}{'2.0'} = {} for keys %$repositories;
	$registry->profile({ repositories => $repositories });
	wait_for_verification();
	if ($who eq 'CALL')
	{
		is($node->error(q{CALL image_library.sync('r')}), '', "$who: it does not fail");
	}
	else
	{
		$node->append_conf('postgresql.conf', 'image_library.enabled = on');
		$node->reload;
		$node->value(q{SELECT image_library.request_sync('r')});
		ok($node->poll_query_until('postgres', q{SELECT state = 'partial' AND outcome = 'partial' AND cause = 'schedule'
			FROM image_library.sync_status, LATERAL (SELECT outcome, cause FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1) last}),
			"$who: it comes to an end");
	}
	is(problems(), 'team/approved busy', "$who: the repository where a decision is open is on record");
	is(waiting(), '1', "$who: a signature waits until there is no open decision");
	is(new_tags(), 'team/other', "$who: the other one is stored");
	# After the run a worker looks for what is due next, and for old history.
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_locks WHERE NOT granted}), "$who: nobody waits");
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity
		WHERE application_name = 'image_library worker' AND (state LIKE 'idle in%' OR xact_start IS NOT NULL)}),
		"$who: no transaction is left open");
	$person->query_safe('COMMIT');
	if ($who eq 'CALL')
	{
		is($node->error(q{CALL image_library.sync('r')}), '', "$who: the next run");
	}
	else
	{
		$node->value(q{SELECT image_library.request_sync('r')});
		ok($node->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status}), "$who: the next run");
	}
	is(new_tags(), 'team/approved team/other', "$who: stores the rest");
	is(problems(), '', "$who: and nothing is on record any more");
	is(waiting(), '0', "$who: and verifies the signature");
	delete $_->{'2.0'} for values %$repositories;
	$node->value(q{DELETE FROM image_library_internal.tag_period WHERE tag = '2.0'; DELETE FROM image_library_internal.entry WHERE tag = '2.0';
		DELETE FROM image_library_internal.tag WHERE name = '2.0'; DELETE FROM image_library_internal.settled_repository});
}

# --- a decision that ends in time is only waited for
$node->append_conf('postgresql.conf', 'image_library.enabled = off');
$node->reload;
$person->query_safe('BEGIN');
$person->query_safe("SELECT image_library.reset('$host/team/approved:1.0', 'on second thought')");
$repositories->{'team/approved'}{'2.0'} = {};
$registry->profile({ repositories => $repositories });
my $call = $node->background_psql('postgres', on_error_die => 1);
$call->query_until(qr/begun/, "\\echo begun\nCALL image_library.sync('r');\n");
ok($node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM pg_locks WHERE NOT granted'), 'a batch waits');
$person->query_safe('COMMIT');
$call->quit;
is(new_tags(), 'team/approved', 'it is stored once the decision is made');

# --- a role without rights cannot keep anybody waiting: it can take advisory locks, all that there are
$node->value('CREATE ROLE nobody LOGIN');
$person->query_safe('SET ROLE nobody');
$person->query_safe(q{SELECT CASE pg_locks.shape WHEN 1 THEN pg_advisory_lock(class, id) ELSE pg_advisory_lock(class::bigint << 32 | id) END
	FROM generate_series(0, 3) AS class, generate_series(0, 3) AS id, (VALUES (1), (2)) AS pg_locks (shape)});
is($node->error(q{CALL image_library.sync('r'); SELECT image_library.request_sync('r')}), '', 'advisory locks stop no sync');
is($node->value(q{SELECT state FROM image_library.sync_status WHERE state = 'running'}), '', 'nor do they look like one');
is($node->error(q{SET lock_timeout = '10s'; SELECT image_library.alter_rule(rule_id, priority => 50) FROM image_library_internal.rule}), '',
	'nor a change of rules');
isnt($node->error(q{SET ROLE nobody; SELECT image_library_internal.lock_rules_of(1, true)}), '', 'the lock of rules is not for all');
$person->query_safe('RESET ROLE');
$person->query_safe('SELECT pg_advisory_unlock_all()');
is(problems(), '', 'without a problem');

# --- a request that is committed when a run has begun that did not see it
$person->query_safe('BEGIN');
$person->query_safe(q{SELECT image_library.alter_registry('r', max_connections => 3)});
is($node->error(q{CALL image_library.sync('r')}), '', 'a run while somebody changes the registry');
is($node->value('SELECT next_sync_at > now() FROM image_library.sync_status'), 't', 'nothing is due before the change is there');
$person->query_safe('COMMIT');
is($node->value('SELECT next_sync_at > now() FROM image_library.sync_status'), 'f', 'then another one is due');
is($node->value('SELECT count(*) FROM image_library_internal.due_registries() WHERE due_at < now()'), '1', 'for the agent too');
is($node->error(q{CALL image_library.sync('r')}), '', 'which sees it');
is($node->value('SELECT next_sync_at > now() FROM image_library.sync_status'), 't', 'and answers the request');

# --- a change of rules that stays open: the run fails in time, and the next one decides by the rules of then
$node->value(q{SELECT image_library.add_rule('r', 'team/other', action => 'exclude')});
$person->query_safe('BEGIN');
$person->query_safe("SELECT image_library.alter_rule((SELECT min(rule_id) FROM image_library.rules), newest => 5)");
like($node->error(q{CALL image_library.sync('r')}), qr/^ERROR: .*\nDETAIL:  another session holds locks.*\nHINT:  /, 'a run that meets the lock at once fails, and says why');
$person->query_safe('COMMIT');
is($node->error(q{CALL image_library.sync('r')}), '', 'and the next one does not');
is($node->value(q{SELECT count(*) FROM image_library.images WHERE repository = 'team/other'}), '0', 'by the rules as they are');

# --- a registry that somebody is dropping, and has not dropped yet
$registry->profile({ repositories => { %$repositories, 'own/app' => { '1.0' => {} } } });
$node->value(sprintf q{SELECT image_library.add_registry('z', '%s/own', allow_private => true); SELECT image_library.add_rule('z', 'app')}, $registry->url);
$person->query_safe('BEGIN');
$person->query_safe("SELECT image_library.drop_registry('r', cascade => true)");
my ($out, $err);
$node->psql('postgres', 'CALL image_library.sync()', stdout => \$out, stderr => \$err);
like($err, qr/WARNING:  could not sync registry "r"/, 'CALL: a warning');
is($node->value(q{SELECT string_agg(DISTINCT repository, ' ') FROM image_library.images WHERE registry = 'z'}), 'app', 'CALL: the others have their turn');
$node->value(q{DELETE FROM image_library_internal.run WHERE registry_id = (SELECT registry_id FROM image_library_internal.registry WHERE name = 'z')});
$node->append_conf('postgresql.conf', 'image_library.enabled = on');
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM image_library.sync_run WHERE registry = 'z' AND cause = 'schedule' AND outcome = 'complete'}),
	'the agent: the others have their turn');
$person->query_safe('ROLLBACK');

$person->quit;
$node->stop;
$registry->stop;
done_testing();

# The chain of decisions and audit rows: those of the agent, of sessions over TCP, and while somebody keeps its end locked.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my $repositories = { 'team/one' => { '1.0' => {} }, 'team/two' => { '1.0' => {} } };
my $registry = FaultRegistry->new({ repositories => $repositories });
my $node = ImageLibrary::node('main', "image_library.enabled = off\nlisten_addresses = '127.0.0.1'\nmax_prepared_transactions = 5");
$node->value(sprintf q{
	SELECT image_library.add_registry('r', '%s', allow_private => true);
	SELECT image_library.add_rule('r', 'team/*', approval => 'auto')}, $registry->url);

sub holds { is($node->value(q{SELECT * FROM image_library.verify_audit()}), '', shift) }
sub approved { return $node->value(q{SELECT string_agg(tag, ' ' ORDER BY decision_id) FROM image_library.decisions WHERE chain_position IS NOT NULL}) }

my $person = $node->background_psql('postgres', on_error_die => 1);
my $tag = 1;
for my $who ('CALL', 'the agent')
{
	++$tag;
	$repositories->{'team/one'}{"$tag.0"} = {};
	$registry->profile({ repositories => $repositories });
	# Places are taken when a transaction commits; this one has taken its place, and stays open.
	$person->query_safe('BEGIN');
	$person->query_safe("SELECT image_library.add_hm_tag('while $who')");
	$person->query_safe('SET CONSTRAINTS ALL IMMEDIATE');
	if ($who eq 'CALL')
	{
		is($node->error(q{CALL image_library.sync('r')}), '', "$who: it does not fail");
	}
	else
	{
		$node->append_conf('postgresql.conf', 'image_library.enabled = on');
		$node->reload;
		$node->value(q{SELECT image_library.request_sync('r')});
		ok($node->poll_query_until('postgres', q{SELECT outcome = 'partial' AND cause = 'schedule' FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1}),
			"$who: it comes to an end");
	}
	like($node->value(q{SELECT string_agg(DISTINCT problem, ',') FROM image_library.sync_problem}), qr/^busy$/, "$who: the repositories are on record");
	holds("$who: the chain holds meanwhile");
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
	like(approved(), qr/\b$tag\.0\b/, "$who: what it approves has a place in the chain");
	holds("$who: the chain holds");
}
$person->quit;
is($node->value(q{SELECT count(*) FROM image_library.decisions WHERE client_address IS NOT NULL}), '0', 'the agent and local sockets have no address');

# --- a prepared transaction would keep the end of the chain for as long as nobody ends it
for my $change (q{image_library.add_hm_tag('prepared')}, q{image_library.revoke(reference) FROM image_library.images WHERE tag = '3.0'})
{
	like($node->error("BEGIN; SELECT $change; PREPARE TRANSACTION 'keeps'"),
		qr/^ERROR:  0A000: cannot PREPARE a transaction that has changed the image library.*HINT/s, "it is refused: $change");
}
is($node->error(q{BEGIN; SELECT image_library.add_hm_tag('committed'); COMMIT; BEGIN; CREATE TABLE other (); PREPARE TRANSACTION 'other'; COMMIT PREPARED 'other'}),
	'', 'other transactions of the session are not');
is($node->value('SELECT count(*) FROM pg_prepared_xacts'), '0', 'and nothing stays');

# --- over TCP
$node->safe_psql('postgres', q{SELECT image_library.revoke(reference, 'over TCP') FROM image_library.images WHERE tag = '2.0';
	SELECT image_library.add_hm_tag('over TCP')}, connstr => 'host=127.0.0.1 dbname=postgres port=' . $node->port);
is($node->value(q{SELECT string_agg(host(client_address), ' ') FROM image_library.decisions WHERE action = 'revoke'}), '127.0.0.1', 'a decision tells the address');
is($node->value(q{SELECT host(client_address) FROM image_library.audit WHERE name = 'over TCP'}), '127.0.0.1', 'and so does the audit');
holds('addresses are part of it');

# --- a superuser with the triggers off
my ($position, $hash) = split /\|/, $node->value(q{SELECT * FROM image_library.audit_head()});
my $changed = $node->value(q{SELECT decision_id FROM image_library.decisions WHERE tag = '2.0' AND action = 'approve'});
$node->value(qq{
	SET session_replication_role = replica;
	UPDATE image_library_internal.decision SET reason = 'read and understood' WHERE decision_id = $changed});
like($node->value(q{SELECT log, number, problem FROM image_library.verify_audit()}), qr/^decisions\|$changed\|it was changed/, 'the changed row is named');
$node->value(qq{
	SET session_replication_role = replica;
	DELETE FROM image_library_internal.decision WHERE decision_id >= $changed;
	DELETE FROM image_library_internal.audit_entry WHERE audit_id >= (SELECT min(number) FROM image_library_internal.chain
		WHERE log = 'audit' AND position >= (SELECT position FROM image_library_internal.chain WHERE log = 'decisions' AND number = $changed));
	DELETE FROM image_library_internal.chain WHERE position >= (SELECT position FROM image_library_internal.chain WHERE log = 'decisions' AND number = $changed)});
holds('a chain without its end holds');
is($node->value(qq{SELECT position, problem FROM image_library.verify_audit($position, '$hash')}),
	"$position|the chain ends before this position: its end was removed", 'a head that was noted shows it');

$node->stop;
$registry->stop;
done_testing();

# A hub and a location: the location has the library by logical replication, secrets stay at the hub, nothing but
# replication writes the location, and it can become the hub.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my $registry = FaultRegistry->new({ repositories => {
	'postgresql' => { '17.4' => {}, '17.5' => {} }, 'team/app' => { '1.0' => {} } } });
my $host = $registry->host;
my $hub = ImageLibrary::node('hub', "wal_level = logical\nmax_wal_senders = 20\nmax_replication_slots = 20");
my $location = ImageLibrary::node('location', join "\n", 'image_library.mode = replica', 'wal_level = logical', 'max_wal_senders = 20', 'max_replication_slots = 20', 'max_logical_replication_workers = 8',
	'max_sync_workers_per_subscription = 6', 'max_worker_processes = 20', 'wal_retrieve_retry_interval = 100ms');
$_->value(q{
	CREATE ROLE team;
	CREATE ROLE reader LOGIN IN ROLE image_library_reader;
	CREATE ROLE member LOGIN IN ROLE image_library_reader, team;
	CREATE ROLE curator LOGIN IN ROLE image_library_curator}) for $hub, $location;

sub as
{
	my ($node, $role, $sql) = @_;
	my ($ret, $stdout, $stderr) = $node->psql('postgres', $sql, extra_params => [ '-U', $role ]);
	return $stdout;
}
sub differing
{
	my ($sql) = @_;
	my ($here, $there) = ($hub->value($sql), $location->value($sql));
	return $here eq $there && $here ne '' ? '' : "hub:\n$here\nlocation:\n$there";
}

$hub->value(sprintf q{
	SELECT image_library.add_registry('local', '%s', allow_private => true, sync_interval => '1 day');
	SELECT image_library.add_rule('local', '**');
	SELECT image_library.add_registry('secret', 'https://secret.example.com', owner => 'team', private => true);
	SELECT image_library.disable_registry('secret');
	SELECT image_library.disable_registry('local')}, $registry->url);
$hub->value(q{SELECT image_library.enable_registry('local')});
ok($hub->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status WHERE registry = 'local'}), 'the hub syncs');
$hub->value("SELECT image_library.approve('$host/postgresql:17.4', 'read')");

# --- secrets are in no publication
my $forbidden = qr/^ERROR:  55000: publication "all" would send the secrets of image_library to its subscribers\nDETAIL:  Passwords: 1, client certificates: 0\./;
$hub->value(q{SELECT image_library.set_credential('secret', 'robot', 'hunter2')});
for my $what ('FOR ALL TABLES', 'FOR TABLES IN SCHEMA image_library_internal', 'FOR TABLE image_library_internal.credential')
{
	like($hub->error(qq{CREATE PUBLICATION "all" $what}), $forbidden, "a publication $what is refused while there is a secret");
}
$hub->value(q{CREATE TABLE mine (id int PRIMARY KEY); CREATE PUBLICATION "all" FOR TABLE mine});
like($hub->error(q{ALTER PUBLICATION "all" ADD TABLE image_library_internal.credential}), $forbidden, 'and so is one that would get the table');
is($hub->error(q{ALTER PUBLICATION "all" SET (publish = 'insert')}), '', 'other publications are the user\'s own');
$hub->value(q{DROP PUBLICATION "all"; SELECT image_library.drop_credential('secret'); CREATE PUBLICATION "all" FOR ALL TABLES});
like($hub->error(q{SELECT image_library.set_credential('secret', 'robot', 'hunter2')}),
	qr/^ERROR:  55000: cannot store a secret: publication "all" would send it to its subscribers\nDETAIL:.*credential.*\nHINT:.*create_publication/s,
	'where a publication has the table, a secret is refused');
append_to_file($hub->data_dir . '/file.json', '{"auths": {"https://secret.example.com": {"username": "user", "password": "hunter2"}}}');
$hub->value(sprintf q{ALTER SYSTEM SET image_library.credentials_dir = '%s'}, $hub->data_dir);
$hub->reload;
$hub->poll_query_until('postgres', q{SELECT current_setting('image_library.credentials_dir') <> ''});
is($hub->error(q{SELECT image_library.set_credential_file('secret', 'file.json')}), '', 'the name of a file is not');
$hub->value('DROP PUBLICATION "all"');
$hub->value(q{SELECT image_library.set_credential('secret', 'robot', 'hunter2')});

# --- the location
is($hub->error(q{CREATE ROLE location LOGIN REPLICATION; SELECT image_library.create_publication(subscriber => 'location')}) =~ /^(ERROR:  55000: .*)/ ? $1 : '',
	'ERROR:  55000: role location cannot replicate the library', 'a role that would not see all rows is refused');
is($hub->value(q{ALTER ROLE location BYPASSRLS; SELECT image_library.create_publication(subscriber => 'location') > 30}), 't', 'create_publication publishes the library');
is($hub->value(q{SELECT image_library.create_publication() - (SELECT count(*) FROM pg_publication_tables WHERE pubname = 'image_library')}), '0',
	'calling it again keeps the tables');
is($hub->value(q{
	SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c
	WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relkind = 'r'
	  AND NOT EXISTS (SELECT FROM pg_publication_tables t WHERE t.schemaname = 'image_library_internal' AND t.tablename = c.relname)}),
	'client_certificate credential shipped_model_fact shipped_privilege staged_line', 'all but secrets, and what the extension brings along');
is($hub->value(q{
	SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c JOIN pg_publication_tables t ON t.tablename = c.relname
	WHERE c.relnamespace = 'image_library_internal'::regnamespace AND c.relreplident = 'd'
	  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)}), '', 'every table has a replica identity: UPDATE and DELETE go on working at the hub');
like($hub->error('SET ROLE location; SELECT * FROM image_library_internal.credential'), qr/^ERROR:  42501/, 'the subscribers\' role may not read secrets');
$location->value(sprintf q{CREATE SUBSCRIPTION location CONNECTION 'host=%s port=%s dbname=postgres user=location' PUBLICATION image_library}, $hub->host, $hub->port);
$location->wait_for_subscription_sync($hub, 'location');
my %same = (
	images => 'SELECT registry, repository, tag, digest, approval, first_seen_at FROM image_library.images ORDER BY 1, 2, 3',
	decisions => 'SELECT to_jsonb(d) FROM image_library.decisions d ORDER BY decision_id',
	audit => 'SELECT to_jsonb(a) FROM image_library.audit a ORDER BY audit_id',
	library_stats => 'SELECT to_jsonb(s) FROM image_library.library_stats s ORDER BY registry',
	registries => q{SELECT name, owner, private FROM image_library.registries ORDER BY name},
	sync_run => 'SELECT to_jsonb(r) FROM image_library.sync_run r ORDER BY started_at',
	counts => 'SELECT registry_id, kind, approval, sum(number) FROM image_library_internal.counts GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
);
is(differing($same{$_}), '', "the first copy: $_ are those of the hub") for sort keys %same;
is($location->value('SELECT count(*) FROM image_library_internal.credential'), '0', 'no secret has come');
is($location->value(qq{SELECT image_library.resolve('$host/postgresql:17.4') LIKE '%\@sha256:%'}), 't', 'resolve works');
is(as($location, reader => q{SELECT string_agg(name, ' ') FROM image_library.registries}), 'local', 'a reader sees no private registry');
is(as($location, member => q{SELECT string_agg(name, ' ' ORDER BY name) FROM image_library.registries}), 'local secret', 'a member of its team does');
is(as($location, reader => q{SELECT count(*) FROM image_library.images}), '3', 'row level security lets readers read the images');

# --- what happens at the hub comes
$registry->profile({ repositories => { 'postgresql' => { '17.4' => { annotations => { build => '2' } }, '17.5' => {}, '17.6' => {} }, 'team/app' => { '1.0' => {} } } });
$hub->value(qq{
	SELECT image_library.approve('$host/postgresql:17.5'), image_library.reject('$host/team/app:1.0', 'no');
	SELECT image_library.add_hm_tag('green');
	SELECT image_library.tag_image('$host/postgresql:17.5', 'green');
	SELECT image_library.record_use('$host/postgresql:17.4', 'cluster');
	SELECT image_library.add_channel('prod', 'local', '{postgresql}')});
$hub->value(q{CALL image_library.sync('local')});
$hub->wait_for_catchup('location');
is(differing($same{$_}), '', "what was done at the hub: $_") for sort keys %same;
is($location->value(q{SELECT image_library.latest('prod') LIKE '%17.5%'}), 't', 'a channel follows');
is($location->value('SELECT count(*) FROM image_library.verify_audit()'), '0', 'the chain of the audit fits');

# --- a guarded table that is replicated itself: since PostgreSQL 16 its rows are written with the rights of the table's owner
$_->value('CREATE ROLE app; CREATE TABLE public.workload (image text PRIMARY KEY); ALTER TABLE public.workload OWNER TO app') for $hub, $location;
$location->value(q{
	CREATE TRIGGER guard BEFORE INSERT ON public.workload FOR EACH ROW EXECUTE FUNCTION image_library.require_approved('image', 'pin');
	ALTER TABLE public.workload ENABLE ALWAYS TRIGGER guard});
$hub->value('GRANT SELECT ON public.workload TO location; CREATE PUBLICATION workload FOR TABLE public.workload');
$location->value(sprintf q{CREATE SUBSCRIPTION workload CONNECTION 'host=%s port=%s dbname=postgres user=location' PUBLICATION workload}, $hub->host, $hub->port);
$hub->value("INSERT INTO public.workload VALUES ('$host/postgresql:17.5')");
ok($location->poll_query_until('postgres', q{SELECT image ~ '17.5@sha256:' FROM public.workload}), 'its guard may ask the library there, and pins');
$location->value('DROP SUBSCRIPTION workload');

# --- nothing else writes it
for my $statement (
	q{request_sync('local')}, q{accept_removals('local', 'team/app')}, q{add_registry('other', 'https://other.example.com')}, q{add_rule('local', 'x')},
	q{disable_rule(1)}, q{set_credential('local', 'me', 'secret')}, "approve('$host/team/app:1.0')", "revoke('$host/postgresql:17.4')",
	"record_use('$host/postgresql:17.4', 'here')", "request_approval('$host/postgresql:17.6')", q{add_hm_tag('blue')}, q{set_readme('local', 'team/app', 'x')},
	q{preview_rule('local', 'team/app', refresh => true)}, q{purge_history()}, q{drop_registry('local', true)})
{
	my $error = $location->error("SELECT image_library.$statement");
	like($error, qr/^ERROR:  25006: cannot [\w ]+ in a replica\nDETAIL:.*\nHINT:  Connect to the hub/, "$statement in a replica says where") or diag($error);
}
for my $statement (q{INSERT INTO image_library_internal.hm_tag (name, color) VALUES ('x', 'red')}, 'DELETE FROM image_library_internal.tag', 'TRUNCATE image_library_internal.event')
{
	like($location->error($statement), qr/^ERROR:  25006: cannot change the library in a replica/, "$statement is refused, of a superuser too");
}
for my $statement ('CALL image_library.sync()', q{CALL image_library.sync('local')}, 'SELECT image_library.start_worker()', 'CALL image_library.prune_images()')
{
	like($location->error($statement), qr/^ERROR:  25006: cannot [\w ]+ in a replica/, "$statement in a replica");
}
like($location->value('SELECT last_error FROM image_library.agent_status()'), qr/^image_library\.mode is replica/, 'agent_status says why nothing is synced');
is($location->value(q{SELECT state, (SELECT count(*) FROM image_library.alerts() WHERE alert IN ('agent', 'sync overdue')) FROM image_library.agent_status()}), 'replica|0', 'which is no alert');
is($location->value(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'image_library worker'}), '0', 'the agent does not work');
like($location->error('SELECT image_library.promote_replica()'), qr/^ERROR:  55000: cannot promote the library: image_library\.mode is "replica"/, 'a replica is not promoted by mistake');

# --- what a conflict looks like: a row that somebody wrote in spite of the mode
$location->value(q{SET session_replication_role = replica; INSERT INTO image_library_internal.hm_tag (hm_tag_id, name, color) VALUES (2, 'mine', 'red')});
my $log = -s $location->logfile;
$hub->value(q{SELECT image_library.add_hm_tag('yellow')});
ok($location->poll_query_until('postgres', q{SELECT apply_error_count > 0 FROM pg_stat_subscription_stats}), 'a conflict stops replication, and is counted');
my $replication = q{SELECT severity, subject, detail FROM image_library.alerts() WHERE alert = 'replication'};
ok($location->poll_query_until('postgres', "SELECT detail ~ 'has no worker: .*; errors until now: [1-9]' FROM ($replication) r"), 'and is an alert');
like(slurp_file($location->logfile, $log), qr/hm_tag_pkey/, 'the log names it');
$location->value(q{SET session_replication_role = replica; DELETE FROM image_library_internal.hm_tag WHERE name = 'mine'});
$hub->wait_for_catchup('location');
is($location->value(q{SELECT count(*) FROM image_library.hm_tags WHERE name = 'yellow'}), '1', 'without the row it goes on');
is($location->value($replication), '', 'without an alert');
$location->value('ALTER SUBSCRIPTION location DISABLE');
is(as($location, reader => $replication), 'critical|location|the subscription is disabled: what the hub decides does not come', 'a subscription that is disabled is an alert');
$location->value('ALTER SUBSCRIPTION location ENABLE');

# --- a run of the hub
$hub->value(q{UPDATE image_library_internal.run SET outcome = NULL WHERE run_id = (SELECT max(run_id) FROM image_library_internal.run)});
$hub->wait_for_catchup('location');
is(as($location, reader => q{SELECT state, last_error FROM image_library.sync_status WHERE registry = 'local'}), 'running|', 'one that has not ended is running');
$hub->value(q{UPDATE image_library_internal.run SET outcome = 'complete' WHERE outcome IS NULL});

# --- owners are replicated by name
$log = -s $location->logfile;
$hub->value(q{CREATE ROLE late_team; SELECT image_library.alter_registry('local', owner => 'late_team')});
ok($location->wait_for_log(qr/role "late_team" does not exist/, $log), 'an owner that the location lacks stops replication, and the log names it');
$location->value('CREATE ROLE late_team');
$hub->wait_for_catchup('location');
is($location->value(q{SELECT owner FROM image_library.registries WHERE name = 'local'}), 'late_team', 'with the role it goes on');

# --- the location becomes the hub
my $before = $hub->value('SELECT position, row_hash FROM image_library.audit_head()');
$hub->stop('immediate');
$location->value(q{ALTER SYSTEM SET image_library.mode = 'primary'; SELECT pg_reload_conf()});
ok($location->poll_query_until('postgres', q{SELECT current_setting('image_library.mode') = 'primary'}), 'the setting is reloaded');
like($location->error('SELECT image_library.promote_replica()'), qr/^ERROR:  55000: cannot promote the library: subscription "location" still writes it/, 'with a subscription it is not promoted');
$location->value('ALTER SUBSCRIPTION location DISABLE');
$location->value('ALTER SUBSCRIPTION location SET (slot_name = NONE)');
$location->value('DROP SUBSCRIPTION location');
cmp_ok($location->value('SELECT image_library.promote_replica()'), '>', 5, 'sequences were behind, and are not any more');
is($location->value('SELECT image_library.promote_replica()'), '0', 'a second time nothing is to be done');
$location->value(qq{SELECT image_library.revoke('$host/postgresql:17.5', 'promoted')});
my ($old_position, $old_hash) = split /\|/, $before;
is($location->value(qq{SELECT count(*) FROM image_library.verify_audit($old_position, '$old_hash')}), '0', 'the chain goes on from that of the old hub');
is($location->value(q{SELECT action, new ->> 'mode' FROM image_library.audit ORDER BY audit_id DESC LIMIT 1}), 'changed|primary', 'the audit says who promoted it');
$location->value(q{SELECT image_library.add_registry('new', 'https://new.example.com')});
is($location->value(q{SELECT registry_id FROM image_library_internal.registry WHERE name = 'new'}), '3', 'new rows have new numbers');
$location->value(q{SELECT image_library.request_sync('local')});
my $runs = q{SELECT count(*) FROM image_library.sync_run WHERE registry = 'local' AND outcome = 'complete' AND cause = 'schedule'};
ok($location->poll_query_until('postgres', "SELECT ($runs) >= 2"), 'the agent works, and syncs');
is($location->value('SELECT count(*) FROM image_library.verify_audit()'), '0', 'and the audit fits');

# --- the old hub becomes a location, as doc/replication.md says
my ($emptying) = slurp_file("$FindBin::RealBin/../../doc/replication.md") =~ /^(SET session_replication_role = replica;\nSELECT format\('TRUNCATE .*?)\nCREATE SUBSCRIPTION/ms;
$hub->append_conf('postgresql.conf', join "\n", 'image_library.mode = replica', 'max_logical_replication_workers = 8', 'max_sync_workers_per_subscription = 6',
	'max_worker_processes = 20', 'wal_retrieve_retry_interval = 100ms');
$hub->start;
$hub->value('DROP PUBLICATION image_library');
$hub->value($emptying);
is($hub->value('SELECT count(*) FROM image_library.registries'), '0', 'it is empty');
is($hub->value($replication), 'critical||no subscription brings what the hub decides', 'and without a subscription that is an alert');
$location->value(q{CREATE ROLE location LOGIN REPLICATION BYPASSRLS; SELECT image_library.create_publication(subscriber => 'location')});
$hub->value(sprintf q{CREATE SUBSCRIPTION location CONNECTION 'host=%s port=%s dbname=postgres user=location' PUBLICATION image_library}, $location->host, $location->port);
$hub->wait_for_subscription_sync($location, 'location');
is(differing($same{$_}), '', "it has what the new hub has: $_") for sort keys %same;
$hub->stop('immediate');

# --- one database alone
$location->value(q{ALTER DATABASE postgres SET image_library.mode = 'replica'});
like($location->error(q{SELECT image_library.add_hm_tag('blue')}), qr/^ERROR:  25006: cannot change the library in a replica/, 'ALTER DATABASE makes one database a replica');
like(as($location, reader => 'SELECT last_error FROM image_library.agent_status()'), qr/^image_library\.mode is replica/, 'which agent_status tells');
$location->value('CREATE DATABASE other');
$location->safe_psql('other', 'CREATE EXTENSION image_library');
my $states = q{SELECT string_agg(concat(database, ': ', CASE state WHEN 'replica' THEN last_error ELSE 'works' END), ', ' ORDER BY database DESC) FROM image_library.agent_status()};
is($location->value($states), 'postgres: image_library.mode is replica: the agent runs at the hub, other: works', 'of that database, not of others');
$location->value('SELECT image_library_internal.wake_agent()');
ok($location->poll_query_until('other', qq{SELECT ($states) = 'postgres: image_library.mode is replica: the agent runs at the hub, other: works'}), 'and others tell the same when the agent has seen it');
$location->value('DROP DATABASE other');
like(($location->psql('postgres', q{SET image_library.mode = 'primary'}, extra_params => [ '-U', 'curator' ]))[2], qr/permission denied to set parameter/,
	'only a superuser may change the mode');

$location->value(q{ALTER SYSTEM SET image_library.mode = 'replica'});
$location->value(q{ALTER DATABASE postgres SET image_library.mode = 'primary'});
$location->reload;
my $before_it = $location->value($runs);
ok($location->poll_query_until('postgres', q{SELECT current_setting('image_library.mode') = 'primary'}) && $location->error(q{SELECT image_library.request_sync('local')}) eq '',
	'where the other databases are replicas, one may be none');
ok($location->poll_query_until('postgres', "SELECT ($runs) > $before_it"), 'and the agent syncs it');
$location->value('ALTER DATABASE postgres RESET image_library.mode');
ok($location->poll_query_until('postgres', q{SELECT state = 'replica' FROM image_library.agent_status()}), 'a replica again');
$location->value(q{ALTER SYSTEM SET image_library.mode = 'primary'});
$location->reload;
ok($location->poll_query_until('postgres', q{SELECT due_at > now() FROM image_library.agent_status()}), 'a change that is taken back leaves the agent at work');

$location->stop('immediate');
$registry->stop;
done_testing();

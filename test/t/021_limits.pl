# Budgets and the limits of registries: exactly so many requests, none before it is time, nothing left out.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

my $repositories = { map { my $r = $_; "team/$r" => { map { ("1.$_" => {}) } 0 .. 7 } } qw(a b c) };
my $registry = FaultRegistry->new({ repositories => $repositories });
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
$node->value(sprintf q{
	SELECT image_library.add_registry('limited', '%s', allow_private => true, requests_per_run => 15);
	SELECT image_library.add_rule('limited', 'team/*')}, $registry->url);

sub with_faults { $registry->profile({ repositories => $repositories, faults => [@_] }) }
sub sync { return $node->error(q{CALL image_library.sync('limited')}) }
sub last_run { return $node->value('SELECT outcome, requests FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1') }
my $seen = 0;
# Requests since the last call.
sub asked
{
	my @all = @{ $registry->requests };
	my @new = @all[ $seen .. $#all ];
	$seen = @all;
	return @new;
}

# --- a budget
is(sync(), '', 'a run that uses up its budget is no error');
is(last_run(), 'partial|15', 'it is partial');
is(scalar(asked()), 15, 'exactly so many requests were sent');
like($node->value('SELECT last_error FROM image_library.sync_status'), qr/budget of 15 requests per run is used up/, 'sync_status says why');
my $runs = 1;
for (; $runs < 30 && last_run() !~ /^complete/; $runs++)
{
	sync();
	cmp_ok(scalar(asked()), '<=', 15, "run $runs keeps to the budget");
}
is($node->value('SELECT count(*) FROM image_library.images'), '24', "after $runs runs everything is there");
is($node->value('SELECT count(*) FROM image_library.sync_problem'), '0', 'a budget is no problem of an image');

# Known tags: each is looked at once before any is again.
sync() for 1 .. 4;
my %looks;
$looks{ $_->{path} }++ for grep { $_->{method} eq 'HEAD' } asked();
cmp_ok(scalar(keys %looks), '>=', 24, 'every tag is looked at');
cmp_ok((sort { $b <=> $a } values %looks)[0] - (sort { $a <=> $b } values %looks)[0], '<=', 1, 'none twice more often than another');

# --- a limit of the registry's own, kept across a restart
$node->value(q{SELECT image_library.alter_registry('limited', requests_per_run => 0)});
sync() for 1 .. 2;
asked();
$repositories->{'team/b'}{'2.0'} = {};
with_faults({ method => 'GET', path => '/v2/team/b/manifests/2.0', status => 429, headers => { 'Retry-After' => '1800' }, times => 1 });
sync();
my @requests = asked();
is((grep { $_->{status} eq '429' } @requests), 1, 'the registry refused once');
ok($requests[-1]{time} >= (grep { $_->{status} eq '429' } @requests)[0]{time}, 'the journal tells');
is($node->value(q{SELECT not_before BETWEEN now() + interval '29 minutes' AND now() + interval '30 minutes' FROM image_library.sync_status}),
	't', 'sync_status tells until when it wants to be left alone');
is($node->value('SELECT next_sync_at >= not_before FROM image_library.sync_status'), 't', 'nothing is due before');
my $refusal = sync();
like($refusal, qr/^ERROR:  55000: registry "limited" asked not to be asked before .*DETAIL.*HINT.*force/s, 'CALL sync is refused, with what to do');
like($node->error(q{SELECT * FROM image_library.preview_rule('limited', 'team/b', refresh => true)}), qr/^ERROR:  55000/, 'so is a refreshed preview');
is($node->error('CALL image_library.sync()'), '', 'a sync of all registries leaves it out');
$node->value(q{CREATE ROLE carla LOGIN IN ROLE image_library_curator});
my ($out, $err);
$node->psql('postgres', q{CALL image_library.sync('limited', force => true)}, extra_params => [ '-U', 'carla' ], stderr => \$err);
like($err, qr/permission denied/, 'only admins force it');
is(scalar(asked()), 0, 'no request was sent');
$node->append_conf('postgresql.conf', 'image_library.enabled = on');
$node->restart;
$node->value(q{SELECT image_library.request_sync('limited')});
ok($node->poll_query_until('postgres', 'SELECT launcher_pid IS NOT NULL AND workers = 0 FROM image_library.agent_status()'), 'the agent is up');
is($node->value(q{SELECT count(*) FROM image_library_internal.due_registries() WHERE due_at <= now()}), '0', 'after a restart it is still not due');
like(sync(), qr/^ERROR:  55000/, 'and CALL sync still refused');
is(scalar(asked()), 0, 'still no request was sent');

# --- it is over: the run goes on, and gets what it had not
$node->value(q{UPDATE image_library_internal.registry_state SET not_before = now(); SELECT image_library.request_sync('limited')});
ok($node->poll_query_until('postgres', q{SELECT state = 'complete' FROM image_library.sync_status}), 'the agent goes on by itself');
is($node->value(q{SELECT count(*) FROM image_library.images WHERE tag = '2.0'}), '1', 'and reads what was refused');
is($node->value('SELECT not_before IS NULL FROM image_library.sync_status'), 't', 'the registry wants no rest any more');

# --- what is left of Docker Hub's allowance is for those who pull
$node->append_conf('postgresql.conf', 'image_library.enabled = off');
$node->reload;
$registry->profile({ repositories => { %$repositories, 'team/d' => { map { ("1.$_" => {}) } 0 .. 7 } },
	limits => { rate => { limit => 20, window => 21600 } } });
asked();
sync();
my $gets = grep { $_->{method} eq 'GET' && $_->{path} =~ m{/manifests/} } asked();
cmp_ok($gets, '>', 0, 'manifests were read');
cmp_ok($gets, '<=', 18, 'and a tenth of the allowance is left');

$node->stop;
$registry->stop;
done_testing();

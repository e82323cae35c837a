# What happens around the library: tags are pushed, moved and deleted, registries fail and die, servers and backends are
# killed. The model learns of every tag.
package Soak::World;

use strict;
use warnings;
use Time::HiRes qw(time usleep);
use DockerRegistry;
use FaultRegistry;

# Nobody decides on images of quiet/app, so they can be pruned.
my @repositories = qw(team1/app team2/app team3/deep/app auto/base quiet/app);

# node, model
sub new
{
	my ($class, %options) = @_;
	my $self = bless { %options, number => 0, count => {} }, $class;
	$self->{servers} = { real => DockerRegistry->new, other => DockerRegistry->new };
	for my $registry (sort keys %{ $self->{servers} })
	{
		$self->_push($registry, map { my $r = $_; map { [ $r, "1.$_", $self->_content ] } 0 .. 5 } @repositories);
	}
	my $samples = $self->{servers}{other}->push_samples;
	for (sort keys %$samples)
	{
		my ($repository, $tag) = /^(.*):([^:]+)$/;
		$self->{model}->set_tag('other', $repository, $tag, $samples->{$_});
		$self->{model}{kinds}{"other $repository"} = 'any';
	}
	# Of a kind each, in the fault-injecting registry.
	my @kinds = ('', qw(docker index docker_list attested nested inline no_type));
	$self->{faulty_tags} = { map { my $r = $_; ($r => { map { ("1.$_" => { manifest => $kinds[$_], referrers => $_ == 1 ? ['application/spdx+json'] : [] }) } 0 .. 7 }) } @repositories };
	$self->{servers}{faulty} = FaultRegistry->new({ repositories => $self->{faulty_tags} });
	$self->{model}->set_registry('faulty', $self->{servers}{faulty}->truth);
	return $self;
}

sub registries { return (qw(real other faulty)) }
sub url { return $_[0]{servers}{ $_[1] }->url }
sub host { return $_[0]{servers}{ $_[1] }->host }
sub count { return $_[0]{count} }

sub _content { my ($self) = @_; return 'c' . ++$self->{number} }

sub _push
{
	my ($self, $registry, @images) = @_;
	my @digests = $self->{servers}{$registry}->push_plain(@images);
	for (0 .. $#images)
	{
		my ($repository, $tag, $content) = @{ $images[$_] };
		if (defined $content) { $self->{model}->set_tag($registry, $repository, $tag, $digests[$_]) }
		else { $self->{model}->delete_digest($registry, $repository, $digests[$_]) }
	}
	return;
}

# --- tags

my @most = (8, 22);

sub change_tags
{
	my ($self) = @_;
	my $registry = ($self->registries)[ rand 3 ];
	my $repository = $repositories[ rand @repositories ];
	return $self->_change_faulty($repository) if $registry eq 'faulty';
	my $tags = $self->{model}{tags}{$registry}{$repository};
	my @names = sort keys %$tags;
	my $some = $names[ rand @names ];
	my $dice = rand 100;
	if (@names > $most[1] || $dice < 25 && @names > $most[0])
	{
		++$self->{count}{'tags deleted'};
		$self->_push($registry, [ $repository, $some ]);
	}
	elsif ($dice < 55)
	{
		++$self->{count}{'tags moved'};
		$self->_push($registry, [ $repository, $some, $self->_content ]);
	}
	elsif ($dice < 65)
	{
		# To the image of another tag, or to one that was here before.
		++$self->{count}{'tags moved to known images'};
		my $content = 'c' . (1 + int rand $self->{number});
		$self->_push($registry, map { [ $repository, $_, $content ] } $some, $names[ rand @names ]);
	}
	else
	{
		++$self->{count}{'tags pushed'};
		$self->_push($registry, [ $repository, $self->_new_name, $self->_content ]);
	}
	return;
}

sub _new_name { my ($self) = @_; return (1 + int rand 3) . '.' . (10 + int rand 90) . (rand() < 0.2 ? '-rc1' : '') }

sub _change_faulty
{
	my ($self, $repository) = @_;
	my $tags = $self->{faulty_tags}{$repository};
	my @names = sort keys %$tags;
	my $dice = rand 100;
	if (@names > $most[1] || $dice < 25 && @names > $most[0])
	{
		++$self->{count}{'tags deleted'};
		delete $tags->{ $names[ rand @names ] };
	}
	elsif ($dice < 60)
	{
		++$self->{count}{'tags moved'};
		my $tag = $names[ rand @names ];
		$tags->{$tag} = { %{ $tags->{$tag} }, revision => ++$self->{number} };
	}
	else
	{
		++$self->{count}{'tags pushed'};
		$tags->{ $self->_new_name } = { revision => ++$self->{number}, manifest => (rand() < 0.3 ? 'index' : '') };
	}
	return $self->_serve;
}

sub _serve
{
	my ($self) = @_;
	$self->{servers}{faulty}->profile({ repositories => $self->{faulty_tags}, faults => $self->{faults} // [] });
	return $self->{model}->set_registry('faulty', $self->{servers}{faulty}->truth);
}

# --- faults of the registry

my @faults = (
	{ path => '.*', status => 500 }, { path => '.*', status => 503, headers => { 'Retry-After' => '1' } }, { path => '.*', status => 429, headers => { 'Retry-After' => '2' } },
	{ path => '.*', action => 'close' }, { path => '.*', action => 'reset' }, { path => '.*', action => 'hang' },
	(map { { path => '.*/manifests/.*', action => $_ } } qw(truncate longer gzip chunked slow)),
	{ path => '.*/manifests/.*', status => 404, headers => {} }, { path => '.*/blobs/.*', status => 404 }, { path => '.*/tags/list.*', status => 404 },
	{ path => '.*/_catalog.*', status => 500 }, { path => '.*/tags/list.*', action => 'truncate' }, { path => '.*/manifests/.*', status => 401 });

sub change_faults
{
	my ($self) = @_;
	++$self->{count}{'sets of faults'};
	$self->{faults} = [ map { { %{ $faults[ rand @faults ] }, after => int rand 30, times => 1 + int rand 5 } } 0 .. rand 3 ];
	return $self->_serve;
}

sub end_faults { my ($self) = @_; $self->{faults} = []; return $self->_serve }

sub kill_registry
{
	my ($self) = @_;
	my $registry = (qw(real other))[ rand 2 ];
	++$self->{count}{'registries killed'};
	$self->{servers}{$registry}->stop;
	usleep 1_000_000 * (0.5 + rand 4);
	$self->{servers}{$registry}->start;
	return;
}

# --- kills

sub _signal
{
	my ($self, $what, $signal, $condition) = @_;
	# The server may not be there at this moment.
	my ($status, $pids) = eval { $self->{node}->psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $condition ORDER BY pid") };
	my @pids = defined $status && $status == 0 ? split /\n/, $pids : ();
	return if !@pids;
	++$self->{count}{$what} if kill $signal, $pids[ rand @pids ];
	return;
}

my $is_worker = q{backend_type = 'image_library worker'};

sub terminate_worker { return $_[0]->_signal('workers terminated', 'TERM', $is_worker) }
# The server starts it again after 10 seconds.
sub terminate_launcher { return $_[0]->_signal('launchers terminated', 'TERM', q{backend_type = 'image_library launcher'}) }
sub terminate_person { return $_[0]->_signal('sessions terminated', 'TERM', q{application_name LIKE 'soak person%'}) }
# The server restarts after it.
sub crash { return $_[0]->_signal('workers or sessions killed, with a crash of the server', 'KILL', "$is_worker OR application_name LIKE 'soak person%'") }

sub restart
{
	my ($self) = @_;
	++$self->{count}{'immediate restarts'};
	$self->{node}->stop('immediate');
	$self->{node}->start;
	return;
}

sub stop { my ($self) = @_; $_->stop for values %{ $self->{servers} }; return }

1;

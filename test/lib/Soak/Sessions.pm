# The people of the soak: each has a login and a rule of its own, decides on images, changes its rule, and writes down what
# became of each of its actions.
package Soak::Sessions;

use strict;
use warnings;
use Time::HiRes qw(time usleep);
use Soak::Connection;
use Soak::Journal;

# Errors that are answers: another session or a sync was faster.
my %refusals = (
	'55000' => 'the state of the image does not allow it (any more), or it changed at this moment',
	'P0002' => 'the image, or its tag, is not in the library any more',
	'42704' => 'the same, as find_image says it',
	'25P02' => 'the statement before in the transaction was refused',
	'55P03' => 'a row was locked for longer than lock_timeout');

# Runs until time end in the calling process. node, number (from 1), registries (names), journal (file), seed, end.
sub run
{
	my (%options) = @_;
	my $name = "person$options{number}";
	my $self = bless {
		%options, name => $name,
		registry => $options{registries}[ $options{number} % @{ $options{registries} } ],
		journal => Soak::Journal->new($options{journal}),
		connection => Soak::Connection->new($options{node}, user => $name, name => "soak $name"),
		count => 0, rule => undef, doubt => 0
	}, __PACKAGE__;
	srand $options{seed} * 100 + $options{number};
	$self->{connection}->connect;
	while (time < $options{end})
	{
		my $dice = rand 100;
		if ($dice < 20) { $self->_change_rule }
		elsif ($dice < 45) { $self->_decide_in_bulk }
		elsif ($dice < 60) { $self->_decide_together }
		else { $self->_decide }
		usleep 1_000 * rand($options{pause} // 600);
	}
	$self->_settle_rule;
	$self->{connection}->disconnect;
	return;
}

sub _reason { my ($self) = @_; return sprintf '%s-%06d', $self->{name}, ++$self->{count} }

# The reference of an image that a decision may be made on, with its state.
sub _some_image
{
	my ($self) = @_;
	my $number = int rand 1_000_000;
	my $answer = $self->{connection}->ask(qq{
		SELECT pinned_reference, approval FROM image_library.images WHERE missing_since IS NULL AND repository <> 'quiet/app'
		ORDER BY reference OFFSET $number % greatest((SELECT count(*) FROM image_library.images WHERE missing_since IS NULL AND repository <> 'quiet/app'), 1) LIMIT 1});
	return $self->_recover($answer) ? () : split /\|/, $answer->{rows}[0] // '';
}

sub _verb_for
{
	my ($state) = @_;
	return $state eq 'pending' ? (rand() < 0.75 ? 'approve' : 'reject') : $state eq 'approved' && rand() < 0.5 ? 'revoke' : 'reset';
}

sub _decide
{
	my ($self) = @_;
	my ($reference, $state) = $self->_some_image or return;
	my ($verb, $reason) = (_verb_for($state), $self->_reason);
	$reference =~ s/\@.*// if rand() < 0.5;
	my $answer = $self->{connection}->ask("SELECT image_library.$verb('$reference', '$reason')");
	return $self->_tell($answer, 'committed', $reason, [ map { [ $verb, $_ ] } @{ $answer->{rows} } ]);
}

sub _decide_in_bulk
{
	my ($self) = @_;
	my ($verb, $reason, $most) = (rand() < 0.8 ? 'approve' : 'reject', $self->_reason, 1 + int rand 12);
	my $answer = $self->{connection}->ask(qq{
		SELECT image_library.$verb(reference, '$reason') FROM (
			SELECT reference FROM image_library.pending_images WHERE registry = '$self->{registry}' AND repository <> 'quiet/app' ORDER BY digest, reference OFFSET @{[ int rand 4 ]} LIMIT $most) p});
	return $self->_tell($answer, 'committed', $reason, [ map { [ $verb, $_ ] } @{ $answer->{rows} } ]);
}

# Two decisions in a transaction, which now and then is rolled back.
sub _decide_together
{
	my ($self) = @_;
	my $reason = $self->_reason;
	my @asked = sort { $a->[0] cmp $b->[0] } grep { @$_ == 2 } [ $self->_some_image ], [ $self->{connection}->is_open ? $self->_some_image : () ];
	return if !@asked || !$self->{connection}->is_open;
	my $end = rand() < 0.25 ? 'ROLLBACK' : 'COMMIT';
	my @verbs = map { _verb_for($_->[1]) } @asked;
	my $answer = $self->{connection}->ask(join ";\n", 'BEGIN',
		(map { "SELECT image_library.$verbs[$_]('$asked[$_][0]', '$reason')" } 0 .. $#asked), $end);
	# After an error COMMIT rolls back.
	my $became = $end eq 'COMMIT' ? 'committed' : 'rolled back';
	my $row = 0;
	return $self->_tell($answer, $became, $reason, [ map { [ $verbs[ $row++ ], $_ ] } @{ $answer->{rows} } ]);
}

sub _tell
{
	my ($self, $answer, $became, $reason, $decisions) = @_;
	$became = 'refused' if $answer->{state} eq 'error';
	$became = 'in doubt' if $answer->{state} eq 'lost';
	$self->{journal}->write({ what => 'decision', person => $self->{name}, reason => $reason, became => $became, from => $answer->{from}, to => $answer->{to},
		decisions => $became eq 'committed' ? $decisions : [] });
	return $self->_recover($answer);
}

# After an answer: true when the session was lost, which is connected again then. Errors that are no answers are told.
sub _recover
{
	my ($self, $answer) = @_;
	if ($answer->{state} eq 'lost')
	{
		$self->{connection}->connect;
		return 1;
	}
	for (grep { !$refusals{ $_->{state} } } @{ $answer->{errors} })
	{
		$self->{journal}->write({ what => 'unexpected', person => $self->{name}, text => "$_->{state} $_->{text}" });
	}
	$self->{journal}->write({ what => 'refusal', person => $self->{name}, text => "$_->{state} $_->{text}" }) for @{ $answer->{errors} };
	return $answer->{state} ne 'ok';
}

# --- the rule of this person: what it is, or may be after an answer was lost

my @repositories = ('team*/app', 'team1/*', 'team2/app', '**', 'team3/**', '*/app', 'regex:^team[12]/');
my @tags = ([ '*' ], [ '1.*' ], [ '1.*', '2.*' ], ['*-rc*'], [ 'regex:[0-4]$' ]);

sub _wanted_rule
{
	my ($self) = @_;
	my $tags = $tags[ rand @tags ];
	return {
		registry => $self->{registry}, repositories => $repositories[ rand @repositories ], tags => $tags,
		exclude_tags => rand() < 0.3 && $tags->[0] ne '*-rc*' ? ['*-rc*'] : [], action => rand() < 0.8 ? 'include' : 'exclude',
		kind => (qw(auto postgres model))[ rand 3 ], priority => 10 + int(rand 100), enabled => 1 };
}

sub _array { return q{ARRAY[} . join(', ', map { "'$_'" } @{ $_[0] }) . ']::text[]' }
sub _options
{
	my ($rule) = @_;
	return sprintf q{repositories => '%s', tags => %s, exclude_tags => %s, action => '%s', kind => '%s', priority => %d},
	  $rule->{repositories}, _array($rule->{tags}), _array($rule->{exclude_tags}), @$rule{qw(action kind priority)};
}

sub _change_rule
{
	my ($self) = @_;
	my ($old, $dice, $new) = ($self->{rule}, rand 100, undef);
	my $id = $old && $old->{id};
	my $sql;
	if (!$old)
	{
		$new = $self->_wanted_rule;
		$sql = qq{SELECT image_library.add_rule('$self->{registry}', } . _options($new) . ')';
	}
	elsif ($dice < 15) { $sql = "SELECT image_library.drop_rule($id)" }
	elsif ($dice < 40)
	{
		$new = { %$old, enabled => $old->{enabled} ? 0 : 1 };
		$sql = 'SELECT image_library.' . ($old->{enabled} ? 'disable' : 'enable') . "_rule($id)";
	}
	else
	{
		$new = { %{ $self->_wanted_rule }, id => $id, enabled => $old->{enabled} };
		$sql = "SELECT image_library.alter_rule($id, " . _options($new) . ')';
	}
	my $answer = $self->{connection}->ask($sql);
	if ($answer->{state} eq 'ok')
	{
		$new->{id} = $answer->{rows}[0] if !$old;
		$self->_rule_is($new);
	}
	elsif ($answer->{state} eq 'lost') { $self->{maybe} = [ $old, $new ] }
	$self->_recover($answer);
	$self->_settle_rule;
	return;
}

sub _rule_is
{
	my ($self, $rule) = @_;
	$self->{rule} = $rule;
	return $self->{journal}->write({ what => 'rule', person => $self->{name}, rule => $rule, at => time });
}

# An answer was lost: the rule is what it was, or what it was to be, and nothing else.
sub _settle_rule
{
	my ($self) = @_;
	while ($self->{maybe})
	{
		my $answer = $self->{connection}->ask(qq{SELECT to_json(r) FROM image_library.rules r WHERE created_by = session_user});
		next if $self->_recover($answer);
		my ($old, $new) = @{ delete $self->{maybe} };
		my @found = map { Soak::Model::rule_of($_) } @{ $answer->{rows} };
		$new->{id} = $found[0]{id} if $new && !$new->{id} && @found;
		my ($is) = grep { Soak::Model::same_rules(\@found, [ $_ ? $_ : () ]) } $old, $new;
		$self->{journal}->write({ what => 'unexpected', person => $self->{name}, text => 'a rule is neither what it was nor what it was to be: ' . join(' ', @{ $answer->{rows} }) })
		  if !defined $is && @found;
		$self->_rule_is(@found ? $found[0] : undef);
	}
	return;
}

1;

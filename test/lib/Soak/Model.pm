# What the library must be: computed from the tags of the registries, the rules and the decisions that the test knows of, with
# nothing that the library says.
package Soak::Model;

use strict;
use warnings;
use JSON::PP;

# tags: { registry => { repository => { tag => digest } } }
sub new
{
	my ($class) = @_;
	return bless { tags => {}, ever => {}, tags_of => {}, rules => [], kinds => {}, decisions => [] }, $class;
}

# --- tags

sub set_tag
{
	my ($self, $registry, $repository, $tag, $digest) = @_;
	$self->{tags}{$registry}{$repository}{$tag} = $digest;
	$self->{ever}{"$registry $repository $tag"}{$digest} = 1;
	$self->{tags_of}{"$registry $repository $digest"}{$tag} = 1;
	return;
}

# A registry deletes a manifest, with all tags of the repository that point at it.
sub delete_digest
{
	my ($self, $registry, $repository, $digest) = @_;
	my $tags = $self->{tags}{$registry}{$repository};
	delete @$tags{ grep { $tags->{$_} eq $digest } keys %$tags };
	return;
}

# All tags of a registry, as it tells them.
sub set_registry
{
	my ($self, $registry, $repositories) = @_;
	$self->{tags}{$registry} = {};
	for my $repository (keys %$repositories)
	{
		$self->set_tag($registry, $repository, $_, $repositories->{$repository}{$_}) for keys %{ $repositories->{$repository} };
	}
	return;
}

# --- rules

# A row of image_library.rules in JSON as a rule of the model.
sub rule_of
{
	my ($text) = @_;
	my $row = decode_json($text);
	return { id => $row->{rule_id}, enabled => $row->{enabled} ? 1 : 0, map { $_ => $row->{$_} } qw(registry repositories tags exclude_tags action kind priority) };
}

sub shown
{
	my ($rule) = @_;
	return join ' ', map { my $value = $rule->{$_}; "$_=" . (ref $value ? join(',', @$value) : $value) } sort keys %$rule;
}

sub same_rules
{
	my ($one, $other) = @_;
	return join("\n", sort map { shown($_) } @$one) eq join("\n", sort map { shown($_) } @$other);
}

sub _pattern
{
	my ($pattern, $is_path) = @_;
	return qr/$1/ if $pattern =~ /^regex:(.*)/;
	my $expression = join '', map { $_ eq '**' ? '.*' : $_ eq '*' ? ($is_path ? '[^/]*' : '.*') : quotemeta } split /(\*+)/, $pattern;
	return qr/\A$expression\z/;
}

sub _takes
{
	my ($rule, $repository, $tag) = @_;
	return $repository =~ _pattern($rule->{repositories}, 1)
	  && (grep { $tag =~ _pattern($_) } @{ $rule->{tags} })
	  && !(grep { $tag =~ _pattern($_) } @{ $rule->{exclude_tags} });
}

# The rule that decides on a tag; undef: the tag is not in the library.
sub deciding_rule
{
	my ($self, $registry, $repository, $tag) = @_;
	my @taking = grep { $_->{enabled} && $_->{registry} eq $registry && _takes($_, $repository, $tag) } @{ $self->{rules} };
	return undef if grep { $_->{action} eq 'exclude' } @taking;
	return (sort { $a->{priority} <=> $b->{priority} || $a->{id} <=> $b->{id} } @taking)[0];
}

# Whether every rule that takes a tag approves by itself, and the image never had another tag.
sub _approves
{
	my ($self, $registry, $repository, $tag, $digest) = @_;
	my @taking = grep { $_->{enabled} && $_->{action} eq 'include' && $_->{registry} eq $registry && _takes($_, $repository, $tag) } @{ $self->{rules} };
	return !(grep { ($_->{approval} // '') ne 'auto' } @taking) && keys %{ $self->{tags_of}{"$registry $repository $digest"} } == 1;
}

# The tags that the library must have: { "registry repository tag" => { digest, kind (any: the model does not know), approves } }
sub admitted
{
	my ($self) = @_;
	my %admitted;
	for my $registry (sort keys %{ $self->{tags} })
	{
		for my $repository (sort keys %{ $self->{tags}{$registry} })
		{
			my $tags = $self->{tags}{$registry}{$repository};
			for my $tag (grep { !/^sha256-/ } sort keys %$tags)
			{
				my $rule = $self->deciding_rule($registry, $repository, $tag) or next;
				$admitted{"$registry $repository $tag"} = {
					digest => $tags->{$tag},
					# A Helm chart stays what it is, whatever a rule says.
					kind => $rule->{kind} ne 'auto' && $repository !~ m{^charts/} ? $rule->{kind} : $self->{kinds}{"$registry $repository"} // 'other',
					approves => $self->_approves($registry, $repository, $tag, $tags->{$tag}) };
			}
		}
	}
	return \%admitted;
}

# --- decisions: [{ reason, became, from, to, decisions => [[verb, pinned reference]] }]

my %state_after = (approve => 'approved', reject => 'rejected', revoke => 'revoked', reset => 'pending');

sub state_after { return $state_after{ $_[0] } }

# "repository digest" => [{ verb, from, to, reason }] of the decisions that were acknowledged; hosts: { host => registry }.
sub decided
{
	my ($self, $hosts) = @_;
	my %decided;
	for my $action (grep { $_->{became} eq 'committed' } @{ $self->{decisions} })
	{
		for (@{ $action->{decisions} })
		{
			my ($verb, $pinned) = @$_;
			my ($host, $repository, $digest) = $pinned =~ m{^([^/]+)/(.+?)(?::[^:@/]+)?@(sha256:[0-9a-f]+)$} or die "no pinned reference: $pinned";
			my $image = "$hosts->{$host} $repository $digest";
			# A statement decides once on an image of several tags.
			next if grep { $_->{reason} eq $action->{reason} && $_->{verb} eq $verb } @{ $decided{$image} };
			push @{ $decided{$image} }, { verb => $verb, reason => $action->{reason}, from => $action->{from}, to => $action->{to} };
		}
	}
	return \%decided;
}

# The states that an image may have after these decisions: of each that no other one began after.
sub possible_states
{
	my (@decisions) = @_;
	my %states;
	for my $last (@decisions)
	{
		next if grep { $_->{from} > $last->{to} } @decisions;
		$states{ $state_after{ $last->{verb} } } = 1;
	}
	return \%states;
}

1;

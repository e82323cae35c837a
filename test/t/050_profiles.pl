# A sync from each registry that test/registry/profiles imitates: what the library holds, and which
# requests that took.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FaultRegistry;
use ImageLibrary;

# What is special about a registry, beyond its profile:
#   by_tag        HEAD gives no digest or does not work: every sync reads the manifest by tag
#   never_404     a removed tag answers something else, so that it is never known to be gone
#   prefix        of its URL
#   identity      the credential is an identity token
my %special = (
	acr => { identity => 'acr-refresh-token' },
	artifactory => { never_404 => 1, prefix => '/docker-local' },
	ecr => { by_tag => 1 },
	nexus => { by_tag => 1 },
	redhat => { by_tag => 1 });

my @names = map { m{([^/]+)\.json$} } sort glob "$FindBin::Bin/../registry/profiles/*.json";
cmp_ok(scalar @names, '>=', 16, 'profiles are there');
for my $name (@names)
{
	my $profile = decode_json(slurp_file("$FindBin::Bin/../registry/profiles/$name.json"));
	my @bare;
	for my $section (grep { $_ !~ /^(registry|repositories)$/ } sort keys %$profile)
	{
		my $switches = $profile->{$section};
		push @bare, map { "$section.$_" } grep {
			ref $switches->{$_} ne 'HASH' || !$switches->{$_}{source}
			  || ($switches->{$_}{checked_live} // '') !~ /^(no|yes, \d{4}-\d\d-\d\d)$/
		} sort keys %$switches;
	}
	is("@bare", '', "$name: every value has its source, and says whether it was checked live");
}

my $registry = FaultRegistry->new({});
my $node = ImageLibrary::node('main', 'image_library.enabled = off');

# Whose credential a test sets: [user, password, repositories it is for].
sub credentials
{
	my ($auth, $special) = @_;
	return () if ($auth->{scheme} // 'none') eq 'none' || $auth->{anonymous};
	return ([ '<token>', $special->{identity}, '' ]) if $special->{identity};
	my $users = $auth->{users} // { robot => 's3cret' };
	return map {
		my $user = $_;
		my ($pattern) = grep { $auth->{owners}{$_} eq $user } keys %{ $auth->{owners} // {} };
		[ $user, $users->{$user}, defined $pattern ? $pattern =~ s{/\*$}{}r : '' ]
	} sort keys %$users;
}

sub quoted { return "'" . $_[0] =~ s/'/''/gr . "'" }

# `repository:tag digest` of what the registry has, without the tags of signatures and referrers.
sub truth
{
	my ($prefix) = @_;
	my $truth = $registry->truth;
	my @lines;
	for my $repository (keys %$truth)
	{
		my $name = $repository =~ s{^\Q$prefix\E/}{}r;
		push @lines, map { "$name:$_ $truth->{$repository}{$_}" }
		  grep { !/^sha256-/ } keys %{ $truth->{$repository} };
	}
	return join "\n", sort @lines;
}

sub library
{
	my ($name) = @_;
	return $node->value(qq{SELECT string_agg(line, E'\\n' ORDER BY line COLLATE "C")
		FROM (SELECT repository || ':' || tag || ' ' || digest AS line FROM image_library.images
		      WHERE registry = '$name' AND missing_since IS NULL) lines});
}

# Requests but those of the token server, as `METHOD path` without query.
sub asked
{
	my ($requests, $condition) = @_;
	return [ sort map { "$_->{method} $_->{path}" =~ s/\?.*//r }
		  grep { $_->{path} !~ m{^/token} && $condition->($_) } @$requests ];
}

sub scopes_of
{
	my ($requests) = @_;
	my %times;
	for (grep { $_->{path} =~ m{^/token} && $_->{status} eq '200' } @$requests)
	{
		++$times{ join ' ', ("$_->{path}&" . ($_->{body} // '')) =~ /[?&](scope=[^&]*)/g };
	}
	return \%times;
}

for my $name (@names)
{
	my $profile = FaultRegistry::recorded($name);
	my $special = $special{$name} // {};
	my $prefix = ($special->{prefix} // '') =~ s{^/}{}r;
	$registry->profile($profile);
	my @credentials = credentials($profile->{auth} // {}, $special);
	$node->value(sprintf q{SELECT image_library.add_registry('%s', '%s', allow_private => true)},
		$name, $registry->url . ($special->{prefix} // ''));
	$node->value(sprintf q{SELECT image_library.set_credential('%s', %s, %s, %s)}, $name, map { quoted($_) } @$_)
	  for @credentials;
	$node->value("SELECT image_library.add_rule('$name', '$_')")
	  for map { s{^\Q$prefix\E/}{}r } sort keys %{ $profile->{repositories} };
	$registry->take;

	# --- the first sync
	is($node->error("CALL image_library.sync('$name')"), '', "$name: it syncs");
	my $requests = $registry->take;
	is(library($name), truth($prefix), "$name: the library holds what the registry has");
	is( $node->value("SELECT string_agg(repository || ':' || tag || ' ' || problem, ', ') FROM image_library.sync_problem WHERE registry = '$name'"),
		'', "$name: without a problem");
	my $scopes = scopes_of($requests);
	is_deeply([ grep { $scopes->{$_} > 1 } sort keys %$scopes ], [], "$name: one token a scope");
	is_deeply([ grep { / |%20|repository.*repository/ } keys %$scopes ], [],
		"$name: one scope a token");
	is_deeply(asked($requests, sub { $_[0]{listener} eq 'other' && defined $_[0]{headers}{authorization} }),
		[], "$name: no credential beside the token server leaves the registry");
	is_deeply(asked($requests, sub { $_[0]{path} =~ m{/blobs/} && $_[0]{listener} eq 'registry' && $_[0]{status} eq '200' && $profile->{redirects} }),
		[], "$name: blobs were elsewhere") if $profile->{redirects};
	is_deeply([ grep { $_->{path} =~ /_catalog/ } @$requests ], [], "$name: the catalogue is not needed");
	is_deeply([ grep { $_->{status} =~ /^(400|413)$/ && $_->{path} !~ m{/referrers/|^/token} } @$requests ],
		[], "$name: nothing was too much to ask");

	# --- referrers: read where a tag has them, and none where it turns out to be the image itself
	my $fallback = $profile->{referrers}{fallback} // 'none';
	if (($profile->{referrers}{api} // 404) ne '200' && $fallback =~ /^(subject|good)$/)
	{
		my $read = asked($requests, sub { $_[0]{path} =~ m{/manifests/sha256-[0-9a-f]{64}$} && $_[0]{status} eq '200' });
		cmp_ok(scalar @$read, '>', 0, "$name: fallback tags are read");
		my $found = $node->value("SELECT count(*) FROM image_library.image_referrers x JOIN image_library.images i USING (digest)
			WHERE i.registry = '$name' AND x.source = 'fallback tag'");
		cmp_ok($found, $fallback eq 'subject' ? '==' : '>', 0, "$name: fallback tags: $fallback");
	}

	# --- the second sync: lists, a HEAD or a conditional GET of each tag, and no body
	my $conditional = ($profile->{manifests}{etag} // '') eq 'digest' && $profile->{manifests}{not_modified};
	my $check = $special->{by_tag} || $conditional ? 'GET' : 'HEAD';
	my $written = q{SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_all_tables
		WHERE schemaname = 'image_library_internal' AND relname NOT IN ('run', 'registry', 'registry_state')};
	$node->value('SELECT pg_stat_force_next_flush()');
	my $rows = $node->value($written);
	is($node->error("CALL image_library.sync('$name')"), '', "$name: it syncs again");
	$requests = $registry->take;
	$node->value('SELECT pg_stat_force_next_flush()');
	is($node->value($written), $rows, "$name: the second sync writes nothing but its run");
	my $truth = $registry->truth;
	my @expected;
	for my $repository (keys %$truth)
	{
		my @tags = keys %{ $truth->{$repository} };
		my $size = $profile->{lists}{ignore_n} ? @tags || 1 : $profile->{lists}{page_size} // 100;
		$size = 100 if $size > 100 && !$profile->{lists}{ignore_n};
		my $pages = int((@tags + $size - 1) / $size) || 1;
		push @expected, ("GET /v2/$repository/tags/list") x $pages;
		push @expected, map { "$check /v2/$repository/manifests/$_" }
		  grep { !/^sha256-/ } @tags;
	}
	my $is_content = sub {
		my ($request) = @_;
		return 0 if $request->{status} eq '401' || $request->{path} eq '/v2/';
		# Where HEAD is of no use, it may be tried all the same.
		return !($special->{by_tag} && $request->{method} eq 'HEAD');
	};
	is_deeply(asked($requests, $is_content), [ sort @expected ], "$name: it takes these requests exactly");
	is_deeply(asked($requests, sub { $_[0]{path} =~ m{/manifests/} && $_[0]{status} eq '200' && $_[0]{method} eq 'GET' }),
		[], "$name: no manifest is sent again")
	  if $conditional;

	# --- a tag moves: HEAD, then the new manifest by its digest; or the conditional GET, which brings it
	my ($repository) = grep { %{ $truth->{$_} } } sort keys %$truth;
	my ($tag) = sort grep { !/^sha256-/ } keys %{ $truth->{$repository} };
	my ($relative) = $repository =~ s{^\Q$prefix\E/}{}r;
	my $moved = $profile->{repositories}{$repository}{$tag} //= {};
	# Unlike that of other registries: the library knows an image from wherever it had it first.
	local $moved->{revision} = "moved in $name";
	$registry->profile($profile);
	is($node->error("CALL image_library.sync('$name')"), '', "$name: it syncs when a tag has moved");
	$requests = $registry->take;
	is(library($name), truth($prefix), "$name: the tag has its new digest");
	unless ($special->{by_tag})
	{
		my $digest = $registry->truth->{$repository}{$tag};
		my @order = grep { $_->{path} =~ m{/manifests/(\Q$tag\E|\Q$digest\E)$} && $_->{status} eq '200' } @$requests;
		is_deeply([ map { "$_->{method} $_->{path}" } @order ],
			$conditional
			? ["GET /v2/$repository/manifests/$tag"]
			: [ "HEAD /v2/$repository/manifests/$tag", "GET /v2/$repository/manifests/$digest" ],
			$conditional ? "$name: by one request" : "$name: by a HEAD, then by digest");
	}

	# --- a tag goes, and comes back
	if ((grep { !/^sha256-/ } keys %{ $truth->{$repository} }) > 2)
	{
		$profile->{faults} = [ { path => "/v2/\Q$repository\E/manifests/\Q$tag\E", status => $profile->{manifests}{not_found}{status} // 404 } ];
		$profile->{lists}{hide} = quotemeta $tag;
		$registry->profile($profile);
		$node->error("CALL image_library.sync('$name')");
		is( $node->value("SELECT missing_since IS NOT NULL FROM image_library.images WHERE registry = '$name' AND repository = '$relative' AND tag = '$tag'"),
			$special->{never_404} ? 'f' : 't',
			$special->{never_404} ? "$name: what is not said to be gone is not missing" : "$name: a tag that is gone is missing");
		delete $profile->{faults};
		delete $profile->{lists}{hide};
		$registry->profile($profile);
		is($node->error("CALL image_library.sync('$name')"), '', "$name: and when it is back");
		is(library($name), truth($prefix), "$name: it is there again");
	}

	# --- the registry wants to be left alone: not a request more
	$profile->{limits} = { requests => [ 2, 429, '1800', undef ] };
	$registry->profile($profile);
	$node->value("SELECT image_library.alter_registry('$name', max_connections => 1)");
	$registry->take;
	$node->error("CALL image_library.sync('$name')");
	my @refused = grep { $_->{status} eq '429' } @{ $registry->take };
	is(scalar @refused, 1, "$name: the first 429 ends the run");
	cmp_ok(
		$node->value("SELECT extract(epoch FROM next_sync_at - now()) FROM image_library.sync_status WHERE registry = '$name'"),
		'>', 1000, "$name: until the time that it asks for");
	is(library($name), truth($prefix), "$name: and nothing is lost");
	like($node->error("CALL image_library.sync('$name')"), qr/^ERROR:  55000/, "$name: before it, no sync begins");
	$registry->asked_exactly([], "$name: nor is it asked anything");
	# The next profile is at the same address.
	$node->value("SELECT image_library.drop_registry('$name', cascade => true)");
}

$node->stop;
$registry->stop;
done_testing();

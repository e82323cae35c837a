# Comparisons of the library with the model of the test, and with itself. Each returns what is wrong, a line each; each has
# defects that it must find.
package Soak::Checks;

use strict;
use warnings;

# session: a Soak::Connection of a superuser; model: a Soak::Model; hosts: { host => registry }; automatic: rules that approve.
sub new { my ($class, %options) = @_; return bless {%options}, $class }

sub rows { my ($self, $sql) = @_; my @rows = $self->{session}->value($sql); return @rows }

our @names = qw(tags decisions approvals rules read_model counts orphans history audit runs);

sub findings { my ($self, $name) = @_; return $self->can($name)->($self) }

sub tags
{
	my ($self) = @_;
	my ($admitted, @wrong, %seen) = ($self->{model}->admitted);
	for ($self->rows(q{SELECT concat_ws(' ', registry, repository, tag), digest, kind, missing_since IS NOT NULL, unread FROM image_library.images}))
	{
		my ($tag, $digest, $kind, $missing, $unread) = split /\|/;
		my ($registry, $repository, $name) = split / /, $tag;
		my $wanted = $admitted->{$tag};
		if ($missing eq 't')
		{
			push @wrong, "$tag is missing, but the registry has it" if $self->{model}{tags}{$registry}{$repository}{$name};
			push @wrong, "$tag never pointed at $digest" if !$self->{model}{ever}{$tag}{$digest};
			next;
		}
		$seen{$tag} = 1;
		if (!$wanted) { push @wrong, "$tag should not be in the library" }
		elsif ($digest ne $wanted->{digest}) { push @wrong, "$tag points at $digest, not at $wanted->{digest}" }
		elsif ($wanted->{kind} ne 'any' && $kind ne $wanted->{kind}) { push @wrong, "$tag is a $kind, not a $wanted->{kind}" }
		push @wrong, "$tag is unread" if $unread;
	}
	return @wrong, map { "$_ is not in the library" } grep { !$seen{$_} } sort keys %$admitted;
}

# Decisions as the table has them, in their order: { image, verb, state, reason, person, rule (of the agent only) }.
sub _told
{
	my ($self) = @_;
	return map { my %row; @row{qw(image verb state reason person rule)} = split /\|/, $_, -1; \%row }
	  $self->rows(q{SELECT concat_ws(' ', registry, repository, digest), action, new_state, reason, actor,
		CASE WHEN reason = format('rule %s approves on arrival', rule_id) THEN rule_id END FROM image_library_internal.decision ORDER BY decision_id});
}

sub decisions
{
	my ($self) = @_;
	my (@wrong, %there);
	my %became = map { $_->{reason} => $_ } @{ $self->{model}{decisions} };
	my $decided = $self->{model}->decided($self->{hosts});
	my %acknowledged = map { my $image = $_; map { ("$_->{reason} $_->{verb} $image" => 1) } @{ $decided->{$image} } } keys %$decided;
	for ($self->_told)
	{
		if ($_->{rule} ne '')
		{
			push @wrong, "rule $_->{rule}, which approves nothing, approved $_->{image}" if !$self->{automatic}{ $_->{rule} };
			next;
		}
		my $action = $became{ $_->{reason} };
		if (!$action) { push @wrong, "nobody decided: $_->{person}, $_->{verb}, $_->{reason}, $_->{image}" }
		elsif ($action->{person} ne $_->{person}) { push @wrong, "$_->{reason} is a decision of $action->{person}, not of $_->{person}" }
		elsif ($action->{became} eq 'committed' ? !$acknowledged{"$_->{reason} $_->{verb} $_->{image}"} : $action->{became} ne 'in doubt')
		{
			push @wrong, "$_->{reason}, which was $action->{became}, is there: $_->{verb} $_->{image}";
		}
		push @wrong, "$_->{reason} is there twice: $_->{verb} $_->{image}" if $there{"$_->{reason} $_->{verb} $_->{image}"}++;
	}
	return @wrong, map { "lost: $_" } grep { !$there{$_} } sort keys %acknowledged;
}

sub approvals
{
	my ($self) = @_;
	my (@wrong, %last, %told_of);
	my $decided = $self->{model}->decided($self->{hosts});
	my %in_doubt = map { $_->{reason} => $_ } grep { $_->{became} eq 'in doubt' } @{ $self->{model}{decisions} };
	for ($self->_told)
	{
		$last{ $_->{image} } = $_->{state};
		$told_of{ $_->{image} }{rule} = 1 if $_->{rule} ne '';
		# What was in doubt, and is there, was committed before the next answer to anybody.
		push @{ $decided->{ $_->{image} } }, { verb => $_->{verb}, reason => $_->{reason}, from => $in_doubt{ $_->{reason} }{from}, to => 9e99 }
		  if $in_doubt{ $_->{reason} };
	}
	my %state = map { split /\|/ } $self->rows(q{
		SELECT concat_ws(' ', r.registry, r.repository, a.digest), a.state FROM image_library_internal.approval a JOIN image_library_internal.full_repository r USING (repository_id)});
	for (sort keys %{ { %last, %state, %$decided } })
	{
		my $is = $state{$_} // 'pending';
		push @wrong, "$_ is $is, its last decision in the table: " . ($last{$_} // 'none') if $is ne ($last{$_} // 'pending');
		my $possible = @{ $decided->{$_} // [] } ? Soak::Model::possible_states(@{ $decided->{$_} }) : { $told_of{$_}{rule} ? 'approved' : 'pending' => 1 };
		push @wrong, "$_ is $is, and can only be " . join(' or ', sort keys %$possible) if !$possible->{$is};
	}
	my $admitted = $self->{model}->admitted;
	for ($self->rows(q{SELECT concat_ws(' ', registry, repository, tag), concat_ws(' ', registry, repository, digest), approval FROM image_library.images}))
	{
		my ($tag, $image, $shown) = split /\|/;
		push @wrong, "$tag shows $shown" if $shown ne ($state{$image} // 'pending');
		push @wrong, "$tag is not approved by its rule" if $admitted->{$tag} && $admitted->{$tag}{approves} && !$decided->{$image} && $shown ne 'approved';
	}
	return @wrong;
}

sub rules
{
	my ($self) = @_;
	my @there = map { Soak::Model::rule_of($_) } $self->rows('SELECT to_json(r) FROM image_library.rules r');
	my %there = map { Soak::Model::shown($_) => 1 } @there;
	my %wanted = map { my %rule = %$_; delete $rule{approval}; (Soak::Model::shown(\%rule) => 1) } @{ $self->{model}{rules} };
	return (map { "not there: $_" } grep { !$there{$_} } sort keys %wanted), map { "nobody's: $_" } grep { !$wanted{$_} } sort keys %there;
}

# The read model, computed anew, is the same; the views show what the table of tags says.
sub read_model
{
	my ($self) = @_;
	my @tables = qw(entry image_extension model_profile other_conflict extension_image tag);
	my $before = join ";\n", map { "CREATE TEMP TABLE soak_$_ AS SELECT * FROM image_library_internal.$_" } @tables;
	my $compare = join ' UNION ALL ', map {
		my $table = $_;
		map { "SELECT '$table, $_->[0]: ' || left(to_jsonb(x)::text, 300) FROM ($_->[1] EXCEPT ALL $_->[2]) x" }
		  [ 'stored', "SELECT * FROM soak_$table", "SELECT * FROM image_library_internal.$table" ], [ 'computed', "SELECT * FROM image_library_internal.$table", "SELECT * FROM soak_$table" ]
	} @tables;
	$self->rows('SAVEPOINT before_read_model');
	$self->rows($before);
	$self->rows('SELECT 1 FROM (SELECT image_library_internal.refresh_entries(repository_id, NULL) FROM image_library_internal.repository) x');
	my @wrong = $self->rows($compare);
	$self->rows('ROLLBACK TO before_read_model');
	for ([ postgres_images => 'postgres' ], [ model_library => 'model' ])
	{
		my ($view, $kind) = @$_;
		my $of_view = "SELECT registry, repository, tag, digest, approval FROM image_library.$view";
		my $of_tags = qq{
			SELECT r.registry, r.repository, t.name, t.digest, a.state
			FROM image_library_internal.tag t JOIN image_library_internal.full_repository r USING (repository_id)
			JOIN image_library_internal.approval a ON a.repository_id = t.repository_id AND a.digest = t.digest AND a.state = 'approved'
			WHERE t.kind = '$kind' AND t.rule_id IS NOT NULL AND t.missing_since IS NULL};
		push @wrong, $self->rows("SELECT '$view has: ' || x::text FROM ($of_view EXCEPT ALL $of_tags) x UNION ALL SELECT '$view lacks: ' || x::text FROM ($of_tags EXCEPT ALL $of_view) x");
	}
	return @wrong;
}

sub counts
{
	my ($self) = @_;
	my $present = q{image_library_internal.tag t JOIN image_library_internal.registry g USING (registry_id) WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL};
	my @pairs = (
		[ 'library_stats', q{SELECT registry, repositories, tags, postgres_images, models, others, pending, approved, rejected, revoked, approved_postgres_images, approved_models
			FROM image_library.library_stats WHERE tags > 0},
			qq{SELECT g.name, count(DISTINCT t.repository_id), count(*), count(*) FILTER (WHERE kind = 'postgres'), count(*) FILTER (WHERE kind = 'model'), count(*) FILTER (WHERE kind = 'other'),
				count(*) FILTER (WHERE approval = 'pending'), count(*) FILTER (WHERE approval = 'approved'), count(*) FILTER (WHERE approval = 'rejected'),
				count(*) FILTER (WHERE approval = 'revoked'), count(*) FILTER (WHERE approval = 'approved' AND kind = 'postgres'), count(*) FILTER (WHERE approval = 'approved' AND kind = 'model')
			FROM $present GROUP BY GROUPING SETS ((g.name), ())} ],
		[ 'sync_status', 'SELECT registry, repositories, tags FROM image_library.sync_status WHERE tags > 0', "SELECT g.name, count(DISTINCT t.repository_id), count(*) FROM $present GROUP BY 1" ],
		[ 'repositories', 'SELECT registry, repository, tags FROM image_library.repositories WHERE tags > 0',
			q{SELECT registry, repository, count(*) FROM image_library.images WHERE missing_since IS NULL GROUP BY 1, 2} ]);
	return map { $self->rows("SELECT '$_->[0] says: ' || x::text FROM ($_->[1] EXCEPT ALL $_->[2]) x UNION ALL SELECT '$_->[0] should say: ' || x::text FROM ($_->[2] EXCEPT ALL $_->[1]) x") } @pairs;
}

# Rows whose other end is not there: by every foreign key, checked anew, and by what no foreign key says.
sub orphans
{
	my ($self) = @_;
	my @queries = $self->rows(q{
		SELECT format('SELECT %L || left(to_jsonb(x)::text, 200) FROM %s x LEFT JOIN %s y ON %s WHERE %s AND y IS NULL', c.conrelid::regclass || ' without ' || c.confrelid::regclass || ': ',
			c.conrelid::regclass, c.confrelid::regclass, string_agg(format('x.%I = y.%I', a.attname, b.attname), ' AND '), string_agg(format('x.%I IS NOT NULL', a.attname), ' AND '))
		FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS k (here, there)
		JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.here JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.there
		WHERE c.contype = 'f' AND c.connamespace = 'image_library_internal'::regnamespace GROUP BY c.oid, c.conrelid, c.confrelid});
	die 'there are no foreign keys' if !@queries;
	my $named = q{(SELECT repository_id, digest FROM image_library_internal.tag UNION SELECT repository_id, digest FROM image_library_internal.tag_period UNION SELECT repository_id, digest FROM image_library_internal.approval)};
	push @queries, map { qq{SELECT '$_ of an image that its repository does not name: ' || left(to_jsonb(x)::text, 200) FROM image_library_internal.$_ x
		WHERE (x.repository_id, x.digest) NOT IN (SELECT * FROM $named n)} } qw(referrer_check policy_verdict untagged_check);
	push @queries,
	  q{SELECT 'entry without a tag that is admitted: ' || concat_ws(' ', e.repository, e.tag) FROM image_library_internal.entry e
		WHERE NOT EXISTS (SELECT FROM image_library_internal.tag t WHERE t.repository_id = e.repository_id AND t.name = e.tag AND t.rule_id IS NOT NULL AND t.digest = e.digest)},
	  q{SELECT 'image_referrer of no image: ' || x.digest FROM image_library_internal.image_referrer x WHERE NOT EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = x.digest)},
	  q{SELECT 'tag_period of no image: ' || x.digest FROM image_library_internal.tag_period x WHERE NOT EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = x.digest)},
	  q{SELECT 'tag of the rule of nobody: ' || x.name FROM image_library_internal.tag x WHERE x.rule_id NOT IN (SELECT rule_id FROM image_library_internal.rule)},
	  q{SELECT 'decision on no image: ' || d.digest FROM image_library_internal.decision d WHERE NOT EXISTS (SELECT FROM image_library_internal.image i WHERE i.digest = d.digest)},
	  q{SELECT 'image without platforms: ' || i.digest FROM image_library_internal.image i WHERE i.platforms <> '{}' AND NOT EXISTS (SELECT FROM image_library_internal.image_platform p WHERE p.digest = i.digest)};
	return map { $self->rows($_) } @queries;
}

# A present tag has one open period with its digest, and periods do not overlap.
sub history
{
	my ($self) = @_;
	return $self->rows(q{
		SELECT 'open period and tag differ: ' || coalesce(t.name, p.tag) FROM (SELECT * FROM image_library_internal.tag WHERE missing_since IS NULL) t
		FULL JOIN (SELECT * FROM image_library_internal.tag_period WHERE until IS NULL) p ON p.repository_id = t.repository_id AND p.tag = t.name WHERE t.digest IS DISTINCT FROM p.digest
		UNION ALL
		SELECT 'periods overlap: ' || p.tag FROM image_library_internal.tag_period p JOIN image_library_internal.tag_period q USING (repository_id, tag)
		WHERE p.since < q.since AND coalesce(p.until, 'infinity') > q.since});
}

sub audit { my ($self) = @_; return $self->rows('SELECT x::text FROM image_library.verify_audit() x') }

sub runs
{
	my ($self) = @_;
	return $self->rows(q{
		SELECT 'run open: ' || run_id FROM image_library.sync_run WHERE outcome IS NULL
		UNION ALL SELECT 'problem: ' || concat_ws(' ', registry, repository, tag, problem, detail) FROM image_library.sync_problem
		UNION ALL SELECT 'removal refused: ' || r::text FROM image_library.refused_removals r});
}

# --- defects: what each check must find, in a transaction that is rolled back

# Of a repository whose kind the model knows.
my $a_tag = q{(SELECT t FROM image_library_internal.tag t JOIN image_library_internal.repository r USING (repository_id)
	WHERE t.rule_id IS NOT NULL AND t.missing_since IS NULL ORDER BY r.name !~ '^(team|quiet|auto)', t.repository_id, t.name LIMIT 1)};
my $an_entry = q{(SELECT repository_id, tag FROM image_library_internal.entry WHERE approval = 'approved' AND missing_since IS NULL ORDER BY repository_id, tag LIMIT 1)};
my $a_decision = q{(SELECT max(decision_id) FROM image_library_internal.decision WHERE rule_id IS NULL)};
our %defects = (
	tags => {
		'a tag is lost' => "DELETE FROM image_library_internal.tag t WHERE t = $a_tag",
		'a digest is changed' => "UPDATE image_library_internal.tag t SET digest = (SELECT digest FROM image_library_internal.image i WHERE i.digest <> t.digest LIMIT 1) WHERE t = $a_tag",
		'a kind is changed' => "UPDATE image_library_internal.tag t SET kind = CASE kind WHEN 'other' THEN 'model' ELSE 'other' END WHERE t = $a_tag",
		'a tag comes from nowhere' => "INSERT INTO image_library_internal.tag (repository_id, registry_id, name, digest, rule_id) SELECT repository_id, registry_id, 'nowhere', digest, rule_id FROM image_library_internal.tag t WHERE t = $a_tag",
		'a tag is marked missing' => "UPDATE image_library_internal.tag t SET missing_since = now() WHERE t = $a_tag" },
	decisions => {
		'a decision is lost' => "DELETE FROM image_library_internal.decision WHERE decision_id = $a_decision",
		'a decision is on another image' => "UPDATE image_library_internal.decision d SET digest = (SELECT digest FROM image_library_internal.image i WHERE i.digest <> d.digest LIMIT 1) WHERE decision_id = $a_decision",
		'a decision is invented' => "INSERT INTO image_library_internal.decision (registry_id, registry, repository, digest, old_state, new_state, action) SELECT registry_id, registry, repository, digest, 'pending', 'approved', 'approve' FROM image_library_internal.decision WHERE decision_id = $a_decision" },
	approvals => {
		'a state is not that of the last decision' => q{UPDATE image_library_internal.approval SET state = CASE state WHEN 'approved' THEN 'revoked' ELSE 'approved' END WHERE (repository_id, digest) = (SELECT repository_id, digest FROM image_library_internal.approval ORDER BY 1, 2 LIMIT 1)},
		'an approval is lost, with its decisions' => q{WITH gone AS (DELETE FROM image_library_internal.approval WHERE (repository_id, digest) = (SELECT repository_id, digest FROM image_library_internal.approval WHERE state = 'approved' AND approvals > 0 ORDER BY 1, 2 LIMIT 1) RETURNING digest)
			DELETE FROM image_library_internal.decision WHERE digest IN (SELECT digest FROM gone)},
		'a tag shows another state' => "UPDATE image_library_internal.tag t SET approval = CASE approval WHEN 'approved' THEN 'rejected' ELSE 'approved' END WHERE t = $a_tag" },
	rules => { 'a rule is changed' => q{UPDATE image_library_internal.rule SET priority = priority + 1 WHERE rule_id = (SELECT max(rule_id) FROM image_library_internal.rule)},
		'a rule is lost' => q{DELETE FROM image_library_internal.rule WHERE rule_id = (SELECT max(rule_id) FROM image_library_internal.rule)} },
	read_model => {
		'a row has another title' => "UPDATE image_library_internal.entry SET title = 'defect' WHERE (repository_id, tag) = $an_entry",
		'a row is lost' => "DELETE FROM image_library_internal.entry WHERE (repository_id, tag) = $an_entry",
		'a row is not approved' => "UPDATE image_library_internal.entry SET approval = 'pending' WHERE (repository_id, tag) = $an_entry" },
	counts => {
		'a count is off by one' => q{INSERT INTO image_library_internal.tag_count (registry_id, kind, approval, number) SELECT min(registry_id), 'other', 'pending', 1 FROM image_library_internal.registry},
		'a repository is not counted' => 'DELETE FROM image_library_internal.filled_repository WHERE repository_id = (SELECT min(repository_id) FROM image_library_internal.filled_repository)' },
	orphans => {
		'an image is gone' => "DELETE FROM image_library_internal.image WHERE digest = (SELECT t.digest FROM image_library_internal.tag t WHERE t = $a_tag)",
		'an entry has no tag' => "DELETE FROM image_library_internal.tag WHERE (repository_id, name) = $an_entry",
		'the platforms of an image are gone' => "DELETE FROM image_library_internal.image_platform WHERE digest = (SELECT t.digest FROM image_library_internal.tag t JOIN image_library_internal.image_platform p USING (digest) ORDER BY 1 LIMIT 1)" },
	history => { 'a period is ended' => 'UPDATE image_library_internal.tag_period SET until = clock_timestamp() WHERE (repository_id, tag) = (SELECT repository_id, tag FROM image_library_internal.tag_period WHERE until IS NULL ORDER BY 1, 2 LIMIT 1) AND until IS NULL' },
	audit => { 'a reason is changed' => "UPDATE image_library_internal.decision SET reason = 'defect' WHERE decision_id = $a_decision" },
	runs => { 'a run is open' => q{UPDATE image_library_internal.run SET outcome = NULL WHERE run_id = (SELECT max(run_id) FROM image_library_internal.run)} });

# The defects of a check that it does not find.
sub overlooked
{
	my ($self, $name) = @_;
	my @overlooked;
	for my $defect (sort keys %{ $defects{$name} })
	{
		$self->rows('BEGIN; SET LOCAL session_replication_role = replica');
		my $changed = $self->{session}->ask($defects{$name}{$defect} . ' RETURNING 1');
		die "$defect: " . join ' ', map { $_->{text} } @{ $changed->{errors} } if $changed->{state} ne 'ok';
		my @findings = $self->findings($name);
		push @overlooked, @{ $changed->{rows} } ? $defect : "$defect (there was nothing to change)" if !@{ $changed->{rows} } || !@findings;
		$self->rows('ROLLBACK');
	}
	return @overlooked;
}

1;

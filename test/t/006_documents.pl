# The documents name what there is: settings, functions, views, parameters, files, links.
use strict;
use warnings;
use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";

sub lines { return join("\n", @_) }

# Those of a list that a hash does not have.
sub lacking
{
	my ($has, @names) = @_;
	return lines(grep { !$has->{$_} } @names);
}

my $readme = slurp_file("$root/README.md");
my $reference = slurp_file("$root/doc/reference.md");

# --- settings
my @settings = slurp_file("$root/src/postgres/settings.cpp") =~ /DefineCustom\w+Variable\(\s*"(image_library\.\w+)"/g;
my @told = $readme =~ /^\| `(image_library\.\w+)` \|.*\|.*\|$/mg;
cmp_ok(scalar @settings, '>', 5, 'settings were found');
is(lines(sort @told), lines(sort @settings), 'README.md lists every setting, and no other');

# --- functions and views of the schema that people use
my %in_reference = map { $_ => 1 } $reference =~ /\b([a-z]\w+)\b/g;
my $script = join '', map { slurp_file("$root/src/sql/$_.sql") } split /\s+/, slurp_file("$root/src/sql/install_order");
my @names = $script =~ /^CREATE (?:FUNCTION|PROCEDURE|VIEW) image_library\.(\w+)/mg;
cmp_ok(scalar @names, '>', 100, 'functions and views were found');
is(lacking(\%in_reference, sort @names), '', 'doc/reference.md names every function and view that people use');

# --- options of a registry
my ($parameters) = slurp_file("$root/src/sql/registry/registries.sql") =~ /CREATE FUNCTION image_library\.add_registry\((.*?)\)\nRETURNS/s;
my @options = $parameters =~ /(?:^|,)\s*(\w+)\s/g;
cmp_ok(scalar @options, '>', 10, 'parameters of add_registry were found');
for (['README.md', $readme], ['doc/reference.md', $reference])
{
	my ($file, $text) = @$_;
	my ($list) = $text =~ /`add_registry\((name, url.*?)\)`/s;
	is(lines($list =~ /(?:^|,)\s*(\w+)/g), lines(@options), "$file lists the parameters of add_registry");
}

# --- links between the documents, and the files that CONTRIBUTING.md names
my @documents = map { s{^\Q$root/\E}{}r } glob("$root/*.md $root/doc/*.md $root/test/*.md");
my $links = 0;
for my $document (@documents)
{
	my $text = slurp_file("$root/$document") =~ s/^```.*?^```$//gmsr;
	my ($folder) = $document =~ m{^(.*/)?[^/]+$};
	my @broken;
	for my $link (grep { !/^\w+:/ } $text =~ /\]\(([^)\s]+)\)/g)
	{
		++$links;
		my ($file, $anchor) = split /#/, $link, 2;
		my $target = $file eq '' ? "$root/$document" : $root . '/' . ($folder // '') . $file;
		my $found = -e $target;
		if ($found && defined $anchor)
		{
			my %headings = map { my $h = lc; $h =~ s/[^\w\s-]//g; $h =~ s/\s/-/g; ($h => 1) } slurp_file($target) =~ /^#+ (.+)$/mg;
			$found = $headings{$anchor};
		}
		push @broken, $link unless $found;
	}
	is(lines(@broken), '', "$document: every link leads somewhere");
}
cmp_ok($links, '>', 30, 'links were found');
my @paths = slurp_file("$root/CONTRIBUTING.md") =~ m{`((?:src|test|sql|expected|doc|bench|demo|scripts)/[\w./-]*)`}g;
cmp_ok(scalar @paths, '>', 20, 'paths were found in CONTRIBUTING.md');
is(lines(grep { !-e "$root/$_" } @paths), '', 'CONTRIBUTING.md names files that exist');

done_testing();

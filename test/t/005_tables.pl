# The tables of test/registries.md name tests that exist.
use strict;
use warnings;
use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::Bin/../..";

# By file: the names of its test cases and suites.
my %unit;
for my $file (glob "$root/test/unit/*_test.cpp")
{
	my ($name) = $file =~ m{([^/]+)\.cpp$};
	$unit{$name} = [ slurp_file($file) =~ /\bTEST(?:_F)?\((\w+),\s*(\w+)\)/g ];
}

# What is wrong with a part of the test column: a file's name, and those of its tests.
sub missing
{
	my ($part) = @_;
	my ($file) = $part =~ /`([^`]+)`/;
	return "no file is named in \"$part\"" unless defined $file;
	my $rest = $part =~ s/`[^`]+`//r;
	if ($unit{$file})
	{
		$rest =~ s/\([^)]*\)//g;
		return map { "$file $_" } grep {
			my $test = $_;
			!grep { $test =~ /^Case\d+$/ ? /^${test}_/ : $_ eq $test } @{ $unit{$file} }
		} $rest =~ /\b([A-Z]\w+)/g;
	}
	return () if $file eq 'property_test';
	if ($file =~ /^\d{3}_/)
	{
		my @profiles = $file eq '050_profiles' ? map { split /,\s*/ } $rest =~ /\(([^)]*)\)/g : ();
		return grep { !-f "$root/$_" } "test/t/$file.pl", map { "test/registry/profiles/$_.json" } @profiles;
	}
	return -f "$root/$file.sql" ? () : $file;
}

my $rows = 0;
for my $line (split /\n/, slurp_file("$root/test/registries.md"))
{
	my ($row) = $line =~ /^\| ([ALMRCSE]?\d+) \|/ or next;
	++$rows;
	my $tests = (split /\s*\|\s*/, $line)[-1];
	my @parts = $tests =~ /^Case\d+$/ ? "`peer_faults_test` $tests" : split /;\s*/, $tests;
	is(join(', ', map { missing($_) } @parts), '', "row $row");
}
cmp_ok($rows, '>', 100, 'all rows were looked at');

done_testing();

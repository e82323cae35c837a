# A bundle that is changed in one place, with hashes that fit, is taken or refused with a clear error: every value of every
# kind of line is replaced by values that do not belong there, removed, and every line is left out and doubled.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ImageLibrary;

my $node = ImageLibrary::node('main', 'image_library.enabled = off');
my $folder = "$FindBin::RealBin/..";
my $script = join "\n", (map { slurp_file("$folder/lib/$_.sql") } qw(library signed_images bundles bundle_mutations)),
	slurp_file("$folder/lib/bundle_fuzz.sql");
my ($status, $out, $err) = $node->psql('postgres', $script, on_error_stop => 1);
is($status, 0, 'the bundle is made and changed') or diag($err);
like($out, qr/^bundle: taken$/m, 'the bundle itself is taken');
my ($changed) = $out =~ /^changed: (\d+)$/m;
cmp_ok($changed, '>', 1000, 'it is changed in many places');
note($out =~ /^((?:refused|taken)\|\d+)$/mg);
my @raw = $out =~ /^raw: (.+)$/mg;
is(scalar(@raw), 0, 'each changed bundle is taken or refused');
diag($_) for @raw;
$node->stop;
done_testing();

# What `make installcheck` lacks is said before it runs, in one message.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ImageLibrary;

my $script = "$FindBin::Bin/../../scripts/check_installcheck";
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
my $version = $node->value(q{SELECT default_version FROM pg_available_extensions WHERE name = 'image_library'});
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
$node->value('CREATE ROLE nobody_special LOGIN');

# Exit status and message.
sub check
{
	my ($settings, @arguments) = @_;
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, %$settings);
	IPC::Run::run([ $script, $pg_config, @arguments ], '>', \my $out, '2>', \my $err);
	return ($? >> 8, $out . $err);
}

my ($status, $said) = check({}, $version, 'sql');
is($status, 0, 'a running server with the extension, and a superuser') or diag $said;
is($said, '', 'then nothing is said');

($status, $said) = check({ PGHOST => '/nowhere' }, $version, 'sql');
is($status, 1, 'no server: it fails');
like($said, qr/\Amake installcheck needs:\n  - a running PostgreSQL, named by PGHOST, PGPORT and PGUSER: .*\/nowhere.*\nThen run: /, 'and says that it needs one');

($status, $said) = check({ PGUSER => 'nobody_special' }, $version, 'sql');
like($said, qr/- a superuser of the running PostgreSQL/, 'another role: it says so');

($status, $said) = check({}, '9.9', 'sql');
is($status, 1, 'another version of the extension is installed: it fails');
like($said, qr/- image_library 9\.9 installed in the running PostgreSQL: make install/, 'and says what to do');

# As root, here by an `id` that says so.
my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/id", "#!/bin/sh\necho 0\n");
chmod 0755, "$folder/id";
($status, $said) = check({ PATH => "$folder:$ENV{PATH}" }, $version, 'sql', 'tap');
is($status, 1, 'as root it fails, whatever is there');
like($said, qr/- a user other than root.*\n.*- a running PostgreSQL.*\nThen run: scripts\/unprivileged make installcheck/s,
	'and says who may run it and what else it needs');

done_testing();

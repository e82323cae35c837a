# A PostgreSQL node with the library in it.
package ImageLibrary;

use strict;
use warnings;
use PostgreSQL::Test::Cluster;

# A started node with the extension in database postgres, after which it is an ImageLibrary::Node.
# conf: lines for postgresql.conf.
sub node
{
	my ($name, $conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = 'image_library'\nrestart_after_crash = on\n");
	$node->append_conf('postgresql.conf', "$conf\n") if defined $conf;
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION image_library');
	return bless $node, 'ImageLibrary::Node';
}

# A PostgreSQL::Test::Cluster with short methods for statements in database postgres.
package ImageLibrary::Node;

our @ISA = ('PostgreSQL::Test::Cluster');

# The result of a statement as unaligned text; dies when the statement fails.
sub value
{
	my ($self, $sql) = @_;
	return $self->safe_psql('postgres', $sql);
}

# The error of a statement, `ERROR:  42501: ...` with what follows it (detail, hint, context); ''
# when it succeeds, even with notices. Dies when the server crashes.
sub error
{
	my ($self, $sql) = @_;
	my ($stdout, $stderr) = ('', '');
	my $status = $self->psql('postgres', "\\set VERBOSITY verbose\n$sql",
		stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
	die "the connection was lost: $stderr" if $status == 2;
	my @lines = map { s/^psql:[^:]*:\d+: //r } grep { !/^LOCATION:/ } split /\n/, $stderr;
	shift @lines while @lines && $lines[0] !~ /^ERROR:/;
	return join "\n", @lines;
}

1;

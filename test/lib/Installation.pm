# A copy of the PostgreSQL installation, mostly links, whose extension scripts and modules a test may change.
package Installation;

use strict;
use warnings;
use File::Basename qw(dirname basename);
use File::Copy qw(copy);
use File::Path qw(make_path);
use PostgreSQL::Test::Utils;

# Programs find their files by their place relative to their own. So the folders have the paths of the original below a
# temporary one; only the programs, and what a test may change, are copies.
sub new
{
	my ($class) = @_;
	my $root = PostgreSQL::Test::Utils::tempdir();
	my %original = map { $_ => config($_) } qw(bindir sharedir pkglibdir libdir);
	my $self = bless { map { $_ => "$root$original{$_}" } keys %original }, $class;
	link_all($original{bindir}, $self->{bindir});
	for my $program (glob "$original{bindir}/*")
	{
		my $copied = "$self->{bindir}/" . basename($program);
		unlink $copied;
		copy($program, $copied) or die "could not copy $program: $!";
		chmod 0755, $copied;
	}
	link_all("$original{sharedir}/extension", "$self->{sharedir}/extension");
	link_all($original{pkglibdir}, $self->{pkglibdir});
	link_all($original{$_}, $self->{$_}) for qw(sharedir libdir);
	return $self;
}

sub config
{
	my ($what) = @_;
	my $path = `pg_config --$what`;
	chomp $path;
	return $path;
}

# Links in a folder to all that is in another one, except what is there already.
sub link_all
{
	my ($from, $to) = @_;
	make_path($to);
	for my $file (glob "$from/*")
	{
		my $link = "$to/" . basename($file);
		-e $link or symlink $file, $link or die "could not link $link: $!";
	}
}

# For PostgreSQL::Test::Cluster->new(name, install_path => ...): the folder that has bin.
sub path { return dirname($_[0]->{bindir}) }

# A file of the copy, which replaces a link.
sub write_script
{
	my ($self, $name, $text) = @_;
	my $file = "$self->{sharedir}/extension/$name";
	unlink $file;
	append_to_file($file, $text);
}

sub read_script { return slurp_file("$_[0]->{sharedir}/extension/$_[1]") }

# Another module in the place of the extension's.
sub replace_module
{
	my ($self, $by) = @_;
	my $file = "$self->{pkglibdir}/image_library.so";
	unlink $file;
	copy($by, $file) or die "could not copy $by: $!";
}

1;

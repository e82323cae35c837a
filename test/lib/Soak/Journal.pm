# What one process of the soak tells the others: a file of JSON values, one a line.
package Soak::Journal;

use strict;
use warnings;
use JSON::PP;

my $json = JSON::PP->new->canonical;

sub new
{
	my ($class, $file) = @_;
	open my $out, '>>', $file or die "could not write $file: $!";
	$out->autoflush(1);
	return bless { file => $file, out => $out }, $class;
}

sub write { my ($self, $value) = @_; print { $self->{out} } $json->encode($value), "\n"; return }

sub read
{
	my ($self) = @_;
	open my $in, '<', $self->{file} or die "could not read $self->{file}: $!";
	return map { $json->decode($_) } <$in>;
}

1;

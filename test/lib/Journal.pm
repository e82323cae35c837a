# The journal of a server in the tests: a request in JSON a line.
package Journal;
use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Utils;

# The requests from an offset on (default 0). In list context also the offset after them. A line
# that the server is still writing does not count.
sub requests
{
	my ($file, $offset) = @_;
	$offset //= 0;
	my ($whole) = slurp_file($file, $offset) =~ /\A(.*\n)?/s;
	$whole //= '';
	my $requests = [ map { decode_json($_) } split /\n/, $whole ];
	return wantarray ? ($requests, $offset + length $whole) : $requests;
}

1;

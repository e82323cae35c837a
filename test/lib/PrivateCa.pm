# A certificate authority of the test's own, by the openssl command.
package PrivateCa;

use strict;
use warnings;
use PostgreSQL::Test::Utils;

my @key = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);

# folder: an existing folder for keys and certificates.
sub new
{
	my ($class, $folder) = @_;
	my $self = bless { folder => $folder }, $class;
	# Without keyUsage, Python 3.13 and later refuse the CA.
	_openssl('req', '-x509', @key, '-days', 7, '-subj', '/CN=image_library test CA',
		'-addext', 'keyUsage = critical, keyCertSign, cRLSign', '-keyout', "$folder/ca.key", '-out', $self->file);
	return $self;
}

# The CA's certificate as a PEM file and as text.
sub file { return "$_[0]{folder}/ca.crt" }
sub certificate { return slurp_file($_[0]->file) }

# Issues NAME.key and NAME.crt. usage: serverAuth (for 127.0.0.1, ::1 and localhost) or clientAuth.
# days may be negative: a certificate that has expired. Returns both files.
sub issue
{
	my ($self, $name, $usage, $days) = @_;
	my $base = "$self->{folder}/$name";
	append_to_file("$base.extensions",
		"basicConstraints = critical, CA:FALSE\nextendedKeyUsage = $usage\n"
		  . "authorityKeyIdentifier = keyid\n"
		  . "subjectAltName = IP:127.0.0.1, IP:::1, DNS:localhost\n");
	_openssl('req', '-new', @key, '-subj', "/CN=$name", '-keyout', "$base.key", '-out', "$base.csr");
	_openssl('x509', '-req', '-in', "$base.csr", '-CA', $self->file,
		'-CAkey', "$self->{folder}/ca.key", '-CAcreateserial', '-days', $days // 7,
		'-extfile', "$base.extensions", '-out', "$base.crt");
	return ("$base.key", "$base.crt");
}

# A self-signed RSA key for tokens (RS256) in the folder; a function, for it needs no CA.
sub token_signer
{
	my ($folder, $name) = @_;
	my $base = "$folder/$name";
	_openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 7, '-subj', "/CN=$name",
		'-keyout', "$base.key", '-out', "$base.crt");
	return ("$base.key", "$base.crt");
}

sub _openssl
{
	my ($out, $err) = run_command([ 'openssl', @_ ]);
	die "openssl @_: $err" if $? != 0;
}

1;

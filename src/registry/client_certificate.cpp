#include "registry/client_certificate.h"

#include <memory>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "core/error.h"

namespace image_library::registry {

namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

// Reads, without a copy that would have to be wiped.
Bio Open(const std::string& text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!bio) throw std::bad_alloc();
  return bio;
}

// Without it OpenSSL asks for a passphrase on the terminal.
int NoPassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

[[noreturn]] void Refuse(const char* message, const char* hint) {
  ERR_clear_error();
  throw Error(ErrorKind::kInvalidArgument, message, {}, hint);
}

}  // namespace

void CheckClientCertificate(const std::string& certificate, const std::string& key) {
  const Bio certificate_text = Open(certificate);
  bool asked = false;
  const Certificate parsed(
      PEM_read_bio_X509(certificate_text.get(), nullptr, &NoPassphrase, &asked));
  if (!parsed)
    Refuse("client certificate is not a certificate in PEM form",
           "It begins with -----BEGIN CERTIFICATE-----; intermediate certificates may follow it.");
  const Bio key_text = Open(key);
  const Key secret(PEM_read_bio_PrivateKey(key_text.get(), nullptr, &NoPassphrase, &asked));
  if (!secret && asked)
    Refuse("key of the client certificate is encrypted",
           "Write it without its passphrase: openssl pkey -in FILE.");
  if (!secret)
    Refuse("key of the client certificate is not a private key in PEM form",
           "It begins with -----BEGIN PRIVATE KEY-----.");
  if (X509_check_private_key(parsed.get(), secret.get()) != 1)
    Refuse("client certificate and key do not belong together",
           "The key must be the one that the first certificate was issued for.");
}

}  // namespace image_library::registry

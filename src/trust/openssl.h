// Owners of OpenSSL's objects, and its bytes as text.
#ifndef IMAGE_LIBRARY_TRUST_OPENSSL_H_
#define IMAGE_LIBRARY_TRUST_OPENSSL_H_

#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

namespace image_library::trust {

template <auto kFree>
struct OpensslFree {
  template <typename T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};
template <typename T, auto kFree>
using Owned = std::unique_ptr<T, OpensslFree<kFree>>;

using Bio = Owned<BIO, BIO_free_all>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using X509Owner = Owned<X509, X509_free>;

/// OpenSSL's failures of a scope are forgotten at its end: its queue of errors belongs to the
/// thread, and whoever asks next (TLS of the server or of libcurl) must not find ours.
class ErrorScope {
 public:
  ErrorScope() { ERR_set_mark(); }
  ~ErrorScope() { ERR_pop_to_mark(); }
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
};

inline const unsigned char* Bytes(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

inline std::string_view Text(const unsigned char* bytes, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// Reads the text, which must outlive it.
inline Bio Reader(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!bio) throw std::bad_alloc();
  return bio;
}

/// For PEM readers: without it OpenSSL asks for a passphrase on the terminal.
inline int NoPassphrase(char*, int, int, void*) noexcept { return -1; }

/// What the i2d function writes of an object; empty where it fails.
template <typename T>
std::string Der(int (*write)(const T*, unsigned char**), const T* object) {
  const int size = write(object, nullptr);
  if (size <= 0) return {};
  std::string der(static_cast<std::size_t>(size), '\0');
  unsigned char* end = reinterpret_cast<unsigned char*>(der.data());
  write(object, &end);
  return der;
}

}  // namespace image_library::trust

#endif

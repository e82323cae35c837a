// Public keys, and signatures that they verify.
#ifndef IMAGE_LIBRARY_TRUST_KEY_H_
#define IMAGE_LIBRARY_TRUST_KEY_H_

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "trust/openssl.h"

namespace image_library::trust {

enum class HashAlgorithm { kSha256, kSha384, kSha512 };

/// OpenSSL's algorithm; lives as long as the process.
const EVP_MD* Algorithm(HashAlgorithm hash) noexcept;

/// The hash of bytes, as bytes.
std::string HashOf(HashAlgorithm hash, std::string_view bytes);

/// A message that signatures are over. Each hash of it is computed once, however many signatures
/// and keys are tried.
class Message {
 public:
  explicit Message(std::string bytes) : bytes_(std::move(bytes)) {}

  const std::string& bytes() const noexcept { return bytes_; }
  const std::string& Hashed(HashAlgorithm hash) const;
  /// How many hashes have been computed.
  int hash_count() const noexcept { return hash_count_; }

 private:
  std::string bytes_;
  mutable std::array<std::string, 3> hashes_;  // by HashAlgorithm; empty: not computed
  mutable int hash_count_ = 0;
};

/// A public key: ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2,048 to 16,384 bits.
class PublicKey {
 public:
  enum class Kind { kP256, kP384, kP521, kEd25519, kRsa, kRsaPss };
  enum class Padding { kPkcs1, kPss };

  /// Of a SubjectPublicKeyInfo in PEM form. Throws Refusal.
  static PublicKey FromPem(std::string_view pem);
  /// Of the DER of a SubjectPublicKeyInfo, or of a PKCS #1 key (roots of Sigstore). Throws Refusal.
  static PublicKey FromDer(std::string_view der);
  /// Of a certificate. Throws Refusal.
  static PublicKey Of(const X509* certificate);

  /// By the algorithms of cosign: ECDSA over SHA-256 (P-384 also SHA-384, P-521 SHA-512), Ed25519,
  /// RSA PKCS #1 v1.5 (PSS for keys of that kind) over SHA-256.
  bool Verifies(const Message& message, std::string_view signature) const;

  /// The same for a message of which only the hash is known. Always false for Ed25519, which signs
  /// the message itself.
  bool VerifiesHash(HashAlgorithm hash, std::string_view hashed, std::string_view signature) const;

  /// With the hash and the padding that a format names. The padding counts for RSA only, and a PSS
  /// salt has the length of the hash.
  bool VerifiesWith(HashAlgorithm hash, Padding padding, std::string_view message,
                    std::string_view signature) const;

  /// False when a signature cannot be one of this key, by its length alone.
  bool MayHaveMade(std::string_view signature) const noexcept;

  Kind kind() const noexcept { return kind_; }
  EVP_PKEY* get() const noexcept { return key_.get(); }
  /// The DER of its SubjectPublicKeyInfo.
  const std::string& der() const noexcept { return der_; }

 private:
  PublicKey(Key key, std::string der);
  bool VerifiesItself(std::string_view message, std::string_view signature) const;
  bool VerifiesHashWith(HashAlgorithm hash, Padding padding, std::string_view hashed,
                        std::string_view signature) const;

  Key key_;
  Kind kind_;
  std::string der_;
};

}  // namespace image_library::trust

#endif

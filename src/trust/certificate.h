// X.509 certificates: reading them, and chains to authorities.
#ifndef IMAGE_LIBRARY_TRUST_CERTIFICATE_H_
#define IMAGE_LIBRARY_TRUST_CERTIFICATE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/x509_vfy.h>

#include "trust/instant.h"
#include "trust/openssl.h"

namespace image_library::trust {

struct FreeStack {
  /// Without the certificates.
  void operator()(STACK_OF(X509) * stack) const noexcept { sk_X509_free(stack); }
};
using Stack = std::unique_ptr<STACK_OF(X509), FreeStack>;
using StoreOwner = Owned<X509_STORE, X509_STORE_free>;

/// Throws Refusal.
X509Owner ReadCertificate(std::string_view der);

/// The first certificate of a text in PEM form. Throws Refusal.
X509Owner ReadFirstCertificate(std::string_view pem);

/// The certificates of a text in PEM form, at least one and at most kMostListed. Throws Refusal.
std::vector<X509Owner> ReadCertificates(std::string_view pem);

/// Throws Refusal for a certificate without a valid period.
Period PeriodOf(const X509* certificate);

std::string DerOf(const X509* certificate);

/// A distinguished name in text form (RFC 4514), at most kMostTextBytes. Separators within a value
/// are
/// `\2C` and `\2B`, so that a pattern takes no value for several. Throws Refusal for a longer one.
std::string NameText(const X509_NAME* name);

/// True when its subject is its issuer.
bool IsSelfIssued(const X509* certificate) noexcept;

/// Throws Refusal unless it is an end entity's, for digital signatures, with the extended key usage
/// code signing (or, where that is not required, without any).
void CheckCodeSigning(X509* certificate, bool required);

/// Throws Refusal unless it may sign for Notation (signature-specification.md, "Leaf
/// Certificates"): an end entity's, whose key usage is critical and for digital signatures alone;
/// an extended key usage, if there is one, has code signing and none of those that the
/// specification excludes.
void CheckNotationSigner(X509* certificate);

/// Whom Fulcio certified (fulcio/docs/oid-info.md).
struct FulcioIdentity {
  std::string issuer;                 ///< 1.3.6.1.4.1.57264.1.8, or 1.1 of older certificates
  std::vector<std::string> subjects;  ///< URIs, email addresses and names 1.7 of the SAN
};

/// Throws Refusal for a certificate without an issuer or subject, or with one of more than
/// kMostTextBytes.
FulcioIdentity FulcioIdentityOf(const X509* certificate);

/// A chain that is trusted: its issuing certificate is first, its root last. The chain itself is
/// checked once, which saves a signature on P-384 (0.4 ms) each time that it is used.
class CertificateChain {
 public:
  /// The usage (XKU_CODE_SIGN or XKU_TIMESTAMP) is what it is for. Throws Refusal for an empty
  /// chain, one of more than kMostChain certificates, one whose certificates do not sign each
  /// other, or one that is for something else.
  CertificateChain(std::vector<X509Owner> certificates, std::uint32_t usage);

  X509* first() const noexcept { return certificates_.front().get(); }
  X509* last() const noexcept { return certificates_.back().get(); }

  /// Throws Refusal unless its first certificate issued the other, and all were valid then.
  void CheckIssued(X509* certificate, std::int64_t instant) const;

  /// True when each of its certificates was valid then.
  bool IsValid(std::int64_t instant) const;

  /// Trusts the first certificate alone: for chains whose other certificates ask nothing of what
  /// is issued below them.
  X509_STORE* first_store() const noexcept { return first_store_.get(); }
  /// Trusts the last certificate; all() of them are needed to get there.
  X509_STORE* root_store() const noexcept { return root_store_.get(); }
  STACK_OF(X509) * all() const noexcept { return all_.get(); }

 private:
  std::vector<X509Owner> certificates_;
  Period period_;  ///< in which all of them are valid
  Stack all_;
  StoreOwner root_store_;
  StoreOwner first_store_;
  bool constrained_ = false;  ///< a certificate above the first limits what is below
};

/// A list that does not own its certificates.
Stack StackOf(const std::vector<X509Owner>& certificates);

/// Trusts each of the certificates by itself, whoever issued it. Signatures with SHA-1 and short
/// keys do not count below them.
StoreOwner StoreOf(const std::vector<X509Owner>& certificates);

/// Throws Refusal unless the store, with the help of others (may be null), leads to the certificate
/// at that time, by certificates that are for this usage. Returns when all of the chain are valid.
Period CheckChain(X509_STORE* store, X509* certificate, STACK_OF(X509) * others,
                  std::int64_t instant, std::uint32_t usage);

}  // namespace image_library::trust

#endif

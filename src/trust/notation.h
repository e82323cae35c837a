// Signatures of Notation in JWS form (notaryproject/specifications, signature-envelope-jws.md and
// trust-store-trust-policy.md).
#ifndef IMAGE_LIBRARY_TRUST_NOTATION_H_
#define IMAGE_LIBRARY_TRUST_NOTATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/pattern.h"
#include "trust/certificate.h"
#include "trust/trusted_root.h"

namespace image_library::trust {

/// An authority of Notation, parsed.
struct NotationAuthority {
  std::string name;
  Pattern subject;
  bool signing_authority = false;
  std::vector<X509Owner> certificates;
  StoreOwner store;
};

struct NotationSigner {
  std::string authority;  ///< the name of whom it is trusted by
  std::string issuer;     ///< distinguished names of the signer's certificate
  std::string subject;
  std::optional<std::int64_t> signed_at;    ///< by a timestamp or a signing authority
  std::optional<std::int64_t> valid_until;  ///< from when on the same check fails; nothing: never
};

/// Checks the signature, its chain and its expiry. The chain must be valid now, or at the time of a
/// timestamp by an authority of the root (may be null), or at the time that a signing authority
/// states; it has expired at its expiry (trust-store-trust-policy.md, "Expiry"). Throws Refusal.
NotationSigner CheckNotation(std::string_view document, std::string_view subject,
                             const std::vector<NotationAuthority>& authorities,
                             const TrustedRoot* root, std::int64_t now);

}  // namespace image_library::trust

#endif

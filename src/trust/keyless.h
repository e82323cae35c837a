// Signatures with a short-lived certificate of Fulcio ("keyless").
#ifndef IMAGE_LIBRARY_TRUST_KEYLESS_H_
#define IMAGE_LIBRARY_TRUST_KEYLESS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "trust/certificate.h"
#include "trust/material.h"
#include "trust/trusted_root.h"

namespace image_library::trust {

/// What logs and timestamps prove.
struct ProvenTimes {
  std::vector<std::int64_t> instants;     ///< at which the signature was there
  std::optional<std::int64_t> log_index;  ///< of the first entry of which it is proven
};

/// Checks all log entries against the content and its signer (DER of certificate or key). Of the
/// timestamps, those that do not verify are ignored as long as something else proves a time. Throws
/// Refusal.
ProvenTimes CheckTimes(const SignedMaterial& material, const Content& content,
                       std::string_view verifier, const TrustedRoot& root);

/// Checks the certificate as sigstore's client specification says: the signature, the times, the
/// authority at each of the times, the certificate's purpose and its log. Who it is for is not
/// compared. Throws Refusal.
ProvenTimes CheckKeyless(const SignedMaterial& material, const TrustedRoot& root);

}  // namespace image_library::trust

#endif

// Sigstore bundles 0.1 to 0.3 (protobuf-specs, sigstore_bundle.proto).
#ifndef IMAGE_LIBRARY_TRUST_BUNDLE_H_
#define IMAGE_LIBRARY_TRUST_BUNDLE_H_

#include <string_view>

#include "trust/material.h"

namespace image_library::trust {

/// Reads a bundle whose message, if it signs one, is that with the digest (`sha256:...`). Throws
/// Refusal for a bundle that is malformed, misses what its version requires, or is for another
/// message.
SignedMaterial ReadBundle(std::string_view document, std::string_view digest);

}  // namespace image_library::trust

#endif

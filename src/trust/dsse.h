// Dead Simple Signing Envelopes (secure-systems-lab/dsse, envelope.md and protocol.md).
#ifndef IMAGE_LIBRARY_TRUST_DSSE_H_
#define IMAGE_LIBRARY_TRUST_DSSE_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace image_library::trust {

struct Envelope {
  std::string payload;
  std::string payload_type;
  std::vector<std::string> signatures;  ///< bytes, at least one
};

/// Throws Refusal.
Envelope ReadEnvelope(const Json& envelope);

/// DSSE's pre-authentication encoding, which the signatures are over.
std::string PreAuthenticationEncoding(std::string_view type, std::string_view payload);

}  // namespace image_library::trust

#endif

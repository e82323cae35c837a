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
  std::string signed_bytes;  ///< what the signatures are over: the PAE of type and payload
};

/// Throws Refusal.
Envelope ReadEnvelope(const Json& envelope);

/// DSSE's pre-authentication encoding.
std::string PreAuthenticationEncoding(std::string_view type, std::string_view payload);

}  // namespace image_library::trust

#endif

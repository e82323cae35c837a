// Timestamps of RFC 3161.
#ifndef IMAGE_LIBRARY_TRUST_TIMESTAMP_H_
#define IMAGE_LIBRARY_TRUST_TIMESTAMP_H_

#include <cstdint>
#include <string_view>

#include "trust/trusted_root.h"

namespace image_library::trust {

/// When the message was there: the time in the token, in seconds. Takes the DER of a TimeStampResp
/// or of a TimeStampToken. Throws Refusal unless an authority of the root signed the token, the
/// token is for the message, and the authority and its certificates were valid at that time.
std::int64_t CheckTimestamp(std::string_view der, std::string_view message,
                            const TrustedRoot& root);

}  // namespace image_library::trust

#endif

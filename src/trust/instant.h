// Instants and periods, in whole seconds of Unix time.
#ifndef IMAGE_LIBRARY_TRUST_INSTANT_H_
#define IMAGE_LIBRARY_TRUST_INSTANT_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include <openssl/asn1.h>

namespace image_library::trust {

/// Both ends belong to it (sigstore_common.proto, TimeRange).
struct Period {
  std::int64_t start = std::numeric_limits<std::int64_t>::min();
  std::int64_t end = std::numeric_limits<std::int64_t>::max();

  bool Contains(std::int64_t instant) const noexcept { return start <= instant && instant <= end; }
};

/// What belongs to both; may be empty.
inline Period Both(const Period& a, const Period& b) noexcept {
  return {std::max(a.start, b.start), std::min(a.end, b.end)};
}

/// Nothing for a time that is not valid.
std::optional<std::int64_t> InstantOf(const ASN1_TIME* time);

/// `YYYY-MM-DD HH:MM:SS UTC`, to show.
std::string ShownInstant(std::int64_t instant);

}  // namespace image_library::trust

#endif

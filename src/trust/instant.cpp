#include "trust/instant.h"

#include <ctime>

#include "core/timestamp.h"

namespace image_library::trust {

std::optional<std::int64_t> InstantOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return UnixTime(parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                  parts.tm_min, parts.tm_sec);
}

std::string ShownInstant(std::int64_t instant) {
  // Beyond them a year has more than four digits.
  constexpr std::int64_t kYear = 365LL * 24 * 60 * 60;
  if (instant < -1000 * kYear || instant > 8000 * kYear) return std::to_string(instant);
  return FormatUnixTime(instant) + " UTC";
}

}  // namespace image_library::trust

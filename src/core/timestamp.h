// Times as RFC 3339 and PostgreSQL write them.
#ifndef IMAGE_LIBRARY_CORE_TIMESTAMP_H_
#define IMAGE_LIBRARY_CORE_TIMESTAMP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace image_library {

struct Timestamp {
  std::int64_t seconds = 0;  ///< Unix time
  std::string_view
      fraction;  ///< of a second, `.5` for a half, a part of what was parsed; may be empty
};

/// Nothing for a text of another form, and for a day that no calendar has.
std::optional<Timestamp> ParseTimestamp(std::string_view rfc3339);

/// Unix time of a date and time in UTC, month and day from 1; a leap second is the first second of
/// the next minute. Nothing when one of them is out of range.
std::optional<std::int64_t> UnixTime(int year, int month, int day, int hour, int minute,
                                     int second);

/// `YYYY-MM-DD hh:mm:ss` in UTC. Precondition: the year has four digits at most.
std::string FormatUnixTime(std::int64_t seconds);

/// `YYYY-MM-DD hh:mm:ss[.ffffff]+00` for a valid RFC 3339 time after 1971 that PostgreSQL's
/// timestamptz takes, else empty: `0001-01-01...`, 1970 (reproducible builds) and 2024-02-30 are
/// no times.
std::string NormalizeTimestamp(std::string_view rfc3339);

}  // namespace image_library

#endif

// Parsers of HTTP header fields.
#ifndef IMAGE_LIBRARY_CORE_HTTP_HEADER_H_
#define IMAGE_LIBRARY_CORE_HTTP_HEADER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace image_library {

/// One challenge of WWW-Authenticate (RFC 7235, section 4.1).
struct Challenge {
  std::string scheme;                         ///< lower case
  std::map<std::string, std::string> params;  ///< names in lower case
};

/// Every challenge of one header value; invalid ones are left out.
std::vector<Challenge> ParseChallenges(std::string_view value);

/// Target of the first link with rel=next (RFC 8288, section 3), as written.
std::optional<std::string> NextLink(std::string_view value);

/// Unix seconds of an HTTP-date in its three forms (RFC 7231, section 7.1.1.1).
std::optional<std::int64_t> ParseHttpDate(std::string_view value);

/// Seconds to wait, from delta seconds or an HTTP-date relative to now (unix seconds), clamped to
/// [1, 3600]; nothing when the value is neither.
std::optional<std::int64_t> ParseRetryAfter(std::string_view value, std::int64_t now);

/// The number of requests that a server allows, or has left: Docker Hub's `ratelimit-limit` and
/// `ratelimit-remaining`, `100;w=21600` (docs.docker.com, "Pull usage and limits").
struct RateLimitValue {
  std::int64_t requests = 0;
  std::int64_t window = 0;  ///< seconds; 0 when the server does not say
};

/// The first element of the header; nothing when it is invalid, negative or above 10^12.
std::optional<RateLimitValue> ParseRateLimit(std::string_view value);

/// The text of `299 - "text"`, the one warning that the distribution-spec knows ("Warnings"); at
/// most 4096 bytes, scrubbed.
std::optional<std::string> ParseWarning(std::string_view value);

/// `type/subtype` of a Content-Type, lower case, without parameters.
std::string MediaType(std::string_view content_type);

}  // namespace image_library

#endif

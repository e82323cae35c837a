// Base64 (RFC 4648), by OpenSSL.
#ifndef IMAGE_LIBRARY_CORE_BASE64_H_
#define IMAGE_LIBRARY_CORE_BASE64_H_

#include <string>
#include <string_view>

namespace image_library {

/// With padding and without line breaks.
std::string EncodeBase64(std::string_view bytes);

/// Line breaks are skipped and padding may be missing. False, and nothing in out, for anything else
/// that is no base64.
bool DecodeBase64(std::string_view text, std::string* out);

/// The same with the alphabet of URLs.
bool DecodeBase64Url(std::string_view text, std::string* out);

}  // namespace image_library

#endif

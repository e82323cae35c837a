// Base64 (RFC 4648), by OpenSSL.
#ifndef IMAGE_LIBRARY_CORE_BASE64_H_
#define IMAGE_LIBRARY_CORE_BASE64_H_

#include <string>
#include <string_view>

namespace image_library {

/// Encodes with padding and without line breaks.
std::string EncodeBase64(std::string_view bytes);

/// Decodes; line breaks are skipped and padding may be missing. Returns false, with nothing in out,
/// for text that is not base64.
bool DecodeBase64(std::string_view text, std::string* out);

/// The same for base64url.
bool DecodeBase64Url(std::string_view text, std::string* out);

}  // namespace image_library

#endif

// Bytes as hexadecimal digits.
#ifndef IMAGE_LIBRARY_CORE_HEX_H_
#define IMAGE_LIBRARY_CORE_HEX_H_

#include <string>
#include <string_view>

namespace image_library {

/// Adds bytes to a text as lower-case hexadecimal digits, two for each.
void AppendHex(std::string_view bytes, std::string* text);

/// Bytes as lower-case hexadecimal digits.
std::string Hex(std::string_view bytes);

}  // namespace image_library

#endif

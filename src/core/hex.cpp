#include "core/hex.h"

namespace image_library {

void AppendHex(std::string_view bytes, std::string* text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  text->reserve(text->size() + 2 * bytes.size());
  for (const char c : bytes) {
    *text += kDigits[static_cast<unsigned char>(c) >> 4];
    *text += kDigits[static_cast<unsigned char>(c) & 15];
  }
}

std::string Hex(std::string_view bytes) {
  std::string text;
  AppendHex(bytes, &text);
  return text;
}

}  // namespace image_library

#include "core/base64.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

namespace image_library {

std::string EncodeBase64(std::string_view bytes) {
  std::string encoded((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  encoded.resize(static_cast<std::size_t>(size));
  return encoded;
}

bool DecodeBase64(std::string_view text, std::string* out) {
  std::string symbols;
  symbols.reserve(text.size() + 3);
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;  // MIME breaks lines
    if (c == '=') {
      ++padding;
      continue;
    }
    if (padding > 0) return false;
    symbols += c;
  }
  const std::size_t count = symbols.size();
  if (count % 4 == 1 || padding > 2 || (padding > 0 && (count + padding) % 4 != 0)) return false;
  symbols.append((4 - count % 4) % 4, '=');
  std::string bytes(symbols.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(symbols.data()),
                                   static_cast<int>(symbols.size()));
  // EVP_DecodeBlock skips blanks at both ends, and counts the bytes of the padding.
  if (size < 0 || static_cast<std::size_t>(size) != bytes.size()) return false;
  bytes.resize(count * 3 / 4);
  *out = std::move(bytes);
  return true;
}

bool DecodeBase64Url(std::string_view text, std::string* out) {
  std::string standard(text);
  std::replace(standard.begin(), standard.end(), '-', '+');
  std::replace(standard.begin(), standard.end(), '_', '/');
  return DecodeBase64(standard, out);
}

}  // namespace image_library

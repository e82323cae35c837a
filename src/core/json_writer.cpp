#include "core/json_writer.h"

namespace image_library {

std::string ToJsonString(std::string_view text) {
  std::string json = "\"";
  json.reserve(text.size() + 2);
  for (const char c : text) {
    switch (c) {
      case '"':
        json += "\\\"";
        break;
      case '\\':
        json += "\\\\";
        break;
      case '\n':
        json += "\\n";
        break;
      case '\t':
        json += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) {
          json += c;
        } else {
          constexpr char kHex[] = "0123456789abcdef";
          json += "\\u00";
          json += kHex[c >> 4];
          json += kHex[c & 15];
        }
    }
  }
  return json + '"';
}

std::string ToJson(const StringMap& map) {
  std::string json = "{";
  for (const auto& [key, value] : map) {
    if (json.size() > 1) json += ',';
    json += ToJsonString(key) + ':' + ToJsonString(value);
  }
  return json + '}';
}

}  // namespace image_library

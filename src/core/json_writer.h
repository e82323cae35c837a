// JSON writing: objects and arrays as text, in the order in which they are written. Written by
// hand, because simdjson 3.0 writes only documents that it has parsed.
#ifndef IMAGE_LIBRARY_CORE_JSON_WRITER_H_
#define IMAGE_LIBRARY_CORE_JSON_WRITER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace image_library {

/// One JSON string literal. The text is valid UTF-8.
std::string ToJsonString(std::string_view text);

/// One JSON object, compact, with the keys in order, as input of `jsonb`.
std::string ToJson(const StringMap& map);

/// One JSON object. Keys are string literals of the caller and are not escaped; texts are.
class JsonObject {
 public:
  void Text(const char* key, std::string_view text) { Raw(key, ToJsonString(text)); }
  void Integer(const char* key, std::int64_t value) { Raw(key, std::to_string(value)); }
  void Boolean(const char* key, bool value) { Raw(key, value ? "true" : "false"); }
  /// A value that is JSON text already.
  void Raw(const char* key, std::string_view json) {
    if (json_.size() > 1) json_ += ',';
    json_ += '"';
    json_ += key;
    json_ += "\":";
    json_ += json;
  }
  std::string Finish() const { return json_ + "}"; }

 private:
  std::string json_ = "{";
};

/// One JSON array; convert gives each item as JSON.
template <typename Item, typename Convert>
std::string ToJsonArray(const std::vector<Item>& items, Convert convert) {
  std::string json = "[";
  for (const Item& item : items) {
    if (json.size() > 1) json += ',';
    json += convert(item);
  }
  return json + "]";
}

/// One JSON array of texts.
inline std::string ToJsonArray(const std::vector<std::string>& texts) {
  return ToJsonArray(texts, [](const std::string& text) { return ToJsonString(text); });
}

}  // namespace image_library

#endif

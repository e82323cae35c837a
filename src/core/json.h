// JSON reading over jansson, behind this header alone so that the parser can be replaced.
#ifndef IMAGE_LIBRARY_CORE_JSON_H_
#define IMAGE_LIBRARY_CORE_JSON_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct json_t;

namespace image_library {

/// Annotations and labels: keys and values are valid UTF-8 without NUL.
using StringMap = std::map<std::string, std::string>;

/// A parsed document or a part of it; shares ownership of the tree. Getters are typed and never
/// throw: a value of another type reads as absent (registries send strings as numbers, objects as
/// arrays, null for anything).
class Json {
 public:
  /// Throws Error kMalformed: not JSON, invalid UTF-8, `\u0000`, or deeper than 64 levels. A number
  /// beyond 64 bits (or a double's range) reads as null.
  static Json Parse(std::string_view text);

  bool IsObject() const noexcept;
  bool IsArray() const noexcept;
  /// Member of an object; an absent one reads as absent everywhere.
  Json operator[](const char* key) const;
  bool Has(const char* key) const noexcept;
  std::optional<std::string> String() const;
  std::optional<std::int64_t> Integer() const;
  std::optional<bool> Boolean() const;
  std::string StringOr(std::string_view fallback) const;
  std::vector<Json> Elements() const;        ///< of an array; empty otherwise
  std::vector<std::string> Strings() const;  ///< the string elements of an array
  StringMap Map() const;                     ///< the string members of an object
  void ForEachMember(const std::function<void(std::string_view, const Json&)>& visit) const;

 private:
  explicit Json(std::shared_ptr<json_t> root, json_t* node) : root_(std::move(root)), node_(node) {}
  std::shared_ptr<json_t> root_;
  json_t* node_ = nullptr;
};

/// One JSON object, keys in order, compact: what `jsonb` takes.
std::string ToJson(const StringMap& map);

/// One JSON string literal.
std::string ToJsonString(std::string_view text);

}  // namespace image_library

#endif

#include "core/json.h"

#include <jansson.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "core/error.h"
#include "core/text.h"

namespace image_library {
namespace {

// Manifests are four levels deep; jansson would follow 2,048.
constexpr int kMaxDepth = 64;

bool TooDeep(std::string_view text) noexcept {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

bool IsRepresentable(const std::string& number) {
  if (number.find_first_of(".eE") != std::string::npos)
    return !std::isinf(std::strtod(number.c_str(), nullptr));
  errno = 0;
  (void)std::strtoll(number.c_str(), nullptr, 10);
  return errno != ERANGE;
}

// The document with every number that is no 64-bit integer and no double as null, since one absurd
// size is not to hide the rest of it.
std::string WithoutAbsurdNumbers(std::string_view text) {
  constexpr std::string_view kNumber = "+-.0123456789eE";
  std::string clean;
  clean.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (!in_string && (c == '-' || (c >= '0' && c <= '9'))) {
      const std::size_t end = std::min(text.find_first_not_of(kNumber, i), text.size());
      const std::string number(text.substr(i, end - i));
      clean += IsRepresentable(number) ? number : "null";
      i = end;
      continue;
    }
    if (c == '"') in_string = !in_string;
    clean += c;
    ++i;
    if (in_string && c == '\\' && i < text.size()) clean += text[i++];
  }
  return clean;
}

const char* StringOf(const json_t* value) { return json_string_value(value); }

}  // namespace

Json Json::Parse(std::string_view text) {
  if (TooDeep(text))
    throw Error(ErrorKind::kMalformed,
                "JSON is nested deeper than " + std::to_string(kMaxDepth) + " levels");
  json_error_t error;
  json_t* node = json_loadb(text.data(), text.size(), JSON_DECODE_ANY, &error);
  if (node == nullptr && json_error_code(&error) == json_error_numeric_overflow) {
    const std::string clean = WithoutAbsurdNumbers(text);
    node = json_loadb(clean.data(), clean.size(), JSON_DECODE_ANY, &error);
  }
  if (node == nullptr)
    throw Error(ErrorKind::kMalformed, "invalid JSON",
                "Line " + std::to_string(error.line) + ": " + Scrub(error.text, 200) + ".");
  return Json(std::shared_ptr<json_t>(node, json_decref), node);
}

bool Json::IsObject() const noexcept { return json_is_object(node_); }
bool Json::IsArray() const noexcept { return json_is_array(node_); }

Json Json::operator[](const char* key) const { return Json(root_, json_object_get(node_, key)); }

bool Json::Has(const char* key) const noexcept { return json_object_get(node_, key) != nullptr; }

std::optional<std::string> Json::String() const {
  if (!json_is_string(node_)) return std::nullopt;
  return std::string(StringOf(node_), json_string_length(node_));
}

std::optional<std::int64_t> Json::Integer() const {
  if (json_is_integer(node_)) return json_integer_value(node_);
  // Whole numbers written as 1.0 or 1e3; 2^53 is where a double stops counting.
  if (json_is_real(node_)) {
    const double value = json_real_value(node_);
    constexpr double kExact = 9007199254740992.0;
    if (value >= -kExact && value <= kExact &&
        value == static_cast<double>(static_cast<std::int64_t>(value)))
      return static_cast<std::int64_t>(value);
  }
  return std::nullopt;
}

std::optional<bool> Json::Boolean() const {
  if (!json_is_boolean(node_)) return std::nullopt;
  return json_is_true(node_);
}

std::string Json::StringOr(std::string_view fallback) const {
  return String().value_or(std::string(fallback));
}

std::vector<Json> Json::Elements() const {
  std::vector<Json> elements;
  elements.reserve(json_array_size(node_));
  for (std::size_t i = 0; i < json_array_size(node_); ++i)
    elements.push_back(Json(root_, json_array_get(node_, i)));
  return elements;
}

std::vector<std::string> Json::Strings() const {
  std::vector<std::string> strings;
  for (const Json& element : Elements())
    if (auto text = element.String()) strings.push_back(std::move(*text));
  return strings;
}

StringMap Json::Map() const {
  StringMap map;
  ForEachMember([&](std::string_view key, const Json& value) {
    if (auto text = value.String()) map.emplace(key, std::move(*text));
  });
  return map;
}

void Json::ForEachMember(const std::function<void(std::string_view, const Json&)>& visit) const {
  for (void* i = json_object_iter(node_); i != nullptr; i = json_object_iter_next(node_, i))
    visit(json_object_iter_key(i), Json(root_, json_object_iter_value(i)));
}

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

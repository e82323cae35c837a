// The header fields of an HTTP response.
#ifndef IMAGE_LIBRARY_REGISTRY_HEADERS_H_
#define IMAGE_LIBRARY_REGISTRY_HEADERS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace image_library::registry {

/// Names in lower case and their values, all in one text: a response has a dozen, and few are read.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    for (const auto& [name, value] : fields) Add(name, value);
  }

  void Add(std::string_view name, std::string_view value) {
    if (fields_.empty()) {
      text_.reserve(kUsualBytes);
      fields_.reserve(kUsualFields);
    }
    fields_.push_back({static_cast<std::uint32_t>(text_.size()),
                       static_cast<std::uint32_t>(name.size()),
                       static_cast<std::uint32_t>(value.size())});
    text_ += name;
    std::transform(text_.end() - static_cast<std::ptrdiff_t>(name.size()), text_.end(),
                   text_.end() - static_cast<std::ptrdiff_t>(name.size()),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    text_ += value;
  }

  void Clear() noexcept {
    text_.clear();
    fields_.clear();
  }

  std::size_t size() const noexcept { return fields_.size(); }

  /// First value of a header, or empty; valid until the fields change.
  std::string_view First(std::string_view name) const noexcept {
    for (const Field& field : fields_)
      if (NameOf(field) == name) return ValueOf(field);
    return {};
  }

  /// Every value of a header.
  std::vector<std::string_view> All(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const Field& field : fields_)
      if (NameOf(field) == name) values.push_back(ValueOf(field));
    return values;
  }

 private:
  static constexpr std::size_t kUsualBytes = 512;
  static constexpr std::size_t kUsualFields = 16;

  /// Where a name begins in the text; its value follows it.
  struct Field {
    std::uint32_t at, name, value;
  };

  std::string_view NameOf(const Field& field) const noexcept {
    return std::string_view(text_).substr(field.at, field.name);
  }
  std::string_view ValueOf(const Field& field) const noexcept {
    return std::string_view(text_).substr(field.at + field.name, field.value);
  }

  std::string text_;
  std::vector<Field> fields_;
};

}  // namespace image_library::registry

#endif

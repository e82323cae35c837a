// JSON reading with simdjson. Only this header knows the parser, so that it can be replaced.
#ifndef IMAGE_LIBRARY_CORE_JSON_H_
#define IMAGE_LIBRARY_CORE_JSON_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace image_library {

/// Annotations and labels: keys and values are valid UTF-8 without NUL.
using StringMap = std::map<std::string, std::string>;

/// Approximate memory of an entry of a map, in addition to its texts.
inline constexpr std::size_t kEntryBytes = 100;

/// Approximate memory of a map, in bytes. Many short entries take more than their texts.
std::size_t BytesOf(const StringMap& map) noexcept;

/// Text to parse. A std::string with kPadding bytes of spare capacity is read in place, any other
/// text is copied. The text must live until it has been parsed.
class JsonText {
 public:
  static constexpr std::size_t kPadding = 64;

  JsonText(std::string_view text) : text_(text) {}
  JsonText(const char* text) : text_(text) {}
  JsonText(const std::string& text)
      : text_(text), padded_(text.capacity() - text.size() >= kPadding) {}

  std::string_view text() const noexcept { return text_; }
  bool padded() const noexcept { return padded_; }

 private:
  std::string_view text_;
  bool padded_ = false;
};

/// A parsed document or a part of it; shares ownership of the tree, within one thread. Getters are
/// typed and throw only if there is not enough memory. A value of another type reads as absent,
/// since registries send strings as numbers, objects as arrays, and null for anything. Of duplicate
/// keys the last one counts.
class Json {
 public:
  /// Manifests have some thousand values; a document of 4 MiB may have a million, at 40 bytes each.
  static constexpr std::size_t kMostValues = 250000;
  /// For documents that the library itself has written.
  static constexpr std::size_t kAnyNumber = SIZE_MAX;

  /// Throws Error kMalformed: not JSON, invalid UTF-8, `\u0000`, or deeper than 64 levels; Error
  /// kTooLarge: more than most_values values; std::bad_alloc. A number beyond 64 bits (or a
  /// double's range) reads as null.
  static Json Parse(JsonText text, std::size_t most_values = kMostValues);

  bool IsObject() const noexcept;
  bool IsArray() const noexcept;
  /// Member of an object. Every member of an absent value is absent.
  Json operator[](const char* key) const;
  bool Has(const char* key) const noexcept;
  std::optional<std::string> String() const;
  /// The same without a copy; valid as long as a part of the document is held.
  std::optional<std::string_view> Text() const noexcept;
  std::optional<std::int64_t> Integer() const;
  std::optional<bool> Boolean() const;
  std::string StringOr(std::string_view fallback) const;
  std::vector<Json> Elements() const;        ///< of an array; empty otherwise
  std::vector<std::string> Strings() const;  ///< the string elements of an array
  /// The string members of an object, in its order as long as the map takes no more than
  /// most_bytes (BytesOf); cut is set when one is left out.
  StringMap Map(std::size_t most_bytes = SIZE_MAX, bool* cut = nullptr) const;
  void ForEachElement(const std::function<void(const Json&)>& visit) const;
  void ForEachMember(const std::function<void(std::string_view, const Json&)>& visit) const;

 private:
  struct Document;
  struct Spare;
  /// What simdjson knows a value by.
  struct Node {
    const void* document = nullptr;
    std::size_t index = 0;
  };

  /// Shared ownership within one thread, without the cost of locked counters.
  class Owner {
   public:
    explicit Owner(Document* document) noexcept;
    Owner(const Owner& other) noexcept;
    Owner(Owner&& other) noexcept : document_(std::exchange(other.document_, nullptr)) {}
    Owner& operator=(Owner other) noexcept {
      std::swap(document_, other.document_);
      return *this;
    }
    ~Owner();

   private:
    Document* document_;
  };

  Json(Owner root, Node node) : root_(std::move(root)), node_(node) {}
  Node Find(std::string_view key) const noexcept;

  Owner root_;
  Node node_;  ///< absent without a document
};

}  // namespace image_library

#endif

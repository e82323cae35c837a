#include "core/json.h"

// Failures are values, as in the rest of it: MEMALLOC is no exception of simdjson's.
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "core/error.h"

namespace image_library {

namespace dom = simdjson::dom;

static_assert(simdjson::SIMDJSON_PADDING <= JsonText::kPadding);

struct Json::Document {
  dom::parser parser;
  dom::document tree;
  std::size_t references = 0;
};

namespace {

// Manifests are four levels deep.
constexpr int kMaxDepth = 64;

[[noreturn]] void Malformed(std::string detail) {
  throw Error(ErrorKind::kMalformed, "invalid JSON", std::move(detail));
}

// The four digits at the start of text; -1 when they are none.
int HexQuad(std::string_view text) noexcept {
  if (text.size() < 4) return -1;
  int value = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// Bytes of the escape that begins with the backslash at the start of text. Escapes that simdjson
// refuses by itself may pass; those that would fail later, in simdjson or PostgreSQL, do not.
std::size_t CheckEscape(std::string_view text) {
  if (text.size() < 2 || text[1] != 'u') return 2;
  const int code = HexQuad(text.substr(2));
  if (code == 0) Malformed("\\u0000 is not allowed in a string.");
  if (code < 0xD800 || code > 0xDFFF) return 2;
  const int low = text.substr(6).starts_with("\\u") ? HexQuad(text.substr(8)) : -1;
  if (code > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
    Malformed("A Unicode surrogate stands alone in a string.");
  return 12;
}

struct Counts {
  std::size_t opened = 0, commas = 0, backslashes = 0;
};

void Count(const char* text, std::size_t size, Counts* counts) noexcept {
  std::uint8_t opened = 0, commas = 0, backslashes = 0;
  for (std::size_t i = 0; i < size; ++i) {
    opened = static_cast<std::uint8_t>(opened + ((text[i] | 0x20) == '{'));  // and `[`
    commas = static_cast<std::uint8_t>(commas + (text[i] == ','));
    backslashes = static_cast<std::uint8_t>(backslashes + (text[i] == '\\'));
  }
  counts->opened += opened;
  counts->commas += commas;
  counts->backslashes += backslashes;
}

// True when CheckShape would find nothing, since the text has no escape of the kind that it checks,
// and no more brackets and commas than its limits, be they in strings.
bool IsSimple(std::string_view text, std::size_t most_values) noexcept {
  constexpr std::size_t kBlock = 64;  // a constant, for the compiler to count many bytes at once
  Counts counts;
  std::size_t at = 0;
  for (; at + kBlock <= text.size(); at += kBlock) Count(text.data() + at, kBlock, &counts);
  Count(text.data() + at, text.size() - at, &counts);
  if (counts.opened > static_cast<std::size_t>(kMaxDepth)) return false;
  if (1 + counts.opened + counts.commas > most_values) return false;
  return counts.backslashes == 0 || text.find("\\u") == std::string_view::npos;
}

// Limits that simdjson does not have, checked before it allocates memory.
void CheckShape(std::string_view text, std::size_t most_values) {
  if (IsSimple(text, most_values)) return;
  int depth = 0;
  std::size_t values = 1;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        i += CheckEscape(text.substr(i)) - 1;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++values;
      if (++depth > kMaxDepth)
        throw Error(ErrorKind::kMalformed,
                    "JSON is nested deeper than " + std::to_string(kMaxDepth) + " levels");
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',') {
      ++values;
    }
    if (values > most_values)
      throw Error(ErrorKind::kTooLarge,
                  "JSON has more than " + std::to_string(most_values) + " values");
  }
}

bool IsRepresentable(const std::string& number) {
  if (number.find_first_of(".eE") != std::string::npos)
    return !std::isinf(std::strtod(number.c_str(), nullptr));
  errno = 0;
  (void)std::strtoll(number.c_str(), nullptr, 10);
  return errno != ERANGE;
}

// The document with every number that is neither a 64-bit integer nor a double replaced by null, so
// that one absurd size does not make the rest unreadable.
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

// The error of the parser; the tree is valid without one.
simdjson::error_code ParseInto(JsonText text, dom::parser& parser, dom::document* tree,
                               dom::element* root) {
  // The parser's own limit is on arrays and objects that are open at the same time.
  if (parser.capacity() < text.text().size() || parser.capacity() == 0) {
    if (parser.allocate(std::max<std::size_t>(text.text().size(), 1), kMaxDepth + 2) !=
        simdjson::SUCCESS)
      throw std::bad_alloc();
  }
  const simdjson::error_code error =
      parser.parse_into_document(*tree, text.text().data(), text.text().size(), !text.padded())
          .get(*root);
  if (error == simdjson::MEMALLOC) throw std::bad_alloc();
  return error;
}

template <typename Node>
dom::element ElementOf(const Node& node) noexcept {
  return std::bit_cast<dom::element>(node);
}

template <typename Node>
Node NodeOf(const dom::element& element) noexcept {
  return std::bit_cast<Node>(element);
}

// Nothing for an absent value, on which simdjson would assert.
template <typename Value, typename Node>
std::optional<Value> Get(const Node& node) noexcept {
  Value value;
  if (node.document == nullptr || ElementOf(node).template get<Value>().get(value))
    return std::nullopt;
  return value;
}

}  // namespace

// The last document that was small, for the next one: parsers and trees take several times the
// memory of the text, and a sync parses two texts an image.
struct Json::Spare {
  static constexpr std::size_t kMostBytes = 16u << 10;  // of text

  static std::unique_ptr<Document>& Kept() noexcept {
    static thread_local std::unique_ptr<Document> kept;
    return kept;
  }
  static Document* Take() { return Kept() ? Kept().release() : new Document; }
  static void GiveBack(Document* document) noexcept {
    if (document->tree.capacity() > kMostBytes || document->parser.capacity() > kMostBytes)
      delete document;
    else
      Kept().reset(document);
  }
};

Json::Owner::Owner(Document* document) noexcept : document_(document) { ++document_->references; }

Json::Owner::Owner(const Owner& other) noexcept : document_(other.document_) {
  // clang-tidy 14 assumes that an element of an array drops the last reference.
  if (document_ != nullptr) ++document_->references;  // NOLINT(clang-analyzer-cplusplus.NewDelete)
}

Json::Owner::~Owner() {
  if (document_ != nullptr && --document_->references == 0) Spare::GiveBack(document_);
}

Json Json::Parse(JsonText text, std::size_t most_values) {
  // Later versions of simdjson skip it.
  if (text.text().starts_with("\xef\xbb\xbf")) Malformed("It begins with a byte order mark.");
  CheckShape(text.text(), most_values);
  Document* const document = Spare::Take();
  Owner owner(document);
  dom::element root;
  simdjson::error_code error = ParseInto(text, document->parser, &document->tree, &root);
  if (error != simdjson::SUCCESS) {
    std::string clean = WithoutAbsurdNumbers(text.text());
    clean.reserve(clean.size() + JsonText::kPadding);
    if (clean != text.text()) error = ParseInto(clean, document->parser, &document->tree, &root);
  }
  if (error != simdjson::SUCCESS) Malformed(simdjson::error_message(error));
  const Node node = NodeOf<Node>(root);
  return Json(std::move(owner), node);
}

bool Json::IsObject() const noexcept { return Get<dom::object>(node_).has_value(); }
bool Json::IsArray() const noexcept { return Get<dom::array>(node_).has_value(); }

// The last one counts; simdjson would find the first.
Json::Node Json::Find(std::string_view key) const noexcept {
  Node found;
  if (const auto object = Get<dom::object>(node_)) {
    for (const dom::key_value_pair member : *object)
      if (member.key == key) found = NodeOf<Node>(member.value);
  }
  return found;
}

Json Json::operator[](const char* key) const { return Json(root_, Find(key)); }

bool Json::Has(const char* key) const noexcept { return Find(key).document != nullptr; }

std::optional<std::string_view> Json::Text() const noexcept { return Get<std::string_view>(node_); }

std::optional<std::string> Json::String() const {
  const auto text = Text();
  if (!text) return std::nullopt;
  return std::string(*text);
}

std::optional<std::int64_t> Json::Integer() const {
  if (const auto value = Get<std::int64_t>(node_)) return value;
  // Whole numbers written as 1.0 or 1e3, up to 2^53, above which a double does not represent every
  // integer. Integers beyond 63 bits are not read as doubles.
  if (Get<std::uint64_t>(node_)) return std::nullopt;
  if (const auto value = Get<double>(node_)) {
    constexpr double kExact = 9007199254740992.0;
    if (*value >= -kExact && *value <= kExact &&
        *value == static_cast<double>(static_cast<std::int64_t>(*value)))
      return static_cast<std::int64_t>(*value);
  }
  return std::nullopt;
}

std::optional<bool> Json::Boolean() const { return Get<bool>(node_); }

std::string Json::StringOr(std::string_view fallback) const {
  return std::string(Text().value_or(fallback));
}

std::vector<Json> Json::Elements() const {
  std::vector<Json> elements;
  ForEachElement([&](const Json& element) { elements.push_back(element); });
  return elements;
}

std::vector<std::string> Json::Strings() const {
  std::vector<std::string> strings;
  ForEachElement([&](const Json& element) {
    if (auto text = element.String()) strings.push_back(std::move(*text));
  });
  return strings;
}

std::size_t BytesOf(const StringMap& map) noexcept {
  std::size_t bytes = 0;
  for (const auto& [key, value] : map) bytes += kEntryBytes + key.size() + value.size();
  return bytes;
}

StringMap Json::Map(std::size_t most_bytes, bool* cut) const {
  StringMap map;
  const auto object = Get<dom::object>(node_);
  if (!object) return map;
  std::size_t bytes = 0;
  for (const dom::key_value_pair member : *object) {
    const auto text = Get<std::string_view>(NodeOf<Node>(member.value));
    std::string key(member.key);
    const auto place = map.lower_bound(key);
    const bool known = place != map.end() && place->first == key;
    const std::size_t freed = known ? kEntryBytes + key.size() + place->second.size() : 0;
    if (!text) {  // the last of duplicates, and no text
      if (known) map.erase(place);
      bytes -= freed;
      continue;
    }
    const std::size_t size = kEntryBytes + member.key.size() + text->size();
    if (bytes - freed + size > most_bytes) {
      if (cut != nullptr) *cut = true;
      break;
    }
    bytes += size - freed;
    if (known)
      place->second = *text;
    else
      map.emplace_hint(place, std::move(key), *text);
  }
  return map;
}

void Json::ForEachElement(const std::function<void(const Json&)>& visit) const {
  const auto array = Get<dom::array>(node_);
  if (!array) return;
  for (const dom::element element : *array) visit(Json(root_, NodeOf<Node>(element)));
}

void Json::ForEachMember(const std::function<void(std::string_view, const Json&)>& visit) const {
  const auto object = Get<dom::object>(node_);
  if (!object) return;
  std::map<std::string_view, Node> last;
  for (const dom::key_value_pair member : *object)
    last.insert_or_assign(member.key, NodeOf<Node>(member.value));
  for (const dom::key_value_pair member : *object) {
    const Node node = NodeOf<Node>(member.value);
    if (last[member.key].index == node.index) visit(member.key, Json(root_, node));
  }
}

}  // namespace image_library

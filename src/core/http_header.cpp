#include "core/http_header.h"

#include <ctime>

#include "core/strings.h"
#include "core/text.h"

namespace image_library {
namespace {

bool IsTokenChar(char c) noexcept {  // RFC 7230, section 3.2.6
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Reads a header value from left to right.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool AtEnd() const { return position_ >= text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[position_]; }
  void Next() { ++position_; }
  std::size_t position() const { return position_; }
  void Reset(std::size_t position) { position_ = position; }

  void SkipSpace() {
    while (Peek() == ' ' || Peek() == '\t') Next();
  }
  bool Take(char c) {
    if (Peek() != c) return false;
    Next();
    return true;
  }
  std::string_view Token() {
    const std::size_t start = position_;
    while (!AtEnd() && IsTokenChar(Peek())) Next();
    return text_.substr(start, position_ - start);
  }
  // A quoted string with quoted pairs, or everything up to a delimiter, since servers forget
  // quotes.
  std::string ParameterValue() {
    std::string value;
    if (Take('"')) {
      while (!AtEnd() && !Take('"')) {
        if (Peek() == '\\') Next();
        if (AtEnd()) break;
        value += Peek();
        Next();
      }
      return value;
    }
    while (!AtEnd() && Peek() != ',' && Peek() != ';' && Peek() != ' ' && Peek() != '\t') {
      value += Peek();
      Next();
    }
    return value;
  }
  std::string_view Until(char end) {
    const std::size_t start = position_;
    const std::size_t found = text_.find(end, position_);
    position_ = found == std::string_view::npos ? text_.size() : found;
    return text_.substr(start, position_ - start);
  }

 private:
  std::string_view text_;
  std::size_t position_ = 0;
};

// name BWS "=" BWS value; resets the scanner when something else follows.
bool ReadParameter(Scanner& scanner, std::map<std::string, std::string>& params) {
  const std::size_t start = scanner.position();
  const std::string_view name = scanner.Token();
  scanner.SkipSpace();
  if (name.empty() || !scanner.Take('=')) {
    scanner.Reset(start);
    return false;
  }
  scanner.SkipSpace();
  params.emplace(Lower(name), scanner.ParameterValue());
  return true;
}

bool HasRelation(std::string_view relations, std::string_view wanted) {
  for (const std::string_view relation : Split(relations, " \t"))
    if (Lower(relation) == wanted) return true;
  return false;
}

}  // namespace

std::vector<Challenge> ParseChallenges(std::string_view value) {
  std::vector<Challenge> challenges;
  Scanner scanner(value);
  while (!scanner.AtEnd()) {
    scanner.SkipSpace();
    if (scanner.Take(',')) continue;
    // After a comma comes either one more parameter or the next scheme.
    if (!challenges.empty() && ReadParameter(scanner, challenges.back().params)) {
      scanner.SkipSpace();
      continue;
    }
    const std::string_view scheme = scanner.Token();
    if (scheme.empty()) {
      scanner.Next();
      continue;
    }
    challenges.push_back({Lower(scheme), {}});
    scanner.SkipSpace();
    if (scanner.AtEnd() || scanner.Peek() == ',') continue;
    if (ReadParameter(scanner, challenges.back().params)) continue;
    scanner.Until(',');  // token68, as Negotiate sends it
  }
  return challenges;
}

std::optional<std::string> NextLink(std::string_view value) {
  Scanner scanner(value);
  while (!scanner.AtEnd()) {
    scanner.SkipSpace();
    if (scanner.Take(',')) continue;
    if (!scanner.Take('<')) {
      scanner.Until(',');
      continue;
    }
    const std::string_view target = scanner.Until('>');
    if (!scanner.Take('>')) return std::nullopt;
    std::map<std::string, std::string> params;
    for (;;) {
      scanner.SkipSpace();
      if (!scanner.Take(';')) break;
      scanner.SkipSpace();
      if (!ReadParameter(scanner, params)) scanner.Token();
    }
    const auto relation = params.find("rel");
    if (relation != params.end() && HasRelation(relation->second, "next") && !target.empty())
      return std::string(target);
    scanner.Until(',');
  }
  return std::nullopt;
}

std::optional<std::int64_t> ParseHttpDate(std::string_view value) {
  const std::string text(Trim(value));
  for (const char* const format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    std::tm time{};
    const char* const end = strptime(text.c_str(), format, &time);
    if (end == text.c_str() + text.size()) return static_cast<std::int64_t>(timegm(&time));
  }
  return std::nullopt;
}

std::optional<std::int64_t> ParseRetryAfter(std::string_view value, std::int64_t now) {
  constexpr std::int64_t kLongest = 3600;
  value = Trim(value);
  std::int64_t seconds = 0;
  if (IsDigits(value)) {
    seconds = value.size() > 9 ? kLongest : std::stoll(std::string(value));
  } else {
    const std::optional<std::int64_t> time = ParseHttpDate(value);
    if (!time) return std::nullopt;
    seconds = *time - now;
  }
  return seconds < 1 ? 1 : seconds > kLongest ? kLongest : seconds;
}

std::optional<RateLimitValue> ParseRateLimit(std::string_view value) {
  constexpr std::size_t kMaxDigits = 12;
  Scanner scanner(value);
  scanner.SkipSpace();
  const std::string_view requests = scanner.Token();
  if (!IsDigits(requests) || requests.size() > kMaxDigits) return std::nullopt;
  RateLimitValue limit;
  limit.requests = std::stoll(std::string(requests));
  std::map<std::string, std::string> params;
  for (;;) {
    scanner.SkipSpace();
    if (!scanner.Take(';')) break;
    scanner.SkipSpace();
    if (!ReadParameter(scanner, params)) scanner.Token();
  }
  if (!scanner.AtEnd() && scanner.Peek() != ',') return std::nullopt;
  const auto window = params.find("w");
  if (window != params.end() && IsDigits(window->second) && window->second.size() <= kMaxDigits)
    limit.window = std::stoll(window->second);
  return limit;
}

std::optional<std::string> ParseWarning(std::string_view value) {
  constexpr std::size_t kMaxText = 4096;
  Scanner scanner(value);
  scanner.SkipSpace();
  if (scanner.Token() != "299") return std::nullopt;
  scanner.SkipSpace();
  if (scanner.Token() != "-") return std::nullopt;
  scanner.SkipSpace();
  if (scanner.Peek() != '"') return std::nullopt;
  std::string text = Scrub(scanner.ParameterValue(), kMaxText);
  if (text.empty()) return std::nullopt;
  return text;
}

std::string MediaType(std::string_view content_type) {
  return Lower(Trim(content_type.substr(0, content_type.find(';'))));
}

}  // namespace image_library

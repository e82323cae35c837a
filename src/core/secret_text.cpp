#include "core/secret_text.h"

#include <cstdint>
#include <string>

#include "core/strings.h"

namespace image_library {
namespace {

constexpr int kMaxDepth = 8;
// Shorter texts contain none of the names.
constexpr std::size_t kShortest = 5;
// Stands for a character that is in none of the names.
constexpr char kOther = '\xff';

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}
bool IsNameChar(char c) { return IsNameStart(c) || IsDigit(c) || c == '$'; }

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool BeginsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

class Scanner {
 public:
  // Whether a backslash escapes in plain constants too: standard_conforming_strings = off.
  explicit Scanner(bool backslashes) : backslashes_(backslashes) {}

  void Scan(std::string_view text, int depth);
  bool Found() const { return secret_ || (registry_ && at_sign_); }

 private:
  void ScanInner(std::string_view text, int depth) {
    if (text.size() >= kShortest && !Found()) Scan(text, depth + 1);
  }
  void Name(std::string_view name, bool cut_off);
  std::size_t Comment(std::size_t begin, int depth);
  std::size_t DollarQuoted(std::size_t begin, int depth);
  std::size_t Quoted(std::size_t begin, char quote, bool escapes, bool unicode, int depth);
  std::size_t Continuation(std::size_t end) const;
  char UnicodeEscape(std::size_t end) const;
  std::size_t Escaped(std::size_t backslash, std::string* out) const;
  char At(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

  const bool backslashes_;
  bool secret_ = false, registry_ = false, at_sign_ = false;
  std::string_view text_;
};

void Scanner::Name(std::string_view name, bool cut_off) {
  const std::string folded = Lower(name);
  for (const std::string_view known : {"set_credential", "set_client_certificate"})
    if (cut_off && folded.size() >= kShortest && BeginsWith(known, folded)) secret_ = true;
  // A call with a misspelled name fails, but its text contains the secret.
  if (BeginsWith(folded, "set_cred") && folded != "set_credential_file" &&
      folded != "set_credential_variable")
    secret_ = true;
  if (BeginsWith(folded, "set_client_cert")) secret_ = true;
  if (BeginsWith(folded, "add_regist") || BeginsWith(folded, "alter_regist")) registry_ = true;
}

// Both kinds of comments; what is commented out may be a call. Returns where the comment ends.
std::size_t Scanner::Comment(std::size_t begin, int depth) {
  std::size_t end = begin + 2, inner_end = text_.size();
  if (text_[begin] == '-') {
    end = inner_end = std::min(text_.find('\n', end), text_.size());
  } else {
    for (int open = 1; end < text_.size() && open > 0;) {
      if (text_[end] == '/' && At(end + 1) == '*') {
        ++open, end += 2;
      } else if (text_[end] == '*' && At(end + 1) == '/') {
        if (--open == 0) inner_end = end;
        end += 2;
      } else {
        ++end;
      }
    }
  }
  ScanInner(text_.substr(begin + 2, inner_end - begin - 2), depth);
  return end;
}

// Returns where it ends, or begin when none begins there.
std::size_t Scanner::DollarQuoted(std::size_t begin, int depth) {
  std::size_t end = begin + 1;
  if (IsNameStart(At(end)))
    while (end < text_.size() && IsNameChar(text_[end]) && text_[end] != '$') ++end;
  if (At(end) != '$') return begin;
  const std::string_view mark = text_.substr(begin, ++end - begin);
  const std::size_t close = std::min(text_.find(mark, end), text_.size());
  ScanInner(text_.substr(end, close - end), depth);
  return std::min(close + mark.size(), text_.size());
}

// Where a constant goes on after its closing quote: white space with a line break, comments among
// it, and another quote. npos: it does not.
std::size_t Scanner::Continuation(std::size_t end) const {
  bool line_break = false;
  for (;;) {
    while (IsSpace(At(end))) {
      line_break = line_break || text_[end] == '\n' || text_[end] == '\r';
      ++end;
    }
    if (At(end) != '-' || At(end + 1) != '-') break;
    end = std::min(text_.find('\n', end), text_.size());
  }
  return line_break && At(end) == '\'' ? end : std::string_view::npos;
}

// The escape character of a U& constant or name that ends there.
char Scanner::UnicodeEscape(std::size_t end) const {
  while (end < text_.size()) {
    if (IsSpace(text_[end])) {
      ++end;
    } else if (text_[end] == '-' && At(end + 1) == '-') {
      end = std::min(text_.find('\n', end), text_.size());
    } else if (text_[end] == '/' && At(end + 1) == '*') {
      const std::size_t close = text_.find("*/", end + 2);
      end = close == std::string_view::npos ? text_.size() : close + 2;
    } else {
      break;
    }
  }
  if (Lower(text_.substr(std::min(end, text_.size()), 7)) != "uescape") return '\\';
  end += 7;
  while (IsSpace(At(end))) ++end;
  return At(end) == '\'' && end + 1 < text_.size() ? text_[end + 1] : '\\';
}

// What a backslash in E'' stands for. Returns where it ends.
std::size_t Scanner::Escaped(std::size_t backslash, std::string* out) const {
  std::size_t i = backslash + 1;
  const auto digits = [&](std::size_t most, int base) {
    std::uint32_t value = 0;
    for (std::size_t n = 0; n < most; ++n, ++i) {
      const int digit = HexDigit(At(i));
      if (digit < 0 || digit >= base) break;
      value = value * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(digit);
    }
    out->push_back(value < 0x80 ? static_cast<char>(value) : kOther);
    return i;
  };
  const char c = At(i);
  if (c >= '0' && c <= '7') return digits(3, 8);
  ++i;
  switch (c) {
    case 'x':
      return digits(2, 16);
    case 'u':
      return digits(4, 16);
    case 'U':
      return digits(8, 16);
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      out->push_back(' ');
      return i;
    default:
      out->push_back(c);
      return std::min(i, text_.size());
  }
}

std::string WithoutUnicodeEscapes(std::string_view text, char escape) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != escape) {
      plain.push_back(text[i]);
      continue;
    }
    const bool is_long = text.substr(i + 1, 1) == "+";
    const std::string_view digits = text.substr(i + 1 + is_long, is_long ? 6 : 4);
    std::uint32_t value = 0;
    for (const char digit : digits)
      value = HexDigit(digit) < 0 ? 0x80 : value * 16 + static_cast<std::uint32_t>(HexDigit(digit));
    plain.push_back(value < 0x80 ? static_cast<char>(value) : kOther);
    // An escape that is none, such as a doubled one, spoils one character.
    if (digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos)
      i += is_long + digits.size();
    else
      ++i;
  }
  return plain;
}

// A constant or name from its opening quote on. Returns where it ends.
std::size_t Scanner::Quoted(std::size_t begin, char quote, bool escapes, bool unicode, int depth) {
  std::string value;
  std::size_t i = begin + 1;
  bool closed = false;
  while (i < text_.size()) {
    if (text_[i] == '\\' && escapes) {
      i = Escaped(i, &value);
    } else if (text_[i] != quote) {
      value.push_back(text_[i++]);
    } else if (At(i + 1) == quote) {
      value.push_back(quote);
      i += 2;
    } else {
      ++i;
      const std::size_t next = quote == '\'' ? Continuation(i) : std::string_view::npos;
      if (next == std::string_view::npos) {
        closed = true;
        break;
      }
      i = next + 1;
    }
  }
  if (unicode) value = WithoutUnicodeEscapes(value, UnicodeEscape(i));
  if (quote == '"') Name(value, !closed);
  // Other languages put SQL into such quotes.
  ScanInner(value, depth);
  return i;
}

void Scanner::Scan(std::string_view text, int depth) {
  if (depth > kMaxDepth) {
    secret_ = true;
    return;
  }
  at_sign_ = at_sign_ || text.find('@') != std::string_view::npos;
  const std::string_view outer = text_;
  text_ = text;
  for (std::size_t i = 0; i < text_.size() && !Found();) {
    const char c = text_[i];
    if ((c == '-' && At(i + 1) == '-') || (c == '/' && At(i + 1) == '*')) {
      i = Comment(i, depth);
    } else if (c == '\'') {
      i = Quoted(i, c, backslashes_, false, depth);
    } else if (c == '"') {
      i = Quoted(i, c, false, false, depth);
    } else if (c == '$') {
      const std::size_t end = DollarQuoted(i, depth);
      i = end == i ? i + 1 : end;
    } else if (IsNameStart(c)) {
      std::size_t end = i + 1;
      while (IsNameChar(At(end)) && end < text_.size()) ++end;
      const std::string_view name = text_.substr(i, end - i);
      const char lower = static_cast<char>(c | 0x20);
      if (name.size() == 1 && lower == 'e' && At(end) == '\'') {
        i = Quoted(end, '\'', true, false, depth);
      } else if (name.size() == 1 && lower == 'u' && At(end) == '&' &&
                 (At(end + 1) == '\'' || At(end + 1) == '"')) {
        i = Quoted(end + 1, At(end + 1), false, true, depth);
      } else {
        Name(name, end == text_.size());
        i = end;
      }
    } else {
      ++i;
    }
  }
  text_ = outer;
}

}  // namespace

bool MayHoldSecret(std::string_view sql) noexcept {
  try {
    for (const bool backslashes : {false, true}) {
      if (backslashes && sql.find('\\') == std::string_view::npos) break;
      Scanner scanner(backslashes);
      scanner.Scan(sql, 0);
      if (scanner.Found()) return true;
    }
    return false;
  } catch (...) {  // no memory
    return true;
  }
}

}  // namespace image_library

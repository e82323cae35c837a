#include "core/pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <bitset>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/reference.h"
#include "core/text.h"
#include "core/version.h"
#include "core/version_range.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxPatternLength = 1024;
constexpr int kMaxBraceDepth = 8;
// RE2 answers "pattern too large" instead of taking more; a lazy DFA that outgrows it falls back
// to the NFA, still in linear time.
constexpr std::int64_t kMaxRegexMemory = 1 << 20;
constexpr std::string_view kRegexPrefix = "regex:";
constexpr std::string_view kVersionPrefix = "version:";

std::string_view SubjectName(PatternSubject subject) {
  if (subject == PatternSubject::kText) return "text";
  return subject == PatternSubject::kTag ? "tag" : "repository";
}

// The text before an @ is left out: it may be the user and password of a URL, and no name has an @.
std::string Quoted(std::string_view text, PatternSubject subject) {
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos) text.remove_prefix(at + 1);
  return std::string(SubjectName(subject)) + " pattern \"" + std::string(text) + "\"";
}

[[noreturn]] void Refuse(std::string_view text, PatternSubject subject, std::string detail,
                         std::string hint) {
  throw Error(ErrorKind::kInvalidArgument, "invalid " + Quoted(text, subject), std::move(detail),
              std::move(hint));
}

bool IsGlobMeta(char c) { return std::string_view("*?[]{}\\").find(c) != std::string_view::npos; }

bool IsNameCharacter(char c, PatternSubject subject) {
  if (subject == PatternSubject::kText) return true;
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) return true;
  if (c == '.' || c == '_' || c == '-') return true;
  if (subject == PatternSubject::kTag) return c >= 'A' && c <= 'Z';
  return c == '/' || (c == ':' && subject == PatternSubject::kPlace);
}

std::string QuoteByte(unsigned char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  return {'\\', 'x', kHex[c >> 4], kHex[c & 15]};
}

/// Writes the regular expression of one glob.
class GlobTranslator {
 public:
  GlobTranslator(std::string_view text, PatternSubject subject) : text_(text), subject_(subject) {}

  std::string Translate() {
    while (position_ < text_.size()) Step();
    if (depth_ > 0) {
      Refuse(text_, subject_, "A \"{\" is not closed.", "Write alternatives as {a,b}.");
    }
    return std::move(out_);
  }

 private:
  void Step() {
    const char c = text_[position_];
    switch (c) {
      case '*':
        Stars();
        return;
      case '?':
        out_ += "[^/]";
        break;
      case '[':
        Class();
        return;
      case ']':
        Refuse(text_, subject_, "A \"]\" has no \"[\" before it.", "Write a class as [abc].");
      case '{':
        if (++depth_ > kMaxBraceDepth) {
          Refuse(text_, subject_, "Braces are nested too deeply.", "Use several patterns.");
        }
        out_ += "(?:";
        break;
      case '}':
        if (--depth_ < 0) {
          Refuse(text_, subject_, "A \"}\" has no \"{\" before it.",
                 "Write alternatives as {a,b}.");
        }
        out_ += ')';
        break;
      case '\\':
        if (++position_ == text_.size()) {
          Refuse(text_, subject_, "The pattern ends in a backslash.",
                 "A backslash takes the next character literally.");
        }
        Literal(text_[position_]);
        return;
      case ',':
        if (depth_ == 0) {
          Literal(c);
          return;
        }
        out_ += '|';
        break;
      default:
        Literal(c);
        return;
    }
    ++position_;
  }

  // `**/` also matches nothing, so that `a/**/b` takes `a/b`.
  void Stars() {
    const std::size_t start = position_;
    while (position_ < text_.size() && text_[position_] == '*') ++position_;
    if (position_ - start == 1) {
      out_ += "[^/]*";
      return;
    }
    const bool starts_part = start == 0 || text_[start - 1] == '/';
    if (starts_part && position_ < text_.size() && text_[position_] == '/') {
      out_ += "(?:.*/)?";
      ++position_;
    } else {
      out_ += ".*";
    }
  }

  // The set is written out: a range such as `[.-9]` must not take the slash in its middle.
  void Class() {
    std::bitset<128> set;
    std::size_t at = position_ + 1;
    const bool negated = at < text_.size() && (text_[at] == '!' || text_[at] == '^');
    if (negated) ++at;
    const std::size_t first = at;
    for (; at < text_.size() && (text_[at] != ']' || at == first); ++at) {
      const unsigned char low = ClassCharacter(&at);
      unsigned char high = low;
      if (at + 2 < text_.size() && text_[at + 1] == '-' && text_[at + 2] != ']') {
        at += 2;
        high = ClassCharacter(&at);
      }
      if (high < low) {
        Refuse(text_, subject_, "A range in brackets runs backwards.", "Write it as [a-z].");
      }
      for (unsigned c = low; c <= high; ++c) set.set(c);
    }
    if (at >= text_.size()) {
      Refuse(text_, subject_, "A \"[\" is not closed.", "Write a class as [abc].");
    }
    position_ = at + 1;
    if (negated) set.flip();
    set.reset('/');
    AppendSet(set);
  }

  unsigned char ClassCharacter(std::size_t* at) {
    if (text_[*at] == '\\' && *at + 1 < text_.size()) ++*at;
    const auto c = static_cast<unsigned char>(text_[*at]);
    if (c >= 128) {
      Refuse(text_, subject_, "A class in brackets holds a character outside ASCII.",
             "Names of repositories and tags are ASCII.");
    }
    return c;
  }

  void AppendSet(const std::bitset<128>& set) {
    if (set.none()) {
      Refuse(text_, subject_, "A class in brackets can match no character.",
             "A class never matches the slash between path parts.");
    }
    out_ += '[';
    for (unsigned c = 0; c < set.size(); ++c) {
      if (set.test(c)) out_ += QuoteByte(static_cast<unsigned char>(c));
    }
    out_ += ']';
  }

  void Literal(char c) {
    if (!IsNameCharacter(c, subject_)) {
      Refuse(text_, subject_,
             "No " + std::string(SubjectName(subject_)) + " name contains \"" +
                 std::string(FirstCharacter(text_.substr(position_))) +
                 "\", so the pattern can match nothing.",
             "To use a regular expression, write regex: before it.");
    }
    if (static_cast<unsigned char>(c) < 128)
      out_ += QuoteByte(static_cast<unsigned char>(c));
    else
      out_ += c;  // a part of a character of the expression, which is UTF-8
    ++position_;
  }

  std::string_view text_;
  PatternSubject subject_;
  std::size_t position_ = 0;
  int depth_ = 0;
  std::string out_;
};

std::unique_ptr<const re2::RE2> Compile(std::string_view text, PatternSubject subject,
                                        std::string_view expression) {
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_max_mem(kMaxRegexMemory);
  options.set_never_capture(true);
  auto regex = std::make_unique<const re2::RE2>(
      re2::StringPiece(expression.data(), expression.size()), options);
  if (!regex->ok()) {
    throw Error(ErrorKind::kInvalidPattern, "invalid " + Quoted(text, subject),
                "RE2 says: " + regex->error() + ".",
                "The syntax is RE2's: no backreferences and no look-around.");
  }
  return regex;
}

void CheckLiteral(std::string_view text, PatternSubject subject) {
  if (subject == PatternSubject::kText) return;
  if (subject == PatternSubject::kPlace) {
    const std::size_t slash = text.find('/');
    if (slash != 0 && slash != std::string_view::npos && IsRepositoryName(text.substr(slash + 1)))
      return;
    Refuse(text, subject, "It is not a host and a repository.",
           "Write both, such as \"ghcr.io/cloudnative-pg/pgvector\"; patterns are globs "
           "(\"ghcr.io/cloudnative-pg/*\") or \"regex:...\".");
  }
  const bool repository = subject == PatternSubject::kRepository;
  if (repository ? IsRepositoryName(text) : IsTag(text)) return;
  Refuse(text, subject, repository ? "It is not the name of a repository." : "It is not a tag.",
         repository ? "Names are lower case, without host and tag, such as "
                      "\"pgai-platform/postgresql\"; patterns are globs (\"nim/**\") or "
                      "\"regex:...\"."
                    : "Tags are letters, digits, dots, dashes and underscores; patterns are globs "
                      "(\"17.*\"), \"regex:...\" or \"version:...\".");
}

}  // namespace

struct Pattern::Impl {
  std::string text;
  bool literal = false;
  bool anchored = true;
  std::unique_ptr<const re2::RE2> regex;
  std::optional<VersionRange> range;
};

Pattern Pattern::Parse(std::string_view text, PatternSubject subject) {
  if (text.empty()) {
    Refuse(text, subject, "A pattern must not be empty.", "Write \"*\" to match every name.");
  }
  if (text.size() > kMaxPatternLength) {
    Refuse(Scrub(text, 64), subject,
           "It is longer than " + std::to_string(kMaxPatternLength) + " bytes.",
           "Use several rules or patterns.");
  }
  auto impl = std::make_shared<Impl>();
  impl->text = text;
  if (text.starts_with(kRegexPrefix)) {
    const std::string_view expression = text.substr(kRegexPrefix.size());
    if (expression.empty()) {
      Refuse(text, subject, "The regular expression is empty.",
             "Write \"regex:.*\" to match every name.");
    }
    impl->anchored = false;
    impl->regex = Compile(text, subject, expression);
  } else if (text.starts_with(kVersionPrefix)) {
    if (subject != PatternSubject::kTag) {
      Refuse(text, subject, "A version range can only match tags.",
             "Give it among the tags of the rule.");
    }
    impl->range = VersionRange::Parse(text.substr(kVersionPrefix.size()));
  } else if (std::none_of(text.begin(), text.end(), IsGlobMeta)) {
    CheckLiteral(text, subject);
    impl->literal = true;
  } else {
    impl->regex = Compile(text, subject, GlobTranslator(text, subject).Translate());
  }
  return Pattern(std::move(impl));
}

bool Pattern::Matches(std::string_view text) const {
  if (impl_->literal) return text == impl_->text;
  if (impl_->range) return impl_->range->Contains(ParseTagVersion(text));
  return impl_->regex->Match(re2::StringPiece(text.data(), text.size()), 0, text.size(),
                             impl_->anchored ? re2::RE2::ANCHOR_BOTH : re2::RE2::UNANCHORED,
                             nullptr, 0);
}

bool Pattern::IsLiteral() const noexcept { return impl_->literal; }

const std::string& Pattern::text() const noexcept { return impl_->text; }

}  // namespace image_library

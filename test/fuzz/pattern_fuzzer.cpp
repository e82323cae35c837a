// libFuzzer target: patterns of rules. The first line is the pattern, the others are names.
#include "core/pattern.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/pattern_advice.h"
#include "core/reference.h"
#include "core/rule.h"
#include "fuzz_target.h"

namespace {

using namespace image_library;

// Whether a glob of stars, question marks and plain characters matches, by trying everything.
bool Matches(std::string_view glob, std::string_view text, bool starts_part = true) {
  if (glob.empty()) return text.empty();
  if (glob.starts_with("**")) {
    std::string_view rest = glob;
    while (rest.starts_with('*')) rest.remove_prefix(1);
    if (starts_part && rest.starts_with('/') && Matches(rest.substr(1), text)) return true;
    for (std::size_t i = 0; i <= text.size(); ++i)
      if (Matches(rest, text.substr(i), false)) return true;
    return false;
  }
  if (glob.starts_with('*')) {
    for (std::size_t i = 0;; ++i) {
      if (Matches(glob.substr(1), text.substr(i), false)) return true;
      if (i == text.size() || text[i] == '/') return false;
    }
  }
  if (text.empty() || (glob[0] == '?' ? text[0] == '/' : text[0] != glob[0])) return false;
  return Matches(glob.substr(1), text.substr(1), glob[0] == '/');
}

std::optional<Pattern> Parse(std::string_view text, PatternSubject subject) {
  try {
    return Pattern::Parse(text, subject);
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::kInvalidArgument ||
            error.kind() == ErrorKind::kInvalidPattern);
    fuzz::RequireReadable(error);
    return std::nullopt;
  }
}

bool IsRefused(std::string_view pattern, PatternSubject subject) {
  try {
    if (subject == PatternSubject::kTag)
      RequireTagPattern(pattern);
    else
      RequireRepositoryPattern(pattern, "r.test", "a/b");
    return false;
  } catch (const Error& error) {
    fuzz::RequireReadable(error);
    return true;
  }
}

void Check(std::string_view text, PatternSubject subject,
           const std::vector<std::string_view>& names) {
  const bool refused = subject != PatternSubject::kPlace && IsRefused(text, subject);
  const std::optional<Pattern> pattern = Parse(text, subject);
  if (!pattern) return;
  REQUIRE(pattern->text() == text);
  if (pattern->IsLiteral()) REQUIRE(pattern->Matches(text));
  const bool simple = !text.starts_with("regex:") && !text.starts_with("version:") &&
                      std::count(text.begin(), text.end(), '*') <= 6 &&
                      text.find_first_of("[]{}\\") == std::string_view::npos;
  for (const std::string_view name : names) {
    const bool matches = pattern->Matches(name);
    if (pattern->IsLiteral()) REQUIRE(matches == (name == text));
    const bool is_name = subject == PatternSubject::kTag ? IsTag(name) && !IsReferrerTag(name)
                                                         : IsRepositoryName(name);
    if (!is_name) continue;
    if (simple && name.size() <= 40) REQUIRE(matches == Matches(text, name));
    // A pattern that takes a name is not refused as one that never does.
    const bool of_host = subject == PatternSubject::kRepository && name.starts_with("r.test/");
    REQUIRE(!matches || !refused || of_host);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::TextOf(data, size);
  if (!fuzz::IsStorable(input)) return -1;  // patterns come from SQL
  const std::vector<std::string_view> names = fuzz::LinesOf(input, 2);
  for (const PatternSubject subject :
       {PatternSubject::kRepository, PatternSubject::kTag, PatternSubject::kPlace})
    Check(names[0], subject, names);
  return 0;
}

#include "core/pattern_advice.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/pattern.h"
#include "core/reference.h"
#include "core/rule.h"
#include "core/strings.h"
#include "core/text.h"
#include "core/url.h"
#include "core/version_range.h"

namespace image_library {
namespace {

constexpr std::string_view kRegexPrefix = "regex:";
constexpr std::string_view kVersionPrefix = "version:";
constexpr std::size_t kMaxTag = 128;
constexpr std::size_t kMaxRepository = 255;
constexpr std::size_t kShown = 300;
constexpr std::size_t kBegin = 64;  // of a text that is too long

[[noreturn]] void Refuse(PatternSubject subject, std::string_view pattern, const std::string& why,
                         std::string hint) {
  const std::string what = subject == PatternSubject::kRepository ? "repository" : "tag";
  throw Error(ErrorKind::kInvalidArgument,
              "invalid " + what + " pattern \"" + Scrub(pattern, kShown) + "\"", why,
              std::move(hint));
}

bool IsDigestText(std::string_view text) {
  return text.starts_with("sha256:") || text.starts_with("sha512:");
}

bool IsPattern(const std::string& text, PatternSubject subject) {
  try {
    Pattern::Parse(text, subject);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// The host as registries are stored; nothing for what is none.
std::optional<std::string> NormalHost(std::string_view text) {
  try {
    return ParseRegistryUrl(text).host;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string_view WithoutPort(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  return colon == std::string_view::npos || host.ends_with(']') ? host : host.substr(0, colon);
}

bool IsSameHost(std::string_view part, std::string_view host) {
  if (!LooksLikeHost(part)) return false;
  const std::optional<std::string> normal = NormalHost(part);
  return normal && (*normal == host || *normal == WithoutPort(host));
}

/// The glob with what stands in classes and braces blanked out, place by place: a name that it
/// matches need not have that.
std::string Blanked(std::string_view glob) {
  constexpr char kBlank = ' ';
  std::string blanked(glob);
  int depth = 0;
  for (std::size_t at = 0; at < glob.size(); ++at) {
    const char c = glob[at];
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    const std::size_t end = c == '[' ? std::min(glob.find(']', at + 2), glob.size() - 1) : at;
    if (c == '[' || depth > 0) std::fill_n(blanked.begin() + at, end - at + 1, kBlank);
    at = end;
  }
  return blanked;
}

/// Characters that every name must have which the glob matches, as far as they stand outside of
/// braces.
std::size_t LeastLength(std::string_view glob) {
  std::size_t length = 0;
  int depth = 0;
  for (std::size_t at = 0; at < glob.size(); ++at) {
    const char c = glob[at];
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (depth != 0 || c == '}' || c == '*') continue;
    if (c == '[') {
      const std::size_t end = glob.find(']', at + 2);
      if (end == std::string_view::npos) return length;
      at = end;
    } else if (c == '\\') {
      ++at;
    }
    ++length;
  }
  // `**/` also matches nothing.
  for (std::size_t at = glob.find("**/"); at != std::string_view::npos;
       at = glob.find("**/", at + 3))
    length -= length > 0 ? 1 : 0;
  return length;
}

/// Takes a pattern apart as a person may have copied it from elsewhere: from a browser, from a
/// reference, from another tool's list.
class RepositoryAdvice {
 public:
  RepositoryAdvice(std::string_view pattern, std::string_view host, std::string_view prefix)
      : host_(host), prefix_(prefix), rest_(pattern) {}

  /// What is wrong with it; empty when nothing is.
  std::string Find() {
    TakeScheme();
    TakeDigest();
    TakeHost();
    TakeTag();
    TakeSlashes();
    LowerCase();
    return why_;
  }

  std::string Hint() const {
    if (other_host_) {
      return "A rule is for one registry, which is at " + std::string(host_) +
             ": add the rule to the registry at " + *other_host_ + ".";
    }
    std::string meant = Meant();
    if (!IsPattern(meant, PatternSubject::kRepository))
      return "Names are relative to the registry's URL, in lower case, without host and tag.";
    if (!tag_.empty() && IsPattern(tag_, PatternSubject::kTag))
      return "Write \"" + meant + "\" for the repository and \"" + tag_ + "\" for the tag.";
    return "Write \"" + meant + "\".";
  }

  /// Safe to show: user and password of a URL are not in it.
  std::string Shown() const { return shown_prefix_ + shown_; }

 private:
  void Say(const std::string& why) {
    if (why_.empty()) why_ = why;
  }

  void TakeScheme() {
    const std::size_t end = rest_.find("://");
    if (end != std::string_view::npos) {
      shown_prefix_ = std::string(rest_.substr(0, end + 3));
      rest_.remove_prefix(end + 3);
      rest_ = rest_.substr(0, rest_.find_first_of("?#"));
      Say("It is a URL, not the name of a repository.");
      url_ = true;
    }
  }

  void TakeDigest() {
    std::size_t at = Blanked(rest_).find('@');
    for (; at != std::string_view::npos && !IsDigestText(rest_.substr(at + 1));
         at = Blanked(rest_).find('@')) {
      // It may be user and password.
      rest_.remove_prefix(at + 1);
      Say("No repository name contains \"@\".");
      url_ = true;
    }
    shown_ = std::string(rest_);
    if (at == std::string_view::npos) return;
    rest_ = rest_.substr(0, at);
    Say("A rule takes tags, not digests: an image is approved by its digest, whatever its tag.");
  }

  void TakeHost() {
    const std::string plain = Blanked(rest_);
    const std::size_t slash = plain.find('/');
    if (slash == std::string_view::npos) return;
    const std::string_view first = rest_.substr(0, slash);
    const bool same = IsSameHost(Lower(first), host_);
    // Names have no colon; other hosts without a port may be the first part of a mirror's names.
    if (!same && !url_ && plain.find(':') >= slash) return;
    if (!same) {
      other_host_ = NormalHost(first);
      Say("It begins with a host: repositories are named relative to their registry's URL.");
      return;
    }
    rest_.remove_prefix(slash + 1);
    had_host_ = true;
    Say("It begins with the registry's host: repositories are named relative to its URL.");
  }

  void TakeTag() {
    const std::string plain = Blanked(rest_);
    const std::size_t slash = plain.rfind('/');
    const std::size_t colon = plain.find(':', slash == std::string_view::npos ? 0 : slash);
    if (colon == std::string_view::npos) return;
    tag_ = std::string(rest_.substr(colon + 1));
    rest_ = rest_.substr(0, colon);
    Say("It has a tag, which is not part of a repository's name.");
  }

  void TakeSlashes() {
    std::string_view text = rest_;
    while (text.starts_with('/')) text.remove_prefix(1);
    while (text.ends_with('/')) text.remove_suffix(1);
    const bool twice = Blanked(text).find("//") != std::string_view::npos;
    if (text.size() == rest_.size() && !twice) return;
    rest_ = text;
    Say(twice ? "No repository name has two slashes in a row."
              : "No repository name begins or ends with a slash.");
  }

  void LowerCase() {
    const std::string plain = Blanked(rest_);
    if (Lower(plain) != plain && IsPattern(Meant(), PatternSubject::kRepository))
      Say("Repository names are in lower case.");
  }

  std::string Meant() const {
    std::string meant;
    for (const char c : Lower(rest_)) {
      if (c != '/' || !meant.ends_with('/')) meant += c;
    }
    if (had_host_ && !prefix_.empty() && meant.starts_with(std::string(prefix_) + "/"))
      meant = meant.substr(prefix_.size() + 1);
    else if (host_ == "docker.io" && prefix_.empty() && meant.find('/') == std::string::npos)
      meant = "library/" + meant;
    return meant;
  }

  const std::string_view host_;
  const std::string_view prefix_;
  std::string_view rest_;
  std::string shown_prefix_;
  std::string shown_;
  std::string tag_;
  std::string why_;
  std::optional<std::string> other_host_;
  bool url_ = false;
  bool had_host_ = false;
};

/// `regex:^registry\.example\.com/`, which no name relative to the registry matches.
void RefuseRegexOfHost(std::string_view pattern, std::string_view host) {
  std::string plain;
  for (const char c : pattern.substr(kRegexPrefix.size())) {
    if (c != '\\') plain += c;
  }
  if (!plain.starts_with('^')) return;
  plain.erase(0, 1);
  if (plain.starts_with("http://") || plain.starts_with("https://")) {
    Refuse(PatternSubject::kRepository, pattern, "It begins like a URL.",
           "Repositories are named relative to the registry's URL: leave scheme and host out.");
  }
  if (!IsSameHost(plain.substr(0, plain.find('/')), host)) return;
  Refuse(PatternSubject::kRepository, pattern,
         "It begins with the registry's host: repositories are named relative to its URL.",
         "Leave \"" + std::string(host) + "/\" out.");
}

}  // namespace

void RequireRepositoryPattern(std::string_view pattern, std::string_view host,
                              std::string_view prefix) {
  if (pattern.starts_with(kRegexPrefix)) {
    RefuseRegexOfHost(pattern, host);
    return;
  }
  if (pattern.starts_with(kVersionPrefix)) return;
  RepositoryAdvice advice(pattern, host, prefix);
  const std::string why = advice.Find();
  if (!why.empty()) Refuse(PatternSubject::kRepository, advice.Shown(), why, advice.Hint());
  if (LeastLength(pattern) > kMaxRepository) {
    Refuse(PatternSubject::kRepository, pattern.substr(0, kBegin),
           "No repository name has more than " + std::to_string(kMaxRepository) + " characters.",
           "Write a shorter pattern.");
  }
}

void RequireTagPattern(std::string_view pattern) {
  constexpr PatternSubject kTag = PatternSubject::kTag;
  if (pattern.starts_with(kRegexPrefix)) return;
  if (pattern.starts_with(kVersionPrefix)) {
    if (VersionRange::Parse(pattern.substr(kVersionPrefix.size())).IsEmpty()) {
      Refuse(kTag, pattern, "No version is in the range.",
             "Every comparison must hold: write || between alternatives, such as "
             "\"version:<16 || >=18\".");
    }
    return;
  }
  const std::string plain = Blanked(pattern);
  const std::size_t at = plain.rfind('@');
  if (const std::string_view last = at == std::string_view::npos ? pattern : pattern.substr(at + 1);
      IsDigestText(last)) {
    Refuse(kTag, last,
           "A rule takes tags, not digests: an image is approved by its digest, whatever its tag.",
           "Write the tag, or \"*\" for all tags.");
  }
  const std::size_t colon = plain.rfind(':');
  if (colon != std::string_view::npos && plain.find("://") == std::string_view::npos &&
      at == std::string_view::npos) {
    const std::string meant(pattern.substr(colon + 1));
    Refuse(kTag, pattern,
           "It has more than a tag: the repository belongs in the repositories of the rule.",
           IsPattern(meant, kTag) ? "Write \"" + meant + "\"." : "Write the tag alone.");
  }
  if (pattern.starts_with('.') || pattern.starts_with('-')) {
    Refuse(kTag, pattern, "No tag begins with a dot or a dash.",
           "Write a star before it for tags that end so: \"*" + std::string(pattern) + "\".");
  }
  if (LeastLength(pattern) > kMaxTag) {
    Refuse(kTag, pattern.substr(0, kBegin),
           "No tag has more than " + std::to_string(kMaxTag) + " characters.",
           "Write a shorter pattern.");
  }
  if (IsReferrerTag(pattern)) {
    Refuse(kTag, pattern, "A tag of signatures and attestations is never in the library.",
           "Signatures are read with their image: see image_library.image_referrers.");
  }
}

}  // namespace image_library

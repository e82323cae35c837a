#include "core/reference.h"

#include "core/digest.h"
#include "core/error.h"
#include "core/strings.h"
#include "core/text.h"
#include "core/url.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxRepositoryName = 255;
constexpr char kHint[] = "Write host/repository:tag or host/repository@sha256:<digest>.";

bool IsAlphanumeric(char c) noexcept { return (c >= 'a' && c <= 'z') || IsDigit(c); }

// One part between slashes: alphanumerics joined by one dot, one or two underscores, or dashes.
bool IsNamePart(std::string_view part) noexcept {
  if (part.empty() || !IsAlphanumeric(part.front()) || !IsAlphanumeric(part.back())) return false;
  for (std::size_t i = 0; i < part.size();) {
    if (IsAlphanumeric(part[i])) {
      ++i;
      continue;
    }
    const char separator = part[i];
    std::size_t run = 0;
    while (i < part.size() && part[i] == separator) ++i, ++run;
    const bool allowed =
        separator == '-' || (separator == '.' && run == 1) || (separator == '_' && run <= 2);
    if (!allowed || !IsAlphanumeric(part[i])) return false;
  }
  return true;
}

// The name before the @ of a digest is shown; what precedes any other @ may be user and password.
std::string_view Shown(std::string_view text) {
  const std::size_t at = text.rfind('@');
  const std::string_view last = at == std::string_view::npos ? "" : text.substr(at + 1);
  // A digest of an unknown algorithm, or without one; the port of a host is shorter.
  const std::size_t colon = last.find(':');
  const std::string_view digits = colon == std::string_view::npos ? last : last.substr(colon + 1);
  const bool hexadecimal = digits.size() >= (colon == std::string_view::npos ? 64 : 32) &&
                           digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  const bool digest = (last.starts_with("sha256:") || last.starts_with("sha512:") || hexadecimal) &&
                      last.find('/') == std::string_view::npos &&
                      text.find("://") == std::string_view::npos;
  if (!digest) return WithoutSecrets(text);
  const std::string_view name = WithoutSecrets(text.substr(0, at));
  return name.size() == at ? text.substr(0, text.find_first_of("?#")) : name;
}

[[noreturn]] void Refuse(std::string_view text, const std::string& why) {
  throw Error(ErrorKind::kInvalidArgument,
              "invalid image reference \"" + Scrub(Shown(text), 500) + "\"", why, kHint);
}

}  // namespace

std::string Reference::ToString() const {
  std::string text = host + "/" + repository;
  if (!tag.empty()) text += ":" + tag;
  if (!digest.empty()) text += "@" + digest;
  return text;
}

Reference ParseReference(std::string_view text) {
  const std::string_view all = text;
  Reference reference;
  if (text.find("://") != std::string_view::npos)
    Refuse(all, "It is a URL: leave out what is before the host.");
  if (text.find_first_of(" \t\r\n") != std::string_view::npos)
    Refuse(all, "It has white space, which no reference has.");
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    reference.digest = std::string(text.substr(at + 1));
    if (!IsDigest(reference.digest))
      Refuse(all, "The digest must be sha256: with 64 or sha512: with 128 hexadecimal digits.");
    text = text.substr(0, at);
  }
  const std::size_t slash = text.find('/');
  std::string_view name = text;
  const std::string_view first = text.substr(0, slash);
  // A repository name has no upper-case letters; Docker reads such a part as a host.
  if (slash != std::string_view::npos && (LooksLikeHost(first) || Lower(first) != first)) {
    try {
      reference.host = ParseRegistryUrl(first).host;
    } catch (const Error&) {
      Refuse(all, "The host is no valid name or address.");
    }
    name = text.substr(slash + 1);
  } else {
    reference.host = "docker.io";
    reference.short_name = std::string(name.substr(0, name.find(':')));
  }
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    reference.tag = std::string(name.substr(colon + 1));
    if (!IsTag(reference.tag)) Refuse(all, "The tag is not valid.");
    name = name.substr(0, colon);
  }
  reference.repository = std::string(name);
  if (reference.host == "docker.io" && name.find('/') == std::string_view::npos)
    reference.repository = "library/" + reference.repository;
  if (!IsRepositoryName(reference.repository))
    Refuse(all, "The repository must be lower-case letters, digits and single separators.");
  return reference;
}

bool LooksLikeHost(std::string_view part) noexcept {
  return part == "localhost" || part.find_first_of(".:") != std::string_view::npos;
}

bool IsRepositoryName(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMaxRepositoryName) return false;
  for (;;) {
    const std::size_t slash = text.find('/');
    if (!IsNamePart(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool IsTag(std::string_view text) noexcept {
  if (text.empty() || text.size() > 128 || text.front() == '.' || text.front() == '-') return false;
  for (const char c : text) {
    const bool word = IsAlphanumeric(c) || (c >= 'A' && c <= 'Z') || c == '_';
    if (!word && c != '.' && c != '-') return false;
  }
  return true;
}

}  // namespace image_library

#include "core/version.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <span>

#include "core/strings.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxNumberDigits = 18;  // always fits 64 bits

unsigned TwoDigits(std::string_view text, std::size_t at) {
  return static_cast<unsigned>((text[at] - '0') * 10 + (text[at + 1] - '0'));
}

/// `YYYYMMDDhhmm` of a 10 (YYMMDDhhmm), 12 or 14 digit stamp that is a real time, else empty.
std::string BuildStamp(std::string_view token) {
  if (!IsDigits(token)) return {};
  std::string stamp(token);
  if (stamp.size() == 10) stamp.insert(0, "20");
  if (stamp.size() != 12 && stamp.size() != 14) return {};
  const int year = static_cast<int>(TwoDigits(stamp, 0) * 100 + TwoDigits(stamp, 2));
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(TwoDigits(stamp, 4)),
                                         std::chrono::day(TwoDigits(stamp, 6))};
  const bool seconds_fit = stamp.size() == 12 || TwoDigits(stamp, 12) < 60;
  if (!date.ok() || year < 1990 || year > 2100 || TwoDigits(stamp, 8) > 23 ||
      TwoDigits(stamp, 10) > 59 || !seconds_fit) {
    return {};
  }
  stamp.resize(12);
  return stamp;
}

/// True for `12`, `3.20`, `2204`.
bool IsDottedNumber(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, ".");
  return std::all_of(parts.begin(), parts.end(), IsDigits);
}

// Suites of Debian and Ubuntu, and the names that distributions number.
constexpr auto kSuites =
    std::to_array<std::string_view>({"stretch", "buster", "bullseye", "bookworm", "trixie", "forky",
                                     "duke", "sid", "bionic", "focal", "jammy", "noble", "oracular",
                                     "plucky", "questing", "resolute", "wolfi", "distroless"});
constexpr auto kNumberedSystems = std::to_array<std::string_view>(
    {"ubi",        "alpine", "rhel",      "el",     "ol",     "oraclelinux", "rocky",
     "rockylinux", "alma",   "almalinux", "centos", "fedora", "debian",      "ubuntu",
     "sles",       "sle",    "bci",       "leap",   "photon", "amzn",        "al"});

bool IsNumberedSystem(std::string_view name) {
  return std::find(kNumberedSystems.begin(), kNumberedSystems.end(), name) !=
         kNumberedSystems.end();
}

/// How many of the tokens name an operating system: `bookworm` 1, `ubi9` 1, `debian-12` 2, else 0.
std::size_t OsTokens(std::span<const std::string_view> tokens) {
  const std::string token = Lower(tokens.front());
  if (std::find(kSuites.begin(), kSuites.end(), token) != kSuites.end()) return 1;
  const std::size_t digits = token.find_first_of("0123456789");
  if (digits != std::string::npos) {
    return IsNumberedSystem(token.substr(0, digits)) && IsDottedNumber(token.substr(digits)) ? 1
                                                                                             : 0;
  }
  // `el` or `al` without a number is not an operating system.
  if (!IsNumberedSystem(token) || token.size() < 3) return 0;
  return tokens.size() > 1 && IsDottedNumber(tokens[1]) && BuildStamp(tokens[1]).empty() ? 2 : 1;
}

// Words that mark a version as not yet released (semantic versioning leaves them open).
constexpr auto kPrereleaseWords = std::to_array<std::string_view>(
    {"alpha", "beta", "rc", "preview", "pre", "devel", "dev", "snapshot", "milestone", "nightly"});

/// True for `beta1`, `rc.2`, `alpha`, `RC1`.
bool IsPrerelease(std::string_view token) {
  const std::string lower = Lower(token);
  for (const std::string_view word : kPrereleaseWords) {
    if (!lower.starts_with(word)) continue;
    std::string_view rest = std::string_view(lower).substr(word.size());
    if (rest.empty()) return true;
    if (rest.front() == '.') rest.remove_prefix(1);
    if (IsDottedNumber(rest)) return true;
  }
  return false;
}

/// Reads `17.4`, `v1.8.5`, `18beta1`, `18~beta1`; false leaves version as it was.
bool ParseNumbers(std::string_view token, TagVersion* version) {
  if (token.size() > 1 && (token[0] == 'v' || token[0] == 'V')) token.remove_prefix(1);
  std::vector<std::uint64_t> numbers;
  while (!token.empty() && IsDigit(token.front())) {
    std::size_t length = 0;
    while (length < token.size() && IsDigit(token[length])) ++length;
    if (length > kMaxNumberDigits) return false;
    std::uint64_t number = 0;
    std::from_chars(token.data(), token.data() + length, number);
    numbers.push_back(number);
    token.remove_prefix(length);
    if (token.size() < 2 || token[0] != '.' || !IsDigit(token[1])) break;
    token.remove_prefix(1);
  }
  if (numbers.empty()) return false;
  if (!token.empty() && token.front() == '~') token.remove_prefix(1);
  if (!token.empty() && !IsPrerelease(token)) return false;
  version->numbers = std::move(numbers);
  version->prerelease = token;
  return true;
}

/// True for `7` right after a version with a minor, and for `r3` anywhere.
bool IsRevision(std::string_view token, const TagVersion& version, std::size_t at) {
  constexpr std::size_t kMaxDigits = 3;
  if (token.starts_with('r')) {
    token.remove_prefix(1);
  } else if (at != 1 || version.numbers.size() < 2) {
    return false;  // 18-3-system is PostGIS 3 in PostgreSQL 18
  }
  return IsDigits(token) && token.size() <= kMaxDigits;
}

void AppendWord(std::string_view word, std::string* words) {
  if (!words->empty()) *words += '-';
  *words += word;
}

void AppendNumber(std::uint64_t number, std::string* key) {
  int bytes = 8;
  while (bytes > 1 && (number >> (8 * (bytes - 1))) == 0) --bytes;
  *key += static_cast<char>(bytes);
  for (int i = bytes - 1; i >= 0; --i) *key += static_cast<char>((number >> (8 * i)) & 0xff);
}

}  // namespace

std::string TagVersion::Text() const {
  std::string text;
  for (const std::uint64_t number : numbers) {
    if (!text.empty()) text += '.';
    text += std::to_string(number);
  }
  if (text.empty() || prerelease.empty()) return text;
  // PostgreSQL writes 18beta1, semantic versions write 1.0.0-rc.2.
  const bool semantic = numbers.size() > 2 || prerelease.find('.') != std::string::npos;
  return text + (semantic ? "-" : "") + prerelease;
}

TagVersion ParseTagVersion(std::string_view tag) {
  TagVersion version;
  const std::vector<std::string_view> tokens = Split(tag, "-");
  std::size_t at = 0;
  // A tag that is only a stamp is a build of no known version.
  if (BuildStamp(tokens[0]).empty() && ParseNumbers(tokens[0], &version)) {
    ++at;
    if (at < tokens.size() && version.prerelease.empty() && IsPrerelease(tokens[at])) {
      version.prerelease = tokens[at++];
    }
    // Nor is one whose number would be read as a stamp where it is written: v2503191025,
    // v2503191025rc.2.
    const std::string text = version.Text();
    if (!BuildStamp(std::string_view(text).substr(0, text.find('-'))).empty()) {
      version = TagVersion();
      at = 0;
    }
  }
  while (at < tokens.size()) {
    if (version.build.empty()) {
      version.build = BuildStamp(tokens[at]);
      if (!version.build.empty()) {
        ++at;
        continue;
      }
    }
    if (version.revision.empty() && IsRevision(tokens[at], version, at)) {
      version.revision = tokens[at++];
      continue;
    }
    std::size_t os = 0;
    if (version.os.empty() && !tokens[at].empty()) os = OsTokens(std::span(tokens).subspan(at));
    for (std::size_t i = 0; i < os; ++i) AppendWord(tokens[at + i], &version.os);
    if (os == 0) AppendWord(tokens[at], &version.variant);
    at += std::max<std::size_t>(os, 1);
  }
  return version;
}

// A run of digits is written as '0', its length and its digits; no other character is written as
// '0' or as zero, so no key is a prefix of another.
std::string NaturalKey(std::string_view text) {
  std::string key;
  while (!text.empty()) {
    if (!IsDigit(text.front())) {
      key += static_cast<char>(std::max<unsigned char>(static_cast<unsigned char>(text[0]), 1));
      text.remove_prefix(1);
      continue;
    }
    const std::size_t length = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::size_t zeros = std::min(text.find_first_not_of('0'), length);
    const std::string_view digits = text.substr(zeros, length - zeros);
    key += '0';
    key += static_cast<char>(std::min<std::size_t>(digits.size(), 255));
    key += digits;
    text.remove_prefix(length);
  }
  key += '\0';
  return key;
}

std::string VersionKey(std::string_view tag) {
  const TagVersion version = ParseTagVersion(tag);
  std::string key;
  key += static_cast<char>(version.numbers.empty() ? 0 : 1);
  for (const std::uint64_t number : version.numbers) AppendNumber(number, &key);
  key += '\0';
  if (version.prerelease.empty()) {
    key += '\1';
  } else {
    key += '\0';
    key += NaturalKey(Lower(version.prerelease));
  }
  key += NaturalKey(version.build);
  key += NaturalKey(version.revision);
  key += NaturalKey(version.variant);
  key += NaturalKey(version.os);
  key += tag;  // equal only for equal tags
  return key;
}

}  // namespace image_library

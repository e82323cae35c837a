#include "core/version_range.h"

#include <algorithm>
#include <cstdint>

#include "core/error.h"
#include "core/strings.h"
#include "core/text.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxRangeLength = 1024;
constexpr std::string_view kSeparators = " \t\n,";

[[noreturn]] void Refuse(std::string_view range, const std::string& detail) {
  throw Error(ErrorKind::kInvalidArgument, "invalid version range \"" + Scrub(range, 64) + "\"",
              detail,
              "Write comparisons such as \">=16 <18\", \"17.*\" or \"~17.4\", and || between "
              "alternatives.");
}

/// The next comparison, `>= 16` read as `>=16`; empty at the end.
std::string NextComparison(std::string_view* rest) {
  std::string comparison;
  const auto take = [&](std::string_view characters, bool stop_at) {
    const std::size_t found =
        stop_at ? rest->find_first_of(characters) : rest->find_first_not_of(characters);
    const std::size_t length = std::min(found, rest->size());
    const std::string_view taken = rest->substr(0, length);
    rest->remove_prefix(length);
    return taken;
  };
  take(kSeparators, false);
  comparison += take("<>=!~", false);
  take(kSeparators, false);
  comparison += take(" \t\n,<>=!", true);  // not at ~: 18~beta1 is one version
  return comparison;
}

std::string_view TakeOperator(std::string_view* comparison) {
  for (const std::string_view op : {">=", "<=", "!=", "==", ">", "<", "=", "~"}) {
    if (!comparison->starts_with(op)) continue;
    comparison->remove_prefix(op.size());
    return op;
  }
  return {};
}

bool TakeWildcard(std::string_view* version) {
  const std::size_t before = version->size();
  while (version->ends_with(".*") || version->ends_with(".x")) version->remove_suffix(2);
  return version->size() != before;
}

int CompareNumbers(const std::vector<std::uint64_t>& left,
                   const std::vector<std::uint64_t>& right) {
  for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    const std::uint64_t a = i < left.size() ? left[i] : 0;
    const std::uint64_t b = i < right.size() ? right[i] : 0;
    if (a != b) return a < b ? -1 : 1;
  }
  return 0;
}

int ComparePrereleases(const std::string& left, const std::string& right) {
  if (left.empty() || right.empty()) {
    return static_cast<int>(left.empty()) - static_cast<int>(right.empty());
  }
  return NaturalKey(Lower(left)).compare(NaturalKey(Lower(right)));
}

bool StartsWith(const std::vector<std::uint64_t>& numbers,
                const std::vector<std::uint64_t>& prefix) {
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if ((i < numbers.size() ? numbers[i] : 0) != prefix[i]) return false;
  }
  return true;
}

}  // namespace

VersionRange VersionRange::Parse(std::string_view text) {
  if (text.size() > kMaxRangeLength) Refuse(text, "It is too long.");
  VersionRange range;
  std::string_view rest = text;
  for (bool more = true; more;) {
    const std::size_t bar = rest.find("||");
    more = bar != std::string_view::npos;
    std::string_view alternative = rest.substr(0, bar);
    if (more) rest.remove_prefix(bar + 2);
    std::vector<Bound> bounds;
    bool any = false;
    for (std::string comparison; !(comparison = NextComparison(&alternative)).empty();) {
      if (comparison == "*") {
        any = true;
        continue;
      }
      ParseComparison(text, comparison, &bounds);
    }
    if (bounds.empty() && !any) Refuse(text, "It has no comparison.");
    range.alternatives_.push_back(std::move(bounds));
  }
  return range;
}

void VersionRange::ParseComparison(std::string_view range, std::string_view comparison,
                                   std::vector<Bound>* bounds) {
  const std::string_view whole = comparison;
  const std::string_view op = TakeOperator(&comparison);
  const bool wildcard = TakeWildcard(&comparison);
  TagVersion version = ParseTagVersion(comparison);
  if (version.numbers.empty() || !version.build.empty() || !version.variant.empty() ||
      !version.os.empty()) {
    Refuse(range, "\"" + std::string(whole) + "\" does not compare with a version.");
  }
  if (wildcard && (!version.prerelease.empty() || (!op.empty() && op != "=" && op != "=="))) {
    Refuse(range, "\"" + std::string(whole) + "\" has a wildcard that its comparison cannot use.");
  }
  using Op = Bound::Op;
  if (op == "~") bounds->push_back({Op::kEqual, {version.numbers.front()}, {}});
  const Op parsed = op == "<"                 ? Op::kLess
                    : op == "<="              ? Op::kLessEqual
                    : op == ">"               ? Op::kGreater
                    : op == ">=" || op == "~" ? Op::kGreaterEqual
                    : op == "!="              ? Op::kNotEqual
                                              : Op::kEqual;
  bounds->push_back({parsed, std::move(version.numbers), std::move(version.prerelease)});
}

bool VersionRange::Admits(const Bound& bound, const TagVersion& version) {
  using Op = Bound::Op;
  if (bound.op == Op::kEqual || bound.op == Op::kNotEqual) {
    const bool equal =
        StartsWith(version.numbers, bound.numbers) &&
        (bound.prerelease.empty() || ComparePrereleases(version.prerelease, bound.prerelease) == 0);
    return equal == (bound.op == Op::kEqual);
  }
  int order = CompareNumbers(version.numbers, bound.numbers);
  if (order == 0) order = ComparePrereleases(version.prerelease, bound.prerelease);
  switch (bound.op) {
    case Op::kLess:
      return order < 0;
    case Op::kLessEqual:
      return order <= 0;
    case Op::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

bool VersionRange::Contains(const TagVersion& version) const {
  if (version.numbers.empty()) return false;
  const auto names_prerelease = [&](const Bound& bound) {
    return !bound.prerelease.empty() && CompareNumbers(bound.numbers, version.numbers) == 0;
  };
  const auto admits = [&](const Bound& bound) { return Admits(bound, version); };
  return std::any_of(alternatives_.begin(), alternatives_.end(), [&](const auto& bounds) {
    if (!version.prerelease.empty() &&
        std::none_of(bounds.begin(), bounds.end(), names_prerelease)) {
      return false;
    }
    return std::all_of(bounds.begin(), bounds.end(), admits);
  });
}

// What the bounds leave is an interval of numbers. A bound with a prerelease lets versions in that
// compare lower than its numbers, so that a limit is not strict then.
bool VersionRange::Contradict(const std::vector<Bound>& bounds) {
  using Op = Bound::Op;
  const bool prereleases = std::any_of(
      bounds.begin(), bounds.end(), [](const Bound& bound) { return !bound.prerelease.empty(); });
  struct Limit {
    std::vector<std::uint64_t> numbers;
    bool strict;
  };
  std::vector<Limit> lower, upper;
  for (const Bound& bound : bounds) {
    const bool strict = !prereleases && (bound.op == Op::kGreater || bound.op == Op::kLess);
    if (bound.op == Op::kGreater || bound.op == Op::kGreaterEqual || bound.op == Op::kEqual)
      lower.push_back({bound.numbers, strict});
    if (bound.op == Op::kLess || bound.op == Op::kLessEqual)
      upper.push_back({bound.numbers, strict});
    // `=17.4` admits 17.4.x, and nothing from 17.5 on.
    if (bound.op == Op::kEqual && bound.numbers.back() < UINT64_MAX) {
      upper.push_back({bound.numbers, true});
      ++upper.back().numbers.back();
    }
  }
  return std::any_of(lower.begin(), lower.end(), [&](const Limit& low) {
    return std::any_of(upper.begin(), upper.end(), [&](const Limit& high) {
      const int order = CompareNumbers(low.numbers, high.numbers);
      return order > 0 || (order == 0 && (low.strict || high.strict));
    });
  });
}

bool VersionRange::IsEmpty() const {
  return std::all_of(alternatives_.begin(), alternatives_.end(), Contradict);
}

}  // namespace image_library

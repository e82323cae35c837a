// Ranges in the library's version order.
#ifndef IMAGE_LIBRARY_CORE_VERSION_RANGE_H_
#define IMAGE_LIBRARY_CORE_VERSION_RANGE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/version.h"

namespace image_library {

/// Conjunction of comparisons such as `>=16 <18`, `17.*`, `~17.4` (same major), `=17.4`, with
/// `||` between alternatives. A bound compares numbers only as far as it writes them for `=`;
/// missing numbers are 0 otherwise. Prereleases match only when a bound names a prerelease of the
/// same numbers.
class VersionRange {
 public:
  /// Throws Error kInvalidArgument.
  static VersionRange Parse(std::string_view text);
  bool Contains(const TagVersion& version) const;
  /// True when its comparisons contradict each other, such as `>=18 <16`. False does not prove that
  /// there is a version: of `!=` and of prereleases not everything is looked at.
  bool IsEmpty() const;

 private:
  struct Bound {
    enum class Op { kLess, kLessEqual, kEqual, kGreaterEqual, kGreater, kNotEqual } op;
    std::vector<std::uint64_t> numbers;
    std::string prerelease;
  };
  static void ParseComparison(std::string_view range, std::string_view comparison,
                              std::vector<Bound>* bounds);
  static bool Admits(const Bound& bound, const TagVersion& version);
  static bool Contradict(const std::vector<Bound>& bounds);

  std::vector<std::vector<Bound>> alternatives_;
};

}  // namespace image_library

#endif

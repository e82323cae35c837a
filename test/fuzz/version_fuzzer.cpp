// libFuzzer target: versions in tags, their order, and ranges. Three lines are tags, the fourth is
// a range.
#include "core/version.h"

#include <algorithm>

#include "core/error.h"
#include "core/version_range.h"
#include "fuzz_target.h"

namespace {

using namespace image_library;

std::vector<std::uint64_t> WithoutZeros(std::vector<std::uint64_t> numbers) {
  while (!numbers.empty() && numbers.back() == 0) numbers.pop_back();
  return numbers;
}

void CheckTag(std::string_view tag) {
  const TagVersion version = ParseTagVersion(tag);
  if (version.numbers.empty()) return;
  // A version that is written is read as the same.
  const std::string text = version.Text();
  const TagVersion again = ParseTagVersion(text);
  REQUIRE(again.numbers == version.numbers && again.prerelease == version.prerelease);
  const auto contains = [&](const char* op) {
    return VersionRange::Parse(op + text).Contains(version);
  };
  REQUIRE(contains(">=") && contains("<=") && contains("=") && contains("~"));
  REQUIRE(!contains(">") && !contains("<") && !contains("!="));
}

// -1, 0 or 1.
int Order(std::string_view a, std::string_view b) {
  const int order = VersionKey(a).compare(VersionKey(b));
  return order < 0 ? -1 : order > 0;
}

void CheckOrder(std::string_view a, std::string_view b) {
  const int order = Order(a, b);
  REQUIRE(order == -Order(b, a));
  REQUIRE((order == 0) == (a == b));
  const TagVersion left = ParseTagVersion(a), right = ParseTagVersion(b);
  if (left.numbers.empty() || right.numbers.empty()) {
    // What is no version comes first.
    if (left.numbers.empty() != right.numbers.empty())
      REQUIRE(order == (left.numbers.empty() ? -1 : 1));
    return;
  }
  if (left.numbers != right.numbers) REQUIRE(order == (left.numbers < right.numbers ? -1 : 1));
  if (!left.prerelease.empty() || !right.prerelease.empty()) return;
  // Ranges compare in the same order, but take 17 and 17.0 for the same.
  const bool less = WithoutZeros(left.numbers) < WithoutZeros(right.numbers);
  REQUIRE(VersionRange::Parse("<" + right.Text()).Contains(left) == less);
  REQUIRE(VersionRange::Parse(">=" + right.Text()).Contains(left) == !less);
}

void CheckRange(std::string_view text, const std::vector<std::string_view>& tags) {
  try {
    const VersionRange range = VersionRange::Parse(text);
    const bool empty = range.IsEmpty();
    for (const std::string_view tag : tags)
      REQUIRE(!empty || !range.Contains(ParseTagVersion(tag)));
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::kInvalidArgument);
    if (fuzz::IsStorable(text)) fuzz::RequireReadable(error);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string_view> tags = fuzz::LinesOf(fuzz::TextOf(data, size), 4);
  const std::string_view range = tags[3];
  tags.resize(3);
  for (const std::string_view tag : tags) CheckTag(tag);
  CheckOrder(tags[0], tags[1]);
  CheckOrder(tags[1], tags[2]);
  CheckOrder(tags[0], tags[2]);
  if (Order(tags[0], tags[1]) <= 0 && Order(tags[1], tags[2]) <= 0)
    REQUIRE(Order(tags[0], tags[2]) <= 0);
  CheckRange(range, tags);
  return 0;
}

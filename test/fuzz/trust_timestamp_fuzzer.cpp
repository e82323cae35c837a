// libFuzzer target: timestamps of RFC 3161. The input is the timestamp, or edits of a good one: the
// first byte says which, and an edit is a place in two bytes and a byte.
#include "trust/timestamp.h"
#include "trust_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace image_library::trust;
  using namespace image_library::trust::fuzz;
  static const TrustedRoot* const root =
      new TrustedRoot(ParseTrustedRoot(Instance().TrustedRoot()));
  static const std::string* const good =
      new std::string(test::MakeTimestamp(Instance().timestamper, "message", test::kSignedAt));
  if (size == 0) return 0;
  std::string timestamp(TextOf(data + 1, size - 1));
  if (data[0] % 2 == 1) {
    timestamp = *good;
    for (std::size_t i = 1; i + 2 < size; i += 3)
      timestamp[(data[i] * 256u + data[i + 1]) % timestamp.size()] = static_cast<char>(data[i + 2]);
  }
  Try([&] { REQUIRE(CheckTimestamp(timestamp, "message", *root) == test::kSignedAt); });
  return 0;
}

// libFuzzer target: trusted roots.
#include "trust/trusted_root.h"
#include "trust_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace image_library::trust;
  using namespace image_library::trust::fuzz;
  Try([&] {
    const TrustedRoot root = ParseTrustedRoot(TextOf(data, size));
    REQUIRE(root.logs.size() + root.authorities.size() + root.timestamp_authorities.size() > 0);
    for (const TrustedLog& log : root.logs) REQUIRE(!log.id.empty() && !log.key.der().empty());
    for (const TrustedAuthority& authority : root.authorities)
      REQUIRE(authority.chain.first() != nullptr);
  });
  return 0;
}

// libFuzzer target: which SQL texts may hold a secret.
#include "core/secret_text.h"

#include "fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using image_library::MayHoldSecret;
  const std::string text(image_library::fuzz::TextOf(data, size));
  const bool secret = MayHoldSecret(text);
  // Whatever follows the name, and however the quotes of that end.
  REQUIRE(MayHoldSecret("SELECT set_credential('a', 'b', '" + text));
  REQUIRE(MayHoldSecret("DO $do$ BEGIN PERFORM set_credential('a', 'b', $x$" + text +
                        "$x$); END $do$"));
  // What is a secret by itself is one as a body.
  if (secret && text.find("$do$") == std::string::npos)
    REQUIRE(MayHoldSecret("DO $do$" + text + "$do$"));
  return 0;
}

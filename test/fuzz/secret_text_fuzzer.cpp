// libFuzzer target: which SQL texts may hold a secret. Build and run, from the top folder:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Isrc \
//     test/fuzz/secret_text_fuzzer.cpp src/core/secret_text.cpp -o secret_text_fuzzer
//   ./secret_text_fuzzer -max_total_time=60 -max_len=1024
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/secret_text.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using image_library::MayHoldSecret;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const bool secret = MayHoldSecret(text);
  // Whatever follows the name, and however the quotes of that end.
  Require(MayHoldSecret("SELECT set_credential('a', 'b', '" + text));
  Require(MayHoldSecret("DO $do$ BEGIN PERFORM set_credential('a', 'b', $x$" + text +
                        "$x$); END $do$"));
  // What is a secret by itself is one as a body.
  if (secret && text.find("$do$") == std::string::npos)
    Require(MayHoldSecret("DO $do$" + text + "$do$"));
  return 0;
}

// libFuzzer target: header fields. Build and run, from the top folder:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Isrc \
//     test/fuzz/http_header_fuzzer.cpp src/core/{http_header,text}.cpp -o http_header_fuzzer
//   ./http_header_fuzzer -max_total_time=60 -max_len=4096
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/http_header.h"
#include "core/text.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace image_library;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Challenge& challenge : ParseChallenges(text)) Require(!challenge.scheme.empty());
  if (const auto target = NextLink(text))
    Require(!target->empty() && target->find('>') == std::string::npos &&
            text.find(*target) != std::string_view::npos);
  if (const auto seconds = ParseRetryAfter(text, 1700000000))
    Require(*seconds >= 1 && *seconds <= 3600);
  if (const auto limit = ParseRateLimit(text)) Require(limit->requests >= 0 && limit->window >= 0);
  if (const auto warning = ParseWarning(text))
    Require(!warning->empty() && warning->size() <= 4096 && IsUtf8(*warning));
  (void)ParseHttpDate(text);
  Require(MediaType(text).find(';') == std::string::npos);
  return 0;
}

// libFuzzer target: header fields.
#include "core/http_header.h"
#include "fuzz_target.h"

namespace {

using namespace image_library;

void CheckChallenges(std::string_view text) {
  for (const Challenge& challenge : ParseChallenges(text)) {
    REQUIRE(!challenge.scheme.empty() && Lower(challenge.scheme) == challenge.scheme);
    for (const auto& [name, value] : challenge.params)
      REQUIRE(!name.empty() && Lower(name) == name && value.size() <= text.size());
  }
  // What is quoted as the RFC says is read as it was.
  std::string quoted;
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  const auto challenges = ParseChallenges("Bearer realm=\"" + quoted + "\",service=x");
  REQUIRE(challenges.size() == 1 && challenges[0].params.at("realm") == text &&
          challenges[0].params.at("service") == "x");
}

void CheckLink(std::string_view text) {
  if (const auto target = NextLink(text))
    REQUIRE(!target->empty() && target->find('>') == std::string::npos &&
            text.find(*target) != std::string_view::npos);
  if (!text.empty() && text.find('>') == std::string_view::npos)
    REQUIRE(NextLink("</a>; rel=\"last\", <" + std::string(text) + ">; rel=\"first next\"") ==
            text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::TextOf(data, size);
  CheckChallenges(text);
  CheckLink(text);
  if (const auto seconds = ParseRetryAfter(text, 1700000000))
    REQUIRE(*seconds >= 1 && *seconds <= 3600);
  if (const auto limit = ParseRateLimit(text)) REQUIRE(limit->requests >= 0 && limit->window >= 0);
  if (const auto warning = ParseWarning(text))
    REQUIRE(!warning->empty() && warning->size() <= 4096 && fuzz::IsStorable(*warning));
  (void)ParseHttpDate(text);
  REQUIRE(MediaType(text).find(';') == std::string::npos);
  return 0;
}

// libFuzzer target: text from images and registries, and times.
#include "core/text.h"
#include "core/timestamp.h"

#include "core/base64.h"
#include "core/fact_reader.h"
#include "fuzz_target.h"

namespace {

using namespace image_library;

bool HasControl(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      return true;
  }
  return false;
}

void CheckScrub(std::string_view text) {
  const std::string clean = Scrub(text);
  REQUIRE(IsUtf8(clean) && !HasControl(clean) && clean.size() <= 65536);
  REQUIRE(Scrub(clean) == clean);
  if (IsUtf8(text) && !HasControl(text) && text.size() <= 65536) REQUIRE(clean == text);
  const std::string shorter = Scrub(text, 10);
  REQUIRE(shorter.size() <= 10 && clean.starts_with(shorter));
  REQUIRE(fuzz::IsStorable(Quoted(text)));
}

void CheckTime(std::string_view text) {
  std::string time = NormalizeTimestamp(text);
  if (time.empty()) return;
  REQUIRE(time.size() >= 22 && time.size() <= 29 && time.ends_with("+00"));
  time.resize(time.size() - 3);
  REQUIRE(NormalizeTimestamp(time + "Z") == time + "+00");
}

void CheckBase64(std::string_view text) {
  std::string bytes;
  REQUIRE(DecodeBase64(EncodeBase64(text), &bytes) && bytes == text);
  bytes.clear();
  if (DecodeBase64(text, &bytes)) {
    std::string again;
    REQUIRE(DecodeBase64(EncodeBase64(bytes), &again) && again == bytes);
  } else {
    REQUIRE(bytes.empty());
  }
  if (!DecodeBase64Url(text, &bytes)) bytes.clear();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::TextOf(data, size);
  CheckScrub(text);
  CheckTime(text);
  CheckBase64(text);
  const std::string_view shown = WithoutSecrets(text);
  REQUIRE(shown.find_first_of("@?#") == std::string_view::npos);
  return 0;
}

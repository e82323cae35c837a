// libFuzzer target: references and registry URLs. Build and run, from the top folder:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Isrc \
//     test/fuzz/reference_fuzzer.cpp src/core/{reference,url,digest,text}.cpp \
//     -lcrypto -o reference_fuzzer
//   ./reference_fuzzer -max_total_time=60 -max_len=1024
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/digest.h"
#include "core/error.h"
#include "core/reference.h"
#include "core/text.h"
#include "core/url.h"

namespace {

using namespace image_library;

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckReference(std::string_view text) {
  Reference reference;
  try {
    reference = ParseReference(text);
  } catch (const Error& error) {
    Require(error.kind() == ErrorKind::kInvalidArgument && IsUtf8(error.what()));
    return;
  }
  Require(IsRepositoryName(reference.repository));
  Require(reference.tag.empty() || IsTag(reference.tag));
  Require(reference.digest.empty() || IsDigest(reference.digest));
  // What is written means the same when it is read again, or an approval would be of another image.
  const Reference again = ParseReference(reference.ToString());
  Require(again.host == reference.host && again.repository == reference.repository &&
          again.tag == reference.tag && again.digest == reference.digest);
}

void CheckUrl(std::string_view text) {
  RegistryUrl url;
  try {
    url = ParseRegistryUrl(text);
  } catch (const Error& error) {
    Require(error.kind() == ErrorKind::kInvalidArgument && IsUtf8(error.what()));
    return;
  }
  Require(ParseRegistryUrl(url.ToString()).ToString() == url.ToString());
  Require(url.Origin().find_first_of("@?#% \r\n") == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckReference(text);
  CheckUrl(text);
  return 0;
}

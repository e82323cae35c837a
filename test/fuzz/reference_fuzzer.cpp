// libFuzzer target: references and registry URLs.
#include "core/digest.h"
#include "core/error.h"
#include "core/reference.h"
#include "core/rule.h"
#include "core/url.h"
#include "fuzz_target.h"

namespace {

using namespace image_library;

void CheckReference(std::string_view text) {
  Reference reference;
  try {
    reference = ParseReference(text);
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::kInvalidArgument);
    fuzz::RequireReadable(error);
    return;
  }
  REQUIRE(IsRepositoryName(reference.repository));
  REQUIRE(reference.tag.empty() || IsTag(reference.tag));
  REQUIRE(reference.digest.empty() || IsDigest(reference.digest));
  // What is written means the same when it is read again, or an approval would be of another image.
  const Reference again = ParseReference(reference.ToString());
  REQUIRE(again.host == reference.host && again.repository == reference.repository &&
          again.tag == reference.tag && again.digest == reference.digest);
}

void CheckUrl(std::string_view text) {
  RegistryUrl url;
  try {
    url = ParseRegistryUrl(text);
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::kInvalidArgument);
    fuzz::RequireReadable(error);
    return;
  }
  REQUIRE(ParseRegistryUrl(url.ToString()).ToString() == url.ToString());
  REQUIRE(url.Origin().find_first_of("@?#% \r\n") == std::string::npos);
}

void CheckProxy(std::string_view text) {
  try {
    const std::string url = ParseProxyUrl(text);
    REQUIRE(ParseProxyUrl(url) == url && url.find('@') == std::string::npos);
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::kInvalidArgument);
    fuzz::RequireReadable(error);
  }
}

void CheckReferrerTag(std::string_view text) {
  std::string subject, suffix;
  if (IsReferrerTag(text, &subject, &suffix))
    REQUIRE(IsTag(text) && FallbackTag(subject) + (suffix.empty() ? "" : "." + suffix) == text);
  if (IsDigest(text)) REQUIRE(IsReferrerTag(FallbackTag(text)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::TextOf(data, size);
  CheckReference(text);
  CheckUrl(text);
  CheckProxy(text);
  CheckReferrerTag(text);
  return 0;
}

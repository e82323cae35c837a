// libFuzzer target: URLs as registries send them, and which token servers are trusted. The first
// line is a URL, the second a reference that is resolved against it.
#include "core/host_list.h"
#include "fuzz_target.h"
#include "registry/auth.h"
#include "registry/location.h"

namespace {

using namespace image_library;
using namespace image_library::registry;

void CheckLocation(const std::string& url) {
  const std::optional<Location> location = ParseLocation(url);
  if (!location) return;
  REQUIRE(location->scheme == "http" || location->scheme == "https");
  REQUIRE(!location->host.empty() && Lower(location->host) == location->host);
  REQUIRE(IsDigits(location->port));
  REQUIRE(location->path.starts_with('/'));
  // What was checked is what is asked.
  const std::string written =
      location->Origin() + location->path + (location->query.empty() ? "" : "?" + location->query);
  const std::optional<Location> again = ParseLocation(written);
  REQUIRE(again && again->Origin() == location->Origin() && again->path == location->path &&
          again->query == location->query);
  // Nothing is trusted with credentials over a connection that others can read.
  Location origin{"https", "registry.example.org", "443", "/", ""};
  const RealmTrust trust = TrustRealm(origin, *location);
  REQUIRE(location->scheme == "https" || trust == RealmTrust::kRefused);
  REQUIRE(trust != RealmTrust::kCredentials || location->host.ends_with("example.org"));
  if (IsConfidential(url, true)) REQUIRE(location->scheme == "https");
}

void CheckResolved(const std::string& base, const std::string& reference) {
  const std::optional<std::string> resolved = ResolveUrl(base, reference);
  if (!resolved) return;
  REQUIRE(ParseLocation(*resolved).has_value());
  REQUIRE(resolved->find('#') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::TextOf(data, size);
  const auto lines = fuzz::LinesOf(text, 2);
  std::string url(lines[0]), reference(lines[1]);
  // libcurl refuses header fields with NUL.
  std::erase(url, '\0');
  std::erase(reference, '\0');
  CheckLocation(url);
  CheckLocation(reference);
  CheckResolved(url, reference);
  REQUIRE(HostOf(url).find_first_of("/?#@") == std::string::npos);
  REQUIRE(SameOrganization(url, reference) == SameOrganization(reference, url));
  REQUIRE(
      PercentEncode(text).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                            "0123456789-._~%") == std::string::npos);
  for (const std::string& pattern : SplitHostPatterns(text)) {
    (void)IsHostPattern(pattern);
    (void)MatchesHost({pattern}, url, "443");
  }
  return 0;
}

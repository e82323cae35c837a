// libFuzzer target: pages of lists, links to the next page, and the bodies of refusals. The first
// line is the Link header, the rest is the body.
#include <algorithm>

#include "core/reference.h"
#include "fuzz_target.h"
#include "registry/location.h"
#include "registry/paging.h"
#include "registry/status.h"

namespace {

using namespace image_library;
using namespace image_library::registry;

const Subject kSubject{"tags of repository \"r.test/a\""};

void CheckNext(const Response& response, const std::string& url) {
  std::optional<std::string> next;
  try {
    next = NextPage(response, url, kSubject);
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::kProtocol);
    fuzz::RequireReadable(error);
    return;
  }
  if (!next) return;
  // Credentials go to whom they are for.
  const auto here = ParseLocation(url), there = ParseLocation(*next);
  REQUIRE(!there || (there->Origin() == here->Origin() && there->host == here->host));
}

void CheckNames(const Response& response) {
  const auto accept = [](const std::string& name, const std::string&) {
    return IsTag(name) ? std::optional(name) : std::nullopt;
  };
  NameReader reader("tags", accept, "", 1000, kSubject);
  try {
    const PageCount first = reader.Read(response);
    REQUIRE(first.fresh <= first.entries);
    REQUIRE(reader.bytes() <= reader.MostBytesOf(response));
    REQUIRE(reader.Read(response).fresh == 0);
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::kProtocol || error.kind() == ErrorKind::kTooLarge);
    fuzz::RequireReadable(error);
    return;
  }
  const Listing listing = reader.Take();
  REQUIRE(std::is_sorted(listing.names.begin(), listing.names.end()));
  REQUIRE(std::adjacent_find(listing.names.begin(), listing.names.end()) == listing.names.end());
  REQUIRE(std::all_of(listing.names.begin(), listing.names.end(), IsTag));
}

void CheckRefusal(const Response& response) {
  try {
    ThrowStatus(response, kSubject);
  } catch (const Error& error) {
    fuzz::RequireReadable(error);
    REQUIRE(error.detail().size() < 200);  // no more of the body than its error code
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::TextOf(data, size);
  const std::size_t line = std::min(text.find('\n'), text.size());
  Response response;
  response.status = 200;
  // As libcurl gives it: without NUL.
  std::string link(text.substr(0, line));
  std::erase(link, '\0');
  response.headers = {{"link", link}};
  response.body = text.substr(std::min(line + 1, text.size()));
  CheckNext(response, "https://r.test/v2/a/tags/list?n=100");
  CheckNames(response);
  response.status = 403;
  CheckRefusal(response);
  return 0;
}

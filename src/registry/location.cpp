#include "registry/location.h"

#include <algorithm>
#include <array>
#include <memory>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include "core/error.h"
#include "core/host_list.h"
#include "core/strings.h"
#include "core/text.h"

namespace image_library::registry {

namespace {

struct FreeUrl {
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, FreeUrl>;

// Empty when the URL has no such part.
std::string Part(const Url& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return {};
  const std::unique_ptr<char, decltype(&curl_free)> owned(text, curl_free);
  return owned.get();
}

Url Parse(const std::string& text) {
  Url url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS) != CURLUE_OK) {
    return nullptr;
  }
  return url;
}

// libcurl decodes a percent-encoded host, but does not look at what came out: `%30` is the host 0,
// where 0 is the address 0.0.0.0, and %7f a character that it takes in no host.
bool IsReadAsWritten(const Location& location) {
  const Url again = Parse(location.Origin());
  return again && Lower(Part(again, CURLUPART_HOST)) == location.host;
}

std::optional<Location> ToLocation(const Url& url) {
  Location location;
  location.scheme = Lower(Part(url, CURLUPART_SCHEME));
  if (location.scheme != "http" && location.scheme != "https") return std::nullopt;
  if (!Part(url, CURLUPART_USER).empty() || !Part(url, CURLUPART_PASSWORD).empty() ||
      !Part(url, CURLUPART_ZONEID).empty()) {
    return std::nullopt;
  }
  location.host = Lower(Part(url, CURLUPART_HOST));
  location.port = Part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  location.path = Part(url, CURLUPART_PATH);
  location.query = Part(url, CURLUPART_QUERY);
  if (location.host.empty() || !IsPlain(location.host) || !IsReadAsWritten(location))
    return std::nullopt;
  return location;
}

bool IsAddress(std::string_view host) {
  return host.starts_with('[') || host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// Domains whose subdomains belong to different customers (from the private section of the public
// suffix list: registries and places where a token server may be hosted).
constexpr auto kSharedDomains = std::to_array<std::string_view>(
    {"amazonaws.com", "appspot.com",       "azurecr.io",    "azurecr.us",  "azurewebsites.net",
     "cloudapp.net",  "cloudfront.net",    "cloudsmith.io", "fly.dev",     "github.io",
     "gitlab.io",     "herokuapp.com",     "icr.io",        "jfrog.io",    "netlify.app",
     "ngrok.app",     "ngrok.io",          "onrender.com",  "pages.dev",   "pkg.dev",
     "run.app",       "trycloudflare.com", "vercel.app",    "windows.net", "workers.dev"});

// Position of the last `count` labels, or npos when there are fewer.
std::size_t LastLabels(std::string_view host, int count) {
  std::size_t end = host.size();
  for (int i = 0; i < count; ++i) {
    if (end == 0) return std::string_view::npos;
    const std::size_t dot = host.rfind('.', end - 1);
    if (dot == std::string_view::npos) return i + 1 == count ? 0 : std::string_view::npos;
    end = dot;
  }
  return end + 1;
}

// The name that an organization registered, as far as its form tells; empty in doubt.
std::string_view RegisteredDomain(std::string_view host) {
  const std::size_t two = LastLabels(host, 2);
  if (two == std::string_view::npos) return {};
  const std::string_view domain = host.substr(two);
  const std::size_t dot = domain.find('.');
  // co.uk, com.au, ne.jp: a country code under which a short label is no organization.
  const bool country_suffix = domain.size() - dot - 1 == 2 && dot <= 3;
  const bool shared =
      std::find(kSharedDomains.begin(), kSharedDomains.end(), domain) != kSharedDomains.end();
  if (shared) return {};
  if (!country_suffix) return domain;
  const std::size_t three = LastLabels(host, 3);
  return three == std::string_view::npos ? std::string_view() : host.substr(three);
}

}  // namespace

std::string Location::Origin() const { return scheme + "://" + host + ":" + port; }

std::optional<Location> ParseLocation(const std::string& url) {
  const Url parsed = Parse(url);
  if (!parsed) return std::nullopt;
  return ToLocation(parsed);
}

std::optional<std::string> ResolveUrl(const std::string& base, const std::string& reference) {
  const Url url = Parse(base);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, reference.c_str(), 0) != CURLUE_OK ||
      !ToLocation(url)) {
    return std::nullopt;
  }
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  return Part(url, CURLUPART_URL);
}

std::string HostOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  const std::size_t user = url.rfind('@');
  if (user != std::string_view::npos) url.remove_prefix(user + 1);
  return std::string(url);
}

void RequireAllowedHost(const std::vector<std::string>& allowed, bool by_proxy,
                        const std::string& url) {
  if (allowed.empty() && !by_proxy) return;
  const std::optional<Location> location = ParseLocation(url);
  if (location && MatchesHost(allowed, location->host, location->port)) return;
  throw Error(ErrorKind::kForbiddenAddress,
              "host \"" + Scrub(HostOf(url), 300) + "\" is not allowed",
              allowed.empty() ? "Behind a proxy the addresses of hosts cannot be checked, so hosts "
                                "must be allowed by name."
                              : "It is not in image_library.allowed_hosts.",
              "A superuser can add it to image_library.allowed_hosts.");
}

bool IsConfidential(const std::string& origin, bool by_proxy) {
  const std::optional<Location> location = ParseLocation(origin);
  if (!location) return false;
  if (location->scheme == "https") return true;
  in_addr address;
  const bool is_this_machine = location->host == "localhost" || location->host == "[::1]" ||
                               (inet_pton(AF_INET, location->host.c_str(), &address) == 1 &&
                                (ntohl(address.s_addr) >> IN_CLASSA_NSHIFT) == IN_LOOPBACKNET);
  return is_this_machine && !by_proxy;
}

std::string PercentEncode(std::string_view text) {
  if (text.empty()) return {};
  const std::unique_ptr<char, decltype(&curl_free)> encoded(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), curl_free);
  return encoded ? encoded.get() : "";
}

bool SameOrganization(std::string_view left, std::string_view right) {
  if (left == right) return true;
  if (IsAddress(left) || IsAddress(right)) return false;
  const std::string_view domain = RegisteredDomain(left);
  return !domain.empty() && domain == RegisteredDomain(right);
}

}  // namespace image_library::registry

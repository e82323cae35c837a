// URLs as the client needs them: origins, relative references, hosts that belong together.
#ifndef IMAGE_LIBRARY_REGISTRY_LOCATION_H_
#define IMAGE_LIBRARY_REGISTRY_LOCATION_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace image_library::registry {

/// An absolute http or https URL in parts (RFC 3986); path and query as written.
struct Location {
  std::string scheme;  ///< lower case
  std::string host;    ///< lower case, IPv6 in brackets, without port
  std::string port;    ///< the scheme's own when none was written
  std::string path;    ///< begins with a slash
  std::string query;   ///< without `?`, may be empty

  /// `scheme://host:port`.
  std::string Origin() const;
};

/// Nothing for another scheme, user information, a zone id, a host that is not printable ASCII or
/// that decodes to one that libcurl would read otherwise, or no URL at all.
std::optional<Location> ParseLocation(const std::string& url);

/// Resolves a reference (RFC 3986, section 5); nothing when the result is not a Location.
std::optional<std::string> ResolveUrl(const std::string& base, const std::string& reference);

/// `host` or `host:port` as written in a URL, for messages; never user information, path or query.
std::string HostOf(std::string_view url);

/// Throws Error kForbiddenAddress unless the URL's host is one of `allowed` (core/host_list.h;
/// empty: every host, but none by a proxy, behind which no address can be checked).
void RequireAllowedHost(const std::vector<std::string>& allowed, bool by_proxy,
                        const std::string& url);

/// True when nobody on the network can read what is sent to an origin: https, or this machine
/// without a proxy (`localhost`, 127.0.0.0/8, ::1). A name that only resolves to it does not count.
bool IsConfidential(const std::string& origin, bool by_proxy);

/// RFC 3986 unreserved characters stay, all else is percent-encoded.
std::string PercentEncode(std::string_view text);

/// True when two host names are equal or one organization's: the same domain under a public suffix
/// (`auth.docker.io` and `docker.io`). In doubt false; addresses only match themselves.
bool SameOrganization(std::string_view left, std::string_view right);

}  // namespace image_library::registry

#endif

// The URL of a registry.
#ifndef IMAGE_LIBRARY_CORE_URL_H_
#define IMAGE_LIBRARY_CORE_URL_H_

#include <string>
#include <string_view>

namespace image_library {

/// A registry's address. `https://docker.enterprisedb.com/pgai-platform` has the prefix
/// `pgai-platform`: repositories are named relative to it.
struct RegistryUrl {
  std::string scheme;  ///< `https` or `http`
  /// host or host:port as references write it: without the scheme's port unless the host would be
  /// taken for a repository (`lab:443`); IPv6 as in RFC 5952; `docker.io` for Docker Hub.
  std::string host;
  std::string prefix;  ///< path without slashes at either end, may be empty

  /// `scheme://host[/prefix]`.
  std::string ToString() const;
  /// Where requests go: scheme://host, with Docker Hub's API host for `docker.io`.
  std::string Origin() const;
  /// `prefix/repository`.
  std::string FullName(const std::string& repository) const;
};

/// `https` is assumed when no scheme is written. Throws Error kInvalidArgument with a hint on any
/// other scheme, user information, query, fragment, zone id, a path that is no repository name, or
/// a host that container runtimes cannot read in a reference (underscores, IPv4 within IPv6).
RegistryUrl ParseRegistryUrl(std::string_view text);

/// `scheme://host:port` of an HTTP proxy, `http` when no scheme is written. Throws Error
/// kInvalidArgument with a hint on anything else, including user information, since the URL of a
/// proxy is stored where users can read it.
std::string ParseProxyUrl(std::string_view text);

}  // namespace image_library

#endif

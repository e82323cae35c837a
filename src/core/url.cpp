#include "core/url.h"

#include <utility>

#include <arpa/inet.h>

#include "core/error.h"
#include "core/reference.h"
#include "core/strings.h"
#include "core/text.h"

namespace image_library {
namespace {

constexpr char kHint[] =
    "Write https://host[:port][/path], for example https://registry.example.org.";

[[noreturn]] void Refuse(std::string_view text, const std::string& why, std::string hint = kHint) {
  throw Error(ErrorKind::kInvalidArgument,
              "invalid registry URL \"" + Scrub(WithoutSecrets(text), 500) + "\"", why,
              std::move(hint));
}

// Without leading zeros, so that one server is not two registries.
bool IsPort(std::string_view text) {
  return IsDigits(text) && text.size() <= 5 && text.front() != '0' &&
         std::stoi(std::string(text)) < 65536;
}

bool IsHostName(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  for (const std::string_view label : Split(text, ".")) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
      return false;
    if (label.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") != std::string_view::npos)
      return false;
  }
  return true;
}

bool IsIpv6Address(std::string_view text) {
  in6_addr address;
  return text.find('\0') == std::string_view::npos &&
         inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

bool IsHost(std::string_view text) {
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view rest = text.substr(end + 1);
    return IsIpv6Address(text.substr(1, end - 1)) &&
           (rest.empty() || (rest.front() == ':' && IsPort(rest.substr(1))));
  }
  const std::size_t colon = text.find(':');
  return IsHostName(text.substr(0, colon)) &&
         (colon == std::string_view::npos || IsPort(text.substr(colon + 1)));
}

// An IPv6 address in its one canonical form (RFC 5952), brackets and port as they are.
// Precondition: IsHost(host).
std::string Canonical(const std::string& host) {
  if (host.front() != '[') return host;
  const std::size_t end = host.find(']');
  in6_addr address;
  char text[INET6_ADDRSTRLEN];
  inet_pton(AF_INET6, host.substr(1, end - 1).c_str(), &address);
  inet_ntop(AF_INET6, &address, text, sizeof text);
  return "[" + std::string(text) + host.substr(end);
}

// Hosts that are valid in a reference (distribution/reference, grammar of `domain`). Images of
// another host could be approved, but not pulled. Precondition: host is canonical.
void RequireReadable(std::string_view text, const std::string& host) {
  if (host.find('_') != std::string::npos)
    Refuse(text, "Container runtimes take no host with an underscore in a reference.",
           "Give the host a name of letters, digits, dashes and dots, and write that one.");
  const std::size_t end = host.find(']');
  if (end != std::string::npos && host.find('.') != std::string::npos)
    Refuse(text, "Container runtimes take no IPv6 address with an IPv4 address in a reference.",
           "Write " + host.substr(host.rfind(':', end) + 1, end - host.rfind(':', end) - 1) +
               " instead.");
}

}  // namespace

std::string RegistryUrl::ToString() const {
  return scheme + "://" + host + (prefix.empty() ? "" : "/" + prefix);
}

std::string RegistryUrl::FullName(const std::string& repository) const {
  return prefix.empty() ? repository : prefix + "/" + repository;
}

std::string RegistryUrl::Origin() const {
  return scheme + "://" + (host == "docker.io" ? "registry-1.docker.io" : host);
}

std::string ParseProxyUrl(std::string_view text) {
  const std::size_t end = text.find("://");
  const std::string scheme = end == std::string_view::npos ? "http" : Lower(text.substr(0, end));
  std::string_view host = end == std::string_view::npos ? text : text.substr(end + 3);
  if (host.ends_with('/')) host.remove_suffix(1);
  const std::string authority = Lower(host);
  const bool has_port = authority.rfind(':') != std::string::npos && authority.back() != ']';
  if ((scheme != "http" && scheme != "https") || !has_port || !IsHost(authority)) {
    throw Error(ErrorKind::kInvalidArgument,
                "invalid proxy URL \"" + Scrub(WithoutSecrets(text), 500) + "\"",
                "It must be an HTTP proxy without user and password.",
                "Write http://host:port, for example http://proxy.example.org:3128.");
  }
  return scheme + "://" + Canonical(authority);
}

RegistryUrl ParseRegistryUrl(std::string_view text) {
  const std::string_view all = text;
  RegistryUrl url;
  url.scheme = "https";
  if (const std::size_t end = text.find("://"); end != std::string_view::npos) {
    url.scheme = Lower(text.substr(0, end));
    text.remove_prefix(end + 3);
    if (url.scheme != "https" && url.scheme != "http")
      Refuse(all, "The scheme must be https or http.");
  }
  if (text.find_first_of("?#") != std::string_view::npos)
    Refuse(all, "A registry URL has neither query nor fragment.");
  const std::size_t slash = text.find('/');
  const std::string_view authority = text.substr(0, slash);
  if (authority.find('@') != std::string_view::npos)
    Refuse(all, "User and password belong into image_library.set_credential.");
  if (authority.find('%') != std::string_view::npos)
    Refuse(all, "Zone ids and encoded hosts are not accepted.");
  url.host = Lower(authority);
  if (!IsHost(url.host)) Refuse(all, "The host is no valid name or address.");
  url.host = Canonical(url.host);
  RequireReadable(all, url.host);
  const std::string_view default_port = url.scheme == "https" ? ":443" : ":80";
  if (url.host.ends_with(default_port)) url.host.resize(url.host.size() - default_port.size());
  // In a reference, `lab/app` is a repository of Docker Hub and `lab:443/app` one of host lab.
  if (!LooksLikeHost(url.host)) url.host += default_port;
  if (url.host == "index.docker.io" || url.host == "registry-1.docker.io" ||
      url.host == "registry.hub.docker.com")
    url.host = "docker.io";
  if (slash != std::string_view::npos) {
    std::string_view path = text.substr(slash);
    while (!path.empty() && path.front() == '/') path.remove_prefix(1);
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    if (!path.empty() && !IsRepositoryName(path))
      Refuse(all, Lower(path) == path ? "The path must be the beginning of a repository name."
                                      : "The path must be the beginning of a repository name, "
                                        "which is in lower case.");
    if (path == "v2" || path.ends_with("/v2"))
      Refuse(all, "The path is that of the registry's API: leave /v2 out.");
    url.prefix = std::string(path);
  }
  return url;
}

}  // namespace image_library

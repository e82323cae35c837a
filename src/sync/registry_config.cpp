#include "sync/registry_config.h"

#include "registry/location.h"

namespace image_library::sync {

registry::HttpOptions TransportOptions(const RegistryConfig& config) {
  registry::HttpOptions options;
  options.max_connections = config.max_connections;
  options.requests_per_second = config.requests_per_second;
  options.ca_certificate = config.ca_certificate;
  options.allow_private = config.allow_private;
  options.client_certificate = config.client_certificate;
  options.client_key = config.client_key;
  const std::optional<registry::Location> origin = registry::ParseLocation(config.url.Origin());
  if (origin) options.client_host = origin->host;
  options.proxy = config.proxy;
  options.allowed_hosts = config.allowed_hosts;
  return options;
}

registry::ClientOptions ClientOptionsOf(const RegistryConfig& config) {
  return {config.url, config.credentials, config.realm_hosts, config.reload_credentials};
}

}  // namespace image_library::sync

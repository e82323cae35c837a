#include "sync/check.h"

#include <optional>
#include <utility>

#include "core/error.h"
#include "registry/client.h"
#include "registry/location.h"
#include "sync/check_probe.h"
#include "sync/limits.h"

namespace image_library::sync {

using registry::Client;
using registry::CurlTransport;
using registry::Listing;
using registry::Task;

namespace {

Task<void> ListInto(std::string repository, Client& client, std::vector<std::string>& names) {
  std::optional<Listing> listing = co_await client.ListTags(repository);
  if (!listing)
    throw Error(ErrorKind::kNotFound, "repository \"" + repository + "\" was not found", {},
                "Check the name: it is relative to the registry's URL.");
  names = std::move(listing->names);
}

Task<void> ProbeInto(const RegistryConfig& config, CurlTransport& transport,
                     std::vector<CheckResult>& results) {
  results = co_await ProbeRegistry(config, transport);
}

}  // namespace

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

std::vector<CheckResult> CheckRegistry(const RegistryConfig& config, registry::Waiter& waiter) {
  std::vector<CheckResult> results;
  CurlTransport transport(TransportOptions(config));
  transport.Run(ProbeInto(config, transport, results), waiter);
  return results;
}

std::vector<std::string> ListRepositoryTags(const RegistryConfig& config,
                                            const std::string& repository,
                                            registry::Waiter& waiter) {
  std::vector<std::string> names;
  CurlTransport transport(TransportOptions(config));
  LimitedTransport limits(transport, std::nullopt, config.url.Origin());
  Client client(ClientOptionsOf(config), limits);
  transport.Run(ListInto(repository, client, names), waiter);
  return names;
}

}  // namespace image_library::sync

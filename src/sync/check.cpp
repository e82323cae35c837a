#include "sync/check.h"

#include <optional>
#include <utility>

#include "core/error.h"
#include "registry/client.h"
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

#include "sync/check.h"

#include <optional>
#include <utility>

#include "core/error.h"
#include "registry/client.h"
#include "registry/location.h"

namespace image_library::sync {

using registry::Client;
using registry::CurlTransport;
using registry::Listing;
using registry::TagHead;
using registry::Task;

namespace {

std::string Explain(const Error& error) {
  std::string text = error.what();
  if (!error.detail().empty()) text += ": " + error.detail();
  if (!error.hint().empty()) text += " " + error.hint();
  return text;
}

Task<void> CheckReach(const RegistryConfig& config, Client& client,
                      std::vector<CheckResult>& results) {
  try {
    co_await client.Ping();
  } catch (const Error& error) {
    const bool reached = error.kind() == ErrorKind::kUnauthorized;
    results.push_back(
        {"reach", reached, reached ? "answers at " + config.url.ToString() : Explain(error)});
    if (reached) results.push_back({"auth", false, Explain(error)});
    co_return;
  }
  results.push_back({"reach", true, "answers at " + config.url.ToString()});
  const std::string with =
      config.credentials.empty() ? "no credential is set" : "credential is set";
  results.push_back({"auth", true, client.authentication() + ", " + with});
}

// The name of a repository to look at; empty when none is known.
Task<std::string> CheckCatalogue(const RegistryConfig& config, Client& client,
                                 std::vector<CheckResult>& results) {
  const std::vector<std::string> literal = config.rules.LiteralRepositories();
  std::string example = literal.empty() ? std::string() : literal.front();
  const bool needed = config.rules.WantsCatalog();
  try {
    const Listing catalogue = co_await client.ListRepositories();
    results.push_back(
        {"catalogue", true, std::to_string(catalogue.names.size()) + " repositories"});
    if (example.empty() && !catalogue.names.empty()) example = catalogue.names.front();
  } catch (const Error& error) {
    results.push_back(
        {"catalogue", !needed,
         needed
             ? Explain(error) + " A rule with a wildcard needs it: name the repositories instead."
             : "not offered, and no rule needs it"});
  }
  co_return example;
}

Task<void> CheckRepository(std::string repository, Client& client,
                           std::vector<CheckResult>& results) {
  std::string tag;
  try {
    const std::optional<Listing> listing = co_await client.ListTags(repository);
    if (!listing) {
      results.push_back({"tags", false, "repository \"" + repository + "\" was not found"});
      co_return;
    }
    results.push_back(
        {"tags", true, std::to_string(listing->names.size()) + " tags in " + repository});
    if (!listing->names.empty()) tag = listing->names.back();
  } catch (const Error& error) {
    results.push_back({"tags", false, Explain(error)});
    co_return;
  }
  if (tag.empty()) co_return;
  std::string digest;
  try {
    const TagHead head = co_await client.HeadTag(repository, tag);
    digest = head.digest;
    results.push_back({"manifest", head.found,
                       !head.found      ? "tag \"" + tag + "\" is listed but not found"
                       : digest.empty() ? "no digest in the answer: each check reads the manifest"
                                        : repository + ":" + tag + " is " + digest});
  } catch (const Error& error) {
    results.push_back({"manifest", false, Explain(error)});
  }
  if (digest.empty()) co_return;
  try {
    const bool offered = (co_await client.ListReferrers(repository, digest)).has_value();
    results.push_back({"referrers", true,
                       offered ? "referrers API" : "no referrers API: fallback tags are read"});
  } catch (const Error& error) {
    results.push_back({"referrers", false, Explain(error)});
  }
}

Task<void> CheckAll(const RegistryConfig& config, Client& client,
                    std::vector<CheckResult>& results) {
  co_await CheckReach(config, client, results);
  if (!results.back().ok) co_return;
  std::string repository = co_await CheckCatalogue(config, client, results);
  if (repository.empty())
    results.push_back({"tags", false, "no repository is known: add a rule that names one"});
  else
    co_await CheckRepository(std::move(repository), client, results);
}

Task<void> ListInto(std::string repository, Client& client, std::vector<std::string>& names) {
  std::optional<Listing> listing = co_await client.ListTags(repository);
  if (!listing)
    throw Error(ErrorKind::kNotFound, "repository \"" + repository + "\" was not found", {},
                "Check the name: it is relative to the registry's URL.");
  names = std::move(listing->names);
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
  Client client(ClientOptionsOf(config), transport);
  transport.Run(CheckAll(config, client, results), waiter);
  return results;
}

std::vector<std::string> ListRepositoryTags(const RegistryConfig& config,
                                            const std::string& repository,
                                            registry::Waiter& waiter) {
  std::vector<std::string> names;
  CurlTransport transport(TransportOptions(config));
  Client client(ClientOptionsOf(config), transport);
  transport.Run(ListInto(repository, client, names), waiter);
  return names;
}

}  // namespace image_library::sync

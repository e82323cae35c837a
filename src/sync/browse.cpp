#include "sync/browse.h"

#include <chrono>
#include <cstddef>
#include <exception>
#include <utility>

#include "registry/client.h"
#include "registry/listing_turn.h"
#include "sync/deadline.h"
#include "sync/limits.h"
#include "sync/problem.h"

namespace image_library::sync {

using registry::Client;
using registry::CurlTransport;
using registry::Group;
using registry::Listing;
using registry::ListingTurn;
using registry::Task;
using registry::Transport;

namespace {

constexpr std::size_t kAtOnce = 4;

// What a run would go on with later ends here.
Error OfBudget(const Error& error) {
  return Error(error.kind(), error.what(), error.detail(),
               "Nothing is kept of what was listed: ask for less, or see the limits of the "
               "registry and image_library.run_timeout.");
}

Error OfCatalogue(const Error& error, bool has_credential) {
  std::string hint;
  if (error.kind() == ErrorKind::kUnauthorized)
    hint = has_credential
               ? "image_library.check_registry tells whether the registry takes the credential. "
               : "Set a credential with image_library.set_credential. ";
  return Error(error.kind(), error.what(), error.detail(),
               hint +
                   "Many registries do not list their repositories. Rules that name them "
                   "without a wildcard work all the same, and so does image_library.list_tags.");
}

// Lists repositories side by side, large ones one after another.
class TagLister {
 public:
  TagLister(const RegistryConfig& config, Transport& transport,
            std::vector<std::string> repositories)
      : registry_(config.name), client_(ClientOptionsOf(config), transport) {
    for (std::string& name : repositories) listed_.push_back({std::move(name), {}, {}});
  }

  Task<std::vector<ListedRepository>> Run() {
    Group group(kAtOnce);
    for (ListedRepository& repository : listed_) {
      Task<void> task = List(repository);
      co_await group.Spawn(std::move(task));
    }
    co_await group.Join();
    co_return std::move(listed_);
  }

 private:
  Task<void> List(ListedRepository& repository) {
    ListingTurn turn(large_);
    std::exception_ptr failure;
    try {
      std::optional<Listing> listing = co_await client_.ListTags(repository.name, &turn);
      if (!listing) throw NoRepository(repository.name, registry_);
      Keep(repository, std::move(listing->names));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kBudget)
        failure = std::make_exception_ptr(OfBudget(error));
      else
        repository.failure = error;
    } catch (...) {
      failure = std::current_exception();
    }
    turn.Leave();
    if (failure) std::rethrow_exception(failure);
  }

  void Keep(ListedRepository& repository, std::vector<std::string> tags) {
    std::size_t bytes = 0;
    for (const std::string& tag : tags) bytes += sizeof tag + tag.size();
    if (kept_ > 0 && kept_ + bytes > registry::limit::kListing)
      throw Error(ErrorKind::kTooLarge,
                  "the repositories together have more tags than memory is taken for", {},
                  "Ask for fewer repositories at a time.");
    kept_ += bytes;
    repository.tags = std::move(tags);
  }

  std::string registry_;
  Client client_;
  registry::Mutex large_;
  std::vector<ListedRepository> listed_;
  std::size_t kept_ = 0;  // bytes of tags
};

// The way to a registry of which a run's limits hold.
struct Way {
  Way(const RegistryConfig& config, int seconds)
      : http(TransportOptions(config)),
        limits(http, config.requests_per_run, config.url.Origin()),
        deadline(limits, std::chrono::seconds(seconds)) {}

  CurlTransport http;
  LimitedTransport limits;
  DeadlineTransport deadline;
};

template <typename Result>
Task<void> Into(Task<Result> task, Result& result) {
  result = co_await task;
}

}  // namespace

Task<std::vector<std::string>> FindRepositories(const RegistryConfig& config, Transport& transport,
                                                Pattern pattern) {
  Client client(ClientOptionsOf(config), transport);
  std::vector<std::string> names;
  try {
    Listing listing = co_await client.ListRepositories();
    names = std::move(listing.names);
  } catch (const Error& error) {
    switch (error.kind()) {
      case ErrorKind::kBudget:
        throw OfBudget(error);
      case ErrorKind::kUnauthorized:
      case ErrorKind::kNotFound:
      case ErrorKind::kProtocol:
        throw OfCatalogue(error, !config.credentials.empty());
      default:
        throw;
    }
  }
  std::erase_if(names, [&](const std::string& name) { return !pattern.Matches(name); });
  co_return std::move(names);
}

Task<std::vector<ListedRepository>> ListTagsOf(const RegistryConfig& config, Transport& transport,
                                               std::vector<std::string> repositories) {
  TagLister lister(config, transport, std::move(repositories));
  std::vector<ListedRepository> listed = co_await lister.Run();
  co_return std::move(listed);
}

std::vector<std::string> BrowseRepositories(const RegistryConfig& config, const Pattern& pattern,
                                            int seconds, registry::Waiter& waiter) {
  std::vector<std::string> names;
  Way way(config, seconds);
  way.http.Run(Into(FindRepositories(config, way.deadline, pattern), names), waiter);
  return names;
}

std::vector<ListedRepository> BrowseTags(const RegistryConfig& config,
                                         std::vector<std::string> repositories, int seconds,
                                         registry::Waiter& waiter) {
  std::vector<ListedRepository> listed;
  Way way(config, seconds);
  way.http.Run(Into(ListTagsOf(config, way.deadline, std::move(repositories)), listed), waiter);
  return listed;
}

}  // namespace image_library::sync

// The sync of one registry: what to fetch, in what order, and what to make of it.
#ifndef IMAGE_LIBRARY_SYNC_ENGINE_H_
#define IMAGE_LIBRARY_SYNC_ENGINE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "core/error.h"
#include "registry/client.h"
#include "registry/task.h"
#include "sync/catalog.h"

namespace image_library::sync {

struct EngineOptions {
  /// A listing that lost more than this share of the known tags of its repository (percent) is
  /// refused: caches with a dead upstream answer 200 with what they happen to hold.
  int max_removal_percent = 50;
  /// Repositories read side by side.
  std::size_t repositories_at_once = 8;
  /// Tags of a repository read side by side.
  std::size_t tags_at_once = 32;
  /// New images written in one transaction.
  std::size_t images_per_batch = 500;
  /// Temporary failures in a row after which the run gives the registry up until the next time.
  int failures_to_stop = 5;
};

/// How a run ended.
struct RunResult {
  Outcome outcome = Outcome::kComplete;
  std::string error;  ///< why it failed or stopped early; empty otherwise
  std::string hint;
  RunStatistics statistics;
  std::int64_t retry_after = 0;  ///< seconds the registry asked to be left alone
  std::string token_server;      ///< host that gave the tokens; empty: none did
  std::string warning;           ///< the registry's last Warning header
};

/// One run over one registry. Trouble with a tag is recorded and the rest of its repository goes
/// on; trouble with a repository is recorded and the other repositories go on; a registry that
/// cannot be reached at all fails the run. Nothing is removed unless a complete listing lacks it
/// and its manifest answers 404.
class Engine {
 public:
  /// All arguments must outlive the engine.
  Engine(const RegistryConfig& config, Catalog& catalog, registry::Client& client,
         EngineOptions options = {});

  /// Never throws image_library::Error; what the Catalog throws passes through.
  registry::Task<void> Run();

  /// Valid when Run has ended. Requests, bytes and retries are the caller's to fill in.
  const RunResult& result() const noexcept { return result_; }

 private:
  struct RepositoryRun;

  registry::Task<std::vector<std::string>> FindRepositories();
  registry::Task<void> SyncRepository(std::string name);
  registry::Task<void> ReadRepository(RepositoryRun& run);
  registry::Task<void> SyncTag(RepositoryRun& run, std::string tag, const Rule* rule);
  registry::Task<void> ReadTag(RepositoryRun& run, std::string tag, const Rule* rule);
  registry::Task<void> ReadImage(RepositoryRun& run, FoundTag tag, const Rule* rule,
                                 std::optional<registry::FetchedManifest> manifest);
  registry::Task<Image> FetchImage(std::string repository, registry::FetchedManifest manifest,
                                   const Rule* rule);
  registry::Task<void> FetchPlatforms(std::string repository, const Manifest& index,
                                      const Rule* rule, int depth,
                                      std::vector<FetchedPlatform>& platforms);
  registry::Task<void> FetchConfig(std::string repository, FetchedPlatform& platform);
  registry::Task<void> FindMissing(RepositoryRun& run);
  registry::Task<void> ReadReferrerTags(RepositoryRun& run);
  registry::Task<void> ReadReferrerTag(RepositoryRun& run, std::string tag);
  registry::Task<void> ReadReferrers(RepositoryRun& run, std::string digest);

  void ForgetProblems(RepositoryRun& run) const;
  void Flush(RepositoryRun& run);
  void Record(RepositoryRun& run, const std::string& tag, const Error& error);
  void NoteFailure(const Error& error);
  void NoteSuccess() noexcept { failures_in_a_row_ = 0; }

  const RegistryConfig& config_;
  Catalog& catalog_;
  registry::Client& client_;
  EngineOptions options_;
  RunResult result_;
  bool stopped_ = false;
  std::size_t repositories_read_ = 0;
  std::optional<Error> first_refusal_;  // of a repository that could not be listed
  int failures_in_a_row_ = 0;
};

/// Syncs one registry over the network: transport, client and engine together.
RunResult SyncRegistry(const RegistryConfig& config, Catalog& catalog, registry::Waiter& waiter,
                       EngineOptions options = {});

/// Digest of a sorted listing.
std::string ListingFingerprint(const std::vector<std::string>& tags);

}  // namespace image_library::sync

#endif

// The sync of one registry: what to fetch, in what order, and what to make of it.
#ifndef IMAGE_LIBRARY_SYNC_ENGINE_H_
#define IMAGE_LIBRARY_SYNC_ENGINE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "registry/client.h"
#include "registry/task.h"
#include "sync/batch_writer.h"
#include "sync/catalog.h"
#include "sync/deadline.h"
#include "sync/image_reader.h"
#include "sync/limits.h"
#include "sync/repository_run.h"
#include "sync/room.h"

namespace image_library::sync {

struct EngineOptions {
  /// A listing that lost more than this share of the known tags of its repository (percent) is
  /// refused: caches with a dead upstream answer 200 with what they happen to hold.
  int max_removal_percent = 50;
  /// Repositories read side by side.
  std::size_t repositories_at_once = 8;
  /// Tags of a repository read side by side.
  std::size_t tags_at_once = 32;
  /// New images, or tags, written in one transaction ...
  std::size_t images_per_batch = 500;
  /// ... or fewer, of so many bytes of text.
  std::size_t bytes_per_batch = 2u << 20;
  /// Temporary failures in a row after which the run gives the registry up until the next time.
  int failures_to_stop = 5;
  /// How long a run may take, in seconds; 0: no limit.
  int run_timeout = 0;
};

/// How a run ended.
struct RunResult {
  Outcome outcome = Outcome::kComplete;
  std::string error;  ///< why it failed or stopped early; empty otherwise
  std::string hint;
  RunStatistics statistics;
  bool limited = false;          ///< the registry's own limit was met
  std::int64_t retry_after = 0;  ///< seconds it then asked to be left alone; 0: it did not say
  Progress progress;             ///< where the next run goes on
  registry::Abilities abilities;
  std::string token_server;  ///< host that gave the tokens; empty: none did
  std::string warning;       ///< the registry's last Warning header
};

/// One run over one registry. Trouble with a tag is recorded and the rest of its repository goes
/// on; trouble with a repository is recorded and the other repositories go on; a registry that
/// cannot be reached at all fails the run. Nothing is removed unless a complete listing lacks it
/// and its manifest answers 404.
///
/// With a budget of requests, or after a run that the registry's limit or its deadline ended, the
/// order of work is that of Progress; otherwise each repository is read to its end while it is at
/// hand.
class Engine {
 public:
  /// All arguments must outlive the engine; the client sends through the deadline, and that through
  /// the limits.
  Engine(const RegistryConfig& config, Catalog& catalog, registry::Client& client,
         const LimitedTransport& limits, DeadlineTransport& deadline, EngineOptions options = {});

  /// Never throws image_library::Error; what the Catalog throws passes through.
  registry::Task<void> Run();

  /// Valid when Run has ended. Bytes and retries are the caller's to fill in.
  const RunResult& result() const noexcept { return result_; }

 private:
  // engine.cpp: repositories and tags
  registry::Task<std::vector<std::string>> FindRepositories();
  registry::Task<void> SyncEverything(std::vector<std::string> repositories);
  void NoteUnfinished(const std::string& repository);
  registry::Task<void> SyncRepository(std::string name);
  registry::Task<void> SyncInTurn(std::string name, registry::ListingTurn& turn);
  registry::Task<void> ReadRepository(RepositoryRun& run);
  registry::Task<void> List(RepositoryRun& run);
  registry::Task<void> SyncTags(RepositoryRun& run, const std::vector<TagDecision>& tags);
  registry::Task<void> SyncTag(RepositoryRun& run, std::string tag, const Rule* rule);
  registry::Task<void> ReadTag(RepositoryRun& run, std::string tag, const Rule* rule,
                               Room::Place& place);
  registry::Task<bool> ReadImage(RepositoryRun& run, FoundTag tag,
                                 std::optional<registry::FetchedManifest> manifest,
                                 Room::Place& place);
  registry::Task<bool> ReadNewImage(RepositoryRun& run, const FoundTag& tag,
                                    std::optional<registry::FetchedManifest> manifest,
                                    Room::Place& place);
  void AddTag(RepositoryRun& run, FoundTag tag);

  // storing.cpp: what is written, and when
  bool IsFull(const Batch& batch) const;
  registry::Task<void> Flush(RepositoryRun& run);
  registry::Task<void> WriteBatch(RepositoryRun& run);
  bool WasRefused(RepositoryRun& run, const FoundTag& tag);

  // rounds.cpp: the order of work of a run that a limit may end
  registry::Task<void> SyncInRounds(std::vector<std::string> repositories);
  registry::Task<bool> ListRound(const std::vector<std::string>& repositories, std::size_t& at,
                                 bool half);
  bool HalfIsUsed() const;
  registry::Task<void> LookRound(const std::vector<std::string>& repositories);
  registry::Task<void> LookAtRepository(std::string name);

  // removals.cpp: what is no longer there
  registry::Task<void> FindMissing(RepositoryRun& run);
  void ForgetProblems(RepositoryRun& run) const;

  // referrers.cpp: what hangs on images
  registry::Task<void> ReadReferrerTags(RepositoryRun& run);
  registry::Task<void> ReadReferrerTag(Batch& batch, std::string subject, std::string tag);
  registry::Task<void> ReadNewReferrers(RepositoryRun& run, std::string subject);
  registry::Task<bool> ReadReferrerApi(Batch& batch, std::string subject,
                                       std::map<std::string, std::string> known);
  registry::Task<std::optional<Referrer>> ToReferrer(std::string repository, std::string subject,
                                                     Descriptor descriptor);
  registry::Task<void> RefreshReferrers();
  registry::Task<void> RefreshReferrersOf(DueReferrers due);

  // completion.cpp: what was not there when an image was read, or is gone since
  registry::Task<void> CompleteImage(Batch& batch, const DueReferrers& due);
  registry::Task<void> ReadAgain(Batch& batch, const DueReferrers& due, Room::Place& place);
  registry::Task<void> LookForChildren(Batch& batch, const DueReferrers& due);

  // problems.cpp: what is said of what went wrong
  void Record(RepositoryRun& run, const std::string& tag, const Error& error);
  void Warn(RepositoryRun& run, const std::string& tag, const char* problem, std::string detail);
  void NoteFailure(const Error& error);
  void NoteSuccess() noexcept { failures_in_a_row_ = 0; }
  void Stop(const Error& error);
  struct Mark {
    std::int64_t requests;
    DeadlineTransport::Seconds time;
  };
  Mark Now() const { return {limits_.sent(), deadline_.elapsed()}; }
  bool TookTooMuch(const Mark& before) const;

  const RegistryConfig& config_;
  Catalog& catalog_;
  registry::Client& client_;
  const LimitedTransport& limits_;
  DeadlineTransport& deadline_;
  EngineOptions options_;
  Room room_;
  registry::Semaphore large_listing_{1};
  ImageReader reader_;
  BatchWriter writer_;
  RunResult result_;
  Progress progress_;
  bool in_rounds_ = false;
  bool stopped_ = false;
  bool resume_here_ = false;  // stopped in the repository at hand, which the next run begins with
  std::string first_unfinished_;  // of the repositories that a stop left
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

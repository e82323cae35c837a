// One run over one registry: the order of work, and where it stops.
#ifndef IMAGE_LIBRARY_SYNC_REGISTRY_RUN_H_
#define IMAGE_LIBRARY_SYNC_REGISTRY_RUN_H_

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "registry/client.h"
#include "registry/task.h"
#include "sync/deadline.h"
#include "sync/limits.h"
#include "sync/progress.h"
#include "sync/registry_config.h"
#include "sync/repository_sync.h"
#include "sync/run_context.h"
#include "sync/run_options.h"
#include "sync/run_report.h"
#include "sync/run_result.h"
#include "sync/store.h"

namespace image_library::sync {

/// Trouble with a repository is recorded and the other repositories are read; a registry that
/// cannot be reached, or that lets nobody list anything, fails the run.
///
/// With a budget of requests, or after a run that the registry's limit or its deadline ended, the
/// order of work is that of Progress; otherwise repositories are read side by side, each to its
/// end.
class RegistryRun {
 public:
  /// All arguments must outlive the run; the client sends through the deadline, and that through
  /// the limits.
  RegistryRun(const RegistryConfig& config, Store& store, registry::Client& client,
              const LimitedTransport& limits, DeadlineTransport& deadline, RunOptions options = {});

  /// Reads the registry; once. Never throws Error; what the Store throws passes through.
  registry::Task<void> Execute();

  /// Valid when Execute has ended. What only the network knows (bytes, retries, token server,
  /// warning) is the caller's to fill in.
  const RunResult& result() const noexcept { return result_; }

  /// What it has done so far.
  RunReport Report() const;

 private:
  registry::Task<std::vector<std::string>> FindRepositories();
  registry::Task<void> RecordRefusedCatalogue(Error refusal);
  void ForgetOtherProblems(const std::vector<std::string>& repositories);
  registry::Task<void> ReadRegistry();
  registry::Task<void> TakeRequests();
  registry::Task<void> LookAt(RequestedRepository requested);
  registry::Task<std::string> LookAtParts(const RequestedRepository& requested);
  registry::Task<void> SyncSideBySide(std::vector<std::string> repositories);
  registry::Task<void> SyncInRounds(std::vector<std::string> repositories);
  registry::Task<bool> ListRound(const std::vector<std::string>& repositories, std::size_t& at,
                                 bool half);
  registry::Task<void> LookRound(const std::vector<std::string>& repositories);
  registry::Task<void> LookAtRepository(std::string name);
  registry::Task<void> SyncOne(std::string name);
  registry::Task<bool> SyncRepository(std::string name);
  registry::Task<bool> SyncInTurn(std::string name, registry::ListingTurn& turn);
  void NoteUnfinished(const std::string& repository);
  void Finish();

  RunContext context_;
  const LimitedTransport& limits_;
  const DeadlineTransport& deadline_;
  RunResult result_;
  Progress progress_;
  const bool in_rounds_;
  std::string first_unfinished_;             // by name, of the repositories that a stop left
  std::optional<std::size_t> repositories_;  // to be read
  std::size_t repositories_done_ = 0;
  std::size_t repositories_listed_ = 0;
  std::optional<Error> first_refusal_;      // of a repository that could not be listed
  std::set<std::string> reading_;           // repositories that are being read at this moment
  std::set<std::string> taken_;             // requests that this run has taken
  DeadlineTransport::Seconds asked_at_{0};  // when it last asked for requests
  std::set<std::string> unlisted_;  // patterns of rules that need a catalogue which is refused
};

}  // namespace image_library::sync

#endif

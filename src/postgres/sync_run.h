// One run of one registry, from the row that announces it to the row that tells how it went.
#ifndef IMAGE_LIBRARY_POSTGRES_SYNC_RUN_H_
#define IMAGE_LIBRARY_POSTGRES_SYNC_RUN_H_

#include <cstdint>
#include <functional>
#include <string>

#include "postgres/store.h"
#include "postgres/database.h"
#include "registry/http.h"
#include "sync/answer_watch.h"
#include "sync/run_result.h"

namespace image_library::postgres {

/// Waits on this process's latch, so that SIGTERM, a cancel, a settings change and the end of the
/// extension are obeyed while a registry hangs. For one transport: its descriptor stays registered.
class LatchWaiter : public registry::Waiter {
 public:
  explicit LatchWaiter(Database& database) : database_(database) {}
  /// For a worker, which gives up a registry that does not answer while others wait for a worker:
  /// Wait throws Error kUnreachable.
  LatchWaiter(Database& database, const sync::AnswerWatch& watch)
      : database_(database), watch_(&watch) {}
  ~LatchWaiter() override;
  LatchWaiter(const LatchWaiter&) = delete;
  LatchWaiter& operator=(const LatchWaiter&) = delete;

  void Wait(int descriptor, int timeout_ms) override;

 private:
  void WaitForEvents(int descriptor, long timeout_ms);
  void GiveUpForOthers() const;

  Database& database_;
  const sync::AnswerWatch* watch_ = nullptr;
  TimestampTz next_check_ = 0;
  WaitEventSet* events_ = nullptr;  ///< this process's latch, the postmaster's end, the descriptor
  int descriptor_ = -1;             ///< in it
};

/// Whose run it is: a worker gives up a registry that does not answer while others wait for it.
enum class Runner { kWorker, kSession };

/// A run and the number of its row.
struct Run {
  std::string number;  ///< empty until the row is written
  sync::RunResult result;

  /// `registry "hub", run 17`, for people.
  std::string Name(const std::string& registry) const;
};

/// A line for people about how far a run is.
using Report = std::function<void(const std::string& line)>;

/// Syncs the registry and keeps the run's row. Precondition: its SyncLock is held. What ends a run
/// early (an error of the database, a cancel) is recorded and thrown again; run has its number
/// then. report gets how far the run is, about once a second.
void RunSync(Database& database, std::int32_t registry_id, Runner runner, const Report& report,
             Run& run);

/// Looks at the repositories of the registry that were requested, by a worker; its schedule stays.
/// Precondition: its SyncLock is held. Trouble is stored beside the requests, which are tried again
/// later; what the database itself refuses is thrown after that.
void LookAtRequested(Database& database, std::int32_t registry_id, const Report& report);

}  // namespace image_library::postgres

#endif

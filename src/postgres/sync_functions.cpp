// The procedure sync.
#include <chrono>

#include "core/error.h"
#include "postgres/board.h"
#include "postgres/bridge.h"
#include "postgres/datum.h"
#include "postgres/primary.h"
#include "postgres/registry_lock.h"
#include "postgres/settings.h"
#include "postgres/sync_run.h"
#include "postgres/wait_event.h"
#include "sync/run_report.h"

extern "C" {
#include "tcop/utility.h"
}

using namespace image_library;            // NOLINT: a file of glue
using namespace image_library::postgres;  // NOLINT

namespace {

void Notice(const std::string& line) {
  const char* const text = line.c_str();
  Call([&] { ereport(NOTICE, (errmsg("%s", text))); });
}

void Warn(const std::string& message, const std::string& detail, const std::string& hint) {
  const char* const texts[] = {message.c_str(), detail.c_str(), hint.c_str()};
  Call([&] {
    ereport(WARNING, (errmsg("%s", texts[0]), *texts[1] != '\0' ? errdetail("%s", texts[1]) : 0,
                      *texts[2] != '\0' ? errhint("%s", texts[2]) : 0));
  });
}

// Shows how far a sync is: in pg_stat_activity at each report, and by a NOTICE now and then. The
// statement's own text, or what stands there for a secret, is put back at the end.
class SessionProgress {
 public:
  SessionProgress()
      : statement_(Value([] { return pgstat_get_backend_current_activity(MyProcPid, false); })) {}
  // Raises no error.
  ~SessionProgress() { pgstat_report_activity(STATE_RUNNING, statement_.c_str()); }
  SessionProgress(const SessionProgress&) = delete;
  SessionProgress& operator=(const SessionProgress&) = delete;

  void Report(const std::string& line) {
    const std::string text = "CALL image_library.sync: " + line;
    const char* const activity = text.c_str();
    Call([&] { pgstat_report_activity(STATE_RUNNING, activity); });
    const Clock::time_point now = Clock::now();
    if (now - told_at_ < kNoticeEvery) return;
    told_at_ = now;
    Notice(line);
  }

  std::chrono::duration<double> Elapsed() const { return Clock::now() - began_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kNoticeEvery{10};

  const std::string statement_;
  const Clock::time_point began_ = Clock::now();
  Clock::time_point told_at_ = began_;
};

constinit bool wakes_at_exit = false;  // this session is in CALL sync
constinit bool exit_callback_registered = false;

void OnExit(int, Datum) {
  if (wakes_at_exit) Post(MyDatabaseId);
}

// Wakes the agent when the session holds no registry's lock any more, however its call ends. A
// worker that looked while it held one left out when that registry is due, and no other one looks.
class WakesAgentAtEnd {
 public:
  WakesAgentAtEnd() {
    Call([] {
      GetBoard();  // what could raise, raises now
      // Locks are released before callbacks of this kind are called.
      if (!exit_callback_registered) on_shmem_exit(OnExit, 0);
      exit_callback_registered = true;
    });
    wakes_at_exit = true;
  }
  // Raises no error.
  ~WakesAgentAtEnd() {
    wakes_at_exit = false;
    Post(MyDatabaseId);
  }
  WakesAgentAtEnd(const WakesAgentAtEnd&) = delete;
  WakesAgentAtEnd& operator=(const WakesAgentAtEnd&) = delete;
};

// Waits while another session, usually a worker, syncs the registry.
void WaitForTurn(std::int32_t registry_id, const std::string& name, std::optional<SyncLock>& lock) {
  constexpr long kPollMs = 100;
  for (bool told = false;; told = true) {
    lock.emplace(registry_id);
    if (lock->held()) return;
    if (!told)
      Notice("registry \"" + name + "\" is being synced by another session: waiting for it");
    Call([] {
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kPollMs,
                      WaitEventInfo(WaitsFor::kSyncTurn));
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    });
  }
}

// True while the registry wants no request; an error if it was asked for by name.
bool IsTooEarly(Database& database, std::int32_t registry_id, const std::string& name,
                bool by_name) {
  const std::string id = std::to_string(registry_id);
  if (by_name)
    database.Query("SELECT image_library_internal.check_not_before($1::pg_catalog.int4)", {id});
  const std::optional<std::string> not_before =
      database.Query("SELECT image_library_internal.not_before($1::pg_catalog.int4)", {id})
          .front()
          .front();
  if (!not_before) return false;
  Warn("registry \"" + name + "\" asked not to be asked before " + *not_before, {},
       "The agent syncs it then.");
  return true;
}

struct Wish {
  bool by_name;
  bool force;
};

// Syncs one registry in this session; its failure is an error only when it was asked for by name.
void SyncInSession(Database& database, std::int32_t registry_id, const std::string& name,
                   Wish wish) {
  const bool by_name = wish.by_name;
  const std::string failure = "could not sync registry \"" + name + "\"";
  std::optional<SyncLock> lock;
  WaitForTurn(registry_id, name, lock);
  if (!wish.force && IsTooEarly(database, registry_id, name, by_name)) return;
  Run run;
  SessionProgress progress;
  RunSync(
      database, registry_id, Runner::kSession,
      [&](const std::string& line) { progress.Report(run.Name(name) + ": " + line); }, run);
  const sync::RunResult& result = run.result;
  if (result.outcome == sync::Outcome::kFailed) {
    if (by_name)
      throw PostgresError(ERRCODE_CONNECTION_FAILURE, failure, result.error, result.hint);
    Warn(failure, result.error, result.hint);
    return;
  }
  Notice(run.Name(name) + ": " + std::to_string(result.statistics.repositories) +
         " repositories, " + sync::CountsText(result.statistics, progress.Elapsed()));
  if (result.outcome == sync::Outcome::kPartial)
    Warn("registry \"" + name + "\" was synced in part", result.error,
         result.hint.empty() ? "See image_library.sync_problem." : result.hint);
}

// Errors that must end the whole call: a cancel, a shutdown and the like (class 57).
bool EndsEverything(const PostgresError& error) {
  return ERRCODE_TO_CATEGORY(error.sqlstate) == ERRCODE_OPERATOR_INTERVENTION;
}

// One of several registries: an error in its run does not prevent the runs of the others.
void SyncOneOfAll(Database& database, std::int32_t registry_id, const std::string& name,
                  bool force) {
  std::string why, hint;
  try {
    SyncInSession(database, registry_id, name, {false, force});
    return;
  } catch (const ExtensionGone&) {
    throw;
  } catch (const PostgresError& error) {
    if (EndsEverything(error)) throw;
    why = error.detail.empty() ? error.message : error.message + ": " + error.detail;
    hint = error.hint;
  } catch (const std::exception& error) {
    why = error.what();
  }
  Warn("could not sync registry \"" + name + "\"", why, hint);
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_sync);

/// sync(registry text default null, force boolean default false): all enabled registries, or one.
Datum image_library_sync(PG_FUNCTION_ARGS) {
  const bool atomic = fcinfo->context == nullptr || !IsA(fcinfo->context, CallContext) ||
                      castNode(CallContext, fcinfo->context)->atomic;
  RequirePrimary("sync");
  if (atomic)
    ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
                    errmsg("image_library.sync cannot run inside a transaction block"),
                    errhint("It commits as it goes: CALL it by itself, or use "
                            "image_library.request_sync.")));
  PreventCommandIfReadOnly("CALL image_library.sync()");
  Guard([&] {
    Database database(TransactionMode::kProcedure);
    const std::optional<std::string> name = NullableTextArgument(fcinfo, 0);
    const bool force = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
    const Rows targets = database.Query(
        "SELECT registry_id, name FROM image_library_internal.sync_targets($1, "
        "$2::pg_catalog.bool)",
        {name, force ? "true" : "false"});
    const WakesAgentAtEnd wakes;
    for (const Row& target : targets) {
      if (name)
        SyncInSession(database, std::stoi(*target[0]), *target[1], {true, force});
      else
        SyncOneOfAll(database, std::stoi(*target[0]), *target[1], force);
    }
  });
  PG_RETURN_VOID();
}
}

// SQL functions that control the agent and tell its state.
#include "postgres/launcher.h"
#include "postgres/board.h"
#include "postgres/bridge.h"
#include "postgres/datum.h"
#include "postgres/extension.h"
#include "postgres/primary.h"
#include "postgres/settings.h"
#include "postgres/wait_event.h"

extern "C" {
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
}

using namespace image_library;            // NOLINT: a file of glue
using namespace image_library::postgres;  // NOLINT

namespace {

// Waits until a launcher is registered: the one that was started, or one that came before it. 0
// when it ended without. No signal tells of the registration, so it is polled.
pid_t WaitForLauncher(BackgroundWorkerHandle* handle) {
  constexpr long kLookEveryMs = 10;
  for (;;) {
    pid_t started = 0;
    const BgwHandleStatus status = GetBackgroundWorkerPid(handle, &started);
    const pid_t launcher = RunningLauncher();
    if (launcher != 0 || status == BGWH_STOPPED) return launcher;
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kLookEveryMs,
                    WaitEventInfo(WaitsFor::kLauncherStart));
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

Column TimeOrNull(TimestampTz at) {
  return at == 0 || at == DT_NOEND ? Column::Null() : Column{false, TimestampTzGetDatum(at)};
}

// Due time of a database; DT_NOEND: nothing is due, or a worker finds out.
TimestampTz DueAt(const Board::Slot& slot) {
  return slot.next_due >= kWorkerStarted ? DT_NOEND : Max(slot.next_due, slot.not_before);
}

// ALTER DATABASE may set the mode of one database: that of another is what its last worker saw.
bool ComesFromHub(const Board::Slot& slot) {
  return slot.database == MyDatabaseId ? IsReplica() : slot.replica;
}

// What prevents the agent from working in any database.
std::string Trouble(const Board& board, pid_t launcher) {
  if (launcher == 0)
    return "the agent is not running: add image_library to shared_preload_libraries, or call "
           "image_library.start_worker()";
  if (!settings::enabled) return "image_library.enabled is off";
  if (board.out_of_workers) return "no worker slot is free: raise max_worker_processes";
  return {};
}

// What prevents it from working in one database.
std::string TroubleIn(const Board& board, pid_t launcher, const Board::Slot& slot) {
  if (RecoveryInProgress()) return "this server is a standby: the agent runs on the primary";
  if (ComesFromHub(slot)) return "image_library.mode is replica: the agent runs at the hub";
  if (std::string trouble = Trouble(board, launcher); !trouble.empty()) return trouble;
  if (slot.database == MyDatabaseId) {
    const InstalledExtension extension = Value([] { return FindExtension(); });
    if (!FitsModule(extension))
      return VersionsDiffer(extension) + ": " + VersionsDifferHint(extension);
  }
  if (slot.restoring != 0)
    return "process " + std::to_string(slot.restoring) +
           " restores a dump: the agent syncs when that session ends";
  if (slot.failures > 0)
    return slot.failures == 1
               ? "the last worker has failed, see last_failure"
               : std::to_string(slot.failures) + " workers in a row have failed, see last_failure";
  return {};
}

// A word for what the agent does in a database.
const char* State(const Board& board, pid_t launcher, const Board::Slot& slot) {
  if (RecoveryInProgress()) return "standby";
  if (ComesFromHub(slot)) return "replica";
  if (launcher == 0) return "stopped";
  if (!settings::enabled) return "disabled";
  if (slot.workers > 0) return "working";
  if (board.out_of_workers) return "no worker slot";
  if (slot.restoring != 0) return "restoring";
  if (slot.failures > 0) return "failing";
  const bool due = slot.next_due < kWorkerStarted && slot.next_due <= GetCurrentTimestamp();
  return due ? "waiting" : "idle";
}

struct Viewer {
  bool sees_databases;  // pg_read_all_stats, as in pg_stat_activity
  bool sees_failures;   // whose text may have names of private registries
};

Viewer AskViewer() {
  const bool all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
  const Oid admin = get_role_oid("image_library_admin", true);
  return {all, all || (OidIsValid(admin) && has_privs_of_role(GetUserId(), admin))};
}

// A copy of the board's head, of the slots that hold a library or fail, and of the workers.
struct Seen {
  Board* board;
  TimestampTz launcher_started;
  Board::Worker* workers;
  pid_t launcher;
  Board::Slot* slots;
  int count;
};

Seen ReadBoard() {
  Seen now = {GetBoard(), 0, nullptr, RunningLauncher(), nullptr, 0};
  now.workers = static_cast<Board::Worker*>(palloc(sizeof now.board->workers));
  now.slots = static_cast<Board::Slot*>(palloc(sizeof(Board::Slot) * (kMaxDatabases + 1)));
  LWLockAcquire(&now.board->lock, LW_SHARED);
  const Board::Slot* const here = FindSlot(now.board, MyDatabaseId);
  now.slots[now.count++] = here == nullptr ? Board::Slot{MyDatabaseId, true, DT_NOEND} : *here;
  for (const Board::Slot& slot : now.board->slots)
    if (slot.database != MyDatabaseId && OidIsValid(slot.database) &&
        (slot.has_library || slot.failures > 0))
      now.slots[now.count++] = slot;
  std::memcpy(now.workers, now.board->workers, sizeof now.board->workers);
  now.launcher_started = now.board->launcher_started;
  LWLockRelease(&now.board->lock);
  return now;
}

// Processes of the workers in a database.
Column WorkerPids(const Seen& seen, Oid database) {
  Datum pids[kMaxWorkers];
  int count = 0;
  for (int i = 0; i < kMaxWorkers; ++i) {
    const Board::Worker& worker = seen.workers[i];
    if (worker.number != 0 && worker.database == database && worker.pid != 0)
      pids[count++] = Int32GetDatum(worker.pid);
  }
  return {false, Value([&] {
            return PointerGetDatum(
                construct_array(pids, count, INT4OID, sizeof(int32), true, TYPALIGN_INT));
          })};
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_start_worker);
PG_FUNCTION_INFO_V1(image_library_wake_agent);
PG_FUNCTION_INFO_V1(image_library_wake_after_change);
PG_FUNCTION_INFO_V1(image_library_worker_failure);
PG_FUNCTION_INFO_V1(image_library_agent_status);

/// start_worker() -> pid of the launcher
Datum image_library_start_worker(PG_FUNCTION_ARGS) {
  // A launcher that waits for the end of recovery would keep its slot of max_worker_processes.
  RequirePrimary("start the agent");
  const pid_t running = RunningLauncher();
  if (running != 0) {
    Post(MyDatabaseId);
    ereport(NOTICE, (errmsg("the agent is running already")));
    PG_RETURN_INT32(running);
  }
  BackgroundWorkerHandle* const handle = StartLauncher();
  const pid_t pid = handle == nullptr ? 0 : WaitForLauncher(handle);
  if (pid == 0)
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                    errmsg("could not start the agent of image_library"),
                    errhint("Raise max_worker_processes, or look into the server's log.")));
  Post(MyDatabaseId);
  PG_RETURN_INT32(pid);
}

/// wake_agent(): something may be due here once this transaction commits.
Datum image_library_wake_agent(PG_FUNCTION_ARGS) {
  PostAtCommit();
  PG_RETURN_VOID();
}

/// wake_after_change() -> trigger. What a dump sets marks a session that restores one: COPY into
/// the other tables follows, which a sync must not forestall. Functions of the library set nothing.
Datum image_library_wake_after_change(PG_FUNCTION_ARGS) {
  if (!CALLED_AS_TRIGGER(fcinfo)) elog(ERROR, "wake_after_change was not called as a trigger");
  if (!check_function_bodies && !InLocalUserIdChange())
    HoldUntilExit();
  else
    PostAtCommit();
  PG_RETURN_POINTER(nullptr);
}

/// worker_failure(registry_id, since): why the last worker of this database that failed while it
/// was syncing the registry did so, if that was at that time or later; else NULL.
Datum image_library_worker_failure(PG_FUNCTION_ARGS) {
  const WorkerFailure failure = LastWorkerFailure(MyDatabaseId, PG_GETARG_INT32(0));
  if (!OidIsValid(failure.database) || failure.at < PG_GETARG_TIMESTAMPTZ(1)) PG_RETURN_NULL();
  PG_RETURN_TEXT_P(cstring_to_text(failure.message));
}

/// agent_status() -> (launcher_pid, preloaded, database, workers, due_at, failures, last_failed_at,
/// last_failure, last_error, state, launcher_started_at, worker_pids, waiting): a row for each
/// database that the caller may know of.
Datum image_library_agent_status(PG_FUNCTION_ARGS) {
  Guard([&] {
    BeginRows(fcinfo);
    const Viewer viewer = Value(AskViewer);
    const Seen seen = Value(ReadBoard);
    const std::string libraries =
        Value([] { return GetConfigOption("shared_preload_libraries", true, false); });
    const bool preloaded = libraries.find("image_library") != std::string::npos;
    const Column launcher = seen.launcher == 0 ? Column::Null() : Column::Integer4(seen.launcher);
    const Column started = TimeOrNull(seen.launcher == 0 ? 0 : seen.launcher_started);
    const Column waiting =
        seen.launcher == 0 ? Column::Null() : Column::Integer4(seen.board->waiting);
    for (int i = 0; i < (viewer.sees_databases ? seen.count : 1); ++i) {
      const Board::Slot& slot = seen.slots[i];
      const char* const name = Value([&] { return get_database_name(slot.database); });
      if (name == nullptr) continue;
      const WorkerFailure failure = Value([&] { return LastWorkerFailure(slot.database); });
      const bool told = failure.at != 0 && viewer.sees_failures;
      AddRow(fcinfo, {launcher, Column::Boolean(preloaded), Column::Text(name),
                      Column::Integer4(slot.workers), TimeOrNull(DueAt(slot)),
                      Column::Integer4(slot.failures), TimeOrNull(slot.failed_at),
                      told ? Column::Text(failure.message) : Column::Null(),
                      Column::TextOrNull(TroubleIn(*seen.board, seen.launcher, slot)),
                      Column::Text(State(*seen.board, seen.launcher, slot)), started,
                      WorkerPids(seen, slot.database), waiting});
    }
    if (viewer.sees_databases && seen.board->left_out > 0)
      AddRow(fcinfo, {launcher, Column::Boolean(preloaded), Column::Null(), Column::Null(),
                      Column::Null(), Column::Null(), Column::Null(), Column::Null(),
                      Column::Text(std::to_string(seen.board->left_out) +
                                   " databases are not looked at: the agent syncs in at most " +
                                   std::to_string(kMaxDatabases)),
                      Column::Text("left out"), started, Column::Null(), waiting});
  });
  PG_RETURN_NULL();
}
}

// A worker: connects to one database, syncs what is due there, reports what is due next, and ends.
//
//   SIGTERM  die: ends at the next wait, within a wait on the network too
//   SIGHUP   settings are read again between waits
#include "postgres/launcher.h"

#include <algorithm>
#include <set>

#include "postgres/board.h"
#include "postgres/bridge.h"
#include "postgres/database.h"
#include "postgres/primary.h"
#include "postgres/pruning.h"
#include "postgres/registry_lock.h"
#include "postgres/settings.h"
#include "postgres/sync_run.h"
#include "postgres/wait_event.h"

namespace image_library::postgres {
namespace {

// The registry that is being synced; 0: none.
constinit std::int32_t syncing = 0;
constinit WorkerPlace own_place = {};
constinit bool has_said = false;
constinit char last_error[sizeof WorkerFailure::message] = "";
constinit emit_log_hook_type previous_log_hook = nullptr;

// When a registry that was skipped because of locks is tried again.
constexpr int kLaterMs = 30000;

struct Due {
  std::int32_t registry_id;
  std::string name;
  std::string database;
  TimestampTz at;
  bool whole;  // else only the repositories that were requested
};

TimestampTz FromText(const std::string& text) {
  const char* const value = text.c_str();
  return Value([&] {
    return DatumGetTimestampTz(DirectFunctionCall3(
        timestamptz_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  });
}

// Enabled registries that no session is syncing, in the order in which they are to be synced. Runs
// that were interrupted are ended before: when their registry is due depends on it.
std::vector<Due> Registries(Database& database) {
  std::vector<Due> due;
  database.Transaction([&] {
    database.Execute("SELECT image_library_internal.end_interrupted_runs()");
    for (const Row& row :
         database.Execute("SELECT registry_id, name, due_at, pg_catalog.current_database(), whole "
                          "FROM image_library_internal.due_registries()"))
      due.push_back({std::stoi(*row[0]), *row[1], *row[3], FromText(*row[2]), *row[4] == "t"});
  });
  return due;
}

// Posts when the registries after the first are due, for other workers.
void PostRest(const std::vector<Due>& due, std::size_t skip, TimestampTz next = DT_NOEND) {
  for (std::size_t i = skip; i < due.size(); ++i) next = Min(next, due[i].at);
  PostNext(MyDatabaseId, next);
}

// One line of the log about a run that failed.
void Log(const Due& due, const Run& run, const std::string& error, const std::string& hint) {
  const std::string place = "database \"" + due.database + "\", " + run.Name(due.name);
  const char* const texts[] = {place.c_str(), error.c_str(), hint.c_str()};
  Call([&] {
    ereport(LOG, (errmsg("image_library could not sync: %s", texts[0]), errdetail("%s", texts[1]),
                  *texts[2] != '\0' ? errhint("%s", texts[2]) : 0));
  });
}

// One line of the log about a run that did not fail, if the one before it has.
void LogRecovery(Database& database, const Due& due, const Run& run) {
  const std::string failures =
      *database
           .Query("SELECT image_library_internal.failures_before($1::pg_catalog.int8)",
                  {run.number})
           .front()
           .front();
  if (failures == "0") return;
  const std::string place = "database \"" + due.database + "\", " + run.Name(due.name);
  const char* const texts[] = {place.c_str(), failures.c_str()};
  Call([&] {
    ereport(LOG, (errmsg("image_library could sync again: %s", texts[0]),
                  errdetail("Runs before it that failed: %s.", texts[1])));
  });
}

// If a registry is being dropped, for example, not even the row of a run can be written. Then this
// worker skips it and returns false.
bool RunUnlessLocked(Database& database, const Due& due, const Report& report, Run& run) {
  try {
    if (due.whole)
      RunSync(database, due.registry_id, Runner::kWorker, report, run);
    else
      LookAtRequested(database, due.registry_id, report);
    return true;
  } catch (const PostgresError& error) {
    if (!IsBusy(error.sqlstate)) {
      Log(due, run, error.message, error.hint);
      throw;
    }
  }
  Log(due, run, "Another session holds locks on what the run has to write.",
      "Look for a transaction that stays open, in pg_stat_activity.");
  return false;
}

void Activity(const std::string& line) {
  const char* const text = line.c_str();
  Call([&] { pgstat_report_activity(STATE_RUNNING, text); });
}

// Inside Call. Between waits, where no setting is in use.
void ReadSettingsAgain() {
  if (!ConfigReloadPending) return;
  ConfigReloadPending = false;
  ProcessConfigFile(PGC_SIGHUP);
}

// Waits for more pushes for a moment, after it has looked at one: those come in groups, and the
// start of a worker takes longer than a look. At most until the given time. True when something may
// be due. DROP DATABASE waits five seconds for connections to end, so it finds this one gone.
bool Linger(Database& database, TimestampTz until) {
  Call([] { pgstat_report_activity(STATE_IDLE, nullptr); });
  Board* const board = GetBoard();
  Board::Worker& self = board->workers[own_place.place];
  bool posted = false;
  Call([&] {
    LWLockAcquire(&board->lock, LW_EXCLUSIVE);
    const Board::Slot* const slot = FindSlot(board, MyDatabaseId);
    posted = slot != nullptr && slot->next_due <= GetCurrentTimestamp();
    self.lingers = !posted && self.number == own_place.number;
    LWLockRelease(&board->lock);
  });
  const auto is_over = [&] {
    return posted || !self.lingers || GetCurrentTimestamp() >= until || !settings::enabled ||
           OthersWait();
  };
  while (!is_over())
    Call([&] {
      const long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Min(left, 400),
                      WaitEventInfo(WaitsFor::kPush));
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
      ReadSettingsAgain();
    });
  Call([&] {
    LWLockAcquire(&board->lock, LW_EXCLUSIVE);
    posted = posted || (self.number == own_place.number && !self.lingers);
    self.lingers = false;
    LWLockRelease(&board->lock);
  });
  return posted && database.ExtensionIsThere();
}

// How long a worker may wait for pushes, and for the next one of them.
constexpr int kLingerMs = 4000;
constexpr int kNextPushMs = 2000;

WorkerEnd SyncDue(Database& database) {
  if (!database.ExtensionIsThere()) return WorkerEnd::kNoLibrary;
  std::set<std::int32_t> locked;
  TimestampTz lingers_until = 0;
  for (bool has_run = false;; has_run = true) {
    Call(&ReadSettingsAgain);
    // Also of one database alone, by ALTER DATABASE; promote_replica wakes the agent.
    if (IsReplica()) {
      PostNext(MyDatabaseId, DT_NOEND, true);
      return WorkerEnd::kClean;
    }
    std::vector<Due> due = Registries(database);
    // This worker was started before the dump's registries came. Its other tables come after them.
    if (Value([] { return IsBeingRestored(); })) {
      PostRest(due, 0);
      return WorkerEnd::kClean;
    }
    std::erase_if(due, [&](const Due& one) { return locked.count(one.registry_id) != 0; });
    const TimestampTz now = GetCurrentTimestamp();
    // A database that waits for a worker has its turn before the next registry of this one.
    const bool idle = due.empty() || due.front().at > now;
    if (idle || !settings::enabled || (has_run && OthersWait())) {
      PostRest(due, 0, locked.empty() ? DT_NOEND : TimestampTzPlusMilliseconds(now, kLaterMs));
      // Not for what is due, and left to another worker.
      if (idle && now < lingers_until &&
          Linger(database, Min(lingers_until, TimestampTzPlusMilliseconds(now, kNextPushMs))))
        continue;
      PruneForAWhile(database);
      return WorkerEnd::kClean;
    }
    const Due& first = due.front();
    const SyncLock lock(first.registry_id);
    if (!lock.held()) continue;  // somebody was quicker
    // The registry may have been synced before this worker got the lock.
    const std::vector<Due> again = Registries(database);
    if (std::none_of(again.begin(), again.end(), [&](const Due& other) {
          return other.registry_id == first.registry_id && other.at <= GetCurrentTimestamp();
        }))
      continue;
    PostRest(due, 1);
    Run run;
    const auto report = [&](const std::string& line) {
      Activity("syncing " + run.Name(first.name) + ": " + line);
    };
    syncing = first.registry_id;
    if (!RunUnlessLocked(database, first, report, run))
      locked.insert(first.registry_id);
    else if (!first.whole)
      lingers_until = lingers_until != 0
                          ? lingers_until
                          : TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kLingerMs);
    else if (run.result.outcome == sync::Outcome::kFailed)
      Log(first, run, run.result.error, run.result.hint);
    else if (run.result.outcome != sync::Outcome::kCancelled)
      LogRecovery(database, first, run);
    syncing = 0;
  }
}

// Remembers the message of the error that ends this process. Errors that are caught are not logged.
void OnLog(ErrorData* error) {
  if (error->elevel >= ERROR && error->message != nullptr)
    strlcpy(last_error, error->message, sizeof last_error);
  if (previous_log_hook != nullptr) previous_log_hook(error);
}

// Lets agent_status tell of this process.
void SayBegin() {
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  Board::Worker& worker = board->workers[own_place.place];
  if (worker.number == own_place.number) worker.pid = MyProcPid;
  LWLockRelease(&board->lock);
}

// What a worker says as its last act. Without it, the launcher takes its end for a failure.
void SayEnd(WorkerEnd end) {
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  Board::Worker& worker = board->workers[own_place.place];
  if (worker.number == own_place.number) worker.end = end;
  LWLockRelease(&board->lock);
  has_said = true;
}

void OnWorkerExit(int, Datum database) {
  if (has_said) return;
  has_said = true;
  LWLockReleaseAll();
  if (last_error[0] != '\0') NoteWorkerFailure(DatumGetObjectId(database), syncing, last_error);
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  Board::Worker& worker = board->workers[own_place.place];
  if (worker.number == own_place.number) {
    worker.noted = last_error[0] != '\0';
    worker.lingers = false;
  }
  LWLockRelease(&board->lock);
}

// What the library's statements depend on, whatever ALTER DATABASE or ALTER ROLE has set. These
// values come from no configuration file, so reading the files again does not change them.
void PinSettings() {
  constexpr struct {
    const char* name;
    const char* value;
  } kPins[] = {
      {"role", "none"},
      {"search_path", "pg_catalog, pg_temp"},
      {"application_name", "image_library worker"},
      // A sync can be repeated, so its commits need not wait for a disk or a standby.
      {"synchronous_commit", "off"},
      {"default_transaction_isolation", "read committed"},
      {"default_transaction_read_only", "off"},
      {"default_transaction_deferrable", "off"},
      {"session_replication_role", "origin"},
      {"row_security", "on"},
      {"statement_timeout", "0"},
      {"transaction_timeout", "0"},
      {"lock_timeout", "0"},
      {"idle_in_transaction_session_timeout", "0"},
      {"idle_session_timeout", "0"},
      {"DateStyle", "ISO"},
      {"IntervalStyle", "postgres"},
      {"bytea_output", "hex"},
      {"extra_float_digits", "1"},
      {"array_nulls", "on"},
      {"transform_null_equals", "off"},
      {"standard_conforming_strings", "on"},
      {"restrict_nonsystem_relation_kind", ""},
  };
  for (const auto& pin : kPins)
    // transaction_timeout came with PostgreSQL 17, the last one with minor versions.
    if (GetConfigOption(pin.name, true, false) != nullptr)
      SetConfigOption(pin.name, pin.value, PGC_SUSET, PGC_S_SESSION);
}

}  // namespace
}  // namespace image_library::postgres

extern "C" {
using namespace image_library::postgres;  // NOLINT

PGDLLEXPORT void image_library_worker_main(Datum database) {
  std::memcpy(&own_place, MyBgworkerEntry->bgw_extra, sizeof own_place);
  SayBegin();
  previous_log_hook = emit_log_hook;
  emit_log_hook = OnLog;
  before_shmem_exit(OnWorkerExit, database);
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
  // Again: it has to run before the locks are released, so that whoever finds a run without its
  // lock knows why.
  before_shmem_exit(OnWorkerExit, database);
  PinSettings();
  Guard([&] {
    WorkerEnd end = WorkerEnd::kNoLibrary;
    {
      Database here(TransactionMode::kWorker);
      try {
        end = SyncDue(here);
      } catch (const ExtensionGone&) {
      }
    }
    Call([&] { SayEnd(end); });
  });
}
}

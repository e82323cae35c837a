// The launcher: keeps the due times of every database and starts workers. It is not connected to a
// database, so it does not block commands such as DROP DATABASE.
//
//   SIGTERM  die: ends at the next wait (exit code 1: the postmaster starts it again later)
//   SIGHUP   settings are read again
//   SIGUSR1  PostgreSQL's own: latch, barriers, notice of a worker's start or end
//
// Only plain C data in this file, since an ereport may leave any line.
#include "postgres/launcher.h"
#include "postgres/board.h"
#include "postgres/settings.h"

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
}

namespace image_library::postgres {
namespace {

constexpr long kScanIntervalMs =
    60 * 1000;  // databases made from a template announce themselves to nobody
constexpr int kMaxWorkers = 64;
constexpr int kFirstRetrySeconds = 5;
constexpr int kLastRetrySeconds = 300;

struct Worker {
  BackgroundWorkerHandle* handle;  // null: free
  Oid database;
};

void DefineWorker(BackgroundWorker* worker, const char* function, const char* type) {
  std::memset(static_cast<void*>(worker), 0, sizeof *worker);
  worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker->bgw_restart_time = BGW_NEVER_RESTART;
  strlcpy(worker->bgw_library_name, "image_library", sizeof worker->bgw_library_name);
  strlcpy(worker->bgw_function_name, function, sizeof worker->bgw_function_name);
  strlcpy(worker->bgw_name, type, sizeof worker->bgw_name);
  strlcpy(worker->bgw_type, type, sizeof worker->bgw_type);
}

void DefineLauncher(BackgroundWorker* worker) {
  DefineWorker(worker, "image_library_launcher_main", "image_library launcher");
  worker->bgw_restart_time = 10;
}

void OnLauncherExit(int, Datum) {
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  if (board->launcher == MyProcPid) board->launcher = 0;
  LWLockRelease(&board->lock);
}

// Registers this process as the launcher; false when another one is registered.
bool TakePost(Board* board) {
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  const bool taken = board->launcher != 0 && board->launcher != MyProcPid &&
                     BackendPidGetProc(board->launcher) != nullptr;
  if (!taken) {
    board->launcher = MyProcPid;
    // Workers of a launcher that died finish by themselves; locks prevent that two sync one
    // registry.
    for (Board::Slot& slot : board->slots) {
      slot.workers = 0;
      if (slot.next_due == kWorkerStarted) slot.next_due = 0;
    }
  }
  LWLockRelease(&board->lock);
  return !taken;
}

// Gives every database that accepts connections a slot, due at once, and frees those of the others.
// A worker that finds no extension in its database reports that nothing is due.
void ScanDatabases(Board* board) {
  Oid databases[kMaxDatabases];
  int count = 0;
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  (void)GetTransactionSnapshot();
  Relation const relation = table_open(DatabaseRelationId, AccessShareLock);
  TableScanDesc const scan = table_beginscan_catalog(relation, 0, nullptr);
  for (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection); tuple != nullptr;
       tuple = heap_getnext(scan, ForwardScanDirection)) {
    const auto* const row = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
    if (row->datistemplate || !row->datallowconn || row->datconnlimit < -1) continue;
    if (count < kMaxDatabases) databases[count++] = row->oid;
  }
  table_endscan(scan);
  table_close(relation, AccessShareLock);
  CommitTransactionCommand();

  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  for (Board::Slot& slot : board->slots) {
    bool there = false;
    for (int i = 0; i < count; ++i) {
      if (databases[i] != slot.database) continue;
      there = true;
      databases[i] = databases[--count];
      break;
    }
    if (!there && slot.workers == 0) slot.database = InvalidOid;
  }
  for (Board::Slot& slot : board->slots) {
    if (count == 0) break;
    if (OidIsValid(slot.database)) continue;
    slot.database = databases[--count];
    slot.next_due = 0;
    slot.workers = 0;
    slot.failures = 0;
    slot.broken_off = false;
  }
  LWLockRelease(&board->lock);
}

// Frees the slots of workers that have ended. One that ended with an error, or without reporting
// the next due time, has failed: its database is due again after a time that grows with each
// failure.
void ReapWorkers(Board* board, Worker* workers) {
  for (int i = 0; i < kMaxWorkers; ++i) {
    if (workers[i].handle == nullptr) continue;
    pid_t pid = 0;
    if (GetBackgroundWorkerPid(workers[i].handle, &pid) != BGWH_STOPPED) continue;
    pfree(workers[i].handle);
    workers[i].handle = nullptr;
    LWLockAcquire(&board->lock, LW_EXCLUSIVE);
    for (Board::Slot& slot : board->slots) {
      if (slot.database != workers[i].database) continue;
      if (slot.workers > 0) --slot.workers;
      const bool posted = slot.next_due != kWorkerStarted;
      if (slot.broken_off || (!posted && slot.workers == 0)) {
        const int seconds = Min(kFirstRetrySeconds << Min(slot.failures, 6), kLastRetrySeconds);
        ++slot.failures;
        const TimestampTz retry =
            TimestampTzPlusMilliseconds(GetCurrentTimestamp(), seconds * 1000);
        slot.next_due = posted ? Min(slot.next_due, retry) : retry;
        slot.broken_off = false;
      } else if (posted) {
        slot.failures = 0;
      }
    }
    LWLockRelease(&board->lock);
  }
}

// The database that has waited longest, marked as being served; InvalidOid when none is due.
// next_wake receives the earliest due time of the others.
Oid TakeDue(Board* board, TimestampTz now, TimestampTz* next_wake) {
  Board::Slot* due = nullptr;
  *next_wake = DT_NOEND;
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  for (Board::Slot& slot : board->slots) {
    if (!OidIsValid(slot.database) || slot.next_due == kWorkerStarted) continue;
    if (slot.next_due > now) {
      *next_wake = Min(*next_wake, slot.next_due);
    } else if (due == nullptr || slot.next_due < due->next_due) {
      due = &slot;
    }
  }
  const Oid database = due == nullptr ? InvalidOid : due->database;
  if (due != nullptr) {
    due->next_due = kWorkerStarted;
    ++due->workers;
  }
  LWLockRelease(&board->lock);
  return database;
}

void GiveBack(Board* board, Oid database, TimestampTz due) {
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  for (Board::Slot& slot : board->slots) {
    if (slot.database != database) continue;
    slot.next_due = due;
    --slot.workers;
  }
  LWLockRelease(&board->lock);
}

// Starts the workers that are due; returns when to look again.
TimestampTz StartDue(Board* board, Worker* workers) {
  int running = 0;
  for (int i = 0; i < kMaxWorkers; ++i) running += workers[i].handle != nullptr;
  TimestampTz next_wake = DT_NOEND;
  while (settings::enabled && running < Min(settings::max_workers, kMaxWorkers)) {
    const TimestampTz now = GetCurrentTimestamp();
    const Oid database = TakeDue(board, now, &next_wake);
    if (!OidIsValid(database)) break;
    BackgroundWorkerHandle* const handle = StartWorker(database);
    if (handle == nullptr) {
      if (!board->out_of_workers)
        ereport(LOG, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                      errmsg("image_library could not start a worker"),
                      errhint("Raise max_worker_processes.")));
      board->out_of_workers = true;
      const TimestampTz later = TimestampTzPlusMilliseconds(now, kFirstRetrySeconds * 1000);
      GiveBack(board, database, later);
      return later;
    }
    board->out_of_workers = false;
    for (int i = 0; i < kMaxWorkers; ++i) {
      if (workers[i].handle != nullptr) continue;
      workers[i] = {handle, database};
      break;
    }
    ++running;
  }
  return next_wake;
}

}  // namespace

void RegisterLauncher() {
  BackgroundWorker worker;
  DefineLauncher(&worker);
  RegisterBackgroundWorker(&worker);
}

BackgroundWorkerHandle* StartLauncher() {
  BackgroundWorker worker;
  DefineLauncher(&worker);
  worker.bgw_notify_pid = MyProcPid;
  BackgroundWorkerHandle* handle = nullptr;
  return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : nullptr;
}

BackgroundWorkerHandle* StartWorker(Oid database) {
  BackgroundWorker worker;
  DefineWorker(&worker, "image_library_worker_main", "image_library worker");
  worker.bgw_main_arg = ObjectIdGetDatum(database);
  worker.bgw_notify_pid = MyProcPid;
  BackgroundWorkerHandle* handle = nullptr;
  return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : nullptr;
}

}  // namespace image_library::postgres

extern "C" {
using namespace image_library::postgres;  // NOLINT

PGDLLEXPORT void image_library_launcher_main(Datum) {
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);

  Board* const board = GetBoard();
  if (!TakePost(board)) proc_exit(0);
  before_shmem_exit(OnLauncherExit, 0);

  Worker workers[kMaxWorkers] = {};
  TimestampTz next_scan = 0;
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    }
    if (GetCurrentTimestamp() >= next_scan) {
      pgstat_report_activity(STATE_RUNNING, "looking for databases");
      ScanDatabases(board);
      next_scan = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kScanIntervalMs);
      pgstat_report_activity(STATE_IDLE, nullptr);
    }
    ReapWorkers(board, workers);
    const TimestampTz wake = Min(StartDue(board, workers), next_scan);
    const long timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), wake);
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
  }
}
}

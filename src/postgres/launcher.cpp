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
#include "postgres/wait_event.h"

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
}

namespace image_library::postgres {
namespace {

constexpr long kScanIntervalMs =
    60 * 1000;  // databases made from a template announce themselves to nobody
constexpr int kFirstRetrySeconds = 5;
constexpr int kLastRetrySeconds = 300;

struct Worker {
  BackgroundWorkerHandle* handle;  // null: free
  Oid database;
  TimestampTz started;
};

// By place: board->workers has what each of them says.
constinit Worker workers[kMaxWorkers] = {};

// Databases in which a worker found no library: they need no slot. One that gets a library takes a
// slot by itself.
constinit List* without_library = NIL;

// Databases without a slot wait until others are found to have no library.
constinit bool slots_are_wanted = false;

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
    board->launcher_started = GetCurrentTimestamp();
    // Workers of a launcher that died finish by themselves; locks prevent that two sync one
    // registry. If one of them failed, nobody else has noticed, so it is looked everywhere.
    for (Board::Slot& slot : board->slots) {
      slot.workers = 0;
      slot.next_due = GetCurrentTimestamp();
    }
    for (Board::Worker& worker : board->workers) worker.number = 0;
    board->waiting = 0;
  }
  LWLockRelease(&board->lock);
  return !taken;
}

List* ReadDatabases() {
  List* databases = NIL;
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  (void)GetTransactionSnapshot();
  Relation const relation = table_open(DatabaseRelationId, AccessShareLock);
  TableScanDesc const scan = table_beginscan_catalog(relation, 0, nullptr);
  for (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection); tuple != nullptr;
       tuple = heap_getnext(scan, ForwardScanDirection)) {
    const auto* const row = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
    if (row->datistemplate || !row->datallowconn || row->datconnlimit < -1) continue;
    MemoryContext const before = MemoryContextSwitchTo(TopMemoryContext);
    databases = lappend_oid(databases, row->oid);
    MemoryContextSwitchTo(before);
  }
  table_endscan(scan);
  table_close(relation, AccessShareLock);
  CommitTransactionCommand();
  return databases;
}

void TellLeftOut(int count, int before) {
  if (count == 0 || before != 0) return;
  ereport(LOG, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                errmsg("image_library does not look at %d databases", count),
                errdetail("It has room for %d databases that have the extension, or that its "
                          "workers cannot connect to.",
                          kMaxDatabases),
                errhint("Drop the extension where it is not used.")));
}

// Gives databases that may have a library a slot, due at once, and frees those of databases that
// are gone or accept no connections. If there are more databases than slots, the others get theirs
// as workers find databases without a library.
void ScanDatabases(Board* board) {
  const TimestampTz began = GetCurrentTimestamp();
  List* const databases = ReadDatabases();
  ListCell* cell;
  foreach (cell, without_library)
    if (!list_member_oid(databases, lfirst_oid(cell)))
      without_library = foreach_delete_current(without_library, cell);
  int left_out = 0;
  bool all_decided = true;
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  if (board->look_again) {
    list_free(without_library);
    without_library = NIL;
    board->look_again = false;
  }
  const TimestampTz now = GetCurrentTimestamp();
  for (Board::Slot& slot : board->slots) {
    // It may have been created after the list was read.
    const bool posted_since = slot.next_due >= began && slot.next_due <= now;
    if (slot.workers == 0 && !posted_since && !list_member_oid(databases, slot.database))
      slot.database = InvalidOid;
  }
  foreach (cell, databases) {
    const Oid database = lfirst_oid(cell);
    if (list_member_oid(without_library, database) || FindSlot(board, database) != nullptr)
      continue;
    Board::Slot* const slot = FindOrTakeSlot(board, database);
    if (slot == nullptr)
      ++left_out;
    else
      slot->next_due = now;
  }
  for (const Board::Slot& slot : board->slots)
    all_decided = all_decided && (slot.has_library || slot.failures > 0);
  slots_are_wanted = left_out > 0;
  const int left_out_before = board->left_out;
  board->left_out = all_decided ? left_out : 0;
  LWLockRelease(&board->lock);
  list_free(databases);
  TellLeftOut(all_decided ? left_out : 0, left_out_before);
}

// No worker is started in the database for a time that grows with each failure, unless somebody has
// asked for one and none has been started since. What is due there has to be found out again.
void Fail(Board::Slot* slot) {
  const int seconds = Min(kFirstRetrySeconds << Min(slot->failures, 6), kLastRetrySeconds);
  const TimestampTz now = GetCurrentTimestamp();
  ++slot->failures;
  slot->failed_at = now;
  if (slot->next_due == slot->posted_at) return;
  slot->not_before = TimestampTzPlusMilliseconds(now, seconds * 1000);
  slot->next_due = now;
}

// Only a worker that says so has ended well; one that was killed, or ended by an error, says
// nothing. Returns how it ended.
WorkerEnd Reap(Board* board, int place) {
  const Worker& worker = workers[place];
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  Board::Worker* const said = &board->workers[place];
  const bool noted = said->noted;
  WorkerEnd end = said->end;
  said->number = 0;
  Board::Slot* const slot = FindSlot(board, worker.database);
  if (slot != nullptr) {
    if (slot->workers > 0) --slot->workers;
    if (end == WorkerEnd::kNone) {
      Fail(slot);
    } else if (worker.started >= slot->failed_at) {
      slot->failures = 0;
      slot->not_before = 0;
    }
    const bool nothing_posted = slot->workers == 0 && slot->next_due == kWorkerStarted;
    if (end == WorkerEnd::kNoLibrary && nothing_posted)
      slot->database = InvalidOid;
    else if (nothing_posted)
      slot->next_due = GetCurrentTimestamp();
    else if (end == WorkerEnd::kNoLibrary)
      end = WorkerEnd::kClean;  // it may have a library since
  }
  LWLockRelease(&board->lock);
  if (end == WorkerEnd::kNone && !noted)
    NoteWorkerFailure(worker.database, 0,
                      "the worker ended without a message: look into the server's log");
  return end;
}

// True when databases are to be looked for again.
bool ReapWorkers(Board* board) {
  bool scan = false;
  for (int i = 0; i < kMaxWorkers; ++i) {
    if (workers[i].handle == nullptr) continue;
    pid_t pid = 0;
    if (GetBackgroundWorkerPid(workers[i].handle, &pid) != BGWH_STOPPED) continue;
    pfree(workers[i].handle);
    workers[i].handle = nullptr;
    const WorkerEnd end = Reap(board, i);
    // The database may be gone, or accept no connections any more.
    scan = scan || end == WorkerEnd::kNone || (end == WorkerEnd::kNoLibrary && slots_are_wanted);
    if (end == WorkerEnd::kNoLibrary && !list_member_oid(without_library, workers[i].database)) {
      MemoryContext const before = MemoryContextSwitchTo(TopMemoryContext);
      without_library = lappend_oid(without_library, workers[i].database);
      MemoryContextSwitchTo(before);
    }
  }
  return scan;
}

struct Demand {
  Oid database;      // that has waited longest; InvalidOid: none is due
  int waiting;       // others that are due
  TimestampTz wake;  // when the next one is due
};

// What is due. take: the database of the result is marked as being served.
Demand LookForDue(Board* board, TimestampTz now, bool take) {
  Demand demand = {InvalidOid, 0, DT_NOEND};
  Board::Slot* first = nullptr;
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  for (Board::Slot& slot : board->slots) {
    if (!OidIsValid(slot.database) || slot.next_due == kWorkerStarted) continue;
    if (IsBeingRestored(slot)) continue;
    const TimestampTz due = Max(slot.next_due, slot.not_before);
    if (due > now) {
      demand.wake = Min(demand.wake, due);
      continue;
    }
    ++demand.waiting;
    if (first == nullptr || slot.next_due < first->next_due) first = &slot;
  }
  if (take && first != nullptr) {
    --demand.waiting;
    demand.database = first->database;
    first->next_due = kWorkerStarted;
    ++first->workers;
  }
  LWLockRelease(&board->lock);
  return demand;
}

void GiveBack(Board* board, Oid database, TimestampTz due) {
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  Board::Slot* const slot = FindSlot(board, database);
  if (slot != nullptr) {
    slot->next_due = Min(slot->next_due, due);
    --slot->workers;
  }
  LWLockRelease(&board->lock);
}

// For a change of image_library.mode: workers have found nothing due in replicas.
void LookEverywhere(Board* board) {
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  for (Board::Slot& slot : board->slots)
    if (OidIsValid(slot.database)) slot.next_due = GetCurrentTimestamp();
  LWLockRelease(&board->lock);
}

// Starts a worker in a database; false when there is no worker slot.
bool StartWorker(Board* board, Oid database, TimestampTz now) {
  int place = 0;
  while (workers[place].handle != nullptr) ++place;
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  if (++board->last_worker == 0) ++board->last_worker;
  const WorkerPlace told = {place, board->last_worker};
  board->workers[place] = {told.number, database, 0, WorkerEnd::kNone, false, false};
  LWLockRelease(&board->lock);
  BackgroundWorker worker;
  DefineWorker(&worker, "image_library_worker_main", "image_library worker");
  worker.bgw_main_arg = ObjectIdGetDatum(database);
  worker.bgw_notify_pid = MyProcPid;
  static_assert(sizeof told <= BGW_EXTRALEN);
  std::memcpy(worker.bgw_extra, &told, sizeof told);
  BackgroundWorkerHandle* handle = nullptr;
  if (!RegisterDynamicBackgroundWorker(&worker, &handle)) return false;
  workers[place] = {handle, database, now};
  return true;
}

// Starts the workers that are due; returns when to look again.
TimestampTz StartDue(Board* board) {
  // A database may have another image_library.mode than the server: the worker sees it.
  const bool starts = settings::enabled;
  int running = 0;
  for (const Worker& worker : workers) running += worker.handle != nullptr;
  for (;; ++running) {
    const TimestampTz now = GetCurrentTimestamp();
    const bool room = running < Min(settings::max_workers, kMaxWorkers);
    const Demand demand = LookForDue(board, now, starts && room);
    board->waiting = starts ? demand.waiting : 0;
    if (!OidIsValid(demand.database)) return demand.wake;
    if (StartWorker(board, demand.database, now)) {
      board->out_of_workers = false;
      continue;
    }
    if (!board->out_of_workers)
      ereport(LOG, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                    errmsg("image_library could not start a worker"),
                    errhint("Raise max_worker_processes.")));
    const TimestampTz later = TimestampTzPlusMilliseconds(now, kFirstRetrySeconds * 1000);
    GiveBack(board, demand.database, later);
    board->out_of_workers = true;
    ++board->waiting;
    return Min(later, demand.wake);
  }
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
  ereport(LOG, (errmsg("image_library launcher started")));

  TimestampTz next_scan = 0;
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      const int mode = settings::mode;
      ProcessConfigFile(PGC_SIGHUP);
      if (settings::mode != mode) LookEverywhere(board);
    }
    if (GetCurrentTimestamp() >= next_scan) {
      pgstat_report_activity(STATE_RUNNING, "looking for databases");
      ScanDatabases(board);
      next_scan = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kScanIntervalMs);
      pgstat_report_activity(STATE_IDLE, nullptr);
    }
    if (ReapWorkers(board) || board->look_again) {
      next_scan = 0;
      continue;
    }
    const TimestampTz wake = Min(StartDue(board), next_scan);
    const long timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), wake);
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout,
                    WaitEventInfo(WaitsFor::kLauncher));
    ResetLatch(MyLatch);
  }
}
}

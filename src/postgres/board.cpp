#include "postgres/board.h"

namespace image_library::postgres {
namespace {

constexpr char kName[] = "image_library";
constinit Board* attached = nullptr;
constinit bool callback_registered = false;
constinit bool post_at_commit = false;
constinit bool holds = false;
constinit bool makes_room = false;  // this worker was told to end for another database
constinit shmem_request_hook_type previous_request_hook = nullptr;

void RequestSharedMemory() {
  if (previous_request_hook != nullptr) previous_request_hook();
  RequestAddinShmemSpace(MAXALIGN(sizeof(Board)));
}

void OnTransactionEnd(XactEvent event, void*) {
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT) return;
  if (post_at_commit && event == XACT_EVENT_COMMIT) Post(MyDatabaseId);
  post_at_commit = false;
}

}  // namespace

void RequestBoard() {
  previous_request_hook = shmem_request_hook;
  shmem_request_hook = RequestSharedMemory;
}

// Small enough for the slack that PostgreSQL keeps, so start_worker() works without preloading.
Board* GetBoard() {
  if (attached == nullptr) {
    bool found = false;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    auto* const board = static_cast<Board*>(ShmemInitStruct(kName, sizeof(Board), &found));
    if (!found) {
      std::memset(static_cast<void*>(board), 0, sizeof(Board));
      LWLockInitialize(&board->lock, LWLockNewTrancheId());
    }
    LWLockRelease(AddinShmemInitLock);
    LWLockRegisterTranche(board->lock.tranche, kName);
    attached = board;
  }
  return attached;
}

Board::Slot* FindSlot(Board* board, Oid database) {
  for (Board::Slot& slot : board->slots)
    if (slot.database == database) return &slot;
  return nullptr;
}

Board::Slot* FindOrTakeSlot(Board* board, Oid database) {
  Board::Slot* slot = FindSlot(board, database);
  if (slot != nullptr) return slot;
  slot = FindSlot(board, InvalidOid);
  if (slot == nullptr) return nullptr;
  std::memset(static_cast<void*>(slot), 0, sizeof *slot);
  slot->database = database;
  slot->next_due = kWorkerStarted;
  return slot;
}

namespace {

// A worker of the database that waits for something to do, told to look; 0: none does. The caller
// holds the board's lock exclusively.
pid_t WakeLingering(Board* board, Oid database) {
  for (Board::Worker& worker : board->workers) {
    if (worker.number == 0 || worker.database != database || !worker.lingers) continue;
    worker.lingers = false;
    return worker.pid;
  }
  return 0;
}

}  // namespace

void Post(Oid database) {
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  Board::Slot* const slot = FindOrTakeSlot(board, database);
  const pid_t lingering = slot == nullptr ? 0 : WakeLingering(board, database);
  if (lingering != 0) {
    LWLockRelease(&board->lock);
    // One that is gone has ended without a word: the launcher looks again.
    PGPROC* const process = BackendPidGetProc(lingering);
    if (process != nullptr) SetLatch(&process->procLatch);
    return;
  }
  if (slot == nullptr) {
    board->look_again = true;
  } else {
    slot->has_library = true;
    slot->next_due = GetCurrentTimestamp();
    slot->posted_at = slot->next_due;
    slot->not_before = 0;
  }
  LWLockRelease(&board->lock);
  WakeLauncher();
}

void PostNext(Oid database, TimestampTz due, bool replica) {
  due = Max(due, GetCurrentTimestamp());
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  Board::Slot* const slot = FindSlot(board, database);
  if (slot != nullptr) {
    slot->has_library = true;
    slot->replica = replica;
    slot->next_due = slot->next_due == kWorkerStarted ? due : Min(slot->next_due, due);
  }
  LWLockRelease(&board->lock);
  WakeLauncher();
}

namespace {

void OnHolderExit(int, Datum) {
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  Board::Slot* const slot = FindSlot(board, MyDatabaseId);
  if (slot != nullptr && slot->restoring == MyProcPid) slot->restoring = 0;
  LWLockRelease(&board->lock);
  Post(MyDatabaseId);
}

}  // namespace

void HoldUntilExit() {
  Board* const board = GetBoard();
  if (!holds) before_shmem_exit(OnHolderExit, 0);
  holds = true;
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  Board::Slot* const slot = FindOrTakeSlot(board, MyDatabaseId);
  if (slot != nullptr) slot->restoring = MyProcPid;
  LWLockRelease(&board->lock);
}

bool IsBeingRestored(const Board::Slot& slot) {
  return slot.restoring != 0 && BackendPidGetProc(slot.restoring) != nullptr;
}

bool IsBeingRestored() {
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_SHARED);
  const Board::Slot* const slot = FindSlot(board, MyDatabaseId);
  const bool is_being_restored = slot != nullptr && IsBeingRestored(*slot);
  LWLockRelease(&board->lock);
  return is_being_restored;
}

void NoteWorkerFailure(Oid database, std::int32_t registry_id, const char* message) {
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  WorkerFailure* place = &board->failures[0];
  for (WorkerFailure& known : board->failures) {
    if (known.database == database && known.registry_id == registry_id) {
      place = &known;
      break;
    }
    if (known.at < place->at) place = &known;
  }
  place->database = database;
  place->at = GetCurrentTimestamp();
  place->registry_id = registry_id;
  const int size = pg_mbcliplen(message, static_cast<int>(std::strlen(message)),
                                static_cast<int>(sizeof place->message) - 1);
  std::memcpy(place->message, message, size);
  place->message[size] = '\0';
  LWLockRelease(&board->lock);
}

WorkerFailure LastWorkerFailure(Oid database, std::optional<std::int32_t> registry_id) {
  Board* const board = GetBoard();
  WorkerFailure found = {};
  LWLockAcquire(&board->lock, LW_SHARED);
  for (const WorkerFailure& known : board->failures)
    if (known.database == database && (!registry_id || known.registry_id == *registry_id) &&
        known.at >= found.at)
      found = known;
  LWLockRelease(&board->lock);
  return found;
}

bool MakeRoom() {
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  const bool wanted = board->waiting > 0;
  if (wanted) --board->waiting;
  LWLockRelease(&board->lock);
  makes_room = makes_room || wanted;
  return wanted;
}

bool OthersWait() {
  if (makes_room) return true;
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_SHARED);
  const bool wait = board->waiting > 0;
  LWLockRelease(&board->lock);
  return wait;
}

void PostAtCommit() {
  GetBoard();  // what could raise, raises now
  if (!callback_registered) {
    RegisterXactCallback(OnTransactionEnd, nullptr);
    callback_registered = true;
  }
  post_at_commit = true;
}

pid_t RunningLauncher() {
  const pid_t launcher = GetBoard()->launcher;
  return launcher != 0 && BackendPidGetProc(launcher) != nullptr ? launcher : 0;
}

void WakeLauncher() {
  Board* const board = GetBoard();
  const pid_t launcher = board->launcher;
  if (launcher == 0) return;
  PGPROC* const process = BackendPidGetProc(launcher);
  if (process != nullptr) SetLatch(&process->procLatch);
}

void NoteEndingPolicy(const PolicyVersion& policy) {
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  PolicyVersion* place = nullptr;
  // Who replaces a function again and again pushes no other one out.
  for (PolicyVersion& known : board->ending)
    if (known.database == policy.database && known.function == policy.function) place = &known;
  if (place == nullptr) {
    place = &board->ending[board->next_ending];
    board->next_ending = (board->next_ending + 1) % kMaxEndingPolicies;
  }
  *place = policy;
  LWLockRelease(&board->lock);
}

bool HasEndedProcess(const PolicyVersion& policy) {
  Board* const board = GetBoard();
  bool found = false;
  LWLockAcquire(&board->lock, LW_SHARED);
  for (const PolicyVersion& known : board->ending)
    found = found || (known.database == policy.database && known.function == policy.function &&
                      known.version == policy.version);
  LWLockRelease(&board->lock);
  return found;
}

}  // namespace image_library::postgres

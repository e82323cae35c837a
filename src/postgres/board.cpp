#include "postgres/board.h"

namespace image_library::postgres {
namespace {

constexpr char kName[] = "image_library";
constinit Board* attached = nullptr;
constinit bool callback_registered = false;
constinit bool post_at_commit = false;
constinit shmem_request_hook_type previous_request_hook = nullptr;

void RequestSharedMemory() {
  if (previous_request_hook != nullptr) previous_request_hook();
  RequestAddinShmemSpace(MAXALIGN(sizeof(Board)));
}

void OnTransactionEnd(XactEvent event, void*) {
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT) return;
  if (post_at_commit && event == XACT_EVENT_COMMIT) Post(MyDatabaseId, GetCurrentTimestamp());
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

namespace {

void Post(Oid database, TimestampTz due, bool keep_earlier) {
  Board* const board = GetBoard();
  Board::Slot* free_slot = nullptr;
  Board::Slot* slot = nullptr;
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  for (Board::Slot& candidate : board->slots) {
    if (candidate.database == database) slot = &candidate;
    if (free_slot == nullptr && !OidIsValid(candidate.database)) free_slot = &candidate;
  }
  if (slot == nullptr && free_slot != nullptr) {
    slot = free_slot;
    slot->database = database;
    slot->next_due = kWorkerStarted;
    slot->workers = 0;
    slot->failures = 0;
    slot->broken_off = false;
  }
  if (slot != nullptr) {
    const bool posted = keep_earlier && slot->next_due != kWorkerStarted;
    slot->next_due = posted ? Min(slot->next_due, due) : due;
  }
  LWLockRelease(&board->lock);
  WakeLauncher();
}

}  // namespace

void Post(Oid database, TimestampTz due) { Post(database, due, false); }

void PostNext(Oid database, TimestampTz due) { Post(database, due, true); }

void PostBrokenOff() {
  Board* const board = GetBoard();
  LWLockAcquire(&board->lock, LW_EXCLUSIVE);
  for (Board::Slot& slot : board->slots)
    if (slot.database == MyDatabaseId) slot.broken_off = true;
  LWLockRelease(&board->lock);
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

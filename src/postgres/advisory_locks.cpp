#include "postgres/advisory_locks.h"

namespace image_library::postgres {
namespace {

#if PG_VERSION_NUM >= 160000
template <typename Visit>
void ForEachLock(dlist_head* list, Visit visit) {
  dlist_iter at;
  dlist_foreach(at, list) visit(dlist_container(PROCLOCK, procLink, at.cur));
}
bool IsEmpty(const dlist_head* list) { return dlist_is_empty(list); }
#else
template <typename Visit>
void ForEachLock(SHM_QUEUE* list, Visit visit) {
  void* at = list;
  while ((at = SHMQueueNext(list, static_cast<SHM_QUEUE*>(at), offsetof(PROCLOCK, procLink))) !=
         nullptr) {
    auto* const lock = static_cast<PROCLOCK*>(at);
    visit(lock);
    at = &lock->procLink;
  }
}
bool IsEmpty(const SHM_QUEUE* list) { return SHMQueueEmpty(list); }
#endif

bool IsHeld(const LOCKTAG& tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
  return LockHeldByMe(&tag, mode, false);
#else
  return LockHeldByMe(&tag, mode);
#endif
}

}  // namespace

HeldAdvisoryLocks GetAdvisoryLocks() {
  HeldAdvisoryLocks held = {nullptr, 0};
  for (int i = 0; i < NUM_LOCK_PARTITIONS; ++i) {
    // Only this process adds advisory locks to its list: LockReleaseAll looks in the same way.
    if (IsEmpty(&MyProc->myProcLocks[i])) continue;
    int count = 0;
    const auto is_advisory = [](const PROCLOCK* lock) {
      return lock->holdMask != 0 && lock->tag.myLock->tag.locktag_lockmethodid == USER_LOCKMETHOD;
    };
    LWLockAcquire(LockHashPartitionLockByIndex(i), LW_SHARED);
    ForEachLock(&MyProc->myProcLocks[i], [&](const PROCLOCK* lock) { count += is_advisory(lock); });
    if (count > 0) {
      const Size size = sizeof(HeldAdvisoryLocks::Lock) * (held.count + count);
      held.locks = static_cast<HeldAdvisoryLocks::Lock*>(
          held.locks == nullptr ? palloc(size) : repalloc(held.locks, size));
      ForEachLock(&MyProc->myProcLocks[i], [&](const PROCLOCK* lock) {
        if (is_advisory(lock)) held.locks[held.count++] = {lock->tag.myLock->tag, lock->holdMask};
      });
    }
    LWLockRelease(LockHashPartitionLockByIndex(i));
  }
  return held;
}

void ReleaseAdvisoryLocksSince(const HeldAdvisoryLocks& before) {
  const HeldAdvisoryLocks now = GetAdvisoryLocks();
  for (int i = 0; i < now.count; ++i) {
    LOCKMASK added = now.locks[i].modes;
    for (int j = 0; j < before.count; ++j)
      if (std::memcmp(&before.locks[j].tag, &now.locks[i].tag, sizeof(LOCKTAG)) == 0)
        added &= ~before.locks[j].modes;
    for (LOCKMODE mode = 1; mode < MAX_LOCKMODES; ++mode) {
      if ((added & LOCKBIT_ON(mode)) == 0) continue;
      while (IsHeld(now.locks[i].tag, mode) && LockRelease(&now.locks[i].tag, mode, true)) {
      }
    }
  }
}

}  // namespace image_library::postgres

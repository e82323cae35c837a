#include "postgres/advisory_locks.h"

namespace image_library::postgres {

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
      while (LockHeldByMe(&now.locks[i].tag, mode, false) &&
             LockRelease(&now.locks[i].tag, mode, true)) {
      }
    }
  }
}

}  // namespace image_library::postgres

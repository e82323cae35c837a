// Locks on a registry that users cannot take. Every role may take an advisory lock with any key,
// and could block syncs and decisions of others if these used advisory locks.
#ifndef IMAGE_LIBRARY_POSTGRES_REGISTRY_LOCK_H_
#define IMAGE_LIBRARY_POSTGRES_REGISTRY_LOCK_H_

#include <cstdint>

namespace image_library::postgres {

/// The session's lock on the sync of one registry, so that no two run at once. pg_locks shows it
/// with locktype userlock, classid 1 and the registry's number as objid. Outlives transactions.
class SyncLock {
 public:
  /// Takes the lock if it is free.
  explicit SyncLock(std::int32_t registry_id);
  ~SyncLock();
  SyncLock(const SyncLock&) = delete;
  SyncLock& operator=(const SyncLock&) = delete;
  bool held() const noexcept { return held_; }

 private:
  std::int32_t registry_id_;
  bool held_;
};

}  // namespace image_library::postgres

#endif

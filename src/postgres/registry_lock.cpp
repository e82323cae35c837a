#include "postgres/pg.h"

#include "postgres/bridge.h"
#include "postgres/registry_lock.h"

extern "C" {
#include "storage/lock.h"
}

namespace image_library::postgres {
namespace {

// The kind of a lock on a registry: classid in pg_locks.
enum class What : std::uint32_t { kSync = 1, kRules = 2 };

// The lock type that old versions of PostgreSQL had for user locks; no SQL function takes one.
LOCKTAG LockTag(What what, std::int32_t registry_id) {
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<std::uint32_t>(what),
                       static_cast<std::uint32_t>(registry_id), 0);
  tag.locktag_type = LOCKTAG_USERLOCK;
  return tag;
}

}  // namespace

SyncLock::SyncLock(std::int32_t registry_id) : registry_id_(registry_id) {
  const LOCKTAG tag = LockTag(What::kSync, registry_id);
  held_ =
      Value([&] { return LockAcquire(&tag, ExclusiveLock, true, true); }) != LOCKACQUIRE_NOT_AVAIL;
}

SyncLock::~SyncLock() {
  if (!held_) return;
  const LOCKTAG tag = LockTag(What::kSync, registry_id_);
  LockRelease(&tag, ExclusiveLock, true);
}

}  // namespace image_library::postgres

extern "C" {
PG_FUNCTION_INFO_V1(image_library_lock_rules);

/// lock_rules_of(registry_id, exclusive) -> void: waits, as lock_timeout and the deadlock detector
/// allow, and holds the lock until the transaction ends.
Datum image_library_lock_rules(PG_FUNCTION_ARGS) {
  using namespace image_library::postgres;
  const LOCKTAG tag = LockTag(What::kRules, PG_GETARG_INT32(0));
  (void)LockAcquire(&tag, PG_GETARG_BOOL(1) ? ExclusiveLock : ShareLock, false, false);
  PG_RETURN_VOID();
}
}

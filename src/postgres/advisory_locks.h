// Advisory locks that a function leaves behind in its caller's session.
#ifndef IMAGE_LIBRARY_POSTGRES_ADVISORY_LOCKS_H_
#define IMAGE_LIBRARY_POSTGRES_ADVISORY_LOCKS_H_

#include "postgres/pg.h"

extern "C" {
#include "storage/lock.h"
}

namespace image_library::postgres {

/// The advisory locks that this process holds, in the current memory context; how often it holds
/// one is not among it.
struct HeldAdvisoryLocks {
  struct Lock {
    LOCKTAG tag;
    LOCKMASK modes;
  };
  Lock* locks;
  int count;
};

/// What this process holds now. Looks at its own list of locks only.
HeldAdvisoryLocks GetAdvisoryLocks();

/// Releases the session's locks that were not held before. Those of a transaction must be gone.
void ReleaseAdvisoryLocksSince(const HeldAdvisoryLocks& before);

}  // namespace image_library::postgres

#endif

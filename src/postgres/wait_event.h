// What a process of ours waits for, as pg_stat_activity.wait_event shows it.
#ifndef IMAGE_LIBRARY_POSTGRES_WAIT_EVENT_H_
#define IMAGE_LIBRARY_POSTGRES_WAIT_EVENT_H_

#include "postgres/pg.h"

namespace image_library::postgres {

enum class WaitsFor {
  kLauncher,       // the launcher: for the next sync that is due
  kLauncherStart,  // a session that starts the launcher: until it runs
  kRegistry,       // a sync: for the answer of a registry
  kSyncTurn,       // a session: for another session that syncs the registry
  kPush,           // a worker that has looked at a push: for the next one
};

// The value for WaitLatch. Before PostgreSQL 17, which brought names for an extension's wait
// events, all are "Extension". May ereport.
uint32 WaitEventInfo(WaitsFor what);

}  // namespace image_library::postgres

#endif

// The agent: a launcher for the cluster and short-lived workers, one registry each.
#ifndef IMAGE_LIBRARY_POSTGRES_LAUNCHER_H_
#define IMAGE_LIBRARY_POSTGRES_LAUNCHER_H_

#include "postgres/pg.h"

namespace image_library::postgres {

/// Registers the launcher with the postmaster; from _PG_init while the library is preloaded.
void RegisterLauncher();

/// Starts a launcher that lives until the server stops; nullptr when there is no worker slot.
BackgroundWorkerHandle* StartLauncher();

/// Starts a worker in a database; nullptr when there is no worker slot. The caller is notified of
/// its start and end by its latch.
BackgroundWorkerHandle* StartWorker(Oid database);

}  // namespace image_library::postgres

#endif

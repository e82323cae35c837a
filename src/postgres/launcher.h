// The agent: a launcher for the cluster and short-lived workers.
#ifndef IMAGE_LIBRARY_POSTGRES_LAUNCHER_H_
#define IMAGE_LIBRARY_POSTGRES_LAUNCHER_H_

#include "postgres/pg.h"

#include <cstdint>

namespace image_library::postgres {

/// Registers the launcher with the postmaster; from _PG_init while the library is preloaded.
void RegisterLauncher();

/// Starts a launcher that lives until the server stops; nullptr when there is no worker slot.
BackgroundWorkerHandle* StartLauncher();

/// Where a worker says how it ends, Board::workers, and its number there: bgw_extra.
struct WorkerPlace {
  int place;
  std::uint32_t number;
};

}  // namespace image_library::postgres

#endif

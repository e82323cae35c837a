// What launcher, workers and sessions tell each other: a board in shared memory.
#ifndef IMAGE_LIBRARY_POSTGRES_BOARD_H_
#define IMAGE_LIBRARY_POSTGRES_BOARD_H_

#include "postgres/pg.h"

namespace image_library::postgres {

/// Databases the launcher can look after.
inline constexpr int kMaxDatabases = 256;

/// The due time of a database whose worker was started and has not said yet what is due next.
inline constexpr TimestampTz kWorkerStarted = DT_NOEND - 1;

/// Oids, pids, counters and times only: nothing here can outlive the process it points into.
struct Board {
  struct Slot {
    Oid database;          ///< InvalidOid: free
    TimestampTz next_due;  ///< when a worker has something to do there; DT_NOEND: nothing
    int workers;           ///< running now
    int failures;          ///< workers in a row that ended without posting
  };
  LWLock lock;
  pid_t launcher;       ///< 0: none runs
  bool out_of_workers;  ///< the last attempt to start one found no slot
  Slot slots[kMaxDatabases];
};

/// Reserves shared memory; from _PG_init while the library is preloaded.
void RequestBoard();

/// The board, made by whoever comes first. Raises on a lack of shared memory.
Board* GetBoard();

/// Says that something is due in a database at a time, and wakes the launcher when that is now.
void Post(Oid database, TimestampTz due);

/// Says what a worker found to be due next; an earlier time that was posted since it was started
/// stands, for the worker may have looked before.
void PostNext(Oid database, TimestampTz due);

/// Posts the current database when the running transaction commits; nothing when it aborts.
void PostAtCommit();

/// The pid of the launcher that has its post on the board; 0: none runs.
pid_t RunningLauncher();

/// Sets the latch of the launcher, if one runs.
void WakeLauncher();

}  // namespace image_library::postgres

#endif

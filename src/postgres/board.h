// A board in shared memory, through which launcher, workers and sessions communicate.
#ifndef IMAGE_LIBRARY_POSTGRES_BOARD_H_
#define IMAGE_LIBRARY_POSTGRES_BOARD_H_

#include "postgres/pg.h"

namespace image_library::postgres {

/// Maximum number of databases with a library.
inline constexpr int kMaxDatabases = 256;

/// Due time of a database whose worker was started and has not reported the next due time.
inline constexpr TimestampTz kWorkerStarted = DT_NOEND - 1;

/// Policies that are remembered for having ended a process; of more the oldest is forgotten.
inline constexpr int kMaxEndingPolicies = 32;

/// A policy's function as it was: one that is replaced has another version.
struct PolicyVersion {
  Oid database;
  Oid function;
  TransactionId version;  ///< xmin of its row in pg_proc
};

/// Only Oids, pids, counters and times, so that nothing points into the memory of a process.
struct Board {
  struct Slot {
    Oid database;          ///< InvalidOid: free
    TimestampTz next_due;  ///< when a worker has something to do there; DT_NOEND: nothing
    int workers;           ///< running now
    int failures;          ///< workers in a row that failed
    bool broken_off;       ///< a worker ended with an error since the launcher last looked
  };
  LWLock lock;
  pid_t launcher;       ///< 0: none runs
  bool out_of_workers;  ///< the last attempt to start one found no slot
  Slot slots[kMaxDatabases];
  PolicyVersion ending[kMaxEndingPolicies];
  int next_ending;  ///< where the next one is noted
};

/// Reserves shared memory; from _PG_init while the library is preloaded.
void RequestBoard();

/// The board; the first caller creates it. Raises an error on a lack of shared memory.
Board* GetBoard();

/// Reports that a sync is due in a database at a time, and wakes the launcher if that is now.
void Post(Oid database, TimestampTz due);

/// Reports the next due time that a worker found. An earlier time that was posted since the worker
/// was started is kept, since the worker may have looked before.
void PostNext(Oid database, TimestampTz due);

/// Says that this process, a worker, ends with an error: what it was at is due again, after a
/// while.
void PostBrokenOff();

/// Posts the current database when the running transaction commits; nothing when it aborts.
void PostAtCommit();

/// The pid of the running launcher; 0: none runs.
pid_t RunningLauncher();

/// Remembers, until the server restarts, that a policy ended a process. The board is there already.
void NoteEndingPolicy(const PolicyVersion& policy);

/// Whether a policy, as it is now, has ended a process. Raises on a lack of shared memory.
bool HasEndedProcess(const PolicyVersion& policy);

/// Sets the latch of the launcher, if one runs.
void WakeLauncher();

}  // namespace image_library::postgres

#endif

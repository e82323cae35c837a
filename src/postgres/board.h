// A board in shared memory, through which launcher, workers and sessions communicate.
#ifndef IMAGE_LIBRARY_POSTGRES_BOARD_H_
#define IMAGE_LIBRARY_POSTGRES_BOARD_H_

#include "postgres/pg.h"

#include <cstdint>
#include <optional>

namespace image_library::postgres {

/// Maximum number of databases with a library.
inline constexpr int kMaxDatabases = 512;

/// Maximum of image_library.max_workers.
inline constexpr int kMaxWorkers = 64;

/// Failures that are remembered, the last one for each registry of a database; of more the oldest
/// is forgotten.
inline constexpr int kMaxFailures = 64;

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

/// How a worker ended, which it says as its last act. One that says nothing has failed.
enum class WorkerEnd { kNone, kClean, kNoLibrary };

/// A failure of a worker in a database.
struct WorkerFailure {
  Oid database;  ///< InvalidOid: free
  TimestampTz at;
  std::int32_t registry_id;  ///< that the worker was syncing; 0: none
  char message[192];
};

/// Oids, pids, counters, times and texts of a fixed size, so that nothing points into the memory of
/// a process.
struct Board {
  /// A database that has a library, or that no worker has looked at yet.
  struct Slot {
    Oid database;            ///< InvalidOid: free
    bool has_library;        ///< a worker or a session has seen it there
    TimestampTz next_due;    ///< when a worker has something to do there; DT_NOEND: nothing
    TimestampTz not_before;  ///< no worker is started before, since one has failed
    TimestampTz failed_at;   ///< when the last one failed; 0: none has
    TimestampTz posted_at;   ///< next_due as the last Post has set it; 0: none has
    int workers;             ///< running now
    int failures;            ///< workers in a row that failed
    pid_t
        restoring;  ///< session that restores a dump: no worker is started while it lives; 0: none
    bool replica;   ///< its last worker saw that the library comes from a hub
  };
  /// What a worker says to the launcher.
  struct Worker {
    std::uint32_t number;  ///< of the worker that may write here; 0: none
    Oid database;          ///< in which it works
    pid_t pid;             ///< 0: its process has not begun
    WorkerEnd end;
    bool noted;    ///< it has told why it fails
    bool lingers;  ///< it waits for something to be due: Post wakes it, and clears this
  };
  LWLock lock;
  pid_t launcher;  ///< 0: none runs
  TimestampTz launcher_started;
  bool out_of_workers;  ///< the last attempt to start one found no slot
  bool look_again;      ///< a database got a library, but no slot
  int left_out;         ///< databases without a slot while all slots are of libraries
  int waiting;          ///< databases that are due while no worker may be started
  std::uint32_t last_worker;
  Slot slots[kMaxDatabases];
  Worker workers[kMaxWorkers];
  WorkerFailure failures[kMaxFailures];
  PolicyVersion ending[kMaxEndingPolicies];
  int next_ending;  ///< where the next one is noted
};

/// Reserves shared memory; from _PG_init while the library is preloaded.
void RequestBoard();

/// The board; the first caller creates it. Raises an error on a lack of shared memory.
Board* GetBoard();

/// The slot of a database; nullptr: it has none. The caller holds the board's lock.
Board::Slot* FindSlot(Board* board, Oid database);

/// The same; a database without a slot gets a free one, in which nothing is due. nullptr: none is
/// free. The caller holds the board's lock exclusively.
Board::Slot* FindOrTakeSlot(Board* board, Oid database);

/// Reports that a sync is due in a database now, and wakes the launcher. What made workers fail
/// there may be gone, so the next one is not delayed.
void Post(Oid database);

/// Reports the next due time that a worker found. An earlier time that was posted since the worker
/// was started is kept, since the worker may have looked before. What is due already has its turn
/// after databases that wait already. replica: the library comes from a hub there.
void PostNext(Oid database, TimestampTz due, bool replica = false);

/// Posts the current database when the running transaction commits; nothing when it aborts.
void PostAtCommit();

/// Delays the workers of the current database until this session ends, which posts the database.
void HoldUntilExit();

/// Whether the session that restores a dump into the slot's database lives. The caller holds the
/// board's lock.
bool IsBeingRestored(const Board::Slot& slot);

/// Whether a session restores a dump into the current database. It is known before other sessions
/// see a registry of the dump, so ask after the registries have been read.
bool IsBeingRestored();

/// Remembers why a worker failed in a database.
void NoteWorkerFailure(Oid database, std::int32_t registry_id, const char* message);

/// The last failure of a worker in a database, or of one that was syncing the registry there:
/// others may have failed since. Its field database is InvalidOid if none is known.
WorkerFailure LastWorkerFailure(Oid database, std::optional<std::int32_t> registry_id = {});

/// For a worker that could end early: true if a database waits for a worker. Each that waits is
/// told to one worker.
bool MakeRoom();

/// Whether a database waits for a worker, or this worker was told so by MakeRoom.
bool OthersWait();

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

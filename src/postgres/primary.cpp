#include "postgres/primary.h"

#include "postgres/error_context.h"
#include "postgres/pg.h"
#include "postgres/settings.h"

extern "C" {
#include "access/xlog.h"
#include "commands/trigger.h"
#include "replication/logicalworker.h"
#include "replication/walreceiver.h"
#include "storage/spin.h"
}

namespace image_library::postgres {
namespace {

// The server that this one receives from, which may be a standby too; false: none, or the role may
// not see it.
bool FindSender(char* host, int* port) {
  if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS)) return false;
  SpinLockAcquire(&WalRcv->mutex);
  // Until then it may have a password.
  const bool shown = WalRcv->ready_to_display && WalRcv->sender_host[0] != '\0';
  if (shown) {
    strlcpy(host, WalRcv->sender_host, NI_MAXHOST);
    *port = WalRcv->sender_port;
  }
  SpinLockRelease(&WalRcv->mutex);
  return shown;
}

[[noreturn]] void RefuseInReplica(const char* what) {
  const char* const context = LeaveOutOwnContext();
  ereport(ERROR,
          (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION), errmsg("cannot %s in a replica", what),
           errdetail("image_library.mode is \"replica\" here: the library comes from its hub by "
                     "logical replication."),
           errhint("Connect to the hub. image_library.promote_replica() tells how this database "
                   "becomes the hub."),
           context != nullptr ? errcontext("%s", context) : 0));
  pg_unreachable();
}

[[noreturn]] void RefuseWithoutTriggers() {
  const char* const context = LeaveOutOwnContext();
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("cannot change the library while session_replication_role is \"replica\""),
                  errdetail("The triggers that audit a change would not run."),
                  errhint("SET session_replication_role = origin."),
                  context != nullptr ? errcontext("%s", context) : 0));
  pg_unreachable();
}

}  // namespace

bool IsReplica() { return settings::mode == settings::kReplica; }

void RequirePrimary(const char* what) {
  if (!RecoveryInProgress()) {
    if (IsReplica()) RefuseInReplica(what);
    return;
  }
  char host[NI_MAXHOST] = "";
  int port = 0;
  const bool known = FindSender(host, &port);
  ereport(ERROR,
          (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION), errmsg("cannot %s on a standby", what),
           errdetail("This server is in recovery: its library is that of the primary."),
           known ? errhint("Run it on the primary: this server receives from host \"%s\", port %d. "
                           "After a promotion the agent starts by itself where image_library is "
                           "preloaded.",
                           host, port)
                 : errhint("Run it on the primary. After a promotion the agent starts by itself "
                           "where image_library is preloaded.")));
}

}  // namespace image_library::postgres

extern "C" {
using namespace image_library::postgres;  // NOLINT

PG_FUNCTION_INFO_V1(image_library_refuse_in_replica);

/// refuse_in_replica() -> trigger: raises 25006 where image_library.mode is replica, and 55000
/// where the triggers that audit and chain do not run: session_replication_role is replica, which
/// roles other than superusers may set if they were granted it. The workers of logical replication
/// write with that role; the scripts of CREATE and ALTER EXTENSION may write.
Datum image_library_refuse_in_replica(PG_FUNCTION_ARGS) {
  if (!CALLED_AS_TRIGGER(fcinfo)) elog(ERROR, "refuse_in_replica was not called as a trigger");
  if (creating_extension || IsLogicalWorker()) PG_RETURN_POINTER(nullptr);
  if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA) {
    // A superuser means it: doc/replication.md.
    if (!superuser_arg(GetSessionUserId())) RefuseWithoutTriggers();
  } else if (IsReplica()) {
    RefuseInReplica("change the library");
  }
  PG_RETURN_POINTER(nullptr);
}
}

#include "postgres/primary.h"

#include "postgres/pg.h"

extern "C" {
#include "access/xlog.h"
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

}  // namespace

void RequirePrimary(const char* what) {
  if (!RecoveryInProgress()) return;
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

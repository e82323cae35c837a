// A worker: connects to one database, syncs what is due there, reports what is due next, and ends.
//
//   SIGTERM  die: ends at the next wait, within a wait on the network too
//   SIGHUP   settings are read again between waits
#include "postgres/launcher.h"

#include <algorithm>
#include <set>

#include "postgres/board.h"
#include "postgres/bridge.h"
#include "postgres/database.h"
#include "postgres/registry_lock.h"
#include "postgres/settings.h"
#include "postgres/sync_run.h"

namespace image_library::postgres {
namespace {

// When a registry that was skipped because of locks is tried again.
constexpr int kLaterMs = 30000;

struct Due {
  std::int32_t registry_id;
  std::string name;
  std::string database;
  TimestampTz at;
};

TimestampTz FromText(const std::string& text) {
  const char* const value = text.c_str();
  return Value([&] {
    return DatumGetTimestampTz(DirectFunctionCall3(
        timestamptz_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  });
}

// Enabled registries that no session is syncing, those due first come first.
std::vector<Due> Registries(Database& database) {
  std::vector<Due> due;
  database.Transaction([&] {
    for (const Row& row :
         database.Execute("SELECT registry_id, name, due_at, pg_catalog.current_database() "
                          "FROM image_library_internal.due_registries()"))
      due.push_back({std::stoi(*row[0]), *row[1], *row[3], FromText(*row[2])});
  });
  return due;
}

// Posts when the registries after the first are due, for other workers.
void PostRest(const std::vector<Due>& due, std::size_t skip, TimestampTz next = DT_NOEND) {
  for (std::size_t i = skip; i < due.size(); ++i) next = Min(next, due[i].at);
  PostNext(MyDatabaseId, next);
}

// One line of the log about a run that failed.
void Log(const Due& due, const Run& run, const std::string& error, const std::string& hint) {
  const std::string place = "database \"" + due.database + "\", " + run.Name(due.name);
  const char* const texts[] = {place.c_str(), error.c_str(), hint.c_str()};
  Call([&] {
    ereport(LOG, (errmsg("image_library could not sync: %s", texts[0]), errdetail("%s", texts[1]),
                  *texts[2] != '\0' ? errhint("%s", texts[2]) : 0));
  });
}

// If a registry is being dropped, for example, not even the row of a run can be written. Then this
// worker skips it and returns false.
bool RunUnlessLocked(Database& database, const Due& due, const Report& report, Run& run) {
  try {
    RunSync(database, due.registry_id, "schedule", report, run);
    return true;
  } catch (const PostgresError& error) {
    if (!IsBusy(error.sqlstate)) {
      Log(due, run, error.message, error.hint);
      throw;
    }
  }
  Log(due, run, "Another session holds locks on what the run has to write.",
      "Look for a transaction that stays open, in pg_stat_activity.");
  return false;
}

void Activity(const std::string& line) {
  const char* const text = line.c_str();
  Call([&] { pgstat_report_activity(STATE_RUNNING, text); });
}

void SyncDue() {
  Database database(TransactionMode::kWorker);
  if (!database.ExtensionIsThere()) {
    PostNext(MyDatabaseId, DT_NOEND);
    return;
  }
  try {
    std::set<std::int32_t> locked;
    for (;;) {
      std::vector<Due> due = Registries(database);
      std::erase_if(due, [&](const Due& one) { return locked.count(one.registry_id) != 0; });
      const TimestampTz now = GetCurrentTimestamp();
      if (due.empty() || due.front().at > now || !settings::enabled) {
        PostRest(due, 0, locked.empty() ? DT_NOEND : TimestampTzPlusMilliseconds(now, kLaterMs));
        return;
      }
      const Due& first = due.front();
      const SyncLock lock(first.registry_id);
      if (!lock.held()) continue;  // somebody was quicker
      // The registry may have been synced before this worker got the lock.
      const std::vector<Due> again = Registries(database);
      if (std::none_of(again.begin(), again.end(), [&](const Due& other) {
            return other.registry_id == first.registry_id && other.at <= GetCurrentTimestamp();
          }))
        continue;
      PostRest(due, 1);
      Run run;
      const auto report = [&](const std::string& line) {
        Activity("syncing " + run.Name(first.name) + ": " + line);
      };
      if (!RunUnlessLocked(database, first, report, run))
        locked.insert(first.registry_id);
      else if (run.result.outcome == sync::Outcome::kFailed)
        Log(first, run, run.result.error, run.result.hint);
    }
  } catch (const ExtensionGone&) {
    PostNext(MyDatabaseId, DT_NOEND);
  }
}

void OnWorkerExit(int code, Datum) {
  if (code != 0) PostBrokenOff();
}

}  // namespace
}  // namespace image_library::postgres

extern "C" {
using namespace image_library::postgres;  // NOLINT

PGDLLEXPORT void image_library_worker_main(Datum database) {
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
  SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
  SetConfigOption("application_name", "image_library worker", PGC_USERSET, PGC_S_SESSION);
  // A sync can be repeated, so its commits need not wait for a disk or a standby.
  SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
  GetBoard();
  before_shmem_exit(OnWorkerExit, 0);
  Guard([&] { SyncDue(); });
}
}

// A worker: connects to one database, syncs what is due there, says what is due next, and ends.
//
//   SIGTERM  die: ends at the next wait, within a wait on the network too
//   SIGHUP   settings are read again between waits
#include "postgres/agent.h"

#include <algorithm>

#include "postgres/board.h"
#include "postgres/bridge.h"
#include "postgres/database.h"
#include "postgres/settings.h"
#include "postgres/sync_run.h"

namespace image_library::postgres {
namespace {

struct Due {
  std::int32_t registry_id;
  std::string name;
  TimestampTz at;
};

TimestampTz FromText(const std::string& text) {
  const char* const value = text.c_str();
  return Value([&] {
    return DatumGetTimestampTz(DirectFunctionCall3(
        timestamptz_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  });
}

// Enabled registries that no session is syncing, the most urgent first.
std::vector<Due> Registries(Database& database) {
  std::vector<Due> due;
  database.Transaction([&] {
    for (const Row& row :
         database.Execute("SELECT registry_id, name, due_at FROM image_library._due_registries()"))
      due.push_back({std::stoi(*row[0]), *row[1], FromText(*row[2])});
  });
  return due;
}

// Other workers are for the registries after the first, or for later.
void PostRest(const std::vector<Due>& due, std::size_t skip) {
  TimestampTz next = DT_NOEND;
  for (std::size_t i = skip; i < due.size(); ++i) next = Min(next, due[i].at);
  PostNext(MyDatabaseId, next);
}

void Activity(const std::string& line) {
  const char* const text = line.c_str();
  Call([&] { pgstat_report_activity(STATE_RUNNING, text); });
}

void Log(const std::string& registry, const sync::RunResult& result) {
  if (result.outcome != sync::Outcome::kFailed) return;
  const char* const name = registry.c_str();
  const char* const error = result.error.c_str();
  const char* const hint = result.hint.c_str();
  Call([&] {
    ereport(LOG, (errmsg("image_library could not sync registry \"%s\"", name),
                  errdetail("%s", error), *hint != '\0' ? errhint("%s", hint) : 0));
  });
}

void SyncDue() {
  Database database(TransactionMode::kWorker);
  if (!database.ExtensionIsThere()) {
    PostNext(MyDatabaseId, DT_NOEND);
    return;
  }
  try {
    for (;;) {
      const std::vector<Due> due = Registries(database);
      if (due.empty() || due.front().at > GetCurrentTimestamp() || !settings::enabled) {
        PostRest(due, 0);
        return;
      }
      const Due& first = due.front();
      const SyncLock lock(database, first.registry_id);
      if (!lock.held()) continue;  // somebody was quicker
      // What was due when we looked may have been synced before we got the lock.
      const std::vector<Due> again = Registries(database);
      if (std::none_of(again.begin(), again.end(), [&](const Due& other) {
            return other.registry_id == first.registry_id && other.at <= GetCurrentTimestamp();
          }))
        continue;
      PostRest(due, 1);
      Activity("syncing registry " + first.name);
      const auto report = [&](const std::string& line) {
        Activity("syncing registry " + first.name + ", " + line);
      };
      Log(first.name, RunSync(database, first.registry_id, "schedule", report));
    }
  } catch (const ExtensionGone&) {
    PostNext(MyDatabaseId, DT_NOEND);
  }
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
  // A sync can be done again: it need not wait for a disk or a standby.
  SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
  GetBoard();
  Guard([&] { SyncDue(); });
}
}

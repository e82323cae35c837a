#include "postgres/pruning.h"

#include "postgres/board.h"
#include "postgres/bridge.h"
#include "postgres/datum.h"
#include "postgres/primary.h"

extern "C" {
#include "tcop/utility.h"
}

namespace image_library::postgres {
namespace {

constexpr int kVisitMs = 5000;

bool Step(Database& database, const std::string& pass) {
  return database.Query("SELECT image_library_internal.prune_step($1::pg_catalog.int8)", {pass})
             .front()
             .front() == "t";
}

// Removed periods and images of a pass, and the name of the database; none: it is not over.
Rows Counts(Database& database, const std::string& pass) {
  return database.Query(
      "SELECT periods, images, pg_catalog.current_database() FROM image_library_internal.pruning "
      "WHERE pruning_id = $1::pg_catalog.int8 AND finished_at IS NOT NULL",
      {pass});
}

std::string Told(const Row& counts) {
  return *counts[1] + " images, and " + *counts[0] + " periods of the history of tags";
}

void Prune(Database& database) {
  const TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kVisitMs);
  const std::optional<std::string> pass =
      database.Query("SELECT image_library_internal.due_pruning()").front().front();
  if (!pass) return;
  // Images of a dump come before the tags that name them.
  if (Value([] { return IsBeingRestored(); })) return;
  Call([] { pgstat_report_activity(STATE_RUNNING, "removing old history"); });
  while (Step(database, *pass))
    if (GetCurrentTimestamp() >= until || Value([] { return OthersWait(); })) return;
  // Another worker may go on with it.
  const Rows passed = Counts(database, *pass);
  if (passed.empty()) return;
  const Row& counts = passed.front();
  if (*counts[0] == "0" && *counts[1] == "0") return;
  const std::string told = Told(counts);
  const char* const texts[] = {told.c_str(), counts[2]->c_str()};
  Call([&] {
    ereport(LOG, (errmsg("image_library removed %s", texts[0]),
                  errdetail("Database \"%s\". They were older than "
                            "image_library.history_retention, and nothing named the images.",
                            texts[1])));
  });
}

// In the session of an admin: a pass from the beginning to its end.
void PruneInSession(Database& database, bool dry_run) {
  std::string told;
  if (dry_run) {
    told =
        "would be removed: " +
        Told(database.Query("SELECT periods, images FROM image_library_internal.count_prunable()")
                 .front());
  } else {
    const std::string pass =
        *database.Query("SELECT image_library_internal.begin_pruning('call')").front().front();
    while (Step(database, pass)) {
    }
    const Rows passed = Counts(database, pass);
    if (passed.empty())
      throw PostgresError(
          ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "old history was removed in part",
          "Another session has begun to remove it.", "See image_library.prune_run.");
    told = "removed: " + Told(passed.front());
    database.Query("SELECT image_library_internal.audit_pruning($1::pg_catalog.int8)", {pass});
  }
  const std::string waiting = *database
                                   .Query(
                                       "SELECT pg_catalog.count(*) FROM "
                                       "image_library_internal.prunable_image")
                                   .front()
                                   .front();
  const char* const texts[] = {told.c_str(), waiting.c_str()};
  Call([&] {
    ereport(NOTICE,
            (errmsg("%s", texts[0]),
             waiting == "0" ? 0
                            : errdetail("%s images more wait until the syncs that are running have "
                                        "ended.",
                                        texts[1])));
  });
}

}  // namespace

void PruneForAWhile(Database& database) {
  std::string why;
  try {
    Prune(database);
    return;
  } catch (const PostgresError& error) {
    if (ERRCODE_TO_CATEGORY(error.sqlstate) == ERRCODE_OPERATOR_INTERVENTION) throw;
    if (IsBusy(error.sqlstate)) return;  // another session does the same
    why = error.message;
  }
  const char* const text = why.c_str();
  Call([&] {
    ereport(LOG, (errmsg("image_library could not remove old history: %s", text),
                  errhint("It is tried again after the next sync.")));
  });
}

}  // namespace image_library::postgres

extern "C" {
using namespace image_library::postgres;  // NOLINT

PG_FUNCTION_INFO_V1(image_library_prune_images);

/// prune_images(dry_run boolean default false)
Datum image_library_prune_images(PG_FUNCTION_ARGS) {
  const bool atomic = fcinfo->context == nullptr || !IsA(fcinfo->context, CallContext) ||
                      castNode(CallContext, fcinfo->context)->atomic;
  RequirePrimary("remove old history");
  if (atomic)
    ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
                    errmsg("image_library.prune_images cannot run inside a transaction block"),
                    errhint("It commits as it goes: CALL it by itself.")));
  PreventCommandIfReadOnly("CALL image_library.prune_images()");
  const bool dry_run = !PG_ARGISNULL(0) && PG_GETARG_BOOL(0);
  Guard([&] {
    Database database(TransactionMode::kProcedure);
    PruneInSession(database, dry_run);
  });
  PG_RETURN_VOID();
}
}

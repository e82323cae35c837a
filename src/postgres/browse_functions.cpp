// SQL functions that ask a live registry while their caller waits.
#include "core/error.h"
#include "core/pattern.h"
#include "postgres/bridge.h"
#include "postgres/database.h"
#include "postgres/datum.h"
#include "postgres/primary.h"
#include "postgres/settings.h"
#include "postgres/store.h"
#include "postgres/sync_run.h"
#include "sync/browse.h"
#include "sync/check.h"

using namespace image_library;            // NOLINT: a file of glue
using namespace image_library::postgres;  // NOLINT

namespace {

std::int32_t RegistryId(Database& database, const std::string& name) {
  return std::stoi(
      *database.Query("SELECT registry_id FROM image_library_internal.find_registry($1)", {name})
           .front()
           .front());
}

// A registry that wants to be left alone for a while is not asked.
sync::RegistryConfig LoadToAsk(Database& database, const std::string& name) {
  const std::int32_t id = RegistryId(database, name);
  database.Query("SELECT image_library_internal.check_not_before($1::pg_catalog.int4)",
                 {std::to_string(id)});
  return LoadRegistry(database, id);
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_check_registry);
PG_FUNCTION_INFO_V1(image_library_live_repositories);
PG_FUNCTION_INFO_V1(image_library_live_tags);
PG_FUNCTION_INFO_V1(image_library_refresh_listings);
PG_FUNCTION_INFO_V1(image_library_check_credential);

/// check_registry(name text) -> (step, ok, detail)
Datum image_library_check_registry(PG_FUNCTION_ARGS) {
  Guard([&] {
    BeginRows(fcinfo);
    Database database(TransactionMode::kFunction);
    const sync::RegistryConfig config =
        LoadRegistry(database, RegistryId(database, TextArgument(fcinfo, 0)));
    LatchWaiter waiter(database);
    for (const sync::CheckResult& result : sync::CheckRegistry(config, waiter))
      AddRow(fcinfo,
             {Column::Text(result.step), Column::Boolean(result.ok), Column::Text(result.detail)});
  });
  PG_RETURN_NULL();
}

/// live_repositories(registry text, pattern text) -> setof text
Datum image_library_live_repositories(PG_FUNCTION_ARGS) {
  Guard([&] {
    BeginRows(fcinfo);
    const Pattern pattern = Pattern::Parse(TextArgument(fcinfo, 1), PatternSubject::kRepository);
    Database database(TransactionMode::kFunction);
    const sync::RegistryConfig config = LoadToAsk(database, TextArgument(fcinfo, 0));
    LatchWaiter waiter(database);
    for (const std::string& name :
         sync::BrowseRepositories(config, pattern, settings::run_timeout, waiter))
      AddRow(fcinfo, {Column::Text(name)});
  });
  PG_RETURN_NULL();
}

/// live_tags(registry text, repository text, pattern text) -> setof text
Datum image_library_live_tags(PG_FUNCTION_ARGS) {
  Guard([&] {
    BeginRows(fcinfo);
    const Pattern pattern = Pattern::Parse(TextArgument(fcinfo, 2), PatternSubject::kTag);
    Database database(TransactionMode::kFunction);
    const sync::RegistryConfig config = LoadToAsk(database, TextArgument(fcinfo, 0));
    LatchWaiter waiter(database);
    for (const sync::ListedRepository& listed :
         sync::BrowseTags(config, {TextArgument(fcinfo, 1)}, settings::run_timeout, waiter)) {
      if (listed.failure) throw *listed.failure;
      for (const std::string& tag : listed.tags)
        if (pattern.Matches(tag)) AddRow(fcinfo, {Column::Text(tag)});
    }
  });
  PG_RETURN_NULL();
}

/// refresh_listings(registry text, repositories text[]) -> (repository, problem): the listings are
/// written after all of them were read, so that no lock is held while the network is waited for. Of
/// a single repository a problem is an error.
Datum image_library_refresh_listings(PG_FUNCTION_ARGS) {
  RequirePrimary("store listings");
  Guard([&] {
    BeginRows(fcinfo);
    Database database(TransactionMode::kFunction);
    const sync::RegistryConfig config = LoadToAsk(database, TextArgument(fcinfo, 0));
    LatchWaiter waiter(database);
    std::vector<sync::ListedRepository> all =
        sync::BrowseTags(config, TextArrayArgument(fcinfo, 1), settings::run_timeout, waiter);
    for (sync::ListedRepository& listed : all) {
      if (listed.failure && all.size() == 1) throw *listed.failure;
      AddRow(fcinfo, {Column::Text(listed.name),
                      listed.failure ? Column::Text(listed.failure->what()) : Column::Null()});
      if (listed.failure) continue;
      sync::Batch batch;
      batch.repository = listed.name;
      batch.listing = std::move(listed.tags);
      batch.listing_fingerprint = sync::ListingFingerprint(*batch.listing);
      WriteBatches(database, std::to_string(config.id), {&batch, 1});
    }
  });
  PG_RETURN_NULL();
}

/// check_credential(registry_id integer, repository_prefix text)
Datum image_library_check_credential(PG_FUNCTION_ARGS) {
  Guard([&] {
    Database database(TransactionMode::kFunction);
    CheckCredential(database, PG_GETARG_INT32(0), TextArgument(fcinfo, 1));
  });
  PG_RETURN_VOID();
}
}

#include "postgres/pg.h"
#include "postgres/settings.h"

namespace image_library::postgres::settings {

bool enabled = true;
int max_workers = 3;
int max_removal_percent = 50;
char* credentials_dir = nullptr;
int policy_timeout = 1000;
int event_retention = 90 * 24 * 60;
int run_retention = 90 * 24 * 60;

void Define() {
  DefineCustomBoolVariable("image_library.enabled", "Lets the agent sync registries by itself.",
                           "CALL image_library.sync() works all the same.", &enabled, true,
                           PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("image_library.max_workers",
                          "Sets how many registries are synced at once in the whole cluster.",
                          "Each takes a slot of max_worker_processes while it runs.", &max_workers,
                          3, 1, 64, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "image_library.max_removal_percent",
      "Sets the share of a repository's tags that one listing may remove.",
      "A listing that lacks more is refused and reported: nothing is marked missing.",
      &max_removal_percent, 50, 0, 100, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("image_library.credentials_dir",
                             "Sets the folder of docker config.json files with credentials.",
                             "set_credential_file names files in it.", &credentials_dir, "",
                             PGC_SUSET, GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("image_library.policy_timeout",
                          "Sets how long a policy function may take for an image.",
                          "One that takes longer is not met.", &policy_timeout, 1000, 1, 600000,
                          PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  // SQL reads them (_purge_history): the agent keeps the library tidy when a run begins.
  DefineCustomIntVariable("image_library.event_retention", "Sets how long events are kept.",
                          "-1 keeps them for ever.", &event_retention, 90 * 24 * 60, -1,
                          100 * 365 * 24 * 60, PGC_SUSET, GUC_UNIT_MIN, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "image_library.run_retention", "Sets how long rows of sync_run are kept.",
      "-1 keeps them for ever. The last run of a registry, and what its backoff looks at, stay.",
      &run_retention, 90 * 24 * 60, -1, 100 * 365 * 24 * 60, PGC_SUSET, GUC_UNIT_MIN, nullptr,
      nullptr, nullptr);
  MarkGUCPrefixReserved("image_library");
}

}  // namespace image_library::postgres::settings

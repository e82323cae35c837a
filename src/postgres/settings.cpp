#include "postgres/pg.h"
#include "postgres/settings.h"

namespace image_library::postgres::settings {

bool enabled = true;
int max_workers = 3;
int max_removal_percent = 50;
char* credentials_dir = nullptr;

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
  MarkGUCPrefixReserved("image_library");
}

}  // namespace image_library::postgres::settings

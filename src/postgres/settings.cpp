#include "postgres/pg.h"
#include "postgres/settings.h"

#include <algorithm>

#include "core/host_list.h"

namespace image_library::postgres::settings {

bool enabled = true;
int mode = kPrimary;
int max_workers = 3;
int run_timeout = 3600;
int max_removal_percent = 50;
char* credentials_dir = nullptr;
char* allowed_hosts = nullptr;
int policy_timeout = 1000;
int event_retention = 90 * 24 * 60;
int run_retention = 90 * 24 * 60;
int history_retention = 365 * 24 * 60;
int missing_grace = 7 * 24 * 60;

namespace {

constexpr config_enum_entry kModes[] = {
    {"primary", kPrimary, false}, {"replica", kReplica, false}, {nullptr, 0, false}};

// An entry that can never match would refuse every host, so it is an error when it is set.
bool CheckAllowedHosts(char** value, void**, GucSource) {
  constexpr char kSpace[] = ", \t\r\n";
  const char* entry = *value + std::strspn(*value, kSpace);
  while (*entry != '\0') {
    const std::size_t size = std::strcspn(entry, kSpace);
    if (!IsHostPattern({entry, size})) {
      GUC_check_errdetail("\"%.*s\" is not a host.",
                          static_cast<int>(std::min<std::size_t>(size, 300)), entry);
      GUC_check_errhint("Write names or globs such as *.example.org, without https://.");
      return false;
    }
    entry += size;
    entry += std::strspn(entry, kSpace);
  }
  return true;
}

}  // namespace

std::vector<std::string> AllowedHosts() {
  return SplitHostPatterns(allowed_hosts == nullptr ? "" : allowed_hosts);
}

void Define() {
  DefineCustomBoolVariable("image_library.enabled", "Lets the agent sync registries by itself.",
                           "CALL image_library.sync() works all the same.", &enabled, true,
                           PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable(
      "image_library.mode", "Sets whether the library is written here or comes from a hub.",
      "replica: only logical replication writes it, and the agent does not sync.", &mode, kPrimary,
      kModes, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("image_library.max_workers",
                          "Sets how many registries are synced at once in the whole cluster.",
                          "Each takes a slot of max_worker_processes while it runs.", &max_workers,
                          3, 1, 64, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "image_library.run_timeout", "Sets how long a run over a registry may take.",
      "One that takes longer stops, and the next one goes on from there; 0 sets "
      "no limit.",
      &run_timeout, 3600, 0, 30 * 24 * 3600, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "image_library.max_removal_percent",
      "Sets the share of a repository's tags that one listing may remove.",
      "A listing that lacks more is refused and reported: nothing is marked missing.",
      &max_removal_percent, 50, 0, 100, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("image_library.credentials_dir",
                             "Sets the folder of docker config.json files with credentials.",
                             "set_credential_file names files in it.", &credentials_dir, "",
                             PGC_SUSET, GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
  DefineCustomStringVariable(
      "image_library.allowed_hosts",
      "Sets the hosts that registries, their token servers and redirects may be at.",
      "Names or globs such as *.example.org, with a port for that port only; empty allows all.",
      &allowed_hosts, "", PGC_SUSET, 0, CheckAllowedHosts, nullptr, nullptr);
  DefineCustomIntVariable("image_library.policy_timeout",
                          "Sets how long a policy function may take for an image.",
                          "One that takes longer is not met.", &policy_timeout, 1000, 1, 600000,
                          PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  // SQL reads them (remove_old_history) when a run begins.
  DefineCustomIntVariable("image_library.event_retention", "Sets how long events are kept.",
                          "-1 keeps them for ever.", &event_retention, 90 * 24 * 60, -1,
                          100 * 365 * 24 * 60, PGC_SUSET, GUC_UNIT_MIN, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "image_library.run_retention", "Sets how long rows of sync_run are kept.",
      "-1 keeps them for ever. The last run of a registry, and what its backoff looks at, stay.",
      &run_retention, 90 * 24 * 60, -1, 100 * 365 * 24 * 60, PGC_SUSET, GUC_UNIT_MIN, nullptr,
      nullptr, nullptr);
  // SQL reads it (prune_step).
  DefineCustomIntVariable(
      "image_library.history_retention",
      "Sets how long the history of tags, and images that no tag has any more, are kept.",
      "-1 keeps them for ever. Images that were decided on, requested or used stay in any case.",
      &history_retention, 365 * 24 * 60, -1, 100 * 365 * 24 * 60, PGC_SUSET, GUC_UNIT_MIN, nullptr,
      nullptr, nullptr);
  // SQL reads it (missing_grace).
  DefineCustomIntVariable(
      "image_library.missing_grace",
      "Sets how long a pinned image may be used that its registry does not have any more.",
      "0: not at all, -1: without end.", &missing_grace, 7 * 24 * 60, -1, 100 * 365 * 24 * 60,
      PGC_SUSET, GUC_UNIT_MIN, nullptr, nullptr, nullptr);
  MarkGUCPrefixReserved("image_library");
}

}  // namespace image_library::postgres::settings

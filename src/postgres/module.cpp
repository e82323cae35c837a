// The module's entry: settings, shared memory and the launcher.
#include "postgres/launcher.h"
#include "postgres/board.h"
#include "postgres/settings.h"
#include "postgres/statement_guard.h"
#include "postgres/statement_hooks.h"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);  // NOLINT(bugprone-reserved-identifier): PostgreSQL's name

void _PG_init(void) {                       // NOLINT(bugprone-reserved-identifier)
  using namespace image_library::postgres;  // NOLINT
  settings::Define();
  WatchStatements();
  HideSecretsInLog();
  // No agent in the servers that pg_upgrade starts.
  if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade) return;
  RequestBoard();
  RegisterLauncher();
}
}

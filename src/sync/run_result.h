// How a run ended, and what it counted.
#ifndef IMAGE_LIBRARY_SYNC_RUN_RESULT_H_
#define IMAGE_LIBRARY_SYNC_RUN_RESULT_H_

#include <cstdint>
#include <string>

#include "registry/types.h"
#include "sync/progress.h"

namespace image_library::sync {

/// Counted over one run; a row of sync_run.
struct RunStatistics {
  std::int64_t requests = 0, bytes = 0, not_modified = 0, retries = 0;
  std::int64_t repositories = 0, tags_seen = 0, images_added = 0, tags_moved = 0, tags_missing = 0,
               problems = 0;
};

enum class Outcome {
  kComplete,
  kPartial,
  kFailed,
  kCancelled,  ///< by whoever had it run: it says nothing of the registry
};

/// How a run ended.
struct RunResult {
  Outcome outcome = Outcome::kComplete;
  std::string error;  ///< why it failed or stopped early; empty otherwise
  std::string hint;
  RunStatistics statistics;
  bool limited = false;          ///< the registry's own limit was met
  std::int64_t retry_after = 0;  ///< seconds it then asked to be left alone; 0: it did not say
  Progress progress;             ///< where the next run goes on
  registry::Abilities abilities;
  std::string token_server;  ///< host that gave the tokens; empty: none did
  std::string warning;       ///< the registry's last Warning header
};

}  // namespace image_library::sync

#endif

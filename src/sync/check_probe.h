// The steps of a check: questions to a live registry, and what its answers show besides.
#ifndef IMAGE_LIBRARY_SYNC_CHECK_PROBE_H_
#define IMAGE_LIBRARY_SYNC_CHECK_PROBE_H_

#include <vector>

#include "registry/http.h"
#include "registry/task.h"
#include "sync/check.h"

namespace image_library::sync {

/// What CheckRegistry returns, over any transport. Both arguments must outlive the task.
registry::Task<std::vector<CheckResult>> ProbeRegistry(const RegistryConfig& config,
                                                       registry::Transport& transport);

}  // namespace image_library::sync

#endif

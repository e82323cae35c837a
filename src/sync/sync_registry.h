// A run over the network.
#ifndef IMAGE_LIBRARY_SYNC_SYNC_REGISTRY_H_
#define IMAGE_LIBRARY_SYNC_SYNC_REGISTRY_H_

#include "registry/http.h"
#include "sync/registry_config.h"
#include "sync/run_options.h"
#include "sync/run_result.h"
#include "sync/store.h"

namespace image_library::sync {

/// Syncs one registry: transport, limits, deadline, client and run together. Throws what the Store
/// and the waiter throw; a registry's failure is in the result.
RunResult SyncRegistry(const RegistryConfig& config, Store& store, registry::Waiter& waiter,
                       const RunOptions& options = {});

}  // namespace image_library::sync

#endif

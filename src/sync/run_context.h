// What the parts of one run share.
#ifndef IMAGE_LIBRARY_SYNC_RUN_CONTEXT_H_
#define IMAGE_LIBRARY_SYNC_RUN_CONTEXT_H_

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

#include "registry/client.h"
#include "registry/task.h"
#include "registry/types.h"
#include "sync/batch_writer.h"
#include "sync/deadline.h"
#include "sync/evidence_reader.h"
#include "sync/image_reader.h"
#include "sync/known_images.h"
#include "sync/limits.h"
#include "sync/registry_config.h"
#include "sync/room.h"
#include "sync/run_budget.h"
#include "sync/run_options.h"
#include "sync/run_result.h"
#include "sync/run_stop.h"
#include "sync/store.h"

namespace image_library::sync {

/// Owned by RegistryRun; RepositorySync, ReferrerSync and their like hold a reference.
struct RunContext {
  /// All arguments must outlive it.
  RunContext(const RegistryConfig& registry_config, Store& its_store, registry::Client& its_client,
             const LimitedTransport& limits, DeadlineTransport& deadline,
             const RunOptions& run_options)
      : config(registry_config),
        store(its_store),
        client(its_client),
        options(run_options),
        budget(limits, deadline),
        stop(run_options.failures_to_stop),
        // Enough for as many small images as there are connections.
        room(static_cast<std::size_t>(std::max(32, config.max_connections)) << 20,
             2 * registry::limit::kManifest),
        reader(client, room),
        evidence(client, store),
        known_images(store, deadline),
        writer(store, deadline) {
    // A budget is for whole images: of images read side by side, none might come to its end.
    if (config.requests_per_run) options.tags_at_once = 1;
  }
  RunContext(const RunContext&) = delete;
  RunContext& operator=(const RunContext&) = delete;

  const RegistryConfig& config;
  Store& store;
  registry::Client& client;
  RunOptions options;
  RunBudget budget;
  RunStop stop;
  RunStatistics statistics;
  Room room;
  registry::Mutex large_listing;  ///< see registry::ListingTurn
  ImageReader reader;
  EvidenceReader evidence;
  KnownImages known_images;
  BatchWriter writer;
  std::map<std::string, Settled> settled;  ///< repositories, as the run found them
};

}  // namespace image_library::sync

#endif

#include "sync/sync_registry.h"

#include <chrono>
#include <utility>

#include "registry/client.h"
#include "sync/answer_watch.h"
#include "sync/deadline.h"
#include "sync/limits.h"
#include "sync/registry_run.h"
#include "sync/run_report.h"

namespace image_library::sync {

RunResult SyncRegistry(const RegistryConfig& config, Store& store, registry::Waiter& waiter,
                       const RunOptions& options) {
  registry::CurlTransport transport(TransportOptions(config));
  AnswerWatch unwatched;
  WatchedTransport watched(transport, options.watch != nullptr ? *options.watch : unwatched);
  LimitedTransport limits(watched, config.requests_per_run, config.url.Origin());
  registry::ClientOptions client_options = ClientOptionsOf(config);
  client_options.abilities = config.abilities;
  DeadlineTransport deadline(limits, std::chrono::seconds(options.run_timeout));
  registry::Client client(std::move(client_options), deadline);
  RegistryRun run(config, store, client, limits, deadline, options);
  ReportingWaiter reporting(waiter, store, [&] { return run.Report(); });
  transport.Run(run.Execute(), reporting);
  RunResult result = run.result();
  result.statistics.bytes = transport.traffic().bytes;
  result.statistics.retries = client.retries() + limits.retries();
  result.token_server = client.token_server();
  if (!client.warnings().empty()) result.warning = client.warnings().back();
  return result;
}

}  // namespace image_library::sync

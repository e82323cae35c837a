#include "sync/check.h"

#include <utility>

#include "sync/check_probe.h"

namespace image_library::sync {

using registry::CurlTransport;
using registry::Task;

namespace {

Task<void> ProbeInto(const RegistryConfig& config, CurlTransport& transport,
                     std::vector<CheckResult>& results) {
  results = co_await ProbeRegistry(config, transport);
}

}  // namespace

std::vector<CheckResult> CheckRegistry(const RegistryConfig& config, registry::Waiter& waiter) {
  std::vector<CheckResult> results;
  CurlTransport transport(TransportOptions(config));
  transport.Run(ProbeInto(config, transport, results), waiter);
  return results;
}

}  // namespace image_library::sync

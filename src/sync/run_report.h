// How far a run is, told while it waits for the registry.
#ifndef IMAGE_LIBRARY_SYNC_RUN_REPORT_H_
#define IMAGE_LIBRARY_SYNC_RUN_REPORT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "registry/http.h"
#include "sync/run_result.h"
#include "sync/store.h"

namespace image_library::sync {

/// What a run has done so far.
struct RunReport {
  std::optional<std::size_t> repositories;  ///< to be read; nothing until they are found
  std::size_t repositories_done = 0;
  RunStatistics statistics;  ///< requests among them
  std::chrono::duration<double> elapsed{0};

  /// `37 of 120 repositories, 4512 tags, 1204 images added, ...`.
  std::string ToText() const;
};

/// The counts of a run as text, with the mean rate of its requests.
std::string CountsText(const RunStatistics& counts, std::chrono::duration<double> elapsed);

/// Reports a run to its store whenever the run waits for the network, but not more often than the
/// interval; the first time at once.
class ReportingWaiter : public registry::Waiter {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  /// All must outlive it. now: tests have their own.
  ReportingWaiter(registry::Waiter& inner, Store& store, std::function<RunReport()> report,
                  Clock now = std::chrono::steady_clock::now,
                  std::chrono::milliseconds interval = std::chrono::seconds(1))
      : inner_(inner),
        store_(store),
        report_(std::move(report)),
        now_(std::move(now)),
        interval_(interval) {}

  void Wait(int descriptor, int timeout_ms) override;

 private:
  registry::Waiter& inner_;
  Store& store_;
  const std::function<RunReport()> report_;
  const Clock now_;
  const std::chrono::milliseconds interval_;
  std::optional<std::chrono::steady_clock::time_point> reported_at_;
};

}  // namespace image_library::sync

#endif

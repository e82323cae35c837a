#include "sync/run_report.h"

#include <algorithm>
#include <cmath>

namespace image_library::sync {

std::string CountsText(const RunStatistics& counts, std::chrono::duration<double> elapsed) {
  const double seconds = std::max(elapsed.count(), 0.001);
  const std::int64_t rate = std::llround(static_cast<double>(counts.requests) / seconds);
  return std::to_string(counts.tags_seen) + " tags, " + std::to_string(counts.images_added) +
         " images added, " + std::to_string(counts.tags_moved) + " tags moved, " +
         std::to_string(counts.tags_missing) + " missing, " + std::to_string(counts.problems) +
         " problems, " + std::to_string(counts.requests) + " requests (" + std::to_string(rate) +
         "/s)";
}

std::string RunReport::ToText() const {
  const std::string where = repositories ? std::to_string(repositories_done) + " of " +
                                               std::to_string(*repositories) + " repositories, "
                                         : "finding repositories, ";
  return where + CountsText(statistics, elapsed);
}

void ReportingWaiter::Wait(int descriptor, int timeout_ms) {
  const auto now = now_();
  if (!reported_at_ || now - *reported_at_ >= interval_) {
    reported_at_ = now;
    store_.ReportProgress(report_());
  }
  inner_.Wait(descriptor, timeout_ms);
}

}  // namespace image_library::sync

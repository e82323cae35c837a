// Images whose index names manifests that were not there when it was read: a replica may lag behind
// its registry, and a sparse index stays as it is. They are asked about again along with referrers.
#include <algorithm>
#include <utility>

#include "sync/engine.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Task;

namespace {

// An index that lacks more is sparse on purpose, or lacks them all.
constexpr std::size_t kMaxAsked = 4;

bool Has(const std::vector<std::string>& digests, const std::string& digest) {
  return std::find(digests.begin(), digests.end(), digest) != digests.end();
}

// True when nothing is lost that was there, and something came.
bool HasMore(const Image& image, const DueReferrers& before) {
  std::size_t still_absent = 0;
  for (const PlatformImage& platform : image.platforms) {
    if (platform.present) continue;
    if (Has(before.present, platform.manifest_digest)) return false;
    still_absent += Has(before.absent, platform.manifest_digest);
  }
  return still_absent < before.absent.size();
}

}  // namespace

// The image is read again once one of its manifests has come: no request more until then.
Task<void> Engine::CompleteImage(Batch& batch, const DueReferrers& due) {
  const std::vector<Rule>& rules = config_.rules.rules();
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&due](const Rule& one) { return one.id == due.rule_id; });
  if (rule == rules.end()) co_return;
  bool came = false;
  for (std::size_t i = 0; i < std::min(due.absent.size(), kMaxAsked) && !came; ++i) {
    const std::optional<FetchedManifest> manifest =
        co_await client_.GetManifest(due.repository, due.absent[i]);
    came = manifest.has_value();
  }
  if (!came) co_return;
  std::optional<FetchedManifest> index = co_await client_.GetManifest(due.repository, due.digest);
  if (!index) co_return;
  Image image = co_await reader_.Read(due.repository, std::move(*index), &*rule);
  if (HasMore(image, due)) batch.completed.push_back(std::move(image));
}

}  // namespace image_library::sync

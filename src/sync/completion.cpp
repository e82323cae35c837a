// Images whose index names manifests that were not there when it was read: a replica may lag behind
// its registry, and a sparse index stays as it is. They are asked about again along with referrers,
// and so are those of approved images that were there: somebody may have deleted one.
#include <algorithm>
#include <exception>
#include <utility>

#include "sync/engine.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::TagHead;
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
  bool came = false;
  for (std::size_t i = 0; i < std::min(due.absent.size(), kMaxAsked) && !came; ++i) {
    const std::optional<FetchedManifest> manifest =
        co_await client_.GetManifest(due.repository, due.absent[i]);
    came = manifest.has_value();
  }
  if (!came) co_return;
  Room::Place place;
  std::exception_ptr failure;
  try {
    co_await ReadAgain(batch, due, place);
  } catch (...) {
    failure = std::current_exception();
  }
  room_.Leave(place);
  if (failure) std::rethrow_exception(failure);
}

Task<void> Engine::ReadAgain(Batch& batch, const DueReferrers& due, Room::Place& place) {
  co_await room_.Enter(place);
  std::optional<FetchedManifest> index = co_await client_.GetManifest(due.repository, due.digest);
  if (!index) co_return;
  Image image = co_await reader_.Read(due.repository, std::move(*index), place);
  if (HasMore(image, due)) batch.completed.push_back(std::move(image));
}

Task<void> Engine::LookForChildren(Batch& batch, const DueReferrers& due) {
  std::vector<GoneChild> gone;
  for (const std::string& child : due.children) {
    const TagHead head = co_await client_.HeadTag(due.repository, child);
    if (!head.found) gone.push_back({due.digest, child});
  }
  if (gone.empty()) co_return;
  // Who does not get the image itself knows nothing of its children.
  const TagHead image = co_await client_.HeadTag(due.repository, due.digest);
  if (image.found) batch.gone_children = std::move(gone);
}

}  // namespace image_library::sync

// What is asked again about images that the library has: referrers, and manifests of platforms.
#ifndef IMAGE_LIBRARY_SYNC_IMAGE_REFRESH_H_
#define IMAGE_LIBRARY_SYNC_IMAGE_REFRESH_H_

#include "registry/task.h"
#include "sync/batch.h"
#include "sync/known.h"
#include "sync/referrer_reader.h"
#include "sync/room.h"
#include "sync/run_budget.h"
#include "sync/run_context.h"

namespace image_library::sync {

/// Signatures are made after images, and deleted. An index may name manifests that were not there
/// when it was read: a replica lags behind its registry, a sparse index stays as it is. Manifests
/// of approved images may be deleted. The store says which images it is time to ask about.
class ImageRefresh {
 public:
  /// The context must outlive it.
  explicit ImageRefresh(RunContext& context);

  /// Asks about images that are due, several side by side: 200, and as many more as half of the
  /// run's requests and time give, for five minutes at most. An error leaves an image as it was;
  /// the next run asks again.
  registry::Task<void> Refresh();

 private:
  bool IsEnough(const RunBudget::Mark& began) const;
  registry::Task<void> RefreshImage(DueReferrers due);
  registry::Task<void> CompleteImage(Batch& batch, const DueReferrers& due);
  registry::Task<void> ReadAgain(Batch& batch, const DueReferrers& due, Room::Place& place);
  registry::Task<void> LookForChildren(Batch& batch, const DueReferrers& due);

  RunContext& context_;
  ReferrerReader reader_;
};

}  // namespace image_library::sync

#endif

// Whether the registry still has approved images that no tag points at any more.
#ifndef IMAGE_LIBRARY_SYNC_UNTAGGED_CHECK_H_
#define IMAGE_LIBRARY_SYNC_UNTAGGED_CHECK_H_

#include "registry/task.h"
#include "sync/known.h"
#include "sync/run_context.h"

namespace image_library::sync {

/// Consumers run an approved image by its digest after its tag has moved, until the registry
/// removes what has no tag. The store says which images it is time to ask about.
class UntaggedCheck {
 public:
  /// The context must outlive it.
  explicit UntaggedCheck(RunContext& context) : context_(context) {}

  /// Asks about every image that is due, one after the other, until the run stops: one HEAD each.
  /// An error leaves an image as it was; the next run asks again.
  registry::Task<void> Check();

 private:
  registry::Task<void> CheckImage(UntaggedImage image);

  RunContext& context_;
};

}  // namespace image_library::sync

#endif

// The referrers of one repository's images, as a run reads them along with its tags.
#ifndef IMAGE_LIBRARY_SYNC_REFERRER_SYNC_H_
#define IMAGE_LIBRARY_SYNC_REFERRER_SYNC_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "registry/task.h"
#include "sync/portions.h"
#include "sync/referrer_reader.h"
#include "sync/repository_state.h"
#include "sync/repository_writer.h"
#include "sync/run_context.h"
#include "sync/tag_walk.h"

namespace image_library::sync {

/// Reads referrers of new images from the API, and the referrer tags of a complete listing. Images
/// that are known get theirs again from ImageRefresh.
class ReferrerSync {
 public:
  /// All must outlive it.
  ReferrerSync(RunContext& context, const RepositoryState& state, RepositoryWriter& writer);

  /// Reads the referrers of an image that is new to the repository. An error is dropped: it is no
  /// fault of the image, and ImageRefresh asks again. Throws Error kBudget only.
  registry::Task<void> ReadNew(std::string subject);

  /// Reads the referrer tags that came since the last complete listing, and ends the referrers of
  /// those that went. An error is a problem of its tag. Throws Error kBudget only.
  registry::Task<void> ReadTags();

 private:
  std::vector<std::string> SubjectsOf(const std::vector<TagWalk::Step>& tags) const;
  bool SkipRead(Portions<std::string>& before, const std::optional<TagWalk::Step>& tag);
  registry::Task<void> ReadSome(std::vector<TagWalk::Step> tags);

  RunContext& context_;
  const RepositoryState& state_;
  RepositoryWriter& writer_;
  ReferrerReader reader_;
  /// Subjects of which the referrers API knows referrers: their fallback tags are not read.
  std::set<std::string> told_by_api_;
};

}  // namespace image_library::sync

#endif

#include "sync/untagged_check.h"

#include <utility>

#include "core/error.h"

namespace image_library::sync {

using registry::TagHead;
using registry::Task;

Task<void> UntaggedCheck::Check() {
  for (UntaggedImage& image : context_.store.UntaggedDue()) {
    if (context_.stop.stopped()) co_return;
    Task<void> task = CheckImage(std::move(image));
    co_await std::move(task);
  }
}

Task<void> UntaggedCheck::CheckImage(UntaggedImage image) {
  try {
    const TagHead head = co_await context_.client.HeadTag(image.repository, image.digest);
    // A registry that denies the repository may answer 404 for all of it.
    if (!head.found && !image.tagged.empty()) {
      const TagHead tagged = co_await context_.client.HeadTag(image.repository, image.tagged);
      if (!tagged.found) co_return;
    }
    context_.stop.Succeeded();
    context_.store.NoteUntagged(image.repository, image.digest, head.found);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kBudget)
      context_.stop.Stop(error);
    else
      context_.stop.Failed(error);
  }
}

}  // namespace image_library::sync

// What is no longer there, and what only seems so.
#include <algorithm>
#include <iterator>

#include "sync/engine.h"
#include "sync/problem.h"

namespace image_library::sync {

using registry::TagHead;
using registry::Task;

// Tags that the listing lacks: gone only when their manifest answers 404 too, and only when the
// listing did not shrink beyond belief or a person said that it is real.
Task<void> Engine::FindMissing(RepositoryRun& run) {
  std::vector<std::string> absent;
  std::size_t present = 0;
  for (const KnownTag& tag : run.known.tags) {
    if (tag.missing) continue;
    ++present;
    if (!run.IsListed(tag.name)) absent.push_back(tag.name);
  }
  std::vector<std::string> gone, unexpected;
  const std::vector<std::string>& accepted = run.known.accepted;
  std::set_intersection(absent.begin(), absent.end(), accepted.begin(), accepted.end(),
                        std::back_inserter(gone));
  std::set_difference(absent.begin(), absent.end(), accepted.begin(), accepted.end(),
                      std::back_inserter(unexpected));
  const std::size_t left = present - gone.size();
  const auto percent = static_cast<std::size_t>(options_.max_removal_percent);
  // A repository that is said not to exist may be one that we may not see any more.
  const std::size_t allowed =
      run.absent && percent < 100 ? 0 : std::max<std::size_t>(1, left * percent / 100);
  if (unexpected.size() > allowed) {
    run.listing_changed = false;
    Record(
        run, {},
        Error(ErrorKind::kProtocol,
              (run.absent ? "repository \"" : "listing of repository \"") + run.name +
                  (run.absent ? "\" is said not to exist, which would remove " : "\" lacks ") +
                  std::to_string(unexpected.size()) + " of " + std::to_string(left) + " known tags",
              "Nothing was marked missing; if they are gone, call "
              "image_library.accept_removals."));
    run.batch.problems.back().problem = problem::kRemovalsRefused;
    run.batch.refused_removals = std::move(unexpected);
  } else {
    gone.insert(gone.end(), unexpected.begin(), unexpected.end());
    if (run.known.removals_refused) run.batch.refused_removals.emplace();
    run.Fine({});
  }
  for (const std::string& tag : gone) {
    const TagHead head = co_await client_.HeadTag(run.name, tag);
    if (head.found) continue;
    run.batch.missing.push_back(tag);
    ++result_.statistics.tags_missing;
  }
}

// Problems of tags that are no longer listed, or that no rule takes any more, are over.
void Engine::ForgetProblems(RepositoryRun& run) const {
  for (const auto& [tag, problem] : run.known.problems) {
    if (tag.empty()) continue;
    if (!run.IsListed(tag) ||
        (!IsReferrerTag(tag) && config_.rules.Decide(run.name, {tag}).empty()))
      run.batch.checked.push_back(tag);
  }
}

}  // namespace image_library::sync

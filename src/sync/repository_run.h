// The state of one repository while it is read.
#ifndef IMAGE_LIBRARY_SYNC_REPOSITORY_RUN_H_
#define IMAGE_LIBRARY_SYNC_REPOSITORY_RUN_H_

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "registry/listing_turn.h"
#include "registry/task.h"
#include "sync/catalog.h"
#include "sync/problem.h"

namespace image_library::sync {

struct RepositoryRun {
  RepositoryRun(std::string repository, KnownRepository before)
      : name(std::move(repository)), known(std::move(before)) {
    batch.repository = name;
    for (const KnownTag& tag : known.tags) known_digests.insert(tag.digest);
  }
  RepositoryRun(const RepositoryRun&) = delete;
  RepositoryRun& operator=(const RepositoryRun&) = delete;

  const std::string name;
  const KnownRepository known;
  registry::ListingTurn* turn = nullptr;  ///< of the listing
  bool was_listed = false;                ///< by this run, to the end
  bool absent = false;                    ///< the registry says that there is no such repository
  std::vector<std::string> listed;        ///< sorted
  bool listing_changed = false;
  Batch batch;
  /// Batches of one repository are written one after the other: tags come after their images.
  registry::Semaphore writing{1};
  bool busy = false;  ///< others hold locks in it: the next run reads it again
  /// Images that the database refused, with its message by digest.
  std::map<std::string, std::string> not_stored;
  /// Tags that point at an image which another tag of this repository is reading.
  std::map<std::string, std::vector<FoundTag>> waiting;
  std::unordered_set<std::string_view> known_digests;  ///< of known.tags
  std::set<std::string> new_digests;
  /// Images of which annotations or labels were over their limits.
  std::set<std::string> cut_digests;
  /// Subjects for which the referrers API had something to say.
  std::set<std::string> told_by_api;
  /// The first of the tags that a limit kept from being looked at; empty: none.
  std::string first_undone;

  const KnownTag* Known(const std::string& tag) const {
    const auto found_at =
        std::lower_bound(known.tags.begin(), known.tags.end(), tag,
                         [](const KnownTag& a, const std::string& b) { return a.name < b; });
    return found_at != known.tags.end() && found_at->name == tag ? &*found_at : nullptr;
  }
  bool IsListed(const std::string& tag) const {
    return std::binary_search(listed.begin(), listed.end(), tag);
  }
  bool HadProblem(const std::string& tag) const { return known.problems.count(tag) != 0; }
  bool HadProblem(const std::string& tag, std::string_view problem) const {
    const auto found = known.problems.find(tag);
    return found != known.problems.end() && found->second == problem;
  }
  /// Writes only when there is a problem on record to be ended.
  void Fine(const std::string& tag) {
    if (HadProblem(tag)) batch.checked.push_back(tag);
  }
  /// The tag points where it did: what was said of its image holds.
  void Unchanged(const std::string& tag) {
    if (!HadProblem(tag, problem::kAnnotationsCut)) Fine(tag);
  }
  bool Knows(const std::string& digest) const {
    return known_digests.count(digest) != 0 || new_digests.count(digest) != 0;
  }
  std::vector<FoundTag> TakeWaiting(const std::string& digest) {
    const auto found = waiting.find(digest);
    if (found == waiting.end()) return {};
    std::vector<FoundTag> taken = std::move(found->second);
    waiting.erase(found);
    return taken;
  }
  Batch TakeBatch() {
    Batch taken = std::move(batch);
    batch = Batch();
    batch.repository = name;
    return taken;
  }
  void Undone(const std::string& tag) {
    if (first_undone.empty() || tag < first_undone) first_undone = tag;
  }
};

}  // namespace image_library::sync

#endif

// What is known of one repository while a run reads it.
#ifndef IMAGE_LIBRARY_SYNC_REPOSITORY_STATE_H_
#define IMAGE_LIBRARY_SYNC_REPOSITORY_STATE_H_

#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sync/known.h"

namespace image_library::sync {

/// What the library knew before the run, and what the run has found so far. Filled by
/// RepositorySync and TagReader.
struct RepositoryState {
  explicit RepositoryState(std::string repository) : name(std::move(repository)) {}
  RepositoryState(const RepositoryState&) = delete;
  RepositoryState& operator=(const RepositoryState&) = delete;

  /// Once: what the library knew before the run.
  void Load(KnownRepository before);

  const std::string name;
  KnownRepository known;            ///< empty before Load
  bool was_listed = false;          ///< by this run, to the end
  bool absent = false;              ///< the registry says that there is no such repository
  std::vector<std::string> listed;  ///< sorted
  bool listing_changed = false;     ///< since the last complete listing
  /// Digests of images that the repository has and that were read: those of known.tags, and those
  /// that this run added.
  std::unordered_set<std::string_view> known_digests;
  std::set<std::string> new_digests;

  /// The tag as the library knows it; nullptr when it does not.
  const KnownTag* Known(const std::string& tag) const;
  bool IsListed(const std::string& tag) const;
  bool Knows(const std::string& digest) const;
  /// A problem of the tag (empty: of the repository) is on record.
  bool HadProblem(const std::string& tag) const;
  bool HadProblem(const std::string& tag, std::string_view problem) const;
};

}  // namespace image_library::sync

#endif

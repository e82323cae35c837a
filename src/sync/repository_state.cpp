#include "sync/repository_state.h"

#include <algorithm>
#include <utility>

namespace image_library::sync {

void RepositoryState::Load(KnownRepository before) {
  known = std::move(before);
  for (const KnownTag& tag : known.tags)
    if (!tag.unread) known_digests.insert(tag.digest);
}

const KnownTag* RepositoryState::Known(const std::string& tag) const {
  const auto found =
      std::lower_bound(known.tags.begin(), known.tags.end(), tag,
                       [](const KnownTag& a, const std::string& b) { return a.name < b; });
  return found != known.tags.end() && found->name == tag ? &*found : nullptr;
}

bool RepositoryState::IsListed(const std::string& tag) const {
  return std::binary_search(listed.begin(), listed.end(), tag);
}

bool RepositoryState::Knows(const std::string& digest) const {
  return known_digests.count(digest) != 0 || new_digests.count(digest) != 0;
}

bool RepositoryState::HadProblem(const std::string& tag) const {
  return known.problems.count(tag) != 0;
}

bool RepositoryState::HadProblem(const std::string& tag, std::string_view problem) const {
  const auto found = known.problems.find(tag);
  return found != known.problems.end() && found->second == problem;
}

}  // namespace image_library::sync

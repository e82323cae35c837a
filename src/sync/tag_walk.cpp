#include "sync/tag_walk.h"

#include <utility>

namespace image_library::sync {

TagWalk::TagWalk(Store& store, const std::string& repository,
                 const std::vector<std::string>& listing, Options options, const std::string& from)
    : listing_(listing),
      tags_(
          [&store, &repository, wanted = options.tags](const std::string& first, std::size_t most) {
            return wanted ? store.KnownTags(repository, first, most) : std::vector<KnownTag>();
          },
          options.portion, from),
      problems_(
          [&store, &repository, wanted = options.problems](const std::string& first,
                                                           std::size_t most) {
            return wanted ? store.KnownProblems(repository, first, most)
                          : std::vector<KnownProblem>();
          },
          options.portion, from) {}

std::optional<TagWalk::Step> TagWalk::Next() {
  KnownTag* const tag = tags_.Peek();
  KnownProblem* const problem = problems_.Peek();
  const std::string* first = place_ < listing_.size() ? &listing_[place_] : nullptr;
  if (tag != nullptr && (first == nullptr || tag->name < *first)) first = &tag->name;
  if (problem != nullptr && (first == nullptr || problem->name < *first)) first = &problem->name;
  if (first == nullptr) return std::nullopt;
  Step step{*first};
  if (place_ < listing_.size() && listing_[place_] == step.name) step.place = place_++;
  if (tag != nullptr && tag->name == step.name) {
    step.known = std::move(*tag);
    tags_.Next();
  }
  if (problem != nullptr && problem->name == step.name) {
    step.problem = std::move(problem->problem);
    problems_.Next();
  }
  return step;
}

}  // namespace image_library::sync

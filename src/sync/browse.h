// What a live registry has, for a person who asks before there is a rule.
#ifndef IMAGE_LIBRARY_SYNC_BROWSE_H_
#define IMAGE_LIBRARY_SYNC_BROWSE_H_

#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/pattern.h"
#include "registry/http.h"
#include "registry/task.h"
#include "sync/registry_config.h"

namespace image_library::sync {

/// A repository that was asked for: its tags, sorted, or why they could not be listed.
struct ListedRepository {
  std::string name;
  std::vector<std::string> tags;
  std::optional<Error> failure;
};

/// Over any transport. config and transport must outlive the task. The repositories of the
/// catalogue that the pattern matches, sorted. Throws Error; where the registry refuses its
/// catalogue the hint says what to do instead.
registry::Task<std::vector<std::string>> FindRepositories(const RegistryConfig& config,
                                                          registry::Transport& transport,
                                                          Pattern pattern);
/// The complete listing of each repository, in the order given; a failure of one does not end the
/// others. Together they take about limit::kListing bytes: what is more
/// is a failure, kTooLarge. Throws Error kBudget when the
/// registry or its budget lets no further request pass.
registry::Task<std::vector<ListedRepository>> ListTagsOf(const RegistryConfig& config,
                                                         registry::Transport& transport,
                                                         std::vector<std::string> repositories);

/// The same over HTTP: with the budget of requests of a run, and at most `seconds` (0: no limit).
std::vector<std::string> BrowseRepositories(const RegistryConfig& config, const Pattern& pattern,
                                            int seconds, registry::Waiter& waiter);
std::vector<ListedRepository> BrowseTags(const RegistryConfig& config,
                                         std::vector<std::string> repositories, int seconds,
                                         registry::Waiter& waiter);

}  // namespace image_library::sync

#endif

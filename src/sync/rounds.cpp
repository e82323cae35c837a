// The order of work of a run that a limit may end: see Progress.
#include <algorithm>
#include <utility>

#include "sync/engine.h"

namespace image_library::sync {

using registry::Group;
using registry::Task;

// While looks wait for their turn, new tags have half of the budget or the time: neither starves
// the other.
Task<void> Engine::SyncInRounds(std::vector<std::string> repositories) {
  // The circle begins where the last run stopped.
  std::vector<std::string> circle = repositories;
  const auto first = std::lower_bound(circle.begin(), circle.end(), progress_.listing);
  std::rotate(circle.begin(), first, circle.end());
  std::size_t listed = 0;
  bool all_listed = co_await ListRound(circle, listed, progress_.looking);
  if (all_listed && !progress_.looking) {
    progress_.looking = true;
    progress_.repository.clear();
    progress_.tag.clear();
  }
  if (progress_.looking && !stopped_) co_await LookRound(repositories);
  if (!stopped_ && !all_listed) all_listed = co_await ListRound(circle, listed, false);
  progress_.listing = all_listed ? std::string() : circle[listed];
}

// Lists repositories from `at` on and reads their new tags; true when it came to the end.
Task<bool> Engine::ListRound(const std::vector<std::string>& repositories, std::size_t& at,
                             bool half) {
  for (; at < repositories.size(); ++at) {
    if (stopped_ || (half && HalfIsUsed())) co_return false;
    co_await SyncRepository(repositories[at]);
    if (stopped_ && resume_here_) co_return false;
  }
  co_return true;
}

bool Engine::HalfIsUsed() const {
  return (limits_.budget() && limits_.sent() >= *limits_.budget() / 2) ||
         deadline_.IsMoreThanHalf(deadline_.elapsed());
}

Task<void> Engine::LookRound(const std::vector<std::string>& repositories) {
  const auto first =
      std::lower_bound(repositories.begin(), repositories.end(), progress_.repository);
  for (auto name = first; name != repositories.end(); ++name) {
    if (*name != progress_.repository) progress_.tag.clear();
    progress_.repository = *name;
    co_await LookAtRepository(*name);
    if (stopped_) co_return;
  }
  progress_.looking = false;
  progress_.repository.clear();
  progress_.tag.clear();
}

// By what the library decided of each tag: the listing was looked at in its own round.
Task<void> Engine::LookAtRepository(std::string name) {
  RepositoryRun run(name, store_.LoadRepository(name));
  std::map<std::int64_t, const Rule*> rules;
  for (const Rule& rule : config_.rules.rules()) rules[rule.id] = &rule;
  std::vector<TagDecision> known;
  for (const KnownTag& tag : run.known.tags) {
    const auto rule = rules.find(tag.rule_id);
    if (tag.name < progress_.tag || tag.missing || tag.fresh || rule == rules.end() ||
        rule->second->immutable_tags)
      continue;
    known.push_back({tag.name, rule->second});
  }
  co_await SyncTags(run, known);
  result_.statistics.tags_seen += static_cast<std::int64_t>(known.size());
  if (stopped_) progress_.tag = run.first_undone;
  co_await Flush(run);
}

}  // namespace image_library::sync

#include "sync/registry_run.h"

#include <algorithm>
#include <exception>
#include <map>
#include <set>
#include <utility>

#include "sync/image_refresh.h"
#include "sync/problem.h"
#include "sync/untagged_check.h"

namespace image_library::sync {

using registry::Group;
using registry::Listing;
using registry::Task;

namespace {

// How often a run looks for requests, once it has taken so long.
constexpr DeadlineTransport::Seconds kAskForRequests(1);

// A registry that cannot be reached, or that may not be asked, is no refusal of its catalogue.
bool RefusesCatalogue(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kUnauthorized:
    case ErrorKind::kNotFound:
    case ErrorKind::kProtocol:
    case ErrorKind::kMalformed:
    case ErrorKind::kTooLarge:
    case ErrorKind::kServer:
      return true;
    default:
      return false;
  }
}

}  // namespace

RegistryRun::RegistryRun(const RegistryConfig& config, Store& store, registry::Client& client,
                         const LimitedTransport& limits, DeadlineTransport& deadline,
                         RunOptions options)
    : context_(config, store, client, limits, deadline, options),
      limits_(limits),
      deadline_(deadline),
      progress_(config.progress),
      in_rounds_(!options.requested_only &&
                 (config.requests_per_run || config.progress != Progress())) {}

Task<void> RegistryRun::Execute() {
  try {
    co_await context_.client.Ping();
    if (context_.options.requested_only)
      co_await TakeRequests();
    else
      co_await ReadRegistry();
    // A registry of which nothing could be listed has not been synced in part.
    if (first_refusal_ && repositories_listed_ == 0) throw *first_refusal_;
    if (context_.stop.stopped() || context_.statistics.problems > 0)
      result_.outcome = Outcome::kPartial;
    if (const std::optional<Error>& reason = context_.stop.reason()) {
      result_.error = Describe(*reason);
      result_.hint = reason->hint();
    }
  } catch (const Error& error) {
    result_.outcome = Outcome::kFailed;
    result_.error = Describe(error);
    result_.hint = error.hint();
  }
  Finish();
}

Task<void> RegistryRun::ReadRegistry() {
  ImageRefresh refresh(context_);
  UntaggedCheck untagged(context_);
  std::vector<std::string> repositories = co_await FindRepositories();
  repositories_ = repositories.size();
  ForgetOtherProblems(repositories);
  context_.settled = context_.store.SettledRepositories();
  if (in_rounds_)
    co_await SyncInRounds(std::move(repositories));
  else
    co_await SyncSideBySide(std::move(repositories));
  if (!context_.stop.stopped()) co_await refresh.Refresh();
  if (!context_.stop.stopped()) co_await untagged.Check();
}

// Looks at what was requested since. A repository that is being read at this moment stays for
// later; the caller begins to read no other until this has ended.
Task<void> RegistryRun::TakeRequests() {
  Group group(context_.options.repositories_at_once);
  for (RequestedRepository& requested : context_.store.Requested()) {
    if (context_.stop.stopped()) break;
    if (reading_.count(requested.name) != 0) continue;
    if (!taken_.insert(requested.name + " " + requested.request).second) continue;
    Task<void> task = LookAt(std::move(requested));
    co_await group.Spawn(std::move(task));
  }
  co_await group.Join();
}

Task<void> RegistryRun::LookAt(RequestedRepository requested) {
  const DeadlineTransport::Seconds began = deadline_.elapsed();
  std::string problem;
  if (!context_.config.rules.WantsRepository(requested.name))
    problem = "no rule takes the repository";
  else
    problem = co_await LookAtParts(requested);
  context_.store.NoteLook(requested, (deadline_.elapsed() - began).count(), problem);
}

// Why the repository, or what was asked for in it, could not be read; empty: it was.
Task<std::string> RegistryRun::LookAtParts(const RequestedRepository& requested) {
  std::exception_ptr failure;
  std::optional<Error> refusal;
  reading_.insert(requested.name);
  {
    registry::ListingTurn turn(context_.large_listing);
    try {
      std::optional<RepositorySync> repository;
      ++context_.statistics.repositories;
      repository.emplace(context_, requested.name);
      if (!co_await repository->ReadNamed(requested.tags)) {
        repository.emplace(context_, requested.name);
        repository->Requested();
        co_await repository->Read(true, turn);
      }
      refusal = repository->refusal();
      co_await repository->Flush();
    } catch (...) {
      failure = std::current_exception();
    }
    turn.Leave();
  }
  reading_.erase(requested.name);
  if (failure) std::rethrow_exception(failure);
  if (refusal) co_return Describe(*refusal);
  if (const std::optional<Error>& reason = context_.stop.reason()) co_return Describe(*reason);
  co_return std::string();
}

RunReport RegistryRun::Report() const {
  RunReport report{repositories_, repositories_done_, context_.statistics, deadline_.elapsed()};
  report.statistics.requests = limits_.sent();
  return report;
}

void RegistryRun::Finish() {
  result_.limited = limits_.limited();
  result_.retry_after = limits_.retry_after();
  progress_.limited = result_.limited || deadline_.ended_run();
  // The next run works in rounds, and its first list begins with what this one did not finish.
  if (!in_rounds_ && progress_.limited) progress_.listing = first_unfinished_;
  result_.progress = progress_;
  result_.abilities = context_.client.abilities();
  result_.statistics = context_.statistics;
  result_.statistics.requests = limits_.sent();
}

// Rules name repositories without the catalogue. Those that the library holds are read even when
// the catalogue lacks them: a catalogue may be incomplete, and many registries have none. Without
// one, an error ends the run only where nothing is left to read.
Task<std::vector<std::string>> RegistryRun::FindRepositories() {
  const RuleSet& rules = context_.config.rules;
  std::set<std::string> names;
  for (std::string& name : rules.LiteralRepositories()) names.insert(std::move(name));
  if (rules.WantsCatalog()) {
    std::optional<Error> refusal;
    try {
      Listing catalogue = co_await context_.client.ListRepositories();
      for (std::string& name : catalogue.names)
        if (rules.WantsRepository(name)) names.insert(std::move(name));
    } catch (const Error& error) {
      if (!RefusesCatalogue(error)) throw;
      refusal = error;
    }
    for (const std::string& name : context_.store.KnownRepositories())
      if (rules.WantsRepository(name)) names.insert(name);
    if (refusal) co_await RecordRefusedCatalogue(*refusal);
    if (refusal && names.empty()) throw Error(*refusal);
  }
  co_return std::vector<std::string>(names.begin(), names.end());
}

// A problem for each pattern that only the catalogue can answer, with the rules that have it.
Task<void> RegistryRun::RecordRefusedCatalogue(Error refusal) {
  std::map<std::string, std::string> rules;
  for (const Rule& rule : context_.config.rules.rules()) {
    if (!rule.include || rule.repositories.IsLiteral()) continue;
    std::string& ids = rules[rule.repositories.text()];
    ids += (ids.empty() ? "" : ", ") + std::to_string(rule.id);
  }
  for (const auto& [pattern, ids] : rules) {
    Batch batch;
    batch.repository = pattern;
    batch.problems.push_back(
        {pattern,
         {},
         problem::kCatalogueRefused,
         "the pattern of rule " + ids +
             " needs the registry's list of repositories, which it does not give. New repositories "
             "are not found; write rules with the repositories' full names, or set a credential "
             "that may list them. " +
             Describe(refusal)});
    unlisted_.insert(pattern);
    ++context_.statistics.problems;
    const Written written = co_await context_.writer.Write(std::move(batch));
    context_.statistics.problems += static_cast<std::int64_t>(written.problems);
  }
}

void RegistryRun::ForgetOtherProblems(const std::vector<std::string>& repositories) {
  std::vector<std::string> asked = repositories;
  asked.insert(asked.end(), unlisted_.begin(), unlisted_.end());
  context_.store.ForgetOtherProblems(asked);
}

Task<void> RegistryRun::SyncSideBySide(std::vector<std::string> repositories) {
  Group group(context_.options.repositories_at_once);
  for (std::string& name : repositories) {
    if (context_.stop.stopped()) {
      NoteUnfinished(name);
      break;
    }
    // Whoever pushes does not wait for the end of a long run.
    if (deadline_.elapsed() - asked_at_ >= kAskForRequests) {
      asked_at_ = deadline_.elapsed();
      co_await TakeRequests();
    }
    Task<void> task = SyncOne(std::move(name));
    co_await group.Spawn(std::move(task));
  }
  co_await group.Join();
}

// While known tags wait for their turn, the round of listings has half of the requests or the time,
// so that neither round keeps the other from its end.
Task<void> RegistryRun::SyncInRounds(std::vector<std::string> repositories) {
  // The listings begin where the last run stopped, and come round to what was before.
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
  if (progress_.looking && !context_.stop.stopped()) co_await LookRound(repositories);
  if (!context_.stop.stopped() && !all_listed)
    all_listed = co_await ListRound(circle, listed, false);
  progress_.listing = all_listed ? std::string() : circle[listed];
}

// Lists repositories from `at` on and reads their new tags; half: only until half of the requests
// or the time is used. True when it came to the end.
Task<bool> RegistryRun::ListRound(const std::vector<std::string>& repositories, std::size_t& at,
                                  bool half) {
  for (; at < repositories.size(); ++at) {
    if (context_.stop.stopped() || (half && context_.budget.HalfIsUsed())) co_return false;
    const bool finished = co_await SyncRepository(repositories[at]);
    if (context_.stop.stopped() && !finished) co_return false;
  }
  co_return true;
}

Task<void> RegistryRun::LookRound(const std::vector<std::string>& repositories) {
  const auto first =
      std::lower_bound(repositories.begin(), repositories.end(), progress_.repository);
  for (auto name = first; name != repositories.end(); ++name) {
    if (*name != progress_.repository) progress_.tag.clear();
    progress_.repository = *name;
    co_await LookAtRepository(*name);
    if (context_.stop.stopped()) co_return;
  }
  progress_.looking = false;
  progress_.repository.clear();
  progress_.tag.clear();
}

Task<void> RegistryRun::LookAtRepository(std::string name) {
  RepositorySync repository(context_, name);
  co_await repository.Look(progress_.tag);
  if (context_.stop.stopped()) progress_.tag = repository.first_unread();
  co_await repository.Flush();
}

Task<void> RegistryRun::SyncOne(std::string name) {
  (void)co_await SyncRepository(std::move(name));
}

// False when the next run is to begin with the repository. Whatever ends it, those who wait to hold
// a large listing go on, and when it is no longer held.
Task<bool> RegistryRun::SyncRepository(std::string name) {
  registry::ListingTurn turn(context_.large_listing);
  std::exception_ptr failure;
  bool finished = false;
  reading_.insert(name);
  try {
    finished = co_await SyncInTurn(name, turn);
  } catch (...) {
    failure = std::current_exception();
  }
  reading_.erase(name);
  turn.Leave();
  if (failure) std::rethrow_exception(failure);
  co_return finished;
}

Task<bool> RegistryRun::SyncInTurn(std::string name, registry::ListingTurn& turn) {
  if (context_.stop.stopped()) {
    NoteUnfinished(name);
    co_return false;
  }
  RepositorySync repository(context_, name);
  ++context_.statistics.repositories;
  co_await repository.Read(!in_rounds_, turn);
  if (repository.refusal() && !first_refusal_) first_refusal_ = repository.refusal();
  if (context_.stop.stopped() && !repository.took_too_much()) NoteUnfinished(name);
  if (repository.was_listed()) ++repositories_listed_;
  co_await repository.Flush();
  ++repositories_done_;
  co_return !repository.resumes_here();
}

void RegistryRun::NoteUnfinished(const std::string& repository) {
  if (first_unfinished_.empty() || repository < first_unfinished_) first_unfinished_ = repository;
}

}  // namespace image_library::sync

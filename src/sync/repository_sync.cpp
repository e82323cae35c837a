#include "sync/repository_sync.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>

#include "core/rule.h"
#include "sync/problem.h"

namespace image_library::sync {

using registry::Listing;
using registry::ListingTurn;
using registry::TagHead;
using registry::Task;

RepositorySync::RepositorySync(RunContext& context, const std::string& name)
    : context_(context),
      state_(name),
      writer_(context, state_),
      referrers_(context, state_, writer_),
      tags_(context, state_, writer_, referrers_) {}

Task<void> RepositorySync::Read(bool known_tags, ListingTurn& turn) {
  const RunBudget::Mark before = context_.budget.Now();
  try {
    co_await ReadAll(known_tags, turn);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBudget) {
      if (!requested_ || error.kind() != ErrorKind::kNotFound) writer_.Record({}, error);
      if (!state_.was_listed) refusal_ = error;
    } else {
      context_.stop.Stop(error);
      // A run that begins here would stop here again.
      took_too_much_ = !state_.was_listed && context_.budget.TookMoreThanHalf(before);
      resumes_here_ = !took_too_much_;
      if (took_too_much_) writer_.Record({}, error);
    }
  }
}

Task<void> RepositorySync::ReadAll(bool known_tags, ListingTurn& turn) {
  co_await List(turn);
  rules_.emplace(context_.config.rules, state_.name, state_.listed);
  const auto settled = context_.settled.find(state_.name);
  if (!state_.absent && settled != context_.settled.end() &&
      settled->second.fingerprint == settled_)
    co_await ReadSettled(settled->second, known_tags);
  else
    co_await ReadUnsettled(known_tags);
}

Task<void> RepositorySync::List(ListingTurn& turn) {
  std::optional<Listing> listing = co_await context_.client.ListTags(state_.name, &turn);
  context_.stop.Succeeded();
  state_.was_listed = true;
  state_.absent = !listing;
  if (listing) state_.listed = std::move(listing->names);
  listing_fingerprint_ = ListingFingerprint(state_.listed);
  settled_ = SettledFingerprint(listing_fingerprint_, context_.config.rules_fingerprint);
}

// Every admitted tag is in the library, and every tag of the library is listed: only tags that may
// move are looked at, and the rest of the repository is not even read from the store.
Task<void> RepositorySync::ReadSettled(const Settled& before, bool known_tags) {
  context_.statistics.not_modified += before.tags - before.movable;
  if (known_tags && before.movable > 0) co_await LookAtListed(false);
  if (context_.stop.stopped() || writer_.busy()) co_return;
  if (!state_.new_digests.Empty()) {
    state_.known = context_.store.LoadRepository(state_.name);
    co_await referrers_.ReadTags();
    if (context_.stop.stopped()) co_return;
  }
  resumes_here_ = false;
  if (writer_.has_tags()) Settle(before.tags, before.movable);
}

Task<void> RepositorySync::ReadUnsettled(bool known_tags) {
  // Only now: while listings are waited for, nothing is held.
  state_.known = context_.store.LoadRepository(state_.name);
  if (state_.absent && !state_.known.has_tags && state_.known.listing_fingerprint.empty())
    throw NoRepository(state_.name, context_.config.name);
  state_.listing_changed = listing_fingerprint_ != state_.known.listing_fingerprint;
  Survey survey;
  co_await ReadNew(survey);
  if (known_tags && survey.to_look_at > 0) co_await LookAtListed(state_.known.tag_problems);
  if (context_.stop.stopped() || writer_.busy()) co_return;
  co_await FindMissing(survey);
  co_await referrers_.ReadTags();
  if (context_.stop.stopped()) co_return;
  if (state_.listing_changed) {
    writer_.batch().listing = state_.listed;
    writer_.batch().listing_fingerprint = listing_fingerprint_;
  }
  // Tags that failed before may fail again: they come last, and the next run does not begin here
  // for them.
  resumes_here_ = false;
  co_await ReadAgain(survey);
  const bool no_problems = state_.known.problem.empty() && !state_.known.tag_problems;
  if (survey.absent.empty() && no_problems && !state_.absent && !context_.stop.stopped())
    Settle(survey.admitted, survey.movable);
}

// The store takes it if every admitted tag is there and read, and forgets it with any problem.
void RepositorySync::Settle(std::int64_t admitted, std::int64_t movable) {
  writer_.batch().settled = Settled{settled_, admitted, movable};
}

TagWalk RepositorySync::Walk(bool tags, bool problems, const std::string& from) const {
  return TagWalk(context_.store, state_.name, state_.listed,
                 {context_.options.tags_per_portion, tags, problems}, from);
}

// Reads the tags of the walk for which choose tells a rule.
Task<void> RepositorySync::ReadChosen(TagWalk walk, const Choice& choose) {
  const auto next = [&]() -> std::optional<TagToRead> {
    while (std::optional<TagWalk::Step> step = walk.Next())
      if (const Rule* const rule = choose(*step))
        return TagToRead{std::move(step->name), rule, std::move(step->known),
                         std::move(step->problem)};
    return std::nullopt;
  };
  Task<void> task = tags_.Read(next);
  co_await std::move(task);
}

// Reads the tags that are new and had no problem, and surveys the others.
Task<void> RepositorySync::ReadNew(Survey& survey) {
  const Choice choose = [&](const TagWalk::Step& step) -> const Rule* {
    const Rule* const rule = step.listed() ? rules_->Decide(step.name) : nullptr;
    return Take(survey, step, rule) ? rule : nullptr;
  };
  Task<void> task = ReadChosen(Walk(state_.known.has_tags, state_.known.tag_problems), choose);
  co_await std::move(task);
}

// True for a tag that is to be read at once.
bool RepositorySync::Take(Survey& survey, const TagWalk::Step& step, const Rule* rule) {
  if (step.present()) {
    ++survey.present;
    if (!step.listed()) survey.absent.push_back(step.name);
  }
  if (rule == nullptr) {
    // Nobody asks about it any more. Those of referrer tags are ReferrerSync's.
    if (!step.problem.empty() && !(step.listed() && IsReferrerTag(step.name)))
      writer_.EndProblem(step.name);
    return false;
  }
  ++survey.admitted;
  if (!rule->immutable_tags) ++survey.movable;
  if (!step.present()) {
    ++context_.statistics.tags_seen;
    if (step.problem.empty()) return true;
    survey.again.push_back(step.place);
  } else if (!rule->immutable_tags || step.known->unread) {
    ++survey.to_look_at;
  } else {
    ++context_.statistics.not_modified;
    if (!step.problem.empty() && step.problem != problem::kImmutableMoved)
      writer_.EndProblem(step.name);
  }
  return false;
}

// Looks at the known tags that may move, or whose image is not read.
Task<void> RepositorySync::LookAtListed(bool problems) {
  const Choice choose = [&](const TagWalk::Step& step) -> const Rule* {
    if (!step.listed() || !step.present() || (step.known->fresh && !requested_)) return nullptr;
    const Rule* const rule = rules_->Decide(step.name);
    if (rule == nullptr || (rule->immutable_tags && !step.known->unread)) return nullptr;
    ++context_.statistics.tags_seen;
    return rule;
  };
  Task<void> task = ReadChosen(Walk(true, problems), choose);
  co_await std::move(task);
}

Task<void> RepositorySync::ReadAgain(const Survey& survey) {
  if (survey.again.empty()) co_return;
  TagWalk walk = Walk(state_.known.has_tags, true);
  auto place = survey.again.begin();
  const auto next = [&]() -> std::optional<TagToRead> {
    while (place != survey.again.end()) {
      std::optional<TagWalk::Step> step = walk.Next();
      if (!step) return std::nullopt;
      if (step->place != *place) continue;
      ++place;
      const Rule* const rule = rules_->Decide(step->name);
      return TagToRead{std::move(step->name), rule, std::move(step->known),
                       std::move(step->problem)};
    }
    return std::nullopt;
  };
  Task<void> task = tags_.Read(next);
  co_await std::move(task);
}

// A tag that is not there is left to the next listing.
Task<bool> RepositorySync::ReadNamed(std::vector<std::string> tags) {
  state_.known = context_.store.LoadRepository(state_.name);
  if (state_.known.listing_fingerprint.empty() || tags.empty()) co_return false;
  for (const std::string& tag : tags)
    if (IsReferrerTag(tag)) co_return false;
  for (const Rule& rule : context_.config.rules.rules())
    if (rule.newest && rule.repositories.Matches(state_.name)) co_return false;
  rules_.emplace(context_.config.rules, state_.name, tags);
  auto name = tags.begin();
  const auto next = [&]() -> std::optional<TagToRead> {
    while (name != tags.end()) {
      std::optional<TagToRead> tag = Named(*name++);
      if (!tag) continue;
      ++context_.statistics.tags_seen;
      return tag;
    }
    return std::nullopt;
  };
  Task<void> task = tags_.Read(next);
  co_await std::move(task);
  co_return true;
}

// Nothing for a tag that the rules do not admit, or of which nothing is to be read.
std::optional<TagToRead> RepositorySync::Named(const std::string& name) const {
  const Rule* const rule = rules_->Decide(name);
  if (rule == nullptr) return std::nullopt;
  TagToRead tag{name, rule};
  for (KnownTag& known : context_.store.KnownTags(state_.name, name, 1))
    if (known.name == name) tag.known = std::move(known);
  if (tag.present() && !tag.known->unread && rule->immutable_tags) return std::nullopt;
  for (KnownProblem& problem : context_.store.KnownProblems(state_.name, name, 1))
    if (problem.name == name) tag.problem = std::move(problem.problem);
  return tag;
}

// The rule that decided is the one that the library has: rules are applied to listings, and this
// reads none.
Task<void> RepositorySync::Look(std::string from) {
  state_.known = context_.store.LoadRepository(state_.name);
  std::map<std::int64_t, const Rule*> rules;
  for (const Rule& rule : context_.config.rules.rules()) rules[rule.id] = &rule;
  const Choice choose = [&](const TagWalk::Step& step) -> const Rule* {
    if (!step.present() || step.known->fresh) return nullptr;
    const auto rule = rules.find(step.known->rule_id);
    if (rule == rules.end() || (rule->second->immutable_tags && !step.known->unread))
      return nullptr;
    ++context_.statistics.tags_seen;
    return rule->second;
  };
  Task<void> task = ReadChosen(Walk(true, state_.known.tag_problems, from), choose);
  co_await std::move(task);
}

// Marks tags missing that the listing lacks and whose manifest answers 404, unless the listing
// lacks more than max_removal_percent of them. Those that a person accepted do not count.
Task<void> RepositorySync::FindMissing(const Survey& survey) {
  const std::vector<std::string>& absent = survey.absent;
  const std::vector<std::string>& accepted = state_.known.accepted;
  std::vector<std::string> gone, unexpected;
  std::set_intersection(absent.begin(), absent.end(), accepted.begin(), accepted.end(),
                        std::back_inserter(gone));
  std::set_difference(absent.begin(), absent.end(), accepted.begin(), accepted.end(),
                      std::back_inserter(unexpected));
  const std::size_t left = survey.present - gone.size();
  const auto percent = static_cast<std::size_t>(context_.options.max_removal_percent);
  // A registry may answer 404 to those who may no longer see a repository.
  const std::size_t allowed =
      state_.absent && percent < 100 ? 0 : std::max<std::size_t>(1, left * percent / 100);
  if (unexpected.size() > allowed) {
    RefuseRemovals(std::move(unexpected), left);
  } else {
    gone.insert(gone.end(), unexpected.begin(), unexpected.end());
    if (state_.known.removals_refused) writer_.batch().refused_removals.emplace();
    if (!state_.known.problem.empty()) writer_.EndProblem({});
  }
  for (const std::string& tag : gone) {
    const TagHead head = co_await context_.client.HeadTag(state_.name, tag);
    if (head.found) continue;
    writer_.batch().missing.push_back(tag);
    ++context_.statistics.tags_missing;
  }
}

// The next run compares with the listing before this one.
void RepositorySync::RefuseRemovals(std::vector<std::string> absent, std::size_t present) {
  state_.listing_changed = false;
  const std::string what =
      state_.absent ? "repository \"" + state_.name + "\" is said not to exist, which would remove "
                    : "listing of repository \"" + state_.name + "\" lacks ";
  writer_.Record(
      {}, problem::kRemovalsRefused,
      Error(ErrorKind::kProtocol,
            what + std::to_string(absent.size()) + " of " + std::to_string(present) + " known tags",
            "Nothing was marked missing; if they are gone, call image_library.accept_removals."));
  writer_.batch().refused_removals = std::move(absent);
}

}  // namespace image_library::sync

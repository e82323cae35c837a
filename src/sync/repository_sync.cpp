#include "sync/repository_sync.h"

#include <algorithm>
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
      if (!forgives_unknown_ || error.kind() != ErrorKind::kNotFound) writer_.Record({}, error);
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
  if (!co_await List(turn)) {
    resumes_here_ = false;
    co_return;
  }
  bool may_move = false;
  std::size_t admitted = 0;
  std::vector<TagDecision> fresh, again, known;
  for (TagDecision& decision : context_.config.rules.Decide(state_.name, state_.listed)) {
    const KnownTag* const tag = state_.Known(decision.tag);
    ++admitted;
    may_move = may_move || !decision.rule->immutable_tags;
    if (tag == nullptr || tag->missing) {
      (state_.HadProblem(decision.tag) ? again : fresh).push_back(std::move(decision));
    } else if (!decision.rule->immutable_tags || tag->unread) {
      known.push_back(std::move(decision));
    } else {
      ++context_.statistics.not_modified;
      if (!state_.HadProblem(decision.tag, problem::kImmutableMoved)) writer_.Fine(decision.tag);
    }
  }
  context_.statistics.tags_seen += static_cast<std::int64_t>(fresh.size() + again.size());
  co_await tags_.Read(fresh);
  if (known_tags) {
    context_.statistics.tags_seen += static_cast<std::int64_t>(known.size());
    co_await tags_.Read(known);
  }
  if (context_.stop.stopped() || writer_.busy()) co_return;
  ForgetProblems();
  co_await FindMissing();
  co_await referrers_.ReadTags();
  if (context_.stop.stopped()) co_return;
  if (state_.listing_changed) {
    writer_.batch().listing = state_.listed;
    writer_.batch().listing_fingerprint = ListingFingerprint(state_.listed);
  }
  // Tags that failed before may fail again: they come last, and the next run does not begin here
  // for them.
  resumes_here_ = false;
  co_await tags_.Read(again);
  if (!may_move && nothing_absent_ && !context_.stop.stopped()) Settle(admitted);
}

// False when the listing shows that nothing is to be done.
Task<bool> RepositorySync::List(ListingTurn& turn) {
  std::optional<Listing> listing = co_await context_.client.ListTags(state_.name, &turn);
  context_.stop.Succeeded();
  state_.was_listed = true;
  state_.absent = !listing;
  if (listing) state_.listed = std::move(listing->names);
  const std::string fingerprint = ListingFingerprint(state_.listed);
  settled_ = SettledFingerprint(fingerprint, context_.config.rules_fingerprint);
  if (listing && IsSettled()) co_return false;
  // Only now: while listings are waited for, nothing is held.
  state_.Load(context_.store.LoadRepository(state_.name));
  if (!listing && state_.known.tags.empty() && state_.known.listing_fingerprint.empty())
    throw Error(ErrorKind::kNotFound,
                "repository \"" + state_.name + "\" was not found in registry \"" +
                    context_.config.name + "\"",
                {}, "Check the name: it is relative to the registry's URL.");
  state_.listing_changed = fingerprint != state_.known.listing_fingerprint;
  co_return true;
}

bool RepositorySync::IsSettled() {
  const auto before = context_.settled.find(state_.name);
  if (before == context_.settled.end() || before->second.fingerprint != settled_) return false;
  context_.statistics.not_modified += before->second.tags;
  return true;
}

// The store takes it if every admitted tag is there and read, and forgets it with any problem.
void RepositorySync::Settle(std::size_t admitted) {
  if (!state_.known.problems.empty() || state_.absent) return;
  writer_.batch().settled = Settled{settled_, static_cast<std::int64_t>(admitted)};
}

// A tag that is not there is left to the next listing.
Task<bool> RepositorySync::ReadNamed(std::vector<std::string> tags) {
  state_.Load(context_.store.LoadRepository(state_.name));
  if (state_.known.listing_fingerprint.empty() || tags.empty()) co_return false;
  for (const std::string& tag : tags)
    if (IsReferrerTag(tag)) co_return false;
  for (const Rule& rule : context_.config.rules.rules())
    if (rule.newest && rule.repositories.Matches(state_.name)) co_return false;
  std::vector<TagDecision> wanted;
  for (TagDecision& decision : context_.config.rules.Decide(state_.name, tags)) {
    const KnownTag* const tag = state_.Known(decision.tag);
    if (tag == nullptr || tag->missing || tag->unread || !decision.rule->immutable_tags)
      wanted.push_back(std::move(decision));
  }
  co_await tags_.Read(wanted);
  context_.statistics.tags_seen += static_cast<std::int64_t>(wanted.size());
  co_return true;
}

// The rule that decided is the one that the library has: rules are applied to listings, and this
// reads none.
Task<void> RepositorySync::Look(std::string from) {
  state_.Load(context_.store.LoadRepository(state_.name));
  std::map<std::int64_t, const Rule*> rules;
  for (const Rule& rule : context_.config.rules.rules()) rules[rule.id] = &rule;
  std::vector<TagDecision> known;
  for (const KnownTag& tag : state_.known.tags) {
    const auto rule = rules.find(tag.rule_id);
    if (tag.name < from || tag.missing || tag.fresh || rule == rules.end() ||
        (rule->second->immutable_tags && !tag.unread))
      continue;
    known.push_back({tag.name, rule->second});
  }
  co_await tags_.Read(known);
  context_.statistics.tags_seen += static_cast<std::int64_t>(known.size());
}

// Known tags that the listing lacks, sorted; present receives how many the library has.
std::vector<std::string> RepositorySync::AbsentTags(std::size_t* present) const {
  std::vector<std::string> absent;
  for (const KnownTag& tag : state_.known.tags) {
    if (tag.missing) continue;
    ++*present;
    if (!state_.IsListed(tag.name)) absent.push_back(tag.name);
  }
  return absent;
}

// Marks tags missing that the listing lacks and whose manifest answers 404, unless the listing
// lacks more than max_removal_percent of them. Those that a person accepted do not count.
Task<void> RepositorySync::FindMissing() {
  std::size_t present = 0;
  const std::vector<std::string> absent = AbsentTags(&present);
  nothing_absent_ = absent.empty();
  const std::vector<std::string>& accepted = state_.known.accepted;
  std::vector<std::string> gone, unexpected;
  std::set_intersection(absent.begin(), absent.end(), accepted.begin(), accepted.end(),
                        std::back_inserter(gone));
  std::set_difference(absent.begin(), absent.end(), accepted.begin(), accepted.end(),
                      std::back_inserter(unexpected));
  const std::size_t left = present - gone.size();
  const auto percent = static_cast<std::size_t>(context_.options.max_removal_percent);
  // A registry may answer 404 to those who may no longer see a repository.
  const std::size_t allowed =
      state_.absent && percent < 100 ? 0 : std::max<std::size_t>(1, left * percent / 100);
  if (unexpected.size() > allowed) {
    RefuseRemovals(std::move(unexpected), left);
  } else {
    gone.insert(gone.end(), unexpected.begin(), unexpected.end());
    if (state_.known.removals_refused) writer_.batch().refused_removals.emplace();
    writer_.Fine({});
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

// Ends the problems of tags that are not listed any more, or that no rule takes any more.
void RepositorySync::ForgetProblems() {
  for (const auto& [tag, problem] : state_.known.problems) {
    if (tag.empty()) continue;
    if (!state_.IsListed(tag) ||
        (!IsReferrerTag(tag) && context_.config.rules.Decide(state_.name, {tag}).empty()))
      writer_.Forget(tag);
  }
}

}  // namespace image_library::sync

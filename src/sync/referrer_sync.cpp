#include "sync/referrer_sync.h"

#include <utility>

#include "core/error.h"
#include "core/rule.h"

namespace image_library::sync {

using registry::Task;

ReferrerSync::ReferrerSync(RunContext& context, const RepositoryState& state,
                           RepositoryWriter& writer)
    : context_(context),
      state_(state),
      writer_(writer),
      reader_(context.client, context.config.reads_evidence ? &context.evidence : nullptr) {}

// The subjects of tags, in their places: images of this repository; empty: none that is known. A
// tag has only half of a sha512 digest (distribution-spec, "Referrers Tag Schema").
std::vector<std::string> ReferrerSync::SubjectsOf(const std::vector<TagWalk::Step>& tags) const {
  std::vector<std::string> subjects, to_ask;
  std::vector<std::size_t> places;
  for (const TagWalk::Step& tag : tags) {
    std::string beginning;
    (void)IsReferrerTag(tag.name, &beginning);
    subjects.push_back(state_.new_digests.Find(beginning));
    if (!subjects.back().empty()) continue;
    places.push_back(subjects.size() - 1);
    to_ask.push_back(std::move(beginning));
  }
  if (to_ask.empty()) return subjects;
  std::vector<std::string> found = context_.store.Subjects(state_.name, to_ask);
  for (std::size_t i = 0; i < places.size(); ++i) subjects[places[i]] = std::move(found.at(i));
  return subjects;
}

Task<void> ReferrerSync::ReadNew(std::string subject) {
  try {
    if (co_await reader_.ReadApi(writer_.batch(), subject, {}))
      told_by_api_.insert(subject);
    else if (!state_.was_listed)  // no listing tells whether there is a fallback tag
      co_await reader_.ReadTag(writer_.batch(), subject, FallbackTag(subject));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kBudget) throw;
  }
}

Task<void> ReferrerSync::ReadTags() {
  const bool all = state_.listing_changed || !state_.new_digests.Empty();
  if (!all && !state_.known.tag_problems) co_return;
  const std::size_t portion = context_.options.tags_per_portion;
  TagWalk walk(context_.store, state_.name, state_.listed,
               {portion, false, state_.known.tag_problems});
  Portions<std::string> before(
      [this](const std::string& from, std::size_t most) {
        return context_.store.ReferrerTags(state_.name, from, most);
      },
      portion);
  std::vector<TagWalk::Step> tags;
  for (bool more = true; more;) {
    std::optional<TagWalk::Step> step = walk.Next();
    more = step.has_value();
    const bool was_read = SkipRead(before, step);
    if (step && step->listed() && !was_read && IsReferrerTag(step->name) &&
        (all || !step->problem.empty()))
      tags.push_back(std::move(*step));
    if (tags.size() < portion && more) continue;
    co_await ReadSome(std::move(tags));
    tags.clear();
    if (context_.stop.stopped()) co_return;
  }
}

// Passes the tags that were read before, up to this one; true when it is one of them. Those between
// are not listed any more.
bool ReferrerSync::SkipRead(Portions<std::string>& before,
                            const std::optional<TagWalk::Step>& tag) {
  while (const std::string* const read = before.Peek()) {
    if (tag && *read > tag->name) return false;
    const bool same = tag && *read == tag->name;
    if (state_.listing_changed && !(same && tag->listed()))
      writer_.batch().referrer_answers.push_back({{}, *read});
    before.Next();
    if (same) return true;
  }
  return false;
}

Task<void> ReferrerSync::ReadSome(std::vector<TagWalk::Step> tags) {
  const std::vector<std::string> subjects = SubjectsOf(tags);
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const TagWalk::Step& tag = tags[i];
    const std::string& subject = subjects[i];
    const bool fallback = tag.name.find('.') == std::string::npos;
    if (subject.empty() || (fallback && told_by_api_.count(subject) != 0)) continue;
    if (context_.stop.stopped()) co_return;
    try {
      co_await reader_.ReadTag(writer_.batch(), subject, tag.name);
      if (!tag.problem.empty()) writer_.EndProblem(tag.name);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kBudget) throw;
      writer_.Record(tag.name, error);
    }
    co_await writer_.FlushIfFull();
  }
}

}  // namespace image_library::sync

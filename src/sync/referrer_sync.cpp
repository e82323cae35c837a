#include "sync/referrer_sync.h"

#include <algorithm>
#include <string_view>

#include "core/digest.h"
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

// The image of this repository that a referrer tag is for; empty: none that is known. The tag has
// only half of a sha512 digest (distribution-spec, "Referrers Tag Schema").
std::string ReferrerSync::SubjectOf(const std::string& tag) const {
  std::string subject;
  if (!IsReferrerTag(tag, &subject)) return {};
  if (IsDigest(subject)) return state_.Knows(subject) ? subject : std::string();
  for (const std::string_view digest : state_.known_digests)
    if (digest.starts_with(subject)) return std::string(digest);
  for (const std::string& digest : state_.new_digests)
    if (digest.starts_with(subject)) return digest;
  return {};
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
  const auto& before = state_.known.referrer_tags;
  for (const std::string& tag : state_.listed) {
    const bool asked =
        state_.listing_changed || !state_.new_digests.empty() || state_.HadProblem(tag);
    if (context_.stop.stopped() || !asked || std::binary_search(before.begin(), before.end(), tag))
      continue;
    const std::string subject = SubjectOf(tag);
    const bool fallback = tag.find('.') == std::string::npos;
    if (subject.empty() || (fallback && told_by_api_.count(subject) != 0)) continue;
    try {
      co_await reader_.ReadTag(writer_.batch(), subject, tag);
      writer_.Fine(tag);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kBudget) throw;
      writer_.Record(tag, error);
    }
    co_await writer_.FlushIfFull();
  }
  for (const std::string& tag : before) {
    if (state_.listing_changed && !state_.IsListed(tag))
      writer_.batch().referrer_answers.push_back({SubjectOf(tag), tag});
  }
}

}  // namespace image_library::sync

#include "sync/tag_reader.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/error.h"
#include "sync/problem.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Group;
using registry::TagHead;
using registry::Task;

TagReader::TagReader(RunContext& context, RepositoryState& state, RepositoryWriter& writer,
                     ReferrerSync& referrers)
    : context_(context), state_(state), writer_(writer), referrers_(referrers) {}

Task<void> TagReader::Read(const std::vector<TagDecision>& tags) {
  Group group(context_.options.tags_at_once);
  for (const TagDecision& decision : tags) {
    if (context_.stop.stopped() || writer_.busy()) {
      LeaveUnread(decision.tag);
      break;
    }
    Task<void> task = ReadOne(decision.tag, decision.rule);
    co_await group.Spawn(std::move(task));
  }
  co_await group.Join();
}

Task<void> TagReader::ReadOne(std::string tag, const Rule* rule) {
  if (context_.stop.stopped() || writer_.busy()) {
    LeaveUnread(tag);
    co_return;
  }
  const RunBudget::Mark before = context_.budget.Now();
  Room::Place place;
  std::exception_ptr failure;
  try {
    co_await ReadTag(tag, rule, place);
    context_.stop.Succeeded();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBudget) {
      writer_.Record(tag, error);
      if (error.kind() == ErrorKind::kRateLimited) LeaveUnread(tag);
    } else {
      context_.stop.Stop(error);
      if (context_.budget.TookMoreThanHalf(before))
        writer_.Record(tag, error);
      else
        LeaveUnread(tag);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  // After an exception too: other tags wait for the room, and Join waits for them.
  context_.room.Leave(place);
  if (failure) std::rethrow_exception(failure);
  co_await writer_.FlushIfFull();
}

Task<void> TagReader::ReadTag(std::string tag, const Rule* rule, Room::Place& place) {
  const KnownTag* const known = state_.Known(tag);
  FoundTag found{tag, {}, rule->id};
  // Where a registry has sent a wrong digest of this tag before, only the body counts.
  if (known != nullptr && !known->missing && !state_.HadProblem(tag, problem::kDigestMismatch)) {
    const TagHead head = co_await context_.client.HeadTag(state_.name, tag);
    if (!head.found) co_return;  // deleted since the listing: the next listing shows it
    found.digest = head.digest;
    if (found.digest == known->digest) {
      ++context_.statistics.not_modified;
      writer_.Unchanged(tag);
      co_return;
    }
    if (!found.digest.empty() && co_await ReadImage(found, std::nullopt, place)) co_return;
    // The tag moved since the HEAD, or the registry sends no digest: read its manifest.
  }
  co_await context_.room.Enter(place);
  // One request gives both the digest and the manifest, so no move of the tag comes between.
  std::optional<FetchedManifest> manifest = co_await context_.client.GetManifest(state_.name, tag);
  if (!manifest) co_return;
  found.digest = manifest->digest;
  if (known != nullptr && !known->missing && found.digest == known->digest) {
    ++context_.statistics.not_modified;
    if (manifest->claimed_digest.empty()) writer_.Unchanged(tag);
    co_return;
  }
  const std::string claimed = manifest->claimed_digest;
  (void)co_await ReadImage(std::move(found), std::move(manifest), place);
  if (!claimed.empty())
    writer_.Warn(tag, problem::kDigestMismatch,
                 "the registry says that the tag is " + claimed +
                     ", and sends a manifest with another digest: that one is kept");
}

// Adds the tag to the batch once its image is there: in the library, in the batch, or read now.
// False when the registry does not have the manifest of the digest.
Task<bool> TagReader::ReadImage(FoundTag tag, std::optional<FetchedManifest> manifest,
                                Room::Place& place) {
  if (writer_.WasRefused(tag)) co_return true;
  const std::string digest = tag.digest;
  const auto reading = waiting_.find(digest);
  if (reading != waiting_.end()) {
    reading->second.push_back(std::move(tag));
    co_return true;
  }
  const bool is_new = !state_.Knows(digest);
  if (is_new) {
    const std::vector<KnownImage> stored = context_.store.KnownImages({digest});
    // Another registry may have lacked manifests of the image that this one has.
    if (stored.empty() || !stored.front().whole) {
      if (!co_await ReadNewImage(tag, std::move(manifest), place)) co_return false;
      if (stored.empty()) ++context_.statistics.images_added;
    }
    state_.new_digests.insert(digest);
  }
  // No co_await between these: a batch that is written must have an image before its tags.
  for (FoundTag& waiting : TakeWaiting(digest)) AddTag(std::move(waiting));
  AddTag(std::move(tag));
  context_.room.Leave(place);
  if (is_new) co_await referrers_.ReadNew(digest);
  co_return true;
}

// Reads an image into the batch, while other tags of its digest wait. False when the registry does
// not have it and nobody waits.
Task<bool> TagReader::ReadNewImage(const FoundTag& tag, std::optional<FetchedManifest> manifest,
                                   Room::Place& place) {
  waiting_[tag.digest];
  try {
    co_await context_.room.Enter(place);
    if (!manifest) manifest = co_await context_.client.GetManifest(state_.name, tag.digest);
    if (!manifest && waiting_[tag.digest].empty()) {
      waiting_.erase(tag.digest);
      co_return false;
    }
    if (!manifest)
      throw Error(ErrorKind::kNotFound, "manifest " + tag.digest + " of tag \"" + tag.name +
                                            "\" is gone from repository \"" + state_.name + "\"");
    Image image = co_await context_.reader.Read(state_.name, std::move(*manifest), place);
    if (image.cut) cut_digests_.insert(tag.digest);
    writer_.batch().Add(std::move(image));
  } catch (const Error& error) {
    // The same error is that of every tag that waited for this image.
    for (const FoundTag& waiting : TakeWaiting(tag.digest)) {
      if (error.kind() == ErrorKind::kBudget)
        LeaveUnread(waiting.name);
      else
        writer_.Record(waiting.name, error);
    }
    throw;
  }
  co_return true;
}

void TagReader::AddTag(FoundTag tag) {
  writer_.Fine(tag.name);
  const KnownTag* const known = state_.Known(tag.name);
  if (known != nullptr && known->digest != tag.digest) {
    ++context_.statistics.tags_moved;
    const std::vector<Rule>& rules = context_.config.rules.rules();
    const auto rule = std::find_if(rules.begin(), rules.end(),
                                   [&](const Rule& one) { return one.id == tag.rule_id; });
    if (rule != rules.end() && rule->immutable_tags)
      writer_.Warn(
          tag.name, problem::kImmutableMoved,
          "the rule says that tags do not move, and this one came back with another digest");
  }
  if (cut_digests_.count(tag.digest) != 0)
    writer_.Warn(
        tag.name, problem::kAnnotationsCut,
        "annotations, labels, layer types or attestations of the image are over their limits: "
        "those that fit are kept");
  writer_.batch().tags.push_back(std::move(tag));
}

std::vector<FoundTag> TagReader::TakeWaiting(const std::string& digest) {
  const auto found = waiting_.find(digest);
  if (found == waiting_.end()) return {};
  std::vector<FoundTag> taken = std::move(found->second);
  waiting_.erase(found);
  return taken;
}

void TagReader::LeaveUnread(const std::string& tag) {
  if (first_unread_.empty() || tag < first_unread_) first_unread_ = tag;
}

}  // namespace image_library::sync

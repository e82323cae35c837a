#include "sync/tag_reader.h"

#include <exception>
#include <utility>

#include "core/error.h"
#include "sync/problem.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Group;
using registry::TagCheck;
using registry::Task;

namespace {

// Of images that could not be read; those of others are read once more for each tag of theirs.
constexpr std::size_t kMostFailed = 1000;

// A manifest that came along with the answer to a check is kept while it waits for room if it is
// small, as nearly all are; a larger one is asked for again.
constexpr std::size_t kSmallManifest = 64u << 10;

// False for an error that only tells that the registry could not be asked now: the library keeps
// what it has, unless the run before met the same error.
bool TellsOfImage(const TagToRead& tag, const Error& error) {
  if (error.kind() == ErrorKind::kBudget || error.kind() == ErrorKind::kRateLimited) return false;
  return !error.temporary() || tag.problem == ProblemName(error.kind());
}

bool IsAsKnown(const TagToRead& tag) {
  return tag.present() && tag.known->digest == tag.digest && tag.known->rule_id == tag.rule->id;
}

}  // namespace

TagReader::TagReader(RunContext& context, RepositoryState& state, RepositoryWriter& writer,
                     ReferrerSync& referrers)
    : context_(context), state_(state), writer_(writer), referrers_(referrers) {}

Task<void> TagReader::Read(Source next) {
  Group group(context_.options.tags_at_once);
  std::exception_ptr failure;
  try {
    while (std::optional<TagToRead> tag = next()) {
      if (context_.stop.stopped() || writer_.busy()) {
        LeaveUnread(tag->name);
        break;
      }
      Task<void> task = ReadOne(std::move(*tag));
      co_await group.Spawn(std::move(task));
    }
  } catch (...) {
    failure = std::current_exception();
  }
  // Those under way are waited for, whatever the source throws.
  co_await group.Join();
  if (failure) std::rethrow_exception(failure);
}

Task<void> TagReader::ReadOne(TagToRead tag) {
  if (context_.stop.stopped() || writer_.busy()) {
    LeaveUnread(tag.name);
    co_return;
  }
  const std::string name = tag.name;
  const RunBudget::Mark before = context_.budget.Now();
  Room::Place place;
  std::exception_ptr failure;
  try {
    co_await ReadTag(std::move(tag), place);
    context_.stop.Succeeded();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBudget) {
      writer_.Record(name, error);
      if (error.kind() == ErrorKind::kRateLimited) LeaveUnread(name);
    } else {
      context_.stop.Stop(error);
      if (context_.budget.TookMoreThanHalf(before))
        writer_.Record(name, error);
      else
        LeaveUnread(name);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  // After an exception too: other tags wait for the room, and Join waits for them.
  context_.room.Leave(place);
  if (failure) std::rethrow_exception(failure);
  co_await writer_.FlushIfFull();
}

Task<void> TagReader::ReadTag(TagToRead tag, Room::Place& place) {
  std::optional<FetchedManifest> manifest;
  // Where a registry has sent a wrong digest of this tag before, only the body counts.
  if (tag.present() && tag.problem != problem::kDigestMismatch) {
    TagCheck check = co_await context_.client.CheckTag(state_.name, tag.name, tag.known->digest);
    if (!check.found) co_return;  // deleted since the listing: the next listing shows it
    tag.digest = check.digest;
    if (tag.digest == tag.known->digest && !tag.known->unread && !check.manifest) {
      Unchanged(tag);
      co_return;
    }
    if (check.manifest && check.manifest->body.size() <= kSmallManifest)
      manifest = std::move(check.manifest);
    else if (!tag.digest.empty() && co_await ReadImage(tag, std::nullopt, place))
      co_return;
    // The tag moved since the HEAD, or the registry sends no digest: read its manifest.
  }
  co_await context_.room.Enter(place);
  // One request gives both the digest and the manifest, so no move of the tag comes between.
  std::optional<Error> failure;
  try {
    if (!manifest) manifest = co_await context_.client.GetManifest(state_.name, tag.name);
    if (!manifest && tag.digest.empty()) co_return;
    if (!manifest)
      failure = Error(ErrorKind::kNotFound, "the registry says that tag \"" + tag.name +
                                                "\" of repository \"" + state_.name + "\" is " +
                                                tag.digest + ", and does not have that manifest");
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) {
    co_await KeepUnread(std::move(tag), std::move(*failure));
    co_return;
  }
  std::string claimed = manifest->claimed_digest;
  if (claimed.empty() && lies_.count(tag.digest) != 0) claimed = tag.digest;
  tag.digest = manifest->digest;
  if (tag.present() && !tag.known->unread && tag.digest == tag.known->digest) {
    if (claimed.empty()) {
      Unchanged(tag);
      co_return;
    }
    ++context_.statistics.not_modified;
    if (tag.problem != problem::kDigestMismatch) WarnOfClaim(tag.name, claimed);
    co_return;
  }
  const std::string name = tag.name;
  (void)co_await ReadImage(std::move(tag), std::move(manifest), place);
  if (!claimed.empty()) WarnOfClaim(name, claimed);
}

void TagReader::WarnOfClaim(const std::string& tag, const std::string& claimed) {
  writer_.Warn(tag, problem::kDigestMismatch,
               "the registry says that the tag is " + claimed +
                   ", and sends a manifest with another digest: that one is kept");
}

// Adds the tag to the batch once its image is there: in the library, in the batch, or read now.
// False when the registry does not have the manifest of the digest. The error of an image that is
// added unread is thrown when it is.
Task<bool> TagReader::ReadImage(TagToRead tag, std::optional<FetchedManifest> manifest,
                                Room::Place& place) {
  if (writer_.WasRefused(tag.Found())) co_return true;
  const std::string digest = tag.digest;
  const auto reading = waiting_.find(digest);
  if (reading != waiting_.end()) {
    reading->second.push_back(std::move(tag));
    co_return true;
  }
  bool is_new = false;
  if (!state_.new_digests.Has(digest) && failed_.count(digest) == 0) {
    const std::optional<KnownImage> stored = co_await FindStored(digest);
    const bool here = stored && stored->here;
    // Another registry may have lacked manifests of the image that this one has.
    if (!stored || (!here && !stored->whole)) {
      if (!co_await ReadNewImage(tag, std::move(manifest), place)) co_return false;
      if (!stored) ++context_.statistics.images_added;
    }
    const auto failed = failed_.find(digest);
    is_new = !here &&
             (failed == failed_.end() || (!stored && failed->second.unread != Unread::kManifest));
    if (is_new) state_.new_digests.Add(digest);
  }
  const auto failed = failed_.find(digest);
  std::optional<Error> failure;
  if (failed != failed_.end()) failure = failed->second.error;
  // No co_await between these: a batch that is written must have an image before its tags.
  for (const TagToRead& waiting : TakeWaiting(digest)) {
    if (failure) writer_.Record(waiting.name, *failure);
    AddTag(waiting);
  }
  AddTag(tag);
  context_.room.Leave(place);
  if (is_new) co_await referrers_.ReadNew(digest);
  if (failure) throw Error(*failure);
  co_return true;
}

// From here on other tags of the digest wait: until TakeWaiting, unless this throws.
Task<std::optional<KnownImage>> TagReader::FindStored(std::string digest) {
  waiting_[digest];
  std::exception_ptr failure;
  try {
    Task<std::optional<KnownImage>> task =
        context_.known_images.Find(RepositoryDigest{state_.name, digest});
    co_return co_await std::move(task);
  } catch (...) {
    failure = std::current_exception();
  }
  waiting_.erase(digest);
  std::rethrow_exception(failure);
}

// Reads an image into the batch, while other tags of its digest wait: as far as it can be read, and
// why no further is in failed_. False when the registry does not have it, or sends something else
// for its digest, and nobody waits.
Task<bool> TagReader::ReadNewImage(const TagToRead& tag, std::optional<FetchedManifest> manifest,
                                   Room::Place& place) {
  try {
    co_await context_.room.Enter(place);
    std::optional<Error> mismatch;
    try {
      if (!manifest) manifest = co_await context_.client.GetManifest(state_.name, tag.digest);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kDigestMismatch) throw;
      lies_.insert(tag.digest);
      mismatch = error;
    }
    if (!manifest && waiting_[tag.digest].empty()) {
      waiting_.erase(tag.digest);
      co_return false;
    }
    if (mismatch) throw Error(*mismatch);
    if (!manifest)
      throw Error(ErrorKind::kNotFound, "manifest " + tag.digest + " of tag \"" + tag.name +
                                            "\" is gone from repository \"" + state_.name + "\"");
    FetchedImage read = co_await context_.reader.Read(state_.name, std::move(*manifest), place);
    if (read.config_error) {
      if (!TellsOfImage(tag, *read.config_error)) throw Error(*read.config_error);
      Fail(tag.digest, *read.config_error, read.image.unread);
    }
    if (read.image.cut) cut_digests_.insert(tag.digest);
    writer_.batch().Add(std::move(read.image));
  } catch (const Error& error) {
    if (TellsOfImage(tag, error)) {
      Fail(tag.digest, error, Unread::kManifest);
      writer_.batch().Add(UnreadImage(tag.digest));
      co_return true;
    }
    // The same error is that of every tag that waited for this image.
    for (const TagToRead& waiting : TakeWaiting(tag.digest)) {
      if (error.kind() == ErrorKind::kBudget)
        LeaveUnread(waiting.name);
      else
        writer_.Record(waiting.name, error);
    }
    throw;
  }
  co_return true;
}

// The manifest of a tag could not be read. If the registry tells its digest, the tag is added with
// it, so that nobody takes the tag for what it was before. Throws the error.
Task<void> TagReader::KeepUnread(TagToRead tag, Error error) {
  if (!TellsOfImage(tag, error)) throw error;
  if (tag.digest.empty()) tag.digest = co_await ClaimedDigest(tag);
  if (tag.digest.empty() || writer_.WasRefused(tag.Found())) throw error;
  const auto reading = waiting_.find(tag.digest);
  if (reading != waiting_.end()) {
    reading->second.push_back(std::move(tag));
    throw error;
  }
  if (!state_.new_digests.Has(tag.digest) && failed_.count(tag.digest) == 0) {
    // Alone: this is rare, and no other tag of the digest may come between.
    const std::optional<KnownImage> stored =
        context_.store.KnownImages({{state_.name, tag.digest}}).front();
    if (!stored) {
      writer_.batch().Add(UnreadImage(tag.digest));
      ++context_.statistics.images_added;
    }
    if (!stored || (!stored->here && !stored->whole)) Fail(tag.digest, error, Unread::kManifest);
  }
  AddTag(tag);
  throw error;
}

// What HEAD says of a tag; empty when it says nothing that can be used.
Task<std::string> TagReader::ClaimedDigest(const TagToRead& tag) {
  if (context_.client.abilities().head == false || tag.problem == problem::kDigestMismatch)
    co_return std::string();
  try {
    co_return (co_await context_.client.HeadTag(state_.name, tag.name)).digest;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kBudget || error.kind() == ErrorKind::kRateLimited) throw;
  }
  co_return std::string();
}

// A problem of its image's annotations stays.
void TagReader::Unchanged(const TagToRead& tag) {
  ++context_.statistics.not_modified;
  if (!tag.problem.empty() && tag.problem != problem::kAnnotationsCut) writer_.EndProblem(tag.name);
}

void TagReader::Fail(const std::string& digest, const Error& error, Unread unread) {
  if (failed_.size() >= kMostFailed) failed_.clear();
  failed_.insert_or_assign(digest, Failure{error, unread});
}

void TagReader::AddTag(const TagToRead& tag) {
  const bool failed = failed_.count(tag.digest) != 0;
  if (failed && IsAsKnown(tag)) return;
  if (!failed && !tag.problem.empty()) writer_.EndProblem(tag.name);
  if (tag.known && tag.known->digest != tag.digest) {
    ++context_.statistics.tags_moved;
    if (!failed && tag.rule->immutable_tags)
      writer_.Warn(
          tag.name, problem::kImmutableMoved,
          "the rule says that tags do not move, and this one came back with another digest");
  }
  if (!failed && cut_digests_.count(tag.digest) != 0)
    writer_.Warn(
        tag.name, problem::kAnnotationsCut,
        "annotations, labels, layer types or attestations of the image are over their limits: "
        "those that fit are kept");
  writer_.batch().tags.push_back(tag.Found());
}

std::vector<TagToRead> TagReader::TakeWaiting(const std::string& digest) {
  const auto found = waiting_.find(digest);
  if (found == waiting_.end()) return {};
  std::vector<TagToRead> taken = std::move(found->second);
  waiting_.erase(found);
  return taken;
}

void TagReader::LeaveUnread(const std::string& tag) {
  if (first_unread_.empty() || tag < first_unread_) first_unread_ = tag;
}

}  // namespace image_library::sync

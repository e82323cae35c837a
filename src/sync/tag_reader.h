// Reads the tags of one repository: what each points at, and the images that are new.
#ifndef IMAGE_LIBRARY_SYNC_TAG_READER_H_
#define IMAGE_LIBRARY_SYNC_TAG_READER_H_

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/rule.h"
#include "registry/task.h"
#include "registry/types.h"
#include "sync/batch.h"
#include "sync/referrer_sync.h"
#include "sync/repository_state.h"
#include "sync/repository_writer.h"
#include "sync/room.h"
#include "sync/run_context.h"

namespace image_library::sync {

/// A tag that is to be read, and what the library knows of it.
struct TagToRead {
  std::string name;
  const Rule* rule = nullptr;     ///< that decided
  std::optional<KnownTag> known;  ///< nothing: the library does not have it
  std::string problem;            ///< on record; empty: none
  std::string digest = {};        ///< what it points at, once that is known

  FoundTag Found() const { return {name, digest, rule->id, rule->kind}; }
  bool present() const noexcept { return known && !known->missing; }
};

class TagReader {
 public:
  /// The next tag; nothing after the last one.
  using Source = std::function<std::optional<TagToRead>()>;

  /// All must outlive it.
  TagReader(RunContext& context, RepositoryState& state, RepositoryWriter& writer,
            ReferrerSync& referrers);

  /// Reads tags side by side until the source or the run ends; a tag is taken from the source when
  /// its turn has come. An error of a tag is recorded as its problem, and the others go on. A tag
  /// whose digest is known and whose image cannot be read is added all the same (Image::unread),
  /// and read again by the next run. Throws what the Store and the source throw.
  registry::Task<void> Read(Source next);

  /// The first, by name, of the tags that were not read since the run stopped; empty: none.
  const std::string& first_unread() const noexcept { return first_unread_; }

 private:
  // Why an image could not be read.
  struct Failure {
    Error error;
    Unread unread;
  };

  registry::Task<void> ReadOne(TagToRead tag);
  registry::Task<void> ReadTag(TagToRead tag, Room::Place& place);
  registry::Task<bool> ReadImage(TagToRead tag, std::optional<registry::FetchedManifest> manifest,
                                 Room::Place& place);
  registry::Task<std::optional<KnownImage>> FindStored(std::string digest);
  registry::Task<bool> ReadNewImage(const TagToRead& tag,
                                    std::optional<registry::FetchedManifest> manifest,
                                    Room::Place& place);
  registry::Task<void> KeepUnread(TagToRead tag, Error error);
  registry::Task<std::string> ClaimedDigest(const TagToRead& tag);
  void Fail(const std::string& digest, const Error& error, Unread unread);
  void WarnOfClaim(const std::string& tag, const std::string& claimed);
  void Unchanged(const TagToRead& tag);
  void AddTag(const TagToRead& tag);
  std::vector<TagToRead> TakeWaiting(const std::string& digest);
  void LeaveUnread(const std::string& tag);

  RunContext& context_;
  RepositoryState& state_;
  RepositoryWriter& writer_;
  ReferrerSync& referrers_;
  /// Tags by the digest they point at, while another tag of the repository reads that image.
  std::map<std::string, std::vector<TagToRead>> waiting_;
  /// Images of which some texts are over their limits.
  std::set<std::string> cut_digests_;
  /// Images that could not be read, by digest: a few of them, for other tags of theirs.
  std::map<std::string, Failure> failed_;
  /// Digests that HEAD told of tags and that the bodies contradict.
  std::set<std::string> lies_;
  std::string first_unread_;
};

}  // namespace image_library::sync

#endif

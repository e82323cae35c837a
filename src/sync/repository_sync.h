// The sync of one repository: its listing, its tags, and what is no longer there.
#ifndef IMAGE_LIBRARY_SYNC_REPOSITORY_SYNC_H_
#define IMAGE_LIBRARY_SYNC_REPOSITORY_SYNC_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/rule.h"
#include "registry/listing_turn.h"
#include "registry/task.h"
#include "sync/referrer_sync.h"
#include "sync/repository_state.h"
#include "sync/repository_writer.h"
#include "sync/run_context.h"
#include "sync/tag_reader.h"
#include "sync/tag_walk.h"

namespace image_library::sync {

/// Trouble with a tag is a problem of the tag, and the rest of the repository is read; trouble with
/// the listing is a problem of the repository. A tag is marked missing only when a complete listing
/// lacks it and its manifest answers 404. Call Read or Look, then Flush.
class RepositorySync {
 public:
  /// The context must outlive it.
  RepositorySync(RunContext& context, const std::string& name);
  RepositorySync(const RepositorySync&) = delete;
  RepositorySync& operator=(const RepositorySync&) = delete;

  /// Lists the repository and reads its new tags; with known_tags looks at those that the library
  /// knows as well. Throws what the Store throws, never Error. The turn is for the listing, and is
  /// given back when this object is gone.
  registry::Task<void> Read(bool known_tags, registry::ListingTurn& turn);

  /// Reads these tags without a listing, as after a push. False when that is not enough: the
  /// repository was never listed, a rule takes the newest tags only, or a tag carries referrers.
  /// Then call Read of another object.
  registry::Task<bool> ReadNamed(std::vector<std::string> tags);

  /// Of a repository that a webhook named: it is no problem if the registry does not have it, and
  /// tags that this run has read already are looked at again.
  void Requested() noexcept { requested_ = true; }

  /// Looks at the tags that the library knows, from this name on, without a listing.
  registry::Task<void> Look(std::string from);

  /// Writes what was read since the last batch.
  registry::Task<void> Flush() { return writer_.Flush(); }

  /// The listing was read to its end.
  bool was_listed() const noexcept { return state_.was_listed; }
  /// Why the repository could not be listed; nothing when it was, or when the run was over.
  const std::optional<Error>& refusal() const noexcept { return refusal_; }
  /// The listing alone took more than half of what a run has: the next run begins with others.
  bool took_too_much() const noexcept { return took_too_much_; }
  /// Of a run that stopped: the next one begins with this repository.
  bool resumes_here() const noexcept { return resumes_here_; }
  /// See TagReader.
  const std::string& first_unread() const noexcept { return tags_.first_unread(); }

 private:
  // What a walk through all tags found.
  struct Survey {
    std::int64_t admitted = 0;        // listed tags that the rules admit
    std::int64_t movable = 0;         // of these, those that may move by their rules
    std::size_t present = 0;          // tags of the library that are not missing
    std::size_t to_look_at = 0;       // of these, admitted ones that may move, or are not read
    std::vector<std::string> absent;  // tags of the library that the listing lacks, by name
    std::vector<std::size_t> again;   // places of tags to be read that had a problem
  };

  // The rule by which a tag is read now; nullptr: it is not.
  using Choice = std::function<const Rule*(const TagWalk::Step&)>;

  registry::Task<void> ReadAll(bool known_tags, registry::ListingTurn& turn);
  registry::Task<void> List(registry::ListingTurn& turn);
  registry::Task<void> ReadSettled(const Settled& before, bool known_tags);
  registry::Task<void> ReadUnsettled(bool known_tags);
  void Settle(std::int64_t admitted, std::int64_t movable);
  TagWalk Walk(bool tags, bool problems, const std::string& from = {}) const;
  registry::Task<void> ReadChosen(TagWalk walk, const Choice& choose);
  registry::Task<void> ReadNew(Survey& survey);
  bool Take(Survey& survey, const TagWalk::Step& step, const Rule* rule);
  registry::Task<void> LookAtListed(bool problems);
  registry::Task<void> ReadAgain(const Survey& survey);
  std::optional<TagToRead> Named(const std::string& name) const;
  registry::Task<void> FindMissing(const Survey& survey);
  void RefuseRemovals(std::vector<std::string> absent, std::size_t present);

  RunContext& context_;
  RepositoryState state_;
  RepositoryWriter writer_;
  ReferrerSync referrers_;
  TagReader tags_;
  std::optional<Error> refusal_;
  bool took_too_much_ = false;
  bool resumes_here_ = true;
  std::optional<TagRules> rules_;    ///< of the listing
  std::string listing_fingerprint_;  ///< see ListingFingerprint; empty before the listing
  std::string settled_;              ///< see SettledFingerprint; the same
  bool requested_ = false;
};

}  // namespace image_library::sync

#endif

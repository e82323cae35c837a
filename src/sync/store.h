// Where a sync keeps what it finds. src/postgres implements it over SPI, unit tests in memory.
#ifndef IMAGE_LIBRARY_SYNC_STORE_H_
#define IMAGE_LIBRARY_SYNC_STORE_H_

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "sync/batch.h"
#include "sync/known.h"

namespace image_library::sync {

/// The database refused a batch because of what is in it (too large, not a value of its type, a
/// constraint): the same without the culprit can be stored. what() is the database's message.
class DataRefused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The database could not write now, because others hold locks: another try may succeed.
class StoreBusy : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct RunReport;

/// Each call is one short transaction (none is open between calls). Implementations throw when the
/// database refuses. After DataRefused and StoreBusy the store is usable; anything else ends the
/// run.
class Store {
 public:
  virtual ~Store() = default;

  virtual KnownRepository LoadRepository(const std::string& repository) = 0;
  /// Tags of a repository from a name on, by name (as bytes), at most so many: fewer are the last.
  virtual std::vector<KnownTag> KnownTags(const std::string& repository, const std::string& from,
                                          std::size_t most) = 0;
  /// The same of the problems with its tags.
  virtual std::vector<KnownProblem> KnownProblems(const std::string& repository,
                                                  const std::string& from, std::size_t most) = 0;
  /// The same of its tags that only carry referrers, as far as they were read.
  virtual std::vector<std::string> ReferrerTags(const std::string& repository,
                                                const std::string& from, std::size_t most) = 0;
  /// What is stored of each digest, in its place; nothing when its image is not stored.
  virtual std::vector<std::optional<KnownImage>> KnownImages(
      const std::vector<RepositoryDigest>& digests) = 0;
  /// For each subject (a digest, or the beginning of one) the digest of an image that the
  /// repository has a tag for, in its place; empty: it has none.
  virtual std::vector<std::string> Subjects(const std::string& repository,
                                            const std::vector<std::string>& subjects) = 0;
  /// Writes batches of different repositories, which share no image, in one transaction. Of an
  /// image that is stored, what is more complete wins. May throw DataRefused and StoreBusy; of
  /// several batches at once where it would have to wait, or may take long: each is then written
  /// alone.
  virtual void Write(std::span<const Batch> batches) = 0;
  /// Names of the repositories that the library holds tags of.
  virtual std::vector<std::string> KnownRepositories() = 0;
  /// Of the repositories that are settled, those that no problem and no refused removal is on
  /// record of. A batch with tags or a listing ends that.
  virtual std::map<std::string, Settled> SettledRepositories() = 0;
  /// Ends the problems with all repositories but these: no rule asks for those any more.
  virtual void ForgetOtherProblems(const std::vector<std::string>& repositories) = 0;
  /// A portion of the images in use, approved or new whose referrers were not asked for in a while,
  /// longest first; none that was checked since.
  /// with_api: else only those that have referrer tags.
  virtual std::vector<DueReferrers> ReferrersDue(bool with_api) = 0;
  /// What is stored of the signatures of an image.
  virtual KnownEvidence FindEvidence(const std::string& repository, const std::string& subject) = 0;
  /// Approved images that no tag points at and that were not asked for in a while, longest first.
  virtual std::vector<UntaggedImage> UntaggedDue() = 0;
  /// Whether the registry has such an image.
  virtual void NoteUntagged(const std::string& repository, const std::string& digest,
                            bool found) = 0;
  /// Repositories that somebody asked to look at now and that were not looked at since, in the
  /// order of the requests.
  virtual std::vector<RequestedRepository> Requested() = 0;
  /// Such a repository was looked at for so many seconds. problem: why that failed; empty: it did
  /// not.
  virtual void NoteLook(const RequestedRepository& requested, double seconds,
                        const std::string& problem) = 0;
  /// How far the run is: about once a second while it waits for the registry.
  virtual void ReportProgress(const RunReport& report) = 0;
};

}  // namespace image_library::sync

#endif

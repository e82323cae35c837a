// Where a sync keeps what it finds. src/postgres implements it over SPI, unit tests in memory.
#ifndef IMAGE_LIBRARY_SYNC_CATALOG_H_
#define IMAGE_LIBRARY_SYNC_CATALOG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/image.h"
#include "core/rule.h"
#include "core/url.h"
#include "registry/client.h"
#include "sync/progress.h"

namespace image_library::sync {

/// One registry, as a run needs it.
struct RegistryConfig {
  std::int32_t id = 0;
  std::string name;
  RegistryUrl url;
  int max_connections = 16;
  std::optional<int> requests_per_second;
  std::optional<int> requests_per_run;  ///< all of them; the next run goes on where one stopped
  std::string ca_certificate;           ///< PEM; empty: the system's store
  bool allow_private = false;
  std::string client_certificate, client_key;  ///< PEM; empty: none
  std::string proxy;                           ///< empty: none
  std::vector<std::string> realm_hosts;        ///< token servers that get credentials
  std::vector<std::string> allowed_hosts;      ///< of the whole server; empty: all
  std::vector<registry::Credential> credentials;
  registry::ReloadCredentials reload_credentials;  ///< see registry::ClientOptions
  RuleSet rules;
  Progress progress;              ///< of the last run
  registry::Abilities abilities;  ///< as runs of the last day found them
};

/// A tag as the library knows it before the run.
struct KnownTag {
  std::string name;
  std::string digest;
  bool missing = false;
  std::int64_t rule_id = 0;  ///< the deciding rule; 0: hidden
  bool fresh = false;        ///< read by this run
};

/// A repository as the library knows it before the run.
struct KnownRepository {
  std::string listing_fingerprint;  ///< of the last complete listing; empty: never listed
  std::vector<KnownTag> tags;       ///< sorted by name
  /// What is on record by tag; the empty name stands for the repository itself.
  std::map<std::string, std::string> problems;
  /// Tags that only carry referrers, as far as they were read; sorted.
  std::vector<std::string> referrer_tags;
  bool removals_refused = false;      ///< the last listing lacked too many tags ...
  std::vector<std::string> accepted;  ///< ... and a person says that these are gone; sorted
};

/// An image whose referrers it is time to ask for again, and what its index names and lacked.
struct DueReferrers {
  std::string repository;
  std::string digest;
  std::vector<std::string> tags;             ///< referrer tags of it that were read before
  std::map<std::string, std::string> known;  ///< artifact types by digest of the referrer
  std::vector<std::string> absent = {};      ///< manifests that were not there; linux/amd64's first
  std::vector<std::string> present = {};     ///< manifests that were, if any was not; sorted
  std::vector<std::string> children = {};    ///< manifests to be looked for: are they still there?
};

/// What is stored of a digest.
struct KnownImage {
  std::string digest;
  bool whole = true;  ///< false: its index names manifests that were not there when it was read
};

/// A manifest that an image's index names and that is gone from the repository.
struct GoneChild {
  std::string image;
  std::string digest;
};

/// A complete answer to what refers to a subject: rows of the same origin that are not among the
/// batch's referrers are gone.
struct ReferrerAnswer {
  std::string subject;
  std::string tag;  ///< the tag that was read, or is no longer listed; empty: the referrers API
};

/// A tag and the digest that the registry has for it now.
struct FoundTag {
  std::string name;
  std::string digest;
  std::int64_t rule_id = 0;  ///< the deciding rule
};

/// Something that was skipped; tag is empty when it concerns the whole repository.
struct Problem {
  std::string repository;
  std::string tag;
  std::string problem;  ///< short code: `malformed manifest`, `digest mismatch`, `too large` ...
  std::string detail;
};

/// What is written in one transaction: part of one repository.
struct Batch {
  std::string repository;
  std::vector<Image> images;         ///< digests the library did not know, or not whole
  std::vector<Image> completed;      ///< those it knew, with manifests that were not there before
  std::vector<FoundTag> tags;        ///< new, moved or returned tags only
  std::vector<std::string> missing;  ///< tags that a complete listing lacks and HEAD says 404
  std::vector<Referrer> referrers;
  std::vector<ReferrerAnswer> referrer_answers;
  std::vector<std::string> referrers_checked;  ///< subjects that were asked about again
  std::vector<GoneChild> gone_children;
  /// Tags that a listing lacks beyond belief, to be shown to a person; empty: none any more.
  std::optional<std::vector<std::string>> refused_removals;
  /// The tags of a complete listing, when it differs from the last one.
  std::optional<std::vector<std::string>> listing;
  std::string listing_fingerprint;
  /// Tags (empty: the repository) whose problem on record is over unless it is named in problems.
  std::vector<std::string> checked;
  std::vector<Problem> problems;
  std::size_t bytes = 0;  ///< of the text of images and referrers that were added by Add

  void Add(Image image);
  void Add(Referrer referrer);

  bool Empty() const {
    return images.empty() && completed.empty() && tags.empty() && missing.empty() &&
           referrers.empty() && referrer_answers.empty() && referrers_checked.empty() &&
           gone_children.empty() && !refused_removals && !listing && checked.empty() &&
           problems.empty();
  }
};

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

/// Counted over one run; a row of sync_run.
struct RunStatistics {
  std::int64_t requests = 0, bytes = 0, not_modified = 0, retries = 0;
  std::int64_t repositories = 0, tags_seen = 0, images_added = 0, tags_moved = 0, tags_missing = 0,
               problems = 0;
};

enum class Outcome { kComplete, kPartial, kFailed };

/// Each call is one short transaction (none is open between calls). Implementations throw when the
/// database refuses. After DataRefused and StoreBusy the store is usable; anything else ends the
/// run.
class Catalog {
 public:
  virtual ~Catalog() = default;

  virtual KnownRepository LoadRepository(const std::string& repository) = 0;
  /// Those of digests whose image is stored already.
  virtual std::vector<KnownImage> KnownImages(const std::vector<std::string>& digests) = 0;
  /// Of an image that is stored, what is more complete wins. May throw DataRefused and StoreBusy.
  virtual void Write(const Batch& batch) = 0;
  /// Names of the repositories that the library holds tags of.
  virtual std::vector<std::string> KnownRepositories() = 0;
  /// Ends the problems with all repositories but these: no rule asks for those any more.
  virtual void ForgetOtherProblems(const std::vector<std::string>& repositories) = 0;
  /// Images in use, approved or new whose referrers were not asked for in a while, longest first.
  /// with_api: else only those that have referrer tags.
  virtual std::vector<DueReferrers> ReferrersDue(bool with_api) = 0;
  /// One line of progress for a person (NOTICE in the foreground, activity in the worker).
  virtual void Progress(const std::string& line) = 0;
};

}  // namespace image_library::sync

#endif

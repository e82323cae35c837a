// What the library knows before a run.
#ifndef IMAGE_LIBRARY_SYNC_KNOWN_H_
#define IMAGE_LIBRARY_SYNC_KNOWN_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace image_library::sync {

/// A tag as the library knows it before the run.
struct KnownTag {
  std::string name;
  std::string digest;
  bool missing = false;
  std::int64_t rule_id = 0;  ///< the deciding rule; 0: hidden
  bool fresh = false;        ///< read by this run
  bool unread = false;       ///< something of its image could not be read
};

/// A problem that is on record of a tag.
struct KnownProblem {
  std::string name;
  std::string problem;
};

/// A repository as the library knows it before the run, without its tags: those are read in
/// portions (see TagWalk), for there may be very many.
struct KnownRepository {
  std::string listing_fingerprint;    ///< of the last complete listing; empty: never listed
  bool has_tags = false;              ///< missing ones too
  std::string problem;                ///< on record of the repository itself; empty: none
  bool tag_problems = false;          ///< problems of tags are on record
  bool removals_refused = false;      ///< the last listing lacked too many tags
  std::vector<std::string> accepted;  ///< of those, the tags that a person accepted as gone; sorted
};

/// A repository whose listed tags are all in the library and read, and whose known tags are all
/// listed: while listing and rules stay, only tags that may move are looked at.
struct Settled {
  std::string fingerprint;   ///< of the listing and the rules for which that is so
  std::int64_t tags = 0;     ///< that the rules admit
  std::int64_t movable = 0;  ///< of these, tags that may move by their rules
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

/// What the library has of the signatures of an image in a repository.
struct KnownEvidence {
  std::vector<std::string> manifests;  ///< of which nothing is to be read again
  std::vector<std::string> layers;     ///< whose documents are stored
  std::int64_t bytes = 0;              ///< of those
};

/// An approved image that no tag points at, and that it is time to ask for.
struct UntaggedImage {
  std::string repository;
  std::string digest;
  std::string tagged;  ///< digest of a tag of the repository; empty: it has none
};

/// A digest that a repository has a tag for.
struct RepositoryDigest {
  std::string repository;
  std::string digest;
  auto operator<=>(const RepositoryDigest&) const = default;
};

/// A repository that a webhook asked to look at.
struct RequestedRepository {
  std::string name;
  std::string request;            ///< which request this is: for Store::NoteLook
  std::vector<std::string> tags;  ///< to look at; empty: the whole repository
};

/// What is stored of a digest.
struct KnownImage {
  std::string digest;
  /// The repository has a tag for it, and all of it was read.
  bool here = false;
  /// False: something of it could not be read, or its index named manifests that were not there.
  bool whole = true;
};

}  // namespace image_library::sync

#endif

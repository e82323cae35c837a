// What is written of one repository at a time.
#ifndef IMAGE_LIBRARY_SYNC_BATCH_H_
#define IMAGE_LIBRARY_SYNC_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/image.h"
#include "sync/known.h"
#include "sync/problem.h"

namespace image_library::sync {

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

/// A layer of a signature or attestation. Several places may have the same layer, with other
/// annotations: cosign signs equal texts with several keys.
struct FoundEvidence {
  std::string subject;     ///< digest of the image that it is listed for
  std::string referrer;    ///< digest of the manifest that has the layer
  std::int32_t place = 0;  ///< of the layer in the manifest
  std::string digest;      ///< of the layer
  std::string format;      ///< as table evidence names it
  /// Nothing: the library has it, another place of the batch has it, or unread says why not.
  std::optional<std::string> document = {};
  StringMap annotations = {};  ///< those of the descriptor that belong to the signature
  std::string unread = {};     ///< why it was not read
  bool retry = false;          ///< another try may read it
};

/// What is written in one transaction, with batches of other repositories: part of one repository.
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
  std::vector<FoundEvidence> evidence;  ///< of subjects whose answers are in the batch
  /// Tags that a listing lacks and that were not marked missing, for accept_removals; empty: the
  /// refusal on record is over.
  std::optional<std::vector<std::string>> refused_removals;
  /// The tags of a complete listing, when it differs from the last one.
  std::optional<std::vector<std::string>> listing;
  std::string listing_fingerprint;
  std::string rules_version;  ///< of the rules that decided on the tags; empty: not known
  /// All tags that the rules admit are written, if the library holds so many that are read.
  std::optional<Settled> settled;
  /// Tags (empty: the repository) whose problem on record is over unless it is named in problems.
  std::vector<std::string> checked;
  std::vector<Problem> problems;
  std::size_t bytes = 0;  ///< of images, referrers and evidence that were added by Add

  void Add(Image image);
  void Add(Referrer referrer);
  void Add(FoundEvidence found);

  bool Empty() const {
    return images.empty() && completed.empty() && tags.empty() && missing.empty() &&
           referrers.empty() && referrer_answers.empty() && referrers_checked.empty() &&
           gone_children.empty() && evidence.empty() && !refused_removals && !listing && !settled &&
           checked.empty() && problems.empty();
  }
};

/// Digest of a sorted listing.
std::string ListingFingerprint(const std::vector<std::string>& tags);

/// Of what decides that nothing is to be done in a repository (Settled): digests of its listing and
/// of the rules.
std::string SettledFingerprint(const std::string& listing, const std::string& rules);

}  // namespace image_library::sync

#endif

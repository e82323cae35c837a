// Reads what refers to an image: signatures, SBOMs and attestations.
#ifndef IMAGE_LIBRARY_SYNC_REFERRER_READER_H_
#define IMAGE_LIBRARY_SYNC_REFERRER_READER_H_

#include <map>
#include <optional>
#include <string>

#include "core/image.h"
#include "core/manifest.h"
#include "registry/client.h"
#include "registry/task.h"
#include "sync/batch.h"
#include "sync/evidence_reader.h"

namespace image_library::sync {

/// The three sources of referrers: the referrers API of distribution-spec 1.1, its fallback tags,
/// and cosign's tags. Referrers of referrers are not followed, so a circle of them leads nowhere.
/// Every method throws Error, and adds to the batch only what it has read to the end.
class ReferrerReader {
 public:
  /// Both must outlive it. evidence: reads the signatures among the referrers too; null: they are
  /// only listed.
  explicit ReferrerReader(registry::Client& client, EvidenceReader* evidence = nullptr)
      : client_(client), evidence_(evidence) {}

  /// Asks the referrers API about a subject of the batch's repository. known: artifact types by
  /// digest of the referrer, as far as the library has them; those are not read again. False when
  /// the registry has no referrers API, or the API knows of none: some registries answer so without
  /// a look (sigstore/sigstore-js#1187), and the caller reads fallback tags then.
  registry::Task<bool> ReadApi(Batch& batch, std::string subject,
                               std::map<std::string, std::string> known);

  /// Reads a fallback tag or a cosign tag of a subject.
  registry::Task<void> ReadTag(Batch& batch, std::string subject, std::string tag);

 private:
  registry::Task<std::optional<Referrer>> ToReferrer(std::string repository, std::string subject,
                                                     Descriptor descriptor);

  registry::Client& client_;
  EvidenceReader* evidence_;
};

}  // namespace image_library::sync

#endif

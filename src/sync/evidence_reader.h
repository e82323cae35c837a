// Reads signatures and attestations themselves: the layers of the artifacts that refer to images.
#ifndef IMAGE_LIBRARY_SYNC_EVIDENCE_READER_H_
#define IMAGE_LIBRARY_SYNC_EVIDENCE_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/image.h"
#include "core/manifest.h"
#include "registry/client.h"
#include "registry/task.h"
#include "sync/batch.h"
#include "sync/room.h"
#include "sync/store.h"

namespace image_library::sync {

/// Limits on what is read of one image: a registry may list what it likes.
namespace limit {
inline constexpr std::size_t kEvidenceManifests = 50;
inline constexpr std::size_t kEvidenceLayers = 20;              ///< of one manifest
inline constexpr std::size_t kEvidenceOfImage = 100;            ///< layers of all manifests
inline constexpr std::int64_t kEvidenceBytes = 1 << 20;         ///< of one layer
inline constexpr std::int64_t kEvidenceTotal = 8 << 20;         ///< of all layers of an image
inline constexpr std::size_t kEvidenceAnnotations = 64u << 10;  ///< of one layer
}  // namespace limit

/// A manifest that may have evidence; read when it is not given.
struct EvidenceSource {
  std::string digest;
  std::optional<Manifest> manifest;
};

/// True for a referrer whose layers are signatures or attestations of a form that can be signed:
/// cosign's tags `.sig` and `.att`, its artifacts, Sigstore bundles, Notation's signatures.
bool MayHaveEvidence(const Referrer& referrer);

class EvidenceReader {
 public:
  /// Both must outlive it.
  EvidenceReader(registry::Client& client, Store& store) : client_(client), store_(store) {}

  /// The layers of the sources that the library does not know: each at most once a digest,
  /// verified by it. A layer that is over a limit or could not be read is there without a
  /// document, and says why. Throws Error kBudget and kRateLimited only.
  registry::Task<std::vector<FoundEvidence>> Read(std::string repository, std::string subject,
                                                  std::vector<EvidenceSource> sources);

 private:
  struct Reading;
  registry::Task<void> ReadSource(Reading& reading, EvidenceSource source);
  registry::Task<void> ReadLayer(Reading& reading, FoundEvidence evidence, Descriptor layer);
  registry::Task<void> ReadAll(Reading& reading, std::vector<EvidenceSource> sources);

  registry::Client& client_;
  Store& store_;
  /// Of the documents that images read side by side hold.
  Room room_{32u << 20, 1u << 20};
};

}  // namespace image_library::sync

#endif

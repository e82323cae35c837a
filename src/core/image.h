// The data that the library stores for one digest.
#ifndef IMAGE_LIBRARY_CORE_IMAGE_H_
#define IMAGE_LIBRARY_CORE_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/manifest.h"

namespace image_library {

/// One platform of an image: a child of an index, or the image itself.
struct PlatformImage {
  Platform platform;
  std::string manifest_digest;
  std::string config_digest;
  std::int64_t size_bytes = 0;  ///< config and layers, as compressed in the registry
  std::string created;          ///< NormalizeTimestamp form or empty
  bool present = true;          ///< false: the index names it and the registry does not have it
};

/// An artifact that refers to an image: signature, SBOM, attestation. A claim, not verified.
struct Referrer {
  std::string subject;        ///< digest of the image it belongs to
  std::string digest;         ///< of the referrer's manifest
  std::string artifact_type;  ///< artifactType, else the config's media type
  std::int64_t size_bytes = 0;
  StringMap annotations;
  std::string source;  ///< `index` (a child of the image), `api`, `fallback tag`, `cosign tag`
  std::string tag;     ///< of the last two
};

/// What of an image could not be read, the least first.
enum class Unread {
  kNothing,
  kConfig,    ///< a config: labels, times and platforms that it alone tells are not known
  kManifest,  ///< a manifest: nothing is known but the digest
};

/// Texts of an image under the keys that classification reads.
struct PublishedTexts {
  std::string title, description, version;
};

/// Everything that is stored for one digest, read once; again while something of it is unread.
struct Image {
  std::string digest;
  std::string media_type;
  std::string artifact_type;
  std::string config_type;  ///< media type of the (first) config
  std::string config_digest;
  std::vector<std::string> layer_types;  ///< distinct layer media types, sorted; at most 100
  std::int64_t size_bytes = 0;           ///< of the primary platform: linux/amd64, else the first
  std::string created;       ///< annotation org.opencontainers.image.created, else the config's
  std::string created_text;  ///< what is written where that is no time, else empty
  StringMap annotations;     ///< the index's over its primary child's over its descriptor's
  StringMap labels;          ///< of the primary platform's config
  std::vector<std::string> chain_ids;  ///< of the primary platform's layers, see ImageConfig
  std::vector<PlatformImage> platforms;
  std::vector<Referrer> referrers;  ///< attestations among the children, at most 1,000
  /// Annotations, labels, layer types or attestations exceeded their limits, and some were left
  /// out.
  bool cut = false;
  Unread unread = Unread::kNothing;
  PublishedTexts texts = {};  ///< of annotations and labels, once the image is classified
};

/// An image of which nothing is known but the digest: that of a body which could not be read, or
/// the one that the registry claims.
inline Image UnreadImage(std::string digest) {
  Image image;
  image.digest = std::move(digest);
  image.unread = Unread::kManifest;
  return image;
}

/// The entries that fit into so many bytes (BytesOf), by key, scrubbed: at most 1,000 with keys of
/// 256 bytes and values of 64 kB. cut is set when one is left out or shortened.
StringMap ScrubMap(StringMap map, std::size_t most_bytes, bool* cut);

/// The manifest of one platform with its config, if one was read.
struct FetchedPlatform {
  std::string digest;
  Manifest manifest;
  std::optional<ImageConfig> config;
  std::optional<Platform> platform;  ///< from the index's descriptor
  bool present = true;
  bool config_unread = false;  ///< it has a config that could not be read
};

/// The parts of one image while they are read. A few hundred bytes are kept for each platform, and
/// everything only for the primary platform: an index may name hundreds of manifests of 4 MiB.
class ImageParts {
 public:
  void Add(FetchedPlatform platform);
  /// Adds an attestation of an index that is nested in the image.
  void AddAttestation(const Descriptor& child);

  /// The number of platforms added.
  std::size_t platforms() const noexcept { return count_; }
  /// The bytes of annotations and labels that are held.
  std::size_t Bytes() const noexcept;

  /// Text is scrubbed. Maps are capped at 1,000 entries of 256-byte keys and 64 kB values, at
  /// limit::kAnnotations and limit::kLabels bytes in all, and at limit::kListedAnnotations for the
  /// attestations together.
  Image Assemble(std::string digest, Manifest manifest) &&;

 private:
  int RankOf(const FetchedPlatform& platform) const;

  std::size_t count_ = 0;
  std::vector<PlatformImage> images_;
  std::set<std::string> layer_types_;
  std::vector<Referrer> attestations_;
  std::size_t attestation_bytes_ = 0;
  bool cut_ = false;
  bool config_unread_ = false;
  std::optional<FetchedPlatform> primary_;
  int rank_ = -1;                   // of primary_
  std::int64_t primary_bytes_ = 0;  // of its config and layers
};

}  // namespace image_library

#endif

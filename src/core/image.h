// What the library keeps of one digest.
#ifndef IMAGE_LIBRARY_CORE_IMAGE_H_
#define IMAGE_LIBRARY_CORE_IMAGE_H_

#include <cstdint>
#include <optional>
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

/// An artifact attached to an image: signature, SBOM, attestation. A claim, not a verified fact.
struct Referrer {
  std::string subject;        ///< digest of the image it belongs to
  std::string digest;         ///< of the referrer's manifest
  std::string artifact_type;  ///< artifactType, else the config's media type
  std::int64_t size_bytes = 0;
  StringMap annotations;
  std::string source;  ///< `index` (a child of the image), `api`, `fallback tag`, `cosign tag`
  std::string tag;     ///< of the last two
};

/// Everything that is stored for one digest, fetched once.
struct Image {
  std::string digest;
  std::string media_type;
  std::string artifact_type;
  std::string config_type;  ///< media type of the (first) config
  std::string config_digest;
  std::vector<std::string> layer_types;  ///< distinct layer media types, sorted
  std::int64_t size_bytes = 0;           ///< of the primary platform: linux/amd64, else the first
  std::string created;       ///< annotation org.opencontainers.image.created, else the config's
  std::string created_text;  ///< what is written where that is no time, else empty
  StringMap annotations;     ///< the index's over its primary child's over its descriptor's
  StringMap labels;          ///< of the primary platform's config
  std::vector<PlatformImage> platforms;
  std::vector<Referrer> referrers;  ///< attestations among the children
};

/// One platform's manifest with its config, where one was fetched.
struct FetchedPlatform {
  std::string digest;
  Manifest manifest;
  std::optional<ImageConfig> config;
  std::optional<Platform> platform;  ///< from the index's descriptor
  bool present = true;
};

/// Puts an image together from its manifest, its platforms (one, itself, when it is no index) and
/// the attestations in indexes that are nested in it.
/// Text is scrubbed, maps are capped at 1,000 entries of 256-byte keys and 64 kB values.
Image AssembleImage(std::string digest, const Manifest& manifest,
                    const std::vector<FetchedPlatform>& platforms,
                    const std::vector<Descriptor>& nested_attestations = {});

}  // namespace image_library

#endif

// Manifests, indexes and configs of OCI and Docker images (image-spec v1.1; Docker schema 2).
#ifndef IMAGE_LIBRARY_CORE_MANIFEST_H_
#define IMAGE_LIBRARY_CORE_MANIFEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace image_library {

namespace media_type {
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kOciEmpty = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
/// Docker's withdrawn first format, plain and signed.
inline constexpr std::string_view kSchema1 = "application/vnd.docker.distribution.manifest.v1+json";
inline constexpr std::string_view kSignedSchema1 =
    "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// What every manifest request accepts; registries convert or answer 404 to a shorter list.
inline constexpr std::string_view kAccept =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.oci.artifact.manifest.v1+json";
}  // namespace media_type

/// `os/architecture[/variant]`.
struct Platform {
  std::string os, architecture, variant;
  std::string ToString() const;
  bool operator==(const Platform&) const = default;
};

struct Descriptor {
  std::string media_type;
  std::string digest;     ///< valid (IsDigest) or the descriptor is not returned
  std::int64_t size = 0;  ///< bytes, never negative
  std::string artifact_type;
  std::optional<Platform> platform;
  StringMap annotations;
  std::optional<std::string> data;  ///< inline content, already verified against size and digest

  /// buildkit's provenance and SBOM children: annotation vnd.docker.reference.type.
  bool IsAttestation() const;
};

/// A manifest or an index.
struct Manifest {
  std::string media_type;     ///< the body's mediaType, else the Content-Type, else by shape
  std::string artifact_type;  ///< OCI 1.1 artifactType, may be empty
  bool is_index = false;
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;
  std::vector<Descriptor> manifests;  ///< of an index
  std::optional<Descriptor> subject;
  StringMap annotations;

  /// Docker's withdrawn first format: nothing but its type is read.
  bool IsSchema1() const;
};

/// True for the media types of Docker's withdrawn first format.
bool IsSchema1Type(std::string_view media_type);

/// What the digest of a schema 1 manifest is of: the body without the signatures in it, as their
/// protected header tells (distribution/distribution docs, manifest-v2-1). Throws Error kMalformed.
std::string Schema1Payload(std::string_view body);

/// Throws Error kMalformed: no JSON object, `manifests` beside `layers`
/// (CVE-2021-41190), mediaType that contradicts content_type, or a shape that is neither manifest
/// nor index. Throws kTooLarge for more than 10,000 descriptors. A descriptor without a valid
/// digest or size is left out and the rest is kept.
Manifest ParseManifest(std::string_view body, std::string_view content_type);

/// The parts of an image config that the library keeps.
struct ImageConfig {
  Platform platform;
  std::string created;       ///< NormalizeTimestamp form, empty when absent or no time
  std::string created_text;  ///< as it is written
  StringMap labels;
};

/// True for the config media types that ParseImageConfig reads and that are worth a request.
bool IsImageConfig(std::string_view media_type);

/// Throws Error kMalformed.
ImageConfig ParseImageConfig(std::string_view body);

}  // namespace image_library

#endif

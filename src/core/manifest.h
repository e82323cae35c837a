// Manifests, indexes and configs of OCI and Docker images (image-spec v1.1; Docker schema 2).
#ifndef IMAGE_LIBRARY_CORE_MANIFEST_H_
#define IMAGE_LIBRARY_CORE_MANIFEST_H_

#include <cstddef>
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
/// cosign's signatures: the layer is what is signed, its annotations have the signature.
inline constexpr std::string_view kSimpleSigning =
    "application/vnd.dev.cosign.simplesigning.v1+json";
/// Docker's withdrawn first format, plain and signed.
inline constexpr std::string_view kSchema1 = "application/vnd.docker.distribution.manifest.v1+json";
inline constexpr std::string_view kSignedSchema1 =
    "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// The Accept header of every manifest request. With a shorter list, registries convert manifests
/// or answer 404.
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
  StringMap annotations;            ///< at most limit::kDescriptorAnnotations bytes
  bool annotations_cut = false;     ///< some were left out
  std::optional<std::string> data;  ///< inline content, already verified against size and digest

  /// buildkit's provenance and SBOM children: annotation vnd.docker.reference.type.
  bool IsAttestation() const;
};

/// Limits of what is kept of one manifest or config, in bytes of keys and values: a manifest of 4
/// MiB may consist of annotations, and many are read at the same time. What exceeds a limit is left
/// out, in the order of the document.
namespace limit {
inline constexpr std::size_t kAnnotations = 512u << 10;
inline constexpr std::size_t kLabels = 512u << 10;
inline constexpr std::size_t kDescriptorAnnotations = 64u << 10;  ///< of one descriptor
inline constexpr std::size_t kListedAnnotations = 512u << 10;     ///< of all that are listed
}  // namespace limit

/// A manifest or an index.
struct Manifest {
  std::string media_type;     ///< the body's mediaType, else by the body's shape
  std::string artifact_type;  ///< OCI 1.1 artifactType, may be empty
  bool is_index = false;
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;
  std::vector<Descriptor> manifests;  ///< of an index
  std::optional<Descriptor> subject;
  StringMap annotations;         ///< at most limit::kAnnotations bytes
  bool annotations_cut = false;  ///< some were left out

  /// Docker's withdrawn first format; only its type is read.
  bool IsSchema1() const;
};

/// True for the media types of Docker's withdrawn first format.
bool IsSchema1Type(std::string_view media_type);

/// For a manifest of Docker's schema 1, the bytes that its digest is computed from: the body
/// without its signatures, as their protected header tells (distribution/distribution docs,
/// manifest-v2-1). Nothing for any other body. The body decides, not the Content-Type. Throws Error
/// kMalformed when the signatures cannot be read.
std::optional<std::string> Schema1Payload(const std::string& body);

/// The result depends on the body only; content_type is only compared with it. Throws Error
/// kMalformed when the body is not a JSON object, has `manifests` beside `layers` (CVE-2021-41190),
/// contradicts content_type in mediaType or shape, or has the shape of neither manifest nor index.
/// Throws kTooLarge for more than 10,000 descriptors. A descriptor without a valid digest or size
/// is left out and the rest is kept.
Manifest ParseManifest(JsonText body, std::string_view content_type);

/// The parts of an image config that the library keeps.
struct ImageConfig {
  Platform platform;
  std::string created;       ///< NormalizeTimestamp form, empty when absent or no time
  std::string created_text;  ///< as it is written
  StringMap labels;          ///< at most limit::kLabels bytes
  bool labels_cut = false;   ///< some were left out
};

/// True for the config media types that ParseImageConfig reads and that are worth a request.
bool IsImageConfig(std::string_view media_type);

/// Throws Error kMalformed.
ImageConfig ParseImageConfig(JsonText body);

}  // namespace image_library

#endif

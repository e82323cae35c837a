// The kind of an artifact, by its media types.
#ifndef IMAGE_LIBRARY_CORE_ARTIFACT_TYPE_H_
#define IMAGE_LIBRARY_CORE_ARTIFACT_TYPE_H_

#include <string>

#include "core/fact_reader.h"

namespace image_library {

/// The kind of an artifact, by its media types.
struct ArtifactType {
  enum class Kind {
    kImage,       ///< a container image, of whatever content
    kModel,       ///< a model artifact; format says which
    kAttachment,  ///< signature, attestation, SBOM or Helm chart
    kUnknown,     ///< any other artifact
  } kind = Kind::kUnknown;
  std::string format;
};
ArtifactType ArtifactTypeOf(const ImageFacts& facts);

}  // namespace image_library

#endif

// An image from parts that are all there.
#ifndef IMAGE_LIBRARY_TEST_UNIT_ASSEMBLE_IMAGE_H_
#define IMAGE_LIBRARY_TEST_UNIT_ASSEMBLE_IMAGE_H_

#include <string>
#include <utility>
#include <vector>

#include "core/image.h"

namespace image_library {

/// Puts an image together from its manifest, its platforms (one, itself, when it is no index) and
/// the attestations in indexes that are nested in it.
inline Image AssembleImage(std::string digest, const Manifest& manifest,
                           const std::vector<FetchedPlatform>& platforms,
                           const std::vector<Descriptor>& nested_attestations = {}) {
  ImageParts parts;
  for (const FetchedPlatform& platform : platforms) parts.Add(platform);
  for (const Descriptor& child : manifest.manifests)
    if (child.IsAttestation()) parts.AddAttestation(child);
  for (const Descriptor& child : nested_attestations) parts.AddAttestation(child);
  return std::move(parts).Assemble(std::move(digest), manifest);
}

}  // namespace image_library

#endif

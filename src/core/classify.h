// Classifies an image, from documented keys and names only.
#ifndef IMAGE_LIBRARY_CORE_CLASSIFY_H_
#define IMAGE_LIBRARY_CORE_CLASSIFY_H_

#include <string_view>

#include "core/classification.h"
#include "core/classification_keys.h"
#include "core/fact_reader.h"

namespace image_library {

/// forced_kind is a rule's kind: `auto` leaves the decision to the facts, the others win over them,
/// except that signatures, attestations, SBOMs and Helm charts are always `other`.
///
/// CloudNativePG extension images (annotations io.cloudnativepg.image.*) are no servers: they are
/// `other`, with major_version, os and the one extension (named as the repository's last
/// component) filled in, so that catalogs can join them to the server images they fit.
Classification Classify(const ImageFacts& facts, const ClassificationKeys& keys,
                        std::string_view forced_kind = "auto");

}  // namespace image_library

#endif

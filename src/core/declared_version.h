// The version of an image, from its keys and its tag.
#ifndef IMAGE_LIBRARY_CORE_DECLARED_VERSION_H_
#define IMAGE_LIBRARY_CORE_DECLARED_VERSION_H_

#include <optional>
#include <string_view>

#include "core/classification.h"
#include "core/fact_reader.h"
#include "core/version.h"

namespace image_library {

/// The version that key `purpose` declares. Nothing when it has no numbers, or when it is the label
/// of a base image (Ubuntu's is 22.04).
std::optional<TagVersion> DeclaredVersion(const FactReader& reader, std::string_view purpose,
                                          bool* is_label);

/// If the versions of tag and key agree (`18` and `18.6`), the more precise one. Otherwise the
/// declared one if it is an annotation, with a phrase in image->conflicts.
TagVersion ReconcileVersions(const TagVersion& tag, const std::optional<TagVersion>& declared,
                             bool is_label, Classification* image);

}  // namespace image_library

#endif

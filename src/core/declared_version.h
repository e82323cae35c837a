// The version of an image: what its keys declare, and what its tag says.
#ifndef IMAGE_LIBRARY_CORE_DECLARED_VERSION_H_
#define IMAGE_LIBRARY_CORE_DECLARED_VERSION_H_

#include <optional>
#include <string_view>

#include "core/classification.h"
#include "core/fact_reader.h"
#include "core/version.h"

namespace image_library {

/// The version that key `purpose` declares: nothing when it has no numbers, or when it is the
/// label of a base image (Ubuntu's says 22.04).
std::optional<TagVersion> DeclaredVersion(const FactReader& reader, std::string_view purpose,
                                          bool* is_label);

/// The more precise of the tag's and the declared version when they agree (`18` and `18.6`), the
/// declared one when they do not and it is an annotation, with a phrase in image->conflicts.
TagVersion ReconcileVersions(const TagVersion& tag, const std::optional<TagVersion>& declared,
                             bool is_label, Classification* image);

}  // namespace image_library

#endif

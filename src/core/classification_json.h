// A classification as the database keeps it until it is written to columns.
#ifndef IMAGE_LIBRARY_CORE_CLASSIFICATION_JSON_H_
#define IMAGE_LIBRARY_CORE_CLASSIFICATION_JSON_H_

#include <string>

#include "core/classification.h"

namespace image_library {

/// An object with the members of Classification as keys; texts and numbers that are absent are left
/// out, lists are not. Result of image_library_internal.classify.
std::string ToJson(const Classification& image);

}  // namespace image_library

#endif

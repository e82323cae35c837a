// The annotation and label keys that classification reads.
#ifndef IMAGE_LIBRARY_CORE_CLASSIFICATION_KEYS_H_
#define IMAGE_LIBRARY_CORE_CLASSIFICATION_KEYS_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace image_library {

/// Annotation and label keys by purpose, the preferred one first. An admin can change them
/// (image_library_internal.annotation_key). A `*` in a key matches any text. An annotation under
/// any of the keys is preferred to a label, because labels are inherited from base images.
/// Purposes:
///   all images       `title`, `description`, `version`, `created`, `source`, `base_name`
///   Postgres images  `flavor`, `major_version`, `features`, `extensions`, `os`
///   extension images `extension_major`, `extension_version`, `extension_base`
///   models           `nim`, `publisher`, `model`, `model_version`, `task`, `gpu_count`, `profiles`
using ClassificationKeys = std::map<std::string, std::vector<std::string>, std::less<>>;

/// The keys that EDB, CloudNativePG, NVIDIA and the OCI image-spec (annotations.md) document, and
/// likely ones for purposes without a documented key (`task`, `gpu_count`, `profiles`, `model`).
ClassificationKeys DefaultClassificationKeys();

/// `{"flavor": ["org.enterprisedb.pg.flavor"], ...}`; throws Error kInvalidArgument.
ClassificationKeys ParseClassificationKeys(std::string_view json);
ClassificationKeys ParseClassificationKeys(const Json& object);

}  // namespace image_library

#endif

// What an image is: a Postgres, a model, or something else.
#ifndef IMAGE_LIBRARY_CORE_CLASSIFICATION_H_
#define IMAGE_LIBRARY_CORE_CLASSIFICATION_H_

#include <optional>
#include <string>
#include <vector>

#include "core/extension_list.h"
#include "core/model_profile.h"

namespace image_library {

/// What Classify found. Empty where the facts say nothing.
struct Classification {
  std::string kind;  ///< `postgres`, `model` or `other`
  std::string title, description, version;

  // kind postgres
  std::string flavor;  ///< `postgresql`, `epas`, `pge`
  std::optional<int> major_version;
  std::string build_at;  ///< NormalizeTimestamp form or empty
  std::string variant, os;
  std::vector<std::string> features;
  std::vector<Extension> extensions;

  // kind model
  std::string publisher, model, model_version;
  /// `nim`, `modelpack`, `kitops`, `docker-model`, `ollama`, `ramalama`, `modelcar` (an ordinary
  /// image that holds a model) or `oci-volume` (any other artifact that a rule calls a model).
  std::string format;
  std::string task;
  std::optional<int> gpu_count;
  std::vector<ModelProfile> profiles;

  /// Contradictions and unreadable values, phrases for a person: shown, never silently trusted.
  std::vector<std::string> conflicts;
  /// Flavor, major, version, variant or OS are contradicted by what the publisher himself wrote:
  /// nothing picks such an image by itself.
  bool contested = false;
};

}  // namespace image_library

#endif

// The classification of an image: Postgres, model, or other.
#ifndef IMAGE_LIBRARY_CORE_CLASSIFICATION_H_
#define IMAGE_LIBRARY_CORE_CLASSIFICATION_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/extension_list.h"
#include "core/model_profile.h"

namespace image_library {

/// Faults of one value that are told: a list may consist of them.
inline constexpr std::size_t kMostFaults = 5;

/// The result of Classify. A member is empty if the facts do not give it.
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

  /// Contradictions and values that could not be read, as phrases for users.
  std::vector<std::string> conflicts;
  /// There are contradictions on flavor, major version, version, variant or OS in what the
  /// publisher wrote. Such an image is not chosen automatically.
  bool contested = false;
};

}  // namespace image_library

#endif

// NIM's names of model profiles.
#ifndef IMAGE_LIBRARY_CORE_MODEL_PROFILE_H_
#define IMAGE_LIBRARY_CORE_MODEL_PROFILE_H_

#include <optional>
#include <string>
#include <string_view>

namespace image_library {

/// `tensorrt_llm-h100-fp8-tp2-pp1-latency`; GPUs needed are tp x pp. `h100x2` without a tp is tp 2.
struct ModelProfile {
  std::string name, engine, gpu, precision;
  int tp = 1, pp = 1;
  std::string qos;  ///< `latency`, `throughput`, `balanced` or empty
  bool lora = false, buildable = false;
};

/// Nothing when the text does not follow NIM's profile names.
std::optional<ModelProfile> ParseModelProfile(std::string_view name);

}  // namespace image_library

#endif

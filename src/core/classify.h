// What an image is: a Postgres, a model, or something else; read from documented keys only.
#ifndef IMAGE_LIBRARY_CORE_CLASSIFY_H_
#define IMAGE_LIBRARY_CORE_CLASSIFY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace image_library {

/// What classification looks at: the stored facts of a digest and where it was found.
struct ImageFacts {
  std::string repository;  ///< with the registry's prefix
  std::string tag;
  std::string media_type;
  std::string artifact_type;
  std::string config_type;
  std::vector<std::string> layer_types;
  StringMap annotations;
  StringMap labels;
  std::int64_t size_bytes = 0;
};

/// Annotation and label keys by purpose, best first: an admin can change them
/// (image_library.annotation_key). Purposes: `flavor`, `major_version`, `features`, `extensions`,
/// `created`, `version`, `title`, `description`, `nim`, `publisher`, `task`, `gpu_count` ...
using ClassificationKeys = std::map<std::string, std::vector<std::string>>;

/// `{"flavor": ["org.enterprisedb.pg.flavor"], ...}`; throws Error kInvalidArgument.
ClassificationKeys ParseClassificationKeys(std::string_view json);

struct Extension {
  std::string name, version, description;
};

/// `tensorrt_llm-h100-fp8-tp2-pp1-latency`; GPUs needed are tp x pp.
struct ModelProfile {
  std::string name, engine, gpu, precision;
  int tp = 1, pp = 1;
  std::string qos;  ///< `latency`, `throughput` or empty
  bool lora = false, buildable = false;
};

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
  std::string format;  ///< `nim`, `modelpack`, `kitops`, `docker-model`, `ollama`, `modelcar` ...
  std::string task;
  std::optional<int> gpu_count;
  std::vector<ModelProfile> profiles;

  /// Contradictions and unreadable values, phrases for a person: shown, never silently trusted.
  std::vector<std::string> conflicts;
};

/// forced_kind is a rule's kind: `auto` leaves the decision to the facts.
Classification Classify(const ImageFacts& facts, const ClassificationKeys& keys,
                        std::string_view forced_kind = "auto");

/// Base64 of CSV `name,version,description`; false (and nothing in out) when it is neither.
bool ParseExtensionList(std::string_view base64_csv, std::vector<Extension>* out);

/// Nothing when the text does not follow NIM's profile names.
std::optional<ModelProfile> ParseModelProfile(std::string_view name);

}  // namespace image_library

#endif

#include "core/classification_keys.h"

#include <optional>
#include <utility>

#include "core/error.h"
#include "core/json.h"

namespace image_library {
namespace {

Error Refusal(const std::string& detail) {
  return Error(ErrorKind::kInvalidArgument, "invalid annotation keys", detail,
               "Give an object of purposes, each with an array of keys.");
}

}  // namespace

ClassificationKeys DefaultClassificationKeys() {
  return {
      {"title", {"org.opencontainers.image.title", "org.label-schema.name"}},
      {"description",
       {"org.opencontainers.image.description", "org.label-schema.description",
        "io.k8s.description"}},
      {"version", {"org.opencontainers.image.version", "org.label-schema.version"}},
      {"created", {"org.opencontainers.image.created", "org.label-schema.build-date"}},
      {"source", {"org.opencontainers.image.source", "org.opencontainers.image.url"}},
      {"base_name", {"org.opencontainers.image.base.name"}},
      {"flavor", {"org.enterprisedb.pg.flavor"}},
      {"major_version", {"org.enterprisedb.pg.major_version"}},
      {"features", {"org.enterprisedb.pg.features"}},
      {"extensions", {"org.enterprisedb.pgextensions"}},
      {"os", {"io.cloudnativepg.image.base.os"}},
      {"extension_major", {"io.cloudnativepg.image.base.pgmajor"}},
      {"extension_version", {"io.cloudnativepg.image.sql.version"}},
      {"extension_base", {"io.cloudnativepg.image.base.name"}},
      {"nim", {"com.nvidia.nim.model_download_protocol", "com.nvidia.nim", "com.nvidia.nim.*"}},
      {"publisher", {"com.nvidia.nim.publisher", "org.opencontainers.image.vendor"}},
      {"model", {"com.nvidia.nim.model", "com.nvidia.nim.model.name", "com.nvidia.nim.name"}},
      {"model_version", {"com.nvidia.nim.version", "com.nvidia.nim.model.version"}},
      {"task", {"com.nvidia.nim.task", "com.nvidia.nim.model.task", "org.cncf.model.task"}},
      {"gpu_count",
       {"com.nvidia.nim.gpu_count", "com.nvidia.nim.gpu.count", "com.nvidia.nim.gpus"}},
      {"profiles",
       {"com.nvidia.nim.profiles", "com.nvidia.nim.model_profiles",
        "com.nvidia.nim.model.profiles"}},
  };
}

ClassificationKeys ParseClassificationKeys(std::string_view json) {
  std::optional<Json> object;
  try {
    object = Json::Parse(json);
  } catch (const Error& error) {
    throw Refusal("It is not JSON: " + std::string(error.what()) + ".");
  }
  return ParseClassificationKeys(*object);
}

ClassificationKeys ParseClassificationKeys(const Json& object) {
  if (!object.IsObject()) throw Refusal("It is not a JSON object.");
  ClassificationKeys keys;
  object.ForEachMember([&](std::string_view purpose, const Json& value) {
    std::vector<std::string> texts = value.Strings();
    if (!value.IsArray() || texts.size() != value.Elements().size()) {
      throw Refusal("The keys of \"" + std::string(purpose) + "\" are not an array of text.");
    }
    keys[std::string(purpose)] = std::move(texts);
  });
  return keys;
}

}  // namespace image_library

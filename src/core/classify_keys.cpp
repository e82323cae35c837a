#include "core/classify_internal.h"
#include "core/error.h"
#include "core/strings.h"
#include "core/text.h"

namespace image_library {
namespace {

/// The first value that is not blank, by the order of the keys.
std::optional<std::string> FirstValue(const StringMap& map, const std::vector<std::string>& keys) {
  const auto value_of = [](const std::string& text) { return std::string(Trim(text)); };
  for (const std::string& key : keys) {
    if (key.find('*') == std::string::npos) {
      const auto entry = map.find(key);
      if (entry != map.end() && !Trim(entry->second).empty()) return value_of(entry->second);
      continue;
    }
    for (const auto& [name, text] : map) {
      if (MatchesStars(key, name) && !Trim(text).empty()) return value_of(text);
    }
  }
  return {};
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
  const auto refuse = [](const std::string& detail) -> Error {
    return Error(ErrorKind::kInvalidArgument, "invalid annotation keys", detail,
                 "Give an object of purposes, each with an array of keys.");
  };
  std::optional<Json> object;
  try {
    object = Json::Parse(json);
  } catch (const Error& error) {
    throw refuse("It is not JSON: " + std::string(error.what()) + ".");
  }
  if (!object->IsObject()) throw refuse("It is not a JSON object.");
  ClassificationKeys keys;
  object->ForEachMember([&](std::string_view purpose, const Json& value) {
    std::vector<std::string> texts = value.Strings();
    if (!value.IsArray() || texts.size() != value.Elements().size()) {
      throw refuse("The keys of \"" + std::string(purpose) + "\" are not an array of text.");
    }
    keys[std::string(purpose)] = std::move(texts);
  });
  return keys;
}

std::optional<std::string> FactReader::FindIn(const StringMap& map,
                                              std::string_view purpose) const {
  const auto keys = keys_.find(std::string(purpose));
  return keys == keys_.end() ? std::nullopt : FirstValue(map, keys->second);
}

std::optional<FactValue> FactReader::Find(std::string_view purpose) const {
  if (auto text = FindIn(facts_.annotations, purpose)) return FactValue{*text, false};
  if (auto text = FindIn(facts_.labels, purpose)) return FactValue{*text, true};
  return {};
}

std::optional<FactValue> FactReader::FindOwn(std::string_view purpose) const {
  std::optional<FactValue> value = Find(purpose);
  if (!value || !value->is_label) return value;
  for (const char* identity : {"flavor", "major_version"}) {
    const auto own = FindIn(facts_.annotations, identity);
    const auto left_behind = FindIn(facts_.labels, identity);
    if (own && left_behind && *own != *left_behind) return {};
  }
  return value;
}

std::string FactReader::Text(std::string_view purpose) const {
  const std::optional<FactValue> value = Find(purpose);
  return value ? value->text : std::string();
}

PublishedTexts ReadPublishedTexts(const StringMap& annotations, const StringMap& labels,
                                  const ClassificationKeys& keys) {
  ImageFacts facts;
  facts.annotations = annotations;
  facts.labels = labels;
  const FactReader reader(facts, keys);
  return {reader.Text("title"), reader.Text("description"), reader.Text("version")};
}

std::string Quoted(std::string_view value) {
  constexpr std::size_t kMaxBytes = 64;
  return "\"" + Scrub(value, kMaxBytes) + "\"";
}

}  // namespace image_library

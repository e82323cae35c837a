// A batch as the JSON that image_library._write_batch takes.
#include "core/json.h"
#include "postgres/catalog.h"

namespace image_library::postgres {
namespace {

void AddMember(std::string& json, const char* key, const std::string& value) {
  if (json.back() != '{') json += ',';
  json += '"';
  json += key;
  json += "\":";
  json += value;
}

void AddText(std::string& json, const char* key, const std::string& text) {
  AddMember(json, key, ToJsonString(text));
}

void AddTextOrNull(std::string& json, const char* key, const std::string& text) {
  AddMember(json, key, text.empty() ? "null" : ToJsonString(text));
}

template <typename Item, typename Convert>
std::string Array(const std::vector<Item>& items, Convert convert) {
  std::string json = "[";
  for (const Item& item : items) {
    if (json.size() > 1) json += ',';
    json += convert(item);
  }
  return json + "]";
}

std::string Texts(const std::vector<std::string>& texts) {
  return Array(texts, [](const std::string& text) { return ToJsonString(text); });
}

std::string PlatformJson(const PlatformImage& platform) {
  std::string json = "{";
  AddText(json, "platform", platform.platform.ToString());
  AddText(json, "os", platform.platform.os);
  AddText(json, "architecture", platform.platform.architecture);
  AddText(json, "variant", platform.platform.variant);
  AddText(json, "manifest_digest", platform.manifest_digest);
  AddText(json, "config_digest", platform.config_digest);
  AddMember(json, "size_bytes", std::to_string(platform.size_bytes));
  AddTextOrNull(json, "created_at", platform.created);
  return json + "}";
}

std::string ReferrerJson(const Referrer& referrer) {
  std::string json = "{";
  AddText(json, "digest", referrer.subject);
  AddText(json, "referrer_digest", referrer.digest);
  AddText(json, "artifact_type", referrer.artifact_type);
  AddMember(json, "size_bytes", std::to_string(referrer.size_bytes));
  AddMember(json, "annotations", ToJson(referrer.annotations));
  AddText(json, "source", referrer.source);
  return json + "}";
}

std::string ImageJson(const Image& image) {
  std::string json = "{";
  AddText(json, "digest", image.digest);
  AddText(json, "media_type", image.media_type);
  AddText(json, "artifact_type", image.artifact_type);
  AddText(json, "config_type", image.config_type);
  AddText(json, "config_digest", image.config_digest);
  AddMember(json, "layer_types", Texts(image.layer_types));
  AddMember(json, "size_bytes", std::to_string(image.size_bytes));
  AddTextOrNull(json, "created_at", image.created);
  AddMember(json, "annotations", ToJson(image.annotations));
  AddMember(json, "labels", ToJson(image.labels));
  AddMember(json, "platforms", Array(image.platforms, PlatformJson));
  AddMember(json, "referrers", Array(image.referrers, ReferrerJson));
  return json + "}";
}

std::string TagJson(const sync::FoundTag& tag) {
  std::string json = "{";
  AddText(json, "name", tag.name);
  AddText(json, "digest", tag.digest);
  AddMember(json, "rule_id", std::to_string(tag.rule_id));
  return json + "}";
}

std::string ProblemJson(const sync::Problem& problem) {
  std::string json = "{";
  AddTextOrNull(json, "tag", problem.tag);
  AddText(json, "problem", problem.problem);
  AddText(json, "detail", problem.detail);
  return json + "}";
}

}  // namespace

std::string BatchJson(const sync::Batch& batch) {
  std::string json = "{";
  AddMember(json, "images", Array(batch.images, ImageJson));
  AddMember(json, "tags", Array(batch.tags, TagJson));
  AddMember(json, "missing", Texts(batch.missing));
  AddMember(json, "referrers", Array(batch.referrers, ReferrerJson));
  AddMember(json, "listing", batch.listing ? Texts(*batch.listing) : "null");
  AddText(json, "fingerprint", batch.listing_fingerprint);
  AddMember(json, "checked", Texts(batch.checked));
  AddMember(json, "problems", Array(batch.problems, ProblemJson));
  return json + "}";
}

}  // namespace image_library::postgres

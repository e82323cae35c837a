#include "core/classification_json.h"

#include <optional>

#include "core/json_writer.h"

namespace image_library {
namespace {

// Absent values are left out.
void AddText(JsonObject& object, const char* key, const std::string& text) {
  if (!text.empty()) object.Text(key, text);
}

void AddInteger(JsonObject& object, const char* key, const std::optional<int>& number) {
  if (number) object.Integer(key, *number);
}

std::string ToJson(const Extension& extension) {
  JsonObject object;
  AddText(object, "name", extension.name);
  AddText(object, "version", extension.version);
  AddText(object, "description", extension.description);
  return object.Finish();
}

std::string ToJson(const ModelProfile& profile) {
  JsonObject object;
  AddText(object, "name", profile.name);
  AddText(object, "engine", profile.engine);
  AddText(object, "gpu", profile.gpu);
  AddText(object, "precision", profile.precision);
  object.Integer("tp", profile.tp);
  object.Integer("pp", profile.pp);
  AddText(object, "qos", profile.qos);
  object.Boolean("lora", profile.lora);
  object.Boolean("buildable", profile.buildable);
  return object.Finish();
}

}  // namespace

std::string ToJson(const Classification& image) {
  JsonObject object;
  AddText(object, "kind", image.kind);
  AddText(object, "title", image.title);
  AddText(object, "description", image.description);
  AddText(object, "version", image.version);
  AddText(object, "flavor", image.flavor);
  AddInteger(object, "major_version", image.major_version);
  AddText(object, "build_at", image.build_at);
  AddText(object, "variant", image.variant);
  AddText(object, "os", image.os);
  object.Raw("features", ToJsonArray(image.features));
  object.Raw("extensions", ToJsonArray(image.extensions, [](const Extension& extension) {
               return ToJson(extension);
             }));
  AddText(object, "publisher", image.publisher);
  AddText(object, "model", image.model);
  AddText(object, "model_version", image.model_version);
  AddText(object, "format", image.format);
  AddText(object, "task", image.task);
  AddInteger(object, "gpu_count", image.gpu_count);
  object.Raw("profiles", ToJsonArray(image.profiles,
                                     [](const ModelProfile& profile) { return ToJson(profile); }));
  object.Raw("conflicts", ToJsonArray(image.conflicts));
  object.Boolean("contested", image.contested);
  return object.Finish();
}

}  // namespace image_library

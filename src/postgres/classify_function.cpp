// _classify: what an image is, as jsonb.
#include "postgres/datum.h"

#include "core/classify.h"
#include "core/json.h"
#include "postgres/bridge.h"
#include "postgres/owned.h"

using namespace image_library;            // NOLINT: a file of glue
using namespace image_library::postgres;  // NOLINT

namespace {

// Writes members of one JSON object; absent values are left out.
class ObjectWriter {
 public:
  void Add(const char* key, const std::string& text) {
    if (!text.empty()) Raw(key, ToJsonString(text));
  }
  void Add(const char* key, const std::optional<int>& number) {
    if (number) Raw(key, std::to_string(*number));
  }
  void Add(const char* key, bool value) { Raw(key, value ? "true" : "false"); }
  void Add(const char* key, const std::vector<std::string>& texts) {
    std::string array = "[";
    for (const std::string& text : texts) {
      if (array.size() > 1) array += ',';
      array += ToJsonString(text);
    }
    Raw(key, array + "]");
  }
  void Raw(const char* key, const std::string& json) {
    if (json_.size() > 1) json_ += ',';
    json_ += '"';
    json_ += key;
    json_ += "\":";
    json_ += json;
  }
  std::string Finish() const { return json_ + "}"; }

 private:
  std::string json_ = "{";
};

template <typename Item, typename Fill>
std::string Objects(const std::vector<Item>& items, Fill fill) {
  std::string array = "[";
  for (const Item& item : items) {
    if (array.size() > 1) array += ',';
    ObjectWriter object;
    fill(object, item);
    array += object.Finish();
  }
  return array + "]";
}

std::string ToJson(const Classification& image) {
  ObjectWriter object;
  object.Add("kind", image.kind);
  object.Add("title", image.title);
  object.Add("description", image.description);
  object.Add("version", image.version);
  object.Add("flavor", image.flavor);
  object.Add("major_version", image.major_version);
  object.Add("build_at", image.build_at);
  object.Add("variant", image.variant);
  object.Add("os", image.os);
  object.Add("features", image.features);
  object.Raw("extensions",
             Objects(image.extensions, [](ObjectWriter& to, const Extension& extension) {
               to.Add("name", extension.name);
               to.Add("version", extension.version);
               to.Add("description", extension.description);
             }));
  object.Add("publisher", image.publisher);
  object.Add("model", image.model);
  object.Add("model_version", image.model_version);
  object.Add("format", image.format);
  object.Add("task", image.task);
  object.Add("gpu_count", image.gpu_count);
  object.Raw("profiles", Objects(image.profiles, [](ObjectWriter& to, const ModelProfile& profile) {
               to.Add("name", profile.name);
               to.Add("engine", profile.engine);
               to.Add("gpu", profile.gpu);
               to.Add("precision", profile.precision);
               to.Add("tp", std::optional<int>(profile.tp));
               to.Add("pp", std::optional<int>(profile.pp));
               to.Add("qos", profile.qos);
               to.Add("lora", profile.lora);
               to.Add("buildable", profile.buildable);
             }));
  object.Add("conflicts", image.conflicts);
  return object.Finish();
}

// The keys of the last call, parsed: they are the same for every row of a statement.
struct ParsedKeys {
  std::string bytes;  // of the jsonb
  ClassificationKeys keys;
};

const ClassificationKeys& KeysArgument(FunctionCallInfo fcinfo, int number) {
  FmgrInfo* const function = fcinfo->flinfo;
  auto* parsed = static_cast<ParsedKeys*>(function->fn_extra);
  if (parsed == nullptr) {
    parsed = NewOwned<ParsedKeys>(function->fn_mcxt);
    function->fn_extra = parsed;
  }
  const Jsonb* const value = Value([&] { return PG_GETARG_JSONB_P(number); });
  const std::string_view bytes(reinterpret_cast<const char*>(value), VARSIZE(value));
  if (parsed->bytes != bytes) {
    parsed->keys = ParseClassificationKeys(JsonbArgument(fcinfo, number));
    parsed->bytes = bytes;
  }
  return parsed->keys;
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_classify);

/// _classify(repository, tag, media_type, artifact_type, config_type, layer_types, annotations,
/// labels, size_bytes, keys, forced_kind) -> jsonb
Datum image_library_classify(PG_FUNCTION_ARGS) {
  Datum result = 0;
  Guard([&] {
    ImageFacts facts;
    facts.repository = TextArgument(fcinfo, 0);
    facts.tag = TextArgument(fcinfo, 1);
    facts.media_type = TextArgument(fcinfo, 2);
    facts.artifact_type = TextArgument(fcinfo, 3);
    facts.config_type = TextArgument(fcinfo, 4);
    facts.layer_types = TextArrayArgument(fcinfo, 5);
    facts.annotations = Json::Parse(JsonbArgument(fcinfo, 6)).Map();
    facts.labels = Json::Parse(JsonbArgument(fcinfo, 7)).Map();
    facts.size_bytes = PG_ARGISNULL(8) ? 0 : PG_GETARG_INT64(8);
    const ClassificationKeys& keys = KeysArgument(fcinfo, 9);
    result = JsonbDatum(ToJson(Classify(facts, keys, TextArgument(fcinfo, 10))));
  });
  PG_RETURN_DATUM(result);
}
}

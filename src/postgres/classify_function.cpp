// What an image is, from its stored facts: classify and its kin.
#include "postgres/datum.h"

#include "core/classification.h"
#include "core/classification_json.h"
#include "core/classification_keys.h"
#include "core/classify.h"
#include "core/classify_postgres.h"
#include "core/error.h"
#include "core/fact_reader.h"
#include "core/text.h"
#include "postgres/bridge.h"

using namespace image_library;            // NOLINT: a file of glue
using namespace image_library::postgres;  // NOLINT

namespace {

// The keys of the last call, parsed: they are the same for every row of a statement, and nearly
// always of the next one.
struct ParsedKeys {
  std::string bytes;  // of the jsonb
  ClassificationKeys keys;
};

const ClassificationKeys& KeysArgument(FunctionCallInfo fcinfo, int number) {
  static auto* const parsed = new ParsedKeys();  // never destroyed
  const Jsonb* const value = Value([&] { return PG_GETARG_JSONB_P(number); });
  const std::string_view bytes(reinterpret_cast<const char*>(value), VARSIZE(value));
  if (parsed->bytes != bytes) {
    parsed->bytes.clear();
    parsed->keys = ParseClassificationKeys(JsonbArgument(fcinfo, number));
    parsed->bytes = bytes;
  }
  return parsed->keys;
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_classify);
PG_FUNCTION_INFO_V1(image_library_default_annotation_keys);
PG_FUNCTION_INFO_V1(image_library_flavor);
PG_FUNCTION_INFO_V1(image_library_published_texts);

/// classify(repository, tag, artifact_type, config_type, layer_types, annotations, labels, keys,
/// forced_kind) -> jsonb
Datum image_library_classify(PG_FUNCTION_ARGS) {
  Datum result = 0;
  Guard([&] {
    ImageFacts facts;
    facts.repository = TextArgument(fcinfo, 0);
    facts.tag = TextArgument(fcinfo, 1);
    facts.artifact_type = TextArgument(fcinfo, 2);
    facts.config_type = TextArgument(fcinfo, 3);
    facts.layer_types = TextArrayArgument(fcinfo, 4);
    facts.annotations = StringMapArgument(fcinfo, 5);
    facts.labels = StringMapArgument(fcinfo, 6);
    const ClassificationKeys& keys = KeysArgument(fcinfo, 7);
    result = JsonbDatum(ToJson(Classify(facts, keys, TextArgument(fcinfo, 8))));
  });
  PG_RETURN_DATUM(result);
}

/// default_annotation_keys() -> (purpose, position, key)
Datum image_library_default_annotation_keys(PG_FUNCTION_ARGS) {
  Guard([&] {
    BeginRows(fcinfo);
    for (const auto& [purpose, keys] : DefaultClassificationKeys()) {
      for (std::size_t i = 0; i < keys.size(); ++i)
        AddRow(fcinfo, {Column::Text(purpose), Column::Integer4(static_cast<std::int32_t>(i + 1)),
                        Column::Text(keys[i])});
    }
  });
  PG_RETURN_NULL();
}

/// flavor(flavor text) -> the flavor as the library writes it; raises 22023
Datum image_library_flavor(PG_FUNCTION_ARGS) {
  Datum result = 0;
  Guard([&] {
    const std::string asked = NullableTextArgument(fcinfo, 0).value_or("null");
    const std::string flavor = KnownFlavor(asked);
    if (flavor.empty())
      throw Error(ErrorKind::kInvalidArgument, "unknown flavor \"" + Scrub(asked, 300) + "\"", {},
                  "Flavors are postgresql, epas and pge.");
    result = TextDatum(flavor);
  });
  PG_RETURN_DATUM(result);
}

/// published_texts(annotations jsonb, labels jsonb, keys jsonb) -> (title, description, version)
Datum image_library_published_texts(PG_FUNCTION_ARGS) {
  Datum row = 0;
  Guard([&] {
    const ClassificationKeys& keys = KeysArgument(fcinfo, 2);
    ImageFacts facts;
    facts.annotations = StringMapArgument(fcinfo, 0);
    facts.labels = StringMapArgument(fcinfo, 1);
    const PublishedTexts texts = ReadPublishedTexts(facts, keys);
    row = RowDatum(fcinfo, {Column::TextOrNull(texts.title), Column::TextOrNull(texts.description),
                            Column::TextOrNull(texts.version)});
  });
  PG_RETURN_DATUM(row);
}
}

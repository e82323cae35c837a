// libFuzzer target: JSON.
#include "core/json.h"

#include <optional>

#include "core/classification_keys.h"
#include "core/error.h"
#include "core/json_writer.h"
#include "core/rule.h"
#include "fuzz_target.h"

namespace {

using namespace image_library;

std::size_t Walk(const Json& json) {
  std::size_t values = 1;
  if (const auto text = json.String()) {
    REQUIRE(fuzz::IsStorable(*text));
    REQUIRE(Json::Parse(ToJsonString(*text)).String() == text);
  }
  if (const auto number = json.Integer())
    REQUIRE(Json::Parse(std::to_string(*number)).Integer() == number);
  json.ForEachElement([&](const Json& element) { values += Walk(element); });
  json.ForEachMember([&](std::string_view key, const Json& member) {
    REQUIRE(fuzz::IsStorable(key));
    values += Walk(member);
  });
  const StringMap map = json.Map();
  fuzz::RequireStorable(map);
  REQUIRE(Json::Parse(ToJson(map), Json::kAnyNumber).Map() == map);
  bool cut = false;
  REQUIRE(BytesOf(json.Map(300, &cut)) <= 300);
  REQUIRE(cut || BytesOf(map) <= 300);
  return values;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::TextOf(data, size);
  try {
    const Json json = Json::Parse(text, 1000);
    REQUIRE(Walk(json) <= 1001);
    // A body that is read where it lies is read the same.
    std::string body(text);
    body.reserve(body.size() + JsonText::kPadding);
    const Json in_place = Json::Parse(body, 1000);
    REQUIRE(in_place.Strings() == json.Strings() && in_place.Map() == json.Map());
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::kMalformed || error.kind() == ErrorKind::kTooLarge);
    fuzz::RequireReadable(error);
    return 0;
  }
  for (const bool rules : {false, true}) {
    try {
      rules ? (void)RuleSet::FromJson(text) : (void)ParseClassificationKeys(text);
    } catch (const Error& error) {
      fuzz::RequireReadable(error);
    }
  }
  return 0;
}

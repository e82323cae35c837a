#include "sync/progress.h"

#include "core/error.h"
#include "core/json_writer.h"

namespace image_library::sync {

std::string Progress::ToText() const {
  if (*this == Progress()) return {};
  JsonObject json;
  json.Boolean("limited", limited);
  json.Text("listing", listing);
  json.Boolean("looking", looking);
  json.Text("repository", repository);
  json.Text("tag", tag);
  return json.Finish();
}

Progress Progress::FromText(std::string_view text) {
  if (text.empty()) return {};
  try {
    const Json json = Json::Parse(text);
    return {json["limited"].Boolean().value_or(false), json["listing"].StringOr(""),
            json["looking"].Boolean().value_or(false), json["repository"].StringOr(""),
            json["tag"].StringOr("")};
  } catch (const Error&) {
    return {};
  }
}

}  // namespace image_library::sync

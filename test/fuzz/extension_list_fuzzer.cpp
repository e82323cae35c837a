// libFuzzer target: the list of Postgres extensions in an annotation. The input is the annotation,
// and the CSV in one.
#include "core/extension_list.h"

#include <set>

#include "core/base64.h"
#include "fuzz_target.h"

namespace {

using namespace image_library;

std::string Field(const std::string& text) {
  std::string field = "\"";
  for (const char c : text) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + '"';
}

void Check(std::string_view annotation) {
  std::vector<Extension> extensions(1);
  if (!ParseExtensionList(annotation, &extensions)) {
    REQUIRE(extensions.empty());
    return;
  }
  std::set<std::string> names;
  std::string csv = "name,version,description\n";
  for (const Extension& extension : extensions) {
    REQUIRE(!extension.name.empty() && names.insert(extension.name).second);
    REQUIRE(fuzz::IsStorable(extension.name) && extension.name.size() <= 255);
    REQUIRE(fuzz::IsStorable(extension.version) && extension.version.size() <= 255);
    REQUIRE(fuzz::IsStorable(extension.description));
    csv += Field(extension.name) + ',' + Field(extension.version) + ',' +
           Field(extension.description) + "\r\n";
  }
  // A list that is written is read as the same.
  std::vector<Extension> again;
  REQUIRE(ParseExtensionList(EncodeBase64(csv), &again) && again.size() == extensions.size());
  for (std::size_t i = 0; i < again.size(); ++i)
    REQUIRE(again[i].name == extensions[i].name && again[i].version == extensions[i].version &&
            again[i].description == extensions[i].description);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::TextOf(data, size);
  Check(text);
  Check(EncodeBase64(text));
  return 0;
}

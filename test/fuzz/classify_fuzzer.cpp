// libFuzzer target: what publishers write into tags, annotations and labels.
#include "core/classify.h"
#include "core/error.h"
#include "fuzz_target.h"

namespace {

using namespace image_library;

ImageFacts ReadFacts(std::string_view text, const ClassificationKeys& keys) {
  const std::vector<std::string_view> lines = fuzz::LinesOf(text, 0);
  // As ImageParts stores it.
  const auto line = [&](std::size_t i) {
    return i < lines.size() ? Scrub(lines[i]) : std::string();
  };
  ImageFacts facts{.repository = line(0),
                   .tag = line(1),
                   .artifact_type = line(2),
                   .config_type = line(3),
                   .layer_types = {line(4)}};
  std::size_t next = 5;
  for (const auto& [purpose, names] : keys) {
    for (const std::string& name : names) {
      StringMap& map = next % 2 == 0 ? facts.annotations : facts.labels;
      if (const std::string value = line(next); !value.empty()) map[name] = value;
      ++next;
    }
  }
  return facts;
}

void CheckImage(const Classification& image) {
  REQUIRE(image.kind == "postgres" || image.kind == "model" || image.kind == "other");
  REQUIRE(image.kind != "model" || !image.format.empty());
  REQUIRE(image.kind != "postgres" || image.flavor.empty() || image.flavor == "postgresql" ||
          image.flavor == "epas" || image.flavor == "pge");
  REQUIRE(!image.major_version || (*image.major_version >= 9 && *image.major_version <= 99));
  REQUIRE(!image.contested || !image.conflicts.empty());
  // One value may hold many faults: what is said of them is stored for every image.
  REQUIRE(image.conflicts.size() <= 20);
  for (const std::string& phrase : image.conflicts)
    REQUIRE(fuzz::IsStorable(phrase) && phrase.size() < 1024);
  for (const ModelProfile& profile : image.profiles) REQUIRE(profile.tp >= 1 && profile.pp >= 1);
  REQUIRE(image.profiles.size() <= 1000 && image.extensions.size() <= 5000);
  for (const Extension& extension : image.extensions) REQUIRE(fuzz::IsStorable(extension.name));
  for (const std::string* text : {&image.title, &image.version, &image.variant, &image.os,
                                  &image.publisher, &image.model, &image.task})
    REQUIRE(fuzz::IsStorable(*text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* const keys = new ClassificationKeys(DefaultClassificationKeys());
  const ImageFacts facts = ReadFacts(fuzz::TextOf(data, size), *keys);
  for (const char* forced : {"auto", "postgres", "model", "other"})
    CheckImage(Classify(facts, *keys, forced));
  return 0;
}

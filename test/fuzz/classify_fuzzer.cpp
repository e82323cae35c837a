// libFuzzer target: what publishers write into tags, annotations and labels. Build and run, from
// the top folder:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Isrc \
//     test/fuzz/classify_fuzzer.cpp src/core/{classify,classify_keys,classify_model}.cpp \
//     src/core/{classify_postgres,artifact_type,extension_list,model_profile,version}.cpp \
//     src/core/{manifest,json,digest,text,rule,pattern,version_range,http_header}.cpp \
//     src/core/{reference,url}.cpp -lcrypto -lsimdjson -lre2 -o classify_fuzzer
//   ./classify_fuzzer -max_total_time=60 -max_len=2048
//
// The input is lines: repository, tag, artifact type, config type, layer type, and then values of
// the keys in their order, in turn an annotation and a label.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/classify.h"
#include "core/extension_list.h"
#include "core/model_profile.h"
#include "core/strings.h"
#include "core/text.h"
#include "core/version.h"

namespace {

using namespace image_library;

void Require(bool holds) {
  if (!holds) std::abort();
}

ImageFacts ReadFacts(std::string_view text, const ClassificationKeys& keys) {
  const std::vector<std::string_view> lines = Split(text, "\n");
  const auto line = [&](std::size_t i) {
    return i < lines.size() ? Scrub(lines[i], 1024) : std::string();
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

void CheckTag(std::string_view tag) {
  const TagVersion version = ParseTagVersion(tag);
  // A version that is written is read as the same.
  if (!version.numbers.empty()) Require(ParseTagVersion(version.Text()).numbers == version.numbers);
  // Keys are equal for equal tags only.
  Require(VersionKey(tag) != VersionKey(std::string(tag) + "-"));
}

void CheckImage(const Classification& image) {
  Require(image.kind == "postgres" || image.kind == "model" || image.kind == "other");
  Require(image.kind != "model" || !image.format.empty());
  Require(image.kind != "postgres" || image.flavor.empty() || image.flavor == "postgresql" ||
          image.flavor == "epas" || image.flavor == "pge");
  Require(!image.major_version || (*image.major_version >= 9 && *image.major_version <= 99));
  Require(!image.contested || !image.conflicts.empty());
  for (const std::string& phrase : image.conflicts) Require(IsUtf8(phrase) && phrase.size() < 1024);
  for (const ModelProfile& profile : image.profiles) Require(profile.tp >= 1 && profile.pp >= 1);
  for (const Extension& extension : image.extensions) Require(IsUtf8(extension.name));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* const keys = new ClassificationKeys(DefaultClassificationKeys());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ImageFacts facts = ReadFacts(text, *keys);
  CheckTag(facts.tag);
  for (const char* forced : {"auto", "postgres", "model", "other"})
    CheckImage(Classify(facts, *keys, forced));
  std::vector<Extension> extensions;
  ParseExtensionList(text, &extensions);
  if (const auto profile = ParseModelProfile(text)) Require(profile->tp >= 1 && profile->pp >= 1);
  return 0;
}

#include "sync/classify_batch.h"

#include <cstddef>
#include <map>
#include <string_view>

#include "core/classification_json.h"
#include "core/classify.h"

namespace image_library::sync {
namespace {

// Many tags may point at an image with many extensions, and each has its own facts.
constexpr std::size_t kMostBytes = 1u << 20;

// What is large is lent, not copied: a second call gives it back.
void Exchange(ImageFacts& facts, Image& image) {
  facts.layer_types.swap(image.layer_types);
  facts.annotations.swap(image.annotations);
  facts.labels.swap(image.labels);
}

}  // namespace

void ClassifyBatch(Batch& batch, const RegistryConfig& config) {
  std::multimap<std::string_view, FoundTag*> tags;
  for (FoundTag& tag : batch.tags) tags.emplace(tag.digest, &tag);
  ImageFacts facts;
  facts.repository = config.url.FullName(batch.repository);
  std::size_t bytes = 0;
  for (Image& image : batch.images) {
    facts.artifact_type = image.artifact_type;
    facts.config_type = image.config_type;
    Exchange(facts, image);
    image.texts = ReadPublishedTexts(facts, config.keys);
    if (image.unread == Unread::kNothing) {
      const auto [first, last] = tags.equal_range(image.digest);
      for (auto tag = first; tag != last && bytes < kMostBytes; ++tag) {
        facts.tag = tag->second->name;
        tag->second->facts = ToJson(Classify(facts, config.keys, tag->second->kind));
        bytes += tag->second->facts.size();
      }
    }
    Exchange(facts, image);
  }
  batch.keys_version = config.keys_version;
}

}  // namespace image_library::sync

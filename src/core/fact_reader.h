// The stored facts of an image, looked up by purpose.
#ifndef IMAGE_LIBRARY_CORE_FACT_READER_H_
#define IMAGE_LIBRARY_CORE_FACT_READER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/classification_keys.h"
#include "core/image.h"
#include "core/json.h"

namespace image_library {

/// The input of classification: the stored facts of a digest, and the repository and tag.
struct ImageFacts {
  std::string repository;  ///< with the registry's prefix
  std::string tag;
  std::string artifact_type;
  std::string config_type;
  std::vector<std::string> layer_types;
  StringMap annotations;
  StringMap labels;
};

/// One value found under a purpose's keys, trimmed, never empty.
struct FactValue {
  std::string text;
  bool is_label = false;  ///< labels may be the base image's
};

/// Looks up annotations and labels by purpose.
class FactReader {
 public:
  FactReader(const ImageFacts& facts, const ClassificationKeys& keys)
      : facts_(facts), keys_(keys) {}

  const ImageFacts& facts() const { return facts_; }
  std::optional<FactValue> Find(std::string_view purpose) const;
  /// The same, without labels inherited from another image: those of a flavor or a major version
  /// that contradicts the image's own annotations.
  std::optional<FactValue> FindOwn(std::string_view purpose) const;
  bool Has(std::string_view purpose) const { return Find(purpose).has_value(); }
  std::string Text(std::string_view purpose) const;

 private:
  std::optional<std::string> FindIn(const StringMap& map, std::string_view purpose) const;

  const ImageFacts& facts_;
  const ClassificationKeys& keys_;
};

/// Values of the keys in annotations, otherwise in labels; empty texts if there are none.
PublishedTexts ReadPublishedTexts(const ImageFacts& facts, const ClassificationKeys& keys);

/// A value from an image for use in a phrase: quoted, scrubbed and shortened.
std::string Quoted(std::string_view value);

}  // namespace image_library

#endif

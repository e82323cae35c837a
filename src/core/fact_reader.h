// The stored facts of an image, looked up by purpose.
#ifndef IMAGE_LIBRARY_CORE_FACT_READER_H_
#define IMAGE_LIBRARY_CORE_FACT_READER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/classification_keys.h"
#include "core/json.h"

namespace image_library {

/// What classification looks at: the stored facts of a digest and where it was found.
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
  /// The same, without labels that another image left behind: those of a flavor or a major version
  /// that the image's own annotations contradict.
  std::optional<FactValue> FindOwn(std::string_view purpose) const;
  bool Has(std::string_view purpose) const { return Find(purpose).has_value(); }
  std::string Text(std::string_view purpose) const;

 private:
  std::optional<std::string> FindIn(const StringMap& map, std::string_view purpose) const;

  const ImageFacts& facts_;
  const ClassificationKeys& keys_;
};

/// What the keys find in annotations, else in labels; empty texts where they find nothing.
struct PublishedTexts {
  std::string title, description, version;
};
PublishedTexts ReadPublishedTexts(const StringMap& annotations, const StringMap& labels,
                                  const ClassificationKeys& keys);

/// A value from outside in a phrase: quoted, scrubbed, short.
std::string Quoted(std::string_view value);

}  // namespace image_library

#endif

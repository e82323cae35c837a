// What the parts of classification share; not for other folders.
#ifndef IMAGE_LIBRARY_CORE_CLASSIFY_INTERNAL_H_
#define IMAGE_LIBRARY_CORE_CLASSIFY_INTERNAL_H_

#include <optional>
#include <string>
#include <string_view>

#include "core/classify.h"
#include "core/version.h"

namespace image_library {

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

/// A value from outside in a phrase: quoted, scrubbed, short.
std::string Quoted(std::string_view value);

/// The parts of `host/path/name:tag@digest`, whatever of them is there.
struct BaseImage {
  std::string repository, tag;
};
BaseImage SplitBaseName(std::string_view name);

/// The version that key `purpose` declares: nothing when it has no numbers, or when it is the
/// label of a base image (Ubuntu's says 22.04).
std::optional<TagVersion> DeclaredVersion(const FactReader& reader, std::string_view purpose,
                                          bool* is_label);

/// The more precise of the tag's and the declared version when they agree (`18` and `18.6`), the
/// declared one when they do not and it is an annotation, with a phrase in image->conflicts.
TagVersion ReconcileVersions(const TagVersion& tag, const std::optional<TagVersion>& declared,
                             bool is_label, Classification* image);

/// What an artifact is by its media types alone.
struct ArtifactType {
  enum class Kind {
    kImage,       ///< a container image, of whatever content
    kModel,       ///< a model artifact; format says which
    kAttachment,  ///< signature, attestation, SBOM or Helm chart
    kUnknown,     ///< any other artifact
  } kind = Kind::kUnknown;
  std::string format;
};
ArtifactType ArtifactTypeOf(const ImageFacts& facts);

/// True when some documented key says that the image is a Postgres server.
bool DeclaresPostgres(const FactReader& reader);
/// True when the repository or the base image is named as the documented server images are, or the
/// source is that of CloudNativePG's.
bool IsNamedPostgres(const FactReader& reader);
bool IsExtensionImage(const FactReader& reader);
void ClassifyPostgres(const FactReader& reader, Classification* image);
void ClassifyExtensionImage(const FactReader& reader, Classification* image);

/// True for `.../nim/<model>` and `.../nim/<publisher>/<model>`, NVIDIA's layout.
bool IsNimRepository(std::string_view repository);
/// True for repositories named as model cars are (`modelcar-granite-3.1-8b`, `modelcars/...`).
bool IsModelcarRepository(std::string_view repository);
/// Precondition: format is set.
void ClassifyModel(const FactReader& reader, Classification* image);

}  // namespace image_library

#endif

#include "core/classify.h"

#include <algorithm>

#include "core/classify_internal.h"
#include "core/strings.h"

namespace image_library {
namespace {

using Kind = ArtifactType::Kind;

/// What the facts say, before any rule: documented keys first, then names.
std::string DetectKind(const FactReader& reader, const ArtifactType& artifact) {
  const std::string& repository = reader.facts().repository;
  if (artifact.kind == Kind::kModel) return "model";
  if (artifact.kind != Kind::kImage) return "other";
  if (DeclaresPostgres(reader)) return "postgres";
  if (reader.Has("nim")) return "model";
  if (IsExtensionImage(reader)) return "other";
  if (IsNimRepository(repository)) return "model";
  if (IsNamedPostgres(reader)) return "postgres";
  return IsModelcarRepository(repository) ? "model" : "other";
}

std::string ModelFormat(const FactReader& reader, const ArtifactType& artifact) {
  if (artifact.kind == Kind::kModel) return artifact.format;
  if (artifact.kind != Kind::kImage) return "oci-volume";
  const bool nim = reader.Has("nim") || IsNimRepository(reader.facts().repository);
  return nim ? "nim" : "modelcar";
}

bool HasPrefix(const std::vector<std::uint64_t>& numbers,
               const std::vector<std::uint64_t>& prefix) {
  return prefix.size() <= numbers.size() &&
         std::equal(prefix.begin(), prefix.end(), numbers.begin());
}

std::string DeclaredOrTagVersion(const FactReader& reader) {
  const std::string tag = ParseTagVersion(reader.facts().tag).Text();
  bool is_label = false;
  const auto declared = DeclaredVersion(reader, "version", &is_label);
  return tag.empty() && declared ? declared->Text() : tag;
}

}  // namespace

std::optional<TagVersion> DeclaredVersion(const FactReader& reader, std::string_view purpose,
                                          bool* is_label) {
  const std::optional<FactValue> value = reader.Find(purpose);
  if (!value) return {};
  *is_label = value->is_label;
  // Base images that name themselves leave their version behind with their name.
  if (value->is_label && reader.facts().labels.contains("org.opencontainers.image.ref.name")) {
    return {};
  }
  TagVersion version = ParseTagVersion(value->text);
  if (version.numbers.empty()) return {};
  return version;
}

TagVersion ReconcileVersions(const TagVersion& tag, const std::optional<TagVersion>& declared,
                             bool is_label, Classification* image) {
  if (!declared) return tag;
  if (tag.numbers.empty()) return *declared;
  const bool same_prerelease = Lower(tag.prerelease) == Lower(declared->prerelease);
  if (HasPrefix(declared->numbers, tag.numbers) && (tag.prerelease.empty() || same_prerelease)) {
    return *declared;
  }
  if (HasPrefix(tag.numbers, declared->numbers) &&
      (declared->prerelease.empty() || same_prerelease)) {
    return tag;
  }
  image->conflicts.push_back(std::string(is_label ? "label" : "annotation") + " says version " +
                             Quoted(declared->Text()) + ", tag says " + Quoted(tag.Text()));
  if (!is_label) image->contested = true;
  return is_label ? tag : *declared;
}

BaseImage SplitBaseName(std::string_view name) {
  name = name.substr(0, name.find('@'));
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  BaseImage base{std::string(name.substr(0, colon)), {}};
  if (colon != std::string_view::npos) base.tag = name.substr(colon + 1);
  return base;
}

Classification Classify(const ImageFacts& facts, const ClassificationKeys& keys,
                        std::string_view forced_kind) {
  const FactReader reader(facts, keys);
  const ArtifactType artifact = ArtifactTypeOf(facts);
  const std::string detected = DetectKind(reader, artifact);
  const bool forced =
      !forced_kind.empty() && forced_kind != "auto" && artifact.kind != Kind::kAttachment;

  Classification image;
  image.kind = forced ? std::string(forced_kind) : detected;
  image.title = reader.Text("title");
  image.description = reader.Text("description");
  if (forced && detected != "other" && detected != image.kind) {
    image.conflicts.push_back("rule says " + image.kind + ", image looks like " + detected);
  }
  if (artifact.kind == Kind::kImage && image.kind != "model" && IsExtensionImage(reader)) {
    if (image.kind == "postgres") {
      image.conflicts.push_back("rule says postgres, annotations say extension image");
    }
    ClassifyExtensionImage(reader, &image);
  } else if (image.kind == "postgres") {
    ClassifyPostgres(reader, &image);
  } else if (image.kind == "model") {
    image.format = ModelFormat(reader, artifact);
    ClassifyModel(reader, &image);
  } else {
    image.version = DeclaredOrTagVersion(reader);
  }
  return image;
}

}  // namespace image_library

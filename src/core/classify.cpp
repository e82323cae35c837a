#include "core/classify.h"

#include <optional>
#include <string>

#include "core/artifact_type.h"
#include "core/classify_model.h"
#include "core/classify_postgres.h"
#include "core/declared_version.h"
#include "core/version.h"

namespace image_library {
namespace {

using Kind = ArtifactType::Kind;

/// The kind according to the facts, without rules: documented keys first, then names.
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

std::string DeclaredOrTagVersion(const FactReader& reader) {
  const std::string tag = ParseTagVersion(reader.facts().tag).Text();
  bool is_label = false;
  const auto declared = DeclaredVersion(reader, "version", &is_label);
  return tag.empty() && declared ? declared->Text() : tag;
}

}  // namespace

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

#include "core/artifact_type.h"

#include <array>
#include <string_view>

#include "core/manifest.h"
#include "core/rule.h"

namespace image_library {
namespace {

struct ModelType {
  std::string_view prefix;
  std::string_view format;
};

// Compared by prefix, since specifications add versions and encodings at the end.
constexpr auto kModelTypes = std::to_array<ModelType>({
    {"application/vnd.cncf.model.", "modelpack"},
    {"application/vnd.cnai.model.", "modelpack"},  // the name of its drafts
    {"application/vnd.kitops.modelkit.", "kitops"},
    {"application/vnd.docker.ai.", "docker-model"},
    {"application/vnd.ollama.image.", "ollama"},
    {"application/vnd.ramalama.model.", "ramalama"},
});

// Artifacts that refer to images, and Helm charts.
constexpr auto kAttachmentTypes = std::to_array<std::string_view>({
    "application/vnd.cncf.helm.",
    "application/vnd.dev.cosign.",
    "application/vnd.dev.sigstore.",
    "application/vnd.cncf.notary.",
    "application/vnd.in-toto",
    "application/vnd.dsse.envelope.",
    "application/vnd.docker.attestation.",
    "application/vnd.cyclonedx",
    "application/vnd.syft",
    "application/vnd.openvex",
    "application/vnd.goharbor.harbor.sbom.",
    "application/spdx",
    "text/spdx",
    "application/sarif",
});

// Empty: an index, or a manifest whose config has no type.
constexpr auto kImageConfigTypes =
    std::to_array<std::string_view>({"", media_type::kOciConfig, media_type::kDockerConfig});

std::string_view ModelFormat(std::string_view type) {
  for (const ModelType& model : kModelTypes) {
    if (type.starts_with(model.prefix)) return model.format;
  }
  return {};
}

bool IsAttachment(std::string_view type) {
  for (const std::string_view prefix : kAttachmentTypes) {
    if (type.starts_with(prefix)) return true;
  }
  return false;
}

bool IsImage(std::string_view type) {
  for (const std::string_view image : kImageConfigTypes) {
    if (type == image) return true;
  }
  return type == media_type::kOciManifest || type == media_type::kOciIndex;
}

bool IsAttestationManifest(const ImageFacts& facts) {
  const auto type = facts.annotations.find("vnd.docker.reference.type");
  return type != facts.annotations.end() && type->second == "attestation-manifest";
}

}  // namespace

ArtifactType ArtifactTypeOf(const ImageFacts& facts) {
  using Kind = ArtifactType::Kind;
  if (IsReferrerTag(facts.tag) || IsAttestationManifest(facts)) return {Kind::kAttachment, {}};
  for (const std::string& type : {facts.artifact_type, facts.config_type}) {
    if (IsAttachment(type)) return {Kind::kAttachment, {}};
    if (const auto format = ModelFormat(type); !format.empty()) {
      return {Kind::kModel, std::string(format)};
    }
  }
  // Ollama's models and attestations have ordinary configs and are recognized by their layers.
  for (const std::string& type : facts.layer_types) {
    if (const auto format = ModelFormat(type); !format.empty()) {
      return {Kind::kModel, std::string(format)};
    }
  }
  for (const std::string& type : facts.layer_types) {
    if (IsAttachment(type)) return {Kind::kAttachment, {}};
  }
  const bool image = IsImage(facts.artifact_type) && IsImage(facts.config_type);
  return {image ? Kind::kImage : Kind::kUnknown, {}};
}

}  // namespace image_library

// Catalogue entries written short, and read the whole way a sync reads them.
#ifndef IMAGE_LIBRARY_TEST_UNIT_CATALOGUE_ENTRY_H_
#define IMAGE_LIBRARY_TEST_UNIT_CATALOGUE_ENTRY_H_

#include <string>
#include <vector>

#include "assemble_image.h"
#include "core/classify.h"
#include "core/image.h"

namespace image_library {

inline constexpr const char* kOciLayer = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr const char* kDockerLayer = "application/vnd.docker.image.rootfs.diff.tar.gzip";

inline std::string Digest(char digit) { return "sha256:" + std::string(64, digit); }

inline std::string Object(const StringMap& map) {
  std::string json = "{";
  for (const auto& [key, value] : map) {
    if (json.size() > 1) json += ',';
    std::string escaped;
    for (const char c : value) escaped += c == '\n' ? "\\n" : c == '"' ? "\\\"" : std::string(1, c);
    json += "\"" + key + "\":\"" + escaped + "\"";
  }
  return json + "}";
}

inline std::string DescriptorJson(std::string_view type, char digit, const std::string& more = {}) {
  return R"({"mediaType":")" + std::string(type) + R"(","digest":")" + Digest(digit) +
         R"(","size":1234)" + more + "}";
}

/// One manifest with what its config says.
struct Part {
  std::string platform = "linux/amd64";
  StringMap annotations, labels;
  std::string config_type{media_type::kOciConfig};
  std::vector<std::string> layer_types{kOciLayer};
  std::string artifact_type;
};

struct Entry {
  std::string repository, tag;
  std::vector<Part> parts;
  StringMap annotations;  ///< of the index
  bool is_index = true;
  bool is_docker = false;
  bool has_attestations = false;
  std::string artifact_type;  ///< of the index
};

inline Manifest ParsePart(const Part& part, bool is_docker) {
  std::string layers;
  for (const std::string& type : part.layer_types)
    layers += (layers.empty() ? "" : ",") + DescriptorJson(type, 'e');
  const std::string_view type = is_docker ? media_type::kDockerManifest : media_type::kOciManifest;
  std::string body = R"({"schemaVersion":2,"mediaType":")" + std::string(type) + R"(",)";
  if (!part.artifact_type.empty()) body += R"("artifactType":")" + part.artifact_type + R"(",)";
  if (!part.annotations.empty()) body += R"("annotations":)" + Object(part.annotations) + ",";
  body += R"("config":)" + DescriptorJson(part.config_type, 'd') + R"(,"layers":[)" + layers + "]}";
  return ParseManifest(body, type);
}

inline FetchedPlatform FetchPart(const Part& part, bool is_docker, char digit) {
  FetchedPlatform fetched;
  fetched.digest = Digest(digit);
  fetched.manifest = ParsePart(part, is_docker);
  if (IsImageConfig(part.config_type) && !part.platform.empty()) {
    const std::size_t slash = part.platform.find('/');
    const std::size_t variant = part.platform.find('/', slash + 1);
    fetched.config =
        ParseImageConfig(R"({"os":")" + part.platform.substr(0, slash) + R"(","architecture":")" +
                         part.platform.substr(slash + 1, variant - slash - 1) + R"(",)" +
                         (variant == std::string::npos
                              ? ""
                              : R"("variant":")" + part.platform.substr(variant + 1) + R"(",)") +
                         R"("config":{"Labels":)" + Object(part.labels) + "}}");
  }
  return fetched;
}

inline Image Assemble(const Entry& entry) {
  std::vector<FetchedPlatform> fetched;
  std::string children;
  for (std::size_t i = 0; i < entry.parts.size(); ++i) {
    const char digit = static_cast<char>('1' + i);
    fetched.push_back(FetchPart(entry.parts[i], entry.is_docker, digit));
    children +=
        (children.empty() ? "" : ",") + DescriptorJson(fetched.back().manifest.media_type, digit);
  }
  if (!entry.is_index) return AssembleImage(Digest('1'), fetched.at(0).manifest, fetched);
  if (entry.has_attestations) {
    children += "," + DescriptorJson(media_type::kOciManifest, 'a',
                                     R"(,"platform":{"os":"unknown","architecture":"unknown"},)"
                                     R"("annotations":{"vnd.docker.reference.type":)"
                                     R"("attestation-manifest"})");
  }
  const std::string_view type = entry.is_docker ? media_type::kDockerList : media_type::kOciIndex;
  std::string body = R"({"schemaVersion":2,"mediaType":")" + std::string(type) + R"(",)";
  if (!entry.artifact_type.empty()) body += R"("artifactType":")" + entry.artifact_type + R"(",)";
  if (!entry.annotations.empty()) body += R"("annotations":)" + Object(entry.annotations) + ",";
  return AssembleImage(Digest('f'),
                       ParseManifest(body + R"("manifests":[)" + children + "]}", type), fetched);
}

inline Classification Read(const Entry& entry, const char* forced = "auto") {
  const Image image = Assemble(entry);
  return Classify({.repository = entry.repository,
                   .tag = entry.tag,
                   .artifact_type = image.artifact_type,
                   .config_type = image.config_type,
                   .layer_types = image.layer_types,
                   .annotations = image.annotations,
                   .labels = image.labels},
                  DefaultClassificationKeys(), forced);
}

}  // namespace image_library

#endif

#include "core/manifest.h"

#include "core/digest.h"
#include "core/error.h"
#include "core/http_header.h"
#include "core/text.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxDescriptors = 10000;
constexpr std::size_t kMaxInlineData = 1u << 20;

[[noreturn]] void Malformed(const std::string& message) {
  throw Error(ErrorKind::kMalformed, message);
}

std::optional<Platform> ReadPlatform(const Json& json) {
  if (!json.IsObject()) return std::nullopt;
  return Platform{Scrub(json["os"].StringOr(""), 64), Scrub(json["architecture"].StringOr(""), 64),
                  Scrub(json["variant"].StringOr(""), 64)};
}

// Nothing for a descriptor that cannot be trusted: a bad digest or size.
std::optional<Descriptor> ReadDescriptor(const Json& json) {
  if (!json.IsObject()) return std::nullopt;
  Descriptor descriptor;
  descriptor.digest = json["digest"].StringOr("");
  if (!IsDigest(descriptor.digest)) return std::nullopt;
  const std::optional<std::int64_t> size = json["size"].Integer();
  if (!size || *size < 0) return std::nullopt;
  descriptor.size = *size;
  descriptor.media_type = Scrub(json["mediaType"].StringOr(""), 256);
  descriptor.artifact_type = Scrub(json["artifactType"].StringOr(""), 256);
  descriptor.platform = ReadPlatform(json["platform"]);
  descriptor.annotations = json["annotations"].Map();
  if (const auto data = json["data"].String(); data && data->size() <= 2 * kMaxInlineData) {
    std::string bytes;
    if (DecodeBase64(*data, &bytes) && static_cast<std::int64_t>(bytes.size()) == *size &&
        DigestMatches(descriptor.digest, bytes))
      descriptor.data = std::move(bytes);
  }
  return descriptor;
}

std::vector<Descriptor> ReadDescriptors(const Json& json) {
  std::vector<Descriptor> descriptors;
  const std::vector<Json> elements = json.Elements();
  if (elements.size() > kMaxDescriptors)
    throw Error(ErrorKind::kTooLarge,
                "manifest has more than " + std::to_string(kMaxDescriptors) + " descriptors");
  for (const Json& element : elements)
    if (auto descriptor = ReadDescriptor(element)) descriptors.push_back(std::move(*descriptor));
  return descriptors;
}

bool IsIndexType(std::string_view type) {
  return type == media_type::kOciIndex || type == media_type::kDockerList;
}

bool IsManifestType(std::string_view type) {
  return type == media_type::kOciManifest || type == media_type::kDockerManifest;
}

bool SaysManifest(std::string_view type) { return IsIndexType(type) || IsManifestType(type); }

// The body's word, else the header's, else what it looks like. The two must not contradict.
std::string MediaTypeOf(const Json& root, std::string_view content_type, bool is_index) {
  const std::string in_body = root["mediaType"].StringOr("");
  const std::string in_header = MediaType(content_type);
  if (!in_body.empty()) {
    if (SaysManifest(in_header) && in_header != in_body)
      Malformed("manifest calls itself \"" + Scrub(in_body, 200) + "\" and was sent as \"" +
                Scrub(in_header, 200) + "\"");
    return Scrub(in_body, 256);
  }
  if (SaysManifest(in_header)) return in_header;
  return std::string(is_index ? media_type::kOciIndex : media_type::kOciManifest);
}

// Empty for what is no schema 1. A header that names another format is contradicted by its body.
std::string Schema1TypeOf(const Json& root, std::string_view content_type) {
  const std::string type = MediaType(content_type);
  if (IsSchema1Type(type)) return type;
  if (root["schemaVersion"].Integer() != 1 && !root.Has("fsLayers")) return {};
  if (root.Has("layers") || root.Has("manifests")) Malformed("manifest has two formats at once");
  if (SaysManifest(type))
    Malformed("manifest of the withdrawn Docker schema 1 was sent as \"" + type + "\"");
  return std::string(root.Has("signatures") ? media_type::kSignedSchema1 : media_type::kSchema1);
}

}  // namespace

bool IsSchema1Type(std::string_view type) {
  return type == media_type::kSchema1 || type == media_type::kSignedSchema1;
}

std::string Schema1Payload(std::string_view body) {
  const std::vector<Json> signatures = Json::Parse(body)["signatures"].Elements();
  if (signatures.empty()) return std::string(body);
  std::string header, tail;
  if (DecodeBase64Url(signatures.front()["protected"].StringOr(""), &header)) {
    const Json json = Json::Parse(header);
    const std::int64_t length = json["formatLength"].Integer().value_or(-1);
    if (length >= 0 && static_cast<std::size_t>(length) <= body.size() &&
        DecodeBase64Url(json["formatTail"].StringOr(""), &tail))
      return std::string(body.substr(0, static_cast<std::size_t>(length))) + tail;
  }
  Malformed("signatures of a Docker schema 1 manifest cannot be read");
}

bool Manifest::IsSchema1() const { return IsSchema1Type(media_type); }

std::string Platform::ToString() const {
  std::string text = os + "/" + architecture;
  if (!variant.empty()) text += "/" + variant;
  return text;
}

bool Descriptor::IsAttestation() const {
  if (annotations.count("vnd.docker.reference.type") != 0) return true;
  return platform && platform->os == "unknown" && platform->architecture == "unknown";
}

Manifest ParseManifest(std::string_view body, std::string_view content_type) {
  const Json root = Json::Parse(body);
  if (!root.IsObject()) Malformed("manifest is not a JSON object");
  if (const std::string type = Schema1TypeOf(root, content_type); !type.empty()) {
    Manifest manifest;
    manifest.media_type = type;
    return manifest;
  }
  const bool has_manifests = root["manifests"].IsArray();
  // The artifact manifest of OCI 1.1's release candidates has blobs in the place of layers.
  const char* const layers = root["layers"].IsArray() ? "layers" : "blobs";
  const bool has_layers = root[layers].IsArray() || root.Has("config");
  if (has_manifests && has_layers) Malformed("manifest is an image and an index at once");
  Manifest manifest;
  manifest.is_index = has_manifests;
  manifest.media_type = MediaTypeOf(root, content_type, has_manifests);
  if (!has_manifests && !has_layers) Malformed("manifest is neither an image nor an index");
  if (has_manifests ? IsManifestType(manifest.media_type) : IsIndexType(manifest.media_type))
    Malformed("manifest of type \"" + manifest.media_type + "\" has the shape of another");
  manifest.artifact_type = Scrub(root["artifactType"].StringOr(""), 256);
  manifest.annotations = root["annotations"].Map();
  manifest.subject = ReadDescriptor(root["subject"]);
  manifest.config = ReadDescriptor(root["config"]);
  manifest.layers = ReadDescriptors(root[layers]);
  manifest.manifests = ReadDescriptors(root["manifests"]);
  return manifest;
}

bool IsImageConfig(std::string_view type) {
  return type == media_type::kOciConfig || type == media_type::kDockerConfig;
}

ImageConfig ParseImageConfig(std::string_view body) {
  const Json root = Json::Parse(body);
  if (!root.IsObject()) Malformed("image config is not a JSON object");
  ImageConfig config;
  config.platform = ReadPlatform(root).value_or(Platform());
  config.created_text = Scrub(root["created"].StringOr(""), 64);
  config.created = NormalizeTimestamp(config.created_text);
  config.labels = root["config"]["Labels"].Map();
  return config;
}

}  // namespace image_library

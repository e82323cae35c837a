#include "core/manifest.h"

#include <algorithm>
#include <set>

#include "core/base64.h"
#include "core/digest.h"
#include "core/error.h"
#include "core/http_header.h"
#include "core/text.h"
#include "core/timestamp.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxDescriptors = 10000;
constexpr std::size_t kMaxInlineData = 1u << 20;  // of a manifest

[[noreturn]] void Malformed(const std::string& message) {
  throw Error(ErrorKind::kMalformed, message);
}

std::optional<Platform> ReadPlatform(const Json& json) {
  if (!json.IsObject()) return std::nullopt;
  return Platform{Scrub(json["os"].StringOr(""), 64), Scrub(json["architecture"].StringOr(""), 64),
                  Scrub(json["variant"].StringOr(""), 64)};
}

// Bytes that the descriptors of one manifest may still keep.
struct Allowance {
  std::size_t annotations = limit::kListedAnnotations;
  std::size_t data = kMaxInlineData;
};

// Nothing for a descriptor that cannot be trusted: a bad digest or size.
std::optional<Descriptor> ReadDescriptor(const Json& json, Allowance* left) {
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
  descriptor.annotations = json["annotations"].Map(
      std::min(limit::kDescriptorAnnotations, left->annotations), &descriptor.annotations_cut);
  left->annotations -= BytesOf(descriptor.annotations);
  if (const auto data = json["data"].String(); data && data->size() <= 2 * left->data) {
    std::string bytes;
    if (DecodeBase64(*data, &bytes) && static_cast<std::int64_t>(bytes.size()) == *size &&
        bytes.size() <= left->data && DigestMatches(descriptor.digest, bytes)) {
      left->data -= bytes.size();
      descriptor.data = std::move(bytes);
    }
  }
  return descriptor;
}

// Annotations of a repeated digest are dropped, so that repetitions do not use up the limit; but not
// those of cosign's signatures, which are the annotations of equal texts.
std::vector<Descriptor> ReadDescriptors(const Json& json, Allowance* left) {
  std::vector<Descriptor> descriptors;
  std::set<std::string_view> seen;  // in the document
  std::size_t count = 0;
  json.ForEachElement([&](const Json& element) {
    if (++count > kMaxDescriptors)
      throw Error(ErrorKind::kTooLarge,
                  "manifest has more than " + std::to_string(kMaxDescriptors) + " descriptors");
    const std::string_view digest = element["digest"].Text().value_or("");
    const bool repeated =
        seen.count(digest) != 0 && element["mediaType"].Text() != media_type::kSimpleSigning;
    Allowance nothing{0, 0};
    auto descriptor = ReadDescriptor(element, repeated ? &nothing : left);
    if (!descriptor) return;
    seen.insert(digest);
    descriptors.push_back(std::move(*descriptor));
  });
  return descriptors;
}

bool IsIndexType(std::string_view type) {
  return type == media_type::kOciIndex || type == media_type::kDockerList;
}

bool IsManifestType(std::string_view type) {
  return type == media_type::kOciManifest || type == media_type::kDockerManifest;
}

bool IsSchema1(const Json& root) {
  return root["schemaVersion"].Integer() == 1 || root.Has("fsLayers");
}

// The media type in the body, otherwise that of its shape. The facts of a digest must not depend on
// a header, which the sender chooses. The header must not contradict the body.
std::string MediaTypeOf(const Json& root, std::string_view content_type,
                        std::string_view type_by_shape) {
  const std::string in_header = MediaType(content_type);
  const bool is_known =
      IsIndexType(in_header) || IsManifestType(in_header) || IsSchema1Type(in_header);
  const std::string in_body = root["mediaType"].StringOr("");
  const std::string type(in_body.empty() ? type_by_shape : in_body);
  const auto same_shape = [&](bool (*is)(std::string_view)) { return is(type) && is(in_header); };
  const bool agrees = in_body.empty() ? same_shape(&IsIndexType) || same_shape(&IsManifestType) ||
                                            same_shape(&IsSchema1Type)
                                      : in_header == in_body;
  if (is_known && !agrees)
    Malformed("manifest " +
              (in_body.empty() ? "of type \"" + type + "\""
                               : "calls itself \"" + Scrub(in_body, 200) + "\"") +
              (in_body.empty() ? " was sent as \"" : " and was sent as \"") +
              Scrub(in_header, 200) + "\"");
  return Scrub(type, 256);
}

// Only the type is read of Docker's first format.
Manifest ReadSchema1(const Json& root, std::string_view content_type) {
  if (root.Has("layers") || root.Has("manifests")) Malformed("manifest has two formats at once");
  Manifest manifest;
  manifest.media_type =
      MediaTypeOf(root, content_type,
                  root.Has("signatures") ? media_type::kSignedSchema1 : media_type::kSchema1);
  if (!manifest.IsSchema1())
    Malformed("manifest of type \"" + manifest.media_type + "\" has the shape of another");
  return manifest;
}

}  // namespace

bool IsSchema1Type(std::string_view type) {
  return type == media_type::kSchema1 || type == media_type::kSignedSchema1;
}

std::optional<std::string> Schema1Payload(const std::string& body) {
  if (body.find("\"signatures\"") == std::string::npos) return std::nullopt;
  std::string header, tail;
  {
    const Json root = Json::Parse(body);
    if (!IsSchema1(root) || !root.Has("signatures")) return std::nullopt;
    const std::vector<Json> signatures = root["signatures"].Elements();
    if (!signatures.empty()) DecodeBase64Url(signatures.front()["protected"].StringOr(""), &header);
  }
  if (!header.empty()) {
    const Json json = Json::Parse(header);
    const std::int64_t length = json["formatLength"].Integer().value_or(-1);
    if (length >= 0 && static_cast<std::size_t>(length) <= body.size() &&
        DecodeBase64Url(json["formatTail"].StringOr(""), &tail))
      return body.substr(0, static_cast<std::size_t>(length)) + tail;
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

Manifest ParseManifest(JsonText body, std::string_view content_type) {
  const Json root = Json::Parse(body);
  if (!root.IsObject()) Malformed("manifest is not a JSON object");
  if (IsSchema1(root)) return ReadSchema1(root, content_type);
  const bool has_manifests = root["manifests"].IsArray();
  // The artifact manifest of OCI 1.1's release candidates has blobs in the place of layers.
  const char* const layers = root["layers"].IsArray() ? "layers" : "blobs";
  const bool has_layers = root[layers].IsArray() || root.Has("config");
  if (has_manifests && has_layers) Malformed("manifest is an image and an index at once");
  if (!has_manifests && !has_layers) Malformed("manifest is neither an image nor an index");
  Manifest manifest;
  manifest.is_index = has_manifests;
  manifest.media_type = MediaTypeOf(
      root, content_type, has_manifests ? media_type::kOciIndex : media_type::kOciManifest);
  if (manifest.IsSchema1() ||
      (has_manifests ? IsManifestType(manifest.media_type) : IsIndexType(manifest.media_type)))
    Malformed("manifest of type \"" + manifest.media_type + "\" has the shape of another");
  manifest.artifact_type = Scrub(root["artifactType"].StringOr(""), 256);
  manifest.annotations = root["annotations"].Map(limit::kAnnotations, &manifest.annotations_cut);
  Allowance own, listed;
  manifest.subject = ReadDescriptor(root["subject"], &own);
  manifest.config = ReadDescriptor(root["config"], &own);
  manifest.layers = ReadDescriptors(root[layers], &listed);
  manifest.manifests = ReadDescriptors(root["manifests"], &listed);
  return manifest;
}

bool IsImageConfig(std::string_view type) {
  return type == media_type::kOciConfig || type == media_type::kDockerConfig;
}

namespace {

constexpr std::size_t kMostLayers = 200;

std::vector<std::string> ChainIds(const std::vector<std::string>& diff_ids) {
  std::vector<std::string> chain;
  if (diff_ids.size() > kMostLayers) return chain;
  for (const std::string& diff_id : diff_ids) {
    if (!IsDigest(diff_id)) return {};
    chain.push_back(chain.empty() ? diff_id : Sha256Digest(chain.back() + " " + diff_id));
  }
  // The first one is the diff_id itself, which may be of another algorithm.
  if (!chain.empty() && !chain.front().starts_with("sha256:")) return {};
  return chain;
}

}  // namespace

ImageConfig ParseImageConfig(JsonText body) {
  const Json root = Json::Parse(body);
  if (!root.IsObject()) Malformed("image config is not a JSON object");
  ImageConfig config;
  config.platform = ReadPlatform(root).value_or(Platform());
  config.created_text = Scrub(root["created"].StringOr(""), 64);
  config.created = NormalizeTimestamp(config.created_text);
  config.labels = root["config"]["Labels"].Map(limit::kLabels, &config.labels_cut);
  config.chain_ids = ChainIds(root["rootfs"]["diff_ids"].Strings());
  return config;
}

}  // namespace image_library

#include "core/image.h"

#include <set>

#include "core/text.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxEntries = 1000;
constexpr std::size_t kMaxKey = 256;
constexpr std::size_t kMaxValue = 65536;

StringMap ScrubMap(const StringMap& map) {
  StringMap clean;
  for (const auto& [key, value] : map) {
    if (clean.size() >= kMaxEntries) break;
    clean.emplace(Scrub(key, kMaxKey), Scrub(value, kMaxValue));
  }
  return clean;
}

std::int64_t SizeOf(const Manifest& manifest) {
  std::int64_t size = manifest.config ? manifest.config->size : 0;
  for (const Descriptor& layer : manifest.layers)
    if (__builtin_add_overflow(size, layer.size, &size)) return INT64_MAX;
  return size;
}

std::string ValueOf(const StringMap& map, const char* key) {
  const auto found = map.find(key);
  return found == map.end() ? std::string() : found->second;
}

Platform PlatformOf(const FetchedPlatform& fetched) {
  if (fetched.platform && !fetched.platform->os.empty()) return *fetched.platform;
  return fetched.config ? fetched.config->platform : Platform();
}

// An artifact and an attestation (`unknown/unknown`) run nowhere.
bool IsRunnable(const Platform& platform) {
  return !platform.os.empty() && (platform.os != "unknown" || platform.architecture != "unknown");
}

// What stands for the image where one value is wanted: linux/amd64, else the first that runs, else
// the first.
const FetchedPlatform* Primary(const std::vector<FetchedPlatform>& platforms) {
  const FetchedPlatform* first = platforms.empty() ? nullptr : &platforms.front();
  bool runs = false;
  for (const FetchedPlatform& fetched : platforms) {
    const Platform platform = PlatformOf(fetched);
    if (platform.os == "linux" && platform.architecture == "amd64") return &fetched;
    if (runs || !IsRunnable(platform)) continue;
    first = &fetched;
    runs = true;
  }
  return first;
}

Referrer AttestationOf(const Descriptor& child, const std::string& image_digest) {
  Referrer referrer;
  // The annotation names the platform that is attested; the image is what people ask about.
  referrer.subject = image_digest;
  referrer.digest = child.digest;
  // buildkit's attestation manifests carry in-toto statements.
  referrer.artifact_type =
      child.artifact_type.empty() ? "application/vnd.in-toto+json" : child.artifact_type;
  referrer.size_bytes = child.size;
  referrer.annotations = ScrubMap(child.annotations);
  referrer.source = "index";
  return referrer;
}

}  // namespace

Image AssembleImage(std::string digest, const Manifest& manifest,
                    const std::vector<FetchedPlatform>& platforms,
                    const std::vector<Descriptor>& nested_attestations) {
  Image image;
  image.digest = std::move(digest);
  image.media_type = manifest.media_type;
  image.artifact_type = manifest.artifact_type;
  StringMap annotations = manifest.annotations;
  std::set<std::string> layer_types;
  for (const FetchedPlatform& fetched : platforms) {
    for (const Descriptor& layer : fetched.manifest.layers)
      if (!layer.media_type.empty()) layer_types.insert(layer.media_type);
    Platform platform = PlatformOf(fetched);
    if (fetched.present && !IsRunnable(platform)) continue;
    // Who knows what runs there: an index may name indexes.
    if (platform.os.empty()) platform.os = platform.architecture = "unknown";
    image.platforms.push_back(
        {platform, fetched.digest, fetched.manifest.config ? fetched.manifest.config->digest : "",
         SizeOf(fetched.manifest), fetched.config ? fetched.config->created : "", fetched.present});
  }
  image.layer_types.assign(layer_types.begin(), layer_types.end());
  if (const FetchedPlatform* const primary = Primary(platforms)) {
    const Manifest& child = primary->manifest;
    if (child.config) {
      image.config_type = child.config->media_type;
      image.config_digest = child.config->digest;
    }
    if (image.artifact_type.empty()) image.artifact_type = child.artifact_type;
    image.size_bytes = SizeOf(child);
    if (primary->config) {
      image.labels = ScrubMap(primary->config->labels);
      image.created = primary->config->created;
      image.created_text = primary->config->created_text;
    }
    annotations.insert(child.annotations.begin(), child.annotations.end());
    // Docker's official images are annotated where the index lists them.
    for (const Descriptor& listed : manifest.manifests)
      if (listed.digest == primary->digest)
        annotations.insert(listed.annotations.begin(), listed.annotations.end());
  }
  image.annotations = ScrubMap(annotations);
  const std::string text = ValueOf(annotations, "org.opencontainers.image.created");
  const std::string created = NormalizeTimestamp(text);
  if (!created.empty()) image.created = created;
  if (image.created_text.empty()) image.created_text = Scrub(text, 64);
  if (!image.created.empty()) image.created_text.clear();
  for (const Descriptor& child : manifest.manifests)
    if (child.IsAttestation()) image.referrers.push_back(AttestationOf(child, image.digest));
  for (const Descriptor& child : nested_attestations)
    image.referrers.push_back(AttestationOf(child, image.digest));
  return image;
}

}  // namespace image_library

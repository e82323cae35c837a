#include "core/image.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "core/timestamp.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxEntries = 1000;
constexpr std::size_t kMaxKey = 256;
constexpr std::size_t kMaxValue = 65536;
constexpr std::size_t kMaxLayerTypes = 100;
constexpr std::size_t kMaxAttestations = 1000;

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

// Artifacts and attestations (`unknown/unknown`) cannot be run.
bool IsRunnable(const Platform& platform) {
  return !platform.os.empty() && (platform.os != "unknown" || platform.architecture != "unknown");
}

}  // namespace

StringMap ScrubMap(StringMap map, std::size_t most_bytes, bool* cut) {
  StringMap clean;
  std::size_t bytes = 0;
  while (!map.empty()) {
    StringMap::node_type entry = map.extract(map.begin());
    std::string& key = entry.key();
    std::string& value = entry.mapped();
    if (key.size() > kMaxKey || value.size() > kMaxValue) *cut = true;
    // Scrubbed text is as long at least.
    if (bytes + kEntryBytes + std::min(key.size(), kMaxKey) + std::min(value.size(), kMaxValue) >
        most_bytes) {
      *cut = true;
      break;
    }
    if (key.size() > kMaxKey || !IsPlain(key)) key = Scrub(key, kMaxKey);
    if (value.size() > kMaxValue || !IsPlain(value)) value = Scrub(value, kMaxValue);
    bytes += kEntryBytes + key.size() + value.size();
    if (clean.size() >= kMaxEntries || bytes > most_bytes) {
      *cut = true;
      break;
    }
    clean.insert(clean.end(), std::move(entry));
  }
  return clean;
}

// The primary platform: linux/amd64, otherwise the first that can be run, otherwise the first.
int ImageParts::RankOf(const FetchedPlatform& fetched) const {
  const Platform platform = PlatformOf(fetched);
  if (platform.os == "linux" && platform.architecture == "amd64") return 2;
  return IsRunnable(platform) ? 1 : 0;
}

void ImageParts::Add(FetchedPlatform fetched) {
  ++count_;
  config_unread_ = config_unread_ || fetched.config_unread;
  Manifest& manifest = fetched.manifest;
  for (const Descriptor& layer : manifest.layers) {
    if (layer.media_type.empty()) continue;
    if (layer_types_.size() < kMaxLayerTypes)
      layer_types_.insert(layer.media_type);
    else if (layer_types_.count(layer.media_type) == 0)
      cut_ = true;
  }
  const std::int64_t bytes = SizeOf(manifest);
  Platform platform = PlatformOf(fetched);
  if (!fetched.present || IsRunnable(platform)) {
    // The platform is unknown, since an index may name indexes.
    if (platform.os.empty()) platform.os = platform.architecture = "unknown";
    images_.push_back({platform, fetched.digest, manifest.config ? manifest.config->digest : "",
                       bytes, fetched.config ? fetched.config->created : "", fetched.present});
  }
  const int rank = RankOf(fetched);
  if (rank <= rank_) return;
  rank_ = rank;
  primary_bytes_ = bytes;
  manifest.layers.clear();
  manifest.layers.shrink_to_fit();
  manifest.manifests.clear();
  manifest.manifests.shrink_to_fit();
  manifest.subject.reset();
  if (manifest.config) manifest.config->data.reset();
  primary_ = std::move(fetched);
}

std::size_t ImageParts::Bytes() const noexcept {
  std::size_t bytes = attestation_bytes_;
  if (!primary_) return bytes;
  return bytes + BytesOf(primary_->manifest.annotations) +
         (primary_->config ? BytesOf(primary_->config->labels) : 0);
}

void ImageParts::AddAttestation(const Descriptor& child) {
  if (attestations_.size() >= kMaxAttestations) {
    cut_ = true;
    return;
  }
  Referrer referrer;
  referrer.digest = child.digest;
  // buildkit's attestation manifests carry in-toto statements.
  referrer.artifact_type =
      child.artifact_type.empty() ? "application/vnd.in-toto+json" : child.artifact_type;
  referrer.size_bytes = child.size;
  referrer.annotations =
      ScrubMap(child.annotations, limit::kListedAnnotations - attestation_bytes_, &cut_);
  cut_ = cut_ || child.annotations_cut;
  attestation_bytes_ += BytesOf(referrer.annotations);
  referrer.source = "index";
  attestations_.push_back(std::move(referrer));
}

Image ImageParts::Assemble(std::string digest, Manifest manifest) && {
  Image image;
  image.digest = std::move(digest);
  image.media_type = manifest.media_type;
  image.artifact_type = manifest.artifact_type;
  image.platforms = std::move(images_);
  image.layer_types.assign(layer_types_.begin(), layer_types_.end());
  image.cut = cut_ || manifest.annotations_cut;
  if (config_unread_) image.unread = Unread::kConfig;
  StringMap annotations = std::move(manifest.annotations);
  if (primary_) {
    Manifest& child = primary_->manifest;
    if (child.config) {
      image.config_type = child.config->media_type;
      image.config_digest = child.config->digest;
    }
    if (image.artifact_type.empty()) image.artifact_type = child.artifact_type;
    image.size_bytes = primary_bytes_;
    if (primary_->config) {
      image.labels = ScrubMap(std::move(primary_->config->labels), limit::kLabels, &image.cut);
      image.cut = image.cut || primary_->config->labels_cut;
      image.chain_ids = std::move(primary_->config->chain_ids);
      image.created = primary_->config->created;
      image.created_text = primary_->config->created_text;
    }
    image.cut = image.cut || child.annotations_cut;
    annotations.merge(child.annotations);
    // Docker's official images have their annotations in the index.
    for (const Descriptor& listed : manifest.manifests) {
      if (listed.digest != primary_->digest) continue;
      image.cut = image.cut || listed.annotations_cut;
      annotations.insert(listed.annotations.begin(), listed.annotations.end());
    }
  }
  const std::string text = ValueOf(annotations, "org.opencontainers.image.created");
  image.annotations = ScrubMap(std::move(annotations), limit::kAnnotations, &image.cut);
  const std::string created = NormalizeTimestamp(text);
  if (!created.empty()) image.created = created;
  if (image.created_text.empty()) image.created_text = Scrub(text, 64);
  if (!image.created.empty()) image.created_text.clear();
  image.referrers = std::move(attestations_);
  // The annotation names the platform; the attestation is stored as a referrer of the image.
  for (Referrer& referrer : image.referrers) referrer.subject = image.digest;
  return image;
}

}  // namespace image_library

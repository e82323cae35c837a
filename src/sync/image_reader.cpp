#include "sync/image_reader.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Task;

namespace {

// Nested indexes deeper than this are somebody's joke (image-spec allows nesting, sets no limit).
constexpr int kMaxIndexDepth = 4;
constexpr std::size_t kMaxPlatforms = 200;
constexpr std::size_t kMaxChildren = 10000;

bool Wanted(const std::optional<Platform>& platform, const Rule* rule) {
  if (rule->platforms.empty() || !platform) return true;
  return std::find(rule->platforms.begin(), rule->platforms.end(), platform->ToString()) !=
         rule->platforms.end();
}

}  // namespace

// An index while it is read, with the indexes in it.
struct ImageReader::Index {
  std::string repository;
  const Rule* rule;
  ImageParts parts;
  std::set<std::string> visited;
};

Task<Image> ImageReader::Read(std::string repository, FetchedManifest fetched, const Rule* rule) {
  Manifest manifest = ParseManifest(fetched.body, fetched.content_type);
  if (!manifest.is_index) {
    std::vector<FetchedPlatform> platforms(manifest.IsSchema1() ? 0 : 1);
    if (!platforms.empty()) {
      platforms.front().digest = fetched.digest;
      platforms.front().manifest = manifest;
      co_await ReadConfig(repository, platforms.front());
    }
    co_return AssembleImage(fetched.digest, manifest, platforms);
  }
  std::string().swap(
      fetched.body);  // its children may be as large, and all of them are read while it is kept
  Index index{std::move(repository), rule, {}, {fetched.digest}};
  for (const Descriptor& child : manifest.manifests)
    if (child.IsAttestation()) index.parts.AddAttestation(child);
  Manifest copy = manifest;
  co_await ReadIndex(index, std::move(copy), 1);
  co_return std::move(index.parts).Assemble(fetched.digest, manifest);
}

Task<void> ImageReader::ReadIndex(Index& index, Manifest manifest, int depth) {
  for (Descriptor& child : manifest.manifests) {
    if (!index.visited.insert(child.digest).second) continue;
    if (index.visited.size() > kMaxChildren)
      throw Error(ErrorKind::kTooLarge,
                  "index leads to more than " + std::to_string(kMaxChildren) + " manifests");
    if (child.IsAttestation()) {
      if (depth > 1) index.parts.AddAttestation(child);
    } else if (Wanted(child.platform, index.rule)) {
      co_await ReadChild(index, std::move(child), depth);
    }
  }
}

Task<void> ImageReader::ReadChild(Index& index, Descriptor child, int depth) {
  if (index.parts.platforms() >= kMaxPlatforms)
    throw Error(ErrorKind::kTooLarge,
                "index has more than " + std::to_string(kMaxPlatforms) + " platforms");
  FetchedPlatform platform;
  platform.digest = child.digest;
  platform.platform = child.platform;
  std::optional<FetchedManifest> fetched =
      co_await client_.GetManifest(index.repository, child.digest);
  // A sparse index: the platform is known by its descriptor only (image-spec, image-index.md).
  platform.present = fetched.has_value();
  if (fetched) {
    platform.manifest = ParseManifest(fetched->body, fetched->content_type);
    fetched.reset();
    if (platform.manifest.is_index) {
      if (depth >= kMaxIndexDepth)
        throw Error(ErrorKind::kTooLarge,
                    "indexes are nested deeper than " + std::to_string(kMaxIndexDepth));
      co_await ReadIndex(index, std::move(platform.manifest), depth + 1);
      co_return;
    }
    co_await ReadConfig(index.repository, platform);
  }
  index.parts.Add(std::move(platform));
}

Task<void> ImageReader::ReadConfig(std::string repository, FetchedPlatform& platform) {
  const std::optional<Descriptor>& config = platform.manifest.config;
  if (!config || !IsImageConfig(config->media_type)) co_return;
  if (config->data) {
    platform.config = ParseImageConfig(*config->data);
    co_return;
  }
  const std::string body = co_await client_.GetBlob(repository, config->digest);
  platform.config = ParseImageConfig(body);
}

}  // namespace image_library::sync

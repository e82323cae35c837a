#include "sync/image_reader.h"

#include <algorithm>
#include <exception>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/error.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Task;

namespace {

// The image-spec allows indexes in indexes and sets no limit.
constexpr int kMaxIndexDepth = 4;
constexpr std::size_t kMaxPlatforms = 200;
constexpr std::size_t kMaxChildren = 10000;
constexpr std::size_t kMaxBytes = 256u << 20;
// Media types of a manifest's layers beyond these are summed up without a name; an image keeps
// fewer (ImageParts).
constexpr std::size_t kMaxLayerTypes = 128;

using image_library::BytesOf;

std::size_t BytesOf(const FetchedPlatform& platform) {
  std::size_t bytes = BytesOf(platform.manifest.annotations) +
                      (platform.config ? BytesOf(platform.config->labels) : 0);
  if (platform.manifest.config && platform.manifest.config->data)
    bytes += platform.manifest.config->data->size();
  for (const Descriptor& layer : platform.manifest.layers)
    bytes += sizeof(Descriptor) + layer.media_type.size();
  return bytes;
}

// Layers by media type with the sum of their sizes, which is all that is kept of them.
std::vector<Descriptor> Summed(const std::vector<Descriptor>& layers) {
  std::map<std::string, std::int64_t> sizes;
  for (const Descriptor& layer : layers) {
    const bool kept = sizes.count(layer.media_type) != 0 || sizes.size() < kMaxLayerTypes;
    std::int64_t& size = sizes[kept ? layer.media_type : std::string()];
    if (__builtin_add_overflow(size, layer.size, &size)) size = INT64_MAX;
  }
  std::vector<Descriptor> summed;
  for (const auto& [type, size] : sizes) {
    summed.emplace_back();
    summed.back().media_type = type;
    summed.back().size = size;
  }
  return summed;
}

// What an image needs of a platform's manifest.
Manifest Needed(Manifest&& parsed) {
  Manifest manifest;
  manifest.media_type = std::move(parsed.media_type);
  manifest.artifact_type = std::move(parsed.artifact_type);
  manifest.annotations = std::move(parsed.annotations);
  manifest.annotations_cut = parsed.annotations_cut;
  if (parsed.config) {
    manifest.config.emplace();
    manifest.config->media_type = std::move(parsed.config->media_type);
    manifest.config->digest = std::move(parsed.config->digest);
    manifest.config->size = parsed.config->size;
    manifest.config->data = std::move(parsed.config->data);
  }
  manifest.layers = Summed(parsed.layers);
  return manifest;
}

}  // namespace

// A manifest that an index names, as far as it is kept.
struct ImageReader::Child {
  FetchedPlatform platform;
  std::shared_ptr<const Manifest> index;  ///< set when it is an index itself
  std::size_t body_bytes = 0;
  std::size_t bytes = 0;
};

struct ImageReader::Config {
  ImageConfig config;
  std::size_t bytes = 0;
};

// An index while it is read, with the indexes in it.
struct ImageReader::Index {
  std::string repository;
  Room::Place& place;
  std::size_t body_bytes;  ///< of every manifest that it led to
  std::size_t held;        ///< of the index itself
  std::size_t expected;    ///< of the primary platform, by the sizes that the index tells
  ImageParts parts;
  std::set<std::string> visited;
  std::optional<Error> config_error;
};

Task<FetchedImage> ImageReader::Read(std::string repository, FetchedManifest fetched,
                                     Room::Place& place) {
  Manifest manifest = ParseManifest(fetched.body, fetched.content_type);
  // As text and as what is made of it.
  const std::size_t held = 2 * fetched.body.size();
  const std::size_t body_bytes = fetched.body.size();
  fetched.body = std::string();
  room_.Hold(place, held);
  ImageParts parts;
  FetchedImage read;
  if (!manifest.is_index) {
    if (manifest.IsSchema1()) {
      read.image = std::move(parts).Assemble(fetched.digest, std::move(manifest));
      co_return std::move(read);
    }
    FetchedPlatform itself;
    itself.digest = fetched.digest;
    itself.manifest = Needed(std::move(manifest));
    co_await ReadConfig(repository, itself, read.config_error);
    // Its annotations are held once: as those of the image.
    manifest = Manifest();
    manifest.media_type = itself.manifest.media_type;
    manifest.artifact_type = itself.manifest.artifact_type;
    manifest.annotations = std::move(itself.manifest.annotations);
    manifest.annotations_cut = itself.manifest.annotations_cut;
    itself.manifest.annotations.clear();
    parts.Add(std::move(itself));
    read.image = std::move(parts).Assemble(fetched.digest, std::move(manifest));
    co_return std::move(read);
  }
  for (const Descriptor& child : manifest.manifests)
    if (child.IsAttestation()) parts.AddAttestation(child);
  std::size_t largest = 0;
  for (const Descriptor& child : manifest.manifests)
    if (!child.IsAttestation()) largest = std::max(largest, static_cast<std::size_t>(child.size));
  largest = std::min(largest, registry::limit::kManifest);
  Index index{std::move(repository), place, body_bytes, held, 2 * largest, std::move(parts),
              {fetched.digest},      {}};
  room_.Hold(place, index.held + index.expected);
  co_await ReadIndex(index, manifest, 1);
  read.image = std::move(index.parts).Assemble(fetched.digest, std::move(manifest));
  read.config_error = std::move(index.config_error);
  co_return std::move(read);
}

Task<void> ImageReader::ReadIndex(Index& index, const Manifest& manifest, int depth) {
  for (const Descriptor& child : manifest.manifests) {
    if (!index.visited.insert(child.digest).second) continue;
    if (index.visited.size() > kMaxChildren)
      throw Error(ErrorKind::kTooLarge,
                  "index leads to more than " + std::to_string(kMaxChildren) + " manifests");
    if (child.IsAttestation()) {
      if (depth > 1) index.parts.AddAttestation(child);
    } else {
      co_await ReadChild(index, child, depth);
    }
  }
}

Task<void> ImageReader::ReadChild(Index& index, Descriptor child, int depth) {
  if (index.parts.platforms() >= kMaxPlatforms)
    throw Error(ErrorKind::kTooLarge,
                "index has more than " + std::to_string(kMaxPlatforms) + " platforms");
  Task<Child> fetch = FetchChild(index.repository, child.digest);
  const Once<Child>::Value fetched = co_await children_.Get(index.repository + "\n" + child.digest,
                                                            index.repository, std::move(fetch));
  index.body_bytes += fetched->body_bytes;
  if (index.body_bytes > kMaxBytes)
    throw Error(ErrorKind::kTooLarge, "index leads to more than " +
                                          std::to_string(kMaxBytes >> 20) + " MiB of manifests");
  if (fetched->index) {
    if (depth >= kMaxIndexDepth)
      throw Error(ErrorKind::kTooLarge,
                  "indexes are nested deeper than " + std::to_string(kMaxIndexDepth));
    const std::size_t nested = 2 * fetched->body_bytes;
    index.held += nested;
    room_.Hold(index.place, index.held + index.expected);
    co_await ReadIndex(index, *fetched->index, depth + 1);
    index.held -= nested;
    co_return;
  }
  FetchedPlatform platform = fetched->platform;
  platform.platform = child.platform;
  co_await ReadConfig(index.repository, platform, index.config_error);
  index.parts.Add(std::move(platform));
  room_.Hold(index.place, index.held + std::max(index.expected, 2 * index.parts.Bytes()));
}

Task<ImageReader::Child> ImageReader::FetchChild(std::string repository, std::string digest) {
  Child child;
  child.platform.digest = std::move(digest);
  Room::Place place;
  co_await fetching_.Enter(place);
  std::exception_ptr failure;
  try {
    co_await FillChild(child, std::move(repository), place);
  } catch (...) {
    failure = std::current_exception();
  }
  fetching_.Leave(place);
  if (failure) std::rethrow_exception(failure);
  co_return std::move(child);
}

// A sparse index: the platform is known by its descriptor only (image-spec, image-index.md).
Task<void> ImageReader::FillChild(Child& child, std::string repository, Room::Place& place) {
  std::optional<FetchedManifest> fetched =
      co_await client_.GetManifest(repository, child.platform.digest);
  child.platform.present = fetched.has_value();
  if (!fetched) co_return;
  Manifest manifest = ParseManifest(fetched->body, fetched->content_type);
  child.body_bytes = fetched->body.size();
  fetched.reset();
  fetching_.Hold(place, 2 * child.body_bytes);
  if (manifest.is_index) {
    child.index = std::make_shared<const Manifest>(std::move(manifest));
    child.bytes = 2 * child.body_bytes;
    co_return;
  }
  child.platform.manifest = Needed(std::move(manifest));
  child.bytes = BytesOf(child.platform);
}

// error: of the first config of the image that could not be read. One that may be read later ends
// the asking: the registry is in trouble.
Task<void> ImageReader::ReadConfig(std::string repository, FetchedPlatform& platform,
                                   std::optional<Error>& error) {
  const std::optional<Descriptor>& config = platform.manifest.config;
  if (!config || !IsImageConfig(config->media_type)) co_return;
  platform.config_unread = true;
  if (error && error->temporary()) co_return;
  try {
    co_await AskForConfig(std::move(repository), platform);
    platform.config_unread = false;
  } catch (const Error& failure) {
    if (failure.kind() == ErrorKind::kBudget || failure.kind() == ErrorKind::kRateLimited) throw;
    if (!error || failure.temporary()) error = failure;
  }
}

Task<void> ImageReader::AskForConfig(std::string repository, FetchedPlatform& platform) {
  std::optional<Descriptor>& config = platform.manifest.config;
  if (config->data) {
    platform.config = ParseImageConfig(*config->data);
    config->data.reset();
    co_return;
  }
  Task<Config> fetch = FetchConfig(repository, config->digest);
  // Repositories that are read side by side may have the same images.
  const Once<Config>::Value fetched =
      co_await configs_.Get(config->digest, repository, std::move(fetch));
  platform.config = fetched->config;
}

Task<ImageReader::Config> ImageReader::FetchConfig(std::string repository, std::string digest) {
  Config config;
  config.config = ParseImageConfig(co_await client_.GetBlob(std::move(repository), digest));
  config.bytes = BytesOf(config.config.labels);
  co_return config;
}

}  // namespace image_library::sync

// Everything that the library keeps of one digest: its manifest, those of its platforms, configs.
#ifndef IMAGE_LIBRARY_SYNC_IMAGE_READER_H_
#define IMAGE_LIBRARY_SYNC_IMAGE_READER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/image.h"
#include "registry/client.h"
#include "sync/once.h"
#include "sync/room.h"

namespace image_library::sync {

/// An image, and why its config could not be read, if it could not.
struct FetchedImage {
  Image image;
  std::optional<Error> config_error;
};

/// Reads images of one run. What its images share (manifests of platforms, configs) is asked for
/// once, as long as it fits into a few MiB. A body is gone as soon as it is parsed, and of what
/// was parsed only what an Image is made of is held while the next request is under way.
class ImageReader {
 public:
  /// Both must outlive it.
  ImageReader(registry::Client& client, Room& room) : client_(client), room_(room) {}

  /// Reads what the manifest leads to: all platforms of an index, in its order, for the facts of a
  /// digest do not depend on who reads it. place: what is held of it, left by the caller. Throws
  /// Error; kTooLarge for more than 200 platforms, 10,000 manifests or 256 MiB of them. A config
  /// that cannot be read is no error of the image (Unread::kConfig): manifests tell the rest.
  registry::Task<FetchedImage> Read(std::string repository, registry::FetchedManifest manifest,
                                    Room::Place& place);

 private:
  struct Index;
  struct Child;
  struct Config;

  registry::Task<void> ReadIndex(Index& index, const Manifest& manifest, int depth);
  registry::Task<void> ReadChild(Index& index, Descriptor child, int depth);
  registry::Task<Child> FetchChild(std::string repository, std::string digest);
  registry::Task<void> FillChild(Child& child, std::string repository, Room::Place& place);
  registry::Task<void> ReadConfig(std::string repository, FetchedPlatform& platform,
                                  std::optional<Error>& error);
  registry::Task<void> AskForConfig(std::string repository, FetchedPlatform& platform);
  registry::Task<Config> FetchConfig(std::string repository, std::string digest);

  registry::Client& client_;
  Room& room_;
  Room fetching_{32u << 20, 2 * registry::limit::kManifest};  ///< of manifests of platforms
  Once<Child> children_{4u << 20};
  Once<Config> configs_{4u << 20};
};

}  // namespace image_library::sync

#endif

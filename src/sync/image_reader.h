// Everything that the library keeps of one digest: its manifest, those of its platforms, configs.
#ifndef IMAGE_LIBRARY_SYNC_IMAGE_READER_H_
#define IMAGE_LIBRARY_SYNC_IMAGE_READER_H_

#include <string>

#include "core/image.h"
#include "core/rule.h"
#include "registry/client.h"

namespace image_library::sync {

class ImageReader {
 public:
  /// The client must outlive it.
  explicit ImageReader(registry::Client& client) : client_(client) {}

  /// Reads what the manifest leads to, only the rule's platforms of an index. Throws Error.
  registry::Task<Image> Read(std::string repository, registry::FetchedManifest manifest,
                             const Rule* rule);

 private:
  struct Index;

  registry::Task<void> ReadIndex(Index& index, Manifest manifest, int depth);
  registry::Task<void> ReadChild(Index& index, Descriptor child, int depth);
  registry::Task<void> ReadConfig(std::string repository, FetchedPlatform& platform);

  registry::Client& client_;
};

}  // namespace image_library::sync

#endif

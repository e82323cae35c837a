// Classification of what a batch has read, while it is in memory.
#ifndef IMAGE_LIBRARY_SYNC_CLASSIFY_BATCH_H_
#define IMAGE_LIBRARY_SYNC_CLASSIFY_BATCH_H_

#include "sync/batch.h"
#include "sync/registry_config.h"

namespace image_library::sync {

/// Sets the texts of the batch's images, the facts of tags that point at those of them that were
/// read, and the version of the keys. The store classifies all other tags: those of images that it
/// has, or may have more of.
void ClassifyBatch(Batch& batch, const RegistryConfig& config);

}  // namespace image_library::sync

#endif

// A batch as the JSON that image_library_internal.write_batch takes.
#ifndef IMAGE_LIBRARY_POSTGRES_BATCH_JSON_H_
#define IMAGE_LIBRARY_POSTGRES_BATCH_JSON_H_

#include <string>

#include "sync/batch.h"

namespace image_library::postgres {

/// The argument of image_library_internal.write_batch.
std::string BatchJson(const sync::Batch& batch);

}  // namespace image_library::postgres

#endif

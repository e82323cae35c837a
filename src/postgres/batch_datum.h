// Batches as an array of SQL type image_library_internal.batch.
#ifndef IMAGE_LIBRARY_POSTGRES_BATCH_DATUM_H_
#define IMAGE_LIBRARY_POSTGRES_BATCH_DATUM_H_

#include <span>

#include "postgres/database.h"
#include "sync/batch.h"

namespace image_library::postgres {

/// Inside a transaction, in its memory. PostgresError of class 22 for what is no value of a
/// column's type, such as text that is not valid in the server's encoding.
TypedDatum BatchesDatum(std::span<const sync::Batch> batches);

}  // namespace image_library::postgres

#endif

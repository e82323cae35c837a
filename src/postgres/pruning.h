// Removal of old history and of images that nothing names any more: src/sql/retention/pruning.sql.
#ifndef IMAGE_LIBRARY_POSTGRES_PRUNING_H_
#define IMAGE_LIBRARY_POSTGRES_PRUNING_H_

#include "postgres/database.h"

namespace image_library::postgres {

/// What the agent does of it after it has synced what was due: a pass over the library each day, in
/// steps that are a transaction each, for a few seconds at a time. Ends at once when another
/// database waits for a worker. An error is logged, and the next worker tries again.
void PruneForAWhile(Database& database);

}  // namespace image_library::postgres

#endif

// The role on whose behalf a function of the library runs.
#ifndef IMAGE_LIBRARY_POSTGRES_ACTING_ROLE_H_
#define IMAGE_LIBRARY_POSTGRES_ACTING_ROLE_H_

#include "postgres/pg.h"

namespace image_library::postgres {

/// Raises 42501 inside a security-restricted operation (an index, a materialized view, ANALYZE) and
/// inside an action of a foreign key: there PostgreSQL runs code of a table's owner, and it cannot
/// be determined whose code it is. Calls PostgreSQL, so it must be run inside Call.
void RequireKnownCaller();

/// The role that require_approved acts for in a worker of logical replication, where the session is
/// the subscription's: the one that writes the row. InvalidOid: none. Returns the one before, to be
/// set again after the call, also after an error.
Oid ActForWriter(Oid writer) noexcept;

}  // namespace image_library::postgres

#endif

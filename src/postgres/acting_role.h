// The role on whose behalf a function of the library runs.
#ifndef IMAGE_LIBRARY_POSTGRES_ACTING_ROLE_H_
#define IMAGE_LIBRARY_POSTGRES_ACTING_ROLE_H_

namespace image_library::postgres {

/// Raises 42501 inside a security-restricted operation (an index, a materialized view, ANALYZE) and
/// inside an action of a foreign key: there PostgreSQL runs code of a table's owner, and it cannot
/// be determined whose code it is. Calls PostgreSQL, so it must be run inside Call.
void RequireKnownCaller();

}  // namespace image_library::postgres

#endif

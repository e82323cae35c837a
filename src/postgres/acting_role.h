// On whose behalf a function of ours runs, and what it takes to know.
#ifndef IMAGE_LIBRARY_POSTGRES_ACTING_ROLE_H_
#define IMAGE_LIBRARY_POSTGRES_ACTING_ROLE_H_

namespace image_library::postgres {

/// Raises 42501 inside a security-restricted operation (an index, a materialized view, ANALYZE) and
/// inside an action of a foreign key: there PostgreSQL runs the code of a table's owner, and the
/// session tells nothing of whose code it is. Calls PostgreSQL: to be run inside Call.
void RequireKnownCaller();

}  // namespace image_library::postgres

#endif

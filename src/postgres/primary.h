// What works on the primary only.
#ifndef IMAGE_LIBRARY_POSTGRES_PRIMARY_H_
#define IMAGE_LIBRARY_POSTGRES_PRIMARY_H_

namespace image_library::postgres {

/// Raises 25006 on a standby: `cannot WHAT on a standby`. The hint has host and port of the primary
/// for those who may see them in pg_stat_wal_receiver.
void RequirePrimary(const char* what);

}  // namespace image_library::postgres

#endif

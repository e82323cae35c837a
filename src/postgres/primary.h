// What works on the primary only.
#ifndef IMAGE_LIBRARY_POSTGRES_PRIMARY_H_
#define IMAGE_LIBRARY_POSTGRES_PRIMARY_H_

namespace image_library::postgres {

/// Whether image_library.mode is replica: only logical replication writes this library.
bool IsReplica();

/// Raises 25006 on a standby: `cannot WHAT on a standby`. The hint has host and port of the primary
/// for those who may see them in pg_stat_wal_receiver. In a replica: `cannot WHAT in a replica`.
void RequirePrimary(const char* what);

}  // namespace image_library::postgres

#endif

// The settings image_library.*
#ifndef IMAGE_LIBRARY_POSTGRES_SETTINGS_H_
#define IMAGE_LIBRARY_POSTGRES_SETTINGS_H_

#include <string>
#include <vector>

namespace image_library::postgres::settings {

/// What a database with the library is.
enum Mode {
  kPrimary,  ///< it is written here
  kReplica,  ///< it is written by logical replication from its hub only
};

extern bool enabled;             ///< the launcher starts workers
extern int mode;                 ///< a Mode
extern int max_workers;          ///< workers at once in the whole cluster
extern int run_timeout;          ///< how long a run may take, in seconds; 0: no limit
extern int max_removal_percent;  ///< share of a repository's tags that one listing may remove
extern char* credentials_dir;    ///< folder of docker config.json files
extern char* allowed_hosts;      ///< hosts that registries may be at; empty: all
extern int policy_timeout;       ///< how long a policy may take, in milliseconds
extern int event_retention;      ///< how long events are kept, in minutes; -1: for ever
extern int missing_grace;  ///< how long a pinned image may be used that its registry does not have
                           ///< any more, in minutes; -1: without end
extern int run_retention;  ///< how long runs are kept, in minutes; -1: for ever
extern int
    history_retention;  ///< how long ended periods of tags are kept, in minutes; -1: for ever

/// The entries of allowed_hosts.
std::vector<std::string> AllowedHosts();

/// Called once, from _PG_init.
void Define();

}  // namespace image_library::postgres::settings

#endif

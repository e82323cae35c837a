// The extension as the database has it, beside the module that the server runs.
#ifndef IMAGE_LIBRARY_POSTGRES_EXTENSION_H_
#define IMAGE_LIBRARY_POSTGRES_EXTENSION_H_

#include "postgres/pg.h"

#include <string>

namespace image_library::postgres {

/// A row of pg_extension.
struct InstalledExtension {
  Oid oid;                     ///< InvalidOid: the database does not have it
  char version[32];            ///< of its SQL objects, such as "0.1"
  char database[NAMEDATALEN];  ///< the current one; set only if the version is not that of the
                               ///< module
};

/// The extension in the current database, in a transaction. An ereport may leave it.
InstalledExtension FindExtension();

/// True if the module works with the SQL objects of the extension: both are of one version.
bool FitsModule(const InstalledExtension& extension);

/// What is wrong if not, and what to do.
std::string VersionsDiffer(const InstalledExtension& extension);
std::string VersionsDifferHint(const InstalledExtension& extension);

}  // namespace image_library::postgres

#endif

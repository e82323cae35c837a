#include "postgres/extension.h"

#include <charconv>
#include <cstring>

#include "core/release.h"

extern "C" {
#include "access/genam.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "utils/fmgroids.h"
}

namespace image_library::postgres {
namespace {

// The numbers of a version such as 0.10, each in 16 bits.
std::uint32_t VersionNumber(const char* version) {
  const char* const end = version + std::strlen(version);
  unsigned major = 0;
  unsigned minor = 0;
  const char* const dot = std::from_chars(version, end, major).ptr;
  if (dot != end && *dot == '.') (void)std::from_chars(dot + 1, end, minor);
  return (major & 0xFFFF) << 16 | (minor & 0xFFFF);
}

bool IsNewerThanModule(const InstalledExtension& extension) {
  return VersionNumber(extension.version) > VersionNumber(kRelease);
}

}  // namespace

InstalledExtension FindExtension() {
  InstalledExtension found = {};
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
              CStringGetDatum("image_library"));
  Relation const relation = table_open(ExtensionRelationId, AccessShareLock);
  SysScanDesc const scan =
      systable_beginscan(relation, ExtensionNameIndexId, true, nullptr, 1, &key);
  HeapTuple const row = systable_getnext(scan);
  if (HeapTupleIsValid(row)) {
    found.oid = reinterpret_cast<Form_pg_extension>(GETSTRUCT(row))->oid;
    bool is_null = false;
    const Datum version =
        heap_getattr(row, Anum_pg_extension_extversion, RelationGetDescr(relation), &is_null);
    if (!is_null)
      text_to_cstring_buffer(DatumGetTextPP(version), found.version, sizeof found.version);
  }
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  if (OidIsValid(found.oid) && !FitsModule(found)) {
    // The log of a worker does not name its database otherwise.
    const char* const name = get_database_name(MyDatabaseId);
    if (name != nullptr) strlcpy(found.database, name, sizeof found.database);
  }
  return found;
}

bool FitsModule(const InstalledExtension& extension) {
  return std::strcmp(extension.version, kRelease) == 0;
}

std::string VersionsDiffer(const InstalledExtension& extension) {
  return std::string("extension image_library is of version ") + extension.version +
         " in database \"" + extension.database + "\", and the server runs its module of version " +
         kRelease;
}

std::string VersionsDifferHint(const InstalledExtension& extension) {
  return IsNewerThanModule(extension)
             ? "Restart the server, so that it loads the new module."
             : "Run ALTER EXTENSION image_library UPDATE in that database.";
}

}  // namespace image_library::postgres

extern "C" {
using namespace image_library::postgres;  // NOLINT
PG_FUNCTION_INFO_V1(image_library_require_module);

/// require_module(): for the scripts of the extension, when pg_extension has the version that they
/// make. Raises 55000 if the module is older. Until the transaction ends, no other one uses the
/// extension from C++.
Datum image_library_require_module(PG_FUNCTION_ARGS) {
  const InstalledExtension extension = FindExtension();
  if (IsNewerThanModule(extension))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("the server still runs the module of image_library %s",
                           image_library::kRelease),
                    errdetail("This would make the SQL objects of version %s.", extension.version),
                    errhint("Restart the server, then run the command again.")));
  LockDatabaseObject(ExtensionRelationId, extension.oid, 0, AccessExclusiveLock);
  PG_RETURN_VOID();
}
}

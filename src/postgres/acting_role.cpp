#include "postgres/acting_role.h"

#include <utility>

#include "postgres/bridge.h"
#include "postgres/database.h"
#include "postgres/policy_function.h"

extern "C" {
#include "utils/acl.h"
#include "utils/syscache.h"
}

namespace image_library::postgres {

void RequireKnownCaller() {
  Oid user;
  int context;
  GetUserIdAndSecContext(&user, &context);
  if ((context & (SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS)) == 0) return;
  ereport(ERROR,
          (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
           errmsg("permission denied: image_library does not act for code of a table's owner"),
           errdetail(
               "Indexes, materialized views, ANALYZE and actions of foreign keys run such code in "
               "the sessions of other roles."),
           errhint("Call the function in a statement of its own, or read a view.")));
}

namespace {

constinit Oid applied_writer = InvalidOid;

// Inside SECURITY DEFINER the current user is the owner, so the caller is the role set by SET ROLE,
// otherwise the session user. A policy has the same result for every caller, so it sees what its
// owner may see.
Oid ActingRole() {
  if (OidIsValid(PolicyOwner())) return PolicyOwner();
  if (OidIsValid(applied_writer)) return applied_writer;
  // The agent's own transactions are restricted operations, too.
  if (!Database::IsOpen()) RequireKnownCaller();
  const Oid role = GetCurrentRoleId();
  return OidIsValid(role) ? role : GetSessionUserId();
}

// The role that reads a view: inside a function of another owner, or in a materialized view, that
// owner.
Oid Viewer() {
  const bool ours = Database::IsOpen() || GetUserId() == get_role_oid("image_library_owner", true);
  return ours || OidIsValid(PolicyOwner()) ? ActingRole() : GetUserId();
}

// Memberships have options since PostgreSQL 16: pg_has_role(..., 'MEMBER') counts one that neither
// inherits nor may be taken by SET ROLE, such as that of who has created the role.
bool HasRightsOf(Oid member, Oid role) {
#if PG_VERSION_NUM >= 160000
  return has_privs_of_role(member, role) || member_can_set_role(member, role);
#else
  return is_member_of_role(member, role);
#endif
}

Datum NameOf(Oid (*role)()) {
  Datum name = 0;
  Guard([&] {
    Call([&] {
      name = DirectFunctionCall1(namein, CStringGetDatum(GetUserNameFromId(role(), false)));
    });
  });
  return name;
}

}  // namespace

Oid ActForWriter(Oid writer) noexcept { return std::exchange(applied_writer, writer); }

}  // namespace image_library::postgres

extern "C" {
PG_FUNCTION_INFO_V1(image_library_acting_role);
PG_FUNCTION_INFO_V1(image_library_viewer);
PG_FUNCTION_INFO_V1(image_library_has_rights_of);

/// acting_role() -> the role on whose behalf a function of the library runs
Datum image_library_acting_role(PG_FUNCTION_ARGS) {
  PG_RETURN_DATUM(image_library::postgres::NameOf(&image_library::postgres::ActingRole));
}

/// has_rights_of(member name, role regrole) -> whether a role has the rights of another, or may
/// take them by SET ROLE; null: there is no other role
Datum image_library_has_rights_of(PG_FUNCTION_ARGS) {
  const Oid role = PG_GETARG_OID(1);
  if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role))) PG_RETURN_NULL();
  const Oid member = get_role_oid(NameStr(*PG_GETARG_NAME(0)), false);
  PG_RETURN_BOOL(image_library::postgres::HasRightsOf(member, role));
}

/// viewer() -> the role that reads a view
Datum image_library_viewer(PG_FUNCTION_ARGS) {
  PG_RETURN_DATUM(image_library::postgres::NameOf(&image_library::postgres::Viewer));
}
}

#include "postgres/acting_role.h"

#include "postgres/bridge.h"
#include "postgres/database.h"
#include "postgres/policy_function.h"

extern "C" {
#include "utils/acl.h"
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

// Inside SECURITY DEFINER the current user is the owner, so the caller is the role set by SET ROLE,
// otherwise the session user. A policy has the same result for every caller, so it sees what its
// owner may see.
Oid ActingRole() {
  if (OidIsValid(PolicyOwner())) return PolicyOwner();
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
}  // namespace image_library::postgres

extern "C" {
PG_FUNCTION_INFO_V1(image_library_acting_role);
PG_FUNCTION_INFO_V1(image_library_viewer);

/// acting_role() -> the role on whose behalf a function of the library runs
Datum image_library_acting_role(PG_FUNCTION_ARGS) {
  PG_RETURN_DATUM(image_library::postgres::NameOf(&image_library::postgres::ActingRole));
}

/// viewer() -> the role that reads a view
Datum image_library_viewer(PG_FUNCTION_ARGS) {
  PG_RETURN_DATUM(image_library::postgres::NameOf(&image_library::postgres::Viewer));
}
}

// fail: how SQL functions of this extension raise their errors.
//
// Only plain C data in this file, since an ereport may leave any line.
#include "postgres/pg.h"
#include "postgres/error_context.h"

namespace image_library::postgres {
namespace {

// The conditions that the SQL files name; PL/pgSQL does not export its own list.
constexpr struct {
  const char* name;
  int sqlstate;
} kConditions[] = {
    {"ambiguous_alias", ERRCODE_AMBIGUOUS_ALIAS},
    {"dependent_objects_still_exist", ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST},
    {"duplicate_object", ERRCODE_DUPLICATE_OBJECT},
    {"feature_not_supported", ERRCODE_FEATURE_NOT_SUPPORTED},
    {"insufficient_privilege", ERRCODE_INSUFFICIENT_PRIVILEGE},
    {"invalid_function_definition", ERRCODE_INVALID_FUNCTION_DEFINITION},
    {"invalid_parameter_value", ERRCODE_INVALID_PARAMETER_VALUE},
    {"invalid_transaction_state", ERRCODE_INVALID_TRANSACTION_STATE},
    {"lock_not_available", ERRCODE_LOCK_NOT_AVAILABLE},
    {"no_data_found", ERRCODE_NO_DATA_FOUND},
    {"null_value_not_allowed", ERRCODE_NULL_VALUE_NOT_ALLOWED},
    {"object_not_in_prerequisite_state", ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE},
    {"program_limit_exceeded", ERRCODE_PROGRAM_LIMIT_EXCEEDED},
    {"read_only_sql_transaction", ERRCODE_READ_ONLY_SQL_TRANSACTION},
    {"reserved_name", ERRCODE_RESERVED_NAME},
    {"undefined_object", ERRCODE_UNDEFINED_OBJECT},
};

int SqlState(const char* condition) {
  for (const auto& known : kConditions)
    if (std::strcmp(known.name, condition) == 0) return known.sqlstate;
  if (std::strlen(condition) == 5 &&
      std::strspn(condition, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5)
    return MAKE_SQLSTATE(condition[0], condition[1], condition[2], condition[3], condition[4]);
  elog(ERROR, "image_library does not know condition \"%s\"", condition);
}

}  // namespace
}  // namespace image_library::postgres

extern "C" {
using namespace image_library::postgres;  // NOLINT

PG_FUNCTION_INFO_V1(image_library_fail);

/// fail(errcode text, message text, detail text, hint text): raises the error.
Datum image_library_fail(PG_FUNCTION_ARGS) {
  const char* part[4] = {};
  for (int i = 0; i < 4; ++i)
    if (!PG_ARGISNULL(i)) part[i] = text_to_cstring(PG_GETARG_TEXT_PP(i));
  int const sqlstate = SqlState(part[0] != nullptr ? part[0] : "");
  const char* const context = LeaveOutOwnContext();
  ereport(ERROR, (errcode(sqlstate), errmsg("%s", part[1] != nullptr ? part[1] : ""),
                  part[2] != nullptr ? errdetail("%s", part[2]) : 0,
                  part[3] != nullptr ? errhint("%s", part[3]) : 0,
                  context != nullptr ? errcontext("%s", context) : 0));
  pg_unreachable();
}
}

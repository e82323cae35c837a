// require_approved: the trigger function for users' own tables. It reads the column with the rights
// of the role that writes the row, and passes only its text to a function with the rights of the
// library.
//
// Only plain C data in this file, since an ereport may leave any line.
#include "postgres/pg.h"

extern "C" {
#include "commands/trigger.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

namespace {

// The data of the trigger; raises an error if the function was not called as such a trigger.
TriggerData* TriggerCall(FunctionCallInfo fcinfo) {
  auto* const call =
      CALLED_AS_TRIGGER(fcinfo) ? reinterpret_cast<TriggerData*>(fcinfo->context) : nullptr;
  if (call == nullptr || !TRIGGER_FIRED_FOR_ROW(call->tg_event) ||
      (!TRIGGER_FIRED_BY_INSERT(call->tg_event) && !TRIGGER_FIRED_BY_UPDATE(call->tg_event)) ||
      call->tg_trigger->tgnargs != 1)
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("image_library.require_approved is for row triggers on INSERT or UPDATE "
                           "and takes one column"),
                    errhint("CREATE TRIGGER ... FOR EACH ROW EXECUTE FUNCTION "
                            "image_library.require_approved('image_column').")));
  return call;
}

const char* TableName(Relation table) {
  return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)),
                                    RelationGetRelationName(table));
}

// The number of the column that the trigger names.
int ColumnNumber(const TriggerData* call) {
  const char* const column = call->tg_trigger->tgargs[0];
  TupleDesc const columns = RelationGetDescr(call->tg_relation);
  const int number = SPI_fnumber(columns, column);
  if (number <= 0)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                    errmsg("table %s has no column \"%s\" for image_library.require_approved",
                           TableName(call->tg_relation), column)));
  // A stored one is computed after BEFORE triggers, a virtual one when it is read.
  const char generated = TupleDescAttr(columns, number - 1)->attgenerated;
  if (generated != '\0' &&
      (generated != ATTRIBUTE_GENERATED_STORED || TRIGGER_FIRED_BEFORE(call->tg_event)))
    ereport(
        ERROR,
        (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
         errmsg("image_library.require_approved cannot guard column \"%s\" of table %s", column,
                TableName(call->tg_relation)),
         errdetail("The column is generated: it has no value yet when the trigger runs."),
         errhint(
             "Guard a stored generated column by a constraint trigger: CREATE CONSTRAINT TRIGGER "
             "... AFTER INSERT OR UPDATE.")));
  return number;
}

// Looked up without a check of rights: a role that writes the table needs none on the library.
void RequireUsable(const char* image) {
  const Oid text = TEXTOID;
  const Oid schema = get_namespace_oid("image_library_internal", false);
  const Oid function =
      GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("require_usable"),
                      PointerGetDatum(buildoidvector(&text, 1)), ObjectIdGetDatum(schema));
  if (!OidIsValid(function))
    elog(ERROR, "function image_library_internal.require_usable does not exist");
  (void)OidFunctionCall1(function, CStringGetTextDatum(image));
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_require_approved);

/// require_approved('column') -> trigger: raises the errors of resolve for the image in the column.
/// NULL is accepted; use NOT NULL to prevent it.
Datum image_library_require_approved(PG_FUNCTION_ARGS) {
  TriggerData* const call = TriggerCall(fcinfo);
  HeapTuple const row =
      TRIGGER_FIRED_BY_UPDATE(call->tg_event) ? call->tg_newtuple : call->tg_trigtuple;
  // The output function of the column's type, and not a cast: users can define casts, but only
  // superusers can define output functions.
  const char* const image =
      SPI_getvalue(row, RelationGetDescr(call->tg_relation), ColumnNumber(call));
  if (image != nullptr) RequireUsable(image);
  return PointerGetDatum(row);
}
}

// require_approved: the trigger function for users' own tables. It reads and writes the column with
// the rights of the role that writes the row, and passes only its text to a function with the
// rights of the library.
//
// Only plain C data in this file, since an ereport may leave any line.
#include "postgres/acting_role.h"
#include "postgres/pg.h"

extern "C" {
#include "commands/trigger.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "access/htup_details.h"
#include "mb/pg_wchar.h"
#include "replication/logicalworker.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

namespace {

// The data of the trigger; raises an error if the function was not called as such a trigger.
TriggerData* TriggerCall(FunctionCallInfo fcinfo) {
  auto* const call =
      CALLED_AS_TRIGGER(fcinfo) ? reinterpret_cast<TriggerData*>(fcinfo->context) : nullptr;
  if (call == nullptr || !TRIGGER_FIRED_FOR_ROW(call->tg_event) ||
      (!TRIGGER_FIRED_BY_INSERT(call->tg_event) && !TRIGGER_FIRED_BY_UPDATE(call->tg_event)) ||
      call->tg_trigger->tgnargs < 1 || call->tg_trigger->tgnargs > 3)
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("image_library.require_approved is for row triggers on INSERT or UPDATE "
                           "and takes a column, 'pin' or 'refuse', and a registry"),
                    errhint("CREATE TRIGGER ... FOR EACH ROW EXECUTE FUNCTION "
                            "image_library.require_approved('image_column').")));
  return call;
}

// The registry of the images; empty: any.
const char* RegistryName(const TriggerData* call) {
  return call->tg_trigger->tgnargs > 2 ? call->tg_trigger->tgargs[2] : "";
}

// Whether a reference without digest is stored with its digest; otherwise it is refused.
bool Pins(const TriggerData* call) {
  const Trigger* const trigger = call->tg_trigger;
  if (trigger->tgnargs == 1 || std::strcmp(trigger->tgargs[1], "refuse") == 0) return false;
  if (std::strcmp(trigger->tgargs[1], "pin") != 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the second argument of image_library.require_approved must be 'pin' or "
                           "'refuse', not '%s'",
                           trigger->tgargs[1])));
  if (!TRIGGER_FIRED_BEFORE(call->tg_event))
    ereport(ERROR,
            (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
             errmsg("image_library.require_approved with 'pin' must be a BEFORE trigger"),
             errdetail("Trigger \"%s\" runs when the row is stored already.", trigger->tgname),
             errhint("CREATE TRIGGER ... BEFORE INSERT OR UPDATE ..., or leave 'pin' out.")));
  return true;
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

// The reference to store. Looked up without a check of rights: a role that writes the table needs
// none on the library.
char* RequireUsable(const char* image, bool pin, const char* registry) {
  const Oid types[] = {TEXTOID, BOOLOID, TEXTOID};
  const Oid schema = get_namespace_oid("image_library_internal", false);
  const Oid function =
      GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("require_usable"),
                      PointerGetDatum(buildoidvector(types, 3)), ObjectIdGetDatum(schema));
  if (!OidIsValid(function))
    elog(ERROR, "function image_library_internal.require_usable does not exist");
  Datum volatile stored = 0;
  // Since PostgreSQL 16 these workers write with the rights of the table's owner, in a
  // security-restricted operation.
  const Oid before =
      image_library::postgres::ActForWriter(IsLogicalWorker() ? GetUserId() : InvalidOid);
  PG_TRY();
  {
    stored = OidFunctionCall3(function, CStringGetTextDatum(image), BoolGetDatum(pin),
                              CStringGetTextDatum(registry));
  }
  PG_FINALLY();
  { (void)image_library::postgres::ActForWriter(before); }
  PG_END_TRY();
  return TextDatumGetCString(stored);
}

// The row with another reference in the column. No cast is called: text and varchar are stored
// alike. The checks of a domain run as on any write by this role.
HeapTuple WithReference(const TriggerData* call, HeapTuple row, int number, const char* image) {
  TupleDesc const columns = RelationGetDescr(call->tg_relation);
  const Form_pg_attribute column = TupleDescAttr(columns, number - 1);
  int32 modifier = column->atttypmod;
  const Oid base = getBaseTypeAndTypmod(column->atttypid, &modifier);
  if (base != TEXTOID && base != VARCHAROID)
    ereport(
        ERROR,
        (errcode(ERRCODE_DATATYPE_MISMATCH),
         errmsg("image_library.require_approved cannot pin column \"%s\" of table %s, of type %s",
                NameStr(column->attname), TableName(call->tg_relation),
                format_type_be(column->atttypid)),
         errhint("Use type text or varchar, or leave 'pin' out.")));
  if (base == VARCHAROID && modifier >= VARHDRSZ &&
      pg_mbstrlen(image) > modifier - static_cast<int32>(VARHDRSZ))
    ereport(ERROR, (errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
                    errmsg("column \"%s\" of table %s is too short for a pinned reference",
                           NameStr(column->attname), TableName(call->tg_relation)),
                    errdetail("It is \"%s\", and the column has type %s.", image,
                              format_type_with_typemod(column->atttypid, column->atttypmod)),
                    errhint("Use type text.")));
  Datum value = CStringGetTextDatum(image);
  bool is_null = false;
  if (base != column->atttypid) domain_check(value, false, column->atttypid, nullptr, nullptr);
  return heap_modify_tuple_by_cols(row, columns, 1, &number, &value, &is_null);
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_require_approved);

/// require_approved('column' [, 'pin' | 'refuse' [, 'registry']]) -> trigger: raises the errors of
/// resolve for the image in the column. A reference without digest is stored with it ('pin') or
/// refused. NULL is accepted; use NOT NULL to prevent it.
Datum image_library_require_approved(PG_FUNCTION_ARGS) {
  TriggerData* const call = TriggerCall(fcinfo);
  HeapTuple row = TRIGGER_FIRED_BY_UPDATE(call->tg_event) ? call->tg_newtuple : call->tg_trigtuple;
  const bool pin = Pins(call);
  const int number = ColumnNumber(call);
  // The output function of the column's type, and not a cast: users can define casts, but only
  // superusers can define output functions.
  const char* const image = SPI_getvalue(row, RelationGetDescr(call->tg_relation), number);
  if (image != nullptr) {
    const char* const stored = RequireUsable(image, pin, RegistryName(call));
    if (std::strcmp(stored, image) != 0) row = WithReference(call, row, number, stored);
  }
  return PointerGetDatum(row);
}
}

// Only plain C data in this file, since an ereport may leave any line.
#include "postgres/pg.h"
#include "postgres/error_context.h"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "lib/stringinfo.h"
#include "utils/catcache.h"
#include "utils/syscache.h"
}

namespace image_library::postgres {
namespace {

constexpr char kSqlFunction[] = "SQL function \"";

bool StartsWith(const char* text, const char* start) {
  return std::strncmp(text, start, std::strlen(start)) == 0;
}

// PostgreSQL names a function in SQL without its schema, so it is taken for a user's if a user has
// one of that name.
bool IsOwnSqlFunction(const char* text) {
  const char* const name = text + std::strlen(kSqlFunction);
  const char* const end = std::strchr(name, '"');
  if (end == nullptr) return false;
  Oid const schemas[] = {get_namespace_oid("image_library", true),
                         get_namespace_oid("image_library_internal", true)};
  CatCList* const functions = SearchSysCacheList1(
      PROCNAMEARGSNSP, CStringGetDatum(pnstrdup(name, static_cast<Size>(end - name))));
  bool own = functions->n_members > 0;
  for (int i = 0; i < functions->n_members; ++i) {
    Oid const schema =
        reinterpret_cast<Form_pg_proc>(GETSTRUCT(&functions->members[i]->tuple))->pronamespace;
    own = own && OidIsValid(schema) && (schema == schemas[0] || schema == schemas[1]);
  }
  ReleaseSysCacheList(functions);
  return own;
}

enum class Line { kOwn, kFunction, kStatement };

// Other languages have "PL/pgSQL" in the line of a function too, and quotation marks only in those
// of statements.
Line KindOf(const char* text) {
  // Users' statements do not name internal functions; those of this extension do.
  if (std::strstr(text, "image_library_internal.") != nullptr) return Line::kOwn;
  if (StartsWith(text, kSqlFunction)) return IsOwnSqlFunction(text) ? Line::kOwn : Line::kFunction;
  if (!StartsWith(text, "PL/pgSQL function ") &&
      (std::strstr(text, "PL/pgSQL") == nullptr || std::strchr(text, '"') != nullptr))
    return Line::kStatement;
  return std::strstr(text, " image_library.") != nullptr ? Line::kOwn : Line::kFunction;
}

}  // namespace

const char* LeaveOutOwnContext() {
  if (message_level_is_interesting(DEBUG1)) return nullptr;
  StringInfoData kept;
  initStringInfo(&kept);
  // Statements of a function come before the function itself, and share its fate.
  StringInfoData statements;
  initStringInfo(&statements);
  ErrorContextCallback* const stack = error_context_stack;
  for (ErrorContextCallback* entry = stack; entry != nullptr; entry = entry->previous) {
    ErrorContextCallback alone = *entry;
    alone.previous = nullptr;
    error_context_stack = &alone;
    const char* const text = GetErrorContextStack();
    error_context_stack = stack;
    if (text == nullptr || *text == '\0') continue;
    const Line kind = KindOf(text);
    if (kind != Line::kOwn)
      appendStringInfo(&statements, "%s%s", statements.len > 0 ? "\n" : "", text);
    if (kind == Line::kStatement) continue;
    if (kind == Line::kFunction)
      appendStringInfo(&kept, "%s%s", kept.len > 0 ? "\n" : "", statements.data);
    resetStringInfo(&statements);
  }
  if (statements.len > 0)
    appendStringInfo(&kept, "%s%s", kept.len > 0 ? "\n" : "", statements.data);
  // Whoever catches the error sets it back.
  error_context_stack = nullptr;
  return kept.len > 0 ? kept.data : nullptr;
}

}  // namespace image_library::postgres

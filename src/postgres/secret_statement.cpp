#include "postgres/secret_statement.h"

extern "C" {
#include "catalog/pg_language_d.h"
#include "catalog/pg_proc.h"
#include "commands/prepare.h"
#include "common/hashfn.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

#include "core/secret_text.h"

namespace image_library::postgres {

constinit RunningStatement* innermost_statement = nullptr;

namespace {

// An SQL comment, since pg_stat_statements scans the text again.
constexpr char kBlanked[] = "/* hidden by image_library: it sets a credential */";

constexpr int kRemembered = 512;
constinit uint64 remembered[kRemembered] = {};
constinit uint64 remembered_count = 0;

// Cached results for users' functions; a replaced function has another xmin.
struct Verdict {
  Oid function;
  TransactionId xmin;
  bool secret;
};
constexpr int kVerdicts = 128;
constinit Verdict verdicts[kVerdicts] = {};

uint64 HashOf(const char* text) {
  return hash_bytes_extended(reinterpret_cast<const unsigned char*>(text),
                             static_cast<int>(std::strlen(text)), 0);
}

bool BodyNamesSecretFunction(HeapTuple tuple) {
  bool is_null = false;
  const Datum source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
  if (is_null) return false;
  text* const body = DatumGetTextPP(source);
  return MayHoldSecret({VARDATA_ANY(body), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(body))});
}

bool IsOurs(Oid schema) {
  const char* const name = get_namespace_name(schema);
  return name != nullptr && (std::strcmp(name, "image_library") == 0 ||
                             std::strcmp(name, "image_library_internal") == 0);
}

bool IsSecretFunction(Oid function) {
  if (function < FirstNormalObjectId) return false;
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return false;
  const auto form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
  const char* const name = NameStr(form->proname);
  bool secret =
      std::strcmp(name, "set_credential") == 0 || std::strcmp(name, "set_client_certificate") == 0;
  // A function whose body names one of them passes the secret on.
  if (!secret && form->prolang != INTERNALlanguageId && form->prolang != ClanguageId) {
    const TransactionId xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
    Verdict& verdict = verdicts[function % kVerdicts];
    if (verdict.function != function || verdict.xmin != xmin)
      verdict = {function, xmin, !IsOurs(form->pronamespace) && BodyNamesSecretFunction(tuple)};
    secret = verdict.secret;
  }
  ReleaseSysCache(tuple);
  return secret;
}

// EXECUTE does not contain the text of the prepared statement.
bool ExecutesSecret(const char* name) {
  const PreparedStatement* const prepared = FetchPreparedStatement(name, false);
  return prepared != nullptr && (IsKnownSecretText(prepared->plansource->query_string) ||
                                 MayHoldSecret(prepared->plansource->query_string));
}

// The same before there is a tree, since EXPLAIN EXECUTE is logged before. In case of doubt, true.
bool TextExecutesSecret(const char* text) {
  if (remembered_count == 0) return false;
  constexpr char kExecute[] = "execute";
  for (const char* at = text; *at != '\0'; ++at) {
    if (pg_strncasecmp(at, kExecute, sizeof kExecute - 1) != 0) continue;
    at += sizeof kExecute - 1;
    at += std::strspn(at, " \t\r\n\f\v");
    char name[NAMEDATALEN] = {};
    int size = 0;
    const bool quoted = *at == '"';
    if (quoted) ++at;
    const char* const begin = at;
    for (; *at != '\0' && (quoted ? *at != '"' : std::strchr(" \t\r\n\f\v;(", *at) == nullptr);
         ++at)
      if (size < NAMEDATALEN - 1) name[size++] = quoted ? *at : pg_tolower(*at);
    const bool strange = !quoted && std::strpbrk(name, "/&-'\"") != nullptr;
    if (strange || (quoted && at[0] == '"' && at[1] == '"') ||
        (at != begin && ExecutesSecret(name)))
      return true;
    if (*at == '\0') break;
  }
  return false;
}

bool Walk(Node* node, void* context) {
  if (node == nullptr) return false;
  const auto walker = TreeWalker(&Walk);
  if (IsA(node, FuncExpr) && IsSecretFunction(reinterpret_cast<FuncExpr*>(node)->funcid))
    return true;
  if (!IsA(node, Query)) return expression_tree_walker(node, walker, context);
  const auto query = reinterpret_cast<Query*>(node);
  Node* inner = nullptr;
  if (query->utilityStmt != nullptr) switch (nodeTag(query->utilityStmt)) {
      case T_ExplainStmt:
        inner = reinterpret_cast<ExplainStmt*>(query->utilityStmt)->query;
        break;
      case T_CreateTableAsStmt:
        inner = reinterpret_cast<CreateTableAsStmt*>(query->utilityStmt)->query;
        break;
      case T_DeclareCursorStmt:
        inner = reinterpret_cast<DeclareCursorStmt*>(query->utilityStmt)->query;
        break;
      case T_CallStmt:
        return Walk(
            reinterpret_cast<Node*>(reinterpret_cast<CallStmt*>(query->utilityStmt)->funcexpr),
            context);
      case T_ExecuteStmt:
        return ExecutesSecret(reinterpret_cast<ExecuteStmt*>(query->utilityStmt)->name);
      default:
        break;
    }
  // What analysis has not come to yet has a tree of another kind, and is seen when it does.
  if (inner != nullptr && IsA(inner, Query)) return Walk(inner, context);
  return query->utilityStmt == nullptr && query_tree_walker(query, walker, context, 0);
}

// The comment begins at the position that the parser stored, since pg_stat_statements reads the
// text from there.
void Blank(char* text, int location) {
  std::memset(text, ' ', std::strlen(text));
  std::memcpy(text + Max(location, 0), kBlanked, sizeof kBlanked - 1);
}

void HideText(RunningStatement* statement) {
  if (statement->text != nullptr && !HasBlanked(statement->text))
    Blank(statement->text, statement->location);
  QueryDesc* const query = statement->query;
  if (query == nullptr || HasBlanked(query->sourceText)) return;
  const int location = query->plannedstmt->stmt_location;
  char* const text = CopyToBlank(GetMemoryChunkContext(query), query->sourceText, location);
  Blank(text, location);
  query->sourceText = text;
  // Parallel workers show this text.
  if (query->estate != nullptr) query->estate->es_sourceText = text;
}

}  // namespace

char* CopyToBlank(MemoryContext context, const char* text, int location) {
  const std::size_t size = std::strlen(text);
  // Zeros behind the text: where the comment is longer, it ends there.
  auto* const copy = static_cast<char*>(
      MemoryContextAllocZero(context, Max(size, Max(location, 0) + sizeof kBlanked) + 1));
  return static_cast<char*>(std::memcpy(copy, text, size));
}

bool HasBlanked(const char* text) { return std::strstr(text, kBlanked) != nullptr; }

void RememberSecretText(const char* text) {
  const uint64 hash = HashOf(text);
  const uint64 count = Min(remembered_count, static_cast<uint64>(kRemembered));
  for (uint64 i = 0; i < count; ++i)
    if (remembered[i] == hash) return;
  remembered[remembered_count++ % kRemembered] = hash;
}

bool IsKnownSecretText(const char* text) {
  if (text == nullptr) return false;
  if (remembered_count == 0) return false;
  if (HasBlanked(text)) return true;
  const uint64 hash = HashOf(text);
  const uint64 count = Min(remembered_count, static_cast<uint64>(kRemembered));
  for (uint64 i = 0; i < count; ++i)
    if (remembered[i] == hash) return true;
  return remembered_count > kRemembered && MayHoldSecret(text);
}

bool CallsSecretFunction(Query* query) { return Walk(reinterpret_cast<Node*>(query), nullptr); }

bool RunningStatementIsSecret() {
  return debug_query_string != nullptr &&
         (debug_query_string == kHiddenStatement || IsKnownSecretText(debug_query_string) ||
          MayHoldSecret(debug_query_string) || TextExecutesSecret(debug_query_string));
}

void HideRunningStatement() {
  for (RunningStatement* each = innermost_statement; each != nullptr; each = each->outer)
    HideText(each);
  // PostgreSQL sets it again with the next message of the client.
  if (debug_query_string == nullptr || debug_query_string == kHiddenStatement) return;
  RememberSecretText(debug_query_string);
  debug_query_string = kHiddenStatement;
  pgstat_report_activity(STATE_RUNNING, kHiddenStatement);
}

}  // namespace image_library::postgres

extern "C" {
PG_FUNCTION_INFO_V1(image_library_hide_statement);

/// _hide_statement(): the text of the running statement may hold a secret.
Datum image_library_hide_statement(PG_FUNCTION_ARGS) {
  image_library::postgres::HideRunningStatement();
  PG_RETURN_VOID();
}
}

#include "postgres/statement_guard.h"

#include "postgres/pg.h"

#include "core/secret_text.h"
#include "postgres/secret_statement.h"

namespace image_library::postgres {
namespace {

constinit emit_log_hook_type previous_hook = nullptr;

constexpr char kHidden[] = "hidden by image_library: it sets a credential";

bool HoldsSecret(const char* text) { return text != nullptr && MayHoldSecret(text); }

// Messages that log a statement have its text at the end: "execute <unnamed>: SELECT ...".
bool EndsInSecret(const char* message) {
  if (message == nullptr) return false;
  if (HasBlanked(message) || MayHoldSecret(message)) return true;
  int prefixes = 0;
  for (const char* colon = std::strstr(message, ": "); colon != nullptr && prefixes < 4;
       colon = std::strstr(colon + 2, ": "), ++prefixes)
    if (IsKnownSecretText(colon + 2)) return true;
  return false;
}

// In the same memory context, since the caller that raised the message frees it.
char* InPlace(const ErrorData* error, const char* what) {
  return MemoryContextStrdup(error->assoc_context, what);
}

bool LogsStatements(const ErrorData* error) {
  return error->elevel == LOG || error->elevel == LOG_SERVER_ONLY ||
         // auto_explain.log_level
         (error->elevel < ERROR && error->message != nullptr &&
          std::strncmp(error->message, "duration: ", 10) == 0);
}

// PostgreSQL's own errors that quote a part of the statement: 'invalid input syntax for type
// integer: "secret"', 'syntax error at or near "secret"'. Those of the library are
// invalid_parameter_value.
bool QuotesValues(int code) {
  return (ERRCODE_TO_CATEGORY(code) == ERRCODE_DATA_EXCEPTION &&
          code != ERRCODE_INVALID_PARAMETER_VALUE) ||
         code == ERRCODE_SYNTAX_ERROR || code == ERRCODE_UNDEFINED_COLUMN ||
         code == ERRCODE_UNDEFINED_TABLE || code == ERRCODE_UNDEFINED_PARAMETER ||
         code == ERRCODE_AMBIGUOUS_COLUMN || code == ERRCODE_INVALID_SCHEMA_NAME ||
         code == ERRCODE_INVALID_NAME || code == ERRCODE_NAME_TOO_LONG;
}

// Position of the first quotation mark in a message, in any language of PostgreSQL.
std::size_t QuoteIn(const char* message) {
  const std::string_view text(message);
  std::size_t first = text.find_first_of("\"'`");
  for (const char* const quote : {"\xC2\xAB", "\xC2\xBB", "\xE2\x80", "\xE3\x80"})
    first = Min(first, text.find(quote));
  return first;
}

char* WithoutQuoted(const ErrorData* error, const char* message) {
  const std::size_t quote = QuoteIn(message);
  if (quote == std::string_view::npos) return InPlace(error, message);
  char* const cut = static_cast<char*>(MemoryContextAlloc(error->assoc_context, quote + 4));
  std::memcpy(cut, message, quote);
  std::memcpy(cut + quote, "...", 4);
  return cut;
}

void HideStatementLine(ErrorData* error) {
  error->message = InPlace(error, "statement: <hidden by image_library: it sets a credential>");
  error->detail = nullptr;
  error->detail_log = nullptr;
  error->hint = nullptr;
}

// For a statement that sets a secret.
void HideOwn(ErrorData* error) {
  error->hide_stmt = true;
  // The context contains statements of functions, and values of parameters.
  if (error->context != nullptr) error->context = InPlace(error, kHidden);
  error->internalquery = nullptr;
  if (LogsStatements(error)) {
    HideStatementLine(error);
    return;
  }
  // The client gets the detail of its error, which contains a row that violates a constraint.
  if (error->detail != nullptr || error->detail_log != nullptr)
    error->detail_log = InPlace(error, kHidden);
  if (error->message != nullptr && QuotesValues(error->sqlerrcode))
    error->message = WithoutQuoted(error, error->message);
}

// For any other statement, whose message may contain the text of one that sets a secret: a
// statement run by EXECUTE, that of a crashed process, or that of a session which holds a lock.
void HideRepeated(ErrorData* error) {
  if (HoldsSecret(error->context)) {
    error->context = InPlace(error, kHidden);
    error->hide_stmt = true;
  }
  if (HoldsSecret(error->internalquery)) error->internalquery = nullptr;
  const bool detail = EndsInSecret(error->detail) || EndsInSecret(error->detail_log);
  if (detail) error->detail_log = InPlace(error, kHidden);
  if (LogsStatements(error) && MyProcPid != PostmasterPid &&
      (detail || EndsInSecret(error->message)))
    HideStatementLine(error);
}

void OnLog(ErrorData* error) {
  if (RunningStatementIsSecret()) {
    HideOwn(error);
    // Otherwise a statement that fails before its analysis stays in pg_stat_activity until the next
    // one.
    if (debug_query_string != kHiddenStatement && MyBEEntry != nullptr &&
        MyBEEntry->st_state == STATE_RUNNING)
      pgstat_report_activity(STATE_RUNNING, kHiddenStatement);
  } else {
    HideRepeated(error);
  }
  if (previous_hook != nullptr) previous_hook(error);
}

}  // namespace

void HideSecretsInLog() {
  previous_hook = emit_log_hook;
  emit_log_hook = OnLog;
}

}  // namespace image_library::postgres

#include "postgres/pg.h"
#include "postgres/statement_guard.h"

namespace image_library::postgres {
namespace {

constinit emit_log_hook_type previous_hook = nullptr;

// A URL with a user and perhaps a password, which add_registry refuses; the statement is logged all
// the same.
bool HasUserInUrl(const char* text) {
  for (const char* url = std::strstr(text, "://"); url != nullptr; url = std::strstr(url, "://")) {
    url += 3;
    if (url[std::strcspn(url, "@/?#'\" \t\n")] == '@') return true;
  }
  return false;
}

bool HoldsSecret(const char* text) {
  return text != nullptr && (std::strstr(text, "set_credential") != nullptr ||
                             std::strstr(text, "set_client_certificate") != nullptr ||
                             (std::strstr(text, "_registry") != nullptr && HasUserInUrl(text)));
}

// A context may repeat a statement of a block or function, or the values of its parameters.
bool RepeatsText(const char* context) {
  return context != nullptr && (std::strstr(context, "SQL statement") != nullptr ||
                                std::strstr(context, "SQL expression") != nullptr ||
                                std::strstr(context, "parameters") != nullptr);
}

// Whoever raised the message frees it: it must be of the same memory.
char* Hidden(const ErrorData* error, const char* what) {
  return MemoryContextStrdup(error->assoc_context, what);
}

void OnLog(ErrorData* error) {
  if (previous_hook != nullptr) previous_hook(error);
  const bool runs_one = HoldsSecret(debug_query_string);
  // EXECUTE does not name what was prepared; the context of an error does.
  const bool secret = runs_one || HoldsSecret(error->context);
  if (secret) error->hide_stmt = true;
  if (secret && RepeatsText(error->context)) {
    error->context = Hidden(error, "hidden by image_library: it sets a credential");
  }
  if (HoldsSecret(error->internalquery)) error->internalquery = nullptr;
  // log_statement and log_min_duration_statement put the statement into the message itself; bind
  // parameters, or what EXECUTE runs, follow in the detail.
  if (error->elevel == LOG && error->output_to_server &&
      (runs_one || HoldsSecret(error->message) || HoldsSecret(error->detail))) {
    error->message = Hidden(error, "statement: <hidden by image_library: it sets a credential>");
    error->detail = nullptr;
    error->detail_log = nullptr;
  }
}

}  // namespace

void HideSecretsInLog() {
  previous_hook = emit_log_hook;
  emit_log_hook = OnLog;
}

}  // namespace image_library::postgres

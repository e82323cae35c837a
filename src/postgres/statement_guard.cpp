#include "postgres/pg.h"
#include "postgres/statement_guard.h"

namespace image_library::postgres {
namespace {

constinit emit_log_hook_type previous_hook = nullptr;

bool HoldsSecret(const char* text) {
  return text != nullptr && (std::strstr(text, "set_credential") != nullptr ||
                             std::strstr(text, "set_client_certificate") != nullptr);
}

void OnLog(ErrorData* error) {
  if (previous_hook != nullptr) previous_hook(error);
  if (HoldsSecret(debug_query_string)) error->hide_stmt = true;
  // log_statement and log_min_duration_statement put the statement into the message itself; bind
  // parameters follow in the detail.
  if (error->elevel == LOG && error->output_to_server &&
      (HoldsSecret(error->message) || HoldsSecret(debug_query_string))) {
    // Whoever raised the message frees it: it must be of the same memory.
    error->message = MemoryContextStrdup(
        error->assoc_context, "statement: <hidden by image_library: it sets a credential>");
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

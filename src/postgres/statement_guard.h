// Keeps secrets that statements carry out of the server's log.
#ifndef IMAGE_LIBRARY_POSTGRES_STATEMENT_GUARD_H_
#define IMAGE_LIBRARY_POSTGRES_STATEMENT_GUARD_H_

namespace image_library::postgres {

/// Installs a hook that drops the text of statements which call set_credential or
/// set_client_certificate from log_statement,
/// log_min_duration_statement and the STATEMENT line of errors. It can do so for a session's first
/// statement only when the library is preloaded.
void HideSecretsInLog();

}  // namespace image_library::postgres

#endif

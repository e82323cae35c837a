// Keeps secrets that statements carry out of the server's log.
#ifndef IMAGE_LIBRARY_POSTGRES_STATEMENT_GUARD_H_
#define IMAGE_LIBRARY_POSTGRES_STATEMENT_GUARD_H_

namespace image_library::postgres {

/// Installs a hook that takes out of every line of the log the texts, bind parameters and contexts
/// of statements that set a secret, and the values that errors of theirs quote. It decides by what
/// the hooks of WatchStatements found; where no tree was seen (log_statement, syntax errors, texts
/// of others in details) by MayHoldSecret. For a session's first statement it can do so only when
/// the library is preloaded.
void HideSecretsInLog();

}  // namespace image_library::postgres

#endif

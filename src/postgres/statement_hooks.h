// Finds statements that set a secret by their trees, and hides them from what else keeps texts.
#ifndef IMAGE_LIBRARY_POSTGRES_STATEMENT_HOOKS_H_
#define IMAGE_LIBRARY_POSTGRES_STATEMENT_HOOKS_H_

namespace image_library::postgres {

/// Installs hooks of analysis, executor and utility statements. A statement whose tree calls
/// set_credential, set_client_certificate or a function that wraps them is hidden from its analysis
/// on, one that comes to them otherwise from there on (see HideRunningStatement). The text of a
/// utility statement is kept from pg_stat_statements only when that was loaded before; another
/// order is warned of.
void WatchStatements();

}  // namespace image_library::postgres

#endif

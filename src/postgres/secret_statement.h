// Statements of this session that set a secret.
#ifndef IMAGE_LIBRARY_POSTGRES_SECRET_STATEMENT_H_
#define IMAGE_LIBRARY_POSTGRES_SECRET_STATEMENT_H_

#include "postgres/pg.h"

namespace image_library::postgres {

/// The text that is shown in place of a statement, in the log and in pg_stat_activity.
inline constexpr char kHiddenStatement[] = "<hidden by image_library: it sets a credential>";

/// Hides the running statement: until it ends, pg_stat_activity, the log, auto_explain and
/// pg_stat_statements do not get its text, nor the texts of the statements that called it.
void HideRunningStatement();

/// True when the running statement is hidden, or its text must be hidden. Reads no catalog.
bool RunningStatementIsSecret();

/// True when a tree calls set_credential, set_client_certificate, or a function whose body names
/// one of them. Reads catalogs.
bool CallsSecretFunction(Query* query);

/// Remembers the text of a statement that must be hidden according to its tree. The last 512 texts
/// of a session are remembered; if there were more, MayHoldSecret decides on the others.
void RememberSecretText(const char* text);

/// True for a text that is remembered, or that was blanked.
bool IsKnownSecretText(const char* text);

/// A query or utility statement that runs, from the outermost to the innermost.
struct RunningStatement {
  RunningStatement* outer;
  QueryDesc* query;  ///< of the executor; its text is replaced
  char* text;        ///< of a utility statement, of CopyToBlank; overwritten in place
  int location;      ///< where in text the statement begins; -1: at its beginning
};
extern RunningStatement* innermost_statement;

/// A copy of a text that can be overwritten by spaces and a comment that says so.
char* CopyToBlank(MemoryContext context, const char* text, int location);

/// True when a text has that comment.
bool HasBlanked(const char* text);

}  // namespace image_library::postgres

#endif

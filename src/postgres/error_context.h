// The context of an error: the lines `PL/pgSQL function ... line 3 at RAISE` that PostgreSQL adds.
#ifndef IMAGE_LIBRARY_POSTGRES_ERROR_CONTEXT_H_
#define IMAGE_LIBRARY_POSTGRES_ERROR_CONTEXT_H_

namespace image_library::postgres {

/// Takes the running functions of this extension out of the context of the error that the caller
/// raises next with ereport(ERROR, ...): to a user they say nothing. Returns the lines of the
/// others, such as the user's own functions, for errcontext; null: there are none. At the level
/// DEBUG1 the context stays as it is, and the result is null.
const char* LeaveOutOwnContext();

}  // namespace image_library::postgres

#endif

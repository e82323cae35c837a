#include "postgres/pg.h"
#include "postgres/bridge.h"

#include "core/error.h"
#include "postgres/error_context.h"

namespace image_library::postgres {
namespace {

int SqlState(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return ERRCODE_INVALID_PARAMETER_VALUE;
    case ErrorKind::kInvalidPattern:
      return ERRCODE_INVALID_REGULAR_EXPRESSION;
    case ErrorKind::kMalformed:
    case ErrorKind::kDigestMismatch:
      return ERRCODE_DATA_EXCEPTION;
    case ErrorKind::kTooLarge:
      return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case ErrorKind::kUnreachable:
    case ErrorKind::kTls:
      return ERRCODE_CONNECTION_FAILURE;
    case ErrorKind::kForbiddenAddress:
    case ErrorKind::kUnauthorized:
      return ERRCODE_INSUFFICIENT_PRIVILEGE;
    case ErrorKind::kNotFound:
      return ERRCODE_UNDEFINED_OBJECT;
    case ErrorKind::kRateLimited:
    case ErrorKind::kBudget:
      return ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
    case ErrorKind::kServer:
    case ErrorKind::kProtocol:
      return ERRCODE_PROTOCOL_VIOLATION;
  }
  return ERRCODE_INTERNAL_ERROR;
}

// A copy that an out-of-memory condition turns into null rather than into a longjmp.
const char* Copy(const char* text) noexcept {
  if (text == nullptr || *text == '\0') return nullptr;
  const std::size_t size = std::strlen(text) + 1;
  void* copy = MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_NO_OOM);
  if (copy == nullptr) return nullptr;
  return static_cast<const char*>(std::memcpy(copy, text, size));
}

// Null where there is no memory for the copy: that is an error again, and no error may jump out of
// Call.
ErrorData* CopyError() {
  ErrorData* volatile copy = nullptr;
  PG_TRY();
  { copy = CopyErrorData(); }
  PG_CATCH();
  {}
  PG_END_TRY();
  return copy;
}

std::string Owned(const char* text) { return text == nullptr ? std::string() : std::string(text); }

}  // namespace

namespace internal {

// In a file of its own and behind a function pointer: no variable of the caller is live in the
// frame that sigsetjmp returns to twice.
void CallPostgres(void (*function)(void*), void* argument) {
  MemoryContext const caller = CurrentMemoryContext;
  ErrorData* volatile error = nullptr;
  volatile bool raised = false;
  PG_TRY();
  { function(argument); }
  PG_CATCH();
  {
    raised = true;
    MemoryContextSwitchTo(caller);
    error = CopyError();
    FlushErrorState();
  }
  PG_END_TRY();
  if (!raised) return;
  if (error == nullptr) throw PostgresError(ERRCODE_OUT_OF_MEMORY, "out of memory", {}, {});
  PostgresError exception(error->sqlerrcode, Owned(error->message), Owned(error->detail),
                          Owned(error->hint));
  FreeErrorData(error);
  throw exception;
}

bool RunGuarded(void (*function)(void*), void* argument, Failure* failure) noexcept {
  try {
    function(argument);
    return true;
  } catch (const PostgresError& error) {
    *failure = {error.sqlstate, Copy(error.what()), Copy(error.detail.c_str()),
                Copy(error.hint.c_str())};
  } catch (const Error& error) {
    *failure = {SqlState(error.kind()), Copy(error.what()), Copy(error.detail().c_str()),
                Copy(error.hint().c_str())};
  } catch (const std::bad_alloc&) {
    *failure = {ERRCODE_OUT_OF_MEMORY, "out of memory", nullptr, nullptr};
  } catch (const std::exception& error) {
    *failure = {ERRCODE_INTERNAL_ERROR, Copy(error.what()), nullptr, nullptr};
  } catch (...) {
    *failure = {ERRCODE_INTERNAL_ERROR, "unknown C++ exception", nullptr, nullptr};
  }
  if (failure->message == nullptr)
    *failure = {ERRCODE_OUT_OF_MEMORY, "out of memory", nullptr, nullptr};
  return false;
}

void Raise(const Failure& failure) {
  const char* const context = LeaveOutOwnContext();
  ereport(ERROR, (errcode(failure.sqlstate), errmsg("%s", failure.message),
                  failure.detail != nullptr ? errdetail("%s", failure.detail) : 0,
                  failure.hint != nullptr ? errhint("%s", failure.hint) : 0,
                  context != nullptr ? errcontext("%s", context) : 0));
  pg_unreachable();
}

}  // namespace internal
}  // namespace image_library::postgres

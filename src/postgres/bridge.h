// The border between C++ and PostgreSQL. An ereport is a longjmp that skips destructors, and a C++
// exception that leaves C++ terminates the server. Therefore PostgreSQL is called only through
// Call, and C++ is entered only through Guard.
#ifndef IMAGE_LIBRARY_POSTGRES_BRIDGE_H_
#define IMAGE_LIBRARY_POSTGRES_BRIDGE_H_

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

namespace image_library::postgres {

/// An error that PostgreSQL raised, as a C++ exception. The transaction must be aborted before
/// PostgreSQL is called again, which Database::Transaction does.
class PostgresError : public std::exception {
 public:
  PostgresError(int code, std::string primary, std::string more, std::string advice)
      : sqlstate(code),
        message(std::move(primary)),
        detail(std::move(more)),
        hint(std::move(advice)) {}
  const char* what() const noexcept override { return message.c_str(); }

  int sqlstate;  ///< as ERRCODE_ macros encode it
  std::string message, detail, hint;
};

namespace internal {
void CallPostgres(void (*function)(void*), void* argument);
bool RunGuarded(void (*function)(void*), void* argument, struct Failure* failure) noexcept;
[[noreturn]] void Raise(const struct Failure& failure);

// The error that is raised after all C++ frames are left: no destructor, memory of the caller's
// context.
struct Failure {
  int sqlstate;
  const char* message;
  const char* detail;
  const char* hint;
};

template <typename Fn>
void Invoke(void* argument) {
  (*static_cast<std::remove_reference_t<Fn>*>(argument))();
}
}  // namespace internal

/// Runs function, which calls PostgreSQL; an ereport becomes a PostgresError. No object with a
/// destructor may exist inside the function.
template <typename Fn>
void Call(Fn&& function) {
  internal::CallPostgres(&internal::Invoke<Fn>, &function);
}

/// The same for a function with a trivially destructible result.
template <typename Fn>
auto Value(Fn&& function) {
  using Result = std::invoke_result_t<Fn>;
  static_assert(std::is_trivially_destructible_v<Result>);
  Result result{};
  Call([&] { result = function(); });
  return result;
}

/// The outer frame of a SQL-callable function or worker: runs function; any exception becomes one
/// ereport(ERROR) after all C++ frames are left. image_library::Error and std::bad_alloc are mapped
/// to SQLSTATEs only here.
template <typename Fn>
void Guard(Fn&& function) {
  static_assert(std::is_trivially_destructible_v<std::remove_reference_t<Fn>>,
                "capture by reference: an ereport would skip the captures' destructors");
  internal::Failure failure{};
  if (!internal::RunGuarded(&internal::Invoke<Fn>, &function, &failure)) internal::Raise(failure);
}

}  // namespace image_library::postgres

#endif

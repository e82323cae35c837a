// The error type of core, registry and sync.
#ifndef IMAGE_LIBRARY_CORE_ERROR_H_
#define IMAGE_LIBRARY_CORE_ERROR_H_

#include <stdexcept>
#include <string>
#include <utility>

namespace image_library {

/// The kind of a failure. src/postgres maps each kind to one SQLSTATE.
enum class ErrorKind {
  kInvalidArgument,   ///< a user's value is wrong: URL, reference, digest, rule (22023)
  kInvalidPattern,    ///< a user's regular expression is wrong (2201B)
  kMalformed,         ///< a registry sent what does not parse or contradicts itself
  kDigestMismatch,    ///< a body does not hash to the digest that was asked for
  kTooLarge,          ///< a body, list or header is over a limit
  kUnreachable,       ///< no connection: name, route, refused, reset, timeout
  kTls,               ///< certificate or handshake
  kForbiddenAddress,  ///< loopback, private or link-local address without allow_private
  kUnauthorized,      ///< 401 or 403 after authentication, or credentials missing
  kNotFound,          ///< 404, or the registry's equivalent
  kRateLimited,       ///< 429 or its like
  kBudget,            ///< this run may send no more requests
  kServer,            ///< 5xx
  kProtocol,          ///< any other answer that the OCI distribution spec does not allow
};

/// A failure in PostgreSQL's style: what() is the primary message (lower case, no full stop),
/// detail and hint are sentences, either may be empty.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::string detail = {}, std::string hint = {})
      : std::runtime_error(message),
        kind_(kind),
        detail_(std::move(detail)),
        hint_(std::move(hint)) {}

  ErrorKind kind() const noexcept { return kind_; }
  const std::string& detail() const noexcept { return detail_; }
  const std::string& hint() const noexcept { return hint_; }

  /// True when another try later may succeed (unreachable, rate limited, 5xx).
  bool temporary() const noexcept {
    return kind_ == ErrorKind::kUnreachable || kind_ == ErrorKind::kRateLimited ||
           kind_ == ErrorKind::kServer;
  }

 private:
  ErrorKind kind_;
  std::string detail_;
  std::string hint_;
};

}  // namespace image_library

#endif

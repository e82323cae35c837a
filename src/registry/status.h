// What a registry's refusal means, in words a person can act on.
#ifndef IMAGE_LIBRARY_REGISTRY_STATUS_H_
#define IMAGE_LIBRARY_REGISTRY_STATUS_H_

#include <string>

#include "core/error.h"
#include "registry/http.h"

namespace image_library::registry {

/// What to do when a registry limits requests.
inline constexpr const char* kLimitHint =
    "Wait, lower the registry's requests per second, or set a credential with a higher limit.";

/// What a request was for: `tags of repository "docker.io/library/postgres"`.
struct Subject {
  std::string text;
  bool has_credential = false;
  std::string denied_hint = {};  ///< instead of the usual one, when access is denied
};

/// Throws the Error that an unwanted status stands for. Nothing of the body is shown but an error
/// code of the distribution spec: a body may repeat what was sent.
[[noreturn]] void ThrowStatus(const Response& response, const Subject& subject);

/// The same error, told as a failure to read the subject.
Error About(const Error& error, const Subject& subject);

/// An answer with a good status that is not what was asked for.
Error Malformed(const Subject& subject, const std::string& what);

}  // namespace image_library::registry

#endif

// One question to a registry and its final answer: authorization, redirects, retries.
#ifndef IMAGE_LIBRARY_REGISTRY_EXCHANGE_H_
#define IMAGE_LIBRARY_REGISTRY_EXCHANGE_H_

#include <memory>
#include <string>
#include <vector>

#include "registry/auth.h"
#include "registry/http.h"
#include "registry/recent.h"
#include "registry/retry.h"
#include "registry/status.h"
#include "registry/types.h"

namespace image_library::registry {

/// A request, and what it is about.
struct Question {
  Method method = Method::kGet;
  std::string url;
  std::string accept = {};         ///< empty: no Accept header
  std::string if_none_match = {};  ///< a digest; empty: no If-None-Match header
  AuthTarget target = {};
  std::size_t max_body = limit::kList;
  bool follow_redirects = false;
  Subject subject = {};
};

/// Asks one registry: adds authorization, answers challenges once, follows redirects (without
/// credentials once they leave the registry's origin) and tries again after temporary failures.
class Exchange {
 public:
  Exchange(const ClientOptions& options, Transport& transport, RetryPolicy policy);

  /// The answer, whatever its status; the question is about the registry's own origin, and must
  /// outlive the task. Throws Error about the question's subject.
  Task<Response> Ask(const Question& question);

  /// A request without authorization.
  Task<Response> AskPlain(const Question& question);

  Authenticator& authenticator() noexcept { return authenticator_; }
  const RetryingSender& sender() const noexcept { return sender_; }
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  /// Where a question goes: to its own URL at first, and on from there by redirects.
  struct Target {
    const std::string& url;
    Authenticator& authenticator;
    bool own;  ///< at the registry's origin
  };
  Task<Response> Follow(const Question& question, Response redirect);
  Task<Response> Authorized(const Question& question, Target target);
  void KeepWarnings(const Response& response);

  const std::string origin_;
  RetryingSender sender_;
  Authenticator authenticator_;
  /// Where redirects led, by origin: asked without credentials.
  Recent<std::string, Authenticator> foreign_;
  std::vector<std::string> warnings_;
};

}  // namespace image_library::registry

#endif

// Authentication at one origin: challenges, Basic, Bearer tokens (RFC 7235, 7617, 6750; the
// token protocol of the CNCF distribution, docs/spec/auth).
#ifndef IMAGE_LIBRARY_REGISTRY_AUTH_H_
#define IMAGE_LIBRARY_REGISTRY_AUTH_H_

#include <chrono>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/http_header.h"
#include "registry/http.h"
#include "registry/location.h"
#include "registry/recent.h"
#include "registry/retry.h"
#include "registry/types.h"

namespace image_library::registry {

/// The challenge to answer: the first Bearer with a realm, else the first Basic, else nothing.
std::optional<Challenge> SelectChallenge(const std::vector<std::string_view>& headers);

/// What may be sent to a token server.
enum class RealmTrust {
  kRefused,      ///< nothing: not https (unless the origin is http on the same host)
  kAnonymous,    ///< a request without credentials, to a public address
  kCredentials,  ///< credentials too: the origin's own host or organization, or one of realm_hosts
};
RealmTrust TrustRealm(const Location& origin, const Location& realm,
                      const std::vector<std::string>& realm_hosts = {});

/// `Basic ...`; empty when username and password both are.
std::string BasicAuthorization(const std::string& username, const std::string& password);

/// What a request is about, as far as authorization goes.
struct AuthTarget {
  std::string repository;  ///< relative to the registry's prefix: chooses the credential
  std::string full_name;   ///< with the prefix: the scope, when a challenge names none
  std::string purpose;     ///< `list` or `content`: registries may want different scopes
};

/// What an origin's authentication starts from.
struct AuthSettings {
  std::string origin;  ///< a URL; the credentials are for it alone
  std::vector<Credential> credentials = {};
  std::vector<std::string> realm_hosts = {};
  ReloadCredentials reload = {};
  /// Tokens that are kept, and repositories whose challenge is: others are asked for again.
  std::size_t most_tokens = limit::kTokens;
};

/// One origin's authentication; tokens are fetched once by however many coroutines need them.
class Authenticator {
 public:
  using Now = std::chrono::steady_clock::time_point (*)();

  /// The sender must outlive it.
  Authenticator(AuthSettings settings, RetryingSender& sender,
                Now now = &std::chrono::steady_clock::now);

  /// Remembers the challenge of `GET /v2/`, or that there was none.
  void Learn(const Response& response);

  /// The Authorization header to send, from what is known; empty: none (yet). Nothing where a
  /// token has to be fetched first, which Authorization does.
  std::optional<std::string> KnownAuthorization(const AuthTarget& target);
  Task<std::string> Authorization(AuthTarget target);

  /// After a 401 to a request that was sent with `sent` (or without, when empty): another value to
  /// try once, or empty when there is none. Throws Error when the token server refuses or fails.
  Task<std::string> Answer(std::vector<std::string> challenges, AuthTarget target,
                           std::string sent);

  /// After a 403: another Basic credential, when it has been renewed meanwhile; else empty.
  std::string AnswerDenial(const AuthTarget& target, const std::string& sent);

  /// `none`, `basic`, `bearer`; empty before anything is known.
  const std::string& scheme() const noexcept { return scheme_; }
  /// Host of the first token server that was asked; empty when none was.
  const std::string& token_server() const noexcept { return token_server_; }
  bool HasCredential(const std::string& repository) const;

 private:
  struct TokenKey {
    std::string realm, service, scope;
    const Credential* credential = nullptr;
    bool trusted = true;  ///< else at a public address, if anywhere
    auto operator<=>(const TokenKey&) const = default;
  };
  struct Token {
    std::string value;
    std::chrono::steady_clock::time_point expires_at;
    bool fetching = false;
    std::exception_ptr error;  ///< of the last fetch
    WaitQueue waiting;
  };
  struct FetchGuard;

  const Credential* CredentialFor(const std::string& repository) const;
  std::string Basic(const std::string& repository) const;
  TokenKey KeyFor(const Challenge& challenge, const AuthTarget& target) const;
  std::shared_ptr<TokenKey> KnownKey(const AuthTarget& target);
  void RememberKey(const AuthTarget& target, const TokenKey& key);
  Task<std::string> Bearer(TokenKey key);
  Task<std::string> BearerOrRenewed(TokenKey key, AuthTarget target);
  bool Renew(const std::string& repository, const Credential* refused);
  Task<std::string> Fetch(TokenKey key, Token& token);
  Task<std::optional<Response>> Exchange(TokenKey key);
  Task<Response> Get(TokenKey key);
  std::string Accept(const Response& response, const TokenKey& key, Token& token);

  const AuthSettings settings_;
  RetryingSender& sender_;
  const Now now_;
  /// As given, and after each renewal; tokens point into all of them.
  std::deque<std::vector<Credential>> credentials_;
  std::optional<std::chrono::steady_clock::time_point> renewed_at_;
  std::string scheme_;
  std::string token_server_;
  std::optional<Challenge> remembered_;
  Recent<TokenKey, Token> tokens_;
  Recent<std::pair<std::string, std::string>, TokenKey> keys_;  ///< by full name and purpose
  /// Purposes for which a challenge wanted another scope than that of pulling.
  std::set<std::string> unusual_;
  std::map<const Credential*, std::string> refresh_tokens_;  ///< newer than the credential's
};

}  // namespace image_library::registry

#endif

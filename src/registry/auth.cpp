#include "registry/auth.h"

#include <algorithm>

#include "core/base64.h"
#include "core/error.h"
#include "core/host_list.h"
#include "core/json.h"
#include "core/text.h"
#include "registry/status.h"

namespace image_library::registry {

namespace {

using std::chrono::seconds;

// docker's config.json writes this user name beside an identity (refresh) token.
constexpr std::string_view kIdentityToken = "<token>";
constexpr std::int64_t kShortestLife = 60;
constexpr std::int64_t kLongestLife = 86400;
constexpr seconds kMargin(10);
// What is kept of a challenge for as long as the run lasts. URLs and scopes of the registries that
// are known have a few hundred bytes, tokens a few thousand.
constexpr std::size_t kLongestRealm = 2u << 10;
constexpr std::size_t kLongestParameter = 1u << 10;
constexpr std::size_t kLongestToken = 16u << 10;

std::string Parameter(const Challenge& challenge, const std::string& name) {
  const auto found = challenge.params.find(name);
  return found == challenge.params.end() ? "" : found->second;
}

std::optional<Challenge> SelectFrom(const std::vector<Challenge>& challenges) {
  const Challenge* basic = nullptr;
  for (const Challenge& challenge : challenges) {
    if (challenge.scheme == "bearer" && !Parameter(challenge, "realm").empty()) return challenge;
    if (challenge.scheme == "basic" && basic == nullptr) basic = &challenge;
  }
  if (basic == nullptr) return std::nullopt;
  return *basic;
}

// By path parts: `nim` is for `nim` and `nim/x`, not for `nimble`.
bool IsFor(const Credential& credential, std::string_view repository) {
  std::string_view prefix = credential.repository_prefix;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (prefix.empty()) return true;
  return repository.starts_with(prefix) &&
         (repository.size() == prefix.size() || repository[prefix.size()] == '/');
}

bool IsEmpty(const Credential& credential) {
  return credential.username.empty() && credential.password.empty();
}

std::string Scope(const std::string& scope, const char* separator) {
  return scope.empty() ? "" : separator + ("scope=" + PercentEncode(scope));
}

// Of the token protocol (distribution, docs/spec/auth/scope.md).
std::string PullScope(const std::string& full_name) { return "repository:" + full_name + ":pull"; }

Subject TokenSubject(const std::string& realm, const std::string& scope, bool has_credential) {
  return {"token of \"" + HostOf(realm) + "\"" + (scope.empty() ? "" : " for \"" + scope + "\""),
          has_credential};
}

}  // namespace

std::optional<Challenge> SelectChallenge(const std::vector<std::string_view>& headers) {
  std::vector<Challenge> challenges;
  for (const std::string_view header : headers) {
    for (Challenge& challenge : ParseChallenges(header)) challenges.push_back(std::move(challenge));
  }
  return SelectFrom(challenges);
}

RealmTrust TrustRealm(const Location& origin, const Location& realm,
                      const std::vector<std::string>& realm_hosts) {
  if (realm.scheme != "https" && (origin.scheme != "http" || realm.host != origin.host)) {
    return RealmTrust::kRefused;
  }
  const bool own =
      SameOrganization(origin.host, realm.host) || MatchesHost(realm_hosts, realm.host, realm.port);
  return own ? RealmTrust::kCredentials : RealmTrust::kAnonymous;
}

std::string BasicAuthorization(const std::string& username, const std::string& password) {
  if (username.empty() && password.empty()) return "";
  return "Basic " + EncodeBase64(username + ":" + password);
}

// Ends a fetch also when its coroutine is destroyed.
struct Authenticator::FetchGuard {
  explicit FetchGuard(Token& token) : token_(token) { token_.fetching = true; }
  ~FetchGuard() { token_.fetching = false; }
  FetchGuard(const FetchGuard&) = delete;
  FetchGuard& operator=(const FetchGuard&) = delete;

 private:
  Token& token_;
};

Authenticator::Authenticator(AuthSettings settings, RetryingSender& sender, Now now)
    : settings_(std::move(settings)),
      sender_(sender),
      now_(now),
      credentials_(1, settings_.credentials),
      tokens_(settings_.most_tokens),
      keys_(settings_.most_tokens) {}

void Authenticator::Learn(const Response& response) {
  remembered_ = SelectChallenge(response.headers.All("www-authenticate"));
  scheme_ = remembered_ ? remembered_->scheme : "none";
}

const Credential* Authenticator::CredentialFor(const std::string& repository) const {
  const Credential* best = nullptr;
  for (const Credential& credential : credentials_.back()) {
    if (IsEmpty(credential) || !IsFor(credential, repository)) continue;
    if (best == nullptr || credential.repository_prefix.size() > best->repository_prefix.size()) {
      best = &credential;
    }
  }
  return best;
}

bool Authenticator::HasCredential(const std::string& repository) const {
  return CredentialFor(repository) != nullptr;
}

std::string Authenticator::Basic(const std::string& repository) const {
  const Credential* credential = CredentialFor(repository);
  return credential == nullptr ? ""
                               : BasicAuthorization(credential->username, credential->password);
}

// Throws when the realm may not be asked at all.
Authenticator::TokenKey Authenticator::KeyFor(const Challenge& challenge,
                                              const AuthTarget& target) const {
  // Errors, views and dumps show them.
  const auto most = [this](const std::string& value, const char* name, std::size_t bytes) {
    if (value.size() <= bytes && IsPlain(value)) return;
    throw Error(ErrorKind::kProtocol,
                "registry \"" + HostOf(settings_.origin) + "\" sends a challenge with a " + name +
                    (value.size() > bytes ? " of more than " + std::to_string(bytes) + " bytes"
                                          : " that is not printable ASCII"),
                "Its WWW-Authenticate header says where tokens are given and for what; it is not "
                "followed.",
                "Check that the URL is that of the registry.");
  };
  const std::string given = Parameter(challenge, "realm");
  most(given, "realm", kLongestRealm);
  most(Parameter(challenge, "service"), "service", kLongestParameter);
  most(Parameter(challenge, "scope"), "scope", kLongestParameter);
  const std::optional<std::string> url = ResolveUrl(settings_.origin + "/", given);
  const std::optional<Location> realm = url ? ParseLocation(*url) : std::nullopt;
  const std::optional<Location> origin = ParseLocation(settings_.origin);
  const RealmTrust trust =
      realm && origin ? TrustRealm(*origin, *realm, settings_.realm_hosts) : RealmTrust::kRefused;
  if (trust == RealmTrust::kRefused) {
    throw Error(
        ErrorKind::kProtocol,
        "registry \"" + HostOf(settings_.origin) + "\" names a token server that is not secure",
        "It must be an https URL, or http on the host of a registry that is http itself.",
        "Check the registry's URL and its token settings.");
  }
  TokenKey key;
  key.realm = *url;
  key.service = Parameter(challenge, "service");
  key.scope = Parameter(challenge, "scope");
  if (key.scope.empty() && !target.full_name.empty()) {
    key.scope = PullScope(target.full_name);
  }
  key.trusted = trust == RealmTrust::kCredentials;
  if (key.trusted) key.credential = CredentialFor(target.repository);
  return key;
}

// The scope that worked for the same purpose, else for the same repository, else the one that
// nearly all registries want: a request without a token would only be told so.
std::shared_ptr<Authenticator::TokenKey> Authenticator::KnownKey(const AuthTarget& target) {
  if (keys_.size() == 0 && !remembered_) return nullptr;
  if (auto exact = keys_.Find({target.full_name, target.purpose})) return exact;
  if (auto other = keys_.FindFrom({target.full_name, ""},
                                  [&](const auto& key) { return key.first == target.full_name; }))
    return other;
  const bool usual = remembered_ && remembered_->scheme == "bearer" &&
                     Parameter(*remembered_, "scope").empty() && !target.full_name.empty() &&
                     unusual_.count(target.purpose) == 0;
  if (usual) RememberKey(target, KeyFor(*remembered_, target));
  return usual ? keys_.Find({target.full_name, target.purpose}) : nullptr;
}

void Authenticator::RememberKey(const AuthTarget& target, const TokenKey& key) {
  *keys_.Get({target.full_name, target.purpose}) = key;
  if (!target.full_name.empty() && key.scope != PullScope(target.full_name))
    unusual_.insert(target.purpose);
}

std::optional<std::string> Authenticator::KnownAuthorization(const AuthTarget& target) {
  if (scheme_ == "basic") return Basic(target.repository);
  const std::shared_ptr<TokenKey> key = KnownKey(target);
  if (!key) return "";
  const std::shared_ptr<Token> token = tokens_.Find(*key);
  if (!token || token->fetching || token->value.empty() || now_() >= token->expires_at)
    return std::nullopt;
  return "Bearer " + token->value;
}

Task<std::string> Authenticator::Authorization(AuthTarget target) {
  if (std::optional<std::string> known = KnownAuthorization(target)) co_return std::move(*known);
  TokenKey key = *KnownKey(target);
  co_return co_await BearerOrRenewed(std::move(key), std::move(target));
}

// True when the credential for a repository is another one than the one refused, after the
// credentials were read again if that was not done in the last minute.
bool Authenticator::Renew(const std::string& repository, const Credential* refused) {
  constexpr seconds kAtMost(60);
  if (settings_.reload && (!renewed_at_ || now_() >= *renewed_at_ + kAtMost)) {
    renewed_at_ = now_();
    try {
      std::vector<Credential> fresh = settings_.reload();
      if (fresh != credentials_.back()) credentials_.push_back(std::move(fresh));
    } catch (const Error&) {  // a file that cannot be read at this moment: the refusal stands
    }
  }
  const Credential* const renewed = CredentialFor(repository);
  return renewed != nullptr && (refused == nullptr || *renewed != *refused);
}

std::string Authenticator::AnswerDenial(const AuthTarget& target, const std::string& sent) {
  if (scheme_ != "basic" || sent.empty()) return "";
  std::string basic = Basic(target.repository);
  if (basic != sent) return basic;  // renewed meanwhile
  if (!Renew(target.repository, CredentialFor(target.repository))) return "";
  return Basic(target.repository);
}

// A token server refuses a credential that has expired as it does a wrong one.
Task<std::string> Authenticator::BearerOrRenewed(TokenKey key, AuthTarget target) {
  std::exception_ptr refusal;
  TokenKey asked = key;
  try {
    co_return co_await Bearer(std::move(asked));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUnauthorized || !key.trusted) throw;
    refusal = std::current_exception();
  }
  if (!Renew(target.repository, key.credential)) std::rethrow_exception(refusal);
  key.credential = CredentialFor(target.repository);
  RememberKey(target, key);
  co_return co_await Bearer(std::move(key));
}

Task<std::string> Authenticator::Answer(std::vector<std::string> challenges, AuthTarget target,
                                        std::string sent) {
  const std::vector<std::string_view> views(challenges.begin(), challenges.end());
  std::optional<Challenge> challenge = SelectChallenge(views);
  if (!challenge) challenge = remembered_;
  if (!challenge) co_return "";
  scheme_ = challenge->scheme;
  if (scheme_ == "basic") {
    if (sent.empty()) co_return Basic(target.repository);
    co_return AnswerDenial(target, sent);
  }
  TokenKey key = KeyFor(*challenge, target);
  if (const std::shared_ptr<Token> token = tokens_.Find(key);
      token && !sent.empty() && sent == "Bearer " + token->value) {
    if (Parameter(*challenge, "error") == "insufficient_scope") co_return "";
    token->value.clear();  // expired early, or revoked: fetched anew below
  }
  RememberKey(target, key);
  std::string bearer = co_await BearerOrRenewed(std::move(key), std::move(target));
  co_return bearer == sent ? "" : std::move(bearer);
}

// One fetch however many ask; its failure is everyone's failure. Whoever waits here keeps the token
// from being forgotten.
Task<std::string> Authenticator::Bearer(TokenKey key) {
  const std::shared_ptr<Token> token = tokens_.Get(key);
  if (token->fetching) {
    co_await token->waiting.Wait();
    if (token->error) std::rethrow_exception(token->error);
    if (token->value.empty()) co_return co_await Bearer(std::move(key));  // refused meanwhile
    co_return "Bearer " + token->value;
  }
  if (!token->value.empty() && now_() < token->expires_at) co_return "Bearer " + token->value;
  std::exception_ptr error;
  std::string value;
  {
    const FetchGuard guard(*token);
    try {
      value = co_await Fetch(std::move(key), *token);
    } catch (...) {
      error = std::current_exception();
    }
  }
  token->error = error;
  token->waiting.ResumeAll();
  if (error) std::rethrow_exception(error);
  co_return "Bearer " + value;
}

Task<std::string> Authenticator::Fetch(TokenKey key, Token& token) {
  if (token_server_.empty()) token_server_ = HostOf(key.realm);
  if (key.credential != nullptr && key.credential->username == kIdentityToken) {
    const std::optional<Response> exchanged = co_await Exchange(key);
    if (exchanged) co_return Accept(*exchanged, key, token);
  }
  const Response response = co_await Get(key);
  co_return Accept(response, key, token);
}

// An identity token for an access token, by OAuth 2; nothing where the server wants a GET.
Task<std::optional<Response>> Authenticator::Exchange(TokenKey key) {
  const auto newer = refresh_tokens_.find(key.credential);
  const std::string refresh =
      newer == refresh_tokens_.end() ? key.credential->password : newer->second;
  Request request;
  request.method = Method::kPost;
  request.url = key.realm;
  request.max_body = limit::kToken;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.body =
      "grant_type=refresh_token&client_id=image_library&service=" + PercentEncode(key.service) +
      Scope(key.scope, "&") + "&refresh_token=" + PercentEncode(refresh);
  Response response = co_await sender_.Send(request);
  switch (response.status) {
    case 400:
    case 401:
    case 404:
    case 405:
      refresh_tokens_.erase(key.credential);
      co_return std::nullopt;
    default:
      co_return std::move(response);
  }
}

Task<Response> Authenticator::Get(TokenKey key) {
  Request request;
  request.max_body = limit::kToken;
  request.public_only = !key.trusted;
  std::string query;
  if (!key.service.empty()) query = "service=" + PercentEncode(key.service);
  query += Scope(key.scope, query.empty() ? "" : "&");
  request.url = key.realm;
  if (!query.empty()) {
    request.url += (key.realm.find('?') == std::string::npos ? "?" : "&") + query;
  }
  if (key.credential != nullptr) {
    std::string basic = BasicAuthorization(key.credential->username, key.credential->password);
    request.headers.emplace_back("Authorization", std::move(basic));
  }
  co_return co_await sender_.Send(request);
}

// Reads a token server's answer and keeps the token; its life is counted from now, on a clock that
// does not jump.
std::string Authenticator::Accept(const Response& response, const TokenKey& key, Token& token) {
  const Subject subject = TokenSubject(key.realm, key.scope, key.credential != nullptr);
  if (response.status != 200) ThrowStatus(response, subject);
  std::optional<Json> json;
  try {
    json = Json::Parse(response.body);
  } catch (const Error&) {
    throw Malformed(subject, "the answer is no JSON");
  }
  std::string value = (*json)["access_token"].StringOr("");
  if (value.empty()) value = (*json)["token"].StringOr("");
  const bool printable =
      std::all_of(value.begin(), value.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (value.empty() || !printable) throw Malformed(subject, "the answer holds no token");
  const std::string refresh = (*json)["refresh_token"].StringOr("");
  if (std::max(value.size(), refresh.size()) > kLongestToken) {
    throw Malformed(subject, "the token has more than " + std::to_string(kLongestToken) + " bytes");
  }
  if (!refresh.empty() && key.credential != nullptr) refresh_tokens_[key.credential] = refresh;
  const std::int64_t life = (*json)["expires_in"].Integer().value_or(kShortestLife);
  token.value = value;
  token.expires_at = now_() + seconds(std::clamp(life, kShortestLife, kLongestLife)) - kMargin;
  return value;
}

}  // namespace image_library::registry

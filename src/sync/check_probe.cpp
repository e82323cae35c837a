#include "sync/check_probe.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/http_header.h"
#include "registry/auth.h"
#include "registry/client.h"
#include "registry/location.h"
#include "registry/rate_limit.h"

namespace image_library::sync {

using registry::Client;
using registry::FetchedManifest;
using registry::Listing;
using registry::Method;
using registry::Request;
using registry::Response;
using registry::TagHead;
using registry::Task;

namespace {

std::string Explain(const Error& error) {
  std::string text = error.what();
  if (!error.detail().empty()) text += ": " + error.detail();
  if (error.hint().empty()) return text;
  if (!text.ends_with('.')) text += ".";
  return text + " " + error.hint();
}

// How the accounts of well-known registries are written (their own documentation).
struct Account {
  std::string_view host_end;
  std::string_view advice;
};
constexpr Account kAccounts[] = {
    {".amazonaws.com",
     "Amazon ECR: the user is AWS, the password that of `aws ecr get-login-password`; it lives 12 "
     "hours, so have it renewed with set_credential or in a credential file."},
    {".azurecr.io",
     "Azure: a repository-scoped token or an admin user; for a refresh token the user is "
     "00000000-0000-0000-0000-000000000000."},
    {".pkg.dev",
     "Google: the user is _json_key and the password the whole JSON key; for an access token, "
     "which "
     "lives an hour, the user is oauth2accesstoken."},
    {"gcr.io",
     "Google: the user is _json_key and the password the whole JSON key; for an access token, "
     "which "
     "lives an hour, the user is oauth2accesstoken."},
    {"ghcr.io", "GitHub: the password is a personal access token with read:packages."},
    {"nvcr.io", "NVIDIA: the user is $oauthtoken, written so, and the password an NGC API key."},
    {"docker.enterprisedb.com",
     "EDB: the user is the repository's first part, such as k8s or pgai-platform, and the password "
     "the subscription token."},
    {"registry.gitlab.com",
     "GitLab: a deploy token, or an access token with read_registry, is the password."},
};

std::string Advice(const RegistryUrl& url) {
  const std::string host = url.host.substr(0, url.host.find(':'));
  for (const Account& account : kAccounts) {
    if (host.ends_with(account.host_end)) return " " + std::string(account.advice);
  }
  return {};
}

std::string Count(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// Passes requests on and keeps what was answered, without the bodies.
class Recorder : public registry::Transport {
 public:
  struct Answered {
    Method method;
    std::string url;
    Response response;
  };

  explicit Recorder(registry::Transport& transport) : transport_(transport) {}

  Task<Response> Send(const Request& request) override {
    Answered answered{request.method, request.url, {}};
    Response response = co_await transport_.Send(request);
    answered.response.status = response.status;
    answered.response.headers = response.headers;
    answers_.push_back(std::move(answered));
    co_return std::move(response);
  }
  Task<void> Sleep(int milliseconds) override { return transport_.Sleep(milliseconds); }
  TimePoint Now() const override { return transport_.Now(); }
  void DropQueued(std::exception_ptr failure) override { transport_.DropQueued(failure); }

  const std::vector<Answered>& answers() const noexcept { return answers_; }

  /// What an origin's answers say of its limits; redirects lead to others, which have their own.
  registry::RateLimit RateLimitOf(const std::string& origin) const {
    registry::RateLimit limit;
    for (const Answered& answer : answers_)
      if (answer.url.starts_with(origin + "/")) limit.Learn(answer.response);
    return limit;
  }

  /// The answer to `GET /v2/`, with which a check begins; nullptr when there was none.
  const Response* First() const { return answers_.empty() ? nullptr : &answers_.front().response; }

  /// The last answer to such a request; nullptr when there was none.
  const Response* Last(Method method, std::string_view part_of_url) const {
    for (auto answer = answers_.rbegin(); answer != answers_.rend(); ++answer) {
      if (answer->method == method && answer->url.find(part_of_url) != std::string::npos)
        return &answer->response;
    }
    return nullptr;
  }

 private:
  registry::Transport& transport_;
  std::vector<Answered> answers_;
};

class Probe {
 public:
  Probe(const RegistryConfig& config, registry::Transport& transport)
      : config_(config),
        recorder_(transport),
        // Once: what fails now is what the caller wants to see.
        client_(ClientOptionsOf(config), recorder_, registry::RetryPolicy{1}) {}

  Task<void> Run() {
    if (!co_await Reach()) co_return;
    std::string repository = co_await Catalogue();
    if (repository.empty()) {
      Add("tags", false,
          catalogue_denied_ && config_.credentials.empty()
              ? "no repository is known: set a credential with image_library.set_credential, "
                "or add a rule that names a repository"
              : "no repository is known: add a rule that names one");
    } else {
      std::string tag = co_await Tags(repository);
      if (!tag.empty()) co_await Image(std::move(repository), std::move(tag));
    }
    Limits();
    Clock();
    for (const std::string& warning : client_.warnings())
      Add("warning", true, "the registry says: " + warning);
  }

  std::vector<CheckResult> Take() { return std::move(results_); }

 private:
  void Add(const char* step, bool ok, std::string detail) {
    results_.push_back({step, ok, std::move(detail)});
  }

  Task<bool> Reach() {
    std::optional<Error> failure;
    try {
      co_await client_.Ping();
    } catch (const Error& error) {
      failure = error;
    }
    if (failure && failure->kind() == ErrorKind::kTls) {
      Add("tls", false, Explain(*failure));
      co_return false;
    }
    if (failure && failure->kind() != ErrorKind::kUnauthorized) {
      Add("reach", false, Explain(*failure));
      co_return false;
    }
    Add("reach", true,
        "answers at " + config_.url.ToString() +
            (config_.proxy.empty() ? "" : ", by the proxy " + config_.proxy));
    Tls();
    if (failure)
      Add("auth", false, Explain(*failure) + Advice(config_.url));
    else
      Authentication();
    co_return !failure;
  }

  void Tls() {
    if (config_.url.scheme != "https") {
      Add("tls", true,
          config_.credentials.empty() ? "http: nothing is encrypted"
                                      : "http: nothing is encrypted, not even the password");
      return;
    }
    std::string detail = config_.ca_certificate.empty()
                             ? "certificate of an authority that this server trusts"
                             : "certificate of the authority set for the registry";
    if (!config_.client_certificate.empty()) detail += "; the client certificate is shown";
    Add("tls", true, std::move(detail));
  }

  void Authentication() {
    const std::string scheme = client_.authentication();
    std::string detail = scheme == "none" ? "none is asked for" : scheme;
    const Response* const ping = recorder_.First();
    const std::optional<Challenge> challenge =
        ping ? registry::SelectChallenge(ping->headers.All("www-authenticate")) : std::nullopt;
    if (challenge && scheme == "bearer") detail += TokenServer(challenge->params.at("realm"));
    detail += config_.credentials.empty()
                  ? ", no credential is set"
                  : ", " + Count(config_.credentials.size(), "credential") +
                        (config_.credentials.size() == 1 ? " is set" : " are set");
    Add("auth", true, std::move(detail));
  }

  std::string TokenServer(const std::string& realm) const {
    const auto origin = registry::ParseLocation(config_.url.Origin());
    const auto url = registry::ResolveUrl(config_.url.Origin() + "/", realm);
    const auto server = url ? registry::ParseLocation(*url) : std::nullopt;
    if (!origin || !server) return ", with tokens of no URL that can be asked";
    const registry::RealmTrust trust = registry::TrustRealm(*origin, *server, config_.realm_hosts);
    std::string text = " with tokens of " + server->host;
    if (trust == registry::RealmTrust::kRefused)
      text += ", which is not asked since it is not https";
    else if (trust == registry::RealmTrust::kAnonymous && !config_.credentials.empty())
      text += ", which gets no credential: name it in realm_hosts if it is to have them";
    return text;
  }

  // The name of a repository to look at; empty when none is known.
  Task<std::string> Catalogue() {
    const std::vector<std::string> literal = config_.rules.LiteralRepositories();
    std::string example = literal.empty() ? std::string() : literal.front();
    const bool needed = config_.rules.WantsCatalog();
    try {
      const Listing catalogue = co_await client_.ListRepositories();
      std::string detail = std::to_string(catalogue.names.size()) +
                           (catalogue.names.size() == 1 ? " repository" : " repositories");
      Add("catalogue", true, std::move(detail));
      if (example.empty() && !catalogue.names.empty()) example = catalogue.names.front();
    } catch (const Error& error) {
      catalogue_denied_ = error.kind() == ErrorKind::kUnauthorized;
      Add("catalogue", !needed,
          needed
              ? Explain(error) + " A rule with a wildcard needs it: name the repositories instead."
              : std::string(catalogue_denied_ ? "denied" : "not offered") +
                    ", and no rule needs it");
    }
    co_return example;
  }

  // The tag to look at; empty when there is none.
  Task<std::string> Tags(std::string repository) {
    std::optional<Listing> listing;
    try {
      listing = co_await client_.ListTags(repository);
    } catch (const Error& error) {
      const bool denied = error.kind() == ErrorKind::kUnauthorized;
      Add("tags", false, Explain(error) + (denied ? Advice(config_.url) : ""));
      co_return std::string();
    }
    if (!listing) {
      Add("tags", false,
          "repository \"" + repository +
              "\" was not found: names are relative to the "
              "registry's URL");
      co_return std::string();
    }
    Add("tags", true,
        Count(listing->names.size(), "tag") + " in " + repository +
            (listing->invalid == 0
                 ? ""
                 : "; " + std::to_string(listing->invalid) + " entries are no tags and left out"));
    Pages(listing->paging);
    co_return listing->names.empty() ? std::string() : listing->names.back();
  }

  void Pages(registry::Paging paging) {
    std::size_t pages = 0;
    bool refused = false;
    for (const Recorder::Answered& answer : recorder_.answers()) {
      if (answer.url.find("/tags/list") == std::string::npos) continue;
      pages += answer.response.status == 200 ? 1 : 0;
      refused = refused || answer.response.status == 400 || answer.response.status == 413;
    }
    const std::string read = ": " + std::to_string(pages) + " were read";
    std::string detail =
        paging == registry::Paging::kLink   ? "lists come in pages, each with a Link to the next"
        : paging == registry::Paging::kLast ? "lists come in pages without a Link to the next, "
                                              "which is asked for with last="
                                            : "the list came whole";
    if (paging != registry::Paging::kWhole) detail += read;
    if (refused) detail += "; a page size of our choice is refused";
    Add("pages", true, std::move(detail));
  }

  Task<void> Image(std::string repository, std::string tag) {
    std::optional<FetchedManifest> manifest;
    try {
      const TagHead head = co_await client_.HeadTag(repository, tag);
      Head();
      if (head.found) manifest = co_await client_.GetManifest(repository, tag);
    } catch (const Error& error) {
      Add("manifest", false, Explain(error));
      co_return;
    }
    if (!manifest) {
      Add("manifest", false, "tag \"" + tag + "\" is listed but not found");
      co_return;
    }
    const bool lies = !manifest->claimed_digest.empty();
    Add("manifest", !lies,
        repository + ":" + tag + " is " + manifest->digest +
            (lies ? ", but the registry says " + manifest->claimed_digest +
                        ": such tags are not taken"
                  : ""));
    co_await Referrers(std::move(repository), manifest->digest);
  }

  // What HEAD of a manifest showed.
  void Head() {
    const Response* const head = recorder_.Last(Method::kHead, "/manifests/");
    if (head == nullptr) return;
    const bool works = head->status == 200;
    Add("head", true,
        works ? "HEAD tells whether a tag has moved"
              : "HEAD is answered with status " + std::to_string(head->status) +
                    ": tags are read by GET, which registries may count as pulls");
    const Response* const get = recorder_.Last(Method::kGet, "/manifests/");
    const Response* const shown = works ? head : get;
    if (shown == nullptr) return;
    Add("digest", true,
        shown->Header("docker-content-digest").empty()
            ? "no Docker-Content-Digest is sent: manifests are read and hashed"
            : "Docker-Content-Digest is sent");
    Add("etag", true,
        shown->Header("etag").empty() ? "no ETag is sent; the agent compares digests"
                                      : "an ETag is sent; the agent compares digests");
  }

  Task<void> Referrers(std::string repository, std::string digest) {
    try {
      const bool offered = (co_await client_.ListReferrers(repository, digest)).has_value();
      Add("referrers", true,
          offered ? "referrers API" : "no referrers API: fallback tags are read");
    } catch (const Error& error) {
      // An image is not worse for a registry that trips over its referrers.
      Add("referrers", true, "signatures and the like cannot be read: " + Explain(error));
    }
  }

  void Limits() {
    const registry::RateLimit limit = recorder_.RateLimitOf(config_.url.Origin());
    if (!limit.remaining && !limit.limit) {
      Add("limits", true, "no rate limit is told");
      return;
    }
    std::string detail = limit.remaining ? std::to_string(*limit.remaining) : "an unknown number";
    if (limit.limit) detail += " of " + std::to_string(*limit.limit);
    detail += " requests are left";
    if (limit.window > 0) detail += ", in " + std::to_string(limit.window) + " seconds";
    const bool spent = limit.remaining && *limit.remaining == 0;
    if (spent) detail += ": wait, or set a credential with a higher limit";
    Add("limits", !spent, std::move(detail));
  }

  void Clock() {
    constexpr std::int64_t kTolerated = 60;
    const Response* const ping = recorder_.First();
    const std::string_view text = ping ? ping->Header("date") : std::string_view();
    const std::optional<std::int64_t> date = ParseHttpDate(text);
    if (!date) {
      Add("clock", true, "the registry does not tell the time");
      return;
    }
    const std::int64_t ahead = *date - std::time(nullptr);
    if (std::llabs(ahead) <= kTolerated)
      Add("clock", true, "agrees with that of this server");
    else
      Add("clock", true,
          "the registry's is " + std::to_string(std::llabs(ahead)) + " seconds " +
              (ahead > 0 ? "ahead" : "behind") +
              ": certificates may seem to have expired; tokens are used all the same");
  }

  const RegistryConfig& config_;
  Recorder recorder_;
  Client client_;
  bool catalogue_denied_ = false;
  std::vector<CheckResult> results_;
};

}  // namespace

Task<std::vector<CheckResult>> ProbeRegistry(const RegistryConfig& config,
                                             registry::Transport& transport) {
  Probe probe(config, transport);
  co_await probe.Run();
  co_return probe.Take();
}

}  // namespace image_library::sync

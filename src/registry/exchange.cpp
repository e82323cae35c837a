#include "registry/exchange.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/http_header.h"

namespace image_library::registry {

namespace {

// Blobs lie at one place or a few; a registry that redirects to ever new ones makes us forget.
constexpr std::size_t kForeign = 16;
constexpr std::size_t kForeignTokens = 16;

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Where a redirect leads; throws when it may not be followed.
std::string RedirectTarget(const Response& response, const std::string& url,
                           const Subject& subject) {
  const auto to = ResolveUrl(url, std::string(response.Header("location")));
  const std::optional<Location> target = to ? ParseLocation(*to) : std::nullopt;
  if (response.Header("location").empty() || !target) {
    throw Malformed(subject, "the registry redirects to no http or https URL");
  }
  if (target->scheme == "http" && url.starts_with("https:")) {
    throw Malformed(subject, "the registry redirects from https to http");
  }
  return *to;
}

std::string OriginOf(const std::string& url) {
  const std::optional<Location> location = ParseLocation(url);
  return location ? location->Origin() : "";
}

}  // namespace

Exchange::Exchange(const ClientOptions& options, Transport& transport, RetryPolicy policy)
    : origin_(OriginOf(options.url.Origin())),
      sender_(transport, policy),
      authenticator_({options.url.Origin(), options.credentials, options.realm_hosts,
                      options.reload_credentials},
                     sender_),
      foreign_(kForeign) {}

Task<Response> Exchange::Ask(Question question) {
  const Subject subject = question.subject;
  try {
    co_return co_await Follow(std::move(question));
  } catch (const Error& error) {
    throw About(error, subject);
  }
}

Task<Response> Exchange::AskPlain(Question question) {
  const Subject subject = question.subject;
  try {
    co_return co_await Send(std::move(question), "");
  } catch (const Error& error) {
    throw About(error, subject);
  }
}

// Redirects by hand: credentials stay with the origin they are for, and once a chain has left it,
// it stays without them.
Task<Response> Exchange::Follow(Question question) {
  std::shared_ptr<Authenticator> foreign;
  for (int hop = 0;; ++hop) {
    Question copy = question;
    Response response = co_await Authorized(foreign ? *foreign : authenticator_, std::move(copy));
    if (!question.follow_redirects || !IsRedirect(response.status)) co_return std::move(response);
    if (hop >= limit::kRedirects) throw Malformed(question.subject, "too many redirects");
    question.url = RedirectTarget(response, question.url, question.subject);
    const std::string origin = OriginOf(question.url);
    if (origin == origin_ && !foreign) continue;
    AuthSettings settings{origin};
    settings.most_tokens = kForeignTokens;
    foreign = foreign_.Get(origin, std::move(settings), sender_);
  }
}

Task<Response> Exchange::Authorized(Authenticator& authenticator, Question question) {
  AuthTarget target = question.target;
  std::string authorization = co_await authenticator.Authorization(std::move(target));
  Question copy = question;
  Response response = co_await Send(std::move(copy), authorization);
  // A short-lived credential that has expired is told by 403 (Amazon ECR).
  if (response.status != 401 && response.status != 403) co_return std::move(response);
  target = question.target;
  std::string other;
  if (response.status == 403) {
    other = authenticator.AnswerDenial(target, authorization);
  } else {
    std::vector<std::string> challenges;
    for (const std::string_view value : response.Headers("www-authenticate")) {
      challenges.emplace_back(value);
    }
    other = co_await authenticator.Answer(std::move(challenges), std::move(target),
                                          std::move(authorization));
  }
  if (other.empty()) co_return std::move(response);
  co_return co_await Send(std::move(question), std::move(other));
}

void Exchange::KeepWarnings(const Response& response) {
  constexpr std::size_t kMostWarnings = 10;
  for (const std::string_view value : response.Headers("warning")) {
    std::optional<std::string> warning = ParseWarning(value);
    const bool known =
        !warning || std::find(warnings_.begin(), warnings_.end(), *warning) != warnings_.end();
    if (!known && warnings_.size() < kMostWarnings) warnings_.push_back(std::move(*warning));
  }
}

Task<Response> Exchange::Send(Question question, std::string authorization) {
  const bool own = OriginOf(question.url) == origin_;
  Request request;
  request.method = question.method;
  request.url = std::move(question.url);
  request.max_body = question.max_body;
  if (!question.accept.empty()) request.headers.emplace_back("Accept", std::move(question.accept));
  if (!question.if_none_match.empty()) {
    request.headers.emplace_back("If-None-Match", "\"" + question.if_none_match + "\"");
  }
  if (!authorization.empty()) {
    request.headers.emplace_back("Authorization", std::move(authorization));
  }
  Response response = co_await sender_.Send(std::move(request));
  if (own) KeepWarnings(response);
  co_return std::move(response);
}

}  // namespace image_library::registry

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

Request RequestFor(const Question& question, const std::string& url) {
  Request request;
  request.method = question.method;
  request.url = url;
  request.max_body = question.max_body;
  request.headers.reserve(3);
  if (!question.accept.empty()) request.headers.emplace_back("Accept", question.accept);
  if (!question.if_none_match.empty()) {
    request.headers.emplace_back("If-None-Match", "\"" + question.if_none_match + "\"");
  }
  return request;
}

// Instead of the one that the request has, if it has one.
void Authorize(Request& request, const std::string& authorization) {
  constexpr const char* kName = "Authorization";
  std::erase_if(request.headers, [](const auto& header) { return header.first == kName; });
  if (!authorization.empty()) request.headers.emplace_back(kName, authorization);
}

}  // namespace

Exchange::Exchange(const ClientOptions& options, Transport& transport, RetryPolicy policy)
    : origin_(OriginOf(options.url.Origin())),
      sender_(transport, policy),
      authenticator_({options.url.Origin(), options.credentials, options.realm_hosts,
                      options.reload_credentials},
                     sender_),
      foreign_(kForeign) {}

Task<Response> Exchange::Ask(const Question& question) {
  try {
    Response response = co_await Authorized(question, {question.url, authenticator_, true});
    if (!question.follow_redirects || !IsRedirect(response.status)) co_return std::move(response);
    co_return co_await Follow(question, std::move(response));
  } catch (const Error& error) {
    throw About(error, question.subject);
  }
}

Task<Response> Exchange::AskPlain(const Question& question) {
  try {
    const Request request = RequestFor(question, question.url);
    Response response = co_await sender_.Send(request);
    KeepWarnings(response);
    co_return std::move(response);
  } catch (const Error& error) {
    throw About(error, question.subject);
  }
}

// Redirects by hand: credentials stay with the origin they are for, and once a chain has left it,
// it stays without them.
Task<Response> Exchange::Follow(const Question& question, Response redirect) {
  std::shared_ptr<Authenticator> foreign;
  std::string url = question.url;
  for (int hop = 0; IsRedirect(redirect.status); ++hop) {
    if (hop >= limit::kRedirects) throw Malformed(question.subject, "too many redirects");
    url = RedirectTarget(redirect, url, question.subject);
    const std::string origin = OriginOf(url);
    if (origin != origin_ || foreign) {
      AuthSettings settings{origin};
      settings.most_tokens = kForeignTokens;
      foreign = foreign_.Get(origin, std::move(settings), sender_);
    }
    redirect = co_await Authorized(question,
                                   {url, foreign ? *foreign : authenticator_, origin == origin_});
  }
  co_return std::move(redirect);
}

Task<Response> Exchange::Authorized(const Question& question, Target target) {
  Authenticator& authenticator = target.authenticator;
  std::optional<std::string> authorization = authenticator.KnownAuthorization(question.target);
  if (!authorization) authorization = co_await authenticator.Authorization(question.target);
  Request request = RequestFor(question, target.url);
  Authorize(request, *authorization);
  Response response = co_await sender_.Send(request);
  if (target.own) KeepWarnings(response);
  // A short-lived credential that has expired is told by 403 (Amazon ECR).
  if (response.status != 401 && response.status != 403) co_return std::move(response);
  std::string other;
  if (response.status == 403) {
    other = authenticator.AnswerDenial(question.target, *authorization);
  } else {
    std::vector<std::string> challenges;
    for (const std::string_view value : response.headers.All("www-authenticate")) {
      challenges.emplace_back(value);
    }
    other = co_await authenticator.Answer(std::move(challenges), question.target,
                                          std::move(*authorization));
  }
  if (other.empty()) co_return std::move(response);
  Authorize(request, other);
  response = co_await sender_.Send(request);
  if (target.own) KeepWarnings(response);
  co_return std::move(response);
}

void Exchange::KeepWarnings(const Response& response) {
  constexpr std::size_t kMostWarnings = 10;
  for (const std::string_view value : response.headers.All("warning")) {
    std::optional<std::string> warning = ParseWarning(value);
    const bool known =
        !warning || std::find(warnings_.begin(), warnings_.end(), *warning) != warnings_.end();
    if (!known && warnings_.size() < kMostWarnings) warnings_.push_back(std::move(*warning));
  }
}

}  // namespace image_library::registry

#include "registry/status.h"

#include <algorithm>

#include "core/json.h"
#include "registry/rate_limit.h"

namespace image_library::registry {

namespace {

// `errors[0].code` of the body (distribution-spec, "Error codes"); empty when there is none.
std::string ErrorCode(const Response& response) {
  try {
    const std::vector<Json> errors = Json::Parse(response.body)["errors"].Elements();
    const std::string code = errors.empty() ? "" : errors.front()["code"].StringOr("");
    const bool is_code = code.size() <= 40 && std::all_of(code.begin(), code.end(), [](char c) {
                           return (c >= 'A' && c <= 'Z') || c == '_';
                         });
    return is_code ? code : "";
  } catch (const Error&) {
    return "";
  }
}

std::string Detail(const Response& response) {
  const std::string code = ErrorCode(response);
  return "The registry answered with status " + std::to_string(response.status) +
         (code.empty() ? "." : " (" + code + ").");
}

std::string DeniedHint(const Subject& subject) {
  if (!subject.denied_hint.empty()) return subject.denied_hint;
  return subject.has_credential
             ? "Check the name, and that the registry's credential is right and may pull it."
             : "Check the name, or set a credential for the registry: none is set for it.";
}

struct Meaning {
  ErrorKind kind;
  std::string what;
  std::string hint;
};

Meaning MeaningOf(const Response& response, const Subject& subject) {
  const int status = response.status;
  if (status == 401 || status == 403) {
    return {ErrorKind::kUnauthorized, "denied or absent", DeniedHint(subject)};
  }
  if (status == 404) {
    return {ErrorKind::kNotFound, "not found", "Check the name and the registry's URL."};
  }
  if (IsLimitRefusal(response)) {
    return {ErrorKind::kRateLimited, "the registry limits requests", kLimitHint};
  }
  if (status >= 500) {
    return {ErrorKind::kServer, "the registry failed",
            "Try again later; the registry's own log "
            "tells why."};
  }
  if (status >= 300 && status < 400) {
    return {ErrorKind::kProtocol, "the registry redirects",
            "Check the registry's URL: host, scheme and port."};
  }
  return {ErrorKind::kProtocol, "unexpected answer",
          "Check that the URL is that of an OCI registry."};
}

}  // namespace

void ThrowStatus(const Response& response, const Subject& subject) {
  const Meaning meaning = MeaningOf(response, subject);
  throw Error(meaning.kind, "could not read " + subject.text + ": " + meaning.what,
              Detail(response), meaning.hint);
}

Error About(const Error& error, const Subject& subject) {
  return Error(error.kind(), "could not read " + subject.text + ": " + error.what(), error.detail(),
               error.hint());
}

Error Malformed(const Subject& subject, const std::string& what) {
  return Error(ErrorKind::kProtocol, "could not read " + subject.text + ": " + what,
               "The registry's answer is not what the OCI distribution specification says.",
               "Check that the URL is that of an OCI registry, and not of a web page or a proxy.");
}

}  // namespace image_library::registry

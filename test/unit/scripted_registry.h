// A registry that answers by a script.
#ifndef IMAGE_LIBRARY_TEST_UNIT_SCRIPTED_REGISTRY_H_
#define IMAGE_LIBRARY_TEST_UNIT_SCRIPTED_REGISTRY_H_

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "core/manifest.h"
#include "fake_transport.h"

namespace image_library::registry {

/// Requests are keyed `METHOD /path?query` at the registry itself, `METHOD https://...` elsewhere.
/// What no answer is set for is 404.
class ScriptedRegistry {
 public:
  explicit ScriptedRegistry(std::string origin = "https://r.example")
      : transport([this](const Request& request) { return Handle(request); }),
        origin_(std::move(origin)) {
    Set("GET /v2/", Answer(200, "{}"));
  }

  /// The same answer each time.
  void Set(const std::string& key, Response response) { answers_[key] = {std::move(response)}; }
  /// One answer after the other; the last one stays.
  void Set(const std::string& key, std::deque<Response> responses) {
    answers_[key] = std::move(responses);
  }
  /// Where no token is sent, this challenge is the answer to everything of the API but `GET /v2/`.
  void Challenge(std::string challenge) { challenge_ = std::move(challenge); }

  void Tags(const std::string& repository, const std::string& json) {
    Set("GET /v2/" + repository + "/tags/list?n=100", Answer(200, "{\"tags\":" + json + "}"));
  }
  /// A manifest by its tag (unless empty) and digest, by GET and HEAD; returns its digest.
  std::string Manifest(const std::string& repository, const std::string& tag,
                       const std::string& body,
                       const std::string& type = std::string(media_type::kOciManifest)) {
    const std::string digest = Sha256Digest(body);
    const std::vector<std::pair<std::string, std::string>> headers = {
        {"content-type", type}, {"docker-content-digest", digest}};
    for (const std::string& reference : {tag, digest}) {
      if (reference.empty()) continue;
      Set("GET /v2/" + repository + "/manifests/" + reference, Answer(200, body, headers));
      Set("HEAD /v2/" + repository + "/manifests/" + reference, Answer(200, "", headers));
    }
    return digest;
  }

  /// Requests since the last call, as keys.
  std::vector<std::string> TakeKeys() { return std::exchange(keys_, {}); }

  FakeTransport transport;

 private:
  Response Handle(const Request& request) {
    const std::string method = request.method == Method::kGet    ? "GET "
                               : request.method == Method::kHead ? "HEAD "
                                                                 : "POST ";
    const bool own = request.url.compare(0, origin_.size() + 1, origin_ + "/") == 0;
    const std::string key = method + (own ? request.url.substr(origin_.size()) : request.url);
    keys_.push_back(key);
    if (own && !challenge_.empty() && key != "GET /v2/" &&
        request.url.find("/v2/") != std::string::npos &&
        HeaderOf(request, "Authorization").empty()) {
      return Answer(401, "", {{"www-authenticate", challenge_}});
    }
    const auto found = answers_.find(key);
    if (found == answers_.end()) return Answer(404);
    Response response = found->second.front();
    if (found->second.size() > 1) found->second.pop_front();
    return response;
  }

  const std::string origin_;
  std::map<std::string, std::deque<Response>> answers_;
  std::string challenge_;
  std::vector<std::string> keys_;
};

}  // namespace image_library::registry

#endif

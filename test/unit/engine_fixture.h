// The sync engine over a registry in memory and a store in memory.
#ifndef IMAGE_LIBRARY_TEST_UNIT_ENGINE_FIXTURE_H_
#define IMAGE_LIBRARY_TEST_UNIT_ENGINE_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "fake_transport.h"
#include "memory_store.h"
#include "sync/registry_config.h"
#include "sync/registry_run.h"

namespace image_library::sync {

using registry::Answer;
using registry::FakeTransport;
using registry::Method;
using registry::Request;
using registry::Response;

// Repositories with tags that point at small images made from their names.
class MemoryRegistry {
 public:
  void Tag(const std::string& repository, const std::string& tag, const std::string& content) {
    const std::string config =
        R"({"os":"linux","architecture":"amd64","config":{"Labels":{"content":")" + content +
        R"("}}})";
    const std::string config_digest = Sha256Digest(config);
    const std::string manifest =
        R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
        config_digest + R"(","size":)" + std::to_string(config.size()) + R"(},"layers":[]})";
    Raw(repository, tag, manifest);
    blobs_[config_digest] = config;
  }
  void Raw(const std::string& repository, const std::string& tag, const std::string& manifest) {
    const std::string digest = Sha256Digest(manifest);
    manifests_[digest] = manifest;
    tags_[repository][tag] = digest;
  }
  void Copy(const std::string& from, const std::string& tag, const std::string& to) {
    tags_[to][tag] = tags_[from][tag];
  }
  void Alias(const std::string& repository, const std::string& tag, const std::string& digest) {
    tags_[repository][tag] = digest;
  }
  // A stored manifest with more members.
  std::string Body(const std::string& digest, const std::string& more) {
    return "{" + more + manifests_[digest].substr(1);
  }
  void Untag(const std::string& repository, const std::string& tag) {
    tags_[repository].erase(tag);
  }
  // Hides a tag from the listing; HEAD finds it all the same.
  void Hide(const std::string& tag) { hidden_.insert(tag); }
  void Fail(const std::string& part_of_url, int status,
            std::vector<std::pair<std::string, std::string>> headers = {}) {
    failures_[part_of_url] = Answer(status, {}, std::move(headers));
  }
  void Serve(const std::string& part_of_url, Response response) {
    failures_[part_of_url] = std::move(response);
  }
  void Forget(const std::string& digest) { manifests_.erase(digest); }
  void Store(const std::string& digest, const std::string& manifest) {
    manifests_[digest] = manifest;
  }
  void Blob(const std::string& content) { blobs_[Sha256Digest(content)] = content; }
  void Heal() { failures_.clear(); }
  // ETags are the digests, as those of the distribution, and If-None-Match is heeded, or not.
  bool etags = false;
  bool heeds_etags = true;
  std::string DigestOf(const std::string& repository, const std::string& tag) {
    return tags_[repository][tag];
  }

  Response Handle(const Request& request) {
    const std::string path = request.url.substr(std::string("https://r.example").size());
    for (const auto& [part, failure] : failures_)
      if (path.find(part) != std::string::npos) return failure;
    if (path == "/v2/") return Answer(200, "{}");
    if (path.rfind("/v2/_catalog", 0) == 0) return Catalog();
    const std::size_t list = path.find("/tags/list");
    if (list != std::string::npos) return List(path.substr(4, list - 4));
    const std::size_t manifest = path.find("/manifests/");
    if (manifest != std::string::npos)
      return Manifest(path.substr(4, manifest - 4), path.substr(manifest + 11), request);
    const std::size_t blob = path.find("/blobs/");
    if (blob != std::string::npos) {
      const auto found = blobs_.find(path.substr(blob + 7));
      return found == blobs_.end() ? Answer(404) : Answer(200, found->second);
    }
    return Answer(404);
  }

 private:
  Response Catalog() const {
    std::string names;
    for (const auto& [name, tags] : tags_) names += (names.empty() ? "\"" : ",\"") + name + "\"";
    return Answer(200, R"({"repositories":[)" + names + "]}");
  }
  Response List(const std::string& repository) const {
    const auto found = tags_.find(repository);
    if (found == tags_.end()) return Answer(404, R"({"errors":[{"code":"NAME_UNKNOWN"}]})");
    std::string names;
    for (const auto& [tag, digest] : found->second)
      if (hidden_.count(tag) == 0) names += (names.empty() ? "\"" : ",\"") + tag + "\"";
    return Answer(200, R"({"tags":[)" + names + "]}");
  }
  Response Manifest(const std::string& repository, const std::string& reference,
                    const Request& request) {
    std::string digest = reference;
    const auto found = tags_.find(repository);
    if (found != tags_.end() && found->second.count(reference) != 0)
      digest = found->second.at(reference);
    const auto manifest = manifests_.find(digest);
    if (manifest == manifests_.end()) return Answer(404);
    const bool index = manifest->second.find("\"manifests\":") != std::string::npos;
    const std::string etag = "\"" + digest + "\"";
    if (etags && heeds_etags && registry::HeaderOf(request, "If-None-Match") == etag)
      return Answer(304);
    Response answer =
        Answer(200, request.method == Method::kHead ? "" : manifest->second,
               {{"content-type", index ? "application/vnd.oci.image.index.v1+json"
                                       : "application/vnd.oci.image.manifest.v1+json"},
                {"docker-content-digest", digest}});
    if (etags) answer.headers.Add("etag", etag);
    return answer;
  }

  std::map<std::string, std::map<std::string, std::string>> tags_;
  std::map<std::string, std::string> manifests_, blobs_;
  std::map<std::string, Response> failures_;
  std::set<std::string> hidden_;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() : transport_([this](const Request& request) { return registry_.Handle(request); }) {
    config_.name = "r";
    config_.url = ParseRegistryUrl("https://r.example");
    Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"]}])");
  }
  void Rules(const std::string& json) {
    config_.rules = RuleSet::FromJson(json);
    config_.rules_fingerprint = json;
  }
  RunResult Sync(RunOptions options = {}) {
    if (!keeps_fresh_) store_.NextRun();
    LimitedTransport limits(transport_, config_.requests_per_run, config_.url.Origin());
    DeadlineTransport deadline(limits, std::chrono::seconds(options.run_timeout),
                               [this] { return now_; });
    registry::ClientOptions client_options = ClientOptionsOf(config_);
    client_options.abilities = config_.abilities;
    registry::Client client(std::move(client_options), deadline);
    RegistryRun run(config_, store_, client, limits, deadline, options);
    registry::Await(run.Execute());
    config_.progress = run.result().progress;
    return run.result();
  }
  // Requests but the ping and the probe for referrers.
  std::vector<std::string> Requests() {
    std::vector<std::string> requests;
    for (std::string& line : transport_.TakeLog()) {
      if (line == "GET https://r.example/v2/" || line.find("/referrers/") != std::string::npos)
        continue;
      const std::size_t host = line.find("https://r.example/v2/");
      requests.push_back(line.erase(host, 21));
    }
    return requests;
  }

  MemoryRegistry registry_;
  MemoryStore store_;
  bool keeps_fresh_ = false;  ///< the next sync belongs to the run before
  FakeTransport transport_;
  RegistryConfig config_;
  DeadlineTransport::Seconds now_{0};
};

}  // namespace image_library::sync

#endif

// A full sync as far as the wire goes: lists, reads, verifies, parses and assembles every image of
// the repositories, and hands the batches to a store that keeps nothing.
//
//   full_read PORT IMAGES CONNECTIONS
//
// IMAGES: a file of `repository TAB tag`, one image a line; each repository is read whole. Prints
// images a second, and CPU microseconds an image on standard error.
#include <poll.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#include "core/json.h"
#include "sync/sync_registry.h"

namespace {

using image_library::RuleSet;
using namespace image_library::sync;

class PollWaiter : public image_library::registry::Waiter {
 public:
  void Wait(int descriptor, int timeout_ms) override {
    pollfd ready{descriptor, POLLIN, 0};
    poll(&ready, 1, timeout_ms);
  }
};

// A library that is empty whatever is written to it.
class EmptyStore : public Store {
 public:
  KnownRepository LoadRepository(const std::string&) override { return {}; }
  std::vector<KnownTag> KnownTags(const std::string&, const std::string&, std::size_t) override {
    return {};
  }
  std::vector<KnownProblem> KnownProblems(const std::string&, const std::string&,
                                          std::size_t) override {
    return {};
  }
  std::vector<std::string> ReferrerTags(const std::string&, const std::string&,
                                        std::size_t) override {
    return {};
  }
  std::vector<std::optional<KnownImage>> KnownImages(
      const std::vector<RepositoryDigest>& digests) override {
    return std::vector<std::optional<KnownImage>>(digests.size());
  }
  std::vector<std::string> Subjects(const std::string&,
                                    const std::vector<std::string>& subjects) override {
    return std::vector<std::string>(subjects.size());
  }
  void Write(std::span<const Batch> batches) override {
    for (const Batch& batch : batches) images += batch.images.size();
  }
  std::vector<std::string> KnownRepositories() override { return {}; }
  std::map<std::string, Settled> SettledRepositories() override { return {}; }
  void ForgetOtherProblems(const std::vector<std::string>&) override {}
  std::vector<DueReferrers> ReferrersDue(bool) override { return {}; }
  KnownEvidence FindEvidence(const std::string&, const std::string&) override { return {}; }
  std::vector<UntaggedImage> UntaggedDue() override { return {}; }
  void NoteUntagged(const std::string&, const std::string&, bool) override {}
  std::vector<RequestedRepository> Requested() override { return {}; }
  void NoteLook(const RequestedRepository&, double, const std::string&) override {}
  void ReportProgress(const RunReport&) override {}

  std::size_t images = 0;
};

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::set<std::string> RepositoriesIn(const char* file) {
  std::set<std::string> names;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) names.insert(line.substr(0, line.find('\t')));
  return names;
}

RuleSet RulesFor(const std::set<std::string>& repositories) {
  std::string json;
  int id = 0;
  for (const std::string& name : repositories)
    json += (json.empty() ? "[" : ",") + ("{\"rule_id\":" + std::to_string(++id)) +
            ",\"repositories\":\"" + name + "\",\"action\":\"include\"}";
  return RuleSet::FromJson(json + "]");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: full_read PORT IMAGES CONNECTIONS\n", stderr), 2;
  RegistryConfig config;
  config.name = "bench";
  config.url = image_library::ParseRegistryUrl("http://127.0.0.1:" + std::string(argv[1]));
  config.max_connections = std::atoi(argv[3]);
  config.allow_private = true;
  config.rules = RulesFor(RepositoriesIn(argv[2]));
  EmptyStore store;
  PollWaiter waiter;
  const auto start = std::chrono::steady_clock::now();
  const RunResult result = SyncRegistry(config, store, waiter);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (result.outcome != Outcome::kComplete || store.images == 0) {
    std::fprintf(stderr, "the sync did not complete: %s\n", result.error.c_str());
    return 1;
  }
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  const auto images = static_cast<double>(store.images);
  std::fprintf(stderr, "CPU us an image: user %.1f, system %.1f\n",
               1e6 * Seconds(used.ru_utime) / images, 1e6 * Seconds(used.ru_stime) / images);
  std::printf("%.1f\n", images / seconds.count());
}

// What holds whatever a registry does: syncs from random registries over loopback.
//
//   property_test [--first SEED] [--seeds COUNT] [--verbose]
//
// Every seed is a registry with troubles of its own that changes from run to run, until its
// troubles end. Prints a line of TAP for each property, over all seeds.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include "core/error.h"
#include "core/json_writer.h"
#include "core/manifest.h"
#include "memory_store.h"
#include "registry/client.h"
#include "registry/http.h"
#include "server.h"
#include "sync/registry_config.h"
#include "sync/registry_run.h"

namespace image_library::sync {
namespace {

constexpr unsigned kHangSeconds = 30;  // hundreds of times what a run takes
constexpr long kMemoryLimitKb = 64 << 10;

class PollWaiter : public registry::Waiter {
 public:
  void Wait(int descriptor, int timeout_ms) override {
    pollfd poll_descriptor{descriptor, POLLIN, 0};
    poll(&poll_descriptor, 1, timeout_ms);
  }
};

// Knows what one run marked missing, and what of an image was not there.
class WatchedStore : public MemoryStore {
 public:
  std::vector<DueReferrers> ReferrersDue(bool) override {
    std::vector<DueReferrers> incomplete;
    for (const auto& [repository, its_tags] : tags) {
      for (const auto& [name, tag] : its_tags) {
        DueReferrers due{repository, tag.digest, {}, {}};
        for (const PlatformImage& platform : images[tag.digest].platforms)
          (platform.present ? due.present : due.absent).push_back(platform.manifest_digest);
        if (!due.absent.empty()) incomplete.push_back(std::move(due));
      }
    }
    return incomplete;
  }
  void Write(std::span<const Batch> batches) override {
    for (const Batch& batch : batches)
      for (const std::string& tag : batch.missing) removed.emplace_back(batch.repository, tag);
    MemoryStore::Write(batches);
  }

  std::vector<std::pair<std::string, std::string>> removed;
};

// Images by digest, as the registry has them or had them.
using Content = std::map<std::string, std::pair<std::set<std::string>, StringMap>>;

enum Property { kNoCrash, kProvenRemovals, kVerifiedContent, kEqualsTruth, kProperties };
constexpr const char* kNames[kProperties] = {
    "no run crashes or hangs",
    "no tag is missing without a complete listing that lacks it and a manifest that answers 404",
    "what is stored is what its digest says",
    "once the troubles end, the library equals the registry",
};

unsigned running_seed = 0;

void OnAlarm(int) {
  char text[80];
  const int size = snprintf(text, sizeof text, "# seed %u hangs\nBail out!\n", running_seed);
  if (write(1, text, static_cast<std::size_t>(size)) < 0) _exit(3);
  _exit(2);
}

class SeedRun {
 public:
  SeedRun(RandomRegistries& registries, unsigned seed, bool verbose)
      : registries_(registries), seed_(seed), verbose_(verbose) {}

  // The properties that did not hold, each with what was seen.
  const std::multimap<Property, std::string>& Run() {
    for (int step = 0;; ++step) {
      const Json world =
          registries_.Ask("run " + std::to_string(seed_) + " " + std::to_string(step));
      const bool last = world["last"].Boolean().value_or(true);
      Sync(world, last);
      CheckRemovals();
      CheckContent();
      if (!last) continue;
      CheckTruth();
      return failures_;
    }
  }

 private:
  void Fail(Property property, const std::string& what) { failures_.emplace(property, what); }

  RegistryConfig Config(const Json& world) const {
    RegistryConfig config;
    config.name = "random";
    config.url = ParseRegistryUrl("http://127.0.0.1:" + registries_.port());
    config.allow_private = true;
    config.max_connections = 1 << seed_ % 5;
    registry::Credential credential;
    credential.username = world["user"].StringOr("");
    credential.password = world["password"].StringOr("");
    config.credentials.push_back(credential);
    int id = 0;
    config.rules =
        RuleSet::FromJson(ToJsonArray(world["rules"].Strings(), [&id](const std::string& pattern) {
          JsonObject rule;
          rule.Integer("rule_id", ++id);
          rule.Text("repositories", pattern);
          rule.Raw("tags", R"(["*"])");
          return rule.Finish();
        }));
    return config;
  }

  void Sync(const Json& world, bool last) {
    store_.NextRun();
    const RegistryConfig config = Config(world);
    registry::HttpOptions http = TransportOptions(config);
    http.total_timeout_ms = http.connect_timeout_ms = 250;
    registry::CurlTransport transport(http);
    using std::chrono::milliseconds;  // time is real here
    const Pace pace{milliseconds(5), milliseconds(1), milliseconds(20), milliseconds(2000)};
    LimitedTransport limits(transport, config.requests_per_run, config.url.Origin(), pace);
    DeadlineTransport deadline(limits, DeadlineTransport::Seconds(0));
    registry::Client client({config.url, config.credentials}, deadline, {3, 1, 20});
    RunOptions options;
    if (last) options.max_removal_percent = 100;
    RegistryRun run(config, store_, client, limits, deadline, options);
    store_.removed.clear();
    alarm(kHangSeconds);
    try {
      PollWaiter waiter;
      transport.Run(run.Execute(), waiter);
    } catch (const std::exception& error) {
      Fail(kNoCrash, std::string("an exception: ") + error.what());
    }
    alarm(0);
    if (!verbose_) return;
    printf("# seed %u: outcome %d, %s\n", seed_, static_cast<int>(run.result().outcome),
           run.result().error.c_str());
    for (const auto& [where, problem] : store_.problems)
      printf("#   %s:%s %s\n", where.first.c_str(), where.second.c_str(), problem.c_str());
  }

  void CheckRemovals() {
    if (store_.removed.empty()) return;
    const Json proof = registries_.Ask("proof");
    for (const auto& [repository, tag] : store_.removed) {
      const Json told = proof[repository.c_str()];
      const std::vector<std::string> not_found = told["not_found"].Strings();
      const std::vector<Json> listings = told["listings"].Elements();
      // Clang 14 cannot capture a structured binding.
      const auto lacks = [&listed = tag](const Json& listing) {
        const std::vector<std::string> names = listing.Strings();
        return std::find(names.begin(), names.end(), listed) == names.end();
      };
      const bool lacked = std::any_of(listings.begin(), listings.end(), lacks);
      if (!lacked) Fail(kProvenRemovals, repository + ":" + tag + " was never listed without");
      if (std::find(not_found.begin(), not_found.end(), tag) == not_found.end())
        Fail(kProvenRemovals, repository + ":" + tag + " never answered 404");
    }
  }

  void CheckContent() {
    truth_ = registries_.Ask("truth");
    truth_["content"].ForEachMember([&](std::string_view digest, const Json& mark) {
      const std::vector<std::string> manifests = mark["manifests"].Strings();
      content_[std::string(digest)] = {{manifests.begin(), manifests.end()}, mark["labels"].Map()};
    });
    for (const auto& [digest, image] : store_.images) {
      if (image.unread == Unread::kManifest) continue;  // nothing but what the registry said
      const auto found = content_.find(digest);
      if (found == content_.end()) {
        Fail(kVerifiedContent, digest + " never was in the registry");
        continue;
      }
      const auto& [manifests, labels] = found->second;
      if (manifests.empty()) continue;  // served in error
      // A child that answers 404 is known by its descriptor only, until it is there.
      if (image.labels != labels && !image.labels.empty())
        Fail(kVerifiedContent, digest + " has other labels");
      for (const PlatformImage& platform : image.platforms) {
        // An index in it that is not there yet: only what it is made of is in the list.
        if (!platform.present && platform.platform.os == "unknown") continue;
        if (manifests.count(platform.manifest_digest) == 0)
          Fail(kVerifiedContent, digest + " is not made of " + platform.manifest_digest);
      }
    }
  }

  void CheckTruth() {
    std::map<std::string, std::map<std::string, std::string>> wanted, found;
    truth_["tags"].ForEachMember([&](std::string_view repository, const Json& tags) {
      for (auto& [tag, digest] : tags.Map())
        if (!IsReferrerTag(tag)) wanted[std::string(repository)][tag] = digest;
    });
    for (const auto& [repository, tags] : store_.tags)
      for (const auto& [name, tag] : tags)
        if (!tag.missing) found[repository][name] = tag.digest;
    for (const auto& [repository, tags] : wanted)
      for (const auto& [tag, digest] : tags)
        if (found[repository][tag] != digest)
          Fail(kEqualsTruth, repository + ":" + tag + " should be " + digest + ", is " +
                                 found[repository][tag] + Problem(repository, tag));
        else if (store_.images[digest].labels != content_[digest].second)
          Fail(kEqualsTruth, repository + ":" + tag + " is " + digest + " with other labels");
    for (const auto& [repository, tags] : found)
      for (const auto& [tag, digest] : tags)
        if (!digest.empty() && wanted[repository].count(tag) == 0)
          Fail(kEqualsTruth,
               repository + ":" + tag + " should be missing" + Problem(repository, tag));
  }

  std::string Problem(const std::string& repository, const std::string& tag) const {
    for (const std::string& name : {tag, std::string()}) {
      const auto problem = store_.problems.find({repository, name});
      if (problem != store_.problems.end()) return " (" + problem->second + ")";
    }
    return "";
  }

  RandomRegistries& registries_;
  const unsigned seed_;
  const bool verbose_;
  WatchedStore store_;
  Content content_;
  Json truth_ = Json::Parse("{}");
  std::multimap<Property, std::string> failures_;
};

// The most memory that this process has ever had resident, in kB.
long PeakMemoryKb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return atol(line.c_str() + 6);
  return 0;
}

void Report(int number, bool ok, const std::string& name) {
  printf("%sok %d - %s\n", ok ? "" : "not ", number, name.c_str());
}

int Main(int count, char** arguments) {
  unsigned first = 1, seeds = 1000;
  bool verbose = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view option = arguments[i];
    if (option == "--verbose") {
      verbose = true;
    } else if (option == "--first" && i + 1 < count) {
      first = static_cast<unsigned>(atoi(arguments[++i]));
    } else if (option == "--seeds" && i + 1 < count) {
      seeds = static_cast<unsigned>(atoi(arguments[++i]));
    } else {
      fprintf(stderr, "usage: property_test [--first SEED] [--seeds COUNT] [--verbose]\n");
      return 2;
    }
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  signal(SIGALRM, &OnAlarm);
  RandomRegistries registries;
  int failed[kProperties] = {};
  for (unsigned seed = first; seed < first + seeds; ++seed) {
    running_seed = seed;
    SeedRun run(registries, seed, verbose);
    std::set<Property> broken;
    for (const auto& [property, what] : run.Run()) {
      printf("# seed %u: %s: %s\n", seed, kNames[property], what.c_str());
      broken.insert(property);
    }
    if (!broken.empty())
      printf("# again: build/property_test --first %u --seeds 1 --verbose\n", seed);
    for (const Property property : broken) ++failed[property];
  }
  const std::string over = " (" + std::to_string(seeds) + " random registries)";
  int number = 0;
  for (int property = 0; property < kProperties; ++property)
    Report(++number, failed[property] == 0, kNames[property] + over);
  const long peak = PeakMemoryKb();
  Report(++number, peak < kMemoryLimitKb,
         "memory stays below 64 MiB: " + std::to_string(peak) + " kB at most");
  printf("1..%d\n", number);
  return peak < kMemoryLimitKb && std::count(failed, failed + kProperties, 0) == kProperties ? 0
                                                                                             : 1;
}

}  // namespace
}  // namespace image_library::sync

int main(int count, char** arguments) { return image_library::sync::Main(count, arguments); }

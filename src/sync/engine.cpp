#include "sync/engine.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "core/digest.h"
#include "sync/check.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Group;
using registry::Listing;
using registry::TagHead;
using registry::Task;

namespace {

// Nested indexes deeper than this are somebody's joke (image-spec allows nesting, sets no limit).
constexpr int kMaxIndexDepth = 4;
constexpr std::size_t kMaxPlatforms = 200;

// What sync_problem calls a failure.
const char* ProblemName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kMalformed:
      return "malformed";
    case ErrorKind::kDigestMismatch:
      return "digest mismatch";
    case ErrorKind::kTooLarge:
      return "too large";
    case ErrorKind::kUnauthorized:
      return "denied";
    case ErrorKind::kNotFound:
      return "not found";
    case ErrorKind::kRateLimited:
      return "rate limited";
    case ErrorKind::kUnreachable:
      return "unreachable";
    case ErrorKind::kServer:
      return "server error";
    case ErrorKind::kForbiddenAddress:
      return "forbidden address";
    case ErrorKind::kTls:
      return "tls";
    default:
      return "unexpected answer";
  }
}

std::string Describe(const Error& error) {
  return error.detail().empty() ? error.what() : std::string(error.what()) + ": " + error.detail();
}

bool Wanted(const std::optional<Platform>& platform, const Rule* rule) {
  if (rule->platforms.empty() || !platform) return true;
  return std::find(rule->platforms.begin(), rule->platforms.end(), platform->ToString()) !=
         rule->platforms.end();
}

}  // namespace

// The state of one repository while it is read.
struct Engine::RepositoryRun {
  std::string name;
  KnownRepository known;
  std::vector<std::string> listed;  // sorted
  bool listing_changed = false;
  bool read = false;  // the registry answered the listing, if only that there is no such repository
  Batch batch;
  // Tags that point at an image which another tag of this repository is reading.
  std::map<std::string, std::vector<FoundTag>> waiting;
  std::unordered_set<std::string_view> known_digests;  // of known.tags
  std::set<std::string> new_digests;

  const KnownTag* Known(const std::string& tag) const {
    const auto found_at =
        std::lower_bound(known.tags.begin(), known.tags.end(), tag,
                         [](const KnownTag& a, const std::string& b) { return a.name < b; });
    return found_at != known.tags.end() && found_at->name == tag ? &*found_at : nullptr;
  }
  bool HadProblem(const std::string& tag) const {
    return std::find(known.problem_tags.begin(), known.problem_tags.end(), tag) !=
           known.problem_tags.end();
  }
  // Writes only when there is a problem on record to be ended.
  void Fine(const std::string& tag) {
    if (HadProblem(tag)) batch.checked.push_back(tag);
  }
  bool Knows(const std::string& digest) const {
    return known_digests.count(digest) != 0 || new_digests.count(digest) != 0;
  }
};

std::string ListingFingerprint(const std::vector<std::string>& tags) {
  std::string joined;
  for (const std::string& tag : tags) {
    joined += tag;
    joined += '\n';
  }
  return Sha256Digest(joined);
}

Engine::Engine(const RegistryConfig& config, Catalog& catalog, registry::Client& client,
               EngineOptions options)
    : config_(config), catalog_(catalog), client_(client), options_(options) {}

Task<void> Engine::Run() {
  std::vector<std::string> repositories;
  try {
    co_await client_.Ping();
    repositories = co_await FindRepositories();
  } catch (const Error& error) {
    result_.outcome = Outcome::kFailed;
    result_.error = Describe(error);
    result_.hint = error.hint();
    co_return;
  }
  Group group(options_.repositories_at_once);
  for (std::string& name : repositories) {
    if (stopped_) break;
    Task<void> task = SyncRepository(std::move(name));
    co_await group.Spawn(std::move(task));
  }
  co_await group.Join();
  if (stopped_ || result_.statistics.problems > 0) result_.outcome = Outcome::kPartial;
  // A registry that lets nobody read anything has not been synced in part.
  if (first_refusal_ && repositories_read_ == 0) {
    result_.outcome = Outcome::kFailed;
    result_.error = Describe(*first_refusal_);
    result_.hint = first_refusal_->hint();
  }
}

// Repositories that rules name come without the catalogue; those the library holds already are read
// even when the catalogue forgot them: it is no proof of absence.
Task<std::vector<std::string>> Engine::FindRepositories() {
  std::set<std::string> names;
  for (std::string& name : config_.rules.LiteralRepositories()) names.insert(std::move(name));
  if (config_.rules.WantsCatalog()) {
    const Listing catalogue = co_await client_.ListRepositories();
    for (const std::string& name : catalogue.names)
      if (config_.rules.WantsRepository(name)) names.insert(name);
    for (const std::string& name : catalog_.KnownRepositories())
      if (config_.rules.WantsRepository(name)) names.insert(name);
  }
  co_return std::vector<std::string>(names.begin(), names.end());
}

Task<void> Engine::SyncRepository(std::string name) {
  if (stopped_) co_return;
  RepositoryRun run;
  run.name = std::move(name);
  run.batch.repository = run.name;
  ++result_.statistics.repositories;
  try {
    co_await ReadRepository(run);
  } catch (const Error& error) {
    Record(run, {}, error);
    if (!run.read && !first_refusal_) first_refusal_ = error;
  }
  if (run.read) ++repositories_read_;
  Flush(run);
  catalog_.Progress(run.name + ": " + std::to_string(run.listed.size()) + " tags listed");
}

Task<void> Engine::ReadRepository(RepositoryRun& run) {
  run.known = catalog_.LoadRepository(run.name);
  for (const KnownTag& tag : run.known.tags) run.known_digests.insert(tag.digest);
  std::optional<Listing> listing = co_await client_.ListTags(run.name);
  NoteSuccess();
  run.read = true;
  if (!listing && run.known.tags.empty() && run.known.listing_fingerprint.empty())
    throw Error(
        ErrorKind::kNotFound,
        "repository \"" + run.name + "\" was not found in registry \"" + config_.name + "\"", {},
        "Check the name: it is relative to the registry's URL.");
  if (listing) run.listed = std::move(listing->names);
  const std::string fingerprint = ListingFingerprint(run.listed);
  run.listing_changed = fingerprint != run.known.listing_fingerprint;

  {
    Group group(options_.tags_at_once);
    for (const TagDecision& decision : config_.rules.Decide(run.name, run.listed)) {
      if (stopped_) break;
      ++result_.statistics.tags_seen;
      Task<void> task = SyncTag(run, decision.tag, decision.rule);
      co_await group.Spawn(std::move(task));
    }
    co_await group.Join();
  }
  if (stopped_) co_return;
  ForgetProblems(run);
  co_await FindMissing(run);
  if (run.listing_changed) co_await ReadReferrerTags(run);
  run.Fine({});
  if (run.listing_changed && !stopped_) {
    run.batch.listing = run.listed;
    run.batch.listing_fingerprint = fingerprint;
  }
}

Task<void> Engine::SyncTag(RepositoryRun& run, std::string tag, const Rule* rule) {
  if (stopped_) co_return;
  try {
    co_await ReadTag(run, tag, rule);
    NoteSuccess();
  } catch (const Error& error) {
    Record(run, tag, error);
  }
  if (run.batch.images.size() >= options_.images_per_batch) Flush(run);
}

Task<void> Engine::ReadTag(RepositoryRun& run, std::string tag, const Rule* rule) {
  const KnownTag* const known = run.Known(tag);
  FoundTag found{tag, {}, rule->id};
  std::optional<FetchedManifest> manifest;
  if (known != nullptr && !known->missing) {
    if (rule->immutable_tags) {
      ++result_.statistics.not_modified;
      run.Fine(tag);
      co_return;
    }
    const TagHead head = co_await client_.HeadTag(run.name, tag);
    if (!head.found) co_return;  // deleted since the listing: the next listing tells
    found.digest = head.digest;
    if (found.digest == known->digest) {
      ++result_.statistics.not_modified;
      run.Fine(tag);
      co_return;
    }
  }
  if (found.digest.empty()) {
    // One request answers both what a new tag points at and what that is, with no race between.
    manifest = co_await client_.GetManifest(run.name, tag);
    if (!manifest) co_return;
    if (!manifest->claimed_digest.empty())
      throw Error(ErrorKind::kDigestMismatch,
                  "manifest of tag \"" + tag + "\" hashes to " + manifest->digest,
                  "The registry says it is " + manifest->claimed_digest + ".");
    found.digest = manifest->digest;
  }
  if (known != nullptr && !known->missing && found.digest == known->digest) {
    ++result_.statistics.not_modified;
    run.Fine(tag);
    co_return;
  }
  co_await ReadImage(run, std::move(found), rule, std::move(manifest));
}

// Adds the tag to the batch once its image is there: in the library, in the batch, or read now.
Task<void> Engine::ReadImage(RepositoryRun& run, FoundTag tag, const Rule* rule,
                             std::optional<FetchedManifest> manifest) {
  const std::string name = tag.name;
  const std::string digest = tag.digest;
  const auto reading = run.waiting.find(digest);
  if (reading != run.waiting.end()) {
    reading->second.push_back(std::move(tag));
    co_return;
  }
  if (!run.Knows(digest) && catalog_.KnownImages({digest}).empty()) {
    run.waiting[digest];
    try {
      if (!manifest) manifest = co_await client_.GetManifest(run.name, digest);
      if (!manifest)
        throw Error(ErrorKind::kNotFound, "manifest " + digest + " of tag \"" + name +
                                              "\" is gone from repository \"" + run.name + "\"");
      Image image = co_await FetchImage(run.name, std::move(*manifest), rule);
      run.batch.images.push_back(std::move(image));
      run.new_digests.insert(digest);
      ++result_.statistics.images_added;
    } catch (const Error& error) {
      // Whoever waited for this image has the same trouble.
      for (const FoundTag& waiting : run.waiting[digest]) Record(run, waiting.name, error);
      run.waiting.erase(digest);
      throw;
    }
    for (FoundTag& waiting : run.waiting[digest]) {
      run.Fine(waiting.name);
      run.batch.tags.push_back(std::move(waiting));
    }
    run.waiting.erase(digest);
    co_await ReadReferrers(run, digest);
  }
  const KnownTag* const known = run.Known(name);
  if (known != nullptr && known->digest != digest) ++result_.statistics.tags_moved;
  run.Fine(name);
  run.batch.tags.push_back(std::move(tag));
}

Task<Image> Engine::FetchImage(std::string repository, FetchedManifest fetched, const Rule* rule) {
  const Manifest manifest = ParseManifest(fetched.body, fetched.content_type);
  std::vector<FetchedPlatform> platforms;
  if (manifest.is_index) {
    co_await FetchPlatforms(repository, manifest, rule, 1, platforms);
  } else {
    platforms.emplace_back();
    platforms.back().digest = fetched.digest;
    platforms.back().manifest = manifest;
    co_await FetchConfig(repository, platforms.back());
  }
  co_return AssembleImage(fetched.digest, manifest, platforms);
}

Task<void> Engine::FetchPlatforms(std::string repository, const Manifest& index, const Rule* rule,
                                  int depth, std::vector<FetchedPlatform>& platforms) {
  for (const Descriptor& child : index.manifests) {
    if (child.IsAttestation() || !Wanted(child.platform, rule)) continue;
    const bool seen = std::any_of(platforms.begin(), platforms.end(), [&](const auto& platform) {
      return platform.digest == child.digest;
    });
    if (seen) continue;
    if (platforms.size() >= kMaxPlatforms)
      throw Error(ErrorKind::kTooLarge,
                  "index has more than " + std::to_string(kMaxPlatforms) + " platforms");
    FetchedPlatform platform;
    platform.digest = child.digest;
    platform.platform = child.platform;
    const std::optional<FetchedManifest> fetched =
        co_await client_.GetManifest(repository, child.digest);
    // A sparse index: the platform is known by its descriptor only (image-spec, image-index.md).
    if (fetched) {
      platform.manifest = ParseManifest(fetched->body, fetched->content_type);
      if (platform.manifest.is_index) {
        if (depth >= kMaxIndexDepth)
          throw Error(ErrorKind::kTooLarge,
                      "indexes are nested deeper than " + std::to_string(kMaxIndexDepth));
        const Manifest nested = std::move(platform.manifest);
        co_await FetchPlatforms(repository, nested, rule, depth + 1, platforms);
        continue;
      }
      co_await FetchConfig(repository, platform);
    }
    platforms.push_back(std::move(platform));
  }
}

Task<void> Engine::FetchConfig(std::string repository, FetchedPlatform& platform) {
  const std::optional<Descriptor>& config = platform.manifest.config;
  if (!config || !IsImageConfig(config->media_type)) co_return;
  if (config->data) {
    platform.config = ParseImageConfig(*config->data);
    co_return;
  }
  const std::string body = co_await client_.GetBlob(repository, config->digest);
  platform.config = ParseImageConfig(body);
}

// Problems of tags that are no longer listed, or that no rule takes any more, are over.
void Engine::ForgetProblems(RepositoryRun& run) const {
  for (const std::string& tag : run.known.problem_tags) {
    if (tag.empty()) continue;
    const bool listed = std::binary_search(run.listed.begin(), run.listed.end(), tag);
    if (!listed || (!IsReferrerTag(tag) && config_.rules.Decide(run.name, {tag}).empty()))
      run.batch.checked.push_back(tag);
  }
}

// Tags that the listing lacks: gone only when their manifest answers 404 too, and only when the
// listing did not shrink beyond belief.
Task<void> Engine::FindMissing(RepositoryRun& run) {
  std::vector<std::string> absent;
  std::size_t present = 0;
  for (const KnownTag& tag : run.known.tags) {
    if (tag.missing) continue;
    ++present;
    if (!std::binary_search(run.listed.begin(), run.listed.end(), tag.name))
      absent.push_back(tag.name);
  }
  if (absent.empty()) co_return;
  const std::size_t allowed = std::max<std::size_t>(
      1, present * static_cast<std::size_t>(options_.max_removal_percent) / 100);
  if (absent.size() > allowed) {
    run.listing_changed = false;
    throw Error(ErrorKind::kProtocol,
                "listing of repository \"" + run.name + "\" lacks " +
                    std::to_string(absent.size()) + " of " + std::to_string(present) +
                    " known tags",
                "Nothing was marked missing, because more than " +
                    std::to_string(options_.max_removal_percent) + " percent would be.",
                "If the tags were really removed, raise image_library.max_removal_percent for one "
                "sync.");
  }
  for (const std::string& tag : absent) {
    const TagHead head = co_await client_.HeadTag(run.name, tag);
    if (head.found) continue;
    run.batch.missing.push_back(tag);
    ++result_.statistics.tags_missing;
  }
}

// Signatures and the like that hang on tags, for images of this repository.
Task<void> Engine::ReadReferrerTags(RepositoryRun& run) {
  for (const std::string& tag : run.listed) {
    std::string subject;
    if (!IsReferrerTag(tag, &subject) || !run.Knows(subject) || stopped_) continue;
    try {
      co_await ReadReferrerTag(run, tag);
    } catch (const Error& error) {
      Record(run, tag, error);
    }
  }
}

Task<void> Engine::ReadReferrerTag(RepositoryRun& run, std::string tag) {
  std::string subject, suffix;
  IsReferrerTag(tag, &subject, &suffix);
  const std::optional<FetchedManifest> fetched = co_await client_.GetManifest(run.name, tag);
  // A registry may resolve the tag's name to the subject itself.
  if (!fetched || fetched->digest == subject) co_return;
  const Manifest manifest = ParseManifest(fetched->body, fetched->content_type);
  if (suffix.empty() && manifest.is_index) {
    for (const Descriptor& child : manifest.manifests)
      run.batch.referrers.push_back({subject, child.digest, child.artifact_type, child.size,
                                     child.annotations, "fallback tag"});
    co_return;
  }
  Referrer referrer{subject, fetched->digest,      manifest.artifact_type,
                    0,       manifest.annotations, suffix.empty() ? "fallback tag" : "cosign tag"};
  if (referrer.artifact_type.empty() && !manifest.layers.empty())
    referrer.artifact_type = manifest.layers.front().media_type;
  for (const Descriptor& layer : manifest.layers) referrer.size_bytes += layer.size;
  run.batch.referrers.push_back(std::move(referrer));
}

Task<void> Engine::ReadReferrers(RepositoryRun& run, std::string digest) {
  std::optional<std::vector<Descriptor>> descriptors;
  try {
    descriptors = co_await client_.ListReferrers(run.name, digest);
  } catch (const Error&) {
    co_return;  // an image is not worse for a registry that trips over its referrers
  }
  if (!descriptors) co_return;
  for (const Descriptor& descriptor : *descriptors)
    run.batch.referrers.push_back({digest, descriptor.digest, descriptor.artifact_type,
                                   descriptor.size, descriptor.annotations, "api"});
}

void Engine::Flush(RepositoryRun& run) {
  if (run.batch.Empty()) return;
  catalog_.Write(run.batch);
  run.batch = Batch();
  run.batch.repository = run.name;
}

void Engine::Record(RepositoryRun& run, const std::string& tag, const Error& error) {
  run.batch.problems.push_back({run.name, tag, ProblemName(error.kind()), Describe(error)});
  ++result_.statistics.problems;
  NoteFailure(error);
}

// A registry that stopped answering is left alone until the next run.
void Engine::NoteFailure(const Error& error) {
  if (!error.temporary()) return;
  ++failures_in_a_row_;
  if (error.kind() != ErrorKind::kRateLimited && failures_in_a_row_ < options_.failures_to_stop)
    return;
  if (stopped_) return;
  stopped_ = true;
  result_.error = Describe(error);
  result_.hint = error.hint();
}

RunResult SyncRegistry(const RegistryConfig& config, Catalog& catalog, registry::Waiter& waiter,
                       EngineOptions options) {
  registry::CurlTransport transport(TransportOptions(config));
  registry::Client client(ClientOptionsOf(config), transport);
  Engine engine(config, catalog, client, options);
  transport.Run(engine.Run(), waiter);
  RunResult result = engine.result();
  result.statistics.requests = transport.traffic().requests;
  result.statistics.bytes = transport.traffic().bytes;
  result.statistics.retries = client.retries();
  result.retry_after = client.retry_after();
  result.token_server = client.token_server();
  if (!client.warnings().empty()) result.warning = client.warnings().back();
  return result;
}

}  // namespace image_library::sync

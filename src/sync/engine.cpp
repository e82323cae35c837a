#include "sync/engine.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/digest.h"
#include "sync/check.h"
#include "sync/problem.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Group;
using registry::Listing;
using registry::TagHead;
using registry::Task;

std::string ListingFingerprint(const std::vector<std::string>& tags) {
  std::string joined;
  for (const std::string& tag : tags) {
    joined += tag;
    joined += '\n';
  }
  return Sha256Digest(joined);
}

Engine::Engine(const RegistryConfig& config, Catalog& catalog, registry::Client& client,
               const LimitedTransport& limits, DeadlineTransport& deadline, EngineOptions options)
    : config_(config),
      catalog_(catalog),
      client_(client),
      limits_(limits),
      deadline_(deadline),
      options_(options),
      // Enough for as many small images as there are connections.
      room_(static_cast<std::size_t>(std::max(32, config.max_connections)) << 20,
            2 * registry::limit::kManifest),
      reader_(client, room_),
      writer_(catalog, deadline),
      progress_(config.progress),
      in_rounds_(config.requests_per_run || config.progress != Progress()) {
  // A budget is for whole images: read side by side, none of them might come to its end.
  if (config.requests_per_run) options_.tags_at_once = 1;
}

Task<void> Engine::Run() {
  try {
    co_await client_.Ping();
    std::vector<std::string> repositories = co_await FindRepositories();
    catalog_.ForgetOtherProblems(repositories);
    if (in_rounds_)
      co_await SyncInRounds(std::move(repositories));
    else
      co_await SyncEverything(std::move(repositories));
    if (!stopped_) co_await RefreshReferrers();
    if (stopped_ || result_.statistics.problems > 0) result_.outcome = Outcome::kPartial;
    // A registry that lets nobody read anything has not been synced in part.
    if (first_refusal_ && repositories_read_ == 0) throw *first_refusal_;
  } catch (const Error& error) {
    result_.outcome = Outcome::kFailed;
    result_.error = Describe(error);
    result_.hint = error.hint();
  }
  result_.limited = limits_.limited();
  result_.retry_after = limits_.retry_after();
  progress_.limited = result_.limited || deadline_.ended_run();
  // The order of work was another, and has come to some repository.
  if (!in_rounds_ && progress_.limited) progress_.listing = first_unfinished_;
  result_.progress = progress_;
  result_.abilities = client_.abilities();
  result_.statistics.requests = limits_.sent();
}

// Repositories that rules name come without the catalogue; those the library holds already are read
// even when the catalogue forgot them: it is no proof of absence.
Task<std::vector<std::string>> Engine::FindRepositories() {
  std::set<std::string> names;
  for (std::string& name : config_.rules.LiteralRepositories()) names.insert(std::move(name));
  if (config_.rules.WantsCatalog()) {
    Listing catalogue = co_await client_.ListRepositories();
    for (std::string& name : catalogue.names)
      if (config_.rules.WantsRepository(name)) names.insert(std::move(name));
    for (const std::string& name : catalog_.KnownRepositories())
      if (config_.rules.WantsRepository(name)) names.insert(name);
  }
  co_return std::vector<std::string>(names.begin(), names.end());
}

Task<void> Engine::SyncEverything(std::vector<std::string> repositories) {
  Group group(options_.repositories_at_once);
  for (std::string& name : repositories) {
    if (stopped_) {
      NoteUnfinished(name);
      break;
    }
    Task<void> task = SyncRepository(std::move(name));
    co_await group.Spawn(std::move(task));
  }
  co_await group.Join();
}

void Engine::NoteUnfinished(const std::string& repository) {
  if (first_unfinished_.empty() || repository < first_unfinished_) first_unfinished_ = repository;
}

// Whatever ends it, those who wait to hold a large listing go on, and when it is no longer held.
Task<void> Engine::SyncRepository(std::string name) {
  registry::ListingTurn turn(large_listing_);
  std::exception_ptr failure;
  try {
    co_await SyncInTurn(std::move(name), turn);
  } catch (...) {
    failure = std::current_exception();
  }
  turn.Leave();
  if (failure) std::rethrow_exception(failure);
}

Task<void> Engine::SyncInTurn(std::string name, registry::ListingTurn& turn) {
  if (stopped_) {
    NoteUnfinished(name);
    co_return;
  }
  RepositoryRun run(name, catalog_.LoadRepository(name));
  run.turn = &turn;
  ++result_.statistics.repositories;
  const Mark before = Now();
  resume_here_ = true;
  bool too_much = false;
  try {
    co_await ReadRepository(run);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBudget) {
      Record(run, {}, error);
      if (!run.was_listed && !first_refusal_) first_refusal_ = error;
    } else {
      Stop(error);
      // Whoever begins here again would not get further: the others come first.
      too_much = !run.was_listed && TookTooMuch(before);
      resume_here_ = !too_much;
      if (too_much) Record(run, {}, error);
    }
  }
  if (stopped_ && !too_much) NoteUnfinished(name);
  if (run.was_listed) ++repositories_read_;
  co_await Flush(run);
  catalog_.Progress(run.name + ": " + std::to_string(run.listed.size()) + " tags listed");
}

Task<void> Engine::ReadRepository(RepositoryRun& run) {
  co_await List(run);
  std::vector<TagDecision> fresh, again, known;
  for (TagDecision& decision : config_.rules.Decide(run.name, run.listed)) {
    const KnownTag* const tag = run.Known(decision.tag);
    if (tag == nullptr || tag->missing) {
      (run.HadProblem(decision.tag) ? again : fresh).push_back(std::move(decision));
    } else if (!decision.rule->immutable_tags) {
      known.push_back(std::move(decision));
    } else {
      ++result_.statistics.not_modified;
      if (!run.HadProblem(decision.tag, problem::kImmutableMoved)) run.Fine(decision.tag);
    }
  }
  result_.statistics.tags_seen += static_cast<std::int64_t>(fresh.size() + again.size());
  co_await SyncTags(run, fresh);
  if (!in_rounds_) {
    result_.statistics.tags_seen += static_cast<std::int64_t>(known.size());
    co_await SyncTags(run, known);
  }
  if (stopped_ || run.busy) co_return;
  ForgetProblems(run);
  co_await FindMissing(run);
  co_await ReadReferrerTags(run);
  if (stopped_) co_return;
  if (run.listing_changed) {
    run.batch.listing = run.listed;
    run.batch.listing_fingerprint = ListingFingerprint(run.listed);
  }
  // What failed before may fail again: the rest of the repository does not wait for it.
  resume_here_ = false;
  co_await SyncTags(run, again);
}

Task<void> Engine::List(RepositoryRun& run) {
  std::optional<Listing> listing = co_await client_.ListTags(run.name, run.turn);
  NoteSuccess();
  run.was_listed = true;
  run.absent = !listing;
  if (!listing && run.known.tags.empty() && run.known.listing_fingerprint.empty())
    throw Error(
        ErrorKind::kNotFound,
        "repository \"" + run.name + "\" was not found in registry \"" + config_.name + "\"", {},
        "Check the name: it is relative to the registry's URL.");
  if (listing) run.listed = std::move(listing->names);
  run.listing_changed = ListingFingerprint(run.listed) != run.known.listing_fingerprint;
}

Task<void> Engine::SyncTags(RepositoryRun& run, const std::vector<TagDecision>& tags) {
  Group group(options_.tags_at_once);
  for (const TagDecision& decision : tags) {
    if (stopped_ || run.busy) {
      run.Undone(decision.tag);
      break;
    }
    Task<void> task = SyncTag(run, decision.tag, decision.rule);
    co_await group.Spawn(std::move(task));
  }
  co_await group.Join();
}

Task<void> Engine::SyncTag(RepositoryRun& run, std::string tag, const Rule* rule) {
  if (stopped_ || run.busy) {
    run.Undone(tag);
    co_return;
  }
  const Mark before = Now();
  Room::Place place;
  std::exception_ptr failure;
  try {
    co_await ReadTag(run, tag, rule, place);
    NoteSuccess();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBudget) {
      Record(run, tag, error);
      if (error.kind() == ErrorKind::kRateLimited) run.Undone(tag);
    } else {
      Stop(error);
      if (TookTooMuch(before))
        Record(run, tag, error);
      else
        run.Undone(tag);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  // Whatever happened: those who wait are to come to their end too.
  room_.Leave(place);
  if (failure) std::rethrow_exception(failure);
  if (IsFull(run.batch)) co_await Flush(run);
}

Task<void> Engine::ReadTag(RepositoryRun& run, std::string tag, const Rule* rule,
                           Room::Place& place) {
  const KnownTag* const known = run.Known(tag);
  FoundTag found{tag, {}, rule->id};
  // A registry that lied of a digest is asked for the manifest: its body cannot lie.
  if (known != nullptr && !known->missing && !run.HadProblem(tag, problem::kDigestMismatch)) {
    const TagHead head = co_await client_.HeadTag(run.name, tag);
    if (!head.found) co_return;  // deleted since the listing: the next listing tells
    found.digest = head.digest;
    if (found.digest == known->digest) {
      ++result_.statistics.not_modified;
      run.Unchanged(tag);
      co_return;
    }
    if (!found.digest.empty() && co_await ReadImage(run, found, std::nullopt, place)) co_return;
    // The tag moved on while we looked, or its digest is not to be had: its manifest tells.
  }
  co_await room_.Enter(place);
  // One request answers both what a tag points at and what that is, with no race between.
  std::optional<FetchedManifest> manifest = co_await client_.GetManifest(run.name, tag);
  if (!manifest) co_return;
  found.digest = manifest->digest;
  if (known != nullptr && !known->missing && found.digest == known->digest) {
    ++result_.statistics.not_modified;
    if (manifest->claimed_digest.empty()) run.Unchanged(tag);
    co_return;
  }
  const std::string claimed = manifest->claimed_digest;
  (void)co_await ReadImage(run, std::move(found), std::move(manifest), place);
  if (!claimed.empty())
    Warn(run, tag, problem::kDigestMismatch,
         "the registry says that the tag is " + claimed +
             ", and sends a manifest with another digest: that one is kept");
}

// Adds the tag to the batch once its image is there: in the library, in the batch, or read now.
// False when the registry does not have the manifest of the digest.
Task<bool> Engine::ReadImage(RepositoryRun& run, FoundTag tag,
                             std::optional<FetchedManifest> manifest, Room::Place& place) {
  if (WasRefused(run, tag)) co_return true;
  const std::string digest = tag.digest;
  const auto reading = run.waiting.find(digest);
  if (reading != run.waiting.end()) {
    reading->second.push_back(std::move(tag));
    co_return true;
  }
  const bool is_new = !run.Knows(digest);
  if (is_new) {
    const std::vector<KnownImage> stored = catalog_.KnownImages({digest});
    // What is not whole may be whole here: no registry keeps facts from those of another.
    if (stored.empty() || !stored.front().whole) {
      if (!co_await ReadNewImage(run, tag, std::move(manifest), place)) co_return false;
      if (stored.empty()) ++result_.statistics.images_added;
    }
    run.new_digests.insert(digest);
  }
  // Nothing comes between an image and its tags: a batch may be written while others go on.
  for (FoundTag& waiting : run.TakeWaiting(digest)) AddTag(run, std::move(waiting));
  AddTag(run, std::move(tag));
  room_.Leave(place);
  if (is_new) co_await ReadNewReferrers(run, digest);
  co_return true;
}

// Reads an image into the batch, while other tags of its digest wait. False when the registry does
// not have it and nobody waits.
Task<bool> Engine::ReadNewImage(RepositoryRun& run, const FoundTag& tag,
                                std::optional<FetchedManifest> manifest, Room::Place& place) {
  run.waiting[tag.digest];
  try {
    co_await room_.Enter(place);
    if (!manifest) manifest = co_await client_.GetManifest(run.name, tag.digest);
    if (!manifest && run.waiting[tag.digest].empty()) {
      run.waiting.erase(tag.digest);
      co_return false;
    }
    if (!manifest)
      throw Error(ErrorKind::kNotFound, "manifest " + tag.digest + " of tag \"" + tag.name +
                                            "\" is gone from repository \"" + run.name + "\"");
    Image image = co_await reader_.Read(run.name, std::move(*manifest), place);
    if (image.cut) run.cut_digests.insert(tag.digest);
    run.batch.Add(std::move(image));
  } catch (const Error& error) {
    // Whoever waited for this image has the same trouble.
    for (const FoundTag& waiting : run.TakeWaiting(tag.digest)) {
      if (error.kind() == ErrorKind::kBudget)
        run.Undone(waiting.name);
      else
        Record(run, waiting.name, error);
    }
    throw;
  }
  co_return true;
}

void Engine::AddTag(RepositoryRun& run, FoundTag tag) {
  run.Fine(tag.name);
  const KnownTag* const known = run.Known(tag.name);
  if (known != nullptr && known->digest != tag.digest) {
    ++result_.statistics.tags_moved;
    const std::vector<Rule>& rules = config_.rules.rules();
    const auto rule = std::find_if(rules.begin(), rules.end(),
                                   [&](const Rule& one) { return one.id == tag.rule_id; });
    if (rule != rules.end() && rule->immutable_tags)
      Warn(run, tag.name, problem::kImmutableMoved,
           "the rule says that tags do not move, and this one came back with another digest");
  }
  if (run.cut_digests.count(tag.digest) != 0)
    Warn(run, tag.name, problem::kAnnotationsCut,
         "annotations, labels, layer types or attestations of the image are over their limits: "
         "those that fit are kept");
  run.batch.tags.push_back(std::move(tag));
}

RunResult SyncRegistry(const RegistryConfig& config, Catalog& catalog, registry::Waiter& waiter,
                       EngineOptions options) {
  registry::CurlTransport transport(TransportOptions(config));
  LimitedTransport limits(transport, config.requests_per_run, config.url.Origin());
  registry::ClientOptions client_options = ClientOptionsOf(config);
  client_options.abilities = config.abilities;
  DeadlineTransport deadline(limits, std::chrono::seconds(options.run_timeout));
  registry::Client client(std::move(client_options), deadline);
  Engine engine(config, catalog, client, limits, deadline, options);
  transport.Run(engine.Run(), waiter);
  RunResult result = engine.result();
  result.statistics.bytes = transport.traffic().bytes;
  result.statistics.retries = client.retries() + limits.retries();
  result.token_server = client.token_server();
  if (!client.warnings().empty()) result.warning = client.warnings().back();
  return result;
}

}  // namespace image_library::sync

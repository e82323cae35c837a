// Signatures, SBOMs and attestations that hang on images: the referrers API of distribution-spec
// 1.1, its fallback tags, and cosign's tags. Referrers of referrers are not followed, so no circle
// of them can lead anywhere.
#include <algorithm>
#include <utility>

#include "core/digest.h"
#include "core/text.h"
#include "sync/engine.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Group;
using registry::Task;

namespace {

constexpr std::size_t kRefreshedAtOnce = 8;

// The image of this repository that a referrer tag is for; empty: none that is known. The tag has
// only half of a sha512 digest (distribution-spec, "Referrers Tag Schema").
std::string SubjectOf(const RepositoryRun& run, const std::string& tag) {
  std::string subject;
  if (!IsReferrerTag(tag, &subject)) return {};
  if (IsDigest(subject)) return run.Knows(subject) ? subject : std::string();
  for (const std::string_view digest : run.known_digests)
    if (digest.starts_with(subject)) return std::string(digest);
  for (const std::string& digest : run.new_digests)
    if (digest.starts_with(subject)) return digest;
  return {};
}

bool SaysItsType(const Descriptor& descriptor) {
  return !descriptor.artifact_type.empty() && descriptor.artifact_type != media_type::kOciEmpty;
}

std::string ArtifactTypeOf(const Manifest& manifest) {
  if (!manifest.artifact_type.empty()) return manifest.artifact_type;
  if (manifest.config && manifest.config->media_type != media_type::kOciEmpty)
    return manifest.config->media_type;
  return manifest.layers.empty() ? std::string() : manifest.layers.front().media_type;
}

// Within the limits of images' annotations: see AssembleImage.
void ScrubAnnotations(Referrer& referrer) {
  constexpr std::size_t kMaxEntries = 1000;
  constexpr std::size_t kMaxKey = 256;
  constexpr std::size_t kMaxValue = 65536;
  StringMap clean;
  for (const auto& [key, value] : referrer.annotations) {
    if (clean.size() >= kMaxEntries) break;
    clean.emplace(Scrub(key, kMaxKey), Scrub(value, kMaxValue));
  }
  referrer.annotations = std::move(clean);
}

void AddAnswer(Batch& batch, ReferrerAnswer answer, std::vector<Referrer> referrers) {
  batch.referrer_answers.push_back(std::move(answer));
  for (Referrer& referrer : referrers) {
    ScrubAnnotations(referrer);
    batch.Add(std::move(referrer));
  }
}

}  // namespace

// Of a complete listing: tags that came, and those that went.
Task<void> Engine::ReadReferrerTags(RepositoryRun& run) {
  const auto& before = run.known.referrer_tags;
  for (const std::string& tag : run.listed) {
    const bool asked = run.listing_changed || !run.new_digests.empty() || run.HadProblem(tag);
    if (stopped_ || !asked || std::binary_search(before.begin(), before.end(), tag)) continue;
    const std::string subject = SubjectOf(run, tag);
    const bool fallback = tag.find('.') == std::string::npos;
    if (subject.empty() || (fallback && run.told_by_api.count(subject) != 0)) continue;
    try {
      co_await ReadReferrerTag(run.batch, subject, tag);
      run.Fine(tag);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kBudget) throw;
      Record(run, tag, error);
    }
    if (IsFull(run.batch)) co_await Flush(run);
  }
  for (const std::string& tag : before) {
    if (run.listing_changed && !run.IsListed(tag))
      run.batch.referrer_answers.push_back({SubjectOf(run, tag), tag});
  }
}

Task<void> Engine::ReadReferrerTag(Batch& batch, std::string subject, std::string tag) {
  std::string suffix;
  IsReferrerTag(tag, nullptr, &suffix);
  const std::optional<FetchedManifest> fetched =
      co_await client_.GetManifest(batch.repository, tag);
  // A registry may resolve the tag's name to the subject itself.
  if (!fetched || fetched->digest == subject) co_return;
  const Manifest manifest = ParseManifest(fetched->body, fetched->content_type);
  std::vector<Referrer> referrers;
  if (!suffix.empty()) {
    referrers.push_back({subject, fetched->digest, ArtifactTypeOf(manifest),
                         static_cast<std::int64_t>(fetched->body.size()), manifest.annotations,
                         "cosign tag", tag});
    if (manifest.artifact_type.empty() && !manifest.layers.empty())
      referrers.back().artifact_type = manifest.layers.front().media_type;
  }
  for (const Descriptor& child : manifest.manifests) {
    if (!suffix.empty()) break;
    std::optional<Referrer> referrer = co_await ToReferrer(batch.repository, subject, child);
    if (!referrer) continue;
    referrer->source = "fallback tag";
    referrer->tag = tag;
    referrers.push_back(std::move(*referrer));
  }
  // All at once: a batch may be written while we wait.
  AddAnswer(batch, {subject, tag}, std::move(referrers));
}

// An image is not worse for a registry that trips over its referrers: it is asked again later.
Task<void> Engine::ReadNewReferrers(RepositoryRun& run, std::string subject) {
  try {
    if (co_await ReadReferrerApi(run.batch, subject, {}))
      run.told_by_api.insert(subject);
    else if (!run.was_listed)  // no listing tells whether there is a fallback tag
      co_await ReadReferrerTag(run.batch, subject, FallbackTag(subject));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kBudget) throw;
  }
}

// False when the registry has no referrers API, or the API knows of none: some answer so without
// having looked (sigstore/sigstore-js#1187), and fallback tags are looked at then.
Task<bool> Engine::ReadReferrerApi(Batch& batch, std::string subject,
                                   std::map<std::string, std::string> known) {
  const std::optional<std::vector<Descriptor>> descriptors =
      co_await client_.ListReferrers(batch.repository, subject);
  if (!descriptors) co_return false;
  std::vector<Referrer> referrers;
  for (Descriptor descriptor : *descriptors) {
    const auto before = known.find(descriptor.digest);
    if (!SaysItsType(descriptor) && before != known.end())
      descriptor.artifact_type = before->second;
    std::optional<Referrer> referrer =
        co_await ToReferrer(batch.repository, subject, std::move(descriptor));
    if (referrer) referrers.push_back(std::move(*referrer));
  }
  const bool any = !referrers.empty();
  AddAnswer(batch, {subject, {}}, std::move(referrers));
  co_return any;
}

// The referrer that a descriptor stands for; one that does not say its type is read. Nothing for
// the subject itself, and for what turns out to belong to something else.
Task<std::optional<Referrer>> Engine::ToReferrer(std::string repository, std::string subject,
                                                 Descriptor descriptor) {
  if (descriptor.digest == subject) co_return std::nullopt;
  Referrer referrer{subject,
                    descriptor.digest,
                    descriptor.artifact_type,
                    descriptor.size,
                    descriptor.annotations,
                    "api",
                    {}};
  if (SaysItsType(descriptor)) co_return referrer;
  const std::optional<FetchedManifest> fetched =
      co_await client_.GetManifest(repository, descriptor.digest);
  if (!fetched) co_return referrer;
  const Manifest manifest = ParseManifest(fetched->body, fetched->content_type);
  if (!manifest.subject || manifest.subject->digest != subject) co_return std::nullopt;
  referrer.artifact_type = ArtifactTypeOf(manifest);
  if (referrer.annotations.empty()) referrer.annotations = manifest.annotations;
  co_return referrer;
}

// Signatures are made after images, and taken away: who matters is asked about again.
Task<void> Engine::RefreshReferrers() {
  Group group(config_.requests_per_run ? 1 : kRefreshedAtOnce);
  for (DueReferrers& due : store_.ReferrersDue(client_.abilities().referrers != false)) {
    if (stopped_) break;
    Task<void> task = RefreshReferrersOf(std::move(due));
    co_await group.Spawn(std::move(task));
  }
  co_await group.Join();
}

Task<void> Engine::RefreshReferrersOf(DueReferrers due) {
  Batch batch;
  batch.repository = due.repository;
  try {
    (void)co_await ReadReferrerApi(batch, due.digest, due.known);
    for (const std::string& tag : due.tags) co_await ReadReferrerTag(batch, due.digest, tag);
    co_await LookForChildren(batch, due);
    if (!due.absent.empty()) co_await CompleteImage(batch, due);
  } catch (const Error& error) {
    // What was found before stays, and the next run asks again.
    if (error.kind() == ErrorKind::kBudget)
      Stop(error);
    else
      NoteFailure(error);
    co_return;
  }
  batch.referrers_checked.push_back(due.digest);
  const Written written = co_await writer_.Write(std::move(batch));
  result_.statistics.problems += static_cast<std::int64_t>(written.problems);
}

}  // namespace image_library::sync

#include "sync/referrer_reader.h"

#include <utility>
#include <vector>

#include "core/image.h"
#include "core/rule.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Task;

namespace {

bool SaysItsType(const Descriptor& descriptor) {
  return !descriptor.artifact_type.empty() && descriptor.artifact_type != media_type::kOciEmpty;
}

std::string ArtifactTypeOf(const Manifest& manifest) {
  if (!manifest.artifact_type.empty()) return manifest.artifact_type;
  if (manifest.config && manifest.config->media_type != media_type::kOciEmpty)
    return manifest.config->media_type;
  return manifest.layers.empty() ? std::string() : manifest.layers.front().media_type;
}

// The referrers of one image while they are read. One that does not tell its annotations has those
// of its manifest, half a MiB at most: together they keep no more than that.
class Collected {
 public:
  void Add(Referrer referrer) {
    bool cut = false;
    referrer.annotations = ScrubMap(referrer.annotations, left_, &cut);
    left_ -= BytesOf(referrer.annotations);
    referrers_.push_back(std::move(referrer));
  }
  std::vector<Referrer> Take() { return std::move(referrers_); }
  bool empty() const { return referrers_.empty(); }
  const std::vector<Referrer>& referrers() const { return referrers_; }

 private:
  std::size_t left_ = image_library::limit::kListedAnnotations;
  std::vector<Referrer> referrers_;
};

void AddAnswer(Batch& batch, ReferrerAnswer answer, std::vector<Referrer> referrers,
               std::vector<FoundEvidence> evidence) {
  batch.referrer_answers.push_back(std::move(answer));
  for (Referrer& referrer : referrers) batch.Add(std::move(referrer));
  for (FoundEvidence& found : evidence) batch.Add(std::move(found));
}

std::vector<EvidenceSource> SourcesAmong(const std::vector<Referrer>& referrers) {
  std::vector<EvidenceSource> sources;
  for (const Referrer& referrer : referrers)
    if (MayHaveEvidence(referrer)) sources.push_back({referrer.digest, std::nullopt});
  return sources;
}

}  // namespace

Task<bool> ReferrerReader::ReadApi(Batch& batch, std::string subject,
                                   std::map<std::string, std::string> known) {
  const std::optional<std::vector<Descriptor>> descriptors =
      co_await client_.ListReferrers(batch.repository, subject);
  if (!descriptors) co_return false;
  Collected referrers;
  for (Descriptor descriptor : *descriptors) {
    const auto before = known.find(descriptor.digest);
    if (!SaysItsType(descriptor) && before != known.end())
      descriptor.artifact_type = before->second;
    std::optional<Referrer> referrer =
        co_await ToReferrer(batch.repository, subject, std::move(descriptor));
    if (referrer) referrers.Add(std::move(*referrer));
  }
  const bool any = !referrers.empty();
  std::vector<FoundEvidence> evidence;
  if (evidence_ != nullptr)
    evidence =
        co_await evidence_->Read(batch.repository, subject, SourcesAmong(referrers.referrers()));
  AddAnswer(batch, {subject, {}}, referrers.Take(), std::move(evidence));
  co_return any;
}

Task<void> ReferrerReader::ReadTag(Batch& batch, std::string subject, std::string tag) {
  std::string suffix;
  IsReferrerTag(tag, nullptr, &suffix);
  const std::optional<FetchedManifest> fetched =
      co_await client_.GetManifest(batch.repository, tag);
  // A registry may resolve the tag's name to the subject itself.
  if (!fetched || fetched->digest == subject) co_return;
  Manifest manifest = ParseManifest(fetched->body, fetched->content_type);
  Collected referrers;
  if (!suffix.empty()) {
    Referrer signature{subject,
                       fetched->digest,
                       ArtifactTypeOf(manifest),
                       static_cast<std::int64_t>(fetched->body.size()),
                       manifest.annotations,
                       "cosign tag",
                       tag};
    if (manifest.artifact_type.empty() && !manifest.layers.empty())
      signature.artifact_type = manifest.layers.front().media_type;
    referrers.Add(std::move(signature));
  }
  for (const Descriptor& child : manifest.manifests) {
    if (!suffix.empty()) break;
    std::optional<Referrer> referrer = co_await ToReferrer(batch.repository, subject, child);
    if (!referrer) continue;
    referrer->source = "fallback tag";
    referrer->tag = tag;
    referrers.Add(std::move(*referrer));
  }
  std::vector<FoundEvidence> evidence;
  if (evidence_ != nullptr) {
    std::vector<EvidenceSource> sources = SourcesAmong(referrers.referrers());
    if (!suffix.empty() && !sources.empty()) sources.front().manifest = std::move(manifest);
    evidence = co_await evidence_->Read(batch.repository, subject, std::move(sources));
  }
  // Added at once, after the last co_await: the batch may be written while this waits.
  AddAnswer(batch, {subject, tag}, referrers.Take(), std::move(evidence));
}

// The referrer that a descriptor stands for; one that does not say its type is read. Nothing for
// the subject itself, and for what turns out to belong to something else.
Task<std::optional<Referrer>> ReferrerReader::ToReferrer(std::string repository,
                                                         std::string subject,
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

}  // namespace image_library::sync

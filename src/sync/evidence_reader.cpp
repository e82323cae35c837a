#include "sync/evidence_reader.h"

#include <exception>
#include <set>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/rule.h"
#include "core/text.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Task;

namespace {

constexpr std::string_view kBundle = "application/vnd.dev.sigstore.bundle";
constexpr std::string_view kNotation = "application/vnd.cncf.notary.signature";
constexpr std::string_view kCosignArtifact = "application/vnd.dev.cosign.artifact.";
constexpr std::string_view kDsse = "application/vnd.dsse.envelope.v1+json";

// As table evidence names them; empty: the layer is no evidence.
std::string FormatOf(const std::string& media_type) {
  if (media_type.starts_with(kBundle)) return "sigstore bundle";
  if (media_type == media_type::kSimpleSigning) return "simple signing";
  if (media_type == kDsse) return "dsse";
  if (media_type == "application/jose+json") return "notation jws";
  if (media_type == "application/cose") return "notation cose";
  return {};
}

// Those that say something of the signature; others are texts of whoever pushed.
StringMap Needed(const StringMap& annotations) {
  StringMap needed;
  for (const auto& [key, value] : annotations)
    if (key.starts_with("dev.cosignproject.cosign/") || key.starts_with("dev.sigstore.cosign/"))
      needed.emplace(key, value);
  bool cut = false;
  return ScrubMap(std::move(needed), limit::kEvidenceAnnotations, &cut);
}

bool EndsReading(const Error& error) {
  return error.kind() == ErrorKind::kBudget || error.kind() == ErrorKind::kRateLimited;
}

}  // namespace

bool MayHaveEvidence(const Referrer& referrer) {
  std::string suffix;
  if (!referrer.tag.empty() && IsReferrerTag(referrer.tag, nullptr, &suffix) && !suffix.empty())
    return suffix == "sig" || suffix == "att";
  const std::string& type = referrer.artifact_type;
  return type.starts_with(kBundle) || type == kNotation || type.starts_with(kCosignArtifact) ||
         type == media_type::kSimpleSigning || type == kDsse;
}

// The evidence of one image while it is read.
struct EvidenceReader::Reading {
  std::string repository;
  std::string subject;
  std::set<std::string> known_manifests;
  std::set<std::string> known_layers;  // and those read for another place
  std::int64_t total = 0;              // bytes, with those known
  Room::Place place = {};
  std::size_t held = 0;
  std::vector<FoundEvidence> found = {};
};

Task<std::vector<FoundEvidence>> EvidenceReader::Read(std::string repository, std::string subject,
                                                      std::vector<EvidenceSource> sources) {
  if (sources.empty()) co_return std::vector<FoundEvidence>();
  KnownEvidence known = store_.FindEvidence(repository, subject);
  Reading reading{std::move(repository),
                  std::move(subject),
                  {known.manifests.begin(), known.manifests.end()},
                  {known.layers.begin(), known.layers.end()},
                  known.bytes};
  if (sources.size() > limit::kEvidenceManifests)
    sources.erase(sources.begin() + limit::kEvidenceManifests, sources.end());
  std::erase_if(sources, [&](const EvidenceSource& source) {
    return reading.known_manifests.count(source.digest) != 0;
  });
  if (sources.empty()) co_return std::vector<FoundEvidence>();
  std::exception_ptr failure;
  co_await room_.Enter(reading.place);
  try {
    co_await ReadAll(reading, std::move(sources));
  } catch (...) {
    failure = std::current_exception();
  }
  room_.Leave(reading.place);
  if (failure) std::rethrow_exception(failure);
  co_return std::move(reading.found);
}

Task<void> EvidenceReader::ReadAll(Reading& reading, std::vector<EvidenceSource> sources) {
  for (EvidenceSource& source : sources) {
    try {
      co_await ReadSource(reading, std::move(source));
    } catch (const Error& error) {
      // Of a manifest that cannot be read nothing is known: it is asked for again.
      if (EndsReading(error)) throw;
    }
  }
}

Task<void> EvidenceReader::ReadSource(Reading& reading, EvidenceSource source) {
  if (!source.manifest) {
    const std::optional<FetchedManifest> fetched =
        co_await client_.GetManifest(reading.repository, source.digest);
    if (!fetched) co_return;
    source.manifest = ParseManifest(fetched->body, fetched->content_type);
  }
  std::size_t layers = 0;
  std::int32_t place = -1;
  for (Descriptor& layer : source.manifest->layers) {
    ++place;
    FoundEvidence evidence{reading.subject, source.digest, place, layer.digest,
                           FormatOf(layer.media_type)};
    if (evidence.format.empty()) continue;
    if (reading.found.size() >= limit::kEvidenceOfImage) co_return;
    if (++layers > limit::kEvidenceLayers) {
      evidence.unread = "the manifest has more than " + std::to_string(limit::kEvidenceLayers) +
                        " signatures; this one and those after it are not read";
      reading.found.push_back(std::move(evidence));
      co_return;
    }
    evidence.annotations = Needed(layer.annotations);
    co_await ReadLayer(reading, std::move(evidence), std::move(layer));
  }
}

Task<void> EvidenceReader::ReadLayer(Reading& reading, FoundEvidence evidence, Descriptor layer) {
  if (reading.known_layers.count(layer.digest) != 0) {
    reading.found.push_back(std::move(evidence));
    co_return;
  }
  if (layer.size > limit::kEvidenceBytes) {
    evidence.unread = "the layer has more than " + std::to_string(limit::kEvidenceBytes) +
                      " bytes and is not read";
  } else if (reading.total + layer.size > limit::kEvidenceTotal) {
    evidence.unread = "the image has signatures of more than " +
                      std::to_string(limit::kEvidenceTotal) + " bytes; this one is not read";
  } else if (layer.data) {
    evidence.document = std::move(*layer.data);
  } else {
    try {
      evidence.document = co_await client_.GetBlob(reading.repository, layer.digest);
    } catch (const Error& error) {
      if (EndsReading(error)) throw;
      constexpr std::size_t kMostBytes = 1000;
      evidence.unread = ScrubLine(error.what(), kMostBytes);
      evidence.retry = error.kind() != ErrorKind::kTooLarge;
    }
  }
  if (evidence.document) {
    reading.known_layers.insert(layer.digest);
    reading.total += static_cast<std::int64_t>(evidence.document->size());
    reading.held += evidence.document->size();
    room_.Hold(reading.place, reading.held);
  }
  reading.found.push_back(std::move(evidence));
}

}  // namespace image_library::sync

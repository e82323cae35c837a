// How much a batch holds: what the database gets in one statement, and memory keeps until then.
#include "sync/batch.h"

#include <utility>

#include "core/digest.h"

namespace image_library::sync {
namespace {

using image_library::BytesOf;

std::size_t BytesOf(const Referrer& referrer) {
  return referrer.subject.size() + referrer.digest.size() + referrer.artifact_type.size() +
         referrer.tag.size() + BytesOf(referrer.annotations);
}

std::size_t BytesOf(const Image& image) {
  std::size_t bytes = image.digest.size() + image.media_type.size() + image.artifact_type.size() +
                      image.config_type.size() + BytesOf(image.annotations) + BytesOf(image.labels);
  for (const std::string& type : image.layer_types) bytes += type.size();
  for (const PlatformImage& platform : image.platforms)
    bytes += platform.manifest_digest.size() + platform.config_digest.size() +
             platform.platform.os.size() + platform.platform.architecture.size() +
             platform.platform.variant.size();
  for (const Referrer& referrer : image.referrers) bytes += BytesOf(referrer);
  return bytes;
}

}  // namespace

void Batch::Add(Image image) {
  bytes += BytesOf(image);
  images.push_back(std::move(image));
}

void Batch::Add(Referrer referrer) {
  bytes += BytesOf(referrer);
  referrers.push_back(std::move(referrer));
}

void Batch::Add(FoundEvidence found) {
  bytes += found.subject.size() + found.referrer.size() + found.digest.size() +
           BytesOf(found.annotations) + found.unread.size() +
           (found.document ? found.document->size() : 0);
  evidence.push_back(std::move(found));
}

std::string ListingFingerprint(const std::vector<std::string>& tags) {
  std::string joined;
  for (const std::string& tag : tags) {
    joined += tag;
    joined += '\n';
  }
  return Sha256Digest(joined);
}

// The number changes when more is read of an unchanged tag than before.
std::string SettledFingerprint(const std::string& listing, const std::string& rules) {
  constexpr const char* kVersion = "1";
  constexpr std::size_t kLength = 40;  // of a run, all are in memory
  return Sha256Digest(kVersion + ("\n" + listing) + "\n" + rules).substr(0, kLength);
}

}  // namespace image_library::sync

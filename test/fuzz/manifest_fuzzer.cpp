// libFuzzer target: manifests, configs, and the image made of them.
#include <utility>

#include "core/digest.h"
#include "core/error.h"
#include "core/image.h"
#include "core/manifest.h"
#include "fuzz_target.h"

namespace {

using namespace image_library;

void RequireRefusal(const Error& error) {
  REQUIRE(error.kind() == ErrorKind::kMalformed || error.kind() == ErrorKind::kTooLarge);
  fuzz::RequireReadable(error);
}

void CheckDescriptor(const Descriptor& descriptor) {
  REQUIRE(IsDigest(descriptor.digest) && descriptor.size >= 0);
  if (descriptor.data) REQUIRE(DigestMatches(descriptor.digest, *descriptor.data));
}

void CheckManifest(std::string_view body) {
  try {
    const Manifest manifest = ParseManifest(body, "");
    // A header that says the same changes nothing.
    REQUIRE(ParseManifest(body, manifest.media_type).media_type == manifest.media_type);
    REQUIRE(manifest.manifests.empty() || (manifest.is_index && manifest.layers.empty()));
    for (const Descriptor& child : manifest.manifests) CheckDescriptor(child);
    for (const Descriptor& layer : manifest.layers) CheckDescriptor(layer);
    FetchedPlatform itself;
    itself.digest = Sha256Digest(body);
    itself.manifest = manifest;
    ImageParts parts;
    parts.Add(itself);
    for (const Descriptor& child : manifest.manifests)
      if (child.IsAttestation()) parts.AddAttestation(child);
    const Image image = std::move(parts).Assemble(itself.digest, manifest);
    REQUIRE(image.size_bytes >= 0);
    fuzz::RequireStorable(image.annotations);
    REQUIRE(BytesOf(image.annotations) <= limit::kAnnotations);
    REQUIRE(image.layer_types.size() <= 100 && image.referrers.size() <= 1000);
    for (const PlatformImage& platform : image.platforms)
      REQUIRE(platform.size_bytes >= 0 && fuzz::IsStorable(platform.platform.ToString()));
    for (const Referrer& referrer : image.referrers) {
      REQUIRE(referrer.size_bytes >= 0 && fuzz::IsStorable(referrer.artifact_type));
      fuzz::RequireStorable(referrer.annotations);
    }
  } catch (const Error& error) {
    RequireRefusal(error);
  }
}

void CheckConfig(std::string_view body) {
  try {
    const ImageConfig config = ParseImageConfig(body);
    fuzz::RequireStorable(config.labels);
    REQUIRE(config.created.empty() || config.created.ends_with("+00"));
  } catch (const Error& error) {
    RequireRefusal(error);
  }
}

void CheckSchema1(std::string_view body) {
  try {
    (void)Schema1Payload(std::string(body));
  } catch (const Error& error) {
    RequireRefusal(error);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body = fuzz::TextOf(data, size);
  REQUIRE(DigestMatches(Sha256Digest(body), body));
  CheckManifest(body);
  CheckSchema1(body);
  CheckConfig(body);
  return 0;
}

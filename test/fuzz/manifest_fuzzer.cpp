// libFuzzer target: manifests, configs, and the image made of them. Build and run, from the top
// folder:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Isrc \
//     test/fuzz/manifest_fuzzer.cpp src/core/{manifest,image,json,digest,text,http_header}.cpp \
//     -lsimdjson -lcrypto -o manifest_fuzzer
//   ./manifest_fuzzer -max_total_time=60 -max_len=65536 -dict=test/fuzz/manifest.dict
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/digest.h"
#include "core/error.h"
#include "core/image.h"
#include "core/manifest.h"
#include "core/text.h"

namespace {

using namespace image_library;

void Require(bool holds) {
  if (!holds) std::abort();
}

void RequireRefusal(const Error& error) {
  Require(error.kind() == ErrorKind::kMalformed || error.kind() == ErrorKind::kTooLarge);
  Require(IsUtf8(error.what()) && IsUtf8(error.detail()));
}

// Nothing is stored that a text column of PostgreSQL refuses.
void RequireStorable(const StringMap& map) {
  for (const auto& [key, value] : map)
    Require(IsUtf8(key) && IsUtf8(value) && key.find('\0') == std::string::npos &&
            value.find('\0') == std::string::npos);
}

void CheckDescriptor(const Descriptor& descriptor) {
  Require(IsDigest(descriptor.digest) && descriptor.size >= 0);
  if (descriptor.data) Require(DigestMatches(descriptor.digest, *descriptor.data));
}

void CheckManifest(std::string_view body) {
  try {
    const Manifest manifest = ParseManifest(body, "");
    Require(manifest.manifests.empty() || (manifest.is_index && manifest.layers.empty()));
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
    Require(image.size_bytes >= 0);
    RequireStorable(image.annotations);
  } catch (const Error& error) {
    RequireRefusal(error);
  }
}

void CheckConfig(std::string_view body) {
  try {
    const ImageConfig config = ParseImageConfig(body);
    RequireStorable(config.labels);
    Require(config.created.empty() || config.created.ends_with("+00"));
  } catch (const Error& error) {
    RequireRefusal(error);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  CheckManifest(body);
  CheckConfig(body);
  return 0;
}

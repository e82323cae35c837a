// CPU time of verifying a signature, without requests. Build and run: cmake --build build --target
// trust_bench && build/trust_bench. With SIGSTORE_CONFORMANCE, the folder of a checkout of
// sigstore-conformance, bundles of Sigstore's public instance are measured too.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>

#include "core/digest.h"
#include "trust/verifier.h"
#include "trust_material.h"

namespace {

using namespace image_library;
using namespace image_library::trust;
using test::TestKey;

constexpr char kImage[] = "sha256:111122223333444455556666777788889999aaaabbbbccccddddeeeeffff0000";

Verdict MeasureTimes(int times, const std::string& what, const Anchors& anchors,
                     const Evidence& evidence, const std::string& image) {
  const Verifier verifier(anchors);
  Verdict verdict = verifier.Verify(evidence, image);
  const std::clock_t start = std::clock();
  for (int i = 0; i < times; ++i) (void)verifier.Verify(evidence, image);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  std::printf("%-52s %7.0f us", what.c_str(), seconds / times * 1e6);
  return verdict;
}

void Measure(const std::string& what, const Anchors& anchors, const Evidence& evidence,
             const std::string& image) {
  const Verdict verdict = MeasureTimes(500, what, anchors, evidence, image);
  std::printf("%s\n", verdict.verified ? "" : (" NOT VERIFIED: " + verdict.reason).c_str());
}

void MeasureRefused(const std::string& what, const Anchors& anchors, const Evidence& evidence,
                    const std::string& image) {
  const Verdict verdict = MeasureTimes(5, what, anchors, evidence, image);
  std::printf(" refused: %s\n", verdict.reason.c_str());
}

void MeasureKey(const std::string& name, TestKey::Kind kind) {
  const TestKey key(kind);
  const std::string payload = std::string(R"({"critical":{"image":{"docker-manifest-digest":")") +
                              kImage + R"("},"type":"cosign container image signature"}})";
  Anchors anchors;
  anchors.keys.push_back({"key", key.Pem()});
  Measure("simple signing, " + name, anchors,
          {EvidenceFormat::kSimpleSigning,
           payload,
           {{"dev.cosignproject.cosign/signature", test::Base64(key.Sign(payload))}}},
          kImage);
}

// The most that a hostile document can ask for: of the largest size, with ten signatures by nobody.
void MeasureHostile(const std::string& name, TestKey::Kind kind) {
  constexpr int kKeys = 50, kSignatures = 10;
  Anchors anchors;
  for (int i = 0; i < kKeys; ++i) anchors.keys.push_back({std::to_string(i), TestKey(kind).Pem()});
  const std::string statement =
      test::StatementOf(kImage, "https://example.com/scan", "\"" + std::string(780000, 'x') + "\"");
  const std::string signature = test::Base64(TestKey(kind).Sign("other"));
  std::string signatures = R"({"sig":")" + signature + "\"}";
  for (int i = 1; i < kSignatures; ++i) signatures += R"(,{"sig":")" + signature + "\"}";
  MeasureRefused(
      "1 MiB, 10 signatures, 50 keys, " + name, anchors,
      {EvidenceFormat::kDsseEnvelope,
       R"({"payload":")" + test::Base64(statement) +
           R"(","payloadType":"application/vnd.in-toto+json","signatures":[)" + signatures + "]}",
       {}},
      kImage);
}

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void MeasurePublic(const std::string& assets, const std::string& name, const std::string& root) {
  Anchors anchors;
  anchors.identities.push_back({"any", "https://token.actions.githubusercontent.com", "**"});
  anchors.trusted_root = Read(assets + "/bundle-verify/" + root + "/trusted_root.json");
  Measure("public instance, " + name, anchors,
          {EvidenceFormat::kSigstoreBundle,
           Read(assets + "/bundle-verify/" + name + "/bundle.sigstore.json"),
           {}},
          Sha256Digest(Read(assets + "/a.txt")));
}

}  // namespace

int main() {
  MeasureKey("ECDSA P-256", TestKey::Kind::kP256);
  MeasureKey("ECDSA P-384", TestKey::Kind::kP384);
  MeasureKey("Ed25519", TestKey::Kind::kEd25519);
  MeasureKey("RSA 2048", TestKey::Kind::kRsa2048);
  MeasureHostile("ECDSA P-256", TestKey::Kind::kP256);
  MeasureHostile("ECDSA P-384", TestKey::Kind::kP384);
  MeasureHostile("Ed25519", TestKey::Kind::kEd25519);
  MeasureHostile("RSA 2048", TestKey::Kind::kRsa2048);
  const test::Instance instance;
  const std::string statement = test::StatementOf(kImage, "https://slsa.dev/provenance/v1");
  Measure("keyless message, Rekor v1", instance.Trusted(), instance.Message(kImage).ToEvidence(),
          kImage);
  Measure("keyless statement, Rekor v1", instance.Trusted(),
          instance.Enveloped(statement, "dsse 0.0.1").ToEvidence(), kImage);
  Measure("keyless message, Rekor v2 and timestamp", instance.Trusted(),
          instance.Message2(kImage).ToEvidence(), kImage);
  if (const char* const folder = std::getenv("SIGSTORE_CONFORMANCE")) {
    const std::string assets = std::string(folder) + "/test/assets";
    MeasurePublic(assets, "trust-root-tlog-validity-end-inclusive",
                  "trust-root-tlog-validity-end-inclusive");
    MeasurePublic(assets, "rekor2-happy-path", "rekor2-happy-path");
    MeasurePublic(assets, "rekor2-dsse-happy-path", "rekor2-dsse-happy-path");
  }
  return 0;
}

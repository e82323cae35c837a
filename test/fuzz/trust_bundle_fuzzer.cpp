// libFuzzer target: Sigstore bundles, and what is in them.
#include "trust/bundle.h"
#include "trust/statement.h"
#include "trust/timestamp.h"
#include "trust/transparency_log.h"
#include "trust_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace image_library::trust;
  using namespace image_library::trust::fuzz;
  static const TrustedRoot* const root =
      new TrustedRoot(ParseTrustedRoot(Instance().TrustedRoot()));
  static const Verifier* const verifier = new Verifier(Instance().Trusted());
  const std::string document(TextOf(data, size));
  Try([&] {
    const SignedMaterial material = ReadBundle(document, kImage);
    REQUIRE(!material.contents.empty());
    if (material.envelope) Try([&] { ReadStatement(*material.envelope, kImage); });
    for (const LogEntry& entry : material.entries) {
      Try([&] { CheckBody(entry, material.contents.front(), material.certificate); });
      Try([&] { CheckEntry(entry, *root, {}); });
      if (!entry.proof) continue;
      Try([&] { ParseCheckpoint(entry.proof->checkpoint); });
      Try([&] { CheckInclusion(*entry.proof, entry.body); });
    }
    for (const std::string& timestamp : material.timestamps)
      Try([&] { CheckTimestamp(timestamp, material.contents.front().timestamped, *root); });
  });
  const Verdict verdict = verifier->Verify({EvidenceFormat::kSigstoreBundle, document, {}}, kImage);
  RequireReadable(verdict);
  REQUIRE(!verdict.verified);  // nobody has the keys
  return 0;
}

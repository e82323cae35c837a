// libFuzzer target: good evidence with edits. Whatever is changed, a verdict is that nobody signed,
// or it is the same as before. The first byte chooses the evidence; an edit is a place in two
// bytes, what to do there, and a byte.
#include "trust_target.h"

namespace {

using namespace image_library::trust;
using namespace image_library::trust::fuzz;

std::vector<Evidence> MakeEvidence() {
  const test::Instance& instance = Instance();
  std::vector<Evidence> evidence = {instance.Message(kImage).ToEvidence(),
                                    instance.Message2(kImage).ToEvidence()};
  const std::string statement = test::StatementOf(
      kImage, "https://slsa.dev/provenance/v1",
      R"({"buildDefinition":{"buildType":"t","resolvedDependencies":[{"uri":"git+https://g"}]}})");
  for (const char* kind :
       {"dsse 0.0.1", "dsse 0.0.2", "intoto 0.0.1", "intoto 0.0.2", "hashedrekord 0.0.2"})
    evidence.push_back(instance.Enveloped(statement, kind).ToEvidence());
  return evidence;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<Evidence>* const good = new std::vector<Evidence>(MakeEvidence());
  static const Verifier* const verifier = new Verifier(Instance().Trusted());
  if (size < 5) return 0;
  const Evidence& before = (*good)[data[0] % good->size()];
  Evidence after = before;
  for (std::size_t i = 1; i + 3 < size; i += 4) {
    const std::size_t at = (data[i] * 256u + data[i + 1]) % after.document.size();
    const char byte = static_cast<char>(data[i + 3]);
    if (data[i + 2] % 3 == 0)
      after.document[at] = byte;
    else if (data[i + 2] % 3 == 1)
      after.document.insert(at, 1, byte);
    else
      after.document.erase(at, 1 + data[i + 3] % 8);
    if (after.document.empty()) return 0;
  }
  const Verdict verdict = verifier->Verify(after, kImage);
  RequireReadable(verdict);
  if (!verdict.verified) return 0;
  const Verdict expected = verifier->Verify(before, kImage);
  REQUIRE(expected.verified);
  REQUIRE(verdict.signer == expected.signer && verdict.issuer == expected.issuer &&
          verdict.subject == expected.subject && verdict.signed_at == expected.signed_at &&
          verdict.log_index == expected.log_index &&
          verdict.predicate_type == expected.predicate_type);
  return 0;
}

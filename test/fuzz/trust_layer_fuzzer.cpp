// libFuzzer target: cosign's layers. The first five lines are the annotations (PEM with `\n`
// written as `|`), the rest is the layer.
#include <algorithm>

#include "trust/cosign_layer.h"
#include "trust_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace image_library::trust;
  using namespace image_library::trust::fuzz;
  static const Verifier* const verifier = [] {
    Anchors anchors = Instance().Trusted();
    anchors.keys.push_back({"key", Instance().log_key.Pem()});
    return new Verifier(anchors);
  }();
  std::string_view text = TextOf(data, size);
  Evidence evidence;
  for (const char* key : {"dev.cosignproject.cosign/signature", "dev.sigstore.cosign/certificate",
                          "dev.sigstore.cosign/chain", "dev.sigstore.cosign/bundle",
                          "dev.sigstore.cosign/rfc3161timestamp"}) {
    const std::size_t line = std::min(text.find('\n'), text.size());
    std::string value(text.substr(0, line));
    std::replace(value.begin(), value.end(), '|', '\n');
    if (!value.empty()) evidence.annotations[key] = value;
    text.remove_prefix(std::min(line + 1, text.size()));
  }
  evidence.document = text;
  for (const EvidenceFormat format :
       {EvidenceFormat::kSimpleSigning, EvidenceFormat::kDsseEnvelope}) {
    evidence.format = format;
    Try([&] { REQUIRE(!ReadCosignLayer(evidence).contents.empty()); });
    const Verdict verdict = verifier->Verify(evidence, kImage);
    RequireReadable(verdict);
    REQUIRE(!verdict.verified);
  }
  return 0;
}

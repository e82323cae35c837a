// libFuzzer target: signatures of Notation. The first byte says whether the envelope is that of the
// input, or is built around it: the input is then the payload or the protected header.
#include "core/base64.h"
#include "trust_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace image_library;
  using namespace image_library::trust;
  using namespace image_library::trust::fuzz;
  static const Verifier* const verifier = [] {
    Anchors anchors = Instance().Trusted();
    anchors.authorities.push_back({"authority", Instance().root.Pem(), "**", true});
    return new Verifier(anchors);
  }();
  if (size == 0) return 0;
  const std::string text(TextOf(data + 1, size - 1));
  const std::string headers =
      R"({"alg":"ES256","cty":"application/vnd.cncf.notary.payload.v1+json","crit":)"
      R"(["io.cncf.notary.signingScheme"],"io.cncf.notary.signingScheme":"notary.x509"})";
  const std::string payload = std::string(R"({"targetArtifact":{"digest":")") + kImage + R"("}})";
  const auto build = [](const std::string& protected_header, const std::string& signed_payload) {
    return R"({"payload":")" + EncodeBase64(signed_payload) + R"(","protected":")" +
           EncodeBase64(protected_header) + R"(","header":{"x5c":[")" +
           EncodeBase64(Instance().Signer().Der()) + R"("]},"signature":")" +
           EncodeBase64(std::string(64, 's')) + "\"}";
  };
  const std::string document = data[0] % 3 == 0   ? text
                               : data[0] % 3 == 1 ? build(text, payload)
                                                  : build(headers, text);
  const Verdict verdict =
      verifier->VerifyAt({EvidenceFormat::kNotationJws, document, {}}, kImage, test::kSignedAt);
  RequireReadable(verdict);
  REQUIRE(!verdict.verified);
  return 0;
}
